//! The simplex: a key option for each group, and a small basis for the limits in play.
//!
//! Every limit in play may be broken at a price that is higher than any saving, so that each basis
//! is feasible from the start. Start with [`Simplex::run`].

use super::basis::Inverse;
use super::prices::Prices;
use super::{Binding, Broken, Choices, PRICE_SHIFT, SHARE_ONE, Share};

/// Relative tolerance of reduced costs and values.
const TOLERANCE: f64 = 1e-9;
/// What breaking a limit costs, where the dearest option costs 1 and the largest amount is 1.
const PENALTY: f64 = 1e5;
/// Pivots between two fresh inverses.
const FRESH: u32 = 40;

/// A variable in the working basis.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Basic {
    /// What is left of a limit.
    Slack(usize),
    /// By how much a limit is broken.
    Over(usize),
    /// An option of a group, beside its key.
    Option { group: usize, option: usize },
}

/// What leaves the basis.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    Basic(usize),
    Key(usize),
}

pub(super) struct Simplex<'a> {
    choices: &'a Choices,
    cost_unit: f64,
    amount_unit: f64,
    /// Costs and amounts in those units.
    costs: Vec<f64>,
    amounts: Vec<f64>,
    group_of: Vec<usize>,
    /// Limits in play: chain and position.
    rows: Vec<(usize, usize)>,
    keys: Vec<usize>,
    basics: Vec<Basic>,
    inverse: Inverse,
    values: Vec<f64>,
    key_values: Vec<f64>,
    row_prices: Vec<f64>,
    prices: Prices,
    pub(super) pivots: u32,
}

#[allow(clippy::cast_precision_loss, reason = "floats propose; the bound is exact")]
fn float(value: i128) -> f64 {
    value as f64
}

impl<'a> Simplex<'a> {
    /// Begins with one option for each group and no limit in play.
    pub(super) fn new(choices: &'a Choices, start: &[u32]) -> Self {
        let most = choices.options.iter().map(|row| row.cost.abs()).max().unwrap_or(1);
        let amount = choices.uses.iter().map(|one| one.amount).max().unwrap_or(1);
        let (cost_unit, amount_unit) = (float(most.max(1)), float(i128::from(amount.max(1))));
        let mut group_of = vec![0; choices.options.len()];
        let mut keys = Vec::with_capacity(choices.groups());
        for group in 0..choices.groups() {
            let all = choices.of(group);
            for option in all.clone() {
                group_of[option] = group;
            }
            let asked = start.get(group).map(|option| all.start + *option as usize);
            let cheapest = all.clone().min_by_key(|option| choices.options[*option].cost);
            let key = asked.filter(|option| all.contains(option)).or(cheapest);
            keys.push(key.unwrap_or(all.start));
        }
        Self {
            choices,
            cost_unit,
            amount_unit,
            costs: choices.options.iter().map(|row| float(row.cost) / cost_unit).collect(),
            amounts: choices
                .uses
                .iter()
                .map(|one| float(i128::from(one.amount)) / amount_unit)
                .collect(),
            group_of,
            rows: Vec::new(),
            key_values: vec![1.0; keys.len()],
            keys,
            basics: Vec::new(),
            inverse: Inverse::default(),
            values: Vec::new(),
            row_prices: Vec::new(),
            prices: Prices::none(choices.limits.iter().map(Vec::len)),
            pivots: 0,
        }
    }

    /// Pivots until nothing is cheaper, and adds limits until all of them hold; `false` where the
    /// limit on pivots came first.
    pub(super) fn run(&mut self) -> bool {
        let size = self.choices.groups() + self.choices.limits.iter().map(Vec::len).sum::<usize>();
        let most = u32::try_from(200 + 20 * size).unwrap_or(u32::MAX);
        loop {
            self.evaluate();
            while let Some(entering) = self.entering() {
                self.pivots += 1;
                if self.pivots > most || !self.enter(entering) {
                    return false;
                }
                self.evaluate();
            }
            if !self.add_rows() {
                return true;
            }
        }
    }

    fn use_of(&self, option: usize, row: usize) -> f64 {
        let (chain, at) = self.rows[row];
        let row = &self.choices.options[option];
        (row.first as usize..row.end as usize)
            .filter(|one| {
                let one = &self.choices.uses[*one];
                one.chain as usize == chain && one.at as usize <= at
            })
            .map(|one| self.amounts[one])
            .sum()
    }

    fn limit(&self, row: usize) -> f64 {
        let (chain, at) = self.rows[row];
        float(i128::from(self.choices.limits[chain][at])) / self.amount_unit
    }

    /// The column of a basic variable.
    fn column(&self, basic: Basic) -> Vec<f64> {
        let unit = |row: usize, value: f64| {
            let mut column = vec![0.0; self.rows.len()];
            column[row] = value;
            column
        };
        match basic {
            Basic::Slack(row) => unit(row, 1.0),
            Basic::Over(row) => unit(row, -1.0),
            Basic::Option { group, option } => {
                let key = self.keys[group];
                (0..self.rows.len())
                    .map(|row| self.use_of(option, row) - self.use_of(key, row))
                    .collect()
            }
        }
    }

