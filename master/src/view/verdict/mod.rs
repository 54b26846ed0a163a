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
use sentinel_common::figures::grouped;
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
/// The width of the column of figures, unless one is wider.
const FIGURE_WIDTH: usize = 12;
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
        | EventKind::WorkerDismissed { .. }
        | EventKind::StatsReset
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
    let figure = |it: &Judgement| it.figure().unwrap_or_else(|| "no figure".to_owned());
    let figures: Vec<String> = judgements.iter().map(figure).collect();
    let width = texts.iter().map(|text| text.chars().count().min(CRITERION_WIDTH)).max().unwrap_or(0);
    let figure_width = figures.iter().map(String::len).max().unwrap_or(0).max(FIGURE_WIDTH);
    let line = |((judgement, text), figure): ((&Judgement, _), &String)| {
        let met = if judgement.met { "met" } else { "NOT MET" };
        let margin = margin(judgement).unwrap_or_default();
        format!("  {met:<7}  {text:<width$}  {figure:>figure_width$}  {margin}").trim_end().to_owned()
    };
    titled("Criteria:", judgements.iter().zip(&texts).zip(&figures).map(line).collect())
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

/// A number with three decimals at most.
pub(super) fn short(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests;
