//! How much of an offer is in use, now and in windows to come.

use super::SimWorld;
use super::job::Phase;
use super::time::pushed;

/// Nodes that somebody holds of an offer, from when to when.
#[derive(Clone, Copy, Debug)]
struct Held {
    from: i64,
    to: i64,
    nodes: u64,
}

impl SimWorld {
    /// Nodes of an offer that somebody holds now.
    pub(super) fn live_nodes(&self, offer: usize) -> u64 {
        let live = self
            .nodes
            .values()
            .filter(|node| node.offer == offer && node.is_live() && node.holder().is_some());
        u64::try_from(live.count()).unwrap_or(u64::MAX)
    }

    /// Whether `nodes` more of an offer can be held in a window, by all that is known now of the
    /// ends of what runs and is scheduled.
    pub(super) fn has_room(&self, offer: usize, (from, to): (i64, i64), nodes: u64) -> bool {
        let Some(available) = self.offers[offer].available else { return true };
        let held = self.held(offer);
        let starts = held.iter().map(|hold| hold.from).filter(|at| (from..to).contains(at));
        let fits = |at: i64| {
            let there = held.iter().filter(|hold| hold.from <= at && at < hold.to);
            there.map(|hold| hold.nodes).sum::<u64>() + nodes <= u64::from(available)
        };
        std::iter::once(from).chain(starts).all(fits)
    }

    fn held(&self, offer: usize) -> Vec<Held> {
        let members = self.jobs.iter().filter(|job| job.finished.is_none());
        let members = members.flat_map(|job| &job.members).filter_map(|member| {
            let (Phase::Scheduled(run) | Phase::Running(run)) = &member.phase else { return None };
            (run.offer == offer).then(|| Held {
                from: run.from,
                to: pushed(run.to, self.now),
                nodes: run.nodes_each.into(),
            })
        });
        let replicas = self.services.iter().flat_map(|service| &service.replicas);
        let replicas = replicas.filter(|it| it.gone.is_none() && it.offer == offer);
        let replicas =
            replicas.map(|it| Held { from: it.since, to: i64::MAX, nodes: it.nodes_each.into() });
        let orders = self.services.iter().flat_map(|service| service.orders.iter().flatten());
        let orders = orders.filter(|order| order.offer == offer).map(|order| Held {
            from: order.from,
            to: i64::MAX,
            nodes: u64::from(order.nodes_each) * u64::from(order.replicas),
        });
        members.chain(replicas).chain(orders).collect()
    }
}
