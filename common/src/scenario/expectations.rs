//! Reads what a request expects: `expect: { status, under, headers, body, json }`.

use std::time::Duration;

use saphyr::Scalar;

use super::compile::{Names, did_you_mean};
use super::decode::Decoder;
use super::document::{Content, Entry, Node, ScalarNode};
use super::expect::{Comparison, Expectation, JsonCheck, JsonType, Operand, StatusSet, TextCheck};
use super::json::JsonTemplate;
use super::json_tree::json_template;
use super::method::is_token;
use super::path::JsonPath;

/// The checks of a value at a path, as mappings write them.
const CHECK_KEYS: [&str; 9] = ["equals", "exists", "type", "lt", "lte", "gt", "gte", "length", "regex"];

/// The checks of a header.
const HEADER_CHECK_KEYS: [&str; 4] = ["equals", "exists", "contains", "regex"];

/// The checks of a body.
const BODY_CHECK_KEYS: [&str; 3] = ["equals", "contains", "regex"];

/// Reads an expectation.
pub(super) fn expectation<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    names: &Names,
) -> Option<Expectation> {
    let fields = decoder.fields(node, "`expect`", &["status", "under", "headers", "body", "json"])?;
    let mut json = Vec::new();
    if let Some(node) = fields.get("json") {
        for entry in decoder.entries(node, "`json`").unwrap_or_default() {
            path_checks(decoder, entry, names, &mut json);
        }
    }
    Some(Expectation {
        status: fields.get("status").and_then(|node| status_set(decoder, node)),
        headers: fields.get("headers").map(|node| headers(decoder, node, names)).unwrap_or_default(),
        body: fields.get("body").map(|node| body(decoder, node, names)).unwrap_or_default(),
        json,
        under: fields.get("under").and_then(|node| under(decoder, node)),
    })
}

fn under<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<(Duration, String)> {
    let limit = decoder.duration(node, "`under`")?;
    let written = decoder.text_or_number(node, "`under`")?;
    let unit = if written.ends_with(|c: char| c.is_ascii_digit()) { " s" } else { "" };
    Some((limit, format!("{written}{unit}")))
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

/// Reads what is expected of headers: `{ Name: text, Name: exists, Name: { contains: text } }`.
fn headers<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Vec<(String, TextCheck)> {
    let mut checks = Vec::new();
    for entry in decoder.entries(node, "`headers`").unwrap_or_default() {
        if !is_token(&entry.key) {
            decoder.note(entry.key_at, format!("`{}` is no name for a header", entry.key));
        }
        let of_header = match &*entry.value.content {
            Content::Map(_) => text_checks(decoder, &entry.value, "a header", &HEADER_CHECK_KEYS, names),
            Content::Scalar(ScalarNode { text, value: Scalar::String(_), .. }) if text == "exists" => {
                vec![TextCheck::Exists]
            }
            Content::Scalar(ScalarNode { text, value: Scalar::String(_), .. }) if text == "absent" => {
                vec![TextCheck::Absent]
            }
            _ => {
                let template = decoder.template(&entry.value, &format!("`{}`", entry.key), names);
                template.map(TextCheck::Equals).into_iter().collect()
            }
        };
        checks.extend(of_header.into_iter().map(|check| (entry.key.to_string(), check)));
    }
    checks
}

/// Reads `{ contains: text }`, `{ contains: [text, text] }` and the like.
fn body<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Vec<TextCheck> {
    text_checks(decoder, node, "`body`", &BODY_CHECK_KEYS, names)
}

fn text_checks<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    what: &str,
    keys: &[&str],
    names: &Names,
) -> Vec<TextCheck> {
    let Some(fields) = decoder.fields(node, what, keys) else { return Vec::new() };
    if keys.iter().all(|key| fields.get(key).is_none()) {
        decoder.note(node.at, format!("{what} expects nothing; write `contains: text`"));
    }
    let mut checks = Vec::new();
    if let Some(node) = fields.get("exists").filter(|_| keys.contains(&"exists")) {
        let exists = decoder.boolean(node, "`exists`");
        checks.extend(exists.map(|exists| if exists { TextCheck::Exists } else { TextCheck::Absent }));
    }
    if let Some(node) = fields.get("equals") {
        checks.extend(decoder.template(node, "`equals`", names).map(TextCheck::Equals));
    }
    for item in fields.get("contains").map(one_or_more).unwrap_or_default() {
        checks.extend(decoder.template(item, "`contains`", names).map(TextCheck::Contains));
    }
    for item in fields.get("regex").map(one_or_more).unwrap_or_default() {
        checks.extend(decoder.regex(item, "`regex`").map(TextCheck::Matches));
    }
    checks
}

/// The items of a list, or what stands in the place of one.
fn one_or_more<'n, 't>(node: &'n Node<'t>) -> &'n [Node<'t>] {
    match &*node.content {
        Content::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    }
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
        "exists" => {
            let exists = decoder.boolean(node, "`exists`")?;
            Some(if exists { JsonCheck::Exists } else { JsonCheck::Absent })
        }
        "regex" => decoder.text_regex(node, "`regex`").map(JsonCheck::Matches),
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
