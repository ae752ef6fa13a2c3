//! This machine: measured through procfs, cgroups and NVML, priced as owned hardware.

use super::bell::Bell;
use super::lead::Lead;
use super::serve::{Front, Listening, Opening};
use super::{Stop, std_duration};
use crate::args::UpArgs;
use crate::commands::plan::chain;
use crate::commands::{covered, duration};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::show;
use farthing_edge::{Act, Class, EdgeError, Measure, Measured, Observe, Quote};
use farthing_engine::{Config, Engine, Planner, Tick};
use farthing_ledger::{Key, StatementQuery, statement};
use farthing_model::{
    BandState, ClusterId, Currency, Mode, Offer, Place, Price, Receipt, Resources, Snapshot, Step,
    StepId, Window,
};
use farthing_planner::Effort;
use farthing_providers::hardware::{Hardware, Priced};
use farthing_providers::local::{Inventory, LocalMachine, MachineOffer, inventory};
use farthing_providers::manifest::Manifests;
use farthing_providers::nvml;
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Runs the loop on this machine.
pub(crate) fn run(args: &UpArgs, home: &Home, stop: &Stop) -> anyhow::Result<Outcome> {
    let every = duration("--every", &args.every)?;
    let root = Path::new("/");
    let mut gpus = nvml::driver();
    let inventory = inventory(root, &mut *gpus)?;
    let priced = owned(&inventory, args.hardware.as_deref())?;
    let assumed = assumptions(&priced);
    let offer = machine_offer(&inventory, priced.price)?;
    let cluster = ClusterId::new(&inventory.hostname)?;
    talk(&describe(&inventory, &offer));
    if let Some(line) = assumed {
        talk(&line);
    }
    let offers: Arc<[Offer]> = Arc::from([quoted(&offer, inventory.capacity())]);
    let world = LocalWorld {
        offers: Arc::clone(&offers),
        machine: LocalMachine::open(root, cluster.clone(), offer, gpus)?,
    };
    let Some(mut lead) = Lead::take(home, &cluster, stop)? else {
        return Ok(Outcome::Done);
    };
    let told = super::told(args)?;
    let has_tokens = crate::commands::token::are_there(home, &cluster)?;
    let listening = Listening::bind(args, has_tokens, told.identity.as_ref())?;
    home.begin(&cluster)?;
    let bell = Bell::open(told.alerts.as_ref())?;
    let config = config(cluster.clone(), every, told)?;
    let policy = config.policy.clone();
    let store = lead.journal(home, &cluster)?;
    let started = Timestamp::now();
    let mut engine = Engine::open(config, world, (store, home.books()?), started)?;
    let (world, every) = ("this machine", std_duration(every)?);
    let opening = Opening { world, policy: policy.clone(), started, every };
    let journal = home.store().open(&cluster)?;
    let front = Front::open(listening, &engine, journal, opening)?;
    let (mut next, mut told, mut goes_on) = (Instant::now(), Vec::new(), true);
    loop {
        let (began, now) = (Instant::now(), Timestamp::now());
        match engine.tick(now) {
            Ok(tick) => {
                talk(&show::tick::line(&tick, &policy));
                talk_about(&tick, &mut told);
                bell.ring(&mut engine, &tick);
                front.publish(tick, began.elapsed(), Arc::clone(&offers), &engine)?;
            }
            // A full disk or a busy journal is no reason to stop measuring: the next tick tries
            // again from where the last one got to.
            Err(error) => {
                front.failed(now, &error);
                lead.check()?;
                talk(&failed(&error.into(), goes_on));
            }
        }
        // The last tick measures what the ones before it left, so that the books reach the end.
        if !goes_on {
            break;
        }
        next += every;
        goes_on = stop.nap_until(next, &mut |nap| {
            front.attend(nap, &mut engine, Timestamp::now);
        });
    }
    bell.close(&mut engine, Timestamp::now());
    engine.close(Timestamp::now())?;
    front.close();
    closing(home, &cluster)
}

