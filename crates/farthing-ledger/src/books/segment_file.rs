//! The file of one tick's telemetry, or of a whole hour's: spans, samples and uses of devices in
//! one table, so that one write keeps all or none.

use super::charge_file::{FORMAT, is_readable, price_kind, window};
use super::columns::{Batch, Sealed, Table, Text, Writer, day, instant, value};
use super::list_columns::{self, Lists};
use super::use_columns::{self, UseRows};
use super::who::{self, Who};
use super::{BooksError, Segment, sample_sums};
use arrow_array::Array;
use bytes::Bytes;
use farthing_model::{
    Asset, Currency, DeviceId, DeviceUse, HourlyRate, Money, NodeId, NodeSpan, Place, Price,
    Provenance, Resources, Sample, SourceId, Window,
};
use std::collections::{BTreeMap, HashMap};

/// Rows of which columns are made at once: the memory of a file in the making is for these.
const GROUP_ROWS: usize = 1 << 16;

/// What a row is.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    Span(&'a NodeSpan),
    Sample(&'a Sample),
    Use(&'a DeviceUse),
}

impl<'a> Entry<'a> {
    const fn span(self) -> Option<&'a NodeSpan> {
        if let Self::Span(span) = self { Some(span) } else { None }
    }

    const fn sample(self) -> Option<&'a Sample> {
        if let Self::Sample(sample) = self { Some(sample) } else { None }
    }

    pub(super) const fn use_of(self) -> Option<&'a DeviceUse> {
        if let Self::Use(one) = self { Some(one) } else { None }
    }

    /// The name in the column that tells them apart.
    const fn record(self) -> &'static str {
        match self {
            Self::Span(_) => "span",
            Self::Sample(_) => "sample",
            Self::Use(_) => "use",
        }
    }

    const fn window(self) -> Window {
        match self {
            Self::Span(span) => span.window,
            Self::Sample(sample) => sample.window,
            Self::Use(one) => one.window,
        }
    }

    const fn node(self) -> &'a NodeId {
        match self {
            Self::Span(span) => &span.node,
            Self::Sample(sample) => &sample.node,
            Self::Use(one) => &one.node,
        }
    }

    const fn source(self) -> Option<&'a SourceId> {
        match self {
            Self::Span(_) => None,
            Self::Sample(sample) => Some(&sample.source),
            Self::Use(one) => Some(&one.source),
        }
    }
}

/// Writes segments; an empty one leaves no trace.
pub(super) fn encode(file: &str, segments: &[Segment]) -> Result<Bytes, BooksError> {
    let rows = rows(segments);
    if rows.len() > GROUP_ROWS {
        return encode_large(file, &rows);
    }
    let table = table_of(file, &rows)?;
    let sums = sample_sums::of(&table)?;
    sealed(table, sums)
}

