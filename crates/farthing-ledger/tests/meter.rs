//! The meter: what it charges, that it conserves, and what it says about odd input.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod world;

use farthing_ledger::{Fault, MeterError, MeterInput, Metered, meter};
use farthing_model::{
    Asset, Charge, Currency, Destination, Detail, DeviceId, Discounts, HourlyRate, ListPrice,
    MigDevice, Money, NodeId, NodeSpan, PerResource, Price, Ratio, Resource, Resources, Sample,
    Slice, SourceId, Window,
};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use world::*;

fn costs(metered: &Metered) -> [String; 4] {
    Destination::ALL.map(|destination| metered.total(destination).unwrap().to_decimal())
}

/// The seeds: a CPU at $10 a day, used 80 %, costs $8 for its use; busy 90 % of a day is U = 0.9.
#[test]
fn the_seeds_arithmetic() {
    for (percent, used, idle) in [(80, "8.00", "2.00"), (90, "9.00", "1.00")] {
        let mut totals = [Money::zero(Currency::USD); 4];
        let (mut used_nano, mut allocated_nano) = (0, 0);
        let day = window(-36_000, 50_400);
        for hour in day.by_hour() {
            // $10 a day is not a whole number of 10^-12 an hour, so the price is for 24 of them.
            let spans = [node("n", "10 USD/h", cores(1), hour)];
            let job = sample("n", Resource::Cpu, Some(who("a", None)), hour, (1_000, percent * 10));
            let metered = run(hour, &spans, &[job]);
            for (total, destination) in totals.iter_mut().zip(Destination::ALL) {
                *total = total.checked_add(metered.total(destination).unwrap()).unwrap();
            }
            let usage = metered.usage.get(Resource::Cpu);
            used_nano += usage.used_nano;
            allocated_nano += usage.allocated_nano();
        }
        assert_eq!(used_nano * 100, allocated_nano * percent, "U = {percent} %");
        let per_day = totals.map(|total| total.div_rem(24).unwrap().0.to_decimal());
        assert_eq!(per_day, [used, idle, "0.00", "0.00"]);
    }
}

#[test]
fn booting_is_overhead_and_what_nobody_measured_is_unallocated() {
    let mut first = node("n", "6 USD/h", cores(2), window(0, 1_800));
    first.ready = at(600);
    let mut second = node("n", "6 USD/h", cores(2), window(1_800, 3_600));
    second.measured = false;
    let job =
        |from, to| sample("n", Resource::Cpu, Some(who("a", None)), window(from, to), (1_000, 500));
    let metered = run(hour(), &[second, first], &[job(600, 1_200), job(1_200, 1_800)]);
    assert_eq!(metered.paid, usd("6"));
    // 10 minutes of boot: 1.00. 20 minutes with one core of two claimed: 0.50 used, 0.50 idle,
    // 1.00 unallocated, and 3.00 for the half hour without measurement.
    assert_eq!(costs(&metered), ["0.50", "0.50", "4.00", "1.00"]);
    assert_eq!(metered.coverage.ratio().unwrap().ppm(), 500_000);
    assert_eq!(metered.charges.len(), 5, "the spans are one stretch, and rows are aggregated");
    let unmeasured = metered.charges.iter().filter(|c| c.detail == Some(Detail::Unmeasured));
    assert_eq!(unmeasured.map(|c| c.cost.to_decimal()).collect::<Vec<_>>(), ["3.00"]);
    assert_eq!(metered.faults, []);
}

#[test]
fn a_claim_is_the_mean_of_the_maximum_and_not_the_maximum_of_the_mean() {
    let spans = [node("n", "4 USD/h", cores(4), hour())];
    // Half an hour 2 requested and 0 used, half an hour 0 requested and 2 used: 2 all the time.
    let samples = [
        sample("n", Resource::Cpu, Some(who("a", None)), window(0, 1_800), (2_000, 0)),
        sample("n", Resource::Cpu, Some(who("a", None)), window(1_800, 3_600), (0, 2_000)),
    ];
    assert_eq!(costs(&run(hour(), &spans, &samples)), ["1.00", "1.00", "2.00", "0.00"]);
}

#[test]
fn overcommit_is_reported_and_charged_in_proportion() {
    let spans = [node("n", "4 USD/h", cores(4), hour())];
    let (a, b) = (Some(who("a", None)), Some(who("b", None)));
    let samples = [
        sample("n", Resource::Cpu, a, hour(), (3_000, 1_000)),
        sample("n", Resource::Cpu, b, window(0, 1_800), (3_000, 2_000)),
        sample("n", Resource::Cpu, None, window(0, 1_800), (0, 2_000)),
    ];
    let metered = run(hour(), &spans, &samples);
    // First half: 8 claimed of 4, so a has 1.5 (1 used), b 1.5 (all used), the system 1.
    // Second half: a has 3 (1 used), 1 is unallocated.
    assert_eq!(metered.paid, usd("4"));
    assert_eq!(costs(&metered), ["1.75", "1.25", "0.50", "0.50"]);
    let over = &metered.overcommits[..];
    assert_eq!((over.len(), over[0].window), (1, window(0, 1_800)));
    assert_eq!(over[0].over_nano, 4 * 1_800 * 1_000_000_000);
}

