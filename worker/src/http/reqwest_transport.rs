//! The complete transport, on `reqwest`: HTTP/1.1 and HTTP/2, TLS, proxies.
//!
//! A user has one `reqwest::Client` per origin, and with it, as it sends one request at a time, one connection per
//! origin. To let go of a connection is to let go of its client: nothing else makes the pool forget one. What the two
//! layers above could do instead (redirects, cookies, decoding) is switched off; [`Session`] does it for every transport.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::dns::Resolve;
use reqwest::redirect::Policy;
use reqwest::{Body, Client, ClientBuilder, Request, Response};
use sentinel_common::http::{HttpVersion, Reuse};
use tokio::time::Instant;
use url::Url;

use super::error;
use super::watch::Watch;
use super::{Chunks, ClientFactory, HttpError, Incoming, Outgoing, PreparedHttp, Session, Transport};

/// Origins of which one user keeps connections. The one that was used least recently makes room.
const MAX_ORIGINS: usize = 8;

/// How often a request is sent again because its HTTP/2 connection was shut down in order before the target took it.
const MAX_ORDERLY_SHUTDOWNS: usize = 2;

/// A user's complete client.
pub type ReqwestClient = Session<ReqwestTransport>;

/// Makes complete clients.
#[derive(Clone, Default)]
pub struct ReqwestFactory {
    resolver: Option<Arc<dyn Resolve>>,
}

impl ReqwestFactory {
    /// Clients that ask the system for addresses.
    pub fn new() -> Self {
        Self::default()
    }

    /// Clients that ask `resolver` for addresses, once for each new connection.
    pub fn with_resolver(resolver: Arc<dyn Resolve>) -> Self {
        Self { resolver: Some(resolver) }
    }
}

impl fmt::Debug for ReqwestFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestFactory").finish_non_exhaustive()
    }
}

impl ClientFactory for ReqwestFactory {
    type Client = ReqwestClient;

    fn client(&self, http: &Arc<PreparedHttp>) -> ReqwestClient {
        let transport = ReqwestTransport {
            http: http.clone(),
            resolver: self.resolver.clone(),
            lines: RefCell::default(),
        };
        Session::new(transport, http.clone())
    }
}

/// One user's connections. See the module's documentation.
pub struct ReqwestTransport {
    http: Arc<PreparedHttp>,
    resolver: Option<Arc<dyn Resolve>>,
    /// One per origin, the one that was used last at the end.
    lines: RefCell<Vec<Line>>,
}

/// The way to one origin.
struct Line {
    /// Any URL of the origin.
    origin: Url,
    client: Client,
    watch: Watch,
}

/// A body that `reqwest` reads.
#[derive(Debug)]
pub struct ReqwestBody(Response);

impl Transport for ReqwestTransport {
    type Body = ReqwestBody;

    async fn send(&self, request: &Outgoing) -> Result<Incoming<ReqwestBody>, HttpError> {
        let (client, watch) = self.line(&request.url)?;
        watch.begin_request();
        let answered = execute(&client, request).await;
        let mut response = answered.map_err(|error| self.describe(&error))?;
        let headers = std::mem::take(response.headers_mut());
        Ok(Incoming { status: response.status(), headers, body: ReqwestBody(response) })
    }

    fn is_connecting(&self) -> bool {
        self.lines.borrow().last().is_some_and(|line| line.watch.is_connecting())
    }

    fn begin_iteration(&self) {
        if self.http.settings().connection.reuse == Reuse::Iteration {
            self.lines.borrow_mut().clear();
        }
    }
}

impl Chunks for ReqwestBody {
    async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        self.0.chunk().await.map_err(|error| HttpError::from_causes(&error))
    }
}

impl ReqwestTransport {
    /// The way to the origin of `url`: the one that is there, unless its connection is worn out.
    fn line(&self, url: &Url) -> Result<(Client, Watch), HttpError> {
        let limits = &self.http.settings().connection;
        let mut lines = self.lines.borrow_mut();
        let known = lines.iter().position(|line| is_same_origin(&line.origin, url));
        let known = known.map(|index| lines.remove(index));
        let usable = known.filter(|line| !line.watch.is_worn_out(limits, Instant::now()));
        let line = match usable {
            Some(line) => line,
            None => self.open(url)?,
        };
        if lines.len() == MAX_ORIGINS {
            lines.remove(0);
        }
        let handles = (line.client.clone(), line.watch.clone());
        lines.push(line);
        Ok(handles)
    }

    fn open(&self, url: &Url) -> Result<Line, HttpError> {
        let watch = Watch::default();
        let client = self.recipe(&watch).build().map_err(|error| HttpError::from_causes(&error))?;
        Ok(Line { origin: url.clone(), client, watch })
    }

    fn recipe(&self, watch: &Watch) -> ClientBuilder {
        let settings = self.http.settings();
        let mut recipe = Client::builder()
            .tls_backend_preconfigured(self.http.tls().as_ref().clone())
            .connector_layer(watch.clone())
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .tcp_nodelay(true)
            // A user's connection lives as long as its settings say; only the target may close it before.
            .pool_idle_timeout(None);
        if settings.connection.reuse == Reuse::None {
            recipe = recipe.pool_max_idle_per_host(0);
        }
        recipe = match settings.version {
            HttpVersion::Auto => recipe,
            HttpVersion::Http1 => recipe.http1_only(),
            HttpVersion::Http2 => recipe.http2_prior_knowledge(),
        };
        if let Some(proxy) = self.http.proxy() {
            recipe = recipe.proxy(proxy.clone());
        }
        match &self.resolver {
            Some(resolver) => recipe.dns_resolver(resolver.clone()),
            None => recipe,
        }
    }

    /// Locust's words for an error before the head of an answer was there.
    fn describe(&self, error: &reqwest::Error) -> HttpError {
        if error.is_builder() {
            return HttpError::invalid_url(&"no target can have it");
        }
        if !error.is_connect() {
            return HttpError::before_answer(error);
        }
        let words =
            if error.is_dns() { HttpError::from_lookup(error) } else { HttpError::from_causes(error) };
        if self.http.proxy().is_some() { words.at_proxy() } else { words }
    }
}

/// Sends a request. A target that shuts an HTTP/2 connection down in order says which requests it will not take; they
/// go over another connection, as the closing of an idle HTTP/1.1 connection costs no request either. One that is
/// refused in any other way has failed: a load test must not hide it.
async fn execute(client: &Client, request: &Outgoing) -> Result<Response, reqwest::Error> {
    let mut shutdowns = 0;
    loop {
        match client.execute(reqwest_request(request)).await {
            Err(error) if shutdowns < MAX_ORDERLY_SHUTDOWNS && is_orderly_shutdown(&error) => shutdowns += 1,
            outcome => return outcome,
        }
    }
}

fn reqwest_request(request: &Outgoing) -> Request {
    let mut copy = Request::new(request.method.clone(), request.url.clone());
    *copy.headers_mut() = request.headers.clone();
    *copy.body_mut() = request.body.clone().map(Body::from);
    copy
}

fn is_orderly_shutdown(error: &reqwest::Error) -> bool {
    error::causes(error)
        .filter_map(|cause| cause.downcast_ref::<h2::Error>())
        .any(|error| error.is_go_away() && error.is_remote() && error.reason() == Some(h2::Reason::NO_ERROR))
}

fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}
