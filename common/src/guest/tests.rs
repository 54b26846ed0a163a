//! One of Locust's workers and the coordinator, both played by the tests.

use std::time::Duration;

use super::*;
use crate::ids::Generation;
use crate::locust::{LocustfileSource, Number, StatsEntry, StatsReport as LocustReport, Value};
use crate::messages::{Assignment, ClassCounts, LocustPlan, NO_VARIABLES, RunPlan};
use crate::time::RunTime;

const SECOND: u64 = 1_000_000;
/// Some moment in 2026.
const EPOCH: u64 = 1_795_437_000 * SECOND;

/// A guest, and what came of it.
struct Table {
    guest: Guest,
    now: u64,
    generation: u64,
}

impl Table {
    fn new() -> Self {
        let sources = vec![LocustfileSource::Url("http://localhost/locustfile.py".to_owned())];
        let locustfile = Arc::new(LocustfileReply::Sources(sources));
        Self { guest: Guest::new(b"h1_a", locustfile).unwrap(), now: EPOCH, generation: 0 }
    }

    /// A worker that has joined.
    fn joined() -> Self {
        let mut table = Self::new();
        table.hear(&WorkerMessage::ClientReady(ClientVersion::Release(LOCUST_VERSION.to_owned())));
        table.order(ToWorker::Ack { index: 3 });
        table
    }

    /// The same, with users.
    fn running(users: u32) -> Self {
        let mut table = Self::joined();
        table.plan("run-1");
        table.spawn("run-1", users);
        table.spawned(users);
        table
    }

    fn hear(&mut self, message: &WorkerMessage) -> Vec<String> {
        self.guest.handle_bytes(self.now, &message.encode("h1_a"));
        self.outputs()
    }

    fn order(&mut self, order: ToWorker) -> Vec<String> {
        self.guest.handle_order(self.now, order);
        self.outputs()
    }

    fn plan(&mut self, run: &str) -> Vec<String> {
        self.order(ToWorker::Plan(Arc::new(RunPlan {
            run: RunId::new(run),
            scenario_name: "locustfile.py".to_owned(),
            scenario: String::new(),
            profile: None,
            host: Some("http://localhost".to_owned()),
            stop_timeout: Duration::from_secs(2),
            seed: 1,
            run_time: RunTime::from_secs(5),
            classes: Vec::new(),
            tags: Vec::new(),
            exclude_tags: Vec::new(),
            adjustments: crate::scenario::Adjustments::default(),
            iterations: None,
            variables: NO_VARIABLES.to_owned(),
            files: Vec::new(),
            sources: Vec::new(),
            locust: LocustPlan {
                user_classes: vec!["A".to_owned(), "B".to_owned()],
                parsed_options: vec![("tags".to_owned(), Value::Nil)],
            },
        })))
    }

    fn spawn(&mut self, run: &str, users: u32) -> Vec<String> {
        self.generation += 1;
        self.order(ToWorker::Spawn(Assignment {
            run: RunId::new(run),
            generation: Generation(self.generation),
            users: ClassCounts::from([("A".to_owned(), users)]),
            spawn_rate: 1.0,
            first_delay: Duration::ZERO,
            arrivals: Vec::new(),
        }))
    }

    /// The worker follows its last placement.
    fn spawned(&mut self, users: u32) -> Vec<String> {
        let mut outputs = self.hear(&WorkerMessage::Spawning);
        let user_classes_count = vec![("A".to_owned(), users.into()), ("B".to_owned(), 0)];
        outputs.extend(
            self.hear(&WorkerMessage::SpawningComplete { user_classes_count, user_count: users.into() }),
        );
        outputs
    }

    fn beat(&mut self, state: WorkerState) -> Vec<String> {
        let heartbeat = Heartbeat { state, current_cpu_usage: 1.5, current_memory_usage: Some(7) };
        self.hear(&WorkerMessage::Heartbeat(heartbeat))
    }

    fn report(&mut self, requests: u64) -> Vec<String> {
        self.hear(&WorkerMessage::Stats(Box::new(report(self.now, requests))))
    }

    fn pass(&mut self, span: Duration) -> Vec<String> {
        self.now += micros_of(span);
        self.guest.handle_timeout(self.now);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.guest.poll_output()).map(|output| in_short(&output)).collect()
    }
}

fn micros_of(span: Duration) -> u64 {
    crate::time::micros(span)
}

