//! The dashboard: files that were built from `web/` and are part of the program.
//!
//! A path of the application itself, such as `/cost`, is answered with its first page, which reads
//! the path. Files with a hash in their name never change; the first page is asked for each time.

use super::guard::Guest;
use super::problem::Problem;
use super::routes::PATHS;
use crate::page::page;
use crate::scope::{Scoped, Sources};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};

/// A file, with its compressed forms.
struct File {
    path: &'static str,
    kind: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

/// What was built, sorted by path; nothing where it was not.
const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// Where files with a hash in their name are.
const HASHED: &str = "/assets/";

/// Answers what no other route does.
pub(super) async fn files(
    State(sources): State<Sources>,
    Extension(guest): Extension<Guest>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !matches!(method, Method::GET | Method::HEAD) {
        return Problem::no_route(uri.path(), &PATHS).into_response();
    }
    let path = uri.path();
    if let Some(file) = find(path) {
        return answer(file, &headers);
    }
    // A page of the application: one word, no file.
    let is_page = path
        .strip_prefix('/')
        .is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
    match find("/index.html") {
        Some(index) if is_page => answer(index, &headers),
        None if path == "/" => match &guest.entered {
            Some(entered) => plain(Scoped::new(&sources, entered.who.clone(), guest.from)).await,
            None => Problem::log_in("log in first", &sources.door().ways()).into_response(),
        },
        _ => Problem::no_route(path, &PATHS).into_response(),
    }
}

/// The plain page: what there is without scripts, and without the dashboard.
pub(super) async fn plain(scoped: Scoped) -> Response {
    let kind = "text/html; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], page(&scoped.view())).into_response()
}

fn find(path: &str) -> Option<&'static File> {
    FILES.binary_search_by(|file| file.path.cmp(path)).ok().map(|index| &FILES[index])
}

fn answer(file: &'static File, headers: &HeaderMap) -> Response {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let accepts = |name: &str| {
        let mut listed = accepted.unwrap_or_default().split(',').map(str::trim);
        listed.any(|one| {
            let (coding, weight) = one.split_once(';').unwrap_or((one, ""));
            coding.trim().eq_ignore_ascii_case(name) && weight.trim() != "q=0"
        })
    };
    let (bytes, encoding) = match (file.brotli, file.gzip) {
        (Some(brotli), _) if accepts("br") => (brotli, Some("br")),
        (_, Some(gzip)) if accepts("gzip") => (gzip, Some("gzip")),
        _ => (file.plain, None),
    };
    let is_hashed = file.path.starts_with(HASHED);
    let caching = if is_hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = bytes.into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}
