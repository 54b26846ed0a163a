//! A small histogram of fixed size for one second of a whole run, of which a run keeps thousands.
//!
//! Recorders fill it, the run's series merges it, charts and windowed percentiles read it. It is too coarse for the
//! figures of a report: those come from [`LatencyHistogram`](super::LatencyHistogram).

use super::percentile::rank;

/// Buckets per doubling of the value.
const PER_OCTAVE: usize = 16;
/// Values below this many microseconds have a bucket each.
const EXACT_BELOW_US: u64 = 2 * PER_OCTAVE as u64;
/// Larger values count as this one: 71 minutes and 35 seconds.
const MAX_US: u64 = u32::MAX as u64;
/// How many buckets there are.
const BUCKETS: usize = bucket_index(MAX_US) + 1;

/// Counts of microseconds in 16 buckets per octave.
///
/// A percentile read from it is at most [`CoarseHistogram::RELATIVE_ERROR`] away from the true value. A counter that
/// is full stays full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoarseHistogram {
    /// One per bucket; boxed because a series moves its buckets about.
    counts: Box<[u32; BUCKETS]>,
}

impl Default for CoarseHistogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]) }
    }
}

impl CoarseHistogram {
    /// How far a percentile may be from the true value, as a fraction of it: half a bucket.
    pub const RELATIVE_ERROR: f64 = 0.5 / PER_OCTAVE as f64;

    /// A histogram of `(a value in the bucket in microseconds, count)` pairs, in any order and with repeats.
    pub fn from_buckets(buckets: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut histogram = Self::default();
        for (value_us, count) in buckets {
            histogram.record_n(value_us, count);
        }
        histogram
    }

    /// Counts one value, in microseconds.
    pub fn record(&mut self, value_us: u64) {
        self.record_n(value_us, 1);
    }

    /// Counts a value, in microseconds, `count` times.
    pub fn record_n(&mut self, value_us: u64, count: u64) {
        let slot = &mut self.counts[bucket_index(value_us)];
        *slot = slot.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *mine = mine.saturating_add(*theirs);
        }
    }

    /// The non-empty buckets, ascending: the lowest value of each in microseconds, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let all = self.counts.iter().enumerate();
        all.filter(|(_, count)| **count > 0).map(|(index, count)| (lowest_in(index), u64::from(*count)))
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// Whether no value was recorded.
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    /// The value in microseconds that Locust's rank rule selects for `fraction`: the middle of its bucket.
    /// `None` if nothing was recorded.
    pub fn percentile_us(&self, fraction: f64) -> Option<u64> {
        let [value_us] = self.percentiles_us([fraction]);
        value_us
    }

    /// [`CoarseHistogram::percentile_us`] of several fractions, in one pass over the buckets.
    pub fn percentiles_us<const N: usize>(&self, fractions: [f64; N]) -> [Option<u64>; N] {
        let count = self.count();
        let ranks = fractions.map(|fraction| rank(count, fraction));
        let mut found = [None; N];
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            seen += u64::from(*count);
            for (value_us, rank) in found.iter_mut().zip(ranks) {
                if value_us.is_none() && rank.is_some_and(|rank| seen > rank) {
                    *value_us = Some(lowest_in(index).midpoint(lowest_in(index + 1) - 1));
                }
            }
        }
        found
    }
}

/// The bucket of a value: linear below [`EXACT_BELOW_US`], then [`PER_OCTAVE`] equal ones per octave.
const fn bucket_index(value_us: u64) -> usize {
    let value = if value_us < MAX_US { value_us } else { MAX_US };
    let shift = (value | (EXACT_BELOW_US - 1)).ilog2() + 1 - EXACT_BELOW_US.ilog2();
    shift as usize * PER_OCTAVE + (value >> shift) as usize
}

/// The lowest value, in microseconds, of a bucket.
const fn lowest_in(index: usize) -> u64 {
    let shift = (index / PER_OCTAVE).saturating_sub(1);
    ((index - shift * PER_OCTAVE) as u64) << shift
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_meet_without_gaps_or_overlaps() {
        for index in 0..BUCKETS {
            let (first, last) = (lowest_in(index), lowest_in(index + 1) - 1);
            assert_eq!((bucket_index(first), bucket_index(last)), (index, index), "{first}..={last} us");
        }
        assert_eq!(lowest_in(BUCKETS), MAX_US + 1);
        assert_eq!(bucket_index(u64::MAX), BUCKETS - 1, "larger values count in the last bucket");
    }

    #[test]
    fn a_full_counter_stays_full() {
        let mut histogram = CoarseHistogram::from_buckets([(5, u64::MAX), (5, 1)]);
        histogram.merge(&histogram.clone());
        assert_eq!(histogram.buckets().collect::<Vec<_>>(), [(5, u64::from(u32::MAX))]);
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert_eq!(CoarseHistogram::default().percentile_us(0.5), None);
        assert!(CoarseHistogram::default().is_empty());
        assert!(!CoarseHistogram::from_buckets([(0, 1)]).is_empty());
    }

    proptest! {
        #[test]
        fn percentiles_keep_the_stated_error(
            mut values in prop::collection::vec(0..=MAX_US, 1..200),
            fraction in 0.0..=1.0_f64,
        ) {
            let histogram = CoarseHistogram::from_buckets(values.iter().map(|value| (*value, 1)));
            values.sort_unstable();
            let exact = values[rank(values.len() as u64, fraction).unwrap() as usize] as f64;
            let error = (histogram.percentile_us(fraction).unwrap() as f64 - exact).abs();
            prop_assert!(error <= exact * CoarseHistogram::RELATIVE_ERROR, "{} us beside {} us", error, exact);
        }

        #[test]
        fn merging_parts_equals_recording_the_whole(
            left in prop::collection::vec(0..=MAX_US, 0..50),
            right in prop::collection::vec(0..=MAX_US, 0..50),
        ) {
            let of = |values: &[u64]| CoarseHistogram::from_buckets(values.iter().map(|value| (*value, 1)));
            let mut merged = of(&left);
            merged.merge(&of(&right));
            let whole = of(&[left, right].concat());
            prop_assert_eq!(&CoarseHistogram::from_buckets(whole.buckets()), &whole, "it can travel");
            prop_assert_eq!(&merged, &whole);
        }
    }
}
