//! What a member decides, played through with a scripted master and a swarm that does nothing by itself.

mod files;
mod hook;
mod rows;

use super::*;
use crate::ids::{WIRE_VERSION, WorkerId};
use crate::messages::{LocustPlan, NO_VARIABLES, Resources, RowsRequest, RowsReturned, StatsReport, Wire};
use crate::stats::{Recorder, Sample};
use crate::time::RunTime;

const RUN: &str = "run-1";

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn run_id() -> RunId {
    RunId::new(RUN)
}

fn plan(run: &str) -> ToWorker {
    ToWorker::Plan(Arc::new(run_plan(run)))
}

fn run_plan(run: &str) -> RunPlan {
    RunPlan {
        run: RunId::new(run),
        scenario_name: "fraud.yaml".to_owned(),
        scenario: "users: {}".to_owned(),
        profile: None,
        host: None,
        stop_timeout: secs(5),
        seed: 7,
        run_time: RunTime::ZERO,
        classes: Vec::new(),
        tags: Vec::new(),
        exclude_tags: Vec::new(),
        adjustments: crate::scenario::Adjustments::default(),
        iterations: None,
        variables: NO_VARIABLES.to_owned(),
        files: Vec::new(),
        sources: Vec::new(),
        locust: LocustPlan::default(),
    }
}

fn spawn(run: &str, generation: u64) -> ToWorker {
    ToWorker::Spawn(Assignment {
        run: RunId::new(run),
        generation: Generation(generation),
        users: ClassCounts::from([("A".to_owned(), 4)]),
        spawn_rate: 2.0,
        first_delay: Duration::ZERO,
        arrivals: Vec::new(),
    })
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

/// A member and everything that it wanted and no test has looked at yet.
struct Worker {
    member: Member,
    now: Moment,
    unread: Vec<Effect>,
}

impl Worker {
    fn new() -> Self {
        let ready = Ready {
            worker: WorkerId::new("h1_a").unwrap(),
            wire: Wire::Grpc,
            wire_version: WIRE_VERSION,
            software_version: "1.0".to_owned(),
            capabilities: Vec::new(),
            run: None,
            resources: Resources::default(),
        };
        let now = Moment::from_secs(1000);
        let mut worker = Self {
            member: Member::new(now, ready, UserRng::for_user(1, "worker", 0)),
            now,
            unread: Vec::new(),
        };
        worker.pass(Duration::ZERO);
        worker
    }

    /// Connected, acknowledged, with everything read.
    fn connected() -> Self {
        let mut worker = Self::new();
        worker.connect();
        worker.read();
        worker
    }

    /// The same, with users that run.
    fn running() -> Self {
        let mut worker = Self::connected();
        worker.hear(plan(RUN));
        worker.hear(spawn(RUN, 1));
        worker.settle(1);
        worker.read();
        worker
    }

    /// Running, without a connection, and with a report of 3 requests that was not acknowledged.
    fn cut_off() -> Self {
        let mut worker = Self::running();
        worker.measure(3);
        worker.disconnect();
        worker.read();
        worker
    }

    fn connect(&mut self) {
        self.member.handle_connected(self.now);
        self.hear(ToWorker::Ack { index: 3 });
    }

    fn disconnect(&mut self) {
        self.member.handle_disconnected(self.now, "gone");
        self.collect_effects();
    }

    fn hear(&mut self, message: ToWorker) {
        self.member.handle_message(self.now, message);
        self.pass(Duration::ZERO);
    }

    fn acknowledge(&mut self, seq: u64) {
        self.hear(ToWorker::StatsAck { run: run_id(), seq });
    }

    fn settle(&mut self, generation: u64) {
        self.member.handle_settled(Generation(generation), ClassCounts::from([("A".to_owned(), 4)]));
        self.collect_effects();
    }

    fn measure(&mut self, count: u64) {
        self.member.handle_collected(&requests(count));
        self.collect_effects();
    }

    fn drained(&mut self, count: u64) {
        self.member.handle_drained(self.now, &requests(count));
        self.collect_effects();
    }

    fn shut_down(&mut self) {
        self.member.handle_shutdown(self.now);
        self.collect_effects();
    }

    /// Lets time pass; every attempt to connect fails at once if `reachable` is false.
    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        self.collect_effects();
        while self.member.poll_timeout() <= end {
            self.now = self.now.max(self.member.poll_timeout());
            self.member.handle_timeout(self.now);
            self.collect_effects();
            assert!(self.member.poll_timeout() > self.now, "a timer that is always due");
        }
        self.now = end;
    }

    /// Lets time pass with a master that cannot be reached. Returns when each attempt was made.
    fn pass_unreachable(&mut self, span: Duration) -> Vec<Moment> {
        let end = self.now + span;
        let mut attempts = Vec::new();
        while self.member.poll_timeout() <= end {
            self.pass(self.member.poll_timeout().saturating_since(self.now));
            if self.unread.contains(&Effect::Connect) {
                self.unread.retain(|effect| *effect != Effect::Connect);
                attempts.push(self.now);
                self.disconnect();
            }
        }
        self.now = end;
        attempts
    }

    fn collect_effects(&mut self) {
        while let Some(effect) = self.member.poll_effect() {
            self.unread.push(effect);
        }
    }

    /// What it wanted since the last look, in short; no log lines.
    fn read(&mut self) -> Vec<String> {
        self.unread.drain(..).filter_map(|effect| in_short(&effect)).collect()
    }
}

