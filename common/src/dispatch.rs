//! Who runs what: places users of several classes on several workers, one step of a ramp at a time.
//!
//! The master asks [`Dispatcher::step`] for the next [`Placement`] and sends every worker its row. The arithmetic
//! is Locust's, bit for bit (a golden table of Locust's own answers is replayed against it), because the class and
//! the worker of the n-th user decide what a test of few users does. A value type: no clock and no sleep in here,
//! the pause between steps is a number ([`SpawnRate::step_pause`]) that somebody else waits for.
//!
//! ```text
//!  classes A(3) B(1) ──► sequence  A B A A  A B A A …      (fixed counts first, then by weight)
//!                                  │ │ │ │  │ │ │ │
//!  workers w1 w2 w3  ──► cycle     1 2 3 1  2 3 1 2 …      (one host after the other)
//!                                  └─┴─┴─┴──┴─┴─┴─┴─► stack of placed users; a ramp-down pops it
//! ```
//!
//! Invariants: the stack holds exactly the users of the placement; the sequence and the cycle go on where they
//! stopped, however often the target changes, until workers or classes change.

mod approach;
mod placement;
mod rate;
mod sequence;
mod shares;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::num::NonZeroU32;
use std::sync::Arc;

use thiserror::Error;

pub use self::approach::approach;
pub use self::placement::Placement;
pub use self::rate::{SpawnRate, SpawnRateError};
use self::sequence::ClassSequence;
pub use self::shares::{Share, shares};

/// The most users one dispatcher places; a higher target ends its ramp here. Bounds the memory of the stack.
pub const MAX_USERS: u32 = 10_000_000;

/// The most counters (workers × classes) of one placement. Bounds its memory to 64 MiB.
pub const MAX_CELLS: usize = 1 << 24;

/// A user class as the dispatcher sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassSpec {
    /// Unique name; classes are ordered by it.
    pub name: String,
    /// How often the class comes up, in relation to the weights of the others. Zero: never.
    pub weight: f64,
    /// If above zero: exactly so many users of this class, placed before any weighted one; `weight` is ignored.
    pub fixed_count: u32,
}

impl ClassSpec {
    /// Whether users of this class exist only in a fixed number.
    fn is_fixed(&self) -> bool {
        self.fixed_count > 0
    }

    /// Whether users of this class can exist at all.
    pub fn is_spawnable(&self) -> bool {
        self.is_fixed() || self.weight > 0.0
    }
}

/// The highest number of users that these classes can have: `None` if there is a weighted class and therefore no
/// limit, else the sum of the fixed counts. A ramp to a higher target ends early.
pub fn capacity(classes: &[ClassSpec]) -> Option<u64> {
    let weighted = classes.iter().any(|class| !class.is_fixed() && class.is_spawnable());
    (!weighted).then(|| fixed_users(classes))
}

/// The sum of the fixed counts: a lower target starves some of them and every weighted class.
pub fn fixed_users(classes: &[ClassSpec]) -> u64 {
    classes.iter().map(|class| u64::from(class.fixed_count)).sum()
}

/// Why a dispatcher refused what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DispatchError {
    /// Two classes share a name.
    #[error("user class {0:?} is defined twice; give every class a name of its own")]
    DuplicateClass(String),
    /// A weight is negative or not a number.
    #[error("user class {class:?} has the weight {weight}; a weight is a finite number of zero or more")]
    BadWeight {
        /// The class.
        class: String,
        /// Its weight, as text.
        weight: String,
    },
    /// Nothing could ever be spawned.
    #[error("no user class is left to spawn; at least one needs a weight or a fixed count above zero")]
    NoClasses,
    /// A selection names a class that the dispatcher was not built with, or that has neither weight nor fixed count.
    #[error("user class {0:?} cannot be selected: it is unknown, or has neither a weight nor a fixed count")]
    UnknownClass(String),
    /// A worker joined that is already there.
    #[error("failed to add worker {0:?}: it takes part already")]
    DuplicateWorker(String),
    /// A worker left that is not there.
    #[error("failed to remove worker {0:?}: it does not take part")]
    UnknownWorker(String),
    /// The placement would exceed [`MAX_CELLS`].
    #[error(
        "{workers} workers with {classes} user classes each are too many; their product may be at most {MAX_CELLS}"
    )]
    TooLarge {
        /// Number of workers.
        workers: usize,
        /// Number of classes.
        classes: usize,
    },
}

