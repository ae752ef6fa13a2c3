//! What a million tokens of prompts costs, and what one of answers.
//!
//! A replica works on both at once, so that the two must be told apart by a rule. In this order:
//! the times of prefill and decode that were measured, what the manifest says that a token of an
//! answer weighs, and the two prices that explain best what the sizes of requests cost. Whatever
//! the rule, the two parts sum to what the replicas cost; what cannot be told is not guessed.
//! Refuses to know what tokens are sold for. Start at [`Statement::tokens`].

use super::statement::{Statement, per_million};
use crate::service::{BucketRow, TokenCosts, TokenRule};
use farthing_model::{BucketRate, Money, Phases, proportion};

/// Units of a rate in one whole.
const NANO: i128 = 1_000_000_000;
/// A share of the cost is counted in so many parts.
const WHOLE: i128 = 1_000_000_000_000_000_000;

/// Requests of one size, as an observation of what tokens cost.
#[derive(Clone, Copy, Debug)]
struct Observation {
    /// Requests, in any unit.
    weight: i128,
    input: i128,
    output: i128,
    /// What all of them cost, in any unit.
    cost: i128,
}

impl Statement<'_, '_> {
    /// What tokens cost, prompts and answers apart, of replicas that cost so much an hour.
    pub(super) fn tokens(&self, buckets: &[BucketRow], per_hour: i128) -> Option<TokenCosts> {
        let count = |size: fn(&BucketRow) -> u32| {
            let rows =
                buckets.iter().map(|row| row.rate_per_s.nano().checked_mul(size(row).into()));
            rows.sum::<Option<i128>>()
        };
        let input = count(|row| row.input_tokens)?;
        let output = count(|row| row.output_tokens)?;
        let (prompts, rule) = match (input, output) {
            (0, 0) => return None,
            (_, 0) => (WHOLE, TokenRule::Measured),
            (0, _) => (0, TokenRule::Measured),
            _ => self.prompts(buckets, (input, output))?,
        };
        let for_input = proportion(per_hour, prompts, WHOLE)?;
        let money = |pico| Money::from_pico(pico, self.scene.input.currency);
        Some(TokenCosts {
            input: per_million(for_input, input).map(money),
            output: per_million(per_hour - for_input, output).map(money),
            rule,
        })
    }

    /// The part of the cost that prompts make, over [`WHOLE`], by the first rule that applies.
    fn prompts(
        &self,
        buckets: &[BucketRow],
        (input, output): (i128, i128),
    ) -> Option<(i128, TokenRule)> {
        if let Some(part) = self.measured() {
            return Some((part, TokenRule::Measured));
        }
        let service = self.serving.observed.workload.service()?;
        if let Some(weight) = service.sizing.output_weight {
            let answers = proportion(output, weight.nano(), NANO)?;
            return Some((part(input, answers)?, TokenRule::Declared));
        }
        let seen = buckets.iter().enumerate().map(|(at, row)| {
            Some(Observation {
                weight: row.rate_per_s.nano(),
                input: row.input_tokens.into(),
                output: row.output_tokens.into(),
                cost: self.cost_of(at)?,
            })
        });
        let (input_price, output_price) = fitted(&seen.collect::<Option<Vec<_>>>()?)?;
        let spent = part(input.checked_mul(input_price)?, output.checked_mul(output_price)?)?;
        Some((spent, TokenRule::Fitted))
    }

    /// By the times of prefill and decode; `None` unless they are known of all that is served.
    fn measured(&self) -> Option<i128> {
        let (mut prompts, mut answers) = (0_i128, 0_i128);
        for bucket in 0..self.problem.loads.len() {
            for kind in self.used() {
                let cost = self.cost_on(bucket, kind)?;
                if cost == 0 {
                    continue;
                }
                let phases = self.phases(bucket, kind)?;
                let (prefill, decode) = (phases.prefill_s.nano(), phases.decode_s.nano());
                let own = proportion(cost, prefill, prefill.checked_add(decode)?)?;
                prompts = prompts.checked_add(own)?;
                answers = answers.checked_add(cost - own)?;
            }
        }
        part(prompts, answers)
    }

    /// What was measured of the requests of a bucket on a kind.
    fn phases(&self, bucket: usize, kind: usize) -> Option<Phases> {
        let service = self.serving.observed.workload.service()?;
        let size = service.requests.buckets.get(bucket)?;
        let replica = &self.serving.kinds[kind].replica;
        let name = self.scene.input.offers[replica.offer].accelerator.as_ref()?;
        let of = |row: &&BucketRate| {
            row.count == replica.accelerators
                && row.accelerator.matches(name)
                && (row.input_tokens, row.output_tokens) == (size.input_tokens, size.output_tokens)
        };
        service.throughput.iter().find(of)?.phases
    }
}

/// The first of two parts of a sum, over [`WHOLE`]; `None` where there is no sum.
fn part(first: i128, second: i128) -> Option<i128> {
    proportion(WHOLE, first, first.checked_add(second)?)
}

/// The prices of a token of a prompt and of an answer, in one unit of their own and neither below
/// zero, with the least sum over all requests of the squares by which they miss what a request
/// costs. `None` where the sizes do not tell the two apart.
///
/// Exact as long as all products fit; beyond that weights and costs lose their last binary digits.
fn fitted(seen: &[Observation]) -> Option<(i128, i128)> {
    /// Binary digits that a product of two sums may have.
    const PRODUCT: u32 = 125;
    let most = |of: fn(&Observation) -> i128| bits(seen.iter().map(of).max().unwrap_or(0));
    let size = most(|one| one.input.max(one.output));
    let sums = 2 * bits(i128::try_from(seen.len()).ok()?);
    // The largest products: of two weights and four sizes, and of a weight, a cost and three.
    let (weight, cost) = (most(|one| one.weight), most(|one| one.cost));
    let weight_kept = weight.min(PRODUCT.checked_sub(4 * size + sums)? / 2);
    let cost_kept = cost.min(PRODUCT.checked_sub(3 * size + sums + weight_kept)?);
    let short = |one: &Observation| Observation {
        weight: one.weight >> (weight - weight_kept),
        cost: one.cost >> (cost - cost_kept),
        ..*one
    };
    normal(&seen.iter().map(short).collect::<Vec<_>>())
}

