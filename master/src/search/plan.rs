//! What the command line of a search means, with every mistake found before anything starts.

use sentinel_common::coordinator::Autostart;
use sentinel_common::dispatch::fixed_users;
use sentinel_common::ids::RunId;
use sentinel_common::preflight::class_specs;
use sentinel_common::search::{Kind, Level, Range, RangeError, StepError, StepPlan, Trial};
use thiserror::Error;

use crate::cli::{Args, SearchArgs};
use crate::outputs::SearchFiles;
use crate::settings::{Settings, UsageError, notes, scenario_of};

/// What is searched, and how.
#[derive(Clone, Debug)]
pub struct SearchPlan {
    /// Where.
    pub range: Range,
    /// How often each load is run.
    pub repeat: u32,
    /// How many loads are tried.
    pub max_steps: u32,
    /// How each is run.
    pub steps: StepPlan,
    /// The run of which each step is a version.
    pub asked: Autostart,
    /// The files to write.
    pub files: SearchFiles,
}

/// A search that cannot be.
#[derive(Debug, Error)]
pub enum SearchMisuse {
    /// It has no range.
    #[error(
        "a search needs --from and --to, such as --from 500/s --to 20000/s, or --from 10 --to 1000 for users"
    )]
    NoRange,
    /// The range is none.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// Nothing says what is too much.
    #[error(
        "a search needs a criterion: give one with --check, such as --check \"p95 < 100ms\", or in the scenario"
    )]
    NoCriterion,
    /// A step would measure nothing.
    #[error("--step-time must be at least 1s")]
    StepTime,
    /// An option of a run.
    #[error("{0} does not apply to a search: {1}")]
    Option(&'static str, &'static str),
    /// Arrivals do not go with users.
    #[error("{0} has arrivals, so its load is a rate: write --from and --to as rates, such as 500/s")]
    OpenScenario(String),
    /// Locust's workers make no arrivals.
    #[error(
        "a rate needs a scenario: Locust's workers, which run {0}, have no arrivals; search for users, such as \
         --from 10 --to 1000"
    )]
    Locustfile(String),
    /// A step cannot be run.
    #[error(transparent)]
    Step(#[from] StepError),
}

impl SearchPlan {
    /// Finds out what `args` mean, as [`Settings::resolve`] does.
    ///
    /// # Errors
    /// A mistake of whoever started the program.
    pub fn resolve(
        args: &SearchArgs,
        run: RunId,
        seed: u64,
        demo_host: Option<&str>,
    ) -> Result<(Settings, Self), UsageError> {
        check_options(args)?;
        let (Some(from), Some(to)) = (args.from, args.to) else { return Err(SearchMisuse::NoRange.into()) };
        let range = Range::new(from, to, args.precision).map_err(SearchMisuse::from)?;
        let mut settings = Settings::resolve(&with_users(&args.run, from)?, run, seed, demo_host)?;
        // The others are about the load of one run.
        settings.notes = notes(&args.run);
        let spec = &settings.autostart.spec;
        if spec.criteria.is_empty() {
            return Err(SearchMisuse::NoCriterion.into());
        }
        if range.kind() == Kind::Users && !spec.arrivals.is_empty() {
            return Err(SearchMisuse::OpenScenario(spec.scenario.name.clone()).into());
        }
        let steps = StepPlan {
            warm_up: args.warm_up,
            step_time: args.step_time,
            max_users: args.max_users,
            spawn_rate: args.run.spawn_rate,
        };
        for load in [from, to] {
            let trial = Trial { step: 1, repetition: 1, load };
            steps.autostart(&settings.autostart, trial).map_err(SearchMisuse::from)?;
        }
        let files = SearchFiles {
            html: args.run.html.clone(),
            summary_md: args.run.summary_md.clone(),
            result: args.result.clone(),
        };
        let (repeat, max_steps, asked) = (args.repeat, args.max_steps, settings.autostart.clone());
        Ok((settings, Self { range, repeat, max_steps, steps, asked, files }))
    }
}

/// The options of a run at the lowest load.
fn with_users(args: &Args, from: Level) -> Result<Args, UsageError> {
    let users = match from {
        Level::Users(users) => i64::from(users),
        // Classes of a fixed size run beside those that have arrivals.
        Level::Rate(_) => {
            let (_, _, definition) = scenario_of(args).map_err(|error| match error {
                UsageError::Locustfile(name) => SearchMisuse::Locustfile(name).into(),
                other => other,
            })?;
            i64::try_from(fixed_users(&class_specs(&definition.scenario))).unwrap_or(i64::MAX).max(1)
        }
    };
    Ok(Args { users: Some(users), html: None, ..args.clone() })
}

/// Refuses what belongs to a single run.
fn check_options(args: &SearchArgs) -> Result<(), SearchMisuse> {
    let (run, users) = (&args.run, "the load goes from --from to --to");
    let (time, files) =
        ("--step-time and --warm-up say how long each step is", "--result writes its figures");
    let inspection = "leave out `search` to look into the scenario";
    let refused = [
        (run.users.is_some(), "--users", users),
        (run.iterations.is_some(), "--iterations", time),
        (run.run_time.is_some(), "--run-time", time),
        (run.csv.is_some(), "--csv", files),
        (run.csv_full_history, "--csv-full-history", files),
        (run.json, "--json", files),
        (run.json_file.is_some(), "--json-file", files),
        (run.junit.is_some(), "--junit", files),
        (
            run.exit_code_on_error.is_some(),
            "--exit-code-on-error",
            "a criterion says which failures are too many",
        ),
        (run.print_schema, "--print-schema", inspection),
        (run.dry_run, "--dry-run", inspection),
        (run.list, "--list", inspection),
        (run.show_task_ratio, "--show-task-ratio", inspection),
        (run.show_task_ratio_json, "--show-task-ratio-json", inspection),
    ];
    if let Some((_, option, why)) = refused.into_iter().find(|(said, ..)| *said) {
        return Err(SearchMisuse::Option(option, why));
    }
    if args.step_time.is_zero() {
        return Err(SearchMisuse::StepTime);
    }
    Ok(())
}
