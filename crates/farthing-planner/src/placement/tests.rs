use super::*;
use proptest::prelude::*;

fn node(cpu: u64, gpus: u32) -> NodeRoom {
    NodeRoom::new(cpu, 1 << 20, gpus, 0).unwrap()
}

fn pod(cpu: u64, gpus: u32, milli: u64) -> PodAsk {
    PodAsk::new(cpu, 1, gpus, milli).unwrap()
}

#[test]
fn amounts_that_no_pod_can_ask_for_are_refused_with_what_is_right() {
    let said = |gpus, milli| PodAsk::new(1, 1, gpus, milli).unwrap_err().to_string();
    assert_eq!(
        said(1, 1_500),
        "1500 thousandths of each of 1 accelerators: at most 1000, which is a whole one"
    );
    assert!(said(0, 500).contains("no accelerators have no parts"));
    assert!(said(2, 0).contains("at least one thousandth"));
    assert!(PodAsk::new(u64::MAX, 1, 0, 0).is_err());
    assert!(NodeRoom::new(1, 1, 2_000, 0).is_err());
    assert!(NodeRoom::new(1, 1, 1, 128).is_err());
}

#[test]
fn models_are_kept_to_and_several_parts_go_to_different_accelerators() {
    let nodes = [node(100, 2), NodeRoom::new(100, 1 << 20, 2, 3).unwrap()];
    let pods = [pod(1, 2, 400).only_on(1 << 3), pod(1, 1, 700).only_on(1 << 3)];
    for policy in PlacePolicy::ALL {
        let placed = place(&nodes, &pods, policy);
        assert_eq!(check_placement(&nodes, &pods, &placed), [], "{policy:?}");
        assert_eq!(placed.seats[0], Some(Seat { node: 1, gpus: vec![0, 1] }));
        assert_eq!((placed.seats[1].as_ref(), placed.refused()), (None, 1));
    }
}

#[test]
fn a_pod_that_fits_into_a_gap_does_not_open_an_accelerator() {
    let nodes = [node(64_000, 4)];
    let pods = [pod(1_000, 1, 600), pod(1_000, 1, 400), pod(1_000, 3, 1_000)];
    for policy in PlacePolicy::ALL {
        assert_eq!(place(&nodes, &pods, policy).refused(), 0, "{policy:?}");
    }
}

#[test]
fn pods_without_accelerators_leave_cores_where_accelerators_need_them() {
    // Cores for all accelerators on the first node, many more than that on the second.
    let nodes = [node(8_000, 8), node(64_000, 2)];
    let mut pods = vec![pod(1_000, 1, 1_000), pod(4_000, 0, 0)];
    pods.extend([pod(1_000, 1, 1_000); 9]);
    let placed = place(&nodes, &pods, PlacePolicy::Farthing);
    assert_eq!(placed.refused(), 0);
    assert_eq!(placed.gpu_milli, placed.capacity_milli);
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let (nodes, pods) = ([node(10, 1)], [pod(4, 1, 600), pod(4, 1, 600)]);
    let good = place(&nodes, &pods, PlacePolicy::Farthing);
    assert_eq!(check_placement(&nodes, &pods, &good), []);
    let seat = |node, gpus: &[usize]| Some(Seat { node, gpus: gpus.to_vec() });
    let with = |seats: Vec<Option<Seat>>, gpu_milli| Placed { seats, gpu_milli, ..good.clone() };
    let wrong = [
        with(vec![seat(0, &[0]), seat(0, &[0])], 1_200),
        with(vec![None, seat(0, &[0])], 600),
        with(vec![seat(0, &[1]), None], 600),
        with(vec![seat(7, &[0]), None], 600),
        with(vec![seat(0, &[]), None], 600),
        with(vec![seat(0, &[0]), None], 601),
        with(vec![seat(0, &[0])], 600),
    ];
    for wrong in wrong {
        assert_ne!(check_placement(&nodes, &pods, &wrong), [], "{wrong:?}");
    }
}

/// The most thousandths that any order of choices gives to pods that come in this order and are
/// never refused where they fit.
fn most(nodes: &mut [(u64, Vec<u64>)], pods: &[PodAsk]) -> u64 {
    let Some((pod, later)) = pods.split_first() else { return 0 };
    let mut best = None;
    for at in 0..nodes.len() {
        for gpu in 0..nodes[at].1.len() {
            let (cpu, left) = (nodes[at].0, nodes[at].1[gpu]);
            if cpu < pod.cpu_milli || left < pod.gpu_milli {
                continue;
            }
            nodes[at].0 -= pod.cpu_milli;
            nodes[at].1[gpu] -= pod.gpu_milli;
            let all = pod.gpu_milli + most(nodes, later);
            (nodes[at].0, nodes[at].1[gpu]) = (cpu, left);
            best = best.max(Some(all));
        }
    }
    best.unwrap_or_else(|| most(nodes, later))
}

fn few() -> impl Strategy<Value = (Vec<NodeRoom>, Vec<PodAsk>)> {
    let nodes = prop::collection::vec((4_u64..20, 1_u32..3), 1..3);
    let parts = prop::sample::select(vec![200_u64, 300, 500, 700, 1_000]);
    let pods = prop::collection::vec((1_u64..9, parts), 1..6);
    (nodes, pods).prop_map(|(nodes, pods)| {
        let nodes = nodes.into_iter().map(|(cpu, gpus)| node(cpu, gpus)).collect();
        (nodes, pods.into_iter().map(|(cpu, milli)| pod(cpu, 1, milli)).collect())
    })
}

fn many() -> impl Strategy<Value = (Vec<NodeRoom>, Vec<PodAsk>)> {
    let nodes = prop::collection::vec((0_u64..20, 0_u64..9, 0_u32..9, 0_u8..3), 0..6);
    let pods = prop::collection::vec((0_u64..9, 0_u64..4, 0_u32..4, 1_u64..1_001, 0_u8..4), 0..40);
    (nodes, pods).prop_map(|(nodes, pods)| {
        let node = |(cpu, memory, gpus, model)| NodeRoom::new(cpu, memory, gpus, model).unwrap();
        let pod = |(cpu, memory, gpus, milli, model): (u64, u64, u32, u64, u8)| {
            let milli = if gpus == 0 { 0 } else { milli };
            let pod = PodAsk::new(cpu, memory, gpus, milli).unwrap();
            if model < 3 { pod.only_on(1 << model) } else { pod }
        };
        (nodes.into_iter().map(node).collect(), pods.into_iter().map(pod).collect())
    })
}

proptest! {
    #[test]
    fn no_node_is_over_and_nothing_is_refused_that_fits((nodes, pods) in many()) {
        for policy in PlacePolicy::ALL {
            let placed = place(&nodes, &pods, policy);
            prop_assert_eq!(check_placement(&nodes, &pods, &placed), []);
            prop_assert_eq!(&placed, &place(&nodes, &pods, policy));
        }
    }

    #[test]
    fn no_rule_is_above_what_trying_everything_finds((nodes, pods) in few()) {
        let mut open: Vec<(u64, Vec<u64>)> = nodes
            .iter()
            .map(|node| (node.parts().0, vec![1_000; node.parts().2 as usize]))
            .collect();
        let most = most(&mut open, &pods);
        for policy in PlacePolicy::ALL {
            let placed = place(&nodes, &pods, policy);
            prop_assert!(placed.gpu_milli <= most);
            // One pod, or pods that all fit somewhere together in any way, are never refused.
            if pods.len() == 1 {
                prop_assert_eq!(placed.gpu_milli, most);
            }
        }
    }
}
