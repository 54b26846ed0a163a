//! How Locust rounds response times before it counts them: the keys of its `response_times` map.
//!
//! The exports in Locust's format and the Locust wire ask here, and nobody else: our own figures are never rounded.

use std::collections::BTreeMap;

use super::histogram::bucket_of;

/// The key, in milliseconds, under which Locust counts a response time: two significant digits, but whole
/// milliseconds at most and whole seconds at least. Exactly between two keys the even one wins.
pub fn locust_key_ms(response_time_us: u64) -> u64 {
    let unit_us = match response_time_us {
        0..100_000 => 1_000,
        100_000..1_000_000 => 10_000,
        1_000_000..10_000_000 => 100_000,
        _ => 1_000_000,
    };
    let below = response_time_us / unit_us;
    let up = match (response_time_us % unit_us).cmp(&(unit_us / 2)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => below % 2 == 1,
        std::cmp::Ordering::Greater => true,
    };
    (below + u64::from(up)) * (unit_us / 1_000)
}

/// Locust's map of `(lowest value of a bucket in microseconds, count)` pairs: counts by rounded milliseconds.
///
/// A bucket counts as its middle, so a request within a thousandth of a tie may land on the other side of it.
pub fn locust_response_times(buckets: impl IntoIterator<Item = (u64, u64)>) -> BTreeMap<u64, u64> {
    let mut counts = BTreeMap::new();
    for (lowest_us, count) in buckets {
        let (lowest_us, highest_us) = bucket_of(lowest_us);
        let slot: &mut u64 = counts.entry(locust_key_ms(lowest_us.midpoint(highest_us))).or_default();
        *slot = slot.saturating_add(count);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(response_time_us: u64, expected_ms: u64) {
        assert_eq!(locust_key_ms(response_time_us), expected_ms, "{response_time_us} us");
    }

    #[test]
    fn keys_are_those_of_locust() {
        for (response_time_us, expected_ms) in
            [(0, 0), (500, 0), (501, 1), (1_500, 2), (2_500, 2), (99_500, 100)]
        {
            check(response_time_us, expected_ms);
        }
        for (response_time_ms, expected_ms) in [
            (105, 100),
            (115, 120),
            (125, 120),
            (145, 140),
            (147, 150),
            (155, 160),
            (995, 1_000),
            (1_050, 1_000),
            (1_150, 1_200),
            (1_250, 1_200),
            (3_432, 3_400),
            (9_950, 10_000),
            (10_500, 10_000),
            (11_500, 12_000),
            (58_760, 59_000),
            (99_500, 100_000),
            (1_234_567, 1_235_000),
        ] {
            check(response_time_ms * 1_000, expected_ms);
        }
    }

    #[test]
    fn ties_are_exact_to_the_microsecond() {
        for (response_time_us, expected_ms) in [
            (99_499, 99),
            (99_501, 100),
            (104_999, 100),
            (105_001, 110),
            (144_999, 140),
            (145_001, 150),
            (1_050_001, 1_100),
            (10_499_999, 10_000),
            (10_500_001, 11_000),
        ] {
            check(response_time_us, expected_ms);
        }
        check(u64::MAX, u64::MAX / 1_000_000 * 1_000 + 1_000);
    }

    #[test]
    fn a_map_keeps_every_count() {
        let map = locust_response_times([(700, 1), (1_200, 2), (43_008, 2), (149_376, 3), (150_016, 4)]);
        assert_eq!(map, BTreeMap::from([(1, 3), (43, 2), (150, 7)]));
        assert_eq!(locust_response_times([]), BTreeMap::new());
    }
}
