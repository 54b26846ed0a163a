//! Reads request bodies within a bound.
//!
//! The routes call [`read`] for bodies they want and [`discard`] for those they do not. Parsing is elsewhere.

use std::future::poll_fn;
use std::pin::Pin;

use axum::body::{Body, Bytes, HttpBody};

/// The largest body that is accepted, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// Why a body could not be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It is longer than [`BODY_BYTES_MAX`].
    TooLarge,
    /// It ended early or broke the rules of HTTP.
    Broken(axum::Error),
}

/// The whole body, whether it declares its length or comes in chunks.
pub(crate) async fn read(mut body: Body) -> Result<Bytes, Unreadable> {
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        discard(body).await;
        return Err(Unreadable::TooLarge);
    }
    let mut whole = Vec::new();
    while let Some(chunk) = next_chunk(&mut body).await {
        let chunk = chunk.map_err(Unreadable::Broken)?;
        if whole.len() + chunk.len() > BODY_BYTES_MAX {
            discard(body).await;
            return Err(Unreadable::TooLarge);
        }
        if whole.is_empty() && body.is_end_stream() {
            // Nearly every body is a single chunk, and that one needs no copy.
            return Ok(chunk);
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.into())
}

/// Reads and forgets what is left of a body, up to [`DISCARD_BYTES_MAX`].
///
/// A client that is still sending when the connection closes may lose the answer to a reset; one that has
/// sent all reads why it was refused, and keeps its connection.
pub(crate) async fn discard(mut body: Body) {
    let mut discarded = 0;
    while discarded < DISCARD_BYTES_MAX {
        match next_chunk(&mut body).await {
            Some(Ok(chunk)) => discarded += chunk.len(),
            Some(Err(_)) | None => return,
        }
    }
}

const DISCARD_BYTES_MAX: usize = 16 * BODY_BYTES_MAX;

/// The next piece of data; trailers are skipped.
async fn next_chunk(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await? {
            Ok(frame) => match frame.into_data() {
                Ok(chunk) => return Some(Ok(chunk)),
                Err(_trailers) => {}
            },
            Err(error) => return Some(Err(error)),
        }
    }
}