    /// Inverts the basis anew; where it is singular, only keys stay.
    fn invert(&mut self) {
        let columns: Vec<Vec<f64>> = self.basics.iter().map(|basic| self.column(*basic)).collect();
        if let Some(inverse) = Inverse::of(&columns) {
            self.inverse = inverse;
            return;
        }
        self.basics = (0..self.rows.len())
            .map(|row| {
                let used: f64 = self.keys.iter().map(|key| self.use_of(*key, row)).sum();
                if used > self.limit(row) { Basic::Over(row) } else { Basic::Slack(row) }
            })
            .collect();
        let columns: Vec<Vec<f64>> = self.basics.iter().map(|basic| self.column(*basic)).collect();
        self.inverse = Inverse::of(&columns).unwrap_or_default();
    }

    /// Values and prices of the basis.
    fn evaluate(&mut self) {
        let mut left: Vec<f64> = (0..self.rows.len()).map(|row| self.limit(row)).collect();
        for key in &self.keys {
            for (row, left) in left.iter_mut().enumerate() {
                *left -= self.use_of(*key, row);
            }
        }
        self.values = self.inverse.times(&left);
        self.key_values.fill(1.0);
        let mut costs = vec![0.0; self.basics.len()];
        for (at, basic) in self.basics.iter().enumerate() {
            match basic {
                Basic::Slack(_) => {}
                Basic::Over(_) => costs[at] = PENALTY,
                Basic::Option { group, option } => {
                    self.key_values[*group] -= self.values[at];
                    costs[at] = self.costs[*option] - self.costs[self.keys[*group]];
                }
            }
        }
        self.row_prices = self.inverse.under(&costs);
        for price in &mut self.row_prices {
            *price = -*price;
        }
        self.prices.set(&self.rows, &self.row_prices);
    }

    fn priced(&self, option: usize) -> f64 {
        let row = &self.choices.options[option];
        let uses = row.first as usize..row.end as usize;
        let paid = |one: usize| {
            let place = &self.choices.uses[one];
            self.amounts[one] * self.prices.at(place.chain, place.at)
        };
        self.costs[option] + uses.map(paid).sum::<f64>()
    }

    /// What saves most by a unit of it.
    fn entering(&self) -> Option<Basic> {
        let mut best: Option<(f64, Basic)> = None;
        let mut consider = |reduced: f64, basic: Basic| {
            if reduced < -TOLERANCE && best.is_none_or(|(least, _)| reduced < least) {
                best = Some((reduced, basic));
            }
        };
        for (row, price) in self.row_prices.iter().enumerate() {
            consider(*price, Basic::Slack(row));
            consider(PENALTY - price, Basic::Over(row));
        }
        for (group, key) in self.keys.iter().enumerate() {
            let own = self.priced(*key);
            for option in self.choices.of(group) {
                let reduced = self.priced(option) - own;
                // A tolerance by what is compared: prices with the penalty in them are large.
                if reduced < -TOLERANCE * (1.0 + own.abs()) {
                    consider(reduced, Basic::Option { group, option });
                }
            }
        }
        best.map(|(_, basic)| basic)
    }

    /// Brings a variable into the basis; whether it could be.
    fn enter(&mut self, entering: Basic) -> bool {
        let product = self.inverse.times(&self.column(entering));
        let Some((_, leaves)) = self.leaving(entering, &product) else { return false };
        let placed = match leaves {
            Leaves::Basic(at) => {
                self.basics[at] = entering;
                !self.pivots.is_multiple_of(FRESH) && self.inverse.replace(at, &product)
            }
            Leaves::Key(group) => {
                self.change_key(group, entering);
                false
            }
        };
        if !placed {
            self.invert();
        }
        true
    }

    /// The key of a group leaves: another basic option of the group becomes key, and what enters
    /// takes its place.
    fn change_key(&mut self, group: usize, entering: Basic) {
        if let Basic::Option { group: own, option } = entering
            && own == group
            && !self.basics.iter().any(|basic| is_of(*basic, group))
        {
            self.keys[group] = option;
            return;
        }
        let most = (0..self.basics.len())
            .filter(|at| is_of(self.basics[*at], group))
            .max_by(|left, right| self.values[*left].total_cmp(&self.values[*right]));
        let Some(at) = most else { return };
        if let Basic::Option { option, .. } = self.basics[at] {
            self.keys[group] = option;
        }
        self.basics[at] = entering;
    }

