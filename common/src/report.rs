//! The report: one value that holds everything a view of a run can show. Terminal, files, pages and stores are all
//! made from it, so they can never disagree.
//!
//! Times of requests are microseconds; whoever shows them chooses the unit.

use serde::Serialize;

use crate::coordinator::{Phase, Run};
use crate::criteria::{Criterion, Judgement, Measured, Metric};
use crate::delivered::{DELIVERED_FLOOR, plateau_rps, plateaus, started_share, worst_shortfall};
use crate::ids::{RunId, WorkerId};
use crate::messages::{Wire, WorkerState};
use crate::roster::Roster;
use crate::stats::rate::{Activity, Rates};
use crate::stats::{EntryStats, PERCENTILES_TO_REPORT, RunStats, SparseHistogram};
use crate::time::{Moment, RunTime};
use crate::timeline::{EventKind, Timeline};
use crate::verdict::{Findings, Ruling};

/// A run, live or over.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The release of the master.
    pub release: &'static str,
    /// The run's id.
    pub run: RunId,
    /// The scenario file's name.
    pub scenario: String,
    /// The profile in force.
    pub profile: Option<String>,
    /// Where the requests went, if all went to one host.
    pub host: Option<String>,
    /// When the run began, in microseconds since 1970.
    pub started_at_unix_us: u64,
    /// What the run's clock shows.
    pub clock: RunTime,
    /// Where the run is in its life.
    pub phase: Phase,
    /// What was asked for.
    pub load: LoadFigures,
    /// Users that run now.
    pub users: u64,
    /// The most users that ran at once, as far as anybody looked.
    pub users_peak: Option<u64>,
    /// One row per method and name, by name.
    pub rows: Vec<Row>,
    /// All rows together.
    pub total: Row,
    /// Failures by row and message, in the order of their arrival.
    pub errors: Vec<ErrorRow>,
    /// Exceptions in the order of their arrival.
    pub exceptions: Vec<ExceptionRow>,
    /// The workers that are connected.
    pub workers: Vec<WorkerRow>,
    /// What happened.
    pub timeline: Timeline,
    /// The run second by second, coarser with age.
    pub seconds: Vec<SecondRow>,
    /// Planned and delivered load.
    pub delivery: DeliveryFigures,
    /// The criteria with what came of them so far.
    pub judgements: Vec<Judgement>,
    /// The verdict so far.
    pub ruling: Ruling,
    /// The exit code that the verdict stands for.
    pub exit_code: u8,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadFigures {
    /// Users at the top, without those that serve arrivals.
    pub users: u32,
    /// Users per second on the way.
    pub spawn_rate: f64,
    /// Seconds; `None` until stopped.
    pub run_time_s: Option<f64>,
    /// The arrivals of open classes, each in words.
    pub arrivals: Vec<String>,
}

/// The requests of one method and name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The method; empty for the total.
    pub method: String,
    /// The name; [`crate::stats::AGGREGATED`] for the total.
    pub name: String,
    /// Requests that ended.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Failed requests as a share of all, 0 to 1.
    pub fail_ratio: f64,
    /// Requests without a response time.
    pub without_time: u64,
    /// The sum of all response times.
    pub total_response_time_us: u64,
    /// The mean response time.
    pub mean_us: Option<f64>,
    /// The shortest response time.
    pub min_us: Option<u64>,
    /// The longest response time.
    pub max_us: Option<u64>,
    /// The median response time.
    pub median_us: Option<u64>,
    /// The response times at [`PERCENTILES_TO_REPORT`]; `None` if there are none.
    pub percentiles_us: Option<Vec<u64>>,
    /// The same from the intended start of each request; `None` where that was always the actual one.
    pub corrected_percentiles_us: Option<Vec<u64>>,
    /// The sum of the lengths of all answers, in bytes.
    pub content_length: u64,
    /// The mean length of an answer, in bytes.
    pub mean_content_length: f64,
    /// Requests and failures per second over the last seconds.
    #[serde(skip)]
    pub current: Rates,
    /// Requests and failures per second over the whole run.
    #[serde(skip)]
    pub overall: Rates,
    /// When the first request started.
    pub first_start: Option<RunTime>,
    /// When the last request ended.
    pub last_end: Option<RunTime>,
    /// All response times; empty in a live report.
    #[serde(skip)]
    pub response_times: SparseHistogram,
    /// Requests and failures by second; empty in a live report.
    pub seconds: Vec<(u32, u64, u64)>,
}

