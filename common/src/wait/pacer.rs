//! When a user should begin its next iteration.

use std::time::Duration;

use rand::Rng;

use super::{ATTOS_PER_MICRO, WaitTime};
use crate::time::{RunTime, micros};

/// When a user should begin its next iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextStart {
    /// When the iteration should start; in the past if the user fell behind its schedule.
    pub intended: RunTime,
    /// From the end of the last iteration to the start of the next; zero if the user fell behind.
    pub wait: Duration,
}

/// The schedule of one user.
///
/// A paced user's k-th iteration is intended k periods after its first, whatever happened before: neither rounding
/// nor a slow target makes the schedule drift. A user that fell behind begins one iteration after the other until it
/// caught up. An unpaced user rests after it finished, and so has no schedule to fall behind.
#[derive(Clone, Debug)]
pub struct Pacer {
    wait: WaitTime,
    first: RunTime,
    /// When the iteration planned last should start.
    intended: RunTime,
    /// Iterations planned so far, the first included.
    iterations: u64,
}

impl Pacer {
    /// The schedule of a user whose first iteration should start at `first`.
    pub fn new(wait: WaitTime, first: RunTime) -> Self {
        Self { wait, first, intended: first, iterations: 1 }
    }

    /// When the next iteration should start, the last one having ended at `finished`.
    pub fn next(&mut self, finished: RunTime, rng: &mut (impl Rng + ?Sized)) -> NextStart {
        self.intended = match self.wait.period_attos() {
            Some(period) => self.first + offset(period, self.iterations),
            None => finished + self.wait.draw(rng),
        };
        self.iterations = self.iterations.saturating_add(1);
        NextStart { intended: self.intended, wait: self.intended.saturating_since(finished) }
    }

    /// How many iterations should have started by `now`. A paced user's schedule counts on while the user is busy;
    /// without one, these are the iterations whose start came.
    pub fn planned(&self, now: RunTime) -> u64 {
        match self.wait.period_attos() {
            Some(_) if now < self.first => 0,
            Some(period) => starts_within(period, now.saturating_since(self.first)),
            None if now < self.intended => self.iterations - 1,
            None => self.iterations,
        }
    }
}

/// `count` periods, rounded to the nearest microsecond.
fn offset(period_attos: u128, count: u64) -> Duration {
    let attos = period_attos.saturating_mul(u128::from(count)).saturating_add(ATTOS_PER_MICRO / 2);
    Duration::from_micros(u64::try_from(attos / ATTOS_PER_MICRO).unwrap_or(u64::MAX))
}

