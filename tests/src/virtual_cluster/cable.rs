//! The cable between a worker and the master: an in-memory stream for every connection, which a test can pull out,
//! plug in again, or leave in place while nothing passes.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use sentinel_worker::link::{Dial, with_timeouts};
use tokio::io::{DuplexStream, copy_bidirectional, duplex};
use tokio::sync::{mpsc, watch};
use tonic::transport::{Channel, Endpoint, Error};

/// What fits into a stream before its writer has to wait, as in a socket's buffer.
const BUFFER_BYTES: usize = 64 * 1024;

/// What a cable does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// It passes them on.
    Whole,
    /// Connections break, and new ones are refused.
    Cut,
    /// Nothing passes, and nobody is told.
    Silent,
}

/// One worker's way to the master. Clones are the same cable.
#[derive(Clone, Debug)]
pub struct Cable {
    condition: Arc<watch::Sender<Condition>>,
    listener: mpsc::UnboundedSender<io::Result<DuplexStream>>,
}

impl Cable {
    /// A whole cable, whose connections arrive at `listener`.
    pub(super) fn new(listener: mpsc::UnboundedSender<io::Result<DuplexStream>>) -> Self {
        Self { condition: Arc::new(watch::Sender::new(Condition::Whole)), listener }
    }

    /// Breaks all connections and refuses new ones.
    pub fn cut(&self) {
        self.condition.send_replace(Condition::Cut);
    }

    /// Passes nothing any more, without breaking anything.
    pub fn silence(&self) {
        self.condition.send_replace(Condition::Silent);
    }

    /// Makes the cable whole again: connections that only fell silent go on where they were.
    pub fn mend(&self) {
        self.condition.send_replace(Condition::Whole);
    }

    fn connect(&self) -> io::Result<TokioIo<DuplexStream>> {
        let condition = self.condition.subscribe();
        if *condition.borrow() == Condition::Cut {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (worker, worker_end) = duplex(BUFFER_BYTES);
        let (master_end, master) = duplex(BUFFER_BYTES);
        self.listener.send(Ok(master)).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        tokio::spawn(carry(worker_end, master_end, condition));
        Ok(TokioIo::new(worker))
    }
}

impl Dial for Cable {
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Channel, Error>> + Send>> {
        let cable = self.clone();
        Box::pin(async move {
            let connector = tower::service_fn(move |_| std::future::ready(cable.connect()));
            with_timeouts(Endpoint::from_static("http://master")).connect_with_connector(connector).await
        })
    }
}

/// Carries bytes both ways until one side closes or the cable is cut; then both sides find their stream broken.
async fn carry(
    mut worker: DuplexStream,
    mut master: DuplexStream,
    mut condition: watch::Receiver<Condition>,
) {
    // One copy for the life of the connection: what it has read while the cable falls silent must not be lost.
    let mut copy = pin!(copy_bidirectional(&mut worker, &mut master));
    loop {
        let now = *condition.borrow_and_update();
        let changed = match now {
            Condition::Cut => return,
            Condition::Silent => condition.changed().await,
            Condition::Whole => tokio::select! {
                _ = &mut copy => return,
                changed = condition.changed() => changed,
            },
        };
        if changed.is_err() {
            return;
        }
    }
}
