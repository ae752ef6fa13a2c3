//! Kueue's admission check on a real API server, beside a stand-in for Kueue's manager: entries are
//! written by server-side apply under the role that the code needs, and nothing more.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

mod admitter;
mod cluster;

use admitter::{CHECK, Running, stand_in};
use cluster::{Cluster, SystemClock, until};
use farthing_edge::EdgeError;
use farthing_kube::kueue::{Ask, Fail, Held, Kueue, Overdraft, Purse, Ran, Room, Rules, Used};
use farthing_kube::webhook::{Webhook, serve};
use farthing_kube::{Kube, Kubeconfig, Priced, Prices, Reach, mutating_webhook};
use farthing_model::{
    ClusterId, Currency, HourlyRate, IdError, Money, Offer, Place, Price, PriceKind, Provenance,
    Purchase,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Every node is 16 USD an hour: a device of eight is 2.
struct Flat;

impl Prices for Flat {
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        _provider_id: Option<&str>,
    ) -> Result<Priced, IdError> {
        let place =
            Place { provider: "aws".to_owned(), region: "us-east-1".to_owned(), zone: None };
        let instance_type = labels["node.kubernetes.io/instance-type"].clone();
        Ok(Priced {
            offer: Offer::id_of(&place, &instance_type, Purchase::OnDemand)?,
            place,
            instance_type,
            accelerator: None,
            purchase: Purchase::OnDemand,
            price: Price::Known(
                HourlyRate::new(usd(16)).unwrap(),
                Provenance {
                    kind: PriceKind::List,
                    source: "this test".to_owned(),
                    as_of: jiff::civil::date(2026, 11, 1),
                    list: None,
                },
            ),
        })
    }
}

/// One hard budget, kept in memory.
#[derive(Default)]
struct Wallet {
    limit: i128,
    claims: BTreeMap<String, Held>,
    used: Vec<Used>,
    asked: usize,
    teams: Vec<Option<String>>,
}

fn usd(dollars: i128) -> Money {
    Money::from_pico(dollars * 1_000_000_000_000, Currency::USD)
}

impl Wallet {
    fn committed(&self) -> i128 {
        self.claims.values().map(|held| held.amount.pico()).sum()
    }
}

impl Purse for Wallet {
    fn held(&self) -> Vec<Held> {
        self.claims.values().cloned().collect()
    }

    fn reserve(&mut self, ask: &Ask, of: Option<&Held>, now: Timestamp) -> Result<Room, EdgeError> {
        let old = of.map_or(0, |of| of.amount.pico());
        let all = self.committed() - old + ask.amount.pico();
        if all > self.limit && ask.amount.pico() > old {
            let never = ask.amount.pico() > self.limit;
            return Ok(Room::Short { why: "budget research has too little".to_owned(), never });
        }
        self.asked += 1;
        self.teams.push(ask.team.as_ref().map(ToString::to_string));
        let held = Held {
            claim: of.map_or_else(|| format!("c{}", self.asked), |of| of.claim.clone()),
            uid: ask.uid.clone(),
            what: ask.what.clone(),
            amount: ask.amount,
            at: now,
            until: ask.until,
            counts: true,
            budgets: vec!["research".to_owned()],
            past_s: ask.past_s,
        };
        self.claims.insert(held.claim.clone(), held.clone());
        Ok(Room::Granted(held))
    }

    fn lacks(&self, ask: &Ask, _now: Timestamp) -> Result<Option<String>, EdgeError> {
        let all = self.committed() + ask.amount.pico();
        Ok((all > self.limit).then(|| "too little".to_owned()))
    }

    fn settle(&mut self, held: &Held, used: Used, _now: Timestamp) -> Result<(), EdgeError> {
        self.claims.remove(&held.claim);
        self.used.push(used);
        Ok(())
    }

    fn learned(&self, _kind: &str) -> Vec<i64> {
        Vec::new()
    }

    fn learn(&mut self, _ran: &Ran, _now: Timestamp) -> Result<(), EdgeError> {
        Ok(())
    }

    fn posted(&self, now: Timestamp) -> Timestamp {
        now
    }

    fn overdrafts(&self, _now: Timestamp) -> Result<Vec<Overdraft>, EdgeError> {
        Ok(Vec::new())
    }
}

/// What the code needs beside looking: made of the calls that it makes.
const ROLE: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: answers}
rules:
  - apiGroups: [kueue.x-k8s.io]
    resources: [workloads/status, admissionchecks/status]
    verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: brakes}
