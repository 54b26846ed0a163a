//! Runs that follow a shape.

use std::sync::Arc;

use super::*;
use crate::delivered::DELIVERED_FLOOR;
use crate::report::{Detail, Frame, Report};
use crate::shape::{Shape, Stage, Tick, TickTarget};
use crate::verdict::Verdict;

impl Cluster {
    /// The run as it is shown now.
    pub(super) fn live_report(&self) -> Report {
        let frame = Frame {
            started_at_unix_us: 0,
            host: None,
            notes: &[],
            exit_code_on_error: None,
            min_delivered: DELIVERED_FLOOR,
        };
        let (run, roster) = (self.coordinator.run().unwrap(), self.coordinator.roster());
        Report::new(run, roster, self.now, &frame, Detail::Live)
    }

    /// Workers with a run of this shape that has just been started.
    fn shaped(workers: &[&str], shape: Shape) -> Self {
        let mut cluster = Self::new();
        workers.iter().for_each(|worker| cluster.join(worker));
        cluster.start_shape(shape);
        cluster
    }

    fn start_shape(&mut self, shape: Shape) {
        self.start(RunSpec { shape: Some(Arc::new(shape)), ..spec(RUN) }, load(1, 1.0));
    }

    /// Lets seconds pass, one by one, with workers that do at once what they are told. Returns what they were told to
    /// run during each, and at what rate.
    fn seconds(&mut self, count: usize) -> Vec<(u64, f64)> {
        let mut seconds = Vec::new();
        for _ in 0..count {
            self.complete_all_told();
            let rate: f64 = self.coordinator.run().map_or(0.0, |run| run.load.spawn_rate.as_per_second());
            seconds.push((self.told_users(), rate));
            self.pass(secs(1));
        }
        seconds
    }

    fn users(&mut self, count: usize) -> Vec<u64> {
        self.seconds(count).into_iter().map(|(users, _)| users).collect()
    }

    fn complete_all_told(&mut self) {
        let told = |(_, connection): &(&String, &ConnectionId)| self.told.contains_key(connection);
        let workers: Vec<String> =
            self.connections.iter().filter(told).map(|(worker, _)| worker.clone()).collect();
        workers.iter().for_each(|worker| self.complete(worker));
    }

    pub(super) fn stop_reason(&self) -> String {
        let events = self.coordinator.run().unwrap().timeline().events();
        let reason = events.iter().find_map(|event| match &event.kind {
            EventKind::StopRequested { reason } => Some(reason.clone()),
            _ => None,
        });
        reason.unwrap_or_default()
    }
}

fn ramp(from: u32, to: u32, seconds: u64, hold: u64) -> Shape {
    Shape::ramp(from, to, secs(seconds), secs(hold)).unwrap()
}

fn stage(seconds: u64, users: u32, rate: Option<f64>) -> Stage {
    let spawn_rate = rate.map(|rate| SpawnRate::per_second(rate).unwrap());
    Stage { duration: secs(seconds), users, spawn_rate, classes: None }
}

#[test]
fn a_line_is_told_second_by_second() {
    let mut cluster = Cluster::shaped(&["h1_a", "h1_b"], ramp(0, 12, 3, 2));
    assert_eq!(cluster.seconds(4), [(4, 4.0), (8, 4.0), (12, 4.0), (12, 12.0)]);
    assert_eq!(cluster.phase(), Phase::Running);
    assert_eq!(cluster.users(2), [12, 12]);
    assert_eq!((cluster.phase(), cluster.stop_reason().as_str()), (Phase::Stopping, SHAPE_OVER));
}

#[test]
fn rates_of_all_workers_add_up_to_the_slope() {
    let mut cluster = Cluster::shaped(&["h1_a", "h1_b", "h2_a"], ramp(0, 100, 10, 0));
    for _ in 0..9 {
        cluster.seconds(1);
        let rate: f64 = cluster.told.values().map(|told| told.spawn_rate).sum();
        assert!((rate - 10.0).abs() < 1e-9, "{rate}");
    }
}

#[test]
fn workers_in_step_with_a_line_are_told_no_more_than_the_next_step() {
    let mut cluster = Cluster::shaped(&["h1_a", "h1_b"], ramp(0, 100, 10, 0));
    // The last heartbeat of one is older than that of the other, which changes nothing.
    for _ in 0..5 {
        cluster.pass(Duration::from_millis(750));
        cluster.beat("h1_a");
        cluster.pass(Duration::from_millis(250));
        let rates: Vec<f64> = cluster.told.values().map(|told| told.spawn_rate).collect();
        assert_eq!(rates, [5.0, 5.0]);
    }
}

