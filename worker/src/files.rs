//! Reads the files that a scenario names, on whichever side the scenario itself was read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sentinel_common::files::{BadFiles, FILES_BYTES_MAX, FileStore};
use sentinel_common::scenario::Scenario;
use thiserror::Error;

/// Why the files of a scenario are of no use.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error("{place}: cannot read {path}: {cause}")]
    Unreadable {
        /// Where the scenario names it.
        place: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// They are too many or too large.
    #[error(transparent)]
    Bad(#[from] BadFiles),
}

/// Reads the files that the scenario names, relative to its folder.
///
/// # Errors
/// A file cannot be read, or they are too many or too large.
pub fn read_files(folder: &Path, scenario: &Scenario) -> Result<FileStore, FilesError> {
    let mut store = FileStore::default();
    for name in scenario.files() {
        let path = folder.join(&*name);
        let mut contents = Vec::new();
        // A little more than a run may have, so that a file that is far too long is refused and not read.
        let read =
            open_regular(&path).and_then(|file| file.take(FILES_BYTES_MAX + 1).read_to_end(&mut contents));
        read.map_err(|cause| {
            let place = scenario.file_places.get(&name).cloned().unwrap_or_default();
            FilesError::Unreadable { place, path, cause }
        })?;
        store.add(&name, contents)?;
    }
    Ok(store)
}

/// Opens what is a file and not, say, a pipe, which might never end.
fn open_regular(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
    }
}
