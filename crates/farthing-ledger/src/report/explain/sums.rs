//! What an explanation adds up: charges by what was bought, and samples.
//!
//! Charges are added column by column, a batch at a time, so that no row is made a value.

use super::super::group::{self, Numbered};
use super::super::sums::KINDS;
use super::{Key, Label, Line};
use crate::books::{
    Batch, BooksError, LIST_IN_CHARGES, ListNumbers, Lists, Text, day, price_kind, value,
};
use arrow_array::types::{Date32Type, Decimal128Type};
use arrow_array::{PrimitiveArray, StringArray};
use farthing_model::{
    Attribution, Currency, Decimal, Destination, HourlyRate, Money, NANOS_PER_HOUR,
    NANOS_PER_SECOND, NodeId, OfferId, Provenance, Resource, Window, WorkloadId, proportion,
};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// A node under one price.
#[derive(PartialEq, Eq, Hash)]
struct Bought {
    node: NodeId,
    offer: OfferId,
    node_rate: HourlyRate,
    provenance: Provenance,
}

/// Sums of what was bought once.
#[derive(Default)]
struct Sums {
    /// What it cost, and for how many nanoseconds it was paid.
    pico: i128,
    nanos: i128,
    /// Cost and quantity of each resource of it.
    resources: [(i128, i128); KINDS],
    /// What of that is explained.
    lines: [[Option<(i128, i128)>; 4]; KINDS],
}

/// Sums by what was bought, and what of it is explained.
pub(super) struct Totals {
    currency: Currency,
    numbers: HashMap<Bought, usize>,
    /// By number.
    all: Vec<Sums>,
    /// Stretches of this hour: of what, from when to when.
    stretches: HashSet<(usize, i64, i64)>,
    /// Cost by who is charged.
    workloads: HashMap<String, i128>,
    pub(super) hours_without_telemetry: u32,
    pub(super) hours: Vec<Window>,
}

/// Whether samples of someone are behind a row with this value.
pub(super) fn matches(key: &Key, label: &Label<'_>, who: Option<&Attribution>) -> bool {
    let Some(who) = who else { return *label == Label::Overhead };
    let name = key.of_whom(who);
    match label {
        Label::Named(asked) => name == Some(asked),
        Label::Missing => name.is_none(),
        _ => false,
    }
}

/// Whether what has a value or none is in a row with this one.
pub(super) fn is_wanted(name: Option<Cow<'_, str>>, label: &Label<'_>) -> bool {
    match (name, label) {
        (Some(name), Label::Named(wanted)) => name == *wanted,
        (None, Label::Missing) => true,
        _ => false,
    }
}

/// The row that is explained: its keys, their values, and the resources that are asked for.
pub(super) struct Wanted<'w> {
    keys: Vec<(&'w Key, &'w Label<'w>, Held)>,
    resources: Option<&'w [Resource]>,
}

/// Which distinct values of the last batch are the one that is wanted.
type Held = Option<(StringArray, Rc<Vec<bool>>)>;

/// Whether rows of a batch have the wanted value of one key.
struct Test<'b> {
    text: Option<Text<'b>>,
    held: Rc<Vec<bool>>,
    /// The answer where there is no value.
    missing: bool,
    /// The answer where there is nobody, by destination.
    nobody: Option<[bool; 4]>,
}

impl<'w> Wanted<'w> {
    pub(super) fn new(
        by: &'w [Key],
        labels: &'w [Label<'w>],
        resources: Option<&'w [Resource]>,
    ) -> Self {
        let keys = by.iter().zip(labels).map(|(key, label)| (key, label, None)).collect();
        Self { keys, resources }
    }

    /// The columns that [`Totals::add`] reads.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let mut names = Vec::from(COLUMNS);
        names.extend(self.keys.iter().map(|(key, ..)| key.column().name()));
        names
    }

    /// What is to be tested in a batch of an hour; `None` where no row of the hour is wanted.
    fn tests<'b>(
        &mut self,
        batch: &'b Batch,
        hour: Timestamp,
    ) -> Result<Option<Vec<Test<'b>>>, BooksError> {
        let mut tests = Vec::with_capacity(self.keys.len());
        for (key, label, last) in &mut self.keys {
            let column = key.column();
            let is_wanted = |name| is_wanted(name, label);
            if key.is_time() {
                if !is_wanted(Some(key.time_text(hour).into())) {
                    return Ok(None);
                }
                continue;
            }
            let text = batch.optional_text(column.name())?;
            let held = match (text, &*last) {
                (None, _) => Rc::default(),
                (Some(text), Some((values, held))) if text.has_values_of(values) => held.clone(),
                (Some(text), _) => {
                    let held: Vec<bool> =
                        text.values().map(|value| is_wanted(column.read(value))).collect();
                    Rc::new(held)
                }
            };
            *last = text.map(|text| (text.kept_values(), held.clone()));
            let nobody = key.is_attribution().then(|| {
                Destination::ALL.map(|destination| match destination {
                    Destination::Unallocated => **label == Label::Unallocated,
                    Destination::Overhead => **label == Label::Overhead,
                    Destination::Used | Destination::Idle => **label == Label::Missing,
                })
            });
            tests.push(Test { text, held, missing: is_wanted(None), nobody });
        }
        Ok(Some(tests))
    }
}

