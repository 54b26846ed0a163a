//! Locust's rule for percentiles, on buckets.
//!
//! Rows and windows ask here. A percentile is the value of one request, selected by its rank; nothing is interpolated,
//! and nothing is averaged.

use super::histogram::bucket_of;
use super::{LatencyHistogram, SparseHistogram};

/// The percentiles in reports and CSV files, as fractions.
pub const PERCENTILES_TO_REPORT: [f64; 11] =
    [0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0];

/// The zero-based rank that Locust selects among `count` sorted values: `trunc(count * fraction)`, at most the last.
/// `None` if there are no values.
pub fn rank(count: u64, fraction: f64) -> Option<u64> {
    let last = count.checked_sub(1)?;
    // The cast truncates towards zero and saturates: a negative fraction and NaN select the lowest value.
    Some(((count as f64 * fraction) as u64).min(last))
}

/// The smallest and the largest value that went into a histogram, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extremes {
    /// The smallest value.
    pub min_us: u64,
    /// The largest value, which may be one that has no bucket of its own.
    pub max_us: u64,
}

/// The values in microseconds that the `fractions` select, in their order; `None` if nothing was recorded.
///
/// Each is the highest value of its bucket, so at most a thousandth above the true one and never below it, except that
/// values beyond the last bucket are told as the lowest that they can have been. With `extremes` the first and the last
/// rank are exact and no other goes beyond them. One pass over the buckets serves all fractions.
pub fn percentiles_us(
    times: &LatencyHistogram,
    extremes: Option<Extremes>,
    fractions: &[f64],
) -> Option<Vec<u64>> {
    let count = times.count();
    let ranks: Option<Vec<u64>> = fractions.iter().map(|fraction| rank(count, *fraction)).collect();
    let mut values = highest_at(times.buckets(), &ranks?);
    // No ranks were asked for: an empty histogram still has none to give.
    let last = count.checked_sub(1)?;
    let Some(Extremes { min_us, max_us }) = extremes else { return Some(values) };
    for (value, fraction) in values.iter_mut().zip(fractions) {
        *value = match rank(count, *fraction) {
            Some(rank) if rank == last => max_us,
            Some(0) => min_us,
            _ => (*value).max(min_us).min(max_us),
        };
    }
    Some(values)
}

/// [`percentiles_us`] of a histogram that is read once, without extremes.
pub(super) fn sparse_percentiles_us(times: &SparseHistogram, fractions: &[f64]) -> Option<Vec<u64>> {
    let count = times.count();
    let ranks: Option<Vec<u64>> = fractions.iter().map(|fraction| rank(count, *fraction)).collect();
    Some(highest_at(times.buckets().iter().copied(), &ranks?))
}

/// The highest value of the bucket that holds each rank, in the order of `ranks`.
fn highest_at(buckets: impl Iterator<Item = (u64, u64)>, ranks: &[u64]) -> Vec<u64> {
    let mut ascending: Vec<usize> = (0..ranks.len()).collect();
    ascending.sort_unstable_by_key(|index| ranks[*index]);
    let mut wanted = ascending.into_iter().peekable();
    let mut values = vec![0; ranks.len()];
    let mut seen = 0;
    for (lowest_us, count) in buckets {
        seen += count;
        while let Some(index) = wanted.next_if(|index| ranks[*index] < seen) {
            values[index] = bucket_of(lowest_us).1;
        }
        if wanted.peek().is_none() {
            break;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::MAX_TRACKABLE_US;

    fn histogram(buckets: &[(u64, u64)]) -> LatencyHistogram {
        let mut histogram = LatencyHistogram::default();
        buckets.iter().for_each(|(value_us, count)| histogram.record_n(*value_us, *count));
        histogram
    }

    fn check(buckets: &[(u64, u64)], fraction: f64, expected: u64) {
        let selected = percentiles_us(&histogram(buckets), None, &[fraction]);
        assert_eq!(selected, Some(vec![expected]), "{fraction} of {buckets:?}");
    }

    #[test]
    fn ranks_are_those_of_locust() {
        check(&[(10, 1), (20, 1)], 0.49, 10);
        check(&[(10, 1), (20, 1)], 0.5, 20);
        let three = [(10, 1), (20, 1), (30, 1)];
        for (fraction, expected) in [(0.33, 10), (0.34, 20), (0.66, 20), (0.67, 30)] {
            check(&three, fraction, expected);
        }
        let hundred = [(1, 50), (2, 30), (3, 15), (100, 5)];
        for (fraction, expected) in [(0.5, 2), (0.79, 2), (0.8, 3), (0.95, 100), (0.0, 1), (1.0, 100)] {
            check(&hundred, fraction, expected);
        }
    }

    #[test]
    fn odd_fractions_select_an_end() {
        for (fraction, expected) in [(-1.0, 10), (f64::NAN, 10), (1.5, 20), (f64::INFINITY, 20)] {
            check(&[(10, 1), (20, 1)], fraction, expected);
        }
    }

    #[test]
    fn an_empty_histogram_has_none() {
        assert_eq!(percentiles_us(&histogram(&[]), None, &[0.5]), None);
        assert_eq!(percentiles_us(&histogram(&[]), None, &[]), None);
        assert_eq!(percentiles_us(&histogram(&[(1, 1)]), None, &[]), Some(vec![]));
    }

    #[test]
    fn values_stay_between_the_extremes() {
        let extremes = Some(Extremes { min_us: 149_193, max_us: 149_197 });
        let percentiles = percentiles_us(&histogram(&[(149_195, 9)]), extremes, &[0.0, 0.5, 1.0]);
        assert_eq!(percentiles, Some(vec![149_193, 149_197, 149_197]));
        let beyond = Some(Extremes { min_us: 5, max_us: u64::MAX });
        let percentiles = percentiles_us(&histogram(&[(5, 1), (u64::MAX, 1)]), beyond, &[1.0, 0.0]);
        assert_eq!(percentiles, Some(vec![u64::MAX, 5]), "the maximum is exact beyond the last bucket");
        let (min_us, max_us) = (MAX_TRACKABLE_US + 1, MAX_TRACKABLE_US + 2);
        let all_beyond = histogram(&[(min_us, 1), (max_us, 2)]);
        let percentiles = percentiles_us(&all_beyond, Some(Extremes { min_us, max_us }), &[0.0, 0.5, 1.0]);
        assert_eq!(percentiles, Some(vec![min_us, min_us, max_us]), "no value is below the smallest");
    }

    proptest! {
        #[test]
        fn percentiles_are_a_thousandth_from_an_exact_sort(
            mut values in prop::collection::vec(0_u64..4_000_000_000, 1..500),
            fractions in prop::collection::vec(0.0..=1.0_f64, 0..20),
        ) {
            let mut times = LatencyHistogram::default();
            values.iter().for_each(|value| times.record(*value));
            values.sort_unstable();
            let extremes = Extremes { min_us: values[0], max_us: values[values.len() - 1] };
            for extremes in [None, Some(extremes)] {
                let selected = percentiles_us(&times, extremes, &fractions).unwrap();
                for (fraction, value) in fractions.iter().zip(selected) {
                    let exact = values[rank(values.len() as u64, *fraction).unwrap() as usize];
                    prop_assert!(exact <= value && value - exact <= exact / 1_000, "{} for {}", value, exact);
                }
            }
        }
    }
}
