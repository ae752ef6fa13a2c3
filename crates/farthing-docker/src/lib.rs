//! Docker and Podman: the containers of a machine by name, and a queue of containers that is run.
//!
//! ```text
//! unix socket -> Client -> Look: ours and others -> Observe: the queue, and parts of the machine
//!                                                -> Act: start, suspend, resume, undo
//! the machine's own meter -> Measure: the same sums, by container
//! ```
//!
//! [`Docker`] wraps a machine that is observed and measured, and says whose containers are what is
//! measured there. Containers that it started are parts of the machine of their own (`share`), so
//! that what a plan says is what is posted. It touches only what it started itself. It refuses to
//! know what the machine costs ([`Shares`] brings it), the clock, the environment, and registries:
//! images have to be there. Start with [`socket`] and [`Docker::open`]; `act` says how a step is
//! done exactly once.

mod act;
mod address;
mod cgroup;
mod client;
mod container;
mod devices;
mod error;
mod label;
mod lives;
mod look;
mod measure;
mod name;
mod observe;
mod resize;
mod share;
mod socket;
mod task;
mod wear;
mod wire;

pub use address::{AddressError, socket};
pub use error::DockerError;
pub use share::Shares;
pub use task::Task;

use client::Client;
use container::Fate;
use devices::{Asked, Holder, Meter};
use farthing_edge::{EdgeError, Measure, Measured, Observe, Quote};
use farthing_model::{
    Attribution, IdError, NodeId, Observed, Offer, OfferId, Resources, Snapshot, SourceId, Window,
    WorkloadId,
};
use jiff::Timestamp;
use lives::Lives;
use look::Look;
use measure::{Division, Others};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use wear::Wear;

/// A machine and the containers on it.
pub struct Docker<M> {
    machine: M,
    client: Client,
    shares: Shares,
    /// What is to be run, by workload.
    tasks: BTreeMap<WorkloadId, Task>,
    node: NodeId,
    source: SourceId,
    look: Option<Look>,
    lives: Lives,
    /// What containers of ours used of their limits.
    wear: Wear,
    /// Accelerators that containers asked for, by the first digits of their ids.
    asked: BTreeMap<String, Asked>,
    /// What others hold of the machine; not known before something was measured.
    others: Option<Others>,
    /// What the next measurement is to tell.
    faults: BTreeSet<String>,
}

/// What is on a machine, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// What listens: `Podman Engine 4.3.1`.
    pub engine: String,
    /// Containers that others started.
    pub others: usize,
    /// Containers that were started here, in this run or in an earlier one.
    pub ours: usize,
    /// Workloads in the queue.
    pub tasks: usize,
}

impl<M> Docker<M> {
    /// Asks who listens on a socket. `machine` is the name of what `inner` measures.
    ///
    /// # Errors
    /// Nobody listens, or does not let us in.
    pub fn open(
        socket: &Path,
        (machine, inner): (NodeId, M),
        shares: Shares,
        tasks: Vec<Task>,
    ) -> Result<Self, OpenError> {
        let client = Client::open(socket).map_err(OpenError::Engine)?;
        Ok(Self {
            machine: inner,
            client,
            shares,
            tasks: tasks.into_iter().map(|task| (task.workload.id.clone(), task)).collect(),
            node: machine,
            source: SourceId::new("docker").map_err(OpenError::Name)?,
            look: None,
            lives: Lives::default(),
            wear: Wear::default(),
            asked: BTreeMap::new(),
            others: None,
            faults: BTreeSet::new(),
        })
    }

    /// What was found; looks where nobody has yet.
    ///
    /// # Errors
    /// The containers cannot be listed.
    pub fn inventory(&mut self, now: Timestamp) -> Result<Inventory, DockerError> {
        if self.look.is_none() {
            self.refresh(now)?;
        }
        let count = |of: fn(&Look) -> usize| self.look.as_ref().map_or(0, of);
        Ok(Inventory {
            engine: self.client.engine().to_owned(),
            others: count(|look| look.others.len()),
            ours: count(|look| look.ours.len()),
            tasks: self.tasks.len(),
        })
    }

