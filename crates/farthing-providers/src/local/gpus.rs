//! From readings of accelerators to uses: the device is the unit.
//!
//! Every process that holds a context has an equal share of the device (time slicing): with n
//! processes each is charged for 1/n. What it used of that is its time on the multiprocessors. A
//! process that used more than its share is charged for what it used, and that is taken from what
//! the others left idle, in proportion: together they always pay for exactly one device, and never
//! for a part of the next one. A device without a process is not allocated and has no row.

use super::rows::{HIDDEN, SHORT_LIVED, named};
use super::uses::{Use, keep_within};
use crate::nvml::GpuReading;
use farthing_model::{
    Attribution, DeviceId, DeviceUse, Missing, NodeId, PerMille, Progress, Reading, Rung, Rungs,
    Share, SourceId, Window, proportion, split,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who a process on a device is.
pub(super) enum Holder {
    /// A process of this machine, seen now or at the last look.
    Seen(Arc<Attribution>),
    /// A process that the driver saw running now and we did not.
    Hidden,
    /// A process that the driver saw and that has ended since.
    Ended,
}

/// The uses of one device over `window_nanos`, and what is odd about them.
pub(super) fn uses(
    reading: &GpuReading,
    window_nanos: i128,
    source: &SourceId,
    holder: impl Fn(u32, bool) -> Holder,
) -> (Vec<Use>, Option<String>) {
    let Ok(device) = DeviceId::new(&reading.uuid) else {
        return (Vec::new(), Some("a GPU has no usable id: it is left out".to_owned()));
    };
    // Who holds it now, and who was on it since the last look.
    let mut percents: BTreeMap<u32, Option<u32>> =
        reading.processes.iter().map(|process| (process.pid, None)).collect();
    for (pid, percent) in reading.busy_percent.iter().flatten().filter(|(_, busy)| *busy > 0) {
        percents.insert(*pid, Some((*percent).min(100)));
    }
    if percents.is_empty() {
        return (Vec::new(), None);
    }
    let evenly = vec![1; percents.len()];
    let requested = split(window_nanos, &evenly).unwrap_or_default();
    let (used, note) = used_nanos(reading, &percents, window_nanos);
    let running = |pid: u32| reading.processes.iter().any(|process| process.pid == pid);
    let mut uses: Vec<Use> = Vec::with_capacity(percents.len());
    for (pid, (requested_nano, used_nano)) in percents.keys().zip(requested.into_iter().zip(used)) {
        let who = match holder(*pid, running(*pid)) {
            Holder::Seen(who) => who,
            Holder::Hidden => named(&format!("process:{HIDDEN}")),
            Holder::Ended => named(&format!("process:{SHORT_LIVED}")),
        };
        let process = reading.processes.iter().find(|process| process.pid == *pid);
        uses.push(Use {
            device: Some(device.clone()),
            requested_nano,
            // Held, and the driver cannot say whether anything ran.
            unread: reading.busy_percent.is_none() && reading.device_busy_percent.is_none(),
            holds: Some(process.is_some()),
            memory_bytes: process.and_then(|process| process.memory_bytes),
            ..Use::of(who, source.clone(), used_nano)
        });
    }
    keep_within(&mut uses, window_nanos);
    lend_idle_shares(&mut uses);
    (uses, note)
}

/// What the device did for each workload, for the ladder and idle verdicts: what was used is what
/// the driver says of engines (a kernel ran), and memory that is held is a context. `power_mw` is
/// that of the whole device.
pub(super) fn records(
    reading: &GpuReading,
    uses: &[Use],
    (node, source): (&NodeId, &SourceId),
    window: Window,
    power_mw: Option<u32>,
) -> Vec<DeviceUse> {
    let Ok(device) = DeviceId::new(&reading.uuid) else { return Vec::new() };
    let mut known: Vec<(Option<Arc<Attribution>>, Sums)> = Vec::new();
    for one in uses {
        let same = |it: &&mut (Option<Arc<Attribution>>, Sums)| {
            let of = |who: &Option<Arc<Attribution>>| who.as_ref().map(|it| it.workload.clone());
            of(&it.0) == of(&one.who)
        };
        if let Some((_, sums)) = known.iter_mut().find(same) {
            sums.add(one);
        } else {
            let mut sums = Sums::default();
            sums.add(one);
            known.push((one.who.clone(), sums));
        }
    }
    if known.is_empty() {
        known.push((None, Sums::default()));
    }
    // Where the driver cannot tell processes apart, all have the same reading.
    let copied_to = if reading.busy_percent.is_some() { 1 } else { known.len() };
    let record = |(attribution, sums): (Option<Arc<Attribution>>, Sums)| DeviceUse {
        source: source.clone(),
        node: node.clone(),
        device: device.clone(),
        slice: None,
        share: sums.share(window, attribution.is_none()),
        attribution,
        copied_to: u16::try_from(copied_to).unwrap_or(u16::MAX),
        window,
        rungs: Rungs::NONE
            .with(Rung::Context, Reading::Value(if sums.holds { FULL } else { PerMille::ZERO }))
            .with(Rung::Engine, engine(reading, sums.used_nano, window)),
        memory_bytes: sums.memory_bytes,
        power_mw,
        progress: Progress::default(),
    };
    known.into_iter().map(record).collect()
}

/// All of it.
const FULL: PerMille = match PerMille::new(1_000) {
    Some(full) => full,
    None => PerMille::ZERO,
};

/// What the processes of one workload have of a device.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    requested_nano: i128,
    used_nano: i128,
    holds: bool,
    memory_bytes: Option<u64>,
}

