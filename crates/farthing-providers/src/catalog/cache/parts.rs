//! A catalogue as bytes.

use super::bytes::{Reader, Writer};
use crate::Spot;
use crate::catalog::asset::{AssetChange, AssetPrice, Per};
use crate::catalog::catalogue::{Catalogue, From};
use crate::manifest::Fault;
use farthing_model::offer_table::{Arch, Parts, Row, Shape, Site, Terms, Was};
use farthing_model::{
    Asset, OfferTable, PerResource, Place, PriceKind, Purchase, Ratio, Resource, Resources,
};
use std::sync::Arc;

/// Kinds of price by the number that is written.
const KINDS: [PriceKind; 5] = [
    PriceKind::List,
    PriceKind::Contracted,
    PriceKind::Effective,
    PriceKind::SpotQuote,
    PriceKind::AmortisedOwned,
];
/// The number for `None` where a number of four bytes may be missing.
const NONE: u64 = u64::MAX;

pub(crate) fn write(catalogue: &Catalogue, out: &mut Writer) {
    out.len(catalogue.excluded.len());
    for (reason, count) in &catalogue.excluded {
        out.text(reason);
        out.u64(*count);
    }
    out.len(catalogue.faults.len());
    for fault in &catalogue.faults {
        out.text(&fault.source);
        let spot = fault.spot.unwrap_or(Spot { line: 0, column: 0 });
        out.len(spot.line);
        out.len(spot.column);
        out.text(&fault.what);
    }
    let dates = catalogue.as_of;
    out.date(dates.map(|(oldest, _)| oldest));
    out.date(dates.map(|(_, newest)| newest));
    let table = &catalogue.table;
    sites(table.sites(), out);
    shapes(table.shapes(), out);
    terms(table.terms(), out);
    out.len(table.currencies().len());
    for currency in table.currencies() {
        out.text(currency.code());
    }
    rows(&table.clone().into_parts().rows, out);
    out.len(catalogue.contract_days.len());
    for day in &catalogue.contract_days {
        out.u64(0);
        out.date(Some(*day));
    }
    assets(&catalogue.assets, out);
}

fn assets(prices: &[AssetPrice], out: &mut Writer) {
    out.len(prices.len());
    for price in prices {
        out.u64(price.asset as u64);
        out.u64(price.per as u64);
        for text in [&price.class, &price.provider, &price.region, &price.zone, &price.source] {
            out.text(text);
        }
        out.date(Some(price.as_of));
        out.i64(price.pico);
        out.text(price.currency.code());
        out.len(price.changes.len());
        for change in &price.changes {
            out.text(&change.provider);
            out.text(&change.region);
            out.text(&change.note);
            out.u32(change.off.ppm());
        }
    }
}

fn sites(sites: &[Site], out: &mut Writer) {
    out.len(sites.len());
    for Site { place, residency } in sites {
        out.text(&place.provider);
        out.text(&place.region);
        out.text(place.zone.as_deref().unwrap_or_default());
        texts(residency, out);
    }
}

fn shapes(shapes: &[Shape], out: &mut Writer) {
    out.len(shapes.len());
    for shape in shapes {
        out.text(&shape.instance_type);
        let accelerator = shape.accelerator.as_ref().map(ToString::to_string);
        out.text(&accelerator.unwrap_or_default());
        out.u32(shape.accelerator_count);
        let Resources { gpu_milli, cpu_milli, memory_bytes, storage_bytes } = shape.capacity;
        for number in [gpu_milli, cpu_milli, memory_bytes, storage_bytes] {
            out.u64(number);
        }
        out.text(shape.arch.map_or("", Arch::name));
        out.text(shape.note.as_deref().unwrap_or_default());
    }
}

fn terms(terms: &[Terms], out: &mut Writer) {
    out.len(terms.len());
    for terms in terms {
        let kind = KINDS.iter().position(|kind| *kind == terms.kind).unwrap_or_default();
        out.len(kind);
        out.text(&terms.source);
        out.date(Some(terms.as_of));
        out.u64(terms.available.map_or(NONE, u64::from));
        texts(&terms.warnings, out);
        out.u32(terms.off.is_some().into());
        for (_, off) in terms.off.iter().flat_map(PerResource::iter) {
            out.u32(off.ppm());
        }
    }
}

fn texts(texts: &[String], out: &mut Writer) {
    out.len(texts.len());
    for text in texts {
        out.text(text);
    }
}

/// In columns: they are most of the file.
fn rows(rows: &[Row], out: &mut Writer) {
    out.len(rows.len());
    for part in [|row: &Row| row.site, |row: &Row| row.shape, |row: &Row| row.terms] {
        for row in rows {
            out.u32(part(row));
        }
    }
    for row in rows {
        out.u8(row.currency);
    }
    for row in rows {
        out.u8(row.purchase as u8);
    }
    for row in rows {
        out.i64(row.pico);
    }
    let changed: Vec<(usize, Was)> =
        rows.iter().enumerate().filter_map(|(at, row)| Some((at, row.was?))).collect();
    out.len(changed.len());
    for (at, was) in changed {
        out.len(at);
        out.i64(was.list);
        out.i64(was.before);
    }
}

