//! Serves the routes on a listener until told to stop.
//!
//! The binary and embedders call [`serve`]; binding the address and watching for signals is theirs.

use std::io;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{debug, warn};

use crate::{Config, router};

/// How long requests in flight may take to finish after the shutdown began.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(5);

/// Serves a new inference API on `listener` until `shutdown` completes, then finishes the requests in flight.
///
/// Returns once every connection is closed, or after [`DRAIN_DEADLINE`]: connections still open then end
/// with the runtime they run on.
///
/// # Errors
///
/// When the listener fails for good. Failures of single connections are not errors.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (begin_drain, drain_begun) = oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        let _ = begin_drain.send(());
    };
    let listener = listener.tap_io(|connection| {
        // Answers are single small writes: waiting to fill a packet would only add latency.
        if let Err(error) = connection.set_nodelay(true) {
            debug!("failed to set TCP_NODELAY: {error}");
        }
    });
    let server = axum::serve(listener, router(config)).with_graceful_shutdown(shutdown);
    tokio::select! {
        served = async { server.await } => served,
        () = drain_deadline(drain_begun) => {
            warn!("some connections are still open {DRAIN_DEADLINE:?} after the shutdown began, dropping them");
            Ok(())
        }
    }
}

async fn drain_deadline(drain_begun: oneshot::Receiver<()>) {
    match drain_begun.await {
        Ok(()) => tokio::time::sleep(DRAIN_DEADLINE).await,
        // The shutdown signal was lost, so there is no drain to bound.
        Err(_) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;
    use tokio::time::Instant;

    use super::*;

    /// The clock is paused and jumps only when every task waits for it. Until the shutdown nothing does.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_is_dropped_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(listener, Config::default(), async {
            let _ = stopped.await;
        }));
        client.writable().await.unwrap();
        let head = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
        assert_eq!(client.try_write(head).unwrap(), head.len());
        // The server asks for the body, so the request is in flight. The body never comes.
        client.readable().await.unwrap();

        let began = Instant::now();
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
        assert!(began.elapsed() >= DRAIN_DEADLINE, "{:?}", began.elapsed());
    }
}