/// A fifth off accelerators and half off cores: each resource's charges are that much below its
/// list, and both sums are whole.
#[test]
fn a_contract_takes_off_each_resource_what_it_says() {
    let capacity = Resources {
        gpu_milli: 2_000,
        cpu_milli: 10_000,
        memory_bytes: 100 << 30,
        storage_bytes: 1_000 << 30,
    };
    // 2 x 2.50 + 10 x 0.03 + 100 x 0.004 + 1000 x 0.0001 = 5.80; 4.00 + 0.15 + 0.40 + 0.10 = 4.65.
    let mut span = node("n", "4.65 USD/h", capacity, hour());
    let off = PerResource::from_fn(|resource| match resource {
        Resource::Gpu => Ratio::from_ppm(200_000),
        Resource::Cpu => Ratio::from_ppm(500_000),
        _ => Ratio::ZERO,
    });
    let before: HourlyRate = "5.80 USD/h".parse().unwrap();
    let list = ListPrice { rate: before, discounts: Some(Discounts { before, off }) };
    let gpu = list.contracted("4.65 USD/h".parse().unwrap(), Resource::Gpu).unwrap();
    assert_eq!(gpu.to_string(), "4.64 USD/h", "a fifth less for accelerators");
    let Price::Known(_, from) = &mut span.price else { panic!() };
    from.list = Some(Arc::new(list));
    let job = sample("n", Resource::Gpu, Some(who("a", None)), hour(), (1_000, 1_000));
    let metered = run(hour(), &[span], &[job]);
    assert_eq!((metered.paid, metered.list), (usd("4.65"), usd("5.80")));
    let of: Vec<_> = metered
        .charges
        .iter()
        .map(|it| (it.resource.name(), it.cost.to_decimal(), it.list_cost.to_decimal()))
        .collect();
    let line = |resource, cost: &str, list: &str| (resource, cost.to_owned(), list.to_owned());
    let expected = [
        line("gpu", "2.00", "2.50"),
        line("gpu", "2.00", "2.50"),
        line("cpu", "0.15", "0.30"),
        line("memory", "0.40", "0.40"),
        line("storage", "0.10", "0.10"),
    ];
    assert_eq!(of, expected);
}

#[test]
fn an_unknown_price_is_never_zero_and_never_a_charge() {
    let mut unknown = node("a", "1 USD/h", cores(2), hour());
    unknown.price = Price::Unknown("not in the price book".to_owned());
    let euros = node("b", "1 EUR/h", cores(2), hour());
    let job = sample("a", Resource::Cpu, Some(who("a", None)), hour(), (1_000, 1_000));
    let metered = run(hour(), &[unknown, euros], &[job]);
    assert_eq!((metered.charges.len(), metered.paid), (0, usd("0")));
    let why: Vec<_> = metered.unpriced.iter().map(|unpriced| unpriced.why.as_str()).collect();
    assert_eq!(why, ["not in the price book", "priced in EUR, and these books are in USD"]);
    let quantity = *metered.unpriced[0].quantity_nano.get(Resource::Cpu);
    assert_eq!(quantity, 2 * 3_600 * 1_000_000_000);
    assert_eq!(metered.faults, [], "its use is not astray");
}

#[test]
fn the_same_measurement_counts_once() {
    let spans = [node("n", "4 USD/h", cores(4), hour())];
    let job = sample("n", Resource::Cpu, Some(who("a", None)), hour(), (2_000, 1_000));
    let mut replica = job.clone();
    replica.source = SourceId::new("second").unwrap();
    let mut device = job.clone();
    device.device = Some(DeviceId::new("GPU-1").unwrap());
    let other = run(hour(), &spans, &[job.clone(), device]);
    assert_eq!((other.duplicates, costs(&other)[0].as_str()), (0, "2.00"), "another device");
    let once = run(hour(), &spans, std::slice::from_ref(&job));
    let twice = run(hour(), &[spans[0].clone(), spans[0].clone()], &[replica, job.clone(), job]);
    assert_eq!((once.duplicates, twice.duplicates), (0, 2));
    assert_eq!(once.charges, twice.charges);
    // Half overlapping: only what is new counts.
    let half = |from, to| {
        sample("n", Resource::Cpu, Some(who("a", None)), window(from, to), (2_000, 1_000))
    };
    let overlap = run(hour(), &spans, &[half(0, 2_400), half(1_200, 3_600)]);
    assert_eq!((overlap.duplicates, &overlap.charges), (1, &once.charges));
}

