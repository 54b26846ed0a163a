//! What the coordinator decides, played through with scripted workers on a clock that only the tests move.

mod adjust;
mod arrivals;
mod by_hand;
mod files;
mod finished;
mod locust;
mod rows;
mod setup;
mod shape;
mod supply;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::*;
use crate::dispatch::{ClassSpec, Dispatcher};
use crate::ids::Generation;
use crate::messages::{Assignment, ClassCounts, HEARTBEAT_INTERVAL, Resources, Wire};
use crate::preflight::Demand;
use crate::roster::{FORGET_AFTER, total};
use crate::stats::{Recorder, Sample, StatsDelta};
use crate::time::RunTime;

const RUN: &str = "run-1";

fn class(name: &str, weight: f64, fixed_count: u32) -> ClassSpec {
    ClassSpec { name: name.to_owned(), weight, fixed_count }
}

fn spec(run: &str) -> RunSpec {
    RunSpec {
        id: RunId::new(run),
        classes: vec![class("A", 3.0, 0), class("B", 1.0, 0)],
        scenario: ScenarioSource { name: "fraud.yaml".to_owned(), text: Some("users: {}".to_owned()) },
        criteria: Vec::new(),
        demand: Demand::default(),
        measured_from_s: None,
        parsed_options: Vec::new(),
        named_classes: Vec::new(),
        tags: Vec::new(),
        exclude_tags: Vec::new(),
        adjustments: crate::scenario::Adjustments::default(),
        iterations: None,
        has_setup: false,
        has_teardown: false,
        files: Arc::default(),
        sources: BTreeMap::new(),
        profile: None,
        host: None,
        stop_timeout: Duration::from_secs(5),
        reset_stats: false,
        seed: 7,
        shape: None,
        arrivals: Vec::new(),
    }
}

