//! What keeps nonsense out of a price book: each row that is left out is counted by its reason.
//!
//! A row is an offer only if its price is real; what is merely odd stays and says so, as a price
//! that looks wrong may be a bargain, and hiding it would make an answer dearer than it need be.

use super::cache::Days;
use super::intake::Intake;
use super::intern::Keys;
use farthing_model::Purchase;
use farthing_model::offer_table::Row;
use jiff::civil::Date;

/// Why a row is left out, as `farthing offers` counts it.
const LATER: &str = "price seen after the day that is asked about";
const OLDER: &str = "older price of the same offer";
const DUPLICATE: &str = "listed again on one day (the dearer is kept)";
const CURRENCIES: &str = "listed again in another currency (the first is kept)";
const SPOT_NOT_CHEAPER: &str = "spot price not below on demand";

/// Prices further from their type's median region than this are odd.
const FAR: i128 = 5;
/// Fewer regions have no median worth a judgement.
const REGIONS_MIN: usize = 3;

/// Leaves out what is no offer and marks what is odd. Returns the days for which that holds.
pub(crate) fn judge(intake: &mut Intake, today: Option<Date>) -> Days {
    let days = leave_out_later(intake, today);
    keep_each_offer_once(intake);
    leave_out_dear_spot(intake);
    mark_far_prices(intake);
    days
}

/// A price that was seen later was not known; the day of a file that states none does not count.
fn leave_out_later(intake: &mut Intake, today: Option<Date>) -> Days {
    let mut days = Days::default();
    let mut rows = std::mem::take(&mut intake.parts.rows);
    let before = rows.len();
    rows.retain(|row| {
        let day = intake.parts.terms[row.terms as usize].as_of;
        let dated = intake.dated[row.terms as usize];
        let later = dated && today.is_some_and(|today| day > today);
        if later {
            days.until = Some(days.until.map_or(day, |until| until.min(day)));
        } else if dated {
            days.since = Some(days.since.map_or(day, |since| since.max(day)));
        }
        !later
    });
    intake.exclude(LATER, count(before - rows.len()));
    intake.parts.rows = rows;
    days
}

/// Of two rows of one offer the newer is right; of one day the dearer is kept, so that no plan
/// promises a price that the other row denies.
fn keep_each_offer_once(intake: &mut Intake) {
    let mut seen: Keys<(u32, u32, u8)> = Keys::default();
    let mut kept: Vec<Row> = Vec::with_capacity(intake.parts.rows.len());
    let (mut older, mut again, mut mixed) = (0, 0, 0);
    for row in std::mem::take(&mut intake.parts.rows) {
        let key = (row.site, intake.type_of[row.shape as usize], row.purchase as u8);
        let (number, fresh) = seen.number(key);
        if fresh {
            kept.push(row);
            continue;
        }
        let other = &mut kept[number as usize];
        let day = |row: &Row| intake.parts.terms[row.terms as usize].as_of;
        if day(&row) != day(other) {
            older += 1;
        } else if row.currency == other.currency {
            again += 1;
        } else {
            mixed += 1;
        }
        let dearer = row.currency == other.currency && row.pico > other.pico;
        if day(&row) > day(other) || (day(&row) == day(other) && dearer) {
            *other = row;
        }
    }
    intake.exclude(OLDER, older);
    intake.exclude(DUPLICATE, again);
    intake.exclude(CURRENCIES, mixed);
    intake.parts.rows = kept;
}

/// Numbers for what rows have in common: the machine of a provider, and its region.
struct Numbers {
    machines: Keys<(u32, u32, u8)>,
    regions: Vec<u32>,
}

impl Numbers {
    fn of(intake: &Intake) -> Self {
        let mut regions = std::collections::HashMap::new();
        let of = intake.parts.sites.iter().map(|site| {
            let fresh = super::intern::next(regions.len());
            *regions.entry((&site.place.provider, &site.place.region)).or_insert(fresh)
        });
        Self { regions: of.collect(), machines: Keys::default() }
    }

