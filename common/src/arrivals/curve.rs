//! The planned arrivals of a run as a curve: how many are due by when, and when so many are due. Integers throughout,
//! so no arrival is ever lost to rounding, however long the run.
//!
//! ```text
//!  rate           ____             due           .----
//!            ,--''    |                       ,-'
//!       ,--''         |____               ,,-'
//!     -'                            ____,-
//! ```
//!
//! In a ramp of length T from rate a to rate b, aτ + (b - a)τ²/2T are due after τ. Counted in 7.2·10¹²ths of an
//! arrival, everything but the division by T is a whole number, and comparisons multiply by T instead.

use super::rate::UNITS_PER_SECOND;
use super::{ArrivalRate, Stage};
use crate::time::micros;

/// One arrival, in the parts that the curve counts: a rate of one unit makes two parts in a microsecond.
pub(super) const ARRIVAL: u128 = 2 * UNITS_PER_SECOND as u128 * 1_000_000;

/// How many arrivals are due by when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Curve {
    /// In order and without gaps, from the start of the run on; none has no length.
    pieces: Vec<Piece>,
    /// When the last one ends, in microseconds; `None` if it never does.
    end: Option<u64>,
}

/// A span over which the rate changes evenly, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    /// Its start, in microseconds.
    start: u64,
    /// Its length, in microseconds.
    length: u64,
    /// The rates at its ends, in units.
    from: u64,
    to: u64,
    /// What is due at its start, in parts.
    before: u128,
    /// What becomes due in it, in parts.
    total: u128,
}

impl Curve {
    /// The curve of a rate that then goes through stages; without any, it stays.
    pub(super) fn new(start: ArrivalRate, stages: &[Stage]) -> Self {
        if stages.is_empty() {
            return Self {
                pieces: vec![Piece::new(0, u64::MAX, start.units(), start.units(), 0)],
                end: None,
            };
        }
        let mut pieces = Vec::with_capacity(stages.len());
        let (mut at, mut from, mut before) = (0, start.units(), 0);
        for stage in stages {
            let (length, to) = (micros(stage.duration), stage.rate.units());
            if length > 0 {
                let piece = Piece::new(at, length, from, to, before);
                at += length;
                before += piece.total;
                pieces.push(piece);
            }
            from = to;
        }
        Self { pieces, end: Some(at) }
    }

    /// The highest rate, in units.
    pub(super) fn peak(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.from.max(piece.to)).max().unwrap_or(0)
    }

    /// When nothing more arrives, in microseconds.
    pub(super) fn end(&self) -> Option<u64> {
        self.end
    }

    /// Parts that are due by `at`, in microseconds, rounded down.
    pub(super) fn due(&self, at: u64) -> u128 {
        let piece = self.piece_at(at);
        piece.before + piece.due((at - piece.start).min(piece.length))
    }

    /// The microsecond from which on more than `parts` are due, or no fewer if the rate goes on without a pause;
    /// `None` if that never happens.
    pub(super) fn reach(&self, parts: u128) -> Option<u64> {
        let index = self.pieces.partition_point(|piece| piece.before.saturating_add(piece.total) <= parts);
        let piece = self.pieces.get(index)?;
        Some(piece.start.saturating_add(piece.reach(parts - piece.before)))
    }

    /// How many whole arrivals, counted from zero, are reached before `until`, in microseconds.
    pub(super) fn planned(&self, until: u64) -> u64 {
        let Some(last) = until.min(self.end.unwrap_or(u64::MAX)).checked_sub(1) else {
            return 0;
        };
        let piece = self.piece_at(last);
        let count = if piece.is_pause() {
            // One that is due at the very start of a pause happens after it.
            piece.before.div_ceil(ARRIVAL)
        } else {
            (piece.before + piece.due(last - piece.start)) / ARRIVAL + 1
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// The piece of a time; the last one if it is later.
    fn piece_at(&self, at: u64) -> &Piece {
        let index = self.pieces.partition_point(|piece| piece.start <= at);
        &self.pieces[index - 1]
    }
}

impl Piece {
    fn new(start: u64, length: u64, from: u64, to: u64, before: u128) -> Self {
        let total = (u128::from(from) + u128::from(to)) * u128::from(length);
        Self { start, length, from, to, before, total }
    }

    fn is_pause(&self) -> bool {
        self.from == 0 && self.to == 0
    }

    /// Parts that are due after so many microseconds, rounded down.
    fn due(&self, elapsed: u64) -> u128 {
        if self.from == self.to {
            return 2 * u128::from(self.from) * u128::from(elapsed);
        }
        self.due_times_length(elapsed) / u128::from(self.length)
    }

    /// The same, times the length and therefore exact. Within 126 bits: a ramp lasts no longer than
    /// [`MAX_STAGE`](super::MAX_STAGE), which is below 2⁴² microseconds, and a rate is below 2⁴² units.
    fn due_times_length(&self, elapsed: u64) -> u128 {
        let (elapsed, length) = (u128::from(elapsed), u128::from(self.length));
        let steady = 2 * u128::from(self.from) * length * elapsed;
        let bend = u128::from(self.from.abs_diff(self.to)) * elapsed * elapsed;
        if self.to > self.from { steady + bend } else { steady - bend }
    }

    /// After how many microseconds so many parts are due, which is before its end.
    fn reach(&self, parts: u128) -> u64 {
        if self.from == self.to {
            // Not zero: something becomes due in it.
            return u64::try_from(parts.div_ceil(2 * u128::from(self.from))).unwrap_or(u64::MAX);
        }
        let wanted = parts * u128::from(self.length);
        let (mut below, mut reached) = (0, self.length);
        while below < reached {
            let middle = below + (reached - below) / 2;
            if self.due_times_length(middle) >= wanted {
                reached = middle;
            } else {
                below = middle + 1;
            }
        }
        reached
    }
}
