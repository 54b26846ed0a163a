//! The connection to a Locust master: ZMTP over TCP, and how to find out whether there is one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sentinel_common::ids::WorkerId;
use sentinel_common::locust::{Limits, MasterMessage, WorkerMessage};
use sentinel_common::locust_stats::MAX_EXCEPTION_MESSAGES;
use sentinel_common::zmtp::{self, Connection, Event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;

use crate::address::MasterAddress;
use crate::link::LinkError;

/// Messages that may wait to be sent: several seconds of heartbeats, a report, and the exceptions that go with it.
const OUTGOING_QUEUE: usize = MAX_EXCEPTION_MESSAGES + 256;

/// Messages that may wait to be handled. More wait in the socket.
const INCOMING_QUEUE: usize = 64;

/// How long a TCP connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the other side may take to show that it speaks ZMTP. A Locust master answers at once.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait, at the end, until the master has read everything.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes that are read at once.
const READ_LEN: usize = 16 << 10;

/// What the other side turned out to be.
#[derive(Debug)]
pub enum Answer {
    /// A Locust master, and the connection to it.
    Locust(LocustLink),
    /// A Sentinel master: it says that it would rather speak gRPC.
    Sentinel,
    /// Something that does not speak ZMTP, for this reason.
    Stranger(LinkError),
}

/// An open connection to a Locust master.
#[derive(Debug)]
pub struct LocustLink {
    worker: WorkerId,
    outgoing: mpsc::Sender<Vec<u8>>,
    incoming: mpsc::Receiver<Result<Vec<u8>, LinkError>>,
    pump: JoinHandle<()>,
}

/// Connects to `master` as `worker` and finds out what it is.
///
/// # Errors
/// Nobody accepts a connection there.
pub async fn knock(master: &MasterAddress, worker: &WorkerId) -> Result<Answer, LinkError> {
    Ok(match greet(connect(master).await?, worker).await {
        Ok(greeted) if greeted.native => Answer::Sentinel,
        Ok(greeted) => Answer::Locust(LocustLink::start(worker.clone(), greeted)),
        Err(error) => Answer::Stranger(error),
    })
}

/// Opens a connection to a master that is to be spoken to on Locust's wire, whoever's it is.
///
/// # Errors
/// Nobody accepts a connection there, or whoever does speaks no ZMTP.
pub async fn open(master: &MasterAddress, worker: &WorkerId) -> Result<LocustLink, LinkError> {
    let greeted = greet(connect(master).await?, worker).await?;
    Ok(LocustLink::start(worker.clone(), greeted))
}

/// A connection whose handshake is done.
struct Greeted {
    stream: TcpStream,
    connection: Connection,
    /// What the master has said since.
    unread: Vec<u8>,
    /// It says that it speaks gRPC, too.
    native: bool,
}

async fn greet(mut stream: TcpStream, worker: &WorkerId) -> Result<Greeted, LinkError> {
    let Some(mut connection) = Connection::dealer(worker.as_str().as_bytes(), zmtp::Limits::default()) else {
        return Err(LinkError::new("the worker's name is too long for ZMTP"));
    };
    let greeted = tokio::time::timeout(HANDSHAKE_TIMEOUT, shake_hands(&mut stream, &mut connection)).await;
    let (native, unread) = greeted.map_err(|_| LinkError::new("what listens there does not answer"))??;
    Ok(Greeted { stream, connection, unread, native })
}

impl LocustLink {
    fn start(worker: WorkerId, greeted: Greeted) -> Self {
        let Greeted { stream, connection, unread, .. } = greeted;
        let (outgoing, queue) = mpsc::channel(OUTGOING_QUEUE);
        let (deliver, incoming) = mpsc::channel(INCOMING_QUEUE);
        let pump = Pump { stream, connection, unsent: Vec::new(), deliver };
        Self { worker, outgoing, incoming, pump: tokio::spawn(pump.run(queue, unread)) }
    }

    /// Queues a message. Returns false if the queue is full: a master that does not read is of no use. On a
    /// connection that has ended the message is lost, but what the master said before it ended can still be read.
    #[must_use]
    pub fn send(&self, message: &WorkerMessage) -> bool {
        let body = message.encode(self.worker.as_str());
        !matches!(self.outgoing.try_send(body), Err(TrySendError::Full(_)))
    }

    /// The next message of the master that can be understood; an error once there is none any more.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn next(&mut self) -> Result<MasterMessage, LinkError> {
        loop {
            let body = self.incoming.recv().await.unwrap_or_else(|| Err(closed()))?;
            match MasterMessage::decode(&body, Limits::default()) {
                Ok(envelope) => return Ok(envelope.message),
                // What one message lacks is no reason to lose the master.
                Err(error) => tracing::warn!("Ignoring a message of the master: {error}"),
            }
        }
    }

    /// Ends the connection once the master has read everything that was queued.
    pub async fn close(self) {
        let Self { outgoing, mut incoming, mut pump, .. } = self;
        drop(outgoing);
        incoming.close();
        if tokio::time::timeout(CLOSE_TIMEOUT, &mut pump).await.is_err() {
            // A master that does not close its side in time has had its chance.
            pump.abort();
        }
    }
}

