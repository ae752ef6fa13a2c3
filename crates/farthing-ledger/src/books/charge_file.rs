//! The file of one hour's charges.

use super::columns::{Batch, Sealed, Table, Text, day, instant, value};
use super::list_columns::{self, Lists};
use super::who::{self, Who};
use super::{BooksError, Correction, Generation, HourBook, Mark, rollup};
use crate::meter::{Metered, Method, Unpriced};
use crate::weights::Weights;
use arrow_array::PrimitiveArray;
use arrow_array::types::{Date32Type, Decimal128Type, TimestampNanosecondType};
use arrow_schema::Schema;
use bytes::Bytes;
use farthing_model::{
    Asset, Charge, ClusterId, Coverage, Currency, Destination, Detail, HourlyRate, Money, NodeId,
    OfferId, PerResource, Place, PriceKind, Provenance, Purchase, Resource, Window, proportion,
};
use std::fmt::Write as _;
use std::sync::Arc;

/// Version of the columns and of the lines in the footer, of charges and of telemetry. The first
/// had no labels; the second no namespaces, pods, controllers, annotations and services, no assets
/// beside nodes, no details of destinations, and accelerators were counted by node.
/// The third knew no price but the one that was paid.
pub(super) const FORMAT: &str = "4";

/// The `farthing.kind` of these files.
pub(super) const KIND: &str = "charges";

/// The order of rows, so that the same charges give the same file.
pub(crate) fn sorted(charges: &[Charge]) -> Vec<&Charge> {
    let mut sorted: Vec<&Charge> = charges.iter().collect();
    sorted.sort_by(|a, b| {
        let key = |c: &Charge| (c.window, c.resource, c.destination, c.detail);
        let tail = |c: &Charge| (c.quantity_nano, c.cost.pico(), c.node_rate.per_hour().pico());
        (&a.node, &a.offer, key(a), &a.attribution, tail(a)).cmp(&(
            &b.node,
            &b.offer,
            key(b),
            &b.attribution,
            tail(b),
        ))
    });
    sorted
}

/// Hours of the whole asset (or 10^9 bytes) that a cost would buy, in 10^-12, rounded down: FOCUS
/// prices a machine by the hour, and a row is a share of one.
fn priced_units(charge: &Charge) -> Option<i128> {
    proportion(charge.cost.pico(), 10_i128.pow(12), charge.node_rate.per_hour().pico())
}

/// The price of the list, where that is known.
fn list_unit_price(charge: &Charge) -> Option<i128> {
    let list = charge.provenance.list.as_ref().map(|list| list.rate);
    let is_list = charge.provenance.kind == PriceKind::List;
    list.or_else(|| is_list.then_some(charge.node_rate)).map(|rate| rate.per_hour().pico())
}

const fn pricing_category(purchase: Purchase) -> &'static str {
    match purchase {
        Purchase::OnDemand => "Standard",
        Purchase::Spot => "Dynamic",
        Purchase::Reserved => "Committed",
        Purchase::Owned => "Other",
    }
}

const fn service_category(asset: Asset, resource: Resource) -> &'static str {
    match (asset, resource) {
        (Asset::LoadBalancer | Asset::Network, _) | (_, Resource::Network) => "Networking",
        (Asset::Volume, _) | (_, Resource::Storage) => "Storage",
        (Asset::Node | Asset::ControlPlane, _) => "Compute",
    }
}

/// Writes an hour.
pub(super) fn encode(
    file: &str,
    metered: &Metered,
    journal: Option<Mark>,
    corrections: &[Correction],
) -> Result<Bytes, BooksError> {
    let table = table(file, &sorted(&metered.charges))?;
    let lines = lines(metered, journal, corrections);
    let rollup = rollup::of(&table, &lines)?;
    table.finish(lines, rollup.map(|rollup| (rollup::LINE, rollup)))
}

