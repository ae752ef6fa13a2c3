//! NVIDIA devices: what they are, who holds them, how busy they were.
//!
//! [`driver`] loads NVML at run time; a machine without the driver has zero GPUs and one note that
//! says why. The logic that turns readings into samples sits behind [`GpuDriver`] (in
//! `local`), so that it is tested without a GPU. This module refuses to know money, windows and
//! attributions.

mod library;

pub use library::{NvmlDriver, NvmlLoadError};

/// Reads accelerators.
pub trait GpuDriver {
    /// What is in the machine. Called rarely: it may take a tenth of a second.
    fn models(&mut self) -> Vec<GpuModel>;

    /// One reading of every device, of the time since the last reading.
    fn read(&mut self) -> GpuReport;
}

/// A device as it was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuModel {
    /// The vendor's unique id, such as `GPU-5f0c…`.
    pub uuid: String,
    /// The vendor's name, such as `NVIDIA H100 80GB HBM3`.
    pub name: String,
    /// Its memory in bytes; zero where the driver does not say.
    pub memory_bytes: u64,
    /// Whether it is cut into MIG instances. Their shares are not read yet.
    pub mig: bool,
}

/// One reading of all devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuReport {
    /// The devices that could be read.
    pub devices: Vec<GpuReading>,
    /// What could not be read, and what would be right.
    pub faults: Vec<String>,
}

/// One reading of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuReading {
    /// The vendor's unique id.
    pub uuid: String,
    /// Whether it is cut into MIG instances.
    pub mig: bool,
    /// Processes that hold a context on it now, each once, by pid.
    pub processes: Vec<GpuProcess>,
    /// Percent of time in which each process had kernels on the multiprocessors, as the mean of the
    /// driver's own samples since the last reading. A process that is not listed had none. `None` =
    /// the device cannot say.
    pub busy_percent: Option<Vec<(u32, u32)>>,
    /// Percent of the last sample period (a second or less) in which any kernel ran; `None` =
    /// the device cannot say.
    pub device_busy_percent: Option<u32>,
    /// Energy since the driver was loaded, in millijoules; `None` = the device has no counter.
    pub energy_millijoules: Option<u64>,
}

/// A process that holds a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GpuProcess {
    /// Its process id, as the driver sees it (the root namespace).
    pub pid: u32,
    /// Device memory that it holds, in bytes; `None` = the driver does not say.
    pub memory_bytes: Option<u64>,
}

/// A machine without a readable driver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoGpus {
    why: Option<String>,
}

impl NoGpus {
    /// Zero GPUs; `why` is reported once, as the only fault of the first reading.
    pub fn because(why: impl Into<String>) -> Self {
        Self { why: Some(why.into()) }
    }
}

impl GpuDriver for NoGpus {
    fn models(&mut self) -> Vec<GpuModel> {
        Vec::new()
    }

    fn read(&mut self) -> GpuReport {
        GpuReport { devices: Vec::new(), faults: self.why.take().into_iter().collect() }
    }
}

/// NVML where its driver is there, else zero GPUs and one note that says why.
pub fn driver() -> Box<dyn GpuDriver> {
    match NvmlDriver::load() {
        Ok(driver) => Box::new(driver),
        Err(error) => Box::new(NoGpus::because(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_driver_is_no_gpu_and_one_note() {
        let mut none = NoGpus::because("no driver");
        assert!(none.models().is_empty());
        assert_eq!(none.read().faults, ["no driver"]);
        assert_eq!(none.read(), GpuReport::default());
    }

    /// True on any machine: either the library loads, or the reason is a sentence.
    #[test]
    fn the_real_library_loads_or_says_why() {
        let mut driver = driver();
        let devices = driver.models().len();
        let report = driver.read();
        assert_eq!(report.devices.len() + report.faults.len().min(1), devices.max(1), "{report:?}");
        assert!(report.faults.iter().all(|fault| fault.len() > 20), "{report:?}");
    }
}
