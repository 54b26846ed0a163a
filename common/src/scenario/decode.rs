//! Reads values out of a document's nodes and notes what is not as it should be.
//!
//! Every method returns `None` or a default after a mistake and goes on, so that one reading finds all of them.
//! What the keys mean is the business of the readers built on top of this.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use saphyr::Scalar;

use super::compile::{Compiler, Names, did_you_mean};
use super::document::{Content, Entry, Node, Position, ScalarNode};
use super::note::Note;
use super::template::Template;
use crate::timespan::parse_duration;

/// Collects notes while a document is read.
pub(super) struct Decoder<'t> {
    file: &'t str,
    /// The whole text of the file, to find positions inside of texts.
    text: &'t str,
    compiler: Compiler,
    notes: Vec<Note>,
    /// Where each other file is named first, as `file:line:column`.
    file_places: BTreeMap<Arc<str>, String>,
}

/// The entries of a mapping whose keys were checked.
pub(super) struct Fields<'n, 't> {
    /// Where the mapping begins.
    pub(super) at: Position,
    entries: &'n [Entry<'t>],
}

impl<'n, 't> Fields<'n, 't> {
    /// Entries whose keys were checked by somebody else.
    pub(super) fn new(at: Position, entries: &'n [Entry<'t>]) -> Self {
        Self { at, entries }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node<'t>> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The key and its value.
    pub(super) fn entry(&self, key: &str) -> Option<&'n Entry<'t>> {
        self.entries.iter().find(|entry| &*entry.key == key)
    }
}

