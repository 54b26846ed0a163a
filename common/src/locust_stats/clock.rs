//! How far a worker's clock is from the master's.

use std::collections::VecDeque;

use super::unix::{SECOND_US, signed, timestamp_us};
use crate::locust::{Number, StatsReport};

/// How far the clocks seem apart before anything is corrected, in microseconds: messages take time too.
const SLACK_US: i64 = 250_000;

/// How many reports are remembered. A clock that is set during a run is noticed within about half as many.
const REPORTS_REMEMBERED: usize = 9;

/// How many reports have to agree before a clock is said to be ahead because of their beginnings.
const REPORTS_TO_AGREE: usize = 3;

/// How long ago the last request of a first report may seem to be before the clock is said to be behind, in
/// microseconds: some intervals between reports.
const FIRST_REPORT_AGE_US: i64 = 10 * SECOND_US;

/// Estimates a worker's clock minus the master's from the reports of that worker, of which Locust's carry the worker's
/// time and nothing else.
///
/// It stays at zero as long as that fits. Two things speak against it:
///
/// ```text
/// worker   report 1 made ......................... last request . report 2 made
///             \  = start of report 2                                 \
/// master       arrives (a little later)                               arrives
/// ```
///
/// * A report begins when the one before was made, which was a moment before that one arrived. The two are compared,
///   and the median of the last reports counts: a message that was delayed makes the clock seem behind, and a worker
///   that forgot its statistics in between makes it seem ahead, but neither happens most of the time.
/// * Nothing in a report can have happened after its arrival. This is certain, and so the least that is corrected.
///
/// The usual delay of messages cannot be told from a clock that is behind by as much. Up to 250 ms it is ignored;
/// beyond that the requests of the worker seem that much later than they were. Whole seconds, in which boomer reports,
/// are taken for their middle and have half a second more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkerClock {
    /// When the previous report arrived, in microseconds since 1970.
    previous_arrival_us: Option<i64>,
    /// The beginning of each report minus the arrival of the one before.
    beginnings_us: VecDeque<i64>,
    /// The latest moment in each report minus its arrival: what the offset is at least.
    floors_us: VecDeque<i64>,
    /// The last request of the newest report minus its arrival.
    last_request_us: Option<i64>,
    /// Whether the worker reports whole seconds.
    whole_seconds: bool,
}

impl WorkerClock {
    /// The clock of a worker that has not reported yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a report that arrived at `arrival_unix_us`, in microseconds since 1970 by the master's clock.
    /// It then says something about that report already.
    pub fn observe(&mut self, report: &StatsReport, arrival_unix_us: u64) {
        let arrival_us = signed(arrival_unix_us);
        let total = &report.stats_total;
        let beginning_us = timestamp_us(total.start_time);
        self.whole_seconds = matches!(total.start_time, Number::Int(_));
        if let Some(previous_us) = self.previous_arrival_us.replace(arrival_us) {
            let middle_us = if self.whole_seconds { SECOND_US / 2 } else { 0 };
            let apart_us = beginning_us.saturating_add(middle_us).saturating_sub(previous_us);
            remember(&mut self.beginnings_us, apart_us);
        }
        let last_request_us = total.last_request_timestamp.map(timestamp_us);
        let latest_us = last_request_us.map_or(beginning_us, |last_us| last_us.max(beginning_us));
        remember(&mut self.floors_us, latest_us.saturating_sub(arrival_us));
        self.last_request_us = last_request_us.map(|last_us| last_us.saturating_sub(arrival_us));
    }

    /// The worker's clock minus the master's, in microseconds.
    pub fn offset_us(&self) -> i64 {
        let slack_us = SLACK_US + if self.whole_seconds { SECOND_US / 2 } else { 0 };
        let floor_us = self.floors_us.iter().copied().max().unwrap_or(0);
        let estimate_us = match median(&self.beginnings_us) {
            Some(apart_us) if apart_us < -slack_us => apart_us,
            Some(apart_us) if apart_us > slack_us && self.beginnings_us.len() >= REPORTS_TO_AGREE => apart_us,
            Some(_) => 0,
            None => self.last_request_us.filter(|last_us| *last_us < -FIRST_REPORT_AGE_US).unwrap_or(0),
        };
        if floor_us > estimate_us.saturating_add(SLACK_US) { floor_us } else { estimate_us }
    }
}

fn remember(values: &mut VecDeque<i64>, value: i64) {
    if values.len() == REPORTS_REMEMBERED {
        values.pop_front();
    }
    values.push_back(value);
}

