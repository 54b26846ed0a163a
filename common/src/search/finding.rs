//! What a search proves, and how that is told.

use serde::Serialize;

use super::level::Level;
use super::measurement::{Measurement, StepVerdict};
use crate::verdict::exit_code;

/// Why a search is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The highest passing load and the lowest failing one are near enough.
    Near,
    /// Even the lowest load did not pass.
    LowestMissed,
    /// Even the highest load passed.
    HighestPassed,
    /// No more steps may be made.
    StepsSpent,
    /// It was interrupted, or could not go on.
    CutShort,
}

/// What kept the load from being higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The target: a criterion was not met.
    Target,
    /// The load was not delivered: the workers or the users at once were the limit.
    Generator,
}

/// What a search proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Why it is over.
    pub end: End,
    /// The highest load that passed.
    pub highest_passed: Option<Level>,
    /// The lowest load that did not.
    pub lowest_failed: Option<Level>,
    /// What was the limit, if a load did not pass.
    pub limit: Option<Limit>,
    /// Why the lowest failing load did not pass.
    pub reason: Option<String>,
}

impl Finding {
    pub(super) fn new(
        end: End,
        highest_passed: Option<Level>,
        lowest_failed: Option<Level>,
        measurements: &[Measurement],
    ) -> Self {
        let missed = |verdict| {
            let of_load = measurements.iter().filter(move |it| Some(it.load) == lowest_failed);
            of_load.filter(move |it| it.verdict == verdict)
        };
        let (failed, undelivered) = (missed(StepVerdict::Failed), missed(StepVerdict::Undelivered));
        let limit = lowest_failed.map(|_| match undelivered.count() > failed.count() {
            true => Limit::Generator,
            false => Limit::Target,
        });
        let verdict = match limit {
            Some(Limit::Generator) => StepVerdict::Undelivered,
            _ => StepVerdict::Failed,
        };
        let reason = missed(verdict).find_map(|it| it.reasons.first().cloned());
        Self { end, highest_passed, lowest_failed, limit, reason }
    }

    /// The exit code that says it: 0 if a load was found, 3 if even the lowest one failed a criterion, 4 if it was not
    /// delivered, 1 if the search was cut short.
    pub fn exit_code(&self) -> u8 {
        match (self.end, self.highest_passed, self.limit) {
            (End::CutShort, ..) => exit_code::FAILURES,
            (_, Some(_), _) => exit_code::OK,
            (_, None, Some(Limit::Target)) => exit_code::CRITERION_FAILED,
            (_, None, Some(Limit::Generator)) => exit_code::INVALID,
            (_, None, None) => exit_code::FAILURES,
        }
    }

    /// The result in one or two sentences.
    pub fn sentence(&self) -> String {
        let found = match (self.highest_passed, self.lowest_failed) {
            (Some(passed), None) if self.end == End::HighestPassed => {
                format!("Even the highest load, {}, meets the criteria.", passed.words())
            }
            (Some(passed), None) => {
                format!("The highest load that met the criteria so far is {}.", passed.words())
            }
            (Some(passed), Some(failed)) => {
                let (passed, failed) = (passed.words(), failed.words());
                format!("The highest load that meets the criteria is {passed}; {failed} {}", self.miss())
            }
            (None, Some(failed)) => format!("Even the lowest load, {}, {}", failed.words(), self.miss()),
            (None, None) => "No load was measured.".to_owned(),
        };
        match self.end {
            End::StepsSpent => format!("{found} The steps are spent; --max-steps allows more."),
            End::CutShort => format!("{found} The search was cut short."),
            End::Near | End::LowestMissed | End::HighestPassed => found,
        }
    }

    /// What became of the lowest failing load, to the end of the sentence.
    fn miss(&self) -> String {
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        match self.limit {
            Some(Limit::Generator) => {
                format!("was not delivered{reason}. The generator, not the target, was the limit.")
            }
            _ => format!("does not{reason}."),
        }
    }
}
