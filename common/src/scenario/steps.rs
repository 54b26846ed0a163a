//! Reads the steps of a task: requests, `set` and `think`.

use std::sync::Arc;

use saphyr::Scalar;

use super::compile::{Names, did_you_mean};
use super::context::BUILTIN_VARIABLES;
use super::decode::{Decoder, Fields};
use super::document::{Content, Entry, Node, ScalarNode};
use super::draw::Function;
use super::expectations;
use super::json::{JsonBuilder, JsonTemplate, REPEAT_MAX};
use super::model::{Body, Method, RequestStep, Step};
use super::template::Template;
use crate::timespan::parse_duration;
use crate::wait::WaitTime;

/// What a request may say beside its method.
const REQUEST_KEYS: [&str; 7] = ["name", "query", "headers", "json", "body", "timeout", "expect"];

/// The steps that are no requests.
const OTHER_STEPS: [&str; 2] = ["set", "think"];

/// Reads a list of steps.
pub(super) fn steps<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, what: &str, names: &Names) -> Vec<Step> {
    let items = decoder.items(node, what).unwrap_or_default();
    items.iter().filter_map(|item| step(decoder, item, names)).collect()
}

fn step<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Option<Step> {
    let entries = decoder.entries(node, "a step")?;
    let verbs: Vec<&Entry<'t>> = entries.iter().filter(|entry| is_verb(&entry.key)).collect();
    let verb = match verbs.as_slice() {
        [] => {
            no_verb(decoder, node, entries);
            return None;
        }
        [verb, rest @ ..] => {
            for other in rest {
                let message =
                    format!("a step does one thing, but this one has `{}` and `{}`", verb.key, other.key);
                decoder.note_with_help(other.key_at, message, Some("make it two steps".to_owned()));
            }
            if !rest.is_empty() {
                return None;
            }
            verb
        }
    };
    match &*verb.key {
        "set" => {
            stands_alone(decoder, verb, entries);
            set(decoder, &verb.value, names)
        }
        "think" => {
            stands_alone(decoder, verb, entries);
            think(decoder, &verb.value)
        }
        key => {
            let method = Method::ALL.into_iter().find(|method| method.key() == key)?;
            request(decoder, node, method, &verb.value, names).map(|request| Step::Request(Box::new(request)))
        }
    }
}

fn is_verb(key: &str) -> bool {
    OTHER_STEPS.contains(&key) || Method::ALL.iter().any(|method| method.key() == key)
}

/// Notes a step that does nothing: it may have a mistyped verb, or none.
fn no_verb<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, entries: &[Entry<'t>]) {
    let verbs: Vec<&str> = Method::ALL.iter().map(|method| method.key()).chain(OTHER_STEPS).collect();
    let unknown = entries.iter().find(|entry| !REQUEST_KEYS.contains(&&*entry.key));
    let unknown = unknown.map(|entry| (entry, did_you_mean(&entry.key, verbs.iter().copied())));
    match unknown {
        Some((entry, Some(help))) => {
            decoder.note_with_help(entry.key_at, format!("unknown step `{}`", entry.key), Some(help));
        }
        Some((entry, None)) => {
            let help = format!("a step has one of {}", verbs.join(", "));
            decoder.note_with_help(entry.key_at, format!("unknown step `{}`", entry.key), Some(help));
        }
        None => {
            let help = format!("it has one of {}", verbs.join(", "));
            decoder.note_with_help(node.at, "the step does nothing", Some(help));
        }
    }
}

fn stands_alone<'t>(decoder: &mut Decoder<'t>, verb: &Entry<'t>, entries: &[Entry<'t>]) {
    for other in entries.iter().filter(|entry| entry.key != verb.key) {
        let help = format!("`{}` stands alone in its step", verb.key);
        decoder.note_with_help(other.key_at, format!("unknown key `{}`", other.key), Some(help));
    }
}

