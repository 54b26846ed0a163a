//! The session: carries out what a machine decides, with a real connection, a real swarm and a real clock.

use std::sync::Arc;
use std::time::Duration;

use sentinel_common::coordinator::Notice;
use sentinel_common::ids::{WIRE_VERSION, WorkerId};
use sentinel_common::locust::{self, MasterMessage as LocustMessage, WorkerMessage};
use sentinel_common::locust_worker::{LocustSettings, LocustWorker};
use sentinel_common::member::{Exit, Member};
use sentinel_common::messages::{FromWorker, Heartbeat, Ready, RunPlan, ToWorker, Wire};
use sentinel_common::random::UserRng;
use sentinel_common::time::Moment;
use sentinel_proto::Decode as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::LocalClock;
use crate::lane::LaneReport;
use crate::link::{Dial, LinkError};
use crate::log_tail::{LogReader, LogTail};
use crate::machine::{Beat, Deed, Machine, Outgoing};
use crate::plan::PreparedRun;
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
    heartbeat: Heartbeat,
    /// Counts the moments at which everything measured before became void.
    epoch: u64,
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
            _ => member(&worker, clock.now()),
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
            heartbeat: Heartbeat::default(),
            epoch: 0,
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
            Some(Ok(work)) = self.work.join_next() => Event::Finished(work),
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
                self.heartbeat.wakeup_lag = self.heartbeat.wakeup_lag.max(report.wakeup_lag);
                self.machine.handle_collected(now, &report.delta);
            }
            Event::Finished(Work::Drained(epoch, report)) if epoch == self.epoch => {
                self.swarm.drained();
                self.machine.handle_drained(now, &report.delta);
            }
            Event::Finished(Work::Collected(..) | Work::Drained(..)) => {}
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
            (Machine::Locust(_), AnyLink::Grpc(_), _) => Some(member(&self.worker, now)),
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
        self.epoch += 1;
        self.next_log = None;
        self.swarm.discard().await;
        let (epoch, drained) = (self.epoch, self.swarm.drain(Duration::ZERO));
        self.swarm.drained();
        // Nobody wants the figures of these users, but the drain has to be seen through.
        self.work.spawn(async move { Work::Drained(epoch.wrapping_sub(1), drained.await) });
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
                Deed::Prepare(plan) => self.prepare(&plan).await,
                Deed::Apply(assignment) => self.swarm.apply(self.clock.now(), &assignment),
                Deed::Collect => {
                    let (epoch, collected) = (self.epoch, self.swarm.collect());
                    self.work.spawn(async move { Work::Collected(epoch, collected.await) });
                }
                Deed::Discard => {
                    self.epoch += 1;
                    self.swarm.discard().await;
                }
                Deed::Drain(timeout) => {
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

    async fn prepare(&mut self, plan: &RunPlan) {
        self.epoch += 1;
        let Some(clock) = self.machine.clock() else {
            return;
        };
        match PreparedRun::new(plan, clock) {
            Ok(run) => {
                tracing::info!("Run {}: {}", plan.run, plan.scenario_name);
                // Numbers of users are unique in the cluster: each worker has four billion of its own.
                let first_index = u64::from(self.machine.index()) << 32;
                self.swarm.prepare(run, first_index).await;
            }
            Err(error) => self.machine.handle_bad_plan(error.to_string()),
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
        let (cpu_percent, memory_bytes) = self.vitals.sample();
        let message = match beat {
            Beat::Grpc(state) => {
                let users = self.swarm.running().clone();
                let wakeup_lag = std::mem::take(&mut self.heartbeat.wakeup_lag);
                let heartbeat = Heartbeat { state, users, cpu_percent, memory_bytes, wakeup_lag };
                Outgoing::Grpc(FromWorker::Heartbeat(heartbeat))
            }
            Beat::Locust(state) => Outgoing::Locust(WorkerMessage::Heartbeat(locust::Heartbeat {
                state,
                current_cpu_usage: f64::from(cpu_percent),
                current_memory_usage: Some(memory_bytes),
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

fn member(worker: &WorkerId, now: Moment) -> Machine {
    let ready = Ready {
        worker: worker.clone(),
        wire: Wire::Grpc,
        wire_version: WIRE_VERSION,
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: Vec::new(),
        run: None,
    };
    Machine::Member(Box::new(Member::new(now, ready, rng(worker))))
}

fn locust_worker(worker: &WorkerId, settings: &LocustSettings, now: Moment) -> Machine {
    Machine::Locust(Box::new(LocustWorker::new(now, settings.clone(), rng(worker))))
}

fn rng(worker: &WorkerId) -> UserRng {
    UserRng::for_user(0, worker.as_str(), 0)
}

/// The next message; never, if there is no connection.
async fn next_message(link: Option<&mut AnyLink>) -> Result<Incoming, LinkError> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}
