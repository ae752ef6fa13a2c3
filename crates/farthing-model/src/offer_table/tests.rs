use super::*;
use crate::OfferId;

fn offer(id: &str, accelerator: Option<(&str, u32)>, price: &str) -> Offer {
    let parts: Vec<&str> = id.split('/').collect();
    let rate: HourlyRate = format!("{price} USD/h").parse().unwrap();
    let source = "test".to_owned();
    let as_of = "2026-11-01".parse().unwrap();
    Offer {
        id: OfferId::new(id).unwrap(),
        place: Place { provider: parts[0].into(), region: parts[1].into(), zone: None },
        instance_type: parts[2].into(),
        accelerator: accelerator.map(|(name, _)| name.parse().unwrap()),
        accelerator_count: accelerator.map_or(0, |(_, count)| count),
        capacity: Resources { cpu_milli: 8_000, memory_bytes: 64 << 30, ..Resources::default() },
        purchase: parts[3].parse().unwrap(),
        price: Price::Known(rate, Provenance { kind: PriceKind::List, source, as_of, list: None }),
        available: None,
        residency: vec!["eu".into()],
        warnings: vec!["odd".into()],
    }
}

fn offers() -> Vec<Offer> {
    let mut offers = vec![
        offer("a/x/m/on-demand", None, "1"),
        offer("a/x/g8/on-demand", Some(("H100-80GB-SXM", 8)), "20"),
        offer("a/y/g8/on-demand", Some(("H100-80GB-SXM", 8)), "19"),
        offer("b/x/g8/on-demand", Some(("H100-80GB-SXM", 8)), "19"),
        offer("b/x/g8/spot", Some(("H100-80GB-SXM", 8)), "9"),
        offer("b/x/h8/on-demand", Some(("H100-80GB-SXM", 8)), "19.5"),
    ];
    offers.sort_by(|a, b| a.id.cmp(&b.id));
    offers
}

#[test]
fn offers_come_out_as_they_went_in() {
    let (table, unpriced) = OfferTable::of(&offers()).unwrap();
    assert_eq!((table.offers(), unpriced), (offers(), 0));
    let again = OfferTable::new(table.clone().into_parts()).unwrap();
    assert_eq!(again.offers(), offers());
    let unknown = Offer { price: Price::Unknown("why".into()), ..offers().remove(0) };
    assert_eq!(OfferTable::of(&[unknown]).unwrap().1, 1);
}

#[test]
fn groups_are_cheapest_first_with_ties_by_name() {
    let (table, _) = OfferTable::of(&offers()).unwrap();
    let group = |at: usize| {
        let rows = table.groups()[at].rows();
        rows.map(|row| table.offer(row).id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(group(0), ["a/x/m/on-demand"]);
    assert_eq!(
        group(1),
        ["a/y/g8/on-demand", "b/x/g8/on-demand", "b/x/h8/on-demand", "a/x/g8/on-demand"]
    );
    assert_eq!(group(2), ["b/x/g8/spot"]);
}

#[test]
fn a_selection_is_what_its_filter_says() {
    let (table, _) = OfferTable::of(&offers()).unwrap();
    let ids = |filter: &Filter| {
        let found = table.select(filter);
        found.iter().map(|offer| offer.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&Filter::default()).len(), 6);
    let h100 = Filter { accelerators: vec!["H100-80GB".parse().unwrap()], ..Filter::default() };
    assert_eq!(ids(&h100).len(), 5);
    let one = Filter { per_region: Some(1), purchases: vec![Purchase::OnDemand], ..h100.clone() };
    assert_eq!(ids(&one), ["a/x/g8/on-demand", "a/y/g8/on-demand", "b/x/g8/on-demand"]);
    assert!(ids(&Filter { count: Sizes::exactly(4), ..h100.clone() }).is_empty());
    assert!(ids(&Filter { residency: vec!["us".into()], ..h100.clone() }).is_empty());
    assert!(ids(&Filter { arch: Some(Arch::X86), ..h100 }).is_empty(), "no row says its own");
    let small = Filter { cpu_milli: Sizes::at_least(8_001), ..Filter::default() };
    assert!(ids(&small).is_empty());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let parts = || OfferTable::of(&offers()).unwrap().0.into_parts();
    let mut bad = parts();
    bad.rows[2].shape = 99;
    assert_eq!(OfferTable::new(bad).unwrap_err(), TableError::Index(2));
    let mut bad = parts();
    bad.rows[1].pico = 0;
    assert_eq!(OfferTable::new(bad).unwrap_err(), TableError::Price(1));
    let mut bad = parts();
    bad.shapes[0].instance_type = Arc::from("a\nb");
    let error = OfferTable::new(bad).unwrap_err().to_string();
    assert!(error.ends_with("it has control characters"), "{error}");
}
