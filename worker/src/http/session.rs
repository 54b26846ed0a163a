//! A user's client: what a request means, whatever transport carries it.

use std::sync::Arc;

use http::header::COOKIE;
use http::{HeaderMap, StatusCode};
use url::Url;

use super::decode::Decoder;
use super::jar::Jar;
use super::{
    HttpClient, HttpError, HttpRequest, HttpResponse, Incoming, Outgoing, PreparedHttp, Transport, body,
    redirect,
};

/// One user's client over a transport. See the [module's documentation](super).
#[derive(Debug)]
pub struct Session<T> {
    transport: T,
    http: Arc<PreparedHttp>,
    /// Without it, no cookies are kept.
    jar: Option<Jar>,
}

impl<T: Transport> Session<T> {
    /// A client with no cookies yet.
    pub fn new(transport: T, http: Arc<PreparedHttp>) -> Self {
        let jar = http.settings().cookies.then(Jar::default);
        Self { transport, http, jar }
    }

    async fn follow(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let follows = request.follow_redirects;
        let mut outgoing = Outgoing::new(request, self.http.settings())?;
        let mut redirects_left = self.http.settings().max_redirects;
        loop {
            outgoing.declare_empty_body();
            self.add_cookies(&mut outgoing);
            let incoming = self.transport.send(&outgoing).await?;
            self.take_cookies(&outgoing.url, &incoming.headers);
            let (status, headers) = (incoming.status, &incoming.headers);
            let target = if follows { redirect::target(&outgoing.url, status, headers)? } else { None };
            let Some(target) = target else {
                return self.read(outgoing.url, incoming).await;
            };
            if redirects_left == 0 {
                return Err(HttpError::too_many_redirects(self.http.settings().max_redirects));
            }
            redirects_left -= 1;
            body::discard(incoming.body).await;
            redirect::follow(&mut outgoing, status, target);
        }
    }

    /// A request that brings cookies of its own is sent with those alone, as by python-requests.
    fn add_cookies(&self, outgoing: &mut Outgoing) {
        let Some(jar) = &self.jar else {
            return;
        };
        if !outgoing.headers.contains_key(COOKIE)
            && let Some(cookies) = jar.header_for(&outgoing.url)
        {
            outgoing.headers.insert(COOKIE, cookies);
        }
    }

    fn take_cookies(&self, url: &Url, headers: &HeaderMap) {
        if let Some(jar) = &self.jar {
            jar.store(url, headers);
        }
    }

    async fn read(&self, url: Url, incoming: Incoming<T::Body>) -> Result<HttpResponse, HttpError> {
        let Incoming { status, headers, body } = incoming;
        let decodes = self.http.settings().compression && status != StatusCode::SWITCHING_PROTOCOLS;
        let decoder = if decodes { Decoder::for_headers(&headers)? } else { None };
        let body = body::read(body, decoder).await?;
        Ok(HttpResponse { status: status.as_u16(), headers, body, url: url.into() })
    }
}

impl<T: Transport> HttpClient for Session<T> {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let deadline = request.timeout;
        match tokio::time::timeout(deadline, self.follow(request)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(HttpError::timed_out(self.transport.is_connecting())),
        }
    }

    fn begin_iteration(&self) {
        self.transport.begin_iteration();
    }

    fn cookie(&self, url: &str, name: &str) -> Option<String> {
        self.jar.as_ref()?.value(&Url::parse(url).ok()?, name)
    }
}
