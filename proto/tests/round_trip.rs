//! The wire keeps what it is given, refuses what makes no sense, and is thrifty.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use prost::Message;
use rand_distr::{Distribution as _, LogNormal};
use sentinel_common::arrivals::{ArrivalRate, Slot, SteadyArrivals};
use sentinel_common::files::{CHUNK_BYTES_MAX, Checksum, FileChunk, FileRef};
use sentinel_common::ids::{Generation, RunId, WorkerId};
use sentinel_common::messages::{
    ArrivalShare, Assignment, ClassCounts, FromWorker, Heartbeat, LocustPlan, NO_VARIABLES, Ready, Resources,
    RowsLease, RowsRequest, RowsReturned, RunPlan, StatsReport, ToWorker, Vitals, Wire, WorkerState,
};
use sentinel_common::random::UserRng;
use sentinel_common::rows::RowRange;
use sentinel_common::scenario::{Adjustments, ClassEdit};
use sentinel_common::stats::{
    Accumulator, Delivery, Overflow, PERCENTILES_TO_REPORT, Recorder, RunStats, Sample, StatsDelta,
};
use sentinel_common::time::RunTime;
use sentinel_proto::{Decode, DecodeError, Encode as _, MAX_MESSAGE_BYTES, v1};

// What is said.

fn run_id() -> impl Strategy<Value = RunId> {
    "[a-z0-9-]{1,36}".prop_map(|text| RunId::new(&text))
}

fn worker_id() -> impl Strategy<Value = WorkerId> {
    "[a-zA-Z0-9.-]{1,30}_[0-9a-f]{32}".prop_map(|text| WorkerId::new(&text).unwrap())
}

fn generation() -> impl Strategy<Value = Generation> {
    any::<u64>().prop_map(Generation)
}

fn run_time() -> impl Strategy<Value = RunTime> {
    any::<u64>().prop_map(RunTime::from_micros)
}

fn span() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_micros)
}

fn users() -> impl Strategy<Value = ClassCounts> {
    btree_map("\\PC{1,12}", any::<u32>(), 0..5)
}

/// A text that is there, in any script.
fn text() -> impl Strategy<Value = String> {
    "\\PC{1,40}"
}

fn ready() -> impl Strategy<Value = Ready> {
    let resources = any::<(u32, u32, u64, u32)>().prop_map(|(threads, cores, open_files, ports)| Resources {
        threads,
        cores,
        open_files,
        ports,
    });
    (worker_id(), any::<u32>(), text(), vec(text(), 0..3), option::of(run_id()), resources).prop_map(
        |(worker, wire_version, software_version, capabilities, run, resources)| Ready {
            worker,
            wire: Wire::Grpc,
            wire_version,
            software_version,
            capabilities,
            run,
            resources,
        },
    )
}

fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let state = prop_oneof![
        Just(WorkerState::Ready),
        Just(WorkerState::Spawning),
        Just(WorkerState::Running),
        Just(WorkerState::Stopping),
    ];
    let vitals = (0_f32..1e6, any::<u64>(), span(), option::of(0_f32..100.0), option::of(any::<u64>()))
        .prop_map(|(cpu_percent, memory_bytes, wakeup_lag, network_percent, in_flight)| Vitals {
            cpu_percent,
            memory_bytes,
            wakeup_lag,
            network_percent,
            in_flight,
        });
    (state, [users(), users(), users()], vitals).prop_map(|(state, [users, finished, pool], vitals)| {
        Heartbeat { state, users, finished, pool, vitals }
    })
}

/// One thing that a user does.
#[derive(Clone, Debug)]
enum Deed {
    Request { row: usize, late_us: u64, start_us: u64, time_us: u64, length: u64, failure: Option<String> },
    Untimed { row: usize, at_us: u64, failure: Option<String> },
    Failure { row: usize, at_us: u64, message: String },
    Exception { message: String, traceback: String },
}

