//! Figures across the wire: what two workers send in many pieces, some of them twice, is on the master's report
//! what one list of all samples says, exactly.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, LogNormal};
use sentinel_common::ids::{Generation, RunId, WIRE_VERSION, WorkerId};
use sentinel_common::messages::{
    Assignment, ClassCounts, FromWorker, Heartbeat, Ready, Resources, StatsReport, ToWorker, Wire,
    WorkerState,
};
use sentinel_common::random::UserRng;
use sentinel_common::report::{Report, Row};
use sentinel_common::stats::{
    Accumulator, PERCENTILES_TO_REPORT, Recorder, Sample, SparseHistogram, StatsDelta, bucket_of, rank,
};
use sentinel_common::time::RunTime;
use sentinel_proto::Decode as _;
use sentinel_tests::virtual_cluster::{Cable, VirtualCluster, VirtualTarget, on_virtual_time, row};
use sentinel_worker::link::Link;

const SCENARIO: &str = "users: { Buyer: { tasks: [{ name: buy, steps: [{ get: / }] }] } }";

const SAMPLES: usize = 20_000;

const NAMES: [&str; 5] = ["/", "/basket", "/pay", "/search [term]", "/käse"];

const FAILURES: [&str; 2] = ["expected a status below 400, got 503", "ReadTimeout('timed out')"];

/// A request as one of the workers saw it.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    worker: usize,
    name: &'static str,
    intended: RunTime,
    start: RunTime,
    end: RunTime,
    length: u64,
    failure: Option<&'static str>,
}

impl Recorded {
    /// A request in the first ten seconds of a run, with a long tail of response times.
    fn draw(rng: &mut impl Rng) -> Self {
        let name = NAMES[rng.random_range(0..NAMES.len())];
        let times_us = LogNormal::new(11.0, 0.9).expect("the parameters are finite");
        let start = RunTime::from_micros(rng.random_range(0..10_000_000));
        let late_us = if rng.random_bool(0.1) { rng.random_range(0..500_000) } else { 0 };
        Self {
            worker: rng.random_range(0..2),
            name,
            intended: start - Duration::from_micros(late_us),
            start,
            end: start + Duration::from_micros(times_us.sample(rng) as u64),
            length: rng.random_range(0..5_000),
            failure: rng.random_bool(0.03).then(|| FAILURES[rng.random_range(0..FAILURES.len())]),
        }
    }

    fn time_us(&self) -> u64 {
        self.end.as_micros() - self.start.as_micros()
    }

    fn corrected_us(&self) -> u64 {
        self.end.as_micros() - self.intended.as_micros()
    }

    fn record(&self, recorder: &mut Recorder) {
        let Self { intended, start, end, length, failure, .. } = *self;
        let entry = recorder.entry("GET", self.name);
        recorder.record(entry, &Sample { intended, start, end, response_length: length, failure });
    }
}

fn recorded() -> Vec<Recorded> {
    let mut rng = UserRng::for_user(42, "wire", 0);
    (0..SAMPLES).map(|_| Recorded::draw(&mut rng)).collect()
}

/// What a worker reports of one second: two lanes, merged as the worker merges them.
fn report_of(samples: &[Recorded], worker: usize, second: u64) -> StatsDelta {
    let mut lanes = [Recorder::default(), Recorder::default()];
    let mine = samples.iter().filter(|sample| sample.worker == worker && sample.end.as_secs() == second);
    for (number, sample) in mine.enumerate() {
        sample.record(&mut lanes[number % 2]);
    }
    let mut merged = Accumulator::default();
    lanes.iter_mut().for_each(|lane| merged.add(&lane.take()));
    merged.take()
}

/// A worker that runs no users and sends what it is told to.
struct Puppet {
    id: WorkerId,
    cable: Cable,
    link: Link,
    run: RunId,
    generation: Generation,
    users: ClassCounts,
}

impl Puppet {
    /// Connects, waits for its orders and claims to have carried them out.
    async fn join(cluster: &VirtualCluster, name: &str) -> Self {
        let (cable, id) = (cluster.cable(), WorkerId::new(name).expect("the name is short"));
        let link = Link::open(Arc::new(cable.clone())).await.expect("the master listens");
        let (run, generation, users) = (RunId::new(""), Generation::default(), ClassCounts::new());
        let puppet = Self { id, cable, link, run, generation, users };
        puppet.introduce(None);
        puppet
    }

