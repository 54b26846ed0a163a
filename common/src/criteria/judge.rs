//! Follows a criterion while the run goes on.
//!
//! A criterion about every span of a length is judged second by second, because what it needs is only kept for so long:
//!
//! ```text
//! p95 < 100ms over any 30s, after 10s
//!
//! 0        10                         40 41 42                        now
//! |--------|==========================|                               |     judged first
//!  warm-up  |==========================|                              |     judged next
//!            |==========================|                  |----------|     reports may still be on their way
//! ```

use super::measure::rps_since;
use super::{Comparison, Criterion, Judgement, Metric, Scope};
use crate::stats::{Figures, RunBucket, RunStats, Series, WatchId, Watches};
use crate::time::RunTime;

/// Reports of a second have come by then: those of Locust's workers take three seconds.
const SETTLING_S: u32 = 4;

/// So many seconds pass after a change of users until a rate is that of the new ones.
const STEADY_AFTER_S: u32 = 2;

/// A criterion with what came of it so far.
#[derive(Clone, Debug)]
pub struct Judge {
    criterion: Criterion,
    /// What is watched for it; `None` if it is about the whole run.
    watch: Option<WatchId>,
    /// The span that was furthest from what it should be, as far as any had a figure.
    worst: Option<Worst>,
    /// Where the next span to be judged ends.
    next_end: u32,
}

#[derive(Clone, Copy, Debug)]
struct Worst {
    value: f64,
    window: (u32, u32),
}

impl Judge {
    /// A judge for each criterion. What they have to look at apart is added to `watches`.
    pub fn appoint(criteria: &[Criterion], watches: &mut Watches) -> Vec<Self> {
        let judges = criteria.iter().map(|criterion| {
            let Scope { after_s, over_any_s } = criterion.scope;
            let watch = (criterion.scope != Scope::default()).then(|| {
                let kept_s = over_any_s.map_or(0, |length_s| length_s + SETTLING_S + 1);
                watches.add(criterion.name.as_deref(), after_s, kept_s)
            });
            Self::new(criterion.clone(), watch)
        });
        judges.collect()
    }

    fn new(criterion: Criterion, watch: Option<WatchId>) -> Self {
        let Scope { after_s, over_any_s } = criterion.scope;
        let next_end = after_s.saturating_add(over_any_s.unwrap_or(0));
        Self { criterion, watch, worst: None, next_end }
    }

    /// Begins anew, because the statistics did.
    pub fn reset(&mut self) {
        *self = Self::new(self.criterion.clone(), self.watch);
    }

    /// Judges the spans that are complete at `now`.
    pub fn advance(&mut self, stats: &RunStats, now: RunTime) {
        self.judge_up_to(stats, second(now).saturating_sub(SETTLING_S));
    }

    /// What came of the criterion. `over` says that no more figures come.
    pub fn judgement(&self, stats: &RunStats, now: RunTime, over: bool) -> Judgement {
        let Scope { after_s, over_any_s } = self.criterion.scope;
        let Some(watch) = self.watch.map(|id| stats.watches().get(id)) else {
            return self.criterion.judge(stats);
        };
        let Some(length_s) = over_any_s else {
            let value = self.measure(stats, watch.sum(), (after_s, u32::MAX));
            return self.criterion.judge_figure(value, None);
        };
        let mut last = self.clone();
        if over {
            last.judge_up_to(stats, second(now));
            // A run that is shorter than a span is one.
            let whole = (after_s, second(now));
            if second(now) < after_s.saturating_add(length_s) && whole.0 < whole.1 {
                last.take(stats, whole);
            }
        }
        self.criterion.judge_figure(last.worst.map(|worst| worst.value), last.worst.map(|worst| worst.window))
    }

    /// Why the run is to end now, if this criterion wants it to.
    pub fn abort(&self, stats: &RunStats, now: RunTime) -> Option<String> {
        let grace = self.criterion.abort_after?;
        let judgement = (now >= RunTime::ZERO + grace).then(|| self.judgement(stats, now, false))?;
        let missed = judgement.measured.is_some() && !judgement.met;
        missed.then(|| format!("criterion not met: {judgement}"))
    }

    fn judge_up_to(&mut self, stats: &RunStats, second: u32) {
        let Some(length_s) = self.criterion.scope.over_any_s else {
            return;
        };
        while self.next_end <= second {
            self.take(stats, (self.next_end - length_s, self.next_end));
            self.next_end += 1;
        }
    }

    /// Takes a span into account.
    fn take(&mut self, stats: &RunStats, window: (u32, u32)) {
        let Some(watch) = self.watch.map(|id| stats.watches().get(id)) else {
            return;
        };
        let Some(value) = self.measure(stats, &watch.between(window.0, window.1), window) else {
            return;
        };
        if self.worst.is_none_or(|worst| self.is_worse(value, worst.value)) {
            self.worst = Some(Worst { value, window });
        }
    }

