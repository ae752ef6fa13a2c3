//! The query parameters of reports: read one by one, and refused where they are not known.

use super::problem::Problem;
use axum::extract::Query;
use axum::http::Uri;
use farthing_ledger::{Filter, period};
use farthing_model::{Resource, Window, parse_duration};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// A year and a leap day: more is a job for the command line, which nobody waits for in a browser.
const WINDOW_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);

/// The longest window of which every row is read.
const PAST_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);

/// The parameters of a request, each once.
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads those of a request; `known` are those that there are.
    pub(super) fn of(uri: &Uri, known: &[&'static str]) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|error| {
            Problem::parameter("query", format!("the query is not readable: {error}"), [])
        })?;
        let mut values = BTreeMap::new();
        for (name, value) in pairs.0 {
            let Some(known_as) = known.iter().find(|known| known.eq_ignore_ascii_case(&name))
            else {
                let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let detail = format!("there is no parameter `{name}`: {there}");
                return Err(Problem::parameter(&name, detail, known.iter().copied()));
            };
            if values.insert((*known_as).to_owned(), value).is_some() {
                let detail = format!("`{name}` is given twice; separate several values by commas");
                return Err(Problem::parameter(&name, detail, []));
            }
        }
        Ok(Self(values))
    }

    /// A value; an empty one is none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// One of the values that there are.
    pub(super) fn one_of<T: Clone>(
        &self,
        name: &str,
        values: &[(&'static str, T)],
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let found = values.iter().find(|(known, _)| known.eq_ignore_ascii_case(text.trim()));
        let names = || values.iter().map(|(known, _)| *known);
        found.map(|(_, value)| Some(value.clone())).ok_or_else(|| {
            let all: Vec<&str> = names().collect();
            let detail = format!("`{text}` is not one of {}", all.join(", "));
            Problem::parameter(name, detail, names())
        })
    }

    /// A whole number between two bounds.
    pub(super) fn number<N>(
        &self,
        name: &str,
        bounds: std::ops::RangeInclusive<N>,
    ) -> Result<Option<N>, Problem>
    where
        N: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(text) = self.get(name) else { return Ok(None) };
        let read = text.trim().parse().ok().filter(|number| bounds.contains(number));
        read.map(Some).ok_or_else(|| {
            let (from, to) = (bounds.start(), bounds.end());
            let detail = format!("`{text}` is not a whole number from {from} to {to}");
            Problem::parameter(name, detail, [])
        })
    }

    /// Yes or no; no where it is not given.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        let values = [("true", true), ("false", false), ("1", true), ("0", false)];
        Ok(self.one_of(name, &values)?.unwrap_or(false))
    }

    /// A list separated by commas; each value once.
    pub(super) fn list<T: PartialEq>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let mut values = Vec::new();
        for part in text.split(',').map(str::trim) {
            let value = read(part).map_err(|detail| Problem::parameter(name, detail, []))?;
            if values.contains(&value) {
                return Err(Problem::parameter(name, format!("`{part}` is there twice"), []));
            }
            values.push(value);
        }
        Ok(Some(values))
    }

    /// Resources by name.
    pub(super) fn resources(&self, name: &str) -> Result<Option<Vec<Resource>>, Problem> {
        self.list(name, str::parse)
    }

    /// A filter.
    pub(super) fn filter(&self, name: &str) -> Result<Option<Filter>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong =
            |error: farthing_ledger::FilterError| Problem::parameter(name, error.to_string(), []);
        text.parse().map(Some).map_err(wrong)
    }

    /// A span of time that is read row by row, as of `now`: so much where none is given, and a
    /// month at most.
    pub(super) fn past(
        &self,
        name: &str,
        now: Timestamp,
        usual: SignedDuration,
    ) -> Result<Window, Problem> {
        let from = now.checked_sub(usual).unwrap_or(Timestamp::MIN);
        let none = || Problem::parameter(name, "there is no time before the first", []);
        let window = self.window(name, now)?.or(Window::new(from, now).ok()).ok_or_else(none)?;
        if window.duration() > PAST_MAX {
            let detail = format!("{window} is longer than 31 days, which every row is read of");
            return Err(Problem::parameter(name, detail, ["24h", "7d", "31d"]));
        }
        Ok(window)
    }

    /// A length of time between two bounds.
    pub(super) fn length(
        &self,
        name: &str,
        (least, most): (SignedDuration, SignedDuration),
    ) -> Result<Option<SignedDuration>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let read = parse_duration(text).filter(|read| (least..=most).contains(read));
        read.map(Some).ok_or_else(|| {
            let detail = format!("`{text}` is not a length from {least:#} to {most:#}");
            Problem::parameter(name, detail, ["10m", "1h", "1d"])
        })
    }

    /// A span of time, as of `now`.
    pub(super) fn window(&self, name: &str, now: Timestamp) -> Result<Option<Window>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let examples = ["90m", "1h", "7d", "today", "FROM,TO in RFC 3339"];
        let wrong = |detail: String| Problem::parameter(name, detail, examples);
        let window = period(text, now).map_err(|error| wrong(error.to_string()))?;
        if window.duration() > WINDOW_MAX {
            return Err(wrong(format!("{window} is longer than 366 days")));
        }
        Ok(Some(window))
    }
}
