//! A YAML text as a tree of nodes that know where they stand.
//!
//! The tree is built from the parser's events rather than by the YAML library's own loader, for three reasons:
//! duplicate keys become notes instead of ending the reading, aliases share their anchor's node instead of
//! copying it, and depth and size are bounded before anything recursive sees the tree.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use saphyr::Scalar;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::note::{Note, Notes};

/// The longest scenario file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// The deepest nesting of lists and mappings, aliases expanded.
const DEPTH_MAX: usize = 64;

/// The most nodes of a file, aliases expanded.
const NODES_MAX: usize = 100_000;

/// A position in the file, both counted from 1; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A node of the tree.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    /// Where it begins; for an alias, where the alias stands.
    pub(super) at: Position,
    pub(super) content: Rc<Content<'t>>,
    /// Nodes in this tree, aliases expanded.
    size: usize,
    /// Levels of nesting in this tree; 0 for a scalar.
    height: usize,
}

#[derive(Debug)]
pub(super) enum Content<'t> {
    Scalar(ScalarNode<'t>),
    List(Vec<Node<'t>>),
    Map(Vec<Entry<'t>>),
}

/// A scalar: its text as written (quotes and escapes resolved) and what YAML takes it for.
#[derive(Debug)]
pub(super) struct ScalarNode<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) value: Scalar<'t>,
    /// Where it was written, also if an alias brought it here.
    pub(super) written_at: Position,
    pub(super) style: ScalarStyle,
}

/// A key and its value. Keys are unique within their mapping.
#[derive(Clone, Debug)]
pub(super) struct Entry<'t> {
    pub(super) key: Rc<str>,
    pub(super) key_at: Position,
    pub(super) value: Node<'t>,
}

/// Parses a text into the one document that it must hold.
///
/// Mistakes that leave a usable tree, such as duplicate keys, are added to `notes`; the error is the mistake that
/// does not.
pub(super) fn parse<'t>(file: &str, text: &'t str, notes: &mut Vec<Note>) -> Result<Node<'t>, Notes> {
    let mut builder =
        Builder { file, notes, open: Vec::new(), anchors: HashMap::new(), root: None, nodes: 0 };
    let stop = |note: Note, notes: &mut Vec<Note>| {
        notes.push(note);
        Notes::new(std::mem::take(notes))
    };
    for event in Parser::<'t, StrInput<'t>>::new_from_str(text) {
        let result = match event {
            Ok((event, span)) => builder.on_event(event, span),
            Err(error) => {
                Err(builder.note(position(*error.marker()), format!("not valid YAML: {}", error.info())))
            }
        };
        if let Err(note) = result {
            return Err(stop(note, builder.notes));
        }
    }
    match builder.root.take() {
        Some(root) => Ok(root),
        None => {
            let mut note = builder.note(Position { line: 1, column: 1 }, "the file says nothing".to_owned());
            note.help = Some("a scenario has at least `users`".to_owned());
            Err(stop(note, builder.notes))
        }
    }
}

struct Builder<'t, 'n> {
    file: &'n str,
    notes: &'n mut Vec<Note>,
    open: Vec<Open<'t>>,
    anchors: HashMap<usize, Node<'t>>,
    root: Option<Node<'t>>,
    /// Nodes so far, aliases expanded.
    nodes: usize,
}

/// A list or mapping whose end has not come yet.
struct Open<'t> {
    at: Position,
    anchor: usize,
    children: Children<'t>,
}

enum Children<'t> {
    List(Vec<Node<'t>>),
    Map {
        entries: Vec<Entry<'t>>,
        index: HashMap<Rc<str>, usize>,
        key: Option<Node<'t>>,
        /// The value of `<<`.
        merged: Option<Node<'t>>,
    },
}

