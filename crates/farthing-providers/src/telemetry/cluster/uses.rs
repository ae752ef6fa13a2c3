//! What devices did for whom, scrape by scrape: the records that ladders and idle verdicts are made
//! from. No money hangs on them.
//!
//! A record ends at a scrape and begins at the one before, at most two paces earlier: a scrape that
//! was missed is time without a record, which is not idleness. Where several hold a device at once
//! they have equal parts of it here; what they are charged for is said in `gpu`.

use super::device::{Device, Devices};
use super::gpu::{lives, slice, who};
use super::owner::Owners;
use super::progress::Counters;
use super::{World, window};
use crate::telemetry::series::{MISSING, Span};
use crate::telemetry::sources::Field;
use farthing_model::{
    DeviceId, DeviceUse, Missing, NodeId, PerMille, Progress, Reading, Rung, Rungs, Share,
};
use std::collections::{BTreeMap, BTreeSet};

/// Rungs that are ratios of the device, and the fields that say them.
const RATIOS: [(Rung, Field); 3] =
    [(Rung::Engine, Field::GpuEngine), (Rung::Sm, Field::GpuSm), (Rung::Tensor, Field::GpuTensor)];
/// A context takes more than this; a device that nobody uses has a few MiB of its own.
const CONTEXT_BYTES: i64 = 64 << 20;
/// Parts of a ratio in a thousandth, and of a watt in a milliwatt.
const PER_THOUSANDTH: i64 = 1_000_000;
/// Between scrapes, where there is only one.
const PACE_MS: i64 = 60_000;

/// The points of one field of a device, and whether it was exported at all.
struct Points {
    there: bool,
    by_time: BTreeMap<i64, i64>,
}

/// Everything that was read of a device.
struct Reads {
    fields: BTreeMap<Field, Points>,
    times: BTreeSet<i64>,
    pace: i64,
}

impl Reads {
    fn of(world: &World<'_>, device: &Device<'_>) -> Self {
        let mut reads = Self { fields: BTreeMap::new(), times: BTreeSet::new(), pace: PACE_MS };
        let ratios = RATIOS.map(|(_, field)| field);
        let others = [Field::GpuBusy, Field::GpuMemoryUsed, Field::GpuPower];
        let mut paces = Vec::new();
        for field in ratios.into_iter().chain(others) {
            let merged = device.merged(world.settled, field);
            paces.extend(merged.pace);
            let by_time: BTreeMap<i64, i64> =
                merged.points.iter().map(|point| (point.at, point.value)).collect();
            reads.times.extend(by_time.keys());
            reads.fields.insert(field, Points { there: device.has(field), by_time });
        }
        reads.pace = paces.into_iter().min().unwrap_or(PACE_MS).max(1);
        reads
    }

    /// The value of the scrape at a moment, or of the one just before it: exporters that are
    /// scraped in turn are off by less than a pace.
    fn value(&self, field: Field, at: i64) -> Result<i64, Missing> {
        let points = self.fields.get(&field).ok_or(Missing::NotExported)?;
        if !points.there {
            return Err(Missing::NotExported);
        }
        let last = points.by_time.range(at - self.pace + 1..=at).next_back();
        last.map(|(_, value)| *value).filter(|value| *value != MISSING).ok_or(Missing::Blank)
    }

    fn rungs(&self, at: i64, partitioned: bool) -> Rungs {
        let ratio = |value: i64| {
            let thousandths = u16::try_from((value / PER_THOUSANDTH).clamp(0, 1_000)).ok();
            thousandths.and_then(PerMille::new).map_or(BLANK, Reading::Value)
        };
        let mut rungs = Rungs::NONE;
        for (rung, field) in RATIOS {
            rungs = rungs.with(rung, self.value(field, at).map_or_else(Reading::Missing, ratio));
        }
        // The driver's own figure says nothing of partitions, and is what there is without DCGM's
        // profiling.
        let busy = self.value(Field::GpuBusy, at);
        if let (false, Reading::Missing(_), Ok(busy)) = (partitioned, rungs.get(Rung::Engine), busy)
        {
            rungs = rungs.with(Rung::Engine, ratio(busy));
        }
        let held = |bytes: i64| ratio(if bytes > CONTEXT_BYTES { 1_000_000_000 } else { 0 });
        let memory = self.value(Field::GpuMemoryUsed, at);
        rungs.with(Rung::Context, memory.map_or_else(Reading::Missing, held))
    }

    /// Each scrape of the window, with the time it stands for.
    fn scrapes(&self, window: Span) -> Vec<(i64, Span)> {
        let mut before = None;
        let mut found = Vec::new();
        for at in self.times.iter().copied() {
            let earliest = at - 2 * self.pace;
            let from = before.map_or(at - self.pace, |before: i64| before.max(earliest));
            before = Some(at);
            let (from, to) = (from.max(window.from), at.min(window.to));
            found.extend(Span::new(from, to).map(|span| (at, span)));
        }
        found
    }
}

const BLANK: Reading = Reading::Missing(Missing::Blank);

/// The records of all devices, by device and time.
pub(super) fn uses(world: &World<'_>, devices: &Devices<'_>) -> Vec<DeviceUse> {
    let mut owners = Owners::new(&world.facts, &world.settled.map);
    let counters = Counters::read(world, &mut owners);
    let mut found = Vec::new();
    for (key, device) in &devices.all {
        let Some(node) = &device.node else { continue };
        let (Ok(id), Ok(uuid)) = (NodeId::new(node), DeviceId::new(&key.0)) else { continue };
        let partitioned = devices.is_partitioned(&key.0);
        if partitioned && key.1.is_none() {
            continue;
        }
        let reads = Reads::of(world, device);
        let lives = lives(world, device, node);
        let slice = slice(world, key, device);
        let rung = RATIOS.into_iter().map(|(_, field)| field).chain([Field::GpuBusy]);
        let source = world.source(rung.into_iter().find_map(|field| device.source(field)));
        for (at, span) in reads.scrapes(world.horizon.window) {
            let Some(window) = window(span) else { continue };
            let here = lives.iter().filter(|(_, life)| life.contains(span.to - 1));
            let mut whose: Vec<_> =
                here.filter_map(|(holder, _)| who(world, holder, span.from, &mut owners)).collect();
            whose.sort();
            whose.dedup_by(|next, kept| next.workload == kept.workload);
            let count = u16::try_from(whose.len().max(1)).unwrap_or(u16::MAX);
            let part = Share::replica(count.into());
            let share = slice.and_then(|slice| part.within(slice.profile.share())).unwrap_or(part);
            let bytes = reads.value(Field::GpuMemoryUsed, at).ok();
            let watts = reads.value(Field::GpuPower, at).ok();
            let record = DeviceUse {
                source: source.clone(),
                node: id.clone(),
                device: uuid.clone(),
                slice,
                attribution: None,
                share,
                copied_to: count,
                window,
                rungs: reads.rungs(at, partitioned),
                memory_bytes: bytes.and_then(|bytes| u64::try_from(bytes).ok()),
                power_mw: watts.and_then(|watts| u32::try_from(watts / PER_THOUSANDTH).ok()),
                progress: Progress::default(),
            };
            if whose.is_empty() {
                found.push(record);
                continue;
            }
            found.extend(whose.into_iter().map(|who| DeviceUse {
                progress: counters.progress(&who, span),
                rungs: counters.with_mfu(&who, span, record.rungs),
                attribution: Some(who),
                ..record.clone()
            }));
        }
    }
    found
}