fn deed() -> impl Strategy<Value = Deed> {
    let (row, at_us) = (0..4_usize, 0..100_000_000_u64);
    let late_us = prop_oneof![3 => Just(0), 1 => 0..2_000_000_u64];
    let time_us = prop_oneof![9 => 0..3_000_000_u64, 1 => any::<u64>()];
    prop_oneof![
        8 => (row.clone(), late_us, at_us.clone(), time_us, any::<u64>(), option::weighted(0.2, text())).prop_map(
            |(row, late_us, start_us, time_us, length, failure)| Deed::Request {
                row, late_us, start_us, time_us, length, failure,
            }
        ),
        1 => (row.clone(), at_us.clone(), option::of(text()))
            .prop_map(|(row, at_us, failure)| Deed::Untimed { row, at_us, failure }),
        1 => (row, at_us, text()).prop_map(|(row, at_us, message)| Deed::Failure { row, at_us, message }),
        1 => (text(), "\\PC{0,40}").prop_map(|(message, traceback)| Deed::Exception { message, traceback }),
    ]
}

fn perform(recorder: &mut Recorder, deed: &Deed) {
    const ROWS: [(&str, &str); 4] = [("GET", "/"), ("POST", "/"), ("GET", "/käse"), ("", "no method")];
    match deed {
        Deed::Request { row, late_us, start_us, time_us, length, failure } => {
            let start = RunTime::from_micros(*start_us);
            let sample = Sample {
                intended: start - Duration::from_micros(*late_us),
                start,
                end: start + Duration::from_micros(*time_us),
                response_length: *length,
                failure: failure.as_deref(),
            };
            let entry = recorder.entry(ROWS[*row].0, ROWS[*row].1);
            recorder.record(entry, &sample);
        }
        Deed::Untimed { row, at_us, failure } => {
            let entry = recorder.entry(ROWS[*row].0, ROWS[*row].1);
            recorder.record_without_time(entry, RunTime::from_micros(*at_us), 0, failure.as_deref());
        }
        Deed::Failure { row, at_us, message } => {
            let entry = recorder.entry(ROWS[*row].0, ROWS[*row].1);
            recorder.record_failure(entry, RunTime::from_micros(*at_us), message);
        }
        Deed::Exception { message, traceback } => recorder.exception(message, traceback),
    }
}

/// What a recorder made of some deeds, with all counters that others advance.
fn delta() -> impl Strategy<Value = StatsDelta> {
    (vec(deed(), 0..60), any::<[u64; 8]>(), any::<[u64; 3]>(), any::<bool>()).prop_map(
        |(deeds, delivery, overflow, timeless)| {
            let mut recorder = Recorder::default();
            deeds.iter().for_each(|deed| perform(&mut recorder, deed));
            let [planned, started, late, dropped, sent, answered, failed, in_flight_at_stop] = delivery;
            *recorder.delivery_mut() =
                Delivery { planned, started, late, dropped, sent, answered, failed, in_flight_at_stop };
            let mut delta = recorder.take();
            let [names_capped, errors_capped, exceptions_capped] = overflow;
            delta.overflow = Overflow { names_capped, errors_capped, exceptions_capped };
            if timeless {
                // As from a worker that does not say when.
                delta.errors.iter_mut().for_each(|error| (error.first_seen, error.last_seen) = (None, None));
            }
            delta
        },
    )
}

