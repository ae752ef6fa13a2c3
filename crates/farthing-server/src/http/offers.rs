//! Offers, ranked as the command line ranks them, and the prices that were paid for them.

use super::page::Asked;
use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::{last, unread};
use crate::scope::Scoped;
use crate::wire;
use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// The parameters: those of `farthing offers`, with `purchase` for its flags.
pub(super) const PARAMETERS: [&str; 12] = [
    "accelerator",
    "count",
    "nodes",
    "cpus",
    "memory",
    "provider",
    "region",
    "arch",
    "purchase",
    "max_price",
    "max_node_price",
    "limit",
];

/// The cheapest ways to have what is asked for.
pub(super) async fn offers(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::of(&uri, &PARAMETERS)?;
    let given = PARAMETERS.iter().filter_map(|name| {
        let value = parameters.get(name)?;
        Some(((*name).to_owned(), value.to_owned()))
    });
    let given: Vec<_> = given.collect();
    let Some(ranked) = scoped.rank_offers(&given) else {
        return Err(Problem::nothing_here("this server has no price book"));
    };
    let ranked = ranked.map_err(|why| Problem::parameter("query", why, PARAMETERS))?;
    Ok(Json(ranked).into_response())
}

/// The parameters of the history.
pub(super) const HISTORY: [&str; 7] =
    ["window", "provider", "region", "instance_type", "purchase", "cursor", "limit"];

/// What it covers where nothing else is asked for.
const PAST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Points of one offer, at most: more than that no chart shows.
const POINTS_MAX: usize = 2_000;

/// The prices that were paid for each offer over time.
pub(super) async fn history(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &HISTORY)?;
    let asked = Asked::among(&parameters)?;
    let window = parameters.past("window", now, PAST)?;
    let is = |name: &str, value: &str| {
        parameters.get(name).is_none_or(|asked| asked.trim().eq_ignore_ascii_case(value))
    };
    let mut found = scoped.price_history(window).await.map_err(unread)?;
    found.retain(|series| {
        is("provider", &series.place.provider)
            && is("region", &series.place.region)
            && is("instance_type", &series.instance_type)
            && is("purchase", series.purchase.name())
    });
    let book = scoped.price_book();
    let by_id: BTreeMap<&str, _> = book.iter().map(|offer| (offer.id.as_str(), offer)).collect();
    let page = asked.page(found, |series| series.offer.as_str());
    let json = |series: &_| {
        let series: &farthing_ledger::PriceSeries = series;
        wire::price_series(series, by_id.get(series.offer.as_str()).copied(), POINTS_MAX)
    };
    let items = page.items.iter().map(json).collect();
    Ok(Json(wire::PageJson { items, next: page.next }).into_response())
}
