//! A lane: one thread's share of the users. Everything in it lives on that thread, so users record and count without
//! a lock.
//!
//! The swarm sends commands; the lane spawns users as local tasks and drains their recorder when asked.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sentinel_common::stats::StatsDelta;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::clock::LocalClock;
use crate::http::ClientFactory;
use crate::lane_state::{LaneState, Live};
use crate::pacing::UserPacing;
use crate::plan::PreparedRun;
use crate::stop::StopSignal;
use crate::user::User;

/// What the swarm tells a lane.
#[derive(Debug)]
pub enum LaneCommand {
    /// Run users of this plan from now on.
    Prepare(Arc<PreparedRun>),
    /// Start one user.
    Spawn {
        /// Its class, as an index into the plan's classes.
        class: usize,
        /// Its number, unique in the cluster.
        index: u64,
    },
    /// Stop the user of this class that came last.
    Stop {
        /// The class.
        class: usize,
    },
    /// Hand over what was measured.
    Collect(oneshot::Sender<LaneReport>),
    /// Throw away what was measured.
    Discard,
    /// Stop all users, then hand over what was measured.
    Drain {
        /// How long tasks may go on.
        timeout: Duration,
        /// Where the last report goes.
        done: oneshot::Sender<LaneReport>,
    },
}

/// What one lane measured.
#[derive(Debug, Default)]
pub struct LaneReport {
    /// The statistics since the last report.
    pub delta: StatsDelta,
    /// The longest time by which a user woke late since the last report.
    pub wakeup_lag: Duration,
}

/// A user as its lane knows it.
struct Resident {
    stop: Rc<StopSignal>,
    pacing: Rc<UserPacing>,
}

struct Lane<F> {
    factory: F,
    clock: LocalClock,
    run: Option<Arc<PreparedRun>>,
    state: Rc<LaneState>,
    /// Users by class, in the order of their arrival. Those that were told to stop are gone from here.
    residents: Vec<Vec<Resident>>,
}

/// Runs a lane until the swarm lets go of it. Must run inside a `LocalSet`.
pub async fn run_lane<F: ClientFactory>(
    mut commands: mpsc::Receiver<LaneCommand>,
    factory: F,
    clock: LocalClock,
) {
    let state = Rc::new(LaneState::default());
    let mut lane = Lane { factory, clock, run: None, state, residents: Vec::new() };
    while let Some(command) = commands.recv().await {
        lane.handle(command);
    }
}

impl<F: ClientFactory> Lane<F> {
    fn handle(&mut self, command: LaneCommand) {
        match command {
            LaneCommand::Prepare(run) => self.prepare(run),
            LaneCommand::Spawn { class, index } => self.spawn(class, index),
            LaneCommand::Stop { class } => self.stop(class),
            LaneCommand::Collect(reply) => {
                // The swarm may have lost interest; then these figures belong to nobody.
                let _ = reply.send(self.collect());
            }
            LaneCommand::Discard => {
                self.collect();
            }
            LaneCommand::Drain { timeout, done } => self.drain(timeout, done),
        }
    }

    fn prepare(&mut self, run: Arc<PreparedRun>) {
        // Users of a run before, if any are left, belong to nobody now.
        self.stop_all(Duration::ZERO);
        self.state = Rc::new(LaneState::default());
        self.residents = run.classes().iter().map(|_| Vec::new()).collect();
        self.run = Some(run);
    }

    fn spawn(&mut self, class: usize, index: u64) {
        let Some(run) = self.run.clone() else {
            return;
        };
        let stop = Rc::new(StopSignal::default());
        let client = self.factory.client(run.http(class));
        let user = User::new(run, class, index, client, self.clock, self.state.clone(), stop.clone());
        let pacing = user.pacing();
        let live = Live::new(&self.state);
        tokio::task::spawn_local(async move {
            user.run().await;
            drop(live);
        });
        if let Some(residents) = self.residents.get_mut(class) {
            residents.push(Resident { stop, pacing });
        }
    }

    fn stop(&mut self, class: usize) {
        let timeout = self.run.as_ref().map_or(Duration::ZERO, |run| run.stop_timeout());
        if let Some(resident) = self.residents.get_mut(class).and_then(Vec::pop) {
            self.dismiss(&resident, timeout);
        }
    }

    fn stop_all(&mut self, timeout: Duration) {
        for resident in self.residents.iter_mut().flat_map(std::mem::take).collect::<Vec<_>>() {
            self.dismiss(&resident, timeout);
        }
    }

    /// Closes a user's schedule at the very moment at which it is told to stop, so that nothing is planned for it
    /// that it may no longer begin.
    fn dismiss(&self, resident: &Resident, timeout: Duration) {
        resident.pacing.close(self.clock.now(), &mut self.state.recorder.borrow_mut());
        resident.stop.stop(Instant::now(), timeout);
    }

    fn collect(&mut self) -> LaneReport {
        let now = self.clock.now();
        for resident in self.residents.iter().flatten() {
            resident.pacing.count_planned(now, &mut self.state.recorder.borrow_mut());
        }
        report(&self.state)
    }

    fn drain(&mut self, timeout: Duration, done: oneshot::Sender<LaneReport>) {
        self.stop_all(timeout);
        let state = self.state.clone();
        tokio::task::spawn_local(async move {
            state.all_ended().await;
            let _ = done.send(report(&state));
        });
    }
}

fn report(state: &LaneState) -> LaneReport {
    LaneReport { delta: state.recorder.borrow_mut().take(), wakeup_lag: state.take_wakeup_lag() }
}
