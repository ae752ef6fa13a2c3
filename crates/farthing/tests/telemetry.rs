//! Telemetry of clusters through the program: what is paid beside nodes, what nobody measured, and
//! input that is bad in each of the ways that input is.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "tests")]

mod program;

use program::{Place, files};
use serde_json::Value;
use std::fmt::Write as _;

/// 2026-11-02T10:00:00Z.
const START: i64 = 1_793_613_600;
const PRICES: &str = "provider,region,instance_type,accelerator,accelerator_count,vcpus,\
memory_gib,purchase,price,currency,unit,source,as_of
aws,us-east-1,cpu,,0,8,32,on-demand,0.40,USD,hour,made up,2026-11-01
aws,us-east-1,gpu,A10G-24GB,2,8,32,on-demand,4.00,USD,hour,made up,2026-11-01
aws,us-east-1,volume/gp3,,,,,,0.073,USD,GiB-month,made up,2026-11-01
aws,*,network/internet,,,,,,0.09,USD,GB,made up,2026-11-01
aws,us-east-1,load-balancer,,,,,,0.0225,USD,hour,made up,2026-11-01
aws,us-east-1,control-plane,,,,,,0.10,USD,hour,made up,2026-11-01
";

/// A text of metrics, scraped each minute from 0 to 60.
#[derive(Default)]
struct Text(String);

impl Text {
    fn add(&mut self, series: &str, value: impl Fn(i64) -> Option<String>) {
        for minute in 0..=60 {
            if let Some(value) = value(minute) {
                let _ = writeln!(self.0, "{series} {value} {}", START + minute * 60);
            }
        }
    }

    fn always(&mut self, series: &str, value: impl std::fmt::Display) {
        self.add(series, |_| Some(value.to_string()));
    }

    fn node(&mut self, name: &str, kind: &str, gpus: u32) {
        self.always(&format!("kube_node_info{{node=\"{name}\",provider_id=\"aws:///a/i\"}}"), 1);
        let labels = format!(
            "kube_node_labels{{node=\"{name}\",label_node_kubernetes_io_instance_type=\"{kind}\",\
             label_topology_kubernetes_io_region=\"us-east-1\"}}"
        );
        self.always(&labels, 1);
        let has = [("cpu", 8), ("memory", 32 << 30), ("nvidia_com_gpu", i64::from(gpus))];
        for (resource, amount) in has {
            let series =
                format!("kube_node_status_capacity{{node=\"{name}\",resource=\"{resource}\"}}");
            self.always(&series, amount);
        }
    }

    fn pod(&mut self, name: &str, node: &str, gpus: u32, there: impl Fn(i64) -> bool + Copy) {
        let own = format!("namespace=\"a\",pod=\"{name}\",uid=\"u-{name}\"");
        let one = |value: i64| move |m: i64| there(m).then(|| value.to_string());
        self.add(&format!("kube_pod_info{{{own},node=\"{node}\"}}"), one(1));
        self.add(&format!("kube_pod_status_phase{{{own},phase=\"Running\"}}"), one(1));
        for (resource, amount) in [("cpu", 2), ("nvidia_com_gpu", i64::from(gpus))] {
            let request = "kube_pod_container_resource_requests";
            let series = format!("{request}{{{own},container=\"main\",resource=\"{resource}\"}}");
            if amount > 0 {
                self.add(&series, one(amount));
            }
        }
    }
}

fn json(place: &Place, arguments: &[&str]) -> Value {
    let run = place.run(&[arguments, &["--output", "json"]].concat());
    assert_eq!(run.code, 0, "{}", run.said);
    serde_json::from_str(&run.out).unwrap()
}

fn import(place: &Place, text: &Text) -> Value {
    place.file("cluster.om", &text.0);
    place.file("prices.csv", PRICES);
    json(place, &["import", "telemetry", "cluster.om", "--prices", "prices.csv"])
}

fn row<'s>(statement: &'s Value, pod: &str) -> &'s Value {
    let rows = statement["rows"].as_array().unwrap();
    rows.iter().find(|row| row["pod"] == pod).unwrap_or_else(|| panic!("{pod}: {statement}"))
}

