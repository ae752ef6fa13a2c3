//! `farthing verify`: the ledger conserves, the journal's chain holds.

use super::print;
use crate::args::{Output, VerifyArgs};
use crate::home::Home;
use crate::outcome::Outcome;
use crate::table::{Align, Table};
use farthing_edge::ChainFault;
use farthing_ledger::verify;
use farthing_providers::sqlite;
use farthing_server::wire::{self, JournalCheck};

/// Checks both and prints the first fault of each.
pub(crate) fn run(args: &VerifyArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let cluster = home.cluster(args.cluster.as_deref())?;
    let ledger = verify(&home.books()?, &cluster)?;
    let journal = sqlite::verify(&home.journal(&cluster))?;
    let fault = journal
        .first_fault
        .as_ref()
        .map(|fault| ChainFault { seq: fault.seq.unwrap_or(0), what: fault.what.clone() });
    let check = JournalCheck { checked: journal.checked, fault: fault.as_ref() };
    let result = wire::verify(&ledger, check);
    let rows = || {
        let mut table = Table::new(&[
            ("what", Align::Left),
            ("holds", Align::Left),
            ("checked", Align::Right),
            ("first fault", Align::Left),
        ]);
        for (name, part) in [("ledger", &result.ledger), ("journal", &result.journal)] {
            table.row([
                name.to_owned(),
                if part.ok { "yes" } else { "NO" }.to_owned(),
                part.checked.to_string(),
                part.first_fault.as_ref().map_or_else(|| "-".to_owned(), place),
            ]);
        }
        Ok(table)
    };
    print(output, || Ok(rows()?.to_text()), || Ok(serde_json::to_value(&result)?), rows)?;
    Ok(if ledger.ok && fault.is_none() { Outcome::Done } else { Outcome::Failed })
}

/// A fault with its file and row.
fn place(fault: &wire::FaultJson) -> String {
    let file = fault.file.as_ref().map_or_else(String::new, |file| format!("{file}: "));
    let row = match (&fault.file, fault.row) {
        (Some(_), Some(row)) => format!("row {row}: "),
        (None, Some(row)) if row > 0 => format!("record {row}: "),
        _ => String::new(),
    };
    format!("{file}{row}{}", fault.what)
}
