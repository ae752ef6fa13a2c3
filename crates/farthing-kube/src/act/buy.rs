//! Letting the pool of an autoscaler buy nodes: its limits are raised by what they have, as far as
//! they are in the way, and its requirements are narrowed to the machines that were chosen.
//!
//! Only narrowed: what a pool may not buy by its own words is not bought. And never beyond what it
//! has: a node that its pool would not buy any more has drifted, and would be replaced. Start at
//! [`Kube::intend_buy`].

use super::change::{Field, at, item, text};
use super::intend::Seen;
use super::table::steered;
use super::{Stop, Written, conflict, held};
use crate::Kube;
use crate::object::pod::amount;
use farthing_model::{OfferId, Resources, Step};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The label by which a node names its pool.
const POOL: &str = "karpenter.sh/nodepool";
pub(crate) const TYPE: &str = "node.kubernetes.io/instance-type";
pub(crate) const PURCHASE: &str = "karpenter.sh/capacity-type";
const GIB: u64 = 1 << 30;

impl Kube {
    /// What a step to buy changes.
    pub(super) fn intend_buy(
        &mut self,
        (step, pool): (&Step, Option<&str>),
        (offer, nodes): (&OfferId, u32),
    ) -> Result<Written, Stop> {
        let Some(pool) = pool else {
            return Err(held("no autoscaler of nodes would buy it: it is for people to buy"));
        };
        let kind = steered("NodePool").ok_or_else(|| held("pools are not steered"))?;
        let gone = || conflict(format!("NodePool {pool} is not there any more"));
        let seen = self.look(kind, None, pool).map_err(Stop::Api)?.ok_or_else(gone)?;
        if seen.wish() != step.generation {
            return Err(conflict(format!("{} was changed since it was seen", seen.object)));
        }
        self.allow(&seen)?;
        let capacity = self.prices.asked().capacity(offer);
        let capacity =
            capacity.ok_or_else(|| held(format!("nobody knows what a node of {offer} has")))?;
        let mut fields = limits(&seen, capacity, nodes)?;
        let (machine, purchase) = chosen(offer);
        fields.extend(narrowed(&seen, TYPE, machine, self.labels_in(pool, TYPE))?);
        fields.extend(narrowed(&seen, PURCHASE, purchase, self.labels_in(pool, PURCHASE))?);
        if fields.iter().all(Field::is_nothing) {
            return Err(conflict(format!("{} may buy it as it is", seen.object)));
        }
        let changes = vec![seen.change(fields)];
        self.check(&changes, &[seen], &step.id)?;
        Ok(Written { changes, drain: None })
    }

    /// The values of a label that the nodes of a pool have.
    fn labels_in(&self, pool: &str, label: &str) -> BTreeSet<String> {
        let state = self.shared.state();
        let own =
            state.nodes.values().filter(|it| it.labels.get(POOL).is_some_and(|it| **it == *pool));
        own.filter_map(|node| node.labels.get(label).map(ToString::to_string)).collect()
    }
}

/// The machine and the way to pay it, as an offer is called.
fn chosen(offer: &OfferId) -> (&str, &str) {
    let mut parts = offer.as_str().rsplit('/');
    let purchase = parts.next().unwrap_or_default();
    (parts.next().unwrap_or_default(), purchase)
}

/// Limits as far as they are in the way, raised to what there is and so many nodes more.
fn limits(seen: &Seen, each: Resources, nodes: u32) -> Result<Vec<Field>, Stop> {
    let named = &seen.object;
    let limits = at(&seen.value, &["spec", "limits"]).and_then(Value::as_object);
    let mut fields = Vec::new();
    for (name, limit) in limits.into_iter().flatten() {
        let of = |value: Option<&Value>| -> Result<u64, Stop> {
            let said = match value {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Number(number)) => number.to_string(),
                _ => return Ok(0),
            };
            let unclear = |why: String| held(format!("{named}: spec.limits.{name}: {why}"));
            let read = match name.as_str() {
                "nodes" => farthing_model::amount::devices(name, &said).map(Some),
                name => amount(name, &said),
            };
            Ok(read.map_err(unclear)?.unwrap_or(0))
        };
        let one = match name.as_str() {
            "cpu" => each.cpu_milli,
            "memory" => each.memory_bytes,
            "nodes" => 1,
            name if crate::gpu::is_whole(name) => each.gpu_milli / 1_000,
            _ => continue,
        };
        let bought = of(at(&seen.value, &["status", "resources", name]))?;
        let needed = bought.saturating_add(one.saturating_mul(u64::from(nodes)));
        if of(Some(limit))? < needed {
            let path = ["spec", "limits", name];
            fields.push(Field::set(&seen.value, &path, json!(quantity(name, needed))));
        }
    }
    Ok(fields)
}

