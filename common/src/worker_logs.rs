//! What workers wrote to their logs, kept for people: the coordinator fills it, views read it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ids::WorkerId;

/// Lines that are kept over all workers; the oldest make room.
pub const MAX_LINES: usize = 20_000;

/// Lines that are kept of one worker, as many as a Locust worker keeps itself.
pub const MAX_LINES_PER_WORKER: usize = 500;

/// The longest line, in characters; the rest is cut off.
pub const MAX_LINE_CHARS: usize = 1_000;

/// The latest log lines of all workers.
#[derive(Clone, Debug, Default)]
pub struct WorkerLogs {
    lines: VecDeque<(WorkerId, Arc<str>)>,
    /// Lines that were ever added.
    added: u64,
}

impl WorkerLogs {
    /// Adds lines of a worker, oldest first.
    pub fn add(&mut self, worker: &WorkerId, lines: &[String]) {
        self.added += lines.len() as u64;
        let skipped = lines.len().saturating_sub(MAX_LINES_PER_WORKER);
        for line in &lines[skipped..] {
            let line: String = line.chars().take(MAX_LINE_CHARS).collect();
            self.lines.push_back((worker.clone(), line.into()));
        }
        let known = self.of(worker).count();
        let mut surplus = known.saturating_sub(MAX_LINES_PER_WORKER);
        if surplus > 0 {
            self.lines.retain(|(of, _)| {
                let drop = of == worker && surplus > 0;
                surplus -= usize::from(drop);
                !drop
            });
        }
        self.lines.drain(..self.lines.len().saturating_sub(MAX_LINES));
    }

    /// Lines that were ever added: as long as it stays the same, so does everything else.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// The lines of one worker, oldest first.
    pub fn of<'a>(&'a self, worker: &'a WorkerId) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter(move |(of, _)| of == worker).map(|(_, line)| &**line)
    }

    /// All lines with their workers, in the order of their arrival.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&WorkerId, &str)> {
        self.lines.iter().map(|(worker, line)| (worker, &**line))
    }
}

/// Whether a line, in Locust's form `[time] host/LEVEL/module: text`, tells of trouble.
pub fn is_trouble(line: &str) -> bool {
    let level = line.split_once("] ").and_then(|(_, rest)| rest.split('/').nth(1));
    matches!(level, Some("WARNING" | "ERROR" | "CRITICAL"))
}

/// The first line of an entry; what follows, such as a traceback, is for those who look closer.
pub fn headline(entry: &str) -> &str {
    entry.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name).unwrap()
    }

    fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
        numbers.map(|number| number.to_string()).collect()
    }

    #[test]
    fn the_latest_lines_of_every_worker_are_kept() {
        let mut logs = WorkerLogs::default();
        logs.add(&worker("a"), &numbered(0..400));
        logs.add(&worker("b"), &numbered(0..3));
        logs.add(&worker("a"), &numbered(400..600));
        assert_eq!(logs.of(&worker("a")).collect::<Vec<_>>(), numbered(100..600));
        assert_eq!(logs.of(&worker("b")).count(), 3);
    }

    #[test]
    fn many_workers_and_long_lines_stay_within_bounds() {
        let mut logs = WorkerLogs::default();
        for index in 0..50 {
            logs.add(&worker(&format!("w{index}")), &numbered(0..1000));
        }
        assert_eq!(logs.iter().len(), MAX_LINES);
        assert_eq!(logs.of(&worker("w0")).count(), 0, "the oldest made room");
        logs.add(&worker("long"), &["x".repeat(5_000)]);
        assert_eq!(logs.of(&worker("long")).map(str::len).collect::<Vec<_>>(), [MAX_LINE_CHARS]);
    }

    #[test]
    fn trouble_is_told_from_news() {
        let check = |line: &str, expected| assert_eq!(is_trouble(line), expected, "{line}");
        check("[2026-11-23 12:35:27,715] vm/INFO/locust.main: Starting Locust 2.47.0", false);
        check("[2026-11-23 12:35:27,715] vm/WARNING/root: CPU usage above 90%!", true);
        check("[2026-11-23 12:35:27,715] vm/ERROR/locust.user.task: boom\nTraceback", true);
        check("a/ERROR/b", false);
        check("", false);
    }
}
