//! The utilisation ladder: how much of what is allocated is occupied, busy and useful.
//!
//! ```text
//! allocated >= context (memory held) >= engine >= SM >= tensor >= MFU
//! ```
//!
//! Each rung is a mean in device-time, or *missing* with the line that would export it. It refuses
//! to guess a rung from another one. Start with [`ladders`].

use farthing_model::{DeviceId, DeviceUse, Missing, NodeId, Reading, Rung, WorkloadId, proportion};
use std::collections::BTreeMap;

/// Device-time in 10^-9 seconds; a rung is in 10^-12, as readings are thousandths.
const THOUSANDTHS: i128 = 1_000;

/// What is known of one rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which rung.
    pub rung: Rung,
    /// What of the device it is, in parts per million of the time in which it was read; `None`
    /// when it never was.
    pub device_ppm: Option<u32>,
    /// How much of the time it was read, in parts per million.
    pub read_ppm: u32,
    /// Why it is not there for the rest of the time: the reason that lasted longest.
    pub missing: Option<Missing>,
}

impl Step {
    /// The line that would export it, where that is what is missing.
    pub const fn how_to_export(&self) -> Option<&'static str> {
        match self.missing {
            Some(Missing::NotExported) => Some(self.rung.how_to_export()),
            _ => None,
        }
    }
}

/// The ladder of one workload on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Where.
    pub node: NodeId,
    /// Which device.
    pub device: DeviceId,
    /// Whose; `None` = nobody's.
    pub workload: Option<WorkloadId>,
    /// The time of all records, in nanoseconds.
    pub observed_nanos: i128,
    /// The share of the device that is allocated, in parts per million: the top of the ladder.
    pub allocated_ppm: u32,
    /// The rungs below, from the top down.
    pub steps: [Step; Rung::ALL.len()],
    /// A rung that is higher than the one above it, where both were read at the same time: one of
    /// the exporters is wrong, and both numbers are shown as they are.
    pub contradicts: Option<Rung>,
}

/// Sums in the making.
#[derive(Clone, Copy, Default)]
struct Sum {
    /// Share x reading, in 10^-12 device-seconds.
    amount: i128,
    read_nanos: i128,
    /// Nanoseconds by reason, in the order of [`Missing::ALL`].
    missing: [i128; Missing::ALL.len()],
}

#[derive(Default)]
struct Draft {
    nanos: i128,
    allocated: i128,
    rungs: [Sum; Rung::ALL.len()],
    contradicts: Option<Rung>,
}

/// Sums the records of each workload on each device, sorted by node, device and workload. A reading
/// that was copied to several workloads counts for each in equal parts, so that those of one device
/// sum to the device. Records are taken as they are: they do not overlap.
pub fn ladders(uses: &[DeviceUse]) -> Vec<Ladder> {
    let mut drafts: BTreeMap<(&NodeId, &DeviceId, Option<&WorkloadId>), Draft> = BTreeMap::new();
    for one in uses {
        let workload = one.attribution.as_ref().map(|who| &who.workload);
        drafts.entry((&one.node, &one.device, workload)).or_default().add(one);
    }
    let finished = drafts.into_iter().map(|((node, device, workload), draft)| {
        draft.finish(node.clone(), device.clone(), workload.cloned())
    });
    finished.collect()
}

impl Draft {
    fn add(&mut self, one: &DeviceUse) {
        let nanos = one.window.nanos();
        let allocated = one.share.over(one.window);
        self.nanos += nanos;
        self.allocated += allocated;
        let mut above = None;
        for rung in Rung::ALL {
            let sum = &mut self.rungs[rung as usize];
            match one.rungs.get(rung) {
                Reading::Value(value) => {
                    // Of a slice the reading is in parts of the slice, and so is the share; what
                    // is copied is of the device, of which each has an equal part.
                    let whole = if one.copied_to > 1 && one.slice.is_none() {
                        nanos / i128::from(one.copied_to)
                    } else {
                        allocated
                    };
                    sum.amount += whole * i128::from(value.get());
                    sum.read_nanos += nanos;
                    if above.is_some_and(|above| value > above) {
                        self.contradicts = Some(self.contradicts.map_or(rung, |r| r.min(rung)));
                    }
                    above = Some(value);
                }
                Reading::Missing(why) => sum.missing[why as usize] += nanos,
            }
        }
    }

    fn finish(self, node: NodeId, device: DeviceId, workload: Option<WorkloadId>) -> Ladder {
        let steps = Rung::ALL.map(|rung| {
            let sum = &self.rungs[rung as usize];
            let longest = Missing::ALL.into_iter().max_by_key(|why| sum.missing[*why as usize]);
            Step {
                rung,
                // Of the device, over the time in which it was read.
                device_ppm: (sum.read_nanos > 0)
                    .then(|| ppm(sum.amount, sum.read_nanos * THOUSANDTHS)),
                read_ppm: ppm(sum.read_nanos, self.nanos),
                missing: longest.filter(|why| sum.missing[*why as usize] > 0),
            }
        });
        let allocated_ppm = ppm(self.allocated, self.nanos);
        let (observed_nanos, contradicts) = (self.nanos, self.contradicts);
        Ladder { node, device, workload, observed_nanos, allocated_ppm, steps, contradicts }
    }
}

/// A part of a whole, in millionths, rounded down; none of nothing.
fn ppm(part: i128, whole: i128) -> u32 {
    let ppm = proportion(part, 1_000_000, whole).unwrap_or(0);
    u32::try_from(ppm).unwrap_or(u32::MAX)
}
