//! Both conversions together, and recorded reports of real workers.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::locust::{self, Number, StatsEntry, StatsReport, WorkerMessage};
use crate::stats::{
    EntryDelta, RateDelta, Recorder, RunStats, Sample, SparseHistogram, StatsDelta, bucket_of, locust_key_ms,
    locust_response_times,
};
use crate::time::RunTime;
use crate::zmtp::{Connection, Event, Limits};

const RUN_STARTED_UNIX_US: u64 = 1_795_437_327_700_000;

fn frame() -> ReportFrame {
    let run_started_unix_us = RUN_STARTED_UNIX_US;
    ReportFrame { run_started_unix_us, since_unix_us: run_started_unix_us, user_classes_count: Vec::new() }
}

fn there_and_back(delta: &StatsDelta) -> StatsDelta {
    let now = RunTime::from_secs(100_000);
    delta_of(&report_of(delta, &frame()), &WorkerClock::new(), now, RUN_STARTED_UNIX_US)
}

/// How far Locust's rounding moves a response time at most.
fn rounding_us(time_us: u64) -> u64 {
    match time_us {
        0..100_000 => 500,
        100_000..1_000_000 => 5_000,
        1_000_000..10_000_000 => 50_000,
        _ => 500_000,
    }
}

/// How far a response time is from its bucket's ends at most.
fn resolution_us(time_us: u64) -> u64 {
    let (lowest_us, highest_us) = bucket_of(time_us);
    highest_us - lowest_us + 1
}

/// A histogram through Locust's map and back.
fn rounded(times: &SparseHistogram) -> SparseHistogram {
    let map = locust_response_times(times.buckets().iter().copied());
    SparseHistogram::from_buckets(map.into_iter().map(|(ms, count)| (ms * 1_000, count)).collect())
}

/// One request: row, start, response time, both in microseconds, and the number of its error message.
type Request = (u8, u64, Option<u64>, Option<u8>);

fn request() -> impl Strategy<Value = Request> {
    let time_us = prop_oneof![0_u64..2_000, 0..200_000_u64, 0..20_000_000_u64];
    (0_u8..4, 0_u64..50_000_000, prop::option::weighted(0.9, time_us), prop::option::weighted(0.3, 0_u8..3))
}

fn recorded(requests: &[Request]) -> StatsDelta {
    let mut recorder = Recorder::default();
    for (row, start_us, time_us, error) in requests {
        let entry = recorder.entry(if row % 2 == 0 { "GET" } else { "POST" }, &format!("/{}", row / 2));
        let message = error.map(|number| format!("it's number {number}"));
        let failure = message.as_deref();
        let start = RunTime::from_micros(*start_us);
        match time_us {
            Some(time_us) => {
                let end = RunTime::from_micros(start_us + time_us);
                let response_length = 100 + u64::from(*row);
                recorder.record(entry, &Sample { intended: start, start, end, response_length, failure });
            }
            None => recorder.record_without_time(entry, start, 7, failure),
        }
    }
    recorder.take()
}

/// What a row becomes by rounding, without the times at which it was active.
fn lasting(row: &EntryDelta) -> EntryDelta {
    EntryDelta {
        response_times: rounded(&row.response_times),
        first_start: None,
        last_end: None,
        ..row.clone()
    }
}

