//! The binary alone, as an operator first meets it: version, help, and mistakes.

use std::process::{Command, Output};

/// Runs the binary, which must end by itself. Returns its exit code, standard output and standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentinel-worker"));
    let Output { status, stdout, stderr } = command.args(args).env_clear().output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn it_tells_its_version() {
    let expected = concat!("sentinel-worker ", env!("CARGO_PKG_VERSION"), "\n");
    for option in ["--version", "-V"] {
        assert_eq!(run(&[option]), (Some(0), expected.to_owned(), String::new()), "{option}");
    }
}

#[test]
fn its_help_tells_how_to_find_the_master_and_when_it_ends() {
    let (code, help, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "Usage: sentinel-worker",
        "--master <HOST[:PORT]>",
        "SENTINEL_THREADS or LOCUST_THREADS",
        "-f, --locustfile <FILE>",
        "--protocol <PROTOCOL>",
        "[possible values: auto, grpc, locust]",
        "SIGTERM or SIGINT: once to hand everything over first, twice to end at once",
    ] {
        assert!(words.contains(told), "no {told:?} in {help}");
    }
}

#[test]
fn a_mistake_is_one_message_that_names_it() {
    let check_code = |exit: i32, args: &[&str], expected: &str| {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{args:?}: {stderr}");
        assert_eq!(
            stderr.matches("error: ").count() + stderr.matches("sentinel-worker: ").count(),
            1,
            "{stderr}"
        );
        assert!(stderr.contains(expected), "{args:?}: no {expected:?} in {stderr}");
    };
    let check = |args: &[&str], expected: &str| check_code(2, args, expected);
    check(&["--no-such-option"], "--no-such-option");
    check(&["--master", "a:b:c"], "--master");
    check(&["--master", "a", "--master-host", "b"], "cannot be used with");
    check(&["--master-host", "a:6000"], "--master-port");
    check(&["--threads", "0"], "--threads");
    check(&["--loglevel", "LOUD"], "LOUD");
    check(&["--protocol", "http"], "--protocol");
    check(&["--protocol", "locust"], "-f FILE");
    check_code(1, &["--processes", "-2"], "--processes -2");
    check(&["--slave"], "--slave is gone from Locust");
    check_code(1, &["-f", "/does/not/exist.yaml"], "failed to read the scenario /does/not/exist.yaml");
    check(&["--logfile", "/does/not/exist/log"], "cannot write the log file /does/not/exist/log");
}

#[test]
fn a_bad_scenario_is_refused_with_all_its_mistakes_before_anything_starts() {
    let file = std::env::temp_dir().join(format!("bad-scenario-{}.yaml", std::process::id()));
    std::fs::write(&file, "users:\n  A:\n    wieght: 3\n    tasks:\n      - steps:\n          - gett: /\n")
        .expect("the file is written");
    let (code, stdout, stderr) = run(&["-f", file.to_str().expect("the path is text")]);
    std::fs::remove_file(&file).expect("the file is removed");
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    for mistake in ["`wieght`", "no `name`", "`gett`"] {
        assert!(stderr.contains(mistake), "no {mistake} in {stderr}");
    }
}
