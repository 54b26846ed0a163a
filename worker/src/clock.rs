//! The process's monotonic clock, as moments since it was made. The one place where the worker reads time; under a
//! paused runtime it stands still, which is what whole-cluster tests on virtual time rely on.

use std::time::Duration;

use sentinel_common::time::Moment;
use tokio::time::Instant;

/// A clock whose origin is its own creation. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct LocalClock {
    origin: Instant,
}

impl LocalClock {
    /// A clock that shows zero now.
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// What it shows now.
    pub fn now(self) -> Moment {
        Moment::from(self.origin.elapsed())
    }

    /// The instant at which it shows `moment`. A moment far beyond any run is cut to a year from the origin.
    pub fn instant(self, moment: Moment) -> Instant {
        let since = Duration::from_micros(moment.as_micros());
        self.origin + since.min(Duration::from_secs(365 * 24 * 3600))
    }
}

/// What the wall clock shows, in microseconds since 1970; zero before that. Read once by each worker, and for templates
/// that ask for the time: what a worker measures, it measures by its [`LocalClock`].
pub fn unix_now_us() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
