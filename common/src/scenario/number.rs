//! Numbers on their short way from a random draw over bounds and rounding into a document.
//!
//! Load bodies are made of numbers. They pass here as plain numbers and not as values of the template engine, which
//! would cost more than drawing them.

use minijinja::Value;

/// A number of the template language.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

/// A filter that a number passes natively.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Adjust {
    /// `at_least(x)`: the larger of the number and x.
    AtLeast(f64),
    /// `at_most(x)`: the smaller of the number and x.
    AtMost(f64),
    /// `round(digits)`: as the engine's filter of that name does it.
    Round(usize),
}

impl Number {
    fn as_f64(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Float(float) => float,
        }
    }

    /// `bound` as a number of the type of this one, if it can be.
    fn alike(self, bound: f64) -> Self {
        match self {
            Self::Integer(_) if bound.fract() == 0.0 && bound.abs() < 9e15 => Self::Integer(bound as i64),
            _ => Self::Float(bound),
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Integer(integer) => Self::from(integer),
            Number::Float(float) => Self::from(float),
        }
    }
}

impl Adjust {
    /// The adjusted number; integers stay integers as long as no fraction is asked for.
    pub(super) fn apply(self, number: Number) -> Number {
        match (self, number) {
            (Self::AtLeast(least), _) if number.as_f64() < least => number.alike(least),
            (Self::AtMost(most), _) if number.as_f64() > most => number.alike(most),
            // The engine's filter rounds the decimal text too: 2.675 is a little less than it looks.
            (Self::Round(digits), Number::Float(float)) => {
                Number::Float(format!("{float:.digits$}").parse().unwrap_or(float))
            }
            _ => number,
        }
    }

    /// The adjusted value, if it is a number.
    pub(super) fn apply_to_value(self, value: Value) -> Result<Value, String> {
        let number = match f64::try_from(value.clone()) {
            // Integers beyond 64 bits are compared as floats and keep their digits.
            Ok(float) if value.is_number() => match value.as_i64().filter(|_| value.is_integer()) {
                Some(integer) => Number::Integer(integer),
                None => Number::Float(float),
            },
            _ => return Err(format!("expected a number, got {}", value.kind())),
        };
        let adjusted = self.apply(number);
        Ok(if adjusted == number { value } else { adjusted.into() })
    }
}
