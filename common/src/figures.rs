//! Numbers as people read them, in notes, reports and tables.

/// A whole number with a comma at every thousand.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number without its fraction, grouped.
pub fn whole(number: f64) -> String {
    grouped(number.round() as u64)
}

/// A number that is at least 100 without its fraction, and any other with at most three decimals.
pub fn figure(number: f64) -> String {
    if number >= 100.0 { whole(number) } else { ((number * 1e3).round() / 1e3).to_string() }
}

/// The next number above with three digits that matter: enough for people, and never too little.
pub fn rounded_up(number: f64) -> f64 {
    if number <= 0.0 || !number.is_finite() {
        return number;
    }
    let decimals = 2 - number.log10().floor() as i32;
    let scale = 10f64.powi(decimals.abs());
    // A division may have left a little too much.
    match decimals {
        0.. => (number * scale - 1e-6).ceil() / scale,
        _ => (number / scale - 1e-6).ceil() * scale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let check = |number, expected: &str| assert_eq!(grouped(number), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(12_345_678, "12,345,678");
        check(u64::MAX, "18,446,744,073,709,551,615");
    }

    #[test]
    fn numbers_read_well() {
        let check = |number: f64, expected: &str| assert_eq!(figure(number), expected);
        check(0.3, "0.3");
        check(1.0 / 3.0, "0.333");
        check(99.5, "99.5");
        check(1666.67, "1,667");
        check(1e6, "1,000,000");
        check(123.4, "123");
    }

    #[test]
    fn what_it_takes_is_never_rounded_down() {
        let check = |number: f64, expected: f64| assert_eq!(rounded_up(number), expected, "{number}");
        check(20.0, 20.0);
        check(6.0 / 0.3, 20.0);
        check(33.333, 33.4);
        check(0.012_34, 0.0124);
        check(12_345.0, 12_400.0);
        check(100.0, 100.0);
    }
}
