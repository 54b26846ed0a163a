//! What is served on port 8089.
//!
//! ```text
//! Site ── accepts, bounds every client ──► Router ── api: /api/v1, with its description, and live events
//!                                                     │
//!                                                   State ──► desk ◄── control loop
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
use axum::http::StatusCode;
use axum::routing::get;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};

pub use self::server::{Serving, Site, SiteError};
pub use self::start::{EditRefused, StartForm, Starter};

use crate::desk::{Counter, Refusal, Request};
use crate::settings::{UsageError, WebSettings};

/// What a site is made of, besides its port.
#[derive(Debug)]
pub struct Parts {
    /// Where snapshots lie and changes are asked for.
    pub counter: Counter,
    /// Makes the settings of runs.
    pub starter: Starter,
    /// How a worker is started that can take part.
    pub worker_command: String,
}

/// Why a run does not begin.
#[derive(Debug, Error)]
pub enum StartRefused {
    /// It cannot be like this.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// It cannot be now.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// What every handler has at hand.
#[derive(Clone, Debug)]
pub struct State(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    counter: Counter,
    starter: Starter,
    settings: WebSettings,
    worker_command: String,
    /// What goes out to all who listen.
    frames: watch::Sender<Bytes>,
    /// Places for those who listen.
    listeners: Arc<Semaphore>,
    /// Its sender is dropped when the site closes: streams end then.
    closing: watch::Receiver<()>,
}

impl State {
    fn new(site: Parts, settings: WebSettings, closing: watch::Receiver<()>) -> Self {
        let Parts { counter, starter, worker_command } = site;
        let (frames, _) = watch::channel(Bytes::new());
        tokio::spawn(api::publish(counter.follow(), frames.clone()));
        let listeners = Arc::new(Semaphore::new(api::LISTENERS_MAX));
        Self(Arc::new(Shared { counter, starter, settings, worker_command, frames, listeners, closing }))
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

    /// How a worker is started that can take part.
    pub fn worker_command(&self) -> &str {
        &self.0.worker_command
    }

    /// Begins a run as `form` says it.
    ///
    /// # Errors
    /// It cannot be like this, or not now.
    pub async fn start(&self, form: StartForm) -> Result<(), StartRefused> {
        let state = self.clone();
        // Files are read for it.
        let resolved = tokio::task::spawn_blocking(move || state.starter().settings(&form)).await;
        let settings = resolved.map_err(|_| Refusal::Ending)??;
        Ok(self.counter().ask(Request::Start(Box::new(settings))).await?)
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
        .fallback(|| async { (StatusCode::NOT_FOUND, "there is nothing here\n") })
        .with_state(state);
    guard::guarded(match base.as_str() {
        "" => routes,
        base => Router::new().nest(base, routes),
    })
}
