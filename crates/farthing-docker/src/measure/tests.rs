//! What the machine counted is divided, and its sums stay.

use super::*;
use crate::share::tests::{shape, shares};
use farthing_model::{Asset, Currency, Money, NodeId, OfferId, Purchase, WorkloadId};
use jiff::Timestamp;
use proptest::prelude::*;

const ID: &str = "0123456789abcdef";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn window(from: i64, to: i64) -> Window {
    Window::new(at(from), at(to)).unwrap()
}

fn source(name: &str) -> SourceId {
    SourceId::new(name).unwrap()
}

fn who(workload: &str, container: Option<&str>) -> Attribution {
    Attribution {
        container: container.map(str::to_owned),
        ..Attribution::of(WorkloadId::new(workload).unwrap())
    }
}

fn sample(
    workload: &str,
    container: Option<&str>,
    resource: Resource,
    amounts: (i128, i128),
) -> Sample {
    Sample {
        source: source("cgroup"),
        node: NodeId::new("box").unwrap(),
        device: None,
        slice: None,
        attribution: Some(Arc::new(who(workload, container))),
        resource,
        window: window(0, 10),
        requested_nano: amounts.0,
        used_nano: Some(amounts.1),
        held_nano: None,
    }
}

fn span() -> NodeSpan {
    let shares = shares();
    NodeSpan {
        node: NodeId::new("box").unwrap(),
        asset: Asset::Node,
        offer: OfferId::new("local/box/machine/owned").unwrap(),
        place: shares.place.clone(),
        instance_type: "machine".to_owned(),
        purchase: Purchase::Owned,
        capacity: shares.capacity,
        price: shares.price.clone(),
        window: window(0, 10),
        ready: at(0),
        held_for: None,
        measured: true,
    }
}

fn piece(id: &str, cpu_milli: u64, window: Window) -> Piece {
    Piece {
        id: id.to_owned(),
        node: NodeId::new(&format!("box/{id}")).unwrap(),
        offer: OfferId::new("o").unwrap(),
        who: Arc::new(who("train", Some("farthing.p1-1.0"))),
        shape: shape(cpu_milli, 1 << 30),
        window,
    }
}

fn divided(samples: Vec<Sample>, pieces: &[Piece], look: &Look) -> (Measured, Others) {
    let mut measured = Measured { spans: vec![span()], samples, ..Measured::default() };
    let (shares, source) = (shares(), source("docker"));
    let division = Division { look, pieces, shares: &shares, source: &source };
    let others = division.divide(&mut measured);
    (measured, others)
}

fn used(measured: &Measured, node: &str, resource: Resource) -> Vec<(String, i128, Option<i128>)> {
    let here =
        measured.samples.iter().filter(|it| it.node.as_str() == node && it.resource == resource);
    let name =
        |it: &Sample| it.attribution.as_ref().map_or("-".to_owned(), |it| it.workload.to_string());
    here.map(|it| (name(it), it.requested_nano, it.used_nano)).collect()
}

#[test]
fn containers_have_names_and_all_else_is_overhead() {
    let mut look = Look::default();
    let web = Arc::new(who("shop/web", Some("shop-web-1")));
    look.others.insert("feedfeedfeed".to_owned(), web);
    let samples = vec![
        sample("process:vim", None, Resource::Cpu, (0, 1)),
        sample("process:cc", None, Resource::Cpu, (0, 2)),
        sample("unit:ssh.service/sshd", Some("ssh.service"), Resource::Cpu, (0, 4)),
        sample("container:feedfeedfeed/sh", Some("feedfeedfeed"), Resource::Cpu, (5, 8)),
        sample("container:feedfeedfeed/cat", Some("feedfeedfeed"), Resource::Cpu, (5, 16)),
        sample("container:abcabcabcabc/sh", Some("abcabcabcabc"), Resource::Cpu, (0, 32)),
        sample("disk:/", None, Resource::Storage, (0, 64)),
    ];
    let (measured, others) = divided(samples, &[], &look);
    assert_eq!(
        used(&measured, "box", Resource::Cpu),
        [
            ("-".to_owned(), 0, Some(7)),
            ("container:abcabcabcabc/sh".to_owned(), 0, Some(32)),
            ("shop/web".to_owned(), 10, Some(24)),
        ]
    );
    assert_eq!(used(&measured, "box", Resource::Storage), [("-".to_owned(), 0, Some(64))]);
    assert_eq!(others, Others::default(), "next to nothing is held");
}

