//! What Locust's console does not say about a run: planned and delivered load, what became of the workers, whether the
//! criteria were met, and the verdict, in this order, because the last line is what is read first.
//!
//! ```text
//! Load:      50 users at 10/s for 60 s; ran 60.4 s with a peak of 50 users
//! Workers:   2 connected; 1 LOST: host-b_02 at 31.0 s with 25 users
//! Delivered: planned 30,000 iterations, started 29,990 (late 12, dropped 10)
//! Requests:  sent 29,990, answered 29,990
//! ...
//! Verdict: PASS
//! ```
//!
//! Every list that a run can make long has a bound and says what it leaves out.

use sentinel_common::coordinator::{ARRIVALS_OVER, RUN_TIME_OVER, SHAPE_OVER};
use sentinel_common::criteria::Judgement;
use sentinel_common::messages::{Wire, WorkerState};
use sentinel_common::report::{ExceptionRow, Report, Row};
use sentinel_common::saturation::Bottleneck;
use sentinel_common::stats::{OTHER, PERCENTILES_TO_REPORT};
use sentinel_common::timeline::{Event, EventKind, Timeline};
use sentinel_common::verdict::exit_code;

use super::{printable, text_of};

/// Lines break at a space before this many columns; a word that is longer stays whole.
const COLUMNS: usize = 100;
/// The width of the labels at the head.
const LABEL_WIDTH: usize = 11;
/// Criteria longer than this push their figures to the right.
const CRITERION_WIDTH: usize = 48;
/// A figure that is further above its limit than this many percent is simply far above it.
const FAR_AWAY: f64 = 1_000.0;
/// How many lost workers the head names.
const MAX_LOST: usize = 3;
/// How many events are listed.
const MAX_EVENTS: usize = 20;
/// How many exceptions are listed.
const MAX_EXCEPTIONS: usize = 10;

/// The block that follows the tables once a run is over.
pub fn verdict_block(report: &Report) -> String {
    let sections = [
        head(report),
        titled("Notes:", report.notes.iter().flat_map(|note| wrapped("  ", note)).collect()),
        corrected_times(&report.total),
        events(&report.timeline),
        exceptions(&report.exceptions),
        criteria(&report.judgements),
        verdict(report),
    ];
    let shown: Vec<String> =
        sections.iter().filter(|lines| !lines.is_empty()).map(|lines| text_of(lines)).collect();
    shown.join("\n")
}

fn head(report: &Report) -> Vec<String> {
    let line =
        |(label, fact): (&str, String)| wrapped(&format!("{:<LABEL_WIDTH$}", format!("{label}:")), &fact);
    facts(report).into_iter().flat_map(line).collect()
}

/// What is to be known of a run beside its requests, each under its label.
pub(super) fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let facts = [
        ("Load", Some(load(report))),
        ("Workers", workers(report)),
        ("Delivered", delivered(report)),
        ("Requests", requests(report)),
        ("Not named", not_named(report)),
        ("Generator", report.bottleneck.as_ref().map(Bottleneck::finding)),
    ];
    facts.into_iter().filter_map(|(label, fact)| Some((label, fact?))).collect()
}

fn load(report: &Report) -> String {
    let load = &report.load;
    let duration =
        load.run_time_s.map_or("until stopped".to_owned(), |seconds| format!("for {} s", short(seconds)));
    let users = format!("{} at {}/s", counted(u64::from(load.users), "user"), short(load.spawn_rate));
    let placed = (load.users > 0 || load.arrivals.is_empty()).then_some(&users);
    let parts: Vec<&str> = placed.into_iter().chain(&load.arrivals).map(String::as_str).collect();
    let mut text = format!("{} {duration}; ran {}", parts.join(", "), report.clock);
    if let Some(peak) = report.users_peak.filter(|_| placed.is_some()) {
        text += &format!(" with a peak of {}", counted(peak, "user"));
    }
    if let Some(reason) = stopped_early(report) {
        text += &format!("; stopped: {reason}");
    }
    text
}

