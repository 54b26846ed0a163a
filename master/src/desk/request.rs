//! What can be asked of a master at work, and why it may refuse.

use std::sync::Arc;

use sentinel_common::dispatch::SpawnRate;
use sentinel_common::ids::WorkerId;
use sentinel_common::report::{Detail, Report};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::settings::Settings;

/// Where an answer goes.
pub type Answer = oneshot::Sender<Result<(), Refusal>>;

/// A piece of paper on the desk.
#[derive(Debug)]
pub enum Asked {
    /// Somebody wants something changed.
    Change(Request, Answer),
    /// Somebody wants the run stopped, and is answered once it is over; also if there is none.
    Stop(Answer),
    /// Somebody wants a report with this much detail; `None` if there was no run.
    Report(Detail, oneshot::Sender<Option<Arc<Report>>>),
}

/// A change.
#[derive(Debug)]
pub enum Request {
    /// Begin this run.
    Start(Box<Settings>),
    /// Give the run that goes on other users, or another spawn rate.
    Edit {
        /// The users at the end of the ramp.
        users: u32,
        /// How fast to get there.
        spawn_rate: SpawnRate,
    },
    /// Forget what was measured.
    ResetStats,
    /// Send a worker home.
    Dismiss(WorkerId),
    /// Run one more worker inside this process.
    AddLocalWorker,
}

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// It does not fit to what is going on.
    #[error("{0}")]
    Conflict(String),
    /// There is no such worker.
    #[error("there is no worker {0}")]
    NoSuchWorker(WorkerId),
    /// Too many have asked at once.
    #[error("the master has too much to do; try again")]
    Busy,
    /// The master ends.
    #[error("the master is ending")]
    Ending,
}
