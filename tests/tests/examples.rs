//! The example scenarios do what their comments say: each is run by a real master with two real workers against the
//! site that it is written for, and its books must be those of the site.
//!
//! [`RUNS`] is the table: what is run, and what that must have come to. Runs in which nothing depends on the pace of
//! the machine go side by side, the others alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sentinel_tests::process::{Counts, Exit, Finished, Master, PATIENCE, Process, Target, Worker, until};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::{self, Runtime};

/// One run of an example.
struct Example {
    /// Its file.
    file: &'static str,
    /// Options of the master beside those of all runs.
    args: &'static [&'static str],
    site: fn() -> Box<dyn Site>,
    /// Whether it must have the machine to itself.
    pace: Pace,
    /// What it must have come to, beside exact books and a PASS.
    check: fn(&Run),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Only what happened counts.
    Any,
    /// When it happened counts, too.
    Kept,
}

const RUNS: [Example; 12] = [
    Example {
        file: "login.yaml",
        args: &["-u", "8", "-r", "20", "-t", "3s"],
        site: shop,
        pace: Pace::Any,
        check: both_ways_to_log_in_were_taken,
    },
    Example {
        file: "shopping.yaml",
        args: &["-u", "6", "-r", "20", "-i", "60", "-t", "50s"],
        site: shop,
        pace: Pace::Any,
        check: every_shopper_went_shopping_once,
    },
    Example {
        file: "upload.yaml",
        args: &["-u", "4", "-r", "20", "-t", "3s"],
        site: shop,
        pace: Pace::Any,
        check: files_arrived_whole,
    },
    Example {
        file: "fraud.yaml",
        args: &["-u", "4", "-r", "20", "-t", "3s"],
        site: inference_api,
        pace: Pace::Any,
        check: single_and_batch_predictions_were_made,
    },
    Example {
        file: "setup.yaml",
        args: &["-u", "4", "-r", "20", "-t", "3s"],
        site: shop,
        pace: Pace::Any,
        check: the_account_existed_only_for_the_run,
    },
    Example {
        file: "tags.yaml",
        args: &["-u", "6", "-r", "20", "-t", "4s"],
        site: shop,
        pace: Pace::Any,
        check: all_tasks_ran_and_checkouts_in_order,
    },
    Example {
        file: "tags.yaml",
        args: &["-u", "4", "-r", "20", "-t", "3s", "-T", "read"],
        site: shop,
        pace: Pace::Any,
        check: only_reading_tasks_ran,
    },
    Example {
        file: "tags.yaml",
        args: &["-u", "4", "-r", "20", "-t", "3s", "-E", "read"],
        site: shop,
        pace: Pace::Any,
        check: only_checkouts_ran,
    },
    Example {
        file: "paced.yaml",
        args: &["-u", "10", "-r", "50", "-t", "5s"],
        site: shop,
        pace: Pace::Kept,
        check: late_iterations_show_in_corrected_times,
    },
    Example {
        file: "poisson.yaml",
        args: &["-t", "4s"],
        site: shop,
        pace: Pace::Kept,
        check: as_many_visitors_came_as_chance_allows,
    },
    Example {
        file: "stages.yaml",
        args: &[],
        site: shop,
        pace: Pace::Kept,
        check: users_followed_the_stages,
    },
    Example { file: "spike.yaml", args: &[], site: shop, pace: Pace::Kept, check: users_followed_the_spike },
];

#[test]
fn every_example_is_in_the_table() {
    let files = fs::read_dir(folder()).expect("the folder of the examples");
    let files = files.map(|file| file.expect("a readable folder").file_name().into_string().expect("UTF-8"));
    let scenarios: BTreeSet<String> = files.filter(|name| name.ends_with(".yaml")).collect();
    let tested: BTreeSet<String> = RUNS.iter().map(|example| example.file.to_owned()).collect();
    assert_eq!(scenarios, tested);
}

