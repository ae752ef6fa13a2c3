//! Prices of what is paid beside machines: volumes, bytes sent, load balancers, control planes.
//!
//! They stand in a price book as rows whose `instance_type` is one of these names, with a unit of
//! their own, and never become offers: nothing can be run on them. `*` as provider or region is
//! any of them, and so is a volume without a class.
//!
//! ```text
//! volume, volume/CLASS          GiB-month or GiB-hour
//! network/REACH                 GB; zone, region, internet, or any where nobody says how far
//! load-balancer, control-plane  hour
//! ```

use super::glob;
use super::row::{Cells, RowError, lower};
use crate::manifest::scalar;
use farthing_model::{
    Asset, Currency, HOURS_PER_MONTH, HourlyRate, ListPrice, Money, MoneyError, Place, Price,
    PriceKind, Provenance, Ratio, proportion,
};
use jiff::civil::Date;
use std::sync::Arc;

/// Bytes of a GiB, which volumes are sold by.
const GIB: i128 = 1 << 30;
/// What stands for any provider or region.
const ANY: &str = "*";

/// What a price is for one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Per {
    Hour,
    GibHour,
    GibMonth,
    /// 10^9 bytes.
    Gb,
}

impl Per {
    pub(crate) const ALL: [Self; 4] = [Self::Hour, Self::GibHour, Self::GibMonth, Self::Gb];

    const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::GibHour => "GiB-hour",
            Self::GibMonth => "GiB-month",
            Self::Gb => "GB",
        }
    }
}

/// A row of a price book that is of no machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AssetPrice {
    pub(crate) asset: Asset,
    /// The class of a volume, or how far bytes go; empty for any.
    pub(crate) class: String,
    pub(crate) provider: String,
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) as_of: Date,
    pub(crate) per: Per,
    pub(crate) pico: i64,
    pub(crate) currency: Currency,
    pub(crate) source: String,
    /// What contracts take off it, in their order.
    pub(crate) changes: Vec<AssetChange>,
}

/// What a contract takes off a price, at some places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AssetChange {
    /// Patterns of where.
    pub(crate) provider: String,
    pub(crate) region: String,
    /// What provenance says of it.
    pub(crate) note: String,
    /// So much of the price.
    pub(crate) off: Ratio,
}

impl AssetChange {
    fn is_at(&self, place: &Place) -> bool {
        glob::matches(&self.provider, &place.provider) && glob::matches(&self.region, &place.region)
    }
}

/// What a name in `instance_type` stands for, if it is of no machine.
fn named(text: &str) -> Option<(Asset, &str)> {
    match text.split_once('/') {
        Some(("volume", class)) => Some((Asset::Volume, class)),
        Some(("network", reach)) => Some((Asset::Network, reach)),
        Some(_) => None,
        None => match text {
            "volume" => Some((Asset::Volume, "")),
            "load-balancer" => Some((Asset::LoadBalancer, "")),
            "control-plane" => Some((Asset::ControlPlane, "")),
            _ => None,
        },
    }
}

/// Reads a row, if it is of no machine.
pub(crate) fn read<'c>(cells: &impl Cells<'c>) -> Result<Option<AssetPrice>, RowError> {
    let Some((asset, class)) = named(cells.cell("instance_type")) else { return Ok(None) };
    let bad = |column, what: String| RowError::Cell(column, what);
    if asset == Asset::Network && !["zone", "region", "internet", "any"].contains(&class) {
        let what = format!("network/{class}: bytes go to zone, region, internet or any");
        return Err(bad("instance_type", what));
    }
    let wanted: &[Per] = match asset {
        Asset::Volume => &[Per::GibMonth, Per::GibHour],
        Asset::Network => &[Per::Gb],
        _ => &[Per::Hour],
    };
    let unit = cells.must("unit", "a price without a unit says nothing")?;
    let per = wanted.iter().copied().find(|per| per.name() == unit).ok_or_else(|| {
        let names: Vec<&str> = wanted.iter().map(|per| per.name()).collect();
        bad("unit", format!("`{unit}` is not read here; write {}", names.join(" or ")))
    })?;
    let pico = cells.price("price")?.ok_or(RowError::Missing("price", "a number"))?;
    let currency = cells.must("currency", "a price without a currency says nothing; write USD")?;
    let currency =
        currency.parse().map_err(|error: MoneyError| bad("currency", error.to_string()))?;
    let as_of = cells.must("as_of", "a price without a date says nothing; write 2026-11-24")?;
    Ok(Some(AssetPrice {
        asset,
        class: class.to_owned(),
        provider: lower(cells.must("provider", "aws, gcp, azure, or * for any")?).into_owned(),
        region: cells.must("region", "the provider's name of it, or * for any")?.to_owned(),
        zone: cells.cell("zone").to_owned(),
        as_of: scalar::date(as_of).map_err(|what| bad("as_of", what))?,
        per,
        pico,
        currency,
        source: cells.must("source", "where the price comes from")?.to_owned(),
        changes: Vec::new(),
    }))
}

impl AssetPrice {
    fn fits(&self, asset: Asset, class: &str, place: &Place) -> bool {
        let or_any = |own: &str, other: &str| own == ANY || own == other;
        let zone = self.zone.is_empty() || Some(self.zone.as_str()) == place.zone.as_deref();
        self.asset == asset
            && (self.class.is_empty() || self.class == class)
            && or_any(&self.provider, &place.provider)
            && or_any(&self.region, &place.region)
            && zone
    }

