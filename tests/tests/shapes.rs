//! Runs that follow a shape, on virtual time: users are born when the curve says so.

use std::sync::Arc;
use std::time::Duration;

use sentinel_common::coordinator::{Phase, SHAPE_OVER};
use sentinel_common::dispatch::SpawnRate;
use sentinel_common::report::Report;
use sentinel_common::shape::{Shape, Stage, Tick, TickTarget};
use sentinel_common::time::RunTime;
use sentinel_common::timeline::EventKind;
use sentinel_common::verdict::{Verdict, exit_code};
use sentinel_tests::virtual_cluster::{
    VirtualCluster, VirtualTarget, VirtualWorker, assert_books_balance, on_virtual_time, times_of,
};

const A: &str = "h1_a";
const B: &str = "h2_b";

/// Users say hello when they are born and bye when they stop.
const SCENARIO: &str = "
users:
  Buyer:
    wait_time: constant(1)
    on_start: [{ post: /hello }]
    on_stop: [{ post: /bye }]
    tasks: [{ name: buy, steps: [{ get: / }] }]
";

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn start(shape: Shape, target: &VirtualTarget) -> (VirtualCluster, [VirtualWorker; 2]) {
    let cluster =
        VirtualCluster::start_with(SCENARIO, "--expect-workers 2 -s 5", target.clone(), |settings| {
            settings.autostart.spec.shape = Some(Arc::new(shape));
        });
    let workers = [cluster.add_worker(A), cluster.add_worker(B)];
    (cluster, workers)
}

/// When users were born, and when they began to stop, in order.
fn births_and_stops(target: &VirtualTarget) -> [Vec<Duration>; 2] {
    let exchanges = target.exchanges();
    ["/hello", "/bye"].map(|path| {
        exchanges.iter().filter(|exchange| exchange.path == path).map(|exchange| exchange.at).collect()
    })
}

/// Asserts that the users that live, ten times a second, are as many as `curve` says, give or take `tolerance`.
fn assert_follows(target: &VirtualTarget, end: Duration, tolerance: f64, curve: impl Fn(f64) -> f64) {
    let [births, stops] = births_and_stops(target);
    for tenth in 0..end.as_millis() as u64 / 100 {
        let at = millis(tenth * 100);
        let until = |times: &[Duration]| times.partition_point(|time| *time <= at) as f64;
        let (users, wanted) = (until(&births) - until(&stops), curve(at.as_secs_f64()));
        assert!((users - wanted).abs() <= tolerance, "{users} users at {at:?} instead of {wanted}");
    }
}

fn count(report: &Report, wanted: impl Fn(&EventKind) -> bool) -> usize {
    times_of(report, wanted).len()
}

#[test]
fn a_line_is_followed_user_by_user() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(1));
        let (mut cluster, _workers) = start(Shape::ramp(0, 100, secs(20), secs(5)).unwrap(), &target);
        let ended = cluster.ended().await;
        let report = ended.report.unwrap();
        let [births, _] = births_and_stops(&target);
        assert_eq!(births.len(), 100);
        for (index, at) in births.iter().enumerate() {
            // In turn on two workers of which one has three users a second and the other two.
            let expected = millis(200 * index as u64);
            assert!(at.abs_diff(expected) <= millis(70), "user {index} at {at:?} instead of {expected:?}");
        }
        let over = EventKind::StopRequested { reason: SHAPE_OVER.to_owned() };
        assert_eq!(times_of(&report, |event| *event == over), [RunTime::from_secs(25)]);
        assert_eq!(count(&report, |event| matches!(event, EventKind::Ramp { .. })), 2);
        assert_eq!(
            times_of(&report, |event| *event == EventKind::RampComplete { users: 100 }),
            [RunTime::from_secs(20)]
        );
        assert_eq!((report.load.users, ended.exit_code), (100, exit_code::OK), "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_wave_is_followed_up_and_down() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(1));
        let (mut cluster, _workers) = start(Shape::sine(10, 110, secs(40), secs(80)).unwrap(), &target);
        let report = cluster.report().await;
        // Users of the first second come within it.
        assert_follows(&target, secs(80), 8.5, |at| {
            let wave = 60.0 - 50.0 * (at / 40.0 * std::f64::consts::TAU).cos();
            if at < 1.0 { wave * at.max(0.4) } else { wave }
        });
        assert_eq!(count(&report, |event| matches!(event, EventKind::Ramp { .. })), 4, "every turn is told");
        assert_eq!(count(&report, |event| matches!(event, EventKind::RampComplete { .. })), 0);
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn stages_keep_to_their_rates() {
    on_virtual_time(async {
        let stage = |seconds, users, rate: f64| Stage {
            duration: secs(seconds),
            users,
            spawn_rate: Some(SpawnRate::per_second(rate).unwrap()),
            classes: None,
        };
        let shape =
            Shape::stages(vec![stage(10, 40, 10.0), stage(10, 20, 4.0), stage(5, 60, 100.0)]).unwrap();
        let target = VirtualTarget::steady(millis(1));
        let (mut cluster, _workers) = start(shape, &target);
        let report = cluster.report().await;
        assert_follows(&target, secs(25), 2.5, |at| match at {
            at if at < 10.0 => (10.0 * at).min(40.0),
            at if at < 20.0 => (40.0 - 4.0 * (at - 10.0)).max(20.0),
            at => (20.0 + 100.0 * (at - 20.0)).min(60.0),
        });
        let complete = |event: &EventKind| matches!(event, EventKind::RampComplete { .. });
        let times: Vec<u64> = times_of(&report, complete).iter().map(|at| at.as_micros() / 100_000).collect();
        assert_eq!(times, [39, 147, 203]);
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn users_that_are_lost_on_a_line_come_back_within_seconds() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(1));
        let (mut cluster, [a, _b]) = start(Shape::ramp(0, 400, secs(80), secs(0)).unwrap(), &target);
        cluster.until(secs(40)).await;
        a.cable.cut();
        let report = cluster.report().await;
        let of_b = |at: Duration| {
            let born = target.count(|it| it.worker == B && it.path == "/hello" && it.at <= at);
            born - target.count(|it| it.worker == B && it.path == "/bye" && it.at <= at)
        };
        assert!((100..=101).contains(&of_b(secs(40))));
        for second in 43..78 {
            let (users, wanted) = (of_b(secs(second)), 5 * second);
            assert!(users.abs_diff(wanted) <= 3, "{users} users at {second} s instead of {wanted}");
        }
        assert_eq!(report.ruling.verdict, Verdict::Pass, "two seconds are forgiven: {:?}", report.ruling);
    });
}

