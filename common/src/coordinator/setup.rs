//! Setup and teardown, which one worker does once per run: setup before the run begins, so that its clock and its load
//! know nothing of it; teardown after the run has ended and before the workers are sent home.
//!
//! ```text
//! start -> Setup ----SetupDone----> the run ----last report----> Teardown ----TeardownDone----> Outcome::Ended
//!            `-- an error, a loss, too late --> Outcome::SetupFailed    `-- an error, ... --> an event, Ended
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::run::RunSpec;
use super::timers::Timer;
use super::{Coordinator, Effect, Outcome};
use crate::ids::{ConnectionId, RunId, WorkerId};
use crate::load::Load;
use crate::messages::{NO_VARIABLES, ToWorker, VARIABLES_BYTES_MAX, Wire};
use crate::roster::WorkerNode;
use crate::time::{Moment, RunTime};
use crate::timeline::EventKind;

/// How long setup may take.
const SETUP_DEADLINE: Duration = Duration::from_secs(600);

/// How long teardown may take.
const TEARDOWN_DEADLINE: Duration = Duration::from_secs(60);

/// A run that is being set up.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) spec: RunSpec,
    load: Load,
    /// Who does it.
    worker: WorkerId,
}

/// The teardown of the run that has ended.
#[derive(Debug)]
pub(super) struct Teardown {
    /// Who does it.
    worker: WorkerId,
}

impl Coordinator {
    /// Sets a run up, if it wants that, and begins it then.
    pub(super) fn set_up(&mut self, now: Moment, spec: RunSpec, load: Load) {
        self.cancel_setup();
        self.abort(now, "another run begins");
        self.outcome = None;
        self.autostart = None;
        self.timers.clear(Timer::WorkersMaxWait);
        let Some((worker, connection)) = self.volunteer(None) else {
            return self.outcome = Some(Outcome::SetupFailed { reason: self.why_nobody_can() });
        };
        if !spec.has_setup {
            return self.begin_run(now, spec, load, NO_VARIABLES.to_owned());
        }
        self.info(format!("Setting the run up on worker {worker}"));
        let plan = Arc::new(spec.plan(RunTime::ZERO, NO_VARIABLES));
        self.send(connection, ToWorker::Setup(plan));
        self.timers.set(Timer::Setup, now + SETUP_DEADLINE);
        self.setup = Some(Setup { spec, load, worker });
    }

    /// Setup is done, or has failed.
    pub(super) fn on_setup_done(
        &mut self,
        now: Moment,
        worker: &WorkerId,
        run: &RunId,
        result: Result<String, String>,
    ) {
        let theirs = |setup: &mut Setup| setup.spec.id == *run && setup.worker == *worker;
        let Some(Setup { spec, load, .. }) = self.setup.take_if(theirs) else {
            return;
        };
        self.timers.clear(Timer::Setup);
        match result.and_then(checked) {
            Ok(variables) => {
                self.info("Setup is done".to_owned());
                self.begin_run(now, spec, load, variables);
                if let Some(run) = self.run.as_mut() {
                    run.set_up_by = Some(worker.clone());
                }
            }
            Err(reason) => {
                let reason = format!("setup failed on worker {worker}: {reason}");
                self.outcome = Some(Outcome::SetupFailed { reason });
            }
        }
    }

    /// Setup has taken too long.
    pub(super) fn give_up_setup(&mut self) {
        self.fail_setup(&format!("it took longer than {} s", SETUP_DEADLINE.as_secs()));
    }

    /// Setup will not come to its end; the worker is told to leave it.
    pub(super) fn fail_setup(&mut self, reason: &str) {
        if let Some(worker) = self.cancel_setup() {
            let reason = format!("setup failed on worker {worker}: {reason}");
            self.outcome = Some(Outcome::SetupFailed { reason });
        }
    }

    /// Tears a run down that has ended, if it wants that.
    pub(super) fn tear_down(&mut self, now: Moment) {
        let Some(run) = self.run.as_ref().filter(|run| run.spec.has_teardown) else {
            return self.outcome = Some(Outcome::Ended);
        };
        if let Some(reason) = run.cut_off.clone() {
            return self
                .fail_teardown(now, &format!("it was left out, because the run was cut off: {reason}"));
        }
        let Some((worker, connection)) = self.volunteer(run.set_up_by.as_ref()) else {
            let reason = self.why_nobody_can();
            return self.fail_teardown(now, &reason);
        };
        let plan = run.plan(now);
        self.info(format!("Tearing the run down on worker {worker}"));
        self.send(connection, ToWorker::Teardown(plan));
        self.timers.set(Timer::Teardown, now + TEARDOWN_DEADLINE);
        self.teardown = Some(Teardown { worker });
    }

