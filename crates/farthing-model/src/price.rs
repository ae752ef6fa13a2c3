//! Prices: known with a provenance, or unknown with a reason. Never zero for unknown.

use crate::money::{Currency, Money, MoneyError};
use crate::policy::Ratio;
use crate::resource::PerResource;
use crate::split::mul_div_rem;
use crate::time::NANOS_PER_HOUR;
use crate::window::Window;
use jiff::civil::Date;
use std::collections::BTreeSet;
use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

/// Money per hour of one whole node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HourlyRate(Money);

impl HourlyRate {
    /// A price for one hour; it may be zero only where something is really free.
    ///
    /// Returns `None` for a negative price.
    pub fn new(per_hour: Money) -> Option<Self> {
        (!per_hour.is_negative()).then_some(Self(per_hour))
    }

    /// Nothing, where something is really free.
    pub const fn free(currency: Currency) -> Self {
        Self(Money::zero(currency))
    }

    /// What one hour costs.
    pub const fn per_hour(self) -> Money {
        self.0
    }

    /// What `window` costs, to the last unit.
    ///
    /// Additive: the costs of the parts of a window sum to the cost of the window, however it is
    /// cut, and a whole UTC hour costs exactly the rate. It is the difference of a running total
    /// since the epoch, so that rounding never accumulates.
    ///
    /// # Errors
    /// Overflow (a rate beyond 10^20 an hour).
    pub fn cost(self, window: Window) -> Result<Money, MoneyError> {
        let until = self.running_total(window.to().as_nanosecond())?;
        let before = self.running_total(window.from().as_nanosecond())?;
        Ok(Money::from_pico(until - before, self.0.currency()))
    }

    /// The rate of `count` nodes.
    ///
    /// # Errors
    /// Overflow.
    pub fn times(self, count: u32) -> Result<Self, MoneyError> {
        self.0.checked_mul_int(count.into()).map(Self)
    }

    fn running_total(self, nanos: i128) -> Result<i128, MoneyError> {
        let hours = nanos.div_euclid(NANOS_PER_HOUR);
        let rest = nanos.rem_euclid(NANOS_PER_HOUR);
        let whole = self.0.pico().checked_mul(hours).ok_or(MoneyError::Overflow)?;
        let (part, _) = mul_div_rem(
            self.0.pico().unsigned_abs(),
            rest.unsigned_abs(),
            NANOS_PER_HOUR.unsigned_abs(),
        )
        .ok_or(MoneyError::Overflow)?;
        let part = i128::try_from(part).map_err(|_| MoneyError::Overflow)?;
        whole.checked_add(part).ok_or(MoneyError::Overflow)
    }
}

impl FromStr for HourlyRate {
    type Err = MoneyError;

    /// Reads `3.90 USD/h`.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let Some((money, unit)) = text.rsplit_once('/') else {
            return Err(MoneyError::NoUnit(text.to_owned()));
        };
        if !matches!(unit.trim(), "h" | "hour") {
            return Err(MoneyError::NoUnit(text.to_owned()));
        }
        let money: Money = money.parse()?;
        Self::new(money).ok_or_else(|| {
            MoneyError::Number(crate::DecimalError::Range(format!("{text} (below zero)")))
        })
    }
}

impl fmt::Display for HourlyRate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&format!("{}/h", self.0))
    }
}

/// What kind of price a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriceKind {
    /// The public price list.
    List,
    /// A negotiated price.
    Contracted,
    /// After all discounts and commitments.
    Effective,
    /// A spot price at a moment.
    SpotQuote,
    /// Purchase price over its years, and power.
    AmortisedOwned,
}

impl PriceKind {
    /// The name in tables, files and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Contracted => "contracted",
            Self::Effective => "effective",
            Self::SpotQuote => "spot-quote",
            Self::AmortisedOwned => "amortised-owned",
        }
    }
}

/// Where a price comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Provenance {
    /// List, contracted, spot quote and so on.
    pub kind: PriceKind,
    /// File or service, and its row where that is known.
    pub source: String,
    /// The day the price was seen.
    pub as_of: Date,
    /// What it was before a contract changed it; `None` where none did, or where that is not known.
    pub list: Option<Arc<ListPrice>>,
}

/// The price of a list, beside the one that a contract makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListPrice {
    /// What the list says, in the currency of the price.
    pub rate: HourlyRate,
    /// Where the contract takes more off some resources than off others.
    pub discounts: Option<Discounts>,
}

/// What a contract takes off each resource's part of a machine's price.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Discounts {
    /// The price that this is taken off.
    pub before: HourlyRate,
    /// So much of each resource's part of it.
    pub off: PerResource<Ratio>,
}

