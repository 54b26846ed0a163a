//! From the sample to the merged figure: what must hold across the parts.

use proptest::prelude::*;

use super::*;
use crate::time::RunTime;

/// One call of a recorder, with what is needed to make it.
#[derive(Clone, Debug)]
struct Call {
    name: &'static str,
    delay_us: u64,
    start_us: u64,
    length_us: u64,
    failure: Option<&'static str>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Timed,
    WithoutTime,
    FailureOnly,
}

const NOW: RunTime = RunTime::from_secs(1_000_000);

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call = (
        prop::sample::select(vec!["/", "/predict", "/health"]),
        prop_oneof![4 => Just(0_u64), 1 => 0..2_000_000_u64],
        0..2_000_000_000_u64,
        prop_oneof![0..3_000_u64, 0..5_000_000_u64, 0..1_u64 << 33],
        prop::option::weighted(0.2, prop::sample::select(vec!["timed out", "status 500"])),
        prop_oneof![8 => Just(Kind::Timed), 1 => Just(Kind::WithoutTime), 1 => Just(Kind::FailureOnly)],
    );
    let call = call.prop_map(|(name, delay_us, start_us, length_us, failure, kind)| Call {
        name,
        delay_us,
        start_us,
        length_us,
        failure,
        kind,
    });
    prop::collection::vec(call, 0..150)
}

fn play(recorder: &mut Recorder, call: &Call) {
    let Call { name, delay_us, start_us, length_us, failure, kind } = *call;
    let [intended, start, end] =
        [start_us.saturating_sub(delay_us), start_us, start_us + length_us].map(RunTime::from_micros);
    let entry = recorder.entry("GET", name);
    match kind {
        Kind::Timed => {
            recorder
                .record(entry, &Sample { intended, start, end, response_length: length_us % 97, failure });
        }
        Kind::WithoutTime => recorder.record_without_time(entry, end, 7, failure),
        Kind::FailureOnly => recorder.record_failure(entry, end, failure.unwrap_or("gave up")),
    }
    recorder.delivery_mut().sent += 1;
    if let Some(message) = failure {
        recorder.exception(message, "here");
    }
}

fn recorded<'a>(calls: impl IntoIterator<Item = &'a Call>) -> StatsDelta {
    let mut recorder = Recorder::default();
    calls.into_iter().for_each(|call| play(&mut recorder, call));
    recorder.take()
}

/// Deals the calls out to `lanes` recorders, which are drained every `round` calls.
fn dealt(calls: &[Call], lanes: usize, round: usize) -> Vec<StatsDelta> {
    let mut recorders = vec![Recorder::default(); lanes];
    let mut deltas = Vec::new();
    for round in calls.chunks(round) {
        for (index, call) in round.iter().enumerate() {
            play(&mut recorders[index % lanes], call);
        }
        deltas.extend(recorders.iter_mut().map(Recorder::take));
    }
    deltas
}

fn accumulated<'a>(deltas: impl IntoIterator<Item = &'a StatsDelta>) -> StatsDelta {
    let mut accumulator = Accumulator::default();
    deltas.into_iter().for_each(|delta| accumulator.add(delta));
    accumulator.take()
}

/// The same delta with its rows in an order that does not depend on who came first.
fn in_order(mut delta: StatsDelta) -> StatsDelta {
    delta.entries.sort_by(|left, right| left.key.cmp(&right.key));
    delta.errors.sort_by(|left, right| (&left.key, &left.message).cmp(&(&right.key, &right.message)));
    delta.exceptions.sort_by(|left, right| left.message.cmp(&right.message));
    delta
}

fn merged<'a>(deltas: impl IntoIterator<Item = &'a StatsDelta>) -> RunStats {
    let mut stats = RunStats::default();
    deltas.into_iter().for_each(|delta| stats.apply("w-1", delta, NOW));
    stats
}

fn assert_same_run(left: &RunStats, right: &RunStats) {
    assert_eq!(left.total(), right.total());
    assert_eq!(left.sorted_entries(), right.sorted_entries());
    assert_eq!(left.seconds(), right.seconds());
    assert_eq!((left.delivery(), left.overflow()), (right.delivery(), right.overflow()));
    for (left, right) in left.sorted_entries().into_iter().zip(right.sorted_entries()) {
        assert_eq!(left.percentiles_us(&PERCENTILES_TO_REPORT), right.percentiles_us(&PERCENTILES_TO_REPORT));
    }
    let by_key = |stats: &RunStats| {
        let mut errors = stats.errors().to_vec();
        errors.sort_by(|left, right| (&left.key, &left.message).cmp(&(&right.key, &right.message)));
        errors
    };
    assert_eq!(by_key(left), by_key(right));
}

