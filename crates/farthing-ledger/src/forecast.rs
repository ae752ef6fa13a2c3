//! What a budget's spending will come to at the end of its period, with the spread that its own
//! past shows.
//!
//! Days that are still to come are drawn from days that were: from the same day of the week where
//! the past has three of them, as a Friday is no anomaly, and else from all. A thousand such
//! futures are drawn with a fixed sequence, so that the same past always gives the same forecast.
//! How good that is, is not claimed but measured: the same forecast is made for weeks that are
//! over, and [`Forecast::held`] says in how many of them the spread held.

use farthing_model::{Draw, Money, MoneyError};
use jiff::civil::Date;
use std::collections::BTreeMap;

/// Futures that are drawn.
const DRAWS: usize = 1_000;
/// Days of one weekday, before they are drawn from alone.
const ALIKE_MIN: usize = 3;
/// Days, before anything is said.
const DAYS_MIN: usize = 3;
/// Past origins that are tried, and how many days ahead of each.
const BACK: usize = 28;
const AHEAD: usize = 7;

/// What spending will come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// One future in ten is below it.
    pub p10: Money,
    /// Half of them are below it.
    pub p50: Money,
    /// Nine in ten are below it.
    pub p90: Money,
    /// Past weeks for which the same was forecast.
    pub tried: u32,
    /// Of them, weeks whose spending was from `p10` to `p90`: about eight in ten, if all is well.
    pub held: u32,
}

/// Forecasts what is spent by the end of a period.
///
/// `past` has the spending of each whole day that is over, also days of other periods; `spent` is
/// what the period has taken so far, and `left` are the days to come, of which the first may have
/// begun: `first_ppm` is what is left of it in parts per million. `None` where fewer than three
/// days are known.
///
/// # Errors
/// The sums do not fit.
pub fn forecast(
    past: &BTreeMap<Date, Money>,
    spent: Money,
    left: &[Date],
    first_ppm: u32,
) -> Result<Option<Forecast>, MoneyError> {
    let days: Vec<(Date, i128)> = past.iter().map(|(day, money)| (*day, money.pico())).collect();
    if days.len() < DAYS_MIN {
        return Ok(None);
    }
    let currency = spent.currency();
    let [p10, p50, p90] = quantiles(&days, left, first_ppm)?;
    let at = |pico: i128| spent.checked_add(Money::from_pico(pico, currency));
    let (tried, held) = backtest(&days)?;
    Ok(Some(Forecast { p10: at(p10)?, p50: at(p50)?, p90: at(p90)?, tried, held }))
}

/// What is spent by the end of each day of `left` when each takes the mean of days like it; nothing
/// where too little is known. Arguments as for [`forecast`].
pub(crate) fn pace(
    past: &BTreeMap<Date, Money>,
    spent: Money,
    left: &[Date],
    first_ppm: u32,
) -> Result<Vec<(Date, Money)>, MoneyError> {
    let days: Vec<(Date, i128)> = past.iter().map(|(day, money)| (*day, money.pico())).collect();
    if days.len() < DAYS_MIN {
        return Ok(Vec::new());
    }
    let mut sum = spent;
    let mut pace = Vec::with_capacity(left.len());
    for (index, day) in left.iter().enumerate() {
        let pool = pool(&days, *day);
        let count = i128::try_from(pool.len()).map_err(|_| MoneyError::Overflow)?;
        let all = pool.iter().try_fold(0_i128, |sum, pico| sum.checked_add(*pico));
        let mut mean = all.ok_or(MoneyError::Overflow)?.div_euclid(count);
        if index == 0 {
            let part = mean.checked_mul(i128::from(first_ppm)).ok_or(MoneyError::Overflow)?;
            mean = part.div_euclid(1_000_000);
        }
        sum = sum.checked_add(Money::from_pico(mean, spent.currency()))?;
        pace.push((*day, sum));
    }
    Ok(pace)
}

