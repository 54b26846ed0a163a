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

use std::f64::consts::{PI, SQRT_2};
use std::time::Duration;

use rand::{Rng, RngExt};
use rand_distr::{Exp1, StandardNormal};

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
    /// A rest drawn from an exponential distribution: what separates events that know nothing of each other.
    Exponential {
        /// The mean rest.
        mean: Duration,
    },
    /// A rest drawn from a normal distribution; what falls below zero is a rest of zero.
    Normal {
        /// The middle of the distribution.
        mean: Duration,
        /// Its standard deviation.
        stddev: Duration,
    },
    /// A rest whose logarithm is normally distributed: the exponential of that, in seconds.
    LogNormal {
        /// The mean of the logarithm; finite.
        mu: f64,
        /// The standard deviation of the logarithm; finite and at least zero.
        sigma: f64,
    },
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
    ///
    /// That of a normal distribution counts what falls below zero as zero. That draws are cut at [`MAX_SPAN`] is left
    /// out of account, except that no mean is longer.
    pub fn mean(&self) -> Option<Duration> {
        match *self {
            Self::Constant(rest) => Some(rest),
            Self::Between { min, max } => Some(min.saturating_add(max) / 2),
            Self::Exponential { mean } => Some(mean),
            Self::Normal { mean, stddev } => {
                Some(rest(mean_above_zero(mean.as_secs_f64(), stddev.as_secs_f64())))
            }
            Self::LogNormal { mu, sigma } => Some(rest((mu + sigma * sigma / 2.0).exp())),
            Self::ConstantPacing(_) | Self::ConstantThroughput(_) => None,
        }
    }

    /// The highest number of iterations per second that one user makes, if they take no time at all; `None` if the
    /// wait time sets no limit.
    pub fn max_rate(&self) -> Option<f64> {
        let period = match *self {
            Self::ConstantThroughput(throughput) => return Some(throughput.as_per_second()),
            Self::ConstantPacing(period) => period,
            _ => self.mean()?,
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
            Self::ConstantPacing(period) if micros(period) == 0 => None,
            Self::ConstantPacing(period) => Some(period.as_nanos().saturating_mul(ATTOS_PER_NANO)),
            Self::ConstantThroughput(throughput) => Some((ATTOS_PER_SECOND / throughput.0).round() as u128),
            _ => None,
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
            Self::Exponential { mean } => rest(mean.as_secs_f64() * rng.sample::<f64, _>(Exp1)),
            Self::Normal { mean, stddev } => {
                rest(mean.as_secs_f64() + stddev.as_secs_f64() * rng.sample::<f64, _>(StandardNormal))
            }
            Self::LogNormal { mu, sigma } => rest((mu + sigma * rng.sample::<f64, _>(StandardNormal)).exp()),
            Self::ConstantPacing(_) | Self::ConstantThroughput(_) => Duration::ZERO,
        }
    }
}

/// Periods are integers of attoseconds: fine enough that a third of a second drifts by no microsecond in a century,
/// and exact arithmetic lets the pacer invert its own schedule without doubt.
const ATTOS_PER_SECOND: f64 = 1e18;
const ATTOS_PER_NANO: u128 = 1_000_000_000;
const ATTOS_PER_MICRO: u128 = 1_000_000_000_000;

/// A rest of so many seconds, to the microsecond: none below zero, none above [`MAX_SPAN`].
fn rest(seconds: f64) -> Duration {
    let micros = seconds.clamp(0.0, MAX_SPAN.as_secs_f64()) * 1e6;
    Duration::from_micros(micros.round() as u64)
}

/// The mean of a normal distribution of which all that is below zero counts as zero; its own mean is not below.
fn mean_above_zero(mean: f64, stddev: f64) -> f64 {
    let sigmas = mean / stddev;
    // So far from zero, or without any spread, nothing falls below.
    if stddev == 0.0 || sigmas > 8.0 {
        return mean;
    }
    let density = (-sigmas * sigmas / 2.0).exp() / (SQRT_2 * PI.sqrt());
    mean * (0.5 + density * area_over_density(sigmas)) + stddev * density
}

/// The area under the standard normal density from zero to `x`, over the density at `x`, which is the series
/// x + x³/3 + x⁵/(3·5) + …; all of its terms are positive, so nothing is lost to cancellation.
fn area_over_density(x: f64) -> f64 {
    let (mut sum, mut term, mut divisor) = (x, x, 1.0);
    while term > sum * f64::EPSILON {
        divisor += 2.0;
        term *= x * x / divisor;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_pcg::Pcg64Mcg;

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
        check("exponential(2)", Some(2000), Some(0.5), false);
        check("exponential(0)", Some(0), None, false);
        check("normal(4, 0)", Some(4000), Some(0.25), false);
        check("normal(0.5, 0.001)", Some(500), Some(2.0), false);
        check("lognormal(0, 0)", Some(1000), Some(1.0), false);
    }

    #[test]
    fn the_mean_of_a_normal_wait_counts_what_is_cut_off() {
        let check = |text: &str, expected_us: u128| {
            let mean = WaitTime::parse(text).unwrap().mean().unwrap();
            assert_eq!(mean.as_micros(), expected_us, "{text}");
        };
        // By the distribution function of the normal distribution, to ten digits.
        check("normal(0, 1)", 398_942);
        check("normal(1, 1)", 1_083_315);
        check("normal(2, 1)", 2_008_491);
        check("normal(0.1, 0.4)", 214_538);
        check("normal(7, 1)", 7_000_000);
        check("lognormal(1, 0.5)", 3_080_217);
        check("lognormal(800, 1)", MAX_SPAN.as_micros());
    }

    proptest! {
        #[test]
        fn drawn_rests_have_the_mean_that_is_promised(
            kind in 0..3, mean_ms in 1..100_000u64, spread in 0.0..1.5f64, seed in any::<u64>(),
        ) {
            let mean = millis(mean_ms);
            let wait = match kind {
                0 => WaitTime::Exponential { mean },
                1 => WaitTime::Normal { mean, stddev: mean.mul_f64(spread) },
                _ => WaitTime::LogNormal { mu: mean.as_secs_f64().ln(), sigma: spread / 2.0 },
            };
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            const DRAWS: u32 = 20_000;
            let sum: f64 = (0..DRAWS).map(|_| wait.draw(&mut rng).as_secs_f64()).sum();
            let ratio = sum / f64::from(DRAWS) / wait.mean().unwrap().as_secs_f64();
            // The deviation of one draw is at most one and a half means, that of so many a hundredth.
            prop_assert!((0.93..1.07).contains(&ratio), "{wait}: {ratio} of the mean");
        }

        #[test]
        fn no_draw_is_below_zero_or_beyond_the_limit(
            mean in 0..=MAX_SPAN.as_secs(), stddev in 0..=MAX_SPAN.as_secs(), mu in any::<i32>(), sigma in any::<u32>(),
            seed in any::<u64>(),
        ) {
            let (mean, stddev) = (Duration::from_secs(mean), Duration::from_secs(stddev));
            let waits = [
                WaitTime::Exponential { mean },
                WaitTime::Normal { mean, stddev },
                WaitTime::LogNormal { mu: f64::from(mu), sigma: f64::from(sigma) },
            ];
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            for wait in waits.iter().flat_map(|wait| [wait; 20]) {
                prop_assert!(wait.draw(&mut rng) <= MAX_SPAN);
                prop_assert!(wait.mean().unwrap() <= MAX_SPAN);
            }
        }
    }
}
