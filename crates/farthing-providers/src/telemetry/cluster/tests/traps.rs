//! The traps of DCGM's exporter, each with a machine of its own.

use super::*;

const HOUR: i128 = 3_600_000_000_000;

fn machine(pods: &[&str]) -> Text {
    let mut text = Text::default();
    node(&mut text, "gpu-1", "big", 1);
    for name in pods {
        pod(&mut text, ("ml", name, "gpu-1"), (0.1, 1 << 30, 1));
    }
    text
}

fn device(pod: &str, more: &str) -> String {
    format!(
        "gpu=\"0\",UUID=\"GPU-a\",modelName=\"NVIDIA A100-SXM4-40GB\",\
            Hostname=\"gpu-1\",namespace=\"ml\",pod=\"{pod}\",\
            container=\"main\"{more}"
    )
}

#[test]
fn blank_values_are_missing_in_every_form() {
    let blanks = [
        "2147483632",
        "2147483635",
        "9223372036854775792",
        "9223372036854775795",
        "9.223372036854775807e+18",
        "9.223372036854776e+18",
        "140737488355328.0",
        "1.40737488355331e+14",
        "<<<NULL>>>",
        "NaN",
    ];
    for blank in blanks {
        let mut text = machine(&["a"]);
        let own = device("a", "");
        // Every tenth scrape is blank.
        text.add(&format!("DCGM_FI_DEV_GPU_UTIL{{{own}}}"), |minute| {
            Some(if minute % 10 == 5 { blank.to_owned() } else { "40".to_owned() })
        });
        text.add(&format!("DCGM_FI_DEV_POWER_USAGE{{{own}}}"), |_| Some("250.5".to_owned()));
        let cluster = cluster_of(&[&text.0]);
        assert_eq!(cluster.totals.blank, 6, "{blank}");
        let used = total(&cluster, Measure::GpuUsed, &[]).unwrap();
        // Six of sixty minutes are not known, and count nothing.
        assert_eq!(used, HOUR * 54 / 60 * 40 / 100, "{blank}");
    }
}

#[test]
fn after_an_error_use_is_unknown_and_not_idle() {
    let mut text = machine(&["a"]);
    let own = device("a", "");
    let until = |minute: i64| (minute <= 20).then(|| "0.9".to_owned());
    text.add(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{own}}}"), until);
    text.always(&format!("DCGM_FI_DEV_FB_USED{{{own}}}"), 30_000);
    let cluster = cluster_of(&[&text.0]);
    // While nothing of the device is measured, its use is unknown, and is not charged as idle.
    assert_eq!(total(&cluster, Measure::GpuEngine, &[]), Some(HOUR * 20 / 60 * 9 / 10));
    assert!(cluster.spans.iter().all(|span| span.measured));
    let unknown = cluster.samples.iter().filter(|sample| sample.used_nano.is_none());
    let unknown = unknown.filter(|sample| sample.resource == Paid::Gpu);
    assert_eq!(unknown.map(|sample| sample.window.nanos()).sum::<i128>(), HOUR);
    let note = "devices (DCGM) measured 35 % of 2026-11-02T10:00:00Z/";
    assert!(cluster.notes.iter().any(|own| own.contains(note)), "{:?}", cluster.notes);
    // With the driver's own figure there is a lower rung to stand on.
    text.add(&format!("DCGM_FI_DEV_GPU_UTIL{{{own}}}"), |minute| {
        Some(if minute < 20 { "95" } else { "0" }.to_owned())
    });
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(total(&cluster, Measure::GpuUsed, &[]), Some(HOUR * 20 / 60 * 9 / 10));
    assert!(cluster.spans.iter().all(|span| span.measured));
}

#[test]
fn a_sticky_error_is_one_incident() {
    let mut text = machine(&["a"]);
    text.add(&format!("DCGM_FI_DEV_XID_ERRORS{{{}}}", device("a", "")), |minute| {
        Some(
            match minute {
                0..=9 => "13",
                10..=29 => "0",
                30..=44 => "79",
                _ => "31",
            }
            .to_owned(),
        )
    });
    let cluster = cluster_of(&[&text.0]);
    let codes: Vec<_> = cluster.rows.iter().filter(|row| row.measure == Measure::GpuXid).collect();
    let codes: Vec<_> = codes.iter().map(|row| (row.of.as_deref(), row.amount)).collect();
    // What was there at the first scrape is older than the data.
    assert_eq!(codes, [(Some("31"), Some(1)), (Some("79"), Some(1))]);
}

