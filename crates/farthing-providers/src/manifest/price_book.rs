//! `kind: PriceBook`: offers, own hardware, what a contract changes, and rates of exchange.

use super::fault::{Report, suggestion};
use super::fields::{Fields, items};
use super::scalar::{self, Parsed};
use super::shape;
use crate::catalog::{BookParts, Change, Exchange, Overlay, Row, decimal_cell};
use crate::yaml::{Node, Value};
use farthing_model::{
    Currency, Decimal, HOURS_PER_YEAR, HourlyRate, Money, PerResource, Purchase, Ratio, proportion,
};

/// Reads the spec of a price book.
pub(crate) fn price_book(spec: &Node, report: &mut Report) -> Option<BookParts> {
    let fields = Fields::open(spec, "spec", &shape::PRICE_BOOK, report)?;
    let mut book = BookParts::default();
    let list = |name: &str| fields.get(name).map(|node| (node, name.to_owned()));
    let parts = [list("offers"), list("owned"), list("adjust"), list("exchange")];
    if parts.iter().all(Option::is_none) {
        let what = "`spec` says nothing: give offers, owned, adjust or exchange";
        report.fault(spec.spot, what);
        return None;
    }
    for (node, name) in parts.into_iter().flatten() {
        for item in items(node, &name, report) {
            match name.as_str() {
                "offers" => book.rows.extend(offer(item, report)),
                "owned" => book.rows.extend(owned(item, report)),
                "adjust" => book.overlays.extend(adjust(item, report)),
                _ => book.exchange.extend(exchange(item, report)),
            }
        }
    }
    Some(book)
}

/// A row of an inline price book; it is judged by the same code as a row of a file.
fn offer(item: &Node, report: &mut Report) -> Option<Row<'static>> {
    let Value::Map(entries) = &item.value else {
        report.fault(item.spot, format!("an offer is {}, not a map", item.kind()));
        return None;
    };
    for (key, node) in entries {
        if !shape::OFFER.fields.iter().any(|field| field.name == key.name) {
            let hint = suggestion(&key.name, &shape::OFFER.names());
            report.fault(key.spot, format!("unknown field `offers.{}`{hint}", key.name));
        } else if node.text().is_none() && !node.is_null() {
            let what = format!("`{}` is {}, not a plain value", key.name, node.kind());
            report.fault(node.spot, what);
        }
    }
    let cell = |column: &str| item.get(column).and_then(Node::text).unwrap_or_default().trim();
    row(&cell, item, report)
}

fn row<'n>(
    cell: &impl Fn(&'static str) -> &'n str,
    item: &Node,
    report: &mut Report,
) -> Option<Row<'static>> {
    match Row::read(cell) {
        Ok(row) => Some(row.into_owned()),
        Err(what) => {
            report.fault(item.spot, what.to_string());
            None
        }
    }
}

/// A machine of one's own as an offer: purchase price over its used hours, and power.
fn owned(item: &Node, report: &mut Report) -> Option<Row<'static>> {
    let fields = Fields::open(item, "owned", &shape::OWNED, report)?;
    let purchase = fields.read("purchase_price", scalar::money, report)?;
    let years = fields.read("years", scalar::positive, report)?;
    let used = fields.read("utilisation", some_share, report).unwrap_or(Ratio::ONE);
    let watts = fields.read("watts", scalar::positive, report);
    let pue = fields.read("pue", scalar::positive, report).unwrap_or(Decimal::ONE);
    let electricity = fields.read("electricity", scalar::money, report);
    if watts.is_some() && electricity.is_none() {
        let what = "`owned.electricity` is missing: watts cost nothing without a price";
        report.fault(item.spot, what);
        return None;
    }
    let power = match (watts, electricity) {
        (Some(watts), Some(price)) if price.currency() != purchase.currency() => {
            let (a, b) = (price.currency(), purchase.currency());
            report.fault(item.spot, format!("`owned.electricity` of {watts} W is in {a}, not {b}"));
            return None;
        }
        (Some(watts), Some(price)) => power(watts, pue, price),
        _ => Some(0),
    };
    let pico = capital(purchase, years, used).zip(power).map(|(a, b)| a.saturating_add(b));
    let Some(pico) = pico else {
        report.fault(item.spot, "`owned`: the price of an hour does not fit".to_owned());
        return None;
    };
    let price = Money::from_pico(pico, purchase.currency()).to_decimal();
    let currency = purchase.currency().to_string();
    let given = |name: &str| fields.get(name).and_then(Node::text).unwrap_or_default().trim();
    let power = match (watts, electricity) {
        (Some(watts), Some(price)) => format!(" and {watts} W x PUE {pue} at {price}/kWh"),
        _ => String::new(),
    };
    let source = format!(
        "{}: {purchase} over {years} years of {HOURS_PER_YEAR} h at {used} used{power}",
        given("source")
    );
    let region = if given("region").is_empty() { "local" } else { given("region") };
    let cell = |column: &str| match column {
        "provider" => "local",
        "region" => region,
        "purchase" => "owned",
        "unit" => "hour",
        "price" => &price,
        "currency" => &currency,
        "source" => &source,
        other if shape::OWNED.names().contains(&other) => given(other),
        _ => "",
    };
    row(&cell, item, report)
}

