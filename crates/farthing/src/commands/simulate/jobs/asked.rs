//! The arguments of a replay of jobs.

use crate::commands::simulate::format;
use crate::commands::simulate::names::unknown;
use crate::commands::{cache_folder, duration, price_book};
use crate::home::Home;
use crate::outcome::WrongUse;
use farthing_ledger::Books;
use farthing_model::{AcceleratorQuery, Currency, HourlyRate, Money, Purchase, Ratio};
use farthing_providers::catalog::Catalogue;
use farthing_sim::cluster::{ACCELERATORS_MAX, ClusterRule, ClusterSpec, NODES_MAX, PoolSpec};
use farthing_sim::trace::jobs::JobFormat;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Most runs of one command.
const RUNS_MAX: usize = 10_000;
/// Parameters, with what they are.
pub(super) const PARAMETERS: [&str; 4] = ["reserve", "boot", "idle-release", "estimate-error"];

/// What is to be replayed.
pub(super) struct Wanted {
    pub(super) format: JobFormat,
    pub(super) trace: PathBuf,
    pub(super) limit: usize,
    pub(super) rules: Vec<ClusterRule>,
    pub(super) seeds: Vec<u64>,
    /// The cluster for each value of what is swept, with its name; one without a name where nothing
    /// is.
    pub(super) variants: Vec<(Option<String>, ClusterSpec)>,
    /// Where books are kept.
    pub(super) books: Option<Books>,
}

impl Wanted {
    /// Reads them.
    pub(super) fn read(asked: &format::Asked<'_>, format: JobFormat) -> anyhow::Result<Self> {
        let args = asked.args;
        if args.limit == Some(0) {
            return Err(WrongUse::new("--limit 0 leaves no job").into());
        }
        let rules = asked.policies.iter().map(|name| name.parse().map_err(WrongUse::new));
        let first = args.seed.unwrap_or(1);
        let seeds = args.seeds.unwrap_or(1);
        if seeds == 0 {
            return Err(WrongUse::new("--seeds 0 leaves no run").into());
        }
        let base = spec(asked)?;
        let variants = match &args.sweep {
            None => vec![(None, base)],
            Some(text) => swept(text, &base)?,
        };
        let wanted = Self {
            format,
            trace: asked.trace.to_owned(),
            limit: args.limit.unwrap_or(usize::MAX),
            rules: rules.collect::<Result<_, _>>()?,
            seeds: (0..u64::from(seeds)).map(|at| first.wrapping_add(at)).collect(),
            variants,
            books: asked.books.map(Home::books_at).transpose()?,
        };
        let runs = wanted.rules.len() * wanted.seeds.len() * wanted.variants.len();
        if runs > RUNS_MAX {
            return Err(WrongUse::new(format!("{runs} runs are more than {RUNS_MAX}")).into());
        }
        if wanted.books.is_some() && wanted.seeds.len() * wanted.variants.len() > 1 {
            let what = "--books keeps one month, and --seeds or --sweep makes many";
            return Err(WrongUse::new(what).into());
        }
        Ok(wanted)
    }
}

/// The cluster, with the parameters that are set.
fn spec(asked: &format::Asked<'_>) -> anyhow::Result<ClusterSpec> {
    let args = asked.args;
    let prices = Prices::read(asked)?;
    let mut pools = pools(asked, &prices)?;
    for text in &args.rent {
        let (name, price) =
            text.split_once('=').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
        let name = name.trim();
        let size = pools.iter().find(|pool| pool.name == name).map_or(1, |pool| pool.accelerators);
        let price = match price {
            Some(price) => money("--rent", text, price)?,
            None => prices.of_book("--rent", name)?,
        };
        pools.push(pool(text, (name, None, size), price)?);
    }
    let slack = match args.deadline.as_slice() {
        [] => None,
        [one] => Some(duration("--deadline", one)?),
        _ => return Err(WrongUse::new("--deadline: jobs have one, and several are given").into()),
    };
    let mut spec = ClusterSpec {
        pools,
        boot: SignedDuration::from_mins(3),
        idle_release: SignedDuration::from_mins(10),
        reserve_ppm: 0,
        estimate_error_ppm: 300_000,
        slack,
        seed: 1,
    };
    for text in &args.set {
        let (name, value) = named_value("--set", text)?;
        set(&mut spec, ("--set", name), value)?;
    }
    Ok(spec)
}

