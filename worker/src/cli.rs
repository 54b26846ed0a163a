//! The worker's command line.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;
use sentinel_common::locust_worker::OwnScenario;
use sentinel_common::scenario::{Adjustments, Scenario, Selection, SelectionError};
use sentinel_common::verdict::exit_code;
use thiserror::Error;

use crate::address::{DEFAULT_PORT, MasterAddress};
use crate::config_users::{ConfigUsersError, read_edits};
use crate::files::read_files;
use crate::logging::LogOptions;
use crate::options::About;
use crate::wire::Protocol;
use crate::{LocustOptions, WorkerConfig, new_worker_id};

/// What stands below the options.
const AFTER_HELP: &str = "\
The worker keeps trying to reach its master and finds out what it speaks. A Sentinel master gives it the scenario; for \
a Locust master it runs its own (-f). It ends when the master sends it home, when it is told to end (SIGTERM or SIGINT: \
once to hand everything over first, twice to end at once), or when the master has been away for 60 seconds.

Every option can also be set by a variable, SENTINEL_THREADS or LOCUST_THREADS, and in sentinel.conf, locust.conf or \
pyproject.toml; the command line comes first.

Exit codes: 0 done, 1 the master has gone or refused, 2 bad usage, 255 the \
master was never reached. See docs/command-line.md.";

/// Runs virtual users for a Sentinel master, or for Locust's.
#[derive(Debug, Parser)]
#[command(name = "sentinel-worker", version, disable_help_flag = true, disable_version_flag = true, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Args {
    /// The master's address, such as master:5557, 10.0.0.7:5557 or [::1]:5557
    #[arg(long, value_name = "HOST[:PORT]", help_heading = "Master", conflicts_with_all = ["master_host", "master_port"])]
    master: Option<MasterAddress>,

    /// The master's host, as Locust names it [default: 127.0.0.1]
    #[arg(long, value_name = "HOST", env = "LOCUST_MASTER_NODE_HOST", help_heading = "Master")]
    master_host: Option<String>,

    /// The master's port, as Locust names it [default: 5557]
    #[arg(long, value_name = "PORT", env = "LOCUST_MASTER_NODE_PORT", help_heading = "Master", value_parser = clap::value_parser!(u16).range(1..))]
    master_port: Option<u16>,

    /// Threads that run users [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Load", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// Locust's processes, which are threads here; -1 for one per core
    #[arg(
        long,
        value_name = "N",
        env = "LOCUST_PROCESSES",
        allow_negative_numbers = true,
        conflicts_with = "threads",
        help_heading = "Load"
    )]
    processes: Option<i32>,

    /// Be a worker, as this program always is
    #[arg(long, env = "LOCUST_MODE_WORKER", hide = true, help_heading = "Master")]
    worker: bool,

    /// Removed from Locust
    #[arg(long, hide = true)]
    slave: bool,

    /// What to speak to the master: what it does (auto), Sentinel's own (grpc), or Locust's (locust)
    #[arg(long, value_name = "PROTOCOL", help_heading = "Master", value_enum, default_value_t)]
    protocol: Protocol,

    /// The YAML scenario to run for a Locust master; a Sentinel master gives one itself
    #[arg(short = 'f', long, value_name = "FILE", env = "LOCUST_LOCUSTFILE", help_heading = "Load")]
    locustfile: Option<PathBuf>,

    /// Read more options from this file: lines of `option = value`, or TOML with a table [tool.sentinel]
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    config: Option<PathBuf>,

    /// For a Locust master: change user classes, by JSON such as '{"user_class_name": "Buyer", "tasks": ["order"]}'
    #[arg(long, value_name = "JSON", num_args = 0.., env = "LOCUST_CONFIG_USERS", help_heading = "Load")]
    config_users: Vec<String>,

    /// For a Locust master: give every task the weight 1
    #[arg(long, help_heading = "Load")]
    equal_weights: bool,

    /// For a Locust master: forget the figures of the ramp once all users have been spawned
    #[arg(long, env = "LOCUST_RESET_STATS", help_heading = "Load")]
    reset_stats: bool,

    /// Its log.
    #[command(flatten)]
    pub log: LogOptions,

    /// Questions about the program itself.
    #[command(flatten)]
    pub about: About,
}

/// Options that cannot be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Misuse {
    /// Locust has removed the option.
    #[error("--slave is gone from Locust; leave it out")]
    Removed,
    /// A number of threads that cannot be.
    #[error("--processes {0}: it takes a number of threads, at most 1024, or -1 for one per core")]
    Processes(i32),
    /// The scenario cannot be read.
    #[error("failed to read the scenario {name}: {cause}")]
    Unreadable {
        /// The file.
        name: String,
        /// What the system says.
        cause: String,
    },
    /// `--config-users` does not fit the scenario.
    #[error("{0}")]
    ConfigUsers(String),
}

/// The exit code for a mistake of whoever started the worker.
pub fn exit_code_of(error: &anyhow::Error) -> u8 {
    let misuse = error.downcast_ref().map(Misuse::exit_code);
    misuse.or_else(|| error.downcast_ref().map(ConfigUsersError::exit_code)).unwrap_or(exit_code::USAGE)
}

impl Misuse {
    /// The exit code, which is Locust's where it refuses the same.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Removed => exit_code::USAGE,
            Self::Processes(_) | Self::Unreadable { .. } => exit_code::FAILURES,
            Self::ConfigUsers(_) => exit_code::MISMATCH,
        }
    }
}

