//! The summary of a run in Markdown, for `--summary-md` and the page that GitHub Actions shows for a job.
//!
//! It is short whatever the run was: a few tables of a few rows, with a word on what they leave out. Texts from outside
//! are written so that no character of them is Markdown or HTML.

use std::fmt::Write as _;

use sentinel_common::figures::grouped;
use sentinel_common::report::{Report, Row};
use sentinel_common::verdict::Verdict;

use super::printable;
use super::top::{cut, top_errors, top_rows};
use super::verdict::{and_more, facts, margin, notable};

/// How many requests, failures, criteria, events and exceptions are listed.
const MAX_ROWS: usize = 20;
/// How many characters of a name or message are shown.
const MAX_CHARS: usize = 200;

/// The whole summary, which ends with an empty line so that another one may follow.
pub fn summary_md(report: &Report) -> String {
    let profile = report.profile.as_ref().map(|profile| format!(" ({profile})")).unwrap_or_default();
    let title = text(&format!("{}{profile}", report.scenario));
    let mut md = format!("## {} Sentinel: {} – {title}\n\n", sign(report), report.ruling.verdict.as_str());
    for reason in report.ruling.reasons.iter().take(MAX_ROWS) {
        let _ = writeln!(md, "- {}", text(reason));
    }
    md += &and_more(report.ruling.reasons.len(), MAX_ROWS)
        .map(|more| format!("- {more}\n"))
        .unwrap_or_default();
    md += "\n";
    for note in report.notes.iter().take(MAX_ROWS) {
        let _ = writeln!(md, "> {}\n>", text(note));
    }
    md += "\n";
    let facts: Vec<[String; 2]> =
        facts(report).into_iter().map(|(label, fact)| [label.to_owned(), text(&fact)]).collect();
    md += &table(None, ["Run", &text(report.run.as_str())], "ll", &facts, None);
    md += &criteria(report);
    md += &requests(report);
    md += &failures(report);
    md += &events(report);
    md += &exceptions(report);
    md
}

fn sign(report: &Report) -> &'static str {
    match report.ruling.verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Invalid => "⚠️",
    }
}

fn criteria(report: &Report) -> String {
    let rows = report.judgements.iter().take(MAX_ROWS).map(|judgement| {
        let criterion = &judgement.criterion;
        let measured = judgement.figure().unwrap_or_else(|| "no figure".to_owned());
        let met = if judgement.met { "✅ met" } else { "❌ not met" };
        [text(&criterion.text), met.to_owned(), measured, margin(judgement).unwrap_or_default()]
    });
    let rows = rows.collect::<Vec<_>>();
    let more = and_more(report.judgements.len(), MAX_ROWS);
    table(Some("Criteria"), ["Criterion", "", "Measured", "Margin"], "llrl", &rows, more)
}

fn requests(report: &Report) -> String {
    let top = top_rows(report, MAX_ROWS);
    let mut rows: Vec<[String; 9]> = top.shown.iter().map(|row| request(row)).collect();
    if report.rows.len() != 1 {
        rows.push(
            request(&report.total).map(|cell| if cell.is_empty() { cell } else { format!("**{cell}**") }),
        );
    }
    let columns = ["Type", "Name", "Requests", "Failures", "Avg ms", "p50 ms", "p95 ms", "p99 ms", "req/s"];
    let more = (top.others > 0).then(|| {
        let (others, requests) = (grouped(top.others as u64), grouped(top.others_count));
        format!("and {others} more names with {requests} requests, {} failed", grouped(top.others_failures))
    });
    table(Some("Requests"), columns, "llrrrrrrr", &rows, more)
}

fn request(row: &Row) -> [String; 9] {
    let ms = |us: f64| format!("{:.1}", us / 1e3);
    let at = |index: usize| {
        let us = row.percentiles_us.as_ref().and_then(|us| us.get(index));
        us.map_or("–".to_owned(), |us| ms(*us as f64))
    };
    [
        text(&row.method),
        text(&row.name),
        grouped(row.requests),
        format!("{} ({:.2} %)", grouped(row.failures), row.fail_ratio * 100.0),
        row.mean_us.map_or("–".to_owned(), ms),
        at(0),
        at(5),
        at(7),
        format!("{:.1}", row.overall.requests_per_s),
    ]
}

fn failures(report: &Report) -> String {
    let top = top_errors(&report.errors, MAX_ROWS);
    let rows = top.shown.iter().map(|error| {
        let name = format!("{} {}", error.method, error.name);
        [grouped(error.occurrences), text(name.trim()), text(&error.message)]
    });
    let rows = rows.collect::<Vec<_>>();
    let more = (top.others > 0).then(|| {
        let (others, count) = (grouped(top.others as u64), grouped(top.others_count));
        format!("and {others} more kinds, which occurred {count} times")
    });
    table(Some("Failures"), ["Occurrences", "Request", "Message"], "rll", &rows, more)
}

