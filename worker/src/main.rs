//! `sentinel-worker`: parses the command line, works, tells how it went by its exit code.

use std::process::ExitCode;

use clap::CommandFactory as _;
use sentinel_common::member::Exit;
use sentinel_common::verdict::exit_code;
use sentinel_worker::cli::{Args, exit_code_of};
use sentinel_worker::options::stranger::OF_THE_MASTER;
use sentinel_worker::options::{self, Said, Surroundings};
use sentinel_worker::{LocustOptions, WorkerConfig, limits, run_for_any, signals};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().collect();
    let said = match options::read::<Args>(&words, &Surroundings::of_process(), OF_THE_MASTER) {
        Ok(said) => said,
        Err(answer) => return options::answer(&answer),
    };
    if let Some(code) = said.args.about.answer(Args::command()) {
        return code;
    }
    match start(said) {
        Ok(exit) => tell(&exit),
        Err(error) => {
            eprintln!("sentinel-worker: {error:#}");
            ExitCode::from(exit_code_of(&error))
        }
    }
}

fn start(Said { args, notes }: Said<Args>) -> anyhow::Result<Exit> {
    args.log.init(std::io::stderr)?;
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    limits::raise_open_files();
    args.notes().iter().for_each(|note| tracing::warn!("{note}"));
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
            ExitCode::from(exit_code::MISMATCH)
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
