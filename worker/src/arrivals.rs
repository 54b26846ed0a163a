//! The arrivals of open classes: one lane's part of them, and the users that serve it.
//!
//! ```text
//!  schedule ── cursor ──> due ──> an idle user, or a new one, or it waits for one, or it is dropped
//!                  ^                   │
//!                  └── seats <─────────┘   a user that is done with its iteration is idle again
//! ```
//!
//! Whatever is due begins, however late the lane is: lateness shows in what is measured from the due time, it never
//! adds up. Nothing is queued: what waits for a user is what the cursor has not passed.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sentinel_common::arrivals::{Cursor, Due, Schedule, Slot, even_share};
use sentinel_common::messages::ArrivalShare;
use sentinel_common::stats::Iterations;
use sentinel_common::time::RunTime;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::LocalClock;
use crate::lane_state::LaneState;
use crate::plan::PreparedRun;
use crate::stop::StopSignal;

/// A lane that is so much behind was frozen. By then its arrivals have been given to others.
const FROZEN: Duration = Duration::from_millis(2500);

/// A worker that hears of its first part later than this after its beginning leaves out what was due until then.
const CATCH_UP: Duration = Duration::from_secs(1);

/// A lane's part in the arrivals of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanePart {
    /// The class, as an index into the plan's classes.
    pub class: usize,
    /// Which of the arrivals; `None`: none.
    pub slot: Option<Slot>,
    /// Users that may serve them at the same time.
    pub max_users: u32,
    /// Those due from then on.
    pub from: RunTime,
    /// Those due before this.
    pub until: Option<RunTime>,
}

impl LanePart {
    /// What lane number `lane` of `lanes` makes of a worker's share.
    pub fn new(class: usize, share: &ArrivalShare, lane: u32, lanes: u32) -> Self {
        // A lane without a user could only drop what arrives.
        let lanes = lanes.min(share.max_users);
        let slot = share.slot.filter(|_| lane < lanes).map(|slot| slot.sub_slot(lane, lanes));
        let max_users = slot.map_or(0, |_| even_share(share.max_users, lane, lanes));
        Self { class, slot, max_users, from: share.from, until: share.until }
    }
}

/// An arrival on its way to a user. One that is never begun counts as dropped.
#[derive(Debug)]
pub struct Arrival {
    due: Due,
    state: Rc<LaneState>,
    begun: bool,
}

impl Arrival {
    /// Its user begins it.
    pub fn begin(mut self) -> Due {
        self.begun = true;
        self.due
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if !self.begun {
            let dropped = Iterations { dropped: 1, ..Iterations::default() };
            self.state.recorder.borrow_mut().count_iterations(self.due.at, dropped);
        }
    }
}

/// Numbers for the users of all pools of a lane, unique in the cluster.
#[derive(Debug, Default)]
pub struct UserNumbers {
    next: Cell<u64>,
    step: u64,
}

impl UserNumbers {
    /// Every `step`-th number from `first` on.
    pub fn new(first: u64, step: u64) -> Self {
        Self { next: Cell::new(first), step }
    }

    fn next(&self) -> u64 {
        self.next.replace(self.next.get() + self.step)
    }
}

/// Where a user waits for its next arrival.
#[derive(Debug)]
pub struct Seat {
    number: u64,
    pool: Rc<Pool>,
    stop: Rc<StopSignal>,
    arrival: RefCell<Option<Arrival>>,
    called: Notify,
}

impl Seat {
    /// The user's number, unique in the cluster.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How its user is told to stop.
    pub fn stop_signal(&self) -> Rc<StopSignal> {
        self.stop.clone()
    }

    /// The next arrival that the user is to serve; `None` once it was told to stop.
    pub async fn next(self: &Rc<Self>) -> Option<Arrival> {
        loop {
            if self.stop.is_stopping() {
                return None;
            }
            if let Some(arrival) = self.arrival.take() {
                return Some(arrival);
            }
            self.pool.offer(self.clone());
            tokio::select! {
                () = self.called.notified() => {}
                () = self.stop.stopped() => {}
            }
        }
    }

    /// Nobody serves what arrives on this lane any more.
    pub fn halt(&self) {
        self.pool.halt();
    }

    fn call(&self, arrival: Arrival) {
        self.arrival.replace(Some(arrival));
        self.called.notify_one();
    }
}

/// Keeps a seat taken for as long as it exists.
#[derive(Debug)]
pub struct Occupant(Rc<Seat>);

