//! Charges: the rows of the ledger.

use crate::id::{ClusterId, NodeId, OfferId};
use crate::money::Money;
use crate::offer::{Place, Purchase};
use crate::price::{HourlyRate, Provenance};
use crate::resource::Resource;
use crate::sample::Attribution;
use crate::window::Window;
use std::sync::Arc;

/// The places a paid resource-hour can go. Allocated = used + idle;
/// paid = used + idle + unallocated + overhead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// Allocated and used.
    Used,
    /// Allocated and not used.
    Idle,
    /// Not allocated to anyone.
    Unallocated,
    /// The system's own, and time in which a paid node was not usable.
    Overhead,
}

impl Destination {
    /// All, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Used, Self::Idle, Self::Unallocated, Self::Overhead];

    /// The name in files, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Idle => "idle",
            Self::Unallocated => "unallocated",
            Self::Overhead => "overhead",
        }
    }
}

/// One row of the ledger: who pays, for what, when, how much, on which basis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The cluster whose books these are.
    pub cluster: ClusterId,
    /// When; never across the edge of a UTC hour.
    pub window: Window,
    /// On which node.
    pub node: NodeId,
    /// What was bought.
    pub offer: OfferId,
    /// Where.
    pub place: Place,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// How it was paid.
    pub purchase: Purchase,
    /// For which resource.
    pub resource: Resource,
    /// Where the resource-hour went.
    pub destination: Destination,
    /// Who pays; `None` for unallocated and overhead.
    pub attribution: Option<Arc<Attribution>>,
    /// How much of the resource, in 10^-9 unit-seconds.
    pub quantity_nano: i128,
    /// What it costs.
    pub cost: Money,
    /// The price of the whole node that it is a part of.
    pub node_rate: HourlyRate,
    /// Where that price comes from.
    pub provenance: Provenance,
}
