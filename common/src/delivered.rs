//! Delivered load against planned load: whether a run's numbers may judge anything.
//!
//! Users are counted when workers say so, which is a moment after they were planned. So what ran in a second is compared
//! with the least that the plan wanted in it and in the two seconds before: a plan that rises is compared with what it
//! was, a plan that falls with what it is, and a plateau with itself. Where the plan moves, one user more may be missing,
//! because plan and workers round a line to whole users each in their own way.
//!
//! ```text
//! planned users     ______________________
//!                  / ·                    \
//!                 / ·     · compared with  \
//!                / ·                        \______
//! ```
//!
//! Seconds that are long past are kept as sums, and the least of a sum is the least of its seconds: there, a plan that
//! moves has to be missed by more before it shows.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use thiserror::Error;

use crate::stats::{Delivery, Gauge, Iterations, RunBucket, Span};

/// The share of the plan below which a run judges nothing, unless another one is asked for.
pub const DELIVERED_FLOOR: f64 = 0.95;

/// The span over which delivered users are compared with planned ones, in seconds.
const WINDOW_S: u32 = 10;

/// So many seconds are waited for news of users: workers report them twice a second.
const SETTLING_S: u32 = 2;

/// Reads a share of the plan, such as `95%` or `0.95`.
///
/// # Errors
/// It is no share, or more than all.
pub fn parse_floor(text: &str) -> Result<f64, BadFloor> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text.trim(), 1.0),
    };
    let share = number.parse::<f64>().ok().map(|number| number / scale);
    share.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| BadFloor(text.to_owned()))
}

/// A text that is no share of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no share of the plan; write it like 95% or 0.95, at most 100%")]
pub struct BadFloor(String);

/// What can fall short of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Planned {
    /// Users that run at once.
    Users,
    /// Iterations that begin.
    Iterations,
}

/// A stretch, from the first to the last second below the floor, within windows that were below it as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shortfall {
    /// What was missing.
    pub of: Planned,
    /// Its first second.
    pub from: u32,
    /// The second after its last.
    pub to: u32,
    /// What was delivered in it as a share of what was planned, 0 to 1.
    pub delivered: f64,
}

impl Shortfall {
    /// Whether it covers any of the seconds from `start` up to, and without, `end`.
    pub fn covers(&self, start: u32, end: u32) -> bool {
        self.from < end && start < self.to
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, from, to, delivered } = self;
        let what = match of {
            Planned::Users => "users ran",
            Planned::Iterations => "iterations began",
        };
        let percent = delivered * 100.0;
        write!(f, "from {from} s to {to} s only {percent:.1} % of the planned {what}")
    }
}

/// A span at a constant number of planned users, without the seconds in which it settled.
#[derive(Clone, Copy, Debug)]
pub struct Plateau<'a> {
    /// Its seconds.
    pub spans: &'a [Span<RunBucket>],
}

/// The plateaus of a run, in order. The last second of the run is incomplete and belongs to none.
pub fn plateaus(seconds: &[Span<RunBucket>]) -> Vec<Plateau<'_>> {
    let complete = seconds.split_last().map_or(seconds, |(_, complete)| complete);
    let steady = complete.chunk_by(|a, b| a.value.planned_users.last == b.value.planned_users.last);
    let mut plateaus = Vec::new();
    for spans in steady.filter(|spans| spans[0].value.planned_users.last > 0) {
        let settled = spans[0].start + SETTLING_S;
        let spans = &spans[spans.partition_point(|span| span.start < settled)..];
        if !spans.is_empty() {
            plateaus.push(Plateau { spans });
        }
    }
    plateaus
}

