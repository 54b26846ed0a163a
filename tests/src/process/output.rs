//! What a process writes, line by line, with the moment at which each line came.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// A line of output.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it came.
    pub at: Instant,
    /// The line, without its end.
    pub text: String,
}

impl Line {
    /// What follows `label`, up to the next space.
    ///
    /// # Panics
    /// The line has no such label.
    pub fn word_after(&self, label: &str) -> &str {
        let rest = self.text.split_once(label).unwrap_or_else(|| panic!("no {label:?} in {:?}", self.text)).1;
        rest.split(' ').next().unwrap_or(rest)
    }
}

/// One of a process's output streams. A thread of its own reads it, so the process never has to wait for a reader.
#[derive(Debug)]
pub(super) struct Output {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    heard: Mutex<Heard>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    lines: Vec<Line>,
    ended: bool,
}

impl Output {
    pub(super) fn read(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let reader = thread::spawn({
            let shared = shared.clone();
            move || shared.listen(stream)
        });
        Self { shared, reader: Some(reader) }
    }

    /// The first line with `text` in it; `None` if none comes before the deadline or the stream's end.
    pub(super) fn wait_for(&self, text: &str, deadline: Instant) -> Option<Line> {
        let mut heard = self.shared.lock();
        let mut seen = 0;
        loop {
            if let Some(line) = heard.lines[seen..].iter().find(|line| line.text.contains(text)) {
                return Some(line.clone());
            }
            seen = heard.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if heard.ended || left.is_zero() {
                return None;
            }
            let waited = self.shared.news.wait_timeout(heard, left);
            heard = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    /// Everything so far.
    pub(super) fn text(&self) -> String {
        self.shared.lock().lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }

    /// Everything. Waits for the end of the stream, so the process must have ended.
    pub(super) fn whole(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reading output does not panic");
        }
        self.text()
    }
}

impl Shared {
    fn listen(&self, stream: impl Read) {
        let mut stream = BufReader::new(stream);
        let mut bytes = Vec::new();
        // A stream that cannot be read any more has ended.
        while stream.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
            self.lock().lines.push(Line { at: Instant::now(), text });
            self.news.notify_all();
            bytes.clear();
        }
        self.lock().ended = true;
        self.news.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // A test that panicked while it held the lock was only reading.
        self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
