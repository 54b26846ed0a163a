//! Routes without a meaning of their own, for what load generators have to cope with; and what the shop says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::refusal::Refusal;
use crate::shop::Shop;

/// The longest that an answer takes on purpose.
const SLOW_MAX: Duration = Duration::from_secs(10);

/// The longest way that is led to somewhere else.
const REDIRECTS_MAX: u32 = 1_000;

/// A span of time in a query.
#[derive(Debug, Deserialize)]
pub(super) struct Span {
    ms: u64,
}

pub(super) async fn echo(
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    body: Bytes,
) -> Result<Json<Value>, Refusal> {
    let Query(query) = query?;
    let mut values = BTreeMap::<String, Vec<String>>::new();
    for (key, value) in query {
        values.entry(key).or_default().push(value);
    }
    Ok(Json(json!({
        "method": method.as_str(),
        "path": uri.path(),
        "query": values,
        "headers": joined(&headers),
        "body": String::from_utf8_lossy(&body),
        "body_bytes": body.len(),
    })))
}

/// Values of a header that came more than once stand in one text, with commas in between.
fn joined(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let value = |name| {
        let values = headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>().join(", ")
    };
    headers.keys().map(|name| (name.as_str(), value(name))).collect()
}

pub(super) async fn slow(span: Result<Query<Span>, QueryRejection>) -> Result<Json<Value>, Refusal> {
    let Query(Span { ms }) = span?;
    let span = Duration::from_millis(ms).min(SLOW_MAX);
    tokio::time::sleep(span).await;
    Ok(Json(json!({ "slept_ms": span.as_millis() as u64 })))
}

/// Statuses below 200 are not answers, so they cannot be had.
pub(super) async fn status(code: Result<Path<u16>, PathRejection>) -> Result<Response, Refusal> {
    let Path(code) = code?;
    let status = StatusCode::from_u16(code).ok().filter(|status| !status.is_informational());
    let status = status.ok_or_else(|| Refusal::bad_request("statuses are numbers from 200 to 999"))?;
    let has_body =
        ![StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    Ok(if has_body {
        (status, Json(json!({ "status": code }))).into_response()
    } else {
        status.into_response()
    })
}

pub(super) async fn redirect(left: Result<Path<u32>, PathRejection>) -> Result<Response, Refusal> {
    let Path(left) = left?;
    if left > REDIRECTS_MAX {
        return Err(Refusal::bad_request(format!("at most {REDIRECTS_MAX} redirects")));
    }
    let Some(next) = left.checked_sub(1) else {
        return Ok(Json(json!({ "arrived": true })).into_response());
    };
    Ok((StatusCode::FOUND, AppendHeaders([(header::LOCATION, format!("/redirect/{next}"))])).into_response())
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

pub(super) async fn counts(State(shop): State<Arc<Shop>>) -> Json<BTreeMap<String, u64>> {
    Json(shop.counts.snapshot())
}

pub(super) async fn freeze(
    State(shop): State<Arc<Shop>>,
    span: Result<Query<Span>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(Span { ms }) = span?;
    let span = shop.freeze.begin(Instant::now(), Duration::from_millis(ms));
    Ok(Json(json!({ "frozen_ms": span.as_millis() as u64 })))
}
