//! Telemetry in Parquet that is metered without being made values: rows are told to the meter as
//! numbers, batch by batch.
//!
//! A row's texts are indices into the distinct values of its columns, and rows of a scrape come in
//! the order of the scrape before. So the series of a row is nearly always the one that followed
//! the last row's the last time, which one comparison of indices confirms.
//!
//! It refuses to know what becomes of samples.

use super::columns::{Batch, Batches, Sealed, Text, indices, value};
use super::segment_file::{Rows, is_telemetry};
use super::who::IN_TELEMETRY;
use super::{Books, BooksError, COMPACTED, Hour};
use crate::meter::{
    Amounts, MeterInput, Metered, Method, Tally, Telemetry, TelemetryError, meter_telemetry,
};
use crate::weights::Weights;
use arrow_array::{Array as _, StringArray};
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

/// The series of rows, by the indices of their texts.
struct Seen {
    texts: Vec<&'static str>,
    /// The distinct values of each text in the last batch.
    values: Vec<Option<StringArray>>,
    /// The texts that are not the same in all rows, and for each text the index that all have.
    varying: Vec<usize>,
    alike: Vec<Option<i32>>,
    /// Indices of the varying texts, entry by entry, and the entry of indices.
    indices: Vec<i32>,
    known: HashMap<Box<[i32]>, usize>,
    /// The series of each entry; none where it is no sample.
    series: Vec<Option<u32>>,
    /// What followed each entry last.
    next: Vec<usize>,
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
            next: Vec::new(),
        }
    }

    /// The indices of a batch's varying texts, row by row. What was seen is forgotten where
    /// indices mean something else now.
    fn rows(&mut self, batch: &Batch) -> Result<Vec<i32>, BooksError> {
        let mut columns: Vec<(usize, Vec<i32>)> = Vec::new();
        let (mut alike, mut is_known) = (Vec::new(), true);
        for (at, name) in self.texts.iter().enumerate() {
            let text = batch.optional_text(name)?;
            let same = text.and_then(all_alike).unwrap_or(-1);
            if let Some(text) = text {
                let kept = text.kept_values();
                let values = self.values[at].replace(kept.clone());
                is_known &=
                    values.is_some_and(|values| text.has_values_of(&values) || values == kept);
            }
            // What varied once is compared from then on: batches differ in that.
            let varied = self.varying.contains(&at)
                || self.alike.get(at).is_some_and(|known| *known != Some(same));
            let is_alike = text.is_none_or(|text| all_alike(text).is_some());
            if is_alike && !varied {
                alike.push(Some(same));
                continue;
            }
            alike.push(None);
            let rows = text.map_or_else(|| vec![-1; batch.len()], |text| indices(text).collect());
            columns.push((at, rows));
        }
        let varying: Vec<usize> = columns.iter().map(|(at, _)| *at).collect();
        if !is_known || varying != self.varying {
            self.indices.clear();
            self.known.clear();
            self.series.clear();
            self.next.clear();
        }
        (self.varying, self.alike) = (varying, alike);
        let width = columns.len();
        let mut rows = vec![0; batch.len() * width];
        for (at, (_, column)) in columns.into_iter().enumerate() {
            for (row, index) in column.into_iter().enumerate() {
                rows[row * width + at] = index;
            }
        }
        Ok(rows)
    }

    /// The entry of a row, which is numbered if it is new.
    fn entry(&mut self, row: &[i32], last: Option<usize>) -> (usize, bool) {
        let width = row.len();
        let of = |seen: &Self, entry: usize| seen.indices[entry * width..][..width] == *row;
        if let Some(next) = last.map(|last| self.next[last])
            && next < self.series.len()
            && of(self, next)
        {
            return (next, false);
        }
        let next = self.series.len();
        let entry = *self.known.entry(row.into()).or_insert(next);
        if entry == next {
            self.indices.extend_from_slice(row);
            self.series.push(None);
            self.next.push(usize::MAX);
        }
        if let Some(last) = last {
            self.next[last] = entry;
        }
        (entry, entry == next)
    }
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
    let indices = seen.rows(batch)?;
    let width = seen.varying.len();
    let mut rows = Rows::new(batch)?;
    let (from, to) = (batch.instant("from")?, batch.instant("to")?);
    let (requested, used) = (batch.decimal("requested_nano")?, batch.decimal("used_nano")?);
    let held = batch.optional_decimal("held_nano")?;
    let mut last = None;
    for row in 0..batch.len() {
        let (entry, is_new) = seen.entry(&indices[row * width..][..width], last);
        last = Some(entry);
        if is_new && rows.record(row) == "sample" {
            seen.series[entry] = Some(tally.series(&rows.sample(row)?));
        }
        let Some(series) = seen.series[entry] else { continue };
        let wrong = |column: &str| batch.wrong(row, column);
        let from = value(from, row).ok_or_else(|| wrong("from"))?;
        let to = value(to, row).filter(|to| *to > from).ok_or_else(|| wrong("to"))?;
        let amounts = Amounts {
            requested: value(requested, row).ok_or_else(|| wrong("requested_nano"))?,
            used: value(used, row).ok_or_else(|| wrong("used_nano"))?,
            held: held.and_then(|held| value(held, row)),
        };
        if !tally.add(series, (from, to), amounts) {
            tally.not_an_amount(&rows.sample(row)?);
        }
    }
    Ok(())
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

/// The telemetry files of an hour, none of which says again what another one does.
struct Kept(Vec<Sealed>);

impl Kept {
    fn batches(&self) -> impl Iterator<Item = Result<Batch, BooksError>> {
        let open = |file: &Sealed| match file.only(&columns()) {
            Ok(batches) => (Some(batches), None),
            Err(error) => (None, Some(Err(error))),
        };
        self.0.iter().map(open).flat_map(|(batches, error)| {
            batches.into_iter().flat_map(Batches::into_iter).chain(error)
        })
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
    fn kept(&self, cluster: &ClusterId, at: Timestamp) -> Result<Option<Kept>, BooksError> {
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

    fn batches(&self) -> Result<Batches, BooksError> {
        let SampleFile { path, name, footer } = self.file;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            SampleFile::file(path, name)?,
            footer.clone(),
        );
        let only = ProjectionMask::columns(builder.parquet_schema(), columns());
        let builder = builder
            .with_batch_size(BATCH_ROWS)
            .with_row_groups(self.row_groups())
            .with_projection(only);
        let error = |source| BooksError::Parquet { file: name.to_string(), source };
        Ok(Batches::new(builder.build().map_err(error)?, name.clone()))
    }
}

impl Telemetry for OfWindow<'_> {
    type Error = BooksError;

    fn tell(&self, tally: &mut Tally<'_>) -> Result<(), BooksError> {
        tell(self.batches()?, tally)
    }

    fn of_nodes(&self, is_asked: &dyn Fn(&str) -> bool) -> Result<Vec<Sample>, BooksError> {
        of_nodes(self.batches()?, is_asked)
    }
}