#[test]
fn every_example_says_how_it_is_run_and_where_its_schema_is() {
    for Example { file, .. } in &RUNS {
        let text = fs::read_to_string(folder().join(file)).expect("an example");
        let head: Vec<&str> = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert_eq!(head[0], "# yaml-language-server: $schema=../scenario.schema.json", "{file}");
        let command = format!("sentinel-master -f loadtest/examples/{file} --headless ");
        assert!(head.iter().any(|line| line.contains(&command)), "{file} does not say {command:?}");
        assert!(head.iter().any(|line| line.contains("cargo run --release -p ")), "{file} has no target");
    }
}

#[test]
fn every_example_does_what_it_says() {
    let (quiet, alone): (Vec<&Example>, Vec<&Example>) =
        RUNS.iter().partition(|example| example.pace == Pace::Any);
    let mut failed = Vec::new();
    for some in quiet.chunks(SIDE_BY_SIDE).chain(alone.chunks(1)) {
        failed.extend(failed_of(some));
    }
    assert!(failed.is_empty(), "these examples failed, see above: {failed:?}");
}

/// So many clusters run at a time where pace does not matter.
const SIDE_BY_SIDE: usize = 4;

/// Runs these at the same time and returns the names of those that failed.
fn failed_of(examples: &[&Example]) -> Vec<String> {
    let outcomes = thread::scope(|scope| {
        let runs: Vec<_> = examples.iter().map(|example| scope.spawn(|| example.run())).collect();
        runs.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let failed = examples.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_err());
    failed.map(|(example, _)| format!("{} {}", example.file, example.args.join(" "))).collect()
}

/// What is loaded.
trait Site: Send {
    fn url(&self) -> String;

    /// How many requests came, by `GET /me`.
    fn served(&self) -> Counts;

    /// The body of an answer, which is JSON, with its status.
    fn get(&self, path: &str) -> (u16, Value);
}

/// A shop in this process. It closes with this value.
struct Shop {
    url: String,
    client: reqwest::Client,
    runtime: Runtime,
}

fn shop() -> Box<dyn Site> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    runtime.spawn(::shop::serve(listener, std::future::pending()));
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
    Box::new(Shop { url, client, runtime })
}

impl Site for Shop {
    fn url(&self) -> String {
        self.url.clone()
    }

    fn served(&self) -> Counts {
        let (_, counts) = self.get("/counts");
        serde_json::from_value(counts).expect("counts by method and route")
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let answer = async {
            let response = self.client.get(format!("{}{path}", self.url)).send().await?;
            Ok::<_, reqwest::Error>((response.status().as_u16(), response.text().await?))
        };
        let (status, text) = self.runtime.block_on(answer).expect("the shop answers");
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error} in {text}")))
    }
}

/// The inference API, which counts by path alone: each of its paths has one method.
struct InferenceApi(Target);

fn inference_api() -> Box<dyn Site> {
    Box::new(InferenceApi(Target::start(&[])))
}

impl Site for InferenceApi {
    fn url(&self) -> String {
        self.0.url()
    }

    fn served(&self) -> Counts {
        let method = |path: &str| if path == "/health" { "GET" } else { "POST" };
        let served = self.0.served().into_iter();
        served.map(|(path, count)| (format!("{} {path}", method(&path)), count)).collect()
    }

    fn get(&self, path: &str) -> (u16, Value) {
        panic!("nobody asks the inference API for {path}")
    }
}

/// A run that is over.
struct Run {
    site: Box<dyn Site>,
    finished: Finished,
    /// What the workers wrote to standard error.
    worker_logs: String,
    /// How many users the shop saw, in order, and for how long each.
    users: Vec<(u64, Duration)>,
}

