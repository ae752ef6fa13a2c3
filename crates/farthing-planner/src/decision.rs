//! All decisions as one: from an input to a program and what is chosen for it.
//!
//! Start at [`decide`]. What stands, stays: jobs are never moved, and a service is decided about
//! anew only if what it has is not enough any more, or costs notably more than what would be.

use crate::account::{Account, accounts};
use crate::candidate::{Class, Considered, Filter, classes, replica_kinds};
use crate::column::{Column, Ground, Pool};
use crate::fleet::Choice;
use crate::program::{Program, Scale};
use crate::serving::apart::choose_apart;
use crate::serving::{Scene, Serving, wanted};
use crate::standing::{Standing, held, standing};
use crate::{Effort, HeldBack, Input, PlanError};
use farthing_model::{Observed, WorkloadId};
use jiff::Timestamp;

/// A service that does with what it has is moved only if that saves more than this part of its
/// cost: a change starts replicas, which are paid before they serve, and may fail.
const WORTH_A_CHANGE: i128 = 100;

/// What was decided.
pub(crate) struct Decision<'a> {
    /// The program and everything it was made from.
    pub(crate) program: Program<'a>,
    /// What was chosen.
    pub(crate) choice: Choice,
    /// What stands; open where the program decided about it.
    pub(crate) standing: Vec<Standing<'a>>,
    /// Services that no kind of replica can serve.
    pub(crate) hopeless: Vec<Serving<'a>>,
    /// Services that are not needed at all and give back what they have.
    pub(crate) retired: Vec<&'a Observed>,
    /// Services in the program that do with what they have.
    pub(crate) sufficient: Vec<WorkloadId>,
    /// Services that would need more, and that the ladder of a budget keeps as they are.
    pub(crate) held_back: Vec<&'a HeldBack>,
    /// How far each offer came.
    pub(crate) considered: Considered,
}

/// What can be said about a service that has replicas.
enum Present {
    /// They are what it needs.
    Settled,
    /// They are enough, and something else is notably cheaper.
    Dear,
    /// They are not enough.
    Short,
}

/// Decides everything.
pub(crate) fn decide(input: &Input) -> Result<Decision<'_>, PlanError> {
    let mut considered = Considered::new(input.offers.len());
    let mut standing = standing(input);
    let classes = classes(input, &mut considered)?;
    let used = offers_used(input, &mut considered);
    let until = last_end(input, &classes);
    let accounts = accounts(input, until, |state, window| held(&standing, state, window))?;
    let Opened { settled, sufficient, held_back } = open_services(input, &mut standing, &used)?;
    let ground = Ground { input, classes: &classes, accounts: &accounts, standing: &standing };
    let pools = ground.pools(&used);
    let columns = ground.columns(&pools)?;
    let (mut services, mut hopeless, mut retired) = (Vec::new(), Vec::new(), Vec::new());
    let scene = Scene { input, accounts: &accounts, pools: &pools, standing: &standing };
    for observed in &input.snapshot.workloads {
        let Some(service) = wanted(observed) else { continue };
        let mut stands =
            standing.iter().filter(|stand| stand.observed.workload.id == observed.workload.id);
        if settled.contains(&observed.workload.id) {
            continue;
        }
        let mut serving = scene.serving(observed, service, Serving::target(input, service))?;
        if input.held_back(&observed.workload.id).is_some() {
            serving = serving.within(&standing);
        }
        let unserved = serving.kinds.is_empty() || serving.unserved().is_some();
        if !serving.needed {
            retired.extend(stands.next().map(|_| observed));
        } else if unserved || Serving::target(input, service).ppm() == 0 {
            hopeless.push(serving);
        } else {
            services.push(serving);
        }
    }
    let mut program = assemble(classes, columns, services, (pools, accounts))?;
    let choice = choose_apart(&mut program, input.effort)?;
    let decision = Decision {
        program,
        choice,
        standing,
        hopeless,
        retired,
        sufficient,
        held_back,
        considered,
    };
    Ok(decision)
}

/// Offers that some service may use.
fn offers_used(input: &Input, considered: &mut Considered) -> Vec<usize> {
    let mut used = Vec::new();
    for observed in &input.snapshot.workloads {
        let Some(service) = wanted(observed) else { continue };
        for (index, offer) in input.offers.iter().enumerate() {
            let kinds = replica_kinds((&observed.workload, service), (index, offer), input);
            considered
                .note(index, kinds.as_ref().map_or_else(|filter| *filter, |_| Filter::Passed));
            if kinds.is_ok() && !used.contains(&index) {
                used.push(index);
            }
        }
    }
    used
}

/// The latest moment that new work can last to.
fn last_end(input: &Input, classes: &[Class<'_>]) -> Timestamp {
    let longest = classes.iter().flat_map(|class| &class.ways).map(|way| way.run).max();
    let end = longest.and_then(|run| input.horizon.to().checked_add(run).ok());
    end.unwrap_or(input.horizon.to())
}

/// Services that have replicas, as far as that decides about them.
#[derive(Default)]
struct Opened<'a> {
    /// Those that keep what they have.
    settled: Vec<WorkloadId>,
    /// Those that could do with what they have.
    sufficient: Vec<WorkloadId>,
    /// Of those that keep what they have, those that need more and may not have it.
    held_back: Vec<&'a HeldBack>,
}

