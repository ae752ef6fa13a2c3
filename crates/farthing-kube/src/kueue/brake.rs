//! Who is stopped when more is gone of a hard budget than there is, and what is noted on those that
//! wait.

use super::object::Queued;
use super::purse::{Held, Overdraft};
use farthing_model::Money;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Waiting is doubled so often at most.
const DOUBLED_MAX: u32 = 6;

/// Why a Workload waits, as it is noted on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Note {
    /// Since when.
    pub(crate) since: String,
    /// Why, for people.
    pub(crate) why: String,
    /// How much there has to be; without it time alone decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<String>,
    /// The same of accelerator time, in thousandths of an hour.
    #[serde(default)]
    pub(crate) gpu_hours_milli: u64,
    /// For how long that is, in seconds.
    #[serde(default)]
    pub(crate) seconds: i64,
    /// How often it was held before.
    #[serde(default)]
    pub(crate) times: u32,
}

impl Note {
    /// When it may be tried again at the earliest.
    pub(crate) fn rested(&self, rest: SignedDuration) -> Timestamp {
        let wait = rest.saturating_mul(1 << self.times.min(DOUBLED_MAX));
        // A time that people changed to what is none is over.
        let since: Timestamp = self.since.parse().unwrap_or(Timestamp::MIN);
        since.checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn amount(&self) -> Option<Money> {
        self.amount.as_deref().and_then(|text| text.parse().ok())
    }

    pub(crate) fn to_text(&self) -> String {
        // Texts and numbers can always be written.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Who has to stop so that no hard budget is over: of those that hold money of it the ones of the
/// lowest priority, and of these the last to be let in, which lose the least.
pub(crate) fn victims<'w>(
    overdrafts: &[Overdraft],
    running: impl Iterator<Item = (&'w Queued, &'w Held)>,
    now: Timestamp,
) -> BTreeMap<Arc<str>, String> {
    let mut running: Vec<_> = running.filter(|(it, _)| !it.excluded).collect();
    running.sort_by_key(|(it, _)| (it.priority, std::cmp::Reverse(it.admitted), it.key.clone()));
    let mut found = BTreeMap::new();
    for Overdraft { budget, by } in overdrafts {
        let mut left = *by;
        for (it, held) in &running {
            if left.is_zero() || left.is_negative() {
                break;
            }
            if !held.budgets.contains(budget) {
                continue;
            }
            let Ok(less) = left.checked_sub(held.ahead(now)) else { continue };
            left = less;
            found.entry(Arc::clone(&it.uid)).or_insert_with(|| {
                format!("budget {budget} is overdrawn by {} {}", by.rounded(2), by.currency())
            });
        }
    }
    found
}
