//! Devices that are partitioned in hardware (NVIDIA MIG): profiles, what share of the device each
//! is, and what of a device no profile can use any more.
//!
//! A device has compute slices (7 on most, 4 on some) and memory slices (8, or 4). A profile takes
//! some of both; what it takes of the scarcer one nobody else can have, so that its share of the
//! device is the larger of both. It refuses to know where names are read. Start with
//! [`MigDevice::profile`].
//!
//! Source of the tables: NVIDIA's *MIG User Guide*, "Supported MIG Profiles" (A30, A100, H100,
//! H200, B200, RTX PRO 6000) and its figures of placements.

use crate::accelerator::Accelerator;
use crate::share::Share;
use std::fmt;

/// Models that have 4 compute and 4 memory slices; all others have 7 and 8.
const FOUR_SLICES: [&str; 4] = ["A30", "RTXPRO6000", "RTX-PRO-6000", "RTX PRO 6000"];

/// A kind of instance: slices of compute, slices of memory, and where in the memory it may start.
type Kind = (u8, u8, &'static [u8]);

/// Instances on a device of 7 and 8 slices.
const OF_SEVEN: [Kind; 6] = [
    (1, 1, &[0, 1, 2, 3, 4, 5, 6]),
    (1, 2, &[0, 2, 4, 6]),
    (2, 2, &[0, 2, 4]),
    (3, 4, &[0, 4]),
    (4, 4, &[0]),
    (7, 8, &[0]),
];

/// Instances on a device of 4 and 4 slices.
const OF_FOUR: [Kind; 3] = [(1, 1, &[0, 1, 2, 3]), (2, 2, &[0, 2]), (4, 4, &[0])];

/// A device that can be partitioned, by its slices and its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigDevice {
    seven: bool,
    memory_gb: Option<u32>,
}

/// Why a text is not a profile of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigError {
    /// Not of the form of a profile.
    #[error("`{0}` is not a MIG profile such as 1g.5gb, 3g.20gb, 1g.10gb+me or 1c.3g.20gb")]
    Form(String),
    /// No such instance on this device.
    #[error("`{profile}` is no profile of {device}")]
    NotThere {
        /// The profile.
        profile: String,
        /// The device.
        device: MigDevice,
    },
    /// The name means two things, one on each size of the device.
    #[error("`{0}` is one memory slice of one card and two of another: say the device's memory")]
    Ambiguous(String),
}

/// A profile on a device: how many slices of which it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigProfile {
    compute: u8,
    memory: u8,
    /// Compute slices of a compute instance inside, where it is less than the whole instance.
    inside: Option<u8>,
    seven: bool,
}

impl MigDevice {
    /// A device of 7 compute and 8 memory slices (A100, H100, H200, B200 and their kin); its
    /// memory as sold, in GB, where it is known.
    pub const fn of_seven(memory_gb: Option<u32>) -> Self {
        Self { seven: true, memory_gb }
    }

    /// A device of 4 compute and 4 memory slices (A30, RTX PRO 6000).
    pub const fn of_four(memory_gb: Option<u32>) -> Self {
        Self { seven: false, memory_gb }
    }

    /// The device that an accelerator's name says. A model without MIG has no profiles to ask for,
    /// and is not told apart here.
    pub fn of(accelerator: &Accelerator) -> Self {
        let four = FOUR_SLICES.iter().any(|model| accelerator.model().eq_ignore_ascii_case(model));
        Self { seven: !four, memory_gb: accelerator.memory_gb() }
    }

    /// Compute slices and memory slices.
    pub const fn slices(self) -> (u8, u8) {
        if self.seven { (7, 8) } else { (4, 4) }
    }