    /// Loses its connection and opens another.
    async fn reconnect(&mut self) {
        self.cable.cut();
        while self.link.next().await.is_ok() {}
        self.cable.mend();
        self.link = Link::open(Arc::new(self.cable.clone())).await.expect("the master listens");
        self.introduce(Some(self.run.clone()));
        self.obey().await;
    }

    fn introduce(&self, run: Option<RunId>) {
        let (wire_version, software_version) = (WIRE_VERSION, "puppet".to_owned());
        self.send(FromWorker::Ready(Ready {
            worker: self.id.clone(),
            wire: Wire::Grpc,
            wire_version,
            software_version,
            capabilities: Vec::new(),
            run,
            resources: Resources::default(),
        }));
    }

    /// Takes a plan and an assignment, in this order, and claims to have carried them out.
    async fn obey(&mut self) {
        self.run = self
            .hear(|message| if let ToWorker::Plan(plan) = message { Some(plan.run.clone()) } else { None })
            .await;
        let Assignment { run, generation, users, .. } = self
            .hear(|message| if let ToWorker::Spawn(assignment) = message { Some(assignment) } else { None })
            .await;
        assert_eq!(run, self.run);
        (self.generation, self.users) = (generation, users.clone());
        self.send(FromWorker::Spawning { generation });
        self.send(FromWorker::SpawningComplete { generation, users });
    }

    /// Sends a report.
    fn report(&self, seq: u64, delta: StatsDelta) {
        self.send(FromWorker::Stats(StatsReport { run: self.run.clone(), seq, delta }));
    }

    /// Waits until the master has acknowledged a report.
    async fn acknowledged(&mut self, wanted: u64) {
        let run = self.run.clone();
        self.hear(|message| (message == ToWorker::StatsAck { run: run.clone(), seq: wanted }).then_some(()))
            .await;
    }

    fn beat(&self) {
        let (state, users) = (WorkerState::Running, self.users.clone());
        self.send(FromWorker::Heartbeat(Heartbeat { state, users, ..Heartbeat::default() }));
    }

    /// Stops when it is told to, and leaves when it is sent home.
    async fn finish(mut self) {
        let run = self.run.clone();
        self.hear(|message| (message == ToWorker::Stop { run: run.clone() }).then_some(())).await;
        self.send(FromWorker::ClientStopped { run });
        self.hear(|message| (message == ToWorker::Quit).then_some(())).await;
        self.send(FromWorker::Quit);
        self.link.close().await;
    }

    fn send(&self, message: FromWorker) {
        assert!(self.link.send(message), "the master reads what it is sent");
    }

    /// The first message that is wanted; those before it are not.
    async fn hear<T>(&mut self, wanted: impl Fn(ToWorker) -> Option<T>) -> T {
        loop {
            let message = self.link.next().await.expect("the connection stands");
            let message = message.decode().expect("the master makes sense");
            if let Some(wanted) = wanted(message) {
                return wanted;
            }
        }
    }
}

/// Plays a run in which the workers report `samples` second by second, with two losses of the connection and a
/// repetition on the way.
async fn play(samples: &[Recorded]) -> Report {
    let target = VirtualTarget::steady(Duration::ZERO);
    let mut cluster = VirtualCluster::start(SCENARIO, "-u 4 -r 100 --expect-workers 2", target);
    let mut puppets = [Puppet::join(&cluster, "h1_a").await, Puppet::join(&cluster, "h2_b").await];
    for puppet in &mut puppets {
        puppet.obey().await;
    }
    let seconds = samples.iter().map(|sample| sample.end.as_secs()).max().unwrap_or(0) + 1;
    assert!(seconds > 9, "there is trouble in the first nine seconds");
    for second in 0..seconds {
        cluster.until(Duration::from_secs(second + 1)).await;
        for (worker, puppet) in puppets.iter_mut().enumerate() {
            puppet.beat();
            let (seq, delta) = (second + 1, report_of(samples, worker, second));
            send_with_trouble(puppet, worker, seq, &delta).await;
        }
    }
    cluster.interrupt().await;
    for puppet in puppets {
        puppet.finish().await;
    }
    cluster.report().await
}