pub(crate) fn read(input: &mut Reader<'_>) -> Option<Catalogue> {
    let excluded = list(input, |input| Some((input.text()?.to_owned(), input.u64()?)))?;
    let faults = list(input, |input| {
        let source = input.text()?.to_owned();
        let line = usize::try_from(input.u64()?).ok()?;
        let column = usize::try_from(input.u64()?).ok()?;
        let spot = (column > 0).then_some(Spot { line, column });
        Some(Fault { source, spot, object: None, what: input.text()?.to_owned() })
    })?;
    let (oldest, newest) = (input.date()?, input.date()?);
    let parts = Parts {
        sites: list(input, site)?,
        shapes: list(input, shape)?,
        terms: list(input, term)?,
        currencies: list(input, |input| input.text()?.parse().ok())?,
        rows: read_rows(input)?,
    };
    let table = OfferTable::new(parts).ok()?;
    let as_of = oldest.zip(newest);
    let excluded = excluded.into_iter().collect();
    // Every item of a list has eight bytes at least.
    let contract_days = list(input, |input| input.u64().and_then(|_| input.date()?))?;
    let assets = list(input, asset)?;
    let from = From::Cache;
    Some(Catalogue { table, excluded, faults, as_of, assets, contract_days, from })
}

fn asset(input: &mut Reader<'_>) -> Option<AssetPrice> {
    let asset = *Asset::ALL.get(usize::try_from(input.u64()?).ok()?)?;
    let per = *Per::ALL.get(usize::try_from(input.u64()?).ok()?)?;
    let mut text = || input.text().map(str::to_owned);
    let (class, provider, region, zone, source) = (text()?, text()?, text()?, text()?, text()?);
    let as_of = input.date()??;
    let (pico, currency) = (input.i64()?, input.text()?.parse().ok()?);
    let changes = list(input, |input| {
        let mut text = || input.text().map(str::to_owned);
        let (provider, region, note) = (text()?, text()?, text()?);
        Some(AssetChange { provider, region, note, off: Ratio::from_ppm(input.u32()?) })
    })?;
    Some(AssetPrice {
        asset,
        class,
        provider,
        region,
        zone,
        as_of,
        per,
        pico,
        currency,
        source,
        changes,
    })
}

fn list<T>(
    input: &mut Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    // Every item begins with a length or a number of eight bytes.
    let len = input.len(8)?;
    (0..len).map(|_| item(input)).collect()
}

fn site(input: &mut Reader<'_>) -> Option<Site> {
    let (provider, region) = (input.text()?.to_owned(), input.text()?.to_owned());
    let zone = Some(input.text()?).filter(|zone| !zone.is_empty()).map(str::to_owned);
    let residency = list(input, |input| input.text().map(str::to_owned))?;
    Some(Site { place: Place { provider, region, zone }, residency })
}

fn shape(input: &mut Reader<'_>) -> Option<Shape> {
    let instance_type = Arc::from(input.text()?);
    let accelerator = match input.text()? {
        "" => None,
        name => Some(name.parse().ok()?),
    };
    let accelerator_count = input.u32()?;
    let capacity = Resources {
        gpu_milli: input.u64()?,
        cpu_milli: input.u64()?,
        memory_bytes: input.u64()?,
        storage_bytes: input.u64()?,
    };
    let arch = match input.text()? {
        "" => None,
        name => Some(name.parse().ok()?),
    };
    let note = Some(input.text()?).filter(|note| !note.is_empty()).map(Arc::from);
    Some(Shape { instance_type, accelerator, accelerator_count, capacity, arch, note })
}

fn term(input: &mut Reader<'_>) -> Option<Terms> {
    let kind = *KINDS.get(usize::try_from(input.u64()?).ok()?)?;
    let (source, as_of) = (Arc::from(input.text()?), input.date()??);
    let available = match input.u64()? {
        NONE => None,
        number => Some(u32::try_from(number).ok()?),
    };
    let warnings = list(input, |input| input.text().map(str::to_owned))?;
    let mut off = None;
    if input.u32()? > 0 {
        let of: &mut PerResource<Ratio> = off.insert(PerResource::default());
        for resource in Resource::CHARGED {
            *of.get_mut(resource) = Ratio::from_ppm(input.u32()?);
        }
    }
    Some(Terms { kind, source, as_of, available, warnings, off })
}

fn read_rows(input: &mut Reader<'_>) -> Option<Vec<Row>> {
    let len = input.len(22)?;
    let sites = input.column(len, u32::from_le_bytes)?;
    let shapes = input.column(len, u32::from_le_bytes)?;
    let terms = input.column(len, u32::from_le_bytes)?;
    let currencies = input.column(len, u8::from_le_bytes)?;
    let purchases = input.column(len, u8::from_le_bytes)?;
    let picos = input.column(len, i64::from_le_bytes)?;
    let row = |at: usize| {
        let purchase = *Purchase::ALL.get(usize::from(purchases[at]))?;
        let (site, shape, terms) = (sites[at], shapes[at], terms[at]);
        let (currency, pico) = (currencies[at], picos[at]);
        Some(Row { site, shape, terms, currency, purchase, pico, was: None })
    };
    let mut rows: Vec<Row> = (0..len).map(row).collect::<Option<_>>()?;
    for _ in 0..input.len(24)? {
        let at = usize::try_from(input.u64()?).ok()?;
        rows.get_mut(at)?.was = Some(Was { list: input.i64()?, before: input.i64()? });
    }
    Some(rows)
}
