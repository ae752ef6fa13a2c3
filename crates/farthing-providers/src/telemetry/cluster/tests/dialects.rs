//! One machine, told of in ten dialects: one table.

use super::*;

/// A machine with two devices, of which one is held by a training.
fn records() -> Text {
    let mut text = Text::default();
    node(&mut text, "gpu-1", "big", 2);
    let own = "namespace=\"ml\",pod=\"train-0\",uid=\"u1\"";
    text.always(&format!("kube_pod_info{{{own},node=\"gpu-1\"}}"), 1);
    text.always(&format!("kube_pod_status_phase{{{own},phase=\"Running\"}}"), 1);
    let request = "kube_pod_container_resource_requests";
    text.always(
        &format!("{request}{{{own},container=\"pytorch\",resource=\"nvidia_com_gpu\"}}"),
        1,
    );
    // The exporter's own pod, as it is in every cluster.
    let exporter = "namespace=\"gpu-operator\",pod=\"dcgm-exporter-abc\",uid=\"u2\"";
    text.always(&format!("kube_pod_info{{{exporter},node=\"gpu-1\"}}"), 1);
    text
}

/// Busy for half of the time, then all of it.
fn busy(device: usize) -> impl Fn(i64) -> Option<String> {
    move |minute| {
        Some(
            if device == 1 {
                0
            } else if minute < 30 {
                50
            } else {
                100
            }
            .to_string(),
        )
    }
}

/// A dialect of DCGM's exporter: names of the metrics, and labels of each device.
fn exporter(metrics: (&str, &str), labels: [&str; 2]) -> String {
    let mut text = Text::default();
    for (device, labels) in labels.iter().enumerate() {
        text.add(&format!("{}{{{labels}}}", metrics.0), busy(device));
        text.always(&format!("{}{{{labels}}}", metrics.1), if device == 0 { 1_024 } else { 0 });
    }
    text.0
}

fn hami(names: [&str; 3], device: &str, holder: &str) -> String {
    let mut text = Text::default();
    for (nth, uuid) in ["GPU-a", "GPU-b"].iter().enumerate() {
        let labels = device.replace("UUID", uuid);
        text.add(&format!("{}{{{labels}}}", names[0]), busy(nth));
        text.always(&format!("{}{{{labels}}}", names[1]), if nth == 0 { 1_i64 << 30 } else { 0 });
    }
    text.always(&format!("{}{{{holder}}}", names[2]), 1_i64 << 30);
    text.0
}

