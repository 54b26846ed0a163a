//! The web page on port 8089, Locust's routes beside it, and an interface for programs.
//!
//! ```text
//! Site ── accepts, bounds every client ──► Router
//!                                           ├── page      the page and its assets
//!                                           ├── locust    Locust's routes
//!                                           ├── api       /api/v1, with its description, and live events
//!                                           └── metrics   for Prometheus
//!                                                 │
//!                                               State ──► desk ◄── control loop
//! ```
//!
//! Handlers read snapshots, or ask at the [desk](crate::desk) and wait for the answer. None of them decides anything about a
//! run.

mod api;
mod guard;
mod server;
mod start;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use tokio::sync::{Semaphore, watch};

pub use self::server::{Serving, Site, SiteError};
pub use self::start::{EditRefused, StartForm, Starter};

use crate::desk::Counter;
use crate::settings::WebSettings;

/// What every handler has at hand.
#[derive(Clone, Debug)]
pub struct State(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    counter: Counter,
    starter: Starter,
    settings: WebSettings,
    /// What goes out to all who listen.
    frames: watch::Sender<Bytes>,
    /// Places for those who listen.
    listeners: Arc<Semaphore>,
    /// Its sender is dropped when the site closes: streams end then.
    closing: watch::Receiver<()>,
}

impl State {
    fn new(counter: Counter, starter: Starter, settings: WebSettings, closing: watch::Receiver<()>) -> Self {
        let (frames, _) = watch::channel(Bytes::new());
        tokio::spawn(api::publish(counter.follow(), frames.clone()));
        let listeners = Arc::new(Semaphore::new(api::LISTENERS_MAX));
        Self(Arc::new(Shared { counter, starter, settings, frames, listeners, closing }))
    }

    /// Where snapshots lie and changes are asked for.
    pub fn counter(&self) -> &Counter {
        &self.0.counter
    }

    /// Makes the settings of runs.
    pub fn starter(&self) -> &Starter {
        &self.0.starter
    }

    /// How the site is served.
    pub fn settings(&self) -> &WebSettings {
        &self.0.settings
    }

    /// What goes out to all who listen.
    pub fn frames(&self) -> watch::Receiver<Bytes> {
        self.0.frames.subscribe()
    }

    /// Places for those who listen.
    pub fn listeners(&self) -> Arc<Semaphore> {
        self.0.listeners.clone()
    }

    /// Waits until the site closes.
    pub fn closed(&self) -> impl Future<Output = ()> + use<> {
        let mut closing = self.0.closing.clone();
        async move { while closing.changed().await.is_ok() {} }
    }
}

/// Everything that is served, below the base path.
fn router(state: State) -> Router {
    let base = state.settings().base_path.clone();
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .nest("/api/v1", api::routes())
        .with_state(state);
    let routes = guard::guarded(routes);
    match base.as_str() {
        "" => routes,
        base => Router::new().nest(base, routes),
    }
}
