//! Reports for the tests of the views: made by hand, and made from the figures that Locust printed.

use sentinel_common::coordinator::Phase;
use sentinel_common::ids::{RunId, WorkerId};
use sentinel_common::report::{DeliveryFigures, ErrorRow, LoadFigures, Report, Row};
use sentinel_common::stats::rate::Rates;
use sentinel_common::stats::{AGGREGATED, SparseHistogram};
use sentinel_common::time::RunTime;
use sentinel_common::timeline::Timeline;
use sentinel_common::verdict::{Ruling, Verdict};
use serde::Deserialize;

/// Figures, and what Locust made of them. `tests/fixtures/locust_tables.py` writes these.
#[derive(Deserialize)]
pub(super) struct LocustCase {
    pub(super) title: String,
    pub(super) terminal_columns: Option<u16>,
    started_at_unix_us: u64,
    rows: Vec<Figures>,
    total: Figures,
    errors: Vec<(String, String, String, u64)>,
    pub(super) current_stats: String,
    pub(super) overall_stats: String,
    pub(super) percentiles: String,
    pub(super) error_report: String,
    pub(super) json: Option<String>,
    pub(super) csv: Option<LocustCsv>,
}

/// Three of Locust's CSV files; the moment in the history is zero.
#[derive(Deserialize)]
pub(super) struct LocustCsv {
    pub(super) stats: String,
    pub(super) history: String,
    pub(super) failures: String,
}

#[derive(Deserialize)]
struct Figures {
    method: String,
    name: String,
    requests: u64,
    failures: u64,
    fail_ratio: f64,
    without_time: u64,
    total_response_time_us: u64,
    mean_us: Option<f64>,
    min_us: Option<u64>,
    max_us: Option<u64>,
    median_us: Option<u64>,
    percentiles_us: Option<Vec<u64>>,
    content_length: u64,
    /// As text, because `serde_json` does not read the last digit of every number.
    current_rates: (String, String),
    overall_rates: (String, String),
    first_start_us: Option<u64>,
    last_end_us: Option<u64>,
    response_times: Vec<(u64, u64)>,
    seconds: Vec<(u32, u64, u64)>,
}

pub(super) fn locust_cases() -> Vec<LocustCase> {
    let text = include_str!("../../tests/fixtures/locust_tables.json");
    serde_json::from_str(text).expect("the fixture is as its script writes it")
}

impl LocustCase {
    /// The figures as a report.
    pub(super) fn report(&self) -> Report {
        let errors = self.errors.iter();
        Report {
            started_at_unix_us: self.started_at_unix_us,
            rows: self.rows.iter().map(Figures::row).collect(),
            total: self.total.row(),
            errors: errors
                .map(|(method, name, message, count)| error(method, name, message, *count))
                .collect(),
            ..empty()
        }
    }
}

impl Figures {
    fn row(&self) -> Row {
        let number = |text: &str| text.parse().expect("the fixture has numbers");
        let rates = |rates: &(String, String)| Rates {
            requests_per_s: number(&rates.0),
            failures_per_s: number(&rates.1),
        };
        Row {
            requests: self.requests,
            failures: self.failures,
            fail_ratio: self.fail_ratio,
            without_time: self.without_time,
            total_response_time_us: self.total_response_time_us,
            mean_us: self.mean_us,
            min_us: self.min_us,
            max_us: self.max_us,
            median_us: self.median_us,
            percentiles_us: self.percentiles_us.clone(),
            content_length: self.content_length,
            current: rates(&self.current_rates),
            overall: rates(&self.overall_rates),
            first_start: self.first_start_us.map(RunTime::from_micros),
            last_end: self.last_end_us.map(RunTime::from_micros),
            response_times: SparseHistogram::from_buckets(self.response_times.clone()),
            seconds: self.seconds.clone(),
            ..row(&self.method, &self.name)
        }
    }
}

/// A row in which nothing happened.
pub(super) fn row(method: &str, name: &str) -> Row {
    Row {
        method: method.to_owned(),
        name: name.to_owned(),
        requests: 0,
        failures: 0,
        fail_ratio: 0.0,
        without_time: 0,
        total_response_time_us: 0,
        mean_us: None,
        min_us: None,
        max_us: None,
        median_us: None,
        percentiles_us: None,
        corrected_percentiles_us: None,
        content_length: 0,
        mean_content_length: 0.0,
        current: Rates::default(),
        overall: Rates::default(),
        first_start: None,
        last_end: None,
        response_times: SparseHistogram::default(),
        seconds: Vec::new(),
    }
}

/// A failure that nobody saw when.
pub(super) fn error(method: &str, name: &str, message: &str, occurrences: u64) -> ErrorRow {
    let [method, name, message] = [method, name, message].map(str::to_owned);
    ErrorRow { method, name, message, occurrences, first_seen: None, last_seen: None }
}

/// A worker's id.
pub(super) fn worker(id: &str) -> WorkerId {
    WorkerId::new(id).expect("the id is printable")
}

/// The report of a run in which nothing happened.
pub(super) fn empty() -> Report {
    Report {
        release: "0.1.0",
        run: RunId::new("run-1"),
        scenario: "shop.yaml".to_owned(),
        profile: None,
        host: None,
        started_at_unix_us: 1_795_437_338_218_298,
        clock: RunTime::ZERO,
        phase: Phase::Stopped,
        load: LoadFigures { users: 1, spawn_rate: 1.0, run_time_s: None, arrivals: Vec::new() },
        users: 0,
        users_peak: None,
        rows: Vec::new(),
        total: row("", AGGREGATED),
        current_percentiles_us: [None; 3],
        errors: Vec::new(),
        exceptions: Vec::new(),
        workers: Vec::new(),
        notes: Vec::new(),
        timeline: Timeline::default(),
        seconds: Vec::new(),
        delivery: DeliveryFigures {
            planned: 0,
            started: 0,
            late: 0,
            dropped: 0,
            sent: 0,
            answered: 0,
            failed: 0,
            in_flight_at_stop: 0,
            unaccounted: 0,
            names_capped: 0,
            errors_capped: 0,
        },
        shortfalls: Vec::new(),
        bottleneck: None,
        judgements: Vec::new(),
        ruling: Ruling { verdict: Verdict::Pass, reasons: Vec::new() },
        exit_code: 0,
    }
}
