//! The seam below [`Session`](super::Session): what carries one request to a target and brings one answer back.

use std::future::Future;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::{HttpError, Outgoing};

/// One user's way to its targets: connections, their lifetimes, TLS, proxies, versions of HTTP.
///
/// It sends what it is given and hands over what comes: no redirects, no cookies, no decoding, no deadline. Headers of
/// the connection itself (`Host`, the length of a body, the proxy's credentials) are its own.
pub trait Transport: 'static {
    /// What is left of an answer once its head was read.
    type Body: Chunks;

    /// Sends a request and reads the head of the answer.
    fn send(&self, request: &Outgoing) -> impl Future<Output = Result<Incoming<Self::Body>, HttpError>>;

    /// Whether the request that was sent last has no connection yet. Asked after a deadline has passed.
    fn is_connecting(&self) -> bool;

    /// The user begins an iteration.
    fn begin_iteration(&self);
}

/// The head of an answer, and its body yet to be read.
#[derive(Debug)]
pub struct Incoming<B> {
    /// The status code; never 1xx, except for 101.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: B,
}

/// A body as it comes over the wire.
pub trait Chunks {
    /// The next bytes, or `None` at the proper end. One that ends early is an error.
    fn chunk(&mut self) -> impl Future<Output = Result<Option<Bytes>, HttpError>>;
}
