//! An answer as checks and captures see it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use serde_json::Value as Json;

/// One answer of a target. Its JSON is parsed at most once, and only if something looks at it.
pub struct Answer<'a> {
    status: u16,
    headers: &'a HeaderMap,
    body: &'a [u8],
    response_time: Duration,
    cookies: &'a dyn Fn(&str) -> Option<String>,
    json: OnceCell<Option<Json>>,
}

impl<'a> Answer<'a> {
    /// An answer with this status, these headers and this decoded body, which took `response_time` to come. `cookies`
    /// looks up what the user's jar holds for the address of the request.
    pub fn new(
        status: u16,
        headers: &'a HeaderMap,
        body: &'a [u8],
        response_time: Duration,
        cookies: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self { status, headers, body, response_time, cookies, json: OnceCell::new() }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The decoded body.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// From the start of the request to the end of the answer.
    pub fn response_time(&self) -> Duration {
        self.response_time
    }

    /// The first header of this name; bytes that are no UTF-8 are replaced.
    pub fn header(&self, name: &str) -> Option<Cow<'a, str>> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// The cookie of this name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        (self.cookies)(name)
    }

    /// The body as JSON, if it is.
    pub fn json(&self) -> Option<&Json> {
        self.json.get_or_init(|| serde_json::from_slice(self.body).ok()).as_ref()
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
