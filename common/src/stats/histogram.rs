//! Histograms of microseconds with three significant digits: what an average is never taken of.
//!
//! [`SparseHistogram`] is the form in which a histogram travels, [`LatencyHistogram`] the one that is recorded into
//! and read. Both cut the axis into the same buckets: 1 µs wide below 2,048 µs, and above that never wider than a
//! thousandth of the values in them, up to [`MAX_TRACKABLE_US`]. Percentiles are computed in
//! [`percentile`](super::percentile), not here.

use std::mem;

use hdrhistogram::Histogram;

/// The largest value that has a bucket of its own: 71 minutes and 35 seconds. Larger ones count as this one.
pub const MAX_TRACKABLE_US: u64 = u32::MAX as u64;

/// Values below this have a bucket each: the smallest power of two that gives three significant digits.
const EXACT_BELOW_US: u64 = 2_048;

/// The lowest and the highest value of the bucket that `value_us` falls into.
pub fn bucket_of(value_us: u64) -> (u64, u64) {
    let value = value_us.min(MAX_TRACKABLE_US);
    let shift = (value | (EXACT_BELOW_US - 1)).ilog2() + 1 - EXACT_BELOW_US.ilog2();
    let lowest = value >> shift << shift;
    (lowest, lowest + (1 << shift) - 1)
}

/// The non-empty buckets of a histogram, ascending: the lowest value of each in microseconds, and its count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseHistogram {
    buckets: Vec<(u64, u64)>,
}

impl SparseHistogram {
    /// A histogram of `(a value in the bucket in microseconds, count)` pairs, in any order and with repeats.
    pub fn from_buckets(mut buckets: Vec<(u64, u64)>) -> Self {
        buckets.retain_mut(|(value_us, count)| {
            *value_us = bucket_of(*value_us).0;
            *count > 0
        });
        buckets.sort_unstable_by_key(|(lowest_us, _)| *lowest_us);
        buckets.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        Self { buckets }
    }

    /// The pairs: lowest value of the bucket in microseconds (ascending), count (never zero).
    pub fn buckets(&self) -> &[(u64, u64)] {
        &self.buckets
    }

    /// What this holds more than `earlier`; `None` if there is a bucket of which it holds less.
    pub fn since(&self, earlier: &Self) -> Option<Self> {
        let mut buckets = Vec::new();
        let mut before = earlier.buckets.iter().peekable();
        for (lowest_us, count) in &self.buckets {
            if before.peek().is_some_and(|(earlier_us, _)| earlier_us < lowest_us) {
                return None;
            }
            let earlier =
                before.next_if(|(earlier_us, _)| earlier_us == lowest_us).map_or(0, |(_, count)| *count);
            match count.checked_sub(earlier)? {
                0 => {}
                more => buckets.push((*lowest_us, more)),
            }
        }
        before.next().is_none().then_some(Self { buckets })
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        count_of(&self.buckets)
    }

    /// Whether no value was recorded.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

/// How many different buckets a histogram keeps as a list before it takes a counter for every bucket.
///
/// Rows with a few slow requests then cost bytes instead of tens of kilobytes, which matters when a test gives every
/// URL its own name.
const FEW_BUCKETS: usize = 64;

/// A histogram to record into and to read.
///
/// Takes at most 190 KB however much is recorded; it grows with the logarithm of the largest value.
#[derive(Clone, Debug)]
pub struct LatencyHistogram {
    counts: Counts,
}

#[derive(Clone, Debug)]
enum Counts {
    /// As in [`SparseHistogram`].
    Few(Vec<(u64, u64)>),
    /// A counter for every bucket up to the largest value so far.
    Many(Histogram<u64>),
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self { counts: Counts::Few(Vec::new()) }
    }
}

impl PartialEq for LatencyHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.buckets().eq(other.buckets())
    }
}

impl From<&SparseHistogram> for LatencyHistogram {
    fn from(sparse: &SparseHistogram) -> Self {
        let mut histogram = Self::default();
        histogram.add(sparse);
        histogram
    }
}

impl LatencyHistogram {
    /// Counts one value, in microseconds.
    pub fn record(&mut self, value_us: u64) {
        self.record_n(value_us, 1);
    }

    /// Counts a value, in microseconds, `count` times. The count of all values stops at `u64::MAX`.
    pub fn record_n(&mut self, value_us: u64, count: u64) {
        match &mut self.counts {
            Counts::Many(histogram) => record_in(histogram, value_us, count),
            Counts::Few(_) => self.record_in_few(value_us, count),
        }
    }

    /// Adds what another histogram counted.
    pub fn add(&mut self, sparse: &SparseHistogram) {
        for (value_us, count) in sparse.buckets() {
            self.record_n(*value_us, *count);
        }
    }

    /// How many values were recorded.
    pub fn count(&self) -> u64 {
        match &self.counts {
            Counts::Few(buckets) => count_of(buckets),
            Counts::Many(histogram) => histogram.len(),
        }
    }

    /// Whether no value was recorded.
    pub fn is_empty(&self) -> bool {
        match &self.counts {
            Counts::Few(buckets) => buckets.is_empty(),
            Counts::Many(histogram) => histogram.is_empty(),
        }
    }

