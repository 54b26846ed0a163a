//! What command lines mean.

use std::fs;

use clap::Parser as _;

use super::for_locust::list;
use super::*;
use sentinel_common::ids::RunId;
use sentinel_common::locust::Value;

const SCENARIO: &str = "
host: http://localhost:1
users:
  Fixed:
    fixed_count: 3
    wait_time: constant_pacing(1)
    tasks: [{ name: t, tags: [a, b], steps: [{ get: / }] }]
  Weighted:
    wait_time: constant_pacing(1)
    tasks: [{ name: t, tags: [a, b], steps: [{ get: / }] }]
profiles:
  big: { users: 40, spawn_rate: 4, run_time: 2m, criteria: ['rps > 1000'] }
";

/// Resolves a command line with a scenario file beside it.
fn resolve(scenario: &str, args: &[&str]) -> Result<Settings, UsageError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yaml");
    fs::write(&path, scenario).unwrap();
    let file = path.to_string_lossy();
    let args = ["sentinel-master", "-f", &file].into_iter().chain(args.iter().copied());
    Settings::resolve(&Args::try_parse_from(args).unwrap(), RunId::new("run"), 1, None)
}

fn refused(scenario: &str, args: &[&str], expected: &str) {
    let error = format!("{:#}", anyhow::Error::from(resolve(scenario, args).expect_err(expected)));
    assert!(error.contains(expected), "{args:?}: {error}");
}

#[test]
fn options_come_before_the_profile_and_the_profile_before_the_defaults() {
    let load = |args: &[&str]| resolve(SCENARIO, args).unwrap().autostart.load;
    let plain = load(&["-u", "5"]);
    assert_eq!((plain.users, plain.spawn_rate.as_per_second(), plain.run_time), (5, 1.0, None));
    let big = load(&["--profile", "big"]);
    assert_eq!(
        (big.users, big.spawn_rate.as_per_second(), big.run_time),
        (40, 4.0, Some(Duration::from_secs(120)))
    );
    let edited = load(&["--profile", "big", "-u", "50", "-t", "0"]);
    assert_eq!((edited.users, edited.spawn_rate.as_per_second(), edited.run_time), (50, 4.0, None));
}

#[test]
fn a_seed_that_is_given_takes_the_place_of_a_new_one() {
    let seed = |args: &[&str]| resolve(SCENARIO, args).unwrap().autostart.spec.seed;
    assert_eq!(seed(&["-u", "5"]), 1);
    assert_eq!(seed(&["-u", "5", "--seed", "42"]), 42);
    assert_eq!(seed(&["-u", "5", "--seed", "18446744073709551615"]), u64::MAX);
}

#[test]
fn mistakes_are_found_before_anything_starts() {
    refused(SCENARIO, &["-u", "0"], "at least 1, got 0");
    refused(SCENARIO, &["-u", "-5"], "at least 1, got -5");
    refused(SCENARIO, &["-u", "5", "-r", "0"], "0");
    refused(SCENARIO, &["-u", "2"], "need 3 users");
    refused(SCENARIO, &["--profile", "bigg"], "big");
    refused(SCENARIO, &["-u", "5", "-H", "localhost"], "--host");
    refused(&SCENARIO.replace("host: http://localhost:1", ""), &["-u", "5"], "--host http://localhost:8000");
    refused("users: {}", &[], "test.yaml:1");
}

#[test]
fn what_workers_would_stumble_over_is_found_before_the_run() {
    let with = |top: &str| format!("{top}\n{SCENARIO}");
    refused(&with("data: { a: { file: missing.csv } }"), &["-u", "5"], "cannot read");
    refused(&with("http: { tls: { ca: missing.pem } }"), &["-u", "5"], "missing.pem");
    refused(&with("arrivals: { rate: 5/s }"), &["-i", "5"], "--iterations");
    refused(SCENARIO, &["-u", "5", "-T", "nope"], "no task is left");
    refused(SCENARIO, &["-u", "5", "Weigthed"], "did you mean Weighted?");
}

