//! The three tables of Locust's console, to the byte: request statistics, response time percentiles, error report.
//!
//! People read them and scripts cut them into columns, so widths, truncation and quirks are Locust's: a column that is
//! too narrow is pushed open by what is in it, and milliseconds lose their fraction instead of being rounded. Only the
//! figures are ours: Locust rounds response times before it counts them, and we do not. Each text ends with an empty
//! line, as Locust's do.

use std::fmt::Display;

use sentinel_common::report::{ErrorRow, Report, Row};

use super::{printable, text_of};

/// The width of the column of methods.
const TYPE_WIDTH: usize = 8;

/// Locust's headers of the percentiles that a report holds.
const PERCENTILE_HEADERS: [&str; 11] =
    ["50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%"];

/// How many characters a table leaves for names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameWidth(usize);

impl NameWidth {
    const MAX: u16 = 80;

    /// What a terminal of `columns` leaves beside 80 columns of figures; the most if there is no terminal.
    pub fn of_terminal(columns: Option<u16>) -> Self {
        let columns = columns.map_or(Self::MAX, |columns| columns.saturating_sub(80).min(Self::MAX));
        Self(usize::from(columns))
    }

    /// The width in the table of statistics, whose other columns take four characters more than there is room for.
    /// As in Locust, a width that this makes negative pads like a positive one.
    fn beside_statistics(self) -> usize {
        self.0.abs_diff(4)
    }
}

/// Which requests per second a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateSpan {
    /// Those of the last seconds, for a run that is going on.
    Current,
    /// Those of the whole run, for one that is over.
    Overall,
}

/// The request statistics: a line for each row by name, then the total.
pub fn stats_table(report: &Report, rates: RateSpan, width: NameWidth) -> String {
    let name_width = width.beside_statistics();
    let header = format!(
        "{:<TYPE_WIDTH$} {:<name_width$} {:>7} {:>12} |{:>7} {:>7} {:>7}{:>7} | {:>7} {:>11}",
        "Type", "Name", "# reqs", "# fails", "Avg", "Min", "Max", "Med", "req/s", "failures/s"
    );
    let separator = rule(&[TYPE_WIDTH, width.0.saturating_sub(4), 7, 13, 7, 7, 7, 7, 8, 11]);
    let mut lines = vec![header, separator.clone()];
    lines.extend(report.rows.iter().map(|row| stats_line(row, rates, name_width)));
    lines.extend([separator, stats_line(&report.total, rates, name_width), String::new()]);
    text_of(&lines)
}

/// The response times at the percentiles: a line for each row that has any, then the total.
pub fn percentile_table(report: &Report, width: NameWidth) -> String {
    let name_width = width.0;
    let headers = percentile_cells(PERCENTILE_HEADERS.into_iter().chain(["# reqs"]));
    let header = format!("{:<TYPE_WIDTH$} {:<name_width$} {headers}", "Type", "Name");
    let separator = rule(&[&[TYPE_WIDTH, name_width, 8][..], &[6; PERCENTILE_HEADERS.len()]].concat());
    let mut lines = vec!["Response time percentiles (approximated)".to_owned(), header, separator.clone()];
    lines.extend(report.rows.iter().filter_map(|row| percentile_line(row, name_width)));
    lines.push(separator);
    lines.extend(percentile_line(&report.total, name_width));
    lines.push(String::new());
    text_of(&lines)
}

/// The failures in the order of their arrival; `None` if there are none.
pub fn error_report(report: &Report, width: NameWidth) -> Option<String> {
    if report.errors.is_empty() {
        return None;
    }
    let separator = rule(&[18, width.0 + 61]);
    let header = format!("{:<18} {:<100}", "# occurrences", "Error");
    let mut lines = vec!["Error report".to_owned(), header, separator.clone()];
    lines.extend(report.errors.iter().map(error_line));
    lines.extend([separator, String::new()]);
    Some(text_of(&lines))
}

fn stats_line(row: &Row, rates: RateSpan, name_width: usize) -> String {
    let method = if row.method.is_empty() { String::new() } else { format!("{} ", printable(&row.method)) };
    let failures = format!("{}({:.2}%)", row.failures, row.fail_ratio * 100.0);
    // The cast drops the fraction, as Locust's format does.
    let mean_ms = row.mean_us.map_or(0, |micros| (micros / 1e3) as u64);
    let [min_ms, max_ms, median_ms] =
        [row.min_us, row.max_us, row.median_us].map(|micros| micros.map_or(0, whole_ms));
    let rates = match rates {
        RateSpan::Current => row.current,
        RateSpan::Overall => row.overall,
    };
    format!(
        "{method:<TYPE_WIDTH$} {:<name_width$} {:>7} {failures:>12} |{mean_ms:>7} {min_ms:>7} {max_ms:>7}{median_ms:>7} \
         | {:>7.2} {:>11.2}",
        printable(&row.name),
        row.requests,
        rates.requests_per_s,
        rates.failures_per_s
    )
}

