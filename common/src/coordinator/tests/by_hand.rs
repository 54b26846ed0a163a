//! What people do to a run or its workers while it goes on.

use super::*;
use crate::messages::Vitals;

impl Cluster {
    /// Has a worker sent home. Returns whether there is such a worker.
    fn dismiss(&mut self, worker: &str) -> bool {
        let known = self.coordinator.dismiss(self.now, &id(worker));
        self.drain();
        known
    }

    fn reset_stats(&mut self) {
        self.coordinator.reset_stats(self.now);
        self.drain();
    }
}

#[test]
fn the_others_take_the_users_of_a_worker_that_is_sent_home() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 8.0);
    assert!(cluster.dismiss("h1_a"));
    assert_eq!(cluster.read("h1_b"), ["spawn 8"], "at once, not when it has gone");
    assert_eq!(cluster.read("h1_a"), ["quit"]);
    assert!(cluster.dismiss("h1_a"));
    assert_eq!(cluster.read("h1_a"), [] as [&str; 0], "once is enough");
    cluster.say("h1_a", FromWorker::Quit);
    cluster.disconnect("h1_a");
    assert_eq!((cluster.count("WorkerDismissed"), cluster.count("WorkerLost")), (1, 0));
}

#[test]
fn a_worker_that_answers_to_nothing_loses_its_connection() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 8.0);
    cluster.mute.insert("h1_a".to_owned());
    cluster.pass(secs(4));
    assert!(cluster.dismiss("h1_a"));
    assert_eq!(cluster.closed, [cluster.connections["h1_a"]]);
    assert!(!cluster.dismiss("h1_c"), "there is none of that name");
}

#[test]
fn what_was_measured_is_forgotten_and_the_run_goes_on() {
    let mut cluster = Cluster::running(&["h1_a"], 4, 4.0);
    cluster.report("h1_a", RUN, 1, requests(5));
    cluster.reset_stats();
    assert_eq!((cluster.requests(), cluster.phase(), cluster.count("StatsReset")), (0, Phase::Running, 1));
    cluster.report("h1_a", RUN, 2, requests(3));
    assert_eq!(cluster.requests(), 3);
}

#[test]
fn a_reset_by_hand_leaves_the_one_after_the_ramp_to_come() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.start(RunSpec { reset_stats: true, ..spec(RUN) }, load(4, 4.0));
    cluster.reset_stats();
    cluster.report("h1_a", RUN, 1, requests(5));
    cluster.complete_all();
    assert_eq!(cluster.requests(), 0);
}

#[test]
fn nobody_waits_for_workers_any_more_once_told_so() {
    let mut cluster = Cluster::new();
    cluster.start_when_ready(1, Some(secs(5)));
    assert!(cluster.coordinator.is_waiting());
    cluster.coordinator.stop_waiting();
    cluster.join("h1_a");
    cluster.pass(secs(6));
    assert!(cluster.coordinator.run().is_none() && cluster.coordinator.outcome().is_none());
}

#[test]
fn workers_and_what_they_wait_for_are_kept_by_second() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 8.0);
    for (worker, in_flight) in [("h1_a", Some(3)), ("h1_b", None)] {
        let vitals = Vitals { in_flight, ..Vitals::default() };
        let users = cluster.users_of(worker);
        let heartbeat = Heartbeat { state: WorkerState::Running, users, vitals, ..Heartbeat::default() };
        cluster.say(worker, FromWorker::Heartbeat(heartbeat));
    }
    cluster.now += SAMPLE_INTERVAL;
    cluster.coordinator.handle_timeout(cluster.now);
    cluster.drain();
    let report = cluster.live_report();
    let last = report.seconds.last().unwrap();
    assert_eq!((last.workers, last.in_flight), (Some(2.0), Some(3.0)));
}
