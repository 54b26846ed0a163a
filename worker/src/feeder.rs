//! The rows of one data source on this worker, and whose turn it is.

use std::sync::atomic::{AtomicU64, Ordering};

use sentinel_common::scenario::{RowOrder, Rows};

/// Spreads the starting places of workers evenly, however many there are: the fractional part of the golden ratio.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

/// The rows of one source. Shared by all lanes.
#[derive(Debug)]
pub struct Feeder {
    rows: Rows,
    order: RowOrder,
    next: AtomicU64,
}

impl Feeder {
    /// The rows for the worker of this number. Workers begin at different places of a circular source.
    pub fn new(rows: Rows, order: RowOrder, worker_index: u32) -> Self {
        let share = (f64::from(worker_index) * GOLDEN).fract();
        let first = (share * rows.count() as f64) as u64;
        Self { rows, order, next: AtomicU64::new(first) }
    }

    /// The rows.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Who gets which row.
    pub fn order(&self) -> RowOrder {
        self.order
    }

    /// The number of the next row, for whoever asks.
    pub fn next_in_turn(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use sentinel_common::scenario::Scenario;

    use super::*;

    #[test]
    fn workers_go_round_from_different_places() {
        let text = "data: { n: { rows: [0, 1, 2, 3, 4, 5, 6, 7] } }\n\
                    users: { A: { tasks: [{ name: t, steps: [{ get: / }] }] } }";
        let scenario = Scenario::load("f", text).unwrap_or_else(|notes| panic!("{notes}"));
        let rows = scenario.data["n"].read(|_| None).unwrap_or_else(|error| panic!("{error}"));
        let round = |worker: u32| {
            let feeder = Feeder::new(rows.clone(), RowOrder::Circular, worker);
            (0..9).map(|_| rows.get(feeder.next_in_turn()).to_string()).collect::<String>()
        };
        assert_eq!([round(0), round(1), round(2)], ["012345670", "456701234", "123456701"]);
    }
}
