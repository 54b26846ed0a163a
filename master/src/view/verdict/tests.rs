use sentinel_common::criteria::Criterion;
use sentinel_common::messages::WorkerState;
use sentinel_common::report::{LoadFigures, SecondRow, WorkerRow};
use sentinel_common::saturation::{Limit, Peak};
use sentinel_common::time::RunTime;
use sentinel_common::verdict::Findings;

use super::super::sample;
use super::*;

fn judge(text: &str, measured: Option<f64>) -> Judgement {
    Criterion::parse(text).unwrap().judge_figure(measured, None)
}

fn worker_row(id: &str) -> WorkerRow {
    WorkerRow {
        id: sample::worker(id),
        index: 0,
        wire: Wire::Grpc,
        state: WorkerState::Ready,
        users: 25,
        cpu_percent: 10.0,
        cores: 2,
        memory_bytes: 1,
        wakeup_lag_us: 1,
        network_percent: None,
        release: "0.1.0".to_owned(),
    }
}

fn exception(count: u64, message: &str) -> ExceptionRow {
    ExceptionRow { count, message: message.to_owned(), traceback: String::new(), nodes: Vec::new() }
}

/// A minute at 50 users on two workers.
fn minute() -> Report {
    let mut report = sample::empty();
    report.clock = RunTime::from_micros(60_400_000);
    report.load = LoadFigures { users: 50, spawn_rate: 10.0, run_time_s: Some(60.0), arrivals: Vec::new() };
    report.workers = vec![worker_row("host-a_01"), worker_row("host-b_02")];
    let mut second =
        SecondRow { width: 1, users: Some(10.0), planned_users: Some(10.0), ..SecondRow::default() };
    report.seconds = vec![second];
    (second.start, second.users) = (1, Some(50.0));
    report.seconds.push(second);
    report.users_peak = Some(50);
    let delivery = &mut report.delivery;
    (delivery.planned, delivery.started, delivery.sent, delivery.answered) = (30_000, 30_000, 30_000, 30_000);
    report
}

/// Judges the report as the master does.
fn ruled(mut report: Report, undelivered: &[&str], judgements: Vec<Judgement>) -> Report {
    let findings = Findings {
        undelivered: undelivered.iter().map(|reason| (*reason).to_owned()).collect(),
        judgements: &judgements,
        failures: report.delivery.failed,
        exceptions: report.exceptions.iter().map(|exception| exception.count).sum(),
    };
    (report.ruling, report.exit_code) = (findings.rule(None), findings.exit_code(None));
    report.judgements = judgements;
    report
}

fn check(report: &Report, expected: &str) {
    let found = verdict_block(report);
    assert_eq!(found, expected, "found:\n{found}");
}

#[test]
fn what_was_known_before_the_run_follows_the_head() {
    let mut report = minute();
    assert!(!verdict_block(&report).contains("Notes:"));
    report.notes = vec!["`rps >= 10000` cannot be met".to_owned(), "worker a is short of files".to_owned()];
    let block = verdict_block(&report);
    assert!(
        block.contains("\n\nNotes:\n  `rps >= 10000` cannot be met\n  worker a is short of files\n"),
        "{block}"
    );
}

#[test]
fn workers_of_locusts_are_told_from_ours() {
    let mut report = minute();
    report.workers[0].wire = Wire::Locust;
    assert_eq!(workers(&report).as_deref(), Some("2 connected (1 of Locust's)"));
}

#[test]
fn arrivals_are_told_beside_users_or_instead() {
    let mut report = minute();
    report.load.arrivals = vec!["Buyer at up to 30 per second, with up to 8 users".to_owned()];
    let expected = "50 users at 10/s, Buyer at up to 30 per second, with up to 8 users for 60 s; ran 60.4 s \
                        with a peak of 50 users";
    assert_eq!(load(&report), expected);
    report.load.users = 0;
    assert_eq!(load(&report), "Buyer at up to 30 per second, with up to 8 users for 60 s; ran 60.4 s");
    let reason = ARRIVALS_OVER.to_owned();
    report.timeline.push(RunTime::from_secs(60), EventKind::StopRequested { reason });
    assert!(!load(&report).contains("stopped"), "as was planned");
}

