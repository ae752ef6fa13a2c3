//! This machine as what a command is run on: what it has, what it costs, and which part of it is
//! set aside.

use crate::args::{RunArgs, RunPrice, RunSize};
use crate::commands::up::{machine_offer, owned};
use crate::commands::{cache_folder, price_book};
use crate::outcome::WrongUse;
use crate::wiring;
use farthing_ledger::Weights;
use farthing_model::{
    Currency, HourlyRate, NodeId, NodeSpan, Offer, Price, PriceKind, Provenance, Purchase,
    Resource, Resources, Window, utc_day,
};
use farthing_providers::local::{Inventory, MachineOffer, inventory};
use farthing_providers::manifest;
use farthing_providers::nvml::{self, GpuDriver};
use jiff::Timestamp;
use std::path::Path;

/// This machine, and the part of it that a command has.
pub(crate) struct Machine {
    pub(crate) inventory: Inventory,
    node: NodeId,
    offer: MachineOffer,
    purchase: Purchase,
    pub(crate) weights: Weights,
    /// What is set aside: charged whether it is used or not.
    pub(crate) asks: Resources,
    /// The accelerators that are set aside.
    pub(crate) devices: Vec<String>,
    /// Whether that is not all of them, so that the command must be told.
    pub(crate) some_devices: bool,
}

impl Machine {
    /// Looks at this machine, prices it and sets aside what was asked for.
    pub(crate) fn look(args: &RunArgs) -> anyhow::Result<(Self, Box<dyn GpuDriver>)> {
        let mut gpus = nvml::driver();
        let inventory = inventory(Path::new("/"), &mut *gpus)?;
        let (offer, purchase) = price(&args.price, &inventory)?;
        let devices = devices(args.size.gpus, &inventory, &mut *gpus)?;
        let asks = asks(&args.size, &inventory, devices.len())?;
        let machine = Self {
            node: NodeId::new(&inventory.hostname)?,
            offer,
            purchase,
            weights: wiring::weights(std::iter::empty())?,
            asks,
            some_devices: devices.len() < inventory.gpus.len(),
            devices,
            inventory,
        };
        Ok((machine, gpus))
    }

    /// The name that its rows have.
    pub(crate) const fn node(&self) -> &NodeId {
        &self.node
    }

    /// What an hour of all of it costs.
    pub(crate) const fn price(&self) -> &Price {
        &self.offer.price
    }

    /// The currency of its price.
    pub(crate) fn currency(&self) -> Currency {
        self.offer.price.rate().map_or(Currency::USD, |rate| rate.per_hour().currency())
    }

    /// What it is bought as.
    pub(crate) const fn offer(&self) -> &MachineOffer {
        &self.offer
    }

    /// All of it over a window: what is paid.
    pub(crate) fn span(&self, window: Window) -> NodeSpan {
        self.offer.span(&self.node, (self.inventory.capacity(), self.purchase), window, true)
    }

    /// What is set aside of a resource over a window, in 10^-9 unit-seconds.
    pub(crate) fn asked_nano(&self, resource: Resource, window: Window) -> i128 {
        self.asks.nano(resource) * window.nanos() / 1_000_000_000
    }
}

/// What this machine is bought as, by what was said of it.
fn price(args: &RunPrice, inventory: &Inventory) -> anyhow::Result<(MachineOffer, Purchase)> {
    let now = Timestamp::now();
    if let Some(text) = &args.price {
        let rate = text.parse::<HourlyRate>();
        let rate = rate.map_err(|error| {
            WrongUse::new(format!("--price `{text}`: {error}")).hint("write it like '3.90 USD/h'")
        })?;
        let source = "--price".to_owned();
        let from =
            Provenance { kind: PriceKind::Contracted, source, as_of: utc_day(now), list: None };
        let offer = machine_offer(inventory, Price::Known(rate, from))?;
        return Ok((offer, Purchase::Owned));
    }
    if let Some(name) = &args.offer {
        let offer = bought(name, args, now)?;
        let purchase = offer.purchase;
        let machine = MachineOffer {
            offer: offer.id,
            place: offer.place,
            instance_type: offer.instance_type,
            price: offer.price,
        };
        return Ok((machine, purchase));
    }
    let priced = owned(inventory, args.hardware.as_deref())?;
    Ok((machine_offer(inventory, priced.price)?, Purchase::Owned))
}

