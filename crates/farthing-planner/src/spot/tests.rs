//! The rules, against definitions, trying everything, and laws that hold on any trace.

use super::*;
use farthing_model::Currency;
use proptest::prelude::*;

fn terms(work_s: i64, deadline_s: i64, overhead_s: i64) -> Terms {
    let hour = |text: &str| Money::from_decimal(text, Currency::USD).unwrap();
    Terms {
        tick_s: 600,
        work_s,
        deadline_s,
        overhead_s,
        spot_hour: hour("0.9731"),
        on_demand_hour: hour("3.06"),
    }
}

/// Runs a policy until the work is done or the trace ends; whether it is late, what it paid, and
/// decisions that were not safe.
fn run(terms: &Terms, trace: &[bool], policy: &mut dyn Policy) -> (bool, Money, u32) {
    let (mut state, mut spent, mut unsafe_ones) = (State::START, Spent::default(), 0);
    for available in trace {
        state = state.observed(*available);
        let action = policy.decide(&state, *available);
        assert!(*available || action != Action::Spot, "spot that is not there");
        unsafe_ones += u32::from(!is_safe(terms, &state, action));
        spent.spot += i64::from(action == Action::Spot);
        spent.on_demand += i64::from(action == Action::OnDemand);
        state = state.after(terms, action);
        if state.remaining_s(terms) == 0 {
            return (state.elapsed_s > terms.deadline_s, terms.cost(spent).unwrap(), unsafe_ones);
        }
    }
    (true, terms.cost(spent).unwrap(), unsafe_ones)
}

/// The least cost by trying every action at every tick.
fn tried(terms: &Terms, trace: &[bool], state: State) -> Option<i128> {
    if state.remaining_s(terms) == 0 {
        return Some(0);
    }
    let (available, rest) = trace.split_first()?;
    let state = state.observed(*available);
    let hour = |money: Money| money.pico();
    let mut least = tried(terms, rest, state.after(terms, Action::Wait));
    let mut or = |price: i128, action| {
        let after = tried(terms, rest, state.after(terms, action)).map(|cost| cost + price);
        least = least.into_iter().chain(after).min();
    };
    or(hour(terms.on_demand_hour), Action::OnDemand);
    if *available {
        or(hour(terms.spot_hour), Action::Spot);
    }
    least
}

#[test]
fn a_launch_loses_its_overhead_and_a_change_of_mind_loses_it_again() {
    let terms = terms(7_200, 14_400, 720);
    let begun = State::START.after(&terms, Action::Spot);
    assert_eq!((begun.done_s, begun.pending_s), (0, 120));
    let second = begun.after(&terms, Action::Spot);
    assert_eq!((second.done_s, second.pending_s), (480, 0));
    let changed = begun.after(&terms, Action::OnDemand);
    assert_eq!((changed.done_s, changed.pending_s), (0, 120));
    let taken = second.observed(false);
    assert_eq!((taken.on, taken.done_s), (None, 480));
    assert_eq!(begun.after(&terms, Action::Wait).pending_s, 0);
}

#[test]
fn the_optimum_is_that_of_trying_everything() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (proptest::collection::vec(any::<bool>(), 9), 1..8_i64, 0..5_i64, 5..=9_i64);
    let check = |(trace, work, overhead, ticks): (Vec<bool>, i64, i64, i64)| {
        let terms = terms(work * 420, ticks * 600, overhead * 180);
        let found = optimal(&terms, &trace).unwrap().map(Money::pico);
        let within = usize::try_from(ticks).unwrap();
        let least = tried(&terms, &trace[..within], State::START).map(|hours| hours * 600 / 3_600);
        prop_assert_eq!(found, least);
        Ok(())
    };
    runner.run(&strategy, check).unwrap();
}

#[test]
fn terms_that_make_no_job_are_named() {
    let say = |terms: Terms| terms.checked().unwrap_err().to_string();
    let good = terms(3_600, 7_200, 180);
    assert_eq!(say(Terms { work_s: 0, ..good }), "work of 0 s: it must be above zero");
    assert_eq!(
        say(Terms { deadline_s: 7_000, ..good }),
        "a deadline of 7000 s is no whole number of ticks of 600 s"
    );
    assert_eq!(
        say(Terms { deadline_s: 6_000_000, ..good }),
        "10000 ticks to the deadline are more than 1500: use longer ticks"
    );
    let dear = Terms { spot_hour: good.on_demand_hour, ..good };
    assert!(say(dear).ends_with("spot must cost something, and less"));
    assert_eq!(optimal(&good, &[true; 3]).unwrap_err(), SpotError::Short { given: 3, needed: 12 });
}

