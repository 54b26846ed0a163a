//! How users send requests: the seam between the user loop and an HTTP client, and the clients behind it.
//!
//! Every user has a client of its own, so its cookies and connections are its own too, as a browser's are.
//! Times are not taken here; the user loop takes them around [`HttpClient::exchange`].
//!
//! ```text
//! HttpSettings --PreparedHttp::new, once per user class--> PreparedHttp
//!                                                               | ClientFactory::client, once per user
//! HttpRequest --> Session: defaults, cookies, redirects, decoding, one deadline over all of it
//!                    | Outgoing, one per hop              ^ Incoming: a head, then chunks of a body
//!                    v                                    |
//!                 Transport: a connection, one request, one answer
//! ```
//!
//! What a request means is decided once, in [`Session`], for every transport. A transport opens connections, obeys
//! their lifetimes and moves bytes; [`ReqwestTransport`] is the complete one. `tests/http_conformance.rs` is what every
//! transport must pass.

mod body;
mod credentials;
mod decode;
mod error;
mod jar;
mod outgoing;
mod prepared;
mod redirect;
mod reqwest_transport;
mod session;
mod tls;
mod transport;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};

pub use credentials::basic_auth;
pub use error::HttpError;
pub use outgoing::Outgoing;
pub use prepared::{BadHttpSettings, PreparedHttp};
pub use reqwest_transport::{ReqwestClient, ReqwestFactory, ReqwestTransport};
pub use session::Session;
pub use transport::{Chunks, Incoming, Transport};

/// A longer body is given up, so that no target can fill the worker's memory. It holds for what came over the wire and
/// for what it becomes when it is decoded.
pub const MAX_BODY_BYTES: usize = 64 << 20;

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method; any token, `PROPFIND` as well.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// Headers beyond those that every request has, which they replace.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<Bytes>,
    /// How long the whole answer may take, redirects included.
    pub timeout: Duration,
    /// Whether redirects are followed, up to the class's limit.
    pub follow_redirects: bool,
}

/// An answer, read to its end. After redirects it is the last one.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The headers as they came; `Content-Encoding` and `Content-Length` still speak of the body before it was decoded.
    pub headers: HeaderMap,
    /// The decoded body. Its length is what Locust counts as the length of the answer.
    pub body: Bytes,
    /// Where the answer came from, which after redirects is not where the request went.
    pub url: String,
}

/// One user's HTTP client. A user sends one request at a time.
pub trait HttpClient: 'static {
    /// Sends a request and reads the answer to its end.
    fn exchange(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, HttpError>>;

    /// The user begins an iteration: connections that live for one iteration end here.
    fn begin_iteration(&self);

    /// The value of the user's cookie `name` for `url`: the one that would be sent there, or else one of the same host
    /// that another path would be sent. `None` if there is none, or the class keeps no cookies.
    fn cookie(&self, url: &str, name: &str) -> Option<String>;
}

/// Makes clients for users.
pub trait ClientFactory: Clone + Send + 'static {
    /// What it makes.
    type Client: HttpClient;

    /// A client for one more user, with no cookies and no connections. It is cheap: what is expensive is in `http`,
    /// which all users of a class share.
    fn client(&self, http: &Arc<PreparedHttp>) -> Self::Client;
}
