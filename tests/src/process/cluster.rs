//! A target, a master and workers that belong together, and what came of their run.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::{PATIENCE, Process, Program, until};

/// Requests by path.
pub type Counts = BTreeMap<String, u64>;

/// The scenario of the demo.
const FRAUD: &str = include_str!("../../../loadtest/fraud.yaml");

/// The criteria of that scenario.
const FRAUD_CRITERIA: &str = "criteria: [\"p95 < 100ms\", \"fail_ratio < 1%\"]";

/// `loadtest/fraud.yaml`, with a criterion for response times that a loaded machine meets, too.
pub fn patient_fraud() -> String {
    let patient = FRAUD.replace(FRAUD_CRITERIA, "criteria: [\"p95 < 20s\", \"fail_ratio < 1%\"]");
    assert_ne!(patient, FRAUD, "the scenario has other criteria than this was written for");
    patient
}

/// `loadtest/fraud.yaml` without its criteria.
pub fn fraud_without_criteria() -> String {
    let plain = FRAUD.replace(FRAUD_CRITERIA, "");
    assert_ne!(plain, FRAUD, "the scenario has other criteria than this was written for");
    plain
}

/// The API that is loaded.
#[derive(Debug)]
pub struct Target {
    /// Its process.
    pub process: Process,
    address: SocketAddr,
}

