//! A whole cluster on virtual time: what a run promises about users, schedules, figures and losses, to the
//! millisecond. The timers of the runtime have that resolution; every time here is a whole number of them.

use std::collections::BTreeSet;
use std::time::Duration;

use sentinel_common::coordinator::Phase;
use sentinel_common::member::Exit;
use sentinel_common::report::Report;
use sentinel_common::stats::bucket_of;
use sentinel_common::time::RunTime;
use sentinel_common::timeline::EventKind;
use sentinel_common::verdict::{Verdict, exit_code};
use sentinel_tests::virtual_cluster::{
    Answer, Exchange, Glimpse, VirtualCluster, VirtualTarget, VirtualWorker, assert_books_balance,
    on_virtual_time, row, times_of,
};

const A: &str = "h1_a";
const B: &str = "h2_b";

/// How old the master's knowledge of a worker's users may be: the time between two heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(500);

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn at(since_start: Duration) -> RunTime {
    RunTime::ZERO + since_start
}

/// One class of users that do `steps` again and again.
fn scenario(wait_time: &str, steps: &str) -> String {
    format!("users: {{ Buyer: {{ wait_time: '{wait_time}', tasks: [{{ name: buy, steps: [{steps}] }}] }} }}")
}

/// A cluster of the workers A and B, which the run waits for.
fn two_workers(
    scenario: &str,
    options: &str,
    target: VirtualTarget,
) -> (VirtualCluster, VirtualWorker, VirtualWorker) {
    let cluster = VirtualCluster::start(scenario, &format!("{options} --expect-workers 2"), target);
    let (a, b) = (cluster.add_worker(A), cluster.add_worker(B));
    (cluster, a, b)
}

fn users_of(glimpse: &Glimpse) -> Vec<(&str, u64)> {
    glimpse.users_of.iter().map(|(worker, users)| (worker.as_str(), *users)).collect()
}

/// Asserts that users ramped from `from` on since `since`, one after the other, `rate` in a second, to `to`.
fn assert_ramp(glimpses: &[Glimpse], since: Duration, from: u64, to: u64, rate: u64) {
    assert!(!glimpses.is_empty());
    for glimpse in glimpses {
        let after = |delay: Duration| {
            let elapsed = glimpse.at.saturating_since(at(since + delay));
            (from + elapsed.as_millis() as u64 * rate / 1000).min(to)
        };
        let (least, most) = (after(HEARTBEAT), (after(Duration::ZERO) + 1).min(to));
        assert!(
            (least..=most).contains(&glimpse.users),
            "{least} to {most} users at {}: {glimpse:?}",
            glimpse.at
        );
    }
}

fn is_stop_request(event: &EventKind) -> bool {
    matches!(event, EventKind::StopRequested { .. })
}

fn is_return(event: &EventKind) -> bool {
    matches!(event, EventKind::WorkerReturned { .. })
}

/// When workers were lost, which, and with how many users.
fn losses(report: &Report) -> Vec<(RunTime, &str, u64)> {
    let mut losses = Vec::new();
    for event in report.timeline.events() {
        if let EventKind::WorkerLost { worker, users, .. } = &event.kind {
            losses.push((event.at, worker.as_str(), *users));
        }
    }
    losses
}

// What a healthy run does.

#[test]
fn users_follow_the_ramp_and_stop_on_time() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let (mut cluster, _a, _b) =
            two_workers(&scenario("constant(1)", "{ get: / }"), "-u 50 -r 10 -t 20s", target.clone());
        let ended = cluster.ended().await;
        let report = ended.report.unwrap();
        let glimpses = cluster.glimpses();
        let running: Vec<_> =
            glimpses.into_iter().filter(|glimpse| glimpse.phase != Phase::Stopping).collect();
        assert_ramp(&running, Duration::ZERO, 0, 50, 10);
        assert_eq!(users_of(running.last().unwrap()), [(A, 25), (B, 25)]);
        let complete = times_of(&report, |event| *event == EventKind::RampComplete { users: 50 });
        assert_eq!(complete, [at(millis(4_900))], "the first user came at once, the others every 100 ms");
        assert_eq!(times_of(&report, is_stop_request), [at(secs(20))]);
        assert!(report.clock <= at(secs(20) + millis(25)), "only requests in flight outlast the run time");
        assert_books_balance(&report, &target);
        assert_eq!((report.ruling.verdict, ended.exit_code), (Verdict::Pass, exit_code::OK));
    });
}

