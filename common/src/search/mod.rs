//! The search for the highest load that meets the criteria: it doubles the load while that passes, then halves the gap.
//!
//! ```text
//! load  to ............................      from: passes, double it
//!                      x        x            x: does not pass
//!                 o        o  o              until the gap is small enough
//!            o                               every o and x is a step: one run, or several
//!       o
//!     from ..........................> steps
//! ```
//!
//! [`Search`] decides which load comes next, [`StepPlan`] what the run of a step is, [`Measurement`] what came of it and
//! [`Finding`] what the search proves. Runs are made elsewhere.

mod finding;
mod level;
mod measurement;
mod step;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::finding::{End, Finding, Limit};
pub use self::level::{Kind, Level, LevelError};
pub use self::measurement::{Measurement, StepVerdict};
pub use self::step::{StepError, StepPlan};

/// The most steps of a search.
pub const MAX_STEPS: u32 = 200;

/// The most repetitions of a step.
pub const MAX_REPEAT: u32 = 25;

/// Where to search, and how closely. Checked when it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    kind: Kind,
    from: u64,
    to: u64,
    /// The share of the lowest failing load by which the highest passing one may be lower.
    precision: f64,
}

/// Why nothing can be searched.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum RangeError {
    /// A rate and users cannot be compared.
    #[error("--from {0} and --to {1} must both be rates, such as 500/s, or both be numbers of users")]
    Kinds(Level, Level),
    /// There is nothing in between.
    #[error("--from {0} must be below --to {1}")]
    Empty(Level, Level),
    /// No search comes that near, or it is no search.
    #[error("--precision must be from 0.1% to 50%, got {:.4}%", .0 * 100.0)]
    Precision(f64),
}

/// One run of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Which step, from 1.
    pub step: u32,
    /// Which repetition of it, from 1.
    pub repetition: u32,
    /// Its load.
    pub load: Level,
}

/// A search under way.
#[derive(Clone, Debug)]
pub struct Search {
    range: Range,
    repeat: u32,
    max_steps: u32,
    /// The load of the step.
    load: u64,
    step: u32,
    /// What has come of the step so far: how many repetitions passed, how many did not.
    passed: u32,
    missed: u32,
    /// The highest load that passed.
    low: Option<u64>,
    /// The lowest that did not.
    high: Option<u64>,
    measurements: Vec<Measurement>,
    end: Option<End>,
}

impl Range {
    /// From one load to another, as near as `precision`, a share.
    ///
    /// # Errors
    /// The loads are of two kinds or in the wrong order; the precision cannot be reached.
    pub fn new(from: Level, to: Level, precision: f64) -> Result<Self, RangeError> {
        if from.kind() != to.kind() {
            return Err(RangeError::Kinds(from, to));
        }
        if from.size() >= to.size() {
            return Err(RangeError::Empty(from, to));
        }
        if !(0.001..=0.5).contains(&precision) {
            return Err(RangeError::Precision(precision));
        }
        Ok(Self { kind: from.kind(), from: from.size(), to: to.size(), precision })
    }

    /// What is searched.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The lowest load.
    pub fn from(&self) -> Level {
        self.kind.level(self.from)
    }

    /// The highest load.
    pub fn to(&self) -> Level {
        self.kind.level(self.to)
    }

    /// How near is near enough, as a share.
    pub fn precision(&self) -> f64 {
        self.precision
    }

    /// Whether a passing load and a failing one are near enough.
    fn is_near(&self, low: u64, high: u64) -> bool {
        high.saturating_sub(low) as f64 <= self.precision * high as f64
    }
}

impl Search {
    /// A search in `range`. A load passes if more than half of its `repeat` repetitions do, and no more than `max_steps`
    /// loads are tried. Both are at least 1 and have a bound, [`MAX_REPEAT`] and [`MAX_STEPS`].
    pub fn new(range: Range, repeat: u32, max_steps: u32) -> Self {
        Self {
            range,
            repeat: repeat.clamp(1, MAX_REPEAT),
            max_steps: max_steps.clamp(1, MAX_STEPS),
            load: range.from,
            step: 1,
            passed: 0,
            missed: 0,
            low: None,
            high: None,
            measurements: Vec::new(),
            end: None,
        }
    }

    /// Where it searches.
    pub fn range(&self) -> &Range {
        &self.range
    }

    /// What has been measured, in the order of time.
    pub fn measurements(&self) -> &[Measurement] {
        &self.measurements
    }

    /// The run that comes next; `None` if the search is over.
    pub fn next_trial(&self) -> Option<Trial> {
        self.end.is_none().then(|| Trial {
            step: self.step,
            repetition: self.passed + self.missed + 1,
            load: self.range.kind.level(self.load),
        })
    }

    /// Takes note of what came of the [next trial](Self::next_trial). Nothing is noted once the search is over.
    pub fn record(&mut self, measurement: Measurement) {
        if self.end.is_some() {
            return;
        }
        match measurement.verdict {
            StepVerdict::Passed => self.passed += 1,
            StepVerdict::Failed | StepVerdict::Undelivered => self.missed += 1,
        }
        self.measurements.push(measurement);
        let needed = self.repeat / 2 + 1;
        if self.passed >= needed {
            self.low = Some(self.load);
            self.advance();
        } else if self.missed > self.repeat - needed {
            self.high = Some(self.load);
            self.advance();
        }
    }

    /// Ends the search before it knows: whoever started it, or a lack of workers, wants that.
    pub fn cut_short(&mut self) {
        self.end.get_or_insert(End::CutShort);
    }

    /// What the search proves so far.
    pub fn finding(&self) -> Finding {
        let level = |size: Option<u64>| size.map(|size| self.range.kind.level(size));
        Finding::new(self.end.unwrap_or(End::CutShort), level(self.low), level(self.high), &self.measurements)
    }

    /// Goes on to the next step, or ends.
    fn advance(&mut self) {
        (self.passed, self.missed) = (0, 0);
        match self.next_load() {
            Ok(_) if self.step >= self.max_steps => self.end = Some(End::StepsSpent),
            Ok(load) => {
                self.load = load;
                self.step += 1;
            }
            Err(end) => self.end = Some(end),
        }
    }

    fn next_load(&self) -> Result<u64, End> {
        match (self.low, self.high) {
            (None, _) => Err(End::LowestMissed),
            (Some(low), None) if low >= self.range.to => Err(End::HighestPassed),
            (Some(low), None) => Ok(low.saturating_mul(2).min(self.range.to)),
            (Some(low), Some(high)) if self.range.is_near(low, high) => Err(End::Near),
            (Some(low), Some(high)) => self.range.kind.middle(low, high).ok_or(End::Near),
        }
    }
}
