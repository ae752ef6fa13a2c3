//! What people want done in the day, and what the work does with the time that it gets: it comes
//! on, starts again from its last checkpoint where it moved, and gets nowhere on a node that is
//! sick.

use super::api::Api;
use super::exporter::Use;
use super::pool::{evict, is_over, name};
use super::{TICK, at, clock, midnight};
use farthing_model::{Action, Step};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A job: how much work it is, when it is wanted, and until when.
struct Planned {
    name: &'static str,
    namespace: &'static str,
    gpus: u64,
    hours: i64,
    from: i64,
    due: Option<i64>,
}

/// In the order in which they are wanted; hours of the day.
const JOBS: [Planned; 4] = [
    job("train", "research", (4, 6), (1, Some(9))),
    job("sweep", "vision", (4, 14), (5, None)),
    job("evaluate", "research", (2, 2), (10, Some(14))),
    job("finetune", "research", (4, 6), (12, Some(20))),
];

const fn job(
    name: &'static str,
    namespace: &'static str,
    (gpus, hours): (u64, i64),
    (from, due): (i64, Option<i64>),
) -> Planned {
    Planned { name, namespace, gpus, hours, from, due }
}

/// What the service is asked for in each hour, in thousandths of what a replica can serve.
const ASKED: [u64; 24] = [
    1_200, 1_000, 900, 900, 900, 1_000, 1_400, 2_400, 3_800, 4_900, 5_400, 5_500, 5_300, 5_400,
    5_500, 5_400, 5_200, 4_800, 4_200, 3_600, 3_000, 2_400, 1_900, 1_500,
];
/// Replicas of the service, as people made it.
const REPLICAS: u64 = 8;
/// When an accelerator of the node of the first job falls off the bus, and when an operator comes.
const SICK_AT: i64 = 3;
const OPERATOR_AT: i64 = 8;

/// How far a job is.
struct Going {
    done: SignedDuration,
    pod: Option<String>,
    ended: Option<Timestamp>,
}

#[derive(Default)]
pub(crate) struct Work {
    going: BTreeMap<&'static str, Going>,
    /// Pods as they were when the clock last stood still.
    pods: Vec<Value>,
    sick: Option<String>,
    uses: Vec<Use>,
    served: (u64, u64),
    steps: Vec<String>,
    /// Objects as people made them, by where they are.
    made: BTreeMap<String, Value>,
}

fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

fn app(pod: &Value) -> &str {
    at(pod, "/metadata/labels/app").as_str().unwrap_or_default()
}

/// The template of pods.
fn template(app: &str, team: &str, (gpus, cores): (u64, u64)) -> Value {
    json!({
        "metadata": {"labels": {"app": app, "team": team}},
        "spec": {"containers": [{"name": "c", "image": "example/work", "resources": {
            "requests": {"cpu": cores.to_string(), "memory": "16Gi"},
            "limits": {"nvidia.com/gpu": gpus.to_string()},
        }}]},
    })
}

