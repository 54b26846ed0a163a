//! The desk: where those who watch and steer a master over the web meet its control loop.
//!
//! ```text
//! control loop ──Snapshot──► watch ──► any number of readers      at least twice a second while a run goes on
//!      ▲                                   │
//!      └── Asked ◄── queue of 64 ◄── Counter (a handler's end)    each is answered
//! ```
//!
//! Readers never wait for the control loop and cost it nothing. Whoever asks for a change is answered when it has been made
//! and can be seen in the snapshot.

mod request;
mod snapshot;

use std::sync::Arc;

use sentinel_common::report::{Detail, Report};
use tokio::sync::{mpsc, oneshot, watch};

pub use self::request::{Answer, Asked, Refusal, Request};
pub use self::snapshot::{Snapshot, Stage};

/// Requests that may wait for the control loop.
const QUEUE: usize = 64;

/// The end of those who watch and ask.
#[derive(Clone, Debug)]
pub struct Counter {
    snapshots: watch::Receiver<Arc<Snapshot>>,
    asked: mpsc::Sender<Asked>,
}

/// The control loop's end.
#[derive(Debug)]
pub struct Clerk {
    /// Where snapshots are laid out.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// What is asked for.
    pub asked: mpsc::Receiver<Asked>,
}

/// Both ends of a new desk, with what there is to see at first.
pub fn open(first: Snapshot) -> (Counter, Clerk) {
    let (publish, snapshots) = watch::channel(Arc::new(first));
    let (ask, asked) = mpsc::channel(QUEUE);
    (Counter { snapshots, asked: ask }, Clerk { snapshots: publish, asked })
}

impl Counter {
    /// What there is to see now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// What there will be to see, for those who follow it.
    pub fn follow(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Asks for a change, and waits until it has been made or refused.
    ///
    /// # Errors
    /// The change cannot be made, with the reason.
    pub async fn ask(&self, request: Request) -> Result<(), Refusal> {
        self.answer_to(|answer| Asked::Change(request, answer)).await
    }

    /// Stops the run, and waits until it is over; if there is none, it is.
    ///
    /// # Errors
    /// The master is too busy, or ending.
    pub async fn stop(&self) -> Result<(), Refusal> {
        self.answer_to(Asked::Stop).await
    }

    /// Asks for a report of more detail than the snapshot has; `None` if there is no run yet.
    ///
    /// # Errors
    /// The master is too busy, or ending.
    pub async fn report(&self, detail: Detail) -> Result<Option<Arc<Report>>, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.hand_in(Asked::Report(detail, answer))?;
        answered.await.map_err(|_| Refusal::Ending)
    }

    async fn answer_to(&self, asked: impl FnOnce(Answer) -> Asked) -> Result<(), Refusal> {
        let (answer, answered) = oneshot::channel();
        self.hand_in(asked(answer))?;
        answered.await.unwrap_or(Err(Refusal::Ending))
    }

    fn hand_in(&self, asked: Asked) -> Result<(), Refusal> {
        self.asked.try_send(asked).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => Refusal::Ending,
        })
    }
}
