//! The ledger of one source: which rows are with which worker, and which are free.

use std::collections::{BTreeMap, VecDeque};

use super::ranges::RowSet;
use super::{RANGES_MAX, RowRange, count};
use crate::ids::WorkerId;

/// The most ranges of one lease. What a worker has at a time fits into one message when it hands it back.
const LEASE_RANGES_MAX: usize = RANGES_MAX / 4;

/// Workers that may have an account at a time. Others are told to ask again.
const ACCOUNTS_MAX: usize = 200_000;

/// The answer to a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// The rows that it may use; none if there are none for now.
    pub ranges: Vec<RowRange>,
    /// There will never be any more.
    pub exhausted: bool,
}

/// Rows of one source. See the module's documentation.
#[derive(Debug)]
pub struct RowLedger {
    total: u64,
    /// The first row that was never leased.
    fresh: u64,
    /// Rows that were handed back.
    returned: RowSet,
    accounts: BTreeMap<WorkerId, Account>,
    /// Rows that are with workers that are not lost.
    leased: u64,
}

/// What is known of one worker.
#[derive(Debug, Default)]
struct Account {
    /// Its last message, by number, and the answer to it.
    answered: Option<(u64, Lease)>,
    /// What it was leased and may not have used, in the order in which it uses it.
    held: VecDeque<RowRange>,
    /// It was lost, and may come back.
    lost: bool,
}

impl RowLedger {
    /// A ledger of rows of which none is leased.
    pub fn new(total: u64) -> Self {
        Self { total, fresh: 0, returned: RowSet::default(), accounts: BTreeMap::new(), leased: 0 }
    }

    /// How many rows there are, used or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Rows that can be leased.
    pub fn free(&self) -> u64 {
        self.total - self.fresh + self.returned.count()
    }

    /// Rows that were with a worker when it was lost.
    pub fn withheld(&self) -> u64 {
        self.accounts.values().filter(|account| account.lost).map(|account| count(&account.held)).sum()
    }

    /// A worker wants rows, of which it says how many it has left; all that it was leased before those are used.
    /// `number` counts its messages: to the last one it gets the same answer again, to an older one none. `workers` share
    /// what is left.
    pub fn request(
        &mut self,
        worker: &WorkerId,
        number: u64,
        left: u64,
        want: u32,
        workers: usize,
    ) -> Option<Lease> {
        if !self.accounts.contains_key(worker) && self.accounts.len() >= ACCOUNTS_MAX {
            return Some(Lease::default());
        }
        self.regain(worker);
        if let Some(answer) = self.answered(worker, number) {
            return answer;
        }
        let mut held = self.held(worker);
        keep_last(&mut held, left);
        let lease = self.lease(want, workers, count(&held));
        held.extend(lease.ranges.iter().cloned());
        self.settle(worker, number, held, lease.clone());
        Some(lease)
    }

    /// A worker hands back what it has left; all else that it was leased is used. What it never had is not taken.
    pub fn give_back(&mut self, worker: &WorkerId, number: u64, ranges: &[RowRange]) -> Option<Lease> {
        if !self.accounts.contains_key(worker) {
            return Some(Lease::default());
        }
        self.regain(worker);
        if let Some(answer) = self.answered(worker, number) {
            return answer;
        }
        let mut given = RowSet::default();
        ranges.iter().for_each(|range| given.insert(range));
        for range in self.held(worker).iter().flat_map(|held| given.common(held)) {
            self.returned.insert(&range);
        }
        self.settle(worker, number, VecDeque::new(), Lease::default());
        Some(Lease::default())
    }

    /// A worker was lost. Returns how many rows are withheld on account of it.
    pub fn lose(&mut self, worker: &WorkerId) -> u64 {
        let Some(account) = self.accounts.get_mut(worker).filter(|account| !account.lost) else {
            return 0;
        };
        account.lost = true;
        let rows = count(&account.held);
        self.leased -= rows;
        if rows == 0 {
            self.accounts.remove(worker);
        }
        rows
    }

    /// A worker that was lost is back, with what it had.
    pub fn regain(&mut self, worker: &WorkerId) {
        if let Some(account) = self.accounts.get_mut(worker).filter(|account| account.lost) {
            account.lost = false;
            self.leased += count(&account.held);
        }
    }

    /// A worker has left in good order: what it did not hand back is used.
    pub fn close(&mut self, worker: &WorkerId) {
        self.regain(worker);
        self.leased -= self.accounts.remove(worker).map_or(0, |account| count(&account.held));
    }

