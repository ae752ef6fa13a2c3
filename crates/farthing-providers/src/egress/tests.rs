use super::*;
use farthing_model::Place;

const HEADER: &str = "from_provider,from_region,to_provider,to_region,up_to_gb,price_per_gb";

fn table(rows: &str) -> Result<EgressTable, String> {
    let text = format!("{HEADER}\n{rows}\n");
    parse(&text, Path::new("e.csv")).map_err(|error| error.to_string())
}

#[test]
fn rows_are_read_in_order_with_empty_for_any() {
    let table = table("aws,,aws,,,0\n# a comment\nAWS,,,,10240,0.09\naws,,,,,0.085").unwrap();
    let rows = table.rows();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1].from_provider.as_deref(), Some("aws"));
    assert_eq!((rows[1].from_region.clone(), rows[1].to_provider.clone()), (None, None));
    assert_eq!(rows[1].up_to_bytes, Some(10_240_000_000_000));
    assert_eq!(rows[2].price_per_gb.to_string(), "0.085 USD");
}

#[test]
fn bad_rows_are_told_with_their_line_and_what_would_be_right() {
    let check = |rows: &str, expect: &str| {
        let said = table(rows).unwrap_err();
        assert!(said.contains(expect), "{said}");
    };
    check("aws,,gcp,,,", "e.csv:2: `price_per_gb` is missing: write 0 for what is free");
    check("aws,,gcp,,,NaN", "e.csv:2: the price: `NaN` is not a decimal number");
    check("aws,,gcp,,,-1", "e.csv:2: the price `-1` is below zero");
    check("aws,,gcp,,0,1", "`up_to_gb`: `0` must be above zero");
    check("aws,,gcp,,1e30,1", "`up_to_gb`: `1e30` is too large");
    check("aws,,gcp,,,0\naws,,gcp", "e.csv:3:");
    let header = parse("from_provider,price\n", Path::new("e.csv")).unwrap_err().to_string();
    assert!(header.contains("unknown column `price`"), "{header}");
    let header = parse("from_provider,price_per_gb\n", Path::new("e.csv")).unwrap_err();
    assert!(header.to_string().contains("`from_region` is missing"), "{header}");
}

#[test]
fn two_currencies_are_refused() {
    let text = format!("{HEADER},currency\naws,,gcp,,,0.09,USD\ngcp,,aws,,,0.11,EUR\n");
    let said = parse(&text, Path::new("e.csv")).unwrap_err().to_string();
    assert_eq!(said, "e.csv:3: is in EUR, and the rows before it are in USD: use one currency");
}

#[test]
fn a_matrix_of_region_pairs_is_read_as_it_is() {
    // Skyplane names zones of GCP; the price is that of the region.
    let text = "src,dest,cost\naws:us-east-1,gcp:us-central1-a,0.09\n";
    let table = parse(text, Path::new("cost.csv")).unwrap();
    let place = |provider: &str, region: &str| Place {
        provider: provider.to_owned(),
        region: region.to_owned(),
        zone: None,
    };
    let (from, to) = (place("aws", "us-east-1"), place("gcp", "us-central1"));
    let tariff = table.between(table.spot(&from), table.spot(&to));
    assert_eq!(table.charge(&tariff, 1_000_000_000_000).unwrap().to_string(), "90.00 USD");
    let back = table.between(table.spot(&to), table.spot(&from));
    assert_eq!(table.charge(&back, 1), None);
}

#[test]
fn the_measured_matrix_of_71_regions_is_read_packed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/egress-skyplane/cost.csv.gz");
    if !path.exists() {
        eprintln!("left out: {} is not here", path.display());
        return;
    }
    let table = load(std::slice::from_ref(&path)).unwrap();
    assert_eq!(table.rows().len(), 71 * 70);

    // With the speeds beside it every pair takes time, and costs what it did.
    let speeds = path.with_file_name("throughput.parquet");
    let timed = load(&[path, speeds.clone()]).unwrap();
    let place = |(provider, region): (&str, &str)| Place {
        provider: provider.to_owned(),
        region: region.to_owned(),
        zone: None,
    };
    let (from, to) = (place(("aws", "us-east-1")), place(("gcp", "us-central1")));
    let tariff = |table: &EgressTable| table.between(table.spot(&from), table.spot(&to));
    let terabyte = 1_000_000_000_000;
    let cost = table.charge(&tariff(&table), terabyte).unwrap();
    assert_eq!(timed.charge(&tariff(&timed), terabyte), Some(cost));
    assert_eq!(table.duration(&tariff(&table), terabyte), None);
    // One machine at AWS sends 5 Gbit/s at most: 1,600 s for a TB.
    let takes = timed.duration(&tariff(&timed), terabyte).unwrap().as_secs();
    assert!((1_500..3_000).contains(&takes), "{takes} s");
    let said = load(&[speeds]).unwrap_err().to_string();
    assert!(said.contains("no other file says what that costs"), "{said}");
}

#[test]
fn speeds_are_read_as_text_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let cost = file("cost.csv", "src,dest,cost\naws:a,gcp:b-a,0.09\naws:a,aws:c,0.02\n");
    let header = "src_region,dst_region,src_tier,throughput_sent,throughput_recieved";
    let rows = "aws:a,gcp:b-a,PREMIUM,9e9,4000000000.5\naws:a,aws:c,PREMIUM,0,0\n";
    let speed = file("speed.csv", &format!("{header}\n{rows}"));
    let table = load(&[speed.clone(), cost.clone()]).unwrap();
    let named = |provider: &str, region: &str| {
        let (provider, region) = (provider.to_owned(), region.to_owned());
        table.spot(&Place { provider, region, zone: None })
    };
    let takes = |to| table.duration(&table.between(named("aws", "a"), to), 500_000_000);
    assert_eq!(takes(named("gcp", "b")).unwrap().as_secs(), 1);
    // Through which nothing came, nobody knows how fast.
    assert_eq!(takes(named("aws", "c")), None);
    let bad = file("bad.csv", &format!("{header}\naws:a,gcp,,1,NaN\naws:a,aws:c,,1,-5\n"));
    let said = load(&[cost, bad]).unwrap_err().to_string();
    assert!(said.contains("bad.csv:2: `dst_region`: `gcp` is not a region"), "{said}");
    assert!(said.contains("bad.csv:3: `throughput_recieved`: `-5` is no speed"), "{said}");
}
