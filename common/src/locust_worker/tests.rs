//! What a Locust worker decides, played through with a scripted master and a swarm that does nothing by itself.

use super::*;
use crate::locust::{StatsReport, UserClassUpdate, Value};
use crate::stats::{ExceptionDelta, Recorder, Sample};

const READY: WorkerMessage = WorkerMessage::ClientReady(ClientVersion::Unchecked);

/// 2026-11-23 12:35:27 UTC.
const UNIX_ORIGIN_S: u64 = 1_795_437_327;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn settings() -> LocustSettings {
    LocustSettings {
        scenario: OwnScenario {
            name: "fraud.yaml".to_owned(),
            text: "users: {}".to_owned(),
            classes: vec!["B".to_owned(), "A".to_owned()],
            files: crate::files::NamedFiles::new(),
            adjustments: crate::scenario::Adjustments::default(),
        },
        reset_stats: false,
        unix_origin_us: UNIX_ORIGIN_S * 1_000_000,
    }
}

fn spawn(timestamp: f64, users: &[(&str, u64)]) -> Spawn {
    Spawn {
        timestamp,
        user_classes_count: users.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
        host: Some("http://127.0.0.1:8000".to_owned()),
        stop_timeout: Some(0.0),
        parsed_options: Vec::new(),
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

/// A worker and everything that it wanted and no test has looked at yet.
struct Worker {
    machine: LocustWorker,
    now: Moment,
    unread: Vec<Effect>,
}

impl Worker {
    fn new(settings: LocustSettings) -> Self {
        let now = Moment::from_secs(1000);
        let machine = LocustWorker::new(now, settings, UserRng::for_user(1, "worker", 0));
        let mut worker = Self { machine, now, unread: Vec::new() };
        worker.pass(Duration::ZERO);
        worker
    }

    /// Connected, acknowledged, with everything read.
    fn joined() -> Self {
        Self::joined_as(settings())
    }

    fn joined_as(settings: LocustSettings) -> Self {
        let mut worker = Self::new(settings);
        worker.connect();
        worker.hear(MasterMessage::Ack { index: Some(3) });
        worker.read();
        worker
    }

    /// The same, with three users of A that run.
    fn running() -> Self {
        let mut worker = Self::joined();
        worker.order(&spawn(1.0, &[("A", 3), ("B", 0)]));
        worker.settle(1, &[("A", 3)]);
        worker.read();
        worker
    }

    fn connect(&mut self) {
        self.machine.handle_connected(self.now);
        self.pass(Duration::ZERO);
    }

    fn disconnect(&mut self) {
        self.machine.handle_disconnected(self.now, "gone");
        self.gather();
    }

    fn hear(&mut self, message: MasterMessage) {
        self.machine.handle_message(self.now, message);
        self.pass(Duration::ZERO);
    }

    fn order(&mut self, spawn: &Spawn) {
        self.hear(MasterMessage::Spawn(Box::new(spawn.clone())));
    }

    fn settle(&mut self, generation: u64, users: &[(&str, u32)]) {
        let users = users.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        self.machine.handle_settled(Generation(generation), users);
        self.gather();
    }

    fn measure(&mut self, count: u64) {
        self.machine.handle_collected(self.now, &requests(count));
        self.gather();
    }

    fn drained(&mut self, count: u64) {
        self.machine.handle_drained(self.now, &requests(count));
        self.gather();
    }

    /// Lets time pass, waking the worker whenever it wants.
    fn pass(&mut self, span: Duration) {
        self.gather();
        let end = self.now + span;
        for _ in 0..10_000 {
            let wake = self.machine.poll_timeout().max(self.now);
            if wake > end {
                break;
            }
            self.now = wake;
            self.machine.handle_timeout(wake);
            self.gather();
        }
        assert!(self.machine.poll_timeout() > end, "the worker wakes without an end");
        self.now = end;
    }

    /// The same with a master that answers heartbeats and a swarm that has nothing to hand over.
    fn pass_answered(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.pass(secs(1));
            self.hear(MasterMessage::Heartbeat);
            if self.unread.contains(&Effect::Collect) {
                self.unread.retain(|effect| *effect != Effect::Collect);
                self.measure(0);
            }
        }
    }

    fn gather(&mut self) {
        self.unread.extend(std::iter::from_fn(|| self.machine.poll_effect()));
    }

    fn read(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.unread)
    }

    /// What was sent since this was last asked, by type; heartbeats with their state.
    fn sent(&mut self) -> Vec<String> {
        let name = |effect| match effect {
            Effect::Send(message) => Some(message.kind().to_owned()),
            Effect::Beat { state } => Some(format!("heartbeat {}", state.name())),
            _ => None,
        };
        self.read().into_iter().filter_map(name).collect()
    }

    fn last_report(&mut self) -> StatsReport {
        let report = |effect| match effect {
            Effect::Send(WorkerMessage::Stats(report)) => Some(*report),
            _ => None,
        };
        self.read().into_iter().filter_map(report).next_back().unwrap()
    }

    fn exit(&mut self) -> Option<Exit> {
        self.read().into_iter().find_map(|effect| match effect {
            Effect::Exit(exit) => Some(exit),
            _ => None,
        })
    }
}