impl Example {
    /// Runs it, and checks what holds for all and what this one is about.
    fn run(&self) {
        let site = (self.site)();
        let (path, url) = (folder().join(self.file), site.url());
        let common = ["-f", path.to_str().expect("UTF-8"), "--host", &url, "--json", "--only-summary"];
        let common = [&common[..], &["--expect-workers", "2", "--stop-timeout", "5"]].concat();
        let mut master = Master::start(&[&common, self.args].concat());
        let workers = [Worker::start(master.address), Worker::start(master.address)];
        let users =
            if self.pace == Pace::Kept { users_over_time(&*site, &mut master.process) } else { Vec::new() };
        let Exit { code, stdout, stderr } = master.process.wait();
        let ends = workers.map(|worker| worker.process.wait());
        let worker_logs = ends.iter().map(|end| end.stderr.as_str()).collect();
        let workers = ends.iter().map(|end| end.code).collect();
        let counted = counts_without_failures(&stdout, &stderr);
        let mut served = site.served();
        if fs::read_to_string(&path).is_ok_and(|text| text.contains("\nsetup:")) {
            // What is asked for once is no load: whether the master has rows for it does not matter.
            served.retain(|name, _| !SETUP.contains(&name.as_str()) || counted.contains_key(name));
        }
        let finished = Finished { code, log: stderr, counted, served, workers };
        let run = Run { site, finished, worker_logs, users };
        run.finished.assert_exit(0);
        run.finished.assert_counts_are_exact();
        assert!(run.finished.says("Verdict: PASS"), "{}", run.finished.log);
        (self.check)(&run);
    }
}

/// What the master counted, by `GET /me`.
fn counts_without_failures(json: &str, log: &str) -> Counts {
    let rows: Vec<Value> =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json:?}\n{log}"));
    let text = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
    let mut counts = Counts::new();
    for row in rows {
        assert_eq!(row["num_failures"], 0, "{row}\n{log}");
        let name = format!("{} {}", text(&row, "method"), text(&row, "name"));
        *counts.entry(name).or_default() += row["num_requests"].as_u64().expect("a count");
    }
    counts
}

/// What setup and teardown ask for.
const SETUP: [&str; 3] = ["POST /admin/accounts", "DELETE /admin/accounts/{id}", "POST /login"];

/// Watches how many users run, as the site sees it, until the master has ended.
fn users_over_time(site: &dyn Site, master: &mut Process) -> Vec<(u64, Duration)> {
    let mut spans: Vec<(u64, Duration)> = vec![(0, Duration::ZERO)];
    let mut seen = Instant::now();
    let ended = until(2 * PATIENCE, || {
        let served = site.served();
        let count = |name: &str| served.get(name).copied().unwrap_or(0);
        // In the examples that are about numbers of users, each begins with a basket and gives it back in the end.
        let users = count("GET /basket").saturating_sub(count("DELETE /basket"));
        let (last, now) = (spans.len() - 1, Instant::now());
        spans[last].1 += now - seen;
        seen = now;
        if spans[last].0 != users {
            spans.push((users, Duration::ZERO));
        }
        (!master.is_running()).then_some(())
    });
    assert!(ended.is_some(), "the run does not end:\n{}", master.log());
    spans
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtest/examples")
}

impl Run {
    fn served(&self, name: &str) -> u64 {
        self.finished.served.get(name).copied().unwrap_or(0)
    }

    fn assert_served_exactly(&self, names: &[&str]) {
        let served: Vec<&str> = self.finished.served.keys().map(String::as_str).collect();
        assert_eq!(served, names, "{}", self.finished.log);
    }

    /// The numbers of users that lasted longest, in order.
    fn plateaus(&self, count: usize) -> Vec<u64> {
        let mut longest: Vec<usize> =
            (0..self.users.len()).filter(|&index| self.users[index].0 > 0).collect();
        longest.sort_by_key(|&index| std::cmp::Reverse(self.users[index].1));
        longest.truncate(count);
        longest.sort_unstable();
        longest.into_iter().map(|index| self.users[index].0).collect()
    }

