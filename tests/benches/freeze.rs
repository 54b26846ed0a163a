//! A thousand arrivals a second meet a real server that stops answering for two seconds: what it did to those who came,
//! as it recorded it itself, beside what Sentinel reports and what it would report without correction.
//!
//! ```text
//! cargo bench -p sentinel-tests --bench freeze
//! ```
//!
//! Real processes, built for release, on the loopback. Ends with an exit code other than zero if an arrival is missing
//! or a reported percentile is off by more than two in a hundred.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sentinel_tests::process::{Master, Worker, scenario_file};
use tokio::net::TcpListener;

/// What the test is about.
const ARRIVALS: usize = 20_000;
const DISTANCE: Duration = Duration::from_millis(1);
const FREEZE_AFTER: Duration = Duration::from_secs(10);
const FREEZE: Duration = Duration::from_secs(2);

/// How far a reported percentile may be from the truth.
const TOLERANCE: f64 = 0.02;

/// A server that answers at once, except in a span that begins ten seconds after its first request. Clones are the same
/// server.
#[derive(Clone, Default)]
struct Server(Arc<Records>);

#[derive(Default)]
struct Records {
    first: OnceLock<Instant>,
    /// When each request came and when its answer left.
    exchanges: Mutex<Vec<(Instant, Instant)>>,
}

impl Server {
    /// Starts one on a thread of its own, so that nobody else's work delays it.
    fn start() -> (Self, SocketAddr) {
        let server = Self::default();
        let (told, address) = std::sync::mpsc::channel();
        let serving = server.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = listener.local_addr().expect("it is bound");
                told.send(address).expect("somebody waits for it");
                serving.accept(listener).await;
            });
        });
        (server, address.recv().expect("the server starts"))
    }

    async fn accept(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let server = self.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| server.clone().answer(request));
                // A client that goes away ends the connection; there is nobody to tell.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(self, _: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let came = Instant::now();
        let thaw = *self.0.first.get_or_init(|| came) + FREEZE_AFTER + FREEZE;
        if came + FREEZE >= thaw && came < thaw {
            tokio::time::sleep_until(thaw.into()).await;
        }
        let exchange = (came, Instant::now());
        self.0.exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        Ok(Response::new(Full::new(Bytes::from_static(b"{}"))))
    }

    /// How long each arrival waited for its answer: the first request came when it should, and the others were due after
    /// it, one every millisecond.
    fn truth_ms(&self) -> Vec<f64> {
        let mut exchanges = self.0.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clone();
        exchanges.sort_unstable();
        let Some((first, _)) = exchanges.first().copied() else {
            return Vec::new();
        };
        let waits = exchanges.iter().enumerate().map(|(number, (_, answered))| {
            let due = first + DISTANCE * number as u32;
            answered.saturating_duration_since(due).as_secs_f64() * 1e3
        });
        let mut waits: Vec<f64> = waits.collect();
        waits.sort_unstable_by(f64::total_cmp);
        waits
    }
}

/// One run and what came of it.
struct Outcome {
    made: usize,
    started: String,
    /// At the 95th and the 99th percentile.
    truth_ms: [f64; 2],
    reported_ms: [f64; 2],
    uncorrected_ms: [f64; 2],
}

fn run(arrivals: &str) -> Outcome {
    let (server, address) = Server::start();
    let file = scenario_file(&format!(
        "users: {{ Buyer: {{ arrivals: {{ {arrivals} }}, tasks: [{{ name: buy, steps: [{{ get: / }}] }}] }} }}"
    ));
    let (path, host) = (file.path().to_string_lossy(), format!("http://{address}"));
    let seconds = format!("{}s", (DISTANCE * ARRIVALS as u32).as_secs());
    let options = ["-f", &*path, "--host", &host, "-t", &seconds, "--expect-workers", "2", "--only-summary"];
    let master = Master::start(&options);
    let workers = [Worker::start(master.address), Worker::start(master.address)];
    // The run takes most of what a test may wait for.
    let exit = master.process.wait();
    workers.into_iter().for_each(|worker| drop(worker.process.wait()));
    let truth = server.truth_ms();
    let at = |share: f64| truth.get((truth.len() as f64 * share).ceil() as usize - 1).copied().unwrap_or(0.0);
    let times = |label| times_after(&exit.stderr, label).unwrap_or([f64::NAN; 2]);
    Outcome {
        made: truth.len(),
        started: line_with(&exit.stderr, "Delivered:").unwrap_or_default().to_owned(),
        truth_ms: [at(0.95), at(0.99)],
        reported_ms: times("from the intended start"),
        uncorrected_ms: times("from the actual start"),
    }
}

fn line_with<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find(|line| line.contains(label))
}

/// The 95th and 99th percentile in a line of the master's final text.
fn times_after(text: &str, label: &str) -> Option<[f64; 2]> {
    let (_, cells) = line_with(text, label)?.split_once(label)?;
    let numbers: Vec<f64> = cells.split_whitespace().filter_map(|cell| cell.parse().ok()).collect();
    Some([*numbers.get(1)?, *numbers.get(2)?])
}

impl Outcome {
    /// Prints it; returns whether it is as it should be.
    fn judge(&self, title: &str) -> bool {
        println!("\n{title}: {} of {ARRIVALS} arrivals made; {}", self.made, self.started);
        println!("{:>6}{:>14}{:>14}{:>10}{:>26}", "", "truth", "reported", "off by", "from the actual start");
        let mut sound = self.made == ARRIVALS;
        for (index, name) in ["p95", "p99"].into_iter().enumerate() {
            let [truth, reported, uncorrected] =
                [self.truth_ms, self.reported_ms, self.uncorrected_ms].map(|times| times[index]);
            let off = reported / truth - 1.0;
            println!(
                "{name:>6}{truth:>11.1} ms{reported:>11.1} ms{:>9.2}%{uncorrected:>23.1} ms",
                off * 100.0
            );
            // Not a number is not within it either.
            sound &= off.abs() <= TOLERANCE;
        }
        sound
    }
}

fn main() -> ExitCode {
    if !std::env::args().any(|arg| arg == "--bench") {
        println!("This takes a minute; run it with cargo bench.");
        return ExitCode::SUCCESS;
    }
    let runs = [
        ("a user for every arrival", "rate: 1000/s, max_users: 3000"),
        ("250 users, for whom arrivals wait", "rate: 1000/s, max_users: 250, max_delay: 10s"),
    ];
    let sound = runs.map(|(title, arrivals)| run(arrivals).judge(title));
    if sound == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