impl Work {
    /// What is there when the day begins: a service, a notebook that nobody uses, and one of which
    /// one device of two is used.
    pub(crate) fn begin(&mut self, api: &Api) {
        for team in ["serving", "research", "vision"] {
            let meta = json!({"name": team, "labels": {"team": team}});
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": meta});
            api.create("/api/v1/namespaces", &namespace);
        }
        let chat = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "chat", "namespace": "serving",
                "annotations": {"farthing.dev/elastic": "min=2,max=8"}},
            "spec": {"replicas": REPLICAS, "selector": {"matchLabels": {"app": "chat"}},
                "template": template("chat", "serving", (1, 8))},
        });
        self.make(api, "/apis/apps/v1/namespaces/serving/deployments", &chat);
        let notebook = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "notebook", "namespace": "research"},
            "spec": {"replicas": 1, "serviceName": "notebook",
                "selector": {"matchLabels": {"app": "notebook"}},
                "template": template("notebook", "research", (4, 16))},
        });
        self.make(api, "/apis/apps/v1/namespaces/research/statefulsets", &notebook);
        let half = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "half", "namespace": "research"},
            "spec": {"replicas": 1, "serviceName": "half",
                "selector": {"matchLabels": {"app": "half"}},
                "template": template("half", "research", (2, 8))},
        });
        self.make(api, "/apis/apps/v1/namespaces/research/statefulsets", &half);
    }

    fn make(&mut self, api: &Api, path: &str, object: &Value) {
        let made = api.create(path, object);
        self.made.insert(format!("{path}/{}", name(&made)), made);
    }

    /// Objects as they are once their controllers have written what is theirs.
    pub(crate) fn remember(&mut self, api: &Api) {
        for (path, made) in &mut self.made {
            *made = api.get(path);
        }
    }

    /// Half an hour goes by for what runs.
    pub(crate) fn passes(&mut self, api: &Api, now: Timestamp) {
        self.uses.clear();
        let pods = std::mem::take(&mut self.pods);
        let running = |pod: &&Value| at(pod, "/status/phase") == "Running";
        let replicas = pods.iter().filter(running).filter(|pod| app(pod) == "chat").count() as u64;
        let began = now - TICK;
        let hour = usize::try_from(began.duration_since(midnight()).as_hours()).unwrap_or(0);
        let asked = ASKED[hour.min(23)];
        if now > midnight() {
            let all = self.served;
            self.served = (all.0 + asked.min(replicas * 1_000), all.1 + asked);
        }
        let share = u16::try_from((asked / replicas.max(1)).min(1_000)).unwrap_or(1_000);
        for pod in pods.iter().filter(running) {
            let cores = at(pod, "/spec/containers/0/resources/requests/cpu").as_str();
            let cores: u64 = cores.and_then(|text| text.parse().ok()).unwrap_or(0);
            let is_sick = at(pod, "/spec/nodeName").as_str() == self.sick.as_deref();
            let busy = match app(pod) {
                "chat" => share,
                "notebook" => 0,
                _ if is_sick && self.sick.is_some() => 0,
                _ => 900,
            };
            self.uses.push(Use {
                namespace: at(pod, "/metadata/namespace").as_str().unwrap().to_owned(),
                pod: name(pod).to_owned(),
                cores_milli: cores * 1_000,
                busy,
                idle: i128::from(app(pod) == "half"),
            });
            let planned = JOBS.iter().find(|job| job.name == app(pod));
            if let Some(planned) = planned.filter(|_| busy > 0) {
                self.comes_on(api, pod, planned);
            }
        }
    }

    /// A job has had half an hour.
    fn comes_on(&mut self, api: &Api, pod: &Value, planned: &Planned) {
        let going = self.going.get_mut(planned.name).unwrap();
        if going.pod.as_deref() != Some(name(pod)) {
            // On another node it goes on from its last checkpoint, of which there is one an hour.
            going.done = hours(going.done.as_hours());
            going.pod = Some(name(pod).to_owned());
        }
        going.done += TICK;
        if going.done >= hours(planned.hours) {
            let end = json!({"metadata": {"annotations":
                {"cluster.farthing.dev/runs-for": "1ms"}}});
            let namespace = planned.namespace;
            api.merge(&format!("/api/v1/namespaces/{namespace}/pods/{}", name(pod)), &end);
        }
    }

    pub(crate) fn uses(&self) -> Vec<Use> {
        self.uses.clone()
    }

    /// What happens at a moment.
    pub(crate) fn happens(
        &mut self,
        api: &Api,
        now: Timestamp,
        acts: bool,
        tell: &mut dyn FnMut(&str),
    ) {
        let is = |hour: i64| now == midnight() + hours(hour);
        for planned in JOBS.iter().filter(|job| is(job.from)) {
            self.submit(api, planned);
            tell(&format!("{}  {} is submitted", clock(now), planned.name));
        }
        if is(SICK_AT) {
            let node = api
                .items("/api/v1/pods")
                .iter()
                .find(|pod| app(pod) == "train")
                .and_then(|pod| Some(at(pod, "/spec/nodeName").as_str()?.to_owned()));
            let node = node.expect("the first job runs");
            let xid = json!({"type": "XidError", "status": "True", "reason": "Xid79",
                "message": "GPU 3 has fallen off the bus"});
            let sick = json!({"status": {"conditions": [xid]}});
            api.strategic(&format!("/api/v1/nodes/{node}/status"), &sick);
            tell(&format!("{}  a GPU of {node} falls off the bus (Xid 79)", clock(now)));
            self.sick = Some(node);
        }
        if is(OPERATOR_AT) && !acts {
            self.operator(api, now, tell);
        }
    }

    /// In the morning somebody sees that a job has not come on, and drains its node by hand.
    fn operator(&self, api: &Api, now: Timestamp, tell: &mut dyn FnMut(&str)) {
        let Some(node) = &self.sick else { return };
        let cordon = json!({"spec": {"unschedulable": true}});
        api.merge(&format!("/api/v1/nodes/{node}"), &cordon);
        for pod in api.items("/api/v1/pods") {
            if at(&pod, "/spec/nodeName") == node.as_str() && !is_over(&pod) {
                evict(api, &pod);
            }
        }
        tell(&format!("{}  an operator drains {node}", clock(now)));
    }

    fn submit(&mut self, api: &Api, planned: &Planned) {
        let Planned { name, namespace, gpus, due, .. } = planned;
        let mut annotations = json!({"farthing.dev/interruptible": "checkpoint=10s,restart=5m"});
        if let Some(due) = due {
            annotations["farthing.dev/deadline"] = json!((midnight() + hours(*due)).to_string());
        }
        let mut template = template(name, namespace, (*gpus, gpus * 4));
        template["spec"]["restartPolicy"] = json!("Never");
        let job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
            "spec": {"template": template},
        });
        self.make(api, &format!("/apis/batch/v1/namespaces/{namespace}/jobs"), &job);
        let going = Going { done: SignedDuration::ZERO, pod: None, ended: None };
        self.going.insert(name, going);
    }

    /// Looks at what is there while the clock stands still.
    pub(crate) fn looks(&mut self, api: &Api, now: Timestamp) {
        self.pods = api.items("/api/v1/pods");
        for pod in self.pods.iter().filter(|pod| is_over(pod)) {
            if let Some(going) = self.going.get_mut(app(pod)) {
                going.ended.get_or_insert(now);
            }
        }
    }

    /// A step was done.
    pub(crate) fn note(&mut self, now: Timestamp, step: &Step, tell: &mut dyn FnMut(&str)) {
        let target = farthing_engine::target(&step.action);
        let what = match &step.action {
            Action::Scale { from, to, .. } => format!("scale {target} {from} -> {to}"),
            other => format!("{} {target}", other.name()),
        };
        let why: Vec<String> = step.reasons.iter().map(ToString::to_string).collect();
        let line = format!("{}  {what}: {}", clock(now), why.join("; "));
        tell(&line);
        self.steps.push(line);
    }

    /// Of each job with a deadline whether it was kept.
    pub(crate) fn deadlines(&self) -> BTreeMap<String, bool> {
        let mut kept = BTreeMap::new();
        for planned in &JOBS {
            let Some(due) = planned.due else { continue };
            let ended = self.going.get(planned.name).and_then(|going| going.ended);
            let in_time = ended.is_some_and(|end| end <= midnight() + hours(due));
            kept.insert(planned.name.to_owned(), in_time);
        }
        kept
    }

    pub(crate) fn done(&self) -> BTreeMap<String, SignedDuration> {
        self.going.iter().map(|(name, going)| ((*name).to_owned(), going.done)).collect()
    }

    pub(crate) fn served(&self) -> (u64, u64) {
        self.served
    }

    pub(crate) fn steps(&self) -> Vec<String> {
        self.steps.clone()
    }

    /// Objects that are not as people made them.
    pub(crate) fn changed(&self, api: &Api) -> Vec<String> {
        let mut changed = Vec::new();
        for (path, made) in &self.made {
            let now = wanted(api.get(path)).to_string();
            let then = wanted(made.clone()).to_string();
            if now != then {
                changed.push(format!("{path}: {then} became {now}"));
            }
        }
        changed
    }
}

/// An object without its status and what the server keeps of how it came to be.
fn wanted(mut object: Value) -> Value {
    object.as_object_mut().unwrap().remove("status");
    let meta = object["metadata"].as_object_mut().unwrap();
    for kept in ["managedFields", "resourceVersion", "generation"] {
        meta.remove(kept);
    }
    object
}
