//! A master on a terminal: the live view, the keys, and what is left when it ends.

use std::io::Read as _;

use sentinel_master::terminal::Terminal;
use sentinel_tests::process::Signal;
use sentinel_tests::terminal::{OnTerminal, Start};

/// A master with few users that goes on until it is told to end.
const ENDLESS: Start<'_> =
    Start { args: &["-u", "2", "-r", "10"], size: (100, 60), env: &[], piped: false, background: false };

/// The same, for a few seconds.
const SHORT: Start<'_> = Start { args: &["-u", "2", "-r", "10", "--run-time", "4s"], ..ENDLESS };

/// What only a live view writes: it asks the terminal to show it at once.
const VIEW: &str = "\x1b[?2026h";

/// The last line of the view.
const KEYS: &str = "Keys: w/W +1/+10 users, s/S -1/-10 users, Ctrl-C stops the run";

fn shows_users(screen: &str, running: u32) -> bool {
    screen.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let target = running.to_string();
        words.first() == Some(&"Users")
            && words.get(1) == Some(&target.as_str())
            && words.last() == Some(&target.as_str())
    })
}

/// Waits until a view says that all users are there.
fn await_users(master: &OnTerminal, users: u32) {
    master.screen_until(&format!("{users} running users"), |screen| {
        shows_users(screen, users) && screen.contains("  running  0:") && screen.contains(KEYS)
    });
}

/// No log line was torn: each stands in a line of its own, from its date on.
fn assert_whole_log(screen: &str, texts: &[&str]) {
    for text in texts {
        let lines = screen.lines().filter(|line| line.starts_with("[20") && line.trim_end().ends_with(text));
        assert_eq!(lines.count(), 1, "{text} in\n{screen}");
    }
}

#[test]
fn a_run_is_watched_and_edited_with_keys() {
    let master = OnTerminal::start(Start { size: (140, 120), ..ENDLESS });
    await_users(&master, 2);
    master.until_keys_are_taken();
    for (key, users) in [("W", 12), ("w", 13), ("S", 3), ("s", 2)] {
        master.type_keys(key);
        await_users(&master, users);
    }
    master.type_keys("\x03");
    let (code, screen) = master.ended();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains(KEYS) && !screen.contains("p99  "), "the view is gone:\n{screen}");
    let ramps =
        [12, 13, 3, 2].map(|users| format!("Ramping to {users} users at a rate of 100.00 per second"));
    assert_whole_log(&screen, &ramps.each_ref().map(String::as_str));
    assert_whole_log(&screen, &["Got SIGINT", "Stopping the run: interrupted"]);
}

#[test]
fn every_way_to_end_leaves_the_terminal_in_order() {
    let end_with = |end: fn(&mut OnTerminal)| {
        let mut master = OnTerminal::start(ENDLESS);
        await_users(&master, 2);
        end(&mut master);
        let (_, screen) = master.ended();
        assert!(!screen.contains(KEYS), "{screen}");
    };
    end_with(|master| master.signal(Signal::Terminate));
    end_with(|master| master.type_keys("\x03\x03"));
    let (code, screen) = OnTerminal::start(SHORT).ended();
    assert_eq!(code, Some(0), "{screen}");
}

#[test]
fn a_terminal_may_change_its_size() {
    let master = OnTerminal::start(ENDLESS);
    await_users(&master, 2);
    master.resize(40, 10);
    let small =
        |screen: &str| screen.contains("p99") && screen.contains("Keys: w/W +1/+10 users, s/S -1/-10 user");
    let screen = master.screen_until("a small view", |screen| small(screen) && !screen.contains("Request"));
    assert!(screen.lines().count() <= 10, "{screen}");
    master.resize(120, 40);
    master.screen_until("a large view", |screen| screen.contains("Request  ") && screen.contains(KEYS));
    master.type_keys("\x03");
    assert_eq!(master.ended().0, Some(0));
}