fn from_worker() -> impl Strategy<Value = FromWorker> {
    let stats =
        (run_id(), any::<u64>(), delta()).prop_map(|(run, seq, delta)| StatsReport { run, seq, delta });
    prop_oneof![
        1 => ready().prop_map(FromWorker::Ready),
        1 => generation().prop_map(|generation| FromWorker::Spawning { generation }),
        1 => (generation(), users())
            .prop_map(|(generation, users)| FromWorker::SpawningComplete { generation, users }),
        4 => stats.prop_map(FromWorker::Stats),
        1 => heartbeat().prop_map(FromWorker::Heartbeat),
        1 => vec(text(), 0..3).prop_map(|lines| FromWorker::Logs { lines }),
        1 => (checksum(), any::<u64>())
            .prop_map(|(sha256, offset)| FromWorker::FileRequest { sha256, offset }),
        1 => (run_id(), result(text())).prop_map(|(run, result)| FromWorker::SetupDone { run, result }),
        1 => (run_id(), result(Just(())))
            .prop_map(|(run, result)| FromWorker::TeardownDone { run, result }),
        1 => rows_request().prop_map(FromWorker::RowsRequest),
        1 => rows_returned().prop_map(FromWorker::RowsReturned),
        1 => run_id().prop_map(|run| FromWorker::ClientStopped { run }),
        1 => Just(FromWorker::Quit),
    ]
}

fn checksum() -> impl Strategy<Value = Checksum> {
    any::<[u8; 32]>().prop_map(Checksum)
}

fn files() -> impl Strategy<Value = Vec<FileRef>> {
    // Names differ, because they are the keys of a map.
    btree_map(text(), (0..=16_u64 << 20, checksum()), 0..4).prop_map(|files| {
        files.into_iter().map(|(name, (bytes, sha256))| FileRef { name, bytes, sha256 }).collect()
    })
}

fn chunk() -> impl Strategy<Value = FileChunk> {
    (checksum(), any::<u64>(), any::<u64>(), vec(any::<u8>(), 0..64))
        .prop_map(|(sha256, offset, total, bytes)| FileChunk { sha256, offset, total, bytes: bytes.into() })
}

fn ranges() -> impl Strategy<Value = Vec<RowRange>> {
    let range = (any::<u64>(), any::<u64>()).prop_map(|(a, b)| a.min(b)..a.max(b).max(1));
    vec(range.prop_filter("rows", |range| !range.is_empty()), 0..4)
}

fn rows_request() -> impl Strategy<Value = RowsRequest> {
    (run_id(), text(), any::<u64>(), any::<u64>(), any::<u32>())
        .prop_map(|(run, source, request, left, want)| RowsRequest { run, source, request, left, want })
}

fn rows_returned() -> impl Strategy<Value = RowsReturned> {
    (run_id(), text(), any::<u64>(), ranges()).prop_map(|(run, source, request, ranges)| RowsReturned {
        run,
        source,
        request,
        ranges,
    })
}

fn rows_lease() -> impl Strategy<Value = RowsLease> {
    (run_id(), text(), any::<u64>(), ranges(), any::<bool>()).prop_map(
        |(run, source, request, ranges, exhausted)| RowsLease { run, source, request, ranges, exhausted },
    )
}

fn result<T: std::fmt::Debug>(good: impl Strategy<Value = T>) -> impl Strategy<Value = Result<T, String>> {
    (good, option::of(text())).prop_map(|(good, bad)| bad.map_or(Ok(good), Err))
}

fn plan() -> impl Strategy<Value = RunPlan> {
    let scenario = (text(), text(), option::of(text()), option::of(text()));
    let clock = (span(), any::<u64>(), run_time());
    let names = || vec(text(), 0..3);
    let weight = option::of(prop_oneof![Just(0.0), 0.0..1e6]);
    let edit =
        (text(), option::of(0.0..1e6), option::of(any::<u32>()), option::of(text()), option::of(names()))
            .prop_map(|(user_class_name, weight, fixed_count, host, tasks)| ClassEdit {
                user_class_name,
                weight,
                fixed_count,
                wait_time: host.clone(),
                host,
                tasks,
            });
    let steady = (1..1_000_000u32, 1..1_000u32)
        .prop_map(|(rate, max_users)| SteadyArrivals { rate: ArrivalRate::per_second(rate), max_users });
    let adjustments = (any::<bool>(), vec(edit, 0..3), option::of(steady))
        .prop_map(|(equal_weights, edits, arrivals)| Adjustments { equal_weights, edits, arrivals });
    let choice = (vec((text(), weight), 0..3), names(), names(), option::of(any::<u64>()), adjustments);
    (run_id(), scenario, clock, choice, (text(), files(), names())).prop_map(
        |(run, scenario, (stop_timeout, seed, run_time), choice, (variables, files, sources))| {
            let (classes, tags, exclude_tags, iterations, adjustments) = choice;
            let (scenario_name, scenario, profile, host) = scenario;
            RunPlan {
                run,
                scenario_name,
                scenario,
                profile,
                host,
                stop_timeout,
                seed,
                run_time,
                classes,
                tags,
                exclude_tags,
                adjustments,
                iterations,
                variables,
                files,
                sources,
                locust: LocustPlan::default(),
            }
        },
    )
}

