//! The same tiny job under real Locust and under Sentinel: their CSV headers, JSON keys, printed tables and exit codes are
//! the same, field by field, and so is the form of every figure.

use std::fs;
use std::path::Path;
use std::process::Command;

use sentinel_tests::locust::{Files, python};
use sentinel_tests::process::{Exit, Process, Program, Target};
use serde_json::Value;

/// What one of the two left behind.
struct Run {
    exit: Exit,
    folder: tempfile::TempDir,
}

impl Run {
    fn csv(&self, name: &str) -> Vec<Vec<String>> {
        let path = self.folder.path().join(format!("out_{name}.csv"));
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_path(&path)
            .expect("it is there");
        let record = |record: Result<csv::StringRecord, csv::Error>| {
            record.expect("it is CSV").iter().map(str::to_owned).collect()
        };
        reader.records().map(record).collect()
    }

    fn raw_csv(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(format!("out_{name}.csv"))).expect("it is there")
    }

    fn json(&self) -> Vec<Value> {
        let rows: Value = serde_json::from_str(&self.exit.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.exit.stdout));
        let mut rows = rows.as_array().expect("an array").clone();
        rows.sort_by_key(|row| (row["name"].to_string(), row["method"].to_string()));
        rows
    }
}

const LOAD: [&str; 9] = ["--headless", "-u", "4", "-r", "4", "-t", "5s", "--csv", "out"];

fn locust(python: &Path, files: &Files, target: &Target, more: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let mut command = Command::new(python);
    command.args(["-m", "locust", "-f", &files.locustfile(), "-H", &target.url()]).args(LOAD).args(more);
    command.current_dir(folder.path());
    Run { exit: Process::run("Locust", command).wait(), folder }
}

fn sentinel(files: &Files, target: &Target) -> Run {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let (file, url) = (files.scenario(), target.url());
    let own =
        ["--master-bind-host", "127.0.0.1", "--master-bind-port", "0", "--local-workers", "1", "--json"];
    let args = [&["-f", &file, "-H", &url][..], &own, &LOAD].concat();
    Run { exit: Process::start_in(folder.path(), Program::Master, &args).wait(), folder }
}

/// What kind of thing a cell is: figures differ from run to run, their form does not.
fn form(cell: &str) -> String {
    match cell {
        "" | "N/A" => cell.to_owned(),
        // An integer where a fraction could stand is a time that is one of the extremes, or none.
        _ if cell.parse::<f64>().is_ok() => "number".to_owned(),
        _ if cell.len() == 20 && cell.ends_with('Z') => "time".to_owned(),
        _ => cell.to_owned(),
    }
}

fn forms(line: &[String]) -> Vec<String> {
    line.iter().map(|cell| form(cell)).collect()
}

/// The lines of a table as words; figures as their form.
fn table(log: &str, title: &str) -> Vec<String> {
    let at = log.rfind(title).unwrap_or_else(|| panic!("no {title:?} in {log}"));
    let lines = log[at..].lines().take_while(|line| !line.is_empty());
    let digits = |line: &str| {
        line.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect::<String>()
    };
    let squeezed = |line: &str| {
        let mut text = digits(line).split_whitespace().collect::<Vec<_>>().join(" ");
        while text.contains("00") {
            text = text.replace("00", "0");
        }
        text
    };
    lines.map(squeezed).collect()
}

#[test]
fn outputs_have_the_form_of_locusts() {
    let Some(python) = python() else { return };
    let (target, files) = (Target::start(&[]), Files::shop());
    let theirs = locust(python, &files, &target, &["--json"]);
    // Its JSON takes the figures away from its tables.
    let tables = locust(python, &files, &target, &[]);
    let ours = sentinel(&files, &target);
    let logs = || format!("Locust:\n{}\nSentinel:\n{}", tables.exit.stderr, ours.exit.stderr);

    assert_eq!(theirs.exit.code, ours.exit.code, "{}", logs());
    for name in ["stats", "stats_history", "failures", "exceptions"] {
        let (theirs_csv, ours_csv) = (theirs.csv(name), ours.csv(name));
        let width = theirs_csv[0].len();
        assert_eq!(theirs_csv[0], ours_csv[0][..width], "{name}: Locust's columns come first");
        for raw in [theirs.raw_csv(name), ours.raw_csv(name)] {
            assert!(raw.contains("\r\n") && raw.ends_with("\r\n"), "{name}");
        }
    }
    let (theirs_stats, ours_stats) = (theirs.csv("stats"), ours.csv("stats"));
    assert_eq!(theirs_stats.len(), ours_stats.len(), "{}", logs());
    for (theirs, ours) in theirs_stats.iter().zip(&ours_stats).skip(1) {
        assert_eq!(forms(theirs), forms(&ours[..theirs.len()]));
    }
    let last = |csv: Vec<Vec<String>>| csv.last().cloned().expect("there are lines");
    let (theirs_last, ours_last) = (last(theirs.csv("stats_history")), last(ours.csv("stats_history")));
    assert_eq!(forms(&theirs_last), forms(&ours_last[..theirs_last.len()]));
    let (theirs_last, ours_last) = (last(theirs.csv("failures")), last(ours.csv("failures")));
    for column in [0, 1, 3, 4, 5] {
        assert_eq!(form(&theirs_last[column]), form(&ours_last[column]), "{theirs_last:?} {ours_last:?}");
    }

    let keys = |row: &Value| row.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let (theirs_json, ours_json) = (theirs.json(), ours.json());
    assert_eq!(theirs_json.len(), ours_json.len());
    for (theirs, ours) in theirs_json.iter().zip(&ours_json) {
        assert_eq!(keys(theirs), keys(ours));
        for key in ["name", "method"] {
            assert_eq!(theirs[key], ours[key]);
        }
        for (key, value) in theirs.as_object().expect("an object") {
            assert_eq!(value.is_number(), ours[key].is_number(), "{key}: {value} {}", ours[key]);
        }
    }

    // The first lines of every table: header, rule, and then rows in the same order. Figures may be wider or narrower.
    for title in ["Type     Name  ", "Response time percentiles (approximated)", "Error report"] {
        let (theirs, ours) = (table(&tables.exit.stderr, title), table(&ours.exit.stderr, title));
        assert_eq!(theirs[..2], ours[..2], "{title}: {}", logs());
        assert_eq!(theirs.len(), ours.len(), "{title}: {}", logs());
    }
}
