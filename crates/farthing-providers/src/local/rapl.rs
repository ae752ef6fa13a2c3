//! Energy of processors and memory, from the counters that the kernel shows as power zones (RAPL).
//!
//! Packages and the memory beside them are summed; what is inside of a package (`core`, `uncore`)
//! and what holds all of them (`psys`) would count twice. A counter runs around at a value that the
//! kernel states. It refuses to estimate where there is none.

use super::files::{Files, is_denied, number};
use super::notes::Notes;
use farthing_model::{
    DeviceId, DeviceUse, Joules, NodeId, Progress, Quantity, Rungs, Share, SourceId, Window,
    proportion,
};
use std::collections::BTreeMap;

/// Where the kernel shows power zones.
const ZONES: &str = "/sys/class/powercap";
/// 10^-9 joule in a microjoule, the unit of the counters.
const NANO_PER_MICRO: i128 = 1_000;
/// A nanojoule in a nanosecond is a watt.
const MILLIWATTS: i128 = 1_000;

/// The zones at the last look, in microjoules.
#[derive(Debug, Default)]
pub(super) struct Rapl {
    before: BTreeMap<String, u64>,
}

impl Rapl {
    /// What each zone used since the last look, by its name; nothing at the first one.
    pub(super) fn read(
        &mut self,
        files: &mut Files,
        notes: &mut Notes,
    ) -> Vec<(String, Quantity<Joules>)> {
        let mut zones = files.names(ZONES);
        zones.retain(|zone| zone.starts_with("intel-rapl:"));
        zones.sort();
        let mut found = Vec::new();
        for zone in zones {
            let path = |file: &str| format!("{ZONES}/{zone}/{file}");
            let Ok(name) = files.text(&path("name")) else { continue };
            let name = name.trim().to_owned();
            if !(name.starts_with("package") || name == "dram") {
                continue;
            }
            let most = files.whole(&path("max_energy_range_uj")).ok().and_then(number);
            let now = match files.whole(&path("energy_uj")) {
                Ok(bytes) => number(bytes),
                Err(error) if is_denied(error) => {
                    notes.holds("rapl", || {
                        "energy of the processors cannot be read: it needs root".to_owned()
                    });
                    None
                }
                Err(_) => None,
            };
            let Some(now) = now else { continue };
            let Some(before) = self.before.insert(zone.clone(), now) else { continue };
            let used = now.checked_sub(before).or_else(|| {
                // It ran around, once: two looks are much nearer than that takes.
                most.and_then(|most| most.checked_sub(before)?.checked_add(now))
            });
            let Some(used) = used else { continue };
            // A package's memory has the number of its package: `intel-rapl:0:2` is of `:0`.
            let of = zone.trim_start_matches("intel-rapl:").split(':').next().unwrap_or_default();
            let name = if name == "dram" { format!("dram-{of}") } else { name };
            found.push((name, Quantity::from_nano(i128::from(used) * NANO_PER_MICRO)));
        }
        found
    }
}

/// What was read over a window, for the books: the mean power of each zone, which is nobody's.
pub(super) fn records(
    (zones, source): (&[(String, Quantity<Joules>)], &SourceId),
    node: &NodeId,
    window: Window,
) -> Vec<DeviceUse> {
    let record = |(zone, energy): &(String, Quantity<Joules>)| {
        let power = proportion(energy.nano(), MILLIWATTS, window.nanos())?;
        Some(DeviceUse {
            source: source.clone(),
            node: node.clone(),
            device: DeviceId::new(zone).ok()?,
            slice: None,
            attribution: None,
            share: Share::WHOLE,
            copied_to: 1,
            window,
            rungs: Rungs::NONE,
            memory_bytes: None,
            power_mw: Some(u32::try_from(power).ok()?),
            progress: Progress::default(),
        })
    };
    zones.iter().filter_map(record).collect()
}
