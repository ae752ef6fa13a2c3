//! More or fewer members of what works while they do: pods of a Job, jobs of a `JobSet`, workers of
//! a `RayCluster`. Only of what says that it does with any number between two
//! (`farthing.dev/elastic`), and never one that its own bounds do not have.
//!
//! Whether a server lets the jobs of a `JobSet` be changed is its own to say: older versions keep
//! them as they were made, and the check before the step says so. Start at [`stretch`].

use super::change::{Change, Field, at, item, text};
use super::intend::{Seen, is_over};
use super::{Stop, conflict, guard, held};
use crate::object::stretch::{at_once, group, listed, scales_itself};
use serde_json::{Value, json};

/// Where the number of members is, how many there are, and between which they may be.
type Counted = (Vec<String>, u32, (u32, u32));

/// What of a job is counted, by its own words or as its annotation names it.
fn counted(job: &Seen, named: Option<&str>) -> Result<Counted, String> {
    let nothing = Value::Null;
    let spec = at(&job.value, &["spec"]).unwrap_or(&nothing);
    let path = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let Some(listed) = listed(job.kind.kind) else {
        return Ok((path(&["spec", "parallelism"]), at_once(spec), (0, u32::MAX)));
    };
    if scales_itself(spec) {
        return Err("its own autoscaler decides how many workers it has".to_owned());
    }
    let group = group(spec, listed, named)?;
    let item = item(listed.name, group.name);
    Ok((path(&["spec", listed.list, &item, "replicas"]), group.wanted, group.bounds))
}

/// Gives what works more or fewer members.
pub(super) fn stretch(job: &Seen, (from, to): (u32, u32)) -> Result<Vec<Change>, Stop> {
    let object = &job.object;
    let named = object.to_string();
    guard::held_by_kueue(&job.value, &named)?;
    let said = text(&job.value, &["metadata", "annotations", "farthing.dev/elastic"]);
    let Some(said) = said else {
        let why = "does not say farthing.dev/elastic: it has the members that it was made with";
        return Err(held(format!("{named} {why}")));
    };
    let unclear = |why: String| held(format!("{named}: farthing.dev/elastic `{said}`: {why}"));
    let (_, _, of) = guard::elastic_of(said).map_err(unclear)?;
    guard::may_have(&job.value, to, &named)?;
    if is_over(job) {
        return Err(conflict(format!("{named} is over")));
    }
    if job.is_suspended() {
        return Err(conflict(format!("{named} is suspended")));
    }
    let (path, now, (least, most)) = counted(job, of).map_err(unclear)?;
    if now != from {
        let not = format!("{named} has {now} members, not the {from} that the step is about");
        return Err(conflict(not));
    }
    if !(least..=most).contains(&to) {
        return Err(held(format!("{named} itself has {least} to {most} members, and not {to}")));
    }
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    Ok(vec![job.change(vec![Field::set(&job.value, &path, json!(to))])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::table::steered;

    fn seen(kind: &str, elastic: &str, spec: &Value) -> Seen {
        let mut value = json!({
            "metadata": {"name": "train", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "annotations": {"farthing.dev/elastic": elastic}},
        });
        value["spec"] = spec.clone();
        Seen::of(steered(kind).unwrap(), value)
    }

    fn why(made: Result<Vec<Change>, Stop>) -> String {
        match made {
            Err(Stop::Held(why) | Stop::Refused(farthing_model::ReceiptOutcome::Conflict(why))) => {
                why
            }
            other => panic!("{other:?}"),
        }
    }

    fn path(made: Result<Vec<Change>, Stop>) -> String {
        made.unwrap()[0].fields[0].path.join(".")
    }

    #[test]
    fn each_kind_has_its_number_where_it_has_it() {
        let job = seen("Job", "min=1,max=8", &json!({"parallelism": 4}));
        assert_eq!(path(stretch(&job, (4, 2))), "spec.parallelism");
        let last = seen("Job", "min=1,max=8", &json!({"parallelism": 4, "completions": 3}));
        assert!(why(stretch(&last, (4, 2))).contains("has 3 members, not the 4"));
        let groups = json!({"workerGroupSpecs": [
            {"groupName": "cpu", "replicas": 2},
            {"groupName": "gpu", "replicas": 3, "minReplicas": 2, "maxReplicas": 4},
        ]});
        let ray = seen("RayCluster", "min=1,max=8,of=gpu", &groups);
        let at = "spec.workerGroupSpecs.[groupName=gpu].replicas";
        assert_eq!(path(stretch(&ray, (3, 2))), at);
        assert!(why(stretch(&ray, (3, 1))).contains("itself has 2 to 4 members, and not 1"));
        let which = seen("RayCluster", "min=1,max=8", &groups);
        assert!(why(stretch(&which, (3, 2))).contains("which of cpu, gpu?"));
        let other = seen("RayCluster", "min=1,max=8,of=tpu", &groups);
        assert!(why(stretch(&other, (3, 2))).contains("spec.workerGroupSpecs has no `tpu`"));
        let mut own = groups.clone();
        own["enableInTreeAutoscaling"] = json!(true);
        let own = seen("RayCluster", "min=1,max=8,of=gpu", &own);
        assert!(why(stretch(&own, (3, 2))).contains("its own autoscaler"));
        let set = json!({"replicatedJobs": [{"name": "workers"}]});
        let set = seen("JobSet", "min=1,max=8", &set);
        assert_eq!(path(stretch(&set, (1, 2))), "spec.replicatedJobs.[name=workers].replicas");
    }

    #[test]
    fn what_says_nothing_is_held_or_over_is_left_alone() {
        let spec = json!({"parallelism": 4});
        let mut job = seen("Job", "min=2,max=8", &spec);
        assert!(why(stretch(&job, (4, 1))).contains("1 is not within that"));
        job.value["spec"]["suspend"] = json!(true);
        assert!(why(stretch(&job, (4, 2))).contains("is suspended"));
        job.value["spec"]["suspend"] = json!(false);
        job.value["status"]["conditions"] = json!([{"type": "Complete", "status": "True"}]);
        assert!(why(stretch(&job, (4, 2))).contains("is over"));
        job.value["metadata"]["annotations"] = json!({});
        assert!(why(stretch(&job, (4, 2))).contains("does not say farthing.dev/elastic"));
        job.value["metadata"]["labels"] = json!({"kueue.x-k8s.io/queue-name": "gpus"});
        assert!(why(stretch(&job, (4, 2))).contains("queue gpus of Kueue"));
    }
}