#[test]
fn a_line_that_half_of_the_cluster_did_not_follow_for_long_proves_nothing() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(1));
        let (mut cluster, [a, _b]) = start(Shape::ramp(0, 400, secs(80), secs(0)).unwrap(), &target);
        cluster.until(secs(40)).await;
        // Noticed after two and a half seconds, of which the news of half a second before count.
        a.cable.silence();
        let report = cluster.report().await;
        assert_eq!(report.ruling.verdict, Verdict::Invalid);
        let reason = &report.ruling.reasons[0];
        assert!(
            reason.contains("% of the planned users ran") && reason.contains("from 41 s to 43 s"),
            "{reason}"
        );
    });
}

#[test]
fn a_worker_that_joins_on_a_line_takes_its_share() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(1));
        let (mut cluster, _workers) = start(Shape::ramp(0, 300, secs(60), secs(10)).unwrap(), &target);
        cluster.until(secs(30)).await;
        let _c = cluster.add_worker("h3_c");
        let report = cluster.report().await;
        assert_follows(&target, secs(70), 12.0, |at| (5.0 * at).min(300.0));
        let last = cluster.glimpses().into_iter().rfind(|glimpse| glimpse.phase == Phase::Running);
        let shares: Vec<u64> = last.expect("it held its users").users_of.into_values().collect();
        assert_eq!(shares, [100, 100, 100]);
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}

/// Ten users more every two seconds, until it has seen fifty.
#[derive(Debug)]
struct UntilFifty;

impl Tick for UntilFifty {
    fn tick(&self, run_time: RunTime, users: u32) -> Result<Option<TickTarget>, String> {
        let target = TickTarget {
            users: 10 * (run_time.as_secs() as u32 / 2 + 1),
            spawn_rate: Some(20.0),
            classes: None,
        };
        Ok((users < 50).then_some(target))
    }
}

/// Works for five seconds.
#[derive(Debug)]
struct Brittle;

impl Tick for Brittle {
    fn tick(&self, run_time: RunTime, _: u32) -> Result<Option<TickTarget>, String> {
        match run_time.as_secs() {
            0..5 => Ok(Some(TickTarget { users: 10, spawn_rate: None, classes: None })),
            _ => Err("undefined value".to_owned()),
        }
    }
}

#[test]
fn a_tick_decides_as_it_goes() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(1));
        let (mut cluster, _workers) = start(Shape::tick(Arc::new(UntilFifty)), &target);
        let report = cluster.report().await;
        let over = EventKind::StopRequested { reason: SHAPE_OVER.to_owned() };
        assert_eq!(times_of(&report, |event| *event == over), [RunTime::from_secs(9)]);
        assert_eq!(births_and_stops(&target)[0].len(), 50);
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
    });
}

#[test]
fn a_tick_that_fails_ends_the_run_and_proves_nothing() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(1));
        let (mut cluster, _workers) = start(Shape::tick(Arc::new(Brittle)), &target);
        let ended = cluster.ended().await;
        let report = ended.report.unwrap();
        let reason = "the shape failed: undefined value";
        let stop = EventKind::StopRequested { reason: reason.to_owned() };
        assert_eq!(times_of(&report, |event| *event == stop), [RunTime::from_secs(5)]);
        assert_eq!(ended.exit_code, exit_code::INVALID);
        assert!(report.ruling.reasons[0].contains(reason), "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}
