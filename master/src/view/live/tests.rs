//! What the live view shows at which size.

use sentinel_common::coordinator::Phase;
use sentinel_common::messages::{Wire, WorkerState};
use sentinel_common::report::{ErrorRow, LoadFigures, Row, SecondRow, WorkerRow};
use sentinel_common::stats::rate::Rates;
use sentinel_common::time::RunTime;

use super::super::sample::{empty, error, row, worker};
use super::*;

fn room(columns: u16, lines: u16) -> Room {
    Room { columns, lines, keys: true }
}

fn lines(view: &Buffer) -> Vec<String> {
    let line = |y| (0..view.area.width).map(|x| view[(x, y)].symbol()).collect::<String>();
    (0..view.area.height).map(|y| line(y).trim_end().to_owned()).collect()
}

#[track_caller]
fn check(report: &Report, room: Room, expected: &str) {
    let shown = lines(&live_view(report, room));
    let expected: Vec<&str> = expected.lines().skip(1).collect();
    assert_eq!(shown, expected, "\n{}\n", shown.join("\n"));
}

fn request(method: &str, name: &str, requests: u64, failures: u64) -> Row {
    Row {
        requests,
        failures,
        fail_ratio: failures as f64 / requests as f64,
        median_us: Some(1_234),
        percentiles_us: Some((0..11).map(|index| 10_000 * (index + 1)).collect()),
        current: Rates { requests_per_s: requests as f64 / 60.0, failures_per_s: failures as f64 / 60.0 },
        ..row(method, name)
    }
}

fn second(start: u32) -> SecondRow {
    let wave = u64::from(start * 37 % 20);
    SecondRow {
        start,
        width: 1,
        requests: 1_000 + 50 * wave,
        failures: u64::from(start.is_multiple_of(9)),
        users: Some(f64::from(start.min(50) * 10)),
        planned_users: Some(500.0),
        p50_us: Some(1_200),
        p95_us: Some(30_000 + 1_000 * wave),
        p99_us: (start % 10 != 3).then_some(90_000 + 3_000 * wave),
        ..SecondRow::default()
    }
}

fn work(id: &str, index: u32, state: WorkerState, cpu_percent: f32) -> WorkerRow {
    WorkerRow {
        id: worker(id),
        index,
        wire: Wire::Grpc,
        state,
        users: 250,
        cpu_percent,
        cores: 2,
        memory_bytes: 0,
        wakeup_lag_us: 0,
        network_percent: None,
        release: "0.1.0".to_owned(),
    }
}

fn failed(name: &str, message: &str, occurrences: u64, last_seen: u64) -> ErrorRow {
    ErrorRow { last_seen: Some(RunTime::from_secs(last_seen)), ..error("POST", name, message, occurrences) }
}

/// A run of ten minutes, one of which is over.
fn report() -> Report {
    Report {
        scenario: "fraud.yaml".to_owned(),
        clock: RunTime::from_micros(63_500_000),
        phase: Phase::Running,
        load: LoadFigures { users: 500, spawn_rate: 50.0, run_time_s: Some(600.0), arrivals: Vec::new() },
        users: 500,
        rows: vec![
            request("GET", "/health", 500, 0),
            request("POST", "/predict [batch]", 12_345, 7),
            request("POST", "/predict [single]", 86_000, 0),
        ],
        total: request("", "Aggregated", 98_845, 7),
        current_percentiles_us: [Some(1_234), Some(45_600), Some(123_400)],
        errors: vec![
            failed("/predict [batch]", "status 503", 5, 9),
            failed("/predict [batch]", "timed out", 2, 60),
        ],
        workers: vec![
            work("host-a_01", 0, WorkerState::Running, 87.4),
            work("host-b_02", 1, WorkerState::Missing, 0.0),
        ],
        seconds: (0..64).map(second).collect(),
        ..empty()
    }
}

