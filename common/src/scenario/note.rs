//! What is wrong with a scenario file, and where: one [`Note`] per mistake.
//!
//! The reader collects notes instead of stopping at the first mistake; the command line prints them.

use std::fmt;

/// The most notes that are kept for one file.
const KEPT_NOTES_MAX: usize = 100;

/// One mistake in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The file's name as the user gave it.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it, if that is known.
    pub help: Option<String>,
}

/// All mistakes of a scenario file, sorted by position; never empty when it is an error.
///
/// Only the first hundred are kept; the rest are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notes {
    list: Vec<Note>,
    left_out: usize,
}

impl Notes {
    /// Sorts notes by their position, removes repetitions and keeps the first hundred.
    pub(super) fn new(mut list: Vec<Note>) -> Self {
        list.sort_by(|a, b| (a.line, a.column, &a.message).cmp(&(b.line, b.column, &b.message)));
        // An aliased node is read wherever it is used and would complain each time.
        list.dedup();
        let left_out = list.len().saturating_sub(KEPT_NOTES_MAX);
        list.truncate(KEPT_NOTES_MAX);
        Self { list, left_out }
    }

    /// The notes that were kept, by position.
    pub fn as_slice(&self) -> &[Note] {
        &self.list
    }

    /// How many more there were.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

impl fmt::Display for Note {
    /// `fraud.yaml:12:7: unknown key `wieght`; did you mean `weight`?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Notes {
    /// One note per line, without a line end after the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, note) in self.list.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(f, "{line_end}{note}")?;
        }
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Notes {}
