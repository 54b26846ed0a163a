//! What a template sees while it is rendered: the variables of one user and its random stream.
//!
//! The worker's interpreter owns one [`RenderContext`] per user. Templates read it, and draw from its random
//! stream; only the interpreter changes variables.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::Value;
use minijinja::value::Object;

use super::counter::Counters;
use super::outside::Outside;
use super::template::{RenderError, Template};
use crate::random::UserRng;

/// The variables that exist without any `set`; no `set` may take their names.
pub(super) const BUILTIN_VARIABLES: [&str; 5] = ["host", "user", "run", "task", "iteration"];

/// The builtin variables that have fields, and which.
pub(super) const FIELDS: [(&str, &[&str]); 2] =
    [("user", &["index", "class", "id"]), ("run", &["id", "seed"])];

/// The name under which functions find the user whose template is rendered. No template can spell it.
const SCOPE_KEY: &str = "(scope)";

/// Who a user is. Users of equal seed, class and index draw the same, whatever else differs.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// What templates read as `run.id`.
    pub run_id: &'a str,
    /// The run's seed.
    pub seed: u64,
    /// The name of the user's class.
    pub class: &'a str,
    /// The user's number within its class.
    pub index: u64,
    /// What templates read as `host`: without a slash at its end.
    pub host: &'a str,
}

/// The variables and the random stream of one user.
///
/// | name | value |
/// | --- | --- |
/// | `host` | the host of the user's class, without a slash at its end |
/// | `user.index` | the user's number within its class, unique in the cluster: those of the first worker count from 0 |
/// | `user.class` | the name of its class |
/// | `user.id` | both: `Buyer-17` |
/// | `run.id` | the run's id, a text |
/// | `run.seed` | the run's seed, an integer |
/// | `task` | the name of the running task; empty in `on_start` and `on_stop` |
/// | `iteration` | how many tasks this user began before the running one |
/// | anything else | what the last `set` of that name gave this user |
///
/// Rendering takes it by shared reference although every draw moves the random stream on: the stream is behind a
/// lock that only this user's thread ever takes, because template functions are handed shared values.
pub struct RenderContext {
    scope: Arc<Scope>,
}

/// The root of the variables as the template engine sees it.
pub(super) struct Scope {
    host: Value,
    user: Value,
    run: Value,
    outside: Outside,
    state: Mutex<ScopeState>,
}

/// What changes while the user lives.
pub(super) struct ScopeState {
    pub(super) rng: UserRng,
    pub(super) counters: Counters,
    task: Arc<str>,
    iteration: u64,
    variables: BTreeMap<Arc<str>, Value>,
}

/// A user's scope, locked from the first native use on and for as long as no engine runs, which locks by itself.
///
/// A document draws dozens of numbers. To lock once for all of them is a good part of what makes that cheap.
pub(super) struct Lease<'c> {
    scope: &'c Arc<Scope>,
    state: Option<MutexGuard<'c, ScopeState>>,
}

impl RenderContext {
    /// The context of a user that has done nothing yet. It draws from [`UserRng::for_user`].
    pub fn new(identity: &Identity<'_>, outside: &Outside) -> Self {
        let Identity { run_id, seed, class, index, host } = *identity;
        let user = [
            ("index", Value::from(index)),
            ("class", Value::from(class)),
            ("id", Value::from(format!("{class}-{index}"))),
        ];
        let run = [("id", Value::from(run_id)), ("seed", Value::from(seed))];
        let state = ScopeState {
            rng: UserRng::for_user(seed, class, index),
            counters: Counters::default(),
            task: Arc::from(""),
            iteration: 0,
            variables: BTreeMap::new(),
        };
        let scope = Scope {
            host: Value::from(host),
            user: Value::from_pairs(user),
            run: Value::from_pairs(run),
            outside: outside.clone(),
            state: Mutex::new(state),
        };
        Self { scope: Arc::new(scope) }
    }

