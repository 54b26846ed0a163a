//! The page of a search: its table and its charts, in one file, with the style and the script of the report's page.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment as Templates};
use sentinel_common::search::{Limit, Measurement, Search};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::page::{Environment, SCRIPT, STYLE, library, script_data};
use super::{COLUMNS, cells, reason, sorted, unit};

const TEMPLATE: &str = include_str!("search.html");

/// What the template shows.
#[derive(Serialize)]
struct Page<'a> {
    verdict: &'static str,
    title: String,
    sentence: String,
    columns: [&'static str; 8],
    rows: Vec<Line>,
    environment: &'a [(&'static str, String)],
    css: &'static str,
    script: &'static str,
    library: String,
    data: String,
}

#[derive(Serialize)]
struct Line {
    cells: [String; 8],
    reason: String,
}

/// The page about a search that is over.
pub fn search_page(search: &Search, environment: &Environment) -> String {
    let mut templates = Templates::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    let (range, finding) = (search.range(), search.finding());
    let verdict = match (finding.highest_passed, finding.limit) {
        (Some(_), _) => "PASS",
        (None, Some(Limit::Target)) => "FAIL",
        (None, _) => "INVALID",
    };
    let facts = [
        ("Command line", environment.command_line.clone()),
        ("Master", format!("{} ({})", environment.machine, environment.system)),
        ("Sentinel", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let page = Page {
        verdict,
        title: format!("Search from {} to {}", range.from().words(), range.to().words()),
        sentence: finding.sentence(),
        columns: COLUMNS,
        rows: sorted(search).into_iter().map(|it| Line { cells: cells(it), reason: reason(it) }).collect(),
        environment: &facts,
        css: STYLE,
        script: SCRIPT,
        library: library(),
        data: script_data(&data(search)),
    };
    templates.render_str(TEMPLATE, Serde(&page)).expect("the template is ours, and memory takes everything")
}

/// What the script draws: the load goes from left to right.
fn data(search: &Search) -> Value {
    let measurements = sorted(search);
    let y = |value: &dyn Fn(&Measurement) -> Option<f64>| -> Vec<Option<f64>> {
        let rounded = |it: &&Measurement| value(it).map(|value| (value * 1e3).round() / 1e3);
        measurements.iter().map(rounded).collect()
    };
    let series = |name: &str, color: &str, dashed: bool, y: Vec<Option<f64>>| json!({ "name": name, "color": color, "dashed": dashed, "y": y });
    json!({
        "unit": unit(search.range().kind()),
        "x": measurements.iter().map(|it| it.load.value()).collect::<Vec<_>>(),
        "charts": [
            { "id": "chart-times", "unit": "ms", "series": [
                series("p50", "green", false, y(&|it| it.p50_ms)),
                series("p95", "orange", false, y(&|it| it.p95_ms)),
                series("p99", "violet", false, y(&|it| it.p99_ms)),
            ] },
            { "id": "chart-rates", "unit": "per second", "series": [
                series("requests", "blue", false, y(&|it| Some(it.achieved_rps))),
            ] },
        ],
        "undelivered": [],
        "events": [],
    })
}
