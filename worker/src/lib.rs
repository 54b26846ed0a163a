//! A Sentinel worker: joins a master, runs the users that it is assigned and reports what they measured.
//!
//! The binary `sentinel-worker` is a thin shell around [`run_for_any`]; a master links this library for its local workers.
//!
//! ```text
//! session  carries out what a `machine` decides, over a `wire` to the master: `common::member` over gRPC,
//!          `common::locust_worker` over Locust's wire
//!   swarm  spreads users over lanes and ramps them as assigned
//!     lane one thread: users, the recorder that they share, and the `arrivals` that they serve
//!       user  task after task, step after step, through an `http` client of its own
//! ```
//!
//! There is no statistics arithmetic here, and no decision that does not need a socket, a clock or a thread.

mod actor;
pub mod address;
mod arrivals;
pub mod cli;
pub mod clock;
pub mod config_users;
pub mod dry_run;
pub mod exchange;
mod feeder;
pub mod files;
mod finished;
mod hooks;
pub mod http;
mod lane;
mod lane_state;
pub mod limits;
pub mod link;
pub mod locust_link;
pub mod log_tail;
pub mod logging;
mod machine;
mod multipart;
mod network;
pub mod options;
mod pacing;
pub mod plan;
mod request;
pub mod rows;
pub mod session;
pub mod signals;
mod stop;
pub mod swarm;
mod user;
mod vitals;
pub mod wire;

use std::sync::Arc;

use anyhow::Context as _;
use sentinel_common::ids::WorkerId;
use sentinel_common::locust_worker::{LocustSettings, OwnScenario};
use sentinel_common::member::Exit;
use tokio::sync::mpsc;

use crate::address::MasterAddress;
use crate::clock::LocalClock;
use crate::http::ReqwestFactory;
use crate::link::TcpDial;
use crate::session::Calling;
use crate::swarm::Swarm;
use crate::wire::{Protocol, Route};

/// What a worker needs to know.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Its name; see [`new_worker_id`].
    pub id: WorkerId,
    /// Where its master is.
    pub master: MasterAddress,
    /// Threads that run users.
    pub threads: usize,
}

/// What a worker may be to a master of either kind.
#[derive(Clone, Debug, Default)]
pub struct LocustOptions {
    /// What to speak.
    pub protocol: Protocol,
    /// What to run for a Locust master, which has no scenario to give.
    pub scenario: Option<OwnScenario>,
    /// Figures of the ramp are to be forgotten, for a Locust master; a Sentinel master says so itself.
    pub reset_stats: bool,
}

/// Works for a Sentinel master until there is a reason to end. Each message on `shutdown` tells the worker to end: the
/// first gracefully, the second at once.
///
/// # Errors
/// The worker cannot begin: no threads.
pub async fn run(config: WorkerConfig, shutdown: mpsc::Receiver<()>) -> anyhow::Result<Exit> {
    let calling = Calling { route: Route::Grpc(Arc::new(TcpDial(config.master))), locust: None, log: None };
    start(config.id, config.threads, calling, LocalClock::start(), shutdown).await
}

/// The same as [`run`] for a master of either kind, which is also told what this process logs.
///
/// # Errors
/// As for [`run`].
pub async fn run_for_any(
    config: WorkerConfig,
    options: LocustOptions,
    shutdown: mpsc::Receiver<()>,
) -> anyhow::Result<Exit> {
    let clock = LocalClock::start();
    let dial = Arc::new(TcpDial(config.master.clone()));
    let route = match options.protocol {
        Protocol::Auto => Route::Detect(config.master, dial),
        Protocol::Grpc => Route::Grpc(dial),
        Protocol::Locust => Route::Locust(config.master),
    };
    let reset_stats = options.reset_stats;
    let unix_origin_us = clock::unix_now_us();
    let locust = options.scenario.map(|scenario| LocustSettings { scenario, reset_stats, unix_origin_us });
    let calling = Calling { route, locust, log: Some(&logging::TAIL) };
    start(config.id, config.threads, calling, clock, shutdown).await
}

async fn start(
    id: WorkerId,
    threads: usize,
    calling: Calling,
    clock: LocalClock,
    shutdown: mpsc::Receiver<()>,
) -> anyhow::Result<Exit> {
    let factory = ReqwestFactory::new();
    let swarm =
        Swarm::start_threads(threads, &factory, clock).context("failed to start threads for users")?;
    Ok(session::run_as(id, calling, swarm, clock, shutdown).await)
}

/// A new name for a worker on this machine: `<host>_<32 hex digits>`, as Locust forms it.
pub fn new_worker_id() -> WorkerId {
    // The dispatcher takes everything before the first underscore for the host.
    let host: String = gethostname::gethostname()
        .to_string_lossy()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' })
        .take(253)
        .collect();
    let host = if host.is_empty() { "worker" } else { &host };
    let unique = uuid::Uuid::new_v4().simple();
    WorkerId::new(&format!("{host}_{unique}")).expect("letters, digits and dashes of bounded length")
}
