//! Reading typed fields out of MessagePack maps, and saying which one does not fit.

use rmpv::{Value, ValueRef};

use super::wire::describe;
use super::{Counts, DecodeError, Number};

/// A field that does not fit. The path grows from the inside out while the error travels up.
#[derive(Debug)]
pub(super) struct Unfit {
    path: String,
    expected: &'static str,
    found: &'static str,
}

impl Unfit {
    pub(super) fn new(value: &ValueRef<'_>, expected: &'static str) -> Self {
        Self { path: String::new(), expected, found: describe(value) }
    }

    /// Only names of ours and indexes become part of a path: names of the peer's may be long, and hostile.
    fn within(mut self, field: &str) -> Self {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            self.path.insert(0, '.');
        }
        self.path.insert_str(0, field);
        self
    }

    pub(super) fn of(self, kind: &'static str) -> DecodeError {
        let path = if self.path.is_empty() { "data".to_owned() } else { format!("`{}`", self.path) };
        DecodeError::Unfit { kind, path, expected: self.expected, found: self.found }
    }
}

pub(super) type Read<T> = Result<T, Unfit>;

/// The fields of a map with text keys. Of a repeated one the last counts, as in Python.
#[derive(Clone, Copy)]
pub(super) struct Fields<'v, 'a>(&'v [(ValueRef<'a>, ValueRef<'a>)]);

impl<'v, 'a> Fields<'v, 'a> {
    pub(super) fn of(value: &'v ValueRef<'a>) -> Read<Self> {
        match value {
            ValueRef::Map(pairs) => Ok(Self(pairs)),
            _ => Err(Unfit::new(value, "a map")),
        }
    }

    /// The field, which has to be there.
    pub(super) fn get<T>(self, name: &str, read: impl Fn(&ValueRef<'a>) -> Read<T>) -> Read<T> {
        match self.find(name) {
            Some(value) => read(value).map_err(|unfit| unfit.within(name)),
            None => {
                let expected = "a value";
                Err(Unfit { path: name.to_owned(), expected, found: "nothing" })
            }
        }
    }

    /// The field, unless it is missing or nil.
    pub(super) fn get_optional<T>(
        self,
        name: &str,
        read: impl Fn(&ValueRef<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        match self.find(name) {
            None | Some(ValueRef::Nil) => Ok(None),
            Some(value) => read(value).map(Some).map_err(|unfit| unfit.within(name)),
        }
    }

    pub(super) fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// All fields but those in `known`, in their order.
    pub(super) fn others(self, known: &[&str]) -> Read<Vec<(String, Value)>> {
        let pairs = self.0.iter().map(|(key, value)| Ok((text(key)?, value.to_owned())));
        pairs.filter(|pair| !matches!(pair, Ok((name, _)) if known.contains(&name.as_str()))).collect()
    }

    fn find(self, name: &str) -> Option<&'v ValueRef<'a>> {
        let is_it =
            |key: &ValueRef<'_>| matches!(key, ValueRef::String(text) if text.as_bytes() == name.as_bytes());
        self.0.iter().rev().find(|(key, _)| is_it(key)).map(|(_, value)| value)
    }
}

pub(super) fn text(value: &ValueRef<'_>) -> Read<String> {
    match value {
        ValueRef::String(text) => text.as_str().map(str::to_owned),
        _ => None,
    }
    .ok_or_else(|| Unfit::new(value, "a string"))
}

pub(super) fn text_or_nil(value: &ValueRef<'_>) -> Read<Option<String>> {
    or_nil(value, text)
}

pub(super) fn count(value: &ValueRef<'_>) -> Read<u64> {
    value.as_u64().ok_or_else(|| Unfit::new(value, "a whole number from 0"))
}

pub(super) fn second(value: &ValueRef<'_>) -> Read<i64> {
    match number(value) {
        Ok(Number::Int(second)) => Ok(second),
        _ => Err(Unfit::new(value, "a second as a whole number")),
    }
}

pub(super) fn number(value: &ValueRef<'_>) -> Read<Number> {
    match value {
        ValueRef::Integer(number) => number.as_i64().map(Number::Int),
        ValueRef::F32(number) if number.is_finite() => Some(Number::Float(f64::from(*number))),
        ValueRef::F64(number) if number.is_finite() => Some(Number::Float(*number)),
        _ => None,
    }
    .ok_or_else(|| Unfit::new(value, "a finite number of 64 bits"))
}

pub(super) fn number_or_nil(value: &ValueRef<'_>) -> Read<Option<Number>> {
    or_nil(value, number)
}

pub(super) fn float(value: &ValueRef<'_>) -> Read<f64> {
    number(value).map(Number::as_f64)
}

pub(super) fn float_or_nil(value: &ValueRef<'_>) -> Read<Option<f64>> {
    or_nil(value, float)
}

pub(super) fn list<T>(value: &ValueRef<'_>, read: impl Fn(&ValueRef<'_>) -> Read<T>) -> Read<Vec<T>> {
    let ValueRef::Array(items) = value else { return Err(Unfit::new(value, "an array")) };
    items
        .iter()
        .enumerate()
        .map(|(at, item)| read(item).map_err(|unfit| unfit.within(&format!("[{at}]"))))
        .collect()
}

/// The pairs of a map, in their order.
pub(super) fn pairs<K, V>(
    value: &ValueRef<'_>,
    read_key: impl Fn(&ValueRef<'_>) -> Read<K>,
    read_value: impl Fn(&ValueRef<'_>) -> Read<V>,
) -> Read<Vec<(K, V)>> {
    let ValueRef::Map(pairs) = value else { return Err(Unfit::new(value, "a map")) };
    let read = |(at, (key, value)): (usize, &(ValueRef<'_>, ValueRef<'_>))| {
        let key = read_key(key).map_err(|unfit| unfit.within(&format!("[key {at}]")))?;
        let value = read_value(value).map_err(|unfit| unfit.within(&format!("[{at}]")))?;
        Ok((key, value))
    };
    pairs.iter().enumerate().map(read).collect()
}

pub(super) fn counts(value: &ValueRef<'_>) -> Read<Counts> {
    pairs(value, text, count)
}

fn or_nil<T>(value: &ValueRef<'_>, read: impl Fn(&ValueRef<'_>) -> Read<T>) -> Read<Option<T>> {
    match value {
        ValueRef::Nil => Ok(None),
        _ => read(value).map(Some),
    }
}
