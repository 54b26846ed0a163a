//! How many requests came, by method and route.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Requests by `GET /products/{id}`.
#[derive(Debug, Default)]
pub(crate) struct Counts(Mutex<BTreeMap<String, u64>>);

/// Clients may invent methods. Those that come when there are so many rows already share one.
const ROWS_MAX: usize = 1_000;

/// The row of what has no row of its own.
const OTHER: &str = "(other)";

impl Counts {
    /// Counts one request. A request counts when it comes, so one that its client gives up counts, too.
    pub(crate) fn note(&self, method: &str, route: Option<&str>) {
        // A panic while the lock was held can at worst have lost one count.
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut row = format!("{method} {}", route.unwrap_or(OTHER));
        if rows.len() >= ROWS_MAX && !rows.contains_key(&row) {
            row = OTHER.to_owned();
        }
        *rows.entry(row).or_default() += 1;
    }

    /// All rows, as of one moment.
    pub(crate) fn snapshot(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_bounded_and_no_request_goes_uncounted() {
        let counts = Counts::default();
        counts.note("GET", Some("/products/{id}"));
        for number in 0..2 * ROWS_MAX {
            counts.note(&format!("M{number}"), None);
        }
        counts.note("GET", Some("/products/{id}"));
        let rows = counts.snapshot();
        assert_eq!(rows.len(), ROWS_MAX + 1);
        assert_eq!((rows["GET /products/{id}"], rows["M0 (other)"], rows[OTHER]), (2, 1, 1_001));
    }
}
