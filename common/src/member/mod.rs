//! The member: what a worker decides, from what the master says and from the passing of time.
//!
//! A sans-IO state machine like the coordinator, its counterpart. The shell feeds it what happened (`handle_*`),
//! carries out what it wants ([`Member::poll_effect`]) and wakes it when it asks ([`Member::poll_timeout`]).
//!
//! Its two promises: a stale order never moves it backwards, because it obeys rising generations only; and no figure
//! is lost or counted twice, because each report is sealed under a number and sent again, unchanged, until the master
//! has acknowledged it, while everything newer waits in one accumulator.

mod effect;
mod files;
mod hook;
mod outbox;
mod rows;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::files::{FileCache, Progress};
use self::hook::HookTask;
use self::outbox::Outbox;
use self::rows::{RowTalk, Supply};
use crate::backoff::Backoff;
use crate::coordinator::Notice;
use crate::files::NamedFiles;
use crate::ids::{Generation, RunId};
use crate::messages::{
    Assignment, ClassCounts, FromWorker, HEARTBEAT_INTERVAL, Hook, REPORT_INTERVAL, Ready, RowsLease,
    RunPlan, ToWorker, WorkerState,
};
use crate::random::UserRng;
use crate::rows::{RowRange, Want};
use crate::stats::StatsDelta;
use crate::time::{Moment, RunClock};

pub use self::effect::{Effect, Exit};

/// A worker whose master has been away for this long ends, as Locust's does.
const MASTER_TIMEOUT: Duration = Duration::from_secs(60);

/// A worker that never reached its master ends after this: Locust's sixty attempts of five seconds.
const FIRST_CONTACT_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a worker that was told to end may take to hand over its last figures once its users have stopped.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// The connection to the master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// None; the next attempt is due at this moment.
    Down(Moment),
    /// An attempt is under way.
    Connecting,
    /// The worker has introduced itself and waits for the acknowledgement.
    Introduced,
    /// The master knows it.
    Up,
}

/// The run that the worker works for.
#[derive(Debug)]
struct MemberRun {
    id: RunId,
    stop_timeout: Duration,
    clock: RunClock,
    /// The plan, until its files are here.
    awaiting_files: Option<Arc<RunPlan>>,
    /// The newest assignment that came before they were.
    held: Option<Assignment>,
    /// The highest generation that was obeyed.
    generation: Generation,
    state: WorkerState,
    outbox: Outbox,
    rows: RowTalk,
    /// The swarm was asked for figures and has not answered yet.
    collecting: bool,
    /// All users have stopped and their last figures are in the outbox.
    drained: bool,
}

/// Decides for a worker. See the module's documentation.
#[derive(Debug)]
pub struct Member {
    ready: Ready,
    index: u32,
    rng: UserRng,
    link: Link,
    backoff: Backoff,
    last_heard: Moment,
    ever_up: bool,
    next_heartbeat: Moment,
    next_report: Moment,
    run: Option<MemberRun>,
    files: FileCache,
    /// Setup or teardown of a run, for the whole cluster.
    hook: Option<HookTask>,
    /// The process is to end once the run has been handed over.
    leaving: bool,
    /// When to end though figures are left.
    flush_deadline: Option<Moment>,
    /// The process was told to end; nothing more will be wanted.
    exited: bool,
    effects: VecDeque<Effect>,
}

impl Member {
    /// A worker that has not yet tried to reach its master. `rng` jitters its attempts.
    pub fn new(now: Moment, ready: Ready, rng: UserRng) -> Self {
        Self {
            ready,
            index: 0,
            rng,
            link: Link::Down(now),
            backoff: Backoff::default(),
            last_heard: now,
            ever_up: false,
            next_heartbeat: now,
            next_report: now,
            run: None,
            files: FileCache::default(),
            hook: None,
            leaving: false,
            flush_deadline: None,
            exited: false,
            effects: VecDeque::new(),
        }
    }

