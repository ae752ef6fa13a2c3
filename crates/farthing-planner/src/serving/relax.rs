//! The relaxation: replicas in any number and buckets in any proportion, by a dual simplex.
//!
//! Rows are kinds (load <= replicas) and one for the fewest replicas; that each bucket is served
//! in full needs no row, as one kind of each bucket, its *key*, takes what the others leave
//! (generalised upper bounds). A basis is then the keys and one more variable for each row, which
//! is what a branch of the search keeps to start from: after a bound has moved it is still dual
//! feasible. Numbers are those of [`super::fixed`]; what is proven from the prices is proven in
//! whole numbers by [`super::bound`].

use super::fixed::{ONE, PLACES, clamp, div, mul, ratio};
use super::problem::Problem;
use super::ratio::{Candidate, Moves, Step, Undivided, step};
use super::state::{Basic, End, Part, Relaxed, State};

/// Less than this part of all replicas, as a power of two, counts as nothing: what is left of the
/// digits after some sums.
const TINY_BITS: u32 = 37;
/// The part of a replica's room that is kept for lost digits: half of what rooms have for them.
const MARGIN: i128 = 200_000_000;
/// The smallest pivot.
const PIVOT: i64 = 1 << 16;
/// Iterations after which the inverse is computed anew.
const FRESH: u32 = 16;
/// Iterations of one relaxation; the usual number is below ten.
const ROUNDS_MAX: u32 = 400;

/// The data of all relaxations of one problem.
pub(super) struct Relaxation {
    kinds: usize,
    /// Load by bucket and kind, scaled by bucket to at most one; negative where not served.
    loads: Vec<i64>,
    /// What the loads of a bucket were divided by, in units.
    weights: Vec<i64>,
    /// Cost of a replica over the dearest.
    costs: Vec<i64>,
    /// Replicas, as a power of two, in one unit.
    unit: u32,
    /// Less than this counts as nothing.
    tiny: i64,
    slices: u32,
    least: i64,
}

/// Values and prices at a basis.
struct Point {
    /// The inverse of the working basis, by rows.
    inverse: Vec<i64>,
    /// Values of the working variables.
    values: Vec<i64>,
    /// Multipliers of the rows.
    multipliers: Vec<i64>,
}

impl Relaxation {
    pub(super) fn new(problem: &Problem) -> Self {
        let kinds = problem.kinds.len();
        let dearest = problem.kinds.iter().map(|kind| kind.cost).max().unwrap_or(0).max(1);
        // A little less than the room, so that lost digits do not make a full replica too full.
        let room = problem.room - problem.room / MARGIN;
        let most = (0..kinds).map(|kind| {
            let sum: i128 = problem.loads.iter().filter_map(|loads| loads[kind]).sum();
            sum / room + 1
        });
        let most = most.chain([i128::from(problem.least)]).max().unwrap_or(1);
        let bits = 128 - most.leading_zeros();
        let unit = bits.saturating_sub(14);
        let tiny = clamp(((most << PLACES) >> unit) >> TINY_BITS);
        let mut loads = Vec::with_capacity(problem.loads.len() * kinds);
        let mut weights = Vec::with_capacity(problem.loads.len());
        for row in &problem.loads {
            let top = row.iter().flatten().copied().max().unwrap_or(0).max(1);
            loads.extend(row.iter().map(|load| load.map_or(-1, |load| ratio(load, top))));
            weights.push(ratio(top, room << unit));
        }
        let costs = problem.kinds.iter().map(|kind| ratio(kind.cost, dearest)).collect();
        let (slices, least) = (problem.slices.unwrap_or(1), problem.least);
        Self { kinds, loads, weights, costs, unit, tiny, slices, least }
    }

    /// Replicas in whole numbers as a fixed-point number of units.
    pub(super) fn units(&self, replicas: i64) -> i64 {
        clamp((i128::from(replicas) << PLACES) >> self.unit)
    }

