//! Spans of time as people write them: Locust's `1h20m` on command lines and forms ([`parse_timespan`]), and the
//! finer `200ms` of scenario files ([`parse_duration`]). What a span is used for is not known here.
//!
//! ```text
//! timespan := DIGITS | [DIGITS 'h'] [DIGITS 'm'] [DIGITS 's']      at least one part; digits alone are seconds
//! duration := timespan | NUMBER | NUMBER unit                       a number alone is seconds
//! unit     := 'us' | 'ms' | 's' | 'm' | 'h'
//! NUMBER   := DIGITS ['.' DIGITS]
//! ```

use std::time::Duration;

use thiserror::Error;

/// The longest span that is accepted: ten years. Whoever writes more made a mistake, and sums of shorter ones
/// overflow nowhere.
pub const MAX_SPAN: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why a timespan cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimespanError {
    /// It does not follow the grammar.
    #[error("{0:?} is not a time span. Valid time formats are: 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc.")]
    Malformed(String),
    /// It exceeds [`MAX_SPAN`].
    #[error("the time span {0:?} is longer than ten years, which is the limit")]
    TooLong(String),
}

/// Why a duration of a scenario file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DurationError {
    /// It does not follow the grammar.
    #[error(
        "{0:?} is not a duration. Write a number of seconds, or a number with a unit: 100us, 200ms, 1.5s, 2m, 1h"
    )]
    Malformed(String),
    /// It exceeds [`MAX_SPAN`].
    #[error("the duration {0:?} is longer than ten years, which is the limit")]
    TooLong(String),
}

/// Reads a time span as Locust does: whole seconds, or hours, minutes and seconds in this order.
///
/// # Errors
/// Anything else, and spans above [`MAX_SPAN`].
pub fn parse_timespan(text: &str) -> Result<Duration, TimespanError> {
    match clock_parts(text).or_else(|| scaled(text, SECOND)) {
        None => Err(TimespanError::Malformed(text.to_owned())),
        Some(nanos) => bounded(nanos).ok_or_else(|| TimespanError::TooLong(text.to_owned())),
    }
}

/// Reads a duration of a scenario file: a timespan, or a decimal number with one unit, or one of seconds.
///
/// # Errors
/// Anything else, and durations above [`MAX_SPAN`].
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    match decimal(text).or_else(|| clock_parts(text)) {
        None => Err(DurationError::Malformed(text.to_owned())),
        Some(nanos) => bounded(nanos).ok_or_else(|| DurationError::TooLong(text.to_owned())),
    }
}

