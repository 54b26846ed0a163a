//! Rows that are used once in the whole cluster: the rows of unique data, and the iterations of a run that makes a
//! limited number of them.
//!
//! The master keeps a [`RowLedger`] for every source and leases ranges of rows to workers, a second's worth at a time.
//! A worker keeps what it was leased in a [`Stock`], from which its users take row by row. Neither knows the other: what
//! they say to each other is in [`messages`](crate::messages).
//!
//! ```text
//! RowLedger --lease--> Stock --take--> user
//!     ^ `---what is left of it---'
//! ```
//!
//! The promise is that no row is used twice. So a row that was with a worker when it was lost is never leased again:
//! nobody knows whether it was used.

mod demand;
mod ledger;
mod ranges;
mod stock;

use std::time::Duration;

pub use self::ledger::{Lease, RowLedger};
pub use self::stock::{Stock, Want};

/// Rows from the first one up to, and without, the last one.
pub type RowRange = std::ops::Range<u64>;

/// The source whose rows are the iterations of a run.
pub const ITERATIONS: &str = "(iterations)";

/// The most sources of one run.
pub const SOURCES_MAX: usize = 1_000;

/// The longest name of a source, in bytes.
pub const SOURCE_NAME_BYTES_MAX: usize = 1_024;

/// The most ranges in one message.
pub const RANGES_MAX: usize = 4_096;

/// A worker that was told that there is nothing for now asks again after this.
pub const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// What people call the rows of a source.
pub(crate) fn label(source: &str) -> String {
    match source {
        ITERATIONS => "iterations".to_owned(),
        _ => format!("data {source}"),
    }
}

/// Rows in all of these ranges, which do not overlap.
pub(crate) fn count<'a>(ranges: impl IntoIterator<Item = &'a RowRange>) -> u64 {
    ranges.into_iter().map(|range| range.end - range.start).sum()
}
