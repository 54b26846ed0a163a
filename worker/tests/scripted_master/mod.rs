//! A Locust master that does what a test tells it, over a real socket and the real codecs.

use sentinel_common::locust::{self, Envelope, MasterMessage, WorkerMessage};
use sentinel_common::zmtp::{Connection, Event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The worker's name in all tests.
const NODE: &str = "h1_a";

/// A master at the other end, whose bytes go through the real codec.
pub struct Master {
    stream: TcpStream,
    connection: Connection,
    unread: Vec<u8>,
}

impl Master {
    /// A master on this stream.
    pub fn new(stream: TcpStream, connection: Connection) -> Self {
        Self { stream, connection, unread: Vec::new() }
    }

    /// The next event; `None` when the worker has closed its side.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let mut input = self.unread.as_slice();
            let event = self.connection.handle_bytes(&mut input).unwrap();
            self.unread = input.to_vec();
            self.flush().await;
            if event.is_some() {
                return event;
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await.unwrap() {
                0 => return None,
                read => self.unread.extend(&buffer[..read]),
            }
        }
    }

    /// The next message; `None` when the worker has closed its side.
    pub async fn hear(&mut self) -> Option<WorkerMessage> {
        loop {
            if let Event::Message(message) = self.next().await? {
                let limits = locust::Limits::default();
                let Envelope { message, node_id } = WorkerMessage::decode(&message.body, limits).unwrap();
                assert_eq!(node_id, NODE);
                return Some(message);
            }
        }
    }

    /// Sends a message.
    pub async fn say(&mut self, message: &MasterMessage) {
        self.say_bytes(&message.encode(NODE)).await;
    }

    /// Sends what may be no message at all.
    pub async fn say_bytes(&mut self, body: &[u8]) {
        self.connection.send(body).unwrap();
        self.flush().await;
    }

    async fn flush(&mut self) {
        while let Some(bytes) = self.connection.poll_transmit() {
            self.stream.write_all(&bytes).await.unwrap();
        }
    }
}
