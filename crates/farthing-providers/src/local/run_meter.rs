//! What one command and everything that it started use: processor time, memory, accelerators and
//! energy, from one moment on.
//!
//! Processor time is that of a control group of its own where there is one ([`RunGroup`]). Else it
//! is summed over the descendants of the process that started the command, which must be their
//! *subreaper*: whoever loses its parent becomes its child, so that nobody gets out of sight, and
//! who ended is in its own counter of children. It refuses to know prices, windows and limits.

use super::counters::CpuTimes;
use super::files::Files;
use super::inventory::read;
use super::notes::Notes;
use super::process::{ProcessStat, resident_pages};
use super::rapl::Rapl;
use super::run_group::RunGroup;
use super::{LocalError, Units};
use crate::nvml::{GpuDriver, GpuReading, GpuReport};
use farthing_model::{Joules, Quantity, proportion};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Most processes looked at.
const PROCESSES_MAX: usize = 1 << 16;

/// What a meter is opened with.
pub struct RunMeterOptions {
    /// Whose descendants are metered: the subreaper that starts the command.
    pub ancestor: u32,
    /// The group that the command is put into, if there is one.
    pub group: Option<RunGroup>,
    /// Whether its descendants are the command: of a container they only start it.
    pub tree: bool,
    /// Reads accelerators.
    pub gpus: Box<dyn GpuDriver>,
    /// Accelerators that are the command's alone; their energy is its.
    pub own_devices: BTreeSet<String>,
}

/// What was used up to a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunLook {
    /// Processor time since the beginning.
    pub cpu_nanos: u64,
    /// Main memory that is held now: what is each process's own, and the largest part that they
    /// share, as nobody says how often that is the same.
    pub memory_bytes: u64,
    /// The most that was ever held, as far as was seen.
    pub memory_peak_bytes: u64,
    /// Processes and threads of them that live now.
    pub processes: u32,
    /// What each accelerator did since the last reading of them, where they were read.
    pub devices: Vec<DeviceLook>,
    /// Energy since the beginning; `None` where nothing has a counter.
    pub energy: Option<Quantity<Joules>>,
}

/// What the command did on one accelerator since the last reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLook {
    /// The vendor's unique id.
    pub uuid: String,
    /// Percent of time in which it had kernels on the multiprocessors; `None` = nobody says.
    pub busy_percent: Option<u32>,
    /// Device memory that it holds now, where the driver says.
    pub memory_bytes: Option<u64>,
    /// Whether it holds a context now.
    pub holds: bool,
}

/// The meter of one command.
pub struct RunMeter {
    files: Files,
    units: Units,
    options: RunMeterOptions,
    /// Processor time of the ancestor's ended children before the beginning.
    reaped_before: u64,
    pids: Vec<u32>,
    tree: Vec<u32>,
    last: RunLook,
    rapl: Rapl,
    notes: Notes,
    times: Option<CpuTimes>,
    energy_nano: Option<i128>,
    energy_of_devices: BTreeMap<String, u64>,
}

impl RunMeter {
    /// Opens the meter; what its descendants use from here on counts.
    ///
    /// # Errors
    /// There is no readable `/proc`.
    pub fn open(options: RunMeterOptions) -> Result<Self, LocalError> {
        let root = Path::new("/");
        let files = Files::open(root).map_err(|source| LocalError::read(root, "/proc", source))?;
        let mut meter = Self {
            files,
            units: Units::of_this_kernel(),
            options,
            reaped_before: 0,
            pids: Vec::new(),
            tree: Vec::new(),
            last: RunLook::default(),
            rapl: Rapl::default(),
            notes: Notes::default(),
            times: None,
            energy_nano: None,
            energy_of_devices: BTreeMap::new(),
        };
        meter.reaped_before = meter.reaped_ticks();
        meter.rapl.read(&mut meter.files, &mut meter.notes);
        meter.times = read(&mut meter.files, root, "/proc/stat", CpuTimes::parse).ok();
        let report = meter.options.gpus.read();
        meter.count_device_energy(&report);
        Ok(meter)
    }

    /// The group that the command is to join.
    pub const fn group(&self) -> Option<&RunGroup> {
        self.options.group.as_ref()
    }

    /// The command is in this group from now on.
    pub fn adopt(&mut self, group: RunGroup) {
        self.options.group = Some(group);
    }