#[test]
fn volumes_networks_load_balancers_and_the_control_plane_are_in_the_books() {
    let place = Place::new();
    let mut text = Text::default();
    text.node("cpu-1", "cpu", 0);
    text.pod("first", "cpu-1", 0, |_| true);
    text.pod("second", "cpu-1", 0, |m| m >= 30);
    // 1,000 GiB: 0.10 an hour. The first has it alone for half of the hour, then both have it.
    let claim = "namespace=\"a\",persistentvolumeclaim=\"data\"";
    text.always(&format!("kube_persistentvolumeclaim_info{{{claim},storageclass=\"gp3\"}}"), 1);
    let asks = "kube_persistentvolumeclaim_resource_requests_storage_bytes";
    text.always(&format!("{asks}{{{claim}}}"), 1_000_i64 << 30);
    for pod in ["first", "second"] {
        let mount = "kube_pod_spec_volumes_persistentvolumeclaims_info";
        let own = format!("namespace=\"a\",pod=\"{pod}\",uid=\"u-{pod}\",volume=\"v\"");
        text.always(&format!("{mount}{{{own},persistentvolumeclaim=\"data\"}}"), 1);
    }
    let sent = "kubecost_pod_network_egress_bytes_total{namespace=\"a\",pod_name=\"first\",\
                internet=\"true\",same_region=\"false\",same_zone=\"false\"}";
    text.add(sent, |m| Some((m * 1_000_000_000 / 60).to_string()));
    let service = "namespace=\"a\",service=\"front\",type=\"LoadBalancer\"";
    text.always(&format!("kube_service_spec_type{{{service}}}"), 1);
    let imported = import(&place, &text);
    // 0.40 + 0.10 + 0.09 + 0.0225 + 0.10
    assert_eq!(imported["paid"], "0.7125", "{imported}");
    assert_eq!(imported["unpriced"], serde_json::json!({}));
    let statement = json(&place, &["cost", "--by", "namespace,pod"]);
    assert_eq!((&statement["paid"], &statement["difference"]), (&"0.7125".into(), &"0.00".into()));
    let filter = ["cost", "--by", "pod", "--filter", "resource:storage"];
    let volumes = json(&place, &filter);
    let total = |pod: &str| row(&volumes, pod)["total"].clone();
    assert_eq!((total("first"), total("second")), ("0.075".into(), "0.025".into()), "{volumes}");
    let sent = json(&place, &["cost", "--by", "pod", "--filter", "resource:network"]);
    assert_eq!(row(&sent, "first")["total"], "0.09");
    let verified = place.run(&["verify"]);
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.said);
    // The same again changes nothing.
    let before: Vec<Vec<u8>> =
        files(&place.state()).iter().map(|file| std::fs::read(file).unwrap()).collect();
    import(&place, &text);
    let after: Vec<Vec<u8>> =
        files(&place.state()).iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(before, after);
}

/// Devices whose exporter is down for half an hour, of a pod whose processors are looked at.
#[test]
fn use_that_nobody_measured_is_unknown_in_the_totals_and_in_the_verdict() {
    let place = Place::new();
    let mut text = Text::default();
    text.node("gpu-1", "gpu", 2);
    for (pod, device) in [("seen", "GPU-1"), ("unseen", "GPU-2")] {
        text.pod(pod, "gpu-1", 1, |_| true);
        let own = format!(
            "UUID=\"{device}\",Hostname=\"gpu-1\",namespace=\"a\",pod=\"{pod}\",container=\"main\""
        );
        let busy = |m: i64| (pod == "seen" || m <= 20).then(|| "0.5".to_owned());
        text.add(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{own}}}"), busy);
        let cpu = "container_cpu_usage_seconds_total";
        let own = format!("namespace=\"a\",pod=\"{pod}\",container=\"main\",id=\"/{pod}\"");
        text.add(&format!("{cpu}{{{own}}}"), |m| Some((m * 60).to_string()));
    }
    let imported = import(&place, &text);
    assert_eq!((&imported["paid"], &imported["coverage"]), (&"4.10".into(), &"100.0 %".into()));
    let unknown = imported["use_unknown"].as_object().unwrap();
    assert!(unknown.contains_key("gpu") && !unknown.contains_key("cpu"), "{imported}");
    let statement = json(&place, &["cost", "--by", "namespace,pod"]);
    assert_eq!(statement["difference"], "0.00");
    for pod in ["seen", "unseen"] {
        assert_eq!(row(&statement, pod)["gpu_hours"], 1.0, "both held a device for an hour");
    }
    let idle = json(&place, &["idle", "--window", "30m"]);
    let state = |name: &str| {
        let all = idle["verdicts"].as_array().unwrap().iter();
        let its = all.filter(|verdict| verdict["workload"] == name).map(|it| it["state"].clone());
        its.collect::<Vec<_>>()
    };
    assert_eq!(state("a/seen"), ["BUSY"]);
    assert_eq!(state("a/unseen"), ["UNKNOWN"], "{idle}");
}

