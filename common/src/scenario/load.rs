//! Reads a scenario file: its top level, classes, tasks and profiles.
//!
//! The vocabulary of each level is the list of keys that its function hands to the decoder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::compile::Names;
use super::decode::{Decoder, Fields};
use super::document::{Content, Entry, FILE_BYTES_MAX, Node, Position, parse};
use super::host::Host;
use super::model::{Profile, ProfileLoad, Scenario, Task, Tasks, UserClass};
use super::note::{Note, Notes};
use super::steps;
use crate::criteria::Criterion;
use crate::timespan::parse_timespan;
use crate::wait::WaitTime;

const SCENARIO_KEYS: [&str; 4] = ["host", "users", "profiles", "criteria"];
const CLASS_KEYS: [&str; 7] = ["weight", "fixed_count", "host", "wait_time", "on_start", "on_stop", "tasks"];
const TASK_KEYS: [&str; 3] = ["name", "weight", "steps"];
const PROFILE_KEYS: [&str; 6] = ["users", "spawn_rate", "run_time", "wait_time", "criteria", "host"];

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
    let users = match fields.get("users") {
        Some(node) => users(decoder, node),
        None => {
            decoder.note_with_help(
                root.at,
                "`users` is missing",
                Some("a scenario has at least one user class".into()),
            );
            Vec::new()
        }
    };
    Some(Scenario {
        host: host(decoder, &fields),
        users,
        profiles: fields.get("profiles").map(|node| profiles(decoder, node)).unwrap_or_default(),
        criteria: criteria(decoder, &fields),
    })
}

fn users<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Vec<UserClass> {
    let Some(entries) = decoder.entries(node, "`users`") else { return Vec::new() };
    if entries.is_empty() {
        decoder.note_with_help(
            node.at,
            "`users` is empty",
            Some("a scenario has at least one user class".into()),
        );
    }
    let classes: Vec<UserClass> = entries.iter().filter_map(|entry| user_class(decoder, entry)).collect();
    if !classes.is_empty() && classes.iter().all(|class| class.weight == 0.0 && class.fixed_count == 0) {
        let help = Some("give one a `weight` or a `fixed_count`".into());
        decoder.note_with_help(node.at, "no class would ever get a user: every weight is 0", help);
    }
    classes
}

fn user_class<'t>(decoder: &mut Decoder<'t>, entry: &Entry<'t>) -> Option<UserClass> {
    decoder.identifier(&entry.key, entry.key_at, "a user class");
    let fields = decoder.fields(&entry.value, "a user class", &CLASS_KEYS)?;
    let names = Names { class: entry.key.to_string(), variables: variables(&fields) };
    let weight = fields.get("weight");
    let weight = weight.map(|node| decoder.number(node, "`weight`", "at least 0", |weight| weight >= 0.0));
    let fixed_count = fields.get("fixed_count");
    let fixed_count = fixed_count.map(|node| decoder.integer(node, "`fixed_count`", 0, u32::MAX));
    let host = host(decoder, &fields);
    let wait_time = wait_time(decoder, &fields).unwrap_or(WaitTime::Constant(Duration::ZERO));
    let mut hook = |key: &str| match fields.get(key) {
        Some(node) => steps::steps(decoder, node, &format!("`{key}`"), &names),
        None => Vec::new(),
    };
    let (on_start, on_stop) = (hook("on_start"), hook("on_stop"));
    let tasks = match fields.get("tasks") {
        Some(node) => tasks(decoder, node, &names),
        None => {
            decoder.note(entry.key_at, format!("`{}` has no `tasks`", entry.key));
            None
        }
    };
    Some(UserClass {
        name: entry.key.to_string(),
        weight: weight.flatten().unwrap_or(1.0),
        fixed_count: fixed_count.flatten().unwrap_or(0),
        host,
        wait_time,
        on_start,
        on_stop,
        tasks: tasks?,
    })
}