fn load(users: u32, spawn_rate: f64) -> Load {
    Load::new(i64::from(users), spawn_rate, None).unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn id(worker: &str) -> WorkerId {
    WorkerId::new(worker).unwrap()
}

fn ready(worker: &str, wire: Wire, run: Option<&str>) -> Ready {
    Ready {
        worker: id(worker),
        wire,
        wire_version: WIRE_VERSION,
        software_version: "1.0".to_owned(),
        capabilities: Vec::new(),
        run: run.map(RunId::new),
        resources: Resources::default(),
    }
}

/// A delta of `requests` requests.
fn requests(requests: u64) -> StatsDelta {
    let mut recorder = Recorder::default();
    let entry = recorder.entry("GET", "/");
    for _ in 0..requests {
        let at = RunTime::from_secs(1);
        recorder
            .record(entry, &Sample { intended: at, start: at, end: at, response_length: 0, failure: None });
    }
    recorder.take()
}

/// A coordinator, the messages it sent, and workers that say what a test makes them say. After every step it checks
/// what must always hold.
#[derive(Default)]
struct Cluster {
    coordinator: Coordinator,
    now: Moment,
    connections: BTreeMap<String, ConnectionId>,
    next_connection: u64,
    /// Messages by connection that no test has looked at yet, without the answers to heartbeats.
    unread: BTreeMap<ConnectionId, Vec<ToWorker>>,
    /// The last assignment of every connection.
    told: BTreeMap<ConnectionId, Assignment>,
    generation: Generation,
    closed: Vec<ConnectionId>,
    notices: Vec<Notice>,
    /// Workers that say nothing while time passes.
    mute: BTreeSet<String>,
    /// Users that the assignments must add up to, as long as there is a worker.
    target: Option<u64>,
}

impl Cluster {
    fn new() -> Self {
        Self::default()
    }

    /// Workers with a run that has just been started.
    fn started(workers: &[&str], users: u32, spawn_rate: f64) -> Self {
        let mut cluster = Self::new();
        workers.iter().for_each(|worker| cluster.join(worker));
        cluster.start(spec(RUN), load(users, spawn_rate));
        cluster
    }

    /// The same, at its target, with everything read.
    fn running(workers: &[&str], users: u32, spawn_rate: f64) -> Self {
        let mut cluster = Self::started(workers, users, spawn_rate);
        cluster.complete_all();
        cluster.unread.clear();
        cluster
    }

    fn start(&mut self, spec: RunSpec, load: Load) {
        self.target = Some(u64::from(load.users));
        self.coordinator.start(self.now, spec, load);
        self.drain();
    }

    fn start_when_ready(&mut self, expect_workers: usize, max_wait: Option<Duration>) {
        let autostart = Autostart { spec: spec(RUN), load: load(8, 4.0), expect_workers, max_wait };
        self.coordinator.start_when_ready(self.now, autostart);
        self.drain();
    }

    /// Changes the users of the run. Returns why that cannot be, if it cannot.
    fn edit(&mut self, users: u32, spawn_rate: f64) -> Option<&'static str> {
        self.target = Some(u64::from(users));
        let edited = self.coordinator.edit(self.now, users, SpawnRate::per_second(spawn_rate).unwrap());
        self.drain();
        edited.err()
    }

    fn stop(&mut self) {
        self.coordinator.stop(self.now, "because");
        self.drain();
    }

    fn join(&mut self, worker: &str) {
        self.introduce(worker, None, WIRE_VERSION);
    }

    fn rejoin(&mut self, worker: &str, run: &str) {
        self.introduce(worker, Some(run), WIRE_VERSION);
    }

    fn introduce(&mut self, worker: &str, run: Option<&str>, wire_version: u32) {
        self.next_connection += 1;
        self.connections.insert(worker.to_owned(), ConnectionId(self.next_connection));
        let ready = Ready { wire_version, ..ready(worker, Wire::Grpc, run) };
        self.say(worker, FromWorker::Ready(ready));
    }

    fn say(&mut self, worker: &str, message: FromWorker) {
        self.say_on(self.connections[worker], message);
    }

    fn say_on(&mut self, connection: ConnectionId, message: FromWorker) {
        self.coordinator.handle_message(self.now, connection, message);
        self.drain();
    }

    fn beat(&mut self, worker: &str) {
        let told = self.told.get(&self.connections[worker]);
        let users = told.map(|told| told.users.clone()).unwrap_or_default();
        self.say(worker, FromWorker::Heartbeat(Heartbeat { users, ..Heartbeat::default() }));
    }

    /// The worker runs what it was told to.
    fn complete(&mut self, worker: &str) {
        let Assignment { generation, users, .. } = self.told[&self.connections[worker]].clone();
        self.say(worker, FromWorker::SpawningComplete { generation, users });
    }

    fn complete_all(&mut self) {
        for worker in self.connections.keys().cloned().collect::<Vec<_>>() {
            self.complete(&worker);
        }
    }

    fn report(&mut self, worker: &str, run: &str, seq: u64, delta: StatsDelta) {
        self.say(worker, FromWorker::Stats(StatsReport { run: RunId::new(run), seq, delta }));
    }

    fn stopped(&mut self, worker: &str) {
        self.say(worker, FromWorker::ClientStopped { run: RunId::new(RUN) });
    }

    fn disconnect(&mut self, worker: &str) {
        let connection = self.connections.remove(worker).unwrap();
        self.end(connection);
    }

    fn end(&mut self, connection: ConnectionId) {
        self.coordinator.handle_disconnected(self.now, connection, "gone");
        self.drain();
    }

    /// Lets time pass, with heartbeats of all workers that are not mute.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut beat = self.now + HEARTBEAT_INTERVAL;
        loop {
            let timeout = self.coordinator.poll_timeout().unwrap_or(Moment::MAX);
            let next = timeout.min(beat);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if timeout <= self.now {
                self.coordinator.handle_timeout(self.now);
                self.drain();
                assert!(
                    self.coordinator.poll_timeout().is_none_or(|at| at > self.now),
                    "a timer that is always due"
                );
            }
            if beat <= self.now {
                beat += HEARTBEAT_INTERVAL;
                let talkers = self.connections.keys().filter(|worker| !self.mute.contains(*worker));
                talkers.cloned().collect::<Vec<_>>().iter().for_each(|worker| self.beat(worker));
            }
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(effect) = self.coordinator.poll_effect() {
            match effect {
                Effect::Send { to, message } => self.deliver(to, message),
                Effect::Close { connection } => self.closed.push(connection),
                Effect::Log(notice) => self.notices.push(notice),
            }
        }
        self.check_sum();
    }

    fn deliver(&mut self, to: ConnectionId, message: ToWorker) {
        if let ToWorker::Spawn(assignment) = &message {
            assert!(assignment.generation >= self.generation, "generations never fall");
            let before = self.told.get(&to).map(|told| told.generation);
            assert!(before < Some(assignment.generation), "generations rise for every worker");
            self.generation = assignment.generation;
            self.told.insert(to, assignment.clone());
        }
        if !matches!(message, ToWorker::Heartbeat { .. }) {
            self.unread.entry(to).or_default().push(message);
        }
    }

    /// The sum over all workers equals the target, at every decision, unless it is reached in steps.
    fn check_sum(&self) {
        let active = self.coordinator.run().is_some_and(|run| run.phase().is_active() && run.steps.is_none());
        if active && self.coordinator.roster().active().next().is_some() && !self.coordinator.quitting {
            let decides = |run: &&Run| run.spec.shape.is_some() || run.spec.is_open();
            let target = self.coordinator.run().filter(decides).map(|run| u64::from(run.load.users));
            let target = target.or(self.target);
            assert_eq!(Some(self.told_users()), target, "the sum of all assignments");
        }
    }

    fn told_users(&self) -> u64 {
        let nodes = self.coordinator.roster().active();
        nodes.filter_map(|node| self.told.get(&node.connection)).map(|told| total(&told.users)).sum()
    }

    /// Users that each worker was told to run.
    fn shares(&self) -> Vec<(&str, u64)> {
        let share =
            |(worker, connection)| (worker, self.told.get(connection).map_or(0, |told| total(&told.users)));
        self.connections.iter().map(|(worker, connection)| (worker.as_str(), connection)).map(share).collect()
    }

    fn users_of(&self, worker: &str) -> ClassCounts {
        self.told[&self.connections[worker]].users.clone()
    }

    fn phase(&self) -> Phase {
        self.coordinator.run().unwrap().phase()
    }

    fn is_over(&self) -> bool {
        self.coordinator.outcome() == Some(&Outcome::Ended)
    }

    fn requests(&self) -> u64 {
        self.coordinator.run().unwrap().stats().total().requests
    }

    /// What a worker was told since the last look, in short.
    fn read(&mut self, worker: &str) -> Vec<String> {
        let messages = self.unread.remove(&self.connections[worker]).unwrap_or_default();
        messages.iter().map(in_short).collect()
    }

    /// The names of all events of the run.
    fn events(&self) -> Vec<String> {
        let events = self.coordinator.run().unwrap().timeline().events();
        assert!(events.is_sorted_by_key(|event| event.at), "{events:?}");
        let name =
            |event: &crate::timeline::Event| format!("{:?}", event.kind).split(' ').next().map(str::to_owned);
        events.iter().filter_map(name).collect()
    }

    fn count(&self, event: &str) -> usize {
        self.events().iter().filter(|name| *name == event).count()
    }

    fn warned_of(&self, text: &str) -> bool {
        self.notices.iter().any(|notice| matches!(notice, Notice::Warning(warning) if warning.contains(text)))
    }
}