fn report(now: u64, requests: u64) -> LocustReport {
    let second = i64::try_from(now / SECOND).unwrap();
    let entry = StatsEntry {
        name: "/".to_owned(),
        method: "GET".to_owned(),
        last_request_timestamp: (requests > 0).then_some(Number::Float(now as f64 / 1e6)),
        start_time: Number::Float(now as f64 / 1e6),
        num_requests: requests,
        num_none_requests: 0,
        num_failures: 0,
        total_response_time: Number::Float(5.0 * requests as f64),
        max_response_time: Number::Float(5.0),
        min_response_time: (requests > 0).then_some(Number::Float(5.0)),
        total_content_length: Number::Int(0),
        response_times: vec![(Number::Int(5), requests)],
        num_reqs_per_sec: vec![(second, requests)],
        num_fail_per_sec: Vec::new(),
    };
    LocustReport {
        stats: if requests > 0 { vec![entry.clone()] } else { Vec::new() },
        stats_total: StatsEntry { name: "Aggregated".to_owned(), method: String::new(), ..entry },
        errors: Vec::new(),
        user_classes_count: vec![("A".to_owned(), 2)],
        user_count: 2,
        extra: Vec::new(),
    }
}

/// `>` to the worker, `<` to the coordinator.
fn in_short(output: &Output) -> String {
    match output {
        Output::Reply(MasterMessage::Ack { index }) => format!("> ack {}", index.unwrap()),
        Output::Reply(MasterMessage::Spawn(spawn)) => {
            let counts = spawn.user_classes_count.iter().map(|(class, users)| format!("{class}{users}"));
            format!("> spawn {}", counts.collect::<Vec<_>>().join(" "))
        }
        Output::Reply(message) => format!("> {}", message.kind()),
        Output::Tell(FromWorker::Ready(ready)) => {
            format!("< ready {:?}", ready.run.as_ref().map(RunId::as_str))
        }
        Output::Tell(FromWorker::Stats(report)) => {
            let requests: u64 = report.delta.entries.iter().map(|entry| entry.requests).sum();
            format!("< stats {} {requests}", report.run)
        }
        Output::Tell(FromWorker::Spawning { generation }) => format!("< spawning {}", generation.0),
        Output::Tell(FromWorker::SpawningComplete { generation, users }) => {
            format!("< complete {} {users:?}", generation.0)
        }
        Output::Tell(FromWorker::Heartbeat(heartbeat)) => {
            format!("< heartbeat {} {:?}", heartbeat.state.as_str(), heartbeat.users)
        }
        Output::Tell(FromWorker::Logs { lines }) => format!("< logs {lines:?}"),
        Output::Tell(FromWorker::ClientStopped { run }) => format!("< stopped {run}"),
        Output::Tell(FromWorker::Quit) => "< quit".to_owned(),
        Output::Tell(other) => panic!("Locust's workers never say {other:?}"),
        Output::Log(Line::Debug(_)) => "debug".to_owned(),
        Output::Log(Line::Warning(text)) => format!("warning {text}"),
        Output::Close(reason) => format!("close {reason}"),
    }
}

// Joining.

#[test]
fn a_worker_joins_and_every_introduction_is_acknowledged_once() {
    let mut table = Table::new();
    let ready = WorkerMessage::ClientReady(ClientVersion::Release(LOCUST_VERSION.to_owned()));
    assert_eq!(table.hear(&ready), ["< ready None"]);
    assert_eq!(table.hear(&ready), ["< ready None"], "the coordinator may not have answered yet");
    assert_eq!(table.order(ToWorker::Ack { index: 3 }), ["> ack 3", "> ack 3"]);
    assert_eq!(table.order(ToWorker::Ack { index: 3 }), Vec::<String>::new());
    assert_eq!(table.hear(&ready), ["> ack 3"]);
    assert_eq!(table.beat(WorkerState::Ready), ["< heartbeat ready {}"]);
    assert_eq!(table.order(ToWorker::Heartbeat { run_time: None }), ["> heartbeat"]);
}

#[test]
fn other_releases_are_warned_of() {
    let check = |version: &str, expected: &[&str]| {
        let version = ClientVersion::Release(version.to_owned());
        let outputs = Table::new().hear(&WorkerMessage::ClientReady(version));
        let expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(outputs, [expected, vec!["< ready None".to_owned()]].concat());
    };
    check("2.47.0", &[]);
    check("2.47.9", &["debug"]);
    check(
        "2.31.0",
        &["warning A worker (h1_a) running a different version (2.31.0) connected, master version is 2.47.0"],
    );
    assert_eq!(Table::new().hear(&WorkerMessage::ClientReady(ClientVersion::Unchecked)), ["< ready None"]);
}

