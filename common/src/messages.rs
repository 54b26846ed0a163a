//! What the master and its workers say to each other, free of any wire.
//!
//! The messages mirror Locust's and keep its words. `proto` turns them into protobuf and back; the coordinator and
//! the member decide what to say. Nothing here is sent or received.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::arrivals::Slot;
use crate::files::{Checksum, FileChunk, FileRef};
use crate::ids::{Generation, RunId, WorkerId};
use crate::locust::Value;
use crate::rows::RowRange;
use crate::scenario::Adjustments;
use crate::stats::StatsDelta;
use crate::time::RunTime;

/// Users by class name. A class that is missing has none.
pub type ClassCounts = BTreeMap<String, u32>;

/// How often a worker sends a heartbeat.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(500);

/// How often a worker reports statistics while it has any.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// From a worker to the master.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// The first message of every connection.
    Ready(Ready),
    /// The worker has begun to follow the assignment of this generation.
    Spawning {
        /// Which assignment.
        generation: Generation,
    },
    /// The worker runs exactly the users that the assignment of this generation asks for.
    SpawningComplete {
        /// Which assignment.
        generation: Generation,
        /// The users that run.
        users: ClassCounts,
    },
    /// What was measured since the last report.
    Stats(StatsReport),
    /// A sign of life.
    Heartbeat(Heartbeat),
    /// Lines that were added to its log since the last such message.
    Logs {
        /// One line each, as they were logged.
        lines: Vec<String>,
    },
    /// All users of the run have stopped and the last report has been sent.
    ClientStopped {
        /// Which run.
        run: RunId,
    },
    /// The worker lacks a file of its plan and asks for the chunk that begins at this offset. It waits for the answer
    /// before it asks for more.
    FileRequest {
        /// The file.
        sha256: Checksum,
        /// Where the chunk begins.
        offset: u64,
    },
    /// The worker wants rows to use.
    RowsRequest(RowsRequest),
    /// The worker hands back rows that it does not use.
    RowsReturned(RowsReturned),
    /// Setup is done.
    SetupDone {
        /// Which run was set up.
        run: RunId,
        /// The variables that every user begins with, as a JSON object, or why the run cannot begin.
        result: Result<String, String>,
    },
    /// Teardown is done.
    TeardownDone {
        /// Which run was torn down.
        run: RunId,
        /// What could not be done, if anything.
        result: Result<(), String>,
    },
    /// The worker's process is about to end, on purpose. Its users have stopped and its reports are acknowledged.
    Quit,
}

/// A worker introduces itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Ready {
    /// Its name, the same in every connection of one process.
    pub worker: WorkerId,
    /// What it speaks. Not said, but seen by whoever accepted the connection.
    pub wire: Wire,
    /// The wire contract it speaks, [`crate::ids::WIRE_VERSION`] in this build.
    pub wire_version: u32,
    /// Its release, for people.
    pub software_version: String,
    /// What it can do beyond the wire contract, by name. Unknown names are ignored.
    pub capabilities: Vec<String>,
    /// The run it is still working for, when it lost the master on the way.
    pub run: Option<RunId>,
    /// What it has to make load with.
    pub resources: Resources,
}

/// What a worker has to make load with. Zero where it does not know, or does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Resources {
    /// Threads that run users: it cannot use more cores.
    pub threads: u32,
    /// Cores that it may use.
    pub cores: u32,
    /// Files that it may have open at once; every connection is one.
    pub open_files: u64,
    /// Ports that the system gives to connections: so many there are to one address of a target at once.
    pub ports: u32,
}

/// The vital signs of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Vitals {
    /// CPU time of its process, in percent of one core; can exceed 100.
    pub cpu_percent: f32,
    /// Resident memory of its process, in bytes.
    pub memory_bytes: u64,
    /// The longest time by which a user's timer fired late since the last heartbeat. A high one means that the
    /// worker, not the target, is the bottleneck.
    pub wakeup_lag: Duration,
    /// How much of its busiest network link is in use, in percent; `None` if no link says how fast it is.
    pub network_percent: Option<f32>,
    /// Requests that were sent and not answered yet; `None` if it does not say.
    pub in_flight: Option<u64>,
}

