//! The two machines that can drive a session, seen as one: our own wire's member and Locust's worker. They want the
//! same deeds done; only what they say to their masters differs.

use sentinel_common::coordinator::Notice;
use sentinel_common::ids::Generation;
use sentinel_common::locust::{self, WorkerMessage};
use sentinel_common::locust_worker::{self, LocustWorker};
use sentinel_common::member::{self, Exit, Member};
use sentinel_common::messages::{Assignment, ClassCounts, FromWorker, RunPlan, WorkerState};
use sentinel_common::stats::StatsDelta;
use sentinel_common::time::{Moment, RunClock};
use std::time::Duration;

/// Who decides.
#[derive(Debug)]
pub enum Machine {
    /// For a master that speaks gRPC.
    Member(Box<Member>),
    /// For a master of Locust's.
    Locust(Box<LocustWorker>),
}

/// What a machine wants done.
#[derive(Debug)]
pub enum Deed {
    /// Open a connection.
    Connect,
    /// Close the connection.
    HangUp,
    /// Send a message.
    Send(Outgoing),
    /// Send a heartbeat.
    Beat(Beat),
    /// Make ready to run users of this plan.
    Prepare(RunPlan),
    /// Ramp to these users.
    Apply(Assignment),
    /// Take what was measured.
    Collect,
    /// Throw away what was measured.
    Discard,
    /// Stop all users; tasks may go on for this long.
    Drain(Duration),
    /// Tell people.
    Log(Notice),
    /// End.
    Exit(Exit),
}

/// A message to either kind of master.
#[derive(Debug)]
pub enum Outgoing {
    /// Over gRPC.
    Grpc(FromWorker),
    /// Over Locust's wire.
    Locust(WorkerMessage),
}

/// A heartbeat that lacks the figures which only the shell knows.
#[derive(Clone, Copy, Debug)]
pub enum Beat {
    /// Over gRPC.
    Grpc(WorkerState),
    /// Over Locust's wire.
    Locust(locust::WorkerState),
}

impl Machine {
    /// The next thing to do, if any.
    pub fn poll_deed(&mut self) -> Option<Deed> {
        match self {
            Self::Member(machine) => machine.poll_effect().map(Deed::from),
            Self::Locust(machine) => machine.poll_effect().map(Deed::from),
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Moment {
        match self {
            Self::Member(machine) => machine.poll_timeout(),
            Self::Locust(machine) => machine.poll_timeout(),
        }
    }

    /// The worker's number in the cluster.
    pub fn index(&self) -> u32 {
        match self {
            Self::Member(machine) => machine.index(),
            Self::Locust(machine) => machine.index(),
        }
    }

    /// The run's clock as far as it is known.
    pub fn clock(&self) -> Option<RunClock> {
        match self {
            Self::Member(machine) => machine.clock(),
            Self::Locust(machine) => machine.clock(),
        }
    }

    /// The connection stands.
    pub fn handle_connected(&mut self, now: Moment) {
        match self {
            Self::Member(machine) => machine.handle_connected(now),
            Self::Locust(machine) => machine.handle_connected(now),
        }
    }

    /// There is no connection, for this reason.
    pub fn handle_disconnected(&mut self, now: Moment, reason: &str) {
        match self {
            Self::Member(machine) => machine.handle_disconnected(now, reason),
            Self::Locust(machine) => machine.handle_disconnected(now, reason),
        }
    }

    /// The swarm runs exactly the users of this generation.
    pub fn handle_settled(&mut self, generation: Generation, users: ClassCounts) {
        match self {
            Self::Member(machine) => machine.handle_settled(generation, users),
            Self::Locust(machine) => machine.handle_settled(generation, users),
        }
    }

    /// What the swarm measured since it was last asked.
    pub fn handle_collected(&mut self, now: Moment, delta: &StatsDelta) {
        match self {
            Self::Member(machine) => machine.handle_collected(delta),
            Self::Locust(machine) => machine.handle_collected(now, delta),
        }
    }

    /// All users have stopped.
    pub fn handle_drained(&mut self, now: Moment, last: &StatsDelta) {
        match self {
            Self::Member(machine) => machine.handle_drained(now, last),
            Self::Locust(machine) => machine.handle_drained(now, last),
        }
    }

    /// The plan cannot be run here.
    pub fn handle_bad_plan(&mut self, reason: String) {
        match self {
            Self::Member(machine) => machine.handle_bad_plan(reason),
            Self::Locust(machine) => machine.handle_bad_plan(reason),
        }
    }

    /// The process was told to end.
    pub fn handle_shutdown(&mut self, now: Moment) {
        match self {
            Self::Member(machine) => machine.handle_shutdown(now),
            Self::Locust(machine) => machine.handle_shutdown(now),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        match self {
            Self::Member(machine) => machine.handle_timeout(now),
            Self::Locust(machine) => machine.handle_timeout(now),
        }
    }
}

impl From<member::Effect> for Deed {
    fn from(effect: member::Effect) -> Self {
        use member::Effect;
        match effect {
            Effect::Connect => Self::Connect,
            Effect::Send(message) => Self::Send(Outgoing::Grpc(message)),
            Effect::Beat { state } => Self::Beat(Beat::Grpc(state)),
            Effect::Prepare(plan) => Self::Prepare(plan),
            Effect::Apply(assignment) => Self::Apply(assignment),
            Effect::Collect => Self::Collect,
            Effect::Discard => Self::Discard,
            Effect::Drain { timeout, .. } => Self::Drain(timeout),
            Effect::Log(notice) => Self::Log(notice),
            Effect::Exit(exit) => Self::Exit(exit),
        }
    }
}

impl From<locust_worker::Effect> for Deed {
    fn from(effect: locust_worker::Effect) -> Self {
        use locust_worker::Effect;
        match effect {
            Effect::Connect => Self::Connect,
            Effect::HangUp => Self::HangUp,
            Effect::Send(message) => Self::Send(Outgoing::Locust(message)),
            Effect::Beat { state } => Self::Beat(Beat::Locust(state)),
            Effect::Prepare(plan) => Self::Prepare(plan),
            Effect::Apply(assignment) => Self::Apply(assignment),
            Effect::Collect => Self::Collect,
            Effect::Discard => Self::Discard,
            Effect::Drain { timeout } => Self::Drain(timeout),
            Effect::Log(notice) => Self::Log(notice),
            Effect::Exit(exit) => Self::Exit(exit),
        }
    }
}