fn assignment(effects: &[Effect]) -> (u64, Vec<(&str, u32)>) {
    let found = effects.iter().find_map(|effect| match effect {
        Effect::Apply(assignment) => Some(assignment),
        _ => None,
    });
    let found = found.unwrap();
    (found.generation.0, found.users.iter().map(|(name, count)| (name.as_str(), *count)).collect())
}

fn warnings(effects: &[Effect]) -> Vec<&str> {
    let warning = |effect| match effect {
        &Effect::Log(Notice::Warning(ref text)) => Some(text.as_str()),
        _ => None,
    };
    effects.iter().filter_map(warning).collect()
}

#[test]
fn it_introduces_itself_until_it_is_acknowledged() {
    let mut worker = Worker::new(settings());
    assert_eq!(worker.read(), [Effect::Connect]);
    worker.connect();
    assert_eq!(worker.read(), [Effect::Send(READY)]);
    worker.pass(secs(12));
    assert_eq!(worker.sent(), ["client_ready", "client_ready"]);
    worker.hear(MasterMessage::Ack { index: Some(3) });
    assert_eq!(worker.sent(), ["heartbeat ready", "stats"]);
    assert_eq!(worker.machine.index(), 3);
    worker.pass_answered(20);
    assert!(!worker.sent().contains(&"client_ready".to_owned()));
}

#[test]
fn without_an_acknowledgement_it_gives_up_after_sixty_attempts() {
    let mut worker = Worker::new(settings());
    worker.connect();
    worker.pass(secs(299));
    let sent = worker.sent();
    assert_eq!((sent.len(), sent.iter().all(|kind| kind == "client_ready")), (60, true));
    worker.pass(secs(1));
    assert_eq!(worker.exit(), Some(Exit::NeverReached));
}

#[test]
fn it_beats_every_second_and_reports_every_three_even_if_there_is_nothing() {
    let mut worker = Worker::joined();
    worker.pass_answered(6);
    let sent = worker.sent();
    let count = |wanted: &str| sent.iter().filter(|kind| *kind == wanted).count();
    assert_eq!((count("heartbeat ready"), count("stats")), (6, 2));
}

#[test]
fn a_placement_begins_a_run_with_the_workers_own_scenario() {
    let mut worker = Worker::joined();
    worker.order(&spawn(1.0, &[("A", 3), ("B", 0)]));
    let effects = worker.read();
    assert_eq!(effects[0], Effect::Send(WorkerMessage::Spawning));
    let Effect::Prepare(plan) = &effects[1] else { panic!("{effects:?}") };
    assert_eq!(
        (plan.scenario_name.as_str(), plan.host.as_deref()),
        ("fraud.yaml", Some("http://127.0.0.1:8000"))
    );
    assert_eq!(assignment(&effects), (1, vec![("A", 3), ("B", 0)]));
    worker.settle(1, &[("A", 3)]);
    let counts = vec![("B".to_owned(), 0), ("A".to_owned(), 3)];
    let complete = WorkerMessage::SpawningComplete { user_classes_count: counts.clone(), user_count: 3 };
    assert_eq!(worker.read(), [Effect::Send(complete)]);
    worker.pass(secs(3));
    worker.measure(4);
    let report = worker.last_report();
    assert_eq!((report.user_classes_count, report.user_count), (counts, 3));
    assert_eq!(report.stats_total.num_requests, 4);
    // A second into the run, which began a thousand seconds after the origin.
    assert_eq!(report.stats_total.num_reqs_per_sec, [((UNIX_ORIGIN_S + 1001) as i64, 4)]);
}

