//! The master's command line, as a process: what is wrong is said once, before anything starts, and where files and
//! workers come from is told.

use std::fs;
use std::net::TcpListener;

use sentinel_tests::process::{Exit, Master, Process, Program, Signal, Target, Worker, patient_fraud};

/// A scenario with a class of three fixed users and a profile.
const SCENARIO: &str = "\
host: http://127.0.0.1:9
users:
  Fixed:
    fixed_count: 3
    tasks: [{ name: t, steps: [{ get: / }] }]
profiles:
  big: { users: 40, spawn_rate: 4 }
";

/// Runs the master on a scenario in a folder of its own; it must end at once with a usage error. Returns what it said.
fn refused(scenario: &str, args: &[&str]) -> String {
    refused_with(2, scenario, args)
}

/// The same with another exit code: Locust's, where it refuses the same.
fn refused_with(expected: i32, scenario: &str, args: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    fs::write(folder.path().join("test.yaml"), scenario).expect("there is room for a file");
    let bind = ["--headless", "--master-bind-host", "127.0.0.1"];
    let port: &[&str] = if args.contains(&"--master-bind-port") { &[] } else { &["--master-bind-port", "0"] };
    let Exit { code, stdout, stderr } =
        Process::start_in(folder.path(), Program::Master, &[&bind, port, args].concat()).wait();
    assert_eq!(code, Some(expected), "{args:?}: {stderr}");
    assert_eq!(stdout, "", "{args:?}");
    assert!(
        !stderr.contains("Listening") && !stderr.contains("/INFO/"),
        "{args:?} started something: {stderr}"
    );
    let messages = stderr.matches("sentinel-master: ").count() + stderr.matches("error: ").count();
    assert_eq!(messages, 1, "{args:?}: {stderr}");
    stderr
}

fn check(args: &[&str], expected: &[&str]) {
    let said = refused(SCENARIO, &[&["-f", "test.yaml"], args].concat());
    for expected in expected {
        assert!(said.contains(expected), "{args:?}: no {expected:?} in {said}");
    }
}

fn check_with(code: i32, args: &[&str], expected: &str) {
    let said = refused_with(code, SCENARIO, &[&["-f", "test.yaml"], args].concat());
    assert!(said.contains(expected), "{args:?}: no {expected:?} in {said}");
}

fn check_scenario(scenario: &str, expected: &[&str]) {
    let said = refused(scenario, &["-f", "test.yaml"]);
    for expected in expected {
        assert!(said.contains(expected), "no {expected:?} in {said}");
    }
}

#[test]
fn impossible_loads_are_refused() {
    check(&["-u", "0"], &["at least 1, got 0"]);
    check(&["-u", "-1"], &["at least 1, got -1"]);
    check(&["-u", "2"], &["--users 2 is too low", "3"]);
    check(&["-u", "5", "-r", "0"], &["spawn rate", "0"]);
    check(&["-u", "5", "-r", "-2"], &["spawn rate", "-2"]);
    check(&["-u", "5", "-r", "fast"], &["--spawn-rate", "fast"]);
    for time in ["1.5m", "1d", "10ms", "5x", "-3"] {
        check(&["-u", "5", &format!("--run-time={time}")], &["--run-time", time]);
    }
    check(&["--profile", "bigg"], &["bigg", "big"]);
}

#[test]
fn hosts_that_are_none_are_refused() {
    check(&["-u", "5", "--host", "localhost:80"], &["--host"]);
    check(&["-u", "5", "--host", "ftp://example.com"], &["--host", "ftp"]);
    check(&["-u", "5", "--host", "http://"], &["--host"]);
    let homeless = SCENARIO.replace("host: http://127.0.0.1:9\n", "");
    let said = refused(&homeless, &["-f", "test.yaml", "-u", "5"]);
    assert!(said.contains("--host http://localhost:8000") && said.contains("`host:` in test.yaml"), "{said}");
}

#[test]
fn files_that_cannot_be_used_are_refused() {
    let said = refused_with(1, SCENARIO, &["-f", "missing.yaml"]);
    assert!(said.contains("cannot read missing.yaml: No such file"), "{said}");
    let data = format!("{SCENARIO}data:\n  people: {{ file: missing.csv }}\n");
    check_scenario(&data, &["test.yaml:9:19: cannot read missing.csv: No such file"]);
    let said = refused_with(1, SCENARIO, &["-f", "locustfile.py"]);
    assert!(said.contains("locustfile.py is a locustfile: say which user classes"), "{said}");
    check(&["-u", "5", "--logfile", "missing/log"], &["cannot write the log file missing/log"]);
}

