//! Searches against targets that are numbers.

use proptest::prelude::*;

use super::*;

fn range(from: &str, to: &str, precision: f64) -> Range {
    Range::new(Level::parse(from).unwrap(), Level::parse(to).unwrap(), precision).unwrap()
}

fn measured(trial: Trial, verdict: StepVerdict) -> Measurement {
    Measurement {
        step: trial.step,
        load: trial.load,
        repetition: trial.repetition,
        verdict,
        achieved_rps: trial.load.value(),
        p50_ms: Some(1.0),
        p95_ms: Some(2.0),
        p99_ms: None,
        fail_ratio: Some(0.0),
        delivered: Some(1.0),
        reasons: vec![format!("{} at {}", verdict.as_str(), trial.load)],
    }
}

/// Searches to the end; returns the search and the loads that were tried.
fn run(mut search: Search, verdict: impl Fn(Trial) -> StepVerdict) -> (Search, Vec<String>) {
    let mut loads = Vec::new();
    while let Some(trial) = search.next_trial() {
        loads.push(trial.load.to_string());
        search.record(measured(trial, verdict(trial)));
    }
    (search, loads)
}

/// A target, or a generator, that takes so much and no more.
fn up_to(capacity: f64, above: StepVerdict) -> impl Fn(Trial) -> StepVerdict {
    move |trial| if trial.load.value() <= capacity { StepVerdict::Passed } else { above }
}

