//! Users that are added or taken away by hand.

use super::*;
use crate::arrivals::{ArrivalRate, Arrivals, Distribution};
use crate::shape::Shape;

impl Cluster {
    /// Adds or takes away users; `expected` is what the run is to have then. Returns what the log says.
    fn adjust(&mut self, by: i32, expected: u32) -> String {
        self.notices.clear();
        self.target = Some(u64::from(expected));
        self.coordinator.adjust(self.now, by);
        self.drain();
        assert_eq!(self.coordinator.run().map(|run| run.load().users), Some(expected), "after {by:+}");
        match self.notices.first() {
            Some(Notice::Info(text) | Notice::Warning(text)) => text.clone(),
            None => String::new(),
        }
    }
}

#[test]
fn users_come_and_go_by_hand_at_a_hundred_a_second() {
    let mut cluster = Cluster::running(&["h1_a"], 8, 4.0);
    for (by, users) in [(1, 9), (10, 19), (-1, 18), (-10, 8), (-10, 0), (1, 1)] {
        assert_eq!(
            cluster.adjust(by, users),
            format!("Ramping to {users} users at a rate of 100.00 per second")
        );
        cluster.complete_all();
    }
}

#[test]
fn nobody_takes_away_what_is_not_there() {
    let mut cluster = Cluster::running(&["h1_a"], 1, 1.0);
    cluster.adjust(-10, 0);
    cluster.complete_all();
    assert_eq!(cluster.adjust(-10, 0), "The run already has 0 users");
}

#[test]
fn a_run_that_is_spawning_or_ending_takes_no_users_by_hand() {
    let mut cluster = Cluster::started(&["h1_a"], 8, 4.0);
    assert_eq!(cluster.adjust(10, 8), "Already spawning users, can't spawn more right now");
    assert_eq!(cluster.adjust(-1, 8), "Spawning users, can't stop right now");
    cluster.complete_all();
    cluster.stop();
    assert_eq!(cluster.adjust(10, 8), "The run is ending; its users cannot be changed");
}

#[test]
fn before_the_run_there_is_nothing_to_change() {
    let mut cluster = Cluster::new();
    cluster.coordinator.adjust(cluster.now, 1);
    cluster.drain();
    let expected = Notice::Info("There is no run yet whose users can be changed".to_owned());
    assert_eq!(cluster.notices, [expected]);
}

#[test]
fn shapes_and_arrivals_decide_for_themselves() {
    let shape = Arc::new(Shape::ramp(1, 9, secs(60), secs(60)).unwrap());
    let mut shaped = Cluster::new();
    shaped.join("h1_a");
    shaped.start(RunSpec { shape: Some(shape), ..spec(RUN) }, load(1, 1.0));
    assert_eq!(shaped.adjust(1, 1), "The run follows its shape; its users cannot be changed");

    let rate = ArrivalRate::parse("30/s").unwrap();
    let arrivals = Arrivals::new(rate, Vec::new(), 8, Distribution::Constant, Duration::ZERO).unwrap();
    let open = |class: &str| ClassArrivals { class: class.to_owned(), arrivals: arrivals.clone() };
    let mut cluster = Cluster::new();
    cluster.join("h1_a");
    cluster.start(RunSpec { arrivals: vec![open("A"), open("B")], ..spec(RUN) }, load(4, 1.0));
    let refused = "All users of the run serve arrivals; there are none to change";
    assert_eq!(cluster.adjust(10, 0), refused);
    assert_eq!(cluster.edit(20, 1.0), Some(refused));
    assert_eq!(cluster.adjust(10, 0), refused, "an edit changes nothing either");
}
