//! Volumes, load balancers, control planes and bytes that were sent.

use super::*;
use crate::catalog::{Catalogue, Options};
use farthing_model::NodeSpan;

const GIB: i64 = 1 << 30;
const GIB_HOUR: i128 = (1 << 30) * 3_600 * 1_000_000_000;

fn book() -> Catalogue {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices.csv");
    let head = "provider,region,instance_type,vcpus,memory_gib,purchase,price,currency,unit,\
                source,as_of\n";
    let rows = [
        "aws,us-east-1,small,8,32,on-demand,0.40,USD,hour,made up,2026-11-01\n",
        "aws,us-east-1,volume/gp3,,,,0.073,USD,GiB-month,made up,2026-11-01\n",
        "aws,*,network/internet,,,,0.09,USD,GB,made up,2026-11-01\n",
        "aws,*,network/zone,,,,0.01,USD,GB,made up,2026-11-01\n",
        "aws,us-east-1,load-balancer,,,,0.0225,USD,hour,made up,2026-11-01\n",
        "aws,us-east-1,control-plane,,,,0.10,USD,hour,made up,2026-11-01\n",
    ];
    std::fs::write(&path, head.to_owned() + &rows.concat()).unwrap();
    Catalogue::load(&[path], &Options::default()).unwrap()
}

fn measured(text: &Text) -> Cluster {
    measure(intake(&[&text.0]), ClusterOptions::default(), NodePrices::new(&book())).unwrap()
}

fn claim(text: &mut Text, name: &str, gib: i64, there: impl Fn(i64) -> bool + Copy) {
    let own = format!("namespace=\"a\",persistentvolumeclaim=\"{name}\"");
    let some = |value: i64| move |m: i64| there(m).then(|| value.to_string());
    let info = format!(
        "kube_persistentvolumeclaim_info{{{own},storageclass=\"gp3\",volumename=\"pv-{name}\"}}"
    );
    text.add(&info, some(1));
    let asks = format!("kube_persistentvolumeclaim_resource_requests_storage_bytes{{{own}}}");
    text.add(&asks, some(gib * GIB));
}

fn mounts(text: &mut Text, pod: &str, claim: &str) {
    text.always(
        &format!(
            "kube_pod_spec_volumes_persistentvolumeclaims_info{{namespace=\"a\",pod=\"{pod}\",\
             uid=\"u-{pod}\",volume=\"data\",persistentvolumeclaim=\"{claim}\"}}"
        ),
        1,
    );
}

fn spans(cluster: &Cluster, asset: Asset) -> Vec<&NodeSpan> {
    cluster.spans.iter().filter(|span| span.asset == asset).collect()
}

fn minutes(span: &NodeSpan) -> i128 {
    span.window.nanos() / 60_000_000_000
}

#[test]
fn a_claim_is_paid_while_it_is_there_and_charged_to_who_mounts_it() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    let own = r#"namespace="a",pod="p",uid="u-p""#;
    text.add(&format!("kube_pod_info{{{own},node=\"cpu-1\"}}"), |m| {
        (m >= 30).then(|| "1".to_owned())
    });
    claim(&mut text, "data", 100, |_| true);
    mounts(&mut text, "p", "data");
    let held = "namespace=\"a\",persistentvolumeclaim=\"data\"";
    text.always(&format!("kubelet_volume_stats_used_bytes{{{held}}}"), 40 * GIB);
    let cluster = measured(&text);
    let volumes = spans(&cluster, Asset::Volume);
    assert_eq!(volumes.len(), 1);
    assert_eq!(volumes[0].node.as_str(), "volume/a/data");
    // 100 GiB x 0.073 a month of 730 hours.
    assert_eq!(volumes[0].price.rate().unwrap().to_string(), "0.01 USD/h");
    assert_eq!((minutes(volumes[0]), volumes[0].capacity.storage_bytes), (60, 100 << 30));
    let mount: Vec<_> = cluster.samples.iter().filter(|it| it.node == volumes[0].node).collect();
    assert_eq!(mount.len(), 1);
    assert_eq!(mount[0].requested_nano, GIB_HOUR * 100 / 2);
    assert_eq!(mount[0].used_nano, Some(GIB_HOUR * 40 / 2));
    assert_eq!(mount[0].attribution.as_ref().unwrap().pod.as_deref(), Some("p"));
}

