//! Column generation: which of very many columns a large program needs.
//!
//! It starts from columns that look good when each limited offer is one amount of node-time,
//! whatever the hour, and from the bound that this one price for each proves; then the duals of the
//! relaxation, from its inside, ask for more, until the bound of [`crate::pricing`] is close to the
//! relaxation. What it returns is a part of the columns with a
//! bound for all of them, and a point in whole numbers made from the relaxation.

use crate::column::Pool;
use crate::pricing::Prices;
use crate::program::{Goal, Program, Role, RowKey, Written};
use crate::room::{Room, merged};
use farthing_milp::{
    DualCertificate, Kind, Limits, Overflow, Problem, ProblemError, Relaxed, Row, Sense,
    SolveError, VarSpec, relax, relax_inside,
};
use std::collections::BTreeMap;

/// Rounds of pricing; each asks for the best columns of each class.
const ROUNDS_MAX: usize = 40;
/// Columns times rounds: the limit is on work, whatever the machine.
const WORK_MAX: usize = 60_000;
/// Columns that a class gets in one round. Many, and few rounds: a relaxation is most of the work,
/// and takes little longer for them.
const ENTERING_MAX: usize = 60;
/// Columns beside those in use over which the last relaxation is solved to a corner.
const VERTEX_MAX: usize = 1_000;
/// Columns that a class starts with.
const SEEDS_MAX: usize = 100;
/// Ways of a class that are looked at for a start, cheapest first.
const WAYS_MAX: usize = 60;
/// A relaxation is near enough to its bound at this many times the gap that is allowed. The rest of
/// the way takes most of the work, and whole members cost about half as much again.
const CLOSE: i128 = 5;
/// Tenths of the best prices so far that are mixed into those of a relaxation, which alone swing
/// from round to round. Pricing is cheap beside a relaxation, so several mixtures are tried.
const MEMORIES: [i128; 2] = [2, 5];
/// Members in a relaxation are counted in millionths.
const PPM: i128 = 1_000_000;

/// Members by column.
pub(crate) type Placed = Vec<(usize, u32)>;

/// What generation came to.
pub(crate) struct Generated {
    /// Prices with the best bound on the whole program.
    pub(crate) prices: Prices,
    /// Columns that the last relaxation uses, with whole members rounded down.
    pub(crate) used: Placed,
    /// A point in whole numbers in which nobody waits who need not, without services.
    pub(crate) point: Option<Placed>,
    /// Simplex iterations.
    pub(crate) iterations: u64,
    /// Whether a work limit ended it.
    pub(crate) stopped: bool,
}

/// The problem error of a program as one of the solver's.
pub(crate) fn stated(source: ProblemError) -> SolveError {
    SolveError::Solver(source.to_string())
}

/// Generates columns for a goal, from a point that is known. `None` where waiting cannot be bought
/// off, so that everything does not fit.
pub(crate) fn generate(
    program: &Program<'_>,
    goal: Goal,
    start: Option<&[(usize, i64)]>,
    (limits, gap_ppm): (Limits, u32),
) -> Result<Option<Generated>, SolveError> {
    let mut active = vec![false; program.columns.len()];
    let (seeds, rough) = seeds(program, &limits)?;
    for column in seeds {
        active[column] = true;
    }
    for (column, _) in start.into_iter().flatten() {
        active[*column] = true;
    }
    // Dear enough that nobody waits who need not, and not so dear that digits are lost.
    let dearest = program.columns.iter().map(|column| program.floor(column)).max();
    let penalty = dearest.unwrap_or(0).saturating_mul(4).saturating_add(1_000_000_000_000);
    let penalty = (goal == Goal::Everything).then_some(penalty);
    let dear = ceiling(program);
    let mut search = Search { program, goal, penalty, limits, rough, best: None, iterations: 0 };
    let (mut last, mut work) = (None, 0);
    for round in 0..ROUNDS_MAX {
        let chosen: Vec<usize> = (0..active.len()).filter(|column| active[*column]).collect();
        work += chosen.len();
        let Some((found, entering)) = search.round(&chosen, &active)? else { return Ok(None) };
        let waits = penalty.is_some() && found.waits;
        // No choice in which nobody waits costs as much as the bound says that it must.
        if penalty.is_some() && search.best.as_ref().is_some_and(|best| best.0.bound > dear) {
            return Ok(None);
        }
        let near = !waits && search.close(found.objective, gap_ppm);
        let over = work >= WORK_MAX || round + 1 == ROUNDS_MAX;
        let done = entering.is_empty() || near || over || found.stopped;
        let stopped = found.stopped || (over && !near && !entering.is_empty());
        for column in entering {
            active[column] = true;
        }
        last = Some((found, stopped));
        if done {
            if waits {
                return Ok(None);
            }
            break;
        }
    }
    let Some((last, stopped)) = last else { return Ok(None) };
    let used = search.vertex(last.used)?;
    let Some((prices, _)) = search.best else { return Ok(None) };
    let point = point(program, goal, &used, &prices);
    let iterations = search.iterations;
    Ok(Some(Generated { prices, used, point, iterations, stopped }))
}

