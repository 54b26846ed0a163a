//! The verdict on a run, and the exit code that tells it to whoever started the master.

use serde::{Deserialize, Serialize};

use crate::criteria::Judgement;

/// What a run proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// The planned load was delivered and every criterion met.
    Pass,
    /// The planned load was delivered and a criterion was not met, or requests failed that no criterion allows.
    Fail,
    /// The planned load was not delivered, so the figures judge nothing.
    Invalid,
}

impl Verdict {
    /// The verdict in one word, as it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Invalid => "INVALID",
        }
    }
}

/// A verdict and what led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is not a pass; for a pass, what was tolerated.
    pub reasons: Vec<String>,
}

/// What a verdict is made from.
#[derive(Clone, Debug, Default)]
pub struct Findings<'a> {
    /// Why the planned load was not delivered, if it was not.
    pub undelivered: Vec<String>,
    /// The criteria with what came of them.
    pub judgements: &'a [Judgement],
    /// Requests that failed.
    pub failures: u64,
    /// Exceptions in the scenario.
    pub exceptions: u64,
}

impl Findings<'_> {
    /// Makes the verdict. `on_error` is as in [`Self::exit_code`], whose reason is told where it is not the verdict's.
    pub fn rule(&self, on_error: Option<u8>) -> Ruling {
        if !self.undelivered.is_empty() {
            let mut reasons = self.undelivered.clone();
            reasons.extend(self.exceptions_reason());
            return Ruling { verdict: Verdict::Invalid, reasons };
        }
        let mut reasons: Vec<String> = self
            .judgements
            .iter()
            .filter(|judgement| !judgement.met)
            .map(|judgement| format!("criterion not met: {judgement}"))
            .collect();
        if self.failures_count() {
            reasons.push(format!("{} requests failed", self.failures));
        }
        reasons.extend(self.exceptions_reason());
        if !reasons.is_empty() {
            return Ruling { verdict: Verdict::Fail, reasons };
        }
        if self.failures > 0 {
            reasons.push(format!("{} failed requests are within the criteria", self.failures));
            let code = self.exit_code(on_error);
            if code != exit_code::OK {
                reasons.push(format!(
                    "--exit-code-on-error asks for exit code {code} whatever the criteria allow"
                ));
            }
        }
        Ruling { verdict: Verdict::Pass, reasons }
    }

    fn exceptions_reason(&self) -> Option<String> {
        (self.exceptions > 0).then(|| format!("{} exceptions in the scenario", self.exceptions))
    }

    /// Whether failed requests fail the run by themselves: as with Locust they do, unless a criterion says how many
    /// are too many.
    fn failures_count(&self) -> bool {
        self.failures > 0 && !self.judgements.iter().any(is_about_all_failures)
    }

    /// The exit code. `on_error` is what the user wants for failed requests (`--exit-code-on-error`); saying so
    /// counts every failed request, whatever the criteria allow.
    pub fn exit_code(&self, on_error: Option<u8>) -> u8 {
        let failed_criterion = self.judgements.iter().any(|judgement| !judgement.met);
        if !self.undelivered.is_empty() {
            exit_code::INVALID
        } else if failed_criterion {
            exit_code::CRITERION_FAILED
        } else if self.exceptions > 0 || self.failures_count() || (on_error.is_some() && self.failures > 0) {
            on_error.unwrap_or(exit_code::FAILURES)
        } else {
            exit_code::OK
        }
    }
}

fn is_about_all_failures(judgement: &Judgement) -> bool {
    let criterion = &judgement.criterion;
    criterion.name.is_none() && criterion.metric.is_about_failures()
}

/// What the process tells its caller. Codes that Locust has mean what they mean there.
pub mod exit_code {
    /// The run passed.
    pub const OK: u8 = 0;
    /// Requests failed (unless `--exit-code-on-error` says otherwise), or the run could not be made: no workers in
    /// time, a file that is not there or cannot be written, a user class that nobody knows, a port that is taken.
    pub const FAILURES: u8 = 1;
    /// The options or the scenario have mistakes.
    pub const USAGE: u8 = 2;
    /// A criterion was not met.
    pub const CRITERION_FAILED: u8 = 3;
    /// The planned load was not delivered.
    pub const INVALID: u8 = 4;
    /// What Locust tells by -1: a program that is to be master and worker, `--config-users` that does not fit the user
    /// classes, a worker that never reached its master.
    pub const MISMATCH: u8 = 255;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::criteria::Criterion;

    /// Judges `criteria` on one measured value and compares verdict and exit code.
    fn check(
        undelivered: bool,
        criteria: &[(&str, f64)],
        failures: u64,
        on_error: Option<u8>,
        expected: (Verdict, u8),
    ) {
        let judgements: Vec<Judgement> = criteria
            .iter()
            .map(|(text, value)| Criterion::parse(text).unwrap().judge_figure(Some(*value), None))
            .collect();
        let undelivered =
            if undelivered { vec!["half of the users were missing".to_owned()] } else { Vec::new() };
        let findings = Findings { undelivered, judgements: &judgements, failures, exceptions: 0 };
        let found = (findings.rule(on_error).verdict, findings.exit_code(on_error));
        assert_eq!(found, expected, "{criteria:?}, {failures} failures, {on_error:?}");
    }

    #[test]
    fn verdicts_and_exit_codes() {
        use Verdict::{Fail, Invalid, Pass};
        check(false, &[], 0, None, (Pass, 0));
        check(false, &[], 3, None, (Fail, 1));
        check(false, &[], 3, Some(7), (Fail, 7));
        check(false, &[], 0, Some(7), (Pass, 0));
        check(false, &[("p95 < 100ms", 50.0)], 0, None, (Pass, 0));
        check(false, &[("p95 < 100ms", 150.0)], 0, None, (Fail, 3));
        check(false, &[("p95 < 100ms", 150.0)], 3, Some(7), (Fail, 3));
        check(true, &[("p95 < 100ms", 150.0)], 3, None, (Invalid, 4));
    }

    #[test]
    fn a_criterion_on_failures_says_how_many_are_too_many() {
        use Verdict::{Fail, Pass};
        check(false, &[("fail_ratio < 1%", 0.004)], 3, None, (Pass, 0));
        check(false, &[("fail_ratio < 1%", 0.02)], 3, None, (Fail, 3));
        check(false, &[("fail_ratio < 1%", 0.004)], 3, Some(7), (Pass, 7));
        check(false, &[("fail_ratio{name=\"/\"} < 1%", 0.004)], 3, None, (Fail, 1));
    }

    #[test]
    fn exceptions_fail_a_run_whatever_the_criteria_say() {
        let findings = Findings { exceptions: 2, ..Findings::default() };
        assert_eq!((findings.rule(None).verdict, findings.exit_code(None)), (Verdict::Fail, 1));
    }
}
