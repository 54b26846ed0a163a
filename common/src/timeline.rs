//! The timeline: what happened in the cluster, and when, on the run's own clock.
//!
//! The coordinator writes it, every view of a run shows it. It keeps the first [`Timeline::CAPACITY`] events and
//! counts what it had to leave out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::WorkerId;
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
    /// The run was told to stop.
    StopRequested {
        /// By what.
        reason: String,
    },
    /// All users have stopped, or were given up.
    Stopped,
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
            Self::StopRequested { reason } => write!(f, "stopping: {reason}"),
            Self::Stopped => f.write_str("stopped"),
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
    fn what_does_not_fit_is_counted() {
        let mut timeline = Timeline::default();
        for second in 0..Timeline::CAPACITY as u64 + 3 {
            timeline.push(RunTime::from_secs(second), EventKind::Stopped);
        }
        assert_eq!((timeline.events().len(), timeline.omitted()), (Timeline::CAPACITY, 3));
    }
}
