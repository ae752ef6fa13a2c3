//! Processor time: every busy moment of the machine goes to exactly one row.
//!
//! The whole is what `/proc/stat` counted as busy. From it are taken, in this order: the processes
//! that were seen; in each container and service, what its own counter has beyond its seen
//! processes (they came and went between two looks); the kernel's threads, interrupts and time the
//! hypervisor took (overhead); and what is left is `process:(short-lived)`, or `process:(hidden)`
//! where other users' processes cannot be seen.
//!
//! The counters are read a few milliseconds apart, and `/proc/stat` samples on most kernels what
//! processes are measured by exactly, so that the parts may be over the whole for a tick. Rows are
//! then not cut: the excess is *owed*, and taken from what is left over at the next ticks. Over
//! time the rows sum to the machine's counter; at any moment they differ by what is owed.

use super::counters::CpuTimes;
use super::groups::{GroupId, Groups};
use super::rows::{HIDDEN, Rows, SHORT_LIVED, named};
use super::table::{Scan, Tick, Who};
use super::uses::Use;
use super::{Sources, Units};
use std::collections::BTreeMap;

/// Most time that is owed, per core: beyond a second the two clocks do not agree, and waiting for
/// them to would hide it.
const OWED_NANOS_PER_CORE_MAX: u64 = 1_000_000_000;

/// What was seen of the processors in one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuLook {
    pub(super) times: CpuTimes,
    pub(super) scan: Scan,
    pub(super) tick: Tick,
    /// Whether other users' processes cannot be seen.
    pub(super) hidden: bool,
}

/// The account of processor time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuAccount {
    /// Given to rows beyond the machine's own counter, in nanoseconds.
    pub(super) owed_nanos: u64,
}

impl CpuAccount {
    /// The uses of one tick, and how much of what was owed had to be forgotten.
    pub(super) fn uses(
        &mut self,
        look: &CpuLook,
        who: &mut Who,
        units: Units,
        sources: &Sources,
    ) -> (Vec<Use>, u64) {
        let per_group = short_lived(&mut who.groups, &who.rows, look.tick.number, look.times.cores);
        for (group, nanos) in per_group {
            let row = who.rows.of(SHORT_LIVED, None, Some(group), &who.groups);
            if let Some(row) = who.rows.get_mut(row) {
                (row.cpu_nanos, row.seen) = (nanos, look.tick.number);
            }
        }
        let mut uses: Vec<Use> = Vec::new();
        let mut seen: u64 = 0;
        for row in who.rows.at(look.tick.number) {
            seen = seen.saturating_add(row.cpu_nanos);
            let is_rest = row.who.process.as_deref() == Some(SHORT_LIVED);
            let source = if is_rest { &sources.cgroup } else { &sources.procfs };
            let one = Use::of(row.who.clone(), source.clone(), row.cpu_nanos.into());
            uses.push(Use { group: row.group, ..one });
        }
        let nanos = |ticks: u64| ticks.saturating_mul(units.nanos_per_tick);
        let steal = nanos(look.times.steal);
        let kernel = look.scan.kernel_nanos.saturating_add(steal);
        let taken = seen.saturating_add(kernel).saturating_add(self.owed_nanos);
        let busy = nanos(look.times.busy());
        let left = busy.saturating_sub(taken);
        // Time in interrupts is partly also the time of the process that was interrupted.
        let interrupts = nanos(look.times.irq.saturating_add(look.times.softirq)).min(left);
        let (owed, forgotten) = bounded(taken.saturating_sub(busy), look.times.cores);
        self.owed_nanos = owed;
        uses.push(Use::of_system(
            sources.procfs.clone(),
            i128::from(kernel) + i128::from(interrupts),
        ));
        let rest = if look.hidden { HIDDEN } else { SHORT_LIVED };
        let rest = named(&format!("process:{rest}"));
        uses.push(Use::of(rest, sources.procfs.clone(), (left - interrupts).into()));
        (uses, forgotten)
    }
}

/// What is owed, and what is beyond the most that may be.
fn bounded(owed: u64, cores: u32) -> (u64, u64) {
    let most = OWED_NANOS_PER_CORE_MAX.saturating_mul(cores.into());
    (owed.min(most), owed.saturating_sub(most))
}

/// What the counter of each group has beyond its seen processes.
fn short_lived(groups: &mut Groups, rows: &Rows, tick: u64, cores: u32) -> Vec<(GroupId, u64)> {
    let mut seen: BTreeMap<GroupId, u64> = BTreeMap::new();
    for row in rows.at(tick) {
        if let Some(group) = row.group {
            let sum = seen.entry(group).or_default();
            *sum = sum.saturating_add(row.cpu_nanos);
        }
    }
    let mut rests = Vec::new();
    let ids: Vec<GroupId> = groups.iter().map(|(id, _)| id).collect();
    for id in ids {
        let Some(group) = groups.get_mut(id) else { continue };
        let Some(used) = group.used_nanos else { continue };
        let seen = seen.get(&id).copied().unwrap_or(0).saturating_add(group.owed_nanos);
        (group.owed_nanos, _) = bounded(seen.saturating_sub(used), cores);
        let rest = used.saturating_sub(seen);
        if rest > 0 {
            rests.push((id, rest));
        }
    }
    rests
}
