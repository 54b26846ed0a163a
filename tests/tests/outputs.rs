//! The files that a run leaves behind, written by the real master: that all of them tell of the same run, that they can
//! be read at any time, and that what cannot be written is told and costs nothing else.

use std::fs;
use std::path::{Path, PathBuf};

use sentinel_tests::process::{
    Exit, PATIENCE, Process, Program, Signal, Target, counts_of, scenario_file, until,
};
use tempfile::{NamedTempFile, TempDir};

/// Three requests of four are answered well, the others are refused by the target.
const MIXED: &str = r#"
users:
  Visitor:
    wait_time: constant(0.05)
    tasks:
      - { name: health, weight: 3, steps: [{ get: /health }] }
      - { name: refused, steps: [{ post: /predict, json: {} }] }
"#;

/// Every request is answered well.
const CLEAN: &str = r#"
users:
  Visitor:
    wait_time: constant(0.05)
    tasks: [{ name: health, steps: [{ get: /health }] }]
"#;

/// A target, a scenario, and a folder that a master runs in.
struct Stage {
    target: Target,
    scenario: NamedTempFile,
    folder: TempDir,
}

impl Stage {
    fn new(scenario: &str) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        Self { target: Target::start(&[]), scenario: scenario_file(scenario), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Starts a master with a worker inside it.
    fn start(&self, args: &[&str], environment: &[(&str, &str)]) -> Process {
        let (url, file) = (self.target.url(), self.scenario.path().to_string_lossy());
        let own = ["--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "-f", &file];
        let load = ["-H", &url, "-u", "4", "-r", "4", "--local-workers", "1", "-s", "2"];
        let args = [&own[..], &load, args].concat();
        Process::start_with(self.folder.path(), Program::Master, &args, environment)
    }

    fn run(&self, args: &[&str]) -> Exit {
        self.start(args, &[]).wait()
    }
}

/// A CSV file as lines of cells by the names of their columns.
struct Csv {
    columns: Vec<String>,
    lines: Vec<Vec<String>>,
}

impl Csv {
    /// What a file holds at this moment, which must be whole lines of one length.
    fn read(path: &Path) -> Self {
        let mut reader =
            csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
        let columns = cells(reader.headers().expect("there is a first line"));
        let lines = reader.records().map(|record| cells(&record.expect("every line has all cells")));
        Self { columns, lines: lines.collect() }
    }

    fn column(&self, name: &str) -> Vec<&str> {
        let index = self.columns.iter().position(|column| column == name);
        let index = index.unwrap_or_else(|| panic!("no column {name} in {:?}", self.columns));
        self.lines.iter().map(|line| line[index].as_str()).collect()
    }

    /// The last cell of a column, as a number.
    fn last(&self, name: &str) -> u64 {
        let cell = *self.column(name).last().expect("there is a line");
        cell.parse().unwrap_or_else(|error| panic!("{name}: {cell:?}: {error}"))
    }
}

#[test]
fn every_output_tells_of_the_same_run() {
    let stage = Stage::new(MIXED);
    let files =
        ["--csv", "out/deep/run", "--json-file", "out/stats", "--html", "out/report_{u}_{r}_{t}.html"];
    let others = ["--junit", "out/junit.xml", "--summary-md", "out/summary.md", "--json", "-t", "3s"];
    let exit = stage.run(&[&files[..], &others].concat());
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    assert!(exit.stderr.contains("Aggregated") && exit.stderr.contains("Verdict: FAIL"), "{}", exit.stderr);

    let served = stage.target.served();
    let requests: u64 = served.values().sum();
    assert_eq!(counts_of(&exit.stdout), served, "standard output has the JSON and nothing else");
    assert_eq!(stage.read("out/stats.json"), exit.stdout);
    let [stats, history, failures] = ["stats", "stats_history", "failures"]
        .map(|name| Csv::read(&stage.path(&format!("out/deep/run_{name}.csv"))));
    assert_eq!(stats.column("Name"), ["/health", "/predict", "Aggregated"]);
    assert_eq!(stats.last("Request Count"), requests, "{}", exit.stderr);
    assert_eq!(history.last("Total Request Count"), requests);
    let failed = stats.last("Failure Count");
    assert!(failed > 0 && failed < requests, "{failed} of {requests}");
    assert_eq!(failures.last("Occurrences"), failed);
    assert!(Csv::read(&stage.path("out/deep/run_exceptions.csv")).lines.is_empty());

    let junit = stage.read("out/junit.xml");
    assert!(junit.contains("name=\"POST /predict\" classname=\"requests\""), "{junit}");
    let summary = stage.read("out/summary.md");
    assert!(summary.contains("## ❌ Sentinel: FAIL") && summary.contains("/predict"), "{summary}");
    let page = stage.read("out/report_4_4_3.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Plotly") && page.contains("&#x2f;predict"));
    assert!(page.ends_with("</html>"), "the page is whole");
}

#[test]
fn csv_files_can_be_read_while_the_run_goes_on() {
    let stage = Stage::new(CLEAN);
    let mut master = stage.start(&["--csv", "run", "--csv-full-history"], &[]);
    let [stats, history] = ["run_stats.csv", "run_stats_history.csv"].map(|name| stage.path(name));
    let seen = until(PATIENCE, || {
        // Whenever one looks, the table has its header and, once there is anything, its last line.
        let table = stats.exists().then(|| Csv::read(&stats))?;
        assert!(table.lines.is_empty() || table.column("Name").last() == Some(&"Aggregated"));
        let lines = fs::read_to_string(&history).map_or(0, |text| text.lines().count());
        (lines > 6).then_some(())
    });
    assert!(seen.is_some(), "the history does not grow:\n{}", master.log());
    master.signal(Signal::Interrupt);
    let exit = master.wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let requests: u64 = stage.target.served().values().sum();
    let [stats, history] = [stats, history].map(|path| Csv::read(&path));
    assert_eq!((stats.last("Request Count"), history.last("Total Request Count")), (requests, requests));
    let names = history.column("Name");
    assert_eq!(names[names.len() - 2..], ["/health", "Aggregated"]);
    assert_eq!(
        fs::read_dir(stage.folder.path()).expect("it is there").count(),
        4,
        "nothing else is left behind"
    );
}

#[test]
fn what_cannot_be_written_is_found_before_the_run() {
    let stage = Stage::new(CLEAN);
    fs::create_dir(stage.path("folder")).expect("there is room for a folder");
    fs::write(stage.path("file"), "kept").expect("there is room for a file");
    let check = |args: &[&str], expected: &[&str]| {
        let exit = stage.run(&[args, &["-t", "1s"]].concat());
        assert_eq!((exit.code, exit.stdout.as_str()), (Some(2), ""), "{args:?}: {}", exit.stderr);
        assert_eq!(exit.stderr.lines().count(), 1, "{args:?}: {}", exit.stderr);
        for expected in expected {
            assert!(exit.stderr.contains(expected), "{args:?}: no {expected:?} in {}", exit.stderr);
        }
    };
    check(&["--html", "folder"], &["--html", "folder", "there is a folder of that name"]);
    check(&["--junit", "file/junit.xml"], &["--junit", "file/junit.xml", "folder"]);
    check(&["--csv", "file/run"], &["--csv", "file/run_stats.csv"]);
    check(&["--html", "a", "--junit", "./a"], &["--html", "--junit", "different names"]);
    check(&["--csv", "a", "--summary-md", "a_stats.csv"], &["--csv", "--summary-md", "different names"]);
    #[cfg(target_os = "linux")]
    {
        std::os::unix::fs::symlink("/dev/full", stage.path("full_stats.csv"))
            .expect("there is room for a link");
        check(&["--csv", "full"], &["--csv", "full_stats.csv", "No space left on device"]);
    }
    check(&["--csv-full-history"], &["--csv-full-history needs --csv"]);
    check(&["--logfile", "b.json", "--json-file", "b"], &["--logfile", "--json-file", "different names"]);
    let scenario = stage.scenario.path().to_string_lossy().into_owned();
    check(&["--html", &scenario], &["--locustfile", "--html", "different names"]);
    assert_eq!(fs::read_to_string(stage.path("file")).expect("it is there"), "kept");
    assert!(stage.target.served().is_empty(), "nothing was started");
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_takes_no_more_costs_its_files_and_nothing_else() {
    let stage = Stage::new(CLEAN);
    // A device that takes nothing stands in for a full disk, behind the name of a file.
    std::os::unix::fs::symlink("/dev/full", stage.path("report.html")).expect("there is room for a link");
    let outputs =
        ["--csv", "gone/run", "--html", "report.html", "--junit", "junit.xml", "--json", "-t", "4s"];
    let master = stage.start(&outputs, &[]);
    let seen = until(PATIENCE, || stage.path("gone/run_stats.csv").exists().then_some(()));
    assert!(seen.is_some(), "no CSV file comes:\n{}", master.log());
    fs::remove_dir_all(stage.path("gone")).expect("it can be removed");
    let exit = master.wait();
    assert_eq!(exit.code, Some(1), "a run that passes is not complete without its files: {}", exit.stderr);
    assert!(exit.stderr.contains("Verdict: PASS"), "{}", exit.stderr);
    for name in ["run_stats.csv", "run_failures.csv", "run_exceptions.csv", "report.html"] {
        let told =
            exit.stderr.lines().filter(|line| line.contains("cannot write") && line.contains(name)).count();
        assert_eq!(told, 1, "{name}: {}", exit.stderr);
    }
    let requests: u64 = stage.target.served().values().sum();
    assert_eq!(counts_of(&exit.stdout).values().sum::<u64>(), requests);
    assert!(stage.read("junit.xml").contains("</testsuites>"));
}

#[test]
fn without_a_run_no_file_of_an_earlier_one_is_left() {
    let stage = Stage::new(CLEAN);
    for name in ["junit.xml", "report.html"] {
        fs::write(stage.path(name), "of an earlier run").expect("there is room for a file");
    }
    let args = ["--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0"];
    let none = ["-H", "http://127.0.0.1:9", "--expect-workers-max-wait", "1"];
    let files = ["--junit", "junit.xml", "--html", "report.html"];
    let args = [&args[..], &none, &files].concat();
    let exit = Process::start_in(stage.folder.path(), Program::Master, &args).wait();
    assert_eq!(exit.code, Some(1), "{}", exit.stderr);
    for name in ["junit.xml", "report.html"] {
        assert!(!stage.path(name).exists(), "{name} is of an earlier run");
    }
}

#[test]
fn a_step_of_github_actions_has_the_summary_added() {
    let stage = Stage::new(CLEAN);
    let path = stage.path("step.md");
    fs::write(&path, "what was there before\n").expect("there is room for a file");
    let environment = [("GITHUB_STEP_SUMMARY", &*path.to_string_lossy())];
    let exit = stage.start(&["--summary-md", "summary.md", "-t", "2s"], &environment).wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let summary = stage.read("summary.md");
    assert!(summary.contains("## ✅ Sentinel: PASS"), "{summary}");
    assert_eq!(stage.read("step.md"), format!("what was there before\n{summary}"));
}

#[test]
fn a_step_that_asks_for_its_own_summary_gets_it_once() {
    let stage = Stage::new(CLEAN);
    let path = stage.path("step.md");
    fs::write(&path, "what was there before\n").expect("there is room for a file");
    let environment = [("GITHUB_STEP_SUMMARY", &*path.to_string_lossy())];
    let exit = stage.start(&["--summary-md", "./step.md", "-t", "1s"], &environment).wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    let summary = stage.read("step.md");
    assert!(summary.starts_with("what was there before\n"), "{summary}");
    assert_eq!(summary.matches("Sentinel: PASS").count(), 1, "{summary}");
    let exit = stage.start(&["--junit", "step.md", "-t", "1s"], &environment).wait();
    assert_eq!(exit.code, Some(2), "{}", exit.stderr);
    assert!(exit.stderr.contains("GITHUB_STEP_SUMMARY names"), "{}", exit.stderr);
    assert_eq!(stage.read("step.md"), summary);
}

#[test]
#[cfg(target_os = "linux")]
fn json_that_standard_output_does_not_take_is_told() {
    let stage = Stage::new(CLEAN);
    let (url, file) = (stage.target.url(), stage.scenario.path().to_string_lossy());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there is such a device");
    let mut master = std::process::Command::new(Program::Master.path());
    master.args(["--headless", "--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "-f", &file]);
    master.args(["-H", &url, "-u", "1", "-t", "1s", "--local-workers", "1", "--json"]);
    let output = master.stdout(full).output().expect("a master can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("--json cannot write to standard output"), "{stderr}");
    assert!(stderr.contains("Verdict: PASS"), "{stderr}");
}

#[test]
fn a_summary_that_nobody_asked_for_may_fail() {
    let stage = Stage::new(CLEAN);
    let folder = stage.folder.path().to_string_lossy().into_owned();
    let exit = stage.start(&["-t", "1s"], &[("GITHUB_STEP_SUMMARY", &folder)]).wait();
    assert_eq!(exit.code, Some(0), "{}", exit.stderr);
    assert!(exit.stderr.contains("GITHUB_STEP_SUMMARY"), "{}", exit.stderr);
}