    /// Tells templates which task runs now and how many tasks this user began before it.
    pub fn begin_task(&mut self, task: &Arc<str>, iteration: u64) {
        let mut state = self.scope.lock();
        state.task = task.clone();
        state.iteration = iteration;
    }

    /// Gives a variable a value, until it is set again.
    pub fn set(&mut self, name: &Arc<str>, value: Value) {
        self.scope.lock().variables.insert(name.clone(), value);
    }

    /// What templates read under a name, if it has been set or is always there.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.lease().variable(name)
    }

    /// The variables that were set so far, for [`Self::seed_variables`] of other users.
    pub fn variables(&self) -> BTreeMap<Arc<str>, Value> {
        self.scope.lock().variables.clone()
    }

    /// Gives a user that has done nothing yet the variables of another one.
    pub fn seed_variables(&mut self, variables: BTreeMap<Arc<str>, Value>) {
        self.scope.lock().variables = variables;
    }

    /// Carries out the assignments of a [`Step::Set`](super::Step::Set), in order.
    ///
    /// # Errors
    /// If a template fails; the assignments before it stand.
    pub fn assign(&mut self, assignments: &[(Arc<str>, Template)]) -> Result<(), RenderError> {
        for (name, template) in assignments {
            let value = template.evaluate(self)?;
            self.set(name, value);
        }
        Ok(())
    }

    /// Lends the user's random stream, for example to pick a task or a wait.
    ///
    /// `draw` must not render with this context: the stream is lent out.
    pub fn with_rng<T>(&self, draw: impl FnOnce(&mut UserRng) -> T) -> T {
        draw(&mut self.scope.lock().rng)
    }

    /// Draws from another stream from now on.
    pub fn reseed(&mut self, rng: UserRng) {
        self.scope.lock().rng = rng;
    }

    /// The user's scope for one rendering.
    pub(super) fn lease(&self) -> Lease<'_> {
        Lease::new(&self.scope)
    }
}

impl fmt::Debug for RenderContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderContext").field("user", &self.scope.user).finish_non_exhaustive()
    }
}

impl<'c> Lease<'c> {
    /// A lease that has locked nothing yet.
    pub(super) fn new(scope: &'c Arc<Scope>) -> Self {
        Self { scope, state: None }
    }

    /// What changes while the user lives.
    pub(super) fn state(&mut self) -> &mut ScopeState {
        self.state.get_or_insert_with(|| self.scope.lock())
    }

    /// The world outside of the run.
    pub(super) fn outside(&self) -> &'c Outside {
        &self.scope.outside
    }

    /// The value of a variable, if it has one.
    pub(super) fn variable(&mut self, name: &str) -> Option<Value> {
        self.scope.constant(name).or_else(|| self.state().variable(name))
    }

    /// The root value for the template engine. Nothing is locked any more.
    pub(super) fn root(&mut self) -> Value {
        self.state = None;
        Value::from_dyn_object(self.scope.clone())
    }
}

impl Scope {
    /// The scope whose template the engine renders. `None` if the rendering did not begin with [`Lease::root`].
    pub(super) fn of(state: &minijinja::State<'_, '_>) -> Option<Arc<Self>> {
        state.lookup(SCOPE_KEY)?.downcast_object()
    }

    /// The variables that are always there and never change.
    fn constant(&self, name: &str) -> Option<Value> {
        match name {
            "host" => Some(self.host.clone()),
            "user" => Some(self.user.clone()),
            "run" => Some(self.run.clone()),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, ScopeState> {
        // A panic while the lock was held left at worst an old value of one variable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScopeState {
    fn variable(&self, name: &str) -> Option<Value> {
        match name {
            "task" => Some(Value::from(self.task.clone())),
            "iteration" => Some(Value::from(self.iteration)),
            _ => self.variables.get(name).cloned(),
        }
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == SCOPE_KEY {
            return Some(Value::from_dyn_object(self.clone()));
        }
        self.constant(key).or_else(|| self.lock().variable(key))
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scope")
    }
}
