//! Locust's four CSV files: every column, name, number and line end is Locust's, and columns of our own follow.
//!
//! A column is a line in one of the lists below. Locust's percentiles are whole milliseconds; ours, from the actual
//! and from the intended start, have microseconds. What a column is about is told in `docs/outputs.md`.

use std::collections::HashMap;

use csv::{Terminator, WriterBuilder};
use sentinel_common::report::{ErrorRow, ExceptionRow, Report, Row, SecondRow};
use sentinel_common::stats::{PERCENTILES_TO_REPORT, RecentTimes};
use sentinel_common::time::RunTime;

use super::python::{float, utc};

/// What Locust writes where there is no figure.
const NOTHING: &str = "N/A";

/// A column: its name, and what it says about a row of the report.
type Column<T> = (&'static str, fn(&T) -> String);

/// A row of the statistics, with the report it is from.
struct StatsRow<'a> {
    report: &'a Report,
    row: &'a Row,
    /// Whether it is the sum of all others.
    is_total: bool,
    /// Response times of the last seconds instead of the whole run, for a history that wants them; `None` inside if
    /// there were no requests.
    recent_us: Option<Option<Vec<u64>>>,
}

#[rustfmt::skip]
fn stats_columns<'a>() -> Vec<Column<StatsRow<'a>>> {
    vec![
        ("Type", |it| it.row.method.clone()),
        ("Name", |it| it.row.name.clone()),
        ("Request Count", |it| it.row.requests.to_string()),
        ("Failure Count", |it| it.row.failures.to_string()),
        ("Median Response Time", |it| median_ms(it.row)),
        ("Average Response Time", |it| average_ms(it.row)),
        ("Min Response Time", |it| it.row.min_us.filter(|us| *us > 0).map_or("0".to_owned(), ms)),
        ("Max Response Time", |it| it.row.max_us.map_or("0".to_owned(), ms)),
        ("Average Content Size", |it| average_size(it.row)),
        ("Requests/s", |it| float(it.row.overall.requests_per_s)),
        ("Failures/s", |it| float(it.row.overall.failures_per_s)),
        ("50%", whole_ms_at::<0>), ("66%", whole_ms_at::<1>), ("75%", whole_ms_at::<2>), ("80%", whole_ms_at::<3>),
        ("90%", whole_ms_at::<4>), ("95%", whole_ms_at::<5>), ("98%", whole_ms_at::<6>), ("99%", whole_ms_at::<7>),
        ("99.9%", whole_ms_at::<8>), ("99.99%", whole_ms_at::<9>), ("100%", whole_ms_at::<10>),
        // Ours.
        ("Failure Ratio", |it| float(it.row.fail_ratio)),
        ("Requests Without Time", |it| it.row.without_time.to_string()),
        ("Total Content Size", |it| it.row.content_length.to_string()),
        ("Precise 50%", precise_ms_at::<0>), ("Precise 95%", precise_ms_at::<5>), ("Precise 99%", precise_ms_at::<7>),
        ("Precise 99.9%", precise_ms_at::<8>), ("Precise 99.99%", precise_ms_at::<9>),
        ("Corrected 50%", corrected_ms_at::<0>), ("Corrected 95%", corrected_ms_at::<5>),
        ("Corrected 99%", corrected_ms_at::<7>), ("Corrected 99.9%", corrected_ms_at::<8>),
        ("Corrected 99.99%", corrected_ms_at::<9>),
        ("First Request", |it| seen(it.report, it.row.first_start)),
        ("Last Request", |it| seen(it.report, it.row.last_end)),
    ]
}

