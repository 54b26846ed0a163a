//! A delta of ours, as a Locust worker would report it.

use std::collections::BTreeMap;

use super::error_key;
use super::unix::{timestamp, unix_second};
use crate::locust::{Counts, ErrorEntry, Number, StatsEntry, StatsReport};
use crate::stats::{AGGREGATED, EntryDelta, ErrorDelta, StatsDelta, locust_response_times};
use crate::time::RunTime;

/// What a report says beside the statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportFrame {
    /// When the run started, in microseconds since 1970.
    pub run_started_unix_us: u64,
    /// When the previous report was made, or the statistics were last forgotten, in microseconds since 1970.
    pub since_unix_us: u64,
    /// Running users by user class.
    pub user_classes_count: Counts,
}

/// The report of a Locust worker that saw what `delta` holds.
///
/// Every request, failure and byte is counted, sums and extremes are exact to the microsecond, and the response times
/// are rounded as Locust does. Requests without any are whole zeros or nil, as from Locust. What Locust has no word for
/// is left out: the corrected times and the delivery, and the exceptions, which are messages of their own (see
/// [`exceptions_of`](super::exceptions_of)).
pub fn report_of(delta: &StatsDelta, frame: &ReportFrame) -> StatsReport {
    let used = delta.entries.iter().filter(|entry| entry.requests > 0 || entry.failures > 0);
    let mut total = Tally::default();
    let stats = used.map(|entry| {
        let tally = Tally::of(entry, frame);
        total.add(&tally);
        tally.into_entry(&entry.key.method, &entry.key.name, frame)
    });
    let stats = stats.collect();
    let user_count =
        frame.user_classes_count.iter().fold(0_u64, |sum, (_, users)| sum.saturating_add(*users));
    StatsReport {
        stats,
        stats_total: total.into_entry("", AGGREGATED, frame),
        errors: delta.errors.iter().map(|error| error_entry(error, frame)).collect(),
        user_classes_count: frame.user_classes_count.clone(),
        user_count,
        extra: Vec::new(),
    }
}

/// The figures of one row, or of all.
#[derive(Default)]
struct Tally {
    requests: u64,
    without_time: u64,
    failures: u64,
    total_us: u64,
    min_us: Option<u64>,
    max_us: Option<u64>,
    bytes: u64,
    last_end: Option<RunTime>,
    /// By rounded milliseconds.
    response_times: BTreeMap<u64, u64>,
    /// By second since 1970.
    requests_by_second: BTreeMap<i64, u64>,
    failures_by_second: BTreeMap<i64, u64>,
}

impl Tally {
    fn of(entry: &EntryDelta, frame: &ReportFrame) -> Self {
        let mut tally = Self {
            requests: entry.requests,
            without_time: entry.without_time,
            failures: entry.failures,
            total_us: entry.total_response_time_us,
            min_us: entry.min_us,
            max_us: entry.max_us,
            bytes: entry.response_length,
            last_end: entry.last_end,
            response_times: locust_response_times(entry.response_times.buckets().iter().copied()),
            ..Self::default()
        };
        for rate in &entry.seconds {
            let second = unix_second(frame.run_started_unix_us, rate.second);
            count(&mut tally.requests_by_second, second, rate.requests);
            count(&mut tally.failures_by_second, second, rate.failures);
        }
        tally
    }

    fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.without_time = self.without_time.saturating_add(other.without_time);
        self.failures = self.failures.saturating_add(other.failures);
        self.total_us = self.total_us.saturating_add(other.total_us);
        self.min_us = self.min_us.into_iter().chain(other.min_us).min();
        self.max_us = self.max_us.max(other.max_us);
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.last_end = self.last_end.max(other.last_end);
        add_all(&mut self.response_times, &other.response_times);
        add_all(&mut self.requests_by_second, &other.requests_by_second);
        add_all(&mut self.failures_by_second, &other.failures_by_second);
    }

    fn into_entry(self, method: &str, name: &str, frame: &ReportFrame) -> StatsEntry {
        let timed = self.requests > self.without_time;
        let or_zero = |us: u64| if timed { milliseconds(us) } else { Number::Int(0) };
        let response_times = self.response_times.into_iter().map(|(key, count)| (whole(key), count));
        StatsEntry {
            name: name.to_owned(),
            method: method.to_owned(),
            last_request_timestamp: self.last_end.map(|at| timestamp(frame.run_started_unix_us, at)),
            start_time: Number::Float(frame.since_unix_us as f64 / 1e6),
            num_requests: self.requests,
            num_none_requests: self.without_time,
            num_failures: self.failures,
            total_response_time: or_zero(self.total_us),
            max_response_time: or_zero(self.max_us.unwrap_or(0)),
            min_response_time: self.min_us.filter(|_| timed).map(milliseconds),
            total_content_length: whole(self.bytes),
            response_times: response_times.collect(),
            num_reqs_per_sec: self.requests_by_second.into_iter().collect(),
            num_fail_per_sec: self.failures_by_second.into_iter().collect(),
        }
    }
}

