//! One end of a ZMTP stream, as a state machine without IO.

use std::fmt;

use super::command::{self, Command, Ready};
use super::frame::{Admission, Caps, Frame, FrameReader, Kind, write_frame};
use super::greeting::{GreetingReader, Version, greeting};
use super::{IDENTITY_LEN_MAX, SendError, ZmtpError};

/// What a peer may make us keep. Exceeding any of it ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest frame of a message, in bytes, in both directions.
    pub frame_len_max: usize,
    /// The longest command, READY included, in bytes.
    pub command_len_max: usize,
    /// How many frames a message may have. All but the first are dropped unseen.
    pub frames_max: usize,
    /// How many bytes may wait for a peer that does not read, beyond the one message that may exceed it.
    pub unsent_len_max: usize,
}

impl Default for Limits {
    /// Enough for a report of tens of thousands of rows; Locust's largest seen in practice is 254 KB.
    fn default() -> Self {
        Self { frame_len_max: 16 << 20, command_len_max: 4 << 10, frames_max: 16, unsent_len_max: 16 << 20 }
    }
}

/// What kind of socket an end of the stream stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketType {
    /// A master: many peers, known by their identities.
    Router,
    /// A worker: one peer.
    Dealer,
}

impl SocketType {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Router => "ROUTER",
            Self::Dealer => "DEALER",
        }
    }

    /// The only type that this one talks to in Locust's protocol.
    fn counterpart(self) -> Self {
        match self {
            Self::Router => Self::Dealer,
            Self::Dealer => Self::Router,
        }
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The version of ZMTP in its greeting.
    pub version: Version,
    /// The type in its READY.
    pub socket_type: SocketType,
    /// The identity in its READY, at most 255 bytes; empty if it has none. A worker's is its node id.
    pub identity: Vec<u8>,
    /// It is a Sentinel master that speaks gRPC on the same port.
    pub native: bool,
}

/// A message of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The first frame, which is all of it in Locust's protocol.
    pub body: Vec<u8>,
    /// How many frames followed and were dropped, as Locust does.
    pub dropped_frames: usize,
}

/// What a peer's bytes amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done: messages may be sent from now on. Comes exactly once, before all others.
    Ready(Peer),
    /// A message is complete.
    Message(Message),
    /// The peer asked for a sign of life; the answer is among what [`Connection::poll_transmit`] returns next.
    Ping,
    /// The peer answered a [`Connection::ping`].
    Pong,
}

/// One end of a ZMTP stream.
///
/// Call [`handle_bytes`](Self::handle_bytes) until it returns `None` whenever bytes were read, and write what
/// [`poll_transmit`](Self::poll_transmit) returns after each of these calls, after each send, and once at the start:
/// our greeting waits for nothing, because libzmq holds back most of its own until it has seen the start of ours.
#[derive(Debug)]
pub struct Connection {
    socket_type: SocketType,
    identity: Vec<u8>,
    native: bool,
    limits: Limits,
    incoming_len_max: usize,
    phase: Phase,
    frames: FrameReader,
    /// The first frame of a message of which more frames are to come, and how many there were.
    message: Option<(Vec<u8>, usize)>,
    unsent: Vec<u8>,
}

#[derive(Debug)]
enum Phase {
    Greeting(GreetingReader),
    Handshake(Version),
    Open,
    Failed(ZmtpError),
}

impl Connection {
    /// The master's end of a stream. A master has no identity.
    pub fn router(limits: Limits) -> Self {
        Self::new(SocketType::Router, Vec::new(), limits)
    }

    /// The worker's end of a stream, under its node id; `None` if that is longer than [`IDENTITY_LEN_MAX`].
    pub fn dealer(identity: &[u8], limits: Limits) -> Option<Self> {
        (identity.len() <= IDENTITY_LEN_MAX).then(|| Self::new(SocketType::Dealer, identity.to_vec(), limits))
    }

