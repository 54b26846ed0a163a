//! `sentinel-master`: parses the command line, runs, tells how it went by its exit code.

use std::process::ExitCode;

use clap::Parser as _;
use sentinel_common::verdict::exit_code;
use sentinel_master::cli::Args;
use sentinel_master::control::Command;
use sentinel_master::terminal::Terminal;
use sentinel_worker::{limits, logging, signals};
use tokio::sync::mpsc;

/// Commands that may wait for the master.
const COMMAND_QUEUE: usize = 4;

fn main() -> ExitCode {
    match start(Args::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("sentinel-master: {error:#}");
            ExitCode::from(exit_code::USAGE)
        }
    }
}

fn start(args: Args) -> anyhow::Result<u8> {
    let (tell, commands) = mpsc::channel(COMMAND_QUEUE);
    let terminal = Terminal::of_process(tell.clone());
    logging::init(args.loglevel, args.logfile.as_deref(), terminal.log())?;
    limits::raise_open_files();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut interrupts = signals::watch()?;
        tokio::spawn(async move {
            while interrupts.recv().await.is_some() {
                // Without a master, there is nothing left to interrupt.
                let _ = tell.send(Command::Interrupt).await;
            }
        });
        Ok(sentinel_master::run(args, commands, terminal).await)
    })
}
