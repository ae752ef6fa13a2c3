//! Nodes: offers in use; and the other assets that are paid beside them.

use crate::id::{NodeId, OfferId};
use crate::money::{Money, MoneyError};
use crate::offer::{Place, Purchase};
use crate::price::{HourlyRate, Price};
use crate::resource::Resources;
use crate::sample::Attribution;
use crate::split::mul_div_rem;
use crate::window::Window;
use jiff::Timestamp;
use std::sync::Arc;

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeState {
    /// Paid, not yet usable.
    Booting,
    /// Usable.
    Ready,
    /// Gone or unreachable; not paid from `Node::until` on.
    Lost,
}

/// An offer in use: it has capacity, is paid from a moment on, and runs workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name in the world.
    pub id: NodeId,
    /// What was bought.
    pub offer: OfferId,
    /// What it has. Captured here, as a price book may change later.
    pub capacity: Resources,
    /// What it costs. Captured here for the same reason.
    pub price: Price,
    /// Booting, ready or lost.
    pub state: NodeState,
    /// Paid from here on.
    pub since: Timestamp,
    /// Paid up to here, when it is known to end or has ended.
    pub until: Option<Timestamp>,
}

impl Node {
    /// The part of `window` in which this node is paid.
    pub fn paid_in(&self, window: Window) -> Option<Window> {
        let to = self.until.unwrap_or(window.to()).min(window.to());
        Window::new(self.since.max(window.from()), to).ok()
    }
}

/// What kind of thing is paid. All are metered alike: what it costs is split over whoever had it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asset {
    /// A machine: capacity of several resources, claimed by those who run on it.
    #[default]
    Node,
    /// A volume that outlives the pods that mount it: storage alone, shared equally by those who
    /// have it mounted, at each instant; mounted by nobody it is unallocated. See
    /// [`crate::Sample`].
    Volume,
    /// A load balancer: no capacity, so that all of it is overhead, of the workload that it is
    /// held for if there is one.
    LoadBalancer,
    /// What a cluster costs whether it has nodes or not: overhead, as it has no capacity.
    ControlPlane,
    /// Bytes sent from one place as far as a reach, such as `internet`, `region` or `zone` (its
    /// span's `instance_type`): no capacity, and priced by the quantity that samples of
    /// [`crate::Resource::Network`] say, not by time.
    Network,
}

impl Asset {
    /// All, in the order of tables.
    pub const ALL: [Self; 5] =
        [Self::Node, Self::Volume, Self::LoadBalancer, Self::ControlPlane, Self::Network];

    /// The name in files, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Volume => "volume",
            Self::LoadBalancer => "load-balancer",
            Self::ControlPlane => "control-plane",
            Self::Network => "network",
        }
    }

    /// What one unit of its price is: an hour, or 10^9 bytes.
    pub const fn unit(self) -> &'static str {
        if matches!(self, Self::Network) { "GB" } else { "Hours" }
    }

    /// What it costs: its price per [`Asset::unit`] over the window, or for the quantity (in 10^-9
    /// bytes, rounded down to the last unit of money).
    ///
    /// # Errors
    /// Overflow.
    pub fn cost(
        self,
        price: HourlyRate,
        window: Window,
        quantity_nano: i128,
    ) -> Result<Money, MoneyError> {
        if self != Self::Network {
            return price.cost(window);
        }
        let (price, overflow) = (price.per_hour(), MoneyError::Overflow);
        let pico = u128::try_from(price.pico()).ok().zip(u128::try_from(quantity_nano).ok());
        let pico = pico.and_then(|(price, nano)| mul_div_rem(price, nano, 10_u128.pow(18)));
        let pico = pico.and_then(|(pico, _)| i128::try_from(pico).ok()).ok_or(overflow)?;
        Ok(Money::from_pico(pico, price.currency()))
    }
}

/// A node over a stretch of time in which nothing about it changed: what the meter pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpan {
    /// The node, or the other asset: a name of its own among all of them.
    pub node: NodeId,
    /// What kind of thing it is.
    pub asset: Asset,
    /// What was bought.
    pub offer: OfferId,
    /// Where.
    pub place: Place,
    /// The provider's name of the machine.
    pub instance_type: String,
    /// How it is paid.
    pub purchase: Purchase,
    /// What it has.
    pub capacity: Resources,
    /// What it costs; of a network, for 10^9 bytes instead of an hour ([`Asset::cost`]).
    pub price: Price,
    /// Paid from when to when.
    pub window: Window,
    /// Usable from here on: paid time before it is overhead (booting). At or after the end of the
    /// window: not usable in all of it.
    pub ready: Timestamp,
    /// Whom alone the node was bought for, if it was: its boot time is their overhead.
    pub held_for: Option<Arc<Attribution>>,
    /// Whether its use was measured in this window. Paid and not measured is unallocated, and
    /// lowers the coverage.
    pub measured: bool,
}