    fn is_worse(&self, value: f64, than: f64) -> bool {
        let limit = self.criterion.limit;
        match self.criterion.comparison {
            Comparison::Below | Comparison::AtMost => value > than,
            Comparison::Above | Comparison::AtLeast => value < than,
            Comparison::Equal => (value - limit).abs() > (than - limit).abs(),
        }
    }

    /// The figure of a part of the run, in the metric's unit.
    fn measure(&self, stats: &RunStats, figures: &Figures, window: (u32, u32)) -> Option<f64> {
        let is_about_requests = !matches!(self.criterion.metric, Metric::Users | Metric::Dropped);
        if is_about_requests && figures.requests < self.criterion.min_samples {
            return None;
        }
        let millis = |micros: u64| micros as f64 / 1e3;
        match self.criterion.metric {
            Metric::Rps => self.rps(stats, figures, window),
            Metric::Requests => Some(figures.requests as f64),
            Metric::Failures => Some(figures.failures as f64),
            Metric::FailRatio => {
                (figures.requests > 0).then(|| figures.failures as f64 / figures.requests as f64)
            }
            Metric::Avg => figures.mean_us().map(|micros| micros / 1e3),
            Metric::Min => figures.min_us().map(millis),
            Metric::Max => figures.max_us().map(millis),
            Metric::Percentile(share) => figures.percentile_us(share).map(millis),
            Metric::Users => figures.users.map(|users| users as f64),
            Metric::Dropped => Some(figures.dropped as f64),
        }
    }

    /// Requests per second. A span is only judged while the plan stands still, as ramps are left out of the whole run.
    fn rps(&self, stats: &RunStats, figures: &Figures, (from, to): (u32, u32)) -> Option<f64> {
        match self.criterion.scope.over_any_s {
            Some(_) if !is_steady(stats.seconds(), from, to) => None,
            Some(_) => Some(figures.requests as f64 / f64::from(to - from)),
            None => rps_since(stats, self.criterion.name.as_deref(), from),
        }
    }
}

/// Whether the plan did not change in the seconds from `from` up to, and without, `to`, nor right before.
fn is_steady(seconds: &Series<RunBucket>, from: u32, to: u32) -> bool {
    let (before, last) = (from.saturating_sub(STEADY_AFTER_S), to.saturating_sub(1));
    let mut plans = seconds.between(before, last).iter().map(|span| span.value.planned_users);
    let Some(first) = plans.next() else {
        return false;
    };
    let same = first.min == first.max && plans.all(|plan| plan.min == first.min && plan.max == first.max);
    // Arrivals bring their own users.
    let wanted = |bucket: &RunBucket| first.min > 0 || bucket.traffic.iterations.planned > 0;
    same && seconds.between(from, last).iter().all(|span| wanted(&span.value))
}

