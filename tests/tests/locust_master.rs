//! Workers of our own in the cluster of a real Locust master, which takes them for its own.

use std::path::Path;

use sentinel_tests::locust::{Files, LocustMaster, python};
use sentinel_tests::process::{Counts, PATIENCE, Process, Program, Signal, Target, until};
use serde_json::Value;

/// A Locust master, workers of our own, and what they load.
struct Cluster {
    target: Target,
    master: LocustMaster,
    files: Files,
}

impl Cluster {
    fn start(python: &Path) -> Self {
        let (target, files) = (Target::start(&[]), Files::shop());
        let master = LocustMaster::start(python, &files.locustfile(), &["--stop-timeout", "3"]);
        master.page.wait();
        Self { target, master, files }
    }

    fn hire(&self) -> Process {
        let (master, file) = (self.master.address.to_string(), self.files.scenario());
        Process::start(Program::Worker, &["--master", &master, "-f", &file, "--threads", "1"])
    }

    fn await_workers(&self, count: usize) {
        self.master.page.requests_until(&format!("{count} workers"), |stats| present(stats).count() == count);
    }

    fn await_users(&self, count: u64) -> Value {
        self.master.page.requests_until(&format!("{count} users"), |stats| {
            stats["user_count"] == count && present(stats).map(users).sum::<u64>() == count
        })
    }

    /// Ends the master once its workers have stopped, and checks that they end with it.
    fn dismiss(mut self, workers: [Process; 2]) {
        // Until a worker that has stopped is ready again, the master does not know it and does not send it home.
        self.master.page.requests_until("two idle workers", |stats| {
            let idle = present(stats).filter(|worker| worker["state"] == "ready" && users(worker) == 0);
            stats["user_count"] == 0 && idle.count() == 2
        });
        self.master.process.signal(Signal::Terminate);
        self.master.process.wait();
        for worker in workers {
            let exit = worker.wait();
            assert_eq!(exit.code, Some(0), "{}", exit.stderr);
        }
    }

    /// Ends the run and waits until the master has counted what the target has.
    fn close(&self) -> Value {
        self.master.page.stop();
        self.await_users(0);
        let mut counted = Counts::new();
        let all = until(PATIENCE, || {
            let stats = self.master.page.requests();
            counted = counts(&stats);
            (counted == self.target.served()).then_some(stats)
        });
        all.unwrap_or_else(|| panic!("counted {counted:?}, served {:?}", self.target.served()))
    }
}

#[test]
fn two_of_our_workers_carry_the_run_of_a_locust_master() {
    let Some(python) = python() else { return };
    let cluster = Cluster::start(python);
    let workers = [cluster.hire(), cluster.hire()];
    cluster.await_workers(2);
    cluster.master.page.swarm(12, 4, &cluster.target.url());
    cluster.await_users(12);
    cluster.master.page.swarm(4, 8, &cluster.target.url());
    cluster.await_users(4);
    cluster.master.page.swarm(8, 8, &cluster.target.url());
    let stats = cluster.await_users(8);
    assert_eq!(present(&stats).map(users).collect::<Vec<_>>(), [4, 4], "{stats:#}");
    let stats = cluster.close();
    let counted = counts(&stats);
    assert!(counted.values().sum::<u64>() > 100, "there was hardly any load: {counted:?}");
    let errors = stats["errors"].to_string();
    assert!(errors.contains("/predict") && errors.contains("422"), "{errors}");
    let exceptions = cluster.master.page.exceptions().to_string();
    assert!(exceptions.contains("failed to render"), "{exceptions}");
    cluster.dismiss(workers);
}

#[test]
fn a_locust_master_loses_and_gains_workers_of_ours() {
    let Some(python) = python() else { return };
    let cluster = Cluster::start(python);
    let (mut lost, stays) = (cluster.hire(), cluster.hire());
    cluster.await_workers(2);
    cluster.master.page.swarm(8, 8, &cluster.target.url());
    cluster.await_users(8);
    lost.signal(Signal::Kill);
    cluster.await_workers(1);
    // A Locust master does not replace the lost users by itself, but shares anew with each worker that comes.
    let late = cluster.hire();
    cluster.await_workers(2);
    let stats = cluster.await_users(8);
    assert_eq!(present(&stats).map(users).collect::<Vec<_>>(), [4, 4], "{stats:#}");
    cluster.master.page.stop();
    cluster.dismiss([stays, late]);
}

/// The workers that the master does not miss.
fn present(stats: &Value) -> impl Iterator<Item = &Value> {
    let workers = stats["workers"].as_array().map(Vec::as_slice).unwrap_or_default();
    workers.iter().filter(|worker| worker["state"] != "missing")
}

fn users(worker: &Value) -> u64 {
    worker["user_count"].as_u64().expect("a count")
}

fn counts(stats: &Value) -> Counts {
    let mut counts = Counts::new();
    for row in stats["stats"].as_array().expect("rows") {
        let name = row["name"].as_str().expect("a name");
        let requests = row["num_requests"].as_u64().expect("a count");
        if name != "Aggregated" && requests > 0 {
            *counts.entry(name.to_owned()).or_default() += requests;
        }
    }
    counts
}
