//! Reads the files that a scenario names, on whichever side the scenario itself was read.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sentinel_common::files::{BadFiles, FILES_BYTES_MAX, FileStore};
use thiserror::Error;

/// Why the files of a scenario are of no use.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file cannot be read.
    #[error("cannot read {path}, which the scenario names: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// They are too many or too large.
    #[error(transparent)]
    Bad(#[from] BadFiles),
}

/// Reads the files of these names, relative to the folder of the scenario.
///
/// # Errors
/// A file cannot be read, or they are too many or too large.
pub fn read_files<'n>(
    folder: &Path,
    names: impl IntoIterator<Item = &'n Arc<str>>,
) -> Result<FileStore, FilesError> {
    let mut store = FileStore::default();
    for name in names {
        let path = folder.join(&**name);
        let mut contents = Vec::new();
        // A little more than a run may have, so that a file that is far too long is refused and not read.
        let read =
            open_regular(&path).and_then(|file| file.take(FILES_BYTES_MAX + 1).read_to_end(&mut contents));
        read.map_err(|cause| FilesError::Unreadable { path, cause })?;
        store.add(name, contents)?;
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
