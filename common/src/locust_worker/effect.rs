//! What the worker wants done. The shell does it, in order, and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::coordinator::Notice;
use crate::locust::{WorkerMessage, WorkerState};
use crate::member::Exit;
use crate::messages::{Assignment, RunPlan};

/// A deed for the worker's shell.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an effect that is dropped is a decision that nobody carries out"]
pub enum Effect {
    /// Open a connection to the master, then call `handle_connected` or `handle_disconnected`.
    Connect,
    /// Close the connection, if there is one; nothing more is wanted from it.
    HangUp,
    /// Send a message on the connection. If there is none any more, forget it.
    Send(WorkerMessage),
    /// Send a heartbeat with this state and the figures that only the shell knows.
    Beat {
        /// What the worker is doing.
        state: WorkerState,
    },
    /// Make ready to run users of this plan; what is left of another run ends at once.
    Prepare(Arc<RunPlan>),
    /// Go to these users at once, then call `handle_settled`.
    Apply(Assignment),
    /// Take what was measured so far and call `handle_collected`, unless a [`Self::Discard`] or [`Self::Prepare`] makes
    /// it void.
    Collect,
    /// Throw away what was measured so far, and what is being collected.
    Discard,
    /// Stop all users: tasks may go on for `timeout`. Then call `handle_drained`.
    Drain {
        /// How long tasks may go on.
        timeout: Duration,
    },
    /// Tell people.
    Log(Notice),
    /// End the process.
    Exit(Exit),
}
