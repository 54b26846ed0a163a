//! A target on virtual time: its answers take exactly as long as a test says, and it writes down every request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use sentinel_worker::http::{ClientFactory, HttpClient, HttpError, HttpRequest, HttpResponse, PreparedHttp};
use tokio::time::Instant;

use super::HOST;

/// A test that makes more requests than this is not what a virtual target is for.
const MAX_EXCHANGES: usize = 1_000_000;

/// One request and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its method.
    pub method: String,
    /// Its URL without the host.
    pub path: String,
    /// The worker that sent it.
    pub worker: String,
    /// The user that sent it, numbered over all workers in the order of their birth.
    pub user: u64,
    /// When it arrived, since the target was made.
    pub at: Duration,
    /// When the user had its answer; `None` if it never did.
    pub finished: Option<Duration>,
}

/// What the target does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It answers with this status after this time.
    Status(u16, Duration),
    /// It breaks the connection after this time, which the client reports in these words.
    Break(&'static str, Duration),
    /// It never answers.
    Never,
}

impl Answer {
    /// The answer to most requests.
    pub fn ok_after(time: Duration) -> Self {
        Self::Status(200, time)
    }
}

/// The target. Clones are the same target.
#[derive(Clone)]
pub struct VirtualTarget(Arc<Shared>);

struct Shared {
    made: Instant,
    answer: Box<dyn Fn(&Exchange) -> Answer + Send + Sync>,
    users: AtomicU64,
    exchanges: Mutex<Vec<Exchange>>,
}

impl fmt::Debug for VirtualTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualTarget").field("requests", &self.requests()).finish_non_exhaustive()
    }
}

impl VirtualTarget {
    /// A target that does with every request what `answer` says.
    pub fn new(answer: impl Fn(&Exchange) -> Answer + Send + Sync + 'static) -> Self {
        let (answer, exchanges) = (Box::new(answer), Mutex::new(Vec::new()));
        Self(Arc::new(Shared { made: Instant::now(), answer, users: AtomicU64::new(0), exchanges }))
    }

    /// A target that answers every request with success after the same time.
    pub fn steady(time: Duration) -> Self {
        Self::new(move |_| Answer::ok_after(time))
    }

    /// Makes clients for a worker's users.
    pub fn factory(&self, worker: &str) -> VirtualFactory {
        VirtualFactory { target: self.clone(), worker: worker.to_owned() }
    }

    /// Everything that happened so far, in the order of arrival.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().clone()
    }

    /// Requests that arrived.
    pub fn requests(&self) -> u64 {
        self.lock().len() as u64
    }

    /// Requests for which the user had an answer, or an error.
    pub fn finished(&self) -> u64 {
        self.count(|exchange| exchange.finished.is_some())
    }

    /// Requests of a kind.
    pub fn count(&self, wanted: impl Fn(&Exchange) -> bool) -> u64 {
        self.lock().iter().filter(|exchange| wanted(exchange)).count() as u64
    }

    /// Requests for which the user had an answer, or an error, by method and path.
    pub fn finished_by_path(&self) -> BTreeMap<(String, String), u64> {
        let mut counts = BTreeMap::new();
        for exchange in self.lock().iter().filter(|exchange| exchange.finished.is_some()) {
            *counts.entry((exchange.method.clone(), exchange.path.clone())).or_default() += 1;
        }
        counts
    }

    fn now(&self) -> Duration {
        self.0.made.elapsed()
    }

    /// Writes a request down. Returns its number and what to do with it.
    fn admit(&self, exchange: Exchange) -> (usize, Answer) {
        let answer = (self.0.answer)(&exchange);
        let mut exchanges = self.lock();
        assert!(exchanges.len() < MAX_EXCHANGES, "a test on virtual time keeps its load small");
        exchanges.push(exchange);
        (exchanges.len() - 1, answer)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Exchange>> {
        self.0.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes clients for the users of one worker.
#[derive(Clone, Debug)]
pub struct VirtualFactory {
    target: VirtualTarget,
    worker: String,
}

impl ClientFactory for VirtualFactory {
    type Client = VirtualClient;

    fn client(&self, _http: &Arc<PreparedHttp>) -> VirtualClient {
        let user = self.target.0.users.fetch_add(1, Ordering::Relaxed);
        VirtualClient { target: self.target.clone(), worker: self.worker.clone(), user }
    }
}

/// One user's way to the target.
#[derive(Debug)]
pub struct VirtualClient {
    target: VirtualTarget,
    worker: String,
    user: u64,
}

impl HttpClient for VirtualClient {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let path = request.url.strip_prefix(HOST).unwrap_or(&request.url).to_owned();
        let (worker, at) = (self.worker.clone(), self.target.now());
        let method = request.method.as_str().to_owned();
        let (number, answer) =
            self.target.admit(Exchange { method, path, worker, user: self.user, at, finished: None });
        let answered = tokio::time::timeout(request.timeout, carry_out(answer, request.url)).await;
        self.target.lock()[number].finished = Some(self.target.now());
        answered.unwrap_or_else(|_| Err(HttpError::timed_out(false)))
    }

    fn begin_iteration(&self) {}

    fn cookie(&self, _url: &str, _name: &str) -> Option<String> {
        None
    }
}

async fn carry_out(answer: Answer, url: String) -> Result<HttpResponse, HttpError> {
    match answer {
        Answer::Status(status, time) => {
            tokio::time::sleep(time).await;
            Ok(HttpResponse { status, headers: HeaderMap::new(), body: Bytes::from_static(b"{}"), url })
        }
        Answer::Break(words, time) => {
            tokio::time::sleep(time).await;
            Err(HttpError::new(words))
        }
        Answer::Never => std::future::pending().await,
    }
}
