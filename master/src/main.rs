//! `sentinel-master`: parses the command line, runs, tells how it went by its exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use sentinel_common::verdict::exit_code;
use sentinel_master::Work;
use sentinel_master::cli::{self, Args, SEARCH, SearchArgs};
use sentinel_master::control::Command;
use sentinel_master::terminal::Terminal;
use sentinel_worker::options::stranger::OF_THE_WORKER;
use sentinel_worker::options::{self, Said, Surroundings};
use sentinel_worker::{limits, signals};
use tokio::sync::mpsc;

/// Commands that may wait for the master.
const COMMAND_QUEUE: usize = 4;

fn main() -> ExitCode {
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == SEARCH) {
        words.remove(1);
        return begin::<SearchArgs>(&words);
    }
    begin::<Args>(&words)
}

/// Reads the options of some work and does it.
fn begin<W: Work>(words: &[OsString]) -> ExitCode {
    let said = match options::read::<W>(words, &Surroundings::of_process(), OF_THE_WORKER) {
        Ok(said) => said,
        Err(answer) => return options::answer(&answer),
    };
    if let Some(code) = said.args.args().about.answer(cli::program()) {
        return code;
    }
    match start(said) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("sentinel-master: {error:#}");
            ExitCode::from(exit_code::USAGE)
        }
    }
}

fn start<W: Work>(Said { args: work, notes }: Said<W>) -> anyhow::Result<u8> {
    let (tell, commands) = mpsc::channel(COMMAND_QUEUE);
    let terminal = Terminal::of_process(tell.clone());
    let args = work.args();
    args.log.init(terminal.log())?;
    notes.iter().for_each(|note| tracing::warn!("{note}"));
    limits::raise_open_files();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut interrupts = signals::watch()?;
        tokio::spawn(async move {
            while interrupts.recv().await.is_some() {
                // Without a master, there is nothing left to interrupt.
                let _ = tell.send(Command::Interrupt).await;
            }
        });
        Ok(work.carry_out(commands, terminal).await)
    })
}
