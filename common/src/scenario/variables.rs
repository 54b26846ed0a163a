//! The variables that steps define, found before the steps are read: a variable may be used in front of the step that
//! sets it, because another task may have run before.
//!
//! A variable that is read before it was set fails that rendering; a name that nothing sets is a mistake of the file.

use std::collections::BTreeSet;

use super::document::{Content, Entry, Node};

/// The keys under which steps and tasks stand.
const WITH_STEPS: [&str; 6] = ["on_start", "on_stop", "tasks", "steps", "then", "else"];

/// What the steps of a class define, wherever they stand in it.
pub(super) fn variables_of_class(class: &Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    inside(class, &mut found);
    found
}

/// What a list of steps defines.
pub(super) fn variables_of_steps(steps: &Node<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    items_of(steps).iter().for_each(|step| item(step, &mut found));
    found
}

/// Looks into everything that holds steps. Recursion is bounded by the depth of the document.
fn inside(node: &Node<'_>, found: &mut BTreeSet<String>) {
    for entry in entries_of(node).iter().filter(|entry| WITH_STEPS.contains(&&*entry.key)) {
        items_of(&entry.value).iter().for_each(|step| item(step, found));
    }
}

/// A step or a task.
fn item(node: &Node<'_>, found: &mut BTreeSet<String>) {
    for key in ["set", "capture"] {
        let entries = value_of(node, key).map(entries_of).unwrap_or_default();
        found.extend(entries.iter().map(|entry| entry.key.to_string()));
    }
    let named = value_of(node, "as").or(value_of(node, "feed")).and_then(text_of);
    found.extend(named.map(str::to_owned));
    inside(node, found);
}

fn items_of<'n, 't>(node: &'n Node<'t>) -> &'n [Node<'t>] {
    match &*node.content {
        Content::List(items) => items,
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

fn text_of<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    match &*node.content {
        Content::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}
