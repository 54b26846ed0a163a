//! The verdict as JUnit XML, which every CI system shows: one suite for the run, and in it what could have failed.
//!
//! ```text
//! testsuite <scenario>
//!   load      the planned load was delivered     error if it was not: the other figures judge nothing then
//!   criteria  p95 < 100ms                        failure with the measured value and the margin
//!   requests  GET /                              failure with its messages; only if no criterion is about failures
//!   scenario  no exception                       failure with the exceptions
//! ```
//!
//! A run passes here if and only if its verdict is PASS.

use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use sentinel_common::criteria::Judgement;
use sentinel_common::figures::grouped;
use sentinel_common::report::{Report, Row};
use sentinel_common::verdict::Verdict;

use super::printable;
use super::python::utc;
use super::secrets::without_userinfo;
use super::top::{cut, top_errors};
use super::verdict::{facts, margin, verdict_block};

/// How many requests get a test case of their own.
const MAX_REQUESTS: usize = 200;
/// How many messages of failures one test case has.
const MAX_MESSAGES: usize = 10;
/// How many characters of a name or message are shown.
const MAX_CHARS: usize = 500;

/// The whole document.
pub fn junit_xml(report: &Report) -> String {
    let profile = report.profile.as_ref().map(|profile| format!(" ({profile})")).unwrap_or_default();
    let mut suite = TestSuite::new(format!("{}{profile}", report.scenario));
    suite.set_time(Duration::from_micros(report.clock.as_micros()));
    suite.extra.insert("timestamp".into(), utc(report.started_at_unix_us).into());
    suite.add_property(("run", report.run.as_str()));
    suite.add_property(("release", report.release));
    suite.add_property(("verdict", report.ruling.verdict.as_str()));
    report.host.iter().for_each(|host| {
        suite.add_property(("host", &*without_userinfo(host)));
    });
    facts(report).iter().for_each(|(label, fact)| {
        suite.add_property((*label, fact.as_str()));
    });
    suite.add_test_case(delivery(report));
    suite.add_test_cases(report.judgements.iter().map(criterion));
    suite.add_test_cases(failed_requests(report));
    suite.add_test_case(exceptions(report));
    suite.set_system_out(verdict_block(report));
    let mut document = quick_junit::Report::new("sentinel");
    document.add_test_suite(suite);
    document.to_string().expect("memory takes everything")
}

fn delivery(report: &Report) -> TestCase {
    let undelivered = report.ruling.verdict == Verdict::Invalid;
    let reasons = report.ruling.reasons.join("\n");
    let status = status(undelivered.then_some((NonSuccessKind::Error, "INVALID", reasons)));
    case("load", "the planned load was delivered", status)
}

fn criterion(judgement: &Judgement) -> TestCase {
    let missed = (!judgement.met).then(|| {
        let margin = margin(judgement).map(|margin| format!(", {margin}")).unwrap_or_default();
        (NonSuccessKind::Failure, "criterion", format!("{judgement}{margin}"))
    });
    case("criteria", &judgement.criterion.text, status(missed))
}

/// A test case for each request with failures, where these fail the run; one for all of them where none has any.
fn failed_requests(report: &Report) -> Vec<TestCase> {
    let judged = report.judgements.iter().any(|judgement| {
        judgement.criterion.name.is_none() && judgement.criterion.metric.is_about_failures()
    });
    if judged {
        return Vec::new();
    }
    if report.total.failures == 0 {
        return vec![case("requests", "no request failed", status(None))];
    }
    let mut failing: Vec<&Row> = report.rows.iter().filter(|row| row.failures > 0).collect();
    failing.sort_by_key(|row| std::cmp::Reverse(row.failures));
    let others = failing.split_off(MAX_REQUESTS.min(failing.len()));
    let mut cases: Vec<TestCase> = failing.into_iter().map(|row| failed_request(report, row)).collect();
    if !others.is_empty() || cases.is_empty() {
        let (names, count) = (others.len() as u64, others.iter().map(|row| row.failures).sum());
        let text = format!("{} requests of {} other names failed", grouped(count), grouped(names));
        cases.push(case(
            "requests",
            "other names",
            status(Some((NonSuccessKind::Failure, "failures", text))),
        ));
    }
    cases
}

fn failed_request(report: &Report, row: &Row) -> TestCase {
    let ours = report.errors.iter().filter(|error| error.method == row.method && error.name == row.name);
    let top = top_errors(ours, MAX_MESSAGES);
    let (failures, requests) = (grouped(row.failures), grouped(row.requests));
    let mut text = format!("{failures} of {requests} failed ({:.2} %)", row.fail_ratio * 100.0);
    for error in top.shown {
        text += &format!("\n{} x {}", grouped(error.occurrences), cut(&error.message, MAX_CHARS));
    }
    let name = format!("{} {}", row.method, row.name);
    case("requests", name.trim(), status(Some((NonSuccessKind::Failure, "failures", text))))
}

fn exceptions(report: &Report) -> TestCase {
    let count: u64 = report.exceptions.iter().map(|exception| exception.count).sum();
    let failed = (count > 0).then(|| {
        let mut text = format!("{} exceptions in the scenario", grouped(count));
        for exception in report.exceptions.iter().take(MAX_MESSAGES) {
            text += &format!("\n{} x {}", grouped(exception.count), cut(&exception.message, MAX_CHARS));
        }
        (NonSuccessKind::Failure, "exception", text)
    });
    case("scenario", "no exception", status(failed))
}

