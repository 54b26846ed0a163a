//! How the files of a run are handed out.

use super::*;
use crate::files::{CHUNK_BYTES_MAX, Checksum, FileStore};

fn started_with(files: &Arc<FileStore>) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.start(RunSpec { files: files.clone(), ..spec(RUN) }, load(8, 4.0));
    cluster
}

#[test]
fn the_plan_names_the_files_and_workers_get_what_they_ask_for() {
    let mut store = FileStore::default();
    store.add("a.csv", vec![7; CHUNK_BYTES_MAX + 5]).unwrap();
    let (files, sha256) = (Arc::new(store), Checksum::of(&vec![7; CHUNK_BYTES_MAX + 5]));
    let mut cluster = started_with(&files);
    let plans = cluster.unread[&cluster.connections["h1_a"]].iter().filter_map(|message| match message {
        ToWorker::Plan(plan) => Some(plan.files.clone()),
        _ => None,
    });
    assert_eq!(plans.collect::<Vec<_>>(), [files.files()]);
    cluster.read("h1_a");
    let mut check = |sha256, offset, expected: &str| {
        cluster.say("h1_a", FromWorker::FileRequest { sha256, offset });
        assert_eq!(cluster.read("h1_a"), [expected]);
    };
    check(sha256, 0, "chunk 0+1048576 of 1048581");
    check(sha256, CHUNK_BYTES_MAX as u64, "chunk 1048576+5 of 1048581");
    check(sha256, u64::MAX, "chunk 18446744073709551615+0 of 1048581");
    check(Checksum([0; 32]), 0, "chunk 0+0 of 0");
}

#[test]
fn without_a_run_there_are_no_files() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.read("h1_a");
    cluster.say("h1_a", FromWorker::FileRequest { sha256: Checksum([0; 32]), offset: 7 });
    assert_eq!(cluster.read("h1_a"), ["chunk 7+0 of 0"]);
}
