//! The swarm: all users of this worker, spread over lanes.
//!
//! The session tells it which users to run; the swarm says when the next change is due and hands it to the lane that
//! has the fewest users. It never waits for a lane: a lane that is too busy to take a command gets it a little later.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sentinel_common::ids::Generation;
use sentinel_common::messages::{Assignment, ClassCounts};
use sentinel_common::spawn_plan::{Change, SpawnPlan};
use sentinel_common::stats::Accumulator;
use sentinel_common::time::Moment;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::clock::LocalClock;
use crate::http::ClientFactory;
use crate::lane::{LaneCommand, LaneReport, run_lane};
use crate::plan::PreparedRun;

/// Commands that a lane may be behind with. More would only hide that it cannot keep up.
const LANE_QUEUE: usize = 1024;

/// A change that is later than this shows that the process was frozen.
const FROZEN: Duration = Duration::from_secs(1);

/// When to try again to hand a change to a lane whose queue is full.
const LANE_RETRY: Duration = Duration::from_millis(10);

/// All users of a worker. See the module's documentation.
#[derive(Debug)]
pub struct Swarm {
    lanes: Vec<Lane>,
    run: Option<Arc<PreparedRun>>,
    /// Users that were started and not told to stop.
    running: ClassCounts,
    plan: SpawnPlan,
    /// The assignment that is being followed, until it is reached.
    unsettled: Option<Assignment>,
    /// A lane had no room; nothing is handed out before this.
    retry_at: Option<Moment>,
    next_index: u64,
}

#[derive(Debug)]
struct Lane {
    commands: mpsc::Sender<LaneCommand>,
    users: usize,
    /// How many users of each class are here, in the order of the plan's classes.
    by_class: Vec<u32>,
}

impl Swarm {
    /// A swarm on `threads` threads of its own, which end when it is dropped.
    ///
    /// # Errors
    /// The system gives no thread or no event queue.
    pub fn start_threads<F: ClientFactory>(
        threads: usize,
        factory: &F,
        clock: LocalClock,
    ) -> io::Result<Self> {
        let mut lanes = Vec::new();
        for index in 0..threads.max(1) {
            let (lane, queue) = Lane::new();
            let factory = factory.clone();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new().name(format!("lane-{index}")).spawn(move || {
                LocalSet::new().block_on(&runtime, run_lane(queue, factory, clock));
            })?;
            lanes.push(lane);
        }
        Ok(Self::new(lanes))
    }

    /// A swarm of one lane on the current thread, for tests on virtual time. Must be called inside a `LocalSet`.
    pub fn start_local<F: ClientFactory>(factory: F, clock: LocalClock) -> Self {
        let (lane, queue) = Lane::new();
        tokio::task::spawn_local(run_lane(queue, factory, clock));
        Self::new(vec![lane])
    }

    fn new(lanes: Vec<Lane>) -> Self {
        Self {
            lanes,
            run: None,
            running: ClassCounts::new(),
            plan: SpawnPlan::default(),
            unsettled: None,
            retry_at: None,
            next_index: 0,
        }
    }

    /// The run whose users it runs.
    pub fn run(&self) -> Option<&Arc<PreparedRun>> {
        self.run.as_ref()
    }

    /// Users that were started and not told to stop one by one; in a drain, all until it is over.
    pub fn running(&self) -> &ClassCounts {
        &self.running
    }

    /// Makes ready for a run; users of another one are stopped. Its users are numbered from `first_index` on.
    pub async fn prepare(&mut self, run: Arc<PreparedRun>, first_index: u64) {
        for lane in &mut self.lanes {
            lane.users = 0;
            lane.by_class = vec![0; run.classes().len()];
            lane.tell(LaneCommand::Prepare(run.clone())).await;
        }
        self.run = Some(run);
        self.running.clear();
        self.plan = SpawnPlan::default();
        self.unsettled = None;
        self.next_index = first_index;
    }

    /// Follows an assignment from now on, instead of the one before.
    pub fn apply(&mut self, now: Moment, assignment: &Assignment) {
        self.plan = SpawnPlan::new(now, &self.running, assignment);
        self.unsettled = Some(assignment.clone());
    }

    /// When [`Self::advance`] wants to be called.
    pub fn next_at(&self) -> Option<Moment> {
        let due = self.plan.next_at().or(self.unsettled.as_ref().map(|_| Moment::ZERO))?;
        Some(due.max(self.retry_at.unwrap_or(Moment::ZERO)))
    }

