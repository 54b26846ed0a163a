//! Users that end by themselves.

use super::*;
use crate::messages::RowsRequest;
use crate::rows::ITERATIONS;

impl Cluster {
    /// The worker begins to follow what it was told and runs it, and so many users of class A have ended by themselves.
    fn obey(&mut self, worker: &str, finished: u32) {
        let Assignment { generation, users, .. } = self.told[&self.connections[worker]].clone();
        self.say(worker, FromWorker::Spawning { generation });
        self.say(worker, FromWorker::SpawningComplete { generation, users });
        self.finish(worker, finished);
    }

    fn finish(&mut self, worker: &str, finished: u32) {
        let users = self.users_of(worker);
        let finished = ClassCounts::from([("A".to_owned(), finished)]);
        self.say(worker, FromWorker::Heartbeat(Heartbeat { users, finished, ..Heartbeat::default() }));
    }
}

/// Workers with a run of users of class A only.
fn started_with(workers: &[&str], users: u32, iterations: Option<u64>) -> Cluster {
    let mut cluster = Cluster::new();
    workers.iter().for_each(|worker| cluster.join(worker));
    let spec = RunSpec { classes: vec![class("A", 1.0, 0)], iterations, ..spec(RUN) };
    cluster.start(spec, load(users, 4.0));
    cluster
}

#[test]
fn users_that_have_finished_are_not_shown_and_not_replaced() {
    let mut cluster = started_with(&["h1_a", "h1_b"], 8, None);
    cluster.obey("h1_a", 0);
    cluster.obey("h1_b", 0);
    cluster.unread.clear();
    cluster.finish("h1_a", 3);
    assert_eq!(cluster.coordinator.roster().user_count(), 5);
    assert_eq!(cluster.coordinator.roster().live_user_count(cluster.now), 5);
    assert_eq!((cluster.read("h1_a"), cluster.read("h1_b")), (vec![], vec![]), "nobody gets other users");
    // They keep their places when others join.
    cluster.join("h1_c");
    assert_eq!(cluster.shares(), [("h1_a", 3), ("h1_b", 3), ("h1_c", 2)]);
}

#[test]
fn nobody_expects_users_that_have_finished() {
    let mut cluster = started_with(&["h1_a"], 4, None);
    cluster.obey("h1_a", 0);
    cluster.pass(secs(4));
    for finished in [1, 2] {
        cluster.finish("h1_a", finished);
        cluster.mute.insert("h1_a".to_owned());
        cluster.pass(secs(1));
    }
    let stats = cluster.coordinator.run().unwrap().stats();
    let seconds = stats.seconds().spans().iter().skip(4);
    let rows: Vec<_> = seconds.map(|span| (span.value.users.last, span.value.planned_users.last)).collect();
    assert_eq!(rows[..2], [(3, 3), (2, 2)]);
}

#[test]
fn the_run_stops_when_all_users_have_finished() {
    let mut cluster = started_with(&["h1_a", "h1_b"], 8, None);
    cluster.obey("h1_a", 4);
    cluster.obey("h1_b", 3);
    cluster.unread.clear();
    cluster.pass(Duration::from_millis(100));
    assert_eq!(cluster.phase(), Phase::Running);
    cluster.finish("h1_b", 4);
    assert_eq!(cluster.stop_reason(), ALL_FINISHED);
    assert_eq!(cluster.read("h1_a"), ["stop run-1"]);
    cluster.stopped("h1_a");
    cluster.stopped("h1_b");
    assert!(cluster.is_over());
}

#[test]
fn users_that_were_lost_with_a_worker_have_not_finished() {
    let mut cluster = started_with(&["h1_a", "h1_b"], 8, None);
    cluster.obey("h1_a", 4);
    cluster.obey("h1_b", 2);
    cluster.disconnect("h1_b");
    cluster.obey("h1_a", 4);
    assert_eq!(cluster.phase(), Phase::Running, "half of its users are new");
    cluster.finish("h1_a", 8);
    assert_eq!(cluster.phase(), Phase::Stopping);
}

#[test]
fn what_was_said_about_the_run_before_stops_nothing() {
    let mut cluster = started_with(&["h1_a"], 4, None);
    cluster.obey("h1_a", 4);
    cluster.stopped("h1_a");
    assert!(cluster.is_over());
    cluster.start(RunSpec { classes: vec![class("A", 1.0, 0)], ..spec("run-2") }, load(4, 4.0));
    cluster.finish("h1_a", 4);
    assert_eq!((cluster.phase(), cluster.coordinator.roster().user_count()), (Phase::Spawning, 4));
    cluster.obey("h1_a", 4);
    assert_eq!(cluster.phase(), Phase::Stopping);
}

#[test]
fn a_worker_that_is_back_says_anew_which_users_have_finished() {
    let mut cluster = started_with(&["h1_a", "h1_b"], 8, None);
    cluster.obey("h1_a", 2);
    cluster.rejoin("h1_a", RUN);
    assert_eq!(cluster.coordinator.roster().user_count(), 2, "its users are as it was last heard");
    cluster.obey("h1_a", 3);
    assert_eq!(cluster.coordinator.roster().user_count(), 1);
}

#[test]
fn a_ramp_ends_when_no_iteration_is_left_for_those_who_would_still_come() {
    let mut cluster = started_with(&["h1_a", "h1_b"], 1_000, Some(1));
    let ask = |cluster: &mut Cluster, worker: &str, request| {
        let (run, source) = (RunId::new(RUN), ITERATIONS.to_owned());
        cluster.say(worker, FromWorker::RowsRequest(RowsRequest { run, source, request, left: 0, want: 8 }));
    };
    let beat = |cluster: &mut Cluster, worker: &str, users: u32, finished: u32| {
        let counts = |users| ClassCounts::from([("A".to_owned(), users)]);
        let (users, finished) = (counts(users), counts(finished));
        let heartbeat = Heartbeat { state: WorkerState::Spawning, users, finished, ..Heartbeat::default() };
        cluster.say(worker, FromWorker::Heartbeat(heartbeat));
    };
    for worker in ["h1_a", "h1_b"] {
        let generation = cluster.told[&cluster.connections[worker]].generation;
        cluster.say(worker, FromWorker::Spawning { generation });
    }
    ask(&mut cluster, "h1_a", 1);
    ask(&mut cluster, "h1_a", 2);
    assert_eq!(cluster.count("RowsExhausted"), 1);
    beat(&mut cluster, "h1_a", 3, 3);
    beat(&mut cluster, "h1_b", 0, 0);
    assert_eq!(cluster.phase(), Phase::Spawning, "the other may have a user by now that has the last one");
    cluster.now += Wire::Grpc.doubtful_after();
    beat(&mut cluster, "h1_b", 2, 1);
    beat(&mut cluster, "h1_a", 4, 4);
    assert_eq!(cluster.phase(), Phase::Spawning, "a user is still at work");
    beat(&mut cluster, "h1_b", 3, 3);
    assert_eq!(cluster.stop_reason(), ALL_FINISHED);
}
