//! What the interface tells: a run and its master at one moment. Made from snapshots, described for programs.

use std::collections::BTreeMap;

use sentinel_common::criteria::Judgement;
use sentinel_common::messages::{Wire, WorkerState};
use sentinel_common::report::{ErrorRow, ExceptionRow, Report, Row, WorkerRow};
use sentinel_common::stats::PERCENTILES_TO_REPORT;
use sentinel_common::timeline::Event;
use serde::Serialize;
use utoipa::ToSchema;

use crate::desk::Snapshot;

/// Rows, failures and exceptions that are told at most; the rest is counted.
const ROWS_MAX: usize = 500;

/// How a master and its run are.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Status {
    /// When this was so, in seconds since 1970.
    pub taken_at: f64,
    /// What the master is doing: `ready`, `waiting` (for workers of a run that begins by itself), `setting_up`, `spawning`,
    /// `running`, `stopping`, `stopped` or `tearing_down`.
    pub stage: &'static str,
    /// Whether a run can begin now.
    pub can_start: bool,
    /// Why the run that was asked for last did not begin, if it did not.
    pub trouble: Option<String>,
    /// The release of the master.
    pub release: &'static str,
    /// The scenario file's name.
    pub scenario: String,
    /// Where requests go, if all go to one host.
    pub host: Option<String>,
    /// The profile in force.
    pub profile: Option<String>,
    /// Users that run now, over all workers.
    pub users: u64,
    /// The same by user class.
    pub class_users: BTreeMap<String, u64>,
    /// The workers that are connected, by name.
    pub workers: Vec<Worker>,
    /// Lines that workers have logged since the master began: whenever it rises there is something new in the logs.
    pub worker_log_lines: u64,
    /// The run that goes on, or the last one.
    pub run: Option<Run>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// When it began, in seconds since 1970.
    pub started_at: f64,
    /// What its clock shows, in seconds; it stands still once the run is over.
    pub clock_s: f64,
    /// What was asked for.
    pub load: Load,
    /// What people should know: goals out of reach, limits of machines.
    pub notes: Vec<String>,
    /// All requests together.
    pub total: Requests,
    /// The median, the 95th and the 99th percentile of all response times over the last seconds.
    pub current_percentiles_ms: [Option<f64>; 3],
    /// One row per method and name, by name; 500 at most.
    pub requests: Vec<Requests>,
    /// Rows beyond them.
    pub requests_omitted: usize,
    /// Failures by row and message, in the order of their arrival; 500 at most.
    pub failures: Vec<Failure>,
    /// Failures beyond them.
    pub failures_omitted: usize,
    /// Exceptions of user code or of the scenario; 500 at most.
    pub exceptions: Vec<Exception>,
    /// The criteria with what came of them so far.
    pub criteria: Vec<Criterion>,
    /// `PASS`, `FAIL` or `INVALID`, as of now.
    pub verdict: &'static str,
    /// Why.
    pub reasons: Vec<String>,
    /// The exit code that the verdict stands for.
    pub exit_code: u8,
    /// Events so far; see `/api/v1/series`.
    pub events: usize,
    /// Planned and delivered load.
    pub delivery: Delivery,
    /// The generator limited the load, in words, if it did.
    pub bottleneck: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Load {
    /// Users at the top.
    pub users: u32,
    /// Users per second on the way.
    pub spawn_rate: f64,
    /// Seconds; `null` until stopped.
    pub run_time_s: Option<f64>,
    /// The arrivals of open classes, each in words.
    pub arrivals: Vec<String>,
    /// The users follow a shape and cannot be changed.
    pub is_fixed: bool,
}

/// The requests of one method and name, or all of them.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Requests {
    /// The method; empty for the total.
    pub method: String,
    /// The name.
    pub name: String,
    /// Requests that ended.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Failed requests as a share of all, 0 to 1.
    pub fail_ratio: f64,
    /// The mean response time.
    pub mean_ms: Option<f64>,
    /// The shortest response time.
    pub min_ms: Option<f64>,
    /// The longest response time.
    pub max_ms: Option<f64>,
    /// Percentiles of the response time, by their share: `0.5`, `0.66`, `0.75`, `0.8`, `0.9`, `0.95`, `0.98`, `0.99`, `0.999`,
    /// `0.9999`, `1`.
    pub percentiles_ms: BTreeMap<String, f64>,
    /// The same from the intended start of each request; empty where that was always the actual one.
    pub corrected_percentiles_ms: BTreeMap<String, f64>,
    /// The mean length of an answer, in bytes.
    pub mean_content_length: f64,
    /// Requests per second over the last ten seconds.
    pub current_rps: f64,
    /// Failures per second over the last ten seconds.
    pub current_failures_per_s: f64,
    /// Requests per second over the whole run.
    pub rps: f64,
    /// Failures per second over the whole run.
    pub failures_per_s: f64,
}