/// Where a step left the ramp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum StepOutcome {
    /// More steps are needed.
    Moving,
    /// The target is reached.
    Reached,
    /// The target is not reached and never will be: no class has another user to give, or there is no worker.
    Exhausted,
}

/// Places users on workers. See the module's description.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    /// All spawnable classes, by name. Their indexes are the columns of the placement.
    classes: Vec<ClassSpec>,
    /// The classes that new users come from, as ascending indexes.
    selected: Vec<usize>,
    sequence: ClassSequence,
    current: Placement,
    /// The cell of every user in the order of placement: worker index × number of classes + class index.
    stack: Vec<u32>,
    /// Index of the worker that gets the next user.
    next_worker: usize,
}

impl Dispatcher {
    /// A dispatcher without users. Workers may be none for now; classes that cannot have users are dropped.
    ///
    /// # Errors
    /// No class that can have users, a class or worker named twice, an impossible weight, too large a placement.
    pub fn new<W: Into<Arc<str>>>(
        classes: Vec<ClassSpec>,
        workers: impl IntoIterator<Item = W>,
    ) -> Result<Self, DispatchError> {
        Self::of_classes(spawnable_by_name(classes)?, workers)
    }

    /// A dispatcher that never places anybody, for a run whose users all come by themselves.
    ///
    /// # Errors
    /// A worker named twice.
    pub fn without_classes<W: Into<Arc<str>>>(
        workers: impl IntoIterator<Item = W>,
    ) -> Result<Self, DispatchError> {
        Self::of_classes(Vec::new(), workers)
    }

    fn of_classes<W: Into<Arc<str>>>(
        classes: Vec<ClassSpec>,
        workers: impl IntoIterator<Item = W>,
    ) -> Result<Self, DispatchError> {
        let workers = workers.into_iter().map(Into::into).collect();
        let selected = Vec::from_iter(0..classes.len());
        let mut dispatcher = Self {
            sequence: ClassSequence::new(&classes, &selected),
            current: Placement::empty(Vec::new(), class_names(&classes)),
            stack: Vec::new(),
            next_worker: 0,
            classes,
            selected,
        };
        dispatcher.start_over(in_dispatch_order(workers, dispatcher.classes.len())?, 0);
        Ok(dispatcher)
    }

    /// Who runs what now.
    pub fn current(&self) -> &Placement {
        &self.current
    }

    /// Moves the placement towards `target` by at most `limit` users, added or removed.
    ///
    /// Locust notices only in its next ramp that a ramp which somebody interrupted had run out of users, and then
    /// breaks that one off after a step. Here the outcome belongs to the step that learned it.
    pub fn step(&mut self, target: u32, limit: NonZeroU32) -> StepOutcome {
        let goal = target.min(MAX_USERS);
        let users = self.current.total();
        if users < goal {
            if !self.add((goal - users).min(limit.get())) {
                return StepOutcome::Exhausted;
            }
        } else {
            self.remove((users - goal).min(limit.get()));
        }
        match self.current.total() {
            reached if reached == target => StepOutcome::Reached,
            capped if capped == goal => StepOutcome::Exhausted,
            _ => StepOutcome::Moving,
        }
    }

    /// All steps at once: the placement at the end of the ramp to `target`.
    pub fn ramp(&mut self, target: u32) -> &Placement {
        let outcome = self.step(target, NonZeroU32::MAX);
        assert_ne!(outcome, StepOutcome::Moving, "a step without a limit ends the ramp");
        &self.current
    }