/// What the footer says of an hour.
pub(super) fn lines(
    metered: &Metered,
    journal: Option<Mark>,
    corrections: &[Correction],
) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("farthing.kind", KIND.to_owned()),
        ("farthing.format", FORMAT.to_owned()),
        ("farthing.cluster", metered.cluster.to_string()),
        ("farthing.from", metered.window.from().to_string()),
        ("farthing.to", metered.window.to().to_string()),
        ("farthing.currency", metered.currency.to_string()),
        ("farthing.paid_pico", metered.paid.pico().to_string()),
        ("farthing.list_pico", metered.list.pico().to_string()),
        ("farthing.expected_nanos", metered.coverage.expected_nanos.to_string()),
        ("farthing.measured_nanos", metered.coverage.measured_nanos.to_string()),
        ("farthing.method", metered.method.name().to_owned()),
        ("farthing.weights", metered.weights.to_text()),
        ("farthing.unpriced", unpriced_text(&metered.unpriced)),
    ];
    if !corrections.is_empty() {
        let text = corrections.iter().map(Correction::to_line).collect();
        lines.push(("farthing.corrections", text));
    }
    lines.extend(journal.map(|mark| ("farthing.journal", mark.to_string())));
    lines
}

/// Charges as a table.
pub(super) fn table<'f>(file: &'f str, rows: &[&Charge]) -> Result<Table<'f>, BooksError> {
    let mut table = Table::new(file);
    focus(&mut table, rows)?;
    own(&mut table, rows)?;
    Ok(table)
}

/// The columns of the file.
pub(super) fn schema() -> Result<Schema, BooksError> {
    Ok(table("no file", &[])?.schema())
}

/// The columns that FOCUS 1.2 names.
fn focus(table: &mut Table<'_>, rows: &[&Charge]) -> Result<(), BooksError> {
    let rows = || rows.iter().copied();
    let cost = || rows().map(|charge| Some(charge.cost.pico()));
    table.decimal("BilledCost", 12, cost())?;
    table.decimal("EffectiveCost", 12, cost())?;
    table.decimal("ListCost", 12, rows().map(|charge| Some(charge.list_cost.pico())))?;
    table.decimal("ListUnitPrice", 12, rows().map(list_unit_price))?;
    table.decimal("PricingQuantity", 12, rows().map(priced_units))?;
    table.text("PricingUnit", rows().map(|c| Some(c.asset.unit())));
    table.text("PricingCategory", rows().map(|c| Some(pricing_category(c.purchase))));
    let currencies: Vec<Currency> = rows().map(|charge| charge.cost.currency()).collect();
    table.text("BillingCurrency", currencies.iter().map(|currency| Some(currency.code())));
    table.instant("ChargePeriodStart", rows().map(|c| Some(c.window.from())))?;
    table.instant("ChargePeriodEnd", rows().map(|c| Some(c.window.to())))?;
    table.text("ChargeCategory", rows().map(|_| Some("Usage")));
    table.text("ServiceCategory", rows().map(|c| Some(service_category(c.asset, c.resource))));
    table.text("ProviderName", rows().map(|c| Some(c.place.provider.as_str())));
    table.text("RegionId", rows().map(|c| Some(c.place.region.as_str())));
    table.text("AvailabilityZone", rows().map(|c| c.place.zone.as_deref()));
    table.text("ResourceId", rows().map(|c| Some(c.node.as_str())));
    table.text("ResourceType", rows().map(|c| Some(&*c.instance_type)));
    table.text("SubAccountId", rows().map(|c| Some(c.cluster.as_str())));
    Ok(())
}

/// The columns of our own, whose names FOCUS leaves free by `x_`.
fn own(table: &mut Table<'_>, rows: &[&Charge]) -> Result<(), BooksError> {
    let rows = || rows.iter().copied();
    who::write(table, who::IN_CHARGES, || rows().map(|charge| charge.attribution.as_deref()));
    table.text("x_node", rows().map(|c| Some(c.node.as_str())));
    table.text("x_offer", rows().map(|c| Some(c.offer.as_str())));
    table.text("x_purchase", rows().map(|c| Some(c.purchase.name())));
    table.text("x_resource", rows().map(|c| Some(c.resource.name())));
    table.text("x_destination", rows().map(|c| Some(c.destination.name())));
    table.text("x_detail", rows().map(|c| c.detail.map(Detail::name)));
    table.text("x_asset", rows().map(|c| Some(c.asset.name())));
    table.decimal("x_quantity_nano", 0, rows().map(|c| Some(c.quantity_nano)))?;
    table.decimal("x_node_rate", 12, rows().map(|c| Some(c.node_rate.per_hour().pico())))?;
    let lists = || rows().map(|charge| charge.provenance.list.as_deref());
    list_columns::write(table, list_columns::IN_CHARGES, lists)?;
    table.text("x_price_kind", rows().map(|c| Some(c.provenance.kind.name())));
    table.text("x_price_source", rows().map(|c| Some(c.provenance.source.as_str())));
    table.day("x_price_as_of", rows().map(|c| Some(c.provenance.as_of)));
    Ok(())
}

