//! What can be steered: kinds of objects with the fields that steer them, and every call that
//! acting makes, from which roles are made.

use crate::call::{Call, Flavour, Target, Verb};

/// A kind of object that can be changed.
#[derive(Debug)]
pub(crate) struct Steered {
    pub(crate) kind: &'static str,
    group: &'static str,
    version: &'static str,
    plural: &'static str,
    /// The field that holds its work back, if it has one.
    pub(crate) suspend: &'static [&'static str],
    /// The field that says how many replicas there are, if it has one.
    pub(crate) replicas: &'static [&'static str],
}

const SPEC_SUSPEND: &[&str] = &["spec", "suspend"];
const SPEC_REPLICAS: &[&str] = &["spec", "replicas"];

const fn job(
    kind: &'static str,
    (group, version): (&'static str, &'static str),
    plural: &'static str,
    suspend: &'static [&'static str],
) -> Steered {
    Steered { kind, group, version, plural, suspend, replicas: &[] }
}

const fn service(
    kind: &'static str,
    (group, version): (&'static str, &'static str),
    plural: &'static str,
) -> Steered {
    Steered { kind, group, version, plural, suspend: &[], replicas: SPEC_REPLICAS }
}

const fn other(
    kind: &'static str,
    (group, version): (&'static str, &'static str),
    plural: &'static str,
) -> Steered {
    Steered { kind, group, version, plural, suspend: &[], replicas: &[] }
}

/// All of them.
pub(crate) static STEERED: [Steered; 13] = [
    job("Job", ("batch", "v1"), "jobs", SPEC_SUSPEND),
    job("JobSet", ("jobset.x-k8s.io", "v1alpha2"), "jobsets", SPEC_SUSPEND),
    job("RayJob", ("ray.io", "v1"), "rayjobs", SPEC_SUSPEND),
    job("PyTorchJob", ("kubeflow.org", "v1"), "pytorchjobs", &["spec", "runPolicy", "suspend"]),
    service("Deployment", ("apps", "v1"), "deployments"),
    service("StatefulSet", ("apps", "v1"), "statefulsets"),
    service("ReplicaSet", ("apps", "v1"), "replicasets"),
    service("LeaderWorkerSet", ("leaderworkerset.x-k8s.io", "v1"), "leaderworkersets"),
    other("RayCluster", ("ray.io", "v1"), "rayclusters"),
    other("HorizontalPodAutoscaler", ("autoscaling", "v2"), "horizontalpodautoscalers"),
    other("ScaledObject", ("keda.sh", "v1alpha1"), "scaledobjects"),
    other("Node", ("", "v1"), "nodes"),
    other("NodePool", ("karpenter.sh", "v1"), "nodepools"),
];

const fn call(verb: Verb, group: &'static str, plural: &'static str) -> Call {
    Call { flavour: Flavour::Enforce, verb, group, plural, part: "" }
}

/// Says what happened on the objects that it happened to.
pub(crate) static EVENT: Call = Call {
    flavour: Flavour::Recommend,
    verb: Verb::Create,
    group: "events.k8s.io",
    plural: "events",
    part: "",
};

/// Asks for the end of one pod, which budgets of disruption may refuse.
pub(crate) static EVICT: Call = Call {
    flavour: Flavour::Enforce,
    verb: Verb::Create,
    group: "",
    plural: "pods",
    part: "eviction",
};

/// Looks whether a pod is still there.
pub(crate) static POD: Call = call(Verb::Get, "", "pods");

/// Reads what a namespace says of all that is in it.
pub(crate) static NAMESPACE: Call = call(Verb::Get, "", "namespaces");

/// Every call that acting makes, but for those above.
pub(crate) static CALLS: [Call; 28] = [
    call(Verb::Get, "batch", "jobs"),
    call(Verb::Patch, "batch", "jobs"),
    call(Verb::Get, "jobset.x-k8s.io", "jobsets"),
    call(Verb::Patch, "jobset.x-k8s.io", "jobsets"),
    call(Verb::Get, "ray.io", "rayjobs"),
    call(Verb::Patch, "ray.io", "rayjobs"),
    call(Verb::Get, "ray.io", "rayclusters"),
    call(Verb::Patch, "ray.io", "rayclusters"),
    call(Verb::Get, "kubeflow.org", "pytorchjobs"),
    call(Verb::Patch, "kubeflow.org", "pytorchjobs"),
    call(Verb::Get, "apps", "deployments"),
    call(Verb::Patch, "apps", "deployments"),
    call(Verb::Get, "apps", "statefulsets"),
    call(Verb::Patch, "apps", "statefulsets"),
    call(Verb::Get, "apps", "replicasets"),
    call(Verb::Patch, "apps", "replicasets"),
    call(Verb::Get, "leaderworkerset.x-k8s.io", "leaderworkersets"),
    call(Verb::Patch, "leaderworkerset.x-k8s.io", "leaderworkersets"),
    call(Verb::List, "autoscaling", "horizontalpodautoscalers"),
    call(Verb::Get, "autoscaling", "horizontalpodautoscalers"),
    call(Verb::Patch, "autoscaling", "horizontalpodautoscalers"),
    call(Verb::List, "keda.sh", "scaledobjects"),
    call(Verb::Get, "keda.sh", "scaledobjects"),
    call(Verb::Patch, "keda.sh", "scaledobjects"),
    call(Verb::Get, "", "nodes"),
    call(Verb::Patch, "", "nodes"),
    call(Verb::Get, "karpenter.sh", "nodepools"),
    call(Verb::Patch, "karpenter.sh", "nodepools"),
];

/// All calls that acting makes.
pub(crate) fn calls() -> impl Iterator<Item = &'static Call> {
    CALLS.iter().chain([&EVENT, &EVICT, &POD, &NAMESPACE])
}

/// The kind of that name, if it can be steered.
pub(crate) fn steered(kind: &str) -> Option<&'static Steered> {
    STEERED.iter().find(|it| it.kind == kind)
}

impl Steered {
    /// A call on objects of the kind; `None`: it is not in the table.
    pub(crate) fn call(&self, verb: Verb) -> Option<&'static Call> {
        let same = |call: &&Call| {
            call.verb == verb && (call.group, call.plural) == (self.group, self.plural)
        };
        CALLS.iter().find(same)
    }

    /// One of them, for a call.
    pub(crate) const fn target<'a>(&self, namespace: Option<&'a str>, name: &'a str) -> Target<'a> {
        Target { version: self.version, namespace, name }
    }

    /// The group and version of its API, as objects name it.
    pub(crate) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_can_be_looked_at_and_changed() {
        for kind in &STEERED {
            assert!(kind.call(Verb::Get).is_some() && kind.call(Verb::Patch).is_some(), "{kind:?}");
        }
        assert_eq!(steered("Job").unwrap().api_version(), "batch/v1");
        assert!(steered("Secret").is_none());
    }
}
