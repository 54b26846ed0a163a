//! What a run needs of the machines that make its load, and whether they have it.

use std::collections::BTreeMap;

use super::outlook::{Outlook, highest_rate};
use super::turn::Wanted;
use crate::figures::{grouped, whole};
use crate::ids::WorkerId;
use crate::messages::{Resources, Wire};

/// Files that a process has open beside the connections of its users: logs, timers, the connection to its peer.
pub const RESERVED_FILES: u64 = 64;

/// How long Linux keeps the port of a connection that was closed.
pub const TIME_WAIT_S: u64 = 60;

/// A rule of thumb for small requests without TLS, on the careful side: what one core makes of them.
pub const REQUESTS_PER_S_OF_CORE: f64 = 10_000.0;

/// What a run asks of its workers at its peak, all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// Users that are placed; zero if nobody knows beforehand.
    pub users: u64,
    /// Users that serve arrivals, at most.
    pub open_users: u64,
    /// Requests per second, at most; `None` if nothing limits them, or only the run can tell.
    pub requests_per_s: Option<f64>,
    /// New connections per second, at most; `None` likewise.
    pub connections_per_s: Option<f64>,
}

/// What there may be too little of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Files that a process may have open; every connection is one.
    OpenFiles,
    /// Ports for the connections that are open at once.
    Ports,
    /// Ports for connections that are opened and closed all the time.
    NewConnections,
    /// Cores.
    Cores,
}

/// A worker as far as its resources are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Supply<'a> {
    /// Which worker.
    pub worker: &'a WorkerId,
    /// What it speaks.
    pub wire: Wire,
    /// What it has.
    pub resources: Resources,
}

impl Demand {
    /// What a run asks for.
    pub fn of(outlook: &Outlook<'_>) -> Self {
        let crowds = outlook.crowds(Wanted::All);
        let connections = crowds.as_ref().and_then(|crowds| {
            let of_crowd =
                |crowd: &super::outlook::Crowd<'_>| match crowd.turn.connections_per_iteration(crowd.class) {
                    0.0 => Some(0.0),
                    each => Some(each * crowd.iterations_per_s?),
                };
            crowds.iter().map(of_crowd).sum()
        });
        Self {
            users: outlook.users().unwrap_or(0).into(),
            open_users: outlook.open_users(),
            requests_per_s: crowds.and_then(|crowds| highest_rate(&crowds)),
            connections_per_s: connections,
        }
    }

    /// What the workers have too little of, each with what to do about it. What a worker does not say is not known and
    /// not complained of.
    pub fn shortages(&self, workers: &[Supply<'_>]) -> Vec<(Resource, String)> {
        let ours = workers.iter().filter(|supply| supply.wire == Wire::Grpc).count() as u64;
        if ours == 0 {
            return Vec::new();
        }
        // Arrivals are made by our own workers only.
        let share = self.users.div_ceil(workers.len() as u64) + self.open_users.div_ceil(ours);
        let of_worker = |rate: f64| rate / workers.len() as f64;
        let shortages = [
            (Resource::OpenFiles, open_files(workers, share)),
            (Resource::Ports, ports(workers, share)),
            (
                Resource::NewConnections,
                self.connections_per_s.and_then(|rate| new_connections(workers, of_worker(rate))),
            ),
            (Resource::Cores, self.requests_per_s.and_then(|rate| cores(workers, rate))),
        ];
        shortages.into_iter().filter_map(|(resource, text)| Some((resource, text?))).collect()
    }
}

/// Why a master that expects so many workers may not have so many connections; `None` if it may.
pub fn master_files(expect_workers: usize, open_files: u64) -> Option<String> {
    let needed = expect_workers as u64 + RESERVED_FILES;
    (0 < open_files && open_files < needed).then(|| {
        format!(
            "this master may have {} files open, but {} workers are {} connections and it needs {RESERVED_FILES} more for \
             itself; raise `ulimit -n` to at least {needed}",
            grouped(open_files),
            grouped(expect_workers as u64),
            grouped(expect_workers as u64),
        )
    })
}

