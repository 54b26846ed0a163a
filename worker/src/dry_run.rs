//! The dry run: one user of each class carries out every task once, watched by whoever asked for it. No load, no
//! waiting between tasks, no master.

use std::rc::Rc;
use std::sync::Arc;

use sentinel_common::scenario::{Step, Task, TaskBody};

use crate::actor::{Actor, Flow, OnStop};
use crate::clock::LocalClock;
use crate::exchange::Observer;
use crate::hooks;
use crate::http::{ClientFactory, HttpClient};
use crate::plan::{PreparedRun, Role};

/// Somebody who watches a dry run.
pub trait Watcher: Observer {
    /// A task or hook of this class begins.
    fn task(&self, class: &str, what: &str);
    /// The user is over before its last task, for this reason.
    fn stopped(&self, class: &str, reason: &str);
}

/// Carries out `setup`, every task of every class once, and `teardown`. Must run inside a `LocalSet`.
pub async fn dry_run<F: ClientFactory>(run: &Arc<PreparedRun>, factory: &F, watcher: Rc<dyn Watcher>) {
    let clock = LocalClock::start();
    let play = |role| hooks::actor(run, role, factory, clock, Some(watcher.clone() as Rc<dyn Observer>));
    let mut setup = play(Role::Setup);
    let _ = part(&mut setup, &*watcher, "setup", "setup", run.setup(), OnStop::Leave).await;
    run.set_variables(setup.context.variables());
    for class in 0..run.classes().len() {
        let mut actor = play(Role::Class(class));
        user(run, class, &mut actor, &*watcher).await;
    }
    let mut teardown = play(Role::Teardown);
    let _ = part(&mut teardown, &*watcher, "teardown", "teardown", run.teardown(), OnStop::Leave).await;
}

async fn user<C: HttpClient>(run: &PreparedRun, class: usize, actor: &mut Actor<C>, watcher: &dyn Watcher) {
    let class = &run.classes()[class];
    let name = &class.name;
    let mut flow = part(actor, watcher, name, "on_start", &class.on_start, OnStop::Leave).await;
    if !is_over(&flow) {
        flow = tasks(actor, watcher, name, &class.tasks).await;
    }
    match flow {
        Flow::StopUser(reason) => watcher.stopped(name, &reason),
        Flow::OutOfRows(source) => watcher.stopped(name, &format!("data {source} has no rows left")),
        Flow::GoOn | Flow::EndTask | Flow::Interrupt => {}
    }
    let _ = part(actor, watcher, name, "on_stop", &class.on_stop, OnStop::GoOn).await;
}

/// Every task once, in the order of the file. Recursion is bounded by the depth of the scenario.
async fn tasks<C: HttpClient>(
    actor: &mut Actor<C>,
    watcher: &dyn Watcher,
    class: &str,
    tasks: &[Task],
) -> Flow {
    for task in tasks {
        actor.begin_task(&task.name, 0, None);
        let flow = match &task.body {
            TaskBody::Steps(steps) => part(actor, watcher, class, &task.name, steps, OnStop::Leave).await,
            TaskBody::Group(group) => {
                let what = |hook: &str| format!("{hook} of {}", task.name);
                let mut flow =
                    part(actor, watcher, class, &what("on_start"), &group.on_start, OnStop::Leave).await;
                if !is_over(&flow) {
                    flow = Box::pin(self::tasks(actor, watcher, class, &group.tasks)).await;
                }
                let _ = part(actor, watcher, class, &what("on_stop"), &group.on_stop, OnStop::GoOn).await;
                flow
            }
        };
        if is_over(&flow) {
            return flow;
        }
    }
    Flow::GoOn
}

async fn part<C: HttpClient>(
    actor: &mut Actor<C>,
    watcher: &dyn Watcher,
    class: &str,
    what: &str,
    steps: &[Step],
    on_stop: OnStop,
) -> Flow {
    if steps.is_empty() {
        return Flow::GoOn;
    }
    watcher.task(class, what);
    actor.attempt(what, steps, on_stop).await
}

/// Whether the user is over.
fn is_over(flow: &Flow) -> bool {
    matches!(flow, Flow::StopUser(_) | Flow::OutOfRows(_))
}
