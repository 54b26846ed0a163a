//! The paths that a request can take through the worker, and a user on one of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sentinel_common::http::HttpSettings;
use sentinel_worker::http::{
    ClientFactory as _, HttpClient, HttpRequest, HttpResponse, PreparedHttp, ReqwestClient, ReqwestFactory,
};

/// No test waits longer than this for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A way of sending requests that must pass the suite.
pub trait Path {
    /// What one user sends them with.
    type Client: HttpClient;

    /// A client for one user that asks `names` for addresses.
    fn client(http: &Arc<PreparedHttp>, names: &Names) -> Self::Client;
}

/// The complete path.
pub struct Reqwest;

impl Path for Reqwest {
    type Client = ReqwestClient;

    fn client(http: &Arc<PreparedHttp>, names: &Names) -> ReqwestClient {
        ReqwestFactory::with_resolver(Arc::new(names.clone())).client(http)
    }
}

/// Who tells addresses: every name under `.test` is this machine's, others do not exist. Every question is counted.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    moved: HashMap<String, IpAddr>,
    lookups: usize,
}

impl Names {
    /// How often it was asked.
    pub fn lookups(&self) -> usize {
        self.0.lock().unwrap().lookups
    }

    /// Gives a name another address.
    pub fn point(&self, name: &str, address: IpAddr) {
        self.0.lock().unwrap().moved.insert(name.to_owned(), address);
    }

    fn look_up(&self, name: &str) -> Option<IpAddr> {
        let mut known = self.0.lock().unwrap();
        known.lookups += 1;
        let usual = name.ends_with(".test").then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let literal = name.parse().ok();
        known.moved.get(name).copied().or(usual).or(literal)
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let address = self.look_up(name.as_str());
        Box::pin(async move {
            let address = address.ok_or("Name or service not known")?;
            Ok(Box::new(std::iter::once(SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// A user on a path.
pub struct User<P: Path> {
    pub client: P::Client,
    pub names: Names,
}

impl<P: Path> User<P> {
    /// A user of a class without settings of its own.
    pub fn new() -> Self {
        Self::with(&HttpSettings::default())
    }

    /// A user of a class with these settings.
    pub fn with(settings: &HttpSettings) -> Self {
        Self::of(&prepared(settings))
    }

    /// A user of a class whose settings were prepared.
    pub fn of(http: &Arc<PreparedHttp>) -> Self {
        let names = Names::default();
        Self { client: P::client(http, &names), names }
    }

    /// The answer to a request, or the words of its failure.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse, String> {
        self.client.exchange(request).await.map_err(|error| error.to_string())
    }

    /// The answer to a GET.
    pub async fn get(&self, url: impl Into<String>) -> HttpResponse {
        self.send(get(url)).await.unwrap()
    }

    /// The text of the answer to a GET.
    pub async fn text(&self, url: impl Into<String>) -> String {
        text(&self.get(url).await)
    }

    /// The words of the failure of a GET.
    pub async fn failure(&self, url: impl Into<String>) -> String {
        self.send(get(url)).await.expect_err("it fails")
    }
}

/// Settings, prepared.
pub fn prepared(settings: &HttpSettings) -> Arc<PreparedHttp> {
    PreparedHttp::new(settings).unwrap()
}

/// A request without headers and body.
pub fn request(method: &str, url: impl Into<String>) -> HttpRequest {
    HttpRequest {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        url: url.into(),
        headers: HeaderMap::new(),
        body: None,
        timeout: PATIENCE,
        follow_redirects: true,
    }
}

/// A GET.
pub fn get(url: impl Into<String>) -> HttpRequest {
    request("GET", url)
}

/// The same request with one more header.
pub fn with_header(mut request: HttpRequest, name: &'static str, value: &str) -> HttpRequest {
    request.headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    request
}

/// The body of an answer as text.
pub fn text(answer: &HttpResponse) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}
