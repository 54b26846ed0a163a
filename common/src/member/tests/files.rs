//! How the files of a plan come.

use super::*;
use crate::files::{CHUNK_BYTES_MAX, FileChunk, FileStore};

/// Files of these lengths, by name.
fn store(files: &[(&str, usize)]) -> FileStore {
    let mut store = FileStore::default();
    for (name, bytes) in files {
        let contents: Vec<u8> = (0..*bytes).map(|at| (at * 31 + name.len()) as u8).collect();
        store.add(name, contents).unwrap();
    }
    store
}

fn plan_with(run: &str, store: &FileStore) -> ToWorker {
    ToWorker::Plan(Arc::new(RunPlan { files: store.files().to_vec(), ..run_plan(run) }))
}

/// What a worker asks for when it lacks a file from this byte on.
fn request(store: &FileStore, name: &str, offset: usize) -> String {
    let file = store.files().iter().find(|file| file.name == name).unwrap();
    format!("file {}+{offset}", &file.sha256.to_string()[..4])
}

impl Worker {
    /// The master sends the chunk of the file that begins at `offset`.
    fn receive(&mut self, store: &FileStore, name: &str, offset: usize) {
        self.hear(ToWorker::FileChunk(chunk(store, name, offset)));
    }
}

fn chunk(store: &FileStore, name: &str, offset: usize) -> FileChunk {
    let file = store.files().iter().find(|file| file.name == name).unwrap();
    store.chunk(file.sha256, offset as u64)
}

#[test]
fn a_worker_asks_for_its_files_chunk_by_chunk_before_it_prepares_the_run() {
    let store = store(&[("a.csv", 2 * CHUNK_BYTES_MAX + 5), ("b.json", 7)]);
    let mut worker = Worker::connected();
    worker.hear(plan_with(RUN, &store));
    for offset in [0, CHUNK_BYTES_MAX, 2 * CHUNK_BYTES_MAX] {
        assert_eq!(worker.read(), [request(&store, "a.csv", offset)]);
        worker.receive(&store, "a.csv", offset);
    }
    assert_eq!(worker.read(), [request(&store, "b.json", 0)]);
    worker.receive(&store, "b.json", 0);
    let Some(Effect::Prepare { files, .. }) = worker.unread.last() else { panic!("{:?}", worker.unread) };
    assert!(*files == store.named(), "what came is what the master has");
    assert_eq!(worker.read(), ["prepare run-1 with a.csv of 2097157, b.json of 7"]);
}

#[test]
fn the_newest_assignment_that_came_meanwhile_counts() {
    let store = store(&[("a.csv", 7)]);
    let mut worker = Worker::connected();
    worker.hear(plan_with(RUN, &store));
    worker.read();
    for generation in [3, 4, 2] {
        worker.hear(spawn(RUN, generation));
    }
    // Told again, it asks for nothing again.
    worker.hear(plan_with(RUN, &store));
    assert_eq!(worker.read(), NOTHING);
    worker.receive(&store, "a.csv", 0);
    assert_eq!(worker.read(), ["prepare run-1 with a.csv of 7", "spawning 4", "apply 4"]);
}

#[test]
fn a_new_connection_goes_on_where_the_old_one_broke() {
    let store = store(&[("a.csv", CHUNK_BYTES_MAX + 5)]);
    let mut worker = Worker::connected();
    worker.hear(plan_with(RUN, &store));
    worker.receive(&store, "a.csv", 0);
    worker.read();
    worker.disconnect();
    worker.connect();
    let again = request(&store, "a.csv", CHUNK_BYTES_MAX);
    assert_eq!(worker.read(), ["ready for run-1", &again, "beat ready"]);
    worker.receive(&store, "a.csv", CHUNK_BYTES_MAX);
    assert_eq!(worker.read(), ["prepare run-1 with a.csv of 1048581"]);
    worker.disconnect();
    worker.connect();
    assert_eq!(worker.read(), ["ready for run-1", "beat ready"], "it has everything");
}

