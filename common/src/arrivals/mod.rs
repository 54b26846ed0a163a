//! The open model: iterations begin when a schedule says so, whether or not earlier ones have ended.
//!
//! A scenario gives a class [`Arrivals`]; master and workers make a [`Schedule`] of it, the master to count what is
//! planned, each worker to find its share with a [`Cursor`]. Who makes an arrival, and whether a user is free for it,
//! is not known here.
//!
//! ```text
//!  rate ---,    ,--- curve: how many are due by when (integers, so nothing drifts)
//!  stages --> Arrivals --> Schedule --> Cursor of slot 0 of 3   0  3  6  9
//!                  constant or Poisson  Cursor of slot 1 of 3   1  4  7
//!                                       Cursor of slot 2 of 3   2  5  8
//! ```

mod curve;
mod deal;
mod poisson;
mod rate;
mod schedule;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use self::deal::Deal;
use crate::dispatch::MAX_USERS;
use crate::timespan::MAX_SPAN;

pub(crate) use self::rate::UNITS_PER_SECOND;
pub use self::rate::{ArrivalRate, ArrivalRateError};
pub use self::schedule::{Cursor, Due, Schedule, Slot};

/// The longest stage: a month. It bounds what the arithmetic of ramps has to hold.
pub const MAX_STAGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often iterations of a class begin, and what serves them. Checked when it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrivals {
    start: ArrivalRate,
    stages: Vec<Stage>,
    max_users: u32,
    distribution: Distribution,
    max_delay: Duration,
    /// The part of these arrivals that is the class's, when several share them.
    deal: Deal,
    /// The same as a number, at most 1.
    share: f64,
}

/// Arrivals at one rate for ever, evenly spread, of which none waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SteadyArrivals {
    /// Their rate; above zero.
    pub rate: ArrivalRate,
    /// Users that serve them at the same time, at most; at least one.
    pub max_users: u32,
}

/// A span in which the rate goes in a line to another one. One of no length is a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// How long it takes.
    pub duration: Duration,
    /// The rate at its end.
    pub rate: ArrivalRate,
}

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// Evenly: one after the other at the distance that the rate says.
    #[default]
    Constant,
    /// At random, as those of many people who know nothing of each other.
    Poisson,
}

/// Why arrivals cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArrivalsError {
    /// The rate is zero all the time.
    #[error("nothing ever arrives; give a rate above 0")]
    NoRate,
    /// All stages together have no length.
    #[error("the stages last no time at all; give one a duration above 0")]
    NoTime,
    /// A stage is longer than [`MAX_STAGE`].
    #[error("a stage of {} s is too long; the limit is 30 days, so make two of it", .0.as_secs())]
    StageTooLong(Duration),
    /// All stages together are longer than [`MAX_SPAN`].
    #[error("all stages together are longer than ten years, which is the limit")]
    TooLong,
    /// No users, or more than can be counted.
    #[error("max_users must be from 1 to {max}, got {0}", max = MAX_USERS)]
    MaxUsers(u32),
    /// An arrival may wait for longer than [`MAX_SPAN`].
    #[error("max_delay is longer than ten years, which is the limit")]
    MaxDelay,
}