/// Failures with the same message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorRow {
    /// The row's method.
    pub method: String,
    /// The row's name.
    pub name: String,
    /// What went wrong.
    pub message: String,
    /// How often.
    pub occurrences: u64,
    /// When first.
    pub first_seen: Option<RunTime>,
    /// When last.
    pub last_seen: Option<RunTime>,
}

/// Exceptions with the same message and traceback.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExceptionRow {
    /// How often.
    pub count: u64,
    /// What it says.
    pub message: String,
    /// Where it came from.
    pub traceback: String,
    /// The workers that reported it.
    pub nodes: Vec<String>,
}

/// A worker that is connected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkerRow {
    /// Its name.
    pub id: WorkerId,
    /// Its number.
    pub index: u32,
    /// What it speaks.
    pub wire: Wire,
    /// What it is doing.
    pub state: WorkerState,
    /// Users that it runs.
    pub users: u64,
    /// Percent of one core.
    pub cpu_percent: f32,
    /// Bytes.
    pub memory_bytes: u64,
    /// The longest time by which a timer fired late, lately.
    pub wakeup_lag_us: u64,
    /// Its release.
    pub release: String,
}

/// A second of the run, or more where it is long ago.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SecondRow {
    /// Seconds since the start of the run.
    pub start: u32,
    /// How many seconds this is.
    pub width: u32,
    /// Requests that ended.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Users that ran.
    pub users: Option<f64>,
    /// Users that should have.
    pub planned_users: Option<f64>,
    /// The median of the response times.
    pub p50_us: Option<u64>,
    /// The 95th percentile.
    pub p95_us: Option<u64>,
    /// The 99th percentile.
    pub p99_us: Option<u64>,
}

/// Planned and delivered load. The first four count iterations, the others requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `stats::Delivery`")]
pub struct DeliveryFigures {
    pub planned: u64,
    pub started: u64,
    pub late: u64,
    pub dropped: u64,
    pub sent: u64,
    pub answered: u64,
    pub failed: u64,
    pub in_flight_at_stop: u64,
    /// Requests that were sent and of which nothing more is known: their worker was lost or cut off.
    pub unaccounted: u64,
    /// Requests whose name found no row of its own.
    pub names_capped: u64,
    /// Failures whose message found no row of its own.
    pub errors_capped: u64,
}

/// What only the shell knows about a run.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// When the run began, in microseconds since 1970.
    pub started_at_unix_us: u64,
    /// Where the requests went, if all went to one host.
    pub host: Option<&'a str>,
    /// What the run must satisfy.
    pub criteria: &'a [Criterion],
    /// `--exit-code-on-error`, if it was given.
    pub exit_code_on_error: Option<u8>,
}

/// How much a report holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// What changes on a screen.
    Live,
    /// The response times of every row, too: for figures over the last seconds.
    Times,
    /// Every histogram and every second of every row, too.
    Full,
}

impl Report {
    /// Reports on a run at `now`.
    pub fn new(run: &Run, roster: &Roster, now: Moment, frame: &Frame<'_>, detail: Detail) -> Self {
        let clock = run.clock(now);
        let stats = run.stats();
        let activity = stats.total().activity();
        let row = |entry: &EntryStats| Row::new(entry, activity, clock, detail);
        let judgements: Vec<Judgement> =
            frame.criteria.iter().map(|criterion| criterion.judge(stats)).collect();
        let exceptions = exception_rows(stats);
        let findings = Findings {
            undelivered: undelivered(run),
            judgements: &judgements,
            failures: stats.total().failures,
            exceptions: exceptions.iter().map(|row| row.count).sum(),
        };
        let (ruling, exit_code) = (findings.rule(), findings.exit_code(frame.exit_code_on_error));
        let load = run.load();
        Self {
            release: env!("CARGO_PKG_VERSION"),
            run: run.id().clone(),
            scenario: run.spec().scenario.name.clone(),
            profile: run.spec().profile.clone(),
            host: frame.host.map(str::to_owned),
            started_at_unix_us: frame.started_at_unix_us,
            clock,
            phase: run.phase(),
            load: LoadFigures {
                users: run.spec().shape.as_ref().and_then(|shape| shape.peak_users()).unwrap_or(load.users),
                spawn_rate: load.spawn_rate.as_per_second(),
                run_time_s: load.run_time.map(|span| span.as_secs_f64()),
                arrivals: run.spec().arrivals.iter().map(ToString::to_string).collect(),
            },
            users: roster.user_count(),
            users_peak: stats.seconds().spans().iter().map(|span| span.value.users.max).max(),
            rows: stats.sorted_entries().into_iter().map(row).collect(),
            total: row(stats.total()),
            errors: error_rows(stats),
            exceptions,
            workers: worker_rows(roster),
            timeline: timeline(run, clock, &judgements),
            seconds: second_rows(stats),
            delivery: DeliveryFigures::new(stats),
            judgements,
            ruling,
            exit_code,
        }
    }
}

