//! A target that freezes: what the open model measures is what the target did to those who came, and what a closed one
//! measures is not. On virtual time, so every figure is known beforehand.

use std::time::Duration;

use sentinel_common::report::Report;
use sentinel_common::verdict::Verdict;
use sentinel_tests::virtual_cluster::{
    Answer, VirtualCluster, VirtualTarget, assert_books_balance, on_virtual_time,
};

/// Where percentiles stand in a report.
const P95: usize = 5;
const P99: usize = 7;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A target that answers after 2 ms, except that nothing leaves it from 10 s to 12 s.
fn freezing_target() -> VirtualTarget {
    VirtualTarget::new(|exchange| {
        let frozen = (secs(10)..secs(12)).contains(&exchange.at);
        Answer::ok_after(if frozen { secs(12) - exchange.at } else { Duration::ZERO } + millis(2))
    })
}

fn open(arrivals: &str) -> String {
    format!(
        "users: {{ Buyer: {{ arrivals: {{ {arrivals} }}, tasks: [{{ name: buy, steps: [{{ get: / }}] }}] }} }}"
    )
}

async fn run(scenario: &str, options: &str, workers: usize, target: &VirtualTarget) -> Report {
    let options = format!("-t 20s --expect-workers {workers} {options}");
    let mut cluster = VirtualCluster::start(scenario, &options, target.clone());
    let _workers: Vec<_> = (0..workers).map(|index| cluster.add_worker(&format!("h{index}_a"))).collect();
    cluster.report().await
}

/// Response times at two percentiles, from the intended start and from the actual one.
fn times(report: &Report) -> [(u64, u64); 2] {
    let plain = report.total.percentiles_us.clone().expect("there were requests");
    // Where nothing began late, both are the same.
    let corrected = report.total.corrected_percentiles_us.clone().unwrap_or(plain.clone());
    [P95, P99].map(|index| (corrected[index], plain[index]))
}

fn assert_near(found_us: u64, expected: Duration, what: &str) {
    let ratio = found_us as f64 / expected.as_micros() as f64;
    assert!((0.98..=1.02).contains(&ratio), "{what}: {found_us} us instead of {expected:?}");
}

/// All of 20,000 arrivals are made, and what they waited for is measured.
fn check_open(workers: usize, arrivals: &str) -> [(u64, u64); 2] {
    on_virtual_time(async move {
        let target = freezing_target();
        let report = run(&open(arrivals), "", workers, &target).await;
        let delivery = report.delivery;
        assert_eq!((delivery.planned, delivery.started, delivery.dropped), (20_000, 20_000, 0), "{arrivals}");
        assert_eq!((delivery.sent, target.requests()), (20_000, 20_000));
        let [(p95, _), (p99, _)] = times(&report);
        // Of 20,000, a thousand came in the first second of the freeze and 200 in its first fifth.
        assert_near(p95, millis(999), "p95");
        assert_near(p99, millis(1_799), "p99");
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_books_balance(&report, &target);
        times(&report)
    })
}

#[test]
fn arrivals_go_on_while_a_target_freezes() {
    for workers in [1, 2, 5] {
        let [(_, plain_p95), (_, plain_p99)] = check_open(workers, "rate: 1000/s, max_users: 2500");
        // Every request began when it should, so both times are the same.
        assert_near(plain_p95, millis(999), "p95 from the actual start");
        assert_near(plain_p99, millis(1_799), "p99 from the actual start");
    }
}

#[test]
fn time_that_arrivals_wait_for_a_user_is_not_hidden() {
    let [(_, plain_p95), (_, plain_p99)] = check_open(2, "rate: 1000/s, max_users: 250, max_delay: 10s");
    // Only the requests that were in flight when the target froze were slow by themselves.
    assert!(plain_p95 < 5_000, "{plain_p95}");
    assert!(plain_p99 > 1_000_000, "{plain_p99}");
}

#[test]
fn users_that_wait_for_their_target_hide_its_freeze() {
    on_virtual_time(async {
        // As many requests per second as the target is asked for by arrivals.
        let scenario =
            "users: { Buyer: { wait_time: constant(0.018), tasks: [{ name: buy, steps: [{ get: / }] }] } }";
        let target = freezing_target();
        let report = run(scenario, "-u 20 -r 1000", 1, &target).await;
        assert!((15_000..18_500).contains(&target.requests()), "{} requests", target.requests());
        let [(p95, _), (p99, _)] = times(&report);
        assert!(p95 < 5_000 && p99 < 5_000, "{p95} us and {p99} us look well");
    });
}
