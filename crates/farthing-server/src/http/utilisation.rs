//! Utilisation over time: of each resource, and of each node, for series and heat maps.

use super::parameters::Parameters;
use super::problem::Problem;
use super::routes::{last, unread};
use super::statement;
use crate::scope::Scoped;
use crate::wire;
use axum::Json;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use farthing_ledger::{Key, StatementQuery};
use farthing_model::Resource;

/// The parameters.
pub(super) const PARAMETERS: [&str; 5] = ["window", "step", "limit", "sort", "node"];

/// Cells of a heat map, at most: more than that no screen shows and no reader reads.
const CELLS_MAX: usize = 1_000_000;
/// Nodes where nothing is said, and at most.
const NODES: usize = 500;
const NODES_MAX: usize = 10_000;

/// How much of each resource was used, allocated and paid in each step, and by each node.
pub(super) async fn utilisation(scoped: Scoped, uri: Uri) -> Result<Response, Problem> {
    let view = scoped.view();
    let now = last(&view)?.tick.at;
    let parameters = Parameters::of(&uri, &PARAMETERS)?;
    let window = statement::window(&parameters, now)?;
    let step = parameters.one_of("step", &statement::STEPS)?.unwrap_or(Key::Hour);
    let limit = parameters.number("limit", 1..=NODES_MAX)?.unwrap_or(NODES);
    let sorts = [("used", true), ("-used", false)];
    let least_first = parameters.one_of("sort", &sorts)?.unwrap_or(false);
    let named = parameters.get("node").map(str::to_lowercase);
    let all = StatementQuery::of(view.about.cluster.clone(), window, view.about.currency);
    let by = |keys: Vec<Key>| StatementQuery { by: keys, ..all.clone() };
    let times = scoped.statement(by(vec![step.clone()])).await.map_err(unread)?;
    let mut nodes = Vec::new();
    // Of one resource at a time, as only then it is known of what nobody measured anything.
    for resource in [Resource::Gpu, Resource::Cpu] {
        let by_node = by(vec![step.clone(), Key::Node]);
        let of = StatementQuery { resources: Some(vec![resource]), ..by_node };
        nodes.push((resource, scoped.statement(of).await.map_err(unread)?));
    }
    let mut json = wire::utilisation_over_time(&times, &nodes);
    let all_nodes = json.nodes.len();
    json.nodes
        .retain(|row| named.as_ref().is_none_or(|part| row.node.to_lowercase().contains(part)));
    json.nodes.sort_by(|a, b| {
        // What is not known comes last, whichever way.
        let mean = |row: &wire::NodeUseJson| row.mean.map_or((true, 0.0), |mean| (false, mean));
        let (a_mean, b_mean) = (mean(a), mean(b));
        let by_mean = a_mean.1.total_cmp(&b_mean.1).then_with(|| a.node.cmp(&b.node));
        let by_mean = if least_first { by_mean } else { by_mean.reverse() };
        a_mean.0.cmp(&b_mean.0).then(by_mean)
    });
    json.matched = json.nodes.len();
    json.of = all_nodes;
    json.nodes.truncate(limit.min(CELLS_MAX / json.series.len().max(1)));
    Ok(Json(json).into_response())
}
