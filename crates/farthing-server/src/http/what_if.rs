//! What if: another plan for the world of now, of which nothing is recorded.

use super::problem::Problem;
use super::routes::{last, reads, unread};
use super::seen::unreadable;
use crate::scope::Scoped;
use crate::wire;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use farthing_engine::Changes;
use farthing_model::{BudgetId, Limit};
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
pub(super) async fn now(scoped: Scoped) -> Result<Response, Problem> {
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
    let plan = |planned| wire::plan(planned, &made.offers, None);
    Ok(Json(plan(&made.planned).with_baselines(made.baselines.iter().map(plan))).into_response())
}
