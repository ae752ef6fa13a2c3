//! `verify`: whether the ledger conserves and the journal's chain holds.

use farthing_edge::ChainFault;
use farthing_ledger::LedgerCheck;
use serde::Serialize;

/// What reading the journal found.
#[derive(Clone, Copy, Debug)]
pub struct JournalCheck<'a> {
    /// Records that were checked, up to and with the first fault.
    pub checked: u64,
    /// The first record that does not hold.
    pub fault: Option<&'a ChainFault>,
}

/// Whether the books are sound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifyJson {
    /// The ledger, by hours.
    pub ledger: CheckJson,
    /// The journal, by records.
    pub journal: CheckJson,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckJson {
    /// Whether there is no fault.
    pub ok: bool,
    /// Hours or records that were checked, up to and with the first fault.
    pub checked: u64,
    /// Where it first does not hold.
    pub first_fault: Option<FaultJson>,
}

/// A place that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultJson {
    /// The file of the ledger; `null` for the journal.
    pub file: Option<String>,
    /// The row of the file from 0, or the number of the journal's record.
    pub row: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// The wire form of both checks.
pub fn verify(ledger: &LedgerCheck, journal: JournalCheck<'_>) -> VerifyJson {
    let ledger_fault = ledger.first_fault.as_ref().map(|fault| FaultJson {
        file: Some(fault.file.clone()),
        row: fault.row,
        what: fault.what.clone(),
    });
    let journal_fault = journal.fault.map(|fault| FaultJson {
        file: None,
        row: Some(fault.seq),
        what: fault.what.clone(),
    });
    VerifyJson {
        ledger: CheckJson { ok: ledger.ok, checked: ledger.checked, first_fault: ledger_fault },
        journal: CheckJson {
            ok: journal.fault.is_none(),
            checked: journal.checked,
            first_fault: journal_fault,
        },
    }
}