    /// A number of units as replicas, with the remainder in 2^-44.
    pub(super) fn replicas(&self, units: i64) -> (i64, i64) {
        let all = i128::from(units) << self.unit;
        (clamp(all >> PLACES), clamp(all & i128::from(ONE - 1)))
    }

    fn load(&self, bucket: usize, kind: usize) -> i64 {
        self.loads[bucket * self.kinds + kind]
    }

    /// All of a part, in the scale of its bucket.
    fn weight(&self, part: &Part) -> i64 {
        if part.slices == self.slices {
            return self.weights[part.bucket];
        }
        let weight = i128::from(self.weights[part.bucket]);
        clamp(weight * i128::from(part.slices) / i128::from(self.slices))
    }

    /// The kind of a set that is cheapest for a bucket at some prices.
    pub(super) fn cheapest(&self, bucket: usize, kinds: u64, prices: &[i64]) -> usize {
        let all = (0..self.kinds).filter(|kind| kinds >> kind & 1 == 1);
        let price = |kind: &usize| i128::from(prices[*kind]) * i128::from(self.load(bucket, *kind));
        all.min_by_key(price).unwrap_or(0)
    }

    /// The optimum without bounds: each part where it is cheapest.
    pub(super) fn root(&self, parts: Vec<Part>, lower: Vec<i64>, upper: Vec<i64>) -> State {
        let cheapest = |part: &Part| self.cheapest(part.bucket, part.kinds, &self.costs);
        let key = parts.iter().map(cheapest).collect();
        let work = (0..self.kinds).map(Basic::Replicas).chain([Basic::Surplus]).collect();
        let at_upper = vec![false; self.kinds];
        State { lower, upper, parts, key, work, at_upper }
    }

    /// Solves from a dual feasible basis, which becomes the optimal one.
    pub(super) fn solve(&self, state: &mut State) -> Relaxed {
        let mut inverse = self.inverse(state);
        let mut rounds = 0;
        loop {
            rounds += 1;
            if rounds % FRESH == 0 {
                inverse = self.inverse(state);
            }
            let mut point = self.point(state, inverse);
            let Some((leaving, up)) = self.leaving(state, &point) else {
                return self.relaxed(state, &point, End::Optimal, rounds);
            };
            if rounds >= ROUNDS_MAX {
                return self.relaxed(state, &point, End::Stopped, rounds);
            }
            let (Leaving::Work(row) | Leaving::Key(row)) = leaving;
            if matches!(leaving, Leaving::Key(_)) {
                Self::swap_key(state, row);
                point = self.point(state, self.inverse(state));
            }
            let excess = self.excess(state, &point, row, up);
            let moves = self.candidates(state, &point, row, up);
            let Some(Step { entering, moved }) = step(&moves, excess, (PIVOT, self.tiny)) else {
                return self.ray(state, &point, row, (up, rounds));
            };
            for (part, kind) in moved {
                state.key[part] = kind;
            }
            if let Basic::Replicas(kind) = state.work[row] {
                state.at_upper[kind] = !up;
            }
            inverse = self.pivot(state, point.inverse, row, entering);
            state.work[row] = entering;
        }
    }

    /// The inverse after a variable has entered at a row.
    fn pivot(&self, state: &State, mut inverse: Vec<i64>, row: usize, entering: Basic) -> Vec<i64> {
        let rows = self.rows();
        let mut column = vec![0_i64; rows];
        self.column(state, entering, &mut column);
        let alpha: Vec<i64> = inverse.chunks_exact(rows).map(|line| dot(line, &column)).collect();
        let line: Vec<i64> = inverse[row * rows..(row + 1) * rows]
            .iter()
            .map(|cell| if alpha[row] == 0 { *cell } else { div(*cell, alpha[row]) })
            .collect();
        for (at, cells) in inverse.chunks_exact_mut(rows).enumerate() {
            if at == row {
                cells.copy_from_slice(&line);
            } else if alpha[at] != 0 {
                for (cell, own) in cells.iter_mut().zip(&line) {
                    *cell = cell.saturating_sub(mul(alpha[at], *own));
                }
            }
        }
        inverse
    }

