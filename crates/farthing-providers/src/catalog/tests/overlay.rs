//! Contracts over list prices, hardware of one's own, and rates of exchange.

use super::*;

/// A book of three rows beside a manifest, as `--prices` takes both.
fn with(manifest: &str, today: Option<&str>) -> Result<PriceBook, BookError> {
    let folder = tempfile::tempdir().unwrap();
    let (csv, yaml) = (folder.path().join("a.csv"), folder.path().join("b.yaml"));
    let rows = [
        row("us-east-1", "on-demand", "10"),
        row("us-east-1", "spot", "4"),
        row("eu-west-1", "on-demand", "12").replace(",p5,", ",p4,"),
    ];
    fs::write(&csv, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
    fs::write(&yaml, format!("kind: PriceBook\nspec:\n{manifest}")).unwrap();
    let options = Options { today: today.map(|day| day.parse().unwrap()), ..Options::default() };
    Catalogue::load(&[csv, yaml], &options).map(|catalogue| catalogue.book())
}

fn list(book: &PriceBook) -> Vec<String> {
    let line = |offer: &Offer| {
        let Price::Known(rate, from) = &offer.price else { panic!() };
        format!("{} {} {} | {}", offer.id, rate.per_hour(), from.kind.name(), from.source)
    };
    book.offers.iter().map(line).collect()
}

#[test]
fn a_discount_is_for_what_its_patterns_say_and_provenance_says_it() {
    let book = with(
        "  adjust:\n  - {name: EDP, provider: aws, region: us-*, purchase: on-demand, \
         discount: 20%, source: contract 7}\n  - {name: credit, instance_type: 'p?', \
         off: 0.50 USD/h, source: letter}\n",
        None,
    )
    .unwrap();
    expect![[r#"
        aws/eu-west-1/p4/on-demand 11.50 USD effective | me; credit: 0.50 USD/h off (letter)
        aws/us-east-1/p5/on-demand 7.50 USD effective | me; EDP: 20.0 % off (contract 7); credit: 0.50 USD/h off (letter)
        aws/us-east-1/p5/spot 3.50 USD effective | me; credit: 0.50 USD/h off (letter)
    "#]]
    .assert_eq(&(list(&book).join("\n") + "\n"));
}

#[test]
fn an_agreed_price_replaces_and_a_committed_one_stands_beside() {
    let book = with(
        "  adjust:\n  - {name: PPA, instance_type: p4, price: 9 USD/h, source: c1}\n  - {name: \
         3y, instance_type: p5, committed: 6.25 USD/h, available: 4, source: c2}\n",
        None,
    )
    .unwrap();
    expect![[r#"
        aws/eu-west-1/p4/on-demand 9.00 USD contracted | me; PPA (c1)
        aws/us-east-1/p5/on-demand 10.00 USD list | me
        aws/us-east-1/p5/reserved 6.25 USD contracted | me; 3y (c2)
        aws/us-east-1/p5/spot 4.00 USD spot-quote | me
    "#]]
    .assert_eq(&(list(&book).join("\n") + "\n"));
    assert_eq!(book.offers[2].available, Some(4));
    assert_eq!(book.offers[1].available, None);
}

#[test]
fn a_contract_holds_from_its_first_day_to_its_last() {
    let adjust = "  adjust:\n  - {name: Q1, discount: 50%, from: 2027-01-01, to: 2027-04-01, \
        source: c}\n";
    for (today, price) in [
        (Some("2026-12-31"), "10.00"),
        (Some("2027-01-01"), "5.00"),
        (Some("2027-03-31"), "5.00"),
        (Some("2027-04-01"), "10.00"),
        (None, "10.00"),
    ] {
        let book = with(adjust, today).unwrap();
        let offer = book.offers.iter().find(|it| it.id.as_str() == "aws/us-east-1/p5/on-demand");
        let rate = offer.unwrap().price.rate().unwrap();
        assert_eq!(rate.per_hour().to_decimal(), price, "{today:?}");
    }
}

#[test]
fn what_nothing_is_left_of_is_no_offer() {
    let book = with("  adjust:\n  - {name: all, off: 4 USD/h, source: c}\n", None).unwrap();
    assert_eq!(excluded(&book), [("price of 0 or less after a discount", 1)]);
    let error = with("  adjust:\n  - {name: x, off: 4 EUR/h, source: c}\n", None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the price book's contract cannot be applied: `adjust`: x is in EUR and the price it \
         changes is not"
    );
}

#[test]
fn hardware_of_ones_own_costs_its_purchase_and_its_power() {
    let book = with(
        "  owned:\n  - {instance_type: dgx, accelerator: H100-80GB-SXM, accelerator_count: 8, \
         vcpus: 224, memory_gib: 2048, available: 2, purchase_price: 350640 USD, years: 4, \
         utilisation: 80%, watts: 10000, pue: 1.25, electricity: 0.12 USD, source: invoice 9, \
         as_of: 2026-11-01}\n",
        None,
    )
    .unwrap();
    // 350640 / (4 x 8766) = 10 an hour, 12.50 an hour used; 10 kW x 1.25 x 0.12 = 1.50.
    expect![[r#"
        local/local/dgx/owned 14.00 USD amortised-owned | invoice 9: 350640.00 USD over 4 years of 8766 h at 80.0 % used and 10000 W x PUE 1.25 at 0.12 USD/kWh
    "#]]
    .assert_eq(&(list(&book)[3].clone() + "\n"));
    assert_eq!(book.offers[3].available, Some(2));
    assert_eq!(book.offers[3].capacity.gpu_milli, 8_000);
}

#[test]
fn a_rate_makes_two_currencies_comparable() {
    let offer = "  offers:\n  - {provider: ovh, region: gra, instance_type: h100, purchase: \
        on-demand, price: 2.80, currency: EUR, unit: hour, source: list, as_of: 2026-11-01}\n";
    let mixed = with(offer, None).unwrap();
    assert!(list(&mixed)[3].contains("2.80 EUR"));
    let rate =
        "  exchange:\n  - {from: EUR, to: USD, rate: 1.10, source: ECB, as_of: 2026-11-01}\n";
    let book = with(&format!("{offer}{rate}"), None).unwrap();
    assert_eq!(
        list(&book)[3],
        "ovh/gra/h100/on-demand 3.08 USD list | list; EUR at 1.1 USD (ECB, 2026-11-01)"
    );
}

#[test]
fn a_contract_alone_changes_the_default_book() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.yaml");
    let text = "kind: PriceBook\nspec: {adjust: [{name: half, discount: 50%, source: c}]}\n";
    fs::write(&path, text).unwrap();
    let (half, whole) = (load(&[path]).unwrap(), default_book());
    assert_eq!(half.offers.len(), whole.offers.len());
    let pico = |offer: &Offer| offer.price.rate().unwrap().per_hour().pico();
    for (half, whole) in half.offers.iter().zip(&*whole.offers) {
        assert_eq!(pico(half), (pico(whole) + 1) / 2, "{}", half.id);
    }
}

#[test]
fn contracts_that_say_nothing_or_too_much_are_refused() {
    let message = |text: &str| {
        let error = with(text, None).unwrap_err().to_string();
        error.split("PriceBook default: ").nth(1).unwrap_or(&error).to_owned()
    };
    assert_eq!(
        message("  adjust:\n  - {name: a, discount: 20%, off: 1 USD/h, source: c}\n"),
        "`adjust` has not exactly one of discount, discounts, off, price and committed"
    );
    assert_eq!(
        message("  adjust:\n  - {name: a, discount: 120%, source: c}\n"),
        "`discount`: `120%` is more than the whole"
    );
    assert_eq!(
        message(
            "  adjust:\n  - {name: a, discount: 20%, from: 2027-01-02, to: 2027-01-02, source: c}\n"
        ),
        "`adjust.to` is not after `adjust.from`; it would never hold"
    );
    assert_eq!(
        message(
            "  owned:\n  - {instance_type: a, purchase_price: 1 USD, years: 1, watts: 9, \
             source: c, as_of: 2026-11-01}\n"
        ),
        "`owned.electricity` is missing: watts cost nothing without a price"
    );
    assert!(
        message("  adjust:\n  - {name: a, price: 9 USD, source: c}\n").contains("no unit of time")
    );
}

/// What the list said stays beside what contracts make of it, one after another; a discount of one
/// resource takes off that part of the machine that the weights say.
#[test]
fn what_the_list_said_stays_beside_the_price() {
    let adjust = "  adjust:\n  - {name: EDP, purchase: on-demand, discount: 10%, source: c}\n  - \
        {name: gpus, region: us-*, purchase: on-demand, discounts: {gpu: 20%}, source: d}\n  - \
        {name: cores, region: us-*, purchase: on-demand, discounts: {cpu: 100%, gpu: 50%}, \
        source: e}\n";
    let book = with(adjust, None).unwrap();
    let of = |id: &str| {
        let offer = book.offers.iter().find(|offer| offer.id.as_str() == id).unwrap();
        let Price::Known(rate, from) = &offer.price else { panic!() };
        (*rate, from.list.clone(), offer.clone())
    };
    let (_, list, _) = of("aws/us-east-1/p5/spot");
    assert_eq!(list, None, "no contract changes it");
    let (rate, list, _) = of("aws/eu-west-1/p4/on-demand");
    let list = list.unwrap();
    assert_eq!(
        (rate.to_string(), list.rate.to_string()),
        ("10.80 USD/h".into(), "12.00 USD/h".into())
    );
    assert_eq!(list.discounts, None);
    let (rate, list, offer) = of("aws/us-east-1/p5/on-demand");
    let list = list.unwrap();
    let discounts = list.discounts.as_ref().unwrap();
    assert_eq!(
        (list.rate.to_string(), discounts.before.to_string()),
        ("10.00 USD/h".into(), "9.00 USD/h".into())
    );
    // A half of the four fifths that were left; of cores nothing.
    assert_eq!(discounts.off.get(Resource::Gpu).ppm(), 600_000);
    assert_eq!(discounts.off.get(Resource::Cpu).ppm(), 1_000_000);
    let parts =
        crate::hardware::weights().unwrap().parts(offer.accelerator.as_ref(), offer.capacity);
    let whole: i128 = parts.iter().map(|(_, part)| part).sum();
    let left = whole - parts.get(Resource::Cpu) - parts.get(Resource::Gpu) * 6 / 10;
    let expected = farthing_model::proportion(9_000_000_000_000, left, whole).unwrap();
    assert!((rate.per_hour().pico() - expected).abs() <= 1, "{rate}");
    // Through the cache it is the same.
    let folder = tempfile::tempdir().unwrap();
    let (csv, yaml) = (folder.path().join("a.csv"), folder.path().join("b.yaml"));
    fs::write(&csv, format!("{HEADER}\n{}\n", row("us-east-1", "on-demand", "10"))).unwrap();
    fs::write(&yaml, format!("kind: PriceBook\nspec:\n{adjust}")).unwrap();
    for path in [&csv, &yaml] {
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        fs::File::options().append(true).open(path).unwrap().set_modified(old).unwrap();
    }
    let options = Options { cache: Some(folder.path().join("cache")), ..Options::default() };
    let load = || Catalogue::load(&[csv.clone(), yaml.clone()], &options).unwrap();
    let (first, second) = (load(), load());
    assert_eq!(first.book().offers, second.book().offers);
    assert_eq!(second.book().offers[0].price.provenance().unwrap().list, Some(list));
}

/// Volumes and bytes sent are discounted like machines, where the contract holds.
#[test]
fn a_contract_reaches_what_is_no_machine() {
    let folder = tempfile::tempdir().unwrap();
    let (csv, yaml) = (folder.path().join("a.csv"), folder.path().join("b.yaml"));
    let header = "provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,\
        memory_gib,storage_gib,purchase,price,currency,unit,source,as_of";
    let rows = [
        "*,*,,volume,,,,,,,0.10,USD,GiB-hour,me,2026-11-01",
        "*,*,,network/internet,,,,,,,0.08,USD,GB,me,2026-11-01",
        "*,*,,load-balancer,,,,,,,1,USD,hour,me,2026-11-01",
    ];
    fs::write(&csv, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    let adjust = "{name: E, provider: aws, discounts: {network: 25%, storage: 50%}, source: c}, \
        {name: F, discount: 10%, source: d}, {name: G, off: 0.01 USD/h, source: e}";
    fs::write(&yaml, format!("kind: PriceBook\nspec: {{adjust: [{adjust}]}}\n")).unwrap();
    let catalogue = Catalogue::load(&[csv, yaml], &Options::default()).unwrap();
    let price = |asset, class, provider: &str| {
        let place = Place { provider: provider.to_owned(), region: "r".to_owned(), zone: None };
        let price = crate::catalog::asset_price(&catalogue.assets, (asset, class), &place, 1 << 30);
        let price = price.unwrap();
        let list = price.provenance().unwrap().list.clone().unwrap();
        (price.rate().unwrap().to_string(), list.rate.to_string())
    };
    let two = |net: &str, list: &str| (format!("{net} USD/h"), format!("{list} USD/h"));
    assert_eq!(price(Asset::Volume, "gp3", "aws"), two("0.045", "0.10"));
    assert_eq!(price(Asset::Volume, "gp3", "gcp"), two("0.09", "0.10"));
    assert_eq!(price(Asset::Network, "internet", "aws"), two("0.054", "0.08"));
    assert_eq!(price(Asset::LoadBalancer, "", "aws"), two("0.90", "1.00"));
}
