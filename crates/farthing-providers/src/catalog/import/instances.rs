//! Tables with one row for a machine in a zone and a column for each of its prices: `SkyPilot`'s
//! `vms.csv`, and tables made from it.
//!
//! The columns are told by their names; those that are not needed are passed over.

use super::listing::{Listed, Listing};
use crate::catalog::columns::Column;
use crate::catalog::csv;
use crate::catalog::error::BookError;
use crate::catalog::intake::Intake;
use crate::catalog::number;
use crate::catalog::row::RowError;
use crate::manifest::scalar;
use ::csv::StringRecord;
use arrow_array::RecordBatch;
use jiff::civil::Date;
use std::path::Path;

/// What a table says, and by which names of its columns.
const FIELDS: [(&str, &[&str]); 13] = [
    ("provider", &["cloud", "provider"]),
    ("Region", &["Region", "region"]),
    ("AvailabilityZone", &["AvailabilityZone", "zone"]),
    ("InstanceType", &["InstanceType", "instance_type"]),
    ("AcceleratorName", &["AcceleratorName", "accelerator"]),
    ("AcceleratorCount", &["AcceleratorCount", "accelerator_count"]),
    ("vCPUs", &["vCPUs", "vcpus"]),
    ("MemoryGiB", &["MemoryGiB", "memory_gib"]),
    ("Price", &["Price", "price_usd_h"]),
    ("SpotPrice", &["SpotPrice", "spot_price_usd_h"]),
    ("Arch", &["Arch", "arch"]),
    ("date", &["date", "generated_at"]),
    ("Generation", &["Generation", "generation"]),
];
const PROVIDER: usize = 0;
const REGION: usize = 1;
const ZONE: usize = 2;
const TYPE: usize = 3;
const ACCELERATOR: usize = 4;
const COUNT: usize = 5;
const VCPUS: usize = 6;
const MEMORY: usize = 7;
const PRICE: usize = 8;
const SPOT: usize = 9;
const ARCH: usize = 10;
const DATE: usize = 11;
const GENERATION: usize = 12;

/// Where the fields stand in a table.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    columns: [Option<usize>; FIELDS.len()],
    len: usize,
}

/// What a file says for all its rows.
#[derive(Clone, Debug)]
pub(crate) struct Whole {
    /// The provider, where the table has no column of it.
    pub(crate) provider: Option<String>,
    /// The day of the file, where the table has no column of it.
    pub(crate) day: Date,
    /// What provenance says.
    pub(crate) source: String,
}

impl Layout {
    /// The layout of a table of this kind; `None` for any other.
    pub(crate) fn of<'h>(header: impl Iterator<Item = &'h str>) -> Option<Self> {
        let names: Vec<&str> = header.collect();
        let at = |known: &[&str]| names.iter().position(|name| known.contains(name));
        let columns = FIELDS.map(|(_, known)| at(known));
        let found = [REGION, TYPE, PRICE].into_iter().all(|field| columns[field].is_some());
        found.then_some(Self { columns, len: names.len() })
    }

    /// Whether a record has the right number of cells. An unquoted `V1,V2` makes one more.
    fn check(&self, record: &StringRecord) -> Result<(), String> {
        let wrong = || Err(format!("has {} cells, and the header has {}", record.len(), self.len));
        if record.len() == self.len {
            return Ok(());
        }
        if record.len() < self.len || self.columns[GENERATION] != Some(self.len - 1) {
            return wrong();
        }
        let generation = |cell: &str| {
            let digits = cell.trim().strip_prefix('V').unwrap_or("no");
            digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if record.iter().skip(self.len - 1).all(generation) { Ok(()) } else { wrong() }
    }
}

/// Reads a table in CSV.
///
/// # Errors
/// No provider is known, or more rows than are read.
pub(crate) fn text(
    path: &Path,
    text: &str,
    layout: &Layout,
    whole: &Whole,
    intake: &mut Intake,
) -> Result<(), BookError> {
    let mut listing = Listing::new(whole.source.clone());
    let mut reader = ::csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let mut days = Days::default();
    csv::each(&mut reader, path, intake, |record, intake| {
        layout.check(record)?;
        let cells = Line { record, layout };
        let row = read(&cells, whole, &mut days).map_err(|what| what.to_string())?;
        listing.take(&row, intake).map_err(|what| what.to_string())
    })?;
    finish(listing, path, intake);
    Ok(())
}

