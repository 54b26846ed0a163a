//! What the series of a run keep per second.

use super::CoarseHistogram;
use super::delta::{Iterations, SecondDelta};
use super::series::Bucket;

/// The requests of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateBucket {
    /// Requests that ended.
    pub requests: u64,
    /// Failures.
    pub failures: u64,
}

impl RateBucket {
    /// Adds the counts of another bucket.
    pub fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failures = self.failures.saturating_add(other.failures);
    }
}

impl Bucket for RateBucket {
    fn merge(&mut self, later: Self) {
        self.add(later);
    }
}

/// The requests of all rows, and the iterations that they belong to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrafficBucket {
    /// How many there were.
    pub rate: RateBucket,
    /// Their response times, as far as they have one.
    pub response_times: CoarseHistogram,
    /// What became of iterations.
    pub iterations: Iterations,
}

impl TrafficBucket {
    /// Adds the counts of a reported second.
    pub fn add_second(&mut self, second: &SecondDelta) {
        self.rate.add(RateBucket { requests: second.requests, failures: second.failures });
        self.response_times.merge(&second.response_times);
        self.iterations += second.iterations;
    }

    /// Everything of the second that is to be reported.
    pub fn into_second(self, second: u32) -> SecondDelta {
        let Self { rate: RateBucket { requests, failures }, response_times, iterations } = self;
        SecondDelta { second, requests, failures, response_times, iterations }
    }
}

impl Bucket for TrafficBucket {
    fn merge(&mut self, later: Self) {
        self.rate.merge(later.rate);
        self.response_times.merge(&later.response_times);
        self.iterations += later.iterations;
    }
}

/// A number that was looked at now and then, such as how many users there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauge {
    /// What it was the last time; zero if nobody ever looked.
    pub last: u64,
    /// The least that it was; zero if nobody ever looked.
    pub min: u64,
    /// The most that it was.
    pub max: u64,
    sum: u64,
    looks: u64,
}

impl Gauge {
    /// Takes note of what the number is now.
    pub fn observe(&mut self, value: u64) {
        self.merge(Self { last: value, min: value, max: value, sum: value, looks: 1 });
    }

    /// The mean of all looks; `None` if nobody ever looked.
    pub fn mean(&self) -> Option<f64> {
        self.was_seen().then(|| self.sum as f64 / self.looks as f64)
    }

    /// Whether anybody ever looked.
    pub fn was_seen(&self) -> bool {
        self.looks > 0
    }
}

impl Bucket for Gauge {
    fn merge(&mut self, later: Self) {
        if later.looks > 0 {
            self.last = later.last;
            self.min = if self.looks > 0 { self.min.min(later.min) } else { later.min };
        }
        self.max = self.max.max(later.max);
        self.sum = self.sum.saturating_add(later.sum);
        self.looks = self.looks.saturating_add(later.looks);
    }
}

/// The whole run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunBucket {
    /// The requests of all rows.
    pub traffic: TrafficBucket,
    /// Users that were running.
    pub users: Gauge,
    /// Users that the plan wanted.
    pub planned_users: Gauge,
    /// Workers that could be given users.
    pub workers: Gauge,
    /// Workers that were [saturated](crate::saturation).
    pub saturated_workers: Gauge,
    /// Requests that were sent and not answered yet, on the workers that say so.
    pub in_flight: Gauge,
}

impl Bucket for RunBucket {
    fn merge(&mut self, later: Self) {
        self.traffic.merge(later.traffic);
        self.users.merge(later.users);
        self.planned_users.merge(later.planned_users);
        self.workers.merge(later.workers);
        self.saturated_workers.merge(later.saturated_workers);
        self.in_flight.merge(later.in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_remembers_last_least_most_and_mean() {
        let of = |gauge: &Gauge| (gauge.last, gauge.min, gauge.max, gauge.mean());
        let mut gauge = Gauge::default();
        assert_eq!(of(&gauge), (0, 0, 0, None));
        [10, 30, 20].into_iter().for_each(|users| gauge.observe(users));
        assert_eq!(of(&gauge), (20, 10, 30, Some(20.0)));
        gauge.merge(Gauge::default());
        assert_eq!(of(&gauge), (20, 10, 30, Some(20.0)), "seconds in which nobody looked change nothing");
        let mut later = Gauge::default();
        later.observe(0);
        gauge.merge(later);
        assert_eq!(of(&gauge), (0, 0, 30, Some(15.0)));
    }
}
