//! Reads the steps of tasks and hooks: what they do, and what they do it to.

use std::sync::Arc;

use saphyr::Scalar;

use super::compile::{Names, did_you_mean};
use super::context::BUILTIN_VARIABLES;
use super::data::RowOrder;
use super::decode::{Decoder, Fields};
use super::document::{Content, Entry, Node, Position, ScalarNode};
use super::function::Function;
use super::method::{Method, REQUEST_KEY};
use super::request::{self, REQUEST_KEYS};
use super::step::{ROUNDS_MAX, Step};
use super::template::Template;
use crate::wait::WaitTime;

/// The steps that are no requests, with the keys that may stand beside each.
const VERBS: [(&str, &[&str]); 10] = [
    ("set", &[]),
    ("think", &[]),
    ("log", &[]),
    ("fail", &[]),
    ("stop_user", &[]),
    ("interrupt", &[]),
    ("if", &["then", "else"]),
    ("repeat", &["as", "steps"]),
    ("for_each", &["as", "steps"]),
    ("feed", &["as"]),
];

/// Reads a list of steps.
pub(super) fn steps<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, what: &str, names: &Names) -> Vec<Step> {
    let items = decoder.items(node, what).unwrap_or_default();
    items.iter().filter_map(|item| step(decoder, item, names)).collect()
}

/// Reads a list of steps that must not be empty.
pub(super) fn some_steps<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    what: &str,
    names: &Names,
) -> Vec<Step> {
    if matches!(&*node.content, Content::List(items) if items.is_empty()) {
        decoder.note(node.at, format!("{what} is empty; write at least one step"));
    }
    steps(decoder, node, what, names)
}

fn step<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Option<Step> {
    if let Content::Scalar(ScalarNode { text, value: Scalar::String(_), .. }) = &*node.content {
        return bare_step(decoder, node, text, names);
    }
    let entries = decoder.entries(node, "a step")?;
    let verb = the_verb(decoder, node, entries)?;
    let allowed = VERBS.iter().find(|(key, _)| *key == &*verb.key).map(|(_, beside)| *beside);
    let Some(beside) = allowed else {
        let method = Method::ALL.into_iter().find(|method| method.key() == &*verb.key);
        return request::request(decoder, node, verb, method, names)
            .map(|step| Step::Request(Box::new(step)));
    };
    let strangers = entries.iter().filter(|entry| entry.key != verb.key && !beside.contains(&&*entry.key));
    for stranger in strangers {
        let help = match beside {
            [] => format!("`{}` stands alone in its step", verb.key),
            beside => did_you_mean(&stranger.key, beside.iter().copied())
                .unwrap_or_else(|| format!("`{}` takes {}", verb.key, beside.join(", "))),
        };
        decoder.note_with_help(stranger.key_at, format!("unknown key `{}`", stranger.key), Some(help));
    }
    let fields = Fields::new(node.at, entries);
    match &*verb.key {
        "set" => set(decoder, &verb.value, names),
        "think" => think(decoder, &verb.value),
        "log" => decoder.template(&verb.value, "`log`", names).map(Step::Log),
        "fail" => decoder.template(&verb.value, "`fail`", names).map(Step::Fail),
        "stop_user" => stop_user(decoder, &verb.value, names),
        "interrupt" => interrupt(decoder, verb.key_at, names),
        "if" => condition(decoder, &verb.value, &fields, names),
        "repeat" => repeat(decoder, &verb.value, &fields, names),
        "for_each" => for_each(decoder, &verb.value, &fields, names),
        _ => feed(decoder, &verb.value, &fields, names),
    }
}

/// `stop_user` and `interrupt` need nothing beside their name.
fn bare_step<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, text: &str, names: &Names) -> Option<Step> {
    match text {
        "stop_user" => Some(Step::StopUser(None)),
        "interrupt" => interrupt(decoder, node.at, names),
        _ => {
            let help = did_you_mean(text, verbs())
                .unwrap_or_else(|| "write it as `- verb: ...`, such as `- get: /`".to_owned());
            decoder.note_with_help(node.at, format!("`{text}` is not a step"), Some(help));
            None
        }
    }
}

/// The one entry of a step that says what it does.
fn the_verb<'n, 't>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    entries: &'n [Entry<'t>],
) -> Option<&'n Entry<'t>> {
    let found: Vec<&Entry<'t>> =
        entries.iter().filter(|entry| verbs().any(|verb| verb == &*entry.key)).collect();
    match found.as_slice() {
        [] => {
            no_verb(decoder, node, entries);
            None
        }
        [verb] => Some(verb),
        [verb, others @ ..] => {
            for other in others {
                let message =
                    format!("a step does one thing, but this one has `{}` and `{}`", verb.key, other.key);
                decoder.note_with_help(other.key_at, message, Some("make it two steps".to_owned()));
            }
            None
        }
    }
}

fn verbs() -> impl Iterator<Item = &'static str> {
    let methods = Method::ALL.into_iter().map(|method| method.key());
    methods.chain([REQUEST_KEY]).chain(VERBS.into_iter().map(|(verb, _)| verb))
}

/// Notes a step that does nothing: it may have a mistyped verb, or none.
fn no_verb<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, entries: &[Entry<'t>]) {
    let beside = VERBS.iter().flat_map(|(_, beside)| beside.iter());
    let known: Vec<&str> = REQUEST_KEYS.iter().chain(beside).copied().collect();
    let unknown = entries.iter().find(|entry| !known.contains(&&*entry.key));
    let all = || verbs().collect::<Vec<_>>().join(", ");
    match unknown {
        Some(entry) => {
            let help =
                did_you_mean(&entry.key, verbs()).unwrap_or_else(|| format!("a step has one of {}", all()));
            decoder.note_with_help(entry.key_at, format!("unknown step `{}`", entry.key), Some(help));
        }
        None => {
            decoder.note_with_help(
                node.at,
                "the step does nothing",
                Some(format!("it has one of {}", all())),
            );
        }
    }
}