#[test]
fn probes_are_told_from_work_by_what_the_server_counts() {
    let place = Place::new();
    let mut text = Text::default();
    text.node("gpu-1", "gpu", 2);
    for (pod, device, requests) in [("probed", "GPU-1", 0), ("serving", "GPU-2", 1)] {
        text.pod(pod, "gpu-1", 1, |_| true);
        let own = format!(
            "UUID=\"{device}\",Hostname=\"gpu-1\",namespace=\"a\",pod=\"{pod}\",container=\"main\""
        );
        text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{own}}}"), 0.01);
        text.always(&format!("DCGM_FI_DEV_FB_USED{{{own}}}"), 20_000);
        let counted = format!("vllm:request_success_total{{namespace=\"a\",pod=\"{pod}\"}}");
        text.add(&counted, |m| Some((m * requests).to_string()));
    }
    import(&place, &text);
    let idle = json(&place, &["idle", "--window", "30m"]);
    let said = |name: &str| {
        let all = idle["verdicts"].as_array().unwrap().iter();
        let its = all.filter(|verdict| verdict["workload"] == name);
        its.map(|it| (it["state"].clone(), it["idle"].clone())).next().unwrap()
    };
    assert_eq!(said("a/probed"), ("PROBE_ONLY".into(), true.into()), "{idle}");
    assert_eq!(said("a/serving"), ("BUSY".into(), false.into()), "{idle}");
}

/// Good lines between bad ones: the good ones are the whole of the books, and each kind of bad
/// ones is told with its line.
#[test]
fn bad_lines_are_told_and_good_ones_go_on() {
    let place = Place::new();
    let mut text = Text::default();
    text.node("cpu-1", "cpu", 0);
    text.pod("p", "cpu-1", 0, |_| true);
    let good = import(&place, &text);
    assert_eq!((&good["paid"], &good["lines_left_out"]), (&"0.50".into(), &0.into()));
    let own = "namespace=\"a\",pod=\"p\",container=\"main\",id=\"/p\"";
    let (cpu, memory) = ("container_cpu_usage_seconds_total", "container_memory_working_set_bytes");
    let mut bad = text.0.clone().into_bytes();
    let line = |bad: &mut Vec<u8>, text: &str| bad.extend_from_slice(text.as_bytes());
    line(&mut bad, &format!("{memory}{{{own}}} NaN {START}\n"));
    line(&mut bad, &format!("{memory}{{{own}}} +Inf {}\n", START + 60));
    line(&mut bad, &format!("{cpu}{{{own}}} -5 {}\n", START + 120));
    line(&mut bad, &format!("{cpu}{{{own}}} 5 {}\n", START + 400_000_000));
    line(&mut bad, &format!("{cpu}{{{own}}} five {START}\n"));
    line(&mut bad, &format!("{cpu}{{namespace=\"a\n"));
    line(&mut bad, "<html>\n");
    bad.extend_from_slice(b"kube_pod_info{pod=\"\xff\xfe\"} 1 1793613600\n");
    // A line of two megabytes.
    bad.extend(std::iter::repeat_n(b'x', 2 << 20));
    bad.push(b'\n');
    bad.extend_from_slice(text.0.as_bytes());
    place.file("bad.om", &bad);
    let run = place.run(&[
        "import",
        "telemetry",
        "bad.om",
        "--prices",
        "prices.csv",
        "--dry-run",
        "--output",
        "json",
    ]);
    assert_eq!(run.code, 0, "{}", run.said);
    let said: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(said["paid"], "0.50");
    assert_eq!(said["lines_left_out"], 6, "{}", run.said);
    assert_eq!((&said["samples"]["blank"], &said["samples"]["impossible"]), (&2.into(), &1.into()));
    for words in ["in the future", "`five`", "`<html>` has no value", "UTF-8", "a line of over"] {
        assert!(run.said.contains(words), "no `{words}` in: {}", run.said);
    }
}