#[test]
fn the_next_placement_goes_on_with_the_run_and_leaves_classes_alone_that_it_does_not_list() {
    let mut worker = Worker::running();
    worker.order(&spawn(2.0, &[("B", 2)]));
    let effects = worker.read();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Prepare(_))), "{effects:?}");
    assert_eq!(assignment(&effects), (2, vec![("A", 3), ("B", 2)]));
    worker.settle(1, &[("A", 3)]);
    assert_eq!(worker.read(), [], "that was the placement before");
    worker.settle(2, &[("A", 3), ("B", 2)]);
    assert_eq!(worker.sent(), ["spawning_complete"]);
}

#[test]
fn an_old_placement_is_answered_but_not_followed() {
    let mut worker = Worker::running();
    for timestamp in [0.5, 1.0] {
        worker.order(&spawn(timestamp, &[("A", 9)]));
        let effects = worker.read();
        assert_eq!(effects[0], Effect::Send(WorkerMessage::Spawning));
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Apply(_))));
    }
}

#[test]
fn strange_classes_are_left_out_with_one_warning() {
    let mut worker = Worker::joined();
    worker.order(&spawn(1.0, &[("A", 1), ("Shopper", 5)]));
    let effects = worker.read();
    assert_eq!(assignment(&effects).1, [("A", 1)]);
    assert_eq!(warnings(&effects).len(), 1);
    assert!(warnings(&effects)[0].contains("Shopper"));
    worker.order(&spawn(2.0, &[("A", 1), ("Shopper", 5)]));
    assert_eq!(warnings(&worker.read()), Vec::<&str>::new());
}

#[test]
fn an_absurd_number_of_users_is_cut() {
    let mut worker = Worker::joined();
    worker.order(&spawn(1.0, &[("A", u64::MAX)]));
    assert_eq!(assignment(&worker.read()).1, [("A", MAX_USERS)]);
}

#[test]
fn a_host_that_is_none_is_told_to_people_at_the_master_and_runs_nobody() {
    let mut worker = Worker::joined();
    let bad = Spawn { host: Some("no host".to_owned()), ..spawn(1.0, &[("A", 3)]) };
    worker.order(&bad);
    let effects = worker.read();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Prepare(_) | Effect::Apply(_))));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Send(WorkerMessage::Exception { .. }))));
    worker.order(&spawn(2.0, &[("A", 3)]));
    assert_eq!(assignment(&worker.read()), (1, vec![("A", 3)]), "a better host is taken");
}

#[test]
fn an_empty_host_is_none() {
    let mut worker = Worker::joined();
    worker.order(&Spawn { host: Some(String::new()), ..spawn(1.0, &[("A", 3)]) });
    let plan = worker.read().into_iter().find_map(|effect| match effect {
        Effect::Prepare(plan) => Some(plan),
        _ => None,
    });
    assert_eq!(plan.unwrap().host, None);
}

#[test]
fn a_stop_is_answered_in_locusts_order_and_the_last_figures_follow() {
    let mut worker = Worker::running();
    worker.hear(MasterMessage::Stop);
    assert_eq!(worker.read(), [Effect::Drain { timeout: Duration::ZERO }]);
    worker.pass(secs(1));
    assert_eq!(worker.sent(), ["heartbeat running"]);
    worker.drained(5);
    assert_eq!(worker.sent(), ["client_stopped", "client_ready"]);
    worker.pass(secs(2));
    assert_eq!(worker.last_report().stats_total.num_requests, 5);
}

