//! Manifests: workloads, DAGs, budgets, policies and price books from YAML in the shape of
//! Kubernetes.
//!
//! Every fault says the file, line, column, object, what is wrong and what would be right, and
//! all faults of all files come back together: [`load`] for planning refuses a set with any fault,
//! as a plan without one of its objects would be another plan; [`load_lenient`] is for a loop that
//! keeps running and returns what is good beside what is not.
//!
//! Times may be relative (`deadline: in 36h`), so that examples do not grow old; they count from
//! `submitted`, or else from the `now` that is given here. Read again later, such a file means
//! later times. Nothing in this module knows the clock.
//!
//! Start with [`parse`]; `shape` lists all fields and is also what the JSON Schema is made from.

mod alerts;
mod budget;
mod container;
mod curve;
mod custom;
mod dag;
mod fault;
mod fields;
mod given;
mod identity;
mod node;
mod object;
mod policy;
mod price_book;
pub(crate) mod scalar;
mod schema;
mod service;
mod shape;
mod table;
mod workload;

pub use container::Container;
pub use custom::definitions;
pub use fault::{Fault, ManifestError};
pub use given::{Given, IN_CLUSTER, load_with};
pub use identity::{Identity, IdentityGrant};
pub use node::{BoughtAs, StandingNodes};
pub use schema::json_schema;

pub(crate) use fault::suggestion;

use crate::alert::Settings;
use crate::catalog::{BookError, BookParts, PriceBook};
use crate::text::{ReadError, read_text};
use crate::yaml::{Node, Spot, documents};
use farthing_model::{
    Budget, BudgetId, Currency, Dag, Limit, Policy, Workload, WorkloadId, utc_day,
};
use fault::Report;
use jiff::Timestamp;
use object::{Header, Object, Reader};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use table::Folder;

/// Largest manifest, in bytes. A hundred thousand small objects fit.
pub const BYTES_MAX: u64 = 16 << 20;

/// What a set of manifests says.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// Workloads, sorted by name, each name once.
    pub workloads: Vec<Workload>,
    /// What members of workloads run, where that is said.
    pub containers: BTreeMap<WorkloadId, Container>,
    /// Tasks with data between them, sorted by name, each name once.
    pub dags: Vec<Dag>,
    /// Nodes that stand, by name, each name once.
    pub nodes: Vec<StandingNodes>,
    /// Budgets, sorted by name, each name once.
    pub budgets: Vec<Budget>,
    /// The policy, where there is one; `spot` is `None` unless the manifest gives it.
    pub policy: Option<Policy>,
    /// When and where people are told, where the policy says so.
    pub alerts: Option<Settings>,
    /// Who gets in by a provider of identities, where one is named.
    pub identity: Option<Identity>,
    /// All `PriceBook` objects together, where there are any; they replace the default book.
    pub price_book: Option<PriceBook>,
    /// Where each budget is written.
    written: BTreeMap<BudgetId, (String, Option<Spot>)>,
}

impl Manifests {
    /// That what is limited in money is limited in the currency of the books: nothing is converted.
    ///
    /// # Errors
    /// Each budget in another currency, by its file and line.
    pub fn in_currency(&self, currency: Currency) -> Result<(), ManifestError> {
        let fault = |budget: &Budget| {
            let Limit::Money(limit) = budget.limit else { return None };
            if limit.currency() == currency {
                return None;
            }
            let (source, spot) = self.written.get(&budget.id).cloned().unwrap_or_default();
            let object = Some(format!("Budget {}", budget.id));
            let what = format!(
                "`limit` is {limit}, and the books are in {currency}: write it in {currency}, or \
                 in GPU-hours"
            );
            Some(Fault { source, spot, object, what })
        };
        let faults: Vec<Fault> = self.budgets.iter().filter_map(fault).collect();
        if faults.is_empty() { Ok(()) } else { Err(ManifestError { faults }) }
    }
}

/// Reads an amount of memory or disk as manifests write it: `128GiB`, `80Gi`, `2TB`. In bytes.
///
/// # Errors
/// Says what would be right.
pub fn quantity(text: &str) -> Result<u64, String> {
    scalar::bytes(text)
}

/// Reads a number of cores as manifests write it: `8`, `1.5`, `500m`. In thousandths.
///
/// # Errors
/// Says what would be right.
pub fn milli(text: &str) -> Result<u64, String> {
    scalar::milli(text)
}

/// Reads manifests for planning. `now` is what relative times count from.
///
/// # Errors
/// Everything that is wrong in any of the files; nothing is returned of the rest.
pub fn load(paths: &[PathBuf], now: Timestamp) -> Result<Manifests, ManifestError> {
    let (manifests, faults) = load_lenient(paths, now);
    if faults.is_empty() { Ok(manifests) } else { Err(ManifestError { faults }) }
}

/// Reads manifests and returns what is good, and what is wrong with the rest. Of two objects of
/// one name the first is kept.
pub fn load_lenient(paths: &[PathBuf], now: Timestamp) -> (Manifests, Vec<Fault>) {
    let mut set = Set::default();
    set.files(paths, now);
    set.finish(now)
}

/// A file that could not be read, as a fault of it.
fn unreadable(source: String, error: &ReadError) -> Fault {
    let spot = match error {
        ReadError::NotText { line, .. } => Some(Spot { line: *line, column: 1 }),
        _ => None,
    };
    Fault { source, spot, object: None, what: error.what() }
}

