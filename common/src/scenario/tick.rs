//! `tick`: a load shape that is an expression of the run's time, as Locust's `LoadTestShape.tick` is a function of it.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::context::{Identity, RenderContext};
use super::outside::Outside;
use super::template::Template;
use crate::shape::{Tick, TickTarget};
use crate::time::RunTime;

/// What the expression may use, beside functions.
pub(super) const TICK_VARIABLES: [&str; 2] = ["run_time", "users"];

/// The most classes that an answer names.
const CLASSES_MAX: usize = 10_000;

/// An expression that is asked once a second.
#[derive(Debug)]
pub(super) struct TickExpression(pub(super) Template);

impl Tick for TickExpression {
    fn tick(&self, run_time: RunTime, users: u32) -> Result<Option<TickTarget>, String> {
        // Every second has a random stream of its own, the same in every run.
        let second = run_time.as_secs();
        let identity = Identity { run_id: "", seed: 0, class: "(tick)", index: second, host: "" };
        let mut context = RenderContext::new(&identity, &Outside::default());
        context.set(&Arc::from("run_time"), Value::from(run_time.as_secs_f64()));
        context.set(&Arc::from("users"), Value::from(users));
        let answer = self.0.evaluate(&context).map_err(|error| error.to_string())?;
        target(&answer)
    }
}

/// Reads `none`, users, or `[users, spawn_rate, classes]`.
fn target(answer: &Value) -> Result<Option<TickTarget>, String> {
    match answer.kind() {
        ValueKind::None => Ok(None),
        ValueKind::Number => Ok(Some(TickTarget { users: users(answer)?, spawn_rate: None, classes: None })),
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> =
                answer.try_iter().map_err(|error| error.to_string())?.take(CLASSES_MAX).collect();
            match items.as_slice() {
                [count] => Ok(Some(TickTarget { users: users(count)?, spawn_rate: None, classes: None })),
                [count, rate] => Ok(Some(TickTarget {
                    users: users(count)?,
                    spawn_rate: Some(number(rate)?),
                    classes: None,
                })),
                [count, rate, names] => Ok(Some(TickTarget {
                    users: users(count)?,
                    spawn_rate: Some(number(rate)?),
                    classes: Some(classes(names)?),
                })),
                _ => Err(wrong(answer)),
            }
        }
        _ => Err(wrong(answer)),
    }
}

fn users(value: &Value) -> Result<u32, String> {
    let users = number(value)?;
    // Locust takes fractions of users, too, and leaves them out.
    if users >= 0.0 && users <= f64::from(u32::MAX) { Ok(users as u32) } else { Err(wrong(value)) }
}

fn number(value: &Value) -> Result<f64, String> {
    match f64::try_from(value.clone()) {
        Ok(number) if value.is_number() && number.is_finite() => Ok(number),
        _ => Err(wrong(value)),
    }
}

fn classes(names: &Value) -> Result<Vec<String>, String> {
    let items = names.try_iter().map_err(|_| wrong(names))?;
    items.take(CLASSES_MAX).map(|name| name.as_str().map(str::to_owned).ok_or_else(|| wrong(names))).collect()
}

fn wrong(value: &Value) -> String {
    format!("tick answered {value}; it is to be none, users, or [users, spawn_rate, classes]")
}
