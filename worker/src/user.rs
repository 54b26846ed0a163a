//! A virtual user: starts, works through tasks with waits between them, stops.

use std::rc::Rc;
use std::sync::Arc;

use sentinel_common::random::UserRng;
use sentinel_common::scenario::{RenderContext, RenderError, RequestStep, Step, UserClass};
use sentinel_common::stats::Sample;
use sentinel_common::time::RunTime;
use sentinel_common::wait::{NextStart, Pacer, WaitTime};

use crate::clock::LocalClock;
use crate::http::HttpClient;
use crate::lane_state::LaneState;
use crate::pacing::UserPacing;
use crate::plan::PreparedRun;
use crate::request::{PreparedRequest, prepare};
use crate::stop::StopSignal;

/// One virtual user. It lives on its lane's thread and shares nothing with other lanes.
pub struct User<C> {
    run: Arc<PreparedRun>,
    class: usize,
    client: C,
    context: RenderContext,
    clock: LocalClock,
    state: Rc<LaneState>,
    stop: Rc<StopSignal>,
    pacing: Rc<UserPacing>,
    /// When the iteration that runs was due; taken by its first request.
    intended: Option<RunTime>,
}

/// Whether steps are left out once the user was told to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnStop {
    Leave,
    GoOn,
}

impl<C: HttpClient> User<C> {
    /// A user that has done nothing yet. `index` is its number, unique in the cluster.
    pub fn new(
        run: Arc<PreparedRun>,
        class: usize,
        index: u64,
        client: C,
        clock: LocalClock,
        state: Rc<LaneState>,
        stop: Rc<StopSignal>,
    ) -> Self {
        let user_class = &run.classes()[class];
        let host = run.host(class).map(|host| host.as_str()).unwrap_or_default();
        let rng = UserRng::for_user(run.seed(), &user_class.name, index);
        let context = RenderContext::new(rng, &user_class.name, index, host);
        let pacing = Rc::new(UserPacing::new(run.clock(), user_class.wait_time));
        Self { run, class, client, context, clock, state, stop, pacing, intended: None }
    }

    /// Its schedule, for the lane to report on.
    pub fn pacing(&self) -> Rc<UserPacing> {
        self.pacing.clone()
    }

    /// Lives until it is told to stop, and no longer than it is then given.
    pub async fn run(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = self.live() => {}
            () = stop.cut_off() => {}
        }
    }

    async fn live(&mut self) {
        let run = self.run.clone();
        let class = &run.classes()[self.class];
        self.attempt("on_start", &class.on_start, OnStop::Leave).await;
        let mut intended = self.now();
        self.pacing.begin(intended);
        while !self.stop.is_stopping() {
            self.iterate(class, intended).await;
            let finished = self.now();
            let next = self.context.with_rng(|rng| self.pacing.next(finished, rng));
            intended = next.intended;
            self.rest(next).await;
        }
        self.attempt("on_stop", &class.on_stop, OnStop::GoOn).await;
    }

    async fn iterate(&mut self, class: &UserClass, intended: RunTime) {
        let task = self.context.with_rng(|rng| class.tasks.pick(rng));
        self.client.begin_iteration();
        self.context.begin_task(&task.name, self.pacing.started());
        self.pacing.start_iteration(intended, self.now(), &mut self.state.recorder.borrow_mut());
        self.intended = self.pacing.is_paced().then_some(intended);
        self.attempt(&task.name, &task.steps, OnStop::Leave).await;
    }

    /// Works through steps. A template that fails ends them and is reported as an exception, as an exception in a
    /// Locust task would be; the user lives on.
    async fn attempt(&mut self, what: &str, steps: &[Step], on_stop: OnStop) {
        for step in steps {
            if on_stop == OnStop::Leave && self.stop.interrupts_task() {
                return;
            }
            if let Err(error) = self.step(step).await {
                let class = &self.run.classes()[self.class].name;
                let place = format!("{class}, {what}");
                return self.state.recorder.borrow_mut().exception(&error.to_string(), &place);
            }
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), RenderError> {
        match step {
            Step::Request(request) => self.request(request).await,
            Step::Set(assignments) => self.context.assign(assignments),
            Step::Think(think) => {
                self.think(*think).await;
                Ok(())
            }
            // Steps of later versions of the language cannot get here: the scenario was compiled by this release.
            _ => Ok(()),
        }
    }

    async fn request(&mut self, step: &RequestStep) -> Result<(), RenderError> {
        let settings = self.run.http(self.class).settings();
        let PreparedRequest { name, request } =
            prepare(step, self.run.host(self.class), settings, &self.context)?;
        let start = self.now();
        let intended = self.intended.take().map_or(start, |intended| intended.min(start));
        let in_flight = InFlight::sent(self.state.clone());
        let answer = self.client.exchange(request).await;
        let end = self.now();
        let failure = match &answer {
            Ok(answer) => step.expect.check(answer.status, &answer.body, &self.context).err(),
            Err(error) => Some(error.to_string()),
        };
        in_flight.landed(answer.is_ok(), failure.is_some());
        let response_length = answer.map_or(0, |answer| answer.body.len() as u64);
        let sample = Sample { intended, start, end, response_length, failure: failure.as_deref() };
        let mut recorder = self.state.recorder.borrow_mut();
        let entry = recorder.entry(step.method.as_str(), &name);
        recorder.record(entry, &sample);
        Ok(())
    }

    async fn think(&mut self, think: WaitTime) {
        let now = self.now();
        let next = self.context.with_rng(|rng| Pacer::new(think, now).next(now, rng));
        self.rest(next).await;
    }

    /// Waits for the next start, or until the user is told to stop.
    async fn rest(&self, next: NextStart) {
        if next.wait.is_zero() {
            // Others of this lane get their turn even if this user never waits for anything.
            return tokio::task::yield_now().await;
        }
        let moment = self.pacing.clock().moment(next.intended);
        tokio::select! {
            () = tokio::time::sleep_until(self.clock.instant(moment)) => {
                self.state.note_wakeup_lag(self.clock.now().saturating_since(moment));
            }
            () = self.stop.stopped() => {}
        }
    }

    fn now(&self) -> RunTime {
        self.pacing.clock().run_time(self.clock.now())
    }
}

/// A request that was sent. If it is dropped before it landed, because its user was cut off, it counts as in flight
/// at the stop.
struct InFlight {
    state: Rc<LaneState>,
    landed: bool,
}

impl InFlight {
    fn sent(state: Rc<LaneState>) -> Self {
        state.recorder.borrow_mut().delivery_mut().sent += 1;
        Self { state, landed: false }
    }

    fn landed(mut self, answered: bool, failed: bool) {
        let mut recorder = self.state.recorder.borrow_mut();
        let delivery = recorder.delivery_mut();
        delivery.answered += u64::from(answered);
        delivery.failed += u64::from(failed);
        drop(recorder);
        self.landed = true;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.landed {
            self.state.recorder.borrow_mut().delivery_mut().in_flight_at_stop += 1;
        }
    }
}
