//! What a criterion needs that looks at a part of a run: the requests of one name, or of all, from a second on and in
//! the last seconds one by one.
//!
//! Reports say of a row how many requests ended in which second, and how long all of them took together. A report is
//! of one second, or two; so the edge of a part is as sharp as that. Reports of Locust's workers are of three.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::delta::{EntryDelta, RateDelta};
use super::percentile::percentiles_us;
use super::{LatencyHistogram, SparseHistogram, deal_out};

/// The requests of some time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Requests that ended.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// The response times of those that have one.
    pub response_times: LatencyHistogram,
    /// Their sum, in microseconds.
    pub total_response_time_us: u64,
}

impl Figures {
    fn add(&mut self, part: &Part) {
        self.requests = self.requests.saturating_add(part.requests);
        self.failures = self.failures.saturating_add(part.failures);
        self.total_response_time_us = self.total_response_time_us.saturating_add(part.total_us);
        for (time_us, count) in &part.times {
            self.response_times.record_n(*time_us, *count);
        }
    }

    /// The mean response time in microseconds; `None` if there is none.
    pub fn mean_us(&self) -> Option<f64> {
        let timed = self.response_times.count();
        (timed > 0).then(|| self.total_response_time_us as f64 / timed as f64)
    }

    /// The response time in microseconds that a fraction selects, within a thousandth; `None` if there is none.
    pub fn percentile_us(&self, fraction: f64) -> Option<u64> {
        percentiles_us(&self.response_times, None, &[fraction])?.first().copied()
    }

    /// The shortest response time in microseconds, within a thousandth; `None` if there is none.
    pub fn min_us(&self) -> Option<u64> {
        self.percentile_us(0.0)
    }

    /// The longest response time in microseconds, within a thousandth; `None` if there is none.
    pub fn max_us(&self) -> Option<u64> {
        self.percentile_us(1.0)
    }
}

/// What a report says of one second.
#[derive(Clone, Debug, Default)]
struct Part {
    requests: u64,
    failures: u64,
    total_us: u64,
    /// Ascending.
    times: Vec<(u64, u64)>,
}

impl Part {
    fn merge(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.total_us = self.total_us.saturating_add(other.total_us);
        let times = std::mem::take(&mut self.times).into_iter().chain(other.times).collect();
        self.times = SparseHistogram::from_buckets(times).buckets().to_vec();
    }
}

/// Watches the requests of one name, or of all.
#[derive(Clone, Debug)]
pub struct Watch {
    name: Option<Arc<str>>,
    since: u32,
    kept_s: u32,
    sum: Figures,
    /// The last seconds, by their number.
    recent: BTreeMap<u32, Part>,
}

impl Watch {
    /// Watches the requests of `name`, or of all, that end in the second `since` or later, and keeps the last `kept_s`
    /// seconds apart.
    pub fn new(name: Option<&str>, since: u32, kept_s: u32) -> Self {
        let name = name.map(Arc::from);
        Self { name, since, kept_s, sum: Figures::default(), recent: BTreeMap::new() }
    }

    /// Everything since the watch began.
    pub fn sum(&self) -> &Figures {
        &self.sum
    }

    /// The seconds from `from` up to, and without, `to`, as far as they are kept.
    pub fn between(&self, from: u32, to: u32) -> Figures {
        let mut figures = Figures::default();
        if from < to {
            self.recent.range(from..to).for_each(|(_, part)| figures.add(part));
        }
        figures
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.sum = Figures::default();
        self.recent.clear();
    }

    /// Adds what was reported of a row, if it is one of those that are watched. Seconds after `latest` count as that.
    pub(super) fn apply(&mut self, entry: &EntryDelta, latest: u32) {
        if self.name.as_ref().is_some_and(|name| *name != entry.key.name) {
            return;
        }
        for (second, part) in parts(entry) {
            let second = second.min(latest);
            if second < self.since {
                continue;
            }
            self.sum.add(&part);
            if self.kept_s > 0 {
                self.recent.entry(second).or_default().merge(part);
            }
        }
        while self.recent.len() > self.kept_s as usize {
            self.recent.pop_first();
        }
    }
}

