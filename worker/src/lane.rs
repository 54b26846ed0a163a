//! A lane: one thread's share of the users. Everything in it lives on that thread, so users record and count without
//! a lock.
//!
//! The swarm sends commands; the lane spawns users as local tasks and drains their recorder when asked.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sentinel_common::messages::{Hook, NO_VARIABLES};
use sentinel_common::stats::StatsDelta;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::actor::Cast;
use crate::arrivals::{LanePart, Occupant, Pool, UserNumbers};
use crate::clock::LocalClock;
use crate::finished::FinishedUsers;
use crate::hooks::{run_setup, run_teardown};
use crate::http::ClientFactory;
use crate::lane_state::{LaneState, Live};
use crate::machine::HookResult;
use crate::pacing::UserPacing;
use crate::plan::{PreparedRun, Role};
use crate::stop::StopSignal;
use crate::user::User;

/// What the swarm tells a lane.
#[derive(Debug)]
pub enum LaneCommand {
    /// Stop all users at once. What they measure from now on is void.
    Abandon,
    /// Run users of this plan from now on.
    Prepare {
        /// The plan.
        run: Arc<PreparedRun>,
        /// Where users are counted that end by themselves.
        finished: Arc<FinishedUsers>,
        /// The numbers of the users that are hired for arrivals.
        numbers: UserNumbers,
    },
    /// Set a run up or tear it down. It is left when nobody waits for the result any more.
    Hook {
        /// Which of the two.
        hook: Hook,
        /// The run.
        run: Arc<PreparedRun>,
        /// Where the result goes.
        done: oneshot::Sender<HookResult>,
    },
    /// Make these parts of the arrivals, and no others.
    MakeArrivals(Vec<LanePart>),
    /// Start one user.
    Spawn {
        /// Its class, as an index into the plan's classes.
        class: usize,
        /// Its number, unique within its class in the cluster.
        index: u64,
    },
    /// Stop the user of this class that came last, of those that have not ended by themselves if there are any.
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
#[derive(Clone)]
struct Resident {
    stop: Rc<StopSignal>,
    pacing: Rc<UserPacing>,
    /// It has ended by itself, and keeps its place.
    finished: Rc<Cell<bool>>,
}

struct Lane<F> {
    factory: F,
    clock: LocalClock,
    run: Option<Arc<PreparedRun>>,
    finished: Arc<FinishedUsers>,
    state: Rc<LaneState>,
    /// Users by class, in the order of their arrival. Those that were told to stop are gone from here.
    residents: Vec<Vec<Resident>>,
    /// Those who serve the arrivals of each class, if there are any.
    pools: Vec<Option<Rc<Pool>>>,
    numbers: Rc<UserNumbers>,
}

/// Runs a lane until the swarm lets go of it. Must run inside a `LocalSet`.
pub async fn run_lane<F: ClientFactory>(
    mut commands: mpsc::Receiver<LaneCommand>,
    factory: F,
    clock: LocalClock,
) {
    let state = Rc::new(LaneState::default());
    let (finished, residents, pools, numbers) = (Arc::default(), Vec::new(), Vec::new(), Rc::default());
    let mut lane = Lane { factory, clock, run: None, finished, state, residents, pools, numbers };
    while let Some(command) = commands.recv().await {
        lane.handle(command);
    }
}

impl<F: ClientFactory> Lane<F> {
    fn handle(&mut self, command: LaneCommand) {
        match command {
            LaneCommand::Abandon => self.abandon(),
            LaneCommand::Prepare { run, finished, numbers } => self.prepare(run, finished, numbers),
            LaneCommand::Hook { hook, run, done } => self.hook(hook, run, done),
            LaneCommand::MakeArrivals(parts) => self.make_arrivals(&parts),
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

    fn abandon(&mut self) {
        self.stop_all(Duration::ZERO);
        self.state = Rc::new(LaneState::default());
        self.run = None;
    }

    fn prepare(&mut self, run: Arc<PreparedRun>, finished: Arc<FinishedUsers>, numbers: UserNumbers) {
        // Users of a run before, if any are left, belong to nobody now.
        self.abandon();
        self.residents = run.classes().iter().map(|_| Vec::new()).collect();
        self.pools = vec![None; run.classes().len()];
        self.numbers = Rc::new(numbers);
        self.run = Some(run);
        self.finished = finished;
    }

    fn hook(&self, hook: Hook, run: Arc<PreparedRun>, mut done: oneshot::Sender<HookResult>) {
        let (factory, clock) = (self.factory.clone(), self.clock);
        let work = async move {
            match hook {
                Hook::Setup => run_setup(&run, &factory, clock).await,
                Hook::Teardown => run_teardown(&run, &factory, clock).await.map(|()| NO_VARIABLES.to_owned()),
            }
        };
        tokio::task::spawn_local(async move {
            tokio::select! {
                result = work => {
                    let _ = done.send(result);
                }
                () = done.closed() => {}
            }
        });
    }

    fn spawn(&mut self, class: usize, index: u64) {
        let Some(run) = self.run.clone() else {
            return;
        };
        let (clock, run_clock) = (self.clock, run.clock());
        let stop = Rc::new(StopSignal::default());
        let user = User::new(
            class,
            cast(&self.factory, run, class, index, self.clock, self.state.clone(), stop.clone()),
        );
        let resident = Resident { stop, pacing: user.pacing(), finished: Rc::default() };
        if let Some(residents) = self.residents.get_mut(class) {
            residents.push(resident.clone());
        }
        let live = Live::new(&self.state);
        let (state, finished) = (self.state.clone(), self.finished.clone());
        tokio::task::spawn_local(async move {
            user.run().await;
            // Whoever ends without having been told to has finished.
            if !resident.stop.is_stopping() {
                resident.pacing.finish(run_clock.run_time(clock.now()), &mut state.recorder.borrow_mut());
                resident.finished.set(true);
                finished.add(class);
            }
            drop(live);
        });
    }

    fn make_arrivals(&mut self, parts: &[LanePart]) {
        let Some(now) = self.run.as_ref().map(|run| run.clock().run_time(self.clock.now())) else {
            return;
        };
        for class in 0..self.pools.len() {
            match parts.iter().find(|part| part.class == class) {
                Some(part) => {
                    if let Some(pool) = self.pool(class) {
                        pool.take(now, part);
                    }
                }
                None => self.pools[class].iter().for_each(|pool| pool.halt()),
            }
        }
    }

    /// Those who serve the arrivals of a class; `None` if it has none.
    fn pool(&mut self, class: usize) -> Option<Rc<Pool>> {
        if let Some(pool) = &self.pools[class] {
            return Some(pool.clone());
        }
        let (run, state, clock) = (self.run.clone()?, self.state.clone(), self.clock);
        let pool = Pool::new(run.clone(), class, state.clone(), self.numbers.clone())?;
        let factory = self.factory.clone();
        tokio::task::spawn_local(pool.clone().watch(clock, move |seat| {
            let (index, stop) = (seat.number(), seat.stop_signal());
            let user =
                User::new(class, cast(&factory, run.clone(), class, index, clock, state.clone(), stop));
            let (live, occupant) = (Live::new(&state), Occupant::new(seat.clone()));
            tokio::task::spawn_local(async move {
                user.serve(&seat).await;
                drop((occupant, live));
            });
        }));
        self.pools[class] = Some(pool.clone());
        Some(pool)
    }

    fn stop(&mut self, class: usize) {
        let timeout = self.run.as_ref().map_or(Duration::ZERO, |run| run.stop_timeout());
        let Some(residents) = self.residents.get_mut(class) else {
            return;
        };
        let last_running = residents.iter().rposition(|resident| !resident.finished.get());
        match last_running.map(|at| residents.remove(at)) {
            Some(resident) => self.dismiss(&resident, timeout),
            None if residents.pop().is_some() => self.finished.remove(class),
            None => {}
        }
    }

    fn stop_all(&mut self, timeout: Duration) {
        for resident in self.residents.iter_mut().flat_map(std::mem::take).collect::<Vec<_>>() {
            self.dismiss(&resident, timeout);
        }
        for pool in self.pools.iter_mut().filter_map(Option::take) {
            pool.close(timeout);
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

/// What a user of a class is made of. `index` is its number.
fn cast<F: ClientFactory>(
    factory: &F,
    run: Arc<PreparedRun>,
    class: usize,
    index: u64,
    clock: LocalClock,
    state: Rc<LaneState>,
    stop: Rc<StopSignal>,
) -> Cast<F::Client> {
    let role = Role::Class(class);
    let (client, context) = (factory.client(run.http(role)), run.context(role, index));
    Cast { run, role, client, context, clock, state, stop, observer: None }
}

fn report(state: &LaneState) -> LaneReport {
    LaneReport { delta: state.recorder.borrow_mut().take(), wakeup_lag: state.take_wakeup_lag() }
}
