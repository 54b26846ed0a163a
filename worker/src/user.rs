//! A virtual user of the closed model: starts, works through tasks with waits between them, stops.

use std::rc::Rc;
use std::sync::Arc;

use sentinel_common::arrivals::Due;
use sentinel_common::random::UserRng;
use sentinel_common::rows::ITERATIONS;
use sentinel_common::scenario::{Move, Step, Task, UserClass, Walk};
use sentinel_common::time::RunTime;
use sentinel_common::wait::{NextStart, Pacer};

use crate::actor::{Actor, Cast, Flow, OnStop};
use crate::arrivals::Seat;
use crate::http::HttpClient;
use crate::lane_state::LaneState;
use crate::pacing::UserPacing;
use crate::plan::PreparedRun;
use crate::stop::StopSignal;

/// One virtual user. It lives on its lane's thread and shares nothing with other lanes.
pub struct User<C> {
    run: Arc<PreparedRun>,
    class: usize,
    actor: Actor<C>,
    state: Rc<LaneState>,
    stop: Rc<StopSignal>,
    pacing: Rc<UserPacing>,
    walk: Walk,
}

/// Whether a user goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    GoesOn,
    Over,
    /// It is over because a source has no row left for it.
    OutOfRows,
}

impl<C: HttpClient> User<C> {
    /// A user of the class at `class` that has done nothing yet.
    pub fn new(class: usize, cast: Cast<C>) -> Self {
        let (run, state, stop) = (cast.run.clone(), cast.state.clone(), cast.stop.clone());
        let pacing = Rc::new(UserPacing::new(run.clock(), run.classes()[class].wait_time));
        Self { run, class, actor: Actor::new(cast), state, stop, pacing, walk: Walk::default() }
    }

    /// Its schedule, for the lane to report on.
    pub fn pacing(&self) -> Rc<UserPacing> {
        self.pacing.clone()
    }

