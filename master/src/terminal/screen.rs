//! Standard error: log lines, and below them the live view if it is a terminal.
//!
//! One lock makes every change whole, so nothing is torn, whichever threads log.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use sentinel_common::report::Report;

use super::painter::Painter;
use crate::view::{Room, live_view};

/// What a terminal is taken for that does not say how large it is.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// Standard error. Clones are the same one.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<State>>);

struct State {
    /// Whether a view could be drawn.
    capable: bool,
    /// Whether one is wanted.
    live: bool,
    keys: bool,
    painter: Painter,
    /// What the view shows.
    report: Option<Report>,
}

impl Screen {
    /// The process's own. Colours follow `NO_COLOR`, and a terminal that calls itself `dumb` has no view.
    pub(super) fn of_process() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let capable = io::stderr().is_terminal() && set("TERM").is_some_and(|name| name != "dumb");
        Self::new(capable, set("NO_COLOR").is_none())
    }

    /// One that is no terminal.
    pub(super) fn absent() -> Self {
        Self::new(false, false)
    }

    fn new(capable: bool, colour: bool) -> Self {
        let painter = Painter::new(colour);
        Self(Arc::new(Mutex::new(State { capable, live: false, keys: false, painter, report: None })))
    }

    /// Shows reports from now on, if it can and they are wanted. Returns whether it does.
    pub(super) fn start(&self, wanted: bool, keys: bool) -> bool {
        let mut state = self.state();
        state.live = wanted && state.capable;
        state.keys = keys;
        state.live
    }

    /// Takes the view away for good.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.live = false;
        state.erase();
    }

    /// Shows a report. Returns whether there is a place for it: nobody draws over the shell that a process in the
    /// background leaves the terminal to.
    pub(super) fn show(&self, report: &Report) -> bool {
        let mut state = self.state();
        if !state.live {
            return false;
        }
        if !super::keys::is_foreground(io::stderr()) {
            state.forget();
            return false;
        }
        state.report = Some(report.clone());
        state.draw();
        true
    }

    /// Draws the view for the size that the terminal has now.
    pub(super) fn redraw(&self) {
        self.state().draw();
    }

    /// Leaves the view where it is until the next report, which is drawn below.
    pub(super) fn forget(&self) {
        self.state().forget();
    }

    /// Takes the view away until the next report. Another thread may be at it, which this may have interrupted.
    pub(super) fn step_aside(&self) {
        match self.0.try_lock() {
            Ok(mut state) => state.erase(),
            Err(TryLockError::Poisoned(state)) => state.into_inner().erase(),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn draw(&mut self) {
        let Some(report) = &self.report else {
            return;
        };
        let (columns, lines) = size();
        // The last column stays free: what is written there leaves the cursor in doubt. Some lines stay for the log
        // and the cursor.
        let lines = lines - lines.div_ceil(6);
        let room = Room { columns: columns.saturating_sub(1), lines, keys: self.keys };
        let text = self.painter.paint(&live_view(report, room), columns);
        write(text.as_bytes());
    }

    fn forget(&mut self) {
        self.report = None;
        self.painter.forget();
    }

    fn erase(&mut self) {
        self.report = None;
        write(self.painter.erase(size().0).as_bytes());
    }
}

/// Log lines: one whole line with each call.
impl Write for Screen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let state = self.state();
        io::stderr().write_all(&state.painter.above(line, size().0))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

/// Columns and lines.
fn size() -> (u16, u16) {
    let size = terminal_size::terminal_size_of(io::stderr());
    size.map_or(USUAL_SIZE, |(columns, lines)| (columns.0, lines.0))
}

fn write(text: &[u8]) {
    // There is nobody to tell that standard error is closed.
    let _ = io::stderr().write_all(text);
}