fn assignment() -> impl Strategy<Value = Assignment> {
    let spawn_rate = prop_oneof![Just(0.0), Just(f64::MAX), 0.0..1e6];
    let arrivals = vec(arrival_share(), 0..4);
    (run_id(), generation(), users(), spawn_rate, span(), arrivals).prop_map(
        |(run, generation, users, spawn_rate, first_delay, arrivals)| Assignment {
            run,
            generation,
            users,
            spawn_rate,
            first_delay,
            arrivals,
        },
    )
}

fn arrival_share() -> impl Strategy<Value = ArrivalShare> {
    let slot = (1..=Slot::MAX_SHARERS, any::<u32>()).prop_map(|(of, index)| Slot::new(index % of, of));
    (text(), prop_oneof![Just(None), slot], any::<u32>(), run_time(), option::of(run_time())).prop_map(
        |(class, slot, max_users, from, until)| ArrivalShare { class, slot, max_users, from, until },
    )
}

fn to_worker() -> impl Strategy<Value = ToWorker> {
    prop_oneof![
        any::<u32>().prop_map(|index| ToWorker::Ack { index }),
        text().prop_map(|reason| ToWorker::Refused { reason }),
        plan().prop_map(|plan| ToWorker::Plan(Arc::new(plan))),
        plan().prop_map(|plan| ToWorker::Setup(Arc::new(plan))),
        plan().prop_map(|plan| ToWorker::Teardown(Arc::new(plan))),
        chunk().prop_map(ToWorker::FileChunk),
        rows_lease().prop_map(ToWorker::RowsLease),
        assignment().prop_map(ToWorker::Spawn),
        (any::<u64>(), any::<bool>())
            .prop_map(|(user_count, reset_stats)| ToWorker::SpawningComplete { user_count, reset_stats }),
        (run_id(), any::<u64>()).prop_map(|(run, seq)| ToWorker::StatsAck { run, seq }),
        option::of(run_time()).prop_map(|run_time| ToWorker::Heartbeat { run_time }),
        run_id().prop_map(|run| ToWorker::Stop { run }),
        Just(ToWorker::Quit),
    ]
}

/// Sends a message through bytes.
fn across<W: Message + Default + Decode>(wire: &W) -> Result<W::Domain, DecodeError> {
    let bytes = wire.encode_to_vec();
    let received = <W as Message>::decode(bytes.as_slice()).unwrap();
    Decode::decode(received)
}

// What a hostile peer says.

/// Numbers that break things.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX - 1), 0..1_000_u64, any::<u64>()]
}

fn second() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), 0..100_u32, any::<u32>()]
}

fn buckets() -> impl Strategy<Value = v1::Buckets> {
    // Two large numbers in one histogram overflow, and then it is refused.
    let number = || prop_oneof![20 => 0..100_000_u64, 1 => number()];
    vec((number(), number()), 0..5).prop_map(|pairs| {
        let (value_steps, counts) = pairs.into_iter().unzip();
        v1::Buckets { value_steps, counts }
    })
}

