//! Which lines of a log are new, when all of it is sent again and again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::worker_logs::MAX_LINES_PER_WORKER;

/// What was last seen of a log that keeps its latest lines: a hash of each, so that long lines cost nothing.
#[derive(Debug, Default)]
pub(super) struct LogTail {
    seen: Vec<u64>,
}

impl LogTail {
    /// The lines of `log` that follow those of the call before.
    pub(super) fn new_lines(&mut self, mut log: Vec<String>) -> Vec<String> {
        log.drain(..log.len().saturating_sub(MAX_LINES_PER_WORKER));
        let hashes: Vec<u64> = log.iter().map(|line| hash(line)).collect();
        // The log has lost lines at its front and gained some at its end: as much as possible of what was seen is still
        // there.
        let kept = (0..=self.seen.len()).find_map(|lost| {
            let rest = &self.seen[lost..];
            hashes.starts_with(rest).then_some(rest.len())
        });
        self.seen = hashes;
        log.split_off(kept.unwrap_or(0))
    }
}

fn hash(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_is_new() {
        let mut tail = LogTail::default();
        let mut check = |log: &[&str], expected: &[&str]| {
            let log = log.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(tail.new_lines(log), expected);
        };
        check(&["a", "b"], &["a", "b"]);
        check(&["a", "b"], &[]);
        check(&["a", "b", "b"], &["b"]);
        check(&["b", "b", "c"], &["c"]);
        check(&["x", "y"], &["x", "y"]);
        check(&[], &[]);
    }

    #[test]
    fn a_log_that_is_too_long_counts_by_its_end() {
        let mut tail = LogTail::default();
        let numbered = |range: std::ops::Range<usize>| range.map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(tail.new_lines(numbered(0..1000)), numbered(500..1000));
        assert_eq!(tail.new_lines(numbered(0..1010)), numbered(1000..1010));
    }
}
