//! What is known about one user's connection to one origin: when it was opened and how many requests it took.
//!
//! The client's pool keeps its connections to itself. A layer around its connector sees each of them being made, and
//! the transport counts what it sends; together they tell when a connection is worn out.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use sentinel_common::http::ConnectionSettings;
use tokio::time::Instant;
use tower::{Layer, Service};

/// One connection at a time: users send one request at a time. Clones watch the same one.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_connecting: AtomicBool,
    connection: Mutex<Connection>,
}

#[derive(Debug, Default)]
struct Connection {
    /// `None` until there is one.
    opened: Option<Instant>,
    requests: u32,
}

impl Watch {
    /// Whether the connection may not take another request.
    pub(super) fn is_worn_out(&self, settings: &ConnectionSettings, now: Instant) -> bool {
        let connection = self.connection();
        let Some(opened) = connection.opened else {
            return false;
        };
        let is_old = settings.max_age.is_some_and(|max_age| now.saturating_duration_since(opened) >= max_age);
        is_old || settings.max_requests.is_some_and(|most| connection.requests >= most.max(1))
    }

    /// Whether a connection is being made, or was when its request was given up.
    pub(super) fn is_connecting(&self) -> bool {
        self.0.is_connecting.load(Ordering::Relaxed)
    }

    /// A request begins, over the connection that is there or over one that is made for it.
    pub(super) fn begin_request(&self) {
        self.0.is_connecting.store(false, Ordering::Relaxed);
        let mut connection = self.connection();
        connection.requests = connection.requests.saturating_add(1);
    }

    fn begin_connecting(&self) {
        self.0.is_connecting.store(true, Ordering::Relaxed);
    }

    fn end_connecting(&self, now: Instant) {
        self.0.is_connecting.store(false, Ordering::Relaxed);
        // The request that it is made for is its first.
        *self.connection() = Connection { opened: Some(now), requests: 1 };
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Layer<S> for Watch {
    type Service = Watched<S>;

    fn layer(&self, connector: S) -> Watched<S> {
        Watched { connector, watch: self.clone() }
    }
}

/// A connector that is watched.
#[derive(Clone, Debug)]
pub(super) struct Watched<S> {
    connector: S,
    watch: Watch,
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let watch = self.watch.clone();
        watch.begin_connecting();
        let connecting = self.connector.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            watch.end_connecting(Instant::now());
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sentinel_common::http::Reuse;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_wears_out_by_age_or_by_use() {
        let limits = |max_age, max_requests| ConnectionSettings { reuse: Reuse::User, max_age, max_requests };
        let second = Duration::from_secs(1);
        let opened = Instant::now();
        let check = |settings: ConnectionSettings, requests: u32, age: Duration, expected: bool| {
            let watch = Watch::default();
            watch.begin_request();
            watch.end_connecting(opened);
            (1..requests).for_each(|_| watch.begin_request());
            assert_eq!(
                watch.is_worn_out(&settings, opened + age),
                expected,
                "{settings:?} {requests} {age:?}"
            );
        };
        check(limits(None, None), 1_000_000, 1_000_000 * second, false);
        check(limits(Some(second), None), 9, second - Duration::from_nanos(1), false);
        check(limits(Some(second), None), 1, second, true);
        check(limits(None, Some(2)), 1, second, false);
        check(limits(None, Some(2)), 2, second, true);
        check(limits(None, Some(0)), 1, second, true);
    }

    #[test]
    fn nothing_is_worn_out_before_there_is_a_connection() {
        let settings = ConnectionSettings { max_requests: Some(1), ..ConnectionSettings::default() };
        let watch = Watch::default();
        watch.begin_request();
        assert!(!watch.is_worn_out(&settings, Instant::now()));
    }
}
