//! What this machine is: what a price is looked up for before anything is measured.

use super::LocalError;
use super::counters::{CpuTimes, MemInfo};
use super::disks::{
    BlockDevice, FileSystem, SpaceOf, block_devices, capacity_bytes, file_systems, space,
};
use super::files::{Files, lines};
use super::process::readable;
use crate::nvml::{GpuDriver, GpuModel};
use farthing_model::Resources;
use std::path::Path;

/// What a machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Its name; `local` where it has none.
    pub hostname: String,
    /// Its processor as the kernel names it, where it does.
    pub cpu_model: Option<String>,
    /// Processors online, as the scheduler counts them (with hyper-threading: threads).
    pub cores: u32,
    /// Main memory that the kernel manages.
    pub memory_bytes: u64,
    /// Disk: its physical disks or, where they are not seen or smaller, its file systems.
    pub storage_bytes: u64,
    /// File systems on its disks, by mount point.
    pub file_systems: Vec<FileSystem>,
    /// Its physical disks, by name.
    pub block_devices: Vec<BlockDevice>,
    /// Its GPUs, in the driver's order.
    pub gpus: Vec<GpuModel>,
}

impl Inventory {
    /// The same as the capacity of a node.
    pub fn capacity(&self) -> Resources {
        let gpus = u64::try_from(self.gpus.len()).unwrap_or(u64::MAX);
        Resources {
            gpu_milli: gpus.saturating_mul(1_000),
            cpu_milli: u64::from(self.cores) * 1_000,
            memory_bytes: self.memory_bytes,
            storage_bytes: self.storage_bytes,
        }
    }
}

/// Looks at what the machine under `root` has (`/` for this one).
///
/// # Errors
/// `root` has no readable `/proc`, or `/proc/stat` or `/proc/meminfo` say nothing.
pub fn inventory(root: &Path, gpus: &mut dyn GpuDriver) -> Result<Inventory, LocalError> {
    let mut files = Files::open(root).map_err(|source| LocalError::read(root, "/proc", source))?;
    look(&mut files, gpus.models(), space)
}

pub(super) fn look(
    files: &mut Files,
    gpus: Vec<GpuModel>,
    space_of: SpaceOf,
) -> Result<Inventory, LocalError> {
    let root = files.root().to_owned();
    let times = read(files, &root, "/proc/stat", CpuTimes::parse)?;
    let memory = read(files, &root, "/proc/meminfo", MemInfo::parse)?;
    let file_systems = file_systems(files, space_of);
    let block_devices = block_devices(files);
    Ok(Inventory {
        hostname: hostname(files),
        cpu_model: cpu_model(files),
        cores: times.cores,
        memory_bytes: memory.total,
        storage_bytes: capacity_bytes(&block_devices, &file_systems),
        file_systems,
        block_devices,
        gpus,
    })
}

/// Reads and parses a kernel file.
pub(super) fn read<T>(
    files: &mut Files,
    root: &Path,
    path: &'static str,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<T, LocalError> {
    let text = files.whole(path).map_err(|source| LocalError::read(root, path, source))?;
    parse(text).ok_or_else(|| LocalError::Syntax { path: super::under(root, path) })
}

fn hostname(files: &mut Files) -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .into_iter()
        .filter_map(|path| files.whole(path).ok().map(<[u8]>::trim_ascii).map(readable))
        .find(|name| name != "(unnamed)" && name != "(none)")
        .map_or_else(|| "local".to_owned(), |name| name.chars().take(64).collect())
}

fn cpu_model(files: &mut Files) -> Option<String> {
    let of_x86 = |text: &[u8]| {
        let named =
            |line: &&[u8]| line.starts_with(b"model name") || line.starts_with(b"cpu model");
        let line = lines(text).find(named)?;
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some(readable(line[colon + 1..].trim_ascii()))
    };
    let text = files.whole("/proc/cpuinfo").ok();
    if let Some(name) = text.and_then(of_x86).filter(|name| name != "(unnamed)") {
        return Some(name);
    }
    // Arm machines name the board and not the processor.
    let board = files.whole("/proc/device-tree/model").ok()?;
    let board = board.strip_suffix(b"\0").unwrap_or(board);
    Some(readable(board)).filter(|name| name != "(unnamed)")
}
