//! Clusters of real processes in which nothing goes wrong: every request is counted once, workers come and go in
//! their own time, and every process ends by itself.

use std::net::TcpListener;

use sentinel_tests::process::{
    Cluster, Exit, Finished, Master, Process, Program, Signal, Target, Worker, free_port, patient_fraud,
    scenario_file,
};

#[test]
fn every_request_is_counted_exactly_once() {
    let args = ["--users", "50", "--spawn-rate", "25", "--run-time", "10s", "--stop-timeout", "2"];
    let run = Cluster::start(2, &args).finish();
    run.assert_exit(0);
    run.assert_counts_are_exact();
    assert_eq!(run.served["/health"], 50, "each user asks once");
    let paths: Vec<&str> = run.counted.keys().map(String::as_str).collect();
    assert_eq!(paths, ["/batch_predict", "/health", "/predict"]);
    assert!(run.says("50 users at 25/s for 10 s") && run.says("Verdict: PASS"), "{}", run.log);
}

#[test]
fn without_a_stop_timeout_only_requests_that_were_cut_off_are_missing() {
    let run = Cluster::start(2, &["--users", "50", "--spawn-rate", "50", "--run-time", "10s"]).finish();
    run.assert_exit(0);
    for (path, served) in &run.served {
        assert!(run.counted[path] <= *served, "{path} was counted twice: {:?} {:?}", run.counted, run.served);
    }
    let missing = run.served.values().sum::<u64>() - run.counted.values().sum::<u64>();
    let cut_off = run.in_flight_at_stop();
    assert!(missing <= cut_off && cut_off <= 50, "{missing} requests are missing, {cut_off} were cut off");
}

#[test]
fn a_run_that_is_interrupted_ends_with_exact_counts_and_tables() {
    let args = ["--users", "30", "--spawn-rate", "30", "--stop-timeout", "2"];
    let mut cluster = Cluster::start(2, &args);
    cluster.target.await_users(30);
    cluster.master.process.line("Aggregated");
    cluster.master.process.signal(Signal::Interrupt);
    cluster.master.process.line("Stopping the run: interrupted");
    let run = cluster.finish();
    run.assert_exit(0);
    run.assert_counts_are_exact();
    assert!(run.says("30 users at 30/s until stopped") && run.says("Verdict: PASS"), "{}", run.log);
}

#[test]
fn an_interrupted_run_lets_tasks_finish_within_the_stop_timeout() {
    let args = ["--users", "6", "--spawn-rate", "20", "--stop-timeout", "20"];
    let mut cluster = Cluster::start_with(&patient_fraud(), &["--latency", "3s"], 1, &args);
    cluster.target.await_users(6);
    cluster.master.process.signal(Signal::Interrupt);
    let run = cluster.finish();
    run.assert_exit(0);
    run.assert_counts_are_exact();
    let predicted = run.counted["/health"] + 6;
    assert_eq!(
        run.counted.values().sum::<u64>(),
        predicted,
        "each user finished the one prediction it was at"
    );
}

#[test]
fn a_second_interrupt_ends_the_run_at_once() {
    let args = ["--users", "10", "--spawn-rate", "20", "--stop-timeout", "60"];
    let mut cluster = Cluster::start_with(&patient_fraud(), &["--latency", "30s"], 1, &args);
    cluster.target.await_users(10);
    cluster.master.process.signal(Signal::Interrupt);
    cluster.master.process.line("Stopping the run: interrupted");
    let at = cluster.master.process.signal(Signal::Interrupt);
    let Exit { code, stdout, stderr } = cluster.master.process.wait();
    let took = at.elapsed();
    assert!(took.as_secs_f64() < 3.0, "it took {took:?}\n{stderr}");
    assert!(code.is_some() && stdout.starts_with('['), "{code:?} {stdout:?}");
    assert!(stderr.contains("Aggregated") && stderr.contains("Verdict: "), "{stderr}");
}

#[test]
fn a_second_interrupt_does_not_wait_for_local_workers_either() {
    let args = ["--users", "5", "--spawn-rate", "20", "--stop-timeout", "60", "--local-workers", "1"];
    let mut cluster = Cluster::start_with(&patient_fraud(), &["--latency", "30s"], 0, &args);
    cluster.target.await_users(5);
    cluster.master.process.signal(Signal::Interrupt);
    cluster.master.process.line("Stopping the run: interrupted");
    let at = cluster.master.process.signal(Signal::Interrupt);
    let Exit { code, stderr, .. } = cluster.master.process.wait();
    let took = at.elapsed();
    assert!(took.as_secs_f64() < 3.0, "it took {took:?}\n{stderr}");
    assert!(code.is_some() && stderr.contains("Verdict: "), "{stderr}");
}