proptest! {
    #[test]
    fn many_recorders_say_what_one_would(
        calls in calls(),
        lanes in 1..=20_usize,
        round in 1..80_usize,
        seed in any::<u64>(),
    ) {
        let mut deltas = dealt(&calls, lanes, round);
        shuffle(&mut deltas, seed);
        let one = recorded(&calls);
        assert_same_run(&merged(&deltas), &merged([&one]));
        prop_assert_eq!(in_order(accumulated(&deltas)), in_order(one));
    }

    #[test]
    fn it_does_not_matter_what_is_merged_first(calls in calls(), cut in 0..20_usize) {
        let deltas = dealt(&calls, 3, 20);
        let (left, right) = deltas.split_at(cut.min(deltas.len()));
        let grouped = [accumulated(left), accumulated(right)];
        prop_assert_eq!(in_order(accumulated(&grouped)), in_order(accumulated(&deltas)));
        prop_assert_eq!(in_order(accumulated(grouped.iter().rev())), in_order(accumulated(&deltas)));
        assert_same_run(&merged(&grouped), &merged(&deltas));
    }

    #[test]
    fn every_request_is_in_its_second_and_in_its_histogram(calls in calls()) {
        let stats = merged(&dealt(&calls, 4, 30));
        for row in stats.entries().iter().chain([stats.total()]) {
            let seconds = row.seconds.spans().iter();
            let sums = seconds.fold((0, 0), |(requests, failures), span| {
                (requests + span.value.requests, failures + span.value.failures)
            });
            prop_assert_eq!(sums, (row.requests, row.failures));
            prop_assert_eq!(row.response_times.count(), row.requests - row.without_time);
            prop_assert_eq!(row.corrected_times().count(), row.response_times.count());
        }
        let total = stats.total();
        let run: Vec<_> = stats.seconds().spans().iter().map(|span| (span.start, span.value.traffic.rate)).collect();
        let rows: Vec<_> = total.seconds.spans().iter().map(|span| (span.start, span.value)).collect();
        prop_assert_eq!(run, rows, "the run's seconds are those of all rows");
        let requests: u64 = stats.entries().iter().map(|row| row.requests).sum();
        prop_assert_eq!(total.requests, requests);
        let errors: u64 = stats.errors().iter().map(|error| error.occurrences).sum();
        prop_assert_eq!(total.failures, errors);
        let timed: u64 = stats.seconds().spans().iter().map(|span| span.value.traffic.response_times.count()).sum();
        prop_assert_eq!(timed, total.response_times.count());
    }

    #[test]
    fn percentiles_agree_with_the_samples(calls in calls()) {
        let timed = calls.iter().filter(|call| matches!(call.kind, Kind::Timed));
        let (mut response, mut corrected): (Vec<u64>, Vec<u64>) =
            timed.map(|call| (call.length_us, call.length_us + call.delay_us.min(call.start_us))).unzip();
        response.sort_unstable();
        corrected.sort_unstable();
        let stats = merged(&dealt(&calls, 5, 40));
        let total = stats.total();
        let fractions = PERCENTILES_TO_REPORT;
        assert_near(total.percentiles_us(&fractions), &response, total.max_us);
        assert_near(total.corrected_percentiles_us(&fractions), &corrected, None);
        prop_assert_eq!((total.min_us, total.max_us), (response.first().copied(), response.last().copied()));
    }
}

/// Fisher and Yates, with a generator of one line.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for index in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(index, (seed >> 33) as usize % (index + 1));
    }
}

/// Percentiles at most a thousandth above those of `sorted`. Values beyond the last bucket cannot be told apart: there
/// only `max` is exact, and the others are told as the least that they can have been.
fn assert_near(selected: Option<Vec<u64>>, sorted: &[u64], max: Option<u64>) {
    let Some(selected) = selected else { return assert!(sorted.is_empty()) };
    for (fraction, value) in PERCENTILES_TO_REPORT.iter().zip(selected) {
        let exact = sorted[rank(sorted.len() as u64, *fraction).unwrap() as usize];
        let near = exact <= value && value - exact <= exact / 1_000;
        let beyond = (MAX_TRACKABLE_US..=exact).contains(&value);
        assert!(near || beyond || Some(value) == max, "{value} us for {exact} us at {fraction}");
    }
}

