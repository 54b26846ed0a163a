//! The views of a search: a line for each step, a table, a chart, JSON, Markdown, a page.

mod chart;
mod page;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use sentinel_common::search::{Kind, Limit, Measurement, Range, Search, StepPlan, StepVerdict};
use serde_json::json;

use self::chart::chart;
use super::markdown::{table, text};
use super::printable;
use super::top::cut;

pub use self::page::search_page;

/// How many characters of a reason are shown.
const MAX_REASON_CHARS: usize = 300;

/// The columns of every table of a search.
const COLUMNS: [&str; 8] =
    ["Load", "req/s", "p50 ms", "p95 ms", "p99 ms", "Failed %", "Delivered %", "Verdict"];

/// What is searched.
pub fn search_heading(range: &Range, steps: &StepPlan) -> String {
    let (from, to) = (range.from().words(), range.to().words());
    let (warm_up, measured) = (steps.warm_up.as_secs(), steps.step_time.as_secs());
    format!(
        "Searching from {from} to {to}: each step has {warm_up} s of warm-up and {measured} s that are measured\n"
    )
}

/// The line of a run that is over.
pub fn search_step(measurement: &Measurement) -> String {
    let ms = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
    let percent = |value: Option<f64>, decimals: usize| {
        value.map_or("-".to_owned(), |share| format!("{:.decimals$} %", share * 100.0))
    };
    let repetition = match measurement.repetition {
        1 => String::new(),
        repetition => format!(", run {repetition}"),
    };
    format!(
        "step {}{repetition}: {}  p50 {}  p95 {}  p99 {}  fail {}  delivered {}  {}\n",
        measurement.step,
        measurement.load.words(),
        ms(measurement.p50_ms),
        ms(measurement.p95_ms),
        ms(measurement.p99_ms),
        percent(measurement.fail_ratio, 2),
        percent(measurement.delivered, 1),
        measurement.verdict.as_str(),
    )
}

/// The table, the chart and the result.
pub fn search_summary(search: &Search) -> String {
    let rows: Vec<[String; 8]> = sorted(search).into_iter().map(cells).collect();
    let width = |index: usize| {
        let cells = rows.iter().map(|row| row[index].chars().count());
        cells.chain([COLUMNS[index].len()]).max().unwrap_or(0)
    };
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |cells: [&str; 8]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}"));
        padded.collect::<Vec<_>>().join("  ") + "\n"
    };
    let mut text = String::from("\n");
    if !rows.is_empty() {
        text += &line(COLUMNS);
        rows.iter().for_each(|row| text += &line(std::array::from_fn(|index| row[index].as_str())));
        text += "\n";
        text += &chart(&sorted(search));
    }
    let _ = writeln!(text, "{}", printable(&search.finding().sentence()));
    text
}

/// The result for programs.
pub fn search_json(search: &Search) -> String {
    let (range, finding) = (search.range(), search.finding());
    let value = json!({
        "kind": range.kind(),
        "from": range.from().to_string(),
        "to": range.to().to_string(),
        "precision": range.precision(),
        "highest_passed": finding.highest_passed.map(|load| load.to_string()),
        "lowest_failed": finding.lowest_failed.map(|load| load.to_string()),
        "limit": finding.limit,
        "end": finding.end,
        "steps": search.measurements(),
        "sentence": finding.sentence(),
    });
    format!("{value:#}\n")
}

/// The result and the table in Markdown, which ends with an empty line so that another one may follow.
pub fn search_md(search: &Search) -> String {
    let finding = search.finding();
    let sign = match (finding.highest_passed, finding.limit) {
        (Some(_), _) => "✅",
        (None, Some(Limit::Target)) => "❌",
        (None, _) => "⚠️",
    };
    let range = search.range();
    let title = format!("Sentinel: search from {} to {}", range.from().words(), range.to().words());
    let mut md = format!("## {sign} {}\n\n{}\n\n", text(&title), text(&finding.sentence()));
    let rows: Vec<[String; 8]> =
        sorted(search).into_iter().map(|it| cells(it).map(|cell| text(&cell))).collect();
    md += &table(None, COLUMNS, "rrrrrrrl", &rows, None);
    let missed = sorted(search).into_iter().filter(|it| it.verdict != StepVerdict::Passed);
    for measurement in missed {
        if let Some(reason) = measurement.reasons.first() {
            let _ = writeln!(md, "- {}", text(&format!("{}: {reason}", measurement.load.words())));
        }
    }
    md + "\n"
}

/// What was measured, by load.
fn sorted(search: &Search) -> Vec<&Measurement> {
    let mut sorted: Vec<&Measurement> = search.measurements().iter().collect();
    // Stable: those of one load stay in the order of time.
    sorted.sort_by(|a, b| a.load.value().total_cmp(&b.load.value()));
    sorted
}

/// A measurement in the [`COLUMNS`].
fn cells(measurement: &Measurement) -> [String; 8] {
    let ms = |value: Option<f64>| value.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
    let percent = |value: Option<f64>, decimals: usize| {
        value.map_or("-".to_owned(), |share| format!("{:.decimals$}", share * 100.0))
    };
    [
        measurement.load.to_string(),
        format!("{:.1}", measurement.achieved_rps),
        ms(measurement.p50_ms),
        ms(measurement.p95_ms),
        ms(measurement.p99_ms),
        percent(measurement.fail_ratio, 2),
        percent(measurement.delivered, 1),
        measurement.verdict.as_str().to_owned(),
    ]
}

/// What the axis of the load counts.
fn unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Rate => "arrivals per second",
        Kind::Users => "users",
    }
}

/// Why a measurement did not pass, in a bounded text.
fn reason(measurement: &Measurement) -> String {
    cut(measurement.reasons.first().map_or("", String::as_str), MAX_REASON_CHARS)
}
