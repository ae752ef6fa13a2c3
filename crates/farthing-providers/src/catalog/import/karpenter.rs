//! The price table that Karpenter generates: Go source with one map of prices for each region.
//!
//! ```text
//! // generated at 2026-01-19T13:23:24Z for us-east-1
//! var InitialOnDemandPricesAWS = map[string]map[ec2types.InstanceType]float64{
//!     "us-east-1": {
//!         // a1 family
//!         "a1.2xlarge": 0.204000, "a1.4xlarge": 0.408000,
//! ```
//!
//! Only three things are read, so that other generations of the file are too: a text before a
//! number is a machine and its price, any other text before a brace or in brackets is a region, and
//! a comment says the day (and the region, where older files have no map of regions). It holds
//! prices only; the size of a machine comes from another source, or is not known and said so.

use crate::catalog::error::BookError;
use crate::catalog::intake::{Intake, Machine, Seen};
use crate::catalog::number;
use crate::catalog::row::RowError;
use farthing_model::offer_table::Row;
use farthing_model::{Currency, PriceKind, Purchase};
use jiff::civil::Date;
use std::path::Path;

/// What is said of a machine whose size no source states.
pub(crate) const NO_SIZE: &str = "its size is not in the price book";

/// Whether a text is Go source with prices.
pub(crate) fn is_table(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("package ")) && text.contains("float64{")
}

/// A piece of Go source that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'t> {
    Text(&'t str),
    Number(&'t str),
    Comment(&'t str),
    Mark(char),
}

/// Reads a table. `day` is that of the file, where no comment states one.
///
/// # Errors
/// A text or comment that does not end, or no price at all.
pub(crate) fn read(
    path: &Path,
    text: &str,
    day: Date,
    intake: &mut Intake,
) -> Result<(), BookError> {
    let mut table = Table { region: None, seen: (day, false), rows: 0 };
    let mut last: [Option<Token<'_>>; 2] = [None; 2];
    let mut tokens = Tokens { rest: text, line: 1 };
    while let Some(token) = tokens.next_token().map_err(|what| BookError::Source {
        path: path.to_owned(),
        line: tokens.line,
        what,
    })? {
        match (last, token) {
            ([Some(Token::Text(name)), Some(Token::Mark(':'))], Token::Number(price)) => {
                let line = u64::try_from(tokens.line).unwrap_or(u64::MAX);
                if let Err(what) = table.add(path, name, price, intake) {
                    intake.fault(path, line, what.to_string());
                }
            }
            ([Some(Token::Text(region)), Some(Token::Mark(':'))], Token::Mark('{'))
            | ([Some(Token::Mark('[')), Some(Token::Text(region))], Token::Mark(']')) => {
                table.region = Some(region.to_owned());
            }
            (_, Token::Comment(comment)) => {
                table.comment(comment);
                continue;
            }
            _ => {}
        }
        last = [last[1], Some(token)];
    }
    if table.rows == 0 {
        let what = "is Go source without a price; expected \"m5.large\": 0.096 in a map".to_owned();
        return Err(BookError::Source { path: path.to_owned(), line: 1, what });
    }
    Ok(())
}

/// The state between the lines of a table.
struct Table {
    region: Option<String>,
    seen: (Date, bool),
    rows: u64,
}

impl Table {
    /// `generated at 2026-01-19T13:23:24Z for us-east-1`
    fn comment(&mut self, comment: &str) {
        let Some((_, rest)) = comment.split_once("generated at ") else { return };
        let mut words = rest.split_whitespace();
        let day = words.next().and_then(|time| time.get(..10)).and_then(|day| day.parse().ok());
        if let Some(day) = day {
            self.seen = (day, true);
        }
        if let (Some("for"), Some(region)) = (words.next(), words.next()) {
            self.region = Some(region.to_owned());
        }
    }

    fn add(
        &mut self,
        path: &Path,
        name: &str,
        price: &str,
        intake: &mut Intake,
    ) -> Result<(), RowError> {
        self.rows += 1;
        let region = self.region.as_deref().ok_or(RowError::Missing(
            "region",
            "a map of regions, or a comment `generated at TIME for REGION`",
        ))?;
        let pico = number::price(price).map_err(|what| RowError::Cell("price", what))?;
        let provider = if name.starts_with("Standard_") { "azure" } else { "aws" };
        // Amazon's price list for China is in yuan.
        let code = if region.starts_with("cn-") { "CNY" } else { "USD" };
        let currency = code.parse::<Currency>();
        let currency = currency.map_err(|error| RowError::Cell("currency", error.to_string()))?;
        let shape = intake.shape(&Machine {
            provider,
            instance_type: name,
            accelerator: "",
            count: 0,
            cpu_milli: 0,
            memory_bytes: 0,
            storage_bytes: 0,
            arch: None,
            note: NO_SIZE,
        })?;
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let terms = intake.terms(&Seen {
            kind: PriceKind::List,
            source: &format!("Karpenter {}", file.unwrap_or_default()),
            as_of: self.seen.0,
            dated: self.seen.1,
            available: None,
        });
        let site = intake.site(provider, region, "")?;
        let currency = intake.currency(currency)?;
        let purchase = Purchase::OnDemand;
        intake.push(Row { site, shape, terms, currency, purchase, pico, was: None });
        Ok(())
    }
}

/// The tokens of Go source.
struct Tokens<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Tokens<'t> {
    fn next_token(&mut self) -> Result<Option<Token<'t>>, String> {
        let rest = self.rest.trim_start();
        self.line += self.rest[..self.rest.len() - rest.len()].matches('\n').count();
        let mut chars = rest.chars();
        let Some(first) = chars.next() else { return Ok(None) };
        let (token, len) = match first {
            '/' if rest.starts_with("//") => {
                let len = rest.find('\n').unwrap_or(rest.len());
                (Token::Comment(&rest[2..len]), len)
            }
            '/' if rest.starts_with("/*") => {
                let len = rest.find("*/").ok_or("a comment does not end")?;
                (Token::Comment(&rest[2..len]), len + 2)
            }
            '"' => {
                let len = rest[1..].find(['"', '\n']).ok_or("a text does not end")?;
                if rest[1 + len..].starts_with('\n') {
                    return Err("a text does not end on its line".to_owned());
                }
                (Token::Text(&rest[1..=len]), len + 2)
            }
            '-' | '0'..='9' => {
                let len = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '.');
                let len = len.map_or(rest.len(), |len| len + 1);
                (Token::Number(&rest[..len]), len)
            }
            c if c.is_alphabetic() || c == '_' => {
                let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.');
                (Token::Mark('a'), len.unwrap_or(rest.len()))
            }
            c => (Token::Mark(c), c.len_utf8()),
        };
        self.line += rest[..len].matches('\n').count();
        self.rest = &rest[len..];
        Ok(Some(token))
    }
}
