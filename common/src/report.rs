//! The report: one value that holds everything a view of a run can show. Terminal, files, pages and stores are all
//! made from it, so they can never disagree.
//!
//! Times of requests are microseconds; whoever shows them chooses the unit.

use serde::Serialize;

use crate::coordinator::{Phase, Run};
use crate::criteria::Judgement;
use crate::delivered::{Shortfall, shortfalls, started_share};
use crate::ids::{RunId, WorkerId};
use crate::messages::{Wire, WorkerState};
use crate::roster::Roster;
use crate::saturation::{Bottleneck, Strain};
use crate::stats::rate::{Activity, Rates};
use crate::stats::{EntryStats, Iterations, PERCENTILES_TO_REPORT, RunStats, SparseHistogram};
use crate::time::{Moment, RunTime};
use crate::timeline::{EventKind, Timeline};
use crate::verdict::{Findings, Ruling};

/// So many stretches in which load was missing are told one by one.
const MAX_SHORTFALLS_TOLD: usize = 3;

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
    /// What was known before the run, or when workers came, and people should know: goals out of reach, limits of
    /// machines.
    pub notes: Vec<String>,
    /// Users that run now.
    pub users: u64,
    /// The most users that ran at once, as far as anybody looked.
    pub users_peak: Option<u64>,
    /// One row per method and name, by name.
    pub rows: Vec<Row>,
    /// All rows together.
    pub total: Row,
    /// The median, the 95th and the 99th percentile of all response times over the last seconds.
    #[serde(skip)]
    pub current_percentiles_us: [Option<u64>; 3],
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
    /// Where less than the floor of the planned load was delivered: first of users, then of iterations.
    pub shortfalls: Vec<Shortfall>,
    /// The generator limited the load, if it did.
    pub bottleneck: Option<Bottleneck>,
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
    /// Cores that its users can use; zero if it does not say.
    pub cores: u32,
    /// Bytes.
    pub memory_bytes: u64,
    /// The longest time by which a timer fired late, lately.
    pub wakeup_lag_us: u64,
    /// How much of its busiest network link is in use, in percent; `None` if no link says how fast it is.
    pub network_percent: Option<f32>,
    /// Its release.
    pub release: String,
}

/// A second of the run, or more where it is long ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
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
    /// Iterations that became due.
    pub planned: u64,
    /// Iterations that began.
    pub started: u64,
    /// Iterations that began late.
    pub late: u64,
    /// Iterations that were planned, for this second or before, and never began.
    pub dropped: u64,
    /// Workers that could be given users.
    pub workers: Option<f64>,
    /// Workers that were [saturated](crate::saturation) at once.
    pub saturated_workers: u64,
    /// Requests that were sent and not answered yet, on the workers that say so.
    pub in_flight: Option<f64>,
    /// It lies where less than the floor of the planned load was delivered.
    pub undelivered: bool,
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
    /// What people were told before the run.
    pub notes: &'a [String],
    /// `--exit-code-on-error`, if it was given.
    pub exit_code_on_error: Option<u8>,
    /// The share of the plan, 0 to 1, below which the run judges nothing.
    pub min_delivered: f64,
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
        let judgements = run.judgements(now);
        let exceptions = exception_rows(stats);
        let shortfalls =
            shortfalls(stats.seconds().spans(), frame.min_delivered, run.phase() == Phase::Stopped);
        let seconds = second_rows(stats, &shortfalls);
        let bottleneck = bottleneck(run.strain(), &seconds);
        let findings = Findings {
            undelivered: undelivered(run, &shortfalls, frame.min_delivered, bottleneck.as_ref()),
            judgements: &judgements,
            failures: stats.total().failures,
            exceptions: exceptions.iter().map(|row| row.count).sum(),
        };
        let (ruling, exit_code) =
            (findings.rule(frame.exit_code_on_error), findings.exit_code(frame.exit_code_on_error));
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
            notes: frame.notes.iter().map(String::as_str).chain(run.shortages()).map(str::to_owned).collect(),
            users: roster.user_count(),
            users_peak: stats.seconds().spans().iter().map(|span| span.value.users.max).max(),
            rows: stats.sorted_entries().into_iter().map(row).collect(),
            total: row(stats.total()),
            current_percentiles_us: stats.current_percentiles_us(clock),
            errors: error_rows(stats),
            exceptions,
            workers: worker_rows(roster),
            timeline: timeline(run, clock, &judgements),
            seconds,
            delivery: DeliveryFigures::new(stats),
            shortfalls,
            bottleneck,
            judgements,
            ruling,
            exit_code,
        }
    }
}

