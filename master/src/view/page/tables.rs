//! The tables of the page: a column of requests is a line in the table below. Every list has a bound.

use sentinel_common::figures::grouped;
use sentinel_common::report::{Report, Row};
use sentinel_common::stats::PERCENTILES_TO_REPORT;
use sentinel_common::timeline::{Event, EventKind};
use serde::Serialize;

use super::super::python::utc;
use super::super::top::{cut, top_errors, top_rows};
use super::super::verdict::{and_more, margin};

const MAX_REQUESTS: usize = 250;
const MAX_FAILURES: usize = 150;
const MAX_EXCEPTIONS: usize = 20;
const MAX_CRITERIA: usize = 100;
const MAX_WORKERS: usize = 200;
const MAX_EVENTS: usize = 200;
const MAX_NAME_CHARS: usize = 200;
const MAX_MESSAGE_CHARS: usize = 400;
const MAX_TRACEBACK_CHARS: usize = 1_500;

/// A table as the template wants it: text and nothing else.
#[derive(Serialize)]
pub(in crate::view) struct Table {
    columns: Vec<Column>,
    rows: Vec<Line>,
    foot: Option<Vec<String>>,
    note: Option<String>,
}

impl Table {
    /// A table of these columns, each with whether it holds numbers.
    pub(in crate::view) fn new(names: &[(&'static str, bool)], rows: Vec<Vec<String>>) -> Self {
        Self {
            columns: columns(names.iter().copied()),
            rows: rows.into_iter().map(plain).collect(),
            foot: None,
            note: None,
        }
    }
}

#[derive(Serialize)]
struct Column {
    name: &'static str,
    number: bool,
}

#[derive(Serialize)]
struct Line {
    class: &'static str,
    cells: Vec<String>,
}

/// A column of requests: its name, and what stands in it. `None` hides it where no row has anything to say.
type Request = (&'static str, fn(&Row) -> Option<String>);

#[rustfmt::skip]
const REQUESTS: &[Request] = &[
    ("Requests", |row| Some(grouped(row.requests))),
    ("Failures", |row| Some(grouped(row.failures))),
    ("Failed %", |row| Some(format!("{:.2}", row.fail_ratio * 100.0))),
    ("req/s", |row| Some(format!("{:.1}", row.overall.requests_per_s))),
    ("Avg ms", |row| row.mean_us.map(ms)),
    ("Min", |row| row.min_us.map(|us| ms(us as f64))),
    ("50%", at::<0>), ("75%", at::<2>), ("90%", at::<4>), ("95%", at::<5>), ("99%", at::<7>), ("99.9%", at::<8>),
    ("99.99%", at::<9>),
    ("Max", |row| row.max_us.map(|us| ms(us as f64))),
    // From the intended start, where that differs.
    ("50% due", due::<0>), ("95% due", due::<5>), ("99% due", due::<7>), ("99.9% due", due::<8>),
    ("Bytes", |row| Some(format!("{:.0}", row.mean_content_length))),
];

/// Requests by name, and their sum.
pub(super) fn requests(report: &Report) -> Table {
    let top = top_rows(report, MAX_REQUESTS);
    let all = || report.rows.iter().chain([&report.total]);
    let said: Vec<&Request> =
        REQUESTS.iter().filter(|(_, cell)| all().any(|row| cell(row).is_some())).collect();
    let cells = |row: &Row| {
        let figures = said.iter().map(|(_, cell)| cell(row).unwrap_or_else(|| "–".to_owned()));
        [cut(&row.method, MAX_NAME_CHARS), cut(&row.name, MAX_NAME_CHARS)]
            .into_iter()
            .chain(figures)
            .collect()
    };
    let texts = [("Type", false), ("Name", false)];
    let columns = columns(texts.into_iter().chain(said.iter().map(|(name, _)| (*name, true))));
    let mut notes = Vec::new();
    if top.others > 0 {
        let (others, requests) = (grouped(top.others as u64), grouped(top.others_count));
        let failures = grouped(top.others_failures);
        notes.push(format!(
            "{others} more names with {requests} requests, {failures} failed, are left out: those with the most \
             requests and failures are shown. All are in the files of --csv."
        ));
    }
    if said.iter().any(|(name, _)| *name == "50% due") {
        notes.push("Due: from the time at which a request was to start, instead of when it did.".to_owned());
    }
    let rows = top.shown.iter().map(|row| plain(cells(row))).collect();
    Table {
        columns,
        rows,
        foot: Some(cells(&report.total)),
        note: (!notes.is_empty()).then(|| notes.join(" ")),
    }
}

/// Failures, the most frequent first.
pub(super) fn failures(report: &Report) -> Table {
    let top = top_errors(&report.errors, MAX_FAILURES);
    let when = |at| moment(report, at);
    let rows = top.shown.iter().map(|error| {
        let name = format!("{} {}", error.method, error.name);
        let (first, last) = (when(error.first_seen), when(error.last_seen));
        let message = cut(&error.message, MAX_MESSAGE_CHARS);
        plain(vec![grouped(error.occurrences), cut(name.trim(), MAX_NAME_CHARS), message, first, last])
    });
    let note = (top.others > 0).then(|| {
        let (others, count) = (grouped(top.others as u64), grouped(top.others_count));
        format!(
            "{others} more kinds, which occurred {count} times, are left out. All are in the files of --csv."
        )
    });
    let texts =
        [("Occurrences", true), ("Request", false), ("Message", false), ("First", true), ("Last", true)];
    Table { columns: columns(texts), rows: rows.collect(), foot: None, note }
}

/// Exceptions in the order of their arrival.
pub(super) fn exceptions(report: &Report) -> Table {
    let rows = report.exceptions.iter().take(MAX_EXCEPTIONS).map(|exception| {
        let message = cut(&exception.message, MAX_MESSAGE_CHARS);
        let traceback = cut(&exception.traceback, MAX_TRACEBACK_CHARS);
        let nodes = cut(&exception.nodes.join(", "), MAX_NAME_CHARS);
        plain(vec![grouped(exception.count), message, traceback, nodes])
    });
    let note = and_more(report.exceptions.len(), MAX_EXCEPTIONS).map(|more| format!("{more}; see --csv"));
    let texts = [("Count", true), ("Message", false), ("Traceback", false), ("Workers", false)];
    Table { columns: columns(texts), rows: rows.collect(), foot: None, note }
}

/// Every criterion with what was measured.
pub(super) fn criteria(report: &Report) -> Table {
    let rows = report.judgements.iter().take(MAX_CRITERIA).map(|judgement| {
        let criterion = &judgement.criterion;
        let measured = judgement.figure().unwrap_or_else(|| "no figure".to_owned());
        let (class, met) = if judgement.met { ("good", "met") } else { ("bad", "not met") };
        let text = cut(&criterion.text, MAX_NAME_CHARS);
        Line { class, cells: vec![text, met.to_owned(), measured, margin(judgement).unwrap_or_default()] }
    });
    let note = and_more(report.judgements.len(), MAX_CRITERIA);
    let texts = [("Criterion", false), ("Verdict", false), ("Measured", true), ("Margin", false)];
    Table { columns: columns(texts), rows: rows.collect(), foot: None, note }
}

/// What was planned and what became of it; without iterations that nobody counted.
pub(super) fn delivery(report: &Report) -> Table {
    let delivery = &report.delivery;
    let iterations = delivery.planned > 0 || delivery.started > 0;
    let peak = |users: fn(&sentinel_common::report::SecondRow) -> Option<f64>| {
        report.seconds.iter().filter_map(users).fold(0.0, f64::max)
    };
    let counts = [
        (true, "Users planned, at most", peak(|second| second.planned_users).round() as u64),
        (true, "Users running, at most", report.users_peak.unwrap_or(0)),
        (iterations, "Iterations planned", delivery.planned),
        (iterations, "Iterations started", delivery.started),
        (iterations, "Iterations started late", delivery.late),
        (iterations, "Iterations dropped", delivery.dropped),
        (true, "Requests sent", delivery.sent),
        (true, "Requests answered", delivery.answered),
        (true, "Requests failed", delivery.failed),
        (true, "Requests in flight at the stop", delivery.in_flight_at_stop),
        (true, "Requests of which nothing is known: their worker was lost", delivery.unaccounted),
        (delivery.names_capped > 0, "Requests that found no row of their own", delivery.names_capped),
        (delivery.errors_capped > 0, "Failures that found no row of their own", delivery.errors_capped),
    ];
    let known = counts.into_iter().filter(|(known, ..)| *known);
    let rows = known.map(|(_, name, count)| plain(vec![name.to_owned(), grouped(count)])).collect();
    Table { columns: columns([("", false), ("Count", true)]), rows, foot: None, note: None }
}

/// The workers that were connected at the end.
pub(super) fn workers(report: &Report) -> Table {
    let rows = report.workers.iter().take(MAX_WORKERS).map(|worker| {
        plain(vec![
            cut(worker.id.as_str(), MAX_NAME_CHARS),
            format!("{:?}", worker.state).to_lowercase(),
            format!("{:.0}", worker.cpu_percent),
            format!("{:.0}", worker.memory_bytes as f64 / 1e6),
            ms(worker.wakeup_lag_us as f64),
            cut(&worker.release, MAX_NAME_CHARS),
        ])
    });
    let columns = columns([
        ("Worker", false),
        ("State", false),
        ("CPU %", true),
        ("Memory MB", true),
        ("Timer lag ms", true),
        ("Release", false),
    ]);
    let note = and_more(report.workers.len(), MAX_WORKERS);
    Table { columns, rows: rows.collect(), foot: None, note }
}

/// What happened, the trouble marked. Criteria have a table of their own.
pub(super) fn events(report: &Report) -> Table {
    let told = |event: &&Event| !matches!(event.kind, EventKind::Criterion { .. });
    let events: Vec<&Event> = report.timeline.events().iter().filter(told).collect();
    let rows = events.iter().take(MAX_EVENTS).map(|event| {
        let trouble = matches!(
            event.kind,
            EventKind::WorkerLost { .. } | EventKind::WorkerFailed { .. } | EventKind::TeardownFailed { .. }
        );
        let text = cut(&event.kind.to_string(), MAX_MESSAGE_CHARS);
        Line { class: if trouble { "bad" } else { "" }, cells: vec![event.at.to_string(), text] }
    });
    let rows = rows.collect();
    let note = and_more(events.len() + report.timeline.omitted() as usize, MAX_EVENTS);
    Table { columns: columns([("At", true), ("Event", false)]), rows, foot: None, note }
}

fn columns(names: impl IntoIterator<Item = (&'static str, bool)>) -> Vec<Column> {
    names.into_iter().map(|(name, number)| Column { name, number }).collect()
}

fn plain(cells: Vec<String>) -> Line {
    Line { class: "", cells }
}

fn at<const INDEX: usize>(row: &Row) -> Option<String> {
    ms_at::<INDEX>(row.percentiles_us.as_ref())
}

fn due<const INDEX: usize>(row: &Row) -> Option<String> {
    ms_at::<INDEX>(row.corrected_percentiles_us.as_ref())
}

fn ms_at<const INDEX: usize>(percentiles_us: Option<&Vec<u64>>) -> Option<String> {
    const { assert!(INDEX < PERCENTILES_TO_REPORT.len()) };
    percentiles_us?.get(INDEX).map(|us| ms(*us as f64))
}

/// Milliseconds with as many decimals as matter.
pub(super) fn ms(us: f64) -> String {
    match us / 1e3 {
        ms if ms < 10.0 => format!("{ms:.2}"),
        ms if ms < 1_000.0 => format!("{ms:.1}"),
        ms => grouped(ms.round() as u64),
    }
}

fn moment(report: &Report, at: Option<sentinel_common::time::RunTime>) -> String {
    // The day is that of the run.
    let time = at.map(|at| utc(report.started_at_unix_us.saturating_add(at.as_micros())));
    time.and_then(|time| time.get(11..19).map(str::to_owned)).unwrap_or_default()
}
