//! Who is charged what: shared accelerators, volumes, networks, and everything that changes within
//! an hour. Each number here can be checked by hand.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use farthing_ledger::{Books, Fault, Metered, Segment, StatementQuery, statement, verify};
use farthing_model::{
    Asset, Attribution, Currency, Destination, Detail, DeviceId, DeviceUse, MigDevice, Missing,
    NodeId, NodeSpan, PerMille, Price, Progress, Reading, Resource, Resources, Rung, Rungs, Sample,
    Share, Slice, SourceId, Window,
};
use std::sync::Arc;
use world::*;

const GPU_HOUR: i128 = 3_600 * 1_000_000_000;

fn gpus(count: u64) -> Resources {
    Resources { gpu_milli: count * 1_000, ..Resources::default() }
}

/// A sample on a device, its amounts in shares of it.
fn on_device(device: &str, pod: &str, window: Window, requested: Share, used: Share) -> Sample {
    let mut sample = sample("n", Resource::Gpu, Some(who(pod, None)), window, (0, 0));
    sample.device = Some(DeviceId::new(device).unwrap());
    sample.requested_nano = requested.over(window);
    sample.used_nano = Some(used.over(window));
    sample
}

/// A sample on a slice of `GPU-1`, an A100 of 40 GB.
fn on_slice(
    (instance, profile, start): (u32, &str, Option<u8>),
    pod: &str,
    window: Window,
) -> Sample {
    let profile = MigDevice::of_seven(Some(40)).profile(profile).unwrap();
    let mut sample = on_device("GPU-1", pod, window, profile.share(), profile.share());
    sample.slice = Some(Slice { instance, compute_instance: None, profile, start });
    sample
}

/// What a workload is charged: in money, and in 10^-9 unit-seconds.
fn charged(metered: &Metered, workload: &str) -> (String, i128) {
    let is_its = |who: &Arc<Attribution>| who.workload.as_str() == workload;
    let charges = metered.charges.iter().filter(|c| c.attribution.as_ref().is_some_and(is_its));
    let (mut pico, mut nano) = (0, 0);
    for charge in charges {
        pico += charge.cost.pico();
        nano += charge.quantity_nano;
    }
    (farthing_model::Money::from_pico(pico, Currency::USD).to_decimal(), nano)
}

fn to(metered: &Metered, destination: Destination, detail: Option<Detail>) -> (String, i128) {
    let is_it = |c: &&farthing_model::Charge| (c.destination, c.detail) == (destination, detail);
    let (mut pico, mut nano) = (0, 0);
    for charge in metered.charges.iter().filter(is_it) {
        pico += charge.cost.pico();
        nano += charge.quantity_nano;
    }
    (farthing_model::Money::from_pico(pico, Currency::USD).to_decimal(), nano)
}

fn posted(metered: &Metered) -> i128 {
    metered.charges.iter().map(|charge| charge.cost.pico()).sum()
}

#[test]
fn four_quarters_are_one_gpu_hour() {
    let quarter = Share::declared("0.25").unwrap();
    let pods = ["a", "b", "c", "d"];
    let samples = pods.map(|pod| on_device("GPU-1", pod, hour(), quarter, quarter));
    let metered = run(hour(), &[node("n", "4 USD/h", gpus(1), hour())], &samples);
    for pod in pods {
        assert_eq!(charged(&metered, pod), ("1.00".to_owned(), GPU_HOUR / 4));
    }
    let usage = metered.usage.get(Resource::Gpu);
    assert_eq!((usage.allocated_nano(), usage.unallocated_nano), (GPU_HOUR, 0), "1.000 GPU-h");
    assert_eq!(metered.overcommits, []);
}

/// The exporter copies the use of a sliced device to each pod; whoever reads it did not split it.
#[test]
fn three_sliced_pods_that_report_the_whole_device_are_charged_at_most_one() {
    let (third, reported) = (Share::replica(3), Share::declared("0.714").unwrap());
    let samples = ["a", "b", "c"].map(|pod| on_device("GPU-1", pod, hour(), third, reported));
    // Eight GPUs: the other seven are nobody's, and no help.
    let metered = run(hour(), &[node("n", "32 USD/h", gpus(8), hour())], &samples);
    let sum: i128 = ["a", "b", "c"].iter().map(|pod| charged(&metered, pod).1).sum();
    assert_eq!(sum, GPU_HOUR);
    assert_eq!(charged(&metered, "a"), ("1.333333333334".to_owned(), GPU_HOUR / 3));
    assert_eq!(metered.usage.get(Resource::Gpu).unallocated_nano, 7 * GPU_HOUR);
    let over = &metered.overcommits[0];
    assert_eq!(over.device.as_ref().map(DeviceId::as_str), Some("GPU-1"));
    assert_eq!((metered.overcommits.len(), over.over_nano), (1, GPU_HOUR * 1_142 / 1_000));
}

