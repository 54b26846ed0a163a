//! Runs in which Locust's workers take part.

use super::*;
use crate::dispatch::StepOutcome;

impl Cluster {
    /// One of Locust's workers joins.
    pub(super) fn join_locust(&mut self, worker: &str) {
        self.rejoin_locust(worker, None);
    }

    fn rejoin_locust(&mut self, worker: &str, run: Option<&str>) {
        self.next_connection += 1;
        self.connections.insert(worker.to_owned(), ConnectionId(self.next_connection));
        self.say(worker, FromWorker::Ready(ready(worker, Wire::Locust, run)));
    }

    /// A run of Locust's workers that has just been started.
    fn started_locusts(workers: &[&str], users: u32, spawn_rate: f64) -> Self {
        let mut cluster = Self::new();
        workers.iter().for_each(|worker| cluster.join_locust(worker));
        cluster.start(spec(RUN), load(users, spawn_rate));
        cluster
    }

    /// Lets time pass, with every worker following what it is told at once. Returns the sums that were told, whenever
    /// they changed.
    fn follow(&mut self, span: Duration) -> Vec<u64> {
        let end = self.now + span;
        let mut sums = vec![self.told_users()];
        while self.now < end {
            self.complete_present();
            self.pass(Duration::from_millis(50));
            let told = self.told_users();
            if sums.last() != Some(&told) {
                sums.push(told);
            }
        }
        self.complete_present();
        sums
    }

    fn complete_present(&mut self) {
        for worker in self.connections.keys().cloned().collect::<Vec<_>>() {
            let told = self.told.contains_key(&self.connections[&worker]);
            if told && !self.mute.contains(&worker) {
                self.complete(&worker);
            }
        }
    }
}

// Steps.

#[test]
fn a_ramp_takes_the_steps_of_locusts_dispatcher() {
    let check = |workers: &[&str], targets: &[u32], rate: f64| {
        let mut cluster = Cluster::started_locusts(workers, targets[0], rate);
        let mut dispatcher = Dispatcher::new(spec(RUN).classes, workers.iter().copied()).unwrap();
        check_steps(&mut cluster, &mut dispatcher, targets[0], rate);
        for users in &targets[1..] {
            cluster.pass(secs(10));
            cluster.edit(*users, rate);
            check_steps(&mut cluster, &mut dispatcher, *users, rate);
        }
    };
    check(&["h1_a"], &[1], 1.0);
    check(&["h1_a"], &[10, 3, 12], 5.0);
    check(&["h1_a", "h1_b"], &[8, 16, 1], 3.0);
    check(&["h1_a", "h1_b", "h2_a"], &[8, 2], 0.5);
    check(&["h1_a", "h1_b", "h2_a"], &[42, 20, 40], 2.7);
    check(&["h1_a", "h1_b"], &[10, 0, 10], 100.0);
}

/// Every step of a ramp that has just begun is Locust's, worker by worker and class by class, and so is the pause.
fn check_steps(cluster: &mut Cluster, dispatcher: &mut Dispatcher, users: u32, rate: f64) {
    let rate = SpawnRate::per_second(rate).unwrap();
    loop {
        let outcome = dispatcher.step(users, rate.step_size());
        for (worker, row) in dispatcher.current().rows() {
            let classes = dispatcher.current().classes().iter().map(|class| class.to_string());
            let row = classes.zip(row.iter().copied()).filter(|(_, users)| *users > 0);
            assert_eq!(cluster.users_of(worker), row.collect(), "{worker} on the way to {users} at {rate:?}");
        }
        cluster.complete_present();
        if outcome == StepOutcome::Reached {
            break;
        }
        assert_eq!(cluster.phase(), Phase::Spawning);
        let before = cluster.told_users();
        cluster.pass(rate.step_pause() - Duration::from_millis(1));
        assert_eq!(cluster.told_users(), before, "the pause is not over");
        cluster.pass(Duration::from_millis(1));
    }
    assert_eq!(cluster.phase(), Phase::Running);
    assert_eq!(cluster.told_users(), u64::from(users));
}

#[test]
fn every_worker_is_told_every_step_and_the_end() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b"], 3, 1.0);
    cluster.follow(secs(3));
    assert_eq!(cluster.read("h1_b"), ["ack 1", "plan run-1", "spawn 0", "spawn 1", "spawn 1", "complete 3"]);
}

