//! When containers of ours ran: from the engine's own times of start and end, across looks.

use crate::container::{Container, Phase};
use crate::look::Look;
use crate::share::plus;
use farthing_model::{Attribution, NodeId, OfferId, Resources, Window};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// From when to when; open where it goes on.
type Span = (Timestamp, Option<Timestamp>);

/// A container's time, as far as it is not accounted yet.
#[derive(Clone, Debug)]
struct Life {
    node: NodeId,
    offer: OfferId,
    who: Arc<Attribution>,
    /// What it may use from when on, as far as that is not accounted.
    shapes: Vec<(Timestamp, Resources)>,
    runs: Vec<Span>,
    frozen: Vec<Span>,
    /// When it was last seen.
    seen: Timestamp,
}

/// A container's part of the machine over a time in which it did not change.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) id: String,
    pub(crate) node: NodeId,
    pub(crate) offer: OfferId,
    pub(crate) who: Arc<Attribution>,
    pub(crate) shape: Resources,
    pub(crate) window: Window,
}

/// A container's part of the machine, now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'l> {
    pub(crate) node: &'l NodeId,
    pub(crate) offer: &'l OfferId,
    pub(crate) shape: Resources,
    pub(crate) since: Timestamp,
}

impl Piece {
    /// Whether the machine has room for it beside others, at each moment.
    fn fits_beside(&self, others: &[Self], capacity: Resources) -> bool {
        let starts = others.iter().map(|other| other.window.from());
        let starts = starts.filter(|start| self.window.contains(*start));
        starts.chain([self.window.from()]).all(|start| {
            let there = others.iter().filter(|other| other.window.contains(start));
            is_within(there.fold(self.shape, |sum, other| plus(sum, other.shape)), capacity)
        })
    }
}

const fn is_within(shape: Resources, capacity: Resources) -> bool {
    shape.cpu_milli <= capacity.cpu_milli && shape.memory_bytes <= capacity.memory_bytes
}

/// The lives of all containers of ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives(BTreeMap<String, Life>);

impl Lives {
    /// Takes what a look found. `machine` is the name that parts of it begin with.
    pub(crate) fn update(&mut self, look: &Look, machine: &NodeId) {
        for container in look.ours.values() {
            let known = self.0.remove(&container.id);
            let Some(mut life) = known.or_else(|| Life::of(container, machine)) else { continue };
            life.update(container, look.at);
            self.0.insert(container.id.clone(), life);
        }
        for (id, life) in &mut self.0 {
            if !look.ours.contains_key(id) {
                life.end();
            }
        }
    }

    /// The parts of the machine in a window, each cut where it changes. Who began first has its
    /// part first; what does not fit beside it has none, and is metered like containers of others.
    pub(crate) fn pieces(&self, window: Window, capacity: Resources) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for (id, life) in self.in_order() {
            let own: Vec<Piece> = life
                .cut(window)
                .into_iter()
                .map(|(window, frozen)| Piece {
                    id: id.to_owned(),
                    node: life.node.clone(),
                    offer: life.offer.clone(),
                    who: Arc::clone(&life.who),
                    shape: life.shape(window.from(), frozen),
                    window,
                })
                .collect();
            if own.iter().all(|piece| piece.fits_beside(&pieces, capacity)) {
                pieces.extend(own);
            }
        }
        pieces.sort_by(|a, b| (&a.node, a.window).cmp(&(&b.node, b.window)));
        pieces
    }

    /// The parts that are held now: each node with what it is and since when, by node.
    pub(crate) fn held(&self, capacity: Resources) -> Vec<Held<'_>> {
        let (mut held, mut taken) = (Vec::new(), Resources::default());
        for (_, life) in self.in_order() {
            let Some(since) = life.open_since() else { continue };
            let frozen = life.frozen.last().is_some_and(|(_, to)| to.is_none());
            let shape = life.shape(life.seen, frozen);
            let with = plus(taken, shape);
            if is_within(with, capacity) {
                taken = with;
                held.push(Held { node: &life.node, offer: &life.offer, shape, since });
            }
        }
        held.sort_by(|a, b| a.node.cmp(b.node));
        held
    }

    /// Those that have limits, in the order in which they began.
    fn in_order(&self) -> Vec<(&str, &Life)> {
        let limited = |life: &Life| {
            let all = life.shapes.iter();
            all.last().is_some_and(|(_, shape)| shape.cpu_milli > 0 && shape.memory_bytes > 0)
        };
        let all = self.0.iter().map(|(id, life)| (id.as_str(), life));
        let mut all: Vec<_> = all.filter(|(_, life)| limited(life)).collect();
        all.sort_by_key(|(id, life)| (life.runs.first().map(|(from, _)| *from), *id));
        all
    }

    /// Forgets what ended before a moment that is accounted.
    pub(crate) fn accounted(&mut self, to: Timestamp) {
        let ended = |(_, end): &Span| end.is_some_and(|end| end <= to);
        for life in self.0.values_mut() {
            // The last run stays, so that it is known when it is seen again.
            let last = life.runs.len().saturating_sub(1);
            let mut index = 0;
            life.runs.retain(|run| {
                index += 1;
                index > last || !ended(run)
            });
            life.frozen.retain(|span| !ended(span));
            let now = life.shapes.iter().rposition(|(from, _)| *from <= to).unwrap_or(0);
            life.shapes.drain(..now);
        }
        self.0.retain(|_, life| life.seen >= to || !life.runs.iter().all(ended));
    }
}

