//! Telemetry in Parquet that is metered without being made values: rows are told to the meter as
//! numbers, batch by batch.
//!
//! A row's texts are indices into the distinct values of its columns, and rows of a scrape come in
//! the order of the scrape before. So the series of many rows are nearly always those that followed
//! one another before, which one comparison of each column confirms.
//!
//! It refuses to know what becomes of samples.

use super::columns::{Batch, Batches, Sealed, Text};
use super::segment_file::{Rows, is_telemetry};
use super::who::IN_TELEMETRY;
use super::{Books, BooksError, COMPACTED, Hour};
use crate::meter::{
    Amounts, MeterInput, Metered, Method, Tally, Telemetry, TelemetryError, meter_telemetry,
};
use crate::weights::Weights;
use arrow_array::{Array as _, ArrowPrimitiveType, PrimitiveArray, StringArray};
use arrow_buffer::{ArrowNativeType, NullBuffer};
use arrow_schema::{DataType, Field, Schema};
use farthing_model::{ClusterId, Currency, NodeSpan, Sample, Window};
use jiff::Timestamp;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::statistics::Statistics;
use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Texts of a sample beside those of who it is.
const TEXTS: [&str; 6] = ["record", "source", "node", "device", "slice", "resource"];
/// Its numbers.
const NUMBERS: [&str; 5] = ["from", "to", "requested_nano", "used_nano", "held_nano"];
/// Rows of a batch of a plain file.
const BATCH_ROWS: usize = 16_384;

/// The columns of a sample.
fn columns() -> Vec<&'static str> {
    [&TEXTS[..], &NUMBERS, &IN_TELEMETRY].concat()
}

/// The series of rows, by the indices of their texts. What differs is an entry, numbered as it
/// comes.
struct Seen {
    texts: Vec<&'static str>,
    /// The distinct values of each text in the last batch.
    values: Vec<Option<StringArray>>,
    /// The texts that are not the same in all rows, and for each text the index that all have.
    varying: Vec<usize>,
    alike: Vec<Option<i32>>,
    /// Of each varying text the index of each entry.
    indices: Vec<Vec<i32>>,
    known: HashMap<Box<[i32]>, usize>,
    /// The series of each entry; none where it is no sample.
    series: Vec<Option<u32>>,
    /// The entry of the last row.
    last: usize,
}

/// Rows of entries that follow one another.
struct Run {
    entry: usize,
    rows: usize,
    is_new: bool,
}

impl Seen {
    fn new() -> Self {
        let texts = [&TEXTS[..], &IN_TELEMETRY].concat();
        let values = vec![None; texts.len()];
        Self {
            texts,
            values,
            varying: Vec::new(),
            alike: Vec::new(),
            indices: Vec::new(),
            known: HashMap::new(),
            series: Vec::new(),
            last: 0,
        }
    }

    /// The indices of a batch's varying texts, text by text. What was seen is forgotten where
    /// indices mean something else now.
    fn columns(&mut self, batch: &Batch) -> Result<Vec<Vec<i32>>, BooksError> {
        let (mut columns, mut varying) = (Vec::new(), Vec::new());
        let (mut alike, mut is_known) = (Vec::new(), true);
        for (at, name) in self.texts.iter().enumerate() {
            let text = batch.optional_text(name)?;
            if let Some(text) = text {
                let kept = text.kept_values();
                let values = self.values[at].replace(kept.clone());
                is_known &=
                    values.is_some_and(|values| text.has_values_of(&values) || values == kept);
            }
            let same = text.map_or(Some(-1), all_alike);
            // What varied once is compared from then on: batches differ in that.
            let varied = self.alike.get(at).is_some_and(|known| *known != same);
            if same.is_some() && !varied {
                alike.push(same);
                continue;
            }
            alike.push(None);
            varying.push(at);
            columns.push(text.map_or_else(|| vec![-1; batch.len()], filled));
        }
        if !is_known || varying != self.varying {
            self.indices = vec![Vec::new(); varying.len()];
            self.known.clear();
            self.series.clear();
            self.last = 0;
        }
        (self.varying, self.alike) = (varying, alike);
        Ok(columns)
    }

