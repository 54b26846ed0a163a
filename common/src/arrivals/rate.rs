//! How often iterations are to begin, as an exact number.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Arrivals per time: an exact multiple of a thousandth of an arrival per hour, at most a million per second. Prints
/// as it parses.
///
/// One unit for all rates means one denominator for all sums of them, so that a schedule can be computed in integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArrivalRate(u64);

/// Units in an arrival per second.
pub(crate) const UNITS_PER_SECOND: u64 = 3600 * UNITS_PER_HOUR;
/// Units in an arrival per minute.
const UNITS_PER_MINUTE: u64 = 60 * UNITS_PER_HOUR;
/// Units in an arrival per hour.
const UNITS_PER_HOUR: u64 = 1000;

/// Why a text is not an arrival rate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ArrivalRateError {
    /// It does not follow the grammar.
    #[error("{0:?} is not an arrival rate; write arrivals per second, minute or hour: 1000/s, 90/m, 36/h")]
    Malformed(String),
    /// It is faster than the resolution of the run's clock.
    #[error("the arrival rate {0:?} is too high; the limit is 1000000/s")]
    TooHigh(String),
    /// It has more decimals than a rate can have.
    #[error("the arrival rate {0:?} is too precise; it has to be a multiple of 0.001/h")]
    TooPrecise(String),
}

impl ArrivalRate {
    /// No arrivals.
    pub const ZERO: Self = Self(0);
    /// One arrival per microsecond, the resolution of the run's clock.
    pub const MAX: Self = Self(1_000_000 * UNITS_PER_SECOND);

    /// So many arrivals per second, at most a million.
    pub fn per_second(arrivals: u32) -> Self {
        Self(u64::from(arrivals) * UNITS_PER_SECOND).min(Self::MAX)
    }

    /// Reads a rate: a decimal number with `/s`, `/m` or `/h`, or one alone, which is per second.
    ///
    /// # Errors
    /// Anything else, more than a million per second, and more decimals than a thousandth of an arrival per hour.
    pub fn parse(text: &str) -> Result<Self, ArrivalRateError> {
        let malformed = || ArrivalRateError::Malformed(text.to_owned());
        let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
        let scale = match unit.trim_start() {
            "s" => UNITS_PER_SECOND,
            "m" => UNITS_PER_MINUTE,
            "h" => UNITS_PER_HOUR,
            _ => return Err(malformed()),
        };
        let (whole, decimals) = decimal(number.trim_end()).ok_or_else(malformed)?;
        let (kept, cut) = decimals.split_at(decimals.len().min(MAX_DECIMALS));
        if cut.bytes().any(|digit| digit != b'0') {
            return Err(ArrivalRateError::TooPrecise(text.to_owned()));
        }
        let too_high = || ArrivalRateError::TooHigh(text.to_owned());
        let whole: u128 = whole.parse().map_err(|_| too_high())?;
        let part: u128 = format!("{kept:0<MAX_DECIMALS$}").parse().map_err(|_| malformed())?;
        let fine = whole.checked_mul(FINEST).and_then(|fine| (fine + part).checked_mul(scale.into()));
        let fine = fine.ok_or_else(too_high)?;
        if fine % FINEST != 0 {
            return Err(ArrivalRateError::TooPrecise(text.to_owned()));
        }
        let rate = u64::try_from(fine / FINEST).map(Self).map_err(|_| too_high())?;
        if rate > Self::MAX { Err(too_high()) } else { Ok(rate) }
    }

    /// Arrivals per second.
    pub fn as_per_second(self) -> f64 {
        self.0 as f64 / UNITS_PER_SECOND as f64
    }

    /// Whether nothing arrives.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// So many thousandths of an arrival per hour, at most [`Self::MAX`].
    pub(crate) fn from_units(units: u64) -> Self {
        Self(units).min(Self::MAX)
    }

    /// Thousandths of an arrival per hour.
    pub(crate) fn units(self) -> u64 {
        self.0
    }
}

/// No multiple of a unit has more decimals in any unit of time: there are 2⁷·3²·5⁵ units in an arrival per second.
const MAX_DECIMALS: usize = 7;
/// A one with so many zeros.
const FINEST: u128 = 10_000_000;