fn in_short(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Connect => "connect".to_owned(),
        Effect::Send(message) => message_in_short(message),
        Effect::Beat { state } => format!("beat {}", state.as_str()),
        Effect::Abandon => "abandon".to_owned(),
        Effect::Prepare { plan, files } => format!("prepare {}{}", plan.run, files_in_short(files)),
        Effect::Hook { hook: Hook::Setup, plan, files } => {
            format!("setup {}{}", plan.run, files_in_short(files))
        }
        Effect::Hook { hook: Hook::Teardown, plan, files } => {
            format!("teardown {}{}", plan.run, files_in_short(files))
        }
        Effect::EndHook => "end hook".to_owned(),
        Effect::Rows { source, ranges, exhausted } => {
            let end = if *exhausted { ", and no more ever" } else { "" };
            format!("rows of {source}: {ranges:?}{end}")
        }
        Effect::Apply(assignment) => format!("apply {}", assignment.generation.0),
        Effect::Collect => "collect".to_owned(),
        Effect::Discard => "discard".to_owned(),
        Effect::Drain { run, timeout } => format!("drain {run} in {timeout:?}"),
        Effect::Log(_) => return None,
        Effect::Exit(exit) => format!("exit {exit:?}"),
    })
}

fn files_in_short(files: &NamedFiles) -> String {
    let lengths: Vec<String> =
        files.iter().map(|(name, bytes)| format!("{name} of {}", bytes.len())).collect();
    if lengths.is_empty() { String::new() } else { format!(" with {}", lengths.join(", ")) }
}

fn message_in_short(message: &FromWorker) -> String {
    match message {
        FromWorker::Ready(Ready { run: None, .. }) => "ready".to_owned(),
        FromWorker::Ready(Ready { run: Some(run), .. }) => format!("ready for {run}"),
        FromWorker::Spawning { generation } => format!("spawning {}", generation.0),
        FromWorker::SpawningComplete { generation, .. } => format!("complete {}", generation.0),
        FromWorker::Stats(StatsReport { seq, delta, .. }) => {
            format!("stats {seq}: {}", delta.entries.iter().map(|entry| entry.requests).sum::<u64>())
        }
        FromWorker::Heartbeat(_) => "heartbeat".to_owned(),
        FromWorker::FileRequest { sha256, offset } => {
            format!("file {}+{offset}", &sha256.to_string()[..4])
        }
        FromWorker::RowsRequest(RowsRequest { source, request, left, want, .. }) => {
            format!("{source} {request}: wants {want}, has {left}")
        }
        FromWorker::RowsReturned(RowsReturned { source, request, ranges, .. }) => {
            format!("{source} {request}: returns {ranges:?}")
        }
        FromWorker::SetupDone { run, result } => format!("setup of {run} done: {result:?}"),
        FromWorker::TeardownDone { run, result } => format!("teardown of {run} done: {result:?}"),
        FromWorker::Logs { lines } => format!("logs of {} lines", lines.len()),
        FromWorker::ClientStopped { run } => format!("stopped {run}"),
        FromWorker::Quit => "quit".to_owned(),
    }
}

