//! The machine and its queue as a snapshot, and the parts that can still be had as offers.

use crate::container::{Container, Exit, Fate};
use crate::label::is_excluded;
use crate::lives::Held;
use crate::look::Look;
use crate::share::{Shares, minus, plus};
use crate::task::Task;
use farthing_model::{
    Assignment, Node, NodeState, Observed, Offer, OfferId, Resources, Window, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What runs longer than anyone said is taken to run so much longer.
const LONGER: SignedDuration = SignedDuration::from_mins(1);

/// The machine without the parts that containers hold, and those parts.
pub(crate) fn nodes(machine: Node, held: &[Held<'_>], shares: &Shares) -> Vec<Node> {
    let shapes: Vec<Resources> = held.iter().map(|held| held.shape).collect();
    let taken = shapes.iter().copied().fold(Resources::default(), plus);
    let part = |held: &Held<'_>| Node {
        id: held.node.clone(),
        offer: held.offer.clone(),
        capacity: held.shape,
        price: shares.price(held.shape),
        state: NodeState::Ready,
        since: held.since,
        until: None,
    };
    let mut nodes: Vec<Node> = held.iter().map(part).collect();
    nodes.push(Node {
        capacity: minus(machine.capacity, taken),
        price: shares.rest(&shapes),
        ..machine
    });
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    nodes
}

/// A task with what has become of it.
pub(crate) fn observed(task: &Task, look: &Look, now: Timestamp) -> Observed {
    let members = look.of_workload(task.workload.id.as_str());
    let first = members.iter().filter_map(|member| member.started).min();
    Observed {
        workload: Arc::clone(&task.workload),
        state: state(task, &members, now),
        generation: generation(task, &members),
        since: first.unwrap_or(now).min(now),
        demand_per_s: None,
    }
}

fn state(task: &Task, members: &[&Container], now: Timestamp) -> WorkloadState {
    let fates: Vec<(Fate, &Container)> =
        members.iter().map(|member| (member.fate(), *member)).collect();
    let count = |is: fn(&Fate) -> bool| fates.iter().filter(|(fate, _)| is(fate)).count();
    let (runs, stands) = (count(|fate| *fate == Fate::Runs), count(|fate| *fate == Fate::Stands));
    let done: Vec<Timestamp> = fates
        .iter()
        .filter_map(|(fate, _)| if let Fate::Done(at) = fate { Some(*at) } else { None })
        .collect();
    if runs + stands + done.len() == 0 {
        return WorkloadState::Waiting;
    }
    if done.len() >= task.count() as usize {
        return WorkloadState::Finished(done.into_iter().max().unwrap_or(now).min(now));
    }
    if runs == 0 && stands > 0 {
        return WorkloadState::Suspended;
    }
    let mut placed: Vec<Assignment> = fates
        .iter()
        .filter_map(|(fate, member)| {
            let from = member.started?;
            let window = match fate {
                Fate::Unborn => return None,
                Fate::Done(at) => Window::new(from, *at).ok()?,
                Fate::Runs | Fate::Stands => {
                    let soon = now.checked_add(LONGER).ok()?;
                    Window::new(from, from.checked_add(task.run()).ok()?.max(soon)).ok()?
                }
            };
            Some(Assignment { offer: member.offer.clone(), members: 1, nodes_each: 1, window })
        })
        .collect();
    placed.sort();
    WorkloadState::Placed(placed)
}

/// Changes with everything that a step may rest on (FNV-1a over it).
fn generation(task: &Task, members: &[&Container]) -> u64 {
    use std::fmt::Write as _;
    let mut text = format!("{task:?}");
    for member in members {
        let Container { id, name, phase, started, finished, limits, .. } = member;
        let _ = write!(text, "{id} {name} {phase:?} {started:?} {finished:?} {limits:?}");
    }
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Why nothing is planned for a task, if so.
pub(crate) fn obstacle(task: &Task, has_image: bool) -> Option<String> {
    let id = &task.workload.id;
    if is_excluded(&task.workload.labels) {
        return Some(format!("workload {id} is excluded by its label: it is not started"));
    }
    if !task.can_run() {
        return Some(format!(
            "workload {id} cannot be a container here: it needs resources.cpu and \
             resources.memory, and no accelerator"
        ));
    }
    (!has_image).then(|| {
        format!(
            "workload {id} waits for its image {}: pull or build it, nothing is pulled by \
                 itself",
            task.image
        )
    })
}

/// How members of ours ended that did not end well.
pub(crate) fn failures<'l>(
    look: &'l Look,
    tasks: &'l [&Task],
) -> impl Iterator<Item = String> + 'l {
    let ours = tasks.iter().flat_map(|task| look.of_workload(task.workload.id.as_str()));
    ours.filter(|one| matches!(one.fate(), Fate::Done(_)) && one.exit != Exit::default()).map(
        |one| {
            let why = if one.exit.out_of_memory {
                "it needed more memory than its limit".to_owned()
            } else {
                format!("exit code {}", one.exit.code)
            };
            format!(
                "workload {}: container {} failed: {why}; it is not started again unless it is \
                 removed",
                one.workload, one.name.base
            )
        },
    )
}

/// The parts of the machine that tasks ask for, with how many there are of each: those that are
/// held, and those that fit beside everything.
pub(crate) fn offers(
    shapes: &BTreeMap<OfferId, Resources>,
    shares: &Shares,
    (standing, taken): (&BTreeMap<OfferId, u32>, Option<Resources>),
) -> Arc<[Offer]> {
    let offer = |(id, shape): (&OfferId, &Resources)| {
        let fit = taken.map_or(0, |taken| shares.fit(*shape, taken));
        Offer {
            id: id.clone(),
            place: shares.place.clone(),
            instance_type: Shares::instance_type(*shape),
            accelerator: None,
            accelerator_count: 0,
            capacity: *shape,
            purchase: shares.purchase,
            price: shares.price(*shape),
            available: Some(standing.get(id).copied().unwrap_or(0).saturating_add(fit)),
            residency: Vec::new(),
            warnings: Vec::new(),
        }
    };
    shapes.iter().map(offer).collect()
}

/// How many members stand on each offer.
pub(crate) fn standing<'o>(
    seen: impl Iterator<Item = &'o Observed>,
    now: Timestamp,
) -> BTreeMap<OfferId, u32> {
    let mut standing: BTreeMap<OfferId, u32> = BTreeMap::new();
    for observed in seen {
        let WorkloadState::Placed(all) = &observed.state else { continue };
        for there in all.iter().filter(|there| there.window.to() > now) {
            *standing.entry(there.offer.clone()).or_default() += there.members;
        }
    }
    standing
}
