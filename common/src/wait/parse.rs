//! How wait times are written: read from scenario files, and printed so that they read the same.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use super::{Throughput, WaitTime};
use crate::suggest::nearest;
use crate::timespan::{DurationError, MAX_SPAN, parse_duration};

/// Why a text is not a wait time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WaitTimeError {
    /// Neither a number nor a function with arguments.
    #[error("{0:?} is not a wait time; write a number of seconds, or a function such as between(0.1, 0.5)")]
    Malformed(String),
    /// No wait time has this name.
    #[error("there is no wait time {name:?}; {}", did_you_mean(.suggestion))]
    UnknownFunction {
        /// What was written.
        name: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// Too few or too many arguments.
    #[error("{function} was given {given} arguments; write {example}")]
    ArgumentCount {
        /// The function.
        function: &'static str,
        /// How many it was given.
        given: usize,
        /// A correct call.
        example: &'static str,
    },
    /// An argument is not a span of time.
    #[error("{function} cannot wait for {argument:?}: {source}")]
    Argument {
        /// The function.
        function: &'static str,
        /// The argument.
        argument: String,
        /// What is wrong with it.
        source: DurationError,
    },
    /// An argument is below zero.
    #[error("{function} cannot wait for {argument:?}: a wait cannot be negative")]
    Negative {
        /// The function.
        function: &'static str,
        /// The argument.
        argument: String,
    },
    /// An argument is infinite or not a number.
    #[error("{function} cannot wait for {argument:?}: a wait must be finite")]
    NotFinite {
        /// The function.
        function: &'static str,
        /// The argument.
        argument: String,
    },
    /// The bounds are in the wrong order.
    #[error("between({min}, {max}) has its bounds in the wrong order; write between({max}, {min})")]
    Inverted {
        /// The first argument.
        min: String,
        /// The second argument, which is less.
        max: String,
    },
    /// A named argument that the function does not have, or has already, or one without a name after it.
    #[error("{function} cannot make sense of {argument:?}; write {example}")]
    Name {
        /// The function.
        function: &'static str,
        /// The argument.
        argument: String,
        /// A correct call.
        example: &'static str,
    },
    /// A parameter of a logarithm is out of bounds.
    #[error("lognormal cannot use {0:?}; mu is a finite number, sigma one of at least 0")]
    Parameter(String),
    /// A throughput out of bounds.
    #[error(
        "constant_throughput cannot keep to {0:?} iterations per second; give a number above 0, up to 1000000"
    )]
    Throughput(String),
}

impl WaitTime {
    /// Reads a wait time: a call such as `between(0.1, 0.5)`, or a span alone, which is constant. Spans are numbers
    /// of seconds or have a unit, `100ms`.
    ///
    /// # Errors
    /// The first thing that is wrong with the text, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, WaitTimeError> {
        let text = text.trim();
        let Some((name, rest)) = text.split_once('(') else {
            return match span("constant", text) {
                Err(WaitTimeError::Argument { source: DurationError::Malformed(_), .. }) => {
                    Err(WaitTimeError::Malformed(text.to_owned()))
                }
                other => other.map(Self::Constant),
            };
        };
        let arguments = rest.strip_suffix(')').ok_or_else(|| WaitTimeError::Malformed(text.to_owned()))?;
        call(name.trim_end(), &split_arguments(arguments))
    }
}

impl FromStr for WaitTime {
    type Err = WaitTimeError;

    fn from_str(text: &str) -> Result<Self, WaitTimeError> {
        Self::parse(text)
    }
}

impl fmt::Display for WaitTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Constant(rest) => write!(f, "constant({})", Seconds(rest)),
            Self::Between { min, max } => write!(f, "between({}, {})", Seconds(min), Seconds(max)),
            Self::ConstantPacing(period) => write!(f, "constant_pacing({})", Seconds(period)),
            Self::ConstantThroughput(throughput) => write!(f, "constant_throughput({})", throughput.0),
            Self::Exponential { mean } => write!(f, "exponential({})", Seconds(mean)),
            Self::Normal { mean, stddev } => write!(f, "normal({}, {})", Seconds(mean), Seconds(stddev)),
            Self::LogNormal { mu, sigma } => write!(f, "lognormal({mu}, {sigma})"),
        }
    }
}