/// Requests per second over all plateaus; `None` if there is none.
pub fn plateau_rps(plateaus: &[Plateau<'_>], requests: impl Fn(u32, u32) -> u64) -> Option<f64> {
    let mut seconds = 0_u64;
    let mut count = 0;
    for plateau in plateaus {
        for span in plateau.spans {
            seconds += u64::from(span.width);
            count += requests(span.start, span.width);
        }
    }
    (seconds > 0).then(|| count as f64 / seconds as f64)
}

/// Where less than the `floor`, a share from 0 to 1, of the plan was delivered over any ten seconds: first where users
/// were missing, then where iterations were, each in the order of time. The last second of the run is incomplete and
/// left out. What is shorter than ten seconds is taken as a whole, but not while the run goes on and it may grow.
pub fn shortfalls(seconds: &[Span<RunBucket>], floor: f64, over: bool) -> Vec<Shortfall> {
    let complete = seconds.split_last().map_or(seconds, |(_, complete)| complete);
    let users: Vec<Compared> =
        (0..complete.len()).filter_map(|index| compare_users(complete, index)).collect();
    let end = complete.last().map_or(0, |span| span.start + span.width);
    let judged = |stretch: &&[Compared]| over || !may_grow(stretch, end);
    // Users settle anew whenever there were none to be had. Nobody can fall short of nothing.
    let stretches = users.chunk_by(|a, b| (a.wanted > 0.0) == (b.wanted > 0.0));
    let mut found: Vec<Shortfall> =
        stretches.filter(judged).flat_map(|stretch| below(Planned::Users, stretch, floor, 0.0)).collect();
    let iterations: Vec<Compared> = complete.iter().map(compare_iterations).collect();
    // One iteration of a sparse plan is no judgement on the generator.
    if judged(&&iterations[..]) {
        found.extend(below(Planned::Iterations, &iterations, floor, 1.0));
    }
    found
}

/// Whether a stretch is shorter than a window and lasts until `end`.
fn may_grow(stretch: &[Compared], end: u32) -> bool {
    let (Some(first), Some(last)) = (stretch.first(), stretch.last()) else { return false };
    last.start + last.width == end && end - first.start < WINDOW_S
}

/// Where windows of a stretch are below the floor, those that overlap or meet taken together, and lack more than is
/// `forgiven`.
fn below(of: Planned, stretch: &[Compared], floor: f64, forgiven: f64) -> Vec<Shortfall> {
    let falls_short = |window: &Window| {
        window.wanted - window.delivered > forgiven && window.delivered.max(0.0) < floor * window.wanted
    };
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for Window { from, to, .. } in windows(stretch).filter(falls_short) {
        match ranges.last_mut() {
            Some(last) if from <= last.1 => last.1 = to,
            _ => ranges.push((from, to)),
        }
    }
    ranges.into_iter().filter_map(|(from, to)| trimmed(of, stretch, from..to, floor)).collect()
}

/// The seconds of a range from the first to the last one below the floor.
fn trimmed(of: Planned, stretch: &[Compared], range: Range<u32>, floor: f64) -> Option<Shortfall> {
    let is_low = |second: &&Compared| second.delivered.max(0.0) < floor * second.wanted;
    let mut low = stretch.iter().filter(|second| range.contains(&second.start)).filter(is_low);
    let first = low.next()?;
    let last = low.next_back().unwrap_or(first);
    let (from, to) = (first.start, last.start + last.width);
    let begin = stretch.partition_point(|second| second.start < from);
    let Window { wanted, delivered, .. } = window(&stretch[begin..], to);
    Some(Shortfall { of, from, to, delivered: (delivered / wanted).max(0.0) })
}

/// Iterations that began as a share of those that were planned; `None` if none were.
pub fn started_share(delivery: Delivery) -> Option<f64> {
    (delivery.planned > 0).then(|| delivery.started as f64 / delivery.planned as f64)
}

/// A second, or several, with what should have been in each and what was.
#[derive(Clone, Copy, Debug)]
struct Compared {
    start: u32,
    width: u32,
    /// Users that had to be seen, or iterations that were due.
    wanted: f64,
    /// Those of them that were there.
    delivered: f64,
}

/// `None` for a second in which nobody looked: it says nothing.
fn compare_users(seconds: &[Span<RunBucket>], index: usize) -> Option<Compared> {
    let span = &seconds[index];
    let users = span.value.users.mean()?;
    let wanted = wanted(&seconds[..=index]).unwrap_or(0.0);
    // More users than wanted in one second do not make up for fewer in another.
    Some(Compared { start: span.start, width: span.width, wanted, delivered: users.min(wanted) })
}

/// Those that begin later than planned do begin: only the ones that were dropped are missing, which may be found out
/// after the second for which they were planned.
fn compare_iterations(span: &Span<RunBucket>) -> Compared {
    let Iterations { planned, dropped, .. } = span.value.traffic.iterations;
    let per_second = |count: u64| count as f64 / f64::from(span.width);
    let delivered = per_second(planned) - per_second(dropped);
    Compared { start: span.start, width: span.width, wanted: per_second(planned), delivered }
}

/// The least that the plan wanted in the last of these seconds and while the news of its users may have been on the
/// way; `None` if that reaches back before the run or nobody looked.
fn wanted(seconds: &[Span<RunBucket>]) -> Option<f64> {
    let since = seconds.last()?.start.checked_sub(SETTLING_S)?;
    let recent = seconds.iter().rev().take_while(|span| span.start + span.width > since);
    let plans = recent.map(|span| span.value.planned_users).filter(Gauge::was_seen);
    let (min, max) = plans.map(|plan| (plan.min, plan.max)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    Some(if min == max { min as f64 } else { min.saturating_sub(1) as f64 })
}

/// What was wanted and delivered from one second up to, and without, another.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: u32,
    to: u32,
    wanted: f64,
    delivered: f64,
}

/// Every window of ten seconds within a stretch; all of it if it is shorter.
fn windows(stretch: &[Compared]) -> impl Iterator<Item = Window> + '_ {
    let end = stretch.last().map_or(0, |last| last.start + last.width);
    let first = stretch.first().map_or(0, |first| first.start);
    let last_start = end.saturating_sub(WINDOW_S).max(first);
    let starts = stretch.iter().take_while(move |second| second.start <= last_start).enumerate();
    starts.map(move |(index, second)| window(&stretch[index..], (second.start + WINDOW_S).min(end)))
}

