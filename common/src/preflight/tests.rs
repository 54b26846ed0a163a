//! What is said about runs before they start.

use std::time::Duration;

use super::*;
use crate::criteria::Criterion;
use crate::ids::WorkerId;
use crate::messages::{Resources, Wire};

/// A run in the words of its file, with users at 100/s for so many seconds.
#[derive(Clone)]
struct Case {
    scenario: Scenario,
    load: Load,
    iterations: Option<u64>,
}

impl Case {
    fn of(text: &str, users: i64, seconds: Option<u64>) -> Self {
        let text = format!("host: http://localhost\n{text}");
        let scenario = Scenario::load("test.yaml", &text).unwrap_or_else(|notes| panic!("{notes}\n{text}"));
        let load = Load::new(users, 100.0, seconds.map(Duration::from_secs)).unwrap();
        Self { scenario, load, iterations: None }
    }

    /// One class with one request per iteration and this wait time.
    fn waiting(wait: &str, users: i64, seconds: Option<u64>) -> Self {
        let class = format!("users: {{ U: {{ wait_time: \"{wait}\", tasks: [{}] }} }}", task("/"));
        Self::of(&class, users, seconds)
    }

    fn outlook(&self) -> Outlook<'_> {
        Outlook { scenario: &self.scenario, load: &self.load, iterations: self.iterations }
    }

    fn notes(&self, criterion: &str) -> Vec<String> {
        unreachable_criteria(&self.outlook(), &[Criterion::parse(criterion).unwrap()])
    }

    /// Checks that a criterion is out of reach, for this reason.
    fn told(&self, criterion: &str, expected: &str) {
        assert_eq!(self.notes(criterion), [format!("`{criterion}` cannot be met: {expected}")]);
    }

    fn silent(&self, criterion: &str) {
        assert_eq!(self.notes(criterion), [""; 0], "{criterion}");
    }
}

fn task(path: &str) -> String {
    format!("{{ name: 't{path}', steps: [{{ get: {path} }}] }}")
}

#[test]
fn the_highest_rate_follows_from_users_and_waits() {
    let check = |wait: &str, users, expected: Option<f64>| {
        let rate = Demand::of(&Case::waiting(wait, users, None).outlook()).requests_per_s;
        assert_eq!(rate.map(f64::round), expected, "{users} users, {wait}");
    };
    check("constant(0.5)", 500, Some(1000.0));
    check("between(0.1, 0.5)", 500, Some(1667.0));
    check("constant_pacing(0.25)", 500, Some(2000.0));
    check("constant_throughput(20)", 500, Some(10_000.0));
    check("exponential(0.5)", 500, Some(1000.0));
    check("normal(5, 0.1)", 500, Some(100.0));
    check("lognormal(0, 0)", 500, Some(500.0));
    check("constant(0)", 500, None);
}

#[test]
fn a_rate_out_of_reach_is_told_with_its_cures() {
    Case::waiting("between(0.1, 0.5)", 500, Some(60)).told(
        "rps >= 10000",
        "500 users with a mean wait of 0.3 s make at most 1,667 req/s; 10,000 need at least 3,000 users or \
         `constant_throughput(20)`",
    );
    let told = |wait: &str, criterion: &str, expected: &str| {
        Case::waiting(wait, 10, None).told(criterion, expected);
    };
    told(
        "constant_throughput(2)",
        "rps > 30 over any 10s after 5s",
        "10 users with constant_throughput(2) make at most 20 req/s; 30 need at least 15 users or `constant_throughput(3)`",
    );
    told(
        "exponential(0.5)",
        "rps == 25.5",
        "10 users with a mean wait of 0.5 s make at most 20 req/s; 25.5 need at least 13 users or \
         `constant_throughput(2.55)`",
    );
    Case::waiting("constant(1)", 1, None).told(
        "rps >= 2",
        "1 user with a mean wait of 1 s makes at most 1 req/s; 2 need at least 2 users or `constant_throughput(2)`",
    );
    told(
        "constant(1)",
        "rps >= 20000000",
        "10 users with a mean wait of 1 s make at most 10 req/s; 20,000,000 need another load",
    );
}

