//! Serves a shop on a listener until told to stop.
//!
//! The binary and embedders call [`serve`]; binding the address and watching for signals is theirs.

use std::io;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tracing::debug;

use crate::router;

/// Serves a new shop on `listener` until `shutdown` completes.
///
/// Requests in flight are not waited for: nobody needs the answers of a test that is over. They end with the runtime
/// they run on.
///
/// # Errors
///
/// When the listener fails for good. Failures of single connections are not errors.
pub async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let listener = listener.tap_io(|connection| {
        // Answers are single small writes: waiting to fill a packet would only add latency.
        if let Err(error) = connection.set_nodelay(true) {
            debug!("failed to set TCP_NODELAY: {error}");
        }
    });
    let server = axum::serve(listener, router());
    tokio::select! {
        served = async { server.await } => served,
        () = shutdown => Ok(()),
    }
}
