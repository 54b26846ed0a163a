//! A whole cluster on virtual time: the real coordinator, real members, and between them queues that delay, stall and
//! break. Every seed is another story of workers that join, leave, get lost and die; whatever happens, users, spawn
//! rate and figures must add up, and every run must end.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use sentinel_common::coordinator::{
    Autostart, Coordinator, Effect, Outcome, Phase, Policy, RunSpec, ScenarioSource,
};
use sentinel_common::dispatch::ClassSpec;
use sentinel_common::ids::{ConnectionId, Generation, RunId, WIRE_VERSION, WorkerId};
use sentinel_common::load::Load;
use sentinel_common::member::{self, Exit, Member};
use sentinel_common::messages::{
    Assignment, ClassCounts, FromWorker, HEARTBEAT_INTERVAL, Heartbeat, Ready, Resources, ToWorker, Wire,
};
use sentinel_common::preflight::Demand;
use sentinel_common::random::UserRng;
use sentinel_common::roster::total;
use sentinel_common::rows::Stock;
use sentinel_common::spawn_plan::{Change, SpawnPlan};
use sentinel_common::stats::{EntryDelta, EntryKey, RateDelta, StatsDelta};
use sentinel_common::time::Moment;

/// How many stories are played.
const SEEDS: u64 = 120;

/// The most workers at a time.
const WORKERS_MAX: usize = 8;

/// Requests per second that every user makes.
const REQUESTS_PER_SECOND: f64 = 3.0;

/// The source of the rows that every request takes one of, in runs that have it.
const SOURCE: &str = "accounts";

/// The longest that a message takes on a healthy connection.
const LATENCY_MAX: Duration = Duration::from_millis(50);

/// By how many users more than the spawn rate allows a second may differ: rates of different workers drift past each
/// other, and a decision reaches one worker before the other.
const BURST: f64 = 4.0;

const STOP_TIMEOUT: Duration = Duration::from_secs(2);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Something that is on its way.
#[derive(Debug)]
enum Event {
    ToMaster(ConnectionId, FromWorker),
    ToWorker(ConnectionId, ToWorker),
    MasterSeesEnd(ConnectionId),
    WorkerSeesEnd(ConnectionId),
    Connected(usize),
    Collected(usize, u64, StatsDelta),
    Drained(usize, u64),
    Fault(Fault),
}

/// What can happen to a cluster.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A new worker comes.
    Join,
    /// A worker is told to end, and does so in good order.
    Leave,
    /// Somebody edits the load.
    Edit,
    /// A connection breaks; both sides notice sooner or later.
    Cut,
    /// Nothing gets through a connection for a while, then everything does.
    Stall,
    /// A worker's process or machine dies.
    Kill,
}

impl Fault {
    const CALM: [Self; 3] = [Self::Join, Self::Leave, Self::Edit];
    const ROUGH: [Self; 6] = [Self::Join, Self::Leave, Self::Edit, Self::Cut, Self::Stall, Self::Kill];
}

/// A connection: messages keep their order in each direction.
struct Link {
    worker: usize,
    /// It carries messages.
    whole: bool,
    stalled_until: Moment,
    last_to_master: Moment,
    last_to_worker: Moment,
}

/// Users that count the requests they make.
#[derive(Default)]
struct Swarm {
    run: Option<RunId>,
    running: ClassCounts,
    plan: SpawnPlan,
    unsettled: Option<Generation>,
    /// Users that run, or were told to stop and have not ended yet.
    live: u64,
    counted_until: Moment,
    /// Requests that have been made for the most part.
    fraction: f64,
    /// Requests that nobody has collected.
    open: u64,
    /// Where requests take rows from, if the run has any.
    stock: Option<Stock>,
    /// A request waits for a row.
    thirsty: bool,
    /// Counts the moments at which everything measured before became void.
    epoch: u64,
}

