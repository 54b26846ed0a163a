//! The run that a Locust master has begun here, and what was measured in it.

use std::time::Duration;

use crate::ids::{Generation, RunId};
use crate::locust::Counts;
use crate::messages::{Assignment, ClassCounts};
use crate::time::{Moment, RunClock, RunTime};

/// Users are spawned and stopped at once, because the master ramps: it sends every step. In users per second.
const AT_ONCE: f64 = 1e9;

/// Users of one run on this worker.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: RunId,
    /// When it began here.
    pub(super) started: Moment,
    pub(super) host: Option<String>,
    /// The last placement that was followed.
    pub(super) generation: Generation,
    /// What the master wants of each class, as far as it ever said.
    wanted: ClassCounts,
}

impl Run {
    pub(super) fn new(id: RunId, started: Moment, host: Option<String>) -> Self {
        Self { id, started, host, generation: Generation::default(), wanted: ClassCounts::new() }
    }

    /// The run's clock. Locust has none, so it begins when the run does here.
    pub(super) fn clock(&self) -> RunClock {
        RunClock::new(RunTime::ZERO, self.started)
    }

    /// What to run from now on. Classes that are not `listed` stay as they are.
    pub(super) fn assign(&mut self, listed: ClassCounts) -> Assignment {
        self.wanted.extend(listed);
        self.generation = self.generation.next();
        Assignment {
            run: self.id.clone(),
            generation: self.generation,
            users: self.wanted.clone(),
            spawn_rate: AT_ONCE,
            first_delay: Duration::ZERO,
            arrivals: Vec::new(),
        }
    }
}

/// The users that run, as the master wants to hear it: every class that the worker has, in the file's order, and how
/// many there are in all.
pub(super) fn counts(classes: &[String], running: &ClassCounts) -> (Counts, u64) {
    let count = |class: &String| u64::from(running.get(class).copied().unwrap_or(0));
    let counts: Counts = classes.iter().map(|class| (class.clone(), count(class))).collect();
    let total = counts.iter().map(|(_, count)| count).sum();
    (counts, total)
}
