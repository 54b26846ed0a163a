//! The session: carries out what a machine decides, with a real connection, a real swarm and a real clock.

use std::sync::Arc;
use std::time::Duration;

use sentinel_common::coordinator::Notice;
use sentinel_common::files::NamedFiles;
use sentinel_common::ids::{RunId, WIRE_VERSION, WorkerId};
use sentinel_common::locust::{self, MasterMessage as LocustMessage, WorkerMessage};
use sentinel_common::locust_worker::{LocustSettings, LocustWorker};
use sentinel_common::member::{Exit, Member};
use sentinel_common::messages::{Assignment, FromWorker, Heartbeat, Hook, Ready, RunPlan, ToWorker, Wire};
use sentinel_common::random::UserRng;
use sentinel_common::rows::RowRange;
use sentinel_common::time::{Moment, RunClock};
use sentinel_proto::Decode as _;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use crate::clock::LocalClock;
use crate::lane::LaneReport;
use crate::limits;
use crate::link::{Dial, LinkError};
use crate::log_tail::{LogReader, LogTail};
use crate::machine::{Beat, Deed, HookResult, Machine, Outgoing};
use crate::plan::{BadPlan, PreparedRun};
use crate::swarm::Swarm;
use crate::vitals::Vitals;
use crate::wire::{AnyLink, Incoming, Route};

/// How often new lines of the log go to the master.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// How a session reaches its master and what it can be to it.
pub struct Calling {
    /// How to get there.
    pub route: Route,
    /// What a worker of a Locust master needs; without it, only a Sentinel master can be worked for.
    pub locust: Option<LocustSettings>,
    /// The log that the master is told.
    pub log: Option<&'static LogTail>,
}

/// What can happen to a session.
enum Event {
    /// The master said something, or the connection ended.
    Incoming(Result<Incoming, LinkError>),
    /// Something that was begun has finished.
    Finished(Work),
    /// Users may need rows.
    RowsWanted,
    /// A timer is due.
    Timer,
    /// The process was told to end.
    Shutdown,
}

/// Something that takes a while and must not hold up the rest.
enum Work {
    /// A connection attempt.
    Connected(Result<AnyLink, LinkError>),
    /// The swarm handed over what it measured in this epoch.
    Collected(u64, LaneReport),
    /// The swarm has stopped.
    Drained(u64, LaneReport),
    /// A plan of this epoch was compiled.
    Prepared(u64, Result<Arc<PreparedRun>, BadPlan>),
    /// Setup or teardown of a run is over.
    HookDone(Hook, RunId, HookResult),
}

/// A plan is being compiled, which may take longer than a heartbeat may wait.
#[derive(Debug, Default)]
struct Preparing {
    /// The users to run then; the newest assignment counts.
    next: Option<Assignment>,
}

/// A worker at work. See the module's documentation.
struct Session {
    worker: WorkerId,
    machine: Machine,
    swarm: Swarm,
    clock: LocalClock,
    route: Route,
    locust: Option<LocustSettings>,
    link: Option<AnyLink>,
    work: JoinSet<Work>,
    vitals: Vitals,
    /// How late timers fired since the last heartbeat.
    wakeup_lag: Duration,
    /// Counts the moments at which everything measured before became void.
    epoch: u64,
    preparing: Option<Preparing>,
    /// Ends the setup or teardown that is under way.
    hook: Option<AbortHandle>,
    log: Option<LogReader>,
    /// When the log is looked at next; `None` as long as the master has not acknowledged the worker.
    next_log: Option<Moment>,
    /// The process was told to end.
    told_to_end: bool,
    /// Why to end, beyond what the machine wants.
    exit: Option<Exit>,
}

/// Works for the Sentinel master that `dial` reaches, until there is a reason to end. Each message on `shutdown` tells
/// the process to end: the first gracefully, the second at once.
pub async fn run(
    worker: WorkerId,
    dial: Arc<dyn Dial>,
    swarm: Swarm,
    clock: LocalClock,
    shutdown: mpsc::Receiver<()>,
) -> Exit {
    let calling = Calling { route: Route::Grpc(dial), locust: None, log: None };
    run_as(worker, calling, swarm, clock, shutdown).await
}

