//! Objects of Kubernetes and of what is installed in it, by `kind`.

use super::pod::group;
use super::{AskedJob, Limit, Wrong, count, dig, list, seconds, texts};
use crate::yaml::{Node, Value};
use std::collections::BTreeMap;

/// Reads an object; `None` for one that runs nothing.
pub(super) fn read(node: &Node) -> Result<Option<AskedJob>, Wrong> {
    let kind = node.get("kind").and_then(Node::text).unwrap_or_default();
    let name = dig(node, &["metadata", "name"])
        .or_else(|| dig(node, &["metadata", "generateName"]))
        .and_then(Node::text)
        .unwrap_or("unnamed");
    let of = |kind: &'static str| AskedJob {
        spot: node.spot,
        kind,
        name: name.to_owned(),
        labels: labels(node),
        options: Vec::new(),
        exact: false,
        groups: Vec::new(),
        limit: None,
        endless: false,
        assumptions: Vec::new(),
    };
    let read = match kind {
        "Pod" => pod(node, of("Pod")),
        "Job" => job(node, of("Job")),
        "JobSet" => job_set(node, of("JobSet")),
        "PyTorchJob" => pytorch_job(node, of("PyTorchJob")),
        "RayJob" => ray_job(node, of("RayJob")),
        "Deployment" => deployment(node, of("Deployment")),
        "StatefulSet" => deployment(node, of("StatefulSet")),
        // These come in the same files and cost nothing by themselves.
        "ConfigMap" | "Secret" | "Service" | "ServiceAccount" | "Namespace" | "Role"
        | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" | "Ingress" | "NetworkPolicy"
        | "Budget" | "Policy" | "PriceBook" => return Ok(None),
        other => Err(Wrong::at(
            node,
            format!(
                "kind `{other}` is not estimated: Pod, Job, JobSet, PyTorchJob, RayJob, \
                 Deployment, StatefulSet and Workload are"
            ),
        )),
    };
    read.map(Some).map_err(|wrong| wrong.named(&format!("{kind} {name}")))
}

/// Labels, and what our own annotations say of the team.
fn labels(node: &Node) -> BTreeMap<String, String> {
    let mut labels = texts(dig(node, &["metadata", "labels"]));
    let annotations = texts(dig(node, &["metadata", "annotations"]));
    let team = annotations.get("farthing.dev/team").or_else(|| labels.get("farthing.dev/team"));
    if let Some(team) = team.cloned() {
        labels.insert("team".to_owned(), team);
    }
    labels
}

fn spec<'n>(node: &'n Node, wanted: &str) -> Result<&'n Node, Wrong> {
    node.get(wanted).ok_or_else(|| Wrong::at(node, format!("it has no `{wanted}`")))
}

fn pod(node: &Node, mut asked: AskedJob) -> Result<AskedJob, Wrong> {
    asked.groups.push(group("pod", node, (1, 1), &mut asked.assumptions)?);
    asked.limit = seconds(node, &["spec", "activeDeadlineSeconds"], "activeDeadlineSeconds")?;
    Ok(asked)
}

/// Pods of a job at the same time, how often, and what limits it.
fn job(node: &Node, mut asked: AskedJob) -> Result<AskedJob, Wrong> {
    let (members, rounds) = members(node)?;
    let template = spec(spec(node, "spec")?, "template")?;
    asked.groups.push(group("pod", template, (members, rounds), &mut asked.assumptions)?);
    asked.limit = limit_of_job(node)?;
    note_rounds(&mut asked, rounds);
    Ok(asked)
}

fn note_rounds(asked: &mut AskedJob, rounds: u32) {
    if rounds > 1 {
        asked.assumptions.push(format!("{rounds} rounds of pods, one after the other"));
    }
}

fn members(job: &Node) -> Result<(u32, u32), Wrong> {
    let parallel = count(job, &["spec", "parallelism"], 1)?;
    let completions = count(job, &["spec", "completions"], parallel)?;
    let members = parallel.min(completions).max(u32::from(completions > 0 && parallel > 0));
    Ok((members, if members == 0 { 0 } else { completions.div_ceil(members) }))
}

fn limit_of_job(job: &Node) -> Result<Option<Limit>, Wrong> {
    let field = "activeDeadlineSeconds";
    let own = seconds(job, &["spec", field], "activeDeadlineSeconds of the job")?;
    if own.is_some() {
        return Ok(own);
    }
    let path = ["spec", "template", "spec", field];
    let of_pod = seconds(job, &path, "activeDeadlineSeconds of a pod")?;
    let rounds = i32::try_from(members(job)?.1).unwrap_or(i32::MAX);
    Ok(of_pod.map(|limit| Limit { length: limit.length.saturating_mul(rounds), ..limit }))
}

