//! What all objects have: names, labels, owners, versions.

use super::placement::Placement;
use super::pod::Asks;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

/// An object by its namespace (empty for those of the cluster) and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl std::fmt::Display for Key {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            out.write_str(&self.name)
        } else {
            write!(out, "{}/{}", self.namespace, self.name)
        }
    }
}

/// The metadata of any object.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Meta {
    pub(crate) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) namespace: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) uid: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) resource_version: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) generation: i64,
    #[serde(default, deserialize_with = "time")]
    pub(crate) deletion_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    pub(crate) creation_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) owner_references: Vec<Reference>,
}

/// How annotations that are meant for us begin.
const MARK: &str = "farthing.dev/";

/// The annotations of an object that are meant for us (`farthing.dev/...`), by the rest of their
/// name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(Box<[(Arc<str>, Arc<str>)]>);

impl Marks {
    /// What one of them says.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| &**own == name).map(|(_, value)| &**value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// A reference to an owner.
#[derive(Debug, Deserialize)]
pub(crate) struct Reference {
    pub(crate) kind: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) controller: Option<bool>,
}

/// Reads what may be `null` as nothing.
pub(crate) fn or_default<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// Reads a time, or nothing.
pub(crate) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<Cow<'de, str>>::deserialize(from)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// Bits of a [`wish`]: numbers of 48 bits are exact in any JSON.
const WISH_BITS: u32 = 48;

/// A number for what is wanted of an object: another one of the same name has another, and so has
/// the same one after each change that is not one of its status. Where the server counts no
/// changes (`generation` 0), `version` does.
pub(crate) fn wish(uid: &str, generation: i64, version: &str) -> u64 {
    let counted = generation.to_string();
    let count = if generation > 0 { counted.as_str() } else { version };
    let bytes = uid.bytes().chain([0]).chain(count.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash >> (u64::BITS - WISH_BITS)
}

impl Meta {
    pub(crate) fn key(&self, names: &mut Names) -> Key {
        Key { namespace: names.of(&self.namespace), name: Arc::from(self.name.as_str()) }
    }

    /// The owner that controls it.
    pub(crate) fn controller(&self) -> Option<&Reference> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }

    /// A number that changes with every change of the object. Versions are numbers that only grow;
    /// a server that writes others is allowed to, and theirs are told apart by a hash.
    pub(crate) fn version(&self) -> u64 {
        self.resource_version.parse().unwrap_or_else(|_| {
            let bytes = self.resource_version.bytes();
            bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            })
        })
    }

    /// The annotations that are meant for us, without the prefix that they all have.
    pub(crate) fn marks(&self, names: &mut Names) -> Marks {
        let ours = self.annotations.iter().filter_map(|(name, value)| {
            Some((names.of(name.strip_prefix(MARK)?), names.of(value)))
        });
        Marks(ours.collect())
    }

    /// Whether a pod says that it must not be taken away while it runs.
    pub(crate) fn undisturbed(&self) -> bool {
        let says =
            |name: &str, value: &str| self.annotations.get(name).is_some_and(|it| it == value);
        says("karpenter.sh/do-not-disrupt", "true")
            || says("cluster-autoscaler.kubernetes.io/safe-to-evict", "false")
    }

    /// The team that an object says it belongs to.
    pub(crate) fn team(&self) -> Option<&str> {
        const OURS: &str = "farthing.dev/team";
        [&self.annotations, &self.labels]
            .into_iter()
            .find_map(|set| set.get(OURS))
            .or_else(|| self.labels.get("team"))
            .map(String::as_str)
            .filter(|team| !team.is_empty())
    }
}

/// The labels of an object, which are those of many.
pub(crate) type Labels = Arc<BTreeMap<String, String>>;

/// What many objects share, each kept once.
#[derive(Debug, Default)]
pub(crate) struct Names {
    texts: HashSet<Arc<str>>,
    labels: HashSet<Labels>,
    asks: HashSet<Arc<Asks>>,
    placements: HashSet<Arc<Placement>>,
}

impl Names {
    pub(crate) fn of(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(text);
        self.texts.insert(Arc::clone(&new));
        new
    }

    pub(crate) fn labels(&mut self, labels: BTreeMap<String, String>) -> Labels {
        shared(&mut self.labels, labels)
    }

    pub(crate) fn asks(&mut self, asks: Asks) -> Arc<Asks> {
        shared(&mut self.asks, asks)
    }

    pub(crate) fn placement(&mut self, placement: Placement) -> Arc<Placement> {
        shared(&mut self.placements, placement)
    }

    /// Forgets what no object has any more.
    pub(crate) fn forget_unused(&mut self) {
        self.labels.retain(|it| Arc::strong_count(it) > 1);
        self.asks.retain(|it| Arc::strong_count(it) > 1);
        self.placements.retain(|it| Arc::strong_count(it) > 1);
        self.texts.retain(|it| Arc::strong_count(it) > 1);
    }
}

fn shared<T: Eq + Hash>(all: &mut HashSet<Arc<T>>, one: T) -> Arc<T> {
    if let Some(known) = all.get(&one) {
        return Arc::clone(known);
    }
    let new = Arc::new(one);
    all.insert(Arc::clone(&new));
    new
}
