//! Reads `data`: the sources of rows that users are fed with.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use saphyr::Scalar;

use super::context::BUILTIN_VARIABLES;
use super::data::{DataFormat, DataSource, Origin, RowOrder, Rows};
use super::decode::{Decoder, Fields};
use super::document::{Content, Node, ScalarNode};

const SOURCE_KEYS: [&str; 5] = ["file", "rows", "order", "format", "delimiter"];

const ORDERS: [(&str, RowOrder); 3] =
    [("circular", RowOrder::Circular), ("random", RowOrder::Random), ("unique", RowOrder::Unique)];

const FORMATS: [(&str, DataFormat); 3] = [
    ("csv", DataFormat::Csv { delimiter: b',' }),
    ("json", DataFormat::Json),
    ("jsonl", DataFormat::JsonLines),
];

/// Reads all sources.
pub(super) fn sources<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> BTreeMap<Arc<str>, DataSource> {
    let mut sources = BTreeMap::new();
    for entry in decoder.entries(node, "`data`").unwrap_or_default() {
        decoder.identifier(&entry.key, entry.key_at, "data");
        if BUILTIN_VARIABLES.contains(&&*entry.key) {
            decoder.note(entry.key_at, format!("`{}` has a meaning already", entry.key));
        }
        if let Some(source) = source(decoder, &entry.value) {
            sources.insert(Arc::from(&*entry.key), source);
        }
    }
    sources
}

fn source<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<DataSource> {
    let fields = decoder.fields(node, "data", &SOURCE_KEYS)?;
    let order = fields.get("order").and_then(|node| decoder.word(node, "`order`", &ORDERS));
    let origin = match (fields.get("file"), fields.get("rows")) {
        (Some(file), None) => from_file(decoder, file, &fields),
        (None, Some(rows)) => inline(decoder, rows, &fields),
        _ => {
            decoder.note(node.at, "data has either `file` or `rows`");
            None
        }
    };
    Some(DataSource { origin: origin?, order: order.unwrap_or_default() })
}

fn from_file<'t>(decoder: &mut Decoder<'t>, file: &Node<'t>, fields: &Fields<'_, 't>) -> Option<Origin> {
    let name = decoder.file_name(file, "`file`")?;
    let written = match fields.get("format") {
        Some(node) => Some(decoder.word(node, "`format`", &FORMATS)?),
        None => None,
    };
    let Some(format) = written.or_else(|| DataFormat::of_file(&name)) else {
        let help = "write `format: csv`, `json` or `jsonl`".to_owned();
        decoder.note_with_help(file.at, format!("`{name}` does not tell its format"), Some(help));
        return None;
    };
    let format = match (format, fields.entry("delimiter")) {
        (format, None) => format,
        (DataFormat::Csv { .. }, Some(entry)) => {
            DataFormat::Csv { delimiter: delimiter(decoder, &entry.value)? }
        }
        (_, Some(entry)) => {
            decoder.note(entry.key_at, "only a CSV file has a `delimiter`");
            format
        }
    };
    Some(Origin::File { name, format })
}

fn delimiter<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<u8> {
    match decoder.text(node, "`delimiter`")?.as_bytes() {
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Some(*byte),
        _ => {
            decoder.note_with_help(
                node.at,
                "a `delimiter` is one character",
                Some(r#"such as ";""#.to_owned()),
            );
            None
        }
    }
}

fn inline<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, fields: &Fields<'_, 't>) -> Option<Origin> {
    for key in ["format", "delimiter"] {
        if let Some(entry) = fields.entry(key) {
            decoder.note(entry.key_at, format!("only a `file` has a `{key}`"));
        }
    }
    let items = decoder.items(node, "`rows`")?;
    if items.is_empty() {
        decoder.note(node.at, "`rows` is empty");
        return None;
    }
    Some(Origin::Rows(Rows::new(items.iter().map(value).collect())))
}

/// A tree as a value of the template engine. Recursion is bounded by the depth of the document.
fn value(node: &Node<'_>) -> Value {
    match &*node.content {
        Content::Scalar(ScalarNode { text, value, .. }) => match value {
            Scalar::Null => Value::from(()),
            Scalar::Boolean(value) => Value::from(*value),
            Scalar::Integer(value) => Value::from(*value),
            Scalar::FloatingPoint(value) => Value::from(value.into_inner()),
            Scalar::String(_) => Value::from(text.as_ref()),
        },
        Content::List(items) => items.iter().map(value).collect(),
        Content::Map(entries) => {
            Value::from_pairs(entries.iter().map(|entry| (entry.key.to_string(), value(&entry.value))))
        }
    }
}