/// An amount as Kubernetes writes it.
fn quantity(name: &str, amount: u64) -> String {
    match name {
        "cpu" if amount.is_multiple_of(1_000) => (amount / 1_000).to_string(),
        "cpu" => format!("{amount}m"),
        "memory" if amount.is_multiple_of(GIB) => format!("{}Gi", amount / GIB),
        _ => amount.to_string(),
    }
}

/// A requirement on a label, narrowed to what was chosen and what the pool has. One that says it
/// other than by a list of values stays as it is.
fn narrowed(
    seen: &Seen,
    label: &str,
    chosen: &str,
    has: BTreeSet<String>,
) -> Result<Option<Field>, Stop> {
    let list = ["spec", "template", "spec", "requirements"];
    let all = at(&seen.value, &list).and_then(Value::as_array);
    let own = all.into_iter().flatten().filter(|it| text(it, &["key"]) == Some(label));
    let own: Vec<&Value> = own.collect();
    let mut keep = has;
    keep.insert(chosen.to_owned());
    let entry = match own.as_slice() {
        [] => json!({"key": label, "operator": "In", "values": keep}),
        [only] if text(only, &["operator"]) == Some("In") => {
            let values = at(only, &["values"]).and_then(Value::as_array);
            let values: Vec<&str> =
                values.into_iter().flatten().filter_map(Value::as_str).collect();
            if !values.contains(&chosen) {
                let named = &seen.object;
                return Err(held(format!("{named} may not buy {chosen}: its {label} is another")));
            }
            // In the order in which it has them.
            let kept: Vec<&str> = values.into_iter().filter(|it| keep.contains(*it)).collect();
            let mut entry = (*only).clone();
            entry["values"] = json!(kept);
            entry
        }
        _ => return Ok(None),
    };
    let name = item("key", label);
    let path = [list[0], list[1], list[2], list[3], &name];
    Ok(Some(Field::set(&seen.value, &path, entry)).filter(|field| !field.is_nothing()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(spec: &Value) -> Seen {
        let mut value = json!({"metadata": {"name": "gpus", "uid": "u", "resourceVersion": "7"}});
        value["spec"] = spec.clone();
        value["status"] = json!({"resources": {"cpu": "192", "memory": "2Ti", "nodes": "1",
            "nvidia.com/gpu": "8"}});
        Seen::of(steered("NodePool").unwrap(), value)
    }

    const EACH: Resources =
        Resources { cpu_milli: 192_000, memory_bytes: 2 << 40, gpu_milli: 8_000, storage_bytes: 0 };

    #[test]
    fn limits_are_raised_by_what_the_nodes_have_and_no_further() {
        let spec = json!({"limits": {"cpu": "1000", "memory": "3Ti", "nvidia.com/gpu": 8,
            "nodes": "2", "ephemeral-storage": "1Gi"}});
        let found = limits(&pool(&spec), EACH, 2).unwrap();
        let said: Vec<(String, String)> = found
            .iter()
            .map(|it| (it.path[2].clone(), it.is.as_ref().unwrap().as_str().unwrap().to_owned()))
            .collect();
        let expected = [("memory", "6144Gi"), ("nodes", "3"), ("nvidia.com/gpu", "24")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(said, expected, "576 of 1000 cores are allowed");
        assert!(limits(&pool(&json!({})), EACH, 2).unwrap().is_empty(), "nothing limits it");
        assert_eq!(quantity("cpu", 1_500), "1500m");
        assert_eq!(quantity("memory", 1_000), "1000");
    }

    #[test]
    fn requirements_are_narrowed_and_keep_what_there_is() {
        let values = json!(["p4d.24xlarge", "p5.48xlarge", "g5.12xlarge"]);
        let require = |operator: &str| {
            let one = json!({"key": TYPE, "operator": operator, "values": values});
            pool(&json!({"template": {"spec": {"requirements": [one]}}}))
        };
        let has = BTreeSet::from(["g5.12xlarge".to_owned()]);
        let field = narrowed(&require("In"), TYPE, "p5.48xlarge", has).unwrap().unwrap();
        let is = field.is.unwrap();
        assert_eq!(is["values"], json!(["p5.48xlarge", "g5.12xlarge"]));
        let none = BTreeSet::new;
        let Err(Stop::Held(why)) = narrowed(&require("In"), TYPE, "p3", none()) else { panic!() };
        assert!(why.contains("may not buy p3"), "{why}");
        assert_eq!(narrowed(&require("NotIn"), TYPE, "p3", none()).unwrap(), None);
        let field = narrowed(&pool(&json!({})), PURCHASE, "spot", none()).unwrap().unwrap();
        let entry = json!({"key": PURCHASE, "operator": "In", "values": ["spot"]});
        assert_eq!((field.was, field.is), (None, Some(entry)));
    }

    #[test]
    fn an_offer_names_its_machine_and_how_it_is_paid() {
        let offer = OfferId::new("aws/us-east-1/p5.48xlarge/on-demand").unwrap();
        assert_eq!(chosen(&offer), ("p5.48xlarge", "on-demand"));
    }
}