fn job_set(node: &Node, mut asked: AskedJob) -> Result<AskedJob, Wrong> {
    let jobs = list(dig(node, &["spec", "replicatedJobs"]));
    if jobs.is_empty() {
        return Err(Wrong::at(node, "it has no `spec.replicatedJobs`"));
    }
    for job in jobs {
        let role = job.get("name").and_then(Node::text).unwrap_or("job");
        let replicas = count(job, &["replicas"], 1)?;
        let template = spec(job, "template")?;
        let (each, rounds) = members(template)?;
        let pods = spec(spec(template, "spec")?, "template")?;
        let together = each.checked_mul(replicas);
        let together = together.ok_or_else(|| Wrong::at(job, "too many pods"))?;
        asked.groups.push(group(role, pods, (together, rounds), &mut asked.assumptions)?);
        let limit = limit_of_job(template)?;
        let longer =
            |limit: &Limit| asked.limit.as_ref().is_none_or(|old| old.length < limit.length);
        // It lasts as long as its longest job; one without a limit has none.
        asked.limit = match limit {
            Some(limit) if asked.groups.len() == 1 || longer(&limit) => Some(limit),
            Some(_) => asked.limit,
            None => None,
        };
    }
    Ok(asked)
}

fn pytorch_job(node: &Node, mut asked: AskedJob) -> Result<AskedJob, Wrong> {
    let replicas = dig(node, &["spec", "pytorchReplicaSpecs"]);
    let Some(Value::Map(roles)) = replicas.map(|replicas| &replicas.value) else {
        return Err(Wrong::at(node, "it has no `spec.pytorchReplicaSpecs`"));
    };
    for (role, replica) in roles {
        let members = count(replica, &["replicas"], 1)?;
        let template = spec(replica, "template")?;
        let role = role.name.to_lowercase();
        asked.groups.push(group(&role, template, (members, 1), &mut asked.assumptions)?);
    }
    let path = ["spec", "runPolicy", "activeDeadlineSeconds"];
    asked.limit = seconds(node, &path, "runPolicy.activeDeadlineSeconds")?;
    if let Some(most) = dig(node, &["spec", "elasticPolicy", "maxReplicas"]).and_then(Node::text) {
        asked.assumptions.push(format!(
            "elastic, up to {most} workers: counted with the replicas that are stated"
        ));
    }
    Ok(asked)
}

fn ray_job(node: &Node, mut asked: AskedJob) -> Result<AskedJob, Wrong> {
    let cluster = dig(node, &["spec", "rayClusterSpec"]);
    let cluster = cluster.ok_or_else(|| {
        Wrong::at(
            node,
            "it has no `spec.rayClusterSpec`: one that selects a cluster pays nothing of its own",
        )
    })?;
    let head = spec(spec(cluster, "headGroupSpec")?, "template")?;
    asked.groups.push(group("head", head, (1, 1), &mut asked.assumptions)?);
    for workers in list(cluster.get("workerGroupSpecs")) {
        let role = workers.get("groupName").and_then(Node::text).unwrap_or("workers");
        let least = count(workers, &["minReplicas"], 0)?;
        let members = count(workers, &["replicas"], least)?;
        let hosts = count(workers, &["numOfHosts"], 1)?;
        let members = members.checked_mul(hosts);
        let members = members.ok_or_else(|| Wrong::at(workers, "too many pods"))?;
        let template = spec(workers, "template")?;
        asked.groups.push(group(role, template, (members, 1), &mut asked.assumptions)?);
        let most = count(workers, &["maxReplicas"], 0)?;
        let scales = cluster.get("enableInTreeAutoscaling").and_then(Node::text) == Some("true");
        if scales && most > members {
            asked.assumptions.push(format!(
                "{role} may grow to {most}: counted with the {members} that are stated"
            ));
        }
    }
    asked.limit = seconds(node, &["spec", "activeDeadlineSeconds"], "activeDeadlineSeconds")?;
    if dig(node, &["spec", "shutdownAfterJobFinishes"]).and_then(Node::text) != Some("true") {
        asked.assumptions.push(
            "shutdownAfterJobFinishes is not set: the cluster is paid until someone deletes it"
                .to_owned(),
        );
    }
    Ok(asked)
}

fn deployment(node: &Node, mut asked: AskedJob) -> Result<AskedJob, Wrong> {
    let replicas = count(node, &["spec", "replicas"], 1)?;
    let template = spec(spec(node, "spec")?, "template")?;
    asked.groups.push(group("pod", template, (replicas, 1), &mut asked.assumptions)?);
    asked.endless = true;
    Ok(asked)
}
