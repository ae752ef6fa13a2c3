//! A Kubernetes cluster: its nodes by a price book, its pods by what they ask for; told what to do
//! by objects in it.

mod objects;
mod plans;
mod status;
mod told;
mod uses;

pub(crate) use plans::Word;

use super::Stop;
use super::cycle::{self, Setting};
use super::kueue::Beside;
use super::lead;
use crate::args::{KubeArgs, UpArgs};
use crate::commands::{cache_folder, duration, price_book};
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use anyhow::Context as _;
use farthing_edge::{Clock, Observe as _};
use farthing_kube::{self as kube, Access, Inventory, Kube, Kubeconfig, Priced, Rules, in_cluster};
use farthing_ledger::Key;
use farthing_model::offer_table::Filter;
use farthing_model::{
    Accelerator, ClusterId, IdError, Mode, Offer, OfferId, Place, Price, Purchase, Resources,
    Snapshot,
};
use farthing_planner::Effort;
use farthing_providers::catalog::{Catalogue, PriceBook, accelerator_of_label};
use farthing_providers::telemetry::{Bought, NodePrices, SourceMap};
use farthing_providers::trust;
use jiff::Timestamp;
use objects::Objects;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use uses::ByPrometheus;

/// Between two ticks: pods are metered to the second that Kubernetes says, however seldom it is.
const EVERY: &str = "1m";
/// How long the first reading of everything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs the loop on a cluster.
pub(super) fn run(
    args: &UpArgs,
    context: Option<&str>,
    home: &Home,
    stop: &Stop,
) -> anyhow::Result<Outcome> {
    let every = duration("--every", args.every.as_deref().unwrap_or(EVERY))?;
    let asked_mode = mode(&args.kube)?;
    let access = access(&args.kube.kubeconfig, context)?;
    let cluster = name(&access)?;
    let catalogue = price_book(&args.kube.prices, Timestamp::now(), cache_folder())?;
    let weights = crate::wiring::weights_of_table(&catalogue.table)?;
    let prices = Prices::new(catalogue)?;
    let began = Instant::now();
    let mut kube = open(access, &cluster, prices.clone())?;
    if !kube.wait(PATIENCE) {
        talk("the cluster is not read whole yet; what is missing is named below");
    }
    if let Some(uses) = ByPrometheus::of(&args.kube)? {
        kube.learn_use_from(Box::new(uses), Timestamp::now());
    }
    let seen = kube.observe(Timestamp::now())?;
    let found = kube.inventory();
    describe(&cluster, &found, &seen, began.elapsed());
    kube.steer_by(rules(&args.kube));
    let most = asked_mode.unwrap_or(Mode::Enforce);
    let lease = if args.kube.lease {
        let Some(standing) = lead::lease(kube.lease(who()), (home, &cluster), stop)? else {
            return Ok(Outcome::Done);
        };
        Some(standing)
    } else {
        None
    };
    let own = Box::new(prices.clone());
    let mut board = Objects::new(kube.ours(), args, prices, most);
    let (what, effort) = ("a Kubernetes cluster", Effort::default());
    let setting = Setting {
        args,
        home,
        stop,
        cluster: &cluster,
        by: Key::Workload,
        every,
        most,
        unsaid: asked_mode.unwrap_or(Mode::Recommend),
        weights,
        lease,
        effort,
        measures_use: found.use_unknown.is_none(),
        what,
    };
    let beside = Beside::open(args, &kube, own)?;
    cycle::run(&setting, kube, &mut board, beside)
}

/// A name that no other replica has: of the pod or machine, and of this start.
fn who() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
    let host = host.unwrap_or_else(|| "farthing".to_owned());
    let start = Timestamp::now().as_microsecond();
    format!("{host}_{}_{start}", std::process::id())
}

fn open(access: Access, cluster: &ClusterId, prices: Prices) -> anyhow::Result<Kube> {
    Kube::open(access, cluster.clone(), Arc::new(SystemClock), Box::new(prices))
        .map_err(|error| match error.hint() {
            Some(hint) => anyhow::Error::from(WrongUse::new(error.to_string()).hint(hint)),
            None => error.into(),
        })
        .context("the cluster cannot be looked at")
}

