//! The binary as an operator meets it: log line, signals, exit codes.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
    command.args(args).env_remove("RUST_LOG");
    command
}

#[tokio::test]
async fn it_serves_on_the_logged_address_until_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut child = command(&["--port", "0"]).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut log = BufReader::new(child.stderr.take().expect("a piped log"));
        let mut line = String::new();
        log.read_line(&mut line).expect("a log line");
        let (_, url) = line.trim_end().split_once("listening on ").expect("the address");
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let health = client.get(format!("{url}/health")).send().await;
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let mut rest = String::new();
        log.read_to_string(&mut rest).expect("a log");
        assert_eq!(child.wait().expect("an exit status").code(), Some(0), "{signal}: {rest}");
        assert!(health.unwrap().status().is_success() && rest.contains("stopped"), "{signal}: {rest}");
    }
}

#[test]
fn a_taken_port_is_one_clear_message() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = command(&["--port", &port]).output().expect("the binary runs");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let start = format!("error: failed to listen on 127.0.0.1 port {port} ");
    assert!(stderr.starts_with(&start) && stderr.contains("in use"), "{stderr}");
}
