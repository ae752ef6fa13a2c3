//! What a buyer's own contract changes in a list: discounts, agreed prices, commitments, rates of
//! exchange.
//!
//! Overlays are applied in their order to the list prices that the guards left, so that a list is
//! judged as a list. The provenance of a price says what was applied to it.

use super::asset::{AssetChange, AssetPrice};
use super::cache::Days;
use super::glob;
use super::intake::Intake;
use super::row::{RowError, kind};
use crate::hardware;
use farthing_model::offer_table::{Row, Terms, Was};
use farthing_model::{
    Asset, Currency, Decimal, PerResource, PriceKind, Purchase, Ratio, Resource, proportion,
};
use jiff::civil::Date;
use std::sync::Arc;

/// Why an offer is left out after overlays.
const NOTHING_LEFT: &str = "price of 0 or less after a discount";

/// A change of prices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    /// What provenance calls it.
    pub(crate) name: String,
    /// Patterns of what it is for.
    pub(crate) provider: String,
    pub(crate) region: String,
    pub(crate) instance_type: String,
    /// `None` = however it is paid.
    pub(crate) purchase: Option<Purchase>,
    /// The first day, and the first day after.
    pub(crate) from: Option<Date>,
    pub(crate) to: Option<Date>,
    pub(crate) change: Change,
    /// So many nodes at most, where a commitment is for a number.
    pub(crate) available: Option<u32>,
    pub(crate) source: String,
}

/// What an overlay does to a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// So much of it less.
    Share(Ratio),
    /// So much less of each resource's part of it, as the weights split a machine's price.
    Each(PerResource<Ratio>),
    /// So many 10^-12 less, in a currency.
    Off(i64, Currency),
    /// This price instead.
    Price(i64, Currency),
    /// This price beside it, as a purchase of its own.
    Committed(i64, Currency),
}

/// So much of one currency for one unit of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub(crate) from: Currency,
    pub(crate) to: Currency,
    pub(crate) rate: Decimal,
    pub(crate) source: String,
    pub(crate) as_of: Date,
}

impl Overlay {
    /// Whether it holds on a day; without a day only what always holds does.
    fn holds(&self, today: Option<Date>) -> bool {
        match today {
            Some(today) => {
                self.from.is_none_or(|from| from <= today) && self.to.is_none_or(|to| today < to)
            }
            None => self.from.is_none() && self.to.is_none(),
        }
    }

    /// Narrows the days for which a reading holds to those on which this does not change.
    fn narrow(&self, today: Option<Date>, days: &mut Days) {
        let Some(today) = today else { return };
        for edge in [self.from, self.to].into_iter().flatten() {
            if edge > today {
                days.until = Some(days.until.map_or(edge, |until| until.min(edge)));
            } else {
                days.since = Some(days.since.map_or(edge, |since| since.max(edge)));
            }
        }
    }
}

/// Converts prices to the currencies that are compared.
pub(crate) fn exchange(intake: &mut Intake, rates: &[Exchange]) -> Result<(), RowError> {
    for rate in rates {
        let known = intake.parts.currencies.iter().position(|known| *known == rate.from);
        let Some(from) = known.and_then(|at| u8::try_from(at).ok()) else { continue };
        let to = intake.currency(rate.to)?;
        let note =
            format!("{} at {} {} ({}, {})", rate.from, rate.rate, rate.to, rate.source, rate.as_of);
        let mut rows = std::mem::take(&mut intake.parts.rows);
        for row in rows.iter_mut().filter(|row| row.currency == from) {
            let pico = scale(row.pico, rate.rate.nano(), Decimal::ONE.nano());
            row.pico = pico.ok_or_else(|| {
                RowError::Cell("exchange", format!("a price at {note} is too large"))
            })?;
            // Contracts come after this.
            row.was = None;
            row.currency = to;
            row.terms = noted(intake, row.terms, &note, None);
        }
        intake.parts.rows = rows;
    }
    Ok(())
}

/// Applies overlays in their order.
pub(crate) fn apply(
    intake: &mut Intake,
    overlays: &[Overlay],
    today: Option<Date>,
    days: &mut Days,
) -> Result<(), RowError> {
    for overlay in overlays {
        overlay.narrow(today, days);
        if overlay.holds(today) {
            one(intake, overlay)?;
            for price in &mut intake.assets {
                price.changes.extend(off_asset(overlay, price));
            }
        }
    }
    let before = intake.parts.rows.len();
    intake.parts.rows.retain(|row| row.pico > 0);
    let gone = before - intake.parts.rows.len();
    intake.exclude(NOTHING_LEFT, u64::try_from(gone).unwrap_or(u64::MAX));
    Ok(())
}