/// Opens what stands of each service that is to be decided about.
fn open_services<'a>(
    input: &'a Input,
    standing: &mut [Standing<'a>],
    used: &[usize],
) -> Result<Opened<'a>, PlanError> {
    let mut opened = Opened::default();
    for observed in &input.snapshot.workloads {
        let Some(service) = wanted(observed) else { continue };
        let id = &observed.workload.id;
        if standing.iter().all(|stand| stand.observed.workload.id != *id) {
            continue;
        }
        mark(standing, id, true);
        let ground = Ground { input, classes: &[], accounts: &[], standing };
        let pools = ground.pools(used);
        let scene = Scene { input, accounts: &[], pools: &pools, standing };
        let max = Serving::limit(input, service);
        // What it has it may keep, so that no pool can be in its way.
        let kept = Scene { input, accounts: &[], pools: &[], standing };
        let as_it_is = kept.serving(observed, service, max)?;
        let mut anew = scene.serving(observed, service, Serving::target(input, service))?;
        let held = input.held_back(id).filter(|_| anew.needed);
        if held.is_some() {
            anew = anew.within(standing);
        }
        let unserved = anew.kinds.is_empty() || anew.unserved().is_some();
        let hopeless = anew.needed && unserved;
        match (present(input, standing, as_it_is, anew, &pools)?, held) {
            (Present::Short, Some(held)) => {
                mark(standing, id, false);
                opened.settled.push(id.clone());
                opened.held_back.push(held);
            }
            (Present::Settled, _) => {
                mark(standing, id, false);
                opened.settled.push(id.clone());
            }
            (Present::Dear, _) => opened.sufficient.push(id.clone()),
            // It keeps what it has, as there is nothing else.
            (Present::Short, None) if hopeless => mark(standing, id, false),
            (Present::Short, None) => {}
        }
    }
    Ok(opened)
}

fn mark(standing: &mut [Standing<'_>], id: &WorkloadId, open: bool) {
    let here = standing.iter_mut().filter(|stand| stand.observed.workload.id == *id);
    here.for_each(|stand| stand.open = open);
}

/// Compares what a service has with the best that it could have, if there were no budget and
/// nobody else.
fn present<'a>(
    input: &Input,
    standing: &[Standing<'a>],
    as_it_is: Serving<'a>,
    anew: Serving<'a>,
    pools: &[Pool],
) -> Result<Present, PlanError> {
    if !anew.needed {
        return Ok(Present::Short);
    }
    let cost = anew.present_cost;
    let Some(fixed) = as_it_is.fixed_to(standing) else { return Ok(Present::Short) };
    if !alone(fixed, pools, input.effort)?.served.iter().any(Option::is_some) {
        return Ok(Present::Short);
    }
    let best = alone(anew, pools, input.effort)?;
    // The bound is relative to what stands, which would be given back.
    let saving = best.cost_bound.map_or(0, |bound| -bound);
    let change = best.served.iter().any(Option::is_some) && saving > cost / WORTH_A_CHANGE;
    Ok(if change { Present::Dear } else { Present::Settled })
}

/// The choice for one service alone.
fn alone(service: Serving<'_>, pools: &[Pool], effort: Effort) -> Result<Choice, PlanError> {
    if service.kinds.is_empty() {
        return Ok(Choice::default());
    }
    let mut program =
        assemble(Vec::new(), Vec::new(), vec![service], (pools.to_vec(), Vec::new()))?;
    choose_apart(&mut program, effort)
}

fn assemble<'a>(
    classes: Vec<Class<'a>>,
    columns: Vec<Column>,
    services: Vec<Serving<'a>>,
    (pools, accounts): (Vec<Pool>, Vec<Account<'a>>),
) -> Result<Program<'a>, PlanError> {
    let mut placeable = vec![false; classes.len()];
    for column in &columns {
        placeable[column.class] = true;
    }
    let jobs = classes.iter().map(|class| (class.workload.value.nano(), class.size));
    let serving = services.iter().map(|service| (service.observed.workload.value.nano(), 1));
    let scale = Scale::of(jobs.chain(serving));
    let overflow = || PlanError::Overflow("the values of all workloads".to_owned());
    let weight = |value: i128| scale.weight(value).ok_or_else(overflow);
    let weights = classes.iter().map(|class| weight(class.workload.value.nano()));
    let weights = weights.collect::<Result<_, _>>()?;
    let serving = services.iter().map(|service| weight(service.observed.workload.value.nano()));
    let service_weights = serving.collect::<Result<_, _>>()?;
    Ok(Program {
        classes,
        columns,
        placeable,
        services,
        pools,
        accounts,
        weights,
        service_weights,
        scale,
    })
}
