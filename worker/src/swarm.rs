//! The swarm: all users of this worker, spread over lanes.
//!
//! The session tells it which users to run; the swarm says when the next change is due and hands it to the lane that
//! has the fewest users. It never waits for a lane: a lane that is too busy to take a command gets it a little later.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use sentinel_common::ids::Generation;
use sentinel_common::messages::{ArrivalShare, Assignment, ClassCounts, Hook};
use sentinel_common::spawn_plan::{Change, SpawnPlan};
use sentinel_common::stats::Accumulator;
use sentinel_common::time::Moment;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::arrivals::{LanePart, UserNumbers};
use crate::clock::LocalClock;
use crate::finished::FinishedUsers;
use crate::http::ClientFactory;
use crate::lane::{LaneCommand, LaneReport, run_lane};
use crate::plan::PreparedRun;

/// Commands that a lane may be behind with. More would only hide that it cannot keep up.
const LANE_QUEUE: usize = 1024;

/// A change that is later than this shows that the process was frozen.
const FROZEN: Duration = Duration::from_secs(1);

/// A worker has four billion numbers for its users: the lower half for those that are assigned to it.
const POOL_NUMBERS: u64 = 1 << 31;

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
    /// The worker's parts in the arrivals of open classes.
    arrivals: Vec<ArrivalShare>,
    /// The lanes that have not been told of them.
    untold: Vec<usize>,
    /// A lane had no room; nothing is handed out before this.
    retry_at: Option<Moment>,
    /// The number of the next user of each class, in the order of the plan's classes. Each class counts for itself, so
    /// that another class changes nothing for its users.
    next_indexes: Vec<u64>,
}

/// Does setup and teardown.
#[derive(Clone, Debug)]
pub struct HookRunner(Option<mpsc::Sender<LaneCommand>>);

impl HookRunner {
    /// Does it. If the future is dropped, it is left where it is.
    ///
    /// # Errors
    /// What went wrong, for people.
    pub async fn run(self, hook: Hook, run: Arc<PreparedRun>) -> Result<String, String> {
        let (done, result) = oneshot::channel();
        if let Some(lane) = self.0 {
            // If the thread is gone, so is the other end of the answer.
            let _ = lane.send(LaneCommand::Hook { hook, run, done }).await;
        }
        result.await.unwrap_or_else(|_| Err("it panicked".to_owned()))
    }
}

#[derive(Debug)]
struct Lane {
    commands: mpsc::Sender<LaneCommand>,
    users: usize,
    /// How many users of each class are here, in the order of the plan's classes.
    by_class: Vec<u32>,
    /// Those of them that have ended by themselves.
    finished: Arc<FinishedUsers>,
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

    /// How many threads run users.
    pub fn threads(&self) -> usize {
        self.lanes.len()
    }

    fn new(lanes: Vec<Lane>) -> Self {
        Self {
            lanes,
            run: None,
            running: ClassCounts::new(),
            plan: SpawnPlan::default(),
            unsettled: None,
            arrivals: Vec::new(),
            untold: Vec::new(),
            retry_at: None,
            next_indexes: Vec::new(),
        }
    }

    /// The run whose users it runs.
    pub fn run(&self) -> Option<&Arc<PreparedRun>> {
        self.run.as_ref()
    }

    /// Users that were started and not told to stop one by one; in a drain, all until it is over. Those that have ended by
    /// themselves are among them.
    pub fn running(&self) -> &ClassCounts {
        &self.running
    }

    /// Where setup and teardown are done: on a thread that runs users, so that they can keep nothing else waiting.
    pub fn hooks(&self) -> HookRunner {
        HookRunner(self.lanes.first().map(|lane| lane.commands.clone()))
    }

    /// Stops all users at once; what they measure from now on is void.
    pub async fn abandon(&mut self) {
        for lane in &mut self.lanes {
            lane.users = 0;
            lane.by_class.fill(0);
            lane.finished = Arc::default();
            lane.tell(LaneCommand::Abandon).await;
        }
        self.run = None;
        self.running.clear();
        self.plan = SpawnPlan::default();
        self.unsettled = None;
        self.forget_arrivals();
    }

    /// Those of the running users that have ended by themselves. They count as running until they are told to stop.
    pub fn finished(&self) -> ClassCounts {
        let classes = self.run.iter().flat_map(|run| run.classes()).enumerate();
        let counts = classes.map(|(index, class)| {
            let finished = self.lanes.iter().map(|lane| lane.finished.of(index)).sum();
            (class.name.clone(), finished)
        });
        counts.filter(|(_, finished)| *finished > 0).collect()
    }

