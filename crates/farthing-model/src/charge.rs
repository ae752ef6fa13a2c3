//! Charges: the rows of the ledger.

use crate::id::{ClusterId, NodeId, OfferId};
use crate::money::Money;
use crate::node::Asset;
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

/// What is known of a resource-hour beyond its destination. Rows that differ in it alone are parts
/// of one figure: *occupied* is used + held, *fragmented* is inside of unallocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// Idle, and occupied: memory of the device was held (a context was open).
    Held,
    /// Idle, and not occupied: nothing was held on the device.
    Bare,
    /// Unallocated, and of no use: no instance fits into what is left of a partitioned device.
    Fragmented,
    /// Unallocated because nobody looked.
    Unmeasured,
    /// Allocated, and nobody measured whether it was used: it may have been.
    Unknown,
}

impl Detail {
    /// All, in the order of tables.
    pub const ALL: [Self; 5] =
        [Self::Held, Self::Bare, Self::Fragmented, Self::Unmeasured, Self::Unknown];

    /// The name in files, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Bare => "bare",
            Self::Fragmented => "fragmented",
            Self::Unmeasured => "unmeasured",
            Self::Unknown => "unknown",
        }
    }

    /// The only destination that it is a part of.
    pub const fn destination(self) -> Destination {
        match self {
            Self::Held | Self::Bare | Self::Unknown => Destination::Idle,
            Self::Fragmented | Self::Unmeasured => Destination::Unallocated,
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
    /// On which node, or for which other asset.
    pub node: NodeId,
    /// What kind of thing that is.
    pub asset: Asset,
    /// What was bought.
    pub offer: OfferId,
    /// Where. Charges of one node share it, as what follows.
    pub place: Arc<Place>,
    /// The provider's name of the machine.
    pub instance_type: Arc<str>,
    /// How it was paid.
    pub purchase: Purchase,
    /// For which resource.
    pub resource: Resource,
    /// Where the resource-hour went.
    pub destination: Destination,
    /// What else is known of that; `None` for the rest of it, and where nobody looked.
    pub detail: Option<Detail>,
    /// Who pays; `None` for unallocated and overhead.
    pub attribution: Option<Arc<Attribution>>,
    /// How much of the resource, in 10^-9 unit-seconds; of the network in 10^-9 bytes.
    pub quantity_nano: i128,
    /// What it costs.
    pub cost: Money,
    /// What it would cost at the price of the list; the same where none but what was paid is known.
    pub list_cost: Money,
    /// The price of the whole asset that it is a part of, for one [`Asset::unit`] of it.
    pub node_rate: HourlyRate,
    /// Where that price comes from.
    pub provenance: Arc<Provenance>,
}
