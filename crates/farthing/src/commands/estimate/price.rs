//! Offers that would do for a job, and what an hour of them costs.
//!
//! Members of one shape are packed onto machines of one type, as many on each as fit; members of
//! different shapes are not put together on one machine, so that the price is an upper end of what
//! a scheduler that packs better would pay.

use crate::args::EstimateArgs;
use farthing_model::offer_table::{Filter, Sizes};
use farthing_model::{Currency, HourlyRate, Money, Offer, Purchase, Resources};
use farthing_providers::catalog::Catalogue;
use farthing_providers::estimate::{AskedJob, Group};
use jiff::SignedDuration;

/// What a job is bought as.
#[derive(Clone, Debug)]
pub(crate) struct Priced {
    /// For each group of members: the offer that is counted with.
    pub(crate) groups: Vec<(Group, Bought)>,
    /// What an hour of all of them costs.
    pub(crate) hourly: Money,
    /// Others that would do, cheapest first, of the group that costs most.
    pub(crate) others: Vec<Bought>,
    /// What the same costs paid as spot, where that is not what is counted with.
    pub(crate) spot: Option<Bought>,
    /// The cheapest place, where the file or the flags name one that is dearer.
    pub(crate) elsewhere: Option<Bought>,
}

/// So many machines of an offer.
#[derive(Clone, Debug)]
pub(crate) struct Bought {
    pub(crate) offer: Offer,
    pub(crate) nodes: u32,
    pub(crate) hourly: Money,
}

/// The cheapest way to buy what a job asks for; and how long it then takes, where that was
/// measured.
pub(crate) fn price(
    job: &AskedJob,
    book: &Catalogue,
    args: &EstimateArgs,
) -> Result<(Priced, Option<SignedDuration>), String> {
    if !job.options.is_empty() {
        return cheapest_to_finish(job, book, args);
    }
    of_groups(&job.groups, book, args).map(|priced| (priced, None))
}

/// Of the ways that were measured the one that finishes for least.
fn cheapest_to_finish(
    job: &AskedJob,
    book: &Catalogue,
    args: &EstimateArgs,
) -> Result<(Priced, Option<SignedDuration>), String> {
    let mut best: Option<(i128, Priced, SignedDuration)> = None;
    let mut why = String::new();
    for (group, length) in &job.options {
        match of_groups(std::slice::from_ref(group), book, args) {
            Ok(priced) => {
                let cost = priced.hourly.pico().saturating_mul(length.as_nanos());
                if best.as_ref().is_none_or(|(least, ..)| cost < *least) {
                    best = Some((cost, priced, *length));
                }
            }
            Err(error) => why = error,
        }
    }
    best.map(|(_, priced, length)| (priced, Some(length))).ok_or(why)
}

fn of_groups(groups: &[Group], book: &Catalogue, args: &EstimateArgs) -> Result<Priced, String> {
    let mut bought = Vec::new();
    let mut dearest: Option<(Money, usize, Vec<Bought>)> = None;
    let mut hourly: Option<Money> = None;
    for (index, group) in groups.iter().enumerate().filter(|(_, group)| group.count > 0) {
        let found = offers(group, book, args, Where::Asked)?;
        let at = match &args.offer {
            None => 0,
            Some(name) => found
                .iter()
                .position(|it| named(&it.offer, name))
                .ok_or_else(|| format!("{name} does not do for {}: {}", group.role, asks(group)))?,
        };
        let chosen = found[at].clone();
        hourly = Some(match hourly {
            None => chosen.hourly,
            Some(sum) => sum.checked_add(chosen.hourly).map_err(|error| error.to_string())?,
        });
        // Of a named offer only what is cheaper; else what comes next.
        let others = match &args.offer {
            Some(_) => found[..at].to_vec(),
            None => found[at + 1..].to_vec(),
        };
        if dearest.as_ref().is_none_or(|(most, ..)| chosen.hourly.pico() > most.pico()) {
            dearest = Some((chosen.hourly, index, others));
        }
        bought.push((group.clone(), chosen));
    }
    let (Some(hourly), Some((cost, index, mut others))) = (hourly, dearest) else {
        return Err("it runs nothing".to_owned());
    };
    others.truncate(args.limit);
    let first = |at| offers(&groups[index], book, args, at).ok()?.into_iter().next();
    let cheaper = |it: &Bought| it.hourly.pico() < cost.pico();
    Ok(Priced {
        groups: bought,
        hourly,
        others,
        spot: if args.spot { None } else { first(Where::Spot).filter(cheaper) },
        elsewhere: first(Where::Anywhere).filter(cheaper),
    })
}

