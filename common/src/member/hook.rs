//! Setup and teardown of a run on the worker that does them for the whole cluster.

use std::sync::Arc;

use super::{Effect, Member};
use crate::files::NamedFiles;
use crate::ids::RunId;
use crate::messages::{FromWorker, Hook, RunPlan, VARIABLES_BYTES_MAX};

/// The longest reason of a failure that is passed on, in characters.
const MAX_REASON_CHARS: usize = 2_000;

/// What the worker does, or did last.
#[derive(Debug)]
pub(super) struct HookTask {
    hook: Hook,
    run: RunId,
    stage: Stage,
}

/// How far it has come.
#[derive(Debug)]
enum Stage {
    /// The files of the plan are not here yet.
    AwaitingFiles(Arc<RunPlan>),
    /// It is being done.
    Running,
    /// It was done, with this result: variables, or why not.
    Done(Result<String, String>),
}

impl Member {
    /// Setup or teardown is over: it came to variables, which teardown has none of, or it failed for a reason.
    pub fn handle_hook_done(&mut self, hook: Hook, run: &RunId, result: Result<String, String>) {
        let running = |task: &&mut HookTask| {
            task.hook == hook && task.run == *run && matches!(task.stage, Stage::Running)
        };
        if let Some(task) = self.hook.as_mut().filter(running) {
            let result = match result {
                Ok(variables) if variables.len() > VARIABLES_BYTES_MAX => {
                    Err(format!("its variables take more than {} MiB", VARIABLES_BYTES_MAX >> 20))
                }
                Ok(variables) => Ok(variables),
                Err(reason) => Err(reason.chars().take(MAX_REASON_CHARS).collect()),
            };
            task.stage = Stage::Done(result.clone());
            self.send(answer(hook, run.clone(), result));
        }
    }

    /// The master wants setup or teardown done; perhaps not for the first time, because connections break.
    pub(super) fn on_hook(&mut self, hook: Hook, plan: Arc<RunPlan>) {
        if self.leaving {
            return;
        }
        if let Some(task) = self.hook.as_ref().filter(|task| task.hook == hook && task.run == plan.run) {
            if let Stage::Done(result) = &task.stage {
                self.send(answer(hook, plan.run.clone(), result.clone()));
            }
            return;
        }
        self.end_hook();
        let progress = self.files.want(&plan.files);
        self.hook = Some(HookTask { hook, run: plan.run.clone(), stage: Stage::AwaitingFiles(plan) });
        self.on_files(progress);
    }

    /// Does what waited for these files. Returns false if nothing did.
    pub(super) fn begin_hook(&mut self, files: &NamedFiles) -> bool {
        let Some(task) = self.hook.as_mut() else {
            return false;
        };
        let Stage::AwaitingFiles(plan) = &task.stage else {
            return false;
        };
        let (hook, plan, files) = (task.hook, plan.clone(), files.clone());
        task.stage = Stage::Running;
        self.effects.push_back(Effect::Hook { hook, plan, files });
        // Should a run have waited for files, too, it goes on waiting for its own.
        let awaiting = self.run.as_ref().and_then(|run| run.awaiting_files.clone());
        if let Some(plan) = awaiting {
            let progress = self.files.want(&plan.files);
            self.on_files(progress);
        }
        true
    }

    /// The master gave up the setup of this run.
    pub(super) fn cancel_setup(&mut self, run: &RunId) {
        if self.hook.as_ref().is_some_and(|task| task.hook == Hook::Setup && task.run == *run) {
            self.end_hook();
        }
    }

    /// Ends setup or teardown, whatever it has come to.
    pub(super) fn end_hook(&mut self) {
        match self.hook.take().map(|task| task.stage) {
            Some(Stage::Running) => self.effects.push_back(Effect::EndHook),
            Some(Stage::AwaitingFiles(_)) => {
                // Unless a run waits for files, too, nobody does any more.
                if self.run.as_ref().is_none_or(|run| run.awaiting_files.is_none()) {
                    self.files.give_up();
                }
            }
            Some(Stage::Done(_)) | None => {}
        }
    }
}

fn answer(hook: Hook, run: RunId, result: Result<String, String>) -> FromWorker {
    match hook {
        Hook::Setup => FromWorker::SetupDone { run, result },
        Hook::Teardown => FromWorker::TeardownDone { run, result: result.map(|_| ()) },
    }
}
