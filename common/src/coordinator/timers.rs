//! The coordinator's timers as a table: the shell sleeps until the earliest of them and calls back.

use crate::time::Moment;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// Look for workers that fell silent.
    Liveness,
    /// Note how many users run, several times a second.
    Sample,
    /// Ask the shape what to head for.
    Shape,
    /// Take the next step of a ramp.
    Step,
    /// Locust's workers that have not confirmed the last step are waited for no longer.
    Reports,
    /// The run has lasted as long as it should.
    RunTime,
    /// Workers that are still stopping are given up.
    StopDeadline,
    /// Not enough workers came in time.
    WorkersMaxWait,
    /// The run has been without a worker for too long.
    Lonely,
    /// Setup takes too long.
    Setup,
    /// Teardown takes too long.
    Teardown,
}

impl Timer {
    const ALL: [Self; 11] = [
        Self::Liveness,
        Self::Sample,
        Self::Shape,
        Self::Step,
        Self::Reports,
        Self::RunTime,
        Self::StopDeadline,
        Self::WorkersMaxWait,
        Self::Lonely,
        Self::Setup,
        Self::Teardown,
    ];
}

/// When each timer fires, if it is set.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Moment>; Timer::ALL.len()]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Moment) {
        self.0[timer as usize] = Some(at);
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    pub(super) fn next(&self) -> Option<Moment> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes one timer that is due, if any.
    pub(super) fn expire(&mut self, now: Moment) -> Option<Timer> {
        let due = Timer::ALL.into_iter().find(|timer| self.0[*timer as usize].is_some_and(|at| at <= now))?;
        self.clear(due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_timer_fires_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Sample, Moment::from_secs(2));
        timers.set(Timer::RunTime, Moment::from_secs(1));
        assert_eq!(timers.next(), Some(Moment::from_secs(1)));
        assert_eq!(timers.expire(Moment::from_secs(3)), Some(Timer::Sample));
        assert_eq!(timers.expire(Moment::from_secs(3)), Some(Timer::RunTime));
        assert_eq!(timers.expire(Moment::from_secs(3)), None);
        assert_eq!(timers.next(), None);
    }
}