#[test]
fn three_pods_that_share_a_device_in_time_are_charged_one() {
    let mut text = machine(&["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{}}}", device(name, "")), 0.714);
    }
    let cluster = cluster_of(&[&text.0]);
    let (requested, used, larger) = claimed(&cluster, Paid::Gpu);
    assert_eq!(requested, 999_999_999);
    assert_eq!(used, 714_000_000);
    assert!(larger <= 1_000_000_000);
    assert_eq!(total(&cluster, Measure::GpuEngine, &[]), Some(HOUR * 714 / 1_000));
}

#[test]
fn four_quarters_are_one_device_hour() {
    let mut text = machine(&["a", "b", "c", "d"]);
    for name in ["a", "b", "c", "d"] {
        text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{{}}}", device(name, "")), 10);
        text.always(
            &format!(
                "hami_vgpu_core_allocated_ratio{{namespace=\"ml\",\
                    node=\"gpu-1\",pod=\"{name}\",container_index=\"0\",\
                    device_uuid=\"GPU-a\"}}"
            ),
            25,
        );
    }
    let (requested, used, _) = claimed(&cluster_of(&[&text.0]), Paid::Gpu);
    assert_eq!((requested, used), (1_000_000_000, 100_000_000));
}

#[test]
fn what_is_declared_above_a_device_is_cut_to_it() {
    let mut text = machine(&["a", "b"]);
    for (name, percent) in [("a", 90), ("b", 60)] {
        text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{{}}}", device(name, "")), 50);
        let series = format!(
            "vGPUCoreAllocated{{podnamespace=\"ml\",nodename=\"gpu-1\",\
                podname=\"{name}\",containeridx=\"0\",deviceuuid=\"GPU-a\"}}"
        );
        text.always(&series, percent);
    }
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(claimed(&cluster, Paid::Gpu).0, 1_000_000_000);
    assert_eq!(total(&cluster, Measure::GpuAllocated, &["/a/"]), Some(HOUR * 60 / 100));
}

#[test]
fn a_device_that_nobody_holds_may_have_no_series_and_is_not_idle() {
    let mut text = Text::default();
    node(&mut text, "gpu-1", "big", 8);
    pod(&mut text, ("ml", "a", "gpu-1"), (0.1, 1 << 30, 1));
    text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{{}}}", device("a", "")), 70);
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(cluster.spans[0].capacity.gpu_milli, 8_000);
    assert_eq!(claimed(&cluster, Paid::Gpu), (1_000_000_000, 700_000_000, 1_000_000_000));
}

#[test]
fn a_partitioned_device_is_measured_by_its_instances() {
    let mut text = machine(&["a", "b"]);
    // The driver says nothing useful of the whole device.
    let whole = r#"gpu="0",UUID="GPU-a",modelName="NVIDIA A100-SXM4-40GB",Hostname="gpu-1""#;
    text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{{whole}}}"), 0);
    for (name, id, profile, active) in [("a", "7", "1g.5gb", 0.5), ("b", "1", "3g.20gb", 1.0)] {
        let more = format!(",GPU_I_ID=\"{id}\",GPU_I_PROFILE=\"{profile}\"");
        text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{}}}", device(name, &more)), active);
        text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{{}}}", device(name, &more)), 0);
    }
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(total(&cluster, Measure::GpuAllocated, &["/a/"]), Some(HOUR / 7));
    assert_eq!(total(&cluster, Measure::GpuUsed, &["/a/"]), Some(HOUR / 7 / 2));
    assert_eq!(total(&cluster, Measure::GpuAllocated, &["/b/"]), Some(HOUR / 2));
    assert_eq!(total(&cluster, Measure::GpuUsed, &["/b/"]), Some(HOUR / 2));
    let instances: BTreeSet<_> =
        cluster.rows.iter().filter_map(|row| row.instance.clone()).collect();
    assert_eq!(instances.len(), 2);
}

