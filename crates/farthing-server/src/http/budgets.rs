//! Budgets as they stand, and the gate for whatever wants to spend.

use super::page;
use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::{last, reads, unread};
use super::seen::{Id, unreadable};
use super::steps::give;
use crate::orders::{Carried, Order};
use crate::scope::{Prospects, Scoped};
use crate::wire;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use farthing_engine::{Answer, Ask};
use farthing_model::{Decimal, Limit, LimitError, Money, TeamId, parse_duration};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// How long a reservation holds where nothing is said, and at most.
const HELD: SignedDuration = SignedDuration::from_hours(1);
const HELD_MAX: SignedDuration = farthing_engine::HOLD_MAX;
/// The longest that another limit is allowed for a while: a year.
const OVERRIDE_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);
/// The longest text that says what a reservation is for.
const WHAT_MAX: usize = 256;
/// Labels of a reservation, at most.
const LABELS_MAX: usize = 32;

/// Each budget: spent, committed, reserved, left, how it got there, and where it is going.
pub(super) async fn budgets(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let asked = page::Asked::of(&uri)?;
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let prospects = scoped.prospects(None, now).await.map_err(unread)?;
    let items = states(&prospects)?;
    Ok(Json(asked.page(items, |item| &item.budget)).into_response())
}

fn states(all: &Prospects) -> Result<Vec<wire::BudgetStateJson>, Problem> {
    let taken = wire::Taken { cuts: &all.cuts, reliefs: &all.reliefs };
    wire::budget_states(&all.exposures, &all.outlooks, taken)
        .map_err(|error| Problem::books(format!("the budgets: {error}")))
}

/// Teams and workloads whose last hours cost far more than those hours of past weeks.
pub(super) async fn anomalies(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let found = scoped.anomalies(now).await.map_err(unread)?;
    let items = found.into_iter().map(|(of, name, odd)| wire::AnomalyJson::of(of, name, &odd));
    Ok(Json(wire::PageJson { items: items.collect(), next: None }).into_response())
}

/// Limits that are tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsTried {
    /// Budget -> another limit.
    limits: BTreeMap<String, String>,
}

/// Each budget as it would stand with other limits; nothing is changed.
pub(super) async fn simulate(
    scoped: Scoped,
    tried: Result<Json<LimitsTried>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(tried) = tried.map_err(|error| unreadable(&error))?;
    reads(&scoped)?;
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let mut exposures = view.exposures.to_vec();
    for (name, text) in &tried.limits {
        let wrong = |why: &str| Problem::content(format!("`limits.{name}` is wrong: {why}"));
        let limit = limit(text).map_err(|why| wrong(&why))?;
        let found = exposures.iter_mut().find(|it| it.state.budget.id.as_str() == name);
        let found = found.ok_or_else(|| wrong("there is no such budget"))?;
        found.try_limit(limit).map_err(|why| wrong(&why))?;
    }
    let prospects = scoped.prospects(Some(exposures), now).await.map_err(unread)?;
    Ok(Json(wire::PageJson { items: states(&prospects)?, next: None }).into_response())
}

/// A limit that a person gives a budget.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitGiven {
    limit: String,
    why: String,
    /// How long; for good where nothing is said.
    #[serde(default, rename = "for")]
    length: Option<String>,
}

/// Changes the limit of a budget, for good or for a while.
pub(super) async fn change_limit(
    scoped: Scoped,
    Id(budget): Id,
    limited: Result<Json<LimitGiven>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(limited) = limited.map_err(|error| unreadable(&error))?;
    let wrong = |field: &str, why: &str| Problem::content(format!("`{field}` is wrong: {why}"));
    let held = match limited.length.as_deref() {
        None => None,
        Some(text) => {
            let held = parse_duration(text).filter(|held| *held <= OVERRIDE_MAX);
            Some(held.ok_or_else(|| wrong("for", "write it like 4h, at most 8784h"))?)
        }
    };
    let limit = limit(&limited.limit).map_err(|why| wrong("limit", &why))?;
    let order = Order::Limit { budget: budget.clone(), limit, held, why: limited.why };
    give(&scoped, order).await?;
    let text = limited.limit;
    Ok(Json(json!({ "budget": budget, "limit": text, "for": limited.length })).into_response())
}

/// A limit as manifests write it.
fn limit(text: &str) -> Result<Limit, String> {
    text.parse().map_err(|error: LimitError| error.to_string())
}

/// A reservation that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReservationWanted {
    estimate: String,
    #[serde(rename = "for")]
    what: String,
    #[serde(default)]
    team: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    gpu_hours: Option<String>,
    #[serde(default)]
    hold: Option<String>,
}

/// How a reservation ended.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReservationEnded {
    #[serde(default)]
    spent: Option<String>,
}

