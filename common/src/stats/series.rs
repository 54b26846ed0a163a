//! A value per second for a whole run of any length, in bounded memory: coarser with age.
//!
//! Every row of the statistics keeps its request counts in one, the run its users and its latencies, and a worker's
//! open report both. How wide the bucket of a second is depends on nothing but the second and the newest one, so it
//! does not matter in which order, or in how many parts, the counts arrive.
//!
//! ```text
//! width      ...  |    1 h    |   10 min   |   1 min   | 10 s | 1 s |
//! age      30 days ...      4 days       1 day        2 h  10 min  newest
//! ```

use std::mem;

use crate::time::RunTime;

/// Something that can be kept per second and summed up over several.
pub trait Bucket: Default {
    /// Adds what a bucket of later seconds holds.
    fn merge(&mut self, later: Self);
}

/// The bucket of the seconds `start .. start + width`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span<B> {
    /// The first second, counted from the start of the run; a multiple of `width`.
    pub start: u32,
    /// How many seconds it covers.
    pub width: u32,
    /// What is known of them.
    pub value: B,
}

/// Buckets of increasing age and width. Seconds in which nothing happened have none.
#[derive(Clone, Debug, PartialEq)]
pub struct Series<B> {
    newest: u32,
    /// Ascending, without overlaps, every one as wide as [`span_of`] says.
    spans: Vec<Span<B>>,
}

/// Buckets of one width.
struct Tier {
    /// In seconds; every width divides the next one.
    width: u32,
    /// The age in seconds up to which buckets are that narrow.
    until_age: u32,
}

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// Together they cover every second that 32 bits can count, 136 years. That a table ends is what bounds a series.
const TIERS: [Tier; 9] = [
    Tier { width: 1, until_age: 10 * MINUTE },
    Tier { width: 10, until_age: 2 * HOUR },
    Tier { width: MINUTE, until_age: DAY },
    Tier { width: 10 * MINUTE, until_age: 4 * DAY },
    Tier { width: HOUR, until_age: 30 * DAY },
    Tier { width: 6 * HOUR, until_age: 120 * DAY },
    Tier { width: DAY, until_age: 365 * DAY },
    Tier { width: 10 * DAY, until_age: 3_650 * DAY },
    Tier { width: 100 * DAY, until_age: u32::MAX },
];

/// No series ever has more buckets: about 2,600 after the first day, 3,000 after four, 5,100 after a century.
pub const MAX_BUCKETS: usize = most_buckets();

impl<B> Default for Series<B> {
    fn default() -> Self {
        Self { newest: 0, spans: Vec::new() }
    }
}

impl<B: Bucket> Series<B> {
    /// The bucket that covers `second`, new if nothing happened in it before.
    pub fn at(&mut self, second: u32) -> &mut B {
        // Nearly always it is the newest second again.
        let index = match self.spans.last() {
            Some(last) if last.start == second => self.spans.len() - 1,
            _ => self.index_of(second),
        };
        &mut self.spans[index].value
    }

    /// All buckets, ascending.
    pub fn spans(&self) -> &[Span<B>] {
        &self.spans
    }

    /// The buckets that begin in the seconds `from..=to`. Of the last ten minutes that is every second by itself.
    pub fn between(&self, from: u32, to: u32) -> &[Span<B>] {
        let first = self.spans.partition_point(|span| span.start < from);
        let end = self.spans.partition_point(|span| span.start <= to);
        self.spans.get(first..end).unwrap_or_default()
    }

    /// Takes all buckets out, ascending, and begins anew.
    pub fn drain(&mut self) -> impl Iterator<Item = Span<B>> + '_ {
        self.newest = 0;
        self.spans.drain(..)
    }

    /// Forgets everything, but keeps the memory.
    pub fn clear(&mut self) {
        self.newest = 0;
        self.spans.clear();
    }

    fn index_of(&mut self, second: u32) -> usize {
        if second > self.newest {
            let coarsen = is_next_step(self.newest, second);
            self.newest = second;
            if coarsen {
                self.coarsen();
            }
        }
        let (start, width) = span_of(second, self.newest);
        match self.spans.binary_search_by_key(&start, |span| span.start) {
            Ok(index) => index,
            Err(index) => {
                self.spans.insert(index, Span { start, width, value: B::default() });
                index
            }
        }
    }

    /// Gives every bucket the width of its age, and joins those that become one.
    fn coarsen(&mut self) {
        for span in &mut self.spans {
            (span.start, span.width) = span_of(span.start, self.newest);
        }
        self.spans.dedup_by(|later, kept| {
            let joined = later.start == kept.start;
            if joined {
                kept.value.merge(mem::take(&mut later.value));
            }
            joined
        });
        debug_assert!(self.spans.len() <= MAX_BUCKETS, "{} buckets", self.spans.len());
    }
}

/// The second of the run in which `at` lies.
pub fn second_of(at: RunTime) -> u32 {
    u32::try_from(at.as_secs()).unwrap_or(u32::MAX)
}

