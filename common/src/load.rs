//! The load that a run is to make: how many users, how fast they come, for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::dispatch::{MAX_USERS, SpawnRate, SpawnRateError};
use crate::time::RunTime;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Users at the top of the ramp, over all workers.
    pub users: u32,
    /// Users spawned, or stopped, per second, over all workers.
    pub spawn_rate: SpawnRate,
    /// How long the run goes on after its ramp began; `None` until somebody stops it.
    pub run_time: Option<Duration>,
}

/// Why a load cannot be made.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum BadLoad {
    /// No users.
    #[error("the number of users must be at least 1, got {0}")]
    Users(i64),
    /// More users than the dispatcher counts.
    #[error("the number of users must be at most {max}, got {0}", max = MAX_USERS)]
    TooMany(i64),
    /// A spawn rate that spawns nobody.
    #[error(transparent)]
    SpawnRate(#[from] SpawnRateError),
}

impl Load {
    /// Checks the numbers that somebody typed.
    ///
    /// # Errors
    /// Zero, negative or absurdly many users; a spawn rate that is zero, negative or not finite.
    pub fn new(users: i64, spawn_rate: f64, run_time: Option<Duration>) -> Result<Self, BadLoad> {
        if users < 1 {
            return Err(BadLoad::Users(users));
        }
        let count = u32::try_from(users).ok().filter(|count| *count <= MAX_USERS);
        let users = count.ok_or(BadLoad::TooMany(users))?;
        Ok(Self { users, spawn_rate: SpawnRate::per_second(spawn_rate)?, run_time })
    }
}

/// The number of users that should run at any time: a line from one count to another at the spawn rate.
///
/// ```text
/// users     to ________
///            /
///      from /           ramping until `end()`
///   --------+--------+---> run time
///           since
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// Users at its start.
    pub from: u32,
    /// Users at its end.
    pub to: u32,
    /// Users per second.
    pub spawn_rate: SpawnRate,
    /// When it started.
    pub since: RunTime,
}

impl Ramp {
    /// Users that should run at `at`.
    pub fn users(&self, at: RunTime) -> u32 {
        let moved = (at.saturating_since(self.since).as_secs_f64() * self.spawn_rate.as_per_second()) as u32;
        if self.to >= self.from {
            self.from.saturating_add(moved).min(self.to)
        } else {
            self.from.saturating_sub(moved).max(self.to)
        }
    }

    /// When all users should have been spawned or stopped.
    pub fn end(&self) -> RunTime {
        let seconds = f64::from(self.from.abs_diff(self.to)) / self.spawn_rate.as_per_second();
        self.since + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_loads_are_refused() {
        let check =
            |users, rate, ok: bool| assert_eq!(Load::new(users, rate, None).is_ok(), ok, "{users} {rate}");
        check(1, 0.1, true);
        check(0, 1.0, false);
        check(-5, 1.0, false);
        check(i64::from(MAX_USERS) + 1, 1.0, false);
        check(1, 0.0, false);
        check(1, -1.0, false);
        check(1, f64::NAN, false);
        check(1, f64::INFINITY, false);
    }

    #[test]
    fn a_ramp_is_a_line_between_two_counts() {
        let spawn_rate = SpawnRate::per_second(4.0).unwrap();
        let up = Ramp { from: 10, to: 30, spawn_rate, since: RunTime::from_secs(100) };
        let check = |ramp: &Ramp, second, users| {
            assert_eq!(ramp.users(RunTime::from_secs(second)), users, "{second}");
        };
        check(&up, 99, 10);
        check(&up, 100, 10);
        check(&up, 101, 14);
        check(&up, 105, 30);
        check(&up, 500, 30);
        assert_eq!(up.end(), RunTime::from_secs(105));
        let down = Ramp { from: 30, to: 10, ..up };
        check(&down, 101, 26);
        check(&down, 500, 10);
        assert_eq!(down.end(), RunTime::from_secs(105));
    }
}