/// The one request that each user of class A makes in a run with seed 7, beside `others` before it in the file.
fn requests_of_a(others: &str, users: u32) -> BTreeSet<String> {
    let class = |name: &str| {
        let steps = "{ get: '/{{ user.id }}/{{ randint(0, 1000000000) }}' }";
        format!(
            "{name}: {{ fixed_count: 6, wait_time: constant(1000), tasks: [{{ name: t, steps: [{steps}] }}] }}"
        )
    };
    let classes: Vec<String> = others.split_whitespace().chain(["A"]).map(class).collect();
    let scenario = format!("users: {{ {} }}", classes.join(", "));
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let options = format!("-u {users} -r 100 -t 5s --seed 7");
        // One worker: where users are placed among several depends on all classes.
        let mut cluster = VirtualCluster::start(&scenario, &options, target.clone());
        let _a = cluster.add_worker(A);
        cluster.ended().await;
        let paths = target.exchanges().into_iter().map(|exchange| exchange.path);
        paths.filter(|path| path.starts_with("/A-")).collect()
    })
}

#[test]
fn another_class_changes_nothing_for_the_users_of_a_class() {
    let alone = requests_of_a("", 6);
    assert_eq!(alone.len(), 6, "{alone:?}");
    assert_eq!(requests_of_a("B", 12), alone);
    assert_eq!(requests_of_a("B C", 18), alone);
}

#[test]
fn templates_see_their_run_and_the_world_of_their_worker() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let step = "{ get: \"/{{ run.seed }}/{{ env('CARGO_PKG_NAME') }}/{{ env('NO_SUCH', 'none') }}/\
                    {{ now('us') > 1700000000000000 }}/{{ run.id }}/{{ counter() }}\" }";
        let (mut cluster, _a, _b) =
            two_workers(&scenario("constant(1)", step), "-u 2 -r 2 -t 3s --seed 42", target.clone());
        let run = cluster.report().await.run.to_string();
        let paths: BTreeSet<String> = target.exchanges().into_iter().map(|exchange| exchange.path).collect();
        let expected = |count: u32| format!("/42/sentinel-tests/none/True/{run}/{count}");
        assert_eq!(paths, [expected(0), expected(1), expected(2)].into());
    });
}