impl Target {
    /// Starts one on a free port.
    pub fn start(args: &[&str]) -> Self {
        let process = Process::start(Program::InferenceApi, &[&["--port", "0"], args].concat());
        let address = process.line("listening on http://").word_after("http://").parse();
        Self { process, address: address.expect("the target logs its address") }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it has answered, by path, without those for its metrics.
    pub fn served(&self) -> Counts {
        let mut counts = Counts::new();
        for line in self.metrics().lines() {
            let Some((labels, count)) =
                line.strip_prefix("sentinel_requests_total{").and_then(|it| it.split_once("} "))
            else {
                continue;
            };
            let path = labels.split('"').nth(1).expect("the first label is the path");
            if path != "/metrics" {
                *counts.entry(path.to_owned()).or_default() += count.parse::<u64>().expect("a counter");
            }
        }
        counts
    }

    /// How many users have begun: each asks for its health once.
    pub fn users_begun(&self) -> u64 {
        self.served().get("/health").copied().unwrap_or(0)
    }

    /// Waits until so many users have begun.
    pub fn await_users(&self, users: u64) {
        let begun = until(PATIENCE, || (self.users_begun() >= users).then_some(()));
        assert!(begun.is_some(), "only {} users of {users} have begun", self.users_begun());
    }

    fn metrics(&self) -> String {
        let mut connection = TcpStream::connect(self.address).expect("the target accepts connections");
        connection.set_read_timeout(Some(PATIENCE)).expect("a timeout that is not zero");
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        connection.write_all(request.as_bytes()).expect("the target takes a request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("the target answers in text");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }
}

/// A master.
#[derive(Debug)]
pub struct Master {
    /// Its process.
    pub process: Process,
    /// Where it listens for workers.
    pub address: SocketAddr,
}

impl Master {
    /// Starts one without a web page on a free port of the loopback. `args` may name another host or port.
    pub fn start(args: &[&str]) -> Self {
        let mut all = vec!["--headless"];
        // On a busy machine, a worker of a test may come late, and shall not find another one in its place.
        if !args.iter().any(|arg| ["--processes", "--local-workers", "--demo"].contains(arg)) {
            all.push("--master");
        }
        for (option, value) in [("--master-bind-host", "127.0.0.1"), ("--master-bind-port", "0")] {
            if !args.contains(&option) {
                all.extend([option, value]);
            }
        }
        Self::listening(Process::start(Program::Master, &[&all, args].concat()))
    }

    /// A master whose process is there already.
    pub fn listening(process: Process) -> Self {
        let address = process.line("Listening for workers on ").word_after("workers on ").parse();
        Self { process, address: address.expect("the master logs its address") }
    }
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    /// Its process.
    pub process: Process,
    /// Its name.
    pub id: String,
}

impl Worker {
    /// Starts one for the master at `address`, with one thread: these tests run many at a time.
    pub fn start(address: SocketAddr) -> Self {
        let process = Process::start(Program::Worker, &["--master", &address.to_string(), "--threads", "1"]);
        Self::named(process)
    }

    /// The same, but it may not have more than so many files open, whatever it tries.
    pub fn start_with_files(address: SocketAddr, open_files: u32) -> Self {
        let mut command = Command::new("sh");
        let limited = format!("ulimit -n {open_files} && exec \"$0\" \"$@\"");
        command.args(["-c", &limited]).arg(Program::Worker.path());
        command.args(["--master", &address.to_string(), "--threads", "1"]);
        Self::named(Process::run("Worker with few files", command))
    }

    fn named(process: Process) -> Self {
        let id = process.line("Starting Sentinel ").word_after(" worker ").to_owned();
        Self { process, id }
    }
}

/// A target, a master that runs [`patient_fraud`] against it, and workers.
#[derive(Debug)]
pub struct Cluster {
    /// The API that is loaded.
    pub target: Target,
    /// The master.
    pub master: Master,
    /// Its workers, in the order of their start.
    pub workers: Vec<Worker>,
    _scenario: NamedTempFile,
}

impl Cluster {
    /// Starts a cluster whose run begins once all `workers` are there. `args` are further options of the master.
    pub fn start(workers: usize, args: &[&str]) -> Self {
        Self::start_with(&patient_fraud(), &[], workers, args)
    }

    /// The same with another scenario, and with options of the target.
    pub fn start_with(scenario: &str, target_args: &[&str], workers: usize, args: &[&str]) -> Self {
        let target = Target::start(target_args);
        let file = scenario_file(scenario);
        let (url, path, expected) = (target.url(), file.path().to_string_lossy(), workers.to_string());
        let mut own = vec!["-f", &*path, "--host", &url, "--json"];
        if workers > 0 && !args.contains(&"--expect-workers") {
            own.extend(["--expect-workers", &expected]);
        }
        let master = Master::start(&[&own, args].concat());
        let mut cluster = Self { target, master, workers: Vec::new(), _scenario: file };
        for _ in 0..workers {
            cluster.add_worker();
        }
        cluster
    }

    /// Starts one more worker.
    pub fn add_worker(&mut self) -> &Worker {
        self.workers.push(Worker::start(self.master.address));
        self.workers.last().expect("one was pushed just now")
    }

    /// Waits until the run is over and the master has ended, and then the workers.
    pub fn finish(self) -> Finished {
        let exit = self.master.process.wait();
        // A worker that is frozen or gone astray is the business of the test.
        let workers = self.workers.into_iter().map(|worker| worker.process.wait().code).collect();
        Finished {
            code: exit.code,
            counted: counts_of(&exit.stdout),
            log: exit.stderr,
            served: self.target.served(),
            workers,
        }
    }
}

/// A scenario in a file, which is deleted with this value.
pub fn scenario_file(text: &str) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("there is room for a file");
    fs::write(file.path(), text).expect("there is room in the file");
    file
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// The exit code of the master.
    pub code: Option<i32>,
    /// What the master wrote to standard error: its log, then its tables and the verdict.
    pub log: String,
    /// What the master counted.
    pub counted: Counts,
    /// What the target counted.
    pub served: Counts,
    /// The exit codes of the workers.
    pub workers: Vec<Option<i32>>,
}

impl Finished {
    /// What the master wrote last: the block with what became of the load, the workers and the criteria.
    pub fn text(&self) -> &str {
        self.log.rfind("Load:  ").map_or("", |at| &self.log[at..])
    }

    /// Whether the final text has these words in it, however its lines are broken.
    pub fn says(&self, words: &str) -> bool {
        self.text().split_whitespace().collect::<Vec<_>>().join(" ").contains(words)
    }

    /// The moment of the event about `worker` that is told as `what`, on the run's clock.
    pub fn event_at(&self, worker: &str, what: &str) -> Duration {
        let text = self.text().split_whitespace().collect::<Vec<_>>().join(" ");
        let before = text.split_once(&format!(" s worker {worker} {what}")).map(|(before, _)| before);
        let seconds = before.and_then(|before| before.rsplit(' ').next()?.parse().ok());
        Duration::from_secs_f64(
            seconds.unwrap_or_else(|| panic!("no event {what:?} of {worker} in:\n{}", self.log)),
        )
    }

    /// Requests that the stop cut off: the target may or may not have answered them.
    pub fn in_flight_at_stop(&self) -> u64 {
        self.number_after("in flight at stop ").unwrap_or(0)
    }

    /// The most users that the master saw at a time.
    ///
    /// # Panics
    /// It does not say.
    pub fn peak_users(&self) -> u64 {
        self.number_after("with a peak of ").unwrap_or_else(|| panic!("no peak in:\n{}", self.log))
    }

    fn number_after(&self, label: &str) -> Option<u64> {
        let (_, rest) = self.text().split_once(label)?;
        rest.split_whitespace().next()?.replace(',', "").parse().ok()
    }

    /// Checks that every request was counted exactly once, at both ends.
    ///
    /// # Panics
    /// One was lost, or counted twice.
    pub fn assert_counts_are_exact(&self) {
        assert_eq!(
            self.counted, self.served,
            "the master counted the first, the target the second\n{}",
            self.log
        );
        assert!(self.counted.values().sum::<u64>() > 0, "no request was made\n{}", self.log);
        assert_eq!(self.in_flight_at_stop(), 0, "{}", self.log);
    }

    /// Checks the exit code of the master, and that of every worker: they end well whatever came of the run.
    ///
    /// # Panics
    /// One of them is another.
    pub fn assert_exit(&self, code: i32) {
        assert_eq!(self.code, Some(code), "the exit code of the master\n{}", self.log);
        assert!(
            self.workers.iter().all(|code| *code == Some(0)),
            "workers: {:?}\n{}",
            self.workers,
            self.log
        );
    }

    /// Checks that the exit code is the one that the verdict stands for.
    ///
    /// # Panics
    /// It is not, or there is no verdict.
    pub fn assert_exit_is_that_of_the_verdict(&self) {
        let expected = match () {
            () if self.says("Verdict: PASS") => 0,
            () if self.says("Verdict: FAIL criterion not met") => 3,
            () if self.says("Verdict: FAIL") => 1,
            () if self.says("Verdict: INVALID") => 4,
            () => panic!("no verdict in:\n{}", self.log),
        };
        assert_eq!(self.code, Some(expected), "{}", self.log);
    }
}

/// What a master counted, from its `--json`. The names of the scenario are paths with something in brackets behind.
///
/// # Panics
/// It is no JSON, or not of this kind.
pub fn counts_of(json: &str) -> Counts {
    let rows: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("no JSON: {error}\n{json}"));
    let mut counts = Counts::new();
    for row in rows.as_array().expect("an array of rows") {
        let name = row["name"].as_str().expect("a name");
        let path = name.split(" [").next().unwrap_or(name);
        *counts.entry(path.to_owned()).or_default() += row["num_requests"].as_u64().expect("a count");
    }
    counts
}
