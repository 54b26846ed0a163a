//! What a scenario file says, checked and compiled: the values that the swarm runs.
//!
//! The reader in this module's siblings is the only one that makes these from text; a worker's interpreter walks
//! them and renders their templates. Nothing here sends a request or waits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::class::UserClass;
use super::data::DataSource;
use super::host::Host;
use super::http::HttpOptions;
use super::step::Step;
use crate::arrivals::Arrivals;
use crate::criteria::Criterion;
use crate::shape::Shape;
use crate::suggest::nearest;
use crate::wait::WaitTime;

/// A whole scenario file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where requests go, unless a class or the command line says otherwise.
    pub host: Option<Host>,
    /// How requests are sent where a class does not say it.
    pub http: HttpOptions,
    /// The rows that users are fed with, by the name of their source.
    pub data: BTreeMap<Arc<str>, DataSource>,
    /// What is done once per run, before any user comes.
    pub setup: Vec<Step>,
    /// What is done once per run, after the last user has gone.
    pub teardown: Vec<Step>,
    /// The user classes in the order of the file; at least one, names are unique.
    pub users: Vec<UserClass>,
    /// How many users there are over time; `None` if one number says it.
    pub shape: Option<Arc<Shape>>,
    /// When iterations begin, over all classes by their weights; `None` in a closed model, or where classes say it.
    pub arrivals: Option<Arrivals>,
    /// Named amounts of load, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// What every run must satisfy.
    pub criteria: Vec<Criterion>,
    /// Where each file that it names is named first, as `file:line:column`.
    pub file_places: BTreeMap<Arc<str>, String>,
}

/// A named amount of load; everything absent stays as it would be without the profile.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Replaces every class's host and the scenario's.
    pub host: Option<Host>,
    /// Replaces the wait time of every class.
    pub wait_time: Option<WaitTime>,
    /// Added to the scenario's criteria.
    pub criteria: Vec<Criterion>,
    /// Replaces the shape of the scenario.
    pub shape: Option<Arc<Shape>>,
    /// Replaces the arrivals of the scenario and of every class.
    pub arrivals: Option<Arrivals>,
    /// How much, how fast, how long.
    pub load: ProfileLoad,
}

/// The settings of a profile that the command line has too and may override.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProfileLoad {
    /// Users at the peak; at least 1.
    pub users: Option<u32>,
    /// Users per second; above 0.
    pub spawn_rate: Option<f64>,
    /// How long the run lasts; above 0.
    pub run_time: Option<Duration>,
}

/// The scenario has no profile of that name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct UnknownProfile {
    /// The name that was asked for.
    pub name: String,
    /// The valid name that looks most like it.
    pub nearest: Option<String>,
    /// All valid names, sorted.
    pub known: Vec<String>,
}

impl Scenario {
    /// The scenario under the profile `name`: the profile's host, wait time and criteria applied, the profiles
    /// themselves spent. The settings that the command line may override are returned beside it.
    ///
    /// # Errors
    /// If there is no such profile; the error suggests the nearest name.
    pub fn with_profile(mut self, name: &str) -> Result<(Self, ProfileLoad), UnknownProfile> {
        let Some(profile) = self.profiles.remove(name) else {
            return Err(UnknownProfile {
                name: name.to_owned(),
                nearest: nearest(name, self.profiles.keys().map(String::as_str)).map(str::to_owned),
                known: self.profiles.into_keys().collect(),
            });
        };
        self.profiles.clear();
        if let Some(host) = profile.host {
            self.users.iter_mut().for_each(|class| class.host = None);
            self.host = Some(host);
        }
        if let Some(wait_time) = profile.wait_time {
            for class in &mut self.users {
                class.wait_time = wait_time;
                class.tasks.for_each_group_mut(&|group| group.wait_time = None);
            }
        }
        self.criteria.extend(profile.criteria);
        self.shape = profile.shape.or(self.shape);
        self.arrivals = profile.arrivals.or(self.arrivals);
        Ok((self, profile.load))
    }

    /// Where the requests of `class` go, if the file says so: the class's host, else the scenario's.
    pub fn host_of<'a>(&'a self, class: &'a UserClass) -> Option<&'a Host> {
        class.host.as_ref().or(self.host.as_ref())
    }

    /// The files that a run needs beside the scenario: rows, bodies, parts, certificates. Named relative to it.
    pub fn files(&self) -> BTreeSet<Arc<str>> {
        let mut files: BTreeSet<Arc<str>> =
            self.data.values().filter_map(DataSource::file).cloned().collect();
        files.extend(self.http.files().cloned());
        let mut note_files = |step: &Step| files.extend(step.files().into_iter().cloned());
        self.setup.iter().chain(&self.teardown).for_each(|step| step.visit(&mut note_files));
        self.users.iter().for_each(|class| class.visit_steps(&mut note_files));
        for class in &self.users {
            files.extend(class.http.files().cloned());
        }
        files
    }
}

impl fmt::Display for UnknownProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown profile `{}`", self.name)?;
        match (&self.nearest, self.known.as_slice()) {
            (Some(nearest), _) => write!(f, "; did you mean `{nearest}`?"),
            (None, []) => f.write_str("; the scenario has no profiles"),
            (None, known) => write!(f, "; the scenario has {}", known.join(", ")),
        }
    }
}
