//! Profiles of partitioned devices, whatever form their name has: `1g.5gb`, `mig-1g.5gb`,
//! `nvidia_com_mig_1g_5gb`, `1g.10gb+me`.

use super::SourceMap;

/// What an instance has of its device, as its profile's name says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Profile {
    /// Compute slices.
    pub(crate) compute: u32,
    /// Gigabytes of memory; sources differ by one for the same profile.
    pub(crate) gigabytes: u32,
}

/// The profile that a resource of Kubernetes stands for, if it is one.
pub(crate) fn mig_profile(resource: &str) -> Option<Profile> {
    let name =
        resource.strip_prefix("nvidia_com_mig_").or(resource.strip_prefix("nvidia.com/mig-"))?;
    Profile::parse(name)
}

impl Profile {
    /// Reads `1g.5gb`, with `_` or `.` between, and any attribute such as `+me` behind.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let name = name.strip_prefix("mig-").unwrap_or(&name);
        // `1c.3g.20gb`: a compute instance inside an instance; the device sees the instance.
        let at = name.find("g.").or_else(|| name.find("g_"))?;
        let (before, after) = name.split_at(at);
        let compute = before.rsplit(['.', '_']).next()?;
        let memory = after[2..].split(|c: char| !c.is_ascii_digit()).next()?;
        let (compute, gigabytes) = (compute.parse().ok()?, memory.parse().ok()?);
        (1..=8).contains(&compute).then_some(Self { compute, gigabytes })
    }

    /// The share of the device, as a fraction: the larger one of its compute and memory slices.
    ///
    /// `device_gigabytes` is the memory of the whole device, where that is known; else slices of
    /// memory follow from slices of compute, as they do in every profile that is not `+`-marked.
    pub(crate) fn share(
        self,
        map: &SourceMap,
        model: &str,
        device_gigabytes: Option<u32>,
    ) -> (i64, i64) {
        let fits = |slices: &&super::Slices| model.contains(&slices.model);
        let (compute, memory) =
            map.slices.iter().find(fits).map_or((7, 8), |slices| (slices.compute, slices.memory));
        let memory_slices = match device_gigabytes {
            // To the nearest slice: 11 and 12 GB of 96 are one of eight.
            Some(whole) if whole > 0 => {
                ((self.gigabytes * memory * 2 + whole) / (whole * 2)).clamp(1, memory)
            }
            _ if compute == 7 => match self.compute {
                3 => 4,
                7.. => 8,
                other => other,
            },
            _ => self.compute.min(memory),
        };
        let by_compute = (i64::from(self.compute.min(compute)), i64::from(compute));
        let by_memory = (i64::from(memory_slices), i64::from(memory));
        if by_compute.0 * by_memory.1 >= by_memory.0 * by_compute.1 {
            by_compute
        } else {
            by_memory
        }
    }
}
