//! Starting a suspended job on the nodes of an offer: by a node selector and tolerations that are
//! put into its template while it waits, in the same patch that lets it go.
//!
//! Which node it is remains the scheduler's choice. What a job says of nodes itself stays, and
//! where that does not go together nothing is done. Never touches a job that has run. Start at
//! [`place`].

use super::change::{Change, Field, at, text};
use super::intend::Seen;
use super::{Stop, conflict, guard, held};
use crate::object::node::{NodeLabels, Tainted};
use farthing_model::OfferId;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Labels that say what a node was bought as, in the order in which they are tried.
const TELLING: [&str; 8] = [
    "node.kubernetes.io/instance-type",
    "karpenter.sh/capacity-type",
    "eks.amazonaws.com/capacityType",
    "cloud.google.com/gke-spot",
    "kubernetes.azure.com/scalesetpriority",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "nvidia.com/gpu.product",
];
/// Taints of nodes that are not well, which nobody should tolerate.
const PASSING: [&str; 2] = ["node.kubernetes.io/", "node.cloudprovider.kubernetes.io/"];

/// A node as far as placing needs it.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// Whether it was bought as the offer that is meant.
    pub(super) is_meant: bool,
    pub(super) labels: Arc<NodeLabels>,
    pub(super) taints: Vec<Tainted>,
}

/// The labels by which the nodes that are meant are told from all others.
fn selector<'g>(
    offer: &OfferId,
    nodes: &'g [Ground],
) -> Result<Vec<(&'static str, &'g str)>, Stop> {
    let meant: Vec<&Ground> = nodes.iter().filter(|node| node.is_meant).collect();
    let Some(first) = meant.first() else {
        return Err(held(format!("there is no node of {offer} now")));
    };
    let mut others: Vec<&Ground> = nodes.iter().filter(|node| !node.is_meant).collect();
    let mut found = Vec::new();
    for label in TELLING {
        let Some(value) = first.labels.get(label) else { continue };
        if meant.iter().any(|node| node.labels.get(label) != Some(value)) {
            continue;
        }
        let before = others.len();
        others.retain(|node| node.labels.get(label) == Some(value));
        // The type is always said; of the others those that tell something apart.
        if found.is_empty() || others.len() < before {
            found.push((label, &**value));
        }
    }
    if found.is_empty() || !others.is_empty() {
        let why = "the labels of nodes do not tell those apart that were bought as";
        return Err(held(format!("{why} {offer}")));
    }
    Ok(found)
}

/// Whether one of a template's tolerations is for a taint.
fn tolerates(toleration: &Value, (key, value, effect): (&str, &str, &str)) -> bool {
    let of = |name: &str| text(toleration, &[name]).filter(|text| !text.is_empty());
    let exists = of("operator") == Some("Exists");
    of("effect").is_none_or(|own| own == effect)
        && match of("key") {
            None => exists,
            Some(own) => own == key && (exists || of("value").unwrap_or_default() == value),
        }
}

/// Tolerations for the taints that all nodes that are meant have, beside those that are there.
fn tolerations(there: &[Value], nodes: &[Ground]) -> Vec<Value> {
    let mut meant = nodes.iter().filter(|node| node.is_meant);
    let first = meant.next().map(|node| node.taints.iter().cloned().collect::<BTreeSet<_>>());
    let common = meant.fold(first.unwrap_or_default(), |mut common, node| {
        common.retain(|taint| node.taints.contains(taint));
        common
    });
    let mut all = there.to_vec();
    for Tainted { key, value, effect } in &common {
        let taint = (&**key, &**value, &**effect);
        let passes = PASSING.iter().any(|prefix| key.starts_with(prefix));
        if passes || &**effect == "PreferNoSchedule" || all.iter().any(|own| tolerates(own, taint))
        {
            continue;
        }
        all.push(json!({"key": taint.0, "operator": "Equal", "value": taint.1, "effect": taint.2}));
    }
    all
}