    /// The rows from one on that are of entries in their order, as far as that goes: scrapes have
    /// the same series in the same order, so that it goes far.
    fn run(&mut self, columns: &[Vec<i32>], row: usize, rows: usize) -> Run {
        let known = self.series.len();
        let entry = if self.last + 1 < known { self.last + 1 } else { 0 };
        let mut most = (known - entry).min(rows - row);
        for (column, indices) in columns.iter().zip(&self.indices) {
            most = alike(&column[row..row + most], &indices[entry..entry + most]);
        }
        if most > 0 {
            self.last = entry + most - 1;
            return Run { entry, rows: most, is_new: false };
        }
        let key: Box<[i32]> = columns.iter().map(|column| column[row]).collect();
        let entry = self.known.get(&key).copied().unwrap_or(known);
        let is_new = entry == known;
        if is_new {
            for (indices, index) in self.indices.iter_mut().zip(&key) {
                indices.push(*index);
            }
            self.known.insert(key, entry);
            self.series.push(None);
        }
        self.last = entry;
        Run { entry, rows: 1, is_new }
    }
}

/// How many are the same from the first on.
fn alike(a: &[i32], b: &[i32]) -> usize {
    if a == b {
        return a.len();
    }
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Which distinct value each row has; -1 for none.
fn filled(text: Text<'_>) -> Vec<i32> {
    let keys = text.keys();
    let Some(nulls) = keys.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return keys.values().to_vec();
    };
    let mut all = vec![-1; keys.len()];
    for (from, to) in nulls.valid_slices() {
        all[from..to].copy_from_slice(&keys.values()[from..to]);
    }
    all
}

/// The index that all rows have, if they do; -1 for none.
fn all_alike(text: Text<'_>) -> Option<i32> {
    let keys = text.keys();
    if keys.null_count() == keys.len() {
        return Some(-1);
    }
    let first = *keys.values().first()?;
    let is = keys.null_count() == 0 && keys.values().iter().all(|index| *index == first);
    is.then_some(first)
}

/// Tells the samples of some batches.
fn tell(
    batches: impl Iterator<Item = Result<Batch, BooksError>>,
    tally: &mut Tally<'_>,
) -> Result<(), BooksError> {
    let mut seen = Seen::new();
    for batch in batches {
        tell_batch(&batch?, &mut seen, tally)?;
    }
    Ok(())
}

fn tell_batch(batch: &Batch, seen: &mut Seen, tally: &mut Tally<'_>) -> Result<(), BooksError> {
    let columns = seen.columns(batch)?;
    let mut rows = Rows::new(batch)?;
    let times = (Numbers::of(batch.instant("from")?), Numbers::of(batch.instant("to")?));
    let requested = Numbers::of(batch.decimal("requested_nano")?);
    let used = Numbers::of(batch.decimal("used_nano")?);
    let held = batch.optional_decimal("held_nano")?.map(Numbers::of);
    let mut row = 0;
    while row < batch.len() {
        let run = seen.run(&columns, row, batch.len());
        if run.is_new && rows.record(row) == "sample" {
            seen.series[run.entry] = Some(tally.series(&rows.sample(row)?));
        }
        let of_run = &seen.series[run.entry..run.entry + run.rows];
        for (row, series) in (row..).zip(of_run) {
            let Some(series) = *series else { continue };
            let wrong = |column: &str| batch.wrong(row, column);
            let from = times.0.get(row).ok_or_else(|| wrong("from"))?;
            let to = times.1.get(row).filter(|to| *to > from).ok_or_else(|| wrong("to"))?;
            let amounts = Amounts {
                requested: requested.get(row).ok_or_else(|| wrong("requested_nano"))?,
                used: used.get(row),
                held: held.and_then(|held| held.get(row)),
            };
            if !tally.add(series, (from, to), amounts) {
                tally.not_an_amount(&rows.sample(row)?);
            }
        }
        row += run.rows;
    }
    Ok(())
}

/// A column of numbers, of which some may be missing.
#[derive(Clone, Copy)]
struct Numbers<'a, N> {
    all: &'a [N],
    nulls: Option<&'a NullBuffer>,
}

impl<'a, N: ArrowNativeType> Numbers<'a, N> {
    fn of<T: ArrowPrimitiveType<Native = N>>(column: &'a PrimitiveArray<T>) -> Self {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        Self { all: column.values(), nulls }
    }

    fn get(self, row: usize) -> Option<N> {
        match self.nulls {
            Some(nulls) if nulls.is_null(row) => None,
            _ => Some(self.all[row]),
        }
    }
}

