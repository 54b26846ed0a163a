//! The spawn plan of one worker: when to start and stop which users, on the way from the users that it runs to the
//! users that it was assigned.
//!
//! ```text
//! users          ,--- assigned
//!             ,--'
//!          ,--'  one user every 1/rate
//! running -'
//!        |--| first delay
//! ```
//!
//! Spawning and stopping each keep to the rate. Classes take turns so that at any time every class has come about as
//! far as the others.

use std::time::Duration;

use crate::messages::{Assignment, ClassCounts};
use crate::time::Moment;

/// One user to start or to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Start a user of this class.
    Spawn(&'a str),
    /// Stop a user of this class.
    Stop(&'a str),
}

/// The way of one worker to its assigned users.
#[derive(Clone, Debug, Default)]
pub struct SpawnPlan {
    spawning: Stream,
    stopping: Stream,
}

impl SpawnPlan {
    /// The way from `running` to what `assignment` asks for, beginning `now`.
    pub fn new(now: Moment, running: &ClassCounts, assignment: &Assignment) -> Self {
        let mut spawns = Vec::new();
        let mut stops = Vec::new();
        let wanted = &assignment.users;
        for class in wanted.keys().chain(running.keys().filter(|class| !wanted.contains_key(*class))) {
            let target = wanted.get(class).copied().unwrap_or(0);
            let current = running.get(class).copied().unwrap_or(0);
            spawns.push(Share::new(class, target.saturating_sub(current)));
            stops.push(Share::new(class, current.saturating_sub(target)));
        }
        let start = now + assignment.first_delay;
        // A worker that the master believed to have nothing to do still gets where it should be, slowly.
        let rate = if assignment.spawn_rate > 0.0 { assignment.spawn_rate } else { 1.0 };
        Self { spawning: Stream::new(start, rate, spawns), stopping: Stream::new(start, rate, stops) }
    }

    /// A change that is due, if any. It stays due until [`Self::advance`] is called.
    pub fn due(&self, now: Moment) -> Option<Change<'_>> {
        // Stopping first: users that move from one class to another never exceed the target.
        if let Some(class) = self.stopping.due(now) {
            return Some(Change::Stop(class));
        }
        self.spawning.due(now).map(Change::Spawn)
    }

    /// The change that was due has been made.
    pub fn advance(&mut self, now: Moment) {
        if self.stopping.due(now).is_some() {
            self.stopping.advance();
        } else {
            self.spawning.advance();
        }
    }

    /// When the next change is due; `None` if all have been made.
    pub fn next_at(&self) -> Option<Moment> {
        [self.stopping.next_at(), self.spawning.next_at()].into_iter().flatten().min()
    }

    /// Whether all changes have been made.
    pub fn is_complete(&self) -> bool {
        self.next_at().is_none()
    }
}

/// Changes of one kind, evenly spaced.
#[derive(Clone, Debug)]
struct Stream {
    start: Moment,
    /// Changes per second.
    rate: f64,
    made: u64,
    shares: Vec<Share>,
}

impl Default for Stream {
    fn default() -> Self {
        Self::new(Moment::ZERO, 1.0, Vec::new())
    }
}

impl Stream {
    fn new(start: Moment, rate: f64, mut shares: Vec<Share>) -> Self {
        shares.retain(|share| share.total > 0);
        Self { start, rate, made: 0, shares }
    }

    fn due(&self, now: Moment) -> Option<&str> {
        let next = self.next_at().filter(|at| *at <= now).and(self.next());
        next.map(|index| self.shares[index].class.as_str())
    }

    fn advance(&mut self) {
        if let Some(index) = self.next() {
            self.shares[index].made += 1;
            self.made += 1;
        }
    }

    fn next_at(&self) -> Option<Moment> {
        let seconds = self.made as f64 / self.rate;
        let at = self.start + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.next().map(|_| at)
    }

    /// The share that has come least far.
    fn next(&self) -> Option<usize> {
        let unfinished = self.shares.iter().enumerate().filter(|(_, share)| share.made < share.total);
        unfinished.min_by(|(_, a), (_, b)| a.progress().total_cmp(&b.progress())).map(|(index, _)| index)
    }
}

/// Changes to users of one class.
#[derive(Clone, Debug)]
struct Share {
    class: String,
    total: u32,
    made: u32,
}

impl Share {
    fn new(class: &str, total: u32) -> Self {
        Self { class: class.to_owned(), total, made: 0 }
    }

    fn progress(&self) -> f64 {
        f64::from(self.made) / f64::from(self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Generation, RunId};

    fn counts(users: &[(&str, u32)]) -> ClassCounts {
        users.iter().map(|(class, count)| ((*class).to_owned(), *count)).collect()
    }

    /// Plays a plan through and writes it down: `0.0+A 0.5-B`.
    fn play(
        running: &[(&str, u32)],
        assigned: &[(&str, u32)],
        spawn_rate: f64,
        first_delay_ms: u64,
    ) -> String {
        let assignment = Assignment {
            run: RunId::new("run"),
            generation: Generation(1),
            users: counts(assigned),
            spawn_rate,
            first_delay: Duration::from_millis(first_delay_ms),
            arrivals: Vec::new(),
        };
        let mut plan = SpawnPlan::new(Moment::ZERO, &counts(running), &assignment);
        let mut story = Vec::new();
        while let Some(at) = plan.next_at() {
            let before = at - Duration::from_micros(1);
            assert!(before == at || plan.due(before).is_none(), "nothing is due before its time");
            story.push(match plan.due(at).expect("something is due at its time") {
                Change::Spawn(class) => format!("{:.1}+{class}", at.as_secs_f64()),
                Change::Stop(class) => format!("{:.1}-{class}", at.as_secs_f64()),
            });
            plan.advance(at);
        }
        assert!(plan.is_complete());
        story.join(" ")
    }

    #[test]
    fn users_come_and_go_at_the_rate() {
        let check = |running: &[_], assigned: &[_], rate, delay, expected: &str| {
            assert_eq!(play(running, assigned, rate, delay), expected);
        };
        check(&[], &[("A", 4)], 2.0, 0, "0.0+A 0.5+A 1.0+A 1.5+A");
        check(&[], &[("A", 2)], 2.0, 250, "0.2+A 0.8+A");
        check(&[("A", 1)], &[("A", 3)], 1.0, 0, "0.0+A 1.0+A");
        check(&[("A", 3)], &[("A", 1)], 1.0, 0, "0.0-A 1.0-A");
        check(&[("A", 2)], &[], 1.0, 0, "0.0-A 1.0-A");
        check(&[("A", 2)], &[("A", 2)], 1.0, 0, "");
    }

    #[test]
    fn classes_take_turns() {
        assert_eq!(play(&[], &[("A", 4), ("B", 2)], 1.0, 0), "0.0+A 1.0+B 2.0+A 3.0+A 4.0+B 5.0+A");
    }

    #[test]
    fn a_class_makes_room_before_another_takes_it() {
        assert_eq!(play(&[("A", 2)], &[("B", 2)], 1.0, 0), "0.0-A 0.0+B 1.0-A 1.0+B");
    }

    #[test]
    fn a_recall_is_obeyed_at_once_and_a_missing_rate_does_not_strand_anybody() {
        assert_eq!(play(&[("A", 3)], &[], f64::MAX, 0), "0.0-A 0.0-A 0.0-A");
        assert_eq!(play(&[("A", 1)], &[("A", 2)], 0.0, 0), "0.0+A");
    }
}
