//! One row of the statistics: recorded on a worker, merged on the way, read on the master.

use super::buckets::RateBucket;
use super::delta::{EntryDelta, EntryKey, RateDelta};
use super::percentile::{Extremes, percentiles_us};
use super::rate::{self, Activity, Rates};
use super::series::{Series, second_of};
use super::{LatencyHistogram, SparseHistogram};
use crate::time::{RunTime, micros};

/// One finished request.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// When the pacing wanted it to start; the actual start if there is no pacing.
    pub intended: RunTime,
    /// When it started.
    pub start: RunTime,
    /// When it ended.
    pub end: RunTime,
    /// The length of the response, in bytes.
    pub response_length: u64,
    /// What went wrong, if the request counts as a failure.
    pub failure: Option<&'a str>,
}

/// Everything that is known of the requests of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryStats {
    /// The row.
    pub key: EntryKey,
    /// Requests that ended, well or not.
    pub requests: u64,
    /// How many were counted as failures.
    pub failures: u64,
    /// How many of `requests` have no response time.
    pub without_time: u64,
    /// The sum of the response times, in microseconds.
    pub total_response_time_us: u64,
    /// The shortest response time, in microseconds.
    pub min_us: Option<u64>,
    /// The longest response time, in microseconds.
    pub max_us: Option<u64>,
    /// The sum of the lengths of the responses, in bytes.
    pub response_length: u64,
    /// When the first request started.
    pub first_start: Option<RunTime>,
    /// When the last request ended.
    pub last_end: Option<RunTime>,
    /// Requests by the second in which they ended.
    pub seconds: Series<RateBucket>,
    /// From the actual start to the end.
    pub response_times: LatencyHistogram,
    /// From the intended start to the end; `None` as long as that was always the actual start.
    corrected_times: Option<LatencyHistogram>,
    /// Whether any request started later than intended. If none did, both histograms are the same.
    late: bool,
}

impl EntryStats {
    /// A row of nothing.
    pub fn new(key: EntryKey) -> Self {
        Self {
            key,
            requests: 0,
            failures: 0,
            without_time: 0,
            total_response_time_us: 0,
            min_us: None,
            max_us: None,
            response_length: 0,
            first_start: None,
            last_end: None,
            seconds: Series::default(),
            response_times: LatencyHistogram::default(),
            corrected_times: None,
            late: false,
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.requests == 0 && self.failures == 0
    }

    /// The mean response time in microseconds; `None` if no request has one.
    pub fn mean_response_time_us(&self) -> Option<f64> {
        let timed = self.requests.saturating_sub(self.without_time);
        (timed > 0).then(|| self.total_response_time_us as f64 / timed as f64)
    }

    /// The mean length of a response in bytes; zero if there was none.
    pub fn mean_response_length(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.response_length as f64 / self.requests as f64 }
    }

    /// Failures per request. As in Locust it is 1 if there are failures without any request.
    pub fn fail_ratio(&self) -> f64 {
        match (self.requests, self.failures) {
            (0, 0) => 0.0,
            (0, _) => 1.0,
            (requests, failures) => failures as f64 / requests as f64,
        }
    }

    /// The response times in microseconds that the `fractions` select, in their order; `None` if there are none.
    pub fn percentiles_us(&self, fractions: &[f64]) -> Option<Vec<u64>> {
        let extremes = self.min_us.zip(self.max_us).map(|(min_us, max_us)| Extremes { min_us, max_us });
        percentiles_us(&self.response_times, extremes, fractions)
    }

    /// From the intended start to the end: what a user would have waited who came when the pacing said.
    pub fn corrected_times(&self) -> &LatencyHistogram {
        self.corrected_times.as_ref().unwrap_or(&self.response_times)
    }

    /// Adds everything of another row, for figures over several rows.
    pub fn absorb(&mut self, other: &Self) {
        if other.late && !self.late {
            self.corrected_times = Some(self.response_times.clone());
        }
        if self.late || other.late {
            self.late = true;
            let corrected = self.corrected_times.get_or_insert_default();
            corrected.add(&other.corrected_times().to_sparse());
        }
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.without_time = self.without_time.saturating_add(other.without_time);
        self.total_response_time_us =
            self.total_response_time_us.saturating_add(other.total_response_time_us);
        self.response_length = self.response_length.saturating_add(other.response_length);
        self.min_us = self.min_us.into_iter().chain(other.min_us).min();
        self.max_us = self.max_us.max(other.max_us);
        self.first_start = self.first_start.into_iter().chain(other.first_start).min();
        self.last_end = self.last_end.max(other.last_end);
        self.response_times.add(&other.response_times.to_sparse());
        for span in other.seconds.spans() {
            self.seconds.at(span.start).add(span.value);
        }
    }

    /// Whether any request began later than intended, so that the corrected times differ from the others.
    pub fn has_corrected_times(&self) -> bool {
        self.late
    }

