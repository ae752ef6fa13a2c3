//! Ranking of offers for one request: a pure query, what `farthing offers` prints.
//!
//! Start at [`rank`]. The price that counts is that of the whole request: if the accelerators
//! asked for take several nodes, or a node has more of them, all of that is paid and said.

use farthing_model::{AcceleratorQuery, Currency, HourlyRate, Money, MoneyError, Offer, Purchase};
use std::collections::{BTreeMap, BTreeSet};

/// Names that an error suggests.
const SUGGESTIONS_MAX: usize = 8;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferRequest {
    /// Which accelerator; `None` = any machine, with or without.
    pub accelerator: Option<AcceleratorQuery>,
    /// Accelerators in all, or on each node where `nodes` is given. Zero counts as one.
    pub count: u32,
    /// Exactly this many nodes; `None` = as many as reach the count.
    pub nodes: Option<u32>,
    /// Least cores of a node, in thousandths.
    pub cpu_milli_min: u64,
    /// Least memory of a node, in bytes.
    pub memory_bytes_min: u64,
    /// Only these providers; empty = all.
    pub providers: Vec<String>,
    /// Only these regions; empty = all.
    pub regions: Vec<String>,
    /// Only these ways to pay; empty = all.
    pub purchases: Vec<Purchase>,
    /// The currency of prices; offers in another one cannot be ranked with them.
    pub currency: Currency,
    /// Most that an hour of the whole request may cost; never exceeded.
    pub price_max: Option<Money>,
    /// Most that an hour of one node may cost; never exceeded.
    pub node_price_max: Option<Money>,
    /// Offers to leave out: `provider`, `provider/region` or `provider/region/type`; `*` is any.
    pub exclude: Vec<String>,
    /// Most offers in the answer.
    pub limit: usize,
}

impl Default for OfferRequest {
    /// One accelerator of any kind, on demand, in US dollars, the ten cheapest.
    fn default() -> Self {
        Self {
            accelerator: None,
            count: 1,
            nodes: None,
            cpu_milli_min: 0,
            memory_bytes_min: 0,
            providers: Vec::new(),
            regions: Vec::new(),
            purchases: vec![Purchase::OnDemand],
            currency: Currency::USD,
            price_max: None,
            node_price_max: None,
            exclude: Vec::new(),
            limit: 10,
        }
    }
}

/// An offer that does what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankedOffer<'a> {
    /// The offer; its `warnings` are its own.
    pub offer: &'a Offer,
    /// Nodes that the request takes.
    pub nodes: u32,
    /// Accelerators on all of them.
    pub accelerators: u64,
    /// What an hour of the whole request costs.
    pub price: HourlyRate,
    /// What is not quite what was asked for.
    pub notes: Vec<String>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranked<'a> {
    /// Cheapest first, ties by offer id.
    pub offers: Vec<RankedOffer<'a>>,
    /// Offers that were looked at: all.
    pub considered: usize,
    /// Offers that were left out: reason -> how many.
    pub excluded: BTreeMap<&'static str, usize>,
}

/// Why a request cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RankError {
    /// The name stands for several accelerators.
    #[error("`{name}` is more than one accelerator: name one of {}", choices.join(", "))]
    Ambiguous {
        /// As asked.
        name: String,
        /// What it may mean.
        choices: Vec<String>,
    },
    /// No offer has it.
    #[error("no offer has `{name}`; {}", hint(suggestions))]
    Unknown {
        /// As asked.
        name: String,
        /// Names that are near.
        suggestions: Vec<String>,
    },
    /// A limit is in another currency than the request.
    #[error("the limit of {limit} is not in {currency}, the currency of the request")]
    LimitCurrency {
        /// The limit.
        limit: Money,
        /// The currency of the request.
        currency: Currency,
    },
    /// A price is too large.
    #[error("offer {offer}: its price cannot be computed")]
    Price {
        /// Which offer.
        offer: String,
        /// Why.
        source: MoneyError,
    },
}

fn hint(suggestions: &[String]) -> String {
    match suggestions {
        [] => "there are no accelerators among the offers".to_owned(),
        names => format!("there are {}", names.join(", ")),
    }
}

/// Ranks offers by the price of the whole request, cheapest first, ties by id.
///
/// # Errors
/// An accelerator that is ambiguous (`A100` with 40 and 80 GB) or that no offer has, a limit in
/// another currency, or a price that does not fit.
pub fn rank<'a>(request: &OfferRequest, offers: &'a [Offer]) -> Result<Ranked<'a>, RankError> {
    if let Some(query) = &request.accelerator {
        resolve(query, offers)?;
    }
    for limit in [request.price_max, request.node_price_max].into_iter().flatten() {
        if limit.currency() != request.currency {
            return Err(RankError::LimitCurrency { limit, currency: request.currency });
        }
    }
    let mut ranked =
        Ranked { offers: Vec::new(), considered: offers.len(), excluded: BTreeMap::new() };
    for offer in offers {
        match suits(request, offer)? {
            Ok(suited) => ranked.offers.push(suited),
            Err(why) => *ranked.excluded.entry(why).or_default() += 1,
        }
    }
    ranked.offers.sort_by(|a, b| {
        let key = |ranked: &RankedOffer<'_>| ranked.price.per_hour().pico();
        key(a).cmp(&key(b)).then_with(|| a.offer.id.cmp(&b.offer.id))
    });
    ranked.offers.truncate(request.limit);
    Ok(ranked)
}