#[test]
fn after_a_stop_it_waits_for_the_stop_timeout_before_it_is_ready() {
    let mut worker = Worker::joined();
    worker.order(&Spawn { stop_timeout: Some(2.5), ..spawn(1.0, &[("A", 1)]) });
    worker.settle(1, &[("A", 1)]);
    worker.read();
    worker.hear(MasterMessage::Stop);
    assert_eq!(worker.read(), [Effect::Drain { timeout: Duration::from_millis(2500) }]);
    worker.drained(0);
    assert_eq!(worker.sent(), ["client_stopped"]);
    worker.pass(Duration::from_millis(2400));
    assert!(!worker.sent().contains(&"client_ready".to_owned()));
    worker.pass(Duration::from_millis(100));
    assert!(worker.sent().contains(&"client_ready".to_owned()));
    assert_eq!(worker.machine.state(), WorkerState::Ready);
}

#[test]
fn a_stop_without_a_run_is_answered_too() {
    let mut worker = Worker::joined();
    worker.hear(MasterMessage::Stop);
    assert_eq!(worker.sent(), ["client_stopped", "client_ready"]);
}

#[test]
fn a_placement_during_a_stop_waits_for_its_end() {
    let mut worker = Worker::running();
    worker.hear(MasterMessage::Stop);
    worker.order(&spawn(2.0, &[("A", 1)]));
    assert_eq!(worker.read(), [Effect::Drain { timeout: Duration::ZERO }]);
    worker.drained(0);
    let effects = worker.read();
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Prepare(plan) if plan.run.as_str() == "locust-2"))
    );
    assert_eq!(assignment(&effects), (1, vec![("A", 1)]));
}

#[test]
fn it_is_sent_home_after_its_last_figures() {
    let mut worker = Worker::running();
    worker.hear(MasterMessage::Quit);
    assert!(worker.read().contains(&Effect::Drain { timeout: Duration::ZERO }));
    worker.drained(7);
    let effects = worker.read();
    let [Effect::Send(WorkerMessage::Stats(report)), quit, exit] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(report.stats_total.num_requests, 7);
    assert_eq!((quit, exit), (&Effect::Send(WorkerMessage::Quit), &Effect::Exit(Exit::Done)));
    assert_eq!(worker.machine.poll_timeout(), Moment::MAX);
}

#[test]
fn figures_that_were_asked_for_before_the_end_are_waited_for() {
    let mut worker = Worker::running();
    worker.pass(secs(3));
    assert!(worker.read().contains(&Effect::Collect));
    worker.machine.handle_shutdown(worker.now);
    worker.drained(7);
    assert_eq!(worker.exit(), None);
    worker.measure(2);
    let effects = worker.read();
    let Effect::Send(WorkerMessage::Stats(report)) = &effects[0] else { panic!("{effects:?}") };
    assert_eq!(report.stats_total.num_requests, 9);
    assert_eq!(effects[2], Effect::Exit(Exit::Done));
}

#[test]
fn told_to_end_twice_it_just_ends() {
    let mut worker = Worker::running();
    worker.machine.handle_shutdown(worker.now);
    worker.machine.handle_shutdown(worker.now);
    worker.gather();
    assert_eq!(worker.exit(), Some(Exit::Unreported));
}

#[test]
fn a_lost_connection_costs_no_user_and_no_figure() {
    let mut worker = Worker::running();
    worker.disconnect();
    worker.read();
    worker.pass(secs(3));
    worker.measure(5);
    assert_eq!(worker.read(), [Effect::Connect, Effect::Collect]);
    worker.connect();
    assert_eq!(worker.sent(), ["heartbeat running"], "the master knows it");
    worker.hear(MasterMessage::Heartbeat);
    worker.pass_answered(3);
    assert_eq!(worker.last_report().stats_total.num_requests, 5);
}

#[test]
fn a_master_that_was_restarted_gets_its_worker_back() {
    let mut worker = Worker::running();
    worker.disconnect();
    worker.pass(secs(1));
    worker.connect();
    worker.read();
    worker.pass(secs(5));
    let effects = worker.read();
    assert!(effects.contains(&Effect::Drain { timeout: Duration::ZERO }), "{effects:?}");
    worker.drained(9);
    assert_eq!(worker.sent(), ["client_ready"]);
    worker.hear(MasterMessage::Ack { index: Some(0) });
    // Its clock may be behind that of the master before.
    worker.order(&spawn(0.5, &[("A", 1)]));
    assert_eq!(assignment(&worker.read()), (1, vec![("A", 1)]));
}

