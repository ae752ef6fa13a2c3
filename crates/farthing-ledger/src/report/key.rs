//! What statements group by and filters look at, and the ids of rows.

use farthing_model::{Attribution, ClusterId, TeamId, hex, hour_floor, utc_day};
#[cfg(test)]
use farthing_model::{Charge, Destination};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Something that rows of a statement are grouped by, and that filters look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// The first of the services that send requests to it.
    Service,
    /// The container.
    Container,
    /// The program.
    Process,
    /// The cluster.
    Cluster,
    /// The node.
    Node,
    /// The offer.
    Offer,
    /// GPU, CPU, memory, storage or network.
    Resource,
    /// The provider.
    Provider,
    /// The region.
    Region,
    /// The provider's name of the machine.
    InstanceType,
    /// On demand, spot, reserved or owned.
    Purchase,
    /// The UTC hour.
    Hour,
    /// The UTC day.
    Day,
    /// The value of a label.
    Label(Arc<str>),
    /// The value of an annotation.
    Annotation(Arc<str>),
}

impl Key {
    /// All that have a fixed name, in the order of the reference.
    pub const ALL: [Self; 20] = [
        Self::Team,
        Self::Workload,
        Self::User,
        Self::Namespace,
        Self::Pod,
        Self::ControllerKind,
        Self::Controller,
        Self::Service,
        Self::Container,
        Self::Process,
        Self::Cluster,
        Self::Node,
        Self::Offer,
        Self::Resource,
        Self::Provider,
        Self::Region,
        Self::InstanceType,
        Self::Purchase,
        Self::Hour,
        Self::Day,
    ];

    /// The name in arguments, tables and JSON: `team`, `label:app`.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Label(name) => Cow::Owned(format!("label:{name}")),
            Self::Annotation(name) => Cow::Owned(format!("annotation:{name}")),
            key => Cow::Borrowed(key.word()),
        }
    }

    /// The name, or its part before the colon.
    const fn word(&self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Workload => "workload",
            Self::User => "user",
            Self::Namespace => "namespace",
            Self::Pod => "pod",
            Self::ControllerKind => "controller_kind",
            Self::Controller => "controller",
            Self::Service => "service",
            Self::Container => "container",
            Self::Process => "process",
            Self::Cluster => "cluster",
            Self::Node => "node",
            Self::Offer => "offer",
            Self::Resource => "resource",
            Self::Provider => "provider",
            Self::Region => "region",
            Self::InstanceType => "instance_type",
            Self::Purchase => "purchase",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Label(_) => "label",
            Self::Annotation(_) => "annotation",
        }
    }

    /// All names, for messages.
    pub fn names() -> String {
        let names: Vec<_> = Self::ALL.iter().map(Self::name).collect();
        format!("{}, label:NAME, annotation:NAME", names.join(", "))
    }

    /// Whether it says who pays; unallocated and overhead have no such thing.
    pub const fn is_attribution(&self) -> bool {
        use Key::{Cluster, Node, Offer, Provider, Region, Resource};
        let is_machine = matches!(self, Self::InstanceType | Self::Purchase);
        let is_place = matches!(self, Cluster | Node | Offer | Resource | Provider | Region);
        !(is_machine || is_place || self.is_time())
    }

    /// Whether it cuts time.
    pub const fn is_time(&self) -> bool {
        matches!(self, Self::Hour | Self::Day)
    }

    /// Where the books have its value.
    pub(super) fn column(&self) -> Column<'_> {
        Column::Plain(match self {
            Self::Team => "x_team",
            Self::Workload => "x_workload",
            Self::User => "x_user",
            Self::Namespace => "x_namespace",
            Self::Pod => "x_pod",
            Self::ControllerKind => "x_controller_kind",
            Self::Controller => "x_controller",
            Self::Container => "x_container",
            Self::Process => "x_process",
            Self::Cluster => "SubAccountId",
            Self::Node => "x_node",
            Self::Offer => "x_offer",
            Self::Resource => "x_resource",
            Self::Provider => "ProviderName",
            Self::Region => "RegionId",
            Self::InstanceType => "ResourceType",
            Self::Purchase => "x_purchase",
            Self::Service => return Column::FirstOf("x_services"),
            Self::Label(name) => return Column::Entry("Tags", name),
            Self::Annotation(name) => return Column::Entry("x_annotations", name),
            Self::Hour | Self::Day => return Column::Time("ChargePeriodStart"),
        })
    }

    /// The value of a charge: what the columns say, said once more for tests.
    #[cfg(test)]
    pub(super) fn of<'c>(&self, charge: &'c Charge) -> Label<'c> {
        if self.is_attribution() {
            return match (charge.destination, charge.attribution.as_deref()) {
                (Destination::Unallocated, _) => Label::Unallocated,
                (Destination::Overhead, None) => Label::Overhead,
                (_, None) => Label::Missing,
                (_, Some(who)) => {
                    let name = self.of_whom(who);
                    name.map_or(Label::Missing, |name| Label::Named(Cow::Borrowed(name)))
                }
            };
        }
        Label::Named(match self {
            Self::Cluster => Cow::Borrowed(charge.cluster.as_str()),
            Self::Node => Cow::Borrowed(charge.node.as_str()),
            Self::Offer => Cow::Borrowed(charge.offer.as_str()),
            Self::Resource => Cow::Borrowed(charge.resource.name()),
            Self::Provider => Cow::Borrowed(charge.place.provider.as_str()),
            Self::Region => Cow::Borrowed(charge.place.region.as_str()),
            Self::InstanceType => Cow::Borrowed(&*charge.instance_type),
            Self::Purchase => Cow::Borrowed(charge.purchase.name()),
            _ => Cow::Owned(self.time_text(charge.window.from())),
        })
    }

    /// The value of someone, for a key of attribution.
    pub(super) fn of_whom<'c>(&self, who: &'c Attribution) -> Option<&'c str> {
        match self {
            Self::Team => who.team.as_ref().map(TeamId::as_str),
            Self::User => who.user.as_deref(),
            Self::Namespace => who.namespace.as_deref(),
            Self::Pod => who.pod.as_deref(),
            Self::ControllerKind => who.controller.as_ref().map(|c| c.kind.as_str()),
            Self::Controller => who.controller.as_ref().map(|c| c.name.as_str()),
            Self::Service => who.services.first().map(String::as_str),
            Self::Container => who.container.as_deref(),
            Self::Process => who.process.as_deref(),
            Self::Label(name) => who.labels.get(&**name).map(String::as_str),
            Self::Annotation(name) => who.annotations.get(&**name).map(String::as_str),
            _ => Some(who.workload.as_str()),
        }
    }

    /// The start of the hour or day that holds `at`.
    pub(crate) fn time_text(&self, at: Timestamp) -> String {
        if *self == Self::Day { utc_day(at).to_string() } else { hour_floor(at).to_string() }
    }
}

