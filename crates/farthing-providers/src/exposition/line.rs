//! One line, split into what it says.

use super::{Limits, Series, What, shown};
use memchr::{memchr2, memchr3};

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Nothing but white space.
    Empty,
    /// A comment, with or without a meaning.
    Comment(Comment<'a>),
    /// A sample of a series.
    Sample(Sample<'a>),
}

/// A line that starts with `#`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comment<'a> {
    /// `# TYPE name kind`.
    Type(&'a [u8], &'a [u8]),
    /// `# UNIT name unit`.
    Unit(&'a [u8], &'a [u8]),
    /// `# HELP name text`.
    Help(&'a [u8], &'a [u8]),
    /// `# EOF`: an `OpenMetrics` text ends here.
    Eof,
    /// Anything else.
    Other,
}

/// A sample, as slices of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Name and labels as written: the same bytes are the same series.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// The time, where the line says one.
    pub time: Option<&'a [u8]>,
    /// What follows ` # `: an example of what was counted.
    pub exemplar: Option<&'a [u8]>,
}

/// Splits a line without its line feed.
///
/// # Errors
/// It is neither empty, a comment nor a sample.
pub fn split(line: &[u8]) -> Result<Line<'_>, What> {
    let line = line.trim_ascii();
    match line {
        [] => Ok(Line::Empty),
        [b'#', rest @ ..] => Ok(Line::Comment(comment(rest))),
        _ => {
            let key = &line[..key_len(line)?];
            Sample::behind(key, &line[key.len()..]).map(Line::Sample)
        }
    }
}

fn comment(rest: &[u8]) -> Comment<'_> {
    let (word, rest) = word(rest);
    if word == b"EOF" && rest.trim_ascii().is_empty() {
        return Comment::Eof;
    }
    let (name, text) = self::word(rest);
    let text = text.trim_ascii();
    match word {
        b"TYPE" => Comment::Type(name, text),
        b"UNIT" => Comment::Unit(name, text),
        b"HELP" => Comment::Help(name, text),
        _ => Comment::Other,
    }
}

/// The first word and what follows it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    text.split_at(memchr2(b' ', b'\t', text).unwrap_or(text.len()))
}

/// How many bytes of a line name its series.
fn key_len(line: &[u8]) -> Result<usize, What> {
    let end = memchr3(b'{', b' ', b'\t', line).unwrap_or(line.len());
    let brace = match line.get(end) {
        Some(b'{') => Some(end),
        // White space is allowed between name and labels.
        Some(_) => {
            let rest = &line[end..];
            let gap = rest.len() - rest.trim_ascii_start().len();
            (line.get(end + gap) == Some(&b'{')).then_some(end + gap)
        }
        None => None,
    };
    match brace {
        None => Ok(end),
        Some(open) => labels_len(&line[open..]).map(|len| open + len).ok_or_else(|| What::Labels {
            text: shown(&line[open..]),
            why: "the labels have no end: `}` is missing, or a quote",
        }),
    }
}

/// How many bytes the labels take, from `{` to `}`.
fn labels_len(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'}', &text[at..])?;
        if text[at] == b'}' {
            return Some(at + 1);
        }
        at += 1 + quoted_len(&text[at + 1..])? + 1;
    }
}

/// How many bytes stand before the quote that closes a text.
pub(super) fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at > text.len() {
            return None;
        }
    }
}

impl<'a> Sample<'a> {
    /// The sample of a series whose key is known, from the bytes behind the key.
    ///
    /// # Errors
    /// No value, or something that is neither time nor exemplar behind it.
    pub fn behind(key: &'a [u8], rest: &'a [u8]) -> Result<Self, What> {
        let (value, rest) = word(rest);
        if value.is_empty() {
            return Err(What::NoValue(shown(key)));
        }
        let (time, rest) = word(rest);
        if time.is_empty() {
            return Ok(Self { key, value, time: None, exemplar: None });
        }
        if time == b"#" {
            return Ok(Self { key, value, time: None, exemplar: Some(rest.trim_ascii()) });
        }
        let exemplar = match rest.trim_ascii() {
            [] => None,
            [b'#', exemplar @ ..] => Some(exemplar.trim_ascii()),
            more => return Err(What::Trailing(shown(more))),
        };
        Ok(Self { key, value, time: Some(time), exemplar })
    }

    /// The name and the labels.
    ///
    /// # Errors
    /// They do not parse, or are more than the limits allow.
    pub fn series(&self, limits: &Limits) -> Result<Series<'a>, What> {
        Series::parse(self.key, limits)
    }
}
