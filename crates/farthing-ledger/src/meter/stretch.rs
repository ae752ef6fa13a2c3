//! What was paid: each node's time in stretches in which nothing about it changed, however many
//! spans told of it.

use super::{Fault, MeterError, MeterInput};
use crate::amount::{Nanos, capacity_over};
use farthing_model::{HourlyRate, NodeId, NodeSpan, Price, Provenance, Resource};

/// Whether a piece of paid time can be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// Usable and measured.
    Ready,
    /// Paid, not yet usable.
    Booting,
    /// Usable, and nobody looked.
    Unmeasured,
}

/// A piece of a node's time, and the stretch it belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) span: Nanos,
    pub(super) kind: PieceKind,
    /// Index into [`Timelines::stretches`].
    pub(super) stretch: usize,
}

/// Contiguous time of one node on one offer, capacity and price.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    /// Everything but the times of this one is true of the whole stretch.
    pub(super) like: &'a NodeSpan,
    pub(super) time: Nanos,
}

impl<'a> Stretch<'a> {
    /// The price, if it is known and in the currency of the books; else why not.
    pub(super) fn price(
        &self,
        input: &MeterInput<'_>,
    ) -> Result<(HourlyRate, &'a Provenance), String> {
        match &self.like.price {
            Price::Known(rate, provenance) if rate.per_hour().currency() == input.currency => {
                Ok((*rate, provenance))
            }
            Price::Known(rate, _) => Err(format!(
                "priced in {}, and these books are in {}",
                rate.per_hour().currency(),
                input.currency
            )),
            Price::Unknown(why) => Err(why.clone()),
        }
    }

    /// What the stretch offers of a resource, in 10^-9 unit-seconds.
    pub(super) fn capacity(&self, resource: Resource, time: Nanos) -> Result<i128, MeterError> {
        capacity_over(self.like.capacity.nano(resource), time)
            .ok_or_else(|| MeterError::Overflow { node: self.like.node.clone(), resource })
    }
}

/// All nodes' time.
pub(super) struct Timelines<'a> {
    /// The nodes, sorted; an index into it stands for a node below.
    pub(super) nodes: Vec<&'a NodeId>,
    /// For each node its pieces, in order, without overlap.
    pub(super) pieces: Vec<Vec<Piece>>,
    /// All stretches, by node and time.
    pub(super) stretches: Vec<Stretch<'a>>,
    /// Conflicts met on the way.
    pub(super) faults: Vec<Fault>,
}

pub(super) fn same_thing(a: &NodeSpan, b: &NodeSpan) -> bool {
    a.node == b.node
        && a.asset == b.asset
        && a.offer == b.offer
        && a.place == b.place
        && a.instance_type == b.instance_type
        && a.purchase == b.purchase
        && a.capacity == b.capacity
        && a.price == b.price
        && a.held_for == b.held_for
}

/// A total order that does not depend on the order of the input.
fn order(a: &NodeSpan, b: &NodeSpan) -> std::cmp::Ordering {
    let key = |span: &NodeSpan| (span.window, span.ready, !span.measured);
    a.node
        .cmp(&b.node)
        .then_with(|| key(a).cmp(&key(b)))
        .then_with(|| (a.asset, &a.offer).cmp(&(b.asset, &b.offer)))
        .then_with(|| a.place.cmp(&b.place))
        .then_with(|| a.instance_type.cmp(&b.instance_type))
        .then_with(|| (a.purchase, a.capacity).cmp(&(b.purchase, b.capacity)))
        .then_with(|| price_key(&a.price).cmp(&price_key(&b.price)))
        .then_with(|| a.held_for.cmp(&b.held_for))
}

fn price_key(price: &Price) -> impl Ord + '_ {
    match price {
        Price::Known(rate, from) => {
            let currency = rate.per_hour().currency();
            let list = from.list.as_deref().map(|list| {
                let discounts = list.discounts.as_ref();
                let discounts = discounts.map(|it| (it.before.per_hour().pico(), it.off));
                (list.rate.per_hour().pico(), discounts)
            });
            let rate = Some((rate.per_hour().pico(), currency, from.kind, from.as_of, list));
            (rate, from.source.as_str())
        }
        Price::Unknown(why) => (None, why.as_str()),
    }
}

/// Puts the spans of each node in order and joins those that tell of the same thing.
pub(super) fn timelines<'a>(input: &MeterInput<'a>) -> Timelines<'a> {
    let within = Nanos::of(input.window);
    let mut spans: Vec<(&NodeSpan, Nanos)> = input
        .spans
        .iter()
        .filter_map(|span| Some((span, Nanos::of(span.window).intersect(within)?)))
        .collect();
    spans.sort_by(|a, b| order(a.0, b.0));
    let mut lines = Timelines { nodes: vec![], pieces: vec![], stretches: vec![], faults: vec![] };
    for (span, time) in spans {
        if lines.nodes.last() != Some(&&span.node) {
            lines.nodes.push(&span.node);
            lines.pieces.push(vec![]);
        }
        lines.push(span, time);
    }
    lines
}

impl<'a> Timelines<'a> {
    /// Adds a span of the last node that starts no earlier than those before it.
    fn push(&mut self, span: &'a NodeSpan, mut time: Nanos) {
        let last = self.stretches.last_mut().filter(|last| last.like.node == span.node);
        if let Some(last) = last {
            let same = same_thing(last.like, span);
            if time.from < last.time.to {
                let twice = Nanos { from: time.from, to: time.to.min(last.time.to) };
                if let (false, Some(window)) = (same, twice.window()) {
                    self.faults.push(Fault::Conflict { node: span.node.clone(), window });
                }
                time.from = last.time.to;
                if time.from >= time.to {
                    return;
                }
            }
            if same && time.from == last.time.to {
                last.time.to = time.to;
                self.push_pieces(span, time);
                return;
            }
        }
        self.stretches.push(Stretch { like: span, time });
        self.push_pieces(span, time);
    }

    fn push_pieces(&mut self, span: &NodeSpan, time: Nanos) {
        let ready = span.ready.as_nanosecond().clamp(time.from, time.to);
        let usable = if span.measured { PieceKind::Ready } else { PieceKind::Unmeasured };
        self.push_piece(Nanos { from: time.from, to: ready }, PieceKind::Booting);
        self.push_piece(Nanos { from: ready, to: time.to }, usable);
    }

    fn push_piece(&mut self, span: Nanos, kind: PieceKind) {
        let stretch = self.stretches.len() - 1;
        let Some(pieces) = self.pieces.last_mut().filter(|_| span.from < span.to) else { return };
        match pieces.last_mut() {
            Some(last)
                if last.stretch == stretch && last.kind == kind && last.span.to == span.from =>
            {
                last.span.to = span.to;
            }
            _ => pieces.push(Piece { span, kind, stretch }),
        }
    }
}
