//! What somebody wants of a run that is started over the web: the command line, with what the form says instead.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sentinel_common::ids::RunId;
use sentinel_common::scenario::{BadEdits, ClassEdit, EDITS_MAX};
use thiserror::Error;

use crate::cli::Args;
use crate::settings::{Settings, UsageError, new_run};

/// What a form says; what is absent is as on the command line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartForm {
    /// Users at the top of the ramp.
    pub users: Option<i64>,
    /// Users per second on the way.
    pub spawn_rate: Option<f64>,
    /// How long the run lasts; zero for no limit.
    pub run_time: Option<Duration>,
    /// The base URL of the target.
    pub host: Option<String>,
    /// The profile; empty for none.
    pub profile: Option<String>,
    /// The user classes to run.
    pub classes: Option<Vec<String>>,
    /// Only tasks with one of these tags.
    pub tags: Option<Vec<String>>,
    /// No task with one of these tags.
    pub exclude_tags: Option<Vec<String>>,
    /// Follow no shape, even if the scenario has one.
    pub without_shape: bool,
}

/// Makes settings for one run after the other from the same command line.
#[derive(Debug)]
pub struct Starter {
    args: Args,
    demo_host: Option<String>,
    /// What was changed of user classes since, as JSON, by class.
    edits: Mutex<Vec<(String, String)>>,
}

/// Why a user class cannot be changed.
#[derive(Debug, Error)]
pub enum EditRefused {
    /// It does not say what can be said of user classes.
    #[error("{0}")]
    Bad(#[from] BadEdits),
    /// The runs after it could not begin.
    #[error("{0}")]
    Unusable(Box<UsageError>),
}

impl Starter {
    /// Begins with what was typed. `demo_host` is where the demo's target listens, if there is one.
    pub fn new(args: Args, demo_host: Option<String>) -> Self {
        Self { args, demo_host, edits: Mutex::default() }
    }

    /// The settings of a run of its own, as `form` says it. Reads the files of the scenario.
    ///
    /// # Errors
    /// A mistake in the form, or what of the command line does not go with it.
    pub fn settings(&self, form: &StartForm) -> Result<Settings, UsageError> {
        self.resolve(&self.args_for(form))
    }

    /// Changes user classes for all runs that begin from now on: JSON as for `--config-users`.
    ///
    /// # Errors
    /// The JSON is none, or no run could begin like this. Nothing is changed then.
    pub fn edit_classes(&self, json: &str) -> Result<(), EditRefused> {
        let edits = ClassEdit::parse_all(json)?;
        let mut args = self.args_for(&StartForm::default());
        args.config_users.push(json.to_owned());
        Settings::resolve_for_page(&args, RunId::untold(), 0, self.demo_host.as_deref())
            .map_err(|error| EditRefused::Unusable(Box::new(error)))?;
        let mut kept = self.edits.lock().unwrap_or_else(PoisonError::into_inner);
        if let [edit] = &edits[..] {
            // A form says everything of a class, so the last one is enough.
            kept.retain(|(class, _)| *class != edit.user_class_name);
        }
        if kept.len() + edits.len() > EDITS_MAX {
            return Err(BadEdits::TooMany.into());
        }
        let name = edits.first().map(|edit| edit.user_class_name.clone()).unwrap_or_default();
        kept.push((name, json.to_owned()));
        Ok(())
    }

    fn resolve(&self, args: &Args) -> Result<Settings, UsageError> {
        let (run, seed) = new_run();
        Settings::resolve(args, run, seed, self.demo_host.as_deref())
    }

    fn args_for(&self, form: &StartForm) -> Args {
        let form = form.clone();
        let mut args = self.args.clone();
        args.users = form.users.or(args.users);
        args.spawn_rate = form.spawn_rate.or(args.spawn_rate);
        args.run_time = form.run_time.or(args.run_time);
        args.host = form.host.or(args.host);
        args.profile = form.profile.or(args.profile).filter(|profile| !profile.is_empty());
        args.tags = form.tags.unwrap_or(args.tags);
        args.exclude_tags = form.exclude_tags.unwrap_or(args.exclude_tags);
        args.without_shape |= form.without_shape;
        if let Some(classes) = form.classes {
            let weights = args.user_classes.take().unwrap_or_default();
            args.classes = classes.iter().map(|class| with_weight(class, &weights)).collect();
        }
        let edits = self.edits.lock().unwrap_or_else(PoisonError::into_inner);
        args.config_users.extend(edits.iter().map(|(_, json)| json.clone()));
        args
    }
}

/// A class with the weight that the command line gave it, if it did: `Reader:3,Writer` says it of `Reader`.
fn with_weight(class: &str, named: &str) -> String {
    let mut parts = named.split([',', ' ', '\t', '\n']);
    let named = parts.find(|part| part.split_once(':').is_some_and(|(name, _)| name == class));
    named.unwrap_or(class).to_owned()
}
