//! Reads `shape`: the number of users over time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::compile::{Names, did_you_mean};
use super::decode::{Decoder, Fields};
use super::document::Node;
use super::tick::{TICK_VARIABLES, TickExpression};
use crate::dispatch::{MAX_USERS, SpawnRate};
use crate::shape::{Shape, ShapeError, Stage};
use crate::timespan::parse_duration;

/// The kinds of shapes, of which each has exactly one.
const KINDS: [&str; 6] = ["stages", "ramp", "steps", "spike", "sine", "tick"];

/// Reads the shape of a scenario or a profile. `classes` are the names of the user classes.
pub(super) fn shape<'t>(
    decoder: &mut Decoder<'t>,
    node: &Node<'t>,
    classes: &BTreeSet<String>,
) -> Option<Shape> {
    let fields = decoder.fields(node, "`shape`", &KINDS)?;
    let kinds: Vec<&str> = KINDS.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
    let [kind] = kinds.as_slice() else {
        let help = format!("it has one of {}", KINDS.join(", "));
        decoder.note_with_help(node.at, "a shape is of one kind", Some(help));
        return None;
    };
    let node = fields.get(kind)?;
    match *kind {
        "stages" => stages(decoder, node, classes),
        "ramp" => ramp(decoder, node),
        "steps" => steps(decoder, node),
        "spike" => spike(decoder, node),
        "sine" => sine(decoder, node),
        _ => tick(decoder, node),
    }
}

fn made<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, shape: Result<Shape, ShapeError>) -> Option<Shape> {
    shape.map_err(|error| decoder.note(node.at, error)).ok()
}

fn stages<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, classes: &BTreeSet<String>) -> Option<Shape> {
    let items = decoder.items(node, "`stages`")?;
    let stages: Vec<Option<Stage>> = items.iter().map(|item| stage(decoder, item, classes)).collect();
    let stages = stages.into_iter().collect::<Option<Vec<_>>>()?;
    made(decoder, node, Shape::stages(stages))
}

fn stage<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, classes: &BTreeSet<String>) -> Option<Stage> {
    let keys = ["duration", "users", "spawn_rate", "user_classes"];
    let mut reader = Reader::new(decoder, node, "a stage", &keys)?;
    let duration = reader.duration("duration");
    let users = reader.users("users");
    let spawn_rate = reader.spawn_rate();
    let names = reader.fields.get("user_classes").map(|node| class_names(reader.decoder, node, classes));
    Some(Stage { duration: duration?, users: users?, spawn_rate, classes: names })
}

fn class_names<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>, classes: &BTreeSet<String>) -> Vec<String> {
    let mut names = Vec::new();
    for item in decoder.items(node, "`user_classes`").unwrap_or_default() {
        let Some(name) = decoder.text(item, "a user class") else { continue };
        if !classes.contains(name) {
            let help = did_you_mean(name, classes.iter().map(String::as_str));
            decoder.note_with_help(item.at, format!("there is no user class `{name}`"), help);
        }
        names.push(name.to_owned());
    }
    names
}

fn ramp<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Shape> {
    let mut reader = Reader::new(decoder, node, "a ramp", &["from", "to", "duration", "hold"])?;
    let from = reader.optional_users("from").unwrap_or(0);
    let (to, duration) = (reader.users("to"), reader.duration("duration"));
    let hold = reader.optional_duration("hold").unwrap_or_default();
    let shape = Shape::ramp(from, to?, duration?, hold);
    made(decoder, node, shape)
}

fn steps<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Shape> {
    let mut reader = Reader::new(decoder, node, "steps", &["from", "step", "every", "to", "spawn_rate"])?;
    let (step, every, to) = (reader.users("step"), reader.duration("every"), reader.users("to"));
    // The first step begins with as many users as every step adds.
    let from = reader.optional_users("from").or(step);
    let spawn_rate = reader.spawn_rate();
    let shape = Shape::steps(from?, step?, every?, to?, spawn_rate);
    made(decoder, node, shape)
}

fn spike<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Shape> {
    let keys = ["base", "peak", "at", "duration", "run_time", "spawn_rate"];
    let mut reader = Reader::new(decoder, node, "a spike", &keys)?;
    let (base, peak) = (reader.users("base"), reader.users("peak"));
    let (at, duration) = (reader.duration("at"), reader.duration("duration"));
    let (run_time, spawn_rate) = (reader.duration("run_time"), reader.spawn_rate());
    let shape = Shape::spike(base?, peak?, at?, duration?, run_time?, spawn_rate);
    made(decoder, node, shape)
}

fn sine<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Shape> {
    let mut reader = Reader::new(decoder, node, "a sine", &["min", "max", "period", "run_time"])?;
    let (min, max) = (reader.users("min"), reader.users("max"));
    let (period, run_time) = (reader.duration("period"), reader.duration("run_time"));
    let shape = Shape::sine(min?, max?, period?, run_time?);
    made(decoder, node, shape)
}

fn tick<'t>(decoder: &mut Decoder<'t>, node: &Node<'t>) -> Option<Shape> {
    let variables = TICK_VARIABLES.into_iter().map(str::to_owned).collect();
    let names = Names { class: "tick".to_owned(), variables, ..Names::default() };
    let expression = super::steps::expression(decoder, node, "`tick`", &names)?;
    Some(Shape::tick(Arc::new(TickExpression(expression))))
}

/// Reads the parts of one kind of shape.
struct Reader<'d, 'n, 't> {
    decoder: &'d mut Decoder<'t>,
    fields: Fields<'n, 't>,
    what: &'static str,
}

impl<'d, 'n, 't> Reader<'d, 'n, 't> {
    fn new(
        decoder: &'d mut Decoder<'t>,
        node: &'n Node<'t>,
        what: &'static str,
        keys: &[&str],
    ) -> Option<Self> {
        let fields = decoder.fields(node, what, keys)?;
        Some(Self { decoder, fields, what })
    }

    fn required(&mut self, key: &str) -> Option<&'n Node<'t>> {
        let node = self.fields.get(key);
        if node.is_none() {
            self.decoder.note(self.fields.at, format!("{} has no `{key}`", self.what));
        }
        node
    }

    fn users(&mut self, key: &str) -> Option<u32> {
        let node = self.required(key)?;
        self.decoder.integer(node, &format!("`{key}`"), 0, MAX_USERS)
    }

    fn optional_users(&mut self, key: &str) -> Option<u32> {
        let node = self.fields.get(key)?;
        self.decoder.integer(node, &format!("`{key}`"), 0, MAX_USERS)
    }

    fn duration(&mut self, key: &str) -> Option<Duration> {
        let node = self.required(key)?;
        self.decoder.parsed(node, &format!("`{key}`"), parse_duration)
    }

    fn optional_duration(&mut self, key: &str) -> Option<Duration> {
        let node = self.fields.get(key)?;
        self.decoder.parsed(node, &format!("`{key}`"), parse_duration)
    }

    fn spawn_rate(&mut self) -> Option<SpawnRate> {
        let node = self.fields.get("spawn_rate")?;
        let rate = self.decoder.number(node, "`spawn_rate`", "above 0", |rate| rate > 0.0)?;
        SpawnRate::per_second(rate).ok()
    }
}
