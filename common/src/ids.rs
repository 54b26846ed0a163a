//! Names and numbers that identify things across the cluster. Each is its own type, so none can stand for another.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of the wire contract. Master and worker must agree on it; anything that only adds is announced by a
/// capability instead.
pub const WIRE_VERSION: u32 = 3;

/// A worker's name: `<host>_<32 hex digits>`, as Locust forms it. The part before the first `_` is the host, which
/// the dispatcher uses to spread users over machines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(Arc<str>);

/// Why a text is no worker id.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a worker id is 1 to {} printable characters, this one is {got}", WorkerId::MAX_LEN)]
pub struct BadWorkerId {
    got: String,
}

impl WorkerId {
    /// The longest id that is accepted, in bytes: a host name (253) and a UUID fit.
    pub const MAX_LEN: usize = 320;

    /// Takes an id as a peer sent it.
    ///
    /// # Errors
    /// An id that is empty, too long, or has control characters in it.
    pub fn new(text: &str) -> Result<Self, BadWorkerId> {
        let problem = if text.is_empty() {
            Some("empty".to_owned())
        } else if text.len() > Self::MAX_LEN {
            Some(format!("{} bytes long", text.len()))
        } else if text.chars().any(char::is_control) {
            Some("one with control characters".to_owned())
        } else {
            None
        };
        match problem {
            Some(got) => Err(BadWorkerId { got }),
            None => Ok(Self(text.into())),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for WorkerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One run of a test, from its start to its stop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

impl RunId {
    /// Takes an id; any text will do, a UUID is usual.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The run of a worker that works and cannot say for whom: one of Locust's, which names no run.
    pub fn untold() -> Self {
        Self::new("")
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Counts the decisions about who runs how many users. A worker obeys the highest generation it has seen and
/// ignores every other, so a late or repeated message can never move it backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Generation(pub u64);

impl Generation {
    /// The decision after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// One connection of a worker to the master, numbered by whoever accepted it. A worker that reconnects has a new
/// one, so nothing that arrives late on the old one can be mistaken for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_ids_are_bounded_and_printable() {
        let check = |text: &str, ok: bool| assert_eq!(WorkerId::new(text).is_ok(), ok, "{text:?}");
        check("h1_a", true);
        check("", false);
        check("a\nb", false);
        check(&"x".repeat(WorkerId::MAX_LEN), true);
        check(&"x".repeat(WorkerId::MAX_LEN + 1), false);
    }
}
