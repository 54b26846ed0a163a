//! The stock of one worker: the rows of one source that were leased to it and that its users have not taken.

use std::collections::VecDeque;

use super::demand::Demand;
use super::{RowRange, count};
use crate::time::Moment;

/// A stock of which nothing was taken at this many looks in a row is handed back: others may wait for it.
const IDLE_LOOKS: u32 = 5;

/// What a stock wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// How many rows.
    pub rows: u32,
    /// How many it has left.
    pub left: u64,
}

/// Rows that were leased and not taken. See the module's documentation.
#[derive(Debug)]
pub struct Stock {
    ranges: VecDeque<RowRange>,
    left: u64,
    /// What the last lease brought; none if nobody needs rows beforehand.
    last_lease: u64,
    demand: Demand,
    /// How many rows it wants, until it gets an answer.
    wants: Option<u32>,
    /// Rows that were taken since it last began to want some.
    taken: u64,
    /// Rows that were taken since the last look, and looks since the last time that any were.
    taken_since_look: bool,
    idle_looks: u32,
    exhausted: bool,
}

impl Default for Stock {
    fn default() -> Self {
        Self {
            ranges: VecDeque::new(),
            left: 0,
            last_lease: 0,
            demand: Demand::new(),
            wants: None,
            taken: 0,
            taken_since_look: false,
            idle_looks: 0,
            exhausted: false,
        }
    }
}

impl Stock {
    /// How many rows are here.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Whether there is no row here and there will never be one.
    pub fn is_dry(&self) -> bool {
        self.exhausted && self.left == 0
    }

    /// Takes the next row.
    pub fn take(&mut self) -> Option<u64> {
        let first = self.ranges.front_mut()?;
        let row = first.start;
        first.start += 1;
        if first.is_empty() {
            self.ranges.pop_front();
        }
        self.left -= 1;
        self.taken += 1;
        self.taken_since_look = true;
        Some(row)
    }

    /// Whether it is time for more: less than half of the last lease is left.
    pub fn is_low(&self) -> bool {
        !self.exhausted && self.left * 2 < self.last_lease
    }

    /// What it wants, if anything, while so many users wait for rows. To be asked again whenever that may have changed.
    pub fn want(&mut self, now: Moment, waiting: u32) -> Option<Want> {
        if self.exhausted || (waiting == 0 && !self.is_low()) {
            return None;
        }
        let rows = match self.wants {
            Some(rows) => rows,
            None => self.demand.next(now, std::mem::take(&mut self.taken)),
        };
        self.wants = Some(rows);
        Some(Want { rows: rows.max(waiting), left: self.left })
    }

    /// The answer to what it wanted: rows, none for now, or none ever again.
    pub fn supply(&mut self, ranges: Vec<RowRange>, exhausted: bool) {
        self.wants = None;
        self.exhausted |= exhausted;
        let rows = count(&ranges);
        self.left += rows;
        if rows > 0 {
            self.last_lease = rows;
        }
        self.ranges.extend(ranges.into_iter().filter(|range| !range.is_empty()));
    }

    /// Takes out up to so many rows, the last ones first, to hand them back.
    pub fn withdraw(&mut self, most: u64) -> Vec<RowRange> {
        let mut withdrawn = Vec::new();
        let mut missing = most;
        while let Some(last) = self.ranges.back_mut().filter(|_| missing > 0) {
            let cut = missing.min(last.end - last.start);
            withdrawn.push(last.end - cut..last.end);
            last.end -= cut;
            missing -= cut;
            if last.is_empty() {
                self.ranges.pop_back();
            }
        }
        self.left -= most - missing;
        // Whoever needs rows next will wait for them; nothing is fetched beforehand.
        (self.last_lease, self.wants, self.idle_looks) = (0, None, 0);
        withdrawn
    }

    /// Looks whether anybody has taken rows lately. Returns true if they should be handed back because nobody has, at
    /// several looks in a row.
    pub fn look(&mut self) -> bool {
        let idle = !std::mem::take(&mut self.taken_since_look) && self.left > 0;
        self.idle_looks = if idle { self.idle_looks + 1 } else { 0 };
        self.idle_looks >= IDLE_LOOKS
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a lease of one range")]
mod tests {
    use super::*;

    fn stocked(rows: u64) -> Stock {
        let mut stock = Stock::default();
        stock.supply(vec![0..rows], false);
        stock
    }

    fn take(stock: &mut Stock, rows: u64) -> Vec<u64> {
        (0..rows).filter_map(|_| stock.take()).collect()
    }

    #[test]
    fn rows_are_taken_in_the_order_of_their_leases() {
        let mut stock = Stock::default();
        stock.supply(vec![7..9, 3..4], false);
        stock.supply(vec![20..21], false);
        assert_eq!(take(&mut stock, 9), [7, 8, 3, 20]);
    }

    #[test]
    fn it_wants_rows_when_somebody_waits_or_less_than_half_is_left() {
        let now = Moment::ZERO;
        let mut stock = Stock::default();
        assert_eq!(stock.want(now, 0), None, "nobody needs any");
        assert_eq!(stock.want(now, 1), Some(Want { rows: 8, left: 0 }));
        assert_eq!(stock.want(now, 30), Some(Want { rows: 30, left: 0 }), "enough for everybody who waits");
        stock.supply(vec![0..8], false);
        take(&mut stock, 4);
        assert_eq!(stock.want(now, 0), None);
        take(&mut stock, 1);
        let wanted = stock.want(now, 0);
        assert_eq!(wanted, Some(Want { rows: 16, left: 3 }), "it uses them up in no time");
        take(&mut stock, 2);
        assert_eq!(stock.want(now, 0), Some(Want { rows: 16, left: 1 }), "the same, until it is answered");
    }

    #[test]
    fn none_for_now_leaves_it_wanting_and_none_ever_again_does_not() {
        let mut stock = stocked(2);
        take(&mut stock, 2);
        stock.supply(Vec::new(), false);
        assert!(stock.want(Moment::ZERO, 0).is_some() && !stock.is_dry());
        stock.supply(Vec::new(), true);
        assert_eq!((stock.want(Moment::ZERO, 9), stock.is_dry()), (None, true));
    }

    #[test]
    fn what_is_withdrawn_is_what_would_have_been_taken_last() {
        let mut stock = Stock::default();
        stock.supply(vec![0..5, 8..10], false);
        assert_eq!(stock.withdraw(4), [8..10, 3..5]);
        assert_eq!((stock.left(), take(&mut stock, 9)), (3, vec![0, 1, 2]));
        let mut stock = stocked(5);
        assert_eq!(stock.withdraw(99), [0..5]);
        assert_eq!((stock.left(), stock.want(Moment::ZERO, 0)), (0, None), "nobody needs any");
    }

    #[test]
    fn rows_that_nobody_takes_are_to_be_handed_back() {
        let mut stock = stocked(8);
        let looks = |stock: &mut Stock| (0..IDLE_LOOKS).map(|_| stock.look()).collect::<Vec<_>>();
        assert_eq!(looks(&mut stock), [false, false, false, false, true]);
        take(&mut stock, 1);
        assert_eq!(looks(&mut stock), [false; 5], "the first look sees that one was taken");
        let mut empty = Stock::default();
        assert_eq!(looks(&mut empty), [false; 5], "there is nothing to hand back");
    }
}
