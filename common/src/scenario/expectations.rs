//! Reads what a request expects: `expect: { status, body, json }`.

use saphyr::Scalar;

use super::compile::{Names, did_you_mean};
use super::decode::Decoder;
use super::document::{Content, Entry, Node, ScalarNode};
use super::expect::{Comparison, Expectation, JsonCheck, JsonType, Operand, StatusSet};
use super::json::JsonTemplate;
use super::path::JsonPath;
use super::steps::json_template;
use super::template::Template;

/// The checks of a value at a path, as mappings write them.
const CHECK_KEYS: [&str; 8] = ["equals", "exists", "type", "lt", "lte", "gt", "gte", "length"];

/// Reads an expectation.
pub(super) fn expectation<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    names: &Names,
) -> Option<Expectation> {
    let fields = decoder.fields(node, "`expect`", &["status", "body", "json"])?;
    let mut json = Vec::new();
    if let Some(node) = fields.get("json") {
        for entry in decoder.entries(node, "`json`").unwrap_or_default() {
            path_checks(decoder, entry, names, &mut json);
        }
    }
    Some(Expectation {
        status: fields.get("status").and_then(|node| status_set(decoder, node)),
        contains: fields.get("body").map(|node| contains(decoder, node, names)).unwrap_or_default(),
        json,
    })
}

fn status_set<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<StatusSet> {
    let items = match &*node.content {
        Content::List(items) if items.is_empty() => {
            decoder.note(node.at, "`status` is empty");
            return None;
        }
        Content::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let ranges: Vec<_> = items.iter().map(|item| decoder.parsed(item, "`status`", status_range)).collect();
    ranges.into_iter().collect::<Option<_>>().map(StatusSet)
}

/// Reads `200`, `2xx` or `200-299`.
fn status_range(text: &str) -> Result<std::ops::RangeInclusive<u16>, String> {
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    let range = if let Some(hundreds) = text.strip_suffix("xx") {
        hundreds
            .parse()
            .ok()
            .filter(|hundreds| (1..=5).contains(hundreds))
            .map(|n: u16| n * 100..=n * 100 + 99)
    } else if let Some((first, last)) = text.split_once('-') {
        code(first).zip(code(last)).filter(|(first, last)| first <= last).map(|(first, last)| first..=last)
    } else {
        code(text).map(|code| code..=code)
    };
    range.ok_or_else(|| format!("`{text}` is not a status; write 200, [200, 201], 2xx or 200-299"))
}

/// Reads `{ contains: text }` or `{ contains: [text, text] }`.
fn contains<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Vec<Template> {
    let Some(fields) = decoder.fields(node, "`body`", &["contains"]) else { return Vec::new() };
    let Some(node) = fields.get("contains") else {
        decoder.note(node.at, "`body` expects nothing; write `contains: text`");
        return Vec::new();
    };
    let items = match &*node.content {
        Content::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    items.iter().filter_map(|item| decoder.template(item, "`contains`", names)).collect()
}

/// Reads everything that is expected at one path.
fn path_checks<'t>(
    decoder: &mut Decoder<'t>,
    entry: &Entry<'t>,
    names: &Names,
    checks: &mut Vec<(JsonPath, JsonCheck)>,
) {
    let path = match JsonPath::parse(&entry.key) {
        Ok(path) => path,
        Err(reason) => return decoder.note(entry.key_at, reason),
    };
    match &*entry.value.content {
        Content::Map(operators) if operators.is_empty() => {
            decoder.note(entry.value.at, format!("nothing is expected of `{path}`"));
        }
        Content::Map(_) => {
            let Some(_) = decoder.fields(&entry.value, "a check", &CHECK_KEYS) else { return };
            for operator in decoder.entries(&entry.value, "a check").unwrap_or_default() {
                checks.extend(check(decoder, operator, names).map(|check| (path.clone(), check)));
            }
        }
        Content::Scalar(ScalarNode { text, value: Scalar::String(_), .. }) if text == "exists" => {
            checks.push((path, JsonCheck::Exists));
        }
        Content::Scalar(ScalarNode { text, value: Scalar::String(_), .. }) if text == "absent" => {
            checks.push((path, JsonCheck::Absent));
        }
        Content::Scalar(_) | Content::List(_) => {
            checks.push((path, JsonCheck::Equals(operand(decoder, &entry.value, names))));
        }
    }
}

fn check<'t>(decoder: &mut Decoder<'t>, entry: &Entry<'t>, names: &Names) -> Option<JsonCheck> {
    let node = &entry.value;
    let mut compare = |comparison| Some(JsonCheck::Compare(comparison, number(decoder, entry, names)?));
    match &*entry.key {
        "lt" => compare(Comparison::Less),
        "lte" => compare(Comparison::LessOrEqual),
        "gt" => compare(Comparison::Greater),
        "gte" => compare(Comparison::GreaterOrEqual),
        "length" => number(decoder, entry, names).map(JsonCheck::Length),
        "equals" => Some(JsonCheck::Equals(operand(decoder, node, names))),
        "exists" => match &*node.content {
            Content::Scalar(ScalarNode { value: Scalar::Boolean(true), .. }) => Some(JsonCheck::Exists),
            Content::Scalar(ScalarNode { value: Scalar::Boolean(false), .. }) => Some(JsonCheck::Absent),
            _ => {
                decoder.note(node.at, format!("expected true or false for `exists`, found {}", node.kind()));
                None
            }
        },
        "type" => json_type(decoder, node).map(JsonCheck::Type),
        // The decoder has noted the key.
        _ => None,
    }
}

fn json_type<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<JsonType> {
    // YAML takes a plain `null` for nothing.
    if matches!(&*node.content, Content::Scalar(ScalarNode { value: Scalar::Null, text, .. }) if text == "null")
    {
        return Some(JsonType::Null);
    }
    let text = decoder.text(node, "`type`")?;
    let found = JsonType::NAMES.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
    if found.is_none() {
        let names = JsonType::NAMES.map(|(name, _)| name);
        let help = did_you_mean(text, names).unwrap_or_else(|| format!("JSON has {}", names.join(", ")));
        decoder.note_with_help(node.at, format!("`{text}` is no type"), Some(help));
    }
    found
}

/// An operand that must be a number if it is constant.
fn number<'t>(decoder: &mut Decoder<'t>, entry: &Entry<'t>, names: &Names) -> Option<Operand> {
    let node = &entry.value;
    let operand = operand(decoder, node, names);
    if operand.as_constant().is_some_and(|value| !value.is_number()) {
        decoder.note(node.at, format!("expected a number for `{}`, found {}", entry.key, node.kind()));
        return None;
    }
    Some(operand)
}

/// Any value to compare with. Messages show templates as they were written and constants as JSON.
fn operand<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Operand {
    let template: JsonTemplate = json_template(decoder, node, names);
    let source = match (&*node.content, template.as_constant()) {
        (_, Some(text)) => String::from_utf8_lossy(text).into_owned(),
        (Content::Scalar(scalar), None) => scalar.text.to_string(),
        (_, None) => "the given value".to_owned(),
    };
    Operand::new(source, template)
}