proptest! {
    /// Below 100 ms a value moves by 0.5 ms at most, below 1 s by 5, below 10 s by 50, above by 500, and by the width
    /// of the buckets that it comes from and goes to.
    #[test]
    fn a_time_moves_no_further_than_locust_rounds(time_us in prop_oneof![0_u64..200_000, 0..20_000_000_u64, 0..1_u64 << 32]) {
        let there = SparseHistogram::from_buckets(vec![(time_us, 1)]);
        let back = rounded(&there);
        prop_assert_eq!(back.count(), 1);
        let found_us = back.buckets()[0].0;
        let bound_us = rounding_us(time_us + resolution_us(time_us)) + resolution_us(time_us) + resolution_us(found_us);
        prop_assert!(found_us.abs_diff(time_us) <= bound_us, "{} became {}, which is more than {}", time_us, found_us, bound_us);
    }

    #[test]
    fn every_time_is_counted(times in prop::collection::vec((0_u64..1 << 33, 1_u64..1 << 30), 0..200)) {
        let there = SparseHistogram::from_buckets(times);
        prop_assert_eq!(rounded(&there).count(), there.count());
    }

    #[test]
    fn nothing_is_lost_there_and_back(requests in prop::collection::vec(request(), 0..200)) {
        let delta = recorded(&requests);
        let back = there_and_back(&delta);
        prop_assert_eq!(delta.entries.len(), back.entries.len());
        for (row, same) in delta.entries.iter().zip(&back.entries) {
            prop_assert_eq!(lasting(row), lasting(same));
            prop_assert_eq!(row.response_times.count(), same.response_times.count());
            prop_assert!(row.last_end.unwrap().as_micros().abs_diff(same.last_end.unwrap().as_micros()) <= 1);
        }
        let counts = |delta: &StatsDelta| -> Vec<_> {
            let counted = |error: &crate::stats::ErrorDelta| (error.key.clone(), error.message.clone(), error.occurrences);
            delta.errors.iter().map(counted).collect()
        };
        prop_assert_eq!(counts(&delta), counts(&back));
        let by_second = |delta: &StatsDelta| -> Vec<_> {
            delta.seconds.iter().map(|second| (second.second, second.requests, second.failures)).collect()
        };
        prop_assert_eq!(by_second(&delta), by_second(&back));
        let timed: u64 = back.entries.iter().map(|row| row.response_times.count()).sum();
        prop_assert_eq!(back.seconds.iter().map(|second| second.response_times.count()).sum::<u64>(), timed);
    }

    /// Whatever a worker claims: no panic, every request in some second of the run so far, and figures to show.
    #[test]
    fn hostile_reports_do_no_harm(
        entries in prop::collection::vec(hostile_entry(), 0..8),
        arrival_unix_us in any::<u64>(),
        now_us in any::<u64>(),
    ) {
        let now = RunTime::from_micros(now_us);
        let report = report(entries);
        let mut clock = WorkerClock::new();
        clock.observe(&report, arrival_unix_us);
        clock.observe(&report, arrival_unix_us);
        let delta = delta_of(&report, &clock, now, RUN_STARTED_UNIX_US);
        let of_wire: u64 = report.stats.iter().filter(|entry| entry.num_requests > 0 || entry.num_failures > 0)
            .flat_map(|entry| &entry.num_reqs_per_sec).map(|(_, count)| (*count).min(MAX_COUNT_PER_REPORT)).sum();
        let rows = delta.entries.iter().flat_map(|row| &row.seconds);
        prop_assert_eq!(rows.clone().map(|second| second.requests).sum::<u64>(), of_wire);
        prop_assert_eq!(delta.seconds.iter().map(|second| second.requests).sum::<u64>(), of_wire);
        prop_assert!(rows.map(|second| u64::from(second.second)).all(|second| second <= now.as_secs()));
        for row in &delta.entries {
            prop_assert!(row.without_time <= row.requests);
            prop_assert!(row.min_us <= row.max_us);
            prop_assert!(row.first_start <= row.last_end && row.last_end <= Some(now));
        }
        let mut stats = RunStats::default();
        stats.apply("w", &delta, now);
        stats.apply("w", &delta, now);
        stats.total().percentiles_us(&[0.0, 0.5, 1.0]);
        stats.total().total_rates(stats.total().activity());
        report_of(&delta, &frame());
    }
}

fn hostile_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Int),
        (-10_i64..10_000).prop_map(Number::Int),
        prop::num::f64::NORMAL.prop_map(Number::Float),
        (-1e4..1e10).prop_map(Number::Float),
    ]
}

fn hostile_count() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), 0_u64..5]
}

fn hostile_entry() -> impl Strategy<Value = StatsEntry> {
    let seconds = || {
        let second = prop_oneof![any::<i64>(), 1_795_437_300_i64..1_795_437_400];
        prop::collection::vec((second, hostile_count()), 0..6)
    };
    let times = prop::collection::vec((hostile_number(), hostile_count()), 0..6);
    let counts = (hostile_count(), hostile_count(), hostile_count());
    let numbers = (hostile_number(), hostile_number(), hostile_number(), hostile_number());
    let options = (prop::option::of(hostile_number()), prop::option::of(hostile_number()));
    ("[ab]", times, seconds(), seconds(), counts, numbers, options).prop_map(
        |(name, response_times, num_reqs_per_sec, num_fail_per_sec, counts, numbers, options)| StatsEntry {
            name,
            method: String::new(),
            last_request_timestamp: options.0,
            start_time: numbers.0,
            num_requests: counts.0,
            num_none_requests: counts.1,
            num_failures: counts.2,
            total_response_time: numbers.1,
            max_response_time: numbers.2,
            min_response_time: options.1,
            total_content_length: numbers.3,
            response_times,
            num_reqs_per_sec,
            num_fail_per_sec,
        },
    )
}

