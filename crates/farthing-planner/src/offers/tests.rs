use super::*;
use farthing_model::offer_table::{Filter, Sizes};
use farthing_model::{Currency, OfferId, Place, Price, PriceKind, Provenance, Purchase, Resources};

fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

fn offer(id: &str, accelerator: &str, count: u32, price: &str) -> Offer {
    let mut parts = id.split('/').map(str::to_owned);
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "test".to_owned(),
        as_of: "2026-11-01".parse().unwrap(),
        list: None,
    };
    Offer {
        id: OfferId::new(id).unwrap(),
        place: Place { provider: parts.next().unwrap(), region: parts.next().unwrap(), zone: None },
        instance_type: parts.next().unwrap(),
        accelerator: (count > 0).then(|| accelerator.parse().unwrap()),
        accelerator_count: count,
        capacity: Resources {
            gpu_milli: u64::from(count) * 1000,
            cpu_milli: 8_000,
            memory_bytes: 64 << 30,
            storage_bytes: 0,
        },
        purchase: parts.next().unwrap().parse().unwrap(),
        price: Price::Known(HourlyRate::new(usd(price)).unwrap(), provenance),
        available: None,
        residency: Vec::new(),
        warnings: Vec::new(),
    }
}

fn offers() -> Vec<Offer> {
    vec![
        offer("aws/us-east-1/p5/on-demand", "H100-80GB-SXM", 8, "55.04"),
        offer("aws/us-east-1/p5/spot", "H100-80GB-SXM", 8, "20"),
        offer("azure/westeurope/nc40/on-demand", "H100-80GB-NVL", 1, "6.98"),
        offer("gcp/us-central1/a2/on-demand", "A100-40GB", 8, "29.39"),
        offer("gcp/us-central1/a2u/on-demand", "A100-80GB", 8, "40.55"),
        offer("lambda/us/h100x2/on-demand", "H100-80GB-SXM", 2, "6.38"),
        offer("aws/us-east-1/m7i/on-demand", "", 0, "0.4"),
    ]
}

fn table() -> OfferTable {
    OfferTable::of(&offers()).unwrap().0
}

fn request(accelerator: &str, count: u32) -> OfferRequest {
    let accelerator = Some(accelerator.parse().unwrap());
    OfferRequest { accelerator, count, ..OfferRequest::default() }
}

fn names(ranked: &Ranked) -> Vec<(&str, u32, String)> {
    let name = |it: &'_ RankedOffer| (it.nodes, it.price.per_hour().to_decimal());
    ranked
        .offers
        .iter()
        .map(|it| (it.offer.id.as_str(), name(it)))
        .map(|(id, (nodes, price))| (id, nodes, price))
        .collect()
}

#[test]
fn a_count_is_on_each_node_unless_it_may_be_spread() {
    let ranked = rank(&request("H100-80GB", 8), &table()).unwrap();
    assert_eq!(names(&ranked), [("aws/us-east-1/p5/on-demand", 1, "55.04".to_owned())]);
    let split = ranked.split.as_ref().unwrap();
    assert_eq!((split.offer.id.as_str(), split.nodes), ("lambda/us/h100x2/on-demand", 4));
    assert_eq!(split.notes, ["4 nodes of 2 accelerators"]);
    assert_eq!(ranked.otherwise_paid[0].offer.id.as_str(), "aws/us-east-1/p5/spot");
    let excluded: Vec<_> = ranked.excluded.iter().map(|(why, count)| (*why, *count)).collect();
    assert_eq!(
        excluded,
        [
            ("another accelerator", 3),
            ("another way to pay", 1),
            ("too few accelerators on a node", 2)
        ]
    );
    assert_eq!(ranked.considered, ranked.matched + 6);
    let spread = OfferRequest { split: true, ..request("H100-80GB", 8) };
    assert_eq!(
        names(&rank(&spread, &table()).unwrap()),
        [
            ("lambda/us/h100x2/on-demand", 4, "25.52".to_owned()),
            ("aws/us-east-1/p5/on-demand", 1, "55.04".to_owned()),
            ("azure/westeurope/nc40/on-demand", 8, "55.84".to_owned()),
        ]
    );
}

