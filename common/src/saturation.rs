//! Saturation: whether it was the generator, not the target, that limited the load.
//!
//! A worker is saturated while it uses nearly all of the CPU that its threads can have, while its timers fire late, or
//! while its network link is full. What such a worker measures is about itself. The coordinator notes it, the report
//! says so.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::ids::WorkerId;
use crate::messages::{Resources, Vitals};

/// The share of what a worker has of CPU, or of network, from which on it is saturated. Locust warns at the same.
const BUSY_SHARE: f64 = 0.9;

/// A timer that fires so late is not the system's usual jitter.
const LATE_TIMER: Duration = Duration::from_millis(100);

/// The share of a run's seconds with a saturated worker from which on the generator was the bottleneck.
const WORTH_TELLING: f64 = 0.1;

/// What a worker can run out of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Time on the cores that its threads can use.
    Cpu,
    /// Its timers fire late: something else has the cores, or a user holds its thread.
    Timers,
    /// A network link.
    Network,
}

/// How hard a worker is at one of its limits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Peak {
    /// The limit.
    pub limit: Limit,
    /// The worker.
    pub worker: WorkerId,
    /// Percent of all cores that it can use, milliseconds by which a timer was late, or percent of a link.
    pub value: f64,
}

impl fmt::Display for Peak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, worker, value } = self;
        match limit {
            Limit::Cpu => write!(f, "{worker} used up to {value:.0} % of the CPU that it can use"),
            Limit::Timers => write!(f, "timers of {worker} fired up to {value:.0} ms late"),
            Limit::Network => write!(f, "{worker} used up to {value:.0} % of a network link"),
        }
    }
}

/// The limits that a worker has reached, each with how far.
pub fn reached(vitals: &Vitals, resources: Resources) -> impl Iterator<Item = (Limit, f64)> {
    // Who does not say how much it can use is one of Locust's, which is one thread of Python.
    let cores =
        [resources.threads, resources.cores].into_iter().filter(|cores| *cores > 0).min().unwrap_or(1);
    let cpu_percent = f64::from(vitals.cpu_percent) / f64::from(cores);
    let busy = |percent: f64| percent >= BUSY_SHARE * 100.0;
    let late = vitals.wakeup_lag >= LATE_TIMER;
    let network_percent = vitals.network_percent.map(f64::from).filter(|percent| busy(*percent));
    [
        busy(cpu_percent).then_some((Limit::Cpu, cpu_percent)),
        late.then_some((Limit::Timers, vitals.wakeup_lag.as_secs_f64() * 1e3)),
        network_percent.map(|percent| (Limit::Network, percent)),
    ]
    .into_iter()
    .flatten()
}

/// The hardest that any worker was at each limit, over a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Strain {
    /// At most one for each limit, in their order.
    peaks: Vec<Peak>,
}

impl Strain {
    /// Looks at a worker. Returns whether it is saturated.
    pub fn observe(&mut self, worker: &WorkerId, vitals: &Vitals, resources: Resources) -> bool {
        let mut saturated = false;
        for (limit, value) in reached(vitals, resources) {
            saturated = true;
            let peak = || Peak { limit, worker: worker.clone(), value };
            match self.peaks.binary_search_by_key(&limit, |peak| peak.limit) {
                Ok(index) if self.peaks[index].value < value => self.peaks[index] = peak(),
                Ok(_) => {}
                Err(index) => self.peaks.insert(index, peak()),
            }
        }
        saturated
    }
}

/// The generator limited the load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bottleneck {
    /// Seconds in which a worker was saturated.
    pub saturated_s: u32,
    /// Seconds in which there was load.
    pub active_s: u32,
    /// The hardest that any worker was at each of the limits that were reached.
    pub peaks: Vec<Peak>,
}

impl Bottleneck {
    /// The finding on a run that had load for `active_s` seconds and a saturated worker in `saturated_s` of them;
    /// `None` if that is too little to matter, unless load was missing in one of those seconds.
    pub fn find(strain: &Strain, saturated_s: u32, active_s: u32, load_was_missing: bool) -> Option<Self> {
        let share = f64::from(saturated_s) / f64::from(active_s.max(1));
        let matters = share >= WORTH_TELLING || load_was_missing;
        (saturated_s > 0 && matters).then(|| Self { saturated_s, active_s, peaks: strain.peaks.clone() })
    }
}

impl Bottleneck {
    /// What is to be said of the generator, as in `was the bottleneck in 12 of 60 s: …`.
    pub fn finding(&self) -> String {
        let Self { saturated_s, active_s, peaks } = self;
        let peaks: Vec<String> = peaks.iter().map(ToString::to_string).collect();
        format!("was the bottleneck in {saturated_s} of {active_s} s: {}", peaks.join("; "))
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the generator {}", self.finding())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str) -> WorkerId {
        WorkerId::new(name).unwrap()
    }

    fn vitals(cpu_percent: f32, lag_ms: u64, network_percent: Option<f32>) -> Vitals {
        Vitals {
            cpu_percent,
            memory_bytes: 1,
            wakeup_lag: Duration::from_millis(lag_ms),
            network_percent,
            in_flight: None,
        }
    }

    fn resources(threads: u32, cores: u32) -> Resources {
        Resources { threads, cores, ..Resources::default() }
    }

    fn check(vitals: Vitals, resources: Resources, expected: &[(Limit, f64)]) {
        let found: Vec<_> = reached(&vitals, resources).collect();
        assert_eq!(found, expected, "{vitals:?} {resources:?}");
    }

    #[test]
    fn a_worker_is_saturated_at_any_of_its_limits() {
        use Limit::{Cpu, Network, Timers};
        check(vitals(100.0, 5, None), resources(2, 2), &[]);
        check(vitals(180.0, 5, Some(10.0)), resources(2, 2), &[(Cpu, 90.0)]);
        check(vitals(100.0, 99, None), resources(8, 1), &[(Cpu, 100.0)]);
        check(vitals(100.0, 0, None), resources(1, 8), &[(Cpu, 100.0)]);
        check(vitals(0.0, 100, Some(96.0)), resources(1, 1), &[(Timers, 100.0), (Network, 96.0)]);
        check(vitals(95.0, 0, None), resources(0, 0), &[(Cpu, 95.0)]);
        check(vitals(f32::NAN, 0, Some(f32::NAN)), resources(1, 1), &[]);
    }

    #[test]
    fn a_run_remembers_who_was_worst() {
        let mut strain = Strain::default();
        let (a, b, one) = (worker("a"), worker("b"), resources(1, 1));
        assert!(!strain.observe(&a, &vitals(20.0, 3, None), one));
        assert!(strain.observe(&a, &vitals(91.0, 250, None), one));
        assert!(strain.observe(&b, &vitals(97.0, 120, None), one));
        let found = Bottleneck::find(&strain, 12, 60, false).unwrap();
        assert_eq!(
            found.to_string(),
            "the generator was the bottleneck in 12 of 60 s: b used up to 97 % of the CPU that it can use; timers of a \
             fired up to 250 ms late"
        );
    }

    #[test]
    fn a_moment_is_no_bottleneck_unless_load_was_missing() {
        let mut strain = Strain::default();
        strain.observe(&worker("a"), &vitals(91.0, 0, None), resources(1, 1));
        assert_eq!(Bottleneck::find(&strain, 5, 60, false), None);
        assert!(Bottleneck::find(&strain, 6, 60, false).is_some());
        assert!(Bottleneck::find(&strain, 1, 60, true).is_some());
        assert_eq!(Bottleneck::find(&Strain::default(), 0, 60, true), None);
    }
}
