//! The outbox of a run: at most one sealed report on its way, and one accumulator for everything newer. However long
//! the master is away, no more than these two are kept.

use crate::ids::RunId;
use crate::messages::StatsReport;
use crate::stats::{Accumulator, StatsDelta};

/// Reports of one run that the master has not acknowledged.
#[derive(Debug)]
pub(super) struct Outbox {
    run: RunId,
    next_seq: u64,
    sealed: Option<StatsReport>,
    open: Accumulator,
}

impl Outbox {
    pub(super) fn new(run: RunId) -> Self {
        Self { run, next_seq: 1, sealed: None, open: Accumulator::default() }
    }

    /// Adds what was measured.
    pub(super) fn add(&mut self, delta: &StatsDelta) {
        self.open.add(delta);
    }

    /// Forgets what has not been sealed yet.
    pub(super) fn discard(&mut self) {
        self.open = Accumulator::default();
    }

    /// Seals what has accumulated and returns it to be sent; `None` while a report is on its way or nothing is there.
    pub(super) fn seal(&mut self) -> Option<StatsReport> {
        if self.sealed.is_some() || self.open.is_empty() {
            return None;
        }
        let report = StatsReport { run: self.run.clone(), seq: self.next_seq, delta: self.open.take() };
        self.next_seq += 1;
        self.sealed = Some(report.clone());
        Some(report)
    }

    /// The report that is on its way.
    pub(super) fn sealed(&self) -> Option<&StatsReport> {
        self.sealed.as_ref()
    }

    /// The master has merged the report of this number.
    pub(super) fn acknowledge(&mut self, seq: u64) {
        self.sealed.take_if(|report| report.seq <= seq);
    }

    /// Whether the master has everything.
    pub(super) fn is_empty(&self) -> bool {
        self.sealed.is_none() && self.open.is_empty()
    }
}
