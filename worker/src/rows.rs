//! The rows of one source on this worker: one stock that the users of all lanes take from.
//!
//! Users wait here until rows come; the session is told that some are wanted and brings them. Taking a row that is there
//! costs a lock that nobody holds for long.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sentinel_common::rows::{RowRange, Stock, Want};
use sentinel_common::time::Moment;
use tokio::sync::{Notify, Semaphore};

/// Rows that were leased to this worker. See the module's documentation.
#[derive(Debug)]
pub struct RowStock {
    source: String,
    stock: Mutex<Stock>,
    /// One permit for every row that is here. Closed when there will be none any more.
    here: Semaphore,
    /// Users that wait for a row.
    waiting: AtomicU32,
    /// Tells the session that it may be time to ask for rows.
    wanted: Arc<Notify>,
}

impl RowStock {
    /// An empty stock. `wanted` is told when it wants rows.
    pub(crate) fn new(source: &str, wanted: Arc<Notify>) -> Self {
        Self {
            source: source.to_owned(),
            stock: Mutex::default(),
            here: Semaphore::new(0),
            waiting: AtomicU32::new(0),
            wanted,
        }
    }

    /// The name of the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The next row, which nobody else in the cluster gets; `None` if there is none and never will be. Waits while the
    /// master has none for now, so a user that may be stopped meanwhile has to listen to that, too.
    pub async fn next(&self) -> Option<u64> {
        if let Ok(permit) = self.here.try_acquire() {
            permit.forget();
            return self.take();
        }
        let _waiting = Waiting::new(&self.waiting);
        self.wanted.notify_one();
        // When the stock is closed, this fails even for those to whom a row was promised; there are no other rows then.
        if let Ok(permit) = self.here.acquire().await {
            permit.forget();
        }
        self.take()
    }

    /// The next row. Whoever has a permit finds one.
    fn take(&self) -> Option<u64> {
        let mut stock = self.stock();
        let row = stock.take();
        if stock.is_low() {
            self.wanted.notify_one();
        }
        if stock.is_dry() {
            self.here.close();
        }
        row
    }

    /// What it wants of the master now, if anything.
    pub(crate) fn want(&self, now: Moment) -> Option<Want> {
        self.stock().want(now, self.waiting.load(Ordering::Relaxed))
    }

    /// The master's answer.
    pub(crate) fn supply(&self, ranges: Vec<RowRange>, exhausted: bool) {
        let mut stock = self.stock();
        let before = stock.left();
        stock.supply(ranges, exhausted);
        self.here.add_permits(usize::try_from(stock.left() - before).unwrap_or(0));
        if stock.is_dry() {
            self.here.close();
        }
    }

    /// Looks whether rows are taken, and takes out those that nobody has taken for a while. To be called once a second.
    pub(crate) fn take_idle(&self) -> Option<Vec<RowRange>> {
        let mut stock = self.stock();
        (stock.look() && self.waiting.load(Ordering::Relaxed) == 0).then(|| self.withdraw(&mut stock))
    }

    /// Ends it: whoever waits or comes later gets no row. Returns what was left.
    pub(crate) fn close(&self) -> Vec<RowRange> {
        let mut stock = self.stock();
        let left = self.withdraw(&mut stock);
        self.here.close();
        left
    }

    /// Takes out the rows that are promised to nobody.
    fn withdraw(&self, stock: &mut Stock) -> Vec<RowRange> {
        let free = self.here.forget_permits(usize::try_from(stock.left()).unwrap_or(usize::MAX));
        stock.withdraw(free as u64)
    }