/// A cluster, and its name in the books.
pub(crate) fn world(access: Access) -> anyhow::Result<(Kube, ClusterId)> {
    let cluster = name(&access)?;
    let catalogue = price_book(&[], Timestamp::now(), cache_folder())?;
    Ok((open(access, &cluster, Prices::new(catalogue)?)?, cluster))
}

/// The most that may be done, where it is said.
fn mode(args: &KubeArgs) -> anyhow::Result<Option<Mode>> {
    let Some(said) = &args.mode else { return Ok(None) };
    let found = Mode::ALL.into_iter().find(|mode| mode.name() == said);
    let names = Mode::ALL.map(Mode::name).join(", ");
    let wrong = || WrongUse::new(format!("--mode `{said}` is none of {names}"));
    Ok(Some(found.ok_or_else(wrong)?))
}

/// What may be touched, beside what annotations say.
fn rules(args: &KubeArgs) -> Rules {
    Rules { only_managed: args.only_managed, excluded: args.exclude.iter().cloned().collect() }
}

/// How the cluster is reached: by a kubeconfig; in a pod without one, by its service account.
pub(crate) fn access(kubeconfigs: &[PathBuf], context: Option<&str>) -> anyhow::Result<Access> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let said = variable("KUBECONFIG");
    let home = variable("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    let mut paths: Vec<PathBuf> = kubeconfigs.to_vec();
    if paths.is_empty() {
        let listed = said.iter().flat_map(std::env::split_paths);
        // Of those in the variable some may not be there, as for kubectl.
        paths = listed.filter(|path| path.exists()).collect();
    }
    if paths.is_empty() && said.is_none() {
        paths.extend(home.filter(|path| path.exists()));
    }
    let found = if paths.is_empty() && context.is_none() {
        in_cluster(&variable)
    } else {
        Kubeconfig::load(&paths).and_then(|config| config.access(context))
    };
    let mut found = found.map_err(|error| {
        let hint = "name a kubeconfig with --kubeconfig FILE or KUBECONFIG, and a context with \
                    --kube CONTEXT";
        WrongUse::new(crate::commands::plan::chain(&error)).hint(hint)
    })?;
    if found.ca.is_none() && !found.insecure && found.server.starts_with("https://") {
        let system = trust::system_pem().context("the system's certificates cannot be read")?;
        found.ca = Some(system);
    }
    Ok(found)
}

/// The cluster's name in the books: that of the context, which may have any characters.
fn name(access: &Access) -> anyhow::Result<ClusterId> {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = access.name.chars().map(plain).collect();
    Ok(ClusterId::new(&name)?)
}

/// What was found, in a few lines; what has no price is named.
fn describe(cluster: &ClusterId, found: &Inventory, seen: &Snapshot, took: Duration) {
    let count = |kind: &str| found.objects.get(kind).copied().unwrap_or(0);
    let gpus: u64 = seen.nodes.iter().map(|node| node.capacity.gpu_milli).sum();
    talk(&format!(
        "{cluster} ({}, {}): {} nodes, {} accelerators, {} pods, {} workloads; read in {} ms with \
         {} requests",
        found.server,
        found.version,
        seen.nodes.len(),
        gpus / 1_000,
        count("Pod"),
        seen.workloads.len(),
        took.as_millis(),
        found.requests,
    ));
    talk(&used_by(found));
    for (kind, why) in &found.unknown {
        talk(&format!("not known: {kind}: {why}"));
    }
    let unknown: Vec<_> = seen.nodes.iter().filter(|node| node.price.rate().is_none()).collect();
    for node in unknown.iter().take(10) {
        if let Price::Unknown(why) = &node.price {
            talk(&format!("UNKNOWN price of node {}: {why}", node.id));
        }
    }
    if unknown.len() > 10 {
        talk(&format!("UNKNOWN price of {} more nodes", unknown.len() - 10));
    }
}