    fn rows(&self) -> usize {
        self.kinds + 1
    }

    /// Adds a column times a factor to a row vector's places.
    fn column(&self, state: &State, variable: Basic, out: &mut [i64]) {
        out.fill(0);
        match variable {
            Basic::Replicas(kind) => {
                out[kind] = -ONE;
                out[self.kinds] = ONE;
            }
            Basic::Slack(kind) => out[kind] = ONE,
            Basic::Surplus => out[self.kinds] = -ONE,
            Basic::Taken(part, kind) => {
                let bucket = state.parts[part].bucket;
                let key = state.key[part];
                out[kind] += self.load(bucket, kind);
                out[key] -= self.load(bucket, key);
            }
        }
    }

    fn point(&self, state: &State, inverse: Vec<i64>) -> Point {
        let rows = self.rows();
        let mut right = vec![0_i64; rows];
        right[self.kinds] = self.units(self.least);
        for kind in 0..self.kinds {
            if !state.work.contains(&Basic::Replicas(kind)) {
                let bound = if state.at_upper[kind] { &state.upper } else { &state.lower };
                let units = self.units(bound[kind]);
                right[kind] += units;
                right[self.kinds] -= units;
            }
        }
        for (part, key) in state.parts.iter().zip(&state.key) {
            right[*key] -= mul(self.load(part.bucket, *key), self.weight(part));
        }
        let values = inverse.chunks_exact(rows).map(|row| dot(row, &right)).collect();
        let mut multipliers = vec![0_i128; rows];
        for (row, variable) in state.work.iter().enumerate() {
            if let Basic::Replicas(kind) = variable {
                let cost = i128::from(self.costs[*kind]);
                for (sum, cell) in multipliers.iter_mut().zip(&inverse[row * rows..]) {
                    *sum += cost * i128::from(*cell);
                }
            }
        }
        let multipliers = multipliers.into_iter().map(|sum| clamp(sum >> PLACES)).collect();
        Point { inverse, values, multipliers }
    }

    /// The inverse of the working basis by Gauss and Jordan with row pivoting.
    fn inverse(&self, state: &State) -> Vec<i64> {
        let rows = self.rows();
        let width = 2 * rows;
        let mut table = vec![0_i64; rows * width];
        let mut column = vec![0_i64; rows];
        for (at, variable) in state.work.iter().enumerate() {
            self.column(state, *variable, &mut column);
            for (row, cell) in column.iter().enumerate() {
                table[row * width + at] = *cell;
            }
            table[at * width + rows + at] = ONE;
        }
        for at in 0..rows {
            let best = (at..rows).max_by_key(|row| table[row * width + at].abs()).unwrap_or(at);
            if best != at {
                for cell in 0..width {
                    table.swap(at * width + cell, best * width + cell);
                }
            }
            let pivot = table[at * width + at];
            if pivot == 0 {
                continue;
            }
            for cell in at..width {
                table[at * width + cell] = div(table[at * width + cell], pivot);
            }
            let line: Vec<i64> = table[at * width..(at + 1) * width].to_vec();
            for row in (0..rows).filter(|row| *row != at) {
                let factor = table[row * width + at];
                if factor != 0 {
                    for at_cell in at..width {
                        let cell = &mut table[row * width + at_cell];
                        *cell = cell.saturating_sub(mul(factor, line[at_cell]));
                    }
                }
            }
        }
        let right = |row: usize| table[row * width + rows..(row + 1) * width].to_vec();
        (0..rows).flat_map(right).collect()
    }