    /// The answer to a message that is not new: none at all if it is older than the last one.
    fn answered(&self, worker: &WorkerId, number: u64) -> Option<Option<Lease>> {
        let (last, answer) = self.accounts.get(worker)?.answered.as_ref()?;
        match number.cmp(last) {
            std::cmp::Ordering::Less => Some(None),
            std::cmp::Ordering::Equal => Some(Some(answer.clone())),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Takes what a worker has out of its account.
    fn held(&mut self, worker: &WorkerId) -> VecDeque<RowRange> {
        let account = self.accounts.get_mut(worker);
        let held = account.map(|account| std::mem::take(&mut account.held)).unwrap_or_default();
        self.leased -= count(&held);
        held
    }

    /// Notes what a worker has now.
    fn settle(&mut self, worker: &WorkerId, number: u64, held: VecDeque<RowRange>, answer: Lease) {
        self.leased += count(&held);
        let account = self.accounts.entry(worker.clone()).or_default();
        account.answered = Some((number, answer));
        account.held = held;
    }

    /// Rows for one worker, which has `kept` of those that it had. It gets a fair share of half of what is left, so that
    /// towards the end nobody sits on rows that others wait for.
    fn lease(&mut self, want: u32, workers: usize, kept: u64) -> Lease {
        let free = self.free();
        let fair = free.div_ceil(2 * workers.max(1) as u64);
        let rows = u64::from(want.max(1)).min(fair);
        let mut ranges = self.returned.take(rows, LEASE_RANGES_MAX - 1);
        let fresh = (rows - count(&ranges)).min(self.total - self.fresh);
        if fresh > 0 {
            ranges.push(self.fresh..self.fresh + fresh);
            self.fresh += fresh;
        }
        Lease { exhausted: free == 0 && kept == 0 && self.leased == 0, ranges }
    }
}

/// Takes away all rows but the last ones.
fn keep_last(held: &mut VecDeque<RowRange>, rows: u64) {
    let mut excess = count(&*held).saturating_sub(rows);
    while let Some(first) = held.front_mut().filter(|_| excess > 0) {
        let cut = excess.min(first.end - first.start);
        first.start += cut;
        excess -= cut;
        if first.is_empty() {
            held.pop_front();
        }
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a lease of one range")]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(worker: &str) -> WorkerId {
        WorkerId::new(worker).unwrap()
    }

    fn rows(lease: &Lease) -> u64 {
        count(&lease.ranges)
    }

    /// A ledger and the numbers of the messages to it.
    struct Desk {
        ledger: RowLedger,
        number: u64,
        workers: usize,
    }

    impl Desk {
        fn new(total: u64, workers: usize) -> Self {
            Self { ledger: RowLedger::new(total), number: 0, workers }
        }

        fn ask(&mut self, worker: &str, left: u64, want: u32) -> Lease {
            self.number += 1;
            self.ledger.request(&id(worker), self.number, left, want, self.workers).unwrap()
        }

        fn give_back(&mut self, worker: &str, ranges: &[RowRange]) {
            self.number += 1;
            assert_eq!(self.ledger.give_back(&id(worker), self.number, ranges), Some(Lease::default()));
        }
    }

    #[test]
    fn leases_are_what_is_wanted_up_to_a_fair_share() {
        let check = |total, workers, want, expected| {
            let lease = Desk::new(total, workers).ask("a", 0, want);
            assert_eq!((rows(&lease), lease.exhausted), (expected, false), "{total} {workers} {want}");
        };
        check(100, 2, 8, 8);
        check(100, 2, 0, 1);
        check(100, 2, 80, 25);
        check(10, 2, 80, 3);
        check(1, 5, 80, 1);
        check(u64::MAX, 1, u32::MAX, u64::from(u32::MAX));
    }

    #[test]
    fn rows_come_one_after_the_other() {
        let mut desk = Desk::new(100, 1);
        assert_eq!(desk.ask("a", 0, 8).ranges, [0..8]);
        assert_eq!(desk.ask("b", 0, 4).ranges, [8..12]);
        assert_eq!(desk.ask("a", 3, 8).ranges, [12..20]);
        assert_eq!(desk.ledger.free(), 80);
    }

    #[test]
    fn a_repeated_message_gets_the_same_answer_and_an_old_one_none() {
        let mut ledger = RowLedger::new(100);
        let (a, b) = (id("a"), id("b"));
        let first = ledger.request(&a, 1, 0, 8, 1).unwrap();
        ledger.request(&b, 1, 0, 8, 1);
        assert_eq!(ledger.request(&a, 1, 0, 99, 1), Some(first.clone()));
        let second = ledger.request(&a, 2, 2, 8, 1).unwrap();
        assert_ne!(first, second);
        assert_eq!(ledger.request(&a, 1, 0, 8, 1), None);
        ledger.give_back(&a, 3, &[6..8, 16..24]);
        let free = ledger.free();
        // The rows that it handed back are with another worker by now.
        assert_eq!(ledger.request(&b, 2, 0, 2, 1).unwrap().ranges, [6..8]);
        assert_eq!(ledger.give_back(&a, 3, &[6..8, 16..24]), Some(Lease::default()));
        assert_eq!(ledger.free(), free - 2);
    }

    #[test]
    fn what_is_handed_back_is_leased_again_first() {
        let mut desk = Desk::new(100, 1);
        desk.ask("a", 0, 8);
        desk.ask("a", 2, 8);
        desk.give_back("a", &[13..16, 10..12]);
        assert_eq!(desk.ask("b", 0, 8).ranges, [10..12, 13..16, 16..19]);
    }

    #[test]
    fn only_what_a_worker_has_can_be_handed_back() {
        let mut desk = Desk::new(100, 1);
        desk.ask("a", 0, 8);
        desk.ask("b", 0, 8);
        // Of the first lease it has said that only two are left.
        desk.ask("a", 2, 4);
        desk.give_back("a", &[0..100, 3..7, 90..95]);
        assert_eq!(desk.ask("c", 0, 6).ranges, [6..8, 16..20]);
        desk.give_back("stranger", &[0..50]);
        assert_eq!(desk.ledger.free(), 80);
    }

    #[test]
    fn it_is_exhausted_when_nothing_can_come_back() {
        let mut desk = Desk::new(2, 1);
        let none_for_now = Lease::default();
        let never_again = Lease { exhausted: true, ..Lease::default() };
        assert_eq!(desk.ask("a", 0, 8).ranges, [0..1]);
        assert_eq!(desk.ask("b", 0, 8).ranges, [1..2]);
        assert_eq!(desk.ask("a", 0, 8), none_for_now, "the other may hand its row back");
        assert_eq!(desk.ask("b", 1, 8), none_for_now, "it may hand back its own");
        assert_eq!(desk.ask("b", 0, 8), never_again);
        assert_eq!(desk.ask("a", 0, 8), never_again);
    }

    #[test]
    fn what_was_with_a_lost_worker_is_withheld_until_it_is_back() {
        let mut desk = Desk::new(10, 1);
        desk.ask("a", 0, 5);
        desk.ask("b", 0, 2);
        assert_eq!((desk.ledger.lose(&id("a")), desk.ledger.withheld()), (5, 5));
        assert_eq!(desk.ledger.lose(&id("a")), 0, "it is lost once");
        while rows(&desk.ask("b", 0, 2)) > 0 {}
        assert!(desk.ask("b", 0, 2).exhausted, "nobody waits for a lost worker");
        desk.ledger.regain(&id("a"));
        assert_eq!(desk.ledger.withheld(), 0);
        assert!(!desk.ask("c", 0, 2).exhausted, "it is back with what it had");
        desk.give_back("a", &[3..5]);
        assert_eq!(desk.ask("c", 0, 2).ranges, [3..4]);
    }

    #[test]
    fn a_worker_that_was_lost_and_speaks_is_back() {
        let mut desk = Desk::new(10, 1);
        desk.ask("a", 0, 5);
        desk.ledger.lose(&id("a"));
        desk.ask("a", 5, 1);
        assert_eq!(desk.ledger.withheld(), 0);
        desk.ledger.lose(&id("a"));
        desk.give_back("a", &[0..5]);
        assert_eq!((desk.ledger.withheld(), desk.ledger.free()), (0, 9));
    }

    #[test]
    fn a_worker_that_left_in_good_order_has_used_the_rest() {
        let mut desk = Desk::new(1, 1);
        desk.ask("a", 0, 1);
        desk.ledger.close(&id("a"));
        assert_eq!((desk.ledger.withheld(), desk.ledger.free()), (0, 0));
        assert!(desk.ask("b", 0, 1).exhausted);
    }

    /// What can happen to the workers of a ledger.
    #[derive(Clone, Debug)]
    enum Deed {
        /// Uses some rows, then asks for some.
        Ask {
            worker: usize,
            used: u64,
            want: u32,
        },
        /// Says its last message once more.
        Repeat {
            worker: usize,
        },
        /// Uses some rows, then hands back the rest.
        GiveBack {
            worker: usize,
            used: u64,
        },
        Lose {
            worker: usize,
        },
        Regain {
            worker: usize,
        },
        /// Hands back everything and leaves.
        Leave {
            worker: usize,
        },
    }

    fn deed() -> impl Strategy<Value = Deed> {
        let worker = 0..4_usize;
        prop_oneof![
            6 => (worker.clone(), 0..20_u64, 0..30_u32)
                .prop_map(|(worker, used, want)| Deed::Ask { worker, used, want }),
            2 => worker.clone().prop_map(|worker| Deed::Repeat { worker }),
            2 => (worker.clone(), 0..20_u64).prop_map(|(worker, used)| Deed::GiveBack { worker, used }),
            1 => worker.clone().prop_map(|worker| Deed::Lose { worker }),
            1 => worker.clone().prop_map(|worker| Deed::Regain { worker }),
            1 => worker.prop_map(|worker| Deed::Leave { worker }),
        ]
    }

    /// A worker that uses its rows in order.
    #[derive(Default)]
    struct User {
        number: u64,
        rows: VecDeque<u64>,
        lost: bool,
    }

    struct Model {
        ledger: RowLedger,
        users: Vec<User>,
        used: BTreeSet<u64>,
    }

    impl Model {
        fn name(worker: usize) -> WorkerId {
            id(&format!("h1_{worker}"))
        }

        fn play(&mut self, deed: &Deed) {
            match *deed {
                Deed::Ask { worker, used, want } => self.ask(worker, used, want),
                Deed::Repeat { worker } => {
                    // Without an account there is nothing to repeat.
                    if let Some(account) = self.ledger.accounts.get(&Self::name(worker)) {
                        let answer = account.answered.clone().map(|(_, answer)| answer);
                        let number = self.users[worker].number;
                        assert_eq!(self.ledger.request(&Self::name(worker), number, 0, 1, 4), answer);
                        self.users[worker].lost = false;
                    }
                }
                Deed::GiveBack { worker, used } => self.give_back(worker, used),
                Deed::Lose { worker } => {
                    self.ledger.lose(&Self::name(worker));
                    self.users[worker].lost = true;
                }
                Deed::Regain { worker } => {
                    self.ledger.regain(&Self::name(worker));
                    self.users[worker].lost = false;
                }
                Deed::Leave { worker } => {
                    self.give_back(worker, 0);
                    self.ledger.close(&Self::name(worker));
                    self.users[worker] = User::default();
                }
            }
        }

        fn ask(&mut self, worker: usize, used: u64, want: u32) {
            self.take(worker, used);
            let user = &mut self.users[worker];
            user.number += 1;
            user.lost = false;
            let (number, left) = (user.number, user.rows.len() as u64);
            let lease = self.ledger.request(&Self::name(worker), number, left, want, 4).unwrap();
            assert!(rows(&lease) <= u64::from(want.max(1)));
            if lease.exhausted {
                let present = self.users.iter().filter(|user| !user.lost);
                assert_eq!(present.map(|user| user.rows.len()).sum::<usize>(), 0);
                assert_eq!((rows(&lease), self.ledger.free()), (0, 0));
            }
            self.users[worker].rows.extend(lease.ranges.into_iter().flatten());
        }

        fn give_back(&mut self, worker: usize, used: u64) {
            self.take(worker, used);
            let user = &mut self.users[worker];
            user.number += 1;
            user.lost = false;
            let rows: Vec<RowRange> = user.rows.drain(..).map(|row| row..row + 1).collect();
            self.ledger.give_back(&Self::name(worker), user.number, &rows);
        }

        fn take(&mut self, worker: usize, rows: u64) {
            let user = &mut self.users[worker];
            let rows = rows.min(user.rows.len() as u64) as usize;
            for row in user.rows.drain(..rows) {
                assert!(self.used.insert(row), "row {row} is used twice");
            }
        }

        fn check(&self) {
            let held = |user: &&User| user.rows.len() as u64;
            let lost: u64 = self.users.iter().filter(|user| user.lost).map(|user| held(&user)).sum();
            // Rows that were used since it last said so are withheld, too.
            assert!(self.ledger.withheld() >= lost);
            let with_workers: u64 = self.users.iter().map(|user| held(&user)).sum();
            let all = self.used.len() as u64 + with_workers + self.ledger.free();
            assert_eq!(all, self.ledger.total(), "no row is forgotten");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_row_is_used_twice_and_none_is_forgotten(
            total in 0..300_u64,
            deeds in prop::collection::vec(deed(), 0..120),
        ) {
            let users = (0..4).map(|_| User::default()).collect();
            let mut model = Model { ledger: RowLedger::new(total), users, used: BTreeSet::new() };
            for deed in &deeds {
                model.play(deed);
                model.check();
            }
        }
    }
}
