//! The master's command line: what was typed. What it means is [`crate::settings`].

use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory as _, Parser};
use sentinel_common::criteria::Criterion;
use sentinel_common::delivered::parse_floor;
use sentinel_common::dispatch::MAX_USERS;
use sentinel_common::search::{Level, MAX_REPEAT, MAX_STEPS};
use sentinel_common::timespan::parse_timespan;
use sentinel_worker::logging::LogOptions;
use sentinel_worker::options::About;

/// What stands below the options.
const AFTER_HELP: &str = "\
Without -f, the scenario is sentinel.yaml or locustfile.yaml of the current folder; with neither, users request / on \
--host.

sentinel-master search looks for the highest load that meets the criteria; sentinel-master search --help tells how.

Every option can also be set by a variable, SENTINEL_USERS or LOCUST_USERS, and in sentinel.conf, locust.conf or \
pyproject.toml; the command line comes first.

Exit codes: 0 passed, 1 requests failed or no run was made, 2 bad usage, \
3 a criterion was not met, 4 the planned load was not delivered, 255 programs or classes that do not fit together. \
See docs/command-line.md.";

/// Coordinates workers that load a target, and reports what they measured.
#[derive(Clone, Debug, Parser)]
#[command(name = "sentinel-master", version, disable_help_flag = true, disable_version_flag = true, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Args {
    /// Run only these user classes of the scenario
    #[arg(value_name = "USER_CLASSES", help_heading = "Test")]
    pub classes: Vec<String>,

    /// The scenario; or locustfiles with commas in between, for workers of Locust's
    #[arg(
        short = 'f',
        long,
        alias = "loc",
        value_name = "FILE",
        env = "LOCUST_LOCUSTFILE",
        help_heading = "Test"
    )]
    pub locustfile: Option<PathBuf>,

    /// Read more options from this file, of lines `option = value` or with a TOML table [tool.sentinel]
    #[arg(long, value_name = "FILE", help_heading = "Test")]
    pub config: Option<PathBuf>,

    /// Run these user classes, such as Reader:3,Writer; a locustfile needs it
    #[arg(
        long,
        value_name = "CLASSES",
        env = "LOCUST_USER_CLASSES",
        conflicts_with = "classes",
        help_heading = "Test"
    )]
    pub user_classes: Option<String>,

    /// Change user classes by JSON such as {"user_class_name": "Buyer", "weight": 3}, or a file *.json
    #[arg(long, value_name = "JSON", num_args = 0.., env = "LOCUST_CONFIG_USERS", help_heading = "Test")]
    pub config_users: Vec<String>,

    /// Give every user class and every task the weight 1
    #[arg(long, help_heading = "Test")]
    pub equal_weights: bool,

    /// Run only tasks with one of these tags
    #[arg(short = 'T', long, value_name = "TAG", num_args = 0.., env = "LOCUST_TAGS", help_heading = "Test")]
    pub tags: Vec<String>,

    /// Run no task with one of these tags
    #[arg(short = 'E', long, value_name = "TAG", num_args = 0.., env = "LOCUST_EXCLUDE_TAGS", help_heading = "Test")]
    pub exclude_tags: Vec<String>,

    /// Base URL of the target, such as http://localhost:8000, before every host in the scenario
    #[arg(short = 'H', long, value_name = "URL", env = "LOCUST_HOST", help_heading = "Test")]
    pub host: Option<String>,

    /// Users at the top of the ramp, over all workers [default: 1]
    #[arg(
        short = 'u',
        long,
        aliases = ["u", "us", "use", "user"],
        value_name = "N",
        env = "LOCUST_USERS",
        allow_negative_numbers = true,
        help_heading = "Test"
    )]
    pub users: Option<i64>,

    /// Users spawned per second, over all workers [default: 1]
    #[arg(
        short = 'r',
        long,
        value_name = "RATE",
        env = "LOCUST_SPAWN_RATE",
        allow_negative_numbers = true,
        help_heading = "Test"
    )]
    pub spawn_rate: Option<f64>,

    /// Stop after this time, such as 300, 20s, 3m, 1h20m; 0 for no limit [default: no limit]
    #[arg(short = 't', long, value_name = "TIME", env = "LOCUST_RUN_TIME", value_parser = parse_timespan, help_heading = "Test")]
    pub run_time: Option<Duration>,

    /// Run so many iterations of tasks over the whole cluster, then stop
    #[arg(short = 'i', long, value_name = "N", env = "LOCUST_ITERATIONS", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Test")]
    pub iterations: Option<u64>,

    /// Take users, spawn rate, run time and more from this profile of the scenario; options override it
    #[arg(long, value_name = "NAME", help_heading = "Test")]
    pub profile: Option<String>,

    /// Draw the random values of templates, tasks and waits from this seed, to repeat a run [default: a new one]
    #[arg(long, value_name = "N", help_heading = "Test")]
    pub seed: Option<u64>,

    /// Run without the web page: start as soon as the workers are there, end when the run ends
    #[arg(long, env = "LOCUST_HEADLESS", help_heading = "Test")]
    pub headless: bool,

    /// Start at once, with the web page open meanwhile
    #[arg(long, env = "LOCUST_AUTOSTART", help_heading = "Test")]
    pub autostart: bool,

    /// Take --headless back
    #[arg(long, env = "LOCUST_HEADFUL", hide = true, help_heading = "Test")]
    pub headful: bool,

    /// How long tasks may go on when users are stopped, in whole seconds [default: 0]
    #[arg(short = 's', long, value_name = "TIME", env = "LOCUST_STOP_TIMEOUT", value_parser = parse_timespan, help_heading = "Test")]
    pub stop_timeout: Option<Duration>,

    /// Forget the statistics of the ramp once all users run
    #[arg(long, env = "LOCUST_RESET_STATS", help_heading = "Test")]
    pub reset_stats: bool,

    /// Wait for workers, and never make the load in this process
    #[arg(long, env = "LOCUST_MODE_MASTER", help_heading = "Workers")]
    pub master: bool,

    /// Be a worker, which is another program here
    #[arg(long, env = "LOCUST_MODE_WORKER", hide = true, help_heading = "Workers")]
    pub worker: bool,

    /// Address to listen on for workers; * for all
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "LOCUST_MASTER_BIND_HOST",
        default_value = "*",
        help_heading = "Workers"
    )]
    pub master_bind_host: String,

    /// Port to listen on for workers; 0 for any free one [default: 5557]
    #[arg(long, value_name = "PORT", env = "LOCUST_MASTER_BIND_PORT", help_heading = "Workers")]
    pub master_bind_port: Option<u16>,

    /// Start the run once this many workers are there [default: 1, or the number of local workers]
    #[arg(long, value_name = "N", env = "LOCUST_EXPECT_WORKERS", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Workers")]
    pub expect_workers: Option<u16>,

    /// Give up if they are not there after this many seconds; 0 to wait for ever [default: 0]
    #[arg(long, value_name = "SECS", env = "LOCUST_EXPECT_WORKERS_MAX_WAIT", help_heading = "Workers")]
    pub expect_workers_max_wait: Option<u32>,

    /// When a worker is lost, place all users anew as Locust does, instead of only those that were lost
    #[arg(long, help_heading = "Workers")]
    pub enable_rebalancing: bool,

    /// Run this many workers inside this process
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Workers")]
    pub local_workers: Option<u16>,

    /// The same by Locust's name; -1 for one per core
    #[arg(
        long,
        value_name = "N",
        env = "LOCUST_PROCESSES",
        conflicts_with = "local_workers",
        allow_negative_numbers = true,
        help_heading = "Workers"
    )]
    pub processes: Option<i32>,

    /// Try Sentinel out: load a fraud inference API that runs inside this process, with a local worker
    #[arg(long, help_heading = "Workers")]
    pub demo: bool,

    /// Address of the web page; * for all
    #[arg(long, value_name = "ADDRESS", env = "LOCUST_WEB_HOST", help_heading = "Web page")]
    pub web_host: Option<String>,

    /// Port of the web page [default: 8089]
    #[arg(short = 'P', long, value_name = "PORT", env = "LOCUST_WEB_PORT", help_heading = "Web page")]
    pub web_port: Option<u16>,

    /// What its paths begin with, such as /load
    #[arg(long, value_name = "PATH", env = "LOCUST_WEB_BASE_PATH", help_heading = "Web page")]
    pub web_base_path: Option<String>,

    /// Let only people in who have logged in
    #[arg(long, env = "LOCUST_WEB_LOGIN", help_heading = "Web page")]
    pub web_login: bool,

    /// Certificate with which it is served by HTTPS; needs --tls-key
    #[arg(long, value_name = "FILE", env = "LOCUST_TLS_CERT", help_heading = "Web page")]
    pub tls_cert: Option<PathBuf>,

    /// The key of --tls-cert
    #[arg(long, value_name = "FILE", env = "LOCUST_TLS_KEY", help_heading = "Web page")]
    pub tls_key: Option<PathBuf>,

    /// Let people choose user classes there
    #[arg(long, env = "LOCUST_USERCLASS_PICKER", help_heading = "Web page")]
    pub class_picker: bool,

    /// Exit so many seconds after a run of --autostart has ended; -1 for never [default: -1]
    #[arg(
        long,
        value_name = "SECS",
        env = "LOCUST_AUTOQUIT",
        allow_negative_numbers = true,
        help_heading = "Web page"
    )]
    pub autoquit: Option<i64>,

    /// The host in the address that is logged
    #[arg(
        long,
        value_name = "NAME",
        env = "LOCUST_WEB_HOST_DISPLAY_NAME",
        hide = true,
        help_heading = "Web page"
    )]
    pub web_host_display_name: Option<String>,

    /// A folder with another page
    #[arg(long, value_name = "FOLDER", env = "LOCUST_BUILD_PATH", hide = true, help_heading = "Web page")]
    pub build_path: Option<PathBuf>,

    /// Removed from Locust
    #[arg(long, value_name = "USER:PASSWORD", env = "LOCUST_WEB_AUTH", hide = true)]
    pub web_auth: Option<String>,

    /// Removed from Locust
    #[arg(long, env = "LOCUST_LEGACY_UI", hide = true)]
    pub legacy_ui: bool,

    /// Removed from Locust
    #[arg(long, hide = true)]
    pub expect_slaves: bool,

    /// Removed from Locust
    #[arg(long, hide = true)]
    pub slave: bool,

    /// Print the JSON Schema of scenario files, for editors, and exit
    #[arg(long, group = "inspection", help_heading = "Scenario")]
    pub print_schema: bool,

    /// Carry out every task once, print each request and answer, and exit; needs no workers
    #[arg(long, group = "inspection", help_heading = "Scenario")]
    pub dry_run: bool,

    /// List the user classes of the scenario and exit
    #[arg(short = 'l', long, group = "inspection", help_heading = "Scenario")]
    pub list: bool,

    /// Print how often each task is picked and exit
    #[arg(long, group = "inspection", help_heading = "Scenario")]
    pub show_task_ratio: bool,

    /// Print how often each task is picked as JSON and exit
    #[arg(long, group = "inspection", help_heading = "Scenario")]
    pub show_task_ratio_json: bool,

    /// What the run must satisfy, such as "p95 < 100ms"; may be given several times, beside those of the scenario
    #[arg(long, value_name = "CRITERION", value_parser = Criterion::parse, allow_hyphen_values = true, help_heading = "Verdict")]
    pub check: Vec<Criterion>,

    /// Judge nothing (INVALID) if less than this share of the planned load ran over any 10 s [default: 95%]
    #[arg(long, value_name = "SHARE", value_parser = parse_floor, help_heading = "Verdict")]
    pub min_delivered: Option<f64>,

    /// Print the final statistics as JSON to standard output
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Write the final statistics as JSON to PREFIX.json
    #[arg(long, value_name = "PREFIX", help_heading = "Output")]
    pub json_file: Option<PathBuf>,

    /// Write PREFIX_stats.csv, PREFIX_stats_history.csv, PREFIX_failures.csv and PREFIX_exceptions.csv, every second
    #[arg(long, value_name = "PREFIX", env = "LOCUST_CSV", help_heading = "Output")]
    pub csv: Option<PathBuf>,

    /// Have every request name in PREFIX_stats_history.csv, not only the total
    #[arg(long, env = "LOCUST_CSV_FULL_HISTORY", help_heading = "Output")]
    pub csv_full_history: bool,

    /// Write a report with charts; in FILE, {u} is the number of users, {r} the spawn rate, {t} the run time in seconds
    #[arg(long, value_name = "FILE", env = "LOCUST_HTML", help_heading = "Output")]
    pub html: Option<PathBuf>,

    /// Write the verdict and every criterion as JUnit XML
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub junit: Option<PathBuf>,

    /// Write a summary in Markdown; it is also appended to the file that GITHUB_STEP_SUMMARY names
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub summary_md: Option<PathBuf>,

    /// Print tables while the run goes on, also beside the web page
    #[arg(long, aliases = ["pri", "prin", "print", "print-", "print-s"], env = "LOCUST_PRINT_STATS", help_heading = "Output")]
    pub print_stats: bool,

    /// Print no tables while the run goes on
    #[arg(long, env = "LOCUST_ONLY_SUMMARY", help_heading = "Output")]
    pub only_summary: bool,

    /// Exit code when any request failed, whatever the criteria allow [default: 1, if no criterion is about failures]
    #[arg(
        long,
        value_name = "CODE",
        env = "LOCUST_EXIT_CODE_ON_ERROR",
        allow_negative_numbers = true,
        help_heading = "Output"
    )]
    pub exit_code_on_error: Option<i64>,

    /// Let the users follow the load, even if the scenario has a shape. The web page asks for it; no option does.
    #[arg(skip)]
    pub without_shape: bool,

    /// Its log.
    #[command(flatten)]
    pub log: LogOptions,

    /// Questions about the program itself.
    #[command(flatten)]
    pub about: About,
}

