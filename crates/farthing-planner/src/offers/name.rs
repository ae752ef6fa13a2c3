//! What an accelerator's name stands for among the offers.

use super::error::RankError;
use farthing_model::{AcceleratorQuery, OfferTable};
use std::collections::BTreeSet;

/// Names that an error suggests.
const SUGGESTIONS_MAX: usize = 8;

/// Refuses a name that stands for several accelerators or for none. Forms (`SXM`, `PCIe`) are no
/// difference; memory is.
pub(crate) fn resolve(query: &AcceleratorQuery, table: &OfferTable) -> Result<(), RankError> {
    let all = || table.groups().iter().filter_map(|group| group.accelerator.as_ref());
    let kinds: BTreeSet<String> = all()
        .filter(|name| query.matches(name))
        .map(|name| match name.memory_gb() {
            Some(memory) => format!("{}-{memory}GB", name.model()),
            None => name.model().to_owned(),
        })
        .collect();
    let name = query.to_string();
    match kinds.len() {
        0 => {
            let names: BTreeSet<String> = all().map(ToString::to_string).collect();
            Err(RankError::Unknown { suggestions: near(&name, names), name })
        }
        1 => Ok(()),
        _ => Err(RankError::Ambiguous { name, choices: kinds.into_iter().collect() }),
    }
}

/// The names nearest to what was asked.
fn near(asked: &str, names: BTreeSet<String>) -> Vec<String> {
    let asked = asked.to_ascii_lowercase();
    let mut order: Vec<(usize, String)> = names
        .into_iter()
        .map(|name| {
            let other = name.to_ascii_lowercase();
            let begins = asked.split('-').next().is_some_and(|model| other.starts_with(model));
            (if begins { 0 } else { 1 + distance(&asked, &other) }, name)
        })
        .collect();
    order.sort();
    order.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name).collect()
}

/// Levenshtein distance of two short names.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = change.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
