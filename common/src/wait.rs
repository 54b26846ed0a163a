//! Wait times: how long a user rests between two iterations, and when it should begin the next.
//!
//! Scenario files name a [`WaitTime`] in Locust's words, every user keeps a [`Pacer`]. Nobody waits in here: the
//! pacer is told when an iteration finished and answers when the next should start.
//!
//! ```text
//!  constant_pacing(1), the second iteration takes too long:
//!
//!  intended   |0        |1        |2        |3        |4       always on the schedule
//!  iterations [####]    [##################][####][###]        late ones start at once, none is skipped
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::{Rng, RngExt};
use thiserror::Error;

use crate::suggest::nearest;
use crate::time::{RunTime, micros};
use crate::timespan::{DurationError, MAX_SPAN, parse_duration};

/// How long a user rests between two iterations. Prints as it parses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WaitTime {
    /// Always the same rest.
    Constant(Duration),
    /// A rest drawn evenly between two bounds, both included.
    Between {
        /// The shortest rest.
        min: Duration,
        /// The longest rest, not below `min`.
        max: Duration,
    },
    /// Iterations start so far apart. Under a microsecond this is no schedule but a rest of zero.
    ConstantPacing(Duration),
    /// So many iterations start per second.
    ConstantThroughput(Throughput),
}

/// Iterations per second of one user: above zero and at most a million.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Throughput(f64);

impl Throughput {
    /// One iteration per microsecond, the resolution of the run's clock.
    pub const MAX_PER_SECOND: f64 = 1e6;

    /// So many iterations per second; `None` if that is out of bounds. The slowest is one in [`MAX_SPAN`].
    pub fn per_second(iterations: f64) -> Option<Self> {
        let slowest = MAX_SPAN.as_secs_f64().recip();
        (slowest..=Self::MAX_PER_SECOND).contains(&iterations).then_some(Self(iterations))
    }

    /// Iterations per second.
    pub fn as_per_second(self) -> f64 {
        self.0
    }
}

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

    /// The mean rest, if it does not depend on how long iterations take.
    pub fn mean(&self) -> Option<Duration> {
        match *self {
            Self::Constant(rest) => Some(rest),
            Self::Between { min, max } => Some(min.saturating_add(max) / 2),
            Self::ConstantPacing(_) | Self::ConstantThroughput(_) => None,
        }
    }

    /// The highest number of iterations per second that one user makes, if they take no time at all; `None` if the
    /// wait time sets no limit.
    pub fn max_rate(&self) -> Option<f64> {
        let period = match *self {
            Self::Constant(period) | Self::ConstantPacing(period) => period,
            Self::Between { min, max } => min.saturating_add(max) / 2,
            Self::ConstantThroughput(throughput) => return Some(throughput.as_per_second()),
        };
        (!period.is_zero()).then(|| period.as_secs_f64().recip())
    }

    /// Whether iterations follow a schedule, however long they take.
    pub fn is_paced(&self) -> bool {
        self.period_attos().is_some()
    }

    /// The time from one intended start to the next, if there is a schedule.
    fn period_attos(&self) -> Option<u128> {
        match *self {
            Self::Constant(_) | Self::Between { .. } => None,
            Self::ConstantPacing(period) if micros(period) == 0 => None,
            Self::ConstantPacing(period) => Some(period.as_nanos().saturating_mul(ATTOS_PER_NANO)),
            Self::ConstantThroughput(throughput) => Some((ATTOS_PER_SECOND / throughput.0).round() as u128),
        }
    }

    /// The rest before the next iteration, if there is no schedule.
    fn draw(&self, rng: &mut (impl Rng + ?Sized)) -> Duration {
        match *self {
            Self::Constant(rest) => rest,
            Self::Between { min, max } if min < max => {
                Duration::from_micros(rng.random_range(micros(min)..=micros(max)))
            }
            Self::Between { min, .. } => min,
            Self::ConstantPacing(_) | Self::ConstantThroughput(_) => Duration::ZERO,
        }
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

/// When a user should begin its next iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextStart {
    /// When the iteration should start; in the past if the user fell behind its schedule.
    pub intended: RunTime,
    /// From the end of the last iteration to the start of the next; zero if the user fell behind.
    pub wait: Duration,
}

