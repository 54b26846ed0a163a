//! The JSON Schema of scenario files knows the same words as the reader.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use sentinel_common::scenario::{Scenario, json_schema};
use serde_json::Value as Json;

const TASKS: &str = "users: { A: { tasks: [{ name: t, steps: [{ get: / }] }] } }";

/// The words that the reader says a mapping takes, when it finds one in it that is none.
fn words_of_reader(scenario: &str) -> BTreeSet<String> {
    let notes = Scenario::load("f", scenario).unwrap_err();
    let help = notes.as_slice().iter().find_map(|note| note.help.as_deref()?.split_once(" takes "));
    let (_, words) = help.unwrap_or_else(|| panic!("{notes}\n{scenario}"));
    words.split(", ").map(str::to_owned).collect()
}

fn words_of_schema(pointer: &str) -> BTreeSet<String> {
    let schema = json_schema();
    let properties = schema.pointer(&format!("{pointer}/properties"));
    let properties = properties.and_then(Json::as_object).unwrap_or_else(|| panic!("no {pointer}"));
    properties.keys().cloned().collect()
}

#[test]
fn the_schema_has_the_words_of_the_reader() {
    let check = |scenario: &str, pointer: &str| {
        assert_eq!(words_of_reader(scenario), words_of_schema(pointer), "{pointer}");
    };
    let step = |step: &str| format!("users: {{ A: {{ tasks: [{{ name: t, steps: [{step}] }}] }} }}");
    let top = |top: &str| format!("{top}\n{TASKS}");
    check(&top("qqqqqqqq: 1"), "");
    check(&top("http: { qqqqqqqq: 1 }"), "/definitions/http");
    check(&top("http: { tls: { qqqqqqqq: 1 } }"), "/definitions/http/properties/tls");
    check(&top("http: { connection: { qqqqqqqq: 1 } }"), "/definitions/http/properties/connection/anyOf/1");
    check(&top("http: { auth: { bearer: x, qqqqqqqq: 1 } }"), "/definitions/auth");
    check(&top("data: { a: { rows: [1], qqqqqqqq: 1 } }"), "/definitions/source");
    check(&top("arrivals: { rate: 1, qqqqqqqq: 1 }"), "/definitions/arrivals");
    check(
        &top("arrivals: { stages: [{ duration: 1, rate: 1, qqqqqqqq: 1 }] }"),
        "/definitions/arrivals/properties/stages/items",
    );
    check(&top("shape: { qqqqqqqq: 1 }"), "/definitions/shape");
    for kind in ["ramp", "steps", "spike", "sine"] {
        check(
            &top(&format!("shape: {{ {kind}: {{ qqqqqqqq: 1 }} }}")),
            &format!("/definitions/shape/properties/{kind}"),
        );
    }
    check(&top("shape: { stages: [{ qqqqqqqq: 1 }] }"), "/definitions/shape/properties/stages/items");
    check(&top("profiles: { p: { qqqqqqqq: 1 } }"), "/properties/profiles/additionalProperties");
    check("users: { A: { qqqqqqqq: 1, tasks: [{ name: t, steps: [{ get: / }] }] } }", "/definitions/class");
    check(
        "users: { A: { tasks: [{ name: t, qqqqqqqq: 1, steps: [{ get: / }] }] } }",
        "/definitions/task/oneOf/0",
    );
    check(
        "users: { A: { tasks: [{ name: t, qqqqqqqq: 1, iterations: 1, tasks: [{ name: t, steps: [{ get: / }] }] }] } }",
        "/definitions/task/oneOf/1",
    );
    check(&step("{ get: /, expect: { qqqqqqqq: 1 } }"), "/definitions/expect");
    check(&step("{ get: /, capture: { a: { json: x, qqqqqqqq: 1 } } }"), "/definitions/capture/anyOf/1");
    check(&step("{ post: /, multipart: { a: { value: x, qqqqqqqq: 1 } } }"), "/definitions/part/anyOf/1");
    let words = words_of_schema("/definitions/request");
    for verb in ["get", "trace"] {
        let known = words_of_reader(&step(&format!("{{ {verb}: /, qqqqqqqq: 1 }}")));
        assert!(known.is_subset(&words), "{known:?}");
    }
}

#[test]
fn every_step_is_in_the_schema() {
    let notes = Scenario::load("f", "users: { A: { tasks: [{ name: t, steps: [{ qqqqqqqq: 1 }] }] } }");
    let text = notes.unwrap_err().to_string();
    let (_, verbs) = text.split_once("a step has one of ").unwrap();
    let schema = json_schema();
    let choices = schema["definitions"]["step"]["anyOf"].as_array().unwrap();
    let requests = words_of_schema("/definitions/request");
    for verb in verbs.split(", ") {
        let is_step = choices.iter().any(|choice| choice["required"][0] == verb);
        assert!(is_step || requests.contains(verb), "{verb}");
    }
}

#[test]
fn editors_find_the_schema_beside_the_examples() {
    let file = include_str!("../../loadtest/scenario.schema.json");
    assert!(
        file == format!("{:#}\n", json_schema()),
        "sentinel-master --print-schema > loadtest/scenario.schema.json"
    );
}
