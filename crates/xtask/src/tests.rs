//! The joins and exclusions on small inputs, the committed files against their sources, and the
//! book's invariants.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::catalog::{self, Row};
use crate::decimal::Decimal;
use crate::machines::{self, Machine};
use crate::names::Names;
use crate::prices::{self, Candidate, Offer, Purchase};
use crate::report::{Reason, Report};
use crate::table::Csv;
use crate::{gcp, tasks, traces};

fn decimal(text: &str) -> Option<Decimal> {
    (!text.is_empty()).then(|| Decimal::parse(text).expect("plain decimal"))
}

/// `type accelerator count price spot zone`, `-` for nothing; the region is the zone without its
/// letter.
fn rows(provider: &str, lines: &str) -> Vec<Row> {
    let field = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
    let row = |line: &str| {
        let parts: Vec<String> = line.split_whitespace().map(field).collect();
        let zone = parts[5].clone();
        Row {
            provider: provider.to_owned(),
            instance_type: parts[0].clone(),
            accelerator: parts[1].clone(),
            count: decimal(&parts[2]),
            vcpus: decimal("12"),
            memory: decimal("85"),
            price: decimal(&parts[3]),
            spot: decimal(&parts[4]),
            region: zone.rsplit_once('-').map_or(zone.clone(), |(region, _)| region.to_owned()),
            zone,
            source: "test",
            as_of: "2026-01-01",
        }
    };
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(row).collect()
}

fn machine(name: &str) -> Machine {
    machines::all().into_iter().find(|machine| machine.name == name).expect("in the list")
}

fn gcp_candidates(lines: &str, report: &mut Report) -> Vec<Candidate> {
    gcp::candidates(&rows("gcp", lines), &machines::all(), report).expect("joins")
}

fn shown(offers: &[Offer]) -> Vec<String> {
    let line = |offer: &Offer| {
        format!(
            "{} {} {:?} {}",
            offer.from.machine.name, offer.from.zone, offer.purchase, offer.price
        )
    };
    offers.iter().map(line).collect()
}

#[test]
fn gcp_host_and_accelerator_are_summed_exactly_in_the_same_zone() {
    let mut report = Report::default();
    let found = gcp_candidates(
        "a2-highgpu-1g - - 0.73948 0.33413 us-central1-a
         a2-highgpu-2g - - 1.47895 0.66827 us-central1-a
         - A100 1 2.93391 1.4341 us-central1-a
         - A100 1 2.93391 1.4341 us-central1-b
         - A100-80GB 1 3.9 1.9 us-central1-a",
        &mut report,
    );
    let offers: Vec<Offer> =
        found.iter().flat_map(|candidate| prices::judge(candidate, &mut report)).collect();
    assert_eq!(
        shown(&offers),
        [
            "a2-highgpu-1g us-central1-a OnDemand 3.67339",
            "a2-highgpu-1g us-central1-a Spot 1.76823"
        ]
    );
    assert_eq!(
        report.count(Reason::NoHost),
        2,
        "zone b has no host, the 80 GB card has none at all"
    );
}

#[test]
fn an_attached_accelerator_joins_its_n1_host_and_a_tpu_is_whole() {
    let mut report = Report::default();
    let found = gcp_candidates(
        "n1-standard-4 - - 0.19 0.04 us-east4-a
         - T4 1 0.35 0.17 us-east4-a
         - tpu-v5litepod-8 1 9.6 2.05738 us-east4-a",
        &mut report,
    );
    let names: Vec<&str> = found.iter().map(|candidate| candidate.machine.name).collect();
    assert_eq!(names, ["n1-standard-4+t4x1", "ct5lp-hightpu-8t"]);
    assert_eq!(found[0].price, decimal("0.54"));
    assert_eq!((found[1].vcpus, found[1].memory), (decimal("224"), decimal("384")));
}