#[test]
fn a_run_that_passed_is_told_in_a_few_lines() {
    let judgements = vec![judge("p95 < 100ms", Some(87.06)), judge("rps >= 450/s", Some(500.04))];
    check(
        &ruled(minute(), &[], judgements),
        "\
Load:      50 users at 10/s for 60 s; ran 60.4 s with a peak of 50 users
Workers:   2 connected
Delivered: planned 30,000 iterations, started 30,000
Requests:  sent 30,000, answered 30,000

Criteria:
  met      p95 < 100ms        87.1 ms  12.9 % below the limit
  met      rps >= 450/s       500.0/s  11.1 % above the limit

Verdict: PASS
",
    );
}

#[test]
fn a_run_that_failed_says_what_was_not_met() {
    let mut report = minute();
    report.delivery.failed = 1_203;
    report.delivery.answered = 28_797;
    report.exceptions = vec![exception(12, "KeyError: 'cart'\nin /checkout")];
    let judgements = vec![
        judge("p99 <= 1.5s", Some(1_800.0)),
        judge("p95{name=\"/login\"} < 80ms", None),
        judge("failures == 0", Some(1_203.0)),
        judge("median < 50ms", Some(50.0)),
    ];
    check(
        &ruled(report, &[], judgements),
        "\
Load:      50 users at 10/s for 60 s; ran 60.4 s with a peak of 50 users
Workers:   2 connected
Delivered: planned 30,000 iterations, started 30,000
Requests:  sent 30,000, answered 28,797, failed 1,203

Exceptions in the scenario:
       12 x  KeyError: 'cart'\\nin /checkout

Criteria:
  NOT MET  p99 <= 1.5s                   1800.0 ms  20.0 % above the limit
  NOT MET  p95{name=\"/login\"} < 80ms     no figure
  NOT MET  failures == 0                      1203
  NOT MET  median < 50ms                   50.0 ms  at the limit

Verdict: FAIL
  criterion not met: p99 <= 1.5s (measured 1800.0 ms)
  criterion not met: p95{name=\"/login\"} < 80ms (nothing was measured)
  criterion not met: failures == 0 (measured 1203)
  criterion not met: median < 50ms (measured 50.0 ms)
  12 exceptions in the scenario
  exit code 3
",
    );
}

#[test]
fn a_run_that_lost_workers_says_which_and_when() {
    let mut report = minute();
    report.workers.pop();
    let delivery = &mut report.delivery;
    (delivery.started, delivery.late, delivery.dropped) = (22_000, 1_250, 8_000);
    (delivery.sent, delivery.answered, delivery.in_flight_at_stop) = (22_000, 21_990, 10);
    report.total.percentiles_us = Some(vec![12_340, 0, 0, 0, 0, 45_100, 0, 87_060, 0, 0, 0]);
    report.total.corrected_percentiles_us = Some(vec![12_900, 0, 0, 0, 0, 1_120_400, 0, 8_950_200, 0, 0, 0]);
    let at = RunTime::from_secs;
    let timeline = &mut report.timeline;
    timeline.push(at(0), EventKind::Ramp { from: 0, to: 50, spawn_rate: 10.0 });
    let reason = "it was not heard of for 3 s, although its connection never ended".to_owned();
    timeline.push(at(31), EventKind::WorkerLost { worker: sample::worker("host-b_02"), users: 25, reason });
    timeline.push(at(45), EventKind::WorkerReturned { worker: sample::worker("host-b_02") });
    timeline.push(at(60), EventKind::Stopped);
    let reason = "from 31 s to 41 s only 50.0 % of the planned users ran";
    check(
        &ruled(report, &[reason], vec![judge("p95 < 100ms", Some(45.1))]),
        "\
Load:      50 users at 10/s for 60 s; ran 60.4 s with a peak of 50 users
Workers:   1 connected; 1 LOST: host-b_02 at 31.0 s with 25 users
Delivered: planned 30,000 iterations, started 22,000 (late 1,250, dropped 8,000)
Requests:  sent 22,000, answered 21,990, in flight at stop 10

Response times                       p50           p95           p99
  from the actual start          12.3 ms       45.1 ms       87.1 ms
  from the intended start        12.9 ms     1120.4 ms     8950.2 ms

Events:
     31.0 s  worker host-b_02 was lost with 25 users: it was not heard of for 3 s, although its
             connection never ended; its figures since the last report are missing unless it returns
     45.0 s  worker host-b_02 is back

Criteria:
  met      p95 < 100ms       45.1 ms  54.9 % below the limit

Verdict: INVALID
  from 31 s to 41 s only 50.0 % of the planned users ran
  exit code 4
",
    );
}

#[test]
fn a_generator_at_its_limits_is_told() {
    let mut report = minute();
    let worker = sample::worker("host-a_01");
    let peaks = vec![
        Peak { limit: Limit::Cpu, worker: worker.clone(), value: 98.4 },
        Peak { limit: Limit::Timers, worker, value: 120.0 },
    ];
    report.bottleneck = Some(Bottleneck { saturated_s: 12, active_s: 60, peaks });
    let expected = "
Generator: was the bottleneck in 12 of 60 s: host-a_01 used up to 98 % of the CPU that it can use;
           timers of host-a_01 fired up to 120 ms late
";
    assert!(verdict_block(&report).contains(expected), "{}", verdict_block(&report));
}

#[test]
fn a_run_in_which_nothing_happened_has_little_to_say() {
    check(&sample::empty(), "Load:      1 user at 1/s until stopped; ran 0.0 s\n\nVerdict: PASS\n");
}

#[test]
fn a_pass_tells_what_it_tolerates() {
    let mut report = sample::empty();
    report.delivery.failed = 3;
    let block = verdict_block(&ruled(report, &[], vec![judge("failures < 10", Some(3.0))]));
    assert!(block.ends_with("Verdict: PASS\n  3 failed requests are within the criteria\n"), "{block}");
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let mut report = sample::empty();
    for second in 0..Timeline::CAPACITY as u64 + 5 {
        let worker = sample::worker(&format!("host_{second}"));
        let kind = EventKind::WorkerLost { worker, users: 1, reason: "its connection ended".to_owned() };
        report.timeline.push(RunTime::from_secs(second), kind);
    }
    report.exceptions =
        (0..1_011).map(|index| exception(1, &format!("{index} {}", "x ".repeat(100)))).collect();
    report.delivery.names_capped = 7;
    let block = verdict_block(&report);
    for expected in [
        "; 10,000 LOST: host_0 at 0.0 s with 1 user, host_1 at 1.0 s with 1 user,",
        "and 9,997 more",
        "\n     19.0 s  worker host_19 was lost with 1 user",
        "\n  and 9,980 more\n  the last 5 events of the run were not kept\n",
        "\n  and 1,001 more\n",
        "Not named: requests 7: there were too many names or messages, see (other)",
    ] {
        assert!(block.contains(expected), "no {expected:?} in:\n{block}");
    }
    assert!(block.lines().count() < 100, "{block}");
    assert!(block.lines().all(|line| line.chars().count() <= COLUMNS), "{block}");
}

#[test]
fn nothing_hostile_reaches_the_terminal() {
    let mut report = sample::empty();
    let reason = "\u{1b}[2J\nVerdict: PASS".to_owned();
    report
        .timeline
        .push(RunTime::ZERO, EventKind::WorkerFailed { worker: sample::worker("w"), reason: reason.clone() });
    report.exceptions = vec![exception(1, &reason)];
    let mut judgement = judge("p95 < 1s", None);
    judgement.criterion.text.push_str(&reason);
    let block = verdict_block(&ruled(report, &[&reason], vec![judgement]));
    assert!(!block.contains(|char: char| char.is_control() && char != '\n'), "{block:?}");
    assert_eq!(block.lines().filter(|line| line.starts_with("Verdict: ")).count(), 1, "{block}");
}

#[test]
fn lines_break_at_spaces() {
    let words = vec!["word"; 40].join(" ");
    let lines = wrapped("Label: ", &words);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS && !line.ends_with(' ')), "{lines:?}");
    assert!(lines[1..].iter().all(|line| line.starts_with("       word")), "{lines:?}");
    let long = "x".repeat(300);
    assert_eq!(wrapped("  ", &long), [format!("  {long}")], "a word stays whole");
}
