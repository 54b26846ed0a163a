//! Runs with open classes.

use super::*;
use crate::arrivals::{ArrivalRate, Arrivals, Distribution, Slot, Stage};
use crate::messages::ArrivalShare;
use crate::verdict::Verdict;

fn arrivals(rate: &str, max_users: u32) -> Arrivals {
    let rate = ArrivalRate::parse(rate).unwrap();
    Arrivals::new(rate, Vec::new(), max_users, Distribution::Constant, Duration::ZERO).unwrap()
}

fn open(class: &str, rate: &str, max_users: u32) -> ClassArrivals {
    ClassArrivals { class: class.to_owned(), arrivals: arrivals(rate, max_users) }
}

/// A run with the closed class A and the open class B.
fn mixed() -> RunSpec {
    RunSpec { arrivals: vec![open("B", "100/s", 10)], ..spec(RUN) }
}

/// A run with open classes only.
fn all_open() -> RunSpec {
    RunSpec { arrivals: vec![open("A", "30/s", 8), open("B", "10/s", 3)], ..spec(RUN) }
}

impl Cluster {
    fn of(workers: &[&str], spec: RunSpec, load: Load) -> Self {
        let mut cluster = Self::new();
        workers.iter().for_each(|worker| cluster.join(worker));
        cluster.start(spec, load);
        cluster
    }

    /// The parts that a worker was told last: class, slot, users and from when on.
    fn parts(&self, worker: &str) -> Vec<(String, Option<Slot>, u32, u64)> {
        let told = &self.told[&self.connections[worker]].arrivals;
        let part = |share: &ArrivalShare| {
            (share.class.clone(), share.slot, share.max_users, share.from.as_micros() / 1000)
        };
        told.iter().map(part).collect()
    }

    /// A worker reports that it began so many iterations and dropped so many.
    fn delivered(&mut self, worker: &str, seq: u64, started: u64, dropped: u64) {
        let mut delta = requests(1);
        delta.delivery.started = started;
        delta.delivery.dropped = dropped;
        self.report(worker, RUN, seq, delta);
    }
}

fn slot(index: u32, of: u32) -> Option<Slot> {
    Some(Slot::new(index, of).unwrap())
}

fn part(class: &str, slot: Option<Slot>, max_users: u32, from_ms: u64) -> (String, Option<Slot>, u32, u64) {
    (class.to_owned(), slot, max_users, from_ms)
}

#[test]
fn arrivals_are_shared_from_the_start_and_their_users_are_not_placed() {
    let cluster = Cluster::of(&["h1_a", "h1_b", "h2_a"], mixed(), load(9, 9.0));
    assert_eq!(cluster.parts("h1_a"), [part("B", slot(0, 3), 4, 0)]);
    assert_eq!(cluster.parts("h1_b"), [part("B", slot(1, 3), 3, 0)]);
    assert_eq!(cluster.parts("h2_a"), [part("B", slot(2, 3), 3, 0)]);
    for worker in ["h1_a", "h1_b", "h2_a"] {
        assert_eq!(cluster.users_of(worker), ClassCounts::from([("A".to_owned(), 3)]));
    }
}

#[test]
fn when_workers_come_or_go_all_change_at_the_same_time() {
    let mut cluster = Cluster::of(&["h1_a", "h1_b"], mixed(), load(4, 4.0));
    cluster.complete_all();
    cluster.pass(secs(3));
    cluster.join("h2_a");
    for (index, worker) in ["h1_a", "h1_b", "h2_a"].into_iter().enumerate() {
        let (index, users) = (index as u32, [4, 3, 3][index]);
        assert_eq!(cluster.parts(worker), [part("B", slot(index, 3), users, 3200)]);
    }
    cluster.complete_all();
    cluster.pass(secs(3));
    cluster.disconnect("h1_a");
    for (index, worker) in ["h1_b", "h2_a"].into_iter().enumerate() {
        assert_eq!(cluster.parts(worker), [part("B", slot(index as u32, 2), 5, 6200)]);
    }
}

#[test]
fn nothing_else_moves_arrivals() {
    let mut cluster = Cluster::of(&["h1_a", "h1_b"], mixed(), load(4, 4.0));
    cluster.complete_all();
    cluster.pass(secs(3));
    cluster.edit(20, 4.0);
    assert_eq!(cluster.parts("h1_b"), [part("B", slot(1, 2), 5, 0)]);
    // It comes back on another connection before anybody noticed that the first one is gone.
    cluster.rejoin("h1_b", RUN);
    assert_eq!(cluster.parts("h1_b"), [part("B", slot(1, 2), 5, 0)]);
}