#[test]
fn a_profile_by_another_name_is_the_same_share() {
    let share = |profile: &str| {
        let mut text = machine(&["a"]);
        let more = format!(",GPU_I_ID=\"7\",GPU_I_PROFILE=\"{profile}\"");
        let own = device("a", &more).replace("A100-SXM4-40GB", "H100 NVL 94GB");
        text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{own}}}"), 0.5);
        total(&cluster_of(&[&text.0]), Measure::GpuAllocated, &[])
    };
    assert_eq!(share("1g.12gb"), Some(HOUR / 7));
    assert_eq!(share("1g.11gb"), Some(HOUR / 7));
}

#[test]
fn energy_is_counted_over_resets() {
    let mut text = machine(&["a"]);
    // 250 W; the driver is loaded anew after half an hour.
    text.add(&format!("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{}}}", device("a", "")), |minute| {
        let mj = minute * 60 * 250_000;
        Some(if minute < 30 { mj + 7_000_000_000 } else { mj - 30 * 60 * 250_000 }.to_string())
    });
    let cluster = cluster_of(&[&text.0]);
    // 250 W for 59 minutes; the minute of the reset is lost, as nobody saw it.
    assert_eq!(total(&cluster, Measure::GpuEnergy, &[]), Some(250 * 59 * 60 * 1_000_000));
}

#[test]
fn the_deepest_rung_that_is_exported_counts() {
    let mut text = machine(&["a"]);
    let own = device("a", "");
    text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{{own}}}"), 100);
    text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{own}}}"), 0.99);
    text.add(&format!("DCGM_FI_PROF_SM_ACTIVE{{{own}}}"), |minute| {
        (minute < 40).then(|| "0.04".to_owned())
    });
    let cluster = cluster_of(&[&text.0]);
    // A kernel that spins is busy for the driver and hardly there for the multiprocessors.
    let by_sm = HOUR * 39 / 60 * 4 / 100;
    assert_eq!(total(&cluster, Measure::GpuUsed, &[]), Some(by_sm + HOUR * 21 / 60 * 99 / 100));
    assert_eq!(total(&cluster, Measure::GpuBusy, &[]), Some(HOUR));
}

#[test]
fn what_cannot_be_is_not_measured() {
    let mut text = machine(&["a"]);
    text.add(&format!("DCGM_FI_DEV_GPU_UTIL{{{}}}", device("a", "")), |minute| {
        Some(
            match minute % 20 {
                7 => "101.5",
                13 => "-3",
                _ => "30",
            }
            .to_owned(),
        )
    });
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(cluster.totals.impossible, 6);
    assert_eq!(total(&cluster, Measure::GpuUsed, &[]), Some(HOUR * 54 / 60 * 30 / 100));
}

#[test]
fn one_exporter_alone_is_accounted_for_as_far_as_it_goes() {
    let mut text = Text::default();
    text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{{}}}", device("a", "")), 25);
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(claimed(&cluster, Paid::Gpu), (1_000_000_000, 250_000_000, 1_000_000_000));
    let has = |start: &str| cluster.notes.iter().any(|note| note.starts_with(start));
    assert!(has("no node is known") && has("node gpu-1: no price"), "{:?}", cluster.notes);
}

