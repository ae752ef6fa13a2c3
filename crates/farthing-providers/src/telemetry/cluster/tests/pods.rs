//! Pods: who they are, what they hold, and when.

use super::*;
use farthing_model::Purchase;

const CORE_HOUR: i128 = 3_600_000_000_000;

fn cpu(cluster: &Cluster, words: &[&str]) -> (Option<i128>, Option<i128>) {
    let of = |measure| total(cluster, measure, words);
    (of(Measure::CpuRequested), of(Measure::CpuUsed))
}

#[test]
fn an_instant_costs_the_larger_of_asked_for_and_used() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    pod(&mut text, ("a", "p", "cpu-1"), (1.0, 1 << 30, 0));
    let own = r#"namespace="a",pod="p",container="main",id="/p""#;
    // Half an hour of nothing, then half an hour of three cores: the mean of the larger is two.
    text.add(&format!("container_cpu_usage_seconds_total{{{own}}}"), |minute| {
        Some(((minute - 30).max(0) * 180).to_string())
    });
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(claimed(&cluster, Paid::Cpu), (1_000_000_000, 1_500_000_000, 2_000_000_000));
    assert_eq!(cpu(&cluster, &[]), (Some(CORE_HOUR), Some(CORE_HOUR * 3 / 2)));
}

#[test]
fn a_resize_in_place_counts_from_its_minute() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    pod(&mut text, ("a", "p", "cpu-1"), (1.0, 1 << 30, 0));
    // The request that never changes is taken out again.
    let stays = |line: &&str| !(line.contains("requests") && line.contains("\"cpu\""));
    text.0 = text.0.lines().filter(stays).fold(String::new(), |all, line| all + line + "\n");
    let request = "kube_pod_container_resource_requests{namespace=\"a\",pod=\"p\",\
        uid=\"u-p\",container=\"main\",resource=\"cpu\"}";
    text.add(request, |minute| Some(if minute < 15 { "1" } else { "5" }.to_owned()));
    used(&mut text, "a", "p", 0.5, 1 << 29);
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(cpu(&cluster, &["/p/"]).0, Some(CORE_HOUR / 4 + CORE_HOUR * 5 * 3 / 4));
}

#[test]
fn a_pod_that_is_done_holds_nothing_although_its_requests_are_exported() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    let own = r#"namespace="a",pod="job-1",uid="u""#;
    text.always(&format!("kube_pod_info{{{own},node=\"cpu-1\"}}"), 1);
    text.add(&format!("kube_pod_status_phase{{{own},phase=\"Running\"}}"), |m| {
        Some(u8::from(m < 20).to_string())
    });
    text.add(&format!("kube_pod_status_phase{{{own},phase=\"Succeeded\"}}"), |m| {
        Some(u8::from(m >= 20).to_string())
    });
    let request = "kube_pod_container_resource_requests";
    text.always(&format!("{request}{{{own},container=\"main\",resource=\"cpu\"}}"), 3);
    assert_eq!(cpu(&cluster_of(&[&text.0]), &[]).0, Some(CORE_HOUR));
}

#[test]
fn a_pod_is_held_to_the_second_where_its_records_say_so() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    let own = r#"namespace="a",pod="job-1",uid="u""#;
    let there = |m: i64| (m >= 11).then(|| "1".to_owned());
    text.add(&format!("kube_pod_info{{{own},node=\"cpu-1\"}}"), there);
    text.add(&format!("kube_pod_status_phase{{{own},phase=\"Running\"}}"), |m| {
        there(m).map(|_| u8::from(m < 41).to_string())
    });
    text.add(&format!("kube_pod_status_phase{{{own},phase=\"Succeeded\"}}"), |m| {
        there(m).map(|_| u8::from(m >= 41).to_string())
    });
    let request = "kube_pod_container_resource_requests";
    text.add(&format!("{request}{{{own},container=\"main\",resource=\"cpu\"}}"), there);
    let whole = cpu(&cluster_of(&[&text.0]), &[]).0;
    assert_eq!(whole, Some(CORE_HOUR * 30 / 60), "from scrape to scrape");
    let second = |minute: i64, second: i64| START / 1_000 + minute * 60 + second;
    text.add(&format!("kube_pod_start_time{{{own}}}"), |m| {
        there(m).map(|_| second(10, 20).to_string())
    });
    text.add(&format!("kube_pod_completion_time{{{own}}}"), |m| {
        (m >= 41).then(|| second(40, 5).to_string())
    });
    let exact = cpu(&cluster_of(&[&text.0]), &[]).0;
    assert_eq!(exact, Some(CORE_HOUR * (29 * 60 + 45) / 3_600));
}

