//! A Locust worker's whole session with a Sentinel master, message by message, beside the same with its own master.

use std::collections::BTreeSet;
use std::path::Path;

use sentinel_tests::locust::{Files, LocustMaster, LocustWorker, SHOP_CLASSES, Wiretap, kinds, python};
use sentinel_tests::process::{Master, Target};

/// What is said by the clock or when a user's code fails, whatever else goes on.
const PERIODIC: [&str; 5] =
    ["worker heartbeat", "worker stats", "worker logs", "worker exception", "master heartbeat"];

/// The load of the session: it is ramped to in two steps.
const LOAD: [&str; 9] =
    ["--headless", "--users", "4", "--spawn-rate", "2", "--run-time", "6s", "--stop-timeout", "3"];

#[test]
fn a_session_is_the_same_with_either_master() {
    let Some(python) = python() else { return };
    let (ours, theirs) = (with_sentinel(python), with_locust(python));
    let (ours_periodic, theirs_periodic) = (periodic(&ours), periodic(&theirs));
    assert_eq!(ours_periodic, theirs_periodic, "what is said by the clock");
    // By design nothing differs here but the moments. Elsewhere a Sentinel master differs when something goes wrong: it
    // answers the heartbeat of a worker that it does not know, and does not wait for 60 s until a lost one is replaced.
    assert_eq!(session(&ours), session(&theirs), "first with a Sentinel master, then with Locust's");
    let expected = [
        "worker client_ready",
        "master ack",
        "master spawn",
        "worker spawning",
        "worker spawning_complete",
        "master spawn",
        "worker spawning",
        "worker spawning_complete",
        "master spawning_complete",
        "master quit",
        "worker stats",
        "worker quit",
    ];
    assert_eq!(session(&theirs), expected, "with Locust's master");
}

/// Everything that happens once, in order. The last report is part of it, because it answers the end.
fn session(kinds: &[String]) -> Vec<&str> {
    let quit = kinds.iter().position(|kind| kind == "master quit").unwrap_or(kinds.len());
    let (before, after) = kinds.split_at(quit);
    let once = before.iter().filter(|kind| !PERIODIC.contains(&kind.as_str()));
    let last = after.iter().filter(|kind| *kind == "worker stats" || !PERIODIC.contains(&kind.as_str()));
    let mut session: Vec<&str> = once.chain(last).map(String::as_str).collect();
    // A report by the clock may come between the end and the last report.
    session.dedup_by(|kind, before| kind == before && *kind == "worker stats");
    session
}

fn periodic(kinds: &[String]) -> BTreeSet<&str> {
    kinds.iter().map(String::as_str).filter(|kind| PERIODIC.contains(kind)).collect()
}

fn with_sentinel(python: &Path) -> Vec<String> {
    let (files, target) = (Files::shop(), Target::start(&[]));
    let (file, url) = (files.locustfile(), target.url());
    let own = ["-f", &file, "--user-classes", SHOP_CLASSES, "--host", &url];
    // The helper adds this one.
    let load: Vec<&str> = LOAD.into_iter().filter(|option| *option != "--headless").collect();
    let master = Master::start(&[&own[..], &load].concat());
    let wiretap = Wiretap::before(master.address);
    let worker = LocustWorker::start(python, wiretap.address, &file);
    let exit = worker.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    master.process.wait();
    kinds(&wiretap.heard())
}

fn with_locust(python: &Path) -> Vec<String> {
    let (files, target) = (Files::shop(), Target::start(&[]));
    let file = files.locustfile();
    let master = LocustMaster::start(python, &file, &[&LOAD[..], &["--host", &target.url()]].concat());
    let wiretap = Wiretap::before(master.address);
    let worker = LocustWorker::start(python, wiretap.address, &file);
    let exit = worker.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    master.process.wait();
    kinds(&wiretap.heard())
}