#[test]
fn odd_input_is_named_and_the_rest_goes_on() {
    let mut other = node("n", "8 USD/h", cores(4), window(1_800, 3_600));
    let spans = [node("n", "4 USD/h", cores(4), window(0, 2_700)), other.clone()];
    let a = Some(who("a", None));
    let mut negative = sample("n", Resource::Cpu, a.clone(), hour(), (1_000, 1_000));
    negative.used_nano = Some(-1);
    let samples = [
        negative,
        sample("gone", Resource::Cpu, a.clone(), window(0, 10), (1_000, 1_000)),
        sample("gone", Resource::Cpu, a.clone(), window(10, 20), (1_000, 1_000)),
        sample("n", Resource::Cpu, a, window(0, 900), (4_000, 4_000)),
    ];
    let metered = run(hour(), &spans, &samples);
    // 45 minutes at 4 and then 15 at 8: the time of a node is paid once.
    assert_eq!((metered.paid, costs(&metered)[0].as_str()), (usd("5"), "1.00"));
    let faults: Vec<_> = metered.faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "node n has two different spans in 2026-03-01T10:30:00Z/2026-03-01T10:45:00Z; the \
             earlier stands",
            "test measured an impossible amount of cpu on node n in \
             2026-03-01T10:00:00Z/2026-03-01T11:00:00Z",
            "use of cpu on node gone while it was not paid, ready and measured",
        ]
    );
    let Fault::Stray { quantity_nano, .. } = &metered.faults[2] else { panic!("a stray") };
    assert_eq!(*quantity_nano, 20 * 1_000_000_000);
    other.capacity = Resources::default();
    let paid = run(hour(), &[other], &[]);
    assert_eq!(costs(&paid), ["0.00", "0.00", "0.00", "4.00"], "nothing to sell is overhead");
}

#[test]
fn a_window_across_hours_is_refused() {
    let (cluster, weights) = (cluster(), weights());
    let window = window(3_599, 3_601);
    let (currency, cluster) = (Currency::USD, &cluster);
    let input =
        MeterInput { cluster, window, currency, spans: &[], samples: &[], weights: &weights };
    assert_eq!(meter(&input), Err(MeterError::Window(window)));
}

/// A whole hour of a busy machine: 200 processes, 360 ticks.
#[test]
fn a_busy_hour_is_metered_exactly() {
    let mut spans = Vec::new();
    let mut samples = Vec::new();
    for tick in 0..360 {
        let tick = window(tick * 10, tick * 10 + 10);
        spans.push(node("n", "3.6 USD/h", cores(100), tick));
        for process in 0..200_i128 {
            let who = Some(who(&format!("process:{process}"), None));
            samples.push(sample("n", Resource::Cpu, who, tick, (0, process)));
        }
    }
    let metered = run(hour(), &spans, &samples);
    assert_eq!(metered.charges.len(), 199 + 1, "one row each, none for the one that did nothing");
    assert_eq!(costs(&metered), ["0.7164", "0.00", "2.8836", "0.00"], "19.9 cores of 100");
}

/// A random hour: nodes with spans, and samples anywhere.
#[derive(Clone, Debug)]
struct Timeline {
    spans: Vec<NodeSpan>,
    samples: Vec<Sample>,
}

fn a_node(index: usize) -> impl Strategy<Value = Vec<NodeSpan>> {
    let span = (1_i64..900, 0_i64..900, any::<bool>(), 0_usize..3);
    let spans = prop::collection::vec(span, 1..5);
    (spans, 0_u64..4, 0_u64..64_000, 0_u64..1 << 40, 0_i64..1_000, 0_i64..4).prop_map(
        move |(parts, gpus, cpu_milli, memory_bytes, start, gap)| {
            let gpu_milli = gpus * 1_000;
            let storage_bytes = memory_bytes / 3;
            let capacity = Resources { gpu_milli, cpu_milli, memory_bytes, storage_bytes };
            let rates = ["0 USD/h", "1.234567890123 USD/h", "98.32 USD/h"];
            let mut from = start - 200;
            let mut spans = Vec::new();
            for (length, boot, measured, rate) in parts {
                let window = window(from, from + length);
                let mut span = node(&format!("n{index}"), rates[rate], capacity, window);
                span.ready = at(from + boot - 450);
                span.measured = measured || boot % 3 > 0;
                spans.push(span);
                from += length + gap;
            }
            spans
        },
    )
}

