//! Local workers: the same worker as anywhere, on threads of this process, over a real connection to its own port.

use std::net::SocketAddr;
use std::thread;

use sentinel_common::member::Exit;
use sentinel_worker::address::MasterAddress;
use sentinel_worker::{WorkerConfig, new_worker_id};
use tokio::sync::mpsc;

/// Workers inside this process. They end when the master sends them home.
#[derive(Debug, Default)]
pub struct LocalWorkers {
    threads: Vec<thread::JoinHandle<()>>,
}

impl LocalWorkers {
    /// Starts `count` workers, which share this machine's cores.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(count: usize, master: SocketAddr) -> std::io::Result<Self> {
        let mut workers = Self::default();
        for _ in 0..count {
            workers.add(count, master)?;
        }
        Ok(workers)
    }

    /// Starts one more, which shares this machine's cores with so many in all.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn add(&mut self, all: usize, master: SocketAddr) -> std::io::Result<()> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let master = MasterAddress { host: master.ip().to_string(), port: master.port() };
        let config = WorkerConfig { id: new_worker_id(), master, threads: (cores / all.max(1)).max(1) };
        let name = format!("worker-{}", self.threads.len());
        self.threads.push(thread::Builder::new().name(name).spawn(move || work(config))?);
        Ok(())
    }

    /// Waits until all have ended. They have been sent home, so this takes no longer than a drain.
    pub fn join(self) {
        for worker in self.threads {
            if worker.join().is_err() {
                tracing::error!("A local worker panicked");
            }
        }
    }
}

fn work(config: WorkerConfig) {
    // The process's signals are the master's business: it sends its workers home.
    let (_never, shutdown) = mpsc::channel(1);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!("A local worker cannot begin: {error}"),
    };
    match runtime.block_on(sentinel_worker::run(config, shutdown)) {
        Ok(Exit::Done) => {}
        Ok(exit) => tracing::warn!("A local worker ended early: {exit:?}"),
        Err(error) => tracing::error!("A local worker cannot begin: {error:#}"),
    }
}
