//! A number as Python sees it: whole or not.

use rmpv::ValueRef;

/// A number that Locust writes as a whole number in one case and as a fraction in another, such as a sum of response
/// times that is `0` as long as there are none. Which it was is kept, so that it can be written again as it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A finite fraction.
    Float(f64),
}

impl Number {
    /// The number as a fraction. Whole numbers beyond 2^53 lose their last digits.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    pub(super) fn value(self) -> ValueRef<'static> {
        match self {
            Self::Int(number) => ValueRef::from(number),
            Self::Float(number) => ValueRef::F64(number),
        }
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}