#[test]
fn a_committed_price_in_place_of_on_demand_is_seen_by_its_ratio_to_the_host() {
    let mut report = Report::default();
    let found = gcp_candidates(
        "a3-highgpu-8g - - 9.46 1.5 us-central1-a
         a3-highgpu-8g - - 9.46 1.5 us-east4-a
         a3-highgpu-8g - - 12.1 1.5 europe-west4-b
         - H100 8 33.60609 32.0 us-central1-a
         - H100 8 78.37241 24.0 us-east4-a
         - H100 8 101.88413 30.0 europe-west4-b",
        &mut report,
    );
    let offers: Vec<Offer> =
        found.iter().flat_map(|candidate| prices::judge(candidate, &mut report)).collect();
    assert_eq!(report.count(Reason::LeakedDiscount), 1);
    let on_demand: Vec<&str> = offers
        .iter()
        .filter(|offer| offer.purchase == Purchase::OnDemand)
        .map(|offer| offer.from.zone.as_str())
        .collect();
    assert_eq!(on_demand, ["europe-west4-b", "us-east4-a"]);
    assert_eq!(offers.len(), 5, "spot below even the leaked price stays");
}

#[test]
fn half_a_price_is_no_price() {
    let mut report = Report::default();
    let found = gcp_candidates(
        "a4-highgpu-8g - - 0 0 us-west2-c
         - B200 8 64.44 30.976 us-west2-c",
        &mut report,
    );
    let offers: Vec<Offer> =
        found.iter().flat_map(|candidate| prices::judge(candidate, &mut report)).collect();
    assert_eq!((offers.len(), report.count(Reason::HostPriceMissing)), (0, 1));
}

fn azure(price: &str, spot: &str) -> (Vec<Offer>, Report) {
    let row = rows("azure", &format!("x H200 8 {price} {spot} eastus-1")).remove(0);
    let mut report = Report::default();
    let offers =
        prices::judge(&Candidate::from_row(machine("Standard_ND96isr_H200_v5"), &row), &mut report);
    (offers, report)
}

#[test]
fn what_is_not_a_spot_offer() {
    for (price, spot, reason) in [
        ("84.8", "84.8", Reason::SpotNotBelow),
        ("84.8", "90", Reason::SpotNotBelow),
        ("30.09784", "30.0978", Reason::SpotNoDiscount),
        ("84.8", "0", Reason::SpotNone),
        ("84.8", "-", Reason::SpotNone),
    ] {
        let (offers, report) = azure(price, spot);
        assert_eq!((offers.len(), report.count(reason)), (1, 1), "{price} {spot}");
    }
    let (offers, report) = azure("-", "-");
    assert_eq!((offers.len(), report.count(Reason::NoPrice)), (0, 1));
    assert_eq!(azure("84.8", "20").0.len(), 2);
}

#[test]
fn a_machine_sold_as_spot_only_has_no_on_demand_offer() {
    let row = rows("gcp", "a3-highgpu-1g - - 10.9 3.1 us-east4-a").remove(0);
    let mut report = Report::default();
    let offers = prices::judge(&Candidate::from_row(machine("a3-highgpu-1g"), &row), &mut report);
    assert_eq!(shown(&offers), ["a3-highgpu-1g us-east4-a Spot 3.1"]);
    assert_eq!(report.count(Reason::NotSoldOnDemand), 1);
}

#[test]
fn outliers_and_dearer_zones_are_dropped() {
    let row = |region: &str, zone: &str, price: &str| {
        let row = rows("gcp", &format!("g2-standard-4 - - {price} - {region}-{zone}")).remove(0);
        let from = Candidate::from_row(machine("g2-standard-4"), &row);
        Offer { from, purchase: Purchase::OnDemand, price: decimal(price).expect("a price") }
    };
    let offers = vec![
        row("us-east4", "b", "0.7"),
        row("us-east4", "a", "0.7"),
        row("us-east5", "a", "0.8"),
        row("us-central1", "a", "0.1"),
        row("asia-southeast1", "a", "700"),
        row("me-west1", "a", "0.75"),
    ];
    let mut report = Report::default();
    let kept = prices::without_outliers(offers, &mut report);
    assert_eq!(report.count(Reason::Outlier), 2);
    let kept = prices::cheapest_zone(kept, &mut report);
    assert_eq!(
        shown(&kept),
        ["g2-standard-4 us-east4-a OnDemand 0.7", "g2-standard-4 us-east5-a OnDemand 0.8"]
    );
    assert_eq!((report.count(Reason::OtherZone), report.count(Reason::OtherRegion)), (1, 1));
}

