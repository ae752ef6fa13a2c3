//! Steps: what is open, and what people say to it.

use super::problem::Problem;
use super::routes::{Sources, last};
use crate::orders::{Carried, NotCarried, Order};
use crate::wire;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use farthing_model::StepId;
use serde_json::json;

/// Who gives orders where nobody has to say who he is.
const LOCAL: &str = "local";

/// Proposals of the newest plan, and what is in force.
pub(super) async fn steps(State(sources): State<Sources>) -> Result<Response, Problem> {
    let view = sources.published.view();
    let (mode, now) = (view.about.policy.mode, last(&view)?.tick.at);
    let items = wire::open_steps(&view.open, mode, now);
    Ok(Json(wire::PageJson { items, next: None }).into_response())
}

/// Says yes to a proposal.
pub(super) async fn approve(
    State(sources): State<Sources>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    said(&sources, &id, true).await
}

/// Says no to a proposal.
pub(super) async fn reject(
    State(sources): State<Sources>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    said(&sources, &id, false).await
}

async fn said(sources: &Sources, id: &str, approved: bool) -> Result<Response, Problem> {
    let step = step_id(id)?;
    give(sources, Order::Approve { step: step.clone(), approved }).await?;
    let view = sources.published.view();
    let (mode, now) = (view.about.policy.mode, last(&view)?.tick.at);
    // A tick may have gone by: what is approved may be in force, or gone, by now.
    let open = view.open.steps.get(&step).map(|open| wire::open_step(open, mode, now));
    Ok(open.map_or_else(
        || Json(json!({ "id": id, "approved": approved })).into_response(),
        |open| Json(open).into_response(),
    ))
}

/// Takes back a step that is in force.
pub(super) async fn undo(
    State(sources): State<Sources>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    match give(&sources, Order::Undo { step: step_id(&id)? }).await? {
        Carried::Undone(receipt) => Ok(Json(wire::ReceiptJson::of(&receipt)).into_response()),
        Carried::Noted | Carried::Answered(..) => Ok(Json(json!({ "step": id })).into_response()),
    }
}

fn step_id(text: &str) -> Result<StepId, Problem> {
    StepId::new(text).map_err(|error| Problem::nothing_here(error.to_string()))
}

/// Has the loop carry out an order.
pub(super) async fn give(sources: &Sources, order: Order) -> Result<Carried, Problem> {
    let Some(orders) = &sources.orders else {
        return Err(Problem::conflict("the loop behind this server takes no orders"));
    };
    orders.give(order, LOCAL.to_owned()).await.map_err(|why| match why {
        NotCarried::Unknown(text) => Problem::nothing_here(text),
        NotCarried::Conflict(text) => Problem::conflict(text),
        NotCarried::Busy => Problem::not_now("busy", why.to_string(), 2),
        NotCarried::Ended => Problem::not_now("ended", why.to_string(), 30),
        NotCarried::Failed(text) => Problem::failed(text),
    })
}
