//! The spawn rate and Locust's way to walk at it: whole users per step, and a pause between steps.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How fast users are added or removed, over all workers. Finite and above zero.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct SpawnRate(f64);

/// A spawn rate that is not a finite number above zero.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("a spawn rate of {0} users per second is impossible; give a finite number above zero")]
pub struct SpawnRateError(f64);

impl SpawnRate {
    /// The rate of users that somebody adds or takes away by hand: 100 per second, as in Locust.
    pub const BY_HAND: Self = Self(100.0);

    /// So many users per second.
    ///
    /// # Errors
    /// The number is not finite or not above zero.
    pub fn per_second(users: f64) -> Result<Self, SpawnRateError> {
        if users.is_finite() && users > 0.0 { Ok(Self(users)) } else { Err(SpawnRateError(users)) }
    }

    /// Users per second.
    pub fn as_per_second(self) -> f64 {
        self.0
    }

    /// Users per step: the whole users of a second, but at least one.
    pub fn step_size(self) -> NonZeroU32 {
        // The cast rounds down and saturates.
        NonZeroU32::new(self.0 as u32).unwrap_or(NonZeroU32::MIN)
    }

    /// The time from one step to the next that yields this rate. There is no pause before the first step nor after
    /// the last, and what a step takes itself counts as part of the pause.
    pub fn step_pause(self) -> Duration {
        let seconds = f64::from(self.step_size().get()) / self.0;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl TryFrom<f64> for SpawnRate {
    type Error = SpawnRateError;

    fn try_from(users_per_second: f64) -> Result<Self, SpawnRateError> {
        Self::per_second(users_per_second)
    }
}

impl From<SpawnRate> for f64 {
    fn from(rate: SpawnRate) -> Self {
        rate.as_per_second()
    }
}

impl fmt::Display for SpawnRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole_users_and_pauses_make_up_for_the_rest() {
        let check = |rate: f64, size: u32, pause_micros: u128| {
            let rate = SpawnRate::per_second(rate).unwrap();
            assert_eq!(
                (rate.step_size().get(), rate.step_pause().as_micros()),
                (size, pause_micros),
                "{rate}"
            );
        };
        check(0.5, 1, 2_000_000);
        check(1.0, 1, 1_000_000);
        check(1.5, 1, 666_666);
        check(2.7, 2, 740_740);
        check(100.0, 100, 1_000_000);
        check(1e12, u32::MAX, 4294);
        check(1e-300, 1, Duration::MAX.as_micros());
    }

    #[test]
    fn a_stored_rate_is_checked_when_it_is_read() {
        let stored = serde_json::to_string(&SpawnRate::per_second(2.5).unwrap()).unwrap();
        assert_eq!(stored, "2.5");
        assert_eq!(serde_json::from_str::<SpawnRate>(&stored).unwrap().as_per_second(), 2.5);
        assert!(serde_json::from_str::<SpawnRate>("0.0").is_err());
    }

    #[test]
    fn impossible_rates_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(SpawnRate::per_second(rate).is_err(), "{rate}");
        }
        let message = SpawnRate::per_second(0.0).unwrap_err().to_string();
        assert_eq!(
            message,
            "a spawn rate of 0 users per second is impossible; give a finite number above zero"
        );
    }
}
