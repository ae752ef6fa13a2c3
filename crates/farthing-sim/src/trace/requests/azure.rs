//! The Azure LLM inference trace: requests as they came.
//!
//! `ts` (or `TIMESTAMP`), a time; `context_tokens` (or `ContextTokens`) and `generated_tokens` (or
//! `GeneratedTokens`). Excerpts have `offset_ms`, milliseconds from the start, instead of a time.
//! Source: <https://github.com/Azure/AzurePublicDataset>, CC-BY-4.0.

use super::{ALL_PPM, Request, RequestStream, Sampled, tokens};
use crate::Random;
use crate::trace::jobs::UNDATED_S;
use crate::trace::jobs::cells::{Cell, Cells};
use crate::trace::jobs::source::{Columns, Source, within};
use crate::trace::table::TraceError;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use std::path::Path;

const COLUMNS: Columns = Columns {
    needed: &[],
    more: &[
        "ts",
        "TIMESTAMP",
        "offset_ms",
        "context_tokens",
        "ContextTokens",
        "generated_tokens",
        "GeneratedTokens",
    ],
    separator: b',',
};
/// Years in which there were such models: 2000 to 2100, in seconds since 1970.
const YEARS_S: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// Where the columns of a file are among those of [`COLUMNS`].
#[derive(Clone, Copy)]
struct Places {
    time: usize,
    input: usize,
    output: usize,
}

struct Requests {
    source: Source,
    places: Places,
    before_us: i64,
    share_ppm: u32,
    draw: Random,
    done: bool,
}

pub(super) fn open(path: &Path, sampled: Sampled<'_>) -> Result<RequestStream, TraceError> {
    let of = sampled.variant.map(|name| [format!("{name}.parquet"), format!("{name}.csv")]);
    let file = match &of {
        Some(names) => within(path, &[&names[0], &names[1]]),
        None => within(path, &["conv.parquet", "conv.csv", "code.parquet", "code.csv"]),
    };
    if let Some(name) = sampled.variant.filter(|_| file.is_dir() || path.is_file()) {
        let what = format!("it has no trace `{name}` (a file {name}.parquet or {name}.csv)");
        return Err(TraceError::Parquet { file: path.display().to_string(), what });
    }
    let source = Source::open(&file, COLUMNS)?;
    let one_of = |names: &[&'static str]| {
        let there = names.iter().find(|name| source.has(name));
        let at = |name: &&str| COLUMNS.more.iter().position(|other| other == name);
        there.and_then(at).ok_or_else(|| {
            let all = "ts, context_tokens, generated_tokens";
            source.fault(format!("there is no column `{}`; the columns are {all}", names[0]))
        })
    };
    let places = Places {
        time: one_of(&["ts", "TIMESTAMP", "offset_ms"])?,
        input: one_of(&["context_tokens", "ContextTokens"])?,
        output: one_of(&["generated_tokens", "GeneratedTokens"])?,
    };
    let mut requests = Requests {
        source,
        places,
        before_us: i64::MIN,
        share_ppm: sampled.share_ppm,
        draw: Random::new(sampled.seed).fork("requests"),
        done: false,
    };
    let first = requests.next();
    match first {
        None => Err(requests.source.fault("it has no rows".to_owned())),
        first => Ok(Box::new(first.into_iter().chain(requests))),
    }
}

impl Requests {
    fn row(&mut self) -> Result<Request, String> {
        let cells = &self.source.cells;
        let at_us = moment_us(cells, self.places.time)?;
        if at_us < self.before_us {
            let what = "sort the rows by time";
            return Err(format!("a request before the one in the row above: {what}"));
        }
        self.before_us = at_us;
        let kind = "a number of tokens";
        Ok(Request {
            at_us,
            input_tokens: tokens("context_tokens", cells.whole(self.places.input, kind)?)?,
            output_tokens: tokens("generated_tokens", cells.whole(self.places.output, kind)?)?,
        })
    }
}

/// The time in a column, in microseconds since 1970.
fn moment_us(cells: &Cells, at: usize) -> Result<i64, String> {
    let name = cells.names[at];
    let at_us = match &cells.values[at] {
        Cell::Micros(us) => *us,
        _ if name == "offset_ms" => {
            let ms = cells.whole(at, "a number of milliseconds")?;
            ms.saturating_mul(1_000).saturating_add(UNDATED_S * 1_000_000)
        }
        Cell::Text(text) => {
            let text = text.trim();
            let civil = || text.parse::<DateTime>().ok();
            let utc = |civil: DateTime| Offset::UTC.to_timestamp(civil).ok();
            let time = text.parse::<Timestamp>().ok().or_else(|| civil().and_then(utc));
            let wrong = || format!("{name} `{text}` is no time such as 2023-11-16 18:17:03.97");
            time.ok_or_else(wrong)?.as_microsecond()
        }
        _ => return Err(format!("{name} is no time such as 2023-11-16 18:17:03.97")),
    };
    if !YEARS_S.contains(&at_us.div_euclid(1_000_000)) {
        let seconds = at_us.div_euclid(1_000_000);
        return Err(format!("{name}: {seconds} s since 1970 is in no year from 2000 to 2100"));
    }
    Ok(at_us)
}

impl Iterator for Requests {
    type Item = Result<Request, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            match self.source.advance() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
            match self.row() {
                Ok(request) if self.share_ppm >= ALL_PPM || self.draw.chance(self.share_ppm) => {
                    return Some(Ok(request));
                }
                Ok(_) => {}
                Err(what) => {
                    self.done = true;
                    return Some(Err(self.source.error(what)));
                }
            }
        }
        self.done = true;
        None
    }
}
