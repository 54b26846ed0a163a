//! A run over time, for charts: every series as a column, and what happened beside them.

use axum::Json;
use axum::extract::{Query, State as Extract};
use sentinel_common::report::{Report, SecondRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::Mark;
use crate::web::State;

/// The run second by second, coarser with age: 600 single seconds, then tens of seconds, minutes and so on. All columns are
/// equally long; `null` is where nothing was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Series {
    /// The run that they are of; `null` before the first.
    pub run: Option<String>,
    /// When it began, in seconds since 1970.
    pub started_at: Option<f64>,
    /// Where each point begins, in seconds of the run.
    pub start_s: Vec<u32>,
    /// How many seconds it covers.
    pub width_s: Vec<u32>,
    /// Requests per second.
    pub rps: Vec<f64>,
    /// Failures per second.
    pub failures_per_s: Vec<f64>,
    /// The median of the response times.
    pub p50_ms: Vec<Option<f64>>,
    /// The 95th percentile.
    pub p95_ms: Vec<Option<f64>>,
    /// The 99th percentile.
    pub p99_ms: Vec<Option<f64>>,
    /// Users that ran.
    pub users: Vec<Option<f64>>,
    /// Users that should have.
    pub planned_users: Vec<Option<f64>>,
    /// Workers that could be given users.
    pub workers: Vec<Option<f64>>,
    /// Requests that were sent and not answered yet.
    pub in_flight: Vec<Option<f64>>,
    /// Iterations per second that never began.
    pub dropped_per_s: Vec<f64>,
    /// Whether less than the floor of the planned load was delivered.
    pub undelivered: Vec<bool>,
    /// What happened since.
    pub events: Vec<Mark>,
}

/// Which part of a run.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
pub struct Since {
    /// Only what begins in this second of the run, or later.
    #[serde(default)]
    pub since_s: u32,
}

/// The run over time.
#[utoipa::path(
    get, path = "/api/v1/series", tag = "run", params(Since),
    responses((status = 200, description = "The run over time", body = Series))
)]
pub async fn series(Extract(state): Extract<State>, Query(since): Query<Since>) -> Json<Series> {
    let snapshot = state.counter().snapshot();
    Json(snapshot.report.as_deref().map(|report| Series::of(report, since.since_s)).unwrap_or_default())
}

impl Series {
    /// What a report says of the seconds from `since_s` on.
    pub fn of(report: &Report, since_s: u32) -> Self {
        let first = report.seconds.partition_point(|second| second.start < since_s);
        let rows = report.seconds.get(first..).unwrap_or_default();
        let per_s = |value: fn(&SecondRow) -> u64| -> Vec<f64> {
            rows.iter().map(|row| value(row) as f64 / f64::from(row.width.max(1))).collect()
        };
        let ms = |value: fn(&SecondRow) -> Option<u64>| -> Vec<Option<f64>> {
            rows.iter().map(|row| value(row).map(|us| us as f64 / 1e3)).collect()
        };
        let gauge = |value: fn(&SecondRow) -> Option<f64>| rows.iter().map(value).collect();
        let events = report.timeline.events().iter();
        Self {
            run: Some(report.run.to_string()),
            started_at: Some(report.started_at_unix_us as f64 / 1e6),
            start_s: rows.iter().map(|row| row.start).collect(),
            width_s: rows.iter().map(|row| row.width).collect(),
            rps: per_s(|row| row.requests),
            failures_per_s: per_s(|row| row.failures),
            p50_ms: ms(|row| row.p50_us),
            p95_ms: ms(|row| row.p95_us),
            p99_ms: ms(|row| row.p99_us),
            users: gauge(|row| row.users),
            planned_users: gauge(|row| row.planned_users),
            workers: gauge(|row| row.workers),
            in_flight: gauge(|row| row.in_flight),
            dropped_per_s: per_s(|row| row.dropped),
            undelivered: rows.iter().map(|row| row.undelivered).collect(),
            events: events.filter(|event| event.at.as_secs() >= u64::from(since_s)).map(Mark::of).collect(),
        }
    }
}