    fn new(socket_type: SocketType, identity: Vec<u8>, limits: Limits) -> Self {
        Self {
            socket_type,
            limits,
            incoming_len_max: limits.frame_len_max,
            phase: Phase::Greeting(GreetingReader::new()),
            frames: FrameReader::new(),
            message: None,
            unsent: greeting(identity.len()).to_vec(),
            identity,
            native: false,
        }
    }

    /// Lets the peer know, in our READY, that gRPC is spoken on the same port.
    #[must_use]
    pub fn beside_grpc(self) -> Self {
        Self { native: true, ..self }
    }

    /// Takes only frames of at most `len_max` bytes from now on, and never more than [`Limits::frame_len_max`]: a peer
    /// that is not known yet deserves less than one that is.
    pub fn limit_incoming(&mut self, len_max: usize) {
        self.incoming_len_max = len_max.min(self.limits.frame_len_max);
    }

    /// Takes bytes from the front of `input` up to the next event. `None` means that `input` was used up.
    ///
    /// The bytes may arrive in any pieces. One event at a time keeps memory bounded without a queue: what follows the
    /// event stays in the caller's buffer.
    ///
    /// # Errors
    ///
    /// What the peer did wrong. The connection has failed then: close it after writing what is left to write. Every
    /// further call returns the same error.
    pub fn handle_bytes(&mut self, input: &mut &[u8]) -> Result<Option<Event>, ZmtpError> {
        self.advance(input).inspect_err(|error| self.fail(error.clone()))
    }

