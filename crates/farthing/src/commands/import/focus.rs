//! `farthing import focus`: bills in FOCUS form. They are checked, summed and kept as they came,
//! beside the books: what a provider bills is not what the meter says, and is not added to it.

use crate::args::{ImportFocusArgs, Output};
use crate::commands::print;
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::show::small_money;
use crate::table::{Align, Table};
use farthing_ledger::{Bill, read_bill};
use farthing_model::{Currency, Money, MoneyError};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use std::error::Error;
use std::io::Read as _;
use std::path::Path;

/// Most bytes of a bill, also where it is compressed: a gzip bomb ends there.
const BYTES_MAX: u64 = 4 << 30;

/// No header of a bill is longer.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// A bill that was read, and whether it is a new one.
struct Imported {
    name: String,
    bill: Bill,
    is_new: bool,
}

/// Reads all bills before it keeps any, so that one that is wrong leaves nothing half done.
pub(crate) fn run(args: &ImportFocusArgs, home: &Home, output: Output) -> anyhow::Result<Outcome> {
    let currency = args.currency.as_deref().map(str::parse::<Currency>).transpose();
    let currency = currency.map_err(|error| WrongUse::new(format!("--currency: {error}")))?;
    let mut read = Vec::new();
    for path in &args.paths {
        let name = path.display().to_string();
        let bytes = bytes::Bytes::from(content(path)?);
        let bill = read_bill(bytes.clone(), currency).map_err(|error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            WrongUse::new(format!("{name}: {error}{cause}"))
        })?;
        read.push((name, bytes, bill));
    }
    let books = home.books()?;
    let mut imported = Vec::new();
    for (name, bytes, bill) in read {
        let is_new = books.put_bill(bytes)?;
        tell(&name, &bill);
        imported.push(Imported { name, bill, is_new });
    }
    print(
        output,
        || Ok(text(&imported, args.limit)?),
        || Ok(json!({ "bills": imported.iter().map(bill_json).collect::<Vec<_>>() })),
        || Ok(services(&imported, usize::MAX, Money::to_decimal)?),
    )?;
    Ok(Outcome::Done)
}

/// The bytes of a file, decompressed where they are compressed.
fn content(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    let cannot = |error: std::io::Error| WrongUse::new(format!("{name} cannot be read: {error}"));
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    (&mut file).take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let (mut whole, mut packed) = (Vec::new(), MultiGzDecoder::new(&*bytes));
        packed.by_ref().take(HEADER_BYTES_MAX).read_to_end(&mut whole).map_err(cannot)?;
        let is_none = !whole.starts_with(b"PAR1") && !whole.contains(&b'\n');
        if is_none && whole.len() as u64 == HEADER_BYTES_MAX {
            // A bomb is told before it fills the memory.
            return Err(WrongUse::new(format!("{name} is not a FOCUS file: it has no header"))
                .hint("FOCUS is CSV or Parquet, compressed by gzip or not")
                .into());
        }
        packed.take(BYTES_MAX).read_to_end(&mut whole).map_err(cannot)?;
        bytes = whole;
    }
    if bytes.len() as u64 > BYTES_MAX {
        return Err(WrongUse::new(format!("{name} is larger than {} GiB", BYTES_MAX >> 30))
            .hint("split it by days or accounts")
            .into());
    }
    Ok(bytes)
}

/// Rules that its rows break, for people.
fn tell(name: &str, bill: &Bill) {
    for (what, (rows, first)) in &bill.faults {
        talk(&format!("{name}: {rows} rows are not as FOCUS says: {what} (first in row {first})"));
    }
    if !bill.other_columns.is_empty() {
        let (count, names) = (bill.other_columns.len(), bill.other_columns.join(", "));
        talk(&format!("{name}: {count} columns are none of FOCUS, kept and not read: {names}"));
    }
    if bill.rounded > 0 {
        let rounded = bill.rounded;
        talk(&format!("{name}: {rounded} numbers have more than 12 decimals and were rounded"));
    }
}

fn text(imported: &[Imported], limit: usize) -> Result<String, MoneyError> {
    let mut lines = Vec::new();
    for Imported { name, bill, is_new } in imported {
        let state = if *is_new { "imported" } else { "was imported before: nothing changes" };
        lines.push(format!(
            "{name}: {state}; FOCUS {}, {} rows, {} to {}, billed {}, effective {} {}",
            bill.version,
            bill.rows,
            bill.window.from(),
            bill.window.to(),
            small_money(bill.billed),
            small_money(bill.effective),
            bill.currency,
        ));
    }
    lines.push(String::new());
    lines.push(services(imported, limit, small_money)?.to_text());
    Ok(lines.join("\n"))
}

fn services(
    imported: &[Imported],
    limit: usize,
    amount: fn(Money) -> String,
) -> Result<Table, MoneyError> {
    let mut table = Table::new(&[
        ("file", Align::Left),
        ("provider", Align::Left),
        ("service", Align::Left),
        ("rows", Align::Right),
        ("billed", Align::Right),
        ("effective", Align::Right),
    ]);
    for Imported { name, bill, .. } in imported {
        let mut all: Vec<_> = bill.services.iter().collect();
        all.sort_by_key(|(_, sums)| std::cmp::Reverse(sums.billed.pico()));
        for ((provider, service), sums) in all.iter().take(limit) {
            let (billed, effective) = (amount(sums.billed), amount(sums.effective));
            let rows = sums.rows.to_string();
            let who = [name.clone(), provider.clone(), service.clone()];
            table.row(who.into_iter().chain([rows, billed, effective]));
        }
        let rest = all.get(limit..).unwrap_or(&[]);
        if !rest.is_empty() {
            let sum = |of: fn(&farthing_ledger::BillRow) -> Money| {
                Money::sum(rest.iter().map(|(_, sums)| of(sums)), bill.currency)
            };
            let rows: u64 = rest.iter().map(|(_, sums)| sums.rows).sum();
            table.row([
                name.clone(),
                String::new(),
                format!("({} more services)", rest.len()),
                rows.to_string(),
                amount(sum(|sums| sums.billed)?),
                amount(sum(|sums| sums.effective)?),
            ]);
        }
    }
    Ok(table)
}

fn bill_json(imported: &Imported) -> Value {
    let Imported { name, bill, is_new } = imported;
    let service = |((provider, service), sums): (&(String, String), &farthing_ledger::BillRow)| {
        json!({
            "provider": provider,
            "service": service,
            "rows": sums.rows,
            "billed": sums.billed.to_decimal(),
            "effective": sums.effective.to_decimal(),
        })
    };
    json!({
        "file": name,
        "new": is_new,
        "version": bill.version,
        "window": { "from": bill.window.from().to_string(), "to": bill.window.to().to_string() },
        "rows": bill.rows,
        "currency": bill.currency.to_string(),
        "billed": bill.billed.to_decimal(),
        "effective": bill.effective.to_decimal(),
        "services": bill.services.iter().map(service).collect::<Vec<_>>(),
        "faults": bill.faults.iter().map(fault_json).collect::<Vec<_>>(),
        "other_columns": bill.other_columns,
        "rounded": bill.rounded,
    })
}

fn fault_json((what, (rows, first)): (&String, &(u64, u64))) -> Value {
    json!({ "what": what, "rows": rows, "first_row": first })
}
