//! This machine: measured through procfs, cgroups and NVML, priced as owned hardware.

use super::Stop;
use super::board::Files;
use super::cycle::{self, Setting, Watched};
use crate::args::UpArgs;
use crate::commands::duration;
use crate::commands::plan::chain;
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::show;
use farthing_edge::{EdgeError, Measure, Measured, Observe, Quote};
use farthing_ledger::Key;
use farthing_model::{ClusterId, Currency, Mode, Offer, Place, Price, Resources, Snapshot, Window};
use farthing_planner::Effort;
use farthing_providers::hardware::{Hardware, Priced};
use farthing_providers::local::{Inventory, LocalMachine, MachineOffer, inventory};
use farthing_providers::nvml::{self, GpuDriver};
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// Where the machine's files are.
pub(super) const ROOT: &str = "/";

/// Runs the loop on this machine.
pub(crate) fn run(args: &UpArgs, home: &Home, stop: &Stop) -> anyhow::Result<Outcome> {
    let every = duration("--every", args.every.as_deref().unwrap_or("10s"))?;
    let Found { inventory, offer, gpus } = found(args)?;
    let cluster = ClusterId::new(&inventory.hostname)?;
    let offers: Arc<[Offer]> = Arc::from([quoted(&offer, inventory.capacity())]);
    let machine = LocalMachine::open(Path::new(ROOT), cluster.clone(), offer, gpus)?;
    let weights = crate::wiring::weights(std::iter::empty())?;
    let (by, most) = (Key::Process, Mode::Recommend);
    let (what, effort) = ("this machine", Effort::default());
    let setting = Setting {
        args,
        home,
        stop,
        cluster: &cluster,
        by,
        every,
        most,
        weights,
        unsaid: most,
        lease: None,
        effort,
        measures_use: true,
        what,
    };
    let inner = Quoted { machine, offers };
    cycle::run(&setting, Watched { inner, what }, &mut Files(super::told), None)
}

/// This machine, with its price.
pub(super) struct Found {
    pub(super) inventory: Inventory,
    pub(super) offer: MachineOffer,
    pub(super) gpus: Box<dyn GpuDriver>,
}

/// Looks at this machine, prices it, and says what it is taken for.
pub(super) fn found(args: &UpArgs) -> anyhow::Result<Found> {
    let mut gpus = nvml::driver();
    let inventory = inventory(Path::new(ROOT), &mut *gpus)?;
    let priced = owned(&inventory, args.hardware.as_deref())?;
    let assumed = assumptions(&priced);
    let offer = machine_offer(&inventory, priced.price)?;
    talk(&describe(&inventory, &offer));
    if let Some(line) = assumed {
        talk(&line);
    }
    Ok(Found { inventory, offer, gpus })
}

/// What an hour of this machine costs as owned hardware, by the figures of a file or the built-in
/// ones.
pub(crate) fn owned(inventory: &Inventory, file: Option<&Path>) -> anyhow::Result<Priced> {
    let hardware = match file {
        Some(file) => Hardware::load(file).map_err(|error| WrongUse::new(chain(&error)))?,
        None => Hardware::built_in()?,
    };
    Ok(hardware.price(&crate::wiring::parts(inventory), Currency::USD))
}

/// What this machine is, and what it costs.
pub(crate) fn machine_offer(inventory: &Inventory, price: Price) -> anyhow::Result<MachineOffer> {
    let place =
        Place { provider: "local".to_owned(), region: inventory.hostname.clone(), zone: None };
    let instance_type = inventory.cpu_model.clone().unwrap_or_else(|| "machine".to_owned());
    let offer = Offer::id_of(&place, &instance_type, farthing_model::Purchase::Owned)?;
    Ok(MachineOffer { offer, place, instance_type, price })
}

fn quoted(offer: &MachineOffer, capacity: Resources) -> Offer {
    Offer {
        id: offer.offer.clone(),
        place: offer.place.clone(),
        instance_type: offer.instance_type.clone(),
        accelerator: None,
        accelerator_count: u32::try_from(capacity.gpu_milli / 1_000).unwrap_or(0),
        capacity,
        purchase: farthing_model::Purchase::Owned,
        price: offer.price.clone(),
        available: Some(1),
        residency: Vec::new(),
        warnings: Vec::new(),
    }
}

/// What was found, in one line.
pub(super) fn describe(inventory: &Inventory, offer: &MachineOffer) -> String {
    let price = match &offer.price {
        Price::Known(rate, from) => {
            let (amount, currency) = (rate.per_hour(), rate.per_hour().currency());
            let amount = show::small_money(amount);
            format!("{amount} {currency}/h ({}, figures since {})", from.source, from.as_of)
        }
        Price::Unknown(why) => format!("of unknown price: {why}"),
    };
    let gib = |bytes: u64| bytes >> 30;
    format!(
        "{}: {} cores, {} GiB memory, {} GiB disk, {} GPUs; {price}",
        inventory.hostname,
        inventory.cores,
        gib(inventory.memory_bytes),
        gib(inventory.storage_bytes),
        inventory.gpus.len(),
    )
}

/// What the price rests on that nobody published, in one line.
pub(super) fn assumptions(priced: &Priced) -> Option<String> {
    let assumed: Vec<&str> =
        priced.items.iter().filter_map(|item| item.assumed.as_deref()).collect();
    (!assumed.is_empty()).then(|| {
        let list = assumed.join(", ");
        format!("assumed: {list}; your own figures: `--hardware FILE` (data/hardware.yaml)")
    })
}

/// This machine with what it is bought as.
struct Quoted {
    machine: LocalMachine,
    offers: Arc<[Offer]>,
}

impl Observe for Quoted {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.machine.observe(now)
    }
}

impl Measure for Quoted {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.machine.measure(window)
    }
}

impl Quote for Quoted {
    fn offers(&mut self, _now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        Ok(Arc::clone(&self.offers))
    }
}