fn in_short(message: &ToWorker) -> String {
    match message {
        ToWorker::Ack { index } => format!("ack {index}"),
        ToWorker::Refused { .. } => "refused".to_owned(),
        ToWorker::Plan(plan) => format!("plan {}", plan.run),
        ToWorker::Setup(plan) => format!("setup {}", plan.run),
        ToWorker::Teardown(plan) => format!("teardown {}", plan.run),
        ToWorker::FileChunk(chunk) => {
            format!("chunk {}+{} of {}", chunk.offset, chunk.bytes.len(), chunk.total)
        }
        ToWorker::RowsLease(lease) => {
            let end = if lease.exhausted { ", and no more ever" } else { "" };
            format!("{} {}: {:?}{end}", lease.source, lease.request, lease.ranges)
        }
        ToWorker::Spawn(assignment) => format!("spawn {}", total(&assignment.users)),
        ToWorker::SpawningComplete { user_count, reset_stats: false } => format!("complete {user_count}"),
        ToWorker::SpawningComplete { user_count, reset_stats: true } => {
            format!("complete {user_count}, reset")
        }
        ToWorker::StatsAck { run, seq } => format!("stats {run} {seq}"),
        ToWorker::Heartbeat { .. } => "heartbeat".to_owned(),
        ToWorker::Stop { run } => format!("stop {run}"),
        ToWorker::Quit => "quit".to_owned(),
    }
}

// The start.

#[test]
fn the_run_starts_when_enough_workers_are_there() {
    let mut cluster = Cluster::new();
    cluster.target = Some(8);
    cluster.start_when_ready(2, Some(secs(10)));
    cluster.join("h1_a");
    assert!(cluster.coordinator.run().is_none());
    assert_eq!(cluster.read("h1_a"), ["ack 0"]);
    cluster.join("h1_b");
    assert_eq!(cluster.read("h1_a"), ["plan run-1", "spawn 4"]);
    assert_eq!(cluster.read("h1_b"), ["ack 1", "plan run-1", "spawn 4"]);
    cluster.pass(secs(20));
    assert_eq!(cluster.coordinator.outcome(), None, "nobody waits any more");
}

#[test]
fn too_few_workers_in_time_are_named() {
    let mut cluster = Cluster::new();
    cluster.start_when_ready(3, Some(secs(10)));
    cluster.join("h1_a");
    cluster.join("h1_b");
    cluster.pass(secs(9));
    assert_eq!(cluster.coordinator.outcome(), None);
    cluster.pass(secs(1));
    let present = vec![id("h1_a"), id("h1_b")];
    assert_eq!(cluster.coordinator.outcome(), Some(&Outcome::NoWorkers { expected: 3, present }));
    cluster.join("h1_c");
    assert!(cluster.coordinator.run().is_none(), "too late");
}

#[test]
fn a_start_by_hand_ends_the_wait_for_workers() {
    let mut cluster = Cluster::new();
    cluster.start_when_ready(2, Some(secs(10)));
    cluster.join("h1_a");
    cluster.start(spec("by-hand"), load(8, 4.0));
    cluster.join("h1_b");
    cluster.pass(secs(20));
    assert_eq!(cluster.coordinator.run().unwrap().id().as_str(), "by-hand");
    assert_eq!(cluster.coordinator.outcome(), None);
}

#[test]
fn a_worker_that_is_back_from_silence_counts_as_ready() {
    let mut cluster = Cluster::new();
    cluster.target = Some(8);
    cluster.start_when_ready(2, None);
    cluster.join("h1_a");
    cluster.mute.insert("h1_a".to_owned());
    cluster.pass(secs(4));
    cluster.join("h1_b");
    assert!(cluster.coordinator.run().is_none());
    cluster.beat("h1_a");
    assert_eq!(cluster.shares(), [("h1_a", 4), ("h1_b", 4)]);
}

#[test]
fn the_next_run_owes_nothing_to_the_last_one() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.start(spec(RUN), Load { run_time: Some(secs(30)), ..load(8, 4.0) });
    cluster.complete_all();
    cluster.edit(20, 4.0);
    cluster.complete_all();
    cluster.stop();
    let late = cluster.told[&cluster.connections["h1_a"]].generation;
    cluster.read("h1_a");
    // The worker has not answered yet: its users, its generation and three timers are left over.
    cluster.start(spec("run-2"), load(20, 4.0));
    assert_eq!(cluster.read("h1_a"), ["plan run-2", "spawn 20"]);
    assert_eq!(cluster.phase(), Phase::Spawning);
    cluster.say("h1_a", FromWorker::SpawningComplete { generation: late, users: ClassCounts::new() });
    cluster.stopped("h1_a");
    assert_eq!(cluster.phase(), Phase::Spawning, "that was about the run before");
    cluster.complete_all();
    assert_eq!(cluster.phase(), Phase::Running);
    cluster.pass(secs(100));
    assert_eq!(cluster.phase(), Phase::Running, "no timer of the run before ends it");
}

// Placement.