fn tasks<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Option<Tasks> {
    let items = decoder.items(node, "`tasks`")?;
    if items.is_empty() {
        decoder.note_with_help(
            node.at,
            "`tasks` is empty",
            Some("a user class has at least one task".into()),
        );
    }
    let mut seen: HashMap<Arc<str>, Position> = HashMap::new();
    let mut tasks = Vec::with_capacity(items.len());
    for item in items {
        let Some((task, at)) = task(decoder, item, names) else { continue };
        if let Some(first) = seen.get(&task.name) {
            let message = format!("duplicate task `{}`; it is on line {} too", task.name, first.line);
            decoder.note(at, message);
            continue;
        }
        seen.insert(task.name.clone(), at);
        tasks.push(task);
    }
    Tasks::new(tasks)
}

/// A task, and where its name stands.
fn task<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, names: &Names) -> Option<(Task, Position)> {
    let fields = decoder.fields(node, "a task", &TASK_KEYS)?;
    let weight = fields.get("weight");
    let weight = weight.map(|node| decoder.integer(node, "`weight`", 1, u32::MAX));
    let steps = match fields.get("steps") {
        Some(node) => {
            let is_empty = matches!(&*node.content, Content::List(items) if items.is_empty());
            if is_empty {
                decoder.note_with_help(
                    node.at,
                    "`steps` is empty",
                    Some("a task has at least one step".into()),
                );
            }
            steps::steps(decoder, node, "`steps`", names)
        }
        None => {
            decoder.note(fields.at, "the task has no `steps`");
            Vec::new()
        }
    };
    let Some(name) = fields.get("name") else {
        decoder.note(fields.at, "the task has no `name`");
        return None;
    };
    let text = decoder.text(name, "`name`")?;
    if text.trim().is_empty() {
        decoder.note(name.at, "the `name` of a task must not be empty");
    }
    Some((Task { name: text.into(), weight: weight.flatten().unwrap_or(1), steps }, name.at))
}

/// The variables that any step of a class sets. A variable may be read before its `set` ran, which then fails that
/// rendering; a name that nothing sets is a mistake of the file.
fn variables(class: &Fields<'_, '_>) -> BTreeSet<String> {
    let hooks = ["on_start", "on_stop"].into_iter().map(|key| items_of(class.get(key)));
    let tasks = items_of(class.get("tasks")).iter().map(|task| items_of(value_of(task, "steps")));
    let set = hooks.chain(tasks).flatten().filter_map(|step| value_of(step, "set"));
    set.flat_map(entries_of).map(|entry| entry.key.to_string()).collect()
}

fn items_of<'n, 't>(node: Option<&'n Node<'t>>) -> &'n [Node<'t>] {
    match node.map(|node| &*node.content) {
        Some(Content::List(items)) => items,
        _ => &[],
    }
}

fn entries_of<'n, 't>(node: &'n Node<'t>) -> &'n [Entry<'t>] {
    match &*node.content {
        Content::Map(entries) => entries,
        _ => &[],
    }
}

fn value_of<'n, 't>(node: &'n Node<'t>, key: &str) -> Option<&'n Node<'t>> {
    entries_of(node).iter().find(|entry| &*entry.key == key).map(|entry| &entry.value)
}

fn profiles<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> BTreeMap<String, Profile> {
    let Some(entries) = decoder.entries(node, "`profiles`") else { return BTreeMap::new() };
    let profiles = entries.iter().filter_map(|entry| {
        decoder.identifier(&entry.key, entry.key_at, "a profile");
        Some((entry.key.to_string(), profile(decoder, &entry.value)?))
    });
    profiles.collect()
}

fn profile<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Profile> {
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

fn host<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Option<Host> {
    let node = fields.get("host")?;
    decoder.text(node, "`host`")?;
    decoder.parsed(node, "`host`", Host::parse)
}

fn wait_time<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Option<WaitTime> {
    fields.get("wait_time").and_then(|node| decoder.parsed(node, "`wait_time`", WaitTime::parse))
}

fn criteria<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Vec<Criterion> {
    let Some(node) = fields.get("criteria") else { return Vec::new() };
    let items = decoder.items(node, "`criteria`").unwrap_or_default();
    items.iter().filter_map(|item| decoder.parsed(item, "a criterion", Criterion::parse)).collect()
}
