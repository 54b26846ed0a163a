//! What a template sees while it is rendered: the variables of one user and its random stream.
//!
//! The worker's interpreter owns one [`RenderContext`] per user. Templates read it, and draw from its random
//! stream; only the interpreter changes variables.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::Value;
use minijinja::value::Object;

use super::template::{RenderError, Template};
use crate::random::UserRng;

/// The variables that exist without any `set`; no `set` may take their names.
pub(super) const BUILTIN_VARIABLES: [&str; 4] = ["host", "user", "task", "iteration"];

/// What `user` has.
pub(super) const USER_FIELDS: [&str; 3] = ["index", "class", "id"];

/// The name under which functions find the user's random stream. No template can spell it.
const SCOPE_KEY: &str = "(scope)";

/// The variables and the random stream of one user.
///
/// | name | value |
/// | --- | --- |
/// | `host` | the host of the user's class, without a slash at its end |
/// | `user.index` | the user's number within its class, counted from 0 over the whole cluster |
/// | `user.class` | the name of its class |
/// | `user.id` | both: `Buyer-17` |
/// | `task` | the name of the running task; empty in `on_start` and `on_stop` |
/// | `iteration` | how many tasks this user began before the running one |
/// | anything else | what the last `set` of that name gave this user |
///
/// Rendering takes it by shared reference although every draw moves the random stream on: the stream is behind a
/// lock that only this user's thread ever takes, because template functions are handed shared values.
pub struct RenderContext {
    scope: Arc<Scope>,
    root: Value,
}

/// The root of the variables as the template engine sees it.
pub(super) struct Scope {
    host: Value,
    user: Value,
    state: Mutex<ScopeState>,
}

struct ScopeState {
    rng: UserRng,
    task: Value,
    iteration: u64,
    variables: BTreeMap<Arc<str>, Value>,
}

impl RenderContext {
    /// The context of a user that has done nothing yet.
    ///
    /// `class` and `index` identify the user ([`UserRng::for_user`] takes the same), `host` is what templates read
    /// as `host`.
    pub fn new(rng: UserRng, class: &str, index: u64, host: &str) -> Self {
        let user = [
            ("index", Value::from(index)),
            ("class", Value::from(class)),
            ("id", Value::from(format!("{class}-{index}"))),
        ];
        let state = ScopeState { rng, task: Value::from(""), iteration: 0, variables: BTreeMap::new() };
        let user = Value::from_pairs(user);
        let scope = Arc::new(Scope { host: Value::from(host), user, state: Mutex::new(state) });
        Self { root: Value::from_dyn_object(scope.clone()), scope }
    }

    /// Tells templates which task runs now and how many tasks this user began before it.
    pub fn begin_task(&mut self, task: &Arc<str>, iteration: u64) {
        let mut state = self.scope.lock();
        state.task = Value::from(task.clone());
        state.iteration = iteration;
    }

    /// Gives a variable a value, until it is set again.
    pub fn set(&mut self, name: &Arc<str>, value: Value) {
        self.scope.lock().variables.insert(name.clone(), value);
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

    /// The root value for the template engine.
    pub(super) fn root(&self) -> Value {
        self.root.clone()
    }
}

impl fmt::Debug for RenderContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderContext").field("user", &self.scope.user).finish_non_exhaustive()
    }
}

impl Scope {
    /// Lends the random stream to a function that a template called.
    ///
    /// Returns `None` outside of a rendering that began with [`RenderContext::root`].
    pub(super) fn draw<T>(
        state: &minijinja::State<'_, '_>,
        draw: impl FnOnce(&mut UserRng) -> T,
    ) -> Option<T> {
        let scope = state.lookup(SCOPE_KEY)?.downcast_object::<Self>()?;
        let mut state = scope.lock();
        Some(draw(&mut state.rng))
    }

    fn lock(&self) -> MutexGuard<'_, ScopeState> {
        // A panic while the lock was held left at worst an old value of one variable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "host" => Some(self.host.clone()),
            "user" => Some(self.user.clone()),
            "task" => Some(self.lock().task.clone()),
            "iteration" => Some(Value::from(self.lock().iteration)),
            SCOPE_KEY => Some(Value::from_dyn_object(self.clone())),
            name => self.lock().variables.get(name).cloned(),
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scope")
    }
}