rules: [{apiGroups: [kueue.x-k8s.io], resources: [workloads], verbs: [patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: answers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: answers}
subjects: [{kind: User, name: money}]
";

struct Desk {
    _kube: Kube,
    kueue: Kueue,
    wallet: Wallet,
    lines: Vec<String>,
}

impl Desk {
    fn open(cluster: &Cluster, limit: i128, rules: Rules) -> Self {
        let config = Kubeconfig::load(&[cluster.kubeconfig_of("money")]).unwrap();
        let lab = ClusterId::new("lab").unwrap();
        let clock = Arc::new(SystemClock);
        let kube = Kube::open(config.access(None).unwrap(), lab, clock, Box::new(Flat)).unwrap();
        assert!(kube.wait(Duration::from_secs(60)), "{:?}", kube.inventory());
        let kueue = kube.kueue(Box::new(Flat), rules);
        let wallet = Wallet { limit: usd(limit).pico(), ..Wallet::default() };
        Self { _kube: kube, kueue, wallet, lines: Vec::new() }
    }

    /// Answers what is asked; how many were let in.
    fn turn(&mut self) -> usize {
        let now = Timestamp::now();
        if !self.kueue.is_due(now) {
            return 0;
        }
        let turn = self.kueue.turn(&mut self.wallet, now);
        self.lines.extend(turn.lines);
        turn.let_in
    }

    /// Answers until something holds.
    fn until(&mut self, what: &str, mut look: impl FnMut(&mut Self) -> bool) {
        until(&format!("{what}: {:#?}", self.lines), || {
            self.turn();
            look(self).then_some(())
        });
    }
}

/// A cluster with Kueue's kinds and a queue, which one user may look at.
fn with_queues() -> Option<Cluster> {
    let files = ["tests/cluster/demo/nodes.yaml", "tests/cluster/kueue/crds.yaml"];
    let cluster = cluster::start(&["money"], &files)?;
    until("the kinds are served", || {
        cluster.ask(&["get", "workloads", "-A", "-o", "name"]);
        cluster
            .ask(&["api-resources", "--api-group=kueue.x-k8s.io"])
            .contains("workloads")
            .then_some(())
    });
    let queue = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cluster/kueue/queue.yaml");
    cluster.kubectl(&["apply", "--server-side", "-f", queue]);
    cluster.apply(&farthing_kube::roles(farthing_kube::Flavour::Observe));
    let bind = ["create", "clusterrolebinding", "looks", "--user=money"];
    cluster.kubectl(&[&bind[..], &["--clusterrole=farthing-observe"]].concat());
    Some(cluster)
}

#[test]
fn work_is_let_in_held_stopped_and_settled_on_a_real_server() {
    let Some(cluster) = with_queues() else { return };
    let manager = admitter::start(&cluster, CHECK, 1_000);
    without_a_role_nothing_is_let_in(&cluster, &manager);
    cluster.apply(ROLE);
    let rest = SignedDuration::from_secs(2);
    let rules = Rules { rest, grace: SignedDuration::from_secs(1), ..Rules::default() };
    let mut desk = Desk::open(&cluster, 40, rules);
    let first = what_fits_is_let_in(&manager, &mut desk);
    without_the_brake_it_waits_with_its_quota(&manager, &mut desk);
    let bind = ["create", "clusterrolebinding", "brakes", "--user=money", "--clusterrole=brakes"];
    cluster.kubectl(&bind);
    let mut desk = Desk { wallet: desk.wallet, ..Desk::open(&cluster, 0, rules) };
    with_it_its_quota_is_free_until_there_is_room(&manager, &mut desk);
    an_eviction_and_an_end_give_money_back(&manager, &mut desk, &first);
    what_can_never_fit_is_rejected(&manager, &mut desk);
    how_many_a_second(&cluster, manager, &mut desk);
}

/// The money is set aside, the answer is refused; a crash later there is still one reservation.
fn without_a_role_nothing_is_let_in(cluster: &Cluster, manager: &Running) {
    let mut desk = Desk::open(cluster, 40, Rules::default());
    desk.until("it is refused", |desk| desk.lines.iter().any(|it| it.contains("403")));
    assert!(desk.lines[0].contains("admission check money: "), "{:?}", desk.lines);
    manager.api.add("first", 8, Some(3_600));
    desk.turn();
    assert!(!manager.is("first", "QuotaReserved"), "its check is not answered");
}

fn what_fits_is_let_in(manager: &Running, desk: &mut Desk) -> String {
    desk.until("the first is let in", |_| manager.is("first", "Admitted"));
    let it = manager.api.workload("first");
    let entry = &it["status"]["admissionChecks"][0];
    assert_eq!(entry["state"], "Ready");
    assert_eq!(entry["message"], "16.00 USD is set aside (its limit of time)");
    let note = &entry["podSetUpdates"][0]["annotations"]["farthing.dev/reservation"];
    let held = desk.wallet.claims.values().next().unwrap().clone();
    assert_eq!((note.as_str(), held.amount), (Some(held.claim.as_str()), usd(16)));
    assert_eq!(desk.wallet.teams, [Some("research".to_owned())], "as its namespace says");
    // Two managers own parts of the list: ours has its own entry and nothing else.
    let managers = it["metadata"]["managedFields"].as_array().unwrap();
    let ours = managers.iter().find(|it| it["manager"] == "farthing").unwrap();
    assert_eq!((&ours["operation"], &ours["subresource"]), (&json!("Apply"), &json!("status")));
    let fields = ours["fieldsV1"]["f:status"].as_object().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["f:admissionChecks"]);
    held.claim
}

fn without_the_brake_it_waits_with_its_quota(manager: &Running, desk: &mut Desk) {
    manager.api.add("second", 8, Some(7_200));
    desk.until("it waits", |_| {
        let it = manager.api.workload("second");
        let message = it["status"]["admissionChecks"][0]["message"].as_str().unwrap_or_default();
        message == "held with its quota: budget research has too little"
    });
    assert!(manager.is("second", "QuotaReserved") && !manager.is("second", "Admitted"));
}

fn with_it_its_quota_is_free_until_there_is_room(manager: &Running, desk: &mut Desk) {
    desk.until("it is held", |_| {
        let it = manager.api.workload("second");
        !stand_in::active(&it) && !stand_in::is(&it, "QuotaReserved")
    });
    let asked = desk.wallet.asked;
    let requests = Instant::now();
    while requests.elapsed() < Duration::from_secs(4) {
        desk.turn();
        std::thread::sleep(Duration::from_millis(20));
    }
    let it = manager.api.workload("second");
    let note: Value =
        serde_json::from_str(it["metadata"]["annotations"]["farthing.dev/held"].as_str().unwrap())
            .unwrap();
    assert_eq!(
        (&note["why"], &note["amount"]),
        (&json!("budget research has too little"), &json!("32.00 USD"))
    );
    assert_eq!(desk.wallet.asked, asked, "no loop");
    desk.wallet.limit = usd(60).pico();
    desk.until("there is room", |_| manager.is("second", "Admitted"));
    let it = manager.api.workload("second");
    assert!(it["metadata"]["annotations"].get("farthing.dev/held").is_none(), "{it}");
}

fn an_eviction_and_an_end_give_money_back(manager: &Running, desk: &mut Desk, first: &str) {
    assert_eq!(desk.wallet.claims.len(), 2);
    manager.api.change("first", &json!({ "spec": { "active": false } }));
    desk.until("it is given back", |desk| !desk.wallet.claims.contains_key(first));
    manager.api.change("first", &json!({ "spec": { "active": true } }));
    desk.until("it is let in anew", |desk| {
        manager.is("first", "Admitted") && desk.wallet.claims.len() == 2
    });
    for name in ["first", "second"] {
        manager.api.finish(name);
    }
    desk.until("all is given back", |desk| desk.wallet.claims.is_empty());
    let ended = desk.wallet.used.last().unwrap();
    assert!(ended.per_hour == Some(usd(16)) && ended.seconds >= 0, "{ended:?}");
}

fn what_can_never_fit_is_rejected(manager: &Running, desk: &mut Desk) {
    manager.api.add("huge", 16, Some(360_000));
    desk.until("it is rejected", |_| {
        stand_in::state(&manager.api.workload("huge"), CHECK) == Some("Rejected")
    });
    manager.api.change("huge", &json!({ "spec": { "active": true } }));
    desk.until("it stays so", |_| !stand_in::active(&manager.api.workload("huge")));
    assert_eq!(stand_in::state(&manager.api.workload("huge"), CHECK), Some("Rejected"));
}

/// So many Workloads at once; the server is the limit.
fn jobs() -> usize {
    std::env::var("FARTHING_KUEUE_JOBS").ok().and_then(|it| it.parse().ok()).unwrap_or(100)
}

fn made(manager: &Running, name: &str) -> Instant {
    let begun = Instant::now();
    for job in 0..jobs() {
        manager.api.add(&format!("{name}-{job}"), 1, Some(3_600));
    }
    begun
}

fn all_admitted(manager: &Running, name: &str) -> bool {
    let all = manager.api.workloads();
    let of = |it: &&Value| it["metadata"]["name"].as_str().unwrap().starts_with(name);
    all.iter().filter(of).filter(|it| stand_in::is(it, "Admitted")).count() == jobs()
}

/// Beside the same without a check.
fn how_many_a_second(cluster: &Cluster, manager: Running, desk: &mut Desk) {
    desk.wallet.limit = usd(1_000_000).pico();
    let begun = made(&manager, "with");
    desk.until("all are let in", |_| all_admitted(&manager, "with"));
    let with = begun.elapsed();
    drop(manager);
    let manager = admitter::start(cluster, "", 1_000);
    let begun = made(&manager, "free");
    until("all are let in", || all_admitted(&manager, "free").then_some(()));
    println!("{} Workloads: {with:?} with our check, {:?} without", jobs(), begun.elapsed());
}

/// A job of one pod with four devices of eight, at 16 USD an hour for all.
fn job(name: &str, most: &str) -> String {
    format!(
        "apiVersion: batch/v1\n\
         kind: Job\n\
         metadata:\n  name: {name}\n  namespace: default\n  \
           labels: {{kueue.x-k8s.io/queue-name: money}}\n  \
           annotations: {{farthing.dev/max-cost: {most}}}\n\
         spec:\n  suspend: true\n  template:\n    spec:\n      restartPolicy: Never\n      \
           containers:\n        \
             - name: a\n          image: none\n          \
               resources: {{limits: {{nvidia.com/gpu: 4}}}}\n"
    )
}

/// An authority, and a certificate of it for this machine, as PEM.
fn certificate() -> (String, String, String) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let own = KeyPair::generate().unwrap();
    let root = authority.self_signed(&own).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let signed = params.signed_by(&key, &Issuer::new(authority, own)).unwrap();
    (root, signed.pem(), key.serialize_pem())
}