#[test]
fn users_of_a_shape_are_its_own() {
    let shaped = format!("shape: {{ ramp: {{ to: 40, duration: 1m }} }}\n{SCENARIO}");
    let settings = resolve(&shaped, &[]).unwrap();
    assert!(settings.autostart.spec.shape.is_some());
    assert!(settings.notes.is_empty(), "{:?}", settings.notes);
    let notes = resolve(&shaped, &["-u", "5"]).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("no effect on a shape")), "{notes:?}");
    refused(&shaped.replace("to: 40", "to: 2"), &[], "need 3 users");
}

#[test]
fn a_criterion_out_of_reach_is_noted() {
    let notes = resolve(SCENARIO, &["--profile", "big"]).unwrap().notes;
    assert!(notes.iter().any(|note| note.contains("cannot be met")), "{notes:?}");
}

#[test]
fn local_workers_are_expected_unless_told_otherwise() {
    let expected = |args: &[&str]| resolve(SCENARIO, args).unwrap().autostart.expect_workers;
    assert_eq!(expected(&["-u", "5"]), 1);
    assert_eq!(expected(&["-u", "5", "--local-workers", "2"]), 2);
    assert_eq!(expected(&["-u", "5", "--local-workers", "2", "--expect-workers", "3"]), 3);
}

#[test]
fn a_master_runs_alone_where_nothing_says_that_workers_will_come() {
    let alone = |args: &[&str]| resolve(SCENARIO, &[&["-u", "5"], args].concat()).unwrap().local_run;
    assert!(alone(&["--headless"]) && alone(&["--autostart"]) && alone(&["--headful", "--autostart"]));
    assert!(!alone(&[]) && !alone(&["--headless", "--headful"]));
    for prevented in [
        &["--master"] as &[&str],
        &["--expect-workers", "1"],
        &["--expect-workers-max-wait", "60"],
        &["--local-workers", "1"],
        &["--processes", "2"],
    ] {
        assert!(!alone(&[&["--headless"], prevented].concat()), "{prevented:?}");
    }
}

#[test]
fn a_page_asks_for_what_nobody_has_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yaml");
    fs::write(&path, SCENARIO.replace("host: http://localhost:1", "")).unwrap();
    let page = |args: &[&str]| {
        let file = path.to_string_lossy();
        let args = ["sentinel-master", "-f", &file].into_iter().chain(args.iter().copied());
        Settings::resolve_for_page(&Args::try_parse_from(args).unwrap(), RunId::new("run"), 1, None)
    };
    let settings = page(&[]).unwrap();
    assert!(settings.needs_host && settings.host.is_none());
    assert_eq!(settings.autostart.load.users, 3, "as many as have a fixed place");
    assert_eq!(settings.web.unwrap().port, 8089);
    assert!(matches!(page(&["-u", "2", "-H", "http://h"]), Err(UsageError::TooFewUsers { .. })));
    assert!(matches!(page(&["-u", "5", "--autostart"]), Err(UsageError::NoHost { .. })));
    assert!(matches!(page(&["-u", "5", "--headless"]), Err(UsageError::NoHost { .. })));
}

#[test]
fn a_page_is_served_as_the_options_say() {
    let web = |args: &[&str]| resolve(SCENARIO, &[&["-u", "5"], args].concat()).unwrap().web;
    assert_eq!(web(&["--headless"]), None);
    let plain = web(&[]).unwrap();
    assert_eq!((plain.host.as_str(), plain.port, plain.base_path.as_str()), ("*", 8089, ""));
    let other = web(&["--web-host", "", "-P", "0", "--web-base-path", "/load/", "--class-picker"]).unwrap();
    assert_eq!((other.host.as_str(), other.port, other.base_path.as_str()), ("*", 0, "/load"));
    assert!(other.class_picker && other.tls.is_none() && !other.autostart);
    let quit = |args: &[&str]| web(args).unwrap().autoquit;
    assert_eq!(quit(&["--autostart", "--autoquit", "5"]), Some(Duration::from_secs(5)));
    assert_eq!(quit(&["--autostart", "--autoquit=-1"]), None);
    assert_eq!(quit(&["--autostart"]), None);
    let tls = web(&["--tls-cert", "a.pem", "--tls-key", "b.pem"]).unwrap().tls.unwrap();
    assert_eq!((tls.cert.as_path(), tls.key.as_path()), ("a.pem".as_ref(), "b.pem".as_ref()));
}