#[test]
fn a_pod_that_waits_for_a_node_holds_nothing() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    let own = r#"namespace="a",pod="p",uid="u""#;
    text.add(&format!("kube_pod_info{{{own},node=\"\"}}"), |m| (m < 30).then(|| "1".to_owned()));
    text.add(&format!("kube_pod_info{{{own},node=\"cpu-1\"}}"), |m| {
        (m >= 30).then(|| "1".to_owned())
    });
    text.always(&format!("kube_pod_status_phase{{{own},phase=\"Pending\"}}"), 1);
    let request = "kube_pod_container_resource_requests";
    text.always(&format!("{request}{{{own},container=\"main\",resource=\"cpu\"}}"), 2);
    assert_eq!(cpu(&cluster_of(&[&text.0]), &[]).0, Some(CORE_HOUR));
}

#[test]
fn init_containers_and_overhead_are_set_aside_as_the_scheduler_does() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    pod(&mut text, ("a", "p", "cpu-1"), (1.0, 1 << 30, 0));
    let own = r#"namespace="a",pod="p",uid="u-p""#;
    let init = "kube_pod_init_container_resource_requests";
    text.always(&format!("{init}{{{own},container=\"fetch\",resource=\"cpu\"}}"), 2.5);
    text.always(&format!("{init}{{{own},container=\"proxy\",resource=\"cpu\"}}"), 0.5);
    text.always(
        &format!(
            "kube_pod_init_container_info{{{own},container=\"proxy\",restart_policy=\"Always\"}}"
        ),
        1,
    );
    text.always(&format!("kube_pod_overhead_cpu_cores{{{own}}}"), 0.25);
    let cluster = cluster_of(&[&text.0]);
    // main 1 + proxy 0.5 beside it, 1 more for the largest init container, 0.25 for the sandbox.
    assert_eq!(cpu(&cluster, &["/p/main"]).0, Some(CORE_HOUR));
    assert_eq!(cpu(&cluster, &["/p/proxy"]).0, Some(CORE_HOUR / 2));
    assert_eq!(cpu(&cluster, &["/p/fetch"]).0, Some(CORE_HOUR));
    assert_eq!(cpu(&cluster, &["/p/-"]).0, Some(CORE_HOUR / 4));
}

/// The order of init containers: with a sidecar of one core that runs before it, one of two cores
/// needs three; with one that starts after it, two.
#[test]
fn a_sidecar_that_ran_before_an_init_container_is_set_aside_with_it() {
    let requested = |proxy_from: i64, fetch: std::ops::RangeInclusive<i64>| {
        let mut text = Text::default();
        node(&mut text, "cpu-1", "small", 0);
        pod(&mut text, ("a", "p", "cpu-1"), (0.5, 1 << 30, 0));
        let own = r#"namespace="a",pod="p",uid="u-p""#;
        let init = "kube_pod_init_container_resource_requests";
        text.always(&format!("{init}{{{own},container=\"fetch\",resource=\"cpu\"}}"), 2);
        text.always(&format!("{init}{{{own},container=\"proxy\",resource=\"cpu\"}}"), 1);
        let info = "kube_pod_init_container_info";
        let always = "restart_policy=\"Always\"";
        text.always(&format!("{info}{{{own},container=\"proxy\",{always}}}"), 1);
        let cpu_of = |name: &str| {
            format!(
                "container_cpu_usage_seconds_total{{namespace=\"a\",pod=\"p\",\
                 container=\"{name}\",id=\"/p/{name}\"}}"
            )
        };
        text.add(&cpu_of("proxy"), |m| (m >= proxy_from).then(|| (m * 6).to_string()));
        text.add(&cpu_of("fetch"), |m| fetch.contains(&m).then(|| (m * 60).to_string()));
        claimed(&cluster_of(&[&text.0]), Paid::Cpu).0
    };
    assert_eq!(requested(2, 10..=20), 3_000_000_000);
    assert_eq!(requested(12, 2..=10), 2_000_000_000);
}

