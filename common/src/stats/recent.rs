//! The response times of the last seconds of one row, found by comparing what the row holds now with what it held
//! before.
//!
//! Rows keep one histogram for the whole run and no more, because a histogram per second and row would be too much.
//! Whoever wants a window for each row hands the row's histogram in about once a second; what came in between is kept
//! until it is too old. That is how Locust finds its *current* percentiles, too.

use std::collections::VecDeque;
use std::time::Duration;

use super::SparseHistogram;
use super::percentile::sparse_percentiles_us;
use crate::time::RunTime;

/// How far back the window goes, as in Locust.
pub const RECENT_WINDOW: Duration = Duration::from_secs(10);

/// The response times of the last [`RECENT_WINDOW`] of one row.
///
/// It holds the row's histogram once, and as many buckets per observation as had anything to count in between.
#[derive(Clone, Debug, Default)]
pub struct RecentTimes {
    whole: SparseHistogram,
    /// What came, and when that was seen; oldest first.
    arrived: VecDeque<(RunTime, SparseHistogram)>,
}

impl RecentTimes {
    /// Takes note of what the row holds at `now`. A row that holds less than before has begun anew.
    pub fn observe(&mut self, now: RunTime, whole: &SparseHistogram) {
        let came = whole.since(&self.whole).unwrap_or_else(|| whole.clone());
        if !came.is_empty() {
            self.arrived.push_back((now, came));
        }
        self.whole.clone_from(whole);
        while self.arrived.front().is_some_and(|(at, _)| now.saturating_since(*at) >= RECENT_WINDOW) {
            self.arrived.pop_front();
        }
    }

    /// The response times in microseconds that the `fractions` select; `None` if none came in the window.
    pub fn percentiles_us(&self, fractions: &[f64]) -> Option<Vec<u64>> {
        let buckets = self.arrived.iter().flat_map(|(_, came)| came.buckets().iter().copied());
        sparse_percentiles_us(&SparseHistogram::from_buckets(buckets.collect()), fractions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `recent` says about the median, in milliseconds, with a thousandth of tolerance.
    fn median_ms(recent: &RecentTimes) -> Option<u64> {
        Some((recent.percentiles_us(&[0.5])?[0] as f64 / 1e3).round() as u64)
    }

    fn times(ms: &[(u64, u64)]) -> SparseHistogram {
        SparseHistogram::from_buckets(ms.iter().map(|(ms, count)| (ms * 1000, *count)).collect())
    }

    #[test]
    fn only_the_last_seconds_count() {
        let mut recent = RecentTimes::default();
        assert_eq!(median_ms(&recent), None);
        recent.observe(RunTime::from_secs(1), &times(&[(10, 100)]));
        assert_eq!(median_ms(&recent), Some(10));
        recent.observe(RunTime::from_secs(2), &times(&[(10, 100), (90, 20)]));
        assert_eq!(median_ms(&recent), Some(10));
        recent.observe(RunTime::from_secs(11), &times(&[(10, 100), (90, 20)]));
        assert_eq!(median_ms(&recent), Some(90), "the hundred are older than the window");
        recent.observe(RunTime::from_secs(12), &times(&[(10, 100), (90, 20)]));
        assert_eq!(median_ms(&recent), None);
        assert!(recent.arrived.is_empty(), "nothing is kept for longer than it is needed");
    }

    #[test]
    fn a_row_that_begins_anew_is_new() {
        let mut recent = RecentTimes::default();
        recent.observe(RunTime::from_secs(1), &times(&[(10, 100)]));
        recent.observe(RunTime::from_secs(15), &times(&[(10, 2), (70, 3)]));
        assert_eq!(median_ms(&recent), Some(70));
        recent.observe(RunTime::from_secs(30), &times(&[]));
        assert_eq!(median_ms(&recent), None);
    }
}
