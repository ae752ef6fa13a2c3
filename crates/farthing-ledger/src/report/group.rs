//! The hash aggregate: sums of money and quantity by key, batch after batch, exact.

use super::ReportError;
use super::filter::Filter;
use super::key::{Column, Key, Label};
use super::statement::{Basis, Scope, StatementQuery};
use super::sums::{Cell, Entries, Sums};
use crate::books::{Batch, BooksError, OWNED, Text, instant, value};
use arrow_array::types::{Decimal128Type, TimestampNanosecondType};
use arrow_array::{Array as _, PrimitiveArray, StringArray};
use farthing_model::{ClusterId, Destination, Detail, Resource, Window, hour_floor};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The value of a key: one of these, or the number of a name.
const MISSING: Cell = 0;
const UNALLOCATED: Cell = 1;
const OVERHEAD: Cell = 2;
const IDLE: Cell = 3;
const NAMES_FROM: usize = 4;

/// Of what is idle, that on which nothing was held.
const BARE: &str = Detail::Bare.name();
/// Of what is idle or unallocated, that of which nobody knows whether it was used.
const UNKNOWN: [&str; 2] = [Detail::Unknown.name(), Detail::Unmeasured.name()];
/// Columns that files of earlier formats lack and that are read where they are.
pub(super) const OPTIONAL: [&str; 2] = ["ListCost", "x_detail"];

/// What sets a group apart beside the values of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Whether the filter keeps it.
    pub(super) kept: Option<bool>,
    /// Whether all others share it.
    pub(super) common: bool,
    /// Whether somebody is charged.
    pub(super) owned: bool,
}

impl Kind {
    fn bits(self) -> u32 {
        let kept = match self.kept {
            Some(false) => 0,
            Some(true) => 1,
            None => 2,
        };
        kept | u32::from(self.common) << 2 | u32::from(self.owned) << 3
    }

    fn of(bits: u32) -> Self {
        let kept = match bits & 3 {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        Self { kept, common: bits & 4 != 0, owned: bits & 8 != 0 }
    }
}

/// One group.
pub(super) struct Group<'g> {
    /// The values of the keys.
    pub(super) cells: &'g [Cell],
    /// The cluster, the node where the scope is one, and the values of keys of time.
    pub(super) cluster: Cell,
    pub(super) node: Option<Cell>,
    pub(super) kind: Kind,
    pub(super) sums: &'g Sums,
}

/// All groups.
pub(super) struct Groups<'a> {
    query: &'a StatementQuery,
    window: Window,
    names: Vec<String>,
    ids: HashMap<String, Cell>,
    entries: Entries,
    sums: OnceCell<Vec<(Vec<Cell>, Sums)>>,
    /// What was read from texts of JSON.
    read: HashMap<(usize, String), Cell>,
    /// The cells of the distinct values of the last batch, by key: the next one often has the same.
    last: Vec<Option<(StringArray, Rc<Vec<Cell>>)>>,
    /// Money of rows of other resources.
    pub(super) left_out_pico: i128,
}

