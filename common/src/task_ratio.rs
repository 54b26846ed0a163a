//! How often each task is picked: Locust's `--show-task-ratio`.
//!
//! ```text
//!  class A (60 % of the users) ── browse (3 of 4 tasks)     of its class 75.0    of all 45.0
//!                              └─ buy    (1 of 4 tasks)                  25.0           15.0
//! ```

use crate::scenario::{Scenario, TaskBody, Tasks};

/// What shares are shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatioScope {
    /// Of the tasks around.
    PerClass,
    /// Of all tasks of all users.
    Total,
}

/// The share of a class or task, with those of what is inside of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRatio {
    /// The name of the class or task.
    pub name: String,
    /// The share, 0 to 1.
    pub ratio: f64,
    /// The tasks inside; `None` if there can be none.
    pub tasks: Option<Vec<TaskRatio>>,
}

/// The shares of all classes with `users` users, and of their tasks. Without a number of users, as many as the weights
/// add up to, or one if there are fixed counts, as in Locust.
pub fn task_ratios(scenario: &Scenario, users: Option<u32>, scope: RatioScope) -> Vec<TaskRatio> {
    let counts = distribution(scenario, users);
    let all = counts.iter().sum::<f64>();
    let all = if all > 0.0 { all } else { 1.0 };
    let classes = scenario.users.iter().zip(counts).map(|(class, count)| {
        let ratio = count / all;
        let tasks = Some(ratios_of(&class.tasks, scope, ratio));
        TaskRatio { name: class.name.clone(), ratio, tasks }
    });
    classes.collect()
}

/// Users by class; Locust rounds them to whole ones, halves to the even one.
fn distribution(scenario: &Scenario, users: Option<u32>) -> Vec<f64> {
    let fixed: f64 = scenario.users.iter().map(|class| f64::from(class.fixed_count)).sum();
    let weights: f64 =
        scenario.users.iter().filter(|class| class.fixed_count == 0).map(|class| class.weight).sum();
    let without_number = if fixed > 0.0 { 1.0 } else { weights };
    let users = users.filter(|users| *users > 0).map_or(without_number, f64::from);
    let weighted = (users - fixed).max(0.0);
    let count = |class: &crate::scenario::UserClass| match class.fixed_count {
        0 if weights > 0.0 => (class.weight / weights * weighted).round_ties_even(),
        fixed => f64::from(fixed),
    };
    scenario.users.iter().map(count).collect()
}

fn ratios_of(tasks: &Tasks, scope: RatioScope, around: f64) -> Vec<TaskRatio> {
    let around = if scope == RatioScope::Total { around } else { 1.0 };
    let total = tasks.total_weight() as f64;
    let ratio_of = |task: &crate::scenario::Task| {
        let ratio = f64::from(task.weight) * around / total;
        let tasks = match &task.body {
            TaskBody::Steps(_) => None,
            TaskBody::Group(group) => Some(ratios_of(&group.tasks, scope, ratio)),
        };
        TaskRatio { name: task.name.to_string(), ratio, tasks }
    };
    tasks.iter().map(ratio_of).collect()
}