#[test]
fn a_slice_costs_the_larger_of_compute_and_memory() {
    let spans = [node("n", "4 USD/h", gpus(1), hour())];
    let small = run(hour(), &spans, &[on_slice((1, "1g.5gb", None), "a", hour())]);
    let (cost, nano) = charged(&small, "a");
    assert!(cost.starts_with("0.571428571"), "{cost}");
    // A seventh of a running total: the hour has it rounded down or up.
    assert!((GPU_HOUR / 7..=GPU_HOUR / 7 + 1).contains(&nano), "{nano}");
    let large = run(hour(), &spans, &[on_slice((1, "3g.20gb", None), "a", hour())]);
    assert_eq!(charged(&large, "a"), ("2.00".to_owned(), GPU_HOUR / 2));
    // 1c.3g is a third of that instance; three of them are all of it.
    let parts = [0, 1, 2].map(|inside| {
        let mut sample = on_slice((1, "1c.3g.20gb", None), &format!("c{inside}"), hour());
        sample.slice.as_mut().unwrap().compute_instance = Some(inside);
        sample
    });
    let metered = run(hour(), &spans, &parts);
    assert_eq!(charged(&metered, "c0"), ("0.666666666667".to_owned(), GPU_HOUR / 6));
    assert_eq!(metered.usage.get(Resource::Gpu).allocated_nano(), GPU_HOUR / 2);
}

#[test]
fn a_slice_is_never_more_than_itself() {
    let spans = [node("n", "4 USD/h", gpus(1), hour())];
    // Two pods on one slice that is sliced in time, one of which reports the use of the instance
    // as if it were the device's.
    let mut greedy = on_slice((1, "1g.5gb", None), "a", hour());
    greedy.used_nano = Some(GPU_HOUR);
    greedy.requested_nano /= 2;
    let mut modest = on_slice((1, "1g.5gb", None), "b", hour());
    modest.requested_nano /= 2;
    modest.used_nano = Some(0);
    let metered = run(hour(), &spans, &[greedy, modest]);
    let slice = MigDevice::of_seven(Some(40)).profile("1g.5gb").unwrap().share();
    assert_eq!(metered.usage.get(Resource::Gpu).allocated_nano(), slice.over(hour()));
    assert_eq!(metered.overcommits.len(), 1);
}

#[test]
fn instances_that_fit_together_share_one_device_whatever_their_shares_sum_to() {
    let spans = [node("n", "4 USD/h", gpus(1), hour())];
    // 4/7 + 1/2 is more than one, and 4 + 3 compute and 4 + 4 memory slices are one device.
    let samples = [
        on_slice((1, "4g.20gb", Some(0)), "a", hour()),
        on_slice((2, "3g.20gb", Some(4)), "b", hour()),
    ];
    let metered = run(hour(), &spans, &samples);
    let (a, b) = (charged(&metered, "a").1, charged(&metered, "b").1);
    assert_eq!((a + b, a), (GPU_HOUR, GPU_HOUR * 8 / 15));
    assert_eq!(metered.overcommits, [], "this is no overcommit");
    // Another instance of four does not fit: that is one.
    let more = [&samples[..], &[on_slice((3, "4g.20gb", None), "c", hour())]].concat();
    let metered = run(hour(), &spans, &more);
    assert_eq!(metered.usage.get(Resource::Gpu).allocated_nano(), GPU_HOUR);
    assert_eq!(metered.overcommits.len(), 1);
}

#[test]
fn what_no_instance_can_use_is_fragmented_inside_unallocated() {
    let spans = [node("n", "4 USD/h", gpus(1), hour())];
    let half = window(0, 1_800);
    // One compute slice and the last memory slice are left, where no instance can start. In the
    // second half hour the last small one is gone, and there is room for one again.
    let samples = [
        on_slice((1, "3g.20gb", Some(0)), "a", hour()),
        on_slice((2, "1g.5gb", Some(4)), "b", hour()),
        on_slice((3, "1g.5gb", Some(5)), "c", hour()),
        on_slice((4, "1g.5gb", Some(6)), "d", half),
    ];
    let metered = run(hour(), &spans, &samples);
    let unallocated = metered.usage.get(Resource::Gpu).unallocated_nano;
    let (cost, fragmented) = to(&metered, Destination::Unallocated, Some(Detail::Fragmented));
    assert_eq!(fragmented, GPU_HOUR / 2 * 4 / 56, "half an hour of 1/14");
    assert!(cost.starts_with("0.14285714"), "{cost}");
    let free = to(&metered, Destination::Unallocated, None).1;
    assert_eq!(fragmented + free, unallocated, "a part of it, and not beside it");
    assert_eq!(metered.paid, usd("4"));
}

