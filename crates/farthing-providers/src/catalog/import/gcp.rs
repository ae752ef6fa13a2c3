//! Google lists a host and its accelerators apart: a machine is both, in one zone.
//!
//! `data/gcp-hosts.csv` says which accelerator and how many a host holds. The accelerator-optimised
//! families (a2, a3, a4, g2, g4) are sold only as a whole; an N1 host is also a machine of its own,
//! and takes accelerators up to a size. A half without the other is no offer and is counted; half a
//! price is no price.

use super::listing::Listed;
use crate::catalog::glob;
use crate::catalog::intake::{Intake, LISTED, Machine};
use crate::catalog::row::RowError;
use farthing_model::offer_table::{Arch, Row};
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

const HOSTS_CSV: &str = include_str!("../../../../../data/gcp-hosts.csv");

/// Why a half is left out.
const NO_HOST: &str = "accelerator listed without a host of its zone (GCP)";
const NO_ACCELERATOR: &str = "host listed without the accelerators it is sold with (GCP)";
const HALF_PRICE: &str = "price of only one of host and accelerator (GCP)";

/// What is said of a machine whose host has the price 0 beside an accelerator with a real one.
const HOST_FREE: &str = "its host is listed at 0: the price is what is listed for the accelerators";
/// What is said of an accelerator that costs less of its host's price than elsewhere.
const LEAKED: &str =
    "its accelerators cost little beside their host: perhaps a committed-use price";
/// What is said of an accelerator that costs more than elsewhere.
const DEAR: &str = "its accelerators cost over 3 times what they cost in another region";

/// Google scales hosts and accelerators of a region alike: the ratio of their prices hardly varies
/// between regions (L4: 3.4 to 3.8). Where it is below 0.7 of the highest, two prices of different
/// kinds stand side by side; no ratio of the catalogue lies near that line.
const LEAK_TENTHS: i128 = 7;
/// See [`DEAR`].
const DEAR_TIMES: i64 = 3;

/// Which accelerators a host takes.
#[derive(Debug)]
struct Fit {
    host: &'static str,
    accelerator: &'static str,
    count: u64,
    /// Largest host that takes them; `None` = the host holds them, and is not sold without.
    most: Option<(u64, u64)>,
    note: &'static str,
}

static FITS: LazyLock<Vec<Fit>> = LazyLock::new(|| {
    let fit = |line: &'static str| {
        let mut cells = line.split(',');
        let mut cell = || cells.next().unwrap_or_default();
        let (host, accelerator, count) = (cell(), cell(), cell().parse().ok()?);
        let most = (cell().parse::<u64>(), cell().parse::<u64>());
        let most = match most {
            (Ok(vcpus), Ok(gib)) => Some((vcpus * 1_000, gib << 30)),
            _ => None,
        };
        Some(Fit { host, accelerator, count, most, note: cell() })
    };
    HOSTS_CSV.lines().skip(1).filter_map(fit).collect()
});

/// The text of the embedded table, for a fingerprint of what a catalogue was read with.
pub(crate) fn table() -> &'static str {
    HOSTS_CSV
}

/// What a machine type is to accelerators.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Role {
    /// Whether accelerators may be joined to it.
    pub(crate) is_host: bool,
    /// Whether it is sold with accelerators only.
    pub(crate) is_bundle: bool,
}

/// One row of a half: where, and its prices on demand and spot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half {
    pub(crate) site: u32,
    pub(crate) terms: [u32; 2],
    pub(crate) currency: u8,
    pub(crate) prices: [Option<i64>; 2],
}

#[derive(Debug)]
struct Host {
    half: Half,
    name: String,
    provider: String,
    cpu_milli: u64,
    memory_bytes: u64,
    arch: Option<Arch>,
    joined: bool,
}

#[derive(Debug)]
struct Accelerators {
    half: Half,
    name: String,
    count: u64,
    joined: bool,
}

/// Halves of machines, as they are read.
#[derive(Debug, Default)]
pub(crate) struct Halves {
    /// Of each machine type: what fits it.
    fits: HashMap<String, Vec<usize>>,
    hosts: Vec<Host>,
    accelerators: Vec<Accelerators>,
}

