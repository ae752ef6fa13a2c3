//! Metering an hour while it goes on: each tick is metered once, and the hour is what its ticks
//! came to.
//!
//! A node's charges are its costs, split by quantities; and quantities of ticks are those of the
//! hour as long as nothing was scaled in any of them and no tick could have been: then they are
//! only summed. What is kept is for who was there, and not for how often that was looked at. Nodes
//! of which that is not so (claims over capacity, slices of devices, volumes, networks, samples
//! where nobody paid) are metered claim by claim, from telemetry that is read again. So the hour is
//! to the unit what [`super::meter()`] makes of all telemetry at once.
//!
//! It refuses to know where telemetry is kept.

use super::claim::{self, Claims, SYSTEM};
use super::fill::{self, Filled, Place};
use super::number::FastMap;
use super::stretch::{self, Piece, PieceKind, Stretch, Timelines, same_thing};
use super::tally::{TelemetryError, joined};
use super::{Fault, MeterError, MeterInput, Metered, Method, inside_an_hour, post};
use crate::amount::Nanos;
use farthing_model::{Asset, Attribution, NodeId, NodeSpan, Resource, Sample, Window, hour_floor};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// What the ticks of an hour came to so far.
#[derive(Debug, Default)]
pub struct Running {
    window: Option<Window>,
    nodes: BTreeMap<NodeId, OfNode>,
    /// Spans that told different stories.
    conflicts: Vec<Fault>,
    who: Who,
}

/// What is known of one node.
#[derive(Debug, Default)]
struct OfNode {
    /// Whether its claims have to be looked at one by one.
    is_odd: bool,
    stretches: Vec<OfStretch>,
    /// Of a node that is not odd.
    duplicates: u64,
    faults: Vec<Fault>,
}

/// A stretch of a node's time, and where its quantities went.
#[derive(Debug)]
struct OfStretch {
    like: NodeSpan,
    time: Nanos,
    pieces: Vec<(Nanos, PieceKind)>,
    shares: BTreeMap<(Resource, Place), i128>,
}

/// Who was there, each once; the numbers of [`Place`] are 1 + the place in `names`.
#[derive(Debug, Default)]
struct Who {
    names: Vec<Arc<Attribution>>,
    numbers: HashMap<Arc<Attribution>, u32>,
    /// By the addresses of those in `names`, which are theirs as long as they are there.
    by_address: FastMap<usize, u32>,
}

impl Who {
    fn number(&mut self, name: &Arc<Attribution>) -> u32 {
        let address = |name: &Arc<Attribution>| Arc::as_ptr(name).addr();
        if let Some(number) = self.by_address.get(&address(name)) {
            return *number;
        }
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.names.push(Arc::clone(name));
        // Four thousand million names do not fit into memory.
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(Arc::clone(name), number);
        self.by_address.insert(address(name), number);
        number
    }
}

impl Running {
    /// What was metered: from the first tick to the end of the last.
    pub const fn window(&self) -> Option<Window> {
        self.window
    }

    /// Whether a tick can be added: one of the same hour, after all that was.
    pub fn takes(&self, tick: Window) -> bool {
        self.window.is_none_or(|known| {
            known.to() <= tick.from() && hour_floor(known.from()) == hour_floor(tick.from())
        })
    }

    /// Adds a tick, and says what it alone comes to. What the input says of other times is not
    /// counted, so that all of it has to be inside of the tick for the hour to be exact.
    ///
    /// # Errors
    /// As [`super::meter()`]; [`MeterError::Order`] for a tick that cannot be added. Then nothing
    /// of it was.
    pub fn add(&mut self, input: &MeterInput<'_>) -> Result<Metered, MeterError> {
        inside_an_hour(input.window)?;
        if !self.takes(input.window) {
            return Err(MeterError::Order(input.window));
        }
        let timelines = stretch::timelines(input);
        let mut claims = claim::claims(input, &timelines)?;
        let odd = odd(input, &timelines, &claims);
        let filled = fill::fill_watched(&timelines, &mut claims)?;
        let metered = post::post((input, Method::ByDevice), &timelines, &claims, &filled)?;
        for node in odd {
            self.set_odd(node);
        }
        for node in &filled.tight {
            self.set_odd(timelines.nodes[*node]);
        }
        self.extend(&timelines);
        self.sum(&timelines, &claims, &filled);
        self.conflicts.extend(timelines.faults);
        let from = self.window.map_or(input.window.from(), Window::from);
        self.window = Window::new(from, input.window.to()).ok();
        Ok(metered)
    }

