//! The Sentinel master: waits for workers, hands out users, merges what they measured and reports the run.
//!
//! The binary `sentinel-master` is a thin shell around [`run`].
//!
//! ```text
//! cli -> settings -> control <-> common::coordinator
//!   |                 |    ^
//! source  console, outputs  transport::hub <- transport::{grpc, locust} <- listener
//!             terminal
//!                 |
//!                view  (pure functions of the report)
//! ```
//!
//! No user runs here, and nothing is decided that does not need a socket, a clock or a file.

pub mod cli;
pub mod console;
pub mod control;
pub mod definition;
#[cfg(feature = "demo")]
mod demo;
mod inspect;
pub mod listener;
mod local;
pub mod outputs;
pub mod settings;
pub mod source;
pub mod terminal;
pub mod transport;
pub mod user_classes;
pub mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sentinel_common::ids::RunId;
use sentinel_common::local_run::LOCAL_RUN_AFTER;
use sentinel_common::locust::LocustfileReply;
use sentinel_common::preflight;
use sentinel_common::report::Report;
use sentinel_common::verdict::exit_code;
use tokio::sync::{mpsc, oneshot};

use crate::cli::Args;
use crate::console::Console;
use crate::control::Command;
use crate::inspect::Inspection;
use crate::listener::BindError;
use crate::local::LocalWorkers;
use crate::outputs::Outputs;
use crate::settings::{Settings, UsageError};
use crate::terminal::Terminal;
use crate::transport::Hub;

/// How long connections may take to end once the workers have had their time to leave. Peers that are no workers, or
/// that are still draining, must not keep the process alive.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Does what the command line says, and what `commands` say meanwhile, shows it on `terminal`, and returns the exit code.
pub async fn run(args: Args, commands: mpsc::Receiver<Command>, terminal: Terminal) -> u8 {
    if let Err(misuse) = settings::check(&args) {
        return refuse(&UsageError::from(misuse).into());
    }
    if let Some(inspection) = Inspection::of(&args) {
        return inspection.answer(&args).await.unwrap_or_else(|error| refuse(&error));
    }
    match prepare(&args).await {
        Ok((settings, listener, outputs)) => {
            match serve(settings, listener, outputs, commands, &terminal).await {
                Ok(code) => code,
                Err(error) => {
                    tracing::error!("{error:#}");
                    exit_code::FAILURES
                }
            }
        }
        Err(error) => refuse(&error),
    }
}

/// Tells a mistake of whoever started the program; returns the exit code.
fn refuse(error: &anyhow::Error) -> u8 {
    eprintln!("sentinel-master: {error:#}");
    if error.is::<BindError>() {
        return exit_code::FAILURES;
    }
    error.downcast_ref().map_or(exit_code::USAGE, UsageError::exit_code)
}

/// Finds every mistake that can be found before anything starts.
async fn prepare(args: &Args) -> anyhow::Result<(Settings, tokio::net::TcpListener, Outputs)> {
    let run = uuid::Uuid::new_v4();
    // The low half of a random id is as good a seed as any.
    let seed = run.as_u64_pair().1;
    let run = RunId::new(&run.to_string());
    // The demo's target has no address before it listens, and it shall not listen before all mistakes are known.
    let placeholder = args.demo.then_some("http://127.0.0.1");
    let mut settings = Settings::resolve(args, run.clone(), seed, placeholder)?;
    let (host, port) = &settings.bind;
    let listener = listener::bind(host, *port).await?;
    if let Some(target) = demo_host(args).await? {
        settings = Settings::resolve(args, run, seed, Some(&target))?;
    }
    let open_files = sentinel_worker::limits::resources(0).open_files;
    settings.notes.extend(preflight::master_files(settings.autostart.expect_workers, open_files));
    // Folders are made and old files overwritten only once there is nothing left that could be wrong.
    let step_summary = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty());
    let outputs = Outputs::open(&settings.files, step_summary.map(PathBuf::from), environment(&settings))?;
    if !settings::is_headless(args) && !args.autostart {
        tracing::info!("There is no web page yet: going on as with --headless");
    }
    Ok((settings, listener, outputs))
}

/// Where a run is made, and from what.
fn environment(settings: &Settings) -> view::Environment {
    let spec = &settings.autostart.spec;
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    view::Environment {
        command_line: view::command_line(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned())),
        // Workers of Locust's draw from no seed of ours.
        seed: spec.scenario.text.as_ref().map(|_| spec.seed),
        machine: gethostname::gethostname().to_string_lossy().into_owned(),
        system: format!("{} {}, {processors} processors", std::env::consts::OS, std::env::consts::ARCH),
        scenario: spec.scenario.text.clone(),
    }
}