#[test]
fn measured_times_are_exactly_those_of_the_target() {
    on_virtual_time(async {
        let target = VirtualTarget::new(|exchange| match exchange.path.as_str() {
            "/quick" => Answer::ok_after(millis(25)),
            _ => Answer::ok_after(millis(1_234)),
        });
        let steps = "{ get: /quick }, { post: /slow, json: { n: 1 } }";
        let (mut cluster, _a, _b) =
            two_workers(&scenario("constant(0.5)", steps), "-u 10 -r 10 -t 30s", target.clone());
        let report = cluster.report().await;
        let check = |method: &str, path: &str, expected_us: u64| {
            let row = row(&report, method, path);
            assert_eq!(row.percentiles_us, Some(vec![expected_us; 11]), "{path}");
            assert_eq!(
                (row.min_us, row.median_us, row.max_us),
                (Some(expected_us), Some(expected_us), Some(expected_us))
            );
            assert_eq!(row.mean_us, Some(expected_us as f64));
            assert_eq!(row.corrected_percentiles_us, None, "without a schedule nothing is late");
            assert!(row.requests > 100);
        };
        check("GET", "/quick", 25_000);
        check("POST", "/slow", 1_234_000);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_constant_throughput_makes_exactly_the_planned_iterations() {
    on_virtual_time(async {
        // Users begin 20 ms, 70 ms, ... 470 ms after the start, so each has 60 starts before 30 s.
        let scenario = "
users:
  Buyer:
    wait_time: constant_throughput(2)
    on_start: [{ think: 20ms }]
    tasks: [{ name: buy, steps: [{ get: / }] }]
";
        let target = VirtualTarget::steady(millis(25));
        let (mut cluster, _a, _b) = two_workers(scenario, "-u 10 -r 20 -t 30s", target.clone());
        let report = cluster.report().await;
        let delivery = report.delivery;
        assert_eq!((delivery.planned, delivery.started, delivery.late, delivery.dropped), (600, 600, 0, 0));
        assert_eq!(row(&report, "GET", "/").requests, 600);
        for user in 0..10 {
            let starts = times_of_user(&target, user);
            assert!(
                starts.windows(2).all(|pair| pair[1] - pair[0] == millis(500)),
                "user {user}: {starts:?}"
            );
        }
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_random_wait_stays_within_its_bounds() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("between(0.2, 0.5)", "{ get: / }");
        let (mut cluster, _a, _b) = two_workers(&scenario, "-u 10 -r 10 -t 30s", target.clone());
        let report = cluster.report().await;
        let mut rests = Vec::new();
        for user in 0..10 {
            rests.extend(times_of_user(&target, user).windows(2).map(|pair| pair[1] - pair[0] - millis(25)));
        }
        // A timer fires on the next whole millisecond.
        assert!(rests.iter().all(|rest| (millis(200)..=millis(501)).contains(rest)), "{rests:?}");
        assert!(rests.iter().collect::<BTreeSet<_>>().len() > 100, "they are drawn anew for every iteration");
        let mean = rests.iter().sum::<Duration>() / rests.len() as u32;
        assert!((millis(340)..millis(360)).contains(&mean), "{mean:?}");
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_frozen_target_shows_in_the_corrected_times() {
    on_virtual_time(async {
        // Whatever is in flight from 10 s to 12 s is answered 25 ms after the thaw.
        let target = VirtualTarget::new(|exchange| {
            let frozen = (secs(10)..secs(12)).contains(&exchange.at);
            Answer::ok_after(if frozen { secs(12) - exchange.at } else { Duration::ZERO } + millis(25))
        });
        let scenario = scenario("constant_throughput(10)", "{ get: / }");
        let (mut cluster, _a, _b) = two_workers(&scenario, "-u 10 -r 100 -t 20s", target.clone());
        let report = cluster.report().await;
        let plain = report.total.percentiles_us.clone().unwrap();
        let corrected = report.total.corrected_percentiles_us.clone().unwrap();
        // In the order of the report: p50, p66, p75, p80, p90, p95, p98, p99, p99.9, p99.99, p100.
        let [p90, p95, p99, max] = [4, 5, 7, 10];
        let healthy = bucket_of(25_000).1;
        assert_eq!(
            (plain[p90], plain[p95], plain[p99]),
            (healthy, healthy, healthy),
            "one request of each user was slow"
        );
        assert!((1_900_000..=2_025_000).contains(&plain[max]), "{plain:?}");
        // Each user missed twenty starts, and made up for them at 40 in a second.
        assert!(
            corrected[p90] > 300_000 && corrected[p95] > 1_000_000 && corrected[p99] > 1_700_000,
            "{corrected:?}"
        );
        assert!(corrected[max] >= plain[max]);
        let delivery = report.delivery;
        assert_eq!(
            (delivery.planned, delivery.dropped),
            (delivery.started, 0),
            "every missed start was made up for"
        );
        assert!(delivery.late > 200, "{delivery:?}");
        assert_books_balance(&report, &target);
    });
}

#[test]
fn every_failure_is_counted_under_its_own_words() {
    on_virtual_time(async {
        let target = VirtualTarget::new(|exchange| match exchange.path.as_str() {
            "/broken" => Answer::Status(503, millis(10)),
            "/reset" => Answer::Break("ConnectionResetError(104, 'Connection reset by peer')", millis(10)),
            "/hung" => Answer::Never,
            _ => Answer::ok_after(millis(10)),
        });
        let steps = "{ get: /fine }, { get: /broken }, { get: /reset }, { get: /hung, timeout: 3s }";
        let (mut cluster, _a, _b) =
            two_workers(&scenario("constant(1)", steps), "-u 4 -r 4 -t 30s", target.clone());
        let ended = cluster.ended().await;
        let report = ended.report.unwrap();
        let check = |path: &str, message: &str, time: Duration| {
            let row = row(&report, "GET", path);
            assert!(row.requests > 0);
            assert_eq!(row.failures, row.requests, "{path}");
            assert_eq!(row.max_us, Some(time.as_micros() as u64), "{path}");
            let words: Vec<_> = report.errors.iter().filter(|error| error.name == path).collect();
            assert_eq!(words.len(), 1, "{words:?}");
            assert_eq!((words[0].message.as_str(), words[0].occurrences), (message, row.requests));
        };
        check("/broken", "expected a status below 400, got 503", millis(10));
        check("/reset", "ConnectionResetError(104, 'Connection reset by peer')", millis(10));
        check("/hung", "ReadTimeout('timed out')", secs(3));
        assert_eq!(row(&report, "GET", "/fine").failures, 0);
        assert_eq!(report.delivery.failed, report.total.failures);
        assert_eq!((report.ruling.verdict, ended.exit_code), (Verdict::Fail, exit_code::FAILURES));
        assert_books_balance(&report, &target);
    });
}

#[test]
fn every_user_starts_once_and_stops_once() {
    on_virtual_time(async {
        let scenario = "
users:
  Buyer:
    wait_time: constant(0.3)
    on_start: [{ post: /hello }]
    on_stop: [{ post: /bye }]
    tasks: [{ name: buy, steps: [{ get: / }] }]
";
        let target = VirtualTarget::steady(millis(25));
        let (mut cluster, _a, _b) = two_workers(scenario, "-u 20 -r 10 -t 10s", target.clone());
        // Its share was with the others before: their users stop early.
        cluster.until(secs(5)).await;
        let _c = cluster.add_worker("h3_c");
        let report = cluster.report().await;
        for user in 0.. {
            let of_user =
                |path: &str| target.count(|exchange| exchange.user == user && exchange.path == path);
            if target.count(|exchange| exchange.user == user) == 0 {
                assert!(user > 20, "users that made room and users that took it");
                break;
            }
            assert_eq!((of_user("/hello"), of_user("/bye")), (1, 1), "user {user}");
        }
        assert_books_balance(&report, &target);
    });
}

// How a run begins and ends.

#[test]
fn resetting_the_statistics_forgets_the_ramp_and_nothing_else() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant(1)", "{ get: / }");
        let (mut cluster, _a, _b) = two_workers(&scenario, "-u 20 -r 4 -t 20s --reset-stats", target.clone());
        let report = cluster.report().await;
        let ramp_end = millis(4_750);
        let complete = times_of(&report, |event| *event == EventKind::RampComplete { users: 20 });
        assert_eq!(complete, [at(ramp_end)]);
        let after = |exchange: &Exchange| exchange.finished > Some(ramp_end);
        let (ramp, kept) = (target.count(|exchange| !after(exchange)), target.count(after));
        assert!(ramp > 20 && kept > 200);
        assert_eq!(row(&report, "GET", "/").requests, kept);
        assert_eq!(report.total.requests, kept);
    });
}

#[test]
fn a_stop_waits_for_requests_in_flight_and_counts_those_that_it_cuts_off() {
    let check = |options: &str, in_flight: u64, stopped: Duration| {
        on_virtual_time(async {
            // At 10 s, the even users have up to 1.5 s to wait, the odd ones 2.1 s to 2.9 s.
            let target = VirtualTarget::new(|exchange| {
                Answer::ok_after(if exchange.user % 2 == 0 { millis(1_500) } else { millis(4_000) })
            });
            let scenario = scenario("constant(0)", "{ get: / }");
            let options = format!("-u 10 -r 10 -t 10s {options}");
            let mut cluster = VirtualCluster::start(&scenario, &options, target.clone());
            let _worker = cluster.add_worker(A);
            let report = cluster.report().await;
            assert_eq!(report.delivery.in_flight_at_stop, in_flight);
            assert_eq!(report.delivery.answered + in_flight, target.requests());
            assert_eq!(times_of(&report, |event| *event == EventKind::Stopped), [at(stopped)]);
            assert_books_balance(&report, &target);
        });
    };
    check("", 5, secs(12));
    check("--stop-timeout 5", 0, millis(12_900));
}

#[test]
fn a_slow_stop_takes_nothing_from_what_was_delivered() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(secs(5));
        let scenario = scenario("constant(0)", "{ get: / }");
        let mut cluster = VirtualCluster::start(&scenario, "-u 20 -r 20 -t 8s -s 10", target.clone());
        let _worker = cluster.add_worker(A);
        let report = cluster.report().await;
        assert_eq!((report.ruling.verdict, report.exit_code), (Verdict::Pass, 0), "{:?}", report.ruling);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_run_that_was_cut_off_proves_nothing() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(secs(30));
        let scenario = scenario("constant(0)", "{ get: / }");
        let mut cluster = VirtualCluster::start(&scenario, "-u 4 -r 4 -s 60", target.clone());
        let _worker = cluster.add_worker(A);
        cluster.until(secs(40)).await;
        cluster.interrupt().await;
        cluster.until(secs(41)).await;
        cluster.interrupt().await;
        let ended = cluster.ended().await;
        let report = ended.report.expect("the run had begun");
        assert_eq!((report.ruling.verdict, ended.exit_code), (Verdict::Invalid, 4), "{:?}", report.ruling);
        assert_eq!(report.delivery.unaccounted, 4, "sent, and never heard of again");
    });
}

