//! Criteria: sentences such as `p95 < 100ms` that a run must satisfy, and what came of them.
//!
//! Scenario files and the command line state them, the report judges them once the run has ended. This module
//! knows the sentences and the comparison; where a figure comes from is the caller's business ([`Measured`]).
//!
//! ```text
//! criterion := metric [ '{' 'name' '=' '"' NAME '"' '}' ] comparison limit
//! metric    := rps | requests | failures | fail_ratio | avg | min | max | median | pNN[.N] | users | dropped
//! limit     := NUMBER [ us | ms | s | % | /s ]
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::suggest::nearest;

/// What a criterion is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Answered requests per second, outside ramps.
    Rps,
    /// Requests, in total.
    Requests,
    /// Failed requests, in total.
    Failures,
    /// Failed requests as a share of all, 0 to 1.
    FailRatio,
    /// Mean response time, in milliseconds.
    Avg,
    /// Shortest response time, in milliseconds.
    Min,
    /// Longest response time, in milliseconds.
    Max,
    /// A percentile of the response times, in milliseconds; the share is between 0 and 1.
    Percentile(f64),
    /// The highest number of users that ran at once.
    Users,
    /// Iterations that were planned and never started.
    Dropped,
}

/// Percent as a share, without the noise of binary fractions: 99.9 is 0.999.
fn share_of(percent: f64) -> f64 {
    (percent * 1e6).round() / 1e8
}

/// What a limit is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Time,
    Share,
    Rate,
    Count,
}

const METRICS: [(&str, Metric); 10] = [
    ("rps", Metric::Rps),
    ("requests", Metric::Requests),
    ("failures", Metric::Failures),
    ("fail_ratio", Metric::FailRatio),
    ("avg", Metric::Avg),
    ("min", Metric::Min),
    ("max", Metric::Max),
    ("median", Metric::Percentile(0.5)),
    ("users", Metric::Users),
    ("dropped", Metric::Dropped),
];

impl Metric {
    fn parse(word: &str) -> Result<Self, CriterionError> {
        if let Some((_, metric)) = METRICS.iter().find(|(name, _)| *name == word) {
            return Ok(*metric);
        }
        if let Some(percent) = word.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()) {
            return match percent {
                percent if percent > 0.0 && percent <= 100.0 => Ok(Self::Percentile(share_of(percent))),
                _ => Err(CriterionError::Percentile(word.to_owned())),
            };
        }
        let words = METRICS.iter().map(|(name, _)| *name);
        Err(CriterionError::Metric {
            word: word.to_owned(),
            nearest: nearest(word, words).map(str::to_owned),
        })
    }

    fn quantity(self) -> Quantity {
        match self {
            Self::Avg | Self::Min | Self::Max | Self::Percentile(_) => Quantity::Time,
            Self::FailRatio => Quantity::Share,
            Self::Rps => Quantity::Rate,
            Self::Requests | Self::Failures | Self::Users | Self::Dropped => Quantity::Count,
        }
    }

    /// Writes `value` the way people read this metric: `87.1 ms`, `0.4 %`, `10312.5/s`, `12`.
    pub fn describe(self, value: f64) -> String {
        match self.quantity() {
            Quantity::Time => format!("{value:.1} ms"),
            Quantity::Share => format!("{:.2} %", value * 100.0),
            Quantity::Rate => format!("{value:.1}/s"),
            Quantity::Count => format!("{value:.0}"),
        }
    }

    /// True for the metrics that judge failed requests.
    pub fn is_about_failures(self) -> bool {
        matches!(self, Self::Failures | Self::FailRatio)
    }
}

/// How a figure is compared with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

/// Longer signs first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

impl Comparison {
    fn holds(self, measured: f64, limit: f64) -> bool {
        match self {
            Self::Below => measured < limit,
            Self::AtMost => measured <= limit,
            Self::Above => measured > limit,
            Self::AtLeast => measured >= limit,
            Self::Equal => measured == limit,
        }
    }
}

/// One sentence that a run must satisfy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// The sentence as it was written.
    pub text: String,
    /// What it is about.
    pub metric: Metric,
    /// The request name that it is restricted to; `None` for all requests together.
    pub name: Option<String>,
    /// How the figure is compared with the limit.
    pub comparison: Comparison,
    /// The limit in the metric's own unit: milliseconds, a share from 0 to 1, a rate per second, or a count.
    pub limit: f64,
}