/// The nodes of the cluster, none twice, each with its price.
pub(in crate::commands::simulate) fn pools(
    asked: &format::Asked<'_>,
    prices: &Prices,
) -> anyhow::Result<Vec<PoolSpec>> {
    let args = asked.args;
    let cluster = Some(&args.cluster).filter(|cluster| !cluster.is_empty());
    let cluster = format::Asked::needed("--cluster", cluster, "--cluster V100=80x8")?;
    let mut pools: Vec<PoolSpec> = Vec::new();
    for text in cluster {
        let pool = owned(text, prices)?;
        if pools.iter().any(|other| other.name == pool.name) {
            return Err(
                WrongUse::new(format!("--cluster {text}: {} is there twice", pool.name)).into()
            );
        }
        pools.push(pool);
    }
    if let Some(name) =
        prices.given.keys().find(|name| pools.iter().all(|pool| pool.name != **name))
    {
        let what = format!("--price {name}: the cluster has no such accelerator");
        return Err(WrongUse::new(what).into());
    }
    Ok(pools)
}

/// A variant of the cluster for each value of a parameter.
fn swept(text: &str, base: &ClusterSpec) -> anyhow::Result<Vec<(Option<String>, ClusterSpec)>> {
    let (name, values) = named_value("--sweep", text)?;
    let mut variants: Vec<(Option<String>, ClusterSpec)> = Vec::new();
    for value in values.split(',') {
        let mut spec = base.clone();
        set(&mut spec, ("--sweep", name), value)?;
        variants.push((Some(format!("{name}={}", value.trim())), spec));
    }
    Ok(variants)
}

pub(in crate::commands::simulate) fn named_value<'a>(
    flag: &str,
    text: &'a str,
) -> anyhow::Result<(&'a str, &'a str)> {
    let parts = text.split_once('=');
    let parts = parts.ok_or_else(|| {
        WrongUse::new(format!("{flag} {text}: it has no `=`")).hint("write it like reserve=0.05")
    })?;
    Ok((parts.0.trim(), parts.1.trim()))
}

/// Sets a parameter.
fn set(spec: &mut ClusterSpec, (flag, name): (&str, &str), value: &str) -> anyhow::Result<()> {
    let part = || -> anyhow::Result<u32> {
        let wrong = |what: &str| WrongUse::new(format!("{flag} {name}={value}: {what}"));
        let ratio: Ratio =
            value.trim().parse().map_err(|_| wrong("it is no part such as 0.05 or 5%"))?;
        if ratio > Ratio::from_ppm(10_000_000) {
            return Err(wrong("it is more than ten times the whole").into());
        }
        Ok(ratio.ppm())
    };
    let time = || match value.trim() {
        "0" | "0s" | "0m" | "0h" => Ok(SignedDuration::ZERO),
        text => duration(&format!("{flag} {name}"), text),
    };
    match name {
        "reserve" | "utilisation.gpu.reserve" => spec.reserve_ppm = part()?.min(1_000_000),
        "boot" => spec.boot = time()?,
        "idle-release" => spec.idle_release = time()?,
        "estimate-error" => spec.estimate_error_ppm = part()?,
        _ => return Err(unknown((flag, "parameter"), name, &PARAMETERS).into()),
    }
    Ok(())
}

/// Prices of an accelerator's hour.
pub(in crate::commands::simulate) struct Prices {
    given: BTreeMap<String, Money>,
    book: Option<Catalogue>,
}