impl<'t> Decoder<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, compiler: Compiler::new(), notes: Vec::new(), file_places: BTreeMap::new() }
    }

    /// Everything noted so far.
    pub(super) fn into_notes(self) -> Vec<Note> {
        self.notes
    }

    pub(super) fn notes_mut(&mut self) -> &mut Vec<Note> {
        &mut self.notes
    }

    pub(super) fn note(&mut self, at: Position, message: impl Display) {
        self.note_with_help(at, message, None);
    }

    pub(super) fn note_with_help(&mut self, at: Position, message: impl Display, help: Option<String>) {
        let (file, message) = (self.file.to_owned(), message.to_string());
        self.notes.push(Note { file, line: at.line, column: at.column, message, help });
    }

    fn wrong_type(&mut self, node: &Node<'_>, what: &str, expected: &str) {
        self.note(node.at, format!("expected {expected} for {what}, found {}", node.kind()));
    }

    /// A mapping with these keys only; others are noted.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node<'t>,
        what: &str,
        keys: &[&str],
    ) -> Option<Fields<'n, 't>> {
        let entries = self.entries(node, what)?;
        for entry in entries.iter().filter(|entry| !keys.contains(&&*entry.key)) {
            let help = did_you_mean(&entry.key, keys.iter().copied());
            let help = help.unwrap_or_else(|| format!("{what} takes {}", keys.join(", ")));
            self.note_with_help(entry.key_at, format!("unknown key `{}`", entry.key), Some(help));
        }
        Some(Fields { at: node.at, entries })
    }

    /// The entries of a mapping with any keys.
    pub(super) fn entries<'n>(&mut self, node: &'n Node<'t>, what: &str) -> Option<&'n [Entry<'t>]> {
        match &*node.content {
            Content::Map(entries) => Some(entries),
            _ => {
                self.wrong_type(node, what, "a mapping");
                None
            }
        }
    }

    /// The items of a list.
    pub(super) fn items<'n>(&mut self, node: &'n Node<'t>, what: &str) -> Option<&'n [Node<'t>]> {
        match &*node.content {
            Content::List(items) => Some(items),
            _ => {
                self.wrong_type(node, what, "a list");
                None
            }
        }
    }

    /// A text, quoted or not, that YAML does not take for anything else.
    pub(super) fn text<'n>(&mut self, node: &'n Node<'t>, what: &str) -> Option<&'n str> {
        match &*node.content {
            Content::Scalar(ScalarNode { text, value: Scalar::String(_), .. }) => Some(text),
            _ => {
                self.wrong_type(node, what, "text");
                None
            }
        }
    }

    /// A text or number as it was written, for what has both forms, such as `30` and `30s`.
    pub(super) fn text_or_number<'n>(&mut self, node: &'n Node<'t>, what: &str) -> Option<&'n str> {
        match &*node.content {
            Content::Scalar(ScalarNode {
                text,
                value: Scalar::String(_) | Scalar::Integer(_) | Scalar::FloatingPoint(_),
                ..
            }) => Some(text),
            _ => {
                self.wrong_type(node, what, "text or a number");
                None
            }
        }
    }

    /// A text that `parse` understands; its error becomes the note.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        node: &Node<'t>,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text_or_number(node, what)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.note(node.at, error);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, node: &Node<'t>, what: &str) -> Option<bool> {
        match &*node.content {
            Content::Scalar(ScalarNode { value: Scalar::Boolean(value), .. }) => Some(*value),
            _ => {
                self.wrong_type(node, what, "true or false");
                None
            }
        }
    }

    /// A text that is one of these words.
    pub(super) fn word<T: Copy>(&mut self, node: &Node<'t>, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text_or_number(node, what)?;
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            let names = words.iter().map(|(word, _)| *word);
            let help = did_you_mean(text, names.clone())
                .unwrap_or_else(|| format!("it is one of {}", names.collect::<Vec<_>>().join(", ")));
            self.note_with_help(node.at, format!("{what} cannot be `{text}`"), Some(help));
        }
        found.map(|(_, value)| *value)
    }

    /// A regular expression that is matched with bytes.
    pub(super) fn regex(&mut self, node: &Node<'t>, what: &str) -> Option<regex::bytes::Regex> {
        self.text(node, what)?;
        self.parsed(node, what, |text| {
            regex::bytes::Regex::new(text).map_err(|error| bad_regex(text, &error))
        })
    }

    /// A regular expression that is matched with text.
    pub(super) fn text_regex(&mut self, node: &Node<'t>, what: &str) -> Option<regex::Regex> {
        self.text(node, what)?;
        self.parsed(node, what, |text| regex::Regex::new(text).map_err(|error| bad_regex(text, &error)))
    }

    /// A span of time above zero.
    pub(super) fn duration(&mut self, node: &Node<'t>, what: &str) -> Option<Duration> {
        let span = self.parsed(node, what, parse_duration)?;
        if span.is_zero() {
            self.note(node.at, format!("{what} must be above 0"));
        }
        Some(span)
    }

    /// A finite number for which `is_valid` holds; `range` says which those are.
    pub(super) fn number(
        &mut self,
        node: &Node<'t>,
        what: &str,
        range: &str,
        is_valid: impl FnOnce(f64) -> bool,
    ) -> Option<f64> {
        let number = match &*node.content {
            Content::Scalar(ScalarNode { value: Scalar::Integer(integer), .. }) => *integer as f64,
            Content::Scalar(ScalarNode { value: Scalar::FloatingPoint(float), .. }) => float.into_inner(),
            _ => {
                self.wrong_type(node, what, "a number");
                return None;
            }
        };
        if number.is_finite() && is_valid(number) {
            return Some(number);
        }
        self.note(node.at, format!("{what} must be {range}, found {number}"));
        None
    }

    /// A whole number from `least` to `most`.
    pub(super) fn integer(&mut self, node: &Node<'t>, what: &str, least: u32, most: u32) -> Option<u32> {
        let integer = match &*node.content {
            Content::Scalar(ScalarNode { value: Scalar::Integer(integer), .. }) => *integer,
            Content::Scalar(ScalarNode { value: Scalar::FloatingPoint(_), text, .. }) => {
                self.note(node.at, format!("{what} must be a whole number, found {text}"));
                return None;
            }
            _ => {
                self.wrong_type(node, what, "a whole number");
                return None;
            }
        };
        match u32::try_from(integer) {
            Ok(integer) if (least..=most).contains(&integer) => Some(integer),
            _ => {
                let range =
                    if most == u32::MAX { format!("at least {least}") } else { format!("{least} to {most}") };
                self.note(node.at, format!("{what} must be {range}, found {integer}"));
                None
            }
        }
    }

    /// A template written as any scalar but nothing: `5` and `true` are their own text.
    pub(super) fn template(&mut self, node: &Node<'t>, what: &str, names: &Names) -> Option<Template> {
        let Content::Scalar(scalar) = &*node.content else {
            self.wrong_type(node, what, "text");
            return None;
        };
        match scalar.value {
            Scalar::Null => {
                self.wrong_type(node, what, "text");
                None
            }
            Scalar::Boolean(value) => Some(Template::constant(&scalar.text, value.into())),
            Scalar::Integer(value) => Some(Template::constant(&scalar.text, value.into())),
            Scalar::FloatingPoint(value) => Some(Template::constant(&scalar.text, value.into_inner().into())),
            Scalar::String(_) => self.compile(scalar, names),
        }
    }

    /// A template, or nothing: `null`.
    pub(super) fn value(&mut self, node: &Node<'t>, names: &Names) -> Option<Template> {
        match &*node.content {
            Content::Scalar(ScalarNode { text, value: Scalar::Null, .. }) => {
                Some(Template::constant(text, ().into()))
            }
            _ => self.template(node, "a value", names),
        }
    }

    /// The name of a file that travels with the scenario.
    pub(super) fn file_name(&mut self, node: &Node<'t>, what: &str) -> Option<Arc<str>> {
        let name = self.text(node, what)?;
        if name.trim().is_empty() {
            self.note(node.at, format!("{what} names no file"));
        }
        if name.contains("{{") {
            let help = "files are read before the run and travel with it".to_owned();
            self.note_with_help(node.at, format!("{what} cannot be a template"), Some(help));
        }
        let name: Arc<str> = name.into();
        let place = || format!("{}:{}:{}", self.file, node.at.line, node.at.column);
        self.file_places.entry(name.clone()).or_insert_with(place);
        Some(name)
    }

    /// Where each file that was read by [`Self::file_name`] is named first, as `file:line:column`.
    pub(super) fn take_file_places(&mut self) -> BTreeMap<Arc<str>, String> {
        std::mem::take(&mut self.file_places)
    }

    /// Compiles a scalar's text; each fault is noted where it stands in the file.
    pub(super) fn compile(&mut self, scalar: &ScalarNode<'t>, names: &Names) -> Option<Template> {
        match self.compiler.compile(&scalar.text, names) {
            Ok(template) => Some(template),
            Err(faults) => {
                for fault in faults {
                    let at = scalar.position_of(fault.offset, self.text);
                    self.note_with_help(at, fault.message, fault.help);
                }
                None
            }
        }
    }

    /// A name made of letters, digits and `_`, no digit first.
    pub(super) fn identifier(&mut self, name: &str, at: Position, what: &str) -> bool {
        let mut chars = name.chars();
        let is_identifier = chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_identifier {
            let message = format!("`{name}` is no name for {what}");
            self.note_with_help(at, message, Some("use letters, digits and `_`, no digit first".to_owned()));
        }
        is_identifier
    }
}

/// Why a regular expression is none, in one line: the library draws a picture over several.
fn bad_regex(text: &str, error: &regex::Error) -> String {
    let reason = match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    };
    format!("`{text}` is not a regular expression: {reason}")
}
