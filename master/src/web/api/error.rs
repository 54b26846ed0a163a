//! What goes wrong, as programs are told it: a problem document (RFC 9457).

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::desk::Refusal;
use crate::settings::UsageError;
use crate::web::StartRefused;

/// Why something is not done.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// The status of the answer.
    pub status: u16,
    /// What the status means.
    pub title: &'static str,
    /// What is wrong, with the cure where there is one.
    pub detail: String,
}

/// JSON of a request, whose mistakes are told as a [`Problem`].
#[derive(Clone, Copy, Debug)]
pub struct Body<T>(pub T);

impl<T, S> FromRequest<S> for Body<T>
where
    Json<T>: FromRequest<S, Rejection = JsonRejection>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

impl Problem {
    /// A request that makes no sense.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// Something that is not there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or_default();
        Self { status: status.as_u16(), title, detail: detail.into() }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(status_of(&refusal), refusal.to_string())
    }
}

impl From<StartRefused> for Problem {
    fn from(error: StartRefused) -> Self {
        match error {
            StartRefused::Usage(error) => error.into(),
            StartRefused::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE, "application/problem+json")], Json(self)).into_response()
    }
}

/// The status that tells of a refusal.
pub fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Conflict(_) => StatusCode::CONFLICT,
        Refusal::NoSuchWorker(_) => StatusCode::NOT_FOUND,
        Refusal::Busy | Refusal::Ending => StatusCode::SERVICE_UNAVAILABLE,
    }
}
