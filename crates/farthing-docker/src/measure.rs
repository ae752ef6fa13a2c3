//! From what the machine measured to whose it is: containers by name, ours on their parts of the
//! machine, and everything that is in no container as overhead.
//!
//! Nothing is measured here: the machine's own meter reads processes, control groups and devices.
//! What it counted is named and divided, and sums stay what they were.

use crate::lives::Piece;
use crate::look::Look;
use crate::share::{Shares, minus, plus};
use farthing_edge::Measured;
use farthing_model::{
    Attribution, DeviceUse, NodeSpan, Resource, Resources, Sample, SourceId, Window, proportion,
    split,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Resources of which a part of the machine has some.
const SHARED: [Resource; 2] = [Resource::Cpu, Resource::Memory];

/// What a window of the machine is divided by.
pub(crate) struct Division<'d> {
    pub(crate) look: &'d Look,
    /// The parts of the machine in the window, by node and window.
    pub(crate) pieces: &'d [Piece],
    pub(crate) shares: &'d Shares,
    /// What parts are metered by where nothing is known of them.
    pub(crate) source: &'d SourceId,
}

/// What samples are sorted by.
pub(crate) const fn order(sample: &Sample) -> impl Ord + use<'_> {
    (&sample.node, sample.resource, &sample.attribution, &sample.device, sample.window)
}

/// What records of devices are sorted by.
pub(crate) const fn order_of_use(one: &DeviceUse) -> impl Ord + use<'_> {
    (&one.node, &one.device, &one.attribution, one.window)
}

/// What others than ours hold of the machine, on average over a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Others(pub(crate) Resources);

impl Division<'_> {
    /// Divides what was measured; also what others hold.
    pub(crate) fn divide(&self, measured: &mut Measured) -> Others {
        let spans = std::mem::take(&mut measured.spans);
        measured.spans = spans.iter().flat_map(|span| self.spans(span)).collect();
        measured.spans.sort_by(|a, b| (&a.node, a.window).cmp(&(&b.node, b.window)));
        let windows = spans.iter().filter(|span| span.measured).map(|span| span.window);
        let mut samples = std::mem::take(&mut measured.samples);
        let of_pieces = self.take_pieces(&mut samples);
        for window in windows {
            measured.samples.extend(self.samples_of_pieces(&of_pieces, window));
        }
        for sample in &mut samples {
            self.name(&mut sample.attribution);
        }
        let samples = merged(samples);
        let others = Others(held(&samples));
        measured.samples.extend(samples);
        measured.samples.sort_by(|a, b| order(a).cmp(&order(b)));
        for record in &mut measured.uses {
            if let Some(who) = self.face(record.attribution.as_deref()) {
                record.attribution = Some(who);
            }
        }
        measured.uses.sort_by(|a, b| order_of_use(a).cmp(&order_of_use(b)));
        others
    }

    /// A span of the machine: the parts in it, and what is left at each moment.
    fn spans(&self, span: &NodeSpan) -> Vec<NodeSpan> {
        let mut edges = vec![span.window.from(), span.window.to()];
        let mut spans = Vec::new();
        for piece in self.pieces {
            let Some(window) = piece.window.intersect(span.window) else { continue };
            edges.extend([window.from(), window.to()]);
            spans.push(NodeSpan {
                node: piece.node.clone(),
                offer: piece.offer.clone(),
                instance_type: Shares::instance_type(piece.shape),
                capacity: piece.shape,
                price: self.shares.price(piece.shape),
                ready: window.from(),
                window,
                ..span.clone()
            });
        }
        edges.sort_unstable();
        edges.dedup();
        for pair in edges.windows(2) {
            let Ok(window) = Window::new(pair[0], pair[1]) else { continue };
            let there = self.pieces.iter().filter(|piece| piece.window.contains(window.from()));
            let shapes: Vec<Resources> = there.map(|piece| piece.shape).collect();
            let taken = shapes.iter().copied().fold(Resources::default(), plus);
            let capacity = minus(span.capacity, taken);
            let (price, ready) = (self.shares.rest(&shapes), window.from());
            spans.push(NodeSpan { capacity, price, ready, window, ..span.clone() });
        }
        spans
    }

    /// Takes out of the samples what containers of ours used of what their parts have.
    fn take_pieces(&self, samples: &mut Vec<Sample>) -> BTreeMap<(String, Resource), Sample> {
        let ids: BTreeMap<&str, &str> = self
            .pieces
            .iter()
            .filter_map(|piece| Some((piece.id.get(..12)?, &*piece.id)))
            .collect();
        let mut taken: BTreeMap<(String, Resource), Sample> = BTreeMap::new();
        samples.retain(|sample| {
            let label = sample.attribution.as_ref().and_then(|who| who.container.as_deref());
            let id = label.and_then(|label| ids.get(label));
            let Some(id) = id.filter(|_| SHARED.contains(&sample.resource)) else { return true };
            let key = ((*id).to_owned(), sample.resource);
            match taken.get_mut(&key) {
                Some(sum) => add(sum, sample),
                None => {
                    taken.insert(key, sample.clone());
                }
            }
            false
        });
        taken
    }

    /// Each part is set aside whole for whom it is; what was used in it is divided over the pieces
    /// of a container by the time that each lasted.
    fn samples_of_pieces(
        &self,
        taken: &BTreeMap<(String, Resource), Sample>,
        window: Window,
    ) -> Vec<Sample> {
        let inside = |piece: &Piece| piece.window.intersect(window);
        let mut samples = Vec::new();
        for piece in self.pieces {
            let Some(part) = inside(piece) else { continue };
            for resource in SHARED.into_iter().filter(|it| piece.shape.nano(*it) > 0) {
                let sample = taken.get(&(piece.id.clone(), resource));
                let used = sample.and_then(|sample| {
                    let used = sample.used_nano?;
                    if resource == Resource::Memory {
                        // The memory of now over the whole window, of which it lived a part.
                        return proportion(used, part.nanos(), sample.window.nanos());
                    }
                    let same = self.pieces.iter().filter(|it| it.id == piece.id);
                    let same =
                        same.filter(|it| it.shape.nano(resource) > 0 && inside(it).is_some());
                    let same: Vec<&Piece> = same.collect();
                    let time = |it: &&Piece| inside(it).map_or(0, Window::nanos);
                    let parts = split(used, &same.iter().map(time).collect::<Vec<_>>()).ok()?;
                    let at = same.iter().position(|it| it.window == piece.window)?;
                    parts.get(at).copied()
                });
                samples.push(Sample {
                    source: sample.map_or(self.source, |sample| &sample.source).clone(),
                    node: piece.node.clone(),
                    device: None,
                    slice: None,
                    attribution: Some(Arc::clone(&piece.who)),
                    resource,
                    window: part,
                    requested_nano: piece.shape.nano(resource) * part.nanos() / 1_000_000_000,
                    used_nano: used,
                    held_nano: None,
                });
            }
        }
        samples
    }

    /// Names whom something is for: what is in no container is the system's own.
    fn name(&self, attribution: &mut Option<Arc<Attribution>>) {
        let named = self.face(attribution.as_deref());
        let in_container = |who: &Arc<Attribution>| who.container.is_some() && !is_unit(who);
        *attribution = named.or_else(|| attribution.take().filter(in_container));
    }

    /// Who the container is that something ran in, where it is one that is known.
    fn face(&self, who: Option<&Attribution>) -> Option<Arc<Attribution>> {
        let label = who?.container.as_deref()?;
        let ours = || {
            let mut ours = self.look.ours.values();
            ours.find(|it| it.short() == label).map(|it| &it.who)
        };
        self.look.others.get(label).or_else(ours).cloned()
    }
}