/// Writes a span so that [`parse_timespan`] reads it: `1h20m`, `30s`, `0s`. Fractions of a second are dropped.
pub fn format_timespan(span: Duration) -> String {
    let seconds = span.as_secs();
    let parts = [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')];
    let text: String = parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if text.is_empty() { "0s".to_owned() } else { text }
}

const SECOND: u128 = 1_000_000_000;

/// Units by suffix, in nanoseconds. A suffix comes before those that are its own end.
const UNITS: [(&str, u128); 5] =
    [("us", 1000), ("ms", 1_000_000), ("s", SECOND), ("m", 60 * SECOND), ("h", 3600 * SECOND)];

/// Nanoseconds of `[<int>h][<int>m][<int>s]` with at least one part.
fn clock_parts(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut nanos: u128 = 0;
    for (unit, scale) in [('h', 3600 * SECOND), ('m', 60 * SECOND), ('s', SECOND)] {
        if let Some((digits, after)) = rest.split_once(unit) {
            nanos = nanos.saturating_add(scaled(digits, scale)?);
            rest = after;
        }
    }
    (rest.is_empty() && !text.is_empty()).then_some(nanos)
}

/// Nanoseconds of a decimal number with or without a unit.
fn decimal(text: &str) -> Option<u128> {
    let with_unit = UNITS.iter().find_map(|(suffix, scale)| Some((text.strip_suffix(suffix)?, *scale)));
    let (number, scale) = with_unit.unwrap_or((text, SECOND));
    let Some((whole, fraction)) = number.split_once('.') else {
        return scaled(number, scale);
    };
    if !is_digits(fraction) {
        return None;
    }
    // Exact to the nanosecond: a fraction of an hour in nanoseconds fits a float.
    let part = format!("0.{fraction}").parse::<f64>().ok()? * scale as f64;
    Some(scaled(whole, scale)?.saturating_add(part.round() as u128))
}

/// Nanoseconds of so many units, saturating: whatever is absurdly long is found too long later.
fn scaled(digits: &str, scale: u128) -> Option<u128> {
    is_digits(digits).then(|| digits.parse().unwrap_or(u128::MAX).saturating_mul(scale))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn bounded(nanos: u128) -> Option<Duration> {
    let span = Duration::from_nanos(u64::try_from(nanos).ok()?);
    (span <= MAX_SPAN).then_some(span)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn timespans_are_those_of_locust() {
        let check =
            |text, seconds| assert_eq!(parse_timespan(text), Ok(Duration::from_secs(seconds)), "{text}");
        check("20", 20);
        check("20s", 20);
        check("3m", 180);
        check("2h", 7200);
        check("1h20m", 4800);
        check("90m", 5400);
        check("1h1m1s", 3661);
        check("3h30m10s", 12_610);
        check("1h5s", 3605);
        check("0", 0);
        check("0s", 0);
        check("007", 7);
        check("87600h", MAX_SPAN.as_secs());
    }

    #[test]
    fn anything_else_is_refused_with_the_value() {
        let check =
            |text: &str| assert_eq!(parse_timespan(text), Err(TimespanError::Malformed(text.to_owned())));
        let refused = [
            "1.5m", "1d", "10ms", "1h 30m", "", "1m1h", "m5", "1s1s", "1h1h", "h", "1h2", "-1", "+1", " 1",
            "1 ", "١",
        ];
        refused.into_iter().for_each(check);
        let message = parse_timespan("1.5m").unwrap_err().to_string();
        assert_eq!(
            message,
            r#""1.5m" is not a time span. Valid time formats are: 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc."#
        );
    }

    #[test]
    fn absurdly_long_spans_are_refused_without_overflow() {
        let many_digits = "9".repeat(100);
        let many_hours = format!("{many_digits}h{many_digits}m{many_digits}s");
        for text in ["87600h1s", "18446744073709551616", &many_digits, &many_hours] {
            assert_eq!(parse_timespan(text), Err(TimespanError::TooLong(text.to_owned())));
            assert_eq!(parse_duration(text), Err(DurationError::TooLong(text.to_owned())));
        }
    }

    #[test]
    fn timespans_are_written_in_their_largest_parts() {
        let check = |millis, expected| assert_eq!(format_timespan(Duration::from_millis(millis)), expected);
        check(0, "0s");
        check(999, "0s");
        check(30_000, "30s");
        check(4_800_000, "1h20m");
        check(3_661_500, "1h1m1s");
        check(7_200_000, "2h");
    }

    #[test]
    fn durations_know_fractions_and_small_units() {
        let check = |text, nanos| assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        check("200ms", 200_000_000);
        check("1.5s", 1_500_000_000);
        check("2m", 120_000_000_000);
        check("100us", 100_000);
        check("0.5us", 500);
        check("1.5h", 5_400_000_000_000);
        check("3", 3_000_000_000);
        check("0.1", 100_000_000);
        check("0", 0);
        check("1h20m", 4_800_000_000_000);
        check("1m30s", 90_000_000_000);
        check("315359999.000000001", 315_359_999_000_000_001);
    }

    #[test]
    fn anything_else_is_no_duration() {
        let check =
            |text: &str| assert_eq!(parse_duration(text), Err(DurationError::Malformed(text.to_owned())));
        ["", "ms", "1.", ".5", "1.s", "1..5", "-1s", "1e3", "inf", "1 s", "1d", "1.5h3m", "3m1.5s"]
            .into_iter()
            .for_each(check);
    }

    proptest! {
        #[test]
        fn a_written_timespan_reads_the_same(seconds in 0..=MAX_SPAN.as_secs()) {
            let span = Duration::from_secs(seconds);
            prop_assert_eq!(parse_timespan(&format_timespan(span)), Ok(span));
        }

        #[test]
        fn every_timespan_is_a_duration(text in "([0-9]{1,3}h)?([0-9]{1,3}m)?([0-9]{1,3}s)?") {
            prop_assert_eq!(parse_timespan(&text).ok(), parse_duration(&text).ok());
        }

        #[test]
        fn no_text_is_too_much(text in "[0-9.hmsu]{0,12}|.{0,20}") {
            let spans = [parse_timespan(&text).ok(), parse_duration(&text).ok()];
            prop_assert!(spans.into_iter().flatten().all(|span| span <= MAX_SPAN));
        }
    }
}
