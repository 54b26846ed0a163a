//! The Locust worker: what a Sentinel worker decides when its master is Locust's.
//!
//! A sans-IO state machine like the [`member`](crate::member), its counterpart for our own wire. The shell in `worker`
//! feeds it what happened (`handle_*`), carries out what it wants ([`LocustWorker::poll_effect`]) and wakes it when it
//! asks ([`LocustWorker::poll_timeout`]).
//!
//! To the master it behaves as Locust's own worker does, message for message. What differs is what breaks there: users
//! are counted out before figures are, so the last ones are never lost on the way out, and a master that was restarted
//! gets its worker back instead of starving it.
//!
//! ```text
//!              spawn            settled             stop              drained            stop timeout
//!   Ready ------------> Spawning -----> Running ----------> Stopping ----------> Pausing ----------> Ready
//!     client_ready      spawning        spawning_complete                        client_stopped      client_ready
//! ```

mod effect;
mod run;
#[cfg(test)]
mod tests;
mod warnings;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;

use self::run::{Run, counts};
use self::warnings::Warnings;
use crate::backoff::Backoff;
use crate::coordinator::Notice;
use crate::dispatch::MAX_USERS;
use crate::files::NamedFiles;
use crate::ids::{Generation, RunId};
use crate::locust::{ClientVersion, MasterMessage, Spawn, WorkerMessage, WorkerState};
use crate::locust_stats::{ReportFrame, exceptions_of, report_of};
use crate::messages::{ClassCounts, LocustPlan, NO_VARIABLES, RunPlan};
use crate::random::UserRng;
use crate::scenario::{Adjustments, Host};
use crate::stats::{Accumulator, StatsDelta};
use crate::time::{Moment, RunClock, RunTime, micros};

pub use self::effect::Effect;
pub use crate::member::Exit;

/// How often the worker says that it is alive.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// How often the worker reports what it measured, even if that is nothing.
const REPORT_INTERVAL: Duration = Duration::from_secs(3);

/// How long to wait for the master's acknowledgement before asking again.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// A worker that no master has ever acknowledged ends after this: sixty attempts.
const FIRST_CONTACT_TIMEOUT: Duration = Duration::from_secs(300);

/// A worker whose master was silent for this long ends.
const MASTER_TIMEOUT: Duration = Duration::from_secs(60);

/// A master that answers no heartbeat for this long after a reconnection does not know the worker: it was restarted.
const RECOGNITION_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a worker that was told to end may take to hand over its last figures while it has no connection.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// What the worker runs: its own scenario, because Locust's master has none to give.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnScenario {
    /// The file's name, for messages.
    pub name: String,
    /// The file's text, which was checked.
    pub text: String,
    /// The names of its user classes.
    pub classes: Vec<String>,
    /// The files that it names.
    pub files: NamedFiles,
    /// What is changed of its user classes.
    pub adjustments: Adjustments,
}

/// What a Locust worker needs to know at its start.
#[derive(Clone, Debug, PartialEq)]
pub struct LocustSettings {
    /// What it runs.
    pub scenario: OwnScenario,
    /// Figures of the ramp are to be forgotten once all users have been spawned.
    pub reset_stats: bool,
    /// What the wall clock showed at [`Moment::ZERO`], in microseconds since 1970.
    pub unix_origin_us: u64,
}

/// The connection to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// None; the next attempt is due at this moment.
    Down(Moment),
    /// An attempt is under way.
    Connecting,
    /// The worker has introduced itself and will do so again at this moment, unless it is acknowledged.
    Introduced(Moment),
    /// The master knows the worker, or at least did when there last was a connection.
    Up,
}

/// What the worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    Spawning,
    Running,
    /// Its users are stopping, and then this is to be done.
    Stopping(After),
    /// It has told that its users have stopped, and will offer itself again at this moment.
    Pausing(Moment),
}

/// What follows when all users have stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// The master ended the run: tell it, and be ready for another one.
    Stop,
    /// The master is a new one: introduce itself to it.
    Rejoin,
    /// The process ends.
    Leave,
}