/// A machine of two halves, by their numbers.
struct Pair {
    host: usize,
    accelerators: usize,
    fit: usize,
}

impl Halves {
    /// What a machine type is to accelerators.
    pub(crate) fn role(&mut self, instance_type: &str) -> Role {
        if !self.fits.contains_key(instance_type) {
            let fits: Vec<usize> = (0..FITS.len())
                .filter(|fit| glob::matches(FITS[*fit].host, instance_type))
                .collect();
            self.fits.insert(instance_type.to_owned(), fits);
        }
        let fits = &self.fits[instance_type];
        let is_bundle = fits.iter().any(|fit| FITS[*fit].most.is_none());
        Role { is_host: !fits.is_empty(), is_bundle }
    }

    pub(crate) fn host(&mut self, row: &Listed<'_>, half: Half) {
        self.hosts.push(Host {
            half,
            name: row.instance_type.to_owned(),
            provider: row.provider.to_owned(),
            cpu_milli: row.cpu_milli,
            memory_bytes: row.memory_bytes,
            arch: row.arch,
            joined: false,
        });
    }

    pub(crate) fn accelerator(&mut self, row: &Listed<'_>, half: Half, intake: &mut Intake) {
        if row.count_milli == 0 || !row.count_milli.is_multiple_of(1_000) {
            intake.exclude(NO_HOST, 1);
            return;
        }
        let (name, count) = (row.accelerator.to_owned(), row.count_milli / 1_000);
        self.accelerators.push(Accelerators { half, name, count, joined: false });
    }