/// Moves bytes between the socket and the queues: the only one that reads and the only one that writes.
struct Pump {
    stream: TcpStream,
    connection: Connection,
    unsent: Vec<u8>,
    deliver: mpsc::Sender<Result<Vec<u8>, LinkError>>,
}

impl Pump {
    async fn run(mut self, mut queue: mpsc::Receiver<Vec<u8>>, unread: Vec<u8>) {
        let reason = match self.pump(&mut queue, &unread).await {
            Ok(()) => return self.finish().await,
            Err(reason) => reason,
        };
        // Whoever let go of the link does not want to know.
        let _ = self.deliver.send(Err(reason)).await;
    }

    /// Runs until the session lets go of the link and everything has been written.
    async fn pump(&mut self, queue: &mut mpsc::Receiver<Vec<u8>>, unread: &[u8]) -> Result<(), LinkError> {
        self.take(unread).await?;
        let mut buffer = vec![0; READ_LEN];
        let mut open = true;
        loop {
            self.unsent.extend(self.connection.poll_transmit().unwrap_or_default());
            if !open && self.unsent.is_empty() {
                return Ok(());
            }
            let (mut reader, mut writer) = self.stream.split();
            tokio::select! {
                body = queue.recv(), if open && self.unsent.is_empty() => match body {
                    Some(body) => self.connection.send(&body).map_err(LinkError::new)?,
                    None => open = false,
                },
                written = writer.write(&self.unsent), if !self.unsent.is_empty() => {
                    let written = written.map_err(LinkError::new)?;
                    self.unsent.drain(..written);
                }
                read = reader.read(&mut buffer) => match read.map_err(LinkError::new)? {
                    0 => return Err(closed()),
                    read => self.take(&buffer[..read]).await?,
                },
            }
        }
    }

    /// Understands what was read.
    async fn take(&mut self, mut input: &[u8]) -> Result<(), LinkError> {
        while let Some(event) = self.connection.handle_bytes(&mut input).map_err(LinkError::new)? {
            if let Event::Message(message) = event {
                // A session that is closing reads no more; there is still something to write.
                let _ = self.deliver.send(Ok(message.body)).await;
            }
        }
        Ok(())
    }

    /// Says that nothing more comes and waits until the other side has closed too: closing before it has read
    /// everything could take the last messages away from it.
    async fn finish(mut self) {
        if self.stream.shutdown().await.is_ok() {
            let mut buffer = vec![0; READ_LEN];
            while matches!(self.stream.read(&mut buffer).await, Ok(1..)) {}
        }
    }
}

async fn connect(master: &MasterAddress) -> Result<TcpStream, LinkError> {
    let connecting = async {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the master's name has no address");
        for address in tokio::net::lookup_host((master.host.as_str(), master.port)).await? {
            match connect_to(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| LinkError::new("connecting took too long"))?
        .map_err(LinkError::new)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_keepalive(true)?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

/// Completes the handshake. Returns whether the other side is a Sentinel master, and what it has said beyond.
async fn shake_hands(
    stream: &mut TcpStream,
    connection: &mut Connection,
) -> Result<(bool, Vec<u8>), LinkError> {
    let mut buffer = vec![0; READ_LEN];
    loop {
        write_pending(stream, connection).await?;
        let read = stream.read(&mut buffer).await.map_err(LinkError::new)?;
        if read == 0 {
            return Err(closed());
        }
        let mut input = &buffer[..read];
        if let Some(Event::Ready(peer)) = connection.handle_bytes(&mut input).map_err(LinkError::new)? {
            // The other side may have said everything at once, before our part was written.
            write_pending(stream, connection).await?;
            return Ok((peer.native, input.to_vec()));
        }
    }
}

async fn write_pending(stream: &mut TcpStream, connection: &mut Connection) -> Result<(), LinkError> {
    while let Some(bytes) = connection.poll_transmit() {
        stream.write_all(&bytes).await.map_err(LinkError::new)?;
    }
    Ok(())
}

fn closed() -> LinkError {
    LinkError::new("the master closed the connection")
}
