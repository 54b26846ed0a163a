//! One file of a run: found to be writable before the run begins, and then written so that nobody who looks at it
//! meanwhile sees half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};
use thiserror::Error;

use super::files::OutputKind;

/// Why a file cannot be written.
#[derive(Debug, Error)]
pub enum OutputError {
    /// The folder that it should be in is not there, and cannot be made.
    #[error("{option} cannot write {}: its folder cannot be made: {source}", path.display())]
    Folder {
        /// What asked for the file.
        option: OutputKind,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a folder of that name.
    #[error("{option} cannot write {}: there is a folder of that name; name a file", path.display())]
    IsFolder {
        /// What asked for the file.
        option: OutputKind,
        /// The file.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("{option} cannot write {}: {source}; name a place that can be written", path.display())]
    Refused {
        /// What asked for the file.
        option: OutputKind,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two outputs have one name.
    #[error("{first} and {second} both name {}: give them different names", path.display())]
    Twice {
        /// What asked for the file first.
        first: OutputKind,
        /// What asked for it, too.
        second: OutputKind,
        /// The file.
        path: PathBuf,
    },
    /// The summary of the step would be overwritten.
    #[error("{option} names {}, which GITHUB_STEP_SUMMARY names, too: name another file", path.display())]
    StepSummary {
        /// What asked for the file.
        option: OutputKind,
        /// The file.
        path: PathBuf,
    },
    /// There is nobody to write while the run goes on.
    #[error("cannot start the thread that writes --csv")]
    Thread(#[source] io::Error),
}

/// Where an output goes.
#[derive(Debug)]
pub(super) struct Place {
    kind: OutputKind,
    /// What was typed.
    named: PathBuf,
    /// The file itself, if the name is a link to one.
    path: PathBuf,
    /// A device or a pipe, whose place nothing else can take.
    is_special: bool,
    /// The last attempt to write failed.
    failed: bool,
    /// That was told.
    told: bool,
}

impl Place {
    /// Makes the folder, and finds out whether a file can be written to it.
    pub(super) fn prepare(kind: OutputKind, named: PathBuf) -> Result<Self, OutputError> {
        let refused = |source| OutputError::Refused { option: kind, path: named.clone(), source };
        if named.as_os_str().is_empty() {
            return Err(refused(io::Error::new(io::ErrorKind::InvalidInput, "the name is empty")));
        }
        let folder = folder_of(&named);
        fs::create_dir_all(folder).map_err(|source| OutputError::Folder {
            option: kind,
            path: named.clone(),
            source,
        })?;
        let folder = folder.canonicalize().map_err(refused)?;
        let name =
            named.file_name().ok_or_else(|| OutputError::IsFolder { option: kind, path: named.clone() })?;
        // A link is followed, so that it stays one. Where it leads to nothing, it is replaced.
        let path = named.canonicalize().unwrap_or_else(|_| folder.join(name));
        let metadata = fs::metadata(&path).ok();
        if metadata.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(OutputError::IsFolder { option: kind, path: named });
        }
        let is_pipe = metadata.as_ref().is_some_and(is_pipe);
        let is_special = metadata.is_some_and(|metadata| !metadata.is_file());
        let place = Self { kind, named, path, is_special, failed: false, told: false };
        let tried = if is_special && is_pipe {
            // Whoever reads it would take the end of a try for the end of all.
            Ok(())
        } else if is_special {
            open_special(&place.path).map(drop)
        } else {
            temporary(&place.path).map(drop)
        };
        tried.map_err(|source| OutputError::Refused { option: kind, path: place.named.clone(), source })?;
        Ok(place)
    }

    /// Whether `other` names the same file.
    pub(super) fn is_at(&self, other: &Path) -> bool {
        let name = other.file_name().unwrap_or_default();
        let beside = || Some(folder_of(other).canonicalize().ok()?.join(name));
        let path = other.canonicalize().ok().or_else(beside);
        self.exclusive().is_some() && self.exclusive() == path.as_deref()
    }

    pub(super) fn kind(&self) -> OutputKind {
        self.kind
    }

    /// The name that other places must not have; `None` for a device, which several may write to.
    pub(super) fn exclusive(&self) -> Option<&Path> {
        (!self.is_special).then_some(&self.path)
    }

    /// [`Place::write`] before the run begins, when there is still somebody to refuse.
    pub(super) fn begin(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let (option, path) = (self.kind, self.named.clone());
        self.put(bytes).map_err(|source| OutputError::Refused { option, path, source })
    }

    /// Removes what an earlier run left: nobody shall take it for what this one did.
    pub(super) fn clear(&self) {
        if !self.is_special
            && let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(
                "{} {} is of an earlier run and cannot be removed: {error}",
                self.kind,
                self.named.display()
            );
        }
    }

    /// Puts `bytes` in the place of what the file held. Readers see the one or the other. Trouble is told once.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let written = self.put(bytes);
        self.note(written);
    }

    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        if self.is_special { overwrite(&self.path, bytes) } else { replace(&self.path, bytes) }
    }

    /// Whether the file is what it should be.
    pub(super) fn is_complete(&self) -> bool {
        !self.failed
    }

