//! Taking files: nothing is kept of them but their sizes and their digests.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::{Field, Multipart, MultipartRejection};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::refusal::Refusal;
use crate::shop::Shop;

/// A form has so many parts at most.
const PARTS_MAX: usize = 20;

/// Names and the like are kept up to this length, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// The parts of one form, in order.
pub(crate) type Upload = Vec<Part>;

/// What is kept of a part.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Part {
    name: Option<String>,
    filename: Option<String>,
    content_type: Option<String>,
    bytes: usize,
    /// In lower-case hexadecimal digits.
    sha256: String,
}

pub(super) async fn upload(
    State(shop): State<Arc<Shop>>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let mut form = form?;
    let mut parts = Upload::new();
    while let Some(field) = form.next_field().await? {
        if parts.len() == PARTS_MAX {
            let reason = format!("a form has at most {PARTS_MAX} parts");
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
        }
        parts.push(Part::read(field).await?);
    }
    let id = shop.state().uploads.add(parts.clone());
    Ok((StatusCode::CREATED, Json(json!({ "id": id, "parts": parts }))))
}

pub(super) async fn uploaded(
    State(shop): State<Arc<Shop>>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Json<Value>, Refusal> {
    let Path(id) = id?;
    let parts = shop.state().uploads.get(id).cloned();
    let parts = parts.ok_or_else(|| Refusal::not_found("upload of this number"))?;
    Ok(Json(json!({ "id": id, "parts": parts })))
}

impl Part {
    async fn read(field: Field<'_>) -> Result<Self, Refusal> {
        let text = |text: Option<&str>| text.map(|text| text.chars().take(TEXT_CHARS_MAX).collect());
        let (name, filename) = (text(field.name()), text(field.file_name()));
        let content_type = text(field.content_type());
        let content = field.bytes().await?;
        let sha256 = hexadecimal(&Sha256::digest(&content));
        Ok(Self { name, filename, content_type, bytes: content.len(), sha256 })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut digits, byte| {
        // Writing to memory cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
