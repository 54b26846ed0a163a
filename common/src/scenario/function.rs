//! The functions of the template language: their names, their parameters, and what becomes of a call.
//!
//! Both ways to call one end here: the compiler binds calls whose arguments are literals when the scenario is
//! loaded, the template engine binds the others while it renders. So both check and answer alike. What a function
//! does stands in a file of its own beside this one.

use std::fmt;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::context::{Lease, Scope};
use super::counter::{self, Counter};
use super::draw::{self, Draw};
use super::encode;
use super::env::{self, Env};
use super::now::{self, Now};
use crate::suggest::nearest;

/// A function with its arguments, ready to be called any number of times.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    /// It depends on its arguments alone: this is what it says.
    Value(Value),
    Draw(Draw),
    Now(Now),
    Counter(Counter),
    Env(Env),
}

/// The arguments of a call as they were written.
#[derive(Clone, Debug, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

/// The names of parameters; those that may be left out have a default.
type Parameters = &'static [(&'static str, Option<Literal>)];

/// Binds a value for each parameter; the error goes on a sentence that begins with the function's name.
type Bind = fn(&[Value]) -> Result<Bound, String>;

/// A function of the language.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// It is a filter too, whose first argument stands before the bar.
    is_filter: bool,
    parameters: Parameters,
    bind: Bind,
}

/// The default of a parameter.
#[derive(Clone, Copy, Debug)]
enum Literal {
    Number(f64),
    Integer(i64),
    Text(&'static str),
    False,
    /// The function knows that the argument is missing.
    Absent,
}

/// Every function.
#[rustfmt::skip]
pub(super) const FUNCTIONS: [Function; 15] = [
    function("randint", &[("a", None), ("b", None)], draw::randint),
    function("uniform", &[("a", None), ("b", None)], draw::uniform),
    function("normal", &[("mean", Some(Literal::Number(0.0))), ("stddev", Some(Literal::Number(1.0)))], draw::normal),
    function("lognormal", &[("mu", None), ("sigma", None)], draw::lognormal),
    function("exponential", &[("rate", None)], draw::exponential),
    function("choice", &[("list", None)], draw::choice),
    function("weighted_choice", &[("weights", None)], draw::weighted_choice),
    function("uuid4", &[], draw::uuid4),
    function("now", &[("format", Some(Literal::Text("s")))], now::now),
    function(
        "counter",
        &[("name", Some(Literal::Text(""))), ("start", Some(Literal::Integer(0))), ("step", Some(Literal::Integer(1)))],
        counter::counter,
    ),
    function("env", &[("name", None), ("default", Some(Literal::Absent))], env::env),
    filter("hash", &[("text", None), ("algorithm", Some(Literal::Text("sha256")))], encode::hash),
    filter("b64", &[("text", None), ("urlsafe", Some(Literal::False))], encode::b64),
    filter("b64decode", &[("text", None)], encode::b64decode),
    filter("json", &[("value", None)], encode::json),
];

const fn function(name: &'static str, parameters: Parameters, bind: Bind) -> Function {
    Function { name, is_filter: false, parameters, bind }
}

const fn filter(name: &'static str, parameters: Parameters, bind: Bind) -> Function {
    Function { name, is_filter: true, parameters, bind }
}

impl Bound {
    /// What the function says this time; the error says why it cannot.
    pub(super) fn call(&self, lease: &mut Lease<'_>) -> Result<Value, String> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Draw(draw) => Ok(draw.draw(&mut lease.state().rng)),
            Self::Now(now) => now.read(lease.outside()),
            Self::Counter(counter) => lease.state().counters.next(counter),
            Self::Env(env) => env.read(lease.outside()),
        }
    }
}

impl Function {
    /// The function of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|function| function.name == name)
    }

    /// The function that is the filter of that name.
    pub(super) fn filter(name: &str) -> Option<&'static Self> {
        Self::named(name).filter(|function| function.is_filter)
    }

    /// Binds the function to arguments; the error says what is wrong with them.
    pub(super) fn bind(&self, arguments: Arguments) -> Result<Bound, String> {
        let name = self.name;
        let Arguments { positional, named } = arguments;
        let count = positional.len() + named.len();
        if positional.len() > self.parameters.len() {
            return Err(self.wrong_count(positional.len()));
        }
        let mut slots: Vec<Option<Value>> = positional.into_iter().map(Some).collect();
        slots.resize(self.parameters.len(), None);
        for (key, value) in named {
            let Some(index) = self.parameters.iter().position(|(parameter, _)| *parameter == key) else {
                let words = self.parameters.iter().map(|(parameter, _)| *parameter);
                let help =
                    nearest(&key, words).map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
                return Err(format!("`{name}` has no argument `{key}`{help}"));
            };
            if slots[index].replace(value).is_some() {
                return Err(format!("`{name}` got `{key}` twice"));
            }
        }
        let defaults = self.parameters.iter().map(|(_, default)| default.map(Literal::value));
        let values: Option<Vec<_>> =
            slots.into_iter().zip(defaults).map(|(slot, default)| slot.or(default)).collect();
        match values {
            Some(values) => (self.bind)(&values).map_err(|reason| format!("`{name}` {reason}")),
            None => Err(self.wrong_count(count)),
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

impl Literal {
    fn value(self) -> Value {
        match self {
            Self::Number(number) => Value::from(number),
            Self::Integer(integer) => Value::from(integer),
            Self::Text(text) => Value::from(text),
            Self::False => Value::from(false),
            Self::Absent => Value::UNDEFINED,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::False => f.write_str("false"),
            Self::Absent => f.write_str("..."),
        }
    }
}

/// Adds every function, and those that are filters as such, to a template environment.
pub(super) fn register(environment: &mut Environment<'static>) {
    for function in &FUNCTIONS {
        let call = move |state: &State<'_, '_>, positional: Rest<Value>, named: Kwargs| {
            let bound = function.bind(arguments(positional, &named)?).map_err(invalid)?;
            let scope = Scope::of(state).ok_or_else(|| invalid("no user to call it for".to_owned()))?;
            bound.call(&mut Lease::new(&scope)).map_err(invalid)
        };
        environment.add_function(function.name, call);
        if function.is_filter {
            environment.add_filter(function.name, call);
        }
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

/// An integer among the arguments.
pub(super) fn integer(value: &Value) -> Result<i64, String> {
    match i64::try_from(value.clone()) {
        Ok(integer) if value.is_number() => Ok(integer),
        _ if value.is_number() => Err(format!("needs integers, got {value}")),
        _ => Err(format!("needs integers, got {}", kind(value))),
    }
}

/// A number among the arguments.
pub(super) fn number(value: &Value) -> Result<f64, String> {
    match f64::try_from(value.clone()) {
        Ok(number) if value.is_number() && number.is_finite() => Ok(number),
        _ if value.is_number() => Err(format!("needs finite numbers, got {value}")),
        _ => Err(format!("needs numbers, got {}", kind(value))),
    }
}

/// The text that stands for `what` among the arguments.
pub(super) fn text<'v>(value: &'v Value, what: &str) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("needs text for its {what}, got {}", kind(value)))
}

/// What a value is, in the words of the notes.
pub(super) fn kind(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("text `{text}`"),
        None => value.kind().to_string(),
    }
}
