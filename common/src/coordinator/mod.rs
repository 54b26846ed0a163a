//! The coordinator: decides what every worker does, from what they say and from the passing of time.
//!
//! A sans-IO state machine. The shell feeds it what happened (`handle_*`), carries out what it wants
//! ([`Coordinator::poll_effect`]) and wakes it when it asks ([`Coordinator::poll_timeout`]). It never waits, reads no
//! clock and knows no wire, so a whole cluster can be played through in a test.
//!
//! How users move: each decision is a *generation* of absolute counts. A worker ramps from what it runs to what it is
//! told at its share of the spawn rate, so the cluster as a whole never spawns faster than was asked for, whether it
//! ramps up, replaces a lost worker's users or makes room for a new worker.

mod adjust;
mod arrivals;
mod by_hand;
mod effect;
mod ending;
mod files;
mod pace;
mod placement;
mod rows;
mod run;
mod setup;
mod shape;
mod steps;
mod supply;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use self::setup::{Setup, Teardown};
use self::shape::Course;
use self::timers::{Timer, Timers};
use crate::dispatch::SpawnRate;
use crate::ids::{ConnectionId, Generation, RunId, WIRE_VERSION, WorkerId};
use crate::load::{Load, Ramp};
use crate::messages::{FromWorker, Heartbeat, NO_VARIABLES, Ready, StatsReport, ToWorker, Wire, WorkerState};
use crate::roster::{Roster, WorkerNode};
use crate::stats::Arrival;
use crate::time::Moment;
use crate::timeline::EventKind;
use crate::worker_logs::{MAX_LINE_CHARS, WorkerLogs, headline, is_trouble};

pub use self::arrivals::{ARRIVALS_OVER, ClassArrivals};
pub use self::effect::{Effect, Notice, Outcome};
pub use self::run::{Phase, Run, RunSpec, ScenarioSource};
pub use self::shape::SHAPE_OVER;

/// How often silent workers are looked for.
const LIVENESS_CHECK: Duration = Duration::from_millis(250);

/// The reason of a stop that was planned.
pub const RUN_TIME_OVER: &str = "the run time is over";

/// The reason of a stop because nobody is left who could do anything.
pub const ALL_FINISHED: &str = "all users have finished";

/// How often the users that run are counted. Each second of the series keeps the mean, so a loss of half a second
/// weighs half a second.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// How long workers may take, beyond the stop timeout, to stop their users and hand over their last report.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// A run that has had no worker for this long is stopped.
const LONELY_LIMIT: Duration = Duration::from_secs(60);

/// Warnings and errors of one worker that are shown at once; more are only counted.
const MAX_SHOWN_LINES: usize = 5;

/// When to start a run without being asked: as soon as enough workers are there.
#[derive(Clone, Debug)]
pub struct Autostart {
    /// The run.
    pub spec: RunSpec,
    /// Its load.
    pub load: Load,
    /// How many workers it needs.
    pub expect_workers: usize,
    /// How long to wait for them; `None` for ever.
    pub max_wait: Option<Duration>,
}

/// Decides for the master. See the module's documentation.
#[derive(Debug, Default)]
pub struct Coordinator {
    roster: Roster,
    run: Option<Run>,
    autostart: Option<Autostart>,
    setup: Option<Setup>,
    teardown: Option<Teardown>,
    outcome: Option<Outcome>,
    timers: Timers,
    effects: VecDeque<Effect>,
    policy: Policy,
    logs: WorkerLogs,
    /// Connections of workers whose name is taken, so that each is complained of once.
    ignored: BTreeSet<ConnectionId>,
    quitting: bool,
}

/// What differs from master to master.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// Locust's `--enable-rebalancing`: the loss of a worker reshuffles all users as Locust's dispatcher does, instead
    /// of giving only the lost ones to the survivors.
    pub rebalance_on_loss: bool,
    /// The master ends with its run and sends the workers home then.
    pub one_run: bool,
}

impl Coordinator {
    /// A coordinator without workers or run.
    pub fn new(policy: Policy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// The workers.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The run in progress, or the last one.
    pub fn run(&self) -> Option<&Run> {
        self.run.as_ref()
    }

    /// What the workers wrote to their logs.
    pub fn logs(&self) -> &WorkerLogs {
        &self.logs
    }

    /// How it all ended, once it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// The next thing to do, if any. To be called until it returns `None` after every `handle_*` or command.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.timers.next()
    }