    /// Makes the changes that are due. Returns the generation that has been reached, once.
    pub fn advance(&mut self, now: Moment) -> Option<Generation> {
        self.retry_at = None;
        self.resume_after_freeze(now);
        while let Some(change) = self.plan.due(now) {
            let made = match change {
                Change::Spawn(class) => spawn(&mut self.lanes, self.run.as_deref(), class, self.next_index),
                Change::Stop(class) => stop(&mut self.lanes, self.run.as_deref(), class),
            };
            if made.is_err() {
                self.retry_at = Some(now + LANE_RETRY);
                return None;
            }
            match change {
                Change::Spawn(class) => {
                    self.next_index += 1;
                    *self.running.entry(class.to_owned()).or_default() += 1;
                }
                Change::Stop(class) => {
                    if let Some(count) = self.running.get_mut(class) {
                        *count = count.saturating_sub(1);
                    }
                }
            }
            self.plan.advance(now);
        }
        if self.plan.is_complete() { self.unsettled.take().map(|reached| reached.generation) } else { None }
    }

    /// What was due during a freeze is not made up for in one burst: the ramp goes on from now at its own pace, and
    /// whatever the master has decided meanwhile arrives before much has happened.
    fn resume_after_freeze(&mut self, now: Moment) {
        let late = self.plan.next_at().is_some_and(|at| now.saturating_since(at) > FROZEN);
        if let Some(assignment) = self.unsettled.as_ref().filter(|_| late) {
            let assignment = Assignment { first_delay: Duration::ZERO, ..assignment.clone() };
            self.plan = SpawnPlan::new(now, &self.running, &assignment);
        }
    }

    /// Takes what was measured since the last time.
    pub fn collect(&self) -> impl Future<Output = LaneReport> + Send + 'static {
        self.ask(LaneCommand::Collect)
    }

    /// Throws away what was measured since the last time.
    pub async fn discard(&self) {
        for lane in &self.lanes {
            lane.tell(LaneCommand::Discard).await;
        }
    }

    /// Stops all users and takes the last of what they measured.
    pub fn drain(&mut self, timeout: Duration) -> impl Future<Output = LaneReport> + Send + 'static {
        self.plan = SpawnPlan::default();
        self.unsettled = None;
        for lane in &mut self.lanes {
            lane.users = 0;
            lane.by_class.fill(0);
        }
        self.ask(move |done| LaneCommand::Drain { timeout, done })
    }

    /// The drain is over: no user is left.
    pub fn drained(&mut self) {
        self.running.clear();
    }

    /// Asks all lanes and merges their answers.
    fn ask(
        &self,
        question: impl Fn(oneshot::Sender<LaneReport>) -> LaneCommand + Send + 'static,
    ) -> impl Future<Output = LaneReport> + Send + 'static {
        let lanes: Vec<_> = self.lanes.iter().map(|lane| lane.commands.clone()).collect();
        async move {
            let mut answers = Vec::new();
            for lane in lanes {
                let (answer, answered) = oneshot::channel();
                if lane.send(question(answer)).await.is_ok() {
                    answers.push(answered);
                }
            }
            let mut merged = Accumulator::default();
            let mut wakeup_lag = Duration::ZERO;
            for answer in answers {
                if let Ok(report) = answer.await {
                    merged.add(&report.delta);
                    wakeup_lag = wakeup_lag.max(report.wakeup_lag);
                }
            }
            LaneReport { delta: merged.take(), wakeup_lag }
        }
    }
}

impl Lane {
    fn new() -> (Self, mpsc::Receiver<LaneCommand>) {
        let (commands, queue) = mpsc::channel(LANE_QUEUE);
        (Self { commands, users: 0, by_class: Vec::new() }, queue)
    }

    async fn tell(&self, command: LaneCommand) {
        if self.commands.send(command).await.is_err() {
            tracing::error!("A thread that ran users is gone");
        }
    }
}

/// The lane has no room for a command right now.
struct LaneBusy;

fn spawn(lanes: &mut [Lane], run: Option<&PreparedRun>, class: &str, index: u64) -> Result<(), LaneBusy> {
    let Some(class) = run.and_then(|run| run.class_index(class)) else {
        return Ok(());
    };
    if let Some(lane) = lanes.iter_mut().min_by_key(|lane| lane.users) {
        lane.commands.try_send(LaneCommand::Spawn { class, index }).map_err(|_| LaneBusy)?;
        lane.users += 1;
        lane.by_class[class] += 1;
    }
    Ok(())
}

fn stop(lanes: &mut [Lane], run: Option<&PreparedRun>, class: &str) -> Result<(), LaneBusy> {
    let Some(class) = run.and_then(|run| run.class_index(class)) else {
        return Ok(());
    };
    let with_class = lanes.iter_mut().filter(|lane| lane.by_class[class] > 0);
    if let Some(lane) = with_class.max_by_key(|lane| lane.users) {
        lane.commands.try_send(LaneCommand::Stop { class }).map_err(|_| LaneBusy)?;
        lane.users -= 1;
        lane.by_class[class] -= 1;
    }
    Ok(())
}
