//! Reading a map by its shape: unknown and missing fields are faults with a suggestion.

use super::fault::{Report, suggestion};
use super::scalar::Parsed;
use super::shape::Shape;
use crate::yaml::{Key, Node, Spot, Value};

/// The fields of a map that fits its shape, read one by one; every fault goes to the report.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'n> {
    /// Where the map stands.
    pub(crate) spot: Spot,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// Takes `node` for a map of `shape`; `path` names it in messages, such as `spec.slo`.
    pub(crate) fn open(
        node: &'n Node,
        path: &str,
        shape: &Shape,
        report: &mut Report,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            let known = shape.names().join(", ");
            report.fault(node.spot, format!("`{path}` is {}, not a map with {known}", node.kind()));
            return None;
        };
        for (key, _) in entries {
            if !shape.fields.iter().any(|field| field.name == key.name) {
                let hint = suggestion(&key.name, &shape.names());
                report.fault(key.spot, format!("unknown field `{path}.{}`{hint}", key.name));
            }
        }
        let given = |name| entries.iter().any(|(key, node)| key.name == name && !node.is_null());
        for field in shape.fields.iter().filter(|field| field.required && !given(field.name)) {
            let what = format!("`{path}.{}` is missing: {}", field.name, lower(field.doc));
            report.fault(node.spot, what);
        }
        Some(Self { spot: node.spot, entries })
    }

    /// The value of a field; absent and null are the same.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        let found = self.entries.iter().find(|(key, _)| key.name == name);
        found.map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// A field that is one plain value.
    pub(crate) fn read<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Parsed<T>,
        report: &mut Report,
    ) -> Option<T> {
        read(self.get(name)?, name, parse, report)
    }

    /// A field that is one of a few words.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &str,
        choices: &[(&str, T)],
        report: &mut Report,
    ) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let parse = |text: &str| match choices.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(*value),
            None => Err(format!("`{text}` is not a choice{}", suggestion(text, &words))),
        };
        self.read(name, parse, report)
    }
}

impl Node {
    pub(crate) const fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
}

/// Reads one plain value that `name` says.
pub(crate) fn read<T>(
    node: &Node,
    name: &str,
    parse: impl FnOnce(&str) -> Parsed<T>,
    report: &mut Report,
) -> Option<T> {
    let Some(text) = node.text() else {
        report.fault(node.spot, format!("`{name}` is {}, not a plain value", node.kind()));
        return None;
    };
    match parse(text.trim()) {
        Ok(value) => Some(value),
        Err(what) => {
            report.fault(node.spot, format!("`{name}`: {what}"));
            None
        }
    }
}

/// The items of a list.
pub(crate) fn items<'n>(node: &'n Node, name: &str, report: &mut Report) -> &'n [Node] {
    match &node.value {
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) => {
            report.fault(node.spot, format!("`{name}` is an empty list; leave it out or fill it"));
            &[]
        }
        _ => {
            report.fault(node.spot, format!("`{name}` is {}, not a list", node.kind()));
            &[]
        }
    }
}

/// The items of a list that may have none, as programs write them.
pub(crate) fn any_items<'n>(node: &'n Node, name: &str, report: &mut Report) -> &'n [Node] {
    match &node.value {
        Value::List(items) if items.is_empty() => &[],
        _ => items(node, name, report),
    }
}

fn lower(doc: &str) -> String {
    let mut chars = doc.trim_end_matches('.').chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
