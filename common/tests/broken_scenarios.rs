//! What is said about scenario files that are wrong.
//!
//! The cases stand in `fixtures/broken_scenarios.txt`: a title after `===`, the file, and after `>>>` every note it
//! must get, in order.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write;

use proptest::prelude::*;
use sentinel_common::scenario::Scenario;

const CASES: &str = include_str!("fixtures/broken_scenarios.txt");

/// The notes about a file, one per line, without the file's name.
fn notes(text: &str) -> String {
    match Scenario::load("f", text) {
        Ok(_) => "no notes\n".to_owned(),
        Err(notes) => notes.to_string().lines().fold(String::new(), |mut lines, line| {
            writeln!(lines, "{}", line.strip_prefix("f:").unwrap_or(line)).unwrap();
            lines
        }),
    }
}

#[test]
fn every_broken_file_gets_exactly_these_notes() {
    let mut actual = String::new();
    for case in CASES.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (text, _) = rest.split_once(">>>\n").unwrap();
        write!(actual, "=== {title}\n{text}>>>\n{}", notes(text)).unwrap();
    }
    assert!(actual.matches("=== ").count() >= 75, "cases were lost");
    // `BLESS=1` writes down what is said now, to be read in the diff.
    if std::env::var_os("BLESS").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/broken_scenarios.txt");
        return std::fs::write(file, actual).unwrap();
    }
    for (actual, expected) in actual.split("=== ").zip(CASES.split("=== ")) {
        assert_eq!(actual, expected);
    }
}

#[test]
fn depth_and_size_are_bounded_before_anything_recurses() {
    let check = |text: &str, expected: &str| {
        let notes = Scenario::load("f", text).unwrap_err().to_string();
        assert_eq!(notes, expected);
    };
    check(&"[".repeat(100), "f:1:65: nested deeper than 64 levels");
    check(&"[".repeat(4 << 20), "f:1:256: not valid YAML: recursion limit exceeded");
    check(&"- ".repeat(100_000), "f:1:129: nested deeper than 64 levels");
    check(&format!("a: [{}]", "1,".repeat(100_000)), "f:1:199999: more than 100000 values, aliases expanded");
    check(&" ".repeat((4 << 20) + 1), "f:1:1: the file is larger than 4 MiB");
    let levels: String = (1..40).map(|level| format!("- &a{level} [[*a{}]]\n", level - 1)).collect();
    check(&format!("- &a0 []\n{levels}"), "f:33:10: nested deeper than 64 levels");
    let entries: String = (0..1000).map(|key| format!("k{key}: 0, ")).collect();
    let merges = "- { <<: *a }\n".repeat(1000);
    let text = format!("- &a {{ {entries} }}\n{merges}");
    check(&text, "f:50:9: more than 100000 values, aliases expanded");
}

#[test]
fn only_the_first_hundred_mistakes_are_listed() {
    let keys: String = (0..250).map(|key| format!("k{key}: 0\n")).collect();
    let notes = Scenario::load("f", &format!("users: {{}}\n{keys}")).unwrap_err();
    assert_eq!((notes.as_slice().len(), notes.left_out()), (100, 151));
    assert!(notes.to_string().ends_with("\nand 151 more"));
}

/// Pieces that make texts which get far into the reader.
#[rustfmt::skip]
const FRAGMENTS: &[&str] = &[
    "users:", "\n", "\n  ", "\n    ", "\n      ", "- ", "A:", "tasks:", "name: t", "steps:", "get: /", "{", "}", "[", "]",
    ", ", "\"", "'", "{{ ", " }}", "{% if ", "{% endif %}", "randint(", "1", ")", "&a ", "*a", "<<: ", "|", ">", "é",
    "set:", "n", "$repeat: ", "$item: ", "expect:", "json:", "a.b[0]: ", "status: ", "2xx", "# ", "!t ", "\t", ": ",
    "profiles:", "criteria:", "p95 < 1ms", "\u{feff}", "\\", "\r", "\0", "~", ".nan", "? ", "---", "%", "@", "`",
];

fn fragments() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(FRAGMENTS), 0..60).prop_map(|words| words.concat())
}

/// A valid scenario with one stretch replaced by anything.
fn damaged() -> impl Strategy<Value = String> {
    const FRAUD: &str = include_str!("../../loadtest/fraud.yaml");
    let chars: Vec<char> = FRAUD.chars().collect();
    (0..chars.len(), 0..20_usize, any::<String>()).prop_map(move |(start, length, text)| {
        let end = (start + length).min(chars.len());
        chars[..start].iter().copied().chain(text.chars()).chain(chars[end..].iter().copied()).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_text_makes_the_reader_panic(text in prop_oneof![any::<String>(), fragments(), damaged()]) {
        // The parser finds some things missing on the line after the last.
        let lines = text.matches(['\n', '\r']).count() + 2;
        if let Err(notes) = Scenario::load("f", &text) {
            prop_assert!(!notes.as_slice().is_empty());
            for note in notes.as_slice() {
                prop_assert!(note.line >= 1 && note.line <= lines && note.column >= 1, "{note}");
            }
        }
    }
}
