//! A whole cluster on virtual time: the real control loop of the master, the real sessions and swarms of workers, and
//! real gRPC between them, but over in-memory streams, on one thread whose clock jumps from timer to timer.
//!
//! ```text
//! control::run <-> Hub <-> transport::serve  <== cable ==>  session::run -> Swarm -> users
//!                                          (HTTP/2 in memory)                        |
//!                                                                              VirtualTarget
//! ```
//!
//! An hour takes a moment, and every figure is known exactly beforehand. There are no sockets here and no threads:
//! the runtime has no IO driver, so a real socket would panic instead of distorting time.

mod cable;
mod search;
mod target;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use sentinel_common::coordinator::{Phase, RunSpec};
use sentinel_common::ids::{RunId, WorkerId};
use sentinel_common::member::Exit;
use sentinel_common::report::{Report, Row};
use sentinel_common::time::RunTime;
use sentinel_common::timeline::EventKind;
use sentinel_master::cli::Args;
use sentinel_master::control::{self, Command, Ended};
use sentinel_master::settings::Settings;
use sentinel_master::transport::{self, Hub};
use sentinel_worker::clock::LocalClock;
use sentinel_worker::session;
use sentinel_worker::swarm::Swarm;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;

pub use self::cable::Cable;
pub use self::search::search;
pub use self::target::{Answer, Exchange, VirtualFactory, VirtualTarget};

/// The host of every virtual target.
pub const HOST: &str = "http://target";

/// A run that goes on for longer than this, in virtual time, never ends.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// Runs a test on virtual time.
pub fn on_virtual_time<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime =
        builder.enable_time().start_paused(true).build().expect("a runtime without IO needs nothing");
    LocalSet::new().block_on(&runtime, test)
}

/// What the master showed of a run while it went on.
#[derive(Clone, Debug, PartialEq)]
pub struct Glimpse {
    /// What the run's clock showed.
    pub at: RunTime,
    /// Where the run was in its life.
    pub phase: Phase,
    /// Users over all workers.
    pub users: u64,
    /// Users by worker.
    pub users_of: BTreeMap<String, u64>,
    /// Requests that had been reported.
    pub requests: u64,
    /// How many pieces the past was kept in.
    pub pieces: usize,
}

impl From<&Report> for Glimpse {
    fn from(report: &Report) -> Self {
        Self {
            at: report.clock,
            phase: report.phase,
            users: report.users,
            users_of: report.workers.iter().map(|row| (row.id.to_string(), row.users)).collect(),
            requests: report.total.requests,
            pieces: report.seconds.len(),
        }
    }
}

/// A master and its workers. See the module's documentation.
#[derive(Debug)]
pub struct VirtualCluster {
    started: Instant,
    /// What every worker's users load.
    pub target: VirtualTarget,
    listener: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    commands: mpsc::Sender<Command>,
    glimpses: Rc<RefCell<Vec<Glimpse>>>,
    ended: JoinHandle<Ended>,
}

/// A worker of a [`VirtualCluster`].
#[derive(Debug)]
pub struct VirtualWorker {
    /// Its way to the master.
    pub cable: Cable,
    shutdown: mpsc::Sender<()>,
    exit: JoinHandle<Exit>,
}

impl VirtualCluster {
    /// Starts a master with this scenario and these options, whose workers will load `target`. It starts its run as
    /// soon as it has the workers that the options expect.
    pub fn start(scenario: &str, options: &str, target: VirtualTarget) -> Self {
        Self::start_with(scenario, options, target, |_| {})
    }

    /// The same, after `edit` has changed what the run is about.
    pub fn start_edited(
        scenario: &str,
        options: &str,
        target: VirtualTarget,
        edit: impl FnOnce(&mut RunSpec),
    ) -> Self {
        Self::start_with(scenario, options, target, |settings| edit(&mut settings.autostart.spec))
    }

    /// The same, after `change` has had the last word on what the master is told.
    pub fn start_with(
        scenario: &str,
        options: &str,
        target: VirtualTarget,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = settings(scenario, options);
        change(&mut settings);
        let (hub, events) = Hub::new();
        let hub = Arc::new(hub);
        let (listener, incoming) = mpsc::unbounded_channel();
        let (commands, obeyed) = mpsc::channel(2);
        let incoming = UnboundedReceiverStream::new(incoming);
        tokio::task::spawn_local(transport::serve(incoming, hub.clone(), std::future::pending()));
        let glimpses = Rc::new(RefCell::new(Vec::new()));
        let shown = glimpses.clone();
        let ended = tokio::task::spawn_local(async move {
            let progress = |report: &Report| shown.borrow_mut().push(Glimpse::from(report));
            control::run(settings, hub, events, obeyed, progress, || ()).await
        });
        Self { started: Instant::now(), target, listener, commands, glimpses, ended }
    }