fn report(stats: Vec<StatsEntry>) -> StatsReport {
    let empty = report_of(&StatsDelta::default(), &frame());
    let stats_total = stats.first().cloned().unwrap_or_else(|| empty.stats_total.clone());
    StatsReport { stats, stats_total, ..empty }
}

/// An entry of `count` requests of 10 ms each.
fn entry(name: &str, count: u64, seconds: Vec<(i64, u64)>) -> StatsEntry {
    let nothing = report(Vec::new()).stats_total;
    StatsEntry {
        name: name.to_owned(),
        method: "GET".to_owned(),
        num_requests: count,
        total_response_time: Number::Float(10.0 * count as f64),
        max_response_time: Number::Float(10.0),
        min_response_time: Some(Number::Float(10.0)),
        response_times: vec![(Number::Int(10), count)],
        num_reqs_per_sec: seconds,
        ..nothing
    }
}

fn delta_at(report: &StatsReport, now_s: u64) -> StatsDelta {
    delta_of(report, &WorkerClock::new(), RunTime::from_secs(now_s), RUN_STARTED_UNIX_US)
}

#[test]
fn rounding_is_that_of_locust() {
    for key_ms in (0..100).chain((100..1_000).step_by(10)).chain((1_000..10_000).step_by(100)) {
        let key_us = key_ms * 1_000;
        assert_eq!(locust_key_ms(key_us), key_ms, "what is rounded stays");
        let map = locust_response_times([(key_us, 3)]);
        assert_eq!(map, BTreeMap::from([(key_ms, 3)]), "also through a bucket");
    }
}

#[test]
fn parts_of_a_row_become_one() {
    let rows = vec![
        entry("/a", 2, vec![(1_795_437_330, 2)]),
        entry("/b", 1, vec![(1_795_437_330, 1)]),
        entry("/a", 3, vec![(1_795_437_331, 3)]),
    ];
    let delta = delta_at(&report(rows), 60);
    let counts: Vec<_> = delta.entries.iter().map(|row| (&*row.key.name, row.requests)).collect();
    assert_eq!(counts, [("/a", 5), ("/b", 1)]);
    let a = &delta.entries[0];
    assert_eq!(a.total_response_time_us, 50_000);
    assert_eq!(a.response_times.buckets(), [(bucket_of(10_000).0, 5)]);
    let seconds: Vec<_> = delta.seconds.iter().map(|second| (second.second, second.requests)).collect();
    assert_eq!(seconds, [(2, 3), (3, 3)]);
}

#[test]
fn seconds_outside_the_run_are_at_its_ends() {
    let seconds = vec![(0, 1), (i64::MIN, 2), (1_795_437_329, 4), (1_795_439_999, 8), (i64::MAX, 16)];
    let delta = delta_at(&report(vec![entry("/", 31, seconds)]), 5);
    let found: Vec<_> =
        delta.entries[0].seconds.iter().map(|second| (second.second, second.requests)).collect();
    assert_eq!(found, [(0, 3), (1, 4), (5, 24)]);
}

#[test]
fn times_are_dealt_out_like_requests() {
    let mut row = entry("/", 120, vec![(1_795_437_330, 30), (1_795_437_331, 60), (1_795_437_332, 30)]);
    row.response_times = (0..40).map(|ms| (Number::Int(ms), 3)).collect();
    let delta = delta_at(&report(vec![row]), 60);
    let counts: Vec<_> = delta.seconds.iter().map(|second| second.response_times.count()).collect();
    assert_eq!(counts.iter().sum::<u64>(), 120);
    for (count, expected) in counts.iter().zip([30_u64, 60, 30]) {
        assert!(count.abs_diff(expected) <= 3, "{counts:?}");
    }
    let medians: Vec<_> =
        delta.seconds.iter().map(|second| second.response_times.percentile_us(0.5)).collect();
    assert!(medians.iter().all(|median| (17_000..23_000).contains(&median.unwrap())), "{medians:?}");
}

#[test]
fn zeros_of_boomer_are_no_response_times() {
    let mut idle = entry("/", 0, Vec::new());
    idle.min_response_time = Some(Number::Int(0));
    idle.response_times = Vec::new();
    assert!(delta_at(&report(vec![idle.clone()]), 60).is_empty());
    idle.num_failures = 1;
    let row = &delta_at(&report(vec![idle]), 60).entries[0];
    assert_eq!((row.min_us, row.max_us, row.first_start, row.last_end), (None, None, None, None));
}