/// The digits before and after the point.
fn decimal(number: &str) -> Option<(&str, &str)> {
    let (whole, decimals) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!whole.is_empty() && is_digits(whole) && is_digits(decimals)).then_some((whole, decimals))
}

impl FromStr for ArrivalRate {
    type Err = ArrivalRateError;

    fn from_str(text: &str) -> Result<Self, ArrivalRateError> {
        Self::parse(text)
    }
}

impl fmt::Display for ArrivalRate {
    /// In the longest unit of time in which it has no more than three decimals, of which none ends with a zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = |units: u64| units / UNITS_PER_HOUR;
        let fits = |(units, _): &(u64, char)| self.0.is_multiple_of(per(*units));
        let units = [(UNITS_PER_SECOND, 's'), (UNITS_PER_MINUTE, 'm'), (UNITS_PER_HOUR, 'h')];
        let (units, name) = units.into_iter().find(fits).unwrap_or((UNITS_PER_HOUR, 'h'));
        let thousandths = self.0 / per(units);
        let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
        write!(f, "{}/{name}", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_read_in_three_units_and_printed_in_the_plainest() {
        let check = |text, per_hour: f64, printed: &str| {
            let rate = ArrivalRate::parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(rate.units() as f64 / 1000.0, per_hour, "{text}");
            assert_eq!(rate.to_string(), printed, "{text}");
        };
        check("1000/s", 3_600_000.0, "1000/s");
        check("2.5/s", 9000.0, "2.5/s");
        check("90/m", 5400.0, "1.5/s");
        check("36/h", 36.0, "0.01/s");
        check("50", 180_000.0, "50/s");
        check("0.25", 900.0, "0.25/s");
        check("20 / m", 1200.0, "20/m");
        check("1/h", 1.0, "1/h");
        check("0.001/h", 0.001, "0.001/h");
        check("0.0005/s", 1.8, "0.03/m");
        check("1.500000000000000/s", 5400.0, "1.5/s");
        check("0/s", 0.0, "0/s");
        check("1000000", 3.6e9, "1000000/s");
    }

    #[test]
    fn errors_say_what_is_wrong() {
        fn check(text: &str, expected: &str) {
            assert_eq!(ArrivalRate::parse(text).unwrap_err().to_string(), expected);
        }
        let malformed = |text: &str| {
            check(
                text,
                &format!(
                    "{text:?} is not an arrival rate; write arrivals per second, minute or hour: 1000/s, 90/m, 36/h"
                ),
            );
        };
        ["", "/s", "1000/d", "1000/", "-1/s", "1e3/s", ".5/s", "5./s", "1,5/s", "1/s/s", "inf"]
            .into_iter()
            .for_each(malformed);
        check("1000001/s", r#"the arrival rate "1000001/s" is too high; the limit is 1000000/s"#);
        check(
            "99999999999999999999999999999999999999999/h",
            r#"the arrival rate "99999999999999999999999999999999999999999/h" is too high; the limit is 1000000/s"#,
        );
        check(
            "0.0001/h",
            r#"the arrival rate "0.0001/h" is too precise; it has to be a multiple of 0.001/h"#,
        );
        check(
            "0.3333333/s",
            r#"the arrival rate "0.3333333/s" is too precise; it has to be a multiple of 0.001/h"#,
        );
        check(
            "1.0000000000001/s",
            r#"the arrival rate "1.0000000000001/s" is too precise; it has to be a multiple of 0.001/h"#,
        );
    }

    proptest! {
        #[test]
        fn a_rate_prints_as_it_parses(units in prop_oneof![0..=ArrivalRate::MAX.0, 0..10_000_000u64]) {
            let rate = ArrivalRate(units);
            prop_assert_eq!(ArrivalRate::parse(&rate.to_string()), Ok(rate));
        }

        #[test]
        fn any_text_gives_a_rate_or_an_error(text in "[0-9./smh ]{0,12}|.{0,20}") {
            let rate = ArrivalRate::parse(&text);
            prop_assert!(rate.is_err() || rate.unwrap() <= ArrivalRate::MAX);
        }
    }
}
