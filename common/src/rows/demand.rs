//! How many rows a worker asks for at a time: about as many as it uses in a second, so that few are lost with it and
//! its users hardly ever wait.

use crate::time::Moment;

/// What is asked for first, and the least later.
const LEAST: u32 = 8;

/// The most that is asked for on account of the rate.
const MOST: u32 = 1 << 16;

/// The demand of one worker for rows of one source.
#[derive(Debug)]
pub(super) struct Demand {
    /// When it was last asked for rows, and for how many.
    last: Option<(Moment, u32)>,
}

impl Demand {
    /// No demand so far.
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    /// How many rows to ask for now, when `used` have been used since the last time. From one time to the next it at most
    /// doubles or halves, because the time in between is short and says little.
    pub(super) fn next(&mut self, now: Moment, used: u64) -> u32 {
        let next = match self.last {
            None => LEAST,
            Some((since, last)) => {
                let seconds = now.saturating_since(since).as_secs_f64();
                let a_second = used as f64 / seconds.max(1e-6);
                let (least, most) = (f64::from(last / 2), f64::from(last) * 2.0);
                (a_second.clamp(least, most).round() as u32).clamp(LEAST, MOST)
            }
        };
        self.last = Some((now, next));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uses rows between requests, each `(milliseconds, used)`, and compares what is asked for.
    fn check(steps: &[(u64, u64)], expected: &[u32]) {
        let mut demand = Demand::new();
        let mut now = Moment::ZERO;
        let mut asked = Vec::new();
        for (millis, used) in steps {
            now += std::time::Duration::from_millis(*millis);
            asked.push(demand.next(now, *used));
        }
        assert_eq!(asked, expected, "{steps:?}");
    }

    #[test]
    fn it_comes_to_what_a_second_needs() {
        check(&[(0, 0)], &[8]);
        // A hundred a second.
        check(&[(0, 0), (80, 8), (160, 16), (320, 32), (640, 64), (1000, 100)], &[8, 16, 32, 64, 100, 100]);
        // One in ten seconds.
        check(&[(0, 0), (10_000, 1), (10_000, 1)], &[8, 8, 8]);
    }

    #[test]
    fn it_at_most_doubles_or_halves() {
        check(&[(0, 0), (1, 8), (1, 16), (1000, 3), (1000, 3), (1000, 3)], &[8, 16, 32, 16, 8, 8]);
    }

    #[test]
    fn no_time_at_all_is_no_trouble() {
        check(&[(0, 0), (0, 0), (0, 5)], &[8, 8, 16]);
        let steps = [(0, u64::MAX); 20];
        check(
            &steps[..15],
            &[8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, MOST, MOST],
        );
    }
}