#[test]
fn an_interrupt_ends_the_run_with_every_figure() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant(0.1)", "{ get: / }");
        let (mut cluster, a, b) = two_workers(&scenario, "-u 10 -r 10", target.clone());
        cluster.until(millis(7_654)).await;
        cluster.interrupt().await;
        let ended = cluster.ended().await;
        let report = ended.report.unwrap();
        assert_eq!(times_of(&report, is_stop_request), [at(millis(7_654))]);
        assert_books_balance(&report, &target);
        assert_eq!(ended.exit_code, exit_code::OK);
        assert_eq!((a.exit().await, b.exit().await), (Exit::Done, Exit::Done), "they were sent home");
    });
}

#[test]
fn a_run_without_enough_workers_is_given_up_in_time() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant(1)", "{ get: / }");
        let options = "-u 10 -r 10 --expect-workers 2 --expect-workers-max-wait 30";
        let mut cluster = VirtualCluster::start(&scenario, options, target.clone());
        let started = tokio::time::Instant::now();
        let worker = cluster.add_worker(A);
        let ended = cluster.ended().await;
        assert!(ended.report.is_none());
        assert_eq!(ended.exit_code, exit_code::FAILURES);
        assert_eq!(started.elapsed(), secs(30));
        assert_eq!(worker.exit().await, Exit::Done);
        assert_eq!(target.requests(), 0);
    });
}