/// The samples of some nodes in some batches.
fn of_nodes(
    batches: impl Iterator<Item = Result<Batch, BooksError>>,
    is_asked: &dyn Fn(&str) -> bool,
) -> Result<Vec<Sample>, BooksError> {
    let mut samples = Vec::new();
    for batch in batches {
        let batch = batch?;
        let node = batch.text("node")?;
        let asked: Vec<bool> = node.values().map(is_asked).collect();
        let mut rows = Rows::new(&batch)?;
        for row in 0..batch.len() {
            if node.index(row).is_some_and(|index| asked[index]) && rows.record(row) == "sample" {
                samples.push(rows.sample(row)?);
            }
        }
    }
    Ok(samples)
}

/// The batches of row groups, one after the other: each has distinct values of its own.
fn opened(
    groups: impl Iterator<Item = Result<Batches, BooksError>>,
) -> impl Iterator<Item = Result<Batch, BooksError>> {
    groups.flat_map(|group| {
        let (batches, error) = match group {
            Ok(batches) => (Some(batches), None),
            Err(error) => (None, Some(Err(error))),
        };
        batches.into_iter().flatten().chain(error)
    })
}

/// The telemetry files of an hour, none of which says again what another one does.
pub(super) struct Kept(Vec<Sealed>);

impl Kept {
    fn batches(&self) -> impl Iterator<Item = Result<Batch, BooksError>> {
        let groups =
            self.0.iter().flat_map(|file| (0..file.row_groups()).map(move |at| (file, at)));
        opened(groups.map(|(file, at)| file.only_in(&columns(), at)))
    }

    /// What was paid. Spans are few: a batch without one is not decoded.
    fn spans(&self) -> Result<Vec<NodeSpan>, BooksError> {
        let mut spans = Vec::new();
        for file in &self.0 {
            let mut ranges = Vec::new();
            let mut first = 0;
            for batch in file.only(&["record", "source"])? {
                let batch = batch?;
                let records = batch.optional_text("record")?;
                let source = batch.text("source")?;
                for row in 0..batch.len() {
                    let record = records.and_then(|records| records.get(row));
                    let is_span = match record {
                        Some(record) => record == "span",
                        None => source.index(row).is_none(),
                    };
                    if is_span {
                        ranges.push(first + row..first + row + 1);
                    }
                }
                first += batch.len();
            }
            for batch in file.rows(ranges)? {
                let batch = batch?;
                let mut rows = Rows::new(&batch)?;
                for row in 0..batch.len() {
                    spans.push(rows.span(row)?);
                }
            }
        }
        Ok(spans)
    }
}

impl Telemetry for Kept {
    type Error = BooksError;

    fn tell(&self, tally: &mut Tally<'_>) -> Result<(), BooksError> {
        tell(self.batches(), tally)
    }

    fn of_nodes(&self, is_asked: &dyn Fn(&str) -> bool) -> Result<Vec<Sample>, BooksError> {
        of_nodes(self.batches(), is_asked)
    }
}

/// What of the books is metered, and how.
#[derive(Clone, Copy, Debug)]
pub struct Again<'a> {
    /// Inside of one UTC hour.
    pub window: Window,
    /// The currency of the books.
    pub currency: Currency,
    /// How claims are counted.
    pub method: Method,
    /// How nodes' prices are split.
    pub weights: &'a Weights,
}

impl Books {
    /// Meters the telemetry that is kept of an hour, without making values of it: memory is for the
    /// series and not for the samples.
    ///
    /// # Errors
    /// A file cannot be read or is damaged; its telemetry cannot be metered.
    pub fn meter_kept(
        &self,
        cluster: &ClusterId,
        again: Again<'_>,
    ) -> Result<Metered, TelemetryError<BooksError>> {
        let Again { window, currency, method, weights } = again;
        let kept = self.kept(cluster, window.from()).map_err(TelemetryError::Read)?;
        let Some(kept) = kept else {
            let segments = self.segments(cluster, window.from()).map_err(TelemetryError::Read)?;
            let spans: Vec<_> = segments.iter().flat_map(|one| one.spans.clone()).collect();
            let samples: Vec<_> = segments.into_iter().flat_map(|one| one.samples).collect();
            let (spans, samples) = (&spans[..], &samples[..]);
            let input = MeterInput { cluster, window, currency, spans, samples, weights };
            return crate::meter::meter_by(&input, method).map_err(TelemetryError::Meter);
        };
        let spans = kept.spans().map_err(TelemetryError::Read)?;
        let spans = &spans[..];
        let input = MeterInput { cluster, window, currency, spans, samples: &[], weights };
        meter_telemetry((&input, method), &kept)
    }

