//! The kinds that are watched, where the server has them, and what is kept of each.

use crate::kueue::{self, QueueObject};
use crate::object::{Claim, Key, Names, NodeObject, OurObject, Owner, PodObject, Rule, Slices};
use crate::object::{claim, node, ours, owner, pod, rule};
use jiff::Timestamp;

/// A kind of object.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// The API group; empty for the oldest kinds.
    pub(crate) group: &'static str,
    /// The versions that can be read, the best first.
    pub(crate) versions: &'static [&'static str],
    pub(crate) plural: &'static str,
    keep: Keep,
    /// Whether every server has it.
    pub(crate) built_in: bool,
}

/// What is kept of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Node,
    Pod,
    Namespace,
    /// An owner whose template is one of pods.
    OwnerOfPods,
    /// An owner of whatever.
    Owner,
    Claim,
    Slices,
    /// An object of Kueue.
    Queue,
    Rule,
    /// One of ours, whole.
    Ours,
}

/// An object as it is kept.
#[derive(Debug)]
pub(crate) enum Object {
    Node(NodeObject),
    Pod(PodObject),
    Namespace(Rule),
    Owner(Owner),
    Claim(Claim),
    Slices(Slices),
    Queue(QueueObject),
    Rule(Rule),
    Ours(Key, Box<OurObject>),
}

const fn built_in(
    name: &'static str,
    group: &'static str,
    plural: &'static str,
    keep: Keep,
) -> Kind {
    Kind { name, group, versions: &["v1"], plural, keep, built_in: true }
}

const fn where_installed(
    name: &'static str,
    group: &'static str,
    versions: &'static [&'static str],
    plural: &'static str,
    keep: Keep,
) -> Kind {
    Kind { name, group, versions, plural, keep, built_in: false }
}

/// All kinds that are watched. Nodes and pods come first: without them nothing is known.
pub(crate) const KINDS: [Kind; 37] = [
    built_in("Node", "", "nodes", Keep::Node),
    built_in("Pod", "", "pods", Keep::Pod),
    built_in("Namespace", "", "namespaces", Keep::Namespace),
    built_in("ReplicaSet", "apps", "replicasets", Keep::OwnerOfPods),
    built_in("Deployment", "apps", "deployments", Keep::OwnerOfPods),
    built_in("StatefulSet", "apps", "statefulsets", Keep::OwnerOfPods),
    built_in("DaemonSet", "apps", "daemonsets", Keep::OwnerOfPods),
    built_in("Job", "batch", "jobs", Keep::OwnerOfPods),
    built_in("CronJob", "batch", "cronjobs", Keep::Owner),
    built_in("PersistentVolumeClaim", "", "persistentvolumeclaims", Keep::Rule),
    built_in("ResourceQuota", "", "resourcequotas", Keep::Rule),
    built_in("PriorityClass", "scheduling.k8s.io", "priorityclasses", Keep::Rule),
    built_in("PodDisruptionBudget", "policy", "poddisruptionbudgets", Keep::Rule),
    where_installed("HorizontalPodAutoscaler", "autoscaling", &["v2"], HPAS, Keep::Rule),
    where_installed("ScaledObject", "keda.sh", &["v1alpha1"], "scaledobjects", Keep::Rule),
    where_installed("ResourceClaim", DRA, &["v1", "v1beta2", "v1beta1"], "resourceclaims", CLAIM),
    where_installed("ResourceSlice", DRA, &["v1", "v1beta2"], "resourceslices", Keep::Slices),
    where_installed("JobSet", "jobset.x-k8s.io", &["v1alpha2"], "jobsets", Keep::Owner),
    where_installed("PyTorchJob", "kubeflow.org", &["v1"], "pytorchjobs", Keep::Owner),
    where_installed("MPIJob", "kubeflow.org", &["v2beta1", "v1"], "mpijobs", Keep::Owner),
    where_installed("TrainJob", "trainer.kubeflow.org", &["v1alpha1"], "trainjobs", Keep::Owner),
    where_installed("RayJob", "ray.io", &["v1"], "rayjobs", Keep::Owner),
    where_installed("RayCluster", "ray.io", &["v1"], "rayclusters", Keep::Owner),
    where_installed("RayService", "ray.io", &["v1"], "rayservices", Keep::Owner),
    where_installed("LeaderWorkerSet", LWS, &["v1"], "leaderworkersets", Keep::Owner),
    where_installed("InferenceService", KSERVE, &["v1beta1"], "inferenceservices", Keep::Owner),
    where_installed("Workload", KUEUE, &["v1beta2", "v1beta1"], "workloads", QUEUE),
    where_installed("ClusterQueue", KUEUE, &["v1beta2", "v1beta1"], "clusterqueues", QUEUE),
    where_installed("LocalQueue", KUEUE, &["v1beta2", "v1beta1"], "localqueues", QUEUE),
    where_installed("ResourceFlavor", KUEUE, &["v1beta2", "v1beta1"], "resourceflavors", QUEUE),
    where_installed("AdmissionCheck", KUEUE, &["v1beta2", "v1beta1"], "admissionchecks", QUEUE),
    where_installed("NodePool", "karpenter.sh", &["v1"], "nodepools", Keep::Rule),
    where_installed("NodeClaim", "karpenter.sh", &["v1"], "nodeclaims", Keep::Rule),
    where_installed("Budget", GROUP, &[VERSION], "budgets", Keep::Ours),
    where_installed("Policy", GROUP, &[VERSION], "policies", Keep::Ours),
    where_installed("PriceBook", GROUP, &[VERSION], "pricebooks", Keep::Ours),
    where_installed("Plan", GROUP, &[VERSION], "plans", Keep::Ours),
];

