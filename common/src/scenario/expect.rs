//! What makes an answer a success: its status, its headers, its body, what stands at paths of its JSON, and its speed.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use regex::bytes::Regex;
use serde_json::Value as Json;

use super::answer::Answer;
use super::context::RenderContext;
use super::json::JsonTemplate;
use super::path::JsonPath;
use super::template::{RenderError, Template};

/// What is expected of an answer; without anything written, a status below 400, as in Locust.
#[derive(Clone, Debug, Default)]
pub struct Expectation {
    pub(super) status: Option<StatusSet>,
    /// Names and what is expected of each.
    pub(super) headers: Vec<(String, TextCheck)>,
    pub(super) body: Vec<TextCheck>,
    pub(super) json: Vec<(JsonPath, JsonCheck)>,
    /// The longest response time, not included, and how it was written.
    pub(super) under: Option<(Duration, String)>,
}

/// What is expected of a text.
#[derive(Clone, Debug)]
pub(super) enum TextCheck {
    Exists,
    Absent,
    Equals(Template),
    Contains(Template),
    Matches(Regex),
}

/// A set of status codes, such as `200`, `[200, 201]`, `2xx` or `200-299`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatusSet(pub(super) Vec<RangeInclusive<u16>>);

/// What is expected at a path of the answer's JSON.
#[derive(Clone, Debug)]
pub(super) enum JsonCheck {
    Exists,
    Absent,
    Equals(Operand),
    Type(JsonType),
    Compare(Comparison, Operand),
    Length(Operand),
    Matches(regex::Regex),
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonType {
    Number,
    String,
    Bool,
    Array,
    Object,
    Null,
}

/// The value that a check compares with.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    /// As it was written; messages show this and not the rendered value, so that they group.
    source: String,
    value: OperandValue,
}

#[derive(Clone, Debug)]
enum OperandValue {
    Constant(Json),
    Template(JsonTemplate),
}

impl Expectation {
    /// Judges an answer.
    ///
    /// # Errors
    /// The first expectation that does not hold, as a message such as `expected status 200, got 503` that is the
    /// same for all answers that fail in the same way: it shows templates, not what they rendered to.
    pub fn check(&self, answer: &Answer<'_>, context: &RenderContext) -> Result<(), String> {
        self.check_status(answer.status())?;
        for (name, check) in &self.headers {
            let header = answer.header(name);
            if !check.holds(header.as_ref().map(|text| text.as_bytes()), context)? {
                return Err(format!("expected header {name} {check}"));
            }
        }
        for check in &self.body {
            if !check.holds(Some(answer.body()), context)? {
                return Err(format!("expected the body {check}"));
            }
        }
        self.check_json(answer, context)?;
        match &self.under {
            Some((limit, written)) if answer.response_time() >= *limit => {
                Err(format!("expected an answer within {written}"))
            }
            _ => Ok(()),
        }
    }

    fn check_json(&self, answer: &Answer<'_>, context: &RenderContext) -> Result<(), String> {
        if self.json.is_empty() {
            return Ok(());
        }
        let document = answer.json().ok_or_else(|| "expected a JSON body".to_owned())?;
        for (path, check) in &self.json {
            let holds = check.holds(path.find(document), context).map_err(|error| error.to_string())?;
            if !holds {
                return Err(format!("expected JSON {path} {check}"));
            }
        }
        Ok(())
    }

    fn check_status(&self, status: u16) -> Result<(), String> {
        match &self.status {
            None if status < 400 => Ok(()),
            None => Err(format!("expected a status below 400, got {status}")),
            Some(set) if set.0.iter().any(|range| range.contains(&status)) => Ok(()),
            Some(set) => Err(format!("expected status {set}, got {status}")),
        }
    }
}

impl TextCheck {
    /// Whether the check holds for a text, if there is one.
    fn holds(&self, found: Option<&[u8]>, context: &RenderContext) -> Result<bool, String> {
        let render = |template: &Template| match template.render(context) {
            Ok(text) => Ok(text.as_bytes().to_vec()),
            Err(error) => Err(error.to_string()),
        };
        Ok(match (self, found) {
            (Self::Absent, found) => found.is_none(),
            (_, None) => false,
            (Self::Exists, Some(_)) => true,
            (Self::Equals(template), Some(found)) => render(template)? == found,
            (Self::Contains(template), Some(found)) => contains(found, &render(template)?),
            (Self::Matches(regex), Some(found)) => regex.is_match(found),
        })
    }
}