#[test]
fn a_worker_that_comes_during_the_run_gets_its_share() {
    let args = ["--users", "20", "--spawn-rate", "20", "--run-time", "8s", "--stop-timeout", "2"];
    let mut cluster = Cluster::start(1, &args);
    cluster.target.await_users(20);
    let late = cluster.add_worker();
    late.process.line("Connected to the master as worker 1");
    let late = late.id.clone();
    // Half of the users move: they end on the first worker and begin anew on the second.
    cluster.target.await_users(30);
    let run = cluster.finish();
    run.assert_exit(0);
    run.assert_counts_are_exact();
    assert_eq!(run.served["/health"], 30);
    run.event_at(&late, "joined");
    assert!(run.says("Workers: 2 connected"), "{}", run.log);
}

#[test]
fn a_worker_that_is_terminated_hands_over_everything_and_its_users() {
    let args = ["--users", "20", "--spawn-rate", "20", "--run-time", "8s", "--stop-timeout", "2"];
    let mut cluster = Cluster::start(2, &args);
    cluster.target.await_users(20);
    let mut leaver = cluster.workers.remove(0);
    leaver.process.signal(Signal::Terminate);
    let Exit { code, stderr, .. } = leaver.process.wait();
    assert_eq!(code, Some(0), "{stderr}");
    cluster.target.await_users(30);
    let run = cluster.finish();
    run.assert_exit(0);
    run.assert_counts_are_exact();
    assert_eq!(run.served["/health"], 30);
    run.event_at(&leaver.id, "drained and left");
    assert!(!run.log.contains("was lost"), "{}", run.log);
}

#[test]
fn a_worker_waits_for_its_master_and_survives_it() {
    let port = free_port().to_string();
    let target = Target::start(&[]);
    let url = target.url();
    let worker = Worker::start(format!("127.0.0.1:{port}").parse().expect("an address"));
    worker.process.line("Cannot reach the master yet");

    let file = scenario_file(&patient_fraud());
    let file = file.path().to_string_lossy();
    let run = ["-f", &file, "--host", &url, "--master-bind-port", &port, "-u", "5", "-r", "5", "-s", "2"];
    let mut first = Master::start(&run);
    worker.process.line("Connected to the master as worker 0");
    target.await_users(5);
    first.process.signal(Signal::Kill);
    worker.process.line("Lost the master");
    drop(first);

    let second = Master::start(&[&run[..], &["--run-time", "3s"]].concat());
    second.process.line(&format!("Worker {} (index 0) reported as ready", worker.id));
    target.await_users(10);
    let Exit { code, stderr, .. } = second.process.wait();
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(worker.process.wait().code, Some(0), "the second master sends it home");
}

#[test]
fn the_run_gives_up_when_too_few_workers_come() {
    let mut cluster = Cluster::start(1, &["--expect-workers", "2", "--expect-workers-max-wait", "2"]);
    let worker = cluster.workers.remove(0);
    let Exit { code, stdout, stderr } = cluster.master.process.wait();
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let line = "Gave up waiting for workers: 1 of 2 connected; start more with sentinel-worker";
    assert!(stderr.contains(line), "{stderr}");
    assert_eq!(worker.process.wait().code, Some(0), "it is sent home");
}

#[test]
fn an_interrupt_before_the_run_ends_the_wait() {
    let mut master = Master::start(&["--host", "http://127.0.0.1:9"]);
    master.process.signal(Signal::Interrupt);
    let Exit { code, stdout, stderr } = master.process.wait();
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains("Interrupted before the run began"), "{stderr}");
}

#[test]
fn the_demo_runs_by_itself() {
    let args = ["--demo", "--headless", "--users", "20", "--spawn-rate", "20", "--run-time", "3s"];
    let Exit { code, stdout, stderr } = Process::start(Program::Master, &args).wait();
    assert_eq!(stdout, "", "tables are for people");
    assert!(stderr.contains("/predict [single]") && stderr.contains("Aggregated"), "{stderr}");
    // Its criterion is that of a machine with nothing else to do.
    let verdict = if stderr.contains("NOT MET  p95") { ("Verdict: FAIL", 3) } else { ("Verdict: PASS", 0) };
    assert!(stderr.contains(verdict.0), "{stderr}");
    assert_eq!(code, Some(verdict.1), "{stderr}");
}

#[test]
fn local_workers_need_no_other_process() {
    let args = ["--local-workers", "2", "-u", "20", "-r", "20", "-t", "3s", "-s", "2"];
    let run = Cluster::start(0, &args).finish();
    assert_finished_on_two_workers(&run);
}

#[test]
fn workers_reach_their_master_over_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("This machine has no IPv6 loopback.");
        return;
    }
    let args = ["--master-bind-host", "::1", "-u", "20", "-r", "20", "-t", "3s", "-s", "2"];
    let cluster = Cluster::start(2, &args);
    assert!(cluster.master.address.is_ipv6());
    assert_finished_on_two_workers(&cluster.finish());
}

fn assert_finished_on_two_workers(run: &Finished) {
    run.assert_exit(0);
    run.assert_counts_are_exact();
    assert!(run.says("Workers: 2 connected"), "{}", run.log);
}