impl Prices {
    pub(in crate::commands::simulate) fn read(asked: &format::Asked<'_>) -> anyhow::Result<Self> {
        let mut given = BTreeMap::new();
        for text in &asked.args.price {
            let (name, amount) = named_value("--price", text)?;
            if given.insert(name.to_owned(), money("--price", text, amount)?).is_some() {
                return Err(WrongUse::new(format!("--price {name} is there twice")).into());
            }
        }
        let paths = &asked.args.prices;
        #[allow(clippy::disallowed_methods, reason = "which contracts of a book hold is of today")]
        let now = jiff::Timestamp::now();
        let book = (!paths.is_empty()).then(|| price_book(paths, now, cache_folder()));
        Ok(Self { given, book: book.transpose()? })
    }

    fn of(&self, flag: &str, name: &str) -> anyhow::Result<Money> {
        self.given.get(name).map_or_else(|| self.of_book(flag, name), |price| Ok(*price))
    }

    /// The cheapest on demand of the price books.
    fn of_book(&self, flag: &str, name: &str) -> anyhow::Result<Money> {
        let Some(book) = &self.book else {
            let what = format!("{flag} {name}: what an hour of it costs is not said");
            let hint = format!("give --price {name}=2.48, or --prices with a price book");
            return Err(WrongUse::new(what).hint(hint).into());
        };
        let query: AcceleratorQuery =
            name.parse().map_err(|error| WrongUse::new(format!("{flag} {name}: {error}")))?;
        let offers = book.table.offers();
        let usable = offers.iter().filter(|offer| {
            offer.purchase == Purchase::OnDemand
                && offer.accelerator.as_ref().is_some_and(|found| query.matches(found))
        });
        let prices = usable.filter_map(|offer| {
            let hour = offer.price.rate()?.per_hour();
            let usd = hour.currency() == Currency::USD && offer.accelerator_count > 0;
            usd.then(|| hour.pico() / i128::from(offer.accelerator_count))
        });
        let least = prices.min().ok_or_else(|| {
            WrongUse::new(format!("{flag} {name}: no offer of the price books has it on demand"))
        })?;
        Ok(Money::from_pico(least, Currency::USD))
    }
}

fn money(flag: &str, text: &str, amount: &str) -> anyhow::Result<Money> {
    let money = Money::from_decimal(amount.trim(), Currency::USD);
    let money = money.map_err(|error| WrongUse::new(format!("{flag} {text}: {error}")))?;
    if money.is_negative() {
        return Err(WrongUse::new(format!("{flag} {text}: a price is not below zero")).into());
    }
    Ok(money)
}

/// `V100=80x8`: 80 nodes of eight.
fn owned(text: &str, prices: &Prices) -> anyhow::Result<PoolSpec> {
    let wrong = |what: String| {
        WrongUse::new(format!("--cluster {text}: {what}"))
            .hint("write it like V100=80x8: 80 nodes of eight V100 each")
    };
    let (name, size) = text.split_once('=').ok_or_else(|| wrong("it has no `=`".to_owned()))?;
    let (nodes, accelerators) = size.split_once(['x', 'X']).unwrap_or((size, "1"));
    let number = |text: &str, most: u32, what: &str| {
        let number = text.trim().parse::<u32>().ok().filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| wrong(format!("`{text}` is no number of {what} from 1 to {most}")))
    };
    let nodes = number(nodes, NODES_MAX, "nodes")?;
    let accelerators = number(accelerators, ACCELERATORS_MAX, "accelerators of a node")?;
    let name = name.trim();
    pool(text, (name, Some(nodes), accelerators), prices.of("--cluster", name)?)
}

fn pool(
    text: &str,
    (name, nodes, accelerators): (&str, Option<u32>, u32),
    price: Money,
) -> anyhow::Result<PoolSpec> {
    let _: AcceleratorQuery =
        name.parse().map_err(|error| WrongUse::new(format!("{text}: {error}")))?;
    let rate = HourlyRate::new(price).and_then(|rate| rate.times(accelerators).ok());
    let price = rate.ok_or_else(|| WrongUse::new(format!("{text}: the price is too large")))?;
    Ok(PoolSpec { name: name.to_owned(), nodes, accelerators, price })
}