/// The schedule of one user.
///
/// A paced user's k-th iteration is intended k periods after its first, whatever happened before: neither rounding
/// nor a slow target makes the schedule drift. A user that fell behind begins one iteration after the other until it
/// caught up. An unpaced user rests after it finished, and so has no schedule to fall behind.
#[derive(Clone, Debug)]
pub struct Pacer {
    wait: WaitTime,
    first: RunTime,
    /// When the iteration planned last should start.
    intended: RunTime,
    /// Iterations planned so far, the first included.
    iterations: u64,
}

impl Pacer {
    /// The schedule of a user whose first iteration should start at `first`.
    pub fn new(wait: WaitTime, first: RunTime) -> Self {
        Self { wait, first, intended: first, iterations: 1 }
    }

    /// When the next iteration should start, the last one having ended at `finished`.
    pub fn next(&mut self, finished: RunTime, rng: &mut (impl Rng + ?Sized)) -> NextStart {
        self.intended = match self.wait.period_attos() {
            Some(period) => self.first + offset(period, self.iterations),
            None => finished + self.wait.draw(rng),
        };
        self.iterations = self.iterations.saturating_add(1);
        NextStart { intended: self.intended, wait: self.intended.saturating_since(finished) }
    }

    /// How many iterations should have started by `now`. A paced user's schedule counts on while the user is busy;
    /// without one, these are the iterations whose start came.
    pub fn planned(&self, now: RunTime) -> u64 {
        match self.wait.period_attos() {
            Some(_) if now < self.first => 0,
            Some(period) => starts_within(period, now.saturating_since(self.first)),
            None if now < self.intended => self.iterations - 1,
            None => self.iterations,
        }
    }
}

/// Periods are integers of attoseconds: fine enough that a third of a second drifts by no microsecond in a century,
/// and exact arithmetic lets [`starts_within`] invert [`offset`] without doubt.
const ATTOS_PER_SECOND: f64 = 1e18;
const ATTOS_PER_NANO: u128 = 1_000_000_000;
const ATTOS_PER_MICRO: u128 = 1_000_000_000_000;

/// `count` periods, rounded to the nearest microsecond.
fn offset(period_attos: u128, count: u64) -> Duration {
    let attos = period_attos.saturating_mul(u128::from(count)).saturating_add(ATTOS_PER_MICRO / 2);
    Duration::from_micros(u64::try_from(attos / ATTOS_PER_MICRO).unwrap_or(u64::MAX))
}

