//! A master with a web page: runs that begin by themselves, by hand, one after the other, and how the master ends.

use std::fs;

use sentinel_tests::process::{
    Process, Program, Signal, Site, Target, Worker, free_port, patient_fraud, scenario_file,
};
use serde_json::{Value, json};

const STATUS: &str = "/api/v1/status";

fn requests(status: &Value) -> u64 {
    status["run"]["total"]["requests"].as_u64().unwrap_or(0)
}

fn is_running_with(users: u64) -> impl Fn(&Value) -> bool {
    move |status| status["stage"] == "running" && status["users"] == users
}

/// Two workers, a site without a run yet, and the target.
async fn idle_site(scenario: &str, args: &[&str]) -> (Site, Vec<Worker>, Target) {
    let target = Target::start(&[]);
    let file = scenario_file(scenario);
    let (path, url) = (file.path().to_string_lossy(), target.url());
    let site = Site::start(&[&["-f", &*path, "--host", &url], args].concat());
    let workers: Vec<Worker> = (0..2).map(|_| Worker::start(site.master.address)).collect();
    site.json_until(STATUS, "both workers", |status| {
        status["workers"].as_array().expect("a list").len() == 2
    })
    .await;
    // The scenario is read again for every run.
    file.keep().expect("the file can stay");
    (site, workers, target)
}

#[tokio::test]
async fn a_run_that_begins_by_itself_can_be_watched_and_the_master_quits_after_it() {
    let site = Site::start(&["--demo", "--autostart", "--autoquit", "0", "-u", "5", "-r", "5", "-t", "3s"]);
    let status = site.json_until(STATUS, "five users", is_running_with(5)).await;
    assert_eq!(status["run"]["load"]["users"], 5);
    let exit = site.master.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(exit.stderr.contains("Verdict: PASS"), "{}", exit.stderr);
}

#[tokio::test]
async fn a_page_that_nobody_used_ends_with_an_interrupt_and_code_0() {
    let mut site = Site::start(&["--demo"]);
    assert_eq!(site.json(STATUS).await["stage"], "ready");
    site.master.process.signal(Signal::Interrupt);
    let exit = site.master.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
}

#[tokio::test]
async fn runs_follow_each_other_and_every_request_is_counted_once() {
    let (mut site, workers, target) = idle_site(&patient_fraud(), &["--stop-timeout", "5"]).await;
    let start = json!({ "users": 6, "spawn_rate": 6 });
    let (code, text) = site.post("/api/v1/run", &start).await;
    assert_eq!(code, 200, "{text}");
    let (code, text) = site.post("/api/v1/run", &start).await;
    assert!(code == 409 && text.contains("no run can begin now"), "{code} {text}");
    site.json_until(STATUS, "six users", is_running_with(6)).await;

    let edit = site.request(reqwest::Method::PATCH, "/api/v1/run").header("content-type", "application/json");
    let edited = edit.body(json!({ "users": 9 }).to_string()).send().await.expect("the master answers");
    assert_eq!(edited.status(), 200);
    let status = site.json_until(STATUS, "nine users", is_running_with(9)).await;
    assert_eq!(status["run"]["load"]["spawn_rate"], 6.0, "it stays as it was");

    let (code, text) = site.post("/api/v1/run/stop", &Value::Null).await;
    let stopped: Value = serde_json::from_str(&text).expect("a status");
    assert_eq!((code, &stopped["stage"]), (200, &json!("stopped")), "it is over when the answer comes");
    let first = requests(&stopped);
    assert_eq!(first, target.served().values().sum::<u64>());

    let (code, text) = site.post("/api/v1/run", &json!({ "users": 4, "run_time_s": 2 })).await;
    assert_eq!(code, 200, "{text}");
    let status = site.json_until(STATUS, "the end of the run", |it| it["stage"] == "stopped").await;
    assert_ne!(status["run"]["id"], stopped["run"]["id"]);
    assert_eq!(first + requests(&status), target.served().values().sum::<u64>());

    site.master.process.signal(Signal::Interrupt);
    let exit = site.master.process.wait();
    assert_eq!(exit.code, Some(0), "the verdict on the last run\n{}", exit.stderr);
    assert!(workers.into_iter().all(|worker| worker.process.wait().code == Some(0)));
}

#[tokio::test]
async fn an_interrupt_stops_the_run_before_the_master_ends() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let prefix = folder.path().join("out").to_string_lossy().into_owned();
    let (mut site, workers, target) =
        idle_site(&patient_fraud(), &["--json", "--csv", &prefix, "--stop-timeout", "5"]).await;
    let (code, text) = site.post("/api/v1/run", &json!({ "users": 4, "spawn_rate": 4 })).await;
    assert_eq!(code, 200, "{text}");
    site.json_until(STATUS, "four users", is_running_with(4)).await;
    site.master.process.signal(Signal::Interrupt);
    let exit = site.master.process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let served = target.served().values().sum::<u64>();
    let counted: u64 = sentinel_tests::process::counts_of(&exit.stdout).values().sum();
    assert_eq!(counted, served);
    let csv = fs::read_to_string(format!("{prefix}_stats.csv")).expect("the file is there");
    assert!(csv.contains(&format!(",Aggregated,{served},")), "{csv}");
    drop(workers);
}

