//! What 200 open browsers cost the master: its CPU with and without that many clients that listen to live events, in the
//! same run, with few request names and with many.
//!
//! ```text
//! cargo bench -p sentinel-tests --bench listeners
//! ```
//!
//! Real processes, built for release, on the loopback. Ends with an exit code other than zero if the clients cost a tenth of a
//! core or more.

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sentinel_tests::process::{Site, Target, Worker, scenario_file};
use serde_json::json;
use tokio::task::JoinSet;

/// Clients.
const LISTENERS: usize = 200;

/// How long CPU is measured, each time.
const SPAN: Duration = Duration::from_secs(20);

/// The most that they may cost, in cores.
const BOUND: f64 = 0.1;

/// Clock ticks per second that Linux counts CPU time in, on every machine that this runs on (`USER_HZ`, proc(5)).
const TICKS_PER_S: f64 = 100.0;

/// A scenario whose users ask for so many different things.
fn scenario(names: usize) -> String {
    format!(
        "users: {{ A: {{ wait_time: constant(0.1), tasks: [{{ name: t, steps: [\
         {{ get: /health, name: '/item/{{{{ randint(1, {names}) }}}}' }}] }}] }} }}"
    )
}

/// The CPU time that a process has used, in seconds.
fn cpu_s(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    // The name, which may have blanks, ends with the last parenthesis; user and system time are fields 14 and 15.
    let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks"));
    ticks.sum::<f64>() / TICKS_PER_S
}

/// Cores that a process uses over [`SPAN`].
async fn cores(process: u32) -> f64 {
    let (before, since) = (cpu_s(process), Instant::now());
    tokio::time::sleep(SPAN).await;
    (cpu_s(process) - before) / since.elapsed().as_secs_f64()
}

/// Clients that read all that comes, and count its bytes.
async fn listen(site: &Site, bytes: &Arc<AtomicU64>) -> JoinSet<()> {
    let mut listeners = JoinSet::new();
    for _ in 0..LISTENERS {
        let mut answer = site.get("/api/v1/events").await;
        assert!(answer.status().is_success(), "{}", answer.status());
        let bytes = bytes.clone();
        listeners.spawn(async move {
            while let Ok(Some(chunk)) = answer.chunk().await {
                bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
        });
    }
    listeners
}

/// Measures with so many request names. Returns whether the clients cost no more than they may.
async fn measure(names: usize) -> bool {
    let target = Target::start(&[]);
    let file = scenario_file(&scenario(names));
    let (path, url) = (file.path().to_string_lossy(), target.url());
    let site = Site::start(&["-f", &path, "--host", &url]);
    let _worker = Worker::start(site.master.address);
    let is_there = |status: &serde_json::Value| !status["workers"].as_array().expect("a list").is_empty();
    site.json_until("/api/v1/status", "a worker", is_there).await;
    let (code, text) = site.post("/api/v1/run", &json!({ "users": 50, "spawn_rate": 50 })).await;
    assert_eq!(code, 200, "{text}");
    let all_seen =
        |status: &serde_json::Value| status["run"]["requests"].as_array().expect("a list").len() == names;
    site.json_until("/api/v1/status", "all names", all_seen).await;

    let process = site.master.process.id();
    let without = cores(process).await;
    let bytes = Arc::new(AtomicU64::new(0));
    let listeners = listen(&site, &bytes).await;
    bytes.store(0, Ordering::Relaxed);
    let with = cores(process).await;
    let megabytes_per_s = bytes.load(Ordering::Relaxed) as f64 / SPAN.as_secs_f64() / 1e6;
    drop(listeners);
    let cost = with - without;
    println!(
        "{names:>4} names: {without:.3} cores alone, {with:.3} with {LISTENERS} clients that read \
         {megabytes_per_s:.1} MB/s: they cost {cost:.3} cores"
    );
    cost < BOUND
}

#[tokio::main]
async fn main() -> ExitCode {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("This takes two minutes; run it with cargo bench.");
        return ExitCode::SUCCESS;
    }
    let mut sound = true;
    for names in [20, 500] {
        sound &= measure(names).await;
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
