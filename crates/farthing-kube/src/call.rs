//! Every call on one object that the code can make, in one table, so that roles are made of what
//! is used: what is not in [`CALLS`] cannot be asked ([`Client::call_on`] takes nothing else), and
//! what is in it and used by nobody is dead code, which the compiler names.
//!
//! Lists and watches are apart: they are the table of kinds (`kind`).
//!
//! [`Client::call_on`]: crate::client::Client

use serde_json::Value;
use std::fmt;

/// How much a role allows: each also what those before it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavour {
    /// Looking only.
    Observe,
    /// Looking, and saying what would be better in objects of our own.
    Recommend,
    /// Changing what is there.
    Enforce,
}

impl Flavour {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Observe, Self::Recommend, Self::Enforce];

    /// The name in commands and of roles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Recommend => "recommend",
            Self::Enforce => "enforce",
        }
    }
}

/// A verb of Kubernetes' roles. There is no `delete`, and none may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Get,
    /// All of a kind in a namespace, once; what is watched is in the table of kinds.
    List,
    Create,
    /// Also server-side apply.
    Patch,
    Update,
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Update => "update",
        }
    }
}

/// One kind of call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The least flavour of role that needs it.
    pub(crate) flavour: Flavour,
    pub(crate) verb: Verb,
    /// The API group; empty for the oldest kinds.
    pub(crate) group: &'static str,
    /// As in addresses: `jobs`.
    pub(crate) plural: &'static str,
    /// Such as `scale` or `status`; empty for the object itself.
    pub(crate) part: &'static str,
}

/// Which object a call is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// The version of its API group, such as `v1`.
    pub(crate) version: &'a str,
    /// Its namespace; `None` for kinds that belong to none.
    pub(crate) namespace: Option<&'a str>,
    /// Its name; empty to create one.
    pub(crate) name: &'a str,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body<'a> {
    /// Nothing: a question.
    Nothing,
    /// A whole object, to create or to put in place of what is there.
    Whole(&'a Value),
    /// The fields that are ours, by server-side apply. `force` takes fields from other managers:
    /// only for our own entry in a Workload of Kueue.
    Apply { object: &'a Value, force: bool },
    /// Fields to merge; `metadata.resourceVersion` and `metadata.uid` in it are preconditions.
    Merge(&'a Value),
}

impl Call {
    /// Where the object is.
    pub(crate) fn path(&self, target: &Target<'_>) -> String {
        let mut path = if self.group.is_empty() {
            format!("/api/{}", target.version)
        } else {
            format!("/apis/{}/{}", self.group, target.version)
        };
        if let Some(namespace) = target.namespace {
            path += "/namespaces/";
            path += namespace;
        }
        for part in [self.plural, target.name, self.part] {
            if !part.is_empty() {
                path.push('/');
                path += part;
            }
        }
        path
    }

    /// The resource as roles name it: `deployments/scale`.
    pub(crate) fn resource(&self) -> String {
        if self.part.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}/{}", self.plural, self.part)
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.verb.name(), self.resource())?;
        if self.group.is_empty() { Ok(()) } else { write!(out, ".{}", self.group) }
    }
}

/// All calls. A module that calls declares its own table of [`Call`]s and is listed here.
pub(crate) fn calls() -> impl Iterator<Item = &'static Call> {
    let tables: [&'static [Call]; 3] =
        [&crate::ours::CALLS, &crate::ours::LEASE_CALLS, &crate::kueue::CALLS];
    tables.into_iter().flatten().chain(crate::act::calls())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_its_object() {
        let scale = Call {
            flavour: Flavour::Enforce,
            verb: Verb::Patch,
            group: "apps",
            plural: "deployments",
            part: "scale",
        };
        let target = Target { version: "v1", namespace: Some("serving"), name: "chat" };
        let path = "/apis/apps/v1/namespaces/serving/deployments/chat/scale";
        assert_eq!(scale.path(&target), path);
        assert_eq!(scale.to_string(), "patch deployments/scale.apps");
        let node = Call { flavour: Flavour::Enforce, verb: Verb::Patch, group: "", ..scale };
        let node = Call { plural: "nodes", part: "", ..node };
        let target = Target { version: "v1", namespace: None, name: "a" };
        assert_eq!(node.path(&target), "/api/v1/nodes/a");
        assert_eq!(node.to_string(), "patch nodes");
    }

    #[test]
    fn no_call_is_listed_twice() {
        let all: Vec<&Call> = calls().collect();
        for (at, call) in all.iter().enumerate() {
            assert!(!all[..at].contains(call), "{call}");
        }
    }
}