/// Reads a table in Parquet.
///
/// # Errors
/// No provider is known, or the file is damaged.
pub(crate) fn batches(
    path: &Path,
    layout: &Layout,
    whole: &Whole,
    batches: impl Iterator<Item = Result<RecordBatch, BookError>>,
    intake: &mut Intake,
) -> Result<(), BookError> {
    let mut listing = Listing::new(whole.source.clone());
    let (mut line, mut days) = (0, Days::default());
    for batch in batches {
        let batch = batch?;
        let columns = layout.columns.map(|at| at.map(|at| Column::of(batch.column(at))));
        for row in 0..batch.num_rows() {
            line += 1;
            let cells = Record { columns: &columns, row };
            let taken = read(&cells, whole, &mut days).and_then(|row| listing.take(&row, intake));
            if let Err(what) = taken {
                intake.fault(path, line, what.to_string());
            }
        }
    }
    finish(listing, path, intake);
    Ok(())
}

fn finish(listing: Listing, path: &Path, intake: &mut Intake) {
    if let Err(what) = listing.finish(intake) {
        intake.fault(path, 0, what.to_string());
    }
}

/// The cells of one row, by field.
trait Fields<'c> {
    fn text(&self, field: usize) -> &'c str;
    fn scaled(&self, field: usize, per: u64) -> Result<u64, RowError>;
    fn price(&self, field: usize) -> Result<Option<i64>, RowError>;
}

/// The last day that was read: rows come in runs.
#[derive(Default)]
struct Days(Option<(String, Date)>);

impl Days {
    fn read(&mut self, text: &str) -> Result<Date, RowError> {
        if let Some((_, day)) = self.0.as_ref().filter(|(last, _)| last == text) {
            return Ok(*day);
        }
        let bad = |what| RowError::Cell("date", what);
        let day = scalar::date(text.get(..10).unwrap_or(text)).map_err(bad)?;
        self.0 = Some((text.to_owned(), day));
        Ok(day)
    }
}

fn read<'c>(
    cells: &impl Fields<'c>,
    whole: &'c Whole,
    days: &mut Days,
) -> Result<Listed<'c>, RowError> {
    let provider = match (cells.text(PROVIDER), &whole.provider) {
        ("", Some(provider)) => provider,
        ("", None) => return Err(RowError::Missing("cloud", "aws, gcp, azure and so on")),
        (provider, _) => provider,
    };
    let date = cells.text(DATE);
    let arch = match cells.text(ARCH) {
        "" => None,
        arch => Some(arch.parse().map_err(|what| RowError::Cell("Arch", what))?),
    };
    Ok(Listed {
        provider,
        region: cells.text(REGION),
        zone: cells.text(ZONE),
        instance_type: cells.text(TYPE),
        accelerator: cells.text(ACCELERATOR),
        count_milli: cells.scaled(COUNT, 1_000)?,
        cpu_milli: cells.scaled(VCPUS, 1_000)?,
        memory_bytes: cells.scaled(MEMORY, 1 << 30)?,
        storage_bytes: 0,
        arch,
        price: cells.price(PRICE)?,
        spot: cells.price(SPOT)?,
        as_of: if date.is_empty() { whole.day } else { days.read(date)? },
        dated: !date.is_empty(),
    })
}

struct Line<'c, 'l> {
    record: &'c StringRecord,
    layout: &'l Layout,
}

impl<'c> Fields<'c> for Line<'c, '_> {
    fn text(&self, field: usize) -> &'c str {
        let at = self.layout.columns[field];
        at.and_then(|at| self.record.get(at)).unwrap_or_default().trim()
    }

    fn scaled(&self, field: usize, per: u64) -> Result<u64, RowError> {
        match self.text(field) {
            "" => Ok(0),
            text => number::scaled(text, per).map_err(|what| RowError::Cell(FIELDS[field].0, what)),
        }
    }

    fn price(&self, field: usize) -> Result<Option<i64>, RowError> {
        match self.text(field) {
            "" => Ok(None),
            text => match number::price(text) {
                Ok(pico) => Ok(Some(pico)),
                Err(what) => Err(RowError::Cell(FIELDS[field].0, what)),
            },
        }
    }
}

struct Record<'c> {
    columns: &'c [Option<Column<'c>>],
    row: usize,
}

impl<'c> Fields<'c> for Record<'c> {
    fn text(&self, field: usize) -> &'c str {
        self.columns[field].as_ref().map_or("", |column| column.text(self.row))
    }

    fn scaled(&self, field: usize, per: u64) -> Result<u64, RowError> {
        let column = self.columns[field].as_ref();
        let read = |it: &Column<'_>| it.scaled(self.row, FIELDS[field].0, per);
        Ok(column.map_or(Ok(None), read)?.unwrap_or(0))
    }

    fn price(&self, field: usize) -> Result<Option<i64>, RowError> {
        let column = self.columns[field].as_ref();
        column.map_or(Ok(None), |it| it.price(self.row, FIELDS[field].0))
    }
}
