//! One run: its plan, its clock, its place in life, and everything that was measured in it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pace::Pace;
use super::steps::Steps;
use crate::dispatch::{ClassSpec, Dispatcher};
use crate::ids::{Generation, RunId, WorkerId};
use crate::load::{Load, Ramp};
use crate::locust::Value;
use crate::messages::{ClassCounts, LocustPlan, RunPlan, StatsReport};
use crate::stats::{Arrival, ReportLog, RunStats};
use crate::time::{Moment, RunTime};
use crate::timeline::{EventKind, Timeline};

/// Where a run is in its life, in Locust's words.
///
/// ```text
/// Spawning <-> Running        an edit, a loss or a join ramps again
///     \          /
///      Stopping -> Stopped
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// On the way to the target.
    Spawning,
    /// At the target.
    Running,
    /// Told to stop, waiting for the last users and reports.
    Stopping,
    /// Over.
    Stopped,
}

impl Phase {
    /// Locust's name of the phase.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spawning => "spawning",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// Whether users are to run.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Spawning | Self::Running)
    }
}

/// What a run is about, before it has begun.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// Its id.
    pub id: RunId,
    /// The user classes of the scenario.
    pub classes: Vec<ClassSpec>,
    /// What users do.
    pub scenario: ScenarioSource,
    /// The profile in force.
    pub profile: Option<String>,
    /// Takes the place of every host in the file.
    pub host: Option<String>,
    /// How long a task may go on after a stop.
    pub stop_timeout: Duration,
    /// Forget the statistics of the first ramp.
    pub reset_stats: bool,
    /// The seed of every user's random stream.
    pub seed: u64,
    /// The master's options that Locust's workers are told, by the names that Python gives them; none is a secret.
    pub parsed_options: Vec<(String, Value)>,
}

/// Where it is written what users do.
#[derive(Clone, Debug)]
pub struct ScenarioSource {
    /// The file's name, for people.
    pub name: String,
    /// The file's text; `None` if it is a locustfile, which only Locust's workers can run.
    pub text: Option<String>,
}

/// Workers that are remembered as having taken part in a run.
const MAX_MEMBERS: usize = 200_000;

/// A run in progress, or the last one.
#[derive(Debug)]
pub struct Run {
    pub(super) spec: RunSpec,
    pub(super) load: Load,
    pub(super) phase: Phase,
    pub(super) generation: Generation,
    pub(super) pace: Pace,
    /// Where a ramp in steps is; `None` while all workers ramp by themselves.
    pub(super) steps: Option<Steps>,
    /// What should run now and what ran before; the plan that delivery is measured against.
    pub(super) ramp: Ramp,
    /// `None` while there is no worker to give users to.
    pub(super) placement: Option<Dispatcher>,
    /// Why the run was cut off before its last figures came, if it was.
    pub(super) cut_off: Option<String>,
    /// The workers that were told to stop and have not answered yet.
    pub(super) stopping: BTreeSet<WorkerId>,
    /// The workers that were told of the run at any time.
    members: BTreeSet<WorkerId>,
    /// The statistics of the ramp were reset, or need not be.
    pub(super) reset_done: bool,
    started: Moment,
    ended: Option<RunTime>,
    stats: RunStats,
    reports: ReportLog,
    timeline: Timeline,
}

impl Run {
    pub(super) fn new(spec: RunSpec, load: Load, generation: Generation, now: Moment) -> Self {
        let ramp = Ramp { from: 0, to: load.users, spawn_rate: load.spawn_rate, since: RunTime::ZERO };
        let mut run = Self {
            reset_done: !spec.reset_stats,
            spec,
            load,
            phase: Phase::Spawning,
            generation,
            pace: Pace::default(),
            steps: None,
            ramp,
            placement: None,
            cut_off: None,
            stopping: BTreeSet::new(),
            members: BTreeSet::new(),
            started: now,
            ended: None,
            stats: RunStats::default(),
            reports: ReportLog::default(),
            timeline: Timeline::default(),
        };
        run.note(
            now,
            EventKind::Ramp { from: 0, to: load.users, spawn_rate: load.spawn_rate.as_per_second() },
        );
        run
    }

