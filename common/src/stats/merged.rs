//! The statistics of a whole run, on the master: everything that is ever shown comes from here.

use std::collections::BTreeSet;
use std::time::Duration;

use super::buckets::RunBucket;
use super::delta::{Delivery, EntryKey, ErrorDelta, ExceptionDelta, Iterations, Overflow, StatsDelta};
use super::entry::EntryStats;
use super::rate;
use super::series::{Series, second_of};
use super::table::{Seen, Table};
use super::watch::{Watch, Watches};
use super::{
    AGGREGATED, CoarseHistogram, MAX_ENTRIES, MAX_ERRORS, MAX_EXCEPTIONS, MAX_WORKERS_PER_EXCEPTION,
};
use crate::time::RunTime;

/// What all workers reported so far.
///
/// It applies whatever it is given: repeats are for a [`ReportLog`](super::ReportLog) to find. The numbers are the
/// same as if one recorder had seen every sample.
#[derive(Clone, Debug)]
pub struct RunStats {
    entries: Table<EntryStats>,
    total: EntryStats,
    errors: Table<ErrorDelta>,
    exceptions: Table<ExceptionDelta>,
    /// For each row of `exceptions` the workers that reported it.
    exception_workers: Vec<BTreeSet<String>>,
    seconds: Series<RunBucket>,
    delivery: Delivery,
    /// Arrivals that schedules planned, whoever was to make them; `None` if there are none.
    arrivals: Option<u64>,
    /// No more figures come.
    complete: bool,
    overflow: Overflow,
    /// What criteria look at apart.
    watches: Watches,
}

impl Default for RunStats {
    fn default() -> Self {
        Self {
            entries: Table::new(MAX_ENTRIES),
            total: EntryStats::new(EntryKey::new("", AGGREGATED)),
            errors: Table::new(MAX_ERRORS),
            exceptions: Table::new(MAX_EXCEPTIONS),
            exception_workers: Vec::new(),
            seconds: Series::default(),
            delivery: Delivery::default(),
            arrivals: None,
            complete: false,
            overflow: Overflow::default(),
            watches: Watches::default(),
        }
    }
}

impl RunStats {
    /// Statistics of a run in which some requests are looked at apart.
    pub fn watched(watches: Watches) -> Self {
        Self { watches, ..Self::default() }
    }

    /// Adds what `worker` reported. Times after `now` count as `now`, so that no worker's clock can run ahead.
    pub fn apply(&mut self, worker: &str, delta: &StatsDelta, now: RunTime) {
        for entry in &delta.entries {
            let place = self.entries.entry(&entry.key.method, &entry.key.name);
            let names_capped = place.capped(entry.requests);
            self.overflow += Overflow { names_capped, ..Overflow::default() };
            self.entries.rows_mut()[place.row()].apply(entry, now);
            self.total.apply(entry, now);
            self.watches.iter_mut().for_each(|watch| watch.apply(entry, second_of(now)));
        }
        for error in &delta.errors {
            self.apply_error(error, now);
        }
        for exception in &delta.exceptions {
            self.apply_exception(worker, exception);
        }
        for second in &delta.seconds {
            let at = second.second.min(second_of(now));
            self.seconds.at(at).traffic.add_second(second);
            self.watches.iter_mut().for_each(|watch| watch.apply_dropped(at, second.iterations.dropped));
        }
        self.delivery += delta.delivery;
        self.overflow += delta.overflow;
    }

    /// Takes note of how many users are running, and how many the plan wants, at `now`.
    pub fn observe_users(&mut self, now: RunTime, users: u64, planned_users: u64) {
        let bucket = self.seconds.at(second_of(now));
        bucket.users.observe(users);
        bucket.planned_users.observe(planned_users);
        self.watches.iter_mut().for_each(|watch| watch.observe_users(second_of(now), users));
    }

    /// Takes note of the workers at `now`: how many can be given users, how many of them are
    /// [saturated](crate::saturation), and for how many requests they wait, if any of them says so.
    pub fn observe_workers(&mut self, now: RunTime, workers: u64, saturated: u64, in_flight: Option<u64>) {
        let bucket = self.seconds.at(second_of(now));
        bucket.workers.observe(workers);
        bucket.saturated_workers.observe(saturated);
        if let Some(in_flight) = in_flight {
            bucket.in_flight.observe(in_flight);
        }
    }