    /// Makes ready for a run; users of another one were abandoned. The users of each class are numbered from
    /// `first_index` on, those that serve arrivals 2^31 later on.
    pub async fn prepare(&mut self, run: Arc<PreparedRun>, first_index: u64) {
        let lanes = self.lanes.len() as u64;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            lane.by_class = vec![0; run.classes().len()];
            lane.finished = Arc::new(FinishedUsers::new(run.classes().len()));
            let finished = lane.finished.clone();
            let numbers = UserNumbers::new(first_index + POOL_NUMBERS + index as u64, lanes);
            lane.tell(LaneCommand::Prepare { run: run.clone(), finished, numbers }).await;
        }
        self.next_indexes = vec![first_index; run.classes().len()];
        self.run = Some(run);
    }

    /// Follows an assignment from now on, instead of the one before.
    pub fn apply(&mut self, now: Moment, assignment: &Assignment) {
        self.plan = SpawnPlan::new(now, &self.running, assignment);
        self.unsettled = Some(assignment.clone());
        if self.arrivals != assignment.arrivals {
            self.arrivals.clone_from(&assignment.arrivals);
            self.untold = (0..self.lanes.len()).collect();
        }
    }

    /// Users that serve arrivals, whom nobody assigned.
    pub fn pool(&self) -> ClassCounts {
        self.run.as_ref().map(|run| run.pool()).unwrap_or_default()
    }

    /// When [`Self::advance`] wants to be called.
    pub fn next_at(&self) -> Option<Moment> {
        let at_once = !self.untold.is_empty() || self.unsettled.is_some() && self.plan.is_complete();
        let due = if at_once { Moment::ZERO } else { self.plan.next_at()? };
        Some(due.max(self.retry_at.unwrap_or(Moment::ZERO)))
    }

    /// Makes the changes that are due. Returns the generation that has been reached, once.
    pub fn advance(&mut self, now: Moment) -> Option<Generation> {
        self.retry_at = None;
        if self.tell_arrivals().is_err() {
            self.retry_at = Some(now + LANE_RETRY);
            return None;
        }
        self.resume_after_freeze(now);
        while let Some(change) = self.plan.due(now) {
            let made = match change {
                Change::Spawn(class) => {
                    spawn(&mut self.lanes, self.run.as_deref(), class, &mut self.next_indexes)
                }
                Change::Stop(class) => stop(&mut self.lanes, self.run.as_deref(), class),
            };
            if made.is_err() {
                self.retry_at = Some(now + LANE_RETRY);
                return None;
            }
            match change {
                Change::Spawn(class) => {
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

    /// Tells the lanes which arrivals are theirs.
    fn tell_arrivals(&mut self) -> Result<(), LaneBusy> {
        let lanes = u32::try_from(self.lanes.len()).unwrap_or(u32::MAX);
        while let (Some(index), Some(run)) = (self.untold.last().copied(), self.run.as_ref()) {
            let parts = self.arrivals.iter().filter_map(|share| {
                let class = run.class_index(&share.class)?;
                Some(LanePart::new(class, share, u32::try_from(index).unwrap_or(u32::MAX), lanes))
            });
            let command = LaneCommand::MakeArrivals(parts.collect());
            self.lanes[index].commands.try_send(command).map_err(|_| LaneBusy)?;
            self.untold.pop();
        }
        Ok(())
    }

    fn forget_arrivals(&mut self) {
        self.arrivals.clear();
        self.untold.clear();
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
        self.forget_arrivals();
        for lane in &mut self.lanes {
            lane.users = 0;
            lane.by_class.fill(0);
        }
        self.ask(move |done| LaneCommand::Drain { timeout, done })
    }

    /// The drain is over: no user is left.
    pub fn drained(&mut self) {
        self.running.clear();
        self.lanes.iter_mut().for_each(|lane| lane.finished = Arc::default());
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
        (Self { commands, users: 0, by_class: Vec::new(), finished: Arc::default() }, queue)
    }

    /// Whether a user of this class can be stopped here that has not ended by itself.
    fn has_running(&self, class: usize) -> bool {
        self.by_class[class] > self.finished.of(class)
    }

    async fn tell(&self, command: LaneCommand) {
        if self.commands.send(command).await.is_err() {
            tracing::error!("A thread that ran users is gone");
        }
    }
}

/// The lane has no room for a command right now.
struct LaneBusy;

fn spawn(
    lanes: &mut [Lane],
    run: Option<&PreparedRun>,
    class: &str,
    next_indexes: &mut [u64],
) -> Result<(), LaneBusy> {
    let Some(class) = run.and_then(|run| run.class_index(class)) else {
        return Ok(());
    };
    if let Some(lane) = lanes.iter_mut().min_by_key(|lane| lane.users) {
        let index = next_indexes[class];
        lane.commands.try_send(LaneCommand::Spawn { class, index }).map_err(|_| LaneBusy)?;
        next_indexes[class] += 1;
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
    // A user that has ended by itself keeps its place as long as there is another one to stop.
    if let Some(lane) = with_class.max_by_key(|lane| (lane.has_running(class), lane.users)) {
        lane.commands.try_send(LaneCommand::Stop { class }).map_err(|_| LaneBusy)?;
        lane.users -= 1;
        lane.by_class[class] -= 1;
    }
    Ok(())
}
