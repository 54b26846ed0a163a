//! The connection to the master: one gRPC stream in each direction.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sentinel_common::messages::FromWorker;
use sentinel_proto::v1::load_control_client::LoadControlClient;
use sentinel_proto::v1::{MasterMessage, WorkerMessage};
use sentinel_proto::{Encode as _, MAX_MESSAGE_BYTES};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::address::MasterAddress;

/// Messages that may wait to be sent: several seconds of heartbeats and the one report that is ever on its way.
const OUTGOING_QUEUE: usize = 64;

/// How long a connection attempt may take, and again until its first answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A master that does not answer pings for this long is not there any more.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// What the master may have on its way on a stream, in bytes. HTTP/2's 64 KiB would make a chunk of a file take sixteen
/// round trips.
const STREAM_WINDOW: u32 = 2 << 20;

/// How long to wait, at the end, until the master has read everything.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Opens channels to the master. The real one dials TCP; tests bring channels over in-memory streams.
pub trait Dial: Send + Sync + 'static {
    /// Opens a channel.
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Channel, tonic::transport::Error>> + Send>>;
}

/// Dials a master's address over TCP. The name is looked up anew for every attempt.
#[derive(Clone, Debug)]
pub struct TcpDial(pub MasterAddress);

impl Dial for TcpDial {
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Channel, tonic::transport::Error>> + Send>> {
        let uri = self.0.uri();
        Box::pin(async move { with_timeouts(Endpoint::from_shared(uri)?).connect().await })
    }
}

/// The timeouts and the window that every connection to a master has.
pub fn with_timeouts(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(STREAM_WINDOW)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true)
}

/// An open connection.
#[derive(Debug)]
pub struct Link {
    outgoing: mpsc::Sender<WorkerMessage>,
    incoming: Streaming<MasterMessage>,
}

/// Why there is no connection, in one line.
#[derive(Debug)]
pub struct LinkError(String);

impl LinkError {
    pub(crate) fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Link {
    /// Opens a connection.
    ///
    /// # Errors
    /// The master cannot be reached, or does not speak the protocol.
    pub async fn open(dial: Arc<dyn Dial>) -> Result<Self, LinkError> {
        let channel = dial.dial().await.map_err(|error| LinkError(innermost(&error)))?;
        let (outgoing, queue) = mpsc::channel(OUTGOING_QUEUE);
        let mut client = LoadControlClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let attaching = client.attach(ReceiverStream::new(queue));
        let attached = tokio::time::timeout(CONNECT_TIMEOUT, attaching)
            .await
            .map_err(|_| LinkError("what answers there is no Sentinel master".to_owned()))?
            .map_err(|status| LinkError(describe(&status)))?;
        Ok(Self { outgoing, incoming: attached.into_inner() })
    }

    /// Queues a message. Returns false if the queue is full: a master that does not read is of no use. On a
    /// connection that has ended the message is lost, but what the master said before it ended can still be read.
    #[must_use]
    pub fn send(&self, message: FromWorker) -> bool {
        !matches!(self.outgoing.try_send(message.encode()), Err(TrySendError::Full(_)))
    }

    /// The next message of the master; an error once there is none any more.
    pub async fn next(&mut self) -> Result<MasterMessage, LinkError> {
        match self.incoming.message().await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(LinkError("the master closed the connection".to_owned())),
            Err(status) => Err(LinkError(describe(&status))),
        }
    }

    /// Ends the connection once the master has read everything that was queued.
    pub async fn close(self) {
        let Self { outgoing, mut incoming } = self;
        drop(outgoing);
        let master_closes = async { while let Ok(Some(_)) = incoming.message().await {} };
        // A master that does not close its side in time has had its chance.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, master_closes).await;
    }
}

fn describe(status: &Status) -> String {
    match status.source() {
        Some(source) => innermost(source),
        None => format!("{}: {}", status.code(), status.message()),
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