#[test]
fn the_locustfile_is_given_to_those_who_ask_and_makes_nobody_a_worker() {
    let mut table = Table::new();
    let request = WorkerMessage::LocustfileRequest { version: LOCUST_VERSION.to_owned() };
    assert_eq!(table.hear(&request), ["> locustfile"]);
    assert!(!table.guest.is_registered());
}

#[test]
fn a_stranger_that_shows_signs_of_life_gets_back_to_work() {
    let mut table = Table::new();
    assert_eq!(table.beat(WorkerState::Running), ["< ready Some(\"\")"]);
    assert_eq!(table.order(ToWorker::Ack { index: 0 }), Vec::<String>::new(), "it did not introduce itself");
    assert_eq!(table.plan("run-1"), Vec::<String>::new());
    assert_eq!(table.report(3), ["< stats run-1 3"], "it goes on with the run that it was in");
    let mut idle = Table::new();
    assert_eq!(idle.beat(WorkerState::Ready), ["< ready None"]);
}

#[test]
fn figures_that_come_before_anything_else_count_if_the_worker_goes_on_with_its_run() {
    let mut table = Table::new();
    assert_eq!(table.report(3), ["< ready Some(\"\")"]);
    assert_eq!(table.report(4), Vec::<String>::new(), "the coordinator has not answered");
    assert_eq!(table.order(ToWorker::Ack { index: 0 }), Vec::<String>::new());
    assert_eq!(table.report(5), Vec::<String>::new(), "nor said for which run it works");
    assert_eq!(table.plan("run-1"), ["< stats run-1 3", "< stats run-1 4", "< stats run-1 5"]);
    let mut stranger = Table::new();
    stranger.report(3);
    stranger.order(ToWorker::Ack { index: 0 });
    assert_eq!(stranger.order(ToWorker::Stop { run: RunId::untold() }), ["> stop"]);
    assert_eq!(stranger.plan("run-2"), Vec::<String>::new(), "figures of a stranger are nobody's");
}

#[test]
fn no_more_is_held_than_there_is_room_for() {
    let mut table = Table::new();
    for requests in 1..=100 {
        table.report(requests);
    }
    table.order(ToWorker::Ack { index: 0 });
    let told = table.plan("run-1");
    assert_eq!((told.len(), told[0].as_str()), (MAX_HELD, "< stats run-1 69"), "the latest are kept");
}

#[test]
fn users_that_are_made_up_are_not_believed() {
    let mut table = Table::running(2);
    table.hear(&WorkerMessage::Spawning);
    let made_up = vec![("A".to_owned(), 99_999), ("Q".to_owned(), 1 << 40)];
    let outputs =
        table.hear(&WorkerMessage::SpawningComplete { user_classes_count: made_up, user_count: 1 << 40 });
    assert_eq!(outputs, ["< complete 1 {\"A\": 2}"]);
}

#[test]
fn what_a_worker_says_stays_on_one_line_of_the_log() {
    let version = ClientVersion::Release(format!("9.9\n[now] forged{}", "x".repeat(1000)));
    let outputs = Table::new().hear(&WorkerMessage::ClientReady(version));
    assert!(!outputs[0].contains('\n') && outputs[0].len() < 400, "{}", outputs[0]);
    let custom = WorkerMessage::Custom { kind: "evil\nforged".to_owned(), data: Value::Nil };
    assert!(!Table::joined().hear(&custom)[0].contains('\n'));
}

#[test]
fn a_stranger_of_another_run_is_stopped_first() {
    let mut table = Table::new();
    table.beat(WorkerState::Running);
    table.order(ToWorker::Ack { index: 0 });
    assert_eq!(table.order(ToWorker::Stop { run: RunId::untold() }), ["> stop"]);
    assert_eq!(table.plan("run-2"), Vec::<String>::new());
    assert_eq!(table.spawn("run-2", 4), Vec::<String>::new(), "not before it has stopped");
    assert_eq!(table.report(9), Vec::<String>::new(), "whatever it measured was for somebody else");
    assert_eq!(table.hear(&WorkerMessage::ClientStopped), ["< stopped "]);
    let ready = WorkerMessage::ClientReady(ClientVersion::Release(LOCUST_VERSION.to_owned()));
    assert_eq!(table.hear(&ready), ["> ack 0", "< ready None", "> spawn A4 B0"]);
    assert_eq!(table.spawned(4), ["< spawning 1", "< complete 1 {\"A\": 4}"]);
    assert_eq!(table.report(2), ["< stats run-2 2"]);
}

