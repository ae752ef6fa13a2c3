//! `/api/v1/cost`: query parameters to a statement.

use super::parameters::Parameters;
use super::problem::Problem;
use crate::publish::View;
use farthing_ledger::{Basis, Key, Scope, ShareIdle, Sharing, StatementQuery};
use farthing_model::Window;
use jiff::{SignedDuration, Timestamp};

/// The parameters.
pub(super) const PARAMETERS: [&str; 9] =
    ["window", "by", "step", "filter", "share_idle", "idle_by", "share", "basis", "resource"];

/// What a statement covers when nothing else is asked for.
const WINDOW_DEFAULT: SignedDuration = SignedDuration::from_hours(1);

const SHARES: [(&str, ShareIdle); 3] = [
    ("separate", ShareIdle::Separate),
    ("even", ShareIdle::Even),
    ("proportional", ShareIdle::Proportional),
];

const SCOPES: [(&str, Scope); 3] =
    [("place", Scope::Place), ("cluster", Scope::Cluster), ("node", Scope::Node)];

const BASES: [(&str, Basis); 3] =
    [("reserved", Basis::Reserved), ("occupied", Basis::Occupied), ("used", Basis::Used)];

/// What cuts time, where that is asked for.
pub(super) const STEPS: [(&str, Key); 4] =
    [("1h", Key::Hour), ("hour", Key::Hour), ("1d", Key::Day), ("day", Key::Day)];

/// The window that is asked for, or the last hour.
pub(super) fn window(parameters: &Parameters, now: Timestamp) -> Result<Window, Problem> {
    let from = now.checked_sub(WINDOW_DEFAULT).unwrap_or(Timestamp::MIN);
    let last = Window::starting(from, WINDOW_DEFAULT);
    let none = || Problem::parameter("window", "there is no time before the first", []);
    parameters.window("window", now)?.or(last).ok_or_else(none)
}

/// The keys, with that of the step before them.
fn by(parameters: &Parameters) -> Result<Vec<Key>, Problem> {
    let mut by = parameters.list("by", str::parse)?.unwrap_or_else(|| vec![Key::Team]);
    if let Some(step) = parameters.one_of("step", &STEPS)? {
        by.retain(|key| *key != step);
        by.insert(0, step);
    }
    Ok(by)
}

/// The query of parameters, for books as of `now`.
pub(super) fn query(
    view: &View,
    now: Timestamp,
    parameters: &Parameters,
) -> Result<StatementQuery, Problem> {
    let by = by(parameters)?;
    Ok(StatementQuery {
        clusters: vec![view.about.cluster.clone()],
        window: window(parameters, now)?,
        currency: view.about.currency,
        by,
        filter: parameters.filter("filter")?,
        resources: parameters.resources("resource")?,
        basis: parameters.one_of("basis", &BASES)?.unwrap_or_default(),
        sharing: Sharing {
            idle: parameters.one_of("share_idle", &SHARES)?.unwrap_or_default(),
            scope: parameters.one_of("idle_by", &SCOPES)?.unwrap_or_default(),
            common: parameters.filter("share")?,
            ..Sharing::default()
        },
    })
}
