//! What a Locust worker reported, as a delta of ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::WorkerClock;
use super::unix::{Timescale, signed};
use crate::locust::{ErrorEntry, Number, StatsEntry, StatsReport};
use crate::stats::{
    EntryDelta, EntryKey, ErrorDelta, MAX_TEXT_CHARS, RateBucket, RateDelta, SecondDelta, Series,
    SparseHistogram, StatsDelta, TrafficBucket, deal_out, second_of,
};
use crate::time::RunTime;

/// No count in a report says more than this; a larger one counts as this one. Thousands of such reports still do not
/// fill a counter, and no worker makes a million million requests in three seconds.
pub const MAX_COUNT_PER_REPORT: u64 = 1 << 40;

/// No sum of microseconds or bytes in a report says more than this; a larger one counts as this one, a negative one as
/// zero.
pub const MAX_SUM_PER_REPORT: u64 = 1 << 53;

/// What `report` says, on the clock of a run that started at `run_started_unix_us` (microseconds since 1970 by the
/// master's clock) and is at `now`. `clock` is that of the worker and should have observed this report.
///
/// # What is exact
///
/// Requests, failures, bytes and the sums and extremes of response times are taken over; the response times themselves
/// are as coarse as Locust has rounded them. A row counts what its counters say, and the histogram and the seconds
/// count what they hold: if a worker contradicts itself, nothing is made up or thrown away to hide it. Only a request
/// without a response time has to be a request.
///
/// Every second becomes the one of the run that covers most of it, and whatever a worker says, it was within the run so
/// far. When which response time was measured Locust does not say, so the times of a report are dealt out over its
/// seconds in proportion to their requests.
///
/// The total is left aside, for it is the sum of the rows. So are the keys of errors, which say nothing that the errors
/// do not, and whatever the user's code has added.
///
/// # What is bounded
///
/// The result is not larger than the message by more than a constant factor and the seconds of one
/// [`Series`]. Rows and errors with the same names become one; how many a run may have is for
/// [`RunStats`](crate::stats::RunStats) to decide.
pub fn delta_of(
    report: &StatsReport,
    clock: &WorkerClock,
    now: RunTime,
    run_started_unix_us: u64,
) -> StatsDelta {
    let run_started_us = signed(run_started_unix_us).saturating_add(clock.offset_us());
    let scale = Timescale { run_started_us, now };
    let entries = rows_of(&report.stats, scale);
    let seconds = seconds_of(&entries);
    StatsDelta { errors: errors_of(&report.errors, scale), seconds, entries, ..StatsDelta::default() }
}

/// The rows in which anything happened, in the order of their first appearance.
fn rows_of(stats: &[StatsEntry], scale: Timescale) -> Vec<EntryDelta> {
    let mut rows: Vec<Row> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for entry in stats.iter().filter(|entry| entry.num_requests > 0 || entry.num_failures > 0) {
        let key = (cut(&entry.method), cut(&entry.name));
        let place = *places.entry(key).or_insert_with(|| {
            rows.push(Row::new(EntryKey::new(key.0, key.1)));
            rows.len() - 1
        });
        rows[place].add(entry, scale);
    }
    rows.into_iter().map(Row::finish).collect()
}

/// A row of which the report may have several parts.
struct Row {
    delta: EntryDelta,
    /// Microseconds and counts, in the order of the report.
    times: Vec<(u64, u64)>,
    seconds: BTreeMap<u32, RateBucket>,
}

impl Row {
    fn new(key: EntryKey) -> Self {
        Self { delta: EntryDelta::new(key), times: Vec::new(), seconds: BTreeMap::new() }
    }

    fn add(&mut self, entry: &StatsEntry, scale: Timescale) {
        let requests = capped(entry.num_requests);
        let without_time = entry.num_none_requests.min(requests);
        let row = &mut self.delta;
        row.requests = row.requests.saturating_add(requests);
        row.without_time = row.without_time.saturating_add(without_time);
        row.failures = row.failures.saturating_add(capped(entry.num_failures));
        row.total_response_time_us =
            row.total_response_time_us.saturating_add(microseconds(entry.total_response_time));
        row.response_length = row.response_length.saturating_add(sum(entry.total_content_length.as_f64()));
        self.times
            .extend(entry.response_times.iter().map(|(time, count)| (microseconds(*time), capped(*count))));
        if requests > without_time {
            self.add_extremes(entry);
        }
        self.add_seconds(entry, scale);
        if requests > 0 {
            self.add_activity(entry, scale);
        }
    }