/// Decides for a worker of a Locust master. See the module's documentation.
#[derive(Debug)]
pub struct LocustWorker {
    settings: LocustSettings,
    rng: UserRng,
    link: Link,
    backoff: Backoff,
    created: Moment,
    last_heard: Moment,
    /// A master has acknowledged the worker before.
    joined: bool,
    /// The master that is there next has to be told who this is.
    unknown: bool,
    /// Until when the master may leave the heartbeats of a new connection unanswered.
    recognised_by: Option<Moment>,
    index: u32,
    next_heartbeat: Moment,
    next_report: Moment,
    last_report: Moment,
    phase: Phase,
    run: Option<Run>,
    runs_begun: u64,
    /// When the run began that the figures belong to.
    figures_since: Moment,
    figures: Accumulator,
    running: ClassCounts,
    /// The swarm was asked for figures and has not answered yet.
    collecting: bool,
    stop_timeout: Duration,
    /// The timestamp of the last placement that was followed.
    last_spawn: f64,
    /// A placement that came while the users of the run before were still stopping; the newest one counts.
    waiting_spawn: Option<Box<Spawn>>,
    /// The process is to end once everything has been handed over.
    leaving: bool,
    /// When to end though figures are left.
    flush_deadline: Option<Moment>,
    /// The process was told to end; nothing more will be wanted.
    exited: bool,
    warnings: Warnings,
    effects: VecDeque<Effect>,
}

impl LocustWorker {
    /// A worker that has not yet tried to reach its master. `rng` jitters its attempts and seeds its runs.
    pub fn new(now: Moment, settings: LocustSettings, rng: UserRng) -> Self {
        Self {
            settings,
            rng,
            link: Link::Down(now),
            backoff: Backoff::default(),
            created: now,
            last_heard: now,
            joined: false,
            unknown: true,
            recognised_by: None,
            index: 0,
            next_heartbeat: now,
            next_report: now,
            last_report: now,
            phase: Phase::Ready,
            run: None,
            runs_begun: 0,
            figures_since: now,
            figures: Accumulator::default(),
            running: ClassCounts::new(),
            collecting: false,
            stop_timeout: Duration::ZERO,
            last_spawn: 0.0,
            waiting_spawn: None,
            leaving: false,
            flush_deadline: None,
            exited: false,
            warnings: Warnings::default(),
            effects: VecDeque::new(),
        }
    }

