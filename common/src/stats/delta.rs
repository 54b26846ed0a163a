//! What happened since the last report, as plain values: the only form in which statistics travel.
//!
//! A [`Recorder`](super::Recorder) drains into a [`StatsDelta`], an [`Accumulator`](super::Accumulator) merges
//! several into one, and [`RunStats`](super::RunStats) adds them up on the master. Nothing here computes: averages,
//! rates and percentiles exist only after the last merge. All times are the run's own, so that the deltas of different
//! workers can be compared.

use std::ops::{Add, AddAssign};
use std::sync::Arc;

use super::{CoarseHistogram, SparseHistogram};
use crate::time::RunTime;

/// Which row of the statistics a request belongs to. Rows are ordered by name, then by method, as Locust does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryKey {
    /// What the request is called in the statistics, usually its path.
    pub name: Arc<str>,
    /// The HTTP method, or whatever else a scenario calls the kind of its requests.
    pub method: Arc<str>,
}

impl EntryKey {
    /// The key of the row for `method` and `name`.
    pub fn new(method: &str, name: &str) -> Self {
        Self { name: name.into(), method: method.into() }
    }
}

/// What happened to the requests of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryDelta {
    /// The row.
    pub key: EntryKey,
    /// Requests that ended, well or not.
    pub requests: u64,
    /// How many were counted as failures. May exceed `requests`: Locust lets a test report a failure by itself.
    pub failures: u64,
    /// How many of `requests` have no response time, and so are in no histogram.
    pub without_time: u64,
    /// The sum of the response times, in microseconds.
    pub total_response_time_us: u64,
    /// The shortest response time, in microseconds; `None` if no request has one.
    pub min_us: Option<u64>,
    /// The longest response time, in microseconds and exact even where the histogram is not.
    pub max_us: Option<u64>,
    /// The sum of the lengths of the responses, in bytes.
    pub response_length: u64,
    /// When the first of the requests started.
    pub first_start: Option<RunTime>,
    /// When the last of the requests ended.
    pub last_end: Option<RunTime>,
    /// From the actual start to the end: Locust's response time. Its count is `requests - without_time`.
    pub response_times: SparseHistogram,
    /// From the intended start to the end; `None` if that was always the actual start, so that both are identical.
    /// Otherwise its count is that of `response_times`.
    pub corrected_times: Option<SparseHistogram>,
    /// `requests` and `failures` by the second in which they ended, ascending. Zeros are left out.
    pub seconds: Vec<RateDelta>,
}

impl EntryDelta {
    /// A delta of nothing.
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
            response_times: SparseHistogram::default(),
            corrected_times: None,
            seconds: Vec::new(),
        }
    }
}

/// The requests of one row that ended in one second.
///
/// A worker that was long without a master sends old seconds as sums: all counts of a span in its first second, where
/// the spans are those of [`Series`](super::Series).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateDelta {
    /// Whole seconds since the start of the run.
    pub second: u32,
    /// Requests that ended in it.
    pub requests: u64,
    /// Failures in it.
    pub failures: u64,
}

/// The requests of all rows that ended in one second. Old seconds may be sums, as in [`RateDelta`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecondDelta {
    /// Whole seconds since the start of the run.
    pub second: u32,
    /// Requests that ended in it.
    pub requests: u64,
    /// Failures in it.
    pub failures: u64,
    /// Their response times, as far as they have one.
    pub response_times: CoarseHistogram,
    /// The iterations of this second.
    pub iterations: Iterations,
}

/// What became of iterations, each counted when it happened: one is planned when it is due, and begins or is dropped
/// then or later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Iterations {
    /// As [`Delivery::planned`].
    pub planned: u64,
    /// As [`Delivery::started`].
    pub started: u64,
    /// As [`Delivery::late`].
    pub late: u64,
    /// As [`Delivery::dropped`].
    pub dropped: u64,
}

impl AddAssign for Iterations {
    fn add_assign(&mut self, other: Self) {
        let Self { planned, started, late, dropped } = other;
        self.planned = self.planned.saturating_add(planned);
        self.started = self.started.saturating_add(started);
        self.late = self.late.saturating_add(late);
        self.dropped = self.dropped.saturating_add(dropped);
    }
}

