//! Reads a scenario file: its top level and its profiles.
//!
//! The vocabulary of each level is the list of keys that its function hands to the decoder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::arrivals::arrivals;
use super::classes;
use super::compile::Names;
use super::data::{DataSource, RowOrder};
use super::decode::{Decoder, Fields};
use super::document::{Content, FILE_BYTES_MAX, Node, parse};
use super::host::Host;
use super::http_options::http_options;
use super::model::{Profile, ProfileLoad, Scenario};
use super::note::{Note, Notes};
use super::shapes::shape;
use super::sources::sources;
use super::step::Step;
use super::steps;
use super::variables::variables_of_steps;
use crate::criteria::Criterion;
use crate::timespan::parse_timespan;
use crate::wait::WaitTime;

const SCENARIO_KEYS: [&str; 10] =
    ["host", "http", "data", "setup", "teardown", "users", "shape", "arrivals", "profiles", "criteria"];
const PROFILE_KEYS: [&str; 8] =
    ["users", "spawn_rate", "run_time", "wait_time", "criteria", "host", "shape", "arrivals"];

impl Scenario {
    /// Reads a scenario file; `file_name` is what the notes call it.
    ///
    /// # Errors
    /// All mistakes at once, each with its position. YAML that cannot be parsed at all is one mistake. Files over
    /// 4 MiB, deeper than 64 levels, or with more than 100,000 values after aliases are expanded are refused.
    pub fn load(file_name: &str, text: &str) -> Result<Self, Notes> {
        if text.len() > FILE_BYTES_MAX {
            let message = format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20);
            return Err(Notes::new(vec![Note {
                file: file_name.to_owned(),
                line: 1,
                column: 1,
                message,
                help: None,
            }]));
        }
        // Editors on Windows put a byte order mark first; it would shift the first column.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut decoder = Decoder::new(file_name, text);
        let root = parse(file_name, text, decoder.notes_mut())?;
        let scenario = scenario(&mut decoder, &root);
        match (scenario, decoder.into_notes()) {
            (Some(scenario), notes) if notes.is_empty() => Ok(scenario),
            (_, notes) => Err(Notes::new(notes)),
        }
    }
}

fn scenario<'t>(decoder: &mut Decoder<'t>, root: &Node<'t>) -> Option<Scenario> {
    let fields = decoder.fields(root, "a scenario", &SCENARIO_KEYS)?;
    let data = fields.get("data").map(|node| sources(decoder, node)).unwrap_or_default();
    // What `setup` leaves behind is there for everybody.
    let names = Names {
        class: "setup".to_owned(),
        variables: fields.get("setup").map(variables_of_steps).unwrap_or_default(),
        sources: Arc::new(source_names(&fields, &data)),
        in_group: false,
        once_per_run: true,
    };
    let http = fields.get("http").and_then(|node| http_options(decoder, node, &names)).unwrap_or_default();
    let (setup, teardown) = hooks(decoder, &fields, &names);
    let users = match fields.get("users") {
        Some(node) => classes::users(decoder, node, &http, &names),
        None => {
            decoder.note_with_help(
                root.at,
                "`users` is missing",
                Some("a scenario has at least one user class".into()),
            );
            Vec::new()
        }
    };
    let classes = users.iter().map(|class| class.name.clone()).collect();
    Some(Scenario {
        host: host(decoder, &fields),
        http,
        data,
        setup,
        teardown,
        users,
        shape: fields.get("shape").and_then(|node| shape(decoder, node, &classes)).map(Arc::new),
        arrivals: fields.get("arrivals").and_then(|node| arrivals(decoder, node)),
        profiles: fields.get("profiles").map(|node| profiles(decoder, node, &classes)).unwrap_or_default(),
        criteria: criteria(decoder, &fields),
        file_places: decoder.take_file_places(),
    })
}

/// The names of all sources, those with mistakes included: whoever feeds from one of them makes no other mistake.
fn source_names(
    fields: &Fields<'_, '_>,
    data: &BTreeMap<Arc<str>, DataSource>,
) -> BTreeMap<String, RowOrder> {
    let entries = match fields.get("data").map(|node| &*node.content) {
        Some(Content::Map(entries)) => entries.as_slice(),
        _ => &[],
    };
    let order = |name: &str| data.get(name).map(|source| source.order).unwrap_or_default();
    entries.iter().map(|entry| (entry.key.to_string(), order(&entry.key))).collect()
}

/// `setup` and `teardown`, which see the variables of both.
fn hooks<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>, setup: &Names) -> (Vec<Step>, Vec<Step>) {
    let mut names = setup.clone();
    names.variables.extend(fields.get("teardown").map(variables_of_steps).unwrap_or_default());
    names.class = "teardown".to_owned();
    let mut hook = |key: &str, names: &Names| match fields.get(key) {
        Some(node) => steps::steps(decoder, node, &format!("`{key}`"), names),
        None => Vec::new(),
    };
    (hook("setup", setup), hook("teardown", &names))
}

fn profiles<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    classes: &BTreeSet<String>,
) -> BTreeMap<String, Profile> {
    let Some(entries) = decoder.entries(node, "`profiles`") else { return BTreeMap::new() };
    let profiles = entries.iter().filter_map(|entry| {
        decoder.identifier(&entry.key, entry.key_at, "a profile");
        Some((entry.key.to_string(), profile(decoder, &entry.value, classes)?))
    });
    profiles.collect()
}

fn profile<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, classes: &BTreeSet<String>) -> Option<Profile> {
    let fields = decoder.fields(node, "a profile", &PROFILE_KEYS)?;
    let users = fields.get("users");
    let spawn_rate = fields.get("spawn_rate");
    let load = ProfileLoad {
        users: users.and_then(|node| decoder.integer(node, "`users`", 1, u32::MAX)),
        spawn_rate: spawn_rate
            .and_then(|node| decoder.number(node, "`spawn_rate`", "above 0", |rate| rate > 0.0)),
        run_time: fields.get("run_time").and_then(|node| run_time(decoder, node)),
    };
    Some(Profile {
        host: host(decoder, &fields),
        wait_time: wait_time(decoder, &fields),
        criteria: criteria(decoder, &fields),
        shape: fields.get("shape").and_then(|node| shape(decoder, node, classes)).map(Arc::new),
        arrivals: fields.get("arrivals").and_then(|node| arrivals(decoder, node)),
        load,
    })
}

fn run_time<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Duration> {
    let run_time = decoder.parsed(node, "`run_time`", parse_timespan)?;
    if run_time.is_zero() {
        decoder.note(node.at, "`run_time` must be above 0");
    }
    Some(run_time)
}

pub(super) fn host<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Option<Host> {
    let node = fields.get("host")?;
    decoder.text(node, "`host`")?;
    decoder.parsed(node, "`host`", Host::parse)
}

pub(super) fn wait_time<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Option<WaitTime> {
    fields.get("wait_time").and_then(|node| decoder.parsed(node, "`wait_time`", WaitTime::parse))
}

fn criteria<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Vec<Criterion> {
    let Some(node) = fields.get("criteria") else { return Vec::new() };
    let items = decoder.items(node, "`criteria`").unwrap_or_default();
    items.iter().filter_map(|item| decoder.parsed(item, "a criterion", Criterion::parse)).collect()
}
