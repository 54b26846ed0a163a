//! What a run needs besides the text of its scenario, in whole clusters on virtual time.

use std::sync::Arc;
use std::time::Duration;

use sentinel_common::coordinator::{ALL_FINISHED, RunSpec};
use sentinel_common::files::{CHUNK_BYTES_MAX, FileStore};
use sentinel_common::ids::{WIRE_VERSION, WorkerId};
use sentinel_common::member::Exit;
use sentinel_common::messages::{FromWorker, Ready, Resources, ToWorker, Wire};
use sentinel_common::time::RunTime;
use sentinel_common::timeline::EventKind;
use sentinel_common::verdict::Verdict;
use sentinel_proto::Decode as _;
use sentinel_tests::virtual_cluster::{
    Cable, VirtualCluster, VirtualTarget, assert_books_balance, on_virtual_time, row, times_of,
};
use sentinel_worker::link::Link;

const A: &str = "h1_a";
const B: &str = "h2_b";

const SCENARIO: &str =
    "users: { Buyer: { wait_time: constant(1), tasks: [{ name: buy, steps: [{ get: / }] }] } }";

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

// Files.

/// A file of two and a half chunks, an empty one, and one that has two names.
fn files() -> Arc<FileStore> {
    let large: Vec<u8> = (0..5 * CHUNK_BYTES_MAX / 2).map(|at| (at % 253) as u8).collect();
    let mut store = FileStore::default();
    for (name, contents) in
        [("large.csv", large), ("empty.csv", Vec::new()), ("a.txt", b"a".to_vec()), ("b.txt", b"a".to_vec())]
    {
        store.add(name, contents).expect("the files are small");
    }
    Arc::new(store)
}

#[test]
fn workers_run_users_once_they_have_the_files_of_the_run() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let edit = |spec: &mut RunSpec| spec.files = files();
        let mut cluster = VirtualCluster::start_edited(SCENARIO, "-u 4 -r 4 -t 20s", target.clone(), edit);
        let _a = cluster.add_worker(A);
        cluster.until(secs(5)).await;
        let _late = cluster.add_worker(B);
        let report = cluster.report().await;
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_eq!(report.workers.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [A, B]);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_worker_that_loses_its_master_gets_its_files_all_the_same() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let edit = |spec: &mut RunSpec| spec.files = files();
        let mut cluster = VirtualCluster::start_edited(SCENARIO, "-u 4 -r 4 -t 20s", target.clone(), edit);
        let a = cluster.add_worker(A);
        // Cut again and again, as soon as it has begun.
        for _ in 0..3 {
            tokio::time::sleep(millis(1)).await;
            a.cable.cut();
            tokio::time::sleep(millis(100)).await;
            a.cable.mend();
        }
        let report = cluster.report().await;
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}

// Rows.

/// Users that do not wait between their iterations.
const BUSY: &str = "users: { Buyer: { tasks: [{ name: buy, steps: [{ get: / }] }] } }";

fn is_exhausted(event: &EventKind) -> bool {
    matches!(event, EventKind::RowsExhausted { .. })
}

#[test]
fn two_workers_make_exactly_the_iterations_that_were_asked_for() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let edit = |spec: &mut RunSpec| spec.iterations = Some(1_000);
        let options = "-u 10 -r 10 -t 30s --expect-workers 2";
        let mut cluster = VirtualCluster::start_edited(BUSY, options, target.clone(), edit);
        let (_a, _b) = (cluster.add_worker(A), cluster.add_worker(B));
        let report = cluster.report().await;
        assert_eq!(row(&report, "GET", "/").requests, 1_000);
        assert_eq!(report.delivery.started, 1_000);
        assert_eq!(times_of(&report, is_exhausted).len(), 1, "{:?}", report.timeline);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn iterations_are_neither_lost_nor_made_twice_when_workers_come_and_go() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let edit = |spec: &mut RunSpec| spec.iterations = Some(10_000);
        let options = "-u 20 -r 20 -t 60s --expect-workers 2";
        let mut cluster = VirtualCluster::start_edited(BUSY, options, target.clone(), edit);
        let (a, b) = (cluster.add_worker(A), cluster.add_worker(B));
        cluster.until(secs(3)).await;
        let _c = cluster.add_worker("h3_c");
        cluster.until(secs(4)).await;
        // It loses its master for less than it takes to be missed.
        b.cable.cut();
        cluster.until(secs(5)).await;
        b.cable.mend();
        cluster.until(secs(6)).await;
        a.shut_down().await;
        assert_eq!(a.exit().await, Exit::Done);
        let report = cluster.report().await;
        assert_eq!(row(&report, "GET", "/").requests, 10_000);
        assert_books_balance(&report, &target);
    });
}

// Users that end by themselves.

