//! Objects of Kubernetes, of which only what is needed is kept.
//!
//! The types with `Deserialize` are what the API server writes (fields that nobody reads are not
//! in them); the others are what is kept. A list of Go that is nothing is `null` there. One object
//! that cannot be read does not hide the others: it is a fault with its name.

pub(crate) mod claim;
pub(crate) mod meta;
pub(crate) mod node;
pub(crate) mod ours;
pub(crate) mod owner;
pub(crate) mod placement;
pub(crate) mod pod;
pub(crate) mod rule;
pub(crate) mod stretch;

pub(crate) use claim::{Claim, Slice, Slices};
pub(crate) use meta::{Key, Labels, Marks, Meta, Names, or_default, time, wish};
pub(crate) use node::NodeObject;
pub use ours::OurObject;
pub(crate) use owner::{Owner, OwnerRef};
pub(crate) use pod::PodObject;
pub(crate) use rule::Rule;
