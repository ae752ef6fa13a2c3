//! Bills in FOCUS form, from CSV or Parquet: read whole, checked, and summed; what they say is not
//! changed.

mod arrow;
mod number;

use super::check::{RowFault, check_row};
use super::columns::{Cell, Kind};
use bytes::Bytes;
use farthing_model::{Currency, Money, Window};
use jiff::Timestamp;
use number::{instant, pico};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek as _};

/// Columns that every version since 1.0 has in every file.
const NEEDED: [&str; 12] = [
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "EffectiveCost",
    "ListCost",
    "ServiceCategory",
    "ServiceName",
];

/// What tells versions apart, newest first.
const VERSIONS: [(&str, &str); 3] =
    [("ServiceProviderName", "1.3"), ("BillingAccountType", "1.2"), ("ServiceSubcategory", "1.1")];

/// How a Parquet file begins.
const MAGIC: &[u8] = b"PAR1";
/// What is read of a file at once.
const BUFFER_BYTES: usize = 1 << 18;

/// Kinds of faults that are told apart; more are counted together.
const FAULTS_MAX: usize = 20;

/// A bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// The newest version whose columns it has.
    pub version: &'static str,
    /// The currency of all its rows.
    pub currency: Currency,
    /// From the first charge to the last.
    pub window: Window,
    /// How many charges.
    pub rows: u64,
    /// What is invoiced.
    pub billed: Money,
    /// With prepaid costs spread over what they are for.
    pub effective: Money,
    /// By provider and service.
    pub services: BTreeMap<(String, String), BillRow>,
    /// Rules of FOCUS that rows break: how many rows, and the first one. They are read all the
    /// same.
    pub faults: BTreeMap<String, (u64, u64)>,
    /// Its columns that no version of FOCUS names: kept with it, and not read.
    pub other_columns: Vec<String>,
    /// Numbers with more than twelve decimals, which were rounded to that.
    pub rounded: u64,
}

/// The sums of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BillRow {
    /// How many charges.
    pub rows: u64,
    /// What is invoiced.
    pub billed: Money,
    /// With prepaid costs spread over what they are for.
    pub effective: Money,
}

/// Why a file is not a bill.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// Columns that must be there are not.
    #[error("it is not a FOCUS file: it has no column {}", .0.join(", "))]
    Columns(Vec<&'static str>),
    /// There is no row.
    #[error("it has columns and no rows")]
    Empty,
    /// A row cannot be read.
    #[error("row {row}: {column} is `{found}`, and must be {must}")]
    Value {
        /// Which, from 1, without the header.
        row: u64,
        /// The column.
        column: &'static str,
        /// What it says.
        found: String,
        /// What it must be.
        must: &'static str,
    },
    /// A row is in another currency.
    #[error(
        "row {row} is in {found}, and {asked} is asked for: bills of two currencies do not add"
    )]
    Currency {
        /// Which, from 1.
        row: u64,
        /// Its currency.
        found: String,
        /// The one of the books, or of the first row.
        asked: Currency,
    },
    /// The sums do not fit.
    #[error("the sum up to row {0} does not fit into 38 digits")]
    Overflow(u64),
    /// The CSV is broken.
    #[error("it is not readable as CSV")]
    Csv(#[source] csv::Error),
    /// The Parquet is broken.
    #[error("it is not readable as Parquet")]
    Parquet(#[source] parquet::errors::ParquetError),
    /// A Parquet column is of a type that has no text.
    #[error("its column {column} is of the type {kind}, which cannot be read")]
    Type {
        /// Which.
        column: String,
        /// Its type.
        kind: String,
    },
}

/// Where the bytes of a bill are. They are read in the order in which they lie, and not held.
pub enum BillBytes {
    /// In memory.
    Memory(Bytes),
    /// In a file.
    File(File),
    /// They come one after the other: CSV, as Parquet is read from its end.
    Stream(Box<dyn Read>),
}

impl From<Bytes> for BillBytes {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}

/// Reads a bill, told apart by its first bytes. Where a currency is given, all rows must be in it;
/// else in that of the first.
///
/// # Errors
/// It is not a FOCUS file, or one of its rows cannot be read.
pub fn read_bill(
    bytes: impl Into<BillBytes>,
    currency: Option<Currency>,
) -> Result<Bill, BillError> {
    read_lines(bytes.into(), currency, &mut |_, _| Some(()))
}

/// What a row charges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) window: Window,
    pub(super) currency: Currency,
    /// In 10^-12.
    pub(super) billed: i128,
    pub(super) effective: i128,
}

