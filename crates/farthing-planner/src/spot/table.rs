//! What it costs to finish in a zone whose chances are known, from every state: dynamic programming
//! over ticks left, slack, the context of the spell and where the job is.
//!
//! Slack is time left less work left. A tick of work keeps it, a tick of waiting takes a tick of
//! it, a launch takes an overhead; so every transition is a shift, and states with more work than
//! time need no name. Costs are in parts of a tick on demand. Start with [`Table::new`].

use super::Terms;
use super::zone::{AGES, CONTEXTS, ONE};
use std::ops::Range;

/// Units of slack in a tick.
const FINE: usize = 5;
/// The same, of seconds.
const FINE_S: i64 = 5;
/// Slack in ticks below which every unit is kept; above, whole ticks are.
const NEAR: usize = 8;
/// More slack than this, in ticks, is worth no more.
const SLACK_TICKS_MAX: i64 = 300;
/// The cost of what is late.
const LATE: u32 = 1 << 30;
/// The same as it is kept.
const LATE_KEPT: u16 = u16::MAX;
/// Parts of a tick on demand in which costs are computed.
pub(super) const PARTS: u32 = 1 << 14;

/// Where a job is, as the planes of a table are numbered: idle, on demand, and on spot since one
/// tick, two ticks, and so on until a launch is over.
pub(super) const IDLE: usize = 0;
/// On demand; what is left of a launch is no slack.
pub(super) const ON_DEMAND: usize = 1;
/// On spot since one tick.
pub(super) const SPOT: usize = 2;

/// Lengths and prices of a job in the units of tables.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    terms: Terms,
    ticks: usize,
    /// Units of work at the start.
    work: usize,
    /// Units of slack at the start, or the most that count.
    slack: usize,
    /// What a launch on demand loses, and the last tick of one on spot.
    overhead: Shift,
    last: Shift,
    /// Ticks until a launch is over.
    pub(super) launch_ticks: usize,
    /// A tick of spot in parts of one on demand.
    pub(super) spot: u32,
    /// Bits that costs lose when they are kept.
    drop: u32,
}

/// A loss of slack: between `more` units and one less, in shares of 65,536.
#[derive(Clone, Copy, Debug)]
struct Shift {
    more: usize,
    share: u64,
}

impl Shift {
    fn of(seconds: i64, tick_s: i64) -> Self {
        let scaled =
            i128::from(seconds) * i128::from(FINE_S) * i128::from(ONE) / i128::from(tick_s);
        let scaled = u64::try_from(scaled.max(0)).unwrap_or(u64::MAX);
        let more = scaled.div_ceil(ONE);
        let share = ONE - (more * ONE - scaled);
        Self { more: usize::try_from(more).unwrap_or(usize::MAX / 4), share }
    }
}

impl Grid {
    /// `None` where there is not even slack for one launch: there is nothing to decide.
    pub(super) fn new(terms: &Terms) -> Option<Self> {
        let tick_s = terms.tick_s;
        let slack_s = (terms.deadline_s - terms.work_s).min(SLACK_TICKS_MAX * tick_s);
        let units = |seconds: i64| usize::try_from(seconds * FINE_S / tick_s).ok();
        let slack = units(slack_s)?;
        let overhead = Shift::of(terms.overhead_s, tick_s);
        let launch = (terms.overhead_s + tick_s - 1).div_euclid(tick_s).max(1);
        let ticks = usize::try_from(terms.ticks()).ok()?;
        let parts = i128::from(PARTS);
        let spot = terms.spot_hour.pico() * parts / terms.on_demand_hour.pico().max(1);
        let most = (ticks as u64 + 2) * u64::from(PARTS);
        Some(Self {
            terms: *terms,
            ticks,
            work: units(terms.work_s + tick_s / FINE_S)?,
            slack,
            overhead,
            last: Shift::of(terms.overhead_s - (launch - 1) * tick_s, tick_s),
            launch_ticks: usize::try_from(launch).ok()?,
            spot: u32::try_from(spot).ok()?,
            drop: (most / u64::from(LATE_KEPT)).checked_ilog2().map_or(0, |bits| bits + 1),
        })
        .filter(|grid| grid.slack >= grid.overhead.more)
    }

    /// Planes of a context.
    fn planes(&self, context: usize) -> usize {
        if context < AGES.len() { SPOT } else { SPOT + self.launch_ticks }
    }

    /// The number of the first plane of each context, and of all.
    fn plane_starts(&self) -> Vec<usize> {
        let add = |sum: &mut usize, context| {
            *sum += self.planes(context);
            Some(*sum)
        };
        std::iter::once(0).chain((0..CONTEXTS).scan(0, add)).collect()
    }