#[test]
fn an_edit_goes_down_in_steps_and_up_again() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b"], 6, 2.0);
    assert_eq!(cluster.follow(secs(5)), [2, 4, 6]);
    cluster.edit(1, 2.0);
    assert_eq!(cluster.follow(secs(5)), [4, 2, 1]);
    assert_eq!(cluster.phase(), Phase::Running);
    cluster.edit(3, 1.0);
    assert_eq!(cluster.follow(secs(5)), [2, 3]);
    assert_eq!((cluster.phase(), cluster.count("RampComplete")), (Phase::Running, 3));
}

#[test]
fn a_hasty_edit_does_not_spawn_faster() {
    let mut cluster = Cluster::started_locusts(&["h1_a"], 2, 2.0);
    for users in 3..20 {
        cluster.edit(users, 2.0);
        cluster.edit(users + 1, 2.0);
    }
    assert_eq!(cluster.told_users(), 2, "the pause after the first step is not over");
    assert_eq!(cluster.follow(secs(3))[..3], [2, 4, 6]);
}

#[test]
fn both_kinds_of_workers_go_in_the_same_steps() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.join_locust("h1_b");
    cluster.start(spec(RUN), load(8, 2.0));
    assert_eq!(cluster.shares(), [("h1_a", 1), ("h1_b", 1)]);
    let ours = &cluster.told[&cluster.connections["h1_a"]];
    assert!((ours.spawn_rate - 1.0).abs() < 1e-9, "it spreads its step over the pause: {}", ours.spawn_rate);
    assert_eq!(cluster.follow(secs(5)), [2, 4, 6, 8]);
    assert_eq!(cluster.shares(), [("h1_a", 4), ("h1_b", 4)]);
    assert_eq!(cluster.phase(), Phase::Running);
}

#[test]
fn steps_end_with_the_last_worker_that_needs_them() {
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.join_locust("h1_b");
    cluster.start(spec(RUN), load(20, 2.0));
    cluster.follow(secs(2));
    cluster.disconnect("h1_b");
    assert_eq!(cluster.users_of("h1_a").values().sum::<u32>(), 20, "told its goal: it ramps by itself");
    cluster.complete("h1_a");
    assert_eq!(cluster.phase(), Phase::Running);
    cluster.join_locust("h1_c");
    cluster.follow(secs(20));
    assert_eq!(cluster.shares(), [("h1_a", 10), ("h1_c", 10)]);
    assert_eq!(cluster.phase(), Phase::Running);
}

#[test]
fn workers_that_come_and_go_never_make_it_stick() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b"], 12, 4.0);
    cluster.follow(secs(4));
    for round in 0..5 {
        let late = format!("h1_late{round}");
        cluster.join_locust(&late);
        let highest = cluster.follow(secs(6)).into_iter().max();
        assert!(highest <= Some(12), "round {round}: {highest:?} users were told");
        assert_eq!(cluster.told_users(), 12);
        assert!(cluster.shares().iter().all(|(_, users)| *users == 4), "{:?}", cluster.shares());
        assert_eq!(cluster.phase(), Phase::Running);
        cluster.disconnect(&late);
        cluster.follow(secs(6));
        assert_eq!((cluster.told_users(), cluster.phase()), (12, Phase::Running));
    }
}

#[test]
fn the_others_keep_their_users_when_one_is_lost() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b", "h1_c"], 12, 4.0);
    cluster.follow(secs(4));
    cluster.disconnect("h1_b");
    let sums = cluster.follow(secs(4));
    assert_eq!(sums, [12], "4 users are replaced within one step");
    assert_eq!(cluster.phase(), Phase::Running);
    assert_eq!(cluster.count("WorkerLost"), 1);
}

#[test]
fn a_worker_that_does_not_answer_does_not_hold_up_the_end_of_the_ramp() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b"], 2, 2.0);
    cluster.complete("h1_a");
    cluster.pass(Duration::from_millis(900));
    assert_eq!(cluster.phase(), Phase::Spawning);
    cluster.pass(Duration::from_millis(200));
    assert_eq!(cluster.phase(), Phase::Running);
    assert!(cluster.warned_of("h1_b does not say that it has spawned"));
}

// Silence.