#[test]
fn what_others_hold_leaves_no_room() {
    let gib = 1_i128 << 30;
    let seconds = 10 * 1_000_000_000;
    let samples = vec![
        // Two cores set aside, of which half a core is used.
        sample(
            "container:feedfeedfeed/x",
            Some("feedfeedfeed"),
            Resource::Cpu,
            (2 * seconds, seconds / 2),
        ),
        sample("process:cc", None, Resource::Cpu, (0, seconds)),
        sample("process:cc", None, Resource::Memory, (0, 3 * gib * seconds)),
        sample(
            "container:feedfeedfeed/x",
            Some("feedfeedfeed"),
            Resource::Memory,
            (gib * seconds, 1),
        ),
    ];
    let (_, Others(held)) = divided(samples, &[], &Look::default());
    assert_eq!((held.cpu_milli, held.memory_bytes >> 30), (2_000, 4));
}

#[test]
fn a_part_is_set_aside_whole_and_what_was_used_in_it_is_divided_by_time() {
    let seconds = 1_000_000_000_i128;
    let (cpu, memory) = (3 * seconds, 100 * 10 * seconds);
    let samples = vec![
        sample("container:0123456789ab/sh", Some("0123456789ab"), Resource::Cpu, (9, cpu)),
        sample("container:0123456789ab/sh", Some("0123456789ab"), Resource::Memory, (9, memory)),
    ];
    // One second, then frozen for a second, then two more.
    let pieces = [
        piece(ID, 1_000, window(2, 3)),
        piece(ID, 0, window(3, 4)),
        piece(ID, 1_000, window(4, 6)),
    ];
    let (measured, others) = divided(samples, &pieces, &Look::default());
    let part = format!("box/{ID}");
    let train = |requested, used| ("train".to_owned(), requested, Some(used));
    assert_eq!(
        used(&measured, &part, Resource::Cpu),
        [train(seconds, seconds), train(2 * seconds, 2 * seconds)]
    );
    let gib = 1_i128 << 30;
    assert_eq!(
        used(&measured, &part, Resource::Memory),
        [
            train(gib * seconds, 100 * seconds),
            train(gib * seconds, 100 * seconds),
            train(2 * gib * seconds, 200 * seconds),
        ]
    );
    assert_eq!(others, Others::default(), "what is ours is not others'");
    // A container that nobody saw is charged for what was set aside.
    let (measured, _) = divided(Vec::new(), &pieces[..1], &Look::default());
    assert_eq!(used(&measured, &part, Resource::Cpu), [("train".to_owned(), seconds, None)]);
}

proptest! {
    #[test]
    fn what_is_paid_and_used_stays_what_it_was(
        runs in prop::collection::vec((0_i64..10, 1_i64..10, 1_u64..400, 0_i128..1 << 60), 0..9),
        rest in 0_i128..1 << 60,
    ) {
        let mut samples = vec![sample("process:x", None, Resource::Cpu, (0, rest))];
        let mut pieces = Vec::new();
        for (number, (from, length, cpu, used)) in runs.iter().enumerate() {
            let id = format!("{number:012}abcd");
            let to = (from + length).min(10);
            samples.push(sample("c", Some(&id[..12]), Resource::Cpu, (0, *used)));
            pieces.push(piece(&id, *cpu, window(*from, to)));
        }
        let before: i128 = samples.iter().map(Sample::known_use).sum();
        let (measured, _) = divided(samples, &pieces, &Look::default());
        let after = measured.samples.iter().filter(|it| it.resource == Resource::Cpu);
        prop_assert_eq!(after.map(Sample::known_use).sum::<i128>(), before);
        let cost = |span: &NodeSpan| span.price.rate().unwrap().cost(span.window).unwrap();
        let paid = Money::sum(measured.spans.iter().map(cost), Currency::USD).unwrap();
        let whole = cost(&span());
        // Each span is rounded to the last unit of money by itself.
        let off = whole.checked_sub(paid).unwrap().pico().abs();
        prop_assert!((0..=measured.spans.len() as i128).contains(&off), "{}", off);
        // At each moment the parts and the rest have what the machine has.
        for second in 0..10 {
            let here = measured.spans.iter().filter(|it| it.window.contains(at(second)));
            let cpu: u64 = here.map(|it| it.capacity.cpu_milli).sum();
            prop_assert_eq!(cpu, 4_000);
        }
    }
}

/// What others hold of a large machine is counted, however much it is.
#[test]
fn much_memory_is_held_whole() {
    let nano = |bytes: i128| bytes * 10 * 1_000_000_000;
    let gib = 1_i128 << 30;
    let all = [
        sample("database", None, Resource::Memory, (0, nano(96 * gib))),
        sample("database", None, Resource::Memory, (nano(32 * gib), nano(gib))),
        sample("database", None, Resource::Cpu, (10 * 64_000_000_000, 0)),
    ];
    let held = held(&all);
    assert_eq!((held.memory_bytes, held.cpu_milli), (128 << 30, 64_000));
}
