//! The files that a run leaves behind: CSV while it goes on, everything else when it is over.
//!
//! ```text
//! command line ─► OutputFiles ─► Outputs::open ─► progress, progress, … ─► finish
//!                 (what)         (can it be?)     └► Live ─► CsvFiles      └► every file once more, complete
//! ```
//!
//! What is in a file is decided by [`crate::view`], from the report; here is only where it goes and what happens if it
//! cannot. A file that cannot be written is found before the run begins if it can be found at all; later it costs a
//! line in the log and the exit code, and neither the console nor any other file.

mod csv_files;
mod files;
mod live;
mod place;
mod search;

use std::path::{Path, PathBuf};

use sentinel_common::report::Report;

pub use self::files::{OutputFiles, OutputKind};
pub use self::place::OutputError;
pub use self::search::{SearchFiles, SearchOutputs};

use self::csv_files::CsvFiles;
use self::live::Live;
use self::place::Place;
use crate::view::{Environment, junit_xml, locust_json, report_page, summary_md};

/// The files of a run.
#[derive(Debug, Default)]
pub struct Outputs {
    live: Option<Live>,
    at_the_end: Vec<Place>,
    /// The summary of a step of GitHub Actions. It is appended to, and nobody asked for it.
    step_summary: Option<PathBuf>,
    environment: Environment,
}

impl Outputs {
    /// Makes the folders and finds out whether every file can be written. Nothing is written yet but the first lines of
    /// the CSV files. `step_summary` is what `GITHUB_STEP_SUMMARY` says, `environment` is for the page.
    ///
    /// # Errors
    /// A file that cannot be written, or that two options name.
    pub fn open(
        files: &OutputFiles,
        step_summary: Option<PathBuf>,
        environment: Environment,
    ) -> Result<Self, OutputError> {
        let mut places = prepare(files.paths())?;
        spare(&places, &files.others)?;
        appended_once(&mut places, step_summary.as_deref())?;
        let mut outputs = Self { step_summary, environment, ..Self::default() };
        let at_the_end =
            if files.csv.is_some() { places.split_off(CSV_FILES) } else { std::mem::take(&mut places) };
        outputs.at_the_end = at_the_end;
        if let Ok([stats, history, failures, exceptions]) = <[Place; CSV_FILES]>::try_from(places) {
            let csv = CsvFiles::begin(stats, history, failures, exceptions, files.csv_full_history)?;
            outputs.live = Some(Live::start(csv).map_err(OutputError::Thread)?);
        }
        Ok(outputs)
    }

    /// Writes where a run that goes on stands, soon and elsewhere.
    pub fn progress(&self, report: &Report) {
        if let Some(live) = &self.live {
            live.show(report.clone());
        }
    }

    /// Writes everything about a run that is over; if there was none, files of an earlier one are removed. Takes as long as the disk takes. Returns
    /// whether all files are what they should be; what is not was told.
    #[must_use]
    pub fn finish(self, report: Option<&Report>) -> bool {
        let mut complete = true;
        if let Some(live) = self.live {
            complete = live.stop().is_some_and(|mut csv| {
                report.iter().for_each(|report| csv.write(report));
                csv.are_complete()
            });
        }
        let Some(report) = report else {
            self.at_the_end.iter().for_each(Place::clear);
            return complete;
        };
        for mut place in self.at_the_end {
            place.write(&content(place.kind(), report, &self.environment));
            complete &= place.is_complete();
        }
        if let Some(path) = &self.step_summary {
            append_summary(path, &summary_md(report));
        }
        complete
    }
}

/// Finds out whether all these files can be written, each to a place of its own.
fn prepare(files: Vec<(OutputKind, PathBuf)>) -> Result<Vec<Place>, OutputError> {
    let mut places = Vec::new();
    for (kind, path) in files {
        let place = Place::prepare(kind, path.clone())?;
        let same = places
            .iter()
            .find(|other: &&Place| place.exclusive().is_some() && other.exclusive() == place.exclusive());
        if let Some(first) = same.map(Place::kind) {
            return Err(OutputError::Twice { first, second: kind, path });
        }
        places.push(place);
    }
    Ok(places)
}

/// Finds out whether no output takes the place of a file that the run needs otherwise.
fn spare(places: &[Place], others: &[(OutputKind, PathBuf)]) -> Result<(), OutputError> {
    for (first, path) in others {
        if let Some(place) = places.iter().find(|place| place.is_at(path)) {
            return Err(OutputError::Twice { first: *first, second: place.kind(), path: path.clone() });
        }
    }
    Ok(())
}

/// Leaves the file that GITHUB_STEP_SUMMARY names to be appended to, which is what it is for.
fn appended_once(places: &mut Vec<Place>, step_summary: Option<&Path>) -> Result<(), OutputError> {
    let Some(path) = step_summary else { return Ok(()) };
    places.retain(|place| place.kind() != OutputKind::SummaryMd || !place.is_at(path));
    match places.iter().find(|place| place.is_at(path)) {
        Some(place) => Err(OutputError::StepSummary { option: place.kind(), path: path.to_owned() }),
        None => Ok(()),
    }
}

/// Adds a summary to that of a step of GitHub Actions, which nobody asked for: it may fail.
fn append_summary(path: &Path, summary: &str) {
    if let Err(error) = place::append(path, summary) {
        tracing::warn!("The summary was not added to {} (GITHUB_STEP_SUMMARY): {error}", path.display());
    }
}

/// How many files `--csv` asks for.
const CSV_FILES: usize = 4;

/// What is in a file that is written at the end.
fn content(kind: OutputKind, report: &Report, environment: &Environment) -> Vec<u8> {
    let text = match kind {
        OutputKind::Json => locust_json(report) + "\n",
        OutputKind::Html => report_page(report, environment),
        OutputKind::Junit => junit_xml(report),
        OutputKind::SummaryMd => summary_md(report),
        OutputKind::CsvStats
        | OutputKind::CsvHistory
        | OutputKind::CsvFailures
        | OutputKind::CsvExceptions => {
            unreachable!("CSV files are written while the run goes on")
        }
        OutputKind::Result => unreachable!("only a search has a result"),
        OutputKind::Log | OutputKind::Locustfile | OutputKind::Config => {
            unreachable!("others write and read these")
        }
    };
    text.into_bytes()
}
