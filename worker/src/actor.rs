//! An actor carries out steps for one virtual user: renders, sends, checks, captures, and keeps the variables.
//!
//! Users of both models, `setup`, `teardown` and the dry run are actors; they differ in who tells them what to do next.

use std::rc::Rc;
use std::sync::Arc;

use rand::RngExt as _;
use sentinel_common::scenario::{
    Answer, ROUNDS_MAX, RenderContext, RenderError, RequestStep, RowOrder, Step, Template, Value,
};
use sentinel_common::stats::Sample;
use sentinel_common::time::{RunClock, RunTime};
use sentinel_common::wait::{NextStart, Pacer, WaitTime};

use crate::clock::LocalClock;
use crate::exchange::{Exchange, Observer};
use crate::http::{HttpClient, HttpRequest};
use crate::lane_state::LaneState;
use crate::plan::{PreparedRun, Role};
use crate::request::{PreparedRequest, prepare};
use crate::stop::StopSignal;

/// Whether steps are left out once the user was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStop {
    /// They are.
    Leave,
    /// They are not.
    GoOn,
}

/// What the steps that were carried out mean for what comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// Nothing.
    GoOn,
    /// The task is over.
    EndTask,
    /// The group of tasks is over.
    Interrupt,
    /// The user is over, for this reason.
    StopUser(String),
    /// The user is over, because this source has no row left for it.
    OutOfRows(Arc<str>),
}

/// Why a task did not get to its end: what Locust calls an exception.
#[derive(Debug)]
enum Trouble {
    Render(RenderError),
    Failed(String),
}

/// One virtual user's hands. See the module's documentation.
pub struct Actor<C> {
    run: Arc<PreparedRun>,
    role: Role,
    client: C,
    /// Its variables and random stream.
    pub context: RenderContext,
    clock: LocalClock,
    run_clock: RunClock,
    state: Rc<LaneState>,
    stop: Rc<StopSignal>,
    observer: Option<Rc<dyn Observer>>,
    /// When the iteration that runs was due; taken by its first request.
    intended: Option<RunTime>,
}

/// What an actor is made of.
pub struct Cast<C> {
    /// The run that it takes part in.
    pub run: Arc<PreparedRun>,
    /// Whom it plays.
    pub role: Role,
    /// Its HTTP client.
    pub client: C,
    /// Its variables and random stream.
    pub context: RenderContext,
    /// This process's clock.
    pub clock: LocalClock,
    /// Where it records.
    pub state: Rc<LaneState>,
    /// How it is told to stop.
    pub stop: Rc<StopSignal>,
    /// Who is shown every exchange.
    pub observer: Option<Rc<dyn Observer>>,
}

impl<C: HttpClient> Actor<C> {
    /// An actor that has done nothing yet.
    pub fn new(cast: Cast<C>) -> Self {
        let Cast { run, role, client, context, clock, state, stop, observer } = cast;
        let run_clock = run.clock();
        Self { run, role, client, context, clock, run_clock, state, stop, observer, intended: None }
    }

    /// Begins an iteration of the task `name`. `intended` is when it was due, if it follows a schedule.
    pub fn begin_task(&mut self, name: &Arc<str>, iteration: u64, intended: Option<RunTime>) {
        self.context.begin_task(name, iteration);
        self.client.begin_iteration();
        self.intended = intended;
    }

    /// Works through steps. Trouble ends them and is reported as an exception, as an exception in a Locust task would
    /// be; the user lives on. `what` is where that was, for people.
    pub async fn attempt(&mut self, what: &str, steps: &[Step], on_stop: OnStop) -> Flow {
        match self.steps(steps, on_stop).await {
            Ok(flow) => flow,
            Err(trouble) => {
                let place = format!("{}, {what}", self.run.role_name(self.role));
                let message = match trouble {
                    Trouble::Render(error) => error.to_string(),
                    Trouble::Failed(message) => message,
                };
                if let Some(observer) = &self.observer {
                    observer.exception(&message, &place);
                }
                self.state.recorder.borrow_mut().exception(&message, &place);
                Flow::EndTask
            }
        }
    }

    async fn steps(&mut self, steps: &[Step], on_stop: OnStop) -> Result<Flow, Trouble> {
        for step in steps {
            if on_stop == OnStop::Leave && self.stop.interrupts_task() {
                return Ok(Flow::EndTask);
            }
            let flow = self.step(step, on_stop).await?;
            if flow != Flow::GoOn {
                return Ok(flow);
            }
        }
        Ok(Flow::GoOn)
    }