    /// Makes machines of the halves of each zone, and counts what is left.
    pub(crate) fn join(mut self, intake: &mut Intake) -> Result<(), RowError> {
        let pairs = self.pairs();
        let leaked = self.leaked(&pairs);
        let dear = self.dear();
        for (at, pair) in pairs.iter().enumerate() {
            self.hosts[pair.host].joined = true;
            self.accelerators[pair.accelerators].joined = true;
            let mut warnings = Vec::new();
            if leaked[at] {
                warnings.push(LEAKED);
            }
            if dear[pair.accelerators] {
                warnings.push(DEAR);
            }
            self.add(pair, &warnings, intake)?;
        }
        let alone = self.accelerators.iter().filter(|it| !it.joined).count();
        intake.exclude(NO_HOST, u64::try_from(alone).unwrap_or(u64::MAX));
        let bundle = |it: &Host| self.fits[&it.name].iter().any(|fit| FITS[*fit].most.is_none());
        let bundles = self.hosts.iter().filter(|it| !it.joined && bundle(it));
        intake.exclude(NO_ACCELERATOR, u64::try_from(bundles.count()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn pairs(&self) -> Vec<Pair> {
        // Same zone, and same day where the catalogue has days.
        let place = |half: &Half| (half.site, half.terms[0]);
        let mut of_place: HashMap<(u32, u32), Vec<usize>> = HashMap::new();
        for (at, host) in self.hosts.iter().enumerate() {
            of_place.entry(place(&host.half)).or_default().push(at);
        }
        let mut pairs = Vec::new();
        for (at, it) in self.accelerators.iter().enumerate() {
            for &host in of_place.get(&place(&it.half)).into_iter().flatten() {
                let (cpu, memory) = (self.hosts[host].cpu_milli, self.hosts[host].memory_bytes);
                let takes = |fit: &&usize| {
                    let fit = &FITS[**fit];
                    fit.count == it.count
                        && fit.accelerator.eq_ignore_ascii_case(&it.name)
                        && fit.most.is_none_or(|(cpus, bytes)| cpu <= cpus && memory <= bytes)
                };
                if let Some(&fit) = self.fits[&self.hosts[host].name].iter().find(takes) {
                    pairs.push(Pair { host, accelerators: at, fit });
                }
            }
        }
        pairs
    }

    /// Adds the offers of a machine.
    fn add(&self, pair: &Pair, warnings: &[&str], intake: &mut Intake) -> Result<(), RowError> {
        let (host, it) = (&self.hosts[pair.host], &self.accelerators[pair.accelerators]);
        let fit = &FITS[pair.fit];
        let instance_type = match fit.most {
            None => host.name.clone(),
            // Not a machine type of its own, but the pair that is rented.
            Some(_) => format!("{}+{}x{}", host.name, it.name.to_ascii_lowercase(), it.count),
        };
        let count = u32::try_from(it.count)
            .map_err(|_| RowError::Cell("AcceleratorCount", "is too large".to_owned()))?;
        let shape = intake.shape(&Machine {
            provider: &host.provider,
            instance_type: &instance_type,
            accelerator: &it.name,
            count,
            cpu_milli: host.cpu_milli,
            memory_bytes: host.memory_bytes,
            storage_bytes: 0,
            arch: host.arch,
            note: "",
        })?;
        let free = host.half.prices.iter().all(|price| price.is_none_or(|price| price == 0));
        for (at, purchase) in LISTED.into_iter().enumerate() {
            let pico = match (host.half.prices[at], it.half.prices[at]) {
                (_, None) => continue,
                (_, Some(0)) => 0,
                (Some(0) | None, Some(accelerator)) if free => accelerator,
                (Some(0) | None, Some(_)) => {
                    intake.exclude(HALF_PRICE, 1);
                    continue;
                }
                (Some(host), Some(accelerator)) => host.saturating_add(accelerator),
            };
            let mut terms = host.half.terms[at];
            let on_demand = at == 0;
            let notes = warnings.iter().copied().chain(Some(fit.note).filter(|it| !it.is_empty()));
            for warning in notes.filter(|_| on_demand).chain(free.then_some(HOST_FREE)) {
                terms = intake.warn(terms, warning);
            }
            let (site, currency) = (host.half.site, host.half.currency);
            intake.push(Row { site, shape, terms, currency, purchase, pico, was: None });
        }
        Ok(())
    }

    /// For each pair whether the accelerator's on-demand price is of another kind than its host's.
    fn leaked(&self, pairs: &[Pair]) -> Vec<bool> {
        let prices = |pair: &Pair| {
            let host = self.hosts[pair.host].half.prices[0].filter(|price| *price > 0)?;
            let it = self.accelerators[pair.accelerators].half.prices[0]?;
            Some((i128::from(it), i128::from(host)))
        };
        let key = |pair: &Pair| {
            let it = &self.accelerators[pair.accelerators];
            (self.hosts[pair.host].name.as_str(), it.name.as_str(), it.count)
        };
        let mut highest: BTreeMap<(&str, &str, u64), (i128, i128)> = BTreeMap::new();
        let bundles = || pairs.iter().filter(|pair| FITS[pair.fit].most.is_none());
        for (pair, (it, host)) in bundles().filter_map(|pair| Some((pair, prices(pair)?))) {
            let most = highest.entry(key(pair)).or_insert((it, host));
            if it * most.1 > most.0 * host {
                *most = (it, host);
            }
        }
        let low = |pair: &Pair| {
            let (it, host) = prices(pair)?;
            let most = highest.get(&key(pair))?;
            // Prices are below 2^63, so that ten times a product of two fits.
            Some(it * most.1 * 10 < most.0 * host * LEAK_TENTHS)
        };
        pairs.iter().map(|pair| low(pair).unwrap_or(false)).collect()
    }

    /// For each row of accelerators whether it is far dearer than the cheapest of its kind.
    fn dear(&self) -> Vec<bool> {
        let key = |it: &Accelerators| (it.name.clone(), it.count);
        let price = |it: &Accelerators| it.half.prices[0].filter(|price| *price > 0);
        let mut least: HashMap<(String, u64), i64> = HashMap::new();
        for it in &self.accelerators {
            if let Some(price) = price(it) {
                let least = least.entry(key(it)).or_insert(price);
                *least = price.min(*least);
            }
        }
        let far = |it: &Accelerators| Some(price(it)? / DEAR_TIMES > *least.get(&key(it))?);
        self.accelerators.iter().map(|it| far(it).unwrap_or(false)).collect()
    }
}
