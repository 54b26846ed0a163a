//! How workers get the files of a run: the coordinator's part that answers with chunks of them.

use super::{Coordinator, RunSpec};
use crate::files::{Checksum, FileChunk, FileStore};
use crate::ids::ConnectionId;
use crate::messages::ToWorker;

impl Coordinator {
    /// Sends a worker the chunk that it asked for, of whichever run the file is.
    pub(super) fn on_file_request(&mut self, connection: ConnectionId, sha256: Checksum, offset: u64) {
        let chunks = self.specs().map(|spec| spec.files.chunk(sha256, offset));
        let chunk = chunks.into_iter().find(|chunk| chunk.total > 0);
        let unknown = || FileStore::default().chunk(sha256, offset);
        let chunk: FileChunk = chunk.unwrap_or_else(unknown);
        self.send(connection, ToWorker::FileChunk(chunk));
    }

    /// The runs that workers may have to know of.
    fn specs(&self) -> impl Iterator<Item = &RunSpec> {
        let setup = self.setup.as_ref().map(|setup| &setup.spec);
        setup.into_iter().chain(self.run.as_ref().map(|run| &run.spec))
    }
}
