//! The meter: spans and samples in, charges out, nothing lost on the way.
//!
//! It refuses to know where samples come from and where charges go. Read [`meter`] first; the
//! parts are `stretch` (what was paid), `claim` (who asked for what, once), `fill` (how claims
//! fill the capacity, within the `limit` of each `device`, `volume` and node) and `post` (money).
//! Telemetry that does not fit into memory is for `tally`, an hour that goes on for `running`.

mod claim;
mod device;
mod fill;
mod limit;
mod number;
mod post;
mod running;
mod stretch;
mod tally;
mod volume;

use crate::weights::Weights;
use farthing_model::{
    Charge, ClusterId, Coverage, Currency, Destination, DeviceId, Money, MoneyError, NodeId,
    NodeSpan, OfferId, PerResource, Resource, Sample, SourceId, SplitError, Window,
};
pub(crate) use number::FastMap;
pub use running::Running;
use std::fmt;
pub use tally::TelemetryError;
pub(crate) use tally::{Amounts, Tally, Telemetry, meter_telemetry};

/// What one metering is made from.
#[derive(Clone, Copy, Debug)]
pub struct MeterInput<'a> {
    /// The books that the charges go into.
    pub cluster: &'a ClusterId,
    /// What to meter: inside one UTC hour. Spans and samples are clipped to it.
    pub window: Window,
    /// The currency of the books; a span priced in another one is unpriced.
    pub currency: Currency,
    /// What was paid, in any order. The same span twice counts once.
    pub spans: &'a [NodeSpan],
    /// What was used, in any order. A key (node, resource, device, slice, attribution) is measured
    /// once at any time: of two samples the one that starts, then ends first stands, then the first
    /// source by name, then the smaller amount; the other one is clipped or dropped, and counted.
    pub samples: &'a [Sample],
    /// How a node's price is split over its resources.
    pub weights: &'a Weights,
}

/// How claims are counted. Books say which way they were made, so that metering them again gives
/// the same; new ones are made the current way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// A node's accelerators are one capacity, and no more than its destination is known of a
    /// quantity. Books of formats 1 and 2.
    ByNode,
    /// Each accelerator is a capacity of its own, and [`farthing_model::Detail`] is known.
    #[default]
    ByDevice,
}

impl Method {
    /// The method of a name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::ByNode, Self::ByDevice].into_iter().find(|method| method.name() == name)
    }

    /// The name in the books.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByNode => "by-node",
            Self::ByDevice => "by-device",
        }
    }
}

/// Charges of one window, and everything that a reader of them must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metered {
    /// Whose books.
    pub cluster: ClusterId,
    /// What was metered.
    pub window: Window,
    /// The currency of all money here.
    pub currency: Currency,
    /// How claims were counted.
    pub method: Method,
    /// The weights that were used, only those that matter here.
    pub weights: Weights,
    /// The ledger rows, sorted by node, time, offer, resource, destination and attribution.
    pub charges: Vec<Charge>,
    /// What the nodes cost: rates times time, computed before anything was split.
    pub paid: Money,
    /// What they would cost at the prices of lists; of a node of which none is known, what it
    /// costs.
    pub list: Money,
    /// Where each resource's unit-seconds went, on nodes with a known price.
    pub usage: PerResource<Usage>,
    /// Paid node time that was measured.
    pub coverage: Coverage,
    /// Where more was claimed than there is.
    pub overcommits: Vec<Overcommit>,
    /// Nodes that cannot be charged, and why.
    pub unpriced: Vec<Unpriced>,
    /// Samples that said again what another one had said.
    pub duplicates: u64,
    /// What was left out, and why; the rest went on.
    pub faults: Vec<Fault>,
}

/// Where the unit-seconds of a resource went, in 10^-9 parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Allocated and used.
    pub used_nano: i128,
    /// Allocated and not used.
    pub idle_nano: i128,
    /// Not allocated.
    pub unallocated_nano: i128,
    /// The system's own, and not usable yet.
    pub overhead_nano: i128,
}

impl Usage {
    /// Allocated = used + idle.
    pub const fn allocated_nano(self) -> i128 {
        self.used_nano + self.idle_nano
    }

    /// Everything that was paid.
    pub const fn paid_nano(self) -> i128 {
        self.allocated_nano() + self.unallocated_nano + self.overhead_nano
    }

    pub(crate) const fn add(&mut self, destination: Destination, nano: i128) {
        match destination {
            Destination::Used => self.used_nano += nano,
            Destination::Idle => self.idle_nano += nano,
            Destination::Unallocated => self.unallocated_nano += nano,
            Destination::Overhead => self.overhead_nano += nano,
        }
    }
}

/// More was claimed than a node, or a device of it, has. The claims were charged in proportion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overcommit {
    /// Where.
    pub node: NodeId,
    /// On which device, or slice of it, if it is that.
    pub device: Option<DeviceId>,
    /// Of which resource.
    pub resource: Resource,
    /// From the first to the last moment, without a gap.
    pub window: Window,
    /// Claimed beyond capacity, in 10^-9 unit-seconds.
    pub over_nano: i128,
}

/// A node that was paid and has no price in the currency of the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpriced {
    /// Which node.
    pub node: NodeId,
    /// What was bought.
    pub offer: OfferId,
    /// When.
    pub window: Window,
    /// Why there is no price.
    pub why: String,
    /// Its capacity over the window, in 10^-9 unit-seconds.
    pub quantity_nano: PerResource<i128>,
}

