//! One delta out of many: what a worker holds of its lanes until the master has taken it.

use super::buckets::TrafficBucket;
use super::delta::{Delivery, ErrorDelta, ExceptionDelta, Overflow, StatsDelta};
use super::entry::EntryStats;
use super::series::Series;
use super::table::{Seen, Table};
use super::{MAX_ENTRIES, MAX_ERRORS_PER_DELTA, MAX_EXCEPTIONS_PER_DELTA};
use crate::time::RunTime;

/// Merges deltas, in any order, into one that says the same as all of them.
///
/// Its memory is bounded however long nobody takes the result: rows, errors and exceptions by their tables, seconds
/// by [`Series`].
#[derive(Clone, Debug)]
pub struct Accumulator {
    pub(super) entries: Table<EntryStats>,
    pub(super) errors: Table<ErrorDelta>,
    pub(super) exceptions: Table<ExceptionDelta>,
    pub(super) seconds: Series<TrafficBucket>,
    pub(super) delivery: Delivery,
    pub(super) overflow: Overflow,
}

impl Default for Accumulator {
    fn default() -> Self {
        Self {
            entries: Table::new(MAX_ENTRIES),
            errors: Table::new(MAX_ERRORS_PER_DELTA),
            exceptions: Table::new(MAX_EXCEPTIONS_PER_DELTA),
            seconds: Series::default(),
            delivery: Delivery::default(),
            overflow: Overflow::default(),
        }
    }
}

impl Accumulator {
    /// Adds a delta.
    pub fn add(&mut self, delta: &StatsDelta) {
        for entry in &delta.entries {
            let place = self.entries.entry(&entry.key.method, &entry.key.name);
            let names_capped = place.capped(entry.requests);
            self.overflow += Overflow { names_capped, ..Overflow::default() };
            self.entries.rows_mut()[place.row()].apply(entry, RunTime::MAX);
        }
        for ErrorDelta { key, message, occurrences, first_seen, last_seen } in &delta.errors {
            let seen = Seen { first: *first_seen, last: *last_seen };
            let place = self.errors.count(key, message, *occurrences, seen);
            let errors_capped = place.capped(*occurrences);
            self.overflow += Overflow { errors_capped, ..Overflow::default() };
        }
        for ExceptionDelta { message, traceback, occurrences } in &delta.exceptions {
            let place = self.exceptions.count(message, traceback, *occurrences);
            let exceptions_capped = place.capped(*occurrences);
            self.overflow += Overflow { exceptions_capped, ..Overflow::default() };
        }
        for second in &delta.seconds {
            self.seconds.at(second.second).add_second(second);
        }
        self.delivery += delta.delivery;
        self.overflow += delta.overflow;
    }

    /// Whether there is nothing to take.
    pub fn is_empty(&self) -> bool {
        self.entries.rows().iter().all(EntryStats::is_empty)
            && self.errors.rows().is_empty()
            && self.exceptions.rows().is_empty()
            && self.seconds.spans().is_empty()
            && self.delivery == Delivery::default()
            && self.overflow == Overflow::default()
    }

    /// Drains everything. The names of the rows stay known, and their memory in use.
    pub fn take(&mut self) -> StatsDelta {
        let seconds = self.seconds.drain().map(|span| span.value.into_second(span.start));
        let used = self.entries.rows_mut().iter_mut().filter(|row| !row.is_empty());
        StatsDelta {
            entries: used.map(EntryStats::take).collect(),
            errors: self.errors.take(),
            exceptions: self.exceptions.take(),
            seconds: seconds.collect(),
            delivery: std::mem::take(&mut self.delivery),
            overflow: std::mem::take(&mut self.overflow),
        }
    }
}
