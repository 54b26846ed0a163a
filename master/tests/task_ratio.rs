//! Task ratios as Locust prints them, byte by byte.
//!
//! The fixtures were printed by Locust 2.47.0 for the same classes; `fixtures/task_ratio/locustfile.py` tells how.

use sentinel_common::scenario::Scenario;
use sentinel_master::view::{class_list, task_ratio_json, task_ratio_table};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("fixtures/task_ratio/", $name))
    };
}

fn scenario() -> Scenario {
    Scenario::load("scenario.yaml", fixture!("scenario.yaml")).unwrap_or_else(|notes| panic!("{notes}"))
}

#[test]
fn ratios_are_printed_as_locust_prints_them() {
    let check = |users: Option<u32>, table: &str, json: &str| {
        assert_eq!(task_ratio_table(&scenario(), users), table, "{users:?}");
        assert_eq!(task_ratio_json(&scenario(), users) + "\n", json, "{users:?}");
    };
    check(None, fixture!("users_none.txt"), fixture!("users_none.json"));
    check(Some(3), fixture!("users_3.txt"), fixture!("users_3.json"));
    check(Some(10), fixture!("users_10.txt"), fixture!("users_10.json"));
}

#[test]
fn classes_are_listed_as_locust_lists_them() {
    assert_eq!(class_list(&scenario()), "Available Users:\n    UserA\n    UserB\n    UserF\n");
}
