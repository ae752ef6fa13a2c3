//! What of a tick is whose: the part of each team in its money and resources.

use crate::error::EngineError;
use farthing_ledger::{Metered, Usage};
use farthing_model::{Destination, Money, NodeId, PerResource, TeamId};
use std::collections::{BTreeMap, BTreeSet};

/// The part of a team in a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamShare {
    /// Allocated and used.
    pub used: Money,
    /// Allocated and not used.
    pub idle: Money,
    /// Of nodes that were bought for it alone and were not usable yet, and the like.
    pub overhead: Money,
    /// The same in unit-seconds.
    pub usage: PerResource<Usage>,
    /// The nodes on which it had something.
    pub nodes: BTreeSet<NodeId>,
}

/// Adds the parts of all teams in what was metered.
pub(crate) fn add_teams(
    teams: &mut BTreeMap<TeamId, TeamShare>,
    metered: &Metered,
    zero: Money,
) -> Result<(), EngineError> {
    let none = || TeamShare {
        used: zero,
        idle: zero,
        overhead: zero,
        usage: PerResource::from_fn(|_| Usage::default()),
        nodes: BTreeSet::new(),
    };
    for charge in &metered.charges {
        let Some(team) = charge.attribution.as_ref().and_then(|who| who.team.clone()) else {
            continue;
        };
        let share: &mut TeamShare = teams.entry(team).or_insert_with(none);
        let usage = share.usage.get_mut(charge.resource);
        let money = match charge.destination {
            Destination::Used => {
                usage.used_nano += charge.quantity_nano;
                &mut share.used
            }
            Destination::Idle => {
                usage.idle_nano += charge.quantity_nano;
                &mut share.idle
            }
            Destination::Overhead => {
                usage.overhead_nano += charge.quantity_nano;
                &mut share.overhead
            }
            // Nobody's, whoever it is attributed to.
            Destination::Unallocated => continue,
        };
        *money = money.checked_add(charge.cost).map_err(EngineError::Money)?;
        if !share.nodes.contains(&charge.node) {
            share.nodes.insert(charge.node.clone());
        }
    }
    Ok(())
}
