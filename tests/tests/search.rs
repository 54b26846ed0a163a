//! The search for the highest load: over a cluster on virtual time, where the target's capacity is known, and with the
//! real binary.

use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use sentinel_common::search::{End, Level, Limit, Search, StepVerdict};
use sentinel_tests::process::{Exit, Process, Program, Target, scenario_file};
use sentinel_tests::virtual_cluster::{Answer, VirtualTarget, on_virtual_time, search};
use serde_json::Value;
use tempfile::TempDir;

const SCENARIO: &str = "
users:
  Caller:
    weight: 3
    wait_time: constant_pacing(1)
    tasks: [{ name: call, steps: [{ get: / }] }]
  Other:
    wait_time: constant_pacing(1)
    tasks: [{ name: other, steps: [{ get: /other }] }]
";

/// Steps that are long enough for a queue to show.
const STEPS: &str = "--warm-up 3s --step-time 12s --check p95<100ms --check fail_ratio<1%";

/// A target that serves one request after the other, so many per second; the others wait in line.
fn one_at_a_time(per_second: f64) -> VirtualTarget {
    let free_at = Mutex::new(Duration::ZERO);
    VirtualTarget::new(move |exchange| {
        let mut free_at = free_at.lock().expect("nobody panics with it");
        *free_at = (*free_at).max(exchange.at) + Duration::from_secs_f64(1.0 / per_second);
        Answer::ok_after(*free_at - exchange.at)
    })
}

/// The loads that the search names, each of which has to have been measured with that verdict.
fn named(search: &Search) -> (f64, f64) {
    let finding = search.finding();
    let value = |load: Option<Level>, passed: bool| {
        let load = load.unwrap_or_else(|| panic!("{}", finding.sentence()));
        let measured = search.measurements().iter().filter(|it| it.load == load);
        assert!(measured.clone().all(|it| (it.verdict == StepVerdict::Passed) == passed), "{measured:?}");
        assert!(measured.count() > 0, "{load}");
        load.value()
    };
    (value(finding.highest_passed, true), value(finding.lowest_failed, false))
}

fn searched(options: &str, target: fn() -> VirtualTarget, workers: &[&str]) -> Search {
    on_virtual_time(async { search(SCENARIO, &format!("{STEPS} {options}"), &target(), workers).await })
}

#[test]
fn the_rate_that_a_target_takes_is_found() {
    let search = searched("--from 25/s --to 1600/s", || one_at_a_time(200.0), &["a", "b"]);
    let (low, high) = named(&search);
    assert!(low <= 205.0 && high >= 195.0 && high - low <= 0.05 * high, "{low} {high}");
    let finding = search.finding();
    assert_eq!((finding.end, finding.limit, finding.exit_code()), (End::Near, Some(Limit::Target), 0));
    for step in search.measurements().iter().filter(|it| it.verdict == StepVerdict::Passed) {
        let load = step.load.value();
        assert!((step.achieved_rps / load - 1.0).abs() < 0.1, "{step:?}");
        assert_eq!((step.fail_ratio, step.delivered), (Some(0.0), Some(1.0)), "{step:?}");
    }
}

#[test]
fn the_users_that_a_target_takes_are_found() {
    let search = searched("--from 20 --to 1000 --precision 10%", || one_at_a_time(200.0), &["a", "b"]);
    let (low, high) = named(&search);
    assert!(low <= 215.0 && high >= 195.0 && high - low <= 0.1 * high, "{low} {high}");
    assert_eq!(search.finding().limit, Some(Limit::Target));
}

#[test]
fn too_few_users_for_arrivals_are_the_generators_limit() {
    // Ten users at 50 ms each make 200 iterations per second; the two of the smaller class have their quarter of 160.
    let slow = || VirtualTarget::steady(Duration::from_millis(50));
    let search = searched("--from 50/s --to 1600/s --max-users 10", slow, &["a"]);
    let (low, high) = named(&search);
    assert!(low <= 180.0 && high >= 150.0, "{low} {high}");
    let finding = search.finding();
    assert_eq!(finding.limit, Some(Limit::Generator), "{}", finding.sentence());
    assert!(finding.sentence().contains("The generator, not the target"), "{}", finding.sentence());
}

#[test]
fn the_ends_of_the_range_are_answers_too() {
    let quick = || VirtualTarget::steady(Duration::from_millis(5));
    let highest = searched("--from 50/s --to 100/s --repeat 2", quick, &["a"]);
    assert_eq!((highest.finding().end, highest.measurements().len()), (End::HighestPassed, 4));
    let slow = || VirtualTarget::steady(Duration::from_millis(500));
    let lowest = searched("--from 10/s --to 100/s --repeat 3", slow, &["a"]);
    assert_eq!((lowest.finding().exit_code(), lowest.measurements().len()), (3, 2));
}