/// What stopped a run that had time left.
fn stopped_early(report: &Report) -> Option<&str> {
    let early = |reason: &&str| ![RUN_TIME_OVER, SHAPE_OVER, ARRIVALS_OVER].contains(reason);
    let mut reasons = report.timeline.events().iter().filter_map(|event| match &event.kind {
        EventKind::StopRequested { reason } => Some(reason.as_str()),
        _ => None,
    });
    reasons.rfind(early)
}

fn workers(report: &Report) -> Option<String> {
    let lost = report.timeline.events().iter().filter_map(|event| match &event.kind {
        EventKind::WorkerLost { worker, users, .. } => {
            Some(format!("{worker} at {} with {}", event.at, counted(*users, "user")))
        }
        _ => None,
    });
    let lost: Vec<String> = lost.collect();
    let missing = report.workers.iter().filter(|worker| worker.state == WorkerState::Missing).count();
    let locusts = report.workers.iter().filter(|worker| worker.wire == Wire::Locust).count();
    let kinds = if locusts > 0 { format!(" ({locusts} of Locust's)") } else { String::new() };
    let connected = format!("{} connected{kinds}", report.workers.len() - missing);
    match (report.workers.len(), lost.len()) {
        (0, 0) => None,
        (_, 0) => Some(connected),
        (_, count) => {
            let named = lost[..count.min(MAX_LOST)].join(", ");
            let more = and_more(count, MAX_LOST).map_or(String::new(), |more| format!(", {more}"));
            Some(format!("{connected}; {} LOST: {named}{more}", grouped(count as u64)))
        }
    }
}

fn delivered(report: &Report) -> Option<String> {
    let delivery = &report.delivery;
    if delivery.planned == 0 && delivery.started == 0 {
        return None;
    }
    let (planned, started) = (counted(delivery.planned, "iteration"), grouped(delivery.started));
    let short_of_plan = nonzero(&[("late", delivery.late), ("dropped", delivery.dropped)]);
    let short_of_plan = if short_of_plan.is_empty() { short_of_plan } else { format!(" ({short_of_plan})") };
    Some(format!("planned {planned}, started {started}{short_of_plan}"))
}

fn requests(report: &Report) -> Option<String> {
    let delivery = &report.delivery;
    let counts = [
        ("sent", delivery.sent),
        ("answered", delivery.answered),
        ("failed", delivery.failed),
        ("in flight at stop", delivery.in_flight_at_stop),
        ("unaccounted", delivery.unaccounted),
    ];
    Some(nonzero(&counts)).filter(|text| !text.is_empty())
}

/// What was counted, but not under its own name.
fn not_named(report: &Report) -> Option<String> {
    let delivery = &report.delivery;
    let counts = [("requests", delivery.names_capped), ("failures", delivery.errors_capped)];
    let counts = nonzero(&counts);
    (!counts.is_empty()).then(|| format!("{counts}: there were too many names or messages, see {OTHER}"))
}

/// Response times from the actual and from the intended start, side by side, if they differ.
fn corrected_times(total: &Row) -> Vec<String> {
    let (Some(times), Some(corrected)) = (&total.percentiles_us, &total.corrected_percentiles_us) else {
        return Vec::new();
    };
    let at = |percentiles_us: &[u64], fraction: f64| {
        let index = PERCENTILES_TO_REPORT.iter().position(|reported| *reported == fraction);
        let micros = index.and_then(|index| percentiles_us.get(index));
        micros.map_or("-".to_owned(), |micros| format!("{:.1} ms", *micros as f64 / 1e3))
    };
    let line = |label: &str, cells: [String; 3]| {
        let [p50, p95, p99] = cells;
        format!("{label:<26}{p50:>14}{p95:>14}{p99:>14}")
    };
    let times_at = |percentiles_us: &[u64]| [0.5, 0.95, 0.99].map(|fraction| at(percentiles_us, fraction));
    vec![
        line("Response times", ["p50", "p95", "p99"].map(str::to_owned)),
        line("  from the actual start", times_at(times)),
        line("  from the intended start", times_at(corrected)),
    ]
}