/// Refuses a name that stands for several accelerators or for none.
fn resolve(query: &AcceleratorQuery, offers: &[Offer]) -> Result<(), RankError> {
    let all = || offers.iter().filter_map(|offer| offer.accelerator.as_ref());
    let kinds: BTreeSet<String> = all()
        .filter(|name| query.matches(name))
        .map(|name| match name.memory_gb() {
            Some(memory) => format!("{}-{memory}GB", name.model()),
            None => name.model().to_owned(),
        })
        .collect();
    let name = query.to_string();
    match kinds.len() {
        0 => {
            let names: BTreeSet<String> = all().map(ToString::to_string).collect();
            Err(RankError::Unknown { suggestions: near(&name, names), name })
        }
        1 => Ok(()),
        _ => Err(RankError::Ambiguous { name, choices: kinds.into_iter().collect() }),
    }
}

/// The names nearest to what was asked.
fn near(asked: &str, names: BTreeSet<String>) -> Vec<String> {
    let asked = asked.to_ascii_lowercase();
    let mut order: Vec<(usize, String)> = names
        .into_iter()
        .map(|name| {
            let other = name.to_ascii_lowercase();
            let begins = asked.split('-').next().is_some_and(|model| other.starts_with(model));
            (if begins { 0 } else { 1 + distance(&asked, &other) }, name)
        })
        .collect();
    order.sort();
    order.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name).collect()
}

/// Levenshtein distance of two short names.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

type Suited<'a> = Result<RankedOffer<'a>, &'static str>;

/// Whether an offer does what is asked, or the first reason why not.
fn suits<'a>(request: &OfferRequest, offer: &'a Offer) -> Result<Suited<'a>, RankError> {
    if let Some(why) = elsewhere(request, offer) {
        return Ok(Err(why));
    }
    if offer.capacity.cpu_milli < request.cpu_milli_min {
        return Ok(Err("too few cores"));
    }
    if offer.capacity.memory_bytes < request.memory_bytes_min {
        return Ok(Err("too little memory"));
    }
    let nodes = match nodes(request, offer) {
        Ok(nodes) => nodes,
        Err(why) => return Ok(Err(why)),
    };
    if offer.available.is_some_and(|available| available < nodes) {
        return Ok(Err("not enough available"));
    }
    let Some(rate) = offer.price.rate() else { return Ok(Err("price unknown")) };
    if rate.per_hour().currency() != request.currency {
        return Ok(Err("another currency"));
    }
    let price = rate
        .times(nodes)
        .map_err(|source| RankError::Price { offer: offer.id.to_string(), source })?;
    let over = |price: HourlyRate, most: Option<Money>| {
        most.is_some_and(|most| price.per_hour().pico() > most.pico())
    };
    if over(rate, request.node_price_max) {
        return Ok(Err("node price over the limit"));
    }
    if over(price, request.price_max) {
        return Ok(Err("price over the limit"));
    }
    let accelerators = u64::from(nodes) * u64::from(offer.accelerator_count);
    let notes = notes(request, offer, nodes, accelerators);
    Ok(Ok(RankedOffer { offer, nodes, accelerators, price, notes }))
}

/// The first reason that has nothing to do with size or price.
fn elsewhere(request: &OfferRequest, offer: &Offer) -> Option<&'static str> {
    let among = |names: &[String], name: &str| {
        names.is_empty() || names.iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    if !among(&request.providers, &offer.place.provider) {
        return Some("another provider");
    }
    if !among(&request.regions, &offer.place.region) {
        return Some("another region");
    }
    if request.exclude.iter().any(|pattern| excludes(pattern, offer)) {
        return Some("excluded by name");
    }
    let fits = |query: &AcceleratorQuery| {
        offer.accelerator_count > 0
            && offer.accelerator.as_ref().is_some_and(|name| query.matches(name))
    };
    if request.accelerator.as_ref().is_some_and(|query| !fits(query)) {
        return Some("another accelerator");
    }
    let paid = request.purchases.is_empty() || request.purchases.contains(&offer.purchase);
    (!paid).then_some("another way to pay")
}

/// Whether `provider/region/type`, in full or from the left, names an offer.
fn excludes(pattern: &str, offer: &Offer) -> bool {
    let parts = [&offer.place.provider, &offer.place.region, &offer.instance_type];
    let mut wanted = pattern.splitn(3, '/').zip(parts).filter(|(wanted, _)| *wanted != "*");
    !pattern.is_empty() && wanted.all(|(wanted, part)| wanted.eq_ignore_ascii_case(part))
}

/// Nodes that reach the count.
fn nodes(request: &OfferRequest, offer: &Offer) -> Result<u32, &'static str> {
    let count = request.count.max(1);
    match (&request.accelerator, request.nodes) {
        (None, nodes) => Ok(nodes.unwrap_or(count).max(1)),
        (Some(_), Some(nodes)) if offer.accelerator_count >= count => Ok(nodes.max(1)),
        (Some(_), Some(_)) => Err("too few accelerators on a node"),
        (Some(_), None) => Ok(count.div_ceil(offer.accelerator_count)),
    }
}

fn notes(request: &OfferRequest, offer: &Offer, nodes: u32, accelerators: u64) -> Vec<String> {
    let mut notes = Vec::new();
    if request.accelerator.is_some() {
        if request.nodes.is_none() && nodes > 1 {
            notes.push(format!("{nodes} nodes of {} accelerators", offer.accelerator_count));
        }
        let asked = u64::from(request.count.max(1)) * u64::from(request.nodes.unwrap_or(1).max(1));
        if accelerators > asked {
            notes.push(format!("{accelerators} accelerators are paid, {asked} were asked for"));
        }
    }
    notes
}

#[cfg(test)]
mod tests;