#[test]
fn what_can_be_met_or_is_not_known_is_not_told() {
    let waiting = |wait: &str| Case::waiting(wait, 500, Some(60));
    waiting("between(0.1, 0.5)").silent("rps >= 1600");
    waiting("between(0.1, 0.5)").silent("rps < 10000");
    waiting("between(0.1, 0.5)").silent("p95 < 100ms");
    waiting("constant_throughput(20)").silent("rps >= 10000");
    waiting("constant(0)").silent("rps >= 10000");
    // So short a run begins with a turn of every user.
    Case::waiting("constant(100)", 10, Some(10)).silent("rps >= 1");
    let steps = |steps: &str| {
        let class =
            format!("users: {{ U: {{ wait_time: constant(1), tasks: [{{ name: t, steps: {steps} }}] }} }}");
        Case::of(&class, 10, Some(60))
    };
    steps("[{ repeat: 3, steps: [{ get: / }] }]").told(
        "rps >= 60",
        "10 users with a mean wait of 1 s and 3 of these requests per iteration make at most 30 req/s; 60 need at least 20 \
         users or `constant_throughput(2)`",
    );
    steps("[{ set: { n: '{{ 3 }}' } }, { repeat: '{{ n }}', steps: [{ get: / }] }]").silent("rps >= 60");
    steps("[{ think: constant(1) }, { get: / }]").told(
        "rps >= 15",
        "10 users with a mean wait of 1 s and the pauses in their tasks make at most 5 req/s; 15 need at least 30 users",
    );
}

#[test]
fn requests_of_a_name_come_from_the_tasks_that_make_them() {
    let tasks =
        "{ name: a, weight: 3, steps: [{ get: /a }] }, { name: b, steps: [{ get: '/b?x=1', name: b }] }";
    let class = |tasks: &str| format!("users: {{ U: {{ wait_time: constant(1), tasks: [{tasks}] }} }}");
    let case = Case::of(&class(tasks), 100, Some(100));
    case.silent("rps{name=\"/a\"} >= 70");
    case.told(
        "rps{name=\"b\"} >= 50",
        "100 users with a mean wait of 1 s and 0.25 of these requests per iteration make at most 25 req/s of `b`; 50 need at \
         least 200 users or `constant_throughput(2)`",
    );
    case.told("p95{name=\"/aa\"} < 1s", "no request has the name `/aa`; did you mean `/a`?");
    case.told("p95{name=\"checkout\"} < 1s", "no request has the name `checkout`; the names are `/a`, `b`");
    // A template may make any name.
    let template = format!("{tasks}, {{ name: c, steps: [{{ get: '/{{{{ user.index }}}}' }}] }}");
    Case::of(&class(&template), 100, Some(100)).silent("p95{name=\"checkout\"} < 1s");
}

#[test]
fn shapes_arrivals_and_mixtures_are_reckoned_at_their_peak() {
    let class = format!("users: {{ U: {{ wait_time: constant(0.5), tasks: [{}] }} }}", task("/"));
    let shape = "shape: { ramp: { to: 40, duration: 10s, hold: 90s } }";
    Case::of(&format!("{shape}\n{class}"), 1, None).told(
        "rps >= 160",
        "40 users at the peak of the shape with a mean wait of 0.5 s make at most 80 req/s; 160 need a peak of at least 80 \
         users or `constant_throughput(4)`",
    );
    Case::of(&format!("{shape}\n{class}"), 1, None)
        .told("users >= 50", "the shape has at most 40 users; raise its peak to 50");
    let open = format!("users: {{ U: {{ arrivals: {{ rate: 50/s }}, tasks: [{}] }} }}", task("/"));
    Case::of(&open, 1, Some(100)).told(
        "rps >= 100",
        "arrivals at up to 50/s make at most 50 req/s; 100 need arrivals at 100/s or more",
    );
    let mixture = format!(
        "users:\n  A: {{ fixed_count: 10, wait_time: constant(1), tasks: [{0}] }}\n  B: {{ wait_time: constant(2), tasks: \
         [{0}] }}\n  C: {{ arrivals: {{ rate: 5/s }}, tasks: [{0}] }}",
        task("/")
    );
    Case::of(&mixture, 30, Some(1000)).told(
        "rps >= 50",
        "30 users with a mean wait of 1.667 s and arrivals at up to 5/s make at most 25 req/s; 50 need at least 80 users or \
         `constant_throughput(1.5)` or arrivals at 30/s or more",
    );
}

