use sentinel_common::report::{ExceptionRow, SecondRow};
use sentinel_common::time::RunTime;
use sentinel_common::timeline::EventKind;

use super::super::sample;
use super::frame::library;
use super::*;

/// What an attacker would call a request.
const HOSTILE: &str =
    "</script><script>alert(1)</script><img src=x onerror=alert(1)> \"'&`{{ 7*7 }}{% raw %}";

fn second(start: u32) -> SecondRow {
    SecondRow {
        start,
        width: 1,
        requests: 1_000 + u64::from(start),
        failures: 3,
        users: Some(50.0),
        planned_users: Some(50.5),
        p50_us: Some(10_123),
        p95_us: Some(20_456),
        p99_us: Some(30_789),
        ..SecondRow::default()
    }
}

/// The page without the library.
fn own(report: &Report, environment: &Environment) -> String {
    report_page(report, environment).replace(&library(), "")
}

#[test]
fn the_library_is_one_whole_script() {
    let library = library();
    assert!(library.starts_with("<script") && library.ends_with("</script>"));
    assert!(library.len() > 1_000_000, "{} bytes", library.len());
    assert_eq!(library.matches("</script>").count(), 1);
    assert!(report_page(&sample::empty(), &Environment::default()).contains(&library));
}

#[test]
fn nothing_from_outside_is_html_or_script() {
    let mut report = sample::empty();
    report.rows = vec![sample::row(HOSTILE, HOSTILE)];
    report.errors = vec![sample::error(HOSTILE, HOSTILE, HOSTILE, 1)];
    let [message, traceback] = [HOSTILE, HOSTILE].map(str::to_owned);
    report.exceptions = vec![ExceptionRow { count: 1, message, traceback, nodes: vec![HOSTILE.to_owned()] }];
    report.scenario = HOSTILE.to_owned();
    report.profile = Some(HOSTILE.to_owned());
    report.host = Some(HOSTILE.to_owned());
    report.ruling.reasons = vec![HOSTILE.to_owned()];
    let reason = HOSTILE.to_owned();
    report.timeline.push(RunTime::ZERO, EventKind::WorkerFailed { worker: sample::worker("w"), reason });
    let environment = Environment {
        command_line: HOSTILE.to_owned(),
        scenario: Some(HOSTILE.to_owned()),
        machine: HOSTILE.to_owned(),
        ..Environment::default()
    };
    let page = own(&report, &environment);
    assert_eq!(page.matches("<script").count(), 2, "the data and the page's own");
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<img") && !page.contains("alert(1)</script>"));
    assert!(page.contains("{{ 7*7 }}") && page.contains("&lt;&#x2f;script&gt;"), "shown as it is");
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    let page = own(&sample::empty(), &Environment::default());
    for part in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(part), "{part} in\n{page}");
    }
}

#[test]
fn it_shows_what_was_measured() {
    let mut report = sample::empty();
    report.clock = RunTime::from_secs(60);
    report.host = Some("http://user:secret@target:80".to_owned());
    let mut row = sample::row("GET", "/käse");
    (row.requests, row.failures, row.fail_ratio) = (12_345, 12, 0.001);
    row.percentiles_us = Some((1..=11).map(|index| index * 1_500).collect());
    report.total = row.clone();
    report.rows = vec![row];
    report.seconds = (0..60).map(second).collect();
    let page = own(&report, &Environment { seed: Some(42), ..Environment::default() });
    for part in [
        "PASS",
        "&#x2f;käse",
        "12,345",
        "12 (0.10 %)",
        "1.50 ms",
        "http:&#x2f;&#x2f;***@target:80",
        "42",
        "2026-11-23 12:35:38 UTC",
    ] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }
    assert!(!page.contains("secret"), "{page}");
    assert!(!page.contains("50% due"), "a column of nothing is left out");
}

#[test]
fn charts_have_every_second_and_every_event() {
    let mut report = sample::empty();
    report.clock = RunTime::from_secs(60);
    // The last one has only begun.
    report.seconds = (0..=60).map(second).collect();
    let ramp = |to| EventKind::Ramp { from: 0, to, spawn_rate: 1.0 };
    report.timeline.push(RunTime::ZERO, ramp(50));
    report.timeline.push(RunTime::from_secs(20), ramp(70));
    report.timeline.push(RunTime::from_secs(30), EventKind::WorkerJoined { worker: sample::worker("w") });
    let data = serde_json::to_value(charts::drawing(&report)).unwrap();
    assert_eq!(data["x"].as_array().unwrap().len(), 60);
    for chart in data["charts"].as_array().unwrap() {
        for series in chart["series"].as_array().unwrap() {
            assert_eq!(series["y"].as_array().unwrap().len(), 60, "{series}");
        }
    }
    let marks: Vec<f64> =
        data["events"].as_array().unwrap().iter().map(|mark| mark["x"].as_f64().unwrap()).collect();
    assert_eq!(marks, [20.0, 30.0]);
    assert_eq!(data["charts"][1]["series"][1]["y"][7], 20.456);
}

#[test]
fn a_page_stays_small_whatever_the_run_was() {
    let mut report = sample::empty();
    let long = |index: usize| format!("/{index}/{}", HOSTILE.repeat(10));
    report.rows = (0..10_000).map(|index| sample::row("GET", &long(index))).collect();
    report.errors = (0..100_000).map(|index| sample::error("GET", &long(index), &long(index), 1)).collect();
    report.exceptions = (0..1_000)
        .map(|index| ExceptionRow {
            count: 1,
            message: long(index),
            traceback: long(index).repeat(10),
            nodes: vec![long(index); 100],
        })
        .collect();
    report.seconds = (0..5_000).map(second).collect();
    for second in 0..10_000 {
        let (worker, reason) = (sample::worker("w"), long(7));
        report.timeline.push(RunTime::from_secs(second), EventKind::WorkerLost { worker, users: 9, reason });
    }
    let environment = Environment { scenario: Some("\"".repeat(1 << 20)), ..Environment::default() };
    let page = own(&report, &environment);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(page.contains("9,750 more names") && page.contains("99,850 more kinds"));
}
