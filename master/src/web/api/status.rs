//! The master and its run, now.

use axum::Json;
use axum::extract::State as Extract;

use super::model::Status;
use crate::web::State;

/// The master and its run, now.
#[utoipa::path(
    get, path = "/api/v1/status", tag = "run",
    responses((status = 200, description = "The master and its run", body = Status))
)]
pub async fn status(Extract(state): Extract<State>) -> Json<Status> {
    Json(Status::of(&state.counter().snapshot()))
}
