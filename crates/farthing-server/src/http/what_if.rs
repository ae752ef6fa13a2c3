//! What if: another plan for the world of now, of which nothing is recorded; and other choices for
//! a window of the past, as the books have it.

use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::{last, reads, unread};
use super::seen::unreadable;
use crate::scope::Scoped;
use crate::wire;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use farthing_engine::Changes;
use farthing_ledger::Choice;
use farthing_model::{BudgetId, Limit, Purchase, Ratio, Resource};
use jiff::SignedDuration;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Changes that are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhatIfAsked {
    /// Budget -> another limit in money.
    #[serde(default)]
    limits: BTreeMap<String, String>,
    #[serde(default)]
    without_providers: Vec<String>,
    #[serde(default)]
    without_spot: bool,
}

/// The plan of now beside the policies of old.
pub(super) async fn now(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    answer(&scoped, Changes::default()).await
}

/// The plan with something else in the world.
pub(super) async fn changed(
    scoped: Scoped,
    asked: Result<Json<WhatIfAsked>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(asked) = asked.map_err(|error| unreadable(&error))?;
    reads(&scoped)?;
    let mut limits = Vec::new();
    let view = scoped.view();
    for (name, text) in &asked.limits {
        let wrong = |why: String| Problem::content(format!("`limits.{name}` is wrong: {why}"));
        let id = BudgetId::new(name).map_err(|error| wrong(error.to_string()))?;
        let there = view.exposures.iter().any(|exposure| exposure.state.budget.id == id);
        if !there {
            return Err(wrong("there is no such budget".to_owned()));
        }
        let limit = text.parse().map_err(|error: farthing_model::MoneyError| {
            wrong(format!("{error}; write it like 1500 USD"))
        })?;
        limits.push((id, Limit::Money(limit)));
    }
    let changes = Changes {
        limits,
        without_providers: asked.without_providers,
        without_spot: asked.without_spot,
    };
    answer(&scoped, changes).await
}

async fn answer(scoped: &Scoped, changes: Changes) -> Result<Response, Problem> {
    let view = scoped.view();
    last(&view)?;
    let made = scoped.otherwise(changes).await.map_err(unread)?;
    let made = made.ok_or_else(|| {
        let mode = view.about.policy.mode.name();
        Problem::not_now("no-plan", format!("nothing was planned yet (mode {mode})"), 5)
    })?;
    let plan = |planned| {
        let plan = wire::plan(planned, &made.offers, None);
        if view.partial { plan.of_a_part() } else { plan }
    };
    Ok(Json(plan(&made.planned).with_baselines(made.baselines.iter().map(plan))).into_response())
}

/// The parameters of the past.
pub(super) const HISTORY: [&str; 4] = ["window", "idle_after", "reserve", "limit"];

/// What it covers where nothing else is asked for.
const PAST: SignedDuration = SignedDuration::from_hours(24);
/// How soon a node without work may be given back.
const IDLE_AFTER: (SignedDuration, SignedDuration) =
    (SignedDuration::from_mins(1), SignedDuration::from_hours(7 * 24));
/// The most that may be kept free.
const RESERVE_MAX: Ratio = Ratio::from_ppm(950_000);
/// Rows and waits of a choice, where nothing is said and at most.
const ROWS: usize = 50;
const ROWS_MAX: usize = 1_000;

/// What a past window would have cost under other choices, beside what it did cost.
pub(super) async fn history(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let policy = &view.about.policy;
    let parameters = Parameters::of(&uri, &HISTORY)?;
    let window = parameters.past("window", now, PAST)?;
    let after = parameters.length("idle_after", IDLE_AFTER)?.unwrap_or(policy.idle_release);
    let limit = parameters.number("limit", 1..=ROWS_MAX)?.unwrap_or(ROWS);
    // Under its band's lower edge capacity is to be given back: so much is free at that edge.
    let usual = Ratio::ONE.minus(policy.bands.get(Resource::Gpu).threshold());
    let choices = [
        Choice::Release { after, idle_too: false },
        Choice::Release { after, idle_too: true },
        Choice::Reserve(reserve(&parameters)?.unwrap_or(usual).min(RESERVE_MAX)),
        Choice::Paid(Purchase::OnDemand),
        Choice::Paid(Purchase::Spot),
        Choice::Paid(Purchase::Reserved),
        Choice::Cheapest,
    ];
    let found = scoped.hindsight(window, &choices, policy.boot).await.map_err(unread)?;
    let of =
        wire::Hind { boot: policy.boot, spot: policy.spot.as_ref(), is_part: found.is_part, limit };
    Ok(Json(wire::hindsight(&found.hindsight, &found.deadlines, of)).into_response())
}

fn reserve(parameters: &Parameters) -> Result<Option<Ratio>, Problem> {
    let Some(text) = parameters.get("reserve") else { return Ok(None) };
    let read = text.trim().parse::<Ratio>().ok().filter(|read| *read <= RESERVE_MAX);
    read.map(Some).ok_or_else(|| {
        let detail = format!("`{text}` is not a share from 0 to 95 %");
        Problem::parameter("reserve", detail, ["0.2", "20%"])
    })
}
