//! What every page has: the verdict at its head, the environment at its foot, style, script, data and the library.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment as Templates};
use serde::Serialize;

use super::super::top::cut;
use super::drawing::{Chart, Drawing};
use super::{MAX_CHARS, MAX_REASONS};

const FRAME: &str = include_str!("frame.html");
const PARTS: &str = include_str!("parts.html");
const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// A figure or fact with its label.
#[derive(Serialize)]
pub(in crate::view) struct Labelled {
    label: String,
    value: String,
}

impl Labelled {
    pub(in crate::view) fn new(label: &str, value: impl Into<String>) -> Self {
        Self { label: label.to_owned(), value: cut(&value.into(), MAX_CHARS) }
    }
}

/// What the template of the frame shows.
#[derive(Serialize)]
pub(in crate::view) struct Frame {
    verdict: &'static str,
    title: String,
    subtitle: String,
    reasons: Vec<String>,
    charts_of: Vec<Chart>,
    environment: Vec<Labelled>,
    css: &'static str,
    script: &'static str,
    library: String,
    data: String,
}

impl Frame {
    pub(in crate::view) fn new(
        verdict: &'static str,
        title: &str,
        subtitle: &str,
        reasons: &[String],
        drawing: &Drawing,
        environment: Vec<Labelled>,
    ) -> Self {
        Self {
            verdict,
            title: cut(title, MAX_CHARS),
            subtitle: cut(subtitle, MAX_CHARS),
            reasons: reasons.iter().take(MAX_REASONS).map(|reason| cut(reason, MAX_CHARS)).collect(),
            charts_of: drawing
                .charts
                .iter()
                .map(|chart| Chart { series: Vec::new(), ..chart.clone() })
                .collect(),
            environment,
            css: STYLE,
            script: SCRIPT,
            library: library(),
            data: script_data(drawing),
        }
    }
}

/// A page whose `body` extends the frame.
pub(in crate::view) fn render(body: &'static str, page: &impl Serialize) -> String {
    const OURS: &str = "the templates are ours, and memory takes everything";
    let mut templates = Templates::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, source) in [("frame.html", FRAME), ("parts.html", PARTS)] {
        templates.add_template(name, source).expect(OURS);
    }
    templates.render_str(body, Serde(page)).expect(OURS)
}

/// JSON that can stand in a script element: nothing in it ends the element or begins a comment.
fn script_data(drawing: &Drawing) -> String {
    let json = serde_json::to_string(drawing).expect("names are texts, and memory takes everything");
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// The library that draws the charts, as a script element. What comes with it for formulas is left out.
pub(super) fn library() -> String {
    const END: &str = "</script>";
    let sources = plotly::Plot::offline_js_sources();
    sources.split_once(END).map_or(String::new(), |(library, _)| format!("{library}{END}"))
}
