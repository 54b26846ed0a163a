//! Smooth ramps: every worker spawns (or stops) its users by itself, at its share of the spawn rate, and together
//! they look like one spawner. The master computes the shares, workers keep to them. Steps are not known here.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::SpawnRate;

/// One worker's part of a ramp: it moves a user after `first_delay` and then `rate` users per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Users per second; zero if the worker has nothing to do.
    pub rate: f64,
    /// From the start of the ramp to the worker's first user.
    pub first_delay: Duration,
}

impl Share {
    const NOTHING: Self = Self { rate: 0.0, first_delay: Duration::ZERO };
}

/// Splits a spawn rate over workers of which the i-th has `deltas[i]` users to spawn or stop.
///
/// Rates are proportional to the deltas, so all workers are done at the same time, total / rate, and sum up to the
/// spawn rate. Delays interleave the workers: those with equal deltas, and hence equal rates, take turns evenly.
/// Groups of different deltas drift past each other, so their turns may fall together now and then:
///
/// ```text
///  delta 3   x     x     x         two workers of the first group: one user every 1/(2·rate of one)
///  delta 3      x     x     x
///  delta 2    x        x           the second group starts half a turn later
/// ```
///
/// In any (half-open) window of length `t` all workers together move fewer than `spawn_rate · t + g` users, where
/// `g` is the number of different deltas above zero: a group moves its users evenly, hence fewer than one more than
/// its rate gives. A round-robin placement knows at most two deltas. With equal deltas the ramp is exactly even.
pub fn shares(spawn_rate: SpawnRate, deltas: &[u64]) -> Vec<Share> {
    let mut groups: BTreeMap<Reverse<u64>, Vec<usize>> = BTreeMap::new();
    for (worker, &delta) in deltas.iter().enumerate().filter(|(_, delta)| **delta > 0) {
        groups.entry(Reverse(delta)).or_default().push(worker);
    }
    // In floats, because the sum of integers might overflow.
    let total: f64 = deltas.iter().map(|&delta| delta as f64).sum();
    let group_count = groups.len() as f64;
    let mut shares = vec![Share::NOTHING; deltas.len()];
    for (group, (Reverse(delta), workers)) in groups.into_iter().enumerate() {
        let rate = (spawn_rate.as_per_second() * (delta as f64 / total)).max(f64::MIN_POSITIVE);
        // The part of a turn by which this group starts after the first.
        let offset = group as f64 / group_count;
        let size = workers.len() as f64;
        for (rank, worker) in workers.into_iter().enumerate() {
            let delay = (rank as f64 + offset) / size / rate;
            let first_delay = Duration::try_from_secs_f64(delay).unwrap_or(Duration::MAX);
            shares[worker] = Share { rate, first_delay };
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_second: f64) -> SpawnRate {
        SpawnRate::per_second(per_second).unwrap()
    }

    /// When all workers together move users, sorted, in seconds, with the worker.
    fn timeline(shares: &[Share], deltas: &[u64]) -> Vec<(f64, usize)> {
        let of_worker = |(worker, (share, &delta)): (usize, (&Share, &u64))| {
            let share = *share;
            (0..delta).map(move |k| (share.first_delay.as_secs_f64() + k as f64 / share.rate, worker))
        };
        let mut moves: Vec<_> = shares.iter().zip(deltas).enumerate().flat_map(of_worker).collect();
        moves.sort_by(|a, b| a.0.total_cmp(&b.0));
        moves
    }

    #[test]
    fn equal_deltas_take_turns() {
        let deltas = [4, 0, 4, 4];
        let moves = timeline(&shares(rate(6.0), &deltas), &deltas);
        let workers = Vec::from_iter(moves.iter().map(|&(_, worker)| worker));
        assert_eq!(workers, [0, 2, 3].repeat(4));
        for (index, (at, _)) in moves.iter().enumerate() {
            assert!((at - index as f64 / 6.0).abs() < 1e-6, "user {index} at {at}");
        }
    }

    #[test]
    fn different_deltas_do_not_begin_together() {
        let deltas = [1, 2, 3];
        let delays =
            Vec::from_iter(shares(rate(6.0), &deltas).iter().map(|share| share.first_delay.as_millis()));
        // One, two and three users per second: two thirds, one third and nothing of a turn.
        assert_eq!(delays, [666, 166, 0]);
    }

    #[test]
    fn a_worker_with_nothing_to_do_gets_nothing() {
        assert_eq!(shares(rate(10.0), &[0, 5, 0])[0], Share::NOTHING);
        assert_eq!(shares(rate(10.0), &[0, 0]), [Share::NOTHING; 2]);
        assert_eq!(shares(rate(10.0), &[]), []);
    }

    #[test]
    fn extremes_stay_finite_and_positive() {
        for per_second in [5e-324, 1e-300, 1e308] {
            for share in shares(rate(per_second), &[u64::MAX, 1, u64::MAX]) {
                assert!(share.rate > 0.0 && share.rate.is_finite(), "{per_second}: {share:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn shares_sum_to_the_rate_in_proportion(
            per_second in 0.01..1e4f64,
            deltas in prop::collection::vec(0..1000u64, 1..40),
        ) {
            let total: u64 = deltas.iter().sum();
            prop_assume!(total > 0);
            let shares = shares(rate(per_second), &deltas);
            let sum: f64 = shares.iter().map(|share| share.rate).sum();
            prop_assert!((sum / per_second - 1.0).abs() < 1e-9);
            for (share, &delta) in shares.iter().zip(&deltas) {
                prop_assert!((share.rate - per_second * delta as f64 / total as f64).abs() < 1e-9 * per_second);
            }
        }

        #[test]
        fn no_window_sees_a_burst(
            per_second in 0.5..1e3f64,
            deltas in prop::collection::vec(prop_oneof![0..30u64, 7..9u64], 1..20),
        ) {
            let moves = timeline(&shares(rate(per_second), &deltas), &deltas);
            let mut distinct = Vec::from_iter(deltas.iter().filter(|delta| **delta > 0));
            distinct.sort_unstable();
            distinct.dedup();
            let bound = distinct.len() as f64;
            // Windows that begin at a move and end just behind another one are the fullest of their length.
            for first in 0..moves.len() {
                for last in first..moves.len() {
                    let length = moves[last].0 - moves[first].0;
                    let users = (last - first + 1) as f64;
                    // Delays are whole nanoseconds, hence the little more.
                    prop_assert!(users < per_second * length + bound + 1e-5 * per_second.max(1.0));
                }
            }
            let end = deltas.iter().sum::<u64>() as f64 / per_second;
            prop_assert!(moves.last().is_none_or(|(at, _)| *at < end + 1e-6));
        }
    }
}
