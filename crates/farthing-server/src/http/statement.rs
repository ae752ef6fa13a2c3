//! `/api/v1/cost`: query parameters to a statement.

use super::problem::Problem;
use crate::publish::View;
use farthing_ledger::{Key, ShareIdle, StatementQuery};
use farthing_model::{Resource, Window, parse_duration};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// The parameters.
const PARAMETERS: [&str; 4] = ["window", "by", "share_idle", "resource"];

/// What a statement covers when nothing else is asked for.
const WINDOW_DEFAULT: SignedDuration = SignedDuration::from_hours(1);

/// A year and a leap day: more is a job for the command line, which nobody waits for in a browser.
const WINDOW_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);

const SHARES: [(&str, ShareIdle); 3] = [
    ("separate", ShareIdle::Separate),
    ("even", ShareIdle::Even),
    ("proportional", ShareIdle::Proportional),
];

/// The query of parameters, for books as of `now`.
pub(super) fn query(
    view: &View,
    now: Timestamp,
    parameters: Vec<(String, String)>,
) -> Result<StatementQuery, Problem> {
    let mut values: BTreeMap<&'static str, String> = BTreeMap::new();
    for (name, value) in parameters {
        let Some(known) = PARAMETERS.into_iter().find(|known| *known == name) else {
            let detail = format!("there is no parameter `{name}`: {}", PARAMETERS.join(", "));
            return Err(Problem::parameter(&name, detail, PARAMETERS));
        };
        if values.insert(known, value).is_some() {
            let detail = format!("`{name}` is given twice; separate several values by commas");
            return Err(Problem::parameter(&name, detail, []));
        }
    }
    let value = |name| values.get(name).map(String::as_str);
    Ok(StatementQuery {
        cluster: view.about.cluster.clone(),
        window: window(value("window"), now)?,
        currency: view.about.currency,
        by: value("by").map_or_else(|| Ok(vec![Key::Team]), keys)?,
        share_idle: value("share_idle").map_or(Ok(ShareIdle::Separate), share)?,
        resources: value("resource").map(resources).transpose()?,
    })
}

/// `1h` before now, or `FROM/TO`.
fn window(text: Option<&str>, now: Timestamp) -> Result<Window, Problem> {
    let wrong = |detail: String| {
        Problem::parameter("window", detail, ["90m", "1h", "7d", "FROM/TO in RFC 3339"])
    };
    let window = match text {
        None => Window::starting(back(now, WINDOW_DEFAULT), WINDOW_DEFAULT),
        Some(text) if text.contains('/') => {
            let (from, to) = text.split_once('/').unwrap_or_default();
            let at = |text: &str| text.parse::<Timestamp>().ok();
            at(from).zip(at(to)).and_then(|(from, to)| Window::new(from, to).ok())
        }
        Some(text) => parse_duration(text)
            .filter(|length| *length <= WINDOW_MAX)
            .and_then(|length| Window::starting(back(now, length), length)),
    };
    let Some(window) = window else {
        let text = text.unwrap_or_default();
        return Err(wrong(format!(
            "`{text}` is not a span such as 90m, 1h or 7d (366d at most), or two times FROM/TO"
        )));
    };
    if window.duration() > WINDOW_MAX {
        return Err(wrong(format!("{window} is longer than 366 days")));
    }
    Ok(window)
}

fn back(now: Timestamp, length: SignedDuration) -> Timestamp {
    now.checked_sub(length).unwrap_or(Timestamp::MIN)
}

/// A list separated by commas; each value once.
fn list<T: Copy + PartialEq>(
    name: &str,
    text: &str,
    allowed: &[(&'static str, T)],
) -> Result<Vec<T>, Problem> {
    let names = || allowed.iter().map(|(name, _)| *name);
    let mut values: Vec<T> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let Some((_, value)) = allowed.iter().find(|(known, _)| *known == part) else {
            let all: Vec<&str> = names().collect();
            let detail = format!("`{part}` is not one of {}", all.join(", "));
            return Err(Problem::parameter(name, detail, names()));
        };
        if values.contains(value) {
            return Err(Problem::parameter(name, format!("`{part}` is there twice"), names()));
        }
        values.push(*value);
    }
    Ok(values)
}

fn keys(text: &str) -> Result<Vec<Key>, Problem> {
    list("by", text, &Key::ALL.map(|key| (key.name(), key)))
}

fn resources(text: &str) -> Result<Vec<Resource>, Problem> {
    list("resource", text, &Resource::ALL.map(|resource| (resource.name(), resource)))
}

fn share(text: &str) -> Result<ShareIdle, Problem> {
    let known = SHARES.into_iter().find(|(name, _)| *name == text);
    known.map(|(_, share)| share).ok_or_else(|| {
        let detail = format!("`{text}` is not separate, even or proportional");
        Problem::parameter("share_idle", detail, SHARES.map(|(name, _)| name))
    })
}