#[test]
fn an_identity_must_be_a_name() {
    let locustfile = Arc::new(LocustfileReply::Error(String::new()));
    assert!(Guest::new(b"\xff", locustfile.clone()).is_err());
    let mut nameless = Guest::new(b"", locustfile).unwrap();
    nameless.handle_bytes(EPOCH, &WorkerMessage::ClientReady(ClientVersion::Unchecked).encode(""));
    assert!(matches!(nameless.poll_output(), Some(Output::Close(_))));
}

// Running.

#[test]
fn all_classes_are_told_and_answers_carry_their_generation() {
    let mut table = Table::joined();
    table.plan("run-1");
    assert_eq!(table.spawn("run-1", 1), ["> spawn A1 B0"]);
    assert_eq!(table.spawn("run-1", 2), ["> spawn A2 B0"]);
    // It drops the first for the second.
    assert_eq!(table.hear(&WorkerMessage::Spawning), ["< spawning 1"]);
    assert_eq!(table.spawned(2), ["< spawning 2", "< complete 2 {\"A\": 2}"]);
    assert_eq!(table.beat(WorkerState::Running), ["< heartbeat running {\"A\": 2}"]);
    assert_eq!(table.spawn("run-0", 9), Vec::<String>::new(), "a run that it was not told of");
}

#[test]
fn placements_grow_older_never_younger() {
    let mut table = Table::joined();
    table.plan("run-1");
    let mut last = 0.0;
    for now in [EPOCH, EPOCH, EPOCH - SECOND, EPOCH + SECOND] {
        table.guest.handle_order(
            now,
            ToWorker::Spawn(Assignment {
                run: RunId::new("run-1"),
                generation: Generation(1),
                users: ClassCounts::new(),
                spawn_rate: 1.0,
                first_delay: Duration::ZERO,
                arrivals: Vec::new(),
            }),
        );
        let Some(Output::Reply(MasterMessage::Spawn(spawn))) = table.guest.poll_output() else { panic!() };
        assert!(spawn.timestamp > last, "{} after {last}", spawn.timestamp);
        assert_eq!(spawn.host.as_deref(), Some("http://localhost"));
        assert_eq!(spawn.stop_timeout, Some(2.0));
        assert_eq!(spawn.parsed_options, [("tags".to_owned(), Value::Nil)]);
        last = spawn.timestamp;
    }
}

#[test]
fn a_worker_that_answers_nothing_is_cut_off() {
    let mut table = Table::joined();
    table.plan("run-1");
    let outputs: Vec<String> = (0..1025).flat_map(|users| table.spawn("run-1", users)).collect();
    assert_eq!(outputs.len(), 1025);
    assert!(outputs[1024].starts_with("close"), "{}", outputs[1024]);
}

#[test]
fn exceptions_and_logs_are_passed_on() {
    let mut table = Table::running(2);
    let exception = WorkerMessage::Exception { msg: "boom".to_owned(), traceback: "line 1".to_owned() };
    assert_eq!(table.hear(&exception), ["< stats run-1 0"]);
    let logs = |lines: &[&str]| WorkerMessage::Logs {
        worker_id: "h1_a".to_owned(),
        logs: lines.iter().map(|line| (*line).to_owned()).collect(),
    };
    assert_eq!(table.hear(&logs(&["a"])), ["< logs [\"a\"]"]);
    assert_eq!(table.hear(&logs(&["a", "b"])), ["< logs [\"b\"]"]);
    assert_eq!(table.hear(&logs(&["a", "b"])), Vec::<String>::new());
}

#[test]
fn unknown_messages_and_a_busy_processor_are_warned_of_once() {
    let mut table = Table::joined();
    let custom = WorkerMessage::Custom { kind: "hello".to_owned(), data: Value::Nil };
    assert_eq!(table.hear(&custom), ["warning Unknown message type received from worker h1_a: hello"]);
    assert_eq!(table.hear(&custom), Vec::<String>::new());
    let busy = || {
        WorkerMessage::Heartbeat(Heartbeat {
            state: WorkerState::Ready,
            current_cpu_usage: 95.0,
            current_memory_usage: None,
        })
    };
    assert!(table.hear(&busy())[0].contains("95% CPU"));
    assert_eq!(table.hear(&busy()), ["< heartbeat ready {}"]);
}