impl Row {
    fn new(entry: &EntryStats, activity: Option<Activity>, clock: RunTime, detail: Detail) -> Self {
        let percentiles_us = entry.percentiles_us(&PERCENTILES_TO_REPORT);
        let corrected_percentiles_us = entry.corrected_percentiles_us(&PERCENTILES_TO_REPORT);
        let (response_times, seconds) = match detail {
            Detail::Live => (SparseHistogram::default(), Vec::new()),
            Detail::Times => (entry.response_times.to_sparse(), Vec::new()),
            Detail::Full => (entry.response_times.to_sparse(), per_second(entry)),
        };
        Self {
            method: entry.key.method.to_string(),
            name: entry.key.name.to_string(),
            requests: entry.requests,
            failures: entry.failures,
            fail_ratio: entry.fail_ratio(),
            without_time: entry.without_time,
            total_response_time_us: entry.total_response_time_us,
            mean_us: entry.mean_response_time_us(),
            min_us: entry.min_us,
            max_us: entry.max_us,
            median_us: entry.median_us(),
            corrected_percentiles_us: corrected_percentiles_us.filter(|_| entry.has_corrected_times()),
            percentiles_us,
            content_length: entry.response_length,
            mean_content_length: entry.mean_response_length(),
            current: entry.current_rates(activity, clock),
            overall: entry.total_rates(activity),
            first_start: entry.first_start,
            last_end: entry.last_end,
            response_times,
            seconds,
        }
    }
}

impl DeliveryFigures {
    fn new(stats: &RunStats) -> Self {
        let delivery = stats.delivery();
        let overflow = stats.overflow();
        Self {
            planned: delivery.planned,
            started: delivery.started,
            late: delivery.late,
            dropped: delivery.dropped,
            sent: delivery.sent,
            answered: delivery.answered,
            failed: delivery.failed,
            in_flight_at_stop: delivery.in_flight_at_stop,
            unaccounted: delivery.sent.saturating_sub(stats.total().requests + delivery.in_flight_at_stop),
            names_capped: overflow.names_capped,
            errors_capped: overflow.errors_capped,
        }
    }
}

impl Measured for RunStats {
    fn measure(&self, metric: Metric, name: Option<&str>) -> Option<f64> {
        let named;
        let entry = match name {
            None => self.total(),
            Some(name) => {
                named = rows_named(self, name)?;
                &named
            }
        };
        let millis = |micros: u64| micros as f64 / 1e3;
        match metric {
            Metric::Rps => rps(self, entry),
            Metric::Requests => Some(entry.requests as f64),
            Metric::Failures => Some(entry.failures as f64),
            Metric::FailRatio => (entry.requests > 0).then(|| entry.fail_ratio()),
            Metric::Avg => entry.mean_response_time_us().map(|micros| micros / 1e3),
            Metric::Min => entry.min_us.map(millis),
            Metric::Max => entry.max_us.map(millis),
            Metric::Percentile(share) => entry.percentiles_us(&[share])?.first().copied().map(millis),
            Metric::Users => {
                Some(self.seconds().spans().iter().map(|span| span.value.users.max).max()? as f64)
            }
            Metric::Dropped => Some(self.delivery().dropped as f64),
        }
    }
}

/// What happened, the criteria included once they are judged for good.
fn timeline(run: &Run, clock: RunTime, judgements: &[Judgement]) -> Timeline {
    let mut timeline = run.timeline().clone();
    if run.phase() == Phase::Stopped {
        for judgement in judgements {
            let (text, met) = (judgement.to_string(), judgement.met);
            timeline.push(clock, EventKind::Criterion { judgement: text, met });
        }
    }
    timeline
}

/// All requests of one name, whatever their method; `None` if there are none.
fn rows_named(stats: &RunStats, name: &str) -> Option<EntryStats> {
    let mut rows = stats.entries().iter().filter(|entry| *entry.key.name == *name);
    let mut sum = rows.next()?.clone();
    rows.for_each(|row| sum.absorb(row));
    Some(sum)
}

/// Requests per second outside ramps; over the whole run if it was nothing but a ramp.
fn rps(stats: &RunStats, entry: &EntryStats) -> Option<f64> {
    let spans = stats.seconds().spans();
    let requests = |start: u32, width: u32| {
        entry.seconds.between(start, start + width - 1).iter().map(|span| span.value.requests).sum()
    };
    let whole = || entry.total_rates(stats.total().activity()).requests_per_s;
    plateau_rps(&plateaus(spans), requests).or_else(|| (entry.requests > 0).then(whole))
}

