//! The documentation of the language: every example in it is read, every key is in it.

use std::collections::BTreeSet;

use sentinel_common::scenario::{Scenario, json_schema};
use serde_json::Value as Json;

const DOCUMENTATION: &str = include_str!("../../docs/scenarios.md");

/// The examples: what stands behind `yaml` in the line above, and the text.
fn examples() -> Vec<(&'static str, &'static str)> {
    let blocks = DOCUMENTATION.split("```yaml").skip(1);
    let parts = blocks.filter_map(|block| {
        let (kind, rest) = block.split_once('\n')?;
        Some((kind.trim(), rest.split_once("```")?.0))
    });
    parts.collect()
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

/// The example as a whole scenario.
fn whole(kind: &str, text: &str) -> String {
    let class = "users:\n  A:\n";
    let task = "    tasks:\n      - name: t\n        steps:\n";
    match kind {
        "" => text.to_owned(),
        "top" => format!("{text}{class}{task}          - get: /\n"),
        "class" => format!("{class}{}", indented(text, 4)),
        "tasks" => format!("{class}    tasks:\n{}", indented(text, 6)),
        "steps" => format!("{class}{task}{}", indented(text, 10)),
        other => panic!("an example of the unknown kind {other:?}"),
    }
}

#[test]
fn every_example_is_a_scenario() {
    let examples = examples();
    assert!(examples.len() >= 15, "examples were lost");
    for (kind, text) in examples {
        let text = whole(kind, text);
        if let Err(notes) = Scenario::load("docs/scenarios.md", &text) {
            panic!("{notes}\n\n{text}");
        }
    }
}

/// Every key of every mapping in the schema.
fn keys(schema: &Json, found: &mut BTreeSet<String>) {
    match schema {
        Json::Object(fields) => {
            if let Some(Json::Object(properties)) = fields.get("properties") {
                found.extend(properties.keys().cloned());
            }
            fields.values().for_each(|value| keys(value, found));
        }
        Json::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn every_key_is_documented() {
    let mut known = BTreeSet::new();
    keys(&json_schema(), &mut known);
    let words: BTreeSet<&str> =
        DOCUMENTATION.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let missing: Vec<_> = known.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