#[test]
fn a_worker_that_contradicts_itself_is_taken_at_its_word() {
    let mut row = entry("/", 10, vec![(1_795_437_330, 4)]);
    row.num_none_requests = 50;
    row.response_times = vec![(Number::Int(-5), 1), (Number::Float(0.25), 2), (Number::Float(1e300), 4)];
    let delta = delta_at(&report(vec![row]), 60);
    let row = &delta.entries[0];
    assert_eq!((row.requests, row.without_time, row.seconds[0].requests), (10, 10, 4));
    assert_eq!(row.response_times.buckets(), [(0, 1), (250, 2), (bucket_of(u64::MAX).0, 4)]);
}

#[test]
fn times_are_corrected_by_the_clock() {
    let rows = vec![entry("/", 6, vec![(1_795_440_930, 2), (1_795_440_931, 4)])];
    let mut report = report(rows);
    report.stats[0].last_request_timestamp = Some(Number::Float(1_795_440_931.9));
    report.stats_total = report.stats[0].clone();
    let mut clock = WorkerClock::new();
    clock.observe(&report, 1_795_437_331_900_000);
    assert_eq!(clock.offset_us(), 3_600_000_000);
    let delta = delta_of(&report, &clock, RunTime::from_secs(60), RUN_STARTED_UNIX_US);
    let seconds: Vec<_> = delta.seconds.iter().map(|second| (second.second, second.requests)).collect();
    assert_eq!(seconds, [(2, 2), (3, 4)]);
    assert_eq!(delta.entries[0].last_end, Some(RunTime::from_micros(4_200_000)));
}

#[test]
fn errors_with_the_same_text_become_one() {
    let error = |key: &str, error: &str, occurrences: u64, seen: Option<f64>| locust::ErrorEntry {
        key: key.to_owned(),
        name: "/".to_owned(),
        method: "GET".to_owned(),
        error: error.to_owned(),
        occurrences,
        first_seen: seen.map(Number::Float),
        last_seen: seen.map(Number::Float),
    };
    let mut report = report(Vec::new());
    report.errors = vec![
        error("k1", "timeout", 2, Some(1_795_437_330.7)),
        error("k2", "refused", u64::MAX, None),
        error("k3", "timeout", 3, Some(1_795_437_329.7)),
        error("k4", "never", 0, None),
    ];
    let errors = delta_at(&report, 60).errors;
    let counts: Vec<_> = errors.iter().map(|error| (&*error.message, error.occurrences)).collect();
    assert_eq!(counts, [("timeout", 5), ("refused", MAX_COUNT_PER_REPORT)]);
    assert_eq!(errors[0].first_seen, Some(RunTime::from_secs(2)));
    assert_eq!(errors[0].last_seen, Some(RunTime::from_secs(3)));
    assert_eq!((errors[1].first_seen, errors[1].last_seen), (None, None));
}

/// All reports of one recorded connection, in their order.
fn recorded_reports(hex: &str, connection: &str) -> Vec<StatsReport> {
    let digits = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    };
    let segments = hex.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let ours = segments.filter(|parts| parts[1] == connection && parts[2] == "w>m");
    let bytes: Vec<u8> = ours.flat_map(|parts| digits(parts[4])).collect();
    let mut input = bytes.as_slice();
    let mut router = Connection::router(Limits::default());
    let mut reports = Vec::new();
    while let Some(event) = router.handle_bytes(&mut input).unwrap() {
        let Event::Message(message) = event else { continue };
        let limits = locust::Limits { depth_max: 8, values_max: 10_000 };
        if let WorkerMessage::Stats(report) = WorkerMessage::decode(&message.body, limits).unwrap().message {
            reports.push(*report);
        }
    }
    reports
}

const RUN1: &str = include_str!("../../tests/fixtures/locust_wire/run1.hex");
const RUN5: &str = include_str!("../../tests/fixtures/locust_wire/run5.hex");

fn row<'a>(delta: &'a StatsDelta, name: &str) -> &'a EntryDelta {
    delta.entries.iter().find(|row| *row.key.name == *name).unwrap()
}

fn by_second(delta: &StatsDelta) -> Vec<(u32, u64, u64)> {
    delta.seconds.iter().map(|second| (second.second, second.requests, second.failures)).collect()
}

