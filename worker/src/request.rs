//! Turns a request step into the request that goes out: templates rendered, target joined to the host, query appended.

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sentinel_common::http::HttpSettings;
use sentinel_common::scenario::{Body, Host, RenderContext, RenderError, RequestStep, Template};
use url::form_urlencoded;

use crate::http::HttpRequest;

/// A request and its name in the statistics.
#[derive(Debug)]
pub struct PreparedRequest {
    /// The name.
    pub name: String,
    /// The request.
    pub request: HttpRequest,
}

/// Renders a step for one user.
///
/// # Errors
/// A template fails, a header has a value that no header can have, or a relative target has no host to go to.
pub fn prepare(
    step: &RequestStep,
    host: Option<&Host>,
    settings: &HttpSettings,
    context: &RenderContext,
) -> Result<PreparedRequest, RenderError> {
    let mut target = step.target.render(context)?.into_owned();
    append_query(&mut target, step, context)?;
    let url = match host {
        Some(host) => host.join(&target),
        None if target.starts_with("http://") || target.starts_with("https://") => target.clone(),
        None => return Err(unusable(&step.target, "there is no host to send it to")),
    };
    let mut headers = render_headers(step, context)?;
    let body = render_body(step, context, &mut headers)?;
    let name = match &step.name {
        Some(name) => name.render(context)?.into_owned(),
        None => target,
    };
    let method = Method::from_bytes(step.method.as_str().as_bytes())
        .map_err(|_| unusable(&step.target, "no request can have this method"))?;
    let timeout = step.timeout.unwrap_or(settings.timeout);
    let follow_redirects = settings.follow_redirects;
    Ok(PreparedRequest {
        name,
        request: HttpRequest { method, url, headers, body, timeout, follow_redirects },
    })
}

fn append_query(target: &mut String, step: &RequestStep, context: &RenderContext) -> Result<(), RenderError> {
    for (index, (key, value)) in step.query.iter().enumerate() {
        let separator = if index == 0 && !target.contains('?') { '?' } else { '&' };
        target.push(separator);
        target.extend(form_urlencoded::byte_serialize(key.as_bytes()));
        target.push('=');
        target.extend(form_urlencoded::byte_serialize(value.render(context)?.as_bytes()));
    }
    Ok(())
}

fn render_headers(step: &RequestStep, context: &RenderContext) -> Result<HeaderMap, RenderError> {
    let mut headers = HeaderMap::with_capacity(step.headers.len() + 1);
    for (name, value) in &step.headers {
        let rendered = value.render(context)?;
        let no_header = || unusable(value, "no header can have this name or value");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| no_header())?;
        headers.append(name, HeaderValue::from_str(&rendered).map_err(|_| no_header())?);
    }
    Ok(headers)
}

fn render_body(
    step: &RequestStep,
    context: &RenderContext,
    headers: &mut HeaderMap,
) -> Result<Option<Bytes>, RenderError> {
    match &step.body {
        Body::None => Ok(None),
        Body::Text(text) => Ok(Some(text.render(context)?.into_owned().into())),
        Body::Json(json) => {
            let mut body = Vec::with_capacity(1024);
            json.render_into(&mut body, context)?;
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
            Ok(Some(body.into()))
        }
    }
}

/// The template is fine, but what it gave cannot be sent.
fn unusable(template: &Template, reason: &str) -> RenderError {
    RenderError { template: template.source().to_owned(), reason: reason.to_owned() }
}
