//! How long a cluster takes to read, and what it takes to keep.
//!
//! `scale [NODES [PODS]]` (1,000 and 10,000) on a real API server whose nodes kwok plays; pods are
//! put on nodes as they are made, so that no scheduler is waited for. `scale generated [NODES
//! [PODS]]` (10,000 and 100,000) from lists that another process makes up on a loopback socket, as
//! no API server of that size fits on a small machine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "a tool")]

#[path = "../../tests/cluster/mod.rs"]
mod cluster;
mod generated;

use farthing_edge::{Clock, Measure as _, Observe as _};
use farthing_kube::{Access, Kube, Kubeconfig, Priced, Prices};
use farthing_model::{ClusterId, IdError, Offer, Place, Price, Purchase, Window};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Processes that make objects at the same time.
const MAKERS: usize = 4;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct NoPrices;

impl Prices for NoPrices {
    fn price(
        &mut self,
        labels: &BTreeMap<String, String>,
        _provider_id: Option<&str>,
    ) -> Result<Priced, IdError> {
        let instance_type = labels["node.kubernetes.io/instance-type"].clone();
        let place = Place { provider: "x".to_owned(), region: "y".to_owned(), zone: None };
        Ok(Priced {
            offer: Offer::id_of(&place, &instance_type, Purchase::OnDemand)?,
            place,
            instance_type,
            accelerator: None,
            purchase: Purchase::OnDemand,
            price: Price::Unknown("not looked up".to_owned()),
        })
    }
}

fn main() {
    let mut asked = std::env::args().skip(1).peekable();
    let mode = asked.next_if(|text| text.parse::<usize>().is_err());
    let mut sizes = asked.map(|text| text.parse::<usize>().unwrap());
    let mut size = |usual: usize| sizes.next().unwrap_or(usual);
    match mode.as_deref() {
        Some("serve") => generated::serve(size(10_000), size(100_000)),
        Some("generated") => {
            let server = generated::Server::start(size(10_000), size(100_000));
            measure(server.access());
        }
        _ => {
            let (nodes, pods) = (size(1_000), size(10_000));
            let Some(cluster) = cluster::start(&[], &[]) else { return };
            let began = Instant::now();
            std::thread::scope(|threads| {
                for maker in 0..MAKERS {
                    let cluster = &cluster;
                    threads.spawn(move || make(cluster, maker, nodes, pods));
                }
            });
            println!("made in {:?}", began.elapsed());
            let config = Kubeconfig::load(&[cluster.kubeconfig()]).unwrap();
            measure(config.access(None).unwrap());
        }
    }
}

fn measure(access: Access) {
    let before = memory_kib("VmRSS:");
    let (began, cpu) = (Instant::now(), cpu_ticks());
    let lab = ClusterId::new("lab").unwrap();
    let mut kube = Kube::open(access, lab, Arc::new(SystemClock), Box::new(NoPrices)).unwrap();
    assert!(kube.wait(Duration::from_secs(300)), "{:?}", kube.inventory());
    let (took, cpu) = (began.elapsed(), cpu_ticks() - cpu);
    let found = kube.inventory();
    println!(
        "sync: {took:?}, own CPU {} ms, {} requests; {} nodes, {} pods",
        cpu * 10,
        found.requests,
        found.objects["Node"],
        found.objects["Pod"]
    );
    println!(
        "memory: {} KiB after sync, {before} KiB before, {} KiB at most",
        memory_kib("VmRSS:"),
        memory_kib("VmHWM:")
    );
    let mut from = Timestamp::now();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_secs(3));
        let (began, cpu, to) = (Instant::now(), cpu_ticks(), Timestamp::now());
        let seen = kube.observe(to).unwrap();
        let observed = began.elapsed();
        let measured = kube.measure(Window::new(from, to).unwrap()).unwrap();
        println!(
            "tick: observe {observed:?}, with measure {:?}, CPU {} ms; {} workloads, {} samples; \
             {} KiB, {} requests",
            began.elapsed(),
            (cpu_ticks() - cpu) * 10,
            seen.workloads.len(),
            measured.samples.len(),
            memory_kib("VmRSS:"),
            kube.inventory().requests,
        );
        from = to;
    }
}

/// Makes the part of the objects that is one maker's.
fn make(cluster: &cluster::Cluster, maker: usize, nodes: usize, pods: usize) {
    let mut items = Vec::new();
    for node in (0..nodes).filter(|node| node % MAKERS == maker) {
        items.push(json!({"apiVersion": "v1", "kind": "Node", "metadata": {
            "name": format!("n{node}"), "labels": {
                "node.kubernetes.io/instance-type": "p5.48xlarge",
                "topology.kubernetes.io/region": "us-east-1",
                "topology.kubernetes.io/zone": "us-east-1a",
                "nvidia.com/gpu.count": "8", "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}},
            "status": {"capacity": {"cpu": "192", "memory": "2Ti", "pods": "110",
                "nvidia.com/gpu": "8"}}}));
    }
    for pod in (0..pods).filter(|pod| pod % MAKERS == maker) {
        let resources = json!({"requests": {"cpu": "4", "memory": "16Gi"},
            "limits": {"nvidia.com/gpu": "1"}});
        let env = json!([{"name": "A", "value": "a value"}, {"name": "B", "value": "another"}]);
        items.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": format!("p{pod}"), "labels": {"app": format!("a{}", pod % 100),
                "team": format!("t{}", pod % 10), "app.kubernetes.io/part-of": "part"}},
            "spec": {"nodeName": format!("n{}", pod % nodes), "containers": [{"name": "c",
                "image": "registry.example/image:v1", "env": env, "resources": resources}]}}));
    }
    let text = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let path = std::env::temp_dir().join(format!("scale-{}-{maker}.json", std::process::id()));
    std::fs::write(&path, text).unwrap();
    cluster.kubectl(&["create", "-f", path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
}

fn memory_kib(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Processor time of this process, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let rest = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