#[test]
fn a_terminal_of_the_usual_size_shows_what_matters() {
    check(
        &report(),
        room(79, 20),
        "
fraud.yaml  running  1:03 / 10:00 ━━━━─────────────────────────────────────────
Users              500  ▁▁▁▁▁▁▁▁▂▂▂▂▂▃▃▃▃▄▄▄▄▅▅▅▅▅▅▅▅▅                   of 500
Requests/s     1,647.4  ▄▅▄▅▅▄▃▅▅▄▄▅▄▅▅▄▃▅▅▄▄▅▄▅▅▄▃▅▅▄             peak 1,825.0
Failures/s         0.1  ▅   ▅    ▅   ▅    ▅   ▅    ▅              0.01 % of all
p50            1.23 ms  ▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆             peak 1.20 ms
p95            45.6 ms  ▅▅▄▅▅▄▄▅▅▄▅▅▄▅▅▄▄▅▅▄▅▅▄▅▅▄▄▅▅▄             peak 49.0 ms
p99             123 ms  ▅▅▄▆▅▄▄▅▅▄▅▅▄▆▅▄▄▅▅▄▅▅▄▆▅▄▄▅▅▄              peak 147 ms
Request                        # reqs   # fails     median        p95     req/s
POST /predict [single]         86,000         0    1.23 ms    60.0 ms   1,433.3
POST /predict [batch]          12,345         7    1.23 ms    60.0 ms     205.8
GET /health                       500         0    1.23 ms    60.0 ms       8.3
Worker                                                 state     users      CPU
host-a_01                                            running       250     87 %
host-b_02                                            missing       250      0 %
 # errors  Last errors
        2  POST /predict [batch]  timed out
        5  POST /predict [batch]  status 503
Keys: w/W +1/+10 users, s/S -1/-10 users, Ctrl-C stops the run",
    );
}

