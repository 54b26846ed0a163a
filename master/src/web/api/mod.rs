//! `/api/v1`: the interface for programs and for the page. Its words are the field's, its times are milliseconds, and all
//! of it is described in `/api/v1/openapi.json`.

mod events;
mod model;
mod series;

use axum::Router;
use axum::routing::get;

pub(super) use self::events::{LISTENERS_MAX, publish};

use super::State;

/// The routes below `/api/v1`.
pub(super) fn routes() -> Router<State> {
    Router::new().route("/events", get(events::events)).route("/series", get(series::series))
}
