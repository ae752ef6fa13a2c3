//! When work was on each node within an hour, as telemetry has it.

use crate::books::Segment;
use crate::verdict::{Watch, watch};
use farthing_model::{Attribution, Currency, MoneyError, NodeId, Sample, Window, WorkloadId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Controllers whose pods are on a node because it is there, and not the node because of them.
const FOLLOWS_NODES: &str = "daemonset";

/// What was seen of the nodes in an hour.
#[derive(Default)]
pub(super) struct Seen {
    nodes: BTreeMap<NodeId, SeenNode>,
}

/// What was seen of one node.
#[derive(Default)]
pub(super) struct SeenNode {
    /// Usable and measured, in order and apart from one another.
    pub(super) looked: Vec<Window>,
    /// Work that nobody calls idle, and whose it was, by when it began.
    pub(super) busy: Vec<(Window, WorkloadId)>,
    /// Work of which a verdict says that it is idle.
    pub(super) idle: Vec<(Window, WorkloadId)>,
}

impl Seen {
    pub(super) fn of(segments: &[Segment], hour: Window, idle: &BTreeSet<WorkloadId>) -> Self {
        let mut nodes: BTreeMap<&NodeId, SeenNode> = BTreeMap::new();
        for segment in segments {
            for span in segment.spans.iter().filter(|span| span.measured) {
                let from = span.window.from().max(span.ready);
                let looked = Window::new(from, span.window.to());
                if let Some(looked) = looked.ok().and_then(|looked| looked.intersect(hour)) {
                    nodes.entry(&span.node).or_default().looked.push(looked);
                }
            }
            for sample in &segment.samples {
                let Some((who, window)) = work(sample).zip(sample.window.intersect(hour)) else {
                    continue;
                };
                let node = nodes.entry(&sample.node).or_default();
                let workload = &who.workload;
                let on = if idle.contains(workload) { &mut node.idle } else { &mut node.busy };
                // Samples of its other resources say the same again.
                if on.last().is_none_or(|(last, of)| *last != window || of != workload) {
                    on.push((window, workload.clone()));
                }
            }
        }
        for node in nodes.values_mut() {
            node.looked = joined(std::mem::take(&mut node.looked));
            for work in [&mut node.busy, &mut node.idle] {
                work.sort();
                work.dedup();
            }
        }
        Self { nodes: nodes.into_iter().map(|(node, seen)| (node.clone(), seen)).collect() }
    }

    pub(super) fn get(&self, node: &NodeId) -> Option<&SeenNode> {
        self.nodes.get(node)
    }
}

/// Whose work a sample is of, if it is of anybody's.
fn work(sample: &Sample) -> Option<&Attribution> {
    let who = sample.attribution.as_deref()?;
    let has_something = sample.requested_nano > 0 || sample.known_use() > 0;
    let follows = who.controller.as_ref().is_some_and(|it| it.kind == FOLLOWS_NODES);
    (has_something && !follows).then_some(who)
}

/// Workloads that verdicts call idle for the whole of an hour.
pub(super) fn idle(
    segments: &[Segment],
    window: Window,
    currency: Currency,
) -> Result<BTreeSet<WorkloadId>, MoneyError> {
    let asked = Watch { window, every: None, calendar: Vec::new(), currency };
    let verdicts = watch(segments, &[], &asked)?;
    let idle = verdicts.into_iter().filter(|verdict| verdict.idle);
    Ok(idle.map(|verdict| verdict.workload).collect())
}

/// Windows in order, those that touch made one.
pub(super) fn joined(mut windows: Vec<Window>) -> Vec<Window> {
    windows.sort();
    let mut joined: Vec<Window> = Vec::with_capacity(windows.len());
    for window in windows {
        match joined.last_mut() {
            Some(last) if window.from() <= last.to() => {
                let to = last.to().max(window.to());
                *last = Window::new(last.from(), to).unwrap_or(*last);
            }
            _ => joined.push(window),
        }
    }
    joined
}

/// What of `windows` is in none of `taken`; both are joined.
pub(super) fn without(windows: &[Window], taken: &[Window]) -> Vec<Window> {
    let mut left = Vec::new();
    let mut next = taken.iter().peekable();
    for window in windows {
        let mut from: Timestamp = window.from();
        while next.next_if(|taken| taken.to() <= from).is_some() {}
        let mut ahead = next.clone();
        while let Some(taken) = ahead.next_if(|taken| taken.from() < window.to()) {
            left.extend(Window::new(from, taken.from().min(window.to())).ok());
            from = from.max(taken.to());
        }
        left.extend(Window::new(from, window.to()).ok());
    }
    left
}