#[test]
fn shares_of_the_spawn_rate_add_up_to_it() {
    let check = |workers: &[&str], users, rate: f64| {
        let cluster = Cluster::started(workers, users, rate);
        let sum: f64 =
            cluster.told.values().filter(|told| !told.users.is_empty()).map(|told| told.spawn_rate).sum();
        assert!((sum - rate).abs() < 1e-9, "{workers:?} {users} {rate}: {sum}");
        let firsts: BTreeSet<Duration> = cluster.told.values().map(|told| told.first_delay).collect();
        assert!(firsts.contains(&Duration::ZERO), "the ramp begins at once: {firsts:?}");
    };
    check(&["h1_a"], 10, 2.5);
    check(&["h1_a", "h1_b"], 10, 2.5);
    check(&["h1_a", "h1_b", "h2_a"], 10, 100.0);
    check(&["h1_a", "h1_b", "h2_a"], 1, 0.1);
}

#[test]
fn workers_that_make_room_arrive_with_those_that_take_it() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b", "h1_c"], 43, 4.0);
    let before = ["h1_a", "h1_b", "h1_c"].map(|worker| (worker, cluster.users_of(worker)));
    let mut before = BTreeMap::from(before);
    cluster.join("h1_d");
    before.insert("h1_d", ClassCounts::new());
    let (mut both, mut spawn_rate, mut stop_rate, mut longest) = (0, 0.0, 0.0, 0.0_f64);
    for (worker, from) in before {
        let told = &cluster.told[&cluster.connections[worker]];
        let count = |users: &ClassCounts, class| i64::from(users.get(class).copied().unwrap_or(0));
        let changes = ["A", "B"].map(|class| count(&told.users, class) - count(&from, class));
        let spawns: i64 = changes.iter().filter(|change| **change > 0).sum();
        let stops: i64 = -changes.iter().filter(|change| **change < 0).sum::<i64>();
        both += i32::from(spawns > 0 && stops > 0);
        spawn_rate += if spawns > 0 { told.spawn_rate } else { 0.0 };
        stop_rate += if stops > 0 { told.spawn_rate } else { 0.0 };
        let seconds = spawns.max(stops) as f64 / told.spawn_rate;
        assert!(
            longest == 0.0 || (seconds - longest).abs() < 1e-9,
            "{worker} takes {seconds}, not {longest}"
        );
        longest = seconds;
    }
    assert!(both > 0, "a worker exchanges users of one class for users of the other");
    assert!(spawn_rate < 4.0 + 1e-9 && stop_rate < 4.0 + 1e-9, "{spawn_rate} {stop_rate}");
}

#[test]
fn a_worker_that_seems_settled_moves_at_a_fair_rate_if_it_must() {
    let mut cluster = Cluster::started(&["h1_a", "h1_b"], 1000, 1000.0);
    // Nobody has said yet that users are running.
    cluster.pass(Duration::from_millis(400));
    cluster.edit(0, 1000.0);
    for told in cluster.told.values() {
        assert_eq!((told.users.len(), told.spawn_rate), (0, 500.0));
    }
}

#[test]
fn decisions_in_a_row_keep_to_one_rhythm() {
    let mut cluster = Cluster::started(&["h1_a"], 100, 1.0);
    for (joiner, millis) in [("h1_b", 250), ("h1_c", 500), ("h1_d", 750)] {
        cluster.now = Moment::from_micros(millis * 1000);
        cluster.join(joiner);
        let first = cluster.told.values().map(|told| told.first_delay).min().unwrap();
        assert_eq!(cluster.now + first, Moment::from_secs(1), "after {joiner} joined");
    }
}

#[test]
fn fixed_counts_come_first() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.join("h1_b");
    let classes = vec![class("Admin", 0.0, 3), class("Buyer", 1.0, 0)];
    cluster.start(RunSpec { classes, ..spec(RUN) }, load(10, 4.0));
    let of_class = |class: &str| cluster.told.values().filter_map(|told| told.users.get(class)).sum::<u32>();
    assert_eq!((of_class("Admin"), of_class("Buyer")), (3, 7));
}

#[test]
fn the_ramp_is_complete_once_when_all_workers_are() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.join("h1_b");
    cluster.start(RunSpec { reset_stats: true, ..spec(RUN) }, load(8, 4.0));
    cluster.report("h1_a", RUN, 1, requests(5));
    cluster.complete("h1_a");
    assert_eq!((cluster.phase(), cluster.requests()), (Phase::Spawning, 5));
    cluster.unread.clear();
    cluster.complete("h1_b");
    assert_eq!((cluster.phase(), cluster.requests()), (Phase::Running, 0));
    assert_eq!(cluster.read("h1_a"), ["complete 8, reset"]);
    assert_eq!(cluster.read("h1_b"), ["complete 8, reset"]);
    cluster.complete("h1_b");
    assert_eq!(cluster.read("h1_b"), [""; 0]);
    // The next ramp resets nothing.
    cluster.edit(4, 4.0);
    cluster.report("h1_a", RUN, 2, requests(5));
    cluster.complete_all();
    assert_eq!(cluster.read("h1_a"), ["spawn 2", "stats run-1 2", "complete 4"]);
    assert_eq!((cluster.requests(), cluster.count("RampComplete")), (5, 2));
}

