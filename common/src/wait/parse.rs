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
        }
    }
}

/// The functions and a correct call of each.
const FUNCTIONS: [(&str, &str); 4] = [
    ("constant", "constant(1)"),
    ("between", "between(0.1, 0.5)"),
    ("constant_pacing", "constant_pacing(1)"),
    ("constant_throughput", "constant_throughput(2)"),
];

fn call(name: &str, arguments: &[&str]) -> Result<WaitTime, WaitTimeError> {
    let Some((function, example)) = FUNCTIONS.into_iter().find(|(function, _)| *function == name) else {
        let suggestion = nearest(name, FUNCTIONS.map(|(function, _)| function));
        return Err(WaitTimeError::UnknownFunction { name: name.to_owned(), suggestion });
    };
    match (function, arguments) {
        ("constant", [rest]) => Ok(WaitTime::Constant(span(function, rest)?)),
        ("between", [min, max]) => between(min, max),
        ("constant_pacing", [period]) => Ok(WaitTime::ConstantPacing(span(function, period)?)),
        ("constant_throughput", [iterations]) => iterations
            .parse()
            .ok()
            .and_then(Throughput::per_second)
            .map(WaitTime::ConstantThroughput)
            .ok_or_else(|| WaitTimeError::Throughput((*iterations).to_owned())),
        _ => Err(WaitTimeError::ArgumentCount { function, given: arguments.len(), example }),
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

fn split_arguments(text: &str) -> Vec<&str> {
    if text.trim().is_empty() { Vec::new() } else { text.split(',').map(str::trim).collect() }
}

fn did_you_mean(suggestion: &Option<&'static str>) -> String {
    match suggestion {
        Some(function) => format!("did you mean {function:?}?"),
        None => format!("there are {}", FUNCTIONS.map(|(function, _)| function).join(", ")),
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
            r#"there is no wait time "gauss"; there are constant, between, constant_pacing, constant_throughput"#,
        );
        check("between(1)", "between was given 1 arguments; write between(0.1, 0.5)");
        check("constant()", "constant was given 0 arguments; write constant(1)");
        check("constant_pacing(1, 2)", "constant_pacing was given 2 arguments; write constant_pacing(1)");
        check("between(-1, 2)", r#"between cannot wait for "-1": a wait cannot be negative"#);
        check("constant(-5ms)", r#"constant cannot wait for "-5ms": a wait cannot be negative"#);
        check("-1", r#"constant cannot wait for "-1": a wait cannot be negative"#);
        check("between(0, inf)", r#"between cannot wait for "inf": a wait must be finite"#);
        check("constant(nan)", r#"constant cannot wait for "nan": a wait must be finite"#);
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
        ]
    }

    proptest! {
        #[test]
        fn a_wait_time_prints_as_it_parses(wait in wait_times()) {
            prop_assert_eq!(WaitTime::parse(&wait.to_string()), Ok(wait));
        }

        #[test]
        fn any_text_gives_a_wait_time_or_an_error(text in "[a-z_]{0,9}\\(?[-0-9.,e ]{0,9}\\)?|.{0,20}") {
            let _ = WaitTime::parse(&text);
        }
    }
}