const NOTHING: [&str; 0] = [];

// The connection.

#[test]
fn it_connects_at_once_and_backs_off() {
    let mut worker = Worker::new();
    assert_eq!(worker.read(), ["connect"]);
    let began = worker.now;
    worker.disconnect();
    let attempts = worker.pass_unreachable(secs(60));
    let mut before = began;
    for (attempt, longest) in
        attempts.into_iter().zip([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000])
    {
        let wait = attempt.saturating_since(before);
        assert!(wait <= millis(longest) && wait >= millis(longest) / 2, "{wait:?} is not about {longest} ms");
        before = attempt;
    }
    // Success makes it eager again.
    worker.connect();
    worker.disconnect();
    let lost = worker.now;
    let attempts = worker.pass_unreachable(secs(1));
    assert!(attempts[0].saturating_since(lost) <= millis(100));
}

#[test]
fn it_introduces_itself_and_beats_twice_a_second_once_acknowledged() {
    let mut worker = Worker::new();
    worker.read();
    worker.member.handle_connected(worker.now);
    worker.pass(secs(5));
    assert_eq!(worker.read(), ["ready"], "no heartbeat before the acknowledgement");
    worker.hear(ToWorker::Ack { index: 3 });
    assert_eq!(worker.read(), ["beat ready"]);
    worker.pass(millis(499));
    assert_eq!(worker.read(), NOTHING);
    worker.pass(millis(1));
    assert_eq!(worker.read(), ["beat ready"]);
    worker.pass(secs(2));
    assert_eq!(worker.read().len(), 4);
}

#[test]
fn it_tells_a_new_connection_of_its_run() {
    let mut worker = Worker::cut_off();
    worker.member.handle_connected(worker.now);
    worker.collect_effects();
    assert_eq!(worker.read(), ["ready for run-1"]);
}

#[test]
fn a_master_that_is_silent_too_long_is_given_up() {
    let mut worker = Worker::running();
    worker.pass(secs(40));
    worker.hear(ToWorker::Heartbeat { run_time: None });
    worker.pass(secs(59));
    worker.read();
    worker.pass(secs(1));
    assert_eq!(worker.read().last().unwrap(), "exit MasterGone");
    worker.pass(secs(1000));
    assert_eq!(worker.read(), NOTHING, "it ends once");
}

#[test]
fn a_master_that_stays_away_is_given_up() {
    let mut worker = Worker::running();
    worker.disconnect();
    worker.pass_unreachable(secs(61));
    assert_eq!(worker.read().last().unwrap(), "exit MasterGone");
    let mut worker = Worker::new();
    worker.disconnect();
    worker.pass_unreachable(secs(299));
    assert!(!worker.read().iter().any(|effect| effect.starts_with("exit")));
    worker.pass_unreachable(secs(1));
    assert_eq!(worker.read().last().unwrap(), "exit NeverReached");
}

#[test]
fn it_ends_when_it_is_refused_or_cannot_run_the_plan() {
    let mut worker = Worker::new();
    worker.member.handle_connected(worker.now);
    worker.read();
    worker.hear(ToWorker::Refused { reason: "too old".to_owned() });
    assert_eq!(worker.read()[1..], ["exit Refused(\"too old\")"]);
    let mut worker = Worker::running();
    worker.member.handle_bad_plan("no such task".to_owned());
    worker.collect_effects();
    assert_eq!(worker.read(), ["exit BadPlan(\"no such task\")"]);
}

