//! The control loop: carries out what the coordinator decides, shows the run as it goes, and ends with a report.

mod open;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sentinel_common::coordinator::{Autostart, Coordinator, Effect, Notice, Outcome, Phase, Policy, Run};
use sentinel_common::dispatch::SpawnRate;
use sentinel_common::local_run::{LOCAL_RUN_AFTER, LocalRun};
use sentinel_common::report::{Detail, Frame, Report};
use sentinel_common::time::Moment;
use sentinel_common::verdict::exit_code;
use sentinel_worker::clock::LocalClock;
use tokio::sync::mpsc;

use crate::desk::Asked;
use crate::settings::Settings;
use crate::transport::{Hub, HubEvent};

pub use self::open::{first_snapshot, stay};

use self::open::Office;

/// How often the run is shown as it goes on.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// How long workers may take to leave at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a person, or a program in its place, wants of a master at work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// End: the first time gracefully, the second time at once.
    Interrupt,
    /// Go on with other users, or at another rate.
    Edit {
        /// The users at the end of the ramp.
        users: u32,
        /// How fast to get there.
        spawn_rate: SpawnRate,
    },
    /// So many users more, or fewer if it is negative, at Locust's rate for that.
    Adjust(i32),
}

/// What can happen to the master.
enum Event {
    /// Something happened on a connection.
    Hub(HubEvent),
    /// A timer is due.
    Timer,
    /// Somebody wants something.
    Command(Command),
    /// Somebody has asked for something at the desk, and waits for an answer.
    Asked(Asked),
}

/// How it all ended.
#[derive(Debug)]
pub struct Ended {
    /// The whole run, if there was one.
    pub report: Option<Report>,
    /// What to tell the caller of the process.
    pub exit_code: u8,
    /// The run was cut short: whoever did that will not wait for anybody.
    pub aborted: bool,
}

/// The master at work: it makes one run after the other, and says farewell. See the module's documentation.
#[derive(Debug)]
pub struct Control<P, L> {
    coordinator: Coordinator,
    hub: Arc<Hub>,
    events: mpsc::Receiver<HubEvent>,
    commands: mpsc::Receiver<Command>,
    clock: LocalClock,
    settings: Arc<Settings>,
    /// Those who watch and steer over the web, if anybody can.
    office: Option<Office>,
    /// `None` if nobody follows the run: a report costs time that grows with the number of request names.
    progress: Option<P>,
    next_progress: Moment,
    local_run: LocalRun,
    start_local_worker: L,
    interrupted: bool,
    aborted: bool,
}

/// Runs what `settings` say with the workers that come through `hub`. Every second of the run, `progress` is
/// shown where it stands if anybody wants to know, and `commands` are carried out. If nobody's worker comes where one may run inside this process,
/// `start_local_worker` starts it.
pub async fn run(
    settings: Settings,
    hub: Arc<Hub>,
    events: mpsc::Receiver<HubEvent>,
    commands: mpsc::Receiver<Command>,
    progress: impl FnMut(&Report),
    start_local_worker: impl FnMut(),
) -> Ended {
    let settings = Arc::new(settings);
    let policy = Policy { rebalance_on_loss: settings.rebalance_on_loss, one_run: true };
    let autostart = settings.autostart.clone();
    let progress = settings.is_followed().then_some(progress);
    let mut control = Control::new(policy, settings, hub, events, commands, progress, start_local_worker);
    let failed = control.make_run(autostart).await;
    let report = control.report(Detail::Full);
    control.farewell().await;
    let judged = report.as_ref().map(|report| report.exit_code);
    Ended { report, exit_code: failed.or(judged).unwrap_or(exit_code::FAILURES), aborted: control.aborted }
}

impl<P: FnMut(&Report), L: FnMut()> Control<P, L> {
    /// A master without a run yet. What it is given is what [`run`] is; runs are made with [`Control::make_run`].
    pub fn new(
        policy: Policy,
        settings: Arc<Settings>,
        hub: Arc<Hub>,
        events: mpsc::Receiver<HubEvent>,
        commands: mpsc::Receiver<Command>,
        progress: Option<P>,
        start_local_worker: L,
    ) -> Self {
        let clock = LocalClock::start();
        Self {
            coordinator: Coordinator::new(policy),
            hub,
            events,
            commands,
            clock,
            next_progress: clock.now() + PROGRESS_INTERVAL,
            local_run: LocalRun::new(settings.local_run, clock.now()),
            start_local_worker,
            settings,
            office: None,
            progress,
            interrupted: false,
            aborted: false,
        }
    }

    /// Makes a run, once the workers for it are there. Returns an exit code if there was none, so that a report would be on
    /// another run or on nothing.
    pub async fn make_run(&mut self, autostart: Autostart) -> Option<u8> {
        self.coordinator.start_when_ready(self.clock.now(), autostart);
        self.until_outcome().await
    }

    /// The run that goes on, or the last one.
    pub fn last_run(&self) -> Option<&Run> {
        self.coordinator.run()
    }