fn percentile_line(row: &Row, name_width: usize) -> Option<String> {
    let times_ms = row.percentiles_us.as_ref()?.iter().map(|micros| whole_ms(*micros));
    let cells = percentile_cells(times_ms.chain([row.requests]));
    let (method, name) = (printable(&row.method), printable(&row.name));
    Some(format!("{method:<TYPE_WIDTH$} {name:<name_width$} {cells}"))
}

/// Cells right under their headers. Locust took the first percentile for the number of requests, which is why its
/// column is the wide one.
fn percentile_cells(cells: impl Iterator<Item = impl Display>) -> String {
    let padded = cells
        .enumerate()
        .map(|(index, cell)| if index == 0 { format!("{cell:>8}") } else { format!("{cell:>6}") });
    padded.collect::<Vec<_>>().join(" ")
}

fn error_line(error: &ErrorRow) -> String {
    let sentence = format!("{} {}: {}", error.method, error.name, unwrapped(&error.message));
    format!("{:<18} {:<100}", error.occurrences, printable(&sentence))
}

/// Takes the exception off a message that the scenario's author wrote with Locust's `failure("...")`.
fn unwrapped(message: &str) -> &str {
    match message.strip_prefix("CatchResponseError(") {
        // A message that was too long has lost its end, and has nothing more to give.
        Some(inner) => inner.strip_suffix(')').unwrap_or(inner),
        None => message,
    }
}

fn rule(widths: &[usize]) -> String {
    widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("|")
}

fn whole_ms(micros: u64) -> u64 {
    micros / 1_000
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn assert_same(found: &str, expected: &str, title: &str) {
        for (line, (found, expected)) in found.split('\n').zip(expected.split('\n')).enumerate() {
            assert_eq!(found, expected, "line {line} of {title}");
        }
        assert_eq!(found, expected, "{title}");
    }

    #[test]
    fn tables_are_those_of_locust_to_the_byte() {
        let cases = sample::locust_cases();
        assert!(cases.len() > 10, "only {} cases", cases.len());
        for case in cases {
            let title = case.title.as_str();
            let width = NameWidth::of_terminal(case.terminal_columns);
            let report = case.report();
            assert_same(&stats_table(&report, RateSpan::Current, width), &case.current_stats, title);
            assert_same(&stats_table(&report, RateSpan::Overall, width), &case.overall_stats, title);
            assert_same(&percentile_table(&report, width), &case.percentiles, title);
            assert_same(&error_report(&report, width).unwrap_or_default(), &case.error_report, title);
        }
    }

    #[test]
    fn names_get_what_the_figures_leave() {
        let check = |columns, expected| {
            assert_eq!(NameWidth::of_terminal(columns), NameWidth(expected), "{columns:?}");
        };
        check(None, 80);
        check(Some(0), 0);
        check(Some(80), 0);
        check(Some(100), 20);
        check(Some(160), 80);
        check(Some(u16::MAX), 80);
    }

    #[test]
    fn milliseconds_lose_their_fraction() {
        let mut report = sample::empty();
        let mut row = sample::row("GET", "/");
        (row.mean_us, row.min_us, row.max_us, row.median_us) =
            (Some(2_999.9), Some(999), Some(87_999), Some(3_500));
        row.percentiles_us = Some(vec![3_999; 11]);
        report.rows = vec![row];
        let width = NameWidth::of_terminal(Some(80));
        let stats = stats_table(&report, RateSpan::Current, width);
        assert!(stats.contains("|      2       0      87      3 |"), "{stats}");
        let percentiles = percentile_table(&report, width);
        assert!(percentiles.contains("       3      3      3      3 "), "{percentiles}");
    }

    #[test]
    fn a_message_without_its_end_loses_nothing_more() {
        let check = |message: &str, expected: &str| assert_eq!(unwrapped(message), expected);
        check("CatchResponseError('slow')", "'slow'");
        check("CatchResponseError('a very long", "'a very long");
        check("CatchResponseError(", "");
        check("TimeoutError()", "TimeoutError()");
    }

    #[test]
    fn a_hostile_target_cannot_draw_on_the_terminal() {
        let mut report = sample::empty();
        let mut row = sample::row("G\u{1b}[2JT", "/\r\n\u{9b}2J");
        row.percentiles_us = Some(vec![1_000; 11]);
        report.rows = vec![row];
        report.errors =
            vec![sample::error("GET\u{7}", "/\u{1b}]0;title\u{7}", "CatchResponseError('\n\u{1b}[31m')", 1)];
        let width = NameWidth::of_terminal(None);
        let text = stats_table(&report, RateSpan::Overall, width)
            + &percentile_table(&report, width)
            + &error_report(&report, width).unwrap();
        assert!(!text.contains(|char: char| char.is_control() && char != '\n'), "{text:?}");
        assert_eq!(text.lines().count(), 3 * 6, "{text}");
        assert!(text.contains("GET\\u{7} /\\u{1b}]0;title\\u{7}: '\\n\\u{1b}[31m'"), "{text}");
    }
}