    /// Units of slack that a state with so many ticks left can have before the work is done.
    fn reach(&self, left: usize) -> Range<usize> {
        let end = (left * FINE).min(self.slack + 1);
        let most_work = self.work + self.overhead.more + 2;
        (left * FINE).saturating_sub(most_work).min(end)..end
    }
}

/// Costs of all states with some number of ticks left: a row of slack for each plane.
struct Layer {
    width: usize,
    costs: Vec<u32>,
}

impl Layer {
    fn new(planes: usize, width: usize) -> Self {
        Self { width, costs: vec![0; planes * width] }
    }

    fn row(&self, plane: usize) -> &[u32] {
        &self.costs[plane * self.width..][..self.width]
    }

    fn row_mut(&mut self, plane: usize) -> &mut [u32] {
        &mut self.costs[plane * self.width..][..self.width]
    }
}

/// Costs to go in one zone.
#[derive(Clone, Debug)]
pub(super) struct Table {
    starts: Vec<usize>,
    /// For each number of ticks left: where its costs begin, its first row and its rows.
    layers: Vec<(usize, usize, usize)>,
    kept: Vec<u16>,
    drop: u32,
}

impl Table {
    /// Solves a zone from the deadline backwards.
    pub(super) fn new(grid: &Grid, ends: &[u64; CONTEXTS]) -> Self {
        let starts = grid.plane_starts();
        let planes = starts[CONTEXTS];
        let mut table = Self { starts, layers: Vec::new(), kept: Vec::new(), drop: grid.drop };
        let width = grid.slack + 1;
        let mut solver = Solver {
            grid,
            ends,
            starts: table.starts.clone(),
            after: Layer::new(planes, width),
            expected: Layer::new(planes, width),
            now: Layer::new(planes, width),
        };
        table.keep(grid, 0, &solver.after);
        for left in 1..=grid.ticks {
            solver.step(left);
            table.keep(grid, left, &solver.now);
            std::mem::swap(&mut solver.now, &mut solver.after);
        }
        table
    }

    fn keep(&mut self, grid: &Grid, left: usize, layer: &Layer) {
        let reach = grid.reach(left);
        let (first, last) = (row_below(reach.start), row_below(reach.end.max(1) - 1) + 1);
        let rows = if reach.is_empty() { 0 } else { last + 1 - first };
        self.layers.push((self.kept.len(), first, rows));
        for plane in 0..self.starts[CONTEXTS] {
            let row = layer.row(plane);
            for at in first..first + rows {
                let cost = row.get(slack_of(at)).copied().unwrap_or(0);
                let cost = (cost + (1 << self.drop >> 1)) >> self.drop;
                self.kept.push(u16::try_from(cost).unwrap_or(LATE_KEPT));
            }
        }
    }

    /// The cost to go, in parts of a tick on demand; `slack` in 1/65,536 units. `None` is late.
    pub(super) fn cost(
        &self,
        left: usize,
        (context, plane): (usize, usize),
        slack: u64,
    ) -> Option<u64> {
        let (begin, first, rows) = *self.layers.get(left)?;
        if rows == 0 {
            return Some(0);
        }
        let plane =
            self.starts[context] + if context < AGES.len() && plane >= SPOT { IDLE } else { plane };
        let costs = &self.kept[begin + plane * rows..][..rows];
        let unit = usize::try_from(slack / ONE).unwrap_or(usize::MAX);
        let row = row_below(unit);
        let (from, to) = (slack_of(row) as u64 * ONE, slack_of(row + 1) as u64 * ONE);
        let at = |row: usize| costs[row.saturating_sub(first).min(rows - 1)];
        let (low, high) = (at(row), at(row + 1));
        let share = slack.saturating_sub(from).min(to - from);
        let cost = match (low, high) {
            (LATE_KEPT, LATE_KEPT) => return None,
            (LATE_KEPT, high) => u64::from(high) << self.drop,
            (low, high) => {
                let (low, high) = (u64::from(low) << self.drop, u64::from(high) << self.drop);
                (low * (to - from - share) + high * share) / (to - from)
            }
        };
        Some(cost)
    }
}

/// The number of the kept row at or below an amount of slack.
fn row_below(slack: usize) -> usize {
    let near = NEAR * FINE;
    if slack < near { slack } else { near + (slack - near) / FINE }
}

/// The slack of a kept row.
fn slack_of(row: usize) -> usize {
    let near = NEAR * FINE;
    if row < near { row } else { near + (row - near) * FINE }
}

/// The step from a number of ticks left to one more.
struct Solver<'a> {
    grid: &'a Grid,
    ends: &'a [u64; CONTEXTS],
    starts: Vec<usize>,
    after: Layer,
    /// Of `after`, as expected one tick before, by the context then and the plane after.
    expected: Layer,
    now: Layer,
}