/// Reads one manifest from a text that `source` names in messages. Files that it refers to are
/// not read: a text from elsewhere must not reach into this machine.
///
/// # Errors
/// Everything that is wrong in it.
pub fn parse(text: &str, source: &str, now: Timestamp) -> Result<Manifests, ManifestError> {
    let mut set = Set::default();
    set.add(text, source, &Reader { now, folder: Folder(None) });
    let (manifests, faults) = set.finish(now);
    if faults.is_empty() { Ok(manifests) } else { Err(ManifestError { faults }) }
}

/// What the `PriceBook` objects of a text say, for `--prices`.
pub(crate) fn price_book(text: &str, path: &Path) -> Result<BookParts, BookError> {
    let mut set = Set::default();
    // The clock does not matter to what is written; what holds on a day is chosen later.
    let reader = Reader { now: Timestamp::UNIX_EPOCH, folder: Folder(path.parent()) };
    set.add(text, &path.display().to_string(), &reader);
    if !set.faults.is_empty() {
        return Err(BookError::Manifest(ManifestError { faults: set.faults }));
    }
    set.book.ok_or_else(|| BookError::NoBook(path.to_owned()))
}

/// A set of manifests while it is read.
#[derive(Default)]
struct Set {
    manifests: Manifests,
    book: Option<BookParts>,
    names: BTreeMap<(&'static str, String), (String, Spot)>,
    faults: Vec<Fault>,
}

impl Set {
    fn files(&mut self, paths: &[PathBuf], now: Timestamp) {
        for path in paths {
            let source = path.display().to_string();
            match read_text(path, BYTES_MAX) {
                Ok(text) => {
                    let folder = Folder(Some(path.parent().unwrap_or(Path::new(""))));
                    self.add(&text, &source, &Reader { now, folder });
                }
                Err(error) => self.faults.push(unreadable(source, &error)),
            }
        }
    }

    fn add(&mut self, text: &str, source: &str, reader: &Reader<'_>) {
        let documents = documents(text);
        if documents.is_empty() {
            let what = "has no object in it; write one with apiVersion, kind, metadata and spec";
            let (source, what) = (source.to_owned(), what.to_owned());
            self.faults.push(Fault { source, spot: None, object: None, what });
        }
        for document in documents {
            let mut report = Report::new(source);
            match document {
                Err(error) => report.fault(error.spot, error.what),
                Ok(node) => self.object(&node, reader, &mut report),
            }
            // In the order of the lines; what is wrong in tables beside the file comes after.
            report.faults.sort_by_key(|fault| (fault.source != source, fault.spot));
            self.faults.append(&mut report.faults);
        }
    }

    fn object(&mut self, node: &Node, reader: &Reader<'_>, report: &mut Report) {
        let (header, object) = object::object(node, reader, report);
        let first = header.is_none_or(|header| self.is_first(header, report));
        if let Some(object) = object.filter(|_| first) {
            self.keep(object);
        }
    }

    fn is_first(&mut self, header: Header, report: &mut Report) -> bool {
        let Header { kind, name, spot } = header;
        // A plan has one policy, and a loop one provider, whatever they are called.
        let is_only = matches!(kind, "Policy" | "Identity");
        let key = if is_only { String::new() } else { name };
        if let Some((source, first)) = self.names.get(&(kind, key.clone())) {
            let which = if is_only { "" } else { " of this name" };
            let at = if first.line == 0 {
                format!("in {source}")
            } else {
                format!("at {source}:{}:{}", first.line, first.column)
            };
            let what = format!("there is already a {kind}{which} {at}; keep one of them");
            report.fault(spot, what);
            return false;
        }
        self.names.insert((kind, key), (report.source.clone(), spot));
        true
    }

    fn keep(&mut self, object: Object) {
        match object {
            Object::Workload(both) => {
                let (workload, container) = *both;
                let container = container.map(|container| (workload.id.clone(), container));
                self.manifests.containers.extend(container);
                self.manifests.workloads.push(workload);
            }
            Object::Budget(budget) => {
                let place = self.names.get(&("Budget", budget.id.to_string())).cloned();
                let (source, spot) = place.unwrap_or_default();
                let spot = (spot.line > 0).then_some(spot);
                self.manifests.written.insert(budget.id.clone(), (source, spot));
                self.manifests.budgets.push(*budget);
            }
            Object::Dag(dag) => self.manifests.dags.push(*dag),
            Object::Node(nodes) => self.manifests.nodes.push(*nodes),
            Object::Policy(both) => {
                let (policy, alerts) = *both;
                (self.manifests.policy, self.manifests.alerts) = (Some(policy), alerts);
            }
            Object::Identity(identity) => self.manifests.identity = Some(*identity),
            Object::Book(book) => self.book.get_or_insert_default().extend(*book),
        }
    }

    fn finish(mut self, now: Timestamp) -> (Manifests, Vec<Fault>) {
        self.manifests.workloads.sort_by(|a, b| a.id.cmp(&b.id));
        self.manifests.dags.sort_by(|a, b| a.id.cmp(&b.id));
        self.manifests.budgets.sort_by(|a, b| a.id.cmp(&b.id));
        self.manifests.nodes.sort_by(|a, b| a.names.cmp(&b.names));
        let day = utc_day(now);
        match self.book.map(|book| PriceBook::of(book, Some(day))).transpose() {
            Ok(book) => self.manifests.price_book = book,
            Err(error) => {
                let (source, what) = ("PriceBook".to_owned(), error.to_string());
                self.faults.push(Fault { source, spot: None, object: None, what });
            }
        }
        (self.manifests, self.faults)
    }
}

#[cfg(test)]
mod tests;