impl Life {
    fn of(container: &Container, machine: &NodeId) -> Option<Self> {
        Some(Self {
            node: NodeId::new(&format!("{machine}/{}", container.name.base)).ok()?,
            offer: container.offer.clone(),
            who: Arc::clone(&container.who),
            shapes: vec![(Timestamp::MIN, container.limits)],
            runs: Vec::new(),
            frozen: Vec::new(),
            seen: Timestamp::UNIX_EPOCH,
        })
    }

    fn update(&mut self, seen: &Container, at: Timestamp) {
        self.seen = at;
        self.who = Arc::clone(&seen.who);
        // Of one that has ended an engine may say what it was made with, and not what it had.
        let is_held = matches!(seen.phase, Phase::Running | Phase::Frozen);
        let changed = self.shapes.last().is_none_or(|(_, shape)| *shape != seen.limits);
        if is_held && changed {
            self.shapes.push((at, seen.limits));
        }
        let is_frozen = seen.phase == Phase::Frozen;
        match self.frozen.last_mut().filter(|(_, to)| to.is_none()) {
            Some(open) if !is_frozen => open.1 = Some(at.max(open.0)),
            None if is_frozen => self.frozen.push((at, None)),
            _ => {}
        }
        let Some(started) = seen.started.filter(|_| seen.phase != Phase::Created) else { return };
        let end = seen.finished.filter(|_| seen.phase == Phase::Ended);
        let end = end.map(|end| end.max(started));
        if let Some(last) = self.runs.last_mut() {
            if last.0 == started {
                last.1 = end;
                return;
            }
            if last.1.is_none() {
                // Its end is what the engine still says, where that lies between the two starts.
                let between = |at: &Timestamp| (last.0..=started).contains(at);
                last.1 = Some(seen.finished.filter(between).unwrap_or(started.max(last.0)));
            }
        }
        self.runs.push((started, end));
    }

    /// It is gone: when it ended is not known, only that it was there when it was last seen.
    fn end(&mut self) {
        let seen = self.seen;
        for (from, to) in self.runs.iter_mut().chain(&mut self.frozen) {
            to.get_or_insert(seen.max(*from));
        }
    }

    /// What is set aside for it at a moment; of what is frozen only its memory.
    fn shape(&self, at: Timestamp, frozen: bool) -> Resources {
        let mut shapes = self.shapes.iter().rev();
        let then = shapes.find(|(from, _)| *from <= at).or_else(|| self.shapes.first());
        let shape = then.map(|(_, shape)| *shape).unwrap_or_default();
        let cpu_milli = if frozen { 0 } else { shape.cpu_milli };
        Resources { cpu_milli, ..shape }
    }

    fn open_since(&self) -> Option<Timestamp> {
        self.runs.last().filter(|(_, to)| to.is_none()).map(|(from, _)| *from)
    }

    /// Its time in a window, cut where it was frozen or went on, or got other limits.
    fn cut(&self, window: Window) -> Vec<(Window, bool)> {
        let mut edges: Vec<Timestamp> = vec![window.from(), window.to()];
        let spans = self.runs.iter().chain(&self.frozen);
        edges.extend(spans.flat_map(|(from, to)| [Some(*from), *to]).flatten());
        edges.extend(self.shapes.iter().map(|(from, _)| *from));
        edges.retain(|edge| (window.from()..=window.to()).contains(edge));
        edges.sort_unstable();
        edges.dedup();
        let inside = |spans: &[Span], part: Window| {
            spans
                .iter()
                .any(|(from, to)| *from <= part.from() && to.is_none_or(|to| part.to() <= to))
        };
        let parts = edges.windows(2).filter_map(|pair| Window::new(pair[0], pair[1]).ok());
        let parts = parts.filter(|part| inside(&self.runs, *part));
        parts.map(|part| (part, inside(&self.frozen, part))).collect()
    }
}

#[cfg(test)]
mod tests;