/// What a row says in all columns.
pub(super) struct Cells<'c, 'r> {
    places: &'c BTreeMap<String, usize>,
    read: &'c ReadCell<'r>,
}

impl<'c, 'r> Cells<'c, 'r> {
    /// What it says in one, if there is one and it is not null.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'r, str>> {
        self.places.get(name).and_then(|column| (self.read)(*column))
    }

    /// What tells it from other rows, by the names of columns, wherever they stand and however a
    /// number or a time is written. What only the newest version has is left out: the same row may
    /// come in both.
    pub(super) fn said(&self) -> impl Iterator<Item = (&'c str, Cow<'r, str>)> {
        let read = self.read;
        let old = self.places.iter().filter(|(name, _)| !super::columns::is_of_split(name));
        old.filter_map(move |(name, column)| {
            let text = read(*column)?;
            let alike = match kind_of(name) {
                Kind::Time => instant(&text).map(|at| at.to_string()),
                Kind::Number => pico(&text).map(|(pico, _)| pico.to_string()),
                // Of columns of others it is not known what they are.
                Kind::Text if name.starts_with("x_") => {
                    pico(&text).map(|(pico, _)| pico.to_string())
                }
                Kind::Text => None,
            };
            Some((&**name, alike.map_or(text, Cow::Owned)))
        })
    }
}

/// What a column of FOCUS holds, by its name.
fn kind_of(name: &str) -> Kind {
    if name.ends_with("PeriodStart") || name.ends_with("PeriodEnd") {
        Kind::Time
    } else if ["Cost", "Quantity", "UnitPrice"].iter().any(|end| name.ends_with(end)) {
        Kind::Number
    } else {
        Kind::Text
    }
}

/// Takes a row; `None` when a sum does not fit.
pub(super) type Visit<'v> = dyn FnMut(Line, &Cells<'_, '_>) -> Option<()> + 'v;

/// As [`read_bill`]; each row is shown to `visit`.
pub(super) fn read_lines(
    bytes: BillBytes,
    currency: Option<Currency>,
    visit: &mut Visit<'_>,
) -> Result<Bill, BillError> {
    let csv = |error: std::io::Error| BillError::Csv(error.into());
    match bytes {
        BillBytes::Memory(bytes) if bytes.starts_with(MAGIC) => {
            arrow::read_parquet(bytes, currency, visit)
        }
        BillBytes::Memory(bytes) => read_csv(&bytes[..], currency, visit),
        BillBytes::File(mut file) => {
            let mut first = Vec::new();
            (&mut file).take(MAGIC.len() as u64).read_to_end(&mut first).map_err(csv)?;
            file.rewind().map_err(csv)?;
            if first == MAGIC {
                arrow::read_parquet(file, currency, visit)
            } else {
                read_csv(BufReader::with_capacity(BUFFER_BYTES, file), currency, visit)
            }
        }
        BillBytes::Stream(stream) => {
            read_csv(BufReader::with_capacity(BUFFER_BYTES, stream), currency, visit)
        }
    }
}

fn read_csv(
    bytes: impl Read,
    currency: Option<Currency>,
    visit: &mut Visit<'_>,
) -> Result<Bill, BillError> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(bytes);
    let header = reader.headers().map_err(BillError::Csv)?.clone();
    // A mark of byte order is not part of a name.
    let names = header.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned());
    let mut reading = Reading::new(names.collect(), currency)?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(BillError::Csv)? {
        let read = |column| {
            let text = record.get(column).filter(|text| !text.is_empty() && *text != "NULL");
            text.map(Cow::Borrowed)
        };
        reading.row(&read, visit)?;
    }
    reading.finish()
}

/// A bill in the making.
struct Reading {
    names: Vec<String>,
    /// Positions of the columns that are looked at.
    asked: Vec<usize>,
    places: BTreeMap<String, usize>,
    currency: Option<Currency>,
    version: &'static str,
    row: u64,
    span: Option<(Timestamp, Timestamp)>,
    billed: i128,
    effective: i128,
    services: BTreeMap<(String, String), (u64, i128, i128)>,
    faults: BTreeMap<String, (u64, u64)>,
    rounded: u64,
}

type ReadCell<'r> = dyn Fn(usize) -> Option<Cow<'r, str>> + 'r;