    /// The variable that is furthest out of its bounds, and whether it must grow.
    fn leaving(&self, state: &State, point: &Point) -> Option<(Leaving, bool)> {
        let mut worst = (self.tiny, None);
        let mut note = |excess: i64, leaving: Leaving, up: bool| {
            if excess > worst.0 {
                worst = (excess, Some((leaving, up)));
            }
        };
        for (row, (variable, value)) in state.work.iter().zip(&point.values).enumerate() {
            match variable {
                Basic::Replicas(kind) => {
                    note(
                        self.units(state.lower[*kind]).saturating_sub(*value),
                        Leaving::Work(row),
                        true,
                    );
                    note(
                        value.saturating_sub(self.units(state.upper[*kind])),
                        Leaving::Work(row),
                        false,
                    );
                }
                Basic::Slack(_) | Basic::Surplus => {
                    note(value.saturating_neg(), Leaving::Work(row), true);
                }
                Basic::Taken(part, _) => {
                    note(value.saturating_neg(), Leaving::Work(row), true);
                    let same = |other: &Basic| matches!(other, Basic::Taken(at, _) if at == part);
                    let all = state.work.iter().zip(&point.values);
                    let taken = all.clone().filter(|(other, _)| same(other));
                    let taken = taken.fold(0_i64, |sum, (_, value)| sum.saturating_add(*value));
                    let over = taken.saturating_sub(self.weight(&state.parts[*part]));
                    let most = all.filter(|(other, _)| same(other)).map(|(_, value)| value).max();
                    if most == Some(value) {
                        note(over, Leaving::Key(row), true);
                    }
                }
            }
        }
        worst.1
    }

    /// Makes the kind of a working variable the key of its part, and the key a working variable.
    fn swap_key(state: &mut State, row: usize) {
        if let Basic::Taken(part, kind) = state.work[row] {
            state.work[row] = Basic::Taken(part, state.key[part]);
            state.key[part] = kind;
        }
    }

    /// How far the variable of a row is out of its bounds.
    fn excess(&self, state: &State, point: &Point, row: usize, up: bool) -> i64 {
        let value = point.values[row];
        match state.work[row] {
            Basic::Replicas(kind) if up => self.units(state.lower[kind]).saturating_sub(value),
            Basic::Replicas(kind) => value.saturating_sub(self.units(state.upper[kind])),
            Basic::Slack(_) | Basic::Surplus | Basic::Taken(..) => value.saturating_neg(),
        }
    }

    /// Variables that may enter for a row whose own must grow or shrink, and parts that nothing
    /// divides with the kinds that they may move to.
    fn candidates(&self, state: &State, point: &Point, row: usize, up: bool) -> Moves {
        let rows = self.rows();
        let line = &point.inverse[row * rows..(row + 1) * rows];
        let prices = &point.multipliers;
        let sign = |alpha: i64| if up { alpha.saturating_neg() } else { alpha };
        let mut single: Vec<Candidate> = Vec::new();
        let mut offer = |variable: Basic, reduced: i64, alpha: i64| {
            if alpha >= PIVOT {
                single.push(Candidate { variable, reduced: reduced.max(0), alpha });
            }
        };
        let surplus = self.kinds;
        for kind in 0..self.kinds {
            if !state.work.contains(&Basic::Replicas(kind)) && state.lower[kind] < state.upper[kind]
            {
                let reduced = self.costs[kind].saturating_add(prices[kind]);
                let reduced = reduced.saturating_sub(prices[surplus]);
                let alpha = sign(line[surplus].saturating_sub(line[kind]));
                if state.at_upper[kind] {
                    offer(Basic::Replicas(kind), reduced.saturating_neg(), alpha.saturating_neg());
                } else {
                    offer(Basic::Replicas(kind), reduced, alpha);
                }
            }
            if !state.work.contains(&Basic::Slack(kind)) {
                offer(Basic::Slack(kind), prices[kind].saturating_neg(), sign(line[kind]));
            }
        }
        if !state.work.contains(&Basic::Surplus) {
            offer(Basic::Surplus, prices[surplus], sign(line[surplus].saturating_neg()));
        }
        let divided: Vec<usize> = state.work.iter().filter_map(|it| it.part()).collect();
        let mut kinds = Vec::with_capacity(state.parts.len() * 4);
        let mut parts = Vec::with_capacity(state.parts.len());
        for (index, part) in state.parts.iter().enumerate() {
            let from = kinds.len();
            self.moves(state, index, (line, prices, up), &mut kinds);
            if divided.contains(&index) {
                let free = kinds.drain(from..).filter(|it| !state.work.contains(&it.variable));
                single.extend(free);
            } else if kinds.len() > from {
                let weight = self.weight(part);
                parts.push(Undivided { weight, kinds: from..kinds.len() });
            }
        }
        Moves { single, parts, kinds }
    }

