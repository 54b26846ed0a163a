//! The page of a search: its charts and its table, in the frame of the report's page.

use sentinel_common::search::{Limit, Measurement, Search};
use serde::Serialize;

use super::super::page::{Chart, Drawing, Environment, Frame, Labelled, Line, Table, render};
use super::{COLUMNS, cells, reason, sorted, unit};

const TEMPLATE: &str = include_str!("search.html");

/// What the template shows.
#[derive(Serialize)]
struct Page {
    #[serde(flatten)]
    frame: Frame,
    steps: Table,
}

/// The page about a search that is over.
pub fn search_page(search: &Search, environment: &Environment) -> String {
    let (range, finding) = (search.range(), search.finding());
    let verdict = match (finding.highest_passed, finding.limit) {
        (Some(_), _) => "PASS",
        (None, Some(Limit::Target)) => "FAIL",
        (None, _) => "INVALID",
    };
    let title = format!("Search from {} to {}", range.from().words(), range.to().words());
    let facts = vec![
        Labelled::new("Command line", environment.command_line.as_str()),
        Labelled::new("Master", format!("{} ({})", environment.machine, environment.system)),
        Labelled::new("Sentinel", env!("CARGO_PKG_VERSION")),
    ];
    let frame = Frame::new(verdict, &title, &finding.sentence(), &[], &drawing(search), facts);
    render(TEMPLATE, &Page { frame, steps: steps(search) })
}

fn steps(search: &Search) -> Table {
    let verdict = COLUMNS.len() - 1;
    let figures = COLUMNS.iter().enumerate().map(|(index, name)| (*name, index < verdict));
    let columns: Vec<_> = figures.chain([("Reason", false)]).collect();
    let row = |it: &Measurement| cells(it).into_iter().chain([reason(it)]).collect();
    Table::new(&columns, sorted(search).into_iter().map(row).collect())
}

/// The load goes from left to right.
fn drawing(search: &Search) -> Drawing {
    let measurements = sorted(search);
    let line = |name, color, value: fn(&Measurement) -> Option<f64>| {
        Line::new(name, color, false, measurements.iter().map(|it| value(it)))
    };
    let times = vec![
        line("p50", "green", |it| it.p50_ms),
        line("p95", "orange", |it| it.p95_ms),
        line("p99", "violet", |it| it.p99_ms),
    ];
    let rates = vec![line("requests", "blue", |it| Some(it.achieved_rps))];
    Drawing {
        unit: unit(search.range().kind()),
        x: measurements.iter().map(|it| it.load.value()).collect(),
        charts: vec![
            Chart { id: "chart-times", title: "Response times", unit: "ms", series: times },
            Chart { id: "chart-rates", title: "Requests per second", unit: "per second", series: rates },
        ],
        ..Drawing::default()
    }
}
