//! Two kinds of time, both plain numbers of microseconds that somebody else read from a clock.
//!
//! [`Moment`] is a reading of one process's monotonic clock: comparable inside that process only.
//! [`RunTime`] counts from the start of the run and means the same on the master and on every worker.
//! [`RunClock`] turns the first into the second on a worker. No clock is read here.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! microsecond_clock {
    ($name:ident) => {
        impl $name {
            /// The origin of this clock.
            pub const ZERO: Self = Self(0);
            /// Later than anything a clock will show.
            pub const MAX: Self = Self(u64::MAX);

            /// `micros` microseconds after the origin.
            pub const fn from_micros(micros: u64) -> Self {
                Self(micros)
            }

            /// `seconds` whole seconds after the origin.
            pub const fn from_secs(seconds: u64) -> Self {
                Self(seconds.saturating_mul(1_000_000))
            }

            /// Microseconds since the origin.
            pub const fn as_micros(self) -> u64 {
                self.0
            }

            /// Whole seconds since the origin, rounded down.
            pub const fn as_secs(self) -> u64 {
                self.0 / 1_000_000
            }

            /// Seconds since the origin.
            pub fn as_secs_f64(self) -> f64 {
                self.0 as f64 / 1e6
            }

            /// How long after `earlier` this is; zero if it is not after it.
            pub const fn saturating_since(self, earlier: Self) -> Duration {
                Duration::from_micros(self.0.saturating_sub(earlier.0))
            }
        }

        impl Add<Duration> for $name {
            type Output = Self;

            fn add(self, span: Duration) -> Self {
                Self(self.0.saturating_add(micros(span)))
            }
        }

        impl AddAssign<Duration> for $name {
            fn add_assign(&mut self, span: Duration) {
                *self = *self + span;
            }
        }

        impl Sub<Duration> for $name {
            type Output = Self;

            fn sub(self, span: Duration) -> Self {
                Self(self.0.saturating_sub(micros(span)))
            }
        }

        impl From<Duration> for $name {
            fn from(since_origin: Duration) -> Self {
                Self(micros(since_origin))
            }
        }
    };
}

/// A reading of one process's monotonic clock, in microseconds since an origin that the shell chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

microsecond_clock!(Moment);

/// Time since the start of the run, in microseconds, on the run's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunTime(u64);

microsecond_clock!(RunTime);

impl fmt::Display for RunTime {
    /// Seconds with one decimal: `12.3 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.as_secs_f64())
    }
}

/// Whole microseconds of a span, saturating.
pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// The run's clock as a worker knows it.
///
/// Every message from the master that says what the run's time was when it left gives a lower bound of the
/// offset between the two clocks, because it took some time to arrive. The highest bound seen is the best one:
/// its message travelled fastest. The clock therefore only ever moves forward, by at most that travel time.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    /// Run time minus local time, in microseconds.
    offset: i128,
}

impl RunClock {
    /// A clock set by one message: the run's time was `run` when it left, and it arrived at `local`.
    pub fn new(run: RunTime, local: Moment) -> Self {
        Self { offset: i128::from(run.0) - i128::from(local.0) }
    }

    /// Takes another message into account.
    pub fn observe(&mut self, run: RunTime, local: Moment) {
        self.offset = self.offset.max(Self::new(run, local).offset);
    }

    /// What the run's clock shows at `local`; zero before the run began.
    pub fn run_time(&self, local: Moment) -> RunTime {
        let micros = i128::from(local.0) + self.offset;
        RunTime(u64::try_from(micros.max(0)).unwrap_or(u64::MAX))
    }

    /// When the run's clock will show `run`; the local origin if that was before it.
    pub fn moment(&self, run: RunTime) -> Moment {
        let micros = i128::from(run.0) - self.offset;
        Moment(u64::try_from(micros.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(RunTime::ZERO - Duration::from_secs(1), RunTime::ZERO);
        assert_eq!(RunTime::MAX + Duration::from_secs(1), RunTime::MAX);
        assert_eq!(RunTime::from_secs(1).saturating_since(RunTime::from_secs(2)), Duration::ZERO);
    }

    #[test]
    fn the_fastest_message_sets_the_clock() {
        let mut clock = RunClock::new(RunTime::from_secs(10), Moment::from_micros(1_500_000));
        assert_eq!(clock.run_time(Moment::from_micros(1_500_000)), RunTime::from_secs(10));
        // This one left half a second later and arrived 0.2 s later: it was 0.3 s faster.
        clock.observe(RunTime::from_micros(10_500_000), Moment::from_micros(1_700_000));
        assert_eq!(clock.run_time(Moment::from_micros(1_700_000)), RunTime::from_micros(10_500_000));
        // A slow one changes nothing.
        clock.observe(RunTime::from_secs(11), Moment::from_secs(9));
        assert_eq!(clock.run_time(Moment::from_micros(1_700_000)), RunTime::from_micros(10_500_000));
    }

    #[test]
    fn run_time_and_moment_are_inverse_after_the_start() {
        let clock = RunClock::new(RunTime::from_secs(3), Moment::from_secs(100));
        let moment = Moment::from_micros(107_000_001);
        assert_eq!(clock.moment(clock.run_time(moment)), moment);
        assert_eq!(clock.run_time(Moment::ZERO), RunTime::ZERO, "before the run");
    }
}