#[test]
fn an_answer_to_an_older_assignment_settles_nobody() {
    let mut cluster = Cluster::started(&["h1_a"], 8, 4.0);
    let Assignment { generation, users, .. } = cluster.told[&cluster.connections["h1_a"]].clone();
    cluster.edit(20, 4.0);
    for answer in [generation, Generation(u64::MAX)] {
        cluster.say("h1_a", FromWorker::SpawningComplete { generation: answer, users: users.clone() });
        assert_eq!(cluster.phase(), Phase::Spawning, "{answer:?}");
    }
    cluster.complete("h1_a");
    assert_eq!(cluster.phase(), Phase::Running);
}

#[test]
fn an_edit_moves_users_up_and_down() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    let check = |cluster: &mut Cluster, users: u32, each: u64| {
        cluster.edit(users, 4.0);
        assert_eq!(cluster.shares(), [("h1_a", each), ("h1_b", each)]);
        cluster.complete_all();
        assert_eq!(cluster.phase(), Phase::Running);
    };
    check(&mut cluster, 20, 10);
    check(&mut cluster, 2, 1);
    check(&mut cluster, 0, 0);
    check(&mut cluster, 6, 3);
    cluster.coordinator.stop(cluster.now, "");
    cluster.drain();
    cluster.unread.clear();
    cluster.edit(50, 4.0);
    assert_eq!(cluster.read("h1_a"), [""; 0], "the run no longer takes edits");
}

// Coming and going.

#[test]
fn a_loss_moves_only_the_lost_users() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b", "h1_c", "h1_d"], 42, 4.0);
    let before: BTreeMap<_, _> =
        ["h1_a", "h1_b", "h1_d"].map(|worker| (worker, cluster.users_of(worker))).into();
    let lost = cluster.users_of("h1_c");
    cluster.disconnect("h1_c");
    let mut gained = ClassCounts::new();
    for (worker, users) in before {
        for (class, after) in cluster.users_of(worker) {
            let before = users.get(&class).copied().unwrap_or(0);
            assert!(after >= before, "{worker} loses users of {class}");
            *gained.entry(class).or_default() += after - before;
        }
    }
    gained.retain(|_, users| *users > 0);
    assert_eq!(gained, lost);
    assert_eq!(cluster.phase(), Phase::Spawning);
    assert_eq!(cluster.count("WorkerLost"), 1);
}

#[test]
fn with_rebalancing_a_loss_places_all_users_as_locust_does() {
    let workers = ["h1_a", "h1_b", "h1_c", "h1_d"];
    let mut cluster = Cluster {
        coordinator: Coordinator::new(Policy { rebalance_on_loss: true, one_run: false }),
        ..Cluster::new()
    };
    workers.iter().for_each(|worker| cluster.join(worker));
    cluster.start(spec(RUN), load(42, 4.0));
    cluster.disconnect("h1_b");
    let mut locust = Dispatcher::new(spec(RUN).classes, workers).unwrap();
    locust.ramp(42);
    locust.remove_worker("h1_b").unwrap();
    for (worker, users) in locust.current().by_name() {
        assert_eq!(cluster.users_of(&worker), users, "{worker}");
    }
}

#[test]
fn silence_costs_a_worker_its_users_and_a_word_brings_them_back() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.mute.insert("h1_b".to_owned());
    cluster.pass(Wire::Grpc.liveness() - Duration::from_millis(1));
    assert_eq!(cluster.shares(), [("h1_a", 4), ("h1_b", 4)]);
    cluster.pass(secs(3) - Wire::Grpc.liveness());
    assert_eq!(cluster.shares(), [("h1_a", 8), ("h1_b", 0)]);
    assert_eq!(cluster.read("h1_b"), ["spawn 0"], "it is recalled, should it ever listen");
    assert_eq!(cluster.coordinator.roster().user_count(), 8, "nobody counts on its users");
    cluster.complete("h1_a");
    cluster.beat("h1_b");
    assert_eq!(cluster.read("h1_b"), ["complete 8", "plan run-1", "spawn 4"][1..]);
    let told = &cluster.told[&cluster.connections["h1_b"]];
    assert_eq!(told.spawn_rate, 4.0, "after the recall it has all its users to spawn");
    assert_eq!((cluster.count("WorkerLost"), cluster.count("WorkerReturned")), (1, 1));
}

#[test]
fn workers_that_fall_silent_together_are_lost_in_one_decision() {
    let check = |mute: &[&str], shares: &[u64]| {
        let mut cluster = Cluster::running(&["h1_a", "h1_b", "h1_c"], 3, 4.0);
        let before = cluster.count("RampComplete");
        cluster.mute.extend(mute.iter().map(|worker| (*worker).to_owned()));
        cluster.pass(secs(3));
        assert_eq!(cluster.shares().iter().map(|share| share.1).collect::<Vec<_>>(), shares);
        assert_eq!((cluster.phase(), cluster.count("RampComplete")), (Phase::Spawning, before), "{mute:?}");
    };
    check(&["h1_a", "h1_b"], &[0, 0, 3]);
    check(&["h1_a", "h1_b", "h1_c"], &[0, 0, 0]);
}

#[test]
fn a_worker_that_stays_silent_is_forgotten() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    let connection = cluster.connections["h1_b"];
    cluster.mute.insert("h1_b".to_owned());
    cluster.pass(FORGET_AFTER + secs(10));
    assert_eq!(cluster.closed, [connection], "once");
    cluster.end(connection);
    assert_eq!(cluster.coordinator.roster().iter().len(), 1);
}

