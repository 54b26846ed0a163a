//! What people are told before the load starts, and again in the summary, by real processes.

use sentinel_tests::process::{Cluster, Finished, Worker};

fn scenario(wait: &str) -> String {
    let task = "{ name: health, steps: [{ get: /health }] }";
    format!("users: {{ Buyer: {{ wait_time: \"{wait}\", tasks: [{task}] }} }}")
}

/// Checks that this was said before any user came, and again at the end.
fn assert_told_twice(finished: &Finished, words: &str) {
    let log = &finished.log;
    let (before, _) = log.split_once("Ramping to").unwrap_or_else(|| panic!("no user came:\n{log}"));
    assert!(before.contains(words), "it was not said before the load:\n{log}");
    assert!(finished.says(words), "the summary does not say it:\n{log}");
}

#[test]
fn a_goal_out_of_reach_is_told_before_the_run_and_in_its_summary() {
    let options = ["-u", "500", "-r", "500", "-t", "2s", "--check", "rps >= 10000"];
    let finished = Cluster::start_with(&scenario("between(0.1, 0.5)"), &[], 1, &options).finish();
    assert_told_twice(
        &finished,
        "`rps >= 10000` cannot be met: 500 users with a mean wait of 0.3 s make at most 1,667 req/s; 10,000 need at least \
         3,000 users or `constant_throughput(20)`",
    );
    finished.assert_exit_is_that_of_the_verdict();
    assert_ne!(finished.code, Some(0), "{}", finished.log);
}

#[test]
fn a_worker_with_too_few_files_is_told_of_before_the_run_and_in_its_summary() {
    let options = ["-u", "40", "-r", "40", "-t", "2s", "--expect-workers", "1"];
    let mut cluster = Cluster::start_with(&scenario("constant(0.5)"), &[], 0, &options);
    cluster.workers.push(Worker::start_with_files(cluster.master.address, 100));
    let name = cluster.workers[0].id.clone();
    let finished = cluster.finish();
    assert_told_twice(
        &finished,
        &format!(
            "worker {name} may have 100 files open, but its share of 40 users needs a connection each and 64 more files; raise \
             `ulimit -n` to at least 104 there, or start more workers"
        ),
    );
    finished.assert_exit_is_that_of_the_verdict();
    assert!(!finished.counted.is_empty(), "the run was made all the same:\n{}", finished.log);
}

#[test]
fn a_run_within_its_means_has_nothing_to_note() {
    let options = ["-u", "4", "-r", "4", "-t", "2s", "--check", "rps >= 1", "--check", "users >= 4"];
    let finished = Cluster::start_with(&scenario("constant(0.5)"), &[], 1, &options).finish();
    assert!(!finished.log.contains("Notes:") && !finished.log.contains("cannot be met"), "{}", finished.log);
}