impl Reading {
    fn new(names: Vec<String>, currency: Option<Currency>) -> Result<Self, BillError> {
        let places: BTreeMap<String, usize> =
            names.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
        let is_missing = |name: &&'static str| !places.contains_key(*name);
        let missing: Vec<&'static str> = NEEDED.iter().copied().filter(is_missing).collect();
        if !missing.is_empty() {
            return Err(BillError::Columns(missing));
        }
        let version = VERSIONS.iter().find(|(column, _)| places.contains_key(*column));
        let asked = NEEDED.iter().filter_map(|name| places.get(*name).copied()).collect();
        Ok(Self {
            names,
            asked,
            places,
            currency,
            version: version.map_or("1.0", |(_, version)| version),
            row: 0,
            span: None,
            billed: 0,
            effective: 0,
            services: BTreeMap::new(),
            faults: BTreeMap::new(),
            rounded: 0,
        })
    }

    fn get<'r>(&self, read: &ReadCell<'r>, name: &str) -> Option<Cow<'r, str>> {
        self.places.get(name).and_then(|column| read(*column))
    }

    fn wrong(&self, column: &'static str, found: &str, must: &'static str) -> BillError {
        BillError::Value { row: self.row, column, found: found.to_owned(), must }
    }

    fn amount(&mut self, read: &ReadCell<'_>, column: &'static str) -> Result<i128, BillError> {
        let must = "a number";
        let text = self.get(read, column).ok_or_else(|| self.wrong(column, "", must))?;
        let (pico, exact) = pico(&text).ok_or_else(|| self.wrong(column, &text, must))?;
        self.rounded += u64::from(!exact);
        Ok(pico)
    }

    fn time(&self, read: &ReadCell<'_>, column: &'static str) -> Result<Timestamp, BillError> {
        let must = "a time such as 2026-03-01T00:00:00Z";
        let text = self.get(read, column).unwrap_or_default();
        instant(&text).ok_or_else(|| self.wrong(column, &text, must))
    }

    fn row(&mut self, read: &ReadCell<'_>, visit: &mut Visit<'_>) -> Result<(), BillError> {
        self.row += 1;
        let found = self.get(read, "BillingCurrency").unwrap_or_default().into_owned();
        let asked = match self.currency {
            Some(asked) => asked,
            None => found.parse().map_err(|_| {
                self.wrong("BillingCurrency", &found, "a currency code such as USD")
            })?,
        };
        self.currency = Some(asked);
        if found != asked.code() {
            return Err(BillError::Currency { row: self.row, found, asked });
        }
        let from = self.time(read, "ChargePeriodStart")?;
        let to = self.time(read, "ChargePeriodEnd")?;
        if from >= to {
            return Err(self.wrong("ChargePeriodEnd", &to.to_string(), "after ChargePeriodStart"));
        }
        self.span = Some(self.span.map_or((from, to), |(a, b)| (a.min(from), b.max(to))));
        let billed = self.amount(read, "BilledCost")?;
        let effective = self.amount(read, "EffectiveCost")?;
        let overflow = || BillError::Overflow(self.row);
        let sum = self.billed.checked_add(billed).ok_or_else(overflow)?;
        let effective_sum = self.effective.checked_add(effective).ok_or_else(overflow)?;
        (self.billed, self.effective) = (sum, effective_sum);
        let name = |column: &str| self.get(read, column).map(Cow::into_owned);
        let provider = name("ServiceProviderName").or_else(|| name("ProviderName"));
        let service = (provider.unwrap_or_default(), name("ServiceName").unwrap_or_default());
        let sums = self.services.entry(service).or_default();
        *sums = (sums.0 + 1, sums.1 + billed, sums.2 + effective);
        if let Err(fault) = self.check(read) {
            let mut what = fault.to_string();
            if !self.faults.contains_key(&what) && self.faults.len() >= FAULTS_MAX {
                "other rules".clone_into(&mut what);
            }
            let known = self.faults.entry(what).or_insert((0, self.row));
            known.0 += 1;
        }
        let window = Window::new(from, to).map_err(|_| BillError::Overflow(self.row))?;
        let cells = Cells { places: &self.places, read };
        visit(Line { window, currency: asked, billed, effective }, &cells)
            .ok_or(BillError::Overflow(self.row))
    }

    /// The rules that our own export is checked by. Of a column that a version does not have,
    /// nothing is asked.
    fn check(&self, read: &ReadCell<'_>) -> Result<(), RowFault> {
        check_row(&|name| {
            if !self.places.contains_key(name) {
                return absent(name);
            }
            let Some(text) = self.get(read, name) else { return Cell::Null };
            match kind_of(name) {
                Kind::Time => instant(&text).map_or(Cell::Null, Cell::Time),
                Kind::Number => pico(&text).map_or(Cell::Null, |(pico, _)| Cell::Number(pico)),
                Kind::Text => Cell::Text(Cow::Owned(text.into_owned())),
            }
        })
    }

    fn finish(self) -> Result<Bill, BillError> {
        let (Some((from, to)), Some(currency)) = (self.span, self.currency) else {
            return Err(BillError::Empty);
        };
        let money = |pico| Money::from_pico(pico, currency);
        let services = self.services.into_iter().map(|(service, (rows, billed, effective))| {
            let (billed, effective) = (money(billed), money(effective));
            (service, BillRow { rows, billed, effective })
        });
        Ok(Bill {
            version: self.version,
            currency,
            window: Window::new(from, to).map_err(|_| BillError::Empty)?,
            rows: self.row,
            billed: money(self.billed),
            effective: money(self.effective),
            services: services.collect(),
            faults: self.faults,
            other_columns: self.names.into_iter().filter(|name| !is_named(name)).collect(),
            rounded: self.rounded,
        })
    }
}

