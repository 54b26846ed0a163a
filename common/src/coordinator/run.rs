//! One run: its plan, its clock, its place in life, and everything that was measured in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arrivals::{ClassArrivals, OpenLoad};
use super::pace::Pace;
use super::shape::Following;
use super::steps::Steps;
use crate::criteria::{Criterion, Judge, Judgement};
use crate::dispatch::{ClassSpec, Dispatcher};
use crate::files::FileStore;
use crate::ids::{Generation, RunId, WorkerId};
use crate::load::{Load, Ramp};
use crate::locust::Value;
use crate::messages::{ClassCounts, LocustPlan, NO_VARIABLES, RunPlan, StatsReport};
use crate::preflight::{Demand, Resource};
use crate::roster::WorkerNode;
use crate::rows::{ITERATIONS, RowLedger};
use crate::saturation::Strain;
use crate::scenario::Adjustments;
use crate::shape::Shape;
use crate::stats::{Arrival, Figures, ReportLog, RunStats, WatchId, Watches};
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
    /// The user classes that were named on the command line, with the weights that were given there; empty for all.
    pub named_classes: Vec<(String, Option<f64>)>,
    /// Only tasks with one of these tags run; empty for all.
    pub tags: Vec<String>,
    /// Tasks with one of these tags do not run.
    pub exclude_tags: Vec<String>,
    /// What is changed of the user classes.
    pub adjustments: Adjustments,
    /// How many iterations the whole cluster makes, if that is limited.
    pub iterations: Option<u64>,
    /// One worker does something before the run begins.
    pub has_setup: bool,
    /// One worker does something after the run has ended.
    pub has_teardown: bool,
    /// The files that the scenario names.
    pub files: Arc<FileStore>,
    /// The classes whose iterations begin by a schedule. Their users are not placed.
    pub arrivals: Vec<ClassArrivals>,
    /// How many users to have when, instead of one ramp to those of the load.
    pub shape: Option<Arc<Shape>>,
    /// Data whose rows are used once in the whole cluster, with the number of rows.
    pub sources: BTreeMap<String, u64>,
    /// What the run must satisfy.
    pub criteria: Vec<Criterion>,
    /// What the run asks of its workers at its peak.
    pub demand: Demand,
    /// From this second on, figures are kept apart for [`Run::measured`]; `None` if nobody asks for them.
    pub measured_from_s: Option<u32>,
    /// The master's options that Locust's workers are told, by the names that Python gives them; none is a secret.
    pub parsed_options: Vec<(String, Value)>,
}

impl RunSpec {
    /// Everything whose rows are used once in the whole cluster: data, and the iterations if they are limited.
    fn all_sources(&self) -> impl Iterator<Item = (&str, u64)> {
        let iterations = self.iterations.map(|iterations| (ITERATIONS, iterations));
        self.sources.iter().map(|(source, rows)| (source.as_str(), *rows)).chain(iterations)
    }

    /// What a worker needs to know of the run at `run_time`.
    pub(super) fn plan(&self, run_time: RunTime, variables: &str) -> RunPlan {
        let ScenarioSource { name, text } = self.scenario.clone();
        // In the order of the placement, as Locust's master names them.
        let spawnable = self.closed_classes().filter(|class| class.is_spawnable());
        let mut user_classes: Vec<String> = spawnable.map(|class| class.name.clone()).collect();
        user_classes.sort_unstable();
        RunPlan {
            run: self.id.clone(),
            scenario_name: name,
            scenario: text.unwrap_or_default(),
            profile: self.profile.clone(),
            host: self.host.clone(),
            stop_timeout: self.stop_timeout,
            seed: self.seed,
            run_time,
            classes: self.named_classes.clone(),
            tags: self.tags.clone(),
            exclude_tags: self.exclude_tags.clone(),
            adjustments: self.adjustments.clone(),
            iterations: self.iterations,
            variables: variables.to_owned(),
            files: self.files.files().to_vec(),
            sources: self.all_sources().map(|(source, _)| source.to_owned()).collect(),
            locust: LocustPlan { user_classes, parsed_options: self.parsed_options.clone() },
        }
    }

    /// Whether all of its classes are open, so that no user is ever placed.
    pub fn is_open(&self) -> bool {
        !self.arrivals.is_empty() && self.closed_classes().next().is_none()
    }

