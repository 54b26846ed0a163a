//! A schedule: the planned arrivals of one class, numbered, each with its time on the run's clock.

use super::curve::{ARRIVAL, Curve};
use super::deal::Deal;
use super::poisson::PoissonProcess;
use super::{Arrivals, Distribution};
use crate::time::RunTime;

/// The planned arrivals of one class. Two schedules made of the same arrivals, seed and class agree on all of them,
/// on any worker and wherever they begin to look.
///
/// Asking may move a place in it that it remembers, so that the next answer is quick; what is answered never depends
/// on what was asked before.
#[derive(Clone, Debug)]
pub struct Schedule {
    curve: Curve,
    process: Process,
}

#[derive(Clone, Debug)]
enum Process {
    /// As evenly as the rate.
    Even(Deal),
    /// At random.
    Poisson(Box<PoissonProcess>),
}

impl Schedule {
    /// The schedule of class `class` in a run with `seed`.
    pub fn new(arrivals: &Arrivals, seed: u64, class: &str) -> Self {
        let curve = Curve::new(arrivals.start, &arrivals.stages);
        let process = match arrivals.distribution {
            Distribution::Constant => Process::Even(arrivals.deal.clone()),
            Distribution::Poisson => {
                Process::Poisson(Box::new(PoissonProcess::new(&curve, seed, class, arrivals.share)))
            }
        };
        Self { curve, process }
    }

    /// How many arrivals happen before `until`.
    pub fn planned(&mut self, until: RunTime) -> u64 {
        let until = until.as_micros();
        match &mut self.process {
            Process::Even(deal) => deal.count(self.curve.planned(until)),
            Process::Poisson(process) => process.planned(&self.curve, until),
        }
    }

    /// When arrival `number`, counted from zero, happens; `None` if it never does.
    pub fn time_of(&mut self, number: u64) -> Option<RunTime> {
        let at = match &mut self.process {
            Process::Even(deal) => self.curve.reach(u128::from(deal.number(number)?) * ARRIVAL)?,
            Process::Poisson(process) => process.time_of(&self.curve, number)?,
        };
        let over = self.curve.end().is_some_and(|end| at >= end);
        (!over).then(|| RunTime::from_micros(at))
    }

    /// When nothing more arrives; `None` if that never happens.
    pub fn end(&self) -> Option<RunTime> {
        self.curve.end().map(RunTime::from_micros)
    }
}

/// One of several who share the arrivals of a class: every `of`-th is its, from number `index` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    index: u32,
    of: u32,
}

impl Slot {
    /// Whoever has this slot makes all arrivals.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// More sharers than this are not: all workers with all of their lanes stay far below.
    pub const MAX_SHARERS: u32 = 1 << 20;

    /// The slot of sharer `index` of `of`; `None` if there is no such sharer.
    pub fn new(index: u32, of: u32) -> Option<Self> {
        (index < of && of <= Self::MAX_SHARERS).then_some(Self { index, of })
    }

    /// Which of the sharers this is, from zero.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many sharers there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Shares a slot among `lanes`, of which this is number `lane`.
    pub fn sub_slot(self, lane: u32, lanes: u32) -> Self {
        let lanes = lanes.clamp(1, u32::MAX / self.of);
        Self { index: self.index + self.of * lane.min(lanes - 1), of: self.of * lanes }
    }

    /// The first of its arrivals from number `from` on.
    pub(super) fn first_from(self, from: u64) -> u64 {
        let (index, of) = (u64::from(self.index), u64::from(self.of));
        from.saturating_add((index + of - from % of) % of)
    }
}

/// An arrival: its number among all of its class, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its number in the class, whoever makes it.
    pub number: u64,
    /// When it is due.
    pub at: RunTime,
}

/// Walks through the arrivals of one slot, in order.
#[derive(Clone, Debug)]
pub struct Cursor {
    schedule: Schedule,
    slot: Slot,
    next: Option<Due>,
}

impl Cursor {
    /// Begins with the first arrival of `slot` that is not before `from`.
    pub fn new(mut schedule: Schedule, slot: Slot, from: RunTime) -> Self {
        let first = slot.first_from(schedule.planned(from));
        let next = due(&mut schedule, first);
        Self { schedule, slot, next }
    }

    /// The next arrival; `None` if there is none any more.
    pub fn peek(&self) -> Option<Due> {
        self.next
    }

    /// Goes on behind the next arrival.
    pub fn advance(&mut self) {
        let number = self.next.and_then(|next| next.number.checked_add(self.slot.of.into()));
        self.next = number.and_then(|number| due(&mut self.schedule, number));
    }
}

fn due(schedule: &mut Schedule, number: u64) -> Option<Due> {
    schedule.time_of(number).map(|at| Due { number, at })
}