    /// What has to be written to the stream now, in this order.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.unsent.is_empty()).then(|| std::mem::take(&mut self.unsent))
    }

    /// Sends `body` as a message of one frame.
    ///
    /// # Errors
    ///
    /// If the handshake is not done, the body exceeds [`Limits::frame_len_max`], or too much waits to be written.
    /// Nothing is sent then, and nothing changes.
    pub fn send(&mut self, body: &[u8]) -> Result<(), SendError> {
        if !matches!(self.phase, Phase::Open) {
            return Err(SendError::NotOpen);
        }
        if body.len() > self.limits.frame_len_max {
            return Err(SendError::TooLong { len: body.len(), limit: self.limits.frame_len_max });
        }
        self.check_backlog()?;
        write_frame(Kind::Message { more: false }, body, &mut self.unsent);
        Ok(())
    }

    /// Asks the peer for a sign of life, which [`Event::Pong`] will report.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    pub fn ping(&mut self) -> Result<(), SendError> {
        if !matches!(self.phase, Phase::Open) {
            return Err(SendError::NotOpen);
        }
        self.check_backlog()?;
        command::write_ping(&mut self.unsent);
        Ok(())
    }

    /// Tells the peer, once it has greeted, why it is not wanted, and fails the connection. The peer sees the first
    /// 255 bytes of `reason`.
    pub fn refuse(&mut self, reason: &str) {
        if matches!(self.phase, Phase::Handshake(_) | Phase::Open) {
            command::write_error(reason, &mut self.unsent);
        }
        self.fail(ZmtpError::Dismissed);
    }

    /// The memory reserved for what is not complete or not written, in bytes.
    pub fn memory(&self) -> usize {
        let message = self.message.as_ref().map_or(0, |(body, _)| body.capacity());
        self.frames.reserved() + message + self.unsent.capacity()
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Event>, ZmtpError> {
        loop {
            let admission = match &mut self.phase {
                Phase::Failed(error) => return Err(error.clone()),
                Phase::Greeting(reader) => {
                    let Some(version) = reader.read(input)? else { return Ok(None) };
                    command::write_ready(self.socket_type, &self.identity, self.native, &mut self.unsent);
                    self.phase = Phase::Handshake(version);
                    continue;
                }
                Phase::Handshake(_) => Admission::Refuse,
                Phase::Open if self.message.is_some() => Admission::Drop,
                Phase::Open => Admission::Keep,
            };
            let caps =
                Caps { message_len_max: self.incoming_len_max, command_len_max: self.limits.command_len_max };
            let Some(frame) = self.frames.read(input, caps, admission)? else { return Ok(None) };
            if let Some(event) = self.on_frame(frame)? {
                return Ok(Some(event));
            }
        }
    }

    fn on_frame(&mut self, frame: Frame) -> Result<Option<Event>, ZmtpError> {
        match frame.kind {
            Kind::Command => self.on_command(&frame.body),
            Kind::Message { more } => self.on_message_frame(frame.body, more),
        }
    }

    fn on_message_frame(&mut self, frame: Vec<u8>, more: bool) -> Result<Option<Event>, ZmtpError> {
        let (body, frames) = match self.message.take() {
            None => (frame, 1),
            Some((first, frames)) => (first, frames + 1),
        };
        // A frame that announces a successor beyond the limit is already one too many.
        if frames + usize::from(more) > self.limits.frames_max {
            return Err(ZmtpError::TooManyFrames { limit: self.limits.frames_max });
        }
        if more {
            self.message = Some((body, frames));
            return Ok(None);
        }
        Ok(Some(Event::Message(Message { body, dropped_frames: frames - 1 })))
    }

    fn on_command(&mut self, body: &[u8]) -> Result<Option<Event>, ZmtpError> {
        let parsed = command::parse(body)?;
        if let Command::Error { reason } = parsed {
            return Err(ZmtpError::Refused { reason: String::from_utf8_lossy(reason).into_owned() });
        }
        let Phase::Handshake(version) = self.phase else { return self.on_open_command(&parsed) };
        let Command::Ready(ready) = parsed else {
            let command = name_of(&parsed);
            return Err(ZmtpError::UnexpectedCommand { command, when: "before its READY" });
        };
        let peer = self.accept(&ready, version)?;
        self.phase = Phase::Open;
        Ok(Some(Event::Ready(peer)))
    }

    fn on_open_command(&mut self, parsed: &Command<'_>) -> Result<Option<Event>, ZmtpError> {
        // Commands between two frames of a message are taken too: libzmq's timer may put a PING there.
        match parsed {
            Command::Ping { context } => {
                self.check_reading()?;
                command::write_pong(context, &mut self.unsent);
                Ok(Some(Event::Ping))
            }
            Command::Pong => Ok(Some(Event::Pong)),
            Command::Ready(_) => Err(ZmtpError::UnexpectedCommand { command: "READY", when: "twice" }),
            Command::Error { .. } | Command::Other => Ok(None),
        }
    }

    fn accept(&self, ready: &Ready<'_>, version: Version) -> Result<Peer, ZmtpError> {
        let Some(found) = ready.socket_type else {
            return Err(ZmtpError::MalformedCommand { command: "READY", problem: "it names no Socket-Type" });
        };
        let expected = self.socket_type.counterpart();
        if found != expected.name().as_bytes() {
            let found = String::from_utf8_lossy(found).chars().take(32).collect();
            return Err(ZmtpError::IncompatibleSocket { ours: self.socket_type, expected, found });
        }
        Ok(Peer { version, socket_type: expected, identity: ready.identity.to_vec(), native: ready.native })
    }

    fn check_backlog(&self) -> Result<(), SendError> {
        let (unsent, limit) = (self.unsent.len(), self.limits.unsent_len_max);
        if unsent > limit { Err(SendError::Backlog { unsent, limit }) } else { Ok(()) }
    }

    fn check_reading(&self) -> Result<(), ZmtpError> {
        let (unsent, limit) = (self.unsent.len(), self.limits.unsent_len_max);
        if unsent > limit { Err(ZmtpError::NotReading { unsent, limit }) } else { Ok(()) }
    }

    /// Gives back what was reserved for input; what is unsent may still explain to the peer what happened.
    fn fail(&mut self, error: ZmtpError) {
        self.phase = Phase::Failed(error);
        self.frames = FrameReader::new();
        self.message = None;
    }
}

fn name_of(parsed: &Command<'_>) -> &'static str {
    match parsed {
        Command::Ready(_) => "READY",
        Command::Error { .. } => "ERROR",
        Command::Ping { .. } => "PING",
        Command::Pong => "PONG",
        Command::Other => "of an unknown name",
    }
}
