//! How long to wait before the next attempt to reach the master: doubling, capped, and jittered, so that a thousand
//! workers that lost their master together do not come back together.

use std::time::Duration;

use rand::{Rng, RngExt};

/// The wait after the first failure.
const FIRST: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(5);

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Another attempt failed: how long to wait, between half and all of the doubled span.
    pub(crate) fn next(&mut self, rng: &mut impl Rng) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        doubled.min(LONGEST).mul_f64(rng.random_range(0.5..=1.0))
    }

    /// An attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// Attempts that failed in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::UserRng;

    #[test]
    fn waits_double_up_to_the_cap_and_start_over() {
        let mut rng = UserRng::for_user(1, "worker", 0);
        let mut backoff = Backoff::default();
        let mut check = |backoff: &mut Backoff, millis: u64| {
            let wait = backoff.next(&mut rng);
            let longest = Duration::from_millis(millis);
            assert!(wait <= longest && wait >= longest / 2, "{wait:?} is not about {longest:?}");
        };
        for millis in [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000] {
            check(&mut backoff, millis);
        }
        backoff.reset();
        check(&mut backoff, 100);
    }
}
