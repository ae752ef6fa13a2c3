//! The rollup: sums of an hour's rows by what few of them differ in, inside of the hour's own file.
//!
//! Most statements ask for a team, a namespace, a resource; none needs every pod for that. So the
//! file of an hour has a second, small table of its sums, between the rows and the footer, where
//! Parquet readers do not look. It is written with the rows in one step and says the same of the
//! hour as the footer does: it cannot be older than they are. It has a seal of its own, so that the
//! end of the file is all that is read. A file without one, or whose end cannot be read, is read
//! whole: a statement never depends on it. `verify` compares it with the rows.
//!
//! It refuses to know what is asked: it keeps every column that it can afford, those that are asked
//! most before others. Sets of labels cross with teams and namespaces to as many sums as there are
//! rows; where they are too many for that, they have a table of their own inside of this one, in
//! which they come first.

use super::columns::{Batches, Sealed, Table, Text, value};
use super::fold::GIVEN_UP;
use super::{Books, BooksError, Generation, Hour, HourBook, charge_file};
use crate::meter::FastMap;
use arrow_array::Array as _;
use bytes::Bytes;
use farthing_model::{Charge, ClusterId};
use futures::executor::block_on;
use jiff::Timestamp;
use object_store::{GetOptions, GetRange, ObjectStore as _, ObjectStoreExt as _, path::Path};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaDataReader;
use std::collections::{BTreeMap, HashMap};

/// The line of the footer that says where it is: the first byte and the length.
pub(super) const LINE: &str = "farthing.rollup";
/// The line of its own footer that says where the sums by labels lie, inside of it.
const BY_LABELS: &str = "farthing.rollup_by_labels";
/// Its `farthing.kind`.
pub(super) const KIND: &str = "rollup";
/// The column that says whether a row is someone's, which in rows of charges `x_workload` says.
pub(crate) const OWNED: &str = "x_owned";

/// Rows of charges for each of the rollup at least: with fewer it would save little.
const FEWER: usize = 16;
/// The same for the sums by labels, which whoever asks for a team reads for nothing.
const FEWER_BY_LABELS: usize = 64;
/// Rows from which on there is one: fewer are read as fast, and written at every tick.
const ROWS_MIN: usize = 1_024;
/// How much of a file's end is read at first: a footer and a few thousand sums.
const TAIL_BYTES: u64 = 96 << 10;

/// What is summed, and the decimals of it.
const SUMS: [(&str, i8); 3] = [("BilledCost", 12), ("ListCost", 12), ("x_quantity_nano", 0)];
/// What sums are always apart by.
const APART: [&str; 3] = ["x_resource", "x_destination", "x_detail"];
/// What they are apart by where that is affordable, in this order.
const KEPT: [&str; 18] = [
    "ProviderName",
    "RegionId",
    "x_purchase",
    "ResourceType",
    "x_offer",
    "x_team",
    "x_namespace",
    "x_user",
    "x_controller_kind",
    "Tags",
    "x_services",
    "x_workload",
    "x_controller",
    "x_node",
    "x_annotations",
    "x_process",
    "x_container",
    "x_pod",
];

/// What sums by labels are apart by, where that is affordable: labels, and then as others.
fn labels_first() -> impl Iterator<Item = &'static str> {
    let first = ["Tags", "x_annotations"];
    first.into_iter().chain(KEPT.into_iter().filter(move |name| !first.contains(name)))
}

/// Rows in groups that are alike.
#[derive(Clone)]
pub(super) struct Groups {
    /// The group of each row.
    pub(super) of: Vec<u32>,
    /// The first row of each group.
    pub(super) first: Vec<usize>,
}

impl Groups {
    pub(super) fn one(rows: usize) -> Self {
        Self { of: vec![0; rows], first: vec![0] }
    }

