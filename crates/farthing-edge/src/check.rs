//! Verifying a journal, wherever it is kept: each record against the chain, and the whole against
//! what others know of it.

use crate::chain::{self, Head, Record};
use crate::{EdgeError, Store};
use std::collections::BTreeMap;
use std::fmt;

/// Records read at once.
const PAGE: usize = 1_000;

/// A record that someone else knows the journal to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'k> {
    /// Its number and hash.
    pub head: Head,
    /// Who knows it, for messages.
    pub by: &'k str,
}

/// What was found in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalCheck {
    /// Records that hold, from the first on.
    pub checked: u64,
    /// The last of them.
    pub head: Head,
    /// Whether a seal held the bytes that belong to no record. Only files have one, and only after
    /// a run that ended as it should.
    pub sealed: bool,
    /// What does not hold, first; `None` = everything does.
    pub first_fault: Option<JournalFault>,
}

/// Something in a journal that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalFault {
    /// The record, where it is one.
    pub seq: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for JournalFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(out, "record {seq}: {}", self.what),
            None => out.write_str(&self.what),
        }
    }
}

/// Follows the chain of a store from its first record to its end. `visit` sees each record that
/// holds.
pub fn follow(
    store: &dyn Store,
    known: &[Known<'_>],
    visit: &mut dyn FnMut(&Record),
) -> JournalCheck {
    let mut check =
        JournalCheck { checked: 0, head: Head::GENESIS, sealed: false, first_fault: None };
    let mut known = Wanted::new(known);
    let said = |error: &EdgeError| {
        let source = std::error::Error::source(error).map(|source| format!(" ({source})"));
        format!("{error}{}", source.unwrap_or_default())
    };
    let mut see = |record: &Record| {
        known.see(record);
        visit(record);
    };
    let fault = records(&|from, limit| store.read(from, limit), &said, &mut check, &mut see);
    check.first_fault = fault.or_else(|| known.fault(check.head.seq));
    check
}

/// Follows the chain of what `read` reads, from a number on and so many at most, and counts in
/// `check` what holds; `said` is what is said of an error. The first that does not hold.
pub fn records(
    read: &dyn Fn(u64, usize) -> Result<Vec<Record>, EdgeError>,
    said: &dyn Fn(&EdgeError) -> String,
    check: &mut JournalCheck,
    see: &mut dyn FnMut(&Record),
) -> Option<JournalFault> {
    loop {
        let next = check.head.seq + 1;
        // Where one record cannot be read: on one by one up to it, so that it is located.
        let page = match read(next, PAGE).or_else(|_| read(next, 1)) {
            Ok(page) => page,
            Err(error) => return Some(JournalFault { seq: Some(next), what: said(&error) }),
        };
        if page.is_empty() {
            return None;
        }
        for record in page {
            match chain::verify(&check.head, std::slice::from_ref(&record)) {
                Ok(head) => check.head = head,
                Err(fault) => {
                    return Some(JournalFault { seq: Some(fault.seq), what: fault.what });
                }
            }
            check.checked += 1;
            see(&record);
        }
    }
}

/// The records that must be there, by number.
#[derive(Debug)]
pub struct Wanted<'k> {
    left: BTreeMap<u64, Vec<Known<'k>>>,
    fault: Option<JournalFault>,
}

impl<'k> Wanted<'k> {
    /// From who knows what.
    pub fn new(known: &[Known<'k>]) -> Self {
        let mut left: BTreeMap<u64, Vec<Known<'k>>> = BTreeMap::new();
        for one in known.iter().filter(|one| one.head.seq > 0) {
            left.entry(one.head.seq).or_default().push(*one);
        }
        Self { left, fault: None }
    }

    /// Takes a record that holds.
    pub fn see(&mut self, record: &Record) {
        let known = self.left.remove(&record.seq).unwrap_or_default();
        if let Some(other) = known.iter().find(|known| known.head.hash != record.hash) {
            let what = format!("it is not the record that {} knows by this number", other.by);
            self.fault.get_or_insert(JournalFault { seq: Some(record.seq), what });
        }
    }

    /// What is not as others know it, in a journal whose last record is `last`.
    pub fn fault(self, last: u64) -> Option<JournalFault> {
        let gone = self.left.values().flatten().next().map(|known| {
            let what = format!(
                "records were taken from the end: {} knows record {}, and the last one is {last}",
                known.by, known.head.seq
            );
            JournalFault { seq: Some(last + 1), what }
        });
        self.fault.or(gone)
    }
}