impl Args {
    /// What people should know of their options.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.processes.is_some_and(|processes| processes != 0) {
            notes.push("--processes: one process has all users here, so it means --threads".to_owned());
        }
        if self.own_scenario().is_none() && (!self.config_users.is_empty() || self.equal_weights) {
            notes.push(
                "--config-users and --equal-weights need -f: a Sentinel master decides for itself".to_owned(),
            );
        }
        if self.log.otel {
            notes.push("--otel has no effect yet: no traces are sent".to_owned());
        }
        notes
    }

    /// The file of the worker's own scenario. `-f -` is Locust's way to say that the master has it.
    fn own_scenario(&self) -> Option<&Path> {
        self.locustfile.as_deref().filter(|file| *file != Path::new("-"))
    }

    /// The threads that run users.
    fn threads(&self) -> Result<usize, Misuse> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        match (self.threads, self.processes) {
            (Some(threads), _) => Ok(threads.into()),
            (None, None | Some(-1 | 0)) => Ok(cores),
            (None, Some(processes)) => match usize::try_from(processes) {
                Ok(threads) if threads <= 1024 => Ok(threads),
                _ => Err(Misuse::Processes(processes)),
            },
        }
    }

    /// What the arguments mean.
    ///
    /// # Errors
    /// The host is no host; the scenario has mistakes, which are all told; Locust's wire is wanted without a scenario.
    pub fn into_config(self) -> anyhow::Result<(WorkerConfig, LocustOptions)> {
        if self.slave {
            return Err(Misuse::Removed.into());
        }
        let threads = self.threads()?;
        let scenario = self.own_scenario().map(|file| own_scenario(file, self.adjustments()?)).transpose()?;
        anyhow::ensure!(
            scenario.is_some() || self.protocol != Protocol::Locust,
            "--protocol locust needs -f FILE: a Locust master has no scenario to give"
        );
        let options = LocustOptions { protocol: self.protocol, scenario, reset_stats: self.reset_stats };
        let master = match self.master {
            Some(master) => master,
            None => locust_address(self.master_host.as_deref().unwrap_or("127.0.0.1"), self.master_port)?,
        };
        Ok((WorkerConfig { id: new_worker_id(), master, threads }, options))
    }

    fn adjustments(&self) -> anyhow::Result<Adjustments> {
        let edits = read_edits(&self.config_users)?;
        Ok(Adjustments { equal_weights: self.equal_weights, edits, arrivals: None })
    }
}

/// The longest scenario file that is read, in bytes.
const SCENARIO_BYTES_MAX: u64 = 4 << 20;

/// Reads and checks the worker's own scenario.
fn own_scenario(file: &Path, adjustments: Adjustments) -> anyhow::Result<OwnScenario> {
    let name = file.display().to_string();
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(SCENARIO_BYTES_MAX + 1).read_to_string(&mut text));
    let bytes = read.map_err(|cause| Misuse::Unreadable { name: name.clone(), cause: cause.to_string() })?;
    anyhow::ensure!(
        bytes as u64 <= SCENARIO_BYTES_MAX,
        "the scenario {name} is longer than {SCENARIO_BYTES_MAX} bytes"
    );
    let scenario =
        Scenario::load(&name, &text).with_context(|| format!("the scenario {name} has mistakes"))?;
    let selection = Selection { adjustments: adjustments.clone(), ..Selection::default() };
    let selected = scenario.select(&selection).map_err(|error| match error {
        SelectionError::Adjust(_) => anyhow::Error::from(Misuse::ConfigUsers(error.to_string())),
        error => error.into(),
    })?;
    let scenario = selected.scenario;
    if let Some((source, _)) = scenario.data.iter().find(|(_, source)| source.is_unique()) {
        anyhow::bail!(
            "{name}: rows of {source} are unique, which takes a Sentinel master to hand them out; a Locust master cannot"
        );
    }
    anyhow::ensure!(
        scenario.setup.is_empty() && scenario.teardown.is_empty(),
        "{name}: setup and teardown take a Sentinel master; a Locust master has none to run once"
    );
    let files = read_files(file.parent().unwrap_or(Path::new("")), &scenario)?.named();
    let classes = scenario.users.into_iter().map(|class| class.name).collect();
    Ok(OwnScenario { name, text, classes, files, adjustments })
}

/// Locust's two options: the host has no port in it, and an IPv6 address may do without brackets.
fn locust_address(host: &str, port: Option<u16>) -> anyhow::Result<MasterAddress> {
    let mut address: MasterAddress = host.parse().context("bad --master-host")?;
    anyhow::ensure!(
        address.port == DEFAULT_PORT,
        "bad --master-host: {host:?} has a port in it; give it as --master-port, or use --master {host}"
    );
    address.port = port.unwrap_or(DEFAULT_PORT);
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expected: &str) {
        let args = ["sentinel-worker"].iter().chain(args);
        let (config, _) = Args::try_parse_from(args).unwrap().into_config().unwrap();
        assert_eq!(config.master.to_string(), expected);
    }

    #[test]
    fn the_master_is_named_in_our_way_or_in_locusts() {
        check(&[], "127.0.0.1:5557");
        check(&["--master", "master:6000"], "master:6000");
        check(&["--master", "master"], "master:5557");
        check(&["--master-host", "::1", "--master-port", "6000"], "[::1]:6000");
        check(&["--master-host", "master"], "master:5557");
    }

    #[test]
    fn contradictions_are_refused() {
        let parse = |args: &[&str]| Args::try_parse_from(["sentinel-worker"].iter().chain(args));
        assert!(parse(&["--master", "a", "--master-host", "b"]).is_err());
        assert!(parse(&["--threads", "0"]).is_err());
        assert!(parse(&["--master", "a:b:c"]).is_err());
        assert!(parse(&["--master-host", "a:6000"]).unwrap().into_config().is_err());
    }
}