/// The wire that a worker speaks. The same decisions reach it on either; they differ in what the worker can do by
/// itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// Our own: the worker ramps by itself, acknowledges generations and says how many users it runs.
    #[default]
    Grpc,
    /// Locust's: the worker is told every step of a ramp and takes it at once.
    Locust,
}

impl Wire {
    /// A worker that was silent for this long is given up. With our own wire, that is four heartbeats lost, and noticed
    /// within three seconds; with Locust's, it is what Locust's master allows.
    pub fn liveness(self) -> Duration {
        match self {
            Self::Grpc => Duration::from_millis(2500),
            Self::Locust => Duration::from_millis(4250),
        }
    }

    /// Users of a worker that was silent for this long, two heartbeats and some slack, no longer count as delivered.
    pub fn doubtful_after(self) -> Duration {
        match self {
            Self::Grpc => Duration::from_millis(1250),
            Self::Locust => Duration::from_millis(2500),
        }
    }
}

/// A sealed report: sent again, unchanged and with the same number, until it is acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct StatsReport {
    /// The run it belongs to.
    pub run: RunId,
    /// Counts this worker's reports of the run, from 1.
    pub seq: u64,
    /// What was measured since the report before.
    pub delta: StatsDelta,
}

/// A worker wants rows. Each of its messages about a source waits for the answer to the one before, and is sent again,
/// with the same number, on a new connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsRequest {
    /// The run.
    pub run: RunId,
    /// Which rows.
    pub source: String,
    /// Counts this worker's messages about the source, from 1.
    pub request: u64,
    /// How many rows it has left of those that it has. It uses them in order, so all before these are used.
    pub left: u64,
    /// How many more it wants.
    pub want: u32,
}

/// A worker hands back all rows of a source that it has left. All others that it was leased are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsReturned {
    /// The run.
    pub run: RunId,
    /// Which rows.
    pub source: String,
    /// Counts this worker's messages about the source, from 1.
    pub request: u64,
    /// What is left.
    pub ranges: Vec<RowRange>,
}

/// Rows for a worker, which nobody else gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsLease {
    /// The run.
    pub run: RunId,
    /// Which rows.
    pub source: String,
    /// The message that this is the answer to.
    pub request: u64,
    /// The rows; none if there are none for now.
    pub ranges: Vec<RowRange>,
    /// There will never be any more.
    pub exhausted: bool,
}

/// What a worker says of itself, twice a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heartbeat {
    /// What it is doing.
    pub state: WorkerState,
    /// The users that it runs now, as it was assigned them, together with those that have finished.
    pub users: ClassCounts,
    /// Those of them that have ended by themselves. They count as running, so that nobody takes their place.
    pub finished: ClassCounts,
    /// The users that it has for the arrivals of open classes.
    pub pool: ClassCounts,
    /// How it is.
    pub vitals: Vitals,
}

/// What a worker is doing, in Locust's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerState {
    /// Connected, with nothing to do.
    #[default]
    Ready,
    /// On the way to the users that it was assigned.
    Spawning,
    /// Running the users that it was assigned.
    Running,
    /// Letting its users finish.
    Stopping,
    /// Not heard of for too long, though its connection stands.
    Missing,
}

impl WorkerState {
    /// Locust's name of the state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Spawning => "spawning",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Missing => "missing",
        }
    }
}

