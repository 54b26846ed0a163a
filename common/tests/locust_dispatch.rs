//! Replays what Locust's own dispatcher did (`fixtures/locust_dispatch.py` wrote it down) and compares every step.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use sentinel_common::dispatch::{ClassSpec, Dispatcher, Placement, SpawnRate, StepOutcome};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    /// Spawn rate, users per step, pause in seconds.
    rates: Vec<(f64, u32, f64)>,
    /// Weights by class, and the first classes emitted.
    sequences: Vec<(Vec<(String, f64)>, String)>,
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    /// Name, weight, fixed count.
    classes: Vec<(String, f64, u32)>,
    workers: Vec<String>,
    /// The workers in dispatch order.
    start: Vec<String>,
    ops: Vec<Operation>,
}

/// A placement as Locust had it: worker after worker in dispatch order, class after class by name.
type Counts = Vec<u32>;

#[derive(Deserialize)]
#[serde(untagged)]
enum Operation {
    Ramp(Ramp, u32, f64, Option<Vec<String>>, Vec<Counts>, bool),
    Change(Change, String, Vec<String>, Counts),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ramp {
    Ramp,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    Join,
    Leave,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("fixtures/locust_dispatch.json")).expect("the fixture is well-formed")
}

fn counts(placement: &Placement) -> Counts {
    placement.rows().flat_map(|(_, row)| row.iter().copied()).collect()
}

fn specs(classes: &[(String, f64, u32)]) -> Vec<ClassSpec> {
    let spec = |(name, weight, fixed_count): &(String, f64, u32)| ClassSpec {
        name: name.clone(),
        weight: *weight,
        fixed_count: *fixed_count,
    };
    classes.iter().map(spec).collect()
}

fn order(dispatcher: &Dispatcher) -> Vec<&str> {
    dispatcher.current().workers().iter().map(|worker| &**worker).collect()
}

fn replay(index: usize, scenario: &Scenario) {
    let mut dispatcher =
        Dispatcher::new(specs(&scenario.classes), scenario.workers.iter().map(String::as_str))
            .expect("Locust accepted it as well");
    assert_eq!(order(&dispatcher), scenario.start, "scenario {index}");
    for (number, operation) in scenario.ops.iter().enumerate() {
        let place = format!("scenario {index}, operation {number}");
        match operation {
            Operation::Ramp(_, target, rate, selected, steps, ended) => {
                if let Some(selected) = selected {
                    dispatcher.select_classes(selected.iter().map(String::as_str)).expect("known classes");
                }
                replay_ramp(&mut dispatcher, *target, *rate, steps, *ended, &place);
            }
            Operation::Change(change, worker, expected_order, expected) => {
                match change {
                    Change::Join => dispatcher.add_worker(worker.as_str()),
                    Change::Leave => dispatcher.remove_worker(worker),
                }
                .expect("Locust accepted it as well");
                assert_eq!(order(&dispatcher), *expected_order, "{place}");
                assert_eq!(counts(dispatcher.current()), *expected, "{place}");
            }
        }
    }
}

fn replay_ramp(
    dispatcher: &mut Dispatcher,
    target: u32,
    rate: f64,
    steps: &[Counts],
    ended: bool,
    place: &str,
) {
    let step_size = SpawnRate::per_second(rate).expect("a possible rate").step_size();
    for (step, expected) in steps.iter().enumerate() {
        let outcome = dispatcher.step(target, step_size);
        assert_eq!(counts(dispatcher.current()), *expected, "{place}, step {step}");
        let reached = dispatcher.current().total() == target;
        assert_eq!(outcome == StepOutcome::Reached, reached, "{place}, step {step}");
    }
    if ended {
        let last = dispatcher.current().clone();
        let outcome = dispatcher.step(target, step_size);
        assert_eq!(*dispatcher.current(), last, "{place}: nothing was left to do");
        let reached = last.total() == target;
        let expected = if reached { StepOutcome::Reached } else { StepOutcome::Exhausted };
        assert_eq!(outcome, expected, "{place}");
    }
}

#[test]
fn every_step_is_the_one_locust_took() {
    let scenarios = golden().scenarios;
    assert!(scenarios.len() > 200, "only {} scenarios", scenarios.len());
    for (index, scenario) in scenarios.iter().enumerate() {
        replay(index, scenario);
    }
}

#[test]
fn classes_come_in_the_order_of_locust() {
    for (weights, expected) in golden().sequences {
        let classes = weights.iter().map(|(name, weight)| (name.clone(), *weight, 0)).collect::<Vec<_>>();
        let mut dispatcher = Dispatcher::new(specs(&classes), ["w"]).expect("possible classes");
        let mut before = dispatcher.current().by_name().remove("w").expect("the only worker");
        let mut emitted = String::new();
        for target in 1..=expected.len() as u32 {
            let after = dispatcher.ramp(target).by_name().remove("w").expect("the only worker");
            emitted.push_str(grown(&before, &after));
            before = after;
        }
        assert_eq!(emitted, expected, "{weights:?}");
    }
}

/// The class that has more users now.
fn grown<'a>(before: &BTreeMap<String, u32>, after: &'a BTreeMap<String, u32>) -> &'a str {
    after
        .iter()
        .find(|(class, users)| before[*class] < **users)
        .map(|(class, _)| class.as_str())
        .expect("one grew")
}

#[test]
fn steps_and_pauses_are_those_of_locust() {
    for (rate, step_size, pause_seconds) in golden().rates {
        let rate = SpawnRate::per_second(rate).expect("a possible rate");
        assert_eq!(rate.step_size(), NonZeroU32::new(step_size).expect("a step has users"), "{rate}");
        assert!((rate.step_pause().as_secs_f64() - pause_seconds).abs() < 1e-9, "{rate}");
    }
}
