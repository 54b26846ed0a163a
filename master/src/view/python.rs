//! Numbers and times as Python writes them, for files whose readers know Locust's.

use jiff::Timestamp;

/// A float as `repr` writes it: `5.0`, `0.1`, `1e-05`, `1e+16`.
pub(super) fn float(value: f64) -> String {
    // Both write the shortest digits that read back as the same number, and choose the exponent at the same places.
    let written = format!("{value:?}");
    match written.split_once('e') {
        None => written,
        Some((digits, exponent)) => {
            let (sign, power) = exponent.strip_prefix('-').map_or(('+', exponent), |power| ('-', power));
            format!("{digits}e{sign}{power:0>2}")
        }
    }
}

/// Microseconds since 1970 as Locust writes a time, `2026-11-23T12:35:49Z`; empty for a time beyond the year 9999.
pub(super) fn utc(unix_us: u64) -> String {
    let timestamp = i64::try_from(unix_us / 1_000_000).ok().and_then(|s| Timestamp::from_second(s).ok());
    timestamp.map_or(String::new(), |timestamp| timestamp.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_pythons() {
        let check = |value: f64, expected: &str| assert_eq!(float(value), expected);
        check(0.0, "0.0");
        check(5.0, "5.0");
        check(1.731_099_530_404_564, "1.731099530404564");
        check(0.000_1, "0.0001");
        check(0.000_01, "1e-05");
        check(0.000_012_345, "1.2345e-05");
        check(1e15, "1000000000000000.0");
        check(1e16, "1e+16");
        check(1.5e300, "1.5e+300");
    }

    #[test]
    fn times_are_whole_seconds_in_utc() {
        assert_eq!(utc(1_795_437_338_999_999), "2026-11-23T12:35:38Z");
        assert_eq!(utc(u64::MAX), "");
    }
}
