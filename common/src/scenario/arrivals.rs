//! Reads `arrivals`: when the iterations of an open model begin.

use std::time::Duration;

use super::decode::Decoder;
use super::document::Node;
use crate::arrivals::{ArrivalRate, Arrivals, Distribution, Stage};
use crate::dispatch::MAX_USERS;
use crate::timespan::parse_duration;

const ARRIVALS_KEYS: [&str; 5] = ["rate", "stages", "max_users", "distribution", "max_delay"];

const DISTRIBUTIONS: [(&str, Distribution); 2] =
    [("constant", Distribution::Constant), ("poisson", Distribution::Poisson)];

/// Users at once, unless the file says how many.
const DEFAULT_MAX_USERS: u32 = 1000;

/// Reads the arrivals of a class, of the scenario or of a profile.
pub(super) fn arrivals<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Arrivals> {
    let fields = decoder.fields(node, "`arrivals`", &ARRIVALS_KEYS)?;
    let notes = decoder.notes_mut().len();
    let rate = fields.get("rate").and_then(|node| rate(decoder, node));
    let stages = fields.get("stages").map(|node| stages(decoder, node)).unwrap_or_default();
    if fields.get("rate").is_none() && fields.get("stages").is_none() {
        let help = "write `rate: 100/s`, or `stages`".to_owned();
        decoder.note_with_help(fields.at, "`arrivals` has no `rate`", Some(help));
    }
    let max_users = fields.get("max_users");
    let max_users = max_users.map(|node| decoder.integer(node, "`max_users`", 1, MAX_USERS));
    let distribution = fields.get("distribution");
    let distribution = distribution.and_then(|node| decoder.word(node, "`distribution`", &DISTRIBUTIONS));
    let max_delay = fields.get("max_delay");
    let max_delay = max_delay.and_then(|node| decoder.parsed(node, "`max_delay`", parse_duration));
    if decoder.notes_mut().len() > notes {
        return None;
    }
    let made = Arrivals::new(
        rate.unwrap_or_default(),
        stages,
        max_users.flatten().unwrap_or(DEFAULT_MAX_USERS),
        distribution.unwrap_or_default(),
        max_delay.unwrap_or(Duration::ZERO),
    );
    made.map_err(|error| decoder.note(node.at, error)).ok()
}

fn rate<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<ArrivalRate> {
    decoder.parsed(node, "`rate`", ArrivalRate::parse)
}

fn stages<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Vec<Stage> {
    let items = decoder.items(node, "`stages`").unwrap_or_default();
    if items.is_empty() {
        decoder.note(node.at, "`stages` is empty; write at least one stage");
    }
    items.iter().filter_map(|item| stage(decoder, item)).collect()
}

fn stage<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Stage> {
    let fields = decoder.fields(node, "a stage", &["duration", "rate"])?;
    let mut part = |key: &str| {
        let node = fields.get(key);
        if node.is_none() {
            decoder.note(fields.at, format!("the stage has no `{key}`"));
        }
        node
    };
    let (duration, rate_node) = (part("duration"), part("rate"));
    let duration = duration.and_then(|node| decoder.parsed(node, "`duration`", parse_duration));
    let rate = rate_node.and_then(|node| rate(decoder, node));
    Some(Stage { duration: duration?, rate: rate? })
}
