//! Made-up clusters, minute by minute.

mod assets;
mod dialects;
mod pods;
mod scrapes;
mod traps;

use super::*;
use crate::catalog::{Catalogue, Options};
use crate::telemetry::table::text;
use crate::telemetry::{SourceMap, TextOptions};
use std::fmt::Write as _;

/// 2026-11-02T10:00:00Z, in milliseconds.
pub(super) const START: i64 = 1_793_613_600_000;
pub(super) const MINUTE: i64 = 60_000;

/// Exposition text under way: a scrape every minute, from 0 to 60.
#[derive(Clone, Default)]
pub(super) struct Text(pub(super) String);

impl Text {
    /// A series, with what it says at each minute.
    pub(super) fn add(&mut self, series: &str, value: impl Fn(i64) -> Option<String>) -> &mut Self {
        for minute in 0..=60 {
            if let Some(value) = value(minute) {
                let _ = writeln!(self.0, "{series} {value} {}", START + minute * MINUTE);
            }
        }
        self
    }

    /// A series that always says the same.
    pub(super) fn always(&mut self, series: &str, value: impl std::fmt::Display) -> &mut Self {
        self.add(series, |_| Some(value.to_string()))
    }
}

/// A machine of `gpus` devices, by its name and type.
pub(super) fn node(text: &mut Text, name: &str, kind: &str, gpus: u32) {
    text.always(&format!("kube_node_info{{node=\"{name}\",provider_id=\"aws:///a/{name}\"}}"), 1);
    text.always(
        &format!(
            "kube_node_labels{{node=\"{name}\",label_node_kubernetes_io_instance_type=\"{kind}\",\
             label_topology_kubernetes_io_region=\"us-east-1\"}}"
        ),
        1,
    );
    for (resource, amount) in
        [("cpu", 8), ("memory", 32 << 30), ("nvidia_com_gpu", i64::from(gpus))]
    {
        let series =
            format!("kube_node_status_capacity{{node=\"{name}\",resource=\"{resource}\"}}");
        text.always(&series, amount);
    }
}

/// A pod of one container that asks for cores, memory and devices.
pub(super) fn pod(text: &mut Text, place: (&str, &str, &str), asks: (f64, i64, u32)) {
    let (namespace, name, node) = place;
    let own = format!("namespace=\"{namespace}\",pod=\"{name}\",uid=\"u-{name}\"");
    text.always(&format!("kube_pod_info{{{own},node=\"{node}\"}}"), 1);
    text.always(&format!("kube_pod_status_phase{{{own},phase=\"Running\"}}"), 1);
    let request = |resource: &str| {
        format!(
            "kube_pod_container_resource_requests{{{own},container=\"main\",resource=\"{resource}\"}}"
        )
    };
    text.always(&request("cpu"), asks.0);
    text.always(&request("memory"), asks.1);
    if asks.2 > 0 {
        text.always(&request("nvidia_com_gpu"), asks.2);
    }
}

/// What a container used, as cAdvisor tells it: cores and bytes.
pub(super) fn used(text: &mut Text, namespace: &str, name: &str, cores: f64, bytes: i64) {
    let own = format!("namespace=\"{namespace}\",pod=\"{name}\",container=\"main\",id=\"/{name}\"");
    text.add(&format!("container_cpu_usage_seconds_total{{{own}}}"), |minute| {
        #[expect(clippy::cast_precision_loss, reason = "small numbers of a test")]
        Some(format!("{}", 500.0 + cores * minute as f64 * 60.0))
    });
    text.always(&format!("container_memory_working_set_bytes{{{own}}}"), bytes);
}

pub(super) fn intake(texts: &[&str]) -> Intake {
    let mut intake = Intake::new(SourceMap::built_in().unwrap());
    for (nth, text) in texts.iter().enumerate() {
        let name = format!("{nth}.prom");
        intake.read_text(&name, text.as_bytes(), &TextOptions::default(), &mut |_| {});
    }
    intake
}

/// A price book of made-up prices.
pub(super) fn prices() -> Catalogue {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.csv");
    let head = "provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,memory_gib,\
                storage_gib,purchase,price,currency,unit,source,as_of\n";
    let row = |kind: &str, purchase: &str, price: &str| {
        format!("aws,us-east-1,,{kind},,0,8,32,,{purchase},{price},USD,hour,made up,2026-11-01\n")
    };
    let rows = [
        row("big", "on-demand", "4.00"),
        row("big", "spot", "1.00"),
        row("small", "on-demand", "0.40"),
    ];
    std::fs::write(&path, head.to_owned() + &rows.concat()).unwrap();
    Catalogue::load(&[path], &Options::default()).unwrap()
}

pub(super) fn cluster_of(texts: &[&str]) -> Cluster {
    cluster_with(texts, ClusterOptions::default())
}

pub(super) fn cluster_with(texts: &[&str], options: ClusterOptions) -> Cluster {
    let intake = intake(texts);
    let faults: Vec<String> = intake.faults().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{faults:?}");
    measure(intake, options, NodePrices::new(&prices())).unwrap()
}

/// Sum of a measure over the rows whose text has all of `words`; `None` where one is unknown.
pub(super) fn total(cluster: &Cluster, measure: Measure, words: &[&str]) -> Option<i128> {
    let rows = cluster.rows.iter().filter(|row| row.measure == measure);
    let rows = rows.filter(|row| {
        let line = text([*row]);
        words.iter().all(|word| line.contains(word))
    });
    rows.map(|row| row.amount).sum()
}

/// What samples claim of a resource, in 10^-9 unit-hours: asked for, used, and the larger of both.
pub(super) fn claimed(cluster: &Cluster, resource: farthing_model::Resource) -> (i128, i128, i128) {
    let of = cluster.samples.iter().filter(|sample| sample.resource == resource);
    let sums = of.fold((0, 0, 0), |sum, sample| {
        let larger = sample.requested_nano.max(sample.known_use());
        (sum.0 + sample.requested_nano, sum.1 + sample.known_use(), sum.2 + larger)
    });
    (sums.0 / 3_600, sums.1 / 3_600, sums.2 / 3_600)
}
