//! What nearly won: how much each condition of a request costs.

use super::error::RankError;
use super::request::OfferRequest;
use super::scan::{Found, Key};
use super::{RankedOffer, scan};
use farthing_model::{OfferTable, Purchase};
use std::collections::BTreeMap;

/// An offer that only one condition rules out, and that would win without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The condition, in the words of [`super::Ranked::excluded`].
    pub reason: &'static str,
    /// The offer, for the whole request.
    pub offer: RankedOffer,
}

/// The misses that would win, in the order of their cost.
pub(crate) fn misses(
    near: BTreeMap<usize, Found>,
    best: Option<Key>,
    request: &OfferRequest,
    table: &OfferTable,
) -> Result<Vec<NearMiss>, RankError> {
    let mut near: Vec<(usize, Found)> =
        near.into_iter().filter(|(_, it)| best.is_none_or(|best| it.key() < best)).collect();
    near.sort_by(|a, b| a.1.order(&b.1, table));
    near.into_iter()
        .map(|(bit, it)| {
            let reason = scan::reason(bit, request);
            Ok(NearMiss { reason, offer: it.make(request, table)? })
        })
        .collect()
}

/// The best of each way to pay; `others` is sorted.
pub(crate) fn first_of_each(others: Vec<Found>) -> Vec<Found> {
    let mut seen: Vec<Purchase> = Vec::new();
    let mut first = Vec::new();
    for it in others {
        if !seen.contains(&it.purchase) {
            seen.push(it.purchase);
            first.push(it);
        }
    }
    first
}
