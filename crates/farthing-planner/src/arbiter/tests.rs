use super::*;

fn usd(milli: i128) -> Money {
    Money::from_pico(milli * 1_000_000_000, Currency::USD)
}

fn workload(number: u64) -> Target {
    Target::Workload(WorkloadId::new(&format!("w{number}")).unwrap())
}

fn proposal(name: &str, brings: i128, targets: &[u64]) -> Proposal {
    Proposal {
        name: name.to_owned(),
        decision: "fleet",
        duty: Duty::Saving,
        brings: usd(brings),
        keeps: usd(0),
        targets: targets.iter().map(|it| workload(*it)).collect(),
        needs: Vec::new(),
        takes: Vec::new(),
    }
}

fn asked<'a>(proposals: &'a [Proposal], limits: &'a [SharedLimit]) -> Arbitration<'a> {
    Arbitration { proposals, limits, currency: Currency::USD }
}

#[test]
fn two_that_share_nothing_with_each_other_win_over_a_larger_one() {
    let all = [proposal("both", 500, &[1, 2]), proposal("a", 300, &[1]), proposal("b", 201, &[2])];
    let asked = asked(&all, &[]);
    let made = arbitrate(&asked).unwrap();
    assert_eq!((made.chosen, made.brings, made.proven), (vec![1, 2], usd(501), true));
    let (at, why) = &made.lost[0];
    assert_eq!(*at, 0);
    assert_eq!(
        asked.reason(why),
        "w1 goes to a (fleet) and b (fleet), which brings 0.001 USD more"
    );
}

#[test]
fn what_must_be_comes_before_any_money() {
    let mut cut = proposal("cut", -900, &[1]);
    (cut.duty, cut.decision) = (Duty::Limit, "budget");
    let mut start = proposal("start", -5, &[1, 2]);
    start.duty = Duty::Work;
    let all = [start, proposal("grow", 5_000, &[1]), cut];
    let asked = asked(&all, &[]);
    let made = arbitrate(&asked).unwrap();
    assert_eq!(made.chosen, [2]);
    let said: Vec<String> = made.lost.iter().map(|(_, why)| asked.reason(why)).collect();
    let right = "w1 goes to cut (budget), which comes before money";
    assert_eq!(said, [right, right]);
}

#[test]
fn what_stands_yields_only_to_what_brings_more_dollars_than_it_keeps() {
    let mut stands = proposal("stands", 100, &[1]);
    stands.keeps = usd(10);
    for (rival, winner) in [(105, 0), (110, 0), (111, 1)] {
        let all = [stands.clone(), proposal("rival", rival, &[1])];
        let asked = asked(&all, &[]);
        let made = arbitrate(&asked).unwrap();
        assert_eq!(made.chosen, [winner], "{rival}");
        if winner == 0 {
            let why = asked.reason(&made.lost[0].1);
            assert!(why.ends_with("which stands already, and this does not bring enough more"));
        }
    }
    // Dollars that it does not bring any more do not hold it.
    stands.brings = usd(-1);
    let made = arbitrate(&asked(&[stands], &[])).unwrap();
    assert_eq!((made.chosen, made.lost), (vec![], vec![(0, Lost::Worthless)]));
}

#[test]
fn what_is_needed_and_what_is_shared_binds() {
    let mut give_back = proposal("give back", 400, &[1]);
    give_back.needs = vec![1];
    let mut moves = proposal("move", -50, &[2]);
    moves.takes = vec![(0, 3)];
    let mut other = proposal("other", 300, &[3]);
    other.takes = vec![(0, 2)];
    let all = [give_back, moves, other];
    let limits = |left| [SharedLimit { name: "nodes a tick".to_owned(), left }];
    let five = limits(5);
    assert_eq!(arbitrate(&asked(&all, &five)).unwrap().chosen, [0, 1, 2]);
    let four = limits(4);
    let made = arbitrate(&asked(&all, &four)).unwrap();
    assert_eq!((made.chosen, &made.lost), (vec![0, 1], &vec![(2, Lost::Limit(0))]));
    let two = limits(2);
    let made = arbitrate(&asked(&all, &two)).unwrap();
    assert_eq!(made.chosen, [2]);
    assert_eq!(made.lost, [(0, Lost::Needs(1)), (1, Lost::Limit(0))]);
}

#[test]
fn another_currency_is_refused() {
    let euros = Money::from_pico(1, "EUR".parse().unwrap());
    let one = Proposal { brings: euros, ..proposal("euros", 1, &[1]) };
    assert!(arbitrate(&asked(&[one], &[])).is_err());
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % below
    }
}

