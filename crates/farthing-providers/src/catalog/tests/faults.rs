//! Files that are damaged, too large, or lie about time.

use super::*;
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn a_few_bytes_that_unpack_to_a_disk_full_are_refused() {
    let path = Path::new("p.csv.gz");
    let bomb = packed(&vec![b'a'; 1 << 20]);
    assert!(bomb.len() < 2_000);
    let error = gz::unpack(path, &bomb, 1_000).unwrap_err().to_string();
    assert_eq!(error, "p.csv.gz: unpacks to more than 1000 bytes; at most so many are read");
    assert_eq!(gz::unpack(path, &bomb, 1 << 20).unwrap().len(), 1 << 20);
    for len in [3, 9, bomb.len() / 2, bomb.len() - 1] {
        let error = gz::unpack(path, &bomb[..len], 1 << 20).unwrap_err().to_string();
        assert!(error.starts_with("p.csv.gz: is cut off or damaged"), "{len}: {error}");
    }
}

#[test]
fn a_compressed_price_book_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p");
    let text = format!("{HEADER}\n{}\n", row("us-east-1", "spot", "1"));
    fs::write(&path, packed(text.as_bytes())).unwrap();
    assert_eq!(load(&[path]).unwrap().offers.len(), 1);
}

/// Of a dated series the newest price that was known on the day holds.
#[test]
fn prices_that_were_seen_later_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.csv");
    let on = |day: &str, price: &str| row("a", "on-demand", price).replace("2026-11-24", day);
    let rows = [on("2026-11-01", "9"), on("2026-11-20", "7"), on("2026-11-10", "8")];
    fs::write(&path, format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
    for (today, price, later, older) in [
        (Some("2026-11-09"), "9.00", 2, 0),
        (Some("2026-11-10"), "8.00", 1, 1),
        (Some("2026-12-01"), "7.00", 0, 2),
        (None, "7.00", 0, 2),
    ] {
        let today: Option<Date> = today.map(|day| day.parse().unwrap());
        let options = Options { today, ..Options::default() };
        let book = Catalogue::load(std::slice::from_ref(&path), &options).unwrap().book();
        assert_eq!(book.offers[0].price.rate().unwrap().per_hour().to_decimal(), price);
        let count = |reason: &str| book.excluded.get(reason).copied().unwrap_or(0);
        assert_eq!(count("price seen after the day that is asked about"), later, "{today:?}");
        assert_eq!(count("older price of the same offer"), older, "{today:?}");
    }
}

#[test]
fn faults_are_counted_beyond_those_that_are_told() {
    let bad = row("a", "spot", "1").replace(",USD,", ",,");
    let mut rows = vec![bad; 1_500];
    rows.push(row("a", "spot", "1"));
    let book = book(&rows);
    assert_eq!(excluded(&book), [("row that cannot be read", 1_500)]);
    assert_eq!(book.faults.len(), 1_000);
}

#[test]
fn names_that_are_no_ids_are_faults() {
    let long = row(&"x".repeat(300), "spot", "1");
    let book = book(&[row("a", "spot", "1"), long, row("b\u{7}", "spot", "1")]);
    assert_eq!(excluded(&book), [("row that cannot be read", 2)]);
    assert!(book.faults[1].to_string().contains("`region`: has control characters"));
}
