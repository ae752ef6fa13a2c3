//! Offers, ranked as the command line ranks them.

use super::parameters::Parameters;
use super::problem::Problem;
use crate::scope::Scoped;
use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};

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