#[test]
fn tables_are_printed_beside_the_page_only_if_somebody_asks() {
    let periodic = |args: &[&str]| resolve(SCENARIO, &[&["-u", "5"], args].concat()).unwrap().output.periodic;
    assert!(periodic(&["--headless"]) && periodic(&["--print-stats"]));
    assert!(!periodic(&[]) && !periodic(&["--headless", "--only-summary"]));
}

#[test]
fn files_that_are_no_scenarios_are_refused() {
    let error = |file: &str| {
        let args = Args::try_parse_from(["sentinel-master", "-f", file]).unwrap();
        Settings::resolve(&args, RunId::new("run"), 1, None).unwrap_err().to_string()
    };
    assert!(error("/does/not/exist.yaml").contains("cannot read /does/not/exist.yaml"));
    assert!(error("locustfile.py").contains("--user-classes"));
}

#[test]
fn the_classes_that_are_named_run() {
    let classes = |args: &[&str]| {
        let spec = resolve(SCENARIO, args).unwrap().autostart.spec;
        spec.classes.into_iter().map(|class| (class.name, class.weight)).collect::<Vec<_>>()
    };
    assert_eq!(classes(&["-u", "5"]).len(), 2);
    assert_eq!(classes(&["--user-classes", "Weighted:3"]), [("Weighted".to_owned(), 3.0)]);
    refused(SCENARIO, &["--user-classes", "Weigthed"], "did you mean Weighted?");
    refused(SCENARIO, &["--user-classes", "Weighted:x"], "Name:weight");
}

#[test]
fn a_locustfile_is_for_locusts_workers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.py");
    fs::write(&path, "class A: pass").unwrap();
    let resolve = |args: &[&str]| {
        let file = path.to_string_lossy();
        let fixed = ["sentinel-master", "-f", &file, "--user-classes", "A,B:2"];
        let args = fixed.into_iter().chain(args.iter().copied());
        Settings::resolve(&Args::try_parse_from(args).unwrap(), RunId::new("run"), 1, None)
    };
    let settings = resolve(&["-u", "5"]).unwrap();
    assert!(settings.autostart.spec.scenario.text.is_none());
    assert!(matches!(&*settings.locustfile, LocustfileReply::Sources(files) if files.len() == 1));
    let error = resolve(&["--local-workers", "1"]).unwrap_err().to_string();
    assert!(error.contains("locust --worker"), "{error}");
}

#[test]
fn workers_are_told_the_options_by_locusts_names() {
    let option = |args: &[&str], name: &str| {
        let options = resolve(SCENARIO, args).unwrap().autostart.spec.parsed_options;
        options.into_iter().find(|(key, _)| key == name).unwrap().1
    };
    let tags = |tags: &[&str]| list(tags.iter().map(|tag| (*tag).to_owned()).collect());
    assert_eq!(option(&["-u", "5"], "num_users"), Value::from(5));
    assert_eq!(option(&["-u", "5"], "tags"), Value::Nil);
    assert_eq!(option(&["-u", "5", "-T", "a", "b"], "tags"), tags(&["a", "b"]));
    assert_eq!(option(&["-u", "5", "-T", "[a, b]", "-E", "c"], "tags"), tags(&["a", "b"]));
    assert_eq!(option(&["-u", "5", "-E", "c"], "exclude_tags"), tags(&["c"]));
    assert_eq!(option(&["-u", "5", "-s", "3"], "stop_timeout"), Value::from(3));
    assert_eq!(option(&["-u", "5", "-t", "1m"], "run_time"), Value::from(60));
}
