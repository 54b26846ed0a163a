//! How criteria are written.
//!
//! ```text
//! criterion := metric [ '{' 'name' '=' '"' NAME '"' '}' ] comparison limit { clause }
//! metric    := rps | requests | failures | fail_ratio | avg | min | max | median | pNN[.N] | users | dropped
//! limit     := NUMBER [ us | ms | s | % | /s ]
//! clause    := 'after' TIME                 the warm-up does not count
//!            | 'over' 'any' TIME            it must be met over every span of this length
//!            | 'with' N [ 'samples' ]       a figure of fewer requests is none
//!            | 'or' 'abort' [ 'after' TIME ]
//!                                           the run ends once it is not met, after a grace period
//! ```
//!
//! Clauses come in any order; commas between them change nothing.

use std::time::Duration;

use thiserror::Error;

use super::metric::{METRICS, Quantity};
use super::{COMPARISONS, Comparison, Criterion, Metric, Scope};
use crate::timespan::parse_timespan;

/// The longest span of an `over any`: its seconds are kept apart, with all of their response times.
pub const MAX_WINDOW: Duration = Duration::from_secs(600);

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
    /// What stands behind the limit is no clause.
    #[error(
        "`{0}` says nothing here; after the limit there may be `after 30s`, `over any 30s`, `with 100 samples` and `or abort after 1m`"
    )]
    Clause(String),
    /// A clause lacks its span, or has one that is none.
    #[error("`{clause}` needs a time in whole seconds, as in `{clause} 30s`{}", but_not(word))]
    Span {
        /// The clause.
        clause: &'static str,
        /// What stands there; empty if nothing does.
        word: String,
    },
    /// A clause lacks its number.
    #[error("`with` needs a number of requests, as in `with 100 samples`{}", but_not(.0))]
    Samples(String),
    /// Windows are kept apart while a run goes on.
    #[error("`over any {0}` is too long: spans may have up to {max} s", max = MAX_WINDOW.as_secs())]
    Window(String),
    /// A clause stands there twice.
    #[error("`{0}` stands there twice")]
    Twice(&'static str),
    /// The metric is of the whole run, not of a name.
    #[error("`{0}` is about the whole run; leave out {{name=…}}")]
    Nameless(String),
    /// The metric begins low and grows.
    #[error("`{0}` only grows, so a run that is to abort while it is too low would end at once")]
    Growing(String),
}

fn but_not(word: &str) -> String {
    if word.is_empty() { String::new() } else { format!(", not `{word}`") }
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
    /// Reads a criterion such as `p95{name="/login"} < 80ms over any 30s`.
    ///
    /// # Errors
    /// Says which part of the sentence cannot be read, and how to write it.
    pub fn parse(text: &str) -> Result<Self, CriterionError> {
        let (subject, comparison, rest) = split_at_comparison(text)?;
        let (word, name) = split_selector(subject)?;
        let metric = Metric::parse(word)?;
        if name.is_some() && matches!(metric, Metric::Users | Metric::Dropped) {
            return Err(CriterionError::Nameless(word.to_owned()));
        }
        let (limit, clauses) = split_clauses(rest);
        let limit = parse_limit(limit, metric.quantity())?;
        let Clauses { after, over_any, samples, abort } = Clauses::parse(clauses)?;
        let grows = matches!(metric, Metric::Requests | Metric::Users);
        let wants_more = matches!(comparison, Comparison::Above | Comparison::AtLeast | Comparison::Equal);
        if abort.is_some() && grows && wants_more {
            return Err(CriterionError::Growing(word.to_owned()));
        }
        Ok(Self {
            text: text.trim().to_owned(),
            metric,
            name,
            comparison,
            limit,
            scope: Scope { after_s: after.map_or(0, seconds), over_any_s: over_any.map(seconds) },
            min_samples: samples.unwrap_or(0),
            abort_after: abort,
        })
    }
}

/// What stands behind the limit.
#[derive(Default)]
struct Clauses {
    after: Option<Duration>,
    over_any: Option<Duration>,
    samples: Option<u64>,
    abort: Option<Duration>,
}

