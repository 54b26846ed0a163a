//! The random functions of the template language, each bound to its arguments once.

use std::fmt::Write;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;
use rand::RngExt;
use rand_distr::{Distribution, Exp, LogNormal, Normal};

use super::function::{Bound, integer, kind, number};
use super::number::Number;
use crate::random::UserRng;

/// A random function with its arguments.
#[derive(Clone, Debug)]
pub(super) enum Draw {
    Number(NumberDraw),
    Choice(Arc<[Value]>),
    Weighted(Arc<Weighted>),
    Uuid,
}

/// A random function that yields numbers, with its arguments.
#[derive(Clone, Copy, Debug)]
pub(super) enum NumberDraw {
    Integer { low: i64, high: i64 },
    Uniform { low: f64, span: f64 },
    Normal(Normal<f64>),
    LogNormal(LogNormal<f64>),
    Exponential(Exp<f64>),
}

/// Items to choose from with unequal odds. Invariant: there is at least one, and `ends` rises strictly.
#[derive(Debug)]
pub(super) struct Weighted {
    items: Vec<Value>,
    /// The sum of the weights up to and including each item.
    ends: Vec<f64>,
}

impl Draw {
    /// Draws once.
    pub(super) fn draw(&self, rng: &mut UserRng) -> Value {
        match self {
            Self::Number(number) => number.draw(rng).into(),
            Self::Choice(items) => items[rng.random_range(0..items.len())].clone(),
            Self::Weighted(weighted) => weighted.draw(rng),
            Self::Uuid => Value::from(uuid_of(rng.random())),
        }
    }
}

impl NumberDraw {
    /// Draws once.
    pub(super) fn draw(&self, rng: &mut UserRng) -> Number {
        match self {
            Self::Integer { low, high } => Number::Integer(rng.random_range(*low..=*high)),
            Self::Uniform { low, span } => Number::Float(low + span * rng.random::<f64>()),
            Self::Normal(normal) => Number::Float(normal.sample(rng)),
            Self::LogNormal(lognormal) => Number::Float(lognormal.sample(rng)),
            Self::Exponential(exponential) => Number::Float(exponential.sample(rng)),
        }
    }
}

impl From<NumberDraw> for Bound {
    fn from(draw: NumberDraw) -> Self {
        Self::Draw(Draw::Number(draw))
    }
}

impl Weighted {
    fn draw(&self, rng: &mut UserRng) -> Value {
        let last = self.items.len() - 1;
        let ticket = rng.random::<f64>() * self.ends[last];
        // A product may round up to the very end.
        self.items[self.ends.partition_point(|end| *end <= ticket).min(last)].clone()
    }
}

pub(super) fn randint(arguments: &[Value]) -> Result<Bound, String> {
    let (low, high) = (integer(&arguments[0])?, integer(&arguments[1])?);
    if low > high {
        return Err(format!("needs a <= b, got {low} and {high}"));
    }
    Ok(NumberDraw::Integer { low, high }.into())
}

pub(super) fn uniform(arguments: &[Value]) -> Result<Bound, String> {
    let (low, high) = (number(&arguments[0])?, number(&arguments[1])?);
    let span = high - low;
    if !(span >= 0.0 && span.is_finite()) {
        return Err(format!("needs a <= b, got {low} and {high}"));
    }
    Ok(NumberDraw::Uniform { low, span }.into())
}

pub(super) fn normal(arguments: &[Value]) -> Result<Bound, String> {
    let (mean, stddev) = (number(&arguments[0])?, number(&arguments[1])?);
    match Normal::new(mean, stddev) {
        Ok(normal) if stddev >= 0.0 => Ok(NumberDraw::Normal(normal).into()),
        _ => Err(format!("needs stddev >= 0, got {stddev}")),
    }
}

pub(super) fn lognormal(arguments: &[Value]) -> Result<Bound, String> {
    let (mu, sigma) = (number(&arguments[0])?, number(&arguments[1])?);
    match LogNormal::new(mu, sigma) {
        Ok(lognormal) if sigma >= 0.0 => Ok(NumberDraw::LogNormal(lognormal).into()),
        _ => Err(format!("needs sigma >= 0, got {sigma}")),
    }
}

pub(super) fn exponential(arguments: &[Value]) -> Result<Bound, String> {
    let rate = number(&arguments[0])?;
    match Exp::new(rate) {
        Ok(exponential) if rate > 0.0 => Ok(NumberDraw::Exponential(exponential).into()),
        _ => Err(format!("needs rate > 0, got {rate}")),
    }
}

pub(super) fn choice(arguments: &[Value]) -> Result<Bound, String> {
    let items = list(&arguments[0]).ok_or_else(|| format!("needs a list, got {}", kind(&arguments[0])))?;
    if items.is_empty() {
        return Err("needs a list with at least one item".to_owned());
    }
    Ok(Bound::Draw(Draw::Choice(items.into())))
}

pub(super) fn weighted_choice(arguments: &[Value]) -> Result<Bound, String> {
    let (mut items, mut ends, mut sum) = (Vec::new(), Vec::new(), 0.0);
    for (item, weight) in weighted_items(&arguments[0])? {
        let weight = number(&weight)?;
        if weight < 0.0 {
            return Err(format!("needs weights of at least 0, got {weight}"));
        }
        // What is never chosen, or not within the precision of the sum, has no place among rising ends.
        if sum + weight > sum {
            sum += weight;
            items.push(item);
            ends.push(sum);
        }
    }
    if items.is_empty() || !sum.is_finite() {
        return Err(format!("needs weights with a finite sum above 0, got {sum}"));
    }
    Ok(Bound::Draw(Draw::Weighted(Arc::new(Weighted { items, ends }))))
}

/// The pairs of `{item: weight, ...}` or `[[item, weight], ...]`.
fn weighted_items(value: &Value) -> Result<Vec<(Value, Value)>, String> {
    let wrong = |kind: String| format!("needs {{item: weight, ...}} or [[item, weight], ...], got {kind}");
    let items = list(value).ok_or_else(|| wrong(kind(value)))?;
    let is_map = value.kind() == ValueKind::Map;
    let pairs = items.into_iter().map(|item| match is_map {
        true => value.get_item(&item).map(|weight| (item, weight)).map_err(|error| error.to_string()),
        false => match list(&item).as_deref() {
            Some([choice, weight]) if item.kind() != ValueKind::Map => Ok((choice.clone(), weight.clone())),
            _ => Err(wrong(format!("{} in the list", kind(&item)))),
        },
    });
    pairs.collect()
}

/// The items of a list, or the keys of a mapping. Text is none of these.
fn list(value: &Value) -> Option<Vec<Value>> {
    value.try_iter().ok().filter(|_| value.as_str().is_none()).map(Iterator::collect)
}

pub(super) fn uuid4(_: &[Value]) -> Result<Bound, String> {
    Ok(Bound::Draw(Draw::Uuid))
}

/// The text of a version 4 UUID made of these random bits.
fn uuid_of(random: u128) -> String {
    const VERSION: u128 = 4 << 76;
    const VARIANT: u128 = 2 << 62;
    let bits = random & !(0xf << 76) & !(3 << 62) | VERSION | VARIANT;
    let mut text = String::with_capacity(36);
    for (index, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
