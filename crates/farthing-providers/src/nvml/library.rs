//! The real driver, through `nvml-wrapper`: NVML is loaded at run time, never linked.

use super::{GpuDriver, GpuModel, GpuProcess, GpuReading, GpuReport};
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};
use std::collections::BTreeMap;

/// Where the library is on systems that install no development link: its versioned name first.
const LIBRARIES: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];

/// NVML, loaded and initialised.
#[derive(Debug)]
pub struct NvmlDriver {
    nvml: Nvml,
    /// Of each device, the time (driver's clock, microseconds) of the last utilisation sample.
    seen_micros: BTreeMap<u32, u64>,
}

/// Why there is no NVML.
#[derive(Debug, thiserror::Error)]
pub enum NvmlLoadError {
    /// The library is not installed.
    #[error(
        "no GPU is looked for: libnvidia-ml.so.1 is not installed (it comes with the NVIDIA \
         driver; in a container, run with the NVIDIA container toolkit)"
    )]
    NoLibrary,
    /// The library is there and does not start.
    #[error("no GPU is looked for: NVML is installed and does not start: {0}")]
    NoDriver(NvmlError),
}

impl NvmlDriver {
    /// Loads and initialises the library.
    ///
    /// # Errors
    /// It is not installed, or the kernel module is not loaded.
    pub fn load() -> Result<Self, NvmlLoadError> {
        for name in LIBRARIES {
            match Nvml::builder().lib_path(name.as_ref()).init() {
                Ok(nvml) => return Ok(Self { nvml, seen_micros: BTreeMap::new() }),
                Err(NvmlError::LibloadingError(_)) => {}
                Err(error) => return Err(NvmlLoadError::NoDriver(error)),
            }
        }
        Err(NvmlLoadError::NoLibrary)
    }

    fn read_device(
        &self,
        index: u32,
        since_micros: Option<u64>,
    ) -> Result<(GpuReading, Option<u64>), NvmlError> {
        let device = self.nvml.device_by_index(index)?;
        let (busy_percent, seen) = busy(&device, since_micros)?;
        let reading = GpuReading {
            uuid: device.uuid()?,
            mig: is_mig(&device),
            processes: processes(&device)?,
            busy_percent,
            device_busy_percent: optional(device.utilization_rates())?.map(|rates| rates.gpu),
            energy_millijoules: optional(device.total_energy_consumption())?,
        };
        Ok((reading, seen))
    }
}

impl GpuDriver for NvmlDriver {
    fn models(&mut self) -> Vec<GpuModel> {
        let count = self.nvml.device_count().unwrap_or(0);
        let model = |index| {
            let device = self.nvml.device_by_index(index).ok()?;
            Some(GpuModel {
                uuid: device.uuid().ok()?,
                name: device.name().ok()?,
                memory_bytes: device.memory_info().map_or(0, |memory| memory.total),
                mig: is_mig(&device),
            })
        };
        (0..count).filter_map(model).collect()
    }

    fn read(&mut self) -> GpuReport {
        let mut report = GpuReport::default();
        let count = match self.nvml.device_count() {
            Ok(count) => count,
            Err(error) => {
                report.faults.push(format!("the GPUs cannot be counted: {error}"));
                return report;
            }
        };
        for index in 0..count {
            match self.read_device(index, self.seen_micros.get(&index).copied()) {
                Ok((reading, seen)) => {
                    report.devices.push(reading);
                    self.seen_micros.extend(seen.map(|seen| (index, seen)));
                }
                Err(error) => {
                    report.faults.push(format!("GPU {index} cannot be read: {error}"));
                }
            }
        }
        report
    }
}

fn is_mig(device: &Device<'_>) -> bool {
    // Devices that know no MIG answer with an error.
    device.mig_mode().is_ok_and(|mode| mode.current == 1)
}

/// A value that not every device has.
fn optional<T>(value: Result<T, NvmlError>) -> Result<Option<T>, NvmlError> {
    match value {
        Ok(value) => Ok(Some(value)),
        Err(
            NvmlError::NotSupported
            | NvmlError::NoPermission
            | NvmlError::NoData
            | NvmlError::FunctionNotFound
            | NvmlError::FailedToLoadSymbol(_),
        ) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Compute and graphics processes; one that has both contexts is listed once.
fn processes(device: &Device<'_>) -> Result<Vec<GpuProcess>, NvmlError> {
    let compute = optional(device.running_compute_processes())?.unwrap_or_default();
    let graphics = optional(device.running_graphics_processes())?.unwrap_or_default();
    Ok(merged(compute.into_iter().chain(graphics)))
}

fn merged(processes: impl Iterator<Item = ProcessInfo>) -> Vec<GpuProcess> {
    let mut by_pid: BTreeMap<u32, Option<u64>> = BTreeMap::new();
    for process in processes {
        let memory = match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        };
        // Both lists state the same memory of a process, so the larger one, not the sum.
        let known = by_pid.entry(process.pid).or_default();
        *known = (*known).max(memory);
    }
    by_pid.into_iter().map(|(pid, memory_bytes)| GpuProcess { pid, memory_bytes }).collect()
}

/// Per process utilisation since a moment, and the moment to ask from the next time.
#[expect(clippy::type_complexity, reason = "a private pair, named by its one caller")]
fn busy(
    device: &Device<'_>,
    since_micros: Option<u64>,
) -> Result<(Option<Vec<(u32, u32)>>, Option<u64>), NvmlError> {
    let samples = match optional(device.process_utilization_stats(since_micros)) {
        Ok(Some(samples)) => samples,
        Ok(None) => return Ok((None, since_micros)),
        // The driver's answer when no process did anything since then.
        Err(NvmlError::NotFound) => return Ok((Some(Vec::new()), since_micros)),
        Err(error) => return Err(error),
    };
    // The driver fills unused slots with pid 0 and old time stamps.
    let fresh = samples
        .iter()
        .filter(|sample| sample.pid != 0 && since_micros.is_none_or(|at| sample.timestamp > at));
    let seen = fresh.clone().map(|sample| sample.timestamp).max().or(since_micros);
    Ok((Some(mean_of(fresh.map(|sample| (sample.pid, sample.sm_util)))), seen))
}

/// The mean percentage of each pid; sentinels above 100 are missing, not values.
fn mean_of(samples: impl Iterator<Item = (u32, u32)>) -> Vec<(u32, u32)> {
    let mut by_pid: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for (pid, percent) in samples.filter(|(_, percent)| *percent <= 100) {
        let (sum, count) = by_pid.entry(pid).or_default();
        *sum += percent;
        *count += 1;
    }
    by_pid.into_iter().map(|(pid, (sum, count))| (pid, sum / count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_two_contexts_is_one_process() {
        let info = |pid, bytes| ProcessInfo {
            pid,
            used_gpu_memory: bytes,
            gpu_instance_id: None,
            compute_instance_id: None,
        };
        let both = [
            info(7, UsedGpuMemory::Used(100)),
            info(3, UsedGpuMemory::Unavailable),
            info(7, UsedGpuMemory::Used(100)),
        ];
        let expect = [
            GpuProcess { pid: 3, memory_bytes: None },
            GpuProcess { pid: 7, memory_bytes: Some(100) },
        ];
        assert_eq!(merged(both.into_iter()), expect);
    }

    #[test]
    fn sentinels_are_missing() {
        let samples = [(1, 40), (1, 60), (2, 4_294_967_295), (3, 0)];
        assert_eq!(mean_of(samples.into_iter()), [(1, 50), (3, 0)]);
    }
}