/// Why the planned load was not delivered; empty if it was.
fn undelivered(run: &Run) -> Vec<String> {
    let stats = run.stats();
    let mut reasons = Vec::new();
    if let Some(reason) = run.cut_off() {
        reasons.push(format!("the run was cut off before its last figures came: {reason}"));
    }
    if let Some(reason) = run.unplanned() {
        reasons.push(format!("the load could not be planned to the end: {reason}"));
    }
    if stats.total().requests == 0 {
        reasons.push("no request was answered".to_owned());
    }
    if let Some(worst) = worst_shortfall(stats.seconds().spans()) {
        let percent = worst.delivered * 100.0;
        let (from, to) = (worst.from, worst.to);
        reasons.push(format!("from {from} s to {to} s only {percent:.1} % of the planned users ran"));
    }
    if let Some(share) = started_share(stats.delivery()).filter(|share| *share < DELIVERED_FLOOR) {
        let delivery = stats.delivery();
        let (planned, started, percent) = (delivery.planned, delivery.started, share * 100.0);
        reasons.push(format!("only {started} of {planned} planned iterations began ({percent:.1} %)"));
    }
    reasons
}

fn per_second(entry: &EntryStats) -> Vec<(u32, u64, u64)> {
    entry.seconds.spans().iter().map(|span| (span.start, span.value.requests, span.value.failures)).collect()
}

fn error_rows(stats: &RunStats) -> Vec<ErrorRow> {
    let row = |error: &crate::stats::ErrorDelta| ErrorRow {
        method: error.key.method.to_string(),
        name: error.key.name.to_string(),
        message: error.message.to_string(),
        occurrences: error.occurrences,
        first_seen: error.first_seen,
        last_seen: error.last_seen,
    };
    stats.errors().iter().map(row).collect()
}

fn exception_rows(stats: &RunStats) -> Vec<ExceptionRow> {
    let rows = stats.exceptions().map(|(exception, nodes)| ExceptionRow {
        count: exception.occurrences,
        message: exception.message.to_string(),
        traceback: exception.traceback.to_string(),
        nodes: nodes.iter().cloned().collect(),
    });
    rows.collect()
}

fn worker_rows(roster: &Roster) -> Vec<WorkerRow> {
    let row = |node: &crate::roster::WorkerNode| WorkerRow {
        id: node.id.clone(),
        index: node.index,
        wire: node.wire,
        state: node.state,
        users: node.user_count(),
        cpu_percent: node.cpu_percent,
        memory_bytes: node.memory_bytes,
        wakeup_lag_us: crate::time::micros(node.wakeup_lag),
        release: node.software_version.clone(),
    };
    roster.iter().map(row).collect()
}

fn second_rows(stats: &RunStats) -> Vec<SecondRow> {
    let rows = stats.seconds().spans().iter().map(|span| {
        let traffic = &span.value.traffic;
        let [p50_us, p95_us, p99_us] = traffic.response_times.percentiles_us([0.5, 0.95, 0.99]);
        SecondRow {
            start: span.start,
            width: span.width,
            requests: traffic.rate.requests,
            failures: traffic.rate.failures,
            users: span.value.users.mean(),
            planned_users: span.value.planned_users.mean(),
            p50_us,
            p95_us,
            p99_us,
        }
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Recorder, Sample};

    #[test]
    fn a_criterion_on_a_name_judges_every_method_of_that_name() {
        let mut recorder = Recorder::default();
        for (method, millis, failure) in [("GET", 10, None), ("POST", 30, Some("boom"))] {
            let entry = recorder.entry(method, "same");
            let (start, end) = (RunTime::ZERO, RunTime::from_micros(millis * 1000));
            recorder.record(entry, &Sample { intended: start, start, end, response_length: 1, failure });
        }
        let mut stats = RunStats::default();
        stats.apply("w", &recorder.take(), RunTime::from_secs(1));
        let check =
            |metric, expected| assert_eq!(stats.measure(metric, Some("same")), expected, "{metric:?}");
        check(Metric::Requests, Some(2.0));
        check(Metric::FailRatio, Some(0.5));
        check(Metric::Min, Some(10.0));
        check(Metric::Max, Some(30.0));
        check(Metric::Avg, Some(20.0));
        check(Metric::Percentile(1.0), Some(30.0));
        assert_eq!(stats.measure(Metric::Requests, Some("other")), None);
    }
}