impl Row {
    fn new(entry: &EntryStats, activity: Option<Activity>, clock: RunTime, detail: Detail) -> Self {
        let percentiles_us = entry.percentiles_us(&PERCENTILES_TO_REPORT);
        let is_late = entry.has_corrected_times();
        let corrected_percentiles_us =
            is_late.then(|| entry.corrected_percentiles_us(&PERCENTILES_TO_REPORT)).flatten();
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
            median_us: percentiles_us.as_ref().and_then(|us| us.first().copied()),
            corrected_percentiles_us,
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

/// Whether the generator limited the load, and how.
fn bottleneck(strain: &Strain, seconds: &[SecondRow]) -> Option<Bottleneck> {
    let sum = |holds: fn(&SecondRow) -> bool| -> u32 {
        seconds.iter().filter(|second| holds(second)).map(|second| second.width).sum()
    };
    let active_s = sum(|second| second.requests > 0 || second.started > 0 || second.saturated_workers > 0);
    let saturated_s = sum(|second| second.saturated_workers > 0);
    let load_was_missing = sum(|second| second.saturated_workers > 0 && second.undelivered) > 0;
    Bottleneck::find(strain, saturated_s, active_s, load_was_missing)
}

/// Why the planned load was not delivered; empty if it was.
fn undelivered(
    run: &Run,
    shortfalls: &[Shortfall],
    min_delivered: f64,
    bottleneck: Option<&Bottleneck>,
) -> Vec<String> {
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
    reasons.extend(shortfalls.iter().take(MAX_SHORTFALLS_TOLD).map(ToString::to_string));
    if shortfalls.len() > MAX_SHORTFALLS_TOLD {
        reasons.push(format!("and {} times more", shortfalls.len() - MAX_SHORTFALLS_TOLD));
    }
    if let Some(share) = started_share(stats.delivery()).filter(|share| *share < min_delivered) {
        let delivery = stats.delivery();
        let (planned, started, percent) = (delivery.planned, delivery.started, share * 100.0);
        reasons.push(format!("only {started} of {planned} planned iterations began ({percent:.1} %)"));
    }
    if !reasons.is_empty() {
        reasons.extend(bottleneck.map(ToString::to_string));
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

/// The workers that are connected, by name.
pub fn worker_rows(roster: &Roster) -> Vec<WorkerRow> {
    let row = |node: &crate::roster::WorkerNode| WorkerRow {
        id: node.id.clone(),
        index: node.index,
        wire: node.wire,
        state: node.state,
        users: node.user_count(),
        cpu_percent: node.vitals.cpu_percent,
        cores: node.resources.cores.min(node.resources.threads),
        memory_bytes: node.vitals.memory_bytes,
        wakeup_lag_us: crate::time::micros(node.vitals.wakeup_lag),
        network_percent: node.vitals.network_percent,
        release: node.software_version.clone(),
    };
    roster.iter().map(row).collect()
}

fn second_rows(stats: &RunStats, shortfalls: &[Shortfall]) -> Vec<SecondRow> {
    let rows = stats.seconds().spans().iter().map(|span| {
        let traffic = &span.value.traffic;
        let Iterations { planned, started, late, dropped } = traffic.iterations;
        let [p50_us, p95_us, p99_us] = traffic.response_times.percentiles_us([0.5, 0.95, 0.99]);
        SecondRow {
            start: span.start,
            width: span.width,
            requests: traffic.rate.requests,
            failures: traffic.rate.failures,
            users: span.value.users.mean(),
            planned_users: span.value.planned_users.mean(),
            planned,
            started,
            late,
            dropped,
            workers: span.value.workers.mean(),
            saturated_workers: span.value.saturated_workers.max,
            in_flight: span.value.in_flight.mean(),
            undelivered: shortfalls.iter().any(|it| it.covers(span.start, span.start + span.width)),
            p50_us,
            p95_us,
            p99_us,
        }
    });
    rows.collect()
}