#[test]
fn a_silent_worker_is_missed_after_four_seconds_and_welcome_when_it_speaks() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b"], 4, 4.0);
    cluster.follow(secs(2));
    cluster.mute.insert("h1_b".to_owned());
    cluster.follow(Duration::from_millis(3900));
    assert_eq!(cluster.count("WorkerLost"), 0);
    cluster.follow(Duration::from_millis(1000));
    assert_eq!(cluster.count("WorkerLost"), 1);
    assert_eq!(cluster.users_of("h1_b"), ClassCounts::new(), "it is told to stop, should it ever listen");
    assert_eq!(total(&cluster.users_of("h1_a")), 4);
    cluster.mute.clear();
    cluster.follow(secs(5));
    assert_eq!(cluster.shares(), [("h1_a", 2), ("h1_b", 2)]);
    assert_eq!((cluster.count("WorkerReturned"), cluster.phase()), (1, Phase::Running));
}

// Names.

#[test]
fn a_repeated_introduction_is_acknowledged_again() {
    let mut cluster = Cluster::started_locusts(&["h1_a"], 2, 2.0);
    cluster.read("h1_a");
    cluster.say("h1_a", FromWorker::Ready(ready("h1_a", Wire::Locust, None)));
    assert_eq!(cluster.read("h1_a"), ["ack 0"]);
    assert_eq!(cluster.coordinator.roster().iter().len(), 1);
}

#[test]
fn a_worker_that_has_quit_gets_no_users_whatever_it_says() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b"], 4, 4.0);
    cluster.follow(secs(2));
    cluster.stopped("h1_b");
    cluster.say("h1_b", FromWorker::Quit);
    cluster.unread.clear();
    cluster.say("h1_b", FromWorker::Ready(ready("h1_b", Wire::Locust, None)));
    assert_eq!(cluster.read("h1_b"), Vec::<String>::new());
    cluster.mute.insert("h1_b".to_owned());
    cluster.follow(secs(3));
    assert_eq!(total(&cluster.users_of("h1_a")), 4);
    cluster.disconnect("h1_a");
    assert!(cluster.warned_of("No worker is left"));
}

#[test]
fn a_name_that_is_taken_is_ignored_until_it_is_free() {
    let mut cluster = Cluster::started_locusts(&["h1_a"], 2, 2.0);
    let second = ConnectionId(99);
    for _ in 0..3 {
        cluster.say_on(second, FromWorker::Ready(ready("h1_a", Wire::Locust, None)));
    }
    assert!(!cluster.unread.contains_key(&second), "it gets no answer, as from ZeroMQ");
    let complaints = |cluster: &Cluster| {
        let complaint =
            |notice: &&Notice| matches!(notice, Notice::Warning(text) if text.contains("already"));
        cluster.notices.iter().filter(complaint).count()
    };
    assert_eq!(complaints(&cluster), 1);
    cluster.disconnect("h1_a");
    cluster.say_on(second, FromWorker::Ready(ready("h1_a", Wire::Locust, None)));
    assert!(cluster.unread.contains_key(&second));
}

#[test]
fn a_worker_that_cannot_name_its_run_is_put_back_where_it_was() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b"], 4, 4.0);
    cluster.follow(secs(2));
    cluster.disconnect("h1_b");
    cluster.rejoin_locust("h1_b", Some(""));
    assert_eq!(cluster.read("h1_b")[..2], ["ack 1", "plan run-1"], "no stop");
    cluster.follow(secs(4));
    assert_eq!(cluster.shares(), [("h1_a", 2), ("h1_b", 2)]);
    assert_eq!(cluster.count("WorkerReturned"), 1);
}

#[test]
fn a_worker_of_a_run_before_is_stopped_and_takes_part() {
    let mut cluster = Cluster::started_locusts(&["h1_a"], 4, 4.0);
    cluster.rejoin_locust("h1_b", Some(""));
    assert_eq!(cluster.read("h1_b"), ["ack 1", "stop "]);
    cluster.follow(secs(4));
    assert_eq!(cluster.shares(), [("h1_a", 4), ("h1_b", 0)], "it is still busy");
    cluster.say("h1_b", FromWorker::ClientStopped { run: RunId::untold() });
    cluster.say("h1_b", FromWorker::Ready(ready("h1_b", Wire::Locust, None)));
    assert_eq!(cluster.read("h1_b")[..2], ["ack 1", "plan run-1"]);
    cluster.follow(secs(4));
    assert_eq!(cluster.shares(), [("h1_a", 2), ("h1_b", 2)]);
}

#[test]
fn a_run_does_not_start_with_a_worker_that_is_busy_with_the_one_before() {
    let mut cluster = Cluster::new();
    cluster.start_when_ready(1, None);
    cluster.rejoin_locust("h1_a", Some(""));
    assert_eq!(cluster.read("h1_a"), ["ack 0", "stop "]);
    assert!(cluster.coordinator.run().is_none());
    cluster.say("h1_a", FromWorker::Ready(ready("h1_a", Wire::Locust, None)));
    assert_eq!(cluster.read("h1_a")[..2], ["ack 0", "plan run-1"]);
}

