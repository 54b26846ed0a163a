//! The worker's command line.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;
use sentinel_common::locust_worker::OwnScenario;
use sentinel_common::scenario::Scenario;

use crate::address::{DEFAULT_PORT, MasterAddress};
use crate::files::read_files;
use crate::logging::LogLevel;
use crate::wire::Protocol;
use crate::{LocustOptions, WorkerConfig, new_worker_id};

/// Runs virtual users for a Sentinel master, or for Locust's.
///
/// The worker keeps trying to reach its master and finds out what it speaks. It receives the scenario from a Sentinel
/// master; for a Locust master it runs its own (-f). It ends when the master sends it home, when it is told to end (SIGTERM or SIGINT: once to hand everything over first, twice to end at once), or when
/// the master has been away for 60 seconds.
#[derive(Debug, Parser)]
#[command(name = "sentinel-worker", version, max_term_width = 100)]
pub struct Args {
    /// The master's address, such as master:5557, 10.0.0.7:5557 or [::1]:5557
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with_all = ["master_host", "master_port"])]
    master: Option<MasterAddress>,

    /// The master's host, as Locust names it [default: 127.0.0.1]
    #[arg(long, value_name = "HOST", env = "LOCUST_MASTER_NODE_HOST")]
    master_host: Option<String>,

    /// The master's port, as Locust names it [default: 5557]
    #[arg(long, value_name = "PORT", env = "LOCUST_MASTER_NODE_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    master_port: Option<u16>,

    /// Threads that run users [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// What to speak to the master
    #[arg(long, value_name = "PROTOCOL", value_enum, default_value_t)]
    protocol: Protocol,

    /// The YAML scenario to run for a Locust master; a Sentinel master gives one itself
    #[arg(short = 'f', long, value_name = "FILE", env = "LOCUST_LOCUSTFILE")]
    locustfile: Option<PathBuf>,

    /// Read more options from this file: lines of `option = value`, or TOML with a table [tool.sentinel]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// For a Locust master: forget the figures of the ramp once all users have been spawned
    #[arg(long, env = "LOCUST_RESET_STATS")]
    reset_stats: bool,

    /// DEBUG, INFO, WARNING, ERROR or CRITICAL
    #[arg(short = 'L', long, value_name = "LEVEL", env = "LOCUST_LOGLEVEL", default_value = "INFO")]
    pub loglevel: LogLevel,

    /// Write the log to this file instead of standard error
    #[arg(long, value_name = "FILE", env = "LOCUST_LOGFILE")]
    pub logfile: Option<PathBuf>,
}

impl Args {
    /// What the arguments mean.
    ///
    /// # Errors
    /// The host is no host; the scenario has mistakes, which are all told; Locust's wire is wanted without a scenario.
    pub fn into_config(self) -> anyhow::Result<(WorkerConfig, LocustOptions)> {
        let scenario = self.locustfile.as_deref().map(own_scenario).transpose()?;
        anyhow::ensure!(
            scenario.is_some() || self.protocol != Protocol::Locust,
            "--protocol locust needs -f FILE: a Locust master has no scenario to give"
        );
        let options = LocustOptions { protocol: self.protocol, scenario, reset_stats: self.reset_stats };
        let master = match self.master {
            Some(master) => master,
            None => locust_address(self.master_host.as_deref().unwrap_or("127.0.0.1"), self.master_port)?,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.map_or(cores, usize::from);
        Ok((WorkerConfig { id: new_worker_id(), master, threads }, options))
    }
}

/// The longest scenario file that is read, in bytes.
const SCENARIO_BYTES_MAX: u64 = 4 << 20;

/// Reads and checks the worker's own scenario.
fn own_scenario(file: &Path) -> anyhow::Result<OwnScenario> {
    let name = file.display().to_string();
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(SCENARIO_BYTES_MAX + 1).read_to_string(&mut text));
    let bytes = read.with_context(|| format!("failed to read the scenario {name}"))?;
    anyhow::ensure!(
        bytes as u64 <= SCENARIO_BYTES_MAX,
        "the scenario {name} is longer than {SCENARIO_BYTES_MAX} bytes"
    );
    let scenario =
        Scenario::load(&name, &text).with_context(|| format!("the scenario {name} has mistakes"))?;
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
    Ok(OwnScenario { name, text, classes, files })
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