    /// The classes whose users are placed.
    fn closed_classes(&self) -> impl Iterator<Item = &ClassSpec> {
        let is_open = |class: &&ClassSpec| self.arrivals.iter().any(|open| open.class == class.name);
        self.classes.iter().filter(move |class| !is_open(class))
    }
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
    /// The open classes.
    pub(super) open: OpenLoad,
    /// Where the run is in its shape.
    pub(super) following: Following,
    /// `None` while there is no worker to give users to.
    pub(super) placement: Option<Dispatcher>,
    /// The variables that every user begins with, as a JSON object.
    pub(super) variables: String,
    /// The worker that set it up, if that was needed.
    pub(super) set_up_by: Option<WorkerId>,
    /// The rows that are used once in the whole cluster, by their source.
    pub(super) rows: BTreeMap<String, RowLedger>,
    /// The sources of which nothing is left, and when that was learned.
    pub(super) dry: BTreeMap<String, Moment>,
    /// Why the run was cut off before its last figures came, if it was.
    pub(super) cut_off: Option<String>,
    /// Why the load could not be planned to the end, if it could not.
    pub(super) unplanned: Option<String>,
    /// The workers that were told to stop and have not answered yet.
    pub(super) stopping: BTreeSet<WorkerId>,
    /// The workers that were told of the run at any time.
    members: BTreeSet<WorkerId>,
    /// The statistics of the ramp were reset, or need not be.
    pub(super) reset_done: bool,
    /// The hardest that any worker was at its limits.
    strain: Strain,
    /// What the workers have too little of, as people were told it.
    pub(super) shortages: BTreeMap<Resource, String>,
    /// Who follows the criteria.
    judges: Vec<Judge>,
    /// The figures that [`RunSpec::measured_from_s`] asks for.
    measured: Option<WatchId>,
    started: Moment,
    ended: Option<RunTime>,
    stats: RunStats,
    reports: ReportLog,
    timeline: Timeline,
}

