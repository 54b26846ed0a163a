//! A master that stays: people start one run after the other and change them, over the desk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sentinel_common::coordinator::{Autostart, Coordinator, Outcome, Phase, Policy, Run};
use sentinel_common::ids::RunId;
use sentinel_common::report::{Detail, Report, worker_rows};
use sentinel_common::time::{Moment, micros};
use sentinel_common::verdict::exit_code;
use sentinel_common::worker_logs::WorkerLogs;
use tokio::sync::mpsc;

use super::{Command, Control, Ended};
use crate::desk::{Answer, Asked, Clerk, Refusal, Request, Snapshot, Stage};
use crate::settings::Settings;
use crate::transport::{Hub, HubEvent};

/// How often there is something new to see while a run goes on. Half of what people are promised, so that nothing is older
/// than that when they see it.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(500);

/// Those who may wait for a run to stop.
const WAITERS: usize = 64;

/// The control loop's side of the desk.
#[derive(Debug)]
pub(super) struct Office {
    clerk: Clerk,
    /// When the next snapshot is due.
    pub(super) next_snapshot: Moment,
    /// Those who want to be told when no run goes on any more.
    waiting: Vec<Answer>,
    /// What the last detailed report was made for, so that many who ask at once cost one.
    made: Option<(Moment, Detail, Arc<Report>)>,
    /// Why the run that was asked for last did not begin, if it did not.
    trouble: Option<String>,
    /// When to end because a run that began by itself is over.
    quit_at: Option<Moment>,
    /// The outcome was taken note of.
    settled: bool,
}

impl Office {
    /// An office that has been handed nothing yet.
    pub(super) fn new(clerk: Clerk, now: Moment) -> Self {
        Self {
            clerk,
            next_snapshot: now,
            waiting: Vec::new(),
            made: None,
            trouble: None,
            quit_at: None,
            settled: true,
        }
    }

    /// The next thing that somebody asks for; never, if nobody can any more.
    pub(super) async fn next(&mut self) -> Asked {
        match self.clerk.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }

    /// When something is due.
    pub(super) fn wake_at(&self) -> Moment {
        self.quit_at.into_iter().fold(self.next_snapshot, Moment::min)
    }
}

/// Makes the runs that people ask for through `clerk`, and before them the one of `settings` if that is to begin by itself.
/// Everything else is as for [`run`](super::run).
pub async fn stay(
    settings: Arc<Settings>,
    hub: Arc<Hub>,
    events: mpsc::Receiver<HubEvent>,
    commands: mpsc::Receiver<Command>,
    progress: impl FnMut(&Report),
    start_local_worker: impl FnMut(),
    clerk: Clerk,
) -> Ended {
    let policy = Policy { rebalance_on_loss: settings.rebalance_on_loss, one_run: false };
    let autostart = settings.web.as_ref().is_some_and(|web| web.autostart);
    let autostart = autostart.then(|| settings.autostart.clone());
    let progress = settings.is_followed().then_some(progress);
    let mut control = Control::new(policy, settings, hub, events, commands, progress, start_local_worker);
    control.serve_desk(clerk, autostart).await
}

impl<P: FnMut(&Report), L: FnMut()> Control<P, L> {
    /// Serves those at the desk until somebody interrupts, or until it is time to quit after `autostart`, which is begun as
    /// soon as its workers are there.
    async fn serve_desk(&mut self, clerk: Clerk, autostart: Option<Autostart>) -> Ended {
        self.office = Some(Office::new(clerk, self.clock.now()));
        if let Some(autostart) = autostart {
            self.begin(|coordinator, now| coordinator.start_when_ready(now, autostart));
        }
        let failed = loop {
            self.carry_out();
            if let Some(ended) = self.settle() {
                break ended;
            }
            self.publish_if_due();
            let event = self.next_event().await;
            self.handle(event);
        };
        let report = self.report(Detail::Full);
        self.farewell().await;
        let judged = report.as_ref().map_or(exit_code::OK, |report| report.exit_code);
        Ended { report, exit_code: failed.unwrap_or(judged), aborted: self.aborted }
    }