struct Worker {
    id: WorkerId,
    member: Member,
    swarm: Swarm,
    link: Option<ConnectionId>,
    alive: bool,
    /// It ended without handing everything over.
    died: bool,
    leaving: bool,
    /// Requests that its users really made, by run.
    truth: HashMap<RunId, u64>,
    /// Rows that its users took and that were not entered in the books yet.
    taken: Vec<u64>,
}

struct World {
    rng: UserRng,
    now: Moment,
    coordinator: Coordinator,
    workers: Vec<Worker>,
    links: BTreeMap<ConnectionId, Link>,
    queue: BTreeMap<(Moment, u64), Event>,
    queued: u64,
    target: u64,
    rate: f64,
    /// Rows that were used in this run.
    used: BTreeSet<u64>,
    /// Spawns of the last second.
    spawns: VecDeque<Moment>,
    /// The highest target and spawn rate since the cluster was last at its target.
    highest_target: u64,
    highest_rate: f64,
    /// Users that may run twice, because their worker was out of reach, since the cluster was last at its target.
    ghosts: u64,
    /// A connection or a worker broke since the cluster was last at its target.
    rough: bool,
    /// Until then somebody may not have noticed yet what broke.
    unnoticed_until: Moment,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = UserRng::for_user(seed, "world", 0);
        Self {
            now: Moment::from_secs(100),
            coordinator: Coordinator::new(Policy { rebalance_on_loss: rng.random_bool(0.3), one_run: false }),
            rng,
            workers: Vec::new(),
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            queued: 0,
            target: 0,
            rate: 0.0,
            used: BTreeSet::new(),
            spawns: VecDeque::new(),
            highest_target: 0,
            highest_rate: 0.0,
            ghosts: 0,
            rough: false,
            unnoticed_until: Moment::ZERO,
        }
    }

    // Faults.

    fn join(&mut self) {
        let index = self.workers.len();
        let host = self.rng.random_range(1..=3);
        let id = WorkerId::new(&format!("host{host}_{index}")).expect("a good name");
        let ready = Ready {
            worker: id.clone(),
            wire: Wire::Grpc,
            wire_version: WIRE_VERSION,
            software_version: String::new(),
            capabilities: Vec::new(),
            run: None,
            resources: Resources::default(),
        };
        let rng = UserRng::for_user(self.rng.random(), "member", 0);
        let member = Member::new(self.now, ready, rng);
        self.workers.push(Worker {
            id,
            member,
            swarm: Swarm::default(),
            link: None,
            alive: true,
            died: false,
            leaving: false,
            truth: HashMap::new(),
            taken: Vec::new(),
        });
    }

    fn strike(&mut self, fault: Fault) {
        let candidates =
            self.workers.iter().enumerate().filter(|(_, worker)| worker.alive && !worker.leaving);
        let candidates: Vec<usize> = candidates.map(|(index, _)| index).collect();
        let Some(victim) = candidates.get(self.rng.random_range(0..candidates.len().max(1))).copied() else {
            return;
        };
        match fault {
            Fault::Join if candidates.len() < WORKERS_MAX => self.join(),
            Fault::Edit => self.edit(),
            Fault::Leave if candidates.len() > 1 => {
                self.workers[victim].leaving = true;
                self.workers[victim].member.handle_shutdown(self.now);
            }
            Fault::Cut => self.cut(victim),
            Fault::Stall => self.stall(victim),
            Fault::Kill if candidates.len() > 1 => self.kill(victim),
            Fault::Join | Fault::Leave | Fault::Kill => {}
        }
    }

    fn edit(&mut self) {
        if !self.coordinator.run().is_some_and(|run| run.phase().is_active()) {
            return;
        }
        let load = self.random_load();
        self.aim(load);
        let edited = self.coordinator.edit(self.now, load.users, load.spawn_rate);
        assert_eq!(edited, Ok(()));
    }

    fn cut(&mut self, victim: usize) {
        let Some(connection) = self.workers[victim].link else {
            return;
        };
        self.haunt(victim);
        self.break_link(connection, secs(3), secs(6));
    }

    fn stall(&mut self, victim: usize) {
        let Some(link) = self.workers[victim].link.and_then(|connection| self.links.get_mut(&connection))
        else {
            return;
        };
        link.stalled_until = self.now + ms(self.rng.random_range(500..8000));
        self.haunt(victim);
    }

    fn kill(&mut self, victim: usize) {
        let worker = &mut self.workers[victim];
        (worker.alive, worker.died) = (false, true);
        if let Some(connection) = worker.link {
            self.roughen();
            // A machine that loses its power does not close its connections.
            if self.rng.random_bool(0.7) {
                self.break_link(connection, secs(1), secs(1));
            } else if let Some(link) = self.links.get_mut(&connection) {
                link.whole = false;
            }
        }
    }

    /// Nothing gets through from now on; the two sides notice within these times.
    fn break_link(&mut self, connection: ConnectionId, worker_notices: Duration, master_notices: Duration) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.whole = false;
        }
        let worker_sees = self.within(worker_notices);
        self.push(worker_sees, Event::WorkerSeesEnd(connection));
        let master_sees = self.within(master_notices);
        self.push(master_sees, Event::MasterSeesEnd(connection));
    }

    fn roughen(&mut self) {
        self.rough = true;
        self.unnoticed_until = self.now + secs(10);
    }

    /// The users of a worker out of reach go on, though the master may give them to others.
    fn haunt(&mut self, victim: usize) {
        self.roughen();
        self.ghosts += self.workers[victim].swarm.live.max(self.target);
    }

    fn random_load(&mut self) -> Load {
        let users = self.rng.random_range(1..60);
        Load::new(users, self.rng.random_range(3.0..25.0), None).expect("a possible load")
    }

    fn aim(&mut self, load: Load) {
        (self.target, self.rate) = (u64::from(load.users), load.spawn_rate.as_per_second());
        self.highest_target = self.highest_target.max(self.target);
        self.highest_rate = self.highest_rate.max(self.rate);
    }

    fn spec(run: &str) -> RunSpec {
        let class =
            |name: &str, weight, fixed_count| ClassSpec { name: name.to_owned(), weight, fixed_count };
        RunSpec {
            id: RunId::new(run),
            classes: vec![class("A", 3.0, 0), class("B", 1.0, 0), class("C", 0.0, 2)],
            scenario: ScenarioSource { name: String::new(), text: Some(String::new()) },
            criteria: Vec::new(),
            demand: Demand::default(),
            measured_from_s: None,
            parsed_options: Vec::new(),
            named_classes: Vec::new(),
            tags: Vec::new(),
            exclude_tags: Vec::new(),
            adjustments: sentinel_common::scenario::Adjustments::default(),
            iterations: None,
            has_setup: false,
            has_teardown: false,
            files: Arc::default(),
            sources: BTreeMap::new(),
            profile: None,
            host: None,
            stop_timeout: STOP_TIMEOUT,
            reset_stats: false,
            seed: 1,
            shape: None,
            arrivals: Vec::new(),
        }
    }

    // Time.

    fn within(&mut self, span: Duration) -> Moment {
        self.now + span.mul_f64(self.rng.random_range(0.0..1.0))
    }

    fn push(&mut self, at: Moment, event: Event) {
        self.queued += 1;
        self.queue.insert((at, self.queued), event);
    }

    /// Lets time pass until `end`.
    fn play(&mut self, end: Moment) {
        self.carry_out();
        loop {
            let members = self.workers.iter().filter(|worker| worker.alive).map(Worker::next_at).min();
            let queue = self.queue.keys().next().map(|(at, _)| *at);
            let next = [self.coordinator.poll_timeout(), members, queue].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.step();
            self.carry_out();
            self.check();
        }
        self.now = end;
    }

    /// Lets time pass until something holds, second by second.
    fn play_until(&mut self, patience: Duration, what: &str, holds: fn(&Self) -> bool) {
        let end = self.now + patience;
        while !holds(self) {
            assert!(self.now < end, "after {patience:?} it still does not hold that {what}");
            self.play(self.now + secs(1));
        }
    }

    /// Lets everything happen that is due.
    fn step(&mut self) {
        if self.coordinator.poll_timeout().is_some_and(|at| at <= self.now) {
            self.coordinator.handle_timeout(self.now);
            assert!(self.coordinator.poll_timeout().is_none_or(|at| at > self.now), "the coordinator spins");
        }
        for worker in self.workers.iter_mut().filter(|worker| worker.alive) {
            worker.advance(self.now, &mut self.spawns);
            for row in worker.taken.drain(..) {
                assert!(self.used.insert(row), "row {row} is used again by {}", worker.id);
            }
        }
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let event = entry.remove();
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::ToMaster(connection, message) if self.is_whole(connection) => {
                self.coordinator.handle_message(self.now, connection, message);
            }
            Event::ToWorker(connection, message) if self.is_whole(connection) => {
                let worker = self.links[&connection].worker;
                self.workers[worker].member.handle_message(self.now, message);
            }
            Event::ToMaster(..) | Event::ToWorker(..) => {}
            Event::MasterSeesEnd(connection) => {
                self.coordinator.handle_disconnected(self.now, connection, "cut");
            }
            Event::WorkerSeesEnd(connection) => self.worker_sees_end(connection),
            Event::Connected(worker) => self.connected(worker),
            Event::Collected(worker, epoch, delta) => {
                let worker = &mut self.workers[worker];
                if worker.alive && worker.swarm.epoch == epoch {
                    worker.member.handle_collected(&delta);
                }
            }
            Event::Drained(worker, epoch) => {
                let worker = &mut self.workers[worker];
                if worker.alive && worker.swarm.epoch == epoch {
                    worker.count(self.now);
                    (worker.swarm.live, worker.swarm.fraction) = (0, 0.0);
                    let left = worker.swarm.stock.take().map(|mut stock| stock.withdraw(u64::MAX));
                    let left = left.map(|rows| (SOURCE.to_owned(), rows)).into_iter().collect();
                    worker.member.handle_rows_left(self.now, left);
                    let last = worker.measured();
                    worker.member.handle_drained(self.now, &last);
                }
            }
            Event::Fault(fault) => self.strike(fault),
        }
    }

    fn is_whole(&self, connection: ConnectionId) -> bool {
        self.links.get(&connection).is_some_and(|link| link.whole)
    }

    fn connected(&mut self, index: usize) {
        if !self.workers[index].alive {
            return;
        }
        let connection = ConnectionId(self.links.len() as u64 + 1);
        let (now, stalled_until) = (self.now, Moment::ZERO);
        let link =
            Link { worker: index, whole: true, stalled_until, last_to_master: now, last_to_worker: now };
        self.links.insert(connection, link);
        self.workers[index].link = Some(connection);
        self.workers[index].member.handle_connected(now);
    }

    fn worker_sees_end(&mut self, connection: ConnectionId) {
        let worker = &mut self.workers[self.links[&connection].worker];
        if worker.alive && worker.link == Some(connection) {
            worker.link = None;
            worker.member.handle_disconnected(self.now, "cut");
        }
    }

    // Effects.

    fn carry_out(&mut self) {
        while let Some(effect) = self.coordinator.poll_effect() {
            match effect {
                Effect::Send { to, message } => self.send_to_worker(to, Event::ToWorker(to, message)),
                Effect::Close { connection } => {
                    self.send_to_worker(connection, Event::WorkerSeesEnd(connection));
                    let soon = self.within(ms(200));
                    self.push(soon, Event::MasterSeesEnd(connection));
                }
                Effect::Log(_) => {}
            }
        }
        for index in 0..self.workers.len() {
            while let Some(effect) = self.workers[index].member.poll_effect() {
                if self.workers[index].alive {
                    self.carry_out_for(index, effect);
                }
            }
        }
    }

    fn carry_out_for(&mut self, index: usize, effect: member::Effect) {
        let now = self.now;
        let worker = &mut self.workers[index];
        match effect {
            member::Effect::Connect => {
                let at = self.within(ms(100));
                self.push(at, Event::Connected(index));
            }
            member::Effect::Send(message) => self.send_to_master(index, message),
            member::Effect::Beat { state } => {
                let users = worker.swarm.running.clone();
                // Users that find no row end by themselves.
                let dry = worker.swarm.stock.as_ref().is_some_and(Stock::is_dry);
                let finished = if dry { users.clone() } else { ClassCounts::new() };
                let heartbeat = Heartbeat { state, users, finished, ..Heartbeat::default() };
                self.send_to_master(index, FromWorker::Heartbeat(heartbeat));
            }
            member::Effect::Hook { .. } | member::Effect::EndHook => unreachable!("no run is set up"),
            member::Effect::Abandon => unreachable!("a run ends before the next one begins"),
            member::Effect::Prepare { plan, .. } => {
                worker.count(now);
                let epoch = worker.swarm.epoch + 1;
                let stock = plan.sources.iter().any(|source| source == SOURCE).then(Stock::default);
                worker.swarm = Swarm {
                    stock,
                    run: Some(plan.run.clone()),
                    epoch,
                    counted_until: now,
                    ..Swarm::default()
                };
            }
            member::Effect::Apply(assignment) => worker.apply(now, &assignment),
            member::Effect::Rows { source, ranges, exhausted } => {
                assert_eq!(source, SOURCE);
                if let Some(stock) = worker.swarm.stock.as_mut() {
                    stock.supply(ranges, exhausted);
                }
                worker.ask_for_rows(now);
            }
            member::Effect::Collect => {
                worker.count(now);
                worker.hand_back_idle_rows(now);
                let (epoch, delta) = (worker.swarm.epoch, worker.measured());
                let at = self.within(ms(20));
                self.push(at, Event::Collected(index, epoch, delta));
            }
            member::Effect::Discard => unreachable!("no statistics are reset here"),
            member::Effect::Drain { timeout, .. } => {
                worker.swarm.plan = SpawnPlan::default();
                worker.swarm.unsettled = None;
                worker.swarm.running.clear();
                let epoch = worker.swarm.epoch;
                let at = self.within(timeout) + ms(30);
                self.push(at, Event::Drained(index, epoch));
            }
            member::Effect::Log(_) => {}
            member::Effect::Exit(exit) => self.exit(index, &exit),
        }
    }

    /// The worker's process ends; its connection does so when everything has been read.
    fn exit(&mut self, index: usize, exit: &Exit) {
        let worker = &mut self.workers[index];
        assert!(worker.leaving, "{} ends: {exit:?}", worker.id);
        worker.alive = false;
        worker.died = *exit != Exit::Done;
        if let Some(connection) = worker.link {
            let at = self.arrival(connection, true);
            self.push(at, Event::MasterSeesEnd(connection));
        }
    }

    fn send_to_master(&mut self, index: usize, message: FromWorker) {
        if let Some(connection) = self.workers[index].link {
            let at = self.arrival(connection, true);
            self.push(at, Event::ToMaster(connection, message));
        }
    }

    fn send_to_worker(&mut self, connection: ConnectionId, event: Event) {
        let at = self.arrival(connection, false);
        self.push(at, event);
    }

    /// When a message that leaves now arrives, after all that left before it.
    fn arrival(&mut self, connection: ConnectionId, to_master: bool) -> Moment {
        let at = self.within(LATENCY_MAX);
        let Some(link) = self.links.get_mut(&connection) else {
            return at;
        };
        let last = if to_master { &mut link.last_to_master } else { &mut link.last_to_worker };
        *last = at.max(*last).max(link.stalled_until);
        *last
    }

    // What must always hold.

    fn check(&mut self) {
        let Some(run) = self.coordinator.run().filter(|run| run.phase().is_active()) else {
            return;
        };
        let phase = run.phase();
        let roster = self.coordinator.roster();
        if roster.active().next().is_some() {
            let assigned: u64 = roster.active().map(|node| total(&node.assigned)).sum();
            assert_eq!(assigned, self.target, "the sum of all assignments");
        }
        let running = self.running();
        let in_flight = self.workers.len() as u64
            + (self.highest_rate * (HEARTBEAT_INTERVAL + 2 * LATENCY_MAX).as_secs_f64()).ceil() as u64;
        let bound = self.highest_target + self.ghosts + in_flight;
        assert!(running <= bound, "{running} users run, {} are wanted", self.target);
        while self.spawns.front().is_some_and(|at| self.now.saturating_since(*at) >= secs(1)) {
            self.spawns.pop_front();
        }
        if !self.rough {
            let bound = self.highest_rate * 1.1 + BURST;
            assert!(
                self.spawns.len() as f64 <= bound,
                "{} spawns in a second at {}/s",
                self.spawns.len(),
                self.rate
            );
        }
        if phase == Phase::Running
            && running == self.target
            && self.spawns.is_empty()
            && self.now >= self.unnoticed_until
        {
            (self.highest_target, self.highest_rate) = (self.target, self.rate);
            (self.ghosts, self.rough) = (0, false);
        }
    }

    /// Users that run.
    fn running(&self) -> u64 {
        self.workers.iter().filter(|worker| worker.alive).map(|worker| total(&worker.swarm.running)).sum()
    }

    /// Everybody is where they should be, and the master knows.
    fn is_quiet(&self) -> bool {
        let users = self.coordinator.roster().user_count();
        let phase = self.coordinator.run().map(|run| run.phase());
        (phase, self.running(), users) == (Some(Phase::Running), self.target, self.target)
    }

    /// The run is over, and nobody has anything of it left.
    fn is_over(&self) -> bool {
        let busy = |worker: &Worker| worker.swarm.live > 0 || worker.member.clock().is_some();
        self.coordinator.outcome() == Some(&Outcome::Ended)
            && !self.workers.iter().any(|worker| worker.alive && busy(worker))
    }

    /// Every row was used, or is known to be with nobody who may use it. Returns how many were not used.
    fn check_rows(&self) -> u64 {
        let ledger = &self.coordinator.run().expect("it was started").rows()[SOURCE];
        let unused = ledger.total() - self.used.len() as u64;
        // Of what is withheld, some may have been used. What is free was with a worker that was lost and came back.
        let accounted = ledger.withheld() + ledger.free();
        assert!(unused <= accounted, "{unused} rows were not used, {accounted} are accounted for");
        unused
    }

    /// Every request of every worker that could hand it over was counted once.
    fn check_figures(&self) {
        let run = self.coordinator.run().expect("it was started");
        assert_eq!(run.phase(), Phase::Stopped);
        for worker in &self.workers {
            let made = worker.truth.get(run.id()).copied().unwrap_or(0);
            let rows = run.stats().entries();
            let row = rows.iter().find(|row| *row.key.name == *worker.id.as_str());
            let counted = row.map_or(0, |row| row.requests);
            if worker.died {
                assert!(counted <= made, "{} requests of {}, {made} were made", counted, worker.id);
            } else {
                assert_eq!(counted, made, "requests of {}", worker.id);
            }
        }
    }
}