#[test]
fn people_hear_of_a_segment_once() {
    let mut cluster = Cluster::shaped(&["h1_a"], ramp(0, 30, 10, 10));
    cluster.seconds(21);
    cluster.stopped("h1_a");
    let count = |event| cluster.count(event);
    assert_eq!((count("Ramp"), count("RampComplete"), count("StopRequested")), (2, 1, 1));
    let told = |notice: &&Notice| matches!(notice, Notice::Info(text) if text.starts_with("Ramping"));
    assert_eq!(cluster.notices.iter().filter(told).count(), 2);
    let told: Vec<_> = cluster.coordinator.run().unwrap().timeline().events().iter().collect();
    assert!(matches!(told[0].kind, EventKind::Ramp { from: 0, to: 30, .. }), "{:?}", told[0]);
}

#[test]
fn stages_with_a_rate_keep_to_it() {
    let mut cluster = Cluster::shaped(
        &["h1_a"],
        Shape::stages(vec![stage(3, 30, Some(10.0)), stage(2, 30, Some(2.0)), stage(2, 5, Some(50.0))])
            .unwrap(),
    );
    let expected = [(30, 10.0), (30, 10.0), (30, 10.0), (30, 2.0), (30, 2.0), (5, 50.0), (5, 50.0)];
    assert_eq!(cluster.seconds(7), expected);
    assert_eq!(cluster.phase(), Phase::Stopping);
}

#[test]
fn a_shape_ends_between_two_looks() {
    let shape = Shape::ramp(4, 4, Duration::from_millis(2500), Duration::ZERO).unwrap();
    let mut cluster = Cluster::shaped(&["h1_a"], shape);
    cluster.pass(Duration::from_millis(2499));
    assert_ne!(cluster.phase(), Phase::Stopping);
    cluster.pass(Duration::from_millis(1));
    assert_eq!(cluster.phase(), Phase::Stopping);
}

#[test]
fn a_stage_takes_new_users_from_its_classes() {
    let only = |classes: &[&str]| Some(classes.iter().map(|class| (*class).to_owned()).collect());
    let mut cluster = Cluster::shaped(
        &["h1_a"],
        Shape::stages(vec![
            Stage { classes: only(&["B"]), ..stage(2, 4, Some(4.0)) },
            Stage { classes: only(&["A"]), ..stage(2, 6, Some(4.0)) },
            Stage { classes: None, ..stage(2, 14, Some(10.0)) },
        ])
        .unwrap(),
    );
    let of = |cluster: &Cluster| {
        let users = cluster.users_of("h1_a");
        ["A", "B"].map(|class| users.get(class).copied().unwrap_or(0))
    };
    assert_eq!(of(&cluster), [0, 4]);
    cluster.seconds(2);
    assert_eq!(of(&cluster), [2, 4]);
    cluster.seconds(2);
    assert_eq!(of(&cluster), [8, 6], "of eight more, three quarters are of class A");
}

#[test]
fn a_selection_outlasts_a_worker() {
    let classes = Some(vec!["B".to_owned()]);
    let shape = Shape::stages(vec![Stage { classes, ..stage(20, 4, Some(4.0)) }]).unwrap();
    let mut cluster = Cluster::shaped(&["h1_a"], shape);
    cluster.disconnect("h1_a");
    cluster.join("h1_b");
    assert_eq!(cluster.users_of("h1_b"), ClassCounts::from([("B".to_owned(), 4)]));
}

/// Asks a function.
#[derive(Debug)]
struct Script(fn(u64, u32) -> Result<Option<TickTarget>, String>);

impl Tick for Script {
    fn tick(&self, run_time: RunTime, users: u32) -> Result<Option<TickTarget>, String> {
        self.0(run_time.as_secs(), users)
    }
}

fn ticked(script: fn(u64, u32) -> Result<Option<TickTarget>, String>) -> Shape {
    Shape::tick(Arc::new(Script(script)))
}

fn target(users: u32) -> TickTarget {
    TickTarget { users, spawn_rate: None, classes: None }
}

#[test]
fn a_tick_is_asked_every_second_and_told_who_runs() {
    let mut cluster = Cluster::shaped(
        &["h1_a"],
        ticked(|second, users| {
            assert_eq!(users, if second < 4 { 3 * second as u32 } else { 0 }, "at {second}");
            Ok((second < 4).then(|| target(3 * (second as u32 + 1))))
        }),
    );
    // The last look ends the run.
    assert_eq!(cluster.seconds(3), [(3, 3.0), (6, 3.0), (9, 3.0)]);
}

#[test]
fn a_tick_that_fails_stops_the_run_and_proves_nothing() {
    let check = |script, expected: &str| {
        let mut cluster = Cluster::shaped(&["h1_a"], ticked(script));
        cluster.seconds(4);
        cluster.report("h1_a", RUN, 1, requests(5));
        cluster.stopped("h1_a");
        assert!(cluster.is_over(), "{expected}: {:?} {:?}", cluster.events(), cluster.notices);
        assert_eq!(cluster.stop_reason(), format!("the shape failed: {expected}"));
        assert!(cluster.warned_of(expected), "{:?}", cluster.notices);
        let ruling = cluster.live_report().ruling;
        assert_eq!(ruling.verdict, Verdict::Invalid);
        assert!(ruling.reasons[0].contains(expected), "{ruling:?}");
    };
    check(|second, _| if second < 2 { Ok(Some(target(3))) } else { Err("boom".to_owned()) }, "boom");
    check(|_, _| Err("boom at once".to_owned()), "boom at once");
    check(
        |_, _| Ok(Some(TickTarget { classes: Some(vec!["C".to_owned()]), ..target(1) })),
        r#"user class "C" cannot be selected: it is unknown, or has neither a weight nor a fixed count"#,
    );
}

