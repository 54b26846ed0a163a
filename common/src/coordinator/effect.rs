//! What the coordinator wants done. The shell does it, in order, and decides nothing.

use crate::ids::{ConnectionId, WorkerId};
use crate::messages::ToWorker;

/// A deed for the shell.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an effect that is dropped is a decision that nobody carries out"]
pub enum Effect {
    /// Send a message to a worker. If its queue is full, end the connection instead: a worker that does not read
    /// cannot be coordinated.
    Send {
        /// Where to.
        to: ConnectionId,
        /// What.
        message: ToWorker,
    },
    /// End a connection once everything sent to it has left.
    Close {
        /// Which one.
        connection: ConnectionId,
    },
    /// Tell people.
    Log(Notice),
}

/// Something that people should know, as a log line.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Things went as planned.
    Info(String),
    /// Things went wrong and were dealt with.
    Warning(String),
}

/// How the wait for a run, or the run, came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The run is over.
    Ended,
    /// The run did not begin, because its setup failed.
    SetupFailed {
        /// What went wrong, for people.
        reason: String,
    },
    /// Not enough workers came in time.
    NoWorkers {
        /// How many were needed.
        expected: usize,
        /// Who was there.
        present: Vec<WorkerId>,
    },
}
