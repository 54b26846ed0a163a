//! The binary alone, as an operator first meets it: version, help, and mistakes.

use std::process::{Command, Output};

/// Runs the binary, which must end by itself. Returns its exit code, standard output and standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentinel-master"));
    let Output { status, stdout, stderr } = command.args(args).env_clear().output().expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn it_tells_its_version() {
    let expected = concat!("sentinel-master ", env!("CARGO_PKG_VERSION"), "\n");
    for option in ["--version", "-V"] {
        assert_eq!(run(&[option]), (Some(0), expected.to_owned(), String::new()), "{option}");
    }
}

#[test]
fn its_help_has_sections_and_explains_the_exit_codes() {
    let (code, help, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for section in ["Usage: sentinel-master", "\nTest:\n", "\nWorkers:\n", "\nOutput:\n"] {
        assert!(help.contains(section), "no {section:?} in {help}");
    }
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in
        ["2 bad usage", "4 the planned load was not delivered", "SENTINEL_USERS or LOCUST_USERS", "--demo"]
    {
        assert!(words.contains(told), "no {told:?} in {help}");
    }
}

#[test]
fn a_mistake_is_one_message_that_names_it() {
    let check_code = |exit: i32, args: &[&str], expected: &str| {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, stdout.as_str()), (Some(exit), ""), "{args:?}: {stderr}");
        assert_eq!(
            stderr.matches("error: ").count() + stderr.matches("sentinel-master: ").count(),
            1,
            "{stderr}"
        );
        assert!(stderr.contains(expected), "{args:?}: no {expected:?} in {stderr}");
    };
    let check = |args: &[&str], expected: &str| check_code(2, args, expected);
    check(&["--no-such-option"], "--no-such-option");
    check(&["--users", "many"], "many");
    check(&["-t", "1.5m"], "--run-time");
    check_code(1, &["-f", "/does/not/exist.yaml"], "cannot read /does/not/exist.yaml");
    check_code(1, &["-f", "locustfile.py"], "--user-classes WebsiteUser");
    check_code(1, &["-f", "notes.txt"], "neither a YAML scenario");
    check(&["--user-classes", "A:x"], "Name:weight");
    check(&["--demo", "-u", "0"], "at least 1, got 0");
}

#[test]
fn its_help_fits_the_terminal() {
    for (columns, widest) in [("80", 80), ("100", 100), ("200", 100)] {
        let output = Command::new(env!("CARGO_BIN_EXE_sentinel-master"))
            .arg("--help")
            .env("COLUMNS", columns)
            .output();
        let help = String::from_utf8(output.expect("the binary runs").stdout).expect("help is text");
        let longest = help.lines().max_by_key(|line| line.chars().count()).expect("help has lines");
        assert!(longest.chars().count() <= widest, "at {columns} columns: {longest}");
    }
}

#[test]
fn completions_and_the_manual_page_know_the_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (code, script, stderr) = run(&["--completions", shell]);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(script.contains("spawn-rate") && script.contains("sentinel-master"), "{shell}: {script}");
    }
    let (code, page, _) = run(&["--man-page"]);
    assert_eq!(code, Some(0));
    assert!(page.contains(".TH sentinel-master") && page.contains("spawn\\-rate"), "{page}");
}