#[test]
fn claims_without_a_device_have_what_the_devices_leave() {
    let spans = [node("n", "16 USD/h", gpus(4), hour())];
    let whole = Share::WHOLE;
    let known = [
        on_device("GPU-1", "a", hour(), whole, whole),
        on_device("GPU-2", "b", hour(), Share::replica(2), Share::replica(4)),
    ];
    let loose = |name, gpus| sample("n", Resource::Gpu, Some(who(name, None)), hour(), (gpus, 0));
    // 2.5 are left for claims of 2 and 3: they are scaled, and those on devices are not.
    let samples = [&known[..], &[loose("c", 2_000), loose("d", 3_000)]].concat();
    let metered = run(hour(), &spans, &samples);
    assert_eq!(charged(&metered, "a"), ("4.00".to_owned(), GPU_HOUR));
    assert_eq!(charged(&metered, "b"), ("2.00".to_owned(), GPU_HOUR / 2));
    assert_eq!(charged(&metered, "c"), ("4.00".to_owned(), GPU_HOUR));
    assert_eq!(charged(&metered, "d"), ("6.00".to_owned(), GPU_HOUR * 3 / 2));
    let over = &metered.overcommits[0];
    assert_eq!((&over.device, over.over_nano), (&None, GPU_HOUR * 5 / 2));
    // More devices than the node has: nothing is left, and the devices share what there is.
    let samples = ["GPU-1", "GPU-2"].map(|device| on_device(device, device, hour(), whole, whole));
    let samples = [&samples[..], &[loose("c", 1_000)]].concat();
    let metered = run(hour(), &[node("n", "4 USD/h", gpus(1), hour())], &samples);
    let of = |name| charged(&metered, name).0;
    assert_eq!([of("GPU-1"), of("GPU-2"), of("c")], ["2.00", "2.00", "0.00"]);
}

/// Reserved, occupied and used, side by side in the charges.
#[test]
fn the_three_bases_are_sums_of_charges() {
    let spans = [node("n", "4 USD/h", gpus(1), hour())];
    let mut working =
        on_device("GPU-1", "a", window(0, 1_800), Share::WHOLE, Share::declared("0.5").unwrap());
    // For 20 of the 30 minutes a context is open; then the process is gone, and the pod is not.
    working.held_nano = Some(GPU_HOUR / 3);
    let unseen = on_device("GPU-1", "a", window(1_800, 2_700), Share::WHOLE, Share::replica(4));
    let metered = run(hour(), &spans, &[working, unseen]);
    let (used, _) = to(&metered, Destination::Used, None);
    let (held, _) = to(&metered, Destination::Idle, Some(Detail::Held));
    let (bare, _) = to(&metered, Destination::Idle, Some(Detail::Bare));
    let (unknown, _) = to(&metered, Destination::Idle, None);
    assert_eq!([used, held, bare, unknown], ["1.25", "0.333333333333", "0.666666666667", "0.75"]);
    assert_eq!(charged(&metered, "a").0, "3.00", "reserved");
}

/// What nobody measured is charged as it was asked for, and is neither used nor idle for sure.
#[test]
fn use_that_nobody_measured_is_unknown_and_not_nothing() {
    let spans = [node("n", "4 USD/h", gpus(1), hour())];
    let half = |name, window| Sample {
        used_nano: None,
        ..on_device("GPU-1", name, window, Share::replica(2), Share::replica(4))
    };
    let unseen = half("a", hour());
    // Of the other one it is known that nothing was on the device for a quarter of an hour.
    let mut bare = half("b", window(0, 900));
    bare.held_nano = Some(0);
    let metered = run(hour(), &spans, &[unseen, bare]);
    let (unknown, _) = to(&metered, Destination::Idle, Some(Detail::Unknown));
    let (bare, _) = to(&metered, Destination::Idle, Some(Detail::Bare));
    let (used, _) = to(&metered, Destination::Used, None);
    assert_eq!([unknown, bare, used], ["2.00", "0.50", "0.00"]);
    assert_eq!(charged(&metered, "a").0, "2.00");
    assert_eq!(charged(&metered, "b").0, "0.50");
}