#[test]
fn the_server_asks_us_what_a_job_may_cost_before_kueue_sees_it() {
    let Some(cluster) = with_queues() else { return };
    let mut desk = Desk::open(&cluster, 40, Rules::default());
    desk.turn();
    let (root, certificate, key) = certificate();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = |port: u16| Reach::Url(format!("https://127.0.0.1:{port}/admit"));
    let here = url(listener.local_addr().unwrap().port());
    let webhook = Webhook::new(desk.kueue.board(), Fail::Closed);
    serve(listener, (certificate.as_bytes(), key.as_bytes()), webhook).unwrap();
    cluster.apply(&mutating_webhook(Fail::Closed, &root, &here));
    // It takes a moment until the server knows whom to ask.
    let said = until("the server asks", || {
        let said = cluster.refusal(&job("wrong", "much"));
        (!said.is_empty()).then_some(said)
    });
    assert!(said.contains("`much` is no amount above zero, such as `12.50 USD`"), "{said}");
    cluster.ask(&["delete", "job", "wrong", "--ignore-not-found"]);
    cluster.apply(&job("train", "4 USD"));
    let seconds = |name: &str| {
        let path = "jsonpath={.metadata.labels.kueue\\.x-k8s\\.io/max-exec-time-seconds}";
        cluster.kubectl(&["get", "job", name, "-o", path])
    };
    assert_eq!(seconds("train"), "1800", "at 8 USD an hour");
    let little = cluster.refusal(&job("little", "0.0001 USD"));
    assert!(little.contains("pays for less than a second of it"), "{little}");
    // Nobody answers: by the policy of failure, and all that says no limit is never asked about.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    cluster.apply(&mutating_webhook(Fail::Closed, &root, &url(nobody)));
    let said = until("nobody answers", || {
        let said = cluster.refusal(&job("held", "0.0001 USD"));
        said.contains("failed calling webhook").then_some(said)
    });
    assert!(said.contains("jobs.farthing.dev"), "{said}");
    cluster.kubectl(&["create", "job", "silent", "--image=none"]);
    cluster.apply(&mutating_webhook(Fail::Open, &root, &url(nobody)));
    until("it is let in", || cluster.refusal(&job("open", "4 USD")).is_empty().then_some(()));
    assert_eq!(seconds("open"), "");
}