async fn send_with_trouble(puppet: &mut Puppet, worker: usize, seq: u64, delta: &StatsDelta) {
    match (worker, seq) {
        // Sent twice, on the same connection.
        (0, 3) => {
            puppet.report(seq, delta.clone());
            puppet.report(seq, delta.clone());
        }
        // Merged, but the acknowledgement is lost with the connection.
        (1, 5) => {
            puppet.report(seq, delta.clone());
            puppet.acknowledged(seq).await;
            puppet.reconnect().await;
            puppet.report(seq, delta.clone());
        }
        // Lost with the connection before it arrived.
        (1, 7) => {
            puppet.cable.silence();
            puppet.report(seq, delta.clone());
            puppet.reconnect().await;
            puppet.report(seq, delta.clone());
        }
        _ => puppet.report(seq, delta.clone()),
    }
    puppet.acknowledged(seq).await;
}

/// The percentiles of a list of times, found by sorting it: each is the highest value of its bucket, and between
/// the extremes, if they are known.
fn percentiles(mut times_us: Vec<u64>, extremes_are_known: bool) -> Option<Vec<u64>> {
    times_us.sort_unstable();
    let (first, last) = (*times_us.first()?, *times_us.last()?);
    let select = |fraction: &f64| {
        let rank = usize::try_from(rank(times_us.len() as u64, *fraction)?).ok()?;
        Some(match (extremes_are_known, bucket_of(times_us[rank]).1) {
            (true, _) if rank == times_us.len() - 1 => last,
            (true, _) if rank == 0 => first,
            (true, highest) => highest.clamp(first, last),
            (false, highest) => highest,
        })
    };
    PERCENTILES_TO_REPORT.iter().map(select).collect()
}

/// Asserts that a row says what these samples say.
fn check_row(row: &Row, samples: &[&Recorded]) {
    let name = &row.name;
    let times: Vec<u64> = samples.iter().map(|sample| sample.time_us()).collect();
    let corrected: Vec<u64> = samples.iter().map(|sample| sample.corrected_us()).collect();
    let count = |wanted: fn(&&&Recorded) -> bool| samples.iter().filter(wanted).count() as u64;
    assert_eq!((row.requests, row.failures), (count(|_| true), count(|it| it.failure.is_some())), "{name}");
    assert_eq!(row.total_response_time_us, times.iter().sum::<u64>(), "{name}");
    assert_eq!(
        (row.min_us, row.max_us),
        (times.iter().min().copied(), times.iter().max().copied()),
        "{name}"
    );
    assert_eq!(row.content_length, samples.iter().map(|sample| sample.length).sum::<u64>(), "{name}");
    assert_eq!(row.first_start, samples.iter().map(|sample| sample.start).min(), "{name}");
    assert_eq!(row.last_end, samples.iter().map(|sample| sample.end).max(), "{name}");
    let histogram = SparseHistogram::from_buckets(times.iter().map(|time_us| (*time_us, 1)).collect());
    assert_eq!(row.response_times, histogram, "{name}");
    assert_eq!(row.percentiles_us, percentiles(times, true), "{name}");
    assert_eq!(row.corrected_percentiles_us, percentiles(corrected, false), "{name}");
    let mut seconds = BTreeMap::<u64, (u64, u64)>::new();
    for sample in samples {
        let (requests, failures) = seconds.entry(sample.end.as_secs()).or_default();
        *requests += 1;
        *failures += u64::from(sample.failure.is_some());
    }
    let seconds: Vec<_> = seconds
        .into_iter()
        .map(|(second, (requests, failures))| (second as u32, requests, failures))
        .collect();
    assert_eq!(row.seconds, seconds, "{name}");
}

#[test]
fn figures_of_two_workers_are_those_of_one_list() {
    on_virtual_time(async {
        let samples = recorded();
        let report = play(&samples).await;
        check_row(&report.total, &samples.iter().collect::<Vec<_>>());
        assert_eq!(report.rows.len(), NAMES.len());
        for name in NAMES {
            let of_name: Vec<_> = samples.iter().filter(|sample| sample.name == name).collect();
            assert!(of_name.len() > SAMPLES / 10);
            check_row(row(&report, "GET", name), &of_name);
            for message in FAILURES {
                let failed: Vec<_> =
                    of_name.iter().filter(|sample| sample.failure == Some(message)).collect();
                let error = report.errors.iter().find(|error| error.name == name && error.message == message);
                let error = error.unwrap_or_else(|| panic!("no {message} of {name}"));
                assert_eq!(error.occurrences, failed.len() as u64);
                assert_eq!(error.first_seen, failed.iter().map(|sample| sample.end).min());
                assert_eq!(error.last_seen, failed.iter().map(|sample| sample.end).max());
            }
        }
    });
}
