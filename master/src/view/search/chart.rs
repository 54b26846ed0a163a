//! Load against latency, drawn with characters. Both axes are logarithmic, as a search doubles its load.

use sentinel_common::search::Measurement;

const WIDTH: usize = 60;
const HEIGHT: usize = 12;

/// What stands for a percentile. Later ones are drawn over earlier ones.
type Mark = (char, fn(&Measurement) -> Option<f64>);
const MARKS: [Mark; 3] = [('#', |it| it.p99_ms), ('x', |it| it.p95_ms), ('o', |it| it.p50_ms)];

/// The chart of what was measured, by load; empty if there is no latency.
pub(super) fn chart(measurements: &[&Measurement]) -> String {
    let points: Vec<(f64, f64, char)> = MARKS
        .iter()
        .flat_map(|(mark, value)| {
            let point = move |it: &&Measurement| Some((it.load.value(), value(it)?, *mark));
            measurements.iter().filter_map(point)
        })
        .filter(|(load, ms, _)| *load > 0.0 && *ms > 0.0)
        .collect();
    let (Some(x), Some(y)) = (
        Axis::over(points.iter().map(|point| point.0), WIDTH),
        Axis::over(points.iter().map(|point| point.1), HEIGHT),
    ) else {
        return String::new();
    };
    let mut grid = [[' '; WIDTH]; HEIGHT];
    for (load, ms, mark) in points {
        grid[HEIGHT - 1 - y.place(ms)][x.place(load)] = mark;
    }
    let mut text = String::from("ms, by load (o p50, x p95, # p99)\n");
    for (index, line) in grid.iter().enumerate() {
        let label = match index {
            0 => format!("{:.1}", y.high),
            _ if index == HEIGHT - 1 => format!("{:.1}", y.low),
            _ => String::new(),
        };
        let line: String = line.iter().collect();
        text += &format!("{label:>10} |{}\n", line.trim_end());
    }
    let (low, high) = (measurements.first(), measurements.last());
    let [low, high] = [low, high].map(|it| it.map(|it| it.load.to_string()).unwrap_or_default());
    let gap = (WIDTH + 1).saturating_sub(low.chars().count());
    text + &format!("{:>10} +{}\n{:>12}{low}{high:>gap$}\n\n", "", "-".repeat(WIDTH), "")
}

/// A logarithmic axis of so many places.
struct Axis {
    low: f64,
    high: f64,
    places: usize,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, places: usize) -> Option<Self> {
        let bounds = values.fold(None, |bounds: Option<(f64, f64)>, value| {
            let (low, high) = bounds.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        bounds.map(|(low, high)| Self { low, high, places })
    }

    fn place(&self, value: f64) -> usize {
        let length = (self.high / self.low).ln();
        let share = if length > 0.0 { (value / self.low).ln() / length } else { 0.0 };
        ((share * (self.places - 1) as f64).round() as usize).min(self.places - 1)
    }
}
