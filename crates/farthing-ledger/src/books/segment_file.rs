//! The file of one tick's telemetry, or of a whole hour's: spans and samples in one table, so that
//! one write keeps both or neither.

use super::charge_file::{FORMAT, is_readable, price_kind, window};
use super::columns::{Batch, Sealed, Table, Text, day, instant, value};
use super::who::{self, Who};
use super::{BooksError, Segment};
use arrow_array::Array;
use bytes::Bytes;
use farthing_model::{
    Currency, DeviceId, HourlyRate, Money, NodeSpan, Place, Price, Provenance, Resources, Sample,
    Window,
};
use std::collections::BTreeMap;

/// What a row is, with the window of the segment it came with.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Span(&'a NodeSpan),
    Sample(&'a Sample),
}

impl<'a> Entry<'a> {
    const fn span(self) -> Option<&'a NodeSpan> {
        if let Self::Span(span) = self { Some(span) } else { None }
    }

    const fn sample(self) -> Option<&'a Sample> {
        if let Self::Sample(sample) = self { Some(sample) } else { None }
    }

    fn window(self) -> Window {
        match self {
            Self::Span(span) => span.window,
            Self::Sample(sample) => sample.window,
        }
    }
}

/// Writes segments; an empty one leaves no trace.
pub(super) fn encode(file: &str, segments: &[Segment]) -> Result<Bytes, BooksError> {
    let mut rows: Vec<(Window, Entry<'_>)> = Vec::new();
    for segment in segments {
        rows.extend(segment.spans.iter().map(|span| (segment.window, Entry::Span(span))));
        rows.extend(segment.samples.iter().map(|s| (segment.window, Entry::Sample(s))));
    }
    let mut table = Table::new(file);
    table.instant("segment_from", rows.iter().map(|(segment, _)| Some(segment.from())))?;
    table.instant("segment_to", rows.iter().map(|(segment, _)| Some(segment.to())))?;
    table.instant("from", rows.iter().map(|(_, entry)| Some(entry.window().from())))?;
    table.instant("to", rows.iter().map(|(_, entry)| Some(entry.window().to())))?;
    let node = |entry: Entry<'_>| match entry {
        Entry::Span(span) => span.node.clone(),
        Entry::Sample(sample) => sample.node.clone(),
    };
    let nodes: Vec<_> = rows.iter().map(|(_, entry)| node(*entry)).collect();
    table.text("node", nodes.iter().map(|node| Some(node.as_str())));
    let entries: Vec<Entry<'_>> = rows.into_iter().map(|(_, entry)| entry).collect();
    span_columns(&mut table, &entries)?;
    sample_columns(&mut table, &entries)?;
    table.finish(vec![
        ("farthing.kind", "telemetry".to_owned()),
        ("farthing.format", FORMAT.to_owned()),
    ])
}

fn span_columns(table: &mut Table<'_>, entries: &[Entry<'_>]) -> Result<(), BooksError> {
    let spans = || entries.iter().map(|entry| entry.span());
    let prices = || spans().map(|span| span.map(|span| &span.price));
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
        })
    };
    table.text("source", samples().map(|s| s.map(|s| s.source.as_str())));
    table.text("device", samples().map(|s| Some(s?.device.as_ref()?.as_str())));
    table.text("resource", samples().map(|s| s.map(|s| s.resource.name())));
    who::write(table, who::IN_TELEMETRY, who);
    table.decimal("requested_nano", 0, samples().map(|s| s.map(|s| s.requested_nano)))?;
    table.decimal("used_nano", 0, samples().map(|s| s.map(|s| s.used_nano)))
}

/// Reads the segments of a file, by window.
pub(super) fn decode(file: &str, bytes: Bytes) -> Result<Vec<Segment>, BooksError> {
    let sealed = Sealed::open(file, bytes)?;
    let format = sealed.line("farthing.format")?;
    if sealed.line("farthing.kind")? != "telemetry" || !is_readable(format) {
        let what = "it does not hold telemetry in a format that this version reads";
        return Err(BooksError::damaged(file, what));
    }
    let mut segments: BTreeMap<Window, Segment> = BTreeMap::new();
    for batch in sealed.batches()? {
        let batch = batch?;
        let mut rows = Rows::new(&batch)?;
        for row in 0..batch.len() {
            let key = window(&batch, row, ("segment_from", "segment_to"))?;
            let segment = segments.entry(key).or_insert_with(|| Segment::empty(key));
            if rows.source.get(row).is_some() {
                segment.samples.push(rows.sample(row)?);
            } else {
                segment.spans.push(rows.span(row)?);
            }
        }
    }
    Ok(segments.into_values().collect())
}

/// A batch as spans and samples.
struct Rows<'a> {
    batch: &'a Batch,
    source: Text<'a>,
    who: Who<'a>,
}

impl<'a> Rows<'a> {
    fn new(batch: &'a Batch) -> Result<Self, BooksError> {
        let who = Who::new(batch, who::IN_TELEMETRY)?;
        Ok(Self { batch, source: batch.text("source")?, who })
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

    fn sample(&mut self, row: usize) -> Result<Sample, BooksError> {
        let batch = self.batch;
        let device = self.text(row, "device")?.map(DeviceId::new).transpose();
        Ok(Sample {
            source: self.parsed(row, "source")?,
            node: self.parsed(row, "node")?,
            device: device.map_err(|_| batch.wrong(row, "device"))?,
            attribution: self.who.get(batch, row)?,
            resource: self.parsed(row, "resource")?,
            window: window(batch, row, ("from", "to"))?,
            requested_nano: self.number(row, "requested_nano")?,
            used_nano: self.number(row, "used_nano")?,
        })
    }

    fn span(&mut self, row: usize) -> Result<NodeSpan, BooksError> {
        let batch = self.batch;
        let measured = batch.flag("measured")?;
        let measured = measured.is_valid(row).then(|| measured.value(row));
        let ready = instant(value(batch.instant("ready")?, row));
        Ok(NodeSpan {
            node: self.parsed(row, "node")?,
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
        };
        Ok(Price::Known(rate.ok_or_else(|| wrong("rate"))?, from))
    }
}