/// The 10th, 50th and 90th percentile of what the days of `left` take.
fn quantiles(
    days: &[(Date, i128)],
    left: &[Date],
    first_ppm: u32,
) -> Result<[i128; 3], MoneyError> {
    let pools: Vec<Vec<i128>> = left.iter().map(|day| pool(days, *day)).collect();
    let mut chance = Draw::new(0x9e37_79b9_7f4a_7c15);
    let mut sums = Vec::with_capacity(DRAWS);
    for _ in 0..DRAWS {
        let mut sum = 0_i128;
        for (index, pool) in pools.iter().enumerate() {
            let drawn = pool[chance.below(pool.len())];
            let part = if index == 0 {
                drawn.checked_mul(i128::from(first_ppm)).map(|it| it.div_euclid(1_000_000))
            } else {
                Some(drawn)
            };
            sum = part.and_then(|part| sum.checked_add(part)).ok_or(MoneyError::Overflow)?;
        }
        sums.push(sum);
    }
    sums.sort_unstable();
    Ok([DRAWS / 10, DRAWS / 2, DRAWS - DRAWS / 10].map(|at| sums[at.min(DRAWS - 1)]))
}

/// What a day may take: what days like it took. Never empty, as `days` is not.
fn pool(days: &[(Date, i128)], day: Date) -> Vec<i128> {
    let alike = days.iter().filter(|(past, _)| past.weekday() == day.weekday());
    let alike: Vec<i128> = alike.map(|(_, pico)| *pico).collect();
    if alike.len() >= ALIKE_MIN {
        return alike;
    }
    days.iter().map(|(_, pico)| *pico).collect()
}

/// Weeks of the past that were forecast from the days before them, and how many held.
fn backtest(days: &[(Date, i128)]) -> Result<(u32, u32), MoneyError> {
    let (mut tried, mut held) = (0, 0);
    let last = days.len().saturating_sub(AHEAD);
    for origin in last.saturating_sub(BACK).max(DAYS_MIN)..=last {
        let Some(week) = days.get(origin..origin + AHEAD) else { continue };
        let left: Vec<Date> = week.iter().map(|(day, _)| *day).collect();
        let [low, _, high] = quantiles(&days[..origin], &left, 1_000_000)?;
        let came: i128 = week.iter().map(|(_, pico)| *pico).sum();
        tried += 1;
        held += u32::from((low..=high).contains(&came));
    }
    Ok((tried, held))
}

#[cfg(test)]
mod tests {
    use super::*;
    use farthing_model::Currency;
    use jiff::ToSpan as _;
    use jiff::civil::date;

    fn usd(dollars: i128) -> Money {
        Money::from_pico(dollars * 1_000_000_000_000, Currency::USD)
    }

    fn past(amounts: impl IntoIterator<Item = i128>) -> BTreeMap<Date, Money> {
        let first = date(2026, 9, 7);
        let day = |index: usize| first.checked_add(i64::try_from(index).unwrap().days()).unwrap();
        amounts.into_iter().enumerate().map(|(index, usd_)| (day(index), usd(usd_))).collect()
    }

    fn after(past: &BTreeMap<Date, Money>, count: i64) -> Vec<Date> {
        let last = *past.keys().last().unwrap();
        (1..=count).map(|ahead| last.checked_add(ahead.days()).unwrap()).collect()
    }

    #[test]
    fn a_steady_past_has_one_future() {
        let past = past([10; 40]);
        let forecast = forecast(&past, usd(100), &after(&past, 5), 500_000).unwrap().unwrap();
        assert_eq!((forecast.p10, forecast.p50, forecast.p90), (usd(145), usd(145), usd(145)));
        assert_eq!((forecast.tried, forecast.held), (29, 29));
    }

    #[test]
    fn quiet_weekends_are_no_surprise() {
        // 2026-09-07 is a Monday.
        let past = past((0..42).map(|day| if day % 7 < 5 { 100 } else { 10 }));
        let forecast = forecast(&past, usd(0), &after(&past, 7), 1_000_000).unwrap().unwrap();
        assert_eq!((forecast.p10, forecast.p90), (usd(520), usd(520)));
    }

    #[test]
    fn the_spread_holds_about_as_often_as_it_says() {
        let mut chance = Draw::new(7);
        let past = past((0..120).map(|_| 50 + i128::try_from(chance.below(100)).unwrap()));
        let forecast = forecast(&past, usd(0), &after(&past, 30), 1_000_000).unwrap().unwrap();
        let [low, middle, high] = [forecast.p10, forecast.p50, forecast.p90].map(Money::pico);
        assert!(low < middle && middle < high);
        assert!(forecast.held * 10 >= forecast.tried * 6, "{forecast:?}");
    }

    #[test]
    fn two_days_say_nothing() {
        let past = past([1, 2]);
        assert_eq!(forecast(&past, usd(0), &after(&past, 1), 1_000_000), Ok(None));
    }
}
