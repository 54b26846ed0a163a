//! What the command line means: the scenario read, the profile applied, every mistake found before anything starts.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sentinel_common::coordinator::{Autostart, ClassArrivals, RunSpec, ScenarioSource};
use sentinel_common::criteria::Criterion;
use sentinel_common::dispatch::{ClassSpec, fixed_users};
use sentinel_common::files::FileStore;
use sentinel_common::ids::RunId;
use sentinel_common::load::{BadLoad, Load};
use sentinel_common::locust::{LocustfileReply, LocustfileSource, Value};
use sentinel_common::preflight;
use sentinel_common::scenario::{Host, HostError, ProfileLoad, Scenario, Selection};
use sentinel_common::shape::Shape;
use thiserror::Error;

use crate::cli::Args;
use crate::definition::{BadScenario, Definition};
use crate::outputs::OutputFiles;
use crate::source::{self, Source, SourceError};
use crate::user_classes::{self, NamedClass, UserClassesError};

/// The port that workers look for unless they are told otherwise.
const DEFAULT_PORT: u16 = 5557;

/// What the program is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The run, its load and the workers that it needs.
    pub autostart: Autostart,
    /// What the run must satisfy.
    pub criteria: Vec<Criterion>,
    /// Where all requests go, if it is one host.
    pub host: Option<String>,
    /// What people should know before the run.
    pub notes: Vec<String>,
    /// What a worker of Locust's is given when it asks for the locustfile.
    pub locustfile: Arc<LocustfileReply>,
    /// Where to listen for workers.
    pub bind: (String, u16),
    /// Workers to run inside this process.
    pub local_workers: usize,
    /// On a loss, place all users anew.
    pub rebalance_on_loss: bool,
    /// What to print.
    pub output: Output,
    /// The files to write.
    pub files: OutputFiles,
    /// The exit code for failed requests, if it was asked for.
    pub exit_code_on_error: Option<u8>,
}

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Tables while the run goes on.
    pub periodic: bool,
    /// Statistics as JSON on standard output at the end.
    pub json: bool,
}