impl Sums {
    fn add(&mut self, one: &Use) {
        self.requested_nano += one.requested_nano;
        self.used_nano += one.used_nano;
        self.holds |= one.holds == Some(true);
        self.memory_bytes = match (self.memory_bytes, one.memory_bytes) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
    }

    fn share(self, window: Window, nobody: bool) -> Share {
        let parts = u64::try_from(self.requested_nano.max(self.used_nano)).unwrap_or_default();
        let of = u64::try_from(window.nanos()).unwrap_or(u64::MAX);
        let share = Share::of(parts.min(of), of).filter(|_| !nobody);
        share.unwrap_or(Share::WHOLE)
    }
}

/// The part of the time in which kernels ran; blank where neither the processes nor the device
/// have a reading.
fn engine(reading: &GpuReading, used_nano: i128, window: Window) -> Reading {
    let thousandths = match (&reading.busy_percent, reading.device_busy_percent) {
        (Some(_), _) => proportion(used_nano, 1_000, window.nanos()),
        (None, Some(percent)) => Some(i128::from(percent) * 10),
        (None, None) => return Reading::Missing(Missing::Unsupported),
    };
    let value = thousandths.and_then(|it| PerMille::new(u16::try_from(it.min(1_000)).ok()?));
    value.map_or(Reading::Missing(Missing::Blank), Reading::Value)
}

/// Takes what processes used beyond their shares from the idle part of the others' shares.
fn lend_idle_shares(uses: &mut [Use]) {
    let beyond = |one: &Use| (one.used_nano - one.requested_nano).max(0);
    let idle: Vec<i128> =
        uses.iter().map(|one| (one.requested_nano - one.used_nano).max(0)).collect();
    let borrowed: i128 = uses.iter().map(beyond).sum();
    // What all used is at most the device, so that there is at least as much idle.
    for (one, lent) in uses.iter_mut().zip(split(borrowed, &idle).unwrap_or_default()) {
        one.requested_nano -= lent;
    }
}

