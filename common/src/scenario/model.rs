//! What a scenario file says, checked and compiled: the values that the swarm runs.
//!
//! The reader in this module's siblings is the only one that makes these from text; a worker's interpreter walks
//! them and renders their templates. Nothing here sends a request or waits.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use rand::{Rng, RngExt};
use thiserror::Error;

use super::expect::Expectation;
use super::host::Host;
use super::json::JsonTemplate;
use super::template::Template;
use crate::criteria::Criterion;
use crate::suggest::nearest;
use crate::wait::WaitTime;

/// A whole scenario file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where requests go, unless a class or the command line says otherwise.
    pub host: Option<Host>,
    /// The user classes in the order of the file; at least one, names are unique.
    pub users: Vec<UserClass>,
    /// Named amounts of load, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// What every run must satisfy.
    pub criteria: Vec<Criterion>,
}

/// One kind of virtual user.
#[derive(Clone, Debug)]
pub struct UserClass {
    /// The name, such as `FraudInferenceUser`: letters, digits and underscores, no digit first.
    pub name: String,
    /// The share of users among the classes; at least 0, 1 unless written. Classes with a `fixed_count` have none.
    pub weight: f64,
    /// Exactly this many users, whatever the weights; 0 means that the weight counts.
    pub fixed_count: u32,
    /// Where this class's requests go, before [`Scenario::host`].
    pub host: Option<Host>,
    /// The wait between two tasks; `constant(0)` unless written, as in Locust.
    pub wait_time: WaitTime,
    /// What a user does once before its first task.
    pub on_start: Vec<Step>,
    /// What a user does once when it is stopped.
    pub on_stop: Vec<Step>,
    /// What a user does over and over.
    pub tasks: Tasks,
}

/// One task of a user class.
#[derive(Clone, Debug)]
pub struct Task {
    /// The name, unique within its class.
    pub name: Arc<str>,
    /// How often it is picked compared to the others; at least 1.
    pub weight: u32,
    /// What the user does, in order; at least one.
    pub steps: Vec<Step>,
}

/// The tasks of a class, never empty, and the odds of picking each. It reads as a slice of [`Task`]s.
#[derive(Clone, Debug)]
pub struct Tasks {
    list: Vec<Task>,
    /// The sum of the weights up to and including each task. Invariant: strictly increasing.
    ends: Vec<u64>,
}

/// One step of a task.
///
/// The steps of later versions (`if`, `repeat`, `for_each`, ...) become further variants that hold steps.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Sends a request and checks the answer.
    Request(Box<RequestStep>),
    /// Sets variables of the user, in this order; each sees those before it. See [`RenderContext::assign`].
    ///
    /// [`RenderContext::assign`]: super::RenderContext::assign
    Set(Vec<(Arc<str>, Template)>),
    /// Pauses between steps: always `constant` or `between`.
    Think(WaitTime),
}

/// A request and what is expected of its answer.
#[derive(Clone, Debug)]
pub struct RequestStep {
    /// The HTTP method.
    pub method: Method,
    /// The path, appended to the host, or an absolute URL; see [`Host::join`].
    pub target: Template,
    /// The name in the statistics; the target's rendered text without it, as in Locust.
    pub name: Option<Template>,
    /// Parameters to percent-encode and append to the target, in this order.
    pub query: Vec<(String, Template)>,
    /// Headers, in this order. Names are valid HTTP tokens; a rendered value may still be invalid.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub body: Body,
    /// How long to wait for the whole answer; the client's default without it.
    pub timeout: Option<Duration>,
    /// What makes the answer a success.
    pub expect: Expectation,
}

/// The HTTP methods that are step keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Head,
    Options,
    Delete,
    Post,
    Put,
    Patch,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// No body.
    None,
    /// A JSON document, sent as `application/json` unless the headers name a content type.
    Json(JsonTemplate),
    /// Text, sent as it is; no content type unless the headers name one.
    Text(Template),
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
            self.users.iter_mut().for_each(|class| class.wait_time = wait_time);
        }
        self.criteria.extend(profile.criteria);
        Ok((self, profile.load))
    }

    /// Where the requests of `class` go, if the file says so: the class's host, else the scenario's.
    pub fn host_of<'a>(&'a self, class: &'a UserClass) -> Option<&'a Host> {
        class.host.as_ref().or(self.host.as_ref())
    }
}

impl UserClass {
    /// Whether any of its requests goes to a path, which needs a host before it.
    pub fn needs_host(&self) -> bool {
        let steps = self.tasks.iter().flat_map(|task| &task.steps).chain(&self.on_start).chain(&self.on_stop);
        let is_absolute = |target: &str| target.starts_with("http://") || target.starts_with("https://");
        let mut requests = steps.filter_map(|step| match step {
            Step::Request(request) => Some(request),
            _ => None,
        });
        requests.any(|request| !is_absolute(request.target.source()))
    }
}

impl Tasks {
    /// A list of tasks to pick from; `None` if it is empty or a weight is 0.
    pub fn new(list: Vec<Task>) -> Option<Self> {
        if list.is_empty() || list.iter().any(|task| task.weight == 0) {
            return None;
        }
        let ends = list.iter().scan(0, |sum: &mut u64, task| {
            *sum += u64::from(task.weight);
            Some(*sum)
        });
        Some(Self { ends: ends.collect(), list })
    }

    /// Picks a task at random, each with probability weight / sum of weights.
    ///
    /// This is Locust's choice from the list in which every task stands `weight` times, without that list.
    pub fn pick(&self, rng: &mut impl Rng) -> &Task {
        let total = self.ends[self.ends.len() - 1];
        let ticket = rng.random_range(0..total);
        &self.list[self.ends.partition_point(|end| *end <= ticket)]
    }
}

impl Deref for Tasks {
    type Target = [Task];

    fn deref(&self) -> &[Task] {
        &self.list
    }
}

impl Method {
    /// Every method, in the order in which help texts list them.
    pub const ALL: [Self; 7] =
        [Self::Get, Self::Head, Self::Options, Self::Delete, Self::Post, Self::Put, Self::Patch];

    /// The method as HTTP and the statistics write it: `GET`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Delete => "DELETE",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }

    /// The method as a step key: `get`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Head => "head",
            Self::Options => "options",
            Self::Delete => "delete",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
