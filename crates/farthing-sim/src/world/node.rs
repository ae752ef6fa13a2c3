//! Nodes of the world: bought for one member each, or there from the start.

use super::SimWorld;
use super::event::Event;
use super::time::{HOUR, MINUTE};
use crate::faults::FaultKind;
use crate::random::Random;
use farthing_model::{NodeId, Price, Purchase};

/// A node is looked at for losses this many minutes ahead: 30 days.
const FATE_MINUTES_MAX: u32 = 43_200;
/// How long nodes that are gone are remembered, so that they can be measured late.
pub(super) const MEMORY: i64 = 26 * HOUR;
/// How long a lost node is shown as lost.
pub(super) const LOST_SHOWN: i64 = 10 * MINUTE;

/// Who holds a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A member of a job.
    Member { job: usize, member: usize },
    /// A replica of a service.
    Replica { service: usize, replica: usize },
}

/// A stretch of time in which somebody holds a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) who: Holder,
    pub(super) from: i64,
    pub(super) to: Option<i64>,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct SimNode {
    pub(super) id: NodeId,
    pub(super) offer: usize,
    pub(super) since: i64,
    pub(super) ready: i64,
    pub(super) until: Option<i64>,
    pub(super) lost: bool,
    /// There from the start: whoever held it, it stays.
    pub(super) stays: bool,
    /// Its price from each moment on, in order.
    pub(super) prices: Vec<(i64, Price)>,
    pub(super) holds: Vec<Hold>,
}

impl SimNode {
    /// Who holds it now.
    pub(super) fn holder(&self) -> Option<Holder> {
        self.holds.last().filter(|hold| hold.to.is_none()).map(|hold| hold.who)
    }

    /// Whether it is paid now.
    pub(super) const fn is_live(&self) -> bool {
        self.until.is_none()
    }

    /// Its price at the moment.
    pub(super) fn price(&self) -> Price {
        let unknown = || Price::Unknown("the node has no price".to_owned());
        self.prices.last().map_or_else(unknown, |(_, price)| price.clone())
    }
}

impl SimWorld {
    /// Buys a node of an offer for somebody, or takes one of ours that is free. `None`: there is
    /// no free one of ours.
    pub(super) fn take_node(&mut self, offer: usize, who: Holder) -> Option<usize> {
        let hold = Hold { who, from: self.now, to: None };
        if self.offers[offer].purchase == Purchase::Owned {
            let is_free =
                |node: &SimNode| node.offer == offer && node.is_live() && node.holder().is_none();
            let (index, node) = self.nodes.iter_mut().find(|(_, node)| is_free(node))?;
            node.holds.push(hold);
            return Some(*index);
        }
        let index = self.nodes_made;
        self.nodes_made += 1;
        let mut fate = self.fates.fork_number(u64::try_from(index).unwrap_or(u64::MAX));
        let mut boot = self.boot;
        if self.faults.strikes(FaultKind::BootDelay) {
            boot = boot.saturating_mul(fate.between(2, 5));
        }
        let ready = self.now.saturating_add(boot);
        let node = SimNode {
            id: self.node_name(index)?,
            offer,
            since: self.now,
            ready,
            until: None,
            lost: false,
            stays: false,
            prices: vec![(self.now, self.offers[offer].price.clone())],
            holds: vec![hold],
        };
        self.nodes.insert(index, node);
        self.queue.push(ready, Event::NodeReady(index));
        self.draw_end(index, offer, &mut fate);
        Some(index)
    }

    fn node_name(&self, index: usize) -> Option<NodeId> {
        NodeId::new(&format!("{}-{index:06}", self.cluster)).ok()
    }

    /// Draws when a node is lost or taken away, if it lives that long.
    fn draw_end(&mut self, index: usize, offer: usize, fate: &mut Random) {
        let rates = *self.faults.rates();
        let mut draw = |ppm, event| {
            if let Some(minutes) = fate.minutes_until(ppm, FATE_MINUTES_MAX) {
                let seconds = fate.between(0, 59_999);
                let at = self.now + i64::from(minutes) * MINUTE + seconds * 1_000_000;
                self.queue.push(at, event);
            }
        };
        draw(rates.node_loss_per_hour, Event::NodeLost(index));
        if self.offers[offer].purchase == Purchase::Spot {
            draw(rates.spot_kill_per_hour, Event::SpotKilled(index));
        }
    }

    /// Ends the holds of nodes; those that were bought for them are given back.
    pub(super) fn free_nodes(&mut self, nodes: &[usize]) {
        for node in nodes {
            self.free_node(*node);
        }
    }

    fn free_node(&mut self, index: usize) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&index).filter(|node| node.is_live()) else { return };
        if let Some(hold) = node.holds.last_mut().filter(|hold| hold.to.is_none()) {
            hold.to = Some(now);
        }
        if !node.stays {
            node.until = Some(now);
        }
    }

    /// A node is gone; whoever held it is interrupted.
    pub(super) fn node_gone(&mut self, index: usize, kind: FaultKind) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&index).filter(|node| node.is_live()) else { return };
        let holder = node.holder();
        node.until = Some(now);
        node.lost = true;
        if let Some(hold) = node.holds.last_mut().filter(|hold| hold.to.is_none()) {
            hold.to = Some(now);
        }
        self.faults.count(kind);
        match holder {
            Some(Holder::Member { job, member }) => self.interrupt(job, member),
            Some(Holder::Replica { service, replica }) => {
                self.remove_replica(service, replica);
                self.services[service].generation += 1;
            }
            None => {}
        }
    }
}
