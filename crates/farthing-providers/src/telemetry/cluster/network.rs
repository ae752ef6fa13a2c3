//! Bytes that pods sent, as far as somebody says they went: what the network costs, by quantity.
//!
//! A network exporter tells how far bytes went; cAdvisor counts them and does not know, so that
//! they go as far as `any`. Where both are there the first stands. Bytes inside of a zone are free,
//! as all clouds have it, and are only rows of the table.

use super::World;
use super::asset::{Paid, Places};
use super::bought::NodePrices;
use super::claim::HOUR_MS;
use super::container::pods_named;
use super::facts::{Pod, PodKey};
use super::owner::Owners;
use super::tally::Tally;
use crate::telemetry::series::{Series, Span, part_of};
use crate::telemetry::sources::{Field, Label};
use farthing_model::{Asset, Attribution, NodeId, NodeSpan, Place, Resource, Sample};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// 10^-9 of a byte, which amounts are kept in.
const NANO: i128 = 1_000_000_000;

/// Who sent from where how far in which hour.
type Sent<'p> = (&'p Place, &'static str, Arc<Attribution>, i64);

/// How far the bytes of a series went; `None` where that costs nothing.
fn reach(series: &Series) -> Option<&'static str> {
    let is = |label: Label| series.text(label) == "true";
    if series.field == Field::NetworkSent {
        return Some("any");
    }
    if is(Label::Internet) {
        return Some("internet");
    }
    if is(Label::SameZone) {
        return None;
    }
    Some(if is(Label::SameRegion) { "zone" } else { "region" })
}

/// Adds a span for each reach from each place, and a sample for each pod and hour.
pub(super) fn charge(
    world: &World<'_>,
    places: &Places,
    prices: &NodePrices<'_>,
    tally: &mut Tally,
) -> Vec<NodeSpan> {
    let mut spans: BTreeMap<(&Place, &str), NodeSpan> = BTreeMap::new();
    for ((place, reach, who, _), (span, amount)) in sent(world, places) {
        let zone = place.zone.as_deref().map_or_else(String::new, |zone| format!("/{zone}"));
        let name = format!("network/{reach}/{}/{}{zone}", place.provider, place.region);
        let (Ok(id), Some(window)) = (NodeId::new(&name), super::window(span)) else { continue };
        let paid = Paid { name, kind: (Asset::Network, reach), place, bytes: 0, held_for: None };
        if let Some(whole) = paid.span(world.horizon.window, true, prices) {
            spans.entry((place, reach)).or_insert(whole);
        }
        tally.samples.push(Sample {
            source: world.source(world.sources.get(&field_of(reach)).copied()),
            node: id,
            device: None,
            slice: None,
            attribution: Some(who),
            resource: Resource::Network,
            window,
            requested_nano: 0,
            used_nano: Some(amount),
            held_nano: None,
        });
    }
    spans.into_values().collect()
}

/// What was sent, in 10^-9 bytes.
fn sent<'p>(world: &World<'_>, places: &'p Places) -> BTreeMap<Sent<'p>, (Span, i128)> {
    let store = &world.settled.store;
    let mut owners = Owners::new(&world.facts, &world.settled.map);
    let told: BTreeSet<(&str, &str)> = store.of(Field::NetworkReach).filter_map(pod_of).collect();
    let mut sent: BTreeMap<Sent<'_>, (Span, i128)> = BTreeMap::new();
    for series in store.of(Field::NetworkReach).chain(store.of(Field::NetworkSent)) {
        let Some((namespace, name)) = pod_of(series) else { continue };
        // The loop-back interface is no network.
        let counted = series.field == Field::NetworkSent && told.contains(&(namespace, name));
        if counted || series.text(Label::Interface) == "lo" {
            continue;
        }
        let Some(reach) = reach(series) else { continue };
        let pod = (Arc::from(namespace), Arc::from(name));
        for (hour, span, amount) in hourly(world, series, &pod) {
            let Some((key, pod)) = pod_at(world, (&pod.0, &pod.1), span.from) else { continue };
            let Some(place) = places.at(node_at(pod, span.from)) else { continue };
            let who = owners.of(pod, &key.2, &Arc::from(""), span.from);
            let Some(who) = who else { continue };
            let (whole, sum) = sent.entry((place, reach, who, hour)).or_insert((span, 0));
            (whole.from, whole.to) = (whole.from.min(span.from), whole.to.max(span.to));
            *sum += amount;
        }
    }
    sent
}

/// The bytes of a series by hour, in 10^-9; where pods of one name or their labels took turns, by
/// scrape.
fn hourly(
    world: &World<'_>,
    series: &Series,
    (namespace, name): &(Arc<str>, Arc<str>),
) -> Vec<(i64, Span, i128)> {
    let mut pods = pods_named(&world.facts, namespace, name);
    let is_one = pods.next().is_some_and(|(_, pod)| {
        pod.labels.len() <= 1 && pod.places.windows(2).all(|pair| pair[0].1 == pair[1].1)
    }) && pods.next().is_none();
    let mut found: Vec<(i64, Span, i128)> = Vec::new();
    for it in world.settled.store.merged(series).increases(&world.horizon) {
        let mut from = it.span.from;
        while from < it.span.to {
            let hour = from.div_euclid(HOUR_MS);
            let Some(part) = Span::new(from, it.span.to.min((hour + 1) * HOUR_MS)) else { break };
            let amount = part_of(i128::from(it.amount) * NANO, it.span, part);
            match found.last_mut().filter(|(last, ..)| is_one && *last == hour) {
                Some((_, span, sum)) => {
                    span.to = part.to;
                    *sum += amount;
                }
                None => found.push((hour, part, amount)),
            }
            from = part.to;
        }
    }
    found
}

fn field_of(reach: &str) -> Field {
    if reach == "any" { Field::NetworkSent } else { Field::NetworkReach }
}

fn pod_of(series: &Series) -> Option<(&str, &str)> {
    Some((series.get(Label::Namespace)?, series.get(Label::Pod)?))
}

/// The pod of a name at a moment: that which held its place then, else the first.
fn pod_at<'w>(
    world: &'w World<'_>,
    (namespace, name): (&Arc<str>, &Arc<str>),
    at: i64,
) -> Option<(&'w PodKey, &'w Pod)> {
    let pods = || pods_named(&world.facts, namespace, name);
    pods().find(|(_, pod)| pod.held.contains(at)).or_else(|| pods().next())
}

fn node_at(pod: &Pod, at: i64) -> Option<&str> {
    let there = pod.places.iter().find(|(span, _)| span.from <= at && at < span.to);
    there.or(pod.places.first()).map(|(_, node)| &**node)
}