/// Binary digits of a number that is not negative.
const fn bits(number: i128) -> u32 {
    128 - number.leading_zeros()
}

/// Solves the normal equations; `None` where there is no single solution, or products do not fit.
fn normal(seen: &[Observation]) -> Option<(i128, i128)> {
    let sum = |term: fn(&Observation) -> i128| {
        seen.iter().try_fold(0_i128, |sum, one| sum.checked_add(term(one)))
    };
    let inputs = sum(|one| one.weight * one.input * one.input)?;
    let both = sum(|one| one.weight * one.input * one.output)?;
    let outputs = sum(|one| one.weight * one.output * one.output)?;
    // With a weight of r requests at a price of c / r each, r and 1 / r cancel here.
    let cost_in = sum(|one| one.cost * one.input)?;
    let cost_out = sum(|one| one.cost * one.output)?;
    let minus =
        |a: (i128, i128), b: (i128, i128)| a.0.checked_mul(a.1)?.checked_sub(b.0.checked_mul(b.1)?);
    // Zero exactly where all requests have the same proportion of input to output.
    if minus((inputs, outputs), (both, both))? <= 0 {
        return None;
    }
    let input = minus((cost_in, outputs), (cost_out, both))?;
    let output = minus((cost_out, inputs), (cost_in, both))?;
    // Of a convex function in two variables the best without a negative price is where that one
    // is zero; only the proportion of the two matters here.
    match (input > 0, output > 0) {
        (true, true) => Some(reduced(input, output)),
        (true, false) => Some((1, 0)),
        (false, true) => Some((0, 1)),
        (false, false) => None,
    }
}

/// Two prices with so few digits that they can be multiplied with tokens.
fn reduced(input: i128, output: i128) -> (i128, i128) {
    /// Binary digits that are kept of the larger one.
    const KEPT: u32 = 48;
    let shift = bits(input.max(output)).saturating_sub(KEPT);
    (input >> shift, output >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rows: &[(i128, i128, i128, i128)]) -> Vec<Observation> {
        let row = |(weight, input, output, each): &(i128, i128, i128, i128)| Observation {
            weight: *weight,
            input: *input,
            output: *output,
            cost: weight * each,
        };
        rows.iter().map(row).collect()
    }

    /// `a / b` of prices, in millionths.
    fn ratio((input, output): (i128, i128)) -> i128 {
        output * 1_000_000 / input
    }

    #[test]
    fn costs_that_two_prices_explain_are_explained_exactly() {
        // 2 a token in, 7 a token out.
        let each = |input, output| 2 * input + 7 * output;
        let rows = [(5, 100, 10), (1, 4_000, 300), (3, 20, 900)];
        let rows = rows.map(|(weight, i, o)| (weight, i, o, each(i, o)));
        assert_eq!(ratio(fitted(&seen(&rows)).unwrap()), 3_500_000);
    }

    #[test]
    fn one_proportion_of_sizes_says_nothing() {
        assert!(fitted(&seen(&[(1, 1_000, 100, 5)])).is_none());
        assert!(fitted(&seen(&[(1, 1_000, 100, 5), (9, 2_000, 200, 11)])).is_none());
        assert!(fitted(&[]).is_none());
    }

    #[test]
    fn no_price_is_below_zero() {
        // The longer the prompt the cheaper: an input token cannot be worth less than nothing.
        let rows = [(1, 1_000, 100, 50), (1, 4_000, 100, 10), (1, 1_000, 200, 120)];
        assert_eq!(fitted(&seen(&rows)), Some((0, 1)));
    }

    /// Against all directions of a grid: of the best scale of each, the one that explains most.
    #[test]
    fn nothing_misses_by_less() {
        let rows = [(3, 10, 4, 90), (2, 25, 3, 120), (7, 4, 11, 160), (1, 30, 30, 400)];
        let explained = |x: i128, y: i128| {
            let (mut with, mut own) = (0, 0);
            for (weight, input, output, cost) in rows {
                let price = x * input + y * output;
                with += weight * price * cost;
                own += weight * price * price;
            }
            with * with * 1_000 / own
        };
        let grid = (0..=300).flat_map(|x| (0..=300).map(move |y| (x, y)));
        let (x, y) = grid.skip(1).max_by_key(|(x, y)| explained(*x, *y)).unwrap();
        let found = ratio(fitted(&seen(&rows)).unwrap());
        assert!((found - y * 1_000_000 / x).abs() < found / 100, "{found}, not {y} / {x}");
    }

    #[test]
    fn large_numbers_lose_digits_and_not_the_answer() {
        let each = |input: i128, output: i128| (2 * input + 7 * output) * 1_000_000_000_000;
        let rows = [(5, 100_000, 10_000), (1, 4_000_000, 300_000), (3, 20_000, 900_000)];
        let rows = rows.map(|(weight, i, o)| (weight * 1_000_000_000_000, i, o, each(i, o)));
        let off = ratio(fitted(&seen(&rows)).unwrap()) - 3_500_000;
        assert!(off.abs() < 1_000, "{off}");
    }
}