/// A way to write a wait time.
#[derive(Clone, Copy)]
struct Function {
    name: &'static str,
    /// The names of its arguments, for those that Locust does not have: its own are called without names.
    names: &'static [&'static str],
    /// A correct call.
    example: &'static str,
}

const FUNCTIONS: [Function; 7] = [
    Function { name: "constant", names: &[], example: "constant(1)" },
    Function { name: "between", names: &[], example: "between(0.1, 0.5)" },
    Function { name: "constant_pacing", names: &[], example: "constant_pacing(1)" },
    Function { name: "constant_throughput", names: &[], example: "constant_throughput(2)" },
    Function { name: "exponential", names: &["mean"], example: "exponential(mean=1)" },
    Function { name: "normal", names: &["mean", "stddev"], example: "normal(mean=1, stddev=0.2)" },
    Function { name: "lognormal", names: &["mu", "sigma"], example: "lognormal(mu=0, sigma=0.5)" },
];

fn call(name: &str, arguments: &[&str]) -> Result<WaitTime, WaitTimeError> {
    let Some(function) = FUNCTIONS.into_iter().find(|function| function.name == name) else {
        let suggestion = nearest(name, FUNCTIONS.map(|function| function.name));
        return Err(WaitTimeError::UnknownFunction { name: name.to_owned(), suggestion });
    };
    let name = function.name;
    match (name, in_order(function, arguments)?.as_slice()) {
        ("constant", [rest]) => Ok(WaitTime::Constant(span(name, rest)?)),
        ("between", [min, max]) => between(min, max),
        ("constant_pacing", [period]) => Ok(WaitTime::ConstantPacing(span(name, period)?)),
        ("constant_throughput", [iterations]) => iterations
            .parse()
            .ok()
            .and_then(Throughput::per_second)
            .map(WaitTime::ConstantThroughput)
            .ok_or_else(|| WaitTimeError::Throughput((*iterations).to_owned())),
        ("exponential", [mean]) => Ok(WaitTime::Exponential { mean: span(name, mean)? }),
        ("normal", [mean, stddev]) => {
            Ok(WaitTime::Normal { mean: span(name, mean)?, stddev: span(name, stddev)? })
        }
        ("lognormal", [mu, sigma]) => {
            Ok(WaitTime::LogNormal { mu: parameter(mu, f64::MIN)?, sigma: parameter(sigma, 0.0)? })
        }
        _ => Err(function.miscalled(arguments)),
    }
}

/// The arguments in the order of the parameters, wherever a name puts them.
fn in_order<'t>(function: Function, arguments: &[&'t str]) -> Result<Vec<&'t str>, WaitTimeError> {
    let Function { name, names, example } = function;
    let first_named = arguments.iter().position(|text| !names.is_empty() && text.contains('='));
    let (positional, named) = arguments.split_at(first_named.unwrap_or(arguments.len()));
    if named.is_empty() {
        return Ok(arguments.to_vec());
    }
    let mut slots: Vec<Option<&str>> = positional.iter().copied().map(Some).collect();
    slots.resize(names.len().max(slots.len()), None);
    for argument in named {
        let refused = || WaitTimeError::Name { function: name, argument: (*argument).to_owned(), example };
        let (key, value) = argument.split_once('=').ok_or_else(refused)?;
        let index = names.iter().position(|name| *name == key.trim_end()).ok_or_else(refused)?;
        if slots[index].replace(value.trim_start()).is_some() {
            return Err(refused());
        }
    }
    slots.into_iter().collect::<Option<_>>().ok_or_else(|| function.miscalled(arguments))
}

impl Function {
    fn miscalled(self, arguments: &[&str]) -> WaitTimeError {
        let Self { name: function, example, .. } = self;
        WaitTimeError::ArgumentCount { function, given: arguments.len(), example }
    }
}

fn between(min_text: &str, max_text: &str) -> Result<WaitTime, WaitTimeError> {
    let (min, max) = (span("between", min_text)?, span("between", max_text)?);
    if min > max {
        return Err(WaitTimeError::Inverted { min: min_text.to_owned(), max: max_text.to_owned() });
    }
    Ok(WaitTime::Between { min, max })
}

