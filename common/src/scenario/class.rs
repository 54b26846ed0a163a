//! Kinds of virtual users and the tasks that they choose from.

use std::ops::Deref;
use std::sync::Arc;

use rand::{Rng, RngExt};

use super::host::Host;
use super::http::HttpOptions;
use super::step::Step;
use crate::arrivals::Arrivals;
use crate::wait::WaitTime;

/// One kind of virtual user.
#[derive(Clone, Debug)]
pub struct UserClass {
    /// The name, such as `FraudInferenceUser`: letters, digits and underscores, no digit first.
    pub name: String,
    /// The share of users among the classes; at least 0, 1 unless written. Classes with a `fixed_count` have none.
    pub weight: f64,
    /// Exactly this many users, whatever the weights; 0 means that the weight counts.
    pub fixed_count: u32,
    /// Where this class's requests go, before [`Scenario::host`](super::Scenario::host).
    pub host: Option<Host>,
    /// How its requests are sent: its own options over those of the scenario.
    pub http: HttpOptions,
    /// The wait between two tasks; `constant(0)` unless written, as in Locust.
    pub wait_time: WaitTime,
    /// When its iterations begin, in an open model; `None` in a closed one, where a user begins them.
    pub arrivals: Option<Arrivals>,
    /// What a user does once before its first task.
    pub on_start: Vec<Step>,
    /// What a user does once when it is stopped.
    pub on_stop: Vec<Step>,
    /// What a user does over and over.
    pub tasks: Tasks,
}

/// One task of a user class, or a group of them.
#[derive(Clone, Debug)]
pub struct Task {
    /// The name, unique among its siblings.
    pub name: Arc<str>,
    /// How often it is picked compared to the others; at least 1.
    pub weight: u32,
    /// Its tags, those of the groups around it included.
    pub tags: Vec<Arc<str>>,
    /// What it does.
    pub body: TaskBody,
}

/// What a task does.
#[derive(Clone, Debug)]
pub enum TaskBody {
    /// Steps, in order; at least one.
    Steps(Vec<Step>),
    /// Tasks of its own, one after the other, until the group is left: Locust's nested `TaskSet`.
    Group(Box<Group>),
}

/// Tasks that a user stays with for a while.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its tasks.
    pub tasks: Tasks,
    /// After how many tasks it is left; `None`: when a step says `interrupt`.
    pub iterations: Option<u64>,
    /// The wait between two of its tasks; the class's without it. Never paced.
    pub wait_time: Option<WaitTime>,
    /// What a user does when it enters.
    pub on_start: Vec<Step>,
    /// What a user does when it leaves.
    pub on_stop: Vec<Step>,
}

/// How the next task is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By chance, each with probability weight / sum of weights: Locust's `TaskSet`.
    #[default]
    Random,
    /// In the order of the file, each `weight` times, over and over: Locust's `SequentialTaskSet`.
    Sequential,
}

/// The tasks of a class or group, never empty, and the odds of picking each. It reads as a slice of [`Task`]s.
#[derive(Clone, Debug)]
pub struct Tasks {
    order: Order,
    list: Vec<Task>,
    /// The sum of the weights up to and including each task. Invariant: strictly increasing.
    ends: Vec<u64>,
}

impl UserClass {
    /// Every step of the class, those inside of others included.
    pub fn visit_steps<'s>(&'s self, visit: &mut impl FnMut(&'s Step)) {
        self.on_start.iter().chain(&self.on_stop).for_each(|step| step.visit(visit));
        self.tasks.visit_steps(visit);
    }

    /// Whether any of its requests goes to a path, which needs a host before it.
    pub fn needs_host(&self) -> bool {
        let is_absolute = |target: &str| target.starts_with("http://") || target.starts_with("https://");
        let mut needs_host = false;
        self.visit_steps(&mut |step| {
            needs_host |= matches!(step, Step::Request(request) if !is_absolute(request.target.source()));
        });
        needs_host
    }
}

impl Task {
    /// Its steps; none if it is a group.
    pub fn steps(&self) -> &[Step] {
        match &self.body {
            TaskBody::Steps(steps) => steps,
            TaskBody::Group(_) => &[],
        }
    }

