//! The cost of finishing work instead of the price of an hour.
//!
//! A machine that is twice as dear and three times as fast is the cheaper one. The work is divided
//! over the accelerators of the request without loss, as the rates are of one accelerator or of a
//! configuration that was measured.

use super::error::RankError;
use farthing_model::{Accelerator, AcceleratorQuery, Decimal, Money, proportion};
use jiff::SignedDuration;

/// Seconds in the hour that prices are for.
const HOUR: i128 = 3_600;
/// Nanoseconds in a second.
const NANOS: i128 = 1_000_000_000;

/// How fast an accelerator works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateOf {
    /// Which accelerator; `A100` stands for both sizes here.
    pub accelerator: AcceleratorQuery,
    /// Measured with so many on a node, together; `None` = of one accelerator.
    pub count: Option<u32>,
    /// Work per second, above zero.
    pub per_s: Decimal,
}

/// Work to be finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finishing {
    /// How much, in the unit of the rates.
    pub work: Decimal,
    /// How fast; the rate that names its accelerator most exactly holds.
    pub rates: Vec<RateOf>,
}

/// What finishing takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishCost {
    /// What it costs, rounded down to 10^-12.
    pub cost: Money,
    /// How long it takes, rounded down to a nanosecond.
    pub time: SignedDuration,
}

impl Finishing {
    /// Work per second of a node with `count` accelerators of `name`, of which `used` work; `None`
    /// where no rate is known.
    pub(crate) fn node_rate(
        &self,
        name: &Accelerator,
        count: u32,
        used: u32,
    ) -> Result<Option<Decimal>, RankError> {
        let exactness = |rate: &RateOf| {
            let query = &rate.accelerator;
            (rate.count.is_some(), query.form().is_some(), query.memory_gb().is_some())
        };
        let fits = |rate: &&RateOf| {
            rate.accelerator.matches(name) && rate.count.is_none_or(|of| of == count)
        };
        let mut best: Option<&RateOf> = None;
        for rate in self.rates.iter().filter(fits) {
            match best {
                Some(other) if exactness(other) > exactness(rate) => {}
                Some(other) if exactness(other) == exactness(rate) => {
                    if other.per_s != rate.per_s {
                        return Err(RankError::Rates {
                            name: name.to_string(),
                            first: other.per_s.to_string(),
                            second: rate.per_s.to_string(),
                        });
                    }
                }
                _ => best = Some(rate),
            }
        }
        Ok(best.and_then(|rate| match rate.count {
            Some(_) => Some(rate.per_s),
            None => rate.per_s.checked_mul_int(used.into()),
        }))
    }

    /// What `price` an hour costs until the work is done at `per_s`; `None` where it does not fit.
    pub(crate) fn cost(&self, price: i128, per_s: Decimal) -> Option<i128> {
        proportion(price, self.work.nano(), per_s.nano().checked_mul(HOUR)?)
    }

    /// How long it takes; `None` where it does not fit.
    pub(crate) fn time(&self, per_s: Decimal) -> Option<SignedDuration> {
        let nanos = proportion(self.work.nano(), NANOS, per_s.nano())?;
        let seconds = i64::try_from(nanos / NANOS).ok()?;
        Some(SignedDuration::new(seconds, i32::try_from(nanos % NANOS).ok()?))
    }
}