    /// The same groups, apart by another value of each row too; `None` where that makes more than
    /// `most`.
    pub(super) fn by(&self, values: impl Iterator<Item = i32>, most: usize) -> Option<Self> {
        let mut known: FastMap<u64, u32> = FastMap::default();
        let mut groups = Self { of: Vec::with_capacity(self.of.len()), first: Vec::new() };
        let mut last = (0, u32::MAX);
        for (row, (group, value)) in self.of.iter().zip(values).enumerate() {
            let key = u64::from(*group) << 32 | u64::from(value.cast_unsigned());
            if last.0 != key || last.1 == u32::MAX {
                let next = u32::try_from(groups.first.len()).ok()?;
                let found = *known.entry(key).or_insert(next);
                if found == next {
                    groups.first.push(row);
                    if groups.first.len() > most {
                        return None;
                    }
                }
                last = (key, found);
            }
            groups.of.push(last.1);
        }
        Some(groups)
    }

    /// Sums of a column; `None` where one does not fit.
    fn sum(&self, table: &Table<'_>, name: &str) -> Option<Vec<i128>> {
        let column = table.decimal_column(name)?;
        let mut sums = vec![0_i128; self.first.len()];
        for (group, value) in self.of.iter().zip(column.values()) {
            let sum = &mut sums[*group as usize];
            *sum = sum.checked_add(*value)?;
        }
        let limit = 10_u128.pow(38);
        sums.iter().all(|sum| sum.unsigned_abs() < limit).then_some(sums)
    }
}

