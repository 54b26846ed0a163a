//! How rows that are used once in the whole cluster are leased.

#![expect(clippy::single_range_in_vec_init, reason = "a lease of one range")]

use super::*;
use crate::messages::{RowsRequest, RowsReturned};
use crate::rows::{ITERATIONS, RowRange};

/// Workers with a run that has `accounts` of so many rows.
fn started_with(workers: &[&str], rows: u64) -> Cluster {
    let mut cluster = Cluster::new();
    workers.iter().for_each(|worker| cluster.join(worker));
    let sources = BTreeMap::from([("accounts".to_owned(), rows)]);
    cluster.start(RunSpec { sources, ..spec(RUN) }, load(8, 4.0));
    cluster.complete_all();
    cluster.unread.clear();
    cluster
}

impl Cluster {
    /// A worker asks for rows of `accounts`; returns the answer.
    fn ask(&mut self, worker: &str, request: u64, left: u64, want: u32) -> Vec<String> {
        self.ask_for("accounts", worker, request, left, want)
    }

    fn ask_for(&mut self, source: &str, worker: &str, request: u64, left: u64, want: u32) -> Vec<String> {
        let (run, source) = (RunId::new(RUN), source.to_owned());
        self.say(worker, FromWorker::RowsRequest(RowsRequest { run, source, request, left, want }));
        self.read(worker)
    }

    fn give_back(&mut self, worker: &str, request: u64, ranges: &[RowRange]) -> Vec<String> {
        let (run, source, ranges) = (RunId::new(RUN), "accounts".to_owned(), ranges.to_vec());
        self.say(worker, FromWorker::RowsReturned(RowsReturned { run, source, request, ranges }));
        self.read(worker)
    }

    fn told_of(&self, text: &str) -> bool {
        self.notices.iter().any(|notice| {
            let (Notice::Info(said) | Notice::Warning(said)) = notice;
            said.contains(text)
        })
    }
}

#[test]
fn the_plan_names_the_sources() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    let sources = BTreeMap::from([("accounts".to_owned(), 5)]);
    cluster.start(RunSpec { sources, iterations: Some(9), ..spec(RUN) }, load(8, 4.0));
    let plans = cluster.unread[&cluster.connections["h1_a"]].iter().filter_map(|message| match message {
        ToWorker::Plan(plan) => Some(plan.sources.clone()),
        _ => None,
    });
    assert_eq!(plans.collect::<Vec<_>>(), [["accounts", ITERATIONS]]);
}

#[test]
fn workers_share_what_is_left() {
    let mut cluster = started_with(&["h1_a", "h1_b"], 100);
    assert_eq!(cluster.ask("h1_a", 1, 0, 8), ["accounts 1: [0..8]"]);
    assert_eq!(cluster.ask("h1_b", 1, 0, 80), ["accounts 1: [8..31]"], "a quarter of what is left");
    assert_eq!(cluster.ask("h1_b", 1, 0, 80), ["accounts 1: [8..31]"], "the same answer to the same message");
    assert_eq!(cluster.ask("h1_a", 2, 3, 8), ["accounts 2: [31..39]"]);
    assert_eq!(cluster.ask("h1_a", 1, 0, 8), [""; 0], "nobody waits for that any more");
}

#[test]
fn rows_that_are_handed_back_go_to_others() {
    let mut cluster = started_with(&["h1_a", "h1_b"], 4);
    assert_eq!(cluster.ask("h1_a", 1, 0, 1), ["accounts 1: [0..1]"]);
    for (request, row) in [(2, "[1..2]"), (3, "[2..3]"), (4, "[3..4]")] {
        assert_eq!(cluster.ask("h1_a", request, 4, 9), [format!("accounts {request}: {row}")]);
    }
    assert_eq!(cluster.ask("h1_b", 1, 0, 8), ["accounts 1: []"], "the other may hand some back");
    assert_eq!(cluster.give_back("h1_a", 5, &[2..4]), ["accounts 5: []"]);
    assert_eq!(cluster.give_back("h1_a", 5, &[2..4]), ["accounts 5: []"]);
    assert_eq!(cluster.ask("h1_b", 2, 0, 8), ["accounts 2: [2..3]"]);
    // The other leaves in good order, so what it did not hand back is used.
    cluster.say("h1_a", FromWorker::Quit);
    cluster.read("h1_b");
    assert_eq!(cluster.ask("h1_b", 3, 0, 8), ["accounts 3: [3..4]"]);
    assert_eq!(cluster.ask("h1_b", 4, 0, 8), ["accounts 4: [], and no more ever"]);
    assert_eq!(cluster.count("RowsWithheld"), 0);
}