    /// A new cable to the master's port.
    pub fn cable(&self) -> Cable {
        Cable::new(self.listener.clone())
    }

    /// Starts a worker.
    pub fn add_worker(&self, name: &str) -> VirtualWorker {
        let cable = self.cable();
        let clock = LocalClock::start();
        let swarm = Swarm::start_local(self.target.factory(name), clock);
        let (shutdown, told) = mpsc::channel(2);
        let id = WorkerId::new(name).expect("tests give workers short names");
        let exit = tokio::task::spawn_local(session::run(id, Arc::new(cable.clone()), swarm, clock, told));
        VirtualWorker { cable, shutdown, exit }
    }

    /// Waits until the cluster is as old as this.
    pub async fn until(&self, age: Duration) {
        tokio::time::sleep_until(self.started + age).await;
    }

    /// Tells the master to end, as Ctrl-C does.
    pub async fn interrupt(&self) {
        self.commands.send(Command::Interrupt).await.expect("the master is there");
    }

    /// What the master has shown so far, every two seconds.
    pub fn glimpses(&self) -> Vec<Glimpse> {
        self.glimpses.borrow().clone()
    }

    /// The last of what the master has shown.
    pub fn last_glimpse(&self) -> Glimpse {
        self.glimpses.borrow().last().cloned().expect("the run has gone on for two seconds")
    }

    /// Waits until the master has ended.
    pub async fn ended(&mut self) -> Ended {
        let ended = tokio::time::timeout(PATIENCE, &mut self.ended).await.expect("the run ends");
        ended.expect("the master does not panic")
    }

    /// Waits until the master has ended with a report.
    pub async fn report(&mut self) -> Report {
        self.ended().await.report.expect("there was a run")
    }
}

impl VirtualWorker {
    /// Tells the worker to end, as SIGTERM does.
    pub async fn shut_down(&self) {
        self.shutdown.send(()).await.expect("the worker is there");
    }

    /// Waits until the worker has ended.
    pub async fn exit(self) -> Exit {
        let exit = tokio::time::timeout(PATIENCE, self.exit).await.expect("the worker ends");
        exit.expect("the worker does not panic")
    }
}

/// What a master's command line means with this scenario.
fn settings(scenario: &str, options: &str) -> Settings {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a temporary file can be made");
    std::fs::write(file.path(), scenario).expect("a temporary file can be written");
    let path = file.path().to_string_lossy();
    let words = ["sentinel-master", "-f", &path, "--host", HOST, "--headless"].into_iter();
    let args = Args::try_parse_from(words.chain(options.split_whitespace()))
        .unwrap_or_else(|error| panic!("{error}"));
    Settings::resolve(&args, RunId::new("virtual"), 1, None).unwrap_or_else(|error| panic!("{error}"))
}

/// The row of this method and name.
pub fn row<'a>(report: &'a Report, method: &str, name: &str) -> &'a Row {
    let row = report.rows.iter().find(|row| row.method == method && row.name == name);
    row.unwrap_or_else(|| panic!("no row {method} {name} among {:?}", report.rows))
}

/// When events of a kind happened.
pub fn times_of(report: &Report, wanted: impl Fn(&EventKind) -> bool) -> Vec<RunTime> {
    report.timeline.events().iter().filter(|event| wanted(&event.kind)).map(|event| event.at).collect()
}

/// Asserts that the report accounts for every request that the target has seen, and that its parts agree.
///
/// Names of requests must be their paths, and statistics must not have been reset.
pub fn assert_books_balance(report: &Report, target: &VirtualTarget) {
    assert_counts_balance(report, target);
    let rows: BTreeMap<_, _> =
        report.rows.iter().map(|row| ((row.method.clone(), row.name.clone()), row.requests)).collect();
    assert_eq!(rows, target.finished_by_path());
}

/// The same without a look at the names.
pub fn assert_counts_balance(report: &Report, target: &VirtualTarget) {
    let delivery = report.delivery;
    assert_eq!(delivery.sent, target.requests(), "every request that arrived was sent, and none was lost");
    assert_eq!(report.total.requests + delivery.in_flight_at_stop, delivery.sent, "{delivery:?}");
    assert_eq!(report.total.requests, target.finished(), "every answer was counted once");
    assert_eq!(delivery.planned, delivery.started + delivery.dropped, "{delivery:?}");
    let by_second: u64 = report.seconds.iter().map(|second| second.requests).sum();
    assert_eq!(by_second, report.total.requests, "the seconds add up to the total");
    assert_eq!(report.total.response_times.count(), report.total.requests, "every request has a time");
}