    const fn kinds(self) -> &'static [Kind] {
        if self.seven { &OF_SEVEN } else { &OF_FOUR }
    }

    /// Reads a profile's name: `1g.5gb`, `1g.5gb+me` (media engines add no slice), `MIG 3g.20gb`,
    /// `mig-3g.20gb`, a compute instance `1c.3g.20gb`. Names of the same profile differ by one GB
    /// between sources: the memory that is said is matched to the nearest that the device has.
    ///
    /// # Errors
    /// Not a profile's name, no profile of this device, or one that means two things on devices of
    /// unknown memory.
    pub fn profile(self, name: &str) -> Result<MigProfile, MigError> {
        let form = || MigError::Form(name.to_owned());
        let (inside, compute, said_gb) = parts(name).ok_or_else(form)?;
        let not_there = || MigError::NotThere { profile: name.to_owned(), device: self };
        if inside.is_some_and(|inside| inside == 0 || inside > compute) {
            return Err(not_there());
        }
        let of_size = self.kinds().iter().filter(|kind| kind.0 == compute);
        let memory = of_size.map(|kind| kind.1);
        let memory = if let Some(whole_gb) = self.memory_gb {
            let slices = u32::from(self.slices().1);
            // Off by so many slices of a GB: compared in GB x slices.
            let said = said_gb.checked_mul(slices).ok_or_else(not_there)?;
            let off = |memory: u8| u32::from(memory).saturating_mul(whole_gb).abs_diff(said);
            let nearest = memory.min_by_key(|memory| off(*memory)).ok_or_else(not_there)?;
            // Two GB, for cards whose memory is rounded itself (94 GB, 141 GB).
            if off(nearest) > 2 * slices {
                return Err(not_there());
            }
            nearest
        } else {
            match memory.collect::<Vec<u8>>()[..] {
                [only] => only,
                [] => return Err(not_there()),
                _ => return Err(MigError::Ambiguous(name.to_owned())),
            }
        };
        let inside = inside.filter(|inside| *inside < compute);
        Ok(MigProfile { compute, memory, inside, seven: self.seven })
    }
}

impl fmt::Display for MigDevice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (compute, memory) = self.slices();
        write!(out, "a device of {compute} compute and {memory} memory slices")?;
        self.memory_gb.map_or(Ok(()), |gb| write!(out, " and {gb} GB"))
    }
}

/// `[Cc.]Gg.Mgb[+attribute]`, with or without `MIG` before it.
fn parts(name: &str) -> Option<(Option<u8>, u8, u32)> {
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("mig").unwrap_or(&name).trim_start_matches(['-', ' ']);
    let (name, attribute) = name.split_once("gb")?;
    if !attribute.is_empty() && !attribute.starts_with(['+', '-', '.']) {
        return None;
    }
    let (inside, rest) = match name.split_once("c.") {
        Some((inside, rest)) => (Some(inside.parse().ok()?), rest),
        None => (None, name),
    };
    let (compute, memory) = rest.split_once("g.")?;
    Some((inside, compute.parse().ok()?, memory.parse().ok()?))
}

impl MigProfile {
    /// From counts of slices, as NVML and dynamic resource allocation say them; `None` when the
    /// device has no such instance.
    pub fn from_slices(device: MigDevice, compute: u8, memory: u8) -> Option<Self> {
        let there = device.kinds().iter().any(|kind| (kind.0, kind.1) == (compute, memory));
        there.then_some(Self { compute, memory, inside: None, seven: device.seven })
    }

    /// This profile, of which a compute instance has only `inside` compute slices; `None` for none
    /// and for more than there are.
    #[must_use]
    pub const fn compute_instance(self, inside: u8) -> Option<Self> {
        if inside == 0 || inside > self.compute {
            return None;
        }
        let part = if inside == self.compute { None } else { Some(inside) };
        Some(Self { inside: part, ..self })
    }

    /// Compute slices of the instance.
    pub const fn compute(self) -> u8 {
        self.compute
    }

    /// Memory slices of the instance.
    pub const fn memory(self) -> u8 {
        self.memory
    }

    /// Compute slices of the compute instance inside, where that is not all of them.
    pub const fn inside(self) -> Option<u8> {
        self.inside
    }

