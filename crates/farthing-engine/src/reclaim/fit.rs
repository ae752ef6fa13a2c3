//! What members may use, where that is far from what they do: as much as fits the most that any of
//! them used, with the band's head room over it. It is given back when what is left of it is full.
//!
//! A processor that is short makes work slow, and memory that is short ends it: so it goes by the
//! most and not by what is usual, by every member and not by their mean, and by nothing that was
//! measured for less than the policy says.

use super::{Wanted, is_others, is_taken};
use crate::Engine;
use crate::engine::World;
use crate::error::EngineError;
use crate::reclaim_record::Cause;
use farthing_edge::Store;
use farthing_model::{
    Action, Band, BandState, Decimal, Fit, Money, MoneyError, PerResource, Ratio, Reason, Resource,
    Resources, Snapshot, StepId, Window, WorkloadId, WorkloadState, proportion,
};
use jiff::{SignedDuration, Timestamp};

/// What can be changed while something runs.
const LIMITED: [Resource; 2] = [Resource::Cpu, Resource::Memory];
/// Limits are whole so many: a hundredth of a core, which engines can say exactly.
const CPU_GRAIN_MILLI: u64 = 10;
/// And four MiB, of which engines want at least two.
const MEMORY_GRAIN_BYTES: u64 = 4 << 20;
/// A limit is left alone that would not become smaller by at least this part of it.
const LEAST_PART: u128 = 4;

impl<W: World, S: Store> Engine<W, S> {
    /// Workloads whose members may use much more than any of them did in a span.
    pub(super) fn loose_limits(
        &self,
        snapshot: &Snapshot,
        (span, now): (SignedDuration, Timestamp),
    ) -> Result<Vec<Wanted>, EngineError> {
        let bands = &self.config.policy.bands;
        let mut wanted = Vec::new();
        for (id, terms) in &snapshot.terms.workloads {
            let (Some(fit), Some(observed)) = (&terms.fit, snapshot.workload(id)) else { continue };
            let runs = matches!(observed.state, WorkloadState::Placed(_));
            let known = now.duration_since(fit.since) >= span;
            let others = is_others(snapshot, id) || is_taken(self.journal.state(), id, (span, now));
            if others || !runs || !known || fit.members == 0 {
                continue;
            }
            let to = fitting(fit, bands);
            if to == fit.limits {
                continue;
            }
            let window = self.each_span(now)?;
            let cost = |each: Resources| {
                cost(fit, each, window, self.config.currency).map_err(EngineError::Money)
            };
            let (Some(before), Some(after)) = (cost(fit.limits)?, cost(to)?) else { continue };
            let saving = before.checked_sub(after).map_err(EngineError::Money)?;
            wanted.push(Wanted {
                action: Action::Resize {
                    workload: id.clone(),
                    members: fit.members,
                    from: fit.limits,
                    to,
                    window,
                },
                generation: observed.generation,
                cost: after,
                saving,
                reasons: vec![Reason::Band(why(fit, to, (bands, now)))],
            });
        }
        Ok(wanted)
    }

    /// Gives limits back that are nearly full.
    pub(super) fn loosen(
        &mut self,
        snapshot: &Snapshot,
        now: Timestamp,
        notes: &mut Vec<String>,
    ) -> Result<(), EngineError> {
        let open = self.journal.state().in_force();
        let open = open.filter(|(open, _)| open.reclaim == Some(Cause::Limits));
        let full: Vec<(StepId, WorkloadId)> = open
            .filter_map(|(open, _)| {
                let id = open.workload()?;
                let fit = snapshot.terms.workloads.get(id)?.fit.as_ref()?;
                let Action::Resize { from, to, .. } = &open.step.action else { return None };
                let bands = &self.config.policy.bands;
                // What somebody else changed is not ours any more.
                let full = fit.limits == *to && is_full(fit, (*from, *to), bands);
                full.then(|| (open.step.id.clone(), id.clone()))
            })
            .collect();
        for (step, id) in full {
            if self.take_back(&step, now, notes)? {
                notes.push(format!("{id} needs its limits again: they are as before"));
            }
        }
        Ok(())
    }
}