/// Failures with the same message.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Failure {
    /// The row's method.
    pub method: String,
    /// The row's name.
    pub name: String,
    /// What went wrong.
    pub message: String,
    /// How often.
    pub occurrences: u64,
    /// When first, in seconds of the run.
    pub first_seen_s: Option<f64>,
    /// When last, in seconds of the run.
    pub last_seen_s: Option<f64>,
}

/// Exceptions with the same message and traceback.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Exception {
    /// How often.
    pub count: u64,
    /// What it says.
    pub message: String,
    /// Where it came from.
    pub traceback: String,
    /// The workers that reported it.
    pub workers: Vec<String>,
}

/// A worker that is connected.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Worker {
    /// Its name.
    pub id: String,
    /// Its number, in the order of first appearance.
    pub index: u32,
    /// `ready`, `spawning`, `running`, `stopping` or `missing`.
    pub state: &'static str,
    /// What it speaks: `grpc` or `locust`.
    pub wire: &'static str,
    /// Its release.
    pub release: String,
    /// Users that it runs.
    pub users: u64,
    /// CPU of its process in percent of one core.
    pub cpu_percent: f32,
    /// Cores that its users can use; 0 if it does not say.
    pub cores: u32,
    /// Resident memory, in bytes.
    pub memory_bytes: u64,
    /// By how much its timers were late at most, lately.
    pub wakeup_lag_ms: f64,
    /// How much of its busiest network link is in use, in percent; `null` if no link says how fast it is.
    pub network_percent: Option<f32>,
}

/// A criterion with what came of it so far.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Criterion {
    /// The criterion, as it was written.
    pub criterion: String,
    /// What was measured, in words; `null` when nothing was.
    pub measured: Option<String>,
    /// How far that is from the limit, as a share of it and positive above; `null` if there is no such figure.
    pub margin: Option<f64>,
    /// Whether it is met, as of now.
    pub met: bool,
}

/// Planned and delivered load. The first four count iterations, the others requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Delivery {
    /// Iterations that became due.
    pub planned: u64,
    /// Iterations that began.
    pub started: u64,
    /// Iterations that began late.
    pub late: u64,
    /// Iterations that never began.
    pub dropped: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that got a response.
    pub answered: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests that were abandoned when the run stopped.
    pub in_flight_at_stop: u64,
    /// Requests of workers that were lost, of which nothing more is known.
    pub unaccounted: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Mark {
    /// When, in seconds of the run.
    pub at_s: f64,
    /// What kind of thing, such as `worker_lost`.
    pub kind: String,
    /// What, in words.
    pub text: String,
}

impl Status {
    /// What a snapshot says.
    pub fn of(snapshot: &Snapshot) -> Self {
        let spec = &snapshot.settings.autostart.spec;
        Self {
            taken_at: seconds(snapshot.taken_at_unix_us),
            stage: snapshot.stage.as_str(),
            can_start: snapshot.stage.is_idle(),
            trouble: snapshot.trouble.clone(),
            release: env!("CARGO_PKG_VERSION"),
            scenario: spec.scenario.name.clone(),
            host: snapshot.settings.host.clone(),
            profile: spec.profile.clone(),
            users: snapshot.class_users.values().sum(),
            class_users: (*snapshot.class_users).clone(),
            workers: snapshot.workers.iter().map(Worker::of).collect(),
            worker_log_lines: snapshot.worker_logs.added(),
            run: snapshot.report.as_deref().map(|report| Run::of(report, snapshot)),
        }
    }
}

impl Run {
    fn of(report: &Report, snapshot: &Snapshot) -> Self {
        let spec = &snapshot.settings.autostart.spec;
        Self {
            id: report.run.to_string(),
            started_at: seconds(report.started_at_unix_us),
            clock_s: report.clock.as_secs_f64(),
            load: Load {
                users: report.load.users,
                spawn_rate: report.load.spawn_rate,
                run_time_s: report.load.run_time_s,
                arrivals: report.load.arrivals.clone(),
                is_fixed: spec.shape.is_some() || spec.is_open(),
            },
            notes: report.notes.clone(),
            total: Requests::of(&report.total),
            current_percentiles_ms: report.current_percentiles_us.map(|us| us.map(milliseconds)),
            requests: report.rows.iter().take(ROWS_MAX).map(Requests::of).collect(),
            requests_omitted: report.rows.len().saturating_sub(ROWS_MAX),
            failures: report.errors.iter().take(ROWS_MAX).map(Failure::of).collect(),
            failures_omitted: report.errors.len().saturating_sub(ROWS_MAX),
            exceptions: report.exceptions.iter().take(ROWS_MAX).map(Exception::of).collect(),
            criteria: report.judgements.iter().map(Criterion::of).collect(),
            verdict: report.ruling.verdict.as_str(),
            reasons: report.ruling.reasons.clone(),
            exit_code: report.exit_code,
            events: report.timeline.events().len(),
            delivery: Delivery::of(report),
            bottleneck: report.bottleneck.as_ref().map(ToString::to_string),
        }
    }
}

