//! The binary as an operator meets it: log line, signals, exit codes.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use reqwest::StatusCode;

/// A running binary. It is killed when this is dropped.
struct Running {
    child: Child,
    log: BufReader<ChildStderr>,
    url: String,
}

impl Running {
    fn start(args: &[&str]) -> Running {
        let mut child = command(args).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut log = BufReader::new(child.stderr.take().expect("a piped log"));
        let mut line = String::new();
        log.read_line(&mut line).expect("a log line");
        let (_, url) =
            line.trim_end().split_once("listening on ").expect("the address in the first log line");
        Running { child, log, url: url.to_owned() }
    }

    /// Sends `signal` and returns the exit code and the rest of the log.
    fn signal(&mut self, signal: &str) -> (Option<i32>, String) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let mut log = String::new();
        self.log.read_to_string(&mut log).expect("a log");
        (self.child.wait().expect("an exit status").code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inference-api"));
    command.args(args).env_remove("RUST_LOG");
    command
}

fn run(args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(args).output().expect("the binary runs");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[tokio::test]
async fn it_serves_on_the_logged_address_until_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut running = Running::start(&["--port", "0", "--workers", "1"]);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let health = client.get(format!("{}/health", running.url)).send().await.unwrap();
        assert_eq!(health.status(), StatusCode::OK);
        // The client keeps its connection open: an idle one must not hold up the shutdown.
        let (code, log) = running.signal(signal);
        assert_eq!(code, Some(0), "{signal}: {log}");
        assert!(log.contains("stopped") && !log.contains("still open"), "{signal}: {log}");
    }
}

#[test]
fn a_taken_port_is_one_clear_message() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, stderr) = run(&["--port", &port]);
    assert_eq!(code, Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let start = format!("error: failed to listen on 127.0.0.1 port {port} ");
    assert!(stderr.starts_with(&start) && stderr.contains("in use"), "{stderr}");
}

#[test]
fn a_bad_value_is_a_usage_error_that_names_the_flag() {
    for (flag, value) in [("--latency", "5"), ("--inference-time", "fast"), ("--error-rate", "2")] {
        let (code, stderr) = run(&[flag, value]);
        assert_eq!(code, Some(2), "{flag} {value}: {stderr}");
        assert!(stderr.contains(flag) && stderr.contains(value), "{stderr}");
    }
}
