//! A stand-in for Kueue's manager that plays the protocol as it was seen on a running one: on the
//! JSON of its Workloads, wherever they are kept.
//!
//! It reserves quota, makes our entry as Pending, lets in what is Ready, evicts and requeues at
//! once on Retry, resets entries after an eviction, keeps Rejected whatever `active` says, frees
//! quota when it is inactive, and ends for ever what is given keys that it has.

use serde_json::{Map, Value, json};

/// What the manager knows beside the Workloads.
pub(crate) struct Manager {
    /// The check of the only cluster queue, and the flavor of its only resource.
    pub(crate) check: &'static str,
    pub(crate) flavor: &'static str,
    /// Devices of the flavor.
    pub(crate) quota: u64,
    /// Whether the check is answered: without that nothing is let in.
    pub(crate) is_active: bool,
    /// Workloads of which fewer pods may be let in than they ask for.
    pub(crate) partial: bool,
}

const DEVICE: &str = "nvidia.com/gpu";

pub(crate) fn is(workload: &Value, condition: &str) -> bool {
    find(workload, condition).is_some_and(|it| it["status"] == "True")
}

pub(crate) fn since(workload: &Value, condition: &str) -> Option<i64> {
    let it = find(workload, condition).filter(|it| it["status"] == "True")?;
    let text = it["lastTransitionTime"].as_str()?;
    text.parse().ok().map(jiff::Timestamp::as_second)
}

fn find<'w>(workload: &'w Value, condition: &str) -> Option<&'w Value> {
    let all = workload["status"]["conditions"].as_array()?;
    all.iter().find(|it| it["type"] == condition)
}

pub(crate) fn set(workload: &mut Value, condition: &str, (yes, reason): (bool, &str), now: i64) {
    if is(workload, condition) == yes && (yes || find(workload, condition).is_none()) {
        return;
    }
    let status = workload["status"].as_object_mut().unwrap();
    let all = status.entry("conditions").or_insert_with(|| json!([])).as_array_mut().unwrap();
    all.retain(|it| it["type"] != condition);
    all.push(json!({
        "type": condition,
        "status": if yes { "True" } else { "False" },
        "reason": reason,
        "message": "",
        "lastTransitionTime": time(now),
    }));
}

fn time(second: i64) -> String {
    jiff::Timestamp::from_second(second).unwrap().to_string()
}

/// The state of an entry.
pub(crate) fn state<'w>(workload: &'w Value, check: &str) -> Option<&'w str> {
    let all = workload["status"]["admissionChecks"].as_array()?;
    all.iter().find(|it| it["name"] == check)?["state"].as_str()
}

pub(crate) fn active(workload: &Value) -> bool {
    workload["spec"]["active"] != false
}

/// Devices that it was given.
pub(crate) fn given(workload: &Value) -> u64 {
    let sets = workload["status"]["admission"]["podSetAssignments"].as_array();
    let of =
        |set: &Value| set["resourceUsage"][DEVICE].as_str().map(|it| it.parse::<u64>().unwrap());
    sets.into_iter().flatten().filter_map(of).sum::<u64>()
}

impl Manager {
    /// What a Workload becomes now, if anything changes; `free` devices are to be had.
    pub(crate) fn look(&self, seen: &Value, free: u64, now: i64) -> Option<Value> {
        let mut it = seen.clone();
        if !it["status"].is_object() {
            it["status"] = json!({});
        }
        if is(&it, "Finished") {
            return None;
        }
        let state = state(&it, self.check).map(str::to_owned);
        if state.as_deref() == Some("Rejected") {
            it["spec"]["active"] = json!(false);
            self.evict(&mut it, ("AdmissionCheck", false), now);
        } else if !active(&it) {
            self.evict(&mut it, ("Deactivated", true), now);
        } else if state.as_deref() == Some("Retry") {
            self.evict(&mut it, ("AdmissionCheck", true), now);
        } else if !is(&it, "QuotaReserved") {
            self.reserve(&mut it, free, now);
        } else if !is(&it, "Admitted") && state.as_deref() == Some("Ready") {
            admit(&mut it, now);
        } else if let (Some(since), Some(limit)) =
            (since(&it, "Admitted"), it["spec"]["maximumExecutionTimeSeconds"].as_i64())
            && past(&it) + now - since >= limit
        {
            it["spec"]["active"] = json!(false);
        }
        (it != *seen).then_some(it)
    }