    fn weighed_equally(&self) -> Self {
        let body = match &self.body {
            TaskBody::Group(group) => {
                let tasks = group.tasks.weighed_equally();
                let whole_pass = group.iterations == Some(group.tasks.total_weight());
                let iterations = match tasks.order {
                    Order::Sequential if whole_pass => Some(tasks.total_weight()),
                    _ => group.iterations,
                };
                TaskBody::Group(Box::new(Group { tasks, iterations, ..Group::clone(group) }))
            }
            steps @ TaskBody::Steps(_) => steps.clone(),
        };
        Self { weight: 1, body, ..self.clone() }
    }
}

impl Tasks {
    /// A list of tasks to pick from; `None` if it is empty or a weight is 0.
    pub fn new(order: Order, list: Vec<Task>) -> Option<Self> {
        if list.is_empty() || list.iter().any(|task| task.weight == 0) {
            return None;
        }
        let ends = list.iter().scan(0, |sum: &mut u64, task| {
            *sum += u64::from(task.weight);
            Some(*sum)
        });
        Some(Self { order, ends: ends.collect(), list })
    }

    /// How the next task is found.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The sum of the weights: the tasks of one pass.
    pub fn total_weight(&self) -> u64 {
        self.ends[self.ends.len() - 1]
    }

    /// The index of the task to begin after `begun` others. A sequential list draws nothing.
    ///
    /// The random pick is Locust's choice from the list in which every task stands `weight` times, without that list.
    pub fn pick(&self, begun: u64, rng: &mut impl Rng) -> usize {
        let total = self.total_weight();
        let ticket = match self.order {
            Order::Random => rng.random_range(0..total),
            Order::Sequential => begun % total,
        };
        self.ends.partition_point(|end| *end <= ticket)
    }

    /// The same without the tasks, at any depth, that `keep` refuses; `None` if none is left. A group whose tasks are
    /// all gone is gone, too.
    pub(super) fn retain(&self, keep: &impl Fn(&Task) -> bool) -> Option<Self> {
        let list = self.list.iter().filter_map(|task| match &task.body {
            TaskBody::Steps(_) => keep(task).then(|| task.clone()),
            TaskBody::Group(group) => {
                let tasks = group.tasks.retain(keep)?;
                let whole_pass = group.iterations == Some(group.tasks.total_weight());
                let iterations = match group.tasks.order {
                    // One pass is one pass, however many tasks are left in it.
                    Order::Sequential if whole_pass => Some(tasks.total_weight()),
                    _ => group.iterations,
                };
                let group = Group { tasks, iterations, ..Group::clone(group) };
                Some(Task { body: TaskBody::Group(Box::new(group)), ..task.clone() })
            }
        });
        Self::new(self.order, list.collect())
    }

    /// Only the tasks of these names; `None` if none is left.
    pub(super) fn only(&self, names: &[String]) -> Option<Self> {
        let named = |task: &&Task| names.iter().any(|name| **name == *task.name);
        Self::new(self.order, self.list.iter().filter(named).cloned().collect())
    }

    /// The same tasks, each of weight 1, at any depth. One pass through a sequential list stays one pass.
    pub(super) fn weighed_equally(&self) -> Self {
        let list: Vec<Task> = self.list.iter().map(Task::weighed_equally).collect();
        let ends = (1..=list.len() as u64).collect();
        Self { order: self.order, list, ends }
    }

    /// Every step of the tasks, those inside of others included.
    pub(super) fn visit_steps<'s>(&'s self, visit: &mut impl FnMut(&'s Step)) {
        for task in &self.list {
            match &task.body {
                TaskBody::Steps(steps) => steps.iter().for_each(|step| step.visit(visit)),
                TaskBody::Group(group) => {
                    group.on_start.iter().chain(&group.on_stop).for_each(|step| step.visit(visit));
                    group.tasks.visit_steps(visit);
                }
            }
        }
    }

    /// Every group among the tasks, at any depth.
    pub(super) fn for_each_group_mut(&mut self, change: &impl Fn(&mut Group)) {
        for task in &mut self.list {
            if let TaskBody::Group(group) = &mut task.body {
                change(group);
                group.tasks.for_each_group_mut(change);
            }
        }
    }
}

impl Deref for Tasks {
    type Target = [Task];

    fn deref(&self) -> &[Task] {
        &self.list
    }
}
