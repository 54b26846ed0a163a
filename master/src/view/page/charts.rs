//! The charts of the page, as the data that its script draws: a series is a line in the table below.

use sentinel_common::report::{Report, SecondRow};
use sentinel_common::timeline::{Event, EventKind};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::top::cut;
use super::super::verdict::notable;

/// How many events are marked, and how many stretches shaded.
const MAX_MARKS: usize = 100;
/// How many characters of an event's text its mark says.
const MAX_CHARS: usize = 120;

/// A line in a chart. Colours are those of the page's style sheet, by name.
struct Series {
    name: &'static str,
    color: &'static str,
    dashed: bool,
    value: fn(&SecondRow) -> Option<f64>,
}

/// A chart over the time of the run.
struct Chart {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    series: &'static [Series],
}

#[rustfmt::skip]
const CHARTS: &[Chart] = &[
    Chart { id: "chart-rates", title: "Requests per second", unit: "per second", series: &[
        Series { name: "requests", color: "blue", dashed: false, value: |it| per_second(it, it.requests) },
        Series { name: "failures", color: "red", dashed: false, value: |it| per_second(it, it.failures) },
    ] },
    Chart { id: "chart-times", title: "Response times", unit: "ms", series: &[
        Series { name: "p50", color: "green", dashed: false, value: |it| ms(it.p50_us) },
        Series { name: "p95", color: "orange", dashed: false, value: |it| ms(it.p95_us) },
        Series { name: "p99", color: "violet", dashed: false, value: |it| ms(it.p99_us) },
    ] },
    Chart { id: "chart-users", title: "Users", unit: "users", series: &[
        Series { name: "planned", color: "gray", dashed: true, value: |it| it.planned_users },
        Series { name: "running", color: "blue", dashed: false, value: |it| it.users },
    ] },
    Chart { id: "chart-iterations", title: "Iterations, planned and delivered", unit: "per second", series: &[
        Series { name: "planned", color: "gray", dashed: true, value: |it| per_second(it, it.planned) },
        Series { name: "started", color: "blue", dashed: false, value: |it| per_second(it, it.started) },
        Series { name: "started late", color: "orange", dashed: false, value: |it| per_second(it, it.late) },
        Series { name: "dropped", color: "red", dashed: false, value: |it| per_second(it, it.dropped) },
    ] },
    Chart { id: "chart-saturation", title: "Workers at their limits", unit: "workers", series: &[
        Series { name: "saturated", color: "orange", dashed: false, value: |it| Some(it.saturated_workers as f64) },
    ] },
];

/// A stretch of the run to be shaded.
#[derive(Serialize)]
struct Shade {
    from: f64,
    to: f64,
}

/// An event in a chart.
#[derive(Serialize)]
struct Mark {
    x: f64,
    text: String,
    color: &'static str,
}

/// A chart's place in the page.
#[derive(Serialize)]
pub(super) struct Place {
    id: &'static str,
    title: &'static str,
}

/// The places that the page must have for the charts.
pub(super) fn places() -> Vec<Place> {
    CHARTS.iter().map(|chart| Place { id: chart.id, title: chart.title }).collect()
}

/// What the script draws.
pub(super) fn data(report: &Report) -> Value {
    let (unit, length_s) = unit_of(report);
    let x = |second: f64| (second / length_s * 1e4).round() / 1e4;
    let seconds = whole_seconds(report);
    let charts: Vec<Value> = CHARTS.iter().map(|chart| chart.data(seconds)).collect();
    json!({
        "unit": unit,
        "x": seconds.iter().map(|second| x(f64::from(second.start))).collect::<Vec<_>>(),
        "charts": charts,
        "undelivered": shades(report, x),
        "events": marks(report, x),
    })
}

impl Chart {
    fn data(&self, seconds: &[SecondRow]) -> Value {
        let series = self.series.iter().map(|series| {
            let rounded = |second| (series.value)(second).map(|value: f64| (value * 1e3).round() / 1e3);
            json!({
                "name": series.name,
                "color": series.color,
                "dashed": series.dashed,
                "y": seconds.iter().map(rounded).collect::<Vec<_>>(),
            })
        });
        json!({ "id": self.id, "unit": self.unit, "series": series.collect::<Vec<_>>() })
    }
}

/// The seconds that are over: a part of one looks like a target that gave up. Of a run without any, what there is.
fn whole_seconds(report: &Report) -> &[SecondRow] {
    let over =
        |second: &SecondRow| u64::from(second.start) + u64::from(second.width) <= report.clock.as_secs();
    match report.seconds.iter().take_while(|second| over(second)).count() {
        0 => &report.seconds,
        whole => &report.seconds[..whole],
    }
}

/// What the time is counted in, and how many seconds that is.
fn unit_of(report: &Report) -> (&'static str, f64) {
    match report.clock.as_secs() {
        0..=900 => ("seconds of the run", 1.0),
        901..=36_000 => ("minutes of the run", 60.0),
        _ => ("hours of the run", 3_600.0),
    }
}

/// Where less than the floor of the plan was delivered.
fn shades(report: &Report, x: impl Fn(f64) -> f64) -> Vec<Shade> {
    let shortfalls = report.shortfalls.iter().take(MAX_MARKS);
    shortfalls.map(|it| Shade { from: x(f64::from(it.from)), to: x(f64::from(it.to)) }).collect()
}

/// Workers that came and went, and users that were edited. The first ramp is where every run begins.
fn marks(report: &Report, x: impl Fn(f64) -> f64) -> Vec<Mark> {
    let ramps = report.timeline.events().iter().filter(|event| matches!(event.kind, EventKind::Ramp { .. }));
    let mut events: Vec<&Event> = notable(&report.timeline).into_iter().chain(ramps.skip(1)).collect();
    events.sort_by_key(|event| event.at);
    let mark = |event: &Event| Mark {
        x: x(event.at.as_secs_f64()),
        text: cut(&event.kind.to_string(), MAX_CHARS),
        color: color_of(&event.kind),
    };
    events.into_iter().take(MAX_MARKS).map(mark).collect()
}

fn color_of(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::WorkerJoined { .. } | EventKind::WorkerReturned { .. } => "green",
        EventKind::WorkerLost { .. } | EventKind::WorkerFailed { .. } => "red",
        EventKind::Ramp { .. } => "violet",
        _ => "orange",
    }
}

fn per_second(second: &SecondRow, count: u64) -> Option<f64> {
    Some(count as f64 / f64::from(second.width.max(1)))
}

fn ms(us: Option<u64>) -> Option<f64> {
    us.map(|us| us as f64 / 1e3)
}