#[test]
fn a_worker_that_fell_silent_has_no_part_until_it_is_back() {
    let mut cluster = Cluster::of(&["h1_a", "h1_b"], mixed(), load(4, 4.0));
    cluster.complete_all();
    cluster.mute.insert("h1_b".to_owned());
    cluster.pass(secs(4));
    assert_eq!(cluster.parts("h1_a"), [part("B", slot(0, 1), 10, 2700)]);
    assert_eq!(cluster.parts("h1_b"), [], "it was recalled, should it listen");
    cluster.mute.clear();
    cluster.beat("h1_b");
    assert_eq!(cluster.parts("h1_a"), [part("B", slot(0, 2), 5, 4200)]);
    assert_eq!(cluster.parts("h1_b"), [part("B", slot(1, 2), 5, 4200)]);
}

#[test]
fn a_worker_without_a_user_has_no_part() {
    let spec = RunSpec { arrivals: vec![open("B", "100/s", 2)], ..spec(RUN) };
    let cluster = Cluster::of(&["h1_a", "h1_b", "h1_c"], spec, load(3, 3.0));
    let parts = ["h1_a", "h1_b", "h1_c"].map(|worker| cluster.parts(worker).remove(0));
    let expected = [slot(0, 2), slot(1, 2), None];
    assert_eq!(parts.map(|part| part.1), expected);
    let users = ["h1_a", "h1_b", "h1_c"].map(|worker| cluster.parts(worker).remove(0).2);
    assert_eq!(users, [1, 1, 0]);
}

#[test]
fn a_run_of_open_classes_has_no_users_to_place_and_ends_with_its_arrivals() {
    let rate = ArrivalRate::parse("10/s").unwrap();
    let stages =
        vec![Stage { duration: secs(5), rate }, Stage { duration: secs(2), rate: ArrivalRate::ZERO }];
    let arrivals = Arrivals::new(rate, stages, 5, Distribution::Constant, Duration::ZERO).unwrap();
    let spec = RunSpec {
        classes: Vec::new(),
        arrivals: vec![ClassArrivals { class: "A".to_owned(), arrivals }],
        ..spec(RUN)
    };
    let mut cluster = Cluster::of(&["h1_a"], spec, load(50, 4.0));
    assert_eq!((cluster.told_users(), cluster.parts("h1_a")), (0, vec![part("A", slot(0, 1), 5, 0)]));
    cluster.complete_all();
    assert_eq!((cluster.phase(), cluster.count("Ramp")), (Phase::Running, 0));
    cluster.join("h1_b");
    cluster.complete_all();
    assert_eq!(cluster.parts("h1_b"), [part("A", slot(1, 2), 2, 200)]);
    cluster.pass(secs(7));
    assert_eq!((cluster.phase(), cluster.stop_reason().as_str()), (Phase::Stopping, ARRIVALS_OVER));
}

#[test]
fn a_run_time_ends_arrivals_before_their_own_end() {
    let load = Load { run_time: Some(secs(4)), ..load(1, 1.0) };
    let mut cluster = Cluster::of(&["h1_a"], all_open(), load);
    let until = cluster.told[&cluster.connections["h1_a"]].arrivals[0].until;
    assert_eq!(until, Some(RunTime::from_secs(4)), "workers know it beforehand");
    cluster.pass(secs(4));
    assert_eq!((cluster.phase(), cluster.stop_reason().as_str()), (Phase::Stopping, RUN_TIME_OVER));
}

#[test]
fn planned_arrivals_are_those_of_the_schedule_until_the_stop() {
    let mut cluster = Cluster::of(&["h1_a", "h1_b"], all_open(), load(1, 1.0));
    let planned = |cluster: &Cluster| cluster.live_report().delivery.planned;
    cluster.pass(secs(1));
    assert_eq!(planned(&cluster), 0, "nobody has had the time to report");
    cluster.pass(Duration::from_millis(4550));
    assert_eq!(planned(&cluster), 3 * 40);
    cluster.pass(Duration::from_millis(450));
    cluster.delivered("h1_a", 1, 120, 0);
    cluster.delivered("h1_b", 1, 120, 0);
    cluster.stop();
    assert_eq!(planned(&cluster), 240);
    cluster.stopped("h1_a");
    cluster.stopped("h1_b");
    let report = cluster.live_report();
    assert_eq!((report.delivery.planned, report.delivery.started, report.delivery.dropped), (240, 240, 0));
    assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
}

