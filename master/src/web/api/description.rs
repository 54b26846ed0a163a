//! The description of the interface for programs (OpenAPI).

use axum::Json;
use axum::extract::State as Extract;
use utoipa::OpenApi;
use utoipa::openapi::{OpenApi as Document, Server};

use super::{changes, error, events, logs, model, plan, series, status};
use crate::web::State;

/// Everything below `/api/v1`.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Sentinel",
        description = "Starts, changes and watches load tests. Times of requests are milliseconds, other times seconds.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        status::status, events::events, series::series, plan::plan, logs::logs, changes::start, changes::edit,
        changes::stop, changes::reset, changes::add_worker, changes::dismiss,
    ),
    components(schemas(events::Frame, error::Problem, model::Status)),
    tags(
        (name = "run", description = "The run that goes on, or the last one"),
        (name = "workers", description = "The workers of the cluster"),
        (name = "logs", description = "What the programs of the cluster logged"),
    )
)]
struct Interface;

/// The description, with where the interface is served.
pub async fn description(Extract(state): Extract<State>) -> Json<Document> {
    let mut document = Interface::openapi();
    let base = match state.settings().base_path.as_str() {
        "" => "/",
        base => base,
    };
    document.servers = Some(vec![Server::new(base)]);
    Json(document)
}