/// How a batch says the value of one key.
enum Values<'a> {
    /// The file's format does not have it.
    Absent,
    Text(Text<'a>, Rc<Vec<Cell>>),
    Time(&'a PrimitiveArray<TimestampNanosecondType>),
}

impl<'a> Groups<'a> {
    pub(super) fn new(query: &'a StatementQuery, window: Window) -> Self {
        Self {
            query,
            window,
            names: Vec::new(),
            ids: HashMap::new(),
            entries: Entries::default(),
            sums: OnceCell::new(),
            read: HashMap::new(),
            last: vec![None; query.by.len() + 1],
            left_out_pico: 0,
        }
    }

    fn name(&mut self, name: &str) -> Cell {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        // Four thousand million distinct names do not fit into memory.
        let id = Cell::try_from(self.names.len() + NAMES_FROM).unwrap_or(Cell::MAX);
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// What a cell stands for.
    pub(super) fn label(&self, cell: Cell) -> Label<'_> {
        match cell {
            MISSING => Label::Missing,
            UNALLOCATED => Label::Unallocated,
            OVERHEAD => Label::Overhead,
            IDLE => Label::Idle,
            name => Label::Named(Cow::Borrowed(&self.names[name as usize - NAMES_FROM])),
        }
    }

    /// All groups, once everything was added.
    pub(super) fn iter(&self) -> impl Iterator<Item = Group<'_>> {
        let keys = self.query.by.len();
        self.sums.get_or_init(|| self.entries.sums()).iter().map(move |(all, sums)| {
            let node = (self.query.sharing.scope == Scope::Node).then(|| all[keys + 1]);
            let kind = Kind::of(all[all.len() - 1]);
            Group { cells: &all[..keys], cluster: all[keys], node, kind, sums }
        })
    }

    /// Adds a batch of a cluster.
    pub(super) fn add(&mut self, batch: &Batch, cluster: &ClusterId) -> Result<(), ReportError> {
        let books = ReportError::Books;
        let query = self.query;
        let mut columns = Vec::with_capacity(query.by.len());
        for (index, key) in query.by.iter().enumerate() {
            columns.push(self.values(batch, index, key).map_err(books)?);
        }
        let node = (query.sharing.scope == Scope::Node)
            .then(|| self.values(batch, query.by.len(), &Key::Node))
            .transpose()
            .map_err(books)?;
        let numbers = Numbers::new(batch).map_err(books)?;
        let owner = owner(batch).map_err(books)?;
        let over = |filter: &Option<Filter>| {
            filter.as_ref().map(|filter| filter.over(batch)).transpose().map_err(books)
        };
        let (filter, common) = (over(&query.filter)?, over(&query.sharing.common)?);
        let detail = batch.optional_text("x_detail").map_err(books)?;
        let is_charged = |row| match query.basis {
            Basis::Reserved => true,
            Basis::Occupied => detail.and_then(|detail| detail.get(row)) != Some(BARE),
            Basis::Used => false,
        };
        let cluster = self.name(cluster.as_str());
        let mut times = vec![(i128::MIN, MISSING); query.by.len()];
        let mut cells: Vec<Cell> = Vec::with_capacity(query.by.len() + 3);
        for row in 0..batch.len() {
            let charge = numbers.row(batch, row).map_err(books)?;
            if query.resources.as_ref().is_some_and(|kept| !kept.contains(&charge.resource)) {
                let sum = self.left_out_pico.checked_add(charge.pico);
                self.left_out_pico = sum.ok_or(ReportError::Overflow(self.window))?;
                continue;
            }
            let has_owner = charge.destination != Destination::Unallocated
                && (charge.destination != Destination::Overhead || owner.index(row).is_some());
            let spare = spare(charge.destination, has_owner, is_charged(row));
            cells.clear();
            for (index, (key, column)) in query.by.iter().zip(&columns).enumerate() {
                cells.push(match (spare, column) {
                    (Some(cell), _) if key.is_attribution() => cell,
                    (_, Values::Text(text, cells)) => {
                        text.index(row).map_or(MISSING, |index| cells[index])
                    }
                    (_, Values::Absent) => MISSING,
                    (_, Values::Time(starts)) => {
                        self.time(key, value(starts, row), &mut times[index])
                    }
                });
            }
            cells.push(cluster);
            if let Some(Values::Text(text, names)) = &node {
                cells.push(text.index(row).map_or(MISSING, |index| names[index]));
            }
            let owned = spare.is_none();
            let kept = match &filter {
                Some(filter) => filter.keeps(row, has_owner),
                None => Some(true),
            };
            let common = owned
                && common.as_ref().is_some_and(|common| common.keeps(row, true) == Some(true));
            cells.push(Kind { kept, common, owned }.bits());
            let added = self.entries.of(&cells, &charge).add(&charge);
            added.ok_or(ReportError::Overflow(self.window))?;
        }
        Ok(())
    }

    /// The cell of a time; rows beside one another are of the same hour nearly always.
    fn time(&mut self, key: &Key, nanos: Option<i64>, last: &mut (i128, Cell)) -> Cell {
        let Some(at) = instant(nanos) else { return MISSING };
        let hour = hour_floor(at).as_nanosecond();
        if last.0 != hour {
            *last = (hour, self.name(&key.time_text(at)));
        }
        last.1
    }

    fn values<'b>(
        &mut self,
        batch: &'b Batch,
        index: usize,
        key: &Key,
    ) -> Result<Values<'b>, BooksError> {
        let column = key.column();
        let name = column.name();
        if let Column::Time(_) = column {
            return batch.instant(name).map(Values::Time);
        }
        let text = if column.is_in_every_format() {
            batch.text(name)?
        } else {
            match batch.optional_text(name)? {
                Some(text) => text,
                None => return Ok(Values::Absent),
            }
        };
        let last = self.last[index].take();
        let kept = text.kept_values();
        if let Some((values, cells)) = last.as_ref()
            && (text.has_values_of(values) || kept == *values)
        {
            let cells = Rc::clone(cells);
            self.last[index] = last;
            return Ok(Values::Text(text, cells));
        }
        let is_plain = matches!(column, Column::Plain(_));
        let cells = text.values().enumerate().map(|(at, text)| {
            // Hours have the same values in the same order as far as the same things run.
            if let Some((values, cells)) = &last
                && at < values.len()
                && values.is_valid(at)
                && values.value(at) == text
            {
                return cells[at];
            }
            if is_plain {
                return self.name(text);
            }
            let known = (index, text.to_owned());
            if let Some(cell) = self.read.get(&known) {
                return *cell;
            }
            let cell = column.read(text).map_or(MISSING, |value| self.name(&value));
            self.read.insert(known, cell);
            cell
        });
        let cells = Rc::new(cells.collect());
        self.last[index] = Some((kept, Rc::clone(&cells)));
        Ok(Values::Text(text, cells))
    }

    /// The columns that are asked for, beside those that say whether a row is someone's.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        let query = self.query;
        let mut names = vec!["x_destination", "x_resource", "BilledCost", "x_quantity_nano"];
        names.extend(query.by.iter().map(|key| key.column().name()));
        let filters = query.filter.iter().chain(&query.sharing.common);
        names.extend(filters.flat_map(Filter::columns));
        names.extend((query.sharing.scope == Scope::Node).then_some("x_node"));
        names
    }
}