/// The same as [`run`] for any kind of master.
pub async fn run_as(
    worker: WorkerId,
    calling: Calling,
    swarm: Swarm,
    clock: LocalClock,
    mut shutdown: mpsc::Receiver<()>,
) -> Exit {
    let mut session = Session::new(worker, calling, swarm, clock);
    loop {
        if let Some(exit) = session.carry_out().await {
            session.close().await;
            return exit;
        }
        let event = session.next_event(&mut shutdown).await;
        session.handle(event).await;
    }
}

impl Session {
    fn new(worker: WorkerId, calling: Calling, swarm: Swarm, clock: LocalClock) -> Self {
        let Calling { route, locust, log } = calling;
        let machine = match (&route, &locust) {
            (Route::Locust(_), Some(settings)) => locust_worker(&worker, settings, clock.now()),
            _ => member(&worker, swarm.threads(), clock.now()),
        };
        Self {
            worker,
            machine,
            swarm,
            clock,
            route,
            locust,
            link: None,
            work: JoinSet::new(),
            vitals: Vitals::new(),
            wakeup_lag: Duration::ZERO,
            epoch: 0,
            preparing: None,
            hook: None,
            log: log.map(LogTail::read),
            next_log: None,
            told_to_end: false,
            exit: None,
        }
    }

    async fn next_event(&mut self, shutdown: &mut mpsc::Receiver<()>) -> Event {
        let swarm = self.swarm.next_at().unwrap_or(Moment::MAX);
        let log = self.next_log.unwrap_or(Moment::MAX);
        let wake = self.machine.poll_timeout().min(swarm).min(log);
        tokio::select! {
            Some(()) = shutdown.recv() => Event::Shutdown,
            incoming = next_message(self.link.as_mut()) => Event::Incoming(incoming),
            // What was aborted has nothing to say.
            Some(joined) = self.work.join_next() => joined.map_or(Event::Timer, Event::Finished),
            () = rows_wanted(self.swarm.run()) => Event::RowsWanted,
            () = tokio::time::sleep_until(self.clock.instant(wake)) => Event::Timer,
        }
    }

