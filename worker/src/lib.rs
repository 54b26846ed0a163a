//! A Sentinel worker: joins a master, runs the users that it is assigned and reports what they measured.
//!
//! The binary `sentinel-worker` is a thin shell around [`run`]; a master links this library for its local workers.
//!
//! ```text
//! session  carries out what `common::member` decides, over a `link` to the master
//!   swarm  spreads users over lanes and ramps them as assigned
//!     lane one thread: users, and the recorder that they share
//!       user  task after task, step after step, through an `http` client of its own
//! ```
//!
//! There is no statistics arithmetic here, and no decision that does not need a socket, a clock or a thread.

pub mod address;
pub mod cli;
pub mod clock;
pub mod http;
mod lane;
mod lane_state;
pub mod limits;
pub mod link;
pub mod logging;
mod pacing;
mod plan;
mod request;
pub mod session;
pub mod signals;
mod stop;
pub mod swarm;
mod user;
mod vitals;

use std::sync::Arc;

use anyhow::Context as _;
use sentinel_common::ids::WorkerId;
use sentinel_common::member::Exit;
use tokio::sync::mpsc;

use crate::address::MasterAddress;
use crate::clock::LocalClock;
use crate::http::ReqwestFactory;
use crate::link::TcpDial;
use crate::swarm::Swarm;

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

/// Works for a master until there is a reason to end. Each message on `shutdown` tells the worker to end: the first
/// gracefully, the second at once.
///
/// # Errors
/// The worker cannot begin: no threads, no TLS.
pub async fn run(config: WorkerConfig, shutdown: mpsc::Receiver<()>) -> anyhow::Result<Exit> {
    let clock = LocalClock::start();
    let factory = ReqwestFactory::new().context("failed to set up TLS")?;
    let swarm =
        Swarm::start_threads(config.threads, &factory, clock).context("failed to start threads for users")?;
    let dial = Arc::new(TcpDial(config.master));
    Ok(session::run(config.id, dial, swarm, clock, shutdown).await)
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