/// Failures of one row with the same message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDelta {
    /// The row.
    pub key: EntryKey,
    /// What went wrong, at most [`MAX_TEXT_CHARS`](super::MAX_TEXT_CHARS) long.
    pub message: Arc<str>,
    /// How often.
    pub occurrences: u64,
    /// When it happened first; `None` if the worker does not say (some of Locust's do not).
    pub first_seen: Option<RunTime>,
    /// When it happened last.
    pub last_seen: Option<RunTime>,
}

/// Exceptions that escaped from user code with the same message and traceback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionDelta {
    /// The exception in one line.
    pub message: Arc<str>,
    /// Where it came from; empty if unknown.
    pub traceback: Arc<str>,
    /// How often.
    pub occurrences: u64,
}

/// Whether the load that was planned was delivered: what separates a verdict from an invalid run.
///
/// All are counts since the last report. Whoever runs the users counts them; recording a sample does not.
/// The first four count iterations: one pass of a user through a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Iterations that the pacing wanted. `planned = started + dropped` once nothing is waiting to start.
    pub planned: u64,
    /// Iterations that began, late or not.
    pub started: u64,
    /// Iterations that began later than planned by more than the pacing tolerates; part of `started`.
    pub late: u64,
    /// Planned iterations that never began because no user was free or the generator was too slow.
    pub dropped: u64,
    /// Requests that were sent: answered, failed without an answer, or still in flight.
    pub sent: u64,
    /// Requests that got a response of any status; part of `sent`.
    pub answered: u64,
    /// Requests that were counted as failures for whatever reason, answered or not; part of `sent`.
    pub failed: u64,
    /// Requests that were abandoned without an answer because the run stopped; part of `sent`, not of `failed`.
    pub in_flight_at_stop: u64,
}

impl AddAssign for Delivery {
    fn add_assign(&mut self, other: Self) {
        let Self { planned, started, late, dropped, sent, answered, failed, in_flight_at_stop } = other;
        self.planned = self.planned.saturating_add(planned);
        self.started = self.started.saturating_add(started);
        self.late = self.late.saturating_add(late);
        self.dropped = self.dropped.saturating_add(dropped);
        self.sent = self.sent.saturating_add(sent);
        self.answered = self.answered.saturating_add(answered);
        self.failed = self.failed.saturating_add(failed);
        self.in_flight_at_stop = self.in_flight_at_stop.saturating_add(in_flight_at_stop);
    }
}

impl AddAssign<Iterations> for Delivery {
    fn add_assign(&mut self, Iterations { planned, started, late, dropped }: Iterations) {
        *self += Self { planned, started, late, dropped, ..Self::default() };
    }
}

impl Add for Delivery {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

/// What was counted, but no longer under its own name, because a table was full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Requests in the row [`OTHER`](super::OTHER) because there were too many rows.
    pub names_capped: u64,
    /// Failures under the message [`OTHER`](super::OTHER) because there were too many errors.
    pub errors_capped: u64,
    /// Exceptions under the message [`OTHER`](super::OTHER) because there were too many.
    pub exceptions_capped: u64,
}

impl AddAssign for Overflow {
    fn add_assign(&mut self, other: Self) {
        let Self { names_capped, errors_capped, exceptions_capped } = other;
        self.names_capped = self.names_capped.saturating_add(names_capped);
        self.errors_capped = self.errors_capped.saturating_add(errors_capped);
        self.exceptions_capped = self.exceptions_capped.saturating_add(exceptions_capped);
    }
}

/// Everything one or more recorders saw since they were last drained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatsDelta {
    /// The rows in which anything happened, each once, in the order of their first appearance.
    pub entries: Vec<EntryDelta>,
    /// Failures by row and message, in the order of their first appearance.
    pub errors: Vec<ErrorDelta>,
    /// Exceptions in the order of their first appearance.
    pub exceptions: Vec<ExceptionDelta>,
    /// The same requests as in `entries`, and the iterations of `delivery`, by second over all rows, ascending.
    pub seconds: Vec<SecondDelta>,
    /// The load that was delivered.
    pub delivery: Delivery,
    /// What the tables could not name.
    pub overflow: Overflow,
}

impl StatsDelta {
    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        let Self { entries, errors, exceptions, seconds, delivery, overflow } = self;
        let counted = *delivery != Delivery::default() || *overflow != Overflow::default();
        !counted && entries.is_empty() && errors.is_empty() && exceptions.is_empty() && seconds.is_empty()
    }
}
