//! What whoever starts a run changes of a scenario's user classes: Locust's `--config-users` and `--equal-weights`.
//!
//! The master adjusts to know what it coordinates, every worker adjusts the same to run it.

use serde::Deserialize;
use thiserror::Error;

use super::class::UserClass;
use super::host::{Host, HostError};
use super::model::Scenario;
use super::selection::UnknownClass;
use crate::arrivals::{Arrivals, ArrivalsError, SteadyArrivals};
use crate::suggest::nearest;
use crate::wait::{WaitTime, WaitTimeError};

/// The longest text of edits, in bytes.
pub const EDITS_BYTES_MAX: usize = 1 << 20;

/// The most edits.
pub const EDITS_MAX: usize = 1_000;

/// What is changed of the user classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adjustments {
    /// Every class and every task weighs 1.
    pub equal_weights: bool,
    /// What is changed of single classes, in this order.
    pub edits: Vec<ClassEdit>,
    /// Takes the place of all arrivals of the scenario and its classes, and of its shape: a step of a search.
    pub arrivals: Option<SteadyArrivals>,
}

/// What is changed of one class; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassEdit {
    /// The class.
    pub user_class_name: String,
    /// Its weight; at least 0.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Exactly this many users; 0 means that the weight counts.
    #[serde(default)]
    pub fixed_count: Option<u32>,
    /// The base URL of its requests.
    #[serde(default)]
    pub host: Option<String>,
    /// The wait between two tasks, as a scenario says it, such as `between(1, 5)`.
    #[serde(default)]
    pub wait_time: Option<String>,
    /// The names of the tasks to keep.
    #[serde(default)]
    pub tasks: Option<Vec<String>>,
}

/// Text that is no edit of classes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadEdits {
    /// It is too long.
    #[error("it is longer than {EDITS_BYTES_MAX} bytes")]
    TooLong,
    /// There are too many.
    #[error("it changes more than {EDITS_MAX} classes")]
    TooMany,
    /// It is no JSON.
    #[error("{0}")]
    Json(String),
    /// It does not say what can be said of a class.
    #[error("{0}")]
    Attributes(String),
}

/// Why a class cannot be changed like this.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum AdjustError {
    /// There is no such class.
    #[error(transparent)]
    Class(#[from] UnknownClass),
    /// It has no such task.
    #[error("{class} has no task {task}; {hint}")]
    Task {
        /// The class.
        class: String,
        /// The task.
        task: String,
        /// What it has.
        hint: String,
    },
    /// No task would be left.
    #[error("{0} would have no task left")]
    NoTask(String),
    /// The weight is none.
    #[error("the weight of {0} must be a number of at least 0")]
    Weight(String),
    /// The host is no base URL.
    #[error("the host of {class}: {error}")]
    Host {
        /// The class.
        class: String,
        /// What is wrong.
        error: HostError,
    },
    /// The wait time is none.
    #[error("the wait_time of {class}: {error}")]
    WaitTime {
        /// The class.
        class: String,
        /// What is wrong.
        error: WaitTimeError,
    },
}

impl ClassEdit {
    /// Reads a JSON object, or an array of them.
    ///
    /// # Errors
    /// It is no JSON, or has an attribute that no class has.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, BadEdits> {
        if text.len() > EDITS_BYTES_MAX {
            return Err(BadEdits::TooLong);
        }
        let bad = |error: serde_json::Error| match error.is_data() {
            true => BadEdits::Attributes(error.to_string()),
            false => BadEdits::Json(error.to_string()),
        };
        match text.trim_start().starts_with('[') {
            true => serde_json::from_str(text).map_err(bad),
            false => Ok(vec![serde_json::from_str(text).map_err(bad)?]),
        }
    }
}

impl Scenario {
    /// Changes what single classes are.
    pub(super) fn edit(&mut self, edits: &[ClassEdit]) -> Result<(), AdjustError> {
        for edit in edits {
            let names: Vec<&str> = self.users.iter().map(|class| class.name.as_str()).collect();
            let Some(index) = names.iter().position(|name| *name == edit.user_class_name) else {
                return Err(UnknownClass::new(&edit.user_class_name, &names).into());
            };
            self.users[index].edit(edit)?;
        }
        Ok(())
    }

    /// Has iterations begin at one rate instead of what the file says.
    pub(super) fn steady(&mut self, arrivals: SteadyArrivals) -> Result<(), ArrivalsError> {
        self.arrivals = Some(Arrivals::steady(arrivals)?);
        self.shape = None;
        Ok(())
    }

    /// Gives every class and every task, at any depth, the weight 1.
    pub(super) fn weigh_equally(&mut self) {
        for class in &mut self.users {
            class.weight = 1.0;
            class.tasks = class.tasks.weighed_equally();
        }
    }
}