    /// Boomer says 0 where there is nothing, so this is only for an entry with response times.
    fn add_extremes(&mut self, entry: &StatsEntry) {
        let max_us = microseconds(entry.max_response_time);
        let lowest_us = || entry.response_times.iter().map(|(time, _)| microseconds(*time)).min();
        let min_us = entry.min_response_time.map(microseconds).or_else(lowest_us);
        let min_us = min_us.map_or(max_us, |min_us| min_us.min(max_us));
        self.delta.min_us = self.delta.min_us.into_iter().chain([min_us]).min();
        self.delta.max_us = self.delta.max_us.max(Some(max_us));
    }

    fn add_seconds(&mut self, entry: &StatsEntry, scale: Timescale) {
        for (second, requests) in &entry.num_reqs_per_sec {
            let second = second_of(scale.middle_of(*second));
            self.add_second(second, RateBucket { requests: capped(*requests), failures: 0 });
        }
        for (second, failures) in &entry.num_fail_per_sec {
            let second = second_of(scale.middle_of(*second));
            self.add_second(second, RateBucket { requests: 0, failures: capped(*failures) });
        }
    }

    fn add_second(&mut self, second: u32, rate: RateBucket) {
        if rate != RateBucket::default() {
            self.seconds.entry(second).or_default().add(rate);
        }
    }

    /// Locust does not say when the first request started. The report's beginning is at most one interval too early.
    fn add_activity(&mut self, entry: &StatsEntry, scale: Timescale) {
        let begin = scale.at(entry.start_time);
        let end = entry.last_request_timestamp.map_or(begin, |last| scale.at(last));
        let begin = begin.min(end);
        self.delta.first_start = self.delta.first_start.into_iter().chain([begin]).min();
        self.delta.last_end = self.delta.last_end.max(Some(end));
    }

    fn finish(self) -> EntryDelta {
        let seconds = self.seconds.into_iter().map(|(second, rate)| {
            let RateBucket { requests, failures } = rate;
            RateDelta { second, requests, failures }
        });
        let seconds = seconds.collect();
        EntryDelta { response_times: SparseHistogram::from_buckets(self.times), seconds, ..self.delta }
    }
}

/// Failures by row and message, in the order of their first appearance.
fn errors_of(errors: &[ErrorEntry], scale: Timescale) -> Vec<ErrorDelta> {
    let mut merged: Vec<ErrorDelta> = Vec::new();
    let mut places: BTreeMap<[&str; 3], usize> = BTreeMap::new();
    for entry in errors.iter().filter(|entry| entry.occurrences > 0) {
        let key = [&entry.method, &entry.name, &entry.error].map(|text| cut(text));
        let place = *places.entry(key).or_insert_with(|| {
            merged.push(new_error(key));
            merged.len() - 1
        });
        let error = &mut merged[place];
        let [first_seen, last_seen] = [entry.first_seen, entry.last_seen].map(|at| at.map(|at| scale.at(at)));
        error.occurrences = error.occurrences.saturating_add(capped(entry.occurrences));
        error.first_seen = error.first_seen.into_iter().chain(first_seen).min();
        error.last_seen = error.last_seen.max(last_seen);
    }
    merged
}

fn new_error([method, name, message]: [&str; 3]) -> ErrorDelta {
    let key = EntryKey::new(method, name);
    ErrorDelta { key, message: Arc::from(message), occurrences: 0, first_seen: None, last_seen: None }
}

/// All rows by second.
fn seconds_of(rows: &[EntryDelta]) -> Vec<SecondDelta> {
    let mut series = Series::<TrafficBucket>::default();
    for RateDelta { second, requests, failures } in rows.iter().flat_map(|row| &row.seconds) {
        series.at(*second).rate.add(RateBucket { requests: *requests, failures: *failures });
    }
    let seconds = series.drain().map(|span| span.value.into_second(span.start));
    let mut seconds: Vec<SecondDelta> = seconds.collect();
    let times = rows.iter().flat_map(|row| row.response_times.buckets().iter().copied());
    let requests: Vec<u64> = seconds.iter().map(|second| second.requests).collect();
    let times = SparseHistogram::from_buckets(times.collect());
    deal_out(times.buckets(), &requests, |index, time_us, count| {
        seconds[index].response_times.record_n(time_us, count);
    });
    seconds
}

fn capped(count: u64) -> u64 {
    count.min(MAX_COUNT_PER_REPORT)
}

/// Milliseconds as whole microseconds.
fn microseconds(milliseconds: Number) -> u64 {
    sum(milliseconds.as_f64() * 1e3)
}

/// The cast takes what is negative for zero.
fn sum(number: f64) -> u64 {
    (number.round() as u64).min(MAX_SUM_PER_REPORT)
}

/// The beginning of a text, as long as texts in the statistics may be.
fn cut(text: &str) -> &str {
    text.char_indices().nth(MAX_TEXT_CHARS).map_or(text, |(end, _)| &text[..end])
}