    /// Looks at the containers now.
    fn refresh(&mut self, now: Timestamp) -> Result<(), DockerError> {
        let mut look = Look::take(&self.client, self.look.as_ref(), now)?;
        for container in look.ours.values_mut() {
            // What the queue says of who pays goes before labels, which images have too.
            if let Some(task) = self.tasks.get(&container.workload) {
                let labels = task.workload.labels.clone();
                let labels = Arc::new(label::kept(&labels));
                let team = task.workload.team.clone();
                let who = Attribution { team, labels, ..Attribution::clone(&container.who) };
                container.who = Arc::new(who);
            }
        }
        self.lives.update(&look, &self.node);
        self.faults.extend(look.faults.iter().cloned());
        self.look = Some(look);
        Ok(())
    }

    /// Looks which accelerators containers asked for that run: once for each, as that is settled
    /// when a container is made.
    fn ask_for_devices(&mut self) {
        let Some(look) = &self.look else { return };
        let runs = look.running();
        self.asked.retain(|id, _| runs.contains(id));
        for id in runs.difference(&self.asked.keys().cloned().collect()) {
            match self.client.inspect(id) {
                Ok(Some(seen)) => {
                    let asked = Asked::read(&seen);
                    if asked.unnamed() > 0 {
                        self.faults.insert(format!(
                            "container {id} asks for {} accelerators and not for which: only what \
                             it uses is its own",
                            asked.unnamed()
                        ));
                    }
                    self.asked.insert(id.clone(), asked);
                }
                Ok(None) => {}
                Err(error) => {
                    self.faults.insert(format!("devices of container {id}: {error}"));
                }
            }
        }
    }

    /// Sets accelerators aside for the containers that asked for them.
    fn set_aside_devices(&mut self, measured: &mut Measured, window: Window) {
        if self.shares.gpus.is_empty() {
            return;
        }
        self.ask_for_devices();
        let Some(look) = &self.look else { return };
        let holders = self.asked.iter().filter_map(|(id, asked)| {
            let who = look.who(id)?;
            Some(Holder { who, asked })
        });
        let holders: Vec<Holder<'_>> = holders.collect();
        let windows = measured.spans.iter().filter(|it| it.node == self.node && it.measured);
        let from = windows.clone().map(|it| it.window.from()).min().unwrap_or(window.from());
        let to = windows.map(|it| it.window.to()).max().unwrap_or(window.to());
        let Ok(window) = Window::new(from, to) else { return };
        let (node, gpus, source) = (&self.node, self.shares.gpus.as_slice(), &self.source);
        let meter = Meter { node, gpus, source, window };
        meter.set_aside(&mut measured.samples, &holders);
        meter.name(&mut measured.uses, &holders);
        measured.uses.sort_by(|a, b| measure::order_of_use(a).cmp(&measure::order_of_use(b)));
        measured.samples.sort_by(|a, b| measure::order(a).cmp(&measure::order(b)));
    }

    /// The parts of the machine that the queue asks for.
    fn shapes(&self) -> BTreeMap<OfferId, Resources> {
        task::shapes(self.tasks.values(), &self.shares)
    }

    /// What is taken of the machine, by ours and by others; `None` where that was not measured yet.
    fn taken(&self) -> Option<Resources> {
        let held = self.lives.held(self.shares.capacity);
        let ours = held.iter().map(|held| held.shape).fold(Resources::default(), share::plus);
        self.others.map(|Others(others)| share::plus(others, ours))
    }

