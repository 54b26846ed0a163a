//! Where a lane of users notes what happened, without locks and without waiting for anybody.
//!
//! A worker has one [`Recorder`] per thread. Once a second it drains all of them into an
//! [`Accumulator`]. Nothing is computed here that a merge could not undo.

use super::accumulator::Accumulator;
use super::buckets::RateBucket;
use super::delta::{Delivery, Iterations, StatsDelta};
use super::entry::Sample;
use super::series::second_of;
use super::table::{Place, Seen};
use crate::time::RunTime;

/// A row of one recorder; good for as long as that recorder lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHandle(usize);

/// The statistics of one lane since they were last taken.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    open: Accumulator,
    /// The row for names that found no room.
    rest: Option<usize>,
}

impl Recorder {
    /// The row for `method` and `name`. A known one is found without an allocation.
    ///
    /// Beyond [`MAX_ENTRIES`](super::MAX_ENTRIES) rows all new names share the row [`OTHER`](super::OTHER).
    pub fn entry(&mut self, method: &str, name: &str) -> EntryHandle {
        let place = self.open.entries.entry(method, name);
        if let Place::Rest(row) = place {
            self.rest = Some(row);
        }
        EntryHandle(place.row())
    }

    /// Counts a request that has a response time: tens of nanoseconds if it succeeded.
    ///
    /// # Panics
    /// If `entry` is the handle of another recorder that knows more rows.
    pub fn record(&mut self, entry: EntryHandle, sample: &Sample<'_>) {
        let time_us = self.open.entries.rows_mut()[entry.0].record(sample);
        let second = self.open.seconds.at(second_of(sample.end));
        second.rate.add(RateBucket { requests: 1, failures: u64::from(sample.failure.is_some()) });
        second.response_times.record(time_us);
        if let Some(message) = sample.failure {
            self.count_error(entry, sample.end, message);
        }
    }

    /// Counts a request that ended at `at` and has no response time, as Locust's tests may report it.
    ///
    /// # Panics
    /// As [`Recorder::record`].
    pub fn record_without_time(
        &mut self,
        entry: EntryHandle,
        at: RunTime,
        response_length: u64,
        failure: Option<&str>,
    ) {
        let failures = u64::from(failure.is_some());
        self.open.entries.rows_mut()[entry.0].record_without_time(at, response_length, failures);
        self.open.seconds.at(second_of(at)).rate.add(RateBucket { requests: 1, failures });
        if let Some(message) = failure {
            self.count_error(entry, at, message);
        }
    }

    /// Counts a failure that belongs to no request, as Locust's tests may report it.
    ///
    /// # Panics
    /// As [`Recorder::record`].
    pub fn record_failure(&mut self, entry: EntryHandle, at: RunTime, message: &str) {
        self.open.entries.rows_mut()[entry.0].record_failure(at);
        self.open.seconds.at(second_of(at)).rate.add(RateBucket { requests: 0, failures: 1 });
        self.count_error(entry, at, message);
    }

    /// Counts an exception that escaped from user code; `traceback` may be empty.
    pub fn exception(&mut self, message: &str, traceback: &str) {
        let place = self.open.exceptions.count(message, traceback, 1);
        self.open.overflow.exceptions_capped += place.capped(1);
    }

    /// Counts what became of iterations at `at`.
    pub fn count_iterations(&mut self, at: RunTime, iterations: Iterations) {
        if iterations != Iterations::default() {
            self.open.delivery += iterations;
            self.open.seconds.at(second_of(at)).iterations += iterations;
        }
    }

    /// The counters of delivered requests, which are the caller's to advance.
    pub fn delivery_mut(&mut self) -> &mut Delivery {
        &mut self.open.delivery
    }

    /// Drains everything that was recorded since the last time. Handles stay good.
    pub fn take(&mut self) -> StatsDelta {
        if let Some(rest) = self.rest {
            self.open.overflow.names_capped += self.open.entries.rows()[rest].requests;
        }
        self.open.take()
    }

    fn count_error(&mut self, entry: EntryHandle, at: RunTime, message: &str) {
        let key = &self.open.entries.rows()[entry.0].key;
        let place = self.open.errors.count(key, message, 1, Seen { first: Some(at), last: Some(at) });
        self.open.overflow.errors_capped += place.capped(1);
    }
}
