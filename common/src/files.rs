//! The files that a scenario names: what they contain is known by its checksum, so that a worker is given once what it
//! does not have.
//!
//! The master reads them and hands them out in chunks; no file is opened here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The largest chunk of a file in one message, in bytes.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// The most that the files of one run may contain together, in bytes.
pub const FILES_BYTES_MAX: u64 = 64 << 20;

/// The most files of one run.
pub const FILES_MAX: usize = 1_000;

/// The longest name of a file, in bytes.
pub const FILE_NAME_BYTES_MAX: usize = 4_096;

/// What files contain, by the names that the scenario gives them.
pub type NamedFiles = BTreeMap<String, Bytes>;

/// The SHA-256 checksum of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum(pub [u8; 32]);

impl Checksum {
    /// The checksum of these bytes.
    pub fn of(contents: &[u8]) -> Self {
        Self(Sha256::digest(contents).into())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

/// The checksum of bytes that come chunk by chunk.
#[derive(Clone, Debug, Default)]
pub struct RunningChecksum(Sha256);

impl RunningChecksum {
    /// Takes the next chunk into account.
    pub fn update(&mut self, chunk: &[u8]) {
        self.0.update(chunk);
    }

    /// The checksum of all chunks.
    pub fn finish(self) -> Checksum {
        Checksum(self.0.finalize().into())
    }
}

/// A file as a plan refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRef {
    /// Its name, as the scenario gives it.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    /// The checksum of what it contains.
    pub sha256: Checksum,
}

/// Why files cannot be those of a run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadFiles {
    /// There are too many.
    #[error("a run takes at most {FILES_MAX} files")]
    TooMany,
    /// They are too large.
    #[error("the files of a run may take {max} MiB; with {0} they take more", max = FILES_BYTES_MAX >> 20)]
    TooLarge(String),
    /// A name is no name.
    #[error("the name of a file has 1 to {max} bytes, this one has {0}", max = FILE_NAME_BYTES_MAX)]
    Name(usize),
    /// Two files have one name.
    #[error("there are two files of the name {0}")]
    Twice(String),
    /// One of two references to the same contents must be wrong.
    #[error("{0} has the contents of another file and a different length")]
    Length(String),
}

/// Checks that these can be the files of one run.
///
/// # Errors
/// There are too many, they are too large together, or they contradict each other.
pub fn check(files: &[FileRef]) -> Result<(), BadFiles> {
    if files.len() > FILES_MAX {
        return Err(BadFiles::TooMany);
    }
    let mut names = BTreeSet::new();
    let mut lengths = BTreeMap::new();
    let mut sum = 0_u64;
    for file in files {
        if file.name.is_empty() || file.name.len() > FILE_NAME_BYTES_MAX {
            return Err(BadFiles::Name(file.name.len()));
        }
        if !names.insert(&file.name) {
            return Err(BadFiles::Twice(file.name.clone()));
        }
        match lengths.insert(file.sha256, file.bytes) {
            None => sum = sum.saturating_add(file.bytes),
            Some(bytes) if bytes == file.bytes => {}
            Some(_) => return Err(BadFiles::Length(file.name.clone())),
        }
        if sum > FILES_BYTES_MAX {
            return Err(BadFiles::TooLarge(file.name.clone()));
        }
    }
    Ok(())
}

/// A chunk of a file, or the news that there is no such file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChunk {
    /// Which file.
    pub sha256: Checksum,
    /// Where the chunk begins.
    pub offset: u64,
    /// How long the whole file is; zero if there is no such file.
    pub total: u64,
    /// The chunk.
    pub bytes: Bytes,
}

/// The files of a run with what they contain. Equal contents are kept once.
#[derive(Clone, Debug, Default)]
pub struct FileStore {
    files: Vec<FileRef>,
    contents: BTreeMap<Checksum, Bytes>,
}

impl FileStore {
    /// Adds a file. The same file may be added again.
    ///
    /// # Errors
    /// With this file, a run would have too many, or another one of its name.
    pub fn add(&mut self, name: &str, contents: impl Into<Bytes>) -> Result<(), BadFiles> {
        let contents = contents.into();
        let (bytes, sha256) = (contents.len() as u64, Checksum::of(&contents));
        let file = FileRef { name: name.to_owned(), bytes, sha256 };
        if self.files.contains(&file) {
            return Ok(());
        }
        self.files.push(file);
        if let Err(error) = check(&self.files) {
            self.files.pop();
            return Err(error);
        }
        self.contents.insert(sha256, contents);
        Ok(())
    }

    /// The files, in the order in which they were added.
    pub fn files(&self) -> &[FileRef] {
        &self.files
    }

    /// What the files contain, by name.
    pub fn named(&self) -> NamedFiles {
        named(&self.files, &self.contents)
    }