    fn set_odd(&mut self, name: &NodeId) {
        let node = self.nodes.entry(name.clone()).or_default();
        node.is_odd = true;
        (node.duplicates, node.faults) = (0, Vec::new());
        node.stretches.iter_mut().for_each(|stretch| stretch.shares.clear());
    }

    /// Goes on with the stretches of nodes, as if the spans of all ticks came one after the other.
    fn extend(&mut self, timelines: &Timelines<'_>) {
        for (name, pieces) in timelines.nodes.iter().zip(&timelines.pieces) {
            let node = self.nodes.entry((*name).clone()).or_default();
            for of_one in pieces.chunk_by(|a, b| a.stretch == b.stretch) {
                let Stretch { like, time } = timelines.stretches[of_one[0].stretch];
                match node.stretches.last_mut() {
                    Some(last) if last.time.to == time.from && same_thing(&last.like, like) => {
                        last.time.to = time.to;
                    }
                    _ => node.stretches.push(OfStretch {
                        like: like.clone(),
                        time,
                        pieces: Vec::new(),
                        shares: BTreeMap::new(),
                    }),
                }
                let Some(stretch) = node.stretches.last_mut() else { continue };
                for piece in of_one {
                    match stretch.pieces.last_mut() {
                        Some((last, kind)) if last.to == piece.span.from && *kind == piece.kind => {
                            last.to = piece.span.to;
                        }
                        _ => stretch.pieces.push((piece.span, piece.kind)),
                    }
                }
            }
        }
    }

    /// Sums what a tick came to on nodes that are not odd.
    fn sum(&mut self, timelines: &Timelines<'_>, claims: &Claims, filled: &Filled) {
        let mut numbers: Vec<Option<u32>> = vec![None; claims.who.len()];
        for ((index, resource), shares) in &filled.shares {
            let Stretch { like, time } = timelines.stretches[*index];
            let Some(node) = self.nodes.get_mut(&like.node).filter(|node| !node.is_odd) else {
                continue;
            };
            let of_it = |stretch: &&mut OfStretch| stretch.time.intersect(time).is_some();
            let Some(stretch) = node.stretches.iter_mut().rev().find(of_it) else { continue };
            for ((who, destination, detail), nano) in shares {
                let number = match who.checked_sub(1) {
                    None => SYSTEM,
                    Some(rank) => *numbers[rank as usize]
                        .get_or_insert_with(|| self.who.number(&claims.who[rank as usize])),
                };
                let place = (*resource, (number, *destination, *detail));
                *stretch.shares.entry(place).or_default() += nano;
            }
        }
        for (index, again) in &claims.duplicates {
            let name = timelines.nodes[*index as usize];
            if let Some(node) = self.nodes.get_mut(name).filter(|node| !node.is_odd) {
                node.duplicates += again;
            }
        }
        for fault in claims.faults.iter().chain(&filled.faults) {
            let node = self.nodes.entry(fault.node().clone()).or_default();
            if !node.is_odd {
                node.faults.push(fault.clone());
            }
        }
    }

