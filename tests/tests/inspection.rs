//! What the master tells of a scenario without running it.

use std::path::{Path, PathBuf};

use sentinel_tests::process::{Exit, Process, Program};
use tokio::net::TcpListener;
use tokio::runtime;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadtest/examples")
}

fn ask(args: &[&str]) -> Exit {
    Process::start_in(&examples(), Program::Master, args).wait()
}

/// Asks a question that has an answer.
fn answer(args: &[&str]) -> String {
    let Exit { code, stdout, stderr } = ask(args);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{args:?}");
    stdout
}

#[test]
fn the_schema_is_printed_as_json() {
    let schema: serde_json::Value = serde_json::from_str(&answer(&["--print-schema"])).expect("JSON");
    assert_eq!(schema["title"], "Sentinel scenario");
}

#[test]
fn the_program_tells_of_all_that_it_understands() {
    for words in [&["--completions", "bash"][..], &["search", "--completions", "bash"]] {
        let completions = answer(words);
        for expected in ["sentinel-master", "--min-delivered", "search", "--step-time"] {
            assert!(completions.contains(expected), "{words:?}: no {expected:?} in {completions}");
        }
    }
    let page = answer(&["--man-page"]);
    assert!(page.starts_with(".ie") && page.contains("search") && page.contains("\\-\\-users"), "{page}");
}

#[test]
fn classes_and_ratios_are_printed_as_locust_prints_them() {
    let list = answer(&["-f", "login.yaml", "--list"]);
    assert_eq!(list, "Available Users:\n    AppUser\n    WebUser\n");
    let json = answer(&["-f", "login.yaml", "--show-task-ratio-json", "-u", "8"]);
    let ratios: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(ratios["per_class"]["AppUser"]["ratio"], 0.75);
    assert_eq!(ratios["total"]["WebUser"]["tasks"]["log_in"]["ratio"], 0.25);
    let table = answer(&["-f", "login.yaml", "--show-task-ratio", "WebUser"]);
    assert!(table.contains(" 100.0      WebUser") && !table.contains("AppUser"), "{table}");
}

#[test]
fn questions_about_what_is_not_there_are_refused() {
    let check = |exit: i32, args: &[&str], expected: &str| {
        let Exit { code, stdout, stderr } = ask(args);
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{args:?}: {stderr}");
        assert!(stderr.contains(expected), "{args:?}: {stderr}");
    };
    check(1, &["-f", "login.yaml", "--list", "WebUsr"], "did you mean WebUser?");
    check(2, &["-f", "tags.yaml", "--list", "-T", "nothing"], "no task is left");
    check(1, &["-f", "missing.yaml", "--list"], "cannot read missing.yaml");
    check(1, &["-f", "locustfile.py", "--list", "--user-classes", "A"], "locustfile.py");
    check(2, &["-f", "login.yaml", "--list", "--dry-run"], "cannot be used with");
}

#[test]
fn a_dry_run_shows_every_request_once_and_makes_no_load() {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    runtime.spawn(shop::serve(listener, std::future::pending()));
    let shown = answer(&["-f", "setup.yaml", "--dry-run", "--host", &url]);
    for expected in ["=== setup: setup", "=== teardown: teardown", "> POST ", "< 201 in ", " failures"] {
        assert!(shown.contains(expected), "no {expected:?} in {shown}");
    }
    assert!(shown.contains("authorization: (not shown)"), "{shown}");
    assert_eq!(shown.matches("FAILED").count(), 0, "{shown}");
    let requests = shown.matches("\npassed ").count();
    assert!(shown.contains(&format!("\n{requests} requests, 0 failures\n")), "{shown}");
}

#[test]
fn a_dry_run_that_fails_says_so() {
    let Exit { code, stdout, .. } = ask(&["-f", "tags.yaml", "--dry-run", "--host", "http://127.0.0.1:1"]);
    assert_eq!(code, Some(1), "{stdout}");
    assert!(stdout.contains("FAILED") && stdout.contains("Connection refused"), "{stdout}");
}
