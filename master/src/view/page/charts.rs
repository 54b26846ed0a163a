//! The charts of the page, as the data that its script draws: a series is a line in the table below.

use sentinel_common::report::{Report, SecondRow};
use sentinel_common::timeline::{Event, EventKind};

use super::super::top::cut;
use super::super::verdict::notable;
use super::drawing::{Chart, Drawing, Line, Mark, Shade};

/// How many events are marked, and how many stretches shaded.
const MAX_MARKS: usize = 100;
/// How many characters of an event's text its mark says.
const MAX_CHARS: usize = 120;

/// A line in a chart.
struct Series {
    name: &'static str,
    color: &'static str,
    dashed: bool,
    value: fn(&SecondRow) -> Option<f64>,
}

/// A chart over the time of the run.
struct Plan {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    series: &'static [Series],
}

#[rustfmt::skip]
const CHARTS: &[Plan] = &[
    Plan { id: "chart-rates", title: "Requests per second", unit: "per second", series: &[
        Series { name: "requests", color: "blue", dashed: false, value: |it| per_second(it, it.requests) },
        Series { name: "failures", color: "red", dashed: false, value: |it| per_second(it, it.failures) },
    ] },
    Plan { id: "chart-times", title: "Response times", unit: "ms", series: &[
        Series { name: "p50", color: "green", dashed: false, value: |it| ms(it.p50_us) },
        Series { name: "p95", color: "orange", dashed: false, value: |it| ms(it.p95_us) },
        Series { name: "p99", color: "violet", dashed: false, value: |it| ms(it.p99_us) },
    ] },
    Plan { id: "chart-users", title: "Users", unit: "users", series: &[
        Series { name: "planned", color: "gray", dashed: true, value: |it| it.planned_users },
        Series { name: "running", color: "blue", dashed: false, value: |it| it.users },
    ] },
    Plan { id: "chart-iterations", title: "Iterations, planned and delivered", unit: "per second", series: &[
        Series { name: "planned", color: "gray", dashed: true, value: |it| per_second(it, it.planned) },
        Series { name: "started", color: "blue", dashed: false, value: |it| per_second(it, it.started) },
        Series { name: "started late", color: "orange", dashed: false, value: |it| per_second(it, it.late) },
        Series { name: "dropped", color: "red", dashed: false, value: |it| per_second(it, it.dropped) },
    ] },
    Plan { id: "chart-saturation", title: "Workers at their limits", unit: "workers", series: &[
        Series { name: "saturated", color: "orange", dashed: false, value: |it| Some(it.saturated_workers as f64) },
    ] },
];

/// The run over time.
pub(super) fn drawing(report: &Report) -> Drawing {
    let (unit, length_s) = unit_of(report);
    let x = |second: f64| (second / length_s * 1e4).round() / 1e4;
    let seconds = whole_seconds(report);
    Drawing {
        unit,
        x: seconds.iter().map(|second| x(f64::from(second.start))).collect(),
        charts: CHARTS.iter().map(|plan| plan.draw(seconds)).collect(),
        undelivered: shades(report, x),
        events: marks(report, x),
    }
}

impl Plan {
    fn draw(&self, seconds: &[SecondRow]) -> Chart {
        let line = |series: &Series| {
            Line::new(series.name, series.color, series.dashed, seconds.iter().map(series.value))
        };
        let series = self.series.iter().map(line).collect();
        Chart { id: self.id, title: self.title, unit: self.unit, series }
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
