//! What the script of a page draws.

use serde::Serialize;

/// Lines over one axis, in one or several charts.
#[derive(Clone, Debug, Default, Serialize)]
pub(in crate::view) struct Drawing {
    /// What the axis counts.
    pub(in crate::view) unit: &'static str,
    /// Where the points of every line are on it.
    pub(in crate::view) x: Vec<f64>,
    pub(in crate::view) charts: Vec<Chart>,
    /// Stretches in which load was missing.
    pub(in crate::view) undelivered: Vec<Shade>,
    pub(in crate::view) events: Vec<Mark>,
}

/// A chart and its place in the page.
#[derive(Clone, Debug, Serialize)]
pub(in crate::view) struct Chart {
    pub(in crate::view) id: &'static str,
    pub(in crate::view) title: &'static str,
    /// What its lines count.
    pub(in crate::view) unit: &'static str,
    pub(in crate::view) series: Vec<Line>,
}

/// A line. Colours are those of the page's style sheet, by name.
#[derive(Clone, Debug, Serialize)]
pub(in crate::view) struct Line {
    pub(in crate::view) name: &'static str,
    pub(in crate::view) color: &'static str,
    pub(in crate::view) dashed: bool,
    /// A point for each of the drawing's `x`; `None` leaves a gap.
    pub(in crate::view) y: Vec<Option<f64>>,
}

/// A stretch to be shaded.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in crate::view) struct Shade {
    pub(in crate::view) from: f64,
    pub(in crate::view) to: f64,
}

/// An event.
#[derive(Clone, Debug, Serialize)]
pub(in crate::view) struct Mark {
    pub(in crate::view) x: f64,
    pub(in crate::view) text: String,
    pub(in crate::view) color: &'static str,
}

impl Line {
    /// A line through these values, which are rounded to three decimals.
    pub(in crate::view) fn new(
        name: &'static str,
        color: &'static str,
        dashed: bool,
        values: impl Iterator<Item = Option<f64>>,
    ) -> Self {
        let rounded = |value: f64| (value * 1e3).round() / 1e3;
        Self { name, color, dashed, y: values.map(|value| value.map(rounded)).collect() }
    }
}
