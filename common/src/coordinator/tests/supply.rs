//! Workers that have too little for their share of a run.

use super::*;

impl Cluster {
    /// A worker comes that may have so many files open.
    fn join_with_files(&mut self, worker: &str, open_files: u64) {
        self.next_connection += 1;
        self.connections.insert(worker.to_owned(), ConnectionId(self.next_connection));
        let resources = Resources { open_files, ..Resources::default() };
        self.say(worker, FromWorker::Ready(Ready { resources, ..ready(worker, Wire::Grpc, None) }));
    }

    /// Checks what people were told of files so far, and that the report says the last of it.
    fn check_told(&self, expected: &[&str]) {
        let told = self.notices.iter().filter_map(|notice| match notice {
            Notice::Warning(text) if text.contains("files open") => Some(text),
            _ => None,
        });
        let told: Vec<&String> = told.collect();
        assert_eq!(told.len(), expected.len(), "{told:?}");
        assert!(told.iter().zip(expected).all(|(text, part)| text.contains(part)), "{told:?}");
        assert_eq!(self.live_report().notes.iter().collect::<Vec<_>>(), told);
    }
}

#[test]
fn what_workers_have_too_little_of_is_told_once_when_the_run_begins() {
    let mut cluster = Cluster::new();
    cluster.join_with_files("h1_a", 100);
    cluster.start(spec(RUN), load(80, 80.0));
    cluster.check_told(&["worker h1_a may have 100 files open, but its share of 80 users"]);
    cluster.join_with_files("h1_b", 70);
    cluster.edit(160, 80.0);
    assert_eq!(cluster.live_report().notes.len(), 1, "it is told once");
    let report = cluster.live_report();
    assert!(report.notes[0].contains("`ulimit -n` to at least 144"), "{:?}", report.notes);
}

#[test]
fn a_worker_that_joins_and_users_that_are_added_are_looked_at() {
    let mut cluster = Cluster::new();
    cluster.join_with_files("h1_a", 1000);
    cluster.start(spec(RUN), load(40, 40.0));
    cluster.check_told(&[]);
    cluster.join_with_files("h1_b", 80);
    cluster.check_told(&["worker h1_b may have 80 files open, but its share of 20 users"]);

    let mut cluster = Cluster::new();
    cluster.join_with_files("h1_a", 1000);
    cluster.start(spec(RUN), load(40, 40.0));
    cluster.edit(1000, 40.0);
    cluster.check_told(&["its share of 1,000 users"]);
}

#[test]
fn the_demand_of_a_run_counts_more_than_its_load() {
    let mut cluster = Cluster::new();
    cluster.join_with_files("h1_a", 100);
    let demand = Demand { users: 10, open_users: 30, ..Demand::default() };
    cluster.start(RunSpec { demand, ..spec(RUN) }, load(10, 10.0));
    cluster.check_told(&["its share of 40 users"]);
}
