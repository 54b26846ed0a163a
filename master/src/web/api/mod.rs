//! `/api/v1`: the interface for programs and for the page. Its words are the field's, its times are milliseconds, and all
//! of it is described in `/api/v1/openapi.json`.
//!
//! | asks | for |
//! | --- | --- |
//! | `GET /status`, `/events` | the master and its run, once or every second |
//! | `GET /series`, `/logs`, `/plan` | the run over time, the logs, what a run could be |
//! | `POST /run`, `PATCH /run`, `POST /run/stop`, `POST /run/reset` | a run to begin, to change, to end, to forget its figures |
//! | `POST /workers`, `DELETE /workers/{id}` | one more worker in the master's process, one fewer |

mod changes;
mod description;
mod error;
mod events;
mod logs;
mod model;
mod plan;
mod series;
mod status;

use axum::Router;
use axum::routing::{delete, get, post};

use super::State;

pub(super) use self::events::{LISTENERS_MAX, publish};

/// The routes below `/api/v1`.
pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/openapi.json", get(description::description))
        .route("/status", get(status::status))
        .route("/events", get(events::events))
        .route("/series", get(series::series))
        .route("/plan", get(plan::plan))
        .route("/logs", get(logs::logs))
        .route("/run", post(changes::start).patch(changes::edit))
        .route("/run/stop", post(changes::stop))
        .route("/run/reset", post(changes::reset))
        .route("/workers", post(changes::add_worker))
        .route("/workers/{id}", delete(changes::dismiss))
        .fallback(|| async { error::Problem::not_found("there is no such route") })
}