    async fn handle(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Incoming(Ok(message)) => self.incoming(now, message),
            Event::Incoming(Err(error)) => self.disconnected(now, &error.to_string()),
            Event::Finished(Work::Connected(Ok(link))) => self.connected(now, link).await,
            Event::Finished(Work::Connected(Err(error))) => self.disconnected(now, &error.to_string()),
            Event::Finished(Work::Collected(epoch, report)) if epoch == self.epoch => {
                self.wakeup_lag = self.wakeup_lag.max(report.wakeup_lag);
                self.machine.handle_collected(now, &report.delta);
            }
            Event::Finished(Work::Drained(epoch, report)) if epoch == self.epoch => {
                self.swarm.drained();
                let rows = self.swarm.run().map(|run| run.close_stocks()).unwrap_or_default();
                self.machine.handle_rows_left(now, rows);
                self.machine.handle_drained(now, &report.delta);
            }
            Event::Finished(Work::Prepared(epoch, prepared)) if epoch == self.epoch => {
                self.prepared(now, prepared).await;
            }
            Event::Finished(Work::HookDone(hook, run, result)) => {
                self.machine.handle_hook_done(hook, &run, result);
            }
            Event::Finished(Work::Collected(..) | Work::Drained(..) | Work::Prepared(..)) => {}
            Event::RowsWanted => self.ask_for_rows(now),
            Event::Timer => {}
            Event::Shutdown => {
                self.told_to_end = true;
                self.machine.handle_shutdown(now);
            }
        }
        self.advance(now);
    }

    fn incoming(&mut self, now: Moment, message: Incoming) {
        match (&mut self.machine, message) {
            (Machine::Member(member), Incoming::Grpc(message)) => match message.decode() {
                Ok(message) => {
                    self.next_log = self.next_log.or(matches!(message, ToWorker::Ack { .. }).then_some(now));
                    member.handle_message(now, message);
                    self.update_clock();
                }
                // A newer master may say things that this release does not know and need not.
                Err(error) => tracing::warn!("Ignoring a message of the master: {error}"),
            },
            (Machine::Locust(worker), Incoming::Locust(message)) => {
                let acknowledged = matches!(message, LocustMessage::Ack { .. });
                self.next_log = self.next_log.or(acknowledged.then_some(now));
                worker.handle_message(now, message);
            }
            // The machine is changed with the connection.
            (Machine::Member(_), Incoming::Locust(_)) | (Machine::Locust(_), Incoming::Grpc(_)) => {}
        }
    }

    async fn connected(&mut self, now: Moment, link: AnyLink) {
        let fitting = match (&self.machine, &link, &self.locust) {
            (Machine::Locust(_), AnyLink::Grpc(_), _) => {
                Some(member(&self.worker, self.swarm.threads(), now))
            }
            (Machine::Member(_), AnyLink::Locust(_), Some(settings)) => {
                Some(locust_worker(&self.worker, settings, now))
            }
            (Machine::Member(_), AnyLink::Locust(_), None) => return self.refuse_locust(),
            (Machine::Member(_), AnyLink::Grpc(_), _) | (Machine::Locust(_), AnyLink::Locust(_), _) => None,
        };
        let changed = fitting.is_some();
        if let Some(machine) = fitting {
            self.change_machine(machine).await;
        }
        self.link = Some(link);
        self.machine.handle_connected(now);
        if changed && self.told_to_end {
            self.machine.handle_shutdown(now);
        }
    }

    /// The master is of the other kind now. What was done for the one before is over.
    async fn change_machine(&mut self, machine: Machine) {
        if self.machine.clock().is_some() {
            tracing::warn!(
                "Another master is there, on another wire; stopping the users of the last one's run"
            );
        }
        self.machine = machine;
        self.next_log = None;
        self.end_hook();
        self.abandon().await;
    }

    fn refuse_locust(&mut self) {
        let reason =
            "the master is Locust's, which has no scenario to give: name one with -f FILE (a YAML scenario)";
        self.exit = Some(Exit::BadPlan(reason.to_owned()));
    }

    /// Lets the passing of time have its effect.
    fn advance(&mut self, now: Moment) {
        if self.machine.poll_timeout() <= now {
            self.machine.handle_timeout(now);
        }
        if self.swarm.next_at().is_some_and(|at| at <= now)
            && let Some(generation) = self.swarm.advance(now)
        {
            self.machine.handle_settled(generation, self.swarm.running().clone());
        }
        if self.next_log.is_some_and(|at| at <= now) {
            self.next_log = Some(now + LOG_INTERVAL);
            self.send_log();
        }
    }

    /// Does what the machine wants. Returns why to end, if it wants that.
    async fn carry_out(&mut self) -> Option<Exit> {
        while let Some(deed) = self.machine.poll_deed() {
            match deed {
                Deed::Connect => self.connect(),
                Deed::HangUp => self.hang_up(),
                Deed::Send(message) => self.send(message),
                Deed::Beat(beat) => self.beat(beat),
                Deed::Abandon => self.abandon().await,
                Deed::Prepare(plan, files) => {
                    // For Locust's master, the worker brought its scenario and so its files.
                    let own = self.locust.as_ref().filter(|_| matches!(self.machine, Machine::Locust(_)));
                    let files = own.map_or(files, |settings| settings.scenario.files.clone());
                    self.prepare(plan, files).await;
                }
                Deed::Hook(hook, plan, files) => self.begin_hook(hook, plan, files),
                Deed::EndHook => self.end_hook(),
                Deed::Apply(assignment) => self.apply(assignment),
                Deed::Rows(source, ranges, exhausted) => self.supply_rows(&source, ranges, exhausted),
                Deed::Collect => {
                    self.hand_back_idle_rows();
                    let (epoch, collected) = (self.epoch, self.swarm.collect());
                    self.work.spawn(async move { Work::Collected(epoch, collected.await) });
                }
                Deed::Discard => {
                    self.epoch += 1;
                    self.swarm.discard().await;
                }
                Deed::Drain(timeout) => {
                    self.hold_no_users();
                    let (epoch, drained) = (self.epoch, self.swarm.drain(timeout));
                    self.work.spawn(async move { Work::Drained(epoch, drained.await) });
                }
                Deed::Log(Notice::Info(text)) => tracing::info!("{text}"),
                Deed::Log(Notice::Warning(text)) => tracing::warn!("{text}"),
                Deed::Exit(exit) => return Some(exit),
            }
        }
        self.exit.take()
    }

    fn connect(&mut self) {
        let opening = self.route.clone().open(self.worker.clone());
        self.work.spawn(async move { Work::Connected(opening.await) });
    }

    fn hang_up(&mut self) {
        if let Some(link) = self.link.take() {
            // Its last messages may take a moment; the next connection need not wait for them.
            tokio::spawn(link.close());
        }
    }

    /// Ends what is left of a run. What it measured, or has yet to compile, is void.
    async fn abandon(&mut self) {
        self.epoch += 1;
        self.preparing = None;
        if let Some(run) = self.swarm.run() {
            // Its users end, and no others will come.
            run.close_stocks();
        }
        self.swarm.abandon().await;
    }

    /// Compiles a plan, apart from the session, which goes on meanwhile.
    async fn prepare(&mut self, plan: Arc<RunPlan>, files: NamedFiles) {
        self.abandon().await;
        let Some(clock) = self.machine.clock() else {
            return;
        };
        self.preparing = Some(Preparing::default());
        let epoch = self.epoch;
        let index = self.machine.index();
        self.work.spawn(async move { Work::Prepared(epoch, compile(plan, files, index, clock).await) });
    }

    async fn prepared(&mut self, now: Moment, prepared: Result<Arc<PreparedRun>, BadPlan>) {
        let run = match prepared {
            Ok(run) => run,
            Err(error) => return self.machine.handle_bad_plan(error.to_string()),
        };
        tracing::info!("Run {}: {}", run.plan().run, run.plan().scenario_name);
        // Numbers of a class's users are unique in the cluster: each worker has four billion of its own.
        let first_index = u64::from(self.machine.index()) << 32;
        self.swarm.prepare(run, first_index).await;
        self.update_clock();
        if let Some(assignment) = self.preparing.take().and_then(|preparing| preparing.next) {
            self.swarm.apply(now, &assignment);
        }
    }

    fn apply(&mut self, assignment: Assignment) {
        match &mut self.preparing {
            Some(preparing) => preparing.next = Some(assignment),
            None => self.swarm.apply(self.clock.now(), &assignment),
        }
    }

    /// The run is stopping: no user of it is to begin any more.
    fn hold_no_users(&mut self) {
        if let Some(preparing) = &mut self.preparing {
            preparing.next = None;
        }
    }

    /// Sets a run up or tears it down, apart from the session, which goes on meanwhile.
    fn begin_hook(&mut self, hook: Hook, plan: Arc<RunPlan>, files: NamedFiles) {
        self.end_hook();
        let (id, lane) = (plan.run.clone(), self.swarm.hooks());
        let clock = RunClock::new(plan.run_time, self.clock.now());
        let index = self.machine.index();
        let handle = self.work.spawn(async move {
            let result = match compile(plan, files, index, clock).await {
                Ok(run) => {
                    // Rows are for users; the master has none to give outside the run.
                    run.close_stocks();
                    lane.run(hook, run).await
                }
                Err(error) => Err(error.to_string()),
            };
            Work::HookDone(hook, id, result)
        });
        self.hook = Some(handle);
    }

    fn end_hook(&mut self) {
        if let Some(hook) = self.hook.take() {
            hook.abort();
        }
    }

    fn ask_for_rows(&mut self, now: Moment) {
        for stock in self.swarm.run().into_iter().flat_map(|run| run.stocks()) {
            if let Some(want) = stock.want(now) {
                self.machine.handle_rows_wanted(now, stock.source(), want);
            }
        }
    }

    fn supply_rows(&mut self, source: &str, ranges: Vec<RowRange>, exhausted: bool) {
        if let Some(stock) = self.swarm.run().and_then(|run| run.rows(source)) {
            stock.supply(ranges, exhausted);
        }
        self.ask_for_rows(self.clock.now());
    }

    /// Looks whether rows lie around here that others may wait for. The figures are collected once a second, which is
    /// often enough.
    fn hand_back_idle_rows(&mut self) {
        let now = self.clock.now();
        for stock in self.swarm.run().into_iter().flat_map(|run| run.stocks()) {
            if let Some(idle) = stock.take_idle() {
                self.machine.handle_rows_idle(now, stock.source(), idle);
            }
        }
    }

    fn send(&mut self, message: Outgoing) {
        let Some(link) = &self.link else {
            return;
        };
        if !link.send(message) {
            self.disconnected(self.clock.now(), "the master does not read what it is sent");
        }
    }

    fn beat(&mut self, beat: Beat) {
        let mut vitals = self.vitals.sample();
        let message = match beat {
            Beat::Grpc(state) => {
                let users = self.swarm.running().clone();
                vitals.wakeup_lag = std::mem::take(&mut self.wakeup_lag);
                let (finished, pool) = (self.swarm.finished(), self.swarm.pool());
                let heartbeat = Heartbeat { state, users, finished, pool, vitals };
                Outgoing::Grpc(FromWorker::Heartbeat(heartbeat))
            }
            Beat::Locust(state) => Outgoing::Locust(WorkerMessage::Heartbeat(locust::Heartbeat {
                state,
                current_cpu_usage: f64::from(vitals.cpu_percent),
                current_memory_usage: Some(vitals.memory_bytes),
            })),
        };
        self.send(message);
    }

    /// Sends the log if it has grown: what is new to a Sentinel master, all that is left of it to Locust's.
    fn send_log(&mut self) {
        let lines = match (&mut self.log, &self.machine, &self.link) {
            (Some(log), _, Some(_)) => log.new_lines(),
            _ => return,
        };
        if lines.is_empty() {
            return;
        }
        let message = match (&self.machine, &self.log) {
            (Machine::Locust(_), Some(log)) => Outgoing::Locust(WorkerMessage::Logs {
                worker_id: self.worker.to_string(),
                logs: log.all_lines(),
            }),
            _ => Outgoing::Grpc(FromWorker::Logs { lines }),
        };
        self.send(message);
    }

    fn disconnected(&mut self, now: Moment, reason: &str) {
        self.link = None;
        self.next_log = None;
        self.machine.handle_disconnected(now, reason);
    }

    fn update_clock(&self) {
        if let (Some(run), Some(clock)) = (self.swarm.run(), self.machine.clock()) {
            run.set_clock(clock);
        }
    }

    async fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }
}