#[test]
fn rows_that_cannot_be_named_or_counted_stay_out() {
    let names = Names::open(&tasks::root().join("data/accelerators.csv")).expect("the names");
    let lines = "g4ad.xlarge Radeon-Pro-V520 1 0.4 - us-east-1
                 Standard_NV6ads_A10_v5 A10 0.167 0.4 0.1 us-east-1
                 Standard_NC6s_v3 V100 1 3.06 0.5 us-east-1
                 Standard_ND96asr_v4 A100-80GB 8 27 6 us-east-1";
    let mut report = Report::default();
    let offers = prices::book(&rows("azure", lines), &names, &mut report).expect("a book");
    assert!(offers.is_empty());
    for reason in [
        Reason::UnknownAccelerator,
        Reason::FractionalAccelerator,
        Reason::Retired,
        Reason::Disagrees,
    ] {
        assert_eq!(report.count(reason), 1, "{reason:?}");
    }
    assert!(names.knows("A100") && names.knows("tpu-v6e-8") && !names.knows("A9000"));
}

#[test]
fn aws_regional_prices_lose_their_spread_zones() {
    let text = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,Price,SpotPrice,Region,AvailabilityZone
p5.48xlarge,H100,8.0,192.0,2048.0,55.04,,us-east-1,use1-az1
p5.48xlarge,H100,8.0,192.0,2048.0,55.04,18.734,us-east-1,use1-az2
p5.48xlarge,H100,8.0,192.0,2048.0,68.8,,us-west-1,usw1-az1
";
    let rows = catalog::aws_rows(&Csv::read(text.as_bytes()).expect("csv")).expect("rows");
    let zones: Vec<(&str, bool)> =
        rows.iter().map(|row| (row.zone.as_str(), row.spot.is_some())).collect();
    assert_eq!(zones, [("", false), ("use1-az2", true), ("usw1-az1", false)]);
    assert!(rows[0].source.starts_with("karpenter") && rows[2].source.starts_with("skypilot"));
}

#[test]
fn shares_of_a_day_have_mean_one() {
    assert_eq!(traces::thousandths(&[1, 1, 1]).expect("shares"), [1000, 1000, 1000]);
    let shares = traces::thousandths(&[1, 2, 4]).expect("shares");
    assert_eq!((shares.iter().sum::<i128>(), shares), (3000, vec![429, 857, 1714]));
    assert!(traces::thousandths(&[0, 0]).is_err());
}

#[test]
fn committed_files_are_what_the_tasks_make() {
    let shared = tasks::root().join("../shared");
    if !shared.join("data").is_dir() {
        eprintln!("skipped: ../shared is not here");
        return;
    }
    let outputs = tasks::outputs("all", &shared).expect("the sources read");
    assert_eq!(outputs.len(), 8);
    for output in outputs {
        let found =
            fs::read_to_string(tasks::root().join(&output.path)).expect("the file is there");
        assert!(found == output.text, "{} differs: run `xtask all`", output.path);
    }
}

fn committed(path: &str) -> Csv {
    Csv::read(fs::File::open(tasks::root().join(path)).expect("the file is there")).expect("csv")
}

fn is_date(text: &str) -> bool {
    let parts: Vec<u32> = text.split('-').filter_map(|part| part.parse().ok()).collect();
    text.len() == 10
        && matches!(parts[..], [year, month, day]
            if (2023..2030).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day))
}

