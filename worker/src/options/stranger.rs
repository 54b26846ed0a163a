//! The options of the other program. Locust is one program, so one `locust.conf`, and one line in a script, may hold
//! options of both; each of ours ignores those that only the other has, and refuses what neither has.
//!
//! The worker does not know the master's command line, so its options are listed here. A test of each program holds its
//! list against its command line.

use super::known::Kind;

/// An option of the other program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Its long name, without dashes.
    pub long: &'static str,
    /// Its letter.
    pub short: Option<char>,
    /// What it takes.
    pub kind: Kind,
}

const fn flag(long: &'static str) -> Stranger {
    Stranger { long, short: None, kind: Kind::Flag }
}

const fn one(long: &'static str) -> Stranger {
    Stranger { long, short: None, kind: Kind::One }
}

const fn many(long: &'static str) -> Stranger {
    Stranger { long, short: None, kind: Kind::Many }
}

const fn repeated(long: &'static str) -> Stranger {
    Stranger { long, short: None, kind: Kind::Repeated }
}

const fn or(letter: char, stranger: Stranger) -> Stranger {
    Stranger { short: Some(letter), ..stranger }
}

/// The options of `sentinel-master`.
pub const OF_THE_MASTER: &[Stranger] = &[
    or('f', one("locustfile")),
    one("config"),
    one("user-classes"),
    or('T', many("tags")),
    or('E', many("exclude-tags")),
    or('H', one("host")),
    or('u', one("users")),
    or('r', one("spawn-rate")),
    or('t', one("run-time")),
    or('i', one("iterations")),
    one("profile"),
    one("seed"),
    flag("headless"),
    or('s', one("stop-timeout")),
    flag("reset-stats"),
    one("master-bind-host"),
    one("master-bind-port"),
    one("expect-workers"),
    one("expect-workers-max-wait"),
    flag("enable-rebalancing"),
    one("local-workers"),
    flag("demo"),
    flag("print-schema"),
    flag("dry-run"),
    or('l', flag("list")),
    flag("show-task-ratio"),
    flag("show-task-ratio-json"),
    repeated("check"),
    one("min-delivered"),
    flag("json"),
    one("json-file"),
    one("csv"),
    flag("csv-full-history"),
    one("html"),
    one("junit"),
    one("summary-md"),
    flag("only-summary"),
    one("exit-code-on-error"),
    or('L', one("loglevel")),
    one("logfile"),
    many("config-users"),
    flag("equal-weights"),
    flag("autostart"),
    flag("headful"),
    flag("master"),
    flag("worker"),
    one("processes"),
    one("web-host"),
    or('P', one("web-port")),
    one("web-base-path"),
    flag("web-login"),
    one("tls-cert"),
    one("tls-key"),
    flag("class-picker"),
    one("autoquit"),
    one("web-host-display-name"),
    one("build-path"),
    one("web-auth"),
    flag("legacy-ui"),
    flag("expect-slaves"),
    flag("slave"),
    flag("print-stats"),
    flag("skip-log-setup"),
    flag("otel"),
    one("completions"),
    flag("man-page"),
];

/// The options of `sentinel-worker`.
pub const OF_THE_WORKER: &[Stranger] = &[
    or('f', one("locustfile")),
    one("config"),
    one("master"),
    one("master-host"),
    one("master-port"),
    one("threads"),
    one("protocol"),
    flag("reset-stats"),
    or('L', one("loglevel")),
    one("logfile"),
    many("config-users"),
    flag("equal-weights"),
    one("processes"),
    flag("worker"),
    flag("slave"),
    flag("skip-log-setup"),
    flag("otel"),
    one("completions"),
    flag("man-page"),
];

/// Checks that `listed` are the options of `command`; for the test of each program.
///
/// # Errors
/// What is missing, and what is too many.
pub fn compare(listed: &[Stranger], command: &clap::Command) -> Result<(), String> {
    let describe = |long: &str, short: Option<char>, kind: Kind| format!("{long} {short:?} {kind:?}");
    let mut listed: Vec<_> = listed.iter().map(|it| describe(it.long, it.short, it.kind)).collect();
    let mut real: Vec<_> =
        super::known::of(command).iter().map(|it| describe(&it.long, it.short(), it.kind)).collect();
    listed.sort_unstable();
    real.sort_unstable();
    let without = |some: &[String], others: &[String]| -> Vec<String> {
        some.iter().filter(|it| !others.contains(it)).cloned().collect()
    };
    let (missing, strange) = (without(&real, &listed), without(&listed, &real));
    match missing.is_empty() && strange.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "worker/src/options/stranger.rs lacks {missing:?} and has {strange:?}, which the program has not"
        )),
    }
}
