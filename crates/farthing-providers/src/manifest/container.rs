//! `spec.container` of a workload: what each of its members runs.

use super::fault::Report;
use super::fields::{Fields, items, read};
use super::scalar::Parsed;
use super::shape;
use crate::yaml::{Node, Value};
use std::collections::BTreeMap;

/// The container that a member of a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The image.
    pub image: String,
    /// What is run in it; empty = the image's own command.
    pub command: Vec<String>,
    /// Variables of its environment.
    pub environment: BTreeMap<String, String>,
    /// Folders that it sees: `/here:/there`, or `/here:/there:ro`.
    pub volumes: Vec<String>,
}

/// Reads the container of a job; `None` where there is none, or where faults were reported.
pub(super) fn container(
    fields: Fields<'_>,
    is_service: bool,
    report: &mut Report,
) -> Option<Container> {
    let node = fields.get("container")?;
    if is_service {
        let what = "`spec.container` belongs to `type: job`, and this is a service";
        report.fault(node.spot, what);
        return None;
    }
    let asks = fields.get("resources");
    let lacks = |name: &str| asks.is_none_or(|asks| asks.get(name).is_none_or(Node::is_null));
    if lacks("cpu") || lacks("memory") {
        let what =
            "`spec.container` needs `resources` with `cpu` and `memory`: they are its limits";
        report.fault(node.spot, what);
    }
    if fields.get("duration").is_none() && fields.get("work").is_none() {
        let what = "`spec.container` needs `duration`: how long a member is expected to run";
        report.fault(node.spot, what);
    }
    let fields = Fields::open(node, "spec.container", &shape::CONTAINER, report)?;
    let list = |name: &str, parse: fn(&str) -> Parsed<String>, report: &mut Report| {
        let Some(node) = fields.get(name) else { return Vec::new() };
        let items = items(node, name, report).iter();
        items.filter_map(|item| read(item, name, parse, report)).collect()
    };
    let (command, volumes) = (list("command", any, report), list("volumes", volume, report));
    let environment = environment(fields, report);
    let image = fields.read("image", image, report);
    Some(Container { image: image?, command, environment, volumes })
}

fn any(text: &str) -> Parsed<String> {
    if text.contains('\0') {
        return Err("a text with a zero byte cannot be handed to a program".to_owned());
    }
    Ok(text.to_owned())
}

fn image(text: &str) -> Parsed<String> {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("`{text}` is not the name of an image, such as busybox:1"));
    }
    Ok(text.to_owned())
}

fn volume(text: &str) -> Parsed<String> {
    let mut parts = text.split(':');
    let is_absolute = |part: Option<&str>| part.is_some_and(|part| part.starts_with('/'));
    let (here, there) = (is_absolute(parts.next()), is_absolute(parts.next()));
    let rest = matches!((parts.next(), parts.next()), (None | Some("ro" | "rw"), None));
    if here && there && rest {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is not /here:/there or /here:/there:ro"))
}

fn environment(fields: Fields<'_>, report: &mut Report) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    let Some(node) = fields.get("environment") else { return environment };
    let Value::Map(entries) = &node.value else {
        report.fault(node.spot, "`environment` is not a map such as {LANG: C}");
        return environment;
    };
    for (key, node) in entries {
        match node.text() {
            Some(text) if !key.name.is_empty() && !key.name.contains(['=', '\0']) => {
                environment.insert(key.name.clone(), text.to_owned());
            }
            Some(_) => report.fault(key.spot, format!("`{}` is no variable's name", key.name)),
            None => report.fault(node.spot, format!("the variable `{}` is not a text", key.name)),
        }
    }
    environment
}