#[rustfmt::skip]
fn history_columns<'a>() -> Vec<Column<StatsRow<'a>>> {
    vec![
        ("Timestamp", |it| (unix_us(it.report, it.report.clock) / 1_000_000).to_string()),
        ("User Count", |it| it.report.users.to_string()),
        ("Type", |it| it.row.method.clone()),
        ("Name", |it| it.row.name.clone()),
        ("Requests/s", |it| format!("{:.6}", it.row.current.requests_per_s)),
        ("Failures/s", |it| format!("{:.6}", it.row.current.failures_per_s)),
        ("50%", whole_ms_at::<0>), ("66%", whole_ms_at::<1>), ("75%", whole_ms_at::<2>), ("80%", whole_ms_at::<3>),
        ("90%", whole_ms_at::<4>), ("95%", whole_ms_at::<5>), ("98%", whole_ms_at::<6>), ("99%", whole_ms_at::<7>),
        ("99.9%", whole_ms_at::<8>), ("99.99%", whole_ms_at::<9>), ("100%", whole_ms_at::<10>),
        ("Total Request Count", |it| it.row.requests.to_string()),
        ("Total Failure Count", |it| it.row.failures.to_string()),
        ("Total Median Response Time", |it| median_ms(it.row)),
        ("Total Average Response Time", |it| average_ms(it.row)),
        ("Total Min Response Time", |it| it.row.min_us.filter(|us| *us > 0).map_or("0".to_owned(), ms)),
        ("Total Max Response Time", |it| it.row.max_us.map_or("0".to_owned(), ms)),
        ("Total Average Content Size", |it| average_size(it.row)),
        // Ours. Iterations, users and workers are those of the whole run, so only its own row has them.
        ("Elapsed Seconds", |it| format!("{:.3}", it.report.clock.as_secs_f64())),
        ("Planned User Count", |it| of_run(it, planned_users(it.report))),
        ("Worker Count", |it| of_run(it, it.report.workers.len().to_string())),
        ("Planned Iterations", |it| of_run(it, it.report.delivery.planned.to_string())),
        ("Started Iterations", |it| of_run(it, it.report.delivery.started.to_string())),
        ("Late Iterations", |it| of_run(it, it.report.delivery.late.to_string())),
        ("Dropped Iterations", |it| of_run(it, it.report.delivery.dropped.to_string())),
        ("Undelivered Seconds", |it| of_run(it, seconds_in_which(it.report, |second| second.undelivered))),
        ("Saturated Seconds", |it| of_run(it, seconds_in_which(it.report, |second| second.saturated_workers > 0))),
        ("Total Corrected 50%", corrected_ms_at::<0>), ("Total Corrected 95%", corrected_ms_at::<5>),
        ("Total Corrected 99%", corrected_ms_at::<7>), ("Total Corrected 99.9%", corrected_ms_at::<8>),
        ("Total Corrected 99.99%", corrected_ms_at::<9>),
    ]
}

fn failure_columns<'a>() -> Vec<Column<(&'a Report, &'a ErrorRow)>> {
    vec![
        ("Method", |(_, error)| error.method.clone()),
        ("Name", |(_, error)| error.name.clone()),
        ("Error", |(_, error)| error.message.clone()),
        ("Occurrences", |(_, error)| error.occurrences.to_string()),
        ("First Seen", |(report, error)| seen(report, error.first_seen)),
        ("Last Seen", |(report, error)| seen(report, error.last_seen)),
    ]
}

fn exception_columns<'a>() -> Vec<Column<&'a ExceptionRow>> {
    vec![
        ("Count", |exception| exception.count.to_string()),
        ("Message", |exception| exception.message.clone()),
        ("Traceback", |exception| exception.traceback.clone()),
        ("Nodes", |exception| exception.nodes.join(", ")),
    ]
}

/// `PREFIX_stats.csv`: a line for each row by name, then the total.
pub fn stats_csv(report: &Report) -> Vec<u8> {
    let rows = report.rows.iter().map(|row| (row, false)).chain([(&report.total, true)]);
    table(&stats_columns(), rows.map(|(row, is_total)| StatsRow { report, row, is_total, recent_us: None }))
}