#[test]
fn a_restart_counts_both_runs() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    pod(&mut text, ("a", "p", "cpu-1"), (0.1, 1 << 30, 0));
    let run = |nth: u8| format!(r#"namespace="a",pod="p",container="main",id="/p/{nth}""#);
    let cpu_of = "container_cpu_usage_seconds_total";
    // Both runs use one core; the exporter goes on telling of the first one for a while.
    text.add(&format!("{cpu_of}{{{}}}", run(1)), |m| {
        (m <= 40).then(|| (900 + m.min(30) * 60).to_string())
    });
    text.add(&format!("{cpu_of}{{{}}}", run(2)), |m| (m > 30).then(|| ((m - 30) * 60).to_string()));
    text.add(&format!("container_start_time_seconds{{{}}}", run(2)), |m| {
        (m > 30).then(|| (START / 1_000 + 30 * 60).to_string())
    });
    assert_eq!(cpu(&cluster_of(&[&text.0]), &[]).1, Some(CORE_HOUR));
}

#[test]
fn a_pod_of_the_same_name_on_another_node_is_charged_where_it_was() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    node(&mut text, "cpu-2", "small", 0);
    for (uid, place, from, to) in [("u1", "cpu-1", 0, 20), ("u2", "cpu-2", 25, 60)] {
        let own = format!(r#"namespace="a",pod="db-0",uid="{uid}""#);
        let while_there = |value: &str| {
            let value = value.to_owned();
            move |m: i64| (from <= m && m <= to).then(|| value.clone())
        };
        text.add(&format!("kube_pod_info{{{own},node=\"{place}\"}}"), while_there("1"));
        text.add(&format!("kube_pod_status_phase{{{own},phase=\"Running\"}}"), while_there("1"));
        let request = "kube_pod_container_resource_requests";
        text.add(
            &format!("{request}{{{own},container=\"main\",resource=\"cpu\"}}"),
            while_there("1"),
        );
    }
    let cluster = cluster_of(&[&text.0]);
    assert_eq!(cpu(&cluster, &["cpu-1"]).0, Some(CORE_HOUR * 20 / 60));
    assert_eq!(cpu(&cluster, &["cpu-2"]).0, Some(CORE_HOUR * 35 / 60));
}