#[test]
fn a_worker_that_joins_gets_its_share() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 9, 4.0);
    cluster.join("h1_c");
    assert_eq!(cluster.read("h1_c"), ["ack 2", "plan run-1", "spawn 3"]);
    assert_eq!(cluster.shares(), [("h1_a", 3), ("h1_b", 3), ("h1_c", 3)]);
    cluster.complete_all();
    assert_eq!((cluster.phase(), cluster.count("WorkerJoined")), (Phase::Running, 1));
}

#[test]
fn a_worker_without_a_share_is_told_so() {
    let mut cluster = Cluster::started(&["h1_a"], 1, 4.0);
    cluster.join("h1_b");
    assert_eq!(cluster.read("h1_b"), ["ack 1", "plan run-1", "spawn 0"]);
    // It may still run users from before its connection broke.
    cluster.rejoin("h1_b", RUN);
    assert_eq!(cluster.read("h1_b"), ["ack 1", "plan run-1", "spawn 0"]);
}

#[test]
fn a_worker_that_comes_back_goes_on_with_the_run() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.disconnect("h1_b");
    cluster.rejoin("h1_b", RUN);
    assert_eq!(cluster.read("h1_b"), ["ack 1", "plan run-1", "spawn 4"]);
    assert_eq!(cluster.events().last().unwrap(), "WorkerReturned");
}

#[test]
fn a_worker_with_another_run_is_told_to_stop_that_one() {
    let mut cluster = Cluster::new();
    cluster.rejoin("h1_a", "old");
    assert_eq!(cluster.read("h1_a"), ["ack 0", "stop old"]);
    let mut cluster = Cluster::running(&["h1_a"], 8, 4.0);
    cluster.rejoin("h1_b", "old");
    assert_eq!(cluster.read("h1_b"), ["ack 1", "stop old", "plan run-1", "spawn 4"]);
    assert_eq!(cluster.events().last().unwrap(), "WorkerJoined");
    cluster.say("h1_b", FromWorker::ClientStopped { run: RunId::new("old") });
    assert_eq!(cluster.count("WorkerFailed"), 0);
}

#[test]
fn another_wire_version_is_refused_without_effect_on_the_run() {
    let mut cluster = Cluster::running(&["h1_a"], 8, 4.0);
    cluster.introduce("h1_b", None, WIRE_VERSION + 1);
    assert_eq!(cluster.read("h1_b"), ["refused"]);
    assert_eq!(cluster.closed, [cluster.connections["h1_b"]]);
    assert!(cluster.warned_of(&format!(
        "it speaks protocol version {}, this master speaks {WIRE_VERSION}",
        WIRE_VERSION + 1
    )));
    let connection = cluster.connections.remove("h1_b").unwrap();
    cluster.end(connection);
    assert_eq!(cluster.read("h1_a"), [""; 0]);
    assert_eq!((cluster.phase(), cluster.events().len()), (Phase::Running, 2));
}

#[test]
fn who_speaks_before_the_introduction_or_introduces_itself_twice_is_cut_off() {
    let mut cluster = Cluster::running(&["h1_a"], 8, 4.0);
    let stranger = ConnectionId(99);
    cluster.say_on(stranger, FromWorker::Quit);
    assert_eq!(cluster.closed, [stranger]);
    let connection = cluster.connections["h1_a"];
    let ready = Ready {
        worker: id("h1_other"),
        wire: Wire::Grpc,
        wire_version: WIRE_VERSION,
        software_version: String::new(),
        capabilities: Vec::new(),
        run: None,
        resources: Resources::default(),
    };
    cluster.say_on(connection, FromWorker::Ready(ready));
    assert_eq!(cluster.closed, [stranger, connection]);
    cluster.end(connection);
    assert!(cluster.coordinator.roster().is_empty(), "no name without a connection is left");
}

#[test]
fn a_second_connection_of_a_worker_replaces_the_first() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.pass(secs(1));
    let old = cluster.connections["h1_b"];
    cluster.rejoin("h1_b", RUN);
    assert_eq!(cluster.closed, [old]);
    assert_eq!(cluster.read("h1_b"), ["ack 1", "plan run-1", "spawn 4"]);
    assert_eq!(cluster.coordinator.roster().user_count(), 8, "its users run on");
    cluster.end(old);
    assert_eq!(cluster.shares(), [("h1_a", 4), ("h1_b", 4)]);
    assert_eq!(cluster.count("WorkerLost"), 0);
    cluster.complete("h1_b");
    assert_eq!(cluster.phase(), Phase::Running);
}

#[test]
fn a_worker_that_missed_the_start_gets_the_plan_when_it_speaks() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.join("h1_b");
    cluster.mute.insert("h1_b".to_owned());
    cluster.pass(secs(3));
    cluster.start(spec(RUN), load(8, 4.0));
    cluster.unread.clear();
    cluster.beat("h1_b");
    assert_eq!(cluster.read("h1_b"), ["plan run-1", "spawn 4"]);
}

#[test]
fn a_leaving_worker_may_fall_silent() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.say("h1_b", FromWorker::Quit);
    assert_eq!(cluster.shares(), [("h1_a", 8), ("h1_b", 4)]);
    cluster.mute.insert("h1_b".to_owned());
    cluster.pass(secs(5));
    cluster.disconnect("h1_b");
    assert_eq!((cluster.count("WorkerDrained"), cluster.count("WorkerLost")), (1, 0));
}

