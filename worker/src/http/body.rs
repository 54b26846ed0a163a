//! Reading a body to its end: chunks in, the decoded whole out, never more than [`MAX_BODY_BYTES`].

use bytes::{Bytes, BytesMut};

use super::decode::Decoder;
use super::transport::Chunks;
use super::{HttpError, MAX_BODY_BYTES};

/// Reads a body to its end, decoded if there is a decoder.
pub(super) async fn read(mut chunks: impl Chunks, decoder: Option<Decoder>) -> Result<Bytes, HttpError> {
    match decoder {
        Some(decoder) => read_decoded(chunks, decoder).await,
        None => {
            let Some(first) = chunks.chunk().await? else {
                return Ok(Bytes::new());
            };
            match chunks.chunk().await? {
                // Most bodies are one chunk, which need not be copied.
                None => {
                    Some(first).filter(|body| body.len() <= MAX_BODY_BYTES).ok_or_else(HttpError::too_large)
                }
                Some(second) => read_rest(chunks, first, second).await,
            }
        }
    }
}

async fn read_decoded(mut chunks: impl Chunks, mut decoder: Decoder) -> Result<Bytes, HttpError> {
    while let Some(chunk) = chunks.chunk().await? {
        decoder.push(&chunk)?;
    }
    decoder.finish().map(Bytes::from)
}

async fn read_rest(mut chunks: impl Chunks, first: Bytes, second: Bytes) -> Result<Bytes, HttpError> {
    let mut body = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(HttpError::too_large());
        }
        body.extend_from_slice(&chunk);
        next = chunks.chunk().await?;
    }
    Ok(body.freeze())
}

/// Reads a body that nobody looks at, so that its connection can be used again. An error in it is its own trouble: the
/// connection is then not used again.
pub(super) async fn discard(mut chunks: impl Chunks) {
    let mut read = 0;
    while let Ok(Some(chunk)) = chunks.chunk().await {
        read += chunk.len();
        if read > MAX_BODY_BYTES {
            return;
        }
    }
}