    /// Its id.
    pub fn id(&self) -> &RunId {
        &self.spec.id
    }

    /// What it is about.
    pub fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// What was asked for.
    pub fn load(&self) -> Load {
        self.load
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What its clock shows; it stands still once the run is over.
    pub fn clock(&self, now: Moment) -> RunTime {
        self.ended.unwrap_or(self.age(now))
    }

    /// How long ago it began, whether or not it is over.
    pub fn age(&self, now: Moment) -> RunTime {
        RunTime::from(now.saturating_since(self.started))
    }

    /// Why it was cut off before its last figures came, if it was.
    pub fn cut_off(&self) -> Option<&str> {
        self.cut_off.as_deref()
    }

    /// What was measured.
    pub fn stats(&self) -> &RunStats {
        &self.stats
    }

    /// What happened.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    pub(super) fn note(&mut self, now: Moment, event: EventKind) {
        self.timeline.push(self.clock(now), event);
    }

    /// What a worker needs to know before it can be given users.
    pub(super) fn plan(&self, now: Moment) -> RunPlan {
        let ScenarioSource { name, text } = self.spec.scenario.clone();
        // In the order of the placement, as Locust's master names them.
        let mut user_classes: Vec<String> = self
            .spec
            .classes
            .iter()
            .filter(|class| class.is_spawnable())
            .map(|class| class.name.clone())
            .collect();
        user_classes.sort_unstable();
        RunPlan {
            run: self.spec.id.clone(),
            scenario_name: name,
            scenario: text.unwrap_or_default(),
            profile: self.spec.profile.clone(),
            host: self.spec.host.clone(),
            stop_timeout: self.spec.stop_timeout,
            seed: self.spec.seed,
            run_time: self.clock(now),
            locust: LocustPlan { user_classes, parsed_options: self.spec.parsed_options.clone() },
        }
    }

    /// Remembers that a worker was told of the run.
    pub(super) fn add_member(&mut self, worker: &WorkerId) {
        if self.members.len() < MAX_MEMBERS {
            self.members.insert(worker.clone());
        }
    }

    /// Whether a worker was told of the run.
    pub(super) fn has_member(&self, worker: &WorkerId) -> bool {
        self.members.contains(worker)
    }

    /// What the worker should run according to the placement.
    pub(super) fn share_of(&self, worker: &WorkerId) -> ClassCounts {
        let Some(placement) = self.placement.as_ref().map(Dispatcher::current) else {
            return ClassCounts::new();
        };
        let users = placement.of_worker(worker.as_str()).unwrap_or_default();
        let named = placement.classes().iter().map(|class| class.to_string()).zip(users.iter().copied());
        named.filter(|(_, users)| *users > 0).collect()
    }

    /// Merges a report of one of Locust's workers, which never repeat one.
    pub(super) fn absorb(&mut self, now: Moment, worker: &WorkerId, report: &StatsReport) {
        self.stats.apply(worker.as_str(), &report.delta, self.clock(now));
    }

    /// Merges a report, unless it was merged before.
    pub(super) fn apply(&mut self, now: Moment, worker: &WorkerId, report: &StatsReport) -> Arrival {
        let arrival = self.reports.accept(worker.as_str(), report.seq);
        if arrival != Arrival::Repeat {
            self.stats.apply(worker.as_str(), &report.delta, self.clock(now));
        }
        arrival
    }

    /// Notes how many users run, and how many should. Once the run is told to stop, none should.
    pub(super) fn sample_users(&mut self, now: Moment, users: u64) {
        let at = self.clock(now);
        let planned = if self.phase.is_active() { self.ramp.users(at) } else { 0 };
        self.stats.observe_users(at, users, u64::from(planned));
    }

    /// Forgets the statistics of the ramp. The rows and the timeline stay.
    pub(super) fn reset_stats(&mut self) {
        self.reset_done = true;
        self.stats.reset();
    }

    pub(super) fn end(&mut self, now: Moment) {
        self.note(now, EventKind::Stopped);
        self.ended = Some(self.clock(now));
        self.phase = Phase::Stopped;
    }
}
