//! What a worker says to its master.

use rmpv::{Value, ValueRef};

use super::fields::{self, Fields, Read, Unfit};
use super::wire::{self, map, text};
use super::{Counts, DecodeError, Envelope, Limits, StatsReport};

/// A message from a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerMessage {
    /// It is there and idle. Repeated until the master acknowledges, and after each stop.
    ClientReady(ClientVersion),
    /// It is alive, every second.
    Heartbeat(Heartbeat),
    /// What it measured, every three seconds.
    Stats(Box<StatsReport>),
    /// It has received a placement.
    Spawning,
    /// It has reached a placement.
    SpawningComplete {
        /// Running users by user class.
        user_classes_count: Counts,
        /// Running users.
        user_count: u64,
    },
    /// All its users have stopped.
    ClientStopped,
    /// Its process ends.
    Quit,
    /// The user's code has thrown an exception.
    Exception {
        /// The text of the exception.
        msg: String,
        /// Where it came from, as Python prints it.
        traceback: String,
    },
    /// All the lines of its log that it still has, not only the new ones.
    Logs {
        /// Its node id.
        worker_id: String,
        /// One line each, though an exception makes a line of several.
        logs: Vec<String>,
    },
    /// It wants the master's locustfile; the node id is one for this purpose alone.
    LocustfileRequest {
        /// Its version.
        version: String,
    },
    /// A message between the parts of the user's code.
    Custom {
        /// Its type, which is none of the above.
        kind: String,
        /// What it says.
        data: Value,
    },
}

/// What a worker says about its version when it joins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientVersion {
    /// The version of Locust, such as `2.47.0`; never empty.
    Release(String),
    /// Not to be compared: -1 on the wire, sent by boomer.
    Unchecked,
}

/// A worker's sign of life.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// What it is doing.
    pub state: WorkerState,
    /// CPU usage of its process in percent; may exceed 100 from Locust.
    pub current_cpu_usage: f64,
    /// Memory in bytes; older workers do not tell.
    pub current_memory_usage: Option<u64>,
}

/// The state in which a worker says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are Locust's")]
pub enum WorkerState {
    Ready,
    Spawning,
    Running,
    Cleanup,
    Stopping,
    Stopped,
    Missing,
}

impl WorkerState {
    /// All states, in the order of a run.
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::Spawning,
        Self::Running,
        Self::Cleanup,
        Self::Stopping,
        Self::Stopped,
        Self::Missing,
    ];

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Spawning => "spawning",
            Self::Running => "running",
            Self::Cleanup => "cleanup",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Missing => "missing",
        }
    }

    fn read(value: &ValueRef<'_>) -> Read<Self> {
        let name = fields::text(value)?;
        let state = Self::ALL.into_iter().find(|state| state.name() == name);
        state.ok_or_else(|| Unfit::new(value, "one of Locust's states"))
    }
}

impl WorkerMessage {
    /// Reads a worker's message.
    ///
    /// # Errors
    ///
    /// If the bytes are no message, exceed `limits`, or are a message whose data does not fit its type.
    pub fn decode(bytes: &[u8], limits: Limits) -> Result<Envelope<Self>, DecodeError> {
        let opened = wire::open(bytes, limits)?;
        let data = &opened.data;
        let message = match opened.kind {
            "client_ready" => read_ready(data).map_err(|unfit| unfit.of("client_ready"))?,
            "heartbeat" => read_heartbeat(data).map_err(|unfit| unfit.of("heartbeat"))?,
            "stats" => {
                let report = StatsReport::read(data).map_err(|unfit| unfit.of("stats"))?;
                Self::Stats(Box::new(report))
            }
            "spawning" => Self::Spawning,
            "spawning_complete" => {
                read_spawning_complete(data).map_err(|unfit| unfit.of("spawning_complete"))?
            }
            "client_stopped" => Self::ClientStopped,
            "quit" => Self::Quit,
            "exception" => read_exception(data).map_err(|unfit| unfit.of("exception"))?,
            "logs" => read_logs(data).map_err(|unfit| unfit.of("logs"))?,
            "locustfile" => read_locustfile(data).map_err(|unfit| unfit.of("locustfile"))?,
            kind => Self::Custom { kind: kind.to_owned(), data: data.to_owned() },
        };
        Ok(Envelope { message, node_id: opened.node_id.to_owned() })
    }

