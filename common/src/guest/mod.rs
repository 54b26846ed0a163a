//! The guest: a worker of Locust's, as our master sees it.
//!
//! One [`Guest`] stands for one connection. It turns what such a worker says into the messages of our own workers, and
//! what the coordinator decides into Locust's messages, so that the coordinator need not know which kind it commands.
//! Like the coordinator it is sans-IO: a transport feeds it messages, carries out its outputs and wakes it when it asks.
//!
//! Locust's worker names no run and repeats nothing, so the guest remembers what it has to know: which run a report
//! belongs to, which placement a `spawning` answers, and that the last figures of a run come after its end.
//!
//! ```text
//! stranger --client_ready, or a sign of life--> introduced --Ack--> registered --stop--> stopping --client_ready--+
//!                                                                       ^----------------------------------------+
//! ```

mod log_tail;
mod orders;
mod reports;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use self::log_tail::LogTail;
use self::orders::Orders;
use self::reports::Reports;
use crate::ids::{RunId, WIRE_VERSION, WorkerId};
use crate::locust::{
    ClientVersion, DecodeError, Heartbeat, Limits, LocustfileReply, MasterMessage, WorkerMessage, WorkerState,
};
use crate::messages::{self, FromWorker, Ready, ToWorker, Wire};

/// The release of Locust whose master we stand in for. Workers of another minor release are warned of.
pub const LOCUST_VERSION: &str = "2.47.0";

/// From this CPU usage on, in percent, a worker is warned of, as by Locust.
const CPU_WARNING: f64 = 90.0;

/// Reports and exceptions that are kept while it is not known which run they belong to; the oldest make room.
const MAX_HELD: usize = 32;

/// Characters of a worker's text that are worth a place in a log.
const MAX_QUOTED_CHARS: usize = 100;

/// Types of custom messages of one connection that are warned of, one by one.
const MAX_CUSTOM_WARNINGS: usize = 8;

/// What the transport has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this to the worker.
    Reply(MasterMessage),
    /// Tell the coordinator.
    Tell(FromWorker),
    /// Write a line to the log.
    Log(Line),
    /// Close the connection once all replies are sent; the reason is for people.
    Close(String),
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Only of interest when something is being looked for.
    Debug(String),
    /// Something that people should see.
    Warning(String),
}

/// How far the worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has not said who it is.
    Stranger,
    /// The coordinator has been told of it and has not answered.
    Introduced,
    /// The coordinator knows it.
    Registered,
}

/// One of Locust's workers. See the module's documentation.
#[derive(Debug)]
pub struct Guest {
    /// What it calls itself in messages; the identity of its connection, unless that is empty.
    node_id: String,
    locustfile: Arc<LocustfileReply>,
    standing: Standing,
    index: Option<u32>,
    /// Introductions that have not been acknowledged.
    unacknowledged: u32,
    /// What it measured before the coordinator has said whether it goes on with its run.
    held: VecDeque<WorkerMessage>,
    orders: Orders,
    reports: Reports,
    log_tail: LogTail,
    cpu_warned: bool,
    custom_warned: BTreeSet<String>,
    outputs: VecDeque<Output>,
}

impl Guest {
    /// A worker that has just connected under `identity`, the one of its socket. `locustfile` is what it is given when
    /// it asks for one.
    ///
    /// # Errors
    /// The identity is no text.
    pub fn new(identity: &[u8], locustfile: Arc<LocustfileReply>) -> Result<Self, std::str::Utf8Error> {
        Ok(Self {
            node_id: std::str::from_utf8(identity)?.to_owned(),
            locustfile,
            standing: Standing::Stranger,
            index: None,
            unacknowledged: 0,
            held: VecDeque::new(),
            orders: Orders::default(),
            reports: Reports::default(),
            log_tail: LogTail::default(),
            cpu_warned: false,
            custom_warned: BTreeSet::new(),
            outputs: VecDeque::new(),
        })
    }

    /// What it calls itself; empty until it has, if its socket has no identity.
    pub fn node_id(&self) -> &str {
        &self.node_id
    }

    /// Whether the coordinator knows it. Others may be closed when they say nothing.
    pub fn is_registered(&self) -> bool {
        self.standing == Standing::Registered
    }