#[test]
fn more_accelerators_than_asked_are_said() {
    let ranked = rank(&request("H100-80GB", 1), &table()).unwrap();
    assert_eq!(ranked.offers[0].offer.id.as_str(), "lambda/us/h100x2/on-demand");
    assert_eq!(ranked.offers[0].notes, ["2 accelerators are paid, 1 were asked for"]);
    let three = rank(&request("H100-80GB", 3), &table()).unwrap();
    assert_eq!(three.offers[0].notes, ["8 accelerators are paid, 3 were asked for"]);
    let nodes = OfferRequest { nodes: Some(2), ..request("H100-80GB", 8) };
    let ranked = rank(&nodes, &table()).unwrap();
    assert_eq!(names(&ranked), [("aws/us-east-1/p5/on-demand", 2, "110.08".to_owned())]);
    assert_eq!(ranked.split, None, "nodes were given");
}

/// The limit is for all nodes together: a cheap node that is needed four times is over it.
#[test]
fn a_limit_is_for_the_whole_request_and_never_exceeded() {
    let limited = |most: &str| OfferRequest {
        price_max: Some(usd(most)),
        nodes: Some(4),
        ..request("H100-80GB", 2)
    };
    assert_eq!(names(&rank(&limited("25.52"), &table()).unwrap()).len(), 1);
    let ranked = rank(&limited("25.51"), &table()).unwrap();
    assert_eq!(ranked.offers, []);
    assert_eq!(ranked.excluded["price over the limit"], 2);
    assert_eq!(ranked.near[0].reason, "price over the limit");
    assert_eq!(ranked.near[0].offer.price.per_hour(), usd("25.52"), "how far the limit is off");
    let node = OfferRequest { node_price_max: Some(usd("7")), ..request("H100-80GB", 1) };
    assert_eq!(rank(&node, &table()).unwrap().offers.len(), 2);
    let euros: Money = "9 EUR".parse().unwrap();
    let wrong = OfferRequest { price_max: Some(euros), ..request("H100-80GB", 8) };
    let error = rank(&wrong, &table()).unwrap_err().to_string();
    assert_eq!(error, "the limit of 9.00 EUR is not in USD, the currency of the offers");
}

#[test]
fn ambiguous_and_unknown_names_are_errors_that_help() {
    let error = |name: &str| rank(&request(name, 1), &table()).unwrap_err().to_string();
    let ambiguous = "`A100` is more than one accelerator: name one of A100-40GB, A100-80GB";
    assert_eq!(error("A100"), ambiguous);
    assert!(error("H10").starts_with("no offer has `H10`; there are H100-80GB-NVL, H100-80GB-SX"));
    assert!(error("A100-48GB").contains("there are A100-40GB, A100-80GB, "));
    assert!(rank(&request("H100", 1), &table()).is_ok(), "all H100 here have 80 GB");
    assert_eq!(
        rank(&request("H100", 1), &OfferTable::default()).unwrap_err().to_string(),
        "no offer has `H100`; there are no accelerators among the offers"
    );
}

#[test]
fn places_sizes_and_ways_to_pay_filter() {
    let count = |request: &OfferRequest| rank(request, &table()).unwrap().offers.len();
    let base = request("H100-80GB", 1);
    assert_eq!(count(&OfferRequest { providers: vec!["AWS".into()], ..base.clone() }), 1);
    assert_eq!(count(&OfferRequest { regions: vec!["us".into()], ..base.clone() }), 1);
    assert_eq!(count(&OfferRequest { purchases: Vec::new(), ..base.clone() }), 4);
    let spot = OfferRequest { purchases: vec![Purchase::Spot], ..base.clone() };
    assert_eq!(count(&spot), 1);
    let cores = |sizes| count(&OfferRequest { cpu_milli: sizes, ..base.clone() });
    assert_eq!(cores(Sizes::at_least(8_001)), 0);
    assert_eq!((cores(Sizes::exactly(8_000)), cores(Sizes::exactly(4_000))), (3, 0));
    let memory = Sizes::at_least(65 << 30);
    assert_eq!(count(&OfferRequest { memory_bytes: memory, ..base.clone() }), 0);
    let x86 = OfferRequest { arch: Some(Arch::X86), ..base.clone() };
    assert_eq!(count(&x86), 0, "no machine says its own");
    for (pattern, left) in [("aws", 2), ("lambda/us/h100x2", 2), ("*/westeurope", 2), ("ovh", 3)] {
        let excluded = OfferRequest { exclude: vec![pattern.into()], ..base.clone() };
        assert_eq!(count(&excluded), left, "{pattern}");
    }
    let mut few = offers();
    few[5].available = Some(0);
    let few = OfferTable::of(&few).unwrap().0;
    assert_eq!(rank(&base, &few).unwrap().excluded["not enough available"], 1);
    assert_eq!(count(&OfferRequest { limit: 1, ..base }), 1);
}

