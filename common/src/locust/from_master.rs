//! What a master says to a worker.

use rmpv::{Value, ValueRef};

use super::fields::{self, Fields, Read, Unfit};
use super::wire::{self, map, text};
use super::{Counts, DecodeError, Envelope, Limits};

/// A message from a master.
#[derive(Clone, Debug, PartialEq)]
pub enum MasterMessage {
    /// The worker has joined.
    Ack {
        /// Its index, counted from 0 and the same for the master's life; not every master tells.
        index: Option<u64>,
    },
    /// The worker's part of the placement.
    Spawn(Box<Spawn>),
    /// The answer to a heartbeat.
    Heartbeat,
    /// The ramp is over on all workers.
    SpawningComplete {
        /// How many users run on all workers.
        user_count: u64,
    },
    /// The run is over; the worker stays.
    Stop,
    /// The worker is to end.
    Quit,
    /// The worker is to open its connection anew.
    Reconnect,
    /// Attributes of a user class have been changed.
    UpdateUserClass(UserClassUpdate),
    /// The answer to a request for the locustfile.
    Locustfile(LocustfileReply),
    /// A message between the parts of the user's code.
    Custom {
        /// Its type, which is none of the above.
        kind: String,
        /// What it says.
        data: Value,
    },
}

/// A worker's part of a placement, and all that it needs to carry it out.
#[derive(Clone, Debug, PartialEq)]
pub struct Spawn {
    /// When it was decided, in Unix seconds by the master's clock. It has to grow: workers ignore older placements.
    pub timestamp: f64,
    /// Users by user class, absolute; classes that are not listed stay as they are.
    pub user_classes_count: Counts,
    /// The target.
    pub host: Option<String>,
    /// How long users may take to finish their task when they are stopped, in seconds.
    pub stop_timeout: Option<f64>,
    /// The master's options by the names that Python gives them.
    pub parsed_options: Vec<(String, Value)>,
}

/// Attributes of a user class that have been changed while it is in use.
#[derive(Clone, Debug, PartialEq)]
pub struct UserClassUpdate {
    /// The class.
    pub user_class_name: String,
    /// Its new attributes.
    pub attributes: Vec<(String, Value)>,
    /// The names of the tasks that remain.
    pub tasks: Option<Vec<String>>,
}

/// The answer to a request for the locustfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocustfileReply {
    /// The files.
    Sources(Vec<LocustfileSource>),
    /// Why there are none.
    Error(String),
}

/// A locustfile, or where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocustfileSource {
    /// A file with its contents.
    File {
        /// The name, as the master says: not to be trusted as a path.
        filename: String,
        /// The text.
        contents: String,
    },
    /// An address from which to fetch it.
    Url(String),
}

impl MasterMessage {
    /// Reads a master's message.
    ///
    /// # Errors
    ///
    /// If the bytes are no message, exceed `limits`, or are a message whose data does not fit its type.
    pub fn decode(bytes: &[u8], limits: Limits) -> Result<Envelope<Self>, DecodeError> {
        let opened = wire::open(bytes, limits)?;
        let data = &opened.data;
        let message = match opened.kind {
            "ack" => read_ack(data).map_err(|unfit| unfit.of("ack"))?,
            "spawn" => {
                let spawn = Spawn::read(data).map_err(|unfit| unfit.of("spawn"))?;
                Self::Spawn(Box::new(spawn))
            }
            "heartbeat" => Self::Heartbeat,
            "spawning_complete" => {
                read_spawning_complete(data).map_err(|unfit| unfit.of("spawning_complete"))?
            }
            "stop" => Self::Stop,
            "quit" => Self::Quit,
            "reconnect" => Self::Reconnect,
            "update_user_class" => {
                let update = UserClassUpdate::read(data).map_err(|unfit| unfit.of("update_user_class"))?;
                Self::UpdateUserClass(update)
            }
            "locustfile" => {
                Self::Locustfile(LocustfileReply::read(data).map_err(|unfit| unfit.of("locustfile"))?)
            }
            kind => Self::Custom { kind: kind.to_owned(), data: data.to_owned() },
        };
        Ok(Envelope { message, node_id: opened.node_id.to_owned() })
    }

    /// The bytes of this message to the worker `node_id`.
    pub fn encode(&self, node_id: &str) -> Vec<u8> {
        wire::seal(self.kind(), self.data(), node_id)
    }

    /// The type on the wire.
    pub fn kind(&self) -> &str {
        match self {
            Self::Ack { .. } => "ack",
            Self::Spawn(_) => "spawn",
            Self::Heartbeat => "heartbeat",
            Self::SpawningComplete { .. } => "spawning_complete",
            Self::Stop => "stop",
            Self::Quit => "quit",
            Self::Reconnect => "reconnect",
            Self::UpdateUserClass(_) => "update_user_class",
            Self::Locustfile(_) => "locustfile",
            Self::Custom { kind, .. } => kind,
        }
    }