    /// Checks the numbers of users that lasted longest, and that there were never more.
    fn assert_users(&self, plateaus: &[u64]) {
        let peak = plateaus.iter().max().copied().unwrap_or(0);
        assert_eq!(self.plateaus(plateaus.len()), plateaus, "{:?}\n{}", self.users, self.finished.log);
        let most = self.users.iter().map(|(users, _)| *users).max();
        assert_eq!(most, Some(peak), "{:?}\n{}", self.users, self.finished.log);
        assert_eq!(self.finished.peak_users(), peak, "{}", self.finished.log);
    }

    /// The p95 of the response times in the report's line with this label, in milliseconds.
    fn p95_ms(&self, label: &str) -> f64 {
        let line = self.finished.log.lines().find_map(|line| line.trim().strip_prefix(label));
        let line = line.unwrap_or_else(|| panic!("no {label:?} in:\n{}", self.finished.log));
        let p95 = line.split_whitespace().nth(2).and_then(|number| number.replace(',', "").parse().ok());
        p95.unwrap_or_else(|| panic!("no p95 in {line:?}"))
    }
}

fn both_ways_to_log_in_were_taken(run: &Run) {
    run.assert_served_exactly(&["GET /login-page", "GET /me", "POST /login", "POST /web-login"]);
    assert_eq!(run.served("POST /login"), 6, "three in four of eight users are apps, which log in once");
    let (pages, forms) = (run.served("GET /login-page"), run.served("POST /web-login"));
    assert!(pages >= forms && pages - forms <= 2, "{pages} pages, {forms} forms");
    // Nobody is told who they are without the right token or cookie, and no request failed.
    assert!(run.served("GET /me") > forms + 6, "{:?}", run.finished.served);
}

fn every_shopper_went_shopping_once(run: &Run) {
    let shoppers = shoppers();
    let customers: BTreeMap<&str, usize> = shoppers.iter().map(|shopper| (&*shopper.username, 1)).collect();
    let mut ordered = BTreeMap::<String, usize>::new();
    for id in 1..=run.served("POST /orders") {
        let (_, order) = run.site.get(&format!("/orders/{id}"));
        *ordered.entry(order["order"]["customer"].as_str().expect("a customer").to_owned()).or_default() += 1;
    }
    let ordered: BTreeMap<&str, usize> = ordered.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(ordered, customers);

    // Of what was found the first two were looked at; who found nothing took something else without a look.
    let looked: Vec<u64> = shoppers.iter().map(|shopper| found(&*run.site, &shopper.wish).min(2)).collect();
    assert!(looked.contains(&0) && looked.contains(&1) && looked.contains(&2), "{looked:?}");
    assert_eq!(run.served("GET /products/{id}"), looked.iter().sum::<u64>());
    assert_eq!(run.served("POST /basket"), looked.iter().map(|looked| (*looked).max(1)).sum::<u64>());
    assert_eq!(run.served("DELETE /basket"), shoppers.len() as u64);
    let logs = [&*run.finished.log, &run.worker_logs].concat();
    assert!(
        logs.contains("takes something else"),
        "no log line came:
{logs}"
    );
}

/// A line of `shoppers.csv`, as far as it is looked at here.
struct Shopper {
    username: String,
    wish: String,
}

fn shoppers() -> Vec<Shopper> {
    let text = fs::read_to_string(folder().join("shoppers.csv")).expect("the shoppers");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("username,password,wish,quantity"));
    let shopper = |line: &str| {
        let (username, rest) = line.split_once(',')?;
        let (_, rest) = rest.split_once(',')?;
        // A wish may have a comma in it, and then stands in quotes.
        let (wish, _) = rest.rsplit_once(',')?;
        Some(Shopper { username: username.to_owned(), wish: wish.trim_matches('"').to_owned() })
    };
    lines.map(|line| shopper(line).unwrap_or_else(|| panic!("no shopper: {line}"))).collect()
}

/// How many products the shop finds.
fn found(site: &dyn Site, wish: &str) -> u64 {
    let (_, found) = site.get(&format!("/products?q={}", wish.replace(' ', "+").replace(',', "%2C")));
    found["total"].as_u64().expect("a number of products")
}