#[expect(clippy::too_many_lines, reason = "one entry for each dialect")]
fn dialects() -> Vec<(&'static str, String)> {
    const NEW: (&str, &str) = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED");
    const OLD: (&str, &str) = ("dcgm_gpu_utilization", "dcgm_fb_used");
    let replica = |name: &str| {
        let a = format!(
            "gpu=\"0\",UUID=\"GPU-a\",Hostname=\"gpu-1\",\
                container=\"pytorch\",namespace=\"ml\",pod=\"train-0\",\
                prometheus_replica=\"{name}\""
        );
        let b = format!(r#"gpu="1",UUID="GPU-b",Hostname="gpu-1",prometheus_replica="{name}""#);
        exporter(NEW, [&a, &b])
    };
    vec![
        (
            "exporter 3",
            exporter(
                NEW,
                [
                    "gpu=\"0\",UUID=\"GPU-a\",device=\"nvidia0\",\
                        modelName=\"NVIDIA A100-SXM4-40GB\",Hostname=\"gpu-1\",\
                        container=\"pytorch\",namespace=\"ml\",pod=\"train-0\"",
                    "gpu=\"1\",UUID=\"GPU-b\",device=\"nvidia1\",\
                        modelName=\"NVIDIA A100-SXM4-40GB\",Hostname=\"gpu-1\"",
                ],
            ),
        ),
        (
            "exporter 4",
            exporter(
                NEW,
                [
                    "gpu=\"0\",UUID=\"GPU-a\",pci_bus_id=\"0000\",\
                        device=\"nvidia0\",modelName=\"NVIDIA A100-SXM4-40GB\",\
                        hostname=\"gpu-1\",DCGM_FI_DRIVER_VERSION=\"570\",\
                        container=\"pytorch\",namespace=\"ml\",pod=\"train-0\",\
                        pod_uid=\"u1\"",
                    "gpu=\"1\",UUID=\"GPU-b\",pci_bus_id=\"0001\",\
                        device=\"nvidia1\",modelName=\"NVIDIA A100-SXM4-40GB\",\
                        hostname=\"gpu-1\",DCGM_FI_DRIVER_VERSION=\"570\",\
                        container=\"\",namespace=\"\",pod=\"\",pod_uid=\"\"",
                ],
            ),
        ),
        (
            "exporter 1",
            exporter(
                OLD,
                [
                    "container_name=\"pytorch\",gpu=\"0\",\
                        pod_name=\"train-0\",pod_namespace=\"ml\",\
                        uuid=\"GPU-a\",node=\"gpu-1\"",
                    r#"gpu="1",uuid="GPU-b",node="gpu-1""#,
                ],
            ),
        ),
        (
            "old namespace labels",
            exporter(
                NEW,
                [
                    "gpu=\"0\",uuid=\"GPU-a\",Hostname=\"gpu-1.example.com\",\
                        container_name=\"pytorch\",pod_namespace=\"ml\",\
                        pod_name=\"train-0\"",
                    r#"gpu="1",uuid="GPU-b",Hostname="gpu-1.example.com""#,
                ],
            ),
        ),
        (
            "exported",
            exporter(
                NEW,
                [
                    "gpu=\"0\",UUID=\"GPU-a\",Hostname=\"dcgm-exporter-abc\",\
                        exported_container=\"pytorch\",\
                        exported_namespace=\"ml\",exported_pod=\"train-0\",\
                        container=\"exporter\",namespace=\"gpu-operator\",\
                        pod=\"dcgm-exporter-abc\",instance=\"10.0.0.9:9400\",\
                        job=\"dcgm\"",
                    "gpu=\"1\",UUID=\"GPU-b\",Hostname=\"dcgm-exporter-abc\",\
                        container=\"exporter\",namespace=\"gpu-operator\",\
                        pod=\"dcgm-exporter-abc\",instance=\"10.0.0.9:9400\",\
                        job=\"dcgm\"",
                ],
            ),
        ),
        (
            "exporter's own labels",
            exporter(
                NEW,
                [
                    "gpu=\"0\",gpu_uuid=\"GPU-a\",hostname=\"gpu-1\",\
                        container=\"pytorch\",namespace=\"ml\",pod=\"train-0\",\
                        job=\"dcgm\"",
                    "gpu=\"1\",gpu_uuid=\"GPU-b\",hostname=\"gpu-1\",\
                        container=\"nvidia-dcgm-exporter\",\
                        namespace=\"gpu-operator\",pod=\"dcgm-exporter-abc\",\
                        job=\"dcgm\"",
                ],
            ),
        ),
        (
            "DRA",
            exporter(
                NEW,
                [
                    "gpu=\"0\",UUID=\"GPU-a\",device=\"nvidia0\",\
                        Hostname=\"gpu-1\",container=\"pytorch\",\
                        dra_claim_name=\"one\",dra_claim_namespace=\"ml\",\
                        dra_device_name=\"gpu-0\",\
                        dra_driver_name=\"gpu.nvidia.com\",\
                        dra_pool_name=\"gpu-1\",namespace=\"ml\",pod=\"train-0\"",
                    r#"gpu="1",UUID="GPU-b",device="nvidia1",Hostname="gpu-1""#,
                ],
            ),
        ),
        (
            "HAMi",
            hami(
                [
                    "hami_host_gpu_utilization_ratio",
                    "hami_host_gpu_memory_used_bytes",
                    "hami_vgpu_memory_used_bytes",
                ],
                r#"node="gpu-1",device_index="0",device_uuid="UUID",device_type="NVIDIA-A100""#,
                "namespace=\"ml\",pod=\"train-0\",container=\"pytorch\",\
                    vdevice_index=\"0\",device_uuid=\"GPU-a\"",
            ),
        ),
        (
            "HAMi, old names",
            hami(
                ["HostCoreUtilization", "HostGPUMemoryUsage", "vGPU_device_memory_usage_in_bytes"],
                r#"nodeid="gpu-1",deviceidx="0",deviceuuid="UUID",devicetype="NVIDIA-A100""#,
                "podnamespace=\"ml\",podname=\"train-0\",ctrname=\"pytorch\",\
                    vdeviceid=\"0\",deviceuuid=\"GPU-a\"",
            ),
        ),
        ("two replicas of the scraper", replica("a") + &replica("b")),
    ]
}

#[test]
fn all_dialects_give_one_table() {
    let expected = expect_test::expect![[r"
        2026-11-02T10:00:00Z/2026-11-02T11:00:00Z	gpu-1	GPU-a	-	-	-	gpu-busy	2700000000000	3600000/3600000
        2026-11-02T10:00:00Z/2026-11-02T11:00:00Z	gpu-1	GPU-a	-	-	-	gpu-memory	3865470566400000000000	3600000/3600000
        2026-11-02T10:00:00Z/2026-11-02T11:00:00Z	gpu-1	GPU-a	-	ml/train-0/pytorch	-	gpu-allocated	3600000000000	3600000/3600000
        2026-11-02T10:00:00Z/2026-11-02T11:00:00Z	gpu-1	GPU-a	-	ml/train-0/pytorch	-	gpu-used	2700000000000	3600000/3600000
        2026-11-02T10:00:00Z/2026-11-02T11:00:00Z	gpu-1	GPU-b	-	-	-	gpu-busy	0	3600000/3600000
        2026-11-02T10:00:00Z/2026-11-02T11:00:00Z	gpu-1	GPU-b	-	-	-	gpu-memory	0	3600000/3600000
    "]];
    let records = records().0;
    for (name, dialect) in dialects() {
        let cluster = cluster_of(&[&records, &dialect]);
        let notes: Vec<&String> =
            cluster.notes.iter().filter(|note| note.contains("device")).collect();
        assert!(notes.is_empty(), "{name}: {notes:?}");
        let table = text(&cluster.rows);
        println!("{name}");
        expected.assert_eq(&table);
        assert_eq!(cluster.spans.len(), 1, "{name}");
        assert_eq!(cluster.spans[0].capacity.gpu_milli, 2_000, "{name}");
        let samples: Vec<_> = cluster
            .samples
            .iter()
            .map(|sample| (sample.requested_nano, sample.known_use()))
            .collect();
        assert_eq!(samples, [(3_600_000_000_000, 2_700_000_000_000)], "{name}");
    }
}

#[test]
fn order_and_repetition_of_files_change_nothing() {
    let records = records().0;
    let (_, dialect) = dialects().remove(0);
    let once = cluster_of(&[&records, &dialect]);
    let again = cluster_of(&[&dialect, &records, &dialect]);
    assert_eq!(
        (&once.rows, &once.samples, &once.spans),
        (&again.rows, &again.samples, &again.spans)
    );
    let backwards: Vec<&str> = records.lines().chain(dialect.lines()).rev().collect();
    let backwards = cluster_of(&[&backwards.join("\n")]);
    assert_eq!(once.rows, backwards.rows);
    assert_eq!(once.samples, backwards.samples);
    assert_eq!(once.spans, backwards.spans);
}