/// The group and the version of our own kinds.
pub(crate) const GROUP: &str = "farthing.dev";
pub(crate) const VERSION: &str = "v1alpha1";
const DRA: &str = "resource.k8s.io";
const HPAS: &str = "horizontalpodautoscalers";
const LWS: &str = "leaderworkerset.x-k8s.io";
const KSERVE: &str = "serving.kserve.io";
const KUEUE: &str = "kueue.x-k8s.io";
const CLAIM: Keep = Keep::Claim;
const QUEUE: Keep = Keep::Queue;

impl Kind {
    pub(crate) const fn keep(&self) -> Keep {
        self.keep
    }

    /// Where a version of it is.
    pub(crate) fn path(&self, version: &str) -> String {
        format!("{}/{}", self.api(version), self.plural)
    }

    /// Where one object is; the namespace is empty for those of the cluster.
    pub(crate) fn path_of(&self, version: &str, namespace: &str, name: &str) -> String {
        let (api, plural) = (self.api(version), self.plural);
        if namespace.is_empty() {
            format!("{api}/{plural}/{name}")
        } else {
            format!("{api}/namespaces/{namespace}/{plural}/{name}")
        }
    }

    fn api(&self, version: &str) -> String {
        match self.group {
            "" => format!("/api/{version}"),
            group => format!("/apis/{group}/{version}"),
        }
    }

    /// Keeps what is needed of an object that was seen at `now`.
    pub(crate) fn read(
        &self,
        raw: &str,
        names: &mut Names,
        now: Timestamp,
    ) -> Result<Object, String> {
        fn wire<'r, T: serde::Deserialize<'r>>(raw: &'r str) -> Result<T, String> {
            serde_json::from_str(raw).map_err(|error| error.to_string())
        }
        Ok(match self.keep {
            Keep::Node => Object::Node(NodeObject::of(wire::<node::Wire>(raw)?, names, now)?),
            Keep::Pod => Object::Pod(PodObject::of(wire::<pod::Wire>(raw)?, names, now)?),
            Keep::Namespace => {
                Object::Namespace(Rule::of(&wire::<rule::Wire<'_>>(raw)?, self.name, names)?)
            }
            Keep::OwnerOfPods | Keep::Owner => {
                let of_pods = self.keep == Keep::OwnerOfPods;
                let owner = Owner::of(&wire::<owner::Wire<'_>>(raw)?, of_pods, names, now)?;
                Object::Owner(owner)
            }
            Keep::Claim => Object::Claim(Claim::of(&wire::<claim::ClaimWire>(raw)?, names)),
            Keep::Slices => Object::Slices(Slices::of(&wire::<claim::SliceWire>(raw)?, names)),
            Keep::Queue => Object::Queue(kueue::read(self.name, raw, names, now)?),
            Keep::Rule => Object::Rule(Rule::of(&wire::<rule::Wire<'_>>(raw)?, self.name, names)?),
            Keep::Ours => {
                let wire = wire::<ours::Wire>(raw)?;
                let (key, object) = OurObject::of(wire, self.name, names, now);
                Object::Ours(key, Box::new(object))
            }
        })
    }
}