/// One relaxation.
struct Found {
    objective: i128,
    waits: bool,
    stopped: bool,
    used: Placed,
}

struct Search<'p, 'a> {
    program: &'p Program<'a>,
    goal: Goal,
    penalty: Option<i128>,
    limits: Limits,
    /// Multipliers by which each limited offer has one price, whatever the hour.
    rough: Option<Multipliers>,
    /// The prices with the best bound, and the multipliers that they come from.
    best: Option<(Prices, Multipliers)>,
    iterations: u64,
}

/// Multipliers by row, over `2^shift`.
struct Multipliers {
    shift: u32,
    by_row: BTreeMap<RowKey, i128>,
}

impl Multipliers {
    fn of(written: &Written, duals: &DualCertificate) -> Self {
        let row = |row: &Row| duals.multipliers().get(row.index()).copied().unwrap_or(0);
        let by_row = written.rows.iter().map(|(key, at)| (*key, row(at))).collect();
        Self { shift: duals.denominator().trailing_zeros(), by_row }
    }

    /// As a certificate for a problem.
    fn certificate(&self, written: &Written) -> Option<DualCertificate> {
        let mut multipliers = vec![0; written.rows.len()];
        for (key, row) in &written.rows {
            *multipliers.get_mut(row.index())? = self.by_row.get(key).copied().unwrap_or(0);
        }
        DualCertificate::new(self.shift, multipliers)
    }

    /// A mixture with others, as a certificate for a problem; `None` where digits would be lost.
    fn mixed(&self, written: &Written, other: &Self, memory: i128) -> Option<DualCertificate> {
        // Room for the factors; multipliers are below 2^101 where they come from.
        let shift = self.shift.min(other.shift).checked_sub(4)?;
        let at = |from: &Self, key: &RowKey| {
            from.by_row.get(key).copied().unwrap_or(0) >> (from.shift - shift)
        };
        let mixed = |key: &RowKey| {
            let sum = memory * at(self, key) + (10 - memory) * at(other, key);
            // Towards zero, so that signs stay right.
            sum / 10
        };
        let mut multipliers = vec![0; written.rows.len()];
        for (key, row) in &written.rows {
            *multipliers.get_mut(row.index())? = mixed(key);
        }
        DualCertificate::new(shift, multipliers)
    }
}