/// The first word of a command line that searches for the highest load.
pub const SEARCH: &str = "search";

/// All that the program understands, for those who complete or describe command lines.
pub fn program() -> clap::Command {
    Args::command().subcommand(SearchArgs::command().name(SEARCH))
}

/// What stands below the options of a search.
const AFTER_SEARCH_HELP: &str = "\
Exit codes: 0 a load was found, 1 interrupted or no workers, 2 bad usage, 3 even the lowest load does not meet a \
criterion, 4 even the lowest load was not delivered. See docs/command-line.md.";

/// Looks for the highest load that meets the criteria, step by step, over the same workers.
#[derive(Debug, Parser)]
#[command(
    name = "sentinel-master-search",
    bin_name = "sentinel-master search",
    about = "Looks for the highest load that meets the criteria, step by step, over the same workers",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 100,
    after_help = AFTER_SEARCH_HELP
)]
pub struct SearchArgs {
    /// The lowest load: iterations by time, such as 500/s or 30000/m, or a number of users
    #[arg(long, value_name = "LOAD", env = "LOCUST_SEARCH_FROM", value_parser = Level::parse, help_heading = "Search")]
    pub from: Option<Level>,

    /// The highest load, of the same kind
    #[arg(long, value_name = "LOAD", env = "LOCUST_SEARCH_TO", value_parser = Level::parse, help_heading = "Search")]
    pub to: Option<Level>,

