//! Criteria over parts of a run, and runs that end because of one, in whole clusters on virtual time.

use std::time::Duration;

use sentinel_common::coordinator::RunSpec;
use sentinel_common::criteria::Criterion;
use sentinel_common::timeline::EventKind;
use sentinel_common::verdict::{Verdict, exit_code};
use sentinel_tests::virtual_cluster::{
    Answer, VirtualCluster, VirtualTarget, assert_books_balance, on_virtual_time, times_of,
};

const A: &str = "h1_a";
const B: &str = "h2_b";

const SCENARIO: &str =
    "users: { Buyer: { wait_time: constant(0.1), tasks: [{ name: buy, steps: [{ get: / }] }] } }";

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Makes a run subject to these criteria.
fn criteria(texts: &[&str]) -> impl FnOnce(&mut RunSpec) {
    let criteria = texts.iter().map(|text| Criterion::parse(text).expect("it is a criterion")).collect();
    move |spec| spec.criteria = criteria
}

/// A target that takes long from `from` up to `to`.
fn slow_between(from: Duration, to: Duration) -> VirtualTarget {
    VirtualTarget::new(move |exchange| {
        let slow = (from..to).contains(&exchange.at);
        Answer::ok_after(if slow { millis(400) } else { millis(20) })
    })
}

#[test]
fn a_bad_half_minute_is_found_in_a_run_that_is_good_as_a_whole() {
    on_virtual_time(async {
        let target = slow_between(secs(60), secs(66));
        let criteria =
            criteria(&["p95 < 100ms", "p95 < 100ms over any 30s", "p95 < 100ms over any 30s after 70s"]);
        let mut cluster =
            VirtualCluster::start_edited(SCENARIO, "-u 20 -r 20 -t 2m", target.clone(), criteria);
        let (_a, _b) = (cluster.add_worker(A), cluster.add_worker(B));
        let report = cluster.report().await;
        let [whole, any, later] = &report.judgements[..] else { panic!("{:?}", report.judgements) };
        assert!(whole.met, "{whole}");
        let (from, to) = any.window.expect("it was measured over a span");
        assert!(!any.met && to == from + 30 && from <= 60 && 66 <= to + 1, "{any}");
        assert!(later.met && later.window.is_some_and(|(from, _)| from >= 70), "{later}");
        assert_eq!((report.ruling.verdict, report.exit_code), (Verdict::Fail, exit_code::CRITERION_FAILED));
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_run_ends_when_a_criterion_wants_that() {
    on_virtual_time(async {
        let target = slow_between(secs(30), secs(1000));
        let criteria = criteria(&["p95 < 100ms over any 10s or abort"]);
        let mut cluster =
            VirtualCluster::start_edited(SCENARIO, "-u 20 -r 20 -t 10m", target.clone(), criteria);
        let (_a, _b) = (cluster.add_worker(A), cluster.add_worker(B));
        let report = cluster.report().await;
        let stopped = times_of(
            &report,
            |kind| matches!(kind, EventKind::StopRequested { reason } if reason.starts_with("criterion not met: p95 < 100ms")),
        );
        assert_eq!(stopped.len(), 1, "{:?}", report.timeline.events());
        assert!((30..40).contains(&stopped[0].as_secs()), "{stopped:?}");
        assert_eq!((report.ruling.verdict, report.exit_code), (Verdict::Fail, exit_code::CRITERION_FAILED));
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_grace_period_lets_a_run_recover() {
    on_virtual_time(async {
        let target = slow_between(secs(0), secs(10));
        let criteria = criteria(&["p50 < 100ms or abort after 40s"]);
        let mut cluster =
            VirtualCluster::start_edited(SCENARIO, "-u 20 -r 20 -t 60s", target.clone(), criteria);
        let _a = cluster.add_worker(A);
        let report = cluster.report().await;
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_eq!(report.clock.as_secs(), 60);
    });
}