/// A span of another asset than a node.
fn asset(kind: Asset, name: &str, rate: &str, window: Window) -> NodeSpan {
    let mut span = node(name, rate, Resources::default(), window);
    span.asset = kind;
    span
}

fn volume(name: &str, gib: u64, rate: &str, window: Window) -> NodeSpan {
    let mut span = asset(Asset::Volume, name, rate, window);
    span.capacity.storage_bytes = gib << 30;
    span
}

/// A mount: `gib` is what the volume holds.
fn mount(volume: &str, pod: &str, window: Window, gib: i128) -> Sample {
    let bytes = (gib << 30) * 1_000;
    sample(volume, Resource::Storage, Some(who(pod, None)), window, (0, bytes))
}

#[test]
fn a_volume_is_shared_equally_by_those_who_have_it_mounted() {
    // The claim is 40 minutes old, and the rest of the hour it is not there: its own hours count.
    let spans = [volume("pvc-1", 100, "6 USD/h", window(0, 2_400))];
    let samples = [
        mount("pvc-1", "a", window(0, 600), 50),
        mount("pvc-1", "a", window(600, 1_200), 50),
        mount("pvc-1", "b", window(600, 1_800), 50),
        mount("pvc-1", "c", window(600, 1_200), 50),
    ];
    let metered = run(hour(), &spans, &samples);
    // 10 minutes alone: 1.00. 10 minutes of three: 1/3 each. 10 minutes b alone. 10 unmounted.
    assert_eq!(metered.paid, usd("4"));
    let of = |name| charged(&metered, name).0;
    assert_eq!([of("a"), of("b")], ["1.333333333334", "1.333333333334"]);
    assert_eq!(of("c"), "0.333333333332", "the parts of a nanosecond go to the first");
    assert_eq!(to(&metered, Destination::Unallocated, None).0, "1.00", "unmounted");
    // Half of it is in use, whoever has it.
    assert!(to(&metered, Destination::Used, None).0.starts_with("1.50"));
    assert_eq!(metered.overcommits, [], "sharing is not overcommit");
    assert_eq!(metered.coverage.expected_nanos, 0, "no machine was to be looked at");
    assert!(metered.charges.iter().all(|charge| charge.asset == Asset::Volume));
}

#[test]
fn load_balancers_and_the_control_plane_are_overhead() {
    let mut balancer = asset(Asset::LoadBalancer, "lb-1", "0.025 USD/h", hour());
    balancer.held_for = Some(who("chat", Some("product")));
    let plane = asset(Asset::ControlPlane, "control-plane", "0.10 USD/h", hour());
    let metered = run(hour(), &[balancer, plane], &[]);
    assert_eq!(to(&metered, Destination::Overhead, None).0, "0.125");
    assert_eq!(charged(&metered, "chat").0, "0.025");
}

#[test]
fn the_network_is_charged_by_what_was_sent() {
    let spans = [
        asset(Asset::Network, "egress/internet", "0.09 USD/h", hour()),
        asset(Asset::Network, "egress/zone", "0.01 USD/h", hour()),
    ];
    let sent = |network: &str, pod: Option<&str>, window, bytes: i128| {
        let pod = pod.map(|pod| who(pod, None));
        let mut sample = sample(network, Resource::Network, pod, window, (0, 0));
        sample.used_nano = Some(bytes * 1_000_000_000);
        sample
    };
    let samples = [
        sent("egress/internet", Some("a"), window(0, 60), 10_000_000_000),
        sent("egress/internet", Some("a"), window(3_000, 3_060), 2_500_000_000),
        sent("egress/internet", Some("b"), window(0, 3_600), 1),
        sent("egress/internet", None, window(0, 3_600), 500_000_000),
        sent("egress/zone", Some("a"), window(0, 3_600), 100_000_000_000),
        // Nodes have no capacity of bytes, and networks none of cores.
        sample("egress/zone", Resource::Cpu, Some(who("a", None)), hour(), (1_000, 0)),
    ];
    let metered = run(hour(), &spans, &samples);
    // 12.5 GB at 0.09 and 100 GB at 0.01; one byte is 90 units of 10^-12.
    assert_eq!(charged(&metered, "a").0, "2.125");
    assert_eq!(charged(&metered, "b").0, "0.00000000009");
    assert_eq!(to(&metered, Destination::Overhead, None).0, "0.045");
    assert_eq!(posted(&metered), metered.paid.pico());
    assert_eq!(metered.usage.get(Resource::Network).paid_nano() / 1_000_000_000, 113_000_000_001);
    let [Fault::Stray { resource: Resource::Cpu, .. }] = metered.faults[..] else {
        panic!("{:?}", metered.faults)
    };
    // What was sent at an unknown price is said, and not free.
    let mut unknown = spans[0].clone();
    unknown.price = Price::Unknown("no tariff".to_owned());
    let metered = run(hour(), &[unknown], &samples[..1]);
    let quantity = metered.unpriced[0].quantity_nano.get(Resource::Network);
    assert_eq!((*quantity, metered.charges.len()), (10 * 10_i128.pow(18), 0));
}