/// One node a line; tabs apart. Ids have no control characters, and a reason loses its own.
fn unpriced_text(unpriced: &[Unpriced]) -> String {
    let mut text = String::new();
    for node in unpriced {
        let (from, to) = (node.window.from(), node.window.to());
        // Writing to a String cannot fail.
        let _ = write!(text, "{}\t{}\t{from}\t{to}", node.node, node.offer);
        for (_, nano) in node.quantity_nano.iter() {
            let _ = write!(text, "\t{nano}");
        }
        let why = node.why.replace(char::is_control, " ");
        let _ = writeln!(text, "\t{why}");
    }
    text
}

/// Formats before the third did not know the network.
fn read_unpriced(line: &str, resources: &[Resource]) -> Option<Unpriced> {
    let mut parts = line.splitn(resources.len() + 5, '\t');
    let (node, offer) = (NodeId::new(parts.next()?).ok()?, OfferId::new(parts.next()?).ok()?);
    let (from, to) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let window = Window::new(from, to).ok()?;
    let mut quantity_nano = PerResource::default();
    for resource in resources {
        *quantity_nano.get_mut(*resource) = parts.next()?.parse().ok()?;
    }
    Some(Unpriced { node, offer, window, why: parts.next()?.to_owned(), quantity_nano })
}

/// Reads an hour: its footer now, its rows when they are asked for.
pub(super) fn open(file: &str, bytes: Bytes) -> Result<HourBook, BooksError> {
    let generation = Generation::of(&bytes, Vec::new());
    read(Sealed::open(file, bytes)?, KIND, generation)
}

/// Reads the rollup of an hour: it says of the hour what the file around it does, and its rows are
/// sums.
pub(super) fn open_rollup(file: &str, bytes: Bytes) -> Result<HourBook, BooksError> {
    read(Sealed::open(file, bytes)?, rollup::KIND, Generation::default())
}

pub(super) fn read(
    sealed: Sealed,
    kind: &str,
    generation: Generation,
) -> Result<HourBook, BooksError> {
    let file = &*sealed.file.clone();
    let wrong = |what: &str| BooksError::damaged(file, what);
    let format = sealed.line("farthing.format")?;
    if sealed.line("farthing.kind")? != kind || !is_readable(format) {
        return Err(wrong("it does not hold charges in a format that this version reads"));
    }
    let window = Window::new(sealed.parsed("farthing.from")?, sealed.parsed("farthing.to")?);
    let window = window.map_err(|_| wrong("its window is empty"))?;
    let currency: Currency = sealed.parsed("farthing.currency")?;
    let resources: &[Resource] =
        if matches!(format, "1" | "2") { &Resource::ALL } else { &Resource::CHARGED };
    let unpriced = sealed.line("farthing.unpriced")?.lines();
    let unpriced = unpriced.map(|line| read_unpriced(line, resources)).collect();
    let method = match sealed.parsed_if_any::<String>("farthing.method")? {
        None => Method::ByNode,
        Some(name) => Method::named(&name).ok_or_else(|| wrong("`farthing.method` is wrong"))?,
    };
    let corrections = sealed.parsed_if_any::<String>("farthing.corrections")?.unwrap_or_default();
    let hour = Window::hour_of(window.from()).unwrap_or(window);
    let corrections = corrections.lines().map(|line| Correction::from_line(line, hour, currency));
    let corrections: Option<Vec<Correction>> = corrections.collect();
    let corrections = corrections.ok_or_else(|| wrong("`farthing.corrections` is wrong"))?;
    let weights = Weights::from_text(sealed.line("farthing.weights")?);
    let paid = sealed.parsed("farthing.paid_pico")?;
    let list = sealed.parsed_if_any("farthing.list_pico")?.unwrap_or(paid);
    Ok(HourBook {
        file: file.to_owned(),
        cluster: sealed.parsed::<ClusterId>("farthing.cluster")?,
        window,
        currency,
        paid: Money::from_pico(paid, currency),
        list: Money::from_pico(list, currency),
        coverage: Coverage {
            expected_nanos: sealed.parsed("farthing.expected_nanos")?,
            measured_nanos: sealed.parsed("farthing.measured_nanos")?,
        },
        unpriced: Option::<Vec<Unpriced>>::ok_or(unpriced, wrong("`farthing.unpriced` is wrong"))?,
        method,
        weights: weights.map_err(|_| wrong("`farthing.weights` is wrong"))?,
        generation: generation.with(corrections.clone()),
        corrections,
        journal: sealed.parsed_if_any("farthing.journal")?,
        rows: sealed,
    })
}