/// As [`encode`], of so many rows that columns of all of them would be much memory.
fn encode_large(file: &str, rows: &[Row<'_>]) -> Result<Bytes, BooksError> {
    let (mut writer, mut sums) = (Writer::new(file), sample_sums::Joined::default());
    let (last, groups) = (rows.len().saturating_sub(1) / GROUP_ROWS, rows.chunks(GROUP_ROWS));
    let mut groups = groups.enumerate();
    for (_, group) in groups.by_ref().take(last) {
        let table = table_of(file, group)?;
        sums.add(&table, rows.len() / sample_sums::FEWER);
        writer.add(table, None)?;
    }
    let table = table_of(file, groups.next().map_or(&[], |(_, group)| group))?;
    sums.add(&table, rows.len() / sample_sums::FEWER);
    closed(writer, table, sums.finish(file)?)
}

/// The file with its last table.
fn closed<'f>(
    mut writer: Writer<'f>,
    last: Table<'f>,
    sums: Option<(&'static str, Bytes)>,
) -> Result<Bytes, BooksError> {
    if writer.is_empty() {
        writer = Writer::of_one(last.file(), last.len());
    }
    let place = writer.add(last, sums.as_ref().map(|(_, bytes)| bytes))?.inside;
    let line = sums.map(|(name, _)| name).zip(place);
    writer.finish(lines().into_iter().chain(line).collect())
}

/// Writes segments that come one after the other, in groups of at least so many rows: memory is for
/// a group and not for all of them. Groups are cut between segments.
pub(super) fn encode_each(
    file: &str,
    rows_min: usize,
    segments: impl Iterator<Item = Result<Segment, BooksError>>,
) -> Result<Bytes, BooksError> {
    let rows = |one: &Segment| one.spans.len() + one.samples.len() + one.uses.len();
    let (mut writer, mut sums) = (Writer::new(file), sample_sums::Joined::default());
    let (mut group, mut count) = (Vec::new(), 0);
    for segment in segments {
        let segment = segment?;
        if count >= rows_min {
            let table = table(file, &group)?;
            sums.add(&table, table.len());
            writer.add(table, None)?;
            (group, count) = (Vec::new(), 0);
        }
        count += rows(&segment);
        group.push(segment);
    }
    let table = table(file, &group)?;
    drop(group);
    sums.add(&table, table.len());
    let sums = sums.finish(file)?;
    closed(writer, table, sums)
}

fn lines() -> Vec<(&'static str, String)> {
    vec![("farthing.kind", "telemetry".to_owned()), ("farthing.format", FORMAT.to_owned())]
}

/// The file of a table, with the sums of its samples where there are some.
pub(super) fn sealed(table: Table<'_>, sums: Option<(&str, Bytes)>) -> Result<Bytes, BooksError> {
    table.finish(lines(), sums)
}

/// A row, with the window of the segment that it came with.
type Row<'a> = (Window, Entry<'a>);

fn rows(segments: &[Segment]) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for segment in segments {
        rows.extend(segment.spans.iter().map(|span| (segment.window, Entry::Span(span))));
        rows.extend(segment.samples.iter().map(|s| (segment.window, Entry::Sample(s))));
        rows.extend(segment.uses.iter().map(|one| (segment.window, Entry::Use(one))));
    }
    rows
}

/// All that segments say.
pub(super) fn table<'f>(file: &'f str, segments: &[Segment]) -> Result<Table<'f>, BooksError> {
    table_of(file, &rows(segments))
}

fn table_of<'f>(file: &'f str, rows: &[Row<'_>]) -> Result<Table<'f>, BooksError> {
    let mut table = Table::new(file);
    table.instant("segment_from", rows.iter().map(|(segment, _)| Some(segment.from())))?;
    table.instant("segment_to", rows.iter().map(|(segment, _)| Some(segment.to())))?;
    table.instant("from", rows.iter().map(|(_, entry)| Some(entry.window().from())))?;
    table.instant("to", rows.iter().map(|(_, entry)| Some(entry.window().to())))?;
    table.text("node", rows.iter().map(|(_, entry)| Some(entry.node().as_str())));
    table.text("record", rows.iter().map(|(_, entry)| Some(entry.record())));
    let entries: Vec<Entry<'_>> = rows.iter().map(|(_, entry)| *entry).collect();
    span_columns(&mut table, &entries)?;
    sample_columns(&mut table, &entries)?;
    use_columns::write(&mut table, &entries)?;
    Ok(table)
}

fn span_columns(table: &mut Table<'_>, entries: &[Entry<'_>]) -> Result<(), BooksError> {
    let spans = || entries.iter().map(|entry| entry.span());
    let prices = || spans().map(|span| span.map(|span| &span.price));
    table.text("asset", spans().map(|s| s.map(|s| s.asset.name())));
    table.text("offer", spans().map(|s| s.map(|s| s.offer.as_str())));
    table.text("provider", spans().map(|s| s.map(|s| s.place.provider.as_str())));
    table.text("region", spans().map(|s| s.map(|s| s.place.region.as_str())));
    table.text("zone", spans().map(|s| s?.place.zone.as_deref()));
    table.text("instance_type", spans().map(|s| s.map(|s| s.instance_type.as_str())));
    table.text("purchase", spans().map(|s| s.map(|s| s.purchase.name())));
    let capacity = |field: fn(&Resources) -> u64| {
        spans().map(move |span| span.map(|span| i128::from(field(&span.capacity))))
    };
    table.decimal("gpu_milli", 0, capacity(|c| c.gpu_milli))?;
    table.decimal("cpu_milli", 0, capacity(|c| c.cpu_milli))?;
    table.decimal("memory_bytes", 0, capacity(|c| c.memory_bytes))?;
    table.decimal("storage_bytes", 0, capacity(|c| c.storage_bytes))?;
    let per_hour = || prices().map(|price| Some(price?.rate()?.per_hour()));
    table.decimal("rate", 12, per_hour().map(|money| money.map(Money::pico)))?;
    let currencies: Vec<_> = per_hour().map(|money| money.map(Money::currency)).collect();
    table.text("currency", currencies.iter().map(|c| c.as_ref().map(Currency::code)));
    let from = || prices().map(|price| price?.provenance());
    table.text("price_kind", from().map(|from| from.map(|from| from.kind.name())));
    table.text("price_source", from().map(|from| from.map(|from| from.source.as_str())));
    table.day("price_as_of", from().map(|from| from.map(|from| from.as_of)));
    let lists = || from().map(|from| from?.list.as_deref());
    list_columns::write(table, list_columns::IN_TELEMETRY, lists)?;
    let why = |price: Option<&'_ Price>| match price {
        Some(Price::Unknown(why)) => Some(why.clone()),
        _ => None,
    };
    let reasons: Vec<Option<String>> = prices().map(why).collect();
    table.text("price_unknown", reasons.iter().map(Option::as_deref));
    table.instant("ready", spans().map(|s| s.map(|s| s.ready)))?;
    table.flag("measured", spans().map(|s| s.map(|s| s.measured)));
    Ok(())
}