    /// The next thing to do, if any. To be called until it returns `None` after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called, in microseconds of the clock that the other calls are given.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.orders.flush_due()
    }

    /// The worker said something. `unix_us` is the time in microseconds since the Unix epoch, by a clock that never
    /// goes back.
    pub fn handle_bytes(&mut self, unix_us: u64, bytes: &[u8]) {
        match WorkerMessage::decode(bytes, Limits::default()) {
            Ok(envelope) => {
                if self.node_id.is_empty() {
                    self.node_id.clone_from(&envelope.node_id);
                }
                self.handle_message(unix_us, envelope.message);
            }
            Err(error) => self.on_malformed(&error),
        }
    }

    /// The coordinator said something.
    pub fn handle_order(&mut self, unix_us: u64, message: ToWorker) {
        match message {
            ToWorker::Ack { index } => self.on_ack(index),
            ToWorker::Refused { .. } | ToWorker::Quit => self.reply(MasterMessage::Quit),
            ToWorker::Plan(plan) => self.on_plan(unix_us, plan),
            ToWorker::Spawn(assignment) => self.on_assignment(unix_us, assignment),
            ToWorker::SpawningComplete { user_count, .. } => {
                self.reply(MasterMessage::SpawningComplete { user_count });
            }
            // Reports are not repeated, so nobody waits for this.
            ToWorker::StatsAck { .. } => {}
            // Such a worker asks for none of this, and others are asked to do it.
            ToWorker::Setup(_) | ToWorker::Teardown(_) | ToWorker::FileChunk(_) | ToWorker::RowsLease(_) => {}
            ToWorker::Heartbeat { .. } => self.reply(MasterMessage::Heartbeat),
            ToWorker::Stop { run } => self.on_stop(run),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, unix_us: u64) {
        if self.orders.flush_due().is_some_and(|due| due <= unix_us) {
            self.on_flushed(unix_us);
        }
    }

    fn handle_message(&mut self, unix_us: u64, message: WorkerMessage) {
        match message {
            WorkerMessage::ClientReady(version) => self.on_ready(unix_us, &version),
            WorkerMessage::LocustfileRequest { version } => {
                self.compare_version(&version);
                self.reply(MasterMessage::Locustfile((*self.locustfile).clone()));
            }
            WorkerMessage::Stats(_) | WorkerMessage::Exception { .. } if self.orders.resumes => {
                self.hold(message);
            }
            message if self.is_registered() => self.on_message(unix_us, message),
            // It knew a master that is gone, or lost its connection: a sign of life is all that it will ever give.
            WorkerMessage::Heartbeat(heartbeat) => {
                let busy = matches!(heartbeat.state, WorkerState::Spawning | WorkerState::Running);
                self.introduce(busy.then(RunId::untold), String::new());
            }
            WorkerMessage::Spawning | WorkerMessage::SpawningComplete { .. } => {
                self.introduce(Some(RunId::untold()), String::new());
            }
            // What could not be sent when the connection broke comes first on the next.
            WorkerMessage::Stats(_) | WorkerMessage::Exception { .. } => {
                if self.standing == Standing::Stranger {
                    self.introduce(Some(RunId::untold()), String::new());
                }
                self.hold(message);
            }
            message => self.log(Line::Debug(format!(
                "Discarding `{}` of {}, which is not registered",
                quoted(message.kind()),
                quoted(&self.node_id)
            ))),
        }
    }

    fn hold(&mut self, message: WorkerMessage) {
        if self.held.len() == MAX_HELD {
            self.held.pop_front();
        }
        self.held.push_back(message);
    }

    /// The worker goes on with its run: what it has measured counts.
    fn release_held(&mut self, unix_us: u64) {
        for message in std::mem::take(&mut self.held) {
            self.on_message(unix_us, message);
        }
    }

    fn on_message(&mut self, unix_us: u64, message: WorkerMessage) {
        match message {
            WorkerMessage::ClientReady(_) | WorkerMessage::LocustfileRequest { .. } => {}
            WorkerMessage::Heartbeat(heartbeat) => self.on_heartbeat(&heartbeat),
            WorkerMessage::Stats(report) => self.on_stats(unix_us, &report),
            WorkerMessage::Spawning => self.on_spawning(),
            WorkerMessage::SpawningComplete { user_classes_count, .. } => {
                self.on_spawned(&user_classes_count);
            }
            WorkerMessage::ClientStopped => self.on_client_stopped(unix_us),
            WorkerMessage::Quit => self.tell(FromWorker::Quit),
            WorkerMessage::Exception { msg, traceback } => self.on_exception(msg, traceback),
            WorkerMessage::Logs { logs, .. } => {
                let lines = self.log_tail.new_lines(logs);
                if !lines.is_empty() {
                    self.tell(FromWorker::Logs { lines });
                }
            }
            WorkerMessage::Custom { kind, .. } => self.on_custom(kind),
        }
    }

    fn on_ready(&mut self, unix_us: u64, version: &ClientVersion) {
        if let ClientVersion::Release(version) = version {
            self.compare_version(version);
        }
        // It is idle: whatever it measured before was for nobody here.
        self.held.clear();
        self.unacknowledged = self.unacknowledged.saturating_add(1);
        if let (Standing::Registered, Some(index)) = (self.standing, self.index) {
            self.on_ack(index);
            return self.on_ready_again(unix_us);
        }
        let release = match version {
            ClientVersion::Release(version) => format!("Locust {}", quoted(version)),
            ClientVersion::Unchecked => "unknown".to_owned(),
        };
        self.introduce(None, release);
    }

    fn introduce(&mut self, run: Option<RunId>, software_version: String) {
        self.standing = Standing::Introduced;
        self.orders.resumes = run.is_some();
        self.tell_ready(run, software_version);
    }

    fn tell_ready(&mut self, run: Option<RunId>, software_version: String) {
        let worker = match WorkerId::new(&self.node_id) {
            Ok(worker) => worker,
            Err(error) => return self.close(error.to_string()),
        };
        self.tell(FromWorker::Ready(Ready {
            worker,
            wire: Wire::Locust,
            wire_version: WIRE_VERSION,
            software_version,
            capabilities: Vec::new(),
            run,
            resources: messages::Resources::default(),
        }));
    }

    /// Every introduction is acknowledged once and nothing else is: boomer does not survive one too many.
    fn on_ack(&mut self, index: u32) {
        self.standing = Standing::Registered;
        self.index = Some(index);
        for _ in 0..std::mem::take(&mut self.unacknowledged) {
            self.reply(MasterMessage::Ack { index: Some(index.into()) });
        }
    }

    fn compare_version(&mut self, version: &str) {
        let minor = |version: &str| version.chars().take(4).collect::<String>();
        if version == LOCUST_VERSION {
            return;
        }
        let (id, release) = (quoted(&self.node_id), quoted(version));
        self.log(if minor(version) == minor(LOCUST_VERSION) {
            Line::Debug(format!(
                "A worker ({id}) running a different patch version ({release}) connected, master version is \
                 {LOCUST_VERSION}"
            ))
        } else {
            Line::Warning(format!(
                "A worker ({id}) running a different version ({release}) connected, master version is \
                 {LOCUST_VERSION}"
            ))
        });
    }

    fn on_heartbeat(&mut self, heartbeat: &Heartbeat) {
        let cpu = heartbeat.current_cpu_usage;
        if cpu > CPU_WARNING && !self.cpu_warned {
            self.cpu_warned = true;
            self.log(Line::Warning(format!(
                "Worker {} uses {cpu:.0}% CPU; its response times may be too high (said only once per worker)",
                self.node_id
            )));
        }
        self.tell(FromWorker::Heartbeat(messages::Heartbeat {
            finished: messages::ClassCounts::new(),
            state: match heartbeat.state {
                WorkerState::Ready | WorkerState::Stopped | WorkerState::Missing => {
                    messages::WorkerState::Ready
                }
                WorkerState::Spawning => messages::WorkerState::Spawning,
                // With our own wire, a worker that is stopping leaves; this one stays.
                WorkerState::Running | WorkerState::Cleanup | WorkerState::Stopping => {
                    messages::WorkerState::Running
                }
            },
            users: self.orders.users.clone(),
            pool: messages::ClassCounts::new(),
            vitals: messages::Vitals {
                cpu_percent: cpu as f32,
                memory_bytes: heartbeat.current_memory_usage.unwrap_or(0),
                ..messages::Vitals::default()
            },
        }));
    }

    fn on_custom(&mut self, kind: String) {
        if self.custom_warned.len() < MAX_CUSTOM_WARNINGS && !self.custom_warned.contains(&kind) {
            self.log(Line::Warning(format!(
                "Unknown message type received from worker {}: {}",
                self.node_id,
                quoted(&kind)
            )));
            self.custom_warned.insert(kind);
        }
    }

    /// Locust's master answers some of these with `reconnect`, and its worker then opens a connection that is in step.
    fn on_malformed(&mut self, error: &DecodeError) {
        if self.is_registered() && error.asks_for_reconnect() {
            self.reply(MasterMessage::Reconnect);
        }
        self.close(format!("it sent a malformed message: {error}"));
    }

    fn reply(&mut self, message: MasterMessage) {
        self.outputs.push_back(Output::Reply(message));
    }

    fn tell(&mut self, message: FromWorker) {
        self.outputs.push_back(Output::Tell(message));
    }

    fn log(&mut self, line: Line) {
        self.outputs.push_back(Output::Log(line));
    }

    fn close(&mut self, reason: String) {
        self.outputs.push_back(Output::Close(reason));
    }
}

/// Text of a peer as it may stand in a log: on one line, and not too long.
fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).flat_map(char::escape_debug).collect()
}
