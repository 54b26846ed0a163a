//! One option as a file or a variable says it, before anybody knows whether it exists.

use std::fmt;

/// One option as it is said somewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Where it is said: `locust.conf:3`, or the name of a variable.
    pub place: String,
    /// The option, as it is written there.
    pub key: String,
    /// What it is to be.
    pub value: Value,
}

/// What an option is to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One text.
    Text(String),
    /// Several.
    List(Vec<String>),
}

impl Setting {
    /// Both, for an option that may be said several times.
    pub fn and(self, later: Self) -> Self {
        let values = |value| match value {
            Value::Text(text) => Value::list_in_brackets(&text).unwrap_or_else(|| vec![text]),
            Value::List(list) => list,
        };
        let both = [values(self.value), values(later.value)].concat();
        Self { value: Value::List(both), ..later }
    }
}

impl Value {
    /// What a text in brackets lists: JSON, or words with commas in between. `None` without brackets.
    pub fn list_in_brackets(text: &str) -> Option<Vec<String>> {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        Some(match serde_json::from_str::<Vec<serde_json::Value>>(text) {
            Ok(values) => values.into_iter().map(json_text).collect(),
            Err(_) => inner.split(',').map(|word| word.trim().to_owned()).collect(),
        })
    }
}

fn json_text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The truth of a word, in any case, as Locust reads it.
pub fn boolean(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// What is wrong with a setting, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    place: String,
    what: String,
}

impl Mistake {
    /// Something wrong at `place`.
    pub fn new(place: &str, what: impl Into<String>) -> Self {
        Self { place: place.to_owned(), what: what.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