fn case(class: &str, name: &str, status: TestCaseStatus) -> TestCase {
    // A reader takes a line end in an attribute for a space, and the name for another one.
    let mut case = TestCase::new(cut(&printable(name), MAX_CHARS), status);
    case.set_classname(class).set_time(Duration::ZERO);
    case
}

/// Success, or what went wrong: the first line is the message, all of it the description.
fn status(failed: Option<(NonSuccessKind, &str, String)>) -> TestCaseStatus {
    let Some((kind, name, text)) = failed else { return TestCaseStatus::success() };
    let mut status = TestCaseStatus::non_success(kind);
    let message = printable(text.lines().next().unwrap_or_default());
    status.set_type(name).set_message(message.as_ref()).set_description(text.as_str());
    status
}

#[cfg(test)]
mod tests {
    use sentinel_common::criteria::Criterion;
    use sentinel_common::report::ExceptionRow;
    use sentinel_common::verdict::Findings;

    use super::super::sample;
    use super::*;

    /// A run with these criteria, all measured as 50, so many failures and exceptions, and its verdict.
    fn run(undelivered: bool, criteria: &[&str], failures: u64, exceptions: u64) -> Report {
        let mut report = sample::empty();
        report.judgements = criteria
            .iter()
            .map(|text| Criterion::parse(text).unwrap().judge_figure(Some(50.0), None))
            .collect();
        let mut row = sample::row("GET", "/");
        (row.requests, row.failures) = (10, failures);
        report.total = row.clone();
        report.rows = vec![row];
        if failures > 0 {
            report.errors = vec![sample::error("GET", "/", "boom", failures)];
        }
        if exceptions > 0 {
            let (message, traceback) = ("ValueError()".to_owned(), String::new());
            report.exceptions =
                vec![ExceptionRow { count: exceptions, message, traceback, nodes: Vec::new() }];
        }
        let undelivered = if undelivered { vec!["users were missing".to_owned()] } else { Vec::new() };
        report.ruling =
            Findings { undelivered, judgements: &report.judgements, failures, exceptions }.rule(None);
        report
    }

    /// The suite as somebody else reads it.
    fn read(report: &Report) -> TestSuite {
        let xml = junit_xml(report);
        let mut document =
            quick_junit::Report::deserialize_from_str(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
        assert_eq!(document.test_suites.len(), 1, "{xml}");
        document.test_suites.remove(0)
    }

    /// Failures and errors.
    fn counts(report: &Report) -> (usize, usize) {
        let suite = read(report);
        (suite.failures, suite.errors)
    }

    #[test]
    fn a_run_passes_here_if_and_only_if_its_verdict_is_pass() {
        for undelivered in [false, true] {
            for criteria in [
                &[][..],
                &["p95 < 100ms"],
                &["p95 < 10ms"],
                &["failures < 100"],
                &["failures < 2", "p95 < 1s"],
            ] {
                for (failures, exceptions) in [(0, 0), (3, 0), (0, 2), (3, 2)] {
                    let report = run(undelivered, criteria, failures, exceptions);
                    let passes = counts(&report) == (0, 0);
                    assert_eq!(
                        passes,
                        report.ruling.verdict == Verdict::Pass,
                        "{criteria:?} {failures} {exceptions}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_was_not_delivered_is_an_error_and_no_failure() {
        assert_eq!(counts(&run(true, &["p95 < 100ms"], 0, 0)), (0, 1));
    }

    #[test]
    fn failures_tell_what_was_measured() {
        let xml = junit_xml(&run(false, &["p95 < 10ms"], 3, 0));
        for part in [
            "name=\"p95 &lt; 10ms\" classname=\"criteria\"",
            "p95 &lt; 10ms (measured 50.0 ms), 400.0 % above the limit",
            "name=\"GET /\" classname=\"requests\"",
            "3 x boom",
            "timestamp=\"2026-11-23T12:35:38Z\"",
        ] {
            assert!(xml.contains(part), "no {part} in {xml}");
        }
    }

    #[test]
    fn a_name_of_two_lines_stays_one_name() {
        let mut report = run(false, &[], 3, 0);
        (report.rows[0].name, report.errors[0].name) = ("/a\nb".to_owned(), "/a\nb".to_owned());
        assert_eq!(read(&report).test_cases[1].name.as_str(), "GET /a\\nb");
    }

    #[test]
    fn text_from_outside_cannot_break_the_document() {
        let hostile = "\u{0}\u{1b}[31m]]> <!-- & \" ' \u{fffe} </testcase>";
        let mut report = run(false, &[], 3, 0);
        (report.rows[0].name, report.errors[0].name) = (hostile.to_owned(), hostile.to_owned());
        report.errors[0].message = hostile.to_owned();
        report.scenario = hostile.to_owned();
        let suite = read(&report);
        assert_eq!((suite.test_cases.len(), suite.failures), (3, 1));
        assert!(
            suite.test_cases[1].name.as_str().contains("]]> <!-- & \" '"),
            "{:?}",
            suite.test_cases[1].name
        );
    }

    #[test]
    fn it_is_bounded() {
        let mut report = run(false, &[], 3, 0);
        report.rows = (0..10_000).map(|index| sample::row("GET", &format!("/{index}"))).collect();
        report.rows.iter_mut().for_each(|row| row.failures = 1);
        report.total.failures = 10_000;
        let suite = read(&report);
        assert_eq!(suite.failures, MAX_REQUESTS + 1);
    }
}
