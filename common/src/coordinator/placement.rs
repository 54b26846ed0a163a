//! Who runs which users: the coordinator's part that turns placements into assignments.

use super::run::{Phase, Run};
use super::timers::Timer;
use super::{Coordinator, Effect, LONELY_LIMIT};
use crate::dispatch::{Share, SpawnRate, shares};
use crate::ids::{Generation, WorkerId};
use crate::messages::{Assignment, ClassCounts, Ready, ToWorker};
use crate::roster::WorkerNode;
use crate::time::Moment;
use crate::timeline::EventKind;

impl Coordinator {
    /// Places all users on the workers that are there.
    pub(super) fn place_from_scratch(&mut self, now: Moment) {
        let Some(run) = self.run.as_mut() else {
            return;
        };
        let workers = self.roster.active().map(|node| node.id.as_str()).collect();
        run.placement = run.dispatcher(workers);
        let Some(placement) = run.placement.as_mut() else {
            return self.wait_for_workers(now);
        };
        placement.ramp(run.load.users);
        self.timers.clear(Timer::Lonely);
        self.assign(now);
    }

    /// Places more or fewer users than before.
    pub(super) fn place_edited(&mut self, now: Moment) {
        let in_steps = self.needs_steps();
        if let Some(run) = self.run.as_mut() {
            let users = run.load.users;
            if let Some(placement) = run.placement.as_mut().filter(|_| !in_steps) {
                placement.ramp(users);
            }
            self.assign(now);
        }
    }

    /// Gives a worker that has just become available its share.
    pub(super) fn place_with(&mut self, now: Moment, worker: &WorkerId) {
        if let Some(run) = self.run.as_mut() {
            run.following.disturb();
        }
        let Some(placement) = self.run.as_mut().and_then(|run| run.placement.as_mut()) else {
            return self.place_from_scratch(now);
        };
        // Already there: it came back before its loss was noticed, and goes on where it was.
        let _ = placement.add_worker(worker.as_str());
        self.assign(now);
    }

    /// Gives the users of workers that are gone to the others, in one decision: one by one, the first would leave
    /// users with the second.
    pub(super) fn place_without(&mut self, now: Moment, workers: &[WorkerId]) {
        let running = u32::try_from(self.roster.user_count()).unwrap_or(u32::MAX);
        let Some(run) = self.run.as_mut() else {
            return;
        };
        run.lose(running);
        if let Some(placement) = run.placement.as_mut() {
            for worker in workers {
                // Not there: it never had a share.
                let _ = match self.policy.rebalance_on_loss {
                    true => placement.remove_worker(worker.as_str()),
                    false => placement.lose_worker(worker.as_str()),
                };
            }
            if placement.current().workers().is_empty() {
                run.placement = None;
                return self.wait_for_workers(now);
            }
        }
        self.assign(now);
    }

    /// Includes a worker that has introduced itself in the run, if there is one.
    pub(super) fn include(&mut self, now: Moment, ready: &Ready) {
        let worker = ready.worker.clone();
        let unready = self.roster.get(worker.as_str()).is_none_or(|node| node.unready);
        let Some(run) = self.run.as_mut().filter(|run| run.phase.is_active() && !unready) else {
            return;
        };
        let event = match ready.run.as_ref() == Some(run.id()) {
            true => {
                run.rows.values_mut().for_each(|ledger| ledger.regain(&worker));
                EventKind::WorkerReturned { worker }
            }
            false => EventKind::WorkerJoined { worker },
        };
        run.add_member(&ready.worker);
        run.note(now, event);
        self.check_supply();
        self.place_with(now, &ready.worker);
    }

    /// Tells a worker that was given up to stop its users, should it ever listen again: others run them now.
    pub(super) fn recall(&mut self, worker: &WorkerId) {
        let (Some(run), Some(node)) = (self.run.as_mut(), self.roster.get_mut(worker)) else {
            return;
        };
        if run.phase.is_active() {
            run.generation = run.generation.next();
            let recall = assignment(run, node, ClassCounts::new(), f64::MAX);
            // It obeys this before anything that is sent later.
            node.clear_users();
            self.effects.push_back(Effect::Send { to: node.connection, message: ToWorker::Spawn(recall) });
        }
    }

    /// Sees to it that every worker learns of the placement, and of its part in arrivals.
    fn assign(&mut self, now: Moment) {
        self.share_out_arrivals(now);
        match (self.run.as_ref().is_some_and(|run| run.steps.is_some()), self.needs_steps()) {
            (false, true) => self.turn_to_steps(),
            (true, false) => self.turn_from_steps(),
            _ => {}
        }
        if self.needs_steps() { self.begin_steps(now) } else { self.assign_at_once(now) }
    }

    fn share_out_arrivals(&mut self, now: Moment) {
        if let Some(run) = self.run.as_mut() {
            let at = run.clock(now);
            run.open.share_out(at, &self.roster);
        }
    }