/// The columns of which one says whether a row is someone's: in sums and in charges.
pub(super) const OWNERS: [&str; 2] = [OWNED, "x_workload"];

fn owner(batch: &Batch) -> Result<Text<'_>, BooksError> {
    let [of_sums, of_charges] = OWNERS;
    batch.optional_text(of_sums)?.map_or_else(|| batch.text(of_charges), Ok)
}

/// What stands in the place of an owner, where nobody is charged, or not for what is idle.
fn spare(destination: Destination, has_owner: bool, charged: bool) -> Option<Cell> {
    match destination {
        Destination::Unallocated => Some(UNALLOCATED),
        Destination::Overhead if !has_owner => Some(OVERHEAD),
        Destination::Idle if !charged => Some(IDLE),
        _ => None,
    }
}

/// A row's numbers and what they are about.
pub(super) struct Numbered {
    pub(super) destination: Destination,
    pub(super) resource: Resource,
    pub(super) pico: i128,
    /// At the price of the list; what was paid where none is known.
    pub(super) list_pico: i128,
    pub(super) nano: i128,
    /// Whether nobody measured whether it was used.
    pub(super) is_unknown: bool,
}

/// The columns of numbers in a batch.
pub(super) struct Numbers<'a> {
    destination: Text<'a>,
    destinations: Vec<Option<Destination>>,
    resource: Text<'a>,
    resources: Vec<Option<Resource>>,
    cost: &'a PrimitiveArray<Decimal128Type>,
    list: Option<&'a PrimitiveArray<Decimal128Type>>,
    quantity: &'a PrimitiveArray<Decimal128Type>,
    detail: Option<Text<'a>>,
    /// Which of its distinct values say that nobody measured.
    unknown: Vec<bool>,
}

impl<'a> Numbers<'a> {
    pub(super) fn new(batch: &'a Batch) -> Result<Self, BooksError> {
        let (destination, resource) = (batch.text("x_destination")?, batch.text("x_resource")?);
        let named = |name: &str| Destination::ALL.into_iter().find(|d| d.name() == name);
        let detail = batch.optional_text("x_detail")?;
        let is_unknown = |detail: &str| UNKNOWN.contains(&detail);
        Ok(Self {
            destination,
            destinations: destination.values().map(named).collect(),
            resource,
            resources: resource.values().map(|name| name.parse().ok()).collect(),
            cost: batch.decimal("BilledCost")?,
            list: batch.optional_decimal("ListCost")?,
            quantity: batch.decimal("x_quantity_nano")?,
            detail,
            unknown: detail.into_iter().flat_map(Text::values).map(is_unknown).collect(),
        })
    }

    pub(super) fn row(&self, batch: &Batch, row: usize) -> Result<Numbered, BooksError> {
        let wrong = |column: &str| batch.wrong(row, column);
        let destination = self.destination.index(row).and_then(|index| self.destinations[index]);
        let resource = self.resource.index(row).and_then(|index| self.resources[index]);
        let pico = value(self.cost, row).ok_or_else(|| wrong("BilledCost"))?;
        let detail = self.detail.and_then(|detail| detail.index(row));
        Ok(Numbered {
            is_unknown: detail.is_some_and(|index| self.unknown[index]),
            destination: destination.ok_or_else(|| wrong("x_destination"))?,
            resource: resource.ok_or_else(|| wrong("x_resource"))?,
            pico,
            list_pico: self.list.and_then(|list| value(list, row)).unwrap_or(pico),
            nano: value(self.quantity, row).ok_or_else(|| wrong("x_quantity_nano"))?,
        })
    }
}
