//! Delivered load against planned load: whether a run's numbers may judge anything.
//!
//! Ramps are left out, because users are counted when workers say so, which is a moment after they were planned.
//! What remains are plateaus: spans over which the plan asked for one number of users.
//!
//! ```text
//! planned users     ______________________
//!                  /  settling |plateau   \
//!                 /            |          |
//! ```

use crate::stats::{Delivery, RunBucket, Span};

/// The share of the plan below which a run judges nothing.
pub const DELIVERED_FLOOR: f64 = 0.95;

/// The span over which delivered users are compared with planned ones, in seconds.
const WINDOW_S: u32 = 10;

/// After a ramp, so many seconds are not compared: workers report their users twice a second.
const SETTLING_S: u32 = 2;

/// A window in which too few users ran.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shortfall {
    /// Its first second.
    pub from: u32,
    /// The second after its last.
    pub to: u32,
    /// Users that ran as a share of users that were planned, 0 to 1.
    pub delivered: f64,
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

/// The worst window of any plateau, if it is below the floor.
pub fn worst_shortfall(plateaus: &[Plateau<'_>]) -> Option<Shortfall> {
    let windows = plateaus.iter().flat_map(|plateau| windows(plateau.spans));
    windows
        .filter(|window| window.delivered < DELIVERED_FLOOR)
        .min_by(|a, b| a.delivered.total_cmp(&b.delivered))
}

/// Iterations that began as a share of those that were planned; `None` if none were.
pub fn started_share(delivery: Delivery) -> Option<f64> {
    (delivery.planned > 0).then(|| delivery.started as f64 / delivery.planned as f64)
}

/// Every window of ten seconds within a plateau; all of it if it is shorter.
fn windows(spans: &[Span<RunBucket>]) -> impl Iterator<Item = Shortfall> + '_ {
    let end = spans.last().map_or(0, |span| span.start + span.width);
    let first = spans.first().map_or(0, |span| span.start);
    let last_start = end.saturating_sub(WINDOW_S).max(first);
    let starts = spans.iter().take_while(move |span| span.start <= last_start).enumerate();
    starts.filter_map(move |(index, span)| window(&spans[index..], (span.start + WINDOW_S).min(end)))
}

/// The window from the first of `spans` up to, and without, the second `to`.
fn window(spans: &[Span<RunBucket>], to: u32) -> Option<Shortfall> {
    let from = spans.first()?.start;
    let inside = spans.iter().take_while(|span| span.start < to);
    let (mut ran, mut planned) = (0.0, 0.0);
    for span in inside {
        // A second in which nobody looked says nothing.
        if let (Some(users), Some(plan)) = (span.value.users.mean(), span.value.planned_users.mean()) {
            // More users than planned in one second do not make up for fewer in another.
            ran += users.min(plan) * f64::from(span.width);
            planned += plan * f64::from(span.width);
        }
    }
    (planned > 0.0).then(|| Shortfall { from, to, delivered: ran / planned })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::RunStats;
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
        let worst = worst_shortfall(&plateaus(stats.seconds().spans()));
        assert_eq!(worst.map(|it| (it.from, it.to, it.delivered)), expected, "{seconds:?}");
    }

    fn repeat(planned: u64, users: u64, seconds: usize) -> Vec<(u64, u64)> {
        vec![(planned, users); seconds]
    }

    #[test]
    fn a_run_that_follows_its_plan_falls_short_nowhere() {
        check(&[], None);
        check(&repeat(50, 50, 30), None);
    }

    #[test]
    fn a_ramp_and_the_seconds_after_it_are_not_compared() {
        let ramp = [(10, 0), (20, 8), (30, 19), (30, 21), (30, 29)];
        check(&[&ramp[..], &repeat(30, 30, 20)].concat(), None);
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
    fn a_short_plateau_is_compared_as_a_whole() {
        check(&repeat(10, 5, 6), Some((2, 5, 0.5)));
    }

    #[test]
    fn too_many_users_later_do_not_make_up_for_too_few() {
        let seconds = [repeat(10, 10, 2), repeat(10, 5, 5), repeat(10, 15, 6)].concat();
        check(&seconds, Some((2, 12, 0.75)));
    }
}