    /// Somebody has asked the master to end.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// Whoever interrupted the master will not wait for anybody.
    pub fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Goes on until the run is over. Returns an exit code if there is none to make from a report.
    async fn until_outcome(&mut self) -> Option<u8> {
        loop {
            self.carry_out();
            match self.coordinator.outcome() {
                Some(Outcome::Ended) => return None,
                Some(Outcome::NoWorkers { expected, present }) => {
                    tracing::error!(
                        "Gave up waiting for workers: {} of {expected} connected; start more with sentinel-worker",
                        present.len()
                    );
                    return Some(exit_code::FAILURES);
                }
                Some(Outcome::SetupFailed { reason }) => {
                    tracing::error!("The run did not begin: {reason}");
                    return Some(exit_code::FAILURES);
                }
                None if self.interrupted && self.coordinator.is_waiting() => {
                    tracing::warn!("Interrupted before the run began");
                    return Some(exit_code::FAILURES);
                }
                None => {}
            }
            let event = self.next_event().await;
            self.handle(event);
        }
    }

    async fn next_event(&mut self) -> Event {
        let desk = self.office.as_ref().map(Office::wake_at);
        let timeouts = [self.coordinator.poll_timeout(), self.local_run.poll_timeout(), desk];
        let wake = timeouts.into_iter().flatten().fold(self.next_progress, Moment::min);
        let asked = async {
            match self.office.as_mut() {
                Some(office) => office.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(event) = self.events.recv() => Event::Hub(event),
            Some(command) = self.commands.recv() => Event::Command(command),
            asked = asked => Event::Asked(asked),
            () = tokio::time::sleep_until(self.clock.instant(wake)) => Event::Timer,
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Hub(HubEvent::Message(connection, message)) => {
                self.coordinator.handle_message(now, connection, message);
            }
            Event::Hub(HubEvent::Disconnected(connection, reason)) => {
                self.coordinator.handle_disconnected(now, connection, &reason);
            }
            Event::Command(command) => self.obey(now, command),
            Event::Asked(asked) => self.attend(asked),
            Event::Timer => {}
        }
        // Events may come faster than timers get their turn, so these are looked at after every event.
        if self.coordinator.poll_timeout().is_some_and(|at| at <= now) {
            self.coordinator.handle_timeout(now);
        }
        if self.local_run.is_due(now, !self.coordinator.roster().is_empty()) && !self.interrupted {
            let waited = LOCAL_RUN_AFTER.as_secs();
            tracing::info!(
                "No worker has come within {waited} s, so one runs in this process; --master prevents that"
            );
            (self.start_local_worker)();
        }
        if self.next_progress <= now {
            self.next_progress = now + PROGRESS_INTERVAL;
            self.show_progress();
        }
    }

    fn obey(&mut self, now: Moment, command: Command) {
        match command {
            Command::Interrupt if self.interrupted => {
                self.aborted = true;
                self.coordinator.abort(now, "interrupted twice");
            }
            Command::Interrupt => {
                self.interrupted = true;
                self.coordinator.stop(now, "interrupted");
            }
            Command::Edit { users, spawn_rate } => {
                if let Err(reason) = self.coordinator.edit(now, users, spawn_rate) {
                    tracing::warn!("{reason}");
                }
            }
            Command::Adjust(by) => self.coordinator.adjust(now, by),
        }
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.coordinator.poll_effect() {
            match effect {
                Effect::Send { to, message } => {
                    if !self.hub.send(to, message) {
                        tracing::debug!("A message for {to} was not sent: it is gone or does not read");
                    }
                }
                Effect::Close { connection } => self.hub.close(connection),
                Effect::Log(Notice::Info(text)) => tracing::info!("{text}"),
                Effect::Log(Notice::Warning(text)) => tracing::warn!("{text}"),
            }
        }
    }

    fn show_progress(&mut self) {
        let over = self.coordinator.run().is_none_or(|run| run.phase() == Phase::Stopped);
        if over || self.progress.is_none() {
            return;
        }
        let report = self.report(self.settings.files.live_detail());
        if let Some((show, report)) = self.progress.as_mut().zip(report) {
            show(&report);
        }
    }

    /// The report on the last run; `None` if there was none.
    pub fn report(&self, detail: Detail) -> Option<Report> {
        let now = self.clock.now();
        let run = self.coordinator.run()?;
        let age = Duration::from_micros(run.age(now).as_micros());
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(age);
        let frame = Frame {
            started_at_unix_us: sentinel_common::time::micros(started),
            host: self.settings.host.as_deref(),
            notes: &self.settings.notes,
            exit_code_on_error: self.settings.exit_code_on_error,
            min_delivered: self.settings.min_delivered,
        };
        Some(Report::new(run, self.coordinator.roster(), now, &frame, detail))
    }

    /// Sends the workers home and waits until they have left. Users whose run was aborted may take as long as the
    /// stop timeout, which nobody wants to wait for.
    pub async fn farewell(&mut self) {
        self.coordinator.quit();
        self.carry_out();
        if self.aborted {
            return;
        }
        let deadline = self.clock.now() + FAREWELL;
        while !self.coordinator.roster().is_empty() && self.clock.now() < deadline {
            let event = tokio::select! {
                Some(event) = self.events.recv() => Event::Hub(event),
                Some(Command::Interrupt) = self.commands.recv() => return,
                () = tokio::time::sleep_until(self.clock.instant(deadline)) => return,
            };
            self.handle(event);
            self.carry_out();
        }
    }
}