/// A row of any numbers whose histogram is honest, because otherwise hardly any would be accepted.
fn wire_entry() -> impl Strategy<Value = v1::EntryStats> {
    let seconds = vec((second(), number(), number()), 0..4);
    (buckets(), any::<bool>(), any::<[u64; 4]>(), number(), option::of(number()), seconds, text()).prop_map(
        |(times, late, [total, min, max, length], failures, at, seconds, name)| {
            let seconds = seconds.into_iter();
            v1::EntryStats {
                method: "GET".to_owned(),
                name,
                num_requests: times.counts.iter().fold(0, |sum: u64, count| sum.wrapping_add(*count)),
                num_failures: failures,
                total_response_time_us: total,
                min_response_time_us: Some(min),
                max_response_time_us: Some(max),
                total_content_length: length,
                first_start_us: at,
                last_end_us: at,
                corrected_times: late.then(|| times.clone()),
                response_times: Some(times),
                seconds: seconds
                    .map(|(second, requests, failures)| v1::RateSecond { second, requests, failures })
                    .collect(),
                ..v1::EntryStats::default()
            }
        },
    )
}

fn wire_report() -> impl Strategy<Value = v1::StatsReport> {
    let seconds = vec((second(), number(), number(), buckets()), 0..4);
    let errors = vec((text(), number(), option::of(number())), 0..4);
    let exceptions = vec((text(), number()), 0..4);
    (vec(wire_entry(), 0..4), seconds, errors, exceptions, any::<[u64; 11]>()).prop_map(
        |(entries, seconds, errors, exceptions, counters)| {
            let [planned, started, late, dropped, sent, answered, failed, in_flight_at_stop, capped @ ..] =
                counters;
            let [names_capped, errors_capped, exceptions_capped] = capped;
            let delivery =
                v1::Delivery { planned, started, late, dropped, sent, answered, failed, in_flight_at_stop };
            let second = |(second, requests, failures, times)| v1::SecondStats {
                second,
                requests,
                failures,
                response_times: Some(times),
                planned: requests,
                started: failures,
                late: planned,
                dropped: started,
            };
            let error = |(message, occurrences, at)| v1::ErrorStats {
                message,
                occurrences,
                first_seen_us: at,
                last_seen_us: at,
                ..v1::ErrorStats::default()
            };
            let exception = |(message, occurrences)| v1::ExceptionStats {
                message,
                occurrences,
                ..v1::ExceptionStats::default()
            };
            v1::StatsReport {
                entries,
                seconds: seconds.into_iter().map(second).collect(),
                errors: errors.into_iter().map(error).collect(),
                exceptions: exceptions.into_iter().map(exception).collect(),
                delivery: Some(delivery),
                names_capped,
                errors_capped,
                exceptions_capped,
                ..v1::StatsReport::default()
            }
        },
    )
}

/// Reads bytes as both kinds of message; whatever comes of it, it comes without a panic.
fn read(bytes: &[u8]) {
    if let Ok(message) = <v1::WorkerMessage as Message>::decode(bytes) {
        let _ = Decode::decode(message);
    }
    if let Ok(message) = <v1::MasterMessage as Message>::decode(bytes) {
        let _ = Decode::decode(message);
    }
}