    fn stock(&self) -> MutexGuard<'_, Stock> {
        // A panic elsewhere leaves rows behind that are as good as before.
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a user as waiting for as long as it exists.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a lease of one range")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn stock() -> (Arc<RowStock>, Arc<Notify>) {
        let wanted = Arc::new(Notify::new());
        (Arc::new(RowStock::new("accounts", wanted.clone())), wanted)
    }

    /// Takes rows until there are none any more.
    async fn drink(stock: Arc<RowStock>) -> Vec<u64> {
        let mut rows = Vec::new();
        while let Some(row) = stock.next().await {
            rows.push(row);
        }
        rows
    }

    #[tokio::test]
    async fn users_that_wait_are_counted_and_get_what_comes() {
        let (stock, wanted) = stock();
        assert_eq!(stock.want(Moment::ZERO), None, "nobody needs any");
        let users: Vec<_> = (0..20).map(|_| tokio::spawn(drink(stock.clone()))).collect();
        wanted.notified().await;
        while stock.waiting.load(Ordering::Relaxed) < 20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(stock.want(Moment::ZERO), Some(Want { rows: 20, left: 0 }));
        stock.supply(vec![0..30], false);
        while stock.stock().left() > 0 {
            tokio::task::yield_now().await;
        }
        stock.supply(Vec::new(), true);
        let mut rows = Vec::new();
        for user in users {
            rows.extend(user.await.unwrap());
        }
        rows.sort_unstable();
        assert_eq!(rows, Vec::from_iter(0..30));
        assert_eq!(stock.next().await, None);
    }

    #[tokio::test]
    async fn somebody_who_stops_waiting_costs_no_row() {
        let (stock, _wanted) = stock();
        tokio::select! {
            biased;
            _ = stock.next() => panic!("there is no row"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(stock.waiting.load(Ordering::Relaxed), 0);
        stock.supply(vec![0..1], false);
        assert_eq!(stock.next().await, Some(0));
    }

    #[tokio::test]
    async fn more_is_wanted_when_half_is_gone() {
        let (stock, wanted) = stock();
        stock.supply(vec![0..4], false);
        for row in 0..2 {
            assert_eq!(stock.next().await, Some(row));
        }
        assert_eq!(stock.want(Moment::ZERO), None);
        assert_eq!(stock.next().await, Some(2));
        wanted.notified().await;
        assert_eq!(stock.want(Moment::ZERO).map(|want| want.left), Some(1));
    }

    #[tokio::test]
    async fn what_nobody_takes_is_taken_out_and_can_be_replaced() {
        let (stock, _wanted) = stock();
        stock.supply(vec![0..4], false);
        let looks: Vec<_> = (0..5).map(|_| stock.take_idle()).collect();
        assert_eq!(looks, [None, None, None, None, Some(vec![0..4])]);
        assert_eq!(stock.want(Moment::ZERO), None);
        let user = tokio::spawn(drink(stock.clone()));
        tokio::task::yield_now().await;
        assert_eq!(stock.want(Moment::ZERO).map(|want| want.left), Some(0));
        stock.supply(vec![7..8], false);
        while stock.stock().left() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(stock.close(), []);
        assert_eq!(user.await.unwrap(), [7]);
    }

    #[tokio::test]
    async fn a_stock_that_is_closed_gives_no_row() {
        let (stock, _wanted) = stock();
        stock.supply(vec![0..3], false);
        assert_eq!(stock.next().await, Some(0));
        assert_eq!(stock.close(), [1..3]);
        assert_eq!((stock.next().await, stock.want(Moment::ZERO)), (None, None));
    }

    /// Threads take rows while they come and are taken out: each is with exactly one of them.
    #[test]
    fn no_row_is_given_twice_or_lost_among_threads() {
        const ROWS: u64 = 20_000;
        let (stock, _wanted) = stock();
        let users: Vec<_> = (0..3)
            .map(|_| {
                let stock = stock.clone();
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    runtime.block_on(drink(stock))
                })
            })
            .collect();
        let mut withdrawn = Vec::new();
        for start in (0..ROWS).step_by(100) {
            stock.supply(vec![start..start + 100], false);
            let mut inner = stock.stock();
            withdrawn.extend(stock.withdraw(&mut inner).into_iter().flatten());
        }
        withdrawn.extend(stock.close().into_iter().flatten());
        let mut all = withdrawn;
        users.into_iter().for_each(|user| all.extend(user.join().unwrap()));
        assert_eq!((all.len() as u64, all.into_iter().collect::<BTreeSet<_>>().len() as u64), (ROWS, ROWS));
    }
}
