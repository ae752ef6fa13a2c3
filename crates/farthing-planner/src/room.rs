//! Room: what a choice leaves of limited offers and accounts, and what still fits into it.

use crate::column::{Column, Stretch};
use crate::program::Program;

/// What is left.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// Nodes by pool and instant.
    pub(crate) pools: Vec<Vec<i128>>,
    /// Money by account, in 10^-12.
    pub(crate) accounts: Vec<i128>,
}

/// What keeps a member from a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// All nodes are held.
    Pool(usize),
    /// An account has less than this column needs.
    Account(usize, i128),
}

impl Room {
    /// Whether limited offers and hard budgets carry the choice: nothing is left below zero.
    pub(crate) fn holds(&self) -> bool {
        self.pools.iter().flatten().chain(&self.accounts).all(|left| *left >= 0)
    }

    /// What a choice leaves.
    pub(crate) fn of(
        program: &Program<'_>,
        placed: &[(usize, u32)],
        served: &[Option<Vec<(usize, u32)>>],
    ) -> Self {
        let mut room = Self {
            pools: program.pools.iter().map(|pool| pool.room.clone()).collect(),
            accounts: program.accounts.iter().map(|account| account.room).collect(),
        };
        for (service, replicas) in program.services.iter().zip(served) {
            match replicas {
                // It keeps what it has.
                None => {
                    for (index, pool) in room.pools.iter_mut().enumerate() {
                        let held = service.present_nodes(index);
                        take_all(pool, held);
                    }
                }
                Some(replicas) => {
                    for (account, cost) in service.present_costs() {
                        room.accounts[*account] += cost;
                    }
                    for (kind, count) in replicas {
                        let kind = &service.kinds[*kind];
                        let count = i128::from(*count);
                        for (account, cost) in &kind.costs {
                            room.accounts[*account] -= cost * count;
                        }
                        if let Some(pool) = kind.pool() {
                            let held = count * i128::from(kind.replica.nodes);
                            take_all(&mut room.pools[pool], held);
                        }
                    }
                }
            }
        }
        for (column, count) in placed {
            room.take(program, &program.columns[*column], i128::from(*count));
        }
        room
    }

    /// Takes what `count` members of a column need; gives it back for a negative count.
    fn take(&mut self, program: &Program<'_>, column: &Column, count: i128) {
        if let Some(Stretch { pool, first, end }) = column.stretch {
            let held = program.nodes(column) * count;
            take_all(&mut self.pools[pool][first..end], held);
        }
        for (account, cost) in &column.costs {
            self.accounts[*account] -= cost * count;
        }
    }

    /// How many members fit into a column, at most `wanted`.
    fn fits(&self, program: &Program<'_>, column: &Column, wanted: u32) -> u32 {
        let mut most = i128::from(wanted);
        if let Some(Stretch { pool, first, end }) = column.stretch {
            let least = self.pools[pool][first..end].iter().min().copied().unwrap_or(0);
            most = most.min(affords(least, program.nodes(column)));
        }
        for (account, cost) in &column.costs {
            most = most.min(affords(self.accounts[*account], *cost));
        }
        u32::try_from(most).unwrap_or(0)
    }

    /// Moves members from one column to another while nothing runs short; how many went.
    ///
    /// Each that goes gives back what it had and takes what it needs, so that only what the other
    /// column takes *more* of must be there: a member that starts before the end of a period may
    /// cost this period more than one that starts later, though both cost the same in all.
    fn exchange(
        &mut self,
        program: &Program<'_>,
        (from, to): (&Column, &Column),
        wanted: u32,
    ) -> u32 {
        let mut most = i128::from(wanted);
        if let Some(Stretch { pool, first, end }) = to.stretch {
            let back = from.stretch.filter(|back| back.pool == pool);
            for at in first..end {
                let back = back.is_some_and(|back| (back.first..back.end).contains(&at));
                let given = if back { program.nodes(from) } else { 0 };
                most = most.min(affords(self.pools[pool][at], program.nodes(to) - given));
            }
        }
        for (account, cost) in &to.costs {
            let given = from.costs.iter().find(|(same, _)| same == account);
            let given = given.map_or(0, |(_, given)| *given);
            most = most.min(affords(self.accounts[*account], cost - given));
        }
        let count = u32::try_from(most).unwrap_or(0);
        self.take(program, from, -i128::from(count));
        self.take(program, to, i128::from(count));
        count
    }

    /// What keeps one more member from a column, money first; `None` if it fits.
    pub(crate) fn block(&self, program: &Program<'_>, column: &Column) -> Option<Block> {
        let short = column.costs.iter().find(|(account, cost)| self.accounts[*account] < *cost);
        if let Some((account, cost)) = short {
            return Some(Block::Account(*account, *cost));
        }
        let stretch = column.stretch?;
        let nodes = program.nodes(column);
        let full =
            self.pools[stretch.pool][stretch.first..stretch.end].iter().any(|left| *left < nodes);
        full.then_some(Block::Pool(stretch.pool))
    }

