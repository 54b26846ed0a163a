//! The files of a plan as a worker gets them: one chunk after the other, each asked for, so that never more than one is
//! on its way and a broken connection costs one chunk.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::files::{Checksum, FileChunk, FileRef, NamedFiles, RunningChecksum, named};
use crate::messages::FromWorker;

/// How far the files of a plan have come.
#[derive(Debug, PartialEq)]
pub(super) enum Progress {
    /// This is to be asked for.
    Ask(FromWorker),
    /// All are here.
    Complete(NamedFiles),
    /// They will never be here, for this reason.
    Broken(String),
    /// Nothing has changed.
    Same,
}

/// The files that are here, and those that are wanted.
#[derive(Debug, Default)]
pub(super) struct FileCache {
    here: BTreeMap<Checksum, Bytes>,
    /// The files that a plan waits for.
    wanted: Option<Vec<FileRef>>,
    arriving: Option<Arriving>,
}

/// A file of which a part may be here.
#[derive(Debug)]
struct Arriving {
    file: FileRef,
    bytes: Vec<u8>,
    checksum: RunningChecksum,
}

impl FileCache {
    /// Wants these files, and none of those that it wanted or had before and that are not among them.
    pub(super) fn want(&mut self, files: &[FileRef]) -> Progress {
        let among = |sha256: &Checksum| files.iter().any(|file| file.sha256 == *sha256);
        self.here.retain(|sha256, _| among(sha256));
        self.arriving.take_if(|arriving| !among(&arriving.file.sha256));
        self.wanted = Some(files.to_vec());
        self.proceed()
    }

    /// Nobody waits for files any more.
    pub(super) fn give_up(&mut self) {
        self.wanted = None;
        self.arriving = None;
    }

    /// What was asked for and has not come. The connection that it was asked for on is gone.
    pub(super) fn repeat(&self) -> Option<FromWorker> {
        let arriving = self.arriving.as_ref().filter(|_| self.wanted.is_some())?;
        Some(arriving.request())
    }

    /// A chunk has come, though it may be one that is not waited for any more.
    pub(super) fn handle_chunk(&mut self, chunk: &FileChunk) -> Progress {
        let wanted = self.wanted.is_some();
        let Some(arriving) =
            self.arriving.as_mut().filter(|arriving| wanted && arriving.file.sha256 == chunk.sha256)
        else {
            return Progress::Same;
        };
        if chunk.total != arriving.file.bytes {
            return Progress::Broken(format!(
                "the master does not have {}, a file of its own plan",
                arriving.file.name
            ));
        }
        if chunk.offset != arriving.bytes.len() as u64 {
            return Progress::Same;
        }
        if chunk.bytes.is_empty() || chunk.bytes.len() > arriving.missing() {
            return Progress::Broken(format!("the master sent a wrong chunk of {}", arriving.file.name));
        }
        arriving.add(&chunk.bytes);
        self.proceed()
    }

    /// Finds out what is missing.
    fn proceed(&mut self) -> Progress {
        loop {
            if let Some(arriving) = self.arriving.take_if(|arriving| arriving.missing() == 0)
                && let Err(reason) = self.keep(arriving)
            {
                return Progress::Broken(reason);
            }
            if let Some(arriving) = &self.arriving {
                return Progress::Ask(arriving.request());
            }
            let wanted = self.wanted.as_deref().unwrap_or_default();
            let missing = wanted.iter().find(|file| !self.here.contains_key(&file.sha256));
            // An empty file is complete before anything of it has come.
            self.arriving = missing.cloned().map(Arriving::new);
            if self.arriving.is_none() {
                let files = named(wanted, &self.here);
                self.wanted = None;
                return Progress::Complete(files);
            }
        }
    }

    fn keep(&mut self, arrived: Arriving) -> Result<(), String> {
        let Arriving { file, bytes, checksum } = arrived;
        match checksum.finish() {
            sum if sum == file.sha256 => {
                self.here.insert(file.sha256, bytes.into());
                Ok(())
            }
            sum => Err(format!(
                "{} came damaged: its checksum is {sum}, the plan says {}",
                file.name, file.sha256
            )),
        }
    }
}

impl Arriving {
    fn new(file: FileRef) -> Self {
        Self { file, bytes: Vec::new(), checksum: RunningChecksum::default() }
    }

    fn missing(&self) -> usize {
        // The bounds of files were checked when the plan came.
        usize::try_from(self.file.bytes).unwrap_or(usize::MAX) - self.bytes.len()
    }

    fn add(&mut self, chunk: &[u8]) {
        // All at once, because it is known how much will come.
        self.bytes.reserve_exact(self.missing());
        self.bytes.extend_from_slice(chunk);
        self.checksum.update(chunk);
    }

    fn request(&self) -> FromWorker {
        FromWorker::FileRequest { sha256: self.file.sha256, offset: self.bytes.len() as u64 }
    }
}
