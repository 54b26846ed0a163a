//! What surrounds a process that starts: its variables and the files that may set options.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::conf;
use super::setting::{Mistake, Setting};
use super::toml_tables::{self, Tables};

/// The longest file of options, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where options may come from besides the command line.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment.
    pub variables: BTreeMap<String, OsString>,
    /// The folder in which `locust.conf` and the others are looked for; empty for the current one.
    pub folder: PathBuf,
    /// Where `~` is.
    pub home: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        // A name that is no text is none of ours.
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self { variables: variables.collect(), folder: PathBuf::new(), home: std::env::home_dir() }
    }

    /// What the files say, those that come first in front. `config` is the file that was named.
    ///
    /// # Errors
    /// A file cannot be read, or is not what it should be. That a file is not there is a mistake only if it was named.
    pub fn files(&self, config: Option<&Path>) -> Result<Vec<Vec<Setting>>, Mistake> {
        let mut layers = Vec::new();
        if let Some(config) = config {
            let name = config.display().to_string();
            let text = read(&self.folder.join(config), &name)?;
            let text = text.ok_or_else(|| Mistake::new(&name, "cannot read it: there is no such file"))?;
            match config.extension().is_some_and(|extension| extension == "toml") {
                true => layers.extend(tables(&name, &text)?),
                false => layers.push(conf::parse(&name, &text)?),
            }
        }
        if let Some(text) = read(&self.folder.join("pyproject.toml"), "pyproject.toml")? {
            layers.extend(tables("pyproject.toml", &text)?);
        }
        for name in ["sentinel.conf", "locust.conf"] {
            layers.extend(self.conf(&self.folder.join(name), name)?);
        }
        for name in [".sentinel.conf", ".locust.conf"] {
            if let Some(home) = &self.home {
                layers.extend(self.conf(&home.join(name), &format!("~/{name}"))?);
            }
        }
        Ok(layers)
    }

    fn conf(&self, path: &Path, name: &str) -> Result<Option<Vec<Setting>>, Mistake> {
        read(path, name)?.map(|text| conf::parse(name, &text)).transpose()
    }
}

fn tables(name: &str, text: &str) -> Result<[Vec<Setting>; 2], Mistake> {
    let Tables { sentinel, locust } = toml_tables::parse(name, text)?;
    Ok([sentinel, locust])
}

/// The text of a file, if it is there.
fn read(path: &Path, name: &str) -> Result<Option<String>, Mistake> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 > FILE_BYTES_MAX => {
            Err(Mistake::new(name, format!("it is longer than {FILE_BYTES_MAX} bytes")))
        }
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Mistake::new(name, format!("cannot read it: {error}"))),
    }
}