/// Services of the system have a label beside containers, and are overhead like all else that is
/// in none.
fn is_unit(who: &Attribution) -> bool {
    who.workload.as_str().starts_with("unit:")
}

/// Adds what another sample of the same says.
fn add(sum: &mut Sample, other: &Sample) {
    // Of a device each claims for itself, so that what one used beyond its share hides nothing.
    if sum.device.is_some() {
        sum.requested_nano = sum.requested_nano.max(sum.known_use());
        sum.requested_nano += other.requested_nano.max(other.known_use());
    } else {
        sum.requested_nano += other.requested_nano;
    }
    sum.used_nano = sum.used_nano.zip(other.used_nano).map(|(one, more)| one + more);
    sum.held_nano = sum.held_nano.zip(other.held_nano).map(|(one, more)| one + more);
}

/// One sample for each of whom, where and what.
fn merged(mut samples: Vec<Sample>) -> Vec<Sample> {
    let key = |sample: &Sample| {
        let Sample { node, resource, attribution, device, slice, window, .. } = sample;
        let slice = slice.map(|slice| slice.to_string());
        (node.clone(), *resource, attribution.clone(), device.clone(), slice, *window)
    };
    samples.sort_by_cached_key(key);
    samples.dedup_by(|next, kept| {
        let same = key(next) == key(kept);
        if same {
            add(kept, next);
        }
        same
    });
    samples
}

/// What is held by all of these: what was set aside, and memory also where it was only used.
fn held(samples: &[Sample]) -> Resources {
    let mut held = Resources::default();
    for sample in samples {
        // Divided before it is made small: gigabytes in 10^-9 do not fit 64 bits.
        let mean = |amount: i128, unit: i128| {
            let mean = amount.saturating_mul(1_000_000_000) / sample.window.nanos() / unit;
            u64::try_from(mean).unwrap_or(0)
        };
        match sample.resource {
            // A processor is shared by the moment, and memory is not.
            Resource::Cpu => held.cpu_milli += mean(sample.requested_nano, 1_000_000),
            Resource::Memory => {
                let claim = sample.requested_nano.max(sample.known_use());
                held.memory_bytes += mean(claim, 1_000_000_000);
            }
            _ => {}
        }
    }
    held
}

#[cfg(test)]
mod tests;