#[test]
fn a_large_terminal_has_room_to_breathe() {
    let mut report = report();
    report.delivery.planned = 99_000;
    report.delivery.started = 98_990;
    report.delivery.late = 12;
    report.delivery.dropped = 10;
    check(&report, room(119, 33), "
fraud.yaml  running  1:03 / 10:00 ━━━━━━━━─────────────────────────────────────────────────────────────────────────────
Users              500   ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▂▂▂▂▂▂▂▂▂▃▃▃▃▃▃▃▃▄▄▄▄▄▄▄▄▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅                             of 500
Requests/s     1,647.4  ▃▅▅▄▄▃▃▆▅▅▄▄▃▃▅▅▄▄▄▃▃▅▅▄▄▃▃▆▅▅▄▄▃▃▅▅▄▄▄▃▃▅▅▄▄▃▃▆▅▅▄▄▃▃▅▅▄▄▄▃                       peak 1,950.0
Failures/s         0.1  ▅        ▅        ▅        ▅        ▅        ▅        ▅                           0.01 % of all
p50            1.23 ms  ▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆                       peak 1.20 ms
p95            45.6 ms  ▃▅▅▅▄▄▃▅▅▅▄▄▄▃▅▅▅▄▄▄▃▅▅▅▄▄▃▅▅▅▄▄▄▃▅▅▅▄▄▄▃▅▅▅▄▄▃▅▅▅▄▄▄▃▅▅▅▄▄▄                       peak 49.0 ms
p99             123 ms  ▃▅▅ ▄▄▃▆▅▅▄▄▄ ▅▅▅▄▄▄▃▅▅ ▄▄▃▆▅▅▄▄▄ ▅▅▅▄▄▄▃▅▅ ▄▄▃▆▅▅▄▄▄ ▅▅▅▄▄▄                        peak 147 ms
Iterations  98,990 of 99,000 begun, 12 late, 10 dropped

Request                                                                # reqs   # fails     median        p95     req/s
POST /predict [single]                                                 86,000         0    1.23 ms    60.0 ms   1,433.3
POST /predict [batch]                                                  12,345         7    1.23 ms    60.0 ms     205.8
GET /health                                                               500         0    1.23 ms    60.0 ms       8.3

Worker                                                                                         state     users      CPU
host-a_01                                                                                    running       250     87 %
host-b_02                                                                                    missing       250      0 %

 # errors  Last errors
        2  POST /predict [batch]  timed out
        5  POST /predict [batch]  status 503

Keys: w/W +1/+10 users, s/S -1/-10 users, Ctrl-C stops the run");
}

#[test]
fn a_tiny_terminal_keeps_the_figures() {
    check(
        &report(),
        room(39, 8),
        "
fraud.yaml  running  1:03 / 10:00 ─────
Users              500  ▁▁▁▁▂▂▃▃▄▄▅▅▅▅▅
Requests/s     1,647.4  ▅▅▆▅▅▅▅▆▅▅▅▅▆▅▅
Failures/s         0.1  ▅ ▅ ▅ ▅  ▅ ▅ ▅
p50            1.23 ms  ▆▆▆▆▆▆▆▆▆▆▆▆▆▆▆
p95            45.6 ms  ▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅
p99             123 ms  ▅▆▅▅▅▅▆▅▅▅▅▆▅▅▅
Keys: w/W +1/+10 users, s/S -1/-10 user",
    );
}

#[test]
fn a_run_that_has_just_begun_has_no_past() {
    let mut report = empty();
    report.phase = Phase::Spawning;
    let room = Room { keys: false, ..room(79, 20) };
    check(
        &report,
        room,
        "
shop.yaml  spawning  0:00, until stopped
Users                0                                                     of 1
Requests/s         0.0
Failures/s         0.0                                            0.00 % of all
p50                  -
p95                  -
p99                  -",
    );
}

#[test]
fn long_lists_say_what_they_leave_out() {
    let mut report = report();
    report.rows = (0..10_000).map(|index| request("GET", &format!("/{index}"), index + 1, 0)).collect();
    report.workers = (0..300)
        .map(|index| work(&format!("w-{index}"), index, WorkerState::Running, index as f32))
        .collect();
    report.workers[7].state = WorkerState::Missing;
    let shown = lines(&live_view(&report, room(79, 33)));
    let after = |title: &str| {
        let at = shown.iter().position(|line| line.starts_with(title)).expect(title);
        shown[at + 1].split("  ").next().map(str::to_owned)
    };
    assert_eq!(shown.len(), 33);
    assert_eq!(after("Request (8 of 10,000)"), Some("GET /9999".to_owned()), "the most requested first");
    assert_eq!(after("Worker (8 of 300)"), Some("w-7".to_owned()), "those in trouble first");
}

#[test]
fn a_name_that_was_cut_shows_it() {
    let mut report = report();
    report.rows = vec![request("GET", &"日本".repeat(40), 1, 0), request("GET", "/short", 1, 0)];
    let shown = lines(&live_view(&report, room(39, 20)));
    let row = |name: &str| shown.iter().find(|line| line.starts_with(name)).expect(name).replace(' ', "");
    assert_eq!(row("GET 日"), "GET日本日本日本…160.0ms");
    assert_eq!(row("GET /s"), "GET/short160.0ms");
}

#[test]
fn nothing_breaks_at_any_size() {
    let mut report = report();
    report.delivery.planned = 99_000;
    for columns in 0..130 {
        for height in 0..40 {
            let view = live_view(&report, room(columns, height));
            assert!(view.area.height <= height && view.area.width == columns, "{columns}x{height}");
        }
    }
}

#[test]
fn hostile_names_stay_in_their_place() {
    let mut report = report();
    let evil = "\u{1b}[2J\r\n\u{202e}evil\t日本";
    report.scenario = evil.to_owned();
    report.rows = vec![request(evil, evil, 1, 1)];
    report.errors = vec![failed(evil, evil, 1, 1)];
    let view = live_view(&report, room(119, 33));
    let symbols: String = view.content().iter().map(|cell| cell.symbol()).collect();
    assert!(!symbols.contains(|char: char| char.is_control() || char == '\u{202e}'));
    assert_eq!(symbols.matches("\\u{1b}[2J\\r\\n\\u{202e}evil\\t日").count(), 5, "{symbols}");
}