    /// Takes note of how things ended. Returns `Some` if the master is to end, with the exit code if that does not come from
    /// a report.
    fn settle(&mut self) -> Option<Option<u8>> {
        let now = self.clock.now();
        let outcome = self.coordinator.outcome().cloned();
        let autoquit = self.settings.web.as_ref().and_then(|web| web.autoquit);
        let office = self.office.as_mut()?;
        if let Some(outcome) = outcome.filter(|_| !office.settled) {
            office.settled = true;
            office.quit_at = autoquit.map(|after| now + after);
            match outcome {
                Outcome::Ended => {}
                Outcome::NoWorkers { expected, present } => {
                    let present = present.len();
                    tracing::error!("Gave up waiting for workers: {present} of {expected} connected");
                    return Some(Some(exit_code::FAILURES));
                }
                Outcome::SetupFailed { reason } => {
                    tracing::error!("The run did not begin: {reason}");
                    office.trouble = Some(format!("The run did not begin: {reason}"));
                }
            }
            self.publish();
        }
        let idle = self.stage().is_idle();
        let office = self.office.as_mut()?;
        if idle {
            office.waiting.drain(..).for_each(|answer| answer_with(answer, Ok(())));
        }
        let quits = office.quit_at.is_some_and(|at| at <= now);
        let ends = idle && (self.interrupted || quits);
        // A report would be on the run before.
        let failed = office.trouble.as_ref().map(|_| exit_code::FAILURES);
        ends.then_some(failed)
    }

    /// What the master is doing.
    fn stage(&self) -> Stage {
        if self.coordinator.is_setting_up() {
            return Stage::SettingUp;
        }
        if self.coordinator.is_waiting() {
            return Stage::Waiting;
        }
        match self.coordinator.run().map(Run::phase) {
            None => Stage::Ready,
            Some(Phase::Stopped) if self.coordinator.is_tearing_down() => Stage::TearingDown,
            Some(phase) => Stage::Run(phase),
        }
    }

    /// Does what was asked for, or answers why not.
    pub(super) fn attend(&mut self, asked: Asked) {
        match asked {
            Asked::Report(detail, answer) => {
                // Whoever asked may have gone.
                let _ = answer.send(self.shared_report(detail));
            }
            Asked::Stop(answer) => self.stop_for(answer),
            Asked::Change(request, answer) => {
                let done = self.change(request);
                self.carry_out();
                self.publish();
                answer_with(answer, done);
            }
        }
    }

    fn change(&mut self, request: Request) -> Result<(), Refusal> {
        let now = self.clock.now();
        match request {
            Request::Start(settings) => self.start(*settings),
            Request::Edit { users, spawn_rate } => self
                .coordinator
                .edit(now, users, spawn_rate)
                .map_err(|reason| Refusal::Conflict(reason.to_owned())),
            Request::ResetStats => {
                self.coordinator.reset_stats(now);
                Ok(())
            }
            Request::Dismiss(worker) => match self.coordinator.dismiss(now, &worker) {
                true => Ok(()),
                false => Err(Refusal::NoSuchWorker(worker)),
            },
            Request::AddLocalWorker if self.settings.scenario.is_none() => Err(Refusal::Conflict(
                "a locustfile needs Locust's workers; none can run inside this process".to_owned(),
            )),
            Request::AddLocalWorker => {
                (self.start_local_worker)();
                Ok(())
            }
        }
    }

    /// Begins a run.
    fn start(&mut self, settings: Settings) -> Result<(), Refusal> {
        if self.interrupted {
            return Err(Refusal::Ending);
        }
        if !self.stage().is_idle() {
            let stage = self.stage().as_str().replace('_', " ");
            return Err(Refusal::Conflict(format!("no run can begin now: the master is {stage}")));
        }
        let (spec, load) = (settings.autostart.spec.clone(), settings.autostart.load);
        let active = self.coordinator.roster().active().count();
        if active == 0 {
            return Err(Refusal::Conflict(
                "no worker is connected; start one with sentinel-worker --master HOST:PORT".to_owned(),
            ));
        }
        settings.notes.iter().for_each(|note| tracing::warn!("{note}"));
        self.settings = Arc::new(settings);
        self.begin(|coordinator, now| coordinator.start(now, spec, load));
        Ok(())
    }

    fn begin(&mut self, begin: impl FnOnce(&mut Coordinator, Moment)) {
        if let Some(office) = self.office.as_mut() {
            (office.settled, office.quit_at, office.trouble, office.made) = (false, None, None, None);
        }
        begin(&mut self.coordinator, self.clock.now());
    }

