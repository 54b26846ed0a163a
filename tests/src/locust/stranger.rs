//! One end of a stream that says whatever a test wants it to say.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sentinel_common::locust::{Limits as MessageLimits, MasterMessage, WorkerMessage};
use sentinel_common::zmtp::{Connection, Event, Limits};

use crate::process::PATIENCE;

/// A worker that follows the handshake and nothing else.
#[derive(Debug)]
pub struct Stranger {
    stream: TcpStream,
    connection: Connection,
    node_id: String,
}

impl Stranger {
    /// Connects to the master at `address` under this identity and completes the handshake.
    ///
    /// # Panics
    /// The master does not let it.
    pub fn join(address: SocketAddr, node_id: &str) -> Self {
        let mut stranger = Self::connect(address, node_id);
        assert!(
            matches!(stranger.event(PATIENCE), Some(Event::Ready(_))),
            "the master lets {node_id} complete the handshake"
        );
        stranger
    }

    /// Connects and greets.
    ///
    /// # Panics
    /// Nobody accepts the connection.
    pub fn connect(address: SocketAddr, node_id: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the master accepts connections");
        let connection = Connection::dealer(node_id.as_bytes(), Limits::default()).expect("a short identity");
        let mut stranger = Self { stream, connection, node_id: node_id.to_owned() };
        stranger.transmit();
        stranger
    }

    /// Says something that a worker may say.
    pub fn say(&mut self, message: &WorkerMessage) {
        self.say_bytes(&message.encode(&self.node_id));
    }

    /// Says a message of these bytes.
    ///
    /// # Panics
    /// The handshake is not done.
    pub fn say_bytes(&mut self, body: &[u8]) {
        self.connection.send(body).expect("the handshake is done");
        self.transmit();
    }

    /// Writes these bytes past all rules. Returns whether somebody took them.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// The next message of the master; `None` if the stream ends or nothing comes within `patience`.
    ///
    /// # Panics
    /// It is not one.
    pub fn hear(&mut self, patience: Duration) -> Option<MasterMessage> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Event::Message(message) = self.event(left)? {
                let envelope = MasterMessage::decode(&message.body, MessageLimits::default());
                return Some(envelope.expect("a message of a master").message);
            }
        }
    }

    /// Whether the master closes the stream within `patience`; what it says until then is dropped.
    pub fn is_closed(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.read(left) {
                Ok(bytes) if bytes.is_empty() => return true,
                Ok(_) => {}
                Err(error) => return !is_timeout(&error),
            }
        }
    }

    /// The next event; `None` at the end of the stream or of the time.
    fn event(&mut self, patience: Duration) -> Option<Event> {
        let deadline = Instant::now() + patience;
        loop {
            let bytes = self.read(deadline.saturating_duration_since(Instant::now())).ok()?;
            if bytes.is_empty() {
                return None;
            }
            let event = self.connection.handle_bytes(&mut bytes.as_slice()).expect("the master speaks ZMTP");
            self.transmit();
            if event.is_some() {
                return event;
            }
        }
    }

    /// One byte at a time, so that no byte behind an event has to be kept.
    fn read(&mut self, patience: Duration) -> io::Result<Vec<u8>> {
        let patience = patience.max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(patience))?;
        let mut byte = [0];
        let len = self.stream.read(&mut byte)?;
        Ok(byte[..len].to_vec())
    }

    fn transmit(&mut self) {
        while let Some(bytes) = self.connection.poll_transmit() {
            // Whether the master is still there is for the reading side to find out.
            let _ = self.stream.write_all(&bytes);
        }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
