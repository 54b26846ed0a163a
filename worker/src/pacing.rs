//! What a user's schedule asked for and what the user made of it, counted for the report of delivered load.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use sentinel_common::random::UserRng;
use sentinel_common::stats::{Iterations, Recorder};
use sentinel_common::time::{Moment, RunClock, RunTime};
use sentinel_common::wait::{NextStart, Pacer, WaitTime};

/// An iteration that begins later than this after its intended start counts as late.
pub const LATE_AFTER: Duration = Duration::from_millis(10);

/// One user's schedule. Shared between the user, which follows it, and its lane, which reports on it.
#[derive(Debug)]
pub struct UserPacing {
    clock: RunClock,
    wait: WaitTime,
    /// `None` until the user has finished its `on_start`.
    pacer: RefCell<Option<Pacer>>,
    started: Cell<u64>,
    planned_reported: Cell<u64>,
    closed: Cell<bool>,
}

impl UserPacing {
    /// A schedule that has not begun.
    pub fn new(clock: RunClock, wait: WaitTime) -> Self {
        Self {
            clock,
            wait,
            pacer: RefCell::new(None),
            started: Cell::new(0),
            planned_reported: Cell::new(0),
            closed: Cell::new(false),
        }
    }

    /// Whether iterations have a schedule that a slow target can make them miss.
    pub fn is_paced(&self) -> bool {
        self.wait.is_paced()
    }

    /// Begins the schedule: the first iteration is due at `first`.
    pub fn begin(&self, first: RunTime) {
        *self.pacer.borrow_mut() = Some(Pacer::new(self.wait, first));
    }

    /// An iteration starts.
    pub fn start_iteration(&self, intended: RunTime, start: RunTime, recorder: &mut Recorder) {
        self.start_arrival(intended, start, recorder);
        // What became due until now is told with it, so that both are in the same second.
        let planned = if self.closed.get() { 0 } else { self.newly_planned(start) };
        recorder.count_iterations(start, Iterations { planned, ..Iterations::default() });
    }

    /// An iteration starts that somebody else has planned.
    pub fn start_arrival(&self, intended: RunTime, start: RunTime, recorder: &mut Recorder) {
        self.started.set(self.started.get() + 1);
        let late = u64::from(start.saturating_since(intended) > LATE_AFTER);
        recorder.count_iterations(start, Iterations { started: 1, late, ..Iterations::default() });
    }

    /// An iteration has finished: when is the next one due?
    pub fn next(&self, finished: RunTime, rng: &mut UserRng) -> NextStart {
        match self.pacer.borrow_mut().as_mut() {
            Some(pacer) => pacer.next(finished, rng),
            None => NextStart { intended: finished, wait: Duration::ZERO },
        }
    }

    /// Iterations that this user has begun.
    pub fn started(&self) -> u64 {
        self.started.get()
    }

    /// Adds the iterations that became due since this was last asked to the report.
    pub fn count_planned(&self, now: Moment, recorder: &mut Recorder) {
        if !self.closed.get() {
            let at = self.clock.run_time(now);
            let planned = self.newly_planned(at);
            recorder.count_iterations(at, Iterations { planned, ..Iterations::default() });
        }
    }

    /// The user begins no further iteration: those that were due and did not begin are dropped.
    pub fn close(&self, now: Moment, recorder: &mut Recorder) {
        self.count_planned(now, recorder);
        if !self.closed.replace(true) {
            let dropped = self.planned_reported.get() - self.started.get();
            let at = self.clock.run_time(now);
            recorder.count_iterations(at, Iterations { dropped, ..Iterations::default() });
        }
    }

    /// The user has ended by itself: nothing more becomes due for it.
    pub fn finish(&self, at: RunTime, recorder: &mut Recorder) {
        if !self.closed.replace(true) {
            let (started, reported) = (self.started.get(), self.planned_reported.get());
            let planned = started.max(reported);
            let (planned, dropped) = (planned - reported, planned - started);
            recorder.count_iterations(at, Iterations { planned, dropped, ..Iterations::default() });
        }
    }

    /// What became due until `at` and was not yet reported, which it is now.
    fn newly_planned(&self, at: RunTime) -> u64 {
        let planned = self.planned(at);
        planned - self.planned_reported.replace(planned)
    }

    fn planned(&self, at: RunTime) -> u64 {
        let started = self.started.get();
        match self.pacer.borrow().as_ref() {
            // Without a schedule nothing is due before the user is there to begin it.
            Some(pacer) if self.is_paced() => pacer.planned(at).max(started),
            _ => started,
        }
        .max(self.planned_reported.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pacing(wait: &str) -> UserPacing {
        let clock = RunClock::new(RunTime::ZERO, Moment::ZERO);
        UserPacing::new(clock, WaitTime::parse(wait).unwrap())
    }

    #[test]
    fn what_was_due_and_did_not_begin_is_dropped_when_the_user_stops() {
        let pacing = pacing("constant_throughput(10)");
        let mut recorder = Recorder::default();
        pacing.begin(RunTime::ZERO);
        pacing.start_iteration(RunTime::ZERO, RunTime::ZERO, &mut recorder);
        pacing.close(Moment::from_micros(450_000), &mut recorder);
        pacing.count_planned(Moment::from_secs(9), &mut recorder);
        let delivery = recorder.take().delivery;
        assert_eq!((delivery.planned, delivery.started, delivery.dropped), (5, 1, 4));
    }

    #[test]
    fn a_user_that_ends_by_itself_drops_only_what_was_reported_as_planned() {
        let check = |reported_at_us: u64, expected: (u64, u64, u64)| {
            let pacing = pacing("constant_throughput(10)");
            let mut recorder = Recorder::default();
            pacing.begin(RunTime::ZERO);
            pacing.count_planned(Moment::from_micros(reported_at_us), &mut recorder);
            pacing.start_iteration(RunTime::ZERO, RunTime::ZERO, &mut recorder);
            pacing.start_iteration(RunTime::ZERO, RunTime::ZERO, &mut recorder);
            pacing.finish(RunTime::ZERO, &mut recorder);
            pacing.close(Moment::from_secs(9), &mut recorder);
            pacing.count_planned(Moment::from_secs(9), &mut recorder);
            let delivery = recorder.take().delivery;
            assert_eq!((delivery.planned, delivery.started, delivery.dropped), expected, "{reported_at_us}");
        };
        check(0, (2, 2, 0));
        check(450_000, (5, 2, 3));
    }

    #[test]
    fn a_user_without_a_schedule_drops_nothing() {
        let pacing = pacing("between(1, 2)");
        let mut recorder = Recorder::default();
        pacing.begin(RunTime::ZERO);
        pacing.start_iteration(RunTime::ZERO, RunTime::ZERO, &mut recorder);
        pacing.close(Moment::from_secs(60), &mut recorder);
        let delivery = recorder.take().delivery;
        assert_eq!((delivery.planned, delivery.started, delivery.dropped), (1, 1, 0));
    }

    #[test]
    fn a_start_is_late_only_beyond_the_tolerance() {
        let pacing = pacing("constant_pacing(1)");
        let mut recorder = Recorder::default();
        pacing.begin(RunTime::ZERO);
        pacing.start_iteration(RunTime::ZERO, RunTime::ZERO + LATE_AFTER, &mut recorder);
        pacing.start_iteration(RunTime::ZERO, RunTime::from_micros(10_001), &mut recorder);
        assert_eq!(recorder.take().delivery.late, 1);
    }
}