impl Worker {
    fn next_at(&self) -> Moment {
        let swarm = self.swarm.plan.next_at().unwrap_or(Moment::MAX);
        let settled = if self.swarm.unsettled.is_some() && self.swarm.plan.is_complete() {
            Moment::ZERO
        } else {
            swarm
        };
        self.member.poll_timeout().min(settled)
    }

    fn advance(&mut self, now: Moment, spawns: &mut VecDeque<Moment>) {
        if self.member.poll_timeout() <= now {
            self.member.handle_timeout(now);
            assert!(self.member.poll_timeout() > now, "{} spins", self.id);
        }
        self.count(now);
        self.ask_for_rows(now);
        while let Some(change) = self.swarm.plan.due(now) {
            match change {
                Change::Spawn(class) => {
                    *self.swarm.running.entry(class.to_owned()).or_default() += 1;
                    self.swarm.live += 1;
                    spawns.push_back(now);
                }
                Change::Stop(class) => {
                    *self.swarm.running.get_mut(class).expect("only users that run are stopped") -= 1;
                    self.swarm.live -= 1;
                }
            }
            self.swarm.plan.advance(now);
        }
        if self.swarm.plan.is_complete()
            && let Some(generation) = self.swarm.unsettled.take()
        {
            self.member.handle_settled(generation, self.swarm.running.clone());
        }
    }

