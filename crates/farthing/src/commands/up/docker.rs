//! The containers of this machine: named and metered, and a queue of them that is run.

use super::board::Files;
use super::cycle::{self, Setting};
use super::local::{Found, ROOT, found};
use super::{Stop, queue};
use crate::args::UpArgs;
use crate::commands::duration;
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use anyhow::Context as _;
use farthing_docker::{Docker, Inventory, OpenError, Shares, Task};
use farthing_ledger::{Key, Weights};
use farthing_model::{
    ClusterId, Currency, DeviceId, Mode, Money, NodeId, PerResource, Purchase, Resources,
};
use farthing_planner::Effort;
use farthing_providers::local::{LocalMachine, MachineOffer};
use farthing_providers::manifest::Manifests;
use jiff::Timestamp;
use std::path::Path;
use std::sync::Arc;

/// Runs the loop on the containers of this machine.
pub(super) fn run(
    args: &UpArgs,
    socket: Option<&str>,
    home: &Home,
    stop: &Stop,
) -> anyhow::Result<Outcome> {
    let every = duration("--every", args.every.as_deref().unwrap_or("10s"))?;
    let told = queue(args, Mode::Recommend)?;
    let socket = address(socket)?;
    let Found { inventory, offer, gpus } = found(args)?;
    let node = NodeId::new(&inventory.hostname)?;
    let cluster = ClusterId::new(&format!("{}-docker", inventory.hostname))?;
    let weights = crate::wiring::weights(std::iter::empty())?;
    let mut shares = shares(&offer, inventory.capacity(), &weights)?;
    let ids = inventory.gpus.iter().map(|gpu| DeviceId::new(&gpu.uuid));
    shares.gpus = ids.collect::<Result<_, _>>()?;
    let machine = LocalMachine::open(Path::new(ROOT), cluster.clone(), offer, gpus)?;
    let tasks = tasks(&told);
    let mut docker =
        Docker::open(&socket, (node, machine), shares, tasks).map_err(|why| wrong(&why))?;
    let there = docker.inventory(Timestamp::now()).map_err(|why| wrong(&OpenError::Engine(why)))?;
    talk(&in_words(&there, &socket));
    let what = "the containers of this machine";
    let (by, most, effort) = (Key::Workload, Mode::Enforce, now_or_not());
    let setting = Setting {
        args,
        home,
        stop,
        cluster: &cluster,
        by,
        every,
        most,
        unsaid: Mode::Recommend,
        weights,
        lease: None,
        effort,
        measures_use: true,
        what,
    };
    cycle::run(&setting, docker, &mut Files(queue), None)
}

/// A container starts when there is room for it, or waits: nothing is planned for later, when
/// others may have taken the room.
fn now_or_not() -> Effort {
    Effort { slots_max: 1, ..Effort::default() }
}

fn address(given: Option<&str>) -> anyhow::Result<std::path::PathBuf> {
    let variable = |name: &str| std::env::var(name).ok();
    farthing_docker::socket(given, &variable, &|path| path.exists()).map_err(|error| {
        let hint = "start one, such as `podman system service --time=0 unix:///run/podman.sock`, \
                    and name it with --docker SOCKET or DOCKER_HOST";
        WrongUse::new(error.to_string()).hint(hint).into()
    })
}

fn wrong(error: &OpenError) -> anyhow::Error {
    WrongUse::new(error.to_string())
        .hint("`docker version` or `podman version` says whether it runs")
        .into()
}

/// What each resource of the machine costs, so that parts of it have a price.
fn shares(offer: &MachineOffer, capacity: Resources, weights: &Weights) -> anyhow::Result<Shares> {
    let nothing = || PerResource::from_fn(|_| Money::zero(Currency::USD));
    let parts = match offer.price.rate() {
        Some(rate) => weights
            .split(rate.per_hour(), (&offer.instance_type, capacity), None)
            .context("the price of this machine cannot be split")?,
        None => nothing(),
    };
    Ok(Shares {
        place: offer.place.clone(),
        purchase: Purchase::Owned,
        price: offer.price.clone(),
        parts,
        capacity,
        gpus: Vec::new(),
    })
}

/// The queue: workloads with what their members run.
fn tasks(told: &Manifests) -> Vec<Task> {
    let of = |workload: &farthing_model::Workload| {
        let container = told.containers.get(&workload.id)?.clone();
        Some(Task {
            workload: Arc::new(workload.clone()),
            image: container.image,
            command: container.command,
            environment: container.environment,
            volumes: container.volumes,
        })
    };
    told.workloads.iter().filter_map(of).collect()
}

fn in_words(found: &Inventory, socket: &Path) -> String {
    format!(
        "{} at {}: {} containers of others, {} of ours; {} workloads in the queue",
        found.engine,
        socket.display(),
        found.others,
        found.ours,
        found.tasks,
    )
}