/// Of two in the middle the lower one: what seems ahead needs the majority.
fn median(values: &VecDeque<i64>) -> Option<i64> {
    let mut sorted: Vec<i64> = values.iter().copied().collect();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::locust_stats::{ReportFrame, report_of};
    use crate::stats::StatsDelta;

    const START_US: i64 = 1_795_437_327_000_000;
    const HOUR_US: i64 = 3_600 * SECOND_US;

    /// A worker that reports every three seconds and has something to report in the last tenth of a second.
    struct Worker {
        clock: WorkerClock,
        offset_us: i64,
        /// When it made its previous report, by the master's clock.
        previous_us: i64,
        whole_seconds: bool,
    }

    impl Worker {
        fn new(offset_us: i64) -> Self {
            Self { clock: WorkerClock::new(), offset_us, previous_us: START_US, whole_seconds: false }
        }

        fn time(&self, at_us: i64) -> Number {
            let worker_us = at_us + self.offset_us;
            if self.whole_seconds {
                Number::Int(worker_us.div_euclid(SECOND_US))
            } else {
                Number::Float(worker_us as f64 / 1e6)
            }
        }

        fn report(&mut self, delay_us: i64) {
            let now_us = self.previous_us + 3 * SECOND_US;
            let frame =
                ReportFrame { run_started_unix_us: 0, since_unix_us: 0, user_classes_count: Vec::new() };
            let mut report = report_of(&StatsDelta::default(), &frame);
            report.stats_total.start_time = self.time(self.previous_us);
            report.stats_total.last_request_timestamp = Some(self.time(now_us - 100_000));
            self.previous_us = now_us;
            self.clock.observe(&report, u64::try_from(now_us + delay_us).unwrap());
        }

        fn assert_close(&self, tolerance_us: i64) {
            let found_us = self.clock.offset_us();
            assert!((found_us - self.offset_us).abs() <= tolerance_us, "{found_us}, not {}", self.offset_us);
        }
    }

    #[test]
    fn nothing_is_known_of_a_new_worker() {
        assert_eq!(WorkerClock::new().offset_us(), 0);
    }

    #[test]
    fn clocks_that_agree_are_left_alone() {
        let mut worker = Worker::new(0);
        for delay_us in [0, 200_000, 1_000, 40_000, 0, 240_000, 5_000] {
            worker.report(delay_us);
            assert_eq!(worker.clock.offset_us(), 0);
        }
    }

    #[test]
    fn an_hour_is_found_with_the_first_report() {
        for offset_us in [HOUR_US, -HOUR_US] {
            let mut worker = Worker::new(offset_us);
            for _ in 0..20 {
                worker.report(2_000);
                worker.assert_close(150_000);
            }
            worker.assert_close(2_000);
        }
    }

    #[test]
    fn a_third_of_a_second_is_found_after_some_reports() {
        for offset_us in [300_000, -300_000] {
            let mut worker = Worker::new(offset_us);
            (0..4).for_each(|_| worker.report(2_000));
            worker.assert_close(2_000);
        }
    }

    #[test]
    fn whole_seconds_are_enough_for_hours() {
        for offset_us in [HOUR_US, -HOUR_US, 0] {
            let mut worker = Worker { whole_seconds: true, ..Worker::new(offset_us + 700_000) };
            for _ in 0..12 {
                worker.report(2_000);
                worker.assert_close(1_200_000);
            }
        }
        let mut worker = Worker { whole_seconds: true, ..Worker::new(0) };
        (0..12).for_each(|_| worker.report(2_000));
        assert_eq!(worker.clock.offset_us(), 0);
    }

    #[test]
    fn statistics_that_were_forgotten_do_not_set_the_clock() {
        let mut worker = Worker::new(0);
        (0..2).for_each(|_| worker.report(2_000));
        for _ in 0..3 {
            // A new run begins long after the last report.
            worker.previous_us += 60 * SECOND_US;
            worker.report(2_000);
            assert_eq!(worker.clock.offset_us(), 0);
            (0..3).for_each(|_| worker.report(2_000));
        }
    }

    #[test]
    fn one_message_that_was_late_does_not_set_the_clock() {
        let mut worker = Worker::new(0);
        (0..4).for_each(|_| worker.report(2_000));
        worker.report(2_900_000);
        worker.report(2_000);
        assert_eq!(worker.clock.offset_us(), 0);
    }

    #[test]
    fn a_clock_that_is_set_is_followed() {
        let mut worker = Worker::new(HOUR_US);
        (0..20).for_each(|_| worker.report(2_000));
        worker.offset_us = 0;
        (0..20).for_each(|_| worker.report(2_000));
        assert_eq!(worker.clock.offset_us(), 0);
    }

    #[test]
    fn absurd_times_do_not_overflow() {
        let absurd = [Number::Int(i64::MIN), Number::Int(i64::MAX), Number::Float(f64::MAX), Number::Int(0)];
        for (start_time, last_request) in
            absurd.iter().flat_map(|one| absurd.iter().map(move |two| (one, two)))
        {
            let mut clock = WorkerClock::new();
            let frame =
                ReportFrame { run_started_unix_us: 0, since_unix_us: 0, user_classes_count: Vec::new() };
            let mut report = report_of(&StatsDelta::default(), &frame);
            report.stats_total.start_time = *start_time;
            report.stats_total.last_request_timestamp = Some(*last_request);
            for arrival_unix_us in [0, u64::MAX, 1] {
                clock.observe(&report, arrival_unix_us);
                clock.offset_us();
            }
        }
    }

    proptest! {
        /// The estimate is off by the longest delay at most, or by the slack where it is zero.
        #[test]
        fn jitter_costs_no_more_than_itself(
            offset_us in prop_oneof![-2 * HOUR_US..2 * HOUR_US, -SECOND_US..SECOND_US],
            delays_us in prop::collection::vec(0_i64..400_000, 4..30),
        ) {
            let mut worker = Worker::new(offset_us);
            delays_us.iter().for_each(|delay_us| worker.report(*delay_us));
            let error_us = (worker.clock.offset_us() - offset_us).abs();
            prop_assert!(error_us <= SLACK_US + 400_000, "{error_us}");
        }
    }
}