/// What an overlay takes off the price of what is no machine. An amount or a price for an hour of
/// a machine says nothing of those.
fn off_asset(overlay: &Overlay, price: &AssetPrice) -> Option<AssetChange> {
    let off = match (&overlay.change, price.asset) {
        (Change::Share(share), _) => *share,
        (Change::Each(off), Asset::Volume) => *off.get(Resource::Storage),
        (Change::Each(off), Asset::Network) => *off.get(Resource::Network),
        _ => Ratio::ZERO,
    };
    let bought = overlay.purchase.is_none_or(|purchase| purchase == Purchase::OnDemand);
    let hit = bought && off > Ratio::ZERO && glob::matches(&overlay.instance_type, &price.name());
    hit.then(|| AssetChange {
        provider: overlay.provider.clone(),
        region: overlay.region.clone(),
        note: format!("{}: {off} off ({})", overlay.name, overlay.source),
        off,
    })
}

fn one(intake: &mut Intake, overlay: &Overlay) -> Result<(), RowError> {
    let sites: Vec<bool> = intake
        .parts
        .sites
        .iter()
        .map(|site| {
            glob::matches(&overlay.provider, &site.place.provider)
                && glob::matches(&overlay.region, &site.place.region)
        })
        .collect();
    let fits = |name: &str| glob::matches(&overlay.instance_type, name);
    let shapes: Vec<bool> =
        intake.parts.shapes.iter().map(|shape| fits(&shape.instance_type)).collect();
    let committed = matches!(overlay.change, Change::Committed(..));
    // What is committed stands in for what is bought on demand.
    let purchase = if committed { Some(Purchase::OnDemand) } else { overlay.purchase };
    let mut rows = std::mem::take(&mut intake.parts.rows);
    let mut more: Vec<Row> = Vec::new();
    for row in &mut rows {
        let hit = sites[row.site as usize]
            && shapes[row.shape as usize]
            && purchase.is_none_or(|purchase| purchase == row.purchase);
        if hit {
            more.extend(change(intake, overlay, row)?);
        }
    }
    // A commitment that is listed already is replaced by what the overlay says of it.
    let key = |row: &Row| (row.site, row.shape, row.purchase as u8);
    more.sort_by_key(key);
    more.dedup_by_key(|row| key(row));
    rows.retain(|row| more.binary_search_by_key(&key(row), key).is_err());
    rows.extend(more);
    intake.parts.rows = rows;
    Ok(())
}

/// Changes a price, or makes one beside it.
fn change(intake: &mut Intake, overlay: &Overlay, row: &mut Row) -> Result<Option<Row>, RowError> {
    let name = &overlay.name;
    let same = |intake: &Intake, currency: Currency| {
        if intake.parts.currencies[usize::from(row.currency)] == currency {
            return Ok(());
        }
        let what = format!("{name} is in {currency} and the price it changes is not");
        Err(RowError::Cell("adjust", what))
    };
    // What the price is by now is what this changes; what it was at first stays the list's.
    let was = row.was.unwrap_or(Was { list: row.pico, before: row.pico });
    match overlay.change {
        Change::Share(share) => {
            let left = i128::from(Ratio::ONE.minus(share).ppm());
            // A part of a price is no more than the price.
            row.pico = scale(row.pico, left, 1_000_000).unwrap_or(row.pico);
            let before = scale(was.before, left, 1_000_000).unwrap_or(was.before);
            row.was = Some(Was { before, ..was });
            let note = format!("{name}: {share} off ({})", overlay.source);
            row.terms = noted(intake, row.terms, &note, Some(PriceKind::Effective));
        }
        Change::Each(off) => each(intake, overlay, (row, was), &off)?,
        Change::Off(pico, currency) => {
            same(intake, currency)?;
            let left = row.pico.saturating_sub(pico);
            let before = scale(was.before, left.into(), row.pico.into()).unwrap_or(was.before);
            row.was = Some(Was { before, ..was });
            row.pico = left;
            let off = farthing_model::Money::from_pico(pico.into(), currency);
            let note = format!("{name}: {off}/h off ({})", overlay.source);
            row.terms = noted(intake, row.terms, &note, Some(PriceKind::Effective));
        }
        Change::Price(pico, currency) => {
            let note = format!("{name} ({})", overlay.source);
            // A list in another currency is not beside it.
            let is_beside = same(intake, currency).is_ok();
            row.was = is_beside.then_some(Was { before: pico, ..was });
            row.pico = pico;
            row.currency = intake.currency(currency)?;
            let terms = noted(intake, row.terms, &note, Some(PriceKind::Contracted));
            row.terms = intake.derive(terms, "of the whole", |terms| Terms { off: None, ..terms });
        }
        Change::Committed(pico, currency) => {
            let purchase = overlay.purchase.unwrap_or(Purchase::Reserved);
            let note = format!("{name} ({})", overlay.source);
            let is_beside = same(intake, currency).is_ok();
            let was = is_beside.then_some(Was { before: pico, ..was });
            let currency = intake.currency(currency)?;
            let terms = noted(intake, row.terms, &note, Some(kind(purchase)));
            let terms = intake.derive(terms, "of the whole", |terms| Terms { off: None, ..terms });
            let terms = limited(intake, terms, overlay.available);
            return Ok(Some(Row { purchase, pico, currency, terms, was, ..*row }));
        }
    }
    row.terms = limited(intake, row.terms, overlay.available);
    Ok(None)
}

