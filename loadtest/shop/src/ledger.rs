//! Entries with numbers, from 1 on: the oldest makes room, and its number is not used again.

use std::collections::VecDeque;

/// At most so many entries, such as orders.
#[derive(Debug)]
pub(crate) struct Ledger<T> {
    capacity: usize,
    /// The number of the first of `entries`; the others follow it without a gap.
    first: u64,
    entries: VecDeque<T>,
}

impl<T> Ledger<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, first: 1, entries: VecDeque::new() }
    }

    /// Enters it and returns its number.
    pub(crate) fn add(&mut self, entry: T) -> u64 {
        self.entries.push_back(entry);
        if self.entries.len() > self.capacity {
            self.entries.pop_front();
            self.first += 1;
        }
        self.first + self.entries.len() as u64 - 1
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let index = number.checked_sub(self.first)?;
        self.entries.get(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_with_their_entries_when_old_ones_make_room() {
        let mut ledger = Ledger::new(2);
        assert_eq!(["a", "b", "c"].map(|entry| ledger.add(entry)), [1, 2, 3]);
        let kept = [0, 1, 2, 3, 4].map(|number| ledger.get(number).copied());
        assert_eq!(kept, [None, None, Some("b"), Some("c"), None]);
    }
}
