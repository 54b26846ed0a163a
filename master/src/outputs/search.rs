//! The files that a search leaves behind, all of them at its end.

use std::path::PathBuf;

use sentinel_common::search::Search;

use super::place::{OutputError, Place};
use super::{OutputKind, append_summary, appended_once, prepare};
use crate::view::{Environment, search_json, search_md, search_page};

/// The files that a search was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchFiles {
    /// `--html`
    pub html: Option<PathBuf>,
    /// `--summary-md`
    pub summary_md: Option<PathBuf>,
    /// `--result`
    pub result: Option<PathBuf>,
}

/// The files of a search, which were found to be writable.
#[derive(Debug, Default)]
pub struct SearchOutputs {
    places: Vec<Place>,
    step_summary: Option<PathBuf>,
    environment: Environment,
}

impl SearchOutputs {
    /// Makes the folders and finds out whether every file can be written. `step_summary` is what `GITHUB_STEP_SUMMARY` says,
    /// `environment` is for the page.
    ///
    /// # Errors
    /// A file that cannot be written, or that two options name.
    pub fn open(
        files: &SearchFiles,
        step_summary: Option<PathBuf>,
        environment: Environment,
    ) -> Result<Self, OutputError> {
        let files = [
            (OutputKind::Html, &files.html),
            (OutputKind::SummaryMd, &files.summary_md),
            (OutputKind::Result, &files.result),
        ];
        let named = files.into_iter().filter_map(|(kind, path)| Some((kind, path.clone()?)));
        let mut places = prepare(named.collect())?;
        appended_once(&mut places, step_summary.as_deref())?;
        Ok(Self { places, step_summary, environment })
    }

    /// Writes everything. Returns whether all files are what they should be; what is not was told.
    #[must_use]
    pub fn finish(self, search: &Search) -> bool {
        let mut complete = true;
        for mut place in self.places {
            let text = match place.kind() {
                OutputKind::Html => search_page(search, &self.environment),
                OutputKind::SummaryMd => search_md(search),
                _ => search_json(search),
            };
            place.write(text.as_bytes());
            complete &= place.is_complete();
        }
        if let Some(path) = &self.step_summary {
            append_summary(path, &search_md(search));
        }
        complete
    }
}
