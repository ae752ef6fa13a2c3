//! What is known of a zone: how likely spot changes at the next tick, by the age of its spell.
//!
//! A spell is a run of ticks with spot, or without. Young spells end soon and old ones last, so the
//! chance that a spell ends falls with its age. What zones have in common is a [`ZonePrior`]; how a
//! zone differs from it is two numbers, by which the odds that its spells end are multiplied, one
//! for spells with spot and one for those without. A [`Belief`] weighs a grid of these numbers by
//! what the zone has shown since the start. A spell that has not ended counts by each tick it has
//! lasted, so nothing is waited for: chances by age are how censored spells are treated exactly.

/// Ages from which the chance to end is another one, in ticks of ten minutes.
pub(super) const AGES: [i64; 7] = [1, 2, 3, 5, 9, 18, 36];
/// Contexts: without spot by age, then with spot by age.
pub(super) const CONTEXTS: usize = 2 * AGES.len();
/// Factors of odds in the grid.
pub(super) const GRID: usize = 4;
/// Zones that are thought of.
pub(super) const ZONES: usize = GRID * GRID;
/// One, of a probability.
pub(super) const ONE: u64 = 1 << 16;

/// The weight of the likeliest zone.
const WEIGHT_MAX: u64 = 1 << 32;
/// How likely the zone becomes another one with a tick, in 1/65,536: 1 %. Demand for a kind of
/// machine comes and goes, so that what was seen half a day ago says half as much as what is now.
const REDRAWN: u64 = 655;

/// What zones have in common: of 65,536 spells of an age, how many end with the next tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonePrior {
    /// Of each context, of 65,536 spells.
    ends: [u64; CONTEXTS],
    /// By which the odds of a zone's spells may differ, in 1/1,000: spells with spot, and without.
    factors: [[u64; GRID]; 2],
    /// How likely each factor is before anything is seen.
    weights: [[u64; GRID]; 2],
}

impl Default for ZonePrior {
    /// Fitted to 1,200 windows of four kinds of machine in two zones of one region in 2022, the
    /// differences between zones apart. The factors are 2.46 from one to the next; how much they
    /// vary was chosen by leaving out one of the four at a time.
    fn default() -> Self {
        Self {
            ends: [
                36_178, 17_985, 9_375, 9_456, 5_339, 4_201, 3_029, //
                16_244, 13_252, 8_027, 5_171, 4_048, 3_870, 2_721,
            ],
            factors: [[259, 638, 1_568, 3_857]; 2],
            weights: [[26, 667, 667, 26]; 2],
        }
    }
}

impl ZonePrior {
    /// Chances that a spell ends, by context, in each zone that is thought of.
    pub(super) fn zones(&self) -> Vec<[u64; CONTEXTS]> {
        let mut zones = Vec::with_capacity(ZONES);
        for up in self.factors[0] {
            for down in self.factors[1] {
                let mut ends = self.ends;
                for (context, end) in ends.iter_mut().enumerate() {
                    let factor = if context < AGES.len() { down } else { up };
                    let odds = *end * factor;
                    *end = odds * ONE / (odds + (ONE - *end) * 1_000);
                }
                zones.push(ends);
            }
        }
        zones
    }

    /// How likely each of them is before anything is seen.
    pub(super) fn weights(&self) -> Vec<u64> {
        let [up, down] = &self.weights;
        let pairs = up.iter().flat_map(|up| down.iter().map(move |down| up * down));
        pairs.map(|weight| weight << 20).collect()
    }
}

/// A spell as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spell {
    pub(super) with_spot: bool,
    /// Ticks, the one that begins included.
    pub(super) age: i64,
}

impl Spell {
    /// The spell one tick on.
    pub(super) fn then(self, with_spot: bool) -> Self {
        let age = if with_spot == self.with_spot { self.age + 1 } else { 1 };
        Self { with_spot, age }
    }

    /// Its context.
    pub(super) fn context(self) -> usize {
        let at = AGES.iter().rposition(|from| *from <= self.age).unwrap_or(0);
        at + if self.with_spot { AGES.len() } else { 0 }
    }
}

/// Which zone this is, after what has been seen.
#[derive(Clone, Debug)]
pub(super) struct Belief {
    weights: Vec<u64>,
    /// What a zone that becomes another one is, of all of them in 1/65,536.
    prior: Vec<u64>,
    spell: Option<Spell>,
}

impl Belief {
    pub(super) fn new(prior: &ZonePrior) -> Self {
        let weights = prior.weights();
        let total = weights.iter().sum::<u64>().max(1);
        let part = |weight: &u64| u128::from(*weight) * u128::from(ONE) / u128::from(total);
        let prior = weights.iter().map(|one| u64::try_from(part(one)).unwrap_or(0)).collect();
        Self { weights, prior, spell: None }
    }

    /// Takes in whether spot is there at the tick that begins, and gives the spell it is in.
    pub(super) fn observe(&mut self, zones: &[[u64; CONTEXTS]], available: bool) -> Spell {
        let Some(before) = self.spell else {
            let first = Spell { with_spot: available, age: 1 };
            self.spell = Some(first);
            return first;
        };
        let context = before.context();
        for (weight, zone) in self.weights.iter_mut().zip(zones) {
            let ended = zone[context];
            let seen = if available == before.with_spot { ONE - ended } else { ended };
            *weight = (*weight * seen).max(1);
        }
        self.redraw();
        let most = self.weights.iter().copied().max().unwrap_or(1);
        for weight in &mut self.weights {
            let scaled = u128::from(*weight) * u128::from(WEIGHT_MAX) / u128::from(most);
            *weight = u64::try_from(scaled).unwrap_or(WEIGHT_MAX).max(1);
        }
        let spell = before.then(available);
        self.spell = Some(spell);
        spell
    }

    /// Some of what is believed goes back to what is known of all zones.
    fn redraw(&mut self) {
        let total: u128 = self.weights.iter().map(|weight| u128::from(*weight)).sum();
        let gone = total * u128::from(REDRAWN) >> 16;
        for (weight, prior) in self.weights.iter_mut().zip(&self.prior) {
            let back = u64::try_from(gone * u128::from(*prior) >> 16).unwrap_or(0);
            *weight = (*weight - (*weight * REDRAWN >> 16)).saturating_add(back).max(1);
        }
    }

    /// Shares of the zones of the grid, in 1/65,536, whose mean is the mean of the belief: of the
    /// four zones around it.
    pub(super) fn shares(&self) -> Vec<(usize, u64)> {
        let total: u128 = self.weights.iter().map(|weight| u128::from(*weight)).sum();
        let mean = |place: fn(usize) -> usize| {
            let weighted = self.weights.iter().enumerate();
            let sum: u128 =
                weighted.map(|(at, weight)| place(at) as u128 * u128::from(*weight)).sum();
            u64::try_from(sum * u128::from(ONE) / total.max(1)).unwrap_or(0)
        };
        let axis = |mean: u64| {
            let low = (mean / ONE).min(GRID as u64 - 2);
            let part = mean - low * ONE;
            let low = usize::try_from(low).unwrap_or(0);
            [(low, ONE - part), (low + 1, part)]
        };
        let mut shares = Vec::with_capacity(4);
        for (up, up_share) in axis(mean(|at| at / GRID)) {
            for (down, down_share) in axis(mean(|at| at % GRID)) {
                shares.push((up * GRID + down, up_share * down_share / ONE));
            }
        }
        shares
    }
}
