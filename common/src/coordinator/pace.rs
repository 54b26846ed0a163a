//! The pace: one rhythm for all decisions of a run.
//!
//! Every decision makes the workers begin a ramp anew, and the first of them would move a user at once. Many decisions
//! in a row (a deployment's workers joining one after the other) would then spawn a user each, whatever the spawn
//! rate. So a decision that interrupts a ramp waits for the next beat of that ramp:
//!
//! ```text
//!  first ramp   x    x    x    .    .
//!  decision               ^
//!  second ramp                 x    x    x
//! ```

use std::time::Duration;

use crate::dispatch::SpawnRate;
use crate::time::{Moment, micros};

/// The beats of the ramp that was decided last.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the first user of the ramp moves.
    first: Moment,
    /// From one user to the next, in microseconds; may be infinite.
    period_us: f64,
    /// When the ramp, and the pause after its last user, will be over.
    free_at: Moment,
}

impl Pace {
    /// Begins a ramp that moves `users` users; returns how long it has to wait for its first one.
    pub(super) fn begin(&mut self, now: Moment, rate: SpawnRate, users: u64) -> Duration {
        let period_us = 1e6 / rate.as_per_second();
        let wait = self.wait_us(now).min(period_us);
        self.first = now + span(wait);
        self.period_us = period_us;
        self.free_at = self.first + span(users as f64 * period_us);
        span(wait)
    }

    /// Microseconds to the next beat; none if the ramp has not begun or is over.
    fn wait_us(&self, now: Moment) -> f64 {
        if now >= self.free_at {
            return 0.0;
        }
        if now <= self.first {
            return micros(self.first.saturating_since(now)) as f64;
        }
        let elapsed_us = micros(now.saturating_since(self.first)) as f64;
        self.period_us - elapsed_us % self.period_us
    }
}

/// So many microseconds, at most what a `Duration` holds.
fn span(micros: f64) -> Duration {
    Duration::try_from_secs_f64(micros / 1e6).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Begins ramps of `(milliseconds, users per second, users)` and compares their waits in milliseconds.
    fn check(ramps: &[(u64, f64, u64)], expected: &[u64]) {
        let mut pace = Pace::default();
        let mut begin = |&(millis, rate, users): &(u64, f64, u64)| {
            let rate = SpawnRate::per_second(rate).unwrap();
            pace.begin(Moment::from_micros(millis * 1000), rate, users).as_micros().div_ceil(1000) as u64
        };
        assert_eq!(Vec::from_iter(ramps.iter().map(&mut begin)), expected, "{ramps:?}");
    }

    #[test]
    fn a_ramp_into_a_ramp_waits_for_its_beat() {
        check(&[(0, 10.0, 50)], &[0]);
        check(&[(7, 10.0, 50), (37, 10.0, 50)], &[0, 70]);
        check(&[(0, 10.0, 50), (30, 10.0, 50), (60, 10.0, 50), (130, 10.0, 50)], &[0, 70, 40, 70]);
    }

    #[test]
    fn a_ramp_that_is_over_holds_nobody_up() {
        check(&[(0, 1.0, 5), (4999, 1.0, 1), (9000, 1.0, 1)], &[0, 1, 0]);
        check(&[(0, 0.01, 1), (99_000, 0.01, 1)], &[0, 1000]);
        check(&[(0, 1.0, 0), (10, 1.0, 3)], &[0, 0]);
    }

    #[test]
    fn a_faster_ramp_does_not_wait_for_a_slow_one() {
        check(&[(0, 0.01, 50), (1000, 100.0, 50)], &[0, 10]);
        check(&[(0, 100.0, 500), (5, 0.5, 50)], &[0, 5]);
        check(&[(0, 1e-300, 50), (1000, 10.0, 50)], &[0, 100]);
    }
}