/// Reads one argument: a duration, or any other way to write a number of seconds, such as `.5` or `1e-3`.
fn span(function: &'static str, text: &str) -> Result<Duration, WaitTimeError> {
    let argument = text.to_owned();
    let source = match parse_duration(text) {
        Ok(span) => return Ok(span),
        Err(error) => error,
    };
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match text.parse::<f64>() {
        Ok(seconds) if !seconds.is_finite() => Err(WaitTimeError::NotFinite { function, argument }),
        Ok(seconds) if seconds < 0.0 => Err(WaitTimeError::Negative { function, argument }),
        Ok(seconds) if seconds <= MAX_SPAN.as_secs_f64() => Ok(Duration::from_secs_f64(seconds)),
        Ok(_) => Err(WaitTimeError::Argument {
            function,
            source: DurationError::TooLong(argument.clone()),
            argument,
        }),
        Err(_) if unsigned != text && parse_duration(unsigned).is_ok() => {
            Err(WaitTimeError::Negative { function, argument })
        }
        Err(_) => Err(WaitTimeError::Argument { function, argument, source }),
    }
}

/// Reads a finite number that is at least `min`.
fn parameter(text: &str, min: f64) -> Result<f64, WaitTimeError> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= min);
    number.ok_or_else(|| WaitTimeError::Parameter(text.to_owned()))
}

fn split_arguments(text: &str) -> Vec<&str> {
    if text.trim().is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() }
}

fn did_you_mean(suggestion: &Option<&'static str>) -> String {
    match suggestion {
        Some(function) => format!("did you mean {function:?}?"),
        None => format!("there are {}", FUNCTIONS.map(|function| function.name).join(", ")),
    }
}

