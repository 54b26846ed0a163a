use sentinel_common::search::{Level, Search, Trial};

use super::super::Environment;
use super::*;

const HOSTILE: &str = "</script><script>alert(1)</script> | \u{1b}[2J";

/// A search of which loads up to 30/s pass.
fn search() -> Search {
    let [from, to] = ["10/s", "80/s"].map(|text| Level::parse(text).unwrap());
    let mut search = Search::new(Range::new(from, to, 0.1).unwrap(), 1, 20);
    while let Some(trial) = search.next_trial() {
        search.record(measurement(trial, trial.load.value() <= 30.0));
    }
    search
}

fn measurement(trial: Trial, passed: bool) -> Measurement {
    Measurement {
        step: trial.step,
        load: trial.load,
        repetition: trial.repetition,
        verdict: if passed { StepVerdict::Passed } else { StepVerdict::Failed },
        achieved_rps: trial.load.value(),
        p50_ms: Some(trial.load.value()),
        p95_ms: Some(trial.load.value() * 2.0),
        p99_ms: None,
        fail_ratio: Some(0.001),
        delivered: Some(1.0),
        reasons: if passed { Vec::new() } else { vec![HOSTILE.to_owned()] },
    }
}

#[test]
fn a_step_is_one_line() {
    let trial = Trial { step: 4, repetition: 2, load: Level::parse("4000/s").unwrap() };
    let expected = "step 4, run 2: 4000/s  p50 4000.0 ms  p95 8000.0 ms  p99 -  fail 0.10 %  delivered 100.0 %  passed\n";
    assert_eq!(search_step(&measurement(trial, true)), expected);
}

#[test]
fn the_summary_has_every_load_in_order_a_chart_and_the_result() {
    let text = search_summary(&search());
    let loads: Vec<&str> = text.lines().skip(2).map_while(|line| line.split_whitespace().next()).collect();
    assert_eq!(loads, ["10/s", "20/s", "28/s", "30.5/s", "33/s", "40/s"], "{text}");
    assert!(text.contains("o p50") && text.contains("80.0 |"), "{text}");
    assert!(text.contains("The highest load that meets the criteria is 28/s"), "{text}");
    assert!(!text.contains('\u{1b}') && text.lines().all(|line| line.chars().count() < 200), "{text}");
}

#[test]
fn a_search_without_a_step_has_a_result_too() {
    let [from, to] = ["1", "8"].map(|text| Level::parse(text).unwrap());
    let mut search = Search::new(Range::new(from, to, 0.1).unwrap(), 1, 20);
    search.cut_short();
    assert_eq!(search_summary(&search), "\nNo load was measured. The search was cut short.\n");
    let result: serde_json::Value = serde_json::from_str(&search_json(&search)).unwrap();
    assert_eq!((&result["limit"], &result["kind"]), (&serde_json::Value::Null, &json!("users")));
}

#[test]
fn nothing_from_outside_is_markdown_html_or_script() {
    let md = search_md(&search());
    assert!(md.starts_with("## ✅ ") && !md.contains("<script>"), "{md}");
    let page = search_page(&search(), &Environment::default());
    assert!(!page.contains("alert(1)</script>") && page.contains("&lt;script&gt;"));
    assert!(page.contains("chart-times") && page.ends_with("</html>"));
}

#[test]
fn the_result_names_what_was_measured() {
    let result: serde_json::Value = serde_json::from_str(&search_json(&search())).unwrap();
    assert_eq!(result["highest_passed"], "28/s");
    assert_eq!(result["limit"], "target");
    let steps = result["steps"].as_array().unwrap();
    assert!(steps.iter().any(|step| step["load"] == result["highest_passed"] && step["verdict"] == "passed"));
}