fn set<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Option<Step> {
    let mut assignments = Vec::new();
    for entry in decoder.entries(node, "`set`")? {
        decoder.identifier(&entry.key, entry.key_at, "a variable");
        if BUILTIN_VARIABLES.contains(&&*entry.key) || Function::named(&entry.key).is_some() {
            let message = format!("`{}` has a meaning already", entry.key);
            decoder.note_with_help(entry.key_at, message, Some("give the variable another name".to_owned()));
        }
        let value = decoder.template(&entry.value, "a variable", names);
        assignments.extend(value.map(|value| (Arc::from(&*entry.key), value)));
    }
    Some(Step::Set(assignments))
}

fn think<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Step> {
    let pause = decoder.parsed(node, "`think`", WaitTime::parse)?;
    if !matches!(pause, WaitTime::Constant(_) | WaitTime::Between { .. }) {
        let help = "write a duration or between(1, 2)".to_owned();
        decoder.note_with_help(node.at, "a pause between steps has no pace", Some(help));
    }
    Some(Step::Think(pause))
}

fn request<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    method: Method,
    target: &Node<'t>,
    names: &Names,
) -> Option<RequestStep> {
    let mut keys = vec![method.key()];
    keys.extend(REQUEST_KEYS);
    let fields = decoder.fields(node, "a request", &keys)?;
    let name = fields.get("name").and_then(|node| decoder.template(node, "`name`", names));
    let query = fields.get("query").map(|node| pairs(decoder, node, "`query`", names, false));
    let headers = fields.get("headers").map(|node| pairs(decoder, node, "`headers`", names, true));
    let timeout = fields.get("timeout").and_then(|node| {
        let timeout = decoder.parsed(node, "`timeout`", parse_duration)?;
        if timeout.is_zero() {
            decoder.note(node.at, "`timeout` must be above 0");
        }
        Some(timeout)
    });
    let body = body(decoder, &fields, names);
    let expect = fields.get("expect").and_then(|node| expectations::expectation(decoder, node, names));
    Some(RequestStep {
        method,
        target: self::target(decoder, target, method, names)?,
        name,
        query: query.unwrap_or_default(),
        headers: headers.unwrap_or_default(),
        body,
        timeout,
        expect: expect.unwrap_or_default(),
    })
}

fn target<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, method: Method, names: &Names) -> Option<Template> {
    let what = format!("`{}`", method.key());
    decoder.text(node, &what)?;
    let template = decoder.template(node, &what, names)?;
    let begins_well =
        |text: &str| ["/", "http://", "https://", "{{", "{%"].iter().any(|start| text.starts_with(start));
    if !begins_well(template.source()) {
        let message = format!("`{}` is neither a path nor a URL", template.source());
        decoder.note_with_help(node.at, message, Some("begin it with `/` or `http://`".to_owned()));
    }
    if template
        .as_constant()
        .is_some_and(|text| text.contains(char::is_whitespace) || text.contains(char::is_control))
    {
        let help = "write a space as %20, or put it under `query`".to_owned();
        decoder.note_with_help(node.at, "a path has no white space", Some(help));
    }
    Some(template)
}

/// A mapping of names to templates: `query` and `headers`.
fn pairs<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    what: &str,
    names: &Names,
    are_headers: bool,
) -> Vec<(String, Template)> {
    let mut pairs = Vec::new();
    for entry in decoder.entries(node, what).unwrap_or_default() {
        if are_headers && !is_header_name(&entry.key) {
            decoder.note(entry.key_at, format!("`{}` is no name for a header", entry.key));
        }
        let Some(value) = decoder.template(&entry.value, &format!("`{}`", entry.key), names) else {
            continue;
        };
        if are_headers
            && value.as_constant().is_some_and(|text| text.contains(|c: char| c.is_control() && c != '\t'))
        {
            decoder.note(entry.value.at, "a header is one line of text");
        }
        pairs.push((entry.key.to_string(), value));
    }
    pairs
}