    /// The device it is a profile of, of unknown memory.
    pub const fn device(self) -> MigDevice {
        MigDevice { seven: self.seven, memory_gb: None }
    }

    /// The share of the device that the GPU instance takes: the larger of compute and memory.
    pub const fn instance_share(self) -> Share {
        let (whole, of) = self.parts_of_device();
        // Both are above 0, and no kind is larger than its device.
        match Share::of(whole, of) {
            Some(share) => share,
            None => Share::WHOLE,
        }
    }

    /// The share of the device that is charged: the instance's, or of it as much as the compute
    /// instance has of its compute slices, so that those inside sum to the instance.
    pub fn share(self) -> Share {
        let inside = self.inside.and_then(|part| Share::of(part.into(), self.compute.into()));
        inside.and_then(|part| part.within(self.instance_share())).unwrap_or(self.instance_share())
    }

    /// In parts of `compute slices x memory slices` of its device.
    const fn parts_of_device(self) -> (u64, u64) {
        let (of_compute, of_memory) = self.device().slices();
        let compute = self.compute as u64 * of_memory as u64;
        let memory = self.memory as u64 * of_compute as u64;
        let whole = if compute > memory { compute } else { memory };
        (whole, of_compute as u64 * of_memory as u64)
    }
}

impl fmt::Display for MigProfile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of_compute, of_memory) = self.device().slices();
        if let Some(inside) = self.inside {
            write!(out, "{inside} of ")?;
        }
        write!(out, "{}/{of_compute} compute, {}/{of_memory} memory", self.compute, self.memory)
    }
}

/// An instance that stands on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placed {
    /// What it takes.
    pub profile: MigProfile,
    /// The memory slice it starts at, where that is known (NVML says it; exporters do not).
    pub start: Option<u8>,
}

/// What share of a device no profile can use any more, in parts of the second number: what the
/// instances leave, less the most that further instances could take in the places that are left.
///
/// Instances whose place is not known are taken to stand where they waste least, so that the
/// result is never more than there is. All are of one device; compute instances count as the
/// instance they are in. Instances that do not fit together leave nothing.
pub fn fragmented(placed: &[Placed]) -> (u64, u64) {
    let Some(first) = placed.first() else { return (0, 1) };
    let of = first.profile.parts_of_device().1;
    let taken: u64 = placed.iter().map(|one| one.profile.parts_of_device().0).sum();
    let left = of.saturating_sub(taken);
    if left == 0 {
        return (0, of);
    }
    let device = first.profile.device();
    let mut instances = placed.to_vec();
    // Known places first, then the largest: fewer ways to try.
    instances.sort_unstable_by_key(|one| (one.start.is_none(), std::cmp::Reverse(one.profile)));
    let free = Free { memory: 0, compute: device.slices().0 };
    let usable = place(device, free, &instances, left);
    (usable.map_or(0, |usable| left - usable.min(left)), of)
}

/// Taken memory slices as bits, and compute slices that are left.
#[derive(Clone, Copy)]
struct Free {
    memory: u8,
    compute: u8,
}

impl Free {
    /// With an instance of `compute` and `memory` slices at `start`, if there is room for it.
    fn with(self, compute: u8, memory: u8, start: u8) -> Option<Self> {
        let bits = u8::try_from(((1_u16 << memory) - 1) << start).ok()?;
        let left = self.compute.checked_sub(compute)?;
        (self.memory & bits == 0).then_some(Self { memory: self.memory | bits, compute: left })
    }
}

/// The most that can be used beside `instances`, in their best places; `None` when they do not
/// fit. At most 7 instances fit, and each has at most 7 places.
fn place(device: MigDevice, free: Free, instances: &[Placed], enough: u64) -> Option<u64> {
    let Some((one, rest)) = instances.split_first() else { return Some(most(device, free, 0)) };
    let (compute, memory) = (one.profile.compute, one.profile.memory);
    let kind = device.kinds().iter().find(|kind| (kind.0, kind.1) == (compute, memory))?;
    let mut best = None;
    for start in kind.2.iter().filter(|start| one.start.is_none_or(|known| known == **start)) {
        let Some(next) = free.with(compute, memory, *start) else { continue };
        best = best.max(place(device, next, rest, enough));
        if best.is_some_and(|best| best >= enough) {
            break;
        }
    }
    best
}