/// The workers that are short of something, as the beginning of a sentence: the first by name, the others as a number.
fn named(short: &[&Supply<'_>]) -> Option<String> {
    let first = short.first()?.worker;
    Some(match short.len() - 1 {
        0 => format!("worker {first}"),
        1 => format!("worker {first}, like another one,"),
        more => format!("worker {first}, like {more} others,"),
    })
}

/// Every user holds a connection, which is a file.
fn open_files(workers: &[Supply<'_>], share: u64) -> Option<String> {
    let needed = share + RESERVED_FILES;
    let is_short = |it: &&Supply<'_>| (1..needed).contains(&it.resources.open_files);
    let short: Vec<&Supply<'_>> = workers.iter().filter(is_short).collect();
    let who = named(&short)?;
    let has = short.first()?.resources.open_files;
    Some(format!(
        "{who} may have {} files open, but its share of {} users needs a connection each and {RESERVED_FILES} more files; \
         raise `ulimit -n` to at least {needed} there, or start more workers",
        grouped(has),
        grouped(share),
    ))
}

/// Every connection to the same address of a target has a port of its own.
fn ports(workers: &[Supply<'_>], share: u64) -> Option<String> {
    let is_short = |it: &&Supply<'_>| (1..share).contains(&u64::from(it.resources.ports));
    let short: Vec<&Supply<'_>> = workers.iter().filter(is_short).collect();
    let who = named(&short)?;
    let has = short.first()?.resources.ports;
    Some(format!(
        "{who} has {} ports for connections to one address, but its share is {} users with a connection each; widen \
         `sysctl net.ipv4.ip_local_port_range` there, or start workers on more machines",
        whole(has.into()),
        grouped(share),
    ))
}

/// The port of a connection that was closed stays taken for a while.
fn new_connections(workers: &[Supply<'_>], per_second: f64) -> Option<String> {
    let needed = per_second * TIME_WAIT_S as f64;
    let is_short = |it: &&Supply<'_>| it.resources.ports > 0 && f64::from(it.resources.ports) < needed;
    let short: Vec<&Supply<'_>> = workers.iter().filter(is_short).collect();
    let who = named(&short)?;
    let has = short.first()?.resources.ports;
    Some(format!(
        "{who} has {} ports for connections to one address, but its share of {} new connections per second takes {}, \
         because each port stays taken for {TIME_WAIT_S} s; keep connections (`reuse: user`), widen \
         `sysctl net.ipv4.ip_local_port_range` there, or start workers on more machines",
        whole(has.into()),
        whole(per_second),
        whole(needed),
    ))
}

fn cores(workers: &[Supply<'_>], requests_per_s: f64) -> Option<String> {
    let needed = (requests_per_s / REQUESTS_PER_S_OF_CORE).ceil();
    let has = all_cores(workers).filter(|has| f64::from(*has) < needed)?;
    Some(format!(
        "up to {} requests per second are planned, which needs about {} cores ({} per core is a rule of thumb), and the \
         workers have {has}; start workers on more machines",
        whole(requests_per_s),
        whole(needed),
        whole(REQUESTS_PER_S_OF_CORE),
    ))
}

/// The cores of all workers; `None` if one does not say. Workers on one machine have the same ones.
fn all_cores(workers: &[Supply<'_>]) -> Option<u32> {
    let mut machines: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for Supply { worker, resources, .. } in workers {
        let usable = [resources.threads, resources.cores].into_iter().filter(|cores| *cores > 0).min()?;
        let name = worker.as_str();
        let machine = name.rsplit_once('_').map_or(name, |(machine, _)| machine);
        let (threads, cores) = machines.entry(machine).or_default();
        *threads = threads.saturating_add(usable);
        *cores = (*cores).max(resources.cores);
    }
    let of_machine = |(threads, cores): (u32, u32)| if cores == 0 { threads } else { threads.min(cores) };
    Some(machines.into_values().map(of_machine).fold(0, u32::saturating_add))
}
