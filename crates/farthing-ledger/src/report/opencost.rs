//! Allocations as OpenCost reports them, over the statement of this crate: its names of keys and
//! rows, its idle by cluster or node, its sharing by resource.
//!
//! What differs from the reference on purpose is listed in `docs/concepts/opencost.md`.

use super::ReportError;
use super::filter::Filter;
use super::key::Key;
use super::share::{ShareIdle, Weigh};
use super::statement::{Basis, Scope, Sharing, Statement, StatementQuery, StatementRow, statement};
use crate::books::Books;
use crate::meter::Usage;
use farthing_model::{ClusterId, Currency, Money, MoneyError, PerResource, Resource, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// The name of what has no value for a property.
const UNALLOCATED: &str = "__unallocated__";
/// The name of what nobody allocated.
const IDLE: &str = "__idle__";
/// The name of costs that all share and nobody is there to take.
const SHARED: &str = "__shared__";

/// Something that allocations are aggregated by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    /// The value of a key.
    Key(Key),
    /// `kind:name` of the controller.
    Controller,
    /// The controller where it is of this kind: `deployment`, `job`.
    ControllerOf(&'static str),
}

/// Kinds of controllers that are properties themselves.
const KINDS: [&str; 5] = ["deployment", "statefulset", "daemonset", "job", "cronjob"];

/// Properties that are the values of labels by other names.
const OF_LABELS: [(&str, &str); 4] =
    [("department", "department"), ("environment", "env"), ("owner", "owner"), ("product", "app")];

impl FromStr for Property {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.trim().to_ascii_lowercase();
        if let Some(kind) = KINDS.into_iter().find(|kind| *kind == plain) {
            return Ok(Self::ControllerOf(kind));
        }
        if let Some((_, label)) = OF_LABELS.into_iter().find(|(name, _)| *name == plain) {
            return Ok(Self::Key(Key::Label(label.into())));
        }
        match text.parse()? {
            Key::Controller => Ok(Self::Controller),
            key => Ok(Self::Key(key)),
        }
    }
}

impl Property {
    fn keys(&self) -> Vec<Key> {
        match self {
            Self::Key(key) => vec![key.clone()],
            Self::Controller | Self::ControllerOf(_) => {
                vec![Key::ControllerKind, Key::Controller]
            }
        }
    }

    /// The value from those of its keys.
    fn name(&self, values: &[Option<&str>]) -> String {
        let name = match (self, values) {
            (Self::Key(_), [Some(value)]) => Some((*value).to_owned()),
            (Self::Controller, [Some(kind), Some(name)]) => Some(format!("{kind}:{name}")),
            (Self::ControllerOf(asked), [Some(kind), Some(name)]) => {
                kind.eq_ignore_ascii_case(asked).then(|| (*name).to_owned())
            }
            _ => None,
        };
        name.unwrap_or_else(|| UNALLOCATED.to_owned())
    }
}

/// What allocations are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocationQuery {
    /// Whose books.
    pub clusters: Vec<ClusterId>,
    /// When; widened to whole UTC hours.
    pub window: Window,
    /// The currency of the books.
    pub currency: Currency,
    /// What they are aggregated by; nothing = one of all.
    pub aggregate: Vec<Property>,
    /// Only these. Of idle, the part that goes with them.
    pub filter: Option<Filter>,
    /// Whether idle is shared, by resource.
    pub idle: ShareIdle,
    /// Whether idle is told apart, and shared, by node; else by cluster.
    pub idle_by_node: bool,
    /// Whether each cluster's or node's idle has a row of its own.
    pub split_idle: bool,
    /// Charges that all others share.
    pub common: Option<Filter>,
    /// Whether these go to all alike.
    pub common_evenly: bool,
    /// A flat cost of the window, shared as those are.
    pub flat: Option<Money>,
}

/// The allocations of a window; their costs sum to what was paid, less what a filter leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocationSet {
    /// The whole hours.
    pub window: Window,
    /// By name.
    pub allocations: BTreeMap<String, Allocation>,
    /// What was paid less the sum of the allocations; anything but zero is a fault in the books.
    pub difference: Money,
}

/// One allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The values of the keys that it has.
    pub properties: Vec<(Key, String)>,
    /// What it costs by resource, with its part of idle where that is shared.
    pub cost: PerResource<Money>,
    /// Its part of common costs.
    pub shared: Money,
    /// All of it.
    pub total: Money,
    /// Its quantities.
    pub usage: PerResource<Usage>,
    /// Whether it is nobody's.
    pub is_idle: bool,
}

/// Reads the books and aggregates.
///
/// # Errors
/// A file of the window cannot be read, is damaged or is in another currency.
pub fn allocations(books: &Books, query: &AllocationQuery) -> Result<AllocationSet, ReportError> {
    let by = query.aggregate.iter().flat_map(Property::keys).collect();
    let asked = StatementQuery {
        clusters: query.clusters.clone(),
        window: query.window,
        currency: query.currency,
        by,
        filter: query.filter.clone(),
        resources: None,
        basis: Basis::Reserved,
        sharing: Sharing {
            idle: query.idle,
            weigh: Weigh::Resource,
            scope: if query.idle_by_node { Scope::Node } else { Scope::Cluster },
            after_filter: false,
            common: query.common.clone(),
            common_evenly: query.common_evenly,
            flat: query.flat,
        },
    };
    let statement = statement(books, &asked)?;
    let window = statement.window;
    let summed = Aggregation { query, allocations: BTreeMap::new() }.of(&statement);
    summed.map_err(|source| ReportError::Money { window, source })
}