    /// [`EntryStats::percentiles_us`] of the corrected times.
    pub fn corrected_percentiles_us(&self, fractions: &[f64]) -> Option<Vec<u64>> {
        if self.late {
            percentiles_us(self.corrected_times(), None, fractions)
        } else {
            self.percentiles_us(fractions)
        }
    }

    /// From the first start to the last end; `None` if there was no request.
    pub fn activity(&self) -> Option<Activity> {
        let (first_start, last_end) = self.first_start.zip(self.last_end)?;
        Some(Activity { first_start, last_end })
    }

    /// The rates of the last seconds before `now`. `run` is the activity of all rows together.
    pub fn current_rates(&self, run: Option<Activity>, now: RunTime) -> Rates {
        rate::current(&self.seconds, run, now)
    }

    /// The rates of the whole run. `run` is the activity of all rows together.
    pub fn total_rates(&self, run: Option<Activity>) -> Rates {
        rate::whole_run(self.requests, self.failures, run)
    }

    /// Counts a request that has a response time. Returns that time in microseconds.
    pub(super) fn record(&mut self, sample: &Sample<'_>) -> u64 {
        let Sample { intended, start, end, response_length, failure } = *sample;
        let time_us = micros(end.saturating_since(start));
        self.late |= intended < start;
        if self.late || self.corrected_times.is_some() {
            // Until the first late one, both histograms were the same.
            let corrected = self.corrected_times.get_or_insert_with(|| self.response_times.clone());
            corrected.record(micros(end.saturating_since(intended.min(start))));
        }
        self.response_times.record(time_us);
        self.total_response_time_us = self.total_response_time_us.saturating_add(time_us);
        self.min_us = least(self.min_us, Some(time_us));
        self.max_us = self.max_us.max(Some(time_us));
        self.count(start, end, response_length, u64::from(failure.is_some()));
        time_us
    }

    /// Counts a request that has no response time and ended at `at`.
    pub(super) fn record_without_time(&mut self, at: RunTime, response_length: u64, failures: u64) {
        self.without_time += 1;
        self.count(at, at, response_length, failures);
    }

    /// Counts a failure that belongs to no request.
    pub(super) fn record_failure(&mut self, at: RunTime) {
        self.failures += 1;
        self.seconds.at(second_of(at)).failures += 1;
    }

    fn count(&mut self, start: RunTime, end: RunTime, response_length: u64, failures: u64) {
        self.requests += 1;
        self.failures += failures;
        self.response_length = self.response_length.saturating_add(response_length);
        self.first_start = least(self.first_start, Some(start));
        self.last_end = self.last_end.max(Some(end));
        self.seconds.at(second_of(end)).add(RateBucket { requests: 1, failures });
    }

    /// Adds a delta. Times after `latest` count as `latest`: nobody's clock may run ahead of the run.
    pub(super) fn apply(&mut self, delta: &EntryDelta, latest: RunTime) {
        self.requests = self.requests.saturating_add(delta.requests);
        self.failures = self.failures.saturating_add(delta.failures);
        self.without_time = self.without_time.saturating_add(delta.without_time);
        self.total_response_time_us =
            self.total_response_time_us.saturating_add(delta.total_response_time_us);
        self.min_us = least(self.min_us, delta.min_us);
        self.max_us = self.max_us.max(delta.max_us);
        self.response_length = self.response_length.saturating_add(delta.response_length);
        self.first_start = least(self.first_start, delta.first_start.map(|at| at.min(latest)));
        self.last_end = self.last_end.max(delta.last_end.map(|at| at.min(latest)));
        self.apply_times(&delta.response_times, delta.corrected_times.as_ref());
        for RateDelta { second, requests, failures } in &delta.seconds {
            let bucket = self.seconds.at((*second).min(second_of(latest)));
            bucket.add(RateBucket { requests: *requests, failures: *failures });
        }
    }

    fn apply_times(&mut self, response_times: &SparseHistogram, corrected_times: Option<&SparseHistogram>) {
        self.late |= corrected_times.is_some();
        if self.late || self.corrected_times.is_some() {
            let corrected = self.corrected_times.get_or_insert_with(|| self.response_times.clone());
            corrected.add(corrected_times.unwrap_or(response_times));
        }
        self.response_times.add(response_times);
    }

    /// Drains everything into a delta; the row begins anew.
    pub(super) fn take(&mut self) -> EntryDelta {
        let seconds = self.seconds.drain().map(|span| {
            let RateBucket { requests, failures } = span.value;
            RateDelta { second: span.start, requests, failures }
        });
        let seconds = seconds.collect();
        let delta = EntryDelta {
            key: self.key.clone(),
            requests: self.requests,
            failures: self.failures,
            without_time: self.without_time,
            total_response_time_us: self.total_response_time_us,
            min_us: self.min_us,
            max_us: self.max_us,
            response_length: self.response_length,
            first_start: self.first_start,
            last_end: self.last_end,
            response_times: self.response_times.to_sparse(),
            corrected_times: self.late.then(|| self.corrected_times().to_sparse()),
            seconds,
        };
        self.reset();
        delta
    }