/// What happened to the workers.
fn events(timeline: &Timeline) -> Vec<String> {
    let events = notable(timeline);
    let line = |event: &&Event| wrapped(&format!("  {:>9}  ", event.at.to_string()), &event.kind.to_string());
    let mut lines: Vec<String> = events.iter().take(MAX_EVENTS).flat_map(line).collect();
    lines.extend(and_more(events.len(), MAX_EVENTS).map(|more| format!("  {more}")));
    if timeline.omitted() > 0 {
        lines.push(format!("  the last {} of the run were not kept", counted(timeline.omitted(), "event")));
    }
    titled("Events:", lines)
}

/// The events that are no part of the plan, as ramps and the end of the run are.
pub(super) fn notable(timeline: &Timeline) -> Vec<&Event> {
    let matters = |event: &&Event| match event.kind {
        EventKind::WorkerJoined { .. }
        | EventKind::WorkerLost { .. }
        | EventKind::WorkerReturned { .. }
        | EventKind::WorkerDrained { .. }
        | EventKind::WorkerFailed { .. }
        | EventKind::RowsExhausted { .. }
        | EventKind::RowsWithheld { .. }
        | EventKind::TeardownFailed { .. } => true,
        EventKind::Ramp { .. }
        | EventKind::RampComplete { .. }
        | EventKind::StopRequested { .. }
        | EventKind::Stopped
        | EventKind::Criterion { .. } => false,
    };
    timeline.events().iter().filter(matters).collect()
}

fn exceptions(exceptions: &[ExceptionRow]) -> Vec<String> {
    let line = |exception: &ExceptionRow| {
        wrapped(&format!("  {:>7} x  ", grouped(exception.count)), &exception.message)
    };
    let mut lines: Vec<String> = exceptions.iter().take(MAX_EXCEPTIONS).flat_map(line).collect();
    lines.extend(and_more(exceptions.len(), MAX_EXCEPTIONS).map(|more| format!("  {more}")));
    titled("Exceptions in the scenario:", lines)
}

fn criteria(judgements: &[Judgement]) -> Vec<String> {
    let texts: Vec<_> = judgements.iter().map(|judgement| printable(&judgement.criterion.text)).collect();
    let width = texts.iter().map(|text| text.chars().count().min(CRITERION_WIDTH)).max().unwrap_or(0);
    let line = |(judgement, text): (&Judgement, _)| {
        let met = if judgement.met { "met" } else { "NOT MET" };
        let measured = judgement.figure().unwrap_or_else(|| "no figure".to_owned());
        let line =
            format!("  {met:<7}  {text:<width$}  {measured:>12}  {}", margin(judgement).unwrap_or_default());
        line.trim_end().to_owned()
    };
    titled("Criteria:", judgements.iter().zip(&texts).map(line).collect())
}

/// How far the figure is from its limit; `None` if there is no figure, or nothing to take percents of.
pub(super) fn margin(judgement: &Judgement) -> Option<String> {
    let percent = judgement.margin()? * 100.0;
    match percent {
        _ if percent > FAR_AWAY => None,
        -0.05..0.05 => Some("at the limit".to_owned()),
        ..0.0 => Some(format!("{:.1} % below the limit", -percent)),
        _ => Some(format!("{percent:.1} % above the limit")),
    }
}

fn verdict(report: &Report) -> Vec<String> {
    let mut lines = vec![format!("Verdict: {}", report.ruling.verdict.as_str())];
    lines.extend(report.ruling.reasons.iter().flat_map(|reason| wrapped("  ", reason)));
    if report.exit_code != exit_code::OK {
        lines.push(format!("  exit code {}", report.exit_code));
    }
    lines
}

/// Lines under their title; nothing if there are none.
fn titled(title: &str, lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() { lines } else { [vec![title.to_owned()], lines].concat() }
}