    /// Takes new users only from these classes from now on; users of others stay until a ramp-down or a change
    /// of workers removes them. A selection that differs from the present one starts the class sequence afresh.
    ///
    /// As in Locust, fixed counts of newly selected classes are not filled before the next ramp-down or change
    /// of workers.
    ///
    /// # Errors
    /// No name at all, or one of no class that can have users. The selection stays as it was.
    pub fn select_classes<'a>(
        &mut self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), DispatchError> {
        let mut indexes = BTreeSet::new();
        for name in names {
            let found = self.classes.binary_search_by(|class| class.name.as_str().cmp(name));
            indexes.insert(found.map_err(|_| DispatchError::UnknownClass(name.to_owned()))?);
        }
        if indexes.is_empty() {
            return Err(DispatchError::NoClasses);
        }
        let selected = Vec::from_iter(indexes);
        if selected != self.selected {
            self.sequence.select(&self.classes, &selected);
            self.selected = selected;
        }
        Ok(())
    }

    /// Takes in a worker and places all users anew, as if ramping from zero on the longer list: Locust's
    /// rebalancing. Users move between workers; their number stays, unless the selected classes cannot provide it.
    ///
    /// # Errors
    /// The worker takes part already, or the placement would be too large. Nothing changes.
    pub fn add_worker(&mut self, name: impl Into<Arc<str>>) -> Result<(), DispatchError> {
        let name = name.into();
        let mut workers = self.current.workers().to_vec();
        workers.push(name);
        let workers = in_dispatch_order(workers, self.classes.len())?;
        self.start_over(workers, self.current.total());
        Ok(())
    }

    /// Drops a worker and places all users anew on the rest, as if ramping from zero: Locust's rebalancing. The
    /// users of the last worker are gone.
    ///
    /// # Errors
    /// The worker does not take part. Nothing changes.
    pub fn remove_worker(&mut self, name: &str) -> Result<(), DispatchError> {
        let leaver = self.position(name)?;
        let mut workers = self.current.workers().to_vec();
        // Not sorted again, as in Locust: the order among the rest stays until a worker joins.
        workers.remove(leaver);
        self.start_over(workers, self.current.total());
        Ok(())
    }

    /// Drops a worker and gives its users, class by class, to the others, the least loaded first and in cycle order
    /// among equals. Unlike [`Self::remove_worker`] this moves no user of a survivor: it is meant for a worker that
    /// died, when everybody else should carry on undisturbed. The users of the last worker are gone.
    ///
    /// The class sequence goes on, and every user keeps its place in the stack, so a ramp-down removes classes in
    /// the same order as if nothing had happened.
    ///
    /// # Errors
    /// The worker does not take part. Nothing changes.
    pub fn lose_worker(&mut self, name: &str) -> Result<(), DispatchError> {
        let lost = self.position(name)?;
        if self.current.workers().len() == 1 {
            return self.remove_worker(name);
        }
        self.current.drop_worker(lost);
        let survivors = self.current.workers().len();
        if self.next_worker > lost {
            self.next_worker -= 1;
        }
        self.next_worker %= survivors;
        self.rehome(lost);
        assert_eq!(self.current.total() as usize, self.stack.len(), "every user found a new worker");
        Ok(())
    }

    /// Places the users whose stack entries still name the row `lost`, which the placement has dropped already.
    fn rehome(&mut self, lost: usize) {
        let width = self.classes.len();
        let survivors = self.current.workers().len();
        let cycle_start = self.next_worker;
        let distance = |worker: usize| (worker + survivors - cycle_start) % survivors;
        let mut least_loaded: BinaryHeap<_> = (0..survivors)
            .map(|worker| Reverse((self.current.users_of_row(worker), distance(worker), worker)))
            .collect();
        for cell in &mut self.stack {
            let (worker, class) = (*cell as usize / width, *cell as usize % width);
            if worker > lost {
                *cell -= width as u32;
            } else if worker == lost
                && let Some(mut least) = least_loaded.peek_mut()
            {
                let Reverse((load, _, heir)) = &mut *least;
                *load += 1;
                *cell = (*heir * width + class) as u32;
                self.current.increment(*cell);
                self.next_worker = (*heir + 1) % survivors;
            }
        }
    }

    fn position(&self, name: &str) -> Result<usize, DispatchError> {
        self.current.position(name).ok_or_else(|| DispatchError::UnknownWorker(name.to_owned()))
    }

    /// Forgets all users and both positions, and places `users` on `workers`, as far as classes provide them.
    fn start_over(&mut self, workers: Vec<Arc<str>>, users: u32) {
        self.current = Placement::empty(workers, class_names(&self.classes));
        self.sequence = ClassSequence::new(&self.classes, &self.selected);
        self.stack.clear();
        self.next_worker = 0;
        self.add(users);
    }

    /// Adds users; false if they ran out.
    fn add(&mut self, count: u32) -> bool {
        let workers = self.current.workers().len();
        if workers == 0 {
            return count == 0;
        }
        let width = self.classes.len();
        for _ in 0..count {
            let Some(class) = self.sequence.next(&self.classes, &self.selected, &self.current) else {
                return false;
            };
            let cell = (self.next_worker * width + class as usize) as u32;
            self.current.increment(cell);
            self.stack.push(cell);
            self.next_worker += 1;
            if self.next_worker == workers {
                self.next_worker = 0;
            }
        }
        true
    }

    /// Removes the users that came last.
    fn remove(&mut self, count: u32) {
        for cell in self.stack.drain(self.stack.len() - count as usize..).rev() {
            self.current.decrement(cell);
        }
        if count > 0 {
            self.sequence.users_were_removed();
        }
    }
}

