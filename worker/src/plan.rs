//! A run as the users see it: the scenario compiled, its profile and host applied.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use sentinel_common::http::HttpSettings;
use sentinel_common::messages::RunPlan;
use sentinel_common::scenario::{Host, Scenario, UserClass};
use sentinel_common::time::RunClock;
use thiserror::Error;

use crate::http::PreparedHttp;

/// Why a plan cannot be run here. The master checked the same text, so this means that the two are not of one release.
#[derive(Debug, Error)]
#[error("cannot run the master's plan: {0}")]
pub struct BadPlan(String);

/// A plan that is ready to be run, shared by all lanes.
#[derive(Debug)]
pub struct PreparedRun {
    scenario: Scenario,
    hosts: Vec<Option<Host>>,
    http: Arc<PreparedHttp>,
    stop_timeout: Duration,
    seed: u64,
    /// Set by the session as it learns more; read once by each user that is born.
    clock: RwLock<RunClock>,
}

impl PreparedRun {
    /// Compiles the scenario that came with `plan`.
    ///
    /// # Errors
    /// The text, the profile or the host is not what this release understands.
    pub fn new(plan: &RunPlan, clock: RunClock) -> Result<Arc<Self>, BadPlan> {
        let mut scenario = Scenario::load(&plan.scenario_name, &plan.scenario).map_err(bad)?;
        if let Some(profile) = &plan.profile {
            scenario = scenario.with_profile(profile).map_err(bad)?.0;
        }
        let forced = plan.host.as_deref().map(Host::parse).transpose().map_err(bad)?;
        let hosts =
            scenario.users.iter().map(|class| forced.as_ref().or(scenario.host_of(class)).cloned()).collect();
        let http = PreparedHttp::new(&HttpSettings::default()).map_err(bad)?;
        let (stop_timeout, seed) = (plan.stop_timeout, plan.seed);
        Ok(Arc::new(Self { scenario, hosts, http, stop_timeout, seed, clock: RwLock::new(clock) }))
    }

    /// The user classes.
    pub fn classes(&self) -> &[UserClass] {
        &self.scenario.users
    }

    /// The index of the class of this name.
    pub fn class_index(&self, name: &str) -> Option<usize> {
        self.classes().iter().position(|class| class.name == name)
    }

    /// Where users of a class send their requests.
    pub fn host(&self, class: usize) -> Option<&Host> {
        self.hosts.get(class)?.as_ref()
    }

    /// How users of a class speak HTTP.
    pub fn http(&self, _class: usize) -> &Arc<PreparedHttp> {
        &self.http
    }

    /// How long a task may go on when its user is stopped.
    pub fn stop_timeout(&self) -> Duration {
        self.stop_timeout
    }

    /// The seed of every user's random stream.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The run's clock as it is known now.
    pub fn clock(&self) -> RunClock {
        *self.clock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Sets the run's clock, which is better known now. Users that live keep theirs, so no interval is ever distorted.
    pub fn set_clock(&self, clock: RunClock) {
        *self.clock.write().unwrap_or_else(std::sync::PoisonError::into_inner) = clock;
    }
}

fn bad(error: impl std::fmt::Display) -> BadPlan {
    BadPlan(error.to_string())
}