    /// What of each step is left out after its ramp
    #[arg(long, value_name = "TIME", env = "LOCUST_SEARCH_WARM_UP", value_parser = parse_timespan, default_value = "5s", help_heading = "Search")]
    pub warm_up: Duration,

    /// How long each step is measured then
    #[arg(long, value_name = "TIME", env = "LOCUST_SEARCH_STEP_TIME", value_parser = parse_timespan, default_value = "20s", help_heading = "Search")]
    pub step_time: Duration,

    /// Runs of each step; it passes if more than half of them do
    #[arg(long, value_name = "N", env = "LOCUST_SEARCH_REPEAT", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_REPEAT)), default_value_t = 1, help_heading = "Search")]
    pub repeat: u32,

    /// How near the highest passing and the lowest failing load are at the end
    #[arg(long, value_name = "SHARE", env = "LOCUST_SEARCH_PRECISION", value_parser = parse_floor, default_value = "5%", help_heading = "Search")]
    pub precision: f64,

    /// Users that serve arrivals at the same time, at most [default: those of one second, at least 10]
    #[arg(long, value_name = "N", env = "LOCUST_SEARCH_MAX_USERS", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_USERS)), help_heading = "Search")]
    pub max_users: Option<u32>,

    /// Try no more loads than this
    #[arg(long, value_name = "N", env = "LOCUST_SEARCH_MAX_STEPS", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_STEPS)), default_value_t = 20, help_heading = "Search")]
    pub max_steps: u32,

    /// Write the result and every step as JSON
    #[arg(long, value_name = "FILE", env = "LOCUST_SEARCH_RESULT", help_heading = "Search")]
    pub result: Option<PathBuf>,

    /// The options of every run.
    #[command(flatten)]
    pub run: Args,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
        SearchArgs::command().debug_assert();
    }

    #[test]
    fn short_forms_and_negative_numbers_are_understood() {
        let args =
            Args::try_parse_from(["sentinel-master", "-u", "-5", "-r", "0.5", "-t", "1h20m", "-s", "3"])
                .unwrap();
        assert_eq!((args.users, args.spawn_rate), (Some(-5), Some(0.5)));
        assert_eq!(args.run_time, Some(Duration::from_secs(4800)));
        assert_eq!(args.stop_timeout, Some(Duration::from_secs(3)));
    }

    #[test]
    fn bad_times_are_refused() {
        for time in ["1.5m", "1d", "10ms", "", "1m1h", "m5"] {
            assert!(Args::try_parse_from(["sentinel-master", "-t", time]).is_err(), "{time:?}");
        }
    }
}
