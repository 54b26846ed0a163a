//! What the command line means: the scenario read, the profile applied, every mistake found before anything starts.

mod error;
mod for_locust;
mod misuse;
mod plan;
#[cfg(test)]
mod tests;
mod web;

use std::sync::Arc;
use std::time::Duration;

use sentinel_common::catalogue::Catalogue;
use sentinel_common::coordinator::{Autostart, RunSpec};
use sentinel_common::criteria::MAX_CRITERIA;
use sentinel_common::delivered::DELIVERED_FLOOR;
use sentinel_common::dispatch::{ClassSpec, fixed_users};
use sentinel_common::ids::RunId;
use sentinel_common::load::Load;
use sentinel_common::locust::LocustfileReply;
use sentinel_common::preflight;
use sentinel_common::scenario::Scenario;
use sentinel_common::shape::Shape;

pub use self::error::UsageError;
pub use self::misuse::{Misuse, check, is_headless, notes};
pub use self::plan::{check_hosts, scenario_of, selection_of};
pub use self::web::{TlsFiles, WebSettings};

use self::for_locust::parsed_options;
use self::plan::{Plan, forced_host, from_locustfiles, from_scenario, named_classes};
use crate::cli::Args;
use crate::outputs::OutputFiles;
use crate::source::{self, Source};

/// The port that workers look for unless they are told otherwise.
const DEFAULT_PORT: u16 = 5557;

/// What the program is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The run, its load and the workers that it needs.
    pub autostart: Autostart,
    /// The share of the plan, 0 to 1, below which the run judges nothing.
    pub min_delivered: f64,
    /// Where all requests go, if it is one host.
    pub host: Option<String>,
    /// No host is known for some request: whoever starts a run has to say one.
    pub needs_host: bool,
    /// The scenario as it will run; `None` if it is a locustfile.
    pub scenario: Option<Arc<Scenario>>,
    /// What could be selected of it.
    pub catalogue: Arc<Catalogue>,
    /// How the web page is served; `None` without one.
    pub web: Option<WebSettings>,
    /// What people should know before the run.
    pub notes: Vec<String>,
    /// What a worker of Locust's is given when it asks for the locustfile.
    pub locustfile: Arc<LocustfileReply>,
    /// Where to listen for workers.
    pub bind: (String, u16),
    /// Workers to run inside this process.
    pub local_workers: usize,
    /// Run one there if nobody else's comes.
    pub local_run: bool,
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
    /// Tables and the verdict at the end.
    pub tables: bool,
    /// Statistics as JSON on standard output at the end.
    pub json: bool,
}

/// The id of a run that nobody has made before, and a seed for it.
pub fn new_run() -> (RunId, u64) {
    let run = uuid::Uuid::new_v4();
    // The low half of a random id is as good a seed as any.
    (RunId::new(&run.to_string()), run.as_u64_pair().1)
}

impl Settings {
    /// Whether anybody looks at the run while it goes on.
    pub fn is_followed(&self) -> bool {
        self.output.periodic || self.files.csv.is_some()
    }

    /// As [`Self::resolve`], for a web page where people can still say the host, or how many users, before anything
    /// starts.
    ///
    /// # Errors
    /// A mistake of whoever started the program.
    pub fn resolve_for_page(
        args: &Args,
        run: RunId,
        seed: u64,
        demo_host: Option<&str>,
    ) -> Result<Self, UsageError> {
        if args.autostart || is_headless(args) {
            return Self::resolve(args, run, seed, demo_host);
        }
        match Self::resolve(args, run.clone(), seed, demo_host) {
            Err(UsageError::NoHost { .. }) if demo_host.is_none() => {
                let settings = Self::resolve_for_page(args, run, seed, Some("http://localhost"))?;
                Ok(Self { host: None, needs_host: true, ..settings })
            }
            Err(UsageError::TooFewUsers { enough, .. }) if args.users.is_none() => {
                let users = i64::try_from(enough).ok();
                Self::resolve(&Args { users, ..args.clone() }, run, seed, demo_host)
            }
            resolved => resolved,
        }
    }

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
        let Plan { mut notes, locustfile, placed, hooks, demand, selected, catalogue, .. } = plan;
        notes.splice(..0, misuse::notes(args));
        notes.extend(load_notes(args, &placed, shape.as_deref(), &load)?);
        let has_text = scenario.text.is_some();
        let own_workers = usize::from(args.demo && has_text);
        let local_workers = local_workers(args).unwrap_or(own_workers);
        let expect_workers = args.expect_workers.map_or(local_workers.max(1), usize::from);
        if criteria.len() > MAX_CRITERIA {
            return Err(UsageError::TooManyCriteria(criteria.len()));
        }
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
            adjustments: selection.adjustments,
            iterations: args.iterations,
            has_setup: hooks.setup,
            has_teardown: hooks.teardown,
            files,
            sources: sources.into_iter().collect(),
            criteria,
            demand,
            measured_from_s: None,
            shape,
            arrivals,
        };
        let autostart = Autostart {
            spec,
            load,
            expect_workers,
            max_wait: args.expect_workers_max_wait.filter(|s| *s > 0).map(|s| Duration::from_secs(s.into())),
        };
        Ok(Self {
            autostart,
            min_delivered: args.min_delivered.unwrap_or(DELIVERED_FLOOR),
            host,
            needs_host: false,
            scenario: selected,
            catalogue: Arc::new(catalogue),
            web: WebSettings::of(args),
            notes,
            locustfile: Arc::new(locustfile),
            bind: bind(args),
            local_workers,
            local_run: has_text && may_run_alone(args),
            rebalance_on_loss: args.enable_rebalancing,
            output: Output {
                periodic: prints_progress(args) && !args.log.skip_log_setup,
                tables: !args.log.skip_log_setup,
                json: args.json,
            },
            files: OutputFiles::of(args, &load).map_err(UsageError::Outputs)?,
            // A process tells eight bits.
            exit_code_on_error: args.exit_code_on_error.map(|code| (code & 0xff) as u8),
        })
    }
}

/// Whether the run is shown while it goes on: as in Locust, people who look at the page have to ask for that.
fn prints_progress(args: &Args) -> bool {
    !args.only_summary && (misuse::is_headless(args) || args.print_stats)
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
        let enough = fixed_users(placed);
        return Err(UsageError::TooFewUsers { users: peak, enough, reason });
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

/// The workers to run inside this process, if that is said: by our name for it, or by Locust's.
fn local_workers(args: &Args) -> Option<usize> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let processes = args.processes.filter(|processes| *processes != 0);
    let processes = processes.map(|processes| usize::try_from(processes).unwrap_or_else(|_| cores()));
    args.local_workers.map(usize::from).or(processes)
}

/// Whether nothing says that workers will come, so that a run that is to start by itself would wait for ever. Locust
/// makes the load itself then.
fn may_run_alone(args: &Args) -> bool {
    let starts = misuse::is_headless(args) || args.autostart;
    let waits = args.master || args.expect_workers.is_some() || args.expect_workers_max_wait.is_some();
    let has_own = args.demo || args.local_workers.is_some() || args.processes.is_some();
    starts && !waits && !has_own
}

fn bind(args: &Args) -> (String, u16) {
    // The demo needs nobody from outside and should not fail because 5557 is taken.
    let private = args.demo && args.master_bind_port.is_none() && args.master_bind_host == "*";
    if private {
        return ("127.0.0.1".to_owned(), 0);
    }
    (args.master_bind_host.clone(), args.master_bind_port.unwrap_or(DEFAULT_PORT))
}