/// Something in the input that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Two spans tell different stories of the same time; the earlier one stands, as a node is
    /// paid once.
    Conflict {
        /// Which node.
        node: NodeId,
        /// The time that both claim.
        window: Window,
    },
    /// An amount below zero, or beyond 10^29 (27 PB for an hour), which no machine has.
    Amount {
        /// Who measured it.
        source: SourceId,
        /// Where.
        node: NodeId,
        /// Of which resource.
        resource: Resource,
        /// When.
        window: Window,
    },
    /// Use where no node was paid, ready and measured: not charged to anyone.
    Stray {
        /// Where.
        node: NodeId,
        /// Of which resource.
        resource: Resource,
        /// Claimed, in 10^-9 unit-seconds.
        quantity_nano: i128,
    },
}

impl Fault {
    /// The node that it is about.
    pub(crate) const fn node(&self) -> &NodeId {
        match self {
            Self::Conflict { node, .. } | Self::Amount { node, .. } | Self::Stray { node, .. } => {
                node
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { node, window } => {
                write!(out, "node {node} has two different spans in {window}; the earlier stands")
            }
            Self::Amount { source, node, resource, window } => write!(
                out,
                "{source} measured an impossible amount of {resource} on node {node} in {window}"
            ),
            Self::Stray { node, resource, .. } => write!(
                out,
                "use of {resource} on node {node} while it was not paid, ready and measured"
            ),
        }
    }
}

/// Why a window could not be metered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    /// The window crosses the edge of a UTC hour.
    #[error("{0} is not inside one UTC hour: cut it with `Window::by_hour`")]
    Window(Window),
    /// The window begins before the end of what was metered of its hour, or is in another hour.
    #[error("{0} does not follow what was metered before it")]
    Order(Window),
    /// An amount does not fit.
    #[error("the {resource} of node {node} is too large to account")]
    Overflow {
        /// Where.
        node: NodeId,
        /// Of which resource.
        resource: Resource,
    },
    /// A cost does not fit.
    #[error("the cost of node {node} cannot be computed")]
    Money {
        /// Which node.
        node: NodeId,
        /// Why.
        #[source]
        source: MoneyError,
    },
    /// A cost cannot be split.
    #[error("the cost of node {node} cannot be split over its resources")]
    Split {
        /// Which node.
        node: NodeId,
        /// Why.
        #[source]
        source: SplitError,
    },
    /// The parts do not sum to the whole. This is a fault of the meter, never of the input.
    #[error("{what} does not conserve on node {node}: {whole} paid, {parts} in parts")]
    NotConserved {
        /// Which node.
        node: NodeId,
        /// Money, or which resource.
        what: String,
        /// The whole, in the smallest unit.
        whole: i128,
        /// The sum of the parts, in the smallest unit.
        parts: i128,
    },
}

impl Metered {
    /// What went to a destination.
    ///
    /// # Errors
    /// Overflow, which [`meter`] has ruled out for its own results.
    pub fn total(&self, destination: Destination) -> Result<Money, MoneyError> {
        let there = self.charges.iter().filter(|charge| charge.destination == destination);
        Money::sum(there.map(|charge| charge.cost), self.currency)
    }
}

/// Meters one window.
///
/// 1. A node costs its rate over its time. That is split over its resources by the weights.
/// 2. Of a resource's capacity, time before `ready` is overhead and time without measurement is
///    unallocated. In the rest a sample claims `max(requested, used)`: what it used is *used*, the
///    remainder *idle*; without attribution all of it is overhead. Where nobody measured the use,
///    what was requested is claimed, and is idle in so far as it is *unknown*.
/// 3. Where claims sum over capacity they are scaled to it in proportion and the excess reported;
///    where they sum under it, the remainder is unallocated. Each accelerator is a capacity of its
///    own, and so is each slice; claims on no known device fill what the devices leave. What no
///    instance of a partitioned device can use is unallocated as *fragmented*.
/// 4. The money of a resource is split once per stretch of unchanged node by these quantities, by
///    largest remainder. Of a network the cost is its price times what was sent, split likewise.
///
/// The result does not depend on the order of the input, and the cost of a node does not depend on
/// how its time is cut into spans.
///
/// # Errors
/// The window is not inside one UTC hour, or a number does not fit. Single bad samples and spans
/// are left out and listed in [`Metered::faults`].
pub fn meter(input: &MeterInput<'_>) -> Result<Metered, MeterError> {
    meter_by(input, Method::default())
}

/// [`meter`], the way that older books were made.
///
/// # Errors
/// As [`meter`].
pub fn meter_by(input: &MeterInput<'_>, method: Method) -> Result<Metered, MeterError> {
    inside_an_hour(input.window)?;
    let timelines = stretch::timelines(input);
    let mut claims = claim::claims(input, &timelines)?;
    let filled = fill::fill(&timelines, &mut claims, method)?;
    post::post((input, method), &timelines, &claims, &filled)
}

fn inside_an_hour(window: Window) -> Result<(), MeterError> {
    let hour = Window::hour_of(window.from());
    match hour {
        Some(hour) if window.to() <= hour.to() => Ok(()),
        _ => Err(MeterError::Window(window)),
    }
}
