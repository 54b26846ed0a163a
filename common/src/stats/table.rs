//! A table of rows with a bound: whatever finds no room is counted in one last row, and stays countable.
//!
//! Recorders, accumulators and the run's statistics keep their rows, errors and exceptions in one each.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::mem;

use super::OTHER;
use super::delta::{EntryKey, ErrorDelta, ExceptionDelta};
use super::entry::{EntryStats, least};
use crate::time::RunTime;

/// The longest method, name or error message, in characters; the rest is cut off.
pub const MAX_TEXT_CHARS: usize = 1_000;
/// The longest traceback, in characters; its beginning is cut off, which is farthest from the exception.
pub const MAX_TRACEBACK_CHARS: usize = 8_000;

/// Something with a key of borrowed text.
pub(super) trait Row {
    type Key<'a>: Copy + Hash;

    /// The key of the row for the rest.
    const REST: Self::Key<'static>;

    fn new(key: Self::Key<'_>) -> Self;

    fn has_key(&self, key: Self::Key<'_>) -> bool;

    fn is_rest(key: Self::Key<'_>) -> bool;
}

/// Where something is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In its own row, which has this index.
    Own(usize),
    /// In the row for the rest, which has this index, because there was no room.
    Rest(usize),
}

impl Place {
    pub(super) fn row(self) -> usize {
        let (Self::Own(row) | Self::Rest(row)) = self;
        row
    }

    /// `count` if it went to the row for the rest, else zero.
    pub(super) fn capped(self, count: u64) -> u64 {
        if matches!(self, Self::Rest(_)) { count } else { 0 }
    }
}

/// Rows in the order of their first appearance.
#[derive(Clone, Debug)]
pub(super) struct Table<R> {
    rows: Vec<R>,
    hasher: RandomState,
    /// Rows by the hash of their key, or by the next free number if that is taken. A map of owned keys could not be
    /// asked for a key of several borrowed parts without an allocation.
    slots: HashMap<u64, usize>,
    room: usize,
}

impl<R: Row> Table<R> {
    /// An empty table of at most `room` rows and one for the rest.
    pub(super) fn new(room: usize) -> Self {
        Self { rows: Vec::new(), hasher: RandomState::new(), slots: HashMap::new(), room }
    }

    pub(super) fn rows(&self) -> &[R] {
        &self.rows
    }

    pub(super) fn rows_mut(&mut self) -> &mut [R] {
        &mut self.rows
    }

    /// Empties the table.
    pub(super) fn take(&mut self) -> Vec<R> {
        self.slots.clear();
        mem::take(&mut self.rows)
    }

    /// The place of `key`, which gets a row if there is room.
    fn place(&mut self, key: R::Key<'_>) -> Place {
        match self.find(key) {
            Ok(row) => Place::Own(row),
            // The rest of another table was counted as such over there.
            Err(slot) if self.rows.len() < self.room || R::is_rest(key) => Place::Own(self.push(slot, key)),
            Err(_) => Place::Rest(match self.find(R::REST) {
                Ok(row) => row,
                Err(slot) => self.push(slot, R::REST),
            }),
        }
    }

    /// The row of `key`, or the slot that is free for it.
    fn find(&self, key: R::Key<'_>) -> Result<usize, u64> {
        let mut slot = self.hasher.hash_one(key);
        while let Some(row) = self.slots.get(&slot) {
            if self.rows[*row].has_key(key) {
                return Ok(*row);
            }
            slot = slot.wrapping_add(1);
        }
        Err(slot)
    }

    fn push(&mut self, slot: u64, key: R::Key<'_>) -> usize {
        let row = self.rows.len();
        self.slots.insert(slot, row);
        self.rows.push(R::new(key));
        row
    }
}

impl Row for EntryStats {
    /// Method and name.
    type Key<'a> = (&'a str, &'a str);

    const REST: Self::Key<'static> = ("", OTHER);

    fn new((method, name): Self::Key<'_>) -> Self {
        Self::new(EntryKey::new(method, name))
    }

    fn has_key(&self, (method, name): Self::Key<'_>) -> bool {
        *self.key.name == *name && *self.key.method == *method
    }

    fn is_rest(key: Self::Key<'_>) -> bool {
        key == Self::REST
    }
}

impl Table<EntryStats> {
    /// The place of the row for `method` and `name`.
    pub(super) fn entry(&mut self, method: &str, name: &str) -> Place {
        self.place((head(method, MAX_TEXT_CHARS), head(name, MAX_TEXT_CHARS)))
    }
}

/// When something was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) first: Option<RunTime>,
    pub(super) last: Option<RunTime>,
}

impl Row for ErrorDelta {
    /// Method, name and message.
    type Key<'a> = (&'a str, &'a str, &'a str);

    const REST: Self::Key<'static> = ("", OTHER, OTHER);

    fn new((method, name, message): Self::Key<'_>) -> Self {
        let key = EntryKey::new(method, name);
        Self { key, message: message.into(), occurrences: 0, first_seen: None, last_seen: None }
    }

    fn has_key(&self, (method, name, message): Self::Key<'_>) -> bool {
        *self.message == *message && *self.key.name == *name && *self.key.method == *method
    }

    fn is_rest(key: Self::Key<'_>) -> bool {
        key == Self::REST
    }
}