    fn apply(&mut self, now: Moment, assignment: &Assignment) {
        self.swarm.plan = SpawnPlan::new(now, &self.swarm.running, assignment);
        self.swarm.unsettled = Some(assignment.generation);
    }

    /// Counts the requests that the users made up to now.
    fn count(&mut self, now: Moment) {
        let seconds = now.saturating_since(self.swarm.counted_until).as_secs_f64();
        self.swarm.counted_until = now;
        self.swarm.fraction += self.swarm.live as f64 * REQUESTS_PER_SECOND * seconds;
        let made = self.take_rows(self.swarm.fraction as u64);
        self.swarm.fraction -= made as f64;
        self.swarm.open += made;
        if let Some(run) = self.swarm.run.clone() {
            *self.truth.entry(run).or_default() += made;
        }
    }

    /// Takes a row for every request, as far as there are any; without rows to take, all can be made.
    fn take_rows(&mut self, requests: u64) -> u64 {
        let Some(stock) = self.swarm.stock.as_mut() else {
            return requests;
        };
        let before = self.taken.len();
        self.taken.extend((0..requests).map_while(|_| stock.take()));
        let made = (self.taken.len() - before) as u64;
        self.swarm.thirsty = made < requests;
        // Users that wait for a row make no other request meanwhile.
        self.swarm.fraction = self.swarm.fraction.min((made + self.swarm.live) as f64);
        made
    }

