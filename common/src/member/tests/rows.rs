//! What is said about rows that are used once in the whole cluster.

#![expect(clippy::single_range_in_vec_init, reason = "a lease of one range")]

use super::*;
use crate::rows::ASK_AGAIN_AFTER;

impl Worker {
    fn want(&mut self, source: &str, rows: u32, left: u64) {
        self.member.handle_rows_wanted(self.now, source, Want { rows, left });
        self.collect_effects();
    }

    fn idle(&mut self, source: &str, rows: RowRange) {
        self.member.handle_rows_idle(self.now, source, vec![rows]);
        self.collect_effects();
    }

    /// The master answers message `request` with these rows.
    fn lease(&mut self, source: &str, request: u64, ranges: &[RowRange]) {
        self.answer(source, request, ranges, false);
    }

    fn answer(&mut self, source: &str, request: u64, ranges: &[RowRange], exhausted: bool) {
        let (run, source, ranges) = (run_id(), source.to_owned(), ranges.to_vec());
        self.hear(ToWorker::RowsLease(RowsLease { run, source, request, ranges, exhausted }));
    }

    /// The last user has stopped, and these rows of `a` were left.
    fn drained_with(&mut self, left: &[RowRange]) {
        self.member.handle_rows_left(self.now, BTreeMap::from([("a".to_owned(), left.to_vec())]));
        self.drained(0);
    }

    /// What it said about rows, and to the stocks; nothing else.
    fn read_rows(&mut self) -> Vec<String> {
        let read = self.read().into_iter();
        read.filter(|text| {
            text.starts_with("rows of") || text.contains(": wants") || text.contains(": returns")
        })
        .collect()
    }
}

#[test]
fn one_request_at_a_time_for_every_source() {
    let mut worker = Worker::running();
    worker.want("a", 8, 0);
    worker.want("a", 9, 0);
    worker.want("b", 4, 1);
    assert_eq!(worker.read_rows(), ["a 1: wants 8, has 0", "b 1: wants 4, has 1"]);
    worker.lease("a", 1, &[0..8]);
    assert_eq!(worker.read_rows(), ["rows of a: [0..8]"], "the stock is asked whether it wants more");
    worker.want("a", 16, 3);
    assert_eq!(worker.read_rows(), ["a 2: wants 16, has 3"]);
}

#[test]
fn an_answer_counts_once() {
    let mut worker = Worker::running();
    worker.lease("a", 1, &[0..8]);
    worker.want("a", 8, 0);
    worker.lease("a", 2, &[0..8]);
    worker.lease("a", 1, &[0..8]);
    worker.lease("a", 1, &[0..8]);
    assert_eq!(worker.read_rows(), ["a 1: wants 8, has 0", "rows of a: [0..8]"]);
}

#[test]
fn what_was_not_answered_is_said_again_on_a_new_connection() {
    let mut worker = Worker::running();
    worker.want("a", 8, 0);
    worker.disconnect();
    worker.want("b", 4, 0);
    worker.read();
    worker.connect();
    assert_eq!(worker.read_rows(), ["a 1: wants 8, has 0", "b 1: wants 4, has 0"]);
    worker.lease("a", 1, &[0..8]);
    worker.disconnect();
    worker.connect();
    assert_eq!(worker.read_rows(), ["rows of a: [0..8]", "b 1: wants 4, has 0"]);
}

#[test]
fn when_there_is_nothing_for_now_it_asks_again_a_little_later() {
    let mut worker = Worker::running();
    worker.want("a", 8, 0);
    worker.lease("a", 1, &[]);
    worker.want("a", 8, 0);
    worker.pass(ASK_AGAIN_AFTER - millis(1));
    assert_eq!(worker.read_rows(), ["a 1: wants 8, has 0", "rows of a: []"]);
    worker.pass(millis(1));
    assert_eq!(worker.read_rows(), ["a 2: wants 8, has 0"]);
    worker.answer("a", 2, &[], true);
    assert_eq!(worker.read_rows(), ["rows of a: [], and no more ever"]);
    worker.pass(secs(5));
    assert_eq!(worker.read_rows(), NOTHING, "the stock wants none any more");
}

