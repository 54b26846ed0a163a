//! The `shop` binary: parses the flags, serves until a signal, maps the outcome to an exit code.
//!
//! Exit codes: 0 after SIGTERM or SIGINT, 1 when serving fails, 2 for bad flags.

mod cli;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tokio::net::TcpListener;
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    match listen_and_serve(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn listen_and_serve(Cli { host, port }: &Cli) -> anyhow::Result<()> {
    let listener = TcpListener::bind((host.as_str(), *port)).await.with_context(|| {
        format!("failed to listen on {host} port {port} (choose another with --host and --port)")
    })?;
    let address = listener.local_addr().context("failed to read the address listened on")?;
    let signal = signal()?;
    info!("listening on http://{address}");
    shop::serve(listener, signal).await.context("failed to serve")?;
    info!("stopped");
    Ok(())
}

/// Completes at the first SIGTERM or SIGINT. The handlers are installed before this returns.
#[cfg(unix)]
fn signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to watch for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Never completes: Ctrl-C ends the process by itself.
#[cfg(not(unix))]
fn signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(std::future::pending())
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
