//! The roster: which workers there are, what they said last, and what they were told to do.
//!
//! The coordinator owns it. It knows nothing of runs or of messages.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::ids::{ConnectionId, Generation, WorkerId};
use crate::messages::{ArrivalShare, ClassCounts, Heartbeat, Ready, Resources, Vitals, Wire, WorkerState};
use crate::time::Moment;

/// A silent worker whose connection still stands is forgotten after this, as Locust's master does.
pub const FORGET_AFTER: Duration = Duration::from_secs(60);

/// One worker as the master sees it.
#[derive(Clone, Debug)]
pub struct WorkerNode {
    /// Its name.
    pub id: WorkerId,
    /// Its number, from 0, in the order of first appearance.
    pub index: u32,
    /// Where it can be reached.
    pub connection: ConnectionId,
    /// What it speaks.
    pub wire: Wire,
    /// Its release.
    pub software_version: String,
    /// What it can do beyond the wire contract.
    pub capabilities: Vec<String>,
    /// What it says it is doing, or [`WorkerState::Missing`].
    pub state: WorkerState,
    /// When it was last heard of.
    pub last_heard: Moment,
    /// The users that it says it runs, as it was assigned them, together with those that have finished.
    pub users: ClassCounts,
    /// Those of them that have ended by themselves.
    pub finished: ClassCounts,
    /// The users that it says it has for the arrivals of open classes.
    pub pool: ClassCounts,
    /// The users that it was told to run.
    pub assigned: ClassCounts,
    /// Its parts in the arrivals of open classes, as it was told them.
    pub arrivals: Vec<ArrivalShare>,
    /// The assignment that it was sent last.
    pub generation: Generation,
    /// The assignment that it began to follow last: what it says of its users is about the run of that one.
    pub following: Generation,
    /// The assignment that it completed last.
    pub settled: Generation,
    /// What it has to make load with.
    pub resources: Resources,
    /// How it was when it was last heard of.
    pub vitals: Vitals,
    /// It said that it is leaving.
    pub leaving: bool,
    /// It was told to end.
    pub sent_home: bool,
    /// It is still busy with a run that is over, and says so when it is not any more.
    pub unready: bool,
}

impl WorkerNode {
    /// Users that it runs, over all classes.
    pub fn user_count(&self) -> u64 {
        self.placed_count() + total(&self.pool)
    }

    /// Users that it runs because it was assigned them.
    pub fn placed_count(&self) -> u64 {
        total(&self.users) - self.finished_count()
    }

    /// Users that have ended by themselves, over all classes.
    pub fn finished_count(&self) -> u64 {
        // A user that is told to stop leaves both counts, one a moment before the other.
        total(&self.finished).min(total(&self.users))
    }

    /// Whether all users that it was assigned have ended by themselves.
    pub fn has_finished(&self) -> bool {
        self.placed_count() == 0
    }

    /// Whether users may be given to it.
    pub fn is_active(&self) -> bool {
        self.state != WorkerState::Missing && !self.leaving && !self.unready
    }

    /// Whether it runs what it was told to.
    pub fn is_settled(&self) -> bool {
        self.settled >= self.generation
    }

    /// It has begun to follow an assignment. Only the last one it was sent is known to be of the current run.
    pub fn follow(&mut self, generation: Generation) {
        self.state = WorkerState::Spawning;
        if generation == self.generation {
            self.following = generation;
        }
    }

    /// It has no users any more.
    pub fn clear_users(&mut self) {
        self.users.clear();
        self.finished.clear();
        self.pool.clear();
    }

    /// It runs the users of an assignment. Only the last one it was sent counts as reached.
    pub fn settle(&mut self, generation: Generation, users: ClassCounts) {
        if generation == self.generation {
            self.settled = generation;
        }
        self.users = users;
        self.state = WorkerState::Running;
    }

    /// Its orders belong to a run that is over, and so do the users that it was last heard to run.
    pub fn forget_orders(&mut self) {
        self.clear_users();
        self.assigned.clear();
        self.arrivals.clear();
        self.generation = Generation::default();
        self.following = Generation::default();
        self.settled = Generation::default();
    }

    /// How long it has been silent.
    pub fn silence(&self, now: Moment) -> Duration {
        now.saturating_since(self.last_heard)
    }

    /// Takes a sign of life into account. Returns true if the worker had been given up before.
    pub fn hear(&mut self, now: Moment) -> bool {
        self.last_heard = now;
        let returned = self.state == WorkerState::Missing;
        if returned {
            self.state = WorkerState::Ready;
        }
        returned
    }

    /// Takes over what a heartbeat says.
    pub fn update(&mut self, heartbeat: Heartbeat) {
        self.state = heartbeat.state;
        self.users = heartbeat.users;
        self.pool = heartbeat.pool;
        if self.following > Generation::default() {
            self.finished = heartbeat.finished;
        }
        self.vitals = heartbeat.vitals;
    }
}

