//! What templates may learn of the world outside of the run: the time, and the environment's variables.
//!
//! The shell that renders templates provides both; nothing here reads a clock or an environment by itself.

use std::fmt;
use std::sync::Arc;

type Clock = dyn Fn() -> u64 + Send + Sync;
type Variables = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The wall clock and the environment, as far as templates may see them. Cloning shares them.
///
/// Without a clock `now()` fails; without variables the environment is empty. Both are asked only by templates that
/// call `now()` and `env()`, and must not render templates themselves.
#[derive(Clone, Default)]
pub struct Outside {
    clock: Option<Arc<Clock>>,
    variables: Option<Arc<Variables>>,
}

impl Outside {
    /// With a clock that tells the microseconds since 1970.
    #[must_use]
    pub fn with_clock(self, unix_us: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { clock: Some(Arc::new(unix_us)), ..self }
    }

    /// With an environment that tells the text of a variable, if it has one of that name.
    #[must_use]
    pub fn with_env(self, variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { variables: Some(Arc::new(variable)), ..self }
    }

    /// What the clock shows, if there is one.
    pub(super) fn unix_us(&self) -> Option<u64> {
        self.clock.as_ref().map(|unix_us| unix_us())
    }

    /// The text of a variable.
    pub(super) fn env(&self, name: &str) -> Option<String> {
        self.variables.as_ref().and_then(|variable| variable(name))
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("clock", &self.clock.is_some())
            .field("env", &self.variables.is_some())
            .finish()
    }
}