/// The classes that can have users, checked and sorted by name.
fn spawnable_by_name(mut classes: Vec<ClassSpec>) -> Result<Vec<ClassSpec>, DispatchError> {
    classes.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = classes.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(DispatchError::DuplicateClass(pair[0].name.clone()));
    }
    if let Some(class) = classes.iter().find(|class| !class.weight.is_finite() || class.weight < 0.0) {
        return Err(DispatchError::BadWeight { class: class.name.clone(), weight: class.weight.to_string() });
    }
    classes.retain(ClassSpec::is_spawnable);
    if classes.is_empty() { Err(DispatchError::NoClasses) } else { Ok(classes) }
}

fn class_names(classes: &[ClassSpec]) -> Arc<[Arc<str>]> {
    classes.iter().map(|class| Arc::from(class.name.as_str())).collect()
}

/// Checks and sorts workers so that the cycle visits every host once before it visits one twice.
///
/// A worker's host is its name up to the first `_`. The workers of a host are numbered by name, and all are sorted
/// by (number, name).
fn in_dispatch_order(mut workers: Vec<Arc<str>>, classes: usize) -> Result<Vec<Arc<str>>, DispatchError> {
    if workers.len().checked_mul(classes).is_none_or(|cells| cells > MAX_CELLS) {
        return Err(DispatchError::TooLarge { workers: workers.len(), classes });
    }
    workers.sort_unstable();
    if let Some(pair) = workers.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(DispatchError::DuplicateWorker(pair[0].to_string()));
    }
    let mut on_host: BTreeMap<&str, usize> = BTreeMap::new();
    let mut numbered: Vec<(usize, &Arc<str>)> = Vec::with_capacity(workers.len());
    for worker in &workers {
        let host = worker.split('_').next().unwrap_or(worker);
        let number = on_host.entry(host).or_default();
        numbered.push((*number, worker));
        *number += 1;
    }
    numbered.sort_unstable();
    Ok(numbered.into_iter().map(|(_, worker)| Arc::clone(worker)).collect())
}
