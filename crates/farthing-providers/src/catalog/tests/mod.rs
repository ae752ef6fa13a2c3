// Snapshots are written by `UPDATE_EXPECT=1`, which writes them with hashes.
#![allow(clippy::needless_raw_string_hashes)]

mod faults;
mod karpenter;
mod overlay;
mod skypilot;

use super::*;
use expect_test::{Expect, expect};
use farthing_model::{Asset, Place, Price, PriceKind, Purchase, Resource};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc as Shared;

const HEADER: &str = "provider,region,zone,instance_type,accelerator,accelerator_count,\
    vcpus,memory_gib,storage_gib,purchase,price,currency,unit,source,as_of";

fn row(region: &str, purchase: &str, price: &str) -> String {
    format!("aws,{region},,p5,H100 SXM,8,192,2048,,{purchase},{price},USD,hour,me,2026-11-24")
}

fn book(rows: &[String]) -> PriceBook {
    let text = format!("{HEADER}\n{}\n", rows.join("\n"));
    let mut intake = Intake::default();
    csv::rows(&text, Path::new("p.csv"), &mut intake).unwrap_or_else(|e| panic!("{e}"));
    Catalogue::of(intake.finish(None, None).unwrap(), From::Files).book()
}

fn load(paths: &[PathBuf]) -> Result<PriceBook, BookError> {
    Ok(Catalogue::load(paths, &Options::default())?.book())
}

fn excluded(book: &PriceBook) -> Vec<(&str, u64)> {
    book.excluded.iter().map(|(reason, count)| (reason.as_str(), *count)).collect()
}

#[test]
fn the_default_book_is_whole() {
    let book = default_book();
    assert!(book.faults.is_empty(), "{:?}", book.faults);
    assert_eq!(excluded(&book), [], "the generator leaves no row for the guards");
    assert_eq!(book.offers.len(), DEFAULT_CSV.lines().count() - 1);
    assert!(book.offers.windows(2).all(|pair| pair[0].id < pair[1].id));
    let (oldest, newest) = book.as_of.unwrap();
    assert!(oldest <= newest);
    for offer in &*book.offers {
        assert!(!offer.residency.is_empty(), "{}", offer.id);
        assert!(offer.warnings.is_empty(), "{}: {:?}", offer.id, offer.warnings);
        let known = offer.accelerator.iter().all(|a| accelerator(&a.to_string()).is_some());
        assert!(known, "{}", offer.id);
    }
    let offer = book.offers.iter().find(|offer| offer.instance_type == "p4d.24xlarge").unwrap();
    assert_eq!(offer.capacity.gpu_milli, 8_000);
    assert_eq!(offer.capacity.memory_bytes, 1_152 << 30);
}

#[test]
fn quotes_are_the_book() {
    let book = default_book();
    let offers = book.quote().offers(Timestamp::UNIX_EPOCH).unwrap();
    assert!(Shared::ptr_eq(&offers, &book.offers));
}

#[test]
fn money_is_the_text() {
    let book =
        book(&[row("us-east-1", "spot", "0.000000000001"), row("us-east-1", "owned", "30.09784")]);
    let price = |purchase: Purchase| {
        let offer = book.offers.iter().find(|offer| offer.purchase == purchase).unwrap();
        let Price::Known(rate, provenance) = &offer.price else { panic!() };
        (rate.per_hour().to_decimal(), provenance.kind)
    };
    assert_eq!(price(Purchase::Spot), ("0.000000000001".to_owned(), PriceKind::SpotQuote));
    assert_eq!(price(Purchase::Owned), ("30.09784".to_owned(), PriceKind::AmortisedOwned));
}

#[test]
fn accelerators_are_normalised_and_unknown_ones_kept() {
    let known = row("us-east-1", "spot", "1").replace("H100 SXM", "nvidia h100 80gb hbm3");
    let unknown = row("us-east-2", "spot", "1").replace("H100 SXM", "Wafer9");
    let book = book(&[known, unknown]);
    let names: Vec<_> = book.offers.iter().map(|o| o.accelerator.as_ref().unwrap()).collect();
    assert_eq!(names[0].to_string(), "H100-80GB-SXM");
    assert_eq!((names[1].to_string().as_str(), names[1].memory_gb()), ("Wafer9", None));
}

#[test]
fn guards_leave_out_and_mark() {
    let regions = ["a", "b", "c", "d"];
    let mut rows: Vec<_> = regions.iter().map(|region| row(region, "on-demand", "10")).collect();
    rows.push(row("e", "on-demand", "51"));
    rows.push(row("f", "on-demand", "1.99"));
    rows.push(row("a", "spot", "0"));
    rows.push(row("b", "spot", "10"));
    rows.push(row("c", "spot", "9.99"));
    rows.push(row("c", "spot", "9.98"));
    let book = book(&rows);
    assert_eq!(
        excluded(&book),
        [
            ("listed again on one day (the dearer is kept)", 1),
            ("price of 0, which catalogues write for none", 1),
            ("spot price not below on demand", 1),
        ]
    );
    let find = |id: &str| book.offers.iter().find(|offer| offer.id.as_str() == id).unwrap();
    assert_eq!(
        find("aws/e/p5/on-demand").warnings,
        ["over 5 times the median region of p5 on-demand"]
    );
    let kept = find("aws/c/p5/spot").price.rate().unwrap();
    assert_eq!(kept.per_hour().to_decimal(), "9.99", "of one day the dearer is kept");
    assert_eq!(
        find("aws/f/p5/on-demand").warnings,
        ["under a fifth of the median region of p5 on-demand"],
        "kept, as hiding it would make answers dearer than they need be"
    );
    assert_eq!(book.offers.len(), 7);
}

