//! Logging in through a provider of identities: to it, and back from it.
//!
//! Both are visited by a browser and not asked by a page, so that they answer with where to go
//! next; what went wrong is shown by the page of the log-in, which gets a word for it.

use super::guard::{Guest, log_in_cookie, log_in_cookie_of, set_cookie};
use super::parameters::Parameters;
use super::problem::Problem;
use crate::identity::{Back, LOG_IN_S, Refusal, Refused};
use crate::scope::Sources;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Response};

/// Parameters of a log-in.
pub(super) const PARAMETERS: [&str; 1] = ["return"];

/// Sends a browser to the provider.
pub(super) async fn begin(
    State(sources): State<Sources>,
    Extension(guest): Extension<Guest>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &PARAMETERS)?;
    let door = sources.door();
    let oidc = door.oidc().ok_or_else(none_here)?;
    let begun = oidc.begin(parameters.get("return").unwrap_or("/")).await;
    let (address, cookie) = match begun {
        Ok(begun) => begun,
        Err(why) => {
            let refusal = door.not_known(why, guest.from);
            return Ok(refused(&refusal, &headers));
        }
    };
    let cookie = log_in_cookie(&cookie, door.rules().tls, LOG_IN_S);
    to(&address, [cookie, None])
}

/// Takes a browser that comes back from the provider.
pub(super) async fn back(
    State(sources): State<Sources>,
    Extension(guest): Extension<Guest>,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let door = sources.door();
    let oidc = door.oidc().ok_or_else(none_here)?;
    let back = read(&uri)?;
    let came = door.come_back(&oidc, &back, log_in_cookie_of(&headers), guest.from).await;
    let tls = door.rules().tls;
    // What it began with is good for one time.
    let gone = log_in_cookie("", tls, 0);
    match came {
        Ok((begun, back_to)) => to(&back_to, [set_cookie(&begun.cookie, tls, None), gone]),
        Err(refusal) => {
            let mut response = refused(&refusal, &headers);
            if let Some(gone) = gone {
                response.headers_mut().append(header::SET_COOKIE, gone);
            }
            Ok(response)
        }
    }
}

/// What a provider says, by parameters of which it may have more than we know.
fn read(uri: &Uri) -> Result<Back, Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_| Problem::parameter("query", "the query is not readable", []))?;
    let mut back = Back::default();
    for (name, value) in pairs.0 {
        let place = match name.as_str() {
            "code" => &mut back.code,
            "state" => &mut back.state,
            "iss" => &mut back.issuer,
            "error" => &mut back.error,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(Problem::parameter(&name, "it is given twice", []));
        }
    }
    Ok(back)
}

fn none_here() -> Problem {
    Problem::nothing_here("no provider of identities is set up here")
}

fn to(address: &str, cookies: [Option<HeaderValue>; 2]) -> Result<Response, Problem> {
    let wrong = |_| Problem::failed("the provider's address cannot be gone to");
    let place = HeaderValue::from_str(address).map_err(wrong)?;
    let cookies = cookies.into_iter().flatten().map(|cookie| (header::SET_COOKIE, cookie));
    let cookies = AppendHeaders(cookies.collect::<Vec<_>>());
    Ok((StatusCode::FOUND, [(header::LOCATION, place)], cookies).into_response())
}

/// A browser is sent to the page of the log-in, which says it in words; a program gets the problem.
fn refused(refusal: &Refusal, headers: &HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if !accepts.is_some_and(|accepts| accepts.contains("text/html")) {
        return Problem::refusal(refusal).into_response();
    }
    let word = match refusal {
        Refusal::Identity(why) => why.word(),
        Refusal::Wait(_) => "wait",
        _ => Refused::Denied.word(),
    };
    let place = format!("/login?refused={word}");
    (StatusCode::FOUND, [(header::LOCATION, place)]).into_response()
}
