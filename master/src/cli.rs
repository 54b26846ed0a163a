//! The master's command line: what was typed. What it means is [`crate::settings`].

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::BoolishValueParser;
use sentinel_common::timespan::parse_timespan;
use sentinel_worker::logging::LogLevel;

/// Coordinates workers that load a target, and reports what they measured.
///
/// Takes sentinel.yaml or locustfile.yaml from the current folder unless -f names another scenario; with neither,
/// users request / on --host. Exit codes: 0 passed, 1 requests failed or no workers came, 2 bad usage, 3 a criterion
/// was not met, 4 the planned load was not delivered.
#[derive(Debug, Parser)]
#[command(name = "sentinel-master", version, max_term_width = 100)]
pub struct Args {
    /// Run only these user classes of the scenario
    #[arg(value_name = "USER_CLASSES", help_heading = "Test")]
    pub classes: Vec<String>,

    /// The scenario; or locustfiles with commas in between, for workers of Locust's
    #[arg(short = 'f', long, value_name = "FILE", env = "LOCUST_LOCUSTFILE", help_heading = "Test")]
    pub locustfile: Option<PathBuf>,

    /// Run these user classes with these weights. A locustfile needs it, a scenario has classes of its own
    #[arg(long, value_name = "NAME[:WEIGHT],...", env = "LOCUST_USER_CLASSES", help_heading = "Test")]
    pub user_classes: Option<String>,

    /// Run only tasks with one of these tags
    #[arg(short = 'T', long, value_name = "TAG", num_args = 0.., env = "LOCUST_TAGS", help_heading = "Test")]
    pub tags: Vec<String>,

    /// Run no task with one of these tags
    #[arg(short = 'E', long, value_name = "TAG", num_args = 0.., env = "LOCUST_EXCLUDE_TAGS", help_heading = "Test")]
    pub exclude_tags: Vec<String>,

    /// Base URL of the target, such as http://localhost:8000; takes the place of every host in the scenario
    #[arg(short = 'H', long, value_name = "URL", env = "LOCUST_HOST", help_heading = "Test")]
    pub host: Option<String>,

    /// Users at the top of the ramp, over all workers [default: 1]
    #[arg(
        short = 'u',
        long,
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
    #[arg(long, value_name = "NAME", env = "SENTINEL_PROFILE", help_heading = "Test")]
    pub profile: Option<String>,

    /// Draw the random values of templates, tasks and waits from this seed, to repeat a run [default: a new one]
    #[arg(long, value_name = "N", env = "SENTINEL_SEED", help_heading = "Test")]
    pub seed: Option<u64>,

    /// Run without the web page: start as soon as the workers are there, end when the run ends
    #[arg(long, env = "LOCUST_HEADLESS", value_parser = BoolishValueParser::new(), help_heading = "Test")]
    pub headless: bool,

    /// How long tasks may go on when users are stopped, in whole seconds [default: 0]
    #[arg(short = 's', long, value_name = "TIME", env = "LOCUST_STOP_TIMEOUT", value_parser = parse_timespan, help_heading = "Test")]
    pub stop_timeout: Option<Duration>,

    /// Forget the statistics of the ramp once all users run
    #[arg(long, env = "LOCUST_RESET_STATS", value_parser = BoolishValueParser::new(), help_heading = "Test")]
    pub reset_stats: bool,

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

    /// Give up if they are not there after this many seconds; 0 to wait for ever
    #[arg(
        long,
        value_name = "SECONDS",
        env = "LOCUST_EXPECT_WORKERS_MAX_WAIT",
        default_value_t = 0,
        help_heading = "Workers"
    )]
    pub expect_workers_max_wait: u32,

    /// When a worker is lost, place all users anew as Locust does, instead of only those that were lost
    #[arg(long, help_heading = "Workers")]
    pub enable_rebalancing: bool,

    /// Run this many workers inside this process
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Workers")]
    pub local_workers: Option<u16>,

    /// Try Sentinel out: load a fraud inference API that runs inside this process, with a local worker
    #[arg(long, help_heading = "Workers")]
    pub demo: bool,

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
    #[arg(long, env = "LOCUST_CSV_FULL_HISTORY", value_parser = BoolishValueParser::new(), help_heading = "Output")]
    pub csv_full_history: bool,

    /// Write a report with charts; in FILE, {u} is the number of users, {r} the spawn rate, {t} the run time in seconds
    #[arg(long, value_name = "FILE", env = "LOCUST_HTML", help_heading = "Output")]
    pub html: Option<PathBuf>,

    /// Write the verdict and every criterion as JUnit XML
    #[arg(long, value_name = "FILE", env = "SENTINEL_JUNIT", help_heading = "Output")]
    pub junit: Option<PathBuf>,

    /// Write a summary in Markdown; it is also appended to the file that GITHUB_STEP_SUMMARY names
    #[arg(long, value_name = "FILE", env = "SENTINEL_SUMMARY_MD", help_heading = "Output")]
    pub summary_md: Option<PathBuf>,

    /// Print no tables while the run goes on
    #[arg(long, env = "LOCUST_ONLY_SUMMARY", value_parser = BoolishValueParser::new(), help_heading = "Output")]
    pub only_summary: bool,

    /// Exit code when any request failed, whatever the criteria allow [default: 1, if no criterion is about failures]
    #[arg(long, value_name = "CODE", env = "LOCUST_EXIT_CODE_ON_ERROR", help_heading = "Output")]
    pub exit_code_on_error: Option<u8>,

    /// DEBUG, INFO, WARNING, ERROR or CRITICAL
    #[arg(
        short = 'L',
        long,
        value_name = "LEVEL",
        env = "LOCUST_LOGLEVEL",
        default_value = "INFO",
        help_heading = "Output"
    )]
    pub loglevel: LogLevel,

    /// Write the log to this file instead of standard error; tables still go there
    #[arg(long, value_name = "FILE", env = "LOCUST_LOGFILE", help_heading = "Output")]
    pub logfile: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
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