// Orders.

#[test]
fn it_prepares_a_plan_once() {
    let mut worker = Worker::connected();
    worker.hear(plan(RUN));
    assert_eq!(worker.read(), ["prepare run-1"]);
    worker.hear(spawn(RUN, 1));
    worker.read();
    worker.hear(plan(RUN));
    assert_eq!(worker.read(), NOTHING);
    worker.hear(spawn(RUN, 1));
    assert_eq!(worker.read(), NOTHING, "the repeated plan did not forget the generation");
    worker.hear(plan("run-2"));
    assert_eq!(worker.read(), ["prepare run-2"]);
    worker.hear(spawn("run-2", 1));
    assert_eq!(worker.read(), ["spawning 1", "apply 1"]);
}

#[test]
fn it_obeys_rising_generations_of_its_run_only() {
    let mut worker = Worker::connected();
    worker.hear(spawn(RUN, 1));
    assert_eq!(worker.read(), NOTHING, "no plan");
    worker.hear(plan(RUN));
    worker.read();
    let mut check = |run: &str, generation: u64, obeys: bool| {
        worker.hear(spawn(run, generation));
        let expected = [format!("spawning {generation}"), format!("apply {generation}")];
        let expected = if obeys { &expected[..] } else { &[] };
        assert_eq!(worker.read(), expected, "{run} {generation}");
    };
    check(RUN, 2, true);
    check(RUN, 1, false);
    check(RUN, 2, false);
    check("run-0", 9, false);
    check(RUN, 7, true);
}

#[test]
fn a_settled_message_of_an_old_generation_is_ignored() {
    let mut worker = Worker::connected();
    worker.hear(plan(RUN));
    worker.hear(spawn(RUN, 1));
    worker.hear(spawn(RUN, 2));
    worker.read();
    worker.settle(1);
    assert_eq!(worker.read(), NOTHING);
    worker.settle(2);
    assert_eq!(worker.read(), ["complete 2"]);
    worker.settle(2);
    assert_eq!(worker.read(), NOTHING, "said once");
}

#[test]
fn it_says_what_it_is_doing() {
    let mut worker = Worker::connected();
    let mut check = |order: Option<ToWorker>, expected: &str| {
        if let Some(order) = order {
            worker.hear(order);
        } else {
            worker.settle(1);
        }
        worker.read();
        worker.pass(HEARTBEAT_INTERVAL);
        assert!(worker.read().contains(&expected.to_owned()), "{expected}");
    };
    check(Some(plan(RUN)), "beat ready");
    check(Some(spawn(RUN, 1)), "beat spawning");
    check(None, "beat running");
    check(Some(ToWorker::Stop { run: run_id() }), "beat stopping");
}

#[test]
fn the_clock_follows_the_master() {
    let mut worker = Worker::connected();
    worker.hear(plan(RUN));
    worker.pass(secs(3));
    worker.hear(ToWorker::Heartbeat { run_time: Some(RunTime::from_secs(5)) });
    assert_eq!(worker.member.clock().unwrap().run_time(worker.now), RunTime::from_secs(5));
    assert_eq!(worker.member.index(), 3);
}

// Reports.

#[test]
fn it_collects_once_a_second_while_it_has_users() {
    let mut worker = Worker::connected();
    worker.hear(plan(RUN));
    worker.pass(secs(5));
    assert!(!worker.read().contains(&"collect".to_owned()));
    worker.hear(spawn(RUN, 1));
    worker.measure(0);
    worker.read();
    let mut check = |answers: bool, expected: usize| {
        let mut asked = 0;
        for _ in 0..3 {
            worker.pass(secs(1));
            asked += worker.read().iter().filter(|effect| *effect == "collect").count();
            if answers {
                worker.measure(0);
            }
        }
        assert_eq!(asked, expected);
    };
    check(true, 3);
    // A swarm that is slow to answer is not asked twice.
    check(false, 1);
    check(true, 2);
}