#[cfg(feature = "demo")]
async fn demo_host(args: &Args) -> anyhow::Result<Option<String>> {
    if !args.demo || args.host.is_some() {
        return Ok(None);
    }
    let target = demo::start_target().await?;
    tracing::info!("The demo's target listens on http://{target}");
    Ok(Some(format!("http://{target}")))
}

#[cfg(not(feature = "demo"))]
async fn demo_host(_: &Args) -> anyhow::Result<Option<String>> {
    Ok(None)
}

async fn serve(
    settings: Settings,
    listener: tokio::net::TcpListener,
    outputs: Outputs,
    commands: mpsc::Receiver<Command>,
    terminal: &Terminal,
) -> anyhow::Result<u8> {
    let address = listener.local_addr().context("failed to learn the port that workers connect to")?;
    announce(&settings, address);
    let (hub, events) = Hub::new();
    let hub = Arc::new(hub);
    let (stop, stopped) = oneshot::channel::<()>();
    let incoming = listener::sort(listener);
    let shutdown = async {
        // Dropped or fired: either way the server is to end.
        let _ = stopped.await;
    };
    let server = tokio::spawn(transport::serve(incoming.grpc, hub.clone(), shutdown));
    let locusts =
        tokio::spawn(transport::serve_locust(incoming.zmtp, hub.clone(), settings.locustfile.clone()));
    let mut workers = LocalWorkers::start(settings.local_workers, listener::reachable(address))
        .context("failed to start local workers")?;
    let mut console = Console::new(settings.output);
    let at_work = terminal.start(settings.output.periodic);
    let progress = |report: &Report| {
        if !terminal.show(report) {
            console.progress(report);
        }
        outputs.progress(report);
    };
    let alone = || run_alone(&mut workers, listener::reachable(address));
    let ended = control::run(settings, hub, events, commands, progress, alone).await;
    drop(at_work);
    if let Some(report) = &ended.report {
        console.summary(report);
    }
    let (report, judged) = (ended.report, ended.exit_code);
    let complete = tokio::task::spawn_blocking(move || outputs.finish(report.as_ref()))
        .await
        .context("failed to write the files of the run")?;
    if !ended.aborted {
        tokio::task::spawn_blocking(move || workers.join())
            .await
            .context("failed to wait for local workers")?;
    }
    let _ = stop.send(());
    match tokio::time::timeout(DISCONNECT_TIMEOUT, server).await {
        Ok(served) => served.context("the server for workers panicked")??,
        Err(_) => tracing::debug!("Some connections are still open; they end with the process"),
    }
    // The listener has ended with the server, and with it what waits for Locust's workers.
    locusts.abort();
    Ok(if complete || judged != exit_code::OK { judged } else { exit_code::FAILURES })
}

/// Makes the load in this process, as Locust without `--master` does.
fn run_alone(workers: &mut LocalWorkers, master: std::net::SocketAddr) {
    let waited = LOCAL_RUN_AFTER.as_secs();
    tracing::info!(
        "No worker has come within {waited} s, so one runs in this process; --master prevents that"
    );
    if let Err(error) = workers.add(1, master) {
        tracing::error!("A local worker cannot begin: {error}");
    }
}

fn announce(settings: &Settings, address: std::net::SocketAddr) {
    tracing::info!("Starting Sentinel {} master", env!("CARGO_PKG_VERSION"));
    let spec = &settings.autostart.spec;
    // Workers of Locust's draw from no seed of ours.
    let seed = spec.scenario.text.as_ref().map(|_| format!("; seed {}", spec.seed)).unwrap_or_default();
    let target = settings.host.as_deref().unwrap_or("several hosts");
    tracing::info!("Scenario: {}; target: {target}{seed}", spec.scenario.name);
    tracing::info!("Listening for workers on {address}");
    for note in &settings.notes {
        tracing::warn!("{note}");
    }
    let expected = settings.autostart.expect_workers;
    if settings.local_workers < expected {
        let command = worker_command(settings, address);
        let alone = match settings.local_run {
            true => format!(
                " (if none comes within {} s, one runs in this process; --master or --expect-workers prevents that)",
                LOCAL_RUN_AFTER.as_secs()
            ),
            false => String::new(),
        };
        tracing::info!(
            "Waiting for workers to be ready, 0 of {expected} connected; start one with: {command}{alone}"
        );
    }
}

/// How people start a worker that can take part.
fn worker_command(settings: &Settings, address: std::net::SocketAddr) -> String {
    let host = if address.ip().is_loopback() { "127.0.0.1" } else { "<this host>" };
    let port = address.port();
    match (&settings.autostart.spec.scenario.text, &*settings.locustfile) {
        (Some(_), _) => format!("sentinel-worker --master {host}:{port}"),
        (None, LocustfileReply::Sources(_)) => {
            format!("locust -f - --worker --master-host {host} --master-port {port}")
        }
        (None, LocustfileReply::Error(_)) => {
            format!("locust -f <locustfile> --worker --master-host {host} --master-port {port}")
        }
    }
}
