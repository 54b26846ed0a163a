//! What the coordinator wants of the worker: plans, placements, and the end of a run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::Guest;
use crate::ids::{Generation, RunId};
use crate::locust::{Counts, MasterMessage, Spawn};
use crate::messages::{Assignment, ClassCounts, FromWorker, RunPlan, ToWorker};
use crate::time::micros;

/// Placements that a worker may leave unanswered; one that is further behind is cut off.
const MAX_UNANSWERED: usize = 1024;

/// How long after the end of a run its last figures may come: a worker reports every three seconds.
const FLUSH_WAIT: Duration = Duration::from_millis(3500);

/// What the worker was told, and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// It introduced itself as working for a run that it cannot name, and was not told to stop.
    pub(super) resumes: bool,
    /// The users that it said it runs.
    pub(super) users: ClassCounts,
    plan: Option<Arc<RunPlan>>,
    /// Placements that it has not begun to follow, oldest first.
    unanswered: VecDeque<Generation>,
    /// The one that it follows.
    following: Generation,
    stopping: Option<Stopping>,
    /// When the last placement was made, in Unix microseconds.
    told_us: u64,
    /// The most users of a class that it was ever told to run.
    most_told: u32,
}

/// The end of a run on this worker.
#[derive(Debug)]
struct Stopping {
    run: RunId,
    /// Its users have stopped.
    client_stopped: bool,
    /// Its last figures are there.
    flushed: bool,
    /// When they are not waited for any longer, in Unix microseconds.
    due: Option<u64>,
    /// It is ready for the next run.
    ready: bool,
    /// What was decided for it meanwhile, oldest first: the last plan and the last placement.
    held: Vec<ToWorker>,
}

impl Orders {
    /// When the last figures of a run are not waited for any longer.
    pub(super) fn flush_due(&self) -> Option<u64> {
        self.stopping.as_ref()?.due
    }

    /// Whether the last figures of a run are waited for.
    pub(super) fn awaits_flush(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| stopping.client_stopped && !stopping.flushed)
    }
}

impl Guest {
    pub(super) fn on_plan(&mut self, unix_us: u64, plan: Arc<RunPlan>) {
        if let Some(stopping) = self.orders.stopping.as_mut() {
            stopping.held.clear();
            return stopping.held.push(ToWorker::Plan(plan));
        }
        let started_us = unix_us.saturating_sub(plan.run_time.as_micros());
        if self.orders.resumes {
            // It goes on with what it does: what it reports from now on belongs to this run.
            self.reports.begin(plan.run.clone(), started_us);
        } else {
            self.reports.announce(plan.run.clone(), started_us);
        }
        self.orders.resumes = false;
        self.orders.plan = Some(plan);
        self.release_held(unix_us);
    }

    pub(super) fn on_assignment(&mut self, unix_us: u64, assignment: Assignment) {
        if let Some(stopping) = self.orders.stopping.as_mut() {
            stopping.held.retain(|held| matches!(held, ToWorker::Plan(_)));
            return stopping.held.push(ToWorker::Spawn(assignment));
        }
        let Some(plan) = self.orders.plan.as_ref().filter(|plan| plan.run == assignment.run) else {
            return;
        };
        if self.orders.unanswered.len() >= MAX_UNANSWERED {
            return self.close(format!("it left {MAX_UNANSWERED} placements unanswered"));
        }
        // Workers take no placement that is not younger than the one before.
        self.orders.told_us = unix_us.max(self.orders.told_us + 1);
        let spawn = Spawn {
            timestamp: self.orders.told_us as f64 / 1e6,
            user_classes_count: all_classes(plan, &assignment.users),
            host: plan.host.clone(),
            stop_timeout: Some(plan.stop_timeout.as_secs_f64()),
            parsed_options: plan.locust.parsed_options.clone(),
        };
        self.orders.unanswered.push_back(assignment.generation);
        let most = assignment.users.values().copied().max();
        self.orders.most_told = self.orders.most_told.max(most.unwrap_or(0));
        self.reply(MasterMessage::Spawn(Box::new(spawn)));
    }

    pub(super) fn on_spawning(&mut self) {
        if let Some(generation) = self.orders.unanswered.pop_front() {
            self.orders.following = generation;
            self.reports.enter_announced();
            self.tell(FromWorker::Spawning { generation });
        }
    }