/// Takes so much off each resource's part of a price. What an earlier overlay left of a part is
/// what this one takes from.
fn each(
    intake: &mut Intake,
    overlay: &Overlay,
    (row, was): (&mut Row, Was),
    off: &PerResource<Ratio>,
) -> Result<(), RowError> {
    let table = hardware::weights().map_err(|why| RowError::Cell("adjust", why))?;
    let earlier = intake.parts.terms[row.terms as usize].off.unwrap_or_default();
    let kept = |of: &PerResource<Ratio>, resource| Ratio::ONE.minus(*of.get(resource));
    let all = PerResource::from_fn(|resource| {
        let left = i128::from(kept(off, resource).ppm());
        let left = kept(&earlier, resource).part_of(left).and_then(|left| u32::try_from(left).ok());
        Ratio::ONE.minus(Ratio::from_ppm(left.unwrap_or_default()))
    });
    let shape = &intake.parts.shapes[row.shape as usize];
    let parts = table.parts(shape.accelerator.as_ref(), shape.capacity);
    let left = |resource| kept(&all, resource).part_of(*parts.get(resource));
    let whole: i128 = parts.iter().map(|(_, part)| *part).sum();
    let left: Option<i128> = Resource::ALL.into_iter().map(left).sum();
    // A machine of which nothing is known has no parts to take from.
    let Some(left) = left.filter(|left| *left < whole) else { return Ok(()) };
    let fits = proportion(was.before.into(), left, whole).and_then(|pico| i64::try_from(pico).ok());
    row.pico = fits.unwrap_or(row.pico);
    row.was = Some(was);
    let named = off.iter().filter(|(_, off)| **off > Ratio::ZERO);
    let named: Vec<String> = named.map(|(resource, off)| format!("{resource} {off}")).collect();
    let note = format!("{}: {} off ({})", overlay.name, named.join(", "), overlay.source);
    let terms = noted(intake, row.terms, &note, Some(PriceKind::Effective));
    row.terms = intake.derive(terms, "of each", |terms| Terms { off: Some(all), ..terms });
    Ok(())
}

/// `pico x part / whole`, to the nearest 10^-12.
fn scale(pico: i64, part: i128, whole: i128) -> Option<i64> {
    let product = i128::from(pico).checked_mul(part)?;
    i64::try_from(product.checked_add(whole / 2)?.div_euclid(whole)).ok()
}

/// The same origin with a note of what was applied.
fn noted(intake: &mut Intake, terms: u32, note: &str, kind: Option<PriceKind>) -> u32 {
    let Terms { source, kind: before, .. } = &intake.parts.terms[terms as usize];
    let source = Arc::from(format!("{source}; {note}"));
    let kind = kind.unwrap_or(*before);
    intake.derive(terms, note, |terms| Terms { source, kind, ..terms })
}

fn limited(intake: &mut Intake, terms: u32, available: Option<u32>) -> u32 {
    match available {
        None => terms,
        some => {
            let key = format!("at most {some:?}");
            intake.derive(terms, &key, |terms| Terms { available: some, ..terms })
        }
    }
}