/// The window from the first of `stretch` up to, and without, the second `to`.
fn window(stretch: &[Compared], to: u32) -> Window {
    let mut window = Window { from: stretch[0].start, to, wanted: 0.0, delivered: 0.0 };
    for second in stretch.iter().take_while(|second| second.start < to) {
        window.wanted += second.wanted * f64::from(second.width);
        window.delivered += second.delivered * f64::from(second.width);
    }
    window
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::{Recorder, RunStats};
    use crate::time::RunTime;

    /// A run with these planned and running users, second by second.
    fn run(seconds: &[(u64, u64)]) -> RunStats {
        let mut stats = RunStats::default();
        for (second, (planned, users)) in seconds.iter().enumerate() {
            stats.observe_users(RunTime::from_secs(second as u64), *users, *planned);
        }
        stats
    }

    fn check(seconds: &[(u64, u64)], expected: Option<(u32, u32, f64)>) {
        let stats = run(seconds);
        let found = shortfalls(stats.seconds().spans(), DELIVERED_FLOOR, true);
        let found: Vec<_> = found.iter().map(|it| (it.from, it.to, it.delivered)).collect();
        assert_eq!(found, Vec::from_iter(expected), "{seconds:?}");
    }

    fn repeat(planned: u64, users: u64, seconds: usize) -> Vec<(u64, u64)> {
        vec![(planned, users); seconds]
    }

    #[test]
    fn a_floor_is_a_share() {
        let check = |text, expected| assert_eq!(parse_floor(text).ok(), expected, "{text:?}");
        check("95%", Some(0.95));
        check(" 99.5 % ", Some(0.995));
        check("0.9", Some(0.9));
        check("0", Some(0.0));
        check("100%", Some(1.0));
        for text in ["95", "101%", "-1%", "", "%", "NaN", "inf", "all"] {
            check(text, None);
        }
    }

    #[test]
    fn a_run_that_follows_its_plan_falls_short_nowhere() {
        check(&[], None);
        check(&repeat(50, 50, 30), None);
    }

    #[test]
    fn news_of_users_may_be_two_seconds_old() {
        let ramp = [(10, 0), (20, 8), (30, 19), (30, 21), (30, 29)];
        check(&[&ramp[..], &repeat(30, 30, 20)].concat(), None);
        let jump = [repeat(10, 10, 5), repeat(100, 10, 2), repeat(100, 100, 20), repeat(10, 100, 2)];
        check(&[jump.concat(), repeat(10, 10, 20)].concat(), None);
    }

    /// A plan that rises or falls by ten users a second.
    fn line(from: u64, to: u64) -> Vec<u64> {
        let steps = from.abs_diff(to) / 10;
        (0..=steps).map(|step| if to >= from { from + 10 * step } else { from - 10 * step }).collect()
    }

    #[test]
    fn a_plan_that_moves_is_compared_as_well() {
        let followed = |plan: &[u64], share: f64| {
            plan.iter().map(|planned| (*planned, (*planned as f64 * share) as u64)).collect::<Vec<_>>()
        };
        for (from, to) in [(500, 1000), (1000, 500)] {
            let plan = line(from, to);
            check(&followed(&plan, 1.0), None);
            let found = shortfalls(run(&followed(&plan, 0.75)).seconds().spans(), DELIVERED_FLOOR, true);
            let delivered = found.first().expect("a quarter of the users is missing").delivered;
            assert!((0.7..0.8).contains(&delivered), "{delivered} from {from} to {to}");
        }
    }

    #[test]
    fn a_line_of_few_users_may_miss_one() {
        check(
            &[(0, 0), (1, 0), (1, 0), (2, 1), (2, 1), (3, 2), (3, 2), (4, 3), (4, 3), (5, 4), (5, 4)],
            None,
        );
        check(&repeat(5, 4, 12), Some((2, 11, 0.8)));
    }

    #[test]
    fn losing_half_the_users_for_long_falls_short_where_it_was_worst() {
        let seconds = [repeat(50, 50, 12), repeat(50, 25, 10), repeat(50, 50, 12)].concat();
        check(&seconds, Some((12, 22, 0.5)));
    }

    #[test]
    fn a_short_dip_is_forgiven() {
        let seconds = [repeat(50, 50, 12), repeat(50, 40, 2), repeat(50, 50, 12)].concat();
        check(&seconds, None);
    }

    #[test]
    fn a_run_that_goes_on_is_not_judged_by_less_than_a_window() {
        let found = |seconds: usize, over| {
            let stats = run(&[repeat(50, 50, 5), repeat(50, 25, seconds)].concat());
            shortfalls(stats.seconds().spans(), DELIVERED_FLOOR, over).len()
        };
        assert_eq!((found(4, false), found(4, true)), (0, 1));
        assert_eq!((found(8, false), found(8, true)), (1, 1));
    }

    #[test]
    fn losses_that_are_far_apart_are_told_apart() {
        let seconds = [repeat(50, 50, 5), repeat(50, 25, 10), repeat(50, 50, 30), repeat(50, 10, 5)].concat();
        let stats = run(&[&seconds[..], &repeat(50, 50, 20)].concat());
        let found = shortfalls(stats.seconds().spans(), DELIVERED_FLOOR, true);
        assert_eq!(
            found.iter().map(|it| (it.from, it.to, it.delivered)).collect::<Vec<_>>(),
            [(5, 15, 0.5), (45, 50, 0.2)]
        );
        assert!(found[0].covers(14, 15) && !found[0].covers(15, 30) && found[1].covers(0, 46));
        assert_eq!(shortfalls(stats.seconds().spans(), 0.55, true).len(), 1, "a lower floor forgives more");
        assert_eq!(shortfalls(stats.seconds().spans(), 0.0, true), []);
    }

    #[test]
    fn iterations_that_are_dropped_are_missing_and_those_that_are_late_are_not() {
        let found = |dropped: &[u64]| {
            let mut recorder = Recorder::default();
            for (second, dropped) in dropped.iter().enumerate() {
                let at = RunTime::from_secs(second as u64);
                let started = 10_u64.saturating_sub(*dropped);
                let iterations = Iterations { planned: 10, started, late: started, dropped: *dropped };
                recorder.count_iterations(at, iterations);
            }
            let mut stats = RunStats::default();
            stats.apply("w", &recorder.take(), RunTime::from_secs(100));
            shortfalls(stats.seconds().spans(), DELIVERED_FLOOR, true)
        };
        assert_eq!(found(&[0; 30]), []);
        let mut dropped = [0; 30];
        dropped[15] = 5;
        assert_eq!(found(&dropped), [], "5 of 100");
        dropped[16] = 25;
        let of = Planned::Iterations;
        assert_eq!(found(&dropped), [Shortfall { of, from: 15, to: 17, delivered: 0.0 }]);
    }

    #[test]
    fn one_iteration_of_a_sparse_plan_is_forgiven() {
        let mut recorder = Recorder::default();
        let planned = Iterations { planned: 1, ..Iterations::default() };
        (0..20).for_each(|second| recorder.count_iterations(RunTime::from_secs(3 * second), planned));
        let dropped = Iterations { dropped: 1, ..Iterations::default() };
        recorder.count_iterations(RunTime::from_secs(31), dropped);
        let mut stats = RunStats::default();
        stats.apply("w", &recorder.take(), RunTime::from_secs(100));
        assert_eq!(shortfalls(stats.seconds().spans(), DELIVERED_FLOOR, true), []);
    }

    #[test]
    fn a_short_plateau_is_compared_as_a_whole() {
        check(&repeat(10, 5, 6), Some((2, 5, 0.5)));
    }

    #[test]
    fn too_many_users_later_do_not_make_up_for_too_few() {
        let seconds = [repeat(10, 10, 2), repeat(10, 5, 5), repeat(10, 15, 6)].concat();
        check(&seconds, Some((2, 7, 0.5)));
    }

    proptest! {
        /// Whatever a plan does, users that follow it are never found missing because of the way of the news.
        #[test]
        fn news_on_the_way_are_no_loss(
            turns in prop::collection::vec((1..30u64, 0..2000u64), 1..10), lag_tenths in 0..15u64, seed in any::<u64>(),
        ) {
            let mut plan = vec![0];
            for (seconds, to) in turns {
                let from = *plan.last().unwrap_or(&0);
                let steps = seconds * 10;
                plan.extend((1..=steps).map(|step| (from * (steps - step) + to * step) / steps));
            }
            let mut stats = RunStats::default();
            for (tenth, planned) in plan.iter().enumerate() {
                // News come every half a second, each after its own time on the way.
                let on_the_way = lag_tenths * (seed >> (tenth / 5 % 48) & 1);
                let seen = (tenth - tenth % 5).saturating_sub(on_the_way as usize);
                let steady = plan[seen..=tenth].iter().all(|users| users == planned);
                let users = if steady { *planned } else { plan[seen].saturating_sub(1) };
                stats.observe_users(RunTime::from_micros(tenth as u64 * 100_000), users, *planned);
            }
            prop_assert_eq!(shortfalls(stats.seconds().spans(), DELIVERED_FLOOR, true), []);
        }
    }
}
