//! What users do, from a scenario or from locustfiles.

use std::path::Path;
use std::sync::Arc;

use sentinel_common::catalogue::Catalogue;
use sentinel_common::coordinator::{ClassArrivals, ScenarioSource};
use sentinel_common::criteria::Criterion;
use sentinel_common::dispatch::ClassSpec;
use sentinel_common::files::FileStore;
use sentinel_common::load::{BadLoad, Load};
use sentinel_common::locust::{LocustfileReply, LocustfileSource};
use sentinel_common::preflight::{self, Demand, Outlook};
use sentinel_common::scenario::{Adjustments, Host, HostError, ProfileLoad, Scenario, Selection};
use sentinel_common::shape::Shape;
use sentinel_worker::config_users::read_edits;

use super::error::UsageError;
use super::for_locust::words;
use crate::cli::Args;
use crate::definition::Definition;
use crate::source::{self, Source};
use crate::user_classes::{self, NamedClass, UserClassesError};

/// What users do, and all that follows from it.
pub(super) struct Plan {
    pub(super) scenario: ScenarioSource,
    pub(super) selection: Selection,
    pub(super) classes: Vec<ClassSpec>,
    /// The classes whose users are placed.
    pub(super) placed: Vec<ClassSpec>,
    pub(super) files: Arc<FileStore>,
    pub(super) shape: Option<Arc<Shape>>,
    pub(super) arrivals: Vec<ClassArrivals>,
    pub(super) sources: Vec<(String, u64)>,
    pub(super) hooks: Hooks,
    pub(super) load: Load,
    pub(super) criteria: Vec<Criterion>,
    pub(super) demand: Demand,
    /// Where all requests go, if it is one host.
    pub(super) host: Option<String>,
    pub(super) notes: Vec<String>,
    /// The scenario as it will run; `None` if it is a locustfile.
    pub(super) selected: Option<Arc<Scenario>>,
    pub(super) catalogue: Catalogue,
    pub(super) locustfile: LocustfileReply,
}

/// What is done once per run.
#[derive(Clone, Copy, Default)]
pub(super) struct Hooks {
    pub(super) setup: bool,
    pub(super) teardown: bool,
}

/// The classes that the command line names.
pub(super) fn named_classes(args: &Args) -> Result<Vec<NamedClass>, UserClassesError> {
    user_classes::parse(args.user_classes.as_deref().unwrap_or_default(), &args.classes)
}

/// What the command line selects of a scenario.
///
/// # Errors
/// `--config-users` cannot be read.
pub(super) fn selection(args: &Args, named: &[NamedClass]) -> Result<Selection, UsageError> {
    Ok(Selection {
        profile: args.profile.clone(),
        classes: named.iter().map(|class| (class.name.clone(), class.weight)).collect(),
        tags: words(&args.tags),
        exclude_tags: words(&args.exclude_tags),
        adjustments: Adjustments {
            equal_weights: args.equal_weights,
            edits: read_edits(&args.config_users)?,
            arrivals: None,
        },
    })
}

/// What the command line selects of its scenario.
///
/// # Errors
/// The user classes are not named well.
pub fn selection_of(args: &Args) -> Result<Selection, UsageError> {
    selection(args, &named_classes(args)?)
}

/// Checks that every request of a scenario has a host to go to. `file` is where it could stand.
///
/// # Errors
/// A host is missing, or `--host` is none.
pub fn check_hosts(args: &Args, scenario: &Scenario, file: &str) -> Result<(), UsageError> {
    common_host(scenario, forced_host(args, None)?.as_ref(), Some(file)).map(|_| ())
}

/// The scenario of the command line, for those who want to look at it only.
///
/// # Errors
/// As for [`Settings::resolve`](super::Settings::resolve); a locustfile cannot be looked into.
pub fn scenario_of(args: &Args) -> Result<(String, String, Definition), UsageError> {
    let named = named_classes(args)?;
    match source::find(args.locustfile.as_deref(), args.demo, !named.is_empty())? {
        Source::Scenario { name, text, folder } => {
            let definition = Definition::read(&name, &text, folder.as_deref(), &selection(args, &named)?)?;
            Ok((name, text, definition))
        }
        Source::Locustfiles { name, .. } => Err(UsageError::Locustfile(name)),
    }
}