/// From the master to a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum ToWorker {
    /// The worker is welcome.
    Ack {
        /// Its number, from 0, the same for as long as the master lives.
        index: u32,
    },
    /// The worker is not welcome; the connection ends after this.
    Refused {
        /// Why, for people.
        reason: String,
    },
    /// What the run is about. Comes before the first assignment of a run; repeats change nothing.
    Plan(Arc<RunPlan>),
    /// Set this run up, before it begins, for the whole cluster. Repeats are answered again.
    Setup(Arc<RunPlan>),
    /// Tear this run down, which has ended, for the whole cluster. Repeats are answered again.
    Teardown(Arc<RunPlan>),
    /// The answer to [`FromWorker::FileRequest`].
    FileChunk(FileChunk),
    /// The answer to [`FromWorker::RowsRequest`] and to [`FromWorker::RowsReturned`].
    RowsLease(RowsLease),
    /// How many users to run.
    Spawn(Assignment),
    /// The whole cluster has reached its users.
    SpawningComplete {
        /// Users over all workers.
        user_count: u64,
        /// Statistics of the ramp are to be forgotten (`--reset-stats`).
        reset_stats: bool,
    },
    /// The report with this number, and every one before it, has been merged.
    StatsAck {
        /// The run that the report belongs to.
        run: RunId,
        /// Its number.
        seq: u64,
    },
    /// The answer to a heartbeat.
    Heartbeat {
        /// What the run's clock showed when this left; `None` when there is no run.
        run_time: Option<RunTime>,
    },
    /// Stop all users of the run, or its setup, report, and say so.
    Stop {
        /// Which run; another one is left alone.
        run: RunId,
    },
    /// Stop, report, and end the process.
    Quit,
}

/// Everything a worker needs to run users of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPlan {
    /// Which run.
    pub run: RunId,
    /// The scenario file's name, for messages.
    pub scenario_name: String,
    /// The scenario file's text.
    pub scenario: String,
    /// The profile of the file that is in force.
    pub profile: Option<String>,
    /// Takes the place of every host in the file.
    pub host: Option<String>,
    /// How long a task may go on after a stop before it is cut off.
    pub stop_timeout: Duration,
    /// The seed of every user's random stream.
    pub seed: u64,
    /// What the run's clock showed when this left.
    pub run_time: RunTime,
    /// The user classes that were named on the command line, with the weights that were given there; empty for all.
    pub classes: Vec<(String, Option<f64>)>,
    /// Only tasks with one of these tags run; empty for all.
    pub tags: Vec<String>,
    /// Tasks with one of these tags do not run.
    pub exclude_tags: Vec<String>,
    /// What is changed of the user classes.
    pub adjustments: Adjustments,
    /// How many iterations the whole cluster makes, if that is limited.
    pub iterations: Option<u64>,
    /// The variables that every user begins with, as a JSON object.
    pub variables: String,
    /// The files that the scenario names. A worker asks for what it does not have.
    pub files: Vec<FileRef>,
    /// The sources whose rows are used once in the whole cluster. A worker asks for what its users need.
    pub sources: Vec<String>,
    /// What only workers with Locust's wire are told.
    pub locust: LocustPlan,
}

/// The variables of a run without any.
pub const NO_VARIABLES: &str = "{}";

/// The longest variables of a run, as JSON, in bytes.
pub const VARIABLES_BYTES_MAX: usize = 1 << 20;

/// What one worker does once per run, for the whole cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before the run begins.
    Setup,
    /// After the run has ended.
    Teardown,
}

/// What a run means to Locust's workers, which have their own locustfile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocustPlan {
    /// All user classes of the run, by name.
    pub user_classes: Vec<String>,
    /// The options of the master by the names that Python gives them; none of them is a secret.
    pub parsed_options: Vec<(String, Value)>,
}

/// Absolute user counts for one worker. Obeyed if its generation is higher than any before.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The run that the users belong to.
    pub run: RunId,
    /// The decision that this is part of.
    pub generation: Generation,
    /// Users by class. All other classes go to zero.
    pub users: ClassCounts,
    /// This worker's share of the spawn rate, in users per second, for spawning as for stopping.
    pub spawn_rate: f64,
    /// When to make the first change. Staggers the workers, so that the cluster spawns evenly.
    pub first_delay: Duration,
    /// Its parts in the arrivals of open classes. A class that is not listed has none from now on.
    pub arrivals: Vec<ArrivalShare>,
}

/// One worker's part in the arrivals of an open class. All workers change to their new parts at the same time of the
/// run, so that no arrival is made twice or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivalShare {
    /// The class.
    pub class: String,
    /// Which of the arrivals are the worker's; `None`: none of them.
    pub slot: Option<Slot>,
    /// Users that may serve them at the same time.
    pub max_users: u32,
    /// Those due at this time and later are meant; until then, the part before is in force.
    pub from: RunTime,
    /// Those due at this time and later are made by nobody.
    pub until: Option<RunTime>,
}