#[test]
fn a_restarted_master_gets_back_an_idle_worker_too_with_no_figure_of_old() {
    let mut worker = Worker::running();
    worker.hear(MasterMessage::Stop);
    worker.drained(9);
    worker.disconnect();
    worker.pass(secs(1));
    worker.connect();
    worker.pass(Duration::from_millis(4900));
    worker.read();
    worker.pass(Duration::from_millis(100));
    assert!(worker.sent().contains(&"client_ready".to_owned()));
    worker.hear(MasterMessage::Ack { index: Some(0) });
    worker.pass_answered(3);
    assert_eq!(worker.last_report().user_count, 0);
}

#[test]
fn a_connection_lost_between_stop_and_ready_ends_in_an_introduction() {
    let mut worker = Worker::running();
    worker.disconnect();
    worker.machine.handle_message(worker.now, MasterMessage::Stop);
    worker.drained(0);
    worker.read();
    worker.connect();
    assert_eq!(worker.sent(), ["client_ready"]);
}

#[test]
fn asked_to_reconnect_it_does_so_under_its_name_and_says_nothing() {
    let mut worker = Worker::running();
    worker.hear(MasterMessage::Reconnect);
    let effects = worker.read();
    assert!(effects.ends_with(&[Effect::HangUp, Effect::Connect]), "{effects:?}");
    worker.pass(secs(1));
    worker.connect();
    assert_eq!(worker.sent(), ["heartbeat running"]);
}

#[test]
fn a_silent_master_is_left_after_a_minute() {
    let mut worker = Worker::joined();
    worker.hear(MasterMessage::Heartbeat);
    worker.pass(Duration::from_millis(59_900));
    assert_eq!(worker.exit(), None);
    worker.pass(Duration::from_millis(100));
    assert_eq!(worker.exit(), Some(Exit::MasterGone));
}

#[test]
fn a_master_that_is_gone_does_not_keep_the_last_figures_waiting_for_ever() {
    let mut worker = Worker::running();
    worker.disconnect();
    worker.machine.handle_shutdown(worker.now);
    worker.drained(5);
    assert_eq!(worker.exit(), None);
    worker.pass(Duration::from_millis(9_900));
    assert_eq!(worker.exit(), None);
    worker.pass(Duration::from_millis(100));
    assert_eq!(worker.exit(), Some(Exit::Unreported));
}

#[test]
fn figures_of_the_ramp_are_forgotten_if_that_is_wanted() {
    for reset_stats in [false, true] {
        let mut worker = Worker::joined_as(LocustSettings { reset_stats, ..settings() });
        worker.order(&spawn(1.0, &[("A", 3)]));
        worker.settle(1, &[("A", 3)]);
        worker.read();
        worker.hear(MasterMessage::SpawningComplete { user_count: 3 });
        assert_eq!(worker.read().contains(&Effect::Discard), reset_stats);
    }
}

#[test]
fn every_exception_is_a_message_before_its_report() {
    let mut worker = Worker::running();
    let exception = ExceptionDelta { message: "boom".into(), traceback: "task t".into(), occurrences: 2 };
    let delta = StatsDelta { exceptions: vec![exception], ..StatsDelta::default() };
    worker.machine.handle_collected(worker.now, &delta);
    worker.gather();
    assert_eq!(worker.sent(), ["exception", "exception", "stats"]);
}

#[test]
fn what_a_scenario_cannot_follow_is_warned_of_once() {
    let check = |message: &MasterMessage, expected: &str| {
        let mut worker = Worker::running();
        worker.hear(message.clone());
        worker.hear(message.clone());
        let effects = worker.read();
        assert_eq!(warnings(&effects).len(), 1, "{effects:?}");
        assert!(warnings(&effects)[0].contains(expected), "{effects:?}");
    };
    check(&MasterMessage::Custom { kind: "hello".to_owned(), data: Value::Nil }, "`hello`");
    let update = UserClassUpdate { user_class_name: "A".to_owned(), attributes: Vec::new(), tasks: None };
    check(&MasterMessage::UpdateUserClass(update), "user class A");
    let tags = vec![("tags".to_owned(), Value::Array(vec![Value::from("x")]))];
    let tagged = Spawn { parsed_options: tags, ..spawn(2.0, &[("A", 3)]) };
    check(&MasterMessage::Spawn(Box::new(tagged)), "tags");
}
