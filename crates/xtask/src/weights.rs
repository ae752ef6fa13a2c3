//! `data/weights.yaml`: base prices that only split a node's price over its resources.
//!
//! A core-hour and a GiB-hour come from two GCP hosts that differ in memory only; a GPU-hour is
//! what remains of a node's on-demand price after its cores and memory, by accelerator, the median
//! over the book.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use crate::decimal::Decimal;
use crate::prices::{Offer, Purchase};

const PLACES: u32 = 6;

fn on_demand<'a>(offers: &'a [Offer], region: &str, name: &str) -> Result<&'a Offer> {
    let is = |offer: &&Offer| {
        (offer.from.region.as_str(), offer.from.machine.name, offer.purchase)
            == (region, name, Purchase::OnDemand)
    };
    offers.iter().find(is).with_context(|| format!("{name} in {region} is not in the book"))
}

fn shape(offer: &Offer) -> Result<(i128, i128)> {
    let one = Decimal::whole(1).units();
    let (vcpus, memory) =
        (offer.from.vcpus.context("no vCPUs")?, offer.from.memory.context("no memory")?);
    Ok((vcpus.units() / one, memory.units() / one))
}

/// Price of a core-hour and a GiB-hour: two equations, two unknowns, cut to six places.
fn host_parts(offers: &[Offer]) -> Result<(Decimal, Decimal)> {
    let small = on_demand(offers, "us-central1", "n2-standard-8")?;
    let large = on_demand(offers, "us-central1", "n2-highmem-8")?;
    let ((cores, gib), (same, more)) = (shape(small)?, shape(large)?);
    ensure!(cores == same && more > gib, "the two hosts must differ in memory only");
    let memory = (large.price.units() - small.price.units()) / (more - gib);
    let core = (small.price.units() - memory * gib) / cores;
    ensure!(memory > 0 && core > 0, "a part would be free");
    Ok((Decimal::from_units(core).cut(PLACES), Decimal::from_units(memory).cut(PLACES)))
}

/// The class of an accelerator: its name without the form (all forms of one card weigh the same).
fn class(name: &str) -> &str {
    let forms = ["-SXM", "-PCIe", "-NVL", "-OAM"];
    forms.iter().find_map(|form| name.strip_suffix(form)).unwrap_or(name)
}

/// The file. Lambda's nodes cost less than their parts elsewhere, so its rows count only for what
/// nobody else has.
pub(crate) fn yaml(offers: &[Offer]) -> Result<String> {
    let (core, memory) = host_parts(offers)?;
    let mut residuals: BTreeMap<&str, [Vec<i128>; 2]> = BTreeMap::new();
    let mut names = BTreeSet::new();
    for offer in offers.iter().filter(|offer| offer.purchase == Purchase::OnDemand) {
        let machine = offer.from.machine;
        let (cores, gib) = shape(offer)?;
        let rest = offer.price.units() - core.units() * cores - memory.units() * gib;
        if machine.count > 0 && rest > 0 {
            names.insert(machine.accelerator);
            let pools = residuals.entry(class(machine.accelerator)).or_default();
            pools[usize::from(machine.provider == "lambda")].push(rest / i128::from(machine.count));
        }
    }
    let mut medians = BTreeMap::new();
    for name in names {
        let [general, lambda] = residuals.get_mut(class(name)).context("was just filled")?;
        let rests = if general.is_empty() { lambda } else { general };
        rests.sort_unstable();
        medians.insert(name, Decimal::from_units(rests[(rests.len() - 1) / 2]).cut(PLACES));
    }
    let mut sorted: Vec<Decimal> = medians.values().copied().collect();
    sorted.sort();
    let middle =
        *sorted.get(sorted.len().saturating_sub(1) / 2).context("no accelerators in the book")?;
    render(core, memory, middle, &medians)
}

fn render(
    core: Decimal,
    memory: Decimal,
    middle: Decimal,
    gpus: &BTreeMap<&str, Decimal>,
) -> Result<String> {
    let mut text = format!(
        r#"# Weights, not prices: they only split the price of a node over its resources (scaled so that the sum is the
# node's price). Made by `cargo run --release -p xtask -- prices`; do not edit.
as_of: 2026-05-20
currency: USD
source: "data/prices/default.csv"

core_hour: # one vCPU
  price: {core}
  source: "n2-standard-8 and n2-highmem-8, GCP us-central1, on demand: two hosts that differ in memory only"

gib_hour: # one GiB of memory
  price: {memory}
  source: "n2-standard-8 and n2-highmem-8, GCP us-central1, on demand: two hosts that differ in memory only"

storage_gib_hour: # one GiB of block storage
  price: 0.000109
  source: "AWS gp3 list price of us-east-1, 0.08 USD per GB and month of 730 h; from public knowledge, not from the book"

gpu_hour: # one whole accelerator; what remains of a node after its cores and memory, median over on-demand rows
  default: {middle} # the median over the accelerators below, for one that is not listed
  source: "data/prices/default.csv, on-demand rows of all regions; all forms of a card together; Lambda only where it is alone"

  by_accelerator:
"#
    );
    for (accelerator, price) in gpus {
        writeln!(text, "    {accelerator}: {price}")?;
    }
    Ok(text)
}