    /// Of rows that fit the one that says more stands, then the newest, then the dearest.
    fn rank(&self) -> impl Ord + use<> {
        let said = [!self.class.is_empty(), self.provider != ANY, self.region != ANY];
        (said, !self.zone.is_empty(), self.as_of, self.pico)
    }

    /// Its name in price books.
    pub(crate) fn name(&self) -> String {
        match (self.asset, self.class.as_str()) {
            (asset, "") => asset.name().to_owned(),
            (asset, class) => format!("{}/{class}", asset.name()),
        }
    }

    /// The price of one hour of `bytes`, or of 10^9 bytes sent, at a place.
    fn price(&self, bytes: u64, place: &Place) -> Price {
        let pico = i128::from(self.pico);
        let pico = match self.per {
            Per::Hour | Per::Gb => Some(pico),
            Per::GibHour => proportion(pico, bytes.into(), GIB),
            Per::GibMonth => proportion(pico, bytes.into(), GIB * HOURS_PER_MONTH),
        };
        let rate = |pico| HourlyRate::new(Money::from_pico(pico, self.currency));
        let mut from = Provenance {
            kind: PriceKind::List,
            source: format!("{} ({} a {})", self.source, self.written(), self.per.name()),
            as_of: self.as_of,
            list: None,
        };
        let mut net = pico;
        for change in self.changes.iter().filter(|change| change.is_at(place)) {
            let left = i128::from(Ratio::ONE.minus(change.off).ppm());
            net = net
                .and_then(|pico| pico.checked_mul(left))
                .map(|pico| (pico + 500_000) / 1_000_000);
            from.source.push_str("; ");
            from.source.push_str(&change.note);
            from.kind = PriceKind::Effective;
        }
        if from.kind == PriceKind::Effective {
            let list = pico.and_then(rate);
            from.list = list.map(|rate| Arc::new(ListPrice { rate, discounts: None }));
        }
        net.and_then(rate).map_or_else(
            || Price::Unknown(format!("the price of {bytes} bytes does not fit")),
            |rate| Price::Known(rate, from),
        )
    }

    fn written(&self) -> Money {
        Money::from_pico(self.pico.into(), self.currency)
    }
}

/// The price of something that is no machine, of `bytes` where that matters, by the row that fits
/// best; `None` where no row does.
pub(crate) fn price(
    rows: &[AssetPrice],
    (asset, class): (Asset, &str),
    place: &Place,
    bytes: u64,
) -> Option<Price> {
    let fitting = rows.iter().filter(|row| row.fits(asset, class, place));
    fitting.max_by_key(|row| row.rank()).map(|row| row.price(bytes, place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&'static str; 6]) -> Result<Option<AssetPrice>, String> {
        let cell = |column: &'static str| match column {
            "provider" => cells[0],
            "region" => cells[1],
            "instance_type" => cells[2],
            "price" => cells[3],
            "unit" => cells[4],
            "as_of" => cells[5],
            "currency" => "USD",
            "source" => "made up",
            _ => "",
        };
        read(&cell).map_err(|error| error.to_string())
    }

    fn rate(rows: &[AssetPrice], what: (Asset, &str), region: &str, gib: u64) -> Option<String> {
        let region = region.to_owned();
        let place = Place { provider: "aws".to_owned(), region, zone: None };
        let price = price(rows, what, &place, gib << 30)?;
        price.rate().map(|rate| rate.to_string())
    }

    #[test]
    fn the_row_that_says_more_stands_and_then_the_newer_one() {
        let rows = [
            ["*", "*", "volume", "0.05", "GiB-month", "2026-11-01"],
            ["AWS", "us-east-1", "volume/gp3", "0.073", "GiB-month", "2026-01-01"],
            ["aws", "us-east-1", "volume/gp3", "0.146", "GiB-month", "2026-11-01"],
            ["aws", "*", "network/internet", "0.09", "GB", "2026-11-01"],
            ["aws", "*", "control-plane", "0.10", "hour", "2026-11-01"],
        ];
        let rows: Vec<AssetPrice> = rows.map(|cells| row(cells).unwrap().unwrap()).into();
        let volume = |class| (Asset::Volume, class);
        let rate = |what, region, gib| rate(&rows, what, region, gib);
        assert_eq!(rate(volume("gp3"), "us-east-1", 10).as_deref(), Some("0.002 USD/h"));
        assert_eq!(rate(volume("gp3"), "eu-west-1", 73).as_deref(), Some("0.005 USD/h"));
        assert_eq!(rate((Asset::Network, "internet"), "x", 0).as_deref(), Some("0.09 USD/h"));
        assert_eq!(rate((Asset::Network, "zone"), "x", 0), None);
        assert_eq!(rate((Asset::LoadBalancer, ""), "x", 0), None);
    }

    #[test]
    fn what_is_wrong_says_what_would_be_right() {
        let check = |cells, expected: &str| assert_eq!(row(cells), Err(expected.to_owned()));
        assert_eq!(row(["aws", "r", "m5.large", "1", "hour", "2026-11-01"]), Ok(None));
        check(
            ["aws", "r", "volume/gp3", "1", "hour", "2026-11-01"],
            "`unit`: `hour` is not read here; write GiB-month or GiB-hour",
        );
        check(
            ["aws", "r", "network/moon", "1", "GB", "2026-11-01"],
            "`instance_type`: network/moon: bytes go to zone, region, internet or any",
        );
        check(
            ["aws", "r", "volume", "-1", "GiB-hour", "2026-11-01"],
            "`price`: `-1` is below zero",
        );
    }
}