#[test]
fn mistakes_in_a_scenario_are_told_with_their_place() {
    let misspelt = SCENARIO.replace("fixed_count", "fixed_cont");
    check_scenario(&misspelt, &["test.yaml:4:5", "fixed_cont", "fixed_count"]);
    let broken = SCENARIO.replace("get: /", "get: '/{{ oops'");
    check_scenario(&broken, &["test.yaml:5:41: `{{` or `{%` without its end"]);
    check_scenario("users: [", &["test.yaml:"]);
    check_scenario("", &["test.yaml"]);
}

#[test]
fn all_mistakes_in_a_scenario_are_told_at_once() {
    let scenario = SCENARIO
        .replace("fixed_count", "fixed_cont")
        .replace("get: /", "gett: /")
        .replace("spawn_rate: 4", "spawn_rat: 4")
        .replace("host: http://127.0.0.1:9", "host: nowhere");
    check_scenario(
        &scenario,
        &["test.yaml:1:", "test.yaml:4:", "test.yaml:5:", "test.yaml:7:", "spawn_rate"],
    );
}

#[test]
fn a_taken_port_is_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let said = refused_with(1, SCENARIO, &["-f", "test.yaml", "-u", "5", "--master-bind-port", &port]);
    for cure in ["Address already in use", "--master-bind-port", &port] {
        assert!(said.contains(cure), "{said}");
    }
}

#[test]
fn options_that_do_not_exist_are_refused() {
    check(&["--userz", "5"], &["--userz", "--users", "--help"]);
    check(&["-L", "LOUD"], &["LOUD", "WARNING"]);
    check(&["--seed", "many"], &["many", "--seed"]);
    check(&["--local-workers", "0"], &["--local-workers"]);
}

#[test]
fn what_locust_refuses_is_refused_with_its_exit_code() {
    check_with(1, &["--autoquit", "5"], "--autoquit needs --autostart");
    check_with(1, &["--web-base-path", "load"], "must start with a slash");
    check_with(1, &["--processes", "-2"], "--processes -2");
    check_with(1, &["--processes", "2", "--master"], "--master and --processes exclude each other");
    check_with(1, &["Nobody"], "there is no user class Nobody");
    check_with(2, &["--tls-cert", "cert.pem"], "--tls-cert and --tls-key need each other");
    check_with(2, &["--worker"], "start sentinel-worker instead");
    check_with(255, &["--master", "--worker"], "--master and --worker exclude each other");
    for (option, instead) in [
        ("--web-auth=a:b", "--web-login"),
        ("--legacy-ui", "leave it out"),
        ("--expect-slaves", "--expect-workers"),
        ("--slave", "sentinel-worker"),
    ] {
        check_with(2, &[option], instead);
    }
    check_with(2, &["--headful", "--web-login"], "--web-login is not available yet");
    check_with(2, &["--config-users", "{"], "--config-users: {: EOF while parsing");
    check_with(2, &["--config-users", "missing.json"], "--config-users: cannot read missing.json");
    check_with(255, &["--config-users", r#"{"user_class_name": "Fixd"}"#], "did you mean Fixed?");
    check_with(255, &["--config-users", r#"{"user_class_name": "Fixed", "x": 1}"#], "unknown field `x`");
}

#[test]
fn options_of_the_web_page_are_noted_where_there_is_none() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    fs::write(folder.path().join("test.yaml"), SCENARIO).expect("there is room for a file");
    let args =
        ["-f", "test.yaml", "-u", "5", "--web-port", "8090", "--class-picker", "--otel", "--threads", "3"];
    let mut master = start_in(folder.path(), &args);
    master.process.signal(Signal::Interrupt);
    let stderr = master.process.wait().stderr;
    assert!(
        stderr.contains("there is no web page with --headless, so --web-port, --class-picker have no effect"),
        "{stderr}"
    );
    assert!(stderr.contains("--otel has no effect yet"), "{stderr}");
    assert!(stderr.contains("--threads has no effect on sentinel-master"), "{stderr}");
}

#[test]
fn the_load_of_a_run_may_come_from_variables_and_files_alone() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    fs::write(folder.path().join("sentinel.conf"), "users = 4\nprocesses = 2\n").expect("room for a file");
    let project =
        format!("[tool.locust]\nhost = {:?}\nrun-time = \"2s\"\nstop-timeout = 5\nusers = 9\n", target.url());
    fs::write(folder.path().join("pyproject.toml"), project).expect("there is room for a file");
    let exit = start_in(folder.path(), &["-r", "9", "--users", "5"]).process.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert_eq!(target.served().keys().collect::<Vec<_>>(), ["/"], "{}", exit.stderr);
    assert!(exit.stderr.contains("with a peak of 5"), "{}", exit.stderr);
}

#[test]
fn classes_run_as_they_are_changed_from_outside() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let scenario = "\
users:
  Changed:
    wait_time: constant(0.1)
    tasks:
      - { name: kept, steps: [{ get: /health }] }
      - { name: left, weight: 9, steps: [{ get: /left }] }
  Gone:
    tasks: [{ name: gone, steps: [{ get: /gone }] }]
";
    fs::write(folder.path().join("test.yaml"), scenario).expect("there is room for a file");
    let edits =
        r#"[{"user_class_name": "Changed", "tasks": ["kept"]}, {"user_class_name": "Gone", "weight": 0}]"#;
    fs::write(folder.path().join("edits.json"), edits).expect("there is room for a file");
    let load = ["-f", "test.yaml", "--host", &target.url(), "-u", "4", "-r", "4", "-t", "1s", "-s", "5"];
    let changed = ["--local-workers", "1", "--config-users", "edits.json", "--equal-weights"];
    let weighed = start_in(folder.path(), &[&load[..], &changed[..4]].concat()).process.wait();
    assert_eq!(weighed.code, Some(0), "{}", weighed.stderr);
    assert_eq!(target.served().keys().collect::<Vec<_>>(), ["/health"], "{}", weighed.stderr);
    // Equal weights bring back the class that had none.
    let equal = start_in(folder.path(), &[&load[..], &changed].concat()).process.wait();
    assert_eq!(equal.code, Some(1), "{}", equal.stderr);
    assert!(equal.stderr.contains("GET /gone") && !equal.stderr.contains("GET /left"), "{}", equal.stderr);
}

#[test]
fn without_log_setup_nothing_is_said_but_what_is_asked_for() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let args = [
        "--headless",
        "--host",
        &target.url(),
        "-t",
        "1s",
        "--processes",
        "1",
        "--skip-log-setup",
        "--json",
        "-s",
        "5",
        "--master-bind-host",
        "127.0.0.1",
        "--master-bind-port",
        "0",
    ];
    let Exit { code, stdout, stderr } = Process::start_in(folder.path(), Program::Master, &args).wait();
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with('['), "{stdout}");
}