    /// The files of an hour; `None` where one may say again what another one does, as after a tick
    /// that was not folded in.
    pub(super) fn kept(
        &self,
        cluster: &ClusterId,
        at: Timestamp,
    ) -> Result<Option<Kept>, BooksError> {
        let files = self.list(&Hour::of(at).telemetry(cluster))?;
        if files.len() > 1 && files.iter().any(|path| path.filename() == Some(COMPACTED)) {
            return Ok(None);
        }
        let open = |path| {
            let sealed = Sealed::open(&self.name(path), self.read(path)?)?;
            is_telemetry(&sealed)?;
            Ok(sealed)
        };
        files.iter().map(open).collect::<Result<_, _>>().map(|files| Some(Kept(files)))
    }
}

/// A Parquet file of samples that is in no books: the columns of samples in telemetry, of which
/// `record` and those of who may be missing.
pub struct SampleFile {
    path: PathBuf,
    name: Arc<str>,
    footer: ArrowReaderMetadata,
}

impl SampleFile {
    /// Opens a file and reads its footer.
    ///
    /// # Errors
    /// It cannot be read, or is no Parquet.
    pub fn open(path: &Path) -> Result<Self, BooksError> {
        let name: Arc<str> = path.display().to_string().into();
        let file = Self::file(path, &name)?;
        let error = |source| BooksError::Parquet { file: name.to_string(), source };
        let plain = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(error)?;
        // Texts by their distinct values, whoever wrote the file.
        let text = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let fields = plain.schema().fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                Arc::new(Field::new(field.name(), text.clone(), field.is_nullable()))
            }
            _ => field.clone(),
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = ArrowReaderOptions::new().with_schema(schema);
        let footer = ArrowReaderMetadata::load(&file, options).map_err(error)?;
        Ok(Self { path: path.to_owned(), name, footer })
    }

    fn file(path: &Path, name: &str) -> Result<File, BooksError> {
        let opened = File::open(path);
        opened.map_err(|source| BooksError::Folder { folder: name.to_owned(), source })
    }

    /// Meters the samples of a window of it: those that are given with the input do not count.
    ///
    /// # Errors
    /// It cannot be read; its samples cannot be metered.
    pub fn meter(&self, input: &MeterInput<'_>) -> Result<Metered, TelemetryError<BooksError>> {
        let of_window = OfWindow { file: self, window: input.window };
        meter_telemetry((&MeterInput { samples: &[], ..*input }, Method::default()), &of_window)
    }
}

/// The row groups of a file that may have samples of a window.
struct OfWindow<'a> {
    file: &'a SampleFile,
    window: Window,
}

impl OfWindow<'_> {
    fn row_groups(&self) -> Vec<usize> {
        let footer = self.file.footer.metadata();
        let columns = footer.file_metadata().schema_descr().columns();
        let column = |name: &str| columns.iter().position(|column| column.name() == name);
        let (from, to) = (column("from"), column("to"));
        let bounds = |group: usize, column: Option<usize>| match footer
            .row_group(group)
            .column(column?)
            .statistics()?
        {
            Statistics::Int64(of) => Some((i128::from(*of.min_opt()?), i128::from(*of.max_opt()?))),
            _ => None,
        };
        let (begins, ends) = (self.window.from().as_nanosecond(), self.window.to().as_nanosecond());
        let inside = |group: &usize| {
            bounds(*group, from).is_none_or(|(least, _)| least < ends)
                && bounds(*group, to).is_none_or(|(_, most)| most > begins)
        };
        (0..footer.num_row_groups()).filter(inside).collect()
    }

    fn batches(&self) -> impl Iterator<Item = Result<Batch, BooksError>> {
        opened(self.row_groups().into_iter().map(|group| self.row_group(group)))
    }

    fn row_group(&self, group: usize) -> Result<Batches, BooksError> {
        let SampleFile { path, name, footer } = self.file;
        let file = SampleFile::file(path, name)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer.clone());
        let only = ProjectionMask::columns(builder.parquet_schema(), columns());
        let builder =
            builder.with_batch_size(BATCH_ROWS).with_row_groups(vec![group]).with_projection(only);
        let error = |source| BooksError::Parquet { file: name.to_string(), source };
        Ok(Batches::new(builder.build().map_err(error)?, name.clone()))
    }
}

impl Telemetry for OfWindow<'_> {
    type Error = BooksError;

    fn tell(&self, tally: &mut Tally<'_>) -> Result<(), BooksError> {
        tell(self.batches(), tally)
    }

    fn of_nodes(&self, is_asked: &dyn Fn(&str) -> bool) -> Result<Vec<Sample>, BooksError> {
        of_nodes(self.batches(), is_asked)
    }
}