#[test]
fn a_claim_grows_waits_and_leaves_its_volume_behind() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    claim(&mut text, "gone", 10, |m| m <= 30);
    text.always("kube_persistentvolume_capacity_bytes{persistentvolume=\"pv-gone\"}", 20 * GIB);
    let own = "namespace=\"a\",persistentvolumeclaim=\"new\"";
    let asks = format!("kube_persistentvolumeclaim_resource_requests_storage_bytes{{{own}}}");
    text.add(&asks, |m| Some((if m < 40 { 10 } else { 30 } * GIB).to_string()));
    let phase = format!("kube_persistentvolumeclaim_status_phase{{{own},phase=\"Pending\"}}");
    text.add(&phase, |m| Some(u8::from(m < 20).to_string()));
    let cluster = measured(&text);
    let said: Vec<_> = spans(&cluster, Asset::Volume)
        .iter()
        .map(|it| (it.node.to_string(), minutes(it), it.capacity.storage_bytes >> 30))
        .collect();
    let volume = |name: &str, minutes, gib| (format!("volume/{name}"), minutes, gib);
    assert_eq!(
        said,
        [
            volume("a/gone", 30, 20),
            volume("a/new", 20, 10),
            volume("a/new", 20, 30),
            volume("pv-gone", 30, 20)
        ]
    );
    assert!(cluster.notes.iter().any(|note| note.contains("who mounts a claim is not known")));
}

#[test]
fn bytes_are_paid_by_how_far_they_went() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    pod(&mut text, ("a", "p", "cpu-1"), (1.0, GIB, 0));
    pod(&mut text, ("a", "q", "cpu-1"), (1.0, GIB, 0));
    let sent = |to: &str| {
        format!("kubecost_pod_network_egress_bytes_total{{namespace=\"a\",pod_name=\"p\",{to}}}")
    };
    let each = |bytes: i64| move |m: i64| Some((m * bytes).to_string());
    text.add(&sent("internet=\"true\",same_region=\"false\",same_zone=\"false\""), each(1_000));
    text.add(&sent("internet=\"false\",same_region=\"true\",same_zone=\"false\""), each(500));
    text.add(&sent("internet=\"false\",same_region=\"true\",same_zone=\"true\""), each(9_999));
    // Of a pod of which nobody says how far, cAdvisor's bytes; of the other they are the same ones.
    for pod in ["p", "q"] {
        let eth = |face: &str| {
            format!(
                "container_network_transmit_bytes_total{{namespace=\"a\",pod=\"{pod}\",\
                 interface=\"{face}\"}}"
            )
        };
        text.add(&eth("eth0"), each(100));
        text.add(&eth("lo"), each(7_777));
    }
    let cluster = measured(&text);
    let sent = |reach: &str| -> i128 {
        let name = format!("network/{reach}/aws/us-east-1");
        let its = cluster.samples.iter().filter(|sample| sample.node.as_str() == name);
        its.map(Sample::known_use).sum::<i128>() / 1_000_000_000
    };
    assert_eq!(["internet", "zone", "region", "any"].map(sent), [60_000, 30_000, 0, 6_000]);
    let prices: Vec<_> = spans(&cluster, Asset::Network)
        .iter()
        .map(|span| (span.instance_type.clone(), span.price.rate().map(|rate| rate.to_string())))
        .collect();
    let price = |name: &str, rate: Option<&str>| (name.to_owned(), rate.map(str::to_owned));
    assert_eq!(
        prices,
        [
            price("network/any", None),
            price("network/internet", Some("0.09 USD/h")),
            price("network/zone", Some("0.01 USD/h")),
        ]
    );
}

#[test]
fn load_balancers_and_control_planes_are_overhead_of_who_has_them() {
    let mut text = Text::default();
    node(&mut text, "cpu-1", "small", 0);
    text.always(r#"kube_namespace_labels{namespace="shop",label_team="commerce"}"#, 1);
    let of = |name: &str, kind: &str| {
        format!("kube_service_spec_type{{namespace=\"shop\",service=\"{name}\",type=\"{kind}\"}}")
    };
    text.add(&of("front", "LoadBalancer"), |m| (m <= 30).then(|| "1".to_owned()));
    text.always(&of("back", "ClusterIP"), 1);
    let cluster = measured(&text);
    let balancers = spans(&cluster, Asset::LoadBalancer);
    assert_eq!(balancers.len(), 1);
    assert_eq!(
        (balancers[0].node.as_str(), minutes(balancers[0])),
        ("load-balancer/shop/front", 30)
    );
    let who = balancers[0].held_for.as_ref().unwrap();
    assert_eq!(who.workload.as_str(), "shop/front");
    assert_eq!(who.team.as_ref().unwrap().as_str(), "commerce");
    let planes = spans(&cluster, Asset::ControlPlane);
    assert_eq!((planes.len(), minutes(planes[0])), (1, 60));
}
