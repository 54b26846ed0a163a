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
    /// Iterations that workers said they dropped, of whatever name.
    pub dropped: u64,
    /// The most users that ran at once; `None` if nobody looked.
    pub users: Option<u64>,
}

impl Figures {
    fn add(&mut self, part: &Part) {
        self.requests = self.requests.saturating_add(part.requests);
        self.failures = self.failures.saturating_add(part.failures);
        self.total_response_time_us = self.total_response_time_us.saturating_add(part.total_us);
        self.dropped = self.dropped.saturating_add(part.dropped);
        self.users = self.users.max(part.users);
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
    dropped: u64,
    users: Option<u64>,
    /// Ascending.
    times: Vec<(u64, u64)>,
}

impl Part {
    fn merge(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
        self.total_us = self.total_us.saturating_add(other.total_us);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.users = self.users.max(other.users);
        if other.times.is_empty() {
            return;
        }
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
    fn new(name: Option<&str>, since: u32, kept_s: u32) -> Self {
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
            self.add(second.min(latest), part);
        }
    }

    /// Adds iterations that were dropped in a second.
    pub(super) fn apply_dropped(&mut self, second: u32, dropped: u64) {
        if dropped > 0 {
            self.add(second, Part { dropped, ..Part::default() });
        }
    }

    /// Takes note of how many users ran in a second.
    pub(super) fn observe_users(&mut self, second: u32, users: u64) {
        self.add(second, Part { users: Some(users), ..Part::default() });
    }

    fn add(&mut self, second: u32, part: Part) {
        if second < self.since {
            return;
        }
        self.sum.add(&part);
        if self.kept_s > 0 {
            self.recent.entry(second).or_default().merge(part);
        }
        while self.recent.len() > self.kept_s as usize {
            self.recent.pop_first();
        }
    }
}

/// What is watched in a run. Who looks at the same requests from the same second on shares a watch.
#[derive(Clone, Debug, Default)]
pub struct Watches(Vec<Watch>);

/// A watch among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchId(usize);

impl Watches {
    /// Watches the requests called `name` (all of them without one) from second `since` on, and keeps the last `kept_s`
    /// seconds of them.
    pub fn add(&mut self, name: Option<&str>, since: u32, kept_s: u32) -> WatchId {
        let same = |watch: &Watch| watch.name.as_deref() == name && watch.since == since;
        let index = self.0.iter().position(same).unwrap_or_else(|| {
            self.0.push(Watch::new(name, since, kept_s));
            self.0.len() - 1
        });
        self.0[index].kept_s = self.0[index].kept_s.max(kept_s);
        WatchId(index)
    }

    /// One of them.
    ///
    /// # Panics
    /// If `id` is not of these watches.
    pub fn get(&self, id: WatchId) -> &Watch {
        &self.0[id.0]
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Watch> {
        self.0.iter_mut()
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
    use crate::stats::{Iterations, Recorder, RunStats, Sample, StatsDelta};
    use crate::time::RunTime;

    /// A request on `name` that ends in `second` after `millis`.
    fn request(recorder: &mut Recorder, name: &str, second: u64, millis: u64) {
        let end = RunTime::from_micros(second * 1_000_000 + 500_000);
        let start = RunTime::from_micros(end.as_micros() - millis * 1_000);
        let entry = recorder.entry("GET", name);
        recorder.record(entry, &Sample { intended: start, start, end, response_length: 1, failure: None });
    }

    fn watching(name: Option<&str>, since: u32, kept_s: u32) -> (RunStats, WatchId) {
        let mut watches = Watches::default();
        let id = watches.add(name, since, kept_s);
        (RunStats::watched(watches), id)
    }

    fn watched(name: Option<&str>, since: u32, kept_s: u32, deltas: &[StatsDelta]) -> (RunStats, WatchId) {
        let (mut stats, id) = watching(name, since, kept_s);
        deltas.iter().for_each(|delta| stats.apply("w", delta, RunTime::from_secs(1_000)));
        (stats, id)
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
        let (stats, id) = watched(Some("/a"), 5, 0, &deltas);
        let sum = stats.watches().get(id).sum();
        assert_eq!((sum.requests, sum.min_us(), sum.max_us()), (15, Some(60_031), Some(200_063)));
        assert_eq!(sum.mean_us(), Some(130_000.0));
        let (stats, id) = watched(None, 0, 0, &deltas);
        assert_eq!(stats.watches().get(id).sum().requests, 40);
    }

    #[test]
    fn the_last_seconds_are_kept_apart() {
        let (stats, id) = watched(None, 0, 10, &seconds(&["/"], 0..60));
        let watch = stats.watches().get(id);
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
        assert_eq!(emptied.watches().get(id).sum().requests, 0);
    }

    #[test]
    fn a_report_of_several_seconds_is_dealt_out() {
        let mut recorder = Recorder::default();
        for second in 0..4 {
            (0..100).for_each(|_| request(&mut recorder, "/", second, 20));
        }
        let (stats, id) = watched(None, 2, 10, &[recorder.take()]);
        let figures = stats.watches().get(id).between(2, 4);
        assert_eq!(figures, *stats.watches().get(id).sum());
        assert_eq!((figures.requests, figures.response_times.count()), (200, 200));
        assert_eq!(figures.mean_us(), Some(20_000.0));
    }

    #[test]
    fn no_clock_runs_ahead() {
        let (mut stats, id) = watching(None, 0, 10);
        seconds(&["/"], 7..8).iter().for_each(|delta| stats.apply("w", delta, RunTime::from_secs(3)));
        assert_eq!(stats.watches().get(id).between(3, 4).requests, 1);
    }

    #[test]
    fn users_and_dropped_iterations_are_of_their_seconds() {
        let (mut stats, id) = watching(None, 35, 10);
        for second in 30..40 {
            let at = RunTime::from_secs(second);
            let mut recorder = Recorder::default();
            recorder.count_iterations(at, Iterations { dropped: 1, ..Iterations::default() });
            stats.apply("w", &recorder.take(), at);
            stats.observe_users(at, second, 50);
        }
        let watch = stats.watches().get(id);
        assert_eq!((watch.sum().dropped, watch.sum().users), (5, Some(39)));
        let figures = watch.between(36, 38);
        assert_eq!((figures.dropped, figures.users, figures.requests), (2, Some(37), 0));
    }

    #[test]
    fn who_looks_at_the_same_shares_a_watch() {
        let mut watches = Watches::default();
        let first = watches.add(None, 5, 10);
        assert_eq!(watches.add(None, 5, 30), first);
        assert_eq!(watches.get(first).kept_s, 30, "for the longest look back");
        assert_ne!(watches.add(Some("/"), 5, 10), first);
        assert_ne!(watches.add(None, 6, 10), first);
    }
}