impl Occupant {
    /// Takes a seat.
    pub fn new(seat: Rc<Seat>) -> Self {
        let pool = &seat.pool;
        pool.run.pool_size(pool.class).fetch_add(1, Ordering::Relaxed);
        Self(seat)
    }
}

impl Drop for Occupant {
    fn drop(&mut self) {
        let pool = &self.0.pool;
        pool.run.pool_size(pool.class).fetch_sub(1, Ordering::Relaxed);
        pool.leave(&self.0);
    }
}

/// The users that serve one class on one lane. Shared by the lane, the task that watches the schedule and the users.
#[derive(Debug)]
pub struct Pool {
    run: Arc<PreparedRun>,
    class: usize,
    schedule: Schedule,
    max_delay: Duration,
    state: Rc<LaneState>,
    numbers: Rc<UserNumbers>,
    parts: RefCell<VecDeque<Part>>,
    /// All users by number, without those that were sent home.
    seats: RefCell<BTreeMap<u64, Rc<Seat>>>,
    /// Those of them that have nothing to do. The last to become idle is the first to be called: its connection is the
    /// freshest.
    idle: RefCell<Vec<Rc<Seat>>>,
    /// An arrival is due that nobody is free to serve.
    blocked: Cell<bool>,
    over: Cell<bool>,
    changed: Notify,
}

/// A part of the arrivals that is in force, or will be.
#[derive(Debug)]
struct Part {
    /// `None` if it has no arrivals.
    cursor: Option<Cursor>,
    from: RunTime,
    until: RunTime,
    max_users: usize,
}

/// What becomes of an arrival that is due.
enum Fate {
    /// This user serves it.
    Serve(Rc<Seat>),
    /// A new user does.
    Hire,
    /// Nobody ever does.
    Drop,
    /// It waits for a user until then.
    Wait(RunTime),
}

impl Pool {
    /// A pool without users and arrivals; `None` if the class is not open. `numbers` are shared by the pools of the lane.
    pub fn new(
        run: Arc<PreparedRun>,
        class: usize,
        state: Rc<LaneState>,
        numbers: Rc<UserNumbers>,
    ) -> Option<Rc<Self>> {
        let user_class = run.classes().get(class)?;
        let arrivals = user_class.arrivals.as_ref()?;
        let schedule = Schedule::new(arrivals, run.seed(), &user_class.name);
        let max_delay = arrivals.max_delay();
        Some(Rc::new(Self {
            run,
            class,
            schedule,
            max_delay,
            state,
            numbers,
            parts: RefCell::default(),
            seats: RefCell::default(),
            idle: RefCell::default(),
            blocked: Cell::new(false),
            over: Cell::new(false),
            changed: Notify::new(),
        }))
    }

    /// Makes the arrivals of `part` from its beginning on, and those of the part before until then.
    pub fn take(&self, now: RunTime, part: &LanePart) {
        let mut parts = self.parts.borrow_mut();
        // Parts that have not begun never will.
        parts.retain(|earlier| earlier.from < part.from);
        // What others have made by now is not made again.
        let late = !parts.is_empty() || now.saturating_since(part.from) > CATCH_UP;
        let from = if late { part.from.max(now) } else { part.from };
        parts.push_back(Part {
            cursor: part.slot.map(|slot| Cursor::new(self.schedule.clone(), slot, from)),
            from,
            until: part.until.unwrap_or(RunTime::MAX),
            max_users: part.max_users as usize,
        });
        self.changed.notify_one();
    }

    /// Makes no arrivals any more. Users that are busy finish what they do.
    pub fn halt(&self) {
        self.parts.borrow_mut().clear();
        self.changed.notify_one();
    }

    /// Ends: all users are told to stop, and may go on with their tasks for `timeout`.
    pub fn close(&self, timeout: Duration) {
        self.over.set(true);
        self.halt();
        self.idle.take();
        let now = Instant::now();
        self.seats.borrow().values().for_each(|seat| seat.stop.stop(now, timeout));
    }

    /// Watches the schedule until the pool is closed. `hire` starts the user of a seat.
    pub async fn watch(self: Rc<Self>, clock: LocalClock, hire: impl Fn(Rc<Seat>)) {
        while !self.over.get() {
            let run_clock = self.run.clock();
            let wake = self.work(run_clock.run_time(clock.now()), &hire);
            let Some(wake) = wake.map(|at| run_clock.moment(at)) else {
                self.changed.notified().await;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep_until(clock.instant(wake)) => {
                    self.state.note_wakeup_lag(clock.now().saturating_since(wake));
                }
                () = self.changed.notified() => {}
            }
        }
    }