    /// The next thing to do, if any. To be called until it returns `None` after every `handle_*`.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Moment {
        if self.exited {
            return Moment::MAX;
        }
        let link = match self.link {
            Link::Down(at) => at,
            Link::Connecting | Link::Introduced => Moment::MAX,
            Link::Up => self.next_heartbeat.min(self.next_row_talk()),
        };
        let report = if self.has_users() { self.next_report } else { Moment::MAX };
        let flush = self.flush_deadline.unwrap_or(Moment::MAX);
        link.min(report).min(flush).min(self.patience())
    }

    /// The worker's number in the cluster, from 0; 0 until the master has given one.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The run's clock as far as it is known here.
    pub fn clock(&self) -> Option<RunClock> {
        self.run.as_ref().map(|run| run.clock)
    }

    // The connection.

    /// The connection stands.
    pub fn handle_connected(&mut self, now: Moment) {
        self.link = Link::Introduced;
        self.heard(now);
        let run = self.run.as_ref().map(|run| run.id.clone());
        self.send(FromWorker::Ready(Ready { run, ..self.ready.clone() }));
    }

    /// There is no connection: the attempt failed, or it ended. `reason` says how, for people.
    pub fn handle_disconnected(&mut self, now: Moment, reason: &str) {
        let wait = self.backoff.next(&mut self.rng);
        if self.link == Link::Up {
            self.warn(format!("Lost the master: {reason}; trying again"));
        } else if self.backoff.failures() == 1 {
            self.warn(format!("Cannot reach the master yet: {reason}; trying again"));
        }
        self.link = Link::Down(now + wait);
        // An outbox that is sealed for a dead connection goes out again on the next one.
        self.leave_if_done();
    }

    /// The master said something.
    pub fn handle_message(&mut self, now: Moment, message: ToWorker) {
        self.heard(now);
        match message {
            ToWorker::Ack { index } => self.on_ack(now, index),
            ToWorker::Refused { reason } => self.exit(Exit::Refused(reason)),
            ToWorker::Plan(plan) => self.on_plan(now, &plan),
            ToWorker::Setup(plan) => self.on_hook(Hook::Setup, plan),
            ToWorker::Teardown(plan) => self.on_hook(Hook::Teardown, plan),
            ToWorker::FileChunk(chunk) => {
                let progress = self.files.handle_chunk(&chunk);
                self.on_files(progress);
            }
            ToWorker::Spawn(assignment) => self.on_spawn(assignment),
            ToWorker::SpawningComplete { reset_stats, .. } => self.on_cluster_spawned(reset_stats),
            ToWorker::StatsAck { run, seq } => self.on_stats_ack(&run, seq),
            ToWorker::RowsLease(lease) => self.on_rows_lease(now, lease),
            ToWorker::Heartbeat { run_time } => {
                if let (Some(run), Some(run_time)) = (self.run.as_mut(), run_time) {
                    run.clock.observe(run_time, now);
                }
            }
            ToWorker::Stop { run } => self.on_stop(run),
            ToWorker::Quit => self.leave(now),
        }
    }

    // The swarm.

    /// The swarm runs exactly the users of this generation.
    pub fn handle_settled(&mut self, generation: Generation, users: ClassCounts) {
        if let Some(run) = self.run.as_mut().filter(|run| run.generation == generation)
            && run.state == WorkerState::Spawning
        {
            run.state = WorkerState::Running;
            self.send(FromWorker::SpawningComplete { generation, users });
        }
    }

    /// What the swarm measured since it was last asked.
    pub fn handle_collected(&mut self, delta: &StatsDelta) {
        if let Some(run) = self.run.as_mut() {
            run.collecting = false;
            run.outbox.add(delta);
        }
        self.flush();
        self.finish_if_flushed();
    }

    /// All users have stopped; `last` is what was measured since the swarm was last asked.
    pub fn handle_drained(&mut self, now: Moment, last: &StatsDelta) {
        if let Some(run) = self.run.as_mut() {
            run.outbox.add(last);
            run.drained = true;
        }
        if self.leaving {
            self.flush_deadline = Some(now + FLUSH_TIMEOUT);
        }
        self.flush();
        self.finish_if_flushed();
    }

    /// The stock of a source wants rows. To be called whenever that may have changed.
    pub fn handle_rows_wanted(&mut self, now: Moment, source: &str, want: Want) {
        let message = self.run.as_mut().and_then(|run| run.rows.want(now, source, want));
        self.send_if_up(message);
    }

    /// The stock of a source has had rows for a while that nobody takes, and has them no more: others may need them.
    pub fn handle_rows_idle(&mut self, now: Moment, source: &str, ranges: Vec<RowRange>) {
        let message = self.run.as_mut().and_then(|run| run.rows.hand_back(now, source, ranges));
        self.send_if_up(message);
    }

    /// No user is left to take rows, and these were in the stocks. If it is only this worker that stops, others may use
    /// them.
    pub fn handle_rows_left(&mut self, now: Moment, left: BTreeMap<String, Vec<RowRange>>) {
        let leaving = self.leaving;
        let Some(run) = self.run.as_mut() else {
            return;
        };
        if leaving {
            let messages = run.rows.close(now, left);
            self.send_if_up(messages);
        } else {
            run.rows.forget();
        }
    }

    /// The plan cannot be run here.
    pub fn handle_bad_plan(&mut self, reason: String) {
        self.exit(Exit::BadPlan(reason));
    }

    // The process and the passing of time.

    /// The process was told to end. The first time it drains, the second time it just ends.
    pub fn handle_shutdown(&mut self, now: Moment) {
        if self.leaving {
            return self.exit(Exit::Unreported);
        }
        self.leave(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.exited {
            return;
        }
        if now >= self.patience() {
            return self.exit(if self.ever_up { Exit::MasterGone } else { Exit::NeverReached });
        }
        if self.flush_deadline.is_some_and(|deadline| now >= deadline) {
            return self.exit(Exit::Unreported);
        }
        if let Link::Down(at) = self.link
            && now >= at
        {
            self.link = Link::Connecting;
            self.effects.push_back(Effect::Connect);
        }
        if self.link == Link::Up && now >= self.next_heartbeat {
            self.next_heartbeat = now + HEARTBEAT_INTERVAL;
            self.effects.push_back(Effect::Beat { state: self.state() });
        }
        if self.link == Link::Up && now >= self.next_row_talk() {
            let due = self.run.as_mut().map(|run| run.rows.due(now));
            self.send_if_up(due.unwrap_or_default());
        }
        if self.has_users() && now >= self.next_report {
            self.next_report = now + REPORT_INTERVAL;
            self.collect();
        }
    }

    // How each is taken.

    fn on_ack(&mut self, now: Moment, index: u32) {
        self.link = Link::Up;
        self.index = index;
        self.ever_up = true;
        self.backoff.reset();
        self.next_heartbeat = now;
        self.info(format!("Connected to the master as worker {index}"));
        if let Some(report) = self.run.as_ref().and_then(|run| run.outbox.sealed()).cloned() {
            self.send(FromWorker::Stats(report));
        }
        let unanswered = self.run.as_ref().map(|run| run.rows.repeat()).unwrap_or_default();
        self.send_if_up(self.files.repeat().into_iter().chain(unanswered));
        self.flush();
        self.finish_if_flushed();
        self.leave_if_done();
    }

    fn on_plan(&mut self, now: Moment, plan: &Arc<RunPlan>) {
        if self.leaving {
            return;
        }
        if let Some(run) = self.run.as_mut().filter(|run| run.id == plan.run) {
            return run.clock.observe(plan.run_time, now);
        }
        self.end_hook();
        let progress = self.files.want(&plan.files);
        if let Some(old) = self.run.take() {
            if !old.outbox.is_empty() {
                let (old, new) = (old.id, &plan.run);
                self.warn(format!("Figures of run {old} are lost: the master went on to run {new}"));
            }
            if !matches!(progress, Progress::Complete(_)) {
                self.effects.push_back(Effect::Abandon);
            }
        }
        self.run = Some(MemberRun {
            id: plan.run.clone(),
            stop_timeout: plan.stop_timeout,
            clock: RunClock::new(plan.run_time, now),
            awaiting_files: Some(plan.clone()),
            held: None,
            generation: Generation::default(),
            state: WorkerState::Ready,
            outbox: Outbox::new(plan.run.clone()),
            rows: RowTalk::new(plan.run.clone()),
            collecting: false,
            drained: false,
        });
        self.next_report = now + REPORT_INTERVAL;
        self.on_files(progress);
    }

    /// The files of the plan have come nearer.
    fn on_files(&mut self, progress: Progress) {
        match progress {
            Progress::Ask(request) => self.send(request),
            Progress::Complete(files) => {
                if !self.begin_hook(&files) {
                    self.prepare(files);
                }
            }
            Progress::Broken(reason) => {
                self.exit(Exit::BadPlan(format!("cannot run the master's plan: {reason}")));
            }
            Progress::Same => {}
        }
    }

    /// All files are here: users can run.
    fn prepare(&mut self, files: NamedFiles) {
        let Some(run) = self.run.as_mut() else {
            return;
        };
        let Some(plan) = run.awaiting_files.take() else {
            return;
        };
        let held = run.held.take();
        self.effects.push_back(Effect::Prepare { plan, files });
        if let Some(assignment) = held {
            self.on_spawn(assignment);
        }
    }

    fn on_spawn(&mut self, assignment: Assignment) {
        let Some(run) = self.run.as_mut().filter(|run| run.id == assignment.run) else {
            return;
        };
        if run.state == WorkerState::Stopping || assignment.generation <= run.generation {
            return;
        }
        if run.awaiting_files.is_some() {
            let newest = run.held.as_ref().is_none_or(|held| held.generation < assignment.generation);
            if newest {
                run.held = Some(assignment);
            }
            return;
        }
        run.generation = assignment.generation;
        run.state = WorkerState::Spawning;
        self.send(FromWorker::Spawning { generation: assignment.generation });
        self.effects.push_back(Effect::Apply(assignment));
    }

    fn on_cluster_spawned(&mut self, reset_stats: bool) {
        // The figures of a run that is draining are all in its last report, which must not be thrown away.
        if let Some(run) = self.run.as_mut().filter(|run| reset_stats && run.state != WorkerState::Stopping) {
            run.outbox.discard();
            run.collecting = false;
            self.effects.push_back(Effect::Discard);
        }
    }

    fn on_stats_ack(&mut self, of: &RunId, seq: u64) {
        if let Some(run) = self.run.as_mut().filter(|run| run.id == *of) {
            run.outbox.acknowledge(seq);
        }
        if self.run.as_ref().is_some_and(|run| run.drained) {
            self.flush();
            self.finish_if_flushed();
        }
    }

    fn on_rows_lease(&mut self, now: Moment, lease: RowsLease) {
        let Some(run) = self.run.as_mut().filter(|run| run.id == lease.run) else {
            return;
        };
        let source = lease.source.clone();
        let (supply, next) = run.rows.answer(now, lease);
        if let Some(Supply { ranges, exhausted }) = supply {
            self.effects.push_back(Effect::Rows { source, ranges, exhausted });
        }
        self.send_if_up(next);
        self.finish_if_flushed();
    }

    fn on_stop(&mut self, stopped: RunId) {
        self.cancel_setup(&stopped);
        let Some(run) = self.run.as_mut().filter(|run| run.id == stopped) else {
            // Nothing of that run is left here.
            return self.send(FromWorker::ClientStopped { run: stopped });
        };
        if run.state == WorkerState::Stopping {
            return;
        }
        run.state = WorkerState::Stopping;
        if run.awaiting_files.take().is_some() {
            // No user of it has ever run.
            run.drained = true;
            run.rows.forget();
            self.files.give_up();
            return self.finish_if_flushed();
        }
        let (run, timeout) = (run.id.clone(), run.stop_timeout);
        self.effects.push_back(Effect::Drain { run, timeout });
    }

    /// Ends the process once the run, if there is one, has been handed over.
    fn leave(&mut self, now: Moment) {
        self.leaving = true;
        match self.run.as_ref().map(|run| (run.id.clone(), run.drained)) {
            Some((run, false)) => {
                self.on_stop(run);
                if self.run.is_some() {
                    // At once, so that others take the users over while this worker finishes its requests.
                    self.effects.push_back(Effect::Beat { state: self.state() });
                }
            }
            // Told again, it gets no more time.
            Some((_, true)) => self.flush_deadline = self.flush_deadline.or(Some(now + FLUSH_TIMEOUT)),
            None => self.leave_if_done(),
        }
    }

    /// Sends the next report if nothing is on the way.
    fn flush(&mut self) {
        if self.link != Link::Up {
            return;
        }
        if let Some(report) = self.run.as_mut().and_then(|run| run.outbox.seal()) {
            self.send(FromWorker::Stats(report));
        }
    }

    /// Asks the swarm for figures, unless it owes some already.
    fn collect(&mut self) {
        if let Some(run) = self.run.as_mut().filter(|run| !run.collecting) {
            run.collecting = true;
            self.effects.push_back(Effect::Collect);
        }
    }

    fn finish_if_flushed(&mut self) {
        // Figures that were asked for before the last user stopped may come after those of the drain.
        let done = |run: &mut MemberRun| {
            run.drained && !run.collecting && run.outbox.is_empty() && run.rows.is_settled()
        };
        if let Some(run) = self.run.take_if(done) {
            // A worker that leaves says `Quit` instead, which means this and more: nobody asked it to stop the run.
            if !self.leaving {
                self.send(FromWorker::ClientStopped { run: run.id });
            }
            self.leave_if_done();
        }
    }

    fn leave_if_done(&mut self) {
        if self.leaving && self.run.is_none() {
            if self.link == Link::Up {
                self.send(FromWorker::Quit);
            }
            self.exit(Exit::Done);
        }
    }

    fn state(&self) -> WorkerState {
        self.run.as_ref().map_or(WorkerState::Ready, |run| run.state)
    }

    fn has_users(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.state != WorkerState::Ready && !run.drained)
    }

    /// Until when to go on without a word from the master.
    fn patience(&self) -> Moment {
        self.last_heard + if self.ever_up { MASTER_TIMEOUT } else { FIRST_CONTACT_TIMEOUT }
    }

    fn heard(&mut self, now: Moment) {
        self.last_heard = now;
    }

    /// When there is something to say about rows.
    fn next_row_talk(&self) -> Moment {
        self.run.as_ref().and_then(|run| run.rows.next_at()).unwrap_or(Moment::MAX)
    }

    /// Sends what is said again on the next connection, if there is none now.
    fn send_if_up(&mut self, messages: impl IntoIterator<Item = FromWorker>) {
        if self.link == Link::Up {
            self.effects.extend(messages.into_iter().map(Effect::Send));
        }
    }

    fn send(&mut self, message: FromWorker) {
        self.effects.push_back(Effect::Send(message));
    }

    fn exit(&mut self, exit: Exit) {
        if !std::mem::replace(&mut self.exited, true) {
            self.effects.push_back(Effect::Exit(exit));
        }
    }

    fn info(&mut self, text: String) {
        self.effects.push_back(Effect::Log(Notice::Info(text)));
    }

    fn warn(&mut self, text: String) {
        self.effects.push_back(Effect::Log(Notice::Warning(text)));
    }
}