/// `PREFIX_failures.csv`: a line for each row and message, in the order of their arrival.
pub fn failures_csv(report: &Report) -> Vec<u8> {
    table(&failure_columns(), report.errors.iter().map(|error| (report, error)))
}

/// `PREFIX_exceptions.csv`: a line for each exception, in the order of their arrival.
pub fn exceptions_csv(report: &Report) -> Vec<u8> {
    table(&exception_columns(), report.exceptions.iter())
}

/// The first line of `PREFIX_stats.csv`.
pub fn stats_csv_header() -> Vec<u8> {
    written([header(&stats_columns())])
}

/// The first line of `PREFIX_failures.csv`.
pub fn failures_csv_header() -> Vec<u8> {
    written([header(&failure_columns())])
}

/// The first line of `PREFIX_exceptions.csv`.
pub fn exceptions_csv_header() -> Vec<u8> {
    written([header(&exception_columns())])
}

/// What `PREFIX_stats_history.csv` says of the moments of a run, one after the other.
#[derive(Debug)]
pub struct HistoryCsv {
    /// The response times of the last seconds of every row, by method and name; `None` if only the total is wanted.
    recent: Option<HashMap<(String, String), RecentTimes>>,
}

impl HistoryCsv {
    /// A history of the total, whose percentiles are those of the whole run so far; or, if it is to be `full`, of
    /// every row and the total, whose percentiles are those of the last ten seconds. Both are as in Locust.
    pub fn new(full: bool) -> Self {
        Self { recent: full.then(HashMap::new) }
    }

    /// The first line.
    pub fn header(&self) -> Vec<u8> {
        written([header(&history_columns())])
    }

    /// The lines of one moment. A full history needs a report with the response times of its rows.
    pub fn lines(&mut self, report: &Report) -> Vec<u8> {
        let columns = history_columns();
        let rows: &[Row] = if self.recent.is_some() { &report.rows } else { &[] };
        let rows = rows.iter().map(|row| (row, false)).chain([(&report.total, true)]);
        written(rows.map(|(row, is_total)| {
            let recent_us = self.recent.as_mut().map(|recent| recent_us(recent, report.clock, row));
            cells(&columns, &StatsRow { report, row, is_total, recent_us })
        }))
    }
}

/// The response times of the last seconds of `row`, which is looked at now.
fn recent_us(
    recent: &mut HashMap<(String, String), RecentTimes>,
    now: RunTime,
    row: &Row,
) -> Option<Vec<u64>> {
    // As many rows as the statistics have, which are bounded.
    let times = recent.entry((row.method.clone(), row.name.clone())).or_default();
    times.observe(now, &row.response_times);
    times.percentiles_us(&PERCENTILES_TO_REPORT)
}

fn table<T>(columns: &[Column<T>], rows: impl Iterator<Item = T>) -> Vec<u8> {
    written([header(columns)].into_iter().chain(rows.map(|row| cells(columns, &row))))
}

fn header<T>(columns: &[Column<T>]) -> Vec<String> {
    columns.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn cells<T>(columns: &[Column<T>], row: &T) -> Vec<String> {
    columns.iter().map(|(_, cell)| cell(row)).collect()
}

/// Lines of one length, quoted where Python's writer quotes.
fn written(lines: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        writer.write_record(line).expect("memory takes everything");
    }
    writer.into_inner().expect("memory takes everything")
}

fn whole_ms_at<const INDEX: usize>(it: &StatsRow<'_>) -> String {
    if it.row.requests == 0 {
        return NOTHING.to_owned();
    }
    let percentiles = it.recent_us.as_ref().unwrap_or(&it.row.percentiles_us);
    // Without a time there is a zero in Locust.
    let us = percentiles.as_ref().and_then(|us| us.get(INDEX)).copied().unwrap_or(0);
    rounded_ms(us).to_string()
}

fn precise_ms_at<const INDEX: usize>(it: &StatsRow<'_>) -> String {
    precise_ms(it.row.percentiles_us.as_deref(), INDEX)
}