#[test]
fn without_an_accelerator_machines_are_counted_and_what_they_hold_is_said() {
    let machines = OfferRequest { count: 3, ..OfferRequest::default() };
    let ranked = rank(&machines, &table()).unwrap();
    assert_eq!(names(&ranked)[0], ("aws/us-east-1/m7i/on-demand", 3, "1.20".to_owned()));
    assert_eq!(ranked.offers[1].notes, ["has 2 x H100-80GB-SXM, which were not asked for"]);
}

#[test]
fn a_condition_that_rules_out_the_cheapest_is_named() {
    let there = OfferRequest { regions: vec!["us-east-1".into()], ..request("H100-80GB", 1) };
    let ranked = rank(&there, &table()).unwrap();
    let near: Vec<_> =
        ranked.near.iter().map(|it| (it.reason, it.offer.offer.id.as_str())).collect();
    assert_eq!(near, [("another region", "lambda/us/h100x2/on-demand")]);
    assert_eq!(rank(&request("H100-80GB", 1), &table()).unwrap().near, []);
}

#[test]
fn two_currencies_are_refused_only_where_they_would_be_compared() {
    let mut mixed = offers();
    let Price::Known(_, from) = mixed[3].price.clone() else { panic!() };
    mixed[3].price = Price::Known("29 EUR/h".parse().unwrap(), from);
    let mixed = OfferTable::of(&mixed).unwrap().0;
    assert!(rank(&request("H100-80GB", 8), &mixed).is_ok());
    assert_eq!(rank(&request("A100-40GB", 8), &mixed).unwrap().offers.len(), 1);
    let error = rank(&OfferRequest::default(), &mixed).unwrap_err();
    assert!(matches!(error, RankError::Mixed(..)), "{error}");
}

fn finishing(work: &str, rates: &[(&str, &str)]) -> Finishing {
    let rate = |(name, per_s): &(&str, &str)| {
        let (name, count) = match name.split_once(':') {
            Some((name, count)) => (name, Some(count.parse().unwrap())),
            None => (*name, None),
        };
        RateOf { accelerator: name.parse().unwrap(), count, per_s: per_s.parse().unwrap() }
    };
    Finishing { work: work.parse().unwrap(), rates: rates.iter().map(rate).collect() }
}

#[test]
fn with_a_throughput_the_cost_of_finishing_ranks() {
    let finish = finishing("1000000", &[("H100", "3.17"), ("A100", "1"), ("A100-80GB", "2")]);
    let asked = OfferRequest { finish: Some(finish), ..OfferRequest::default() };
    let ranked = rank(&asked, &table()).unwrap();
    let order: Vec<_> = ranked
        .offers
        .iter()
        .map(|it| {
            let finish = it.finish.unwrap();
            (it.offer.instance_type.as_str(), finish.cost.rounded(4), finish.time.as_secs())
        })
        .collect();
    // 6.38 / (2 x 3.17 x 3600) x 10^6, and so on: the exact rate holds for the 80 GB card.
    assert_eq!(
        order,
        [
            ("h100x2", "279.5303".to_owned(), 157_728),
            ("p5", "602.8742".to_owned(), 39_432),
            ("nc40", "611.6369".to_owned(), 315_457),
            ("a2u", "703.9931".to_owned(), 62_500),
            ("a2", "1020.4861".to_owned(), 125_000),
        ]
    );
    assert_eq!(ranked.excluded["no rate of work for its accelerator"], 1);
}

#[test]
fn a_measured_configuration_holds_before_a_rate_of_one() {
    let finish = finishing("1000", &[("H100-80GB:8", "5"), ("H100", "1"), ("H100", "1")]);
    let asked = OfferRequest { finish: Some(finish), ..request("H100-80GB", 8) };
    let ranked = rank(&asked, &table()).unwrap();
    assert_eq!(ranked.offers[0].finish.unwrap().time.as_secs(), 200);
    let two = finishing("1000", &[("H100", "1"), ("H100", "2")]);
    let asked = OfferRequest { finish: Some(two), ..request("H100-80GB", 8) };
    assert!(matches!(rank(&asked, &table()), Err(RankError::Rates { .. })));
}

/// What a plan selects is what a ranking of the same question finds.
#[test]
fn a_selection_holds_the_cheapest_offer() {
    let query = Filter {
        accelerators: vec!["H100-80GB".parse().unwrap()],
        count: Sizes::at_least(2),
        purchases: vec![Purchase::OnDemand],
        per_region: Some(1),
        ..Filter::default()
    };
    let table = table();
    let selected = table.select(&query);
    let best = rank(&request("H100-80GB", 2), &table).unwrap();
    assert!(selected.contains(&best.offers[0].offer));
}