#[test]
fn a_run_ends_when_all_its_users_have_finished() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let edit = |spec: &mut RunSpec| spec.iterations = Some(1_000);
        let options = "-u 10 -r 10 --expect-workers 2";
        let mut cluster = VirtualCluster::start_edited(BUSY, options, target.clone(), edit);
        let (_a, _b) = (cluster.add_worker(A), cluster.add_worker(B));
        let ended = cluster.ended().await;
        let report = ended.report.unwrap();
        let stops = report.timeline.events().iter().filter_map(|event| match &event.kind {
            EventKind::StopRequested { reason } => Some(reason.as_str()),
            _ => None,
        });
        assert_eq!(stops.collect::<Vec<_>>(), [ALL_FINISHED]);
        // A thousand times 25 ms, ten at a time, and the first second of the ramp.
        assert!(report.clock < RunTime::from_secs(6), "{}", report.clock);
        assert_eq!((report.ruling.verdict, ended.exit_code), (Verdict::Pass, 0), "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn nobody_waits_for_users_that_would_find_no_iteration() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let edit = |spec: &mut RunSpec| spec.iterations = Some(100);
        let mut cluster = VirtualCluster::start_edited(BUSY, "-u 600 -r 1", target.clone(), edit);
        let _a = cluster.add_worker(A);
        let report = cluster.report().await;
        assert!(report.clock < RunTime::from_secs(10), "{}", report.clock);
        assert_eq!(report.delivery.started, 100);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn paced_users_that_finish_drop_nothing() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = "
users: { Buyer: { wait_time: constant_throughput(2), tasks: [{ name: buy, steps: [{ get: / }] }] } }
";
        let edit = |spec: &mut RunSpec| spec.iterations = Some(500);
        let mut cluster = VirtualCluster::start_edited(scenario, "-u 20 -r 20", target.clone(), edit);
        let _a = cluster.add_worker(A);
        let report = cluster.report().await;
        let delivery = report.delivery;
        assert_eq!((delivery.planned, delivery.started, delivery.dropped), (500, 500, 0));
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}

// Setup and teardown.

/// A worker that runs no users and says what it is told to.
struct Puppet {
    link: Link,
    /// Without it, the connection ends.
    _cable: Cable,
}

impl Puppet {
    async fn join(cluster: &VirtualCluster, name: &str) -> Self {
        let cable = cluster.cable();
        let link = Link::open(Arc::new(cable.clone())).await.expect("the master listens");
        let puppet = Self { link, _cable: cable };
        puppet.say(FromWorker::Ready(Ready {
            worker: WorkerId::new(name).expect("the name is short"),
            wire: Wire::Grpc,
            wire_version: WIRE_VERSION,
            software_version: "puppet".to_owned(),
            capabilities: Vec::new(),
            run: None,
            resources: Resources::default(),
        }));
        puppet
    }

    fn say(&self, message: FromWorker) {
        assert!(self.link.send(message));
    }

    /// Listens until it hears what is wanted.
    async fn hear<T>(&mut self, wanted: impl Fn(ToWorker) -> Option<T>) -> T {
        loop {
            let message = self.link.next().await.expect("the master is there");
            let message = message.decode().expect("the master speaks our protocol");
            if let Some(heard) = wanted(message) {
                return heard;
            }
        }
    }

    /// Waits to be asked for setup, and answers.
    async fn set_up(&mut self, result: Result<&str, &str>) {
        let asked = |message| match message {
            ToWorker::Setup(plan) => Some(plan.run.clone()),
            _ => None,
        };
        let run = self.hear(asked).await;
        let result = result.map(str::to_owned).map_err(str::to_owned);
        self.say(FromWorker::SetupDone { run, result });
    }
}

fn with_hooks(spec: &mut RunSpec) {
    (spec.has_setup, spec.has_teardown) = (true, true);
}

#[test]
fn a_run_is_set_up_before_it_begins_and_torn_down_after_it_has_ended() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let options = "-u 4 -r 4 -t 20s --expect-workers 2";
        let mut cluster = VirtualCluster::start_edited(SCENARIO, options, target.clone(), with_hooks);
        let (a, _b) = (cluster.add_worker(A), cluster.add_worker(B));
        cluster.until(secs(10)).await;
        a.shut_down().await;
        let report = cluster.report().await;
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        let failed = |event: &EventKind| matches!(event, EventKind::TeardownFailed { .. });
        assert_eq!(times_of(&report, failed), []);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_setup_that_fails_ends_the_master_without_a_run() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let options = "-u 4 -r 4 -t 20s --expect-workers 2";
        let mut cluster = VirtualCluster::start_edited(SCENARIO, options, target.clone(), with_hooks);
        let mut puppet = Puppet::join(&cluster, A).await;
        cluster.until(secs(1)).await;
        let _b = cluster.add_worker(B);
        puppet.set_up(Err("POST /login: expected a status below 400, got 503")).await;
        let ended = cluster.ended().await;
        assert!(ended.report.is_none());
        assert_eq!((ended.exit_code, target.requests()), (1, 0));
    });
}

#[test]
fn the_variables_of_a_setup_reach_every_worker() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let options = "-u 4 -r 4 -t 20s --expect-workers 2";
        let cluster = VirtualCluster::start_edited(SCENARIO, options, target, with_hooks);
        let mut first = Puppet::join(&cluster, A).await;
        cluster.until(secs(1)).await;
        let mut second = Puppet::join(&cluster, B).await;
        first.set_up(Ok(r#"{"token":"käse"}"#)).await;
        for puppet in [&mut first, &mut second] {
            let variables = puppet.hear(|message| match message {
                ToWorker::Plan(plan) => Some(plan.variables.clone()),
                _ => None,
            });
            assert_eq!(variables.await, r#"{"token":"käse"}"#);
        }
    });
}