/// From the intended start. Where that was always the actual one, both are the same.
fn corrected_ms_at<const INDEX: usize>(it: &StatsRow<'_>) -> String {
    let times = it.row.corrected_percentiles_us.as_ref().or(it.row.percentiles_us.as_ref());
    precise_ms(times.map(Vec::as_slice), INDEX)
}

fn precise_ms(percentiles_us: Option<&[u64]>, index: usize) -> String {
    let us = percentiles_us.and_then(|us| us.get(index));
    us.map_or(NOTHING.to_owned(), |us| format!("{:.3}", *us as f64 / 1e3))
}

/// Locust's median: whole milliseconds, unless the extremes, which are exact, say that it cannot be so much or so little.
fn median_ms(row: &Row) -> String {
    let Some(((median_us, min_us), max_us)) = row.median_us.zip(row.min_us).zip(row.max_us) else {
        return "0".to_owned();
    };
    let rounded = rounded_ms(median_us);
    match rounded * 1_000 {
        rounded_us if rounded_us > max_us => ms(max_us),
        rounded_us if rounded_us < min_us => ms(min_us),
        _ => rounded.to_string(),
    }
}

fn average_ms(row: &Row) -> String {
    let timed = row.requests.saturating_sub(row.without_time);
    if timed == 0 {
        return float(0.0);
    }
    float(row.total_response_time_us as f64 / 1e3 / timed as f64)
}

fn average_size(row: &Row) -> String {
    if row.requests == 0 {
        return "0".to_owned();
    }
    float(row.content_length as f64 / row.requests as f64)
}

/// Milliseconds as a float of Python's.
fn ms(us: u64) -> String {
    float(us as f64 / 1e3)
}

/// Whole milliseconds, half of one to the even side, as Python rounds.
fn rounded_ms(us: u64) -> u64 {
    (us as f64 / 1e3).round_ties_even() as u64
}

fn planned_users(report: &Report) -> String {
    let planned = report.seconds.last().and_then(|second| second.planned_users);
    planned.map_or(String::new(), |users| format!("{users:.0}"))
}

/// How many seconds of the run so far are of a kind.
fn seconds_in_which(report: &Report, is_so: fn(&SecondRow) -> bool) -> String {
    report.seconds.iter().filter(|second| is_so(second)).map(|second| second.width).sum::<u32>().to_string()
}

/// A figure of the whole run, which belongs to the row of the total.
fn of_run(it: &StatsRow<'_>, figure: String) -> String {
    if it.is_total { figure } else { String::new() }
}

fn seen(report: &Report, at: Option<RunTime>) -> String {
    at.map_or(String::new(), |at| utc(unix_us(report, at)))
}

fn unix_us(report: &Report, at: RunTime) -> u64 {
    report.started_at_unix_us.saturating_add(at.as_micros())
}

#[cfg(test)]
mod tests {
    use sentinel_common::report::ExceptionRow;
    use sentinel_common::stats::SparseHistogram;

    use super::super::sample;
    use super::*;

    /// The lines of a file, as far as Locust's columns go.
    fn locusts_part(csv: &[u8], locusts: &str) -> String {
        let columns = records(locusts.as_bytes())[0].len();
        let cut = records(csv).into_iter().map(|line| line[..columns].to_vec());
        String::from_utf8(written(cut)).unwrap()
    }

