//! The Sentinel master: waits for workers, hands out users, merges what they measured and reports the run.
//!
//! The binary `sentinel-master` is a thin shell around [`run`] and [`search`](search()).
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
pub mod desk;
mod inspect;
pub mod listener;
mod local;
pub mod outputs;
pub mod search;
pub mod settings;
pub mod source;
pub mod terminal;
pub mod transport;
pub mod user_classes;
pub mod view;
pub mod web;

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
use tokio::task::JoinHandle;

use crate::cli::{Args, SearchArgs};
use crate::console::{Console, SearchConsole};
use crate::control::{Command, Control, Ended};
use crate::inspect::Inspection;
use crate::listener::BindError;
use crate::local::LocalWorkers;
use crate::outputs::{Outputs, SearchOutputs};
use crate::search::SearchPlan;
use crate::settings::{Settings, UsageError};
use crate::terminal::Terminal;
use crate::transport::{Hub, HubEvent};

/// How long connections may take to end once the workers have had their time to leave. Peers that are no workers, or
/// that are still draining, must not keep the process alive.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a command line asks for.
pub trait Work: clap::Parser {
    /// The options that everything has in common.
    fn args(&self) -> &Args;

    /// Does it, and what `commands` say meanwhile, shows it on `terminal`, and returns the exit code.
    fn carry_out(self, commands: mpsc::Receiver<Command>, terminal: Terminal) -> impl Future<Output = u8>;
}

impl Work for Args {
    fn args(&self) -> &Args {
        self
    }

    async fn carry_out(self, commands: mpsc::Receiver<Command>, terminal: Terminal) -> u8 {
        run(self, commands, terminal).await
    }
}

impl Work for SearchArgs {
    fn args(&self) -> &Args {
        &self.run
    }

    async fn carry_out(self, commands: mpsc::Receiver<Command>, _: Terminal) -> u8 {
        // The terminal belongs to the lines of the steps.
        search(self, commands).await
    }
}

/// Does what the command line says, and what `commands` say meanwhile, shows it on `terminal`, and returns the exit code.
pub async fn run(args: Args, commands: mpsc::Receiver<Command>, terminal: Terminal) -> u8 {
    if let Err(misuse) = settings::check(&args) {
        return refuse(&UsageError::from(misuse).into());
    }
    if let Some(inspection) = Inspection::of(&args) {
        return inspection.answer(&args).await.unwrap_or_else(|error| refuse(&error));
    }
    let resolve =
        |run: RunId, seed, demo: Option<&str>| Ok((Settings::resolve_for_page(&args, run, seed, demo)?, ()));
    let prepared = async {
        let Prepared { settings, listener, demo_host, .. } = prepare(&args, resolve).await?;
        let site = match &settings.web {
            Some(web) => Some(web::Site::open(web).await?),
            None => None,
        };
        let outputs = Outputs::open(&settings.files, step_summary(), environment(&settings))?;
        anyhow::Ok((settings, listener, outputs, site, demo_host))
    };
    match prepared.await {
        Ok((settings, listener, outputs, site, demo_host)) => {
            let page = site.map(|site| (site, web::Starter::new(args, demo_host)));
            told(serve(settings, listener, outputs, commands, &terminal, page).await)
        }
        Err(error) => refuse(&error),
    }
}

/// Searches for the highest load that meets the criteria, as the command line says, and returns the exit code.
pub async fn search(mut args: SearchArgs, commands: mpsc::Receiver<Command>) -> u8 {
    // It begins by itself, and there is no page where anybody could watch it.
    (args.run.headless, args.run.headful) = (true, false);
    if let Err(misuse) = settings::check(&args.run) {
        return refuse(&UsageError::from(misuse).into());
    }
    let resolve = |run: RunId, seed, demo: Option<&str>| SearchPlan::resolve(&args, run, seed, demo);
    let prepared = prepare(&args.run, resolve).await.and_then(|prepared| {
        let Prepared { settings, more: plan, listener, .. } = prepared;
        let outputs = SearchOutputs::open(&plan.files, step_summary(), environment(&settings))?;
        Ok((settings, plan, listener, outputs))
    });
    match prepared {
        Ok((settings, plan, listener, outputs)) => {
            told(serve_search(settings, plan, listener, outputs, commands).await)
        }
        Err(error) => refuse(&error),
    }
}