    /// The bytes of this message from the worker `node_id`.
    pub fn encode(&self, node_id: &str) -> Vec<u8> {
        wire::seal(self.kind(), self.data(), node_id)
    }

    /// The type on the wire.
    pub fn kind(&self) -> &str {
        match self {
            Self::ClientReady(_) => "client_ready",
            Self::Heartbeat(_) => "heartbeat",
            Self::Stats(_) => "stats",
            Self::Spawning => "spawning",
            Self::SpawningComplete { .. } => "spawning_complete",
            Self::ClientStopped => "client_stopped",
            Self::Quit => "quit",
            Self::Exception { .. } => "exception",
            Self::Logs { .. } => "logs",
            Self::LocustfileRequest { .. } => "locustfile",
            Self::Custom { kind, .. } => kind,
        }
    }

    fn data(&self) -> ValueRef<'_> {
        match self {
            Self::ClientReady(ClientVersion::Release(version)) => text(version),
            Self::ClientReady(ClientVersion::Unchecked) => ValueRef::from(-1),
            Self::Heartbeat(heartbeat) => heartbeat.value(),
            Self::Stats(report) => report.value(),
            Self::Spawning | Self::ClientStopped | Self::Quit => ValueRef::Nil,
            Self::SpawningComplete { user_classes_count, user_count } => map([
                ("user_classes_count", wire::counts(user_classes_count)),
                ("user_count", ValueRef::from(*user_count)),
            ]),
            Self::Exception { msg, traceback } => map([("msg", text(msg)), ("traceback", text(traceback))]),
            Self::Logs { worker_id, logs } => {
                let lines = logs.iter().map(|line| text(line)).collect();
                map([("worker_id", text(worker_id)), ("logs", ValueRef::Array(lines))])
            }
            Self::LocustfileRequest { version } => map([("version", text(version))]),
            Self::Custom { data, .. } => data.as_ref(),
        }
    }
}

impl Heartbeat {
    fn value(&self) -> ValueRef<'_> {
        let known = [
            ("state", text(self.state.name())),
            ("current_cpu_usage", ValueRef::F64(self.current_cpu_usage)),
        ];
        let memory = self.current_memory_usage.map(|bytes| ("current_memory_usage", ValueRef::from(bytes)));
        map(known.into_iter().chain(memory))
    }
}

fn read_ready(data: &ValueRef<'_>) -> Read<WorkerMessage> {
    let version = match data {
        ValueRef::Integer(number) if number.as_i64() == Some(-1) => ClientVersion::Unchecked,
        ValueRef::String(version) if !version.as_bytes().is_empty() => {
            ClientVersion::Release(fields::text(data)?)
        }
        _ => return Err(Unfit::new(data, "a version or -1")),
    };
    Ok(WorkerMessage::ClientReady(version))
}

fn read_heartbeat(data: &ValueRef<'_>) -> Read<WorkerMessage> {
    let fields = Fields::of(data)?;
    Ok(WorkerMessage::Heartbeat(Heartbeat {
        state: fields.get("state", WorkerState::read)?,
        current_cpu_usage: fields.get("current_cpu_usage", fields::float)?,
        current_memory_usage: fields.get_optional("current_memory_usage", fields::count)?,
    }))
}

fn read_spawning_complete(data: &ValueRef<'_>) -> Read<WorkerMessage> {
    let fields = Fields::of(data)?;
    // The second name is boomer's.
    let user_count = if fields.has("user_count") { "user_count" } else { "count" };
    Ok(WorkerMessage::SpawningComplete {
        user_classes_count: fields.get("user_classes_count", fields::counts)?,
        user_count: fields.get(user_count, fields::count)?,
    })
}

fn read_exception(data: &ValueRef<'_>) -> Read<WorkerMessage> {
    let fields = Fields::of(data)?;
    Ok(WorkerMessage::Exception {
        msg: fields.get("msg", fields::text)?,
        traceback: fields.get("traceback", fields::text)?,
    })
}

fn read_logs(data: &ValueRef<'_>) -> Read<WorkerMessage> {
    let fields = Fields::of(data)?;
    Ok(WorkerMessage::Logs {
        worker_id: fields.get("worker_id", fields::text)?,
        logs: fields.get("logs", |value| fields::list(value, fields::text))?,
    })
}

fn read_locustfile(data: &ValueRef<'_>) -> Read<WorkerMessage> {
    let version = Fields::of(data)?.get("version", fields::text)?;
    Ok(WorkerMessage::LocustfileRequest { version })
}