#[test]
fn without_a_scenario_there_must_be_a_host() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let Exit { code, stdout, stderr } =
        Process::start_in(folder.path(), Program::Master, &["--headless", "--users", "5"]).wait();
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("give one with --host, such as --host http://localhost:8000"), "{stderr}");
}

#[test]
fn without_a_scenario_users_ask_for_the_front_page() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let master = start_in(
        folder.path(),
        &["--master", "--host", &target.url(), "--users", "5", "-r", "5", "-t", "2s", "-s", "2"],
    );
    let hint = master.process.line("Waiting for workers to be ready, 0 of 1 connected");
    assert!(!hint.text.contains("in this process"), "{}", hint.text);
    assert_eq!(hint.word_after("sentinel-worker --master "), master.address.to_string());
    let worker = Worker::start(master.address);
    let Exit { code, stderr, .. } = master.process.wait();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("Scenario: built-in scenario") && stderr.contains("Verdict: PASS"), "{stderr}");
    let served = target.served();
    assert!(served["/"] >= 5 && served.len() == 1, "{served:?}");
    assert_eq!(worker.process.wait().code, Some(0));
}

#[test]
fn a_run_without_workers_is_made_in_the_masters_process() {
    let target = Target::start(&[]);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    // What a job says to Locust.
    let job = ["--host", &target.url(), "-u", "3", "-r", "3", "-t", "1s", "-s", "5"];
    let master = start_in(folder.path(), &job);
    let hint = master.process.line("Waiting for workers to be ready, 0 of 1 connected");
    assert!(hint.text.contains("--master or --expect-workers prevents that"), "{}", hint.text);
    let Exit { code, stderr, .. } = master.process.wait();
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.matches("so one runs in this process; --master prevents that").count(), 1, "{stderr}");
    assert!(target.served()["/"] >= 3, "{:?}", target.served());
}

#[test]
fn scenarios_of_the_current_folder_are_found_ours_first() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let chosen = |expected: &str| {
        let master = start_in(folder.path(), &["--host", "http://127.0.0.1:9", "-u", "5", "--seed", "42"]);
        master.process.line(&format!("Scenario: {expected}; target: http://127.0.0.1:9; seed 42"));
    };
    chosen("built-in scenario");
    fs::write(folder.path().join("locustfile.yaml"), patient_fraud()).expect("there is room for a file");
    chosen("locustfile.yaml");
    fs::write(folder.path().join("sentinel.yaml"), patient_fraud()).expect("there is room for a file");
    chosen("sentinel.yaml");
}

/// A master in this folder, on a free port.
fn start_in(folder: &std::path::Path, args: &[&str]) -> Master {
    let bind = ["--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0"];
    Master::listening(Process::start_in(folder, Program::Master, &[&bind, args].concat()))
}