/// Reserves what is asked for, if it fits.
pub(super) async fn reserve(
    scoped: Scoped,
    wanted: Result<Json<ReservationWanted>, JsonRejection>,
) -> Result<Response, Problem> {
    let (ask, held) = asked(&scoped, wanted)?;
    let order = Order::Claim(Box::new(ask), held);
    match give(&scoped, order).await? {
        Carried::Answered(Answer::Granted(claim), at) => {
            let claim = wire::claim(&claim, at);
            Ok((StatusCode::CREATED, Json(claim)).into_response())
        }
        Carried::Answered(Answer::Refused(short), _) => {
            let why: Vec<String> = short.iter().map(ToString::to_string).collect();
            let budgets = short.iter().map(wire::short).collect();
            Err(Problem::over_budget(why.join("; "), budgets))
        }
        _ => Err(Problem::failed("there was no answer")),
    }
}

/// Says whether what is asked for would fit; nothing is reserved.
pub(super) async fn check(
    scoped: Scoped,
    wanted: Result<Json<ReservationWanted>, JsonRejection>,
) -> Result<Response, Problem> {
    let (ask, _) = asked(&scoped, wanted)?;
    let Carried::Checked { fits, checked } = give(&scoped, Order::Check(Box::new(ask))).await?
    else {
        return Err(Problem::failed("there was no answer"));
    };
    Ok(Json(wire::checked(fits, &checked)).into_response())
}

/// What is asked for, in the currency of the budgets, and how long it is to hold.
fn asked(
    scoped: &Scoped,
    wanted: Result<Json<ReservationWanted>, JsonRejection>,
) -> Result<(Ask, SignedDuration), Problem> {
    let Json(wanted) = wanted.map_err(|error| unreadable(&error))?;
    let (ask, held) = ask(wanted)?;
    let currency = scoped.view().about.currency;
    if ask.amount.currency() != currency {
        let detail = format!("`estimate` is not in {currency}, which the budgets are in");
        return Err(Problem::content(detail));
    }
    Ok((ask, held))
}

fn ask(wanted: ReservationWanted) -> Result<(Ask, SignedDuration), Problem> {
    let wrong = |field: &str, why: &dyn std::fmt::Display| {
        Problem::content(format!("`{field}` is wrong: {why}"))
    };
    let amount: Money = wanted.estimate.parse().map_err(|error| wrong("estimate", &error))?;
    if amount.is_negative() {
        return Err(wrong("estimate", &"it is below zero"));
    }
    if wanted.what.trim().is_empty() || wanted.what.len() > WHAT_MAX {
        return Err(wrong("for", &format!("say what it is for, in up to {WHAT_MAX} bytes")));
    }
    if wanted.labels.len() > LABELS_MAX {
        return Err(wrong("labels", &format!("there are more than {LABELS_MAX}")));
    }
    let team = wanted.team.as_deref().map(TeamId::new).transpose();
    let milli = match wanted.gpu_hours.as_deref() {
        None => 0,
        Some(text) => {
            let hours: Decimal = text.parse().map_err(|error| wrong("gpu_hours", &error))?;
            // Rounded up: what is reserved is never too little.
            let milli = hours.nano().checked_add(999_999).map(|nano| nano.div_euclid(1_000_000));
            let milli = milli.and_then(|milli| u64::try_from(milli).ok());
            milli.ok_or_else(|| wrong("gpu_hours", &"it is below zero or too large"))?
        }
    };
    let held = match wanted.hold.as_deref() {
        None => HELD,
        Some(text) => parse_duration(text)
            .filter(|held| !held.is_zero() && *held <= HELD_MAX)
            .ok_or_else(|| wrong("hold", &"write it like 30m or 12h, at most 744h"))?,
    };
    let ask = Ask {
        what: wanted.what,
        team: team.map_err(|error| wrong("team", &error))?,
        labels: wanted.labels,
        amount,
        gpu_hours_milli: milli,
        // Set by the loop, as its clock is the one that counts.
        expires: Timestamp::MAX,
        by: String::new(),
    };
    Ok((ask, held))
}

/// Reservations that were granted and not ended.
pub(super) async fn reservations(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let asked = page::Asked::of(&uri)?;
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let items: Vec<_> = view.open.claims.values().map(|it| wire::claim(it, now)).collect();
    Ok(Json(asked.page(items, |item| &item.id)).into_response())
}

/// What was reserved was spent, all or another amount of it.
pub(super) async fn confirm(
    scoped: Scoped,
    Id(id): Id,
    ended: Result<Json<ReservationEnded>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(ended) = ended.map_err(|error| unreadable(&error))?;
    let view = scoped.view();
    let spent = match ended.spent.as_deref() {
        Some(text) => {
            let read = text.parse::<Money>();
            Some(read.map_err(|error| Problem::content(format!("`spent` is wrong: {error}")))?)
        }
        None => view.open.claims.get(&id).map(|claim| claim.ask.amount),
    };
    end(&scoped, id, spent, "confirmed").await
}

/// What was reserved is free again.
pub(super) async fn release(scoped: Scoped, Id(id): Id) -> Result<Response, Problem> {
    end(&scoped, id, None, "released").await
}

async fn end(
    scoped: &Scoped,
    id: String,
    spent: Option<Money>,
    why: &'static str,
) -> Result<Response, Problem> {
    give(scoped, Order::Settle { claim: id.clone(), spent, why }).await?;
    let spent = spent.map(|spent| spent.to_string());
    Ok(Json(json!({ "id": id, "ended": why, "spent": spent })).into_response())
}
