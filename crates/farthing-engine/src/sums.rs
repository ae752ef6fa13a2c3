//! Sums of what is posted: for each workload on an offer, by which steps are settled, and for each
//! budget by the hour.

use crate::error::EngineError;
use farthing_ledger::Books;
use farthing_model::{
    Action, Attribution, Budget, BudgetId, Charge, ClusterId, Currency, Money, MoneyError, OfferId,
    Resource, Window, WorkloadId, hour_floor,
};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// 10^-9 accelerator-seconds in a thousandth of an accelerator-hour.
const NANO_IN_MILLI_HOUR: i128 = 3_600_000_000;

/// A workload on an offer: what charges are posted to and steps are settled by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account {
    /// Who.
    pub(crate) workload: WorkloadId,
    /// Where.
    pub(crate) offer: OfferId,
}

impl Account {
    /// The account that an action is settled by, if it costs anything.
    pub(crate) fn of(action: &Action) -> Option<Self> {
        match action {
            Action::Start { workload, offer, .. }
            | Action::Scale { workload, offer, .. }
            | Action::Buy { workload, offer, .. } => {
                Some(Self { workload: workload.clone(), offer: offer.clone() })
            }
            _ => None,
        }
    }
}

/// Sums of charges.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    accounts: BTreeMap<Account, Spent>,
    budgets: BTreeMap<BudgetId, BTreeMap<Timestamp, Spent>>,
}

/// What an hour took from a budget, or a workload in all.
#[derive(Clone, Copy, Debug)]
struct Spent {
    money: Money,
    gpu_nano: i128,
}

impl Sums {
    /// Sums everything that is posted.
    pub(crate) fn read(
        books: &Books,
        cluster: &ClusterId,
        budgets: &[Budget],
    ) -> Result<Self, EngineError> {
        let mut sums = Self::default();
        for hour in books.posted_hours(cluster).map_err(EngineError::Books)? {
            let book = books.hour(cluster, hour.from()).map_err(EngineError::Books)?;
            let Some(book) = book else { continue };
            let charges = book.charges().map_err(EngineError::Books)?;
            sums.add(&charges, budgets)?;
        }
        Ok(sums)
    }

    pub(crate) fn add(
        &mut self,
        charges: &[Charge],
        budgets: &[Budget],
    ) -> Result<(), EngineError> {
        for charge in charges {
            let who = charge.attribution.as_ref();
            let spent = Spent {
                money: charge.cost,
                gpu_nano: match charge.resource {
                    Resource::Gpu => charge.quantity_nano,
                    _ => 0,
                },
            };
            if let Some(who) = who {
                let account =
                    Account { workload: who.workload.clone(), offer: charge.offer.clone() };
                spend(self.accounts.entry(account), spent)?;
            }
            let hour = hour_floor(charge.window.from());
            // What nobody is charged for counts only for the whole.
            let team = who.and_then(|who| who.team.as_ref());
            let labels = who.map_or_else(|| Cow::Owned(BTreeMap::new()), |who| labels(who));
            for budget in budgets {
                if budget.scope.holds(team, &labels) {
                    let hours = self.budgets.entry(budget.id.clone()).or_default();
                    spend(hours.entry(hour), spent)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: Self) -> Result<(), EngineError> {
        for (account, spent) in other.accounts {
            spend(self.accounts.entry(account), spent)?;
        }
        for (budget, hours) in other.budgets {
            let mine = self.budgets.entry(budget).or_default();
            for (hour, spent) in hours {
                spend(mine.entry(hour), spent)?;
            }
        }
        Ok(())
    }
}

/// The labels that budgets look at: a user is one, whether a label or the owner of a process.
fn labels(who: &Attribution) -> Cow<'_, BTreeMap<String, String>> {
    const USER: &str = "user";
    match &who.user {
        Some(user) if !who.labels.contains_key(USER) => {
            let mut labels = (*who.labels).clone();
            labels.insert(USER.to_owned(), user.clone());
            Cow::Owned(labels)
        }
        _ => Cow::Borrowed(&who.labels),
    }
}

/// What is posted for a workload on an offer, in all.
pub(crate) fn posted(sums: &[&Sums], account: &Account, currency: Currency) -> Money {
    let amounts = sums.iter().filter_map(|sums| sums.accounts.get(account).map(|it| it.money));
    // Each was summed with checks; their sum is what the ledger holds.
    Money::sum(amounts, currency).unwrap_or_else(|_| Money::zero(currency))
}

/// Accelerator time that is posted for a workload on an offer, in thousandths of an hour, rounded
/// down: what is not yet posted is never too little.
pub(crate) fn posted_gpu_milli(sums: &[&Sums], account: &Account) -> i128 {
    let all = sums.iter().filter_map(|sums| sums.accounts.get(account).map(|it| it.gpu_nano));
    all.sum::<i128>().div_euclid(NANO_IN_MILLI_HOUR)
}

/// What is posted for a workload wherever it ran.
pub(crate) fn posted_anywhere(
    sums: &[&Sums],
    workload: &WorkloadId,
    currency: Currency,
) -> Result<Money, MoneyError> {
    let amounts = sums.iter().flat_map(|sums| &sums.accounts);
    let amounts = amounts.filter(|(account, _)| account.workload == *workload);
    Money::sum(amounts.map(|(_, spent)| spent.money), currency)
}

/// What is posted against a budget inside a period: money, and thousandths of accelerator-hours
/// (rounded up, so that a limit in them is never passed unseen).
pub(crate) fn spent(
    sums: &[&Sums],
    budget: &BudgetId,
    period: Window,
    currency: Currency,
) -> Result<(Money, u64), MoneyError> {
    let hours = sums.iter().filter_map(|sums| sums.budgets.get(budget));
    let inside = hours.flat_map(|hours| hours.range(period.from()..period.to()));
    let (mut money, mut gpu_nano) = (Money::zero(currency), 0_i128);
    for (_, spent) in inside {
        money = money.checked_add(spent.money)?;
        gpu_nano = gpu_nano.checked_add(spent.gpu_nano).ok_or(MoneyError::Overflow)?;
    }
    let milli = (gpu_nano + NANO_IN_MILLI_HOUR - 1).div_euclid(NANO_IN_MILLI_HOUR);
    Ok((money, u64::try_from(milli).map_err(|_| MoneyError::Overflow)?))
}

fn spend<K: Ord>(entry: Entry<'_, K, Spent>, spent: Spent) -> Result<(), EngineError> {
    let zero = || Spent { money: Money::zero(spent.money.currency()), gpu_nano: 0 };
    let sum = entry.or_insert_with(zero);
    sum.money = sum.money.checked_add(spent.money).map_err(EngineError::Money)?;
    let gpu_nano = sum.gpu_nano.checked_add(spent.gpu_nano);
    sum.gpu_nano = gpu_nano.ok_or(EngineError::Money(MoneyError::Overflow))?;
    Ok(())
}
