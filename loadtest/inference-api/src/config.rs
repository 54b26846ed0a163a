//! How slow and how faulty a server is.
//!
//! The command line and embedders build a [`Config`]; the routes obey it. Parsing of the flags themselves
//! lives with the binary.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The knobs of one server. The default is as fast as possible and never fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// CPU time that each prediction request burns. It occupies a runtime thread, as a model would.
    pub inference_time: Duration,
    /// Time that each prediction request waits without burning CPU. The timer rounds up to whole
    /// milliseconds.
    pub latency: Duration,
    /// The share of prediction requests that answer 500 although their input is valid.
    pub error_rate: ErrorRate,
    /// Decides which requests fail: with the same seed the n-th prediction has the same fate.
    pub seed: u64,
}

/// A share of requests, from 0 (never) to 1 (always).
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct ErrorRate(f64);

impl ErrorRate {
    /// No request fails.
    pub const NEVER: ErrorRate = ErrorRate(0.0);
    /// Every request fails.
    pub const ALWAYS: ErrorRate = ErrorRate(1.0);

    /// A rate of `share`.
    ///
    /// # Errors
    ///
    /// When `share` is not between 0 and 1.
    pub fn new(share: f64) -> Result<ErrorRate, InvalidErrorRate> {
        if (0.0..=1.0).contains(&share) { Ok(ErrorRate(share)) } else { Err(InvalidErrorRate) }
    }

    /// The share, from 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0
    }
}

impl FromStr for ErrorRate {
    type Err = InvalidErrorRate;

    fn from_str(text: &str) -> Result<ErrorRate, InvalidErrorRate> {
        ErrorRate::new(text.parse().map_err(|_| InvalidErrorRate)?)
    }
}

impl fmt::Display for ErrorRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was given is not a share between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidErrorRate;

impl fmt::Display for InvalidErrorRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error rate is a number from 0 to 1, such as 0.01 for one request in a hundred")
    }
}

impl std::error::Error for InvalidErrorRate {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_rate_lies_between_zero_and_one() {
        let check = |text: &str, expected: Result<f64, InvalidErrorRate>| {
            assert_eq!(text.parse::<ErrorRate>().map(ErrorRate::share), expected, "{text:?}");
        };
        check("0", Ok(0.0));
        check("0.01", Ok(0.01));
        check("1", Ok(1.0));
        for bad in ["-0.1", "1.01", "NaN", "inf", "", "1%", "often"] {
            check(bad, Err(InvalidErrorRate));
        }
    }
}