fn a_sample() -> impl Strategy<Value = Sample> {
    let amounts = (0_i128..80_000, 0_i128..80_000, any::<bool>());
    (0_usize..3, 0_usize..4, 0_usize..5, -300_i64..3_500, 1_i64..600, amounts).prop_map(
        |(node, resource, attribution, from, length, (requested, used, huge))| {
            let attribution =
                (attribution > 0).then(|| who(&format!("w{attribution}"), Some("team")));
            let scale = match Resource::ALL[resource] {
                Resource::Memory | Resource::Storage => 1 << 34,
                Resource::Gpu if huge => 1,
                _ => 0,
            };
            let amounts = (requested * scale.max(1) / 7, used * scale.max(1) / 13);
            let window = window(from, from + length);
            let mut sample =
                sample(&format!("n{node}"), Resource::ALL[resource], attribution, window, amounts);
            sample.used_nano = sample.used_nano.map(|used| used + i128::from(length % 7));
            if Resource::ALL[resource] == Resource::Gpu {
                place(&mut sample, requested, length);
            }
            if length % 3 > 0 {
                sample.held_nano = Some(sample.requested_nano / 2);
            }
            if length % 11 == 0 {
                sample.used_nano = None;
            }
            sample
        },
    )
}

/// Puts a sample on no device, one of three, or a slice of the third.
fn place(sample: &mut Sample, seed: i128, length: i64) {
    let device = seed % 4;
    let name = format!("{}-GPU-{device}", sample.node);
    sample.device = (device > 0).then(|| DeviceId::new(&name).unwrap());
    if device < 3 {
        return;
    }
    let names = ["1g.5gb", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "1c.3g.20gb"];
    let name = names[usize::try_from(seed / 4 % 6).unwrap()];
    let profile = MigDevice::of_seven(Some(40)).profile(name).unwrap();
    let instance = u32::try_from(length % 5).unwrap();
    // Where it stands is sometimes known, and sometimes wrong.
    let start = (length % 2 == 0).then(|| u8::try_from(length % 7).unwrap());
    sample.slice = Some(Slice { instance, compute_instance: None, profile, start });
    if length % 4 > 0 {
        sample.requested_nano = profile.share().over(sample.window);
        sample.used_nano = Some(sample.requested_nano / 3);
    }
}

/// A volume and a network beside the nodes, and who used them.
fn beside() -> impl Strategy<Value = Timeline> {
    let mount = (1_usize..5, -300_i64..3_500, 1_i64..2_000, 0_i128..1 << 44);
    let sent = (0_usize..5, -300_i64..3_500, 1_i64..600, 0_i128..1 << 70);
    let spans = prop::collection::vec((1_i64..2_000, 0_usize..3), 1..4);
    let samples = (prop::collection::vec(mount, 0..8), prop::collection::vec(sent, 0..8));
    (spans, samples, -200_i64..2_000).prop_map(|(parts, (mounts, sent), mut from)| {
        let mut timeline = Timeline { spans: vec![], samples: vec![] };
        for (length, rate) in parts {
            let rate = ["0 USD/h", "0.000136986301 USD/h", "0.09 USD/h"][rate];
            let window = window(from, from + length);
            let capacity = Resources { storage_bytes: 123_456_789_012, ..Resources::default() };
            let mut volume = node("v", rate, capacity, window);
            volume.asset = Asset::Volume;
            let mut network = node("x", rate, Resources::default(), window);
            network.asset = Asset::Network;
            let mut balancer = node("lb", rate, Resources::default(), window);
            balancer.asset = Asset::LoadBalancer;
            timeline.spans.extend([volume, network, balancer]);
            from += length;
        }
        let who = |index: usize| (index > 0).then(|| who(&format!("w{index}"), None));
        for (pod, from, length, used) in mounts {
            let window = window(from, from + length);
            let mut mount = sample("v", Resource::Storage, who(pod), window, (0, 0));
            mount.used_nano = Some(used << 20);
            timeline.samples.push(mount);
        }
        for (pod, from, length, bytes) in sent {
            let window = window(from, from + length);
            let mut sent = sample("x", Resource::Network, who(pod), window, (0, 0));
            sent.used_nano = Some(bytes);
            timeline.samples.push(sent);
        }
        timeline
    })
}

fn timeline() -> impl Strategy<Value = Timeline> {
    let nodes = (a_node(0), a_node(1), a_node(2)).prop_map(|(a, b, c)| [a, b, c].concat());
    let lists = prop::collection::vec(0_u32..4_000_000, 4);
    (nodes, prop::collection::vec(a_sample(), 0..40), beside(), lists).prop_map(
        |(spans, samples, beside, lists)| {
            let mut spans = [spans, beside.spans].concat();
            for (span, seed) in spans.iter_mut().zip(lists.iter().cycle()) {
                listed(span, *seed);
            }
            Timeline { spans, samples: [samples, beside.samples].concat() }
        },
    )
}

/// Puts the price of a list beside that of a span, or none, with or without discounts.
fn listed(span: &mut NodeSpan, seed: u32) {
    let Price::Known(net, from) = &mut span.price else { return };
    let pico = |parts: i128| net.per_hour().pico() * parts / 7;
    let rate = |parts| HourlyRate::new(Money::from_pico(pico(parts), Currency::USD)).unwrap();
    let off = PerResource::from_fn(|resource| {
        Ratio::from_ppm(seed.wrapping_mul(resource as u32 + 1) % 1_000_001)
    });
    let discounts = seed.is_multiple_of(3).then(|| Discounts { before: rate(9), off });
    from.list =
        (!seed.is_multiple_of(4)).then(|| Arc::new(ListPrice { rate: rate(11), discounts }));
}