    /// The queue as it is: what can be planned, and what has been.
    fn queue(&mut self, now: Timestamp) -> Vec<Observed> {
        let Some(look) = &self.look else { return Vec::new() };
        let mut images: BTreeMap<&str, bool> = BTreeMap::new();
        let (mut queue, mut faults) = (Vec::new(), Vec::new());
        for task in self.tasks.values() {
            let members = look.of_workload(task.workload.id.as_str());
            let has_begun = members.iter().any(|member| member.fate() != Fate::Unborn);
            let submitted = task.workload.job().and_then(|job| job.submitted);
            if !has_begun && submitted.is_some_and(|submitted| submitted > now) {
                continue;
            }
            let is_open = members.len() < task.count() as usize;
            let has_image = !is_open
                || *images.entry(&task.image).or_insert_with(|| {
                    // Where the engine does not say, starting it will.
                    self.client.has_image(&task.image).unwrap_or(true)
                });
            let obstacle = observe::obstacle(task, has_image).filter(|_| is_open);
            faults.extend(obstacle.clone());
            if has_begun || obstacle.is_none() {
                queue.push(observe::observed(task, look, now));
            }
        }
        let tasks: Vec<&Task> = self.tasks.values().collect();
        self.faults.extend(observe::failures(look, &tasks).chain(faults));
        queue
    }
}

impl<M: Observe> Observe for Docker<M> {
    /// The machine, the parts of it that containers of ours hold, and the queue. Where the engine
    /// does not answer, the containers are those of the last look, and as old as it.
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        let mut seen = self.machine.observe(now)?;
        if let Err(error) = self.refresh(now) {
            let Some(look) = &self.look else { return Err(error.at_the_edge()) };
            self.faults.insert(format!("the containers are not known since {}: {error}", look.at));
        }
        seen.workloads = self.queue(now);
        let held = self.lives.held(self.shares.capacity);
        let machines = std::mem::take(&mut seen.nodes);
        let (own, others): (Vec<_>, Vec<_>) =
            machines.into_iter().partition(|node| node.id == self.node);
        seen.nodes = others;
        for machine in own {
            seen.nodes.extend(observe::nodes(machine, &held, &self.shares));
        }
        seen.nodes.sort_by(|a, b| a.id.cmp(&b.id));
        self.say_fit(&mut seen);
        for age in &mut seen.ages {
            if let Some(look) = self.look.as_ref().filter(|_| age.part == "workloads") {
                age.as_of = look.at.min(now);
            }
        }
        Ok(seen)
    }
}

impl<M: Measure> Measure for Docker<M> {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        let mut measured = self.machine.measure(window)?;
        let is_known = |label: &str, look: &Look| {
            let mut ours = look.ours.values();
            look.others.contains_key(label) || ours.any(|one| one.short() == label)
        };
        let labels = measured.samples.iter().filter_map(|sample| {
            sample.attribution.as_ref().and_then(|who| who.container.as_deref())
        });
        let mut labels = labels.filter(|label| label.len() == 12);
        // Something was started since the last look; where the engine does not answer, it keeps its
        // number for a name.
        let news = self.look.as_ref().is_none_or(|look| labels.any(|it| !is_known(it, look)));
        if news && let Err(error) = self.refresh(window.to()) {
            self.faults.insert(format!("the containers cannot be named: {error}"));
        }
        let nothing = Look::default();
        let pieces = self.lives.pieces(window, self.shares.capacity);
        let division = Division {
            look: self.look.as_ref().unwrap_or(&nothing),
            pieces: &pieces,
            shares: &self.shares,
            source: &self.source,
        };
        self.others = Some(division.divide(&mut measured));
        self.wear.add(&measured.samples, &pieces);
        self.set_aside_devices(&mut measured, window);
        self.lives.accounted(window.to());
        measured.faults.extend(std::mem::take(&mut self.faults));
        Ok(measured)
    }
}

impl<M> Quote for Docker<M> {
    /// The parts of the machine that the queue asks for, at their part of its price.
    fn offers(&mut self, now: Timestamp) -> Result<Arc<[Offer]>, EdgeError> {
        let queue = self
            .look
            .iter()
            .flat_map(|look| self.tasks.values().map(|task| observe::observed(task, look, now)));
        let queue: Vec<Observed> = queue.collect();
        let standing = observe::standing(queue.iter(), now);
        Ok(observe::offers(&self.shapes(), &self.shares, (&standing, self.taken())))
    }
}

/// Why the containers of a machine cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine does not answer as it should.
    #[error("the container engine cannot be asked: {0}")]
    Engine(#[source] DockerError),
    /// A name that measurements carry is no identifier.
    #[error("this machine cannot be named")]
    Name(#[source] IdError),
}
