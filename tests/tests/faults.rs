//! Clusters of real processes in which something goes wrong: workers die or freeze, targets fail or are not there.
//! The run goes on, nothing is counted twice, and the end says what happened.

use std::time::{Duration, Instant};

use sentinel_tests::process::{
    Cluster, Finished, PATIENCE, Process, Program, Signal, Target, fraud_without_criteria, free_port,
    patient_fraud, scenario_file, until,
};

/// How often the users that have begun are counted.
const COUNT_INTERVAL: Duration = Duration::from_millis(100);

/// By how many users a count may be ahead of the spawn rate, for what a loaded machine held up and made up for.
const HELD_UP_USERS: f64 = 5.0;

#[test]
fn users_of_a_killed_worker_come_back_at_the_spawn_rate() {
    let mut cluster =
        Cluster::start(2, &["--users", "50", "--spawn-rate", "10", "--run-time", "14s", "-s", "2"]);
    let began = cluster.master.process.line("Ramping to 50 users").at;
    cluster.target.await_users(50);
    cluster.master.process.line("All users spawned: 50");
    let mut lost = cluster.workers.remove(0);
    let killed = lost.process.signal(Signal::Kill);
    let return_of_users = count_users_until(&cluster.target, |users| users >= 75);
    let noticed = cluster.master.process.line(&format!("Worker {} was lost with 25 users", lost.id)).at;
    assert!(noticed - killed < Duration::from_secs(1), "noticed after {:?}", noticed - killed);
    assert_never_faster_than(10.0, &return_of_users);

    let run = cluster.finish();
    assert!(run.workers == [Some(0)], "the other worker goes on to the end: {:?}", run.workers);
    run.assert_exit_is_that_of_the_verdict();
    assert_eq!(run.served["/health"], 75, "only the users that were lost begin anew");
    assert_told_as_lost(&run, &lost.id, 25, killed - began);
    assert!(run.says("Workers: 1 connected; 1 LOST: "), "{}", run.log);
    // What the lost worker had not reported is lost with it, and nothing else.
    let (counted, served): (u64, u64) = (run.counted.values().sum(), run.served.values().sum());
    assert!(counted <= served && served - counted < 1_000, "{counted} of {served}\n{}", run.log);
}

#[test]
fn a_frozen_worker_is_given_up_and_taken_back() {
    let mut cluster =
        Cluster::start(2, &["--users", "30", "--spawn-rate", "10", "--run-time", "16s", "-s", "2"]);
    let began = cluster.master.process.line("Ramping to 30 users").at;
    cluster.target.await_users(30);
    cluster.master.process.line("All users spawned: 30");
    let id = cluster.workers[0].id.clone();
    let frozen = cluster.workers[0].process.signal(Signal::Stop);
    let noticed =
        cluster.master.process.line(&format!("Worker {id} was lost with 15 users: not heard of")).at;
    assert!(noticed - frozen < Duration::from_secs(4), "noticed after {:?}", noticed - frozen);
    cluster.target.await_users(45);

    cluster.workers[0].process.signal(Signal::Continue);
    cluster.master.process.line(&format!("Worker {id}, which was missing, is back"));
    cluster.target.await_users(60);
    let run = cluster.finish();
    assert_eq!(run.workers, [Some(0), Some(0)], "{}", run.log);
    run.assert_exit_is_that_of_the_verdict();
    run.assert_counts_are_exact();
    assert_eq!(run.served["/health"], 60, "15 users moved, and 15 moved back");
    assert_told_as_lost(&run, &id, 15, noticed - began);
    run.event_at(&id, "is back");
    // While users move, the master's count is off by what moved since the last heartbeats.
    assert!(run.peak_users() < 40, "the returned worker's users ran twice\n{}", run.log);
    assert!(run.says("Workers: 2 connected; 1 LOST: "), "{}", run.log);
}

#[test]
fn a_worker_frozen_during_the_ramp_does_not_make_up_for_it_in_a_burst() {
    let mut cluster =
        Cluster::start(2, &["--users", "40", "--spawn-rate", "10", "--run-time", "12s", "-s", "2"]);
    cluster.target.await_users(10);
    let id = cluster.workers[0].id.clone();
    cluster.workers[0].process.signal(Signal::Stop);
    cluster.master.process.line(&format!("Worker {id} was lost"));
    // By now it is more than ten users behind its orders.
    cluster.workers[0].process.signal(Signal::Continue);
    let counts = count_users_until(&cluster.target, |_| {
        cluster.master.process.log().contains("All users spawned: 40")
    });
    assert_never_faster_than(10.0, &counts);
    let run = cluster.finish();
    assert_eq!(run.workers, [Some(0), Some(0)], "{}", run.log);
    run.assert_exit_is_that_of_the_verdict();
    run.assert_counts_are_exact();
}