#[test]
fn arrivals_of_a_lost_worker_are_missed() {
    let mut cluster = Cluster::of(&["h1_a", "h1_b"], all_open(), load(1, 1.0));
    cluster.pass(secs(6));
    cluster.delivered("h1_a", 1, 118, 2);
    cluster.disconnect("h1_b");
    cluster.stop();
    let live = cluster.live_report().delivery;
    assert_eq!((live.planned, live.dropped), (240, 2), "figures may still come");
    cluster.stopped("h1_a");
    let report = cluster.live_report();
    assert_eq!((report.delivery.planned, report.delivery.started, report.delivery.dropped), (240, 118, 122));
    assert_eq!(report.ruling.verdict, Verdict::Invalid);
    assert!(report.ruling.reasons[0].contains("118 of 240 planned iterations"), "{:?}", report.ruling);
}

#[test]
fn arrivals_of_both_models_are_counted_together() {
    let mut cluster = Cluster::of(&["h1_a"], mixed(), load(1, 1.0));
    cluster.pass(secs(3));
    let mut delta = requests(1);
    // Five iterations of a paced user, of which one never began, beside the arrivals.
    delta.delivery.planned = 5;
    delta.delivery.started = 304;
    delta.delivery.dropped = 1;
    cluster.report("h1_a", RUN, 1, delta);
    cluster.stop();
    cluster.stopped("h1_a");
    let delivery = cluster.live_report().delivery;
    assert_eq!((delivery.planned, delivery.started, delivery.dropped), (305, 304, 1));
}

#[test]
fn resetting_the_statistics_forgets_what_was_planned_before() {
    let spec = RunSpec { reset_stats: true, ..all_open() };
    let mut cluster = Cluster::of(&["h1_a"], spec, load(1, 1.0));
    cluster.pass(secs(2));
    cluster.delivered("h1_a", 1, 80, 0);
    cluster.complete_all();
    cluster.pass(secs(2));
    cluster.delivered("h1_a", 2, 80, 0);
    cluster.stop();
    cluster.stopped("h1_a");
    let delivery = cluster.live_report().delivery;
    assert_eq!((delivery.planned, delivery.started, delivery.dropped), (80, 80, 0));
}

#[test]
fn users_of_arrivals_are_shown_and_not_compared_with_the_plan() {
    let mut cluster = Cluster::of(&["h1_a"], mixed(), load(2, 2.0));
    cluster.complete_all();
    let users = ClassCounts::from([("A".to_owned(), 2)]);
    let pool = ClassCounts::from([("B".to_owned(), 7)]);
    cluster.say("h1_a", FromWorker::Heartbeat(Heartbeat { users, pool, ..Heartbeat::default() }));
    let report = cluster.live_report();
    assert_eq!((report.users, report.workers[0].users), (9, 9));
    assert_eq!(cluster.coordinator.roster().live_user_count(cluster.now), 2);
    cluster.stopped("h1_a");
    assert_eq!(cluster.live_report().users, 0);
}

#[test]
fn locusts_workers_have_no_part_in_arrivals() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.join_locust("h1_b");
    cluster.start(mixed(), load(4, 4.0));
    assert_eq!((cluster.parts("h1_a"), cluster.parts("h1_b")), (vec![part("B", slot(0, 1), 10, 0)], vec![]));
    let mut cluster = Cluster::of(&["h1_a"], all_open(), load(4, 4.0));
    cluster.join_locust("h1_b");
    assert!(cluster.warned_of("all user classes of fraud.yaml have arrivals"));
    assert_eq!(cluster.coordinator.roster().iter().len(), 1);
}

#[test]
fn arrivals_wait_for_a_worker_and_go_on_with_the_next() {
    let mut cluster = Cluster::of(&["h1_a"], all_open(), load(1, 1.0));
    cluster.pass(secs(2));
    cluster.disconnect("h1_a");
    cluster.pass(secs(2));
    cluster.join("h1_b");
    assert_eq!(cluster.parts("h1_b")[0], part("A", slot(0, 1), 8, 4200));
    cluster.stop();
    cluster.stopped("h1_b");
    assert_eq!(cluster.live_report().delivery.dropped, 160);
}
