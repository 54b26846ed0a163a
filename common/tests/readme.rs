//! What the README shows must work.

use sentinel_common::scenario::Scenario;

#[test]
fn the_scenario_in_the_readme_loads() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("```yaml\n").expect("the README shows a scenario");
    let (yaml, _) = rest.split_once("```").expect("the block ends");
    let scenario = Scenario::load("README.md", yaml).unwrap_or_else(|notes| panic!("{notes}"));
    assert_eq!(scenario.users.len(), 1);
    let (_, load) = scenario.with_profile("heavy").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(load.users, Some(500));
}
