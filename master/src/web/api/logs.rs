//! What the master and its workers have logged.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Extract;
use sentinel_worker::logging::TAIL;
use serde::Serialize;
use utoipa::ToSchema;

use crate::desk::Snapshot;
use crate::web::State;

/// The last lines of all logs, oldest first: 500 of the master and of each worker, 20,000 in all.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Logs {
    /// Of the master.
    pub master: Vec<String>,
    /// Of the workers, by name.
    pub workers: BTreeMap<String, Vec<String>>,
}

/// The last lines of all logs.
#[utoipa::path(
    get, path = "/api/v1/logs", tag = "logs",
    responses((status = 200, description = "The last lines of all logs", body = Logs))
)]
pub async fn logs(Extract(state): Extract<State>) -> Json<Logs> {
    Json(Logs::of(&state.counter().snapshot()))
}

impl Logs {
    /// What is kept of all logs.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut workers = BTreeMap::<String, Vec<String>>::new();
        for (worker, line) in snapshot.worker_logs.iter() {
            workers.entry(worker.to_string()).or_default().push(line.to_owned());
        }
        Self { master: TAIL.read().all_lines(), workers }
    }
}
