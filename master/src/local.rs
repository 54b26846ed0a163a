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
    threads: Vec<(thread::JoinHandle<()>, mpsc::Sender<()>)>,
}

/// What ends a worker at once: one word to drain, one more not to wait for it.
const WORDS_TO_END: usize = 2;

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
        let (end, told) = mpsc::channel(WORDS_TO_END);
        self.threads.push((thread::Builder::new().name(name).spawn(move || work(config, told))?, end));
        Ok(())
    }

    /// Waits until all have ended. They have been sent home, and those that came too late to hear it are told now.
    pub fn join(self) {
        for (worker, end) in self.threads {
            for _ in 0..WORDS_TO_END {
                // It has gone, or has been told often enough.
                let _ = end.try_send(());
            }
            if worker.join().is_err() {
                tracing::error!("A local worker panicked");
            }
        }
    }
}

fn work(config: WorkerConfig, shutdown: mpsc::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!("A local worker cannot begin: {error}"),
    };
    match runtime.block_on(sentinel_worker::run(config, shutdown)) {
        Ok(Exit::Done) => {}
        // It was told so: the master tells what is missing.
        Ok(Exit::Unreported) => tracing::debug!("A local worker was ended before it could say goodbye"),
        Ok(exit) => tracing::warn!("A local worker ended early: {exit:?}"),
        Err(error) => tracing::error!("A local worker cannot begin: {error:#}"),
    }
}
