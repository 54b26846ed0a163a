//! The worker's vital signs: CPU time and memory of its own process, for the heartbeat.

use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::Instant;

/// How often the system is asked; a CPU figure over a shorter span says little.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// Reads the vital signs of this process.
#[derive(Debug)]
pub struct Vitals {
    /// `None` where the system does not tell.
    system: Option<(System, Pid)>,
    sampled: Option<Instant>,
    cpu_percent: f32,
    memory_bytes: u64,
}

impl Vitals {
    /// Begins to watch this process. Where the system does not tell, all figures stay zero.
    pub fn new() -> Self {
        let system = System::new().ok().zip(sysinfo::get_current_pid().ok());
        Self { system, sampled: None, cpu_percent: 0.0, memory_bytes: 0 }
    }

    /// CPU time since the last sample in percent of one core, and resident memory in bytes; at most a second old.
    pub fn sample(&mut self) -> (f32, u64) {
        if self.sampled.is_none_or(|at| at.elapsed() >= SAMPLE_INTERVAL) {
            self.refresh();
        }
        (self.cpu_percent, self.memory_bytes)
    }

    fn refresh(&mut self) {
        self.sampled = Some(Instant::now());
        let Some((system, pid)) = &mut self.system else {
            return;
        };
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[*pid]), false, wanted);
        if let Some(process) = system.process(*pid) {
            self.cpu_percent = process.cpu_usage();
            self.memory_bytes = process.memory();
        }
    }
}

impl Default for Vitals {
    fn default() -> Self {
        Self::new()
    }
}