    fn records(csv: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(csv);
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    /// The cells of a column.
    fn column(csv: &[u8], name: &str) -> Vec<String> {
        let records = records(csv);
        let index = records[0].iter().position(|column| column == name).expect("there is such a column");
        records[1..].iter().map(|line| line[index].clone()).collect()
    }

    #[test]
    fn locusts_columns_come_first_and_are_its_own_to_the_byte() {
        let cases: Vec<_> = sample::locust_cases().into_iter().filter(|case| case.csv.is_some()).collect();
        assert!(cases.len() > 3, "only {} cases", cases.len());
        for case in cases {
            let (title, report) = (&case.title, case.report());
            let csv = case.csv.as_ref().unwrap();
            assert_eq!(locusts_part(&stats_csv(&report), &csv.stats), csv.stats, "{title}");
            assert_eq!(String::from_utf8(failures_csv(&report)).unwrap(), csv.failures, "{title}");
            let mut history = HistoryCsv::new(false);
            let found = [history.header(), history.lines(&report)].concat();
            // The moment is that of whoever asks.
            let found = locusts_part(&found, &csv.history);
            let expected = csv.history.replace("\r\n0,0,", &format!("\r\n{},0,", 1_795_437_338));
            assert_eq!(found, expected, "{title}");
        }
    }

    #[test]
    fn our_columns_know_more() {
        let mut report = sample::empty();
        let mut row = sample::row("GET", "/");
        (row.requests, row.failures, row.fail_ratio, row.content_length) = (4, 1, 0.25, 4_000);
        row.percentiles_us = Some((1..=11).map(|index| index * 1_234).collect());
        row.corrected_percentiles_us = Some((1..=11).map(|index| index * 2_000).collect());
        row.first_start = Some(RunTime::from_secs(1));
        report.rows = vec![row, sample::row("GET", "/never")];
        let csv = stats_csv(&report);
        let check = |name, expected: [&str; 3]| assert_eq!(column(&csv, name), expected, "{name}");
        check("Name", ["/", "/never", "Aggregated"]);
        check("50%", ["1", "N/A", "N/A"]);
        check("Precise 50%", ["1.234", "N/A", "N/A"]);
        check("Precise 99.99%", ["12.340", "N/A", "N/A"]);
        check("Corrected 99%", ["16.000", "N/A", "N/A"]);
        check("Failure Ratio", ["0.25", "0.0", "0.0"]);
        check("Total Content Size", ["4000", "0", "0"]);
        check("First Request", ["2026-11-23T12:35:39Z", "", ""]);
    }

    #[test]
    fn a_full_history_is_about_the_last_seconds_of_every_row() {
        let mut report = sample::empty();
        let mut history = HistoryCsv::new(true);
        let mut csv = history.header();
        for (second, buckets) in [
            (1, vec![(10_000, 50)]),
            (2, vec![(10_000, 50), (90_000, 9)]),
            (12, vec![(10_000, 50), (90_000, 12)]),
        ] {
            let mut row = sample::row("GET", "/");
            row.requests = 50;
            row.percentiles_us = Some(vec![10_000; 11]);
            row.response_times = SparseHistogram::from_buckets(buckets);
            report.total = Row { name: "Aggregated".to_owned(), method: String::new(), ..row.clone() };
            report.rows = vec![row];
            report.clock = RunTime::from_secs(second);
            csv.extend(history.lines(&report));
        }
        assert_eq!(column(&csv, "Name"), ["/", "Aggregated"].repeat(3));
        assert_eq!(column(&csv, "50%"), ["10", "10", "10", "10", "90", "90"]);
        assert_eq!(column(&csv, "Elapsed Seconds")[4], "12.000");
        assert_eq!(column(&csv, "Worker Count"), ["", "0", "", "0", "", "0"]);
    }

    #[test]
    fn lines_and_quotes_stay_in_their_cells() {
        let mut report = sample::empty();
        let traceback = "Traceback:\n  \"here\", line 1\r\n";
        report.exceptions = vec![ExceptionRow {
            count: 2,
            message: "a, \"b\"".to_owned(),
            traceback: traceback.to_owned(),
            nodes: vec!["a".to_owned(), "b".to_owned()],
        }];
        let csv = exceptions_csv(&report);
        assert_eq!(records(&csv)[1], ["2", "a, \"b\"", traceback, "a, b"]);
        assert!(csv.starts_with(b"Count,Message,Traceback,Nodes\r\n2,\"a, \"\"b\"\"\","), "{csv:?}");
    }
}
