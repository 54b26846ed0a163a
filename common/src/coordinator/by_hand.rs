//! What people do to a run or its workers while it goes on, besides changing its users: forget what was measured, and send
//! a worker home.

use super::timers::Timer;
use super::{Coordinator, Effect, Phase, Run};
use crate::ids::WorkerId;
use crate::messages::{ToWorker, WorkerState};
use crate::time::Moment;
use crate::timeline::EventKind;

impl Coordinator {
    /// Forgets what was measured in the current run, or the last one: Locust's "Reset". What happened stays.
    pub fn reset_stats(&mut self, now: Moment) {
        let Some(run) = self.run.as_mut() else {
            return;
        };
        run.forget_measurements(now);
        run.note(now, EventKind::StatsReset);
        self.info("Resetting stats".to_owned());
    }

    /// Sends a worker home; the others take its users over at once. Returns false if there is no such worker.
    pub fn dismiss(&mut self, now: Moment, worker: &WorkerId) -> bool {
        let Some(node) = self.roster.get_mut(worker) else {
            return false;
        };
        let (connection, silent, gone) =
            (node.connection, node.state == WorkerState::Missing, node.sent_home);
        node.sent_home = true;
        if gone {
            return true;
        }
        self.info(format!("Sending worker {worker} home, as was asked"));
        if let Some(run) = self.run.as_mut().filter(|run| run.phase != Phase::Stopped) {
            run.note(now, EventKind::WorkerDismissed { worker: worker.clone() });
        }
        self.send(connection, ToWorker::Quit);
        self.on_leaving(now, connection);
        if silent {
            // It will not answer.
            self.effects.push_back(Effect::Close { connection });
        }
        true
    }

    /// Waits for the workers of a run no longer.
    pub fn stop_waiting(&mut self) {
        self.autostart = None;
        self.timers.clear(Timer::WorkersMaxWait);
    }

    /// Whether a run that has ended is being torn down.
    pub fn is_tearing_down(&self) -> bool {
        self.teardown.is_some()
    }

    /// Whether a run is being set up.
    pub fn is_setting_up(&self) -> bool {
        self.setup.is_some()
    }
}

impl Run {
    /// Forgets the statistics by hand: those of the ramp are still to be forgotten, if that was asked for.
    fn forget_measurements(&mut self, now: Moment) {
        let done = self.reset_done;
        self.reset_stats(now);
        self.reset_done = done;
    }
}