/// With spot always there, nobody who waits for it pays for anything else.
#[test]
fn where_spot_stays_all_of_the_work_is_on_it() {
    let terms = terms(36_000, 50_400, 180);
    let trace = [true; 84];
    let spot = terms.cost(Spent { spot: 61, on_demand: 0 }).unwrap();
    let prepared = Prepared::new(&terms, &ZonePrior::default()).unwrap();
    assert_eq!(run(&terms, &trace, &mut Learned::new(&prepared)), (false, spot, 0));
    assert_eq!(run(&terms, &trace, &mut SpotGreedy(terms)), (false, spot, 0));
    assert_eq!(optimal(&terms, &trace).unwrap(), Some(spot));
}

/// What can only just be made on demand is not left to chance, and what cannot is begun at once.
#[test]
fn without_slack_all_of_the_work_is_on_demand() {
    for deadline_s in [36_600, 36_000, 30_000] {
        let terms = terms(36_000, deadline_s, 600);
        let prepared = Prepared::new(&terms, &ZonePrior::default()).unwrap();
        let (late, cost, _) = run(&terms, &[true; 90], &mut Learned::new(&prepared));
        assert_eq!(cost, terms.cost(Spent { spot: 0, on_demand: 61 }).unwrap());
        assert_eq!(late, deadline_s < 36_600);
    }
}

#[test]
fn each_action_says_what_it_is_expected_to_cost() {
    let terms = terms(36_000, 50_400, 180);
    let prepared = Prepared::new(&terms, &ZonePrior::default()).unwrap();
    let mut policy = Learned::new(&prepared);
    assert_eq!(policy.decide(&State::START, true), Action::Spot);
    let expected = policy.cost_to_go();
    let pico = |money: Option<Money>| money.unwrap().pico();
    let least = optimal(&terms, &[true; 84]).unwrap().unwrap().pico();
    let most = terms.cost(Spent { spot: 0, on_demand: 61 }).unwrap().pico();
    assert!(least <= pico(expected.spot) && pico(expected.spot) < pico(expected.wait));
    assert!(pico(expected.wait) <= pico(expected.on_demand));
    assert!(pico(expected.on_demand) <= most + most / 100);
    policy.decide(&State::START, false);
    assert_eq!(policy.cost_to_go().spot, None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the trace does: never late, never unsafe, never below the optimum, and never above
    /// on demand by more than what it lost on spot before.
    #[test]
    fn nobody_is_late_and_nobody_beats_the_optimum(
        spells in proptest::collection::vec(1..30_usize, 120),
        work in 30..90_i64,
        slack in 0..60_i64,
        overhead_s in prop_oneof![Just(0), Just(180), Just(720), Just(1_440), 1..2_000_i64],
    ) {
        let launch = (overhead_s + 599) / 600;
        let terms = terms(work * 600, (work + slack + launch) * 600, overhead_s);
        let mut trace = Vec::new();
        for (at, length) in spells.iter().enumerate() {
            trace.extend(std::iter::repeat_n(at % 2 == 0, *length));
        }
        let prepared = Prepared::new(&terms, &ZonePrior::default()).unwrap();
        let least = optimal(&terms, &trace);
        let (late, cost, unsafe_ones) = run(&terms, &trace, &mut Learned::new(&prepared));
        prop_assert!(!late && unsafe_ones == 0);
        if let Ok(least) = least {
            prop_assert!(least.is_some_and(|least| least.pico() <= cost.pico()));
        }
        let others: [&mut dyn Policy; 4] = [
            &mut UniformProgress { terms, hysteresis: true },
            &mut UniformProgress { terms, hysteresis: false },
            &mut SpotGreedy(terms),
            &mut OnDemand,
        ];
        for policy in others {
            prop_assert!(!run(&terms, &trace, policy).0);
        }
    }
}
