//! The safety net: whether an action leaves a way to be in time that needs no luck.
//!
//! From the definition alone: whatever happens after this tick, on demand from then on must still
//! finish before the deadline.

use super::{Action, Place, State, Terms};

/// Whether the job can be finished on demand, launched at the end of this tick at the latest, if
/// the action is taken. Where nothing can finish it any more, only [`Action::OnDemand`] is safe.
pub fn is_safe(terms: &Terms, state: &State, action: Action) -> bool {
    if action == Action::OnDemand {
        return true;
    }
    let gained_s = match (action, state.on) {
        (Action::Spot, Some(Place::Spot)) => (terms.tick_s - state.pending_s).max(0),
        (Action::Spot, _) => (terms.tick_s - terms.overhead_s).max(0),
        _ => 0,
    };
    let left_s = terms.work_s - state.done_s - gained_s;
    let time_s = terms.deadline_s - state.elapsed_s - terms.tick_s;
    // Work that ends within this tick needs no launch after it.
    left_s <= 0 || left_s + terms.overhead_s <= time_s
}
