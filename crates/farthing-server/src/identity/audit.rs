//! What the journal is told of people: log-ins, refusals, and reads of what is not one's own.
//!
//! The same thing again within a minute is counted and not recorded, and there are at most so many
//! records a minute: whoever knocks a million times does not fill the journal.

use crate::orders::{Order, Orders};
use farthing_engine::AccessRecord;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The same thing is recorded once in this time.
const ONCE: Duration = Duration::from_secs(60);
/// Reads are recorded once in this time.
const READS_ONCE: Duration = Duration::from_secs(3_600);
/// Records in [`ONCE`]; what is more is counted.
const RECORDS_MAX: u32 = 60;
/// Different things that are remembered.
const KINDS_MAX: usize = 5_000;

#[derive(Debug)]
struct Told {
    at: Instant,
    /// How many of the same there were since.
    since: u64,
}

/// The way to the journal.
#[derive(Debug)]
pub(super) struct Audit {
    orders: Option<Orders>,
    told: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    told: HashMap<(String, Option<String>, String), Told>,
    minute: Option<(Instant, u32)>,
}

impl Audit {
    pub(super) fn new(orders: Option<Orders>) -> Self {
        Self { orders, told: Mutex::default() }
    }

    /// Notes something; it is in the journal soon.
    pub(super) fn note(&self, what: &str, who: Option<&str>, from: &str, detail: &str) {
        let Some(orders) = &self.orders else { return };
        let key = (what.to_owned(), who.map(str::to_owned), detail.to_owned());
        let Some(times) = self.times(&key, Instant::now()) else { return };
        let (what, who, detail) = key;
        let record = AccessRecord { what, who, from: from.to_owned(), detail, times };
        orders.tell(Order::Note(Box::new(record)));
    }

    /// How many of the same there were since the last record; `None` where there is to be none.
    fn times(&self, key: &(String, Option<String>, String), now: Instant) -> Option<u64> {
        let mut memory = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let once = if key.0 == "read" { READS_ONCE } else { ONCE };
        if let Some(told) = memory.told.get_mut(key)
            && now.duration_since(told.at) < once
        {
            told.since += 1;
            return None;
        }
        let (since, count) = memory.minute.unwrap_or((now, 0));
        let fresh = now.duration_since(since) >= ONCE;
        let (since, count) = if fresh { (now, 0) } else { (since, count) };
        if count >= RECORDS_MAX {
            return None;
        }
        memory.minute = Some((since, count + 1));
        if memory.told.len() >= KINDS_MAX {
            memory.told.retain(|_, told| now.duration_since(told.at) < ONCE);
        }
        let before = memory.told.insert(key.clone(), Told { at: now, since: 0 });
        Some(before.map_or(0, |told| told.since) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_again_is_counted_and_a_flood_is_not_recorded() {
        let (audit, start) = (Audit::new(None), Instant::now());
        let key = |detail: &str| ("refused".to_owned(), None, detail.to_owned());
        assert_eq!(audit.times(&key("a wrong token"), start), Some(1));
        for _ in 0..1_000 {
            assert_eq!(audit.times(&key("a wrong token"), start), None);
        }
        assert_eq!(audit.times(&key("a wrong token"), start + ONCE), Some(1_001));
        let recorded = (0..1_000)
            .filter(|number| audit.times(&key(&number.to_string()), start + 3 * ONCE).is_some());
        assert_eq!(recorded.count(), 60);
    }
}