#[test]
fn a_pod_that_holds_a_device_for_fractions_is_charged_nothing_of_it() {
    let mut text = Text::default();
    node(&mut text, "gpu-1", "big", 1);
    let group = |text: &mut Text, namespace: &str, name: &str| {
        let own = format!("namespace=\"{namespace}\",pod=\"{name}\",uid=\"u-{name}\"");
        text.always(&format!("kube_pod_labels{{{own},label_runai_gpu_group=\"g-1\"}}"), 1);
        own
    };
    pod(&mut text, ("kai-resource-reservation", "gpu-reservation-1", "gpu-1"), (0.01, 1 << 20, 1));
    group(&mut text, "kai-resource-reservation", "gpu-reservation-1");
    for (name, annotation) in [("half", "gpu_fraction=\"0.5\""), ("part", "gpu_memory=\"10240\"")] {
        pod(&mut text, ("ml", name, "gpu-1"), (1.0, 1 << 30, 0));
        let own = group(&mut text, "ml", name);
        text.always(&format!("kube_pod_annotations{{{own},annotation_{annotation}}}"), 1);
    }
    let device = "UUID=\"GPU-1\",Hostname=\"gpu-1\",modelName=\"NVIDIA A100-SXM4-40GB\",\
        namespace=\"kai-resource-reservation\",pod=\"gpu-reservation-1\",container=\"main\"";
    text.always(&format!("DCGM_FI_DEV_GPU_UTIL{{{device}}}"), 60);
    let cluster = cluster_of(&[&text.0]);
    let held: Vec<_> = cluster
        .samples
        .iter()
        .filter(|sample| sample.resource == Paid::Gpu)
        .map(|sample| {
            let pod = sample.attribution.as_ref().unwrap().pod.clone().unwrap();
            (pod, sample.requested_nano / 3_600_000, sample.used_nano.unwrap() / 3_600_000)
        })
        .collect();
    // A half, and 10 of 40 GiB; what the device did is split by these.
    let row = |pod: &str, share, used| (pod.to_owned(), share, used);
    assert_eq!(held, [row("half", 500_000, 400_000), row("part", 250_000, 200_000)]);
}

#[test]
fn a_share_is_the_larger_of_cores_and_memory() {
    let mut text = Text::default();
    node(&mut text, "gpu-1", "big", 1);
    pod(&mut text, ("ml", "a", "gpu-1"), (1.0, 1 << 30, 0));
    let host = "node=\"gpu-1\",device_uuid=\"GPU-1\",device_type=\"NVIDIA-A100-40GB\"";
    text.always(&format!("hami_host_gpu_utilization_ratio{{{host}}}"), 10);
    let own = "namespace=\"ml\",pod=\"a\",container=\"main\",device_uuid=\"GPU-1\"";
    text.always(&format!("hami_vgpu_core_allocated_ratio{{{own}}}"), 30);
    text.always(&format!("hami_vgpu_memory_allocated_bytes{{{own}}}"), 20_i64 << 30);
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(claimed(&cluster, Paid::Gpu).0, 500_000_000);
}

#[test]
fn what_a_workload_counts_stands_at_each_of_its_devices() {
    let mut text = Text::default();
    node(&mut text, "gpu-1", "big", 2);
    for (name, uuid) in [("w-0", "GPU-0"), ("w-1", "GPU-1")] {
        pod(&mut text, ("ml", name, "gpu-1"), (1.0, 1 << 30, 1));
        let own = format!("namespace=\"ml\",pod=\"{name}\",uid=\"u-{name}\"");
        text.always(
            &format!("kube_pod_owner{{{own},owner_kind=\"StatefulSet\",owner_name=\"w\"}}"),
            1,
        );
        let device = format!(
            "UUID=\"{uuid}\",Hostname=\"gpu-1\",namespace=\"ml\",pod=\"{name}\",container=\"main\""
        );
        text.always(&format!("DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{device}}}"), 0.01);
    }
    let own = "namespace=\"ml\",pod=\"w-0\"";
    // Ten requests in the first half of an hour, and then none.
    text.add(&format!("vllm:request_success_total{{{own}}}"), |m| {
        Some((m.min(30) / 3).to_string())
    });
    text.always(&format!("farthing_mfu_ratio{{{own}}}"), 0.41);
    let cluster = cluster_of(&[&text.0]);
    for device in ["GPU-0", "GPU-1"] {
        let of = || cluster.uses.iter().filter(|one| one.device.as_str() == device);
        let requests: u64 = of().filter_map(|one| one.progress.requests).sum();
        assert_eq!(requests, 10, "{device}");
        let late = of().filter(|one| one.window.from().as_millisecond() >= START + 31 * MINUTE);
        assert!(late.clone().count() > 20);
        assert!(late.clone().all(|one| one.progress.requests == Some(0)), "it stood still");
        assert!(of().all(|one| one.progress.tokens.is_none()), "nobody counts them");
        let mfu = of().next_back().unwrap().rungs.get(farthing_model::Rung::Mfu).value();
        assert_eq!(mfu.map(farthing_model::PerMille::get), (device == "GPU-0").then_some(410));
    }
}