impl Test<'_> {
    fn holds(&self, row: usize, destination: Destination, has_owner: bool) -> bool {
        match self.nobody {
            Some(nobody) if !has_owner => nobody[destination as usize],
            _ => self
                .text
                .and_then(|text| text.index(row))
                .map_or(self.missing, |index| self.held[index]),
        }
    }
}

/// Columns that are read beside those of the keys.
const COLUMNS: [&str; 15] = [
    "x_workload",
    "x_destination",
    "x_resource",
    "BilledCost",
    "x_quantity_nano",
    "x_node",
    "x_offer",
    "x_node_rate",
    "x_price_kind",
    "x_price_source",
    "x_price_as_of",
    "x_list_rate",
    "x_discounts",
    "ChargePeriodStart",
    "ChargePeriodEnd",
];

/// The columns that say what was bought.
struct Buys<'b> {
    batch: &'b Batch,
    node: Text<'b>,
    offer: Text<'b>,
    kind: Text<'b>,
    source: Text<'b>,
    as_of: &'b PrimitiveArray<Date32Type>,
    rate: &'b PrimitiveArray<Decimal128Type>,
    lists: Lists<'b>,
}

/// What was bought, in numbers of one batch.
type Numbers = ([Option<usize>; 4], Option<i32>, Option<i128>, ListNumbers);

impl<'b> Buys<'b> {
    fn new(batch: &'b Batch) -> Result<Self, BooksError> {
        Ok(Self {
            batch,
            node: batch.text("x_node")?,
            offer: batch.text("x_offer")?,
            kind: batch.text("x_price_kind")?,
            source: batch.text("x_price_source")?,
            as_of: batch.day("x_price_as_of")?,
            rate: batch.decimal("x_node_rate")?,
            lists: Lists::new(batch, LIST_IN_CHARGES)?,
        })
    }

    fn numbers(&self, row: usize) -> Numbers {
        let texts = [self.node, self.offer, self.kind, self.source];
        let texts = texts.map(|text| text.index(row));
        (texts, value(self.as_of, row), value(self.rate, row), self.lists.numbers(row))
    }

    fn bought(&mut self, row: usize, currency: Currency) -> Result<Bought, BooksError> {
        let list = self.lists.get(row, currency)?;
        let wrong = |column: &str| self.batch.wrong(row, column);
        let rate = value(self.rate, row).map(|pico| Money::from_pico(pico, currency));
        let provenance = Provenance {
            kind: price_kind(self.kind.get(row)).ok_or_else(|| wrong("x_price_kind"))?,
            source: self.source.get(row).ok_or_else(|| wrong("x_price_source"))?.to_owned(),
            as_of: day(value(self.as_of, row)).ok_or_else(|| wrong("x_price_as_of"))?,
            list,
        };
        Ok(Bought {
            node: self.batch.parse(self.node.get(row), row, "x_node")?,
            offer: self.batch.parse(self.offer.get(row), row, "x_offer")?,
            node_rate: rate.and_then(HourlyRate::new).ok_or_else(|| wrong("x_node_rate"))?,
            provenance,
        })
    }
}

impl Totals {
    pub(super) fn new(currency: Currency) -> Self {
        Self {
            currency,
            numbers: HashMap::new(),
            all: Vec::new(),
            stretches: HashSet::new(),
            workloads: HashMap::new(),
            hours_without_telemetry: 0,
            hours: Vec::new(),
        }
    }

    /// Before the first batch of an hour: each stretch of a node is in one hour.
    pub(super) fn begin_hour(&mut self) {
        self.stretches.clear();
    }