    async fn step(&mut self, step: &Step, on_stop: OnStop) -> Result<Flow, Trouble> {
        match step {
            Step::Request(request) => return self.request(request).await,
            Step::Set(assignments) => self.context.assign(assignments)?,
            Step::Think(think) => self.think(*think).await,
            Step::Log(text) => self.log(text)?,
            Step::Fail(message) => return Err(Trouble::Failed(message.render(&self.context)?.into_owned())),
            Step::StopUser(reason) => {
                let reason = reason.as_ref().map(|reason| reason.render(&self.context)).transpose()?;
                return Ok(Flow::StopUser(reason.unwrap_or_default().into_owned()));
            }
            Step::Interrupt => return Ok(Flow::Interrupt),
            Step::If { condition, then, otherwise } => {
                let branch = if condition.evaluate(&self.context)?.is_true() { then } else { otherwise };
                return Box::pin(self.steps(branch, on_stop)).await;
            }
            Step::Repeat { count, index, steps } => {
                return Box::pin(self.repeat(count, index.as_ref(), steps, on_stop)).await;
            }
            Step::ForEach { items, item, steps } => {
                return Box::pin(self.for_each(items, item, steps, on_stop)).await;
            }
            Step::Feed { source, variable } => return Ok(self.feed(source, variable).await),
        }
        Ok(Flow::GoOn)
    }

    async fn repeat(
        &mut self,
        count: &Template,
        index: Option<&Arc<str>>,
        steps: &[Step],
        on_stop: OnStop,
    ) -> Result<Flow, Trouble> {
        let value = count.evaluate(&self.context)?;
        let rounds =
            u64::try_from(value.clone()).ok().filter(|rounds| value.is_number() && *rounds <= ROUNDS_MAX);
        let Some(rounds) = rounds else {
            let reason = format!("`repeat` needs a whole number from 0 to {ROUNDS_MAX}, got {value}");
            return Err(unfit(count, reason));
        };
        for round in 0..rounds {
            if let Some(index) = index {
                self.context.set(index, Value::from(round));
            }
            let flow = self.round(steps, on_stop).await?;
            if flow != Flow::GoOn {
                return Ok(flow);
            }
        }
        Ok(Flow::GoOn)
    }

    async fn for_each(
        &mut self,
        items: &Template,
        item: &Arc<str>,
        steps: &[Step],
        on_stop: OnStop,
    ) -> Result<Flow, Trouble> {
        let list = items.evaluate(&self.context)?;
        let rounds = match list.try_iter() {
            Ok(rounds) if list.as_str().is_none() => rounds,
            _ => return Err(unfit(items, format!("`for_each` needs a list, got {}", list.kind()))),
        };
        for value in rounds.take(usize::try_from(ROUNDS_MAX).unwrap_or(usize::MAX)) {
            self.context.set(item, value);
            let flow = self.round(steps, on_stop).await?;
            if flow != Flow::GoOn {
                return Ok(flow);
            }
        }
        Ok(Flow::GoOn)
    }

    async fn round(&mut self, steps: &[Step], on_stop: OnStop) -> Result<Flow, Trouble> {
        // A long loop that sends nothing must not keep the others of its lane waiting.
        tokio::task::coop::consume_budget().await;
        self.steps(steps, on_stop).await
    }

    /// Gives the user the next row of a source, which it may have to wait for.
    async fn feed(&mut self, source: &Arc<str>, variable: &Arc<str>) -> Flow {
        let Some(feeder) = self.run.feeder(source) else {
            return Flow::StopUser(format!("there is no data {source}"));
        };
        let number = match feeder.order() {
            RowOrder::Circular => Some(feeder.next_in_turn()),
            RowOrder::Random => Some(self.context.with_rng(|rng| rng.random_range(0..feeder.rows().count()))),
            RowOrder::Unique => self.take_row(source).await,
        };
        match number {
            Some(number) => {
                let row = feeder.rows().get(number);
                self.context.set(variable, row);
                Flow::GoOn
            }
            None if self.stop.is_stopping() => Flow::EndTask,
            None => Flow::OutOfRows(source.clone()),
        }
    }