/// A scenario of ours, with what was selected of it.
pub(super) fn from_scenario(
    args: &Args,
    named: &[NamedClass],
    forced: Option<&Host>,
    name: String,
    text: String,
    folder: Option<&Path>,
) -> Result<Plan, UsageError> {
    let selection = selection(args, named)?;
    let definition = Definition::read(&name, &text, folder, &selection)?;
    let Definition { mut scenario, load: profile, files, sources, untagged, catalogue } = definition;
    if args.without_shape {
        scenario.shape = None;
    }
    let load = load(args, profile)?;
    if args.iterations.is_some() && scenario.users.iter().any(|class| class.arrivals.is_some()) {
        return Err(UsageError::IterationsOfArrivals);
    }
    let file = folder.is_some().then_some(name.as_str());
    let outlook = Outlook { scenario: &scenario, load: &load, iterations: args.iterations };
    let criteria = [scenario.criteria.clone(), args.check.clone()].concat();
    let mut notes = preflight::unreachable_criteria(&outlook, &criteria);
    let without_task = |class: &String| format!("no task of {class} has the tags, so it does not run");
    notes.extend(untagged.iter().map(without_task));
    Ok(Plan {
        classes: preflight::class_specs(&scenario),
        placed: preflight::closed_class_specs(&scenario),
        selection,
        files,
        shape: scenario.shape.clone(),
        arrivals: preflight::class_arrivals(&scenario),
        demand: Demand::of(&outlook),
        sources,
        hooks: Hooks { setup: !scenario.setup.is_empty(), teardown: !scenario.teardown.is_empty() },
        load,
        host: common_host(&scenario, forced, file)?,
        criteria,
        notes,
        catalogue,
        locustfile: LocustfileReply::Error(format!(
            "the master runs {name}, which is no locustfile; start the worker with a locustfile of its own"
        )),
        scenario: ScenarioSource { name, text: Some(text) },
        selected: Some(Arc::new(scenario)),
    })
}

/// Locustfiles, of which no more is known than the classes that are named.
pub(super) fn from_locustfiles(
    args: &Args,
    named: &[NamedClass],
    forced: Option<&Host>,
    name: String,
    files: Vec<LocustfileSource>,
) -> Result<Plan, UsageError> {
    if super::local_workers(args).is_some() {
        return Err(UsageError::LocalWorkers(name));
    }
    if args.iterations.is_some() {
        return Err(UsageError::Iterations(name));
    }
    let locustfile = match files.is_empty() {
        true => LocustfileReply::Error(
            "the master has no locustfile; start the worker with one of its own, or the master with -f"
                .to_owned(),
        ),
        false => LocustfileReply::Sources(files),
    };
    let selection = selection(args, named)?;
    let (classes, notes) = adjusted(named, &selection.adjustments)?;
    Ok(Plan {
        scenario: ScenarioSource { name, text: None },
        selection,
        placed: classes.clone(),
        classes,
        files: Arc::default(),
        shape: None,
        arrivals: Vec::new(),
        sources: Vec::new(),
        hooks: Hooks::default(),
        load: load(args, ProfileLoad::default())?,
        criteria: args.check.clone(),
        demand: Demand::default(),
        host: forced.map(|host| host.as_str().to_owned()),
        notes,
        selected: None,
        catalogue: Catalogue::of_classes(&user_classes::class_specs(named)),
        locustfile,
    })
}

/// The classes of a locustfile as the command line changes them, and what it cannot change here.
fn adjusted(
    named: &[NamedClass],
    adjustments: &Adjustments,
) -> Result<(Vec<ClassSpec>, Vec<String>), UsageError> {
    let mut classes = user_classes::class_specs(named);
    let mut notes = Vec::new();
    for edit in &adjustments.edits {
        let class = classes.iter_mut().find(|class| class.name == edit.user_class_name);
        let class = class.ok_or_else(|| UsageError::ConfigUsersClass(edit.user_class_name.clone()))?;
        class.weight =
            edit.weight.filter(|weight| weight.is_finite() && *weight >= 0.0).unwrap_or(class.weight);
        class.fixed_count = edit.fixed_count.unwrap_or(class.fixed_count);
        if edit.host.is_some() || edit.wait_time.is_some() || edit.tasks.is_some() {
            notes.push(format!(
                "--config-users: only weight and fixed_count of {} can be set here; give the workers the same option \
                 for the rest",
                class.name
            ));
        }
    }
    if adjustments.equal_weights {
        classes.iter_mut().for_each(|class| class.weight = 1.0);
        notes.push("--equal-weights: give the workers the same option, for the weights of tasks".to_owned());
    }
    Ok((classes, notes))
}

/// The command line before the profile, the profile before Locust's defaults.
pub(super) fn load(args: &Args, profile: ProfileLoad) -> Result<Load, BadLoad> {
    let users = args.users.or(profile.users.map(i64::from)).unwrap_or(1);
    let spawn_rate = args.spawn_rate.or(profile.spawn_rate).unwrap_or(1.0);
    let run_time = args.run_time.or(profile.run_time).filter(|time| !time.is_zero());
    Load::new(users, spawn_rate, run_time)
}

pub(super) fn forced_host(args: &Args, demo_host: Option<&str>) -> Result<Option<Host>, HostError> {
    args.host.as_deref().or(demo_host).map(Host::parse).transpose()
}

/// The host that all classes load, if it is one. Fails if a class has none. `file` is where it could stand.
fn common_host(
    scenario: &Scenario,
    forced: Option<&Host>,
    file: Option<&str>,
) -> Result<Option<String>, UsageError> {
    let mut hosts = Vec::new();
    for class in &scenario.users {
        match forced.or(scenario.host_of(class)) {
            Some(host) => hosts.push(host.as_str().to_owned()),
            None if !class.needs_host() => hosts.push(String::new()),
            None => {
                let hint = file.map(|file| format!(", or as `host:` in {file}")).unwrap_or_default();
                return Err(UsageError::NoHost { hint });
            }
        }
    }
    hosts.dedup();
    Ok(if hosts.len() == 1 { hosts.pop().filter(|host| !host.is_empty()) } else { None })
}