/// Where the books have the value of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column<'k> {
    /// As it is.
    Plain(&'static str),
    /// The first of a JSON list.
    FirstOf(&'static str),
    /// An entry of a JSON object.
    Entry(&'static str, &'k str),
    /// A span around a time.
    Time(&'static str),
}

/// Columns that files of an earlier format lack; there, they are absent.
const LATER: [&str; 7] = [
    "Tags",
    "x_annotations",
    "x_controller",
    "x_controller_kind",
    "x_namespace",
    "x_pod",
    "x_services",
];

impl Column<'_> {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Plain(name) | Self::FirstOf(name) | Self::Entry(name, _) | Self::Time(name) => {
                name
            }
        }
    }

    /// Whether files of every format have it.
    pub(super) fn is_in_every_format(self) -> bool {
        !LATER.contains(&self.name())
    }

    /// The value in a text of the column.
    pub(super) fn read(self, text: &str) -> Option<Cow<'_, str>> {
        match self {
            Self::Plain(_) | Self::Time(_) => Some(Cow::Borrowed(text)),
            Self::FirstOf(_) => {
                let all: Vec<String> = serde_json::from_str(text).ok()?;
                all.into_iter().next().map(Cow::Owned)
            }
            Self::Entry(_, name) => {
                let mut all: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
                all.remove(name).map(Cow::Owned)
            }
        }
    }
}

impl FromStr for Key {
    type Err = String;