/// How many of the offsets 0, 1, 2, … periods are not above `elapsed`.
fn starts_within(period_attos: u128, elapsed: Duration) -> u64 {
    // Everything that rounds to `elapsed` counts, up to half a microsecond later.
    let end = u128::from(micros(elapsed)) * ATTOS_PER_MICRO + ATTOS_PER_MICRO / 2;
    u64::try_from((end - 1) / period_attos).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

    use super::super::Throughput;
    use super::*;
    use crate::timespan::MAX_SPAN;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn throughput(per_second: f64) -> WaitTime {
        WaitTime::ConstantThroughput(Throughput::per_second(per_second).unwrap())
    }

    fn rng() -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(7)
    }

    #[test]
    fn a_late_user_starts_at_once_and_returns_to_its_schedule() {
        let mut pacer = Pacer::new(WaitTime::ConstantPacing(millis(1000)), RunTime::from_secs(10));
        let mut check = |finished_millis: u64, intended: u64, wait_millis: u64| {
            let next = pacer.next(RunTime::ZERO + millis(finished_millis), &mut rng());
            assert_eq!(next, NextStart { intended: RunTime::from_secs(intended), wait: millis(wait_millis) });
        };
        check(10_400, 11, 600);
        check(13_100, 12, 0);
        check(13_200, 13, 0);
        check(13_300, 14, 700);
    }

    #[test]
    fn an_unpaced_user_rests_after_it_finished() {
        let mut pacer = Pacer::new(WaitTime::Constant(millis(250)), RunTime::ZERO);
        let next = pacer.next(RunTime::from_secs(7), &mut rng());
        assert_eq!(next, NextStart { intended: RunTime::from_micros(7_250_000), wait: millis(250) });
    }

    #[test]
    fn schedules_count_while_the_user_is_busy() {
        let pacer = Pacer::new(throughput(4.0), RunTime::from_secs(1));
        let check =
            |at_micros, expected| assert_eq!(pacer.planned(RunTime::from_micros(at_micros)), expected);
        check(999_999, 0);
        check(1_000_000, 1);
        check(1_249_999, 1);
        check(1_250_000, 2);
        check(61_000_000, 241);
    }

    #[test]
    fn starts_between_two_microseconds_are_due_at_the_later_one() {
        let pacer = Pacer::new(WaitTime::ConstantPacing(Duration::from_nanos(1500)), RunTime::ZERO);
        let counts = (0..6).map(|at| pacer.planned(RunTime::from_micros(at)));
        assert_eq!(Vec::from_iter(counts), [1, 1, 2, 3, 3, 4]);
    }

    #[test]
    fn without_a_schedule_the_starts_that_came_count() {
        let mut pacer = Pacer::new(WaitTime::Constant(millis(500)), RunTime::from_secs(1));
        assert_eq!(pacer.planned(RunTime::ZERO), 0);
        assert_eq!(pacer.planned(RunTime::from_secs(9)), 1);
        pacer.next(RunTime::from_secs(9), &mut rng());
        assert_eq!(pacer.planned(RunTime::from_micros(9_499_999)), 1);
        assert_eq!(pacer.planned(RunTime::from_micros(9_500_000)), 2);
    }

    #[test]
    fn a_third_of_a_second_does_not_drift() {
        let pacer = |iterations| Pacer { iterations, ..Pacer::new(throughput(3.0), RunTime::ZERO) };
        let ten_years = MAX_SPAN.as_secs();
        let next = pacer(3 * ten_years).next(RunTime::ZERO, &mut rng());
        assert_eq!(next.intended, RunTime::from_secs(ten_years));
        let last = pacer(u64::MAX).next(RunTime::ZERO, &mut rng());
        assert!(last.intended > next.intended, "no overflow: {last:?}");
    }

    proptest! {
        #[test]
        fn schedules_never_drift(
            per_second in 0.01..1e5f64, first in 0..1u64 << 40, busy in prop::collection::vec(0..200_000u64, 1..300),
        ) {
            let first = RunTime::from_micros(first);
            let mut pacer = Pacer::new(throughput(per_second), first);
            let mut rng = rng();
            let mut started = first;
            for (index, busy) in busy.into_iter().enumerate() {
                let next = pacer.next(started + Duration::from_micros(busy), &mut rng);
                let elapsed = next.intended.saturating_since(first).as_secs_f64();
                let expected = (index + 1) as f64 / per_second;
                prop_assert!((elapsed - expected).abs() < 1e-6, "{} instead of {}", elapsed, expected);
                started = started + Duration::from_micros(busy) + next.wait;
                prop_assert!(started >= next.intended);
            }
        }

        #[test]
        fn an_intended_start_is_planned_from_that_moment_on(
            per_second in 0.01..1e6f64, iterations in 1..1_000_000_000u64, first in 0..1u64 << 40,
        ) {
            let wait = throughput(per_second);
            let mut pacer = Pacer { iterations, ..Pacer::new(wait, RunTime::from_micros(first)) };
            let intended = pacer.next(RunTime::ZERO, &mut rng()).intended;
            prop_assert!(pacer.planned(intended) > iterations);
            prop_assert!(pacer.planned(intended - Duration::from_micros(1)) <= iterations);
        }

        #[test]
        fn rests_stay_within_their_bounds(min in 0..10_000_000u64, extra in 0..10_000_000u64, seed in any::<u64>()) {
            let (min, max) = (Duration::from_micros(min), Duration::from_micros(min + extra));
            let mut pacer = Pacer::new(WaitTime::Between { min, max }, RunTime::ZERO);
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let mut finished = RunTime::ZERO;
            for _ in 0..50 {
                let next = pacer.next(finished, &mut rng);
                prop_assert!((min..=max).contains(&next.wait));
                prop_assert_eq!(next.intended, finished + next.wait);
                finished = next.intended + Duration::from_micros(1000);
            }
        }
    }
}
