//! The tail of the process's own log, kept so that a master can be told what its workers wrote.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sentinel_common::worker_logs::{MAX_LINE_CHARS, MAX_LINES_PER_WORKER};
use tracing_subscriber::fmt::MakeWriter;

/// The last lines of a log; older ones make room.
#[derive(Debug)]
pub struct LogTail {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    lines: VecDeque<String>,
    /// Lines that were ever written.
    written: u64,
}

/// Reads a log as it grows.
#[derive(Debug)]
pub struct LogReader {
    tail: &'static LogTail,
    /// Lines that were written when it last looked.
    seen: u64,
}

impl LogTail {
    /// An empty one.
    pub const fn new() -> Self {
        Self { kept: Mutex::new(Kept { lines: VecDeque::new(), written: 0 }) }
    }

    /// A reader that has seen nothing yet.
    pub fn read(&'static self) -> LogReader {
        LogReader { tail: self, seen: 0 }
    }

    fn push(&self, line: &str) {
        let mut kept = self.kept();
        while kept.lines.len() >= MAX_LINES_PER_WORKER {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line.chars().take(MAX_LINE_CHARS).collect());
        kept.written += 1;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for LogTail {
    fn default() -> Self {
        Self::new()
    }
}

impl LogReader {
    /// The lines that were written since this was last asked, as far as they are still there; oldest first.
    pub fn new_lines(&mut self) -> Vec<String> {
        let kept = self.tail.kept();
        let new = usize::try_from(kept.written - self.seen).unwrap_or(usize::MAX);
        self.seen = kept.written;
        kept.lines.iter().skip(kept.lines.len().saturating_sub(new)).cloned().collect()
    }

    /// All lines that are still there, oldest first.
    pub fn all_lines(&self) -> Vec<String> {
        self.tail.kept().lines.iter().cloned().collect()
    }
}

/// Writes one line with each call, as the log's formatter does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailWriter(pub(crate) &'static LogTail);

impl io::Write for TailWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(String::from_utf8_lossy(line).trim_end());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for TailWriter {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        *self
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_reader_gets_what_is_new_and_the_tail_stays_bounded() {
        static TAIL: LogTail = LogTail::new();
        let mut reader = TAIL.read();
        let write = |text: &str| TailWriter(&TAIL).write_all(text.as_bytes()).unwrap();
        write("one\n");
        write("two\nwith a second line\n");
        assert_eq!(reader.new_lines(), ["one", "two\nwith a second line"]);
        assert!(reader.new_lines().is_empty());
        for number in 0..1_000 {
            write(&number.to_string());
        }
        let new = reader.new_lines();
        assert_eq!((new.len(), new[0].as_str(), new[499].as_str()), (MAX_LINES_PER_WORKER, "500", "999"));
        assert_eq!(reader.all_lines(), new);
        write(&"x".repeat(10_000));
        assert_eq!(reader.new_lines()[0].len(), MAX_LINE_CHARS);
    }
}
