//! The name and the labels of a series.

use super::line::quoted_len;
use super::{Limits, What, shown};
use std::borrow::Cow;

/// A series: what is measured, of what. Names and values are text, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series<'a> {
    /// The metric.
    pub name: Cow<'a, str>,
    /// The labels, in the order they were written.
    pub labels: Labels<'a>,
}

/// Label names with their values.
pub type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

impl<'a> Series<'a> {
    /// Reads `name{label="value",...}`, `name`, or `{"name",label="value"}` where a name is not of
    /// letters, digits, `_` and `:` alone.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(key: &'a [u8], limits: &Limits) -> Result<Self, What> {
        let text = std::str::from_utf8(key).map_err(|_| What::NotText)?;
        let (name, list) = match text.split_once('{') {
            Some((name, list)) => (name.trim_end(), Some(list)),
            None => (text, None),
        };
        let in_quotes = name.is_empty() && list.is_some();
        if !is_name(name) && !in_quotes {
            return Err(What::Name(shown(key)));
        }
        let mut series = Self { name: Cow::Borrowed(name), labels: Vec::new() };
        if let Some(list) = list {
            series.read_list(list, limits)?;
        }
        if series.name.is_empty() {
            return Err(What::Name(shown(key)));
        }
        Ok(series)
    }

    /// The value of a label; empty is as good as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }

    fn read_list(&mut self, list: &'a str, limits: &Limits) -> Result<(), What> {
        let mut rest = list.trim_start();
        loop {
            if let Some(behind) = rest.strip_prefix('}') {
                let more = behind.trim();
                return if more.is_empty() {
                    Ok(())
                } else {
                    Err(fault(more, "a space and a value follow the labels"))
                };
            }
            let (label, behind) = read_name(rest)?;
            let behind = behind.trim_start();
            if let Some(value) = behind.strip_prefix('=') {
                let value = value.trim_start();
                let quoted = value.strip_prefix('"');
                let quoted = quoted.ok_or_else(|| fault(value, "a value stands in quotes"))?;
                let (value, behind) = read_quoted(quoted)?;
                if self.labels.len() == limits.labels_max {
                    return Err(What::TooManyLabels(limits.labels_max));
                }
                if self.labels.iter().any(|(other, _)| *other == label) {
                    return Err(fault(rest, "the same label twice"));
                }
                self.labels.push((label, value));
                rest = behind.trim_start();
            } else if rest.starts_with('"') && self.name.is_empty() {
                // The name of the metric, in quotes.
                self.name = label;
                rest = behind;
            } else {
                return Err(fault(rest, "`=` and a value in quotes follow the name of a label"));
            }
            rest = match rest.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if rest.starts_with('}') => rest,
                None => return Err(fault(rest, "`,` or `}` follows a label")),
            };
        }
    }
}

fn fault(text: &str, why: &'static str) -> What {
    What::Labels { text: shown(text.as_bytes()), why }
}

/// Whether a metric may be called so without quotes.
fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(good)
}

/// The name of a label, plain or in quotes, and what follows.
fn read_name(text: &str) -> Result<(Cow<'_, str>, &str), What> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (name, rest) = read_quoted(quoted)?;
        return if name.is_empty() { Err(fault(text, "an empty name")) } else { Ok((name, rest)) };
    }
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let (name, rest) = text.split_at(text.find(|c| !good(c)).unwrap_or(text.len()));
    if is_name(name) {
        Ok((Cow::Borrowed(name), rest))
    } else {
        Err(fault(text, "a label's name is of letters, digits and `_`, or in quotes"))
    }
}

/// A text up to its closing quote, unescaped, and what follows the quote.
fn read_quoted(text: &str) -> Result<(Cow<'_, str>, &str), What> {
    let len =
        quoted_len(text.as_bytes()).ok_or_else(|| fault(text, "the closing quote is missing"))?;
    let (raw, rest) = (&text[..len], &text[len + 1..]);
    if !raw.contains('\\') {
        return Ok((Cow::Borrowed(raw), rest));
    }
    let mut plain = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(escaped @ ('\\' | '"')) => plain.push(escaped),
                // As Prometheus does: what is no escape stays as it is.
                Some(other) => plain.extend(['\\', other]),
                None => plain.push('\\'),
            },
            c => plain.push(c),
        }
    }
    Ok((Cow::Owned(plain), rest))
}
