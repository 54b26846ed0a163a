//! Reads user classes, their tasks and groups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::arrivals::arrivals;
use super::class::{Group, Order, Task, TaskBody, Tasks, UserClass};
use super::compile::Names;
use super::decode::{Decoder, Fields};
use super::document::{Content, Entry, Node, Position};
use super::http::HttpOptions;
use super::http_options::http_options;
use super::load::{host, wait_time};
use super::step::Step;
use super::steps::{some_steps, steps};
use super::variables::variables_of_class;
use crate::wait::WaitTime;

const CLASS_KEYS: [&str; 10] = [
    "weight",
    "fixed_count",
    "host",
    "http",
    "wait_time",
    "order",
    "arrivals",
    "on_start",
    "on_stop",
    "tasks",
];

const TASK_KEYS: [&str; 4] = ["name", "weight", "tags", "steps"];

const GROUP_KEYS: [&str; 9] =
    ["name", "weight", "tags", "order", "iterations", "wait_time", "on_start", "on_stop", "tasks"];

const ORDERS: [(&str, Order); 2] = [("random", Order::Random), ("sequential", Order::Sequential)];

/// Reads all user classes. `http` holds the scenario's own options, `names` what every class may use.
pub(super) fn users<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    http: &HttpOptions,
    names: &Names,
) -> Vec<UserClass> {
    let Some(entries) = decoder.entries(node, "`users`") else { return Vec::new() };
    if entries.is_empty() {
        decoder.note_with_help(
            node.at,
            "`users` is empty",
            Some("a scenario has at least one user class".into()),
        );
    }
    let classes = entries.iter().filter_map(|entry| user_class(decoder, entry, http, names));
    let classes: Vec<UserClass> = classes.collect();
    if !classes.is_empty()
        && classes
            .iter()
            .all(|class| class.weight == 0.0 && class.fixed_count == 0 && class.arrivals.is_none())
    {
        let help = Some("give one a `weight` or a `fixed_count`".into());
        decoder.note_with_help(node.at, "no class would ever get a user: every weight is 0", help);
    }
    classes
}

fn user_class<'t>(
    decoder: &mut Decoder<'t>,
    entry: &Entry<'t>,
    http: &HttpOptions,
    names: &Names,
) -> Option<UserClass> {
    decoder.identifier(&entry.key, entry.key_at, "a user class");
    let fields = decoder.fields(&entry.value, "a user class", &CLASS_KEYS)?;
    let mut names = Names { class: entry.key.to_string(), once_per_run: false, ..names.clone() };
    names.variables.extend(variables_of_class(&entry.value));
    let weight = fields.get("weight");
    let weight = weight.map(|node| decoder.number(node, "`weight`", "at least 0", |weight| weight >= 0.0));
    let fixed_count = fields.get("fixed_count");
    let fixed_count = fixed_count.map(|node| decoder.integer(node, "`fixed_count`", 0, u32::MAX));
    let host = host(decoder, &fields);
    let own_http = fields.get("http").and_then(|node| http_options(decoder, node, &names));
    let wait_time = wait_time(decoder, &fields).unwrap_or(WaitTime::Constant(Duration::ZERO));
    let order = order(decoder, &fields);
    let arrivals = fields.get("arrivals").and_then(|node| arrivals(decoder, node));
    if let (Some(_), Some(entry)) = (fields.get("arrivals"), fields.entry("fixed_count")) {
        let help = "arrivals bring as many users as they need, up to `max_users`".to_owned();
        decoder.note_with_help(entry.key_at, "a class with `arrivals` has no `fixed_count`", Some(help));
    }
    let (on_start, on_stop) = hooks(decoder, &fields, &names);
    let tasks = match fields.get("tasks") {
        Some(node) => tasks(decoder, node, order, &Surroundings { names, tags: Vec::new(), wait_time }),
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
        http: own_http.unwrap_or_default().over(http),
        wait_time,
        arrivals,
        on_start,
        on_stop,
        tasks: tasks?,
    })
}

/// What tasks inherit.
#[derive(Clone)]
struct Surroundings {
    names: Names,
    tags: Vec<Arc<str>>,
    wait_time: WaitTime,
}

fn order<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>) -> Order {
    fields.get("order").and_then(|node| decoder.word(node, "`order`", &ORDERS)).unwrap_or_default()
}

fn hooks<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>, names: &Names) -> (Vec<Step>, Vec<Step>) {
    let mut hook = |key: &str| match fields.get(key) {
        Some(node) => steps(decoder, node, &format!("`{key}`"), names),
        None => Vec::new(),
    };
    (hook("on_start"), hook("on_stop"))
}

