//! A target, a Sentinel master, and workers of any kind that belong together.

use std::path::Path;

use super::{Files, LocustWorker, SHOP_CLASSES, Said, Wiretap};
use crate::process::{Counts, Master, Process, Program, Target, counts_of};

/// A Sentinel master that lets workers load a target, and a wiretap in between.
#[derive(Debug)]
pub struct Shop {
    /// The API that is loaded.
    pub target: Target,
    /// The master.
    pub master: Master,
    /// What Locust's workers and the master say to each other.
    pub wiretap: Wiretap,
    /// The users.
    pub files: Files,
    python: &'static Path,
}

/// A run that is over.
#[derive(Debug)]
pub struct Closed {
    /// The exit code of the master.
    pub code: Option<i32>,
    /// What the master wrote to standard error.
    pub log: String,
    /// What the master counted.
    pub counted: Counts,
    /// What the target counted.
    pub served: Counts,
}

impl Shop {
    /// Opens a shop whose master has the locustfile.
    pub fn open_locustfile(python: &'static Path, args: &[&str]) -> Self {
        let files = Files::shop();
        let file = files.locustfile();
        Self::open(python, files, &[&["-f", &file, "--user-classes", SHOP_CLASSES], args].concat())
    }

    /// Opens a shop whose master has the scenario.
    pub fn open_scenario(python: &'static Path, args: &[&str]) -> Self {
        let files = Files::shop();
        let file = files.scenario();
        Self::open(python, files, &[&["-f", &file], args].concat())
    }

    fn open(python: &'static Path, files: Files, args: &[&str]) -> Self {
        let target = Target::start(&[]);
        let master = Master::start(&[&["--host", &target.url(), "--json"], args].concat());
        let wiretap = Wiretap::before(master.address);
        Self { target, master, wiretap, files, python }
    }

    /// A Locust worker that has the locustfile.
    pub fn hire_locust(&self) -> LocustWorker {
        LocustWorker::start(self.python, self.wiretap.address, &self.files.locustfile())
    }

    /// A Locust worker that asks the master for the locustfile.
    pub fn hire_locust_without_file(&self) -> LocustWorker {
        LocustWorker::start(self.python, self.wiretap.address, "-")
    }

    /// A worker of our own.
    pub fn hire(&self) -> Process {
        Process::start(Program::Worker, &["--master", &self.master.address.to_string(), "--threads", "1"])
    }

    /// The names of the workers in the order in which the master has acknowledged them, once there are so many.
    pub fn ids(&self, count: usize) -> Vec<String> {
        let ids = |log: &str| -> Vec<String> {
            let named = |line: &str| Some(line.split_once(" (index ")?.0.rsplit(' ').next()?.to_owned());
            log.lines().filter(|line| line.contains(") reported as ready.")).filter_map(named).collect()
        };
        ids(&self.master.process.log_until(&format!("{count} workers"), |log| ids(log).len() >= count))
    }

    /// The users that Locust's workers were told to have with each step, in order: of each connection the last word.
    pub fn steps(&self) -> Vec<u64> {
        steps_of(&self.wiretap)
    }

    /// Waits until the run is over and the master has ended.
    pub fn close(self) -> Closed {
        let exit = self.master.process.wait();
        let counted = counts_of(&exit.stdout);
        Closed { code: exit.code, log: exit.stderr, counted, served: self.target.served() }
    }
}

/// The users that all of Locust's workers behind a wiretap were told to have, in the order of the messages.
pub fn steps_of(wiretap: &Wiretap) -> Vec<u64> {
    let mut latest: Vec<(usize, u64)> = Vec::new();
    let mut steps = Vec::new();
    for heard in wiretap.heard() {
        let Said::Master(sentinel_common::locust::MasterMessage::Spawn(spawn)) = heard.said else {
            continue;
        };
        let users = spawn.user_classes_count.iter().map(|(_, count)| count).sum();
        latest.retain(|(connection, _)| *connection != heard.connection);
        latest.push((heard.connection, users));
        steps.push(latest.iter().map(|(_, users)| users).sum());
    }
    steps
}

impl Closed {
    /// Checks that every request was counted exactly once, at both ends.
    ///
    /// # Panics
    /// One was lost, or counted twice.
    pub fn assert_counts_are_exact(&self) {
        assert_eq!(
            self.counted, self.served,
            "the master counted the first, the target the second\n{}",
            self.log
        );
        assert!(self.counted.values().sum::<u64>() > 100, "there was hardly any load\n{}", self.log);
    }

    /// Checks that no more is missing than `at_most` requests, and that nothing was counted that was not served.
    ///
    /// # Panics
    /// It is not so.
    pub fn assert_lost_at_most(&self, at_most: u64) {
        let (counted, served) = (self.counted.values().sum::<u64>(), self.served.values().sum::<u64>());
        assert!(
            counted <= served && served - counted <= at_most && counted > 100,
            "{counted} were counted and {served} served\n{}",
            self.log
        );
    }

    /// Checks that the output has this text in it, however its lines are broken.
    ///
    /// # Panics
    /// It has not.
    pub fn assert_says(&self, words: &str) {
        let log = self.log.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(log.contains(words), "no {words:?} in:\n{}", self.log);
    }
}
