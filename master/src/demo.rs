//! The demo's target: the inference API on a free loopback port, on threads of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;

/// Starts the target and returns where it listens. It ends with the process.
///
/// # Errors
/// There is no free port on the loopback.
pub async fn start_target() -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind("127.0.0.1:0").await.context("failed to find a port for the demo's target")?;
    let address = listener.local_addr().context("failed to learn the port of the demo's target")?;
    let runtime = tokio::runtime::Handle::current();
    runtime.spawn(async move {
        let served =
            inference_api::serve(listener, inference_api::Config::default(), std::future::pending()).await;
        if let Err(error) = served {
            tracing::error!("The demo's target failed: {error}");
        }
    });
    Ok(address)
}
