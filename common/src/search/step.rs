//! The run of a step: the run that was asked for, at the load of the step instead of its own.

use std::time::Duration;

use thiserror::Error;

use super::Trial;
use super::level::Level;
use crate::arrivals::{Arrivals, ArrivalsError, SteadyArrivals};
use crate::coordinator::{Autostart, ClassArrivals};
use crate::dispatch::{ClassSpec, MAX_USERS, fixed_users};
use crate::ids::RunId;
use crate::load::{BadLoad, Load};

/// Users that serve arrivals, at least, unless somebody says how many.
const MIN_POOL: u32 = 10;

/// How every step is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepPlan {
    /// What is left out after the ramp; whole seconds.
    pub warm_up: Duration,
    /// What is measured; at least a second.
    pub step_time: Duration,
    /// Users that serve arrivals at the same time; `None` for those of one second.
    pub max_users: Option<u32>,
    /// Users per second; `None` for all within one second.
    pub spawn_rate: Option<f64>,
}

/// Why a step cannot be run.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum StepError {
    /// The arrivals cannot be.
    #[error(transparent)]
    Arrivals(#[from] ArrivalsError),
    /// The users cannot be.
    #[error(transparent)]
    Load(#[from] BadLoad),
    /// Nobody would serve the arrivals.
    #[error(
        "no user class has a weight, so no arrival would be made; give one a weight, or search for users"
    )]
    NoWeight,
}

impl StepPlan {
    /// The run of `trial`, made from the one that was asked for. Its shape, its arrivals and its run time give way.
    ///
    /// # Errors
    /// The load cannot be made.
    pub fn autostart(&self, asked: &Autostart, trial: Trial) -> Result<Autostart, StepError> {
        let mut step = asked.clone();
        let spec = &mut step.spec;
        spec.shape = None;
        spec.iterations = None;
        spec.id = RunId::new(&format!("{}-{}.{}", spec.id.as_str(), trial.step, trial.repetition));
        // A repetition with the same random values would only repeat the same luck.
        spec.seed = spec.seed.wrapping_add(u64::from(trial.step) << 16 | u64::from(trial.repetition));
        let users = match trial.load {
            Level::Users(users) => users,
            Level::Rate(rate) => {
                let steady = SteadyArrivals { rate, max_users: self.pool(trial.load) };
                spec.adjustments.arrivals = Some(steady);
                spec.arrivals = dealt(&spec.classes, &Arrivals::steady(steady)?)?;
                u32::try_from(fixed_users(&spec.classes)).unwrap_or(MAX_USERS).max(1)
            }
        };
        let spawn_rate = self.spawn_rate.unwrap_or(f64::from(users));
        let ramps = !spec.is_open();
        let ramp_s = if ramps { (f64::from(users) / spawn_rate).ceil() as u32 } else { 0 };
        let from_s = ramp_s.saturating_add(u32::try_from(self.warm_up.as_secs()).unwrap_or(u32::MAX));
        for criterion in &mut spec.criteria {
            if criterion.scope.after_s == 0 {
                criterion.scope.after_s = from_s;
            }
        }
        spec.measured_from_s = Some(from_s);
        let run_time = Duration::from_secs(u64::from(from_s)) + self.step_time;
        step.load = Load::new(i64::from(users), spawn_rate, Some(run_time))?;
        Ok(step)
    }

    /// Users that serve the arrivals of a load: by default those that can wait a second for each answer.
    fn pool(&self, load: Level) -> u32 {
        let of_a_second = (load.value().ceil() as u32).clamp(MIN_POOL, MAX_USERS);
        self.max_users.unwrap_or(of_a_second)
    }
}

/// The arrivals of the classes, by their weights, as a worker deals them out.
fn dealt(classes: &[ClassSpec], arrivals: &Arrivals) -> Result<Vec<ClassArrivals>, StepError> {
    let weight = |class: &ClassSpec| if class.fixed_count > 0 { 0.0 } else { class.weight };
    let weights: Vec<f64> = classes.iter().map(weight).collect();
    let shares = classes.iter().zip(arrivals.split(&weights));
    let named = |(class, share): (&ClassSpec, Option<Arrivals>)| {
        Some(ClassArrivals { class: class.name.clone(), arrivals: share? })
    };
    let dealt: Vec<ClassArrivals> = shares.filter_map(named).collect();
    if dealt.is_empty() { Err(StepError::NoWeight) } else { Ok(dealt) }
}