#[test]
fn one_report_is_on_its_way_at_a_time() {
    let mut worker = Worker::running();
    worker.measure(0);
    assert_eq!(worker.read(), NOTHING, "there is nothing to report");
    worker.measure(3);
    assert_eq!(worker.read(), ["stats 1: 3"]);
    worker.measure(4);
    worker.measure(5);
    assert_eq!(worker.read(), NOTHING);
    worker.acknowledge(1);
    worker.measure(6);
    assert_eq!(worker.read(), ["stats 2: 15"]);
    worker.hear(ToWorker::StatsAck { run: RunId::new("run-0"), seq: 2 });
    worker.acknowledge(1);
    worker.measure(1);
    assert_eq!(worker.read(), NOTHING, "neither was about this report");
}

#[test]
fn an_unacknowledged_report_is_sent_again_unchanged() {
    let mut worker = Worker::cut_off();
    worker.measure(4);
    worker.measure(5);
    assert_eq!(worker.read(), NOTHING);
    worker.connect();
    assert_eq!(worker.read(), ["ready for run-1", "stats 1: 3", "beat running"]);
    worker.disconnect();
    worker.connect();
    assert_eq!(worker.read(), ["ready for run-1", "stats 1: 3", "beat running"]);
    worker.acknowledge(1);
    worker.measure(0);
    assert_eq!(worker.read(), ["stats 2: 9"]);
    worker.acknowledge(2);
    worker.disconnect();
    worker.connect();
    assert_eq!(worker.read(), ["ready for run-1", "beat running"], "acknowledged ones are forgotten");
}

#[test]
fn a_reset_throws_away_what_has_not_been_sealed() {
    let mut worker = Worker::running();
    let complete = |reset_stats| ToWorker::SpawningComplete { user_count: 4, reset_stats };
    worker.measure(3);
    worker.measure(4);
    worker.read();
    worker.hear(complete(false));
    assert_eq!(worker.read(), NOTHING);
    worker.hear(complete(true));
    assert_eq!(worker.read(), ["discard"]);
    worker.acknowledge(1);
    worker.measure(5);
    assert_eq!(worker.read(), ["stats 2: 5"]);
    // Nothing may come between a swarm that is draining and its last report.
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.read();
    worker.hear(complete(true));
    assert_eq!(worker.read(), NOTHING);
}

// The end of a run.

#[test]
fn a_stop_drains_hands_over_and_says_so() {
    let mut worker = Worker::running();
    worker.measure(3);
    worker.read();
    worker.hear(ToWorker::Stop { run: run_id() });
    assert_eq!(worker.read(), ["drain run-1 in 5s"]);
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.hear(spawn(RUN, 9));
    assert_eq!(worker.read(), NOTHING, "it stops once, and for good");
    worker.drained(4);
    assert_eq!(worker.read(), NOTHING);
    worker.acknowledge(1);
    assert_eq!(worker.read(), ["stats 2: 4"]);
    worker.acknowledge(2);
    assert_eq!(worker.read(), ["stopped run-1"]);
    worker.hear(ToWorker::Stop { run: run_id() });
    assert_eq!(worker.read(), ["stopped run-1"], "nothing of it is left");
    worker.pass(secs(2));
    assert_eq!(worker.read(), ["beat ready"; 4]);
}

#[test]
fn a_stop_without_figures_is_answered_at_once() {
    let mut worker = Worker::connected();
    worker.hear(plan(RUN));
    worker.read();
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.drained(0);
    assert_eq!(worker.read(), ["drain run-1 in 5s", "stopped run-1"]);
    worker.hear(ToWorker::Stop { run: RunId::new("run-0") });
    assert_eq!(worker.read(), ["stopped run-0"]);
}