fn events(report: &Report) -> String {
    let events = notable(&report.timeline);
    let row =
        |event: &&sentinel_common::timeline::Event| [event.at.to_string(), text(&event.kind.to_string())];
    let rows: Vec<[String; 2]> = events.iter().take(MAX_ROWS).map(row).collect();
    table(Some("Workers and data"), ["At", "Event"], "rl", &rows, and_more(events.len(), MAX_ROWS))
}

fn exceptions(report: &Report) -> String {
    let exceptions = report.exceptions.iter().take(MAX_ROWS);
    let rows: Vec<[String; 2]> =
        exceptions.map(|exception| [grouped(exception.count), text(&exception.message)]).collect();
    let more = and_more(report.exceptions.len(), MAX_ROWS);
    table(Some("Exceptions in the scenario"), ["Count", "Message"], "rl", &rows, more)
}

/// A table under its title; nothing if it has no rows. `alignment` has an `l` or `r` for each column.
pub(super) fn table<const N: usize>(
    title: Option<&str>,
    columns: [&str; N],
    alignment: &str,
    rows: &[[String; N]],
    more: Option<String>,
) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rules: Vec<String> =
        alignment.chars().map(|side| if side == 'r' { "---:" } else { "---" }.to_owned()).collect();
    let mut md = title.map(|title| format!("### {title}\n\n")).unwrap_or_default();
    md += &line(&columns.map(str::to_owned));
    md += &line(&rules);
    rows.iter().for_each(|row| md += &line(row));
    md += "\n";
    md + &more.map(|more| format!("{more}\n\n")).unwrap_or_default()
}

/// Text that is nothing but text, also in a cell of a table.
pub(super) fn text(raw: &str) -> String {
    let raw = cut(raw, MAX_CHARS);
    let mut text = String::with_capacity(raw.len() + 8);
    for char in printable(&raw).chars() {
        match char {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            // Names of people and teams would be told, and addresses become links.
            '@' => text.push_str("&#64;"),
            ':' => text.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '$' | '!' => {
                text.push('\\');
                text.push(char);
            }
            _ => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use sentinel_common::criteria::Criterion;
    use sentinel_common::verdict::Ruling;

    use super::super::sample;
    use super::*;

    #[test]
    fn it_says_what_matters() {
        let mut report = sample::empty();
        let criterion = Criterion::parse("p95 < 100ms").unwrap();
        report.judgements = vec![criterion.judge_figure(Some(112.0), None)];
        report.ruling = Ruling { verdict: Verdict::Fail, reasons: vec!["criterion not met".to_owned()] };
        let mut row = sample::row("GET", "/");
        (row.requests, row.failures, row.fail_ratio) = (4_000, 40, 0.01);
        row.percentiles_us = Some((1..=11).map(|index| index * 1_000).collect());
        report.rows = vec![row];
        report.errors = vec![sample::error("GET", "/", "boom", 40)];
        let md = summary_md(&report);
        for line in [
            "## ❌ Sentinel: FAIL – shop.yaml",
            "- criterion not met",
            "| p95 &lt; 100ms | ❌ not met | 112.0 ms | 12.0 % above the limit |",
            "| GET | / | 4,000 | 40 (1.00 %) | – | 1.0 | 6.0 | 8.0 | 0.0 |",
            "| 40 | GET / | boom |",
        ] {
            assert!(md.lines().any(|found| found == line), "no {line:?} in\n{md}");
        }
        assert!(!md.contains("Exceptions"), "{md}");
    }

    #[test]
    fn nothing_from_outside_is_markdown() {
        let name = "a|b\n<script> [x](http://y) `c` @team **d** \\";
        let mut report = sample::empty();
        report.rows = vec![sample::row("G|T", name)];
        report.errors = vec![sample::error("G|T", name, name, 1)];
        let md = summary_md(&report);
        for line in md.lines().filter(|line| line.contains("script")) {
            let cells = line.replace("\\|", "").matches('|').count();
            assert!(cells == 10 || cells == 4, "{line}");
            assert!(
                !line.contains('<') && !line.contains("](") && !line.contains("//y")
                    || line.contains("&#58;//y"),
                "{line}"
            );
            assert!(!line.contains('@') && !line.contains(" `") && !line.contains(" **d"), "{line}");
        }
    }

    #[test]
    fn it_is_short_whatever_the_run_was() {
        let mut report = sample::empty();
        report.rows =
            (0..10_000).map(|index| sample::row("GET", &format!("{index}{}", "|".repeat(900)))).collect();
        report.errors = (0..10_000)
            .map(|index| sample::error("GET", "/", &format!("{index}{}", "<".repeat(900)), 1))
            .collect();
        report.ruling.reasons = vec!["<".repeat(100_000); 1_000];
        let md = summary_md(&report);
        assert!(md.len() < 128 * 1024, "{} bytes", md.len());
        assert!(md.contains("and 9,980 more names") && md.contains("and 9,980 more kinds"), "{md}");
    }
}
