//! Real Locust workers in a Sentinel master's cluster: they behave as at home, and whatever happens to one of them is no
//! trouble for the others.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser as _;
use sentinel_common::dispatch::SpawnRate;
use sentinel_common::locust::{ClientVersion, MasterMessage, WorkerMessage};
use sentinel_master::cli::Args;
use sentinel_master::control::Command;
use sentinel_master::terminal::Terminal;
use sentinel_tests::locust::{
    Files, LocustWorker, SHOP_CLASSES, Said, Shop, Stranger, Wiretap, python, steps_of,
};
use sentinel_tests::process::{Master, Process, Program, Signal, Target, counts_of, free_port};
use tokio::sync::mpsc;

/// For things that should come at once.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn two_locust_workers_carry_a_run() {
    let Some(python) = python() else { return };
    let load = ["--users", "12", "--spawn-rate", "4", "--run-time", "8s", "-s", "3", "--expect-workers", "2"];
    let shop = Shop::open_locustfile(python, &load);
    let workers = [shop.hire_locust(), shop.hire_locust_without_file()];
    shop.master.process.line("All users spawned: 12");
    assert_ramp(&shop.steps(), 4, 12);
    shop.wiretap.wait_for("end of the ramp", |heard| {
        heard.said == Said::Master(MasterMessage::SpawningComplete { user_count: 12 })
    });
    // The one without a file asked for it, on a connection of its own.
    shop.wiretap.wait_for_kind("worker locustfile");
    for worker in workers {
        let exit = worker.process.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    let run = shop.close();
    run.assert_counts_are_exact();
    assert_eq!(run.code, Some(1), "requests failed\n{}", run.log);
    run.assert_says("422");
    run.assert_says("the visitor blew up");
}

#[test]
fn a_load_that_is_edited_goes_down_and_up_in_steps() {
    let Some(python) = python() else { return };
    let files = Files::shop();
    let file = files.locustfile();
    let steps = edited(&["-f", &file, "--user-classes", SHOP_CLASSES], |tapped, _| {
        [(); 2].map(|()| LocustWorker::start(python, tapped, &file).process)
    });
    assert_eq!(turns(&steps), [12, 3], "up, down and up again: {steps:?}");
    assert!(steps.len() >= 7, "in steps: {steps:?}");
}

#[test]
fn workers_of_both_kinds_follow_an_edited_load() {
    let Some(python) = python() else { return };
    let files = Files::shop();
    let (file, scenario) = (files.locustfile(), files.scenario());
    let steps = edited(&["-f", &scenario], |tapped, master| {
        let ours = Process::start(Program::Worker, &["--master", &master.to_string(), "--threads", "1"]);
        [LocustWorker::start(python, tapped, &file).process, ours]
    });
    // One half of 12, 3 and 7 users, whoever has the odd one.
    assert!(matches!(turns(&steps)[..], [6, 1 | 2]), "up, down and up again: {steps:?}");
    assert!(matches!(steps.last(), Some(3 | 4)), "{steps:?}");
}

/// A run of two workers that is edited from 12 users to 3 and to 7. `hire` starts them, the first argument is where the
/// wiretap listens and the second where the master does. Returns the users that Locust's workers were told, step by step.
fn edited(args: &[&str], hire: impl FnOnce(SocketAddr, SocketAddr) -> [Process; 2]) -> Vec<u64> {
    let (target, port) = (Target::start(&[]), free_port());
    let (url, port_text) = (target.url(), port.to_string());
    let place = ["--host", &url, "--master-bind-host", "127.0.0.1", "--master-bind-port", &port_text];
    let load = ["-u", "12", "-r", "4", "--expect-workers", "2", "--headless"];
    let args = ["sentinel-master"].iter().chain(args).chain(&place).chain(&load);
    let args = Args::try_parse_from(args).expect("good usage");
    // Inside this process, where it can be told to edit the load.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (command, commands) = mpsc::channel(1);
    let master = runtime.spawn(sentinel_master::run(args, commands, Terminal::absent()));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let wiretap = Wiretap::before(address);
    let workers = hire(wiretap.address, address);
    let tell = |what: Command| command.blocking_send(what).expect("the master is there");
    for users in [12, 3, 7] {
        if users != 12 {
            tell(Command::Edit { users, spawn_rate: SpawnRate::per_second(4.0).expect("a rate") });
        }
        wiretap.wait_for("end of the ramp", |heard| {
            heard.said == Said::Master(MasterMessage::SpawningComplete { user_count: users.into() })
        });
    }
    tell(Command::Interrupt);
    for worker in workers {
        assert_eq!(worker.wait().code, Some(0));
    }
    assert_eq!(
        runtime.block_on(master).expect("no panic"),
        1,
        "requests failed, as they should in this shop"
    );
    let mut steps = steps_of(&wiretap);
    steps.dedup();
    steps
}

