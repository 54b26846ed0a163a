//! A shop that hangs: for some time nobody gets an answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The longest time for which a shop freezes.
pub(crate) const FREEZE_MAX: Duration = Duration::from_secs(60);

/// Until when the shop is frozen, if it ever was.
#[derive(Debug, Default)]
pub(crate) struct Freeze(Mutex<Option<Instant>>);

impl Freeze {
    /// Freezes from `now` on for `span`; an earlier freeze that lasts longer stands. Returns what the span became.
    pub(crate) fn begin(&self, now: Instant, span: Duration) -> Duration {
        let span = span.min(FREEZE_MAX);
        let mut until = self.lock();
        *until = (*until).max(Some(now + span));
        span
    }

    /// Comes back at once, or when the shop has thawed.
    pub(crate) async fn thawed(&self) {
        while let Some(until) = self.end_after(Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }

    fn end_after(&self, now: Instant) -> Option<Instant> {
        self.lock().filter(|until| *until > now)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        // It holds one value, which is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_freeze_decides_and_none_is_too_long() {
        let (freeze, now) = (Freeze::default(), Instant::now());
        assert_eq!(freeze.end_after(now), None);
        let seconds = Duration::from_secs;
        assert_eq!(freeze.begin(now, seconds(5)), seconds(5));
        freeze.begin(now, seconds(1));
        assert_eq!(freeze.end_after(now + seconds(4)), Some(now + seconds(5)));
        assert_eq!(freeze.end_after(now + seconds(5)), None);
        assert_eq!(freeze.begin(now, seconds(3_600)), FREEZE_MAX);
    }
}
