//! The CSV files, rewritten while a run goes on by a thread of their own: a slow disk must not delay the control loop.
//!
//! The thread takes the latest report. What comes while it is still writing replaces what waits, so a disk that needs
//! longer than a second costs lines of the history and nothing else.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use sentinel_common::report::Report;

use super::csv_files::CsvFiles;

/// A thread that writes.
#[derive(Debug)]
pub(super) struct Live {
    desk: Arc<Desk>,
    thread: JoinHandle<CsvFiles>,
}

/// Where reports lie until they are written: one at most.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Option<Report>,
    over: bool,
}

impl Live {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(mut files: CsvFiles) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let theirs = desk.clone();
        let thread = thread::Builder::new().name("csv".to_owned()).spawn(move || {
            while let Some(report) = theirs.next() {
                files.write(&report);
            }
            files
        })?;
        Ok(Self { desk, thread })
    }

    /// Has `report` written, unless a later one comes before its turn.
    pub(super) fn show(&self, report: Report) {
        self.desk.change(|state| state.waiting = Some(report));
    }

    /// Waits until the thread has written what it is at, and returns the files; `None` if it panicked.
    pub(super) fn stop(self) -> Option<CsvFiles> {
        self.desk.change(|state| state.over = true);
        self.thread.join().ok()
    }
}

impl Desk {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Waits for the next report; `None` when there will be none. What waits then is not worth a line: the final
    /// report follows.
    fn next(&self) -> Option<Report> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = |state: &mut State| state.waiting.is_none() && !state.over;
        let mut state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        if state.over { None } else { state.waiting.take() }
    }
}