    /// Takes note of how an attempt went.
    fn note(&mut self, written: io::Result<()>) {
        self.failed = written.is_err();
        if let Err(error) = written
            && !self.told
        {
            self.told = true;
            tracing::error!("{} cannot write {}: {error}", self.kind, self.named.display());
        }
    }
}

/// A file that grows.
#[derive(Debug)]
pub(super) struct Log {
    place: Place,
    file: File,
    /// Bytes that are known to be whole lines.
    length: u64,
    lost: bool,
}

impl Log {
    /// Empties the file and writes its first line.
    pub(super) fn begin(place: Place, header: &[u8]) -> Result<Self, OutputError> {
        let refused = |source| OutputError::Refused { option: place.kind, path: place.named.clone(), source };
        let opened = if place.is_special {
            open_special(&place.path)
        } else {
            OpenOptions::new().write(true).create(true).truncate(true).open(&place.path)
        };
        let mut file = opened.map_err(refused)?;
        file.write_all(header).map_err(refused)?;
        Ok(Self { place, file, length: header.len() as u64, lost: false })
    }

    /// Adds whole lines, or nothing.
    pub(super) fn append(&mut self, lines: &[u8]) {
        let written = self.file.write_all(lines);
        if written.is_ok() {
            self.length += lines.len() as u64;
        } else {
            self.lost = true;
            self.take_back();
        }
        self.place.note(written);
    }

    /// Whether nothing is missing.
    pub(super) fn is_complete(&self) -> bool {
        !self.lost
    }

    /// Removes what there is of a line that found no room. Devices cannot, and have been told of anyway.
    fn take_back(&mut self) {
        use std::io::Seek as _;
        let _ = self.file.set_len(self.length);
        let _ = self.file.seek(io::SeekFrom::Start(self.length));
    }
}

/// Adds text to the end of a file that others write to as well.
pub(super) fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary(path)?;
    if let Ok(metadata) = fs::metadata(path) {
        // Whoever made the old one private wants the new one to be.
        file.as_file().set_permissions(metadata.permissions())?;
    }
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    open_special(path)?.write_all(bytes)
}

/// Opens a device or a pipe. A pipe that nobody reads is an error: one could wait for ever.
#[cfg(unix)]
fn open_special(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().write(true).custom_flags(nonblocking).open(path)?;
    // Once it is open, a slow reader is waited for.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}

#[cfg(not(unix))]
fn open_special(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

#[cfg(unix)]
fn is_pipe(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    metadata.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_pipe(_: &fs::Metadata) -> bool {
    false
}

/// A new file beside `path`, which is removed unless it takes its place.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".sentinel-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What any new file has: the process's mask takes away what nobody else should have.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder_of(path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: PathBuf) -> String {
        Place::prepare(OutputKind::Html, path).unwrap_err().to_string()
    }

    #[test]
    fn folders_are_made_and_nothing_else_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/report.html");
        let mut place = Place::prepare(OutputKind::Html, path.clone()).unwrap();
        let held = || fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(held(), 0, "it was only tried out");
        for text in ["one", "two"] {
            place.write(text.as_bytes());
            assert_eq!((fs::read_to_string(&path).unwrap().as_str(), held()), (text, 1));
        }
        assert!(place.is_complete());
    }

    #[test]
    fn what_cannot_be_written_is_found_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "kept").unwrap();
        let error = refused(file.join("report.html"));
        assert!(error.contains("--html") && error.contains("file/report.html"), "{error}");
        assert!(refused(folder.path().to_owned()).contains("there is a folder of that name"));
        assert!(refused(PathBuf::new()).contains("empty"));
        assert_eq!(fs::read_to_string(file).unwrap(), "kept");
    }

    #[test]
    #[cfg(unix)]
    fn a_private_file_stays_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Place::prepare(OutputKind::Html, path.clone()).unwrap().write(b"new");
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_is_read_to_its_end_and_nobody_waits_for_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        let mut lonely = Place::prepare(OutputKind::Html, path.clone()).unwrap();
        lonely.write(b"text");
        assert!(!lonely.is_complete(), "nobody reads it");
        let mut place = Place::prepare(OutputKind::Html, path.clone()).unwrap();
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
        let reader = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
        let mut reader = File::from(reader);
        place.write(b"text");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert!(place.is_complete() && text == "text", "{text:?}");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Place::prepare(OutputKind::Html, link.clone()).unwrap().write(b"new");
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(link).unwrap().is_symlink());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_noticed() {
        let mut place = Place::prepare(OutputKind::Html, PathBuf::from("/dev/full")).unwrap();
        place.write(b"text");
        assert!(!place.is_complete());
        assert!(fs::metadata("/dev/full").is_ok(), "a device keeps its place");
        assert_eq!(place.exclusive(), None);
    }

    #[test]
    fn a_log_begins_anew_and_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.csv");
        fs::write(&path, "much that is of another run").unwrap();
        let place = Place::prepare(OutputKind::CsvHistory, path.clone()).unwrap();
        let mut log = Log::begin(place, b"header\n").unwrap();
        log.append(b"line\n");
        assert_eq!(fs::read_to_string(path).unwrap(), "header\nline\n");
        assert!(log.is_complete());
    }
}
