//! The timeline: what happened in the cluster, and when, on the run's own clock.
//!
//! The coordinator writes it, every view of a run shows it. It keeps the first [`Timeline::CAPACITY`] events and
//! counts what it had to leave out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::WorkerId;
use crate::rows::{ITERATIONS, label};
use crate::time::RunTime;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: RunTime,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The run began, or was given other users or another spawn rate.
    Ramp {
        /// Users before.
        from: u32,
        /// Users to reach.
        to: u32,
        /// Users per second on the way.
        spawn_rate: f64,
    },
    /// Every worker runs the users that it was assigned.
    RampComplete {
        /// Users over all workers.
        users: u64,
    },
    /// A worker came while the run was going on.
    WorkerJoined {
        /// Which one.
        worker: WorkerId,
    },
    /// A worker is gone: its connection ended, or it was not heard of for too long.
    WorkerLost {
        /// Which one.
        worker: WorkerId,
        /// The users that it had.
        users: u64,
        /// How it was noticed.
        reason: String,
    },
    /// A worker that was given up spoke again.
    WorkerReturned {
        /// Which one.
        worker: WorkerId,
    },
    /// A worker stopped its users, handed over its statistics and left.
    WorkerDrained {
        /// Which one.
        worker: WorkerId,
    },
    /// A worker stopped its users on its own or could not do what it was told.
    WorkerFailed {
        /// Which one.
        worker: WorkerId,
        /// What it said.
        reason: String,
    },
    /// Somebody sent a worker home.
    WorkerDismissed {
        /// Which one.
        worker: WorkerId,
    },
    /// Somebody had everything forgotten that was measured until then.
    StatsReset,
    /// All rows of a source are used, or with workers that were lost.
    RowsExhausted {
        /// The source.
        source: String,
        /// How many rows it had.
        total: u64,
        /// How many of them were with workers that were lost.
        withheld: u64,
    },
    /// A worker was lost with rows that it may have used.
    RowsWithheld {
        /// Their source.
        source: String,
        /// How many.
        rows: u64,
        /// The worker.
        worker: WorkerId,
    },
    /// The run was told to stop.
    StopRequested {
        /// By what.
        reason: String,
    },
    /// All users have stopped, or were given up.
    Stopped,
    /// What one worker should have done after the end of the run was not done, or not all of it.
    TeardownFailed {
        /// Why.
        reason: String,
    },
    /// A criterion was judged.
    Criterion {
        /// The criterion and what was measured.
        judgement: String,
        /// Whether it was met.
        met: bool,
    },
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ramp { from, to, spawn_rate } => {
                write!(f, "ramping from {from} to {to} users at {spawn_rate}/s")
            }
            Self::RampComplete { users } => write!(f, "all {users} users are running"),
            Self::WorkerJoined { worker } => write!(f, "worker {worker} joined"),
            Self::WorkerLost { worker, users, reason } => {
                write!(
                    f,
                    "worker {worker} was lost with {users} users: {reason}; its figures since the last report are \
                     missing unless it returns"
                )
            }
            Self::WorkerReturned { worker } => write!(f, "worker {worker} is back"),
            Self::WorkerDrained { worker } => write!(f, "worker {worker} drained and left"),
            Self::WorkerFailed { worker, reason } => write!(f, "worker {worker}: {reason}"),
            Self::WorkerDismissed { worker } => write!(f, "worker {worker} was sent home"),
            Self::StatsReset => f.write_str("statistics were reset"),
            Self::RowsExhausted { source, total, withheld: 0 } => {
                let verb = if source == ITERATIONS { "have begun" } else { "rows are used" };
                write!(f, "{}: all {total} {verb}", label(source))
            }
            Self::RowsExhausted { source, total, withheld } => {
                let used = total.saturating_sub(*withheld);
                let verb = if source == ITERATIONS { "have begun" } else { "rows are used" };
                let lost = "with workers that were lost";
                write!(f, "{}: {used} of {total} {verb}, {withheld} were {lost}", label(source))
            }
            Self::RowsWithheld { source, rows, worker } => {
                let what =
                    if source == ITERATIONS { "iterations".to_owned() } else { format!("rows of {source}") };
                write!(
                    f,
                    "{rows} {what} were with worker {worker} when it was lost and are not used again unless it returns"
                )
            }
            Self::StopRequested { reason } => write!(f, "stopping: {reason}"),
            Self::Stopped => f.write_str("stopped"),
            Self::TeardownFailed { reason } => write!(f, "teardown failed: {reason}"),
            Self::Criterion { judgement, met: true } => write!(f, "criterion met: {judgement}"),
            Self::Criterion { judgement, met: false } => write!(f, "criterion not met: {judgement}"),
        }
    }
}

/// The events of a run, in the order in which they happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    events: Vec<Event>,
    omitted: u64,
}

impl Timeline {
    /// How many events are kept. A cluster that has more trouble than this has told its story.
    pub const CAPACITY: usize = 10_000;

    /// Notes an event.
    pub fn push(&mut self, at: RunTime, kind: EventKind) {
        if self.events.len() < Self::CAPACITY {
            self.events.push(Event { at, kind });
        } else {
            self.omitted += 1;
        }
    }

    /// The events that were kept.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// How many events were not.
    pub fn omitted(&self) -> u64 {
        self.omitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_of_by_what_they_are() {
        let check = |event: EventKind, expected: &str| assert_eq!(event.to_string(), expected);
        let exhausted = |source: &str, withheld| EventKind::RowsExhausted {
            source: source.to_owned(),
            total: 100,
            withheld,
        };
        check(exhausted("accounts", 0), "data accounts: all 100 rows are used");
        check(
            exhausted("accounts", 12),
            "data accounts: 88 of 100 rows are used, 12 were with workers that were lost",
        );
        check(exhausted(ITERATIONS, 0), "iterations: all 100 have begun");
        let (source, worker) = ("accounts".to_owned(), WorkerId::new("w-3").unwrap());
        check(
            EventKind::RowsWithheld { source, rows: 12, worker },
            "12 rows of accounts were with worker w-3 when it was lost and are not used again unless it returns",
        );
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut timeline = Timeline::default();
        for second in 0..Timeline::CAPACITY as u64 + 3 {
            timeline.push(RunTime::from_secs(second), EventKind::Stopped);
        }
        assert_eq!((timeline.events().len(), timeline.omitted()), (Timeline::CAPACITY, 3));
    }
}
