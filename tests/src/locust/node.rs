//! Locust's processes.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use super::Page;
use crate::process::{PATIENCE, Process, free_port, until};

/// A Locust worker.
#[derive(Debug)]
pub struct LocustWorker {
    /// Its process.
    pub process: Process,
}

impl LocustWorker {
    /// Starts one for the master at `address`; `file` is its locustfile, or `-` for that of the master.
    pub fn start(python: &Path, address: SocketAddr, file: &str) -> Self {
        Self::started(Command::new(python), &["-m", "locust"], address, file)
    }

    /// Starts one by a program of Python instead of Locust's own.
    pub fn start_by(python: &Path, program: &str, address: SocketAddr, file: &str) -> Self {
        Self::started(Command::new(python), &[program], address, file)
    }

    fn started(mut command: Command, program: &[&str], address: SocketAddr, file: &str) -> Self {
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        command.args(program);
        command.args(["-f", file, "--worker", "--master-host", &host, "--master-port", &port]);
        Self { process: Process::run("a Locust worker", command) }
    }
}

/// A Locust master.
#[derive(Debug)]
pub struct LocustMaster {
    /// Its process.
    pub process: Process,
    /// Where it listens for workers.
    pub address: SocketAddr,
    /// Its web page, if it has one.
    pub page: Page,
}

impl LocustMaster {
    /// Starts one and waits until workers can connect. `args` are further options, `--headless` for example.
    ///
    /// # Panics
    /// It does not come up.
    pub fn start(python: &Path, file: &str, args: &[&str]) -> Self {
        let (port, page_port) = (free_port(), free_port());
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let page = Page::at(SocketAddr::from((Ipv4Addr::LOCALHOST, page_port)));
        let (bind, web) = (port.to_string(), page_port.to_string());
        let mut command = Command::new(python);
        command.args(["-m", "locust", "-f", file, "--master"]);
        command.args(["--master-bind-host", "127.0.0.1", "--master-bind-port", &bind]);
        command.args(["--web-host", "127.0.0.1", "--web-port", &web]).args(args);
        let process = Process::run("a Locust master", command);
        let listens = until(PATIENCE, || TcpStream::connect(address).ok());
        assert!(listens.is_some(), "the Locust master does not listen:\n{}", process.log());
        Self { process, address, page }
    }
}