#[test]
fn without_workers_the_run_waits_and_then_gives_up() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.disconnect("h1_a");
    cluster.disconnect("h1_b");
    cluster.pass(secs(59));
    assert_eq!(cluster.phase(), Phase::Spawning);
    cluster.join("h1_c");
    assert_eq!(cluster.read("h1_c"), ["ack 2", "plan run-1", "spawn 8"]);
    cluster.pass(secs(100));
    assert!(!cluster.is_over(), "it is no longer alone");
    cluster.disconnect("h1_c");
    cluster.pass(secs(60));
    assert!(cluster.is_over());
    assert_eq!(cluster.events()[cluster.events().len() - 2..], ["StopRequested", "Stopped"]);
}

#[test]
fn a_run_that_never_has_a_worker_gives_up() {
    let mut cluster = Cluster::started(&[], 8, 4.0);
    cluster.pass(secs(60));
    assert!(cluster.is_over());
}

#[test]
fn a_worker_that_stops_by_itself_passes_its_users_on() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    // Its next assignment is an empty one, because it is still there.
    cluster.stopped("h1_b");
    assert_eq!(cluster.shares(), [("h1_a", 8), ("h1_b", 0)]);
    assert_eq!(cluster.count("WorkerFailed"), 1);
}

// Statistics.

#[test]
fn a_report_counts_once_and_is_acknowledged_always() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    let mut check = |worker: &str, run: &str, seq, expected: u64| {
        cluster.report(worker, run, seq, requests(10));
        assert_eq!(cluster.read(worker), [format!("stats {run} {seq}")]);
        assert_eq!(cluster.requests(), expected, "{worker} {run} {seq}");
    };
    check("h1_a", RUN, 1, 10);
    check("h1_a", RUN, 1, 10);
    check("h1_b", RUN, 1, 20);
    check("h1_a", "unknown", 2, 20);
    check("h1_a", RUN, 2, 30);
    check("h1_b", RUN, 4, 40);
    check("h1_b", RUN, 3, 40);
    assert!(cluster.warned_of("h1_b left out a report before number 4"));
    assert!(cluster.warned_of("Discarding a report of worker h1_a about the unknown run unknown"));
}

#[test]
fn users_and_plan_are_noted_in_every_second() {
    let mut cluster = Cluster::started(&["h1_a"], 4, 2.0);
    cluster.pass(Duration::from_millis(3900));
    let run = cluster.coordinator.run().unwrap();
    let seconds = run.stats().seconds().spans().iter();
    let rows: Vec<_> = seconds.map(|s| (s.start, s.value.users.last, s.value.planned_users.last)).collect();
    assert_eq!(rows, [(0, 4, 1), (1, 4, 3), (2, 4, 4), (3, 4, 4)]);
    // A shell that wakes late leaves seconds out and does not catch up.
    cluster.now = Moment::from_micros(7_300_000);
    cluster.coordinator.handle_timeout(cluster.now);
    assert_eq!(cluster.coordinator.run().unwrap().stats().seconds().spans().len(), 5);
}

#[test]
fn users_of_a_worker_that_fell_silent_do_not_count_until_it_speaks() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 4, 10.0);
    cluster.pass(Duration::from_secs(1));
    assert_eq!(cluster.coordinator.roster().live_user_count(cluster.now), 4);
    cluster.mute.insert("h1_b".to_owned());
    cluster.pass(Duration::from_secs(2));
    assert_eq!(cluster.coordinator.roster().live_user_count(cluster.now), 2, "long before it is given up");
}

#[test]
fn no_users_are_planned_once_the_run_is_told_to_stop() {
    let mut cluster = Cluster::running(&["h1_a"], 4, 10.0);
    cluster.pass(Duration::from_secs(4));
    cluster.stop();
    cluster.pass(Duration::from_secs(4));
    let stats = cluster.coordinator.run().unwrap().stats();
    let planned: Vec<u64> =
        stats.seconds().spans().iter().map(|span| span.value.planned_users.last).collect();
    assert_eq!(planned, [4, 4, 4, 4, 0, 0, 0, 0, 0]);
}

#[test]
fn others_take_over_as_soon_as_a_worker_begins_to_leave() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 4, 10.0);
    let state = WorkerState::Stopping;
    cluster.say("h1_a", FromWorker::Heartbeat(Heartbeat { state, ..Heartbeat::default() }));
    assert_eq!(total(&cluster.told[&cluster.connections["h1_b"]].users), 4);
    let generation = cluster.generation;
    cluster.say("h1_a", FromWorker::Quit);
    assert_eq!(cluster.generation, generation, "nothing is left to move");
    assert!(cluster.coordinator.run().unwrap().phase().is_active());
}

#[test]
fn a_worker_that_is_leaving_is_waited_for_at_the_end() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 4, 10.0);
    let state = WorkerState::Stopping;
    cluster.say("h1_a", FromWorker::Heartbeat(Heartbeat { state, ..Heartbeat::default() }));
    cluster.stop();
    cluster.stopped("h1_b");
    assert_eq!(cluster.coordinator.outcome(), None, "its last figures are still on their way");
    cluster.say("h1_a", FromWorker::Quit);
    assert_eq!(cluster.coordinator.outcome(), Some(&Outcome::Ended));
}

// The end.