    /// The descendants as of the last look, each before those that it started.
    pub fn tree(&self) -> &[u32] {
        &self.tree
    }

    /// Finds the descendants anew, without measuring them.
    pub fn find(&mut self) -> &[u32] {
        self.walk();
        &self.tree
    }

    /// Looks at everything; at accelerators too if `with_devices`, as that takes a thousand times
    /// longer.
    pub fn look(&mut self, with_devices: bool) -> RunLook {
        let (live_ticks, held) = self.walk();
        let reaped = self.reaped_ticks().saturating_sub(self.reaped_before);
        let by_tree = (live_ticks + reaped).saturating_mul(self.units.nanos_per_tick);
        let by_tree = if self.options.tree { by_tree } else { 0 };
        let group = self.options.group.as_ref();
        let by_group = group.and_then(RunGroup::cpu_nanos);
        let held = match group.filter(|_| !self.options.tree).map(RunGroup::memory_bytes) {
            Some(bytes) => bytes.unwrap_or(0),
            None if self.options.tree => held,
            None => 0,
        };
        let before = self.last.cpu_nanos;
        // While a process hands its time over to its parent it is in neither for a moment: what was
        // counted stays counted, and the next look has it in its place.
        let cpu_nanos = by_group.unwrap_or(by_tree).max(before);
        let peak = self.options.group.as_ref().and_then(RunGroup::memory_peak_bytes);
        let peak = peak.unwrap_or(0).max(held).max(self.last.memory_peak_bytes);
        self.count_processor_energy(cpu_nanos - before);
        let devices = if with_devices { self.read_devices() } else { Vec::new() };
        self.last = RunLook {
            cpu_nanos,
            memory_bytes: held,
            memory_peak_bytes: peak,
            processes: u32::try_from(self.tree.len()).unwrap_or(u32::MAX),
            devices,
            energy: self.energy_nano.map(Quantity::from_nano),
        };
        self.last.clone()
    }

    /// Processor time of the ancestor's ended children, and theirs.
    fn reaped_ticks(&mut self) -> u64 {
        let own = self.files.of_process(self.options.ancestor, "stat").ok();
        own.and_then(ProcessStat::parse).map_or(0, |stat| stat.reaped_ticks)
    }

    /// Finds the descendants; their processor time in ticks, and the memory that they hold.
    fn walk(&mut self) -> (u64, u64) {
        let mut children: HashMap<u32, Vec<(u32, u64)>> = HashMap::new();
        let mut pids = std::mem::take(&mut self.pids);
        // No folder of processes at all is what opening has ruled out.
        let _ = self.files.pids(PROCESSES_MAX, &mut pids);
        for &pid in &pids {
            let stat = self.files.of_process(pid, "stat").ok().and_then(ProcessStat::parse);
            // It ended between the listing and the reading.
            let Some(stat) = stat else { continue };
            let ticks = stat.cpu_ticks.saturating_add(stat.reaped_ticks);
            children.entry(stat.parent).or_default().push((pid, ticks));
        }
        self.pids = pids;
        self.tree.clear();
        let (mut ticks, mut next) = (0_u64, vec![self.options.ancestor]);
        while let Some(parent) = next.pop() {
            for (pid, used) in children.remove(&parent).unwrap_or_default() {
                ticks = ticks.saturating_add(used);
                self.tree.push(pid);
                next.push(pid);
            }
        }
        let (mut own, mut shared_most) = (0_u64, 0_u64);
        for &pid in &self.tree {
            let pages = self.files.of_process(pid, "statm").ok().and_then(resident_pages);
            let (resident, shared) = pages.unwrap_or_default();
            own = own.saturating_add(resident.saturating_sub(shared));
            shared_most = shared_most.max(shared.min(resident));
        }
        let pages = own.saturating_add(shared_most);
        (ticks, pages.saturating_mul(self.units.page_bytes))
    }

    /// A processor's energy belongs to who used it, in proportion to time.
    fn count_processor_energy(&mut self, used_nanos: u64) {
        let zones = self.rapl.read(&mut self.files, &mut self.notes);
        let now = read(&mut self.files, Path::new("/"), "/proc/stat", CpuTimes::parse).ok();
        let before = std::mem::replace(&mut self.times, now);
        let (Some(now), Some(before)) = (now, before) else { return };
        let busy = now.since(before).0.busy().saturating_mul(self.units.nanos_per_tick);
        if zones.is_empty() {
            return;
        }
        let all: i128 = zones.iter().map(|(_, used)| used.nano()).sum();
        let busy = busy.max(used_nanos);
        let part = proportion(all, i128::from(used_nanos), i128::from(busy)).unwrap_or(0);
        self.energy_nano = Some(self.energy_nano.unwrap_or(0) + part);
    }

