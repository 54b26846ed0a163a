//! What the command line means: the scenario read, the profile applied, every mistake found before anything starts.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sentinel_common::coordinator::{Autostart, RunSpec, ScenarioSource};
use sentinel_common::criteria::Criterion;
use sentinel_common::dispatch::fixed_users;
use sentinel_common::ids::RunId;
use sentinel_common::load::{BadLoad, Load};
use sentinel_common::preflight;
use sentinel_common::scenario::{
    FILE_BYTES_MAX, Host, HostError, Notes, ProfileLoad, Scenario, UnknownProfile,
};
use thiserror::Error;

use crate::cli::Args;

/// The files that are looked for when none is named, in this order.
const DEFAULT_FILES: [&str; 2] = ["sentinel.yaml", "locustfile.yaml"];

/// What users do when there is no file at all.
const BUILT_IN: &str = include_str!("built_in.yaml");

/// The scenario of the demo.
#[cfg(feature = "demo")]
const DEMO: &str = include_str!("../../loadtest/fraud.yaml");

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
    /// Where to listen for workers.
    pub bind: (String, u16),
    /// Workers to run inside this process.
    pub local_workers: usize,
    /// On a loss, place all users anew.
    pub rebalance_on_loss: bool,
    /// What to print.
    pub output: Output,
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
    /// The scenario file cannot be read.
    #[error("cannot read the scenario {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The scenario is no YAML file.
    #[error("{0} is not a YAML scenario; this release runs .yaml and .yml files")]
    NotYaml(PathBuf),
    /// The scenario has mistakes; one line each.
    #[error("the scenario cannot be used:\n{0}")]
    Scenario(Notes),
    /// The scenario has no such profile.
    #[error(transparent)]
    Profile(#[from] UnknownProfile),
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
    /// The demo's target is not part of this build.
    #[error("--demo was left out of this build; build it with the feature `demo`")]
    NoDemo,
}

/// A scenario with its origin.
struct Source {
    name: String,
    text: String,
    built_in: bool,
}

impl Settings {
    /// Finds out what `args` mean. `run` and `seed` identify the run that will come of it. `demo_host` is where the
    /// demo's target listens, if there is one.
    ///
    /// # Errors
    /// A mistake of whoever started the program.
    pub fn resolve(args: &Args, run: RunId, seed: u64, demo_host: Option<&str>) -> Result<Self, UsageError> {
        let source = read_source(args)?;
        let scenario = Scenario::load(&source.name, &source.text).map_err(UsageError::Scenario)?;
        let (scenario, profile) = match &args.profile {
            Some(profile) => scenario.with_profile(profile)?,
            None => (scenario, ProfileLoad::default()),
        };
        let load = load(args, profile)?;
        let classes = preflight::class_specs(&scenario);
        let misfit = preflight::misfit(&classes, load.users);
        if let Some(reason) = misfit.clone().filter(|_| fixed_users(&classes) > u64::from(load.users)) {
            return Err(UsageError::TooFewUsers { users: load.users, reason });
        }
        let forced = forced_host(args, demo_host)?;
        let host = common_host(&scenario, forced.as_ref(), &source)?;
        let mut notes: Vec<String> = misfit.into_iter().collect();
        notes.extend(preflight::unfinished_ramp(&load));
        notes.extend(preflight::unreachable_criteria(&scenario, &scenario.criteria, load.users));
        let local_workers = args.local_workers.map_or(usize::from(args.demo), usize::from);
        let spec = RunSpec {
            id: run,
            classes,
            scenario: ScenarioSource { name: source.name, text: Some(source.text) },
            parsed_options: Vec::new(),
            profile: args.profile.clone(),
            host: forced.map(|host| host.as_str().to_owned()),
            stop_timeout: args.stop_timeout.unwrap_or(Duration::ZERO),
            reset_stats: args.reset_stats,
            seed,
        };
        let autostart = Autostart {
            spec,
            load,
            expect_workers: args.expect_workers.map_or(local_workers.max(1), usize::from),
            max_wait: Some(args.expect_workers_max_wait)
                .filter(|s| *s > 0)
                .map(|s| Duration::from_secs(s.into())),
        };
        Ok(Self {
            autostart,
            criteria: scenario.criteria,
            host,
            notes,
            bind: bind(args),
            local_workers,
            rebalance_on_loss: args.enable_rebalancing,
            output: Output { periodic: !args.only_summary, json: args.json },
            exit_code_on_error: args.exit_code_on_error,
        })
    }
}

fn read_source(args: &Args) -> Result<Source, UsageError> {
    if let Some(path) = &args.locustfile {
        return read_file(path);
    }
    if args.demo {
        return demo_source();
    }
    match DEFAULT_FILES.iter().map(Path::new).find(|path| path.exists()) {
        Some(path) => read_file(path),
        None => {
            Ok(Source { name: "built-in scenario".to_owned(), text: BUILT_IN.to_owned(), built_in: true })
        }
    }
}

#[cfg(feature = "demo")]
fn demo_source() -> Result<Source, UsageError> {
    Ok(Source { name: "fraud.yaml".to_owned(), text: DEMO.to_owned(), built_in: true })
}

#[cfg(not(feature = "demo"))]
fn demo_source() -> Result<Source, UsageError> {
    Err(UsageError::NoDemo)
}

fn read_file(path: &Path) -> Result<Source, UsageError> {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if !is_yaml {
        return Err(UsageError::NotYaml(path.to_owned()));
    }
    let text = read_bounded(path).map_err(|cause| UsageError::Unreadable { path: path.to_owned(), cause })?;
    Ok(Source { name: path.display().to_string(), text, built_in: false })
}

/// Reads a little more than a scenario may have, so that a file that is far too long is refused and not read.
fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
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

/// The host that all classes load, if it is one. Fails if a class has none.
fn common_host(
    scenario: &Scenario,
    forced: Option<&Host>,
    source: &Source,
) -> Result<Option<String>, UsageError> {
    let mut hosts = Vec::new();
    for class in &scenario.users {
        match forced.or(scenario.host_of(class)) {
            Some(host) => hosts.push(host.as_str().to_owned()),
            None if !class.needs_host() => hosts.push(String::new()),
            None => {
                let hint = match source.built_in {
                    true => String::new(),
                    false => format!(", or as `host:` in {}", source.name),
                };
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
    use clap::Parser as _;

    use super::*;

    const SCENARIO: &str = "
host: http://localhost:1
users:
  Fixed:
    fixed_count: 3
    wait_time: constant_pacing(1)
    tasks: [{ name: t, steps: [{ get: / }] }]
  Weighted:
    wait_time: constant_pacing(1)
    tasks: [{ name: t, steps: [{ get: / }] }]
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
        assert!(error("/does/not/exist.yaml").contains("cannot read the scenario /does/not/exist.yaml"));
        assert!(error("locustfile.py").contains("not a YAML scenario"));
    }
}
