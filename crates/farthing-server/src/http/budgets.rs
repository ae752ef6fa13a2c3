//! Budgets as they stand, and the gate for whatever wants to spend.

use super::problem::Problem;
use super::routes::{last, unread};
use super::seen::{Id, unreadable};
use super::steps::give;
use crate::orders::{Carried, Order};
use crate::scope::{Prospects, Scoped};
use crate::wire;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use farthing_engine::{Answer, Ask};
use farthing_model::{Decimal, Money, TeamId, parse_duration};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

/// How long a reservation holds where nothing is said, and at most.
const HELD: SignedDuration = SignedDuration::from_hours(1);
const HELD_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);
/// The longest text that says what a reservation is for.
const WHAT_MAX: usize = 256;
/// Labels of a reservation, at most.
const LABELS_MAX: usize = 32;

/// Each budget: spent, committed, reserved, left, how it got there, and where it is going.
pub(super) async fn budgets(scoped: Scoped) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let Prospects { exposures, outlooks, cuts } = scoped.prospects(now).await.map_err(unread)?;
    let items = wire::budget_states(&exposures, &outlooks, &cuts)
        .map_err(|error| Problem::books(format!("the budgets: {error}")))?;
    Ok(Json(wire::PageJson { items, next: None }).into_response())
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
    let Json(wanted) = wanted.map_err(|error| unreadable(&error))?;
    let (ask, held) = ask(wanted)?;
    let currency = scoped.view().about.currency;
    if ask.amount.currency() != currency {
        let detail = format!("`estimate` is not in {currency}, which the budgets are in");
        return Err(Problem::content(detail));
    }
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
        Carried::Noted | Carried::Undone(_) => Err(Problem::failed("there was no answer")),
    }
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
            u64::try_from((hours.nano() + 999_999).div_euclid(1_000_000))
                .map_err(|_| wrong("gpu_hours", &"it is below zero or too large"))?
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
pub(super) async fn reservations(scoped: Scoped) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let items: Vec<_> = view.open.claims.values().map(|it| wire::claim(it, now)).collect();
    Ok(Json(wire::PageJson { items, next: None }).into_response())
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
