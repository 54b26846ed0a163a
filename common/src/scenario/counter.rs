//! `counter()`: numbers that rise from call to call, for each user by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;

use super::function::{Bound, integer, text};

/// The most counters of one user; names may be computed, and a mistaken one could be new each time.
const COUNTERS_MAX: usize = 1000;

/// A call of `counter` with its arguments.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    name: Arc<str>,
    start: i64,
    step: i64,
}

/// The last number of each counter of a user.
#[derive(Debug, Default)]
pub(super) struct Counters(BTreeMap<Arc<str>, i64>);

pub(super) fn counter(arguments: &[Value]) -> Result<Bound, String> {
    let name = text(&arguments[0], "name")?.into();
    Ok(Bound::Counter(Counter { name, start: integer(&arguments[1])?, step: integer(&arguments[2])? }))
}

impl Counters {
    /// The next number: the call's `start` if the counter is new, else its last number and the call's `step`.
    pub(super) fn next(&mut self, counter: &Counter) -> Result<Value, String> {
        let Counter { name, start, step } = counter;
        if let Some(last) = self.0.get_mut(name) {
            *last = last
                .checked_add(*step)
                .ok_or_else(|| format!("counter `{name}` has left the 64-bit integers"))?;
            return Ok(Value::from(*last));
        }
        if self.0.len() >= COUNTERS_MAX {
            return Err(format!("a user has at most {COUNTERS_MAX} counters"));
        }
        self.0.insert(name.clone(), *start);
        Ok(Value::from(*start))
    }
}
