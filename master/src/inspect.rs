//! What can be asked of a scenario without running it: its classes, its ratios, its schema, and one pass through its tasks.

use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::Context as _;
use sentinel_common::ids::RunId;
use sentinel_common::messages::{LocustPlan, NO_VARIABLES, RunPlan};
use sentinel_common::scenario::json_schema;
use sentinel_common::time::{Moment, RunClock, RunTime};
use sentinel_common::verdict::exit_code;
use sentinel_worker::dry_run::{Watcher, dry_run};
use sentinel_worker::exchange::{Exchange, Observer};
use sentinel_worker::http::ReqwestFactory;
use sentinel_worker::plan::PreparedRun;
use tokio::task::LocalSet;

use crate::cli::Args;
use crate::definition::Definition;
use crate::settings;
use crate::view::{self, printable};

/// A question about a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// `--print-schema`
    Schema,
    /// `--list`
    List,
    /// `--show-task-ratio`
    TaskRatio,
    /// `--show-task-ratio-json`
    TaskRatioJson,
    /// `--dry-run`
    DryRun,
}

impl Inspection {
    /// The question that the command line asks, if it asks one.
    pub fn of(args: &Args) -> Option<Self> {
        let questions = [
            (args.print_schema, Self::Schema),
            (args.list, Self::List),
            (args.show_task_ratio, Self::TaskRatio),
            (args.show_task_ratio_json, Self::TaskRatioJson),
            (args.dry_run, Self::DryRun),
        ];
        questions.into_iter().find(|(asked, _)| *asked).map(|(_, question)| question)
    }

    /// Prints the answer; returns the exit code.
    ///
    /// # Errors
    /// A mistake of whoever started the program, or standard output is closed.
    pub async fn answer(self, args: &Args) -> anyhow::Result<u8> {
        if self == Self::Schema {
            return print(&format!("{:#}\n", json_schema()));
        }
        let (name, text, definition) = settings::scenario_of(args)?;
        let scenario = &definition.scenario;
        let users = users(args, &definition)?;
        match self {
            Self::Schema => Ok(exit_code::OK),
            Self::List => print(&view::class_list(scenario)),
            Self::TaskRatio => print(&view::task_ratio_table(scenario, users)),
            Self::TaskRatioJson => print(&format!("{}\n", view::task_ratio_json(scenario, users))),
            Self::DryRun => run_dry(args, name, text, definition).await,
        }
    }
}

/// The users that the ratios are about, if any were asked for.
fn users(args: &Args, definition: &Definition) -> anyhow::Result<Option<u32>> {
    let typed = args.users.map(u32::try_from).transpose().context("--users is out of range")?;
    Ok(typed.or(definition.load.users))
}

fn print(text: &str) -> anyhow::Result<u8> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("failed to print")?;
    Ok(exit_code::OK)
}

async fn run_dry(args: &Args, name: String, text: String, definition: Definition) -> anyhow::Result<u8> {
    settings::check_hosts(args, &definition.scenario, &name)?;
    let selection = settings::selection_of(args)?;
    let plan = RunPlan {
        run: RunId::new("dry-run"),
        scenario_name: name,
        scenario: text,
        profile: selection.profile,
        host: args.host.clone(),
        stop_timeout: std::time::Duration::ZERO,
        seed: args.seed.unwrap_or_default(),
        run_time: RunTime::ZERO,
        classes: selection.classes,
        tags: selection.tags,
        exclude_tags: selection.exclude_tags,
        adjustments: selection.adjustments,
        iterations: None,
        variables: NO_VARIABLES.to_owned(),
        files: definition.files.files().to_vec(),
        sources: definition.sources.into_iter().map(|(name, _)| name).collect(),
        locust: LocustPlan::default(),
    };
    let clock = RunClock::new(RunTime::ZERO, Moment::ZERO);
    let run = PreparedRun::new(Arc::new(plan), definition.files.named(), 0, clock)?;
    run.fill_stocks();
    // Users live on one thread, which the rest of this process does not need to know.
    let (requests, failures) = tokio::task::spawn_blocking(move || rehearse(&run)).await??;
    print(&format!("\n{requests} requests, {failures} failures\n"))?;
    Ok(if failures == 0 { exit_code::OK } else { exit_code::FAILURES })
}

/// Carries out every task once. Returns how many requests were made, and how much went wrong.
fn rehearse(run: &Arc<PreparedRun>) -> std::io::Result<(u64, u64)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let printer = Rc::new(Printer::default());
    LocalSet::new().block_on(&runtime, dry_run(run, &ReqwestFactory::new(), printer.clone()));
    Ok((printer.requests.get(), printer.failures.get()))
}

/// Prints what it watches.
#[derive(Default)]
struct Printer {
    requests: Cell<u64>,
    failures: Cell<u64>,
}

impl Printer {
    fn count_failure(&self) {
        self.failures.set(self.failures.get() + 1);
    }

    fn say(&self, text: &str) {
        // Nobody reads on; the exit code still tells how it went.
        let _ = print(text);
    }
}

impl Observer for Printer {
    fn exchange(&self, exchange: &Exchange<'_>) {
        self.requests.set(self.requests.get() + 1);
        if exchange.failure.is_some() {
            self.count_failure();
        }
        self.say(&view::exchange_text(exchange));
    }

    fn log(&self, text: &str) {
        self.say(&format!("logged: {}\n", printable(text)));
    }

    fn exception(&self, message: &str, place: &str) {
        self.count_failure();
        self.say(&format!("EXCEPTION in {}: {}\n", printable(place), printable(message)));
    }
}

impl Watcher for Printer {
    fn task(&self, class: &str, what: &str) {
        self.say(&view::task_heading(class, what));
    }

    fn stopped(&self, class: &str, reason: &str) {
        let because = if reason.is_empty() { String::new() } else { format!(": {}", printable(reason)) };
        self.say(&format!("the user of {class} stopped before its last task{because}\n"));
    }
}
