//! The files that say what users do: a scenario of ours, or locustfiles for Locust's workers.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sentinel_common::locust::LocustfileSource;
use sentinel_common::scenario::FILE_BYTES_MAX;
use thiserror::Error;

/// The scenarios that are looked for when no file is named, in this order.
const DEFAULT_SCENARIOS: [&str; 2] = ["sentinel.yaml", "locustfile.yaml"];

/// The locustfile that is looked for after them, when the user classes are named.
const DEFAULT_LOCUSTFILE: &str = "locustfile.py";

/// All locustfiles together; they have to fit into one message.
const LOCUSTFILES_BYTES_MAX: usize = 8 << 20;

/// The most locustfiles.
const LOCUSTFILES_MAX: usize = 100;

/// What users do when there is no file at all.
const BUILT_IN: &str = include_str!("built_in.yaml");

/// The scenario of the demo.
#[cfg(feature = "demo")]
const DEMO: &str = include_str!("../../loadtest/fraud.yaml");

/// What users do, as it was found.
#[derive(Debug)]
pub enum Source {
    /// A scenario, which every worker can run, Locust's if they have user classes of the same names.
    Scenario {
        /// The file's name, for people.
        name: String,
        /// Its text.
        text: String,
        /// The folder that the files which it names are relative to; `None` if it is part of this program and no file.
        folder: Option<PathBuf>,
    },
    /// Locustfiles, which only Locust's workers can run; they may ask for them. None if they bring their own.
    Locustfiles {
        /// Their names, for people.
        name: String,
        /// Their texts.
        files: Vec<LocustfileSource>,
    },
}

/// Why there is nothing to run, with the cure.
#[derive(Debug, Error)]
pub enum SourceError {
    /// A file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file is neither of the kinds.
    #[error("{0} is neither a YAML scenario (.yaml, .yml) nor a locustfile (.py)")]
    UnknownKind(PathBuf),
    /// Several files of which not all are locustfiles.
    #[error("-f takes one YAML scenario, or locustfiles alone; {0} is no locustfile")]
    Mixed(PathBuf),
    /// What a locustfile defines is not known.
    #[error(
        "{0} is a locustfile: say which user classes of it to run, such as --user-classes WebsiteUser or \
         --user-classes Reader:3,Writer"
    )]
    NoUserClasses(String),
    /// They do not fit into a message.
    #[error(
        "the locustfiles are too large to hand them to workers: at most {LOCUSTFILES_MAX} files and 8 MiB"
    )]
    TooLarge,
    /// The demo's target is not part of this build.
    #[error("--demo was left out of this build; build it with the feature `demo`")]
    NoDemo,
}

/// Finds what users do. `named` is what `-f` names: one file, or several with commas in between. `classes_named` says
/// whether the user classes of a locustfile are known.
///
/// # Errors
/// A file that cannot be read or is of no use.
pub fn find(named: Option<&Path>, demo: bool, classes_named: bool) -> Result<Source, SourceError> {
    if let Some(named) = named {
        return read(&parts(named), classes_named);
    }
    if demo {
        return demo_scenario();
    }
    let defaults = DEFAULT_SCENARIOS.into_iter().chain(classes_named.then_some(DEFAULT_LOCUSTFILE));
    if let Some(path) = defaults.map(Path::new).find(|path| path.exists()) {
        return read(&[path.to_owned()], classes_named);
    }
    Ok(match classes_named {
        true => Source::Locustfiles { name: "the workers' own locustfiles".to_owned(), files: Vec::new() },
        false => {
            let (name, text) = ("built-in scenario".to_owned(), BUILT_IN.to_owned());
            Source::Scenario { name, text, folder: None }
        }
    })
}

#[cfg(feature = "demo")]
fn demo_scenario() -> Result<Source, SourceError> {
    Ok(Source::Scenario { name: "fraud.yaml".to_owned(), text: DEMO.to_owned(), folder: None })
}

#[cfg(not(feature = "demo"))]
fn demo_scenario() -> Result<Source, SourceError> {
    Err(SourceError::NoDemo)
}

/// The files that `-f` names. A name that is no text has no commas.
fn parts(named: &Path) -> Vec<PathBuf> {
    match named.to_str() {
        Some(text) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(PathBuf::from).collect()
        }
        None => vec![named.to_owned()],
    }
}

fn read(paths: &[PathBuf], classes_named: bool) -> Result<Source, SourceError> {
    match paths {
        [path] if is_yaml(path) => {
            let name = path.display().to_string();
            let folder = path.parent().map(Path::to_owned).unwrap_or_default();
            Ok(Source::Scenario { name, text: read_bounded(path)?, folder: Some(folder) })
        }
        [path] if !is_locustfile(path) => Err(SourceError::UnknownKind(path.clone())),
        _ => read_locustfiles(paths, classes_named),
    }
}

fn read_locustfiles(paths: &[PathBuf], classes_named: bool) -> Result<Source, SourceError> {
    if let Some(path) = paths.iter().find(|path| !is_locustfile(path)) {
        return Err(SourceError::Mixed(path.clone()));
    }
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let name = names.join(",");
    if !classes_named {
        return Err(SourceError::NoUserClasses(name));
    }
    if paths.len() > LOCUSTFILES_MAX {
        return Err(SourceError::TooLarge);
    }
    let mut files = Vec::new();
    let mut bytes = 0;
    for path in paths {
        let contents = read_bounded(path)?;
        bytes += contents.len();
        if contents.len() > FILE_BYTES_MAX || bytes > LOCUSTFILES_BYTES_MAX {
            return Err(SourceError::TooLarge);
        }
        let filename = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push(LocustfileSource::File { filename, contents });
    }
    Ok(Source::Locustfiles { name, files })
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn is_locustfile(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

/// Reads a little more than a scenario may have, so that a file that is far too long is refused and not read.
fn read_bounded(path: &Path) -> Result<String, SourceError> {
    let mut text = String::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(cause) => Err(SourceError::Unreadable { path: path.to_owned(), cause }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }

    fn refused(named: &str, classes_named: bool, expected: &str) {
        let error = find(Some(Path::new(named)), false, classes_named).unwrap_err().to_string();
        assert!(error.contains(expected), "{named}: {error}");
    }

    #[test]
    fn locustfiles_are_handed_out_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (file(&folder, "a.py", "A = 1"), file(&folder, "b.py", "B = 2"));
        let found = find(Some(Path::new(&format!("{a}, {b}"))), false, true).unwrap();
        let Source::Locustfiles { files, .. } = found else { panic!("{found:?}") };
        let expected = [("a.py", "A = 1"), ("b.py", "B = 2")].map(|(filename, contents)| {
            LocustfileSource::File { filename: filename.to_owned(), contents: contents.to_owned() }
        });
        assert_eq!(files, expected);
    }

    #[test]
    fn mistakes_are_named_with_their_cure() {
        let folder = tempfile::tempdir().unwrap();
        let (python, yaml) = (file(&folder, "a.py", ""), file(&folder, "b.yaml", ""));
        refused(&python, false, "--user-classes");
        refused(&format!("{python},{yaml}"), true, "b.yaml is no locustfile");
        refused("a.txt", true, "neither");
        refused("/does/not/exist.yaml", false, "cannot read /does/not/exist.yaml");
        refused("/does/not/exist.py", true, "cannot read /does/not/exist.py");
        let large = file(&folder, "large.py", &"#".repeat(FILE_BYTES_MAX + 1));
        refused(&large, true, "too large");
    }
}