/// Why a sentence is no criterion.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CriterionError {
    /// It has no `<`, `<=`, `>`, `>=` or `==`.
    #[error("`{0}` compares nothing; write it like `p95 < 100ms`")]
    NoComparison(String),
    /// Its first word is no metric.
    #[error("unknown metric `{word}`{}", did_you_mean(nearest.as_deref()))]
    Metric {
        /// What stands there.
        word: String,
        /// The metric that looks most like it.
        nearest: Option<String>,
    },
    /// A percentile outside its range.
    #[error("`{0}` is no percentile; they go from above p0 to p100, as in `p99.9`")]
    Percentile(String),
    /// The braces after the metric cannot be read.
    #[error("`{0}` selects nothing; write it like `p95{{name=\"/login\"}} < 80ms`")]
    Selector(String),
    /// The limit is not a number, or its unit does not fit the metric.
    #[error("`{limit}` is no limit for this metric; {expected}")]
    Limit {
        /// What stands there.
        limit: String,
        /// What should.
        expected: &'static str,
    },
}

fn did_you_mean(word: Option<&str>) -> String {
    match word {
        Some(word) => format!("; did you mean `{word}`?"),
        None => {
            let words: Vec<&str> = METRICS.iter().map(|(name, _)| *name).collect();
            format!("; there are {} and pNN, as in p95", words.join(", "))
        }
    }
}

impl Criterion {
    /// Reads a criterion such as `p95{name="/login"} < 80ms`.
    ///
    /// # Errors
    /// Says which part of the sentence cannot be read, and how to write it.
    pub fn parse(text: &str) -> Result<Self, CriterionError> {
        let (subject, comparison, limit) = split_at_comparison(text)?;
        let (word, name) = split_selector(subject)?;
        let metric = Metric::parse(word)?;
        let limit = parse_limit(limit, metric.quantity())?;
        Ok(Self { text: text.trim().to_owned(), metric, name, comparison, limit })
    }

    /// Compares what was measured with the limit. A figure that does not exist, such as the p95 of no request at
    /// all, satisfies nothing.
    pub fn judge(&self, measured: &impl Measured) -> Judgement {
        let measured = measured.measure(self.metric, self.name.as_deref());
        let met = measured.is_some_and(|value| self.comparison.holds(value, self.limit));
        Judgement { criterion: self.clone(), measured, met }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the figures come from.
pub trait Measured {
    /// The figure of `metric` for one request name, or for all requests; `None` when there is no such figure.
    fn measure(&self, metric: Metric, name: Option<&str>) -> Option<f64>;
}

/// A criterion with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// What was asked for.
    pub criterion: Criterion,
    /// What was measured, in the metric's unit; `None` when nothing was.
    pub measured: Option<f64>,
    /// Whether that is enough.
    pub met: bool,
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.measured {
            Some(value) => {
                write!(f, "{} (measured {})", self.criterion, self.criterion.metric.describe(value))
            }
            None => write!(f, "{} (nothing was measured)", self.criterion),
        }
    }
}

fn split_at_comparison(text: &str) -> Result<(&str, Comparison, &str), CriterionError> {
    // A request name in quotes may hold any sign, so the comparison is looked for behind the braces.
    let after_selector = text.rfind('}').map_or(0, |brace| brace + 1);
    COMPARISONS
        .iter()
        .filter_map(|(sign, comparison)| {
            let at = after_selector + text[after_selector..].find(sign)?;
            Some((at, text[..at].trim(), *comparison, text[at + sign.len()..].trim()))
        })
        .min_by_key(|(at, ..)| *at)
        .map(|(_, subject, comparison, limit)| (subject, comparison, limit))
        .ok_or_else(|| CriterionError::NoComparison(text.trim().to_owned()))
}

fn split_selector(subject: &str) -> Result<(&str, Option<String>), CriterionError> {
    let Some((word, selector)) = subject.split_once('{') else {
        return Ok((subject, None));
    };
    let name = selector
        .trim()
        .strip_suffix('}')
        .and_then(|inner| inner.trim().strip_prefix("name"))
        .and_then(|rest| rest.trim_start().strip_prefix('='))
        .and_then(|rest| rest.trim().strip_prefix('"')?.strip_suffix('"'))
        .ok_or_else(|| CriterionError::Selector(subject.to_owned()))?;
    Ok((word.trim(), Some(name.to_owned())))
}

