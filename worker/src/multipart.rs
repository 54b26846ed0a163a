//! `multipart/form-data` bodies (RFC 7578), rendered to bytes, so that any HTTP client can send them.

use bytes::Bytes;
use http::HeaderValue;
use rand::RngExt as _;
use sentinel_common::files::NamedFiles;
use sentinel_common::scenario::{Part, PartContent, RenderContext, RenderError};

/// What a file is without a content type of its own.
const BINARY: &str = "application/octet-stream";

/// Renders the parts: the content type, which names the boundary, and the body.
pub fn render(
    parts: &[Part],
    files: &NamedFiles,
    context: &RenderContext,
) -> Result<(HeaderValue, Bytes), RenderError> {
    // Random enough that no content holds it, and from the user's own stream, so that runs can be repeated.
    let boundary = format!("sentinel-{:032x}", context.with_rng(|rng| rng.random::<u128>()));
    let mut body = Vec::with_capacity(1024);
    for part in parts {
        append(&mut body, &boundary, part, files, context)?;
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}"));
    Ok((content_type.unwrap_or(HeaderValue::from_static("multipart/form-data")), body.into()))
}

fn append(
    body: &mut Vec<u8>,
    boundary: &str,
    part: &Part,
    files: &NamedFiles,
    context: &RenderContext,
) -> Result<(), RenderError> {
    let written = part.filename.as_ref().map(|name| name.render(context)).transpose()?;
    let content_type = part.content_type.as_ref().map(|kind| kind.render(context)).transpose()?;
    let (content, filename, content_type) = match &part.content {
        PartContent::Text(text) => (Bytes::from(text.render(context)?.into_owned()), written, content_type),
        PartContent::File(name) => {
            let own = name.rsplit(['/', '\\']).next().unwrap_or(name);
            let content = files.get(&**name).cloned().unwrap_or_default();
            (content, Some(written.unwrap_or(own.into())), Some(content_type.unwrap_or(BINARY.into())))
        }
    };
    let mut head =
        format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", escaped(&part.name));
    if let Some(filename) = filename {
        head.push_str(&format!("; filename=\"{}\"", escaped(&filename)));
    }
    if let Some(content_type) = content_type {
        head.push_str(&format!("\r\nContent-Type: {}", content_type.replace(['\r', '\n'], " ")));
    }
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(b"\r\n\r\n");
    body.extend_from_slice(&content);
    body.extend_from_slice(b"\r\n");
    Ok(())
}

/// A name between quotes, escaped as browsers do (HTML, section 4.10.21.8).
fn escaped(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
