//! Turns a request step into the request that goes out: templates rendered, target joined to the host, query appended,
//! the options of the class applied.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, Entry, HeaderMap, HeaderName, HeaderValue};
use sentinel_common::files::NamedFiles;
use sentinel_common::http::DEFAULT_TIMEOUT;
use sentinel_common::scenario::{
    Auth, Body, Host, HttpOptions, Method, RenderContext, RenderError, RequestStep, Template,
};
use url::form_urlencoded;

use crate::http::{HttpRequest, basic_auth};
use crate::multipart;

/// A request and its name in the statistics.
#[derive(Debug)]
pub struct PreparedRequest {
    /// The name.
    pub name: String,
    /// The request.
    pub request: HttpRequest,
}

/// What the requests of a class have in common.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Where paths go.
    pub host: Option<&'a Host>,
    /// How requests are sent.
    pub http: &'a HttpOptions,
    /// The files that came with the run.
    pub files: &'a NamedFiles,
}

/// Renders a step for one user.
///
/// # Errors
/// A template fails, a header has a value that no header can have, or a relative target has no host to go to.
pub fn prepare(
    step: &RequestStep,
    around: Surroundings<'_>,
    context: &RenderContext,
) -> Result<PreparedRequest, RenderError> {
    let mut target = step.target.render(context)?.into_owned();
    append_query(&mut target, step, context)?;
    let url = match around.host {
        Some(host) => host.join(&target),
        None if target.starts_with("http://") || target.starts_with("https://") => target.clone(),
        None => return Err(unusable(&step.target, "there is no host to send it to")),
    };
    let mut headers = render_headers(step, around.http, context)?;
    if let Some(auth) = step.auth.as_ref().or(around.http.auth.as_ref()) {
        authorize(&mut headers, auth, context)?;
    }
    let body = render_body(step, around.files, context, &mut headers)?;
    let name = match &step.name {
        Some(name) => name.render(context)?.into_owned(),
        None => target,
    };
    let timeout: Duration = step.timeout.or(around.http.timeout).unwrap_or(DEFAULT_TIMEOUT);
    let follow_redirects = step.follow_redirects.or(around.http.follow_redirects).unwrap_or(true);
    let method = http_method(&step.method);
    Ok(PreparedRequest {
        name,
        request: HttpRequest { method, url, headers, body, timeout, follow_redirects },
    })
}

fn http_method(method: &Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Options => http::Method::OPTIONS,
        Method::Delete => http::Method::DELETE,
        Method::Post => http::Method::POST,
        Method::Put => http::Method::PUT,
        Method::Patch => http::Method::PATCH,
        Method::Trace => http::Method::TRACE,
        // The reader has made sure that it is a token.
        Method::Other(name) => http::Method::from_bytes(name.as_bytes()).unwrap_or_default(),
    }
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

/// The headers of the class, except those that the step has, and those of the step.
fn render_headers(
    step: &RequestStep,
    http: &HttpOptions,
    context: &RenderContext,
) -> Result<HeaderMap, RenderError> {
    let mut headers = HeaderMap::with_capacity(http.headers.len() + step.headers.len() + 2);
    let has_own = |name: &str| step.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let inherited = http.headers.iter().filter(|(name, _)| !has_own(name));
    for (name, value) in inherited.chain(&step.headers) {
        let rendered = value.render(context)?;
        let no_header = || unusable(value, "no header can have this name or value");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| no_header())?;
        headers.append(name, HeaderValue::from_str(&rendered).map_err(|_| no_header())?);
    }
    Ok(headers)
}

/// Adds the `Authorization` header, unless it is there already.
fn authorize(headers: &mut HeaderMap, auth: &Auth, context: &RenderContext) -> Result<(), RenderError> {
    let Entry::Vacant(vacant) = headers.entry(AUTHORIZATION) else { return Ok(()) };
    let value = match auth {
        Auth::Basic { username, password } => {
            basic_auth(&username.render(context)?, &password.render(context)?)
        }
        Auth::Bearer(token) => {
            let value = HeaderValue::try_from(format!("Bearer {}", token.render(context)?));
            let mut value = value.map_err(|_| unusable(token, "no header can have this value"))?;
            value.set_sensitive(true);
            value
        }
    };
    vacant.insert(value);
    Ok(())
}

fn render_body(
    step: &RequestStep,
    files: &NamedFiles,
    context: &RenderContext,
    headers: &mut HeaderMap,
) -> Result<Option<Bytes>, RenderError> {
    let mut default_type = |content_type: HeaderValue| {
        headers.entry(CONTENT_TYPE).or_insert(content_type);
    };
    match &step.body {
        Body::None => Ok(None),
        Body::Text(text) => Ok(Some(text.render(context)?.into_owned().into())),
        Body::Json(json) => {
            let mut body = Vec::with_capacity(1024);
            json.render_into(&mut body, context)?;
            default_type(HeaderValue::from_static("application/json"));
            Ok(Some(body.into()))
        }
        Body::Form(fields) => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for (name, value) in fields {
                form.append_pair(name, &value.render(context)?);
            }
            default_type(HeaderValue::from_static("application/x-www-form-urlencoded"));
            Ok(Some(form.finish().into()))
        }
        Body::Multipart(parts) => {
            let (content_type, body) = multipart::render(parts, files, context)?;
            default_type(content_type);
            Ok(Some(body))
        }
        // Every file that the scenario names has come with the run.
        Body::File(name) => Ok(files.get(&**name).cloned()),
    }
}

/// The template is fine, but what it gave cannot be sent.
fn unusable(template: &Template, reason: &str) -> RenderError {
    RenderError { template: template.source().to_owned(), reason: reason.to_owned() }
}
