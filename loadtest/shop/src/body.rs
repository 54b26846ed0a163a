//! Reads request bodies within a bound.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio_stream::StreamExt;

use crate::refusal::Refusal;

/// The largest body that is accepted, in bytes.
pub const BODY_BYTES_MAX: usize = 8 << 20;

/// What is read and forgotten of a larger one before its connection is given up.
const DISCARD_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;

/// Reads the whole body before the route sees the request.
///
/// A client that is still sending when the connection closes may lose the answer to a reset; one that has sent all
/// reads why it was refused, and keeps its connection. So every body is read, also those that no route wants.
pub(crate) async fn read_first(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match read(body).await {
        Ok(body) => next.run(Request::from_parts(head, Body::from(body))).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Refusal> {
    let (mut whole, mut length) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while length <= DISCARD_BYTES_MAX
        && let Some(chunk) = chunks.next().await
    {
        let chunk =
            chunk.map_err(|error| Refusal::bad_request(format!("failed to read the body: {error}")))?;
        length += chunk.len();
        if length <= BODY_BYTES_MAX {
            whole.extend_from_slice(&chunk);
        } else {
            whole = Vec::new();
        }
    }
    if length > BODY_BYTES_MAX {
        let reason = format!("the body is longer than the {BODY_BYTES_MAX} bytes accepted");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    Ok(whole)
}