/// Breaks a text at spaces. The first line begins with `label`, the others with as much space.
fn wrapped(label: &str, text: &str) -> Vec<String> {
    let indent = label.chars().count();
    let mut lines = vec![label.to_owned()];
    let mut width = indent;
    for (index, word) in printable(text).split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && width + 1 + length > COLUMNS {
            lines.push(" ".repeat(indent));
            width = indent;
        } else if index > 0 {
            push(&mut lines, " ");
            width += 1;
        }
        push(&mut lines, word);
        width += length;
    }
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(last) = lines.last_mut() {
        last.push_str(text);
    }
}

pub(super) fn and_more(count: usize, shown: usize) -> Option<String> {
    (count > shown).then(|| format!("and {} more", grouped((count - shown) as u64)))
}

/// Counts with their names, without those that are zero.
fn nonzero(counts: &[(&str, u64)]) -> String {
    let parts = counts.iter().filter(|(_, count)| *count > 0);
    parts.map(|(name, count)| format!("{name} {}", grouped(*count))).collect::<Vec<_>>().join(", ")
}

pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A number with a comma at every thousand.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number with three decimals at most.
pub(super) fn short(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
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
        report.load =
            LoadFigures { users: 50, spawn_rate: 10.0, run_time_s: Some(60.0), arrivals: Vec::new() };
        report.workers = vec![worker_row("host-a_01"), worker_row("host-b_02")];
        let mut second =
            SecondRow { width: 1, users: Some(10.0), planned_users: Some(10.0), ..SecondRow::default() };
        report.seconds = vec![second];
        (second.start, second.users) = (1, Some(50.0));
        report.seconds.push(second);
        report.users_peak = Some(50);
        let delivery = &mut report.delivery;
        (delivery.planned, delivery.started, delivery.sent, delivery.answered) =
            (30_000, 30_000, 30_000, 30_000);
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
        (report.ruling, report.exit_code) = (findings.rule(), findings.exit_code(None));
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
        report.notes =
            vec!["`rps >= 10000` cannot be met".to_owned(), "worker a is short of files".to_owned()];
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
        report.total.corrected_percentiles_us =
            Some(vec![12_900, 0, 0, 0, 0, 1_120_400, 0, 8_950_200, 0, 0, 0]);
        let at = RunTime::from_secs;
        let timeline = &mut report.timeline;
        timeline.push(at(0), EventKind::Ramp { from: 0, to: 50, spawn_rate: 10.0 });
        let reason = "it was not heard of for 3 s, although its connection never ended".to_owned();
        timeline
            .push(at(31), EventKind::WorkerLost { worker: sample::worker("host-b_02"), users: 25, reason });
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
        report.timeline.push(
            RunTime::ZERO,
            EventKind::WorkerFailed { worker: sample::worker("w"), reason: reason.clone() },
        );
        report.exceptions = vec![exception(1, &reason)];
        let mut judgement = judge("p95 < 1s", None);
        judgement.criterion.text.push_str(&reason);
        let block = verdict_block(&ruled(report, &[&reason], vec![judgement]));
        assert!(!block.contains(|char: char| char.is_control() && char != '\n'), "{block:?}");
        assert_eq!(block.lines().filter(|line| line.starts_with("Verdict: ")).count(), 1, "{block}");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let check = |number, expected: &str| assert_eq!(grouped(number), expected);
        check(0, "0");
        check(999, "999");
        check(1_000, "1,000");
        check(12_345_678, "12,345,678");
        check(u64::MAX, "18,446,744,073,709,551,615");
    }

    #[test]
    fn lines_break_at_spaces() {
        let words = vec!["word"; 40].join(" ");
        let lines = wrapped("Label: ", &words);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= COLUMNS && !line.ends_with(' ')),
            "{lines:?}"
        );
        assert!(lines[1..].iter().all(|line| line.starts_with("       word")), "{lines:?}");
        let long = "x".repeat(300);
        assert_eq!(wrapped("  ", &long), [format!("  {long}")], "a word stays whole");
    }
}
