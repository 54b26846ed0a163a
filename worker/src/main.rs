//! `sentinel-worker`: parses the command line, works, tells how it went by its exit code.

use std::process::ExitCode;

use clap::Parser as _;
use sentinel_common::member::Exit;
use sentinel_worker::cli::Args;
use sentinel_worker::{LocustOptions, WorkerConfig, limits, logging, run_for_any, signals};

fn main() -> ExitCode {
    match start(Args::parse()) {
        Ok(exit) => tell(&exit),
        Err(error) => {
            eprintln!("sentinel-worker: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn start(args: Args) -> anyhow::Result<Exit> {
    logging::init(args.loglevel, args.logfile.as_deref(), std::io::stderr)?;
    limits::raise_open_files();
    let (config, options) = args.into_config()?;
    // Users have threads of their own, so they can never keep this one from answering the master.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work(config, options))
}

async fn work(config: WorkerConfig, options: LocustOptions) -> anyhow::Result<Exit> {
    let shutdown = signals::watch()?;
    tracing::info!(
        "Starting Sentinel {} worker {} for {}",
        env!("CARGO_PKG_VERSION"),
        config.id,
        config.master
    );
    run_for_any(config, options, shutdown).await
}

fn tell(exit: &Exit) -> ExitCode {
    match exit {
        Exit::Done => {
            tracing::info!("Done");
            ExitCode::SUCCESS
        }
        Exit::Unreported => {
            tracing::error!("Ending before the master has acknowledged the last figures");
            ExitCode::FAILURE
        }
        Exit::NeverReached => {
            tracing::error!("The master could not be reached; giving up");
            // What a Locust worker exits with.
            ExitCode::from(255)
        }
        Exit::MasterGone => {
            tracing::error!("The master has been away for too long; giving up");
            ExitCode::FAILURE
        }
        Exit::Refused(reason) => {
            tracing::error!("The master refused this worker: {reason}");
            ExitCode::FAILURE
        }
        Exit::BadPlan(reason) => {
            tracing::error!("{reason}");
            ExitCode::FAILURE
        }
    }
}