fn second(at: RunTime) -> u32 {
    u32::try_from(at.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Iterations, Recorder, Sample};

    /// A run of one criterion, second by second.
    struct Run {
        judge: Judge,
        stats: RunStats,
        second: u64,
    }

    impl Run {
        fn of(criterion: &str) -> Self {
            let criterion = Criterion::parse(criterion).unwrap();
            let mut watches = Watches::default();
            let mut judges = Judge::appoint(&[criterion], &mut watches);
            Self { judge: judges.remove(0), stats: RunStats::watched(watches), second: 0 }
        }

        /// Goes on for some seconds with so many requests of so many milliseconds in each, and so many users.
        fn go_on(&mut self, seconds: u64, requests: u64, millis: u64, users: u64) {
            for _ in 0..seconds {
                let mut recorder = Recorder::default();
                let entry = recorder.entry("GET", "/");
                let end = RunTime::from_micros(self.second * 1_000_000 + 999_999);
                let start = RunTime::from_micros(end.as_micros().saturating_sub(millis * 1_000));
                let failure = (millis > 900).then_some("slow");
                let sample = Sample { intended: start, start, end, response_length: 1, failure };
                (0..requests).for_each(|_| recorder.record(entry, &sample));
                self.second += 1;
                let now = RunTime::from_secs(self.second);
                self.stats.apply("w", &recorder.take(), now);
                self.stats.observe_users(end, users, users);
                self.judge.advance(&self.stats, now);
            }
        }

        fn judged(&self, over: bool) -> (Option<f64>, bool, Option<(u32, u32)>) {
            let judgement = self.judge.judgement(&self.stats, RunTime::from_secs(self.second), over);
            (judgement.measured.map(|value| (value * 10.0).round() / 10.0), judgement.met, judgement.window)
        }

        fn aborts(&self) -> Option<String> {
            self.judge.abort(&self.stats, RunTime::from_secs(self.second))
        }
    }

    #[test]
    fn a_warm_up_does_not_count() {
        let mut run = Run::of("p95 < 100ms after 10s");
        run.go_on(10, 50, 800, 5);
        assert_eq!(run.judged(false), (None, false, None));
        run.go_on(20, 5, 50, 5);
        assert_eq!(run.judged(true), (Some(50.0), true, None));
        let mut run = Run::of("rps >= 50 after 10s");
        run.go_on(10, 10, 50, 5);
        run.go_on(20, 60, 50, 5);
        assert_eq!(run.judged(true), (Some(60.0), true, None));
    }

    #[test]
    fn the_worst_of_all_spans_counts() {
        let mut run = Run::of("p95 < 100ms over any 10s");
        run.go_on(60, 50, 20, 5);
        assert_eq!(run.judged(false), (Some(20.0), true, Some((0, 10))));
        run.go_on(4, 50, 200, 5);
        assert!(run.judged(false).1, "reports of the last seconds may still come");
        run.go_on(60, 50, 20, 5);
        assert_eq!(run.judged(true), (Some(200.1), false, Some((51, 61))));
        let mut forgiving = Run::of("p50 < 100ms over any 10s");
        forgiving.go_on(60, 50, 20, 5);
        forgiving.go_on(4, 50, 200, 5);
        forgiving.go_on(60, 50, 20, 5);
        assert!(forgiving.judged(true).1, "four seconds of ten are no median");
    }

    #[test]
    fn the_last_span_is_judged_at_the_end() {
        let mut run = Run::of("max < 100ms over any 10s");
        run.go_on(30, 50, 20, 5);
        run.go_on(1, 50, 150, 5);
        assert!(run.judged(false).1);
        let (value, met, window) = run.judged(true);
        assert_eq!((value.map(f64::round), met, window), (Some(150.0), false, Some((21, 31))));
    }

    #[test]
    fn a_run_that_is_shorter_than_a_span_is_one() {
        let mut run = Run::of("fail_ratio < 10% over any 1m, after 2s");
        run.go_on(5, 10, 1_000, 5);
        run.go_on(5, 10, 10, 5);
        assert_eq!(run.judged(false), (None, false, None));
        let found = run.judge.judgement(&run.stats, RunTime::from_secs(10), true);
        assert_eq!((found.measured, found.met, found.window), (Some(0.375), false, Some((2, 10))));
    }

    #[test]
    fn a_rate_is_judged_while_the_plan_stands_still() {
        let mut run = Run::of("rps >= 100 over any 10s");
        for users in 1..20 {
            run.go_on(1, users, 10, users);
        }
        run.go_on(30, 120, 10, 20);
        run.go_on(3, 5, 10, 1);
        assert_eq!(run.judged(true), (Some(120.0), true, Some((21, 31))));
        run.go_on(30, 90, 10, 1);
        assert!(!run.judged(true).1);
    }

    #[test]
    fn a_rate_of_arrivals_needs_no_users() {
        let mut run = Run::of("rps >= 100 over any 5s");
        for second in 0..20 {
            run.go_on(1, 110, 10, 0);
            let planned = Iterations { planned: 110, ..Iterations::default() };
            let mut recorder = Recorder::default();
            recorder.count_iterations(RunTime::from_secs(second), planned);
            run.stats.apply("w", &recorder.take(), RunTime::from_secs(second + 1));
        }
        assert_eq!(run.judged(true), (Some(110.0), true, Some((0, 5))));
    }

    #[test]
    fn spans_of_too_few_requests_are_skipped() {
        let mut run = Run::of("p95 < 100ms over any 5s with 100 samples");
        run.go_on(10, 10, 500, 5);
        assert_eq!(run.judged(true), (None, false, None));
        let mut busy = Run::of("p95 < 100ms over any 5s with 100 samples");
        busy.go_on(10, 20, 20, 5);
        assert_eq!(busy.judged(true), (Some(20.0), true, Some((0, 5))));
    }

    #[test]
    fn a_run_is_aborted_after_its_grace_only() {
        let mut run = Run::of("fail_ratio < 5% or abort after 20s with 100 samples");
        run.go_on(19, 5, 1_000, 5);
        assert_eq!(run.aborts(), None, "within the grace");
        run.go_on(1, 4, 1_000, 5);
        assert_eq!(run.aborts(), None, "too few requests");
        run.go_on(1, 5, 1_000, 5);
        let reason = run.aborts().expect("all requests failed");
        assert!(reason.starts_with("criterion not met: fail_ratio < 5% or abort"), "{reason}");
        let mut healthy = Run::of("fail_ratio < 5% or abort");
        assert_eq!(healthy.aborts(), None, "nothing was measured yet");
        healthy.go_on(30, 50, 10, 5);
        assert_eq!(healthy.aborts(), None);
        let mut patient = Run::of("fail_ratio < 5%");
        patient.go_on(30, 50, 1_000, 5);
        assert_eq!(patient.aborts(), None, "it does not ask for that");
    }

    #[test]
    fn statistics_that_begin_anew_are_judged_anew() {
        let mut run = Run::of("p95 < 100ms over any 5s");
        run.go_on(20, 50, 200, 5);
        run.stats.reset();
        run.judge.reset();
        run.go_on(20, 50, 20, 5);
        assert!(run.judged(true).1);
    }
}