    fn reserve(&self, it: &mut Value, free: u64, now: i64) {
        if !self.is_active {
            return;
        }
        let (mut left, mut sets) = (free, Vec::new());
        for set in it["spec"]["podSets"].as_array().unwrap() {
            let count = set["count"].as_u64().unwrap();
            let container = &set["template"]["spec"]["containers"][0];
            let each: u64 =
                container["resources"]["requests"][DEVICE].as_str().unwrap().parse().unwrap();
            let fit = if self.partial { count.min(left / each) } else { count };
            if fit == 0 || fit * each > left {
                return;
            }
            left -= fit * each;
            sets.push(json!({
                "name": set["name"],
                "count": fit,
                "flavors": { DEVICE: self.flavor },
                "resourceUsage": { DEVICE: (fit * each).to_string() },
            }));
        }
        it["status"]["admission"] = json!({ "clusterQueue": "all", "podSetAssignments": sets });
        set(it, "QuotaReserved", (true, "QuotaReserved"), now);
        set(it, "Evicted", (false, "QuotaReserved"), now);
        if state(it, self.check).is_none() {
            self.reset(it, now);
        }
    }

    /// Takes its quota; its entry is asked again, unless it is never to be.
    fn evict(&self, it: &mut Value, (reason, asks_again): (&str, bool), now: i64) {
        if !is(it, "QuotaReserved") {
            return;
        }
        if let Some(since) = since(it, "Admitted") {
            let all = past(it) + (now - since).max(0);
            it["status"]["accumulatedPastExecutionTimeSeconds"] = json!(all);
        }
        it["status"].as_object_mut().unwrap().remove("admission");
        set(it, "QuotaReserved", (false, "Pending"), now);
        set(it, "Admitted", (false, "NoReservation"), now);
        set(it, "Evicted", (true, reason), now);
        if asks_again {
            self.reset(it, now);
        }
    }

    fn reset(&self, it: &mut Value, now: i64) {
        let entry = json!({
            "name": self.check,
            "state": "Pending",
            "message": "Reset to Pending after eviction",
            "lastTransitionTime": time(now),
        });
        it["status"]["admissionChecks"] = json!([entry]);
    }

    /// Evicts one that runs, as when another is more important.
    pub(crate) fn preempt(&self, seen: &Value, now: i64) -> Value {
        let mut it = seen.clone();
        self.evict(&mut it, ("Preempted", true), now);
        it
    }
}

pub(crate) fn past(workload: &Value) -> i64 {
    workload["status"]["accumulatedPastExecutionTimeSeconds"].as_i64().unwrap_or(0)
}

fn admit(it: &mut Value, now: i64) {
    let entries = it["status"]["admissionChecks"].as_array().cloned().unwrap_or_default();
    let updates = entries.iter().filter_map(|entry| entry["podSetUpdates"].as_array());
    let conflicts = updates.flatten().any(|update| {
        let sets = it["spec"]["podSets"].as_array().unwrap();
        let template = sets.iter().find(|set| set["name"] == update["name"]);
        let Some(template) = template.map(|set| &set["template"]) else { return true };
        let clash = |of: &Value, with: &Value| {
            let keys = with.as_object().map(Map::keys).into_iter().flatten();
            keys.into_iter().any(|key| of.get(key).is_some())
        };
        clash(&template["metadata"]["annotations"], &update["annotations"])
            || clash(&template["metadata"]["labels"], &update["labels"])
            || clash(&template["spec"]["nodeSelector"], &update["nodeSelector"])
    });
    if conflicts {
        set(it, "Finished", (true, "FailedToStart"), now);
    } else {
        set(it, "Admitted", (true, "Admitted"), now);
    }
}
