//! Open classes in a whole cluster, on virtual time: every arrival is made once, at its time, whatever the workers do.

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_common::coordinator::ARRIVALS_OVER;
use sentinel_common::report::Report;
use sentinel_common::time::RunTime;
use sentinel_common::timeline::EventKind;
use sentinel_common::verdict::Verdict;
use sentinel_tests::virtual_cluster::{
    Answer, Exchange, VirtualCluster, VirtualTarget, assert_counts_balance, on_virtual_time, times_of,
};

const A: &str = "h1_a";
const B: &str = "h2_b";

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Arrivals that go one of two ways, each time with another path. Names are equal, so that rows are few.
fn scenario(arrivals: &str) -> String {
    format!(
        "
users:
  Buyer:
    arrivals: {{ {arrivals} }}
    tasks:
      - name: look
        weight: 3
        steps: [{{ get: '/look/{{{{ randint(1, 1000000) }}}}', name: /look }}]
      - name: buy
        steps: [{{ post: '/buy/{{{{ randint(1, 1000000) }}}}', name: /buy }}]
"
    )
}

/// What the target saw, and when: the same for any number of workers.
fn seen(target: &VirtualTarget) -> Vec<(Duration, String)> {
    sequence(target.exchanges().into_iter())
}

fn sequence(exchanges: impl Iterator<Item = Exchange>) -> Vec<(Duration, String)> {
    let mut seen: Vec<_> = exchanges.map(|exchange| (exchange.at, exchange.path)).collect();
    seen.sort();
    seen
}

fn workers(cluster: &VirtualCluster, count: usize) -> Vec<sentinel_tests::virtual_cluster::VirtualWorker> {
    (0..count).map(|index| cluster.add_worker(&format!("h{index}_a"))).collect()
}

/// Runs arrivals on so many workers and returns what the target saw.
fn run_on(count: usize, arrivals: &str) -> Vec<(Duration, String)> {
    on_virtual_time(async move {
        let target = VirtualTarget::steady(millis(25));
        let options = format!("-t 10s --expect-workers {count}");
        let mut cluster = VirtualCluster::start(&scenario(arrivals), &options, target.clone());
        let _workers = workers(&cluster, count);
        let report = cluster.report().await;
        let delivery = report.delivery;
        assert_eq!((delivery.planned, delivery.dropped, delivery.late), (target.requests(), 0, 0));
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        seen(&target)
    })
}

#[test]
fn the_same_arrivals_do_the_same_on_any_number_of_workers() {
    for arrivals in
        ["rate: 200/s", "rate: 200/s, distribution: poisson", "stages: [{ duration: 10s, rate: 300/s }]"]
    {
        let one = run_on(1, arrivals);
        assert!(one.len() > 1_400, "{arrivals}: {}", one.len());
        assert_eq!(run_on(2, arrivals), one, "{arrivals}");
        assert_eq!(run_on(5, arrivals), one, "{arrivals}");
    }
}

#[test]
fn constant_arrivals_come_at_their_distance() {
    let seen = run_on(2, "rate: 200/s");
    assert_eq!(seen.len(), 2_000);
    for (index, (at, _)) in seen.iter().enumerate() {
        assert_eq!(*at, millis(5 * index as u64));
    }
}

#[test]
fn a_worker_that_joins_takes_arrivals_over_and_none_is_made_twice_or_left_out() {
    let arrivals = "rate: 200/s, distribution: poisson";
    let undisturbed = run_on(1, arrivals);
    on_virtual_time(async move {
        let target = VirtualTarget::steady(millis(25));
        let mut cluster = VirtualCluster::start(&scenario(arrivals), "-t 10s", target.clone());
        let _first = cluster.add_worker(A);
        for (second, name) in [(3, B), (5, "h3_c"), (6, "h4_d")] {
            cluster.until(secs(second)).await;
            // It stays as long as the cluster does.
            drop(cluster.add_worker(name));
        }
        let report = cluster.report().await;
        assert_eq!(seen(&target), undisturbed);
        let late = |worker: &str| target.count(|it| it.worker == worker && it.at > millis(6_500));
        assert!([A, B, "h3_c", "h4_d"].iter().all(|worker| late(worker) > 100), "all have a part");
        assert_eq!(report.delivery.dropped, 0);
    });
}

#[test]
fn arrivals_of_a_worker_that_leaves_are_missed_until_the_others_have_them() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let options = "-t 10s --expect-workers 2";
        let mut cluster = VirtualCluster::start(&scenario("rate: 200/s"), options, target.clone());
        let (a, _b) = (cluster.add_worker(A), cluster.add_worker(B));
        cluster.until(millis(5_001)).await;
        a.shut_down().await;
        let report = cluster.report().await;
        let delivery = report.delivery;
        // Half of the arrivals of 200 ms.
        assert_eq!((delivery.planned, delivery.started, delivery.dropped), (2_000, 1_980, 20));
        assert_eq!(target.requests(), 1_980);
        assert_eq!(report.ruling.verdict, Verdict::Pass, "one in a hundred may be missing");
        assert_counts_balance(&report, &target);
    });
}

