//! What becomes of nodes when 60 of 100 pods on them are gone: ours, and what provisioners do.

use super::{Dice, asked, made, offers, row, workloads};
use farthing_model::{Currency, Money, NodeId, Offer, Workload, WorkloadKind};
use farthing_planner::{
    Consolidation, Packing, RunningInput, StandingNode, check_consolidation, consolidate,
    consolidate_as_usual,
};
use std::time::Instant;

/// Of a hundred pods, those that are gone.
const GONE: u64 = 60;
/// What moving one costs, in thousandths of a dollar.
const MOVE_MILLI: i128 = 20;

/// Nodes as first-fit decreasing has bought them, with the pods that are left.
fn left(usual: &Packing, offers: &[Offer], dice: &mut Dice) -> Vec<StandingNode> {
    let mut nodes = Vec::new();
    for kind in &usual.nodes {
        let offer = offers.iter().find(|offer| offer.id == kind.offer).unwrap();
        for _ in 0..kind.count {
            let stays = |count: u64, dice: &mut Dice| {
                (0..count).filter(|_| dice.below(100) >= GONE).count() as u64
            };
            let holds = kind.holds.iter().map(|(id, count)| (id.clone(), stays(*count, dice)));
            let holds = holds.filter(|(_, count)| *count > 0).collect();
            nodes.push(StandingNode {
                id: NodeId::new(&format!("n{:05}", nodes.len())).unwrap(),
                offer: offer.id.clone(),
                capacity: offer.capacity,
                price: offer.price.rate().unwrap(),
                residency: Vec::new(),
                holds,
            });
        }
    }
    nodes
}

struct Both {
    ours: Consolidation,
    usual: Consolidation,
    took_s: f64,
    usual_s: f64,
}

fn both(workloads: &[Workload], offers: &[Offer], seed: u64) -> Both {
    let before = made(workloads, offers).usual;
    let nodes = left(&before, offers, &mut Dice(seed + 100));
    let mut rest = workloads.to_vec();
    for workload in &mut rest {
        let here = nodes.iter().flat_map(|node| &node.holds).filter(|(id, _)| *id == workload.id);
        let here: u64 = here.map(|(_, count)| count).sum();
        if let WorkloadKind::Job(job) = &mut workload.kind {
            job.count = u32::try_from(here).unwrap();
        }
    }
    rest.retain(|workload| workload.job().unwrap().count > 0);
    let rest: Vec<&Workload> = rest.iter().collect();
    let move_cost = Money::from_pico(MOVE_MILLI * 1_000_000_000, Currency::USD);
    let input = RunningInput { pack: asked(&rest, offers), nodes: &nodes, move_cost };
    let started = Instant::now();
    let ours = consolidate(&input).unwrap();
    let took_s = started.elapsed().as_secs_f64();
    assert_eq!(check_consolidation(&input, &ours), []);
    let started = Instant::now();
    let usual = consolidate_as_usual(&input).unwrap();
    let usual_s = started.elapsed().as_secs_f64();
    assert_eq!(check_consolidation(&input, &usual), []);
    Both { ours, usual, took_s, usual_s }
}

/// One line on both.
pub(super) fn after(workloads: &[Workload], offers: &[Offer], seed: u64) -> String {
    let Both { ours, usual, took_s, usual_s } = both(workloads, offers, seed);
    let one = |it: &Consolidation| format!("{} with {} moves", it.cost.rounded(3), it.moved);
    format!(
        "{GONE} % gone: nodes for {}, then {} in {:.0} ms, gap_ppm {:?}; as usual {} in {:.0} ms",
        ours.before.rounded(3),
        one(&ours),
        took_s * 1e3,
        ours.gap.map(farthing_model::Ratio::ppm),
        one(&usual),
        usual_s * 1e3,
    )
}

/// The rows of `make bench`: ours to what is usual.
pub(super) fn bench() {
    for (shapes, pods, seed) in [(2, 1_000, 1), (42, 1_000, 3), (42, 2_000, 2)] {
        let (workloads, offers) = (workloads(shapes, pods, &mut Dice(seed)), offers(256));
        let Both { ours, usual, took_s, .. } = both(&workloads, &offers, seed);
        let more = format!(
            ", \"shapes\": {shapes}, \"pods\": {pods}, \"seed\": {seed}, \"moves\": {}, \
             \"usual_moves\": {}, \"cost\": \"{}\", \"usual_cost\": \"{}\"",
            ours.moved,
            usual.moved,
            ours.cost.rounded(4),
            usual.cost.rounded(4),
        );
        let all = |it: &Consolidation| (it.cost.pico() + it.disturbance.pico()) as f64;
        let nodes = ours.cost.pico() as f64 / usual.cost.pico() as f64;
        let name = format!("consolidate-{shapes}-{pods}");
        row(&format!("{name}-nodes-to-usual"), nodes, 1.0, "ratio", &more);
        row(&format!("{name}-all-to-usual"), all(&ours) / all(&usual), 1.0, "ratio", &more);
        row(&format!("{name}-time"), took_s, 2.0, "s", &more);
    }
}
