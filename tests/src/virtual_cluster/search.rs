//! A whole search on virtual time.

use std::sync::Arc;

use clap::Parser as _;
use sentinel_common::ids::{RunId, WorkerId};
use sentinel_common::report::Report;
use sentinel_common::search::Search;
use sentinel_master::cli::SearchArgs;
use sentinel_master::control::Control;
use sentinel_master::search::{SearchPlan, conduct, policy};
use sentinel_master::transport::{self, Hub};
use sentinel_worker::clock::LocalClock;
use sentinel_worker::session;
use sentinel_worker::swarm::Swarm;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::{Cable, HOST, VirtualTarget};

/// Searches with this scenario and these options, and with these workers, until it is over.
pub async fn search(scenario: &str, options: &str, target: &VirtualTarget, workers: &[&str]) -> Search {
    let (settings, plan) = {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a temporary file can be made");
        std::fs::write(file.path(), scenario).expect("a temporary file can be written");
        let path = file.path().to_string_lossy();
        let words = ["sentinel-master", "-f", &path, "--host", HOST].into_iter();
        let args = SearchArgs::try_parse_from(words.chain(options.split_whitespace()))
            .unwrap_or_else(|error| panic!("{error}"));
        SearchPlan::resolve(&args, RunId::new("virtual"), 1, None).unwrap_or_else(|error| panic!("{error}"))
    };
    let (hub, events) = Hub::new();
    let hub = Arc::new(hub);
    let (listener, incoming) = mpsc::unbounded_channel();
    let incoming = UnboundedReceiverStream::new(incoming);
    tokio::task::spawn_local(transport::serve(incoming, hub.clone(), std::future::pending()));
    let mut sessions = Vec::new();
    for name in workers {
        let clock = LocalClock::start();
        let swarm = Swarm::start_local(target.factory(name), clock);
        let (shutdown, told) = mpsc::channel(2);
        let id = WorkerId::new(name).expect("tests give workers short names");
        let cable = Arc::new(Cable::new(listener.clone()));
        sessions.push((shutdown, tokio::task::spawn_local(session::run(id, cable, swarm, clock, told))));
    }
    let (_commands, obeyed) = mpsc::channel(2);
    let (policy, settings) = (policy(&settings), Arc::new(settings));
    let mut control = Control::new(policy, settings, hub, events, obeyed, None::<fn(&Report)>, || ());
    let search = conduct(&mut control, &plan, |_| ()).await;
    for (_shutdown, session) in sessions {
        session.await.expect("no worker panics");
    }
    search
}
