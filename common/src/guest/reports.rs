//! What the worker measured, and which run it belongs to.

use super::Guest;
use crate::ids::RunId;
use crate::locust::StatsReport as LocustReport;
use crate::locust_stats::{WorkerClock, delta_of};
use crate::messages::{FromWorker, StatsReport};
use crate::stats::{ExceptionDelta, StatsDelta};
use crate::time::RunTime;

/// A run that reports may belong to.
#[derive(Clone, Debug)]
struct Reported {
    run: RunId,
    started_us: u64,
}

/// Which run the worker's reports belong to.
#[derive(Debug, Default)]
pub(super) struct Reports {
    clock: WorkerClock,
    current: Option<Reported>,
    /// The next run: what is reported belongs to it from its first placement on.
    announced: Option<Reported>,
    seq: u64,
}

impl Reports {
    pub(super) fn begin(&mut self, run: RunId, started_us: u64) {
        self.current = Some(Reported { run, started_us });
        self.announced = None;
    }

    pub(super) fn announce(&mut self, run: RunId, started_us: u64) {
        let known = self.current.as_ref().is_some_and(|current| current.run == run);
        self.announced = (!known).then_some(Reported { run, started_us });
    }

    /// The worker has begun with the announced run and forgotten what it measured before.
    pub(super) fn enter_announced(&mut self) {
        self.current = self.announced.take().or(self.current.take());
    }

    pub(super) fn end(&mut self) {
        self.current = None;
    }

    /// Whether the worker has begun with a run, of which it may report once more after its users have stopped.
    pub(super) fn are_expected(&self) -> bool {
        self.current.is_some()
    }
}

impl Guest {
    pub(super) fn on_stats(&mut self, unix_us: u64, report: &LocustReport) {
        self.orders.users = self.running(&report.user_classes_count);
        self.reports.clock.observe(report, unix_us);
        if let Some(current) = self.reports.current.clone() {
            let now = RunTime::from_micros(unix_us.saturating_sub(current.started_us));
            let delta = delta_of(report, &self.reports.clock, now, current.started_us);
            self.pass_on(current.run, delta);
        }
        if self.orders.awaits_flush() {
            self.on_flushed(unix_us);
        }
    }

    pub(super) fn on_exception(&mut self, msg: String, traceback: String) {
        if let Some(current) = self.reports.current.clone() {
            let exception =
                ExceptionDelta { message: msg.into(), traceback: traceback.into(), occurrences: 1 };
            self.pass_on(current.run, StatsDelta { exceptions: vec![exception], ..StatsDelta::default() });
        }
    }

    fn pass_on(&mut self, run: RunId, delta: StatsDelta) {
        if delta != StatsDelta::default() {
            self.reports.seq += 1;
            self.tell(FromWorker::Stats(StatsReport { run, seq: self.reports.seq, delta }));
        }
    }
}