#[test]
fn arrivals_of_a_worker_that_was_cut_off_are_made_by_the_others() {
    let arrivals = "rate: 200/s";
    let undisturbed = run_on(1, arrivals);
    on_virtual_time(async move {
        let target = VirtualTarget::steady(millis(25));
        let options = "-t 10s --expect-workers 2";
        let mut cluster = VirtualCluster::start(&scenario(arrivals), options, target.clone());
        let (a, _b) = (cluster.add_worker(A), cluster.add_worker(B));
        cluster.until(millis(5_001)).await;
        a.cable.cut();
        let report = cluster.report().await;
        // It goes on for a minute, as with users; but nobody depends on it.
        let of_b = sequence(target.exchanges().into_iter().filter(|exchange| exchange.worker == B));
        let since = |list: &[(Duration, String)], from: Duration| {
            list.iter().filter(|(at, _)| *at >= from).cloned().collect::<Vec<_>>()
        };
        assert_eq!(since(&of_b, millis(5_205)), since(&undisturbed, millis(5_205)));
        let delivery = report.delivery;
        assert_eq!(delivery.planned, delivery.started + delivery.dropped);
        // What it did since its last report, and what nobody did until the other had its part.
        assert!((20..=125).contains(&delivery.dropped), "{delivery:?}");
    });
}

#[test]
fn a_worker_that_comes_back_shares_again() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let options = "-t 20s --expect-workers 2";
        let mut cluster = VirtualCluster::start(&scenario("rate: 200/s"), options, target.clone());
        let (a, _b) = (cluster.add_worker(A), cluster.add_worker(B));
        cluster.until(millis(5_001)).await;
        a.cable.cut();
        cluster.until(secs(7)).await;
        a.cable.mend();
        let report = cluster.report().await;
        let returned = times_of(&report, |event| matches!(event, EventKind::WorkerReturned { .. }));
        assert_eq!(returned.len(), 1);
        let settled = returned[0] + millis(250);
        let late: BTreeMap<Duration, usize> = target
            .exchanges()
            .iter()
            .filter(|exchange| RunTime::from(exchange.at) > settled)
            .fold(BTreeMap::new(), |mut counts, exchange| {
                *counts.entry(exchange.at).or_default() += 1;
                counts
            });
        assert!(late.len() > 1_000);
        assert!(late.values().all(|count| *count == 1), "one request every 5 ms again");
        let gaps = late.keys().zip(late.keys().skip(1)).map(|(a, b)| *b - *a);
        assert!(gaps.into_iter().all(|gap| gap == millis(5)));
    });
}

#[test]
fn too_few_users_drop_arrivals_and_that_proves_nothing() {
    on_virtual_time(async {
        // Ten users make 40 iterations a second.
        let target = VirtualTarget::steady(millis(250));
        let arrivals = "rate: 100/s, max_users: 10";
        let mut cluster = VirtualCluster::start(&scenario(arrivals), "-t 10s", target.clone());
        let _worker = cluster.add_worker(A);
        let report = cluster.report().await;
        let delivery = report.delivery;
        assert_eq!((delivery.planned, delivery.started, delivery.dropped), (1_000, 400, 600));
        assert_eq!(report.ruling.verdict, Verdict::Invalid);
        let window = "from 0 s to 10 s only 40.0 % of the planned iterations began";
        assert_eq!(report.ruling.reasons[0], window, "{:?}", report.ruling);
        assert!(report.ruling.reasons[1].contains("400 of 1000"), "{:?}", report.ruling);
        let middle = &report.seconds[5];
        assert_eq!((middle.planned, middle.started, middle.dropped, middle.undelivered), (100, 40, 60, true));
        assert_counts_balance(&report, &target);
    });
}