proptest! {
    // A failure prints its smallest cause; there is no place for files of old ones beside an integration test.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_workers_say_arrives_unchanged(message in from_worker()) {
        prop_assert_eq!(across(&message.clone().encode()).unwrap(), message);
    }

    #[test]
    fn what_the_master_says_arrives_unchanged(message in to_worker()) {
        prop_assert_eq!(across(&message.clone().encode()).unwrap(), message);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..512)) {
        read(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic(
        message in from_worker(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = message.encode().encode_to_vec();
        for (place, byte) in damage.iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
            let index = place.index(bytes.len());
            bytes[index] = *byte;
        }
        read(&bytes);
    }

    /// Whatever numbers a worker sends, the master can add them up and read the result.
    #[test]
    fn whatever_is_accepted_can_be_merged(reports in vec(wire_report(), 1..4)) {
        let mut open = Accumulator::default();
        let mut stats = RunStats::default();
        for report in reports {
            if let Ok(report) = across(&report) {
                open.add(&report.delta);
                stats.apply("h1_a", &report.delta, RunTime::from_secs(100));
            }
        }
        stats.apply("h1_a", &open.take(), RunTime::from_secs(200));
        let total = stats.total();
        prop_assert_eq!(total.percentiles_us(&PERCENTILES_TO_REPORT).is_some(), !total.response_times.is_empty());
        let _ = (total.corrected_percentiles_us(&[0.5]), total.current_rates(total.activity(), RunTime::MAX));
    }
}

/// One row with two requests, at 100 µs and at 200 µs.
fn honest() -> v1::StatsReport {
    let mut recorder = Recorder::default();
    for time_us in [100, 200] {
        let (row, at_us) = (0, 1_000);
        perform(
            &mut recorder,
            &Deed::Request { row, late_us: 50, start_us: at_us, time_us, length: 1, failure: None },
        );
    }
    StatsReport { run: RunId::new("run"), seq: 1, delta: recorder.take() }.encode()
}

#[test]
fn histograms_that_lie_are_refused() {
    let check = |lie: fn(&mut v1::StatsReport), expected: &str| {
        let mut report = honest();
        lie(&mut report);
        let error = across(&report).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    };
    const BUCKETS: &str = "a histogram of 2 values has 2 counts, or its values overflow";
    const SAMPLES: &str = "row \"/\" contradicts itself: its histogram has not as many samples as requests";
    const EXTREMES: &str = "row \"/\" contradicts itself: it has response times, but no extremes";
    fn times(report: &mut v1::StatsReport) -> &mut v1::Buckets {
        report.entries[0].response_times.as_mut().unwrap()
    }
    assert!(across(&honest()).is_ok());
    check(|it| times(it).counts.push(1), "a histogram of 2 values has 3 counts, or its values overflow");
    check(|it| times(it).counts.clear(), "a histogram of 2 values has 0 counts, or its values overflow");
    check(|it| times(it).value_steps[1] = u64::MAX, BUCKETS);
    check(|it| times(it).counts[1] = u64::MAX, BUCKETS);
    check(|it| times(it).counts[1] = 5, SAMPLES);
    check(|it| it.entries[0].corrected_times.as_mut().unwrap().counts[0] = 7, SAMPLES);
    check(|it| it.entries[0].corrected_times = Some(v1::Buckets::default()), SAMPLES);
    check(|it| it.entries[0].response_times = None, SAMPLES);
    check(|it| it.entries[0].num_requests = 3, SAMPLES);
    check(|it| it.entries[0].num_none_requests = 1, SAMPLES);
    check(|it| it.entries[0].num_none_requests = 3, SAMPLES);
    check(|it| it.entries[0].min_response_time_us = None, EXTREMES);
    check(|it| it.entries[0].max_response_time_us = None, EXTREMES);
    check(
        |it| it.seconds[0].response_times.as_mut().unwrap().counts.clear(),
        "a histogram of 2 values has 0 counts, or its values overflow",
    );
}

#[test]
fn messages_that_make_no_sense_are_refused() {
    let check = |message: v1::WorkerMessage, expected: &str| {
        let error = across(&message).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(v1::WorkerMessage { kind: None }, "empty or of an unknown kind");
    for worker_id in ["".to_owned(), "x".repeat(WorkerId::MAX_LEN + 1), "a\nb".to_owned()] {
        let kind = v1::worker_message::Kind::Ready(v1::Ready { worker_id, ..v1::Ready::default() });
        check(v1::WorkerMessage { kind: Some(kind) }, "a worker id is");
    }
    assert!(across(&v1::MasterMessage { kind: None }).is_err());
    for spawn_rate in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let spawn = v1::Spawn { spawn_rate, ..v1::Spawn::default() };
        assert!(matches!(across(&spawn), Err(DecodeError::SpawnRate(_))), "{spawn_rate}");
    }
    for (slot_index, slot_count) in [(0, u32::MAX), (3, 3)] {
        let share = v1::ArrivalShare { slot_index, slot_count, ..v1::ArrivalShare::default() };
        let spawn = v1::Spawn { arrivals: vec![share], ..v1::Spawn::default() };
        assert!(matches!(across(&spawn), Err(DecodeError::Slot { .. })), "slot {slot_index} of {slot_count}");
    }
}

#[test]
fn plans_beyond_their_bounds_are_refused() {
    let check = |break_it: fn(&mut v1::RunPlan), expected: &str| {
        let mut plan = v1::RunPlan { run_id: "run".to_owned(), ..v1::RunPlan::default() };
        assert!(across(&plan).is_ok());
        break_it(&mut plan);
        let error = across(&plan).expect_err(expected).to_string();
        assert_eq!(error, expected);
    };
    fn class(plan: &mut v1::RunPlan, weight: f64) {
        plan.user_classes.push(v1::NamedClass { name: "A".to_owned(), weight: Some(weight) });
    }
    check(|it| class(it, -1.0), "the weight -1 is no weight");
    check(|it| class(it, f64::NAN), "the weight NaN is no weight");
    check(|it| class(it, f64::INFINITY), "the weight inf is no weight");
    check(|it| it.tags = vec![String::new(); 1_001], "tags: 1001 are more than 1000");
    check(
        |it| it.class_edits = vec![v1::ClassEdit { weight: Some(-1.0), ..v1::ClassEdit::default() }],
        "the weight -1 is no weight",
    );
    check(
        |it| {
            let tasks = Some(v1::TaskNames { names: vec![String::new(); 1_001] });
            it.class_edits = vec![v1::ClassEdit { tasks, ..v1::ClassEdit::default() }];
        },
        "tasks: 1001 are more than 1000",
    );
    check(
        |it| it.class_edits = vec![v1::ClassEdit::default(); 1_001],
        "edits of user classes: 1001 are more than 1000",
    );
    fn steady(plan: &mut v1::RunPlan, rate: &str, max_users: u32) {
        plan.steady_arrivals = Some(v1::SteadyArrivals { rate: rate.to_owned(), max_users });
    }
    check(|it| steady(it, "5/s", 0), "max_users must be from 1 to 10000000, got 0");
    check(|it| steady(it, "0/s", 1), "nothing ever arrives; give a rate above 0");
    check(|it| it.exclude_tags = vec!["x".repeat(1_025)], "excluded tags: 1025 are more than 1024");
    fn file(plan: &mut v1::RunPlan, name: &str, size_bytes: u64, checksum_bytes: usize) {
        let sha256 = vec![7; checksum_bytes];
        plan.files.push(v1::FileRef { name: name.to_owned(), size_bytes, sha256 });
    }
    check(|it| file(it, "a", 1, 31), "a checksum has 32 bytes, this one has 31");
    check(|it| file(it, "", 1, 32), "the name of a file has 1 to 4096 bytes, this one has 0");
    check(|it| file(it, "a", u64::MAX, 32), "the files of a run may take 64 MiB; with a they take more");
    check(|it| it.sources = vec![String::new(); 1_001], "sources of rows: 1001 are more than 1000");
    check(|it| it.sources = vec!["x".repeat(1_025)], "the name of a source: 1025 are more than 1024");
    check(|it| it.variables = "x".repeat((1 << 20) + 1), "variables: 1048577 are more than 1048576");
}

#[test]
fn chunks_beyond_their_bounds_are_refused() {
    let check = |sha256: usize, content: usize, expected: Result<(), &str>| {
        let content = vec![0; content].into();
        let chunk = v1::FileChunk { sha256: vec![7; sha256], content, ..v1::FileChunk::default() };
        let kind = v1::master_message::Kind::FileChunk(chunk);
        let found =
            across(&v1::MasterMessage { kind: Some(kind) }).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text));
    };
    check(32, CHUNK_BYTES_MAX, Ok(()));
    check(32, CHUNK_BYTES_MAX + 1, Err("bytes of a file: 1048577 are more than 1048576"));
    check(33, 1, Err("a checksum has 32 bytes, this one has 33"));
    let request = v1::FileRequest { sha256: vec![7; 31], offset: 0 };
    let kind = v1::worker_message::Kind::FileRequest(request);
    assert!(across(&v1::WorkerMessage { kind: Some(kind) }).is_err());
}