fn sample_columns(table: &mut Table<'_>, entries: &[Entry<'_>]) -> Result<(), BooksError> {
    let samples = || entries.iter().map(|entry| entry.sample());
    // A span's columns say whom the node is held for.
    let who = || {
        entries.iter().map(|entry| match entry {
            Entry::Span(span) => span.held_for.as_deref(),
            Entry::Sample(sample) => sample.attribution.as_deref(),
            Entry::Use(one) => one.attribution.as_deref(),
        })
    };
    table.text("source", entries.iter().map(|entry| Some(entry.source()?.as_str())));
    let device = |entry: &Entry<'_>| match *entry {
        Entry::Span(_) => (None, None),
        Entry::Sample(sample) => (sample.device.clone(), sample.slice),
        Entry::Use(one) => (Some(one.device.clone()), one.slice),
    };
    let devices: Vec<_> = entries.iter().map(device).collect();
    table.text("device", devices.iter().map(|(device, _)| Some(device.as_ref()?.as_str())));
    let slices: Vec<_> = devices.iter().map(|(_, slice)| slice.map(|s| s.to_string())).collect();
    table.text("slice", slices.iter().map(Option::as_deref));
    table.text("resource", samples().map(|s| s.map(|s| s.resource.name())));
    who::write(table, who::IN_TELEMETRY, who);
    table.decimal("requested_nano", 0, samples().map(|s| s.map(|s| s.requested_nano)))?;
    table.decimal("used_nano", 0, samples().map(|s| s.and_then(|s| s.used_nano)))?;
    table.decimal("held_nano", 0, samples().map(|s| s.and_then(|s| s.held_nano)))
}

/// Reads the segments of a file, by window.
pub(super) fn decode(file: &str, bytes: Bytes) -> Result<Vec<Segment>, BooksError> {
    let sealed = Sealed::open(file, bytes)?;
    is_telemetry(&sealed)?;
    let mut segments: BTreeMap<Window, Segment> = BTreeMap::new();
    for batch in sealed.batches()? {
        let batch = batch?;
        let mut rows = Rows::new(&batch)?;
        for row in 0..batch.len() {
            let key = window(&batch, row, ("segment_from", "segment_to"))?;
            let segment = segments.entry(key).or_insert_with(|| Segment::empty(key));
            match rows.record(row) {
                "sample" => segment.samples.push(rows.sample(row)?),
                "use" => segment.uses.push(rows.device_use(row)?),
                _ => segment.spans.push(rows.span(row)?),
            }
        }
    }
    Ok(segments.into_values().collect())
}