/// Columns that only other versions than ours have.
const NAMED_ELSEWHERE: [&str; 5] =
    ["Provider", "Publisher", "Region", "CommitmentProgramEligibilityDetails", "InvoiceDetailId"];

/// Whether a version of FOCUS has a column of this name.
fn is_named(name: &str) -> bool {
    let known = super::columns::focus_names();
    known.chain(NAMED_ELSEWHERE).any(|known| known == name)
}

/// What stands for a column that is not in the file, so that no rule is broken by it.
fn absent(name: &str) -> Cell<'static> {
    if super::check::MANDATORY.contains(&name) {
        return Cell::Text(Cow::Borrowed(match name {
            "ChargeFrequency" => "Usage-Based",
            _ => "-",
        }));
    }
    Cell::Null
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodEnd,\
        BillingPeriodStart,ChargeCategory,ChargePeriodEnd,ChargePeriodStart,EffectiveCost,\
        ListCost,ServiceCategory,ServiceName";

    fn read(rows: &str, currency: &str) -> Result<Bill, String> {
        let text = format!("{HEADER}\n{rows}");
        let said = |error: BillError| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        };
        read_bill(Bytes::from(text), currency.parse().ok()).map_err(said)
    }

    const ROW: &str = "1.5,a,USD,2026-04-01T00:00:00Z,2026-03-01T00:00:00Z,Usage,\
        2026-03-02 01:00:00,2026-03-02 00:00:00,1.25,2,Compute,VM";

    #[test]
    fn a_bill_is_summed() {
        let credit = ROW.replace("1.5,", "-0.5,").replace("Usage", "Credit");
        let bill = read(&format!("{ROW}\n{credit}\n"), "USD").unwrap();
        assert_eq!((bill.rows, bill.version), (2, "1.0"));
        assert_eq!(
            (bill.billed.to_decimal(), bill.effective.to_decimal()),
            ("1.00".into(), "2.50".into())
        );
        assert_eq!(bill.window.to_string(), "2026-03-02T00:00:00Z/2026-03-02T01:00:00Z");
        // A usage without unit price, as its columns are not there, breaks a rule and is read.
        assert_eq!(bill.faults.len(), 1, "{:?}", bill.faults);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_row() {
        let is = |rows: &str, currency: &str, what: &str| {
            let error = read(rows, currency).unwrap_err();
            assert!(error.contains(what), "{error}");
        };
        is(ROW, "EUR", "row 1 is in USD, and EUR is asked for");
        is(&format!("{ROW}\n{}", ROW.replace("USD", "EUR")), "", "row 2 is in EUR, and USD");
        is(&ROW.replace("1.5", "many"), "", "row 1: BilledCost is `many`, and must be a number");
        is(&ROW.replace("1.25", "NULL"), "", "row 1: EffectiveCost is ``");
        is(&ROW.replace("2026-03-02 00:00:00", "soon"), "", "ChargePeriodStart is `soon`");
        is("", "", "columns and no rows");
        is("1,2", "", "not readable as CSV: CSV error: record 1");
        let error = read_bill(Bytes::from("a,b\n1,2\n"), None).unwrap_err().to_string();
        assert!(error.starts_with("it is not a FOCUS file: it has no column BilledCost, Billing"));
        let error = read_bill(Bytes::from("PAR1 half a file"), None).unwrap_err().to_string();
        assert_eq!(error, "it is not readable as Parquet");
    }
}