/// How many of the offsets 0, 1, 2, … periods are not above `elapsed`.
fn starts_within(period_attos: u128, elapsed: Duration) -> u64 {
    // Everything that rounds to `elapsed` counts, up to half a microsecond later.
    let end = u128::from(micros(elapsed)) * ATTOS_PER_MICRO + ATTOS_PER_MICRO / 2;
    u64::try_from((end - 1) / period_attos).unwrap_or(u64::MAX).saturating_add(1)
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
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn throughput(per_second: f64) -> WaitTime {
        WaitTime::ConstantThroughput(Throughput::per_second(per_second).unwrap())
    }

    fn rng() -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(7)
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

    #[test]
    fn means_and_rates_tell_what_a_user_can_do_at_most() {
        let check = |text: &str, mean: Option<u64>, rate: Option<f64>, paced: bool| {
            let wait = WaitTime::parse(text).unwrap();
            assert_eq!(
                (wait.mean(), wait.max_rate(), wait.is_paced()),
                (mean.map(millis), rate, paced),
                "{text}"
            );
        };
        check("constant(2)", Some(2000), Some(0.5), false);
        check("constant(0)", Some(0), None, false);
        check("between(0.1, 0.4)", Some(250), Some(4.0), false);
        check("constant_pacing(0.5)", None, Some(2.0), true);
        check("constant_pacing(0)", None, None, false);
        check("constant_throughput(3)", None, Some(3.0), true);
    }

    #[test]
    fn a_late_user_starts_at_once_and_returns_to_its_schedule() {
        let mut pacer = Pacer::new(WaitTime::ConstantPacing(millis(1000)), RunTime::from_secs(10));
        let mut check = |finished_millis: u64, intended: u64, wait_millis: u64| {
            let next = pacer.next(RunTime::ZERO + millis(finished_millis), &mut rng());
            assert_eq!(next, NextStart { intended: RunTime::from_secs(intended), wait: millis(wait_millis) });
        };
        check(10_400, 11, 600);
        check(13_100, 12, 0);
        check(13_200, 13, 0);
        check(13_300, 14, 700);
    }

    #[test]
    fn an_unpaced_user_rests_after_it_finished() {
        let mut pacer = Pacer::new(WaitTime::Constant(millis(250)), RunTime::ZERO);
        let next = pacer.next(RunTime::from_secs(7), &mut rng());
        assert_eq!(next, NextStart { intended: RunTime::from_micros(7_250_000), wait: millis(250) });
    }

    #[test]
    fn schedules_count_while_the_user_is_busy() {
        let pacer = Pacer::new(throughput(4.0), RunTime::from_secs(1));
        let check =
            |at_micros, expected| assert_eq!(pacer.planned(RunTime::from_micros(at_micros)), expected);
        check(999_999, 0);
        check(1_000_000, 1);
        check(1_249_999, 1);
        check(1_250_000, 2);
        check(61_000_000, 241);
    }

    #[test]
    fn starts_between_two_microseconds_are_due_at_the_later_one() {
        let pacer = Pacer::new(WaitTime::ConstantPacing(Duration::from_nanos(1500)), RunTime::ZERO);
        let counts = (0..6).map(|at| pacer.planned(RunTime::from_micros(at)));
        assert_eq!(Vec::from_iter(counts), [1, 1, 2, 3, 3, 4]);
    }

    #[test]
    fn without_a_schedule_the_starts_that_came_count() {
        let mut pacer = Pacer::new(WaitTime::Constant(millis(500)), RunTime::from_secs(1));
        assert_eq!(pacer.planned(RunTime::ZERO), 0);
        assert_eq!(pacer.planned(RunTime::from_secs(9)), 1);
        pacer.next(RunTime::from_secs(9), &mut rng());
        assert_eq!(pacer.planned(RunTime::from_micros(9_499_999)), 1);
        assert_eq!(pacer.planned(RunTime::from_micros(9_500_000)), 2);
    }

    #[test]
    fn a_third_of_a_second_does_not_drift() {
        let pacer = |iterations| Pacer { iterations, ..Pacer::new(throughput(3.0), RunTime::ZERO) };
        let ten_years = MAX_SPAN.as_secs();
        let next = pacer(3 * ten_years).next(RunTime::ZERO, &mut rng());
        assert_eq!(next.intended, RunTime::from_secs(ten_years));
        let last = pacer(u64::MAX).next(RunTime::ZERO, &mut rng());
        assert!(last.intended > next.intended, "no overflow: {last:?}");
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

        #[test]
        fn schedules_never_drift(
            per_second in 0.01..1e5f64, first in 0..1u64 << 40, busy in prop::collection::vec(0..200_000u64, 1..300),
        ) {
            let first = RunTime::from_micros(first);
            let mut pacer = Pacer::new(throughput(per_second), first);
            let mut rng = rng();
            let mut started = first;
            for (index, busy) in busy.into_iter().enumerate() {
                let next = pacer.next(started + Duration::from_micros(busy), &mut rng);
                let elapsed = next.intended.saturating_since(first).as_secs_f64();
                let expected = (index + 1) as f64 / per_second;
                prop_assert!((elapsed - expected).abs() < 1e-6, "{} instead of {}", elapsed, expected);
                started = started + Duration::from_micros(busy) + next.wait;
                prop_assert!(started >= next.intended);
            }
        }

        #[test]
        fn an_intended_start_is_planned_from_that_moment_on(
            per_second in 0.01..1e6f64, iterations in 1..1_000_000_000u64, first in 0..1u64 << 40,
        ) {
            let wait = throughput(per_second);
            let mut pacer = Pacer { iterations, ..Pacer::new(wait, RunTime::from_micros(first)) };
            let intended = pacer.next(RunTime::ZERO, &mut rng()).intended;
            prop_assert!(pacer.planned(intended) > iterations);
            prop_assert!(pacer.planned(intended - Duration::from_micros(1)) <= iterations);
        }

        #[test]
        fn rests_stay_within_their_bounds(min in 0..10_000_000u64, extra in 0..10_000_000u64, seed in any::<u64>()) {
            let (min, max) = (Duration::from_micros(min), Duration::from_micros(min + extra));
            let mut pacer = Pacer::new(WaitTime::Between { min, max }, RunTime::ZERO);
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let mut finished = RunTime::ZERO;
            for _ in 0..50 {
                let next = pacer.next(finished, &mut rng);
                prop_assert!((min..=max).contains(&next.wait));
                prop_assert_eq!(next.intended, finished + next.wait);
                finished = next.intended + Duration::from_micros(1000);
            }
        }
    }
}