    /// Adds a batch of the hour that begins at `hour`; `None` when a sum does not fit.
    pub(super) fn add(
        &mut self,
        batch: &Batch,
        hour: Timestamp,
        wanted: &mut Wanted<'_>,
    ) -> Result<Option<()>, BooksError> {
        let tests = wanted.tests(batch, hour)?;
        let (rows, mut buys) = (group::Numbers::new(batch)?, Buys::new(batch)?);
        let workload = batch.text("x_workload")?;
        let mut workloads = vec![0_i128; workload.values().count()];
        let mut seen = vec![false; workloads.len()];
        let (from, to) = (batch.instant("ChargePeriodStart")?, batch.instant("ChargePeriodEnd")?);
        let mut known: HashMap<Numbers, usize> = HashMap::new();
        // Rows of one node, price and time stand together.
        let mut last = None;
        for row in 0..batch.len() {
            let charge = rows.row(batch, row)?;
            let stretch = (buys.numbers(row), value(from, row), value(to, row));
            let number = match last {
                Some((same, number)) if same == stretch => number,
                _ => {
                    let number = match known.get(&stretch.0) {
                        Some(number) => *number,
                        None => self.number(buys.bought(row, self.currency)?),
                    };
                    known.insert(stretch.0, number);
                    let wrong = || batch.wrong(row, "ChargePeriodEnd");
                    let (from, to) = stretch.1.zip(stretch.2).ok_or_else(wrong)?;
                    if self.stretches.insert((number, from, to)) {
                        self.all[number].nanos += i128::from(to) - i128::from(from);
                    }
                    last = Some((stretch, number));
                    number
                }
            };
            let sums = &mut self.all[number];
            let owner = workload.index(row);
            let has_owner = charge.destination != Destination::Unallocated
                && (charge.destination != Destination::Overhead || owner.is_some());
            let is_asked = wanted.resources.is_none_or(|kept| kept.contains(&charge.resource));
            let is_it = is_asked
                && tests.as_ref().is_some_and(|tests| {
                    tests.iter().all(|test| test.holds(row, charge.destination, has_owner))
                });
            if sums.add(&charge, is_it).is_none() {
                return Ok(None);
            }
            if let (true, Some(owner)) = (is_it, owner) {
                let Some(sum) = workloads[owner].checked_add(charge.pico) else { return Ok(None) };
                (workloads[owner], seen[owner]) = (sum, true);
            }
        }
        for ((name, sum), _) in workload.values().zip(workloads).zip(seen).filter(|(_, seen)| *seen)
        {
            let total = self.workloads.entry(name.to_owned()).or_default();
            let Some(sum) = total.checked_add(sum) else { return Ok(None) };
            *total = sum;
        }
        Ok(Some(()))
    }

    fn number(&mut self, bought: Bought) -> usize {
        let next = self.all.len();
        let number = *self.numbers.entry(bought).or_insert(next);
        if number == next {
            self.all.push(Sums::default());
        }
        number
    }

    /// The lines, by what was bought, resource and destination; the workloads, the dearest first;
    /// and how many hours had no telemetry.
    pub(super) fn finish(self) -> (Vec<Line>, Vec<(WorkloadId, Money)>, u32) {
        let money = |pico| Money::from_pico(pico, self.currency);
        let named =
            |(name, pico): (&String, &i128)| Some((WorkloadId::new(name).ok()?, money(*pico)));
        let mut workloads: Vec<(WorkloadId, Money)> =
            self.workloads.iter().filter_map(named).collect();
        workloads.sort_by(|(a, cost), (b, other)| other.pico().cmp(&cost.pico()).then(a.cmp(b)));
        let mut bought: Vec<(&Bought, usize)> =
            self.numbers.iter().map(|(bought, number)| (bought, *number)).collect();
        bought.sort_unstable_by(|(a, _), (b, _)| a.order(b));
        let mut lines = Vec::new();
        for (bought, number) in bought {
            let sums = &self.all[number];
            for resource in Resource::CHARGED {
                for destination in Destination::ALL {
                    let line = sums.lines[resource as usize][destination as usize];
                    let Some((pico, quantity_nano)) = line else { continue };
                    let of_resource = sums.resources[resource as usize];
                    let hours = proportion(sums.nanos, NANOS_PER_SECOND, NANOS_PER_HOUR);
                    lines.push(Line {
                        node: bought.node.clone(),
                        offer: bought.offer.clone(),
                        resource,
                        destination,
                        node_rate: bought.node_rate,
                        provenance: bought.provenance.clone(),
                        node_hours: Decimal::from_nano(hours.unwrap_or(0)),
                        node_cost: money(sums.pico),
                        resource_cost: money(of_resource.0),
                        resource_quantity_nano: of_resource.1,
                        quantity_nano,
                        cost: money(pico),
                    });
                }
            }
        }
        (lines, workloads, self.hours_without_telemetry)
    }
}

impl Sums {
    /// Adds a charge to what its node and resource cost in all, and to its line if it is of the
    /// row; `None` when a sum does not fit.
    fn add(&mut self, charge: &Numbered, is_it: bool) -> Option<()> {
        self.pico = self.pico.checked_add(charge.pico)?;
        let resource = charge.resource as usize;
        let more = |(pico, nano): (i128, i128)| {
            Some((pico.checked_add(charge.pico)?, nano.checked_add(charge.nano)?))
        };
        self.resources[resource] = more(self.resources[resource])?;
        if is_it {
            let line = &mut self.lines[resource][charge.destination as usize];
            *line = Some(more(line.unwrap_or_default())?);
        }
        Some(())
    }
}

impl Bought {
    /// By node, offer, price, and where that comes from.
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        let price = |bought: &Self| {
            let from = &bought.provenance;
            (bought.node_rate.per_hour().pico(), from.kind.name(), from.as_of)
        };
        (&self.node, &self.offer, price(self), &self.provenance.source).cmp(&(
            &other.node,
            &other.offer,
            price(other),
            &other.provenance.source,
        ))
    }
}