    /// Stops the run; `answer` is told when it is over.
    fn stop_for(&mut self, answer: Answer) {
        self.coordinator.stop_waiting();
        self.coordinator.stop(self.clock.now(), "stopped by hand");
        self.carry_out();
        self.publish();
        if let Some(office) = self.office.as_mut() {
            match office.waiting.len() < WAITERS {
                true => office.waiting.push(answer),
                false => answer_with(answer, Err(Refusal::Busy)),
            }
        }
    }

    /// A report, which is shared by all who ask for it within half a second.
    fn shared_report(&mut self, detail: Detail) -> Option<Arc<Report>> {
        let now = self.clock.now();
        let fresh = |(made, of, _): &&(Moment, Detail, Arc<Report>)| {
            *of == detail && now.saturating_since(*made) < SNAPSHOT_INTERVAL
        };
        if let Some((.., report)) = self.office.as_ref().and_then(|office| office.made.as_ref()).filter(fresh)
        {
            return Some(report.clone());
        }
        let report = Arc::new(self.report(detail)?);
        if let Some(office) = self.office.as_mut() {
            office.made = Some((now, detail, report.clone()));
        }
        Some(report)
    }

    fn publish_if_due(&mut self) {
        if self.office.as_ref().is_some_and(|office| office.next_snapshot <= self.clock.now()) {
            self.publish();
        }
    }

    /// Lays a new snapshot out.
    fn publish(&mut self) {
        let now = self.clock.now();
        let Some(before) = self.office.as_ref().map(|office| office.clerk.snapshots.borrow().clone()) else {
            return;
        };
        let snapshot = self.snapshot(&before);
        if let Some(office) = self.office.as_mut() {
            if office.made.as_ref().is_some_and(|(made, ..)| now.saturating_since(*made) >= SNAPSHOT_INTERVAL)
            {
                office.made = None;
            }
            office.next_snapshot = now + SNAPSHOT_INTERVAL;
            office.clerk.snapshots.send_replace(Arc::new(snapshot));
        }
    }

    /// What there is to see. What has not changed since `before` is taken from there.
    fn snapshot(&self, before: &Snapshot) -> Snapshot {
        let roster = self.coordinator.roster();
        let mut class_users = BTreeMap::new();
        for node in roster.active() {
            for (class, users) in node.users.iter().chain(&node.pool) {
                *class_users.entry(class.clone()).or_default() += u64::from(*users);
            }
        }
        Snapshot {
            taken_at_unix_us: unix_us(),
            stage: self.stage(),
            settings: self.settings.clone(),
            report: self.report_since(before),
            workers: worker_rows(roster).into(),
            class_users: Arc::new(class_users),
            worker_logs: logs_since(self.coordinator.logs(), before),
            trouble: self.office.as_ref().and_then(|office| office.trouble.clone()),
        }
    }

    /// The report; that of `before` if its run had ended by then and nobody has changed anything since.
    fn report_since(&self, before: &Snapshot) -> Option<Arc<Report>> {
        let run = self.coordinator.run()?;
        let same = |report: &&Arc<Report>| {
            let id: &RunId = run.id();
            let ended = run.phase() == Phase::Stopped && report.phase == Phase::Stopped;
            ended
                && report.run == *id
                && report.total.requests == run.stats().total().requests
                && report.timeline.events().len() >= run.timeline().events().len()
        };
        match before.report.as_ref().filter(same) {
            Some(report) => Some(report.clone()),
            None => self.report(Detail::Live).map(Arc::new),
        }
    }
}

fn answer_with(answer: Answer, result: Result<(), Refusal>) {
    // Whoever asked may have gone.
    let _ = answer.send(result);
}

fn logs_since(logs: &WorkerLogs, before: &Snapshot) -> Arc<WorkerLogs> {
    match before.worker_logs.added() == logs.added() {
        true => before.worker_logs.clone(),
        false => Arc::new(logs.clone()),
    }
}

fn unix_us() -> u64 {
    micros(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// What there is to see before anything has happened.
pub fn first_snapshot(settings: &Arc<Settings>) -> Snapshot {
    Snapshot {
        taken_at_unix_us: unix_us(),
        stage: Stage::Ready,
        settings: settings.clone(),
        report: None,
        workers: Arc::default(),
        class_users: Arc::default(),
        worker_logs: Arc::default(),
        trouble: None,
    }
}
