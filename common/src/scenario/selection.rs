//! What of a scenario is to run: a profile, some of its classes, the tasks with certain tags.
//!
//! The master selects to know what it coordinates, every worker selects the same to run it.

use std::fmt;

use thiserror::Error;

use super::adjust::{AdjustError, Adjustments};
use super::class::{Task, UserClass};
use super::model::{ProfileLoad, Scenario, UnknownProfile};
use crate::arrivals::ArrivalsError;
use crate::suggest::nearest;

/// What was asked for, besides the scenario itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// The profile in force.
    pub profile: Option<String>,
    /// The classes to run, with their weights where others than the scenario's were given; empty for all.
    pub classes: Vec<(String, Option<f64>)>,
    /// Only tasks with one of these tags, unless there are none.
    pub tags: Vec<String>,
    /// No task with one of these tags.
    pub exclude_tags: Vec<String>,
    /// What is changed of the classes.
    pub adjustments: Adjustments,
}

/// What is left of a scenario.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The scenario, with what the profile says.
    pub scenario: Scenario,
    /// The settings of the profile that the command line may override.
    pub load: ProfileLoad,
    /// The classes that have no task with the tags, and are gone.
    pub untagged: Vec<String>,
}

/// Why nothing of a scenario can be selected like this.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SelectionError {
    /// There is no such profile.
    #[error(transparent)]
    Profile(#[from] UnknownProfile),
    /// There is no such class.
    #[error(transparent)]
    Class(#[from] UnknownClass),
    /// A class cannot be changed like this.
    #[error("--config-users: {0}")]
    Adjust(#[from] AdjustError),
    /// A search asks for arrivals that cannot be.
    #[error(transparent)]
    Arrivals(#[from] ArrivalsError),
    /// No task passes the tags.
    #[error("no task is left: none has one of --tags and none of --exclude-tags")]
    NothingTagged,
    /// The shape takes users from a class that does not run.
    #[error("the shape takes users from {0}, which is not among the classes that were selected")]
    ShapeClass(String),
    /// Every class that is left has neither weight nor fixed count nor arrivals.
    #[error("the selected classes have neither a weight nor a fixed_count, so no user would run")]
    NoUsers,
}

/// The scenario has no class of that name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct UnknownClass {
    /// The name that was asked for.
    pub name: String,
    /// The valid name that looks most like it.
    pub nearest: Option<String>,
    /// All valid names.
    pub known: Vec<String>,
}

impl Scenario {
    /// Leaves what was selected, and gives every class its own arrivals.
    ///
    /// # Errors
    /// The selection names what is not there, or leaves nothing to run.
    pub fn select(self, selection: &Selection) -> Result<Selected, SelectionError> {
        let (mut scenario, load) = match &selection.profile {
            Some(profile) => self.with_profile(profile)?,
            None => (self, ProfileLoad::default()),
        };
        scenario.edit(&selection.adjustments.edits)?;
        scenario.restrict(&selection.classes)?;
        if selection.adjustments.equal_weights {
            scenario.weigh_equally();
        }
        let untagged = scenario.keep_tagged(&selection.tags, &selection.exclude_tags);
        if scenario.users.is_empty() {
            return Err(SelectionError::NothingTagged);
        }
        if let Some(arrivals) = selection.adjustments.arrivals {
            scenario.steady(arrivals)?;
        }
        scenario.deal_arrivals();
        let shaped = scenario.shape.iter().flat_map(|shape| shape.classes());
        let is_placed =
            |name: &&str| scenario.users.iter().any(|class| class.name == **name && class.arrivals.is_none());
        if let Some(missing) = { shaped }.find(|name| !is_placed(name)) {
            return Err(SelectionError::ShapeClass(missing.to_owned()));
        }
        let runs =
            |class: &UserClass| class.weight > 0.0 || class.fixed_count > 0 || class.arrivals.is_some();
        if !scenario.users.iter().any(runs) {
            return Err(SelectionError::NoUsers);
        }
        Ok(Selected { scenario, load, untagged })
    }

    /// Leaves only these classes, with their weights; none of them means all.
    fn restrict(&mut self, classes: &[(String, Option<f64>)]) -> Result<(), UnknownClass> {
        let names: Vec<&str> = self.users.iter().map(|class| class.name.as_str()).collect();
        if let Some((unknown, _)) = classes.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            return Err(UnknownClass::new(unknown, &names));
        }
        if classes.is_empty() {
            return Ok(());
        }
        self.users.retain_mut(|user| {
            let Some((_, weight)) = classes.iter().find(|(name, _)| *name == user.name) else {
                return false;
            };
            if let Some(weight) = weight {
                (user.weight, user.fixed_count) = (*weight, 0);
            }
            true
        });
        Ok(())
    }

    /// Leaves the tasks that have one of `tags`, if there are any, and none of `exclude_tags`: Locust's `--tags` and
    /// `--exclude-tags`. Returns the classes that had none, and are gone.
    fn keep_tagged(&mut self, tags: &[String], exclude_tags: &[String]) -> Vec<String> {
        let has = |task: &Task, tags: &[String]| {
            task.tags.iter().any(|tag| tags.iter().any(|other| **tag == **other))
        };
        let keep = |task: &Task| (tags.is_empty() || has(task, tags)) && !has(task, exclude_tags);
        let mut untagged = Vec::new();
        self.users.retain_mut(|class| match class.tasks.retain(&keep) {
            Some(tasks) => {
                class.tasks = tasks;
                true
            }
            None => {
                untagged.push(std::mem::take(&mut class.name));
                false
            }
        });
        untagged
    }

    /// Splits the arrivals of the scenario over its classes by weight. They replace those of the classes.
    fn deal_arrivals(&mut self) {
        let Some(arrivals) = self.arrivals.take() else { return };
        let weight = |class: &UserClass| if class.fixed_count > 0 { 0.0 } else { class.weight };
        let weights: Vec<f64> = self.users.iter().map(weight).collect();
        for (class, share) in self.users.iter_mut().zip(arrivals.split(&weights)) {
            class.arrivals = share;
        }
    }
}

impl UnknownClass {
    /// The error about `name`, which is none of `known`.
    pub(super) fn new(name: &str, known: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            nearest: nearest(name, known.iter().copied()).map(str::to_owned),
            known: known.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no user class {}", self.name)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => write!(f, "; the scenario has {}", self.known.join(", ")),
        }
    }
}