/// A token of RFC 9110.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn body<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>, names: &Names) -> Body {
    let (json, text) = (fields.entry("json"), fields.entry("body"));
    if let (Some(_), Some(text)) = (json, text) {
        decoder.note(text.key_at, "a request has one body, but this one has `json` and `body`");
    }
    let json = json.map(|entry| Body::Json(json_template(decoder, &entry.value, names)));
    let text = text.and_then(|entry| decoder.template(&entry.value, "`body`", names)).map(Body::Text);
    json.or(text).unwrap_or(Body::None)
}

/// Compiles a tree to a JSON document. After a mistake the result is some document; its note keeps it from use.
pub(super) fn json_template<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> JsonTemplate {
    let mut builder = JsonBuilder::default();
    json_into(decoder, &mut builder, node, names);
    builder.build()
}

/// Appends a tree. Recursion is bounded by the depth of the document.
fn json_into<'t>(decoder: &mut Decoder<'t>, builder: &mut JsonBuilder, node: &Node<'t>, names: &Names) {
    match &*node.content {
        Content::Scalar(scalar) => json_scalar(decoder, builder, node, scalar, names),
        Content::List(items) => {
            builder.raw("[");
            for (index, item) in items.iter().enumerate() {
                builder.raw(if index == 0 { "" } else { "," });
                json_into(decoder, builder, item, names);
            }
            builder.raw("]");
        }
        Content::Map(entries) if entries.iter().any(|entry| matches!(&*entry.key, "$repeat" | "$item")) => {
            repeat(decoder, builder, node, names);
        }
        Content::Map(entries) => {
            builder.raw("{");
            for (index, entry) in entries.iter().enumerate() {
                builder.raw(if index == 0 { "" } else { "," });
                builder.string(&entry.key);
                builder.raw(":");
                json_into(decoder, builder, &entry.value, names);
            }
            builder.raw("}");
        }
    }
}

fn json_scalar<'t>(
    decoder: &mut Decoder<'t>,
    builder: &mut JsonBuilder,
    node: &Node<'t>,
    scalar: &ScalarNode<'t>,
    names: &Names,
) {
    match &scalar.value {
        Scalar::Null => builder.raw("null"),
        Scalar::Boolean(value) => builder.raw(if *value { "true" } else { "false" }),
        Scalar::Integer(value) => builder.raw(&value.to_string()),
        // YAML reads integers beyond 63 bits as floats, which would change their digits.
        Scalar::FloatingPoint(_) if scalar.text.parse::<u64>().is_ok() => builder.raw(&scalar.text),
        Scalar::FloatingPoint(value) if value.is_finite() => {
            builder.value(Template::constant(&scalar.text, value.into_inner().into()));
        }
        Scalar::FloatingPoint(_) => decoder.note(node.at, "JSON has no NaN and no infinity"),
        Scalar::String(_) => {
            if let Some(template) = decoder.compile(scalar, names) {
                builder.value(template);
            }
        }
    }
}

/// Appends `{ $repeat: count, $item: tree }` as an array.
fn repeat<'t>(decoder: &mut Decoder<'t>, builder: &mut JsonBuilder, node: &Node<'t>, names: &Names) {
    let Some(fields) = decoder.fields(node, "a repetition", &["$repeat", "$item"]) else { return };
    let (Some(count), Some(item)) = (fields.get("$repeat"), fields.get("$item")) else {
        decoder.note(node.at, "`$repeat` and `$item` belong together");
        return;
    };
    let template = match &*count.content {
        Content::Scalar(ScalarNode { value: Scalar::Integer(_), .. }) => decoder
            .integer(count, "`$repeat`", 0, REPEAT_MAX)
            .map(|number| Template::constant(&number.to_string(), number.into())),
        _ => decoder.text(count, "`$repeat`").and_then(|_| decoder.template(count, "`$repeat`", names)),
    };
    let item = json_template(decoder, item, names);
    match template {
        Some(template)
            if template.as_constant().is_some()
                && template.as_constant_value().is_some_and(|value| !value.is_number()) =>
        {
            decoder.note(
                count.at,
                format!("`$repeat` needs a whole number, found text `{}`", template.source()),
            );
        }
        Some(template) => builder.repeat(template, item),
        None => {}
    }
}