impl UserClass {
    fn edit(&mut self, edit: &ClassEdit) -> Result<(), AdjustError> {
        let class = || self.name.clone();
        if let Some(weight) = edit.weight {
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(AdjustError::Weight(class()));
            }
            self.weight = weight;
        }
        if let Some(host) = &edit.host {
            let host = Host::parse(host).map_err(|error| AdjustError::Host { class: class(), error })?;
            self.host = Some(host);
        }
        if let Some(text) = &edit.wait_time {
            self.wait_time =
                WaitTime::parse(text).map_err(|error| AdjustError::WaitTime { class: class(), error })?;
        }
        if let Some(names) = &edit.tasks {
            let known: Vec<&str> = self.tasks.iter().map(|task| &*task.name).collect();
            if let Some(task) = names.iter().find(|name| !known.contains(&name.as_str())) {
                let hint = match nearest(task, known.iter().copied()) {
                    Some(nearest) => format!("did you mean {nearest}?"),
                    None => format!("it has {}", known.join(", ")),
                };
                return Err(AdjustError::Task { class: class(), task: task.clone(), hint });
            }
            let kept = self.tasks.only(names).ok_or_else(|| AdjustError::NoTask(class()))?;
            self.tasks = kept;
        }
        self.fixed_count = edit.fixed_count.unwrap_or(self.fixed_count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::selection::Selection;
    use super::*;

    const SCENARIO: &str = "
host: http://localhost:1
users:
  Reader:
    weight: 3
    tasks:
      - { name: page, weight: 5, steps: [{ get: / }] }
      - name: shelf
        weight: 2
        iterations: 1
        tasks: [{ name: inner, weight: 4, steps: [{ get: / }] }, { name: other, steps: [{ get: / }] }]
  Writer:
    tasks: [{ name: write, steps: [{ get: / }] }]
";

    fn adjusted(equal_weights: bool, edits: &str) -> Result<Scenario, String> {
        let edits = ClassEdit::parse_all(edits).map_err(|error| error.to_string())?;
        let selection = Selection {
            adjustments: Adjustments { equal_weights, edits, arrivals: None },
            ..Selection::default()
        };
        let scenario = Scenario::load("test.yaml", SCENARIO).unwrap();
        scenario.select(&selection).map(|selected| selected.scenario).map_err(|error| error.to_string())
    }

    #[test]
    fn classes_become_what_the_edits_say() {
        let text = r#"[{"user_class_name": "Reader", "weight": 7, "host": "http://a", "tasks": ["page"]},
                       {"user_class_name": "Writer", "fixed_count": 2, "wait_time": "constant(3)"}]"#;
        let scenario = adjusted(false, text).unwrap();
        let [reader, writer] = &scenario.users[..] else { panic!("{:?}", scenario.users) };
        assert_eq!((reader.weight, reader.fixed_count, reader.tasks.len()), (7.0, 0, 1));
        assert_eq!(scenario.host_of(reader).map(Host::as_str), Some("http://a"));
        assert_eq!((writer.fixed_count, writer.wait_time), (2, WaitTime::parse("constant(3)").unwrap()));
    }

    #[test]
    fn equal_weights_reach_every_depth() {
        let scenario = adjusted(true, "[]").unwrap();
        assert!(scenario.users.iter().all(|class| class.weight == 1.0));
        let tasks = &scenario.users[0].tasks;
        assert_eq!(tasks.total_weight(), 2);
        let super::super::class::TaskBody::Group(group) = &tasks[1].body else { panic!("a group") };
        assert_eq!(group.tasks.total_weight(), 2);
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let check = |edits: &str, expected: &str| {
            let error = adjusted(false, edits).unwrap_err();
            assert!(error.contains(expected), "{edits}: {error}");
        };
        check(r#"{"user_class_name": "Raeder"}"#, "there is no user class Raeder; did you mean Reader?");
        check(r#"{"user_class_name": "Reader", "wieght": 1}"#, "unknown field `wieght`, expected one of");
        check(r#"{"weight": 1}"#, "missing field `user_class_name`");
        check(r#"{"user_class_name": "Reader", "weight": -1}"#, "weight of Reader must be");
        check(
            r#"{"user_class_name": "Reader", "tasks": ["pgae"]}"#,
            "Reader has no task pgae; did you mean page?",
        );
        check(r#"{"user_class_name": "Reader", "tasks": []}"#, "Reader would have no task left");
        check(r#"{"user_class_name": "Reader", "host": "nowhere"}"#, "the host of Reader: ");
        check(r#"{"user_class_name": "Reader", "wait_time": "soon"}"#, "the wait_time of Reader: ");
        check("{", "EOF while parsing");
    }
}