fn error_entry(error: &ErrorDelta, frame: &ReportFrame) -> ErrorEntry {
    let ErrorDelta { key, message, occurrences, first_seen, last_seen } = error;
    // A worker of Locust always says when. Ours always knows too, so the other branch is for completeness.
    let since = Number::Float(frame.since_unix_us as f64 / 1e6);
    let seen = |at: &Option<RunTime>| Some(at.map_or(since, |at| timestamp(frame.run_started_unix_us, at)));
    ErrorEntry {
        key: error_key(&key.method, &key.name, message),
        name: key.name.to_string(),
        method: key.method.to_string(),
        error: message.to_string(),
        occurrences: *occurrences,
        first_seen: seen(first_seen),
        last_seen: seen(last_seen),
    }
}

/// Locust's maps have no zeros.
fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K, count: u64) {
    if count > 0 {
        let slot = counts.entry(key).or_default();
        *slot = slot.saturating_add(count);
    }
}

fn add_all<K: Ord + Copy>(counts: &mut BTreeMap<K, u64>, others: &BTreeMap<K, u64>) {
    others.iter().for_each(|(key, other)| count(counts, *key, *other));
}

fn milliseconds(us: u64) -> Number {
    Number::Float(us as f64 / 1e3)
}

fn whole(number: u64) -> Number {
    Number::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Recorder, Sample};

    const FRAME: ReportFrame = ReportFrame {
        run_started_unix_us: 1_000_000_200_000,
        since_unix_us: 1_000_003_000_000,
        user_classes_count: Vec::new(),
    };

    fn sample(start_us: u64, end_us: u64, failure: Option<&str>) -> Sample<'_> {
        let [start, end] = [start_us, end_us].map(RunTime::from_micros);
        Sample { intended: start, start, end, response_length: 100, failure }
    }

    #[test]
    fn nothing_is_reported_as_locust_reports_nothing() {
        let report = report_of(&StatsDelta::default(), &FRAME);
        assert_eq!((report.stats, report.errors), (Vec::new(), Vec::new()));
        let expected = StatsEntry {
            name: "Aggregated".to_owned(),
            method: String::new(),
            last_request_timestamp: None,
            start_time: Number::Float(1_000_003.0),
            num_requests: 0,
            num_none_requests: 0,
            num_failures: 0,
            total_response_time: Number::Int(0),
            max_response_time: Number::Int(0),
            min_response_time: None,
            total_content_length: Number::Int(0),
            response_times: Vec::new(),
            num_reqs_per_sec: Vec::new(),
            num_fail_per_sec: Vec::new(),
        };
        assert_eq!(report.stats_total, expected);
    }

    #[test]
    fn rows_and_their_total_are_those_of_locust() {
        let mut recorder = Recorder::default();
        let slow = recorder.entry("GET", "/slow");
        let missing = recorder.entry("POST", "/missing");
        recorder.entry("GET", "/never");
        recorder.record(slow, &sample(3_000_000, 3_147_250, None));
        recorder.record(slow, &sample(3_500_000, 4_100_000, None));
        recorder.record(missing, &sample(4_000_000, 4_000_700, Some("status 404")));
        recorder.record_without_time(missing, RunTime::from_micros(4_200_000), 7, None);
        let frame =
            ReportFrame { user_classes_count: vec![("A".to_owned(), 2), ("B".to_owned(), 3)], ..FRAME };
        let report = report_of(&recorder.take(), &frame);
        let names: Vec<_> = report.stats.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["/slow", "/missing"], "rows of nothing are left out");
        assert_eq!(report.user_count, 5);
        let expected = StatsEntry {
            name: "Aggregated".to_owned(),
            method: String::new(),
            last_request_timestamp: Some(Number::Float(1_000_004.4)),
            start_time: Number::Float(1_000_003.0),
            num_requests: 4,
            num_none_requests: 1,
            num_failures: 1,
            total_response_time: Number::Float(747.95),
            max_response_time: Number::Float(600.0),
            min_response_time: Some(Number::Float(0.7)),
            total_content_length: Number::Int(307),
            response_times: vec![(Number::Int(1), 1), (Number::Int(150), 1), (Number::Int(600), 1)],
            num_reqs_per_sec: vec![(1_000_003, 1), (1_000_004, 3)],
            num_fail_per_sec: vec![(1_000_004, 1)],
        };
        assert_eq!(report.stats_total, expected);
        let error = &report.errors[0];
        assert_eq!(error.key, error_key("POST", "/missing", "status 404"));
        assert_eq!((error.error.as_str(), error.occurrences), ("status 404", 1));
        assert_eq!(error.first_seen, Some(Number::Float(1_000_004.200_7)));
        assert_eq!(error.last_seen, error.first_seen);
    }

    #[test]
    fn rows_without_times_have_none() {
        let mut recorder = Recorder::default();
        let row = recorder.entry("GET", "/");
        recorder.record_failure(row, RunTime::from_secs(5), "assertion");
        recorder.record_without_time(row, RunTime::from_secs(6), 0, None);
        let entry = &report_of(&recorder.take(), &FRAME).stats[0];
        assert_eq!((entry.num_requests, entry.num_failures), (1, 1));
        assert_eq!((entry.total_response_time, entry.max_response_time), (Number::Int(0), Number::Int(0)));
        assert_eq!((entry.min_response_time, entry.response_times.len()), (None, 0));
        assert_eq!(
            (&entry.num_reqs_per_sec, &entry.num_fail_per_sec),
            (&vec![(1_000_006, 1)], &vec![(1_000_005, 1)])
        );
    }
}
