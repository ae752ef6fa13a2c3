//! One object of a manifest: its kind, name and labels, and the dispatch to the kind's reader.

use super::container::Container;
use super::fault::{Report, suggestion};
use super::fields::Fields;
use super::identity::Identity;
use super::node::{self, StandingNodes};
use super::shape::{self, API_VERSION, KINDS};
use super::table::Folder;
use super::{budget, dag, identity, policy, price_book, workload};
use crate::alert::Settings;
use crate::catalog::BookParts;
use crate::yaml::{Node, Spot, Value};
use farthing_model::{Budget, BudgetId, Dag, Policy, TeamId, Workload, WorkloadId};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What reading an object needs beside its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'p> {
    /// Relative times count from here.
    pub(crate) now: Timestamp,
    /// Where tables are looked for.
    pub(crate) folder: Folder<'p>,
}

/// Labels of an object, and what they say.
#[derive(Debug, Default)]
pub(crate) struct Meta {
    pub(crate) name: Option<String>,
    pub(crate) team: Option<TeamId>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// An object that was read without a fault.
#[derive(Debug)]
pub(crate) enum Object {
    Workload(Box<(Workload, Option<Container>)>),
    Budget(Box<Budget>),
    Policy(Box<(Policy, Option<Settings>)>),
    Dag(Box<Dag>),
    Node(Box<StandingNodes>),
    Identity(Box<Identity>),
    Book(Box<BookParts>),
}

/// Kind, name and place of an object, whether or not the rest of it is right.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) spot: Spot,
}

/// Reads one document. The header comes back even where the object has faults, so that a second
/// object of the same name is still noticed.
pub(crate) fn object(
    node: &Node,
    reader: &Reader<'_>,
    report: &mut Report,
) -> (Option<Header>, Option<Object>) {
    let Some((kind, spec)) = envelope(node, report) else { return (None, None) };
    let meta = meta(node, report);
    let name = match &meta.name {
        Some(name) => name.clone(),
        None if matches!(kind, "Policy" | "PriceBook" | "Identity") => "default".to_owned(),
        None => {
            let what = "`metadata.name` is missing: every object of this kind has its own name";
            report.fault(node.spot, what);
            return (None, None);
        }
    };
    report.object = Some(format!("{kind} {name}"));
    let spot = node.get("metadata").and_then(|meta| meta.get("name")).map_or(node.spot, |n| n.spot);
    let object = spec.and_then(|spec| body(kind, &name, meta, spec, reader, report));
    (Some(Header { kind, name, spot }), object.filter(|_| report.faults.is_empty()))
}

fn body(
    kind: &str,
    name: &str,
    meta: Meta,
    spec: &Node,
    reader: &Reader<'_>,
    report: &mut Report,
) -> Option<Object> {
    match kind {
        "Workload" => {
            let id = WorkloadId::new(name).ok()?;
            let read = workload::workload(id, meta, spec, reader, report);
            read.map(Box::new).map(Object::Workload)
        }
        "Budget" => {
            let read = budget::budget(BudgetId::new(name).ok()?, spec, report);
            read.map(Box::new).map(Object::Budget)
        }
        "Dag" => {
            let id = WorkloadId::new(name).ok()?;
            dag::dag(id, meta, spec, reader, report).map(Box::new).map(Object::Dag)
        }
        "Node" => node::node(name, spec, report).map(Box::new).map(Object::Node),
        "Identity" => identity::identity(spec, report).map(Box::new).map(Object::Identity),
        "Policy" => policy::policy(spec, report).map(Box::new).map(Object::Policy),
        _ => price_book::price_book(spec, report).map(Box::new).map(Object::Book),
    }
}

/// Checks the outermost fields; the kind and the spec.
fn envelope<'n>(node: &'n Node, report: &mut Report) -> Option<(&'static str, Option<&'n Node>)> {
    let Value::Map(entries) = &node.value else {
        let what = format!("is {}, not an object with {}", node.kind(), shape::OBJECT.join(", "));
        report.fault(node.spot, what);
        return None;
    };
    let kind_node = node.get("kind");
    report.object = kind_node.and_then(Node::text).map(str::to_owned);
    for (key, _) in entries {
        if !shape::OBJECT.contains(&key.name.as_str()) {
            let hint = suggestion(&key.name, &shape::OBJECT);
            report.fault(key.spot, format!("unknown field `{}`{hint}", key.name));
        }
    }
    if let Some(version) = node.get("apiVersion").filter(|v| v.text() != Some(API_VERSION)) {
        let given = version.text().unwrap_or_default();
        let what = format!("`apiVersion` is `{given}`; only {API_VERSION} is read");
        report.fault(version.spot, what);
        return None;
    }
    let Some(kind_node) = kind_node else {
        report.fault(node.spot, format!("`kind` is missing: one of {}", KINDS.join(", ")));
        return None;
    };
    let kind = kind_node.text().unwrap_or_default();
    let Some(kind) = KINDS.into_iter().find(|known| *known == kind) else {
        let hint = suggestion(kind, &KINDS);
        report.fault(kind_node.spot, format!("`{kind}` is not a kind that is read{hint}"));
        return None;
    };
    let spec = node.get("spec").filter(|spec| !spec.is_null());
    if spec.is_none() {
        report.fault(node.spot, "`spec` is missing: it says what is wanted");
    }
    Some((kind, spec))
}

fn meta(node: &Node, report: &mut Report) -> Meta {
    let mut meta = Meta::default();
    let Some(node) = node.get("metadata").filter(|meta| !meta.is_null()) else { return meta };
    let Some(fields) = Fields::open(node, "metadata", &shape::METADATA, report) else {
        return meta;
    };
    // All names obey one rule; the workload's id stands for it.
    let name = |text: &str| WorkloadId::new(text).map_err(|error| error.to_string());
    meta.name = fields.read("name", name, report).map(|name| name.to_string());
    let Some(labels) = fields.get("labels") else { return meta };
    let Value::Map(entries) = &labels.value else {
        report.fault(labels.spot, "`labels` is not a map such as {team: research}");
        return meta;
    };
    for (key, node) in entries {
        match node.text() {
            Some(text) => {
                meta.labels.insert(key.name.clone(), text.to_owned());
            }
            None => report.fault(node.spot, format!("the label `{}` is not a text", key.name)),
        }
    }
    if let Some(team) = labels.get("team").filter(|team| team.text().is_some()) {
        let parse = |text: &str| TeamId::new(text).map_err(|error| error.to_string());
        meta.team = super::fields::read(team, "team", parse, report);
    }
    meta
}