fn drawn(seed: u64) -> (Vec<Proposal>, Vec<SharedLimit>) {
    let mut dice = Dice(seed + 1);
    let limits: Vec<SharedLimit> = (0..dice.below(3))
        .map(|at| SharedLimit { name: format!("limit {at}"), left: dice.below(12) })
        .collect();
    let mut proposals = Vec::new();
    for at in 0..=dice.below(9) {
        let targets: Vec<u64> = (0..=dice.below(3)).map(|_| dice.below(7)).collect();
        let mut one = proposal(&format!("p{at}"), i128::from(dice.below(2_000)) - 600, &targets);
        one.duty = match dice.below(10) {
            0 => Duty::Approved,
            1 | 2 => Duty::Limit,
            3 | 4 => Duty::Work,
            _ => Duty::Saving,
        };
        one.keeps = usd(if dice.below(3) == 0 { 100 } else { 0 });
        if at > 0 && dice.below(4) == 0 {
            one.needs.push(usize::try_from(dice.below(at)).unwrap());
        }
        for limit in 0..limits.len() {
            if dice.below(2) == 0 {
                one.takes.push((limit, dice.below(6)));
            }
        }
        proposals.push(one);
    }
    (proposals, limits)
}

/// What a choice is worth, in the order in which it counts; `None` where it is not allowed.
fn worth(asked: &Arbitration<'_>, chosen: &[usize]) -> Option<[i128; 4]> {
    let (mut seen, mut used) = (BTreeSet::new(), vec![0; asked.limits.len()]);
    let mut worth = [0; 4];
    for at in chosen {
        let one = &asked.proposals[*at];
        let free = one.targets.iter().all(|target| seen.insert(target));
        if !free || one.needs.iter().any(|need| !chosen.contains(need)) {
            return None;
        }
        one.takes.iter().for_each(|(limit, n)| used[*limit] += n);
        match one.duty {
            Duty::Approved => worth[0] += 1,
            Duty::Limit => worth[1] += 1,
            Duty::Work => worth[2] += 1,
            Duty::Saving => {}
        }
        let brings = one.brings.pico();
        worth[3] += if brings > 0 { brings + one.keeps.pico() } else { brings };
    }
    let fits = used.iter().zip(asked.limits).all(|(used, limit)| *used <= limit.left);
    fits.then_some(worth)
}

/// Against every choice there is, for 600 drawn cases.
#[test]
fn no_other_choice_is_better() {
    let (mut contested, mut limited) = (0, 0);
    for seed in 0..600 {
        let (proposals, limits) = drawn(seed);
        let asked = asked(&proposals, &limits);
        let made = arbitrate(&asked).unwrap();
        let ours = worth(&asked, &made.chosen).unwrap_or_else(|| panic!("{seed}: {made:?}"));
        let choice = |set: u32| -> Vec<usize> {
            (0..proposals.len()).filter(|at| set >> at & 1 == 1).collect()
        };
        let best = (0..1_u32 << proposals.len()).filter_map(|set| worth(&asked, &choice(set)));
        assert_eq!(Some(ours), best.max(), "seed {seed}: {made:?}");
        assert_eq!(made.chosen.len() + made.lost.len(), proposals.len());
        assert!(made.proven);
        contested += made.lost.iter().filter(|(_, it)| matches!(it, Lost::To { .. })).count();
        limited += made.lost.iter().filter(|(_, it)| matches!(it, Lost::Limit(_))).count();
    }
    assert!(contested > 300 && limited > 30, "{contested} {limited}");
}

/// Law 2 for the choice: what is chosen is chosen again from itself, and beside those that lost
/// once it stands.
#[test]
fn what_is_chosen_is_chosen_again() {
    for seed in 0..200 {
        let (mut proposals, limits) = drawn(seed);
        let chosen = arbitrate(&asked(&proposals, &limits)).unwrap().chosen;
        let place = |at: &usize| chosen.binary_search(at).unwrap();
        let alone: Vec<Proposal> = chosen
            .iter()
            .map(|at| {
                let one = proposals[*at].clone();
                Proposal { needs: one.needs.iter().map(place).collect(), ..one }
            })
            .collect();
        let again = arbitrate(&asked(&alone, &limits)).unwrap();
        assert_eq!((again.chosen.len(), again.lost.len()), (alone.len(), 0), "seed {seed}");
        for at in &chosen {
            proposals[*at].keeps = usd(150);
        }
        assert_eq!(arbitrate(&asked(&proposals, &limits)).unwrap().chosen, chosen, "seed {seed}");
    }
}

/// Hundreds that hang together go to the solver, which is as good: in each group of three that want
/// the same the best wins, as far as the shared limit goes.
#[test]
fn large_parts_are_solved_as_well() {
    let mut proposals = Vec::new();
    for group in 0..60 {
        for rank in 0..3_u64 {
            let brings = i128::from(100 + group * 3 + rank);
            let mut one = proposal(&format!("{group}-{rank}"), brings, &[group]);
            one.takes = vec![(0, 1)];
            proposals.push(one);
        }
    }
    let limits = [SharedLimit { name: "nodes a tick".to_owned(), left: 40 }];
    let made = arbitrate(&asked(&proposals, &limits)).unwrap();
    let right: Vec<usize> = (20..60).map(|group| group * 3 + 2).collect();
    assert_eq!((made.chosen, made.proven), (right, true));
}
