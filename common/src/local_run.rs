//! When a master makes the load itself, because nobody else does: Locust without `--master` is alone, and so is a CI job
//! that starts one program.
//!
//! ```text
//! not wanted ──────────────────────────────────────────────> nothing happens
//! wanted ──> a worker connects within 10 s ────────────────> nothing happens
//!        └─> nobody does ──> one worker starts in the master ─> nothing more happens
//! ```

use std::time::Duration;

use crate::time::Moment;

/// How long a master waits for somebody else's worker.
pub const LOCAL_RUN_AFTER: Duration = Duration::from_secs(10);

/// Decides, once, whether a worker is to run inside the master.
#[derive(Clone, Copy, Debug)]
pub struct LocalRun {
    /// When to start one, unless that is decided.
    due: Option<Moment>,
}

impl LocalRun {
    /// A master that began to wait at `now`. `wanted`: nothing says that workers will come.
    pub fn new(wanted: bool, now: Moment) -> Self {
        Self { due: wanted.then(|| now + LOCAL_RUN_AFTER) }
    }

    /// When to ask again, if nothing happens before.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.due
    }

    /// Whether to start a worker at `now`, where a worker `is_there` or none. True once at most.
    #[must_use]
    pub fn is_due(&mut self, now: Moment, is_there: bool) -> bool {
        let Some(due) = self.due else { return false };
        if is_there {
            self.due = None;
        }
        if is_there || now < due {
            return false;
        }
        self.due = None;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks at some seconds, with so many workers; expects a start at one of them, or none.
    fn check(wanted: bool, asked: &[(u64, usize)], expected: Option<u64>) {
        let mut run = LocalRun::new(wanted, Moment::ZERO);
        let started = asked.iter().filter(|(second, workers)| {
            run.is_due(Moment::ZERO + Duration::from_secs(*second), *workers > 0)
        });
        assert_eq!(
            started.map(|(second, _)| *second).collect::<Vec<_>>(),
            Vec::from_iter(expected),
            "{asked:?}"
        );
        assert_eq!(run.poll_timeout().is_some(), wanted && asked.is_empty(), "{asked:?}");
    }

    #[test]
    fn a_worker_starts_once_if_nobody_comes() {
        check(true, &[(0, 0), (9, 0), (10, 0), (11, 0), (60, 0)], Some(10));
        check(true, &[(12, 0)], Some(12));
        check(true, &[], None);
    }

    #[test]
    fn none_starts_where_others_are_or_have_been() {
        check(true, &[(9, 1), (11, 1)], None);
        check(true, &[(3, 1), (4, 0), (11, 0)], None);
        check(true, &[(10, 1)], None);
        check(false, &[(11, 0)], None);
    }
}