impl Search<'_, '_> {
    /// Relaxes the program over some columns and prices all; what should enter.
    fn round(
        &mut self,
        chosen: &[usize],
        active: &[bool],
    ) -> Result<Option<(Found, Vec<usize>)>, SolveError> {
        let program = self.program;
        let written = program.problem(self.goal, chosen, self.penalty, true).map_err(stated)?;
        let (duals, found) = match relax_inside(&written.problem, &self.limits)? {
            Relaxed::Optimal(relaxed) => {
                self.iterations += relaxed.iterations;
                let (objective, stopped) = (relaxed.objective, false);
                let (waits, used) = read(&written, &relaxed.values_ppm);
                (relaxed.certificate, Found { objective, waits, stopped, used })
            }
            Relaxed::Stopped(duals) => {
                let (objective, waits, stopped, used) = (i128::MAX, false, true, Vec::new());
                (duals, Found { objective, waits, stopped, used })
            }
            Relaxed::Infeasible(_) | Relaxed::Unbounded => return Ok(None),
        };
        if let Some(rough) = self.rough.take() {
            let even = rough.certificate(&written).ok_or(Overflow)?;
            self.keep(Prices::of(program, self.goal, &written, &even)?, rough);
        }
        let own = Prices::of(program, self.goal, &written, &duals)?;
        let own_multipliers = Multipliers::of(&written, &duals);
        // Only a column that this relaxation would take can change it; which of them, the mixture
        // with the best bound says.
        let best = self.best.as_ref().map(|(_, best)| best);
        let mixtures: Vec<DualCertificate> = MEMORIES
            .iter()
            .filter_map(|memory| best?.mixed(&written, &own_multipliers, *memory))
            .collect();
        let mut chosen: Option<(Prices, Multipliers)> = None;
        for mixed in mixtures {
            let prices = Prices::of(program, self.goal, &written, &mixed)?;
            if chosen.as_ref().is_none_or(|(chosen, _)| chosen.bound < prices.bound) {
                chosen = Some((prices, Multipliers::of(&written, &mixed)));
            }
        }
        let order = chosen.as_ref().map_or(&own, |(prices, _)| prices);
        let entering = own.entering(program, active, order, ENTERING_MAX);
        self.keep(own, own_multipliers);
        if let Some((prices, multipliers)) = chosen {
            self.keep(prices, multipliers);
        }
        Ok(Some((found, entering)))
    }

    /// A corner of the relaxation over the best columns and those that are used inside of it: there
    /// few columns have a part of a member, so that little is lost where it is rounded.
    fn vertex(&mut self, used: Placed) -> Result<Placed, SolveError> {
        let Some((prices, _)) = &self.best else { return Ok(used) };
        let (mut chosen, _) = prices.best(self.program, VERTEX_MAX);
        chosen.extend(used.iter().map(|(column, _)| *column));
        chosen.sort_unstable();
        chosen.dedup();
        let written =
            self.program.problem(self.goal, &chosen, self.penalty, false).map_err(stated)?;
        let Relaxed::Optimal(relaxed) = relax(&written.problem, &self.limits)? else {
            return Ok(used);
        };
        self.iterations += relaxed.iterations;
        Ok(read(&written, &relaxed.values_ppm).1)
    }

    fn keep(&mut self, prices: Prices, multipliers: Multipliers) {
        if self.best.as_ref().is_none_or(|(best, _)| best.bound <= prices.bound) {
            self.best = Some((prices, multipliers));
        }
    }

    /// Whether more columns cannot improve the relaxation by more than does not matter.
    fn close(&self, at: i128, gap_ppm: u32) -> bool {
        let bound = self.best.as_ref().map_or(i128::MIN, |(best, _)| best.bound);
        let allowed = CLOSE * i128::from(gap_ppm);
        at.saturating_sub(bound) <= at.saturating_abs() / PPM * allowed
    }
}

/// More than any choice can cost in which nobody waits.
fn ceiling(program: &Program<'_>) -> i128 {
    let mut dearest = vec![0_i128; program.classes.len()];
    for column in &program.columns {
        let class = &mut dearest[column.class];
        *class = (*class).max(program.floor(column));
    }
    let jobs = program.classes.iter().zip(dearest);
    let jobs = jobs.map(|(class, cost)| cost.saturating_mul(i128::from(class.size)));
    let services = program.services.iter().flat_map(|service| &service.kinds);
    let services = services.map(|kind| kind.cost.saturating_mul(i128::from(kind.most())));
    jobs.chain(services).fold(0, i128::saturating_add)
}

/// Whether anybody waits in a relaxation, by more than rounding, and the columns that it uses.
fn read(written: &Written, values_ppm: &[i128]) -> (bool, Placed) {
    let (mut waits, mut used) = (false, Vec::new());
    for (item, value) in written.items.iter().zip(values_ppm) {
        match item.role {
            Role::Wait(_) => waits |= *value > 1_000,
            Role::Column(column) if *value > 1_000 => {
                let whole = (value + 1_000).div_euclid(PPM);
                used.push((column, u32::try_from(whole).unwrap_or(0)));
            }
            Role::Column(_) | Role::Served(_) | Role::Replicas(..) | Role::Inner(_) => {}
        }
    }
    (waits, used)
}

