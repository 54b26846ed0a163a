//! Open classes: the coordinator's part that shares their arrivals among the workers and counts what is planned.
//!
//! Whenever workers come or go, the arrivals are shared anew from a time on that is a little ahead, so that everybody
//! has heard of it by then:
//!
//! ```text
//!  two workers   0 1 2 3 4 5 6 7|8 . . .
//!  a third joins      ^         |
//!  A             x   x   x   x  |    x        every arrival has one worker, whatever the
//!  B               x   x   x   x|  x          clocks of the workers think of the change
//!  C                            |x     x
//! ```

use std::fmt;
use std::time::Duration;

use super::run::Run;
use crate::arrivals::{Arrivals, Schedule, Slot, even_share};
use crate::ids::WorkerId;
use crate::messages::{ArrivalShare, Wire};
use crate::roster::Roster;
use crate::time::RunTime;

/// The reason of a stop when all arrivals of a run that has no others were made.
pub const ARRIVALS_OVER: &str = "all arrivals have been made";

/// How far ahead a change of shares lies: much longer than a message takes.
const CHANGE_DELAY: Duration = Duration::from_millis(200);

/// While a run goes on, arrivals count as planned this long after they were: their workers report once a second.
const REPORT_LAG: Duration = Duration::from_secs(2);

/// When statistics are reset, workers hear of it a little later. What arrives meanwhile is not expected of them.
const RESET_LAG: Duration = Duration::from_millis(500);

/// A class whose iterations begin by a schedule.
#[derive(Clone, Debug)]
pub struct ClassArrivals {
    /// The class.
    pub class: String,
    /// Its arrivals.
    pub arrivals: Arrivals,
}

impl fmt::Display for ClassArrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rate, users) = (self.arrivals.peak_rate(), self.arrivals.max_users());
        write!(f, "{} at up to {rate} per second, with up to {users} users", self.class)
    }
}

/// The open classes of a run.
#[derive(Debug, Default)]
pub(super) struct OpenLoad {
    classes: Vec<OpenClass>,
    /// The workers that share the arrivals, by name.
    sharers: Vec<WorkerId>,
    /// From when on they do.
    from: RunTime,
    /// Nothing is planned from then on.
    until: Option<RunTime>,
    /// What was planned before the statistics were reset.
    forgotten: u64,
    /// Up to here, arrivals have been counted second by second.
    counted_to: RunTime,
}

#[derive(Debug)]
struct OpenClass {
    name: String,
    schedule: Schedule,
    max_users: u32,
}

impl OpenLoad {
    pub(super) fn new(classes: &[ClassArrivals], seed: u64, run_time: Option<Duration>) -> Self {
        let class = |ClassArrivals { class, arrivals }: &ClassArrivals| OpenClass {
            name: class.clone(),
            schedule: Schedule::new(arrivals, seed, class),
            max_users: arrivals.max_users(),
        };
        let until = run_time.map(RunTime::from);
        Self { classes: classes.iter().map(class).collect(), until, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// When the last arrival of all was due; `None` if they go on for ever, or if there are none.
    pub(super) fn end(&self) -> Option<RunTime> {
        let ends = self.classes.iter().map(|class| class.schedule.end());
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Shares the arrivals among the workers that can make them, from a little later than `at` on, unless they do so
    /// already.
    pub(super) fn share_out(&mut self, at: RunTime, roster: &Roster) {
        if self.classes.is_empty() {
            return;
        }
        // By name, as the roster has them.
        let able = roster.active().filter(|node| node.wire == Wire::Grpc);
        let able: Vec<WorkerId> = able.map(|node| node.id.clone()).collect();
        if able != self.sharers {
            // Only the first to share can begin with the run: nobody makes anything yet.
            let begins = at == RunTime::ZERO && self.sharers.is_empty();
            self.from = if begins { at } else { at + CHANGE_DELAY };
            self.sharers = able;
        }
    }

    /// The parts of one worker in the arrivals of all classes.
    pub(super) fn shares_of(&self, worker: &WorkerId) -> Vec<ArrivalShare> {
        let Ok(index) = self.sharers.binary_search(worker) else {
            return Vec::new();
        };
        let share = |class: &OpenClass| {
            // A worker without a user could only drop what arrives.
            let sharers = u32::try_from(self.sharers.len()).unwrap_or(u32::MAX).min(class.max_users);
            let slot = u32::try_from(index).ok().and_then(|index| Slot::new(index, sharers));
            let max_users = slot.map_or(0, |slot| even_share(class.max_users, slot.index(), sharers));
            ArrivalShare { class: class.name.clone(), slot, max_users, from: self.from, until: self.until }
        };
        self.classes.iter().map(share).collect()
    }

    /// Arrivals that were planned before `at` and count.
    fn planned(&mut self, at: RunTime) -> u64 {
        let at = self.until.map_or(at, |until| until.min(at));
        let all: u64 = self.classes.iter_mut().map(|class| class.schedule.planned(at)).sum();
        all.saturating_sub(self.forgotten)
    }

    /// Nothing is planned from `at` on.
    fn stop(&mut self, at: RunTime) {
        self.until = Some(self.until.map_or(at, |until| until.min(at)));
    }
}

impl Run {
    /// Counts the arrivals that the workers had time to report.
    pub(super) fn count_arrivals(&mut self, at: RunTime) {
        // Of random ones, whole seconds are counted more easily.
        let settled = RunTime::from_secs((at - REPORT_LAG).as_secs());
        self.set_planned(settled);
    }

    /// Counts the arrivals up to the stop.
    pub(super) fn stop_arrivals(&mut self, at: RunTime) {
        self.open.stop(at);
        self.set_planned(at);
    }

    /// Counts arrivals from `at` on only.
    pub(super) fn forget_arrivals(&mut self, at: RunTime) {
        self.open.forgotten = 0;
        self.open.forgotten = self.open.planned(at + RESET_LAG);
    }

    fn set_planned(&mut self, at: RunTime) {
        if self.open.is_empty() {
            return;
        }
        let first = self.open.counted_to.as_secs() + 1;
        let ends = (first..=at.as_secs()).map(RunTime::from_secs);
        for end in ends.filter(|end| *end < at).chain([at]) {
            let planned = self.open.planned(end);
            self.stats_mut().plan_arrivals(end, planned);
        }
        self.open.counted_to = self.open.counted_to.max(at);
    }
}
