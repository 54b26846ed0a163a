//! A master on a terminal of its own: what it shows there, what is typed, and what it leaves behind.
//!
//! The terminal is a real pseudo-terminal, read by an emulator. As in [`process`](crate::process), whatever goes wrong is
//! a panic that shows the screen, and every wait has a bound.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use pty_process::blocking::{Command, Pts, Pty};
use rustix::termios::{LocalModes, tcgetattr};
use tempfile::NamedTempFile;

use crate::process::{PATIENCE, Program, Signal, patient_fraud, scenario_file, until};

/// A master on a terminal. It is killed when this is dropped.
pub struct OnTerminal {
    child: Child,
    pty: Arc<Pty>,
    /// Kept open, so that the terminal outlives the master.
    _pts: Pts,
    scenario: Option<NamedTempFile>,
    seen: Arc<Mutex<Seen>>,
    modes_before: Modes,
}

/// The modes that matter: everything that `stty` shows.
type Modes = String;

struct Seen {
    screen: vt100::Parser,
    raw: Vec<u8>,
}

/// How a master is started.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Its options.
    pub args: &'a [&'a str],
    /// Columns and lines.
    pub size: (u16, u16),
    /// Variables of its environment, besides `TERM`.
    pub env: &'a [(&'a str, &'a str)],
    /// Standard error is a pipe instead.
    pub piped: bool,
    /// A shell starts it in the background.
    pub background: bool,
}

impl OnTerminal {
    /// Starts a master that brings its own target and worker.
    pub fn start(start: Start<'_>) -> Self {
        let scenario = scenario_file(&patient_fraud());
        let path = scenario.path().to_string_lossy();
        let address = ["--master-bind-host", "127.0.0.1", "--master-bind-port", "0"];
        let args = [&["--demo", "--headless", "-f", &*path], &address[..], start.args].concat();
        let mut started = Self::run(&Program::Master.path(), Start { args: &args, ..start });
        started.scenario = Some(scenario);
        started
    }

    /// Starts any program.
    pub fn run(program: &Path, start: Start<'_>) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("the system has pseudo-terminals");
        let (columns, lines) = start.size;
        pty.resize(pty_process::Size::new(lines, columns)).expect("a terminal has a size");
        let modes_before = modes(&pty);
        let child = command(program, &start).spawn_borrowed(&pts).expect("the program can be started");
        let [lines, columns] = [lines, columns].map(|it| NonZeroU16::new(it).expect("a size is not zero"));
        let seen = Seen { screen: vt100::Parser::new(lines, columns, 0), raw: Vec::new() };
        let (pty, seen) = (Arc::new(pty), Arc::new(Mutex::new(seen)));
        let (input, watched) = (pty.clone(), seen.clone());
        // It ends with the terminal, whose other end the new value keeps open.
        thread::spawn(move || read(&input, &watched));
        Self { child, pty, _pts: pts, scenario: None, seen, modes_before }
    }

    /// Its standard error, if that is a pipe.
    pub fn stderr(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().expect("standard error is a pipe")
    }

    /// Types.
    pub fn type_keys(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, lines: u16) {
        let size = [lines, columns].map(|it| NonZeroU16::new(it).expect("a size is not zero"));
        self.seen().screen.screen_mut().set_size(size[0], size[1]);
        self.pty.resize(pty_process::Size::new(lines, columns)).expect("a terminal has a size");
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        signal.send(self.child.id());
    }

    /// What the terminal shows.
    pub fn screen(&self) -> String {
        self.seen().screen.screen().contents()
    }

    /// Everything that was written to the terminal.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.seen().raw).into_owned()
    }

    /// Waits until keys come at once and unseen, while Ctrl-C is still a signal.
    ///
    /// # Panics
    /// They do not within [`PATIENCE`].
    pub fn until_keys_are_taken(&self) {
        let taken = || {
            let modes = tcgetattr(&*self.pty).expect("the terminal is there").local_modes;
            let as_wanted = !modes.intersects(LocalModes::ICANON | LocalModes::ECHO);
            (as_wanted && modes.contains(LocalModes::ISIG)).then_some(())
        };
        until(PATIENCE, taken).unwrap_or_else(|| panic!("nobody takes keys:\n{}", self.screen()));
    }

    /// Waits until the terminal shows something, and returns what it shows.
    ///
    /// # Panics
    /// It does not within [`PATIENCE`].
    #[track_caller]
    pub fn screen_until(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let shown = until(PATIENCE, || Some(self.screen()).filter(|screen| shows(screen)));
        shown.unwrap_or_else(|| panic!("the terminal did not show {what}:\n{}", self.screen()))
    }

    /// Waits until the master has ended and the terminal shows its verdict. Returns its exit code and the screen. The
    /// terminal must be as it was found.
    ///
    /// # Panics
    /// It goes on for longer than [`PATIENCE`], or leaves the terminal in disorder.
    #[track_caller]
    pub fn ended(mut self) -> (Option<i32>, String) {
        let ended = until(PATIENCE, || self.child.try_wait().expect("a child can be waited for"));
        let code = ended.unwrap_or_else(|| panic!("the master does not end:\n{}", self.screen())).code();
        assert_eq!(modes(&self.pty), self.modes_before, "the terminal's modes");
        // What the master wrote last may still be on its way through the terminal.
        let screen = self.screen_until("a verdict", |screen| screen.contains("Verdict: "));
        assert!(!self.seen().screen.screen().hide_cursor(), "the cursor is there");
        (code, screen)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the terminal showed:\n{}", self.screen());
        }
    }
}

fn command(program: &Path, start: &Start<'_>) -> Command {
    let mut command = if start.background {
        let script = "set -m; \"$@\" & wait $!; echo \"it ended with $?\"";
        Command::new("sh").args(["-c", script, "sh"]).arg(program)
    } else {
        Command::new(program)
    };
    // Whoever runs the tests may have settings of their own.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("LOCUST_") || name.starts_with("SENTINEL_") || name == "NO_COLOR" {
            command = command.env_remove(name);
        }
    }
    command = command.args(start.args).env("TERM", "xterm-256color").envs(start.env.iter().copied());
    if start.piped { command.stderr(Stdio::piped()) } else { command }
}

fn read(pty: &Pty, seen: &Mutex<Seen>) {
    let mut bytes = [0; 4096];
    let mut input = pty;
    // An error says that nobody has the terminal open any more.
    while let Ok(count @ 1..) = input.read(&mut bytes) {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.raw.extend_from_slice(&bytes[..count]);
        seen.screen.process(&bytes[..count]);
    }
}

fn modes(pty: &Pty) -> Modes {
    format!("{:?}", tcgetattr(pty).expect("the terminal is there"))
}