fn a_use(window: Window) -> DeviceUse {
    let value = |thousandths| Reading::Value(PerMille::new(thousandths).unwrap());
    let profile = MigDevice::of_seven(Some(40)).profile("3g.20gb").unwrap();
    DeviceUse {
        source: SourceId::new("dcgm").unwrap(),
        node: NodeId::new("n").unwrap(),
        device: DeviceId::new("GPU-1").unwrap(),
        slice: Some(Slice { instance: 2, compute_instance: Some(0), profile, start: Some(4) }),
        attribution: Some(who("a", Some("research"))),
        share: profile.share(),
        copied_to: 2,
        window,
        rungs: Rungs::NONE
            .with(Rung::Context, value(1_000))
            .with(Rung::Engine, value(417))
            .with(Rung::Sm, Reading::Missing(Missing::Blank)),
        memory_bytes: Some(20 << 30),
        power_mw: Some(250_125),
        progress: Progress { tokens: Some(7), ..Progress::default() },
    }
}

/// Everything that the third format added is read back, and its hour verifies.
#[test]
fn the_books_keep_assets_slices_details_and_uses() {
    let mut held = on_slice((2, "3g.20gb", Some(4)), "a", hour());
    (held.used_nano, held.held_nano) = (Some(GPU_HOUR / 8), Some(GPU_HOUR / 4));
    let mut nobody = a_use(window(0, 60));
    (nobody.attribution, nobody.slice, nobody.memory_bytes) = (None, None, None);
    let mut sent = sample("egress", Resource::Network, Some(who("a", None)), hour(), (0, 0));
    sent.used_nano = Some(10_i128.pow(18));
    let segment = Segment {
        window: hour(),
        spans: vec![
            node("n", "4 USD/h", gpus(1), window(0, 3_000)),
            volume("pvc-1", 10, "0.5 USD/h", hour()),
            asset(Asset::LoadBalancer, "lb-1", "0.025 USD/h", hour()),
            asset(Asset::ControlPlane, "plane", "0.1 USD/h", hour()),
            asset(Asset::Network, "egress", "0.09 USD/h", hour()),
        ],
        samples: vec![held, mount("pvc-1", "a", window(0, 1_800), 5), sent],
        uses: vec![nobody, a_use(window(60, 120))],
    };
    let metered = run(hour(), &segment.spans, &segment.samples);
    for detail in [Detail::Held, Detail::Bare] {
        assert!(metered.charges.iter().any(|charge| charge.detail == Some(detail)), "{detail:?}");
    }
    let books = Books::in_memory();
    books.put_segment(&cluster(), &segment).unwrap();
    books.put_hour(&metered).unwrap();
    assert_eq!(books.segments(&cluster(), at(0)).unwrap(), [segment]);
    let mut back = books.charges(&cluster(), hour()).unwrap();
    let mut posted = metered.charges.clone();
    back.sort_by_key(|charge| format!("{charge:?}"));
    posted.sort_by_key(|charge| format!("{charge:?}"));
    assert_eq!(back, posted);
    let check = verify(&books, &cluster()).unwrap();
    assert!(check.ok, "{:?}", check.first_fault);
    let query = StatementQuery::of(cluster(), hour(), Currency::USD);
    let statement = statement(&books, &query).unwrap();
    assert_eq!((statement.difference, statement.paid), (usd("0"), metered.paid));
}

