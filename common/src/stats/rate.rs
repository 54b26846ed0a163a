//! Requests per second, as Locust computes them, but on the run's own clock.

use super::buckets::RateBucket;
use super::series::{Series, second_of};
use crate::time::RunTime;

/// Requests and failures per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Requests per second.
    pub requests_per_s: f64,
    /// Failures per second.
    pub failures_per_s: f64,
}

/// From the start of the first request of the run to the end of its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// When the first request started.
    pub first_start: RunTime,
    /// When the last one ended.
    pub last_end: RunTime,
}

/// The current window ends this many seconds before the newest second, which is not yet complete.
const SETTLING_S: u32 = 3;
/// The current window begins this many seconds before the newest second.
const WINDOW_S: u32 = 12;
/// Reports reach the master this many seconds late at most.
const REPORT_DELAY_S: u32 = 2;

/// The rates of one row at `now`: the mean of up to ten whole seconds, of which the last is three seconds back.
///
/// `activity` is that of all rows together. Locust counts back from the last request, so that its figure stays where
/// it is when a target stops answering; here the window moves on with `now`, and the figure falls to zero.
pub fn current(seconds: &Series<RateBucket>, activity: Option<Activity>, now: RunTime) -> Rates {
    let Some((from, to)) = window(activity, now) else { return Rates::default() };
    let in_window = seconds.between(from, to).iter();
    let sum = in_window.fold(RateBucket::default(), |mut sum, span| {
        sum.add(span.value);
        sum
    });
    per_second(sum.requests, sum.failures, f64::from(to - from + 1))
}

/// The first and the last second of what is current at `now`; `None` as long as there is none.
pub fn window(activity: Option<Activity>, now: RunTime) -> Option<(u32, u32)> {
    let Activity { first_start, last_end } = activity?;
    let newest = second_of(last_end).max(second_of(now).saturating_sub(REPORT_DELAY_S));
    let from = newest.saturating_sub(WINDOW_S).max(second_of(first_start));
    let to = newest.checked_sub(SETTLING_S)?;
    (from <= to).then_some((from, to))
}

/// The rates of one row over the whole run so far; zero while the run has no length.
pub fn whole_run(requests: u64, failures: u64, activity: Option<Activity>) -> Rates {
    let Some(Activity { first_start, last_end }) = activity else { return Rates::default() };
    let length_s = last_end.saturating_since(first_start).as_secs_f64();
    if length_s > 0.0 { per_second(requests, failures, length_s) } else { Rates::default() }
}

fn per_second(requests: u64, failures: u64, length_s: f64) -> Rates {
    Rates { requests_per_s: requests as f64 / length_s, failures_per_s: failures as f64 / length_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten requests, one of them failed, in each of `seconds`.
    fn steady(seconds: std::ops::Range<u32>) -> Series<RateBucket> {
        let mut series = Series::<RateBucket>::default();
        seconds.for_each(|second| series.at(second).add(RateBucket { requests: 10, failures: 1 }));
        series
    }

    fn activity(first_start_s: u64, last_end_s: u64) -> Option<Activity> {
        let [first_start, last_end] = [first_start_s, last_end_s].map(RunTime::from_secs);
        Some(Activity { first_start, last_end })
    }

    fn check(seconds: std::ops::Range<u32>, now_s: u64, expected_requests_per_s: f64) {
        let activity = activity(u64::from(seconds.start), u64::from(seconds.end - 1));
        let rates = current(&steady(seconds.clone()), activity, RunTime::from_secs(now_s));
        let Rates { requests_per_s, failures_per_s } = rates;
        assert!(
            (requests_per_s - expected_requests_per_s).abs() < 1e-9,
            "{rates:?} for {seconds:?} at {now_s}"
        );
        assert!((failures_per_s * 10.0 - requests_per_s).abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn the_first_seconds_read_zero() {
        check(0..1, 1, 0.0);
        check(0..3, 3, 0.0);
        check(0..4, 4, 10.0);
        check(100..103, 103, 0.0);
        check(100..104, 104, 10.0);
    }

    #[test]
    fn the_window_is_ten_seconds_and_ends_three_back() {
        check(0..60, 60, 10.0);
        let mut series = steady(0..60);
        for (second, inside) in [(46, false), (47, true), (56, true), (57, false)] {
            let before = current(&series, activity(0, 59), RunTime::from_secs(60)).requests_per_s;
            series.at(second).add(RateBucket { requests: 100, failures: 0 });
            let after = current(&series, activity(0, 59), RunTime::from_secs(60)).requests_per_s;
            assert!((after - before - if inside { 10.0 } else { 0.0 }).abs() < 1e-9, "second {second}");
        }
    }

    #[test]
    fn the_rate_falls_to_zero_when_a_target_stops_answering() {
        check(0..60, 61, 10.0);
        check(0..60, 66, 8.0);
        check(0..60, 70, 4.0);
        check(0..60, 75, 0.0);
        check(0..60, 10_000, 0.0);
    }

    #[test]
    fn no_request_means_no_rate() {
        assert_eq!(current(&steady(0..60), None, RunTime::from_secs(60)), Rates::default());
        assert_eq!(whole_run(5, 5, None), Rates::default());
        assert_eq!(whole_run(5, 5, activity(7, 7)), Rates::default());
    }

    #[test]
    fn the_whole_run_is_from_the_first_start_to_the_last_end() {
        let rates = whole_run(300, 30, activity(10, 70));
        assert_eq!(rates, Rates { requests_per_s: 5.0, failures_per_s: 0.5 });
    }
}
