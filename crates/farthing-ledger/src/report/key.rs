//! What statements group by, and the ids of their rows.

use farthing_model::{Charge, ClusterId, Destination, Resource, hour_floor};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

/// Something that rows of a statement are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The team that pays.
    Team,
    /// The workload.
    Workload,
    /// The user that owns the processes.
    User,
    /// The namespace of its pod.
    Namespace,
    /// Its pod.
    Pod,
    /// What runs the pod: `deployment`, `job`.
    ControllerKind,
    /// Its name.
    Controller,
    /// The container.
    Container,
    /// The program.
    Process,
    /// The node.
    Node,
    /// The offer.
    Offer,
    /// GPU, CPU, memory, storage or network.
    Resource,
    /// The region.
    Region,
    /// The provider's name of the machine.
    InstanceType,
    /// On demand, spot, reserved or owned.
    Purchase,
    /// The UTC hour.
    Hour,
}

impl Key {
    /// All, in the order of the reference.
    pub const ALL: [Self; 16] = [
        Self::Team,
        Self::Workload,
        Self::User,
        Self::Namespace,
        Self::Pod,
        Self::ControllerKind,
        Self::Controller,
        Self::Container,
        Self::Process,
        Self::Node,
        Self::Offer,
        Self::Resource,
        Self::Region,
        Self::InstanceType,
        Self::Purchase,
        Self::Hour,
    ];

    /// The name in arguments, tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Workload => "workload",
            Self::User => "user",
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::ControllerKind => "controller_kind",
            Self::Controller => "controller",
            Self::Container => "container",
            Self::Process => "process",
            Self::Node => "node",
            Self::Offer => "offer",
            Self::Resource => "resource",
            Self::Region => "region",
            Self::InstanceType => "instance_type",
            Self::Purchase => "purchase",
            Self::Hour => "hour",
        }
    }

    /// Whether it says who pays; unallocated and overhead have no such thing.
    pub const fn is_attribution(self) -> bool {
        use Key::{Container, Controller, ControllerKind, Namespace, Pod, Process, Team, User};
        matches!(self, Self::Workload | Team | User | Container | Process)
            || matches!(self, Namespace | Pod | ControllerKind | Controller)
    }

    /// Whether files of every format have its column; before the third, pods were not known.
    pub(super) const fn is_in_every_format(self) -> bool {
        !matches!(self, Self::Namespace | Self::Pod | Self::ControllerKind | Self::Controller)
    }

    /// The column of the books; the hour is computed from the start of the charge.
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Team => "x_team",
            Self::Workload => "x_workload",
            Self::User => "x_user",
            Self::Namespace => "x_namespace",
            Self::Pod => "x_pod",
            Self::ControllerKind => "x_controller_kind",
            Self::Controller => "x_controller",
            Self::Container => "x_container",
            Self::Process => "x_process",
            Self::Node => "x_node",
            Self::Offer => "x_offer",
            Self::Resource => "x_resource",
            Self::Region => "RegionId",
            Self::InstanceType => "ResourceType",
            Self::Purchase => "x_purchase",
            Self::Hour => "ChargePeriodStart",
        }
    }

    /// The value of a charge.
    pub(super) fn of(self, charge: &Charge) -> Label<'_> {
        if self.is_attribution() {
            return match (charge.destination, charge.attribution.as_deref()) {
                (Destination::Unallocated, _) => Label::Unallocated,
                (Destination::Overhead, None) => Label::Overhead,
                (_, None) => Label::Missing,
                (_, Some(who)) => {
                    let name = match self {
                        Self::Team => who.team.as_ref().map(farthing_model::TeamId::as_str),
                        Self::User => who.user.as_deref(),
                        Self::Namespace => who.namespace.as_deref(),
                        Self::Pod => who.pod.as_deref(),
                        Self::ControllerKind => who.controller.as_ref().map(|c| c.kind.as_str()),
                        Self::Controller => who.controller.as_ref().map(|c| c.name.as_str()),
                        Self::Container => who.container.as_deref(),
                        Self::Process => who.process.as_deref(),
                        _ => Some(who.workload.as_str()),
                    };
                    name.map_or(Label::Missing, |name| Label::Named(Cow::Borrowed(name)))
                }
            };
        }
        Label::Named(match self {
            Self::Node => Cow::Borrowed(charge.node.as_str()),
            Self::Offer => Cow::Borrowed(charge.offer.as_str()),
            Self::Resource => Cow::Borrowed(charge.resource.name()),
            Self::Region => Cow::Borrowed(charge.place.region.as_str()),
            Self::InstanceType => Cow::Borrowed(charge.instance_type.as_str()),
            Self::Purchase => Cow::Borrowed(charge.purchase.name()),
            _ => Cow::Owned(hour_text(charge.window.from())),
        })
    }
}

/// The start of the hour that holds `at`.
pub(super) fn hour_text(at: Timestamp) -> String {
    hour_floor(at).to_string()
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|key| key.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|key| key.name()).collect();
            format!("`{text}` is not something to group by: {}", names.join(", "))
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// The value of a key in a row. A team that is called `(unallocated)` is not the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Label<'a> {
    Named(Cow<'a, str>),
    Missing,
    Unallocated,
    Overhead,
}

impl Label<'_> {
    /// As people read it.
    pub(super) fn text(&self, key: Key) -> String {
        match self {
            Self::Named(name) => name.clone().into_owned(),
            Self::Missing => format!("(no {key})"),
            Self::Unallocated => "(unallocated)".to_owned(),
            Self::Overhead => "(overhead)".to_owned(),
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Named(_) => 0,
            Self::Missing => 1,
            Self::Unallocated => 2,
            Self::Overhead => 3,
        }
    }
}

/// The id of a row: the same for the same cluster, keys and values, in any window, so that an id
/// from yesterday's statement still means the same row.
pub(super) fn row_id(cluster: &ClusterId, by: &[Key], labels: &[Label<'_>]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(cluster.as_str());
    for (key, label) in by.iter().zip(labels) {
        hasher.update([0]);
        hasher.update(key.name());
        hasher.update([0, label.tag()]);
        if let Label::Named(name) = label {
            hasher.update(name.as_bytes());
        }
    }
    let mut id = "row-".to_owned();
    for byte in hasher.finalize().iter().take(6) {
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// Position of a resource among those that are charged.
pub(super) fn position(name: Option<&str>) -> Option<usize> {
    Resource::CHARGED.iter().position(|resource| Some(resource.name()) == name)
}