#[tokio::test]
async fn whoever_starts_a_run_is_told_what_is_missing() {
    let file = scenario_file("users:\n  A:\n    tasks: [{ name: t, steps: [{ get: / }] }]\n");
    let path = file.path().to_string_lossy();
    let site = Site::start(&["-f", &path, "--local-workers", "1"]);
    let is_there = |status: &Value| !status["workers"].as_array().expect("a list").is_empty();
    site.json_until(STATUS, "its worker", is_there).await;
    assert_eq!(site.json("/api/v1/plan").await["needs_host"], true);
    for (body, expected) in [
        (json!({}), "there is no host to load"),
        (json!({ "host": "localhost" }), "bad --host"),
        (json!({ "host": "http://localhost:1", "profile": "x" }), "unknown profile"),
        (json!({ "host": "http://localhost:1", "classes": ["B"] }), "there is no user class B"),
        (json!({ "host": "http://localhost:1", "spawn_rate": 0 }), "spawn"),
    ] {
        let (code, text) = site.post("/api/v1/run", &body).await;
        let problem: Value = serde_json::from_str(&text).expect("a problem");
        assert!(
            code == 422 && problem["detail"].as_str().expect("a text").contains(expected),
            "{body}: {text}"
        );
    }
    assert!(site.json(STATUS).await["run"].is_null(), "nothing has begun");
    let target = Target::start(&[]);
    let (code, text) = site.post("/api/v1/run", &json!({ "host": target.url() })).await;
    assert_eq!(code, 200, "{text}");
}

#[test]
fn a_page_that_cannot_be_served_is_told_before_anything_starts() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let refused = |args: &[&str], code: i32, expected: &str| {
        let fixed = ["--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "--web-host", "127.0.0.1"];
        let exit = Process::start(Program::Master, &[&fixed, args].concat()).wait();
        assert_eq!(exit.code, Some(code), "{}", exit.stderr);
        assert!(exit.stderr.contains(expected), "{}", exit.stderr);
        assert!(!exit.stderr.contains("Listening for workers"), "{}", exit.stderr);
    };
    refused(&["--web-port", &port], 1, "choose another with --web-host and --web-port");
    let free = free_port().to_string();
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").expect("there is room for a file");
    let empty = empty.to_string_lossy();
    let tls = |cert, key| ["--web-port", &free, "--tls-cert", cert, "--tls-key", key].map(str::to_owned);
    for (cert, key, expected) in [
        ("missing.pem", "missing.pem", "--tls-cert missing.pem"),
        (&*empty, "missing.pem", "there is no certificate in it"),
    ] {
        let args = tls(cert, key);
        refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), 2, expected);
    }
}

#[tokio::test]
async fn routes_say_what_they_take_and_pages_of_other_sites_change_nothing() {
    let site = Site::start(&["--demo", "--web-base-path", "/load"]);
    let ask = |method: reqwest::Method, path: &str| site.request(method, path);
    let answer = ask(reqwest::Method::OPTIONS, "/api/v1/run").send().await.expect("the master answers");
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["allow"].as_bytes()),
        (200, &b"OPTIONS, PATCH, POST"[..])
    );
    let answer = ask(reqwest::Method::DELETE, "/api/v1/run").send().await.expect("the master answers");
    assert_eq!(answer.status(), 405);
    assert!(
        answer.headers()["content-security-policy"].to_str().expect("text").contains("default-src 'none'")
    );
    for (header, value, expected) in [
        ("origin", "http://elsewhere.example", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("accept", "*/*", 200),
    ] {
        let answer = ask(reqwest::Method::POST, "/api/v1/run/reset").header(header, value).send().await;
        assert_eq!(answer.expect("the master answers").status(), expected, "{header}: {value}");
    }
    let long = ask(reqwest::Method::POST, "/api/v1/run").header("content-type", "application/json");
    let answer = long.body("x".repeat(100_000)).send().await.expect("the master answers");
    assert_eq!(answer.status(), 413);
    assert_eq!(site.get("/nowhere").await.status(), 404);
}

#[tokio::test]
async fn a_run_that_does_not_begin_is_told_and_is_no_success() {
    let scenario = "
host: http://127.0.0.1:1
setup: [{ get: /, expect: { status: 200 } }]
users: { A: { tasks: [{ name: t, steps: [{ get: / }] }] } }
";
    let file = scenario_file(scenario);
    let path = file.path().to_string_lossy();
    let site = Site::start(&["-f", &path, "--local-workers", "1", "--autostart", "--autoquit", "2"]);
    let told = |status: &Value| status["trouble"].as_str().is_some_and(|it| it.contains("setup failed"));
    let status = site.json_until(STATUS, "what went wrong", told).await;
    assert!(status["run"].is_null() && status["can_start"] == true, "{status}");
    let exit = site.master.process.wait();
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
}