fn tasks<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    order: Order,
    around: &Surroundings,
) -> Option<Tasks> {
    let items = decoder.items(node, "`tasks`")?;
    if items.is_empty() {
        let what = if around.names.in_group { "a group" } else { "a user class" };
        decoder.note_with_help(node.at, "`tasks` is empty", Some(format!("{what} has at least one task")));
    }
    let mut seen: HashMap<Arc<str>, Position> = HashMap::new();
    let mut tasks = Vec::with_capacity(items.len());
    for item in items {
        let Some((task, at)) = task(decoder, item, around) else { continue };
        if let Some(first) = seen.get(&task.name) {
            let message = format!("duplicate task `{}`; it is on line {} too", task.name, first.line);
            decoder.note(at, message);
            continue;
        }
        seen.insert(task.name.clone(), at);
        tasks.push(task);
    }
    Tasks::new(order, tasks)
}

/// A task or a group, and where its name stands.
fn task<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, around: &Surroundings) -> Option<(Task, Position)> {
    let is_group =
        matches!(&*node.content, Content::Map(entries) if entries.iter().any(|entry| &*entry.key == "tasks"));
    let (what, keys): (_, &[&str]) =
        if is_group { ("a group of tasks", &GROUP_KEYS) } else { ("a task", &TASK_KEYS) };
    let fields = decoder.fields(node, what, keys)?;
    let weight = fields.get("weight");
    let weight = weight.map(|node| decoder.integer(node, "`weight`", 1, u32::MAX));
    let mut tags = around.tags.clone();
    tags.extend(fields.get("tags").map(|node| self::tags(decoder, node)).unwrap_or_default());
    let body = if is_group {
        group(decoder, &fields, &Surroundings { tags: tags.clone(), ..around.clone() })
            .map(|group| TaskBody::Group(Box::new(group)))
    } else {
        let steps = match fields.get("steps") {
            Some(node) => some_steps(decoder, node, "`steps`", &around.names),
            None => {
                decoder.note(fields.at, "the task has no `steps`");
                Vec::new()
            }
        };
        Some(TaskBody::Steps(steps))
    };
    let Some(name) = fields.get("name") else {
        decoder.note(fields.at, "the task has no `name`");
        return None;
    };
    let text = decoder.text(name, "`name`")?;
    if text.trim().is_empty() {
        decoder.note(name.at, "the `name` of a task must not be empty");
    }
    let weight = weight.flatten().unwrap_or(1);
    Some((Task { name: text.into(), weight, tags, body: body? }, name.at))
}

fn tags<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Vec<Arc<str>> {
    let items = decoder.items(node, "`tags`").unwrap_or_default();
    items.iter().filter_map(|item| decoder.text_or_number(item, "a tag").map(Arc::from)).collect()
}

fn group<'t>(decoder: &mut Decoder<'t>, fields: &Fields<'_, 't>, around: &Surroundings) -> Option<Group> {
    let mut around = around.clone();
    let order = order(decoder, fields);
    let iterations = fields.get("iterations");
    let written = iterations.map(|node| decoder.integer(node, "`iterations`", 1, u32::MAX));
    let wait_time = own_wait(decoder, fields, &around);
    // The hooks of a group run inside of it, but only its tasks can leave it.
    let (on_start, on_stop) = hooks(decoder, fields, &Names { in_group: false, ..around.names.clone() });
    around.names.in_group = true;
    let tasks = tasks(decoder, fields.get("tasks")?, order, &around)?;
    let one_pass = (order == Order::Sequential).then(|| tasks.total_weight());
    let iterations = written.flatten().map(u64::from).or_else(|| one_pass.filter(|_| !interrupts(&tasks)));
    if iterations.is_none() && written.is_none() && !interrupts(&tasks) {
        let help = "give it `iterations`, or one of its tasks the step `interrupt`".to_owned();
        decoder.note_with_help(fields.at, "nothing ever leaves this group", Some(help));
    }
    Some(Group { tasks, iterations, wait_time, on_start, on_stop })
}

fn own_wait<'t>(
    decoder: &mut Decoder<'t>,
    fields: &Fields<'_, 't>,
    around: &Surroundings,
) -> Option<WaitTime> {
    let wait = wait_time(decoder, fields)?;
    let is_schedule =
        |wait: &WaitTime| matches!(wait, WaitTime::ConstantPacing(_) | WaitTime::ConstantThroughput(_));
    if is_schedule(&wait) || is_schedule(&around.wait_time) {
        let help = "pace the class, or neither".to_owned();
        let at = fields.entry("wait_time").map_or(fields.at, |entry| entry.key_at);
        decoder.note_with_help(
            at,
            "a group has no pace of its own, and none where its class is paced",
            Some(help),
        );
    }
    Some(wait)
}

/// Whether one of these tasks leaves the group that it is in. Those of inner groups leave only those.
fn interrupts(tasks: &Tasks) -> bool {
    let mut found = false;
    for task in tasks.iter() {
        if let TaskBody::Steps(steps) = &task.body {
            let mut look = |step: &Step| found |= matches!(step, Step::Interrupt);
            steps.iter().for_each(|step| step.visit(&mut look));
        }
    }
    found
}
