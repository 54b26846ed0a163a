//! The hub: all connections of workers, whatever wire they speak, between the control loop and the tasks that read
//! and write sockets.

use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use sentinel_common::ids::ConnectionId;
use sentinel_common::messages::{FromWorker, ToWorker};
use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// Messages that may wait for one worker. A worker that is further behind than this is cut off.
const OUTGOING_QUEUE: usize = 256;

/// Events that may wait for the control loop. Beyond this, connections wait until it has caught up.
const EVENT_QUEUE: usize = 4096;

/// What happened on a connection.
#[derive(Debug)]
pub enum HubEvent {
    /// A worker said something.
    Message(ConnectionId, FromWorker),
    /// The connection has ended, in the way that the text tells.
    Disconnected(ConnectionId, String),
}

/// All connections. See the module's documentation.
#[derive(Debug)]
pub struct Hub {
    next: AtomicU64,
    connections: DashMap<ConnectionId, Outgoing>,
    events: mpsc::Sender<HubEvent>,
}

#[derive(Debug)]
struct Outgoing {
    queue: mpsc::Sender<ToWorker>,
    /// Dropped, and thereby noticed by the reading side, when the master closes the connection.
    _open: oneshot::Sender<()>,
}

/// A connection as the task that serves it sees it.
#[derive(Debug)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// What is to be sent. Ends when the master closes the connection.
    pub outgoing: mpsc::Receiver<ToWorker>,
    /// Completes when the master closes the connection.
    pub closed: oneshot::Receiver<()>,
}

impl Hub {
    /// A hub without connections, and the events that will happen on them.
    pub fn new() -> (Self, mpsc::Receiver<HubEvent>) {
        let (events, queue) = mpsc::channel(EVENT_QUEUE);
        (Self { next: AtomicU64::new(1), connections: DashMap::new(), events }, queue)
    }

    /// Registers a new connection.
    pub fn open(&self) -> Connection {
        let id = ConnectionId(self.next.fetch_add(1, Ordering::Relaxed));
        let (queue, outgoing) = mpsc::channel(OUTGOING_QUEUE);
        let (open, closed) = oneshot::channel();
        self.connections.insert(id, Outgoing { queue, _open: open });
        Connection { id, outgoing, closed }
    }

    /// Passes on what happened. Waits while the control loop is behind.
    pub async fn notify(&self, event: HubEvent) {
        if let HubEvent::Disconnected(id, _) = &event {
            self.connections.remove(id);
        }
        // Without a control loop the master is ending, and nobody cares any more.
        let _ = self.events.send(event).await;
    }

    /// Queues a message for a worker. Returns false if the connection is gone or so far behind that it is closed now.
    #[must_use]
    pub fn send(&self, to: ConnectionId, message: ToWorker) -> bool {
        let sent = self.connections.get(&to).map(|connection| connection.queue.try_send(message).is_ok());
        if sent == Some(false) {
            self.close(to);
        }
        sent == Some(true)
    }

    /// Closes a connection; what is queued for it is still sent.
    pub fn close(&self, id: ConnectionId) {
        self.connections.remove(&id);
    }
}