    /// Lives until it is told to stop, and no longer than it is then given, or until it ends by itself.
    pub async fn run(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = self.live() => {}
            () = stop.cut_off() => {}
        }
    }

    /// Serves arrivals instead, one after the other as they are given to it, until it is told to stop.
    pub async fn serve(mut self, seat: &Rc<Seat>) {
        let stop = self.stop.clone();
        tokio::select! {
            () = self.serve_all(seat) => {}
            () = stop.cut_off() => {}
        }
    }

    async fn serve_all(&mut self, seat: &Rc<Seat>) {
        let run = self.run.clone();
        let class = &run.classes()[self.class];
        let mut life = self.attempt("on_start", &class.on_start, OnStop::Leave).await;
        let stream = format!("{} arrival", class.name);
        while life == Life::GoesOn {
            let Some(arrival) = seat.next().await else { break };
            let due = arrival.begin();
            // An arrival does the same whoever serves it, so that a run can be repeated with other workers.
            self.actor.context.reseed(UserRng::for_user(run.seed(), &stream, due.number));
            life = self.serve_one(class, due).await;
        }
        if life == Life::OutOfRows {
            // Whoever would be hired instead would find none, either.
            seat.halt();
        }
        self.end(class).await;
    }

    /// Does what one arrival is about: one task of the class, the whole of it if it is a group.
    async fn serve_one(&mut self, class: &UserClass, due: Due) -> Life {
        let Due { number, at } = due;
        self.walk = Walk::after(number);
        self.pacing.start_arrival(at, self.actor.now(), &mut self.state.recorder.borrow_mut());
        let mut intended = Some(at);
        loop {
            let life = match self.actor.context.with_rng(|rng| self.walk.next(class, rng)) {
                Move::Enter(task, group) => {
                    self.actor.begin_task(&task.name, number, intended.take());
                    self.attempt("on_start", &group.on_start, OnStop::Leave).await
                }
                Move::Leave(group) => self.attempt("on_stop", &group.on_stop, OnStop::GoOn).await,
                Move::Run(task, steps) => {
                    self.actor.begin_task(&task.name, number, intended.take());
                    let life = self.attempt(&task.name, steps, OnStop::Leave).await;
                    if life == Life::GoesOn && self.walk.is_in_group() {
                        self.wait(class).await;
                    }
                    life
                }
            };
            if life != Life::GoesOn || !self.walk.is_in_group() || self.stop.is_stopping() {
                return life;
            }
        }
    }

    async fn live(&mut self) {
        let run = self.run.clone();
        let class = &run.classes()[self.class];
        if self.attempt("on_start", &class.on_start, OnStop::Leave).await == Life::GoesOn {
            self.work(class).await;
        }
        if !self.stop.is_stopping() {
            // It has ended by itself: nothing more becomes due for it.
            self.pacing.finish(self.actor.now(), &mut self.state.recorder.borrow_mut());
        }
        self.end(class).await;
    }

    /// Leaves every group that the user is in, and then the class.
    async fn end(&mut self, class: &UserClass) {
        while let Some(group) = self.walk.leave(class) {
            let _ = self.attempt("on_stop", &group.on_stop, OnStop::GoOn).await;
        }
        let _ = self.attempt("on_stop", &class.on_stop, OnStop::GoOn).await;
    }

    /// Begins one task after the other, until the user is told to stop or ends by itself.
    async fn work(&mut self, class: &UserClass) {
        let mut intended = self.actor.now();
        self.pacing.begin(intended);
        while !self.stop.is_stopping() {
            let life = match self.actor.context.with_rng(|rng| self.walk.next(class, rng)) {
                Move::Enter(_, group) => self.attempt("on_start", &group.on_start, OnStop::Leave).await,
                Move::Leave(group) => self.attempt("on_stop", &group.on_stop, OnStop::GoOn).await,
                Move::Run(task, steps) => {
                    let life = self.iterate(task, steps, intended).await;
                    if life == Life::GoesOn {
                        intended = self.wait(class).await;
                    }
                    life
                }
            };
            if life != Life::GoesOn {
                return;
            }
        }
    }

    async fn iterate(&mut self, task: &Task, steps: &[Step], intended: RunTime) -> Life {
        if self.run.rows(ITERATIONS).is_some() && self.actor.take_row(ITERATIONS).await.is_none() {
            return if self.stop.is_stopping() { Life::GoesOn } else { Life::Over };
        }
        let started = self.pacing.started();
        self.pacing.start_iteration(intended, self.actor.now(), &mut self.state.recorder.borrow_mut());
        let schedule = self.pacing.is_paced().then_some(intended);
        self.actor.begin_task(&task.name, started, schedule);
        self.attempt(&task.name, steps, OnStop::Leave).await
    }

    /// Works through steps and takes note of what they mean.
    async fn attempt(&mut self, what: &str, steps: &[Step], on_stop: OnStop) -> Life {
        match self.actor.attempt(what, steps, on_stop).await {
            Flow::GoOn | Flow::EndTask => Life::GoesOn,
            Flow::Interrupt => {
                self.walk.interrupt();
                Life::GoesOn
            }
            Flow::StopUser(reason) => {
                tracing::debug!("A user has ended: {reason}");
                Life::Over
            }
            Flow::OutOfRows(source) => {
                tracing::debug!("A user has ended: data {source} has no rows left");
                Life::OutOfRows
            }
        }
    }

    /// Waits for the next iteration and returns when it is due.
    async fn wait(&mut self, class: &UserClass) -> RunTime {
        let finished = self.actor.now();
        let group_wait = self.walk.wait_time(class).filter(|_| !self.pacing.is_paced());
        let next = if self.walk.is_interrupted() && !self.pacing.is_paced() {
            NextStart { intended: finished, wait: std::time::Duration::ZERO }
        } else {
            self.actor.context.with_rng(|rng| match group_wait {
                Some(wait) => Pacer::new(wait, finished).next(finished, rng),
                None => self.pacing.next(finished, rng),
            })
        };
        self.actor.rest(next).await;
        next.intended
    }
}