/// Decodes all rows.
pub(super) fn decode(
    cluster: &ClusterId,
    currency: Currency,
    batches: impl IntoIterator<Item = Result<Batch, BooksError>>,
) -> Result<Vec<Charge>, BooksError> {
    let mut charges = Vec::new();
    for batch in batches {
        let batch = batch?;
        let mut rows = Rows::new(&batch, cluster, currency)?;
        for row in 0..batch.len() {
            charges.push(rows.charge(row)?);
        }
    }
    Ok(charges)
}

/// Whether this version reads files of a format. What a format has no column for, is absent in
/// what is read from it.
pub(super) fn is_readable(format: &str) -> bool {
    matches!(format, "1" | "2" | "3" | FORMAT)
}

/// Parses the kind of a price by its name.
pub(crate) fn price_kind(name: Option<&str>) -> Option<PriceKind> {
    use PriceKind::{AmortisedOwned, Contracted, Effective, List, SpotQuote};
    let all = [List, Contracted, Effective, SpotQuote, AmortisedOwned];
    all.into_iter().find(|kind| Some(kind.name()) == name)
}

/// A batch as charges: its columns, found once.
struct Rows<'a> {
    batch: &'a Batch,
    cluster: &'a ClusterId,
    currency: Currency,
    who: Who<'a>,
    /// In the order of [`TEXTS`].
    texts: [Text<'a>; TEXTS.len()],
    asset: Option<Text<'a>>,
    detail: Option<Text<'a>>,
    zone: Text<'a>,
    from: &'a PrimitiveArray<TimestampNanosecondType>,
    to: &'a PrimitiveArray<TimestampNanosecondType>,
    as_of: &'a PrimitiveArray<Date32Type>,
    quantity: &'a PrimitiveArray<Decimal128Type>,
    cost: &'a PrimitiveArray<Decimal128Type>,
    list_cost: &'a PrimitiveArray<Decimal128Type>,
    rate: &'a PrimitiveArray<Decimal128Type>,
    lists: Lists<'a>,
    /// What the row before was bought as, which the next one mostly is too.
    place: Latest<Place>,
    instance_type: Latest<str>,
    provenance: Latest<Provenance>,
}

/// What was read last, to be shared with what is equal to it.
struct Latest<T: ?Sized>(Option<Arc<T>>);

impl<T: ?Sized + PartialEq> Latest<T> {
    fn share(&mut self, new: impl Into<Arc<T>> + std::borrow::Borrow<T>) -> Arc<T> {
        match &self.0 {
            Some(last) if **last == *new.borrow() => Arc::clone(last),
            _ => Arc::clone(self.0.insert(new.into())),
        }
    }
}

/// Texts that every row has.
const TEXTS: [&str; 12] = [
    "SubAccountId",
    "BillingCurrency",
    "x_node",
    "x_offer",
    "ProviderName",
    "RegionId",
    "ResourceType",
    "x_purchase",
    "x_resource",
    "x_destination",
    "x_price_kind",
    "x_price_source",
];

impl<'a> Rows<'a> {
    fn new(
        batch: &'a Batch,
        cluster: &'a ClusterId,
        currency: Currency,
    ) -> Result<Self, BooksError> {
        let mut texts = [batch.text(TEXTS[0])?; TEXTS.len()];
        for (text, name) in texts.iter_mut().zip(TEXTS) {
            *text = batch.text(name)?;
        }
        Ok(Self {
            batch,
            cluster,
            currency,
            who: Who::new(batch, who::IN_CHARGES)?,
            texts,
            asset: batch.optional_text("x_asset")?,
            detail: batch.optional_text("x_detail")?,
            zone: batch.text("AvailabilityZone")?,
            from: batch.instant("ChargePeriodStart")?,
            to: batch.instant("ChargePeriodEnd")?,
            as_of: batch.day("x_price_as_of")?,
            quantity: batch.decimal("x_quantity_nano")?,
            cost: batch.decimal("BilledCost")?,
            list_cost: batch.decimal("ListCost")?,
            rate: batch.decimal("x_node_rate")?,
            lists: Lists::new(batch, list_columns::IN_CHARGES)?,
            place: Latest(None),
            instance_type: Latest(None),
            provenance: Latest(None),
        })
    }

