//! Energy by device: mean power times the time over which it was read.
//!
//! It refuses to guess what nobody read: beside each amount stands for how long it was.

use farthing_model::{DeviceId, DeviceUse, Joules, NodeId, Quantity, Window};
use std::collections::BTreeMap;

/// 10^-9 joule in a milliwatt over a nanosecond: one in a thousand.
const MILLI: i128 = 1_000;

/// What one device took in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEnergy {
    /// Where.
    pub node: NodeId,
    /// Which device: an accelerator, or a package of processors and the memory beside it.
    pub device: DeviceId,
    /// Whether it is an accelerator.
    pub is_accelerator: bool,
    /// How much, to the milliwatt of each record.
    pub energy: Quantity<Joules>,
    /// For how long that is known, in nanoseconds.
    pub measured_nanos: i128,
}

/// When, how much power, and whether it is of an accelerator.
type Record = (Window, u32, bool);

/// Sums the records of each device in a window, sorted by node and device. The workloads of a
/// device that is shared have the power of the whole device each: of records of one time the first
/// counts.
pub fn energy(uses: &[DeviceUse], window: Window) -> Vec<DeviceEnergy> {
    let mut devices: BTreeMap<(&NodeId, &DeviceId), Vec<Record>> = BTreeMap::new();
    for one in uses {
        if let Some((power, inside)) = one.power_mw.zip(one.window.intersect(window)) {
            let records = devices.entry((&one.node, &one.device)).or_default();
            records.push((inside, power, one.is_accelerator()));
        }
    }
    let summed = devices.into_iter().map(|((node, device), mut records)| {
        records.sort_unstable();
        records.dedup_by(|next, kept| next.0.intersect(kept.0).is_some());
        let nanos = |window: Window| window.nanos();
        let energy = records.iter().map(|(inside, power, _)| nanos(*inside) * i128::from(*power));
        DeviceEnergy {
            node: node.clone(),
            device: device.clone(),
            is_accelerator: records.iter().all(|(.., is_accelerator)| *is_accelerator),
            energy: Quantity::from_nano(energy.sum::<i128>() / MILLI),
            measured_nanos: records.iter().map(|(inside, ..)| nanos(*inside)).sum(),
        }
    });
    summed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::{Progress, Rungs, Share, SourceId};

    fn record(source: &str, device: &str, (from, to): (i64, i64), power_mw: u32) -> DeviceUse {
        let at = |second: i64| jiff::Timestamp::from_second(1_772_359_200 + second).unwrap();
        DeviceUse {
            source: SourceId::new(source).unwrap(),
            node: NodeId::new("n").unwrap(),
            device: DeviceId::new(device).unwrap(),
            slice: None,
            attribution: None,
            share: Share::WHOLE,
            copied_to: 1,
            window: Window::new(at(from), at(to)).unwrap(),
            rungs: Rungs::NONE,
            memory_bytes: None,
            power_mw: Some(power_mw),
            progress: Progress::default(),
        }
    }

    #[test]
    fn power_of_a_shared_device_counts_once_and_only_in_the_window() {
        let uses = [
            record("nvml", "GPU-0", (0, 10), 500_000),
            record("nvml", "GPU-0", (0, 10), 500_000),
            record("nvml", "GPU-0", (10, 20), 300_000),
            record("rapl", "package-0", (5, 15), 25),
        ];
        let window = Window::new(uses[0].window.from(), uses[2].window.to()).unwrap();
        let said = |window| -> Vec<String> {
            let all = energy(&uses, window);
            all.iter().map(|one| format!("{} {}", one.device, one.energy)).collect()
        };
        assert_eq!(said(window), ["GPU-0 8000 J", "package-0 0.25 J"]);
        // The second half.
        assert_eq!(said(uses[2].window), ["GPU-0 3000 J", "package-0 0.125 J"]);
        let all = energy(&uses, window);
        assert_eq!(
            (all[0].measured_nanos, all[1].measured_nanos),
            (20_000_000_000, 10_000_000_000)
        );
        assert_eq!((all[0].is_accelerator, all[1].is_accelerator), (true, false));
    }
}
