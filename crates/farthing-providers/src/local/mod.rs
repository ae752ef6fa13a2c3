//! This machine: what it has, what runs on it, and who used how much of it.
//!
//! [`LocalMachine`] observes and measures through `/proc`, control groups (versions 1, 2 and
//! hybrid), the file systems and, where their driver is there, GPUs. It refuses to know prices
//! ([`MachineOffer`] brings one), the clock (windows come from the caller; `/proc/uptime` tells it
//! when the two disagree) and other machines.
//!
//! Start with [`inventory`] to price the machine, then [`LocalMachine::open`]. What a row is called
//! is said in `rows`, how processor time adds up in `cpu`, memory in `memory`, GPUs in `gpus`.
//!
//! The files are read by this module and not by the `procfs` crate: metering is the core of the
//! product, two files of each process are read at each tick, and six numbers of them are needed.

mod counters;
mod cover;
mod cpu;
mod disks;
mod files;
mod gpus;
mod groups;
mod inventory;
mod look;
mod memory;
mod mounts;
mod notes;
mod owner;
mod process;
mod rapl;
mod rows;
mod run_group;
mod run_meter;
mod table;
#[cfg(test)]
mod tests;
mod uses;

pub use disks::{BlockDevice, FileSystem};
pub use inventory::{Inventory, inventory};
pub use run_group::RunGroup;
pub use run_meter::{RunLook, RunMeter, RunMeterOptions};

use crate::nvml::GpuDriver;
use cpu::{CpuAccount, CpuLook};
use disks::{SpaceOf, space};
use farthing_edge::{Class, EdgeError, Measure, Measured, Observe};
use farthing_model::{
    Age, Asset, ClusterId, Coverage, DeviceId, DeviceUse, Joules, Node, NodeId, NodeSpan,
    NodeState, OfferId, PROCESSORS, Place, Price, Purchase, Quantity, Resource, Resources, Sample,
    Snapshot, SourceId, Window, proportion,
};
use files::Files;
use gpus::Holder;
use jiff::Timestamp;
use look::{Look, Looker};
use notes::Notes;
use rapl::Rapl;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use uses::{Use, keep_within, request_limits, samples};

/// What this machine is bought as. It is owned; its price is made from [`Inventory`] elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineOffer {
    /// The id that the ledger's rows carry.
    pub offer: OfferId,
    /// Where it stands.
    pub place: Place,
    /// What kind of machine it is, for statements.
    pub instance_type: String,
    /// What it costs per hour.
    pub price: Price,
}

impl MachineOffer {
    /// All of the machine over a window: what is paid.
    pub fn span(
        &self,
        node: &NodeId,
        (capacity, purchase): (Resources, Purchase),
        window: Window,
        measured: bool,
    ) -> NodeSpan {
        NodeSpan {
            node: node.clone(),
            asset: Asset::Node,
            offer: self.offer.clone(),
            place: self.place.clone(),
            instance_type: self.instance_type.clone(),
            purchase,
            capacity,
            price: self.price.clone(),
            window,
            ready: window.from(),
            held_for: None,
            measured,
        }
    }
}

