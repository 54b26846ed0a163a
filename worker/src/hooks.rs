//! `setup` and `teardown`: steps that are carried out once per run, by one worker, before and after all users.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use sentinel_common::scenario::Value;

use crate::actor::{Actor, Cast, Flow, OnStop};
use crate::clock::LocalClock;
use crate::exchange::{Exchange, Observer};
use crate::http::ClientFactory;
use crate::lane_state::LaneState;
use crate::plan::{PreparedRun, Role};
use crate::stop::StopSignal;

/// Carries out `setup`. Returns the variables that it leaves, as a JSON object.
///
/// # Errors
/// The first thing that went wrong.
pub async fn run_setup<F: ClientFactory>(
    run: &Arc<PreparedRun>,
    factory: &F,
    clock: LocalClock,
) -> Result<String, String> {
    let variables = carry_out(run, Role::Setup, factory, clock).await?;
    serde_json::to_string(&variables).map_err(|error| format!("its variables cannot travel: {error}"))
}

/// Carries out `teardown`, with the variables of `setup`.
///
/// # Errors
/// The first thing that went wrong.
pub async fn run_teardown<F: ClientFactory>(
    run: &Arc<PreparedRun>,
    factory: &F,
    clock: LocalClock,
) -> Result<(), String> {
    carry_out(run, Role::Teardown, factory, clock).await.map(|_| ())
}

/// An actor that is no user of a lane: what it measures goes nowhere.
pub fn actor<F: ClientFactory>(
    run: &Arc<PreparedRun>,
    role: Role,
    factory: &F,
    clock: LocalClock,
    observer: Option<Rc<dyn Observer>>,
) -> Actor<F::Client> {
    Actor::new(Cast {
        run: run.clone(),
        role,
        client: factory.client(run.http(role)),
        context: run.context(role, 0),
        clock,
        state: Rc::new(LaneState::default()),
        stop: Rc::new(StopSignal::default()),
        observer,
    })
}

async fn carry_out<F: ClientFactory>(
    run: &Arc<PreparedRun>,
    role: Role,
    factory: &F,
    clock: LocalClock,
) -> Result<BTreeMap<Arc<str>, Value>, String> {
    let critic = Rc::new(Critic::default());
    let mut actor = actor(run, role, factory, clock, Some(critic.clone()));
    let steps = if role == Role::Setup { run.setup() } else { run.teardown() };
    let flow = actor.attempt(run.role_name(role), steps, OnStop::Leave).await;
    match (critic.complaint.take(), flow) {
        (Some(complaint), _) => Err(complaint),
        (None, Flow::StopUser(reason)) => Err(format!("it stopped: {reason}")),
        (None, Flow::OutOfRows(source)) => Err(format!("data {source} has no rows for it")),
        (None, _) => Ok(actor.context.variables()),
    }
}

/// Remembers the first thing that went wrong.
#[derive(Default)]
struct Critic {
    complaint: RefCell<Option<String>>,
}

impl Critic {
    fn complain(&self, complaint: String) {
        self.complaint.borrow_mut().get_or_insert(complaint);
    }
}

impl Observer for Critic {
    fn exchange(&self, exchange: &Exchange<'_>) {
        if let Some(failure) = exchange.failure {
            self.complain(format!("{} {}: {failure}", exchange.request.method, exchange.name));
        }
    }

    fn log(&self, _: &str) {}

    fn exception(&self, message: &str, _: &str) {
        self.complain(message.to_owned());
    }
}