    pub(super) fn on_spawned(&mut self, user_classes_count: &Counts) {
        self.orders.users = self.running(user_classes_count);
        let (generation, users) = (self.orders.following, self.orders.users.clone());
        self.tell(FromWorker::SpawningComplete { generation, users });
    }

    /// The users that it says it runs, by class. It can only run what it was told to: more, or another class, is made
    /// up.
    pub(super) fn running(&self, counts: &Counts) -> ClassCounts {
        let classes = self.orders.plan.as_ref().map_or(&[][..], |plan| &plan.locust.user_classes);
        let known = counts.iter().filter(|(class, users)| *users > 0 && classes.contains(class));
        let most = self.orders.most_told;
        known.map(|(class, users)| (class.clone(), u32::try_from(*users).unwrap_or(most).min(most))).collect()
    }

    pub(super) fn on_stop(&mut self, run: RunId) {
        if self.orders.stopping.as_ref().is_some_and(|stopping| stopping.run == run) {
            return;
        }
        let current = self.orders.plan.as_ref().is_some_and(|plan| plan.run == run);
        if !current && run != RunId::untold() {
            return self.tell(FromWorker::ClientStopped { run });
        }
        self.orders.resumes = false;
        self.held.clear();
        self.orders.stopping = Some(Stopping {
            // Nobody asks for figures of a run that nobody can name.
            flushed: run == RunId::untold(),
            run,
            client_stopped: false,
            due: None,
            ready: false,
            held: Vec::new(),
        });
        self.reply(MasterMessage::Stop);
    }

    pub(super) fn on_client_stopped(&mut self, unix_us: u64) {
        self.orders.users.clear();
        self.orders.unanswered.clear();
        let plan = &self.orders.plan;
        if self.orders.stopping.is_none() {
            // Nobody asked it to; user code did, perhaps.
            let Some(run) = plan.as_ref().map(|plan| plan.run.clone()) else {
                return;
            };
            let held = Vec::new();
            self.orders.stopping =
                Some(Stopping { run, client_stopped: true, flushed: false, due: None, ready: false, held });
        }
        let reports_last = self.reports.are_expected();
        let Some(stopping) = self.orders.stopping.as_mut() else {
            return;
        };
        stopping.client_stopped = true;
        if stopping.flushed || !reports_last {
            return self.on_flushed(unix_us);
        }
        stopping.due = Some(unix_us + micros(FLUSH_WAIT));
    }

    /// The last figures of a run are there, or will not come.
    pub(super) fn on_flushed(&mut self, unix_us: u64) {
        let Some(stopping) = self.orders.stopping.as_mut() else {
            return;
        };
        stopping.flushed = true;
        stopping.due = None;
        let run = stopping.run.clone();
        self.orders.plan = None;
        self.reports.end();
        self.tell(FromWorker::ClientStopped { run });
        self.resume_orders(unix_us);
    }

    /// It introduced itself though it is known: it does so after every stop.
    pub(super) fn on_ready_again(&mut self, unix_us: u64) {
        if let Some(stopping) = self.orders.stopping.as_mut() {
            stopping.ready |= stopping.client_stopped;
        }
        self.resume_orders(unix_us);
    }

    /// Carries out what was held back, once the worker is through with its last run.
    fn resume_orders(&mut self, unix_us: u64) {
        let through = |stopping: &mut Stopping| stopping.client_stopped && stopping.flushed && stopping.ready;
        let Some(stopping) = self.orders.stopping.take_if(through) else {
            return;
        };
        // Nothing may have been decided for it while it was busy.
        self.tell_ready(None, String::new());
        stopping.held.into_iter().for_each(|order| self.handle_order(unix_us, order));
    }
}

/// Every class of the run with its users: classes that are left out would keep theirs.
fn all_classes(plan: &RunPlan, users: &ClassCounts) -> Counts {
    let mut counts: ClassCounts = plan.locust.user_classes.iter().map(|class| (class.clone(), 0)).collect();
    counts.extend(users.iter().map(|(class, users)| (class.clone(), *users)));
    counts.into_iter().map(|(class, users)| (class, users.into())).collect()
}