    /// The chunk of a file that begins at `offset`. It shares its bytes with the file.
    pub fn chunk(&self, sha256: Checksum, offset: u64) -> FileChunk {
        let none = Bytes::new();
        let contents = self.contents.get(&sha256).unwrap_or(&none);
        let total = contents.len();
        let begin = usize::try_from(offset).map_or(total, |offset| offset.min(total));
        let end = total.min(begin.saturating_add(CHUNK_BYTES_MAX));
        FileChunk { sha256, offset, total: total as u64, bytes: contents.slice(begin..end) }
    }
}

/// The contents of `files` by name, as far as they are there.
pub fn named(files: &[FileRef], contents: &BTreeMap<Checksum, Bytes>) -> NamedFiles {
    let named = |file: &FileRef| Some((file.name.clone(), contents.get(&file.sha256)?.clone()));
    files.iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(files: &[(&str, usize)]) -> Result<FileStore, BadFiles> {
        let mut store = FileStore::default();
        for (name, bytes) in files {
            store.add(name, vec![*bytes as u8; *bytes])?;
        }
        Ok(store)
    }

    #[test]
    fn checksums_are_those_of_everybody_else() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Checksum::of(text.as_bytes()).to_string(), expected, "{text}");
            let mut running = RunningChecksum::default();
            text.as_bytes().chunks(2).for_each(|chunk| running.update(chunk));
            assert_eq!(running.finish().to_string(), expected, "{text}, chunk by chunk");
        };
        check("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn equal_contents_are_kept_once() {
        let files = store(&[("a.csv", 7), ("b.csv", 7), ("a.csv", 7)]).unwrap();
        assert_eq!(
            files.files().iter().map(|file| file.name.as_str()).collect::<Vec<_>>(),
            ["a.csv", "b.csv"]
        );
        let named = files.named();
        assert_eq!(named["a.csv"].as_ptr(), named["b.csv"].as_ptr());
    }

    #[test]
    fn files_beyond_their_bounds_are_refused() {
        let check = |files: &[(&str, usize)], expected: &str| {
            assert_eq!(store(files).unwrap_err().to_string(), expected);
        };
        let half = FILES_BYTES_MAX as usize / 2;
        assert!(store(&[("a", half), ("b", half)]).is_ok(), "{half} twice is the same contents");
        check(&[("a", half), ("b", half + 1)], "the files of a run may take 64 MiB; with b they take more");
        check(&[("a", 1), ("a", 2)], "there are two files of the name a");
        check(&[("", 1)], "the name of a file has 1 to 4096 bytes, this one has 0");
        check(&[(&"x".repeat(4097), 1)], "the name of a file has 1 to 4096 bytes, this one has 4097");
        let names: Vec<String> = (0..=FILES_MAX).map(|number| number.to_string()).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        check(&many, "a run takes at most 1000 files");
    }

    #[test]
    fn references_that_contradict_each_other_are_refused() {
        let file = |name: &str, bytes| FileRef { name: name.to_owned(), bytes, sha256: Checksum([1; 32]) };
        assert_eq!(check(&[file("a", 5), file("b", 5)]), Ok(()));
        assert_eq!(check(&[file("a", 5), file("b", 6)]), Err(BadFiles::Length("b".to_owned())));
    }

    #[test]
    fn pieces_make_up_the_file_and_share_its_bytes() {
        let whole: Vec<u8> = (0..2 * CHUNK_BYTES_MAX + 5).map(|at| (at % 251) as u8).collect();
        let mut store = FileStore::default();
        store.add("large.csv", whole.clone()).unwrap();
        let sha256 = store.files()[0].sha256;
        let (mut read, mut chunks) = (Vec::new(), 0);
        while read.len() < whole.len() {
            let chunk = store.chunk(sha256, read.len() as u64);
            assert_eq!((chunk.offset, chunk.total), (read.len() as u64, whole.len() as u64));
            assert!(store.named()["large.csv"].as_ptr_range().contains(&chunk.bytes.as_ptr()), "no copy");
            read.extend_from_slice(&chunk.bytes);
            chunks += 1;
        }
        assert_eq!((read == whole, chunks), (true, 3));
    }

    #[test]
    fn there_is_nothing_beyond_the_end_and_nothing_of_an_unknown_file() {
        let store = store(&[("a", 7)]).unwrap();
        let check = |sha256, offset, expected: (u64, usize)| {
            let chunk = store.chunk(sha256, offset);
            assert_eq!((chunk.total, chunk.bytes.len()), expected, "{offset}");
        };
        let known = store.files()[0].sha256;
        check(known, 6, (7, 1));
        check(known, 7, (7, 0));
        check(known, u64::MAX, (7, 0));
        check(Checksum([0; 32]), 0, (0, 0));
    }
}
