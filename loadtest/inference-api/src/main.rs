//! The `inference-api` binary: parses the flags, serves until a signal, maps the outcome to an exit code.
//!
//! Exit codes: 0 after SIGTERM or SIGINT, 1 when serving fails, 2 for bad flags.

mod cli;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use inference_api::serve;
use tokio::net::TcpListener;
use tokio::runtime;
use tracing::info;
use tracing_subscriber::EnvFilter;

use crate::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let mut builder = runtime::Builder::new_multi_thread();
    if let Some(workers) = cli.workers {
        builder.worker_threads(usize::from(workers));
    }
    let runtime = builder.enable_all().build().context("failed to start the runtime")?;
    runtime.block_on(listen_and_serve(cli))
}

async fn listen_and_serve(cli: &Cli) -> anyhow::Result<()> {
    let (host, port) = (cli.host.as_str(), cli.port);
    let listener = TcpListener::bind((host, port)).await.with_context(|| {
        format!("failed to listen on {host} port {port} (choose another with --host and --port)")
    })?;
    let address = listener.local_addr().context("failed to read the address listened on")?;
    let shutdown = shutdown_signal()?;
    info!("listening on http://{address}");
    serve(listener, cli.config(), shutdown).await.context("failed to serve")?;
    info!("stopped");
    Ok(())
}

/// Completes at the first SIGTERM or SIGINT. The handlers are installed before this returns.
#[cfg(unix)]
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).context("failed to watch for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to watch for SIGINT")?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!("received {name}, finishing the requests in flight");
    })
}

/// Completes at Ctrl-C.
#[cfg(not(unix))]
fn shutdown_signal() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => info!("received Ctrl-C, finishing the requests in flight"),
            // Without a handler Ctrl-C still ends the process, only less politely.
            Err(_) => std::future::pending().await,
        }
    })
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