/// A report by second. Response times are dealt out in proportion to the requests.
fn parts(entry: &EntryDelta) -> Vec<(u32, Part)> {
    let new = |rate: &RateDelta| {
        let RateDelta { second, requests, failures } = *rate;
        (second, Part { requests, failures, ..Part::default() })
    };
    let mut parts: Vec<(u32, Part)> = entry.seconds.iter().map(new).collect();
    let requests: Vec<u64> = entry.seconds.iter().map(|rate| rate.requests).collect();
    deal_out(entry.response_times.buckets(), &requests, |index, time_us, count| {
        parts[index].1.times.push((time_us, count));
    });
    let timed = entry.response_times.count().max(1) as f64;
    for (_, part) in &mut parts {
        let share = part.times.iter().map(|(_, count)| *count).sum::<u64>() as f64 / timed;
        part.total_us = (entry.total_response_time_us as f64 * share).round() as u64;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Recorder, RunStats, Sample, StatsDelta};
    use crate::time::RunTime;

    /// A request on `name` that ends in `second` after `millis`.
    fn request(recorder: &mut Recorder, name: &str, second: u64, millis: u64) {
        let end = RunTime::from_micros(second * 1_000_000 + 500_000);
        let start = RunTime::from_micros(end.as_micros() - millis * 1_000);
        let entry = recorder.entry("GET", name);
        recorder.record(entry, &Sample { intended: start, start, end, response_length: 1, failure: None });
    }

    fn watched(watch: Watch, deltas: &[StatsDelta]) -> RunStats {
        let mut stats = RunStats::watched(vec![watch]);
        deltas.iter().for_each(|delta| stats.apply("w", delta, RunTime::from_secs(1_000)));
        stats
    }

    fn seconds(names: &[&str], seconds: std::ops::Range<u64>) -> Vec<StatsDelta> {
        let mut recorder = Recorder::default();
        let delta = |second| {
            names.iter().for_each(|name| request(&mut recorder, name, second, 10 * (second + 1)));
            recorder.take()
        };
        seconds.map(delta).collect()
    }

    #[test]
    fn only_what_is_watched_counts() {
        let deltas = seconds(&["/a", "/b"], 0..20);
        let stats = watched(Watch::new(Some("/a"), 5, 0), &deltas);
        let sum = stats.watches()[0].sum();
        assert_eq!((sum.requests, sum.min_us(), sum.max_us()), (15, Some(60_031), Some(200_063)));
        assert_eq!(sum.mean_us(), Some(130_000.0));
        let stats = watched(Watch::new(None, 0, 0), &deltas);
        assert_eq!(stats.watches()[0].sum().requests, 40);
    }

    #[test]
    fn the_last_seconds_are_kept_apart() {
        let stats = watched(Watch::new(None, 0, 10), &seconds(&["/"], 0..60));
        let watch = &stats.watches()[0];
        let times = |from, to| {
            let figures = watch.between(from, to);
            (figures.requests, figures.percentile_us(0.5).map(|time_us| time_us / 1_000))
        };
        assert_eq!(times(55, 58), (3, Some(570)));
        assert_eq!(times(0, 60), (10, Some(560)), "the others are gone");
        assert_eq!(times(58, 58), (0, None));
        assert_eq!(watch.sum().requests, 60);
        let mut emptied = stats.clone();
        emptied.reset();
        assert_eq!(emptied.watches()[0].sum().requests, 0);
    }

    #[test]
    fn a_report_of_several_seconds_is_dealt_out() {
        let mut recorder = Recorder::default();
        for second in 0..4 {
            (0..100).for_each(|_| request(&mut recorder, "/", second, 20));
        }
        let stats = watched(Watch::new(None, 2, 10), &[recorder.take()]);
        let figures = stats.watches()[0].between(2, 4);
        assert_eq!(figures, *stats.watches()[0].sum());
        assert_eq!((figures.requests, figures.response_times.count()), (200, 200));
        assert_eq!(figures.mean_us(), Some(20_000.0));
    }

    #[test]
    fn no_clock_runs_ahead() {
        let mut stats = RunStats::watched(vec![Watch::new(None, 0, 10)]);
        seconds(&["/"], 7..8).iter().for_each(|delta| stats.apply("w", delta, RunTime::from_secs(3)));
        assert_eq!(stats.watches()[0].between(3, 4).requests, 1);
    }
}