#[test]
fn the_default_book_is_complete_and_consistent() {
    let book = committed("data/prices/default.csv");
    let names = Names::open(&tasks::root().join("data/accelerators.csv")).expect("the names");
    let regions = committed("data/regions.csv");
    let regions: BTreeSet<(&str, &str)> =
        regions.rows.iter().map(|row| (&row[0], &row[1])).collect();
    let mut seen = BTreeSet::new();
    let mut on_demand = BTreeMap::new();
    assert!((300..=700).contains(&book.rows.len()), "{} rows", book.rows.len());
    for row in &book.rows {
        let line = row.iter().collect::<Vec<_>>().join(",");
        for required in [0, 1, 3, 5, 6, 7, 9, 10, 11, 12, 13, 14] {
            assert!(!row[required].is_empty(), "{line}");
        }
        let price = Decimal::parse(&row[10]).expect("a price");
        assert!(price > Decimal::ZERO && price.to_string() == row[10], "{line}");
        assert!(Decimal::parse(&row[6]).expect("vcpus") > Decimal::ZERO, "{line}");
        assert!(Decimal::parse(&row[7]).expect("memory") > Decimal::ZERO, "{line}");
        assert_eq!((&row[11], &row[12]), ("USD", "hour"), "{line}");
        assert!(is_date(&row[14]), "{line}");
        let count: u32 = row[5].parse().expect("a count");
        assert_eq!(row[4].is_empty(), count == 0, "{line}");
        assert!(row[4].is_empty() || names.ours.contains(&row[4]), "{line}");
        assert!(regions.contains(&(&row[0], &row[1])), "{line}");
        let machine = (row[0].to_owned(), row[1].to_owned(), row[3].to_owned());
        assert!(seen.insert((machine.clone(), row[9].to_owned())), "twice: {line}");
        if &row[9] == "on-demand" {
            on_demand.insert(machine, price);
        } else {
            assert_eq!(&row[9], "spot", "{line}");
            assert!(on_demand.get(&machine).is_none_or(|listed| price < *listed), "{line}");
        }
    }
}

#[test]
fn well_known_prices_are_what_everyone_knows() {
    let book = committed("data/prices/default.csv");
    for (region, machine, expected) in [
        ("us-central1", "a2-highgpu-1g", "3.67339"),
        ("us-central1", "g2-standard-4", "0.70683"),
        ("us-east4", "a3-highgpu-8g", "87.83247"),
        ("us-east-1", "p5.48xlarge", "55.04"),
        ("us-east-1", "g4dn.xlarge", "0.526"),
        ("us-east-1", "g5.xlarge", "1.006"),
        ("eastus", "Standard_NC24ads_A100_v4", "3.673"),
        ("eastus", "Standard_ND96isr_H100_v5", "98.32"),
        ("us-east-1", "gpu_1x_h100_pcie", "3.29"),
    ] {
        let is = |row: &&csv::StringRecord| {
            (&row[1], &row[3], &row[9]) == (region, machine, "on-demand")
        };
        let row = book.rows.iter().find(is).map(|row| row[10].to_owned());
        assert_eq!(row.as_deref(), Some(expected), "{machine} in {region}");
    }
}

/// Member states that have a region; London, Zurich and Oslo are not in the EU.
const EU: [&str; 12] = ["at", "be", "de", "dk", "es", "fi", "fr", "ie", "it", "nl", "pl", "se"];

#[test]
fn the_other_tables_hold_what_their_readers_expect() {
    let accelerators = committed("data/accelerators.csv");
    let mut spellings = BTreeSet::new();
    for row in &accelerators.rows {
        assert_eq!(row.len(), 10, "{row:?}");
        assert!(row[3].parse::<u32>().is_ok_and(|memory| memory > 0), "{row:?}");
        assert!(row[6].is_empty() || row[6].parse::<u32>().is_ok(), "{row:?}");
        assert!(is_date(&row[9]) && !row[8].is_empty(), "{row:?}");
        for alias in row[5].split(';').chain([&row[0]]).filter(|alias| !alias.is_empty()) {
            assert!(spellings.insert(alias.to_lowercase()), "{alias} twice");
        }
    }
    for row in &committed("data/regions.csv").rows {
        let tags: Vec<&str> = row[3].split(';').collect();
        let country = row[2].to_lowercase();
        assert!(
            tags.contains(&country.as_str()) || country == "gb" && tags.contains(&"uk"),
            "{row:?}"
        );
        assert_eq!(tags.contains(&"eu"), EU.contains(&country.as_str()), "{row:?}");
    }
}
