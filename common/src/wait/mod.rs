//! Wait times: how long a user rests between two iterations, and when it should begin the next.
//!
//! Scenario files name a [`WaitTime`] in Locust's words, every user keeps a [`Pacer`]. Nobody waits in here: the
//! pacer is told when an iteration finished and answers when the next should start.
//!
//! ```text
//!  constant_pacing(1), the second iteration takes too long:
//!
//!  intended   |0        |1        |2        |3        |4       always on the schedule
//!  iterations [####]    [##################][####][###]        late ones start at once, none is skipped
//! ```

mod pacer;
mod parse;

use std::time::Duration;

use rand::{Rng, RngExt};

use crate::time::micros;
use crate::timespan::MAX_SPAN;

pub use self::pacer::{NextStart, Pacer};
pub use self::parse::WaitTimeError;

/// How long a user rests between two iterations. Prints as it parses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WaitTime {
    /// Always the same rest.
    Constant(Duration),
    /// A rest drawn evenly between two bounds, both included.
    Between {
        /// The shortest rest.
        min: Duration,
        /// The longest rest, not below `min`.
        max: Duration,
    },
    /// Iterations start so far apart. Under a microsecond this is no schedule but a rest of zero.
    ConstantPacing(Duration),
    /// So many iterations start per second.
    ConstantThroughput(Throughput),
}

/// Iterations per second of one user: above zero and at most a million.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Throughput(f64);

impl Throughput {
    /// One iteration per microsecond, the resolution of the run's clock.
    pub const MAX_PER_SECOND: f64 = 1e6;

    /// So many iterations per second; `None` if that is out of bounds. The slowest is one in [`MAX_SPAN`].
    pub fn per_second(iterations: f64) -> Option<Self> {
        let slowest = MAX_SPAN.as_secs_f64().recip();
        (slowest..=Self::MAX_PER_SECOND).contains(&iterations).then_some(Self(iterations))
    }

    /// Iterations per second.
    pub fn as_per_second(self) -> f64 {
        self.0
    }
}

impl WaitTime {
    /// The mean rest, if it does not depend on how long iterations take.
    pub fn mean(&self) -> Option<Duration> {
        match *self {
            Self::Constant(rest) => Some(rest),
            Self::Between { min, max } => Some(min.saturating_add(max) / 2),
            Self::ConstantPacing(_) | Self::ConstantThroughput(_) => None,
        }
    }

    /// The highest number of iterations per second that one user makes, if they take no time at all; `None` if the
    /// wait time sets no limit.
    pub fn max_rate(&self) -> Option<f64> {
        let period = match *self {
            Self::Constant(period) | Self::ConstantPacing(period) => period,
            Self::Between { min, max } => min.saturating_add(max) / 2,
            Self::ConstantThroughput(throughput) => return Some(throughput.as_per_second()),
        };
        (!period.is_zero()).then(|| period.as_secs_f64().recip())
    }

    /// Whether iterations follow a schedule, however long they take.
    pub fn is_paced(&self) -> bool {
        self.period_attos().is_some()
    }

    /// The time from one intended start to the next, if there is a schedule.
    fn period_attos(&self) -> Option<u128> {
        match *self {
            Self::Constant(_) | Self::Between { .. } => None,
            Self::ConstantPacing(period) if micros(period) == 0 => None,
            Self::ConstantPacing(period) => Some(period.as_nanos().saturating_mul(ATTOS_PER_NANO)),
            Self::ConstantThroughput(throughput) => Some((ATTOS_PER_SECOND / throughput.0).round() as u128),
        }
    }

    /// The rest before the next iteration, if there is no schedule.
    fn draw(&self, rng: &mut (impl Rng + ?Sized)) -> Duration {
        match *self {
            Self::Constant(rest) => rest,
            Self::Between { min, max } if min < max => {
                Duration::from_micros(rng.random_range(micros(min)..=micros(max)))
            }
            Self::Between { min, .. } => min,
            Self::ConstantPacing(_) | Self::ConstantThroughput(_) => Duration::ZERO,
        }
    }
}

/// Periods are integers of attoseconds: fine enough that a third of a second drifts by no microsecond in a century,
/// and exact arithmetic lets the pacer invert its own schedule without doubt.
const ATTOS_PER_SECOND: f64 = 1e18;
const ATTOS_PER_NANO: u128 = 1_000_000_000;
const ATTOS_PER_MICRO: u128 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn means_and_rates_tell_what_a_user_can_do_at_most() {
        let check = |text: &str, mean: Option<u64>, rate: Option<f64>, paced: bool| {
            let wait = WaitTime::parse(text).unwrap();
            assert_eq!(
                (wait.mean(), wait.max_rate(), wait.is_paced()),
                (mean.map(millis), rate, paced),
                "{text}"
            );
        };
        check("constant(2)", Some(2000), Some(0.5), false);
        check("constant(0)", Some(0), None, false);
        check("between(0.1, 0.4)", Some(250), Some(4.0), false);
        check("constant_pacing(0.5)", None, Some(2.0), true);
        check("constant_pacing(0)", None, None, false);
        check("constant_throughput(3)", None, Some(3.0), true);
    }
}