fn parse_limit(text: &str, quantity: Quantity) -> Result<f64, CriterionError> {
    let digits =
        text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '_').len();
    let (number, unit) = text.split_at(digits);
    let (factor, expected) = match (quantity, unit.trim()) {
        (Quantity::Time, "us") => (Some(1e-3), ""),
        (Quantity::Time, "ms") => (Some(1.0), ""),
        (Quantity::Time, "s") => (Some(1e3), ""),
        (Quantity::Time, _) => (None, "give a time with its unit, as in 100ms or 1.5s"),
        (Quantity::Share, "%") => (Some(0.01), ""),
        (Quantity::Share, "") => (Some(1.0), ""),
        (Quantity::Share, _) => (None, "give a share, as in 1% or 0.01"),
        (Quantity::Rate, "" | "/s") => (Some(1.0), ""),
        (Quantity::Rate, _) => (None, "give a rate per second, as in 10000 or 10000/s"),
        (Quantity::Count, "") => (Some(1.0), ""),
        (Quantity::Count, _) => (None, "give a plain number"),
    };
    let number = number.replace('_', "").parse::<f64>().ok();
    match (number, factor) {
        (Some(number), Some(factor)) => Ok(number * factor),
        (None, Some(_)) => Err(CriterionError::Limit { limit: text.to_owned(), expected: "give a number" }),
        (_, None) => Err(CriterionError::Limit { limit: text.to_owned(), expected }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, metric: Metric, name: Option<&str>, comparison: Comparison, limit: f64) {
        let criterion = Criterion::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            (criterion.metric, criterion.name.as_deref(), criterion.comparison, criterion.limit),
            (metric, name, comparison, limit),
            "{text}"
        );
    }

    #[test]
    fn criteria_are_read() {
        use Comparison::{Above, AtLeast, AtMost, Below, Equal};
        check("p95 < 100ms", Metric::Percentile(0.95), None, Below, 100.0);
        check("p99.9<=1.5s", Metric::Percentile(0.999), None, AtMost, 1500.0);
        check("median < 900us", Metric::Percentile(0.5), None, Below, 0.9);
        check("rps >= 10000", Metric::Rps, None, AtLeast, 10_000.0);
        check("rps > 10_000/s", Metric::Rps, None, Above, 10_000.0);
        check("fail_ratio < 1%", Metric::FailRatio, None, Below, 0.01);
        check("fail_ratio <= 0.25", Metric::FailRatio, None, AtMost, 0.25);
        check("failures == 0", Metric::Failures, None, Equal, 0.0);
        check(
            r#"p95{name="/predict [single]"} < 80ms"#,
            Metric::Percentile(0.95),
            Some("/predict [single]"),
            Below,
            80.0,
        );
        check(r#"max { name = "a<b" } < 1s"#, Metric::Max, Some("a<b"), Below, 1000.0);
    }

    #[test]
    fn mistakes_say_how_to_write_it() {
        let check = |text: &str, expected: &str| {
            let error = Criterion::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("p95 100ms", "write it like `p95 < 100ms`");
        check("fail_rate < 1%", "did you mean `fail_ratio`?");
        check("wobble < 1", "there are rps, requests");
        check("p0 < 1ms", "no percentile");
        check("p101 < 1ms", "no percentile");
        check("p95 < 100", "give a time with its unit");
        check("rps > 5ms", "give a rate per second");
        check("requests > x", "give a plain number");
        check("requests >", "give a number");
        check("fail_ratio < 1 percent", "give a share");
        check("p95{nme=\"/\"} < 1s", "selects nothing");
    }

    struct Fixed(Option<f64>);

    impl Measured for Fixed {
        fn measure(&self, _: Metric, _: Option<&str>) -> Option<f64> {
            self.0
        }
    }

    #[test]
    fn a_figure_that_does_not_exist_satisfies_nothing() {
        let judge = |text: &str, measured| Criterion::parse(text).unwrap().judge(&Fixed(measured)).met;
        assert!(judge("p95 < 100ms", Some(99.9)));
        assert!(!judge("p95 < 100ms", Some(100.0)));
        assert!(!judge("p95 < 100ms", None));
        assert!(judge("failures == 0", Some(0.0)));
    }

    #[test]
    fn judgements_read_like_sentences() {
        let judge = |text: &str, value| Criterion::parse(text).unwrap().judge(&Fixed(value)).to_string();
        assert_eq!(judge("p95 < 100ms", Some(87.06)), "p95 < 100ms (measured 87.1 ms)");
        assert_eq!(judge("fail_ratio < 1%", Some(0.004)), "fail_ratio < 1% (measured 0.40 %)");
        assert_eq!(judge("p95 < 100ms", None), "p95 < 100ms (nothing was measured)");
    }
}