#[test]
fn users_start_once_keep_their_variables_and_stop_once() {
    on_virtual_time(async {
        let scenario = "
users:
  Buyer:
    arrivals: { rate: 100/s, max_users: 50 }
    on_start: [{ post: /hello }, { set: { visits: 0 } }]
    on_stop: [{ post: '/bye/{{ visits }}', name: /bye }]
    tasks: [{ name: buy, steps: [{ set: { visits: '{{ visits + 1 }}' } }, { get: / }] }]
";
        let target = VirtualTarget::steady(millis(95));
        let mut cluster = VirtualCluster::start(scenario, "-t 10s -s 5", target.clone());
        let _worker = cluster.add_worker(A);
        cluster.until(secs(9)).await;
        let shown = cluster.last_glimpse().users;
        let report = cluster.report().await;
        let hellos = target.count(|exchange| exchange.path == "/hello");
        let byes: Vec<u64> = target
            .exchanges()
            .iter()
            .filter_map(|exchange| exchange.path.strip_prefix("/bye/")?.parse().ok())
            .collect();
        assert_eq!((hellos, byes.len() as u64), (shown, shown));
        // Ten are busy at any time, twenty while they say hello.
        assert!((10..=21).contains(&shown), "{shown}");
        assert_eq!(byes.iter().sum::<u64>(), 1_000, "every arrival was somebody's visit");
        assert_eq!(report.delivery.started, 1_000);
        // The first visits had to wait for the greeting.
        assert!((10..=21).contains(&report.delivery.late), "{:?}", report.delivery);
        assert!(report.total.corrected_percentiles_us.is_some());
    });
}

#[test]
fn both_models_run_side_by_side() {
    on_virtual_time(async {
        let scenario = "
users:
  Guest:
    wait_time: constant_throughput(1)
    tasks: [{ name: look, steps: [{ get: /guest }] }]
  Buyer:
    arrivals: { rate: 50/s, max_users: 20 }
    tasks: [{ name: buy, steps: [{ get: /buyer }] }]
";
        let target = VirtualTarget::steady(millis(25));
        let mut cluster =
            VirtualCluster::start(scenario, "-u 10 -r 10 -t 20s --expect-workers 2", target.clone());
        let _workers = workers(&cluster, 2);
        let report = cluster.report().await;
        assert_eq!(target.count(|exchange| exchange.path == "/buyer"), 1_000);
        let guests = target.count(|exchange| exchange.path == "/guest");
        // The one that begins with the run may just begin a last iteration when it ends.
        assert!((200..=201).contains(&guests), "{guests}");
        assert_eq!(report.delivery.planned, 1_000 + guests);
        let users = cluster
            .glimpses()
            .iter()
            .filter(|glimpse| glimpse.at > RunTime::from_secs(3))
            .map(|it| it.users)
            .max();
        assert!(users > Some(11), "users of both kinds are shown: {users:?}");
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_counts_balance(&report, &target);
    });
}

#[test]
fn a_run_ends_with_its_arrivals() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let arrivals = "rate: 10/s, stages: [{ duration: 5s, rate: 10/s }, { duration: 5s, rate: 0/s }]";
        let mut cluster = VirtualCluster::start(&scenario(arrivals), "", target.clone());
        let _worker = cluster.add_worker(A);
        let report = cluster.report().await;
        let over = EventKind::StopRequested { reason: ARRIVALS_OVER.to_owned() };
        assert_eq!(times_of(&report, |event| *event == over), [RunTime::from_secs(10)]);
        assert_eq!((report.delivery.planned, target.requests()), (75, 75));
        assert_eq!(report.ruling.verdict, Verdict::Pass, "{:?}", report.ruling);
        assert_counts_balance(&report, &target);
    });
}

#[test]
fn a_stop_by_hand_counts_what_was_due_until_then() {
    on_virtual_time(async {
        let target = VirtualTarget::steady(millis(25));
        let mut cluster = VirtualCluster::start(&scenario("rate: 100/s"), "", target.clone());
        let _worker = cluster.add_worker(A);
        cluster.until(millis(7_654)).await;
        cluster.interrupt().await;
        let report = cluster.report().await;
        assert_eq!(report.delivery.planned, 766);
        assert_eq!((report.delivery.started, report.delivery.dropped), (766, 0));
        assert_counts_balance(&report, &target);
    });
}

#[test]
fn a_frozen_target_that_answers_in_the_end_loses_nothing_and_one_that_never_does_is_seen() {
    let check = |answer: Answer, verdict: Verdict| {
        on_virtual_time(async move {
            let target = VirtualTarget::new(move |exchange| match exchange.at >= secs(5) {
                true => answer,
                false => Answer::ok_after(millis(10)),
            });
            let mut cluster = VirtualCluster::start(
                &scenario("rate: 50/s, max_users: 100"),
                "-t 10s -s 30",
                target.clone(),
            );
            let _worker = cluster.add_worker(A);
            let report: Report = cluster.report().await;
            assert_eq!(report.ruling.verdict, verdict, "{:?}", report.ruling);
            assert_eq!(report.delivery.planned, 500);
            assert_counts_balance(&report, &target);
        });
    };
    check(Answer::ok_after(millis(1_500)), Verdict::Pass);
    check(Answer::Never, Verdict::Invalid);
}
