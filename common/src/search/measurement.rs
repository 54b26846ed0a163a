//! What came of one run of a search.

use serde::{Serialize, Serializer};

use super::Trial;
use super::level::Level;
use crate::coordinator::Run;
use crate::report::{Report, SecondRow};
use crate::verdict::Verdict;

/// Whether a load passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepVerdict {
    /// It was delivered, and every criterion was met.
    Passed,
    /// A criterion was not met, or requests failed that none allows.
    Failed,
    /// The load was not delivered, so the figures judge nothing.
    Undelivered,
}

/// What came of one run, without its warm-up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// Which step, from 1.
    pub step: u32,
    /// The load.
    #[serde(serialize_with = "as_text")]
    pub load: Level,
    /// Which repetition, from 1.
    pub repetition: u32,
    /// Whether it passed.
    pub verdict: StepVerdict,
    /// Requests per second.
    pub achieved_rps: f64,
    /// The median of the response times, in milliseconds.
    pub p50_ms: Option<f64>,
    /// The 95th percentile, in milliseconds.
    pub p95_ms: Option<f64>,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Failed requests as a share of all; `None` if there were none at all.
    pub fail_ratio: Option<f64>,
    /// The share of the planned load that was there; `None` if nobody looked.
    pub delivered: Option<f64>,
    /// Why it did not pass.
    pub reasons: Vec<String>,
}

impl StepVerdict {
    /// The verdict in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Undelivered => "undelivered",
        }
    }

    /// What the verdict on a run says of its load.
    ///
    /// Arrivals that find no free user are missing, whoever is to blame. If the generator is not, and what was measured
    /// is too slow or fails, then the target held the users up.
    fn of(report: &Report) -> Self {
        let missed = report.judgements.iter().any(|judgement| judgement.measured.is_some() && !judgement.met);
        match report.ruling.verdict {
            Verdict::Pass => Self::Passed,
            Verdict::Fail => Self::Failed,
            Verdict::Invalid if missed && report.bottleneck.is_none() => Self::Failed,
            Verdict::Invalid => Self::Undelivered,
        }
    }
}

impl Measurement {
    /// What came of `trial`: a run that is over, and the report on it.
    pub fn of(trial: Trial, run: &Run, report: &Report) -> Self {
        let figures = run.measured().cloned().unwrap_or_default();
        let from_s = run.spec().measured_from_s.unwrap_or(0);
        let planned_s = report.load.run_time_s.unwrap_or(f64::MAX);
        let measured_s = (report.clock.as_secs_f64().min(planned_s) - f64::from(from_s)).max(1.0);
        let ms = |fraction| figures.percentile_us(fraction).map(|us| us as f64 / 1e3);
        let verdict = StepVerdict::of(report);
        let requests = figures.requests as f64;
        Self {
            step: trial.step,
            load: trial.load,
            repetition: trial.repetition,
            verdict,
            achieved_rps: requests / measured_s,
            p50_ms: ms(0.5),
            p95_ms: ms(0.95),
            p99_ms: ms(0.99),
            fail_ratio: (figures.requests > 0).then(|| figures.failures as f64 / requests),
            delivered: delivered(&report.seconds, from_s),
            reasons: reasons(verdict, report),
        }
    }
}

/// Why a run did not pass: the criteria first where they are what counts.
fn reasons(verdict: StepVerdict, report: &Report) -> Vec<String> {
    let missed = report.judgements.iter().filter(|judgement| !judgement.met);
    let missed: Vec<String> = missed.map(|judgement| format!("criterion not met: {judgement}")).collect();
    match verdict {
        StepVerdict::Passed => Vec::new(),
        StepVerdict::Failed if report.ruling.verdict == Verdict::Invalid => {
            [missed, report.ruling.reasons.clone()].concat()
        }
        StepVerdict::Failed | StepVerdict::Undelivered => report.ruling.reasons.clone(),
    }
}

/// The share of the planned iterations, or users, that was there from a second on.
fn delivered(seconds: &[SecondRow], from_s: u32) -> Option<f64> {
    let measured = &seconds[seconds.partition_point(|second| second.start < from_s)..];
    // The last second counts: what was planned of it, and shortly before, is known at the stop.
    let planned: u64 = measured.iter().map(|second| second.planned).sum();
    if planned > 0 {
        let dropped: u64 = measured.iter().map(|second| second.dropped).sum();
        return Some(1.0 - dropped.min(planned) as f64 / planned as f64);
    }
    // Users of the last second, which is incomplete, are on their way out.
    let complete = measured.split_last().map_or(measured, |(_, complete)| complete);
    let seen = complete.iter().filter_map(|second| Some((second.users?, second.planned_users?)));
    let (users, planned) = seen.fold((0.0, 0.0), |sum, (users, planned)| {
        // More users than planned in one second do not make up for fewer in another.
        (sum.0 + users.min(planned), sum.1 + planned)
    });
    (planned > 0.0).then(|| users / planned)
}

fn as_text<S: Serializer>(load: &Level, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(load)
}