#[test]
fn chunks_that_nobody_waits_for_change_nothing() {
    let store = store(&[("a.csv", CHUNK_BYTES_MAX + 5), ("b.csv", 7)]);
    let mut worker = Worker::connected();
    worker.receive(&store, "a.csv", 0);
    worker.hear(plan_with(RUN, &store));
    worker.read();
    worker.receive(&store, "a.csv", CHUNK_BYTES_MAX);
    worker.receive(&store, "b.csv", 0);
    assert_eq!(worker.read(), NOTHING);
    worker.receive(&store, "a.csv", 0);
    worker.receive(&store, "a.csv", 0);
    assert_eq!(worker.read(), [request(&store, "a.csv", CHUNK_BYTES_MAX)]);
}

#[test]
fn a_file_that_does_not_come_as_the_plan_says_ends_the_worker() {
    let store = store(&[("a.csv", 7)]);
    let check = |change: fn(&mut FileChunk), expected: &str| {
        let mut worker = Worker::connected();
        worker.hear(plan_with(RUN, &store));
        worker.read();
        let mut sent = chunk(&store, "a.csv", 0);
        change(&mut sent);
        worker.hear(ToWorker::FileChunk(sent));
        let [ended] = &worker.read()[..] else { panic!("{expected}") };
        assert!(ended.starts_with("exit BadPlan") && ended.contains(expected), "{ended}");
    };
    check(|chunk| *chunk = FileStore::default().chunk(chunk.sha256, 0), "the master does not have a.csv");
    check(|chunk| chunk.total = 8, "the master does not have a.csv");
    check(|chunk| chunk.bytes = vec![1; 7].into(), "a.csv came damaged: its checksum is");
    check(|chunk| chunk.bytes = vec![1; 8].into(), "a wrong chunk of a.csv");
    check(|chunk| chunk.bytes = Vec::new().into(), "a wrong chunk of a.csv");
}

#[test]
fn an_empty_file_is_here_at_once() {
    let mut worker = Worker::connected();
    worker.hear(plan_with(RUN, &store(&[("a.csv", 0)])));
    assert_eq!(worker.read(), ["prepare run-1 with a.csv of 0"]);
}

#[test]
fn files_that_the_next_plan_shares_stay_and_others_go() {
    let shared = store(&[("a.csv", 7), ("b.csv", 8)]);
    let mut worker = Worker::connected();
    worker.hear(plan_with(RUN, &shared));
    worker.receive(&shared, "a.csv", 0);
    worker.receive(&shared, "b.csv", 0);
    worker.read();
    worker.hear(plan_with("run-2", &store(&[("b.csv", 8)])));
    assert_eq!(worker.read(), ["prepare run-2 with b.csv of 8"]);
    worker.hear(plan_with("run-3", &shared));
    assert_eq!(worker.read(), ["abandon", &request(&shared, "a.csv", 0)]);
}

#[test]
fn another_plan_ends_the_users_of_the_last_one_before_its_files_are_here() {
    let store = store(&[("a.csv", 7)]);
    let mut worker = Worker::running();
    worker.hear(plan_with("run-2", &store));
    assert_eq!(worker.read(), ["abandon", &request(&store, "a.csv", 0)]);
    worker.hear(plan("run-3"));
    assert_eq!(worker.read(), ["prepare run-3"]);
    worker.receive(&store, "a.csv", 0);
    assert_eq!(worker.read(), NOTHING, "nobody waits for it any more");
}

#[test]
fn a_run_that_stops_before_its_files_are_here_has_nothing_to_drain() {
    let store = store(&[("a.csv", 7)]);
    let mut worker = Worker::connected();
    worker.hear(plan_with(RUN, &store));
    worker.hear(spawn(RUN, 1));
    worker.read();
    worker.hear(ToWorker::Stop { run: run_id() });
    assert_eq!(worker.read(), ["stopped run-1"]);
    worker.receive(&store, "a.csv", 0);
    assert_eq!(worker.read(), NOTHING);
    let mut worker = Worker::connected();
    worker.hear(plan_with(RUN, &store));
    worker.read();
    worker.shut_down();
    assert_eq!(worker.read(), ["quit", "exit Done"]);
}
