//! The hash aggregate: sums of money and quantity by key, batch after batch, exact.

use super::ReportError;
use super::key::{Key, Label, hour_text, position};
use crate::books::{Batch, BooksError, Text, instant, value};
use crate::meter::Usage;
use arrow_array::PrimitiveArray;
use arrow_array::types::TimestampNanosecondType;
use farthing_model::{Destination, PerResource, Resource, Window};
use std::borrow::Cow;
use std::collections::HashMap;

/// The value of a key, with names as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cell {
    Name(usize),
    Missing,
    Unallocated,
    Overhead,
}

/// Sums of one group; indexed by position in [`Destination::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) pico: [i128; 4],
    pub(super) usage: PerResource<Usage>,
}

/// All groups.
pub(super) struct Groups<'a> {
    by: &'a [Key],
    window: Window,
    names: Vec<String>,
    ids: HashMap<String, usize>,
    pub(super) sums: HashMap<Vec<Cell>, Sums>,
    /// Money of rows that the filter left out.
    pub(super) left_out_pico: i128,
}

/// How a batch says the value of one key.
enum Column<'a> {
    /// The file's format does not have it.
    Absent,
    Text(Text<'a>, Vec<Cell>),
    Hour(&'a PrimitiveArray<TimestampNanosecondType>),
}

impl<'a> Groups<'a> {
    pub(super) fn new(by: &'a [Key], window: Window) -> Self {
        let (names, ids, sums) = (Vec::new(), HashMap::new(), HashMap::new());
        Self { by, window, names, ids, sums, left_out_pico: 0 }
    }

    fn name(&mut self, name: &str) -> Cell {
        if let Some(id) = self.ids.get(name) {
            return Cell::Name(*id);
        }
        let id = self.names.len();
        self.names.push(name.to_owned());
        self.ids.insert(name.to_owned(), id);
        Cell::Name(id)
    }

    /// What a cell stands for.
    pub(super) fn label(&self, cell: Cell) -> Label<'_> {
        match cell {
            Cell::Name(id) => Label::Named(Cow::Borrowed(&self.names[id])),
            Cell::Missing => Label::Missing,
            Cell::Unallocated => Label::Unallocated,
            Cell::Overhead => Label::Overhead,
        }
    }

    /// Adds a batch; only rows of `resources`.
    pub(super) fn add(
        &mut self,
        batch: &Batch,
        resources: Option<&[Resource]>,
    ) -> Result<(), ReportError> {
        let mut columns = Vec::with_capacity(self.by.len());
        for key in self.by {
            columns.push(self.column(batch, *key).map_err(ReportError::Books)?);
        }
        let numbers = Numbers::new(batch).map_err(ReportError::Books)?;
        let workload = batch.text(Key::Workload.column()).map_err(ReportError::Books)?;
        let unheld = |row: usize| workload.get(row).is_none();
        let mut cells = Vec::with_capacity(self.by.len());
        for row in 0..batch.len() {
            let charge = numbers.row(batch, row).map_err(ReportError::Books)?;
            if resources.is_some_and(|kept| !kept.contains(&charge.resource)) {
                let sum = self.left_out_pico.checked_add(charge.pico);
                self.left_out_pico = sum.ok_or(ReportError::Overflow(self.window))?;
                continue;
            }
            cells.clear();
            for (key, column) in self.by.iter().zip(&columns) {
                let cell = match (column, charge.destination) {
                    (_, Destination::Unallocated) if key.is_attribution() => Cell::Unallocated,
                    (_, Destination::Overhead) if key.is_attribution() && unheld(row) => {
                        Cell::Overhead
                    }
                    (Column::Text(text, cells), _) => {
                        text.index(row).map_or(Cell::Missing, |index| cells[index])
                    }
                    (Column::Absent, _) => Cell::Missing,
                    (Column::Hour(starts), _) => {
                        let at = instant(value(starts, row));
                        at.map_or(Cell::Missing, |at| self.name(&hour_text(at)))
                    }
                };
                cells.push(cell);
            }
            let added = match self.sums.get_mut(&cells) {
                Some(sums) => sums.add(&charge),
                None => self.sums.entry(cells.clone()).or_default().add(&charge),
            };
            added.ok_or(ReportError::Overflow(self.window))?;
        }
        Ok(())
    }

    fn column<'b>(&mut self, batch: &'b Batch, key: Key) -> Result<Column<'b>, BooksError> {
        if key == Key::Hour {
            return batch.instant(key.column()).map(Column::Hour);
        }
        let column = key.column();
        let text = if key.is_in_every_format() {
            batch.text(column)?
        } else {
            match batch.optional_text(column)? {
                Some(text) => text,
                None => return Ok(Column::Absent),
            }
        };
        let cells = text.values().map(|name| self.name(name)).collect();
        Ok(Column::Text(text, cells))
    }
}

impl Sums {
    fn add(&mut self, charge: &Numbered) -> Option<()> {
        let money = &mut self.pico[charge.destination as usize];
        *money = money.checked_add(charge.pico)?;
        let usage = self.usage.get_mut(charge.resource);
        usage.paid_nano().checked_add(charge.nano)?;
        usage.add(charge.destination, charge.nano);
        Some(())
    }
}

/// A row's numbers and what they are about.
struct Numbered {
    destination: Destination,
    resource: Resource,
    pico: i128,
    nano: i128,
}

/// The columns of numbers in a batch.
struct Numbers<'a> {
    destination: Text<'a>,
    destinations: Vec<Option<Destination>>,
    resource: Text<'a>,
    resources: Vec<Option<Resource>>,
    cost: &'a PrimitiveArray<arrow_array::types::Decimal128Type>,
    quantity: &'a PrimitiveArray<arrow_array::types::Decimal128Type>,
}

impl<'a> Numbers<'a> {
    fn new(batch: &'a Batch) -> Result<Self, BooksError> {
        let (destination, resource) = (batch.text("x_destination")?, batch.text("x_resource")?);
        let named = |name: &str| Destination::ALL.into_iter().find(|d| d.name() == name);
        Ok(Self {
            destination,
            destinations: destination.values().map(named).collect(),
            resource,
            resources: resource
                .values()
                .map(|name| position(Some(name)).map(|index| Resource::CHARGED[index]))
                .collect(),
            cost: batch.decimal("BilledCost")?,
            quantity: batch.decimal("x_quantity_nano")?,
        })
    }

    fn row(&self, batch: &Batch, row: usize) -> Result<Numbered, BooksError> {
        let wrong = |column: &str| batch.wrong(row, column);
        let destination = self.destination.index(row).and_then(|index| self.destinations[index]);
        let resource = self.resource.index(row).and_then(|index| self.resources[index]);
        Ok(Numbered {
            destination: destination.ok_or_else(|| wrong("x_destination"))?,
            resource: resource.ok_or_else(|| wrong("x_resource"))?,
            pico: value(self.cost, row).ok_or_else(|| wrong("BilledCost"))?,
            nano: value(self.quantity, row).ok_or_else(|| wrong("x_quantity_nano"))?,
        })
    }
}