    /// The machine in one currency, wherever it is and however it is paid.
    fn machine(&mut self, intake: &Intake, row: &Row) -> u32 {
        let provider = intake.provider_of[row.site as usize];
        let name = intake.type_of[row.shape as usize];
        self.machines.number((provider, name, row.currency)).0
    }

    fn region(&self, row: &Row) -> u32 {
        self.regions[row.site as usize]
    }
}

/// Spot is compared with on demand of the same zone or, where that is not listed, with the
/// region's cheapest.
fn leave_out_dear_spot(intake: &mut Intake) {
    let mut numbers = Numbers::of(intake);
    let mut places: Keys<(bool, u32, u32)> = Keys::default();
    let mut least: Vec<i64> = Vec::new();
    let rows = std::mem::take(&mut intake.parts.rows);
    for row in rows.iter().filter(|row| row.purchase == Purchase::OnDemand) {
        let machine = numbers.machine(intake, row);
        for key in [(true, row.site, machine), (false, numbers.region(row), machine)] {
            match places.number(key) {
                (_, true) => least.push(row.pico),
                (at, false) => least[at as usize] = row.pico.min(least[at as usize]),
            }
        }
    }
    let before = rows.len();
    let mut kept = rows;
    kept.retain(|row| {
        if row.purchase != Purchase::Spot {
            return true;
        }
        let machine = numbers.machine(intake, row);
        let here = places.find(&(true, row.site, machine));
        let near = here.or_else(|| places.find(&(false, numbers.region(row), machine)));
        near.is_none_or(|at| row.pico < least[at as usize])
    });
    intake.exclude(SPOT_NOT_CHEAPER, count(before - kept.len()));
    intake.parts.rows = kept;
}

/// Compares each price with the lower median, over regions, of the machine's cheapest price there.
fn mark_far_prices(intake: &mut Intake) {
    let mut numbers = Numbers::of(intake);
    let mut rows = std::mem::take(&mut intake.parts.rows);
    // One list of rows for each machine and way to pay, by counting.
    let mut kinds: Keys<(u32, u8)> = Keys::default();
    let mut members: Vec<Vec<u32>> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if row.purchase == Purchase::Owned {
            continue;
        }
        let machine = numbers.machine(intake, row);
        let (kind, fresh) = kinds.number((machine, row.purchase as u8));
        if fresh {
            members.push(Vec::new());
        }
        members[kind as usize].push(super::intern::next(at));
    }
    for members in members {
        let prices = || members.iter().map(|at| &rows[*at as usize]);
        let least = prices().map(|row| row.pico).min().unwrap_or_default();
        let most = prices().map(|row| row.pico).max().unwrap_or_default();
        // Nothing is far from a median if the ends are not far from each other.
        if i128::from(most) <= FAR * i128::from(least) {
            continue;
        }
        let Some(median) = median(prices().map(|row| (numbers.region(row), row.pico))) else {
            continue;
        };
        for at in &members {
            let row = &mut rows[*at as usize];
            let warning = far(intake, row, median);
            if let Some(warning) = warning {
                row.terms = intake.warn(row.terms, &warning);
            }
        }
    }
    intake.parts.rows = rows;
}

fn far(intake: &Intake, row: &Row, median: i64) -> Option<String> {
    let name = || {
        let shape = &intake.parts.shapes[row.shape as usize];
        format!("{} {}", shape.instance_type, row.purchase)
    };
    let (pico, median) = (i128::from(row.pico), i128::from(median));
    if pico * FAR < median {
        Some(format!("under a fifth of the median region of {}", name()))
    } else if pico > FAR * median {
        Some(format!("over {FAR} times the median region of {}", name()))
    } else {
        None
    }
}

fn median(prices: impl Iterator<Item = (u32, i64)>) -> Option<i64> {
    let mut prices: Vec<(u32, i64)> = prices.collect();
    prices.sort_unstable();
    prices.dedup_by_key(|(region, _)| *region);
    let mut least: Vec<i64> = prices.into_iter().map(|(_, pico)| pico).collect();
    least.sort_unstable();
    (least.len() >= REGIONS_MIN).then(|| least[(least.len() - 1) / 2])
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