/// Start and width of the bucket that covers `second` when `newest` is the newest one.
///
/// A tier ends where a bucket of the next one does, and that point only ever moves forward: once in a wide bucket, a
/// second stays in it until the bucket becomes part of a wider one.
fn span_of(second: u32, newest: u32) -> (u32, u32) {
    let young_enough = |pair: &&[Tier]| {
        let oldest = newest.saturating_sub(pair[0].until_age);
        second >= oldest - oldest % pair[1].width
    };
    let width =
        TIERS.windows(2).find(young_enough).map_or(TIERS[TIERS.len() - 1].width, |pair| pair[0].width);
    (second - second % width, width)
}

/// Whether any tier ends somewhere else once `second` is the newest: all ages are multiples of the second width, and
/// so are all the wider widths.
fn is_next_step(newest: u32, second: u32) -> bool {
    newest / TIERS[1].width != second / TIERS[1].width
}

const fn most_buckets() -> usize {
    let (mut index, mut sum, mut younger) = (0, 0, 0);
    while index < TIERS.len() {
        let Tier { width, until_age } = TIERS[index];
        // A tier is longer than its ages by what it waits for a bucket of the next one to fill; both ends count.
        let wait = if index + 1 < TIERS.len() { TIERS[index + 1].width / width } else { 0 };
        sum += ((until_age - younger) / width + wait + 1) as usize;
        younger = until_age;
        index += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A count, and the order in which it was put together.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Count(u64);

    impl Bucket for Count {
        fn merge(&mut self, later: Self) {
            self.0 += later.0;
        }
    }

    fn series(seconds: impl IntoIterator<Item = u32>) -> Series<Count> {
        let mut series = Series::<Count>::default();
        seconds.into_iter().for_each(|second| series.at(second).0 += 1);
        series
    }

    fn assert_sound(series: &Series<Count>, added: u64) {
        let spans = series.spans();
        assert_eq!(spans.iter().map(|span| span.value.0).sum::<u64>(), added, "nothing is lost");
        assert!(spans.len() <= MAX_BUCKETS, "{} buckets", spans.len());
        for span in spans {
            assert_eq!(span.start % span.width, 0, "aligned");
            assert!(TIERS.iter().any(|tier| tier.width == span.width));
        }
        for pair in spans.windows(2) {
            let end = u64::from(pair[0].start) + u64::from(pair[0].width);
            assert!(end <= u64::from(pair[1].start), "{pair:?} overlap or are out of order");
            assert!(pair[0].width >= pair[1].width, "coarser with age");
        }
    }

    #[test]
    fn tiers_can_be_joined() {
        for pair in TIERS.windows(2) {
            assert!(pair[0].until_age < pair[1].until_age);
            assert_eq!(pair[1].width % pair[0].width, 0, "wide buckets consist of whole narrow ones");
            assert_eq!(pair[0].until_age % TIERS[1].width, 0, "tiers end at whole steps");
        }
    }

    #[test]
    fn recent_seconds_are_kept_one_by_one() {
        let series = series(0..5_000);
        let recent: Vec<u32> = series.between(4_400, 4_999).iter().map(|span| span.start).collect();
        assert_eq!(recent, (4_400..5_000).collect::<Vec<_>>());
        assert_sound(&series, 5_000);
    }

    #[test]
    fn late_counts_go_to_the_bucket_that_covers_them() {
        let mut series = series(0..5_000);
        series.at(17).0 += 100;
        let first = &series.between(0, 19)[1];
        assert_eq!((first.start, first.width, first.value.0), (10, 10, 110));
        assert_sound(&series, 5_100);
    }

    #[test]
    fn a_week_stays_bounded() {
        let minutes = (0..7 * DAY).step_by(MINUTE as usize);
        let seconds: Vec<u32> = minutes.chain(7 * DAY..7 * DAY + 3 * HOUR).collect();
        let series = series(seconds.iter().copied());
        assert_sound(&series, seconds.len() as u64);
        assert!(series.spans().len() < 3_200, "{} buckets", series.spans().len());
    }

    #[test]
    fn a_century_stays_bounded() {
        // Every ten days of 136 years, and every second before the end.
        let ends = u32::MAX - 4_000;
        let seconds: Vec<u32> = (0..ends).step_by(10 * DAY as usize).chain(ends..=u32::MAX).collect();
        assert_sound(&series(seconds.iter().copied()), seconds.len() as u64);
        const { assert!(MAX_BUCKETS < 5_500) };
    }

    #[test]
    fn a_range_turned_round_is_empty() {
        assert!(series(0..10).between(5, 4).is_empty());
        assert!(series(0..10).between(9, 0).is_empty());
    }

    proptest! {
        #[test]
        fn buckets_are_sound_whatever_arrives(
            seconds in prop::collection::vec(prop_oneof![0_u32..100, 0..10_000_u32, 0..40 * DAY, any::<u32>()], 0..400),
        ) {
            assert_sound(&series(seconds.iter().copied()), seconds.len() as u64);
        }

        /// Draining into another series, in any order, gives what one series over everything holds.
        #[test]
        fn parts_add_up_to_the_whole(
            parts in prop::collection::vec(prop::collection::vec(0_u32..3 * DAY, 0..100), 0..6),
        ) {
            let mut merged = series([]);
            for part in parts.iter().rev() {
                for span in series(part.iter().copied()).drain() {
                    merged.at(span.start).merge(span.value);
                }
            }
            prop_assert_eq!(merged, series(parts.into_iter().flatten()));
        }
    }
}