    /// Adds the kinds that a part may move to from its key.
    fn moves(
        &self,
        state: &State,
        index: usize,
        (line, prices, up): (&[i64], &[i64], bool),
        found: &mut Vec<Candidate>,
    ) {
        let (part, key) = (&state.parts[index], state.key[index]);
        let loads = &self.loads[part.bucket * self.kinds..(part.bucket + 1) * self.kinds];
        let own = i128::from(line[key]) * i128::from(loads[key]);
        let price = i128::from(prices[key]) * i128::from(loads[key]);
        let mut rest = part.kinds & !(1 << key);
        while rest != 0 {
            let kind = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let load = i128::from(loads[kind]);
            let alpha = clamp((i128::from(line[kind]) * load - own) >> PLACES);
            let alpha = if up { alpha.saturating_neg() } else { alpha };
            if alpha >= PIVOT {
                let reduced = clamp((price - i128::from(prices[kind]) * load) >> PLACES).max(0);
                found.push(Candidate { variable: Basic::Taken(index, kind), reduced, alpha });
            }
        }
    }

    /// Prices that should prove that there is no point.
    fn ray(&self, state: &State, point: &Point, row: usize, (up, rounds): (bool, u32)) -> Relaxed {
        let rows = self.rows();
        let line = &point.inverse[row * rows..(row + 1) * rows];
        let sign = |cell: i64| if up { cell } else { cell.saturating_neg() };
        let mut prices: Vec<i64> =
            line[..self.kinds].iter().map(|cell| sign(*cell).max(0)).collect();
        prices.push(sign(line[self.kinds]).saturating_neg().max(0));
        // Only the proportions of a ray mean anything.
        let top = prices.iter().copied().max().unwrap_or(0).max(1);
        for price in &mut prices {
            *price = ratio(i128::from(*price), i128::from(top));
        }
        let relaxed = self.relaxed(state, point, End::Infeasible, rounds);
        Relaxed { prices, ..relaxed }
    }

    fn relaxed(&self, state: &State, point: &Point, end: End, rounds: u32) -> Relaxed {
        let mut prices: Vec<i64> = point.multipliers[..self.kinds]
            .iter()
            .map(|price| price.saturating_neg().max(0))
            .collect();
        prices.push(point.multipliers[self.kinds].max(0));
        let mut replicas: Vec<i64> = (0..self.kinds)
            .map(|kind| if state.at_upper[kind] { state.upper[kind] } else { state.lower[kind] })
            .map(|bound| self.units(bound))
            .collect();
        let mut taken = Vec::new();
        for (variable, value) in state.work.iter().zip(&point.values) {
            match variable {
                Basic::Replicas(kind) => replicas[*kind] = (*value).max(0),
                Basic::Taken(part, kind) if *value > self.tiny => {
                    let weight = self.weight(&state.parts[*part]).max(1);
                    taken.push((*part, *kind, div(*value, weight).clamp(0, ONE)));
                }
                Basic::Taken(..) | Basic::Slack(_) | Basic::Surplus => {}
            }
        }
        Relaxed { end, prices, replicas, taken, rounds }
    }
}

fn dot(a: &[i64], b: &[i64]) -> i64 {
    clamp(a.iter().zip(b).map(|(a, b)| i128::from(*a) * i128::from(*b)).sum::<i128>() >> PLACES)
}

/// What leaves the basis.
#[derive(Clone, Copy)]
enum Leaving {
    /// The variable of a row.
    Work(usize),
    /// The key of the part that the variable of a row belongs to.
    Key(usize),
}
