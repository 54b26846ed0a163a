//! Locust's wire: ZMTP with its messages, on the same port as gRPC.
//!
//! One task per connection reads, writes and waits; what it means is decided by [`Guest`]. Nothing that one peer does
//! holds up another: each has its own buffers, all of them bounded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sentinel_common::guest::{Guest, Line, Output};
use sentinel_common::locust::LocustfileReply;
use sentinel_common::messages::ToWorker;
use sentinel_common::roster::Roster;
use sentinel_common::time::micros;
use sentinel_common::zmtp::{self, Event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_stream::{Stream, StreamExt as _};

use super::hub::{self, Hub, HubEvent};

/// How long a peer may take to become a worker that the master knows.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(10);

/// Peers that are not yet known; further ones wait for their turn.
const MAX_STRANGERS: usize = 4096;

/// The longest message of a peer that is not known. The first one of a worker that has lost its connection may be a
/// report that it could not send before.
const STRANGER_FRAME_LEN_MAX: usize = 256 << 10;

/// Connections at the same time; further ones are closed at once.
const MAX_CONNECTIONS: usize = Roster::MAX_WORKERS + MAX_STRANGERS;

/// How long to wait, at the end, until a peer has read what was sent to it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that are read at once.
const READ_LEN: usize = 16 << 10;

/// Serves the connections of Locust's workers. `locustfile` is what they are given when they ask for one.
pub async fn serve<S>(mut incoming: S, hub: Arc<Hub>, locustfile: Arc<LocustfileReply>)
where
    S: Stream<Item = (TcpStream, SocketAddr)> + Unpin,
{
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let strangers = Arc::new(Semaphore::new(MAX_STRANGERS));
    let clock = UnixClock::start();
    while let Some((stream, peer)) = incoming.next().await {
        let Ok(place) = connections.clone().try_acquire_owned() else {
            tracing::warn!("Closing a connection from {peer}: there are {MAX_CONNECTIONS} already");
            continue;
        };
        let (hub, locustfile, strangers) = (hub.clone(), locustfile.clone(), strangers.clone());
        tokio::spawn(async move {
            let _place = place;
            let Ok(Ok(turn)) = timeout(STRANGER_TIMEOUT, strangers.acquire_owned()).await else {
                return tracing::warn!(
                    "Closing a connection from {peer}: too many others introduce themselves"
                );
            };
            let wire = Wire::new(stream, clock, turn);
            attend(wire, peer, &hub, locustfile).await;
        });
    }
}

/// Serves one connection until it ends.
async fn attend(mut wire: Wire, peer: SocketAddr, hub: &Hub, locustfile: Arc<LocustfileReply>) {
    let identity = match timeout(STRANGER_TIMEOUT, wire.handshake()).await {
        Ok(Ok(identity)) => identity,
        // Our own workers come this way, to see what is spoken here.
        Ok(Err(Broken::Ended)) => {
            return tracing::debug!("A connection from {peer} ended within its handshake");
        }
        Ok(Err(Broken::Unreadable(reason))) => {
            return tracing::warn!("Closing a connection from {peer}: {reason}");
        }
        Err(_) => return tracing::warn!("Closing a connection from {peer}: its handshake takes too long"),
    };
    let guest = match Guest::new(&identity, locustfile) {
        Ok(guest) => guest,
        Err(error) => {
            return tracing::warn!("Closing a connection from {peer}: its identity is no text: {error}");
        }
    };
    let hub::Connection { id, outgoing, .. } = hub.open();
    let mut conversation = Conversation { wire, guest, hub, id, peer, outgoing };
    let reason = conversation.hold().await;
    conversation.flush().await;
    hub.notify(HubEvent::Disconnected(id, reason)).await;
}

/// A worker and the coordinator, in conversation.
struct Conversation<'a> {
    wire: Wire,
    guest: Guest,
    hub: &'a Hub,
    id: sentinel_common::ids::ConnectionId,
    peer: SocketAddr,
    outgoing: tokio::sync::mpsc::Receiver<ToWorker>,
}

/// What happened to a conversation.
enum Turn {
    Message(Vec<u8>),
    Broken(String),
    Order(ToWorker),
    Closed,
    Timer,
    TooSlow,
}

