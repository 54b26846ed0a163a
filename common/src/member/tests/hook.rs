//! Setup and teardown on the worker that does them.

use super::*;
use crate::files::FileStore;
use crate::messages::VARIABLES_BYTES_MAX;

fn setup(run: &str) -> ToWorker {
    ToWorker::Setup(Arc::new(run_plan(run)))
}

fn teardown(run: &str) -> ToWorker {
    ToWorker::Teardown(Arc::new(run_plan(run)))
}

impl Worker {
    fn hook_done(&mut self, hook: Hook, run: &str, result: Result<&str, &str>) {
        let result = result.map(str::to_owned).map_err(str::to_owned);
        self.member.handle_hook_done(hook, &RunId::new(run), result);
        self.collect_effects();
    }
}

#[test]
fn setup_is_done_once_and_answered_as_often_as_it_is_asked_for() {
    let mut worker = Worker::connected();
    worker.hear(setup(RUN));
    worker.hear(setup(RUN));
    assert_eq!(worker.read(), ["setup run-1"]);
    worker.hook_done(Hook::Setup, RUN, Ok(r#"{"a":1}"#));
    assert_eq!(worker.read(), [r#"setup of run-1 done: Ok("{\"a\":1}")"#]);
    worker.hook_done(Hook::Setup, RUN, Ok("{}"));
    worker.hear(setup(RUN));
    assert_eq!(worker.read(), [r#"setup of run-1 done: Ok("{\"a\":1}")"#]);
    worker.hear(plan(RUN));
    worker.hear(spawn(RUN, 1));
    assert_eq!(worker.read(), ["prepare run-1", "spawning 1", "apply 1"]);
}

#[test]
fn a_connection_that_breaks_during_setup_does_not_break_it() {
    let mut worker = Worker::connected();
    worker.hear(setup(RUN));
    worker.disconnect();
    worker.hook_done(Hook::Setup, RUN, Err("no route"));
    worker.read();
    worker.connect();
    assert_eq!(worker.read(), ["ready", "beat ready"]);
    worker.hear(setup(RUN));
    assert_eq!(worker.read(), [r#"setup of run-1 done: Err("no route")"#]);
}

#[test]
fn it_beats_while_it_sets_up() {
    let mut worker = Worker::connected();
    worker.hear(setup(RUN));
    worker.read();
    worker.pass(secs(1));
    assert_eq!(worker.read(), ["beat ready", "beat ready"]);
}

#[test]
fn setup_has_the_files_of_its_run() {
    let mut store = FileStore::default();
    store.add("a.csv", b"abc".to_vec()).unwrap();
    let with_files = || Arc::new(RunPlan { files: store.files().to_vec(), ..run_plan(RUN) });
    let mut worker = Worker::connected();
    worker.hear(ToWorker::Setup(with_files()));
    assert_eq!(worker.read(), ["file ba78+0"]);
    worker.hear(ToWorker::FileChunk(store.chunk(store.files()[0].sha256, 0)));
    assert_eq!(worker.read(), ["setup run-1 with a.csv of 3"]);
    worker.hook_done(Hook::Setup, RUN, Ok("{}"));
    worker.read();
    worker.hear(ToWorker::Plan(with_files()));
    assert_eq!(worker.read(), ["prepare run-1 with a.csv of 3"], "they are here already");
}

#[test]
fn a_setup_that_is_given_up_ends() {
    let mut worker = Worker::connected();
    worker.hear(setup(RUN));
    worker.read();
    worker.hear(ToWorker::Stop { run: run_id() });
    assert_eq!(worker.read(), ["end hook", "stopped run-1"]);
    worker.hook_done(Hook::Setup, RUN, Ok("{}"));
    assert_eq!(worker.read(), NOTHING);
    worker.hear(setup("run-2"));
    worker.hear(setup("run-3"));
    worker.hear(plan("run-4"));
    assert_eq!(worker.read(), ["setup run-2", "end hook", "setup run-3", "end hook", "prepare run-4"]);
}

#[test]
fn a_setup_that_is_given_up_before_its_files_are_here_never_begins() {
    let mut store = FileStore::default();
    store.add("a.csv", b"abc".to_vec()).unwrap();
    let mut worker = Worker::connected();
    worker.hear(ToWorker::Setup(Arc::new(RunPlan { files: store.files().to_vec(), ..run_plan(RUN) })));
    worker.read();
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.hear(ToWorker::FileChunk(store.chunk(store.files()[0].sha256, 0)));
    assert_eq!(worker.read(), ["stopped run-1"]);
}

#[test]
fn teardown_follows_the_run() {
    let mut worker = Worker::running();
    worker.hear(ToWorker::Stop { run: run_id() });
    worker.drained(0);
    worker.read();
    worker.hear(teardown(RUN));
    assert_eq!(worker.read(), ["teardown run-1"]);
    worker.hook_done(Hook::Setup, RUN, Ok("{}"));
    assert_eq!(worker.read(), NOTHING, "that was not asked for");
    worker.hook_done(Hook::Teardown, RUN, Ok("{}"));
    assert_eq!(worker.read(), ["teardown of run-1 done: Ok(())"]);
    worker.hear(ToWorker::Quit);
    assert_eq!(worker.read(), ["quit", "exit Done"]);
}

#[test]
fn what_is_too_long_is_not_passed_on() {
    let check = |result: Result<&str, &str>, expected: &str| {
        let mut worker = Worker::connected();
        worker.hear(setup(RUN));
        worker.read();
        worker.hook_done(Hook::Setup, RUN, result);
        assert_eq!(worker.read(), [expected]);
    };
    let long = "x".repeat(VARIABLES_BYTES_MAX + 1);
    check(Ok(&long), r#"setup of run-1 done: Err("its variables take more than 1 MiB")"#);
    check(Err(&long), &format!("setup of run-1 done: Err({:?})", "x".repeat(2_000)));
}

#[test]
fn a_worker_that_leaves_sets_nothing_up() {
    let mut worker = Worker::running();
    worker.shut_down();
    worker.read();
    worker.hear(setup("run-2"));
    assert_eq!(worker.read(), NOTHING);
    let mut worker = Worker::connected();
    worker.hear(setup(RUN));
    worker.read();
    worker.shut_down();
    assert_eq!(worker.read(), ["quit", "exit Done"], "its master will notice");
}
