//! How a run ends: the coordinator's part that waits for the last workers and knows when to wait no longer.

use super::run::Phase;
use super::timers::Timer;
use super::{Coordinator, Outcome};
use crate::ids::WorkerId;
use crate::time::Moment;
use crate::timeline::EventKind;

impl Coordinator {
    /// A worker that was sent home has gone. Nobody takes its users over: the others go home, too.
    pub(super) fn on_gone_home(&mut self, now: Moment, worker: &WorkerId) {
        self.stop(now, "all workers are sent home");
        self.end_if_all_stopped(now, Some(worker));
    }

    /// Ends a stopping run once every worker has answered. `done` has, or never will.
    pub(super) fn end_if_all_stopped(&mut self, now: Moment, done: Option<&WorkerId>) {
        let Some(run) = self.run.as_mut().filter(|run| run.phase == Phase::Stopping) else {
            return;
        };
        if let Some(worker) = done {
            run.stopping.remove(worker);
        }
        if run.stopping.is_empty() {
            self.end_run(now);
        }
    }

    pub(super) fn give_up_stopping(&mut self, now: Moment) {
        let late = self.run.as_mut().map(|run| std::mem::take(&mut run.stopping)).unwrap_or_default();
        for worker in late {
            self.warn(format!("Worker {worker} did not stop in time; its last figures are missing"));
            if let Some(run) = self.run.as_mut() {
                run.note(now, EventKind::WorkerFailed { worker, reason: "did not stop in time".to_owned() });
            }
        }
        self.end_run(now);
    }

    pub(super) fn end_run(&mut self, now: Moment) {
        let users = self.roster.live_user_count(now);
        let Some(run) = self.run.as_mut().filter(|run| run.phase != Phase::Stopped) else {
            return;
        };
        run.sample_users(now, users);
        run.end(now);
        self.outcome = Some(Outcome::Ended);
        for timer in
            [Timer::Sample, Timer::RunTime, Timer::StopDeadline, Timer::Lonely, Timer::Step, Timer::Reports]
        {
            self.timers.clear(timer);
        }
    }
}
