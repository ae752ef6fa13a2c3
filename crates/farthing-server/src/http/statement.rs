//! `/api/v1/cost`: query parameters to a statement.

use super::parameters::Parameters;
use super::problem::Problem;
use crate::publish::View;
use farthing_ledger::{Basis, Key, Scope, ShareIdle, Sharing, StatementQuery};
use farthing_model::Window;
use jiff::{SignedDuration, Timestamp};

/// The parameters.
pub(super) const PARAMETERS: [&str; 8] =
    ["window", "by", "filter", "share_idle", "idle_by", "share", "basis", "resource"];

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

/// The query of parameters, for books as of `now`.
pub(super) fn query(
    view: &View,
    now: Timestamp,
    parameters: &Parameters,
) -> Result<StatementQuery, Problem> {
    let from = now.checked_sub(WINDOW_DEFAULT).unwrap_or(Timestamp::MIN);
    let last = Window::starting(from, WINDOW_DEFAULT);
    let window = parameters.window("window", now)?.or(last);
    let none = || Problem::parameter("window", "there is no time before the first", []);
    let by = parameters.list("by", str::parse)?;
    Ok(StatementQuery {
        clusters: vec![view.about.cluster.clone()],
        window: window.ok_or_else(none)?,
        currency: view.about.currency,
        by: by.unwrap_or_else(|| vec![Key::Team]),
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
