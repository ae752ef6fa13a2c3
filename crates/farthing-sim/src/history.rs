//! What was before a race: the policy of then runs the same world, through the same engine, into
//! the same books. Its own journal ends with it, so that its hours are as those that somebody
//! imported, and whoever comes next finds the world as it left it.

use crate::race::{RaceError, config};
use crate::{Scenario, SimWorld};
use farthing_edge::MemoryStore;
use farthing_engine::{Engine, Planner};
use farthing_ledger::{Books, Weights};
use farthing_planner::Baseline;
use jiff::SignedDuration;

/// Between two of its ticks: it decides seldom, and is metered exactly all the same.
const TICK: SignedDuration = SignedDuration::from_mins(30);

/// The world of a scenario at its start, and what was paid before in `books`.
pub(crate) fn live(
    scenario: &Scenario,
    weights: &Weights,
    books: &Books,
) -> Result<SimWorld, RaceError> {
    let world = SimWorld::new(scenario).map_err(RaceError::World)?;
    let Some(from) = scenario.history.filter(|from| *from < scenario.start) else {
        return Ok(world);
    };
    let config = config(scenario, Planner::Baseline(Baseline::Fifo), TICK, weights);
    let records = (MemoryStore::default(), books.clone());
    let mut engine = Engine::open(config, world, records, from).map_err(RaceError::Engine)?;
    engine.keeps_no_journal();
    let mut now = from;
    loop {
        engine.tick(now).map_err(RaceError::Engine)?;
        if now >= scenario.start {
            break;
        }
        now = now.checked_add(TICK).unwrap_or(scenario.start).min(scenario.start);
    }
    engine.close(now).map_err(RaceError::Engine)?;
    let mut world = engine.into_world();
    world.is_handed_over();
    Ok(world)
}