#[test]
fn malformed_messages_end_the_connection() {
    let mut table = Table::joined();
    let mut bytes = WorkerMessage::Quit.encode("h1_a");
    bytes.push(0);
    table.guest.handle_bytes(EPOCH, &bytes);
    let outputs = table.outputs();
    assert_eq!(outputs[0], "> reconnect", "as Locust's master answers");
    assert!(outputs[1].starts_with("close it sent a malformed message"), "{}", outputs[1]);
    let mut stranger = Table::new();
    stranger.guest.handle_bytes(EPOCH, &[0xc1]);
    assert!(matches!(&stranger.outputs()[..], [close] if close.starts_with("close")));
}

// The end.

#[test]
fn the_last_figures_come_after_the_stop() {
    let mut table = Table::running(2);
    assert_eq!(table.report(5), ["< stats run-1 5"]);
    assert_eq!(table.order(ToWorker::Stop { run: RunId::new("run-1") }), ["> stop"]);
    assert_eq!(table.order(ToWorker::Stop { run: RunId::new("run-1") }), Vec::<String>::new());
    assert_eq!(table.hear(&WorkerMessage::ClientStopped), Vec::<String>::new());
    let ready = WorkerMessage::ClientReady(ClientVersion::Release(LOCUST_VERSION.to_owned()));
    assert_eq!(table.hear(&ready), ["> ack 3"]);
    assert_eq!(table.report(4), ["< stats run-1 4", "< stopped run-1", "< ready None"]);
    assert_eq!(table.order(ToWorker::Ack { index: 3 }), Vec::<String>::new(), "it was acknowledged");
    table.plan("run-2");
    assert_eq!(table.spawn("run-2", 1), ["> spawn A1 B0"]);
    assert_eq!(table.report(1), Vec::<String>::new(), "it has not begun");
}

#[test]
fn last_figures_that_do_not_come_are_not_waited_for() {
    let mut table = Table::running(2);
    table.order(ToWorker::Stop { run: RunId::new("run-1") });
    table.hear(&WorkerMessage::ClientStopped);
    assert_eq!(table.guest.poll_timeout(), Some(EPOCH + 3_500_000));
    assert_eq!(table.pass(Duration::from_secs(3)), Vec::<String>::new());
    assert_eq!(table.pass(Duration::from_secs(1)), ["< stopped run-1"]);
    assert_eq!(table.guest.poll_timeout(), None);
}

#[test]
fn boomer_which_reports_nothing_after_a_stop_is_not_waited_for_in_vain() {
    let mut table = Table::new();
    table.hear(&WorkerMessage::ClientReady(ClientVersion::Unchecked));
    table.order(ToWorker::Ack { index: 0 });
    table.plan("run-1");
    table.spawn("run-1", 2);
    table.spawned(2);
    table.order(ToWorker::Stop { run: RunId::new("run-1") });
    table.hear(&WorkerMessage::ClientStopped);
    assert_eq!(table.hear(&WorkerMessage::ClientReady(ClientVersion::Unchecked)), ["> ack 0"]);
    assert_eq!(table.pass(Duration::from_secs(4)), ["< stopped run-1", "< ready None"]);
}

#[test]
fn a_worker_that_stops_by_itself_says_so_and_may_run_again() {
    let mut table = Table::running(2);
    assert_eq!(table.hear(&WorkerMessage::ClientStopped), Vec::<String>::new());
    assert_eq!(table.report(1), ["< stats run-1 1", "< stopped run-1"]);
    let ready = WorkerMessage::ClientReady(ClientVersion::Release(LOCUST_VERSION.to_owned()));
    assert_eq!(table.hear(&ready), ["> ack 3", "< ready None"]);
    table.plan("run-1");
    assert_eq!(table.spawn("run-1", 2), ["> spawn A2 B0"]);
}

#[test]
fn a_stop_of_a_run_that_it_does_not_know_is_answered() {
    let mut table = Table::joined();
    assert_eq!(table.order(ToWorker::Stop { run: RunId::new("run-9") }), ["< stopped run-9"]);
}

#[test]
fn a_worker_that_is_sent_home_hands_over_what_it_has() {
    let mut table = Table::running(2);
    assert_eq!(table.order(ToWorker::Quit), ["> quit"]);
    assert_eq!(table.report(4), ["< stats run-1 4"]);
    assert_eq!(table.hear(&WorkerMessage::Quit), ["< quit"]);
}