/// Users over all classes.
pub fn total(users: &ClassCounts) -> u64 {
    users.values().map(|&count| u64::from(count)).sum()
}

/// All workers that are connected.
#[derive(Debug, Default)]
pub struct Roster {
    nodes: BTreeMap<WorkerId, WorkerNode>,
    by_connection: HashMap<ConnectionId, WorkerId>,
    indexes: HashMap<WorkerId, u32>,
    next_index: u32,
}

/// The master has as many workers as it can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RosterFull;

impl Roster {
    /// More workers than this are refused.
    pub const MAX_WORKERS: usize = 20_000;

    /// How many names of departed workers are remembered, so that they get their number back.
    const MAX_REMEMBERED: usize = 10 * Self::MAX_WORKERS;

    /// Adds a worker. If one of the same name is there, on an older connection, it is replaced, and its connection
    /// is returned so that it can be closed: it is the same process, which noticed the end of that connection first.
    ///
    /// # Errors
    /// There is no room for another worker.
    pub fn admit(
        &mut self,
        now: Moment,
        connection: ConnectionId,
        ready: &Ready,
    ) -> Result<Option<ConnectionId>, RosterFull> {
        let old = self.nodes.get(&ready.worker);
        if old.is_none() && self.nodes.len() >= Self::MAX_WORKERS {
            return Err(RosterFull);
        }
        // A worker that lost its connection and not its run goes on running its users.
        let resumed = old.filter(|_| ready.run.is_some());
        let users = |of: fn(&WorkerNode) -> &ClassCounts| resumed.map(of).cloned().unwrap_or_default();
        let (placed, pool) = (users(|node| &node.users), users(|node| &node.pool));
        let finished = users(|node| &node.finished);
        let replaced = old.map(|node| node.connection);
        if let Some(old) = replaced {
            self.by_connection.remove(&old);
        }
        let node = WorkerNode {
            id: ready.worker.clone(),
            index: self.index_of(&ready.worker),
            connection,
            wire: ready.wire,
            software_version: ready.software_version.clone(),
            capabilities: ready.capabilities.clone(),
            state: WorkerState::Ready,
            last_heard: now,
            users: placed,
            pool,
            finished,
            assigned: ClassCounts::new(),
            arrivals: Vec::new(),
            generation: Generation::default(),
            following: Generation::default(),
            settled: Generation::default(),
            resources: ready.resources,
            vitals: Vitals::default(),
            leaving: false,
            sent_home: false,
            unready: false,
        };
        self.by_connection.insert(connection, ready.worker.clone());
        self.nodes.insert(ready.worker.clone(), node);
        Ok(replaced)
    }

    /// Takes away the worker of a connection.
    pub fn remove(&mut self, connection: ConnectionId) -> Option<WorkerNode> {
        let worker = self.by_connection.remove(&connection)?;
        self.nodes.remove(&worker)
    }

    /// The worker of a connection.
    pub fn on(&mut self, connection: ConnectionId) -> Option<&mut WorkerNode> {
        self.nodes.get_mut(self.by_connection.get(&connection)?)
    }

    /// The worker of a name.
    pub fn get(&self, worker: &str) -> Option<&WorkerNode> {
        self.nodes.get(worker)
    }

    /// The worker of a name, to be changed.
    pub fn get_mut(&mut self, worker: &WorkerId) -> Option<&mut WorkerNode> {
        self.nodes.get_mut(worker)
    }