/// Refuses what is no telemetry that this version reads.
pub(super) fn is_telemetry(sealed: &Sealed) -> Result<(), BooksError> {
    let format = sealed.line("farthing.format")?;
    if sealed.line("farthing.kind")? != "telemetry" || !is_readable(format) {
        let what = "it does not hold telemetry in a format that this version reads";
        return Err(BooksError::damaged(&sealed.file, what));
    }
    Ok(())
}

/// A batch as spans and samples.
pub(super) struct Rows<'a> {
    batch: &'a Batch,
    source: Text<'a>,
    /// Before the third format there were no uses of devices, and no such column.
    records: Option<Text<'a>>,
    who: Who<'a>,
    nodes: Shared<NodeId>,
    sources: Shared<SourceId>,
    devices: Shared<DeviceId>,
}

/// Names that were read, so that all rows of a name share it.
struct Shared<T>(HashMap<usize, T>);

impl<T: Clone + std::str::FromStr> Shared<T> {
    fn new() -> Self {
        Self(HashMap::new())
    }

    /// The name of a row; `None` when it has none.
    fn get(&mut self, batch: &Batch, row: usize, name: &str) -> Result<Option<T>, BooksError> {
        let column = batch.text(name)?;
        let Some(index) = column.index(row) else { return Ok(None) };
        if let Some(known) = self.0.get(&index) {
            return Ok(Some(known.clone()));
        }
        let parsed: T = batch.parse(column.get(row), row, name)?;
        self.0.insert(index, parsed.clone());
        Ok(Some(parsed))
    }

    /// The name of a row that must have one.
    fn named(&mut self, batch: &Batch, row: usize, name: &str) -> Result<T, BooksError> {
        self.get(batch, row, name)?.ok_or_else(|| batch.wrong(row, name))
    }
}

impl<'a> Rows<'a> {
    pub(super) fn new(batch: &'a Batch) -> Result<Self, BooksError> {
        let who = Who::new(batch, who::IN_TELEMETRY)?;
        let (source, records) = (batch.text("source")?, batch.optional_text("record")?);
        let (nodes, sources, devices) = (Shared::new(), Shared::new(), Shared::new());
        Ok(Self { batch, source, records, who, nodes, sources, devices })
    }

