//! The report as a page: one file that needs nothing else, no network, no server, and no script for its tables.
//!
//! ```text
//! report ──► tables, charts ──► report.html (minijinja, which escapes) ──► page
//!                                └ frame.html, report.css, report.js, and the library that draws
//! ```
//!
//! Texts from outside are escaped by the template, and the data of the charts are JSON without `<`. Everything that a
//! run can make long has a bound: beside its library a page stays below two megabytes.

mod charts;
mod drawing;
mod frame;
mod tables;

use sentinel_common::figures::grouped;
use sentinel_common::report::Report;
use serde::Serialize;

pub(super) use self::drawing::{Chart, Drawing, Line};
pub(super) use self::frame::{Frame, Labelled, render};
pub(super) use self::tables::Table;

use self::tables::ms;
use super::python::utc;
use super::secrets::without_userinfo;
use super::top::cut;
use super::verdict::facts;

const TEMPLATE: &str = include_str!("report.html");

/// How many reasons for a verdict are shown.
const MAX_REASONS: usize = 50;
/// How many characters a text of one line has at most.
const MAX_CHARS: usize = 2_000;
/// How many characters of a scenario are shown.
const MAX_SCENARIO_CHARS: usize = 64 * 1024;

/// What a report does not know of a run: where it was made, and from what.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// What was typed, without secrets.
    pub command_line: String,
    /// What random values were drawn from; `None` where that is not ours to say.
    pub seed: Option<u64>,
    /// The master's machine.
    pub machine: String,
    /// Its system and processors.
    pub system: String,
    /// The scenario; `None` for a locustfile.
    pub scenario: Option<String>,
}

/// What the template shows.
#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    frame: Frame,
    notes: Vec<String>,
    figures: Vec<Labelled>,
    criteria: Table,
    requests: Table,
    failures: Table,
    exceptions: Table,
    delivery: Table,
    workers: Table,
    events: Table,
    scenario_name: &'a str,
    scenario: Option<String>,
}

/// The page about a run that is over.
pub fn report_page(report: &Report, environment: &Environment) -> String {
    let profile = report.profile.as_ref().map(|profile| format!(" ({profile})")).unwrap_or_default();
    let scenario =
        environment.scenario.as_deref().map(|text| cut(&without_userinfo(text), MAX_SCENARIO_CHARS));
    let frame = Frame::new(
        report.ruling.verdict.as_str(),
        &format!("{}{profile}", report.scenario),
        &subtitle(report),
        &report.ruling.reasons,
        &charts::drawing(report),
        facts_of(report, environment),
    );
    let page = Page {
        frame,
        notes: report.notes.iter().take(MAX_REASONS).map(|note| cut(note, MAX_CHARS)).collect(),
        figures: figures(report),
        criteria: tables::criteria(report),
        requests: tables::requests(report),
        failures: tables::failures(report),
        exceptions: tables::exceptions(report),
        delivery: tables::delivery(report),
        workers: tables::workers(report),
        events: tables::events(report),
        scenario_name: &report.scenario,
        scenario,
    };
    render(TEMPLATE, &page)
}

fn subtitle(report: &Report) -> String {
    let began = utc(report.started_at_unix_us).replace('T', " ").replace('Z', " UTC");
    let target =
        report.host.as_deref().map_or("several hosts".to_owned(), |host| without_userinfo(host).into_owned());
    format!("{began}, {} long, against {target}", report.clock)
}

fn figures(report: &Report) -> Vec<Labelled> {
    let total = &report.total;
    let at = |index: usize| {
        let us = total.percentiles_us.as_ref().and_then(|us| us.get(index));
        us.map_or("–".to_owned(), |us| format!("{} ms", ms(*us as f64)))
    };
    vec![
        Labelled::new("requests", grouped(total.requests)),
        Labelled::new("failed", format!("{} ({:.2} %)", grouped(total.failures), total.fail_ratio * 100.0)),
        Labelled::new("requests per second", format!("{:.1}", total.overall.requests_per_s)),
        Labelled::new("median", at(0)),
        Labelled::new("95th percentile", at(5)),
        Labelled::new("99th percentile", at(7)),
        Labelled::new("users at most", grouped(report.users_peak.unwrap_or(0))),
        Labelled::new("workers", report.workers.len().to_string()),
    ]
}

fn facts_of(report: &Report, environment: &Environment) -> Vec<Labelled> {
    let end_us = report.started_at_unix_us.saturating_add(report.clock.as_micros());
    let mut list: Vec<Labelled> =
        facts(report).into_iter().map(|(label, fact)| Labelled::new(label, fact)).collect();
    list.extend([
        Labelled::new("Start", utc(report.started_at_unix_us)),
        Labelled::new("End", utc(end_us)),
        Labelled::new("Target", report.host.as_deref().map_or("several hosts".into(), without_userinfo)),
        Labelled::new("Scenario", report.scenario.as_str()),
        Labelled::new("Profile", report.profile.as_deref().unwrap_or("none")),
        Labelled::new("Run", report.run.as_str()),
        Labelled::new("Sentinel", report.release),
        Labelled::new("Master", format!("{} ({})", environment.machine, environment.system)),
        Labelled::new("Command line", environment.command_line.as_str()),
        Labelled::new("Exit code", report.exit_code.to_string()),
    ]);
    list.extend(environment.seed.map(|seed| Labelled::new("Seed", seed.to_string())));
    list
}

#[cfg(test)]
mod tests;
