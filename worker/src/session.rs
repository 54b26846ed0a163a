//! The session: carries out what the member decides, with a real connection, a real swarm and a real clock.

use std::sync::Arc;

use sentinel_common::coordinator::Notice;
use sentinel_common::ids::{WIRE_VERSION, WorkerId};
use sentinel_common::member::{Effect, Exit, Member};
use sentinel_common::messages::{FromWorker, Heartbeat, Ready, Wire, WorkerState};
use sentinel_common::random::UserRng;
use sentinel_common::time::Moment;
use sentinel_proto::Decode as _;
use sentinel_proto::v1::MasterMessage;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::LocalClock;
use crate::lane::LaneReport;
use crate::link::{Dial, Link, LinkError};
use crate::plan::PreparedRun;
use crate::swarm::Swarm;
use crate::vitals::Vitals;

/// What can happen to a session.
enum Event {
    /// The master said something, or the connection ended.
    Incoming(Result<MasterMessage, LinkError>),
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
    Connected(Result<Link, LinkError>),
    /// The swarm handed over what it measured in this epoch.
    Collected(u64, LaneReport),
    /// The swarm has stopped.
    Drained(u64, LaneReport),
}

/// A worker at work. See the module's documentation.
struct Session {
    member: Member,
    swarm: Swarm,
    clock: LocalClock,
    dial: Arc<dyn Dial>,
    link: Option<Link>,
    work: JoinSet<Work>,
    vitals: Vitals,
    heartbeat: Heartbeat,
    /// Counts the moments at which everything measured before became void.
    epoch: u64,
}

/// Works for the master that `dial` reaches, until there is a reason to end. Each message on `shutdown` tells the
/// process to end: the first gracefully, the second at once.
pub async fn run(
    worker: WorkerId,
    dial: Arc<dyn Dial>,
    swarm: Swarm,
    clock: LocalClock,
    mut shutdown: mpsc::Receiver<()>,
) -> Exit {
    let rng = UserRng::for_user(0, worker.as_str(), 0);
    let ready = Ready {
        worker,
        wire: Wire::Grpc,
        wire_version: WIRE_VERSION,
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: Vec::new(),
        run: None,
    };
    let mut session = Session {
        member: Member::new(clock.now(), ready, rng),
        swarm,
        clock,
        dial,
        link: None,
        work: JoinSet::new(),
        vitals: Vitals::new(),
        heartbeat: Heartbeat::default(),
        epoch: 0,
    };
    loop {
        if let Some(exit) = session.carry_out().await {
            session.close().await;
            return exit;
        }
        let event = session.next_event(&mut shutdown).await;
        session.handle(event);
    }
}

impl Session {
    async fn next_event(&mut self, shutdown: &mut mpsc::Receiver<()>) -> Event {
        let wake = self.member.poll_timeout().min(self.swarm.next_at().unwrap_or(Moment::MAX));
        tokio::select! {
            Some(()) = shutdown.recv() => Event::Shutdown,
            incoming = next_message(self.link.as_mut()) => Event::Incoming(incoming),
            Some(Ok(work)) = self.work.join_next() => Event::Finished(work),
            () = tokio::time::sleep_until(self.clock.instant(wake)) => Event::Timer,
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Incoming(Ok(message)) => match message.decode() {
                Ok(message) => {
                    self.member.handle_message(now, message);
                    self.update_clock();
                }
                // A newer master may say things that this release does not know and need not.
                Err(error) => tracing::warn!("Ignoring a message of the master: {error}"),
            },
            Event::Incoming(Err(error)) => self.disconnected(now, &error.to_string()),
            Event::Finished(Work::Connected(Ok(link))) => {
                self.link = Some(link);
                self.member.handle_connected(now);
            }
            Event::Finished(Work::Connected(Err(error))) => self.disconnected(now, &error.to_string()),
            Event::Finished(Work::Collected(epoch, report)) if epoch == self.epoch => {
                self.heartbeat.wakeup_lag = self.heartbeat.wakeup_lag.max(report.wakeup_lag);
                self.member.handle_collected(&report.delta);
            }
            Event::Finished(Work::Drained(epoch, report)) if epoch == self.epoch => {
                self.swarm.drained();
                self.member.handle_drained(now, &report.delta);
            }
            Event::Finished(Work::Collected(..) | Work::Drained(..)) => {}
            Event::Timer => {}
            Event::Shutdown => self.member.handle_shutdown(now),
        }
        self.advance(now);
    }

