//! A scenario as it will run: read, selected from, its files at hand, and everything checked that workers will rely on.

use std::path::Path;
use std::sync::Arc;

use sentinel_common::catalogue::Catalogue;
use sentinel_common::files::{FileStore, NamedFiles};
use sentinel_common::scenario::{
    DataError, Notes, ProfileLoad, Scenario, Selected, Selection, SelectionError,
};
use sentinel_worker::files::{FilesError, read_files};
use sentinel_worker::http::{BadHttpSettings, PreparedHttp};
use thiserror::Error;

/// A scenario that can run.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What was selected of it.
    pub scenario: Scenario,
    /// The load that its profile says.
    pub load: ProfileLoad,
    /// The files that it names.
    pub files: Arc<FileStore>,
    /// The rows of its sources whose rows are used once, by name.
    pub sources: Vec<(String, u64)>,
    /// The classes that have no task with the tags.
    pub untagged: Vec<String>,
    /// What could have been selected.
    pub catalogue: Catalogue,
}

/// Why a scenario cannot run, with the cure.
#[derive(Debug, Error)]
pub enum BadScenario {
    /// It has mistakes; one line each.
    #[error("the scenario cannot be used:\n{0}")]
    Notes(Notes),
    /// Nothing can be selected of it like this.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A file that it names is of no use.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A file of rows is not what it should be.
    #[error("data {name} of the scenario cannot be used: {error}")]
    Data {
        /// The source.
        name: Arc<str>,
        /// What is wrong.
        error: DataError,
    },
    /// Requests cannot be sent as it says.
    #[error("{what} of the scenario cannot be used: {error}")]
    Http {
        /// Whose options these are.
        what: String,
        /// What is wrong.
        error: BadHttpSettings,
    },
}

impl Definition {
    /// Reads and checks the scenario `text`, which people call `name`; the files that it names are in `folder`.
    ///
    /// # Errors
    /// Whatever workers could not run.
    pub fn read(
        name: &str,
        text: &str,
        folder: Option<&Path>,
        selection: &Selection,
    ) -> Result<Self, BadScenario> {
        let scenario = Scenario::load(name, text).map_err(BadScenario::Notes)?;
        let catalogue = Catalogue::of_scenario(&scenario);
        let Selected { scenario, load, untagged } = scenario.select(selection)?;
        let folder = folder.unwrap_or(Path::new(""));
        let files = read_files(folder, &scenario)?;
        let contents = files.named();
        let sources = unique_sources(&scenario, &contents)?;
        check_http(&scenario, &contents)?;
        Ok(Self { scenario, load, files: Arc::new(files), sources, untagged, catalogue })
    }
}

/// Reads the rows of every source, so that a file that is no good is found before the run.
fn unique_sources(scenario: &Scenario, files: &NamedFiles) -> Result<Vec<(String, u64)>, BadScenario> {
    let mut unique = Vec::new();
    for (name, source) in &scenario.data {
        let rows = source
            .read(|file| files.get(file).map(AsRef::as_ref))
            .map_err(|error| BadScenario::Data { name: name.clone(), error })?;
        if source.is_unique() {
            unique.push((name.to_string(), rows.count()));
        }
    }
    Ok(unique)
}

/// Makes every class's client ready, so that a certificate that is no good is found before the run.
fn check_http(scenario: &Scenario, files: &NamedFiles) -> Result<(), BadScenario> {
    let classes = scenario.users.iter().map(|class| (format!("`http` of {}", class.name), &class.http));
    let own = ("`http`".to_owned(), &scenario.http);
    for (what, options) in [own].into_iter().chain(classes) {
        let settings = options.settings(|file| files.get(file).map(|bytes| bytes.as_ref().into()));
        PreparedHttp::new(&settings).map_err(|error| BadScenario::Http { what, error })?;
    }
    Ok(())
}