#[test]
fn a_bomb_ends_early_and_a_million_values_do_not_end_the_memory() {
    let place = Place::new();
    place.file("prices.csv", PRICES);
    let bomb = "head -c 100000000 /dev/zero | tr '\\0' 'a' | gzip -1 > bomb.om.gz";
    assert_eq!(place.shell(bomb).code, 0);
    let run = place.run(&["import", "telemetry", "bomb.om.gz", "--prices", "prices.csv"]);
    assert_eq!(run.code, 2, "{}", run.said);
    assert!(run.said.lines().count() <= 4 && run.said.len() < 2_000, "{}", run.said);
    let mut text = Text::default();
    text.node("cpu-1", "cpu", 0);
    text.pod("p", "cpu-1", 0, |_| true);
    for nth in 0..1_000_000 {
        let _ = writeln!(text.0, "kube_pod_labels{{namespace=\"n\",pod=\"p{nth}\"}} 1 {START}");
    }
    place.file("many.om", &text.0);
    // Two gigabytes of memory are enough.
    let run = place.shell(
        "ulimit -v 2097152; \"$FARTHING\" import telemetry many.om --prices prices.csv \
         --dry-run --output json",
    );
    assert_eq!(run.code, 0, "{}", run.said);
    let said: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(said["paid"], "0.50");
    assert!(files(&place.state()).is_empty());
}

/// A machine that has one device and nothing else, so that the device costs what the machine does.
fn device_alone(text: &mut Text) {
    text.always("kube_node_info{node=\"g\",provider_id=\"aws:///a/i\"}", 1);
    let labels = "kube_node_labels{node=\"g\",label_node_kubernetes_io_instance_type=\"gpu\",\
                  label_topology_kubernetes_io_region=\"us-east-1\",\
                  label_nvidia_com_gpu_count=\"1\"}";
    text.always(labels, 1);
    text.always("kube_node_status_capacity{node=\"g\",resource=\"nvidia_com_gpu\"}", 1);
}

fn holder(text: &mut Text, pod: &str) -> String {
    let own = format!("namespace=\"a\",pod=\"{pod}\",uid=\"u-{pod}\"");
    text.always(&format!("kube_pod_info{{{own},node=\"g\"}}"), 1);
    text.always(&format!("kube_pod_status_phase{{{own},phase=\"Running\"}}"), 1);
    format!("namespace=\"a\",pod=\"{pod}\",container=\"main\"")
}

#[test]
fn shares_of_one_device_are_parts_of_its_price() {
    // The issue's own figures, of a device of 4 USD an hour.
    let hours = |statement: &Value, pod: &str| row(statement, pod)["gpu_hours"].clone();
    let total = |statement: &Value, pod: &str| row(statement, pod)["total"].clone();
    let statement = |text: &Text| {
        let place = Place::new();
        import(&place, text);
        let statement = json(&place, &["cost", "--by", "namespace,pod"]);
        // With the control plane.
        assert_eq!(
            (&statement["paid"], &statement["difference"]),
            (&"4.10".into(), &"0.00".into())
        );
        statement
    };
    // MIG: the larger of compute and memory slices.
    let mut text = Text::default();
    device_alone(&mut text);
    for (pod, instance, profile) in [("small", 7, "1g.5gb"), ("large", 2, "3g.20gb")] {
        let own = holder(&mut text, pod);
        let device = format!(
            "UUID=\"GPU-1\",GPU_I_ID=\"{instance}\",GPU_I_PROFILE=\"{profile}\",Hostname=\"g\",\
             modelName=\"NVIDIA A100-SXM4-40GB\",{own}"
        );
        text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{device}}}"), 0.5);
    }
    let mig = statement(&text);
    assert_eq!(total(&mig, "large"), "2.00");
    assert!(total(&mig, "small").as_str().unwrap().starts_with("0.571428571"), "{mig}");
    // HAMi: four pods with a quarter of the cores each are one device.
    let mut text = Text::default();
    device_alone(&mut text);
    let host = "node=\"g\",device_uuid=\"GPU-1\",device_type=\"NVIDIA-A10G\"";
    text.always(&format!("hami_host_gpu_utilization_ratio{{{host}}}"), 80);
    for pod in ["p0", "p1", "p2", "p3"] {
        let own = holder(&mut text, pod) + ",device_uuid=\"GPU-1\"";
        text.always(&format!("hami_vgpu_core_allocated_ratio{{{own}}}"), 25);
    }
    let hami = statement(&text);
    for pod in ["p0", "p1", "p2", "p3"] {
        assert_eq!((hours(&hami, pod), total(&hami, pod)), (0.25.into(), "1.00".into()), "{pod}");
    }
    // Time slicing: three pods that are each shown the device's 71.4 % are one device together.
    let mut text = Text::default();
    device_alone(&mut text);
    for pod in ["p0", "p1", "p2"] {
        let own = holder(&mut text, pod);
        let device = format!("UUID=\"GPU-1\",Hostname=\"g\",{own}");
        text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{device}}}"), 0.714);
    }
    let sliced = statement(&text);
    let sum: f64 = ["p0", "p1", "p2"].map(|pod| hours(&sliced, pod).as_f64().unwrap()).iter().sum();
    assert!((sum - 1.0).abs() < 1e-8, "{sliced}");
    // DRA: two pods reserve one claim, of a whole device or of a slice of it.
    let device = "UUID=\"GPU-1\",Hostname=\"g\",modelName=\"NVIDIA A100-SXM4-40GB\"";
    let slice = "GPU_I_ID=\"2\",dra_mig_profile=\"3g.20gb\",dra_mig_device_uuid=\"MIG-1\"";
    for (more, share, cost) in [("", 0.5, "2.00"), (slice, 0.25, "1.00")] {
        let mut text = Text::default();
        device_alone(&mut text);
        for pod in ["p0", "p1"] {
            let own = holder(&mut text, pod);
            let claim = "dra_claim_name=\"one\",dra_claim_namespace=\"a\",\
                         dra_driver_name=\"gpu.nvidia.com\",dra_pool_name=\"g\"";
            let comma = if more.is_empty() { "" } else { "," };
            let labels = format!("{device},{claim},{own}{comma}{more}");
            text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{labels}}}"), 0.9);
        }
        let dra = statement(&text);
        for pod in ["p0", "p1"] {
            assert_eq!((hours(&dra, pod), total(&dra, pod)), (share.into(), cost.into()), "{dra}");
        }
    }
    // KAI: the pod that holds the device for fractions has none of it.
    let mut text = Text::default();
    device_alone(&mut text);
    let own = holder(&mut text, "reservation");
    text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{UUID=\"GPU-1\",Hostname=\"g\",{own}}}"), 50);
    for pod in ["reservation", "half"] {
        let own = format!("namespace=\"a\",pod=\"{pod}\",uid=\"u-{pod}\"");
        text.always(&format!("kube_pod_labels{{{own},label_runai_gpu_group=\"g-1\"}}"), 1);
    }
    holder(&mut text, "half");
    let own = "namespace=\"a\",pod=\"half\",uid=\"u-half\"";
    text.always(&format!("kube_pod_annotations{{{own},annotation_gpu_fraction=\"0.5\"}}"), 1);
    let kai = statement(&text);
    assert_eq!((hours(&kai, "half"), total(&kai, "half")), (0.5.into(), "2.00".into()));
    let rows = kai["rows"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["pod"] != "reservation"), "{kai}");
}