#[test]
fn the_run_ends_when_every_worker_is_done() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b", "h1_c", "h1_d", "h1_e"], 8, 4.0);
    cluster.stop();
    for worker in ["h1_a", "h1_b", "h1_c", "h1_d", "h1_e"] {
        assert_eq!(cluster.read(worker), ["stop run-1"]);
    }
    assert_eq!(cluster.phase(), Phase::Stopping);
    cluster.report("h1_a", RUN, 1, requests(3));
    cluster.stopped("h1_a");
    cluster.say("h1_b", FromWorker::Quit);
    cluster.disconnect("h1_c");
    cluster.mute.insert("h1_d".to_owned());
    cluster.pass(secs(3));
    // About a run before this one.
    cluster.say("h1_e", FromWorker::ClientStopped { run: RunId::new("old") });
    assert_eq!(cluster.phase(), Phase::Stopping);
    cluster.stopped("h1_e");
    assert!(cluster.is_over());
    assert_eq!((cluster.phase(), cluster.requests()), (Phase::Stopped, 3));
    assert_eq!((cluster.count("WorkerFailed"), cluster.count("WorkerLost")), (0, 2));
    let clock = cluster.coordinator.run().unwrap().clock(cluster.now);
    assert_eq!(cluster.coordinator.run().unwrap().clock(cluster.now + secs(9)), clock, "it stands still");
}

#[test]
fn a_worker_that_does_not_stop_in_time_is_given_up() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.stop();
    cluster.stopped("h1_a");
    cluster.pass(secs(5) + STOP_GRACE - Duration::from_millis(1));
    assert!(!cluster.is_over());
    cluster.pass(Duration::from_millis(1));
    assert!(cluster.is_over());
    assert_eq!(cluster.count("WorkerFailed"), 1);
    assert!(cluster.warned_of("h1_b did not stop in time"));
}

#[test]
fn a_worker_that_comes_back_while_the_run_stops_is_waited_for_if_it_has_figures() {
    // It comes back before anybody missed it, and has nothing left: nobody waits for it.
    let mut cluster = Cluster::running(&["h1_a"], 8, 4.0);
    cluster.stop();
    cluster.join("h1_a");
    assert!(cluster.is_over());
    // It was lost, and comes back with its last report.
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.stop();
    cluster.disconnect("h1_b");
    cluster.rejoin("h1_b", RUN);
    assert_eq!(cluster.read("h1_b"), ["ack 1", "stop run-1"]);
    cluster.stopped("h1_a");
    assert!(!cluster.is_over());
    cluster.report("h1_b", RUN, 1, requests(3));
    cluster.stopped("h1_b");
    assert!(cluster.is_over());
    assert_eq!(cluster.requests(), 3);
}

#[test]
fn a_worker_that_was_missing_at_the_stop_is_asked_again() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.mute.insert("h1_b".to_owned());
    cluster.pass(secs(3));
    cluster.stop();
    cluster.unread.clear();
    cluster.beat("h1_b");
    assert_eq!(cluster.read("h1_b"), ["stop run-1"]);
    cluster.stopped("h1_a");
    assert!(!cluster.is_over());
    cluster.stopped("h1_b");
    assert!(cluster.is_over());
}

#[test]
fn a_worker_that_comes_back_after_the_end_may_hand_over_its_figures() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b"], 8, 4.0);
    cluster.disconnect("h1_b");
    cluster.stop();
    cluster.stopped("h1_a");
    cluster.rejoin("h1_b", RUN);
    assert_eq!(cluster.read("h1_b"), ["ack 1", "stop run-1"]);
    cluster.report("h1_b", RUN, 1, requests(3));
    assert_eq!((cluster.phase(), cluster.requests()), (Phase::Stopped, 3));
}

#[test]
fn an_abort_waits_for_nobody() {
    let mut cluster = Cluster::running(&["h1_a"], 8, 4.0);
    cluster.coordinator.abort(cluster.now, "enough");
    cluster.drain();
    assert_eq!(cluster.read("h1_a"), ["stop run-1"]);
    assert!(cluster.is_over());
    cluster.stopped("h1_a");
    cluster.pass(secs(100));
    assert_eq!(cluster.events(), ["Ramp", "RampComplete", "StopRequested", "Stopped"]);
}

#[test]
fn the_run_time_ends_the_run() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.start(spec(RUN), Load { run_time: Some(secs(10)), ..load(8, 4.0) });
    cluster.pass(Duration::from_millis(9999));
    assert_eq!(cluster.phase(), Phase::Spawning);
    cluster.pass(Duration::from_millis(1));
    assert_eq!(cluster.phase(), Phase::Stopping);
    cluster.stopped("h1_a");
    assert!(cluster.is_over());
    assert_eq!(
        cluster.coordinator.poll_timeout(),
        Some(cluster.now + LIVENESS_CHECK),
        "only the roster is watched"
    );
}

#[test]
fn workers_that_are_sent_home_end_the_run() {
    let mut cluster = Cluster::running(&["h1_a", "h1_b", "h1_c"], 8, 4.0);
    cluster.coordinator.quit();
    cluster.drain();
    assert_eq!(cluster.read("h1_a"), ["quit"]);
    cluster.report("h1_a", RUN, 1, requests(3));
    cluster.say("h1_a", FromWorker::Quit);
    assert_eq!(cluster.read("h1_b"), ["quit", "stop run-1"], "nobody takes over its users");
    cluster.disconnect("h1_a");
    cluster.disconnect("h1_b");
    // One that finds back now may hand over what it has before it goes home, too.
    cluster.rejoin("h1_b", RUN);
    assert_eq!(cluster.read("h1_b"), ["ack 1", "quit"]);
    cluster.say("h1_b", FromWorker::Quit);
    assert!(!cluster.is_over());
    cluster.say("h1_c", FromWorker::Quit);
    assert!(cluster.is_over());
    assert_eq!(cluster.requests(), 3);
    assert_eq!((cluster.count("WorkerLost"), cluster.count("Stopped")), (0, 1));
}
