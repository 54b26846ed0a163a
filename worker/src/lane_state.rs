//! What the users of one lane share, on one thread and therefore without a lock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use sentinel_common::stats::Recorder;
use tokio::sync::Notify;

/// What the users of a lane share.
#[derive(Debug, Default)]
pub struct LaneState {
    /// What they measured.
    pub recorder: RefCell<Recorder>,
    /// The longest time by which one of them woke late.
    wakeup_lag: Cell<Duration>,
    live: Cell<usize>,
    ended: Notify,
}

impl LaneState {
    /// Notes by how much a user woke late.
    pub fn note_wakeup_lag(&self, lag: Duration) {
        self.wakeup_lag.set(self.wakeup_lag.get().max(lag));
    }

    /// The longest time by which a user woke late since this was last asked.
    pub fn take_wakeup_lag(&self) -> Duration {
        self.wakeup_lag.take()
    }

    /// Completes when no user is left.
    pub async fn all_ended(&self) {
        while self.live.get() > 0 {
            self.ended.notified().await;
        }
    }
}

/// Counts a user as live for as long as it exists.
#[derive(Debug)]
pub struct Live(Rc<LaneState>);

impl Live {
    /// Counts one more.
    pub fn new(state: &Rc<LaneState>) -> Self {
        state.live.set(state.live.get() + 1);
        Self(state.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get() - 1);
        self.0.ended.notify_one();
    }
}