/// Prints a span as a decimal number of seconds, exactly.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:09}", self.0.as_secs(), self.0.subsec_nanos());
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn throughput(per_second: f64) -> WaitTime {
        WaitTime::ConstantThroughput(Throughput::per_second(per_second).unwrap())
    }

    #[test]
    fn wait_times_are_read_in_the_words_of_locust() {
        let check = |text, expected| assert_eq!(WaitTime::parse(text), Ok(expected), "{text}");
        check("constant(1)", WaitTime::Constant(millis(1000)));
        check("2.5", WaitTime::Constant(millis(2500)));
        check("200ms", WaitTime::Constant(millis(200)));
        check("0", WaitTime::Constant(Duration::ZERO));
        check("between(0.1, 0.5)", WaitTime::Between { min: millis(100), max: millis(500) });
        check("  between ( 100ms,.5 ) ", WaitTime::Between { min: millis(100), max: millis(500) });
        check("between(1, 1)", WaitTime::Between { min: millis(1000), max: millis(1000) });
        check("constant_pacing(1e-3)", WaitTime::ConstantPacing(millis(1)));
        check("constant_pacing(1m30s)", WaitTime::ConstantPacing(millis(90_000)));
        check("constant_throughput(0.1)", throughput(0.1));
        let normal = WaitTime::Normal { mean: millis(1000), stddev: millis(200) };
        check("normal(1, 0.2)", normal);
        check("normal(1s, 200ms)", normal);
        check("normal(1, stddev=0.2)", normal);
        check("normal( stddev = 200ms , mean = 1s )", normal);
        check("exponential(1.5)", WaitTime::Exponential { mean: millis(1500) });
        check("exponential(mean=1.5s)", WaitTime::Exponential { mean: millis(1500) });
        check("lognormal(-1, 0.5)", WaitTime::LogNormal { mu: -1.0, sigma: 0.5 });
        check("lognormal(sigma=1e-1, mu=2)", WaitTime::LogNormal { mu: 2.0, sigma: 0.1 });
    }

    #[test]
    fn errors_say_what_is_wrong_and_what_to_write() {
        let check =
            |text, expected: &str| assert_eq!(WaitTime::parse(text).unwrap_err().to_string(), expected);
        check(
            "soon",
            r#""soon" is not a wait time; write a number of seconds, or a function such as between(0.1, 0.5)"#,
        );
        check(
            "",
            r#""" is not a wait time; write a number of seconds, or a function such as between(0.1, 0.5)"#,
        );
        check(
            "between(1, 2",
            r#""between(1, 2" is not a wait time; write a number of seconds, or a function such as between(0.1, 0.5)"#,
        );
        check("betwen(1, 2)", r#"there is no wait time "betwen"; did you mean "between"?"#);
        check(
            "gauss(1)",
            r#"there is no wait time "gauss"; there are constant, between, constant_pacing, constant_throughput, exponential, normal, lognormal"#,
        );
        check("between(1)", "between was given 1 arguments; write between(0.1, 0.5)");
        check("constant()", "constant was given 0 arguments; write constant(1)");
        check("constant_pacing(1, 2)", "constant_pacing was given 2 arguments; write constant_pacing(1)");
        check("between(-1, 2)", r#"between cannot wait for "-1": a wait cannot be negative"#);
        check("constant(-5ms)", r#"constant cannot wait for "-5ms": a wait cannot be negative"#);
        check("-1", r#"constant cannot wait for "-1": a wait cannot be negative"#);
        check("between(0, inf)", r#"between cannot wait for "inf": a wait must be finite"#);
        check("constant(nan)", r#"constant cannot wait for "nan": a wait must be finite"#);
        check("normal(1)", "normal was given 1 arguments; write normal(mean=1, stddev=0.2)");
        check("normal(mean=1)", "normal was given 1 arguments; write normal(mean=1, stddev=0.2)");
        check(
            "normal(1, 2, stddev=3)",
            r#"normal cannot make sense of "stddev=3"; write normal(mean=1, stddev=0.2)"#,
        );
        check("normal(mean=1, 2)", r#"normal cannot make sense of "2"; write normal(mean=1, stddev=0.2)"#);
        check("normal(mu=1, 2)", r#"normal cannot make sense of "mu=1"; write normal(mean=1, stddev=0.2)"#);
        check("exponential(-1)", r#"exponential cannot wait for "-1": a wait cannot be negative"#);
        check(
            "lognormal(0, -1)",
            r#"lognormal cannot use "-1"; mu is a finite number, sigma one of at least 0"#,
        );
        check(
            "lognormal(inf, 1)",
            r#"lognormal cannot use "inf"; mu is a finite number, sigma one of at least 0"#,
        );
        check("between(2, 1s)", "between(2, 1s) has its bounds in the wrong order; write between(1s, 2)");
    }

    #[test]
    fn arguments_that_are_no_spans_are_refused() {
        let check = |text: &str, argument: &str, source| {
            let expected =
                WaitTimeError::Argument { function: "constant", argument: argument.to_owned(), source };
            assert_eq!(WaitTime::parse(text), Err(expected));
        };
        check("constant(x)", "x", DurationError::Malformed("x".to_owned()));
        check("constant(1d)", "1d", DurationError::Malformed("1d".to_owned()));
        check("constant(100000h)", "100000h", DurationError::TooLong("100000h".to_owned()));
        check("1e300", "1e300", DurationError::TooLong("1e300".to_owned()));
    }

    #[test]
    fn impossible_throughputs_are_refused() {
        for number in ["0", "-1", "nan", "inf", "1e-12", "1000001", "2/s"] {
            let refused = WaitTime::parse(&format!("constant_throughput({number})"));
            assert_eq!(refused, Err(WaitTimeError::Throughput(number.to_owned())));
        }
    }

    fn wait_times() -> impl Strategy<Value = WaitTime> {
        let span = || (0..=MAX_SPAN.as_nanos() as u64).prop_map(Duration::from_nanos);
        let short_span = || (0..5_000_000_000u64).prop_map(Duration::from_nanos);
        let any_span = move || prop_oneof![span(), short_span()];
        prop_oneof![
            any_span().prop_map(WaitTime::Constant),
            (any_span(), any_span()).prop_map(|(a, b)| WaitTime::Between { min: a.min(b), max: a.max(b) }),
            any_span().prop_map(WaitTime::ConstantPacing),
            (1e-6..1e6f64).prop_map(throughput),
            any_span().prop_map(|mean| WaitTime::Exponential { mean }),
            (any_span(), any_span()).prop_map(|(mean, stddev)| WaitTime::Normal { mean, stddev }),
            (-1e3..1e3f64, 0.0..1e3f64).prop_map(|(mu, sigma)| WaitTime::LogNormal { mu, sigma }),
        ]
    }

    proptest! {
        #[test]
        fn a_wait_time_prints_as_it_parses(wait in wait_times()) {
            prop_assert_eq!(WaitTime::parse(&wait.to_string()), Ok(wait));
        }

        #[test]
        fn any_text_gives_a_wait_time_or_an_error(text in "[a-z_]{0,9}\\(?[-0-9.,e= ]{0,9}\\)?|.{0,20}") {
            let _ = WaitTime::parse(&text);
        }
    }
}
