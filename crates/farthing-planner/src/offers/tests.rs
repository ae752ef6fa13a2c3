use super::*;
use farthing_model::{OfferId, Place, Price, PriceKind, Provenance, Resources};

fn usd(text: &str) -> Money {
    Money::from_decimal(text, Currency::USD).unwrap()
}

fn offer(id: &str, accelerator: &str, count: u32, price: Option<&str>) -> Offer {
    let mut parts = id.split('/').map(str::to_owned);
    let provenance = Provenance {
        kind: PriceKind::List,
        source: "test".to_owned(),
        as_of: "2026-11-01".parse().unwrap(),
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
        price: match price {
            Some(price) => Price::Known(HourlyRate::new(usd(price)).unwrap(), provenance),
            None => Price::Unknown("not listed".to_owned()),
        },
        available: None,
        residency: Vec::new(),
        warnings: Vec::new(),
    }
}

fn book() -> Vec<Offer> {
    vec![
        offer("aws/us-east-1/p5/on-demand", "H100-80GB-SXM", 8, Some("55.04")),
        offer("aws/us-east-1/p5/spot", "H100-80GB-SXM", 8, Some("20")),
        offer("azure/westeurope/nc40/on-demand", "H100-80GB-NVL", 1, Some("6.98")),
        offer("gcp/us-central1/a2/on-demand", "A100-40GB", 8, Some("29.39")),
        offer("gcp/us-central1/a2u/on-demand", "A100-80GB", 8, Some("40.55")),
        offer("lambda/us/h100x2/on-demand", "H100-80GB-SXM", 2, Some("6.38")),
        offer("lambda/us/h100/on-demand", "H100-80GB-PCIe", 1, None),
        offer("aws/us-east-1/m7i/on-demand", "", 0, Some("0.4")),
    ]
}

fn request(accelerator: &str, count: u32) -> OfferRequest {
    let accelerator = Some(accelerator.parse().unwrap());
    OfferRequest { accelerator, count, ..OfferRequest::default() }
}

fn names<'a>(ranked: &Ranked<'a>) -> Vec<(&'a str, u32, String)> {
    ranked
        .offers
        .iter()
        .map(|at| (at.offer.id.as_str(), at.nodes, at.price.per_hour().to_decimal()))
        .collect()
}

#[test]
fn the_price_of_the_whole_request_ranks() {
    let book = book();
    let ranked = rank(&request("H100-80GB", 8), &book).unwrap();
    assert_eq!(
        names(&ranked),
        [
            ("lambda/us/h100x2/on-demand", 4, "25.52".to_owned()),
            ("aws/us-east-1/p5/on-demand", 1, "55.04".to_owned()),
            ("azure/westeurope/nc40/on-demand", 8, "55.84".to_owned()),
        ]
    );
    assert_eq!(ranked.offers[0].notes, ["4 nodes of 2 accelerators"]);
    assert_eq!(ranked.offers[1].notes, [""; 0]);
    assert_eq!(ranked.considered, 8);
    let excluded: Vec<_> = ranked.excluded.into_iter().collect();
    let expected = [("another accelerator", 3), ("another way to pay", 1), ("price unknown", 1)];
    assert_eq!(excluded, expected);
}

#[test]
fn more_accelerators_than_asked_are_said() {
    let book = book();
    let ranked = rank(&request("H100-80GB", 1), &book).unwrap();
    assert_eq!(ranked.offers[0].offer.id.as_str(), "lambda/us/h100x2/on-demand");
    assert_eq!(ranked.offers[0].notes, ["2 accelerators are paid, 1 were asked for"]);
    let per_node = OfferRequest { nodes: Some(2), ..request("H100-80GB", 8) };
    let ranked = rank(&per_node, &book).unwrap();
    assert_eq!(names(&ranked), [("aws/us-east-1/p5/on-demand", 2, "110.08".to_owned())]);
    assert_eq!(ranked.excluded["too few accelerators on a node"], 3);
}

