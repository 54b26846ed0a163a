//! Locust's messages, as typed values, in both directions.
//!
//! Every message is one ZMTP frame (see [`zmtp`](crate::zmtp)): a MessagePack array of a type, data and a node id. The
//! transports of `master` and `worker` decode the other side's messages, [`WorkerMessage`] or [`MasterMessage`], and
//! encode their own. What they encode is byte for byte what Locust 2.47 would send; what they decode may also be the
//! dialect of boomer, Locust's worker in Go.
//!
//! You will never find a decision about a message here, nor a conversion into Sentinel's own statistics: the types hold
//! what was on the wire, in its order and its units.
//!
//! Data that Locust leaves to the user's code, such as that of custom messages, stays a [`Value`]. Locust marks dates and
//! object ids in it by maps with a key `__datetime__` or `__ObjectId__`; they stay the maps that they are on the wire.

mod error;
mod fields;
mod from_master;
mod from_worker;
mod number;
mod scan;
mod stats;
#[cfg(test)]
mod tests;
mod wire;

pub use error::DecodeError;
pub use from_master::{LocustfileReply, LocustfileSource, MasterMessage, Spawn, UserClassUpdate};
pub use from_worker::{ClientVersion, Heartbeat, WorkerMessage, WorkerState};
pub use number::Number;
pub use rmpv::Value;
pub use scan::Limits;
pub use stats::{ErrorEntry, StatsEntry, StatsReport};
pub use wire::{Counts, Envelope};