    /// Zeroes the numbers, but keeps the row and its memory.
    pub(super) fn reset(&mut self) {
        // Listed in full, so that a new number cannot be forgotten here.
        let Self {
            key: _,
            requests,
            failures,
            without_time,
            total_response_time_us,
            min_us,
            max_us,
            response_length,
            first_start,
            last_end,
            seconds,
            response_times,
            corrected_times,
            late,
        } = self;
        for number in [requests, failures, without_time, total_response_time_us, response_length] {
            *number = 0;
        }
        (*min_us, *max_us, *first_start, *last_end) = (None, None, None, None);
        *late = false;
        seconds.clear();
        response_times.clear();
        // Load that was late once will be late again: its histogram stays.
        if let Some(times) = corrected_times {
            times.clear();
        }
    }
}

/// The lesser of two, where nothing is not less than something.
pub(super) fn least<T: Ord>(left: Option<T>, right: Option<T>) -> Option<T> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(intended_us: u64, start_us: u64, end_us: u64) -> Sample<'static> {
        let [intended, start, end] = [intended_us, start_us, end_us].map(RunTime::from_micros);
        Sample { intended, start, end, response_length: 100, failure: None }
    }

    fn row(samples: &[Sample<'_>]) -> EntryStats {
        let mut row = EntryStats::new(EntryKey::new("GET", "/"));
        samples.iter().for_each(|sample| {
            row.record(sample);
        });
        row
    }

    #[test]
    fn punctual_requests_need_no_second_histogram() {
        let mut row = row(&[sample(0, 0, 500), sample(1_000, 1_000, 1_700), sample(9_000, 2_000, 2_900)]);
        assert_eq!(row.corrected_times(), &row.response_times);
        assert_eq!(row.corrected_percentiles_us(&[0.0, 1.0]), Some(vec![500, 900]));
        assert_eq!(row.take().corrected_times, None);
    }

    #[test]
    fn the_corrected_time_counts_from_the_intended_start() {
        let mut row = row(&[sample(0, 0, 500), sample(1_000, 2_000, 2_700), sample(3_000, 3_000, 3_600)]);
        assert_eq!(row.percentiles_us(&[0.0, 0.5, 1.0]), Some(vec![500, 600, 700]));
        assert_eq!(row.corrected_percentiles_us(&[0.0, 0.5, 1.0]), Some(vec![500, 600, 1_700]));
        let delta = row.take();
        assert_eq!(delta.corrected_times.unwrap().buckets(), [(500, 1), (600, 1), (1_700, 1)]);
        row.record(&sample(5_000, 5_000, 5_100));
        assert_eq!(row.take().corrected_times, None, "the next second was punctual");
    }

    #[test]
    fn corrected_and_plain_deltas_add_up() {
        let late = row(&[sample(0, 1_000, 1_500)]).take();
        let punctual = row(&[sample(0, 0, 400)]).take();
        for order in [[&late, &punctual], [&punctual, &late]] {
            let mut merged = row(&[]);
            order.into_iter().for_each(|delta| merged.apply(delta, RunTime::MAX));
            assert_eq!(merged.to_corrected(), [(400, 1), (1_500, 1)]);
            assert_eq!(merged.response_times.to_sparse().buckets(), [(400, 1), (500, 1)]);
        }
    }

    impl EntryStats {
        fn to_corrected(&self) -> Vec<(u64, u64)> {
            self.corrected_times().buckets().collect()
        }
    }

    #[test]
    fn ratios_and_means_follow_locust() {
        let mut row = row(&[]);
        assert_eq!((row.fail_ratio(), row.mean_response_length()), (0.0, 0.0));
        assert_eq!((row.mean_response_time_us(), row.percentiles_us(&[0.5])), (None, None));
        row.record_failure(RunTime::from_secs(1));
        assert_eq!(row.fail_ratio(), 1.0, "failures without a request");
        row.record(&sample(0, 0, 300));
        row.record_without_time(RunTime::from_secs(2), 50, 1);
        assert_eq!((row.requests, row.without_time, row.failures), (2, 1, 2));
        assert_eq!((row.mean_response_time_us(), row.mean_response_length()), (Some(300.0), 75.0));
        assert_eq!(row.percentiles_us(&[0.5]), Some(vec![300]));
    }

    #[test]
    fn a_clock_ahead_of_the_run_cannot_push_the_window() {
        let ahead = row(&[sample(90_000_000, 90_000_000, 95_000_000)]).take();
        let mut merged = row(&[]);
        merged.apply(&ahead, RunTime::from_secs(60));
        let now = RunTime::from_secs(60);
        assert_eq!(merged.activity(), Some(Activity { first_start: now, last_end: now }));
        assert_eq!(merged.seconds.spans().last().map(|span| span.start), Some(60));
        assert_eq!(merged.max_us, Some(5_000_000), "spans are right on any clock");
    }

    #[test]
    fn time_that_runs_backwards_counts_as_none() {
        assert_eq!(row(&[sample(700, 700, 500)]).max_us, Some(0));
    }
}
