//! Setup and teardown.

use super::*;
use crate::messages::VARIABLES_BYTES_MAX;

fn hooked(has_setup: bool, has_teardown: bool) -> RunSpec {
    RunSpec { has_setup, has_teardown, ..spec(RUN) }
}

/// Workers with a run that waits for its setup.
fn in_setup(workers: &[&str]) -> Cluster {
    let mut cluster = Cluster::new();
    workers.iter().for_each(|worker| cluster.join(worker));
    cluster.start(hooked(true, true), load(8, 4.0));
    cluster
}

/// Workers with a run that has ended and is being torn down by the first of them.
fn in_teardown(workers: &[&str]) -> Cluster {
    let mut cluster = in_setup(workers);
    cluster.set_up(workers[0], Ok("{}"));
    cluster.complete_all();
    cluster.end_run(workers);
    cluster
}

impl Cluster {
    fn set_up(&mut self, worker: &str, result: Result<&str, &str>) {
        let result = result.map(str::to_owned).map_err(str::to_owned);
        self.say(worker, FromWorker::SetupDone { run: RunId::new(RUN), result });
    }

    fn torn_down(&mut self, worker: &str, result: Result<(), &str>) {
        let result = result.map_err(str::to_owned);
        self.say(worker, FromWorker::TeardownDone { run: RunId::new(RUN), result });
    }

    fn end_run(&mut self, workers: &[&str]) {
        self.stop();
        self.unread.clear();
        workers.iter().for_each(|worker| self.stopped(worker));
    }

    /// Why the run did not begin.
    fn refusal(&self) -> Option<&str> {
        match self.coordinator.outcome() {
            Some(Outcome::SetupFailed { reason }) => Some(reason),
            _ => None,
        }
    }

    fn teardown_failures(&self) -> Vec<String> {
        let events = self.coordinator.run().unwrap().timeline().events().iter();
        let failures = events.filter_map(|event| match &event.kind {
            EventKind::TeardownFailed { reason } => Some(reason.clone()),
            _ => None,
        });
        failures.collect()
    }
}

// Setup.