impl Clauses {
    fn parse(text: &str) -> Result<Self, CriterionError> {
        let mut words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty()).peekable();
        let mut clauses = Self::default();
        while let Some(word) = words.next() {
            match word {
                "after" => put(&mut clauses.after, "after", span("after", words.next())?)?,
                "over" if words.next_if_eq(&"any").is_some() => {
                    let word = words.next();
                    let length = span("over any", word)?;
                    if length > MAX_WINDOW {
                        return Err(CriterionError::Window(word.unwrap_or_default().to_owned()));
                    }
                    put(&mut clauses.over_any, "over any", length)?;
                }
                "with" => {
                    let word = words.next().unwrap_or_default();
                    let samples = word.parse().map_err(|_| CriterionError::Samples(word.to_owned()))?;
                    words.next_if_eq(&"samples");
                    put(&mut clauses.samples, "with", samples)?;
                }
                "or" if words.next_if_eq(&"abort").is_some() => {
                    let grace = match words.next_if_eq(&"after") {
                        Some(_) => span("or abort after", words.next())?,
                        None => Duration::ZERO,
                    };
                    put(&mut clauses.abort, "or abort", grace)?;
                }
                word => return Err(CriterionError::Clause(word.to_owned())),
            }
        }
        Ok(clauses)
    }
}

fn put<T>(place: &mut Option<T>, clause: &'static str, value: T) -> Result<(), CriterionError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(CriterionError::Twice(clause)),
    }
}

fn span(clause: &'static str, word: Option<&str>) -> Result<Duration, CriterionError> {
    let word = word.unwrap_or_default();
    let span = parse_timespan(word).ok().filter(|span| !span.is_zero());
    span.ok_or_else(|| CriterionError::Span { clause, word: word.to_owned() })
}

fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs()).unwrap_or(u32::MAX)
}

/// The limit, and the clauses behind it.
fn split_clauses(text: &str) -> (&str, &str) {
    let begins_clause = |word: &str| ["after", "over", "with", "or"].contains(&word.trim_end_matches(','));
    let mut at = 0;
    for word in text.split_inclusive([' ', '\t', ',']) {
        if begins_clause(word.trim()) {
            break;
        }
        at += word.len();
    }
    let (limit, clauses) = text.split_at(at);
    (limit.trim_end_matches([' ', '\t', ',']), clauses)
}

/// The metric with its selector, the comparison, and what stands behind it.
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

    #[test]
    fn clauses_say_which_part_of_a_run_and_what_follows() {
        let check = |text: &str, after_s, over_any_s, min_samples, abort_s: Option<u64>| {
            let criterion = Criterion::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(criterion.scope, Scope { after_s, over_any_s }, "{text}");
            assert_eq!(criterion.min_samples, min_samples, "{text}");
            assert_eq!(criterion.abort_after, abort_s.map(Duration::from_secs), "{text}");
            assert_eq!(criterion.text, text);
        };
        check("p95 < 100ms", 0, None, 0, None);
        check("p95 < 100 ms after 30s", 30, None, 0, None);
        check("p95 < 100ms over any 30s", 0, Some(30), 0, None);
        check("rps >= 10000/s over any 30, after 1m", 60, Some(30), 0, None);
        check("fail_ratio < 5% or abort", 0, None, 0, Some(0));
        check("fail_ratio < 5% after 10s or abort after 1m with 200 samples", 10, None, 200, Some(60));
        check("fail_ratio < 5%, with 200, or abort after 1m, over any 10s", 0, Some(10), 200, Some(60));
        check("requests < 1000 or abort", 0, None, 0, Some(0));
        check(r#"p95{name="a or after b"} < 1s over any 10m"#, 0, Some(600), 0, None);
    }

    #[test]
    fn clauses_that_cannot_be_read_say_how_to_write_them() {
        let check = |text: &str, expected: &str| {
            let error = Criterion::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("p95 < 100ms after", "as in `after 30s`");
        check("p95 < 100ms after 0s", "as in `after 30s`, not `0s`");
        check("p95 < 100ms after 1.5s", "not `1.5s`");
        check("p95 < 100ms over 30s", "`over` says nothing here");
        check("p95 < 100ms over any", "as in `over any 30s`");
        check("p95 < 100ms over any 11m", "up to 600 s");
        check("p95 < 100ms with many samples", "not `many`");
        check("p95 < 100ms or", "`or` says nothing here");
        check("p95 < 100ms or abort soon", "`soon` says nothing here");
        check("p95 < 100ms or abort after soon", "as in `or abort after 30s`, not `soon`");
        check("p95 < 100ms after 1s after 2s", "`after` stands there twice");
        check("p95 < 100ms within 3s", "give a time with its unit");
        check("users{name=\"/\"} > 5", "about the whole run");
        check("requests > 1000 or abort", "`requests` only grows");
    }
}
