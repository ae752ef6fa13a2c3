//! What if: another plan for the world of now, of which nothing is recorded.

use super::problem::Problem;
use super::routes::{Sources, last, unread};
use crate::publish::View;
use crate::wire;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use farthing_engine::planner::Input;
use farthing_engine::{Changes, what_if};
use farthing_model::{BudgetId, Limit};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Changes that are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Budget -> another limit in money.
    #[serde(default)]
    limits: BTreeMap<String, String>,
    #[serde(default)]
    without_providers: Vec<String>,
    #[serde(default)]
    without_spot: bool,
}

/// The plan of now beside the policies of old.
pub(super) async fn now(State(sources): State<Sources>) -> Result<Response, Problem> {
    answer(&sources, Changes::default()).await
}

/// The plan with something else in the world.
pub(super) async fn changed(
    State(sources): State<Sources>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(asked) = asked.map_err(|error| Problem::content(error.body_text()))?;
    let mut limits = Vec::new();
    let view = sources.published.view();
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
    answer(&sources, changes).await
}

async fn answer(sources: &Sources, changes: Changes) -> Result<Response, Problem> {
    let view = sources.published.view();
    let input = input(&view)?;
    let offers = Arc::clone(&input.offers);
    // On the thread that plans, as the answers of others must not wait for it.
    let made = sources.planner.read(move |()| what_if(&input, &changes)).await;
    let made = made.map_err(unread)?;
    let baselines = made.baselines.iter().map(|planned| wire::plan(planned, &offers, None));
    let ours = wire::plan(&made.planned, &offers, None);
    Ok(Json(ours.with_baselines(baselines)).into_response())
}

/// What the newest plan was made from.
fn input(view: &View) -> Result<Arc<Input>, Problem> {
    last(view)?;
    let ticked = view.planned.as_ref();
    let input = ticked.and_then(|ticked| ticked.tick.input.clone());
    input.ok_or_else(|| {
        let mode = view.about.policy.mode.name();
        Problem::not_now("no-plan", format!("nothing was planned yet (mode {mode})"), 5)
    })
}
