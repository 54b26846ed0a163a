//! The worker's command line.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;

use crate::address::{DEFAULT_PORT, MasterAddress};
use crate::logging::LogLevel;
use crate::{WorkerConfig, new_worker_id};

/// Runs virtual users for a Sentinel master.
///
/// The worker keeps trying to reach its master, receives the scenario from it, and ends when the master sends it
/// home, when it is told to end (SIGTERM or SIGINT: once to hand everything over first, twice to end at once), or when
/// the master has been away for 60 seconds.
#[derive(Debug, Parser)]
#[command(name = "sentinel-worker", version, max_term_width = 100)]
pub struct Args {
    /// The master's address, such as master:5557, 10.0.0.7:5557 or [::1]:5557
    #[arg(long, value_name = "HOST[:PORT]", env = "SENTINEL_MASTER", conflicts_with_all = ["master_host", "master_port"])]
    master: Option<MasterAddress>,

    /// The master's host, as Locust names it [default: 127.0.0.1]
    #[arg(long, value_name = "HOST", env = "LOCUST_MASTER_NODE_HOST")]
    master_host: Option<String>,

    /// The master's port, as Locust names it [default: 5557]
    #[arg(long, value_name = "PORT", env = "LOCUST_MASTER_NODE_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    master_port: Option<u16>,

    /// Threads that run users [default: one per core]
    #[arg(long, value_name = "N", env = "SENTINEL_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

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
    /// The host is no host.
    pub fn into_config(self) -> anyhow::Result<WorkerConfig> {
        let master = match self.master {
            Some(master) => master,
            None => locust_address(self.master_host.as_deref().unwrap_or("127.0.0.1"), self.master_port)?,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = self.threads.map_or(cores, usize::from);
        Ok(WorkerConfig { id: new_worker_id(), master, threads })
    }
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
        let config = Args::try_parse_from(args).unwrap().into_config().unwrap();
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