    /// Takes note of how many arrivals the schedules of open classes have planned so far. Workers do not count them:
    /// those of a worker that was lost would be missing. Those that came to be planned since it was last said were
    /// planned for the second that ended at `at`, or that `at` lies in.
    pub fn plan_arrivals(&mut self, at: RunTime, planned: u64) {
        let before = self.arrivals.replace(planned).unwrap_or(0);
        let planned = planned.saturating_sub(before);
        if planned > 0 {
            // Whole seconds are counted when they are over.
            let second = second_of(at - Duration::from_micros(1));
            self.seconds.at(second).traffic.iterations += Iterations { planned, ..Iterations::default() };
        }
    }

    /// No more figures come: arrivals that have not begun by now never will.
    pub fn complete(&mut self) {
        self.complete = true;
    }

    /// Zeroes all numbers and forgets errors, exceptions and the past, but keeps the rows: Locust's `--reset-stats`.
    pub fn reset(&mut self) {
        self.entries.rows_mut().iter_mut().for_each(EntryStats::reset);
        self.total.reset();
        self.watches.iter_mut().for_each(Watch::reset);
        self.errors.take();
        self.exceptions.take();
        self.exception_workers.clear();
        self.seconds.clear();
        self.delivery = Delivery::default();
        self.arrivals = self.arrivals.map(|_| 0);
        self.overflow = Overflow::default();
    }

    /// The rows in the order of their first appearance, among them [`OTHER`](super::OTHER) if there were too many.
    pub fn entries(&self) -> &[EntryStats] {
        self.entries.rows()
    }

    /// The rows by name, then by method.
    pub fn sorted_entries(&self) -> Vec<&EntryStats> {
        let mut rows: Vec<&EntryStats> = self.entries.rows().iter().collect();
        rows.sort_unstable_by(|left, right| left.key.cmp(&right.key));
        rows
    }

    /// All rows together, under the name [`AGGREGATED`] and no method.
    pub fn total(&self) -> &EntryStats {
        &self.total
    }

    /// What is looked at apart.
    pub fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Failures by row and message, in the order of their arrival.
    pub fn errors(&self) -> &[ErrorDelta] {
        self.errors.rows()
    }

    /// Exceptions in the order of their arrival, each with the names of (the first) workers that reported it.
    pub fn exceptions(&self) -> impl Iterator<Item = (&ExceptionDelta, &BTreeSet<String>)> {
        self.exceptions.rows().iter().zip(&self.exception_workers)
    }

    /// Requests, response times and users of the whole run by second.
    pub fn seconds(&self) -> &Series<RunBucket> {
        &self.seconds
    }

    /// The median, the 95th and the 99th percentile of the response times, in microseconds, over the seconds that
    /// [current rates](super::rate::current) are about; each `None` if nothing was answered in them.
    pub fn current_percentiles_us(&self, now: RunTime) -> [Option<u64>; 3] {
        let mut times = CoarseHistogram::default();
        if let Some((from, to)) = rate::window(self.total.activity(), now) {
            for span in self.seconds.between(from, to) {
                times.merge(&span.value.traffic.response_times);
            }
        }
        times.percentiles_us([0.5, 0.95, 0.99])
    }

    /// The load that was planned and delivered.
    pub fn delivery(&self) -> Delivery {
        let Some(arrivals) = self.arrivals else {
            return self.delivery;
        };
        let Delivery { planned, started, dropped, .. } = self.delivery;
        // What begins while the news of the stop is on its way was planned, too.
        let planned = planned.saturating_add(arrivals).max(started.saturating_add(dropped));
        let dropped = if self.complete { planned - started } else { dropped };
        Delivery { planned, dropped, ..self.delivery }
    }

    /// What the tables could not name, here and on the workers.
    pub fn overflow(&self) -> Overflow {
        self.overflow
    }

    fn apply_error(&mut self, error: &ErrorDelta, now: RunTime) {
        let [first, last] = [error.first_seen, error.last_seen].map(|seen| seen.map(|at| at.min(now)));
        let place = self.errors.count(&error.key, &error.message, error.occurrences, Seen { first, last });
        let errors_capped = place.capped(error.occurrences);
        self.overflow += Overflow { errors_capped, ..Overflow::default() };
    }

    fn apply_exception(&mut self, worker: &str, exception: &ExceptionDelta) {
        let ExceptionDelta { message, traceback, occurrences } = exception;
        let place = self.exceptions.count(message, traceback, *occurrences);
        self.exception_workers.resize_with(self.exceptions.rows().len(), BTreeSet::new);
        let workers = &mut self.exception_workers[place.row()];
        if workers.len() < MAX_WORKERS_PER_EXCEPTION && !workers.contains(worker) {
            workers.insert(worker.to_owned());
        }
        let exceptions_capped = place.capped(*occurrences);
        self.overflow += Overflow { exceptions_capped, ..Overflow::default() };
    }
}