fn some_share(text: &str) -> Parsed<Ratio> {
    let share = scalar::share(text)?;
    if share.ppm() == 0 { Err(format!("`{text}` must be above zero")) } else { Ok(share) }
}

/// The purchase price of a used hour.
fn capital(price: Money, years: Decimal, used: Ratio) -> Option<i128> {
    let million = 1_000_000_i128;
    let whole = years.nano().checked_mul(HOURS_PER_YEAR)?.checked_mul(i128::from(used.ppm()))?;
    proportion(price.pico(), Decimal::ONE.nano().checked_mul(million)?, whole)
}

/// An hour of power: watts x PUE x price of a kilowatt-hour.
fn power(watts: Decimal, pue: Decimal, price: Money) -> Option<i128> {
    let at_site = proportion(watts.nano(), pue.nano(), Decimal::ONE.nano())?;
    proportion(price.pico(), at_site, Decimal::ONE.nano().checked_mul(1_000)?)
}

fn adjust(item: &Node, report: &mut Report) -> Option<Overlay> {
    let fields = Fields::open(item, "adjust", &shape::ADJUST, report)?;
    let text = |text: &str| Parsed::Ok(text.to_owned());
    let pattern = |name: &str, report: &mut Report| {
        fields.read(name, text, report).unwrap_or_else(|| "*".to_owned())
    };
    let patterns = ["provider", "region", "instance_type"].map(|name| pattern(name, report));
    let [provider, region, instance_type] = patterns;
    let purchases = Purchase::ALL.map(|purchase| (purchase.name(), purchase));
    let change = change(&fields, report);
    let (from, to) =
        (fields.read("from", scalar::date, report), fields.read("to", scalar::date, report));
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        report.fault(item.spot, "`adjust.to` is not after `adjust.from`; it would never hold");
    }
    Some(Overlay {
        name: fields.read("name", text, report)?,
        provider,
        region,
        instance_type,
        purchase: fields.choice("purchase", &purchases, report),
        from,
        to,
        change: change?,
        available: fields.read("available", scalar::whole, report),
        source: fields.read("source", text, report)?,
    })
}

fn change(fields: &Fields<'_>, report: &mut Report) -> Option<Change> {
    let given: Vec<&str> = ["discount", "discounts", "off", "price", "committed"]
        .into_iter()
        .filter(|name| fields.get(name).is_some())
        .collect();
    let [name] = *given else {
        let what = "`adjust` has not exactly one of discount, discounts, off, price and committed";
        report.fault(fields.spot, what);
        return None;
    };
    if name == "discount" {
        return fields.read(name, scalar::share, report).map(Change::Share);
    }
    if name == "discounts" {
        return each(fields.get(name)?, report).map(Change::Each);
    }
    let (pico, currency) = fields.read(name, rate, report)?;
    Some(match name {
        "off" => Change::Off(pico, currency),
        "price" => Change::Price(pico, currency),
        _ => Change::Committed(pico, currency),
    })
}

/// What is taken off each resource; of those that are not named, nothing.
fn each(item: &Node, report: &mut Report) -> Option<PerResource<Ratio>> {
    let fields = Fields::open(item, "discounts", &shape::DISCOUNTS, report)?;
    Some(PerResource::from_fn(|resource| {
        fields.read(resource.name(), scalar::share, report).unwrap_or_default()
    }))
}

/// `12.34 USD/h`, above zero.
fn rate(text: &str) -> Parsed<(i64, Currency)> {
    let rate: HourlyRate =
        text.parse().map_err(|error: farthing_model::MoneyError| error.to_string())?;
    let money = rate.per_hour();
    let pico = decimal_cell(&money.to_decimal())?;
    if pico == 0 {
        Err(format!("`{text}` must be above zero"))
    } else {
        Ok((pico, money.currency()))
    }
}

fn exchange(item: &Node, report: &mut Report) -> Option<Exchange> {
    let fields = Fields::open(item, "exchange", &shape::EXCHANGE, report)?;
    let currency = |text: &str| -> Parsed<Currency> {
        text.parse().map_err(|error: farthing_model::MoneyError| error.to_string())
    };
    Some(Exchange {
        from: fields.read("from", currency, report)?,
        to: fields.read("to", currency, report)?,
        rate: fields.read("rate", scalar::positive, report)?,
        source: fields.read("source", |text| Ok(text.to_owned()), report)?,
        as_of: fields.read("as_of", scalar::date, report)?,
    })
}