#[test]
fn a_newer_row_wins_whatever_it_costs() {
    let old = row("a", "spot", "9").replace("2026-11-24", "2026-11-23");
    for rows in [[old.clone(), row("a", "spot", "8")], [row("a", "spot", "8"), old]] {
        let book = book(&rows);
        assert_eq!(book.offers[0].price.rate().unwrap().per_hour().to_decimal(), "8.00");
    }
}

#[test]
fn bad_rows_are_reported_and_the_rest_goes_on() {
    let good = row("us-east-1", "spot", "1");
    let rows = [
        good.clone(),
        good.replace(",USD,", ",,"),
        good.replace(",hour,", ",,"),
        good.replace(",2026-11-24", ","),
        good.replace(",1,USD", ",-1,USD"),
        good.replace(",1,USD", ",NaN,USD"),
        good.replace(",1,USD", ",inf,USD"),
        good.replace(",1,USD", ",1e18,USD"),
        good.replace(",1,USD", ",999999999999999999,USD"),
        good.replace(",1,USD", ",,USD"),
        good.replace(",hour,", ",month,"),
        good.replace(",2026-11-24", ",yesterday"),
        good.replace(",spot,", ",stolen,"),
        good.replace("H100 SXM,8", "H100 SXM,0"),
        good.replace("H100 SXM,8", ",8"),
        good.replace(",USD,", ",dollars,"),
        format!("{good},extra"),
        row("us-east-2", "spot", "1"),
    ];
    let book = book(&rows);
    assert_eq!(book.offers.len(), 2);
    assert_eq!(excluded(&book), [("row that cannot be read", 16)]);
    let faults: Vec<String> = book.faults.iter().map(ToString::to_string).collect();
    expect![[r#"
        p.csv:3:1: `currency` is missing: a price without a currency says nothing; write USD
        p.csv:4:1: `unit` is missing: a price without a unit says nothing; write hour
        p.csv:5:1: `as_of` is missing: a price without a date says nothing; write 2026-11-24
        p.csv:6:1: `price`: `-1` is below zero
        p.csv:7:1: `price`: `NaN` is not a decimal number such as 12, 0.5 or 1.25e6
        p.csv:8:1: `price`: `inf` is not a decimal number such as 12, 0.5 or 1.25e6
        p.csv:9:1: `price`: `1e18` is over 9000000 an hour, which no machine costs
        p.csv:10:1: `price`: `999999999999999999` is over 9000000 an hour, which no machine costs
        p.csv:11:1: `price` is missing: a number per hour; a row without a price is no offer
        p.csv:12:1: `unit`: `month` is not read; convert the price and write hour
        p.csv:13:1: `as_of`: `yesterday` is not a date such as 2026-11-24
        p.csv:14:1: `purchase`: `stolen` is not a purchase option: on-demand, spot, reserved or owned
        p.csv:15:1: `accelerator_count`: is 0 or empty beside the accelerator H100 SXM
        p.csv:16:1: `accelerator`: is empty beside a count of 8
        p.csv:17:1: `currency`: `dollars` is not a currency code such as USD or EUR
        p.csv:18:1: has 16 cells, and the header has 15
    "#]].assert_eq(&(faults.join("\n") + "\n"));
}

#[track_caller]
fn bad_file(name: &str, bytes: &[u8], expect: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let error = format!("{}\n", load(&[path]).unwrap_err());
    expect.assert_eq(&error.replace(&format!("{}/", folder.path().display()), ""));
}

#[test]
fn files_that_are_no_book() {
    bad_file(
        "p.csv",
        b"",
        &expect![[r#"
        p.csv: is empty
    "#]],
    );
    bad_file(
        "p.csv",
        b"\x7fELF\x02\x01\x00\xff\xfe",
        &expect![[r#"
            p.csv: is not a price book: neither CSV, Parquet, a PriceBook manifest, a SkyPilot catalogue, Karpenter's price table nor instance types in JSON
        "#]],
    );
    bad_file(
        "p.csv.gz",
        b"\x1f\x8b\x08\x00",
        &expect![[r#"
            p.csv.gz: is cut off or damaged: unexpected end of file (gzip)
        "#]],
    );
    bad_file(
        "p.csv",
        b"hello\n",
        &expect![[r#"
            p.csv: is not a price book: neither CSV, Parquet, a PriceBook manifest, a SkyPilot catalogue, Karpenter's price table nor instance types in JSON
        "#]],
    );
    bad_file(
        "p.csv",
        b"provider,region,instance_type,purchase,prise,currency,unit,source,as_of\n",
        &expect![[r#"
            p.csv: is not a price book: unknown column `prise`; did you mean `price`?
        "#]],
    );
    bad_file(
        "p.csv",
        b"provider,region,instance_type,purchase,price,currency,unit,source\n",
        &expect![[r#"
            p.csv: is not a price book: the column `as_of` is missing; expected provider,region,zone,instance_type,accelerator,accelerator_count,vcpus,memory_gib,storage_gib,purchase,price,currency,unit,source,as_of,available,arch
        "#]],
    );
    bad_file(
        "p.csv",
        format!("{HEADER}\n").as_bytes(),
        &expect![[r#"
        p.csv: has no usable offer: it has no rows
    "#]],
    );
    bad_file(
        "p.csv",
        format!("{HEADER}\n{}\n", row("a", "spot", "")).as_bytes(),
        &expect![[r#"
        p.csv: has no usable offer: p.csv:2:1: `price` is missing: a number per hour; a row without a price is no offer
    "#]],
    );
    bad_file(
        "p.csv",
        &[HEADER.as_bytes(), b"\naws,\xff\n"].concat(),
        &expect![[r#"
        p.csv:2: is not a text in UTF-8, from byte 140 on
    "#]],
    );
    bad_file(
        "p.yaml",
        b"kind: Policy\nspec: {}\n",
        &expect![[r#"
        p.yaml: has no object of kind PriceBook
    "#]],
    );
    bad_file(
        "p.yaml",
        b"kind: PriceBook\nspec: {offers: [{provider: a}]}\n",
        &expect![[r#"
        p.yaml:2:17: PriceBook default: `region` is missing: the provider's name of it
    "#]],
    );
    bad_file(
        "p.parquet",
        b"PAR1 and then nothing",
        &expect![[r#"
        p.parquet: is not readable as Parquet: Parquet error: Invalid Parquet file. Corrupt footer; the file is damaged or not complete
    "#]],
    );
}

#[test]
fn a_folder_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(&[folder.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("expected <cloud>/vms.csv or vms.csv.gz"), "{error}");
    let error = load(&[folder.path().join("none.csv")]).unwrap_err().to_string();
    assert!(error.ends_with("none.csv: there is no such file"), "{error}");
}

#[test]
fn a_manifest_is_told_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices");
    let offer = "{provider: local, region: here, instance_type: a, purchase: owned, price: 0.1, \
        currency: USD, unit: hour, source: me, as_of: 2026-11-24, available: 2}";
    fs::write(&path, format!("# mine\nkind: PriceBook\nspec: {{offers: [{offer}]}}\n")).unwrap();
    let book = load(&[path]).unwrap();
    assert_eq!(book.offers[0].available, Some(2));
    assert_eq!(book.offers[0].price.rate().unwrap().per_hour().to_decimal(), "0.10");
}

mod parquet_files {
    use super::*;
    use ::parquet::arrow::ArrowWriter;
    use arrow_array::{
        ArrayRef, Date32Array, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
        types::Int32Type,
    };

    fn write(path: &Path) {
        let text = |value: &str| Shared::new(StringArray::from(vec![value; 2])) as ArrayRef;
        let dictionary: DictionaryArray<Int32Type> = ["spot", "spot"].into_iter().collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("provider", text("aws")),
            ("region", Shared::new(StringArray::from(vec!["us-east-1", "us-east-2"]))),
            ("instance_type", text("p5")),
            ("accelerator", text("H100")),
            ("accelerator_count", Shared::new(Int64Array::from(vec![8, 8]))),
            ("vcpus", Shared::new(Float64Array::from(vec![192.0, 192.0]))),
            ("purchase", Shared::new(dictionary)),
            ("price", Shared::new(Float64Array::from(vec![Some(30.097_84), None]))),
            ("currency", text("USD")),
            ("unit", text("hour")),
            ("source", text("me")),
            ("as_of", Shared::new(Date32Array::from(vec![20_781, 20_781]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = fs::File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    #[test]
    fn a_float_price_is_its_shortest_decimal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        write(&path);
        let book = load(&[path]).unwrap();
        assert_eq!(book.offers.len(), 1);
        let Price::Known(rate, provenance) = &book.offers[0].price else { panic!() };
        assert_eq!(rate.per_hour().to_decimal(), "30.09784");
        assert_eq!(provenance.as_of.to_string(), "2026-11-24");
        assert_eq!(book.offers[0].accelerator_count, 8);
        assert!(
            book.faults[0].to_string().contains("p:2:1: `price` is missing"),
            "{:?}",
            book.faults
        );
    }

    #[test]
    fn a_truncated_file_is_an_error_at_any_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        write(&path);
        let bytes = fs::read(&path).unwrap();
        for len in (4..bytes.len()).step_by(37) {
            fs::write(&path, &bytes[..len]).unwrap();
            let error = load(std::slice::from_ref(&path)).unwrap_err().to_string();
            assert!(error.contains("is not readable as Parquet"), "{len}: {error}");
        }
    }
}