    /// What first becomes zero as a variable enters.
    fn leaving(&self, entering: Basic, product: &[f64]) -> Option<(f64, Leaves)> {
        let mut best: Option<(f64, f64, Leaves)> = None;
        let mut consider = |value: f64, rate: f64, leaves: Leaves| {
            if rate <= TOLERANCE {
                return;
            }
            let step = value.max(0.0) / rate;
            // The larger rate where steps are the same: a safer pivot.
            let better = best.is_none_or(|(least, own, _)| {
                step < least - 1e-12 || (step < least + 1e-12 && rate > own)
            });
            if better {
                best = Some((step, rate, leaves));
            }
        };
        let mut falls = vec![0.0; self.keys.len()];
        if let Basic::Option { group, .. } = entering {
            falls[group] += 1.0;
        }
        for (at, (basic, rate)) in self.basics.iter().zip(product).enumerate() {
            consider(self.values[at], *rate, Leaves::Basic(at));
            if let Basic::Option { group, .. } = basic {
                falls[*group] -= rate;
            }
        }
        for (group, rate) in falls.iter().enumerate() {
            consider(self.key_values[group], *rate, Leaves::Key(group));
        }
        best.map(|(step, _, leaves)| (step, leaves))
    }

    /// Puts the most broken limit of each chain into play; whether there was one.
    fn add_rows(&mut self) -> bool {
        let lengths = self.choices.limits.iter().map(Vec::len);
        let mut used: Vec<Vec<f64>> = lengths.map(|length| vec![0.0; length]).collect();
        for (option, share) in self.mix() {
            let row = &self.choices.options[option];
            for one in row.first as usize..row.end as usize {
                let place = &self.choices.uses[one];
                used[place.chain as usize][place.at as usize] += share * self.amounts[one];
            }
        }
        let mut found = false;
        for (chain, used) in used.iter().enumerate() {
            let (mut sum, mut worst) = (0.0, (TOLERANCE, usize::MAX));
            for (at, amount) in used.iter().enumerate() {
                sum += amount;
                let limit = float(i128::from(self.choices.limits[chain][at])) / self.amount_unit;
                let over = sum - limit;
                if over > worst.0 && over > TOLERANCE * limit && !self.rows.contains(&(chain, at)) {
                    worst = (over, at);
                }
            }
            if worst.1 != usize::MAX {
                self.basics.push(Basic::Over(self.rows.len()));
                self.rows.push((chain, worst.1));
                found = true;
            }
        }
        if found {
            self.invert();
        }
        found
    }

    /// Options with their share of their group.
    fn mix(&self) -> impl Iterator<Item = (usize, f64)> {
        let keys = self.keys.iter().copied().zip(self.key_values.iter().copied());
        let others =
            self.basics.iter().zip(&self.values).filter_map(|(basic, value)| match basic {
                Basic::Option { option, .. } => Some((*option, *value)),
                Basic::Slack(_) | Basic::Over(_) => None,
            });
        keys.chain(others)
    }

    #[allow(clippy::cast_possible_truncation, reason = "a share is at most the whole")]
    pub(super) fn shares(&self) -> Vec<Share> {
        let mut all: Vec<Share> = self
            .mix()
            .map(|(option, value)| {
                let group = self.group_of[option];
                let share = (value.clamp(0.0, 1.0) * float(SHARE_ONE.into())).round() as i64;
                let first = self.choices.of(group).start;
                let index = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
                Share { group: index(group), option: index(option - first), share }
            })
            .filter(|share| share.share > 0)
            .collect();
        all.sort_unstable_by_key(|share| (share.group, share.option));
        all
    }

    #[allow(clippy::cast_possible_truncation, reason = "any price proves a bound")]
    pub(super) fn binding(&self) -> Vec<Binding> {
        let unit = self.cost_unit / self.amount_unit * f64::from(1_u32 << PRICE_SHIFT);
        let index = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let rows = self.rows.iter().zip(&self.row_prices);
        rows.filter(|(_, price)| **price > 0.0)
            .map(|((chain, at), price)| Binding {
                chain: index(*chain),
                at: index(*at),
                price: (price * unit).floor() as i128,
            })
            .filter(|row| row.price > 0)
            .collect()
    }

    #[allow(clippy::cast_possible_truncation, reason = "an amount of a limit of 64 bits")]
    pub(super) fn broken(&self) -> Vec<Broken> {
        let index = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let mut rows: Vec<Broken> = self
            .basics
            .iter()
            .zip(&self.values)
            .filter_map(|(basic, value)| match basic {
                Basic::Over(row) if *value > 1e-7 => Some((self.rows[*row], *value)),
                _ => None,
            })
            .map(|((chain, at), value)| Broken {
                chain: index(chain),
                at: index(at),
                amount: (value * self.amount_unit).ceil() as i64,
            })
            .collect();
        rows.sort_unstable_by_key(|row| (row.chain, row.at));
        rows
    }
}

fn is_of(basic: Basic, group: usize) -> bool {
    matches!(basic, Basic::Option { group: own, .. } if own == group)
}