/// A run of this length keeps its past in this many pieces.
fn check_pieces(run_time: Duration, expected: std::ops::Range<usize>) {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant_pacing(20)", "{ get: / }");
        let options = format!("-u 2 -r 2 -t {}", run_time.as_secs());
        let mut cluster = VirtualCluster::start(&scenario, &options, target.clone());
        let _worker = cluster.add_worker(A);
        let report = cluster.report().await;
        assert_eq!(times_of(&report, is_stop_request), [at(run_time)]);
        let most = cluster.glimpses().iter().map(|glimpse| glimpse.pieces).max().unwrap_or(0);
        assert!(expected.contains(&most), "{most} pieces");
        assert!(report.total.seconds.len() < most, "{} pieces of one row", report.total.seconds.len());
        assert_books_balance(&report, &target);
    });
}

#[test]
fn the_past_of_a_long_run_is_kept_in_coarser_pieces() {
    // Ten minutes of seconds, and twenty of ten seconds.
    check_pieces(secs(30 * 60), 700..760);
}

#[test]
fn three_hours_stay_bounded() {
    // Ten minutes of seconds, two hours of ten seconds, minutes from then on.
    check_pieces(secs(3 * 3600), 1_200..1_400);
}

// Workers that come and go.

#[test]
fn a_worker_that_comes_late_takes_its_share_from_the_others() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant(0.5)", "{ get: / }");
        let (mut cluster, _a, _b) = two_workers(&scenario, "-u 42 -r 21 -t 20s", target.clone());
        cluster.until(millis(9_900)).await;
        assert_eq!(users_of(&cluster.last_glimpse()), [(A, 21), (B, 21)]);
        let _c = cluster.add_worker("h3_c");
        let report = cluster.report().await;
        let after = cluster.glimpses().into_iter().filter(|glimpse| glimpse.at > at(secs(9)));
        let after: Vec<_> = after.filter(|glimpse| glimpse.phase != Phase::Stopping).collect();
        assert!(after.iter().all(|glimpse| (41..=43).contains(&glimpse.users)), "{after:?}");
        assert_eq!(users_of(after.last().unwrap()), [(A, 14), (B, 14), ("h3_c", 14)]);
        let check = |worker: &str, born: usize, lived_on: usize| {
            let (all, late) =
                (users_since(&target, worker, Duration::ZERO), users_since(&target, worker, secs(15)));
            assert_eq!((all.len(), late.len()), (born, lived_on), "{worker}");
        };
        check(A, 21, 14);
        check(B, 21, 14);
        check("h3_c", 14, 14);
        assert_eq!(report.ruling.verdict, Verdict::Pass);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_worker_that_is_told_to_end_leaves_with_nothing_lost() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant(0.5)", "{ get: / }");
        let (mut cluster, a, _b) = two_workers(&scenario, "-u 20 -r 20 -t 20s", target.clone());
        cluster.until(millis(9_900)).await;
        a.shut_down().await;
        assert_eq!(a.exit().await, Exit::Done);
        let report = cluster.report().await;
        let drained = times_of(&report, |event| matches!(event, EventKind::WorkerDrained { .. }));
        assert!(drained.len() == 1 && drained[0] < at(secs(10)), "{drained:?}");
        assert_eq!(losses(&report), []);
        assert_eq!(users_since(&target, A, secs(10)), BTreeSet::new());
        assert_eq!(users_since(&target, B, secs(15)).len(), 20);
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_worker_that_was_cut_off_comes_back_with_everything_it_measured() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant(0.5)", "{ get: / }");
        let (mut cluster, a, _b) = two_workers(&scenario, "-u 20 -r 10 -t 40s", target.clone());
        cluster.until(millis(10_125)).await;
        // The report of this second is sent, and lost before the master has it.
        a.cable.silence();
        cluster.until(millis(11_625)).await;
        a.cable.cut();
        cluster.until(millis(16_625)).await;
        assert_eq!(users_of(&cluster.last_glimpse()), [(B, 20)], "the other took its users over");
        a.cable.mend();
        let report = cluster.report().await;
        assert_eq!(losses(&report), [(at(millis(11_625)), A, 10)]);
        let returned = times_of(&report, is_return);
        // Attempts are 3.2 s apart, at most, by then.
        assert_eq!(returned.len(), 1);
        assert!((at(millis(16_625))..=at(secs(20))).contains(&returned[0]), "{returned:?}");
        assert!(
            target.count(|it| it.worker == A && (secs(12)..secs(16)).contains(&it.at)) > 50,
            "it did not idle"
        );
        let settled = cluster.glimpses().into_iter().filter(|glimpse| glimpse.at > at(secs(23)));
        let settled: Vec<_> = settled.filter(|glimpse| glimpse.phase != Phase::Stopping).collect();
        assert!(settled.len() > 5);
        assert!(settled.iter().all(|glimpse| users_of(glimpse) == [(A, 10), (B, 10)]), "{settled:?}");
        assert_books_balance(&report, &target);
    });
}