    /// Places whoever waits where there is room: the most worth first, each at the least cost.
    pub(crate) fn fill(&mut self, program: &Program<'_>, waits: &mut [u32]) -> Vec<(usize, u32)> {
        let mut order: Vec<usize> = (0..program.columns.len())
            .filter(|column| waits[program.columns[*column].class] > 0)
            .collect();
        order.sort_by_key(|index| {
            let column = &program.columns[*index];
            let weight = program.weights[column.class];
            (-weight, column.class, program.floor(column), column.window.from(), *index)
        });
        self.fill_in(program, &order, waits)
    }

    /// Places whoever waits in the first columns of an order that have room.
    pub(crate) fn fill_in(
        &mut self,
        program: &Program<'_>,
        order: &[usize],
        waits: &mut [u32],
    ) -> Vec<(usize, u32)> {
        let mut placed = Vec::new();
        for index in order {
            let column = &program.columns[*index];
            let count = self.fits(program, column, waits[column.class]);
            if count > 0 {
                self.take(program, column, i128::from(count));
                waits[column.class] -= count;
                placed.push((*index, count));
            }
        }
        placed
    }

    /// Moves members to cheaper columns of their class while there is room, dearest first.
    pub(crate) fn move_cheaper(&mut self, program: &Program<'_>, placed: &mut Vec<(usize, u32)>) {
        const PASSES_MAX: usize = 6;
        let mut cheapest: Vec<Vec<usize>> = vec![Vec::new(); program.classes.len()];
        for (index, column) in program.columns.iter().enumerate() {
            cheapest[column.class].push(index);
        }
        for columns in &mut cheapest {
            columns.sort_by_key(|index| (program.floor(&program.columns[*index]), *index));
        }
        for _ in 0..PASSES_MAX {
            placed.sort_by_key(|(index, _)| {
                (std::cmp::Reverse(program.floor(&program.columns[*index])), *index)
            });
            let mut better = false;
            for (index, mut count) in std::mem::take(placed) {
                let column = &program.columns[index];
                let cost = program.floor(column);
                for other in &cheapest[column.class] {
                    let target = &program.columns[*other];
                    if count == 0 || program.floor(target) >= cost {
                        break;
                    }
                    let moved = self.exchange(program, (column, target), count);
                    count -= moved;
                    if moved > 0 {
                        better = true;
                        placed.push((*other, moved));
                    }
                }
                if count > 0 {
                    placed.push((index, count));
                }
            }
            if !better {
                break;
            }
        }
    }

    /// Moves members to earlier starts of the same way where there is room: it costs the same in
    /// all, if not in each period.
    pub(crate) fn move_earlier(&mut self, program: &Program<'_>, placed: &mut Vec<(usize, u32)>) {
        placed.sort_by_key(|(index, _)| (program.columns[*index].window.from(), *index));
        let mut moved: Vec<(usize, u32)> = Vec::with_capacity(placed.len());
        for (index, count) in placed.drain(..) {
            let mut left = count;
            let column = &program.columns[index];
            for (earlier, other) in siblings(program, index) {
                let went = self.exchange(program, (column, other), left);
                left -= went;
                if went > 0 {
                    moved.push((earlier, went));
                }
            }
            if left > 0 {
                moved.push((index, left));
            }
        }
        *placed = merged(moved);
    }
}

/// How many times what is left affords what is needed; no limit where nothing is.
fn affords(left: i128, need: i128) -> i128 {
    if need > 0 { left.max(0) / need } else { i128::MAX }
}

/// One entry for each column, by column.
pub(crate) fn merged(mut placed: Vec<(usize, u32)>) -> Vec<(usize, u32)> {
    placed.sort_by_key(|(index, _)| *index);
    placed.dedup_by(|(index, count), (kept, sum)| {
        let same = index == kept;
        *sum += if same { *count } else { 0 };
        same
    });
    placed
}

fn take_all(room: &mut [i128], held: i128) {
    for left in room {
        *left -= held;
    }
}

/// Columns of the same class and way that start earlier, ascending.
fn siblings<'p>(
    program: &'p Program<'_>,
    index: usize,
) -> impl Iterator<Item = (usize, &'p Column)> {
    let column = &program.columns[index];
    let same = |other: &Column| (other.class, other.way) == (column.class, column.way);
    // Columns of one way stand together, by start.
    let first =
        program.columns[..index].iter().rposition(|other| !same(other)).map_or(0, |at| at + 1);
    (first..index).map(|at| (at, &program.columns[at]))
}
