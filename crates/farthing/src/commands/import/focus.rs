//! `farthing import focus`: bills in FOCUS form. They are checked, summed and kept as they came,
//! beside the books: what a provider bills is not what the meter says, and is not added to it.

use crate::args::{ImportFocusArgs, Output};
use crate::commands::print;
use crate::home::Home;
use crate::outcome::{Outcome, WrongUse};
use crate::print::talk;
use crate::show::small_money;
use crate::table::{Align, Table};
use anyhow::Context as _;
use farthing_ledger::{Bill, BillBytes, read_bill};
use farthing_model::{Currency, Money, MoneyError};
use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Most bytes that a compressed bill may unpack to.
const UNPACKED_BYTES_MAX: u64 = 64 << 30;

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
        let source = Source::new(path)?;
        let cannot =
            |error: std::io::Error| WrongUse::new(format!("{name} cannot be read: {error}"));
        let bill = read_bill(source.bytes().map_err(cannot)?, currency).map_err(|error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            WrongUse::new(format!("{name}: {error}{cause}"))
        })?;
        read.push((name, source, bill));
    }
    let books = home.books()?;
    let mut imported = Vec::new();
    for (name, source, bill) in read {
        let is_new = books.put_bill(|| source.open()).with_context(|| name.clone())?;
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

/// A file of a bill, compressed or not; it is read as often as is asked for, and never held.
struct Source {
    path: PathBuf,
    packed: bool,
}

impl Source {
    fn new(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let cannot =
            |error: std::io::Error| WrongUse::new(format!("{name} cannot be read: {error}"));
        let mut first = Vec::new();
        File::open(path).and_then(|file| file.take(2).read_to_end(&mut first)).map_err(cannot)?;
        let source = Self { path: path.to_owned(), packed: first == [0x1f, 0x8b] };
        if source.packed {
            let mut start = Vec::new();
            source
                .open()
                .and_then(|it| it.take(HEADER_BYTES_MAX).read_to_end(&mut start))
                .map_err(cannot)?;
            if start.starts_with(b"PAR1") {
                return Err(WrongUse::new(format!("{name} is Parquet inside of gzip"))
                    .hint("unpack it: Parquet is compressed by itself")
                    .into());
            }
            if start.len() as u64 == HEADER_BYTES_MAX && !start.contains(&b'\n') {
                // A bomb is told before it is read to its end.
                return Err(WrongUse::new(format!("{name} is not a FOCUS file: it has no header"))
                    .hint("FOCUS is CSV or Parquet, compressed by gzip or not")
                    .into());
            }
        }
        Ok(source)
    }

    /// Its bytes, unpacked.
    fn open(&self) -> std::io::Result<Box<dyn Read>> {
        let file = File::open(&self.path)?;
        if !self.packed {
            return Ok(Box::new(file));
        }
        let unpacked = MultiGzDecoder::new(BufReader::new(file));
        Ok(Box::new(Limited { from: unpacked, left: UNPACKED_BYTES_MAX }))
    }

    fn bytes(&self) -> std::io::Result<BillBytes> {
        if self.packed {
            self.open().map(BillBytes::Stream)
        } else {
            File::open(&self.path).map(BillBytes::File)
        }
    }
}

/// An error after so many bytes: a gzip bomb ends there.
struct Limited<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(into)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            let limit = UNPACKED_BYTES_MAX >> 30;
            std::io::Error::other(format!("it unpacks to more than {limit} GiB: split it by days"))
        })?;
        Ok(count)
    }
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
