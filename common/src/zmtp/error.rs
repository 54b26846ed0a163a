//! Why a ZMTP connection cannot go on, or cannot take what is to be sent.

use super::{IDENTITY_LEN_MAX, SocketType};

/// What the peer did that ends its connection. Other connections are not concerned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ZmtpError {
    /// The stream does not begin with ZMTP's signature.
    #[error(
        "the peer does not speak ZMTP: byte {at} of its greeting is {found:#04x} instead of {expected:#04x}"
    )]
    NotZmtp {
        /// Position in the greeting, counted from 0.
        at: usize,
        /// What has to be there.
        expected: u8,
        /// What was there.
        found: u8,
    },
    /// The peer speaks another major version.
    #[error("the peer speaks ZMTP version {major}.x, but only 3.x is spoken here; use libzmq 4 or gomq")]
    UnsupportedVersion {
        /// The peer's major version.
        major: u8,
    },
    /// The peer wants a security mechanism.
    #[error(
        "the peer wants the security mechanism {mechanism:?}, but only NULL is spoken here; turn it off there"
    )]
    UnsupportedMechanism {
        /// The name in the peer's greeting, at most 20 bytes.
        mechanism: String,
    },
    /// A frame has flags that ZMTP 3 does not define.
    #[error("the peer sent a frame with the undefined flags {flags:#04x}")]
    UndefinedFlags {
        /// The first byte of the frame.
        flags: u8,
    },
    /// A frame announces more bytes than are allowed.
    #[error("the peer announced a {what} of {claimed} bytes, more than the {limit} that are allowed")]
    FrameTooLong {
        /// `message frame` or `command`.
        what: &'static str,
        /// What the peer announced, in bytes.
        claimed: u64,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// A message goes on for too many frames.
    #[error("the peer sent a message of more than {limit} frames")]
    TooManyFrames {
        /// How many are allowed.
        limit: usize,
    },
    /// A message came before the handshake was done.
    #[error("the peer sent a message before its READY command")]
    MessageBeforeReady,
    /// A command came that does not belong into the phase of the connection.
    #[error("the peer sent the command {command} {when}")]
    UnexpectedCommand {
        /// The name of the command.
        command: &'static str,
        /// When it came.
        when: &'static str,
    },
    /// A command ends early, or says something impossible.
    #[error("the peer sent a malformed {command} command: {problem}")]
    MalformedCommand {
        /// The name of the command; `unnamed` if it has none.
        command: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The peer's socket cannot talk to ours.
    #[error("the peer has a {found} socket, but only a {expected} can talk to a {ours}")]
    IncompatibleSocket {
        /// Our own type.
        ours: SocketType,
        /// The type that fits ours.
        expected: SocketType,
        /// What the peer announced, shortened to 32 characters.
        found: String,
    },
    /// The peer's identity is longer than ZMTP allows.
    #[error(
        "the peer announced an identity of {len} bytes, more than the {IDENTITY_LEN_MAX} that are allowed"
    )]
    IdentityTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The peer does not want to talk to us.
    #[error("the peer refused the connection: {reason:?}")]
    Refused {
        /// The reason of its ERROR command, at most 255 bytes.
        reason: String,
    },
    /// We do not want to talk to the peer; see [`Connection::refuse`](super::Connection::refuse).
    #[error("the connection was refused on this side")]
    Dismissed,
    /// The peer asks for answers that it does not read.
    #[error("the peer leaves {unsent} bytes unread, more than the {limit} that are kept for it")]
    NotReading {
        /// What waits for it, in bytes.
        unsent: usize,
        /// What may wait for it, in bytes.
        limit: usize,
    },
}

/// Why a message was not taken for sending. The connection stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The handshake is not done, or the connection has failed.
    #[error("failed to send a message: the connection is not open")]
    NotOpen,
    /// The message exceeds what a peer with the same limits would take.
    #[error("failed to send a message of {len} bytes: more than the {limit} that are allowed")]
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The peer does not read what was sent before.
    #[error(
        "failed to send a message: {unsent} bytes wait already, and {limit} are kept for a peer that does not read"
    )]
    Backlog {
        /// What waits for it, in bytes.
        unsent: usize,
        /// What may wait for it, in bytes.
        limit: usize,
    },
}