    /// What a column that not every format has names, if anything.
    fn named<T: Copy>(
        &self,
        row: usize,
        (text, column): (Option<Text<'_>>, &str),
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Result<Option<T>, BooksError> {
        let Some(text) = text.and_then(|text| text.get(row)) else { return Ok(None) };
        let known = all.iter().copied().find(|one| name(*one) == text);
        known.map(Some).ok_or_else(|| self.batch.wrong(row, column))
    }

    fn charge(&mut self, row: usize) -> Result<Charge, BooksError> {
        let batch = self.batch;
        let wrong = |column: &str| batch.wrong(row, column);
        let texts = self.texts.map(|text| text.get(row));
        let [cluster, currency, node, offer, provider, region, kind, rest @ ..] = texts;
        let [purchase, resource, destination, price_of, source] = rest;
        let owned =
            |text: Option<&str>, column: &str| text.map(str::to_owned).ok_or_else(|| wrong(column));
        if cluster != Some(self.cluster.as_str()) {
            return Err(wrong("SubAccountId"));
        }
        if currency != Some(self.currency.code()) {
            return Err(wrong("BillingCurrency"));
        }
        let destination = Destination::ALL.into_iter().find(|d| Some(d.name()) == destination);
        let pico = |column: &PrimitiveArray<Decimal128Type>, name: &str| {
            value(column, row).ok_or_else(|| wrong(name))
        };
        let rate = Money::from_pico(pico(self.rate, "x_node_rate")?, self.currency);
        let at = |column: &PrimitiveArray<TimestampNanosecondType>, name: &str| {
            instant(value(column, row)).ok_or_else(|| wrong(name))
        };
        let (from, to) = (at(self.from, "ChargePeriodStart")?, at(self.to, "ChargePeriodEnd")?);
        let cost = Money::from_pico(pico(self.cost, "BilledCost")?, self.currency);
        // Before the fourth format it stood only beside prices of lists.
        let list_cost = value(self.list_cost, row).unwrap_or_else(|| cost.pico());
        let asset = (self.asset, "x_asset");
        let detail = (self.detail, "x_detail");
        Ok(Charge {
            cluster: self.cluster.clone(),
            window: Window::new(from, to).map_err(|_| wrong("ChargePeriodEnd"))?,
            node: batch.parse(node, row, "x_node")?,
            asset: self.named(row, asset, &Asset::ALL, Asset::name)?.unwrap_or_default(),
            offer: batch.parse(offer, row, "x_offer")?,
            place: self.place.share(Place {
                provider: owned(provider, "ProviderName")?,
                region: owned(region, "RegionId")?,
                zone: self.zone.get(row).map(str::to_owned),
            }),
            instance_type: self.instance_type.share(kind.ok_or_else(|| wrong("ResourceType"))?),
            purchase: batch.parse(purchase, row, "x_purchase")?,
            resource: batch.parse(resource, row, "x_resource")?,
            destination: destination.ok_or_else(|| wrong("x_destination"))?,
            detail: self.named(row, detail, &Detail::ALL, Detail::name)?,
            attribution: self.who.get(batch, row)?,
            quantity_nano: pico(self.quantity, "x_quantity_nano")?,
            cost,
            list_cost: Money::from_pico(list_cost, self.currency),
            node_rate: HourlyRate::new(rate).ok_or_else(|| wrong("x_node_rate"))?,
            provenance: self.provenance.share(Provenance {
                kind: price_kind(price_of).ok_or_else(|| wrong("x_price_kind"))?,
                source: owned(source, "x_price_source")?,
                as_of: day(value(self.as_of, row)).ok_or_else(|| wrong("x_price_as_of"))?,
                list: self.lists.get(row, self.currency)?,
            }),
        })
    }
}

/// The window between two columns.
pub(super) fn window(
    batch: &Batch,
    row: usize,
    (from, to): (&str, &str),
) -> Result<Window, BooksError> {
    let at = |column: &str| {
        instant(value(batch.instant(column)?, row)).ok_or_else(|| batch.wrong(row, column))
    };
    Window::new(at(from)?, at(to)?).map_err(|_| batch.wrong(row, to))
}