impl Requests {
    fn of(row: &Row) -> Self {
        let percentiles = |us: &Option<Vec<u64>>| {
            let us = us.iter().flatten();
            let named = PERCENTILES_TO_REPORT.iter().zip(us);
            named.map(|(share, us)| (share.to_string(), milliseconds(*us))).collect()
        };
        Self {
            method: row.method.clone(),
            name: row.name.clone(),
            requests: row.requests,
            failures: row.failures,
            fail_ratio: row.fail_ratio,
            mean_ms: row.mean_us.map(|us| us / 1e3),
            min_ms: row.min_us.map(milliseconds),
            max_ms: row.max_us.map(milliseconds),
            percentiles_ms: percentiles(&row.percentiles_us),
            corrected_percentiles_ms: percentiles(&row.corrected_percentiles_us),
            mean_content_length: row.mean_content_length,
            current_rps: row.current.requests_per_s,
            current_failures_per_s: row.current.failures_per_s,
            rps: row.overall.requests_per_s,
            failures_per_s: row.overall.failures_per_s,
        }
    }
}

impl Failure {
    fn of(row: &ErrorRow) -> Self {
        Self {
            method: row.method.clone(),
            name: row.name.clone(),
            message: row.message.clone(),
            occurrences: row.occurrences,
            first_seen_s: row.first_seen.map(|at| at.as_secs_f64()),
            last_seen_s: row.last_seen.map(|at| at.as_secs_f64()),
        }
    }
}

impl Exception {
    fn of(row: &ExceptionRow) -> Self {
        Self {
            count: row.count,
            message: row.message.clone(),
            traceback: row.traceback.clone(),
            workers: row.nodes.clone(),
        }
    }
}

impl Worker {
    /// What is known of a worker.
    pub fn of(row: &WorkerRow) -> Self {
        Self {
            id: row.id.to_string(),
            index: row.index,
            state: state_word(row.state),
            wire: match row.wire {
                Wire::Grpc => "grpc",
                Wire::Locust => "locust",
            },
            release: row.release.clone(),
            users: row.users,
            cpu_percent: row.cpu_percent,
            cores: row.cores,
            memory_bytes: row.memory_bytes,
            wakeup_lag_ms: milliseconds(row.wakeup_lag_us),
            network_percent: row.network_percent,
        }
    }
}

impl Criterion {
    fn of(judgement: &Judgement) -> Self {
        Self {
            criterion: judgement.criterion.to_string(),
            measured: judgement.figure(),
            margin: judgement.margin(),
            met: judgement.met,
        }
    }
}

impl Delivery {
    fn of(report: &Report) -> Self {
        let delivery = &report.delivery;
        Self {
            planned: delivery.planned,
            started: delivery.started,
            late: delivery.late,
            dropped: delivery.dropped,
            sent: delivery.sent,
            answered: delivery.answered,
            failed: delivery.failed,
            in_flight_at_stop: delivery.in_flight_at_stop,
            unaccounted: delivery.unaccounted,
        }
    }
}

impl Mark {
    /// An event of the timeline.
    pub fn of(event: &Event) -> Self {
        let tagged = serde_json::to_value(&event.kind).ok();
        let kind = tagged.as_ref().and_then(|value| value.get("event")).and_then(|kind| kind.as_str());
        Self {
            at_s: event.at.as_secs_f64(),
            kind: kind.unwrap_or_default().to_owned(),
            text: event.kind.to_string(),
        }
    }
}

/// Locust's word for what a worker does.
fn state_word(state: WorkerState) -> &'static str {
    match state {
        WorkerState::Ready => "ready",
        WorkerState::Spawning => "spawning",
        WorkerState::Running => "running",
        WorkerState::Stopping => "stopping",
        WorkerState::Missing => "missing",
    }
}

fn milliseconds(us: u64) -> f64 {
    us as f64 / 1e3
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
