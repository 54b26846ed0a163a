//! What criteria are about: the figures of a run by name, and what they are counted in.

use serde::{Deserialize, Serialize};

use super::CriterionError;
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
pub(super) enum Quantity {
    Time,
    Share,
    Rate,
    Count,
}

pub(super) const METRICS: [(&str, Metric); 10] = [
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
    pub(super) fn parse(word: &str) -> Result<Self, CriterionError> {
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

    pub(super) fn quantity(self) -> Quantity {
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