    /// What the hour comes to so far: the charges of all ticks metered at once. The spans, samples
    /// and window of the input do not count. `kept` reads the samples of the window again that are
    /// of some nodes, in any order.
    ///
    /// # Errors
    /// As [`super::meter()`], and what `kept` says.
    pub fn metered<E: std::error::Error + 'static>(
        &self,
        input: &MeterInput<'_>,
        kept: impl FnOnce(&dyn Fn(&str) -> bool) -> Result<Vec<Sample>, E>,
    ) -> Result<Metered, TelemetryError<E>> {
        let error = TelemetryError::Meter;
        let window = self.window.unwrap_or(input.window);
        let timelines = self.timelines();
        // Only the types of machines are asked of the spans.
        let spans: Vec<NodeSpan> = timelines.stretches.iter().map(|one| one.like.clone()).collect();
        let names = self.nodes.iter().filter(|(_, node)| node.is_odd);
        let names: HashSet<&str> = names.map(|(name, _)| name.as_str()).collect();
        let is_odd = |name: &str| names.contains(name);
        let samples = if names.is_empty() { Ok(Vec::new()) } else { kept(&is_odd) };
        let samples = samples.map_err(TelemetryError::Read)?;
        let input = MeterInput { window, spans: &spans, samples: &samples, ..*input };
        let mut claims = claim::claims(&input, &timelines).map_err(error)?;
        let method = Method::ByDevice;
        let is_asked = |node: usize| is_odd(timelines.nodes[node].as_str());
        let of_odd = fill::fill_some(&timelines, &mut claims, method, &is_asked);
        let of_odd = (of_odd.map_err(error)?, std::mem::take(&mut claims.who));
        let (filled, who) = joined(vec![(self.filled(), self.who.names.clone()), of_odd]);
        let plain = self.nodes.values().filter(|node| !node.is_odd);
        claims.faults.extend(plain.flat_map(|node| node.faults.iter().cloned()));
        for (index, name) in (0..).zip(&timelines.nodes) {
            let again = self.nodes.get(*name).map_or(0, |node| node.duplicates);
            if again > 0 {
                claims.duplicates.insert(index, again);
            }
        }
        let claims = Claims { who, ..claims };
        post::post((&input, method), &timelines, &claims, &filled).map_err(error)
    }

    /// The nodes that were paid at some time, with their numbers.
    fn paid(&self) -> impl Iterator<Item = (&NodeId, &OfNode)> {
        self.nodes.iter().filter(|(_, node)| !node.stretches.is_empty())
    }

    fn timelines(&self) -> Timelines<'_> {
        let mut all = Timelines {
            nodes: Vec::with_capacity(self.nodes.len()),
            pieces: Vec::with_capacity(self.nodes.len()),
            stretches: Vec::with_capacity(self.nodes.len()),
            faults: self.conflicts.clone(),
        };
        for (name, node) in self.paid() {
            let mut pieces = Vec::new();
            for OfStretch { like, time, pieces: own, .. } in &node.stretches {
                let stretch = all.stretches.len();
                pieces.extend(own.iter().map(|&(span, kind)| Piece { span, kind, stretch }));
                all.stretches.push(Stretch { like, time: *time });
            }
            all.nodes.push(name);
            all.pieces.push(pieces);
        }
        all
    }

    /// The quantities of nodes that are not odd, by the places of stretches in the timelines.
    fn filled(&self) -> Filled {
        let mut filled = Filled::default();
        let stretches = self.paid().flat_map(|(_, node)| &node.stretches);
        for (index, stretch) in stretches.enumerate() {
            for ((resource, place), nano) in &stretch.shares {
                filled.shares.entry((index, *resource)).or_default().insert(*place, *nano);
            }
        }
        filled
    }
}

/// Nodes whose ticks are more, or less, than parts of an hour.
fn odd<'a>(
    input: &MeterInput<'a>,
    timelines: &Timelines<'a>,
    claims: &Claims,
) -> BTreeSet<&'a NodeId> {
    let mut odd = BTreeSet::new();
    // What a volume or a network costs is shared by all who had it in the hour.
    let other = timelines.stretches.iter().filter(|one| one.like.asset != Asset::Node);
    odd.extend(other.map(|one| &one.like.node));
    // Which instances can stand beside one another is a question of the hour.
    let placed =
        |series: &claim::Series| series.slice.is_some() || series.resource == Resource::Network;
    let placed = claims.series.iter().filter(|(series, _)| placed(series));
    odd.extend(placed.map(|(series, _)| timelines.nodes[series.node as usize]));
    // Somebody may pay for the node in another tick: then it is known, and measured once.
    let mut last: Option<&NodeId> = None;
    for node in input.samples.iter().map(|sample| &sample.node) {
        if last != Some(node) && timelines.nodes.binary_search(&node).is_err() {
            odd.insert(node);
        }
        last = Some(node);
    }
    odd
}