/// What each member may use from now on: no more than now, and of what is within its band as
/// much as now.
fn fitting(fit: &Fit, bands: &PerResource<Band>) -> Resources {
    let mut to = fit.limits;
    for resource in LIMITED {
        let band = bands.get(resource);
        let limit = amount(fit.limits, resource);
        let used = Ratio::of(i128::from(amount(fit.usual, resource)), i128::from(limit));
        if used.is_none_or(|used| band.state(used) != BandState::Under) {
            continue;
        }
        let peak = amount(fit.peak, resource).max(amount(fit.usual, resource));
        let Some(needs) = head_room(peak, band.threshold(), resource) else { continue };
        let enough = u128::from(needs) * LEAST_PART <= u128::from(limit) * (LEAST_PART - 1);
        if enough {
            set(&mut to, resource, needs);
        }
    }
    to
}

/// Why so much, in words.
fn why(fit: &Fit, to: Resources, (bands, now): (&PerResource<Band>, Timestamp)) -> String {
    let of = |resource: Resource| {
        let (limit, new) = (amount(fit.limits, resource), amount(to, resource));
        let share = |part: u64| Ratio::of(i128::from(part), i128::from(limit));
        let (usual, peak) = (share(amount(fit.usual, resource)), share(amount(fit.peak, resource)));
        let band = bands.get(resource);
        (new < limit).then(|| {
            format!(
                "{resource} {} instead of {}, as {} in 99 of 100 measurements and {} at most \
                 (band {} to {})",
                words(new, resource),
                words(limit, resource),
                usual.unwrap_or(Ratio::ZERO),
                peak.unwrap_or(Ratio::ZERO),
                band.threshold(),
                band.max
            )
        })
    };
    let parts: Vec<String> = LIMITED.into_iter().filter_map(of).collect();
    let since = SignedDuration::from_secs(now.duration_since(fit.since).as_secs());
    format!("no member used more of its limits in {since:#}: {}", parts.join("; "))
}

/// Whether a member used up what is left of what was taken.
fn is_full(fit: &Fit, (from, to): (Resources, Resources), bands: &PerResource<Band>) -> bool {
    LIMITED.into_iter().any(|resource| {
        let (was, is) = (amount(from, resource), amount(to, resource));
        let max = bands.get(resource).max;
        let last = i128::from(amount(fit.last, resource));
        was > is && max.part_of(i128::from(is)).is_some_and(|full| last >= full)
    })
}

/// So much that `peak` is no more than `threshold` of it, in whole grains; `None` where no amount
/// is.
fn head_room(peak: u64, threshold: Ratio, resource: Resource) -> Option<u64> {
    let grain = match resource {
        Resource::Cpu => CPU_GRAIN_MILLI,
        _ => MEMORY_GRAIN_BYTES,
    };
    let ppm = u128::from(threshold.ppm());
    if ppm == 0 || ppm > 1_000_000 {
        return None;
    }
    let needs = (u128::from(peak) * 1_000_000).div_ceil(ppm);
    // One grain more of memory: what a program does next needs a page or two.
    let spare = if resource == Resource::Memory { u128::from(grain) } else { 0 };
    let whole = (needs + spare).div_ceil(u128::from(grain)).max(2) * u128::from(grain);
    u64::try_from(whole).ok()
}

const fn amount(of: Resources, resource: Resource) -> u64 {
    match resource {
        Resource::Cpu => of.cpu_milli,
        _ => of.memory_bytes,
    }
}

/// `1.5`, `512 MiB`.
fn words(amount: u64, resource: Resource) -> String {
    match resource {
        Resource::Cpu => Decimal::from_nano(i128::from(amount) * 1_000_000).to_string(),
        _ => format!("{} MiB", amount >> 20),
    }
}

const fn set(of: &mut Resources, resource: Resource, amount: u64) {
    match resource {
        Resource::Cpu => of.cpu_milli = amount,
        _ => of.memory_bytes = amount,
    }
}

/// What all members cost in a window; `None` where nobody knows.
fn cost(
    fit: &Fit,
    each: Resources,
    window: Window,
    currency: farthing_model::Currency,
) -> Result<Option<Money>, MoneyError> {
    const HOUR: i128 = 3_600_000_000_000;
    let Some((prices, machine)) = &fit.price else { return Ok(None) };
    let mut pico = 0_i128;
    for resource in LIMITED {
        let (price, has) = (prices.get(resource), machine.nano(resource));
        if price.currency() != currency {
            return Ok(None);
        }
        let part = each.nano(resource).checked_mul(i128::from(fit.members));
        let hourly = part.filter(|_| has > 0).and_then(|part| proportion(price.pico(), part, has));
        let whole = hourly.and_then(|hourly| proportion(hourly, window.nanos(), HOUR));
        pico = whole.and_then(|whole| pico.checked_add(whole)).ok_or(MoneyError::Overflow)?;
    }
    Ok(Some(Money::from_pico(pico, currency)))
}