impl Run {
    pub(super) fn new(spec: RunSpec, load: Load, generation: Generation, now: Moment) -> Self {
        let load = if spec.is_open() { Load { users: 0, ..load } } else { load };
        let ramp = Ramp { from: 0, to: load.users, spawn_rate: load.spawn_rate, since: RunTime::ZERO };
        let open = OpenLoad::new(&spec.arrivals, spec.seed, load.run_time);
        let mut watches = Watches::default();
        let judges = Judge::appoint(&spec.criteria, &mut watches);
        let measured = spec.measured_from_s.map(|from_s| watches.add(None, from_s, 0));
        let rows = spec.all_sources().map(|(source, rows)| (source.to_owned(), RowLedger::new(rows)));
        Self {
            rows: rows.collect(),
            dry: BTreeMap::new(),
            reset_done: !spec.reset_stats,
            spec,
            load,
            phase: Phase::Spawning,
            generation,
            pace: Pace::default(),
            steps: None,
            ramp,
            open,
            following: Following::default(),
            placement: None,
            variables: NO_VARIABLES.to_owned(),
            set_up_by: None,
            cut_off: None,
            unplanned: None,
            stopping: BTreeSet::new(),
            members: BTreeSet::new(),
            strain: Strain::default(),
            shortages: BTreeMap::new(),
            judges,
            measured,
            started: now,
            ended: None,
            stats: RunStats::watched(watches),
            reports: ReportLog::default(),
            timeline: Timeline::default(),
        }
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

    /// How long it goes on: as long as was asked for, and no longer than there are arrivals, if there is nothing else.
    pub(super) fn length(&self) -> Option<Duration> {
        let arrivals = self.open.end().filter(|_| self.spec.is_open());
        let arrivals = arrivals.map(|end| end.saturating_since(RunTime::ZERO));
        [self.load.run_time, arrivals].into_iter().flatten().min()
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

    /// Why its load could not be planned to the end, if it could not.
    pub fn unplanned(&self) -> Option<&str> {
        self.unplanned.as_deref()
    }

    /// What was measured.
    pub fn stats(&self) -> &RunStats {
        &self.stats
    }

    /// All requests since the second that [`RunSpec::measured_from_s`] names.
    pub fn measured(&self) -> Option<&Figures> {
        self.measured.map(|id| self.stats.watches().get(id).sum())
    }

    /// The criteria with what came of them so far.
    pub fn judgements(&self, now: Moment) -> Vec<Judgement> {
        let (at, over) = (self.clock(now), self.phase == Phase::Stopped);
        self.judges.iter().map(|judge| judge.judgement(&self.stats, at, over)).collect()
    }

    /// Follows the criteria up to now. Returns why the run is to end, if one of them wants that.
    pub(super) fn follow_criteria(&mut self, now: Moment) -> Option<String> {
        let at = self.clock(now);
        self.judges.iter_mut().for_each(|judge| judge.advance(&self.stats, at));
        let active = self.phase.is_active();
        active.then(|| self.judges.iter().find_map(|judge| judge.abort(&self.stats, at)))?
    }

    /// The hardest that any worker was at its limits.
    pub fn strain(&self) -> &Strain {
        &self.strain
    }

    /// What the workers had too little of for this run, with what to do about it.
    pub fn shortages(&self) -> impl Iterator<Item = &str> {
        self.shortages.values().map(String::as_str)
    }

    /// The rows that are used once in the whole cluster, by their source.
    pub fn rows(&self) -> &BTreeMap<String, RowLedger> {
        &self.rows
    }

    /// What happened.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    pub(super) fn note(&mut self, now: Moment, event: EventKind) {
        self.timeline.push(self.clock(now), event);
    }

    /// What a worker needs to know before it can be given users.
    pub(super) fn plan(&self, now: Moment) -> Arc<RunPlan> {
        Arc::new(self.spec.plan(self.clock(now), &self.variables))
    }

    /// The classes whose users are placed.
    pub(super) fn closed_classes(&self) -> impl Iterator<Item = &ClassSpec> {
        self.spec.closed_classes()
    }

    /// A dispatcher of the run's classes without users; `None` if there are no workers.
    pub(super) fn dispatcher(&self, workers: Vec<&str>) -> Option<Dispatcher> {
        if workers.is_empty() {
            return None;
        }
        let classes: Vec<ClassSpec> = self.closed_classes().cloned().collect();
        // The classes were checked when the run was described, and selections when they were made.
        let mut dispatcher = match classes.is_empty() {
            true => Dispatcher::without_classes(workers).ok()?,
            false => Dispatcher::new(classes, workers).ok()?,
        };
        if let Some(classes) = &self.following.classes {
            let _ = dispatcher.select_classes(classes.iter().map(String::as_str));
        }
        Some(dispatcher)
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

    /// Notes how many users run, and how many should. Once the run is told to stop, none should; and nobody takes the
    /// place of those that have ended by themselves.
    pub(super) fn sample_users(&mut self, now: Moment, users: u64, finished: u64) {
        let at = self.clock(now);
        let planned = if self.phase.is_active() { self.ramp.users(at) } else { 0 };
        self.stats.observe_users(at, users, u64::from(planned).saturating_sub(finished));
        if self.phase.is_active() {
            self.count_arrivals(at);
        }
    }

    /// Notes how many workers there are while there is load to make, which of them are at their limits, and for how many
    /// requests they wait.
    pub(super) fn sample_workers<'a>(&mut self, now: Moment, workers: impl Iterator<Item = &'a WorkerNode>) {
        if !self.phase.is_active() {
            return;
        }
        let (mut count, mut saturated, mut in_flight) = (0, 0, None);
        for node in workers {
            count += 1;
            saturated += u64::from(self.strain.observe(&node.id, &node.vitals, node.resources));
            if let Some(requests) = node.vitals.in_flight {
                in_flight = Some(requests.saturating_add(in_flight.unwrap_or(0)));
            }
        }
        self.stats.observe_workers(self.clock(now), count, saturated, in_flight);
    }

    /// What was measured, to be added to.
    pub(super) fn stats_mut(&mut self) -> &mut RunStats {
        &mut self.stats
    }

    /// Forgets the statistics of the ramp. The rows and the timeline stay.
    pub(super) fn reset_stats(&mut self, now: Moment) {
        self.reset_done = true;
        self.stats.reset();
        self.strain = Strain::default();
        self.judges.iter_mut().for_each(Judge::reset);
        self.forget_arrivals(self.clock(now));
    }

    pub(super) fn end(&mut self, now: Moment) {
        self.note(now, EventKind::Stopped);
        self.stats.complete();
        self.ended = Some(self.clock(now));
        self.phase = Phase::Stopped;
    }
}
