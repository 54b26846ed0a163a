//! One request as it goes to one target: what every request has is filled in, and redirects change it.

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, USER_AGENT,
};
use http::{HeaderMap, Method};
use sentinel_common::http::{HttpSettings, Reuse};
use url::Url;

use super::{HttpError, HttpRequest, credentials, decode};

/// Who asks, unless a request says otherwise.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("sentinel/", env!("CARGO_PKG_VERSION")));

/// A request as it is sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where it goes: a URL of HTTP, without credentials.
    pub url: Url,
    /// All headers that do not belong to the connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
}

impl Outgoing {
    /// The first thing that is sent for a user's request.
    ///
    /// # Errors
    /// The URL is none, or none of HTTP.
    pub(super) fn new(request: HttpRequest, settings: &HttpSettings) -> Result<Self, HttpError> {
        let HttpRequest { method, url, mut headers, body, .. } = request;
        let mut url = Url::parse(&url).map_err(|error| HttpError::invalid_url(&error))?;
        if !is_http(&url) {
            return Err(HttpError::invalid_scheme());
        }
        if let Some(authorization) = credentials::take_from(&mut url) {
            headers.entry(AUTHORIZATION).or_insert(authorization);
        }
        fill_in(&mut headers, settings);
        Ok(Self { method, url, headers, body })
    }

    /// Says that there is no body where one could be, as python-requests does; some targets insist on it.
    pub(super) fn declare_empty_body(&mut self) {
        let is_empty = self.body.as_ref().is_none_or(Bytes::is_empty);
        if is_empty && self.method != Method::GET && self.method != Method::HEAD {
            self.headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
        }
    }
}

/// Whether HTTP is spoken there.
pub(super) fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// What every request has, where it has nothing of its own.
fn fill_in(headers: &mut HeaderMap, settings: &HttpSettings) {
    let mut fill_in = |name: HeaderName, value: HeaderValue| {
        headers.entry(name).or_insert(value);
    };
    fill_in(ACCEPT, HeaderValue::from_static("*/*"));
    fill_in(USER_AGENT, AGENT);
    if settings.compression {
        fill_in(ACCEPT_ENCODING, HeaderValue::from_static(decode::ACCEPTED));
    }
    if settings.connection.reuse == Reuse::None {
        // The target closes first, so that closed connections do not use up the worker's ports.
        fill_in(CONNECTION, HeaderValue::from_static("close"));
    }
}