    /// Begins what is due. Returns when to look again, unless something changes before.
    fn work(self: &Rc<Self>, now: RunTime, hire: &impl Fn(Rc<Seat>)) -> Option<RunTime> {
        self.blocked.set(false);
        loop {
            let (due, max_users) = self.next_due()?;
            if due.at > now {
                return Some(due.at);
            }
            match self.fate(due, now, max_users) {
                Fate::Serve(seat) => seat.call(self.arrival(due)),
                Fate::Hire => hire(self.seat(self.arrival(due))),
                Fate::Drop => drop(self.arrival(due)),
                Fate::Wait(until) => {
                    self.blocked.set(true);
                    return Some(until);
                }
            }
            self.advance();
        }
    }

    fn fate(&self, due: Due, now: RunTime, max_users: usize) -> Fate {
        let give_up = due.at + self.max_delay;
        if now > give_up + FROZEN {
            return Fate::Drop;
        }
        if let Some(seat) = self.idle.borrow_mut().pop() {
            return Fate::Serve(seat);
        }
        match self.seats.borrow().len() < max_users {
            true => Fate::Hire,
            false if now < give_up => Fate::Wait(give_up),
            false => Fate::Drop,
        }
    }

    /// The next arrival, and how many users may serve it. Goes on to the next part where one is over, and sends idle
    /// users home that are too many for it.
    fn next_due(&self) -> Option<(Due, usize)> {
        let mut parts = self.parts.borrow_mut();
        loop {
            let next_from = parts.get(1).map(|part| part.from);
            let Some(part) = parts.front() else {
                self.retire(0);
                return None;
            };
            let until = next_from.unwrap_or(RunTime::MAX).min(part.until);
            let due = part.cursor.as_ref().and_then(Cursor::peek).filter(|due| due.at < until);
            if due.is_none() && next_from.is_some() {
                parts.pop_front();
                continue;
            }
            self.retire(part.max_users);
            return due.map(|due| (due, part.max_users));
        }
    }

    fn advance(&self) {
        if let Some(cursor) = self.parts.borrow_mut().front_mut().and_then(|part| part.cursor.as_mut()) {
            cursor.advance();
        }
    }

    fn arrival(&self, due: Due) -> Arrival {
        Arrival { due, state: self.state.clone(), begun: false }
    }

    /// A new seat, with the first arrival of its user.
    fn seat(self: &Rc<Self>, arrival: Arrival) -> Rc<Seat> {
        let number = self.numbers.next();
        let (arrival, called) = (RefCell::new(Some(arrival)), Notify::new());
        let seat = Rc::new(Seat { number, pool: self.clone(), stop: Rc::default(), arrival, called });
        self.seats.borrow_mut().insert(number, seat.clone());
        seat
    }

    /// Sends idle users home until there are no more than `max_users`.
    fn retire(&self, max_users: usize) {
        while self.seats.borrow().len() > max_users {
            let Some(seat) = self.idle.borrow_mut().pop() else {
                return;
            };
            self.seats.borrow_mut().remove(&seat.number);
            seat.stop.stop(Instant::now(), self.run.stop_timeout());
        }
    }

    /// A user has nothing to do.
    fn offer(&self, seat: Rc<Seat>) {
        self.idle.borrow_mut().push(seat);
        if self.blocked.get() {
            self.changed.notify_one();
        }
    }