/// The exit code, after trouble that nobody could have known before was told.
fn told(served: anyhow::Result<u8>) -> u8 {
    served.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        exit_code::FAILURES
    })
}

/// Tells a mistake of whoever started the program; returns the exit code.
fn refuse(error: &anyhow::Error) -> u8 {
    eprintln!("sentinel-master: {error:#}");
    if error.is::<BindError>() {
        return exit_code::FAILURES;
    }
    if let Some(error) = error.downcast_ref::<web::SiteError>() {
        return error.exit_code();
    }
    error.downcast_ref().map_or(exit_code::USAGE, UsageError::exit_code)
}

/// What was found out before anything starts.
struct Prepared<T> {
    settings: Settings,
    /// What only one kind of work needs.
    more: T,
    /// Where workers will connect.
    listener: tokio::net::TcpListener,
    /// Where the demo's target listens, if there is one.
    demo_host: Option<String>,
}

/// Finds every mistake that can be found before anything starts. `resolve` finds out what is to be done, for this run,
/// with this seed, and with this host of the demo's target.
async fn prepare<T>(
    args: &Args,
    resolve: impl Fn(RunId, u64, Option<&str>) -> Result<(Settings, T), UsageError>,
) -> anyhow::Result<Prepared<T>> {
    let (run, seed) = settings::new_run();
    // The demo's target has no address before it listens, and it shall not listen before all mistakes are known.
    let placeholder = args.demo.then_some("http://127.0.0.1");
    let (mut settings, mut more) = resolve(run.clone(), seed, placeholder)?;
    let (host, port) = &settings.bind;
    let listener = listener::bind(host, *port).await?;
    let demo_host = demo_host(args).await?;
    if let Some(target) = &demo_host {
        (settings, more) = resolve(run, seed, Some(target))?;
    }
    let open_files = sentinel_worker::limits::resources(0).open_files;
    settings.notes.extend(preflight::master_files(settings.autostart.expect_workers, open_files));
    Ok(Prepared { settings, more, listener, demo_host })
}

/// The summary of the step of GitHub Actions that this is, if it is one.
fn step_summary() -> Option<PathBuf> {
    std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()).map(PathBuf::from)
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

/// Makes the run that the command line says or, with a `page`, those that people start there.
async fn serve(
    settings: Settings,
    listener: tokio::net::TcpListener,
    outputs: Outputs,
    commands: mpsc::Receiver<Command>,
    terminal: &Terminal,
    page: Option<(web::Site, web::Starter)>,
) -> anyhow::Result<u8> {
    let (mut station, events) = Station::open(&settings, listener)?;
    let mut console = Console::new(settings.output);
    let at_work = terminal.start(settings.output.periodic);
    let progress = |report: &Report| {
        if !terminal.show(report) {
            console.progress(report);
        }
        outputs.progress(report);
    };
    let (hub, address) = (station.hub.clone(), station.address);
    let alone = || run_alone(&mut station.workers, address);
    let ended = match page {
        None => control::run(settings, hub, events, commands, progress, alone).await,
        Some((site, starter)) => {
            let worker_command = worker_command(&settings, address);
            let settings = Arc::new(settings);
            let (counter, clerk) = desk::open(control::first_snapshot(&settings));
            let serving = site.serve(web::Parts { counter, starter, worker_command });
            let ended = control::stay(settings, hub, events, commands, progress, alone, clerk).await;
            serving.stop().await;
            ended
        }
    };
    drop(at_work);
    conclude(ended, &console, outputs, station).await
}