/// Why this machine cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A kernel file or folder cannot be read.
    #[error("{path} cannot be read: a Linux machine with /proc mounted is needed")]
    Read {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A kernel file is there and says nothing.
    #[error("{path} is not what a Linux kernel writes")]
    Syntax {
        /// Which one.
        path: PathBuf,
    },
    /// A name that the measurements carry is no identifier.
    #[error("this machine cannot be named")]
    Name(#[source] farthing_model::IdError),
}

impl LocalError {
    fn read(root: &Path, path: &str, source: rustix::io::Errno) -> Self {
        Self::io(root, path, source.into())
    }

    fn io(root: &Path, path: &str, source: std::io::Error) -> Self {
        Self::Read { path: under(root, path), source }
    }

    fn at_the_edge(self) -> EdgeError {
        let class = match &self {
            Self::Read { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Class::Denied
            }
            Self::Read { .. } => Class::Transient,
            Self::Syntax { .. } | Self::Name(_) => Class::Invalid,
        };
        EdgeError::new(class, self.to_string()).with_source(self)
    }
}

fn under(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// Units of the kernel's numbers.
#[derive(Clone, Copy, Debug)]
struct Units {
    ticks_per_second: u64,
    nanos_per_tick: u64,
    page_bytes: u64,
}

impl Units {
    fn of_this_kernel() -> Self {
        let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4_096);
        Self { ticks_per_second, nanos_per_tick: 1_000_000_000 / ticks_per_second, page_bytes }
    }
}

/// The names of what samples were read from.
#[derive(Clone, Debug)]
struct Sources {
    procfs: SourceId,
    cgroup: SourceId,
    nvml: SourceId,
    statvfs: SourceId,
    rapl: SourceId,
}

impl Sources {
    fn new() -> Result<Self, LocalError> {
        let source = |name| SourceId::new(name).map_err(LocalError::Name);
        Ok(Self {
            procfs: source("procfs")?,
            cgroup: source("cgroup")?,
            nvml: source("nvml")?,
            statvfs: source("statvfs")?,
            rapl: source(PROCESSORS)?,
        })
    }
}

/// This machine as a cluster of one node.
pub struct LocalMachine {
    cluster: ClusterId,
    node: NodeId,
    offer: MachineOffer,
    gpus: Box<dyn GpuDriver>,
    looker: Looker,
    sources: Sources,
    capacity: Resources,
    cpu: CpuAccount,
    notes: Notes,
    /// Energy counters at the last look, in millijoules.
    energy_millijoules: BTreeMap<DeviceId, u64>,
    energy: Vec<(DeviceId, Quantity<Joules>)>,
    rapl: Rapl,
    energy_of_zones: Vec<(String, Quantity<Joules>)>,
    /// Since when it is paid: the first moment anyone asked about.
    since: Option<Timestamp>,
    /// Up to where it is accounted.
    accounted_to: Option<Timestamp>,
    coverage: Coverage,
}

impl LocalMachine {
    /// Opens the machine under `root` (`/` for this one) and takes the first look, which later
    /// measurements are counted from. `gpus` is [`crate::nvml::driver`] or a fake.
    ///
    /// # Errors
    /// `root` has no readable `/proc`, or its counters say nothing.
    pub fn open(
        root: &Path,
        cluster: ClusterId,
        offer: MachineOffer,
        gpus: Box<dyn GpuDriver>,
    ) -> Result<Self, LocalError> {
        Self::with(root, cluster, offer, gpus, (Units::of_this_kernel(), space))
    }

    fn with(
        root: &Path,
        cluster: ClusterId,
        offer: MachineOffer,
        mut gpus: Box<dyn GpuDriver>,
        (units, space_of): (Units, SpaceOf),
    ) -> Result<Self, LocalError> {
        let mut files =
            Files::open(root).map_err(|source| LocalError::read(root, "/proc", source))?;
        let inventory = inventory::look(&mut files, gpus.models(), space_of)?;
        let mut notes = Notes::default();
        let looker = Looker::new(files, units, space_of, &mut notes)?;
        let mut machine = Self {
            cluster,
            node: NodeId::new(&inventory.hostname).map_err(LocalError::Name)?,
            offer,
            gpus,
            looker,
            sources: Sources::new()?,
            capacity: inventory.capacity(),
            cpu: CpuAccount::default(),
            notes,
            energy_millijoules: BTreeMap::new(),
            energy: Vec::new(),
            rapl: Rapl::default(),
            energy_of_zones: Vec::new(),
            since: None,
            accounted_to: None,
            coverage: Coverage::default(),
        };
        // From here on the driver's samples and energy are counted.
        machine.read_gpus(None);
        machine.rapl.read(&mut machine.looker.files, &mut machine.notes);
        Ok(machine)
    }

    /// Energy of each GPU over the last measurement, where it has a counter.
    pub fn energy(&self) -> &[(DeviceId, Quantity<Joules>)] {
        &self.energy
    }

    /// Energy of each processor package and its memory over the last measurement, by the kernel's
    /// counters (RAPL); empty where there are none.
    pub fn energy_of_processors(&self) -> &[(String, Quantity<Joules>)] {
        &self.energy_of_zones
    }

    fn measure_once(&mut self, window: Window) -> Result<Measured, LocalError> {
        let is_first = self.accounted_to.is_none();
        self.since.get_or_insert(window.from());
        // 1. Look at everything.
        let look = self.looker.look(&mut self.notes)?;
        self.energy_of_zones = self.rapl.read(&mut self.looker.files, &mut self.notes);
        self.capacity.memory_bytes = look.memory.total;
        self.capacity.cpu_milli = u64::from(look.times.cores) * 1_000;
        // 2. Find the part of the window that the look speaks of.
        let cover = cover::cover(window, self.accounted_to, look.elapsed_nanos);
        // The time between opening and the first window is nobody's.
        let expected = is_first && cover.scale.is_some();
        if let Some(note) = cover.note.filter(|_| !expected) {
            self.notes.happened(note);
        }
        let parts = [cover.unmeasured, cover.measured].into_iter().flatten();
        self.coverage = Coverage {
            expected_nanos: parts.clone().map(Window::nanos).sum(),
            measured_nanos: cover.measured.map_or(0, Window::nanos),
        };
        let spans = parts.map(|part| self.span(part, Some(part) == cover.measured)).collect();
        // 3. Who used what in it.
        let (samples, uses) = if let Some(measured) = cover.measured {
            self.samples(&look, measured, cover.scale)
        } else {
            self.skip(&look);
            (Vec::new(), Vec::new())
        };
        self.accounted_to = self.accounted_to.max(Some(window.to()));
        let (coverage, faults) = (self.coverage, self.notes.finish());
        Ok(Measured { spans, samples, uses, coverage, faults, requests: 0 })
    }

    fn span(&self, window: Window, measured: bool) -> NodeSpan {
        self.offer.span(&self.node, (self.capacity, Purchase::Owned), window, measured)
    }

    /// Sorted by resource, then attribution, as the contract says.
    fn samples(
        &mut self,
        look: &Look,
        window: Window,
        scale: Option<(i128, i128)>,
    ) -> (Vec<Sample>, Vec<DeviceUse>) {
        let (of_gpus, mut records) = self.read_gpus(Some(window));
        let zones = (&self.energy_of_zones[..], &self.sources.rapl);
        records.extend(rapl::records(zones, &self.node, window));
        let per_resource = [
            (Resource::Gpu, of_gpus),
            (Resource::Cpu, self.cpu_uses(look, window, scale)),
            (Resource::Memory, self.memory_uses(look, window)),
            (Resource::Storage, self.disk_uses(look, window)),
        ];
        let samples = per_resource
            .into_iter()
            .flat_map(|(resource, uses)| samples(uses, &self.node, resource, window));
        (samples.collect(), records)
    }

    /// A look at time that is accounted already: its counters are passed over.
    fn skip(&mut self, look: &Look) {
        let _ = self.cpu_account(look);
        self.read_gpus(None);
    }

    fn cpu_account(&mut self, look: &Look) -> (Vec<Use>, u64) {
        let Look { times, scan, tick, hidden, .. } = *look;
        let cpu = CpuLook { times, scan, tick, hidden };
        self.cpu.uses(&cpu, &mut self.looker.who, self.looker.units, &self.sources)
    }

    fn cpu_uses(&mut self, look: &Look, window: Window, scale: Option<(i128, i128)>) -> Vec<Use> {
        let (mut uses, forgotten) = self.cpu_account(look);
        if forgotten > 0 {
            self.notes.holds("owed", || {
                "processes used more than /proc/stat counted as busy: the difference is not taken \
                 back"
                    .to_owned()
            });
        }
        if let Some((of, over)) = scale {
            for one in &mut uses {
                // The ratio is below one and both are positive, so that this always is a number.
                one.used_nano = proportion(one.used_nano, of, over).unwrap_or(0);
            }
        }
        let nano = |resource| self.capacity.nano(resource) * window.nanos() / 1_000_000_000;
        let capacity = nano(Resource::Cpu);
        let over = keep_within(&mut uses, capacity);
        // Looks are not evenly apart, so that a full machine is often a little over; the first one
        // began before its window.
        if over > capacity / 50 && self.accounted_to.is_some() {
            self.notes.happened(format!(
                "the processors counted {} ms more than the machine has in {window}: scaled down",
                over / 1_000_000
            ));
        }
        request_limits(&mut uses, &self.looker.who.groups, capacity, |group| {
            Some(i128::from(group.cpu_limit_nano?) * window.nanos() / 1_000_000_000)
        });
        uses
    }

    fn memory_uses(&self, look: &Look, window: Window) -> Vec<Use> {
        let who = &self.looker.who;
        let tick = look.tick.number;
        let mut uses = memory::bytes(&look.memory, &who.rows, tick, look.hidden, &self.sources);
        // A byte for a second is 10^9: bytes times nanoseconds.
        for one in &mut uses {
            one.used_nano *= window.nanos();
        }
        let capacity = i128::from(look.memory.total) * window.nanos();
        request_limits(&mut uses, &who.groups, capacity, |group| {
            Some(i128::from(group.memory_limit_bytes?).saturating_mul(window.nanos()))
        });
        uses
    }

    fn disk_uses(&self, look: &Look, window: Window) -> Vec<Use> {
        let use_of = |disk: &FileSystem| {
            let who = rows::named(&format!("disk:{}", disk.mount));
            let used = i128::from(disk.used_bytes) * window.nanos();
            Use::of(who, self.sources.statvfs.clone(), used)
        };
        let mut uses: Vec<Use> = look.disks.iter().map(use_of).collect();
        keep_within(&mut uses, i128::from(self.capacity.storage_bytes) * window.nanos());
        uses
    }

    /// Reads the GPUs: who used them over a window, and what they did. Without a window counters
    /// are only passed over.
    fn read_gpus(&mut self, window: Option<Window>) -> (Vec<Use>, Vec<DeviceUse>) {
        let window_nanos = window.map_or(0, Window::nanos);
        let report = self.gpus.read();
        for fault in report.faults {
            self.notes.holds(&fault.clone(), || fault);
        }
        self.energy.clear();
        let (mut all, mut records) = (Vec::new(), Vec::new());
        for reading in &report.devices {
            let mut power_mw = None;
            if let (Some(now), Ok(device)) =
                (reading.energy_millijoules, DeviceId::new(&reading.uuid))
            {
                let before = self.energy_millijoules.insert(device.clone(), now);
                // The counter starts again with the driver: then all of it is new.
                let used = before.map(|before| now.checked_sub(before).unwrap_or(now));
                // Millijoules in a second are milliwatts.
                let mean = used.and_then(|it| proportion(it.into(), 1_000_000_000, window_nanos));
                power_mw = mean.and_then(|mean| u32::try_from(mean).ok());
                let quantity = used.map(|used| Quantity::from_nano(i128::from(used) * 1_000_000));
                self.energy.extend(quantity.map(|quantity| (device, quantity)));
            }
            let looker = &self.looker;
            let holder = |pid, running| match looker.row_of(pid) {
                Some(row) => Holder::Seen(row.who.clone()),
                None if running => Holder::Hidden,
                None => Holder::Ended,
            };
            let (uses, note) = gpus::uses(reading, window_nanos, &self.sources.nvml, holder);
            if let Some(note) = note {
                self.notes.holds(&note.clone(), || note);
            }
            let from = (&self.node, &self.sources.nvml);
            if let Some(window) = window {
                records.extend(gpus::records(reading, &uses, from, window, power_mw));
            }
            all.extend(uses);
        }
        (all, records)
    }
}

impl Observe for LocalMachine {
    /// One node, and no workloads: nothing is managed on this machine, what runs is measured.
    fn observe(&mut self, now: Timestamp) -> Result<Snapshot, EdgeError> {
        let since = *self.since.get_or_insert(now);
        let node = Node {
            id: self.node.clone(),
            offer: self.offer.offer.clone(),
            capacity: self.capacity,
            price: self.offer.price.clone(),
            state: NodeState::Ready,
            since: since.min(now),
            until: None,
        };
        let usage = self.accounted_to.unwrap_or(since).min(now);
        let age = |part, as_of| Age { part, as_of };
        Ok(Snapshot {
            cluster: self.cluster.clone(),
            at: now,
            nodes: vec![node],
            workloads: Vec::new(),
            ages: vec![age("nodes", now), age("workloads", now), age("usage", usage)],
            coverage: self.coverage,
            terms: std::sync::Arc::default(),
        })
    }
}

impl Measure for LocalMachine {
    fn measure(&mut self, window: Window) -> Result<Measured, EdgeError> {
        self.measure_once(window).map_err(LocalError::at_the_edge)
    }
}