fn sample(second: u64) -> Sample<'static> {
    let start = RunTime::from_secs(second);
    let end = RunTime::from_micros(start.as_micros() + 1_500);
    Sample { intended: start, start, end, response_length: 10, failure: None }
}

#[test]
fn an_idle_recorder_has_nothing_to_report() {
    let mut recorder = Recorder::default();
    assert!(recorder.take().is_empty());
    let entry = recorder.entry("GET", "/");
    assert!(recorder.take().is_empty(), "a name alone is nothing");
    recorder.record(entry, &sample(3));
    assert!(!recorder.take().is_empty());
    assert!(recorder.take().is_empty());
    recorder.delivery_mut().dropped += 1;
    assert!(!recorder.take().is_empty());
    let mut accumulator = Accumulator::default();
    assert!(accumulator.is_empty());
    accumulator.add(&StatsDelta::default());
    assert!(accumulator.is_empty() && accumulator.take().is_empty());
}

#[test]
fn handles_outlive_the_reports() {
    let mut recorder = Recorder::default();
    let entry = recorder.entry("GET", "/");
    for second in 0..3 {
        recorder.record(entry, &sample(second));
        let delta = recorder.take();
        assert_eq!((delta.entries.len(), delta.entries[0].requests), (1, 1));
        assert_eq!(recorder.entry("GET", "/"), entry);
    }
}

#[test]
fn too_many_names_are_counted_together() {
    let mut recorder = Recorder::default();
    for index in 0..MAX_ENTRIES + 50 {
        let entry = recorder.entry("GET", &format!("/item/{index}"));
        recorder.record(entry, &sample(1));
    }
    let delta = recorder.take();
    assert_eq!((delta.entries.len(), delta.overflow.names_capped), (MAX_ENTRIES + 1, 50));
    let mut more = Recorder::default();
    for index in 0..7 {
        let entry = more.entry("PUT", &format!("/other/{index}"));
        more.record(entry, &sample(1));
    }
    let stats = merged([&delta, &more.take()]);
    let other = stats.entries().iter().find(|row| *row.key.name == *OTHER).unwrap();
    assert_eq!(
        (other.requests, stats.overflow().names_capped),
        (57, 57),
        "each where it happened, none twice"
    );
    assert_eq!(stats.total().requests, MAX_ENTRIES as u64 + 57);
    assert_eq!(stats.entries().len(), MAX_ENTRIES + 1);
}

#[test]
fn too_many_errors_are_counted_together() {
    let mut recorder = Recorder::default();
    let entry = recorder.entry("GET", "/");
    for index in 0..MAX_ERRORS_PER_DELTA + 3 {
        recorder.record_failure(entry, RunTime::from_secs(1), &format!("error {index}"));
        recorder.exception(&format!("exception {index}"), "here");
    }
    let stats = merged([&recorder.take()]);
    let last = stats.errors().last().unwrap();
    assert_eq!(
        (&*last.message, last.occurrences, stats.errors().len()),
        (OTHER, 3, MAX_ERRORS_PER_DELTA + 1)
    );
    let capped = (MAX_ERRORS_PER_DELTA + 3 - MAX_EXCEPTIONS_PER_DELTA) as u64;
    let expected = Overflow { names_capped: 0, errors_capped: 3, exceptions_capped: capped };
    assert_eq!(stats.overflow(), expected);
    assert_eq!(stats.exceptions().last().map(|(exception, _)| exception.occurrences), Some(capped));
}

