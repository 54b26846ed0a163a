//! Reads requests: where they go, what they carry, what is expected and kept of the answer.

use std::sync::Arc;

use regex::bytes::Regex;

use super::capture::{Capture, CaptureSource};
use super::compile::Names;
use super::decode::{Decoder, Fields};
use super::document::{Content, Entry, Node};
use super::expectations;
use super::json_tree::json_template;
use super::method::{Method, is_token};
use super::path::JsonPath;
use super::step::{Auth, Body, Part, PartContent, RequestStep};
use super::steps::variable;
use super::template::Template;

/// What a request may say beside its method.
pub(super) const REQUEST_KEYS: [&str; 13] = [
    "name",
    "query",
    "headers",
    "json",
    "form",
    "multipart",
    "body",
    "body_file",
    "auth",
    "timeout",
    "follow_redirects",
    "expect",
    "capture",
];

/// The keys that give a request its body.
const BODY_KEYS: [&str; 5] = ["json", "form", "multipart", "body", "body_file"];

const PART_KEYS: [&str; 4] = ["value", "file", "filename", "content_type"];

const CAPTURE_KEYS: [&str; 6] = ["json", "regex", "group", "header", "cookie", "default"];

/// Reads the request of a step. `method` is that of the key; without one, the step says `request` and `method`.
pub(super) fn request<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    verb: &Entry<'t>,
    method: Option<Method>,
    names: &Names,
) -> Option<RequestStep> {
    let mut keys = vec![&*verb.key];
    keys.extend(REQUEST_KEYS);
    if method.is_none() {
        keys.push("method");
    }
    let fields = decoder.fields(node, "a request", &keys)?;
    let method = method.or_else(|| named_method(decoder, &fields));
    let name = fields.get("name").and_then(|node| decoder.template(node, "`name`", names));
    let query = fields.get("query").map(|node| pairs(decoder, node, "`query`", names));
    let headers = fields.get("headers").map(|node| headers(decoder, node, names));
    let timeout = fields.get("timeout").and_then(|node| decoder.duration(node, "`timeout`"));
    let follow = fields.get("follow_redirects");
    let follow_redirects = follow.and_then(|node| decoder.boolean(node, "`follow_redirects`"));
    let auth = fields.get("auth").and_then(|node| auth(decoder, node, names));
    let body = body(decoder, &fields, names);
    let expect = fields.get("expect").and_then(|node| expectations::expectation(decoder, node, names));
    let captures = fields.get("capture").map(|node| captures(decoder, node, names));
    let target = target(decoder, &verb.value, &verb.key, names);
    Some(RequestStep {
        method: method?,
        target: target?,
        name,
        query: query.unwrap_or_default(),
        headers: headers.unwrap_or_default(),
        body,
        auth,
        timeout,
        follow_redirects,
        expect: expect.unwrap_or_default(),
        captures: captures.unwrap_or_default(),
    })
}

fn named_method<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Option<Method> {
    let Some(node) = fields.get("method") else {
        let help = "name it, such as `method: PROPFIND`".to_owned();
        decoder.note_with_help(fields.at, "`request` has no `method`", Some(help));
        return None;
    };
    let name = decoder.text(node, "`method`")?;
    let method = Method::named(name);
    if method.is_none() {
        decoder.note(node.at, format!("`{name}` is no name for a method"));
    }
    method
}

fn target<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, key: &str, names: &Names) -> Option<Template> {
    let what = format!("`{key}`");
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

/// A mapping of names to templates or lists of them: `query` and `form`.
fn pairs<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    what: &str,
    names: &Names,
) -> Vec<(String, Template)> {
    let mut pairs = Vec::new();
    for entry in decoder.entries(node, what).unwrap_or_default() {
        let values = match &*entry.value.content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        for value in values {
            let value = decoder.template(value, &format!("`{}`", entry.key), names);
            pairs.extend(value.map(|value| (entry.key.to_string(), value)));
        }
    }
    pairs
}

/// A mapping of header names to templates.
pub(super) fn headers<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    names: &Names,
) -> Vec<(String, Template)> {
    let mut headers = Vec::new();
    for entry in decoder.entries(node, "`headers`").unwrap_or_default() {
        if !is_token(&entry.key) {
            decoder.note(entry.key_at, format!("`{}` is no name for a header", entry.key));
        }
        let Some(value) = decoder.template(&entry.value, &format!("`{}`", entry.key), names) else {
            continue;
        };
        if value.as_constant().is_some_and(|text| text.contains(|c: char| c.is_control() && c != '\t')) {
            decoder.note(entry.value.at, "a header is one line of text");
        }
        headers.push((entry.key.to_string(), value));
    }
    headers
}

/// `{ basic: { username, password } }` or `{ bearer: token }`.
pub(super) fn auth<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Option<Auth> {
    let fields = decoder.fields(node, "`auth`", &["basic", "bearer"])?;
    match (fields.get("basic"), fields.get("bearer")) {
        (Some(node), None) => {
            let fields = decoder.fields(node, "`basic`", &["username", "password"])?;
            let mut part = |key: &str| match fields.get(key) {
                Some(node) => decoder.template(node, &format!("`{key}`"), names),
                None => {
                    decoder.note(fields.at, format!("`basic` has no `{key}`"));
                    None
                }
            };
            let (username, password) = (part("username"), part("password"));
            Some(Auth::Basic { username: username?, password: password? })
        }
        (None, Some(node)) => decoder.template(node, "`bearer`", names).map(Auth::Bearer),
        _ => {
            decoder.note(node.at, "`auth` has either `basic` or `bearer`");
            None
        }
    }
}