/// Which offers are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Asked,
    Spot,
    Anywhere,
}

/// Offers that do for a group, cheapest first.
fn offers(
    group: &Group,
    book: &Catalogue,
    args: &EstimateArgs,
    at: Where,
) -> Result<Vec<Bought>, String> {
    let default = if args.spot { Purchase::Spot } else { Purchase::OnDemand };
    let purchases = match at {
        Where::Spot => vec![Purchase::Spot],
        _ if args.offer.is_some() => Vec::new(),
        _ if !group.place.purchases.is_empty() => group.place.purchases.clone(),
        _ => vec![default],
    };
    let anywhere = at == Where::Anywhere;
    let asked_regions = if args.region.is_empty() { &group.place.regions } else { &args.region };
    let filter = Filter {
        accelerators: group.accelerator.iter().cloned().collect(),
        cpu_milli: Sizes::at_least(group.each.cpu_milli),
        memory_bytes: Sizes::at_least(group.each.memory_bytes),
        purchases,
        providers: if anywhere { Vec::new() } else { args.provider.clone() },
        regions: if anywhere { Vec::new() } else { asked_regions.clone() },
        ..Filter::default()
    };
    let types = &group.place.instance_types;
    let mut found: Vec<Bought> = Vec::new();
    for offer in book.select(&filter) {
        if !anywhere && !types.is_empty() && !types.contains(&offer.instance_type) {
            continue;
        }
        let Some(rate) = offer.price.rate() else { continue };
        let Some((nodes, hourly)) = whole(group, offer.capacity, rate) else { continue };
        found.push(Bought { offer, nodes, hourly });
    }
    // Prices in two currencies do not compare: those in the first one, dollars before others.
    let currency = found
        .iter()
        .map(|it| it.hourly.currency())
        .find(|currency| *currency == Currency::USD)
        .or_else(|| found.first().map(|it| it.hourly.currency()));
    found.retain(|it| Some(it.hourly.currency()) == currency);
    found.sort_by(|a, b| (a.hourly.pico(), &a.offer.id).cmp(&(b.hourly.pico(), &b.offer.id)));
    if found.is_empty() {
        return Err(format!("no offer does for {}: {}", group.role, asks(group)));
    }
    Ok(found)
}

/// How many machines take all members, and what they cost in an hour; `None` where none fits.
fn whole(group: &Group, capacity: Resources, rate: HourlyRate) -> Option<(u32, Money)> {
    let each = group.each;
    let fit = |has: u64, asks: u64| has.checked_div(asks).unwrap_or(u64::MAX);
    // A machine that states no disk has volumes attached.
    let disk = if capacity.storage_bytes == 0 { u64::MAX } else { capacity.storage_bytes };
    let on_each = fit(capacity.gpu_milli, each.gpu_milli)
        .min(fit(capacity.cpu_milli, each.cpu_milli))
        .min(fit(capacity.memory_bytes, each.memory_bytes))
        .min(fit(disk, each.storage_bytes));
    if on_each == 0 {
        return None;
    }
    let nodes = u32::try_from(u64::from(group.count).div_ceil(on_each)).ok()?;
    Some((nodes, rate.times(nodes).ok()?.per_hour()))
}

/// Whether an offer goes by a name, with or without its purchase.
fn named(offer: &Offer, name: &str) -> bool {
    let short = format!("{}/{}/{}", offer.place.provider, offer.place.region, offer.instance_type);
    offer.id.as_str() == name || (short == name && offer.purchase == Purchase::OnDemand)
}

fn asks(group: &Group) -> String {
    let each = group.each;
    let gpus = match (&group.accelerator, each.gpu_milli / 1_000) {
        (_, 0) => String::new(),
        (Some(accelerator), count) => format!("{count}x {accelerator}, "),
        (None, count) => format!("{count} GPUs, "),
    };
    let (cores, gib) = (each.cpu_milli.div_ceil(1_000), each.memory_bytes >> 30);
    format!("{gpus}{cores} cores, {gib} GiB on one machine")
}