#[test]
fn whoever_wants_no_view_gets_none() {
    let dumb = OnTerminal::start(Start { env: &[("TERM", "dumb")], ..SHORT });
    dumb.screen_until("a table", |screen| screen.contains("failures/s"));
    let raw = dumb.raw();
    assert!(!raw.contains('\x1b'), "{raw}");
    assert_eq!(dumb.ended().0, Some(0));

    let args = [SHORT.args, &["--only-summary"]].concat();
    let terse = OnTerminal::start(Start { args: &args, ..SHORT });
    terse.screen_until("the end", |screen| screen.contains("Verdict: "));
    let raw = terse.raw();
    assert!(!raw.contains('\x1b'), "{raw}");
    assert_eq!(terse.ended().0, Some(0));
}

#[test]
fn colours_are_for_those_who_want_them() {
    let colours = |env: &[(&str, &str)]| {
        let master = OnTerminal::start(Start { env, ..ENDLESS });
        await_users(&master, 2);
        let raw = master.raw();
        assert!(raw.contains(VIEW));
        // Colours and other styles end in `m`, movements of the cursor in other letters.
        raw.split("\x1b[")
            .skip(1)
            .any(|rest| rest.trim_start_matches(|c: char| !c.is_alphabetic()).starts_with('m'))
    };
    assert!(colours(&[]));
    assert!(!colours(&[("NO_COLOR", "1")]));
}

#[test]
fn keys_work_where_only_the_keyboard_is_a_terminal() {
    let mut master = OnTerminal::start(Start { piped: true, ..ENDLESS });
    let mut stderr = master.stderr();
    let mut log = String::new();
    let mut log_until = |text: &str| {
        let mut bytes = [0; 1024];
        while !log.contains(text) {
            let count = stderr.read(&mut bytes).expect("a pipe can be read");
            assert!(count > 0, "the master ended without {text:?}:\n{log}");
            log.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    };
    log_until("All users spawned: 2");
    master.type_keys("W");
    log_until("All users spawned: 12");
    log_until("failures/s");
    master.type_keys("\x03");
    log_until("Verdict: ");
    assert!(!log.contains('\x1b') && !log.contains('\r'), "{log}");
}

#[test]
fn a_master_in_the_background_leaves_the_terminal_to_the_shell() {
    let master = OnTerminal::start(Start { background: true, ..SHORT });
    let screen = master.screen_until("the end", |screen| screen.contains("it ended with 0"));
    assert!(screen.contains("failures/s"), "tables instead of a view:\n{screen}");
    let raw = master.raw();
    assert!(!raw.contains('\x1b'), "{raw}");
    assert_eq!(master.ended().0, Some(0));
}

/// Set where [`panics_at_the_first_key`] has a terminal.
const ON_A_TERMINAL: &str = "SENTINEL_TESTS_ON_A_TERMINAL";

/// Not a test by itself: [`a_panic_leaves_the_terminal_in_order`] runs it.
#[test]
#[ignore = "another test runs it, on a terminal"]
fn panics_at_the_first_key() {
    if std::env::var_os(ON_A_TERMINAL).is_none() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (tell, mut told) = tokio::sync::mpsc::channel(1);
        let terminal = Terminal::of_process(tell);
        let _at_work = terminal.start(true);
        let command = told.recv().await;
        panic!("Verdict: {command:?}");
    });
}

#[test]
fn a_panic_leaves_the_terminal_in_order() {
    let this = std::env::current_exe().expect("a process knows its executable");
    let args = ["--ignored", "--exact", "panics_at_the_first_key", "--nocapture"];
    let process = OnTerminal::run(
        &this,
        Start { args: &args, env: &[(ON_A_TERMINAL, "1"), ("RUST_BACKTRACE", "0")], ..ENDLESS },
    );
    process.until_keys_are_taken();
    process.type_keys("W");
    let (code, screen) = process.ended();
    assert_eq!(code, Some(101), "{screen}");
    assert!(screen.contains("Verdict: Some(Adjust(10))"), "{screen}");
}
