//! A service in the one program of all decisions, for where it competes with others.

use super::{PPM, REPLICA, ROUNDING, Serving};
use crate::program::{Goal, Item, Role, RowKey};
use farthing_milp::{Kind, Sense, VarSpec};

impl Serving<'_> {
    /// Kinds that share their offer with another one, of which one at most may be used.
    pub(super) fn rivals(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (index, kind) in self.kinds.iter().enumerate() {
            let group = groups
                .iter_mut()
                .find(|group| self.kinds[group[0]].replica.offer == kind.replica.offer);
            match group {
                Some(group) => group.push(index),
                None => groups.push(vec![index]),
            }
        }
        groups.retain(|group| group.len() > 1);
        groups
    }

    // Rows: one per bucket, one per kind, the fewest replicas, then one per choice between kinds
    // and one per kind in a choice.

    fn bucket_row(&self, service: usize, bucket: usize) -> RowKey {
        debug_assert!(bucket < self.buckets());
        RowKey::Service(service, bucket)
    }

    fn kind_row(&self, service: usize, kind: usize) -> RowKey {
        RowKey::Service(service, self.buckets() + kind)
    }

    fn least_row(&self, service: usize) -> RowKey {
        RowKey::Service(service, self.buckets() + self.kinds.len())
    }

    fn choice_row(&self, service: usize, rival: usize) -> RowKey {
        RowKey::Service(service, self.buckets() + 2 * self.kinds.len() + 1 + rival)
    }

    fn chosen_row(&self, service: usize, kind: usize) -> RowKey {
        RowKey::Service(service, self.buckets() + self.kinds.len() + 1 + kind)
    }

    pub(super) fn buckets(&self) -> usize {
        self.observed.workload.service().map_or(0, |service| service.requests.buckets.len())
    }

    /// Sense and right-hand side of a row of the service.
    pub(crate) fn row(&self, row: usize) -> (Sense, i128) {
        let (buckets, kinds) = (self.buckets(), self.kinds.len());
        if row < buckets {
            (Sense::Equal, 0)
        } else if row == buckets + kinds {
            (Sense::AtLeast, 0)
        } else if row > buckets + 2 * kinds {
            (Sense::AtMost, 1)
        } else {
            (Sense::AtMost, 0)
        }
    }

    /// Room of one replica in the units of its row.
    pub(super) fn room(&self) -> i128 {
        let exact = REPLICA / PPM * i128::from(self.target.ppm()) * self.parts;
        exact + exact / ROUNDING
    }

    /// The variables of the service.
    pub(crate) fn items(&self, index: usize, goal: Goal, weight: i128) -> Vec<Item> {
        let mut items = vec![self.served_item(index, goal, weight)];
        let rivals = self.rivals();
        for (position, kind) in self.kinds.iter().enumerate() {
            items.push(self.replicas_item(index, position, goal, &rivals));
            for (bucket, load) in kind.loads.iter().enumerate() {
                let Some(load) = load else { continue };
                let entries = vec![
                    (self.bucket_row(index, bucket), 1),
                    (self.kind_row(index, position), *load),
                ];
                let spec = VarSpec {
                    cost: 0,
                    lower: 0,
                    upper: i64::try_from(self.parts).ok(),
                    kind: if self.sliced() { Kind::Integer } else { Kind::Continuous },
                };
                items.push(Item { role: Role::Inner(index), spec, entries });
            }
        }
        for (rival, group) in rivals.iter().enumerate() {
            for kind in group {
                let most = i128::from(self.kinds[*kind].most);
                let entries = vec![
                    (self.chosen_row(index, *kind), -most),
                    (self.choice_row(index, rival), 1),
                ];
                let spec = VarSpec { cost: 0, lower: 0, upper: Some(1), kind: Kind::Integer };
                items.push(Item { role: Role::Inner(index), spec, entries });
            }
        }
        items
    }

    fn served_item(&self, index: usize, goal: Goal, weight: i128) -> Item {
        let buckets = (0..self.buckets()).map(|at| (self.bucket_row(index, at), -self.parts));
        let mut entries: Vec<(RowKey, i128)> = buckets.collect();
        entries.push((self.least_row(index), -i128::from(self.least)));
        for (pool, instants, nodes) in &self.present_pools {
            add_all(&mut entries, *pool, *instants, -nodes);
        }
        entries.extend(self.present_costs.iter().map(|(at, cost)| (RowKey::Account(*at), -cost)));
        let (cost, lower) = match goal {
            Goal::Everything => (-self.present_cost, 1),
            Goal::Value => (-weight, 0),
            Goal::Cost(_) => {
                entries.push((RowKey::Lost, -weight));
                (-self.present_cost, 0)
            }
        };
        let spec = VarSpec { cost, lower, upper: Some(1), kind: Kind::Integer };
        Item { role: Role::Served(index), spec, entries }
    }

    fn replicas_item(
        &self,
        index: usize,
        position: usize,
        goal: Goal,
        rivals: &[Vec<usize>],
    ) -> Item {
        let kind = &self.kinds[position];
        let mut entries =
            vec![(self.kind_row(index, position), -self.room()), (self.least_row(index), 1)];
        if rivals.iter().any(|group| group.contains(&position)) {
            entries.push((self.chosen_row(index, position), 1));
        }
        if let Some((pool, instants)) = kind.pool {
            add_all(&mut entries, pool, instants, i128::from(kind.replica.nodes));
        }
        entries.extend(kind.costs.iter().map(|(at, cost)| (RowKey::Account(*at), *cost)));
        let cost = if goal == Goal::Value { 0 } else { kind.cost };
        let fixed = self.fixed.as_ref().map(|fixed| {
            fixed.iter().filter(|(at, _)| *at == position).map(|(_, count)| *count).sum::<i64>()
        });
        let (lower, upper) = fixed.map_or((0, kind.most), |count| (count, count));
        let spec = VarSpec { cost, lower, upper: Some(upper), kind: Kind::Integer };
        Item { role: Role::Replicas(index, position), spec, entries }
    }
}

/// Adds a coefficient at each instant of a pool, on top of one that is there.
fn add_all(entries: &mut Vec<(RowKey, i128)>, pool: usize, instants: usize, more: i128) {
    for instant in 0..instants {
        let key = RowKey::Pool(pool, instant);
        match entries.iter_mut().find(|(other, _)| *other == key) {
            Some((_, a)) => *a += more,
            None => entries.push((key, more)),
        }
    }
}