/// A tick across hours: what a device did holds in both, what was counted is counted once.
#[test]
fn a_use_across_hours_is_cut() {
    let across = window(3_590, 3_610);
    let (spans, samples, uses) = (vec![], vec![], vec![a_use(across)]);
    let parts: Vec<Segment> = Segment { window: across, spans, samples, uses }.by_hour().collect();
    let tokens = |segment: &Segment| segment.uses[0].progress.tokens;
    assert_eq!((tokens(&parts[0]), tokens(&parts[1])), (None, Some(7)));
    assert_eq!(parts[0].uses[0].rungs, a_use(across).rungs);
    assert_eq!(parts[0].uses[0].window, window(3_590, 3_600));
}

/// A sample of a container of a pod.
fn container(pod: &str, name: &str, window: Window, milli: (i128, i128)) -> Sample {
    let attribution = Attribution {
        pod: Some(pod.to_owned()),
        container: (!name.is_empty()).then(|| name.to_owned()),
        ..(*who(pod, None)).clone()
    };
    sample("n", Resource::Cpu, Some(attribution.into()), window, milli)
}

#[test]
fn requests_change_within_the_hour() {
    let spans = [node("n", "4 USD/h", cores(4), hour())];
    // Resized in place from 1 to 3 cores, used 2 all the time: 2 for half an hour, then 3.
    let samples = [
        container("a", "main", window(0, 1_800), (1_000, 2_000)),
        container("a", "main", window(1_800, 3_600), (3_000, 2_000)),
    ];
    let metered = run(hour(), &spans, &samples);
    assert_eq!(charged(&metered, "a").0, "2.50");
    assert_eq!(to(&metered, Destination::Used, None).0, "2.00");
}

#[test]
fn init_containers_come_before_pod_overhead_is_on_top_and_restarts_leave_a_gap() {
    let spans = [node("n", "4 USD/h", cores(4), hour())];
    let samples = [
        // 10 minutes of an init container with 2 cores, then two containers of 0.5.
        container("a", "init", window(0, 600), (2_000, 1_000)),
        container("a", "main", window(600, 1_800), (500, 100)),
        container("a", "side", window(600, 3_600), (500, 100)),
        // The first of them restarts: for 10 minutes it is not there, and asks for nothing.
        container("a", "main", window(2_400, 3_600), (500, 100)),
        // The sandbox of the pod takes 0.1 for as long as the pod is there.
        container("a", "", hour(), (100, 100)),
    ];
    let metered = run(hour(), &spans, &samples);
    // 2 x 10 + 0.5 x 40 + 0.5 x 50 + 0.1 x 60 = 71 core-minutes, each 1/60 USD.
    assert_eq!(charged(&metered, "a"), ("1.183333333333".to_owned(), 71 * 60 * 1_000_000_000));
}

#[test]
fn a_pod_that_moves_is_charged_where_it_was_at_the_price_of_the_moment() {
    let spans = [
        node("n", "4 USD/h", cores(4), window(0, 1_200)),
        // The price changes, and then the pod moves to a dearer node.
        node("n", "8 USD/h", cores(4), window(1_200, 3_600)),
        node("m", "40 USD/h", cores(4), hour()),
    ];
    let mut there = container("a", "main", window(1_800, 3_600), (1_000, 1_000));
    there.node = NodeId::new("m").unwrap();
    let here = container("a", "main", window(0, 1_800), (1_000, 1_000));
    let metered = run(hour(), &spans, &[here, there]);
    // A third of an hour at 1, a sixth at 2, half at 10 an hour and core.
    assert_eq!(charged(&metered, "a").0, "5.666666666666");
    assert_eq!(metered.paid.to_decimal(), "46.666666666667");
    assert_eq!(posted(&metered), metered.paid.pico());
}

#[test]
fn a_spot_series_is_paid_minute_by_minute() {
    let mut spans = Vec::new();
    let mut expected = 0;
    for minute in 0..60 {
        let rate = format!("0.{:03} USD/h", 300 + minute * 7);
        let span = node("n", &rate, cores(1), window(minute * 60, minute * 60 + 60));
        expected += span.price.rate().unwrap().cost(span.window).unwrap().pico();
        spans.push(span);
    }
    let job = container("a", "main", window(90, 3_600), (1_000, 250));
    let metered = run(hour(), &spans, &[job]);
    assert_eq!((metered.paid.pico(), posted(&metered)), (expected, expected));
    // Rates are 0.300 to 0.713, their mean 0.5065; it has all but the first minute and a half.
    assert_eq!(metered.paid.rounded(9), "0.506500000");
    let (unallocated, _) = to(&metered, Destination::Unallocated, None);
    assert!(unallocated.starts_with("0.007558333"), "{unallocated}");
}
