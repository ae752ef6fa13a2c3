//! What is not known, and what it may hide. Said in the report, never guessed.

use crate::standing::Standing;
use crate::{Input, Placement};
use farthing_model::{Objective, Purchase, Resource};

/// One sentence for each thing that is not known.
pub(crate) fn notes(
    input: &Input,
    standing: &[Standing<'_>],
    placements: &[Placement],
) -> Vec<String> {
    let mut notes = Vec::new();
    let unpriced = input.offers.iter().filter(|offer| offer.price.rate().is_none()).count();
    if unpriced > 0 {
        notes.push(format!("{unpriced} offers have no known price and may be cheaper"));
    }
    let spot = input.offers.iter().any(|offer| offer.purchase == Purchase::Spot);
    if spot && input.policy.spot.is_none() {
        let text = "how often spot is interrupted is not known, so spot is not used";
        notes.push(text.to_owned());
    }
    match input.policy.objective {
        Objective::Cost => {}
        Objective::Time => notes.push("planned for cost: the objective time is not known".into()),
        Objective::Carbon => notes.push("planned for cost: no carbon intensity is known".into()),
    }
    for stand in standing.iter().filter(|stand| stand.rate.is_none()) {
        let (id, offer) = (&stand.observed.workload.id, &stand.assignment.offer);
        notes.push(format!(
            "workload {id}: the price of {offer} is not known; it counts as nothing"
        ));
    }
    for place in placements.iter().filter(|place| !place.stays) {
        let Some(observed) = input.snapshot.workload(&place.workload) else { continue };
        let (Some(data), Some(offer)) = (&observed.workload.data, &place.offer) else { continue };
        let there = input.offers.iter().find(|other| other.id == *offer);
        let (provider, region) = (&data.place.provider, &data.place.region);
        if there.is_some_and(|at| at.place.provider != *provider || at.place.region != *region) {
            let id = &place.workload;
            let note =
                format!("workload {id}: moving its data from {} is not in the cost", data.place);
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    let unmeasured: Vec<&str> = Resource::ALL
        .into_iter()
        .filter(|resource| input.utilisation.get(*resource).is_none())
        .map(Resource::name)
        .collect();
    if !unmeasured.is_empty() {
        notes.push(format!("utilisation is not measured for {}", unmeasured.join(", ")));
    }
    notes
}
