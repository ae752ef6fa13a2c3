//! Imported bills beside what the meter says, for people.

use super::{small_money, window};
use crate::table::{Align, Table};
use farthing_ledger::{ReconciledRow, Reconciliation};
use farthing_model::Money;
use std::borrow::Cow;
use std::fmt::Write as _;

/// What bills say, what the meter says, and the difference.
pub(crate) fn text(said: &Reconciliation, meant: &str, limit: usize) -> String {
    let mut out = format!("{}: {meant}; UTC, without its end\n", window(said.window));
    let _ = writeln!(
        out,
        "{} bills, {} rows: billed {}, effective {} {}; metered {}; difference {}",
        said.bills,
        said.rows_read,
        small_money(said.billed),
        small_money(said.effective),
        said.currency,
        small_money(said.metered),
        small_money(said.difference),
    );
    if said.repeated > 0 {
        let _ = writeln!(out, "{} rows that another bill says too count once", said.repeated);
    }
    for (currency, bills) in &said.other_currencies {
        let _ = writeln!(out, "{bills} bills in {currency} are not in it");
    }
    if said.bills == 0 {
        let _ = writeln!(out, "no bill has a charge in these hours: `farthing import focus FILE`");
    }
    let _ = writeln!(out, "difference = effective - metered: above zero, more was billed\n");
    out += &rows(said, limit, small_money).to_text();
    out
}

/// The rows; of what one side does not have there is a dash.
pub(crate) fn rows(said: &Reconciliation, limit: usize, amount: fn(Money) -> String) -> Table {
    let mut columns: Vec<(Cow<'static, str>, Align)> =
        said.by.iter().map(|key| (key.name(), Align::Left)).collect();
    let amounts = ["metered", "billed", "effective", "difference"];
    columns.extend(amounts.map(|name| (Cow::Borrowed(name), Align::Right)));
    let mut table = Table::new(&columns);
    for row in said.rows.iter().take(limit) {
        let ReconciledRow { keys, metered, billed, effective, difference } = row;
        let optional = |of: &Option<Money>| of.map_or_else(|| "-".to_owned(), amount);
        let amounts = [metered, billed, effective].map(optional);
        table.row(keys.iter().cloned().chain(amounts).chain([amount(*difference)]));
    }
    if let Some(more) = said.rows.len().checked_sub(limit).filter(|more| *more > 0) {
        table.row([format!("({more} more rows; --limit shows them)")]);
    }
    table
}
