//! Ramps in steps: the coordinator's part for runs in which Locust's workers take part.
//!
//! Such a worker brings its users to the counts of every message at once, so it is the master that has to take the
//! steps: those of Locust's dispatcher, with Locust's pause in between. While a worker of that kind is there, all
//! workers follow these steps, so that the cluster as a whole has the users that the dispatcher says at every moment;
//! our own workers spread each step over its pause.

use std::time::Duration;

use super::placement::{Order, assignment};
use super::run::{Phase, Run};
use super::timers::Timer;
use super::{Coordinator, Effect};
use crate::dispatch::{Placement, StepOutcome, approach};
use crate::ids::WorkerId;
use crate::messages::{ClassCounts, ToWorker, Wire};
use crate::roster::{Roster, WorkerNode};
use crate::time::Moment;

/// How long Locust's workers may take to say that they have taken the last step before the ramp counts as complete
/// without them, as in Locust.
const REPORT_WAIT: Duration = Duration::from_secs(1);

/// When the steps of a ramp are due.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// The next step; `None` if there is none to take.
    due: Option<Moment>,
    /// The end of the pause after the last one.
    free_at: Moment,
}

impl Coordinator {
    /// Whether the run has to go in steps with the workers that are there.
    pub(super) fn needs_steps(&self) -> bool {
        self.roster.active().any(|node| node.wire == Wire::Locust)
    }

    /// Begins to go in steps, from the users that the workers run now.
    pub(super) fn turn_to_steps(&mut self) {
        let Some(run) = self.run.as_mut() else {
            return;
        };
        run.steps = Some(Steps::default());
        let mut users = 0;
        for node in self.roster.iter_mut().filter(|node| node.is_active()) {
            if node.wire == Wire::Grpc {
                // It is on its way to what it was told; the steps go on from where it is.
                node.assigned.clone_from(&node.users);
            }
            users += crate::roster::total(&node.assigned);
        }
        let workers: Vec<&str> = self.roster.active().map(|node| node.id.as_str()).collect();
        run.placement = run.dispatcher(workers);
        if let Some(placement) = run.placement.as_mut() {
            placement.ramp(u32::try_from(users).unwrap_or(u32::MAX));
        }
    }

    /// Ends the steps: the workers that are left ramp by themselves.
    pub(super) fn turn_from_steps(&mut self) {
        self.timers.clear(Timer::Step);
        self.timers.clear(Timer::Reports);
        if let Some(run) = self.run.as_mut() {
            run.steps = None;
            let users = run.load.users;
            if let Some(placement) = run.placement.as_mut() {
                placement.ramp(users);
            }
        }
    }

    /// Steps towards the users of the run. The first step is taken at once, unless the pause after the one before is
    /// not over.
    pub(super) fn begin_steps(&mut self, now: Moment) {
        self.timers.clear(Timer::Reports);
        let Some(run) = self.run.as_mut() else {
            return;
        };
        run.phase = Phase::Spawning;
        let latest = now + run.load.spawn_rate.step_pause();
        let steps = run.steps.get_or_insert_default();
        let due = steps.due.unwrap_or(steps.free_at).clamp(now, latest);
        steps.due = Some(due);
        self.timers.set(Timer::Step, due);
        if due == now {
            self.timers.clear(Timer::Step);
            self.take_step(now);
        }
    }

    /// Takes the step that is due and sees to the next one.
    pub(super) fn take_step(&mut self, now: Moment) {
        let Some(run) = self.run.as_mut().filter(|run| run.phase.is_active()) else {
            return;
        };
        let (Some(steps), Some(placement)) = (run.steps.as_mut(), run.placement.as_mut()) else {
            return;
        };
        let rate = run.load.spawn_rate;
        let outcome = placement.step(run.load.users, rate.step_size());
        let (goal, orders) = next_step(placement.current(), &self.roster, rate.step_size().get());
        let due = steps.due.take().unwrap_or(now);
        // What was missed while the process stood still is not made up for in one burst.
        let next = due + rate.step_pause();
        steps.free_at = if next > now { next } else { now + rate.step_pause() };
        let next = steps.free_at;
        let arrived = outcome != StepOutcome::Moving && goal;
        steps.due = (!arrived).then_some(next);
        run.generation = run.generation.next();
        for order in orders {
            if let Some(node) = self.roster.get_mut(&order.worker) {
                self.effects.extend(step_of(run, node, order));
            }
        }
        if arrived {
            self.timers.set(Timer::Reports, now + REPORT_WAIT);
            self.complete_ramp_if_settled(now);
        } else {
            self.timers.set(Timer::Step, next);
        }
    }

    /// Some of Locust's workers have not said that they took the last step. They are not waited for any longer.
    pub(super) fn give_up_reports(&mut self, now: Moment) {
        let unsettled = |node: &&WorkerNode| !node.is_settled();
        if self.roster.active().filter(unsettled).any(|node| node.wire == Wire::Grpc) {
            return self.timers.set(Timer::Reports, now + REPORT_WAIT);
        }
        let silent: Vec<WorkerId> =
            self.roster.active().filter(unsettled).map(|node| node.id.clone()).collect();
        for worker in silent {
            self.warn(format!(
                "Worker {worker} does not say that it has spawned its users; does its locustfile have them?"
            ));
            if let Some(node) = self.roster.get_mut(&worker) {
                node.settled = node.generation;
            }
        }
        self.complete_ramp_if_settled(now);
    }
}

/// What every worker is to run after one more step, and whether that is what the placement wants.
fn next_step(placement: &Placement, roster: &Roster, limit: u32) -> (bool, Vec<Order>) {
    let classes = placement.classes();
    let rows = placement.rows().filter_map(|(worker, row)| Some((roster.get(worker)?, row.to_vec())));
    let (nodes, goal): (Vec<&WorkerNode>, Vec<Vec<u32>>) = rows.unzip();
    let told_by_class = |node: &&WorkerNode| {
        classes.iter().map(|class| node.assigned.get(&**class).copied().unwrap_or(0)).collect()
    };
    let mut told: Vec<Vec<u32>> = nodes.iter().map(told_by_class).collect();
    approach(&mut told, &goal, u64::from(limit));
    let arrived = told == goal;
    let orders = nodes.into_iter().zip(told).map(|(node, row)| {
        let named = classes.iter().map(|class| class.to_string()).zip(row);
        let users: ClassCounts = named.filter(|(_, users)| *users > 0).collect();
        Order::from_told(node, users)
    });
    (arrived, orders.collect())
}

/// The message for one worker, if it needs one: Locust's workers are told every step, as by their own master.
fn step_of(run: &Run, node: &mut WorkerNode, order: Order) -> Option<Effect> {
    if node.wire == Wire::Grpc && !order.concerns(run, node) {
        return None;
    }
    let pause = run.load.spawn_rate.step_pause().as_secs_f64();
    let rate = (order.moves() as f64 / pause).max(run.load.spawn_rate.as_per_second() / 1e3);
    let assignment = assignment(run, node, order.users, rate);
    Some(Effect::Send { to: node.connection, message: ToWorker::Spawn(assignment) })
}
