//! What of Locust's options cannot be, or has no effect here. Nothing is ignored in silence.

use sentinel_common::verdict::exit_code;
use thiserror::Error;

use crate::cli::Args;

/// Options that cannot be, or not together.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Misuse {
    /// Locust has removed the option.
    #[error("{0}")]
    Removed(&'static str),
    /// A worker is another program.
    #[error("--worker: sentinel-master is no worker; start sentinel-worker instead")]
    Worker,
    /// It cannot be both.
    #[error("--master and --worker exclude each other; a worker is started with sentinel-worker")]
    MasterAndWorker,
    /// Nothing ends by itself.
    #[error("--autoquit needs --autostart: without it no run begins by itself, after which to quit")]
    Autoquit,
    /// A page that would be open to everybody.
    #[error(
        "--web-login is not available yet, and without it the page would be open to everybody; leave it out, or bind \
         the page to an address that only you can reach, such as --web-host 127.0.0.1"
    )]
    WebLogin,
    /// A path without its slash.
    #[error("--web-base-path {0}: the path must start with a slash")]
    WebBasePath(String),
    /// Half of what HTTPS needs.
    #[error("--tls-cert and --tls-key need each other")]
    HalfOfTls,
    /// A number of workers that cannot be.
    #[error("--processes {0}: it takes the number of workers, at most 64, or -1 for one per core")]
    Processes(i32),
    /// Locust's own rule.
    #[error(
        "--master and --processes exclude each other: with --processes the master runs its workers itself"
    )]
    ProcessesOfMaster,
}

impl Misuse {
    /// The exit code, which is Locust's where it refuses the same.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Removed(_) | Self::Worker | Self::HalfOfTls | Self::WebLogin => exit_code::USAGE,
            Self::MasterAndWorker => exit_code::MISMATCH,
            Self::Autoquit | Self::WebBasePath(_) | Self::Processes(_) | Self::ProcessesOfMaster => {
                exit_code::FAILURES
            }
        }
    }
}

/// Checks what clap cannot.
///
/// # Errors
/// The first thing that cannot be.
pub fn check(args: &Args) -> Result<(), Misuse> {
    let removed = [
        (args.web_auth.is_some(), "--web-auth is gone from Locust; use --web-login"),
        (args.legacy_ui, "--legacy-ui is gone from Locust; leave it out"),
        (args.expect_slaves, "--expect-slaves is gone from Locust; use --expect-workers"),
        (args.slave, "--slave is gone from Locust; start sentinel-worker"),
    ];
    if let Some((_, what)) = removed.into_iter().find(|(said, _)| *said) {
        return Err(Misuse::Removed(what));
    }
    match (args.master, args.worker) {
        (true, true) => return Err(Misuse::MasterAndWorker),
        (false, true) => return Err(Misuse::Worker),
        (_, false) => {}
    }
    if args.autoquit.is_some_and(|seconds| seconds != -1) && !args.autostart {
        return Err(Misuse::Autoquit);
    }
    if let Some(path) = args.web_base_path.as_ref().filter(|path| !path.is_empty() && !path.starts_with('/'))
    {
        return Err(Misuse::WebBasePath(path.clone()));
    }
    if args.web_login && !is_headless(args) {
        return Err(Misuse::WebLogin);
    }
    if args.tls_cert.is_some() != args.tls_key.is_some() {
        return Err(Misuse::HalfOfTls);
    }
    match args.processes {
        Some(_) if args.master => Err(Misuse::ProcessesOfMaster),
        Some(processes) if !(-1..=64).contains(&processes) => Err(Misuse::Processes(processes)),
        _ => Ok(()),
    }
}

/// What people should know of their options.
pub fn notes(args: &Args) -> Vec<String> {
    let mut notes = Vec::new();
    let web = [
        (args.web_host.is_some(), "--web-host"),
        (args.web_port.is_some(), "--web-port"),
        (args.web_base_path.is_some(), "--web-base-path"),
        (args.web_login, "--web-login"),
        (args.tls_cert.is_some(), "--tls-cert"),
        (args.tls_key.is_some(), "--tls-key"),
        (args.class_picker, "--class-picker"),
        (args.autostart, "--autostart"),
        (args.autoquit.is_some(), "--autoquit"),
        (args.web_host_display_name.is_some(), "--web-host-display-name"),
    ];
    let web: Vec<&str> = web.into_iter().filter(|(said, _)| *said).map(|(_, name)| name).collect();
    if !web.is_empty() && is_headless(args) {
        notes.push(format!("there is no web page with --headless, so {} have no effect", web.join(", ")));
    }
    if args.build_path.is_some() {
        notes.push("--build-path has no effect: the page is part of this program".to_owned());
    }
    if args.log.otel {
        notes.push("--otel has no effect yet: no traces are sent".to_owned());
    }
    notes
}

/// Whether a run is wanted without the web page.
pub fn is_headless(args: &Args) -> bool {
    args.headless && !args.headful
}