#[test]
fn a_target_that_fails_fails_the_criteria() {
    let args = ["-u", "10", "-r", "10", "-t", "3s", "-s", "2"];
    let run = Cluster::start_with(&patient_fraud(), &["--error-rate", "1"], 1, &args).finish();
    run.assert_exit(3);
    run.assert_counts_are_exact();
    assert!(run.says("NOT MET fail_ratio < 1%") && run.says("Verdict: FAIL"), "{}", run.log);
    let errors = error_report(&run.log);
    let singles: Vec<&str> = errors.lines().filter(|line| line.contains("POST /predict [single]")).collect();
    let [single] = singles[..] else { panic!("failures of one sort take one line:\n{errors}") };
    let occurrences = single.split_whitespace().next().unwrap_or_default();
    assert_eq!(occurrences, run.served["/predict"].to_string(), "{errors}");
}

#[test]
fn failures_without_a_criterion_fail_the_run() {
    let exit_code = |further: &[&str]| {
        let args = [&["-u", "10", "-r", "10", "-t", "2s", "-s", "2"], further].concat();
        let run = Cluster::start_with(&fraud_without_criteria(), &["--error-rate", "0.5"], 1, &args).finish();
        assert!(run.says("Verdict: FAIL") && run.says("requests failed"), "{}", run.log);
        run.code
    };
    assert_eq!(exit_code(&[]), Some(1));
    assert_eq!(exit_code(&["--exit-code-on-error", "7"]), Some(7));
}

#[test]
fn a_target_that_is_not_there_is_told_in_locusts_words() {
    let (file, url) = (scenario_file(&patient_fraud()), format!("http://127.0.0.1:{}", free_port()));
    let path = file.path().to_string_lossy();
    let bind =
        ["--headless", "--local-workers", "1", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0"];
    let run = ["-f", &path, "--host", &url, "-u", "5", "-r", "5", "-t", "2s"];
    let exit = Process::start(Program::Master, &[&bind[..], &run].concat()).wait();
    assert_eq!(exit.code, Some(3), "{}", exit.stderr);
    let errors = error_report(&exit.stderr);
    assert!(errors.contains("GET /health: ConnectionRefusedError(111, 'Connection refused')"), "{errors}");
}

/// When users were counted, and how many had begun.
struct Count {
    asked: Instant,
    answered: Instant,
    users: u64,
}

fn count_users(target: &Target) -> Count {
    let asked = Instant::now();
    let users = target.users_begun();
    Count { asked, answered: Instant::now(), users }
}

/// Counts the users that have begun, again and again, until it is `enough`.
fn count_users_until(target: &Target, enough: impl Fn(u64) -> bool) -> Vec<Count> {
    let mut counts: Vec<Count> = Vec::new();
    let reached = until(PATIENCE, || {
        if counts.last().is_none_or(|last| last.asked.elapsed() >= COUNT_INTERVAL) {
            counts.push(count_users(target));
        }
        counts.last().filter(|last| enough(last.users)).map(|_| ())
    });
    assert!(reached.is_some(), "only {:?} users have begun", counts.last().map(|last| last.users));
    counts
}

/// Checks every window between two counts, so that no burst hides behind a pause.
fn assert_never_faster_than(users_per_s: f64, counts: &[Count]) {
    for (index, from) in counts.iter().enumerate() {
        for to in &counts[index..] {
            let window_s = (to.answered - from.asked).as_secs_f64();
            let allowed = users_per_s * window_s + HELD_UP_USERS;
            let begun = to.users - from.users;
            assert!(begun as f64 <= allowed, "{begun} users began within {window_s:.3} s");
        }
    }
}

/// Checks that the end names the loss, at about the right moment.
fn assert_told_as_lost(run: &Finished, worker: &str, users: u32, at: Duration) {
    let told = run.event_at(worker, &format!("was lost with {users} users"));
    assert!(
        told.abs_diff(at) < Duration::from_millis(1_500),
        "told as {told:?}, it was at {at:?}\n{}",
        run.log
    );
    assert!(run.says(&format!("LOST: {worker} at ")), "{}", run.log);
}

/// The part of the final text that groups failures.
fn error_report(log: &str) -> &str {
    let from = log.rfind("Error report").unwrap_or_else(|| panic!("no error report in:\n{log}"));
    &log[from..]
}
