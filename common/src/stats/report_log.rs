//! Which reports were applied: what keeps a repeated one from being counted twice.
//!
//! The master asks before it applies a report. A worker numbers its reports from 1 and repeats one, with the same
//! number, until it is acknowledged.

use std::collections::HashMap;

/// How many workers are remembered. If there are more, the one that was silent for longest is forgotten.
pub const MAX_REMEMBERED_WORKERS: usize = 100_000;

/// What to do with a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Arrival {
    /// Apply it.
    Fresh,
    /// Acknowledge it again, but do not apply it.
    Repeat,
    /// Apply it, and say that reports before it never came.
    Gap {
        /// How many.
        missing: u64,
    },
}

/// The last report of every worker.
#[derive(Clone, Debug, Default)]
pub struct ReportLog {
    workers: HashMap<String, Last>,
    arrivals: u64,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    seq: u64,
    /// The value of `arrivals` when it came.
    arrival: u64,
}

impl ReportLog {
    /// Takes note of the report `seq` of `worker`, which is from now on a repeat.
    pub fn accept(&mut self, worker: &str, seq: u64) -> Arrival {
        let last_seq = self.last_seq(worker);
        if seq <= last_seq {
            return Arrival::Repeat;
        }
        self.restore(worker, seq);
        match seq - last_seq - 1 {
            0 => Arrival::Fresh,
            missing => Arrival::Gap { missing },
        }
    }

    /// The number of the last report of `worker` that was accepted; zero if there is none.
    pub fn last_seq(&self, worker: &str) -> u64 {
        self.workers.get(worker).map_or(0, |last| last.seq)
    }

    /// Sets the last report of `worker`, as a run store kept it.
    pub fn restore(&mut self, worker: &str, seq: u64) {
        self.arrivals += 1;
        let last = Last { seq, arrival: self.arrivals };
        if let Some(known) = self.workers.get_mut(worker) {
            *known = last;
            return;
        }
        if self.workers.len() >= MAX_REMEMBERED_WORKERS {
            self.forget_the_most_silent();
        }
        self.workers.insert(worker.to_owned(), last);
    }

    fn forget_the_most_silent(&mut self) {
        let silent = self.workers.iter().min_by_key(|(_, last)| last.arrival);
        if let Some(worker) = silent.map(|(worker, _)| worker.clone()) {
            self.workers.remove(&worker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_found_and_gaps_counted() {
        let mut log = ReportLog::default();
        for (worker, seq, expected) in [
            ("w-1", 1, Arrival::Fresh),
            ("w-1", 1, Arrival::Repeat),
            ("w-2", 1, Arrival::Fresh),
            ("w-1", 2, Arrival::Fresh),
            ("w-1", 1, Arrival::Repeat),
            ("w-1", 5, Arrival::Gap { missing: 2 }),
            ("w-1", 4, Arrival::Repeat),
            ("w-3", 3, Arrival::Gap { missing: 2 }),
            ("w-4", 0, Arrival::Repeat),
        ] {
            assert_eq!(log.accept(worker, seq), expected, "report {seq} of {worker}");
        }
        assert_eq!((log.last_seq("w-1"), log.last_seq("w-9")), (5, 0));
    }

    #[test]
    fn a_restored_log_knows_the_repeats() {
        let mut log = ReportLog::default();
        log.restore("w-1", 7);
        assert_eq!(log.accept("w-1", 7), Arrival::Repeat);
        assert_eq!(log.accept("w-1", 8), Arrival::Fresh);
    }

    #[test]
    fn the_log_is_bounded_and_forgets_the_most_silent() {
        let mut log = ReportLog::default();
        for worker in 0..MAX_REMEMBERED_WORKERS {
            log.restore(&worker.to_string(), 1);
        }
        assert_eq!(log.accept("0", 2), Arrival::Fresh);
        assert_eq!(log.accept("new", 1), Arrival::Fresh);
        assert_eq!((log.last_seq("0"), log.last_seq("1")), (2, 0));
        assert_eq!(log.workers.len(), MAX_REMEMBERED_WORKERS);
    }
}