    /// Lets the passing of time have its effect.
    fn advance(&mut self, now: Moment) {
        if self.member.poll_timeout() <= now {
            self.member.handle_timeout(now);
        }
        if self.swarm.next_at().is_some_and(|at| at <= now)
            && let Some(generation) = self.swarm.advance(now)
        {
            self.member.handle_settled(generation, self.swarm.running().clone());
        }
    }

    /// Does what the member wants. Returns why to end, if it wants that.
    async fn carry_out(&mut self) -> Option<Exit> {
        while let Some(effect) = self.member.poll_effect() {
            match effect {
                Effect::Connect => {
                    let dial = self.dial.clone();
                    self.work.spawn(async move { Work::Connected(Link::open(dial).await) });
                }
                Effect::Send(message) => self.send(message),
                Effect::Beat { state } => self.beat(state),
                Effect::Prepare(plan) => self.prepare(&plan).await,
                Effect::Apply(assignment) => self.swarm.apply(self.clock.now(), &assignment),
                Effect::Collect => {
                    let (epoch, collected) = (self.epoch, self.swarm.collect());
                    self.work.spawn(async move { Work::Collected(epoch, collected.await) });
                }
                Effect::Discard => {
                    self.epoch += 1;
                    self.swarm.discard().await;
                }
                Effect::Drain { timeout, .. } => {
                    let (epoch, drained) = (self.epoch, self.swarm.drain(timeout));
                    self.work.spawn(async move { Work::Drained(epoch, drained.await) });
                }
                Effect::Log(Notice::Info(text)) => tracing::info!("{text}"),
                Effect::Log(Notice::Warning(text)) => tracing::warn!("{text}"),
                Effect::Exit(exit) => return Some(exit),
            }
        }
        None
    }

    async fn prepare(&mut self, plan: &sentinel_common::messages::RunPlan) {
        self.epoch += 1;
        let Some(clock) = self.member.clock() else {
            return;
        };
        match PreparedRun::new(plan, clock) {
            Ok(run) => {
                tracing::info!("Run {}: {}", plan.run, plan.scenario_name);
                // Numbers of users are unique in the cluster: each worker has four billion of its own.
                let first_index = u64::from(self.member.index()) << 32;
                self.swarm.prepare(run, first_index).await;
            }
            Err(error) => self.member.handle_bad_plan(error.to_string()),
        }
    }

    fn send(&mut self, message: FromWorker) {
        let Some(link) = &self.link else {
            return;
        };
        if !link.send(message) {
            self.disconnected(self.clock.now(), "the master does not read what it is sent");
        }
    }

    fn beat(&mut self, state: WorkerState) {
        let (cpu_percent, memory_bytes) = self.vitals.sample();
        let users = self.swarm.running().clone();
        let wakeup_lag = std::mem::take(&mut self.heartbeat.wakeup_lag);
        self.send(FromWorker::Heartbeat(Heartbeat { state, users, cpu_percent, memory_bytes, wakeup_lag }));
    }

    fn disconnected(&mut self, now: Moment, reason: &str) {
        self.link = None;
        self.member.handle_disconnected(now, reason);
    }

    fn update_clock(&self) {
        if let (Some(run), Some(clock)) = (self.swarm.run(), self.member.clock()) {
            run.set_clock(clock);
        }
    }

    async fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.close().await;
        }
    }
}

/// The next message; never, if there is no connection.
async fn next_message(link: Option<&mut Link>) -> Result<MasterMessage, LinkError> {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}