    /// The next thing to do, if any. To be called until it returns `None` after every `handle_*`.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Moment {
        if self.exited {
            return Moment::MAX;
        }
        let link = match self.link {
            Link::Down(at) | Link::Introduced(at) => at,
            Link::Connecting => Moment::MAX,
            Link::Up => self.next_heartbeat,
        };
        let report = if self.reports() { self.next_report } else { Moment::MAX };
        let pause = if let Phase::Pausing(until) = self.phase { until } else { Moment::MAX };
        let waits = [self.recognised_by, self.flush_deadline].into_iter().flatten();
        waits.chain([link, report, pause, self.patience()]).min().unwrap_or(Moment::MAX)
    }

    /// The worker's number in the cluster, from 0; 0 if the master gives none.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The run's clock, which begins with the run.
    pub fn clock(&self) -> Option<RunClock> {
        self.run.as_ref().map(Run::clock)
    }

    // The connection.

    /// The connection stands.
    pub fn handle_connected(&mut self, now: Moment) {
        self.link = Link::Up;
        self.backoff.reset();
        if self.leaving && self.phase == Phase::Ready {
            return self.finish(now);
        }
        match (self.unknown, self.phase) {
            (true, Phase::Ready | Phase::Spawning | Phase::Running) => self.introduce(now),
            // It introduces itself when its users have stopped.
            (true, Phase::Stopping(_) | Phase::Pausing(_)) => {}
            (false, _) => self.recognised_by = Some(now + RECOGNITION_TIMEOUT),
        }
    }

    /// There is no connection: the attempt failed, or it ended. `reason` says how, for people.
    pub fn handle_disconnected(&mut self, now: Moment, reason: &str) {
        if matches!(self.link, Link::Up | Link::Introduced(_)) {
            self.warn(format!("Lost the master: {reason}; trying again"));
        } else if self.backoff.failures() == 0 {
            self.warn(format!("Cannot reach the master yet: {reason}; trying again"));
        }
        self.link = Link::Down(now + self.backoff.next(&mut self.rng));
        self.recognised_by = None;
        if self.leaving && self.phase == Phase::Ready {
            self.finish(now);
        }
    }

    /// The master said something.
    pub fn handle_message(&mut self, now: Moment, message: MasterMessage) {
        self.last_heard = now;
        if self.recognised_by.take().is_some() {
            self.info("The master is there again".to_owned());
        }
        match message {
            MasterMessage::Ack { index } => self.on_ack(now, index),
            MasterMessage::Heartbeat => {}
            MasterMessage::Spawn(spawn) => self.on_spawn(now, spawn),
            MasterMessage::SpawningComplete { .. } => self.on_cluster_spawned(),
            MasterMessage::Stop => self.on_stop(now),
            MasterMessage::Quit => {
                self.info("The master sends this worker home".to_owned());
                self.leave(now);
            }
            MasterMessage::Reconnect => self.on_reconnect(now),
            MasterMessage::UpdateUserClass(update) => self.warn_once(format!(
                "The master changes the user class {}, which a scenario file cannot follow; it stays as it is",
                update.user_class_name
            )),
            MasterMessage::Locustfile(_) => self
                .warn_once("Ignoring the master's locustfile: this worker runs its own scenario".to_owned()),
            MasterMessage::Custom { kind, .. } => self.warn_once(format!(
                "Ignoring messages `{kind}` of the master: a scenario file has no code to take them"
            )),
        }
    }

    // The swarm.

    /// The swarm runs exactly the users of this generation.
    pub fn handle_settled(&mut self, generation: Generation, users: ClassCounts) {
        self.running = users;
        let current = self.run.as_ref().is_some_and(|run| run.generation == generation);
        if current && self.phase == Phase::Spawning {
            self.spawned();
        }
    }

    /// What the swarm measured since it was last asked.
    pub fn handle_collected(&mut self, now: Moment, delta: &StatsDelta) {
        self.collecting = false;
        self.figures.add(delta);
        if self.leaving && self.phase == Phase::Ready {
            return self.finish(now);
        }
        self.report(now);
    }

    /// All users have stopped; `last` is what was measured since the swarm was last asked.
    pub fn handle_drained(&mut self, now: Moment, last: &StatsDelta) {
        self.figures.add(last);
        self.running.clear();
        self.run = None;
        let Phase::Stopping(after) = self.phase else {
            return;
        };
        self.phase = Phase::Ready;
        match after {
            After::Stop => self.stopped(now),
            After::Rejoin => self.rejoin(now),
            After::Leave => self.finish(now),
        }
    }

    /// The plan cannot be run here.
    pub fn handle_bad_plan(&mut self, reason: String) {
        self.exit(Exit::BadPlan(reason));
    }

    // The process and the passing of time.

    /// The process was told to end. The first time it drains, the second time it just ends.
    pub fn handle_shutdown(&mut self, now: Moment) {
        if self.leaving {
            return self.exit(Exit::Unreported);
        }
        self.leave(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.exited {
            return;
        }
        if now >= self.patience() {
            return self.exit(if self.joined { Exit::MasterGone } else { Exit::NeverReached });
        }
        if self.flush_deadline.is_some_and(|deadline| now >= deadline) {
            return self.exit(Exit::Unreported);
        }
        self.advance_link(now);
        if let Phase::Pausing(until) = self.phase
            && now >= until
        {
            self.offer_again(now);
        }
        if self.link == Link::Up && now >= self.next_heartbeat {
            self.next_heartbeat = now + HEARTBEAT_INTERVAL;
            self.effects.push_back(Effect::Beat { state: self.state() });
        }
        if self.reports() && now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            self.collect_or_report(now);
        }
    }

    // How each is taken.

    fn advance_link(&mut self, now: Moment) {
        match self.link {
            Link::Down(at) if now >= at => {
                self.link = Link::Connecting;
                self.effects.push_back(Effect::Connect);
            }
            Link::Introduced(again_at) if now >= again_at => self.introduce(now),
            _ => {}
        }
        if self.recognised_by.is_some_and(|deadline| now >= deadline) {
            self.recognised_by = None;
            self.on_unrecognised(now);
        }
    }

    /// Tells the master who this is, and waits for its acknowledgement.
    fn introduce(&mut self, now: Moment) {
        self.link = Link::Introduced(now + ACK_TIMEOUT);
        self.send(WorkerMessage::ClientReady(ClientVersion::Unchecked));
    }

    fn on_ack(&mut self, now: Moment, index: Option<u64>) {
        self.index = index.and_then(|index| u32::try_from(index).ok()).unwrap_or(self.index);
        if self.link != Link::Up {
            self.info(format!("Connected to a Locust master as worker {}", self.index));
        }
        self.link = Link::Up;
        self.unknown = false;
        if !std::mem::replace(&mut self.joined, true) {
            (self.next_heartbeat, self.next_report, self.last_report) = (now, now, now);
        }
    }

    fn on_spawn(&mut self, now: Moment, spawn: Box<Spawn>) {
        if self.leaving {
            return;
        }
        if matches!(self.phase, Phase::Stopping(_) | Phase::Pausing(_)) {
            self.waiting_spawn = Some(spawn);
            return;
        }
        self.send(WorkerMessage::Spawning);
        if spawn.timestamp <= self.last_spawn {
            return self.info("Ignoring a placement that is older than the one before".to_owned());
        }
        self.last_spawn = spawn.timestamp;
        let seconds = spawn.stop_timeout.unwrap_or_default();
        self.stop_timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.warn_of_tags(&spawn);
        // An empty one, which the web interface sends for a field that was left empty, is none.
        let host = spawn.host.as_deref().filter(|host| !host.is_empty());
        if let Err(reason) = self.enter_run(now, host) {
            return self.refuse_run(reason);
        }
        let listed = self.known_classes(&spawn);
        if let Some(run) = self.run.as_mut() {
            let assignment = run.assign(listed);
            self.phase = Phase::Spawning;
            self.effects.push_back(Effect::Apply(assignment));
        }
    }

    /// Begins a run, unless one is under way.
    fn enter_run(&mut self, now: Moment, host: Option<&str>) -> Result<(), String> {
        if let Some(current) = self.run.as_ref().map(|run| run.host.as_deref() == host) {
            if !current {
                let host = host.unwrap_or("of the scenario");
                self.warn_once(format!("The host {host} comes into force with the next run"));
            }
            return Ok(());
        }
        if let Some(Err(error)) = host.map(Host::parse) {
            return Err(format!("The master's host cannot be used: {error}"));
        }
        self.runs_begun += 1;
        let id = RunId::new(&format!("locust-{}", self.runs_begun));
        self.figures = Accumulator::default();
        self.figures_since = now;
        self.collecting = false;
        self.run = Some(Run::new(id.clone(), now, host.map(str::to_owned)));
        let plan = self.plan(id, host);
        self.effects.push_back(Effect::Prepare(Arc::new(plan)));
        Ok(())
    }

    fn plan(&mut self, run: RunId, host: Option<&str>) -> RunPlan {
        RunPlan {
            run,
            scenario_name: self.settings.scenario.name.clone(),
            scenario: self.settings.scenario.text.clone(),
            profile: None,
            host: host.map(str::to_owned),
            stop_timeout: self.stop_timeout,
            seed: self.rng.random(),
            run_time: RunTime::ZERO,
            classes: Vec::new(),
            tags: Vec::new(),
            exclude_tags: Vec::new(),
            adjustments: self.settings.scenario.adjustments.clone(),
            iterations: None,
            variables: NO_VARIABLES.to_owned(),
            files: Vec::new(),
            sources: Vec::new(),
            locust: LocustPlan::default(),
        }
    }

    /// Tells the people at the master why no user runs here, and stays with the run, which others may be able to make.
    fn refuse_run(&mut self, reason: String) {
        self.warn(reason.clone());
        // The master groups exceptions by where they came from.
        self.send(WorkerMessage::Exception { traceback: reason.clone(), msg: reason });
        self.spawned();
    }

    /// The classes of a placement that this worker has; people are told of the others.
    fn known_classes(&mut self, spawn: &Spawn) -> ClassCounts {
        let classes = &self.settings.scenario.classes;
        let (known, strange): (Vec<_>, Vec<_>) =
            spawn.user_classes_count.iter().partition(|(name, _)| classes.contains(name));
        if !strange.is_empty() {
            let strange: Vec<_> = strange.iter().map(|(name, _)| name.as_str()).take(10).collect();
            let text = format!(
                "The master wants users of {}, which {} does not have: they are left out; it has {}",
                strange.join(", "),
                self.settings.scenario.name,
                classes.join(", ")
            );
            self.warn_once(text);
        }
        let capped = |count: u64| u32::try_from(count).unwrap_or(MAX_USERS).min(MAX_USERS);
        known.into_iter().map(|(name, count)| (name.clone(), capped(*count))).collect()
    }

    fn warn_of_tags(&mut self, spawn: &Spawn) {
        let mut options = spawn.parsed_options.iter();
        if options.any(|(name, value)| matches!(name.as_str(), "tags" | "exclude_tags") && !is_empty(value)) {
            self.warn_once(
                "The master picks tasks by tags, which a scenario file has none of: all of its tasks run"
                    .to_owned(),
            );
        }
    }

    /// The users are those that the master asked for.
    fn spawned(&mut self) {
        self.phase = Phase::Running;
        let (user_classes_count, user_count) = counts(&self.settings.scenario.classes, &self.running);
        self.send(WorkerMessage::SpawningComplete { user_classes_count, user_count });
    }

    fn on_cluster_spawned(&mut self) {
        if self.settings.reset_stats && matches!(self.phase, Phase::Spawning | Phase::Running) {
            self.figures = Accumulator::default();
            self.collecting = false;
            self.effects.push_back(Effect::Discard);
        }
    }

    fn on_stop(&mut self, now: Moment) {
        self.waiting_spawn = None;
        match self.phase {
            Phase::Ready => self.stopped(now),
            Phase::Spawning | Phase::Running => self.drain(After::Stop),
            Phase::Stopping(After::Rejoin) => self.phase = Phase::Stopping(After::Stop),
            Phase::Stopping(_) | Phase::Pausing(_) => {}
        }
    }

    /// No user runs any more. The master forgets the worker now, until it offers itself again.
    fn stopped(&mut self, now: Moment) {
        if self.leaving {
            return;
        }
        self.send(WorkerMessage::ClientStopped);
        // Should the connection end meanwhile, whoever is there next does not know the worker.
        self.unknown = true;
        self.phase = Phase::Pausing(now + self.stop_timeout);
        if self.stop_timeout.is_zero() {
            self.offer_again(now);
        }
    }

    fn offer_again(&mut self, now: Moment) {
        self.phase = Phase::Ready;
        if self.link == Link::Up {
            // Not repeated: a master that is busy answers late, and would take a repetition for a restart.
            self.unknown = false;
            self.send(WorkerMessage::ClientReady(ClientVersion::Unchecked));
        }
        if let Some(spawn) = self.waiting_spawn.take() {
            self.on_spawn(now, spawn);
        }
    }

    fn on_reconnect(&mut self, now: Moment) {
        self.warn("The master asks for a new connection".to_owned());
        self.effects.push_back(Effect::HangUp);
        self.link = Link::Down(now);
    }

    /// The master answers no heartbeat, although there is a connection: it is a new one.
    fn on_unrecognised(&mut self, now: Moment) {
        match self.phase {
            Phase::Ready => self.rejoin(now),
            Phase::Spawning | Phase::Running => {
                self.warn("The master was restarted; stopping the users of its last run".to_owned());
                self.drain(After::Rejoin);
            }
            // These offer the worker to the new master anyway.
            Phase::Stopping(_) | Phase::Pausing(_) => {}
        }
    }

    fn rejoin(&mut self, now: Moment) {
        // Figures of the old master's run have no place in the new one's.
        self.figures = Accumulator::default();
        self.last_spawn = 0.0;
        self.waiting_spawn = None;
        self.unknown = true;
        if self.link == Link::Up {
            self.info("Joining the master anew".to_owned());
            self.introduce(now);
        }
    }

    fn drain(&mut self, after: After) {
        self.phase = Phase::Stopping(after);
        self.effects.push_back(Effect::Drain { timeout: self.stop_timeout });
    }

    /// Ends the process once its users have stopped and their figures have been sent.
    fn leave(&mut self, now: Moment) {
        if std::mem::replace(&mut self.leaving, true) {
            return;
        }
        match self.phase {
            Phase::Spawning | Phase::Running => self.drain(After::Leave),
            Phase::Stopping(_) => self.phase = Phase::Stopping(After::Leave),
            Phase::Ready | Phase::Pausing(_) => {
                self.phase = Phase::Ready;
                self.finish(now);
            }
        }
    }

    /// Hands over the last figures and ends; later, if they cannot be handed over yet.
    fn finish(&mut self, now: Moment) {
        if self.collecting {
            return;
        }
        match self.link {
            Link::Up => {
                self.report(now);
                self.send(WorkerMessage::Quit);
                self.exit(Exit::Done);
            }
            Link::Introduced(_) => {
                self.send(WorkerMessage::Quit);
                self.exit(Exit::Done);
            }
            Link::Down(_) | Link::Connecting if self.figures.is_empty() => self.exit(Exit::Done),
            Link::Down(_) | Link::Connecting => {
                self.flush_deadline = self.flush_deadline.or(Some(now + FLUSH_TIMEOUT));
            }
        }
    }

    /// Asks the swarm for figures; reports at once when no user can have any.
    fn collect_or_report(&mut self, now: Moment) {
        if !matches!(self.phase, Phase::Spawning | Phase::Running | Phase::Stopping(_)) {
            self.report(now);
        } else if !std::mem::replace(&mut self.collecting, true) {
            self.effects.push_back(Effect::Collect);
        }
    }

    /// Sends what was measured since the last report. Without a connection, it is kept.
    fn report(&mut self, now: Moment) {
        if self.link != Link::Up {
            return;
        }
        let delta = self.figures.take();
        self.report_exceptions(&delta);
        let (user_classes_count, _) = counts(&self.settings.scenario.classes, &self.running);
        let frame = ReportFrame {
            run_started_unix_us: self.unix_us(self.figures_since),
            since_unix_us: self.unix_us(self.last_report),
            user_classes_count,
        };
        self.last_report = now;
        self.send(WorkerMessage::Stats(Box::new(report_of(&delta, &frame))));
    }

    fn report_exceptions(&mut self, delta: &StatsDelta) {
        let exceptions = exceptions_of(delta);
        for message in exceptions.messages {
            self.send(message);
        }
        match exceptions.left_out {
            0 => {}
            more => self.warn(format!("{more} more exceptions of users were not sent to the master")),
        }
    }

    /// What the wall clock shows at a moment, in microseconds since 1970.
    fn unix_us(&self, at: Moment) -> u64 {
        self.settings.unix_origin_us.saturating_add(micros(at.saturating_since(Moment::ZERO)))
    }

    /// The state that the master is told: to Locust, a worker runs until it is ready again.
    fn state(&self) -> WorkerState {
        match self.phase {
            Phase::Ready => WorkerState::Ready,
            Phase::Spawning => WorkerState::Spawning,
            Phase::Running | Phase::Stopping(_) | Phase::Pausing(_) => WorkerState::Running,
        }
    }

    /// Whether figures are due at times.
    fn reports(&self) -> bool {
        self.joined && (self.link == Link::Up || self.run.is_some())
    }

    /// Until when to go on without a word from the master.
    fn patience(&self) -> Moment {
        if self.joined { self.last_heard + MASTER_TIMEOUT } else { self.created + FIRST_CONTACT_TIMEOUT }
    }

    fn send(&mut self, message: WorkerMessage) {
        self.effects.push_back(Effect::Send(message));
    }

    fn exit(&mut self, exit: Exit) {
        if !std::mem::replace(&mut self.exited, true) {
            self.effects.push_back(Effect::Exit(exit));
        }
    }

    fn info(&mut self, text: String) {
        self.effects.push_back(Effect::Log(Notice::Info(text)));
    }

    fn warn(&mut self, text: String) {
        self.effects.push_back(Effect::Log(Notice::Warning(text)));
    }

    fn warn_once(&mut self, text: String) {
        if self.warnings.is_new(&text) {
            self.warn(text);
        }
    }
}

/// Whether an option says nothing.
fn is_empty(value: &crate::locust::Value) -> bool {
    value.is_nil() || value.as_array().is_some_and(Vec::is_empty)
}
