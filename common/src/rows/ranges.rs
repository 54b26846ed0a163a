//! A set of rows, kept as ranges.

use std::collections::BTreeMap;

use super::RowRange;

/// A set of rows. Ranges that touch are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RowSet {
    /// The ends of the ranges by their starts.
    ranges: BTreeMap<u64, u64>,
    count: u64,
}

impl RowSet {
    /// How many rows there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Adds rows, of which some may be there already.
    pub(super) fn insert(&mut self, range: &RowRange) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut end) = (range.start, range.end);
        // The last range that begins no later than the new one ends: as long as that touches it, it is part of it.
        while let Some((&before, &until)) =
            self.ranges.range(..=end).next_back().filter(|(_, until)| **until >= start)
        {
            self.ranges.remove(&before);
            self.count -= until - before;
            (start, end) = (start.min(before), end.max(until));
        }
        self.ranges.insert(start, end);
        self.count += end - start;
    }

    /// Takes the lowest rows out, at most so many, in at most so many ranges.
    pub(super) fn take(&mut self, rows: u64, ranges: usize) -> Vec<RowRange> {
        let mut taken = Vec::new();
        let mut missing = rows;
        while missing > 0
            && taken.len() < ranges
            && let Some((start, end)) = self.ranges.pop_first()
        {
            let cut = end.min(start.saturating_add(missing));
            if cut < end {
                self.ranges.insert(cut, end);
            }
            missing -= cut - start;
            self.count -= cut - start;
            taken.push(start..cut);
        }
        taken
    }

    /// Those rows of a range that are in this set.
    pub(super) fn common(&self, range: &RowRange) -> Vec<RowRange> {
        // The one that may begin before the range, and all that begin in it.
        let first = self.ranges.range(..=range.start).next_back().map_or(range.start, |(start, _)| *start);
        let near = self.ranges.range(first..range.end.max(first));
        let cut = near.map(|(start, end)| *start.max(&range.start)..*end.min(&range.end));
        cut.filter(|common| !common.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(ranges: &[RowRange]) -> RowSet {
        let mut set = RowSet::default();
        ranges.iter().for_each(|range| set.insert(range));
        set
    }

    fn ranges(set: &RowSet) -> Vec<RowRange> {
        set.ranges.iter().map(|(start, end)| *start..*end).collect()
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a set of one range")]
    fn ranges_that_touch_become_one() {
        let check = |given: &[RowRange], expected: &[RowRange]| {
            assert_eq!(ranges(&set(given)), expected, "{given:?}");
        };
        check(&[5..7, 1..3], &[1..3, 5..7]);
        check(&[5..7, 1..5], &[1..7]);
        check(&[1..3, 5..7, 2..6], &[1..7]);
        check(&[1..3, 5..7, 3..5], &[1..7]);
        check(&[1..9, 2..3], &[1..9]);
        check(&[4..4], &[]);
        check(&[0..u64::MAX, 7..8], &[0..u64::MAX]);
    }

    fn any_range() -> impl Strategy<Value = RowRange> {
        (0..40_u64, 0..8_u64).prop_map(|(start, length)| start..start + length)
    }

    fn rows(ranges: &[RowRange]) -> BTreeSet<u64> {
        ranges.iter().cloned().flatten().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_is_a_set_of_rows(
            inserted in prop::collection::vec(any_range(), 0..12),
            asked in any_range(),
            count in 0..50_u64,
            most in 0..4_usize,
        ) {
            let mut set = set(&inserted);
            let model = rows(&inserted);
            prop_assert_eq!(set.count(), model.len() as u64);
            prop_assert_eq!(&rows(&ranges(&set)), &model);
            let common = rows(&set.common(&asked));
            prop_assert_eq!(common, model.iter().copied().filter(|row| asked.contains(row)).collect());
            let taken = set.take(count, most);
            prop_assert!(taken.len() <= most && taken.iter().all(|range| !range.is_empty()));
            let all_that_fit = taken.len() == most || super::super::count(&taken) == count || set.count() == 0;
            prop_assert!(all_that_fit, "{taken:?}");
            let taken = rows(&taken);
            prop_assert_eq!(&taken, &model.iter().copied().take(taken.len()).collect(), "the lowest");
            prop_assert!(taken.len() as u64 <= count);
            prop_assert_eq!(rows(&ranges(&set)), &model - &taken);
            prop_assert_eq!(set.count() + taken.len() as u64, model.len() as u64);
        }
    }
}