#[test]
fn a_recorded_report_of_locust_is_understood() {
    let report = &recorded_reports(RUN1, "c3")[4];
    let delta = delta_at(report, 60);
    let missing = row(&delta, "/missing");
    let rate = |second, count| RateDelta { second, requests: count, failures: count };
    let expected = EntryDelta {
        key: missing.key.clone(),
        requests: 8,
        failures: 8,
        without_time: 0,
        total_response_time_us: 7_565,
        min_us: Some(736),
        max_us: Some(1_193),
        response_length: 32,
        first_start: Some(RunTime::from_micros(10_518_299)),
        last_end: Some(RunTime::from_micros(13_216_755)),
        response_times: SparseHistogram::from_buckets(vec![(1_000, 8)]),
        corrected_times: None,
        seconds: vec![rate(10, 3), rate(11, 1), rate(12, 4)],
    };
    assert_eq!(*missing, expected);
    assert_eq!(row(&delta, "slow one").response_times.buckets(), [(bucket_of(150_000).0, 3)]);
    assert_eq!(by_second(&delta), [(10, 7, 5), (11, 6, 3), (12, 7, 4), (13, 1, 0)]);
    let error = delta.errors.iter().find(|error| *error.key.name == *"/missing").unwrap();
    assert_eq!((&*error.message, error.occurrences), ("LocustBadStatusCode(code=404)", 8));
    assert_eq!(error.first_seen, Some(RunTime::from_micros(10_531_696)));
    assert_eq!(error.last_seen, Some(RunTime::from_micros(13_216_802)));

    let mut stats = RunStats::default();
    stats.apply("w", &delta, RunTime::from_secs(60));
    let total = stats.total();
    assert_eq!((total.requests, total.failures, total.without_time, total.response_length), (21, 12, 0, 95));
    assert_eq!((total.min_us, total.max_us), (Some(736), Some(149_437)));
    assert_eq!(total.total_response_time_us, 554_069, "the reported 554.068 ms, with five rows rounded");
}

#[test]
fn a_recorded_report_of_boomer_is_understood() {
    let report = &recorded_reports(RUN5, "c1")[0];
    let delta = delta_of(report, &WorkerClock::new(), RunTime::from_secs(60), 1_795_437_910_000_000);
    let foo = row(&delta, "foo");
    assert_eq!((foo.requests, foo.failures, foo.response_length), (13, 0, 130));
    assert_eq!(foo.total_response_time_us, 1_911_000);
    assert_eq!((foo.min_us, foo.max_us), (Some(147_000), Some(147_000)));
    assert_eq!((foo.first_start, foo.last_end), (Some(RunTime::from_secs(3)), Some(RunTime::from_secs(5))));
    assert_eq!(foo.response_times.buckets(), [(bucket_of(150_000).0, 13)]);
    assert_eq!(by_second(&delta), [(3, 3, 1), (4, 10, 4), (5, 6, 1)]);
    let error = &delta.errors[0];
    assert_eq!((&*error.message, error.occurrences, error.first_seen), ("udp error", 6, None));
}

#[test]
fn recorded_reports_keep_every_request() {
    for (hex, connection) in [(RUN1, "c2"), (RUN1, "c3"), (RUN5, "c1"), (RUN5, "c2")] {
        let reports = recorded_reports(hex, connection);
        assert!(reports.len() >= 5, "the recording has reports");
        for report in reports {
            let delta = delta_at(&report, 60);
            let sum = |count: fn(&EntryDelta) -> u64| delta.entries.iter().map(count).sum::<u64>();
            let total = &report.stats_total;
            assert_eq!(sum(|row| row.requests), total.num_requests);
            assert_eq!(sum(|row| row.failures), total.num_failures);
            assert_eq!(sum(|row| row.without_time), total.num_none_requests);
            let seconds = by_second(&delta);
            assert_eq!(seconds.iter().map(|(_, requests, _)| requests).sum::<u64>(), total.num_requests);
            assert_eq!(seconds.iter().map(|(_, _, failures)| failures).sum::<u64>(), total.num_failures);
        }
    }
}

#[test]
fn keys_of_recorded_errors_are_ours() {
    let reports = ["c2", "c3"].into_iter().flat_map(|connection| recorded_reports(RUN1, connection));
    let errors: Vec<_> = reports.flat_map(|report| report.errors).collect();
    assert!(errors.len() >= 5, "the recording has errors");
    for error in errors {
        assert_eq!(error_key(&error.method, &error.name, &error.error), error.key);
    }
}

#[test]
fn a_report_of_nothing_is_the_recorded_one() {
    let recorded = recorded_reports(RUN1, "c2").swap_remove(0);
    let user_classes_count = vec![("UserA".to_owned(), 0), ("UserB".to_owned(), 0)];
    let mut ours = report_of(&StatsDelta::default(), &ReportFrame { user_classes_count, ..frame() });
    ours.stats_total.start_time = recorded.stats_total.start_time;
    assert_eq!(ours, recorded);
}
