//! A placement: how many users of every class every worker runs. The dispatcher writes it, the master sends its
//! rows, the status page shows them. Who should run what is decided elsewhere.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many users of every class every worker runs.
///
/// A table with a row per worker in dispatch order and a column per class by name. Names are kept once, so a copy
/// is little more than its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    workers: Arc<[Arc<str>]>,
    /// The row numbers in the order of the workers' names, to find a row by name.
    rows_by_name: Arc<[u32]>,
    classes: Arc<[Arc<str>]>,
    /// Row after row.
    counts: Vec<u32>,
    total: u32,
}

impl Placement {
    /// The names of the workers, in dispatch order.
    pub fn workers(&self) -> &[Arc<str>] {
        &self.workers
    }

    /// The names of the classes, sorted.
    pub fn classes(&self) -> &[Arc<str>] {
        &self.classes
    }

    /// All users on all workers.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// The rows: every worker, in dispatch order, with its users by class in the order of [`Self::classes`].
    pub fn rows(&self) -> impl Iterator<Item = (&Arc<str>, &[u32])> {
        self.workers.iter().enumerate().map(|(index, worker)| (worker, self.row(index)))
    }

    /// The users of one worker by class, in the order of [`Self::classes`].
    pub fn of_worker(&self, name: &str) -> Option<&[u32]> {
        self.position(name).map(|row| self.row(row))
    }

    /// The users of one class on all workers.
    pub fn of_class(&self, name: &str) -> Option<u32> {
        let column = self.classes.iter().position(|class| **class == *name)?;
        Some(self.users_of_column(column))
    }

    /// A copy by names, for reports and messages: worker, class, users.
    pub fn by_name(&self) -> BTreeMap<String, BTreeMap<String, u32>> {
        let named = |row: &[u32]| {
            self.classes.iter().map(|class| class.to_string()).zip(row.iter().copied()).collect()
        };
        self.rows().map(|(worker, row)| (worker.to_string(), named(row))).collect()
    }

    pub(super) fn empty(workers: Vec<Arc<str>>, classes: Arc<[Arc<str>]>) -> Self {
        let mut rows_by_name = Vec::from_iter(0..workers.len() as u32);
        rows_by_name.sort_unstable_by_key(|&row| &workers[row as usize]);
        Self {
            counts: vec![0; workers.len() * classes.len()],
            workers: workers.into(),
            rows_by_name: rows_by_name.into(),
            classes,
            total: 0,
        }
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        let found = self.rows_by_name.binary_search_by(|&row| (*self.workers[row as usize]).cmp(name));
        found.ok().map(|index| self.rows_by_name[index] as usize)
    }

    pub(super) fn users_of_row(&self, worker: usize) -> u32 {
        self.row(worker).iter().sum()
    }

    pub(super) fn users_of_column(&self, class: usize) -> u32 {
        self.counts.iter().skip(class).step_by(self.classes.len()).sum()
    }

    /// Adds a user to a cell: worker index × number of classes + class index.
    pub(super) fn increment(&mut self, cell: u32) {
        self.counts[cell as usize] += 1;
        self.total += 1;
    }

    /// Takes a user from a cell.
    pub(super) fn decrement(&mut self, cell: u32) {
        self.counts[cell as usize] -= 1;
        self.total -= 1;
    }

    /// Drops a row with its users; the rows behind it move up.
    pub(super) fn drop_worker(&mut self, worker: usize) {
        self.total -= self.users_of_row(worker);
        let width = self.classes.len();
        self.counts.drain(worker * width..(worker + 1) * width);
        let rest = self.workers.iter().enumerate().filter(|(row, _)| *row != worker);
        self.workers = rest.map(|(_, name)| Arc::clone(name)).collect();
        let worker = worker as u32;
        let rest = self.rows_by_name.iter().filter(|row| **row != worker);
        self.rows_by_name = rest.map(|&row| row - u32::from(row > worker)).collect();
    }

    fn row(&self, worker: usize) -> &[u32] {
        let width = self.classes.len();
        &self.counts[worker * width..(worker + 1) * width]
    }
}