    /// All workers, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &WorkerNode> {
        self.nodes.values()
    }

    /// All workers, by name, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut WorkerNode> {
        self.nodes.values_mut()
    }

    /// The workers that can be given users, by name.
    pub fn active(&self) -> impl Iterator<Item = &WorkerNode> {
        self.iter().filter(|node| node.is_active())
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Users that the workers say they run, for whatever reason.
    pub fn user_count(&self) -> u64 {
        self.iter().filter(|node| node.state != WorkerState::Missing).map(WorkerNode::user_count).sum()
    }

    /// Users that have ended by themselves on the workers that can be given users.
    pub fn finished_count(&self) -> u64 {
        self.active().map(WorkerNode::finished_count).sum()
    }

    /// Users that were assigned to workers and run on them, without those of workers that were not heard of lately or
    /// are leaving: nobody knows whether the silent ones still run theirs, and users of the others begin nothing more.
    pub fn live_user_count(&self, now: Moment) -> u64 {
        let heard = |node: &&WorkerNode| node.silence(now) < node.wire.doubtful_after();
        self.active().filter(heard).map(WorkerNode::placed_count).sum()
    }

    /// Marks the workers that were silent for [`Wire::liveness`] as missing and returns what is known of them. One that
    /// said that it is leaving may be silent.
    pub fn give_up_silent(&mut self, now: Moment) -> Vec<WorkerNode> {
        let silent = |node: &&mut WorkerNode| node.is_active() && node.silence(now) >= node.wire.liveness();
        let missing = self.nodes.values_mut().filter(silent);
        missing
            .map(|node| {
                node.state = WorkerState::Missing;
                node.clone()
            })
            .collect()
    }

    /// The connections of workers that have been silent for [`FORGET_AFTER`].
    pub fn forgotten(&self, now: Moment) -> Vec<ConnectionId> {
        let forgotten = |node: &&WorkerNode| node.silence(now) >= FORGET_AFTER;
        self.iter().filter(forgotten).map(|node| node.connection).collect()
    }

    fn index_of(&mut self, worker: &WorkerId) -> u32 {
        if let Some(index) = self.indexes.get(worker) {
            return *index;
        }
        let index = self.next_index;
        self.next_index += 1;
        if self.indexes.len() < Self::MAX_REMEMBERED {
            self.indexes.insert(worker.clone(), index);
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::WIRE_VERSION;

    fn ready(name: &str) -> Ready {
        Ready {
            worker: WorkerId::new(name).unwrap(),
            wire: Wire::Grpc,
            wire_version: WIRE_VERSION,
            software_version: String::new(),
            capabilities: Vec::new(),
            run: None,
            resources: Resources::default(),
        }
    }

    #[test]
    fn a_name_keeps_its_index_when_it_comes_back() {
        let mut roster = Roster::default();
        let mut join = |connection, name| {
            roster.admit(Moment::ZERO, ConnectionId(connection), &ready(name)).unwrap();
            let index = roster.on(ConnectionId(connection)).unwrap().index;
            roster.remove(ConnectionId(connection));
            index
        };
        assert_eq!((join(1, "h1_a"), join(2, "h1_b"), join(3, "h1_a")), (0, 1, 0));
    }

    #[test]
    fn a_second_connection_of_a_worker_replaces_the_first() {
        let mut roster = Roster::default();
        assert_eq!(roster.admit(Moment::ZERO, ConnectionId(1), &ready("h1_a")), Ok(None));
        assert_eq!(roster.admit(Moment::ZERO, ConnectionId(2), &ready("h1_a")), Ok(Some(ConnectionId(1))));
        assert!(roster.remove(ConnectionId(1)).is_none(), "the end of the old connection takes nobody away");
        assert_eq!(roster.iter().len(), 1);
    }

    #[test]
    fn users_that_have_finished_do_not_count_once_it_is_known_whose_they_are() {
        let counts = |users| ClassCounts::from([("A".to_owned(), users)]);
        let mut roster = Roster::default();
        roster.admit(Moment::ZERO, ConnectionId(1), &ready("h1_a")).unwrap();
        let node = roster.on(ConnectionId(1)).unwrap();
        let mut check = |users, finished, expected: (u64, u64)| {
            node.update(Heartbeat {
                users: counts(users),
                finished: counts(finished),
                ..Heartbeat::default()
            });
            assert_eq!((node.user_count(), node.finished_count()), expected, "{users} {finished}");
            node.generation = Generation(7);
            node.follow(Generation(7));
        };
        check(4, 4, (4, 0));
        check(4, 3, (1, 3));
        check(2, 3, (0, 2));
        let node = roster.on(ConnectionId(1)).unwrap();
        node.forget_orders();
        node.generation = Generation(8);
        node.follow(Generation(7));
        node.update(Heartbeat { users: counts(4), finished: counts(4), ..Heartbeat::default() });
        assert_eq!(node.finished_count(), 0, "that was the run before");
    }

    #[test]
    fn silence_makes_a_worker_missing_and_a_word_brings_it_back() {
        let liveness = Wire::Grpc.liveness();
        let mut roster = Roster::default();
        roster.admit(Moment::ZERO, ConnectionId(1), &ready("h1_a")).unwrap();
        assert!(roster.give_up_silent(Moment::ZERO + liveness - Duration::from_micros(1)).is_empty());
        assert_eq!(roster.give_up_silent(Moment::ZERO + liveness).len(), 1);
        assert!(roster.give_up_silent(Moment::ZERO + liveness).is_empty(), "given up once");
        assert_eq!(roster.active().count(), 0);
        let node = roster.on(ConnectionId(1)).unwrap();
        assert!(node.hear(Moment::from_secs(4)), "it was missing");
        assert!(!node.hear(Moment::from_secs(5)), "it no longer was");
        assert_eq!(roster.forgotten(Moment::from_secs(64)), []);
        assert_eq!(roster.forgotten(Moment::from_secs(65)), [ConnectionId(1)]);
    }
}
