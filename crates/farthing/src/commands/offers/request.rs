//! From flags to a request.

use crate::args::OffersArgs;
use crate::outcome::WrongUse;
use farthing_model::offer_table::{Arch, Sizes};
use farthing_model::{AcceleratorQuery, Decimal, HourlyRate, Money, Purchase};
use farthing_planner::{Finishing, OfferRequest, RateOf};
use farthing_providers::{catalog, manifest};
use std::fmt::Display;

fn wrong(flag: &str, why: impl Display) -> WrongUse {
    WrongUse::new(format!("{flag}: {why}"))
}

/// The request that the flags state.
pub(crate) fn request(args: &OffersArgs) -> anyhow::Result<OfferRequest> {
    let asked = args.accelerator.as_deref().map(|text| accelerator("--accelerator", text));
    let (accelerator, of_name) = match asked.transpose()? {
        Some((query, count)) => (Some(query), count),
        None => (None, None),
    };
    let count = match (args.count, of_name) {
        (Some(0), _) => return Err(wrong("--count", "is 0; ask for 1 or more").into()),
        (Some(count), Some(each)) => count.saturating_mul(each),
        (count, each) => count.or(each).unwrap_or(1),
    };
    if args.nodes == Some(0) {
        return Err(wrong("--nodes", "is 0; ask for 1 or more").into());
    }
    if args.limit == 0 {
        return Err(wrong("--limit", "is 0; ask for 1 or more").into());
    }
    let arch = args.arch.as_deref().map(str::parse::<Arch>).transpose();
    Ok(OfferRequest {
        accelerator,
        count,
        nodes: args.nodes,
        split: args.split,
        cpu_milli: sizes("--cpus", args.cpus.as_deref(), cores)?,
        memory_bytes: sizes("--memory", args.memory.as_deref(), memory)?,
        arch: arch.map_err(|why| wrong("--arch", why))?,
        providers: args.provider.clone(),
        regions: args.region.clone(),
        purchases: purchases(args),
        price_max: price("--max-price", args.max_price.as_deref())?,
        node_price_max: price("--max-node-price", args.max_node_price.as_deref())?,
        exclude: args.exclude.clone(),
        finish: finish(args)?,
        limit: args.limit,
    })
}

fn purchases(args: &OffersArgs) -> Vec<Purchase> {
    if args.any_purchase {
        return Vec::new();
    }
    let asked = [(args.on_demand, Purchase::OnDemand), (args.spot, Purchase::Spot)];
    let asked: Vec<Purchase> =
        asked.into_iter().filter(|(asked, _)| *asked).map(|(_, purchase)| purchase).collect();
    if asked.is_empty() { vec![Purchase::OnDemand] } else { asked }
}

/// An accelerator as people and catalogues write it, and how many of it the text asks for:
/// `H100-80GB`, `H100-80GB:8`, `RTXA6000`, `tpu-v5p-8` (four chips).
fn accelerator(flag: &str, text: &str) -> anyhow::Result<(AcceleratorQuery, Option<u32>)> {
    let (name, count) = match text.rsplit_once(':') {
        Some((name, count)) => {
            let bad = || wrong(flag, format!("`{count}` is not a count such as 8"));
            (name, Some(count.parse::<u32>().ok().filter(|n| *n > 0).ok_or_else(bad)?))
        }
        None => (text, None),
    };
    let query: AcceleratorQuery = name.parse().map_err(|error| wrong(flag, error))?;
    let Ok((known, each)) = catalog::accelerator_or_slice(name) else { return Ok((query, count)) };
    // A bare model says no memory; what a catalogue means by it is not what a person may mean.
    if each == 1 && known.model().eq_ignore_ascii_case(query.model()) {
        return Ok((query, count));
    }
    let query = known.to_string().parse().map_err(|error| wrong(flag, error))?;
    let count = if each > 1 { Some(each.saturating_mul(count.unwrap_or(1))) } else { count };
    Ok((query, count))
}

/// `32` is exactly, `32+` at least, `32-64` between.
fn sizes(
    flag: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<u64, String>,
) -> anyhow::Result<Sizes> {
    let Some(text) = text else { return Ok(Sizes::ANY) };
    let read = |text: &str| parse(text.trim()).map_err(|why| wrong(flag, why));
    if let Some(least) = text.strip_suffix('+') {
        return Ok(Sizes::at_least(read(least)?));
    }
    if let Some((min, max)) = text.split_once('-').filter(|(min, _)| !min.is_empty()) {
        let sizes = Sizes { min: read(min)?, max: read(max)? };
        if sizes.min > sizes.max {
            return Err(wrong(flag, format!("`{text}`: the least is over the most")).into());
        }
        return Ok(sizes);
    }
    Ok(Sizes::exactly(read(text)?))
}

fn cores(text: &str) -> Result<u64, String> {
    manifest::milli(text)
}

fn memory(text: &str) -> Result<u64, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("`{text}` has no unit: write {text}GiB, or {text}GiB+ for at least"));
    }
    manifest::quantity(text)
}

fn price(flag: &str, text: Option<&str>) -> anyhow::Result<Option<Money>> {
    let Some(text) = text else { return Ok(None) };
    let rate: HourlyRate = text.parse().map_err(|error| wrong(flag, error))?;
    Ok(Some(rate.per_hour()))
}

fn finish(args: &OffersArgs) -> anyhow::Result<Option<Finishing>> {
    let Some(work) = &args.work else { return Ok(None) };
    let work = positive("--work", work)?;
    let rates = args.rate.iter().map(|text| {
        let bad = || wrong("--rate", format!("`{text}` is not a rate such as H100=3.17"));
        let (name, number) = text.split_once('=').ok_or_else(bad)?;
        let (name, count) = match name.trim().rsplit_once(':') {
            Some((name, count)) => (name, Some(count.parse().map_err(|_| bad())?)),
            None => (name.trim(), None),
        };
        let (accelerator, _) = accelerator("--rate", name)?;
        let number = number.trim();
        let number = number.strip_suffix("/s").unwrap_or(number);
        Ok(RateOf { accelerator, count, per_s: positive("--rate", number)? })
    });
    Ok(Some(Finishing { work, rates: rates.collect::<anyhow::Result<_>>()? }))
}

fn positive(flag: &str, text: &str) -> anyhow::Result<Decimal> {
    let number: Decimal = text.trim().parse().map_err(|error| wrong(flag, error))?;
    if number.is_positive() {
        return Ok(number);
    }
    Err(wrong(flag, format!("`{text}` is not above zero; leave out what cannot do the work"))
        .into())
}
