//! The random functions of the template language, each bound to its arguments once.
//!
//! Both ways to call one end here: the compiler binds calls whose arguments are literals when the scenario is
//! loaded, the template engine binds the others while it renders. So both check and draw alike.

use std::fmt::Write;
use std::sync::Arc;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use rand::RngExt;
use rand_distr::{Distribution, Exp, LogNormal, Normal};

use super::context::Scope;
use crate::random::UserRng;
use crate::suggest::nearest;

/// A random function with its arguments.
#[derive(Clone, Debug)]
pub(super) enum Draw {
    Integer { low: i64, high: i64 },
    Uniform { low: f64, span: f64 },
    Normal(Normal<f64>),
    LogNormal(LogNormal<f64>),
    Exponential(Exp<f64>),
    Choice(Arc<[Value]>),
    Uuid,
}

/// The arguments of a call as they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

/// A random function of the language: its parameters, those that have one with their default.
pub(super) struct Function {
    pub(super) name: &'static str,
    parameters: &'static [(&'static str, Option<f64>)],
    bind: fn(&[Value]) -> Result<Draw, String>,
}

/// Every random function.
pub(super) const FUNCTIONS: [Function; 7] = [
    Function { name: "randint", parameters: &[("a", None), ("b", None)], bind: randint },
    Function { name: "uniform", parameters: &[("a", None), ("b", None)], bind: uniform },
    Function { name: "normal", parameters: &[("mean", Some(0.0)), ("stddev", Some(1.0))], bind: normal },
    Function { name: "lognormal", parameters: &[("mu", None), ("sigma", None)], bind: lognormal },
    Function { name: "exponential", parameters: &[("rate", None)], bind: exponential },
    Function { name: "choice", parameters: &[("list", None)], bind: choice },
    Function { name: "uuid4", parameters: &[], bind: |_| Ok(Draw::Uuid) },
];

impl Draw {
    /// Draws once.
    pub(super) fn draw(&self, rng: &mut UserRng) -> Value {
        match self {
            Self::Integer { low, high } => Value::from(rng.random_range(*low..=*high)),
            Self::Uniform { low, span } => Value::from(low + span * rng.random::<f64>()),
            Self::Normal(normal) => Value::from(normal.sample(rng)),
            Self::LogNormal(lognormal) => Value::from(lognormal.sample(rng)),
            Self::Exponential(exponential) => Value::from(exponential.sample(rng)),
            Self::Choice(items) => items[rng.random_range(0..items.len())].clone(),
            Self::Uuid => Value::from(uuid4(rng.random())),
        }
    }
}

impl Function {
    /// The function of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|function| function.name == name)
    }

    /// Binds the function to arguments; the error says what is wrong with them.
    pub(super) fn bind(&self, arguments: &Arguments) -> Result<Draw, String> {
        let name = self.name;
        let Arguments { positional, named } = arguments;
        if positional.len() > self.parameters.len() {
            return Err(self.wrong_count(positional.len()));
        }
        let mut slots: Vec<Option<Value>> = positional.iter().cloned().map(Some).collect();
        slots.resize(self.parameters.len(), None);
        for (key, value) in named {
            let Some(index) = self.parameters.iter().position(|(parameter, _)| parameter == key) else {
                let words = self.parameters.iter().map(|(parameter, _)| *parameter);
                let help =
                    nearest(key, words).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
                return Err(format!("`{name}` has no argument `{key}`{help}"));
            };
            if slots[index].replace(value.clone()).is_some() {
                return Err(format!("`{name}` got `{key}` twice"));
            }
        }
        let defaults = self.parameters.iter().map(|(_, default)| default.map(Value::from));
        let values: Option<Vec<_>> =
            slots.into_iter().zip(defaults).map(|(slot, default)| slot.or(default)).collect();
        match values {
            Some(values) => (self.bind)(&values).map_err(|reason| format!("`{name}` {reason}")),
            None => Err(self.wrong_count(positional.len() + named.len())),
        }
    }

    fn wrong_count(&self, got: usize) -> String {
        let written: Vec<String> = self
            .parameters
            .iter()
            .map(|(parameter, default)| match default {
                Some(default) => format!("{parameter}={default}"),
                None => (*parameter).to_owned(),
            })
            .collect();
        format!(
            "`{}({})` got {got} argument{}",
            self.name,
            written.join(", "),
            if got == 1 { "" } else { "s" }
        )
    }
}