impl JsonCheck {
    /// Whether the check holds for the value at its path, if there is one.
    fn holds(&self, found: Option<&Json>, context: &RenderContext) -> Result<bool, RenderError> {
        Ok(match (self, found) {
            (Self::Exists, found) => found.is_some(),
            (Self::Absent, found) => found.is_none(),
            (_, None) => false,
            (Self::Equals(operand), Some(found)) => equal(operand.value(context)?.as_ref(), found),
            (Self::Type(kind), Some(found)) => *kind == JsonType::of(found),
            (Self::Compare(comparison, operand), Some(found)) => {
                let limit = operand.value(context)?;
                match (found.as_f64(), limit.as_f64()) {
                    (Some(found), Some(limit)) => comparison.holds(found, limit),
                    _ => false,
                }
            }
            (Self::Length(operand), Some(found)) => {
                let length = match found {
                    Json::String(text) => text.chars().count(),
                    Json::Array(items) => items.len(),
                    Json::Object(fields) => fields.len(),
                    _ => return Ok(false),
                };
                operand.value(context)?.as_f64() == Some(length as f64)
            }
            (Self::Matches(regex), Some(Json::String(text))) => regex.is_match(text),
            (Self::Matches(_), Some(_)) => false,
        })
    }
}

impl Comparison {
    fn holds(self, found: f64, limit: f64) -> bool {
        match self {
            Self::Less => found < limit,
            Self::LessOrEqual => found <= limit,
            Self::Greater => found > limit,
            Self::GreaterOrEqual => found >= limit,
        }
    }
}

impl JsonType {
    /// The types by the names that scenario files use.
    pub(super) const NAMES: [(&str, Self); 6] = [
        ("number", Self::Number),
        ("string", Self::String),
        ("bool", Self::Bool),
        ("array", Self::Array),
        ("object", Self::Object),
        ("null", Self::Null),
    ];

    fn of(value: &Json) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(_) => Self::Bool,
            Json::Number(_) => Self::Number,
            Json::String(_) => Self::String,
            Json::Array(_) => Self::Array,
            Json::Object(_) => Self::Object,
        }
    }
}

impl Operand {
    /// An operand that was written as `source`; constants are parsed once.
    pub(super) fn new(source: String, template: JsonTemplate) -> Self {
        let constant = template.as_constant().and_then(|text| serde_json::from_slice(text).ok());
        Self { source, value: constant.map_or(OperandValue::Template(template), OperandValue::Constant) }
    }

    /// The value, if it is the same whatever the context.
    pub(super) fn as_constant(&self) -> Option<&Json> {
        match &self.value {
            OperandValue::Constant(value) => Some(value),
            OperandValue::Template(_) => None,
        }
    }

    fn value(&self, context: &RenderContext) -> Result<Cow<'_, Json>, RenderError> {
        match &self.value {
            OperandValue::Constant(value) => Ok(Cow::Borrowed(value)),
            OperandValue::Template(template) => {
                let mut text = Vec::new();
                template.render_into(&mut text, context)?;
                // The renderer writes valid JSON; the parser refuses only what is nested absurdly deep.
                Ok(Cow::Owned(serde_json::from_slice(&text).unwrap_or(Json::Null)))
            }
        }
    }
}

/// Equality of JSON values in which 5 and 5.0 are one number.
fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => {
            a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
        }
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(body, text).is_some()
}

impl fmt::Display for StatusSet {
    /// `200`, `200 or 201`, `2xx`, `200-204`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let or = if index == 0 { "" } else { " or " };
            match (*range.start(), *range.end()) {
                (start, end) if start == end => write!(f, "{or}{start}")?,
                (start, end) if start % 100 == 0 && end == start + 99 => write!(f, "{or}{}xx", start / 100)?,
                (start, end) => write!(f, "{or}{start}-{end}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for TextCheck {
    /// The end of the sentence `expected header ... `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("to exist"),
            Self::Absent => f.write_str("to be absent"),
            Self::Equals(template) => write!(f, "to equal `{}`", template.source()),
            Self::Contains(template) => write!(f, "to contain `{}`", template.source()),
            Self::Matches(regex) => write!(f, "to match /{regex}/"),
        }
    }
}

impl fmt::Display for JsonCheck {
    /// The end of the sentence `expected JSON path ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("to exist"),
            Self::Absent => f.write_str("to be absent"),
            Self::Equals(operand) => write!(f, "to equal {}", operand.source),
            Self::Type(kind) => {
                let name =
                    JsonType::NAMES.iter().find(|(_, named)| named == kind).map_or("", |(name, _)| name);
                write!(f, "to be of type {name}")
            }
            Self::Compare(comparison, operand) => {
                let words = match comparison {
                    Comparison::Less => "less than",
                    Comparison::LessOrEqual => "at most",
                    Comparison::Greater => "greater than",
                    Comparison::GreaterOrEqual => "at least",
                };
                write!(f, "to be {words} {}", operand.source)
            }
            Self::Length(operand) => write!(f, "to have length {}", operand.source),
            Self::Matches(regex) => write!(f, "to match /{regex}/"),
        }
    }
}
