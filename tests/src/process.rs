//! Real processes for whole-cluster tests: started, read, waited for with a bound, and killed for certain.
//!
//! ```text
//! cluster   a target, a master and workers that belong together, and what came of their run
//!   process   one process: its output as it comes, signals to it, its end
//!     binaries  where the executables are
//! ```
//!
//! The test files of this crate call it. The only caller is a test, so whatever goes wrong is a panic that shows what
//! the process said. Nothing here sleeps for a fixed time, and nothing here knows what a scenario must prove.

mod binaries;
mod cluster;
mod output;
mod site;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use self::cluster::{
    Cluster, Counts, Finished, Master, Target, Worker, counts_of, fraud_without_criteria, patient_fraud,
    scenario_file,
};
pub use self::output::Line;
pub use self::site::Site;

use self::output::Output;

/// The bound on every wait that has no bound of its own: far above what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at that nobody announces.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// An executable of this workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `sentinel-master`.
    Master,
    /// `sentinel-worker`.
    Worker,
    /// `inference-api`, the target.
    InferenceApi,
}

/// What is sent to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// A polite request to end.
    Terminate,
    /// The end, at once.
    Kill,
    /// Not another instruction until [`Signal::Continue`].
    Stop,
    /// Goes on after [`Signal::Stop`].
    Continue,
}

impl Signal {
    fn option(self) -> &'static str {
        match self {
            Self::Interrupt => "-INT",
            Self::Terminate => "-TERM",
            Self::Kill => "-KILL",
            Self::Stop => "-STOP",
            Self::Continue => "-CONT",
        }
    }

    /// Sends it to the process of this number, which must not have been waited for.
    pub(crate) fn send(self, process: u32) {
        let status = Command::new("kill").args([self.option(), &process.to_string()]).status();
        assert!(status.expect("kill can be run").success(), "{self:?} cannot be sent to {process}");
    }
}

/// A process. It is killed when this is dropped, also by a test that panics.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Exit {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Everything it wrote to standard output.
    pub stdout: String,
    /// Everything it wrote to standard error.
    pub stderr: String,
}

impl Process {
    /// Starts `program` in the current folder.
    pub fn start(program: Program, args: &[&str]) -> Self {
        let mut command = Command::new(program.path());
        command.args(args);
        Self::run(&format!("{program:?}"), command)
    }

    /// Starts `program` in `folder`.
    pub fn start_in(folder: &Path, program: Program, args: &[&str]) -> Self {
        let mut command = Command::new(program.path());
        command.args(args).current_dir(folder);
        Self::run(&format!("{program:?}"), command)
    }

    /// Starts `program` in `folder` with settings in its environment.
    pub fn start_with(folder: &Path, program: Program, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program.path());
        command.args(args).current_dir(folder).envs(environment.iter().copied());
        Self::run(&format!("{program:?}"), command)
    }

    /// Runs any command, under a name for messages. Settings of Locust and Sentinel in the environment are kept from it.
    pub fn run(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Whoever runs the tests may have settings of their own.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let ours = name.starts_with("LOCUST_") || name.starts_with("SENTINEL_");
            let is_setting = ours || ["RUST_LOG", "GITHUB_STEP_SUMMARY"].contains(&&*name);
            if is_setting && !command.get_envs().any(|(given, _)| *given == *name) {
                command.env_remove(&*name);
            }
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("failed to start {name}: {error}"));
        let stdout = Output::read(child.stdout.take().expect("standard output is a pipe"));
        let stderr = Output::read(child.stderr.take().expect("standard error is a pipe"));
        Self { name: name.to_owned(), child, stdout, stderr }
    }

    /// Waits until standard error has a line with `text` in it, and returns the first one.
    ///
    /// # Panics
    /// There is none, and there will be none.
    pub fn line(&self, text: &str) -> Line {
        match self.stderr.wait_for(text, Instant::now() + PATIENCE) {
            Some(line) => line,
            None => panic!("{} did not say {text:?}; it said:\n{}", self.name, self.log()),
        }
    }

    /// Waits until `seen` is satisfied with what standard error has, and returns that.
    ///
    /// # Panics
    /// It is not within [`PATIENCE`].
    pub fn log_until(&self, what: &str, seen: impl Fn(&str) -> bool) -> String {
        let log = until(PATIENCE, || Some(self.log()).filter(|log| seen(log)));
        log.unwrap_or_else(|| panic!("{} did not show {what}; it said:\n{}", self.name, self.log()))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What standard error has so far.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// Sends a signal. Returns the moment just before.
    ///
    /// # Panics
    /// The process has ended.
    pub fn signal(&mut self, signal: Signal) -> Instant {
        // Not yet waited for, so its number is still its own.
        assert!(self.is_running(), "{} has ended, {signal:?} comes too late:\n{}", self.name, self.log());
        let at = Instant::now();
        signal.send(self.child.id());
        at
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Waits until it ends.
    ///
    /// # Panics
    /// It goes on for longer than [`PATIENCE`].
    pub fn wait(mut self) -> Exit {
        let ended = until(PATIENCE, || self.child.try_wait().expect("a child can be waited for"));
        let Some(status) = ended else {
            panic!("{} does not end; it said:\n{}", self.name, self.log());
        };
        Exit { code: status.code(), stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a process that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} {} said:\n{}", self.name, self.child.id(), self.log());
        }
    }
}

/// Asks until there is an answer; `None` if there is none within `patience`.
pub fn until<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// A port of the loopback on which nothing listens.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}