/// The relaxation rounded down, and whoever is left over where the prices like it best.
fn point(
    program: &Program<'_>,
    goal: Goal,
    used: &[(usize, u32)],
    prices: &Prices,
) -> Option<Placed> {
    if !program.services.is_empty() {
        return None;
    }
    let mut waits: Vec<u32> = program.classes.iter().map(|class| class.size).collect();
    let mut room = Room::of(program, &[], &[]);
    let mut placed = Vec::new();
    for (column, count) in used {
        let class = program.columns[*column].class;
        let count = (*count).min(waits[class]);
        let mut wanted = vec![0; program.classes.len()];
        wanted[class] = count;
        let got = room.fill_in(program, &[*column], &mut wanted);
        waits[class] -= got.iter().map(|(_, count)| count).sum::<u32>();
        placed.extend(got);
    }
    let mut order: Vec<usize> = (0..program.columns.len())
        .filter(|column| waits[program.columns[*column].class] > 0)
        .collect();
    order.sort_by_key(|column| (prices.reduced[*column], *column));
    placed.extend(room.fill_in(program, &order, &mut waits));
    room.move_cheaper(program, &mut placed);
    let placed = merged(placed);
    let lost: i128 = (0..waits.len())
        .filter(|class| program.placeable[*class])
        .map(|class| program.weights[class] * i128::from(waits[class]))
        .sum();
    let allowed = match goal {
        Goal::Everything => 0,
        Goal::Value => i128::MAX,
        Goal::Cost(most) => most,
    };
    (lost <= allowed).then_some(placed)
}

/// Columns to start from: those that are best where each limited offer is one amount of node-time.
fn seeds(
    program: &Program<'_>,
    limits: &Limits,
) -> Result<(Vec<usize>, Option<Multipliers>), SolveError> {
    let means = mean_runs(program);
    let pools = program.pools.iter();
    let times: Vec<Vec<i128>> =
        pools.map(|pool| spans(pool, means.get(&pool.offer).copied().unwrap_or(0))).collect();
    let held = |index: usize| {
        let stretch = program.columns[index].stretch;
        stretch.map_or(0, |at| times[at.pool][at.end] - times[at.pool][at.first])
    };
    let rough = Rough::of(program, &times, held).map_err(stated)?;
    let duals = match relax(&rough.problem, limits)? {
        Relaxed::Optimal(relaxed) => relaxed.certificate,
        Relaxed::Stopped(duals) => duals,
        Relaxed::Infeasible(_) | Relaxed::Unbounded => {
            return Ok((unlimited(program).collect(), None));
        }
    };
    let price = |row: &Row| duals.multipliers().get(row.index()).copied().unwrap_or(0);
    let reduced = |index: usize| -> Option<i128> {
        let column = &program.columns[index];
        let mut reduced = program.floor(column).checked_mul(duals.denominator())?;
        if let Some(stretch) = column.stretch {
            let amount = program.nodes(column).checked_mul(held(index))?;
            let priced = price(&rough.pools[stretch.pool]).checked_mul(amount)?;
            reduced = reduced.checked_sub(priced)?;
        }
        for (account, cost) in &column.costs {
            reduced = reduced.checked_sub(price(&rough.accounts[*account]).checked_mul(*cost)?)?;
        }
        Some(reduced)
    };
    let mut order: Vec<(Option<i128>, usize)> =
        (0..program.columns.len()).map(|index| (reduced(index), index)).collect();
    order.sort_by_key(|(reduced, index)| (reduced.unwrap_or(i128::MAX), *index));
    let mut taken = vec![0_usize; program.classes.len()];
    let chosen = order.into_iter().map(|(_, index)| index).filter(|index| {
        let count = &mut taken[program.columns[*index].class];
        *count += 1;
        *count <= SEEDS_MAX
    });
    Ok((chosen.chain(unlimited(program)).collect(), rough.spread(&duals, &times)))
}

fn unlimited<'p>(program: &'p Program<'_>) -> impl Iterator<Item = usize> + use<'p> {
    let columns = program.columns.iter().enumerate();
    columns.filter(|(_, column)| column.stretch.is_none()).map(|(index, _)| index)
}