fn body<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>, names: &Names) -> Body {
    let mut bodies = BODY_KEYS.into_iter().filter_map(|key| fields.entry(key));
    let Some(entry) = bodies.next() else { return Body::None };
    for other in bodies {
        let message = format!("a request has one body, but this one has `{}` and `{}`", entry.key, other.key);
        decoder.note(other.key_at, message);
    }
    let node = &entry.value;
    let read = match &*entry.key {
        "json" => Some(Body::Json(json_template(decoder, node, names))),
        "form" => Some(Body::Form(pairs(decoder, node, "`form`", names))),
        "multipart" => Some(Body::Multipart(parts(decoder, node, names))),
        "body" => decoder.template(node, "`body`", names).map(Body::Text),
        _ => decoder.file_name(node, "`body_file`").map(Body::File),
    };
    read.unwrap_or(Body::None)
}

/// A mapping of field names to texts, parts, or lists of them.
fn parts<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Vec<Part> {
    let mut parts = Vec::new();
    for entry in decoder.entries(node, "`multipart`").unwrap_or_default() {
        let name: Arc<str> = Arc::from(&*entry.key);
        let items = match &*entry.value.content {
            Content::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        parts.extend(items.iter().filter_map(|item| part(decoder, item, name.clone(), names)));
    }
    parts
}

fn part<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, name: Arc<str>, names: &Names) -> Option<Part> {
    if !matches!(&*node.content, Content::Map(_)) {
        let content = decoder.template(node, &format!("`{name}`"), names).map(PartContent::Text)?;
        return Some(Part { name, content, filename: None, content_type: None });
    }
    let fields = decoder.fields(node, "a part", &PART_KEYS)?;
    let mut template =
        |key: &str| fields.get(key).and_then(|node| decoder.template(node, &format!("`{key}`"), names));
    let (filename, content_type, value) = (template("filename"), template("content_type"), template("value"));
    let content = match (fields.get("file"), fields.get("value")) {
        (Some(node), None) => decoder.file_name(node, "`file`").map(PartContent::File),
        (None, Some(_)) => value.map(PartContent::Text),
        _ => {
            decoder.note(node.at, "a part has either `file` or `value`");
            None
        }
    };
    Some(Part { name, content: content?, filename, content_type })
}

fn captures<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Vec<Capture> {
    let entries = decoder.entries(node, "`capture`").unwrap_or_default();
    entries.iter().filter_map(|entry| capture(decoder, entry, names)).collect()
}

fn capture<'t>(decoder: &mut Decoder<'t>, entry: &Entry<'t>, names: &Names) -> Option<Capture> {
    let variable = variable(decoder, &entry.key, entry.key_at);
    let node = &entry.value;
    if !matches!(&*node.content, Content::Map(_)) {
        let path =
            decoder.text(node, "a capture").and_then(|_| decoder.parsed(node, "a capture", JsonPath::parse));
        return Some(Capture { variable, source: CaptureSource::Json(path?), default: None });
    }
    let fields = decoder.fields(node, "a capture", &CAPTURE_KEYS)?;
    let default = fields.get("default").and_then(|node| decoder.value(node, names));
    let sources: Vec<&str> =
        ["json", "regex", "header", "cookie"].into_iter().filter(|key| fields.get(key).is_some()).collect();
    let ([key], Some(node)) = (sources.as_slice(), sources.first().and_then(|key| fields.get(key))) else {
        let help = "it has one of json, regex, header, cookie".to_owned();
        decoder.note_with_help(fields.at, "a capture keeps one thing", Some(help));
        return None;
    };
    if let Some(entry) = fields.entry("group").filter(|_| *key != "regex") {
        decoder.note(entry.key_at, "only a `regex` has a `group`");
    }
    let source = match *key {
        "json" => {
            decoder.text(node, "`json`")?;
            decoder.parsed(node, "`json`", JsonPath::parse).map(CaptureSource::Json)
        }
        "regex" => {
            let regex = decoder.regex(node, "`regex`")?;
            let group = group(decoder, &fields, &regex)?;
            Some(CaptureSource::Regex { regex, group })
        }
        "header" => decoder.text(node, "`header`").map(|name| CaptureSource::Header(name.to_owned())),
        _ => decoder.text(node, "`cookie`").map(|name| CaptureSource::Cookie(name.to_owned())),
    };
    Some(Capture { variable, source: source?, default })
}

/// The group of a match to keep: what is said, else the first group, else the whole match.
fn group<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>, regex: &Regex) -> Option<usize> {
    let groups = regex.captures_len() - 1;
    let Some(node) = fields.get("group") else { return Some(groups.min(1)) };
    if let Content::Scalar(scalar) = &*node.content
        && let Some(index) = regex.capture_names().position(|name| name == Some(&*scalar.text))
    {
        return Some(index);
    }
    let most = u32::try_from(groups).unwrap_or(u32::MAX);
    decoder.integer(node, "`group`", 0, most).map(|group| group as usize)
}