/// Prints and writes what is left to tell at the end, and lets the workers go.
async fn conclude(ended: Ended, console: &Console, outputs: Outputs, station: Station) -> anyhow::Result<u8> {
    let printed = ended.report.as_ref().is_none_or(|report| console.summary(report));
    let (report, judged) = (ended.report, ended.exit_code);
    let complete = tokio::task::spawn_blocking(move || outputs.finish(report.as_ref()))
        .await
        .context("failed to write the files of the run")?;
    station.close(ended.aborted).await?;
    Ok(if (printed && complete) || judged != exit_code::OK { judged } else { exit_code::FAILURES })
}

async fn serve_search(
    settings: Settings,
    plan: SearchPlan,
    listener: tokio::net::TcpListener,
    outputs: SearchOutputs,
    commands: mpsc::Receiver<Command>,
) -> anyhow::Result<u8> {
    let (mut station, events) = Station::open(&settings, listener)?;
    let console = SearchConsole::new(settings.output);
    let (hub, address) = (station.hub.clone(), station.address);
    let alone = || run_alone(&mut station.workers, address);
    let policy = search::policy(&settings);
    let settings = Arc::new(settings);
    let mut control = Control::new(policy, settings, hub, events, commands, None::<fn(&Report)>, alone);
    console.begin(&plan);
    let search = search::conduct(&mut control, &plan, |measurement| console.step(measurement)).await;
    let aborted = control.is_aborted();
    drop(control);
    console.summary(&search);
    let judged = search.finding().exit_code();
    let complete = tokio::task::spawn_blocking(move || outputs.finish(&search))
        .await
        .context("failed to write the files of the search")?;
    station.close(aborted).await?;
    Ok(if complete || judged != exit_code::OK { judged } else { exit_code::FAILURES })
}

/// Where workers connect, and those inside this process.
struct Station {
    hub: Arc<Hub>,
    address: std::net::SocketAddr,
    workers: LocalWorkers,
    stop: oneshot::Sender<()>,
    server: JoinHandle<anyhow::Result<()>>,
    locusts: JoinHandle<()>,
}

impl Station {
    /// Lets workers in. Returns what they say, too.
    fn open(
        settings: &Settings,
        listener: tokio::net::TcpListener,
    ) -> anyhow::Result<(Self, mpsc::Receiver<HubEvent>)> {
        let address = listener.local_addr().context("failed to learn the port that workers connect to")?;
        announce(settings, address);
        let (hub, events) = Hub::new();
        let hub = Arc::new(hub);
        let (stop, stopped) = oneshot::channel::<()>();
        let incoming = listener::sort(listener);
        let shutdown = async {
            // Dropped or fired: either way the server is to end.
            let _ = stopped.await;
        };
        let server = tokio::spawn(transport::serve(incoming.grpc, hub.clone(), shutdown));
        let locusts = transport::serve_locust(incoming.zmtp, hub.clone(), settings.locustfile.clone());
        let locusts = tokio::spawn(locusts);
        let address = listener::reachable(address);
        let workers =
            LocalWorkers::start(settings.local_workers, address).context("failed to start local workers")?;
        Ok((Self { hub, address, workers, stop, server, locusts }, events))
    }

    /// Waits for the workers inside this process, unless everything was `aborted`, and lets nobody in any more.
    async fn close(self, aborted: bool) -> anyhow::Result<()> {
        if !aborted {
            tokio::task::spawn_blocking(move || self.workers.join())
                .await
                .context("failed to wait for local workers")?;
        }
        let _ = self.stop.send(());
        match tokio::time::timeout(DISCONNECT_TIMEOUT, self.server).await {
            Ok(served) => served.context("the server for workers panicked")??,
            Err(_) => tracing::debug!("Some connections are still open; they end with the process"),
        }
        // The listener has ended with the server, and with it what waits for Locust's workers.
        self.locusts.abort();
        Ok(())
    }
}

/// Makes the load in this process, as Locust without `--master` does.
fn run_alone(workers: &mut LocalWorkers, master: std::net::SocketAddr) {
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
