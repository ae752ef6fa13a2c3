//! `verify`: whether the ledger conserves and the journal's chain holds.

use farthing_ledger::LedgerCheck;
use serde::Serialize;

/// What reading the journal found.
#[derive(Clone, Copy, Debug)]
pub struct JournalCheck<'a> {
    /// Records that were checked, up to and with the first fault.
    pub checked: u64,
    /// The file.
    pub file: &'a str,
    /// What does not hold, first: the number of the record where it is one, and what is wrong.
    pub fault: Option<(Option<u64>, &'a str)>,
    /// Whether a seal held the bytes that belong to no record; `None` where there is no journal.
    pub sealed: Option<bool>,
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
    /// What is no fault and good to know.
    pub notes: Vec<String>,
}

/// A place that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultJson {
    /// The file.
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
    let journal_fault = journal.fault.map(|(record, what)| FaultJson {
        file: Some(journal.file.to_owned()),
        row: record,
        what: what.to_owned(),
    });
    let unposted = ledger.unposted.iter();
    let unposted = unposted.map(|hour| format!("{hour} has telemetry and is not posted yet"));
    let corrected = ledger.corrections.iter();
    let corrected = corrected.map(|(file, correction)| format!("{file} was {correction}"));
    let released = [
        ("telemetry", ledger.retention.telemetry_before),
        ("charges", ledger.retention.charges_before),
    ];
    let released = released.into_iter().filter_map(|(what, before)| {
        Some(format!(
            "{what} of before {} was let go of, as `farthing books retain` asked",
            before?
        ))
    });
    let note = match journal.sealed {
        Some(true) => None,
        Some(false) => Some(
            "not sealed: the last run goes on or was cut off, and bytes that belong to no record \
             are held by nothing",
        ),
        None => Some("there is none: these books were imported, and nothing was decided on them"),
    };
    let sound = journal.fault.is_none();
    VerifyJson {
        ledger: CheckJson {
            ok: ledger.ok,
            checked: ledger.checked,
            first_fault: ledger_fault,
            notes: unposted.chain(corrected).chain(released).collect(),
        },
        journal: CheckJson {
            ok: sound,
            checked: journal.checked,
            first_fault: journal_fault,
            notes: note.filter(|_| sound).map(str::to_owned).into_iter().collect(),
        },
    }
}
