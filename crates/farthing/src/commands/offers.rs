//! `farthing offers`: ranked by the price of the whole request.

use super::plan::currency;
use super::print;
use crate::args::{OffersArgs, Output};
use crate::outcome::{Outcome, WrongUse};
use crate::show::small_money;
use crate::table::{Align, Table};
use farthing_model::{HourlyRate, Money, Purchase};
use farthing_planner::{OfferRequest, Ranked, rank};
use farthing_providers::{catalog, manifest};
use farthing_server::wire::{self, Listing};
use std::time::{Duration, Instant};

/// Prints the offers. Infeasible when none meets the request.
pub(crate) fn run(args: &OffersArgs, output: Output) -> anyhow::Result<Outcome> {
    let offers = if args.prices.is_empty() {
        catalog::default_book().offers
    } else {
        super::price_book(&args.prices)?.offers
    };
    let mut request = request(args)?;
    request.currency = currency(&offers)?;
    let started = Instant::now();
    let ranked = rank(&request, &offers).map_err(|error| WrongUse::new(error.to_string()))?;
    let took = started.elapsed();
    print(
        output,
        || Ok(text(&ranked, took)),
        || {
            let found: Vec<_> = ranked.offers.iter().map(|it| (it.offer, it.nodes)).collect();
            Ok(serde_json::to_value(wire::offers(&Listing {
                offers: &found,
                considered: ranked.considered,
                excluded: &ranked.excluded,
                took,
            }))?)
        },
        || Ok(table(&ranked)),
    )?;
    Ok(if ranked.offers.is_empty() { Outcome::Infeasible } else { Outcome::Done })
}

fn request(args: &OffersArgs) -> anyhow::Result<OfferRequest> {
    let wrong = |flag: &str, why: &dyn std::fmt::Display| WrongUse::new(format!("{flag}: {why}"));
    let accelerator = args.accelerator.as_deref().map(str::parse).transpose();
    let price = |flag: &str, text: Option<&String>| -> anyhow::Result<Option<Money>> {
        let Some(text) = text else { return Ok(None) };
        let rate: HourlyRate = text.parse().map_err(|error| wrong(flag, &error))?;
        Ok(Some(rate.per_hour()))
    };
    let size = |flag: &str, text: Option<&String>| -> anyhow::Result<u64> {
        let Some(text) = text else { return Ok(0) };
        let parsed = manifest::quantity(text.trim_end_matches('+'));
        Ok(parsed.map_err(|why| wrong(flag, &why))?)
    };
    let cores = |text: &String| {
        let parsed = manifest::milli(text.trim_end_matches('+'));
        parsed.map_err(|why| wrong("--cpus", &why))
    };
    let purchases = match (args.spot, args.any_purchase) {
        (_, true) => Vec::new(),
        (true, _) => vec![Purchase::Spot],
        _ => vec![Purchase::OnDemand],
    };
    Ok(OfferRequest {
        accelerator: accelerator.map_err(|error| wrong("--accelerator", &error))?,
        count: args.count,
        nodes: args.nodes,
        cpu_milli_min: args.cpus.as_ref().map(cores).transpose()?.unwrap_or(0),
        memory_bytes_min: size("--memory", args.memory.as_ref())?,
        providers: args.provider.clone(),
        regions: args.region.clone(),
        purchases,
        price_max: price("--max-price", args.max_price.as_ref())?,
        node_price_max: price("--max-node-price", args.max_node_price.as_ref())?,
        exclude: args.exclude.clone(),
        limit: args.limit,
        ..OfferRequest::default()
    })
}

fn table(ranked: &Ranked<'_>) -> Table {
    let mut table = Table::new(&[
        ("price/h", Align::Right),
        ("nodes", Align::Right),
        ("accelerators", Align::Left),
        ("provider", Align::Left),
        ("region", Align::Left),
        ("zone", Align::Left),
        ("instance type", Align::Left),
        ("vCPUs", Align::Right),
        ("GiB", Align::Right),
        ("purchase", Align::Left),
        ("as of", Align::Left),
        ("notes", Align::Left),
    ]);
    for it in &ranked.offers {
        let offer = it.offer;
        let accelerator = offer.accelerator.as_ref();
        let accelerators = accelerator
            .map_or_else(|| "-".to_owned(), |name| format!("{} x {name}", it.accelerators));
        let as_of =
            offer.price.provenance().map_or_else(String::new, |from| from.as_of.to_string());
        table.row([
            small_money(it.price.per_hour()),
            it.nodes.to_string(),
            accelerators,
            offer.place.provider.clone(),
            offer.place.region.clone(),
            offer.place.zone.clone().unwrap_or_else(|| "-".to_owned()),
            offer.instance_type.clone(),
            (offer.capacity.cpu_milli / 1_000).to_string(),
            (offer.capacity.memory_bytes >> 30).to_string(),
            offer.purchase.to_string(),
            as_of,
            it.notes.iter().chain(&offer.warnings).cloned().collect::<Vec<_>>().join("; "),
        ]);
    }
    table
}

fn text(ranked: &Ranked<'_>, took: Duration) -> String {
    let excluded: Vec<String> =
        ranked.excluded.iter().map(|(why, count)| format!("{count} {why}")).collect();
    let head = format!(
        "by the price of the whole request per hour; {} offers in {:.3} ms; left out: {}",
        ranked.considered,
        took.as_secs_f64() * 1e3,
        if excluded.is_empty() { "none".to_owned() } else { excluded.join(", ") },
    );
    if ranked.offers.is_empty() {
        return format!("{head}\nno offer meets the request");
    }
    format!("{head}\n\n{}", table(ranked).to_text())
}