impl Arrivals {
    /// Arrivals at the rate `start`, which then goes through `stages`; without any, it stays, otherwise nothing
    /// arrives after the last one. At most `max_users` users serve them at the same time, and an arrival waits for at
    /// most `max_delay` for one of them.
    ///
    /// # Errors
    /// Nothing would ever arrive; a limit is zero or too high; a stage is too long.
    pub fn new(
        start: ArrivalRate,
        stages: Vec<Stage>,
        max_users: u32,
        distribution: Distribution,
        max_delay: Duration,
    ) -> Result<Self, ArrivalsError> {
        if let Some(stage) = stages.iter().find(|stage| stage.duration > MAX_STAGE) {
            return Err(ArrivalsError::StageTooLong(stage.duration));
        }
        let length = stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.duration));
        if length > MAX_SPAN {
            return Err(ArrivalsError::TooLong);
        }
        if !stages.is_empty() && length.is_zero() {
            return Err(ArrivalsError::NoTime);
        }
        if max_users == 0 || max_users > MAX_USERS {
            return Err(ArrivalsError::MaxUsers(max_users));
        }
        if max_delay > MAX_SPAN {
            return Err(ArrivalsError::MaxDelay);
        }
        let (deal, share) = (Deal::default(), 1.0);
        let arrivals = Self { start, stages, max_users, distribution, max_delay, deal, share };
        if arrivals.peak_rate() == 0.0 { Err(ArrivalsError::NoRate) } else { Ok(arrivals) }
    }

    /// Arrivals at one rate.
    ///
    /// # Errors
    /// The rate is zero; there are no users, or too many.
    pub fn steady(steady: SteadyArrivals) -> Result<Self, ArrivalsError> {
        Self::new(steady.rate, Vec::new(), steady.max_users, Distribution::Constant, Duration::ZERO)
    }

    /// Shares arrivals among classes by their weights; a class without a weight gets `None`.
    ///
    /// Constant ones are dealt out in turn, so that all classes together have exactly these arrivals, at exactly these
    /// times. Of Poisson ones, each class gets a process of its own with its share of the rate, and the sum of such
    /// processes is one again. Users are shared by weight, too, but every class gets one.
    pub fn split(&self, weights: &[f64]) -> Vec<Option<Self>> {
        let has_weight = |weight: &f64| *weight > 0.0 && weight.is_finite();
        let weighted: Vec<f64> = weights.iter().copied().filter(has_weight).collect();
        let total: f64 = weighted.iter().sum();
        let users = by_largest_remainder(self.max_users, &weighted);
        let mut shares = Deal::by_weights(&weighted).into_iter().zip(users);
        let part = |weight: &f64| {
            let (deal, users) = has_weight(weight).then(|| shares.next()).flatten()?;
            Some(Self { deal, share: weight / total, max_users: users.max(1), ..self.clone() })
        };
        weights.iter().map(part).collect()
    }

    /// Users that serve the arrivals at the same time, at most.
    pub fn max_users(&self) -> u32 {
        self.max_users
    }

    /// How arrivals are spread.
    pub fn distribution(&self) -> Distribution {
        self.distribution
    }

    /// How long an arrival may wait for a user.
    pub fn max_delay(&self) -> Duration {
        self.max_delay
    }

    /// The highest rate, in arrivals per second.
    pub fn peak_rate(&self) -> f64 {
        // A rate that is left at once, in a jump, is never reached.
        let mut peak = ArrivalRate::ZERO;
        let mut from = self.start;
        for stage in &self.stages {
            if !stage.duration.is_zero() {
                peak = peak.max(from).max(stage.rate);
            }
            from = stage.rate;
        }
        if self.stages.is_empty() {
            peak = from;
        }
        peak.as_per_second() * self.share
    }

    /// How long they go on; `None` if they never end.
    pub fn length(&self) -> Option<Duration> {
        let sum = self.stages.iter().map(|stage| stage.duration).sum();
        (!self.stages.is_empty()).then_some(sum)
    }
}

/// Shares `total` by weights such that the sum is exact: everybody gets the whole part of its share, and those with
/// the largest fractions get what is left.
fn by_largest_remainder(total: u32, weights: &[f64]) -> Vec<u32> {
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| f64::from(total) * (weight / sum)).collect();
    let mut shares: Vec<u32> = exact.iter().map(|share| *share as u32).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    let left = total.saturating_sub(shares.iter().sum()) as usize;
    order.into_iter().take(left).for_each(|index| shares[index] += 1);
    shares
}

/// The share of sharer `index` of `of` in `total`, each as large as the others or one larger.
pub fn even_share(total: u32, index: u32, of: u32) -> u32 {
    let of = of.max(1);
    total / of + u32::from(index < total % of)
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        })
    }
}

/// The text names no distribution.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no distribution {0:?}; write constant or poisson")]
pub struct UnknownDistribution(String);

impl FromStr for Distribution {
    type Err = UnknownDistribution;

    fn from_str(text: &str) -> Result<Self, UnknownDistribution> {
        match text {
            "constant" => Ok(Self::Constant),
            "poisson" => Ok(Self::Poisson),
            _ => Err(UnknownDistribution(text.to_owned())),
        }
    }
}