    /// Nobody is left to run users: goes on when a worker comes, gives up when none does.
    fn wait_for_workers(&mut self, now: Moment) {
        self.share_out_arrivals(now);
        self.warn("No worker is left to run users; waiting for one".to_owned());
        if let Some(run) = self.run.as_mut() {
            run.phase = Phase::Spawning;
            run.steps = None;
        }
        self.timers.clear(Timer::Step);
        self.timers.clear(Timer::Reports);
        if !self.timers.is_set(Timer::Lonely) {
            self.timers.set(Timer::Lonely, now + LONELY_LIMIT);
        }
    }

    /// Sends every worker whose users change its final counts, as one new generation: it ramps by itself.
    fn assign_at_once(&mut self, now: Moment) {
        let Some(run) = self.run.as_mut() else {
            return;
        };
        run.phase = Phase::Spawning;
        run.generation = run.generation.next();
        let order = if run.following.on_course { Order::from_told } else { Order::new };
        let orders: Vec<Order> =
            self.roster.active().map(|node| order(node, run.share_of(&node.id))).collect();
        let rate = run.load.spawn_rate;
        let wait = run.pace.begin(now, rate, longest_queue(&orders));
        let rates = rates(rate, &orders);
        for (order, share) in orders.into_iter().zip(rates) {
            let Some(node) = self.roster.get_mut(&order.worker).filter(|node| order.concerns(run, node))
            else {
                continue;
            };
            let mut assignment = assignment(run, node, order.users, share.rate);
            assignment.first_delay = wait.saturating_add(share.first_delay);
            self.effects
                .push_back(Effect::Send { to: node.connection, message: ToWorker::Spawn(assignment) });
        }
        self.complete_ramp_if_settled(now);
    }
}

/// What one worker is to change.
pub(super) struct Order {
    pub(super) worker: WorkerId,
    pub(super) users: ClassCounts,
    /// Users that it must spawn, as far as the master knows.
    spawns: u64,
    /// Users that it must stop.
    stops: u64,
}

impl Order {
    /// Compared with what the worker runs.
    fn new(node: &WorkerNode, users: ClassCounts) -> Self {
        Self::between(&node.users, node, users)
    }

    /// Compared with what the worker was told before.
    pub(super) fn from_told(node: &WorkerNode, users: ClassCounts) -> Self {
        Self::between(&node.assigned, node, users)
    }

    fn between(before: &ClassCounts, node: &WorkerNode, users: ClassCounts) -> Self {
        let mut order = Self { worker: node.id.clone(), users, spawns: 0, stops: 0 };
        for class in order.users.keys().chain(before.keys().filter(|class| !order.users.contains_key(*class)))
        {
            let wanted = order.users.get(class).copied().unwrap_or(0);
            let running = before.get(class).copied().unwrap_or(0);
            order.spawns += u64::from(wanted.saturating_sub(running));
            order.stops += u64::from(running.saturating_sub(wanted));
        }
        order
    }

    /// How many users it must move at its rate: it spawns and stops side by side.
    pub(super) fn moves(&self) -> u64 {
        self.spawns.max(self.stops)
    }

    /// Whether the worker has anything to do that it does not know of.
    pub(super) fn concerns(&self, run: &Run, node: &WorkerNode) -> bool {
        let untold = node.generation == Generation::default();
        untold
            || node.arrivals != run.open.shares_of(&node.id)
            || node.assigned != self.users
            || self.spawns + self.stops > 0
            || !node.is_settled()
    }
}

/// The users that are moved one after the other at the spawn rate: those of all workers that spawn, or those of all
/// that stop, whichever are more.
fn longest_queue(orders: &[Order]) -> u64 {
    let spawning: u64 = orders.iter().filter(|order| order.spawns > 0).map(Order::moves).sum();
    let stopping: u64 = orders.iter().filter(|order| order.stops > 0).map(Order::moves).sum();
    spawning.max(stopping)
}

/// How fast each worker moves. All of them arrive at the same time, so that on the way the cluster has as many users
/// as it should, wherever they are; and neither spawns nor stops users faster than the spawn rate.
fn rates(spawn_rate: SpawnRate, orders: &[Order]) -> Vec<Share> {
    let moves: Vec<u64> = orders.iter().map(Order::moves).collect();
    let side_by_side = moves.iter().sum::<u64>() as f64 / longest_queue(orders).max(1) as f64;
    let all = SpawnRate::per_second(spawn_rate.as_per_second() * side_by_side).unwrap_or(spawn_rate);
    let mut rates = shares(all, &moves);
    // A worker may be further than its last heartbeat said, so that it has to move though it seems settled.
    let even = spawn_rate.as_per_second() / orders.len() as f64;
    rates.iter_mut().zip(&moves).filter(|(_, moves)| **moves == 0).for_each(|(share, _)| share.rate = even);
    rates
}

/// An assignment of the current generation, noted in the roster.
pub(super) fn assignment(
    run: &Run,
    node: &mut WorkerNode,
    users: ClassCounts,
    spawn_rate: f64,
) -> Assignment {
    node.generation = run.generation;
    node.assigned.clone_from(&users);
    let arrivals = run.open.shares_of(&node.id);
    node.arrivals.clone_from(&arrivals);
    let first_delay = std::time::Duration::ZERO;
    Assignment { run: run.id().clone(), generation: run.generation, users, spawn_rate, first_delay, arrivals }
}
