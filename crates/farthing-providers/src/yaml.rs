//! YAML as a tree that keeps each value's text and place.
//!
//! It is built from the events of `granit-parser` and not by a typed deserialiser, for three
//! reasons: `0.1 USD` must stay the text `0.1` (a float would already be another number), every
//! value needs its line and column for messages, and a wrong field must not hide the ones after
//! it. This module knows YAML and nothing of what the values mean. Limits: depth, the number of
//! values after aliases are expanded, and the length of a scalar's file, which the reader checks.

mod write;

pub(crate) use write::write;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Span, options};
use std::collections::HashMap;

/// Deepest nesting of lists and maps. Manifests need eight.
const DEPTH_MAX: usize = 64;
/// Most values of one document, aliases expanded.
const VALUES_MAX: usize = 500_000;

/// Where in a file something is, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) spot: Spot,
    pub(crate) value: Value,
}

/// A key of a map and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) spot: Spot,
    pub(crate) name: String,
}

/// What a value is. Scalars stay text: what they mean is their reader's business.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// Why a text is not a YAML document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct YamlError {
    pub(crate) spot: Spot,
    pub(crate) what: String,
}

impl Node {
    /// What the value is called in messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a plain value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The value under `name`, if this is a map that has it.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The text, if this is a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    fn len(&self) -> usize {
        1 + match &self.value {
            Value::Null | Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Self::len).sum(),
            Value::Map(entries) => entries.iter().map(|(_, node)| 1 + node.len()).sum(),
        }
    }
}

/// The documents of a stream, each parsed by itself, so that a fault in one leaves the others
/// readable. Documents without content are left out.
pub(crate) fn documents(text: &str) -> Vec<Result<Node, YamlError>> {
    let mut found = Vec::new();
    for (first_line, part) in parts(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        match document(part) {
            Ok(None) => {}
            Ok(Some(mut node)) => {
                shift(&mut node, first_line);
                found.push(Ok(node));
            }
            Err(mut error) => {
                error.spot.line += first_line;
                found.push(Err(error));
            }
        }
    }
    found
}

/// Cuts a stream at its `---` lines, which YAML allows nowhere inside a document; with the number
/// of lines before each part.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let marker = line.strip_prefix("---");
        let is_marker = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']);
        if marker.is_some_and(is_marker) && has_content(&text[start..at]) {
            parts.push((start_line, &text[start..at]));
            (start, start_line) = (at, number);
        }
        at += line.len();
    }
    parts.push((start_line, &text[start..]));
    parts
}

/// Whether there is more than directives and comments, which belong to the next document.
fn has_content(text: &str) -> bool {
    text.lines().any(|line| !line.trim().is_empty() && !line.starts_with(['#', '%']))
}

fn shift(node: &mut Node, lines: usize) {
    node.spot.line += lines;
    match &mut node.value {
        Value::Null | Value::Scalar(_) => {}
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, lines)),
        Value::Map(entries) => {
            for (key, node) in entries {
                key.spot.line += lines;
                shift(node, lines);
            }
        }
    }
}

fn spot(span: Span) -> Spot {
    Spot { line: span.start.line(), column: span.start.col() + 1 }
}

struct Builder<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    values: usize,
}

fn document(text: &str) -> Result<Option<Node>, YamlError> {
    let limits = options! {
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut parser = Parser::new_from_str_with_options(text, limits);
    loop {
        match next(&mut parser)? {
            (Event::StreamStart, _) => {}
            (Event::DocumentStart(..), _) => break,
            _ => return Ok(None),
        }
    }
    let mut builder = Builder { parser, anchors: HashMap::new(), values: 0 };
    let event = next(&mut builder.parser)?;
    let node = builder.node(event, 0)?;
    loop {
        match next(&mut builder.parser)? {
            (Event::StreamEnd, _) => break,
            (Event::DocumentEnd, _) => {}
            (_, span) => {
                let what = "begins another document without a `---` line before it".to_owned();
                return Err(YamlError { spot: spot(span), what });
            }
        }
    }
    Ok((!matches!(node.value, Value::Null)).then_some(node))
}

fn next<'t>(
    parser: &mut Parser<'t, granit_parser::StrInput<'t>>,
) -> Result<(Event<'t>, Span), YamlError> {
    match parser.next_event() {
        Some(Ok(event)) => Ok(event),
        Some(Err(error)) => {
            let marker = error.marker();
            let spot = Spot { line: marker.line(), column: marker.col() + 1 };
            let what = match error.kind() {
                ErrorKind::RecursionLimitExceeded => {
                    format!("is nested deeper than {DEPTH_MAX} levels")
                }
                _ => format!("is not YAML: {}", error.info()),
            };
            Err(YamlError { spot, what })
        }
        None => Ok((Event::StreamEnd, Span::default())),
    }
}

impl<'t> Builder<'t> {
    fn node(&mut self, (event, span): (Event<'t>, Span), depth: usize) -> Result<Node, YamlError> {
        let spot = spot(span);
        let error = |what: String| Err(YamlError { spot, what });
        if depth > DEPTH_MAX {
            return error(format!("is nested deeper than {DEPTH_MAX} levels"));
        }
        self.count(1, spot)?;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
                    return error(format!(
                        "has the tag `{}`; tags have no meaning here",
                        tag.original()
                    ));
                }
                let null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                (anchor, if null { Value::Null } else { Value::Scalar(text.into_owned()) })
            }
            Event::SequenceStart(_, anchor, _) => (anchor, self.list(depth)?),
            Event::MappingStart(_, anchor, _) => (anchor, self.map(depth)?),
            Event::Alias(id) => {
                // An alias inside the node that it names is not yet known: no cycles are built.
                let Some(len) = self.anchors.get(&id).map(Node::len) else {
                    return error("is an alias of something that is not complete here".to_owned());
                };
                self.count(len, spot)?;
                let value = self.anchors.get(&id).map_or(Value::Null, |node| node.value.clone());
                return Ok(Node { spot, value });
            }
            other => return error(format!("is not expected here: {other:?}")),
        };
        let node = Node { spot, value };
        if anchor != 0 {
            // What is kept is a copy, and costs like one.
            self.count(node.len(), spot)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, more: usize, spot: Spot) -> Result<(), YamlError> {
        self.values = self.values.saturating_add(more);
        if self.values <= VALUES_MAX {
            return Ok(());
        }
        let what =
            format!("makes more than {VALUES_MAX} values (aliases count as what they stand for)");
        Err(YamlError { spot, what })
    }

    fn list(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut items = Vec::new();
        loop {
            match next(&mut self.parser)? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                event => items.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, YamlError> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut seen: HashMap<String, Spot> = HashMap::new();
        loop {
            let event = next(&mut self.parser)?;
            if matches!(event.0, Event::MappingEnd) {
                return Ok(Value::Map(entries));
            }
            let key = self.node(event, depth + 1)?;
            let Value::Scalar(name) = key.value else {
                let what = format!("is {} as a key; keys are plain names", key.kind());
                return Err(YamlError { spot: key.spot, what });
            };
            if let Some(first) = seen.insert(name.clone(), key.spot) {
                let what = format!("`{name}` is given twice, first in line {}", first.line);
                return Err(YamlError { spot: key.spot, what });
            }
            let event = next(&mut self.parser)?;
            let node = self.node(event, depth + 1)?;
            entries.push((Key { spot: key.spot, name }, node));
        }
    }
}

#[cfg(test)]
mod tests;