#[test]
fn a_worker_that_stopped_by_itself_takes_part_again_when_it_is_ready() {
    let mut cluster = Cluster::started_locusts(&["h1_a", "h1_b"], 4, 4.0);
    cluster.follow(secs(2));
    cluster.stopped("h1_b");
    assert_eq!(cluster.count("WorkerFailed"), 1);
    cluster.follow(secs(4));
    assert_eq!(total(&cluster.users_of("h1_a")), 4);
    cluster.say("h1_b", FromWorker::Ready(ready("h1_b", Wire::Locust, None)));
    cluster.follow(secs(4));
    assert_eq!(cluster.shares(), [("h1_a", 2), ("h1_b", 2)]);
}

#[test]
fn a_locustfile_is_only_for_locusts_workers() {
    let mut cluster = Cluster::new();
    cluster.join_locust("h1_a");
    let source = ScenarioSource { name: "locustfile.py".to_owned(), text: None };
    cluster.start(RunSpec { scenario: source, ..spec(RUN) }, load(2, 2.0));
    cluster.join("h1_b");
    assert_eq!(cluster.read("h1_b"), ["refused"]);
    assert!(cluster.warned_of("locustfile.py, which only Locust's workers can run"));
    cluster.join_locust("h1_c");
    assert_eq!(cluster.read("h1_c")[..2], ["ack 1", "plan run-1"]);
}

// What they say.

#[test]
fn their_reports_count_though_they_have_no_numbers() {
    let mut cluster = Cluster::started_locusts(&["h1_a"], 2, 2.0);
    for _ in 0..3 {
        cluster.report("h1_a", RUN, 1, requests(5));
    }
    assert_eq!(cluster.requests(), 15);
}

#[test]
fn what_they_log_is_kept_and_trouble_is_shown() {
    let mut cluster = Cluster::started_locusts(&["h1_a"], 2, 2.0);
    let trouble = (0..12).map(|n| format!("[{n}:00] vm/ERROR/user: trouble {}\nTraceback of {n}", n / 2));
    let lines = std::iter::once("[now] vm/INFO/main: hello".to_owned()).chain(trouble).collect();
    cluster.say("h1_a", FromWorker::Logs { lines });
    assert_eq!(cluster.coordinator.logs().of(&id("h1_a")).count(), 13);
    assert!(cluster.warned_of("[8:00] vm/ERROR/user: trouble 4") && !cluster.warned_of("trouble 5"));
    assert!(!cluster.warned_of("[9:00]"), "the same again");
    assert!(!cluster.warned_of("Traceback") && !cluster.warned_of("hello"));
    assert!(cluster.warned_of("logged 7 more"));
}

// The end.

#[test]
fn a_run_that_is_the_only_one_ends_by_sending_locusts_workers_home() {
    let policy = Policy { one_run: true, rebalance_on_loss: false };
    let mut cluster = Cluster { coordinator: Coordinator::new(policy), ..Cluster::new() };
    cluster.join("h1_a");
    cluster.join_locust("h1_b");
    cluster.join_locust("h1_c");
    cluster.start(spec(RUN), load(3, 3.0));
    cluster.follow(secs(2));
    cluster.unread.clear();
    cluster.stop();
    assert_eq!(cluster.read("h1_a"), ["stop run-1"]);
    assert_eq!(cluster.read("h1_b"), ["quit"]);
    cluster.report("h1_b", RUN, 1, requests(5));
    cluster.say("h1_b", FromWorker::Quit);
    cluster.stopped("h1_a");
    assert!(!cluster.is_over());
    // Boomer's workers end without a word.
    cluster.disconnect("h1_c");
    assert!(cluster.is_over());
    assert_eq!((cluster.requests(), cluster.count("WorkerLost")), (5, 0));
}

#[test]
fn a_run_among_others_is_stopped_and_the_workers_stay() {
    let mut cluster = Cluster::started_locusts(&["h1_a"], 2, 2.0);
    cluster.follow(secs(2));
    cluster.unread.clear();
    cluster.stop();
    assert_eq!(cluster.read("h1_a"), ["stop run-1"]);
    cluster.stopped("h1_a");
    assert!(cluster.is_over());
    assert_eq!(cluster.coordinator.roster().iter().len(), 1);
}