/// A mistake of whoever started the program, with the cure.
#[derive(Debug, Error)]
pub enum UsageError {
    /// There is nothing to run.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The user classes are not named well.
    #[error(transparent)]
    UserClasses(#[from] UserClassesError),
    /// A locustfile needs Locust's workers.
    #[error(
        "workers inside this process cannot run {0}; start locust --worker instead of using --local-workers"
    )]
    LocalWorkers(String),
    /// Only scenarios can be looked into.
    #[error("{0} is a locustfile, which only Locust can look into: use locust with the same option")]
    Locustfile(String),
    /// Locust's workers do not count iterations.
    #[error("--iterations needs a scenario: workers of Locust's, which run {0}, do not count iterations")]
    Iterations(String),
    /// Arrivals have a number of their own.
    #[error(
        "--iterations is about users that begin their iterations; arrivals end with --run-time or their stages"
    )]
    IterationsOfArrivals,
    /// The scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] BadScenario),
    /// Options about files do not fit together.
    #[error("{0}")]
    Outputs(String),
    /// Impossible users or spawn rate.
    #[error(transparent)]
    Load(#[from] BadLoad),
    /// Users and fixed counts do not fit.
    #[error("--users {users} is too low: {reason}")]
    TooFewUsers {
        /// The users.
        users: u32,
        /// Why.
        reason: String,
    },
    /// `--host` is no base URL.
    #[error("bad --host")]
    Host(#[from] HostError),
    /// A user class has no host to send its requests to.
    #[error("there is no host to load: give one with --host, such as --host http://localhost:8000{hint}")]
    NoHost {
        /// Where it could stand instead.
        hint: String,
    },
}

/// What users do, and all that follows from it.
struct Plan {
    scenario: ScenarioSource,
    selection: Selection,
    classes: Vec<ClassSpec>,
    /// The classes whose users are placed.
    placed: Vec<ClassSpec>,
    files: Arc<FileStore>,
    shape: Option<Arc<Shape>>,
    arrivals: Vec<ClassArrivals>,
    sources: Vec<(String, u64)>,
    hooks: Hooks,
    load: Load,
    criteria: Vec<Criterion>,
    /// Where all requests go, if it is one host.
    host: Option<String>,
    notes: Vec<String>,
    locustfile: LocustfileReply,
}

/// What is done once per run.
#[derive(Clone, Copy, Default)]
struct Hooks {
    setup: bool,
    teardown: bool,
}

impl Settings {
    /// Finds out what `args` mean. `run` and `seed` identify the run that will come of it, unless `args` name a seed.
    /// `demo_host` is where the demo's target listens, if there is one.
    ///
    /// # Errors
    /// A mistake of whoever started the program.
    pub fn resolve(args: &Args, run: RunId, seed: u64, demo_host: Option<&str>) -> Result<Self, UsageError> {
        let named = named_classes(args)?;
        let forced = forced_host(args, demo_host)?;
        let plan = match source::find(args.locustfile.as_deref(), args.demo, !named.is_empty())? {
            Source::Scenario { name, text, folder } => {
                from_scenario(args, &named, forced.as_ref(), name, text, folder.as_deref())?
            }
            Source::Locustfiles { name, files } => {
                from_locustfiles(args, &named, forced.as_ref(), name, files)?
            }
        };
        let Plan {
            scenario, selection, classes, files, sources, shape, arrivals, load, criteria, host, ..
        } = plan;
        let Plan { mut notes, locustfile, placed, hooks, .. } = plan;
        notes.extend(load_notes(args, &placed, shape.as_deref(), &load)?);
        let own_workers = usize::from(args.demo && scenario.text.is_some());
        let local_workers = args.local_workers.map_or(own_workers, usize::from);
        let expect_workers = args.expect_workers.map_or(local_workers.max(1), usize::from);
        let spec = RunSpec {
            id: run,
            classes,
            parsed_options: parsed_options(args, &scenario.name, host.as_deref(), load, expect_workers),
            scenario,
            profile: selection.profile,
            // What is the same for all classes may as well be told to workers that have not read the scenario.
            host: host.clone(),
            stop_timeout: args.stop_timeout.unwrap_or(Duration::ZERO),
            reset_stats: args.reset_stats,
            seed: args.seed.unwrap_or(seed),
            named_classes: selection.classes,
            tags: selection.tags,
            exclude_tags: selection.exclude_tags,
            iterations: args.iterations,
            has_setup: hooks.setup,
            has_teardown: hooks.teardown,
            files,
            sources: sources.into_iter().collect(),
            shape,
            arrivals,
        };
        let autostart = Autostart {
            spec,
            load,
            expect_workers,
            max_wait: Some(args.expect_workers_max_wait)
                .filter(|s| *s > 0)
                .map(|s| Duration::from_secs(s.into())),
        };
        Ok(Self {
            autostart,
            criteria,
            host,
            notes,
            locustfile: Arc::new(locustfile),
            bind: bind(args),
            local_workers,
            rebalance_on_loss: args.enable_rebalancing,
            output: Output { periodic: !args.only_summary, json: args.json },
            files: OutputFiles::of(args, &load).map_err(UsageError::Outputs)?,
            exit_code_on_error: args.exit_code_on_error,
        })
    }
}

/// What is odd about the users that a run will have.
///
/// # Errors
/// The classes of fixed size need more users than there will ever be.
fn load_notes(
    args: &Args,
    placed: &[ClassSpec],
    shape: Option<&Shape>,
    load: &Load,
) -> Result<Vec<String>, UsageError> {
    // Those of a shape come and go.
    let peak = shape.and_then(Shape::peak_users).unwrap_or(load.users);
    let misfit = preflight::misfit(placed, peak);
    if let Some(reason) = misfit.clone().filter(|_| fixed_users(placed) > u64::from(peak)) {
        return Err(UsageError::TooFewUsers { users: peak, reason });
    }
    let mut notes = Vec::from_iter(misfit);
    let ramps = shape.is_none() && !placed.is_empty();
    notes.extend(preflight::unfinished_ramp(load).filter(|_| ramps));
    if shape.is_some() && placed.is_empty() {
        let note = "the shape only ends the run: all classes have arrivals, which bring their own users";
        notes.push(note.to_owned());
    }
    if !ramps && (args.users.is_some() || args.spawn_rate.is_some()) {
        let what = if shape.is_some() { "a shape" } else { "arrivals" };
        notes.push(format!("--users and --spawn-rate have no effect on {what}"));
    }
    Ok(notes)
}

/// The classes that the command line names.
fn named_classes(args: &Args) -> Result<Vec<NamedClass>, UserClassesError> {
    user_classes::parse(args.user_classes.as_deref().unwrap_or_default(), &args.classes)
}

/// What the command line selects of a scenario.
fn selection(args: &Args, named: &[NamedClass]) -> Selection {
    Selection {
        profile: args.profile.clone(),
        classes: named.iter().map(|class| (class.name.clone(), class.weight)).collect(),
        tags: words(&args.tags),
        exclude_tags: words(&args.exclude_tags),
    }
}

/// What the command line selects of its scenario.
///
/// # Errors
/// The user classes are not named well.
pub fn selection_of(args: &Args) -> Result<Selection, UsageError> {
    Ok(selection(args, &named_classes(args)?))
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
/// As for [`Settings::resolve`]; a locustfile cannot be looked into.
pub fn scenario_of(args: &Args) -> Result<(String, String, Definition), UsageError> {
    let named = named_classes(args)?;
    match source::find(args.locustfile.as_deref(), args.demo, !named.is_empty())? {
        Source::Scenario { name, text, folder } => {
            let definition = Definition::read(&name, &text, folder.as_deref(), &selection(args, &named))?;
            Ok((name, text, definition))
        }
        Source::Locustfiles { name, .. } => Err(UsageError::Locustfile(name)),
    }
}

/// A scenario of ours, with what was selected of it.
fn from_scenario(
    args: &Args,
    named: &[NamedClass],
    forced: Option<&Host>,
    name: String,
    text: String,
    folder: Option<&Path>,
) -> Result<Plan, UsageError> {
    let selection = selection(args, named);
    let definition = Definition::read(&name, &text, folder, &selection)?;
    let Definition { scenario, load: profile, files, sources, untagged } = definition;
    let load = load(args, profile)?;
    if args.iterations.is_some() && scenario.users.iter().any(|class| class.arrivals.is_some()) {
        return Err(UsageError::IterationsOfArrivals);
    }
    let file = folder.is_some().then_some(name.as_str());
    let peak = scenario.shape.as_ref().and_then(|shape| shape.peak_users()).unwrap_or(load.users);
    let mut notes = preflight::unreachable_criteria(&scenario, &scenario.criteria, peak);
    let without_task = |class: &String| format!("no task of {class} has the tags, so it does not run");
    notes.extend(untagged.iter().map(without_task));
    Ok(Plan {
        classes: preflight::class_specs(&scenario),
        placed: preflight::closed_class_specs(&scenario),
        selection,
        files,
        shape: scenario.shape.clone(),
        arrivals: preflight::class_arrivals(&scenario),
        sources,
        hooks: Hooks { setup: !scenario.setup.is_empty(), teardown: !scenario.teardown.is_empty() },
        load,
        host: common_host(&scenario, forced, file)?,
        criteria: scenario.criteria,
        notes,
        locustfile: LocustfileReply::Error(format!(
            "the master runs {name}, which is no locustfile; start the worker with a locustfile of its own"
        )),
        scenario: ScenarioSource { name, text: Some(text) },
    })
}

/// Locustfiles, of which no more is known than the classes that are named.
fn from_locustfiles(
    args: &Args,
    named: &[NamedClass],
    forced: Option<&Host>,
    name: String,
    files: Vec<LocustfileSource>,
) -> Result<Plan, UsageError> {
    if args.local_workers.is_some() {
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
    Ok(Plan {
        scenario: ScenarioSource { name, text: None },
        selection: selection(args, named),
        classes: user_classes::class_specs(named),
        placed: user_classes::class_specs(named),
        files: Arc::default(),
        shape: None,
        arrivals: Vec::new(),
        sources: Vec::new(),
        hooks: Hooks::default(),
        load: load(args, ProfileLoad::default())?,
        criteria: Vec::new(),
        host: forced.map(|host| host.as_str().to_owned()),
        notes: Vec::new(),
        locustfile,
    })
}

/// What Locust's workers are told of the command line, by Locust's names. Nothing here may be a secret: every worker
/// that connects learns it.
fn parsed_options(
    args: &Args,
    file: &str,
    host: Option<&str>,
    load: Load,
    expect_workers: usize,
) -> Vec<(String, Value)> {
    let seconds = |span: Duration| Value::from(span.as_secs());
    let text = |text: Option<&str>| text.map_or(Value::Nil, Value::from);
    let options = [
        ("locustfile", Value::from(file)),
        ("host", text(host)),
        ("num_users", Value::from(load.users)),
        ("spawn_rate", Value::from(load.spawn_rate.as_per_second())),
        ("run_time", load.run_time.map_or(Value::Nil, seconds)),
        ("headless", Value::from(args.headless)),
        ("master", Value::from(true)),
        ("expect_workers", Value::from(expect_workers as u64)),
        ("expect_workers_max_wait", Value::from(args.expect_workers_max_wait)),
        ("enable_rebalancing", Value::from(args.enable_rebalancing)),
        ("tags", list(words(&args.tags))),
        ("exclude_tags", list(words(&args.exclude_tags))),
        ("stop_timeout", args.stop_timeout.map_or(Value::from(0), seconds)),
        ("reset_stats", Value::from(args.reset_stats)),
        ("only_summary", Value::from(args.only_summary)),
        ("exit_code_on_error", Value::from(args.exit_code_on_error.unwrap_or(1))),
        ("profile", text(args.profile.as_deref())),
    ];
    options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// As in Python, where no tags are `None`.
fn list(words: Vec<String>) -> Value {
    if words.is_empty() {
        return Value::Nil;
    }
    Value::Array(words.into_iter().map(Value::from).collect())
}

/// The words of an option that takes several, or of its variable, where a list may stand in brackets.
fn words(values: &[String]) -> Vec<String> {
    let separator = |c: char| c == ',' || c.is_whitespace();
    let words = values.iter().flat_map(|value| {
        let value = value.trim();
        let inner = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
        inner.split(separator).filter(|word| !word.is_empty())
    });
    words.map(str::to_owned).collect()
}

/// The command line before the profile, the profile before Locust's defaults.
fn load(args: &Args, profile: ProfileLoad) -> Result<Load, BadLoad> {
    let users = args.users.or(profile.users.map(i64::from)).unwrap_or(1);
    let spawn_rate = args.spawn_rate.or(profile.spawn_rate).unwrap_or(1.0);
    let run_time = args.run_time.or(profile.run_time).filter(|time| !time.is_zero());
    Load::new(users, spawn_rate, run_time)
}

fn forced_host(args: &Args, demo_host: Option<&str>) -> Result<Option<Host>, HostError> {
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

fn bind(args: &Args) -> (String, u16) {
    // The demo needs nobody from outside and should not fail because 5557 is taken.
    let private = args.demo && args.master_bind_port.is_none() && args.master_bind_host == "*";
    if private {
        return ("127.0.0.1".to_owned(), 0);
    }
    (args.master_bind_host.clone(), args.master_bind_port.unwrap_or(DEFAULT_PORT))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser as _;

    use super::*;

    const SCENARIO: &str = "
host: http://localhost:1
users:
  Fixed:
    fixed_count: 3
    wait_time: constant_pacing(1)
    tasks: [{ name: t, tags: [a, b], steps: [{ get: / }] }]
  Weighted:
    wait_time: constant_pacing(1)
    tasks: [{ name: t, tags: [a, b], steps: [{ get: / }] }]
profiles:
  big: { users: 40, spawn_rate: 4, run_time: 2m, criteria: ['rps > 1000'] }
";

    /// Resolves a command line with a scenario file beside it.
    fn resolve(scenario: &str, args: &[&str]) -> Result<Settings, UsageError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.yaml");
        fs::write(&path, scenario).unwrap();
        let file = path.to_string_lossy();
        let args = ["sentinel-master", "-f", &file].into_iter().chain(args.iter().copied());
        Settings::resolve(&Args::try_parse_from(args).unwrap(), RunId::new("run"), 1, None)
    }

    fn refused(scenario: &str, args: &[&str], expected: &str) {
        let error = format!("{:#}", anyhow::Error::from(resolve(scenario, args).expect_err(expected)));
        assert!(error.contains(expected), "{args:?}: {error}");
    }

    #[test]
    fn options_come_before_the_profile_and_the_profile_before_the_defaults() {
        let load = |args: &[&str]| resolve(SCENARIO, args).unwrap().autostart.load;
        let plain = load(&["-u", "5"]);
        assert_eq!((plain.users, plain.spawn_rate.as_per_second(), plain.run_time), (5, 1.0, None));
        let big = load(&["--profile", "big"]);
        assert_eq!(
            (big.users, big.spawn_rate.as_per_second(), big.run_time),
            (40, 4.0, Some(Duration::from_secs(120)))
        );
        let edited = load(&["--profile", "big", "-u", "50", "-t", "0"]);
        assert_eq!((edited.users, edited.spawn_rate.as_per_second(), edited.run_time), (50, 4.0, None));
    }

    #[test]
    fn a_seed_that_is_given_takes_the_place_of_a_new_one() {
        let seed = |args: &[&str]| resolve(SCENARIO, args).unwrap().autostart.spec.seed;
        assert_eq!(seed(&["-u", "5"]), 1);
        assert_eq!(seed(&["-u", "5", "--seed", "42"]), 42);
        assert_eq!(seed(&["-u", "5", "--seed", "18446744073709551615"]), u64::MAX);
    }

    #[test]
    fn mistakes_are_found_before_anything_starts() {
        refused(SCENARIO, &["-u", "0"], "at least 1, got 0");
        refused(SCENARIO, &["-u", "-5"], "at least 1, got -5");
        refused(SCENARIO, &["-u", "5", "-r", "0"], "0");
        refused(SCENARIO, &["-u", "2"], "need 3 users");
        refused(SCENARIO, &["--profile", "bigg"], "big");
        refused(SCENARIO, &["-u", "5", "-H", "localhost"], "--host");
        refused(
            &SCENARIO.replace("host: http://localhost:1", ""),
            &["-u", "5"],
            "--host http://localhost:8000",
        );
        refused("users: {}", &[], "test.yaml:1");
    }

    #[test]
    fn what_workers_would_stumble_over_is_found_before_the_run() {
        let with = |top: &str| format!("{top}\n{SCENARIO}");
        refused(&with("data: { a: { file: missing.csv } }"), &["-u", "5"], "cannot read");
        refused(&with("http: { tls: { ca: missing.pem } }"), &["-u", "5"], "missing.pem");
        refused(&with("arrivals: { rate: 5/s }"), &["-i", "5"], "--iterations");
        refused(SCENARIO, &["-u", "5", "-T", "nope"], "no task is left");
        refused(SCENARIO, &["-u", "5", "Weigthed"], "did you mean Weighted?");
    }

    #[test]
    fn users_of_a_shape_are_its_own() {
        let shaped = format!("shape: {{ ramp: {{ to: 40, duration: 1m }} }}\n{SCENARIO}");
        let settings = resolve(&shaped, &[]).unwrap();
        assert!(settings.autostart.spec.shape.is_some());
        assert!(settings.notes.is_empty(), "{:?}", settings.notes);
        let notes = resolve(&shaped, &["-u", "5"]).unwrap().notes;
        assert!(notes.iter().any(|note| note.contains("no effect on a shape")), "{notes:?}");
        refused(&shaped.replace("to: 40", "to: 2"), &[], "need 3 users");
    }

    #[test]
    fn a_criterion_out_of_reach_is_noted() {
        let notes = resolve(SCENARIO, &["--profile", "big"]).unwrap().notes;
        assert!(notes.iter().any(|note| note.contains("cannot be met")), "{notes:?}");
    }

    #[test]
    fn local_workers_are_expected_unless_told_otherwise() {
        let expected = |args: &[&str]| resolve(SCENARIO, args).unwrap().autostart.expect_workers;
        assert_eq!(expected(&["-u", "5"]), 1);
        assert_eq!(expected(&["-u", "5", "--local-workers", "2"]), 2);
        assert_eq!(expected(&["-u", "5", "--local-workers", "2", "--expect-workers", "3"]), 3);
    }

    #[test]
    fn files_that_are_no_scenarios_are_refused() {
        let error = |file: &str| {
            let args = Args::try_parse_from(["sentinel-master", "-f", file]).unwrap();
            Settings::resolve(&args, RunId::new("run"), 1, None).unwrap_err().to_string()
        };
        assert!(error("/does/not/exist.yaml").contains("cannot read /does/not/exist.yaml"));
        assert!(error("locustfile.py").contains("--user-classes"));
    }

    #[test]
    fn the_classes_that_are_named_run() {
        let classes = |args: &[&str]| {
            let spec = resolve(SCENARIO, args).unwrap().autostart.spec;
            spec.classes.into_iter().map(|class| (class.name, class.weight)).collect::<Vec<_>>()
        };
        assert_eq!(classes(&["-u", "5"]).len(), 2);
        assert_eq!(classes(&["--user-classes", "Weighted:3"]), [("Weighted".to_owned(), 3.0)]);
        refused(SCENARIO, &["--user-classes", "Weigthed"], "did you mean Weighted?");
        refused(SCENARIO, &["--user-classes", "Weighted:x"], "Name:weight");
    }

    #[test]
    fn a_locustfile_is_for_locusts_workers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.py");
        fs::write(&path, "class A: pass").unwrap();
        let resolve = |args: &[&str]| {
            let file = path.to_string_lossy();
            let fixed = ["sentinel-master", "-f", &file, "--user-classes", "A,B:2"];
            let args = fixed.into_iter().chain(args.iter().copied());
            Settings::resolve(&Args::try_parse_from(args).unwrap(), RunId::new("run"), 1, None)
        };
        let settings = resolve(&["-u", "5"]).unwrap();
        assert!(settings.autostart.spec.scenario.text.is_none());
        assert!(matches!(&*settings.locustfile, LocustfileReply::Sources(files) if files.len() == 1));
        let error = resolve(&["--local-workers", "1"]).unwrap_err().to_string();
        assert!(error.contains("locust --worker"), "{error}");
    }

    #[test]
    fn workers_are_told_the_options_by_locusts_names() {
        let option = |args: &[&str], name: &str| {
            let options = resolve(SCENARIO, args).unwrap().autostart.spec.parsed_options;
            options.into_iter().find(|(key, _)| key == name).unwrap().1
        };
        let tags = |tags: &[&str]| list(tags.iter().map(|tag| (*tag).to_owned()).collect());
        assert_eq!(option(&["-u", "5"], "num_users"), Value::from(5));
        assert_eq!(option(&["-u", "5"], "tags"), Value::Nil);
        assert_eq!(option(&["-u", "5", "-T", "a", "b"], "tags"), tags(&["a", "b"]));
        assert_eq!(option(&["-u", "5", "-T", "[a, b]", "-E", "c"], "tags"), tags(&["a", "b"]));
        assert_eq!(option(&["-u", "5", "-E", "c"], "exclude_tags"), tags(&["c"]));
        assert_eq!(option(&["-u", "5", "-s", "3"], "stop_timeout"), Value::from(3));
        assert_eq!(option(&["-u", "5", "-t", "1m"], "run_time"), Value::from(60));
    }
}