impl Table<ErrorDelta> {
    /// Counts `occurrences` failures of the row `key`.
    pub(super) fn count(&mut self, key: &EntryKey, message: &str, occurrences: u64, seen: Seen) -> Place {
        let [method, name, message] =
            [&key.method, &key.name, message].map(|text| head(text, MAX_TEXT_CHARS));
        let place = self.place((method, name, message));
        let error = &mut self.rows[place.row()];
        error.occurrences = error.occurrences.saturating_add(occurrences);
        error.first_seen = least(error.first_seen, seen.first);
        error.last_seen = error.last_seen.max(seen.last);
        place
    }
}

impl Row for ExceptionDelta {
    /// Message and traceback.
    type Key<'a> = (&'a str, &'a str);

    const REST: Self::Key<'static> = (OTHER, "");

    fn new((message, traceback): Self::Key<'_>) -> Self {
        Self { message: message.into(), traceback: traceback.into(), occurrences: 0 }
    }

    fn has_key(&self, (message, traceback): Self::Key<'_>) -> bool {
        *self.message == *message && *self.traceback == *traceback
    }

    fn is_rest(key: Self::Key<'_>) -> bool {
        key == Self::REST
    }
}

impl Table<ExceptionDelta> {
    /// Counts `occurrences` of an exception.
    pub(super) fn count(&mut self, message: &str, traceback: &str, occurrences: u64) -> Place {
        let place = self.place((head(message, MAX_TEXT_CHARS), tail(traceback, MAX_TRACEBACK_CHARS)));
        let exception = &mut self.rows[place.row()];
        exception.occurrences = exception.occurrences.saturating_add(occurrences);
        place
    }
}

/// The first `max_chars` characters.
fn head(text: &str, max_chars: usize) -> &str {
    // Most texts are short, and a text has no more characters than bytes.
    if text.len() <= max_chars {
        return text;
    }
    text.char_indices().nth(max_chars).map_or(text, |(end, _)| &text[..end])
}

/// The last `max_chars` characters.
fn tail(text: &str, max_chars: usize) -> &str {
    if text.len() <= max_chars {
        return text;
    }
    text.char_indices().nth_back(max_chars - 1).map_or(text, |(start, _)| &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Seen = Seen { first: None, last: None };

    #[test]
    fn a_key_keeps_its_row() {
        let mut table = Table::<EntryStats>::new(10);
        for (method, name, row) in
            [("GET", "/", 0), ("POST", "/", 1), ("GET", "/", 0), ("", "GET/", 2), ("POST", "/", 1)]
        {
            assert_eq!(table.entry(method, name), Place::Own(row), "{method} {name}");
        }
    }

    #[test]
    fn what_finds_no_room_is_counted_in_the_last_row() {
        let mut table = Table::<EntryStats>::new(2);
        let places = ["/a", "/b", "/c", "/d", "/a"].map(|name| table.entry("GET", name));
        let expected = [Place::Own(0), Place::Own(1), Place::Rest(2), Place::Rest(2), Place::Own(0)];
        assert_eq!(places, expected);
        assert_eq!(table.rows()[2].key, EntryKey::new("", OTHER));
        assert_eq!(
            table.entry("", OTHER),
            Place::Own(2),
            "counted as capped where that happened, and not again"
        );
    }

    #[test]
    fn a_rest_from_elsewhere_shares_the_row_with_our_own() {
        let mut table = Table::<EntryStats>::new(1);
        assert_eq!(table.entry("", OTHER), Place::Own(0));
        assert_eq!(table.entry("GET", "/"), Place::Rest(0));
        let mut full = Table::<EntryStats>::new(1);
        assert_eq!(full.entry("GET", "/"), Place::Own(0));
        assert_eq!(
            full.entry("", OTHER),
            Place::Own(1),
            "counted as capped where that happened, and not again"
        );
    }

    #[test]
    fn a_drained_table_has_room_again() {
        let mut table = Table::<ExceptionDelta>::new(1);
        table.count("a", "", 1);
        assert_eq!(table.count("b", "", 1).capped(5), 5);
        assert_eq!(table.take().len(), 2);
        assert_eq!(table.count("b", "", 1), Place::Own(0));
    }

    #[test]
    fn errors_are_one_if_row_and_message_are() {
        let mut table = Table::<ErrorDelta>::new(10);
        let (get, post) = (EntryKey::new("GET", "/"), EntryKey::new("POST", "/"));
        let at = |second| Some(RunTime::from_secs(second));
        table.count(&get, "404", 2, Seen { first: at(5), last: at(6) });
        table.count(&post, "404", 1, NEVER);
        table.count(&get, "404", 3, Seen { first: at(4), last: at(5) });
        table.count(&get, "500", 1, NEVER);
        let counts: Vec<_> = table.rows().iter().map(|error| (&*error.message, error.occurrences)).collect();
        assert_eq!(counts, [("404", 5), ("404", 1), ("500", 1)]);
        assert_eq!((table.rows()[0].first_seen, table.rows()[0].last_seen), (at(4), at(6)));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let long = "ä".repeat(MAX_TEXT_CHARS + 1);
        let mut table = Table::<ErrorDelta>::new(10);
        table.count(&EntryKey::new(&long, &long), &long, 1, NEVER);
        let ErrorDelta { key, message, .. } = &table.rows()[0];
        for text in [&key.method, &key.name, message] {
            assert_eq!(text.chars().count(), MAX_TEXT_CHARS);
        }
        for (text, max_chars, first, last) in
            [("äöü", 2, "äö", "öü"), ("äöü", 3, "äöü", "äöü"), ("ab", 1, "a", "b")]
        {
            assert_eq!(
                (head(text, max_chars), tail(text, max_chars)),
                (first, last),
                "{text} to {max_chars}"
            );
        }
    }
}
