//! Whether the workers have what the run needs of their machines: looked at when the run begins, when a worker joins and
//! when the users are changed by hand.

use std::collections::btree_map::Entry;

use super::Coordinator;
use super::run::Run;
use crate::preflight::{Demand, Supply};
use crate::roster::WorkerNode;

impl Coordinator {
    /// Tells people what the workers have too little of. Each kind of shortage is told once in a run.
    pub(super) fn check_supply(&mut self) {
        let Some(run) = self.run.as_mut() else {
            return;
        };
        let supplies: Vec<Supply<'_>> = self.roster.active().map(supply).collect();
        let mut news = Vec::new();
        for (resource, text) in demand(run).shortages(&supplies) {
            if let Entry::Vacant(untold) = run.shortages.entry(resource) {
                news.push(untold.insert(text).clone());
            }
        }
        news.into_iter().for_each(|text| self.warn(text));
    }
}

/// What the run asks for, and the users that were asked for by hand since.
fn demand(run: &Run) -> Demand {
    let placed = if run.spec.shape.is_some() { 0 } else { u64::from(run.load.users) };
    Demand { users: run.spec.demand.users.max(placed), ..run.spec.demand }
}

fn supply(node: &WorkerNode) -> Supply<'_> {
    Supply { worker: &node.id, wire: node.wire, resources: node.resources }
}