    // Commands of the person or program that runs the test.

    /// Starts a run as soon as enough workers are there.
    pub fn start_when_ready(&mut self, now: Moment, autostart: Autostart) {
        if let Some(max_wait) = autostart.max_wait {
            self.timers.set(Timer::WorkersMaxWait, now + max_wait);
        }
        self.autostart = Some(autostart);
        self.outcome = None;
        self.start_if_ready(now);
    }

    /// Whether a run is to start as soon as enough workers are there.
    pub fn is_waiting(&self) -> bool {
        self.autostart.is_some()
    }

    /// Starts a run with the workers that are there, after its setup if it has one. Statistics of the run before are
    /// forgotten.
    pub fn start(&mut self, now: Moment, spec: RunSpec, load: Load) {
        if spec.has_setup || spec.has_teardown {
            return self.set_up(now, spec, load);
        }
        self.begin_run(now, spec, load, NO_VARIABLES.to_owned());
    }

    /// Begins a run whose users begin with these variables.
    fn begin_run(&mut self, now: Moment, spec: RunSpec, load: Load, variables: String) {
        self.cancel_setup();
        self.cut_teardown_off(now, "another run begins");
        self.outcome = None;
        self.autostart = None;
        for timer in [
            Timer::WorkersMaxWait,
            Timer::RunTime,
            Timer::StopDeadline,
            Timer::Lonely,
            Timer::Shape,
            Timer::Step,
            Timer::Reports,
        ] {
            self.timers.clear(timer);
        }
        self.roster.iter_mut().for_each(WorkerNode::forget_orders);
        self.timers.set(Timer::Sample, now + SAMPLE_INTERVAL);
        // They go on rising from run to run, so that nothing late from the run before can pass for news of this one.
        let generation = self.run.as_ref().map_or_else(Generation::default, |run| run.generation);
        let run = self.run.insert(Run::new(spec, load, generation, now));
        if let Some(run_time) = run.length() {
            self.timers.set(Timer::RunTime, now + run_time);
        }
        self.check_supply();
        let course = self.begin_shape(now);
        self.announce_start(now, load);
        let Some(run) = self.run.as_mut() else {
            return;
        };
        run.variables = variables;
        let plan = run.plan(now);
        for node in self.roster.active() {
            run.add_member(&node.id);
            self.effects
                .push_back(Effect::Send { to: node.connection, message: ToWorker::Plan(plan.clone()) });
        }
        self.place_from_scratch(now);
        if let Some(Course::End(reason)) = course {
            self.stop(now, &reason);
        }
    }

