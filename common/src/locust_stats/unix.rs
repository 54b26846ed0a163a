//! Points in time: seconds since 1970 in Locust's messages, [`RunTime`] in ours.

use crate::locust::Number;
use crate::time::RunTime;

/// One second, in microseconds.
pub(super) const SECOND_US: i64 = 1_000_000;

/// A timestamp in microseconds since 1970, as exact as a fraction of 64 bits is: a quarter of a microsecond today.
/// What is too large stops at the ends of the type.
pub(super) fn timestamp_us(seconds: Number) -> i64 {
    match seconds {
        Number::Int(seconds) => seconds.saturating_mul(SECOND_US),
        // The cast saturates.
        Number::Float(seconds) => (seconds * 1e6).round() as i64,
    }
}

/// The run's beginning, as a signed number like all that is compared with it.
pub(super) fn signed(unix_us: u64) -> i64 {
    i64::try_from(unix_us).unwrap_or(i64::MAX)
}

/// From a worker's time to the run's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timescale {
    /// The moment of the run's start, as the worker's clock would have shown it, in microseconds since 1970.
    pub(super) run_started_us: i64,
    /// The run's time at this moment: nothing that a worker reports can have happened later.
    pub(super) now: RunTime,
}

impl Timescale {
    /// The time of the run at a moment by the worker's clock, not before its start and not after now.
    pub(super) fn run_time(self, unix_us: i64) -> RunTime {
        let since_start = unix_us.saturating_sub(self.run_started_us);
        RunTime::from_micros(u64::try_from(since_start).unwrap_or(0)).min(self.now)
    }

    /// The time of the run at a timestamp.
    pub(super) fn at(self, timestamp: Number) -> RunTime {
        self.run_time(timestamp_us(timestamp))
    }

    /// The time of the run in the middle of a second by the worker's clock. Seconds of the two clocks do not begin
    /// together, so the requests of one lie in two of the other; the middle is the best guess for all of them.
    pub(super) fn middle_of(self, unix_second: i64) -> RunTime {
        self.run_time(unix_second.saturating_mul(SECOND_US).saturating_add(SECOND_US / 2))
    }
}

/// A time of the run as a timestamp.
pub(super) fn timestamp(run_started_unix_us: u64, at: RunTime) -> Number {
    Number::Float(run_started_unix_us.saturating_add(at.as_micros()) as f64 / 1e6)
}

/// The second since 1970 in which most of a second of the run lies; a tie goes to the earlier one.
///
/// [`Timescale::middle_of`] leads back to the same second of the run.
pub(super) fn unix_second(run_started_unix_us: u64, second: u32) -> i64 {
    let start_us = signed(run_started_unix_us).saturating_add(i64::from(second) * SECOND_US);
    start_us.saturating_add(SECOND_US / 2 - 1).div_euclid(SECOND_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_of_the_run_has_its_own_second() {
        for fraction_us in [0, 1, 250_000, 499_999, 500_000, 500_001, 750_000, 999_999] {
            let run_started_unix_us = 1_795_437_327_000_000 + fraction_us;
            let run_started_us = signed(run_started_unix_us);
            let scale = Timescale { run_started_us, now: RunTime::from_secs(1_000_000) };
            for second in [0, 1, 2, 59, 999_998] {
                let back = scale.middle_of(unix_second(run_started_unix_us, second));
                assert_eq!(back.as_secs(), u64::from(second), "{fraction_us} us");
            }
        }
    }

    #[test]
    fn no_moment_is_outside_the_run() {
        let now = RunTime::from_secs(5);
        let scale = Timescale { run_started_us: 1_000 * SECOND_US, now };
        assert_eq!(scale.at(Number::Float(1_002.5)), RunTime::from_micros(2_500_000));
        assert_eq!(scale.at(Number::Int(1_003)), RunTime::from_secs(3));
        for early in [Number::Int(i64::MIN), Number::Int(999), Number::Float(f64::MIN)] {
            assert_eq!(scale.at(early), RunTime::ZERO);
        }
        for late in [Number::Int(i64::MAX), Number::Int(1_006), Number::Float(f64::MAX)] {
            assert_eq!(scale.at(late), now);
        }
        assert_eq!((scale.middle_of(i64::MIN), scale.middle_of(i64::MAX)), (RunTime::ZERO, now));
        let backwards = Timescale { run_started_us: i64::MIN, now };
        assert_eq!(backwards.middle_of(i64::MAX), now);
    }
}
