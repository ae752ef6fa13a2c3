//! What moving data costs: a CSV of prices, or a matrix of region pairs as Skyplane measured it.
//!
//! ```text
//! from_provider,from_region,to_provider,to_region,up_to_gb,price_per_gb
//!     [,currency,gbit_per_s,source,as_of]
//! src,dest,cost     (with regions such as aws:us-east-1)
//! ```
//!
//! Both may be compressed with gzip. One bad row makes the file bad: without it another row would
//! be charged. How fast data moves between regions may be another file (`speed.rs`). Start with
//! [`load`].

use crate::manifest::suggestion;
use crate::text::{ReadError, into_text, read_bytes};
use farthing_model::{Currency, Decimal, EgressRow, EgressTable, Money};
use flate2::read::MultiGzDecoder;
use std::io::Read as _;
use std::path::{Path, PathBuf};

mod speed;

/// The columns, the first six of which are required.
pub const COLUMNS: [&str; 10] = [
    "from_provider",
    "from_region",
    "to_provider",
    "to_region",
    "up_to_gb",
    "price_per_gb",
    "currency",
    "gbit_per_s",
    "source",
    "as_of",
];
const REQUIRED: usize = 6;
/// The columns of a matrix of region pairs, in USD for a GB.
const PAIRS: [&str; 3] = ["src", "dest", "cost"];
/// Largest table, in bytes, also when it is unpacked.
pub const BYTES_MAX: u64 = 64 << 20;
/// Faults that one message names.
const FAULTS_MAX: usize = 10;

/// Why a file is not an egress table.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// It could not be read as a file.
    #[error(transparent)]
    Read(ReadError),
    /// It is compressed, and what is inside cannot be read.
    #[error("{}: cannot be unpacked: {what}", .path.display())]
    Packed {
        /// The file.
        path: PathBuf,
        /// Why not.
        what: String,
    },
    /// The columns are those of something else.
    #[error("{}: is not an egress table: {what}", .path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with its columns.
        what: String,
    },
    /// Rows that cannot be read, each with its line.
    #[error("{}", .0.join("\n"))]
    Rows(Vec<String>),
}

/// Reads an egress table from files of prices, of which the rows of the first come first, and of
/// measured speeds; what a file is is told by what is in it.
///
/// # Errors
/// [`EgressError`]: a file, its columns, or any of its rows; speeds without any price.
pub fn load(paths: &[PathBuf]) -> Result<EgressTable, EgressError> {
    let (mut prices, mut speeds): (Option<EgressTable>, Vec<speed::Pair>) = (None, Vec::new());
    for path in paths {
        let bytes = read_bytes(path, BYTES_MAX).map_err(EgressError::Read)?;
        if bytes.starts_with(speed::PARQUET) {
            speeds.extend(speed::parquet(bytes, path)?);
            continue;
        }
        let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { unpacked(path, &bytes)? } else { bytes };
        let text = into_text(path, bytes).map_err(EgressError::Read)?;
        if speed::is_speeds(&text) {
            speeds.extend(speed::csv(&text, path)?);
            continue;
        }
        let table = parse(&text, path)?;
        prices = Some(match prices {
            None => table,
            Some(first) => both(&first, &table, path)?,
        });
    }
    let bad = |what: &str| EgressError::Header {
        path: paths.first().cloned().unwrap_or_default(),
        what: what.to_owned(),
    };
    let prices = prices.ok_or_else(|| {
        bad("it says how fast data moves, and no other file says what that costs")
    })?;
    if speeds.is_empty() {
        return Ok(prices);
    }
    prices.with_speeds(&speeds).ok_or_else(|| bad("it has too many rows"))
}

/// The rows of one table and after them those of another.
fn both(first: &EgressTable, then: &EgressTable, path: &Path) -> Result<EgressTable, EgressError> {
    let (ours, theirs) = (first.currency(), then.currency());
    let rows = first.rows().iter().chain(then.rows()).cloned().collect();
    EgressTable::new(ours, rows).ok_or_else(|| EgressError::Header {
        path: path.to_owned(),
        what: format!("its prices are in {theirs}, and those before in {ours}: use one currency"),
    })
}

fn unpacked(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, EgressError> {
    let packed = |what: String| EgressError::Packed { path: path.to_owned(), what };
    let mut inside = Vec::new();
    let mut reader = MultiGzDecoder::new(bytes).take(BYTES_MAX + 1);
    reader.read_to_end(&mut inside).map_err(|error| packed(error.to_string()))?;
    if inside.len() as u64 > BYTES_MAX {
        return Err(packed(format!("there are more than {BYTES_MAX} bytes in it")));
    }
    Ok(inside)
}

/// Reads a table from a text that `path` names in messages. Lines that begin with `#` are comments.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, path: &Path) -> Result<EgressTable, EgressError> {
    let bad_header = |what: String| EgressError::Header { path: path.to_owned(), what };
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| bad_header(error.to_string()))?.clone();
    let header: Vec<&str> = header.iter().collect();
    let pairs = header == PAIRS;
    if !pairs {
        columns(&header).map_err(bad_header)?;
    }
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut currency = None;
    for record in reader.records() {
        let read = match &record {
            Ok(record) => {
                let cell = |name: &str| {
                    let at = header.iter().position(|column| *column == name);
                    at.and_then(|at| record.get(at)).unwrap_or_default()
                };
                let read = if pairs { pair(cell) } else { row(cell) };
                read.and_then(|row| one_currency(&mut currency, row))
            }
            Err(error) => Err(error.to_string()),
        };
        let line = match &record {
            Ok(record) => record.position().map_or(0, csv::Position::line),
            Err(error) => error.position().map_or(0, csv::Position::line),
        };
        match read {
            Ok(row) => rows.push(row),
            Err(what) => faults.push(format!("{}:{line}: {what}", path.display())),
        }
    }
    told(faults, path)?;
    EgressTable::new(currency.unwrap_or(Currency::USD), rows)
        .ok_or_else(|| bad_header("it has too many rows".to_owned()))
}

