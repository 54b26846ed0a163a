//! How a run ends: the coordinator's part that waits for the last workers and knows when to wait no longer.

use super::run::Phase;
use super::timers::Timer;
use super::{ALL_FINISHED, ARRIVALS_OVER, Coordinator, RUN_TIME_OVER};
use crate::ids::WorkerId;
use crate::messages::Wire;
use crate::roster::WorkerNode;
use crate::rows::ITERATIONS;
use crate::time::Moment;
use crate::timeline::EventKind;

impl Coordinator {
    /// The run has lasted as long as it was to last.
    pub(super) fn end_of_time(&mut self, now: Moment) {
        let arrivals_over = self.run.as_ref().is_some_and(|run| run.load.run_time != run.length());
        self.stop(now, if arrivals_over { ARRIVALS_OVER } else { RUN_TIME_OVER });
    }

    /// A worker that was sent home has gone. Nobody takes its users over: the others go home, too.
    pub(super) fn on_gone_home(&mut self, now: Moment, worker: &WorkerId) {
        self.stop(now, "all workers are sent home");
        self.end_if_all_stopped(now, Some(worker));
    }

    /// Stops a run of which every user has ended by itself.
    pub(super) fn stop_if_all_finished(&mut self, now: Moment) {
        let Some(run) = self.run.as_ref().filter(|run| run.phase.is_active()) else {
            return;
        };
        let placed = run.placement.as_ref().map_or(0, |placement| placement.current().total());
        // In a ramp that goes in steps, the others are not placed yet.
        let all_placed = placed > 0 && run.open.is_empty() && !self.timers.is_set(Timer::Step);
        let all_finished = all_placed && self.roster.finished_count() >= u64::from(placed);
        if all_finished || self.is_idle_for_good(now) {
            self.stop(now, ALL_FINISHED);
        }
    }

    /// Whether all iterations have begun and nobody is at work on one: users that have yet to be spawned would find none.
    fn is_idle_for_good(&self, now: Moment) -> bool {
        let dry = self.run.as_ref().and_then(|run| run.dry.get(ITERATIONS));
        // Every worker has to have said since then what its users are doing.
        let known = Wire::Grpc.doubtful_after();
        let idle =
            |node: &WorkerNode| node.wire == Wire::Grpc && node.silence(now) < known && node.has_finished();
        dry.is_some_and(|since| now >= *since + known) && self.roster.active().all(idle)
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
        let (users, finished) = (self.roster.live_user_count(now), self.roster.finished_count());
        let Some(run) = self.run.as_mut().filter(|run| run.phase != Phase::Stopped) else {
            return;
        };
        run.sample_users(now, users, finished);
        run.end(now);
        for timer in [
            Timer::Sample,
            Timer::RunTime,
            Timer::StopDeadline,
            Timer::Lonely,
            Timer::Shape,
            Timer::Step,
            Timer::Reports,
        ] {
            self.timers.clear(timer);
        }
        self.tear_down(now);
    }
}
