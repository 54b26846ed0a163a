//! One worker of each kind in the same run, on the same port.

use std::time::Duration;

use sentinel_common::locust::WorkerMessage;
use sentinel_tests::locust::{Said, Shop, python};
use sentinel_tests::process::{PATIENCE, Signal, until};

#[test]
fn a_locust_worker_and_one_of_our_own_share_a_run() {
    let Some(python) = python() else { return };
    let load = ["--users", "12", "--spawn-rate", "4", "--run-time", "8s", "-s", "3", "--expect-workers", "2"];
    let shop = Shop::open_scenario(python, &load);
    let (locust, ours) = (shop.hire_locust(), shop.hire());
    shop.master.process.line("All users spawned: 12");
    assert_eq!(shop.steps().last(), Some(&6), "half of the users are on Locust's worker");
    for process in [locust.process, ours] {
        let exit = process.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    let run = shop.close();
    run.assert_counts_are_exact();
    run.assert_says("422");
    // Exceptions of Locust's worker, and of ours.
    run.assert_says("the visitor blew up");
    run.assert_says("failed to render");
}

#[test]
fn users_of_our_worker_that_dies_go_to_locusts_and_then_to_a_late_one_of_ours() {
    let Some(python) = python() else { return };
    let load =
        ["--users", "12", "--spawn-rate", "12", "--run-time", "14s", "-s", "3", "--expect-workers", "2"];
    let shop = Shop::open_scenario(python, &load);
    let (locust, mut lost) = (shop.hire_locust(), shop.hire());
    shop.master.process.line("All users spawned: 12");
    lost.signal(Signal::Kill);
    shop.master.process.line("was lost with 6 users");
    shop.wiretap.wait_for("12 users on Locust's worker", |heard| has_users(&heard.said, 12));
    let late = shop.hire();
    shop.ids(3);
    let shared = until(PATIENCE, || {
        let heard = shop.wiretap.heard();
        let mut reached = heard.iter().filter(|heard| heard.said.kind() == "worker spawning_complete");
        reached.next_back().filter(|last| has_users(&last.said, 6)).map(drop)
    });
    assert!(shared.is_some(), "the late worker has no share: {:?}", shop.steps());
    for process in [locust.process, late] {
        let exit = process.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    // What the killed one had not reported is lost with it: a second of 6 users with 20 requests per second each.
    shop.close().assert_lost_at_most(150);
}

#[test]
fn users_of_locusts_worker_that_dies_go_to_ours_and_then_to_a_late_one_of_locusts() {
    let Some(python) = python() else { return };
    let load =
        ["--users", "12", "--spawn-rate", "12", "--run-time", "14s", "-s", "3", "--expect-workers", "2"];
    let shop = Shop::open_scenario(python, &load);
    let (mut lost, ours) = (shop.hire_locust(), shop.hire());
    shop.master.process.line("All users spawned: 12");
    let killed = lost.process.signal(Signal::Kill);
    let noticed = shop.master.process.line("was lost with 6 users").at;
    assert!(noticed - killed < Duration::from_secs(2), "noticed after {:?}", noticed - killed);
    let late = shop.hire_locust();
    shop.ids(3);
    shop.wiretap.wait_for("6 users on the late worker", |heard| {
        heard.connection == 1 && heard.said.kind() == "worker spawning_complete"
    });
    for process in [late.process, ours] {
        let exit = process.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    // What the killed one had not reported is lost with it: at most 3 s of 6 users with 20 requests per second each.
    shop.close().assert_lost_at_most(400);
}

/// Whether Locust's worker says that it runs so many users.
fn has_users(said: &Said, users: u64) -> bool {
    matches!(said, Said::Worker(WorkerMessage::SpawningComplete { user_count, .. }) if *user_count == users)
}