    /// Reads a name as [`Key::name`] writes it; capitals, `-` and `_` do not matter, so that
    /// `controllerKind` and `instance-type` are known too.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some((kind, name)) = text.split_once(':').filter(|(_, name)| !name.is_empty()) {
            match kind {
                "label" => return Ok(Self::Label(name.into())),
                "annotation" => return Ok(Self::Annotation(name.into())),
                _ => {}
            }
        }
        let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
        let asked = plain(text);
        let far = |name: &str| strsim::damerau_levenshtein(name, &asked);
        // Of two that are as near, the one that begins like it is what was begun.
        let rank = |key: Self| {
            let name = plain(&key.name());
            (far(&name), !name.starts_with(&asked), key)
        };
        let near = Self::ALL.map(rank).into_iter().min_by_key(|(far, other, _)| (*far, *other));
        match near {
            Some((0, _, key)) => Ok(key),
            Some((1..=3, _, key)) => Err(format!("`{text}` is not a key: did you mean {key}?")),
            _ => Err(format!("`{text}` is not a key: {}", Self::names())),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.name())
    }
}

/// The value of a key in a row. A team that is called `(unallocated)` is not the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Label<'a> {
    Named(Cow<'a, str>),
    Missing,
    Unallocated,
    Overhead,
    /// Allocated and not used, where only use is charged.
    Idle,
    /// Costs that all share and nobody is there to take.
    Common,
}

impl Label<'_> {
    /// As people read it.
    pub(super) fn text(&self, key: &Key) -> String {
        match self {
            Self::Named(name) => name.clone().into_owned(),
            Self::Missing => format!("(no {key})"),
            Self::Unallocated => "(unallocated)".to_owned(),
            Self::Overhead => "(overhead)".to_owned(),
            Self::Idle => "(idle)".to_owned(),
            Self::Common => "(shared)".to_owned(),
        }
    }

    const fn tag(&self) -> u8 {
        match self {
            Self::Named(_) => 0,
            Self::Missing => 1,
            Self::Unallocated => 2,
            Self::Overhead => 3,
            Self::Idle => 4,
            Self::Common => 5,
        }
    }
}

/// The ids of rows: the same for the same clusters, keys and values, in any window, so that an id
/// from yesterday's statement still means the same row.
///
/// The first digits say which keys, so that whoever has an id need not try them all.
pub(super) struct RowIds<'k> {
    by: &'k [Key],
    prefix: String,
    of_clusters: Sha256,
}

/// Hex digits of an id that are of its keys, and that are of everything.
const KEY_DIGITS: usize = 3;
const ROW_DIGITS: usize = 12;

impl<'k> RowIds<'k> {
    pub(super) fn new(clusters: &[ClusterId], by: &'k [Key]) -> Self {
        let mut of_keys = Sha256::new();
        for key in by {
            of_keys.update(key.name().as_bytes());
            of_keys.update([0]);
        }
        let mut of_clusters = Sha256::new();
        for (index, cluster) in clusters.iter().enumerate() {
            if index > 0 {
                of_clusters.update([1]);
            }
            of_clusters.update(cluster.as_str());
        }
        let prefix = format!("row-{}", first_digits(&of_keys.finalize(), KEY_DIGITS));
        Self { by, prefix, of_clusters }
    }

    /// Whether this id may be of a row with these keys.
    pub(super) fn may_be(&self, id: &str) -> bool {
        id.starts_with(&self.prefix)
    }

    /// The id of a row.
    pub(super) fn id(&self, labels: &[Label<'_>]) -> String {
        let mut hasher = self.of_clusters.clone();
        for (key, label) in self.by.iter().zip(labels) {
            hasher.update([0]);
            hasher.update(key.name().as_bytes());
            hasher.update([0, label.tag()]);
            if let Label::Named(name) = label {
                hasher.update(name.as_bytes());
            }
        }
        format!("{}{}", self.prefix, first_digits(&hasher.finalize(), ROW_DIGITS))
    }
}

/// Lists of keys that have a fixed name, of up to three, under which a row may have this id.
pub(super) fn lists_of(clusters: &[ClusterId], id: &str) -> Vec<Vec<Key>> {
    let mut lists: Vec<Vec<Key>> = vec![vec![]];
    let mut found = Vec::new();
    for _ in 0..3 {
        let longer = |list: &Vec<Key>| {
            let others = Key::ALL.into_iter().filter(|key| !list.contains(key));
            others.map(|key| [&list[..], &[key]].concat()).collect::<Vec<_>>()
        };
        lists = lists.iter().flat_map(longer).collect();
        let fitting = lists.iter().filter(|list| RowIds::new(clusters, list).may_be(id));
        found.extend(fitting.cloned());
    }
    found
}

/// The first digits of some bytes.
fn first_digits(bytes: &[u8], digits: usize) -> String {
    let mut text = hex(&bytes[..digits.div_ceil(2)]);
    text.truncate(digits);
    text
}
