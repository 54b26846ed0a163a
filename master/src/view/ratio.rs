//! Locust's `--list`, `--show-task-ratio` and `--show-task-ratio-json`.

use sentinel_common::scenario::Scenario;
use sentinel_common::task_ratio::{RatioScope, TaskRatio, task_ratios};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::PrettyFormatter;

use super::printable;

/// The names of the user classes.
pub fn class_list(scenario: &Scenario) -> String {
    let names = scenario.users.iter().map(|class| format!("    {}\n", class.name));
    format!("Available Users:\n{}", names.collect::<String>())
}

/// The shares of classes and tasks as a table.
pub fn task_ratio_table(scenario: &Scenario, users: Option<u32>) -> String {
    let line = "-".repeat(80);
    let mut text = format!("\n Task ratio per User class\n{line}\n");
    append(&mut text, &task_ratios(scenario, users, RatioScope::PerClass), 0);
    text.push_str(&format!("\n Total task ratio\n{line}\n"));
    append(&mut text, &task_ratios(scenario, users, RatioScope::Total), 0);
    text
}

/// Recursion is bounded by the depth of the scenario.
fn append(text: &mut String, ratios: &[TaskRatio], level: usize) {
    let padding = "  ".repeat(level);
    for ratio in ratios {
        let share = format!("{padding}{:<6.1}", ratio.ratio * 100.0);
        let name = format!("{padding}{}", printable(&ratio.name));
        text.push_str(&format!(" {share:<10} {name:<50}\n"));
        append(text, ratio.tasks.as_deref().unwrap_or_default(), level + 1);
    }
}

/// The same as JSON, without a line end.
pub fn task_ratio_json(scenario: &Scenario, users: Option<u32>) -> String {
    let ratios = BothRatios {
        per_class: task_ratios(scenario, users, RatioScope::PerClass),
        total: task_ratios(scenario, users, RatioScope::Total),
    };
    let mut json = Vec::new();
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut json, PrettyFormatter::with_indent(b"    "));
    ratios.serialize(&mut serializer).expect("the keys are texts, and memory takes everything");
    String::from_utf8(json).expect("JSON is UTF-8")
}

struct BothRatios {
    per_class: Vec<TaskRatio>,
    total: Vec<TaskRatio>,
}

impl Serialize for BothRatios {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("per_class", &Ratios(&self.per_class))?;
        map.serialize_entry("total", &Ratios(&self.total))?;
        map.end()
    }
}

/// A map from names to shares, in the order of the scenario.
struct Ratios<'a>(&'a [TaskRatio]);

impl Serialize for Ratios<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for ratio in self.0 {
            map.serialize_entry(&ratio.name, &OneRatio(ratio))?;
        }
        map.end()
    }
}

struct OneRatio<'a>(&'a TaskRatio);

impl Serialize for OneRatio<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ratio", &self.0.ratio)?;
        if let Some(tasks) = &self.0.tasks {
            map.serialize_entry("tasks", &Ratios(tasks))?;
        }
        map.end()
    }
}