/// Puts a suspended job on the nodes of an offer, and lets it go.
pub(super) fn place(
    job: &Seen,
    (offer, members): (&OfferId, u32),
    nodes: &[Ground],
) -> Result<Vec<Change>, Stop> {
    let named = &job.object;
    if job.kind.kind != "Job" {
        return Err(held(format!("{named}: only a Job can be placed")));
    }
    guard::held_by_kueue(&job.value, &named.to_string())?;
    if at(&job.value, job.kind.suspend).and_then(Value::as_bool) != Some(true) {
        return Err(held(format!("{named} is not suspended: Kubernetes places it by itself")));
    }
    if at(&job.value, &["status", "startTime"]).is_some_and(|time| !time.is_null()) {
        return Err(conflict(format!("{named} has run: it is not moved")));
    }
    let number = |name: &str| at(&job.value, &["spec", name]).and_then(Value::as_u64);
    let at_once = number("parallelism").unwrap_or(1);
    let at_once = number("completions").map_or(at_once, |all| all.min(at_once));
    if at_once != u64::from(members) {
        return Err(held(format!("{named} has {at_once} members, which start together or not")));
    }
    let template = ["spec", "template", "spec"];
    let mut fields = Vec::new();
    for (label, value) in selector(offer, nodes)? {
        let path = [&template[..], &["nodeSelector", label]].concat();
        match text(&job.value, &path) {
            Some(own) if own == value => {}
            Some(own) => {
                let why = format!("{named} wants {label} {own}, and {offer} is {value}");
                return Err(held(why));
            }
            None => fields.push(Field::set(&job.value, &path, json!(value))),
        }
    }
    let path = [&template[..], &["tolerations"]].concat();
    let there = at(&job.value, &path).and_then(Value::as_array).cloned().unwrap_or_default();
    let all = tolerations(&there, nodes);
    if all.len() > there.len() {
        fields.push(Field::set(&job.value, &path, Value::Array(all)));
    }
    fields.push(Field::set(&job.value, job.kind.suspend, json!(false)));
    Ok(vec![job.change(fields)])
}

#[cfg(test)]
mod tests {
    use super::super::table::steered;
    use super::*;

    fn ground(is_meant: bool, labels: &[(&str, &str)], taints: &[&str]) -> Ground {
        let labels = labels.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value)));
        let taint = |taint: &&str| {
            let (key, rest) = taint.split_once('=').unwrap();
            let (value, effect) = rest.split_once(':').unwrap();
            Tainted { key: key.into(), value: value.into(), effect: effect.into() }
        };
        let taints = taints.iter().map(taint).collect();
        Ground { is_meant, labels: Arc::new(labels.collect()), taints }
    }

    const TYPE: &str = TELLING[0];
    const CAPACITY: &str = TELLING[1];

    fn nodes() -> Vec<Ground> {
        let spot = [(TYPE, "g5"), (CAPACITY, "spot")];
        vec![
            ground(true, &spot, &["gpu=yes:NoSchedule", "only=a:NoSchedule"]),
            ground(true, &spot, &["gpu=yes:NoSchedule", "node.kubernetes.io/x=:NoExecute"]),
            ground(false, &[(TYPE, "g5"), (CAPACITY, "on-demand")], &[]),
            ground(false, &[(TYPE, "m5")], &[]),
        ]
    }

    fn job(spec: &Value) -> Seen {
        let value = json!({
            "metadata": {"name": "j", "namespace": "n", "uid": "u"},
            "spec": {"suspend": true, "template": {"spec": spec}},
        });
        Seen::of(steered("Job").unwrap(), value)
    }

    fn offer() -> OfferId {
        OfferId::new("aws/here/g5/spot").unwrap()
    }

    fn why(placed: Result<Vec<Change>, Stop>) -> String {
        match placed {
            Err(Stop::Held(why)) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_job_gets_the_labels_that_tell_an_offer_apart_and_what_its_taints_need() {
        let free = job(&json!({}));
        let placed = place(&free, (&offer(), 1), &nodes()).unwrap();
        let patch = placed[0].forth(&free.value, "p1/1");
        let spec = &patch["spec"]["template"]["spec"];
        assert_eq!(spec["nodeSelector"], json!({TYPE: "g5", CAPACITY: "spot"}));
        let gpu =
            json!({"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoSchedule"});
        assert_eq!(spec["tolerations"], json!([gpu]));
        assert_eq!(patch["spec"]["suspend"], false);
        // What is there already is not said again.
        let told = json!({"nodeSelector": {TYPE: "g5"}, "tolerations": [{"operator": "Exists"}]});
        let told = job(&told);
        let placed = place(&told, (&offer(), 1), &nodes()).unwrap();
        let paths: Vec<String> = placed[0].fields.iter().map(|it| it.path.join(".")).collect();
        assert_eq!(paths.len(), 2, "{paths:?}");
    }

    #[test]
    fn what_does_not_go_together_is_held() {
        let other = job(&json!({"nodeSelector": {TYPE: "p5"}}));
        assert!(
            why(place(&other, (&offer(), 1), &nodes())).contains("p5, and aws/here/g5/spot is g5")
        );
        let free = job(&json!({}));
        assert!(why(place(&free, (&offer(), 3), &nodes())).contains("has 1 members"));
        assert!(why(place(&free, (&offer(), 1), &nodes()[2..])).contains("no node of"));
        let mut same = nodes();
        same.push(ground(false, &[(TYPE, "g5"), (CAPACITY, "spot")], &[]));
        assert!(why(place(&free, (&offer(), 1), &same)).contains("do not tell those apart"));
        let mut runs = job(&json!({}));
        runs.value["spec"]["suspend"] = json!(false);
        assert!(why(place(&runs, (&offer(), 1), &nodes())).contains("is not suspended"));
    }
}