#[test]
fn it_asks_at_once_when_the_last_row_is_taken() {
    let mut worker = Worker::running();
    worker.want("a", 8, 3);
    worker.lease("a", 1, &[]);
    worker.want("a", 8, 2);
    assert_eq!(worker.read_rows(), ["a 1: wants 8, has 3", "rows of a: []"]);
    worker.want("a", 8, 0);
    assert_eq!(worker.read_rows(), ["a 2: wants 8, has 0"]);
    worker.lease("a", 2, &[]);
    worker.want("a", 8, 0);
    assert_eq!(worker.read_rows(), ["rows of a: []"], "it has told the master that it has none");
}

#[test]
fn rows_that_nobody_takes_are_handed_back() {
    let mut worker = Worker::running();
    worker.want("a", 8, 0);
    worker.lease("a", 1, &[0..8]);
    worker.read();
    worker.idle("a", 3..8);
    assert_eq!(worker.read_rows(), ["a 2: returns [3..8]"]);
    worker.want("a", 8, 0);
    worker.disconnect();
    worker.connect();
    assert_eq!(worker.read_rows(), ["a 2: returns [3..8]"], "until it is answered");
    worker.lease("a", 2, &[]);
    assert_eq!(worker.read_rows(), ["rows of a: []", "a 3: wants 8, has 0"]);
}

#[test]
fn what_comes_while_rows_are_handed_back_is_handed_back_with_them() {
    let mut worker = Worker::running();
    worker.want("a", 8, 0);
    worker.lease("a", 1, &[0..8]);
    worker.want("a", 8, 3);
    worker.idle("a", 5..8);
    worker.read();
    worker.lease("a", 2, &[8..16]);
    assert_eq!(worker.read_rows(), ["rows of a: []", "a 3: returns [5..8, 8..16]"]);
}

#[test]
fn a_worker_that_leaves_hands_back_its_rows_before_it_goes() {
    let mut worker = Worker::running();
    worker.want("a", 8, 0);
    worker.lease("a", 1, &[0..8]);
    worker.want("b", 4, 0);
    worker.shut_down();
    worker.read();
    worker.drained_with(&[6..8]);
    worker.want("a", 8, 0);
    assert_eq!(worker.read(), ["a 2: returns [6..8]"]);
    worker.lease("a", 2, &[]);
    assert_eq!(worker.read(), NOTHING, "it waits for what it has asked for");
    worker.lease("b", 1, &[0..4]);
    assert_eq!(worker.read(), ["b 2: returns [0..4]"]);
    worker.lease("b", 2, &[]);
    assert_eq!(worker.read(), ["quit", "exit Done"]);
}

#[test]
fn a_worker_that_leaves_waits_for_its_master_to_hand_back_its_rows() {
    let mut worker = Worker::running();
    worker.want("a", 8, 0);
    worker.lease("a", 1, &[0..8]);
    worker.shut_down();
    worker.disconnect();
    worker.drained_with(&[6..8]);
    worker.read();
    worker.connect();
    assert_eq!(worker.read(), ["ready for run-1", "a 2: returns [6..8]", "beat stopping"]);
    worker.disconnect();
    worker.pass_unreachable(FLUSH_TIMEOUT);
    assert_eq!(worker.read().last().unwrap(), "exit Unreported");
}

#[test]
fn a_run_that_is_over_needs_no_rows_back() {
    let mut worker = Worker::running();
    worker.want("a", 8, 0);
    worker.lease("a", 1, &[0..8]);
    worker.want("b", 4, 0);
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.read();
    worker.drained_with(&[6..8]);
    assert_eq!(worker.read(), ["stopped run-1"]);
    worker.lease("b", 1, &[0..4]);
    assert_eq!(worker.read(), NOTHING);
}
