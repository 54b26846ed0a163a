//! The way of a user through the tasks of its class: which one is next, and which groups it enters and leaves.
//!
//! ```text
//!  class ── browse
//!        └─ checkout (group) ── address        Enter(checkout) Run(address) Run(pay) Leave(checkout)
//!                            └─ pay
//! ```
//!
//! A value without a runtime: the worker's interpreter asks for the next move and makes it.

use rand::Rng;

use super::class::{Group, Task, TaskBody, Tasks, UserClass};
use super::step::Step;
use crate::wait::WaitTime;

/// Where a user is among the tasks of its class. Every user has its own.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The root list first, then every group that the user is in.
    levels: Vec<Level>,
}

/// A list of tasks that the user is in.
#[derive(Clone, Debug)]
struct Level {
    /// The index of this group in the list around it; 0 for the root.
    index: usize,
    /// Tasks begun here.
    begun: u64,
    /// A step has said `interrupt`.
    interrupted: bool,
}

/// What a user does next.
#[derive(Clone, Copy, Debug)]
pub enum Move<'s> {
    /// Goes into a group: its `on_start` is due.
    Enter(&'s Task, &'s Group),
    /// Begins a task.
    Run(&'s Task, &'s [Step]),
    /// Goes out of a group: its `on_stop` is due.
    Leave(&'s Group),
}

impl Default for Walk {
    fn default() -> Self {
        Self { levels: vec![Level::new(0)] }
    }
}

impl Level {
    fn new(index: usize) -> Self {
        Self { index, begun: 0, interrupted: false }
    }
}

impl Walk {
    /// The way of somebody who does one task only, after `begun` others did theirs: sequential tasks are shared out in
    /// turn.
    pub fn after(begun: u64) -> Self {
        Self { levels: vec![Level { begun, ..Level::new(0) }] }
    }

    /// Whether the user is in a group.
    pub fn is_in_group(&self) -> bool {
        self.levels.len() > 1
    }

    /// The next move of a user of `class`, which must be the same at every call.
    pub fn next<'s>(&mut self, class: &'s UserClass, rng: &mut impl Rng) -> Move<'s> {
        let (tasks, group) = self.place(class);
        let depth = self.levels.len();
        let level = &mut self.levels[depth - 1];
        let is_over = |group: &Group| group.iterations.is_some_and(|iterations| level.begun >= iterations);
        if let Some(group) = group.filter(|group| level.interrupted || is_over(group)) {
            self.levels.pop();
            return Move::Leave(group);
        }
        level.interrupted = false;
        let index = tasks.pick(level.begun, rng);
        level.begun = level.begun.saturating_add(1);
        let task = &tasks[index];
        match &task.body {
            TaskBody::Steps(steps) => Move::Run(task, steps),
            TaskBody::Group(group) => {
                self.levels.push(Level::new(index));
                Move::Enter(task, group)
            }
        }
    }

    /// A step has said `interrupt`: the next move leaves the group that the user is in. Outside of groups it means
    /// nothing.
    pub fn interrupt(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.interrupted = true;
        }
    }

    /// Leaves the innermost group without a next move, because the user stops; `None` once there is none.
    pub fn leave<'s>(&mut self, class: &'s UserClass) -> Option<&'s Group> {
        let group = self.place(class).1?;
        self.levels.pop();
        Some(group)
    }

    /// Whether the next move leaves a group because of an `interrupt`: then there is no wait before it, as in Locust.
    pub fn is_interrupted(&self) -> bool {
        self.is_in_group() && self.levels.last().is_some_and(|level| level.interrupted)
    }

    /// The wait between two tasks here, if it is not the class's.
    pub fn wait_time(&self, class: &UserClass) -> Option<WaitTime> {
        self.place(class).1.and_then(|group| group.wait_time)
    }

    /// The list that the user is in, and the group that it belongs to.
    fn place<'s>(&self, class: &'s UserClass) -> (&'s Tasks, Option<&'s Group>) {
        let start: (&Tasks, Option<&Group>) = (&class.tasks, None);
        self.levels[1..].iter().fold(start, |(tasks, _), level| match &tasks[level.index].body {
            TaskBody::Group(group) => (&group.tasks, Some(group)),
            TaskBody::Steps(_) => unreachable!("only groups are entered"),
        })
    }
}