#[test]
fn a_worker_that_fell_silent_is_replaced_and_taken_back() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant(0.5)", "{ get: / }");
        let (mut cluster, a, _b) = two_workers(&scenario, "-u 20 -r 20 -t 40s", target.clone());
        cluster.until(millis(10_125)).await;
        a.cable.silence();
        cluster.until(millis(15_125)).await;
        assert_eq!(cluster.last_glimpse().users, 20);
        a.cable.mend();
        let report = cluster.report().await;
        let lost = losses(&report);
        assert!(
            lost.len() == 1 && lost[0].1 == A && lost[0].0 <= at(secs(13)),
            "noticed within three seconds: {lost:?}"
        );
        assert_eq!(times_of(&report, is_return), [at(millis(15_125))], "its first word brings it back");
        assert_eq!(users_since(&target, A, secs(20)).len(), 10);
        assert_eq!(users_since(&target, B, secs(20)).len(), 10);
        assert_books_balance(&report, &target);
    });
}

/// A worker is lost for good at 20.25 s, with half of 50 users.
fn check_loss(spawn_rate: u64, verdict: Verdict) {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let scenario = scenario("constant(0.5)", "{ get: / }");
        let options = format!("-u 50 -r {spawn_rate} -t 40s");
        let (mut cluster, a, _b) = two_workers(&scenario, &options, target.clone());
        let cut = millis(20_250);
        cluster.until(cut).await;
        a.cable.cut();
        let report = cluster.report().await;
        assert_eq!(losses(&report), [(at(cut), A, 25)]);
        let after = cluster.glimpses().into_iter().filter(|glimpse| glimpse.at > at(cut));
        let after: Vec<_> = after.filter(|glimpse| glimpse.phase != Phase::Stopping).collect();
        assert_ramp(&after, cut, 25, 50, spawn_rate);
        assert_eq!(users_of(after.last().expect("the run went on")), [(B, 50)]);
        assert_eq!(report.ruling.verdict, verdict, "{:?}", report.ruling);
        // The lost worker reported once a second; what it measured after that is gone with it.
        let until =
            |time: Duration| target.count(|it| it.worker == B || it.finished.is_some_and(|at| at <= time));
        let reported = report.total.requests;
        assert!((until(cut - secs(1) - millis(50))..=until(cut)).contains(&reported), "{reported} requests");
        assert_eq!(a.exit().await, Exit::MasterGone);
    });
}

#[test]
fn users_of_a_lost_worker_return_at_the_spawn_rate_on_the_others() {
    check_loss(5, Verdict::Invalid);
    check_loss(100, Verdict::Pass);
}

/// When a user's requests arrived.
fn times_of_user(target: &VirtualTarget, user: u64) -> Vec<Duration> {
    target.exchanges().iter().filter(|exchange| exchange.user == user).map(|exchange| exchange.at).collect()
}

/// The users of a worker that sent anything since then.
fn users_since(target: &VirtualTarget, worker: &str, since: Duration) -> BTreeSet<u64> {
    let exchanges = target.exchanges();
    exchanges.iter().filter(|it| it.worker == worker && it.at >= since).map(|it| it.user).collect()
}
