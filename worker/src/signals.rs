//! The signals that ask a process to end.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// One message for every SIGTERM and SIGINT from now on.
///
/// # Errors
/// The system takes no handler.
pub fn watch() -> io::Result<mpsc::Receiver<()>> {
    let (tell, signals) = mpsc::channel(2);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => tracing::info!(target: "sentinel", "Got SIGTERM"),
                _ = interrupt.recv() => tracing::info!(target: "sentinel", "Got SIGINT"),
            }
            // More than two signals say no more than two.
            let _ = tell.try_send(());
        }
    });
    Ok(signals)
}
