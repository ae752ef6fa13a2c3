//! What every request passes and every answer carries.
//!
//! There is no authentication, so a page of another site must not be able to read this one, or to
//! give orders: the `Host` must be a loopback name (against DNS rebinding), no answer allows
//! another origin, what changes something must come from a page of this host or from no page, and
//! the page may load nothing from elsewhere and sits in no frame.

use super::problem::Problem;
use super::routes::CONTENT_MAX;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::time::Duration;

/// From a request's head to its answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Scripts, styles and data from here and nowhere else; no inline code.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                   img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; \
                   frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

/// The one middleware.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refused(request.method(), request.headers()) {
        Some(problem) => problem.into_response(),
        None => answer(request, next).await,
    };
    for (name, value) in HEADERS {
        // The files of the dashboard say themselves how long they are good for.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn answer(request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(ANSWER_MAX, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let seconds = ANSWER_MAX.as_secs();
        let detail = format!("the answer took longer than {seconds} s; ask for less");
        Problem::not_now("too-slow", detail, 10).into_response()
    })
}

fn refused(method: &Method, headers: &HeaderMap) -> Option<Problem> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let host = text(header::HOST);
    if let Some(host) = host.as_deref().filter(|host| !is_loopback(host)) {
        return Some(Problem::other_host(host));
    }
    // A browser sends the origin of the page with every request that may change something; a
    // program sends none.
    if !matches!(*method, Method::GET | Method::HEAD)
        && let Some(origin) = text(header::ORIGIN)
        && origin.split_once("://").map(|(_, at)| at) != host.as_deref()
    {
        return Some(Problem::other_site(&origin));
    }
    let length = headers.get(header::CONTENT_LENGTH)?;
    let length = length.to_str().ok().and_then(|length| length.parse::<usize>().ok());
    length.is_none_or(|length| length > CONTENT_MAX).then(|| Problem::too_large(CONTENT_MAX))
}

/// Whether `host[:port]` names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_answered() {
        for host in ["localhost", "LOCALHOST:4040", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "[::1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:4040", "127.0.0.1.evil.example", "10.0.0.1"]
        {
            assert!(!is_loopback(host), "{host}");
        }
        assert!(!is_loopback("[::2]:80") && !is_loopback("localhost.evil.example"));
    }
}
