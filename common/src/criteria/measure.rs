//! The figures of a whole run, for criteria.

use super::Metric;
use crate::delivered::{plateau_rps, plateaus};
use crate::stats::{EntryStats, RunStats};

/// The figure of `metric` for one request name, or for all requests; `None` when there is no such figure.
pub(super) fn measure(stats: &RunStats, metric: Metric, name: Option<&str>) -> Option<f64> {
    let named;
    let entry = match name {
        None => stats.total(),
        Some(name) => {
            named = rows_named(stats, name)?;
            &named
        }
    };
    let millis = |micros: u64| micros as f64 / 1e3;
    match metric {
        Metric::Rps => rps(stats, entry, 0),
        Metric::Requests => Some(entry.requests as f64),
        Metric::Failures => Some(entry.failures as f64),
        Metric::FailRatio => (entry.requests > 0).then(|| entry.fail_ratio()),
        Metric::Avg => entry.mean_response_time_us().map(|micros| micros / 1e3),
        Metric::Min => entry.min_us.map(millis),
        Metric::Max => entry.max_us.map(millis),
        Metric::Percentile(share) => entry.percentiles_us(&[share])?.first().copied().map(millis),
        Metric::Users => Some(stats.seconds().spans().iter().map(|span| span.value.users.max).max()? as f64),
        Metric::Dropped => Some(stats.delivery().dropped as f64),
    }
}

/// How many requests of one name, or of all, there are to take a figure of.
pub(super) fn samples(stats: &RunStats, name: Option<&str>) -> u64 {
    match name {
        None => stats.total().requests,
        Some(name) => rows_named(stats, name).map_or(0, |rows| rows.requests),
    }
}

/// All requests of one name, whatever their method; `None` if there are none.
fn rows_named(stats: &RunStats, name: &str) -> Option<EntryStats> {
    let mut rows = stats.entries().iter().filter(|entry| *entry.key.name == *name);
    let mut sum = rows.next()?.clone();
    rows.for_each(|row| sum.absorb(row));
    Some(sum)
}

/// Requests per second of a name, or of all, outside ramps and from the second `since` on.
pub(super) fn rps_since(stats: &RunStats, name: Option<&str>, since: u32) -> Option<f64> {
    match name {
        None => rps(stats, stats.total(), since),
        Some(name) => rps(stats, &rows_named(stats, name)?, since),
    }
}

/// Requests per second outside ramps and from the second `since` on; over all of that time if it was nothing but a
/// ramp.
fn rps(stats: &RunStats, entry: &EntryStats, since: u32) -> Option<f64> {
    let spans = stats.seconds().spans();
    let spans = &spans[spans.partition_point(|span| span.start < since)..];
    let requests = |start: u32, width: u32| {
        entry.seconds.between(start, start + width - 1).iter().map(|span| span.value.requests).sum()
    };
    let whole = || match since {
        0 => (entry.requests > 0).then(|| entry.total_rates(stats.total().activity()).requests_per_s),
        _ => {
            let length_s: u32 = spans.iter().map(|span| span.width).sum();
            let count: u64 = spans.iter().map(|span| requests(span.start, span.width)).sum();
            (count > 0).then(|| count as f64 / f64::from(length_s))
        }
    };
    plateau_rps(&plateaus(spans), requests).or_else(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::criteria::Criterion;
    use crate::stats::{Recorder, Sample};
    use crate::time::RunTime;

    #[test]
    fn a_criterion_on_a_name_judges_every_method_of_that_name() {
        let mut recorder = Recorder::default();
        for (method, millis, failure) in [("GET", 10, None), ("POST", 30, Some("boom"))] {
            let entry = recorder.entry(method, "same");
            let (start, end) = (RunTime::ZERO, RunTime::from_micros(millis * 1000));
            recorder.record(entry, &Sample { intended: start, start, end, response_length: 1, failure });
        }
        let mut stats = RunStats::default();
        stats.apply("w", &recorder.take(), RunTime::from_secs(1));
        let check =
            |metric, expected| assert_eq!(measure(&stats, metric, Some("same")), expected, "{metric:?}");
        check(Metric::Requests, Some(2.0));
        check(Metric::FailRatio, Some(0.5));
        check(Metric::Min, Some(10.0));
        check(Metric::Max, Some(30.0));
        check(Metric::Avg, Some(20.0));
        check(Metric::Percentile(1.0), Some(30.0));
        assert_eq!(measure(&stats, Metric::Requests, Some("other")), None);
        let judge = |text: &str| Criterion::parse(text).unwrap().judge(&stats).measured;
        assert_eq!(judge("requests{name=\"same\"} > 0 with 2 samples"), Some(2.0));
        assert_eq!(judge("requests > 0 with 3 samples"), None, "a figure of too few requests is none");
        assert_eq!(judge("p95{name=\"other\"} < 1s with 1 samples"), None);
    }
}