#[test]
fn a_load_is_a_rate_or_a_number_of_users() {
    let check = |text: &str, expected: &str| assert_eq!(Level::parse(text).unwrap().to_string(), expected);
    check("500/s", "500/s");
    check("30000/m", "500/s");
    check("40", "40");
    for bad in ["", "0", "0/s", "-1", "1.5", "10000001", "2000000/s", "many"] {
        assert!(Level::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_range_goes_upwards_in_one_kind() {
    let check = |from: &str, to: &str, precision: f64, expected: &str| {
        let [from, to] = [from, to].map(|text| Level::parse(text).unwrap());
        let error = Range::new(from, to, precision).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("5/s", "10", 0.05, "both");
    check("10", "10", 0.05, "below");
    check("10", "20", 0.0, "--precision");
}

#[test]
fn it_doubles_and_then_halves_the_gap_in_plain_steps() {
    let search = Search::new(range("500/s", "20000/s", 0.05), 1, 20);
    let (search, loads) = run(search, up_to(4_321.0, StepVerdict::Failed));
    let expected = ["500/s", "1000/s", "2000/s", "4000/s", "8000/s", "5500/s", "4700/s", "4350/s", "4170/s"];
    assert_eq!(loads, expected);
    let finding = search.finding();
    assert_eq!((finding.end, finding.limit, finding.exit_code()), (End::Near, Some(Limit::Target), 0));
    assert_eq!(
        finding.sentence(),
        "The highest load that meets the criteria is 4170/s; 4350/s does not: failed at 4350/s."
    );
}

#[test]
fn users_are_whole() {
    let (search, loads) = run(Search::new(range("1", "100", 0.01), 1, 20), up_to(5.0, StepVerdict::Failed));
    assert_eq!(loads, ["1", "2", "4", "8", "5", "6"]);
    let finding = search.finding();
    assert_eq!(finding.highest_passed, Some(Level::Users(5)));
    assert_eq!(finding.lowest_failed, Some(Level::Users(6)));
}

#[test]
fn the_ends_of_the_range_are_told() {
    let (lowest, loads) = run(Search::new(range("10/s", "80/s", 0.05), 1, 20), |_| StepVerdict::Failed);
    assert_eq!((loads.len(), lowest.finding().end, lowest.finding().exit_code()), (1, End::LowestMissed, 3));
    assert!(lowest.finding().sentence().starts_with("Even the lowest load, 10/s, does not"));
    let (nothing, _) = run(Search::new(range("10/s", "80/s", 0.05), 1, 20), |_| StepVerdict::Undelivered);
    assert_eq!((nothing.finding().limit, nothing.finding().exit_code()), (Some(Limit::Generator), 4));
    let (highest, loads) = run(Search::new(range("10/s", "50/s", 0.05), 1, 20), |_| StepVerdict::Passed);
    assert_eq!(loads, ["10/s", "20/s", "40/s", "50/s"]);
    assert_eq!(highest.finding().sentence(), "Even the highest load, 50/s, meets the criteria.");
}

#[test]
fn a_generator_at_its_limit_is_told_apart() {
    let search = Search::new(range("10", "1000", 0.05), 1, 20);
    let (search, _) = run(search, up_to(90.0, StepVerdict::Undelivered));
    let sentence = search.finding().sentence();
    assert!(sentence.contains("The generator, not the target, was the limit."), "{sentence}");
    assert_eq!(search.finding().exit_code(), 0);
}

#[test]
fn most_repetitions_decide_and_no_more_are_made_than_that_takes() {
    let lucky = |trial: Trial| match (trial.load.value() <= 20.0, trial.repetition) {
        (true, 2) | (false, 1) => StepVerdict::Passed,
        (true, _) => StepVerdict::Passed,
        (false, _) => StepVerdict::Failed,
    };
    let (search, loads) = run(Search::new(range("10/s", "40/s", 0.5), 3, 20), lucky);
    assert_eq!(loads, ["10/s", "10/s", "20/s", "20/s", "40/s", "40/s", "40/s"]);
    assert_eq!(search.finding().highest_passed.map(Level::value), Some(20.0));
}

#[test]
fn steps_are_spent_at_last_and_a_search_may_be_cut_short() {
    let search = Search::new(range("10/s", "1000/s", 0.01), 1, 3);
    let (search, loads) = run(search, up_to(25.0, StepVerdict::Failed));
    assert_eq!((loads.len(), search.finding().end), (3, End::StepsSpent));
    assert!(search.finding().sentence().contains("--max-steps"));
    let mut search = Search::new(range("10/s", "1000/s", 0.01), 1, 20);
    search.cut_short();
    assert_eq!((search.next_trial(), search.finding().exit_code()), (None, 1));
    assert_eq!(search.finding().sentence(), "No load was measured. The search was cut short.");
}

proptest! {
    /// Whatever a target takes, the search comes near enough in the steps that it has, and names no load that it did not
    /// measure.
    #[test]
    fn it_finds_what_any_target_takes(
        rate in any::<bool>(), from in 1..1_000u32, factor in 2..500u32, capacity in 0.0..600_000.0f64,
        percent in 1..20u32, repeat in 1..4u32,
    ) {
        let unit = if rate { "/s" } else { "" };
        let to = from * factor;
        let precision = f64::from(percent) / 100.0;
        let range = range(&format!("{from}{unit}"), &format!("{to}{unit}"), precision);
        let (search, loads) = run(Search::new(range, repeat, 40), up_to(capacity, StepVerdict::Failed));
        let finding = search.finding();
        let of = |load: Level, verdict| {
            search.measurements().iter().any(|it| it.load == load && it.verdict == verdict)
        };
        prop_assert!(finding.highest_passed.is_none_or(|load| of(load, StepVerdict::Passed)));
        prop_assert!(finding.lowest_failed.is_none_or(|load| of(load, StepVerdict::Failed)));
        prop_assert!(loads.len() as u32 <= 40 * repeat);
        match finding.end {
            End::LowestMissed => prop_assert!(f64::from(from) > capacity),
            End::HighestPassed => prop_assert!(f64::from(to) <= capacity),
            End::Near => {
                let (low, high) = (finding.highest_passed.unwrap(), finding.lowest_failed.unwrap());
                prop_assert!(low.value() <= capacity && high.value() > capacity);
                let gap = high.value() - low.value();
                prop_assert!(gap <= precision * high.value() || (!rate && gap <= 1.0), "{low} {high}");
            }
            End::StepsSpent | End::CutShort => prop_assert!(false, "{:?} after {loads:?}", finding.end),
        }
    }
}
