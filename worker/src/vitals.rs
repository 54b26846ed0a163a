//! The worker's vital signs, for the heartbeat: CPU time and memory of its own process, and its network links.

use std::time::Duration;

use sentinel_common::messages;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::Instant;

use crate::network::Links;

/// How often the system is asked; a CPU figure over a shorter span says little.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the vital signs of this process.
#[derive(Debug)]
pub struct Vitals {
    /// `None` where the system does not tell.
    system: Option<(System, Pid)>,
    links: Links,
    sampled: Option<Instant>,
    latest: messages::Vitals,
}

impl Vitals {
    /// Begins to watch this process. Where the system does not tell, all figures stay zero.
    pub fn new() -> Self {
        let system = System::new().ok().zip(sysinfo::get_current_pid().ok());
        Self { system, links: Links::watch(), sampled: None, latest: messages::Vitals::default() }
    }

    /// The vital signs, at most a second old. How late timers fired is not known here.
    pub fn sample(&mut self) -> messages::Vitals {
        if self.sampled.is_none_or(|at| at.elapsed() >= SAMPLE_INTERVAL) {
            self.refresh();
        }
        self.latest
    }

    fn refresh(&mut self) {
        self.sampled = Some(Instant::now());
        self.latest.network_percent = self.links.busiest_percent();
        let Some((system, pid)) = &mut self.system else {
            return;
        };
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[*pid]), false, wanted);
        if let Some(process) = system.process(*pid) {
            self.latest.cpu_percent = process.cpu_usage();
            self.latest.memory_bytes = process.memory();
        }
    }
}

impl Default for Vitals {
    fn default() -> Self {
        Self::new()
    }
}
