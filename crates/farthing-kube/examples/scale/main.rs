//! How long a cluster takes to read, and what it takes to keep.
//!
//! `scale real [NODES [PODS]]` (1,000 and 10,000) on a real API server whose nodes kwok plays; pods
//! are put on nodes as they are made, so that no scheduler is waited for. `scale generated [NODES
//! [PODS]]` (10,000 and 100,000) from lists that another process makes up on a loopback socket, as
//! no API server of that size fits on a small machine; `scale bare` likewise of pods that nothing
//! owns, each a workload. With a number of ticks behind the sizes the
//! whole program runs on it (`farthing up --kube`, from the folder above or `FARTHING_PROGRAM`).
//! Without arguments both sizes are generated and measured, with a figure in each line.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "a tool")]

#[path = "../../tests/cluster/mod.rs"]
mod cluster;
mod generated;
mod whole;

use cluster::SystemClock;
use farthing_edge::{Measure as _, Observe as _};
use farthing_kube::{Access, Kube, Kubeconfig, Priced, Prices};
use farthing_model::{ClusterId, IdError, Offer, Place, Price, Purchase, Window};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Processes that make objects at the same time.
const MAKERS: usize = 4;

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
    let (nodes, pods, ticks) = (sizes.next(), sizes.next(), sizes.next());
    let generated = (nodes.unwrap_or(10_000), pods.unwrap_or(100_000));
    match mode.as_deref() {
        Some("serve") => generated::serve(false, generated),
        Some("serve-bare") => generated::serve(true, generated),
        Some(how @ ("generated" | "bare")) => {
            let how = if how == "bare" { "serve-bare" } else { "serve" };
            let server = generated::Server::start(how, generated);
            match ticks {
                Some(ticks) => show(&whole::run(&server.kubeconfig(), "2s", ticks)),
                None => drop(measure(server.access())),
            }
        }
        Some(_) => {
            let (nodes, pods) = (nodes.unwrap_or(1_000), pods.unwrap_or(10_000));
            let Some(cluster) = cluster::start(&[], &[]) else { return };
            let began = Instant::now();
            std::thread::scope(|threads| {
                for maker in 0..MAKERS {
                    let cluster = &cluster;
                    threads.spawn(move || make(cluster, maker, nodes, pods));
                }
            });
            println!("made in {:?}", began.elapsed());
            if let Some(ticks) = ticks {
                show(&whole::run(&cluster.kubeconfig(), "2s", ticks));
                return;
            }
            let config = Kubeconfig::load(&[cluster.kubeconfig()]).unwrap();
            measure(config.access(None).unwrap());
        }
        None => {
            for (name, nodes, pods, limits) in SIZES {
                bench(name, (nodes, pods), limits);
            }
        }
    }
}

/// Sizes of clusters, and their limits: seconds to read them, seconds of a tick, MiB.
const SIZES: [(&str, usize, usize, [u64; 3]); 2] =
    [("1k", 1_000, 10_000, [10, 2, 120]), ("10k", 10_000, 100_000, [60, 2, 500])];
/// Ticks of the whole program that are measured.
const TICKS: usize = 12;

/// Prints the figures of one size.
fn bench(name: &str, (nodes, pods): (usize, usize), [sync, tick, memory]: [u64; 3]) {
    let figure = |what: &str, value: f64, limit: u64, unit: &str| {
        let more = json!({"bench": format!("kube-{what}-{name}"), "value": value, "limit": limit,
            "unit": unit, "nodes": nodes, "pods": pods});
        println!("{more}");
    };
    let server = generated::Server::start("serve", (nodes, pods));
    let took = measure(server.access());
    figure("sync", took.as_secs_f64(), sync, "s");
    let ran = whole::run(&server.kubeconfig(), "2s", TICKS);
    show(&ran);
    let worst = ran.ticks_ms.iter().max().copied().unwrap_or(u64::MAX);
    // Sums of hundredths of seconds: small numbers.
    let seconds = Duration::from_millis(worst).as_secs_f64();
    figure("loop-tick", seconds, tick, "s");
    let mib = u32::try_from(ran.peak_kib / 1_024).unwrap_or(u32::MAX);
    figure("loop-memory", mib.into(), memory, "MiB");
}

/// Tells of a run of the program.
fn show(ran: &whole::Ran) {
    println!("{}", ran.lines.last().unwrap());
    println!(
        "{} ticks, processor time in ms: {:?}; memory {} KiB, {} KiB at most",
        ran.lines.len(),
        ran.ticks_ms,
        ran.memory_kib,
        ran.peak_kib
    );
}

/// How long the first reading took; the rest is printed.
fn measure(access: Access) -> Duration {
    let own = std::process::id();
    let before = memory_kib(own, "VmRSS:");
    let (began, cpu) = (Instant::now(), cpu_ticks(own));
    let lab = ClusterId::new("lab").unwrap();
    let mut kube = Kube::open(access, lab, Arc::new(SystemClock), Box::new(NoPrices)).unwrap();
    assert!(kube.wait(Duration::from_secs(300)), "{:?}", kube.inventory());
    let (took, cpu) = (began.elapsed(), cpu_ticks(own) - cpu);
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
        memory_kib(own, "VmRSS:"),
        memory_kib(own, "VmHWM:")
    );
    let mut from = Timestamp::now();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_secs(3));
        let (began, cpu, to) = (Instant::now(), cpu_ticks(own), Timestamp::now());
        let seen = kube.observe(to).unwrap();
        let observed = began.elapsed();
        let measured = kube.measure(Window::new(from, to).unwrap()).unwrap();
        println!(
            "tick: observe {observed:?}, with measure {:?}, CPU {} ms; {} workloads, {} samples; \
             {} KiB, {} requests",
            began.elapsed(),
            (cpu_ticks(own) - cpu) * 10,
            seen.workloads.len(),
            measured.samples.len(),
            memory_kib(own, "VmRSS:"),
            kube.inventory().requests,
        );
        from = to;
    }
    took
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
        // A node has eight: the pods that come after have none.
        let gpus = usize::from(pod / nodes < 8).to_string();
        let resources = json!({"requests": {"cpu": "4", "memory": "16Gi"},
            "limits": {"nvidia.com/gpu": gpus}});
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

pub(crate) fn memory_kib(process: u32, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Processor time of a process, in hundredths of a second.
pub(crate) fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let rest = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