#[test]
fn a_shape_that_is_over_at_once_begins_and_ends() {
    let mut cluster = Cluster::shaped(&["h1_a"], ticked(|_, _| Ok(None)));
    assert_eq!((cluster.phase(), cluster.told_users()), (Phase::Stopping, 0));
    cluster.stopped("h1_a");
    assert!(cluster.is_over());
}

#[test]
fn nobody_edits_a_run_that_follows_its_shape() {
    let mut cluster = Cluster::shaped(&["h1_a"], ramp(0, 10, 5, 5));
    assert!(cluster.edit(50, 10.0).is_some_and(|reason| reason.contains("follows its shape")));
    assert_eq!(cluster.users(2), [2, 4]);
}

#[test]
fn users_that_are_lost_on_a_line_are_made_up_for_within_seconds() {
    let mut cluster = Cluster::shaped(&["h1_a", "h1_b"], ramp(0, 1000, 100, 10));
    cluster.seconds(50);
    cluster.disconnect("h1_b");
    cluster.told.retain(|connection, _| cluster.connections.values().any(|it| it == connection));
    assert_eq!(cluster.shares(), [("h1_a", 510)], "all are placed again at once");
    // The worker tells of the users that it has, not of those that it was told.
    cluster.mute.insert("h1_a".to_owned());
    let tell = |cluster: &mut Cluster, users: u32| {
        let users = ClassCounts::from([("A".to_owned(), users)]);
        cluster.say("h1_a", FromWorker::Heartbeat(Heartbeat { users, ..Heartbeat::default() }));
    };
    tell(&mut cluster, 255);
    cluster.pass(secs(1));
    let rate = |cluster: &Cluster| cluster.told[&cluster.connections["h1_a"]].spawn_rate;
    assert_eq!(cluster.told_users(), 520);
    assert!((rate(&cluster) - 265.0).abs() < 1.0, "{}", rate(&cluster));
    tell(&mut cluster, 520);
    cluster.pass(secs(1));
    assert!((rate(&cluster) - 10.0).abs() < 1e-9, "and then it goes on as before: {}", rate(&cluster));
}

#[test]
fn a_worker_that_joins_on_a_line_takes_its_share() {
    let mut cluster = Cluster::shaped(&["h1_a", "h1_b"], ramp(0, 120, 20, 0));
    cluster.seconds(10);
    cluster.join("h2_a");
    cluster.seconds(2);
    assert_eq!(cluster.shares(), [("h1_a", 26), ("h1_b", 26), ("h2_a", 26)]);
    assert_eq!(cluster.count("RampComplete"), 0, "a line completes nothing");
}

#[test]
fn without_workers_the_shape_goes_on_and_the_next_one_is_told_where_it_is() {
    let mut cluster = Cluster::shaped(&["h1_a"], ramp(0, 100, 50, 0));
    cluster.seconds(10);
    cluster.disconnect("h1_a");
    cluster.told.clear();
    cluster.pass(secs(10));
    cluster.join("h1_b");
    assert_eq!(cluster.shares(), [("h1_b", 42)]);
}

#[test]
fn the_next_run_owes_nothing_to_a_shape() {
    let mut cluster = Cluster::shaped(&["h1_a"], ramp(0, 100, 50, 0));
    cluster.seconds(5);
    cluster.start(spec("run-2"), load(8, 4.0));
    cluster.seconds(5);
    assert_eq!(cluster.shares(), [("h1_a", 8)]);
    assert_eq!(cluster.phase(), Phase::Running);
}

#[test]
fn locusts_workers_follow_a_shape_in_steps() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.join_locust("h1_b");
    cluster.start_shape(Shape::stages(vec![stage(3, 12, None), stage(3, 4, Some(2.0))]).unwrap());
    assert_eq!(cluster.users(6), [4, 8, 12, 10, 8, 6]);
    assert_eq!((cluster.phase(), cluster.stop_reason().as_str()), (Phase::Stopping, SHAPE_OVER));
    // A line is a step of as many users every second, whoever asks.
    let mut cluster = Cluster::new();
    cluster.join_locust("h1_a");
    cluster.start_shape(Shape::sine(2, 10, secs(8), secs(16)).unwrap());
    assert_eq!(cluster.users(9), [3, 6, 9, 10, 9, 6, 3, 2, 3]);
}