    pub(super) fn record(&self, row: usize) -> &'a str {
        let known = self.records.and_then(|records| records.get(row));
        known.unwrap_or(if self.source.get(row).is_some() { "sample" } else { "span" })
    }

    /// A text that not every format has, parsed.
    fn optional<T: std::str::FromStr>(
        &self,
        row: usize,
        column: &str,
    ) -> Result<Option<T>, BooksError> {
        let text = self.batch.optional_text(column)?.and_then(|text| text.get(row));
        text.map(|text| self.batch.parse(Some(text), row, column)).transpose()
    }

    fn text(&self, row: usize, column: &str) -> Result<Option<&'a str>, BooksError> {
        Ok(self.batch.text(column)?.get(row))
    }

    fn owned(&self, row: usize, column: &str) -> Result<String, BooksError> {
        let text = self.text(row, column)?.map(str::to_owned);
        text.ok_or_else(|| self.batch.wrong(row, column))
    }

    fn parsed<T: std::str::FromStr>(&self, row: usize, column: &str) -> Result<T, BooksError> {
        self.batch.parse(self.text(row, column)?, row, column)
    }

    fn number(&self, row: usize, column: &str) -> Result<i128, BooksError> {
        let number = value(self.batch.decimal(column)?, row);
        number.ok_or_else(|| self.batch.wrong(row, column))
    }

    fn amount(&self, row: usize, column: &str) -> Result<u64, BooksError> {
        u64::try_from(self.number(row, column)?).map_err(|_| self.batch.wrong(row, column))
    }

    pub(super) fn sample(&mut self, row: usize) -> Result<Sample, BooksError> {
        let batch = self.batch;
        let held = batch.optional_decimal("held_nano")?;
        Ok(Sample {
            source: self.sources.named(batch, row, "source")?,
            node: self.nodes.named(batch, row, "node")?,
            device: self.devices.get(batch, row, "device")?,
            slice: self.optional(row, "slice")?,
            attribution: self.who.get(batch, row)?,
            resource: self.parsed(row, "resource")?,
            window: window(batch, row, ("from", "to"))?,
            requested_nano: self.number(row, "requested_nano")?,
            used_nano: value(batch.decimal("used_nano")?, row),
            held_nano: held.and_then(|held| value(held, row)),
        })
    }

    fn device_use(&mut self, row: usize) -> Result<DeviceUse, BooksError> {
        let batch = self.batch;
        let rows = UseRows { batch, row };
        Ok(DeviceUse {
            source: self.sources.named(batch, row, "source")?,
            node: self.nodes.named(batch, row, "node")?,
            device: self.devices.named(batch, row, "device")?,
            slice: self.optional(row, "slice")?,
            attribution: self.who.get(batch, row)?,
            share: self.parsed(row, "share")?,
            copied_to: rows.copied_to()?,
            window: window(batch, row, ("from", "to"))?,
            rungs: rows.rungs()?,
            memory_bytes: rows.count("held_bytes")?,
            power_mw: rows.count("power_mw")?,
            progress: rows.progress()?,
        })
    }

    pub(super) fn span(&mut self, row: usize) -> Result<NodeSpan, BooksError> {
        let batch = self.batch;
        let measured = batch.flag("measured")?;
        let measured = measured.is_valid(row).then(|| measured.value(row));
        let ready = instant(value(batch.instant("ready")?, row));
        Ok(NodeSpan {
            node: self.nodes.named(batch, row, "node")?,
            asset: self.asset(row)?,
            offer: self.parsed(row, "offer")?,
            place: Place {
                provider: self.owned(row, "provider")?,
                region: self.owned(row, "region")?,
                zone: self.text(row, "zone")?.map(str::to_owned),
            },
            instance_type: self.owned(row, "instance_type")?,
            purchase: self.parsed(row, "purchase")?,
            capacity: Resources {
                gpu_milli: self.amount(row, "gpu_milli")?,
                cpu_milli: self.amount(row, "cpu_milli")?,
                memory_bytes: self.amount(row, "memory_bytes")?,
                storage_bytes: self.amount(row, "storage_bytes")?,
            },
            price: self.price(row)?,
            window: window(batch, row, ("from", "to"))?,
            ready: ready.ok_or_else(|| batch.wrong(row, "ready"))?,
            held_for: self.who.get(batch, row)?,
            measured: measured.ok_or_else(|| batch.wrong(row, "measured"))?,
        })
    }

    fn asset(&self, row: usize) -> Result<Asset, BooksError> {
        let name = self.batch.optional_text("asset")?.and_then(|text| text.get(row));
        let Some(name) = name else { return Ok(Asset::Node) };
        let known = Asset::ALL.into_iter().find(|asset| asset.name() == name);
        known.ok_or_else(|| self.batch.wrong(row, "asset"))
    }

    fn price(&self, row: usize) -> Result<Price, BooksError> {
        if let Some(why) = self.text(row, "price_unknown")? {
            return Ok(Price::Unknown(why.to_owned()));
        }
        let wrong = |column: &str| self.batch.wrong(row, column);
        let currency: Currency = self.parsed(row, "currency")?;
        let rate = HourlyRate::new(Money::from_pico(self.number(row, "rate")?, currency));
        let as_of = day(value(self.batch.day("price_as_of")?, row));
        let from = Provenance {
            kind: price_kind(self.text(row, "price_kind")?).ok_or_else(|| wrong("price_kind"))?,
            source: self.owned(row, "price_source")?,
            as_of: as_of.ok_or_else(|| wrong("price_as_of"))?,
            list: Lists::new(self.batch, list_columns::IN_TELEMETRY)?.get(row, currency)?,
        };
        Ok(Price::Known(rate.ok_or_else(|| wrong("rate"))?, from))
    }
}