impl<'t> Builder<'t, '_> {
    fn on_event(&mut self, event: Event<'t>, span: Span) -> Result<(), Note> {
        let at = position(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(self.note(at, "a second document begins here; a scenario is one document".to_owned()))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let node = Node { at, ..node.clone() };
                    self.count(at, node.size)?;
                    self.place(node)
                }
                None => Err(self.note(at, "an alias inside of its own anchor".to_owned())),
            },
            Event::Scalar(text, style, anchor, tag) => {
                self.count(at, 1)?;
                let node = self.scalar(at, text, style, tag.as_ref())?;
                self.finish(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(at, tag.as_deref())?;
                self.begin(at, anchor, Children::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(at, tag.as_deref())?;
                let (entries, index) = (Vec::new(), HashMap::new());
                self.begin(at, anchor, Children::Map { entries, index, key: None, merged: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn scalar(
        &mut self,
        at: Position,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<&Cow<'t, Tag>>,
    ) -> Result<Node<'t>, Note> {
        self.refuse_tag(at, tag.map(|tag| &**tag))?;
        let Some(value) = Scalar::parse_from_cow_and_metadata(text.clone(), style, tag) else {
            return Err(self.note(at, format!("`{text}` is not what its tag says")));
        };
        let scalar = ScalarNode { text, value, written_at: at, style };
        Ok(Node { at, content: Rc::new(Content::Scalar(scalar)), size: 1, height: 0 })
    }

    fn refuse_tag(&self, at: Position, tag: Option<&Tag>) -> Result<(), Note> {
        match tag {
            Some(tag) if !tag.is_yaml_core_schema() => {
                Err(self.note(at, format!("the tag `{}{}` means nothing here", tag.handle, tag.suffix)))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, at: Position, anchor: usize, children: Children<'t>) -> Result<(), Note> {
        if self.open.len() >= DEPTH_MAX {
            return Err(self.note(at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.count(at, 1)?;
        self.open.push(Open { at, anchor, children });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Note> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let content = match open.children {
            Children::List(list) => Content::List(list),
            Children::Map { mut entries, index, merged, .. } => {
                if let Some(merged) = merged {
                    self.merge(&mut entries, index, &merged)?;
                }
                Content::Map(entries)
            }
        };
        let (size, height) = {
            let children: Box<dyn Iterator<Item = &Node<'t>>> = match &content {
                Content::Scalar(_) => Box::new(std::iter::empty()),
                Content::List(list) => Box::new(list.iter()),
                Content::Map(entries) => Box::new(entries.iter().map(|entry| &entry.value)),
            };
            children.fold((1, 0), |(size, height), child| (size + child.size, height.max(child.height)))
        };
        self.finish(Node { at: open.at, content: Rc::new(content), size, height: height + 1 }, open.anchor)
    }

    /// Adds what `<<` brings: entries whose keys the mapping does not have, the first mapping first.
    fn merge(
        &mut self,
        entries: &mut Vec<Entry<'t>>,
        mut index: HashMap<Rc<str>, usize>,
        merged: &Node<'t>,
    ) -> Result<(), Note> {
        let sources = match &*merged.content {
            Content::List(list) => list.as_slice(),
            _ => std::slice::from_ref(merged),
        };
        for source in sources {
            let Content::Map(brought) = &*source.content else {
                return Err(self.note(source.at, "`<<` takes a mapping or a list of mappings".to_owned()));
            };
            for entry in brought {
                if !index.contains_key(&entry.key) {
                    self.count(source.at, entry.value.size)?;
                    index.insert(entry.key.clone(), entries.len());
                    entries.push(entry.clone());
                }
            }
        }
        Ok(())
    }

    /// Counts nodes as they come, aliased and merged ones each time, before anything is copied.
    fn count(&mut self, at: Position, nodes: usize) -> Result<(), Note> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > NODES_MAX {
            return Err(self.note(at, format!("more than {NODES_MAX} values, aliases expanded")));
        }
        Ok(())
    }

    fn finish(&mut self, node: Node<'t>, anchor: usize) -> Result<(), Note> {
        // The parser counts anchors from 1.
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        self.place(node)
    }

    /// Puts a finished node where it belongs. Aliased trees are counted each time.
    fn place(&mut self, node: Node<'t>) -> Result<(), Note> {
        if self.open.len() + node.height > DEPTH_MAX {
            return Err(self.note(node.at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        let file = self.file;
        let Some(Open { children, .. }) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match children {
            Children::List(list) => list.push(node),
            Children::Map { entries, index, key, merged } => match key.take() {
                None => *key = Some(node),
                Some(key) => {
                    let Content::Scalar(scalar) = &*key.content else {
                        return Err(note(file, key.at, "a key must be text".to_owned()));
                    };
                    if scalar.text == "<<" && scalar.style == ScalarStyle::Plain && merged.is_none() {
                        *merged = Some(node);
                        return Ok(());
                    }
                    let text: Rc<str> = Rc::from(&*scalar.text);
                    if let Some(first) = index.get(&text).map(|first| &entries[*first]) {
                        let line = first.key_at.line;
                        self.notes.push(note(
                            file,
                            key.at,
                            format!("duplicate key `{text}`; it is on line {line} too"),
                        ));
                        return Ok(());
                    }
                    index.insert(text.clone(), entries.len());
                    entries.push(Entry { key: text, key_at: key.at, value: node });
                }
            },
        }
        Ok(())
    }

    fn note(&self, at: Position, message: String) -> Note {
        note(self.file, at, message)
    }
}

fn note(file: &str, at: Position, message: String) -> Note {
    Note { file: file.to_owned(), line: at.line, column: at.column, message, help: None }
}

/// The parser counts columns from 0 and lines from 1.
fn position(marker: Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

impl Node<'_> {
    /// What the node is, in the words of the notes.
    pub(super) fn kind(&self) -> &'static str {
        match &*self.content {
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
            Content::Scalar(scalar) => match scalar.value {
                Scalar::Null => "nothing",
                Scalar::Boolean(_) => "true or false",
                Scalar::Integer(_) | Scalar::FloatingPoint(_) => "a number",
                Scalar::String(_) => "text",
            },
        }
    }
}

impl ScalarNode<'_> {
    /// Where the byte `offset` of the scalar's text stands in the file; where the scalar begins if escapes or
    /// folded lines make that uncertain.
    pub(super) fn position_of(&self, offset: usize, file: &str) -> Position {
        let start = self.written_at;
        let before = &self.text[..offset.min(self.text.len())];
        let line_in_text = before.matches('\n').count();
        let Some(text_line) = self.text.lines().nth(line_in_text) else { return start };
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (line, from) = match self.style {
            // The parser lets a block begin where its first line of text does.
            ScalarStyle::Literal => (start.line + line_in_text, 0),
            _ if line_in_text == 0 => (start.line, start.column - 1),
            _ => return start,
        };
        let Some(file_line) = file.lines().nth(line - 1) else { return start };
        let skipped: usize = file_line.chars().take(from).map(char::len_utf8).sum();
        match file_line[skipped..].find(text_line) {
            Some(found) => {
                let column =
                    file_line[..skipped + found].chars().count() + before[line_start..].chars().count() + 1;
                Position { line, column }
            }
            None => start,
        }
    }
}