/// The limit is for all nodes together: a cheap node that is needed four times is over it.
#[test]
fn a_limit_is_for_the_whole_request_and_never_exceeded() {
    let book = book();
    let limited =
        |most: &str| OfferRequest { price_max: Some(usd(most)), ..request("H100-80GB", 8) };
    assert_eq!(names(&rank(&limited("25.52"), &book).unwrap()).len(), 1);
    let ranked = rank(&limited("25.51"), &book).unwrap();
    assert_eq!(ranked.offers, []);
    assert_eq!(ranked.excluded["price over the limit"], 3);
    let node = OfferRequest { node_price_max: Some(usd("7")), ..request("H100-80GB", 8) };
    assert_eq!(rank(&node, &book).unwrap().offers.len(), 2);
    let euros: Money = "9 EUR".parse().unwrap();
    let wrong = OfferRequest { price_max: Some(euros), ..request("H100-80GB", 8) };
    let error = rank(&wrong, &book).unwrap_err().to_string();
    assert_eq!(error, "the limit of 9.00 EUR is not in USD, the currency of the request");
}

#[test]
fn ambiguous_and_unknown_names_are_errors_that_help() {
    let book = book();
    let error = |name: &str| rank(&request(name, 1), &book).unwrap_err().to_string();
    let ambiguous = "`A100` is more than one accelerator: name one of A100-40GB, A100-80GB";
    assert_eq!(error("A100"), ambiguous);
    assert!(error("H10").starts_with("no offer has `H10`; there are H100-80GB-NVL, H100-80GB-PC"));
    assert!(error("A100-48GB").contains("there are A100-40GB, A100-80GB, "));
    assert!(rank(&request("H100", 1), &book).is_ok(), "all H100 here have 80 GB");
    assert_eq!(
        rank(&request("H100", 1), &[]).unwrap_err().to_string(),
        "no offer has `H100`; there are no accelerators among the offers"
    );
}

#[test]
fn places_sizes_and_ways_to_pay_filter() {
    let mut book = book();
    let count = |request: &OfferRequest, book: &[Offer]| rank(request, book).unwrap().offers.len();
    let base = request("H100-80GB", 2);
    assert_eq!(count(&OfferRequest { providers: vec!["AWS".into()], ..base.clone() }, &book), 1);
    assert_eq!(count(&OfferRequest { regions: vec!["us".into()], ..base.clone() }, &book), 1);
    assert_eq!(count(&OfferRequest { purchases: Vec::new(), ..base.clone() }, &book), 4);
    let spot = OfferRequest { purchases: vec![Purchase::Spot], ..base.clone() };
    assert_eq!(count(&spot, &book), 1);
    assert_eq!(count(&OfferRequest { cpu_milli_min: 8_001, ..base.clone() }, &book), 0);
    assert_eq!(count(&OfferRequest { memory_bytes_min: 65 << 30, ..base.clone() }, &book), 0);
    for (pattern, left) in [("aws", 2), ("lambda/us/h100x2", 2), ("*/westeurope", 2), ("ovh", 3)] {
        let excluded = OfferRequest { exclude: vec![pattern.into()], ..base.clone() };
        assert_eq!(count(&excluded, &book), left, "{pattern}");
    }
    book[5].available = Some(0);
    assert_eq!(rank(&base, &book).unwrap().excluded["not enough available"], 1);
    assert_eq!(count(&OfferRequest { limit: 1, ..base }, &book), 1);
}

#[test]
fn without_an_accelerator_machines_are_counted() {
    let book = book();
    let machines = OfferRequest { count: 3, ..OfferRequest::default() };
    let ranked = rank(&machines, &book).unwrap();
    assert_eq!(names(&ranked)[0], ("aws/us-east-1/m7i/on-demand", 3, "1.20".to_owned()));
}