struct Aggregation<'a> {
    query: &'a AllocationQuery,
    allocations: BTreeMap<String, Allocation>,
}

impl Aggregation<'_> {
    fn of(mut self, statement: &Statement) -> Result<AllocationSet, MoneyError> {
        for row in &statement.rows {
            if row.is_someones {
                let name = self.name(row);
                self.add(name, &of_row(statement, row))?;
            }
        }
        let clusters: BTreeSet<_> =
            statement.spare.iter().map(|spare| (&spare.node, &spare.cluster)).collect();
        let is_shared = self.query.idle != ShareIdle::Separate;
        for spare in &statement.spare {
            if is_shared && spare.cost.iter().all(|(_, cost)| cost.is_zero()) {
                continue;
            }
            let name = match (&spare.node, self.query.split_idle) {
                (_, false) => IDLE.to_owned(),
                (None, true) => format!("{}/{IDLE}", spare.cluster),
                (Some(node), true) => {
                    let namesakes = clusters.iter().filter(|(other, _)| *other == &spare.node);
                    if namesakes.count() > 1 {
                        format!("{}/{node}/{IDLE}", spare.cluster)
                    } else {
                        format!("{node}/{IDLE}")
                    }
                }
            };
            let usage = |resource: Resource| Usage {
                unallocated_nano: *spare.quantity_nano.get(resource),
                ..Usage::default()
            };
            let mut properties = vec![(Key::Cluster, spare.cluster.clone())];
            properties.extend(spare.node.clone().map(|node| (Key::Node, node)));
            let costs = spare.cost.iter().map(|(_, cost)| *cost);
            self.add(
                name,
                &Allocation {
                    properties,
                    cost: spare.cost,
                    shared: Money::zero(statement.currency),
                    total: Money::sum(costs, statement.currency)?,
                    usage: PerResource::from_fn(usage),
                    is_idle: true,
                },
            )?;
        }
        if !statement.apart.is_zero() {
            let nothing = PerResource::from_fn(|_| Money::zero(statement.currency));
            self.add(
                SHARED.to_owned(),
                &Allocation {
                    properties: Vec::new(),
                    cost: nothing,
                    shared: statement.apart,
                    total: statement.apart,
                    usage: PerResource::default(),
                    is_idle: false,
                },
            )?;
        }
        let totals = self.allocations.values().map(|allocation| allocation.total);
        let total = Money::sum(totals, statement.currency)?;
        Ok(AllocationSet {
            window: statement.window,
            difference: statement.paid.checked_sub(total)?,
            allocations: self.allocations,
        })
    }

    fn name(&self, row: &StatementRow) -> String {
        let value = |(key, named): (&String, &bool)| named.then_some(key.clone());
        let values: Vec<Option<String>> = row.keys.iter().zip(&row.named).map(value).collect();
        let mut values = values.iter().map(Option::as_deref);
        let names = self.query.aggregate.iter().map(|property| {
            let of_keys: Vec<_> = values.by_ref().take(property.keys().len()).collect();
            property.name(&of_keys)
        });
        names.collect::<Vec<_>>().join("/")
    }

    fn add(&mut self, name: String, more: &Allocation) -> Result<(), MoneyError> {
        let Some(known) = self.allocations.get_mut(&name) else {
            self.allocations.insert(name, more.clone());
            return Ok(());
        };
        known.properties.retain(|property| more.properties.contains(property));
        for resource in Resource::CHARGED {
            let cost = known.cost.get_mut(resource);
            *cost = cost.checked_add(*more.cost.get(resource))?;
        }
        super::draft::add(&mut known.usage, &more.usage);
        known.shared = known.shared.checked_add(more.shared)?;
        known.total = known.total.checked_add(more.total)?;
        Ok(())
    }
}

/// A row without what it has of nobody's, where it is grouped by place only.
fn of_row(statement: &Statement, row: &StatementRow) -> Allocation {
    let currency = statement.currency;
    let own: i128 = row.own.iter().map(|(_, cost)| cost.pico()).sum();
    let properties = statement.by.iter().zip(&row.keys).zip(&row.named);
    let usage = |resource: Resource| Usage {
        unallocated_nano: 0,
        overhead_nano: 0,
        ..*row.usage.get(resource)
    };
    Allocation {
        properties: properties
            .filter(|(_, named)| **named)
            .map(|((key, value), _)| (key.clone(), value.clone()))
            .collect(),
        cost: row.own,
        shared: row.common,
        total: Money::from_pico(own + row.common.pico(), currency),
        usage: PerResource::from_fn(usage),
        is_idle: false,
    }
}