    fn data(&self) -> ValueRef<'_> {
        match self {
            Self::Ack { index: Some(index) } => map([("index", ValueRef::from(*index))]),
            Self::Spawn(spawn) => spawn.value(),
            Self::SpawningComplete { user_count } => map([("user_count", ValueRef::from(*user_count))]),
            Self::Ack { index: None } | Self::Heartbeat | Self::Stop | Self::Quit | Self::Reconnect => {
                ValueRef::Nil
            }
            Self::UpdateUserClass(update) => update.value(),
            Self::Locustfile(reply) => reply.value(),
            Self::Custom { data, .. } => data.as_ref(),
        }
    }
}

impl Spawn {
    fn read(data: &ValueRef<'_>) -> Read<Self> {
        let fields = Fields::of(data)?;
        Ok(Self {
            timestamp: fields.get("timestamp", fields::float)?,
            user_classes_count: fields.get("user_classes_count", fields::counts)?,
            host: fields.get("host", fields::text_or_nil)?,
            stop_timeout: fields.get("stop_timeout", fields::float_or_nil)?,
            parsed_options: fields.get("parsed_options", |options| Fields::of(options)?.others(&[]))?,
        })
    }

    fn value(&self) -> ValueRef<'_> {
        map([
            ("timestamp", ValueRef::F64(self.timestamp)),
            ("user_classes_count", wire::counts(&self.user_classes_count)),
            ("host", self.host.as_deref().map_or(ValueRef::Nil, text)),
            ("stop_timeout", self.stop_timeout.map_or(ValueRef::Nil, ValueRef::F64)),
            ("parsed_options", map(wire::values(&self.parsed_options))),
        ])
    }
}

impl UserClassUpdate {
    fn read(data: &ValueRef<'_>) -> Read<Self> {
        let fields = Fields::of(data)?;
        Ok(Self {
            user_class_name: fields.get("user_class_name", fields::text)?,
            attributes: fields.others(&["user_class_name", "tasks"])?,
            tasks: fields.get_optional("tasks", |value| fields::list(value, fields::text))?,
        })
    }

    fn value(&self) -> ValueRef<'_> {
        let name = [("user_class_name", text(&self.user_class_name))];
        let tasks = self.tasks.as_ref().map(|tasks| {
            let names = tasks.iter().map(|task| text(task)).collect();
            ("tasks", ValueRef::Array(names))
        });
        map(name.into_iter().chain(wire::values(&self.attributes)).chain(tasks))
    }
}

impl LocustfileReply {
    fn read(data: &ValueRef<'_>) -> Read<Self> {
        let fields = Fields::of(data)?;
        match fields.get_optional("error", fields::text)? {
            Some(error) => Ok(Self::Error(error)),
            None => fields
                .get("locustfiles", |value| fields::list(value, LocustfileSource::read))
                .map(Self::Sources),
        }
    }

    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::Sources(sources) => {
                let sources = sources.iter().map(LocustfileSource::value).collect();
                map([("locustfiles", ValueRef::Array(sources))])
            }
            Self::Error(error) => map([("error", text(error))]),
        }
    }
}

impl LocustfileSource {
    fn read(value: &ValueRef<'_>) -> Read<Self> {
        match value {
            ValueRef::String(_) => fields::text(value).map(Self::Url),
            ValueRef::Map(_) => {
                let fields = Fields::of(value)?;
                Ok(Self::File {
                    filename: fields.get("filename", fields::text)?,
                    contents: fields.get("contents", fields::text)?,
                })
            }
            _ => Err(Unfit::new(value, "a file or an address")),
        }
    }

    fn value(&self) -> ValueRef<'_> {
        match self {
            Self::File { filename, contents } => {
                map([("filename", text(filename)), ("contents", text(contents))])
            }
            Self::Url(url) => text(url),
        }
    }
}

/// Some masters send nil, or a map without an index.
fn read_ack(data: &ValueRef<'_>) -> Read<MasterMessage> {
    let index = match data {
        ValueRef::Nil => None,
        _ => Fields::of(data)?.get_optional("index", fields::count)?,
    };
    Ok(MasterMessage::Ack { index })
}

fn read_spawning_complete(data: &ValueRef<'_>) -> Read<MasterMessage> {
    let user_count = Fields::of(data)?.get("user_count", fields::count)?;
    Ok(MasterMessage::SpawningComplete { user_count })
}
