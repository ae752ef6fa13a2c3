//! Nodes given back when no work was on them for a while, and bought again when work came.
//!
//! Time in which nobody looked is not time without work: there a node stays as it was. A node that
//! would have been bought again boots first, which is paid, and whatever came waits for it.

use super::draft::{Draft, Kept, Late, Made};
use super::seen::{SeenNode, joined, without};
use super::{Hour, committed};
use crate::paid::Paid;
use farthing_model::{Money, MoneyError, NodeId, Window, WorkloadId, proportion};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The choice, and how each node stood at the end of the hour before.
pub(super) struct Release {
    after: SignedDuration,
    idle_too: bool,
    nodes: BTreeMap<NodeId, Free>,
}

/// A node without work.
#[derive(Clone, Copy)]
struct Free {
    since: Timestamp,
    until: Timestamp,
}

/// What an hour of a node would have been.
#[derive(Default)]
struct Otherwise {
    given_back: Vec<Window>,
    /// Work that came while it was given back.
    came: Vec<(Timestamp, WorkloadId)>,
}

impl Release {
    pub(super) const fn new(after: SignedDuration, idle_too: bool) -> Self {
        Self { after, idle_too, nodes: BTreeMap::new() }
    }

    pub(super) fn look(&mut self, hour: &Hour<'_>, draft: &mut Draft) -> Result<(), MoneyError> {
        let mut of_nodes: BTreeMap<&NodeId, Vec<&Paid>> = BTreeMap::new();
        for ((node, _, _), paid) in hour.paid {
            match committed(paid) {
                Some(why) => draft.keep(paid, why)?,
                None => of_nodes.entry(node).or_default().push(paid),
            }
        }
        // What is gone, or is not paid in this hour, begins anew.
        self.nodes.retain(|node, _| of_nodes.contains_key(node));
        for (node, stretches) in of_nodes {
            let seen = hour.seen.and_then(|seen| seen.get(node));
            let Some(seen) = seen.map_or_else(|| from_charges(&stretches), |seen| self.of(seen))
            else {
                self.nodes.remove(node);
                for paid in stretches {
                    draft.keep(paid, Kept::Unseen)?;
                }
                continue;
            };
            let otherwise = self.node(node, &seen);
            for paid in stretches {
                let made = made(paid, &otherwise, hour.boot)?;
                if made.nanos != paid.window.nanos() {
                    draft.stop(&seen.stopped);
                }
                draft.change(paid, &made)?;
            }
            for (at, workload) in otherwise.came {
                draft.late(Late { workload, node: node.clone(), at });
            }
        }
        Ok(())
    }

    /// When no work was on a node that was looked at.
    fn of(&self, seen: &SeenNode) -> Option<Hourly> {
        if seen.looked.is_empty() {
            return None;
        }
        let idle = seen.idle.iter().filter(|_| !self.idle_too);
        let mut busy: Vec<(Window, WorkloadId)> = seen.busy.iter().chain(idle).cloned().collect();
        busy.sort();
        let taken = joined(busy.iter().map(|(window, _)| *window).collect());
        let stopped = seen.idle.iter().filter(|_| self.idle_too);
        Some(Hourly {
            free: without(&seen.looked, &taken),
            busy: begins(busy),
            stopped: stopped.map(|(_, workload)| workload.clone()).collect(),
        })
    }

    fn node(&mut self, node: &NodeId, seen: &Hourly) -> Otherwise {
        let mut otherwise = Otherwise::default();
        let mut free = self.nodes.remove(node);
        let is_out = |free: Free, after| free.until.duration_since(free.since) > after;
        let mut busy = seen.busy.iter().peekable();
        for window in seen.free.iter().map(Some).chain([None]) {
            // What began before this: did it begin where the node had been given back?
            while let Some((at, workload)) =
                busy.next_if(|(at, _)| window.is_none_or(|window| *at < window.from()))
            {
                if let Some(free) = free.take()
                    && free.until == *at
                    && is_out(free, self.after)
                {
                    otherwise.came.push((*at, workload.clone()));
                }
            }
            let Some(window) = window else { break };
            let since = free.filter(|free| free.until == window.from());
            let since = since.map_or(window.from(), |free| free.since);
            free = Some(Free { since, until: window.to() });
            let out = since.checked_add(self.after).unwrap_or(Timestamp::MAX);
            otherwise.given_back.extend(Window::new(out.max(window.from()), window.to()).ok());
        }
        if let Some(free) = free {
            self.nodes.insert(node.clone(), free);
        }
        otherwise
    }
}

/// An hour of a node.
struct Hourly {
    /// Without work, in order.
    free: Vec<Window>,
    /// When work began after time without, and whose it was.
    busy: Vec<(Timestamp, WorkloadId)>,
    stopped: BTreeSet<WorkloadId>,
}

/// Where what was seen is no longer kept, charges still say that nobody had anything all hour.
fn from_charges(stretches: &[&Paid]) -> Option<Hourly> {
    let is_free = |paid: &&Paid| !paid.has_work && !paid.is_unmeasured && has_free(paid);
    let free = joined(stretches.iter().filter(|paid| is_free(paid)).map(|it| it.window).collect());
    let is_all = stretches.iter().all(is_free);
    is_all.then(|| Hourly { free, busy: Vec::new(), stopped: BTreeSet::new() })
}

fn has_free(paid: &Paid) -> bool {
    paid.went.iter().any(|(_, went)| went.free_nano > 0)
}

/// The first of each stretch of work without a gap.
fn begins(busy: Vec<(Window, WorkloadId)>) -> Vec<(Timestamp, WorkloadId)> {
    let mut begins: Vec<(Timestamp, WorkloadId)> = Vec::new();
    let mut until = Timestamp::MIN;
    for (window, workload) in busy {
        if window.from() > until || begins.is_empty() {
            begins.push((window.from(), workload));
        }
        until = until.max(window.to());
    }
    begins
}

/// What a stretch would have cost: the time that is left of it, and boots of what is bought again.
fn made(
    paid: &Paid,
    otherwise: &Otherwise,
    boot: SignedDuration,
) -> Result<Made<'static>, MoneyError> {
    let whole = paid.window.nanos();
    let inside = otherwise.given_back.iter().filter_map(|it| it.intersect(paid.window));
    let given_back: i128 = inside.map(Window::nanos).sum();
    let saved = proportion(paid.cost.pico(), given_back, whole).ok_or(MoneyError::Overflow)?;
    let mut cost = paid.cost.checked_sub(Money::from_pico(saved, paid.cost.currency()))?;
    let mut nanos = whole - given_back;
    for (at, _) in otherwise.came.iter().filter(|(at, _)| paid.window.contains(*at)) {
        if let Some(boots) = Window::starting(*at, boot) {
            cost = cost.checked_add(paid.rate.cost(boots)?)?;
            nanos += boots.nanos();
        }
    }
    Ok(Made { cost, nanos, other: None })
}