/// Adds every random function to a template environment.
pub(super) fn register(environment: &mut Environment<'static>) {
    for function in &FUNCTIONS {
        let call = move |state: &State<'_, '_>, positional: Rest<Value>, named: Kwargs| {
            let draw = function.bind(&arguments(positional, &named)?).map_err(invalid)?;
            Scope::draw(state, |rng| draw.draw(rng)).ok_or_else(|| invalid("no user to draw for".to_owned()))
        };
        environment.add_function(function.name, call);
    }
}

fn invalid(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// The arguments of a call by the engine.
fn arguments(positional: Rest<Value>, named: &Kwargs) -> Result<Arguments, Error> {
    let mut arguments = Arguments { positional: positional.0, named: Vec::new() };
    for key in named.args() {
        arguments.named.push((key.to_owned(), named.get(key)?));
    }
    Ok(arguments)
}

fn randint(arguments: &[Value]) -> Result<Draw, String> {
    let (low, high) = (integer(&arguments[0])?, integer(&arguments[1])?);
    if low > high {
        return Err(format!("needs a <= b, got {low} and {high}"));
    }
    Ok(Draw::Integer { low, high })
}

fn uniform(arguments: &[Value]) -> Result<Draw, String> {
    let (low, high) = (number(&arguments[0])?, number(&arguments[1])?);
    let span = high - low;
    if !(span >= 0.0 && span.is_finite()) {
        return Err(format!("needs a <= b, got {low} and {high}"));
    }
    Ok(Draw::Uniform { low, span })
}

fn normal(arguments: &[Value]) -> Result<Draw, String> {
    let (mean, stddev) = (number(&arguments[0])?, number(&arguments[1])?);
    match Normal::new(mean, stddev) {
        Ok(normal) if stddev >= 0.0 => Ok(Draw::Normal(normal)),
        _ => Err(format!("needs stddev >= 0, got {stddev}")),
    }
}

fn lognormal(arguments: &[Value]) -> Result<Draw, String> {
    let (mu, sigma) = (number(&arguments[0])?, number(&arguments[1])?);
    match LogNormal::new(mu, sigma) {
        Ok(lognormal) if sigma >= 0.0 => Ok(Draw::LogNormal(lognormal)),
        _ => Err(format!("needs sigma >= 0, got {sigma}")),
    }
}

fn exponential(arguments: &[Value]) -> Result<Draw, String> {
    let rate = number(&arguments[0])?;
    match Exp::new(rate) {
        Ok(exponential) if rate > 0.0 => Ok(Draw::Exponential(exponential)),
        _ => Err(format!("needs rate > 0, got {rate}")),
    }
}

fn choice(arguments: &[Value]) -> Result<Draw, String> {
    let items: Vec<Value> = match arguments[0].try_iter() {
        Ok(items) if arguments[0].as_str().is_none() => items.collect(),
        _ => return Err(format!("needs a list, got {}", kind(&arguments[0]))),
    };
    if items.is_empty() {
        return Err("needs a list with at least one item".to_owned());
    }
    Ok(Draw::Choice(items.into()))
}

fn integer(value: &Value) -> Result<i64, String> {
    match i64::try_from(value.clone()) {
        Ok(integer) if value.is_number() => Ok(integer),
        _ if value.is_number() => Err(format!("needs integers, got {value}")),
        _ => Err(format!("needs integers, got {}", kind(value))),
    }
}

fn number(value: &Value) -> Result<f64, String> {
    match f64::try_from(value.clone()) {
        Ok(number) if value.is_number() && number.is_finite() => Ok(number),
        _ if value.is_number() => Err(format!("needs finite numbers, got {value}")),
        _ => Err(format!("needs numbers, got {}", kind(value))),
    }
}

/// What a value is, in the words of the notes.
fn kind(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("text `{text}`"),
        None => value.kind().to_string(),
    }
}

/// The text of a version 4 UUID made of these random bits.
fn uuid4(random: u128) -> String {
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