/// Which distinct value each row has; -1 for none.
pub(super) fn indices(text: Text<'_>) -> impl Iterator<Item = i32> + '_ {
    let keys = text.keys();
    (0..keys.len()).map(move |row| if keys.is_valid(row) { keys.value(row) } else { -1 })
}

/// Whose rows are someone's.
fn owned(table: &Table<'_>) -> Option<Vec<bool>> {
    let workload = table.text_column("x_workload")?;
    Some(indices(workload).map(|index| index >= 0).collect())
}

/// Rows that are alike in what every rollup has and in some more columns.
fn grouped(table: &Table<'_>, columns: &[&str], most: usize) -> Option<Groups> {
    let groups = Groups::one(table.len());
    let mut groups = groups.by(owned(table)?.into_iter().map(i32::from), most)?;
    for name in columns {
        groups = groups.by(indices(table.text_column(name)?), most)?;
    }
    Some(groups)
}

/// The rollup of a table of charges, whose footer has these lines; `None` where it would not be
/// much smaller.
pub(super) fn of(
    table: &Table<'_>,
    lines: &[(&'static str, String)],
) -> Result<Option<Bytes>, BooksError> {
    if table.len() < ROWS_MIN {
        return Ok(None);
    }
    let Some(affordable) = affordable(table, KEPT.into_iter(), FEWER) else { return Ok(None) };
    let has_labels = affordable.columns.contains(&"Tags");
    let by_labels = if has_labels || table.text_column("Tags").is_none() {
        None
    } else {
        // Without labels among them these would say nothing that the others do not.
        affordable_by_labels(table)
            .map(|affordable| summed(table, lines, affordable, None))
            .transpose()?
            .flatten()
    };
    summed(table, lines, affordable, by_labels)
}

fn affordable_by_labels(table: &Table<'_>) -> Option<Affordable> {
    let found = affordable(table, labels_first(), FEWER_BY_LABELS)?;
    found.columns.contains(&"Tags").then_some(found)
}

/// Sums that are few enough, and what they are apart by.
struct Affordable {
    groups: Groups,
    columns: Vec<&'static str>,
}

/// The columns that sums can be apart by with so many rows for each, those before others first.
fn affordable(
    table: &Table<'_>,
    kept: impl Iterator<Item = &'static str>,
    fewer: usize,
) -> Option<Affordable> {
    let most = table.len() / fewer;
    let mut groups = grouped(table, &APART, most)?;
    let mut columns = Vec::from(APART);
    for name in kept {
        let Some(text) = table.text_column(name) else { continue };
        if let Some(finer) = groups.by(indices(text), most) {
            groups = finer;
            columns.push(name);
        }
    }
    Some(Affordable { groups, columns })
}

/// The table of these sums; `None` where one does not fit. `inside` are others, by labels.
fn summed(
    table: &Table<'_>,
    lines: &[(&'static str, String)],
    Affordable { groups, mut columns }: Affordable,
    inside: Option<Bytes>,
) -> Result<Option<Bytes>, BooksError> {
    let sums = SUMS.map(|(name, _)| groups.sum(table, name));
    let Some(owned) = owned(table).filter(|_| sums.iter().all(Option::is_some)) else {
        return Ok(None);
    };
    let mut rollup = Table::new(table.file());
    let first = || groups.first.iter().copied();
    columns.push("SubAccountId");
    for name in columns {
        let Some(text) = table.text_column(name) else { continue };
        rollup.text(name, first().map(|row| text.get(row)));
    }
    rollup.text(OWNED, first().map(|row| owned[row].then_some("yes")));
    let Some(starts) = table.instant_column("ChargePeriodStart") else { return Ok(None) };
    let start = |row| super::instant(value(starts, row));
    rollup.instant("ChargePeriodStart", first().map(start))?;
    for ((name, scale), sums) in SUMS.into_iter().zip(sums) {
        rollup.decimal(name, scale, sums.into_iter().flatten().map(Some))?;
    }
    let lines = lines.iter().map(|(key, line)| match *key {
        "farthing.kind" => (*key, KIND.to_owned()),
        key => (key, line.clone()),
    });
    let inside = inside.map(|inside| (BY_LABELS, inside));
    rollup.finish(lines.collect(), inside).map(Some)
}

/// What sums are by, and the [`SUMS`] of each.
type Sums = BTreeMap<Vec<Option<String>>, Vec<i128>>;

/// What is wrong with the rollup of an hour, given its rows, if anything.
fn fault(rollup: &Sealed, charges: &[Charge]) -> Result<Option<&'static str>, BooksError> {
    let batches = rollup.batches()?;
    let schema = batches.schema();
    let columns: Vec<&str> = APART
        .into_iter()
        .chain(KEPT)
        .filter(|name| schema.column_with_name(name).is_some())
        .collect();
    // Before the fourth format there was no price of a list in it.
    let summed: Vec<&str> = SUMS
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| schema.column_with_name(name).is_some())
        .collect();
    let kept = read(batches, &columns, &summed)?;
    let table = charge_file::table(&rollup.file, &charge_file::sorted(charges))?;
    let sums = || -> Option<Sums> {
        let groups = grouped(&table, &columns, usize::MAX)?;
        let of: Option<Vec<Vec<i128>>> =
            summed.iter().map(|name| groups.sum(&table, name)).collect();
        let (of, owned) = (of?, owned(&table)?);
        let mut sums = Sums::new();
        for (group, row) in groups.first.iter().enumerate() {
            let text = |name: &&str| Some(table.text_column(name)?.get(*row)?.to_owned());
            let mut key: Vec<Option<String>> = columns.iter().map(text).collect();
            key.push(owned[*row].then(|| "yes".to_owned()));
            sums.insert(key, of.iter().map(|sums| sums[group]).collect());
        }
        Some(sums)
    };
    Ok((sums() != Some(kept)).then_some("its rollup does not say what its rows sum to"))
}

fn read(batches: Batches, columns: &[&str], summed: &[&str]) -> Result<Sums, BooksError> {
    let mut sums = Sums::new();
    for batch in batches {
        let batch = batch?;
        let mut texts = Vec::with_capacity(columns.len() + 1);
        for name in columns.iter().chain([&OWNED]) {
            texts.push(batch.text(name)?);
        }
        let numbers = summed.iter().map(|name| batch.decimal(name));
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.len() {
            let wrong = |name| batch.wrong(row, name);
            let of = |(column, name)| value(column, row).ok_or_else(|| wrong(name));
            let of = numbers.iter().copied().zip(summed.iter().copied()).map(of);
            let of = of.collect::<Result<Vec<i128>, _>>()?;
            let key = texts.iter().map(|text| text.get(row).map(str::to_owned)).collect();
            if sums.insert(key, of).is_some() {
                return Err(wrong("what is summed twice"));
            }
        }
    }
    Ok(sums)
}

/// Where a rollup is, as [`LINE`] says.
pub(super) fn place(line: &str) -> Option<(u64, u64)> {
    let (start, length) = line.split_once(' ')?;
    Some((start.parse().ok()?, length.parse().ok()?))
}

impl Books {
    /// The charges of the UTC hour that holds `at` in these columns, if any were posted: their sums
    /// where the file has them by all that is asked for, else its rows.
    ///
    /// # Errors
    /// As [`Books::hour`].
    pub(crate) fn hour_by(
        &self,
        cluster: &ClusterId,
        at: Timestamp,
        columns: &[&str],
    ) -> Result<Option<HourBook>, BooksError> {
        let path = Hour::of(at).charges(cluster);
        // Whatever is wrong with the end of the file is said by reading it whole.
        let whole = || self.hour(cluster, at)?.map(|book| book.summed(columns)).transpose();
        let Some(tail) = self.tail(&path, TAIL_BYTES, None) else { return whole() };
        let (is_whole, bytes) = (tail.size == tail.bytes.len() as u64, tail.bytes.clone());
        match self.rollup(&path, tail).and_then(|rollup| rollup.with(columns)) {
            Some(rollup) => Ok(Some(rollup)),
            None if is_whole && bytes != GIVEN_UP => {
                charge_file::open(&self.name(&path), bytes).map(Some)
            }
            None => whole(),
        }
    }

    fn rollup(&self, path: &Path, tail: Tail) -> Option<HourBook> {
        let bytes = self.inside(path, tail, LINE)?;
        charge_file::open_rollup(&self.name(path), bytes).ok()
    }

    /// The table inside of a file whose place a line of its footer says, from the file's end.
    pub(super) fn inside(&self, path: &Path, mut tail: Tail, line: &str) -> Option<Bytes> {
        loop {
            match tail.inside(line) {
                Ok(found) => return found,
                // Once more of the same version; how much is said by the file itself.
                Err(needed) if needed > tail.bytes.len() as u64 => {
                    tail = self.tail(path, needed, tail.e_tag.take())?;
                }
                Err(_) => return None,
            }
        }
    }

    /// The last bytes of a file, if they can be had.
    pub(super) fn tail(&self, path: &Path, bytes: u64, if_match: Option<String>) -> Option<Tail> {
        let options =
            |range, if_match| GetOptions { range: Some(range), if_match, ..GetOptions::default() };
        block_on(async {
            let end = options(GetRange::Suffix(bytes), if_match.clone());
            let found = match self.store.get_opts(path, end).await {
                // Azure has no ranges that are counted from the end.
                Err(object_store::Error::NotSupported { .. }) => {
                    let meta = self.store.head(path).await.ok()?;
                    let range = GetRange::Bounded(meta.size.saturating_sub(bytes)..meta.size);
                    let known = if_match.or(meta.e_tag);
                    self.store.get_opts(path, options(range, known)).await.ok()?
                }
                found => found.ok()?,
            };
            let (size, e_tag) = (found.meta.size, found.meta.e_tag.clone());
            Some(Tail { size, e_tag, bytes: found.bytes().await.ok()? })
        })
    }
}

/// The end of a file.
pub(super) struct Tail {
    pub(super) size: u64,
    pub(super) e_tag: Option<String>,
    pub(super) bytes: Bytes,
}

impl Tail {
    /// What lies where this line says, if the file has it; else how many bytes of the end it takes.
    fn inside(&self, line: &str) -> Result<Option<Bytes>, u64> {
        let mut reader = ParquetMetaDataReader::new();
        match reader.try_parse_sized(&self.bytes, self.size) {
            Ok(()) => {}
            Err(ParquetError::NeedMoreData(needed)) => return Err(needed as u64),
            Err(_) => return Ok(None),
        }
        let Ok(footer) = reader.finish() else { return Ok(None) };
        let lines = footer.file_metadata().key_value_metadata();
        let place_of = lines.into_iter().flatten().find(|of| of.key == line);
        let Some((start, length)) = place_of.and_then(|line| place(line.value.as_deref()?)) else {
            return Ok(None);
        };
        let from_end = self.size.checked_sub(start);
        let Some(from_end) = from_end.filter(|from_end| length <= *from_end) else {
            return Ok(None);
        };
        let have = self.bytes.len() as u64;
        let (Some(skip), Ok(length)) = (have.checked_sub(from_end), usize::try_from(length)) else {
            return Err(from_end);
        };
        let Ok(skip) = usize::try_from(skip) else { return Ok(None) };
        Ok(Some(self.bytes.slice(skip..skip + length)))
    }
}

impl HourBook {
    /// Whether it has all of these columns.
    fn has(&self, columns: &[&str]) -> bool {
        let schema = self.rows.schema();
        columns.iter().all(|name| schema.column_with_name(name).is_some())
    }

    /// Its sums where its file, that of a day, has them by these columns; else its rows.
    fn summed(self, columns: &[&str]) -> Result<Self, BooksError> {
        let Some(sums) = self.rows.inside(LINE)? else { return Ok(self) };
        let book = charge_file::read(sums, KIND, Generation::default())?;
        Ok(book.with(columns).unwrap_or(self))
    }

    /// These sums, or those by labels inside of them, if either has these columns.
    fn with(self, columns: &[&str]) -> Option<Self> {
        if self.has(columns) {
            return Some(self);
        }
        let inside = self.rows.inside(BY_LABELS).ok()??;
        let book = charge_file::read(inside, KIND, Generation::default()).ok()?;
        book.has(columns).then_some(book)
    }

    /// The rollup in its file, to be compared with its rows.
    ///
    /// # Errors
    /// There is one, and it is damaged.
    pub(crate) fn kept_rollup(&self) -> Result<KeptRollup, BooksError> {
        let sums = self.rows.inside(LINE)?;
        let is_of_hour =
            sums.as_ref().is_none_or(|sums| same_lines(sums.lines(), self.rows.lines()));
        Ok(KeptRollup { sums, is_of_hour })
    }
}

/// The rollup of a file of charges, if it has one.
pub(crate) struct KeptRollup {
    sums: Option<Sealed>,
    is_of_hour: bool,
}

impl KeptRollup {
    /// What is wrong with it, given the rows of the file, if anything is.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn fault(&self, charges: &[Charge]) -> Result<Option<&'static str>, BooksError> {
        if !self.is_of_hour {
            return Ok(Some("its rollup is of another hour, or of another writing"));
        }
        let Some(sums) = &self.sums else { return Ok(None) };
        if let Some(by_labels) = sums.inside(BY_LABELS)? {
            if !same_lines(by_labels.lines(), sums.lines()) {
                return Ok(Some("its rollup by labels is of another hour, or of another writing"));
            }
            if let Some(fault) = fault(&by_labels, charges)? {
                return Ok(Some(fault));
            }
        }
        fault(sums, charges)
    }
}

/// Whether a rollup says of the hour what the footer of the file does.
fn same_lines(rollup: &HashMap<String, String>, file: &HashMap<String, String>) -> bool {
    let is_own = |key: &str| {
        matches!(
            key,
            "farthing.kind"
                | LINE
                | BY_LABELS
                | super::seal::KEY
                | "ARROW:schema"
                | super::day::SEAL
        )
    };
    let of = |lines: &HashMap<String, String>| -> BTreeMap<String, String> {
        let own = lines.iter().filter(|(key, _)| !is_own(key));
        own.map(|(key, line)| (key.clone(), line.clone())).collect()
    };
    of(rollup) == of(file)
}
