//! The few of many: what a page has room for when a run has ten thousand names.

use sentinel_common::report::{ErrorRow, Report, Row};

/// Some rows of a report in its order, and how much the others are.
pub(super) struct Top<'a, T> {
    pub(super) shown: Vec<&'a T>,
    /// How many are not shown.
    pub(super) others: usize,
    /// What those others counted: requests of rows, occurrences of errors.
    pub(super) others_count: u64,
    /// Failures of the rows that are not shown.
    pub(super) others_failures: u64,
}

/// At most `room` rows in their order: those with the most failures take up to a third of it, those with the most
/// requests the rest.
pub(super) fn top_rows(report: &Report, room: usize) -> Top<'_, Row> {
    let rows = &report.rows;
    let mut chosen = vec![rows.len() <= room; rows.len()];
    if rows.len() > room {
        let failing = ranked(rows, |row| row.failures).filter(|index| rows[*index].failures > 0);
        failing.take(room / 3).for_each(|index| chosen[index] = true);
        let left = room - chosen.iter().filter(|chosen| **chosen).count();
        let busiest: Vec<usize> =
            ranked(rows, |row| row.requests).filter(|index| !chosen[*index]).take(left).collect();
        busiest.into_iter().for_each(|index| chosen[index] = true);
    }
    let hidden = || rows.iter().zip(&chosen).filter(|(_, chosen)| !**chosen).map(|(row, _)| row);
    Top {
        shown: rows.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(row, _)| row).collect(),
        others: hidden().count(),
        others_count: hidden().map(|row| row.requests).sum(),
        others_failures: hidden().map(|row| row.failures).sum(),
    }
}

/// The `room` errors that occurred most often, the most frequent first.
pub(super) fn top_errors<'a>(
    errors: impl IntoIterator<Item = &'a ErrorRow>,
    room: usize,
) -> Top<'a, ErrorRow> {
    let mut shown: Vec<&ErrorRow> = errors.into_iter().collect();
    shown.sort_by_key(|error| std::cmp::Reverse(error.occurrences));
    let others = shown.split_off(room.min(shown.len()));
    let others_count = others.iter().map(|error| error.occurrences).sum();
    Top { shown, others: others.len(), others_count, others_failures: 0 }
}

/// The indices of `rows`, highest `figure` first, equals in their order.
fn ranked<T>(rows: &[T], figure: impl Fn(&T) -> u64) -> impl Iterator<Item = usize> {
    let mut indices: Vec<usize> = (0..rows.len()).collect();
    indices.sort_by_key(|index| std::cmp::Reverse(figure(&rows[*index])));
    indices.into_iter()
}

/// The first `max` characters, with a sign where there are more.
pub(super) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_busiest_rows_and_those_that_fail_are_shown_in_their_order() {
        let mut report = sample::empty();
        report.rows = (0..100).map(|index| sample::row("GET", &format!("/{index:02}"))).collect();
        for (index, row) in report.rows.iter_mut().enumerate() {
            (row.requests, row.failures) = (1_000 - index as u64, u64::from(index == 99));
        }
        let top = top_rows(&report, 6);
        let names: Vec<&str> = top.shown.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["/00", "/01", "/02", "/03", "/04", "/99"]);
        let all: u64 = report.rows.iter().map(|row| row.requests).sum();
        let shown: u64 = top.shown.iter().map(|row| row.requests).sum();
        assert_eq!((top.others, top.others_count, top.others_failures), (94, all - shown, 0));
        assert_eq!(top_rows(&report, 100).shown.len(), 100);
    }

    #[test]
    fn the_most_frequent_errors_come_first() {
        let mut report = sample::empty();
        report.errors = (0..10).map(|count| sample::error("GET", "/", &count.to_string(), count)).collect();
        let top = top_errors(&report.errors, 2);
        let counts: Vec<u64> = top.shown.iter().map(|error| error.occurrences).collect();
        assert_eq!((counts, top.others, top.others_count), (vec![9, 8], 8, 28));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 2), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
