//! What every request passes and every answer carries.
//!
//! A page of another site must not be able to read this one, or to give orders. Where nobody has to
//! log in, the `Host` must be a loopback name (against DNS rebinding); what changes something must
//! come from a page of this host or from no page; no answer allows another origin; and the page may
//! load nothing from elsewhere and sits in no frame. Where one has to log in, the cookie is of this
//! site only, and what changes something carries the word of the session.

use super::problem::Problem;
use super::routes::CONTENT_MAX;
use super::serving::Peer;
use crate::identity::{Asking, Entered, Refusal};
use crate::scope::Sources;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// From a request's head to its answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Bytes of the lines of a head, at most.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;

/// Requests that are answered at once; people who follow ticks are not counted.
pub(super) const ANSWERS_MAX: usize = 256;

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

/// For a year, this name is spoken to by TLS only.
const HSTS: &str = "max-age=31536000";

/// The word that requests with a session carry when they change something.
const CSRF: &str = "x-farthing-csrf";

/// Cookies of sessions: with the prefix, a browser takes it only by TLS and only of this host.
const COOKIES: [&str; 2] = ["__Host-farthing", "farthing"];

/// Cookies of log-ins that are on their way.
const LOG_IN_COOKIES: [&str; 2] = ["__Host-farthing-login", "farthing-login"];

/// Who a request is from.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    /// Who; `None` where he did not say.
    pub(super) entered: Option<Entered>,
    /// From which address.
    pub(super) from: IpAddr,
    /// The cookie that he came with.
    pub(super) cookie: Option<String>,
}

/// What the guard knows.
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) sources: Sources,
    pub(super) free: Arc<Semaphore>,
}

/// The one middleware.
pub(super) async fn guard(
    State(guarded): State<Guarded>,
    mut request: Request,
    next: Next,
) -> Response {
    let rules = guarded.sources.door().rules();
    let refused = refused(&request, rules.required);
    let admitted = if let Some(problem) = refused {
        Err(problem)
    } else {
        let from = from(&request, rules.proxied);
        admit(&guarded.sources, request.method(), request.headers(), from).await
    };
    let mut response = match admitted {
        Err(problem) => problem.into_response(),
        Ok(guest) => {
            request.extensions_mut().insert(guest);
            answer(&guarded.free, request, next).await
        }
    };
    for (name, value) in HEADERS {
        // The files of the dashboard say themselves how long they are good for.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    if rules.tls {
        let hsts = HeaderValue::from_static(HSTS);
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
    response
}

async fn answer(free: &Semaphore, request: Request, next: Next) -> Response {
    // That the process lives is said also when it is busy.
    let is_probe = matches!(request.uri().path(), "/healthz" | "/readyz");
    let Ok(_permit) = (if is_probe { Ok(None) } else { free.try_acquire().map(Some) }) else {
        let detail = "more is asked than can be answered at once";
        return Problem::busy(detail, 1).into_response();
    };
    let answered = tokio::time::timeout(ANSWER_MAX, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let seconds = ANSWER_MAX.as_secs();
        let detail = format!("the answer took longer than {seconds} s; ask for less");
        Problem::not_now("too-slow", detail, 10).into_response()
    })
}

/// Who asks. What anybody may ask for (whether the process lives, the files of the dashboard, to
/// log in) is asked also by those who are nobody: then there is no principal, and no data.
async fn admit(
    sources: &Sources,
    method: &Method,
    headers: &HeaderMap,
    from: IpAddr,
) -> Result<Guest, Problem> {
    let door = sources.door();
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let cookie = cookie(headers);
    let asking = Asking {
        from,
        bearer,
        cookie,
        csrf: text(HeaderName::from_static(CSRF)),
        changes: !matches!(*method, Method::GET | Method::HEAD),
    };
    let entered = match door.admit(&asking).await {
        Ok(entered) => Some(entered),
        // Whoever shows nothing may still ask for what is anybody's.
        Err(Refusal::LogIn(_)) if bearer.is_none() => None,
        Err(refusal) => return Err(Problem::refusal(&refusal)),
    };
    Ok(Guest { entered, from, cookie: cookie.map(str::to_owned) })
}

/// The cookie of a session.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    cookie_of(headers, &COOKIES)
}

/// The cookie of a log-in through a provider of identities.
pub(super) fn log_in_cookie_of(headers: &HeaderMap) -> Option<&str> {
    cookie_of(headers, &LOG_IN_COOKIES)
}

fn cookie_of<'h>(headers: &'h HeaderMap, names: &[&str; 2]) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let pairs: Vec<_> = pairs.map(|(name, value)| (name.trim(), value.trim())).collect();
    let find = |name: &&str| pairs.iter().find(|(given, _)| given == name);
    names.iter().find_map(find).map(|(_, value)| *value)
}

/// The header that gives, or takes, the cookie of a session.
pub(super) fn set_cookie(value: &str, tls: bool, seconds: Option<u32>) -> Option<HeaderValue> {
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    cookie_line(COOKIES, value, tls, &format!("SameSite=Strict{age}"))
}

/// The same of a log-in: the provider's page leads back with it, which is another site's.
pub(super) fn log_in_cookie(value: &str, tls: bool, seconds: u32) -> Option<HeaderValue> {
    cookie_line(LOG_IN_COOKIES, value, tls, &format!("SameSite=Lax; Max-Age={seconds}"))
}

fn cookie_line(names: [&str; 2], value: &str, tls: bool, how: &str) -> Option<HeaderValue> {
    let (name, secure) = if tls { (names[0], "; Secure") } else { (names[1], "") };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; {how}{secure}")).ok()
}

/// From which address; where a proxy is before this server, as that says.
fn from(request: &Request, proxied: bool) -> IpAddr {
    let told = || {
        let all = request.headers().get_all("x-forwarded-for");
        // The last is what the proxy itself has seen; those before it anybody can write.
        let last = all.iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok();
        last.filter(|_| proxied)
    };
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    told().or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn refused(request: &Request, log_in: bool) -> Option<Problem> {
    let (method, headers) = (request.method(), request.headers());
    let long = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if long.sum::<usize>() + request.uri().to_string().len() > HEAD_BYTES_MAX {
        return Some(Problem::head_too_large(HEAD_BYTES_MAX));
    }
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let host = text(header::HOST);
    if let Some(host) = host.as_deref().filter(|host| !log_in && !is_loopback(host)) {
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