fn member(worker: &WorkerId, threads: usize, now: Moment) -> Machine {
    let ready = Ready {
        worker: worker.clone(),
        wire: Wire::Grpc,
        wire_version: WIRE_VERSION,
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: Vec::new(),
        run: None,
        resources: limits::resources(threads),
    };
    Machine::Member(Box::new(Member::new(now, ready, rng(worker))))
}

fn locust_worker(worker: &WorkerId, settings: &LocustSettings, now: Moment) -> Machine {
    Machine::Locust(Box::new(LocustWorker::new(now, settings.clone(), rng(worker))))
}

fn rng(worker: &WorkerId) -> UserRng {
    UserRng::for_user(0, worker.as_str(), 0)
}

/// Compiles a plan on a thread that may take its time.
async fn compile(
    plan: Arc<RunPlan>,
    files: NamedFiles,
    worker_index: u32,
    clock: RunClock,
) -> Result<Arc<PreparedRun>, BadPlan> {
    let prepare = move || PreparedRun::new(plan, files, worker_index, clock);
    let compiled = tokio::task::spawn_blocking(prepare).await;
    compiled.unwrap_or_else(|_| Err(BadPlan::new("it made the scenario's compiler panic")))
}

/// Completes when users may need rows; never, if there are no users.
async fn rows_wanted(run: Option<&Arc<PreparedRun>>) {
    match run {
        Some(run) => run.rows_wanted().await,
        None => std::future::pending().await,
    }
}

/// The next message; never, if there is no connection.
async fn next_message(link: Option<&mut AnyLink>) -> Result<Incoming, LinkError> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}
