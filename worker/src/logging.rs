//! Log lines as Locust writes them: `[2026-11-23 12:35:27,715] host/INFO/sentinel_worker.session: text`, to a console or
//! to a file, and the last of them in memory. Used by both binaries.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::writer::MakeWriterExt as _;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::log_tail::{LogTail, TailWriter};

/// The last lines that this process has logged.
pub static TAIL: LogTail = LogTail::new();

/// Locust's log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(LevelFilter);

/// The options of a program's log.
#[derive(Clone, Debug, clap::Args)]
pub struct LogOptions {
    /// DEBUG, INFO, WARNING, ERROR or CRITICAL
    #[arg(
        short = 'L',
        long,
        value_name = "LEVEL",
        env = "LOCUST_LOGLEVEL",
        default_value = "INFO",
        help_heading = "Logging"
    )]
    pub loglevel: LogLevel,

    /// Write the log to this file instead of standard error
    #[arg(long, value_name = "FILE", env = "LOCUST_LOGFILE", help_heading = "Logging")]
    pub logfile: Option<PathBuf>,

    /// Write no log, and no tables
    #[arg(long, env = "LOCUST_SKIP_LOG_SETUP", help_heading = "Logging")]
    pub skip_log_setup: bool,

    /// Send traces and metrics by OpenTelemetry; not available yet
    #[arg(long, env = "LOCUST_ENABLE_OPENTELEMETRY", help_heading = "Logging")]
    pub otel: bool,
}

impl LogOptions {
    /// Begins to log as they say. What is not for a file goes to `console`.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn init<W: io::Write + 'static>(
        &self,
        console: impl Fn() -> W + Send + Sync + 'static,
    ) -> Result<(), LoggingError> {
        if self.skip_log_setup { Ok(()) } else { init(self.loglevel, self.logfile.as_deref(), console) }
    }
}

/// A word that is no log level.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no log level; there are DEBUG, INFO, WARNING, ERROR and CRITICAL")]
pub struct BadLogLevel(String);

impl FromStr for LogLevel {
    type Err = BadLogLevel;

    fn from_str(word: &str) -> Result<Self, BadLogLevel> {
        match word.to_ascii_uppercase().as_str() {
            "DEBUG" => Ok(Self(LevelFilter::DEBUG)),
            "INFO" => Ok(Self(LevelFilter::INFO)),
            "WARNING" => Ok(Self(LevelFilter::WARN)),
            // There is nothing above an error here.
            "ERROR" | "CRITICAL" => Ok(Self(LevelFilter::ERROR)),
            _ => Err(BadLogLevel(word.to_owned())),
        }
    }
}

/// Why there can be no log.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// The file cannot be written.
    #[error("cannot write the log file {path}: {cause}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        cause: io::Error,
    },
    /// There already is a log.
    #[error(transparent)]
    Twice(#[from] TryInitError),
}

/// Begins to log, to `file` or else to what `console` makes, which is written one whole line with each call. Libraries are
/// heard only when something is wrong.
///
/// # Errors
/// The file cannot be opened for appending.
fn init<W: io::Write + 'static>(
    level: LogLevel,
    file: Option<&Path>,
    console: impl Fn() -> W + Send + Sync + 'static,
) -> Result<(), LoggingError> {
    match file {
        None => install(level, console),
        Some(path) => {
            let opened = OpenOptions::new().create(true).append(true).open(path);
            let file =
                opened.map_err(|cause| LoggingError::File { path: path.display().to_string(), cause })?;
            install(level, Mutex::new(file))
        }
    }
}

fn install(
    LogLevel(level): LogLevel,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> Result<(), LoggingError> {
    // A name stands for every name that begins with it.
    let ours = ["sentinel", "inference_api"];
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(ours.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer()
        .event_format(LocustLine::new())
        .with_writer(writer.and(TailWriter(&TAIL)));
    tracing_subscriber::registry().with(targets).with(lines).try_init()?;
    Ok(())
}

/// One event as one line.
struct LocustLine {
    host: String,
}

impl LocustLine {
    fn new() -> Self {
        let name = gethostname::gethostname().to_string_lossy().into_owned();
        Self { host: name.split('.').next().unwrap_or_default().to_owned() }
    }
}

impl<S, N> FormatEvent<S, N> for LocustLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = jiff::ZonedDateTime::now();
        let target = event.metadata().target().replace("::", ".");
        let level = level_word(*event.metadata().level());
        let millis = now.subsec_nanosecond() / 1_000_000;
        write!(out, "[{},{millis:03}] {}/{level}/{target}: ", now.strftime("%Y-%m-%d %H:%M:%S"), self.host)?;
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

fn level_word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_are_locusts_in_any_case() {
        let check = |word: &str, expected| {
            assert_eq!(word.parse::<LogLevel>().ok().map(|it| it.0), expected, "{word}");
        };
        check("INFO", Some(LevelFilter::INFO));
        check("debug", Some(LevelFilter::DEBUG));
        check("Warning", Some(LevelFilter::WARN));
        check("CRITICAL", Some(LevelFilter::ERROR));
        check("warn", None);
        check("", None);
    }
}