/// The numbers at which a sequence changes its direction.
fn turns(steps: &[u64]) -> Vec<u64> {
    steps.windows(3).filter(|w| (w[0] < w[1]) != (w[1] < w[2])).map(|w| w[1]).collect()
}

#[test]
fn a_killed_locust_worker_is_replaced_by_the_others_and_by_a_late_one() {
    let Some(python) = python() else { return };
    let load =
        ["--users", "12", "--spawn-rate", "12", "--run-time", "14s", "-s", "3", "--expect-workers", "2"];
    let shop = Shop::open_locustfile(python, &load);
    let [mut lost, stays] = [shop.hire_locust(), shop.hire_locust()];
    shop.master.process.line("All users spawned: 12");
    let killed = lost.process.signal(Signal::Kill);
    let noticed = shop.master.process.line("was lost with 6 users").at;
    assert!(noticed - killed < Duration::from_secs(2), "noticed after {:?}", noticed - killed);
    // Its users are the other's now, and then they are shared with one that comes late.
    shop.wiretap.wait_for("12 users on one worker", |heard| is_spawn_of(&heard.said, 12));
    let late = shop.hire_locust();
    shop.ids(3);
    let shared = shop.wiretap.wait_for("6 users on the late worker", |heard| {
        let complete =
            matches!(heard.said, Said::Worker(WorkerMessage::SpawningComplete { user_count: 6, .. }));
        heard.connection == 2 && complete
    });
    assert!(shared.at > killed);
    for worker in [stays, late] {
        let exit = worker.process.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    let steps = shop.steps();
    let run = shop.close();
    assert!(steps.len() >= 4, "{steps:?}");
    // What the killed one had not reported is lost with it: at most 3 s of 6 users with 20 requests per second each.
    run.assert_lost_at_most(400);
}

#[test]
fn a_frozen_locust_worker_is_missed_after_four_to_five_seconds_and_comes_back() {
    let Some(python) = python() else { return };
    let load = ["--users", "8", "--spawn-rate", "8", "--run-time", "16s", "-s", "3", "--expect-workers", "2"];
    let shop = Shop::open_locustfile(python, &load);
    let mut workers = [shop.hire_locust(), shop.hire_locust()];
    shop.master.process.line("All users spawned: 8");
    let frozen = workers[0].process.signal(Signal::Stop);
    let noticed = shop.master.process.line("was lost with 4 users").at;
    let after = noticed - frozen;
    // Up to a second passes between its last heartbeat and the moment at which it froze.
    assert!(after > Duration::from_secs(3) && after < Duration::from_millis(6500), "missed after {after:?}");
    workers[0].process.signal(Signal::Continue);
    shop.master.process.line("which was missing, is back");
    for worker in workers {
        let exit = worker.process.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    shop.close().assert_counts_are_exact();
}

#[test]
fn another_release_of_locust_is_warned_of_and_works() {
    let Some(python) = python() else { return };
    let load = ["--users", "4", "--spawn-rate", "4", "--run-time", "4s", "-s", "3"];
    let shop = Shop::open_locustfile(python, &load);
    let (program, file) = (shop.files.other_release(), shop.files.locustfile());
    let worker = LocustWorker::start_by(python, &program, shop.wiretap.address, &file);
    shop.master.process.line("running a different version (2.11.1) connected, master version is 2.47.0");
    let exit = worker.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    shop.close().assert_counts_are_exact();
}

#[test]
fn a_second_worker_of_the_same_identity_is_ignored() {
    let Some(python) = python() else { return };
    let load = ["--users", "4", "--spawn-rate", "4", "--run-time", "4s", "-s", "3", "--expect-workers", "2"];
    let shop = Shop::open_locustfile(python, &load);
    let mut first = Stranger::join(shop.master.address, "twin_1");
    let ready = WorkerMessage::ClientReady(ClientVersion::Unchecked);
    first.say(&ready);
    assert!(matches!(first.hear(SOON), Some(MasterMessage::Ack { .. })), "the first is taken");
    let mut second = Stranger::join(shop.master.address, "twin_1");
    second.say(&ready);
    assert_eq!(second.hear(Duration::from_secs(2)), None, "the second is not spoken to");
    // The first one is still the one that counts.
    first.say(&ready);
    assert!(matches!(first.hear(SOON), Some(MasterMessage::Ack { .. })), "the first is still known");
    drop((first, second));
    let workers = [shop.hire_locust(), shop.hire_locust()];
    for worker in workers {
        let exit = worker.process.wait();
        assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    }
    shop.close().assert_counts_are_exact();
}

#[test]
fn a_malformed_message_ends_only_the_connection_that_it_came_on() {
    let Some(python) = python() else { return };
    let load = ["--users", "6", "--spawn-rate", "6", "--run-time", "6s", "-s", "3"];
    let shop = Shop::open_locustfile(python, &load);
    let worker = shop.hire_locust();
    shop.master.process.line("All users spawned: 6");
    // Each of these stops a Locust master for good.
    let bodies: [&[u8]; 6] = [
        b"",
        b"\xc1",
        b"\x05",
        b"\x92\xa4quit\xc0",
        b"\x93\xa9heartbeat\x80\xa3h_1",
        b"\x93\xa4quit\xc0\xa3h_1\xc0",
    ];
    for (number, body) in bodies.iter().enumerate() {
        let mut stranger = Stranger::join(shop.master.address, &format!("h_{number}"));
        stranger.say_bytes(body);
        assert!(stranger.is_closed(SOON), "the connection goes on after {body:?}");
    }
    let exit = worker.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    shop.close().assert_counts_are_exact();
}

#[test]
fn figures_of_a_worker_that_was_never_introduced_are_not_merged() {
    let Some(python) = python() else { return };
    let load = ["--users", "4", "--spawn-rate", "4", "--run-time", "5s", "-s", "3"];
    let shop = Shop::open_locustfile(python, &load);
    let worker = shop.hire_locust();
    shop.master.process.line("All users spawned: 4");
    let heard = shop.wiretap.wait_for("a report with requests", |heard| {
        matches!(&heard.said, Said::Worker(WorkerMessage::Stats(report)) if report.stats_total.num_requests > 0)
    });
    let Said::Worker(report) = heard.said else { panic!("a worker reports") };
    let mut stranger = Stranger::join(shop.master.address, "forger_1");
    stranger.say(&report);
    // It has gone through the master by the time that this is answered, if it is.
    stranger.is_closed(Duration::from_secs(1));
    let exit = worker.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    shop.close().assert_counts_are_exact();
}

#[test]
fn a_master_that_was_killed_and_restarted_gets_its_locust_workers_back() {
    let Some(python) = python() else { return };
    let files = Files::shop();
    let (target, port, file) = (Target::start(&[]), free_port().to_string(), files.locustfile());
    let start = |run_time: &str| {
        let url = target.url();
        let own = ["-f", &file, "--user-classes", "Browser,Buyer", "--host", &url, "--json"];
        let load = ["--users", "4", "--spawn-rate", "4", "--run-time", run_time, "-s", "3"];
        Master::start(&[&own[..], &load, &["--master-bind-port", &port]].concat())
    };
    let mut first = start("60s");
    let worker = LocustWorker::start(python, first.address, &file);
    first.process.line("All users spawned: 4");
    first.process.signal(Signal::Kill);
    drop(first);
    let before: u64 = target.served().values().sum();
    // The worker first stops what it did for the first, for which it takes the time of a graceful stop.
    let second = start("12s");
    let exit = second.process.wait();
    let counted: u64 = counts_of(&exit.stdout).values().sum();
    let served: u64 = target.served().values().sum::<u64>() - before;
    assert!(counted > 100 && counted <= served, "{counted} of {served}\n{}", exit.stderr);
    let exit = worker.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}

fn is_spawn_of(said: &Said, users: u64) -> bool {
    let Said::Master(MasterMessage::Spawn(spawn)) = said else { return false };
    spawn.user_classes_count.iter().map(|(_, count)| count).sum::<u64>() == users
}

/// Up to `users` by at most `step` at a time, and never down.
fn assert_ramp(steps: &[u64], step: u64, users: u64) {
    let mut before = 0;
    for after in steps {
        assert!(*after >= before && *after <= before + step, "{steps:?}");
        before = *after;
    }
    assert_eq!(before, users, "{steps:?}");
}
