//! What the member wants done. The shell does it, in order, and decides nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::coordinator::Notice;
use crate::files::NamedFiles;
use crate::ids::RunId;
use crate::messages::{Assignment, FromWorker, Hook, RunPlan, WorkerState};
use crate::rows::RowRange;

/// A deed for the worker's shell.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an effect that is dropped is a decision that nobody carries out"]
pub enum Effect {
    /// Open a connection to the master, then call `handle_connected` or `handle_disconnected`.
    Connect,
    /// Send a message on the connection. If there is none any more, forget it.
    Send(FromWorker),
    /// Send a heartbeat with this state and the figures that only the shell knows.
    Beat {
        /// What the worker is doing.
        state: WorkerState,
    },
    /// What is left of another run ends at once, and what it measured is void.
    Abandon,
    /// Make ready to run users of this plan; what is left of another run ends at once.
    Prepare {
        /// The plan.
        plan: Arc<RunPlan>,
        /// What its files contain.
        files: NamedFiles,
    },
    /// Set a run up or tear it down, then call `handle_hook_done`. One that is under way ends.
    Hook {
        /// Which of the two.
        hook: Hook,
        /// The run's plan.
        plan: Arc<RunPlan>,
        /// What its files contain.
        files: NamedFiles,
    },
    /// Leave the setup or teardown that is under way.
    EndHook,
    /// Ramp to these users, then call `handle_settled`.
    Apply(Assignment),
    /// Give these rows to the stock of the source, and look whether it wants more.
    Rows {
        /// The source.
        source: String,
        /// The rows; none if there are none for now.
        ranges: Vec<RowRange>,
        /// There will never be any more.
        exhausted: bool,
    },
    /// Take what was measured so far and call `handle_collected`, unless a [`Self::Discard`] or [`Self::Abandon`] or [`Self::Prepare`]
    /// makes it void.
    Collect,
    /// Throw away what was measured so far, and what is being collected.
    Discard,
    /// Stop all users: tasks may go on for `timeout`. Then call `handle_rows_left` and `handle_drained`.
    Drain {
        /// The run that ends.
        run: RunId,
        /// How long tasks may go on.
        timeout: Duration,
    },
    /// Tell people.
    Log(Notice),
    /// End the process.
    Exit(Exit),
}

/// Why the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The master sent it home, or it was told to end and has handed everything over.
    Done,
    /// It was told to end twice, or could not hand over its last figures in time.
    Unreported,
    /// The master was never there.
    NeverReached,
    /// The master has been away for too long.
    MasterGone,
    /// The master does not want it.
    Refused(String),
    /// The plan cannot be run here.
    BadPlan(String),
}
