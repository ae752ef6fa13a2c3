//! Who asks, logging in, and logging out.

use super::guard::{Guest, set_cookie};
use super::problem::Problem;
use super::seen::unreadable;
use crate::identity::{Begun, Entered, Way};
use crate::scope::Sources;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

/// A log-in by a token.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    token: String,
}

/// Who asks.
pub(super) async fn session(
    State(sources): State<Sources>,
    Extension(guest): Extension<Guest>,
) -> Result<Response, Problem> {
    match guest.entered {
        Some(entered) => {
            let mut told = told(&entered);
            if let (Way::Oidc(_), Some(oidc)) = (&entered.who.way, sources.door().oidc()) {
                // Where his browser can go after its session ends here, to end it there, too.
                told["leave"] = json!(oidc.leave());
            }
            Ok(Json(told).into_response())
        }
        None => Err(Problem::log_in("log in to see anything", &sources.door().ways())),
    }
}

/// Begins a session for whoever has a token.
pub(super) async fn begin(
    State(sources): State<Sources>,
    Extension(guest): Extension<Guest>,
    log_in: Result<Json<LogIn>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(log_in) = log_in.map_err(|error| unreadable(&error))?;
    let door = sources.door();
    let begun = door.log_in(log_in.token.trim(), guest.from).await;
    let (begun, entered) = begun.map_err(|refusal| Problem::refusal(&refusal))?;
    Ok((with_cookie(&sources, &begun)?, Json(told(&entered))).into_response())
}

/// The cookie of a session that was begun.
pub(super) fn with_cookie(
    sources: &Sources,
    begun: &Begun,
) -> Result<[(header::HeaderName, header::HeaderValue); 1], Problem> {
    let cookie = set_cookie(&begun.cookie, sources.door().rules().tls, None);
    let cookie = cookie.ok_or_else(|| Problem::failed("the session has no cookie"))?;
    Ok([(header::SET_COOKIE, cookie)])
}

/// Ends the session.
pub(super) async fn end(
    State(sources): State<Sources>,
    Extension(guest): Extension<Guest>,
) -> Result<Response, Problem> {
    let door = sources.door();
    if let (Some(entered), Some(cookie)) = (&guest.entered, &guest.cookie) {
        door.log_out(&entered.who, cookie, guest.from);
    }
    let gone = set_cookie("", door.rules().tls, Some(0));
    let gone = gone.ok_or_else(|| Problem::failed("the session has no cookie"))?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

fn told(entered: &Entered) -> Value {
    let who = &entered.who;
    let teams = who.teams.as_ref();
    let teams = teams.map(|teams| teams.iter().map(ToString::to_string).collect::<Vec<_>>());
    let login = match who.way {
        Way::Local => "none",
        Way::Token(_) => "token",
        Way::Oidc(_) => "oidc",
    };
    json!({
        "user": { "name": who.name, "role": who.role.name(), "teams": teams },
        "login": login,
        "csrf": entered.csrf,
    })
}