    fn ask_for_rows(&mut self, now: Moment) {
        let waiting = if self.swarm.thirsty { self.swarm.live as u32 } else { 0 };
        if let Some(want) = self.swarm.stock.as_mut().and_then(|stock| stock.want(now, waiting)) {
            self.member.handle_rows_wanted(now, SOURCE, want);
        }
    }

    fn hand_back_idle_rows(&mut self, now: Moment) {
        if let Some(stock) = self.swarm.stock.as_mut()
            && stock.look()
        {
            let idle = stock.withdraw(u64::MAX);
            self.member.handle_rows_idle(now, SOURCE, idle);
        }
    }

    /// Takes what was counted since the last time.
    fn measured(&mut self) -> StatsDelta {
        let requests = std::mem::take(&mut self.swarm.open);
        if requests == 0 {
            return StatsDelta::default();
        }
        let key = EntryKey::new("GET", self.id.as_str());
        let seconds = vec![RateDelta { second: 0, requests, failures: 0 }];
        let entry = EntryDelta { requests, without_time: requests, seconds, ..EntryDelta::new(key) };
        StatsDelta { entries: vec![entry], ..StatsDelta::default() }
    }
}

/// Tells the seed of a story that failed.
struct Story(u64);

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was the story of seed {}", self.0);
        }
    }
}

