//! ZMTP 3.x with the NULL mechanism: how Locust's processes frame their messages on a TCP stream.
//!
//! A [`Connection`] is one end of one stream, the master's (ROUTER) or the worker's (DEALER). The transports of
//! `master` and `worker` feed it what they read, act on the events it returns, and write what it wants written. It is
//! our own because it has to take over a stream that was already accepted and whose first byte was already looked at,
//! and because every length that a peer claims has to be capped before memory is reserved for it.
//!
//! You will never find a socket, a clock or the meaning of a message here: what the bodies say is the business of
//! [`locust`](crate::locust).
//!
//! ```text
//! peer    greeting (64 bytes)    READY               messages, PING                 ERROR
//!            |                     |                    |                             |
//! phase   Greeting ---------> Handshake -----------> Open --------------------> Failed (any violation, too)
//!            |                     |                    |
//! we      greeting, at once     READY                messages, PONG
//! ```
//!
//! ```
//! use sentinel_common::zmtp::{Connection, Event, Limits};
//!
//! let mut master = Connection::router(Limits::default());
//! let mut worker = Connection::dealer(b"host_1", Limits::default()).expect("a short identity");
//! let mut joined = Vec::new();
//! while let Some(bytes) = worker.poll_transmit() {
//!     let mut input = bytes.as_slice();
//!     while let Some(event) = master.handle_bytes(&mut input).expect("a well-behaved worker") {
//!         joined.push(event);
//!     }
//!     let reply = master.poll_transmit().unwrap_or_default();
//!     let mut input = reply.as_slice();
//!     while worker.handle_bytes(&mut input).expect("a well-behaved master").is_some() {}
//! }
//! assert!(matches!(&joined[..], [Event::Ready(peer)] if peer.identity == b"host_1"));
//! ```

mod command;
mod connection;
mod error;
mod frame;
mod greeting;
#[cfg(test)]
mod tests;

pub use connection::{Connection, Event, Limits, Message, Peer, SocketType};
pub use error::{SendError, ZmtpError};
pub use greeting::Version;

/// The longest identity that ZMTP allows, in bytes.
pub const IDENTITY_LEN_MAX: usize = 255;
