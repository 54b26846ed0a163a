//! Criteria: sentences such as `p95 < 100ms over any 30s` that a run must satisfy, and what came of them.
//!
//! Scenario files and the command line state them ([`sentence`](Criterion::parse)), a [`Judge`] follows each of them
//! while the run goes on, and the report judges them once it has ended.

mod judge;
mod measure;
mod metric;
mod sentence;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::judge::Judge;
pub use self::metric::Metric;
pub use self::sentence::{CriterionError, MAX_WINDOW};
use crate::stats::RunStats;

/// How many criteria a run has at most: each is followed second by second.
pub const MAX_CRITERIA: usize = 100;

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
pub(super) const COMPARISONS: [(&str, Comparison); 5] = [
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
    /// The part of the run that it is about.
    pub scope: Scope,
    /// A figure of fewer requests is no figure.
    pub min_samples: u64,
    /// The run ends as soon as it is not met, but no sooner than this after its start; `None` if it goes on.
    pub abort_after: Option<Duration>,
}

/// The part of a run that a criterion is about, in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Nothing before this counts: the warm-up.
    pub after_s: u32,
    /// The criterion must be met over every span of this length; `None` for one figure over the whole time.
    pub over_any_s: Option<u32>,
}

impl Criterion {
    /// Compares what was measured in the whole run with the limit. A figure that does not exist, such as the p95 of no request at
    /// all, satisfies nothing.
    pub fn judge(&self, stats: &RunStats) -> Judgement {
        let name = self.name.as_deref();
        let enough = measure::samples(stats, name) >= self.min_samples;
        self.judge_figure(measure::measure(stats, self.metric, name).filter(|_| enough), None)
    }

    /// Compares a figure with the limit, and remembers the seconds it is of.
    pub fn judge_figure(&self, measured: Option<f64>, window: Option<(u32, u32)>) -> Judgement {
        let met = measured.is_some_and(|value| self.comparison.holds(value, self.limit));
        Judgement { criterion: self.clone(), measured, met, window }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
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
    /// The seconds, from the first up to and without the last, in which it was measured, if the criterion is about
    /// every span of a length: it is the worst of them.
    pub window: Option<(u32, u32)>,
}

impl Judgement {
    /// What was measured, and where, as in `87.1 ms from 31 s to 61 s`; `None` when nothing was.
    pub fn figure(&self) -> Option<String> {
        let figure = self.criterion.metric.describe(self.measured?);
        Some(match self.window {
            Some((from, to)) => format!("{figure} from {from} s to {to} s"),
            None => figure,
        })
    }

    /// How far the figure is from its limit, as a share of the limit and positive above it; `None` if there is no
    /// figure, or nothing to take a share of.
    pub fn margin(&self) -> Option<f64> {
        let limit = self.criterion.limit;
        Some((self.measured? - limit) / limit).filter(|share| share.is_finite())
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.figure() {
            Some(figure) => write!(f, "{} (measured {figure})", self.criterion),
            None => write!(f, "{} (nothing was measured)", self.criterion),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_that_does_not_exist_satisfies_nothing() {
        let judge = |text: &str, measured| Criterion::parse(text).unwrap().judge_figure(measured, None).met;
        assert!(judge("p95 < 100ms", Some(99.9)));
        assert!(!judge("p95 < 100ms", Some(100.0)));
        assert!(!judge("p95 < 100ms", None));
        assert!(judge("failures == 0", Some(0.0)));
    }

    #[test]
    fn judgements_read_like_sentences() {
        let judge = |text: &str, value| Criterion::parse(text).unwrap().judge_figure(value, None).to_string();
        assert_eq!(judge("p95 < 100ms", Some(87.06)), "p95 < 100ms (measured 87.1 ms)");
        assert_eq!(judge("fail_ratio < 1%", Some(0.004)), "fail_ratio < 1% (measured 0.40 %)");
        assert_eq!(judge("p95 < 100ms", None), "p95 < 100ms (nothing was measured)");
    }

    #[test]
    fn a_judgement_says_where_it_was_measured_and_by_how_much_it_missed() {
        let criterion = Criterion::parse("p95 < 100ms over any 30s").unwrap();
        let judgement = criterion.judge_figure(Some(132.04), Some((31, 61)));
        let expected = "p95 < 100ms over any 30s (measured 132.0 ms from 31 s to 61 s)";
        assert_eq!((judgement.to_string().as_str(), judgement.met), (expected, false));
        assert_eq!(judgement.margin().map(|share| (share * 1e4).round()), Some(3204.0));
        assert_eq!(Criterion::parse("failures == 0").unwrap().judge_figure(Some(3.0), None).margin(), None);
    }
}