/// The first faults and how many more there are, if there are any.
fn told(mut faults: Vec<String>, path: &Path) -> Result<(), EgressError> {
    let more = faults.len().saturating_sub(FAULTS_MAX);
    faults.truncate(FAULTS_MAX);
    if more > 0 {
        faults.push(format!("{}: and {more} more rows like these", path.display()));
    }
    if faults.is_empty() { Ok(()) } else { Err(EgressError::Rows(faults)) }
}

/// Refuses columns that are not known, stand twice or are missing.
fn columns(header: &[&str]) -> Result<(), String> {
    for (at, name) in header.iter().enumerate() {
        if !COLUMNS.contains(name) {
            return Err(format!("unknown column `{name}`{}", suggestion(name, &COLUMNS)));
        }
        if header[..at].contains(name) {
            return Err(format!("the column `{name}` stands twice"));
        }
    }
    let missing = COLUMNS[..REQUIRED].iter().find(|column| !header.contains(column));
    match missing {
        Some(column) => Err(format!(
            "the column `{column}` is missing; expected {}",
            COLUMNS[..REQUIRED].join(",")
        )),
        None => Ok(()),
    }
}

fn one_currency(currency: &mut Option<Currency>, row: EgressRow) -> Result<EgressRow, String> {
    let this = row.price_per_gb.currency();
    let first = *currency.get_or_insert(this);
    if first == this {
        return Ok(row);
    }
    Err(format!("is in {this}, and the rows before it are in {first}: use one currency"))
}

fn row<'c>(cell: impl Fn(&str) -> &'c str) -> Result<EgressRow, String> {
    let name = |column: &str| Some(cell(column)).filter(|text| !text.is_empty());
    let provider = |column: &str| name(column).map(str::to_lowercase);
    let currency = match cell("currency") {
        "" => Currency::USD,
        code => code.parse().map_err(|error: farthing_model::MoneyError| error.to_string())?,
    };
    let price_per_gb = match cell("price_per_gb") {
        "" => {
            let what = "`price_per_gb` is missing: write 0 for what is free, and leave out the \
                        row for what is not known";
            return Err(what.to_owned());
        }
        text => price(text, currency)?,
    };
    let up_to_bytes = match cell("up_to_gb") {
        "" => None,
        // 10^-9 of a GB is a byte.
        text => Some(positive("up_to_gb", text)?)
            .map(|gb| u64::try_from(gb.nano()))
            .transpose()
            .map_err(|_| {
                format!("`up_to_gb`: `{text}` is too large; leave it empty for no limit")
            })?,
    };
    let gbit_per_s = match cell("gbit_per_s") {
        "" => None,
        text => Some(positive("gbit_per_s", text)?),
    };
    let (from_region, to_region) = (name("from_region"), name("to_region"));
    Ok(EgressRow {
        from_provider: provider("from_provider"),
        from_region: from_region.map(str::to_owned),
        to_provider: provider("to_provider"),
        to_region: to_region.map(str::to_owned),
        up_to_bytes,
        price_per_gb,
        gbit_per_s,
    })
}

fn pair<'c>(cell: impl Fn(&str) -> &'c str) -> Result<EgressRow, String> {
    let place = |column: &str| {
        let (provider, region) = region(column, cell(column))?;
        Ok::<_, String>((Some(provider), Some(region)))
    };
    let (from_provider, from_region) = place("src")?;
    let (to_provider, to_region) = place("dest")?;
    Ok(EgressRow {
        from_provider,
        from_region,
        to_provider,
        to_region,
        up_to_bytes: None,
        price_per_gb: price(cell("cost"), Currency::USD)?,
        gbit_per_s: None,
    })
}

/// Provider and region of a name such as aws:us-east-1.
fn region(column: &str, text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((provider, region)) if !provider.is_empty() && !region.is_empty() => {
            let provider = provider.to_lowercase();
            let region = if provider == "gcp" { without_zone(region) } else { region };
            Ok((provider, region.to_owned()))
        }
        _ => Err(format!("`{column}`: `{text}` is not a region such as aws:us-east-1")),
    }
}

/// Skyplane names a zone of GCP, such as us-west1-a, where data moves by the region.
fn without_zone(region: &str) -> &str {
    match region.rsplit_once('-') {
        Some((whole, zone)) if zone.len() == 1 && zone.starts_with(char::is_alphabetic) => whole,
        _ => region,
    }
}

fn price(text: &str, currency: Currency) -> Result<Money, String> {
    let money =
        Money::from_decimal(text, currency).map_err(|error| format!("the price: {error}"))?;
    if money.is_negative() { Err(format!("the price `{text}` is below zero")) } else { Ok(money) }
}

fn positive(column: &str, text: &str) -> Result<Decimal, String> {
    match text.parse::<Decimal>() {
        Ok(number) if number.is_positive() => Ok(number),
        Ok(_) => Err(format!("`{column}`: `{text}` must be above zero")),
        Err(error) => Err(format!("`{column}`: {error}")),
    }
}

#[cfg(test)]
mod tests;
