//! A whole worker in the cluster of a scripted Locust master, with real users on a real target.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scripted_master;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sentinel_common::ids::WorkerId;
use sentinel_common::locust::{MasterMessage, Spawn, StatsReport, WorkerMessage};
use sentinel_common::locust_worker::{Exit, OwnScenario};
use sentinel_common::zmtp::{Connection, Limits};
use sentinel_worker::address::MasterAddress;
use sentinel_worker::{LocustOptions, WorkerConfig, run_for_any};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::scripted_master::Master;

/// Longer than anything here takes, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

const SCENARIO: &str = "
users:
  Buyer:
    wait_time: constant(0.05)
    tasks:
      - name: buy
        steps:
          - get: /buy
";

/// A target that counts its requests. Returns its URL.
async fn target(count: Arc<AtomicU64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, count.clone()));
        }
    });
    format!("http://{address}")
}

async fn serve(mut stream: TcpStream, count: Arc<AtomicU64>) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            count.fetch_add(1, Ordering::Relaxed);
            if stream.write_all(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n").await.is_err() {
                return;
            }
        }
    }
}

/// Starts a worker for the master at this port, whose protocol it has to find out.
fn start(port: u16) -> tokio::task::JoinHandle<anyhow::Result<Exit>> {
    let master = MasterAddress { host: "127.0.0.1".to_owned(), port };
    let config = WorkerConfig { id: WorkerId::new("h1_a").unwrap(), master, threads: 1 };
    let scenario = OwnScenario {
        name: "shop.yaml".to_owned(),
        text: SCENARIO.to_owned(),
        classes: vec!["Buyer".to_owned()],
        files: sentinel_common::files::NamedFiles::new(),
        adjustments: sentinel_common::scenario::Adjustments::default(),
    };
    let options = LocustOptions { scenario: Some(scenario), ..LocustOptions::default() };
    tokio::spawn(async move {
        let (_never, shutdown) = mpsc::channel(1);
        run_for_any(config, options, shutdown).await
    })
}

fn spawn(timestamp: f64, users: u64, host: &str) -> MasterMessage {
    MasterMessage::Spawn(Box::new(Spawn {
        timestamp,
        user_classes_count: vec![("Buyer".to_owned(), users)],
        host: Some(host.to_owned()),
        stop_timeout: Some(0.0),
        parsed_options: Vec::new(),
    }))
}

/// The master's side: what it heard up to a message of this type, heartbeats answered.
async fn hear_until(master: &mut Master, kind: &str) -> Vec<WorkerMessage> {
    let mut heard = Vec::new();
    loop {
        let message = master.hear().await.unwrap();
        if matches!(message, WorkerMessage::Heartbeat(_)) {
            master.say(&MasterMessage::Heartbeat).await;
        }
        let last = message.kind() == kind;
        heard.push(message);
        if last {
            return heard;
        }
    }
}

/// The part of what was heard that does not come by the clock.
fn kinds(heard: &[WorkerMessage]) -> Vec<&str> {
    let by_the_clock = ["heartbeat", "stats", "logs"];
    heard.iter().map(WorkerMessage::kind).filter(|kind| !by_the_clock.contains(kind)).collect()
}

fn reports(heard: &[WorkerMessage]) -> impl Iterator<Item = &StatsReport> {
    heard.iter().filter_map(|message| match message {
        WorkerMessage::Stats(report) => Some(&**report),
        _ => None,
    })
}

#[tokio::test]
async fn a_run_up_and_down_counts_every_request_and_ends_with_the_last_figures() {
    let count = Arc::new(AtomicU64::new(0));
    let host = target(count.clone()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let worker = start(listener.local_addr().unwrap().port());
    let script = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut master = Master::new(stream, Connection::router(Limits::default()));
        let mut heard = hear_until(&mut master, "client_ready").await;
        master.say(&MasterMessage::Ack { index: Some(0) }).await;
        for (timestamp, users) in [(1.0, 4), (2.0, 1)] {
            master.say(&spawn(timestamp, users, &host)).await;
            heard.extend(hear_until(&mut master, "spawning_complete").await);
            let told = heard.last().cloned().unwrap();
            let user_classes_count = vec![("Buyer".to_owned(), users)];
            assert_eq!(told, WorkerMessage::SpawningComplete { user_classes_count, user_count: users });
            // Figures come while the run goes on.
            while reports(&heard).map(|report| report.stats_total.num_requests).sum::<u64>()
                < timestamp as u64
            {
                heard.extend(hear_until(&mut master, "stats").await);
            }
        }
        master.say(&MasterMessage::Quit).await;
        heard.extend(hear_until(&mut master, "quit").await);
        assert!(master.hear().await.is_none(), "that was the last word");
        heard
    };
    let heard = tokio::time::timeout(PATIENCE, script).await.unwrap();
    assert_eq!(worker.await.unwrap().unwrap(), Exit::Done);
    let steps = ["spawning", "spawning_complete"].repeat(2);
    assert_eq!(kinds(&heard), [&["client_ready"], steps.as_slice(), &["quit"]].concat());
    let sent = count.load(Ordering::Relaxed);
    let sum = |figure: fn(&StatsReport) -> u64| reports(&heard).map(figure).sum::<u64>();
    assert_eq!(sum(|report| report.stats_total.num_requests), sent);
    assert_eq!(sum(|report| report.stats_total.num_failures), sent);
    assert_eq!(sum(|report| report.errors.iter().map(|error| error.occurrences).sum()), sent);
    assert!(sent > 0);
}