    /// The number of a row that nobody else in the cluster gets; `None` if there is none, or if the user is told to stop
    /// while it waits for one.
    pub async fn take_row(&self, source: &str) -> Option<u64> {
        let stock = self.run.rows(source)?;
        tokio::select! {
            biased; // A row that is there is taken even if the user has just been told to stop.
            row = stock.next() => row,
            () = self.stop.stopped() => None,
        }
    }

    fn log(&self, text: &Template) -> Result<(), Trouble> {
        let text = text.render(&self.context)?;
        tracing::info!("{text}");
        if let Some(observer) = &self.observer {
            observer.log(&text);
        }
        Ok(())
    }

    /// Sends a request, checks the answer and keeps what is to be kept of it. If something was to be kept and the request
    /// failed, the task ends: what comes next would work with what is not there, or with what is left of another time.
    async fn request(&mut self, step: &RequestStep) -> Result<Flow, Trouble> {
        let run = self.run.clone();
        let PreparedRequest { name, request } = prepare(step, run.surroundings(self.role), &self.context)?;
        let shown = self.observer.is_some().then(|| request.clone());
        let start = self.now();
        let intended = self.intended.take().map_or(start, |intended| intended.min(start));
        let in_flight = InFlight::sent(self.state.clone());
        let outcome = self.client.exchange(request).await;
        let end = self.now();
        let failure = match &outcome {
            Ok(response) => {
                let cookies = |name: &str| self.client.cookie(&response.url, name);
                let elapsed = end.saturating_since(start);
                let answer =
                    Answer::new(response.status, &response.headers, &response.body, elapsed, &cookies);
                judge(step, &answer, &mut self.context).err()
            }
            Err(error) => Some(error.to_string()),
        };
        in_flight.landed(outcome.is_ok(), failure.is_some());
        let response_length = outcome.as_ref().map_or(0, |response| response.body.len() as u64);
        let sample = Sample { intended, start, end, response_length, failure: failure.as_deref() };
        {
            let mut recorder = self.state.recorder.borrow_mut();
            let entry = recorder.entry(step.method.as_str(), &name);
            recorder.record(entry, &sample);
        }
        if let (Some(observer), Some(request)) = (&self.observer, shown) {
            self.show(&**observer, &name, &request, outcome, &sample);
        }
        Ok(if failure.is_some() && !step.captures.is_empty() { Flow::EndTask } else { Flow::GoOn })
    }

    fn show(
        &self,
        observer: &dyn Observer,
        name: &str,
        request: &HttpRequest,
        outcome: Result<crate::http::HttpResponse, crate::http::HttpError>,
        sample: &Sample<'_>,
    ) {
        let response_time = sample.end.saturating_since(sample.start);
        let outcome = outcome.map_err(|error| error.to_string());
        observer.exchange(&Exchange { name, request, outcome, response_time, failure: sample.failure });
    }

    async fn think(&mut self, think: WaitTime) {
        let now = self.now();
        let next = self.context.with_rng(|rng| Pacer::new(think, now).next(now, rng));
        self.rest(next).await;
    }

    /// Waits for the next start, or until the user is told to stop.
    pub async fn rest(&self, next: NextStart) {
        if next.wait.is_zero() {
            // Others of this lane get their turn even if this user never waits for anything.
            return tokio::task::yield_now().await;
        }
        let moment = self.run_clock.moment(next.intended);
        tokio::select! {
            () = tokio::time::sleep_until(self.clock.instant(moment)) => {
                self.state.note_wakeup_lag(self.clock.now().saturating_since(moment));
            }
            () = self.stop.stopped() => {}
        }
    }

    /// What the run's clock shows to this user.
    pub fn now(&self) -> RunTime {
        self.run_clock.run_time(self.clock.now())
    }
}

/// What is wrong with an answer, if anything; what is to be kept of it is kept.
fn judge(step: &RequestStep, answer: &Answer<'_>, context: &mut RenderContext) -> Result<(), String> {
    step.expect.check(answer, context)?;
    for capture in &step.captures {
        let value = capture.take(answer, context)?;
        context.set(&capture.variable, value);
    }
    Ok(())
}

/// The template is fine, but what it gave is of no use.
fn unfit(template: &Template, reason: String) -> Trouble {
    Trouble::Render(RenderError { template: template.source().to_owned(), reason })
}

impl From<RenderError> for Trouble {
    fn from(error: RenderError) -> Self {
        Self::Render(error)
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