/// What each process used, by the best that the device can say: its own utilisation, else the
/// device's split evenly, else nothing but that memory is held.
fn used_nanos(
    reading: &GpuReading,
    percents: &BTreeMap<u32, Option<u32>>,
    window_nanos: i128,
) -> (Vec<i128>, Option<String>) {
    let of = |percent: u32| window_nanos * i128::from(percent.min(100)) / 100;
    if reading.busy_percent.is_some() {
        return (percents.values().map(|percent| of(percent.unwrap_or(0))).collect(), None);
    }
    let uuid = &reading.uuid;
    if let Some(percent) = reading.device_busy_percent {
        let evenly = vec![1; percents.len()];
        let note = format!(
            "GPU {uuid} does not say what each process used: its utilisation is split evenly"
        );
        return (split(of(percent), &evenly).unwrap_or_default(), Some(note));
    }
    let why = if reading.mig { "it is cut into MIG instances" } else { "its driver cannot say" };
    let note = format!(
        "GPU {uuid} has no utilisation ({why}): it counts as allocated by whoever holds memory \
         on it, and its use is unknown"
    );
    (vec![0; percents.len()], Some(note))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nvml::GpuProcess;

    const TEN_SECONDS: i128 = 10_000_000_000;

    fn reading(pids: &[u32]) -> GpuReading {
        let process = |pid: &u32| GpuProcess { pid: *pid, memory_bytes: Some(1 << 30) };
        let processes = pids.iter().map(process).collect();
        GpuReading { uuid: "GPU-1".to_owned(), processes, ..GpuReading::default() }
    }

    /// Workload, requested and used in milliseconds of the device.
    fn check(reading: &GpuReading) -> (Vec<(String, i128, i128)>, bool) {
        let source = SourceId::new("nvml").unwrap();
        let holder = |pid, running| match (pid, running) {
            (1..10, _) => Holder::Seen(named(&format!("process:p{pid}"))),
            (_, true) => Holder::Hidden,
            (_, false) => Holder::Ended,
        };
        let (uses, note) = uses(reading, TEN_SECONDS, &source, holder);
        let row = |one: &Use| {
            let who = one.who.as_ref().unwrap().workload.as_str();
            let who = who.trim_start_matches("process:").to_owned();
            (who, one.requested_nano / 1_000_000, one.used_nano / 1_000_000)
        };
        (uses.iter().map(row).collect(), note.is_some())
    }

    fn row(who: &str, requested: i128, used: i128) -> (String, i128, i128) {
        (who.to_owned(), requested, used)
    }

    #[test]
    fn two_processes_share_a_device() {
        let busy_percent = Some(vec![(1, 30), (2, 60)]);
        let (rows, noted) = check(&GpuReading { busy_percent, ..reading(&[1, 2]) });
        assert_eq!(rows, [row("p1", 4_000, 3_000), row("p2", 5_000, 6_000)]);
        assert!(!noted);
    }

    #[test]
    fn more_than_all_of_a_device_is_scaled_to_it() {
        let busy_percent = Some(vec![(1, 90), (2, 90)]);
        let (rows, _) = check(&GpuReading { busy_percent, ..reading(&[1, 2]) });
        assert_eq!(rows, [row("p1", 5_000, 5_000), row("p2", 5_000, 5_000)]);
    }

    #[test]
    fn an_idle_device_has_no_row_and_a_held_one_is_allocated() {
        assert_eq!(check(&reading(&[])), (vec![], false));
        let held = GpuReading { busy_percent: Some(vec![]), ..reading(&[4]) };
        assert_eq!(check(&held), (vec![row("p4", 10_000, 0)], false));
    }

    #[test]
    fn a_process_that_vanished_used_what_it_used() {
        let busy_percent = Some(vec![(1, 20), (3, 40), (77, 10), (5, 0)]);
        let (rows, _) = check(&GpuReading { busy_percent, ..reading(&[1, 88]) });
        let expect = [
            row("p1", 2_333, 2_000),
            row("p3", 2_500, 4_000),
            row(SHORT_LIVED, 2_000, 1_000),
            row(HIDDEN, 1_666, 0),
        ];
        assert_eq!(rows, expect);
    }

    #[test]
    fn without_utilisation_of_processes_the_device_is_split_then_only_held() {
        let (rows, noted) =
            check(&GpuReading { device_busy_percent: Some(50), ..reading(&[1, 2]) });
        assert_eq!((rows, noted), (vec![row("p1", 5_000, 2_500), row("p2", 5_000, 2_500)], true));
        let (rows, noted) = check(&GpuReading { mig: true, ..reading(&[1]) });
        assert_eq!((rows, noted), (vec![row("p1", 10_000, 0)], true));
    }
}