#[test]
fn one_worker_sets_the_run_up_before_its_clock_begins() {
    let mut cluster = Cluster::new();
    cluster.target = Some(8);
    let autostart =
        Autostart { spec: hooked(true, false), load: load(8, 4.0), expect_workers: 2, max_wait: None };
    cluster.coordinator.start_when_ready(cluster.now, autostart);
    cluster.join("h1_a");
    assert_eq!(cluster.read("h1_a"), ["ack 0"], "not before enough workers are there");
    cluster.join("h1_b");
    assert_eq!(
        (cluster.read("h1_a"), cluster.read("h1_b")),
        (vec!["setup run-1".to_owned()], vec!["ack 1".to_owned()])
    );
    cluster.pass(secs(30));
    cluster.join("h1_c");
    assert!(cluster.coordinator.run().is_none() && cluster.coordinator.outcome().is_none());
    cluster.set_up("h1_a", Ok(r#"{"token":"x"}"#));
    let plans = cluster.unread.values().flatten().filter_map(|message| match message {
        ToWorker::Plan(plan) => Some((plan.variables.clone(), plan.run_time)),
        _ => None,
    });
    assert_eq!(plans.collect::<Vec<_>>(), vec![(r#"{"token":"x"}"#.to_owned(), RunTime::ZERO); 3]);
    cluster.join("h1_d");
    let told = cluster.unread[&cluster.connections["h1_d"]]
        .iter()
        .any(|message| matches!(message, ToWorker::Plan(plan) if plan.variables == r#"{"token":"x"}"#));
    assert!(told, "whoever comes later learns the variables, too");
    assert_eq!(cluster.coordinator.run().unwrap().clock(cluster.now), RunTime::ZERO);
}

#[test]
fn a_setup_that_fails_lets_nothing_begin() {
    let check = |fail: fn(&mut Cluster), reason: &str, told: &[&str]| {
        let mut cluster = in_setup(&["h1_a", "h1_b"]);
        cluster.unread.clear();
        fail(&mut cluster);
        assert_eq!(cluster.refusal(), Some(reason));
        if cluster.connections.contains_key("h1_a") {
            assert_eq!(cluster.read("h1_a"), told, "{reason}");
        }
        assert_eq!(cluster.read("h1_b"), [""; 0]);
        assert!(cluster.coordinator.run().is_none());
        cluster.pass(secs(700));
        assert_eq!(cluster.refusal(), Some(reason), "nothing more comes of it");
    };
    let failed = |reason: &str| format!("setup failed on worker h1_a: {reason}");
    check(|it| it.set_up("h1_a", Err("GET /login: 500")), &failed("GET /login: 500"), &[]);
    check(|it| it.disconnect("h1_a"), &failed("the worker is gone"), &[]);
    check(|it| it.say("h1_a", FromWorker::Quit), &failed("the worker is gone"), &["stop run-1"]);
    check(|it| it.stop(), &failed("it was cut short: because"), &["stop run-1"]);
    check(|it| it.pass(secs(600)), &failed("it took longer than 600 s"), &["stop run-1"]);
    check(
        |it| {
            it.mute.insert("h1_a".to_owned());
            it.pass(secs(3));
        },
        &failed("the worker is gone"),
        &["stop run-1"],
    );
}

#[test]
fn variables_that_are_none_fail_the_setup() {
    let check = |variables: &str, expected: &str| {
        let mut cluster = in_setup(&["h1_a"]);
        cluster.set_up("h1_a", Ok(variables));
        let refusal = cluster.refusal().unwrap_or_default();
        assert!(refusal.contains(expected), "{refusal}");
    };
    check("", "no object of variables");
    check("[1]", "no object of variables");
    check("{\"a\":", "no object of variables");
    check(&"[".repeat(100_000), "no object of variables");
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(VARIABLES_BYTES_MAX));
    check(&large, "take more than 1 MiB");
}

#[test]
fn only_the_worker_that_was_asked_can_answer() {
    let mut cluster = in_setup(&["h1_a", "h1_b"]);
    cluster.set_up("h1_b", Ok("{}"));
    cluster.say("h1_a", FromWorker::SetupDone { run: RunId::new("old"), result: Err("no".to_owned()) });
    cluster.torn_down("h1_a", Err("no"));
    assert!(cluster.coordinator.run().is_none() && cluster.coordinator.outcome().is_none());
    cluster.set_up("h1_a", Ok("{}"));
    cluster.set_up("h1_a", Err("said once more"));
    assert_eq!(cluster.phase(), Phase::Spawning);
}

#[test]
fn a_worker_on_a_new_connection_is_reminded() {
    let mut cluster = in_setup(&["h1_a", "h1_b"]);
    cluster.unread.clear();
    cluster.join("h1_a");
    assert_eq!(cluster.read("h1_a"), ["ack 0", "setup run-1"]);
    cluster.set_up("h1_a", Ok("{}"));
    cluster.complete_all();
    cluster.end_run(&["h1_a", "h1_b"]);
    cluster.join("h1_a");
    assert_eq!(cluster.read("h1_a"), ["ack 0", "teardown run-1"]);
}

#[test]
fn setup_takes_one_of_our_own_workers() {
    let mut cluster = Cluster::new();
    cluster.start(hooked(true, false), load(8, 4.0));
    assert_eq!(cluster.refusal(), Some("no worker is connected that could run setup or teardown"));
    let mut cluster = Cluster::new();
    cluster.next_connection += 1;
    cluster.connections.insert("h1_l".to_owned(), ConnectionId(cluster.next_connection));
    cluster.say("h1_l", FromWorker::Ready(ready("h1_l", Wire::Locust, None)));
    for (has_setup, has_teardown) in [(true, false), (false, true)] {
        cluster.start(hooked(has_setup, has_teardown), load(8, 4.0));
        let expected = "setup and teardown take a sentinel-worker, and only Locust's workers are connected";
        assert_eq!(cluster.refusal(), Some(expected));
    }
    cluster.join("h1_b");
    cluster.start(hooked(true, false), load(8, 4.0));
    assert_eq!(cluster.read("h1_b"), ["ack 1", "setup run-1"]);
}

#[test]
fn a_new_run_takes_the_place_of_one_that_is_being_set_up_or_goes_on() {
    let mut cluster = in_setup(&["h1_a"]);
    cluster.unread.clear();
    cluster.start(RunSpec { has_setup: true, ..spec("run-2") }, load(8, 4.0));
    assert_eq!(cluster.read("h1_a"), ["stop run-1", "setup run-2"]);
    cluster.set_up("h1_a", Ok("{}"));
    assert!(cluster.coordinator.run().is_none(), "that was the other one");
    cluster.say("h1_a", FromWorker::SetupDone { run: RunId::new("run-2"), result: Ok("{}".to_owned()) });
    cluster.complete_all();
    cluster.unread.clear();
    cluster.start(RunSpec { has_setup: true, ..spec("run-3") }, load(8, 4.0));
    assert_eq!(cluster.read("h1_a"), ["stop run-2", "setup run-3"]);
    assert_eq!((cluster.phase(), cluster.coordinator.outcome()), (Phase::Stopped, None));
}

// Teardown.

#[test]
fn the_worker_that_set_the_run_up_tears_it_down_after_its_end() {
    let mut cluster = in_setup(&["h1_a", "h1_b"]);
    cluster.set_up("h1_a", Ok("{}"));
    cluster.complete_all();
    cluster.stop();
    cluster.unread.clear();
    cluster.stopped("h1_a");
    assert_eq!(cluster.read("h1_a"), [""; 0], "not while others are at work");
    cluster.stopped("h1_b");
    assert_eq!((cluster.read("h1_a"), cluster.read("h1_b")), (vec!["teardown run-1".to_owned()], vec![]));
    let clock = cluster.coordinator.run().unwrap().clock(cluster.now);
    cluster.pass(secs(30));
    assert_eq!((cluster.phase(), cluster.coordinator.outcome()), (Phase::Stopped, None));
    assert_eq!(cluster.coordinator.run().unwrap().clock(cluster.now), clock, "the run is over all the same");
    cluster.torn_down("h1_b", Ok(()));
    assert!(!cluster.is_over());
    cluster.torn_down("h1_a", Ok(()));
    assert!(cluster.is_over());
    assert_eq!(cluster.teardown_failures(), [""; 0]);
    cluster.pass(secs(100));
    assert_eq!(cluster.teardown_failures(), [""; 0]);
}

#[test]
fn another_worker_tears_the_run_down_if_the_first_is_gone() {
    let mut cluster = in_setup(&["h1_a", "h1_b", "h1_c"]);
    cluster.set_up("h1_a", Ok("{}"));
    cluster.disconnect("h1_a");
    cluster.complete_all();
    cluster.end_run(&["h1_b", "h1_c"]);
    assert_eq!(cluster.read("h1_b"), ["teardown run-1"]);
    // Without a setup, it is the first one.
    let mut cluster = Cluster::new();
    ["h1_b", "h1_a"].iter().for_each(|worker| cluster.join(worker));
    cluster.start(hooked(false, true), load(8, 4.0));
    cluster.complete_all();
    cluster.end_run(&["h1_a", "h1_b"]);
    assert_eq!(cluster.read("h1_b"), ["teardown run-1"]);
}

#[test]
fn a_teardown_that_fails_is_noted_and_ends_the_run_all_the_same() {
    let check = |fail: fn(&mut Cluster), expected: &str| {
        let mut cluster = in_teardown(&["h1_a", "h1_b"]);
        assert!(!cluster.is_over());
        fail(&mut cluster);
        assert!(cluster.is_over(), "{expected}");
        assert_eq!(cluster.teardown_failures(), [expected]);
        assert!(cluster.warned_of(expected));
    };
    check(|it| it.torn_down("h1_a", Err("no route")), "worker h1_a: no route");
    check(|it| it.disconnect("h1_a"), "worker h1_a is gone");
    check(|it| it.say("h1_a", FromWorker::Quit), "worker h1_a is gone");
    check(|it| it.pass(secs(60)), "it took longer than 60 s");
    check(
        |it| {
            it.coordinator.abort(it.now, "interrupted twice");
            it.drain();
        },
        "interrupted twice",
    );
}

#[test]
fn a_run_that_nobody_can_tear_down_ends_with_a_warning() {
    let mut cluster = in_setup(&["h1_a"]);
    cluster.set_up("h1_a", Ok("{}"));
    cluster.stop();
    cluster.disconnect("h1_a");
    assert!(cluster.is_over());
    let expected = "no worker is connected that could run setup or teardown";
    assert_eq!(cluster.teardown_failures(), [expected]);
}

#[test]
fn a_run_that_is_cut_off_is_not_torn_down() {
    let mut cluster = in_setup(&["h1_a"]);
    cluster.set_up("h1_a", Ok("{}"));
    cluster.unread.clear();
    cluster.coordinator.abort(cluster.now, "interrupted twice");
    cluster.drain();
    assert!(cluster.is_over());
    assert_eq!(cluster.read("h1_a"), ["stop run-1"]);
    let expected = "it was left out, because the run was cut off: interrupted twice";
    assert_eq!(cluster.teardown_failures(), [expected]);
}

#[test]
fn a_new_run_does_not_wait_for_the_teardown_of_the_last_one() {
    let mut cluster = in_teardown(&["h1_a"]);
    cluster.unread.clear();
    cluster.start(spec("run-2"), load(8, 4.0));
    assert_eq!(cluster.read("h1_a"), ["plan run-2", "spawn 8"]);
    cluster.torn_down("h1_a", Ok(()));
    assert_eq!((cluster.phase(), cluster.coordinator.outcome()), (Phase::Spawning, None));
    cluster.pass(secs(100));
    assert_eq!(cluster.coordinator.outcome(), None);
}