/// The offer of a name in the price books: on demand, where the name says no purchase.
fn bought(name: &str, args: &RunPrice, now: Timestamp) -> anyhow::Result<Offer> {
    let book = price_book(&args.prices, now, cache_folder())?;
    let filter = farthing_model::offer_table::Filter {
        providers: name.split('/').next().map(str::to_owned).into_iter().collect(),
        ..farthing_model::offer_table::Filter::default()
    };
    let offers = book.select(&filter);
    let exact = offers.iter().find(|offer| offer.id.as_str() == name);
    let short = |offer: &&Offer| {
        let of_region =
            format!("{}/{}/{}", offer.place.provider, offer.place.region, offer.instance_type);
        offer.purchase == Purchase::OnDemand && of_region == name
    };
    let found = exact.or_else(|| offers.iter().find(short)).cloned();
    found.ok_or_else(|| {
        WrongUse::new(format!("--offer `{name}` is not in the price books"))
            .hint("name it provider/region/type, as in `farthing offers`; --prices PATH adds books")
            .into()
    })
}

/// The accelerators that are set aside: those that the environment shows, the idle ones first.
fn devices(
    asked: Option<u32>,
    inventory: &Inventory,
    gpus: &mut dyn GpuDriver,
) -> anyhow::Result<Vec<String>> {
    let shown = shown(inventory);
    let Some(asked) = asked else { return Ok(shown) };
    let asked = usize::try_from(asked)?;
    if asked > shown.len() {
        let there = shown.len();
        return Err(WrongUse::new(format!("--gpus {asked}: there are {there} here"))
            .hint("nvidia-smi lists them; CUDA_VISIBLE_DEVICES may hide some")
            .into());
    }
    if asked == shown.len() {
        return Ok(shown);
    }
    let report = gpus.read();
    let holders = |uuid: &String| {
        let reading = report.devices.iter().find(|reading| reading.uuid == *uuid);
        reading.map_or(usize::MAX, |reading| reading.processes.len())
    };
    let mut ranked = shown;
    ranked.sort_by_key(holders);
    ranked.truncate(asked);
    Ok(ranked)
}

/// The accelerators that `CUDA_VISIBLE_DEVICES` leaves, in its order; all where it is not set.
fn shown(inventory: &Inventory) -> Vec<String> {
    let all: Vec<String> = inventory.gpus.iter().map(|gpu| gpu.uuid.clone()).collect();
    let Ok(text) = std::env::var("CUDA_VISIBLE_DEVICES") else { return all };
    let names = text.split(',').map(str::trim);
    // As the driver does: the list ends at the first name that is none.
    names
        .map_while(|name| match name.parse::<usize>() {
            Ok(index) => all.get(index).cloned(),
            Err(_) => all.iter().find(|uuid| !name.is_empty() && uuid.starts_with(name)).cloned(),
        })
        .collect()
}

/// What is set aside: what was asked for; else the part of the machine that goes with the
/// accelerators, which is all of it where it has none.
fn asks(size: &RunSize, inventory: &Inventory, devices: usize) -> anyhow::Result<Resources> {
    let all = inventory.capacity();
    let (part, whole) = match (size.gpus, inventory.gpus.len()) {
        (Some(asked), there) if there > 0 && asked > 0 => (u64::from(asked), u64::try_from(there)?),
        _ => (1, 1),
    };
    let share = |amount: u64| {
        let part = u128::from(amount) * u128::from(part) / u128::from(whole);
        u64::try_from(part).unwrap_or(amount)
    };
    let within = |flag: &str, text: &str, read: Result<u64, String>, most: u64| {
        let wrong = |why: String| WrongUse::new(format!("{flag} `{text}`: {why}"));
        let amount = read.map_err(wrong)?;
        if amount == 0 || amount > most {
            return Err(wrong("is not above zero and within what this machine has".to_owned()));
        }
        Ok(amount)
    };
    let cpu_milli = match &size.cpus {
        Some(text) => within("--cpus", text, manifest::milli(text), all.cpu_milli)?,
        None => share(all.cpu_milli),
    };
    let memory_bytes = match &size.memory {
        Some(text) => within("--memory", text, manifest::quantity(text), all.memory_bytes)?,
        None => share(all.memory_bytes),
    };
    // The disk goes with the largest part of the rest: who has all processors has the machine.
    let disk = match size.cpus {
        Some(_) => {
            let part = u128::from(all.storage_bytes) * u128::from(cpu_milli);
            u64::try_from(part / u128::from(all.cpu_milli.max(1))).unwrap_or(0)
        }
        None => share(all.storage_bytes),
    };
    Ok(Resources {
        gpu_milli: u64::try_from(devices)? * 1_000,
        cpu_milli,
        memory_bytes,
        storage_bytes: disk,
    })
}
