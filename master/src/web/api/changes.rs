//! What programs can change: begin, edit, stop and forget a run, add and dismiss a worker. Each is answered with the status
//! in which the change can be seen.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State as Extract};
use sentinel_common::dispatch::{MAX_USERS, SpawnRate};
use sentinel_common::ids::WorkerId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{Body, Problem};
use super::model::Status;
use crate::desk::Request;
use crate::web::{StartForm, State};

/// What a run is to be; what is absent is as the command line says it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Start {
    /// Users at the top of the ramp.
    pub users: Option<u32>,
    /// Users per second on the way.
    pub spawn_rate: Option<f64>,
    /// How many seconds the run lasts; 0 for no limit.
    pub run_time_s: Option<f64>,
    /// The base URL of the target.
    pub host: Option<String>,
    /// The profile; empty for none.
    pub profile: Option<String>,
    /// The user classes to run.
    pub classes: Option<Vec<String>>,
    /// Only tasks with one of these tags.
    pub tags: Option<Vec<String>>,
    /// No task with one of these tags.
    pub exclude_tags: Option<Vec<String>>,
    /// `false`: do not follow the scenario's shape.
    pub shape: Option<bool>,
}

/// Other users, or another spawn rate, for the run that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Edit {
    /// Users at the end of the ramp.
    pub users: Option<u32>,
    /// Users per second on the way.
    pub spawn_rate: Option<f64>,
}

/// Begins a run.
#[utoipa::path(
    post, path = "/api/v1/run", tag = "run", request_body = Start,
    responses(
        (status = 200, description = "It has begun", body = Status),
        (status = 409, description = "None can begin now, or no worker is connected", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "It cannot be like this", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn start(
    Extract(state): Extract<State>,
    Body(start): Body<Start>,
) -> Result<Json<Status>, Problem> {
    state.start(start.into_form()?).await?;
    Ok(status(&state))
}

/// Gives the run that goes on other users, or another spawn rate.
#[utoipa::path(
    patch, path = "/api/v1/run", tag = "run", request_body = Edit,
    responses(
        (status = 200, description = "It is on its way there", body = Status),
        (status = 409, description = "No run goes on, or its users are fixed", body = Problem,
            content_type = "application/problem+json"),
        (status = 422, description = "It cannot be like this", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn edit(Extract(state): Extract<State>, Body(edit): Body<Edit>) -> Result<Json<Status>, Problem> {
    let load = state.counter().snapshot().report.as_ref().map(|report| report.load.clone());
    let users = edit.users.or(load.as_ref().map(|load| load.users)).unwrap_or(1);
    let rate = edit.spawn_rate.or(load.map(|load| load.spawn_rate)).unwrap_or(1.0);
    if users > MAX_USERS {
        return Err(Problem::bad(format!("{users} users are more than the {MAX_USERS} that there may be")));
    }
    let spawn_rate = SpawnRate::per_second(rate);
    let spawn_rate = spawn_rate.map_err(|error| Problem::bad(format!("spawn_rate: {error}")))?;
    change(&state, Request::Edit { users, spawn_rate }).await
}

/// Stops the run, and answers once it is over.
#[utoipa::path(
    post, path = "/api/v1/run/stop", tag = "run",
    responses((status = 200, description = "No run goes on any more", body = Status))
)]
pub async fn stop(Extract(state): Extract<State>) -> Result<Json<Status>, Problem> {
    state.counter().stop().await?;
    Ok(status(&state))
}

/// Forgets what was measured; the run goes on.
#[utoipa::path(
    post, path = "/api/v1/run/reset", tag = "run",
    responses((status = 200, description = "The figures begin anew", body = Status))
)]
pub async fn reset(Extract(state): Extract<State>) -> Result<Json<Status>, Problem> {
    change(&state, Request::ResetStats).await
}

/// Runs one more worker inside the master's process.
#[utoipa::path(
    post, path = "/api/v1/workers", tag = "workers",
    responses(
        (status = 200, description = "It starts, and will be there in a moment", body = Status),
        (status = 409, description = "None can run there", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn add_worker(Extract(state): Extract<State>) -> Result<Json<Status>, Problem> {
    change(&state, Request::AddLocalWorker).await
}

/// Sends a worker home; the others take its users over.
#[utoipa::path(
    delete, path = "/api/v1/workers/{id}", tag = "workers",
    params(("id" = String, Path, description = "The worker's name")),
    responses(
        (status = 200, description = "It is told to leave", body = Status),
        (status = 404, description = "There is no such worker", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn dismiss(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
) -> Result<Json<Status>, Problem> {
    let worker = WorkerId::new(&id).map_err(|error| Problem::bad(error.to_string()))?;
    change(&state, Request::Dismiss(worker)).await
}

async fn change(state: &State, request: Request) -> Result<Json<Status>, Problem> {
    state.counter().ask(request).await?;
    Ok(status(state))
}

fn status(state: &State) -> Json<Status> {
    Json(Status::of(&state.counter().snapshot()))
}

impl Start {
    fn into_form(self) -> Result<StartForm, Problem> {
        let run_time = self.run_time_s.map(Duration::try_from_secs_f64).transpose();
        let run_time = run_time.map_err(|error| Problem::bad(format!("run_time_s: {error}")))?;
        Ok(StartForm {
            users: self.users.map(i64::from),
            spawn_rate: self.spawn_rate,
            run_time,
            host: self.host.filter(|host| !host.is_empty()),
            profile: self.profile,
            classes: self.classes,
            tags: self.tags,
            exclude_tags: self.exclude_tags,
            without_shape: self.shape == Some(false),
        })
    }
}