#[test]
fn the_end_of_a_source_is_told_once() {
    let mut cluster = started_with(&["h1_a", "h1_b"], 1);
    cluster.ask("h1_a", 1, 0, 8);
    assert_eq!(cluster.ask("h1_b", 1, 0, 8), ["accounts 1: []"]);
    assert_eq!(cluster.count("RowsExhausted"), 0);
    assert_eq!(cluster.ask("h1_a", 2, 0, 8), ["accounts 2: [], and no more ever"]);
    assert_eq!(cluster.ask("h1_b", 2, 0, 8), ["accounts 2: [], and no more ever"]);
    assert_eq!(cluster.count("RowsExhausted"), 1);
    assert!(cluster.told_of("data accounts: all 1 rows are used"));
}

#[test]
fn rows_that_were_with_a_lost_worker_are_not_used_again() {
    let check = |lose: fn(&mut Cluster)| {
        let mut cluster = started_with(&["h1_a", "h1_b"], 20);
        cluster.ask("h1_b", 1, 0, 8);
        cluster.ask("h1_b", 2, 2, 2);
        lose(&mut cluster);
        assert!(cluster.told_of("4 rows of accounts were with worker h1_b when it was lost"));
        assert_eq!(cluster.count("RowsWithheld"), 1);
        cluster.read("h1_a");
        let mut rows = BTreeSet::new();
        for request in 1.. {
            let [answer] = &cluster.ask("h1_a", request, 0, 8)[..] else { panic!("no answer") };
            if answer.contains("no more ever") {
                break;
            }
            rows.insert(answer.clone());
        }
        let ledger = &cluster.coordinator.run().unwrap().rows["accounts"];
        assert_eq!((ledger.free(), ledger.withheld()), (0, 4));
        assert!(cluster.told_of("data accounts: 16 of 20 rows are used, 4 were with workers that were lost"));
    };
    check(|cluster| cluster.disconnect("h1_b"));
    check(|cluster| {
        cluster.mute.insert("h1_b".to_owned());
        cluster.pass(secs(3));
    });
    // It began to leave and never said that it was done.
    check(|cluster| {
        let state = WorkerState::Stopping;
        cluster.say("h1_b", FromWorker::Heartbeat(Heartbeat { state, ..Heartbeat::default() }));
        cluster.disconnect("h1_b");
    });
}

#[test]
fn a_worker_that_comes_back_goes_on_with_its_rows() {
    let check = |lose: fn(&mut Cluster), find: fn(&mut Cluster)| {
        let mut cluster = started_with(&["h1_a", "h1_b"], 20);
        cluster.ask("h1_b", 1, 0, 4);
        lose(&mut cluster);
        assert_eq!(cluster.coordinator.run().unwrap().rows["accounts"].withheld(), 4);
        find(&mut cluster);
        assert_eq!(cluster.coordinator.run().unwrap().rows["accounts"].withheld(), 0);
        cluster.read("h1_b");
        assert_eq!(
            cluster.ask("h1_b", 1, 0, 4),
            ["accounts 1: [0..4]"],
            "the answer that it may have missed"
        );
    };
    check(|cluster| cluster.disconnect("h1_b"), |cluster| cluster.rejoin("h1_b", RUN));
    check(
        |cluster| {
            cluster.mute.insert("h1_b".to_owned());
            cluster.pass(secs(3));
        },
        |cluster| cluster.beat("h1_b"),
    );
}

#[test]
fn whoever_asks_for_what_is_not_there_gets_nothing() {
    let mut cluster = started_with(&["h1_a"], 20);
    assert_eq!(cluster.ask_for("other", "h1_a", 1, 0, 8), ["other 1: [], and no more ever"]);
    let (run, source) = (RunId::new("old"), "accounts".to_owned());
    cluster.say("h1_a", FromWorker::RowsRequest(RowsRequest { run, source, request: 1, left: 0, want: 8 }));
    assert_eq!(cluster.read("h1_a"), ["accounts 1: [], and no more ever"]);
    let (run, source, ranges) = (RunId::new("old"), "accounts".to_owned(), vec![0..4]);
    cluster.say("h1_a", FromWorker::RowsReturned(RowsReturned { run, source, request: 2, ranges }));
    assert_eq!(cluster.read("h1_a"), ["accounts 2: []"]);
    assert_eq!(cluster.count("RowsExhausted"), 0);
    cluster.stop();
    cluster.stopped("h1_a");
    cluster.read("h1_a");
    assert_eq!(cluster.ask("h1_a", 1, 0, 8), ["accounts 1: [], and no more ever"], "the run is over");
}
