//! What the master tells whoever started it, in each of the ways in which a run can end: real processes.

use std::time::Duration;

use sentinel_common::verdict::exit_code;
use sentinel_tests::process::{Exit, Master, Signal, Target, Worker, scenario_file, until};

/// Longer than a master waits for another worker once it has lost all.
const LONELY: Duration = Duration::from_secs(150);

/// Users that ask for the target's health, and expect this status.
fn health(status: u16) -> String {
    format!(
        "users: {{ Visitor: {{ wait_time: constant(0.05), tasks: [{{ name: t, steps: [{{ get: /health, \
         expect: {{ status: {status} }} }}] }}] }} }}"
    )
}

/// Runs `scenario` for a moment with a local worker. Returns the exit code and what the master wrote.
fn run(scenario: &str, args: &[&str]) -> (u8, String) {
    let target = Target::start(&[]);
    let file = scenario_file(scenario);
    let path = file.path().to_string_lossy();
    let own =
        ["-f", &*path, "--host", &target.url(), "-u", "2", "-r", "2", "-t", "3s", "--local-workers", "1"];
    let Exit { code, stderr, .. } = Master::start(&[&own, args].concat()).process.wait();
    (u8::try_from(code.expect("it was not killed")).expect("codes are bytes"), stderr)
}

fn check(scenario: &str, args: &[&str], expected: (u8, &str)) {
    let (code, log) = run(scenario, args);
    let verdict = format!("\nVerdict: {}\n", expected.1);
    assert!(code == expected.0 && log.contains(&verdict), "{args:?}: {code} instead of {expected:?}\n{log}");
}

#[test]
fn a_clean_run_ends_with_0() {
    check(&health(200), &[], (exit_code::OK, "PASS"));
    check(&health(200), &["--check", "p95 < 20s", "--check", "failures == 0"], (exit_code::OK, "PASS"));
    check(&health(200), &["--exit-code-on-error", "9"], (exit_code::OK, "PASS"));
}

#[test]
fn failed_requests_have_the_code_that_was_asked_for() {
    check(&health(201), &[], (exit_code::FAILURES, "FAIL"));
    check(&health(201), &["--exit-code-on-error", "9"], (9, "FAIL"));
    check(&health(201), &["--exit-code-on-error", "0"], (0, "FAIL"));
    check(&health(201), &["--check", "fail_ratio <= 100%"], (exit_code::OK, "PASS"));
}

#[test]
fn a_criterion_that_is_not_met_has_a_code_of_its_own() {
    check(&health(200), &["--check", "p95 < 1us"], (exit_code::CRITERION_FAILED, "FAIL"));
    check(&health(200), &["--check", "requests > 1000000"], (exit_code::CRITERION_FAILED, "FAIL"));
    let abort = ["-t", "10m", "--check", "fail_ratio < 50% with 5 samples or abort"];
    check(&health(201), &abort, (exit_code::CRITERION_FAILED, "FAIL"));
}

#[test]
fn load_that_was_not_delivered_has_a_code_of_its_own() {
    // One user that takes a second for each can begin one of a hundred.
    let slow = "users: { Slow: { arrivals: { rate: 100/s, max_users: 1 }, tasks: [{ name: t, steps: \
                [{ get: /health }, { think: 1s }] }] } }";
    check(slow, &["-t", "4s"], (exit_code::INVALID, "INVALID"));
    check(slow, &["-t", "4s", "--check", "p95 < 1us"], (exit_code::INVALID, "INVALID"));
    check(slow, &["-t", "4s", "--min-delivered", "0"], (exit_code::OK, "PASS"));
}

#[test]
fn no_workers_in_time_is_1() {
    let file = scenario_file(&health(200));
    let path = file.path().to_string_lossy();
    let args = ["-f", &*path, "--host", "http://127.0.0.1:9", "--expect-workers-max-wait", "1"];
    let Exit { code, stderr, .. } = Master::start(&args).process.wait();
    assert_eq!(code, Some(i32::from(exit_code::FAILURES)), "{stderr}");
    assert!(stderr.contains("Gave up waiting for workers: 0 of 1 connected"), "{stderr}");
}

#[test]
fn a_run_that_lost_all_its_workers_proves_nothing() {
    let target = Target::start(&[]);
    let file = scenario_file(&health(200));
    let path = file.path().to_string_lossy();
    let mut master =
        Master::start(&["-f", &path, "--host", &target.url(), "-u", "4", "-r", "4", "-t", "10m"]);
    let mut worker = Worker::start(master.address);
    let asked = until(LONELY, || (target.served().get("/health").copied().unwrap_or(0) > 20).then_some(()));
    assert!(asked.is_some(), "{}", master.process.log());
    worker.process.signal(Signal::Kill);
    let ended = until(LONELY, || (!master.process.is_running()).then_some(()));
    assert!(ended.is_some(), "the master waits for ever\n{}", master.process.log());
    let Exit { code, stderr, .. } = master.process.wait();
    assert_eq!(code, Some(i32::from(exit_code::INVALID)), "{stderr}");
    assert!(stderr.contains("LOST"), "{stderr}");
}

#[test]
fn ctrl_c_ends_a_run_that_is_judged_like_any_other() {
    for (status, expected) in [(200, exit_code::OK), (201, exit_code::FAILURES)] {
        let target = Target::start(&[]);
        let file = scenario_file(&health(status));
        let path = file.path().to_string_lossy();
        let args = [
            "-f",
            &*path,
            "--host",
            &target.url(),
            "-u",
            "4",
            "-r",
            "4",
            "-t",
            "10m",
            "--local-workers",
            "1",
        ];
        let mut master = Master::start(&args);
        let asked =
            until(LONELY, || (target.served().get("/health").copied().unwrap_or(0) > 20).then_some(()));
        assert!(asked.is_some(), "{}", master.process.log());
        master.process.signal(Signal::Interrupt);
        let Exit { code, stderr, .. } = master.process.wait();
        assert_eq!(code, Some(i32::from(expected)), "{stderr}");
        assert!(stderr.contains("stopped: interrupted"), "{stderr}");
    }
}

#[test]
fn ctrl_c_before_the_run_is_no_success() {
    let file = scenario_file(&health(200));
    let path = file.path().to_string_lossy();
    let mut master = Master::start(&["-f", &path, "--host", "http://127.0.0.1:9"]);
    master.process.signal(Signal::Interrupt);
    let Exit { code, stderr, .. } = master.process.wait();
    assert_eq!(code, Some(i32::from(exit_code::FAILURES)), "{stderr}");
}
