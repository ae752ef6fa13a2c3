//! What tests of acting on a real API server share: who acts, steps, and what became of them.
#![allow(dead_code, reason = "not every test needs all of it")]

use crate::cluster::{Cluster, SystemClock, until};
use farthing_edge::{Act, Observe, Prepared};
use farthing_kube::{Flavour, Kube, Kubeconfig, Priced, Prices};
use farthing_model::{
    Action, ClusterId, Currency, IdError, Money, Observed, Offer, OfferId, Place, Price, Purchase,
    Reason, Receipt, ReceiptOutcome, Step, StepId, Window, WorkloadId, WorkloadState,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An offer is an instance type; what it costs is nobody's business here.
pub(crate) struct Types;

impl Prices for Types {
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        _: Option<&str>,
    ) -> Result<Priced, IdError> {
        let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
        let place = Place { provider: "lab".to_owned(), region: "here".to_owned(), zone: None };
        let instance_type = label("node.kubernetes.io/instance-type");
        let purchase = match label("karpenter.sh/capacity-type").as_str() {
            "spot" => Purchase::Spot,
            _ => Purchase::OnDemand,
        };
        Ok(Priced {
            offer: Offer::id_of(&place, &instance_type, purchase)?,
            place,
            instance_type,
            accelerator: None,
            purchase,
            price: Price::Unknown("this test has no prices".to_owned()),
        })
    }
}

/// Gives a user exactly the roles that are generated for what it does.
pub(crate) fn bind(cluster: &Cluster, user: &str, flavour: Flavour) {
    cluster.apply(&farthing_kube::roles(flavour));
    let role = format!("farthing-{}", flavour.name());
    let (user_is, role) = (format!("--user={user}"), format!("--clusterrole={role}"));
    cluster.kubectl(&["create", "clusterrolebinding", user, &user_is, &role]);
}

/// A process that has just started: it remembers nothing.
pub(crate) fn open(kubeconfig: PathBuf) -> Kube {
    let access = Kubeconfig::load(&[kubeconfig]).unwrap().access(None).unwrap();
    let lab = ClusterId::new("lab").unwrap();
    let kube = Kube::open(access, lab, Arc::new(SystemClock), Box::new(Types)).unwrap();
    assert!(kube.wait(Duration::from_secs(30)), "{:?}", kube.inventory());
    kube
}

pub(crate) fn seen(kube: &mut Kube, id: &str) -> Option<Observed> {
    let seen = kube.observe(Timestamp::now()).unwrap();
    seen.workloads.into_iter().find(|it| it.workload.id.as_str() == id)
}

pub(crate) fn members(observed: &Observed) -> u32 {
    match &observed.state {
        WorkloadState::Placed(placed) => placed.iter().map(|it| it.members).sum(),
        _ => 0,
    }
}

pub(crate) fn id(text: &str) -> WorkloadId {
    WorkloadId::new(text).unwrap()
}

pub(crate) fn step(name: &str, action: Action, generation: u64) -> Step {
    Step {
        id: StepId::new(name).unwrap(),
        action,
        generation,
        cost: Money::zero(Currency::USD),
        saving: Money::zero(Currency::USD),
        reasons: vec![Reason::Rule("this test says so".to_owned())],
        expires: Timestamp::MAX,
    }
}

/// A step on a workload as it is seen now.
pub(crate) fn on(kube: &mut Kube, name: &str, action: Action) -> Step {
    let workload = action.workload().unwrap().to_string();
    let generation = until(&workload, || seen(kube, &workload)).generation;
    step(name, action, generation)
}

pub(crate) fn suspend(workload: &str) -> Action {
    Action::Suspend { workload: id(workload) }
}

pub(crate) fn scale(workload: &str, from: u32, to: u32) -> Action {
    let window = Window::starting(Timestamp::now(), SignedDuration::from_hours(1)).unwrap();
    let offer = OfferId::new("lab/here/g5.12xlarge/on-demand").unwrap();
    Action::Scale { workload: id(workload), offer, from, to, nodes_each: 1, window }
}

pub(crate) fn prepare(kube: &mut Kube, step: &Step) -> Prepared {
    kube.prepare(step, Timestamp::now()).unwrap()
}

/// Prepares a step that can be done; what is written down for it.
pub(crate) fn ready(kube: &mut Kube, step: &Step) -> String {
    match prepare(kube, step) {
        Prepared::Ready(Some(before)) => before,
        other => panic!("{step:?}: {other:?}"),
    }
}

pub(crate) fn held(kube: &mut Kube, step: &Step) -> String {
    match prepare(kube, step) {
        Prepared::Held(why) => why,
        other => panic!("{step:?}: {other:?}"),
    }
}

pub(crate) fn refused(kube: &mut Kube, step: &Step) -> String {
    match prepare(kube, step) {
        Prepared::Refused(ReceiptOutcome::Conflict(why)) => why,
        other => panic!("{step:?}: {other:?}"),
    }
}

pub(crate) fn conflict(receipt: Receipt) -> String {
    match receipt.outcome {
        ReceiptOutcome::Conflict(why) => why,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn act(kube: &mut Kube, step: &Step) -> ReceiptOutcome {
    kube.act(step, Timestamp::now()).unwrap().outcome
}

pub(crate) fn undo(kube: &mut Kube, step: &Step) -> Receipt {
    kube.undo(step, Timestamp::now()).unwrap()
}

/// An object without what the server keeps of how it came to be.
pub(crate) fn wanted(cluster: &Cluster, kind: &str, namespace: &str, name: &str) -> Value {
    let text = cluster.kubectl(&["get", kind, name, "-n", namespace, "-o", "json"]);
    let mut object: Value = serde_json::from_str(&text).unwrap();
    let fields = object.as_object_mut().unwrap();
    fields.remove("status");
    let meta = fields["metadata"].as_object_mut().unwrap();
    for kept in ["managedFields", "resourceVersion", "generation"] {
        meta.remove(kept);
    }
    object
}

pub(crate) fn field(
    cluster: &Cluster,
    kind: &str,
    (namespace, name): (&str, &str),
    path: &str,
) -> String {
    cluster.kubectl(&["get", kind, name, "-n", namespace, "-o", &format!("jsonpath={{{path}}}")])
}