#[test]
fn a_reset_zeroes_the_numbers_and_keeps_the_rows() {
    let mut recorder = Recorder::default();
    for name in ["/b", "/a"] {
        let entry = recorder.entry("GET", name);
        recorder.record(entry, &Sample { failure: Some("broken"), ..sample(5) });
    }
    recorder.exception("oops", "");
    recorder.delivery_mut().planned += 2;
    let delta = recorder.take();
    let mut stats = merged([&delta]);
    stats.reset();
    let names: Vec<&str> = stats.sorted_entries().iter().map(|row| &*row.key.name).collect();
    assert_eq!(names, ["/a", "/b"]);
    assert!(stats.entries().iter().chain([stats.total()]).all(EntryStats::is_empty));
    assert_eq!((stats.errors().len(), stats.exceptions().count(), stats.seconds().spans().len()), (0, 0, 0));
    assert_eq!(stats.delivery(), Delivery::default());
    stats.apply("w-1", &delta, NOW);
    assert_same_run(&stats, &merged([&delta]));
}

#[test]
fn current_percentiles_are_those_of_the_last_seconds() {
    let mut recorder = Recorder::default();
    let entry = recorder.entry("GET", "/");
    let mut record = |end_s: u64, millis: u64| {
        let end = RunTime::from_secs(end_s);
        let start = end - std::time::Duration::from_millis(millis);
        recorder.record(entry, &Sample { intended: start, start, end, response_length: 0, failure: None });
    };
    for second in 1..=40 {
        let millis = if second <= 20 { 8_000 } else { 20 };
        (0..98).for_each(|_| record(second, millis / 2));
        (0..2).for_each(|_| record(second, millis));
    }
    let stats = merged([&recorder.take()]);
    let millis = |now_s| {
        let percentiles = stats.current_percentiles_us(RunTime::from_secs(now_s));
        percentiles.map(|micros| micros.map(|micros| (micros as f64 / 1e3).round() as u64))
    };
    let [p50, p95, p99] = millis(40).map(|millis| millis.expect("there were requests"));
    assert!(
        (9..=11).contains(&p50) && (9..=11).contains(&p95) && (19..=21).contains(&p99),
        "{p50} {p95} {p99}"
    );
    assert_eq!(millis(100), [None; 3], "a target that stopped answering has no figures");
    assert_eq!(RunStats::default().current_percentiles_us(NOW), [None; 3]);
}

#[test]
fn an_exception_lists_the_workers_that_had_it() {
    let mut recorder = Recorder::default();
    recorder.exception("oops", "line 1");
    recorder.exception("oops", "line 2");
    let delta = recorder.take();
    let mut stats = RunStats::default();
    ["w-2", "w-1", "w-2"].into_iter().for_each(|worker| stats.apply(worker, &delta, NOW));
    let listed: Vec<_> =
        stats.exceptions().map(|(exception, workers)| (exception.occurrences, workers.len())).collect();
    assert_eq!(listed, [(3, 2), (3, 2)]);
}

#[test]
fn users_are_kept_beside_the_requests() {
    let mut stats = RunStats::default();
    for (second, users) in [(0, 1), (0, 3), (1, 5)] {
        stats.observe_users(RunTime::from_secs(second), users, 10);
    }
    let seen: Vec<_> =
        stats.seconds().spans().iter().map(|span| (span.value.users.last, span.value.users.max)).collect();
    assert_eq!(seen, [(3, 3), (5, 5)]);
    assert_eq!(stats.seconds().spans()[0].value.planned_users.mean(), Some(10.0));
}

#[test]
fn rows_are_sorted_by_name_then_method() {
    let mut recorder = Recorder::default();
    for (method, name) in [("POST", "/b"), ("GET", "/b"), ("PUT", "/a")] {
        let entry = recorder.entry(method, name);
        recorder.record(entry, &sample(1));
    }
    let stats = merged([&recorder.take()]);
    let keys: Vec<_> =
        stats.sorted_entries().into_iter().map(|row| (&*row.key.method, &*row.key.name)).collect();
    assert_eq!(keys, [("PUT", "/a"), ("GET", "/b"), ("POST", "/b")]);
    assert_eq!((&*stats.total().key.method, &*stats.total().key.name), ("", AGGREGATED));
}

#[test]
fn delivery_adds_up_number_by_number() {
    let numbers = Delivery {
        planned: 1,
        started: 2,
        late: 3,
        dropped: 4,
        sent: 5,
        answered: 6,
        failed: 7,
        in_flight_at_stop: 8,
    };
    let twice = Delivery {
        planned: 2,
        started: 4,
        late: 6,
        dropped: 8,
        sent: 10,
        answered: 12,
        failed: 14,
        in_flight_at_stop: 16,
    };
    assert_eq!(numbers + numbers, twice);
}