/// How long a run on each offer lasts in the mean, in milliseconds, over all ways of all classes.
fn mean_runs(program: &Program<'_>) -> BTreeMap<usize, i128> {
    let mut sums: BTreeMap<usize, (i128, i128)> = BTreeMap::new();
    for way in program.classes.iter().flat_map(|class| &class.ways).filter(|way| way.in_time) {
        if let Some(offer) = way.offer {
            let (sum, count) = sums.entry(offer).or_default();
            (*sum, *count) = (*sum + way.run.as_millis(), *count + 1);
        }
    }
    sums.into_iter().map(|(offer, (sum, count))| (offer, sum / count)).collect()
}

/// Running sums of the time that each instant of a pool stands for, in milliseconds: up to the
/// next one, and for the last as long as a run lasts.
fn spans(pool: &Pool, mean: i128) -> Vec<i128> {
    let mut sums = vec![0];
    for (index, instant) in pool.instants.iter().enumerate() {
        let length = match pool.instants.get(index + 1) {
            Some(next) => next.duration_since(*instant).as_millis(),
            None => mean,
        };
        sums.push(sums[index] + length.max(1));
    }
    sums
}

/// The program without hours.
struct Rough {
    problem: Problem,
    classes: Vec<Row>,
    pools: Vec<Row>,
    accounts: Vec<Row>,
}

impl Rough {
    fn of(
        program: &Program<'_>,
        times: &[Vec<i128>],
        held: impl Fn(usize) -> i128,
    ) -> Result<Self, ProblemError> {
        let mut problem = Problem::new();
        let mut classes = Vec::with_capacity(program.classes.len());
        for class in &program.classes {
            classes.push(problem.add_row(Sense::Equal, i128::from(class.size))?);
        }
        let mut pools = Vec::with_capacity(program.pools.len());
        for (pool, times) in program.pools.iter().zip(times) {
            let spans = times.windows(2).map(|pair| pair[1] - pair[0]);
            let amount = pool.room.iter().zip(spans).map(|(room, span)| room * span).sum();
            pools.push(problem.add_row(Sense::AtMost, amount)?);
        }
        let mut accounts = Vec::with_capacity(program.accounts.len());
        for account in &program.accounts {
            accounts.push(problem.add_row(Sense::AtMost, account.room)?);
        }
        let mut dearest = 1_000_000_000_000;
        let mut ways = vec![0_usize; program.classes.len()];
        let mut last = None;
        for index in 0..program.columns.len() {
            let column = &program.columns[index];
            dearest = dearest.max(program.floor(column).saturating_mul(4));
            // The earliest start of each way stands for all.
            let first =
                last.replace((column.class, column.way)) != Some((column.class, column.way));
            ways[column.class] += usize::from(first);
            if !first || (column.stretch.is_some() && ways[column.class] > WAYS_MAX) {
                continue;
            }
            let mut entries = vec![(classes[column.class], 1)];
            if let Some(stretch) = column.stretch {
                entries.push((pools[stretch.pool], program.nodes(column) * held(index)));
            }
            entries.extend(column.costs.iter().map(|(at, cost)| (accounts[*at], *cost)));
            problem.add_var(real(program.floor(column)), &entries)?;
        }
        for class in &classes {
            problem.add_var(real(dearest), &[(*class, 1)])?;
        }
        Ok(Self { problem, classes, pools, accounts })
    }
}

impl Rough {
    /// The duals as multipliers of the whole program: the price of an amount of node-time, spread
    /// over the instants by the time that each stands for. `None` where digits do not suffice.
    fn spread(&self, duals: &DualCertificate, times: &[Vec<i128>]) -> Option<Multipliers> {
        let dual = |row: &Row| duals.multipliers().get(row.index()).copied().unwrap_or(0);
        let mut by_row = BTreeMap::new();
        for (class, row) in self.classes.iter().enumerate() {
            by_row.insert(RowKey::Class(class), dual(row));
        }
        for (account, row) in self.accounts.iter().enumerate() {
            by_row.insert(RowKey::Account(account), dual(row).min(0));
        }
        for (pool, row) in self.pools.iter().enumerate() {
            for (at, pair) in times[pool].windows(2).enumerate() {
                let price = dual(row).min(0).checked_mul(pair[1] - pair[0])?;
                by_row.insert(RowKey::Pool(pool, at), price);
            }
        }
        Some(Multipliers { shift: duals.denominator().trailing_zeros(), by_row })
    }
}

fn real(cost: i128) -> VarSpec {
    VarSpec { cost, lower: 0, upper: None, kind: Kind::Continuous }
}