#[test]
fn rows_that_make_no_sense_are_refused() {
    let check = |ranges: Vec<(u64, u64)>, expected: &str| {
        let ranges: Vec<_> = ranges.into_iter().map(|(first, end)| v1::RowRange { first, end }).collect();
        let returned = v1::RowsReturned { ranges: ranges.clone(), ..v1::RowsReturned::default() };
        assert_eq!(across(&returned).unwrap_err().to_string(), expected);
        let lease = v1::RowsLease { ranges, ..v1::RowsLease::default() };
        assert_eq!(across(&lease).unwrap_err().to_string(), expected);
    };
    check(vec![(0, 1), (5, 5)], "there are no rows from 5 to 5");
    check(vec![(5, 4)], "there are no rows from 5 to 4");
    check(vec![(0, 1); 4_097], "ranges of rows: 4097 are more than 4096");
    let asked = v1::RowsRequest { source: "x".repeat(1_025), ..v1::RowsRequest::default() };
    assert!(across(&asked).is_err());
}

#[test]
fn results_that_make_no_sense_are_refused() {
    use v1::setup_done::Result as Outcome;
    let check = |kind: v1::worker_message::Kind, expected: &str| {
        let error = across(&v1::WorkerMessage { kind: Some(kind) }).unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    let setup =
        |result| v1::worker_message::Kind::SetupDone(v1::SetupDone { result, ..v1::SetupDone::default() });
    let teardown = |error| {
        v1::worker_message::Kind::TeardownDone(v1::TeardownDone { error, ..v1::TeardownDone::default() })
    };
    let text = |bytes: usize| "x".repeat(bytes);
    check(setup(None), "a setup has neither variables nor an error");
    check(setup(Some(Outcome::Error(text(16_385)))), "a reason: 16385 are more than 16384");
    check(setup(Some(Outcome::Variables(text(1_048_577)))), "variables: 1048577 are more than 1048576");
    check(teardown(Some(text(16_385))), "a reason: 16385 are more than 16384");
}

#[test]
fn a_plan_without_variables_has_none() {
    assert_eq!(across(&v1::RunPlan::default()).unwrap().variables, NO_VARIABLES);
}

/// A second at 5,000 requests per second over 18 rows with long tails, from one worker.
#[test]
fn the_report_of_a_busy_second_is_small() {
    const REQUESTS: u32 = 5_000;
    let mut rng = UserRng::for_user(1, "requests", 0);
    let times_us = LogNormal::new(11.0, 0.8).unwrap();
    let mut recorder = Recorder::default();
    for number in 0..REQUESTS {
        let entry = recorder.entry("POST", &format!("/batch_predict [size={}]", number % 18 + 3));
        let start = RunTime::from_secs(100) + Duration::from_secs(1) / REQUESTS * number;
        let time = Duration::from_micros(times_us.sample(&mut rng) as u64);
        // Every fourth began a little late, so that both histograms travel.
        let intended = start - Duration::from_micros(u64::from(number % 4 == 0) * 700);
        let failure = (number % 100 == 0).then_some("expected a status below 400, got 503");
        recorder.record(entry, &Sample { intended, start, end: start + time, response_length: 420, failure });
    }
    let report = FromWorker::Stats(StatsReport { run: RunId::new("run"), seq: 1, delta: recorder.take() });
    let bytes = report.encode().encoded_len();
    println!("{REQUESTS} requests in 18 rows take {bytes} bytes");
    assert!(bytes < 64 * 1024, "{bytes} bytes");
    assert!(MAX_MESSAGE_BYTES / bytes > 100, "a worker that was long away stays far below the limit");
}
