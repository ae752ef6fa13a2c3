//! What a Prometheus answers, in JSON. Times and values stay the text that they are.

use crate::exposition::{TimeUnit, shown};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// An answer with series.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The series.
    pub series: Vec<Series>,
    /// What the server warns of, such as parts that are missing.
    pub warnings: Vec<String>,
}

/// One series of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// The metric.
    pub name: String,
    /// Its labels, sorted by name.
    pub labels: Vec<(String, String)>,
    /// Milliseconds since 1970, and the value as text.
    pub points: Vec<(i64, String)>,
}

/// Why bytes are not an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Nothing at all.
    #[error("the answer is empty")]
    Empty,
    /// A web page.
    #[error("the answer is a web page, not that of a Prometheus: is the address right?")]
    Page,
    /// Something else.
    #[error("the answer is not that of a Prometheus: {0}")]
    NotJson(String),
    /// The server refuses.
    #[error("{kind}: {what}")]
    Refused {
        /// Its kind of error, such as `execution`.
        kind: String,
        /// What it says.
        what: String,
    },
    /// A time that is not one.
    #[error("`{0}` is not a time")]
    Time(String),
}

#[derive(Deserialize)]
struct Wire<'a> {
    status: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(rename = "errorType", default)]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct WireData<'a> {
    #[serde(borrow)]
    result: Vec<WireSeries<'a>>,
}

#[derive(Deserialize)]
struct WireSeries<'a> {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(borrow, default)]
    values: Vec<(&'a RawValue, String)>,
    #[serde(borrow)]
    value: Option<(&'a RawValue, String)>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// It is something else, or the server refuses.
    pub fn parse(bytes: &[u8]) -> Result<Self, AnswerError> {
        let wire = wire(bytes)?;
        let warnings = wire.warnings.iter().map(|warning| one_line(warning)).collect();
        let mut answer = Self { series: Vec::new(), warnings };
        let Some(data) = wire.data else { return Ok(answer) };
        let data: WireData<'_> = serde_json::from_str(data.get()).map_err(not_json)?;
        for mut found in data.result {
            let name = found.metric.remove("__name__").unwrap_or_default();
            let mut points = Vec::with_capacity(found.values.len());
            for (time, value) in found.values.into_iter().chain(found.value) {
                let at = TimeUnit::Seconds.read_as(time.get().as_bytes());
                let at = at.map_err(|_| AnswerError::Time(shown(time.get().as_bytes())))?;
                points.push((at, value));
            }
            answer.series.push(Series { name, labels: found.metric.into_iter().collect(), points });
        }
        Ok(answer)
    }

    /// Reads a list of names.
    pub(super) fn names(bytes: &[u8]) -> Result<Vec<String>, AnswerError> {
        let data = wire(bytes)?.data;
        data.map_or(Ok(Vec::new()), |data| serde_json::from_str(data.get()).map_err(not_json))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
fn not_json(error: serde_json::Error) -> AnswerError {
    AnswerError::NotJson(one_line(&error.to_string()))
}

/// Foreign text, fit for a message of one line.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

fn wire(bytes: &[u8]) -> Result<Wire<'_>, AnswerError> {
    let text = bytes.trim_ascii();
    if text.is_empty() {
        return Err(AnswerError::Empty);
    }
    if text.starts_with(b"<") {
        return Err(AnswerError::Page);
    }
    let wire: Wire<'_> = serde_json::from_slice(text).map_err(not_json)?;
    if wire.status == "success" {
        return Ok(wire);
    }
    let kind = if wire.error_type.is_empty() { wire.status } else { wire.error_type };
    Err(AnswerError::Refused { kind: one_line(&kind), what: one_line(&wire.error) })
}