fn set<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Option<Step> {
    let mut assignments = Vec::new();
    for entry in decoder.entries(node, "`set`")? {
        let variable = variable(decoder, &entry.key, entry.key_at);
        let value = decoder.template(&entry.value, "a variable", names);
        assignments.extend(value.map(|value| (variable, value)));
    }
    Some(Step::Set(assignments))
}

/// The name of a variable that something sets, checked.
pub(super) fn variable(decoder: &mut Decoder<'_>, name: &str, at: Position) -> Arc<str> {
    decoder.identifier(name, at, "a variable");
    if BUILTIN_VARIABLES.contains(&name) || Function::named(name).is_some() {
        let message = format!("`{name}` has a meaning already");
        decoder.note_with_help(at, message, Some("give the variable another name".to_owned()));
    }
    name.into()
}

fn think<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Step> {
    let pause = decoder.parsed(node, "`think`", WaitTime::parse)?;
    if matches!(pause, WaitTime::ConstantPacing(_) | WaitTime::ConstantThroughput(_)) {
        let help = "write a duration or between(1, 2)".to_owned();
        decoder.note_with_help(node.at, "a pause between steps has no pace", Some(help));
    }
    Some(Step::Think(pause))
}

fn stop_user<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Option<Step> {
    match &*node.content {
        Content::Scalar(ScalarNode { value: Scalar::Null | Scalar::Boolean(true), .. }) => {
            Some(Step::StopUser(None))
        }
        _ => decoder.template(node, "`stop_user`", names).map(|reason| Step::StopUser(Some(reason))),
    }
}

fn interrupt(decoder: &mut Decoder<'_>, at: Position, names: &Names) -> Option<Step> {
    if !names.in_group {
        let help = "only tasks of a group can leave it".to_owned();
        decoder.note_with_help(at, "there is no group to `interrupt` here", Some(help));
    }
    Some(Step::Interrupt)
}

fn condition<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    fields: &Fields<'_, 't>,
    names: &Names,
) -> Option<Step> {
    let condition = expression(decoder, node, "`if`", names);
    let mut branch = |key: &str| {
        fields.get(key).map(|node| some_steps(decoder, node, &format!("`{key}`"), names)).unwrap_or_default()
    };
    let (then, otherwise) = (branch("then"), branch("else"));
    if fields.get("then").is_none() {
        decoder.note(fields.at, "`if` has no `then`");
    }
    Some(Step::If { condition: condition?, then, otherwise })
}

fn repeat<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    fields: &Fields<'_, 't>,
    names: &Names,
) -> Option<Step> {
    let count = match &*node.content {
        Content::Scalar(ScalarNode { value: Scalar::Integer(_), .. }) => decoder
            .integer(node, "`repeat`", 0, ROUNDS_MAX as u32)
            .map(|count| Template::constant(&count.to_string(), count.into())),
        _ => expression(decoder, node, "`repeat`", names),
    };
    let index = as_variable(decoder, fields);
    let steps = body(decoder, fields, "`repeat`", names);
    Some(Step::Repeat { count: count?, index, steps })
}

fn for_each<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    fields: &Fields<'_, 't>,
    names: &Names,
) -> Option<Step> {
    let items = expression(decoder, node, "`for_each`", names);
    let item = as_variable(decoder, fields);
    if fields.get("as").is_none() {
        decoder.note_with_help(
            fields.at,
            "`for_each` has no `as`",
            Some("name the item: `as: item`".to_owned()),
        );
    }
    let steps = body(decoder, fields, "`for_each`", names);
    Some(Step::ForEach { items: items?, item: item?, steps })
}

fn feed<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    fields: &Fields<'_, 't>,
    names: &Names,
) -> Option<Step> {
    let source = decoder.text(node, "`feed`")?;
    match names.sources.get(source) {
        None => {
            let help = did_you_mean(source, names.sources.keys().map(String::as_str))
                .unwrap_or_else(|| "name it under `data`".to_owned());
            decoder.note_with_help(node.at, format!("there is no data `{source}`"), Some(help));
        }
        Some(RowOrder::Unique) if names.once_per_run => {
            let help = "make its order circular or random".to_owned();
            decoder.note_with_help(
                node.at,
                "unique rows are for users, not for setup or teardown",
                Some(help),
            );
        }
        Some(_) => {}
    }
    let variable = match fields.get("as") {
        Some(_) => as_variable(decoder, fields)?,
        None => variable(decoder, source, node.at),
    };
    Some(Step::Feed { source: source.into(), variable })
}

fn as_variable<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Option<Arc<str>> {
    let node = fields.get("as")?;
    let name = decoder.text(node, "`as`")?;
    Some(variable(decoder, name, node.at))
}

fn body<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>, what: &str, names: &Names) -> Vec<Step> {
    match fields.get("steps") {
        Some(node) => some_steps(decoder, node, "`steps`", names),
        None => {
            decoder.note(fields.at, format!("{what} has no `steps`"));
            Vec::new()
        }
    }
}

/// A template that is exactly one expression, or a constant that is no text.
pub(super) fn expression<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    what: &str,
    names: &Names,
) -> Option<Template> {
    let template = decoder.template(node, what, names)?;
    let is_text = match template.as_constant_value() {
        Some(value) => value.as_str().is_some(),
        None => !template.is_expression(),
    };
    if is_text {
        let message = format!("{what} needs one expression, found text `{}`", template.source());
        decoder.note_with_help(node.at, message, Some(r#"write it as "{{ ... }}""#.to_owned()));
    }
    Some(template)
}