impl ListPrice {
    /// What the contract makes of the whole price for one resource: its part of a machine costs
    /// this part of it. `net` is the price of the machine.
    ///
    /// Returns `None` on overflow.
    pub fn contracted(&self, net: HourlyRate, resource: crate::Resource) -> Option<HourlyRate> {
        let Some(Discounts { before, off }) = &self.discounts else { return Some(net) };
        let kept = Ratio::ONE.minus(*off.get(resource));
        let pico = kept.part_of(before.per_hour().pico())?;
        HourlyRate::new(Money::from_pico(pico, before.per_hour().currency()))
    }
}

/// A price per hour, or why there is none. Unknown never compares as cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Price {
    /// A rate and where it comes from.
    Known(HourlyRate, Provenance),
    /// No price, and why.
    Unknown(String),
}

impl Price {
    /// The rate, if known.
    pub const fn rate(&self) -> Option<HourlyRate> {
        match self {
            Self::Known(rate, _) => Some(*rate),
            Self::Unknown(_) => None,
        }
    }

    /// Where a known price comes from.
    pub const fn provenance(&self) -> Option<&Provenance> {
        match self {
            Self::Known(_, provenance) => Some(provenance),
            Self::Unknown(_) => None,
        }
    }

    /// Cheaper first, unknown last; prices of two currencies are equal, as neither is cheaper.
    pub fn cheaper_first(&self, other: &Self) -> Ordering {
        match (self.rate(), other.rate()) {
            (Some(a), Some(b)) => a.per_hour().compare(b.per_hour()).unwrap_or(Ordering::Equal),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }
}

/// The days that some prices were seen on, and who says them: how much a reader may trust a sum
/// of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceDates {
    /// The oldest.
    pub oldest: Date,
    /// The newest.
    pub newest: Date,
    /// The sources, each once, sorted.
    pub sources: BTreeSet<String>,
}

impl PriceDates {
    /// Those of all known prices; `None` where none is known.
    pub fn of<'a>(prices: impl IntoIterator<Item = &'a Price>) -> Option<Self> {
        let mut known = prices.into_iter().filter_map(Price::provenance);
        let first = known.next()?;
        let sources = BTreeSet::from([first.source.clone()]);
        let mut dates = Self { oldest: first.as_of, newest: first.as_of, sources };
        for next in known {
            dates.oldest = dates.oldest.min(next.as_of);
            dates.newest = dates.newest.max(next.as_of);
            if !dates.sources.contains(&next.source) {
                dates.sources.insert(next.source.clone());
            }
        }
        Some(dates)
    }

    /// Days from the oldest price to a day; below zero where the price is of a later one.
    pub fn age_days(&self, today: Date) -> i32 {
        (today - self.oldest).get_days()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn rate(text: &str) -> HourlyRate {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_needs_money_currency_and_unit() {
        let message = |text: &str| text.parse::<HourlyRate>().map_err(|error| error.to_string());
        assert_eq!(
            message("3.90 USD"),
            Err("`3.90 USD` has no unit of time: write it like 3.90 USD/h".to_owned())
        );
        assert!(message("3.90/h").is_err());
        assert!(message("-1 USD/h").is_err());
        assert!(message("NaN USD/h").is_err());
        assert_eq!(rate("3.90 USD/h").to_string(), "3.90 USD/h");
    }

    #[test]
    fn a_whole_hour_costs_the_rate() {
        let rate = rate("98.324567890123 USD/h");
        let hour = Window::hour_of(Timestamp::from_second(1_790_000_000).unwrap()).unwrap();
        assert_eq!(rate.cost(hour), Ok(rate.per_hour()));
    }

    proptest! {
        #[test]
        fn cost_is_additive(
            pico in 0_i128..200_000_000_000_000,
            start in 0_i128..2_000_000_000_000_000_000,
            cuts in prop::collection::vec(1_i128..5_000_000_000_000, 2..30),
        ) {
            let rate = HourlyRate::new(Money::from_pico(pico, Currency::USD)).unwrap();
            let at = |nanos| Timestamp::from_nanosecond(nanos).unwrap();
            let mut from = start;
            let mut sum = Money::zero(Currency::USD);
            for cut in &cuts {
                let part = Window::new(at(from), at(from + cut)).unwrap();
                sum = sum.checked_add(rate.cost(part).unwrap()).unwrap();
                from += cut;
            }
            let whole = Window::new(at(start), at(from)).unwrap();
            prop_assert_eq!(rate.cost(whole).unwrap(), sum);
        }
    }
}