impl Conversation<'_> {
    /// Goes on until one side ends it. Returns how it ended, for people.
    async fn hold(&mut self) -> String {
        let introduced_by = Instant::now() + STRANGER_TIMEOUT;
        loop {
            match self.next_turn(introduced_by).await {
                Turn::Message(bytes) => self.guest.handle_bytes(self.wire.clock.now_us(), &bytes),
                Turn::Order(order) => self.guest.handle_order(self.wire.clock.now_us(), order),
                Turn::Timer => self.guest.handle_timeout(self.wire.clock.now_us()),
                Turn::Broken(reason) => return reason,
                Turn::Closed => return "the master closed the connection".to_owned(),
                Turn::TooSlow => {
                    let reason =
                        format!("it did not introduce itself within {} s", STRANGER_TIMEOUT.as_secs());
                    tracing::info!("Closing {} from {}: {reason}", self.id, self.peer);
                    return reason;
                }
            }
            if let Some(reason) = self.carry_out().await {
                return reason;
            }
            if self.guest.is_registered() {
                self.wire.welcome();
            }
        }
    }

    async fn next_turn(&mut self, introduced_by: Instant) -> Turn {
        let clock = self.wire.clock;
        let due = self.guest.poll_timeout();
        let known = self.guest.is_registered();
        tokio::select! {
            received = self.wire.next_message() => match received {
                Ok(bytes) => Turn::Message(bytes),
                Err(Broken::Ended) => Turn::Broken("its connection ended".to_owned()),
                Err(Broken::Unreadable(reason)) => {
                    tracing::warn!("Closing {} from {}: {reason}", self.id, self.peer);
                    Turn::Broken(reason)
                }
            },
            order = self.outgoing.recv() => order.map_or(Turn::Closed, Turn::Order),
            () = tokio::time::sleep_until(clock.instant(due.unwrap_or(0))), if due.is_some() => Turn::Timer,
            () = tokio::time::sleep_until(introduced_by), if !known => Turn::TooSlow,
        }
    }

    /// Does what the guest wants. Returns why the connection has to end, if it has.
    async fn carry_out(&mut self) -> Option<String> {
        while let Some(output) = self.guest.poll_output() {
            match output {
                Output::Reply(message) => {
                    let bytes = message.encode(self.guest.node_id());
                    if let Err(error) = self.wire.zmtp.send(&bytes) {
                        tracing::warn!("Closing {}: worker {}: {error}", self.id, self.guest.node_id());
                        return Some(error.to_string());
                    }
                }
                Output::Tell(message) => self.hub.notify(HubEvent::Message(self.id, message)).await,
                Output::Log(Line::Debug(text)) => tracing::debug!("{text}"),
                Output::Log(Line::Warning(text)) => tracing::warn!("{text}"),
                Output::Close(reason) => {
                    tracing::warn!("Closing {} from {}: {reason}", self.id, self.peer);
                    return Some(reason);
                }
            }
        }
        None
    }

    /// Sends what is left to be sent, if the peer takes it.
    async fn flush(&mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.wire.flush()).await;
    }
}

/// Why there are no more messages.
enum Broken {
    Ended,
    Unreadable(String),
}

/// A ZMTP stream over TCP.
struct Wire {
    stream: TcpStream,
    zmtp: zmtp::Connection,
    /// What was read and not looked at, from `at` on.
    input: Vec<u8>,
    at: usize,
    /// What is to be written, from `written` on.
    output: Vec<u8>,
    written: usize,
    clock: UnixClock,
    /// Held until the peer is known.
    turn: Option<OwnedSemaphorePermit>,
}

impl Wire {
    fn new(stream: TcpStream, clock: UnixClock, turn: OwnedSemaphorePermit) -> Self {
        // A small message shall not wait for a larger one. Without this it is only slower.
        let _ = stream.set_nodelay(true);
        let mut zmtp = zmtp::Connection::router(zmtp::Limits::default()).beside_grpc();
        zmtp.limit_incoming(STRANGER_FRAME_LEN_MAX);
        let turn = Some(turn);
        Self {
            stream,
            zmtp,
            input: Vec::with_capacity(READ_LEN),
            at: 0,
            output: Vec::new(),
            written: 0,
            clock,
            turn,
        }
    }

    /// The peer is known: it may say as much as a worker may.
    fn welcome(&mut self) {
        if self.turn.take().is_some() {
            self.zmtp.limit_incoming(usize::MAX);
        }
    }

    /// The identity of the peer, once it has said it.
    async fn handshake(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            if let Event::Ready(peer) = self.next_event().await? {
                return Ok(peer.identity);
            }
        }
    }

    /// The next message. Nothing is lost when this is cancelled.
    async fn next_message(&mut self) -> Result<Vec<u8>, Broken> {
        loop {
            if let Event::Message(message) = self.next_event().await? {
                return Ok(message.body);
            }
        }
    }

    /// The next event. Writes meanwhile what is to be written. Nothing is lost when this is cancelled.
    async fn next_event(&mut self) -> Result<Event, Broken> {
        loop {
            if let Some(event) = self.take_event()? {
                return Ok(event);
            }
            self.collect_output();
            // All of it was taken; it never grows, since nothing is read behind what is not taken.
            self.input.clear();
            self.at = 0;
            let (mut reader, mut writer) = self.stream.split();
            tokio::select! {
                read = reader.read_buf(&mut self.input) => {
                    if matches!(read, Ok(0) | Err(_)) {
                        return Err(Broken::Ended);
                    }
                }
                wrote = writer.write(&self.output[self.written..]), if self.written < self.output.len() => {
                    match wrote {
                        Ok(0) | Err(_) => return Err(Broken::Ended),
                        Ok(len) => self.written += len,
                    }
                }
            }
        }
    }

    fn take_event(&mut self) -> Result<Option<Event>, Broken> {
        let mut rest = &self.input[self.at..];
        let event = self.zmtp.handle_bytes(&mut rest);
        self.at = self.input.len() - rest.len();
        event.map_err(|error| Broken::Unreadable(error.to_string()))
    }

    /// Takes over what is to be sent, once all that came before is written: until then it counts against the limit of
    /// what may wait for this peer.
    fn collect_output(&mut self) {
        if self.written == self.output.len() {
            self.output = self.zmtp.poll_transmit().unwrap_or_default();
            self.written = 0;
        }
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        loop {
            self.stream.write_all(&self.output[self.written..]).await?;
            self.written = self.output.len();
            self.collect_output();
            if self.output.is_empty() {
                return self.stream.shutdown().await;
            }
        }
    }
}

/// The time since the Unix epoch, by a clock that never goes back.
#[derive(Clone, Copy, Debug)]
struct UnixClock {
    started: Instant,
    started_us: u64,
}

impl UnixClock {
    fn start() -> Self {
        // A clock before 1970 is as good as any: only differences count, and that it moves on.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_us: micros(since_epoch) }
    }

    fn now_us(self) -> u64 {
        self.started_us.saturating_add(micros(self.started.elapsed()))
    }

    fn instant(self, unix_us: u64) -> Instant {
        self.started + Duration::from_micros(unix_us.saturating_sub(self.started_us))
    }
}