    /// Teardown is done, or has failed.
    pub(super) fn on_teardown_done(
        &mut self,
        now: Moment,
        worker: &WorkerId,
        run: &RunId,
        result: Result<(), String>,
    ) {
        let current = self.run.as_ref().is_some_and(|current| current.id() == run);
        let theirs = self.teardown.as_ref().is_some_and(|teardown| teardown.worker == *worker);
        match result {
            _ if !current || !theirs => {}
            Ok(()) => {
                self.info("Teardown is done".to_owned());
                self.end_teardown();
            }
            Err(reason) => self.fail_teardown(now, &format!("worker {worker}: {reason}")),
        }
    }

    /// Teardown has taken too long.
    pub(super) fn give_up_teardown(&mut self, now: Moment) {
        self.fail_teardown(now, &format!("it took longer than {} s", TEARDOWN_DEADLINE.as_secs()));
    }

    /// Nobody waits for a teardown that is under way any more.
    pub(super) fn cut_teardown_off(&mut self, now: Moment, reason: &str) {
        if self.teardown.is_some() {
            self.fail_teardown(now, reason);
        }
    }

    /// A worker is gone, in whatever way. What it was doing for the whole run is not done.
    pub(super) fn lose_hook(&mut self, now: Moment, worker: &WorkerId) {
        if self.setup.as_ref().is_some_and(|setup| setup.worker == *worker) {
            self.fail_setup("the worker is gone");
        }
        if self.teardown.as_ref().is_some_and(|teardown| teardown.worker == *worker) {
            self.fail_teardown(now, &format!("worker {worker} is gone"));
        }
    }

    /// Tells a worker again what it is to do for the whole run: it is on a new connection, and may have missed it, or its
    /// answer may be lost.
    pub(super) fn remind_of_hook(&mut self, now: Moment, connection: ConnectionId, worker: &WorkerId) {
        if let Some(setup) = self.setup.as_ref().filter(|setup| setup.worker == *worker) {
            let plan = Arc::new(setup.spec.plan(RunTime::ZERO, NO_VARIABLES));
            self.send(connection, ToWorker::Setup(plan));
        }
        let theirs = self.teardown.as_ref().is_some_and(|teardown| teardown.worker == *worker);
        if let Some(plan) = self.run.as_ref().filter(|_| theirs).map(|run| run.plan(now)) {
            self.send(connection, ToWorker::Teardown(plan));
        }
    }

    /// The worker that does what is done once: the one that is preferred, or else the one with the lowest number.
    fn volunteer(&self, preferred: Option<&WorkerId>) -> Option<(WorkerId, ConnectionId)> {
        let able = |node: &&WorkerNode| node.wire == Wire::Grpc && !node.sent_home;
        let node =
            self.roster.active().filter(able).min_by_key(|node| (preferred != Some(&node.id), node.index))?;
        Some((node.id.clone(), node.connection))
    }

    fn why_nobody_can(&self) -> String {
        match self.roster.active().any(|node| node.wire == Wire::Locust) {
            true => "setup and teardown take a sentinel-worker, and only Locust's workers are connected"
                .to_owned(),
            false => "no worker is connected that could run setup or teardown".to_owned(),
        }
    }

    /// Ends a setup that is under way. Returns who did it.
    pub(super) fn cancel_setup(&mut self) -> Option<WorkerId> {
        let Setup { spec, worker, .. } = self.setup.take()?;
        self.timers.clear(Timer::Setup);
        if let Some(connection) = self.roster.get(worker.as_str()).map(|node| node.connection) {
            self.effects.push_back(Effect::Send { to: connection, message: ToWorker::Stop { run: spec.id } });
        }
        Some(worker)
    }

    fn fail_teardown(&mut self, now: Moment, reason: &str) {
        self.warn(format!("Teardown failed: {reason}"));
        if let Some(run) = self.run.as_mut() {
            run.note(now, EventKind::TeardownFailed { reason: reason.to_owned() });
        }
        self.end_teardown();
    }

    fn end_teardown(&mut self) {
        self.teardown = None;
        self.timers.clear(Timer::Teardown);
        self.outcome = Some(Outcome::Ended);
    }
}

/// Variables as a worker sent them, if they are any.
fn checked(variables: String) -> Result<String, String> {
    if variables.len() > VARIABLES_BYTES_MAX {
        return Err(format!("its variables take more than {} MiB", VARIABLES_BYTES_MAX >> 20));
    }
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&variables) {
        Ok(_) => Ok(variables),
        Err(error) => Err(format!("what it sent is no object of variables: {error}")),
    }
}