/// Who tells what pods use.
fn used_by(found: &Inventory) -> String {
    const METRICS: &str = "the metrics server";
    if let Some(why) = &found.use_unknown {
        let only = "requests only: pods are charged for what they ask for";
        return format!("{only}, what they use is not known: {why}");
    }
    match found.use_by.as_deref().unwrap_or(METRICS) {
        METRICS => format!("use of cores and memory by {METRICS}; of accelerators not known"),
        other => format!("use of cores, memory and whole accelerators by {other}"),
    }
}

/// The clock of this machine.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Prices of nodes by a price book, by the labels that a source map names. The book may be changed
/// while nodes are priced by it.
#[derive(Clone)]
struct Prices(Arc<Mutex<BookPrices>>);

struct BookPrices {
    /// That of the start.
    first: Arc<Catalogue>,
    catalogue: Arc<Catalogue>,
    map: SourceMap,
    found: BTreeMap<Bought, farthing_providers::telemetry::Priced>,
    /// How often the book was changed.
    edition: u64,
}

impl Prices {
    fn new(catalogue: Catalogue) -> anyhow::Result<Self> {
        let catalogue = Arc::new(catalogue);
        let (first, map) = (Arc::clone(&catalogue), SourceMap::built_in()?);
        let (found, edition) = (BTreeMap::new(), 0);
        Ok(Self(Arc::new(Mutex::new(BookPrices { first, catalogue, map, found, edition }))))
    }

    /// Prices by another book from now on; without one by that of the start.
    fn take(&self, book: Option<&PriceBook>) -> anyhow::Result<()> {
        let mut prices = self.lock();
        prices.catalogue = match book {
            Some(book) => Arc::new(book.catalogue()?),
            None => Arc::clone(&prices.first),
        };
        prices.found.clear();
        prices.edition += 1;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BookPrices> {
        // What was found and what it was found in are changed together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl kube::Prices for Prices {
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        provider_id: Option<&str>,
    ) -> Result<Priced, IdError> {
        let mut prices = self.lock();
        let bought = Bought::of_labels(&prices.map, labels, provider_id);
        let known = if let Some(known) = prices.found.get(&bought) {
            known.clone()
        } else {
            let priced = NodePrices::new(&prices.catalogue).price(&bought)?;
            prices.found.insert(bought, priced.clone());
            priced
        };
        Ok(Priced {
            offer: known.offer,
            place: known.place,
            instance_type: known.instance_type,
            accelerator: accelerator(labels),
            purchase: known.purchase,
            price: known.price,
        })
    }

    fn edition(&self) -> u64 {
        self.lock().edition
    }

    fn capacity(&mut self, offer: &OfferId) -> Option<Resources> {
        let (provider, rest) = offer.as_str().split_once('/')?;
        let (region, _) = rest.split_once('/')?;
        let filter = Filter {
            providers: vec![provider.to_owned()],
            regions: vec![region.to_owned()],
            ..Filter::default()
        };
        self.lock()
            .catalogue
            .select(&filter)
            .into_iter()
            .find(|it| it.id == *offer)
            .map(|it| it.capacity)
    }

    fn machines(&mut self, place: &Place) -> Vec<(Priced, Resources)> {
        let filter = Filter {
            providers: vec![place.provider.clone()],
            regions: vec![place.region.clone()],
            ..Filter::default()
        };
        let found = self.lock().catalogue.select(&filter);
        let bought = |it: &Offer| matches!(it.purchase, Purchase::OnDemand | Purchase::Spot);
        let machine = |it: Offer| {
            let priced = Priced {
                offer: it.id,
                place: it.place,
                instance_type: it.instance_type,
                accelerator: it.accelerator,
                purchase: it.purchase,
                price: it.price,
            };
            (priced, it.capacity)
        };
        found.into_iter().filter(bought).map(machine).collect()
    }
}

/// The accelerator that a node's labels name.
fn accelerator(labels: &BTreeMap<String, String>) -> Option<Accelerator> {
    let (product, _) = farthing_kube::product(labels)?;
    accelerator_of_label(product).map(|known| known.name.clone())
}
