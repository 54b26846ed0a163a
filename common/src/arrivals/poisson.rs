//! Arrivals that know nothing of each other: a Poisson process with the rate of a curve, of which every worker can
//! compute any part.
//!
//! ```text
//!  rate    ____,--''--._
//!  blocks  |  |  |  |  |      each of a second draws from a stream of its own: first how many arrivals it has,
//!  arrive  .  . .. .... .     then where they are, evenly over what is due in it
//! ```
//!
//! Where the rate never reaches one per second, blocks are as long as it takes for an arrival, so that nobody has to
//! walk through an hour of empty ones.
//!
//! Given how many points of such a process lie in a span, their places are independent and as dense as the rate, so
//! this is the process itself and no approximation of it. Numbers are contiguous over the blocks.
//!
//! Counts are drawn with floats. Workers whose mathematical libraries differ in the last bit of a logarithm could, once in
//! a great while, disagree on one; those of one image never do.

use rand::{Rng as _, RngExt as _};
use rand_distr::Poisson;

use super::curve::{ARRIVAL, Curve};
use super::rate::UNITS_PER_SECOND;
use crate::random::UserRng;
use crate::time::micros;
use crate::timespan::MAX_SPAN;

/// The length of a block, in microseconds, unless the rate is below one per second.
const SHORTEST_BLOCK_US: u64 = 1_000_000;

/// The arrivals of one class, looked at block by block.
#[derive(Clone, Debug)]
pub(super) struct PoissonProcess {
    seed: u64,
    stream: String,
    /// The part of the curve's arrivals that are the class's.
    share: f64,
    /// The length of all blocks, in microseconds.
    length: u64,
    /// The block that is looked at. Whoever asks, asks for about the same time again, or for one a little later.
    block: Block,
}

#[derive(Clone, Debug)]
struct Block {
    index: u64,
    /// The number of its first arrival.
    first: u64,
    /// How many it has.
    count: u64,
    /// When they happen, in microseconds; `None` until somebody asks.
    times: Option<Vec<u64>>,
}

impl PoissonProcess {
    pub(super) fn new(curve: &Curve, seed: u64, class: &str, share: f64) -> Self {
        let block = Block { index: 0, first: 0, count: 0, times: None };
        let seconds = UNITS_PER_SECOND.div_ceil(curve.peak().max(1));
        let (stream, length) = (format!("arrivals:{class}"), SHORTEST_BLOCK_US * seconds);
        let mut process = Self { seed, stream, share, length, block };
        process.look_at(curve, 0, 0);
        process
    }

    /// How many arrivals happen before `until`, in microseconds.
    pub(super) fn planned(&mut self, curve: &Curve, until: u64) -> u64 {
        let until = until.min(last_end(curve));
        let index = until / self.length;
        if index < self.block.index {
            self.look_at(curve, 0, 0);
        }
        while self.block.index < index {
            self.step(curve);
        }
        if until == index * self.length {
            // None of its arrivals is earlier, so nobody needs their times.
            return self.block.first;
        }
        let within = self.times(curve).partition_point(|at| *at < until);
        self.block.first + within as u64
    }

    /// When arrival `number` happens, in microseconds; `None` if it never does.
    pub(super) fn time_of(&mut self, curve: &Curve, number: u64) -> Option<u64> {
        if number < self.block.first {
            self.look_at(curve, 0, 0);
        }
        while number - self.block.first >= self.block.count {
            if (self.block.index + 1) * self.length >= last_end(curve) {
                return None;
            }
            self.step(curve);
        }
        let index = (number - self.block.first) as usize;
        self.times(curve).get(index).copied()
    }

    /// Goes on to the next block.
    fn step(&mut self, curve: &Curve) {
        self.look_at(curve, self.block.index + 1, self.block.first + self.block.count);
    }

    fn look_at(&mut self, curve: &Curve, index: u64, first: u64) {
        let count = self.draw_count(curve, index, &mut self.rng(index));
        self.block = Block { index, first, count, times: None };
    }

    fn rng(&self, index: u64) -> UserRng {
        UserRng::for_user(self.seed, &self.stream, index)
    }

    fn draw_count(&self, curve: &Curve, index: u64, rng: &mut UserRng) -> u64 {
        let due = curve.due((index + 1) * self.length) - curve.due(index * self.length);
        let mean = due as f64 / ARRIVAL as f64 * self.share;
        // A mean of zero has no distribution, and no arrivals.
        Poisson::new(mean).map_or(0, |count| rng.sample::<f64, _>(count) as u64)
    }

    /// When the arrivals of the present block happen.
    fn times(&mut self, curve: &Curve) -> &[u64] {
        if self.block.times.is_none() {
            let index = self.block.index;
            let mut rng = self.rng(index);
            // The same draw again, to get to where the places begin.
            let count = self.draw_count(curve, index, &mut rng);
            let (start, end) = (curve.due(index * self.length), curve.due((index + 1) * self.length));
            let last = (index + 1) * self.length - 1;
            let mut places: Vec<u64> = (0..count).map(|_| rng.next_u64()).collect();
            places.sort_unstable();
            // Within 127 bits: in a block, at most a million arrivals of 43 bits become due.
            let parts = |place: u64| start + ((u128::from(place) * (end - start)) >> 64);
            let time = |place| curve.reach(parts(place)).unwrap_or(last).min(last);
            self.block.times = Some(places.into_iter().map(time).collect());
        }
        self.block.times.as_deref().unwrap_or_default()
    }
}

/// When nothing more arrives: no run is longer than the longest span.
fn last_end(curve: &Curve) -> u64 {
    curve.end().unwrap_or(u64::MAX).min(micros(MAX_SPAN))
}
