//! `farthing verify`: the ledger conserves, the journal's chain holds.

use super::print;
use crate::args::{Output, VerifyArgs};
use crate::home::Home;
use crate::outcome::Outcome;
use crate::table::{Align, Table};
use farthing_ledger::verify;
use farthing_providers::sqlite;

/// Checks both and prints the first fault of each.
pub(crate) fn run(args: &VerifyArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let cluster = home.cluster(args.cluster.as_deref())?;
    let ledger = verify(&home.books()?, &cluster)?;
    let journal = sqlite::verify(&home.journal(&cluster));
    let result = farthing_server::wire::verify(
        &ledger,
        (journal.ok, journal.checked, journal.first_fault.as_deref()),
    );
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
                part.first_fault.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        Ok(table)
    };
    print(output, || Ok(rows()?.to_text()), || Ok(serde_json::to_value(&result)?), rows)?;
    Ok(if ledger.ok && journal.ok { Outcome::Done } else { Outcome::Failed })
}
