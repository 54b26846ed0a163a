//! What a look at a run costs the master: a report for the page, by the number of request names.
//!
//! `cargo bench -p sentinel-common --bench report`

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sentinel_common::coordinator::{Coordinator, Policy, RunSpec, ScenarioSource};
use sentinel_common::delivered::DELIVERED_FLOOR;
use sentinel_common::dispatch::ClassSpec;
use sentinel_common::ids::{ConnectionId, RunId, WIRE_VERSION, WorkerId};
use sentinel_common::load::Load;
use sentinel_common::messages::{FromWorker, Ready, Resources, StatsReport, Wire};
use sentinel_common::preflight::Demand;
use sentinel_common::report::{Detail, Frame, Report};
use sentinel_common::scenario::Adjustments;
use sentinel_common::stats::{Recorder, Sample, StatsDelta};
use sentinel_common::time::{Moment, RunTime};

/// Requests of each name, which take from 1 to 100 ms.
const REQUESTS: u64 = 200;

fn spec() -> RunSpec {
    RunSpec {
        id: RunId::new("bench"),
        classes: vec![ClassSpec { name: "A".to_owned(), weight: 1.0, fixed_count: 0 }],
        scenario: ScenarioSource { name: "bench.yaml".to_owned(), text: Some(String::new()) },
        profile: None,
        host: None,
        stop_timeout: Duration::ZERO,
        reset_stats: false,
        seed: 1,
        named_classes: Vec::new(),
        tags: Vec::new(),
        exclude_tags: Vec::new(),
        adjustments: Adjustments::default(),
        iterations: None,
        has_setup: false,
        has_teardown: false,
        files: Arc::default(),
        arrivals: Vec::new(),
        shape: None,
        sources: BTreeMap::new(),
        criteria: Vec::new(),
        demand: Demand::default(),
        measured_from_s: None,
        parsed_options: Vec::new(),
    }
}

fn measured(names: u64) -> StatsDelta {
    let mut recorder = Recorder::default();
    for name in 0..names {
        let entry = recorder.entry("GET", &format!("/item/{name}"));
        for request in 0..REQUESTS {
            let start = RunTime::from_secs(request % 10);
            let end = start + Duration::from_micros(1_000 + (request * 7_919 + name * 104_729) % 99_000);
            let sample = Sample { intended: start, start, end, response_length: 100, failure: None };
            recorder.record(entry, &sample);
        }
    }
    recorder.take()
}

/// A coordinator with a run in which so many names were requested.
fn coordinator(names: u64) -> Coordinator {
    let mut coordinator = Coordinator::new(Policy::default());
    let (now, connection) = (Moment::from_secs(1), ConnectionId(1));
    let ready = Ready {
        worker: WorkerId::new("host_1").expect("a name"),
        wire: Wire::Grpc,
        wire_version: WIRE_VERSION,
        software_version: String::new(),
        capabilities: Vec::new(),
        run: None,
        resources: Resources::default(),
    };
    coordinator.handle_message(now, connection, FromWorker::Ready(ready));
    coordinator.start(now, spec(), Load::new(10, 10.0, None).expect("a load"));
    let report = StatsReport { run: RunId::new("bench"), seq: 1, delta: measured(names) };
    coordinator.handle_message(Moment::from_secs(12), connection, FromWorker::Stats(report));
    coordinator
}

fn report(criterion: &mut Criterion) {
    let frame = Frame {
        started_at_unix_us: 0,
        host: None,
        notes: &[],
        exit_code_on_error: None,
        min_delivered: DELIVERED_FLOOR,
    };
    let mut group = criterion.benchmark_group("live report by names");
    group.sample_size(20);
    for names in [20, 500, 10_000] {
        let coordinator = coordinator(names);
        let run = coordinator.run().expect("a run");
        assert_eq!(run.stats().total().requests, names * REQUESTS);
        group.bench_function(BenchmarkId::from_parameter(names), |bencher| {
            let now = Moment::from_secs(13);
            bencher.iter(|| Report::new(run, coordinator.roster(), now, &frame, Detail::Live));
        });
    }
    group.finish();
}

criterion_group!(benches, report);
criterion_main!(benches);