/// That a tick failed, and what becomes of what it was to do.
fn failed(error: &anyhow::Error, goes_on: bool) -> String {
    let then = if goes_on { "and will be tried again" } else { "and was the last" };
    format!("this tick failed {then}: {error:#}")
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

/// This machine is measured and quoted; nothing acts on it, whatever a policy allows.
fn config(cluster: ClusterId, every: SignedDuration, told: Manifests) -> anyhow::Result<Config> {
    let mut policy = told.policy.unwrap_or_default();
    if policy.mode > Mode::Recommend {
        let mode = policy.mode.name();
        talk(&format!("nothing acts on this machine: mode recommend instead of {mode}"));
        policy.mode = Mode::Recommend;
    }
    Ok(Config {
        cluster,
        currency: Currency::USD,
        policy,
        budgets: told.budgets,
        planner: Planner::Farthing,
        horizon: SignedDuration::from_hours(1),
        tick: every,
        weights: crate::wiring::weights(std::iter::empty())?,
        effort: Effort::default(),
    })
}

/// What was found, in one line.
fn describe(inventory: &Inventory, offer: &MachineOffer) -> String {
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
fn assumptions(priced: &Priced) -> Option<String> {
    let assumed: Vec<&str> =
        priced.items.iter().filter_map(|item| item.assumed.as_deref()).collect();
    (!assumed.is_empty()).then(|| {
        let list = assumed.join(", ");
        format!("assumed: {list}; your own figures: `--hardware FILE` (data/hardware.yaml)")
    })
}

/// Proposals and notes of a tick, below its line. Each is told when it is new.
fn talk_about(tick: &Tick, told: &mut Vec<String>) {
    let rows = tick.planned.iter().flat_map(|planned| &planned.report.utilisation);
    let rows = rows.filter(|row| row.state.is_some_and(|state| state != BandState::Within));
    let notes = tick.notes.iter().map(|note| format!("  note: {note}"));
    let rows = rows.map(|row| format!("  {}: {}", row.resource, row.proposal));
    let now: Vec<String> = notes.chain(rows).collect();
    for line in now.iter().filter(|line| !told.contains(line)) {
        talk(line);
    }
    *told = now;
}

/// The statement of everything in the books of this machine.
fn closing(home: &Home, cluster: &ClusterId) -> anyhow::Result<Outcome> {
    let books = home.books()?;
    let Ok(covered) = covered(&books, std::slice::from_ref(cluster), "7d", None) else {
        talk("stopped before anything was measured: two ticks are needed");
        return Ok(Outcome::Done);
    };
    let all = StatementQuery::of(cluster.clone(), covered.window, covered.currency);
    let query = StatementQuery { by: vec![Key::Process], ..all };
    let statement = statement(&books, &query)?;
    crate::print::data(&show::statement::text(&statement, "the last 7d", 15)?);
    talk("\n`farthing cost --by process` (or container, user) prints it again");
    Ok(Outcome::Done)
}

/// This machine as a world: it is measured and quoted, and nothing acts on it.
struct LocalWorld {
    machine: LocalMachine,
    offers: Arc<[Offer]>,
}

impl Observe for LocalWorld {
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        self.machine.observe(now)
    }
}

impl Measure for LocalWorld {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.machine.measure(window)
    }
}

impl Quote for LocalWorld {
    fn offers(&mut self, _now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        Ok(Arc::clone(&self.offers))
    }
}

impl Act for LocalWorld {
    fn act(&mut self, step: &Step, _now: Timestamp) -> Result<Receipt, EdgeError> {
        Err(EdgeError::new(
            Class::Denied,
            format!("step {}: nothing acts on this machine", step.id),
        ))
    }

    fn outcome_of(
        &mut self,
        _step: &StepId,
        _now: Timestamp,
    ) -> Result<Option<Receipt>, EdgeError> {
        Ok(None)
    }

    fn undo(&mut self, step: &Step, now: Timestamp) -> Result<Receipt, EdgeError> {
        self.act(step, now)
    }
}
