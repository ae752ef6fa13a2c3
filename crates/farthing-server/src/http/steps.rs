//! Steps: what is open, and what people say to it.

use super::page;
use super::problem::Problem;
use super::routes::{last, unfit};
use super::seen::Id;
use crate::orders::{Carried, Order};
use crate::scope::Scoped;
use crate::wire;
use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use farthing_model::StepId;
use serde_json::json;

/// Proposals of the newest plan, and what is in force.
pub(super) async fn steps(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let asked = page::Asked::of(&uri)?;
    let view = scoped.view();
    let (mode, now) = (view.about.policy.mode, last(&view)?.tick.at);
    let items = wire::open_steps(&view.open, mode, now);
    Ok(Json(asked.page(items, |item| &item.step.id)).into_response())
}

/// Says yes to a proposal.
pub(super) async fn approve(scoped: Scoped, Id(id): Id) -> Result<Response, Problem> {
    said(&scoped, &id, true).await
}

/// Says no to a proposal.
pub(super) async fn reject(scoped: Scoped, Id(id): Id) -> Result<Response, Problem> {
    said(&scoped, &id, false).await
}

async fn said(scoped: &Scoped, id: &str, approved: bool) -> Result<Response, Problem> {
    let step = step_id(id)?;
    give(scoped, Order::Approve { step: step.clone(), approved }).await?;
    let view = scoped.view();
    let (mode, now) = (view.about.policy.mode, last(&view)?.tick.at);
    // A tick may have gone by: what is approved may be in force, or gone, by now.
    let open = view.open.steps.get(&step).map(|open| wire::open_step(open, mode, now));
    Ok(open.map_or_else(
        || Json(json!({ "id": id, "approved": approved })).into_response(),
        |open| Json(open).into_response(),
    ))
}

/// Takes back a step that is in force.
pub(super) async fn undo(scoped: Scoped, Id(id): Id) -> Result<Response, Problem> {
    match give(&scoped, Order::Undo { step: step_id(&id)? }).await? {
        Carried::Undone(receipt) => Ok(Json(wire::ReceiptJson::of(&receipt)).into_response()),
        _ => Ok(Json(json!({ "step": id })).into_response()),
    }
}

fn step_id(text: &str) -> Result<StepId, Problem> {
    StepId::new(text).map_err(|error| Problem::nothing_here(error.to_string()))
}

/// Has the loop carry out an order.
pub(super) async fn give(scoped: &Scoped, order: Order) -> Result<Carried, Problem> {
    scoped.give(order).await.map_err(unfit)
}