    fn read_devices(&mut self) -> Vec<DeviceLook> {
        let report = self.options.gpus.read();
        self.count_device_energy(&report);
        let mut tree: BTreeSet<u32> = self.tree.iter().copied().collect();
        tree.extend(self.options.group.iter().flat_map(RunGroup::pids));
        report.devices.iter().map(|reading| device_look(reading, &tree)).collect()
    }

    fn count_device_energy(&mut self, report: &GpuReport) {
        for reading in &report.devices {
            let Some(now) = reading.energy_millijoules else { continue };
            let Some(before) = self.energy_of_devices.insert(reading.uuid.clone(), now) else {
                continue;
            };
            if !self.options.own_devices.contains(&reading.uuid) {
                continue;
            }
            let used = i128::from(now.checked_sub(before).unwrap_or(now)) * 1_000_000;
            self.energy_nano = Some(self.energy_nano.unwrap_or(0) + used);
        }
    }
}

/// The part of a device's reading that is of some processes.
fn device_look(reading: &GpuReading, tree: &BTreeSet<u32>) -> DeviceLook {
    let ours = |pid: &u32| tree.contains(pid);
    let holders = || reading.processes.iter().filter(|process| ours(&process.pid));
    let of = |busy: &Vec<(u32, u32)>| {
        busy.iter().filter(|(pid, _)| ours(pid)).map(|(_, percent)| percent).sum::<u32>().min(100)
    };
    let holds = holders().next().is_some();
    // Where the driver cannot tell processes apart, a device that only we hold is all ours.
    let alone = holds && holders().count() == reading.processes.len();
    let whole = reading.device_busy_percent.filter(|_| alone).map(|percent| percent.min(100));
    DeviceLook {
        uuid: reading.uuid.clone(),
        busy_percent: reading.busy_percent.as_ref().map(of).or(whole),
        memory_bytes: holders().map(|process| process.memory_bytes).sum::<Option<u64>>(),
        holds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nvml::{GpuProcess, NoGpus};
    use std::process::Command;

    fn meter() -> RunMeter {
        let options = RunMeterOptions {
            ancestor: std::process::id(),
            group: None,
            tree: true,
            gpus: Box::new(NoGpus::default()),
            own_devices: BTreeSet::new(),
        };
        RunMeter::open(options).unwrap()
    }

    #[test]
    fn a_child_and_its_children_are_found_and_counted_also_when_they_have_ended() {
        let mut meter = meter();
        let script = "(i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done) & sleep 20";
        let mut child = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let mut seen = RunLook::default();
        for _ in 0..200 {
            seen = meter.look(false);
            if meter.tree().len() >= 2 && seen.cpu_nanos > 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(meter.tree().first(), Some(&child.id()));
        assert!(seen.memory_bytes > 100_000 && seen.cpu_nanos > 0, "{seen:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(meter.look(false).cpu_nanos >= seen.cpu_nanos);
    }

    #[test]
    fn of_a_device_only_the_own_part_counts() {
        let process = |pid, memory_bytes| GpuProcess { pid, memory_bytes };
        let reading = GpuReading {
            uuid: "GPU-1".to_owned(),
            processes: vec![process(7, Some(100)), process(8, Some(50)), process(9, Some(25))],
            busy_percent: Some(vec![(7, 30), (8, 80), (9, 60)]),
            ..GpuReading::default()
        };
        let look = device_look(&reading, &BTreeSet::from([7, 9]));
        assert_eq!((look.busy_percent, look.memory_bytes, look.holds), (Some(90), Some(125), true));
        let look = device_look(&reading, &BTreeSet::from([1]));
        assert_eq!((look.busy_percent, look.memory_bytes, look.holds), (Some(0), Some(0), false));
        // Nobody tells processes apart: a device that others hold too is not known.
        let reading = GpuReading { busy_percent: None, device_busy_percent: Some(40), ..reading };
        assert_eq!(device_look(&reading, &BTreeSet::from([7])).busy_percent, None);
        assert_eq!(device_look(&reading, &BTreeSet::from([7, 8, 9])).busy_percent, Some(40));
    }
}
