//! The users of a lane that have ended by themselves: counted on the lane's thread, read by the session's.

use std::sync::atomic::{AtomicU32, Ordering};

/// How many users of each class have ended by themselves and were not told to stop since, by the index of the class.
#[derive(Debug, Default)]
pub(crate) struct FinishedUsers(Vec<AtomicU32>);

impl FinishedUsers {
    /// None so far, of this many classes.
    pub(crate) fn new(classes: usize) -> Self {
        Self((0..classes).map(|_| AtomicU32::new(0)).collect())
    }

    /// One more has ended.
    pub(crate) fn add(&self, class: usize) {
        if let Some(count) = self.0.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One of them is not counted among the users any more.
    pub(crate) fn remove(&self, class: usize) {
        if let Some(count) = self.0.get(class) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// How many of this class have ended.
    pub(crate) fn of(&self, class: usize) -> u32 {
        self.0.get(class).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}