#[test]
fn owners_are_followed_to_the_top_and_teams_found_by_label() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    for (name, kind, owner) in [("web-1", "ReplicaSet", "web-7d9f"), ("db-0", "StatefulSet", "db")]
    {
        pod(&mut text, ("shop", name, "cpu-1"), (1.0, 1 << 30, 0));
        let own = format!(r#"namespace="shop",pod="{name}",uid="u-{name}""#);
        text.always(
            &format!(
                "kube_pod_owner{{{own},owner_kind=\"{kind}\",owner_name=\"{owner}\",\
            owner_is_controller=\"true\"}}"
            ),
            1,
        );
    }
    text.always(
        "kube_replicaset_owner{namespace=\"shop\",replicaset=\"web-7d9f\",\
        owner_kind=\"Deployment\",owner_name=\"web\",\
        owner_is_controller=\"true\"}",
        1,
    );
    text.always(r#"kube_namespace_labels{namespace="shop",label_team="commerce"}"#, 1);
    text.add(
        "kube_pod_labels{namespace=\"shop\",pod=\"web-1\",uid=\"u-web-1\",\
        label_team=\"front\",label_tier=\"a\"}",
        |m| (m < 30).then(|| "1".to_owned()),
    );
    text.add(
        "kube_pod_labels{namespace=\"shop\",pod=\"web-1\",uid=\"u-web-1\",\
        label_team=\"core\",label_tier=\"a\"}",
        |m| (m >= 30).then(|| "1".to_owned()),
    );
    let cluster = cluster_of(&[&text.0]);
    let mut who: Vec<String> = cluster
        .samples
        .iter()
        .filter(|sample| sample.resource == Paid::Cpu)
        .filter_map(|sample| {
            let who = sample.attribution.as_deref()?;
            let controller = who.controller.as_ref()?;
            let team = who.team.as_ref().map_or("-", |team| team.as_str());
            let minutes = sample.window.nanos() / 60_000_000_000;
            Some(format!(
                "{} {} {} {team} {minutes}",
                who.workload, controller.kind, controller.name
            ))
        })
        .collect();
    who.sort();
    assert_eq!(
        who,
        [
            "shop/db statefulset db commerce 60",
            "shop/web deployment web core 30",
            "shop/web deployment web front 30",
        ]
    );
}

#[test]
fn what_a_node_keeps_for_itself_is_its_own() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    text.always(r#"kube_node_status_allocatable{node="cpu-1",resource="cpu"}"#, 7.5);
    let cluster = cluster_of(&[&text.0]);
    let own = cluster.samples.iter().filter(|sample| sample.attribution.is_none());
    let own: Vec<_> = own.map(|sample| (sample.resource, sample.requested_nano)).collect();
    assert_eq!(own, [(Paid::Cpu, CORE_HOUR / 2)]);
}

#[test]
fn a_node_that_becomes_another_offer_is_paid_as_each() {
    let mut text = Text::default();
    text.always(r#"kube_node_info{node="n"}"#, 1);
    text.always(r#"kube_node_status_capacity{node="n",resource="cpu"}"#, 8);
    let labels = |purchase: &str| {
        format!(
            "kube_node_labels{{node=\"n\",\
                label_node_kubernetes_io_instance_type=\"big\",\
                label_topology_kubernetes_io_region=\"us-east-1\",\
                label_karpenter_sh_capacity_type=\"{purchase}\"}}"
        )
    };
    text.add(&labels("spot"), |m| (m < 20).then(|| "1".to_owned()));
    text.add(&labels("on-demand"), |m| (m >= 20).then(|| "1".to_owned()));
    let cluster = cluster_of(&[&text.0]);
    let spans: Vec<_> = cluster
        .spans
        .iter()
        .map(|span| {
            let price = span.price.rate().map(|rate| rate.to_string());
            (span.purchase, span.window.nanos() / 60_000_000_000, price)
        })
        .collect();
    assert_eq!(
        spans,
        [
            (Purchase::Spot, 20, Some("1.00 USD/h".to_owned())),
            (Purchase::OnDemand, 40, Some("4.00 USD/h".to_owned())),
        ]
    );
}

#[test]
fn a_node_without_labels_has_no_price_and_the_note_says_what_exports_them() {
    let mut text = Text::default();
    text.always(r#"kube_node_info{node="n"}"#, 1);
    text.always(r#"kube_node_status_capacity{node="n",resource="cpu"}"#, 8);
    let cluster = cluster_of(&[&text.0]);
    assert!(cluster.spans[0].price.rate().is_none());
    assert!(cluster.notes.iter().any(|note| note.contains("--metric-labels-allowlist=nodes=[*]")));
}

#[test]
fn a_node_is_paid_from_when_it_was_made_until_it_is_gone() {
    let mut text = Text::default();
    node(&mut text, "first", "small", 0);
    let there = |m: i64| (11..=40).contains(&m).then(|| "1".to_owned());
    text.add(r#"kube_node_info{node="n"}"#, there);
    text.add(r#"kube_node_status_capacity{node="n",resource="cpu"}"#, there);
    let created = START / 1_000 + 10 * 60 + 30;
    text.add(r#"kube_node_created{node="n"}"#, |m| there(m).map(|_| created.to_string()));
    let cluster = cluster_of(&[&text.0]);
    let own: Vec<_> = cluster.spans.iter().filter(|span| span.node.as_str() == "n").collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].window.nanos(), (29 * 60 + 30) * 1_000_000_000);
}

#[test]
fn while_an_init_container_runs_the_pod_costs_what_was_set_aside_for_it() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    pod(&mut text, ("a", "p", "cpu-1"), (1.0, 1 << 30, 0));
    let own = r#"namespace="a",pod="p",uid="u-p""#;
    let init = "kube_pod_init_container_resource_requests";
    text.always(&format!("{init}{{{own},container=\"fetch\",resource=\"cpu\"}}"), 2);
    // The init container uses both of its cores for a quarter of an hour, then the other runs.
    let cpu_of = |name: &str| {
        format!(
            "container_cpu_usage_seconds_total{{namespace=\"a\",pod=\"p\",container=\"{name}\",\
             id=\"/p/{name}\"}}"
        )
    };
    text.add(&cpu_of("fetch"), |m| (m <= 15).then(|| (m * 120).to_string()));
    text.add(&cpu_of("main"), |m| (m >= 15).then(|| ((m - 15) * 30).to_string()));
    let cluster = cluster_of(&[&text.0]);
    // Two cores are set aside throughout, and no more than that was ever used.
    let (requested, used, charged) = claimed(&cluster, Paid::Cpu);
    assert_eq!(requested, 2_000_000_000);
    assert_eq!(used, 2_000_000_000 / 4 + 500_000_000 * 3 / 4);
    assert_eq!(charged, 2_000_000_000);
}
