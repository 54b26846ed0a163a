//! The two machines that can drive a session, seen as one: our own wire's member and Locust's worker. They want the
//! same deeds done; only what they say to their masters differs.

use sentinel_common::coordinator::Notice;
use sentinel_common::files::NamedFiles;
use sentinel_common::ids::{Generation, RunId};
use sentinel_common::locust::{self, WorkerMessage};
use sentinel_common::locust_worker::{self, LocustWorker};
use sentinel_common::member::{self, Exit, Member};
use sentinel_common::messages::{Assignment, ClassCounts, FromWorker, Hook, RunPlan, WorkerState};
use sentinel_common::rows::{RowRange, Want};
use sentinel_common::stats::StatsDelta;
use sentinel_common::time::{Moment, RunClock};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What setup or teardown came to: variables, or why it failed.
pub type HookResult = Result<String, String>;

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
    /// End what is left of another run.
    Abandon,
    /// Make ready to run users of this plan with these files.
    Prepare(Arc<RunPlan>, NamedFiles),
    /// Set a run up or tear it down.
    Hook(Hook, Arc<RunPlan>, NamedFiles),
    /// Leave the setup or teardown that is under way.
    EndHook,
    /// Ramp to these users.
    Apply(Assignment),
    /// Give these rows to the stock of this source; if the flag is set, there will never be any more.
    Rows(String, Vec<RowRange>, bool),
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

    /// Setup or teardown is over. A Locust master asks for neither.
    pub fn handle_hook_done(&mut self, hook: Hook, run: &RunId, result: HookResult) {
        if let Self::Member(machine) = self {
            machine.handle_hook_done(hook, run, result);
        }
    }

    /// The stock of a source wants rows. A Locust master has none to give.
    pub fn handle_rows_wanted(&mut self, now: Moment, source: &str, want: Want) {
        if let Self::Member(machine) = self {
            machine.handle_rows_wanted(now, source, want);
        }
    }

    /// Nobody has taken these rows for a while.
    pub fn handle_rows_idle(&mut self, now: Moment, source: &str, ranges: Vec<RowRange>) {
        if let Self::Member(machine) = self {
            machine.handle_rows_idle(now, source, ranges);
        }
    }

    /// No user is left to take rows, and these were left.
    pub fn handle_rows_left(&mut self, now: Moment, left: BTreeMap<String, Vec<RowRange>>) {
        if let Self::Member(machine) = self {
            machine.handle_rows_left(now, left);
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
            Effect::Abandon => Self::Abandon,
            Effect::Prepare { plan, files } => Self::Prepare(plan, files),
            Effect::Hook { hook, plan, files } => Self::Hook(hook, plan, files),
            Effect::EndHook => Self::EndHook,
            Effect::Apply(assignment) => Self::Apply(assignment),
            Effect::Rows { source, ranges, exhausted } => Self::Rows(source, ranges, exhausted),
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
            // It brought its own scenario.
            Effect::Prepare(plan) => Self::Prepare(plan, NamedFiles::new()),
            Effect::Apply(assignment) => Self::Apply(assignment),
            Effect::Collect => Self::Collect,
            Effect::Discard => Self::Discard,
            Effect::Drain { timeout } => Self::Drain(timeout),
            Effect::Log(notice) => Self::Log(notice),
            Effect::Exit(exit) => Self::Exit(exit),
        }
    }
}