    /// The non-empty buckets, ascending: the lowest value of each in microseconds, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let (few, many) = match &self.counts {
            Counts::Few(buckets) => (buckets.as_slice(), None),
            Counts::Many(histogram) => (&[][..], Some(histogram)),
        };
        let many = many.into_iter().flat_map(|histogram| histogram.iter_recorded());
        let many = many.map(|step| (bucket_of(step.value_iterated_to()).0, step.count_at_value()));
        few.iter().copied().chain(many)
    }

    /// The same counts in the form in which they travel.
    pub fn to_sparse(&self) -> SparseHistogram {
        SparseHistogram { buckets: self.buckets().collect() }
    }

    /// Forgets everything, but keeps the memory for the next round.
    pub fn clear(&mut self) {
        match &mut self.counts {
            Counts::Few(buckets) => buckets.clear(),
            Counts::Many(histogram) => histogram.reset(),
        }
    }

    fn record_in_few(&mut self, value_us: u64, count: u64) {
        let Counts::Few(buckets) = &mut self.counts else { return };
        let lowest_us = bucket_of(value_us).0;
        let count = count.min(u64::MAX - count_of(buckets));
        if count == 0 {
            return;
        }
        match buckets.binary_search_by_key(&lowest_us, |(lowest_us, _)| *lowest_us) {
            Ok(found) => buckets[found].1 += count,
            Err(place) if buckets.len() < FEW_BUCKETS => buckets.insert(place, (lowest_us, count)),
            Err(_) => {
                let mut histogram = empty_histogram();
                for (lowest_us, count) in mem::take(buckets) {
                    record_in(&mut histogram, lowest_us, count);
                }
                record_in(&mut histogram, lowest_us, count);
                self.counts = Counts::Many(histogram);
            }
        }
    }
}

fn empty_histogram() -> Histogram<u64> {
    // The bounds are the smallest that the type accepts; it grows when it must.
    let mut histogram = Histogram::new_with_bounds(1, 2, 3).expect("the bounds and the precision are valid");
    histogram.auto(true);
    histogram
}

fn record_in(histogram: &mut Histogram<u64>, value_us: u64, count: u64) {
    let count = count.min(u64::MAX - histogram.len());
    let recorded = histogram.record_n(value_us.min(MAX_TRACKABLE_US), count);
    recorded.expect("a growing histogram has room for every value");
}

fn count_of(buckets: &[(u64, u64)]) -> u64 {
    buckets.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_those_of_the_library() {
        let library = Histogram::<u64>::new_with_bounds(1, MAX_TRACKABLE_US, 3).unwrap();
        let edges = (0..32).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1, 3 << bit >> 1]);
        for value in edges.chain([MAX_TRACKABLE_US - 1, MAX_TRACKABLE_US]) {
            let expected = (library.lowest_equivalent(value), library.highest_equivalent(value));
            assert_eq!(bucket_of(value), expected, "{value} us");
        }
    }

    #[test]
    fn values_beyond_the_last_bucket_count_in_it() {
        assert_eq!(bucket_of(u64::MAX), bucket_of(MAX_TRACKABLE_US));
        let mut histogram = LatencyHistogram::default();
        histogram.record(u64::MAX);
        assert_eq!(histogram.to_sparse(), SparseHistogram::from_buckets(vec![(MAX_TRACKABLE_US, 1)]));
    }

    #[test]
    fn pairs_of_any_order_make_one_form() {
        let messy = SparseHistogram::from_buckets(vec![(5_001, 2), (7, 0), (3, 1), (5_000, 3), (3, 4)]);
        assert_eq!(messy.buckets(), [(3, 5), (5_000, 5)]);
        assert_eq!(messy.count(), 10);
    }

    #[test]
    fn absurd_counts_saturate_instead_of_overflowing() {
        for distinct in [2, 2 * FEW_BUCKETS as u64] {
            let huge = SparseHistogram::from_buckets((0..distinct).map(|us| (us, u64::MAX)).collect());
            let histogram = LatencyHistogram::from(&huge);
            assert_eq!(histogram.count(), u64::MAX);
            assert_eq!(histogram.buckets().count(), 1, "the first took it all");
        }
    }

    #[test]
    fn a_cleared_histogram_is_as_good_as_new() {
        let mut histogram = LatencyHistogram::default();
        (0..1_000).for_each(|value| histogram.record(value * 999));
        histogram.clear();
        assert!(histogram.is_empty());
        histogram.record(17);
        assert_eq!(histogram.to_sparse().buckets(), [(17, 1)]);
    }

    proptest! {
        #[test]
        fn a_bucket_is_narrower_than_a_thousandth_of_its_values(value in 0..=MAX_TRACKABLE_US) {
            let (lowest, highest) = bucket_of(value);
            prop_assert!(lowest <= value && value <= highest);
            prop_assert!((highest - lowest) * 1_000 <= lowest);
        }

        /// The list and the counters are two forms of one histogram.
        #[test]
        fn counts_survive_the_change_of_form(values in prop::collection::vec(0_u64..1 << 34, 0..300)) {
            let mut recorded = LatencyHistogram::default();
            values.iter().for_each(|value| recorded.record(*value));
            let expected = SparseHistogram::from_buckets(values.iter().map(|value| (*value, 1)).collect());
            prop_assert_eq!(recorded.count(), values.len() as u64);
            prop_assert_eq!(&recorded.to_sparse(), &expected);
            prop_assert_eq!(&LatencyHistogram::from(&expected), &recorded);
        }
    }
}
