//! Nodes: offers in use.

use crate::id::{NodeId, OfferId};
use crate::offer::{Place, Purchase};
use crate::price::Price;
use crate::resource::Resources;
use crate::sample::Attribution;
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

/// A node over a stretch of time in which nothing about it changed: what the meter pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpan {
    /// The node.
    pub node: NodeId,
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
    /// What it costs.
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
