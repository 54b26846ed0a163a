//! How a user is told to stop.

use std::cell::Cell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A request that is in flight when its user is stopped may still finish within this, even where no task may: the
/// target has counted it, so the figures of both sides agree.
pub const IN_FLIGHT_GRACE: Duration = Duration::from_secs(2);

/// What a user was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    /// The current task may be finished, not just the current request.
    finish_task: bool,
    /// When everything that is left is cut off.
    deadline: Instant,
}

/// One user's ear: shared between the user and its lane, on one thread.
#[derive(Debug, Default)]
pub struct StopSignal {
    order: Cell<Option<Order>>,
    told: Notify,
}

impl StopSignal {
    /// Tells the user to stop. Its task may go on for `timeout`; with none, only the request in flight may finish.
    /// The first order counts.
    pub fn stop(&self, now: Instant, timeout: Duration) {
        if self.order.get().is_none() {
            let deadline = now + timeout.max(IN_FLIGHT_GRACE);
            self.order.set(Some(Order { finish_task: !timeout.is_zero(), deadline }));
            self.told.notify_waiters();
        }
    }

    /// Whether the user was told to stop: it begins no further iteration.
    pub fn is_stopping(&self) -> bool {
        self.order.get().is_some()
    }

    /// Whether the task that runs is to be left after its current step.
    pub fn interrupts_task(&self) -> bool {
        self.order.get().is_some_and(|order| !order.finish_task)
    }

    /// Completes when the user was told to stop.
    pub async fn stopped(&self) {
        // Enabled before the check, so that no order falls between the two.
        let mut told = std::pin::pin!(self.told.notified());
        told.as_mut().enable();
        if !self.is_stopping() {
            told.await;
        }
    }

    /// Completes when everything that is left is to be cut off.
    pub async fn cut_off(&self) {
        self.stopped().await;
        if let Some(order) = self.order.get() {
            tokio::time::sleep_until(order.deadline).await;
        }
    }
}
