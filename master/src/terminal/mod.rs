//! The terminal that the master runs on: the live view, the log above it, and Locust's keys.
//!
//! ```text
//! log line ──► Screen ◄── report        standard error, if it is a terminal
//!                │
//!             Painter                   what is on the terminal, as text that changes it
//!
//! Keys ──► Command                      standard input, if it is a terminal
//! ```
//!
//! What the view shows is decided in [`view`](crate::view). Here is everything that needs the terminal itself. Whatever
//! ends the run, a terminal is left as it was found: see [`AtWork`].

mod keys;
mod painter;
mod screen;

use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Signal;
use sentinel_common::report::Report;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use self::screen::Screen;

use self::keys::Keys;
use crate::control::Command;

/// Standard error and standard input, as far as they are terminals.
#[derive(Clone, Debug)]
pub struct Terminal {
    screen: Screen,
    keys: Arc<Mutex<Option<Keys>>>,
    /// Where keys are told; nobody listens to them without.
    tell: Option<mpsc::Sender<Command>>,
}

/// The terminal shows a run and reads keys until this is dropped.
#[derive(Debug)]
pub struct AtWork {
    terminal: Terminal,
    signals: Option<JoinHandle<()>>,
}

impl Terminal {
    /// The process's own. What keys ask for is told to `tell`.
    pub fn of_process(tell: mpsc::Sender<Command>) -> Self {
        Self { screen: Screen::of_process(), keys: Arc::default(), tell: Some(tell) }
    }

    /// None at all, whatever the process has.
    pub fn absent() -> Self {
        Self { screen: Screen::absent(), keys: Arc::default(), tell: None }
    }

    /// Where log lines go, one whole line with each call.
    pub fn log(&self) -> impl Fn() -> Screen + Send + Sync + 'static {
        let screen = self.screen.clone();
        move || screen.clone()
    }

    /// Begins to read keys, and to show reports if the terminal can and `live` is true. Called inside a runtime.
    pub fn start(&self, live: bool) -> AtWork {
        let keys = self.tell.clone().and_then(|tell| {
            Keys::listen(tell).unwrap_or_else(|error| {
                tracing::debug!("Keys are not read: {error}");
                None
            })
        });
        let reads_keys = keys.is_some();
        *self.keys() = keys;
        let is_live = self.screen.start(live, reads_keys);
        let signals = (reads_keys || is_live).then(|| {
            self.step_aside_for_panics();
            let terminal = self.clone();
            tokio::spawn(async move {
                if let Err(error) = terminal.follow_signals().await {
                    tracing::debug!("The terminal's signals cannot be followed: {error}");
                }
            })
        });
        AtWork { terminal: self.clone(), signals }
    }

    /// Shows where a run stands. Returns whether there is a place for it.
    pub fn show(&self, report: &Report) -> bool {
        self.screen.show(report)
    }

    /// Redraws when the window gets another size, and begins anew below what the shell has written while the process was
    /// stopped. Stopping itself is left to the system, which knows whether anybody could continue the process.
    async fn follow_signals(&self) -> std::io::Result<()> {
        let mut resized = signal(SignalKind::window_change())?;
        let mut continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
        loop {
            tokio::select! {
                Some(()) = resized.recv() => self.screen.redraw(),
                Some(()) = continued.recv() => self.screen.forget(),
                else => return Ok(()),
            }
        }
    }

    /// What a panic says has to be read, and what follows it typed.
    fn step_aside_for_panics(&self) {
        let (terminal, say) = (self.clone(), panic::take_hook());
        panic::set_hook(Box::new(move |panic| {
            terminal.screen.step_aside();
            say(panic);
        }));
    }

    fn keys(&self) -> MutexGuard<'_, Option<Keys>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if let Some(signals) = self.signals.take() {
            signals.abort();
        }
        // Ends the thread and restores the terminal's modes.
        let keys = self.terminal.keys().take();
        drop(keys);
        self.terminal.screen.stop();
    }
}