#[test]
fn figures_that_come_after_the_drain_are_waited_for() {
    let mut worker = Worker::running();
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.pass(secs(1));
    assert!(worker.read().contains(&"collect".to_owned()));
    worker.drained(0);
    assert_eq!(worker.read(), NOTHING);
    worker.measure(4);
    assert_eq!(worker.read(), ["stats 1: 4"]);
    worker.acknowledge(1);
    assert_eq!(worker.read(), ["stopped run-1"]);
}

#[test]
fn the_last_report_survives_a_lost_connection() {
    let mut worker = Worker::cut_off();
    worker.connect();
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.disconnect();
    worker.drained(4);
    worker.read();
    worker.connect();
    worker.hear(ToWorker::Stop { run: run_id() });
    assert_eq!(worker.read(), ["ready for run-1", "stats 1: 3", "beat stopping"]);
    worker.acknowledge(1);
    worker.acknowledge(2);
    assert_eq!(worker.read(), ["stats 2: 4", "stopped run-1"]);
}

// The end of the process.

#[test]
fn a_worker_that_leaves_hands_everything_over_first() {
    let check = |leave: fn(&mut Worker)| {
        let mut worker = Worker::running();
        leave(&mut worker);
        assert_eq!(worker.read(), ["drain run-1 in 5s", "beat stopping"], "others can take over at once");
        worker.hear(plan("run-2"));
        worker.hear(spawn("run-2", 1));
        assert_eq!(worker.read(), NOTHING, "it takes on nothing new");
        worker.drained(4);
        assert_eq!(worker.read(), ["stats 1: 4"]);
        worker.acknowledge(1);
        assert_eq!(worker.read(), ["quit", "exit Done"]);
    };
    check(|worker| worker.hear(ToWorker::Quit));
    check(Worker::shut_down);
}

#[test]
fn a_worker_without_a_run_leaves_at_once() {
    let mut worker = Worker::connected();
    worker.hear(ToWorker::Quit);
    assert_eq!(worker.read(), ["quit", "exit Done"]);
    let mut worker = Worker::new();
    worker.read();
    worker.shut_down();
    assert_eq!(worker.read(), ["exit Done"]);
}

#[test]
fn a_worker_that_is_told_to_end_while_it_stops_leaves_when_it_has() {
    let mut worker = Worker::running();
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.drained(4);
    worker.hear(ToWorker::Quit);
    worker.read();
    worker.acknowledge(1);
    assert_eq!(worker.read(), ["quit", "exit Done"]);
}

#[test]
fn a_worker_that_is_told_twice_just_ends() {
    let mut worker = Worker::running();
    worker.shut_down();
    worker.read();
    worker.shut_down();
    worker.shut_down();
    assert_eq!(worker.read(), ["exit Unreported"]);
}

#[test]
fn a_worker_that_cannot_hand_over_ends_after_a_while() {
    let mut worker = Worker::cut_off();
    worker.shut_down();
    worker.pass_unreachable(secs(20));
    worker.drained(4);
    worker.read();
    worker.pass_unreachable(FLUSH_TIMEOUT - millis(1));
    worker.hear(ToWorker::Quit);
    assert_eq!(worker.read(), NOTHING, "being told again gains it no time");
    worker.pass_unreachable(millis(1));
    assert_eq!(worker.read(), ["exit Unreported"]);
}

#[test]
fn a_worker_that_leaves_waits_for_its_master_to_hand_over() {
    let mut worker = Worker::cut_off();
    worker.shut_down();
    worker.drained(4);
    worker.pass_unreachable(secs(5));
    worker.read();
    worker.connect();
    worker.acknowledge(1);
    worker.acknowledge(2);
    assert_eq!(
        worker.read(),
        ["ready for run-1", "stats 1: 3", "beat stopping", "stats 2: 4", "quit", "exit Done"]
    );
}
