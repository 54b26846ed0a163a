//! Locust's `--json`: an array with one object for each row, laid out as Locust does.
//!
//! Fields, their order and the types of their values are Locust's, down to the whole `0` of a row without any response
//! time. Rows come by name and then by method; Locust has them in the order of their first appearance, which a report
//! does not know. Rows in which nothing happened are left out, as there.

use std::collections::BTreeMap;
use std::fmt::Write;

use sentinel_common::report::{Report, Row};
use sentinel_common::stats::locust_response_times;
use sentinel_common::time::RunTime;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{PrettyFormatter, Serializer};

/// One row in Locust's words. The order of the fields is that of the output.
#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    method: &'a str,
    last_request_timestamp: Option<f64>,
    start_time: f64,
    num_requests: u64,
    num_none_requests: u64,
    num_failures: u64,
    total_response_time: Value,
    max_response_time: Value,
    min_response_time: Option<f64>,
    total_content_length: u64,
    response_times: BTreeMap<u64, u64>,
    num_reqs_per_sec: BTreeMap<u64, u64>,
    num_fail_per_sec: BTreeMap<u64, u64>,
}

/// What Locust prints with `--json`, in ASCII and without a line end. The report is to be a full one: a live one lacks
/// response times and seconds.
pub fn locust_json(report: &Report) -> String {
    let busy = report.rows.iter().filter(|row| row.requests > 0 || row.failures > 0);
    let entries: Vec<Entry<'_>> = busy.map(|row| Entry::new(row, report.started_at_unix_us)).collect();
    let mut json = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut json, PrettyFormatter::with_indent(b"    "));
    entries.serialize(&mut serializer).expect("the keys are numbers, and memory takes everything");
    ascii(&String::from_utf8(json).expect("JSON is UTF-8"))
}

impl<'a> Entry<'a> {
    fn new(row: &'a Row, started_at_unix_us: u64) -> Self {
        let epoch_s = |at: RunTime| started_at_unix_us.saturating_add(at.as_micros()) as f64 / 1e6;
        let by_second = |count: fn(&(u32, u64, u64)) -> u64| {
            let seconds = row.seconds.iter().map(|second| (u64::from(second.0), count(second)));
            let counted = seconds.filter(|(_, count)| *count > 0);
            counted.map(|(second, count)| (started_at_unix_us / 1_000_000 + second, count)).collect()
        };
        Self {
            name: &row.name,
            method: &row.method,
            last_request_timestamp: row.last_end.map(epoch_s),
            start_time: epoch_s(row.first_start.unwrap_or(RunTime::ZERO)),
            num_requests: row.requests,
            num_none_requests: row.without_time,
            num_failures: row.failures,
            total_response_time: sum_ms(row.min_us.map(|_| row.total_response_time_us)),
            max_response_time: sum_ms(row.max_us),
            min_response_time: row.min_us.map(ms),
            total_content_length: row.content_length,
            response_times: locust_response_times(row.response_times.buckets().iter().copied()),
            num_reqs_per_sec: by_second(|(_, requests, _)| *requests),
            num_fail_per_sec: by_second(|(_, _, failures)| *failures),
        }
    }
}

/// Locust begins with a whole zero, and has a fraction as soon as there is anything to add to it.
fn sum_ms(micros: Option<u64>) -> Value {
    micros.map_or(Value::from(0), |micros| Value::from(ms(micros)))
}

fn ms(micros: u64) -> f64 {
    micros as f64 / 1e3
}

/// Escapes what is not printable ASCII, as Python does. Outside strings JSON has nothing of that sort but line ends.
fn ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for char in json.chars() {
        if char == '\n' || (' '..='~').contains(&char) {
            ascii.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                // Writing to memory cannot fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn json_is_that_of_locust_to_the_byte() {
        let cases: Vec<_> = sample::locust_cases().into_iter().filter(|case| case.json.is_some()).collect();
        assert!(cases.len() > 3, "only {} cases", cases.len());
        for case in cases {
            assert_eq!(Some(locust_json(&case.report()) + "\n"), case.json, "{}", case.title);
        }
    }

    #[test]
    fn a_run_without_requests_is_an_empty_array() {
        assert_eq!(locust_json(&sample::empty()), "[]");
    }

    #[test]
    fn text_of_any_kind_becomes_ascii_and_stays_the_same() {
        let name = "\"\\\u{1b}[2J\u{7f}\u{9b}käse 日本語 \u{1f980}\n";
        let mut report = sample::empty();
        let mut row = sample::row("GET", name);
        row.failures = 1;
        report.rows = vec![row];
        let json = locust_json(&report);
        assert!(json.chars().all(|char| char == '\n' || (' '..='~').contains(&char)), "{json}");
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read[0]["name"], name);
    }
}