#[test]
fn counts_out_of_reach_are_told() {
    let case = Case::waiting("constant(1)", 10, Some(60));
    case.silent("requests >= 610");
    case.told(
        "requests > 610",
        "10 users with a mean wait of 1 s make at most 610 requests in 60 s; 611 need a run of at least 61 s or at least 11 \
         users",
    );
    case.told(
        "requests >= 300 over any 10s",
        "10 users with a mean wait of 1 s make at most 110 requests in 10 s; 300 need at least 28 users",
    );
    case.silent("users >= 10");
    case.told("users > 10", "there are at most 10 users; raise --users to 11");
    case.told(
        "p95 < 1s after 2m",
        "it begins 120 s after the start of the run, which is over after 60 s; make the run longer",
    );
    let limited = Case { iterations: Some(100), ..Case::waiting("constant(0)", 10, None) };
    limited.silent("requests >= 100");
    limited.told(
        "requests >= 250",
        "100 iterations make at most 100 requests; 250 need at least 250 iterations",
    );
    Case::waiting("constant(1)", 10, None).silent("requests >= 1000000");
}

#[test]
fn a_group_waits_in_its_own_way() {
    let group = |iterations: &str, last: &str| {
        let text = format!(
            "users: {{ U: {{ wait_time: constant(10), tasks: [{{ name: g, wait_time: constant(0.1), {iterations} tasks: \
             [{{ name: t, steps: [{{ get: / }}{last}] }}] }}] }} }}"
        );
        Case::of(&text, 10, Some(1000))
    };
    group("iterations: 5,", "").silent("rps >= 90");
    assert_eq!(group("iterations: 5,", "").notes("rps >= 200").len(), 1);
    // How long it stays there, nobody knows.
    group("", ", interrupt").silent("rps >= 200");
}

#[test]
fn a_ramp_that_outlasts_the_run_is_noted() {
    let check = |users, rate, seconds, expected: bool| {
        let load = Load::new(users, rate, Some(Duration::from_secs(seconds))).unwrap();
        assert_eq!(unfinished_ramp(&load).is_some(), expected, "{users} users at {rate}/s in {seconds} s");
    };
    check(500, 50.0, 30, false);
    check(500, 50.0, 9, true);
    check(10, 1.0, 10, false);
}

#[test]
fn fixed_counts_and_users_must_fit() {
    let class =
        |weight, fixed_count| ClassSpec { name: format!("{weight}-{fixed_count}"), weight, fixed_count };
    assert!(misfit(&[class(1.0, 5), class(1.0, 0)], 4).is_some_and(|text| text.contains("need 5 users")));
    assert!(misfit(&[class(1.0, 5)], 9).is_some_and(|text| text.contains("5 users will run")));
    assert_eq!(misfit(&[class(1.0, 5), class(1.0, 0)], 9), None);
}

const PLENTY: Resources = Resources { threads: 8, cores: 8, open_files: 100_000, ports: 28_000 };