/// What each stretch would cost at its list price, and what its charges say that it would.
fn lists(charges: &[Charge]) -> Vec<(i128, i128)> {
    let same = |a: &Charge, b: &Charge| (&a.node, a.window) == (&b.node, b.window);
    let of = |charges: &[Charge]| {
        let first = &charges[0];
        let list = first.provenance.list.as_ref();
        let rate = list.map_or(first.node_rate, |list| list.rate);
        let sent = charges.iter().map(|charge| charge.quantity_nano).sum();
        let whole = first.asset.cost(rate, first.window, sent).unwrap().pico();
        (whole, charges.iter().map(|charge| charge.list_cost.pico()).sum())
    };
    charges.chunk_by(same).map(of).collect()
}

/// Paid per node, straight from rates and times: the spans of a node do not overlap here. Of the
/// network, from rates and what was charged as sent at that rate.
fn paid(spans: &[NodeSpan], within: Window, charges: &[Charge]) -> BTreeMap<NodeId, i128> {
    let mut paid = BTreeMap::new();
    let mut rates: Vec<HourlyRate> = Vec::new();
    for span in spans {
        let Some(window) = span.window.intersect(within) else { continue };
        let rate = span.price.rate().unwrap();
        if span.asset != Asset::Network {
            let cost = rate.cost(window).unwrap();
            *paid.entry(span.node.clone()).or_default() += cost.pico();
        } else if !rates.contains(&rate) {
            rates.push(rate);
            let its = charges.iter().filter(|c| c.asset == Asset::Network && c.node_rate == rate);
            // Stretches of one rate that do not touch are rounded apart.
            let mut sent: BTreeMap<Window, i128> = BTreeMap::new();
            for charge in its {
                *sent.entry(charge.window).or_default() += charge.quantity_nano;
            }
            for (window, nano) in sent {
                let cost = Asset::Network.cost(rate, window, nano).unwrap().pico();
                *paid.entry(span.node.clone()).or_default() += cost;
            }
        }
    }
    paid
}

/// What of all bytes sent lies where a network was paid, in 10^-9: cut like everything else, so
/// that rounding is less than one for each sample and stretch.
fn sent(timeline: &Timeline) -> i128 {
    let mut sum = 0;
    let mut measured: BTreeMap<_, i64> = BTreeMap::new();
    let mut samples: Vec<&Sample> =
        timeline.samples.iter().filter(|s| s.resource == Resource::Network).collect();
    samples.sort_by_key(|s| (s.window, s.used_nano));
    for sample in samples {
        let until = measured.entry(&sample.attribution).or_insert(i64::MIN);
        let from = sample.window.from().as_second().max(*until);
        let to = sample.window.to().as_second();
        *until = to.max(*until);
        for span in timeline.spans.iter().filter(|span| span.asset == Asset::Network) {
            let inside = span.window.intersect(hour());
            let Some(inside) = inside else { continue };
            let (from, to) = (from.max(inside.from().as_second()), to.min(inside.to().as_second()));
            let length = sample.window.nanos() / 1_000_000_000;
            sum += sample.known_use() * i128::from((to - from).max(0)) / length;
        }
    }
    sum
}

fn posted(charges: &[Charge]) -> BTreeMap<NodeId, i128> {
    let mut posted = BTreeMap::new();
    for charge in charges {
        *posted.entry(charge.node.clone()).or_default() += charge.cost.pico();
    }
    posted
}

