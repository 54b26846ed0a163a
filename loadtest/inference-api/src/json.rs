//! Reads a JSON value of any type without failing on the type.
//!
//! A derived `Deserialize` stops at the first value of the wrong type. [`Any`] reads on, so that a refusal
//! can name everything wrong at once, and a valid body is still parsed in one pass straight into its
//! destination. Called by the transaction parser; it knows nothing of transactions.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Something that can be made of any JSON value. Implement what is wanted; the rest becomes `other`.
pub(crate) trait FromAny<'de>: Sized {
    /// Made of a value whose type is not wanted. `kind` names the type: "a string".
    fn other(kind: &'static str) -> Self;

    fn number(_number: f64) -> Self {
        Self::other("a number")
    }

    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::other("an array"))
    }

    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::other("an object"))
    }
}

/// Deserialises `T` from any JSON value. Only malformed JSON is an error.
pub(crate) struct Any<T>(pub(crate) T);

impl<'de, T: FromAny<'de>> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Any<T>, D::Error> {
        deserializer.deserialize_any(AnyVisitor(PhantomData)).map(Any)
    }
}

struct AnyVisitor<T>(PhantomData<T>);

impl<'de, T: FromAny<'de>> Visitor<'de> for AnyVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(T::number(number as f64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::other("a boolean"))
    }

    fn visit_str<E>(self, _: &str) -> Result<T, E> {
        Ok(T::other("a string"))
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}