    /// A user is gone.
    fn leave(&self, seat: &Rc<Seat>) {
        self.seats.borrow_mut().remove(&seat.number);
        self.idle.borrow_mut().retain(|idle| !Rc::ptr_eq(idle, seat));
        // Should it have been called while it was leaving, nobody serves that arrival.
        seat.arrival.take();
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use sentinel_common::files::NamedFiles;
    use sentinel_common::ids::RunId;
    use sentinel_common::messages::{LocustPlan, NO_VARIABLES, RunPlan};
    use sentinel_common::time::{Moment, RunClock};

    use super::*;

    /// A pool whose users do what a test says.
    struct Desk {
        pool: Rc<Pool>,
        state: Rc<LaneState>,
        users: RefCell<Vec<Occupant>>,
    }

    fn millis(millis: u64) -> RunTime {
        RunTime::from_micros(millis * 1000)
    }

    fn part(slot: Option<(u32, u32)>, max_users: u32, from_ms: u64) -> LanePart {
        let slot = slot.map(|(index, of)| Slot::new(index, of).unwrap());
        LanePart { class: 0, slot, max_users, from: millis(from_ms), until: None }
    }

    impl Desk {
        /// For these arrivals, of which it makes all with `max_users`.
        fn new(arrivals: &str, max_users: u32) -> Self {
            let scenario = format!(
                "users: {{ A: {{ arrivals: {arrivals}, tasks: [{{ name: t, steps: [{{ get: / }}] }}] }} }}"
            );
            let plan = RunPlan {
                run: RunId::new("run"),
                scenario_name: "test.yaml".to_owned(),
                scenario,
                profile: None,
                host: Some("http://target".to_owned()),
                stop_timeout: Duration::ZERO,
                seed: 1,
                run_time: RunTime::ZERO,
                classes: Vec::new(),
                tags: Vec::new(),
                exclude_tags: Vec::new(),
                adjustments: sentinel_common::scenario::Adjustments::default(),
                iterations: None,
                variables: NO_VARIABLES.to_owned(),
                files: Vec::new(),
                sources: Vec::new(),
                locust: LocustPlan::default(),
            };
            let clock = RunClock::new(RunTime::ZERO, Moment::ZERO);
            let run = PreparedRun::new(Arc::new(plan), NamedFiles::new(), 0, clock).unwrap();
            let state = Rc::new(LaneState::default());
            let numbers = Rc::new(UserNumbers::new(100, 10));
            let pool = Pool::new(run, 0, state.clone(), numbers).unwrap();
            pool.take(RunTime::ZERO, &part(Some((0, 1)), max_users, 0));
            Self { pool, state, users: RefCell::default() }
        }

        fn work(&self, at_ms: u64) -> Option<RunTime> {
            self.pool.work(millis(at_ms), &|seat| self.users.borrow_mut().push(Occupant::new(seat)))
        }

        /// Every user that has an arrival begins it, and is done at once. Returns which those were: user, arrival.
        fn serve(&self) -> Vec<(u64, u64)> {
            let mut served = Vec::new();
            for Occupant(seat) in self.users.borrow().iter() {
                if let Some(arrival) = seat.arrival.take() {
                    served.push((seat.number, arrival.begin().number));
                    self.pool.offer(seat.clone());
                }
            }
            served
        }

        fn dropped(&self) -> u64 {
            self.state.recorder.borrow_mut().take().delivery.dropped
        }

        fn size(&self) -> u32 {
            self.pool.run.pool().get("A").copied().unwrap_or(0)
        }
    }

    #[test]
    fn what_is_due_goes_to_idle_users_before_new_ones_are_hired() {
        let desk = Desk::new("{ rate: 100/s }", 5);
        assert_eq!(desk.work(0), Some(millis(10)));
        assert_eq!(desk.serve(), [(100, 0)]);
        assert_eq!(desk.work(30), Some(millis(40)), "three are due");
        assert_eq!(desk.serve(), [(100, 1), (110, 2), (120, 3)]);
        desk.work(50);
        // The last one to become idle is called first.
        assert_eq!(desk.serve(), [(110, 5), (120, 4)]);
        assert_eq!((desk.size(), desk.dropped()), (3, 0));
    }

    #[test]
    fn what_nobody_is_free_for_is_dropped() {
        let desk = Desk::new("{ rate: 100/s }", 2);
        assert_eq!(desk.work(50), Some(millis(60)));
        assert_eq!((desk.serve().len(), desk.dropped()), (2, 4));
    }

    #[test]
    fn an_arrival_waits_for_a_user_as_long_as_it_may() {
        let desk = Desk::new("{ rate: 100/s, max_delay: 25ms }", 1);
        assert_eq!(desk.work(10), Some(millis(35)), "the second one is given up then");
        assert_eq!(desk.serve(), [(100, 0)]);
        assert_eq!(desk.work(34), Some(millis(45)), "the third");
        assert_eq!(desk.dropped(), 0);
        assert_eq!(desk.work(60), Some(millis(65)));
        assert_eq!((desk.serve(), desk.dropped()), (vec![(100, 1)], 2));
    }

    #[test]
    fn nobody_is_late_for_ever() {
        let desk = Desk::new("{ rate: 100/s }", 1000);
        assert_eq!(desk.work(2_000), Some(millis(2_010)));
        assert_eq!((desk.serve().len(), desk.dropped()), (201, 0), "late ones begin at once");
        desk.work(7_000);
        let (served, dropped) = (desk.serve().len(), desk.dropped());
        assert_eq!(
            (served, dropped),
            (251, 249),
            "others have made what was due before the freeze was noticed"
        );
    }

    #[test]
    fn parts_change_at_their_time() {
        let desk = Desk::new("{ rate: 100/s }", 50);
        desk.work(100);
        desk.serve();
        desk.pool.take(millis(100), &part(Some((1, 2)), 50, 300));
        desk.work(400);
        let mut made: Vec<u64> = desk.serve().into_iter().map(|(_, arrival)| arrival).collect();
        made.sort_unstable();
        assert_eq!(
            made,
            [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 33, 35, 37, 39]
        );
        // A part that has not begun makes way for the one that comes instead of it.
        desk.pool.take(millis(400), &part(Some((0, 2)), 50, 600));
        desk.pool.take(millis(410), &part(None, 0, 500));
        desk.work(700);
        let made: Vec<u64> = desk.serve().into_iter().map(|(_, arrival)| arrival % 2).collect();
        assert_eq!(made, [1; 5], "41 to 49, and none from 500 ms on");
        assert_eq!(desk.work(10_000), None);
    }

    #[test]
    fn a_part_that_was_heard_of_late_leaves_out_what_others_made() {
        let desk = Desk::new("{ rate: 100/s }", 50);
        desk.work(100);
        desk.serve();
        desk.pool.take(millis(350), &part(Some((0, 2)), 50, 300));
        desk.work(390);
        let made: BTreeMap<u64, u64> =
            desk.serve().into_iter().map(|(user, arrival)| (arrival, user)).collect();
        let made: Vec<u64> = made.into_keys().filter(|arrival| *arrival >= 29).collect();
        assert_eq!(made, [29, 30, 31, 32, 33, 34, 36, 38]);
    }

    #[test]
    fn users_that_are_too_many_go_home_once_they_are_idle() {
        let desk = Desk::new("{ rate: 100/s }", 50);
        desk.work(90);
        assert_eq!(desk.size(), 10);
        let (busy, idle) = (3, 7);
        for Occupant(seat) in &desk.users.borrow()[..idle] {
            seat.arrival.take().map(Arrival::begin);
            desk.pool.offer(seat.clone());
        }
        desk.pool.take(millis(90), &part(Some((0, 1)), 2, 100));
        desk.work(95);
        let stopping =
            |desk: &Desk| desk.users.borrow().iter().filter(|user| user.0.stop.is_stopping()).count();
        assert_eq!(stopping(&desk), idle);
        assert_eq!(desk.pool.seats.borrow().len(), busy);
        desk.serve();
        desk.work(100);
        assert_eq!((stopping(&desk), desk.serve().len()), (8, 1), "two are left, and one of them is called");
    }

    #[test]
    fn an_arrival_that_never_begins_is_dropped() {
        let desk = Desk::new("{ rate: 100/s }", 50);
        desk.work(20);
        desk.pool.close(Duration::ZERO);
        assert!(desk.users.borrow().iter().all(|user| user.0.stop.is_stopping()));
        assert_eq!(desk.work(5_000), None);
        assert_eq!((desk.size(), desk.dropped()), (3, 0), "they may still begin");
        desk.users.borrow_mut().clear();
        assert_eq!((desk.size(), desk.dropped()), (0, 3));
    }

    #[test]
    fn lanes_share_the_share_of_their_worker() {
        let share = |max_users| ArrivalShare {
            class: "A".to_owned(),
            slot: Slot::new(1, 3),
            max_users,
            from: millis(5),
            until: None,
        };
        let lanes = |max_users| [0, 1].map(|lane| LanePart::new(0, &share(max_users), lane, 2));
        let of = |part: &LanePart| (part.slot.map(|slot| (slot.index(), slot.of())), part.max_users);
        assert_eq!(lanes(5).each_ref().map(of), [(Some((1, 6)), 3), (Some((4, 6)), 2)]);
        assert_eq!(lanes(1).each_ref().map(of), [(Some((1, 3)), 1), (None, 0)]);
        assert_eq!(lanes(0).each_ref().map(of), [(None, 0), (None, 0)]);
    }
}
