//! A hundred thousand hostile inputs at a live port, beside workers that want to do their work.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sentinel_common::locust::{Limits as MessageLimits, WorkerMessage};
use sentinel_common::zmtp::{Connection, Event, Limits};
use sentinel_tests::locust::{Dice, Hostile, Shop, python};
use sentinel_tests::process::{Cluster, Signal};

/// How many inputs there are in all.
const INPUTS: u64 = 100_000;
/// How many go over one connection at most.
const INPUTS_PER_CONNECTION: usize = 40;
/// How many connections are open at a time.
const THREADS: u64 = 4;
/// How much the master may grow by, in KiB: far less than what the inputs promise.
const GROWTH_MAX_KIB: u64 = 96 << 10;
/// How long the master may take to get rid of a connection that has said everything.
const FAREWELL: Duration = Duration::from_secs(15);

#[test]
fn hostile_inputs_do_not_disturb_a_worker_of_our_own() {
    let load = ["--users", "8", "--spawn-rate", "8", "--run-time", "5m", "-s", "3"];
    let mut cluster = Cluster::start(1, &load);
    cluster.master.process.line("All users spawned: 8");
    attack(cluster.master.address, cluster.master.process.id(), INPUTS / 2..INPUTS);
    assert!(cluster.master.process.is_running(), "{}", cluster.master.process.log());
    cluster.master.process.signal(Signal::Interrupt);
    let run = cluster.finish();
    run.assert_counts_are_exact();
    assert!(!run.log.contains("was lost"), "{}", run.log);
    assert_eq!(run.workers, [Some(0)], "{}", run.log);
}

#[test]
fn hostile_inputs_do_not_disturb_workers_of_either_kind() {
    let Some(python) = python() else { return };
    let load = ["--users", "8", "--spawn-rate", "8", "--run-time", "5m", "-s", "3", "--expect-workers", "2"];
    let mut shop = Shop::open_scenario(python, &load);
    let (locust, ours) = (shop.hire_locust(), shop.hire());
    shop.master.process.line("All users spawned: 8");
    attack(shop.master.address, shop.master.process.id(), 0..INPUTS);
    assert!(shop.master.process.is_running(), "{}", shop.master.process.log());
    shop.master.process.signal(Signal::Interrupt);
    for process in [locust.process, ours] {
        let exit = process.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    let run = shop.close();
    run.assert_counts_are_exact();
    assert!(!run.log.contains("was lost"), "{}", run.log);
}

/// Throws these inputs at the port and looks after each connection that the process did not grow.
fn attack(address: SocketAddr, process: u32, inputs: std::ops::Range<u64>) {
    let before = resident_kib(process);
    let next = AtomicU64::new(inputs.start);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let attacker = Attacker::new();
                while let Some(first) = claim(&next, inputs.end) {
                    attacker.attack(address, first..(first + INPUTS_PER_CONNECTION as u64).min(inputs.end));
                    let now = resident_kib(process);
                    assert!(now < before + GROWTH_MAX_KIB, "from {before} KiB to {now} KiB by input {first}");
                }
            });
        }
    });
    println!("{} to {} KiB in {:?}", before, resident_kib(process), started.elapsed());
}

fn claim(next: &AtomicU64, end: u64) -> Option<u64> {
    let first = next.fetch_add(INPUTS_PER_CONNECTION as u64, Ordering::Relaxed);
    (first < end).then_some(first)
}

struct Attacker {
    streams: Hostile,
    bodies: Hostile,
    opening: Vec<u8>,
}

impl Attacker {
    fn new() -> Self {
        let (streams, bodies) = (Hostile::from_corpus("zmtp", 1), Hostile::from_corpus("locust_messages", 0));
        Self { streams, bodies, opening: opening() }
    }

    /// Throws the inputs over one connection, or over one each: after a violation the master does not look at what
    /// follows.
    fn attack(&self, address: SocketAddr, inputs: std::ops::Range<u64>) {
        let mut dice = Dice::new(inputs.start);
        let mut bytes = Vec::new();
        for number in inputs {
            let input = self.input(number);
            bytes.extend(input);
            if dice.below(3) == 0 {
                throw(address, &std::mem::take(&mut bytes));
            }
        }
        throw(address, &bytes);
    }

    /// Bytes that make no worker of whoever sends them: anybody may become one, and would be given users.
    fn input(&self, number: u64) -> Vec<u8> {
        (0..)
            .map(|attempt: u64| self.candidate(number + attempt * INPUTS))
            .find(|bytes| !introduces_itself(bytes))
            .expect("most inputs do not")
    }

    fn candidate(&self, number: u64) -> Vec<u8> {
        match number % 4 {
            0 => self.streams.input(number),
            1 => [&self.opening[..], &self.streams.input(number)].concat(),
            _ => {
                let body = self.bodies.input(number);
                let len = (body.len() as u64).to_be_bytes();
                [&self.opening[..], &[2], &len, &body].concat()
            }
        }
    }
}

/// Whether a master could take these bytes for the first words of a worker.
fn introduces_itself(bytes: &[u8]) -> bool {
    let mut master = Connection::router(Limits::default());
    let mut input = bytes;
    while let Ok(Some(event)) = master.handle_bytes(&mut input) {
        master.poll_transmit();
        let Event::Message(message) = event else { continue };
        if WorkerMessage::decode(&message.body, MessageLimits::default()).is_ok_and(|it| {
            !matches!(it.message, WorkerMessage::Custom { .. } | WorkerMessage::LocustfileRequest { .. })
        }) {
            return true;
        }
    }
    false
}

/// Says all of it and waits until the master has ended the connection, too.
fn throw(address: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("the master accepts connections");
    stream.set_read_timeout(Some(FAREWELL)).expect("a timeout that is not zero");
    // The master may hang up at any point.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answer = [0; 4096];
    loop {
        match stream.read(&mut answer) {
            Ok(1..) => {}
            Ok(0) => return,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the master keeps a connection that has ended")
            }
            Err(_) => return,
        }
    }
}

/// The greeting and READY of a worker, which do not wait for those of the master.
fn opening() -> Vec<u8> {
    let mut master = Connection::router(Limits::default());
    let mut worker = Connection::dealer(b"h_1", Limits::default()).expect("a short identity");
    let mut opening = worker.poll_transmit().expect("a greeting");
    master.handle_bytes(&mut opening.as_slice()).expect("a valid greeting");
    let reply = master.poll_transmit().expect("a greeting and READY");
    worker.handle_bytes(&mut reply.as_slice()).expect("a valid handshake");
    opening.extend(worker.poll_transmit().expect("READY"));
    opening
}

/// The memory that a process has right now, in KiB.
fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