mod random {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [&str; 4] = ["", "H100-80GB-SXM", "H100-80GB-PCIe", "L4-24GB"];
    const PLACES: [&str; 4] = ["a/x", "a/y", "b/x", "b/z"];

    type Seed = (usize, usize, u32, u64, u64, bool);

    fn made(seeds: &[Seed]) -> Vec<Offer> {
        let make = |(at, seed): (usize, &Seed)| {
            let (name, place, count, cores, price, spot) = *seed;
            let purchase = if spot { "spot" } else { "on-demand" };
            let count = if name == 0 { 0 } else { count };
            let id = format!("{}/t{:02}/{purchase}", PLACES[place], at % 7);
            let mut offer = offer(&id, NAMES[name], count, &format!("{price}.5"));
            offer.capacity.cpu_milli = cores * 1_000;
            offer
        };
        seeds.iter().enumerate().map(make).collect()
    }

    /// Everything that the request says, offer by offer, without an index.
    fn naive(request: &OfferRequest, offers: &[Offer]) -> Vec<(i128, String)> {
        let asked = u64::from(request.count.max(1));
        let mut found = Vec::new();
        for offer in offers {
            let named = request.accelerator.as_ref().is_none_or(|query| {
                offer.accelerator.as_ref().is_some_and(|name| query.matches(name))
            });
            let each = u64::from(offer.accelerator_count);
            let nodes = match (&request.accelerator, request.split, request.nodes) {
                (Some(_), true, _) => asked.div_ceil(each.max(1)),
                (Some(_), false, nodes) if each >= asked => u64::from(nodes.unwrap_or(1)),
                (Some(_), false, _) => continue,
                (None, _, nodes) => nodes.map_or(asked, u64::from),
            };
            let price = offer.price.rate().unwrap().per_hour().pico() * i128::from(nodes);
            let cap = request.price_max.is_none_or(|most| price <= most.pico());
            let place =
                request.providers.is_empty() || request.providers.contains(&offer.place.provider);
            if named
                && cap
                && place
                && request.cpu_milli.contains(offer.capacity.cpu_milli)
                && (request.purchases.is_empty() || request.purchases.contains(&offer.purchase))
            {
                found.push((price, offer.id.to_string()));
            }
        }
        found.sort();
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn the_ranking_is_that_of_looking_at_every_offer(
            seeds in prop::collection::vec(
                (0..4_usize, 0..4_usize, 1..5_u32, 1..5_u64, 0..6_u64, any::<bool>()), 1..24),
            asked in prop::option::of(0..2_usize),
            (count, nodes, split) in (1..6_u32, prop::option::of(1..4_u32), any::<bool>()),
            (cores, cap, provider) in (0..6_u64, prop::option::of(0..24_u64), any::<bool>()),
            spot in 0..3_usize,
        ) {
            let offers = made(&seeds);
            let table = OfferTable::of(&offers).unwrap().0;
            let request = OfferRequest {
                accelerator: asked.map(|at| ["H100-80GB", "L4"][at].parse().unwrap()),
                count,
                nodes: if split { None } else { nodes },
                split: split && asked.is_some(),
                cpu_milli: Sizes::at_least(cores * 1_000),
                purchases: [vec![], vec![Purchase::Spot], vec![Purchase::OnDemand]][spot].clone(),
                price_max: cap.map(|cap| usd(&cap.to_string())),
                providers: if provider { vec!["a".into()] } else { Vec::new() },
                limit: 5,
                ..OfferRequest::default()
            };
            let expected = naive(&request, &offers);
            match rank(&request, &table) {
                Err(error) => prop_assert!(
                    matches!(error, RankError::Unknown { .. }) && expected.is_empty(), "{}", error
                ),
                Ok(ranked) => {
                    prop_assert_eq!(ranked.matched, expected.len());
                    let left: usize = ranked.excluded.values().sum();
                    prop_assert_eq!(ranked.considered, ranked.matched + left);
                    let got: Vec<i128> =
                        ranked.offers.iter().map(|it| it.price.per_hour().pico()).collect();
                    let best: Vec<i128> =
                        expected.iter().take(5).map(|(price, _)| *price).collect();
                    prop_assert_eq!(&got, &best);
                    for it in &ranked.offers {
                        let found = (it.price.per_hour().pico(), it.offer.id.to_string());
                        prop_assert!(expected.contains(&found));
                        if let Some(most) = request.price_max {
                            prop_assert!(it.price.per_hour().pico() <= most.pico());
                        }
                    }
                }
            }
        }
    }
}