/// A target, and a folder in which the real master searches.
struct Stage {
    target: Target,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self { target: Target::start(&[]), folder: tempfile::tempdir().expect("there is room for a folder") }
    }

    fn search(&self, args: &[&str]) -> Exit {
        let scenario = scenario_file(
            "users: { A: { wait_time: constant(0.1), tasks: [{ name: t, steps: [{ get: /health }] }] } }",
        );
        let (url, file) = (self.target.url(), scenario.path().to_string_lossy());
        let own = ["search", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "-f", &file];
        let steps = ["-H", &url, "--local-workers", "1", "--step-time", "2s", "--warm-up", "1s"];
        let args = [&own[..], &steps, args].concat();
        Process::start_in(self.folder.path(), Program::Master, &args).wait()
    }

    fn read(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

#[test]
fn the_binary_searches_and_leaves_its_files() {
    let stage = Stage::new();
    let range = ["--from", "20/s", "--to", "40/s", "--check", "p95 < 5000ms", "--check", "fail_ratio < 1%"];
    let files = ["--result", "out/result.json", "--html", "out/page.html", "--summary-md", "out/summary.md"];
    let exit = stage.search(&[&range[..], &files].concat());
    let result: Value = serde_json::from_str(&stage.read("out/result.json")).expect("the result is JSON");
    for key in ["kind", "from", "to", "precision", "highest_passed", "lowest_failed", "limit", "sentence"] {
        assert!(result.get(key).is_some(), "no {key} in {result}");
    }
    assert_eq!(
        (&result["kind"], &result["from"], &result["to"]),
        (&"rate".into(), &"20/s".into(), &"40/s".into())
    );
    let steps = result["steps"].as_array().expect("steps are a list");
    for step in steps {
        for key in [
            "load",
            "repetition",
            "verdict",
            "achieved_rps",
            "p50_ms",
            "p95_ms",
            "p99_ms",
            "fail_ratio",
            "delivered",
            "reasons",
        ] {
            assert!(step.get(key).is_some(), "no {key} in {step}");
        }
    }
    for named in [&result["highest_passed"], &result["lowest_failed"]] {
        assert!(named.is_null() || steps.iter().any(|step| step["load"] == *named), "{result}");
    }
    assert_eq!(exit.code == Some(0), !result["highest_passed"].is_null(), "{:?}: {}", exit.code, exit.stderr);
    let sentence = result["sentence"].as_str().expect("the sentence is a text");
    for text in ["step 1: 20/s", "p95 ms", "o p50", sentence] {
        assert!(exit.stderr.contains(text), "no {text:?} in {}", exit.stderr);
    }
    assert!(stage.read("out/summary.md").contains("| 20/s |"), "{}", stage.read("out/summary.md"));
    let page = stage.read("out/page.html");
    assert!(page.contains("Plotly") && page.contains("chart-rates") && page.ends_with("</html>"));
    assert!(!stage.target.served().is_empty(), "the target was loaded");
}

#[test]
fn a_lowest_load_that_fails_has_the_exit_code_of_a_criterion() {
    let stage = Stage::new();
    let exit = stage.search(&["--from", "2", "--to", "8", "--check", "requests > 1000000"]);
    assert_eq!(exit.code, Some(3), "{}", exit.stderr);
    assert!(exit.stderr.contains("Even the lowest load, 2 users, does not"), "{}", exit.stderr);
}

#[test]
fn what_cannot_be_searched_is_found_before_anything_starts() {
    let stage = Stage::new();
    let check = |args: &[&str], expected: &str| {
        let exit = stage.search(args);
        assert_eq!((exit.code, exit.stdout.as_str()), (Some(2), ""), "{args:?}: {}", exit.stderr);
        assert!(exit.stderr.contains(expected), "{args:?}: no {expected:?} in {}", exit.stderr);
    };
    let range = ["--from", "20/s", "--to", "40/s"];
    let with = |args: &[&'static str]| [&range[..], &["--check", "p95 < 1s"], args].concat();
    check(&["--from", "20/s"], "--from and --to");
    check(&range, "a criterion");
    check(&["--from", "20/s", "--to", "40"], "both");
    check(&["--from", "fast"], "30000/m");
    check(&with(&["-u", "5"]), "--users does not apply to a search");
    check(&with(&["-t", "5s"]), "--run-time does not apply to a search");
    check(&with(&["--csv", "a"]), "--csv does not apply to a search");
    check(&with(&["--junit", "a"]), "--junit does not apply to a search");
    check(&with(&["--precision", "0%"]), "--precision");
    fs::write(stage.folder.path().join("a.py"), "class A: pass").expect("there is room for a file");
    check(&with(&["-f", "a.py", "--user-classes", "A", "--check", "p95 < 1s"]), "a rate needs a scenario");
    assert!(stage.target.served().is_empty(), "nothing was started");
}

#[test]
fn every_option_of_a_search_is_documented() {
    use clap::CommandFactory as _;
    let docs = include_str!("../../docs/command-line.md");
    let section = docs.split("\n## ").find(|section| section.starts_with("sentinel-master search"));
    let section = section.expect("a search has its section");
    let command = sentinel_master::cli::SearchArgs::command();
    let own = command.get_arguments().filter(|arg| arg.get_help_heading() == Some("Search"));
    let mut count = 0;
    for long in own.filter_map(clap::Arg::get_long) {
        count += 1;
        let variable = format!("| SEARCH_{} |", long.to_uppercase().replace('-', "_"));
        let line = section.lines().find(|line| line.starts_with(&format!("| `--{long} ")));
        assert!(line.is_some_and(|line| line.contains(&variable)), "--{long}: {line:?}");
    }
    assert_eq!(count, 9, "all options are under their heading");
}