/// What was charged of each resource of each node.
fn quantities(charges: &[Charge]) -> BTreeMap<(NodeId, Resource), i128> {
    let mut quantities = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.quantity_nano > 0) {
        *quantities.entry((charge.node.clone(), charge.resource)).or_default() +=
            charge.quantity_nano;
    }
    quantities
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// PRODUCT row 3: 10,000 random timelines, parts = whole, to the unit.
    #[test]
    fn random_timelines_conserve(timeline in timeline()) {
        let Timeline { spans, samples } = &timeline;
        let metered = run(hour(), spans, samples);
        let mut paid = paid(spans, hour(), &metered.charges);
        let posted = posted(&metered.charges);
        // A free network of which nothing was sent has no charge.
        paid.retain(|node, pico| *pico != 0 || posted.contains_key(node));
        prop_assert_eq!(metered.paid.pico(), paid.values().sum::<i128>());
        prop_assert_eq!(posted, paid);
        let (given, sent) = (metered.usage.get(Resource::Network).paid_nano(), sent(&timeline));
        prop_assert!((given - sent).abs() <= 100, "{} sent, {} charged", sent, given);
        for resource in Resource::ALL {
            let mut capacity = 0;
            for span in spans {
                let Some(window) = span.window.intersect(hour()) else { continue };
                capacity += span.capacity.nano(resource) * window.nanos() / 1_000_000_000;
            }
            let of = |charge: &&Charge| charge.resource == resource;
            let charged = metered.charges.iter().filter(of);
            let quantity: i128 = charged.map(|charge| charge.quantity_nano).sum();
            prop_assert_eq!(quantity, capacity);
            prop_assert_eq!(metered.usage.get(resource).paid_nano(), capacity);
        }
        let of_lists = lists(&metered.charges);
        prop_assert!(of_lists.iter().all(|(whole, parts)| whole == parts), "{:?}", of_lists);
        let whole = of_lists.iter().map(|(whole, _)| *whole).sum::<i128>();
        prop_assert_eq!(metered.list.pico(), whole);
        for charge in &metered.charges {
            prop_assert!(charge.quantity_nano >= 0 && !charge.cost.is_negative());
            prop_assert!(!charge.list_cost.is_negative());
            let (list_cost, cost) = (charge.list_cost.pico(), charge.cost.pico());
            match charge.provenance.list.as_deref() {
                None => prop_assert_eq!(list_cost, cost),
                Some(list) if list.discounts.is_none() => {
                    let (of_list, of_node) = (list.rate.per_hour(), charge.node_rate.per_hour());
                    let is_dearer = of_list.pico() < of_node.pico();
                    prop_assert!(is_dearer || list_cost >= cost, "{:?}", charge);
                }
                Some(_) => {}
            }
            let owned = matches!(charge.destination, Destination::Used | Destination::Idle);
            prop_assert_eq!(owned, charge.attribution.is_some());
            let of = charge.detail.map_or(charge.destination, Detail::destination);
            prop_assert_eq!(of, charge.destination);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_order_of_the_input_does_not_matter(
        (timeline, spans, samples) in timeline().prop_flat_map(|timeline| {
            let spans = Just(timeline.spans.clone()).prop_shuffle();
            let samples = Just(timeline.samples.clone()).prop_shuffle();
            (Just(timeline), spans, samples)
        }),
    ) {
        let sorted = run(hour(), &timeline.spans, &timeline.samples);
        prop_assert_eq!(&sorted, &run(hour(), &spans, &samples));
        // Everything twice, of which the one half is shuffled, is everything once.
        let spans = [&spans[..], &timeline.spans].concat();
        let samples = [&samples[..], &timeline.samples].concat();
        let twice = run(hour(), &spans, &samples);
        prop_assert_eq!(sorted.charges, twice.charges);
        prop_assert_eq!((sorted.paid, sorted.usage), (twice.paid, twice.usage));
    }

    /// However many claims are on one device, it is one device.
    #[test]
    fn a_device_is_never_more_than_one(
        samples in prop::collection::vec((a_sample(), 0_i128..1_000), 1..30),
    ) {
        let mut samples: Vec<(Sample, i128)> = samples;
        for (sample, seed) in &mut samples {
            sample.node = NodeId::new("n").unwrap();
            sample.resource = Resource::Gpu;
            let length = i64::try_from(sample.window.nanos() / 1_000_000_000).unwrap();
            place(sample, *seed * 4 + 3, length);
        }
        let samples: Vec<Sample> = samples.into_iter().map(|(sample, _)| sample).collect();
        let capacity = Resources { gpu_milli: 8_000, ..Resources::default() };
        let metered = run(hour(), &[node("n", "32 USD/h", capacity, hour())], &samples);
        let usage = metered.usage.get(Resource::Gpu);
        let one = 3_600 * 1_000_000_000;
        prop_assert!(usage.allocated_nano() + usage.overhead_nano <= one);
        prop_assert_eq!(usage.paid_nano(), 8 * one);
    }

    /// Metering the parts of a window, or spans cut into ticks, gives each node the same money.
    #[test]
    fn how_the_time_is_cut_does_not_matter(
        timeline in timeline(), cuts in prop::collection::btree_set(1_i64..3_600, 0..8),
    ) {
        let Timeline { spans, samples } = &timeline;
        let whole = run(hour(), spans, samples);
        let edges: Vec<i64> = [0].into_iter().chain(cuts).chain([3_600]).collect();
        let mut posted_in_parts: BTreeMap<NodeId, i128> = BTreeMap::new();
        let mut quantities_in_parts: BTreeMap<(NodeId, Resource), i128> = BTreeMap::new();
        let mut ticks = Vec::new();
        for pair in edges.windows(2) {
            let part = window(pair[0], pair[1]);
            let metered = run(part, spans, samples);
            for (node, pico) in posted(&metered.charges) {
                *posted_in_parts.entry(node).or_default() += pico;
            }
            for (key, nano) in quantities(&metered.charges) {
                *quantities_in_parts.entry(key).or_default() += nano;
            }
            for span in spans {
                if let Some(window) = span.window.intersect(part) {
                    ticks.push(NodeSpan { window, ..span.clone() });
                }
            }
        }
        let mut parts = posted_in_parts.clone();
        let mut posted = posted(&whole.charges);
        // Bytes have no running total: each part is rounded down for itself.
        let network = NodeId::new("x").unwrap();
        let sent = [posted.remove(&network), parts.remove(&network)].map(Option::unwrap_or_default);
        prop_assert!((0..=100).contains(&(sent[0] - sent[1])), "{:?}", sent);
        prop_assert_eq!(posted, parts);
        let mut given = quantities(&whole.charges);
        let sent = (network, Resource::Network);
        let sent = [given.remove(&sent), quantities_in_parts.remove(&sent)];
        let sent = sent.map(Option::unwrap_or_default);
        prop_assert!((sent[0] - sent[1]).abs() <= 100, "{:?}", sent);
        prop_assert_eq!(given, quantities_in_parts);
        // Spans cut into ticks are put together again, so that even the rows are the same.
        prop_assert_eq!(whole.charges, run(hour(), &ticks, samples).charges);
    }

    /// Against second by second arithmetic, where no claim is over capacity.
    #[test]
    fn used_and_idle_are_what_the_samples_say(
        samples in prop::collection::vec(
            (0_i64..3_000, 1_i64..600, 0_i128..100, 0_i128..100, 0_usize..6), 0..40,
        ),
    ) {
        let mut given = Vec::new();
        let mut expected: BTreeMap<String, (i128, i128)> = BTreeMap::new();
        for (index, (from, length, requested, used, name)) in samples.into_iter().enumerate() {
            // Every sample has its own container, so that none repeats another's time.
            let mut attribution = (*who(&format!("w{name}"), None)).clone();
            attribution.container = Some(index.to_string());
            let window = window(from, from + length);
            let mut sample =
                sample("n", Resource::Cpu, Some(attribution.into()), window, (0, 0));
            let second = 1_000_000;
            sample.requested_nano = requested * second * i128::from(length);
            sample.used_nano = Some(used * second * i128::from(length));
            let sums = expected.entry(format!("w{name}")).or_default();
            for _ in 0..length {
                sums.0 += used * second;
                sums.1 += (requested - used).max(0) * second;
            }
            given.push(sample);
        }
        let metered = run(hour(), &[node("n", "1 USD/h", cores(4), hour())], &given);
        let mut sums: BTreeMap<String, (i128, i128)> = BTreeMap::new();
        for charge in &metered.charges {
            let Some(attribution) = &charge.attribution else { continue };
            let sums = sums.entry(attribution.workload.to_string()).or_default();
            match charge.destination {
                Destination::Used => sums.0 += charge.quantity_nano,
                _ => sums.1 += charge.quantity_nano,
            }
        }
        expected.retain(|_, sums| *sums != (0, 0));
        prop_assert_eq!(sums, expected);
        prop_assert!(metered.overcommits.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// What is kept is metered from the books as it is from memory, in all that is said of it.
    #[test]
    fn books_meter_what_they_keep(timeline in timeline()) {
        let Timeline { spans, samples } = timeline;
        let books = farthing_ledger::Books::in_memory();
        let segment = farthing_ledger::Segment { window: hour(), spans, samples, uses: vec![] };
        books.put_segment(&cluster(), &segment).unwrap();
        let segments = books.segments(&cluster(), at(0)).unwrap();
        let spans: Vec<_> = segments.iter().flat_map(|one| one.spans.clone()).collect();
        let samples: Vec<_> = segments.iter().flat_map(|one| one.samples.clone()).collect();
        let metered = run(hour(), &spans, &samples);
        let (window, currency) = (hour(), Currency::USD);
        let method = farthing_ledger::Method::default();
        let again = farthing_ledger::Again { window, currency, method, weights: &weights() };
        prop_assert_eq!(books.meter_kept(&cluster(), again).unwrap(), metered);
    }
}

/// The part of what was measured that lies in a window, with amounts cut so that they sum.
fn tick_of(timeline: &Timeline, part: Window) -> farthing_ledger::Segment {
    let Timeline { spans, samples } = timeline;
    let spans = spans
        .iter()
        .filter_map(|span| Some(NodeSpan { window: span.window.intersect(part)?, ..span.clone() }));
    let samples = samples.iter().filter_map(|sample| {
        let window = sample.window.intersect(part)?;
        let until = |nano: i128, at: Timestamp| {
            let passed = at.as_nanosecond() - sample.window.from().as_nanosecond();
            nano * passed / sample.window.nanos()
        };
        let cut = |nano| until(nano, window.to()) - until(nano, window.from());
        Some(Sample {
            window,
            requested_nano: cut(sample.requested_nano),
            used_nano: sample.used_nano.map(cut),
            held_nano: sample.held_nano.map(cut),
            ..sample.clone()
        })
    });
    let (spans, samples) = (spans.collect(), samples.collect());
    farthing_ledger::Segment { window: part, spans, samples, uses: vec![] }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// An hour that is metered tick by tick is, in all that is said of it, after each tick what
    /// metering all telemetry at once makes of it; only odd nodes are looked at again.
    #[test]
    fn an_hour_is_what_its_ticks_come_to(
        timeline in timeline(),
        cuts in prop::collection::btree_set(1_i64..3_600, 0..8),
        gap in 0_usize..12,
    ) {
        let edges: Vec<i64> = [0].into_iter().chain(cuts).chain([3_600]).collect();
        let mut running = farthing_ledger::Running::default();
        let (mut spans, mut samples) = (Vec::new(), Vec::new());
        for (index, pair) in edges.windows(2).enumerate() {
            // Sometimes nobody looked for a while.
            if index == gap {
                continue;
            }
            let tick = tick_of(&timeline, window(pair[0], pair[1]));
            let weights = weights();
            let input = MeterInput {
                cluster: &cluster(),
                window: tick.window,
                currency: Currency::USD,
                spans: &tick.spans,
                samples: &tick.samples,
                weights: &weights,
            };
            let alone = running.add(&input).unwrap();
            prop_assert_eq!(alone, run(tick.window, &tick.spans, &tick.samples));
            prop_assert!(running.add(&input).is_err(), "a tick is added once");
            spans.extend(tick.spans.clone());
            samples.extend(tick.samples.clone());
            let kept = |is_asked: &dyn Fn(&str) -> bool| {
                let asked = samples.iter().filter(|sample| is_asked(sample.node.as_str()));
                Ok::<_, std::convert::Infallible>(asked.cloned().collect())
            };
            let metered = running.metered(&input, kept).unwrap();
            prop_assert_eq!(metered, run(running.window().unwrap(), &spans, &samples));
        }
    }
}

/// What a pod that asks for thousandths of a resource asks for over a part of its life: parts sum.
fn asked(milli: i128, part: Window) -> i128 {
    let until = |at: Timestamp| milli * at.as_nanosecond() / 1_000;
    until(part.to()) - until(part.from())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Pods that ask for what a node has, or less, whenever they come and go: the charges are the
    /// same however the hour is cut into ticks, and no telemetry is read again for them.
    #[test]
    fn pods_that_fit_are_charged_alike_however_often_one_looks(
        pods in prop::collection::vec((0_i64..3_600_000_000_000, 1_i64..3_600_000_000_000), 1..12),
        shares in prop::collection::vec(1_i128..1_000, 12),
        cuts in prop::collection::btree_set(1_i64..3_600_000_000_000, 0..20),
        is_full in any::<bool>(),
    ) {
        let nanos = |nano: i64| at(0) + jiff::SignedDuration::from_nanos(nano);
        // Together they ask for all, or for nearly all.
        let sum: i128 = shares[..pods.len()].iter().sum();
        let cores_milli = 4_000 * i128::from(is_full) + 3_999 * i128::from(!is_full);
        let milli = |index: usize| shares[index] * cores_milli / sum;
        let measure = |part: Window| {
            let spans = vec![node("n", "1.234567890123 USD/h", cores(4), part)];
            let samples = pods.iter().enumerate().filter_map(|(index, (from, length))| {
                let end = (from + length).min(3_600_000_000_000);
                let window = Window::new(nanos(*from), nanos(end)).ok()?.intersect(part)?;
                let who = Some(who(&format!("w{index}"), None));
                let mut one = sample("n", Resource::Cpu, who, window, (0, 0));
                (one.requested_nano, one.used_nano) = (asked(milli(index), window), None);
                Some(one)
            });
            (spans, samples.collect::<Vec<_>>())
        };
        let whole = measure(hour());
        let whole = run(hour(), &whole.0, &whole.1);
        let edges: Vec<i64> = [0].into_iter().chain(cuts).chain([3_600_000_000_000]).collect();
        let weights = weights();
        let mut running = farthing_ledger::Running::default();
        let cluster = cluster();
        let mut input = MeterInput {
            cluster: &cluster,
            window: hour(),
            currency: Currency::USD,
            spans: &[],
            samples: &[],
            weights: &weights,
        };
        let mut all = (Vec::new(), Vec::new());
        for pair in edges.windows(2) {
            let window = Window::new(nanos(pair[0]), nanos(pair[1])).unwrap();
            let (spans, samples) = measure(window);
            running.add(&MeterInput { window, spans: &spans, samples: &samples, ..input }).unwrap();
            all.0.extend(spans);
            all.1.extend(samples);
        }
        input.spans = &[];
        let mut looked = 0;
        let kept = |_: &dyn Fn(&str) -> bool| {
            looked += 1;
            Ok::<_, std::convert::Infallible>(all.1.clone())
        };
        let metered = running.metered(&input, kept).unwrap();
        prop_assert_eq!(&metered, &run(hour(), &all.0, &all.1));
        if !is_full {
            prop_assert_eq!(looked, 0);
            prop_assert_eq!(metered.charges, whole.charges);
        }
    }
}