    /// Gives a run that is under way other users or another spawn rate.
    ///
    /// # Errors
    /// There is no such run, or it decides about its users itself: a shape would have its way a second later. The reason is
    /// for people.
    pub fn edit(&mut self, now: Moment, users: u32, spawn_rate: SpawnRate) -> Result<(), &'static str> {
        let Some(run) = self.run.as_mut().filter(|run| run.phase.is_active()) else {
            return Err("There is no run whose users can be changed");
        };
        if let Some(reason) = run.users_are_fixed() {
            return Err(reason);
        }
        let at = run.clock(now);
        let from = run.ramp.users(at);
        run.ramp = Ramp { from, to: users, spawn_rate, since: at };
        run.load = Load { users, spawn_rate, ..run.load };
        self.check_supply();
        self.announce(now, from, users, spawn_rate);
        self.place_edited(now);
        Ok(())
    }

    /// Tells people what a run begins with. Its shape, if it has one, has told them already.
    fn announce_start(&mut self, now: Moment, load: Load) {
        let Some(run) = self.run.as_ref() else {
            return;
        };
        let (shaped, closed) = (run.spec.shape.is_some(), run.closed_classes().next().is_some());
        let classes: Vec<String> = run.spec.arrivals.iter().map(ClassArrivals::to_string).collect();
        if closed && !shaped {
            self.announce(now, 0, load.users, load.spawn_rate);
        }
        for class in classes {
            self.info(format!("Arrivals begin: {class}"));
        }
    }

    /// Tells people that the number of users is about to change.
    fn announce(&mut self, now: Moment, from: u32, to: u32, spawn_rate: SpawnRate) {
        let rate = spawn_rate.as_per_second();
        if let Some(run) = self.run.as_mut() {
            run.note(now, EventKind::Ramp { from, to, spawn_rate: rate });
        }
        self.info(format!("Ramping to {to} users at a rate of {rate:.2} per second"));
    }

    /// Stops the run gracefully: users finish what they may, workers hand over their last reports. A run that is being set
    /// up does not begin.
    pub fn stop(&mut self, now: Moment, reason: &str) {
        self.fail_setup(&format!("it was cut short: {reason}"));
        let Some(run) = self.run.as_mut().filter(|run| run.phase.is_active()) else {
            return;
        };
        run.phase = Phase::Stopping;
        run.stop_arrivals(run.clock(now));
        run.note(now, EventKind::StopRequested { reason: reason.to_owned() });
        let message = ToWorker::Stop { run: run.id().clone() };
        let deadline = now + run.spec.stop_timeout + STOP_GRACE;
        // A worker that is leaving hands over its last figures, too.
        let answering = self.roster.iter().filter(|node| node.state != WorkerState::Missing);
        run.stopping = answering.map(|node| node.id.clone()).collect();
        for node in self.roster.iter_mut() {
            let message = match node.wire {
                Wire::Locust if node.sent_home => continue,
                // Only when one of Locust's workers is sent home does it hand over its last figures at once.
                Wire::Locust if self.policy.one_run => {
                    node.sent_home = true;
                    ToWorker::Quit
                }
                Wire::Locust | Wire::Grpc => message.clone(),
            };
            self.effects.push_back(Effect::Send { to: node.connection, message });
        }
        self.info(format!("Stopping the run: {reason}"));
        self.timers.set(Timer::StopDeadline, deadline);
        for timer in [Timer::RunTime, Timer::Lonely, Timer::Shape, Timer::Step, Timer::Reports] {
            self.timers.clear(timer);
        }
        self.end_if_all_stopped(now, None);
    }

    /// Ends the run at once, with what has been reported so far and without a teardown.
    pub fn abort(&mut self, now: Moment, reason: &str) {
        self.cut_teardown_off(now, reason);
        self.stop(now, reason);
        if let Some(run) = self.run.as_mut().filter(|run| run.phase != Phase::Stopped) {
            run.cut_off = Some(reason.to_owned());
        }
        self.end_run(now);
    }

    /// Sends every worker home. Their connections end once they have obeyed.
    pub fn quit(&mut self) {
        self.fail_setup("all workers are sent home");
        self.quitting = true;
        for node in self.roster.iter_mut().filter(|node| !node.sent_home) {
            node.sent_home = true;
            self.effects.push_back(Effect::Send { to: node.connection, message: ToWorker::Quit });
        }
    }

    // What happened.

    /// A worker said something.
    pub fn handle_message(&mut self, now: Moment, connection: ConnectionId, message: FromWorker) {
        if let FromWorker::Ready(ready) = message {
            return self.on_ready(now, connection, &ready);
        }
        let Some(node) = self.roster.on(connection) else {
            self.warn(format!("Closing {connection}: it spoke before it introduced itself"));
            return self.effects.push_back(Effect::Close { connection });
        };
        let worker = node.id.clone();
        if node.hear(now) {
            self.on_returned(now, connection, &worker);
        }
        match message {
            FromWorker::Ready(_) => {}
            FromWorker::Spawning { generation } => {
                if let Some(node) = self.roster.on(connection) {
                    node.follow(generation);
                }
            }
            FromWorker::SpawningComplete { generation, users } => {
                if let Some(node) = self.roster.on(connection) {
                    node.settle(generation, users);
                }
                self.complete_ramp_if_settled(now);
            }
            FromWorker::Stats(report) => self.on_stats(now, connection, &worker, &report),
            FromWorker::Heartbeat(heartbeat) => self.on_heartbeat(now, connection, heartbeat),
            FromWorker::Logs { lines } => self.on_logs(&worker, &lines),
            FromWorker::FileRequest { sha256, offset } => self.on_file_request(connection, sha256, offset),
            FromWorker::SetupDone { run, result } => self.on_setup_done(now, &worker, &run, result),
            FromWorker::TeardownDone { run, result } => self.on_teardown_done(now, &worker, &run, result),
            FromWorker::RowsRequest(asked) => self.on_rows_request(now, connection, &worker, asked),
            FromWorker::RowsReturned(returned) => self.on_rows_returned(connection, &worker, returned),
            FromWorker::ClientStopped { run } => self.on_client_stopped(now, connection, &run),
            FromWorker::Quit => self.on_quit(now, connection),
        }
    }

    /// A connection ended. `reason` says how, for people.
    pub fn handle_disconnected(&mut self, now: Moment, connection: ConnectionId, reason: &str) {
        self.ignored.remove(&connection);
        let Some(node) = self.roster.remove(connection) else {
            return;
        };
        self.lose_hook(now, &node.id);
        if node.leaving {
            // Unless it said that it has handed back everything.
            self.withhold_rows(now, &node.id);
            return self.info(format!("Worker {} has left", node.id));
        }
        if node.sent_home && !self.quitting {
            self.info(format!("Worker {} has left", node.id));
            return self.end_if_all_stopped(now, Some(&node.id));
        }
        if self.quitting {
            return self.on_gone_home(now, &node.id);
        }
        if node.state == WorkerState::Missing {
            return self.warn(format!("Worker {}, which was missing, is gone: {reason}", node.id));
        }
        self.on_lost(now, &[(node, reason.to_owned())]);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Liveness => self.check_liveness(now),
                Timer::Sample => self.sample(now),
                Timer::Shape => self.ask_shape(now),
                Timer::Step => self.take_step(now),
                Timer::Reports => self.give_up_reports(now),
                Timer::RunTime => self.end_of_time(now),
                Timer::StopDeadline => self.give_up_stopping(now),
                Timer::WorkersMaxWait => self.give_up_waiting(),
                Timer::Setup => self.give_up_setup(),
                Timer::Teardown => self.give_up_teardown(now),
                Timer::Lonely => self.abort(now, "no worker for 60 s"),
            }
        }
    }

    // How each is taken.

    fn on_ready(&mut self, now: Moment, connection: ConnectionId, ready: &Ready) {
        if ready.wire_version != WIRE_VERSION {
            let theirs = ready.wire_version;
            return self.refuse(connection, ready, format!(
                "it speaks protocol version {theirs}, this master speaks {WIRE_VERSION}; run the same release on both sides"
            ));
        }
        let ready = &self.with_run_known(ready);
        if let Some(reason) = self.unfit(ready) {
            return self.refuse(connection, ready, reason);
        }
        if ready.wire == Wire::Locust && self.is_duplicate(now, connection, ready) {
            return;
        }
        if let Some(node) = self.roster.on(connection) {
            let known = node.id.clone();
            self.warn(format!("Closing {connection}: worker {known} introduced itself twice"));
            return self.effects.push_back(Effect::Close { connection });
        }
        match self.roster.admit(now, connection, ready) {
            Err(_) => {
                let reason = format!("the master already has {} workers", Roster::MAX_WORKERS);
                return self.refuse(connection, ready, reason);
            }
            Ok(Some(old)) => self.effects.push_back(Effect::Close { connection: old }),
            Ok(None) => {}
        }
        let index = self.roster.on(connection).map_or(0, |node| node.index);
        let active = self.roster.active().count();
        self.send(connection, ToWorker::Ack { index });
        self.info(format!(
            "Worker {} (index {index}) reported as ready. {active} workers connected.",
            ready.worker
        ));
        if !self.timers.is_set(Timer::Liveness) {
            self.timers.set(Timer::Liveness, now + LIVENESS_CHECK);
        }
        if self.quitting {
            // It is welcome all the same: it may have figures to hand over before it goes.
            return self.send(connection, ToWorker::Quit);
        }
        self.brief(now, connection, ready);
        self.include(now, ready);
        self.remind_of_hook(now, connection, &ready.worker);
        self.start_if_ready(now);
    }

    /// Why a worker cannot take part in what this master runs.
    fn unfit(&self, ready: &Ready) -> Option<String> {
        let waiting = self.autostart.as_ref().map(|autostart| &autostart.spec);
        let waiting = waiting.or(self.setup.as_ref().map(|setup| &setup.spec));
        let spec = waiting.or(self.run.as_ref().map(Run::spec))?;
        let name = &spec.scenario.name;
        match ready.wire {
            Wire::Grpc if spec.scenario.text.is_none() => {
                Some(format!("this run's users are defined in {name}, which only Locust's workers can run"))
            }
            Wire::Locust if spec.is_open() => {
                Some(format!("all user classes of {name} have arrivals, which Locust's workers cannot make"))
            }
            Wire::Grpc | Wire::Locust => None,
        }
    }

    /// A worker that cannot say for whom it works, but was told of the current run, works for that one.
    fn with_run_known(&self, ready: &Ready) -> Ready {
        let mut ready = ready.clone();
        if ready.run == Some(RunId::untold())
            && let Some(run) = self.run.as_ref().filter(|run| run.has_member(&ready.worker))
        {
            ready.run = Some(run.id().clone());
        }
        ready
    }

    /// Whether one of Locust's workers has introduced itself before. On the same connection it is acknowledged again.
    /// On another one, it is ignored while the first is alive, as ZeroMQ does: two processes that share a name would
    /// otherwise take turns in ending each other's connection.
    fn is_duplicate(&mut self, now: Moment, connection: ConnectionId, ready: &Ready) -> bool {
        let Some(node) = self.roster.get(ready.worker.as_str()) else {
            return false;
        };
        let index = node.index;
        if node.connection == connection && (node.leaving || node.sent_home) {
            return true;
        }
        if node.connection == connection {
            self.send(connection, ToWorker::Ack { index });
            self.include_again(now, connection, ready);
            return true;
        }
        let alive = node.state != WorkerState::Missing && node.silence(now) < ready.wire.doubtful_after();
        if alive && self.ignored.insert(connection) {
            self.warn(format!("Ignoring {connection}: worker {} is connected already", ready.worker));
        }
        alive
    }

    /// Gives a worker that has stopped and is ready again a share of the run that it has none of.
    fn include_again(&mut self, now: Moment, connection: ConnectionId, ready: &Ready) {
        if let Some(node) = self.roster.on(connection).filter(|_| ready.run.is_none()) {
            node.unready = false;
        }
        let active = self.run.as_ref().filter(|run| run.phase.is_active() && !self.quitting);
        let placement = active.and_then(|run| run.placement.as_ref());
        let worker = ready.worker.as_str();
        if active.is_some() && placement.is_none_or(|placed| placed.current().of_worker(worker).is_none()) {
            self.brief(now, connection, ready);
            self.include(now, ready);
        }
        self.start_if_ready(now);
    }

    /// Keeps what a worker logged, and shows what tells of trouble.
    fn on_logs(&mut self, worker: &WorkerId, lines: &[String]) {
        self.logs.add(worker, lines);
        let troubles: Vec<&str> =
            lines.iter().filter(|line| is_trouble(line)).map(|line| headline(line)).collect();
        let mut shown = BTreeSet::new();
        for line in &troubles {
            // Equal ones differ in their time.
            let text = line.split_once("] ").map_or(*line, |(_, text)| text);
            if shown.len() < MAX_SHOWN_LINES && shown.insert(text) {
                let line: String = line.chars().take(MAX_LINE_CHARS).collect();
                self.warn(format!("Worker {worker} logged: {line}"));
            }
        }
        let more = troubles.len() - shown.len();
        if more > 0 {
            self.warn(format!("Worker {worker} logged {more} more warnings and errors"));
        }
    }

    /// Tells a worker that has just come what is going on.
    fn brief(&mut self, now: Moment, connection: ConnectionId, ready: &Ready) {
        let active = self.run.as_ref().filter(|run| run.phase.is_active()).map(|run| run.id().clone());
        if let Some(stale) = ready.run.as_ref().filter(|id| active.as_ref() != Some(id)) {
            self.send(connection, ToWorker::Stop { run: stale.clone() });
        }
        if self.await_readiness(connection, ready) && active.is_some() {
            return;
        }
        let Some(run) = self.run.as_mut() else {
            return;
        };
        match run.phase {
            Phase::Spawning | Phase::Running => {
                let plan = run.plan(now);
                self.send(connection, ToWorker::Plan(plan));
            }
            // It was told to stop just now and still has figures to hand over.
            Phase::Stopping if ready.run.as_ref() == Some(run.id()) => {
                run.stopping.insert(ready.worker.clone());
            }
            Phase::Stopping => self.end_if_all_stopped(now, Some(&ready.worker)),
            Phase::Stopped => {}
        }
    }

    /// Waits for a worker that works for a run which nobody knows: it introduces itself once more when it has stopped.
    fn await_readiness(&mut self, connection: ConnectionId, ready: &Ready) -> bool {
        let busy = ready.run == Some(RunId::untold());
        if let Some(node) = self.roster.on(connection) {
            node.unready = busy;
        }
        busy
    }

    fn refuse(&mut self, connection: ConnectionId, ready: &Ready, reason: String) {
        self.warn(format!("Refusing worker {}: {reason}", ready.worker));
        self.send(connection, ToWorker::Refused { reason });
        self.effects.push_back(Effect::Close { connection });
    }

    fn on_returned(&mut self, now: Moment, connection: ConnectionId, worker: &WorkerId) {
        self.info(format!("Worker {worker}, which was missing, is back"));
        self.regain_rows(worker);
        if let Some(run) = self.run.as_mut().filter(|run| run.phase.is_active()) {
            run.note(now, EventKind::WorkerReturned { worker: worker.clone() });
            // The run may have begun while it was missing.
            let plan = run.plan(now);
            self.send(connection, ToWorker::Plan(plan));
            self.place_with(now, worker);
        } else if let Some(run) = self.run.as_mut().filter(|run| run.phase == Phase::Stopping) {
            // Whether it has stopped already is not known any more; told again, it answers in any case.
            run.stopping.insert(worker.clone());
            let message = ToWorker::Stop { run: run.id().clone() };
            self.send(connection, message);
        }
        self.start_if_ready(now);
    }

    fn on_heartbeat(&mut self, now: Moment, connection: ConnectionId, heartbeat: Heartbeat) {
        let leaving = heartbeat.state == WorkerState::Stopping;
        if let Some(node) = self.roster.on(connection) {
            node.update(heartbeat);
        }
        if leaving && self.run.as_ref().is_some_and(|run| run.phase.is_active()) {
            self.on_leaving(now, connection);
        }
        let run_time = self.run.as_ref().filter(|run| run.phase != Phase::Stopped).map(|run| run.clock(now));
        self.send(connection, ToWorker::Heartbeat { run_time });
        self.stop_if_all_finished(now);
    }

    fn on_stats(&mut self, now: Moment, connection: ConnectionId, worker: &WorkerId, report: &StatsReport) {
        let repeats = self.roster.on(connection).is_none_or(|node| node.wire == Wire::Grpc);
        match self.run.as_mut().filter(|run| *run.id() == report.run) {
            Some(run) if !repeats => run.absorb(now, worker, report),
            Some(run) => {
                if matches!(run.apply(now, worker, report), Arrival::Gap { .. }) {
                    self.warn(format!("Worker {worker} left out a report before number {}", report.seq));
                }
            }
            None => self
                .warn(format!("Discarding a report of worker {worker} about the unknown run {}", report.run)),
        }
        self.send(connection, ToWorker::StatsAck { run: report.run.clone(), seq: report.seq });
    }

    fn on_client_stopped(&mut self, now: Moment, connection: ConnectionId, stopped: &RunId) {
        let Some(node) = self.roster.on(connection) else {
            return;
        };
        node.clear_users();
        node.state = WorkerState::Ready;
        let worker = node.id.clone();
        let Some(run) = self.run.as_mut().filter(|run| run.id() == stopped) else {
            return;
        };
        if !run.phase.is_active() {
            return self.end_if_all_stopped(now, Some(&worker));
        }
        let reason = "it stopped its users though nobody asked it to".to_owned();
        run.note(now, EventKind::WorkerFailed { worker: worker.clone(), reason });
        self.place_without(now, &[worker]);
    }

    fn on_quit(&mut self, now: Moment, connection: ConnectionId) {
        let Some(node) = self.roster.on(connection) else {
            return;
        };
        node.clear_users();
        let worker = node.id.clone();
        if self.quitting {
            node.leaving = true;
            return self.on_gone_home(now, &worker);
        }
        self.close_rows(&worker);
        self.lose_hook(now, &worker);
        self.info(format!("Worker {worker} drained and is leaving"));
        self.on_leaving(now, connection);
        if let Some(run) = self.run.as_mut().filter(|run| run.phase.is_active()) {
            run.note(now, EventKind::WorkerDrained { worker: worker.clone() });
        }
        self.end_if_all_stopped(now, Some(&worker));
    }

    /// A worker has begun to drain: the others take its users over at once, while it finishes its requests.
    fn on_leaving(&mut self, now: Moment, connection: ConnectionId) {
        let Some(node) = self.roster.on(connection).filter(|node| !node.leaving) else {
            return;
        };
        node.leaving = true;
        let worker = node.id.clone();
        if self.run.as_ref().is_some_and(|run| run.phase.is_active()) {
            self.place_without(now, std::slice::from_ref(&worker));
        }
    }

    /// Takes note of workers that were lost together, each with what is said of it.
    fn on_lost(&mut self, now: Moment, lost: &[(WorkerNode, String)]) {
        for (node, reason) in lost {
            let (worker, users, reason) = (node.id.clone(), node.user_count(), reason.clone());
            self.warn(format!("Worker {worker} was lost with {users} users: {reason}"));
            if let Some(run) = self.run.as_mut().filter(|run| run.phase != Phase::Stopped) {
                run.note(now, EventKind::WorkerLost { worker, users, reason });
            }
            self.withhold_rows(now, &node.id);
            self.lose_hook(now, &node.id);
        }
        if self.run.as_ref().is_some_and(|run| run.phase.is_active()) {
            let workers: Vec<WorkerId> = lost.iter().map(|(node, _)| node.id.clone()).collect();
            self.place_without(now, &workers);
        }
        for (node, _) in lost {
            self.end_if_all_stopped(now, Some(&node.id));
        }
    }

    fn check_liveness(&mut self, now: Moment) {
        let lost = self.roster.give_up_silent(now).into_iter().map(|node| {
            let silence = now.saturating_since(node.last_heard).as_secs_f64();
            (node, format!("not heard of for {silence:.1} s"))
        });
        let lost: Vec<_> = lost.collect();
        if !lost.is_empty() {
            self.on_lost(now, &lost);
        }
        for (node, _) in lost {
            self.recall(&node.id);
        }
        for connection in self.roster.forgotten(now) {
            self.warn(format!("Closing {connection}: it has been silent for too long"));
            self.effects.push_back(Effect::Close { connection });
            // Whatever it may still say comes from a stranger.
            let _ = self.roster.remove(connection);
        }
        if !self.roster.is_empty() {
            self.timers.set(Timer::Liveness, now + LIVENESS_CHECK);
        }
    }

    fn sample(&mut self, now: Moment) {
        let (users, finished) = (self.roster.live_user_count(now), self.roster.finished_count());
        if let Some(run) = self.run.as_mut().filter(|run| run.phase != Phase::Stopped) {
            run.sample_users(now, users, finished);
            run.sample_workers(now, self.roster.active());
            let abort = run.follow_criteria(now);
            self.timers.set(Timer::Sample, now + SAMPLE_INTERVAL);
            if let Some(reason) = abort {
                self.warn(format!("Stopping the run: {reason}"));
                self.stop(now, &reason);
            }
        }
    }

    fn start_if_ready(&mut self, now: Moment) {
        let active = self.roster.active().count();
        if self.autostart.as_ref().is_some_and(|autostart| active >= autostart.expect_workers)
            && let Some(autostart) = self.autostart.take()
        {
            self.timers.clear(Timer::WorkersMaxWait);
            self.start(now, autostart.spec, autostart.load);
        }
    }

    fn complete_ramp_if_settled(&mut self, now: Moment) {
        let arriving = |run: &&mut Run| run.phase == Phase::Spawning && !run.following.moving;
        let Some(run) = self.run.as_mut().filter(arriving) else {
            return;
        };
        let steps_left = self.timers.is_set(Timer::Step);
        if run.placement.is_none() || steps_left || !self.roster.active().all(WorkerNode::is_settled) {
            return;
        }
        self.timers.clear(Timer::Reports);
        run.phase = Phase::Running;
        let users = self.roster.user_count();
        run.note(now, EventKind::RampComplete { users });
        let reset_stats = !run.reset_done;
        if reset_stats {
            run.reset_stats(now);
        }
        let message = ToWorker::SpawningComplete { user_count: users, reset_stats };
        for node in self.roster.active() {
            self.effects.push_back(Effect::Send { to: node.connection, message: message.clone() });
        }
        self.info(format!("All users spawned: {users}"));
        if reset_stats {
            self.info("Resetting stats".to_owned());
        }
    }

    fn give_up_waiting(&mut self) {
        if let Some(autostart) = self.autostart.take() {
            let present = self.roster.active().map(|node| node.id.clone()).collect();
            self.outcome = Some(Outcome::NoWorkers { expected: autostart.expect_workers, present });
        }
    }

    fn send(&mut self, to: ConnectionId, message: ToWorker) {
        self.effects.push_back(Effect::Send { to, message });
    }

    fn info(&mut self, text: String) {
        self.effects.push_back(Effect::Log(Notice::Info(text)));
    }

    fn warn(&mut self, text: String) {
        self.effects.push_back(Effect::Log(Notice::Warning(text)));
    }
}