fn files_arrived_whole(run: &Run) {
    let bytes = fs::metadata(folder().join("picture.svg")).expect("the picture").len();
    let uploads = run.served("POST /upload");
    assert!(uploads > 0 && run.served("POST /echo") > 0, "{:?}", run.finished.served);
    for id in 1..=uploads {
        let (status, upload) = run.site.get(&format!("/uploads/{id}"));
        assert_eq!(status, 200);
        assert_eq!(upload["parts"][2]["bytes"], bytes, "{upload}");
        let filename = upload["parts"][2]["filename"].as_str().expect("a filename");
        assert!(filename.starts_with("Photographer-") && filename.ends_with(".svg"), "{upload}");
    }
}

fn single_and_batch_predictions_were_made(run: &Run) {
    run.assert_served_exactly(&["GET /health", "POST /batch_predict", "POST /predict"]);
    assert_eq!(run.served("GET /health"), 4, "each user asks once");
    assert!(run.served("POST /predict") > run.served("POST /batch_predict"), "{:?}", run.finished.served);
}

fn the_account_existed_only_for_the_run(run: &Run) {
    let all = run.site.served();
    for name in SETUP {
        assert_eq!(all.get(name), Some(&1), "{name}: {all:?}");
    }
    assert_eq!(
        run.site.get("/admin/accounts"),
        (200, Value::Array(Vec::new())),
        "the account is still there"
    );
    // The shop told all users that they are who the setup said.
    assert!(run.served("GET /me") >= 4, "{all:?}");
}

/// What a checkout asks for, in order.
const CHECKOUT: [&str; 4] = ["DELETE /basket", "POST /basket", "GET /basket", "POST /orders"];

fn all_tasks_ran_and_checkouts_in_order(run: &Run) {
    run.assert_served_exactly(&[
        "DELETE /basket",
        "GET /basket",
        "GET /products",
        "GET /products/{id}",
        "POST /basket",
        "POST /orders",
    ]);
    assert_checkouts_in_order(run, 6);
}

/// Each step was reached by those that went through the one before it, but for one that each user may have been at.
fn assert_checkouts_in_order(run: &Run, users: u64) {
    let counts = CHECKOUT.map(|name| run.served(name));
    assert!(counts.is_sorted_by(|before, after| before >= after), "{CHECKOUT:?}: {counts:?}");
    assert!(counts[0] - counts[3] <= users && counts[3] > 0, "{CHECKOUT:?}: {counts:?}");
}

fn only_reading_tasks_ran(run: &Run) {
    run.assert_served_exactly(&["GET /products", "GET /products/{id}"]);
}

fn only_checkouts_ran(run: &Run) {
    run.assert_served_exactly(&["DELETE /basket", "GET /basket", "POST /basket", "POST /orders"]);
    assert_checkouts_in_order(run, 4);
}

fn late_iterations_show_in_corrected_times(run: &Run) {
    run.assert_served_exactly(&["GET /slow"]);
    // Ten users that begin 5 per second for 5 s, the first of them at once. A run that misses more than one in
    // twenty is INVALID; the ramp takes a fifth of a second.
    let served = run.served("GET /slow");
    assert!((200..=260).contains(&served), "{served} requests");
    let (actual, corrected) = (run.p95_ms("from the actual start"), run.p95_ms("from the intended start"));
    assert!(
        corrected > actual,
        "p95 is {actual} ms from the actual start, {corrected} ms from the intended one"
    );
}

fn as_many_visitors_came_as_chance_allows(run: &Run) {
    run.assert_served_exactly(&["GET /products/{id}"]);
    // 50 per second for 4 s; five standard deviations of a Poisson distribution are 5 * sqrt(200) = 71.
    let visitors = run.served("GET /products/{id}");
    assert!((129..=271).contains(&visitors), "{visitors} visitors");
}

fn users_followed_the_stages(run: &Run) {
    run.assert_users(&[3, 9, 2]);
}

fn users_followed_the_spike(run: &Run) {
    run.assert_users(&[2, 12, 2]);
}
