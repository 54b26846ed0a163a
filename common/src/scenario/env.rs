//! `env()`: variables of the environment in which the users run, for what should not stand in a scenario file.

use std::sync::Arc;

use minijinja::Value;

use super::function::{Bound, text};
use super::outside::Outside;

/// A call of `env` with its arguments.
#[derive(Clone, Debug)]
pub(super) struct Env {
    name: Arc<str>,
    default: Option<Value>,
}

pub(super) fn env(arguments: &[Value]) -> Result<Bound, String> {
    let name = text(&arguments[0], "name")?;
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(format!("needs the name of a variable, got `{name}`"));
    }
    let default = Some(&arguments[1]).filter(|default| !default.is_undefined()).cloned();
    Ok(Bound::Env(Env { name: name.into(), default }))
}

impl Env {
    /// The variable that it asks for.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The variable's text, else the default.
    pub(super) fn read(&self, outside: &Outside) -> Result<Value, String> {
        match (outside.env(&self.name), &self.default) {
            (Some(text), _) => Ok(Value::from(text)),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(format!("`{}` is not in the environment, and it has no default", self.name)),
        }
    }
}