/// Schedules `count` faults over the next `span`.
fn trouble(world: &mut World, faults: &[Fault], count: usize, span: Duration) {
    for _ in 0..count {
        let fault = faults[world.rng.random_range(0..faults.len())];
        let at = world.within(span);
        world.push(at, Event::Fault(fault));
    }
}

fn tell(seed: u64, faults: &[Fault]) {
    let _story = Story(seed);
    let mut world = World::new(seed);
    let load = world.random_load();
    world.aim(load);
    let expect_workers = world.rng.random_range(1..=3);
    let autostart = Autostart { spec: World::spec("run-1"), load, expect_workers, max_wait: Some(secs(20)) };
    world.coordinator.start_when_ready(world.now, autostart);
    world.join();
    trouble(&mut world, &[Fault::Join], 4, secs(3));
    for run in ["run-1", "run-2"] {
        let count = world.rng.random_range(0..10);
        trouble(&mut world, faults, count, secs(15));
        world.play(world.now + secs(15));
        // Two ramps over all users at the slowest rate, and time to notice the last trouble.
        world.play_until(secs(60), "everybody is where they should be", World::is_quiet);
        let count = world.rng.random_range(0..3);
        trouble(&mut world, faults, count, secs(2));
        let stop_at = world.within(secs(2));
        world.play(stop_at);
        world.coordinator.stop(world.now, "the end");
        world.play_until(secs(30), "the run is over", World::is_over);
        world.check_figures();
        if run == "run-1" {
            let load = world.random_load();
            world.aim(load);
            world.coordinator.start(world.now, World::spec("run-2"), load);
        }
    }
}

