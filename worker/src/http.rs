//! How users send requests: the seam between the user loop and an HTTP client, and the client on `reqwest`.
//!
//! Every user has a client of its own, so its cookies and connections are its own too, as a browser's are.
//! Times are not taken here; the user loop takes them around [`HttpClient::exchange`].

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use sentinel_common::scenario::Method;

/// A request without a timeout of its own is given up after this, as Locust's fast client does.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Redirects that are followed before a request fails; what Locust's client follows.
const MAX_REDIRECTS: usize = 30;

/// A longer answer is given up, so that no target can fill the worker's memory.
const MAX_BODY_BYTES: usize = 64 << 20;

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// Headers beyond those that every request has.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<Vec<u8>>,
    /// How long the whole answer may take.
    pub timeout: Duration,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The decoded body.
    pub body: Vec<u8>,
}

/// Why there is no answer. Displayed as Locust displays it, with nothing in it that differs from request to request,
/// because failures are grouped by this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    message: String,
}

impl HttpError {
    /// An error that is displayed as `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One user's HTTP client.
pub trait HttpClient: 'static {
    /// Sends a request and reads the answer to its end.
    fn exchange(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, HttpError>>;
}

/// Makes clients for users.
pub trait ClientFactory: Clone + Send + 'static {
    /// What it makes.
    type Client: HttpClient;

    /// A client for one more user, with no cookies and no connections.
    fn client(&self) -> Self::Client;
}

/// The complete client.
#[derive(Clone, Debug)]
pub struct ReqwestClient(reqwest::Client);

impl HttpClient for ReqwestClient {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let HttpRequest { method, url, headers, body, timeout } = request;
        let mut builder = self.0.request(reqwest_method(method), url).headers(headers).timeout(timeout);
        if let Some(body) = body {
            builder = builder.body(body);
        }
        let mut response = builder.send().await.map_err(|error| describe(&error))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                let mebibytes = MAX_BODY_BYTES >> 20;
                return Err(HttpError::new(format!("ResponseTooLarge('more than {mebibytes} MiB')")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(HttpResponse { status, body })
    }
}

/// Makes [`ReqwestClient`]s. They share what is expensive and the same for all: the TLS configuration.
#[derive(Clone, Debug)]
pub struct ReqwestFactory {
    tls: ClientConfig,
}

impl ReqwestFactory {
    /// Prepares to make clients. Reads the system's root certificates once; a system that has none can still be used
    /// for targets without TLS, and says so in the log.
    ///
    /// # Errors
    /// The TLS library refuses its own defaults.
    pub fn new() -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut tls = match builder.clone().with_platform_verifier() {
            Ok(builder) => builder.with_no_client_auth(),
            Err(error) => {
                tracing::warn!("No root certificates, so no https target can be verified: {error}");
                builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
            }
        };
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { tls })
    }

    fn build(&self) -> Result<reqwest::Client, reqwest::Error> {
        reqwest::Client::builder()
            .user_agent(concat!("sentinel/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(self.tls.clone())
            .cookie_store(true)
            .redirect(Policy::limited(MAX_REDIRECTS))
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            // A user's connection lives as long as the user; only the target may close it.
            .pool_idle_timeout(None)
            .build()
    }
}

impl ClientFactory for ReqwestFactory {
    type Client = ReqwestClient;

    fn client(&self) -> ReqwestClient {
        // Nothing in the recipe depends on the user, so it fails for every user or, as the tests show, for none.
        ReqwestClient(self.build().unwrap_or_default())
    }
}

fn reqwest_method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Options => reqwest::Method::OPTIONS,
        Method::Delete => reqwest::Method::DELETE,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Patch => reqwest::Method::PATCH,
    }
}

/// Puts an error into Locust's words. URLs, ports and addresses are left out: they would split one failure into many.
fn describe(error: &reqwest::Error) -> HttpError {
    if error.is_timeout() {
        let kind = if error.is_connect() { "ConnectTimeout" } else { "ReadTimeout" };
        return HttpError::new(format!("{kind}('timed out')"));
    }
    if error.is_redirect() {
        return HttpError::new(format!("TooManyRedirects('Exceeded {MAX_REDIRECTS} redirects.')"));
    }
    if error.is_builder() {
        return HttpError::new(format!("InvalidURL('{}')", innermost(error)));
    }
    if let Some(cause) = io_cause(error) {
        return HttpError::new(describe_io(cause));
    }
    let cause = innermost(error);
    if error.is_connect() {
        return HttpError::new(format!("ConnectionError('{cause}')"));
    }
    // hyper's words for a connection that the other side closed before it answered.
    if cause.contains("closed before message completed") {
        return HttpError::new("RemoteDisconnected('Remote end closed connection without response')");
    }
    HttpError::new(format!("ConnectionError('{cause}')"))
}

fn describe_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "ConnectionRefusedError(111, 'Connection refused')".to_owned(),
        io::ErrorKind::ConnectionReset => "ConnectionResetError(104, 'Connection reset by peer')".to_owned(),
        io::ErrorKind::BrokenPipe => "BrokenPipeError(32, 'Broken pipe')".to_owned(),
        io::ErrorKind::UnexpectedEof => "IncompleteRead('the connection ended within the answer')".to_owned(),
        _ => match error.raw_os_error() {
            Some(code) => format!("OSError({code}, '{}')", without_code(&error.to_string())),
            None => format!("ConnectionError('{error}')"),
        },
    }
}

/// `Network is unreachable (os error 101)` without its end.
fn without_code(text: &str) -> &str {
    text.split_once(" (os error").map_or(text, |(words, _)| words)
}

fn io_cause(error: &reqwest::Error) -> Option<&io::Error> {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last()
}

fn innermost(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}