impl Solver<'_> {
    fn step(&mut self, left: usize) {
        let reach = self.grid.reach(left);
        for context in 0..CONTEXTS {
            self.expect(context, left);
        }
        for plane in 0..self.starts[CONTEXTS] {
            let row = self.now.row_mut(plane);
            row[..reach.start].fill(LATE);
            row[reach.end..].fill(0);
        }
        for context in 0..CONTEXTS {
            self.decide(context, left, &reach);
        }
    }

    /// Costs after a tick that begins in a context.
    fn expect(&mut self, context: usize, left: usize) {
        let with_spot = context >= AGES.len();
        let age = context % AGES.len();
        let ended = if with_spot { 0 } else { AGES.len() };
        let end = self.ends[context];
        let older = AGES.get(age + 1).map_or(0, |next| {
            let ticks = u64::try_from(next - AGES[age]).unwrap_or(1);
            (ONE - end) / ticks.max(1)
        });
        let next = context + usize::from(older > 0);
        let reach = self.grid.reach(left);
        let from = reach.start.saturating_sub(FINE.max(self.grid.overhead.more) + 1);
        for plane in 0..self.grid.planes(context) {
            let in_other = |other: usize| {
                let kept = plane < self.grid.planes(other);
                self.after.row(self.starts[other] + if kept { plane } else { IDLE })
            };
            let (new, same, old) = (in_other(ended), in_other(context), in_other(next));
            let row = self.expected.row_mut(self.starts[context] + plane);
            let stays = ONE - end - older;
            for at in from..reach.end {
                let sum = u64::from(new[at]) * end
                    + u64::from(same[at]) * stays
                    + u64::from(old[at]) * older;
                #[expect(clippy::cast_possible_truncation, reason = "a mean of 32 bits")]
                {
                    row[at] = (sum >> 16) as u32;
                }
            }
        }
    }

    /// The least cost of each state of a context.
    fn decide(&mut self, context: usize, left: usize, reach: &Range<usize>) {
        let start = self.starts[context];
        let grid = self.grid;
        let running = SPOT + grid.launch_ticks - 1;
        let expected = |plane: usize| self.expected.row(start + plane);
        let tick = Shift { more: FINE, share: ONE };
        let whole = Shift { more: 0, share: ONE };
        let safe = grid.overhead.more;
        let ends_from = (left - 1) * FINE;
        for plane in 0..grid.planes(context) {
            let row = &mut self.now.costs[(start + plane) * self.now.width..][..self.now.width];
            row[reach.clone()].fill(LATE);
            let mut least = Least { row, reach };
            let on_demand = if plane == ON_DEMAND { whole } else { grid.overhead };
            least.or(expected(ON_DEMAND), on_demand, (PARTS, 0, ends_from));
            least.or(expected(IDLE), tick, (0, safe, ends_from));
            if context < AGES.len() {
                continue;
            }
            let next = if plane >= SPOT { (plane + 1).min(running) } else { SPOT };
            let loss = match (plane == running, next == running) {
                (true, _) => whole,
                (false, true) => grid.last,
                (false, false) => tick,
            };
            least.or(expected(next), loss, (grid.spot, safe, ends_from));
        }
    }
}

/// A row of least costs that is being filled.
struct Least<'a> {
    row: &'a mut [u32],
    reach: &'a Range<usize>,
}

impl Least<'_> {
    /// Another action: its expected costs, the slack it loses, its price, the slack that it must
    /// leave, and the slack from which it ends the work.
    fn or(&mut self, costs: &[u32], loss: Shift, (price, safe, ends_from): (u32, usize, usize)) {
        let from = self.reach.start.max(loss.more + safe.min(ends_from));
        if from >= self.reach.end {
            return;
        }
        let row = &mut self.row[from..self.reach.end];
        let low = &costs[from - loss.more..self.reach.end - loss.more];
        let shifted = usize::from(loss.share < ONE);
        let high = &costs[from - loss.more + shifted..self.reach.end - loss.more + shifted];
        for ((least, low), high) in row.iter_mut().zip(low).zip(high) {
            let mean = u64::from(*low) * loss.share + u64::from(*high) * (ONE - loss.share);
            #[expect(clippy::cast_possible_truncation, reason = "a mean of 32 bits")]
            let cost = (mean >> 16) as u32 + price;
            *least = (*least).min(cost);
        }
    }
}

impl Grid {
    /// Slack of a state in 1/65,536 units, clamped to what tables know.
    pub(super) fn slack_of(&self, slack_s: i64) -> u64 {
        let scaled = i128::from(slack_s) * i128::from(FINE_S) * i128::from(ONE);
        let units = u64::try_from((scaled / i128::from(self.terms.tick_s)).max(0)).unwrap_or(0);
        units.min(self.slack as u64 * ONE)
    }
}
