//! Live events: what there is to see, once a second, for as long as a client listens (server-sent events, WHATWG HTML).
//!
//! What is sent is made once and shared by all who listen, so a hundred of them cost hardly more than one.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use utoipa::ToSchema;

use super::model::Status;
use super::series::Series;
use crate::desk::Snapshot;
use crate::web::State;

/// How often something is sent.
const INTERVAL: Duration = Duration::from_secs(1);

/// Clients that may listen at the same time.
pub const LISTENERS_MAX: usize = 512;

/// So many of the last seconds come with every event: whoever was away for less has all of them.
const TAIL_S: u32 = 15;

/// What an event of the kind `status` holds.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Frame {
    /// The master and its run.
    pub status: Status,
    /// The last seconds of the run. They may change until the reports of all workers have come.
    pub tail: Series,
}

/// Live events: one of the kind `status` every second, whose data is a `Frame` as JSON.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "run",
    responses(
        (status = 200, description = "Server-sent events", body = Frame, content_type = "text/event-stream"),
        (status = 503, description = "Too many clients listen already"),
    )
)]
pub async fn events(Extract(state): Extract<State>) -> Response {
    let Ok(place) = state.listeners().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many clients listen already\n").into_response();
    };
    let first = event(&state.counter().snapshot());
    let frames = WatchStream::from_changes(state.frames());
    let frames = stream::once(ready(first)).chain(frames).take_until(state.closed()).map(move |frame| {
        let _listening = &place;
        Ok::<Bytes, Infallible>(frame)
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

/// Makes events of snapshots, once a second and only while somebody listens.
pub async fn publish(snapshots: watch::Receiver<Arc<Snapshot>>, frames: watch::Sender<Bytes>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // The master has ended when nobody can take a snapshot any more.
        if snapshots.has_changed().is_err() {
            return;
        }
        if frames.receiver_count() > 0 {
            let snapshot = snapshots.borrow().clone();
            frames.send_replace(event(&snapshot));
        }
    }
}

/// One event, as it goes over the wire.
fn event(snapshot: &Snapshot) -> Bytes {
    let tail = snapshot.report.as_deref().map(|report| {
        let now = u32::try_from(report.clock.as_secs()).unwrap_or(u32::MAX);
        Series::of(report, now.saturating_sub(TAIL_S))
    });
    let frame = Frame { status: Status::of(snapshot), tail: tail.unwrap_or_default() };
    // JSON has no line ends, so one line of data holds all of it.
    let json = serde_json::to_string(&frame).unwrap_or_default();
    format!("event: status\ndata: {json}\n\n").into()
}