/// Requests that change, a restart, an init container, the pod's own sandbox: what is charged is
/// what was set aside or used, whichever is more, at each instant.
#[test]
fn pods_are_charged_instant_by_instant() {
    let place = Place::new();
    let mut text = Text::default();
    text.node("cpu-1", "cpu", 0);
    let own = "namespace=\"a\",pod=\"p\",uid=\"u-p\"";
    text.always(&format!("kube_pod_info{{{own},node=\"cpu-1\"}}"), 1);
    text.always(&format!("kube_pod_status_phase{{{own},phase=\"Running\"}}"), 1);
    let request = |kind: &str, container: &str| {
        format!(
            "kube_pod_{kind}_resource_requests{{{own},container=\"{container}\",resource=\"cpu\"}}"
        )
    };
    // An init container of 2 cores for 10 minutes; a container of 1, resized to 3 after 30 minutes;
    // a sandbox of a quarter.
    text.always(&request("init_container", "fetch"), 2);
    text.add(&request("container", "main"), |m| Some(if m < 30 { "1" } else { "3" }.to_owned()));
    text.always(&format!("kube_pod_overhead_cpu_cores{{{own}}}"), 0.25);
    let cpu = |container: &str, run: u8| {
        format!(
            "container_cpu_usage_seconds_total{{namespace=\"a\",pod=\"p\",\
             container=\"{container}\",id=\"/p/{container}/{run}\"}}"
        )
    };
    text.add(&cpu("fetch", 1), |m| (m <= 10).then(|| (m * 120).to_string()));
    // It runs from minute 10 on with half a core, is started again at 40, and then uses four.
    text.add(&cpu("main", 1), |m| (10..=40).contains(&m).then(|| ((m - 10) * 30).to_string()));
    text.add(&cpu("main", 2), |m| (m >= 40).then(|| ((m - 40) * 240).to_string()));
    import(&place, &text);
    let statement = json(&place, &["cost", "--by", "namespace,pod"]);
    assert_eq!(statement["difference"], "0.00");
    // (2 x 30 + 3 x 10 + 4 x 20) / 60 + 0.25
    assert_eq!(row(&statement, "p")["core_hours"], serde_json::json!(3.083_333_333));
}