/// The largest sum of shares that further instances can have; kinds in order, so that no set of
/// them is tried twice.
fn most(device: MigDevice, free: Free, first: usize) -> u64 {
    let mut best = 0;
    for (index, (compute, memory, starts)) in device.kinds().iter().enumerate().skip(first) {
        let profile =
            MigProfile { compute: *compute, memory: *memory, inside: None, seven: device.seven };
        for start in *starts {
            if let Some(next) = free.with(*compute, *memory, *start) {
                best = best.max(profile.parts_of_device().0 + most(device, next, index));
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(device: MigDevice, name: &str) -> String {
        device.profile(name).map_or_else(|error| error.to_string(), |p| p.share().to_string())
    }

    /// (device, profile, share) of the vendor's table, and of names that are off by one.
    #[test]
    fn the_larger_of_compute_and_memory_is_charged() {
        let seven = |gb| MigDevice::of_seven(Some(gb));
        let four = |gb| MigDevice::of_four(Some(gb));
        for (device, names, expected) in [
            (
                seven(40),
                &["1g.5gb", "1g.5gb+me", "MIG 1g.5gb", "mig-1g.5gb.me", "1g.6gb"][..],
                "1/7",
            ),
            (seven(40), &["1g.10gb"], "1/4"),
            (seven(40), &["2g.10gb"], "2/7"),
            (seven(40), &["3g.20gb", "3g.19gb"], "1/2"),
            (seven(40), &["4g.20gb"], "4/7"),
            (seven(40), &["7g.40gb", "7g.39gb"], "1/1"),
            (seven(80), &["1g.10gb", "1g.10gb+me", "1g.9gb"], "1/7"),
            (seven(80), &["1g.20gb"], "1/4"),
            (seven(80), &["2g.20gb"], "2/7"),
            (seven(80), &["3g.40gb", "3g.39gb"], "1/2"),
            (seven(80), &["4g.40gb"], "4/7"),
            (seven(94), &["1g.12gb", "1g.11gb"], "1/7"),
            (seven(94), &["1g.24gb"], "1/4"),
            (seven(94), &["3g.47gb", "3g.46gb"], "1/2"),
            (seven(96), &["3g.48gb", "3g.47gb"], "1/2"),
            (seven(141), &["1g.18gb", "1g.17gb"], "1/7"),
            (seven(141), &["1g.35gb"], "1/4"),
            (seven(141), &["3g.71gb", "3g.70gb"], "1/2"),
            (seven(141), &["7g.141gb"], "1/1"),
            (seven(180), &["1g.23gb", "1g.22gb"], "1/7"),
            (seven(180), &["1g.45gb"], "1/4"),
            (seven(180), &["2g.45gb"], "2/7"),
            (seven(180), &["3g.90gb"], "1/2"),
            (seven(180), &["7g.180gb"], "1/1"),
            (four(24), &["1g.6gb", "1g.6gb+me"], "1/4"),
            (four(24), &["2g.12gb"], "1/2"),
            (four(24), &["4g.24gb"], "1/1"),
            (four(96), &["1g.24gb"], "1/4"),
            // Compute instances sum to their GPU instance.
            (seven(40), &["1c.3g.20gb"], "1/6"),
            (seven(40), &["2c.3g.20gb"], "1/3"),
            (seven(40), &["3c.3g.20gb"], "1/2"),
            (seven(40), &["1c.4g.20gb"], "1/7"),
            // Without the size of the card, where that does not matter.
            (MigDevice::of_seven(None), &["3g.20gb", "3g.71gb"], "1/2"),
            (MigDevice::of_seven(None), &["2g.20gb"], "2/7"),
        ] {
            for name in names {
                assert_eq!(share(device, name), expected, "{name} of {device}");
            }
        }
    }

    #[test]
    fn what_is_no_profile_is_named() {
        let a100 = MigDevice::of_seven(Some(40));
        for name in ["", "5gb", "1g", "xg.5gb", "1g.5", "1c.1g", "1g.5gbit"] {
            assert!(matches!(a100.profile(name), Err(MigError::Form(_))), "{name}");
        }
        for name in ["5g.30gb", "1g.40gb", "3g.40gb", "0c.3g.20gb", "4c.3g.20gb", "7g.80gb"] {
            assert!(matches!(a100.profile(name), Err(MigError::NotThere { .. })), "{name}");
        }
        let message = MigDevice::of_seven(None).profile("1g.10gb").unwrap_err().to_string();
        assert_eq!(
            message,
            "`1g.10gb` is one memory slice of one card and two of another: say the device's memory"
        );
    }

    #[test]
    fn an_accelerator_says_its_slices() {
        let of = |name: &str| MigDevice::of(&name.parse().unwrap());
        assert_eq!(of("A100-40GB-SXM"), MigDevice::of_seven(Some(40)));
        assert_eq!(of("A30-24GB"), MigDevice::of_four(Some(24)));
    }

    fn placed(instances: &[(u8, u8, Option<u8>)]) -> (u64, u64) {
        let device = MigDevice::of_seven(Some(40));
        let one = |&(compute, memory, start): &(u8, u8, Option<u8>)| Placed {
            profile: MigProfile::from_slices(device, compute, memory).unwrap(),
            start,
        };
        fragmented(&instances.iter().map(one).collect::<Vec<_>>())
    }

    #[test]
    fn what_no_profile_can_use_is_fragmented() {
        // Nothing left, or a slice that the next small instance can have.
        assert_eq!(placed(&[]), (0, 1));
        assert_eq!(placed(&[(7, 8, None)]), (0, 56));
        assert_eq!(placed(&[(3, 4, None), (3, 4, None)]), (0, 56));
        assert_eq!(placed(&[(1, 1, None); 6]), (0, 56));
        // 3g at 0 and 1g at 4, 5 and 6: one compute slice is left, and the memory slice 7, where
        // no 1g can start. 28 + 3 x 8 of 56 are taken.
        let known = [(3, 4, Some(0)), (1, 1, Some(4)), (1, 1, Some(5)), (1, 1, Some(6))];
        assert_eq!(placed(&known), (4, 56));
        // If it is not known where they stand, they may stand well: 3g at 4, 1g at 0, 1 and 2.
        let unknown = known.map(|(compute, memory, _)| (compute, memory, None));
        assert_eq!(placed(&unknown), (0, 56));
        // Three double 1g at 0, 2 and 4 and one 1g at 6: slice 7 alone is of no use to anyone.
        let doubles = [(1, 2, Some(0)), (1, 2, Some(2)), (1, 2, Some(4)), (1, 1, Some(6))];
        assert_eq!(placed(&doubles), (56 - 3 * 14 - 8, 56));
        // Too much for one device, by count or by place: nothing is left of it.
        assert_eq!(placed(&[(4, 4, None), (4, 4, None)]), (0, 56));
        assert_eq!(placed(&[(1, 1, Some(0)), (1, 1, Some(0))]), (0, 56));
    }

    #[test]
    fn a_device_of_four_slices_has_a_use_for_each() {
        let device = MigDevice::of_four(Some(24));
        let one = |compute, start| Placed {
            profile: MigProfile::from_slices(device, compute, compute).unwrap(),
            start,
        };
        // 2g at 0: 2g fits at 2. 1g at 1 and 1g at 3: 1g fits at 0 and at 2.
        assert_eq!(fragmented(&[one(2, Some(0))]), (0, 16));
        assert_eq!(fragmented(&[one(1, Some(1)), one(1, Some(3))]), (0, 16));
        assert_eq!(fragmented(&[one(4, None)]), (0, 16));
    }
}
