//! Which files a run is to leave behind, as the command line names them.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use sentinel_common::load::Load;
use sentinel_common::report::Detail;

use crate::cli::Args;

/// The files that were asked for. Nothing is known yet about whether they can be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputFiles {
    /// `--csv`: what the names of the four CSV files begin with.
    pub csv: Option<PathBuf>,
    /// `--csv-full-history`: every row in the history, not only the total.
    pub csv_full_history: bool,
    /// `--json-file`: Locust's JSON, with `.json` behind what was typed.
    pub json: Option<PathBuf>,
    /// `--html`, with its placeholders filled in.
    pub html: Option<PathBuf>,
    /// `--junit`
    pub junit: Option<PathBuf>,
    /// `--summary-md`
    pub summary_md: Option<PathBuf>,
    /// What a run reads or writes otherwise, and no output may take the place of.
    pub others: Vec<(OutputKind, PathBuf)>,
}

/// A file of a run, by the option that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the options")]
pub enum OutputKind {
    CsvStats,
    CsvHistory,
    CsvFailures,
    CsvExceptions,
    Json,
    Html,
    Junit,
    SummaryMd,
    Result,
    Log,
    Locustfile,
    Config,
}

impl OutputKind {
    /// The option that asks for it.
    pub fn option(self) -> &'static str {
        match self {
            Self::CsvStats | Self::CsvHistory | Self::CsvFailures | Self::CsvExceptions => "--csv",
            Self::Json => "--json-file",
            Self::Html => "--html",
            Self::Junit => "--junit",
            Self::SummaryMd => "--summary-md",
            Self::Result => "--result",
            Self::Log => "--logfile",
            Self::Locustfile => "--locustfile",
            Self::Config => "--config",
        }
    }
}

impl fmt::Display for OutputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.option())
    }
}

impl OutputFiles {
    /// What `args` ask for. `load` fills in the placeholders of `--html`.
    ///
    /// # Errors
    /// Options that make no sense together, in one sentence.
    pub fn of(args: &Args, load: &Load) -> Result<Self, String> {
        if args.csv_full_history && args.csv.is_none() {
            return Err("--csv-full-history needs --csv, which says where the history goes".to_owned());
        }
        let others = [
            (OutputKind::Log, &args.log.logfile),
            (OutputKind::Locustfile, &args.locustfile),
            (OutputKind::Config, &args.config),
        ];
        Ok(Self {
            csv: args.csv.clone(),
            csv_full_history: args.csv_full_history,
            json: args.json_file.as_deref().map(|prefix| with_end(prefix, ".json")),
            html: args.html.as_deref().map(|name| filled_in(name, load)),
            junit: args.junit.clone(),
            summary_md: args.summary_md.clone(),
            others: others.into_iter().filter_map(|(kind, path)| Some((kind, path.clone()?))).collect(),
        })
    }

    /// The files, with what each is.
    pub fn paths(&self) -> Vec<(OutputKind, PathBuf)> {
        let csv = self.csv.iter().flat_map(|prefix| {
            [
                (OutputKind::CsvStats, with_end(prefix, "_stats.csv")),
                (OutputKind::CsvHistory, with_end(prefix, "_stats_history.csv")),
                (OutputKind::CsvFailures, with_end(prefix, "_failures.csv")),
                (OutputKind::CsvExceptions, with_end(prefix, "_exceptions.csv")),
            ]
        });
        let others = [
            (OutputKind::Json, &self.json),
            (OutputKind::Html, &self.html),
            (OutputKind::Junit, &self.junit),
            (OutputKind::SummaryMd, &self.summary_md),
        ];
        csv.chain(others.into_iter().filter_map(|(kind, path)| Some((kind, path.clone()?)))).collect()
    }

    /// What the reports on a run that goes on must hold for these files.
    pub fn live_detail(&self) -> Detail {
        if self.csv_full_history { Detail::Times } else { Detail::Live }
    }
}

fn with_end(prefix: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(prefix);
    name.push(end);
    PathBuf::from(name)
}

/// Locust's placeholders: `{u}` users, `{r}` spawn rate, `{t}` run time in seconds. Without a run time, `{t}` stays.
fn filled_in(name: &Path, load: &Load) -> PathBuf {
    // A name that is not text has no placeholders that anybody typed.
    let Some(text) = name.to_str() else { return name.to_owned() };
    let mut text = text.replace("{u}", &load.users.to_string());
    text = text.replace("{r}", &load.spawn_rate.as_per_second().to_string());
    if let Some(run_time) = load.run_time {
        text = text.replace("{t}", &run_time.as_secs_f64().to_string());
    }
    PathBuf::from(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;

    use super::*;

    fn files(args: &[&str], run_time: Option<Duration>) -> Result<OutputFiles, String> {
        let args = ["sentinel-master"].iter().chain(args);
        OutputFiles::of(&Args::try_parse_from(args).unwrap(), &Load::new(50, 2.5, run_time).unwrap())
    }

    #[test]
    fn a_prefix_becomes_four_files() {
        let files = files(&["--csv", "out/a.b", "--json-file", "c"], None).unwrap();
        let names: Vec<String> = files.paths().iter().map(|(_, path)| path.display().to_string()).collect();
        let csv =
            ["stats", "stats_history", "failures", "exceptions"].map(|end| format!("out/a.b_{end}.csv"));
        assert_eq!(names, [&csv[..], &["c.json".to_owned()]].concat());
    }

    #[test]
    fn placeholders_are_filled_in_as_in_locust() {
        let html = |name, run_time| files(&["--html", name], run_time).unwrap().html.unwrap();
        let minute = Some(Duration::from_secs(60));
        assert_eq!(html("r_{u}u_{r}_{t}s.html", minute), Path::new("r_50u_2.5_60s.html"));
        assert_eq!(html("{t}{x}.html", None), Path::new("{t}{x}.html"));
    }

    #[test]
    fn a_full_history_needs_a_place() {
        let error = files(&["--csv-full-history"], None).unwrap_err();
        assert!(error.contains("needs --csv"), "{error}");
        let full = files(&["--csv", "a", "--csv-full-history"], None).unwrap();
        assert_eq!((full.live_detail(), OutputFiles::default().live_detail()), (Detail::Times, Detail::Live));
    }
}
