// Snapshots are written by `UPDATE_EXPECT=1`, which writes them with hashes.
#![allow(clippy::needless_raw_string_hashes)]

use super::*;
use expect_test::expect;
use farthing_model::Price;
use std::fs;

fn machine(gpus: &[&str]) -> Inventory {
    Inventory {
        cores: 64,
        memory_bytes: 512 << 30,
        disk_bytes: 2 << 40,
        gpus: gpus.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn load(text: &str) -> Result<Hardware, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("h.yaml");
    fs::write(&path, text).unwrap();
    let name = |text: String| text.replace(&format!("{}/", folder.path().display()), "");
    Hardware::load(&path).map_err(|error| name(format!("{error}\n")))
}

#[test]
fn a_machine_costs_its_price_over_its_years_and_its_power() {
    let priced = Hardware::built_in().unwrap().price(&machine(&[]), Currency::USD);
    let lines: Vec<String> = priced
        .items
        .iter()
        .map(|item| format!("{} | {} | {} | {}", item.what, item.how, item.per_hour, item.as_of))
        .collect();
    expect![[r#"
        64 cores: purchase | 141.98 USD each over 5 years of 8766 h | 0.207317362537 USD | 2022-11-10
        64 cores: power | 5.625 W each x PUE 1.56 x 0.1275 USD a kWh | 0.071604 USD | 2022-11-10
        512 GiB memory: purchase | 4.00 USD each over 5 years of 8766 h | 0.046725986767 USD | 2024-12-31
        512 GiB memory: power | 0.392 W each x PUE 1.56 x 0.1275 USD a kWh | 0.0399200256 USD | 2023-12-31
        2 TiB disk: purchase | 80.00 USD each over 5 years of 8766 h | 0.003650467716 USD | 2024-12-31
        2 TiB disk: power | 1.2 W each x PUE 1.56 x 0.1275 USD a kWh | 0.00047736 USD | 2023-12-31
    "#]].assert_eq(&(lines.join("\n") + "\n"));
    let Price::Known(rate, provenance) = &priced.price else { panic!() };
    let sum = Money::sum(priced.items.iter().map(|item| item.per_hour), Currency::USD).unwrap();
    assert_eq!(rate.per_hour(), sum);
    // 64 x 141.98 / (5 x 8766) = 0.207317...; 64 x 5.625 W x 1.56 x 0.1275 / 1000 = 0.0716040.
    assert_eq!(priced.items[0].per_hour.rounded(6), "0.207317");
    assert_eq!(priced.items[1].per_hour.to_decimal(), "0.071604");
    assert_eq!(provenance.kind, PriceKind::AmortisedOwned);
    assert_eq!(provenance.source, "data/hardware.yaml");
    assert_eq!(provenance.as_of.to_string(), "2022-11-10");
}

#[test]
fn cards_count_by_kind_with_the_drivers_names() {
    let hardware = Hardware::built_in().unwrap();
    let name = "NVIDIA GeForce RTX 4090";
    let priced = hardware.price(&machine(&[name, name]), Currency::USD);
    let card = priced.items.iter().find(|item| item.what.ends_with("RTX4090-24GB: purchase"));
    assert_eq!(card.unwrap().what, "2 x RTX4090-24GB: purchase");
    // 2 x 1599 / 43830 = 0.072963723..., to the last place.
    assert_eq!(card.unwrap().per_hour.to_decimal(), "0.072963723477");
}

#[test]
fn a_card_without_a_price_makes_the_price_unknown() {
    let priced = Hardware::built_in().unwrap().price(&machine(&["NVIDIA A10G"]), Currency::USD);
    let Price::Unknown(why) = &priced.price else { panic!() };
    expect![[r#"
        no purchase price of A10G-24GB is known: give a hardware file with `accelerator: {A10G-24GB: {price: 25000.00, currency: USD, basis: list-price, source: our invoice, as_of: 2026-01-31}}`
    "#]].assert_eq(&format!("{why}\n"));
    assert!(priced.items.is_empty());
    let text = "accelerator: {A10G-24GB: {price: 2500.00, currency: USD, \
        basis: list-price, source: our invoice, as_of: 2026-01-31}}";
    let priced = load(text).unwrap().price(&machine(&["NVIDIA A10G"]), Currency::USD);
    assert!(priced.price.rate().is_some(), "{:?}", priced.price);
    let watts = priced.items.iter().find(|item| item.what == "1 x A10G-24GB: power").unwrap();
    assert!(watts.how.starts_with("300 W"), "{}", watts.how);
}

#[test]
fn a_price_that_is_an_assumption_says_so() {
    let hardware = Hardware::built_in().unwrap();
    let priced = hardware.price(&machine(&["NVIDIA H100 80GB HBM3"]), Currency::USD);
    let card = priced.items.iter().find(|item| item.what == "1 x H100-80GB-SXM: purchase").unwrap();
    assert_eq!(card.assumed.as_deref(), Some("1 x H100-80GB-SXM at 30000.00 USD each"));
    assert!(card.source.ends_with("(assumption)"), "{}", card.source);
    let cores = priced.items.iter().find(|item| item.what == "64 cores: purchase").unwrap();
    assert_eq!(cores.assumed, None);
    let watts = priced.items.iter().find(|item| item.what == "1 x H100-80GB-SXM: power").unwrap();
    assert!(watts.how.starts_with("700 W"), "{}", watts.how);
}

#[test]
fn two_currencies_are_never_added() {
    let hardware = Hardware::built_in().unwrap();
    let why = |code: &str| match hardware.price(&machine(&[]), code.parse().unwrap()).price {
        Price::Unknown(why) => why,
        Price::Known(..) => panic!(),
    };
    assert_eq!(why("EUR"), "64 cores has a price in USD, and EUR is asked for: give it in EUR");
    assert!(why("JPY").starts_with("no price of a kWh in JPY"), "{}", why("JPY"));
    let nothing = hardware.price(&Inventory::default(), Currency::USD).price;
    assert_eq!(
        nothing,
        Price::Unknown("the inventory is empty, so there is nothing to price".to_owned())
    );
}

#[test]
fn an_override_replaces_whole_entries() {
    let hardware =
        load("pue: {value: 1.0, basis: policy, source: under a desk, as_of: 2026-11-24}\n")
            .unwrap();
    assert_eq!(hardware.pue.source, "under a desk");
    assert_eq!(hardware.years, Hardware::built_in().unwrap().years);
    expect![[r#"
        h.yaml:1: `basis` is missing in this entry
    "#]]
    .assert_eq(&load("pue: {value: 1.0}\n").unwrap_err());
    expect![[r#"
        h.yaml:1: unknown entry `electricty`; did you mean `electricity`?
    "#]]
    .assert_eq(&load("electricty: {}\n").unwrap_err());
    expect![[r#"
        h.yaml:2: `price` is missing in this entry
    "#]]
    .assert_eq(&load("purchase:\n  core: 5\n").unwrap_err());
    expect![[r#"
        h.yaml:2: `0` is not a count: write a whole number from 1 on, such as 8
    "#]]
    .assert_eq(
        &load("depreciation:\n  {years: 0, basis: a, source: b, as_of: 2026-11-24}\n").unwrap_err(),
    );
    expect![[r#"
        h.yaml: is empty
    "#]]
    .assert_eq(&load("").unwrap_err());
}

#[test]
fn weights_and_spot_losses_read() {
    let weights = weights().unwrap();
    let h100 = weights.gpu_of(&"H100-80GB-SXM".parse().unwrap());
    assert!(h100.per_hour().pico() > weights.gpu.per_hour().pico());
    assert_eq!(weights.gpu_of(&"Wafer9".parse().unwrap()), weights.gpu);
    assert!(weights.core.per_hour().pico() > weights.memory_gib.per_hour().pico());
    let spot = spot_rows().unwrap();
    assert_eq!(spot[0].provider, "any");
    assert_eq!(spot[0].mean_up, jiff::SignedDuration::from_millis(6_836_400));
}
