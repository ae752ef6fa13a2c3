//! The resources that are charged: four that a node sells, and the network; amounts of them.

use std::{fmt, str::FromStr};

/// A resource that has capacity, use and a share of the node's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// Accelerators of any kind.
    Gpu,
    /// Processor cores.
    Cpu,
    /// Main memory.
    Memory,
    /// Disks.
    Storage,
    /// Bytes sent. No node has a capacity of them: they are priced by quantity, not by time.
    Network,
}

impl Resource {
    /// Those that a node has and sells, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Gpu, Self::Cpu, Self::Memory, Self::Storage];
    /// Everything that charges can be for, in the order of tables.
    pub const CHARGED: [Self; 5] =
        [Self::Gpu, Self::Cpu, Self::Memory, Self::Storage, Self::Network];

    /// The name in tables, files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gpu => "gpu",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Storage => "storage",
            Self::Network => "network",
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::CHARGED.into_iter().find(|resource| resource.name() == text).ok_or_else(|| {
            format!("`{text}` is not a resource: gpu, cpu, memory, storage or network")
        })
    }
}

/// One value for each resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerResource<T>([T; Resource::CHARGED.len()]);

impl<T> PerResource<T> {
    /// Computes the value of each resource.
    pub fn from_fn(mut value: impl FnMut(Resource) -> T) -> Self {
        Self(Resource::CHARGED.map(&mut value))
    }

    /// The value of a resource.
    pub const fn get(&self, resource: Resource) -> &T {
        &self.0[resource as usize]
    }

    /// The value of a resource, to change.
    pub const fn get_mut(&mut self, resource: Resource) -> &mut T {
        &mut self.0[resource as usize]
    }

    /// Each resource with its value, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (Resource, &T)> {
        Resource::CHARGED.into_iter().zip(&self.0)
    }
}

/// Capacity of a node, or what one member of a workload asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resources {
    /// Accelerators in thousandths.
    pub gpu_milli: u64,
    /// Cores in thousandths.
    pub cpu_milli: u64,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Disk in bytes.
    pub storage_bytes: u64,
}

impl Resources {
    /// The capacity of a resource in 10^-9 of its natural unit (GPU, core, byte), so that capacity
    /// times nanoseconds / 10^9 is a sample's amount.
    pub const fn nano(self, resource: Resource) -> i128 {
        match resource {
            Resource::Gpu => self.gpu_milli as i128 * 1_000_000,
            Resource::Cpu => self.cpu_milli as i128 * 1_000_000,
            Resource::Memory => self.memory_bytes as i128 * 1_000_000_000,
            Resource::Storage => self.storage_bytes as i128 * 1_000_000_000,
            Resource::Network => 0,
        }
    }

    /// Whether every request is within `capacity`. A machine that states no disk (as cloud price
    /// lists do) has volumes attached, of the size that is asked for.
    pub const fn fits_in(self, capacity: Self) -> bool {
        self.gpu_milli <= capacity.gpu_milli
            && self.cpu_milli <= capacity.cpu_milli
            && self.memory_bytes <= capacity.memory_bytes
            && (capacity.storage_bytes == 0 || self.storage_bytes <= capacity.storage_bytes)
    }

    /// The resources of `count` of these; saturates, as no machine is that large.
    #[must_use]
    pub const fn times(self, count: u32) -> Self {
        Self {
            gpu_milli: self.gpu_milli.saturating_mul(count as u64),
            cpu_milli: self.cpu_milli.saturating_mul(count as u64),
            memory_bytes: self.memory_bytes.saturating_mul(count as u64),
            storage_bytes: self.storage_bytes.saturating_mul(count as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_states_no_disk_has_volumes_attached() {
        let asks = Resources { storage_bytes: 1 << 41, cpu_milli: 8_000, ..Resources::default() };
        let machine = Resources { cpu_milli: 8_000, ..Resources::default() };
        assert!(asks.fits_in(machine));
        assert!(!asks.fits_in(Resources { storage_bytes: 1 << 40, ..machine }));
        assert!(!asks.fits_in(Resources { cpu_milli: 4_000, ..machine }));
    }
}
