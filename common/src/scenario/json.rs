//! JSON documents with templates in them, compiled to a flat program that writes JSON text.
//!
//! The constant stretches between two templates are serialised when the scenario is loaded; rendering copies them.

use std::io::Write;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::context::{Lease, RenderContext};
use super::number::Number;
use super::template::{RenderError, Template};

/// The most items that one `$repeat` makes.
pub(super) const REPEAT_MAX: u32 = 100_000;

/// The longest document, in bytes; a nested `$repeat` could ask for any size.
pub(super) const DOCUMENT_BYTES_MAX: usize = 64 << 20;

/// The deepest nesting of a value that an expression yields.
const VALUE_DEPTH_MAX: usize = 64;

/// A compiled JSON document.
///
/// A text that is exactly one expression, `"{{ n }}"`, becomes a value of the expression's own type; any other text
/// with expressions in it becomes a string.
#[derive(Clone, Debug)]
pub struct JsonTemplate {
    ops: Arc<[Op]>,
}

#[derive(Clone, Debug)]
enum Op {
    /// JSON text that never changes.
    Raw(Box<[u8]>),
    /// The value of a template.
    Value(Template),
    /// An array of so many items, each rendered anew.
    Repeat { count: Template, item: JsonTemplate },
}

/// Puts a document together from left to right.
#[derive(Debug, Default)]
pub(super) struct JsonBuilder {
    ops: Vec<Op>,
    /// Constant text that is not an operation yet.
    raw: Vec<u8>,
}

impl JsonTemplate {
    /// Appends the document's JSON text to `out`.
    ///
    /// # Errors
    /// If an expression fails or yields what JSON cannot say (NaN, infinity, a function), or if the document grows
    /// beyond 64 MiB; `out` then holds a part of it.
    pub fn render_into(&self, out: &mut Vec<u8>, context: &RenderContext) -> Result<(), RenderError> {
        let limit = out.len().saturating_add(DOCUMENT_BYTES_MAX);
        self.render_below(limit, out, &mut context.lease())
    }

    /// The document's text, if it is the same whatever the context.
    pub(super) fn as_constant(&self) -> Option<&[u8]> {
        match &*self.ops {
            [Op::Raw(text)] => Some(text),
            _ => None,
        }
    }

    fn render_below(
        &self,
        limit: usize,
        out: &mut Vec<u8>,
        lease: &mut Lease<'_>,
    ) -> Result<(), RenderError> {
        for op in &*self.ops {
            match op {
                Op::Raw(text) => out.extend_from_slice(text),
                Op::Value(template) => {
                    let written = match template.draw_with(lease) {
                        Some(number) => write_number(out, number),
                        None => write_value(out, &template.evaluate_with(lease)?, limit),
                    };
                    written.map_err(|reason| template.failed(reason))?;
                }
                Op::Repeat { count, item } => {
                    out.push(b'[');
                    for index in 0..repetitions(count, lease)? {
                        if index > 0 {
                            out.push(b',');
                        }
                        item.render_below(limit, out, lease)?;
                        check_size(out, limit).map_err(|reason| count.failed(reason))?;
                    }
                    out.push(b']');
                }
            }
        }
        Ok(())
    }
}

fn repetitions(count: &Template, lease: &mut Lease<'_>) -> Result<u64, RenderError> {
    let value = count.evaluate_with(lease)?;
    match u64::try_from(value.clone()) {
        Ok(number) if value.is_number() && number <= u64::from(REPEAT_MAX) => Ok(number),
        _ => Err(count.failed(format!("$repeat needs an integer from 0 to {REPEAT_MAX}"))),
    }
}

impl JsonBuilder {
    /// Appends text that is JSON already.
    pub(super) fn raw(&mut self, text: &str) {
        self.raw.extend_from_slice(text.as_bytes());
    }

    /// Appends a text as a JSON string.
    pub(super) fn string(&mut self, text: &str) {
        write_string(&mut self.raw, text);
    }

    /// Appends the value of a template.
    pub(super) fn value(&mut self, template: Template) {
        match template.as_constant_value() {
            Some(value) if write_value(&mut self.raw, value, usize::MAX).is_ok() => {}
            _ => self.push(Op::Value(template)),
        }
    }

    /// Appends an array of `count` items.
    pub(super) fn repeat(&mut self, count: Template, item: JsonTemplate) {
        self.push(Op::Repeat { count, item });
    }

    /// The finished document.
    pub(super) fn build(mut self) -> JsonTemplate {
        self.flush();
        JsonTemplate { ops: self.ops.into() }
    }

    fn push(&mut self, op: Op) {
        self.flush();
        self.ops.push(op);
    }

    fn flush(&mut self) {
        if !self.raw.is_empty() {
            self.ops.push(Op::Raw(std::mem::take(&mut self.raw).into()));
        }
    }
}

/// Writes a value of the template engine as JSON, until `out` is longer than `limit`; the error says what JSON cannot
/// say.
pub(super) fn write_value(out: &mut Vec<u8>, value: &Value, limit: usize) -> Result<(), String> {
    write_nested(out, value, limit, 0)
}

fn write_nested(out: &mut Vec<u8>, value: &Value, limit: usize, depth: usize) -> Result<(), String> {
    if depth > VALUE_DEPTH_MAX {
        return Err(format!("the value is nested deeper than {VALUE_DEPTH_MAX} levels"));
    }
    // A value may hold another one many times over, so its text can be much larger than itself.
    check_size(out, limit)?;
    match value.kind() {
        ValueKind::None => out.extend_from_slice(b"null"),
        ValueKind::Bool => out.extend_from_slice(if value.is_true() { b"true" } else { b"false" }),
        ValueKind::Number => write_number_value(out, value)?,
        ValueKind::String => write_string(out, value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push(b'[');
            for (index, item) in iterate(value)?.enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_nested(out, &item, limit, depth + 1)?;
            }
            out.push(b']');
        }
        ValueKind::Map => {
            out.push(b'{');
            for (index, key) in iterate(value)?.enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(out, &key.to_string());
                out.push(b':');
                let item = value.get_item(&key).map_err(|error| error.to_string())?;
                write_nested(out, &item, limit, depth + 1)?;
            }
            out.push(b'}');
        }
        kind => return Err(format!("JSON has no {kind} value")),
    }
    Ok(())
}

fn check_size(out: &[u8], limit: usize) -> Result<(), String> {
    if out.len() > limit { Err("the document is larger than 64 MiB".to_owned()) } else { Ok(()) }
}

fn iterate(value: &Value) -> Result<impl Iterator<Item = Value>, String> {
    value.try_iter().map_err(|error| error.to_string())
}

fn write_number_value(out: &mut Vec<u8>, value: &Value) -> Result<(), String> {
    if value.is_integer() {
        match value.as_i64() {
            Some(integer) => return write_number(out, Number::Integer(integer)),
            // Writing to a vector cannot fail.
            None => drop(write!(out, "{value}")),
        }
        return Ok(());
    }
    write_number(out, Number::Float(f64::try_from(value.clone()).unwrap_or(f64::NAN)))
}

fn write_number(out: &mut Vec<u8>, number: Number) -> Result<(), String> {
    // Writing to a vector cannot fail.
    let _ = match number {
        Number::Integer(integer) => serde_json::to_writer(out, &integer),
        Number::Float(float) if float.is_finite() => serde_json::to_writer(out, &float),
        Number::Float(_) => return Err("JSON has no NaN and no infinity".to_owned()),
    };
    Ok(())
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing to a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}
