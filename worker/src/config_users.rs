//! `--config-users` of both programs: JSON on the command line, or files of it.

use std::fs::File;
use std::io::{self, Read as _};

use sentinel_common::scenario::{BadEdits, ClassEdit, EDITS_BYTES_MAX, EDITS_MAX};
use sentinel_common::verdict::exit_code;
use thiserror::Error;

/// Why a value cannot be used, with its place.
#[derive(Debug, Error)]
pub enum ConfigUsersError {
    /// It does not say what can be said of user classes.
    #[error("--config-users: {value}: {error}")]
    Bad {
        /// The value, or the file.
        value: String,
        /// What is wrong.
        error: BadEdits,
    },
    /// The file cannot be read.
    #[error("--config-users: cannot read {file}: {cause}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        cause: io::Error,
    },
}

impl ConfigUsersError {
    /// The exit code: Locust's -1 for what no class has, else that of a bad value.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Bad { error: BadEdits::Attributes(_), .. } => exit_code::MISMATCH,
            Self::Bad { .. } | Self::Unreadable { .. } => exit_code::USAGE,
        }
    }
}

/// Reads what is changed of user classes: each value is JSON, or names a file `*.json`.
///
/// # Errors
/// A value or a file that is no such thing.
pub fn read_edits(values: &[String]) -> Result<Vec<ClassEdit>, ConfigUsersError> {
    let mut edits = Vec::new();
    for value in values {
        let text = match value.ends_with(".json") {
            true => read(value)?,
            false => value.clone(),
        };
        let bad = |error| ConfigUsersError::Bad { value: value.clone(), error };
        edits.extend(ClassEdit::parse_all(&text).map_err(bad)?);
        if edits.len() > EDITS_MAX {
            return Err(ConfigUsersError::Bad { value: value.clone(), error: BadEdits::TooMany });
        }
    }
    Ok(edits)
}

fn read(file: &str) -> Result<String, ConfigUsersError> {
    let mut text = String::new();
    // One byte more than may be, by which it is seen that there is more.
    let most = EDITS_BYTES_MAX as u64 + 1;
    let read = File::open(file).and_then(|file| file.take(most).read_to_string(&mut text));
    read.map_err(|cause| ConfigUsersError::Unreadable { file: file.to_owned(), cause })?;
    Ok(text)
}