/// Checks what these workers are short of, and what is said of it.
fn check_supply(demand: Demand, workers: &[(&str, Resources)], expected: &[(Resource, &str)]) {
    let ids: Vec<WorkerId> = workers.iter().map(|(name, _)| WorkerId::new(name).unwrap()).collect();
    let supplies = ids.iter().zip(workers).map(|(worker, (_, resources))| Supply {
        worker,
        wire: if *resources == Resources::default() { Wire::Locust } else { Wire::Grpc },
        resources: *resources,
    });
    let found = demand.shortages(&supplies.collect::<Vec<_>>());
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((resource, text), (kind, part)) in found.iter().zip(expected) {
        assert!(resource == kind && text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn workers_must_have_files_and_ports_for_their_share_of_the_users() {
    use Resource::{OpenFiles, Ports};
    let users = |users| Demand { users, ..Demand::default() };
    let files = |open_files| Resources { open_files, ..PLENTY };
    check_supply(users(60), &[("a_1", files(124))], &[]);
    check_supply(users(61), &[("a_1", files(124))], &[(OpenFiles, "worker a_1 may have 124 files open")]);
    check_supply(users(61), &[("a_1", files(124))], &[(OpenFiles, "`ulimit -n` to at least 125 there")]);
    check_supply(users(61), &[("a_1", files(124)), ("b_1", PLENTY)], &[]);
    let three = [("a_1", PLENTY), ("b_1", files(100)), ("c_1", files(90))];
    check_supply(users(300), &three, &[(OpenFiles, "worker b_1, like another one, may have 100")]);
    // What is not said is not known, but such a worker has its share.
    check_supply(users(61), &[("a_1", files(0))], &[]);
    check_supply(users(120), &[("a_1", files(124)), ("locust_1", Resources::default())], &[]);
    check_supply(users(61), &[("locust_1", Resources::default())], &[]);
    check_supply(users(30_000), &[("a_1", PLENTY)], &[(Ports, "28,000 ports")]);
    let open = Demand { users: 30, open_users: 40, ..Demand::default() };
    let mixed = [("a_1", files(100)), ("locust_1", Resources::default())];
    check_supply(open, &mixed, &[(OpenFiles, "its share of 55 users")]);
}

#[test]
fn new_connections_need_ports_for_a_minute() {
    let class = |http: &str| {
        let tasks = "{ name: t, steps: [{ get: / }, { get: / }] }";
        let text = format!("users: {{ U: {{ http: {http}, wait_time: constant(0.1), tasks: [{tasks}] }} }}");
        Demand::of(&Case::of(&text, 100, None).outlook())
    };
    let check = |http: &str, per_second: f64| {
        let found = class(http).connections_per_s.unwrap();
        assert!((found - per_second).abs() < 1e-6, "{http}: {found}");
    };
    check("{ }", 0.0);
    check("{ connection: { reuse: none } }", 2000.0);
    check("{ connection: { reuse: iteration } }", 1000.0);
    check("{ connection: { max_requests: 10 } }", 200.0);
    let expected = [(Resource::NewConnections, "1,000 new connections per second takes 60,000")];
    check_supply(class("{ connection: { reuse: iteration } }"), &[("a_1", PLENTY)], &expected);
    let two = [("a_1", PLENTY), ("b_1", PLENTY), ("c_1", PLENTY)];
    check_supply(class("{ connection: { reuse: iteration } }"), &two, &[]);
}

#[test]
fn rates_need_cores() {
    let demand = |rate| Demand { requests_per_s: Some(rate), ..Demand::default() };
    let cores = |threads, cores| Resources { threads, cores, ..PLENTY };
    check_supply(demand(40_000.0), &[("a_1", cores(4, 4))], &[]);
    let expected =
        [(Resource::Cores, "about 5 cores (10,000 per core is a rule of thumb), and the workers have 4")];
    check_supply(demand(40_001.0), &[("a_1", cores(4, 4))], &expected);
    // Threads limit a worker, and the machine all of its workers.
    check_supply(demand(40_001.0), &[("a_1", cores(4, 8))], &expected);
    check_supply(demand(40_001.0), &[("a_1", cores(4, 4)), ("a_2", cores(4, 4))], &expected);
    check_supply(demand(40_001.0), &[("a_1", cores(4, 4)), ("b_1", cores(4, 4))], &[]);
    check_supply(demand(40_001.0), &[("a_1", cores(4, 4)), ("b_1", cores(0, 0))], &[]);
}

#[test]
fn a_master_holds_a_connection_to_every_worker() {
    assert_eq!(master_files(100, 164), None);
    assert_eq!(master_files(100, 0), None, "the limit is not known");
    let note = master_files(1200, 1024).unwrap();
    assert!(note.contains("1,200 workers") && note.contains("at least 1264"), "{note}");
}
