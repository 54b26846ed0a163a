//! The envelope of every message, and the small steps from typed values to MessagePack.

use rmpv::{Value, ValueRef};

use super::scan::{self, Limits};
use super::{DecodeError, Number};

/// The longest type of a message, in bytes.
const KIND_LEN_MAX: usize = 255;
/// The longest node id, in bytes: the longest identity that a worker can have.
const NODE_ID_LEN_MAX: usize = 255;

/// Numbers by name, such as users by user class, in the order of the wire. A name may repeat if the peer repeats it.
pub type Counts = Vec<(String, u64)>;

/// A message and the worker that it comes from or goes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope<M> {
    /// What is said.
    pub message: M,
    /// The id of the worker, in both directions.
    pub node_id: String,
}

/// A message of which only the envelope was read.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    pub(super) kind: &'a str,
    pub(super) data: ValueRef<'a>,
    pub(super) node_id: &'a str,
}

pub(super) fn open(bytes: &[u8], limits: Limits) -> Result<Opened<'_>, DecodeError> {
    scan::check(bytes, limits)?;
    let mut rest = bytes;
    // Not reachable after the check, but no reason to panic either.
    let value = rmpv::decode::read_value_ref(&mut rest)
        .map_err(|_| DecodeError::Truncated { at: bytes.len() - rest.len() })?;
    let ValueRef::Array(parts) = value else {
        return Err(not_an_envelope("outermost value", describe(&value)));
    };
    let [kind, data, node_id] = <[ValueRef<'_>; 3]>::try_from(parts)
        .map_err(|parts| not_an_envelope("length", &parts.len().to_string()))?;
    Ok(Opened {
        kind: short_text(&kind, "type", KIND_LEN_MAX)?,
        data,
        node_id: short_text(&node_id, "node id", NODE_ID_LEN_MAX)?,
    })
}

pub(super) fn seal(kind: &str, data: ValueRef<'_>, node_id: &str) -> Vec<u8> {
    let envelope = ValueRef::Array(vec![text(kind), data, text(node_id)]);
    let mut bytes = Vec::new();
    rmpv::encode::write_value_ref(&mut bytes, &envelope).expect("writing to memory does not fail");
    bytes
}

pub(super) fn text(text: &str) -> ValueRef<'_> {
    ValueRef::from(text)
}

pub(super) fn map<'a>(pairs: impl IntoIterator<Item = (&'a str, ValueRef<'a>)>) -> ValueRef<'a> {
    ValueRef::Map(pairs.into_iter().map(|(key, value)| (text(key), value)).collect())
}

pub(super) fn counts(counts: &Counts) -> ValueRef<'_> {
    map(counts.iter().map(|(name, count)| (name.as_str(), ValueRef::from(*count))))
}

pub(super) fn values(pairs: &[(String, Value)]) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_ref()))
}

pub(super) fn number_or_nil(number: Option<Number>) -> ValueRef<'static> {
    number.map_or(ValueRef::Nil, Number::value)
}

/// What a value is, for people.
pub(super) fn describe(value: &ValueRef<'_>) -> &'static str {
    match value {
        ValueRef::Nil => "nil",
        ValueRef::Boolean(_) => "a truth value",
        ValueRef::Integer(number) if number.as_u64().is_none() => "a negative number",
        ValueRef::Integer(_) => "a whole number",
        ValueRef::F32(number) if !number.is_finite() => "an infinite number or none at all",
        ValueRef::F64(number) if !number.is_finite() => "an infinite number or none at all",
        ValueRef::F32(_) | ValueRef::F64(_) => "a fraction",
        ValueRef::String(text) if text.as_bytes().is_empty() => "an empty string",
        ValueRef::String(_) => "a string",
        ValueRef::Binary(_) => "binary data",
        ValueRef::Array(_) => "an array",
        ValueRef::Map(_) => "a map",
        ValueRef::Ext(..) => "an extension",
    }
}

fn short_text<'a>(value: &ValueRef<'a>, part: &'static str, len_max: usize) -> Result<&'a str, DecodeError> {
    let ValueRef::String(text) = value else { return Err(not_an_envelope(part, describe(value))) };
    match text.into_str() {
        Some(text) if text.len() <= len_max => Ok(text),
        _ => Err(not_an_envelope(part, &format!("longer than {len_max} bytes"))),
    }
}

fn not_an_envelope(part: &'static str, found: &str) -> DecodeError {
    DecodeError::NotAnEnvelope { part, found: found.to_owned() }
}