/// A run in which every request takes a row. Returns how many rows were not used.
fn tell_of_rows(seed: u64, faults: &[Fault]) -> u64 {
    let _story = Story(seed);
    let mut world = World::new(seed);
    let load = world.random_load();
    world.aim(load);
    let rows = world.rng.random_range(1..=40) * u64::from(load.users);
    let sources = BTreeMap::from([(SOURCE.to_owned(), rows)]);
    let spec = RunSpec { sources, ..World::spec("run-1") };
    let expect_workers = world.rng.random_range(1..=3);
    let autostart = Autostart { spec, load, expect_workers, max_wait: None };
    world.coordinator.start_when_ready(world.now, autostart);
    world.join();
    trouble(&mut world, &[Fault::Join], 4, secs(3));
    let count = world.rng.random_range(0..10);
    trouble(&mut world, faults, count, secs(15));
    world.play(world.now + secs(15));
    world.play_until(secs(3600), "all users have finished and the run is over", World::is_over);
    world.check_figures();
    world.check_rows()
}

#[test]
fn a_calm_cluster_uses_every_row_once() {
    for seed in 3 * SEEDS..4 * SEEDS {
        assert_eq!(tell_of_rows(seed, &Fault::CALM), 0, "seed {seed}");
    }
}

#[test]
fn a_cluster_in_trouble_uses_no_row_twice_and_knows_of_every_other() {
    let unused: u64 = (4 * SEEDS..6 * SEEDS).map(|seed| tell_of_rows(seed, &Fault::ROUGH)).sum();
    assert!(unused > 0, "somebody was lost with rows");
}

#[test]
fn workers_that_join_one_after_the_other_do_not_speed_up_the_ramp() {
    for seed in 2 * SEEDS..2 * SEEDS + 30 {
        let _story = Story(seed);
        let mut world = World::new(seed);
        let load = Load::new(40, 4.0, None).unwrap();
        world.aim(load);
        let autostart = Autostart { spec: World::spec("run-1"), load, expect_workers: 1, max_wait: None };
        world.coordinator.start_when_ready(world.now, autostart);
        world.join();
        trouble(&mut world, &[Fault::Join], WORKERS_MAX, secs(5));
        let began = world.now;
        world.play_until(secs(60), "everybody is where they should be", World::is_quiet);
        let took = world.now.saturating_since(began);
        assert!(took >= secs(9), "40 users at 4/s came in {took:?}");
    }
}

#[test]
fn a_calm_cluster_adds_up() {
    (0..SEEDS).for_each(|seed| tell(seed, &Fault::CALM));
}

#[test]
fn a_cluster_in_trouble_adds_up() {
    (SEEDS..2 * SEEDS).for_each(|seed| tell(seed, &Fault::ROUGH));
}
